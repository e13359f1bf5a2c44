//! 20 ms of sound at each of the rates at which somebody hears it, and what makes the higher ones of
//! the lower: there is nothing more in them then, but they add up with those that hold more.

use diesis_sounds::{halfband, thirdband};

use super::{FRAME, FULL_FRAME, Gain, Rate, WIDE_FRAME};

/// 20 ms of sound at one rate.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Samples<'a> {
    Narrow(&'a [i16; FRAME]),
    Wide(&'a [i16; WIDE_FRAME]),
    Full(&'a [i16; FULL_FRAME]),
}

/// The same 20 ms at 8 kHz and at what is there of the higher rates; none is left out between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sound<'a> {
    pub(crate) narrow: &'a [i16; FRAME],
    pub(crate) wide: Option<&'a [i16; WIDE_FRAME]>,
    pub(crate) full: Option<&'a [i16; FULL_FRAME]>,
}

/// Where the higher rates of a [`Sound`] lie that was not made of any.
#[derive(Debug, Clone)]
pub(crate) struct Space {
    pub(crate) wide: [i16; WIDE_FRAME],
    pub(crate) full: [i16; FULL_FRAME],
}

/// Brings running sound to higher rates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Widener {
    wide: halfband::Upsampler,
    full: thirdband::Upsampler,
}

impl<'a> Samples<'a> {
    /// A frame of whichever rate.
    #[cfg(test)]
    pub(crate) fn of(samples: &'a [i16]) -> Self {
        let narrow = samples.try_into().map(Self::Narrow);
        let wide = || samples.try_into().map(Self::Wide);
        narrow.or_else(|_| wide()).unwrap_or_else(|_| Self::Full(samples.try_into().unwrap()))
    }

    pub(crate) fn as_slice(self) -> &'a [i16] {
        match self {
            Self::Narrow(samples) => samples,
            Self::Wide(samples) => samples,
            Self::Full(samples) => samples,
        }
    }
}

impl<'a> Sound<'a> {
    /// Sound of which there is no more.
    pub(crate) const fn narrow(narrow: &'a [i16; FRAME]) -> Self {
        Self { narrow, wide: None, full: None }
    }

    /// The highest rate that is there.
    pub(crate) fn rate(self) -> Rate {
        match self {
            Self { full: Some(_), .. } => Rate::Full,
            Self { wide: Some(_), .. } => Rate::Wide,
            _ => Rate::Narrow,
        }
    }

    /// The best there is up to a rate.
    pub(crate) fn up_to(self, most: Rate) -> Samples<'a> {
        match (most, self) {
            (Rate::Full, Self { full: Some(full), .. }) => Samples::Full(full),
            (Rate::Full | Rate::Wide, Self { wide: Some(wide), .. }) => Samples::Wide(wide),
            _ => Samples::Narrow(self.narrow),
        }
    }

    /// The same with all rates up to one.
    pub(crate) fn widened(self, to: Rate, widener: &mut Widener, space: &'a mut Space) -> Self {
        let Space { wide, full } = space;
        if to == Rate::Narrow {
            return self;
        }
        let wide: &'a _ = match self.wide {
            Some(wide) => wide,
            None => {
                widener.widen(self.narrow, wide);
                wide
            }
        };
        let full = match self.full {
            None if to == Rate::Full => {
                widener.widen_fully(wide, full);
                Some(&*full)
            }
            there => there,
        };
        Self { narrow: self.narrow, wide: Some(wide), full }
    }

    /// The same, louder or quieter.
    pub(crate) fn amplified(
        self,
        gain: Gain,
        narrow: &'a mut [i16; FRAME],
        space: &'a mut Space,
    ) -> Self {
        *narrow = *self.narrow;
        gain.apply(narrow);
        let Space { wide, full } = space;
        let wide = self.wide.map(|samples| {
            *wide = *samples;
            gain.apply(wide);
            &*wide
        });
        let full = self.full.map(|samples| {
            *full = *samples;
            gain.apply(full);
            &*full
        });
        Self { narrow, wide, full }
    }
}

impl Space {
    pub(crate) const fn new() -> Self {
        Self { wide: [0; WIDE_FRAME], full: [0; FULL_FRAME] }
    }

    /// Takes all rates of a sound up to one.
    pub(crate) fn fill(&mut self, sound: Sound<'_>, to: Rate, widener: &mut Widener) {
        match sound.wide {
            Some(wide) => self.wide = *wide,
            None => widener.widen(sound.narrow, &mut self.wide),
        }
        match sound.full {
            Some(full) => self.full = *full,
            None if to == Rate::Full => widener.widen_fully(&self.wide, &mut self.full),
            None => {}
        }
    }
}

impl Widener {
    /// From 8 kHz to 16 kHz.
    pub(crate) fn widen(&mut self, narrow: &[i16; FRAME], wide: &mut [i16; WIDE_FRAME]) {
        self.wide.process(narrow, wide);
    }

    /// From 16 kHz to 48 kHz.
    pub(crate) fn widen_fully(&mut self, wide: &[i16; WIDE_FRAME], full: &mut [i16; FULL_FRAME]) {
        self.full.process(wide, full);
    }
}
