//! Opening hours: who comes in time goes on, whoever does not hears why and goes elsewhere.

use bstr::{BStr, BString};

use super::media::{answer_first, is_up, play_whole};
use super::variables::exec;
use crate::arguments::strip;
use crate::executor::{Continuation, Flow, Run};
use crate::operation::Outcome;
use crate::timetable::Override;

/// `Schedule(name)`: goes on when it is open; else plays what the schedule says, follows its action
/// and, unless that leads elsewhere, hangs up. `SCHEDULESTATUS` is OPEN, CLOSED or UNKNOWN,
/// `SCHEDULEREASON` what decided.
pub(super) fn schedule(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let plan = run.scope.plan;
    let Some((name, timetable)) = plan.timetables().get(strip(text)) else {
        run.scope.warn(format_args!(
            "there is no schedule '{}' in schedules.conf: the call goes on",
            BStr::new(strip(text))
        ));
        run.scope.assign(b"SCHEDULESTATUS", b"UNKNOWN");
        return Flow::Continue;
    };
    let (now, zone) = (run.scope.host.now(), run.scope.host.time_zone());
    let said = Override::of(name, &run.scope.host.world().database, now);
    let state = timetable.state(now, &zone, said);
    run.scope.assign(b"SCHEDULEREASON", state.reason());
    if state.is_open() {
        run.scope.assign(b"SCHEDULESTATUS", b"OPEN");
        return Flow::Continue;
    }
    run.scope.assign(b"SCHEDULESTATUS", b"CLOSED");
    let reaction = timetable.reaction(&state);
    match reaction.sound {
        Some(_) if !is_up(run) => answer_first("Schedule", text),
        Some(sound) => {
            Flow::Ask(play_whole(&sound), Continuation::Closed { action: reaction.action })
        }
        None => follow(run, reaction.action),
    }
}

/// After the sound.
pub(super) fn sound_played(run: &mut Run<'_>, action: Option<BString>, outcome: &Outcome) -> Flow {
    match outcome {
        Outcome::HungUp { .. } => Flow::HangUp,
        _ => follow(run, action),
    }
}

fn follow(run: &mut Run<'_>, action: Option<BString>) -> Flow {
    match action {
        Some(action) => {
            let flow = exec(run, &action);
            ended(flow)
        }
        None => Flow::HangUp,
    }
}

/// After the action, or on its way: what only ends does not lead back to the opening hours.
pub(super) fn ended(flow: Flow) -> Flow {
    match flow {
        Flow::Continue => Flow::HangUp,
        Flow::Ask(operation, continuation) => {
            Flow::Ask(operation, Continuation::Last(Box::new(continuation)))
        }
        elsewhere => elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Channel;
    use crate::conf::{self, MemoryFiles, Options};
    use crate::executor::{Advance, Executor};
    use crate::host::{ChannelState, MemoryHost};
    use crate::operation::Operation;
    use crate::plan::{LoadOptions, Plan};
    use crate::timetable::{Closure, Period, Reaction, Standing, Timetable};

    const DIALPLAN: &str = "[in]\nexten => s,1,Schedule(office)\nsame => n,Set(WAS=open)\n\
                            same => n,Wait(5)\n[night]\nexten => s,1,Wait(9)\n\
                            [did]\nexten => _X00,1,Set(RANG=1)\nexten => _X0X,1,Wait(1)\n\
                            [trunk]\ninclude => did\n";

    fn plan(closure: Option<&str>) -> Plan {
        let files = MemoryFiles::new().with("extensions.conf", DIALPLAN);
        let conf = conf::load("extensions.conf", &files, &Options::default());
        let (mut plan, _) = Plan::load(&conf, &LoadOptions::default());
        let period = |text: &str| Period::parse(text.into(), &mut vec![]).expect("it is one");
        let closures = closure.map(|action| Closure {
            name: "feast".into(),
            periods: vec![period("*,*,1,may")],
            reaction: Reaction { sound: None, action: Some(action.into()) },
            ..Closure::default()
        });
        let office = Timetable {
            open: vec![period("9:00-17:00,mon-fri")],
            closures: closures.into_iter().collect(),
            closed: Reaction { sound: Some("shut&bye".into()), action: None },
            ..Timetable::default()
        };
        let mut all = crate::timetable::Timetables::default();
        all.insert("office", office);
        let mut guards = crate::timetable::Guards::default();
        guards.insert("in", "_10X", "office").expect("the first");
        guards.insert("did", "_10X", "office").expect("the first");
        all.set_guards(guards);
        plan.set_timetables(all);
        plan
    }

    /// What the caller meets at a time, operation by operation, and what was decided.
    fn called(plan: &Plan, time: &str, said: Option<Override>) -> (Vec<String>, String) {
        let mut host = MemoryHost::new(time.parse().expect("a time"));
        host.state = ChannelState::Ring;
        let standing = said.map(|said| Standing { said, until: None });
        Standing::set(standing, b"office", &mut host.world.database);
        let mut executor = Executor::new(Channel::new("Test/1"), "in", "s", 1);
        let mut met = vec![];
        for _ in 0..20 {
            match executor.advance(plan, &mut host) {
                Advance::Operation(operation) => {
                    let told = match &operation {
                        Operation::Answer { .. } => {
                            host.state = ChannelState::Up;
                            "answer".to_owned()
                        }
                        Operation::Play { files, .. } => format!("play {}", files.len()),
                        Operation::Wait { duration } => format!("wait {}", duration.as_secs()),
                        other => format!("{other:?}"),
                    };
                    met.push(told);
                    executor.handle_outcome(Outcome::Done);
                }
                Advance::Finished { .. } => break,
                _ => {}
            }
        }
        let status = executor.evaluate(plan, &mut host, b"${SCHEDULESTATUS} by ${SCHEDULEREASON}");
        (met, status.to_string())
    }

    #[test]
    fn who_comes_in_time_goes_on() {
        let plan = plan(None);
        let met = called(&plan, "2026-11-12T10:00:00Z", None);
        assert_eq!(met, (vec!["wait 5".into()], "OPEN by hours".into()));
        let met = called(&plan, "2026-11-14T10:00:00Z", Some(Override::Open));
        assert_eq!(met, (vec!["wait 5".into()], "OPEN by override".into()));
    }

    #[test]
    fn who_does_not_hears_why_and_is_let_go() {
        let plan = plan(None);
        let shut = vec!["answer".to_owned(), "play 2".to_owned()];
        let met = called(&plan, "2026-11-14T10:00:00Z", None);
        assert_eq!(met, (shut.clone(), "CLOSED by hours".into()));
        let met = called(&plan, "2026-11-12T10:00:00Z", Some(Override::Closed));
        assert_eq!(met, (shut, "CLOSED by override".into()));
    }

    #[test]
    fn sch_1_a_guarded_number_is_asked_for_before_its_first_step() {
        use crate::simulation::Scenario;
        let ran = |plan: &Plan, context: &str, number: &str, time: &str| {
            let scenario = Scenario {
                start: time.parse().expect("a time"),
                sounds: [("shut".into(), std::time::Duration::from_secs(1))].into(),
                ..Scenario::new(context, number)
            };
            let steps = scenario.run(plan).trace.into_iter();
            steps.map(|it| format!("{} {}", it.priority, it.application)).collect::<Vec<_>>()
        };
        let plan = plan(None);
        let (open, shut) = ("2026-11-12T10:00:00Z", "2026-11-14T10:00:00Z");
        assert_eq!(ran(&plan, "did", "100", open), ["0 Schedule", "1 Set"]);
        assert_eq!(ran(&plan, "did", "100", shut), ["0 Schedule"]);
        // Found in an included context; and a number that nobody guards.
        assert_eq!(ran(&plan, "trunk", "101", shut), ["0 Schedule"]);
        assert_eq!(ran(&plan, "trunk", "201", shut), ["1 Wait"]);
        // A number that is no extension of its context goes to `s`, which is not guarded.
        assert_eq!(ran(&plan, "in", "104", shut)[..1], ["1 Schedule"]);
    }

    #[test]
    fn an_action_leads_elsewhere_or_is_the_last() {
        let feast = "2026-05-01T10:00:00Z";
        let sound = ["answer".to_owned(), "play 2".to_owned()];
        let (met, status) = called(&plan(Some("Goto(night,s,1)")), feast, None);
        assert_eq!(met, [&sound[..], &["wait 9".to_owned()]].concat());
        assert_eq!(status, "CLOSED by feast");
        // Not on to the priority behind Schedule().
        let (met, _) = called(&plan(Some("Wait(3)")), feast, None);
        assert_eq!(met, [&sound[..], &["wait 3".to_owned()]].concat());
        let (met, _) = called(&plan(Some("Set(X=1)")), feast, None);
        assert_eq!(met, sound);
    }
}
