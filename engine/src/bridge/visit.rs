//! One channel's visit to a conference room, from the PIN at the door to the way out.
//!
//! The visit uses the channel's own verbs for what is said at the door and reports the
//! [`RoomEffect`]s of stepping inside. Leaving a room because the call ended is not its business:
//! whoever ends the call calls [`Rooms::leave`].

use std::time::{Duration, Instant};

use bstr::{BStr, BString};
use diesis_sounds::say::{self, Gender, Language};

use super::{Found, KickReason, RoomEffect, Rooms};
use crate::{
    channel::{
        Channel, ChannelId, DigitSet, OtherDigits, Outbox, PlayRequest, ReadDigits, TaskOutcome,
    },
    config::{BridgeProfile, UserProfile},
    media::{Digit, ShardId},
    printable::Printable,
};

/// A visit in progress.
#[derive(Debug)]
pub(crate) struct Visit {
    channel: ChannelId,
    room: BString,
    bridge: BridgeProfile,
    user: UserProfile,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Asking for the PIN; so many tries are left after this one.
    AskingPin { tries_left: u8 },
    /// Reading the PIN; the digit that cut the question short is its first.
    ReadingPin { tries_left: u8, first: Option<Digit> },
    /// Saying why there is no way in.
    Refusing,
    /// Saying who else is there.
    Greeting,
    /// In the room.
    Inside,
    /// Saying why there is no staying.
    SayingGoodbye(KickReason),
    /// Over.
    Over,
}

/// How a visit stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VisitProgress {
    /// Still at the door, or inside.
    Ongoing,
    /// Stepped inside; this is to be done, in order.
    SteppedInside(Vec<RoomEffect>),
    /// Over; the channel is in no room.
    Ended(VisitEnd),
}

/// How a visit ended other than by hanging up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VisitEnd {
    /// Never got in.
    Refused,
    /// The last marked member left.
    EndMarked,
    /// Asked to leave by a command.
    Left,
    /// Left by a key.
    LeftByKey,
    /// An administrator sent it away.
    Kicked,
}

/// What a visit works on.
pub(crate) struct Surroundings<'a> {
    pub(crate) channel: &'a mut Channel,
    pub(crate) rooms: &'a mut Rooms,
    pub(crate) out: &'a mut Outbox,
    pub(crate) now: Instant,
}

impl Visit {
    /// Comes to the door. Without audio there is no way in.
    pub(crate) fn begin(
        room: BString,
        bridge: BridgeProfile,
        user: UserProfile,
        channel: ChannelId,
        around: &mut Surroundings<'_>,
    ) -> (Self, VisitProgress) {
        let mut visit = Self { channel, room, bridge, user, state: State::Over };
        let progress = if around.channel.stream().is_none() {
            VisitProgress::Ended(VisitEnd::Refused)
        } else if visit.user.pin.is_some() {
            visit.ask_pin(PIN_TRIES - 1, "conf-getpin", around)
        } else {
            visit.enter(around)
        };
        (visit, progress)
    }

    /// The room's name.
    pub(crate) fn room(&self) -> &BString {
        &self.room
    }

    /// Whether the channel is in the room and free to do something else in it.
    pub(crate) fn is_inside(&self) -> bool {
        self.state == State::Inside
    }

    /// The channel's task ended.
    pub(crate) fn handle_outcome(
        &mut self,
        outcome: TaskOutcome,
        around: &mut Surroundings<'_>,
    ) -> VisitProgress {
        match self.state.clone() {
            State::AskingPin { tries_left } => {
                let first = match outcome {
                    TaskOutcome::Digit(digit) => Some(digit),
                    _ => None,
                };
                self.read_pin(tries_left, first, around)
            }
            State::ReadingPin { tries_left, first } => match outcome {
                TaskOutcome::Digits { digits, .. } => {
                    let typed: Vec<u8> =
                        first.iter().chain(&digits).map(|digit| digit.as_char() as u8).collect();
                    self.check_pin(&typed, tries_left, around)
                }
                _ => self.over(VisitEnd::Refused),
            },
            State::Refusing => self.over(VisitEnd::Refused),
            State::SayingGoodbye(KickReason::LeaderLeft) => self.over(VisitEnd::EndMarked),
            State::SayingGoodbye(KickReason::ByAdmin) => self.over(VisitEnd::Kicked),
            State::Greeting => {
                self.state = State::Inside;
                VisitProgress::SteppedInside(around.rooms.step_inside(self.channel))
            }
            State::Inside | State::Over => VisitProgress::Ongoing,
        }
    }

    /// The room sends the member away. [`Rooms::leave`] was called.
    pub(crate) fn handle_kick(&mut self, reason: KickReason, around: &mut Surroundings<'_>) {
        self.state = State::SayingGoodbye(reason);
        let said = match reason {
            KickReason::LeaderLeft => "conf-leaderhasleft",
            KickReason::ByAdmin => "conf-kicked",
        };
        self.say(said, around);
    }

    /// Whether this one has the administrator's keys.
    pub(crate) fn is_admin(&self) -> bool {
        self.user.admin
    }

    fn ask_pin(
        &mut self,
        tries_left: u8,
        prompt: &str,
        around: &mut Surroundings<'_>,
    ) -> VisitProgress {
        self.state = State::AskingPin { tries_left };
        let request = PlayRequest {
            stop: DigitSet::ALL,
            others: OtherDigits::Keep,
            ..PlayRequest::named([prompt])
        };
        around.channel.play(request, None, around.now, around.out);
        VisitProgress::Ongoing
    }

    fn read_pin(
        &mut self,
        tries_left: u8,
        first: Option<Digit>,
        around: &mut Surroundings<'_>,
    ) -> VisitProgress {
        self.state = State::ReadingPin { tries_left, first };
        let hash = Digit::from_char('#');
        if first.is_some() && first == hash {
            return self.check_pin(b"", tries_left, around);
        }
        let length = self.user.pin.as_ref().map_or(0, |pin| pin.reveal().len());
        let read = ReadDigits {
            // One more than the PIN has, so that a longer one is not taken for right.
            max: (length + 1).saturating_sub(usize::from(first.is_some())).max(1),
            terminator: hash,
            first: PIN_WAIT,
            between: PIN_WAIT,
        };
        around.channel.read(read, around.now, around.out);
        VisitProgress::Ongoing
    }

    fn check_pin(
        &mut self,
        typed: &[u8],
        tries_left: u8,
        around: &mut Surroundings<'_>,
    ) -> VisitProgress {
        if self.user.pin.as_ref().is_none_or(|pin| pin.reveal() == typed) {
            return self.enter(around);
        }
        match tries_left.checked_sub(1) {
            Some(tries_left) => self.ask_pin(tries_left, "conf-invalidpin", around),
            None => {
                self.state = State::Refusing;
                self.say("conf-invalidpin", around);
                VisitProgress::Ongoing
            }
        }
    }

    fn enter(&mut self, around: &mut Surroundings<'_>) -> VisitProgress {
        let shard = around.channel.stream().map_or(ShardId(0), |(shard, _)| shard);
        let entered =
            around.rooms.enter(self.room.as_ref(), &self.bridge, &self.user, self.channel, shard);
        match entered {
            Ok(found) => {
                self.state = State::Greeting;
                let request =
                    PlayRequest::named(self.greeting(found, around.channel.language.as_ref()));
                around.channel.play(request, None, around.now, around.out);
                VisitProgress::Ongoing
            }
            Err(refusal) => {
                tracing::info!(channel = %self.channel, room = %Printable(&self.room), %refusal, "conference room refused");
                self.state = State::Refusing;
                self.say("conf-locked", around);
                VisitProgress::Ongoing
            }
        }
    }

    fn greeting(&self, found: Found, language: &BStr) -> Vec<BString> {
        if self.user.quiet {
            return Vec::new();
        }
        let mut names: Vec<BString> = Vec::new();
        if self.user.announce_user_count && found.others > 0 {
            names = census(found.others, language);
        }
        if found.others == 0 && self.user.announce_only_user {
            names.push("conf-onlyperson".into());
        }
        if found.waits {
            names.push("conf-waitforleader".into());
        }
        names
    }

    fn say(&self, prompt: &str, around: &mut Surroundings<'_>) {
        around.channel.play(PlayRequest::named([prompt]), None, around.now, around.out);
    }

    fn over(&mut self, end: VisitEnd) -> VisitProgress {
        self.state = State::Over;
        VisitProgress::Ended(end)
    }
}

/// How many others are there, as prompts.
pub(crate) fn census(others: usize, language: &BStr) -> Vec<BString> {
    match others {
        0 => vec!["conf-onlyperson".into()],
        1 => vec!["conf-onlyone".into()],
        others => {
            let mut names: Vec<BString> = vec!["conf-thereare".into()];
            names.extend(count(others, language));
            names.push("conf-otherinparty".into());
            names
        }
    }
}

/// A count as prompts; nothing when it can not be said.
fn count(count: usize, language: &BStr) -> Vec<BString> {
    let language = std::str::from_utf8(language).unwrap_or_default();
    let number = i64::try_from(count).unwrap_or(i64::MAX);
    let names = say::number(number, Gender::default(), Language::from_tag(language));
    names.unwrap_or_default().into_iter().map(BString::from).collect()
}

/// How often the PIN may be tried.
const PIN_TRIES: u8 = 3;

/// How long each digit of the PIN may take.
const PIN_WAIT: Duration = Duration::from_secs(6);

#[cfg(test)]
mod tests;
