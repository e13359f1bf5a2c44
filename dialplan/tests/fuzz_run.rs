//! Arbitrary texts and arbitrary dialplans run to an end: no panic, no hang, no growth.

use diesis_dialplan::channel::Channel;
use diesis_dialplan::conf::{self, MemoryFiles};
use diesis_dialplan::executor::Executor;
use diesis_dialplan::host::MemoryHost;
use diesis_dialplan::operation::Digit;
use diesis_dialplan::plan::Plan;
use diesis_dialplan::simulation::{Action, Event, Scenario};
use diesis_dialplan::{application, function};
use proptest::prelude::*;

fn plan_of(text: &str) -> Plan {
    let files = MemoryFiles::new().with("extensions.conf", text);
    let conf = conf::load("extensions.conf", &files, &conf::Options::default());
    Plan::load(&conf, &Default::default()).0
}

fn evaluate(text: &[u8]) -> usize {
    let plan = plan_of("[default]\nexten => s,1,NoOp()\n");
    let mut host = MemoryHost::new(jiff::Timestamp::UNIX_EPOCH);
    let mut executor = Executor::idle(Channel::new("Test/1"), "default", "s", 1);
    executor.variables_mut().set(b"x", b"a,b-c:1 \"q\" $[${x}]");
    executor.evaluate(&plan, &mut host, text).len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_evaluates(text in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(evaluate(&text) <= 8191);
    }

    #[test]
    fn any_brackets_evaluate(text in "([$][{]|[$]\\[|[}]|\\]|x|:|-?[0-9]|,|[(]|[)]|\"|\\\\|EVAL|CUT|LEN){0,60}") {
        prop_assert!(evaluate(text.as_bytes()) <= 8191);
    }

    #[test]
    fn every_function_takes_any_arguments(
        index in any::<prop::sample::Index>(),
        arguments in "[-a-z0-9 ,.:%$&@/\"'()\\[\\]?*+=<>|^#\\\\xXé]{0,30}",
        value in "[a-z0-9,:& -]{0,12}",
    ) {
        let function = function::all()[index.index(function::all().len())].name();
        evaluate(format!("${{{function}({arguments})}}").as_bytes());
        let plan = plan_of("[default]\nexten => s,1,NoOp()\n");
        let mut host = MemoryHost::new(jiff::Timestamp::UNIX_EPOCH);
        let mut executor = Executor::idle(Channel::new("Test/1"), "default", "s", 1);
        executor.run_application(&plan, &mut host, format!("Set({function}({arguments})={value})").as_bytes());
    }

    #[test]
    fn any_call_ends(
        lines in prop::collection::vec(
            (any::<prop::sample::Index>(), "[-a-z0-9 ,.:$&@/\"()?*+=<>|^#]{0,20}", 0usize..6),
            1..12,
        ),
        keys in "[0-9*#]{0,6}",
    ) {
        let mut text = String::from("[m]\nexten => s,1,Answer()\n");
        for (index, arguments, shape) in &lines {
            let name = application::all()[index.index(application::all().len())].name();
            text += &match shape {
                0 => format!(" same => n,{name}({arguments})\n"),
                1 => format!(" same => n(l{}),{name}(s,1)\n", arguments.len()),
                2 => format!("exten => {},1,{name}(1)\n", arguments.len()),
                3 => format!(" same => n,{name}(${{EXTEN}}{arguments})\n"),
                4 => format!(" same => n,{name}(1?s,1:{arguments})\n"),
                _ => format!(" same => n,{name}(m,s,1({arguments}))\n"),
            };
        }
        text += "exten => _X.,1,Return()\nexten => i,1,Goto(s,1)\nexten => t,1,WaitExten(1)\nexten => h,1,Goto(s,1)\n";
        let mut scenario = Scenario::new("m", "s");
        for (index, key) in keys.bytes().enumerate() {
            let at = std::time::Duration::from_millis(700 + 400 * index as u64);
            scenario.events.push(Event { at, action: Action::Press(Digit::new(key).expect("a key")) });
        }
        let at = std::time::Duration::from_secs(60);
        scenario.events.push(Event { at, action: Action::HangUp });
        let report = scenario.run(&plan_of(&text));
        prop_assert!(report.trace.len() <= 2_000_000);
    }
}

#[test]
fn a_call_that_calls_itself_ends() {
    let plan =
        plan_of("[m]\nexten => s,1,Dial(Local/s@m)\n same => n,Originate(Local/s@m,exten,m,s,1)\n");
    let report = Scenario::new("m", "s").run(&plan);
    assert!(report.others.len() < 200, "{}", report.others.len());
}
