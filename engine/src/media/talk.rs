//! Tells when the peer talks, is silent or makes noise, to whoever asked for it.
//!
//! A frame is loud when its mean magnitude reaches a threshold, as Asterisk measures it; it is talk
//! when it is loud and sounds like a voice. Where a peer sends nothing, or says that there is only the
//! noise of its line, there is silence. Nothing is
//! measured on a stream that nobody watches, and nothing is allocated or freed in a frame: a watch
//! brings what it needs and stays until it is taken away.

mod beep;
mod machine;
mod voice;

use std::{collections::VecDeque, time::Duration};

pub use self::machine::{Answerer, Judgement, MachineSettings};
use self::{beep::Beep, machine::Machine, voice::Voice};
use super::{Event, FRAME, StreamId, WatchId, playout::Played};

/// What somebody wants to be told of a stream's sound.
#[derive(Debug)]
pub struct Watch {
    kind: Kind,
    /// From which mean magnitude on a frame is loud.
    threshold: u32,
    /// Asked of loud frames; without it all of them count.
    voice: Option<Voice>,
}

/// What was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed {
    /// There was silence, or noise, as long and as often as was asked; or a beep. Nothing more comes.
    Enough,
    /// The peer began to talk.
    TalkStarted,
    /// The peer has ceased to talk.
    TalkStopped {
        /// How long it talked.
        talked: Duration,
    },
    /// Something was said that is as long as was asked. Nothing more comes.
    Utterance {
        /// How long it was.
        talked: Duration,
    },
    /// Who answered is known. Nothing more comes.
    Judged(Judgement),
}

/// How long what is said has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utterance {
    /// The silence that ends it.
    pub silence: Duration,
    /// It is longer than this.
    pub shortest: Duration,
    /// It is shorter than this, if there is a limit.
    pub longest: Option<Duration>,
    /// For how long it is listened at all.
    pub within: Option<Duration>,
}

#[derive(Debug)]
enum Kind {
    /// Silence, or noise, without a break.
    Lasting {
        sound: Sound,
        wanted: Frames,
        /// How often it is still to come.
        times: u32,
        lasted: Frames,
    },
    /// Talk from its begin to its end, over and over.
    Talk {
        spurt: Spurt,
    },
    Utterance {
        spurt: Spurt,
        wanted: Utterance,
        heard: Frames,
    },
    Machine(Machine),
    Beep(Beep),
    /// What was asked for is known.
    Over,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sound {
    Silence,
    Noise,
}

/// A number of frames.
type Frames = u32;

impl Watch {
    /// Waits until it is silent for `length`, so many times; each time counts anew.
    pub fn silence(length: Duration, times: u32) -> Self {
        Self::lasting(Sound::Silence, length, times)
    }

    /// Waits until it is loud for `length`, so many times.
    pub fn noise(length: Duration, times: u32) -> Self {
        Self::lasting(Sound::Noise, length, times)
    }

    fn lasting(sound: Sound, length: Duration, times: u32) -> Self {
        let kind = Kind::Lasting { sound, wanted: frames(length), times, lasted: 0 };
        Self { kind, threshold: LOUD, voice: None }
    }

    /// Waits for the end of a beep, or for a silence of `silence` where none comes.
    pub fn beep(silence: Duration) -> Self {
        Self { kind: Kind::Beep(Beep::new(silence)), threshold: LOUD, voice: None }
    }

    /// Tells when talk begins, and when it has ended for `silence`. Frames of a lesser mean
    /// magnitude than `threshold` are never talk.
    pub fn talk(silence: Duration, threshold: u32) -> Self {
        let spurt = Spurt::new(silence);
        Self { kind: Kind::Talk { spurt }, threshold, voice: Some(Voice::new()) }
    }

    /// Waits for something that is said.
    pub fn utterance(wanted: Utterance) -> Self {
        let spurt = Spurt::new(wanted.silence);
        let kind = Kind::Utterance { spurt, wanted, heard: 0 };
        Self { kind, threshold: LOUD, voice: Some(Voice::new()) }
    }

    /// Finds out whether a human or a machine has answered.
    pub fn machine(settings: MachineSettings) -> Self {
        let threshold = settings.silence_threshold;
        let kind = Kind::Machine(Machine::new(settings));
        Self { kind, threshold, voice: Some(Voice::new()) }
    }

    /// Takes the next 20 ms of what the peer says.
    fn handle_frame(&mut self, frame: &[i16; FRAME], mean: u32, played: Played) -> Option<Noticed> {
        if matches!(self.kind, Kind::Over) {
            return None;
        }
        // However loud a line is on which nobody speaks by the peer's own word.
        let is_loud = mean >= self.threshold && played != Played::Noise;
        // A voice is told from the noise before it: it hears all.
        let is_voice = self.voice.as_mut().is_none_or(|voice| voice.handle_frame(frame));
        let is_talk = is_loud && is_voice;
        let noticed = match &mut self.kind {
            Kind::Lasting { sound, wanted, times, lasted } => {
                let continues = is_loud == (*sound == Sound::Noise);
                *lasted = if continues { lasted.saturating_add(1) } else { 0 };
                if *lasted < *wanted || !continues {
                    return None;
                }
                *lasted = 0;
                *times = times.saturating_sub(1);
                (*times == 0).then_some(Noticed::Enough)
            }
            Kind::Talk { spurt } => {
                return match spurt.handle_frame(is_talk)? {
                    Edge::Begin => Some(Noticed::TalkStarted),
                    Edge::End { talked } => Some(Noticed::TalkStopped { talked }),
                };
            }
            Kind::Utterance { spurt, wanted, heard } => {
                *heard = heard.saturating_add(1);
                let edge = spurt.handle_frame(is_talk);
                let Some(Edge::End { talked }) = edge else {
                    if wanted.within.is_some_and(|within| *heard > frames(within)) {
                        self.kind = Kind::Over;
                    }
                    return None;
                };
                let fits = talked > wanted.shortest
                    && wanted.longest.is_none_or(|longest| talked < longest)
                    && wanted.within.is_none_or(|within| *heard <= frames(within));
                fits.then_some(Noticed::Utterance { talked })
            }
            Kind::Machine(machine) => machine.handle_frame(is_talk).map(Noticed::Judged),
            Kind::Beep(beep) => {
                beep.handle_frame(frame, is_loud, played).then_some(Noticed::Enough)
            }
            Kind::Over => None,
        };
        if noticed.is_some() {
            self.kind = Kind::Over;
        }
        noticed
    }
}

/// Follows talk from its beginning until there has been silence for some time.
#[derive(Debug)]
struct Spurt {
    silence: Frames,
    state: SpurtState,
}

#[derive(Debug, Clone, Copy)]
enum SpurtState {
    Quiet,
    /// So many frames are over since it began, the last of them without talk.
    Talking {
        lasted: Frames,
        quiet: Frames,
    },
}

/// What one frame changed.
enum Edge {
    Begin,
    End { talked: Duration },
}

impl Spurt {
    fn new(silence: Duration) -> Self {
        Self { silence: frames(silence), state: SpurtState::Quiet }
    }

    fn handle_frame(&mut self, is_talk: bool) -> Option<Edge> {
        match (&mut self.state, is_talk) {
            (SpurtState::Quiet, false) => None,
            (SpurtState::Quiet, true) => {
                self.state = SpurtState::Talking { lasted: 1, quiet: 0 };
                Some(Edge::Begin)
            }
            (SpurtState::Talking { lasted, quiet }, true) => {
                *lasted = lasted.saturating_add(1);
                *quiet = 0;
                None
            }
            (SpurtState::Talking { lasted, quiet }, false) => {
                *lasted = lasted.saturating_add(1);
                *quiet += 1;
                if *quiet < self.silence {
                    return None;
                }
                let talked = duration(*lasted - *quiet);
                self.state = SpurtState::Quiet;
                Some(Edge::End { talked })
            }
        }
    }
}

/// Everybody who watches one stream.
#[derive(Debug, Default)]
pub(crate) struct Watches(Vec<(WatchId, Box<Watch>)>);

impl Watches {
    /// One more; beyond the limit it takes the place of the oldest.
    pub(crate) fn add(&mut self, id: WatchId, watch: Box<Watch>) {
        self.remove(id);
        if self.0.len() >= MOST_WATCHES {
            self.0.remove(0);
        }
        self.0.push((id, watch));
    }

    pub(crate) fn remove(&mut self, id: WatchId) {
        self.0.retain(|(other, _)| *other != id);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the next 20 ms of what the peer says; silence while it sends nothing.
    pub(crate) fn handle_frame(
        &mut self,
        stream: StreamId,
        frame: &[i16; FRAME],
        played: Played,
        events: &mut VecDeque<Event>,
    ) {
        let mean = mean_magnitude(frame);
        for (watch, it) in &mut self.0 {
            if let Some(what) = it.handle_frame(frame, mean, played) {
                events.push_back(Event::Noticed { stream, watch: *watch, what });
            }
        }
    }
}

/// How loud a frame is.
pub(crate) fn mean_magnitude(frame: &[i16]) -> u32 {
    let sum: u32 = frame.iter().map(|sample| u32::from(sample.unsigned_abs())).sum();
    sum / frame.len().max(1) as u32
}

/// Frames until so much time is over.
fn frames(duration: Duration) -> Frames {
    u32::try_from(duration.as_millis().div_ceil(20)).unwrap_or(u32::MAX).max(1)
}

fn duration(frames: Frames) -> Duration {
    Duration::from_millis(20) * frames
}

/// A frame with a lesser mean magnitude is silence: `silencethreshold` of Asterisk's dsp.conf as it
/// is without that file.
pub const LOUD: u32 = 256;

/// Watchers of one stream.
const MOST_WATCHES: usize = 4;

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
