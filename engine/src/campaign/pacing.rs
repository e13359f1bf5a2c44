//! When whom to call: never too many at a time, never too fast, and again where that helps.
//!
//! Knows no clock and makes no calls: it is asked whom to call next, and told what came of each.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::{Outcome, Retries};

/// How much, how fast, how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Calls at a time; at least 1.
    pub concurrency: usize,
    /// From the begin of one call to that of the next, at least.
    pub interval: Duration,
    /// Attempts of one number on one day.
    pub per_day: Option<u32>,
    /// Which calls are made again.
    pub retries: Retries,
}

impl Default for Limits {
    /// Ten at a time, one a second, nothing twice.
    fn default() -> Self {
        Self {
            concurrency: 10,
            interval: Duration::from_secs(1),
            per_day: None,
            retries: Retries::default(),
        }
    }
}

/// One of those to be called: its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry(pub usize);

/// Whether calls may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// They may.
    Open,
    /// Not before then; `None`: nobody knows when.
    Closed(Option<Timestamp>),
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Call this one; it is its attempt of that number, from 1.
    Call(Entry, u32),
    /// Ask again then, or when a call ends.
    Wait(Timestamp),
    /// Ask again when a call ends.
    WaitForCalls,
    /// All is done.
    Done,
}

/// What follows a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Final,
    /// It is made again, then.
    Again(Timestamp),
}

/// How an entry ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Final {
    /// What its last call came to.
    pub outcome: Outcome,
    /// How many there were.
    pub attempts: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Over(Outcome),
}

#[derive(Debug, Clone, Copy)]
struct Course {
    state: State,
    attempts: u32,
    /// When it is called again; what the queues say otherwise is no longer true.
    due: Option<Timestamp>,
    /// The day of the last attempt, and how many there were on it.
    day: Option<(Date, u32)>,
}

impl Course {
    fn waits_until(&self, due: Option<Timestamp>) -> bool {
        self.state == State::Waiting && self.due == due
    }
}

/// The course of a campaign.
#[derive(Debug, Clone)]
pub struct Pacing {
    limits: Limits,
    zone: TimeZone,
    courses: Vec<Course>,
    /// Never called, in the order of the list.
    fresh: VecDeque<usize>,
    /// To be called again, the earliest first.
    later: BinaryHeap<Reverse<(Timestamp, usize)>>,
    running: usize,
    over: usize,
    last: Option<Timestamp>,
}

impl Pacing {
    /// A campaign of so many, of which nobody was called yet. Days are those of `zone`.
    pub fn new(count: usize, limits: Limits, zone: TimeZone) -> Self {
        let course = Course { state: State::Waiting, attempts: 0, due: None, day: None };
        Self {
            limits,
            zone,
            courses: vec![course; count],
            fresh: (0..count).collect(),
            later: BinaryHeap::new(),
            running: 0,
            over: 0,
            last: None,
        }
    }

    /// Takes an attempt into account that was made before, when the campaign is taken up again.
    /// They come in their order, before the first question for [`next`](Self::next).
    pub fn restore(&mut self, entry: Entry, begun: Timestamp, outcome: Outcome, ended: Timestamp) {
        let Some(course) = self.courses.get(entry.0) else { return };
        match course.state {
            State::Over(_) => self.over -= 1,
            State::Waiting => {}
            State::Running => return,
        }
        self.begin(entry.0, begun);
        self.last = self.last.max(Some(begun));
        self.end(entry, outcome, ended);
    }

    /// Whom to call now. Who is named is taken to be called.
    pub fn next(&mut self, now: Timestamp, opening: Opening) -> Next {
        if self.over == self.courses.len() {
            return Next::Done;
        }
        self.tidy();
        let due = self.due();
        let earliest = match (due.filter(|due| *due <= now), self.fresh.is_empty()) {
            (Some(_), _) | (None, false) => Some(now),
            (None, true) => due,
        };
        // All that are left are being called.
        let Some(earliest) = earliest else { return Next::WaitForCalls };
        if self.running >= self.limits.concurrency.max(1) {
            return Next::WaitForCalls;
        }
        if let Opening::Closed(until) = opening {
            let again =
                until.filter(|until| *until > now).unwrap_or_else(|| later(now, LOOK_AGAIN));
            return Next::Wait(again.max(earliest));
        }
        // A clock that was set back holds nobody up.
        let last = self.last.filter(|last| *last <= now);
        let earliest = earliest.max(last.map_or(now, |last| later(last, self.limits.interval)));
        if earliest > now {
            return Next::Wait(earliest);
        }
        loop {
            let index = match self.due() {
                Some(due) if due <= now => self.later.pop().map(|Reverse((_, index))| index),
                _ => self.fresh.pop_front(),
            };
            let Some(index) = index else {
                // Those that were due have had their calls of the day.
                return self.due().map_or(Next::WaitForCalls, Next::Wait);
            };
            if let Some(morning) = self.held_until(index, now) {
                self.put_off(index, morning);
                self.tidy();
                continue;
            }
            self.begin(index, now);
            self.last = Some(now);
            return Next::Call(Entry(index), self.courses[index].attempts);
        }
    }

    /// A call is over.
    pub fn end(&mut self, entry: Entry, outcome: Outcome, now: Timestamp) -> Verdict {
        let Some(course) = self.courses.get_mut(entry.0) else { return Verdict::Final };
        if course.state != State::Running {
            return Verdict::Final;
        }
        self.running -= 1;
        let rule = self.limits.retries.rule(outcome);
        if course.attempts > rule.times {
            course.state = State::Over(outcome);
            self.over += 1;
            return Verdict::Final;
        }
        course.state = State::Waiting;
        let due = later(now, rule.after);
        let due = self.held_until(entry.0, due).unwrap_or(due);
        self.put_off(entry.0, due);
        Verdict::Again(due)
    }

    /// A call that was begun was not made after all.
    pub fn take_back(&mut self, entry: Entry) {
        let Some(course) = self.courses.get_mut(entry.0) else { return };
        if course.state != State::Running {
            return;
        }
        self.running -= 1;
        course.state = State::Waiting;
        course.attempts -= 1;
        if let Some((_, count)) = &mut course.day {
            *count = count.saturating_sub(1);
        }
        self.put_off(entry.0, Timestamp::MIN);
    }

    /// How many are being called.
    pub fn running(&self) -> usize {
        self.running
    }

    /// How many are done with.
    pub fn over(&self) -> usize {
        self.over
    }

    /// How one ended, if it did.
    pub fn final_of(&self, entry: Entry) -> Option<Final> {
        let course = self.courses.get(entry.0)?;
        match course.state {
            State::Over(outcome) => Some(Final { outcome, attempts: course.attempts }),
            State::Waiting | State::Running => None,
        }
    }

    /// Drops what the queues say and is no longer true, as far as it stands in front.
    fn tidy(&mut self) {
        while let Some(Reverse((due, index))) = self.later.peek()
            && !self.courses[*index].waits_until(Some(*due))
        {
            self.later.pop();
        }
        while let Some(index) = self.fresh.front()
            && !self.courses[*index].waits_until(None)
        {
            self.fresh.pop_front();
        }
    }

    fn due(&self) -> Option<Timestamp> {
        self.later.peek().map(|Reverse((due, _))| *due)
    }

    fn put_off(&mut self, index: usize, due: Timestamp) {
        self.courses[index].due = Some(due);
        self.later.push(Reverse((due, index)));
    }

    fn begin(&mut self, index: usize, now: Timestamp) {
        let today = self.day_of(now);
        let course = &mut self.courses[index];
        course.state = State::Running;
        course.due = None;
        course.attempts = course.attempts.saturating_add(1);
        course.day = match course.day {
            Some((day, count)) if day == today => Some((day, count.saturating_add(1))),
            _ => Some((today, 1)),
        };
        self.running += 1;
    }

    /// The next day, when this one had its calls on the day of `at`.
    fn held_until(&self, index: usize, at: Timestamp) -> Option<Timestamp> {
        let most = self.limits.per_day?.max(1);
        let today = self.day_of(at);
        let (day, count) = self.courses[index].day?;
        if day != today || count < most {
            return None;
        }
        let morning = today.tomorrow().ok()?.to_zoned(self.zone.clone()).ok()?;
        Some(morning.timestamp())
    }

    fn day_of(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }
}

fn later(at: Timestamp, time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    at.checked_add(time).unwrap_or(Timestamp::MAX)
}

/// How often it is asked whether calls may be made, when nobody knows when.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
