//! Call progress tones: frequencies with a cadence, rendered once and shared by all who hear them.
//!
//! The text form is that of `indications.conf` and `PlayTones`: `440+480/2000,0/4000`; a part that
//! begins with `!` plays once, before the others repeat. Tones of countries stand in a table at the
//! end.

use std::{sync::Arc, time::Duration};

use diesis_sounds::g711;

use super::{FRAME, Prompt};

/// A cadence: what sounds for how long, then what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToneSpec {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    sound: Sound,
    /// `None`: for ever.
    duration: Option<Duration>,
    play: Play,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sound {
    Silence,
    /// The sum of two tones; the second may be 0 for one alone.
    Sum(u16, u16),
    /// The first tone, its amplitude changing with the second to 90 %.
    Modulated(u16, u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Play {
    Once,
    Repeatedly,
}

/// Why a tone's text can not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToneError {
    /// A part is not `FREQUENCY[+FREQUENCY][/MILLISECONDS]`.
    #[error("{0:?} is not a tone such as 440, 440+480 or 440+480/2000")]
    Syntax(String),
    /// A frequency that 8 kHz audio does not carry.
    #[error("{0} Hz is not below 4000 Hz")]
    Frequency(u32),
    /// Longer than rendering allows.
    #[error("the cadence is longer than {} s", LONGEST.as_secs())]
    TooLong,
    /// Nothing to play.
    #[error("the cadence is empty")]
    Empty,
}

impl ToneSpec {
    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, ToneError> {
        let mut parts = vec![];
        for field in text.split(',').map(str::trim).filter(|field| !field.is_empty()) {
            parts.push(parse_part(field)?);
        }
        let total: Duration = parts.iter().filter_map(|part| part.duration).sum();
        match parts.is_empty() {
            true => Err(ToneError::Empty),
            false if total > LONGEST => Err(ToneError::TooLong),
            false => Ok(Self { parts }),
        }
    }
}

/// What a call progress tone says (ITU-T E.180).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Indication {
    /// Digits may be dialled.
    Dial,
    /// The called party is being rung.
    Ringback,
    /// The called party is busy.
    Busy,
    /// The network has no path.
    Congestion,
    /// A recorded announcement follows.
    Information,
    /// Another call waits.
    CallWaiting,
}

impl Indication {
    /// Reads a name of `indications.conf`: `dial`, `ring`, `busy`, `congestion`, `info`,
    /// `callwaiting`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "dial" => Self::Dial,
            "ring" => Self::Ringback,
            "busy" => Self::Busy,
            "congestion" => Self::Congestion,
            "info" => Self::Information,
            "callwaiting" => Self::CallWaiting,
            _ => return None,
        })
    }

    /// The tone of a country, by its lower-case code as in `indications.conf` (`us`, `uk`, `fr`);
    /// `None` for countries that are not in the table.
    pub fn in_zone(self, zone: &str) -> Option<ToneSpec> {
        let (_, tones) = ZONES.iter().find(|(code, _)| *code == zone)?;
        ToneSpec::parse(tones[self as usize]).ok()
    }
}

fn parse_part(field: &str) -> Result<Part, ToneError> {
    let syntax = || ToneError::Syntax(field.to_owned());
    let (play, body) = match field.strip_prefix('!') {
        Some(body) => (Play::Once, body),
        None => (Play::Repeatedly, field),
    };
    let (sound, duration) = match body.split_once('/') {
        Some((sound, milliseconds)) => (sound, milliseconds.trim().parse().map_err(|_| syntax())?),
        None => (body, 0_u32),
    };
    let frequency = |text: &str| -> Result<u16, ToneError> {
        let hertz: u32 = text.trim().parse().map_err(|_| syntax())?;
        u16::try_from(hertz).ok().filter(|&hertz| hertz < 4000).ok_or(ToneError::Frequency(hertz))
    };
    let sound = if let Some((first, second)) = sound.split_once('+') {
        Sound::Sum(frequency(first)?, frequency(second)?)
    } else if let Some((first, second)) = sound.split_once('*') {
        Sound::Modulated(frequency(first)?, frequency(second)?)
    } else {
        match frequency(sound)? {
            0 => Sound::Silence,
            hertz => Sound::Sum(hertz, 0),
        }
    };
    let duration = (duration > 0).then(|| Duration::from_millis(duration.into()));
    Ok(Part { sound, duration, play })
}

/// A rendered cadence. Immutable; shared by `Arc`.
#[derive(Debug)]
pub struct Tone {
    lead: Option<Arc<Prompt>>,
    cycle: Option<Arc<Prompt>>,
}

impl Tone {
    /// Renders a cadence. Work for a loading thread, not for a tick.
    pub fn render(spec: &ToneSpec) -> Self {
        let mut lead = vec![];
        let mut cycle = vec![];
        for part in &spec.parts {
            // A part without an end makes what follows unreachable.
            let samples = part.duration.map_or(ONE_SECOND, |d| (d.as_millis() * 8) as usize);
            let forever = part.duration.is_none();
            if forever && !cycle.is_empty() {
                lead.append(&mut cycle);
            }
            let target = match part.play {
                Play::Once if !forever => &mut lead,
                _ => &mut cycle,
            };
            render_part(part.sound, samples, target);
            if forever {
                break;
            }
        }
        Self::from_parts(lead, cycle)
    }

    /// The test tone of `Milliwatt`: 1004 Hz at 0 dBm0.
    pub fn milliwatt() -> Self {
        let samples = (0..ONE_SECOND).map(|n| (MILLIWATT * wave(1004, n)).round() as i16);
        Self::from_parts(vec![], samples.collect())
    }

    /// The digital milliwatt of ITU-T G.711 table 6: 1000 Hz at 0 dBm0, its eight octets exact in
    /// µ-law.
    pub fn digital_milliwatt() -> Self {
        const OCTETS: [u8; 8] = [0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e];
        let samples = OCTETS.iter().cycle().take(FRAME).map(|&octet| g711::decode_ulaw(octet));
        Self::from_parts(vec![], samples.collect())
    }

    fn from_parts(lead: Vec<i16>, mut cycle: Vec<i16>) -> Self {
        // A cycle that ends inside a frame is laid out until it ends with one.
        let once = cycle.len();
        while once > 0 && !cycle.len().is_multiple_of(FRAME) {
            cycle.extend_from_within(..once);
        }
        let prompt = |samples: Vec<i16>| {
            (!samples.is_empty()).then(|| Arc::new(Prompt::from_samples(&samples)))
        };
        Self { lead: prompt(lead), cycle: prompt(cycle) }
    }

    /// What plays first, once.
    pub fn lead(&self) -> Option<&Arc<Prompt>> {
        self.lead.as_ref()
    }

    /// What then repeats until stopped; whole frames.
    pub fn cycle(&self) -> Option<&Arc<Prompt>> {
        self.cycle.as_ref()
    }
}

/// A second of two tones, which repeats without a seam.
pub(crate) fn one_second(first: u16, second: u16) -> Prompt {
    let mut samples = vec![];
    render_part(Sound::Sum(first, second), ONE_SECOND, &mut samples);
    Prompt::from_samples(&samples)
}

fn render_part(sound: Sound, samples: usize, out: &mut Vec<i16>) {
    out.extend((0..samples).map(|index| {
        let value = match sound {
            Sound::Silence => 0.0,
            Sound::Sum(first, second) => AMPLITUDE * (wave(first, index) + wave(second, index)),
            Sound::Modulated(first, second) => {
                AMPLITUDE * wave(first, index) * (1.0 + 0.9 * wave(second, index)) / 1.9
            }
        };
        value.round() as i16
    }));
}

fn wave(hertz: u16, index: usize) -> f64 {
    // Whole hertz repeat every second: the angle stays small, the phase exact.
    let turns = (usize::from(hertz) * index % ONE_SECOND) as f64 / ONE_SECOND as f64;
    (turns * std::f64::consts::TAU).sin()
}

const ONE_SECOND: usize = 8000;

/// Of each of two tones: about -10 dBm0, what Asterisk plays tones at.
const AMPLITUDE: f64 = 7219.0;

/// Of a sine wave at 0 dBm0 in µ-law.
const MILLIWATT: f64 = 23_255.0;

/// Rendering a cadence takes 4 octets a sample.
const LONGEST: Duration = Duration::from_secs(60);

/// ITU-T E.180 supplement 2, by the order of `Indication`: dial, ring, busy, congestion, info,
/// call waiting.
const ZONES: [(&str, [&str; 6]); 10] = [
    (
        "us",
        [
            "350+440",
            "440+480/2000,0/4000",
            "480+620/500,0/500",
            "480+620/250,0/250",
            "!950/330,!1400/330,!1800/330,0",
            "440/300,0/10000",
        ],
    ),
    (
        "uk",
        [
            "350+440",
            "400+450/400,0/200,400+450/400,0/2000",
            "400/375,0/375",
            "400/400,0/350,400/225,0/525",
            "950/330,0/15,1400/330,0/15,1800/330,0/1000",
            "400/100,0/4000",
        ],
    ),
    (
        "fr",
        [
            "440",
            "440/1500,0/3500",
            "440/500,0/500",
            "440/250,0/250",
            "!950/330,!1400/330,!1800/330,0",
            "440/300,0/10000",
        ],
    ),
    (
        "de",
        [
            "425",
            "425/1000,0/4000",
            "425/480,0/480",
            "425/240,0/240",
            "950/330,0/200,1400/330,0/200,1800/330,0/1000",
            "!425/200,!0/200,!425/200,!0/5000,!425/200,!0/200,!425/200,0",
        ],
    ),
    (
        "ch",
        [
            "425",
            "425/1000,0/4000",
            "425/500,0/500",
            "425/200,0/200",
            "950/330,1400/330,1800/330,0/1000",
            "425/200,0/200,425/200,0/4000",
        ],
    ),
    (
        "be",
        [
            "425",
            "425/1000,0/3000",
            "425/500,0/500",
            "425/167,0/167",
            "900/330,1400/330,1800/330,0/1000",
            "1400/175,0/175,1400/175,0/3500",
        ],
    ),
    (
        "es",
        [
            "425",
            "425/1500,0/3000",
            "425/200,0/200",
            "425/200,0/200,425/200,0/200,425/200,0/600",
            "950/330,0/1000",
            "425/175,0/175,425/175,0/3500",
        ],
    ),
    (
        "it",
        [
            "425/200,0/200,425/600,0/1000",
            "425/1000,0/4000",
            "425/500,0/500",
            "425/200,0/200",
            "!950/330,!1400/330,!1800/330,0",
            "425/400,0/100,425/250,0/100,425/150,0/14000",
        ],
    ),
    (
        "nl",
        [
            "425",
            "425/1000,0/4000",
            "425/500,0/500",
            "425/250,0/250",
            "950/330,1400/330,1800/330,0/1000",
            "425/500,0/9500",
        ],
    ),
    (
        "at",
        [
            "420",
            "420/1000,0/5000",
            "420/400,0/400",
            "420/200,0/200",
            "950/330,1400/330,1800/330,0/1000",
            "420/40,0/1960",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Law;

    fn render(text: &str) -> Tone {
        Tone::render(&ToneSpec::parse(text).unwrap())
    }

    /// Amplitude of one frequency in a stretch of samples.
    fn amplitude(samples: &[i16], hertz: f64) -> f64 {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (n, &sample) in samples.iter().enumerate() {
            let angle = std::f64::consts::TAU * hertz * n as f64 / 8000.0;
            real += f64::from(sample) * angle.cos();
            imaginary += f64::from(sample) * angle.sin();
        }
        2.0 * real.hypot(imaginary) / samples.len() as f64
    }

    #[test]
    fn a_cadence_sounds_and_rests_for_as_long_as_it_says() {
        let tone = render("440+480/2000,0/4000");
        let cycle = tone.cycle().unwrap().samples();
        assert!(tone.lead().is_none());
        assert_eq!(cycle.len(), 48_000);
        for hertz in [440.0, 480.0] {
            assert!((amplitude(&cycle[..16_000], hertz) - AMPLITUDE).abs() < 20.0);
        }
        assert!(cycle[16_000..].iter().all(|&sample| sample == 0));
    }

    #[test]
    fn a_cycle_ends_with_a_frame_and_has_no_seam() {
        for text in ["425/167,0/167", "400/375,0/375", "440", "350*440", "1/1"] {
            let tone = render(text);
            let cycle = tone.cycle().unwrap();
            assert_eq!(cycle.samples().len() % FRAME, 0, "{text}");
        }
        let cycle = render("425");
        let samples = cycle.cycle().unwrap().samples();
        let round: Vec<i16> = samples[4000..].iter().chain(&samples[..4000]).copied().collect();
        assert!((amplitude(&round, 425.0) - AMPLITUDE).abs() < 5.0);
    }

    #[test]
    fn what_plays_once_comes_first_and_what_never_ends_comes_last() {
        let tone = render("!950/330,!1400/330,!1800/330,0");
        assert_eq!(tone.lead().unwrap().samples().len(), 3 * 2640);
        assert!(tone.cycle().unwrap().samples().iter().all(|&sample| sample == 0));
        let tone = render("440/100,0/100,480,620/100");
        assert_eq!(tone.lead().unwrap().samples().len(), 1600);
        assert!(amplitude(tone.cycle().unwrap().samples(), 480.0) > 7000.0);
    }

    #[test]
    fn what_is_no_tone_is_refused_with_its_text() {
        assert_eq!(ToneSpec::parse("440+x"), Err(ToneError::Syntax("440+x".into())));
        assert_eq!(ToneSpec::parse("440/-1"), Err(ToneError::Syntax("440/-1".into())));
        assert_eq!(ToneSpec::parse("5000"), Err(ToneError::Frequency(5000)));
        assert_eq!(ToneSpec::parse(" , "), Err(ToneError::Empty));
        assert_eq!(ToneSpec::parse("440/60001"), Err(ToneError::TooLong));
        assert!(ToneSpec::parse("440/99999999999").is_err());
    }

    #[test]
    fn every_zone_has_all_its_tones() {
        for (zone, _) in ZONES {
            for name in ["dial", "ring", "busy", "congestion", "info", "callwaiting"] {
                let indication = Indication::parse(name).unwrap();
                assert!(indication.in_zone(zone).is_some(), "{zone} {name}");
            }
        }
        assert_eq!(Indication::Busy.in_zone("xx"), None);
        assert_eq!(Indication::Ringback.in_zone("fr"), ToneSpec::parse("440/1500,0/3500").ok());
    }

    #[test]
    fn the_milliwatt_has_its_level_and_its_octets() {
        let tone = Tone::milliwatt();
        assert!((amplitude(tone.cycle().unwrap().samples(), 1004.0) - MILLIWATT).abs() < 5.0);
        let tone = Tone::digital_milliwatt();
        let frame = tone.cycle().unwrap().frame(0, Law::Mu).unwrap();
        assert_eq!(frame[..8], [0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e]);
    }
}
