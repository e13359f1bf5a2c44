//! The records of one channel, from its beginning to its end, one after the other.

use std::collections::VecDeque;

use bstr::{BStr, BString};
use diesis_dialplan::{
    channel::Channel as PlanChannel,
    host::Step,
    record::{CallRecord, Disposition, Fork, ForkTimes},
    variables::Variables,
};
use jiff::Timestamp;

use super::{Quality, Record};
use crate::{
    channel::{Cause, ChannelId},
    clock::Now,
};

/// A channel with its records.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) channel: BString,
    /// Its dates are counted from here.
    began: Now,
    /// Which of two was there first.
    pub(super) order: u64,
    pub(super) facts: Facts,
    pub(super) role: Role,
    pub(super) life: Life,
    /// Never empty; the last is the present one.
    pub(super) entries: VecDeque<Entry>,
}

/// How a channel came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It called, or an embedder made it.
    Caller,
    /// It was made by a Dial: records of others tell of it.
    Dialled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Early,
    Up,
    /// Hung up; the cause decides what has not been decided yet.
    Over(Cause),
}

/// What a record tells of a channel besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) number: BString,
    pub(super) name: BString,
    pub(super) account_code: BString,
    pub(super) user_field: BString,
    pub(super) ama_flags: i32,
    pub(super) unique_id: BString,
    pub(super) linked_id: BString,
    /// How its media was so far.
    pub(super) media: Option<Quality>,
}

/// One record on its way.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: CallRecord,
    pub(super) state: State,
    /// Whether its last application is decided: a Dial without anybody to call is what is told.
    is_named: bool,
    /// Who else it is about.
    pub(super) partner: Option<ChannelId>,
    /// Whether it began with a bridge, and not with a call to somebody.
    pub(super) bridged_only: bool,
    /// What was known when the entry was closed; most of a call's time it is not.
    closing: Option<Box<Closing>>,
}

/// What is known when an entry is closed.
#[derive(Debug, Clone, Default)]
struct Closing {
    /// Of the channel.
    facts: Facts,
    /// Of whom it is about besides.
    partner: Facts,
}

/// How far along a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The channel runs its dialplan.
    Alone,
    /// It calls the partner.
    Dialling,
    /// The partner answered.
    Answered,
    /// It talks with the partner.
    Bridged,
    /// Nothing more happens to it.
    Closed,
}

impl Facts {
    /// Takes what the dialplan knows of the channel.
    pub(super) fn observe(&mut self, channel: &PlanChannel) {
        let take = |field: &mut BString, now: &BString| {
            if field != now {
                field.clone_from(now);
            }
        };
        let empty = BString::default();
        take(&mut self.number, channel.caller.number.as_ref().unwrap_or(&empty));
        take(&mut self.name, channel.caller.name.as_ref().unwrap_or(&empty));
        take(&mut self.account_code, &channel.account_code);
        take(&mut self.user_field, &channel.user_field);
        take(&mut self.unique_id, &channel.unique_id);
        let linked =
            if channel.linked_id.is_empty() { &channel.unique_id } else { &channel.linked_id };
        take(&mut self.linked_id, linked);
        self.ama_flags = channel.ama_flags;
    }
}

impl Entry {
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Whether it is open and about this one.
    pub(super) fn is_with(&self, partner: ChannelId) -> bool {
        self.is_open() && self.partner == Some(partner)
    }
}

impl Chain {
    pub(super) fn new(channel: BString, facts: Facts, order: u64, now: Now) -> Self {
        let (role, life) = (Role::Caller, Life::Early);
        // Most channels have one record.
        Self { channel, began: now, order, facts, role, life, entries: VecDeque::with_capacity(1) }
    }

    /// The date of an instant, as far from the beginning as the monotonic clock says.
    pub(super) fn date(&self, now: Now) -> Timestamp {
        self.began.wall_at(now.instant)
    }

    /// Begins a record: one that continues the last one's place, but with times of its own.
    pub(super) fn begin(&mut self, sequence: u32, now: Now) -> &mut Entry {
        let date = self.date(now);
        let mut record = CallRecord::new(date);
        record.sequence = sequence;
        record.answer = (self.life == Life::Up).then_some(date);
        if let Some(last) = self.entries.back() {
            record.context.clone_from(&last.record.context);
            record.extension.clone_from(&last.record.extension);
            record.last_application.clone_from(&last.record.last_application);
            record.last_data.clone_from(&last.record.last_data);
            record.is_disabled = last.record.is_disabled;
            record.is_caller = last.record.is_caller;
        }
        self.push(record, State::Alone)
    }

    fn push(&mut self, record: CallRecord, state: State) -> &mut Entry {
        self.entries.push_back(Entry {
            record,
            state,
            is_named: false,
            partner: None,
            bridged_only: false,
            closing: None,
        });
        self.entries.back_mut().expect("one was just put there")
    }

    /// Begins a record from the present one; `false` when that is closed.
    pub(super) fn fork(&mut self, fork: Fork, sequence: u32, now: Now) -> bool {
        let date = self.date(now);
        let Some(last) = self.entries.back().filter(|last| last.is_open()) else { return false };
        let mut record = last.record.clone();
        record.sequence = sequence;
        if !fork.keeps_fields {
            record.fields = Variables::new();
        }
        match fork.times {
            ForkTimes::Same => {}
            ForkTimes::AnsweredNow => record.answer = record.answer.map(|_| date),
            ForkTimes::Now => record.restart(date),
        }
        let (state, partner) = (last.state, last.partner);
        if fork.ends_others {
            // They are told with what is known now, as if the channel had gone.
            let facts = Facts::default();
            self.close(now, |_| true, &facts, Disposition::Failed);
        }
        self.push(record, state).partner = partner;
        true
    }

    /// A step of the dialplan begins.
    pub(super) fn step(&mut self, step: &Step<'_>) {
        let Some(last) = self.entries.back_mut().filter(|last| last.is_open()) else { return };
        let record = &mut last.record;
        // The buffers stay: a step does not allocate.
        let keep = |field: &mut BString, value: &BStr| {
            field.clear();
            field.extend_from_slice(value);
        };
        // Subroutines are not where the caller wanted to go; clean-up is where it is.
        if step.depth == 0 || matches!(self.life, Life::Over(_)) {
            keep(&mut record.context, step.place.context);
            keep(&mut record.extension, step.place.extension);
        }
        if !last.is_named {
            keep(&mut record.last_application, step.application);
            keep(&mut record.last_data, step.arguments);
            last.is_named = step.application == "Dial";
        }
    }

    /// A step of the dialplan is about to begin. Whether a new record has to begin before.
    pub(super) fn needs_new(&self, application: &BStr) -> bool {
        let Some(last) = self.entries.back() else { return true };
        match last.state {
            State::Closed => !self.is_over() && last.record.last_application != application,
            State::Alone | State::Dialling | State::Answered | State::Bridged => false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.life, Life::Over(_))
    }

    /// Closes the open entries that `which` names. Without an answer by its state, `unanswered` is
    /// how they went.
    pub(super) fn close(
        &mut self,
        now: Now,
        which: impl Fn(&Entry) -> bool,
        partner: &Facts,
        unanswered: Disposition,
    ) {
        let date = self.date(now);
        for entry in self.entries.iter_mut().filter(|entry| entry.is_open() && which(entry)) {
            entry.record.disposition = match entry.state {
                State::Answered | State::Bridged => Disposition::Answered,
                State::Alone if entry.record.answer.is_some() => Disposition::Answered,
                State::Alone | State::Dialling | State::Closed => unanswered,
            };
            entry.record.end = Some(date);
            entry.state = State::Closed;
            let (facts, partner) = (self.facts.clone(), partner.clone());
            entry.closing = Some(Box::new(Closing { facts, partner }));
        }
    }

    /// Forgets records about a partner who was met for no time at all: one who took another's place
    /// in a bridge.
    pub(super) fn forget_moments(&mut self, partner: ChannelId) {
        if self.entries.len() > 1
            && let Some(last) = self.entries.back()
            && last.partner == Some(partner)
            && last.bridged_only
            && last.record.end == Some(last.record.start)
        {
            self.entries.pop_back();
        }
    }

    /// The channel is answered.
    pub(super) fn answer(&mut self, now: Now) {
        self.life = Life::Up;
        let date = self.date(now);
        let talks = |entry: &Entry| matches!(entry.state, State::Answered | State::Bridged);
        // Those who were called as well, and did not answer, have not been answered by this.
        let by_another = self.entries.iter().any(talks);
        for entry in self.entries.iter_mut().filter(|entry| entry.is_open()) {
            if entry.state != State::Dialling || !by_another {
                entry.record.answer.get_or_insert(date);
            }
        }
    }

    /// A closed entry as a record.
    pub(super) fn record(&self, entry: Entry, is_last: bool) -> Record {
        let Entry { record, closing, .. } = entry;
        let Closing { facts, partner } = closing.map(|closing| *closing).unwrap_or_default();
        let end = record.end.unwrap_or(record.start);
        let since = |at: Timestamp| end.duration_since(at).try_into().unwrap_or_default();
        let caller_id = match facts.name.is_empty() {
            true => facts.number.clone(),
            false => format!("\"{}\" <{}>", facts.name, facts.number).into(),
        };
        // What the `h` extension wrote counts.
        let mut user_field = if is_last { self.facts.user_field.clone() } else { facts.user_field };
        if !partner.user_field.is_empty() {
            user_field.push(b';');
            user_field.extend_from_slice(&partner.user_field);
        }
        Record {
            account_code: facts.account_code,
            source: facts.number,
            destination: record.extension,
            context: record.context,
            caller_id,
            channel: self.channel.clone(),
            destination_channel: record.destination_channel,
            last_application: record.last_application,
            last_data: record.last_data,
            start: record.start,
            answer: record.answer,
            end,
            duration: since(record.start),
            billable: record.answer.map(since).unwrap_or_default(),
            disposition: record.disposition,
            ama_flags: facts.ama_flags,
            unique_id: facts.unique_id,
            user_field,
            peer_account: partner.account_code,
            linked_id: facts.linked_id,
            sequence: record.sequence,
            fields: fields(&record.fields),
            // The last figures come when the stream is closed.
            media: if is_last { self.facts.media } else { facts.media },
            peer_media: partner.media,
        }
    }
}

/// The dialplan's own fields, by name.
fn fields(fields: &Variables) -> Vec<(BString, BString)> {
    let mut fields: Vec<(BString, BString)> = fields
        .newest_first()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    fields.sort();
    fields
}
