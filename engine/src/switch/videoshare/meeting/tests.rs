use std::time::Duration;

use diesis_dialplan::videoshare::{Limits, Way};

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
