//! Tells the beep of an answering machine from speaker: one tone that keeps its height.
//!
//! The samples of a single tone follow each other by `x[n+1] + x[n-1] = 2 cos(w) x[n]`. What is left
//! of that in a frame, and how much `w` moves from frame to frame, tells a tone from a voice, whose
//! vowels are many tones and glide.

use std::time::Duration;

use super::{Frames, frames};
use crate::media::FRAME;

/// Waits for the end of a beep.
#[derive(Debug)]
pub(super) struct Beep {
    /// A machine that has been silent for so long has spoken.
    silence: Frames,
    quiet: Frames,
    /// The tone that sounds, in Hz, and for how long.
    tone: Option<(f32, Frames)>,
}

impl Beep {
    pub(super) fn new(silence: Duration) -> Self {
        Self { silence: frames(silence), quiet: 0, tone: None }
    }

    /// Takes the next 20 ms; `true` once a beep has ended, or it was silent for long.
    pub(super) fn handle_frame(&mut self, frame: &[i16; FRAME], is_loud: bool) -> bool {
        self.quiet = if is_loud { 0 } else { self.quiet.saturating_add(1) };
        let hertz = if is_loud { hertz(frame) } else { None };
        let before = self.tone;
        self.tone = match (before, hertz) {
            (Some((known, lasted)), Some(hertz)) if (hertz - known).abs() < STEADY => {
                Some((known, lasted.saturating_add(1)))
            }
            (_, Some(hertz)) => Some((hertz, 1)),
            (_, None) => None,
        };
        // A dial tone does not end, and what goes on for long is music or a line that is dead.
        let has_ended = self.tone.is_none_or(|(_, lasted)| lasted == 1)
            && before.is_some_and(|(_, lasted)| (SHORTEST..=LONGEST).contains(&lasted));
        has_ended || self.quiet >= self.silence
    }
}

/// The frequency of a single tone, if that is what sounds.
fn hertz(frame: &[i16; FRAME]) -> Option<f32> {
    let (mut products, mut squares, mut sums) = (0.0f32, 0.0f32, 0.0f32);
    for window in frame.windows(3) {
        let [before, here, after] = [window[0], window[1], window[2]].map(f32::from);
        let sum = before + after;
        products += sum * here;
        squares += here * here;
        sums += sum * sum;
    }
    if squares < 1.0 {
        return None;
    }
    let height = products / squares;
    // The least that any height leaves of the sums, against the signal.
    let rest = sums - height * products;
    let hertz = (height / 2.0).clamp(-1.0, 1.0).acos() * 8000.0 / std::f32::consts::TAU;
    (rest < PURE * squares && BEEPS.contains(&hertz)).then_some(hertz)
}

/// How much of a tone may be something else: the noise of a line and of G.711.
const PURE: f32 = 0.02;
/// Where beeps are, in Hz: below is the hum of voices.
const BEEPS: std::ops::RangeInclusive<f32> = 350.0..=2900.0;
/// How far a beep moves from frame to frame, in Hz.
const STEADY: f32 = 15.0;
/// 120 ms, of which the first and the last frame are not whole.
const SHORTEST: Frames = 5;
/// 3 s.
const LONGEST: Frames = 150;

#[cfg(test)]
mod tests {
    use super::{
        super::{
            LOUD, mean_magnitude,
            testing::{Speaker, pause, tone},
        },
        *,
    };

    /// When the wait is over, in milliseconds.
    fn over(parts: &[Vec<i16>]) -> Option<usize> {
        let mut beep = Beep::new(Duration::from_millis(2500));
        let samples = parts.concat();
        let (all, _) = samples.as_chunks::<FRAME>();
        let at =
            all.iter().position(|frame| beep.handle_frame(frame, mean_magnitude(frame) >= LOUD))?;
        Some(at * 20)
    }

    #[test]
    fn a_beep_is_over_when_its_tone_ends() {
        for hertz in [400.0, 440.0, 800.0, 1000.0, 1400.0, 2000.0, 2800.0] {
            for length in [160, 300, 1000] {
                let mut speaker = Speaker::new(7);
                let heard =
                    [speaker.words(3000), pause(300), tone(hertz, length, 8000.0), pause(1000)];
                let end = 3300 + length;
                let found = over(&heard).expect("a beep");
                assert!((end..=end + 40).contains(&found), "{hertz} {length}: {found} not {end}");
            }
        }
    }

    #[test]
    fn words_are_no_beep_and_a_long_silence_is_as_good_as_one() {
        for seed in 1..30 {
            let mut speaker = Speaker::new(seed);
            assert_eq!(over(&[speaker.words(8000)]), None, "{seed}");
            let found = over(&[speaker.words(2000), pause(4000)]).expect("silence");
            assert!((4200..=4540).contains(&found), "{seed}: {found}");
        }
    }

    #[test]
    fn a_tone_that_does_not_end_is_no_beep() {
        assert_eq!(over(&[tone(425.0, 10_000, 8000.0), pause(500)]), None);
    }
}
