//! What a playout buffer takes sound from: packets decoded where they lie, or when their time comes.

use crate::media::{Rate, rtp::RtpTime};

/// Received sound by RTP time.
pub(crate) trait Source {
    /// Of the sound.
    fn rate(&self) -> Rate;

    /// Steps of the RTP clock that so many samples last.
    fn steps(&self, samples: usize) -> i32;

    /// Forgets what waits.
    fn clear(&mut self);

    /// What there is from `at` on without a gap, `most` samples of it.
    fn ready(&mut self, at: RtpTime, most: usize) -> Ready;

    /// Copies from `at` on as much as is ready.
    fn peek(&self, at: RtpTime, out: &mut [i16]);

    /// What was ready is not needed any more.
    fn skip(&mut self, at: RtpTime, samples: usize);

    /// Samples from `at` to what was received next, `most` of them if that is further, or if there is
    /// nothing.
    fn gap(&self, at: RtpTime, most: usize) -> usize;

    /// Lets the codec invent something at `at`, if it knows how: then that is ready.
    fn invent(&mut self, at: RtpTime) -> bool;

    /// Whether all that waits says that nobody speaks in it.
    fn is_silent(&self) -> bool;

    /// Lets what there is pass from `at` on for so many steps, unheard; whether there was something.
    fn pass(&mut self, at: RtpTime, steps: i32) -> bool;
}

/// What is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ready {
    Nothing,
    /// So many samples received.
    Received(usize),
    /// So many invented by the codec for lost ones.
    Invented(usize),
}
