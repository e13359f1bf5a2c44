//! One conference with a master, from the first who comes to its report: who is there, who is called
//! and called again, and when it is over.
//!
//! It touches no call itself: what is to be done comes out of [`Meeting::poll_action`].

mod attendee;
mod calling;
mod ending;

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bstr::ByteSlice;
use diesis_dialplan::videoshare::{End, Ending, Person, Role, Room, Unreached, When, Who};

use super::report::{MeetingEnd, MeetingReport};
use crate::{channel::ChannelId, clock::Now};
use attendee::Attendee;
pub(in crate::switch) use attendee::Parting;
pub(super) use attendee::guest;
pub use attendee::{PersonKind, PersonState};
pub(super) use calling::CallError;

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
        if is_full && !is_master {
            return Err(End::Full);
        }
        // A second telephone of somebody who is there already is a guest of its own.
        let is_there = |index: &usize| {
            let it = &self.people[*index];
            it.channel.is_some_and(|other| other != channel) && it.is_seated
        };
        let known = known.filter(|index| !is_there(index));
        let index = match known.or_else(|| self.guest_who_left(&caller)) {
            Some(index) => index,
            None if self.people.len() >= MOST_PEOPLE => return Err(End::Full),
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

    /// A guest who was there and calls again: one line of the report is enough for each.
    fn guest_who_left(&self, caller: &Person) -> Option<usize> {
        let is_his = |it: &Attendee| {
            it.kind == PersonKind::Guest
                && it.channel.is_none()
                && it.person.number == caller.number
                && !caller.number.is_empty()
        };
        self.people.iter().position(is_his)
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

    /// Somebody was not let in: if nobody else is there, that was all.
    pub(super) fn turned_away(&mut self, now: Now) {
        self.end_if_deserted(now);
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
        self.call_due(now);
    }

    /// What is to be done next.
    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
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

/// Where the master is in the list.
pub(super) const MASTER: usize = 0;

/// People of one meeting, all who ever came included: a report has to hold them. When it is full, those
/// who are in it come and go, and nobody else comes.
const MOST_PEOPLE: usize = 2000;

#[cfg(test)]
mod tests;
