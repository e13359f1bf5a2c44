//! Between the rates that programs speak at and the telephone's.

use std::time::{Duration, Instant};

use diesis_sounds::{pcm::TELEPHONE_RATE, resample::Converter};

/// What a program says, made 8 kHz.
#[derive(Debug, Default)]
pub(super) struct Narrowing {
    converter: Option<(u32, Converter)>,
    fed_at: Option<Instant>,
}

impl Narrowing {
    pub(super) fn convert(
        &mut self,
        samples: Vec<i16>,
        rate: u32,
        now: Instant,
    ) -> Result<Vec<i16>, String> {
        if rate == TELEPHONE_RATE {
            return Ok(samples);
        }
        if self.converter.as_ref().is_none_or(|(from, _)| *from != rate) {
            let new = Converter::new(rate, TELEPHONE_RATE).map_err(|error| error.to_string())?;
            self.converter = Some((rate, new));
        }
        self.fed_at = Some(now);
        Ok(self.converter.as_mut().map(|(_, it)| it.convert(&samples)).unwrap_or_default())
    }

    /// What is held back, once nothing more came for a while: it belongs to what was said.
    pub(super) fn rest(&mut self, now: Instant) -> Vec<i16> {
        let is_due = |at: &mut Instant| now.saturating_duration_since(*at) >= PAUSE;
        match self.fed_at.take_if(is_due) {
            Some(_) => self.finish(),
            None => Vec::new(),
        }
    }

    /// What is held back.
    pub(super) fn finish(&mut self) -> Vec<i16> {
        self.fed_at = None;
        self.converter.as_mut().map(|(_, converter)| converter.finish()).unwrap_or_default()
    }
}

/// What a program hears, at the rate it wants.
#[derive(Debug)]
pub(super) struct Widening {
    /// One for each of the interleaved channels; none where there is nothing to convert.
    converters: Vec<Converter>,
}

impl Widening {
    pub(super) fn new(rate: u32, channels: usize) -> Result<Self, String> {
        let count = if rate == TELEPHONE_RATE { 0 } else { channels };
        let converters = (0..count).map(|_| Converter::new(TELEPHONE_RATE, rate));
        // Every 20 ms are whole.
        let converters = converters.map(|it| it.map(Converter::delayed));
        let converters = converters.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        Ok(Self { converters })
    }

    pub(super) fn convert(&mut self, samples: Vec<i16>) -> Vec<i16> {
        let channels = self.converters.len();
        if channels == 0 {
            return samples;
        }
        let converted: Vec<Vec<i16>> = self
            .converters
            .iter_mut()
            .enumerate()
            .map(|(channel, converter)| {
                let own: Vec<i16> =
                    samples.iter().skip(channel).step_by(channels).copied().collect();
                converter.convert(&own)
            })
            .collect();
        let length = converted.iter().map(Vec::len).min().unwrap_or_default();
        (0..length).flat_map(|at| converted.iter().map(move |own| own[at])).collect()
    }
}

/// A pause in what is said.
const PAUSE: Duration = Duration::from_millis(60);
