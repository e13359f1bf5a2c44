//! From events to records.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use bstr::BString;

use super::{CdrSettings, Disposition, Record};
use crate::{
    channel::{Cause, ChannelId},
    clock::Now,
    switch::{CallFacts, SwitchEvent},
};

/// The open records of all calls. Feed it every event; drain [`Ledger::poll_record`] after each.
#[derive(Debug)]
pub struct Ledger {
    settings: CdrSettings,
    parties: HashMap<ChannelId, Party>,
    records: VecDeque<Record>,
}

/// One call.
#[derive(Debug)]
struct Party {
    channel: BString,
    started: Now,
    answered: Option<Instant>,
    /// What was known of it last.
    facts: CallFacts,
    /// Whom it called and is not written down yet.
    pairs: Vec<Pair>,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It called nobody and was called by nobody.
    Alone,
    /// It called others: the pairs tell of it.
    Caller,
    /// It was called by this one, whose record tells of it.
    Callee(ChannelId),
}

#[derive(Debug)]
struct Pair {
    leg: ChannelId,
    channel: BString,
    began: Instant,
    answered: Option<Instant>,
    ended: Option<(Instant, Cause)>,
}

impl Ledger {
    /// A ledger without calls.
    pub fn new(settings: CdrSettings) -> Self {
        Self { settings, parties: HashMap::new(), records: VecDeque::new() }
    }

    /// A record that is complete.
    pub fn poll_record(&mut self) -> Option<Record> {
        self.records.pop_front()
    }

    /// Something happened in the switch.
    pub fn handle_event(&mut self, event: &SwitchEvent, now: Now) {
        match event {
            SwitchEvent::CallStarted { call, channel, parties, .. } => {
                let party = self.party(*call, channel, now);
                party.facts.number = parties.caller_number.clone();
                party.facts.name = parties.caller_name.clone();
                party.facts.extension = parties.dialled.clone();
            }
            SwitchEvent::CallAnswered { call } => {
                let Some(party) = self.parties.get_mut(call) else { return };
                party.answered.get_or_insert(now.instant);
                if let Role::Callee(caller) = party.role
                    && let Some(pair) = self.pair(caller, *call)
                {
                    pair.answered.get_or_insert(now.instant);
                }
            }
            SwitchEvent::DialBegan { call, leg, channel } => {
                self.party(*leg, channel, now).role = Role::Callee(*call);
                let Some(party) = self.parties.get_mut(call) else { return };
                // The first call of a caller counts from its own beginning.
                let began = match party.role {
                    Role::Alone => party.started.instant,
                    Role::Caller | Role::Callee(_) => now.instant,
                };
                if party.role == Role::Alone {
                    party.role = Role::Caller;
                }
                let (leg, channel) = (*leg, channel.clone());
                party.pairs.push(Pair { leg, channel, began, answered: None, ended: None });
            }
            SwitchEvent::DialAnswered { call, leg } => {
                if let Some(pair) = self.pair(*call, *leg) {
                    pair.answered.get_or_insert(now.instant);
                }
            }
            SwitchEvent::CallFacts { call, facts } => {
                if let Some(party) = self.parties.get_mut(call) {
                    party.facts = (**facts).clone();
                }
            }
            SwitchEvent::DialEnded { call, .. } => self.close_pairs(*call, now),
            SwitchEvent::CallHungUp { call, cause } => self.hung_up(*call, *cause, now),
            _ => {}
        }
    }

    fn hung_up(&mut self, call: ChannelId, cause: Cause, now: Now) {
        if let Some(&Party { role: Role::Callee(caller), .. }) = self.parties.get(&call)
            && let Some(pair) = self.pair(caller, call)
        {
            pair.ended.get_or_insert((now.instant, cause));
        }
        self.close_pairs(call, now);
        let Some(party) = self.parties.remove(&call) else { return };
        if party.role != Role::Alone {
            return;
        }
        let disposition = match party.answered {
            Some(_) => Disposition::Answered,
            None => self.disposition(cause),
        };
        if disposition == Disposition::Answered || self.settings.unanswered {
            let record = party.record(
                BString::default(),
                (party.started.instant, party.answered, now.instant),
                disposition,
            );
            self.records.push_back(record);
        }
    }

    /// Writes down whom a call has called.
    fn close_pairs(&mut self, call: ChannelId, now: Now) {
        let Some(party) = self.parties.get_mut(&call) else { return };
        let pairs = std::mem::take(&mut party.pairs);
        for pair in &pairs {
            // One that talks on after a transfer is a call of its own from here on.
            if pair.ended.is_none()
                && pair.answered.is_some()
                && let Some(leg) = self.parties.get_mut(&pair.leg)
                && leg.role == Role::Callee(call)
            {
                leg.role = Role::Alone;
                leg.started = now;
                leg.answered = Some(now.instant);
            }
        }
        let Some(party) = self.parties.get(&call) else { return };
        for pair in pairs {
            // A leg that has not ended yet is being ended because somebody else answered, or
            // because the caller is gone.
            let (ended, cause) = pair.ended.unwrap_or((now.instant, Cause::NO_ANSWER));
            let disposition = match pair.answered {
                Some(_) => Disposition::Answered,
                None => self.disposition(cause),
            };
            let times = (pair.began, pair.answered, ended);
            self.records.push_back(party.record(pair.channel, times, disposition));
        }
    }

    fn disposition(&self, cause: Cause) -> Disposition {
        match cause {
            Cause::USER_BUSY => Disposition::Busy,
            Cause::CONGESTION | Cause::SWITCH_CONGESTION | Cause::NETWORK_OUT_OF_ORDER => {
                match self.settings.congestion {
                    true => Disposition::Congestion,
                    false => Disposition::Failed,
                }
            }
            Cause::NORMAL_CLEARING
            | Cause::NO_ANSWER
            | Cause::NO_USER_RESPONSE
            | Cause::NORMAL_UNSPECIFIED
            | Cause::CALL_REJECTED
            | Cause::ANSWERED_ELSEWHERE => Disposition::NoAnswer,
            _ => Disposition::Failed,
        }
    }

    fn party(&mut self, call: ChannelId, channel: &BString, now: Now) -> &mut Party {
        self.parties.entry(call).or_insert_with(|| Party {
            channel: channel.clone(),
            started: now,
            answered: None,
            facts: CallFacts::default(),
            pairs: vec![],
            role: Role::Alone,
        })
    }

    fn pair(&mut self, caller: ChannelId, leg: ChannelId) -> Option<&mut Pair> {
        self.parties.get_mut(&caller)?.pairs.iter_mut().find(|pair| pair.leg == leg)
    }
}

impl Party {
    fn record(
        &self,
        destination_channel: BString,
        (began, answered, ended): (Instant, Option<Instant>, Instant),
        disposition: Disposition,
    ) -> Record {
        let facts = self.facts.clone();
        let wall = |at: Instant| self.started.wall_at(at);
        let since = |at: Instant| ended.saturating_duration_since(at);
        let caller_id = match facts.name.is_empty() {
            true => facts.number.clone(),
            false => format!("\"{}\" <{}>", facts.name, facts.number).into(),
        };
        Record {
            account_code: facts.account_code,
            source: facts.number,
            destination: facts.extension,
            context: facts.context,
            caller_id,
            channel: self.channel.clone(),
            destination_channel,
            last_application: facts.application,
            last_data: facts.arguments,
            start: wall(began),
            answer: answered.map(wall),
            end: wall(ended),
            duration: since(began),
            billable: answered.map_or(Duration::ZERO, since),
            disposition,
            ama_flags: facts.ama_flags,
            linked_id: facts.unique_id.clone(),
            unique_id: facts.unique_id,
            user_field: facts.user_field,
            peer_account: BString::default(),
            sequence: 0,
            fields: vec![],
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::{
        clock::clocks,
        switch::{Direction, Parties},
    };

    struct Book {
        ledger: Ledger,
        now: Now,
    }

    impl Book {
        fn new(settings: CdrSettings) -> Self {
            Self { ledger: Ledger::new(settings), now: clocks() }
        }

        fn tell(&mut self, after: u64, event: SwitchEvent) {
            self.now = self.now + Duration::from_secs(after);
            self.ledger.handle_event(&event, self.now);
        }

        fn call(&mut self, id: u64, number: &str) -> ChannelId {
            let call = ChannelId::new(id);
            let parties = Parties {
                caller_number: number.into(),
                caller_name: "Anna \"A\"\r\nX".into(),
                dialled: "200".into(),
                peer: None,
                call_id: "c".into(),
            };
            let channel = format!("PJSIP/{number}-{id}").into();
            let direction = Direction::Incoming;
            self.tell(0, SwitchEvent::CallStarted { call, channel, parties, direction });
            call
        }

        fn dial(&mut self, call: ChannelId, id: u64) -> ChannelId {
            let leg = ChannelId::new(id);
            let channel = format!("PJSIP/leg-{id}").into();
            self.tell(1, SwitchEvent::DialBegan { call, leg, channel });
            leg
        }

        fn hang_up(&mut self, after: u64, call: ChannelId, cause: Cause) {
            self.tell(after, SwitchEvent::CallHungUp { call, cause });
        }

        fn records(&mut self) -> Vec<Record> {
            std::iter::from_fn(|| self.ledger.poll_record()).collect()
        }
    }

    #[test]
    fn a_clock_that_is_set_back_during_a_call_changes_no_length() {
        let mut book = Book::new(CdrSettings::default());
        let call = book.call(1, "100");
        book.tell(5, SwitchEvent::CallAnswered { call });
        book.now.wall -= jiff::SignedDuration::from_hours(3);
        book.hang_up(60, call, Cause::NORMAL_CLEARING);
        let records = book.records();
        assert_eq!(records[0].duration, Duration::from_secs(65));
        assert_eq!(records[0].billable, Duration::from_secs(60));
        assert_eq!(records[0].end.duration_since(records[0].start).as_secs(), 65);
        assert!(book.ledger.parties.is_empty());
    }

    #[test]
    fn everybody_who_was_called_has_a_record_with_its_own_disposition() {
        let mut book = Book::new(CdrSettings::default());
        let call = book.call(1, "100");
        let (busy, answers, late) = (book.dial(call, 2), book.dial(call, 3), book.dial(call, 4));
        book.hang_up(1, busy, Cause::USER_BUSY);
        book.tell(1, SwitchEvent::CallAnswered { call: answers });
        book.tell(0, SwitchEvent::CallAnswered { call });
        book.hang_up(0, late, Cause::ANSWERED_ELSEWHERE);
        book.hang_up(30, answers, Cause::NORMAL_CLEARING);
        book.hang_up(0, call, Cause::NORMAL_CLEARING);
        let records = book.records();
        let told: Vec<_> = records
            .iter()
            .map(|it| (it.destination_channel.to_string(), it.disposition, it.billable.as_secs()))
            .collect();
        assert_eq!(
            told,
            [
                ("PJSIP/leg-2".to_owned(), Disposition::Busy, 0),
                ("PJSIP/leg-3".to_owned(), Disposition::Answered, 30),
                ("PJSIP/leg-4".to_owned(), Disposition::NoAnswer, 0),
            ]
        );
        assert!(book.ledger.parties.is_empty());
    }

    #[test]
    fn who_met_nobody_and_was_not_answered_is_recorded_only_when_asked_for() {
        for (unanswered, expected) in [(false, 0), (true, 1)] {
            let mut book = Book::new(CdrSettings { unanswered, ..CdrSettings::default() });
            let call = book.call(1, "100");
            book.hang_up(3, call, Cause::CONGESTION);
            let records = book.records();
            assert_eq!(records.len(), expected);
            assert!(records.iter().all(|it| it.disposition == Disposition::Failed));
        }
    }

    #[test]
    fn a_record_is_one_line_whatever_callers_call_themselves() {
        let mut settings = CdrSettings { initiated_seconds: true, ..CdrSettings::default() };
        settings.csv.unique_id = true;
        let mut book = Book::new(settings);
        let call = book.call(1, "100");
        book.tell(0, SwitchEvent::CallAnswered { call });
        book.now = book.now + Duration::from_millis(1500);
        book.hang_up(0, call, Cause::NORMAL_CLEARING);
        let line = book.records()[0].csv_line(&settings, &TimeZone::UTC);
        let expected = "\"\",\"100\",\"200\",\"\",\"\"\"Anna \"\"A\"\"\\r\\nX\"\" <100>\",\"PJSIP/100-1\",\
            \"\",\"\",\"\",\"2026-03-10 10:00:00\",\"2026-03-10 10:00:00\",\"2026-03-10 10:00:01\",1,2,\
            \"ANSWERED\",\"DOCUMENTATION\",\"\"\n";
        assert_eq!(line, expected);
    }
}
