//! One channel's visit to a conference room, from the PIN at the door to the way out.
//!
//! The visit uses the channel's own verbs for what is said at the door and reports the
//! [`RoomEffect`]s of stepping inside. Leaving a room because the call ended is not its business:
//! whoever ends the call calls [`Rooms::leave`].

mod name;

use std::time::{Duration, Instant};

use bstr::{BStr, BString};

use super::{Found, KickReason, RoomEffect, Rooms, SpokenName, census};
use crate::{
    channel::{
        Channel, ChannelId, DigitSet, OtherDigits, Outbox, PlayRequest, ReadDigits, TaskOutcome,
    },
    config::{BridgeProfile, NameAnnouncement, RoomSound, UserProfile},
    media::{Digit, ShardId},
    printable::Printable,
};
use name::NameTap;

/// A visit in progress.
#[derive(Debug)]
pub(crate) struct Visit {
    channel: ChannelId,
    room: BString,
    bridge: BridgeProfile,
    user: UserProfile,
    /// What it said it is called.
    name: Option<SpokenName>,
    /// Until when it may stay.
    until: Option<Instant>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Asking for the PIN; so many tries are left after this one.
    AskingPin { tries_left: u8 },
    /// Reading the PIN; the digit that cut the question short is its first.
    ReadingPin { tries_left: u8, first: Option<Digit> },
    /// Asking for the name.
    AskingName,
    /// Hearing it.
    HearingName(NameTap),
    /// Offering to hear it again, or to say it again; so many offers are left after this one.
    OfferingName { offers_left: u8 },
    /// Waiting for the key.
    ChoosingName { offers_left: u8 },
    /// Saying why there is no way in.
    Refusing,
    /// Saying who else is there.
    Greeting,
    /// In the room.
    Inside,
    /// Busy elsewhere; why it has to leave when it comes back, if it has to.
    Away(Option<KickReason>),
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
    /// It stayed as long as it may.
    TimedOut,
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
        let (name, until, state) = (None, None, State::Over);
        let mut visit = Self { channel, room, bridge, user, name, until, state };
        let progress = if around.channel.stream().is_none() {
            VisitProgress::Ended(VisitEnd::Refused)
        } else if visit.user.pin.is_some() {
            visit.ask_pin(PIN_TRIES - 1, RoomSound::GetPin, around)
        } else {
            visit.prepare(around)
        };
        (visit, progress)
    }

    /// The room's name.
    pub(crate) fn room(&self) -> &BString {
        &self.room
    }

    /// Whether the channel is in the room and free to do something else in it.
    pub(crate) fn is_inside(&self) -> bool {
        matches!(self.state, State::Inside)
    }

    /// Whether the outcomes of the channel's tasks are the visit's.
    pub(crate) fn takes_outcomes(&self) -> bool {
        !matches!(self.state, State::Inside | State::Away(_) | State::Over)
    }

    /// Leaves the mix to do something else, and will be [back](Self::step_back).
    pub(crate) fn step_out(&mut self) {
        self.state = State::Away(None);
    }

    /// Is back; why it has to leave, if that came about meanwhile.
    pub(crate) fn step_back(&mut self) -> Option<KickReason> {
        match std::mem::replace(&mut self.state, State::Inside) {
            State::Away(reason) => reason,
            _ => None,
        }
    }

    /// Whether it is away. Then `reason` is why it has to leave when it comes back.
    pub(crate) fn leaves_later(&mut self, reason: KickReason) -> bool {
        let State::Away(leaves) = &mut self.state else { return false };
        *leaves = Some(reason);
        true
    }

    /// Whether it is away.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self.state, State::Away(_))
    }

    /// What it is treated by.
    pub(crate) fn user(&self) -> &UserProfile {
        &self.user
    }

    /// What is said to it on this occasion; nothing when it is to be quiet.
    pub(crate) fn sound(&self, sound: RoomSound) -> Vec<BString> {
        let mut sounds = vec![self.bridge.sounds.of(sound)];
        sounds.retain(|name| !name.is_empty());
        sounds
    }

    /// How many others there are, as it is said to it.
    pub(crate) fn census(&self, others: usize, language: &BStr) -> Vec<BString> {
        census(others, language, &self.bridge.sounds)
    }

    /// When its time in the room is up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// Whether its time in the room is up; said once.
    pub(crate) fn is_late(&mut self, now: Instant) -> bool {
        self.until.take_if(|until| *until <= now).is_some()
    }

    /// The channel's task ended.
    pub(crate) fn handle_outcome(
        &mut self,
        outcome: TaskOutcome,
        around: &mut Surroundings<'_>,
    ) -> VisitProgress {
        let digit = match outcome {
            TaskOutcome::Digit(digit) => Some(digit),
            _ => None,
        };
        match std::mem::replace(&mut self.state, State::Over) {
            State::AskingPin { tries_left } => self.read_pin(tries_left, digit, around),
            State::ReadingPin { tries_left, first } => match outcome {
                TaskOutcome::Digits { digits, .. } => {
                    let typed: Vec<u8> =
                        first.iter().chain(&digits).map(|digit| digit.as_char() as u8).collect();
                    self.check_pin(&typed, tries_left, around)
                }
                _ => self.over(VisitEnd::Refused),
            },
            State::AskingName => self.hear_name(around),
            State::HearingName(tap) => self.take_name(tap, around),
            State::OfferingName { offers_left } | State::ChoosingName { offers_left }
                if digit.is_some() =>
            {
                self.choose_name(digit.map(Digit::as_char), offers_left, around)
            }
            State::OfferingName { offers_left } => {
                self.state = State::ChoosingName { offers_left };
                around.channel.wait_digit(Some(CHOICE), around.now, around.out);
                VisitProgress::Ongoing
            }
            State::ChoosingName { offers_left } => match offers_left.checked_sub(1) {
                Some(offers_left) => self.offer_name(vec![], offers_left, around),
                None => self.enter(around),
            },
            State::Refusing => self.over(VisitEnd::Refused),
            State::SayingGoodbye(KickReason::LeaderLeft) => self.over(VisitEnd::EndMarked),
            State::SayingGoodbye(KickReason::ByAdmin) => self.over(VisitEnd::Kicked),
            State::SayingGoodbye(KickReason::TimeIsUp) => self.over(VisitEnd::TimedOut),
            State::Greeting => {
                self.state = State::Inside;
                self.until = self.user.timeout.and_then(|time| around.now.checked_add(time));
                let effects = around.rooms.step_inside(self.channel, self.name.clone());
                VisitProgress::SteppedInside(effects)
            }
            state @ (State::Inside | State::Away(_) | State::Over) => {
                self.state = state;
                VisitProgress::Ongoing
            }
        }
    }

    /// The room sends the member away. [`Rooms::leave`] was called.
    pub(crate) fn handle_kick(&mut self, reason: KickReason, around: &mut Surroundings<'_>) {
        self.state = State::SayingGoodbye(reason);
        let said = match reason {
            KickReason::LeaderLeft => self.sound(RoomSound::LeaderHasLeft),
            KickReason::ByAdmin => self.sound(RoomSound::Kicked),
            KickReason::TimeIsUp => vec![],
        };
        self.say(if self.user.quiet { vec![] } else { said }, around);
    }

    /// Whether this one has the administrator's keys.
    pub(crate) fn is_admin(&self) -> bool {
        self.user.admin
    }

    fn ask_pin(
        &mut self,
        tries_left: u8,
        prompt: RoomSound,
        around: &mut Surroundings<'_>,
    ) -> VisitProgress {
        self.state = State::AskingPin { tries_left };
        let request = PlayRequest {
            stop: DigitSet::ALL,
            others: OtherDigits::Keep,
            ..PlayRequest::named(self.sound(prompt))
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
            return self.prepare(around);
        }
        match tries_left.checked_sub(1) {
            Some(tries_left) => self.ask_pin(tries_left, RoomSound::InvalidPin, around),
            None => self.refuse(RoomSound::InvalidPin, around),
        }
    }

    fn refuse(&mut self, why: RoomSound, around: &mut Surroundings<'_>) -> VisitProgress {
        self.state = State::Refusing;
        self.say(self.sound(why), around);
        VisitProgress::Ongoing
    }

    /// May come in: asks for the name first, if that will be said to the others.
    fn prepare(&mut self, around: &mut Surroundings<'_>) -> VisitProgress {
        match self.user.name_announcement {
            NameAnnouncement::Recorded | NameAnnouncement::Reviewed if !self.user.quiet => {
                self.ask_name(around)
            }
            _ => self.enter(around),
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
                self.refuse(RoomSound::Locked, around)
            }
        }
    }

    fn greeting(&self, found: Found, language: &BStr) -> Vec<BString> {
        let mut names: Vec<BString> = Vec::new();
        if !self.user.quiet {
            if self.user.announce_user_count && found.others > 0 {
                names = self.census(found.others, language);
            }
            if found.others == 0 && self.user.announce_only_user {
                names.extend(self.sound(RoomSound::OnlyPerson));
            }
            if found.waits {
                names.extend(self.sound(RoomSound::WaitForLeader));
            }
        }
        names.extend(self.user.announcement.clone());
        names
    }

    fn say(&self, prompts: Vec<BString>, around: &mut Surroundings<'_>) {
        around.channel.play(PlayRequest::named(prompts), None, around.now, around.out);
    }

    fn over(&mut self, end: VisitEnd) -> VisitProgress {
        self.state = State::Over;
        VisitProgress::Ended(end)
    }
}

/// How long the choice about a name is waited for.
const CHOICE: Duration = Duration::from_secs(5);

/// How often the PIN may be tried.
const PIN_TRIES: u8 = 3;

/// How long each digit of the PIN may take.
const PIN_WAIT: Duration = Duration::from_secs(6);

#[cfg(test)]
mod tests;
