//! What a program writes, made frames of.

use std::collections::VecDeque;

use diesis_sounds::{error::SoundError, pcm::TELEPHONE_RATE, resample::Converter};

use crate::media::{AudioFormat, FRAME, LiveFrame, WIDE_FRAME};

/// Octets that came and frames that are not heard yet.
#[derive(Debug)]
pub(super) struct Sound {
    format: AudioFormat,
    /// Half a sample.
    rest: Vec<u8>,
    narrow: Track<FRAME>,
    /// The same at 16 kHz, if the program gives more than 8 kHz hold.
    wide: Option<Track<WIDE_FRAME>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Some is to be there first, so that it does not run dry at once again.
    Filling,
    Flowing,
}

/// Samples at one rate, a frame of `N` at a time.
#[derive(Debug)]
struct Track<const N: usize> {
    converter: Option<Converter>,
    samples: VecDeque<i16>,
}

impl Sound {
    pub(super) fn new(format: AudioFormat) -> Result<Self, SoundError> {
        let from = format.rate();
        let wide = (from > TELEPHONE_RATE).then(|| Track::new(from, 2 * TELEPHONE_RATE));
        Ok(Self {
            format,
            rest: Vec::new(),
            narrow: Track::new(from, TELEPHONE_RATE)?,
            wide: wide.transpose()?,
            state: State::Filling,
        })
    }

    /// How many more octets are wanted: what is beyond waits at the program.
    pub(super) fn room(&self) -> usize {
        (AHEAD * FRAME).saturating_sub(self.narrow.samples.len()) * self.format.frame() / FRAME
    }

    /// Takes octets.
    pub(super) fn push(&mut self, octets: &[u8]) {
        self.rest.extend_from_slice(octets);
        let whole = match self.format {
            AudioFormat::Law(_) => self.rest.len(),
            AudioFormat::Linear(_) => self.rest.len() / 2 * 2,
        };
        let samples = self.format.decode(&self.rest[..whole]);
        self.rest.drain(..whole);
        self.narrow.push(&samples);
        if let Some(wide) = &mut self.wide {
            wide.push(&samples);
        }
    }

    /// Nothing more comes for now: what is held back is heard, filled up to a whole frame.
    pub(super) fn finish(&mut self) {
        self.rest.clear();
        self.narrow.finish();
        if let Some(wide) = &mut self.wide {
            wide.finish();
        }
        self.state = State::Flowing;
    }

    /// Whole frames that are there.
    pub(super) fn frames(&self) -> u32 {
        (self.narrow.samples.len() / FRAME) as u32
    }

    /// Throws away what is there.
    pub(super) fn clear(&mut self) {
        self.finish();
        self.narrow.samples.clear();
        if let Some(wide) = &mut self.wide {
            wide.samples.clear();
        }
        self.state = State::Filling;
    }

    /// The next frame; `None` when there is not one.
    pub(super) fn next_frame(&mut self) -> Option<LiveFrame> {
        let wanted = if self.state == State::Filling { HOLD } else { 1 };
        let has_enough = self.narrow.has(wanted) && self.wide.as_ref().is_none_or(|it| it.has(1));
        if !has_enough {
            self.state = State::Filling;
            return None;
        }
        self.state = State::Flowing;
        let wide = self.wide.as_mut().map(Track::take);
        Some(LiveFrame::new(self.narrow.take(), wide))
    }
}

impl<const N: usize> Track<N> {
    fn new(from: u32, to: u32) -> Result<Self, SoundError> {
        let converter = (from != to).then(|| Converter::new(from, to)).transpose()?;
        Ok(Self { converter, samples: VecDeque::new() })
    }

    fn push(&mut self, samples: &[i16]) {
        match &mut self.converter {
            Some(converter) => self.samples.extend(converter.convert(samples)),
            None => self.samples.extend(samples),
        }
    }

    fn finish(&mut self) {
        if let Some(converter) = &mut self.converter {
            self.samples.extend(converter.finish());
        }
        let whole = self.samples.len().next_multiple_of(N);
        self.samples.resize(whole, 0);
    }

    fn has(&self, frames: usize) -> bool {
        self.samples.len() >= frames * N
    }

    fn take(&mut self) -> [i16; N] {
        let mut frame = [0; N];
        for (sample, taken) in frame.iter_mut().zip(self.samples.drain(..N)) {
            *sample = taken;
        }
        frame
    }
}

/// Frames that are taken from a program before they are heard.
const AHEAD: usize = 10;

/// Frames that are there before the first is heard, and after it ran dry.
const HOLD: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_that_come_in_any_pieces_are_the_same_frames() {
        let samples: Vec<i16> = (0..1600).map(|nth| nth * 20).collect();
        let octets = AudioFormat::Linear(8000).encode(&samples);
        let mut heard = Vec::new();
        let mut sound = Sound::new(AudioFormat::Linear(8000)).unwrap();
        for piece in octets.chunks(333) {
            sound.push(piece);
            heard.extend(sound.next_frame());
        }
        sound.finish();
        heard.extend(std::iter::from_fn(|| sound.next_frame()));
        let heard: Vec<i16> = heard.iter().flat_map(|frame| *frame.samples()).collect();
        assert!(heard == samples);
    }

    #[test]
    fn one_that_runs_dry_fills_up_before_it_goes_on_and_says_all_at_its_end() {
        let mut sound = Sound::new(AudioFormat::Linear(8000)).unwrap();
        let frame = [1; 2 * FRAME];
        let full = sound.room();
        assert_eq!(full, AHEAD * 2 * FRAME);
        sound.push(&frame);
        assert!(sound.next_frame().is_none());
        sound.push(&frame);
        sound.push(&frame);
        assert_eq!(sound.room(), full - 6 * FRAME);
        assert!(sound.next_frame().is_some());
        assert!(sound.next_frame().is_some());
        sound.push(&[1; 20]);
        assert!(sound.next_frame().is_some());
        assert!(sound.next_frame().is_none());
        sound.finish();
        let last = sound.next_frame().unwrap();
        assert_eq!((last.samples()[9], last.samples()[10]), (257, 0));
        assert!(sound.next_frame().is_none());
    }

    #[test]
    fn wide_sound_is_there_at_both_rates() {
        let mut sound = Sound::new(AudioFormat::Linear(48_000)).unwrap();
        let level = AudioFormat::Linear(48_000).encode(&[8000; 48_000]);
        let mut last = None;
        for piece in level.chunks(1920) {
            sound.push(piece);
            last = sound.next_frame().or(last);
        }
        let last = last.unwrap();
        let near = |sample: &i16| (7900..8100).contains(sample);
        assert!(last.samples().iter().all(near));
        assert!(last.wide().is_some_and(|wide| wide.iter().all(near)));
    }
}
