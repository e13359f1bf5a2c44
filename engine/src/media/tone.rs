//! Call progress tones: frequencies with a cadence, rendered once and shared by all who hear them.
//!
//! The text form is that of `indications.conf` and `PlayTones`: `440+480/2000,0/4000`, a part
//! before the `!` parts end plays once. Tones of countries are in the table at the end.

use std::{sync::Arc, time::Duration};

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
    let wave = |hertz: u16, index: usize| {
        if hertz == 0 {
            return 0.0;
        }
        // Whole hertz repeat every second: the angle stays small, the phase exact.
        let turns = (usize::from(hertz) * index % ONE_SECOND) as f64 / ONE_SECOND as f64;
        (turns * std::f64::consts::TAU).sin()
    };
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

const ONE_SECOND: usize = 8000;

/// Of each of two tones: their sum peaks at half of full scale.
const AMPLITUDE: f64 = 8192.0;

/// Rendering a cadence takes 4 octets a sample.
const LONGEST: Duration = Duration::from_secs(60);
