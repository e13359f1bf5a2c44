//! How good a call sounds, estimated from what was measured: the E-model of ITU-T G.107, simplified.
//!
//! R = 93.2 - Id - Ie,eff, where
//!
//! - Id = 0.024 d + 0.11 (d - 177.3) for d above 177.3 ms, else 0.024 d (Cole and Rosenbluth, 2001, for
//!   G.107's curve), with d = half the round trip + twice the jitter, which a playout buffer takes
//!   to even it out, + 20 ms for the packet itself;
//! - Ie,eff = Ie + (95 - Ie) Ppl / (Ppl + Bpl) (G.107 §3.5, random loss), Ppl the loss in per cent,
//!   with Ie = 0 and Bpl = 25.1 for G.711 with concealment (G.113 appendix I). Other codecs are judged
//!   as if they were G.711: what the network did to the call, not what the codec did.
//!
//! The opinion score is G.107 annex B's: 1 + 0.035 R + R (R - 60) (100 - R) 7e-6.

use std::time::Duration;

/// The transmission rating R: 0 for nothing understood, 93 for a perfect narrowband call.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rating(f32);

impl Rating {
    /// Judges one direction. `loss` is a share of 1, `round_trip` zero where it is not known.
    pub fn estimate(loss: f32, jitter: Duration, round_trip: Duration) -> Self {
        let milliseconds = |duration: Duration| duration.as_secs_f32() * 1000.0;
        let delay = milliseconds(round_trip) / 2.0 + 2.0 * milliseconds(jitter) + PACKET_TIME;
        let delay_impairment = 0.024 * delay + 0.11 * (delay - KNEE).max(0.0);
        let percent = loss.clamp(0.0, 1.0) * 100.0;
        let loss_impairment = 95.0 * percent / (percent + ROBUSTNESS);
        Self((BEST - delay_impairment - loss_impairment).clamp(0.0, 100.0))
    }

    /// R.
    pub fn value(self) -> f32 {
        self.0
    }

    /// The mean opinion score one would expect, 1 to 4.5.
    pub fn opinion_score(self) -> f32 {
        let r = self.0;
        (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
    }
}

/// G.107's with all defaults.
const BEST: f32 = 93.2;

/// Milliseconds.
const PACKET_TIME: f32 = 20.0;

/// Milliseconds of delay from which talkers get into each other's way.
const KNEE: f32 = 177.3;

/// Bpl of G.711 with concealment.
const ROBUSTNESS: f32 = 25.1;

#[cfg(test)]
mod tests {
    use super::*;

    fn score(loss: f32, jitter_ms: u64, round_trip_ms: u64) -> f32 {
        let milliseconds = Duration::from_millis;
        let rating = Rating::estimate(loss, milliseconds(jitter_ms), milliseconds(round_trip_ms));
        (rating.opinion_score() * 100.0).round() / 100.0
    }

    #[test]
    fn scores_are_those_of_the_formula() {
        // R = 93.2 - 0.48; by hand 1 + 3.2452 + 92.72 * 32.72 * 7.28 * 7e-6 = 4.40.
        assert_eq!(score(0.0, 0, 0), 4.4);
        // 1 %: Ie,eff = 95 / 26.1 = 3.64, R = 89.08.
        assert_eq!(score(0.01, 0, 0), 4.32);
        // 5 %, 200 ms there and back, 20 ms of jitter: d = 160, R = 93.2 - 3.84 - 15.78 = 73.58.
        assert_eq!(score(0.05, 20, 200), 3.76);
        // 600 ms: d = 320, Id = 7.68 + 15.70, R = 69.82; 1 + 2.444 + 69.82 * 9.82 * 30.18 * 7e-6.
        assert_eq!(score(0.0, 0, 600), 3.59);
        // R = 93.2 - 0.48 - 75.94.
        assert_eq!(score(1.0, 0, 0), 1.16);
    }

    #[test]
    fn nothing_leaves_the_scale() {
        for (loss, jitter, round_trip) in [(2.0, 0, 0), (f32::NAN, 0, 0), (0.0, 1 << 40, 1 << 40)] {
            let score = score(loss, jitter, round_trip);
            assert!((1.0..=4.5).contains(&score), "{loss} {score}");
        }
    }
}
