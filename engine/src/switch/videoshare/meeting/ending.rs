//! How a meeting ends, and what is reported of it.

use diesis_dialplan::videoshare::{End, Ending};

use super::{Action, Attendee, Meeting, PersonState, Phase};
use crate::{
    clock::Now,
    switch::videoshare::report::{MeetingEnd, MeetingReport, PersonReport},
};

impl Meeting {
    /// It is over; everybody goes.
    pub(in crate::switch::videoshare) fn end(&mut self, end: MeetingEnd, now: Now) {
        if self.phase == Phase::Over {
            return;
        }
        self.phase = Phase::Over;
        let why = match end {
            MeetingEnd::MasterLeft => End::MasterLeft,
            MeetingEnd::NoMaster => End::NoMaster,
            MeetingEnd::TimeIsUp => End::TimeIsUp,
            MeetingEnd::Ended | MeetingEnd::AllLeft | MeetingEnd::Stopped => End::Ended,
        };
        // Calls that were to be made, and are not.
        self.actions.retain(|action| !matches!(action, Action::Call(_)));
        for it in &mut self.people {
            it.retry_at = None;
            if matches!(it.state, PersonState::Calling | PersonState::Ringing) {
                it.state = PersonState::Cancelled;
            }
            self.actions.extend(it.origination.take().map(Action::CancelCall));
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

    /// The master left, for now or for good.
    pub(super) fn lose_master(&mut self, now: Now) {
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

    /// Nobody is there, and nobody will be.
    pub(super) fn end_if_deserted(&mut self, now: Now) {
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

    /// How it stands, as it will be reported.
    pub(in crate::switch::videoshare) fn report(&self, end: MeetingEnd, now: Now) -> MeetingReport {
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
}
