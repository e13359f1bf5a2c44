//! From what happens in a switch to records.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bstr::{BStr, BString};
use diesis_dialplan::{
    channel::Channel as PlanChannel,
    host::Step,
    record::{CallRecord, Disposition, Fork, RecordFields},
    variables::Variables,
};
use jiff::Timestamp;

use super::{
    CdrSettings, Record,
    chain::{Chain, Facts, Life, Role, State},
};
use crate::{
    channel::{Cause, ChannelId},
    clock::Now,
    media::StreamStatistics,
};

/// The records of all calls. Tell it what happens; drain [`Ledger::poll_record`] after each.
#[derive(Debug)]
pub(crate) struct Ledger {
    settings: CdrSettings,
    /// In boxes: a table half of which is empty by its nature holds no room for them.
    chains: HashMap<ChannelId, Box<Chain>>,
    /// Who called a channel by Dial.
    callers: HashMap<ChannelId, ChannelId>,
    bridges: HashMap<u64, Vec<ChannelId>>,
    records: VecDeque<Record>,
    begun: u64,
    sequence: u32,
}

impl Ledger {
    /// A ledger without calls.
    pub(crate) fn new(settings: CdrSettings) -> Self {
        Self {
            settings,
            chains: HashMap::new(),
            callers: HashMap::new(),
            bridges: HashMap::new(),
            records: VecDeque::new(),
            begun: 0,
            sequence: 0,
        }
    }

    /// A record that is complete.
    pub(crate) fn poll_record(&mut self) -> Option<Record> {
        self.records.pop_front()
    }

    /// A call began: who calls, and what was dialled.
    pub(crate) fn started(
        &mut self,
        call: ChannelId,
        channel: &BString,
        parties: Started<'_>,
        now: Now,
    ) {
        self.open(call, channel, now);
        let Some(chain) = self.chains.get_mut(&call) else { return };
        chain.facts.number = parties.number.into();
        chain.facts.name = parties.name.into();
        if let Some(entry) = chain.entries.back_mut()
            && chain.role == Role::Caller
        {
            entry.record.extension = parties.dialled.into();
        }
    }

    /// How the media of a call was so far.
    pub(crate) fn measured(&mut self, call: ChannelId, statistics: &StreamStatistics) {
        if let Some(chain) = self.chains.get_mut(&call) {
            chain.facts.media = Some(statistics.into());
        }
    }

    /// A Dial is over.
    pub(crate) fn dial_ended(&mut self, call: ChannelId, now: Now) {
        self.close(call, |state| state != State::Alone, Disposition::NoAnswer, now);
    }

    /// Writes down all calls as if they ended now: the engine stops.
    pub(crate) fn close_all(&mut self, now: Now) {
        let mut calls: Vec<_> =
            self.chains.iter().map(|(&call, chain)| (chain.order, call)).collect();
        calls.sort_unstable();
        for (_, call) in calls {
            self.ended(call, now);
        }
    }

    fn open(&mut self, call: ChannelId, channel: &BString, now: Now) {
        if self.chains.contains_key(&call) {
            return;
        }
        let unique_id = BString::from(format!("{}.{}", now.wall.as_second(), call.number()));
        let linked_id = unique_id.clone();
        let facts = Facts { unique_id, linked_id, ama_flags: DOCUMENTATION, ..Facts::default() };
        let mut chain = Chain::new(channel.clone(), facts, self.begun, now);
        self.begun += 1;
        chain.begin(self.sequence, now);
        self.sequence = self.sequence.wrapping_add(1);
        self.chains.insert(call, Box::new(chain));
    }

    /// A call is up.
    pub(crate) fn answered(&mut self, call: ChannelId, now: Now) {
        if let Some(chain) = self.chains.get_mut(&call) {
            chain.answer(now);
        }
        let caller = self.callers.get(&call).and_then(|caller| self.chains.get_mut(caller));
        let entries = caller.into_iter().flat_map(|caller| &mut caller.entries);
        for entry in entries.filter(|entry| entry.is_with(call)) {
            if entry.state == State::Dialling {
                entry.state = State::Answered;
            }
        }
    }

    /// A call calls another by Dial.
    pub(crate) fn dial_began(
        &mut self,
        call: ChannelId,
        leg: ChannelId,
        channel: &BString,
        now: Now,
    ) {
        self.open(leg, channel, now);
        let place = self.record(call).map(|it| (it.context.clone(), it.extension.clone()));
        if let Some(leg) = self.chains.get_mut(&leg) {
            leg.role = Role::Dialled;
            if let (Some(entry), Some((context, extension))) = (leg.entries.back_mut(), place) {
                // What Asterisk tells of one who was dialled and then talks with somebody else.
                let (application, data) = ("AppDial".into(), "(Outgoing Line)".into());
                entry.record = CallRecord {
                    context,
                    extension,
                    last_application: application,
                    last_data: data,
                    ..entry.record.clone()
                };
            }
        }
        self.callers.insert(leg, call);
        self.pair(call, leg, State::Dialling, now);
    }

    /// Makes a record of `call` tell of `partner` as well: the present one while it tells of nobody,
    /// else a new one.
    fn pair(&mut self, call: ChannelId, partner: ChannelId, state: State, now: Now) {
        let Some(channel) = self.chains.get(&partner).map(|partner| partner.channel.clone()) else {
            return;
        };
        self.make_room(call);
        let Some(chain) = self.chains.get_mut(&call) else { return };
        let is_free = chain.entries.back().is_some_and(|last| last.state == State::Alone);
        let entry = match chain.entries.back_mut() {
            Some(last) if is_free => last,
            _ => {
                self.sequence = self.sequence.wrapping_add(1);
                chain.begin(self.sequence - 1, now)
            }
        };
        entry.bridged_only = state == State::Bridged && !is_free;
        entry.state = state;
        entry.partner = Some(partner);
        entry.record.destination_channel = channel;
    }

    /// A call entered a bridge.
    pub(crate) fn bridge_entered(&mut self, bridge: u64, call: ChannelId, now: Now) {
        let members = self.bridges.entry(bridge).or_default();
        let others = members.clone();
        members.push(call);
        for other in others {
            let (caller, callee) = self.sides(call, other);
            let known = self
                .chains
                .get_mut(&caller)
                .and_then(|chain| chain.entries.iter_mut().find(|entry| entry.is_with(callee)));
            match known {
                Some(entry) => entry.state = State::Bridged,
                None => self.pair(caller, callee, State::Bridged, now),
            }
        }
    }

    /// Which of two the record is about. One who was called by Dial is not the caller of one who was
    /// not; else CDR_PROP(party_a) decides, else who was there first.
    fn sides(&self, one: ChannelId, other: ChannelId) -> (ChannelId, ChannelId) {
        let rank = |call: ChannelId| {
            let chain = self.chains.get(&call)?;
            let is_caller = chain.entries.back().is_some_and(|entry| entry.record.is_caller);
            Some((chain.role == Role::Dialled, !is_caller, chain.order))
        };
        if rank(one) <= rank(other) { (one, other) } else { (other, one) }
    }

    /// A call left a bridge.
    pub(crate) fn bridge_left(&mut self, bridge: u64, call: ChannelId, now: Now) {
        let Some(members) = self.bridges.get_mut(&bridge) else { return };
        members.retain(|member| *member != call);
        let others = members.clone();
        if others.is_empty() {
            self.bridges.remove(&bridge);
        }
        for other in others {
            for (one, partner) in [(call, other), (other, call)] {
                self.close_pair(one, partner, Some(State::Bridged), Disposition::Answered, now);
            }
        }
    }

    /// Closes what a channel's records tell of a partner, in one state or in any.
    fn close_pair(
        &mut self,
        call: ChannelId,
        partner: ChannelId,
        state: Option<State>,
        unanswered: Disposition,
        now: Now,
    ) {
        let facts = self.chains.get(&partner).map(|partner| partner.facts.clone());
        let facts = facts.unwrap_or_default();
        if let Some(chain) = self.chains.get_mut(&call) {
            let which = |entry: &super::chain::Entry| {
                entry.is_with(partner) && state.is_none_or(|state| state == entry.state)
            };
            chain.close(now, which, &facts, unanswered);
            chain.forget_moments(partner);
        }
    }

    /// Closes those of a channel's records that are in such a state.
    fn close(
        &mut self,
        call: ChannelId,
        which: impl Fn(State) -> bool,
        unanswered: Disposition,
        now: Now,
    ) {
        let Some(chain) = self.chains.get_mut(&call) else { return };
        let alone = |entry: &super::chain::Entry| entry.partner.is_none() && which(entry.state);
        chain.close(now, alone, &Facts::default(), unanswered);
        let partners: Vec<_> = chain
            .entries
            .iter()
            .filter(|entry| entry.is_open() && which(entry.state))
            .filter_map(|entry| Some((entry.partner?, entry.state)))
            .collect();
        for (partner, state) in partners {
            self.close_pair(call, partner, Some(state), unanswered, now);
        }
    }

    /// A call is over; its dialplan may still clean up.
    pub(crate) fn hung_up(&mut self, call: ChannelId, cause: Cause, now: Now) {
        let disposition = self.disposition(cause);
        if let Some(&caller) = self.callers.get(&call) {
            self.close_pair(caller, call, None, disposition, now);
        }
        let Some(chain) = self.chains.get_mut(&call) else { return };
        chain.life = Life::Over(cause);
        // Those that are being called meanwhile are called no more.
        self.close(call, |state| state != State::Alone, Disposition::NoAnswer, now);
        if self.settings.end_before_h {
            self.close(call, |_| true, disposition, now);
        }
    }

    /// Nothing of a call is left: its records are complete.
    pub(crate) fn ended(&mut self, call: ChannelId, now: Now) {
        let Some(chain) = self.chains.get(&call) else { return };
        let disposition = match chain.life {
            Life::Over(cause) => self.disposition(cause),
            Life::Early | Life::Up => Disposition::NoAnswer,
        };
        self.close(call, |_| true, disposition, now);
        self.callers.remove(&call);
        let Some(mut chain) = self.chains.remove(&call) else { return };
        while !chain.entries.is_empty() {
            self.write(&mut chain);
        }
    }

    /// Writes a chain's oldest entry down.
    fn write(&mut self, chain: &mut Chain) {
        let Some(entry) = chain.entries.pop_front() else { return };
        let is_about_nobody = entry.partner.is_none();
        if entry.record.is_disabled || (chain.role == Role::Dialled && is_about_nobody) {
            return;
        }
        let went = entry.record.disposition;
        let is_counted = matches!(went, Disposition::Answered | Disposition::Congestion);
        if is_about_nobody && !is_counted && !self.settings.unanswered {
            return;
        }
        let is_last = chain.entries.is_empty();
        let mut record = chain.record(entry, is_last);
        // Asterisk counts half a second as a begun one.
        if self.settings.initiated_seconds && record.billable.subsec_millis() >= 500 {
            record.billable = Duration::from_secs(record.billable.as_secs() + 1);
        }
        self.records.push_back(record);
    }

    /// A dialplan that calls again and again has its first records written before it ends.
    fn make_room(&mut self, call: ChannelId) {
        let is_full = |chain: &Chain| chain.entries.len() >= MOST_OPEN;
        if !self.chains.get(&call).is_some_and(|chain| is_full(chain)) {
            return;
        }
        let Some(mut chain) = self.chains.remove(&call) else { return };
        while is_full(&chain) && chain.entries.front().is_some_and(|entry| !entry.is_open()) {
            self.write(&mut chain);
        }
        self.chains.insert(call, chain);
    }

    /// How a call without an answer went, as Asterisk tells by its cause.
    fn disposition(&self, cause: Cause) -> Disposition {
        match cause {
            Cause::USER_BUSY => Disposition::Busy,
            Cause::CONGESTION | Cause::SWITCH_CONGESTION | Cause::NETWORK_OUT_OF_ORDER => {
                match self.settings.congestion {
                    true => Disposition::Congestion,
                    false => Disposition::Failed,
                }
            }
            Cause::NO_ROUTE | Cause::SUBSCRIBER_ABSENT => Disposition::Failed,
            _ => Disposition::NoAnswer,
        }
    }
}

/// Who takes part in a call that begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started<'a> {
    pub(crate) number: &'a BStr,
    pub(crate) name: &'a BStr,
    pub(crate) dialled: &'a BStr,
}

/// What a running dialplan sees of its call's records and does to them.
impl Ledger {
    /// A step is about to be taken.
    pub(crate) fn step(&mut self, call: ChannelId, step: &Step<'_>, now: Now) {
        let needs_new = self.chains.get(&call).is_some_and(|it| it.needs_new(step.application));
        if needs_new {
            self.make_room(call);
        }
        let Some(chain) = self.chains.get_mut(&call) else { return };
        if needs_new {
            chain.begin(self.sequence, now);
            self.sequence = self.sequence.wrapping_add(1);
        }
        chain.step(step);
    }

    /// What is known of a channel has changed, perhaps.
    pub(crate) fn observe(&mut self, call: ChannelId, channel: &PlanChannel) {
        if let Some(chain) = self.chains.get_mut(&call) {
            chain.facts.observe(channel);
        }
    }

    /// The present record.
    pub(crate) fn record(&self, call: ChannelId) -> Option<&CallRecord> {
        Some(&self.chains.get(&call)?.entries.back()?.record)
    }

    /// The present record, to be changed.
    pub(crate) fn record_mut(&mut self, call: ChannelId) -> Option<&mut CallRecord> {
        Some(&mut self.chains.get_mut(&call)?.entries.back_mut()?.record)
    }

    /// The time as the call's records count it.
    pub(crate) fn date(&self, call: ChannelId, now: Now) -> Timestamp {
        self.chains.get(&call).map_or(now.wall, |chain| chain.date(now))
    }

    /// ResetCDR: all records of the call begin now.
    pub(crate) fn reset(&mut self, call: ChannelId, fields: RecordFields, now: Now) -> bool {
        let Some(chain) = self.chains.get_mut(&call) else { return false };
        let (date, is_up) = (chain.date(now), chain.life == Life::Up);
        for entry in &mut chain.entries {
            entry.record.restart(date);
            entry.record.answer = is_up.then_some(date);
            if !entry.is_open() {
                // It is over all the same.
                entry.record.end = Some(date);
            }
            if fields == RecordFields::Forgotten {
                entry.record.fields = Variables::new();
            }
        }
        true
    }

    /// ForkCDR: another record beside the present one. `false` when that is closed, or there are too
    /// many.
    pub(crate) fn fork(&mut self, call: ChannelId, fork: Fork, now: Now) -> bool {
        self.make_room(call);
        let Some(chain) = self.chains.get_mut(&call) else { return false };
        let forked = chain.entries.len() < MOST_OPEN && chain.fork(fork, self.sequence, now);
        self.sequence = self.sequence.wrapping_add(u32::from(forked));
        forked
    }
}

/// What a channel has unless something else is set.
const DOCUMENTATION: i32 = 3;
/// Records that a channel may have before it ends; older ones are written down early.
const MOST_OPEN: usize = 64;

#[cfg(test)]
mod tests {
    use diesis_dialplan::{
        host::Place,
        record::{Fork, ForkTimes},
    };
    use jiff::tz::TimeZone;

    use super::*;
    use crate::{cdr::CsvSettings, clock::clocks};

    struct Book {
        ledger: Ledger,
        now: Now,
    }

    impl Book {
        fn new(settings: CdrSettings) -> Self {
            Self { ledger: Ledger::new(settings), now: clocks() }
        }

        fn pass(&mut self, seconds: u64) {
            self.now = self.now + Duration::from_secs(seconds);
        }

        fn call(&mut self, id: u64, number: &str) -> ChannelId {
            let call = ChannelId::new(id);
            let channel = format!("PJSIP/{number}-{id}").into();
            let name = "Anna \"A\"\r\nX".into();
            let parties = Started { number: number.into(), name, dialled: "200".into() };
            self.ledger.started(call, &channel, parties, self.now);
            call
        }

        fn dial(&mut self, call: ChannelId, id: u64) -> ChannelId {
            self.pass(1);
            let leg = ChannelId::new(id);
            self.ledger.dial_began(call, leg, &format!("PJSIP/leg-{id}").into(), self.now);
            leg
        }

        fn hang_up(&mut self, after: u64, call: ChannelId, cause: Cause) {
            self.pass(after);
            self.ledger.hung_up(call, cause, self.now);
            self.ledger.ended(call, self.now);
        }

        fn step(&mut self, call: ChannelId, extension: &str, application: &str, depth: usize) {
            let place =
                Place { context: "phones".into(), extension: extension.into(), priority: 1 };
            let (application, arguments) = (application.into(), "x".into());
            self.ledger.step(call, &Step { place, depth, application, arguments }, self.now);
        }

        fn answer(&mut self, after: u64, call: ChannelId) {
            self.pass(after);
            self.ledger.answered(call, self.now);
        }

        fn bridge(&mut self, bridge: u64, calls: &[ChannelId]) {
            for &call in calls {
                self.ledger.bridge_entered(bridge, call, self.now);
            }
        }

        fn leave(&mut self, after: u64, bridge: u64, call: ChannelId) {
            self.pass(after);
            self.ledger.bridge_left(bridge, call, self.now);
        }

        fn end_dial(&mut self, call: ChannelId) {
            self.ledger.dial_ended(call, self.now);
        }

        /// From, to, with whom, how, seconds in all and billed.
        fn told(&mut self) -> Vec<(String, String, String, Disposition, u64, u64)> {
            let records = self.records();
            records
                .into_iter()
                .map(|it| {
                    let (whole, billed) = (it.duration.as_secs(), it.billable.as_secs());
                    let with = it.destination_channel.to_string();
                    let (from, to) = (it.channel.to_string(), it.destination.to_string());
                    (from, to, with, it.disposition, whole, billed)
                })
                .collect()
        }

        fn assert_nothing_left(&self) {
            let Ledger { chains, callers, bridges, .. } = &self.ledger;
            assert!(chains.is_empty() && callers.is_empty() && bridges.is_empty());
        }

        fn records(&mut self) -> Vec<Record> {
            std::iter::from_fn(|| self.ledger.poll_record()).collect()
        }
    }

    #[test]
    fn a_clock_that_is_set_back_during_a_call_changes_no_length() {
        let mut book = Book::new(CdrSettings::default());
        let call = book.call(1, "100");
        book.answer(5, call);
        book.now.wall -= jiff::SignedDuration::from_hours(3);
        book.hang_up(60, call, Cause::NORMAL_CLEARING);
        let records = book.records();
        assert_eq!(records[0].duration, Duration::from_secs(65));
        assert_eq!(records[0].billable, Duration::from_secs(60));
        assert_eq!(records[0].end.duration_since(records[0].start).as_secs(), 65);
        book.assert_nothing_left();
    }

    #[test]
    fn everybody_who_was_called_has_a_record_with_its_own_disposition() {
        let mut book = Book::new(CdrSettings::default());
        let call = book.call(1, "100");
        let (busy, answers, late) = (book.dial(call, 2), book.dial(call, 3), book.dial(call, 4));
        book.hang_up(1, busy, Cause::USER_BUSY);
        book.answer(1, answers);
        book.answer(0, call);
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
                ("PJSIP/leg-2".to_owned(), Busy, 0),
                ("PJSIP/leg-3".to_owned(), Answered, 30),
                ("PJSIP/leg-4".to_owned(), NoAnswer, 0),
            ]
        );
        book.assert_nothing_left();
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
        let settings = CdrSettings { initiated_seconds: true, ..CdrSettings::default() };
        let csv = CsvSettings { unique_id: true, new_columns: true, ..CsvSettings::default() };
        let mut book = Book::new(settings);
        let call = book.call(1, "100");
        book.answer(0, call);
        book.now = book.now + Duration::from_millis(1500);
        book.hang_up(0, call, Cause::NORMAL_CLEARING);
        let line = book.records()[0].csv_line(&csv, &TimeZone::UTC);
        let expected = "\"\",\"100\",\"200\",\"\",\"\"\"Anna \"\"A\"\"\\r\\nX\"\" <100>\",\"PJSIP/100-1\",\
            \"\",\"\",\"\",\"2026-03-10 10:00:00\",\"2026-03-10 10:00:00\",\"2026-03-10 10:00:01\",1,2,\
            \"ANSWERED\",\"DOCUMENTATION\",\"1773136800.1\",\"\",\"1773136800.1\",0\n";
        assert_eq!(line, expected);
    }

    use Disposition::{Answered, Busy, NoAnswer};

    fn row(
        parties: [&str; 3],
        went: Disposition,
        seconds: [u64; 2],
    ) -> (String, String, String, Disposition, u64, u64) {
        let [from, to, with] = parties.map(str::to_owned);
        (from, to, with, went, seconds[0], seconds[1])
    }

    #[test]
    fn who_goes_on_after_a_dial_has_a_record_of_that() {
        let mut book = Book::new(CdrSettings::default());
        let call = book.call(1, "100");
        book.step(call, "200", "Dial", 0);
        let leg = book.dial(call, 2);
        book.hang_up(4, leg, Cause::USER_BUSY);
        book.end_dial(call);
        book.step(call, "200", "VoiceMail", 0);
        book.answer(0, call);
        book.step(call, "s", "Playback", 1);
        book.hang_up(10, call, Cause::NORMAL_CLEARING);
        assert_eq!(
            book.told(),
            [
                row(["PJSIP/100-1", "200", "PJSIP/leg-2"], Busy, [5, 0]),
                row(["PJSIP/100-1", "200", ""], Answered, [10, 10]),
            ]
        );
        book.assert_nothing_left();
    }

    #[test]
    fn a_blind_transfer_splits_the_callers_call_in_two() {
        let mut book = Book::new(CdrSettings::default());
        let call = book.call(1, "100");
        book.step(call, "200", "Dial", 0);
        let first = book.dial(call, 2);
        book.answer(4, first);
        book.answer(0, call);
        book.bridge(7, &[call, first]);
        // The callee sends the caller to 300 and is gone.
        book.leave(10, 7, call);
        book.leave(0, 7, first);
        book.hang_up(0, first, Cause::NORMAL_CLEARING);
        book.end_dial(call);
        book.step(call, "300", "NoOp", 0);
        book.step(call, "300", "Dial", 0);
        let second = book.dial(call, 3);
        book.answer(2, second);
        book.bridge(8, &[call, second]);
        book.hang_up(20, call, Cause::NORMAL_CLEARING);
        book.leave(0, 8, call);
        book.leave(0, 8, second);
        book.hang_up(0, second, Cause::NORMAL_CLEARING);
        assert_eq!(
            book.told(),
            [
                row(["PJSIP/100-1", "200", "PJSIP/leg-2"], Answered, [15, 10]),
                row(["PJSIP/100-1", "300", "PJSIP/leg-3"], Answered, [23, 23]),
            ]
        );
        book.assert_nothing_left();
    }

    #[test]
    fn who_is_left_by_an_attended_transfer_has_a_record_with_the_new_partner() {
        let mut book = Book::new(CdrSettings::default());
        let mut ends = vec![];
        for (caller, leg, bridge) in [(1, 2, 7), (3, 4, 8)] {
            let call = book.call(caller, "100");
            book.step(call, "200", "Dial", 0);
            let leg = book.dial(call, leg);
            book.answer(1, leg);
            book.answer(0, call);
            book.bridge(bridge, &[call, leg]);
            ends.push((call, leg));
        }
        let [(held, _), (transferor, target)] = ends[..] else { panic!() };
        // The second caller's place is taken by the first one.
        book.leave(10, 7, held);
        book.leave(0, 8, transferor);
        book.hang_up(0, transferor, Cause::NORMAL_CLEARING);
        book.bridge(8, &[held]);
        book.hang_up(5, held, Cause::NORMAL_CLEARING);
        let told = book.told();
        assert_eq!(told[0], row(["PJSIP/100-3", "200", "PJSIP/leg-4"], Answered, [12, 10]));
        assert_eq!(told[1].2, "PJSIP/leg-2");
        assert_eq!(told[2], row(["PJSIP/100-1", "200", "PJSIP/leg-4"], Answered, [5, 5]));
        assert_eq!(told.len(), 3);
        let _ = target;
    }

    #[test]
    fn the_destination_is_not_the_subroutine_and_the_application_is_the_last_one_before_h() {
        let mut book = Book::new(CdrSettings::default());
        let call = book.call(1, "100");
        book.answer(0, call);
        book.step(call, "200", "Gosub", 0);
        book.step(call, "s", "Playback", 1);
        let now = book.now;
        book.ledger.hung_up(call, Cause::NORMAL_CLEARING, now);
        book.step(call, "h", "NoOp", 0);
        let seen = book.ledger.record(call).unwrap();
        assert_eq!((seen.disposition, seen.end.is_some()), (Answered, true));
        book.ledger.ended(call, now);
        let records = book.records();
        assert_eq!(records[0].destination, "200");
        assert_eq!(records[0].last_application, "Playback");

        let settings = CdrSettings { end_before_h: false, ..CdrSettings::default() };
        let mut book = Book::new(settings);
        let call = book.call(1, "100");
        book.answer(0, call);
        let now = book.now;
        book.ledger.hung_up(call, Cause::NORMAL_CLEARING, now);
        book.step(call, "h", "NoOp", 0);
        assert_eq!(book.ledger.record(call).unwrap().end, None);
        book.pass(3);
        let now = book.now;
        book.ledger.ended(call, now);
        let records = book.records();
        assert_eq!((&records[0].destination, records[0].duration.as_secs()), (&"h".into(), 3));
    }

    #[test]
    fn a_record_is_reset_forked_and_disabled() {
        let fork = Fork { times: ForkTimes::Same, ends_others: true, keeps_fields: false };
        let mut book = Book::new(CdrSettings::default());
        let call = book.call(1, "100");
        book.answer(2, call);
        book.pass(10);
        book.ledger.record_mut(call).unwrap().fields.set(b"x", b"1");
        let now = book.now;
        assert!(book.ledger.reset(call, RecordFields::Kept, now));
        book.pass(5);
        let now = book.now;
        assert!(book.ledger.fork(call, fork, now));
        book.pass(1);
        let now = book.now;
        let late = Fork { times: ForkTimes::Now, ..fork };
        assert!(book.ledger.fork(call, late, now));
        book.hang_up(7, call, Cause::NORMAL_CLEARING);
        let records = book.records();
        let lengths: Vec<_> =
            records.iter().map(|it| (it.duration.as_secs(), it.fields.len())).collect();
        assert_eq!(lengths, [(5, 1), (6, 0), (7, 0)]);
        let sequences: Vec<_> = records.iter().map(|it| it.sequence).collect();
        assert_eq!(sequences, [0, 1, 2]);

        let call = book.call(2, "100");
        book.answer(0, call);
        book.ledger.record_mut(call).unwrap().is_disabled = true;
        book.step(call, "200", "Dial", 0);
        let leg = book.dial(call, 3);
        book.hang_up(1, leg, Cause::USER_BUSY);
        book.step(call, "200", "NoOp", 0);
        book.hang_up(1, call, Cause::NORMAL_CLEARING);
        assert_eq!(book.told(), [], "what is disabled stays so for what follows");
    }

    #[test]
    fn a_dialplan_that_calls_for_ever_does_not_fill_the_memory() {
        let mut book = Book::new(CdrSettings::default());
        let call = book.call(1, "100");
        for round in 0..1000 {
            book.step(call, "200", "Dial", 0);
            let leg = book.dial(call, 10 + round);
            book.hang_up(0, leg, Cause::NO_ANSWER);
            book.step(call, "200", "NoOp", 0);
        }
        assert!(book.ledger.chains[&call].entries.len() <= MOST_OPEN);
        assert!(book.records().len() > 900);
        for _ in 0..2 * MOST_OPEN {
            let now = book.now;
            let fork = Fork { times: ForkTimes::Same, ends_others: false, keeps_fields: true };
            book.ledger.fork(call, fork, now);
        }
        assert!(book.ledger.chains[&call].entries.len() <= MOST_OPEN);
        let now = book.now;
        book.ledger.close_all(now);
        book.ledger.ended(ChannelId::new(9), now);
        assert!(book.ledger.chains.is_empty());
    }

    #[test]
    fn an_answered_caller_whose_dial_nobody_answers_is_billed_for_the_ringing() {
        let mut book = Book::new(CdrSettings::default());
        let call = book.call(1, "100");
        book.answer(1, call);
        book.step(call, "200", "Dial", 0);
        let leg = book.dial(call, 2);
        book.hang_up(8, leg, Cause::NO_ANSWER);
        book.hang_up(0, call, Cause::NORMAL_CLEARING);
        assert_eq!(book.told(), [row(["PJSIP/100-1", "200", "PJSIP/leg-2"], NoAnswer, [10, 9])]);
    }
}
