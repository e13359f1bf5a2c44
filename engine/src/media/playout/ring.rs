//! Received G.711, decoded where it lies: a ring of samples by their RTP time, so that the packet
//! time may be anything and order does not matter.

use super::source::{Ready, Source};
use crate::media::{Law, Rate, rtp::RtpTime};

/// The samples of one receiving stream.
pub(crate) struct Ring(Box<[i16; RING]>);

impl Ring {
    pub(super) fn new() -> Self {
        Self(Box::new([MISSING; RING]))
    }

    /// Takes a payload; it is not longer than [`LONGEST_PACKET`], and no further ahead than
    /// [`REACH`].
    pub(super) fn store(&mut self, time: RtpTime, law: Law, payload: &[u8]) {
        let start = time.0 as usize % RING;
        let (first, rest) = payload.split_at(payload.len().min(RING - start));
        law.decode_into(first, &mut self.0[start..start + first.len()]);
        law.decode_into(rest, &mut self.0[..rest.len()]);
    }

    /// The samples from `at` on, up to the end of the ring and from its beginning.
    fn parts(&self, at: RtpTime, count: usize) -> (&[i16], &[i16]) {
        let start = at.0 as usize % RING;
        let first = count.min(RING - start);
        (&self.0[start..start + first], &self.0[..count - first])
    }

    /// How many samples from `at` on there are, or are missing.
    fn run(&self, at: RtpTime, most: usize, ends: impl Fn(i16) -> bool) -> usize {
        let (first, rest) = self.parts(at, most);
        let mut samples = first.iter().chain(rest);
        samples.position(|&sample| ends(sample)).unwrap_or(most)
    }
}

impl Source for Ring {
    fn rate(&self) -> Rate {
        Rate::Narrow
    }

    fn steps(&self, samples: usize) -> i32 {
        samples as i32
    }

    fn clear(&mut self) {
        self.0.fill(MISSING);
    }

    fn ready(&mut self, at: RtpTime, most: usize) -> Ready {
        match self.run(at, most, |sample| sample == MISSING) {
            0 => Ready::Nothing,
            count => Ready::Received(count),
        }
    }

    fn peek(&self, at: RtpTime, out: &mut [i16]) {
        let (first, rest) = self.parts(at, out.len());
        out[..first.len()].copy_from_slice(first);
        out[first.len()..].copy_from_slice(rest);
    }

    fn skip(&mut self, at: RtpTime, samples: usize) {
        let start = at.0 as usize % RING;
        let first = samples.min(RING - start);
        self.0[start..start + first].fill(MISSING);
        self.0[..samples - first].fill(MISSING);
    }

    fn gap(&self, at: RtpTime, most: usize) -> usize {
        self.run(at, most, |sample| sample != MISSING)
    }

    fn invent(&mut self, _at: RtpTime) -> bool {
        false
    }

    fn is_silent(&self) -> bool {
        false
    }

    fn pass(&mut self, at: RtpTime, steps: i32) -> bool {
        let samples = steps.unsigned_abs() as usize;
        let is_there = self.gap(at, samples) < samples;
        self.skip(at, samples);
        is_there
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").finish_non_exhaustive()
    }
}

/// No G.711 code decodes to it.
const MISSING: i16 = i16::MIN;

/// Half a second of samples.
const RING: usize = 4096;

/// Samples taken of one packet: 120 ms.
pub(super) const LONGEST_PACKET: usize = 960;

/// How far ahead of what is played packets may be.
pub(super) const REACH: i32 = RING as i32 - LONGEST_PACKET as i32;
