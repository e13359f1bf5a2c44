//! A prompt ready to be sent: its samples, and its RTP payload once for each law of G.711; at 16 kHz
//! and at 48 kHz as well, if the file holds more than the lower rate does.
//!
//! Encoded when it is loaded and shared by `Arc`, so that playing it costs a header and a slice
//! however many callers hear it. Reading and decoding files is `diesis_sounds`.

use std::time::Duration;

use super::{FRAME, FULL_FRAME, Law, Rate, WIDE_FRAME};

/// A piece of mono audio. Immutable; shared by `Arc`.
pub struct Prompt {
    samples: Box<[i16]>,
    /// Filled up with silence to whole frames, so that every frame is a slice.
    pcmu: Box<[u8]>,
    pcma: Box<[u8]>,
    /// The samples of 16 kHz; none if those of 8 kHz are all there is.
    wide: Box<[i16]>,
    /// Those of 48 kHz; none if those of 16 kHz are all there is.
    full: Box<[i16]>,
}

impl Prompt {
    /// Encodes samples of 8 kHz. Work for a loading thread, not for a tick.
    pub fn from_samples(samples: &[i16]) -> Self {
        Self {
            samples: samples.into(),
            pcmu: encode(Law::Mu, samples),
            pcma: encode(Law::A, samples),
            wide: Box::default(),
            full: Box::default(),
        }
    }

    /// The same, with the sound at 16 kHz for those who can hear it.
    #[must_use]
    pub fn with_wide(mut self, samples: Vec<i16>) -> Self {
        self.wide = samples.into_boxed_slice();
        self
    }

    /// The same, with the sound at 48 kHz as well.
    #[must_use]
    pub fn with_full(mut self, wide: Vec<i16>, full: Vec<i16>) -> Self {
        self.full = full.into_boxed_slice();
        self.with_wide(wide)
    }

    /// The highest rate at which it is there.
    pub fn rate(&self) -> Rate {
        match (self.wide.is_empty(), self.full.is_empty()) {
            (true, _) => Rate::Narrow,
            (false, true) => Rate::Wide,
            (false, false) => Rate::Full,
        }
    }

    /// The samples, without filling.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.samples.len() as u64 * 125)
    }

    /// Number of 20 ms frames; the last may be filled up with silence.
    pub fn frames(&self) -> usize {
        self.pcmu.len() / FRAME
    }

    /// Octets held, for whoever keeps a cache.
    pub fn size(&self) -> usize {
        (self.samples.len() + self.wide.len() + self.full.len()) * 2
            + self.pcmu.len()
            + self.pcma.len()
    }

    /// The payload of one frame; `None` past the end.
    #[inline]
    pub fn frame(&self, index: usize, law: Law) -> Option<&[u8; FRAME]> {
        let payload = match law {
            Law::Mu => &self.pcmu,
            Law::A => &self.pcma,
        };
        payload.as_chunks::<FRAME>().0.get(index)
    }

    /// The samples of one frame, filled up with silence.
    pub(crate) fn filled_frame(&self, index: usize) -> [i16; FRAME] {
        let samples = self.frame_samples(index);
        let mut frame = [0; FRAME];
        frame[..samples.len()].copy_from_slice(samples);
        frame
    }

    /// One frame at 16 kHz, filled up with silence, if there is more than 8 kHz hold.
    pub(crate) fn wide_frame(&self, index: usize) -> Option<[i16; WIDE_FRAME]> {
        filled(&self.wide, index)
    }

    /// One frame at 48 kHz, filled up with silence, if there is more than 16 kHz hold.
    pub(crate) fn full_frame(&self, index: usize) -> Option<[i16; FULL_FRAME]> {
        filled(&self.full, index)
    }

    /// The samples of one frame, fewer than a frame at the end, none past it.
    pub(crate) fn frame_samples(&self, index: usize) -> &[i16] {
        let start = index.saturating_mul(FRAME).min(self.samples.len());
        &self.samples[start..(start + FRAME).min(self.samples.len())]
    }
}

impl std::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prompt").field("duration", &self.duration()).finish_non_exhaustive()
    }
}

/// A frame of so many samples, filled up with silence; `None` past the end.
fn filled<const N: usize>(samples: &[i16], index: usize) -> Option<[i16; N]> {
    let rest = samples.get(index.checked_mul(N)?..)?;
    let samples = &rest[..rest.len().min(N)];
    let mut frame = [0; N];
    frame[..samples.len()].copy_from_slice(samples);
    (!samples.is_empty()).then_some(frame)
}

fn encode(law: Law, samples: &[i16]) -> Box<[u8]> {
    let mut payload = vec![law.silence(); samples.len().next_multiple_of(FRAME)];
    law.encode_into(samples, &mut payload);
    payload.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use diesis_sounds::g711;

    use super::*;

    #[test]
    fn the_last_frame_is_filled_with_silence() {
        let prompt = Prompt::from_samples(&[1000; 170]);
        assert_eq!(prompt.frames(), 2);
        let last = prompt.frame(1, Law::Mu).unwrap();
        assert_eq!(last[9], g711::encode_ulaw(1000));
        assert!(last[10..].iter().all(|&byte| byte == 0xff));
        assert!(prompt.frame(1, Law::A).unwrap()[10..].iter().all(|&byte| byte == 0xd5));
        assert_eq!(prompt.frame(2, Law::Mu), None);
        assert_eq!(prompt.frame_samples(1).len(), 10);
        assert!(prompt.frame_samples(usize::MAX).is_empty());
        assert_eq!(prompt.duration(), Duration::from_micros(21_250));
    }

    #[test]
    fn nothing_is_a_prompt_of_no_frames() {
        let prompt = Prompt::from_samples(&[]);
        assert_eq!((prompt.frames(), prompt.size()), (0, 0));
        assert_eq!(prompt.frame(0, Law::A), None);
    }
}
