//! Tells the beep of an answering machine from speaker: one tone that keeps its height.
//!
//! The samples of a single tone follow each other by `x[n+1] + x[n-1] = 2 cos(w) x[n]`. What is left
//! of that in a frame, and how much `w` moves from frame to frame, tells a tone from a voice, whose
//! vowels are many tones and glide.

use std::time::Duration;

use super::{Frames, frames};
use crate::media::{FRAME, playout::Played};

/// Waits for the end of a beep.
#[derive(Debug)]
pub(super) struct Beep {
    /// A machine that has been silent for so long has spoken.
    silence: Frames,
    quiet: Frames,
    /// What sounds.
    tone: Option<Tone>,
    /// What the frame before was.
    before: Played,
}

#[derive(Debug, Clone, Copy)]
struct Tone {
    hertz: f32,
    lasted: Frames,
    /// Frames since then in which one can not tell: their packets were lost.
    gap: Frames,
}

impl Beep {
    pub(super) fn new(silence: Duration) -> Self {
        Self { silence: frames(silence), quiet: 0, tone: None, before: Played::Nothing }
    }

    /// Takes the next 20 ms; `true` once a beep has ended, or it was silent for long.
    pub(super) fn handle_frame(
        &mut self,
        frame: &[i16; FRAME],
        is_loud: bool,
        played: Played,
    ) -> bool {
        self.quiet = if is_loud { 0 } else { self.quiet.saturating_add(1) };
        let before = std::mem::replace(&mut self.before, played);
        let is_gap = match played {
            Played::Concealed => true,
            // What is invented fades, and the gap goes on.
            Played::Nothing => self.tone.is_some_and(|tone| tone.gap > 0),
            // The sound behind a gap is blended with what was invented.
            Played::Audio => is_loud && before != Played::Audio,
            Played::Noise => false,
        };
        let hertz = if is_loud && played == Played::Audio { hertz(frame) } else { None };
        let ended = match (self.tone, hertz) {
            (Some(tone), Some(hertz)) if (hertz - tone.hertz).abs() < STEADY => {
                let lasted = tone.lasted.saturating_add(tone.gap + 1);
                self.tone = Some(Tone { lasted, gap: 0, ..tone });
                None
            }
            // It goes on behind the gap, or does not.
            (Some(tone), _) if is_gap && tone.gap < LONGEST_GAP => {
                self.tone = Some(Tone { gap: tone.gap + 1, ..tone });
                None
            }
            (tone, hertz) => {
                self.tone = hertz.map(|hertz| Tone { hertz, lasted: 1, gap: 0 });
                tone
            }
        };
        // A dial tone does not end, and what goes on for long is music or a line that is dead.
        let has_ended = ended.is_some_and(|tone| (SHORTEST..=LONGEST).contains(&tone.lasted));
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
/// 160 ms: two packets of 60 ms and what is blended.
const LONGEST_GAP: Frames = 8;

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
        let at = all.iter().position(|frame| {
            beep.handle_frame(frame, mean_magnitude(frame) >= LOUD, Played::Audio)
        })?;
        Some(at * 20)
    }

    /// A tone of 600 ms, of whose frames these are lost and something else is heard in their place.
    #[test]
    fn a_beep_goes_on_behind_a_gap_and_ends_in_one_that_is_long() {
        let lost = |lost: std::ops::Range<usize>, length| {
            let mut beep = Beep::new(Duration::from_millis(2500));
            let sound = [tone(800.0, length, 8000.0), pause(1000)].concat();
            let (frames, _) = sound.as_chunks::<FRAME>();
            frames.iter().enumerate().position(|(at, frame)| {
                let played = if lost.contains(&at) { Played::Concealed } else { Played::Audio };
                let frame = if played == Played::Audio { frame } else { &[0; FRAME] };
                let is_loud = mean_magnitude(frame) >= LOUD;
                beep.handle_frame(frame, is_loud, played)
            })
        };
        for gap in [0..0, 8..11, 8..14, 3..6, 27..30] {
            assert_eq!(lost(gap.clone(), 600), Some(30), "{gap:?}");
        }
        assert_eq!(lost(8..25, 600), Some(16), "nobody knows whether it is the same");
        assert_eq!(lost(30..33, 600), Some(33), "the end is not heard");
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
