use proptest::prelude::*;

use super::{super::Retry, *};

fn at(seconds: i64) -> Timestamp {
    // A Sunday, 08:00.
    "2026-11-22T08:00:00Z".parse::<Timestamp>().expect("a time")
        + SignedDuration::from_secs(seconds)
}

fn limits(concurrency: usize, interval: u64) -> Limits {
    Limits { concurrency, interval: Duration::from_secs(interval), ..Limits::default() }
}

fn pacing(count: usize, limits: Limits) -> Pacing {
    Pacing::new(count, limits, TimeZone::UTC)
}

#[test]
fn so_many_at_a_time_and_so_many_a_second() {
    let mut pacing = pacing(3, limits(2, 5));
    assert_eq!(pacing.next(at(0), Opening::Open), Next::Call(Entry(0), 1));
    assert_eq!(pacing.next(at(0), Opening::Open), Next::Wait(at(5)));
    assert_eq!(pacing.next(at(5), Opening::Open), Next::Call(Entry(1), 1));
    assert_eq!(pacing.next(at(60), Opening::Open), Next::WaitForCalls);
    assert_eq!(pacing.end(Entry(0), Outcome::Answered, at(61)), Verdict::Final);
    assert_eq!(pacing.next(at(61), Opening::Open), Next::Call(Entry(2), 1));
    pacing.end(Entry(1), Outcome::Busy, at(62));
    pacing.end(Entry(2), Outcome::Human, at(62));
    assert_eq!(pacing.next(at(62), Opening::Open), Next::Done);
    assert_eq!(pacing.final_of(Entry(1)), Some(Final { outcome: Outcome::Busy, attempts: 1 }));
}

#[test]
fn each_outcome_is_tried_again_by_its_own_rule() {
    let mut retries = Retries::of_failures(Retry { times: 1, after: Duration::from_secs(600) });
    retries.set(Outcome::Machine, Retry { times: 2, after: Duration::from_secs(60) });
    let mut pacing = pacing(1, Limits { retries, ..limits(1, 0) });
    assert_eq!(pacing.next(at(0), Opening::Open), Next::Call(Entry(0), 1));
    assert_eq!(pacing.end(Entry(0), Outcome::Busy, at(10)), Verdict::Again(at(610)));
    assert_eq!(pacing.next(at(10), Opening::Open), Next::Wait(at(610)));
    assert_eq!(pacing.next(at(610), Opening::Open), Next::Call(Entry(0), 2));
    assert_eq!(pacing.end(Entry(0), Outcome::Machine, at(620)), Verdict::Again(at(680)));
    assert_eq!(pacing.next(at(700), Opening::Open), Next::Call(Entry(0), 3));
    // The third attempt: one more is not for busy, and none for machines.
    assert_eq!(pacing.end(Entry(0), Outcome::Machine, at(720)), Verdict::Final);
    assert_eq!(pacing.next(at(720), Opening::Open), Next::Done);
}

#[test]
fn a_day_has_so_many_attempts_of_a_number() {
    let retries = Retries::of_failures(Retry { times: 9, after: Duration::from_secs(3600) });
    let zone = TimeZone::get("Europe/Paris").expect("a zone");
    let limits = Limits { retries, per_day: Some(2), ..limits(1, 0) };
    let mut pacing = Pacing::new(1, limits, zone);
    assert_eq!(pacing.next(at(0), Opening::Open), Next::Call(Entry(0), 1));
    assert_eq!(pacing.end(Entry(0), Outcome::Busy, at(0)), Verdict::Again(at(3600)));
    assert_eq!(pacing.next(at(3600), Opening::Open), Next::Call(Entry(0), 2));
    // Midnight in Paris is 23:00 here, fifteen hours from the beginning.
    let midnight = at(15 * 3600);
    assert_eq!(pacing.end(Entry(0), Outcome::Busy, at(3600)), Verdict::Again(midnight));
    assert_eq!(pacing.next(midnight, Opening::Open), Next::Call(Entry(0), 3));
}

#[test]
fn nobody_is_called_while_it_is_closed() {
    let mut pacing = pacing(1, limits(1, 0));
    assert_eq!(pacing.next(at(0), Opening::Closed(Some(at(500)))), Next::Wait(at(500)));
    assert_eq!(pacing.next(at(0), Opening::Closed(None)), Next::Wait(at(60)));
    assert_eq!(pacing.next(at(500), Opening::Open), Next::Call(Entry(0), 1));
}

#[test]
fn a_call_that_was_not_made_counts_for_nothing() {
    let limits = Limits { per_day: Some(1), ..limits(1, 0) };
    let mut pacing = pacing(2, limits);
    assert_eq!(pacing.next(at(0), Opening::Open), Next::Call(Entry(0), 1));
    pacing.take_back(Entry(0));
    assert_eq!(pacing.running(), 0);
    assert_eq!(pacing.next(at(1), Opening::Open), Next::Call(Entry(0), 1));
}

#[test]
fn a_clock_that_is_set_back_holds_nobody_up() {
    let mut pacing = pacing(2, limits(2, 10));
    assert_eq!(pacing.next(at(3600), Opening::Open), Next::Call(Entry(0), 1));
    assert_eq!(pacing.next(at(0), Opening::Open), Next::Call(Entry(1), 1));
}

/// One campaign under virtual time: what calls come to, and how long they take, is arbitrary.
#[derive(Debug, Clone)]
struct Scene {
    count: usize,
    limits: Limits,
    courses: Vec<(Outcome, u64)>,
    /// After so many ended calls it is killed, and taken up again.
    killed: usize,
}

fn scene() -> impl Strategy<Value = Scene> {
    let rule = (0u32..3, 0u64..200);
    let rule = rule.prop_map(|(times, after)| Retry { times, after: Duration::from_secs(after) });
    let rules = prop::collection::vec((prop::sample::select(Outcome::ALL.to_vec()), rule), 0..6);
    let limits = (1usize..5, 0u64..8, prop::option::of(1u32..3), rules);
    let limits = limits.prop_map(|(concurrency, interval, per_day, rules)| {
        let mut retries = Retries::default();
        rules.into_iter().for_each(|(outcome, rule)| retries.set(outcome, rule));
        Limits { concurrency, interval: Duration::from_secs(interval), per_day, retries }
    });
    let course = (prop::sample::select(Outcome::ALL.to_vec()), 0u64..90);
    let courses = prop::collection::vec(course, 1..40);
    (1usize..12, limits, courses, 0usize..20).prop_map(|(count, limits, courses, killed)| Scene {
        count,
        limits,
        courses,
        killed,
    })
}

/// An attempt: who, its begin, its outcome, its end.
type Made = (Entry, Timestamp, Outcome, Timestamp);

impl Scene {
    /// Runs until all is done, or so many calls have ended; those that run then are lost.
    fn run(&self, pacing: &mut Pacing, mut now: Timestamp, most: usize) -> (Vec<Made>, bool) {
        let (mut made, mut running): (Vec<Made>, Vec<Made>) = (vec![], vec![]);
        let mut begun = 0;
        for _ in 0..10_000 {
            running.sort_by_key(|call| Reverse(call.3));
            if let Some(call) = running.pop_if(|call| call.3 <= now) {
                if made.len() == most {
                    return (made, false);
                }
                pacing.end(call.0, call.2, call.3);
                made.push(call);
                continue;
            }
            let ends = running.last().map(|call| call.3);
            now = match pacing.next(now, Opening::Open) {
                Next::Call(entry, _) => {
                    assert!(running.iter().all(|call| call.0 != entry), "called twice at a time");
                    let (outcome, takes) = self.courses[begun % self.courses.len()];
                    begun += 1;
                    running.push((entry, now, outcome, later(now, Duration::from_secs(takes))));
                    assert!(running.len() <= self.limits.concurrency, "too many at a time");
                    assert_eq!(running.len(), pacing.running());
                    now
                }
                Next::Wait(until) => {
                    assert!(until > now, "it would be asked for ever");
                    ends.map_or(until, |ends| ends.min(until))
                }
                Next::WaitForCalls => ends.expect("a call that is waited for"),
                Next::Done => {
                    assert!(running.is_empty());
                    return (made, true);
                }
            };
        }
        panic!("it does not come to an end");
    }

    fn check(&self, made: &[Made]) {
        let mut begins: Vec<_> = made.iter().map(|call| call.1).collect();
        begins.sort();
        let interval = SignedDuration::try_from(self.limits.interval).expect("seconds");
        assert!(begins.windows(2).all(|two| two[1].duration_since(two[0]) >= interval), "too fast");
        for entry in (0..self.count).map(Entry) {
            let own: Vec<_> = made.iter().filter(|call| call.0 == entry).collect();
            for (number, call) in (1..).zip(&own) {
                let rule = self.limits.retries.rule(call.2);
                let is_last = number == own.len();
                assert_eq!(is_last, number > rule.times as usize, "{entry:?} {own:?}");
            }
            for two in own.windows(2) {
                let after = self.limits.retries.rule(two[0].2).after;
                assert!(
                    two[1].1.duration_since(two[0].3) >= SignedDuration::try_from(after).unwrap()
                );
            }
            if let Some(most) = self.limits.per_day {
                let mut days: Vec<Date> =
                    own.iter().map(|call| call.1.to_zoned(TimeZone::UTC).date()).collect();
                days.sort();
                for day in days.chunk_by(|one, other| one == other) {
                    assert!(day.len() <= most as usize, "{entry:?} on {day:?}");
                }
            }
        }
    }
}

proptest! {
    /// Never above the concurrency, never above the rate, and every number ends in one final state
    /// by the rules of its outcomes.
    #[test]
    fn limits_hold_and_all_come_to_an_end(scene in scene()) {
        let mut pacing = pacing(scene.count, scene.limits.clone());
        let (made, done) = scene.run(&mut pacing, at(0), usize::MAX);
        prop_assert!(done);
        scene.check(&made);
        for entry in (0..scene.count).map(Entry) {
            let last = made.iter().rev().find(|call| call.0 == entry).expect("it was called");
            let is_final = pacing.final_of(entry).expect("it is final");
            prop_assert_eq!(is_final.outcome, last.2);
            let attempts = made.iter().filter(|call| call.0 == entry).count();
            prop_assert_eq!(is_final.attempts as usize, attempts);
        }
    }

    /// A campaign that is killed and taken up again makes the calls it would have made, and to take
    /// it up twice is the same as once.
    #[test]
    fn what_is_taken_up_again_goes_on_as_it_would_have(scene in scene()) {
        let mut first = pacing(scene.count, scene.limits.clone());
        let (mut made, _) = scene.run(&mut first, at(0), scene.killed);
        let restored = || {
            let mut again = pacing(scene.count, scene.limits.clone());
            for (entry, begun, outcome, ended) in &made {
                again.restore(*entry, *begun, *outcome, *ended);
            }
            again
        };
        let (one, mut two) = (restored(), restored());
        for entry in (0..scene.count).map(Entry) {
            prop_assert_eq!(one.final_of(entry), two.final_of(entry));
        }
        let now = made.iter().map(|call| call.3).max().unwrap_or_default().max(at(3600));
        let (rest, done) = scene.run(&mut two, now, usize::MAX);
        prop_assert!(done);
        made.sort_by_key(|call| call.1);
        made.extend(rest);
        scene.check(&made);
    }
}
