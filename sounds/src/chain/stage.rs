//! What takes samples piece by piece and gives others.

use crate::rate::RateConverter;

/// A piece of sound: as many samples for each channel.
pub(super) type Piece = Vec<Vec<f32>>;

/// One effect at work.
pub(super) trait Stage {
    /// Takes a piece and appends what can be made of it; `out` has a slot for each channel made.
    fn process(&mut self, piece: &[Vec<f32>], out: &mut Piece);

    /// Appends what is held back, a piece at a time. Says whether more is to come.
    fn finish(&mut self, _out: &mut Piece) -> bool {
        false
    }

    /// Channels made of so many.
    fn channels(&self, taken: usize) -> usize {
        taken
    }

    /// Whether what follows makes no difference.
    fn is_done(&self) -> bool {
        false
    }
}

/// Stages in a row.
pub(super) struct Line {
    stages: Vec<Box<dyn Stage>>,
    /// What each made last; the first is what was put in.
    made: Vec<Piece>,
}

impl Line {
    /// For a sound of so many channels.
    pub(super) fn new(stages: Vec<Box<dyn Stage>>, channels: u16) -> Self {
        let mut made = vec![vec![Vec::new(); channels.into()]];
        for (at, stage) in stages.iter().enumerate() {
            made.push(vec![Vec::new(); stage.channels(made[at].len())]);
        }
        Self { stages, made }
    }

    pub(super) fn is_done(&self) -> bool {
        self.stages.iter().any(|stage| stage.is_done())
    }

    /// What comes out of a piece.
    pub(super) fn process(&mut self, piece: &[Vec<f32>]) -> &[Vec<f32>] {
        for (slot, samples) in self.made[0].iter_mut().zip(piece) {
            slot.clear();
            slot.extend_from_slice(samples);
        }
        self.from(0)
    }

    /// Lets what lies before a stage go through all from it on.
    fn from(&mut self, number: usize) -> &[Vec<f32>] {
        for (at, stage) in self.stages.iter_mut().enumerate().skip(number) {
            let (before, after) = self.made.split_at_mut(at + 1);
            let (taken, out) = (&before[at], &mut after[0]);
            out.iter_mut().for_each(Vec::clear);
            stage.process(taken, out);
        }
        self.made.last().expect("there is one more than stages")
    }

    /// What is held back, from the first stage on.
    pub(super) fn finish(&mut self) -> Rest<'_> {
        Rest { line: self, stage: 0 }
    }
}

/// The end of a sound on its way through a line.
pub(super) struct Rest<'a> {
    line: &'a mut Line,
    stage: usize,
}

impl Rest<'_> {
    /// The next piece; `None` when nothing is left.
    pub(super) fn next(&mut self) -> Option<&[Vec<f32>]> {
        let stage = self.line.stages.get_mut(self.stage)?;
        let out = &mut self.line.made[self.stage + 1];
        out.iter_mut().for_each(Vec::clear);
        let more = stage.finish(out);
        self.stage += 1;
        let next = self.stage;
        if more {
            self.stage -= 1;
        }
        Some(self.line.from(next))
    }
}

/// Multiplies all samples.
pub(super) fn multiply(piece: &mut [Vec<f32>], factor: f32) {
    piece.iter_mut().flatten().for_each(|it| *it *= factor);
}

/// How many frames a piece has.
pub(super) fn len(piece: &[Vec<f32>]) -> usize {
    piece.first().map_or(0, Vec::len)
}

/// To another rate.
pub(super) struct Rate(pub(super) Vec<RateConverter>);

impl Stage for Rate {
    fn process(&mut self, piece: &[Vec<f32>], out: &mut Piece) {
        for ((converter, samples), out) in self.0.iter_mut().zip(piece).zip(out) {
            converter.convert(samples, out);
        }
    }

    fn finish(&mut self, out: &mut Piece) -> bool {
        for (converter, out) in self.0.iter_mut().zip(out) {
            converter.finish(out);
        }
        false
    }
}

/// Channels as sums of channels.
pub(super) struct Mixer(pub(super) Vec<Vec<(usize, f32)>>);

impl Stage for Mixer {
    fn process(&mut self, piece: &[Vec<f32>], out: &mut Piece) {
        let frames = len(piece);
        for (sum, out) in self.0.iter().zip(out) {
            match sum.as_slice() {
                [(channel, 1.0)] => out.extend_from_slice(&piece[*channel]),
                sum => {
                    out.resize(frames, 0.0);
                    for &(channel, weight) in sum {
                        for (out, sample) in out.iter_mut().zip(&piece[channel]) {
                            *out += sample * weight;
                        }
                    }
                }
            }
        }
    }

    fn channels(&self, _taken: usize) -> usize {
        self.0.len()
    }
}

/// Multiplied.
pub(super) struct Gain(pub(super) f32);

impl Stage for Gain {
    fn process(&mut self, piece: &[Vec<f32>], out: &mut Piece) {
        for (samples, out) in piece.iter().zip(out) {
            out.extend(samples.iter().map(|sample| sample * self.0));
        }
    }
}

/// Parts left out and parts kept.
pub(super) struct Trim {
    /// Where it changes; what comes before the first is left out.
    pub(super) places: Vec<u64>,
    pub(super) next: usize,
    pub(super) at: u64,
}

impl Stage for Trim {
    fn process(&mut self, piece: &[Vec<f32>], out: &mut Piece) {
        let (mut from, end) = (0, len(piece));
        while from < end {
            while self.places.get(self.next).is_some_and(|&place| place <= self.at) {
                self.next += 1;
            }
            let most = self.places.get(self.next).map_or(u64::MAX, |&place| place - self.at);
            let take = (end - from).min(usize::try_from(most).unwrap_or(usize::MAX));
            if self.next % 2 == 1 {
                for (samples, out) in piece.iter().zip(out.iter_mut()) {
                    out.extend_from_slice(&samples[from..from + take]);
                }
            }
            from += take;
            self.at += take as u64;
        }
    }

    fn is_done(&self) -> bool {
        let all = self.places.len();
        all.is_multiple_of(2) && self.places.last().is_none_or(|&last| last <= self.at)
    }
}

/// Silence put in.
pub(super) struct Pad {
    /// Where, and how much; in order.
    pub(super) places: Vec<(u64, u64)>,
    pub(super) next: usize,
    pub(super) at: u64,
}

impl Pad {
    /// Appends the silence that belongs to the present place. `most` frames of it at once.
    fn silence(&mut self, out: &mut Piece) -> bool {
        let Some((_, left)) = self.places.get_mut(self.next) else { return false };
        let some = (*left).min(PIECE);
        *left -= some;
        if *left == 0 {
            self.next += 1;
        }
        for out in out {
            out.resize(out.len() + some as usize, 0.0);
        }
        self.next < self.places.len()
    }
}

impl Stage for Pad {
    fn process(&mut self, piece: &[Vec<f32>], out: &mut Piece) {
        let (mut from, end) = (0, len(piece));
        while from < end {
            while self.places.get(self.next).is_some_and(|&(place, _)| place <= self.at) {
                self.silence(out);
            }
            let most = self.places.get(self.next).map_or(u64::MAX, |&(place, _)| place - self.at);
            let take = (end - from).min(usize::try_from(most).unwrap_or(usize::MAX));
            for (samples, out) in piece.iter().zip(out.iter_mut()) {
                out.extend_from_slice(&samples[from..from + take]);
            }
            from += take;
            self.at += take as u64;
        }
    }

    fn finish(&mut self, out: &mut Piece) -> bool {
        // What was meant for a place behind the end is left out, as places there are refused when
        // the length is known.
        self.silence(out)
    }
}

/// Frames of silence at once.
const PIECE: u64 = 1 << 16;
