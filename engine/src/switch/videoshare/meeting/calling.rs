//! Whom a meeting calls, and calls again.

use std::time::Duration;

use diesis_dialplan::videoshare::{Person, Unreached};

use super::{Action, Attendee, MOST_PEOPLE, Meeting, PersonKind, PersonState, Phase};
use crate::{channel::ChannelId, clock::Now};

impl Meeting {
    /// A call to somebody begins; whether it is still wanted.
    pub(in crate::switch::videoshare) fn is_called(
        &mut self,
        index: usize,
        origination: ChannelId,
    ) -> bool {
        let Some(it) = self.people.get_mut(index).filter(|_| self.phase != Phase::Over) else {
            return false;
        };
        it.origination = Some(origination);
        true
    }

    /// His telephone rings.
    pub(in crate::switch::videoshare) fn rings(&mut self, index: usize) {
        let Some(it) = self.people.get_mut(index) else { return };
        if it.state == PersonState::Calling {
            it.state = PersonState::Ringing;
            self.actions.push_back(Action::Changed(index));
        }
    }

    /// He, or a machine, answered; whether he is still wanted.
    pub(in crate::switch::videoshare) fn answered(
        &mut self,
        index: usize,
        channel: ChannelId,
    ) -> bool {
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
    pub(in crate::switch::videoshare) fn unreached(
        &mut self,
        index: usize,
        why: Unreached,
        now: Now,
    ) {
        let Some(it) = self.people.get_mut(index) else { return };
        if !matches!(it.state, PersonState::Calling | PersonState::Ringing) {
            return;
        }
        it.origination = None;
        let why = match why {
            // Nothing at all came back: no telephone rang.
            Unreached::NoAnswer if it.state == PersonState::Calling => Unreached::Failed,
            why => why,
        };
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
    pub(in crate::switch::videoshare) fn declined(&mut self, index: usize, now: Now) {
        let Some(it) = self.people.get_mut(index) else { return };
        if it.origination.take().is_some() {
            it.state = PersonState::Refused;
            self.actions.push_back(Action::Changed(index));
        }
        self.end_if_deserted(now);
    }

    /// Calls somebody, now.
    pub(in crate::switch::videoshare) fn call(
        &mut self,
        index: usize,
        now: Now,
    ) -> Result<(), CallError> {
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
        it.attempts = it.attempts.saturating_add(1);
        it.tries = it.tries.saturating_add(1);
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
    pub(in crate::switch::videoshare) fn invite(
        &mut self,
        person: Person,
        now: Now,
    ) -> Result<usize, CallError> {
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
        self.people[index].tries = 0;
        self.call(index, now).map(|()| index)
    }

    /// The same by place in the list.
    pub(in crate::switch::videoshare) fn call_again(
        &mut self,
        index: usize,
        now: Now,
    ) -> Result<(), CallError> {
        self.people.get_mut(index).ok_or(CallError::Nobody)?.tries = 0;
        self.call(index, now)
    }

    /// Calls those of the list whom nobody called yet: [`AT_ONCE`] now, and as many after each
    /// [`PAUSE`].
    pub(in crate::switch::videoshare) fn call_listed(&mut self, now: Now) {
        for it in &mut self.people {
            let is_due = it.kind == PersonKind::Listed
                && it.person.way.is_called()
                && it.state == PersonState::Expected;
            if is_due {
                it.retry_at.get_or_insert(now.instant);
            }
        }
        self.call_due(now);
    }

    /// Calls those whose time has come.
    pub(super) fn call_due(&mut self, now: Now) {
        let mut called = 0;
        for index in 0..self.people.len() {
            let it = &mut self.people[index];
            if it.retry_at.is_none_or(|at| at > now.instant) {
                continue;
            }
            if called == AT_ONCE {
                it.retry_at = Some(now.instant + PAUSE);
                continue;
            }
            it.retry_at = None;
            // He may have come by himself.
            called += usize::from(self.call(index, now).is_ok());
        }
    }

    pub(super) fn retry(&mut self, index: usize, why: Unreached, now: Now) {
        let calling = &self.room.calling;
        let it = &mut self.people[index];
        let is_due = it.tries > 0
            && it.tries <= calling.retries
            && calling.retry_on.contains(&why)
            && self.phase != Phase::Over;
        it.retry_at = is_due.then(|| now.instant + calling.retry_delay);
    }
}

/// Why somebody can not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::switch::videoshare) enum CallError {
    #[error("there is nobody of that number or place in the list")]
    Nobody,
    #[error("he is in the conference, or being called")]
    Busy,
    #[error("no more people can be invited")]
    Full,
}

/// Calls that a meeting begins at a time. Each needs a media port, of which a shard has 64 ready: a list
/// of hundreds that is called at once would leave most of them without.
pub(super) const AT_ONCE: usize = 16;

/// Before it begins the next ones.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
