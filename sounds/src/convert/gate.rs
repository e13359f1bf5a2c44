//! The gate: what is below a level becomes silence, without a click.

use super::treatment::{self, Gate};
use crate::rate::design::sine;
use crate::signal::silence::{self, Power};

/// Opens and closes for all channels of one sound together; keeps up to two blocks back.
#[derive(Debug, Clone)]
pub(super) struct Gating {
    /// Greatest mean square of noise.
    most: f64,
    block: usize,
    /// Blocks that it stays open, and how much it closes in one.
    hold: u32,
    step: f32,
    /// Blocks until it closes.
    open: u32,
    /// How far it is open at the end of the block that waits: 0 to 1.
    place: f32,
    /// How far it was where that block begins.
    before: f32,
    /// Frames that wait: a block that is known, and part of the next.
    waiting: Vec<Vec<f32>>,
    /// Frames of the block that is known.
    known: usize,
}

impl Gating {
    pub(super) fn new(gate: &Gate, rate: u32, channels: usize) -> Self {
        let block = silence::block(rate);
        let blocks = |time| treatment::samples(time, rate).div_ceil(block as u64);
        let hold = blocks(gate.hold).min(u64::from(u32::MAX)) as u32;
        Self {
            most: crate::signal::magnitude(gate.threshold).powi(2),
            block,
            hold,
            step: 1.0 / blocks(gate.release).max(1) as f32,
            open: 0,
            place: 0.0,
            before: 0.0,
            waiting: vec![Vec::new(); channels],
            known: 0,
        }
    }

    /// Takes frames and puts those into their place that nothing to come can change.
    pub(super) fn pass(&mut self, channels: &mut [Vec<f32>]) {
        for (waiting, channel) in self.waiting.iter_mut().zip(&mut *channels) {
            waiting.append(channel);
        }
        while self.len() >= self.known + self.block {
            self.end_block(self.block, channels);
        }
    }

    /// Appends what is kept back.
    pub(super) fn finish(&mut self, channels: &mut [Vec<f32>]) {
        for len in [self.len() - self.known, 0] {
            self.end_block(len, channels);
        }
    }

    fn len(&self) -> usize {
        self.waiting.first().map_or(0, Vec::len)
    }

    /// The next block is there: the one before can go.
    fn end_block(&mut self, len: usize, out: &mut [Vec<f32>]) {
        let next = self.known..self.known + len;
        let power = |waiting: &Vec<f32>| {
            let mut power = Power::default();
            power.take(&waiting[next.clone()]);
            power.mean_square()
        };
        let power = self.waiting.iter().map(power).fold(0.0, f64::max);
        let mut place = (self.place - if self.open == 0 { self.step } else { 0.0 }).max(0.0);
        self.open = self.open.saturating_sub(1);
        if power > self.most {
            self.open = self.hold;
            place = 1.0;
        }
        // At the end of a block it is as open as the louder of its neighbours asks for.
        let (begin, end) = (self.before, place.max(self.place));
        for (waiting, out) in self.waiting.iter_mut().zip(out) {
            let known = waiting.drain(..self.known);
            fade(known, begin, end, self.known, out);
        }
        self.before = end;
        self.place = place;
        self.known = len;
    }
}

/// Appends samples, from as open as `begin` to as open as `end`.
fn fade(samples: impl Iterator<Item = f32>, begin: f32, end: f32, len: usize, out: &mut Vec<f32>) {
    if begin == end && (begin == 0.0 || begin == 1.0) {
        out.extend(samples.map(|it| if begin == 0.0 { 0.0 } else { it }));
        return;
    }
    let step = f64::from(end - begin) / len.max(1) as f64;
    out.extend(
        samples
            .zip(0_u32..)
            .map(|(it, n)| it * raised_cosine(f64::from(begin) + step * (f64::from(n) + 0.5))),
    );
}

/// From 0 to 1 without a corner.
pub(super) fn raised_cosine(place: f64) -> f32 {
    let [sine] = sine([place / 4.0]);
    (sine * sine) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gated(samples: &[f32], piece: usize) -> Vec<f32> {
        let mut gate = Gating::new(&Gate::new(-50.0), 8000, 1);
        let mut out = vec![];
        for piece in samples.chunks(piece) {
            let mut made = [piece.to_vec()];
            gate.pass(&mut made);
            out.append(&mut made[0]);
        }
        let mut made = [vec![]];
        gate.finish(&mut made);
        out.append(&mut made[0]);
        out
    }

    #[test]
    fn noise_becomes_silence_and_what_is_louder_stays_whole() {
        let noise = |n: i32| if n.wrapping_mul(7919) % 3 == 0 { 0.001 } else { -0.001 };
        let mut samples: Vec<f32> = (0..12_005).map(noise).collect();
        for (n, sample) in samples[4000..5000].iter_mut().enumerate() {
            *sample = if n % 8 < 4 { 0.1 } else { -0.1 };
        }
        let out = gated(&samples, 333);
        assert_eq!(out.len(), samples.len());
        // 10 ms before it opens, after hold and release it is closed.
        assert!(out[..3920].iter().chain(&out[7200..]).all(|&it| it == 0.0));
        assert_eq!(out[4000..6200], samples[4000..6200]);
        for (is, was) in out.iter().zip(&samples) {
            assert!(is.abs() <= was.abs());
        }
        // Between neighbours it changes little.
        let gain = |n: usize| out[n] / samples[n];
        assert!((3921..7200).all(|n| (gain(n) - gain(n - 1)).abs() < 0.025));
        assert_eq!(out, gated(&samples, 1));
        assert_eq!(out, gated(&samples, 20_000));
    }

    #[test]
    fn nothing_and_silence_stay() {
        assert!(gated(&[], 1).is_empty());
        assert_eq!(gated(&[0.0; 100], 7), [0.0; 100]);
        assert_eq!(gated(&[0.5, -0.5, 0.5], 7).len(), 3);
    }
}
