//! What callers send: frames of 20 ms, encoded once and shared by all.

use std::f64::consts::TAU;

use diesis_engine::media::{Codec, FRAME, WIDE_FRAME};
use diesis_sounds::{g711, g722};

/// What one caller sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Sound {
    /// Nothing: no packets
    None,
    /// Packets of digital silence
    Silence,
    /// Faint noise, as of a room with nobody in it
    Noise,
    /// A tone of the caller's own
    Tone,
    /// A gliding voice with syllables
    Talk,
}

/// Frames of one sound in one codec, played round and round.
#[derive(Debug)]
pub(super) struct Frames(Vec<Vec<u8>>);

impl Frames {
    /// `None` where nothing is sent. `hertz` and `amplitude` are a tone's.
    pub(super) fn new(sound: Sound, codec: Codec, hertz: u16, amplitude: f64) -> Option<Self> {
        if codec == Codec::Opus {
            // 20 ms of silence, as browsers send it; what else there is would need an encoder.
            return (sound != Sound::None).then(|| Self(vec![vec![0xf8, 0xff, 0xfe]]));
        }
        // A multiple of 50 Hz is whole in every frame.
        let frames = match sound {
            Sound::None => return None,
            Sound::Silence | Sound::Tone => 1,
            Sound::Noise => 50,
            Sound::Talk => 500,
        };
        let rate = if codec == Codec::G722 { 16_000.0 } else { 8000.0 };
        let mut noise = 12_345_u32;
        let mut sample = |n: usize| {
            let time = n as f64 / rate;
            match sound {
                Sound::None | Sound::Silence => 0.0,
                Sound::Tone => amplitude * (TAU * f64::from(hertz) * time).sin(),
                Sound::Noise => {
                    noise = noise.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                    f64::from(noise >> 16 & 63) - 32.0
                }
                Sound::Talk => {
                    let phase =
                        TAU * (140.0 * time - 25.0 / (0.7 * TAU) * (TAU * 0.7 * time).cos());
                    let voice: f64 =
                        (1..12).map(|n| (phase * f64::from(n)).sin() / f64::from(n)).sum();
                    voice * (0.35 + 0.65 * (TAU * 2.1 * time).sin().abs()) * amplitude
                }
            }
        };
        // The state of G.722 at the end of a round is not that of its beginning: a second is.
        let frames = if codec == Codec::G722 { frames.max(50) } else { frames };
        let mut wide = g722::Encoder::new();
        let frames = (0..frames).map(|frame| match codec {
            Codec::G722 => {
                let samples: [i16; WIDE_FRAME] =
                    std::array::from_fn(|n| sample(frame * WIDE_FRAME + n) as i16);
                let mut octets = vec![0; FRAME];
                wide.encode_into(&samples, &mut octets);
                octets
            }
            codec => {
                let samples: [i16; FRAME] =
                    std::array::from_fn(|n| sample(frame * FRAME + n) as i16);
                let mut octets = vec![0; FRAME];
                match codec {
                    Codec::Pcma => g711::encode_alaw_into(&samples, &mut octets),
                    _ => g711::encode_ulaw_into(&samples, &mut octets),
                };
                octets
            }
        });
        Some(Self(frames.collect()))
    }

    /// The frame at a place.
    pub(super) fn frame(&self, place: usize) -> &[u8] {
        &self.0[place % self.0.len()]
    }
}

/// The tone of caller `n`: whole in 20 ms, and so unheard by whoever looks for another one.
pub(super) fn hertz(n: usize) -> u16 {
    // Spread, so that neighbours are far from one another.
    300 + 50 * (n * 23 % TONES) as u16
}

/// How many tones there are to tell callers apart by.
pub(super) const TONES: usize = 60;

/// What one frame of 8 kHz holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Content {
    /// Mean square of the samples.
    pub(super) power: f64,
    /// That part of it that is in one's own tone.
    pub(super) own: f64,
}

impl Content {
    pub(super) fn of(samples: &[i16; FRAME], hertz: u16) -> Self {
        let coefficient = 2.0 * (TAU * f64::from(hertz) / 8000.0).cos();
        let (mut before, mut last, mut squares) = (0.0, 0.0, 0.0);
        for &sample in samples {
            let sample = f64::from(sample);
            squares += sample * sample;
            (before, last) = (last, sample + coefficient * last - before);
        }
        let magnitude = last * last + before * before - coefficient * last * before;
        let frame = FRAME as f64;
        // A tone of amplitude a has a power of a²/2, and a magnitude of (a * N / 2)².
        Self { power: squares / frame, own: magnitude * 2.0 / (frame * frame) }
    }

    pub(super) fn is_loud(self) -> bool {
        self.power > LOUD
    }
}

/// Some -44 dB of full scale: below speech, above a quiet line.
const LOUD: f64 = 200.0 * 200.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(sound: Sound, codec: Codec, hertz: u16) -> [i16; FRAME] {
        let frames = Frames::new(sound, codec, hertz, 4000.0).unwrap();
        let mut samples = [0; FRAME];
        match codec {
            Codec::Pcma => g711::decode_alaw_into(frames.frame(7), &mut samples),
            _ => g711::decode_ulaw_into(frames.frame(7), &mut samples),
        };
        samples
    }

    #[test]
    fn a_tone_is_its_callers_own_and_nobody_elses() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            for n in 0..TONES {
                let samples = heard(Sound::Tone, codec, hertz(n));
                let own = Content::of(&samples, hertz(n));
                assert!(own.is_loud() && own.own > 0.98 * own.power, "{n}: {own:?}");
                let other = Content::of(&samples, hertz(n + 1));
                assert!(other.own < 0.01 * other.power, "{n}: {other:?}");
            }
        }
    }

    #[test]
    fn tones_are_as_many_as_said_and_end_where_others_begin() {
        let all: std::collections::BTreeSet<u16> = (0..TONES).map(hertz).collect();
        assert_eq!((all.len(), all.first(), all.last()), (TONES, Some(&300), Some(&3250)));
        assert_eq!(hertz(3), hertz(3 + TONES));
    }

    #[test]
    fn silence_and_noise_are_quiet_and_a_voice_is_not() {
        for sound in [Sound::Silence, Sound::Noise] {
            assert!(!Content::of(&heard(sound, Codec::Pcmu, 500), 500).is_loud());
        }
        assert!(Content::of(&heard(Sound::Talk, Codec::Pcmu, 500), 500).is_loud());
        assert!(Frames::new(Sound::None, Codec::Pcmu, 500, 1.0).is_none());
        assert_eq!(Frames::new(Sound::Noise, Codec::G722, 500, 1.0).unwrap().frame(60).len(), 160);
    }
}
