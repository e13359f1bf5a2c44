//! One conference with a master, from the first who comes to its report: who is there, who is called
//! and called again, and when it is over.
//!
//! It touches no call itself: what is to be done comes out of [`Meeting::poll_action`].

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bstr::{BString, ByteSlice};
use diesis_dialplan::videoshare::{End, Ending, Person, Role, Room, Unreached, When, Who};

use super::report::{MeetingEnd, MeetingReport, PersonReport};
use crate::{channel::ChannelId, clock::Now};

/// Which meeting: a room has one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::switch) struct MeetingId(pub(super) u64);

/// One that is in progress.
#[derive(Debug)]
pub(super) struct Meeting {
    pub(super) room: Arc<Room>,
    began: Now,
    /// When the master came first.
    opened: Option<Now>,
    phase: Phase,
    people: Vec<Attendee>,
    actions: VecDeque<Action>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The master is not there yet, and is waited for until then.
    Waiting { until: Option<Instant> },
    /// They talk.
    Open,
    /// The master left; it is over unless he is back by then.
    Orphaned { until: Instant },
    /// It is over.
    Over,
}

/// Somebody who takes part, or should.
#[derive(Debug)]
struct Attendee {
    person: Person,
    kind: PersonKind,
    state: PersonState,
    attempts: u32,
    /// The call that is being made to him.
    origination: Option<ChannelId>,
    /// The call he talks by, or is asked by.
    channel: Option<ChannelId>,
    /// Whether he is in, or on his way in.
    is_seated: bool,
    /// When he is called again.
    retry_at: Option<Instant>,
    first_joined: Option<jiff::Timestamp>,
    since: Option<Instant>,
    present: Duration,
}

/// What somebody is to a conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonKind {
    /// Its master.
    Master,
    /// On its list.
    Listed,
    /// Invited while it went on.
    Invited,
    /// Came by himself.
    Guest,
}

impl PersonKind {
    /// For tables and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Listed => "participant",
            Self::Invited => "invited",
            Self::Guest => "guest",
        }
    }
}

/// How it stands with somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonState {
    /// Nothing happened yet.
    Expected,
    /// Is being called.
    Calling,
    /// His telephone rings.
    Ringing,
    /// Answered, and is asked whether he comes.
    Answered,
    /// Waits for the master.
    Waiting,
    /// Is in the conference.
    Joined,
    /// Was in it.
    Left,
    /// Was sent away.
    Removed,
    /// Answered and declined.
    Refused,
    /// Answered and pressed no key: a machine, maybe.
    NotAccepted,
    /// Is busy.
    Busy,
    /// Does not answer.
    NoAnswer,
    /// Can not be called.
    Failed,
    /// The call was given up, for it was not needed any more.
    Cancelled,
}

impl PersonState {
    /// For tables and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Calling => "calling",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Waiting => "waiting",
            Self::Joined => "joined",
            Self::Left => "left",
            Self::Removed => "removed",
            Self::Refused => "refused",
            Self::NotAccepted => "not accepted",
            Self::Busy => "busy",
            Self::NoAnswer => "no answer",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether he is there.
    pub const fn is_present(self) -> bool {
        matches!(self, Self::Waiting | Self::Joined)
    }
}

/// What is to be done for a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::switch) enum Action {
    /// Call this one.
    Call(usize),
    /// Give a call up that is being made.
    CancelCall(ChannelId),
    /// Send a call away; why.
    SendAway(ChannelId, End),
    /// Nobody waits for the master any more.
    Release,
    /// It stands otherwise with this one.
    Changed(usize),
    /// The master came first.
    Opened,
    /// The master left, and may come back.
    Orphaned,
    /// It is over.
    Over(Box<MeetingReport>),
}

/// Why somebody can not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallError {
    #[error("there is nobody of that number or place in the list")]
    Nobody,
    #[error("he is in the conference, or being called")]
    Busy,
    #[error("no more people can be invited")]
    Full,
}

impl Meeting {
    /// A room opens its doors.
    pub(super) fn begin(room: Arc<Room>, now: Now) -> Self {
        let kinds =
            std::iter::once(PersonKind::Master).chain(std::iter::repeat(PersonKind::Listed));
        let people = room.people.iter().cloned().zip(kinds);
        let people = people.map(|(person, kind)| Attendee::new(person, kind)).collect();
        let until = room.limits.wait.and_then(|wait| now.instant.checked_add(wait));
        Self {
            room,
            began: now,
            opened: None,
            phase: Phase::Waiting { until },
            people,
            actions: VecDeque::new(),
        }
    }

    /// It is started by a command: who is to be called is, the master first.
    pub(super) fn start(&mut self, now: Now) {
        if self.people[MASTER].person.way.is_called() {
            // Unless he is there.
            let _ = self.call(MASTER, now);
        }
        if self.room.calling.when == When::Start {
            self.call_listed(now);
        }
        self.end_if_deserted(now);
    }

    /// Somebody wants to come in; his place in the list.
    pub(super) fn admit(
        &mut self,
        who: Who,
        channel: ChannelId,
        caller: Person,
        now: Now,
    ) -> Result<usize, End> {
        if self.phase == Phase::Over {
            return Err(End::Ended);
        }
        let known = match who {
            Who::Known(index) if index < self.people.len() => Some(index),
            Who::Known(_) => return Err(End::NotInvited),
            Who::Guest => None,
        };
        let is_master = known == Some(MASTER);
        let present = self.people.iter().filter(|it| it.is_seated).count();
        let is_full = self.room.limits.people.is_some_and(|limit| present >= limit);
        if is_full && !is_master || self.people.len() >= MOST_PEOPLE {
            return Err(End::Full);
        }
        // A second telephone of somebody who is there already is a guest of its own.
        let is_there = |index: &usize| {
            let it = &self.people[*index];
            it.channel.is_some_and(|other| other != channel) && it.is_seated
        };
        let index = match known.filter(|index| !is_there(index)) {
            Some(index) => index,
            None => {
                self.people.push(Attendee::new(caller, PersonKind::Guest));
                self.people.len() - 1
            }
        };
        let first = self.people.iter().all(|it| it.first_joined.is_none());
        let it = &mut self.people[index];
        // He came before his telephone rang.
        let origination = it.origination.take();
        let asked = it.channel.replace(channel).filter(|asked| *asked != channel);
        it.retry_at = None;
        it.is_seated = true;
        it.state = PersonState::Answered;
        self.actions.extend(origination.map(Action::CancelCall));
        self.actions.extend(asked.map(|asked| Action::SendAway(asked, End::Left)));
        if first && self.room.calling.when == When::Start {
            self.call_listed(now);
        }
        Ok(index)
    }

    /// Whether one who comes now has to wait for the master.
    pub(super) fn waits(&self, index: usize) -> bool {
        index != MASTER && !matches!(self.phase, Phase::Open)
    }

    /// Whether one who leaves the mix of the master's is to go on waiting.
    pub(super) fn ends_with_master(&self) -> bool {
        matches!(self.room.ending, Ending::WithMaster { .. })
    }

    /// He is inside.
    pub(super) fn joined(&mut self, index: usize, channel: ChannelId, now: Now) {
        let waits = self.waits(index);
        let Some(it) = self.people.get_mut(index) else { return };
        if it.channel != Some(channel) || it.state.is_present() {
            return;
        }
        it.state = if waits { PersonState::Waiting } else { PersonState::Joined };
        it.since = Some(now.instant);
        it.first_joined.get_or_insert(now.wall);
        self.actions.push_back(Action::Changed(index));
        if index == MASTER {
            self.open(now);
        }
    }

    fn open(&mut self, now: Now) {
        self.phase = Phase::Open;
        for index in 0..self.people.len() {
            if self.people[index].state == PersonState::Waiting {
                self.people[index].state = PersonState::Joined;
                self.actions.push_back(Action::Changed(index));
                if self.room.media_server.is_some() {
                    let channel = self.people[index].channel;
                    let go = channel.map(|channel| Action::SendAway(channel, End::GoToServer));
                    self.actions.extend(go);
                }
            }
        }
        if !self.ends_with_master() {
            self.actions.push_back(Action::Release);
        }
        if self.opened.is_none() {
            self.opened = Some(now);
            self.actions.push_back(Action::Opened);
            if self.room.calling.when == When::Master {
                self.call_listed(now);
            }
        }
    }

    /// A call is gone, or does something else from now on.
    pub(super) fn left(&mut self, index: usize, channel: ChannelId, how: Parting, now: Now) {
        let Some(it) = self.people.get_mut(index) else { return };
        if it.channel != Some(channel) {
            return;
        }
        it.channel = None;
        it.is_seated = false;
        let was_there = it.state.is_present();
        it.count_presence(now);
        it.state = match (how, was_there) {
            (Parting::Refused, _) => PersonState::Refused,
            (Parting::Removed, true) => PersonState::Removed,
            (_, true) => PersonState::Left,
            (Parting::Unserved, false) => PersonState::Failed,
            // Called, and hung up without a word.
            (_, false) if it.attempts > 0 => PersonState::NotAccepted,
            // Came, and did not get in.
            (_, false) => PersonState::Left,
        };
        self.actions.push_back(Action::Changed(index));
        if matches!(how, Parting::Silent | Parting::Gone) && !was_there {
            self.retry(index, Unreached::NotAccepted, now);
        }
        if index == MASTER && was_there {
            self.lose_master(now);
        }
        self.end_if_deserted(now);
    }

    fn lose_master(&mut self, now: Now) {
        let Ending::WithMaster { grace } = self.room.ending else { return };
        if self.phase != Phase::Open {
            return;
        }
        if grace.is_zero() {
            return self.end(MeetingEnd::MasterLeft, now);
        }
        self.phase = Phase::Orphaned { until: now.instant + grace };
        self.actions.push_back(Action::Orphaned);
        for index in 0..self.people.len() {
            if self.people[index].state == PersonState::Joined {
                self.people[index].state = PersonState::Waiting;
                self.actions.push_back(Action::Changed(index));
            }
        }
    }

    /// A call to somebody begins.
    pub(super) fn is_called(&mut self, index: usize, origination: ChannelId) {
        let Some(it) = self.people.get_mut(index) else { return };
        it.origination = Some(origination);
    }

    /// His telephone rings.
    pub(super) fn rings(&mut self, index: usize) {
        let Some(it) = self.people.get_mut(index) else { return };
        if it.state == PersonState::Calling {
            it.state = PersonState::Ringing;
            self.actions.push_back(Action::Changed(index));
        }
    }

    /// He, or a machine, answered; whether he is still wanted.
    pub(super) fn answered(&mut self, index: usize, channel: ChannelId) -> bool {
        let Some(it) = self.people.get_mut(index) else { return false };
        if it.origination.take().is_none() || self.phase == Phase::Over {
            return false;
        }
        it.channel = Some(channel);
        it.state = PersonState::Answered;
        self.actions.push_back(Action::Changed(index));
        true
    }

    /// The call to him led nowhere.
    pub(super) fn unreached(&mut self, index: usize, why: Unreached, now: Now) {
        let Some(it) = self.people.get_mut(index) else { return };
        if !matches!(it.state, PersonState::Calling | PersonState::Ringing) {
            return;
        }
        it.origination = None;
        it.state = match why {
            Unreached::Busy => PersonState::Busy,
            Unreached::NoAnswer => PersonState::NoAnswer,
            Unreached::NotAccepted => PersonState::NotAccepted,
            Unreached::Failed => PersonState::Failed,
        };
        self.actions.push_back(Action::Changed(index));
        self.retry(index, why, now);
        self.end_if_deserted(now);
    }

    /// He rejected the call.
    pub(super) fn declined(&mut self, index: usize, now: Now) {
        let Some(it) = self.people.get_mut(index) else { return };
        if it.origination.take().is_some() {
            it.state = PersonState::Refused;
            self.actions.push_back(Action::Changed(index));
        }
        self.end_if_deserted(now);
    }

    /// Somebody was not let in: if nobody else is there, that was all.
    pub(super) fn turned_away(&mut self, now: Now) {
        self.end_if_deserted(now);
    }

    fn retry(&mut self, index: usize, why: Unreached, now: Now) {
        let calling = &self.room.calling;
        let it = &mut self.people[index];
        let is_due = it.attempts > 0
            && it.attempts <= calling.retries
            && calling.retry_on.contains(&why)
            && self.phase != Phase::Over;
        it.retry_at = is_due.then(|| now.instant + calling.retry_delay);
    }

    /// Calls somebody, now.
    pub(super) fn call(&mut self, index: usize, now: Now) -> Result<(), CallError> {
        let it = self.people.get_mut(index).ok_or(CallError::Nobody)?;
        let is_open =
            it.channel.is_some() || matches!(it.state, PersonState::Calling | PersonState::Ringing);
        if self.phase == Phase::Over {
            return Err(CallError::Nobody);
        }
        if is_open {
            return Err(CallError::Busy);
        }
        it.state = PersonState::Calling;
        it.attempts += 1;
        it.retry_at = None;
        self.actions.extend([Action::Changed(index), Action::Call(index)]);
        // Whoever waits alone for somebody that is called waits on.
        if let Phase::Waiting { until: until @ Some(_) } = &mut self.phase {
            let wait = self.room.limits.wait;
            *until = wait.and_then(|wait| now.instant.checked_add(wait)).max(*until);
        }
        Ok(())
    }

    /// Calls one of the list, again or first: by number.
    pub(super) fn invite(&mut self, person: Person, now: Now) -> Result<usize, CallError> {
        let known = self.people.iter().position(|it| it.person.number == person.number);
        let index = match known {
            Some(index) => index,
            None if self.people.len() >= MOST_PEOPLE => return Err(CallError::Full),
            None => {
                self.people.push(Attendee::new(person, PersonKind::Invited));
                self.people.len() - 1
            }
        };
        // By hand the tries begin anew.
        self.people[index].attempts = 0;
        self.call(index, now).map(|()| index)
    }

    /// The same by place in the list.
    pub(super) fn call_again(&mut self, index: usize, now: Now) -> Result<(), CallError> {
        self.people.get_mut(index).ok_or(CallError::Nobody)?.attempts = 0;
        self.call(index, now)
    }

    /// Calls those of the list whom nobody called yet; how many.
    pub(super) fn call_listed(&mut self, now: Now) -> usize {
        let is_due = |it: &Attendee| {
            it.kind == PersonKind::Listed
                && it.person.way.is_called()
                && it.state == PersonState::Expected
        };
        let people = self.people.iter().enumerate().filter(|(_, it)| is_due(it));
        let due: Vec<usize> = people.map(|(index, _)| index).collect();
        due.into_iter().filter(|index| self.call(*index, now).is_ok()).count()
    }

    /// The present call of somebody.
    pub(super) fn channel_of(&self, index: usize) -> Option<ChannelId> {
        self.people.get(index)?.channel
    }

    /// Somebody in the list.
    pub(super) fn person(&self, index: usize) -> Option<&Person> {
        self.people.get(index).map(|it| &it.person)
    }

    /// What somebody is, and how it stands with him.
    pub(super) fn standing(&self, index: usize) -> Option<(PersonKind, PersonState, u32)> {
        self.people.get(index).map(|it| (it.kind, it.state, it.attempts))
    }

    /// Who has this number, or this place: `#2`.
    pub(super) fn find(&self, who: &[u8]) -> Option<usize> {
        if let Some(place) = who.strip_prefix(b"#") {
            let place: usize = place.to_str().ok()?.parse().ok()?;
            return (place < self.people.len()).then_some(place);
        }
        self.people.iter().position(|it| it.person.number == who)
    }

    /// When something is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Waiting { until } => until,
            Phase::Orphaned { until } => Some(until),
            Phase::Open => None,
            Phase::Over => return None,
        };
        let retries = self.people.iter().filter_map(|it| it.retry_at);
        retries.chain(phase).chain(self.longest()).min()
    }

    fn longest(&self) -> Option<Instant> {
        self.opened?.instant.checked_add(self.room.limits.duration?)
    }

    /// Time passed.
    pub(super) fn handle_timeout(&mut self, now: Now) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now.instant);
        match self.phase {
            Phase::Over => return,
            _ if is_due(self.longest()) => return self.end(MeetingEnd::TimeIsUp, now),
            Phase::Waiting { until } if is_due(until) => {
                return self.end(MeetingEnd::NoMaster, now);
            }
            Phase::Orphaned { until } if until <= now.instant => {
                return self.end(MeetingEnd::MasterLeft, now);
            }
            Phase::Waiting { .. } | Phase::Orphaned { .. } | Phase::Open => {}
        }
        for index in 0..self.people.len() {
            if is_due(self.people[index].retry_at) {
                self.people[index].retry_at = None;
                // He may have come by himself.
                let _ = self.call(index, now);
            }
        }
    }

    /// What is to be done next.
    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Nobody is there, and nobody will be.
    fn end_if_deserted(&mut self, now: Now) {
        let is_awaited = |it: &Attendee| {
            it.channel.is_some()
                || it.retry_at.is_some()
                || matches!(it.state, PersonState::Calling | PersonState::Ringing)
        };
        let is_deserted = match self.phase {
            Phase::Over => return,
            // Who is called finds somebody there.
            Phase::Waiting { .. } => !self.people.iter().any(is_awaited),
            Phase::Open | Phase::Orphaned { .. } => {
                !self.people.iter().any(|it| it.channel.is_some())
            }
        };
        if is_deserted {
            let end = match self.phase {
                Phase::Waiting { .. } => MeetingEnd::NoMaster,
                _ if self.ends_with_master() => MeetingEnd::MasterLeft,
                _ => MeetingEnd::AllLeft,
            };
            self.end(end, now);
        }
    }

    /// It is over; everybody goes.
    pub(super) fn end(&mut self, end: MeetingEnd, now: Now) {
        if self.phase == Phase::Over {
            return;
        }
        self.phase = Phase::Over;
        let why = match end {
            MeetingEnd::MasterLeft => End::MasterLeft,
            MeetingEnd::NoMaster => End::NoMaster,
            MeetingEnd::TimeIsUp => End::TimeIsUp,
            MeetingEnd::Ended | MeetingEnd::AllLeft => End::Ended,
        };
        for it in &mut self.people {
            it.retry_at = None;
            if let Some(origination) = it.origination.take() {
                it.state = PersonState::Cancelled;
                self.actions.push_back(Action::CancelCall(origination));
            }
            if let Some(channel) = it.channel.take() {
                let was_there = it.state.is_present();
                it.count_presence(now);
                it.state = if was_there { PersonState::Left } else { PersonState::Cancelled };
                self.actions.push_back(Action::SendAway(channel, why));
            }
        }
        let report = self.report(end, now);
        self.actions.push_back(Action::Over(Box::new(report)));
    }

    /// How it stands, as it will be reported.
    pub(super) fn report(&self, end: MeetingEnd, now: Now) -> MeetingReport {
        let line = |it: &Attendee| {
            let since = it.since.map(|since| now.instant.saturating_duration_since(since));
            PersonReport {
                number: it.person.number.clone(),
                name: it.person.name.clone(),
                kind: it.kind,
                role: it.person.role,
                state: it.state,
                attempts: it.attempts,
                joined: it.first_joined,
                present: it.present + since.unwrap_or_default(),
            }
        };
        MeetingReport {
            room: self.room.name.clone(),
            began: self.began.wall,
            opened: self.opened.map(|at| at.wall),
            ended: now.wall,
            duration: now.instant.saturating_duration_since(self.began.instant),
            end,
            people: self.people.iter().map(line).collect(),
        }
    }

    /// Whether the master is there.
    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether somebody may be heard when he comes in.
    pub(super) fn role_of(&self, index: usize) -> Role {
        self.people.get(index).map_or(Role::Listener, |it| it.person.role)
    }
}

/// How somebody leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::switch) enum Parting {
    /// Hung up, or left by a key.
    Gone,
    /// Was sent away.
    Removed,
    /// Declined.
    Refused,
    /// Pressed no key.
    Silent,
    /// The media server did not take him.
    Unserved,
}

impl Attendee {
    fn new(person: Person, kind: PersonKind) -> Self {
        Self {
            person,
            kind,
            state: PersonState::Expected,
            attempts: 0,
            origination: None,
            channel: None,
            is_seated: false,
            retry_at: None,
            first_joined: None,
            since: None,
            present: Duration::ZERO,
        }
    }

    fn count_presence(&mut self, now: Now) {
        if let Some(since) = self.since.take() {
            self.present += now.instant.saturating_duration_since(since);
        }
    }
}

/// Where the master is in the list.
pub(super) const MASTER: usize = 0;

/// People of one meeting, all who ever came included: a report has to hold them.
const MOST_PEOPLE: usize = 2000;

/// The caller as a guest.
pub(super) fn guest(number: &BString, name: &BString, role: Role) -> Person {
    Person { name: name.clone(), role, ..Person::new(number.clone()) }
}

#[cfg(test)]
mod tests;
