//! What the calls are made of: who sends what, and what has to come back.

use std::time::Duration;

use clap::ValueEnum;
use diesis_engine::media::{Codec, Digit};

use super::{
    listener::Heard,
    sound::{Sound, TONES},
    target::Target,
};

/// What callers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Listen to what is played
    Playback,
    /// Send a tone each, and expect it back
    Echo,
    /// Sit in conference rooms, some or all sending a tone
    Conference,
    /// Press keys after the answer, and expect to be hung up on
    Menu,
    /// Register phones, without any call
    Register,
}

impl Workload {
    /// Calls that come and go at a rate, rather than being held.
    pub(super) fn is_a_flow(self) -> bool {
        matches!(self, Self::Menu | Self::Register)
    }
}

/// Everything that a caller has to know.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) workload: Workload,
    pub(super) target: Target,
    /// The name that calls come from, and that it proves with the password.
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) codec: Codec,
    /// What talkers of a conference speak instead.
    pub(super) talker_codec: Codec,
    /// What callers send; in a conference what its talkers do.
    pub(super) send: Sound,
    /// What the others of a conference send.
    pub(super) rest: Sound,
    /// Seats of one room; `None`: all sit in one.
    pub(super) room_size: Option<usize>,
    /// Talkers of a room.
    pub(super) talkers: usize,
    pub(super) keys: Vec<Digit>,
    /// From the answer to the first key.
    pub(super) keys_after: Duration,
    /// From the last key to the other side's BYE.
    pub(super) patience: Duration,
    /// How many phones there are to register.
    pub(super) phones: usize,
    /// How long a registration is asked for.
    pub(super) expires: u32,
}

/// What a caller's place makes of him.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) sound: Sound,
    pub(super) codec: Codec,
    /// How many others speak in his room.
    pub(super) others: usize,
    pub(super) place: usize,
}

impl Task {
    /// What the caller of a seat does.
    pub(super) fn part(&self, seat: usize, seats: usize) -> Part {
        let codec = self.codec;
        if self.workload != Workload::Conference {
            return Part { sound: self.send, codec, others: 0, place: seat };
        }
        let size = self.room_size.unwrap_or(seats).max(1);
        let first = seat / size * size;
        let place = seat - first;
        let talkers = self.talkers.min(size.min(seats - first));
        match place < talkers {
            true => {
                let codec = self.talker_codec;
                Part { sound: self.send, codec, others: talkers - 1, place }
            }
            false => Part { sound: self.rest, codec, others: talkers, place },
        }
    }

    /// The number that a seat calls: the rooms of a conference are numbered behind the user.
    pub(super) fn number(&self, seat: usize) -> String {
        match self.room_size {
            Some(size) if self.workload == Workload::Conference => {
                format!("{}{:04}", self.target.user, seat / size)
            }
            _ => self.target.user.clone(),
        }
    }

    /// How loud a tone is: no room's sum is to be clipped.
    pub(super) fn amplitude(&self) -> f64 {
        match self.workload {
            Workload::Conference => (28_000.0 / self.talkers.max(1) as f64).clamp(300.0, 4000.0),
            _ => 4000.0,
        }
    }

    /// What is wrong with what a caller heard in so much time; `None`: nothing.
    pub(super) fn fault(&self, part: Part, heard: Heard, time: Duration) -> Option<Fault> {
        if heard.received == 0 {
            return Some(Fault::NoMedia);
        }
        let is_decoded = part.codec.law().is_some();
        let sends_tone = part.sound == Sound::Tone && is_decoded;
        let meant = (time.as_millis() / 20) as u64;
        match self.workload {
            Workload::Echo if sends_tone => {
                if heard.loud * 2 < meant {
                    return Some(Fault::Silent);
                }
                (heard.own * 10 < heard.loud * 9).then_some(Fault::ForeignSound)
            }
            Workload::Conference => {
                let speaks = matches!(self.send, Sound::Tone | Sound::Talk);
                if part.others > 0 && speaks && heard.loud < LEAST_LOUD.min(meant / 2) {
                    return Some(Fault::Silent);
                }
                // Tones repeat from the number on that there are.
                let hears_himself = (heard.own + heard.own_among_others) * 2 > heard.loud;
                let is_alone_with_it = sends_tone && self.talkers <= TONES;
                (is_alone_with_it && heard.loud > 0 && hears_himself).then_some(Fault::OwnSound)
            }
            Workload::Playback | Workload::Echo => {
                let speaks = self.workload == Workload::Playback
                    || matches!(part.sound, Sound::Talk | Sound::Tone);
                (speaks && heard.loud < LEAST_LOUD.min(meant / 2)).then_some(Fault::Silent)
            }
            Workload::Menu | Workload::Register => None,
        }
    }
}

/// What is wrong with a call that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// No packet came.
    NoMedia,
    /// Packets came, and no sound in them.
    Silent,
    /// An echo was not of what was sent.
    ForeignSound,
    /// In a conference one heard oneself.
    OwnSound,
    /// Hung up on while the call was to be held.
    HungUpOn,
    /// A menu did not hang up after the keys.
    NoReaction,
    /// A menu hung up before the keys.
    TooEarly,
    /// The other side takes no telephone events, so that nothing can be pressed.
    NoKeys,
    /// The answer's description can not be used.
    NoAgreement,
}

impl Fault {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NoMedia => "no packet came",
            Self::Silent => "nothing was to be heard",
            Self::ForeignSound => "another sound came back",
            Self::OwnSound => "a talker heard himself",
            Self::HungUpOn => "hung up on",
            Self::NoReaction => "not hung up on after the keys",
            Self::TooEarly => "hung up on before the keys",
            Self::NoKeys => "telephone events are not taken",
            Self::NoAgreement => "an answer that can not be used",
        }
    }
}

/// Loud frames that show that something is played: speech has pauses.
const LEAST_LOUD: u64 = 5;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn task(workload: Workload) -> Task {
        let conference = workload == Workload::Conference;
        Task {
            workload,
            target: Target::parse("1000@127.0.0.1:5060").unwrap(),
            user: "load".into(),
            password: None,
            codec: Codec::Pcmu,
            talker_codec: Codec::Pcmu,
            send: if conference || workload == Workload::Echo { Sound::Tone } else { Sound::None },
            rest: Sound::Noise,
            room_size: None,
            talkers: 3,
            keys: vec![Digit::from_char('1').unwrap()],
            keys_after: Duration::from_secs(1),
            patience: Duration::from_secs(5),
            phones: 10,
            expires: 3600,
        }
    }

    #[test]
    fn rooms_have_their_talkers_first_and_their_numbers_behind_the_users() {
        let mut task = task(Workload::Conference);
        task.talker_codec = Codec::Pcma;
        task.room_size = Some(5);
        let parts: Vec<_> = (0..12).map(|seat| task.part(seat, 12)).collect();
        let talk = |part: &Part| part.sound == Sound::Tone && part.codec == Codec::Pcma;
        let who: Vec<bool> = parts.iter().map(talk).collect();
        assert_eq!(who[..6], [true, true, true, false, false, true]);
        assert_eq!((parts[0].others, parts[3].others, parts[11].others), (2, 3, 1));
        assert_eq!((&*task.number(4), &*task.number(5)), ("10000000", "10000001"));
        task.room_size = None;
        assert_eq!(task.number(5), "1000");
        assert_eq!(task.part(3, 12).sound, Sound::Noise);
    }

    #[test]
    fn an_echo_has_to_be_ones_own_tone() {
        let task = task(Workload::Echo);
        let part = task.part(0, 1);
        let second = Duration::from_secs(1);
        let heard = |loud, own| Heard { received: 50, loud, own, ..Heard::default() };
        assert_eq!(task.fault(part, heard(50, 50), second), None);
        assert_eq!(task.fault(part, heard(20, 20), second), Some(Fault::Silent));
        assert_eq!(task.fault(part, heard(50, 40), second), Some(Fault::ForeignSound));
        assert_eq!(task.fault(part, Heard::default(), second), Some(Fault::NoMedia));
    }

    #[test]
    fn a_talker_must_not_hear_himself_and_a_listener_must_hear_somebody() {
        let task = task(Workload::Conference);
        let second = Duration::from_secs(1);
        let heard = |loud, own_among_others| Heard {
            received: 50,
            loud,
            own_among_others,
            ..Heard::default()
        };
        let talker = task.part(0, 10);
        assert_eq!(task.fault(talker, heard(50, 0), second), None);
        assert_eq!(task.fault(talker, heard(50, 50), second), Some(Fault::OwnSound));
        let listener = task.part(9, 10);
        assert_eq!(task.fault(listener, heard(50, 50), second), None);
        assert_eq!(task.fault(listener, heard(0, 0), second), Some(Fault::Silent));
        let alone = task.part(0, 1);
        assert_eq!(task.fault(alone, heard(0, 0), second), None);
    }
}
