use std::time::Duration;

use diesis_dialplan::videoshare::{Limits, Way};

use super::calling::{AT_ONCE, PAUSE};
use super::*;
use crate::{clock::clocks, entropy::Entropy};

fn room() -> Room {
    let mut room = Room::new("board", Person::new("1"));
    room.people.extend(["2", "3", "4"].map(Person::new));
    room.people[3].way = Way::In;
    room.limits = Limits {
        people: Some(3),
        duration: Some(Duration::from_secs(900)),
        wait: Some(Duration::from_secs(300)),
    };
    room
}

/// What the switch knows of the calls of a meeting.
#[derive(Default)]
struct Calls {
    /// Made and not answered, by person.
    ringing: Vec<(usize, ChannelId)>,
    /// Answered, and in no room yet.
    asked: Vec<(usize, ChannelId)>,
    /// In the room.
    inside: Vec<(usize, ChannelId)>,
    reports: usize,
}

impl Calls {
    fn forget(&mut self, channel: ChannelId) {
        for calls in [&mut self.ringing, &mut self.asked, &mut self.inside] {
            calls.retain(|(_, other)| *other != channel);
        }
    }

    /// Does what the meeting wants, as the switch would.
    fn obey(&mut self, meeting: &mut Meeting, next: &mut u64, entropy: &mut Entropy, now: Now) {
        while let Some(action) = meeting.poll_action() {
            match action {
                Action::Call(person) => {
                    *next += 1;
                    match entropy.next_u64() % 4 {
                        0 => meeting.unreached(person, Unreached::Failed, now),
                        _ => {
                            self.ringing.push((person, ChannelId::new(*next)));
                            meeting.is_called(person, ChannelId::new(*next));
                        }
                    }
                }
                Action::CancelCall(origination) => {
                    assert!(self.ringing.iter().any(|(_, it)| *it == origination), "it rings");
                    self.forget(origination);
                }
                Action::SendAway(channel, _) => self.forget(channel),
                Action::Over(_) => self.reports += 1,
                Action::Release | Action::Changed(_) | Action::Opened | Action::Orphaned => {}
            }
        }
    }
}

/// Whatever happens in whatever order: nobody is called twice at once, no more are there than may be,
/// and it ends with one report and nothing left.
#[test]
fn cnf_1_whatever_happens_a_meeting_keeps_its_word_and_ends() {
    for seed in 0..400 {
        let mut entropy = Entropy::new(seed);
        let mut now = clocks();
        let mut room = room();
        if seed % 2 == 0 {
            room.ending = Ending::WithMaster { grace: Duration::from_secs(seed % 60) };
        } else {
            room.ending = Ending::WithLast;
        }
        room.calling.when = [When::Master, When::Start, When::Asked][seed as usize % 3];
        let mut meeting = Meeting::begin(Arc::new(room), now);
        let (mut calls, mut next) = (Calls::default(), 1000);
        for step in 0..300 {
            let pick = |entropy: &mut Entropy, of: &[(usize, ChannelId)]| {
                let nth = entropy.next_u64() as usize;
                (!of.is_empty()).then(|| of[nth % of.len()])
            };
            match entropy.next_u64() % 12 {
                0..=2 => {
                    next += 1;
                    let channel = ChannelId::new(next);
                    let who = match entropy.next_u64() % 5 {
                        4 => Who::Guest,
                        known => Who::Known(known as usize),
                    };
                    let caller = Person::new("x");
                    match meeting.admit(who, channel, caller, now) {
                        Ok(person) => calls.asked.push((person, channel)),
                        Err(_) => meeting.turned_away(now),
                    }
                }
                3 | 4 => {
                    if let Some((person, origination)) = pick(&mut entropy, &calls.ringing) {
                        calls.forget(origination);
                        next += 1;
                        let channel = ChannelId::new(next);
                        assert!(meeting.answered(person, channel));
                        calls.asked.push((person, channel));
                    }
                }
                5 => {
                    if let Some((person, origination)) = pick(&mut entropy, &calls.ringing) {
                        calls.forget(origination);
                        meeting.unreached(person, Unreached::Busy, now);
                    }
                }
                6 | 7 => {
                    if let Some((person, channel)) = pick(&mut entropy, &calls.asked) {
                        let caller = Person::new("x");
                        let who = Who::Known(person);
                        calls.forget(channel);
                        match meeting.admit(who, channel, caller, now) {
                            Ok(person) => {
                                meeting.joined(person, channel, now);
                                calls.inside.push((person, channel));
                            }
                            Err(_) => meeting.left(person, channel, Parting::Gone, now),
                        }
                    }
                }
                8 => {
                    if let Some((person, channel)) = pick(&mut entropy, &calls.inside) {
                        calls.forget(channel);
                        meeting.left(person, channel, Parting::Gone, now);
                    }
                }
                9 => {
                    if let Some((person, channel)) = pick(&mut entropy, &calls.asked) {
                        calls.forget(channel);
                        meeting.left(person, channel, Parting::Silent, now);
                    }
                }
                10 => drop(meeting.call_again(entropy.next_u64() as usize % 6, now)),
                _ => {
                    now = now + Duration::from_secs(entropy.next_u64() % 40);
                    meeting.handle_timeout(now);
                    let due = meeting.poll_timeout();
                    assert!(due.is_none_or(|due| due > now.instant), "{seed}/{step}: {due:?}");
                }
            }
            calls.obey(&mut meeting, &mut next, &mut entropy, now);
            let people: Vec<usize> = calls.ringing.iter().map(|(person, _)| *person).collect();
            let mut once = people.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), people.len(), "{seed}/{step}: called twice at once");
            let present = meeting.report(MeetingEnd::Ended, now).people;
            let present = present.iter().filter(|it| it.state.is_present()).count();
            // The master finds a place when all are taken.
            assert!(present <= 4, "{seed}/{step}: {present} are there");
            assert_eq!(present, calls.inside.len(), "{seed}/{step}");
            if meeting.phase == Phase::Over {
                break;
            }
        }
        meeting.end(MeetingEnd::Ended, now);
        calls.obey(&mut meeting, &mut next, &mut entropy, now);
        assert_eq!(calls.reports, 1, "{seed}");
        assert_eq!(meeting.poll_timeout(), None);
        assert!(calls.ringing.is_empty() && calls.inside.is_empty(), "{seed}");
        // Those who were on their way in hear that it is over.
        for (_, channel) in calls.asked {
            let caller = Person::new("x");
            let admitted = meeting.admit(Who::Guest, channel, caller, now);
            assert!(admitted.is_err(), "{seed}: nobody comes in any more");
        }
    }
}

/// A meeting whose master is there and that nobody else came to yet.
fn opened(room: Room, now: Now) -> Meeting {
    let mut meeting = Meeting::begin(Arc::new(room), now);
    come(&mut meeting, Who::Known(MASTER), "1", 1, now).expect("the master comes");
    meeting
}

/// Somebody of this number comes in.
fn come(
    meeting: &mut Meeting,
    who: Who,
    number: &str,
    channel: u64,
    now: Now,
) -> Result<usize, End> {
    let channel = ChannelId::new(channel);
    let place = meeting.admit(who, channel, Person::new(number), now)?;
    meeting.joined(place, channel, now);
    Ok(place)
}

fn drain(meeting: &mut Meeting) -> Vec<Action> {
    std::iter::from_fn(|| meeting.poll_action()).collect()
}

#[test]
fn cnf_1_who_answers_and_hangs_up_a_thousand_times_is_one_line_of_the_report() {
    let now = clocks();
    let mut meeting = opened(room(), now);
    drain(&mut meeting);
    let again = meeting.invite(Person::new("5"), now).expect("it can be called");
    for nth in 1..=1000 {
        assert!(drain(&mut meeting).contains(&Action::Call(again)));
        let (origination, channel) = (ChannelId::new(2 * nth), ChannelId::new(2 * nth + 1));
        assert!(meeting.is_called(again, origination));
        assert!(meeting.answered(again, channel));
        meeting.left(again, channel, Parting::Gone, now);
        meeting.call_again(again, now).expect("it can be called again");
    }
    meeting.end(MeetingEnd::Ended, now);
    let report = meeting.report(MeetingEnd::Ended, now);
    assert_eq!(report.people.len(), 5);
    let state = (report.people[again].state, report.people[again].attempts);
    assert_eq!(state, (PersonState::Cancelled, 1001), "all calls are counted");
}

#[test]
fn cnf_1_who_is_not_accepted_is_called_so_often_and_no_more() {
    let mut now = clocks();
    let mut room = room();
    room.calling.retry_on = vec![Unreached::NotAccepted];
    room.calling.retries = 7;
    room.limits.duration = None;
    let mut meeting = opened(room, now);
    let mut calls = 0;
    for nth in 1..1000 {
        for action in drain(&mut meeting) {
            let Action::Call(1) = action else { continue };
            calls += 1;
            let channel = ChannelId::new(100 + nth);
            assert!(meeting.is_called(1, ChannelId::new(5000 + nth)));
            assert!(meeting.answered(1, channel));
            meeting.left(1, channel, Parting::Gone, now);
        }
        now = now + Duration::from_secs(61);
        meeting.handle_timeout(now);
    }
    assert_eq!(calls, 8, "the first call and seven more");
}

#[test]
fn cnf_1_a_guest_who_comes_and_goes_has_one_line_and_a_full_list_keeps_nobody_of_it_out() {
    let now = clocks();
    let mut room = room();
    room.limits.people = None;
    let mut meeting = opened(room, now);
    for nth in 0..1000 {
        let guest = come(&mut meeting, Who::Guest, "7", 10 + nth, now).expect("there is room");
        assert_eq!(guest, 4);
        meeting.left(guest, ChannelId::new(10 + nth), Parting::Gone, now);
    }
    // Callers without a number may be anybody.
    let full = (0..MOST_PEOPLE as u64).find_map(|nth| {
        let place = come(&mut meeting, Who::Guest, "", 5000 + nth, now);
        let place = place.err().map_or(Ok(nth), |end| Err((nth, end)));
        drain(&mut meeting);
        place.err()
    });
    assert_eq!(full, Some((MOST_PEOPLE as u64 - 5, End::Full)));
    assert_eq!(come(&mut meeting, Who::Known(3), "4", 8000, now), Ok(3), "who is listed comes");
    meeting.left(MASTER, ChannelId::new(1), Parting::Gone, now);
    assert_eq!(meeting.report(MeetingEnd::Ended, now).people.len(), MOST_PEOPLE);
}

#[test]
fn cnf_1_ten_thousand_are_called_few_at_a_time_and_each_is_reported() {
    let start = clocks();
    let mut now = start;
    let mut room = Room::new("crowd", Person::new("master"));
    room.people.extend((0..10_000).map(|nth| Person::new(nth.to_string())));
    let mut meeting = opened(room, now);
    let mut calls = 0;
    loop {
        let before = calls;
        while let Some(action) = meeting.poll_action() {
            let Action::Call(person) = action else { continue };
            calls += 1;
            assert!(meeting.is_called(person, ChannelId::new(10_000 + person as u64)));
            let channel = ChannelId::new(100_000 + person as u64);
            assert!(meeting.answered(person, channel));
            let who = Who::Known(person);
            assert_eq!(meeting.admit(who, channel, Person::new("x"), now), Ok(person));
            meeting.joined(person, channel, now);
        }
        assert!(calls - before <= AT_ONCE, "no more than there are ports ready");
        let Some(due) = meeting.poll_timeout() else { break };
        now = now + due.saturating_duration_since(now.instant);
        meeting.handle_timeout(now);
    }
    assert_eq!(calls, 10_000);
    assert_eq!(now.instant - start.instant, PAUSE * (10_000 / AT_ONCE as u32 - 1));
    meeting.left(MASTER, ChannelId::new(1), Parting::Gone, now);
    let actions = drain(&mut meeting);
    let sent = |action: &&Action| matches!(action, Action::SendAway(_, End::MasterLeft));
    assert_eq!(actions.iter().filter(sent).count(), 10_000);
    let Some(Action::Over(report)) = actions.last() else { panic!("it is over") };
    assert_eq!((report.people.len(), report.came()), (10_001, 10_001));
}

#[test]
fn cnf_1_who_is_to_be_called_and_comes_by_himself_is_not_called() {
    let mut now = clocks();
    let mut room = Room::new("crowd", Person::new("master"));
    room.people.extend((1..=AT_ONCE + 1).map(|nth| Person::new(nth.to_string())));
    let last = AT_ONCE + 1;
    let mut meeting = opened(room, now);
    let called = |actions: &[Action]| actions.contains(&Action::Call(last));
    assert!(!called(&drain(&mut meeting)));
    come(&mut meeting, Who::Known(last), "x", 50, now).expect("he comes");
    // An operator wants all of the list.
    meeting.call_listed(now);
    now = now + 2 * PAUSE;
    meeting.handle_timeout(now);
    assert!(!called(&drain(&mut meeting)));
}

#[test]
fn cnf_1_a_conference_that_is_over_calls_nobody_any_more() {
    let now = clocks();
    let mut room = room();
    room.calling.when = When::Start;
    let mut meeting = Meeting::begin(Arc::new(room), now);
    meeting.start(now);
    meeting.end(MeetingEnd::Stopped, now);
    let actions = drain(&mut meeting);
    assert!(!actions.iter().any(|action| matches!(action, Action::Call(_))), "{actions:?}");
    let Some(Action::Over(report)) = actions.last() else { panic!("{actions:?}") };
    let states: Vec<_> = report.people.iter().map(|it| it.state).collect();
    use PersonState::{Cancelled, Expected};
    assert_eq!(states, [Cancelled, Cancelled, Cancelled, Expected], "the last is not called");
    assert!(!meeting.is_called(1, ChannelId::new(9)), "a call on its way is not wanted");
}
