//! Which frames of the input are taken, and what they are off from zero.

use std::ops::Range;
use std::time::Duration;

use super::Conversion;
use super::treatment::{Ends, samples, time};
use crate::error::SoundError;
use crate::read::Reader;
use crate::read::channels::Channels;
use crate::signal::silence::Silence;

/// A part of the input.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Excerpt {
    frames: Range<u64>,
    /// Of each channel: what is taken from its samples.
    offset: Vec<f32>,
    /// Whether `frames` ends where the sound does, at the latest.
    pub(super) measured: bool,
    /// The silence that is left out.
    pub(super) trimmed: Ends,
}

impl Excerpt {
    /// What can be said without reading.
    pub(super) fn new(conversion: &Conversion, rate: u32) -> Self {
        let begin = samples(conversion.section.from, rate);
        let end = conversion.section.to.map_or(u64::MAX, |to| samples(to, rate));
        Self {
            frames: begin..end.max(begin),
            offset: vec![0.0; conversion.channels.count()],
            measured: false,
            trimmed: Ends::default(),
        }
    }

    /// Whether something must be known of the sound before it is converted.
    pub(super) fn wants_measuring(conversion: &Conversion) -> bool {
        conversion.trim.is_some()
            || conversion.remove_offset
            || conversion.fade.after > Duration::ZERO
    }

    /// Reads the sound for what only the whole of it tells.
    pub(super) fn measure(
        mut self,
        reader: &mut Reader,
        conversion: &Conversion,
    ) -> Result<Self, SoundError> {
        let rate = reader.spec().rate;
        let count = conversion.channels.count();
        let mut silence = conversion.trim.map(|trim| Silence::new(rate, count, trim.threshold));
        let mut sums = vec![0.0_f64; count];
        let len = self.read(reader, conversion.channels, |channels| {
            if let Some(silence) = &mut silence {
                silence.take(channels);
            }
            if conversion.remove_offset {
                for (sum, channel) in sums.iter_mut().zip(channels.iter()) {
                    *sum += channel.iter().map(|&it| f64::from(it)).sum::<f64>();
                }
            }
            Ok(())
        })?;
        let begin = self.frames.start;
        self.frames.end = begin + len;
        self.measured = true;
        self.offset = sums.iter().map(|sum| (sum / len.max(1) as f64) as f32).collect();
        let sounding = silence.and_then(|silence| silence.sounding());
        if let (Some(trim), Some(sounding)) = (conversion.trim, sounding) {
            let keep = samples(trim.keep, rate);
            let first = sounding.start.saturating_sub(keep);
            let last = sounding.end.saturating_add(keep).min(len);
            self.frames = begin + first..begin + last;
            self.trimmed = Ends { before: time(first, rate), after: time(len - last, rate) };
        }
        Ok(self)
    }

    /// How many frames it has, when that is known.
    pub(super) fn len(&self) -> Option<u64> {
        self.measured.then(|| self.frames.end - self.frames.start)
    }

    /// The greatest offset that is taken away.
    pub(super) fn offset(&self) -> f32 {
        self.offset.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0)
    }

    /// Reads the frames of it and hands them on, piece by piece. Returns how many there are.
    ///
    /// # Errors
    /// When the input can't be read, or ends before it begins.
    pub(super) fn read(
        &self,
        reader: &mut Reader,
        wanted: Channels,
        mut take: impl FnMut(&mut [Vec<f32>]) -> Result<(), SoundError>,
    ) -> Result<u64, SoundError> {
        let mut channels = vec![Vec::new(); wanted.count()];
        let (mut at, mut taken) = (0_u64, 0_u64);
        while at < self.frames.end {
            channels.iter_mut().for_each(Vec::clear);
            let read = reader.read(wanted, &mut channels)?;
            if read == 0 {
                break;
            }
            let end = at + read as u64;
            if at < self.frames.start || end > self.frames.end {
                // Both within the piece.
                let first = (self.frames.start.clamp(at, end) - at) as usize;
                let last = (self.frames.end.clamp(at, end) - at) as usize;
                for channel in &mut channels {
                    channel.truncate(last);
                    channel.drain(..first.min(last));
                }
            }
            at = end;
            for (channel, &offset) in channels.iter_mut().zip(&self.offset) {
                if offset != 0.0 {
                    channel.iter_mut().for_each(|it| *it -= offset);
                }
            }
            let frames = channels.first().map_or(0, Vec::len);
            if frames > 0 {
                taken += frames as u64;
                take(&mut channels)?;
            }
        }
        if taken == 0 && self.frames.start > 0 {
            let spec = reader.spec();
            return Err(SoundError::NothingLeft {
                from: time(self.frames.start, spec.rate),
                len: time(at, spec.rate),
            });
        }
        Ok(taken)
    }
}
