use std::sync::Arc;

use super::*;
use crate::{
    conf::{self, Conf, MemoryFiles, Options},
    diagnostic::Diagnostic,
};

fn read(text: &str) -> Conf {
    conf::load("f", &MemoryFiles::new().with("f", text), &Options::default())
}

fn load(text: &str) -> Plan {
    Plan::load(&read(text), &LoadOptions::default()).0
}

fn diagnose(text: &str) -> Vec<Diagnostic> {
    Plan::load(&read(text), &LoadOptions::default()).1
}

/// The arguments of the steps that run for a text, one after another.
fn run(plan: &Plan, context: &str, dialled: &str) -> Vec<String> {
    let context = plan.context(context).expect("the context is there");
    let circumstances = Circumstances::default();
    let first = plan.find(context, dialled.into(), Target::Priority(1), &circumstances);
    std::iter::successors(first.ok(), |&found| {
        let next = plan.next(found, context, dialled.into(), &circumstances);
        let wanted = plan.step(found.step).priority();
        let Priority::Number(number) = wanted else { panic!("a hint ran") };
        let fresh =
            plan.find(context, dialled.into(), Target::Priority(number + 1), &circumstances);
        assert_eq!(
            next.map(|found| found.step),
            fresh.map(|found| found.step),
            "the short way finds what a fresh lookup finds"
        );
        next.ok()
    })
    .map(|found| plan.step(found.step).arguments().to_string())
    .collect()
}

#[test]
fn a_plan_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    shared(&Arc::new(load("[a]\n")));
}

#[test]
fn each_priority_is_looked_up_afresh_over_all_patterns_and_includes() {
    let plan = load(
        "[a]\nexten => 123,1,NoOp(a)\nexten => _12X,2,NoOp(b)\nexten => _1XX,1,NoOp(x)\n\
         exten => _1XX,3,NoOp(c)\ninclude => b\n[b]\nexten => 123,4,NoOp(d)\nexten => _X.,5,NoOp(e)\n",
    );
    assert_eq!(run(&plan, "a", "123"), ["a", "b", "c", "d", "e"]);
    assert_eq!(run(&plan, "a", "199"), ["x"]);
}

#[test]
fn a_better_match_takes_over_in_the_middle() {
    let plan = load(
        "[a]\nexten => _1X,1,NoOp(a)\nsame => n,NoOp(b)\nsame => n,NoOp(c)\nexten => 12,2,NoOp(own)\n",
    );
    assert_eq!(run(&plan, "a", "12"), ["a", "own", "c"]);
}

#[test]
fn steps_keep_their_names_as_written_and_share_a_number() {
    let plan = load("[a]\nexten => 1,1,noop(x)\nsame => n,NoOp(y)\nsame => n,Answer\n");
    let steps: Vec<_> =
        plan.contexts().flat_map(|a| a.extensions()).flat_map(|e| e.steps()).collect();
    assert_eq!((steps[0].application(), steps[1].application()), ("noop".into(), "NoOp".into()));
    assert_eq!(steps[0].application_id(), steps[1].application_id());
    assert_eq!(plan.applications(), ["noop", "Answer"]);
    assert_eq!((steps[2].file(), steps[2].line()), ("f", 4));
}

#[test]
fn a_hint_is_apart_from_the_steps() {
    let plan =
        load("[globals]\nD=PJSIP/5\n[a]\nexten => 5,hint,${D}&PJSIP/6\nexten => _6X,hint,${D}\n");
    let hints: Vec<_> =
        plan.contexts().flat_map(|a| a.extensions()).filter_map(|e| e.hint()).collect();
    assert_eq!(hints[0].application(), "PJSIP/5&PJSIP/6");
    assert_eq!(hints[1].application(), "${D}", "a pattern's hint waits for its extension");
    assert_eq!(run(&plan, "a", "5"), Vec::<String>::new());
}

#[test]
fn settings_are_read() {
    let plan = load("[General]\nautofallthrough = no\nclearglobalvars = yes\n");
    assert_eq!(plan.settings().fall_through, FallThrough::WaitForExtension);
    assert_eq!(plan.settings().globals_at_reload, GlobalsAtReload::Clear);
    assert_eq!(load("[a]\n").settings(), &Settings::default());
}

#[test]
fn old_arguments_without_parentheses_can_be_accepted() {
    let conf = read("[a]\nexten => 1,1,Dial,SIP/1|20\nsame => n,Goto|b|2\n");
    let options = LoadOptions::default().with_bare_arguments(BareArguments::Arguments);
    let (plan, diagnostics) = Plan::load(&conf, &options);
    assert_eq!(run(&plan, "a", "1"), ["SIP/1|20", "b|2"]);
    assert!(diagnostics.is_empty());
    assert_eq!(run(&Plan::load(&conf, &LoadOptions::default()).0, "a", "1"), ["", ""]);
}

#[test]
fn everything_that_is_dropped_is_reported() {
    for (lines, code) in [
        ("same => n,A()", "D101"),
        ("exten => 1,1(l,A()", "D102"),
        ("exten => 1,n,A()", "D103"),
        ("exten => 1,0,A()", "D104"),
        ("exten => 1,N,A()", "D104"),
        ("exten => 1|1|A()", "D104"),
        ("exten => 1,hint,X/1\nsame => n,A()", "D105"),
        ("exten => 1,1,A(b", "D106"),
        ("exten => 1,1,A(b) // c", "D107"),
        ("exten => 1,1,A()\nexten => 1,1,B()", "D108"),
        ("exten => 1,1(l),A()\nsame => n(l),B()", "D109"),
        ("exten => ${nothing},1,A()", "D110"),
        ("exten => _.,1,A()", "D111"),
        ("extne => 1,1,A()", "D112"),
        ("include => nowhere", "D113"),
        ("include => a\ninclude => a", "D114"),
        ("ignorepat => 9\nignorepat => 9", "D115"),
        ("exten => 1,1,A()\nsame => n(l)+2,A()", "D117"),
        ("exten => _[12,1,A()", "D118"),
        ("exten => 1,1,A,b", "D121"),
        ("exten => 1,1,A (b)", "D122"),
        ("switch => Nowhere/x", "D123"),
        ("include => a,9:00-24:00,*,*,*", "D201"),
        ("include => a,*,*,30,feb", "D202"),
    ] {
        let codes: Vec<_> =
            diagnose(&format!("[a]\n{lines}\n")).iter().map(|found| found.code.as_str()).collect();
        assert_eq!(codes, [code], "{lines}");
    }
}

#[test]
fn functions_and_expressions_work_while_loading() {
    let plan = load(
        "[globals]\nA=${LEN(abc)}\nB=$[${A} * 2]\n[a]\nexten => $[100 + ${B}],1,NoOp(x)\n\
         exten => 7,hint,PJSIP/${EXTEN}@${CONTEXT}\n[b]\ninclude => ${IF($[1]?a:c)}\n",
    );
    assert_eq!(plan.globals()[1], ("B".into(), "6".into()));
    assert_eq!(run(&plan, "a", "106"), ["x"]);
    let hint = plan.contexts().flat_map(|a| a.extensions()).find_map(|extension| extension.hint());
    assert_eq!(hint.map(|hint| hint.application()), Some("PJSIP/7@a".into()));
    assert_eq!(run(&plan, "b", "106"), ["x"]);
}

#[test]
fn loading_sees_the_world_it_is_given() {
    let mut world = crate::world::World::default();
    world.globals.set(b"OLD", b"1");
    world.database.set(b"number", b"sales", b"200");
    let conf = read("[a]\nexten => ${DB(number/sales)}${OLD},1,NoOp(x)\n");
    let (plan, _) = Plan::load(&conf, &LoadOptions::default().with_world(world));
    assert_eq!(run(&plan, "a", "2001"), ["x"]);
}

#[test]
fn a_clean_plan_has_no_diagnostics() {
    let text = "[general]\nstatic = yes\n[globals]\nT = PJSIP/t\n[a]\ninclude => b,9:00-17:00,mon-fri,*,*\n\
                exten => _X.,1(start),Dial(${T}/${EXTEN},20)\n same => n,Hangup\nexten => h,1,NoOp()\n[b]\n";
    assert_eq!(diagnose(text), []);
}

#[test]
fn a_duplicate_names_the_line_that_wins() {
    let found = diagnose("[a]\nexten => _5XX,1,A()\nexten => _[5]XX,1,B()\n");
    assert_eq!(
        found[0].message,
        "extension `_[5]XX` is the same as `_5XX`, which has this priority already: this line is dropped"
    );
    assert_eq!(found[0].related.len(), 1);
}

#[test]
fn a_semicolon_that_cuts_a_line_is_pointed_at() {
    let found = diagnose("[a]\nexten => 1,1,System(echo \"a;b\")\n");
    assert_eq!(found[0].related[0].message, "the comment begins here");
}

#[test]
fn only_the_first_512_contexts_are_searched() {
    let mut text = String::new();
    for n in 0..600 {
        text += &format!("[c{n}]\ninclude => c{}\nexten => {n},1,NoOp(x)\n", n + 1);
    }
    for schedule in ["", ",*,*,*,*"] {
        let plan = load(&text.replace("c1\n", &format!("c1{schedule}\n")));
        let exists = |dialled: &str| {
            let context = plan.context("c0").expect("it is there");
            plan.exists(context, dialled.into(), 1, &Circumstances::default())
        };
        assert!(exists("511") && !exists("512"), "{schedule}");
    }
}

#[test]
fn the_index_agrees_with_matching_name_by_name() {
    use crate::pattern::{Question, Verdict};
    use proptest::prelude::*;

    let name = "_?[0-3XNZ.!a-]{1,4}|_\\[[0-3-]{0,3}\\][X.!]{0,2}|_[0-2]\\[\\][!.]?";
    let names = proptest::collection::vec(name, 1..12);
    proptest!(|(names in names, dialled in "_?[0-4a-]{0,4}")| {
        let mut text = "[c]\n".to_owned();
        for (at, name) in names.iter().enumerate() {
            text += &format!("exten => {name},{},NoOp({at})\n", at % 3 + 1);
        }
        let plan = load(&text);
        let context = plan.context("c").expect("it is there");
        let extensions: Vec<_> = plan.view(context).extensions().collect();
        let dialled: &BStr = dialled.as_str().into();
        let circumstances = Circumstances::default();
        for priority in 1..=3 {
            let step = |extension: &Extension<'_>| {
                let extension = plan.extension(extension.id());
                extension.steps().find(|step| step.priority() == Priority::Number(priority))
            };
            let verdict = |extension: &Extension<'_>, question| {
                Name::parse(extension.name()).verdict(dialled, question)
            };
            let target = Target::Priority(priority);
            let wanted = extensions
                .iter()
                .filter(|extension| verdict(extension, Question::Match) != Verdict::No)
                .find_map(&step)
                .map(|step| step.id());
            let found = plan.find(context, dialled, target, &circumstances);
            prop_assert_eq!(found.ok().map(|found| found.step), wanted);
            let can = extensions.iter().any(|extension| {
                verdict(extension, Question::CanMatch) != Verdict::No && step(extension).is_some()
            });
            prop_assert_eq!(plan.can_match(context, dialled, target, &circumstances), can);
            let more = extensions
                .iter()
                .map(|extension| (verdict(extension, Question::MatchMore), step(extension)))
                .find(|(verdict, step)| {
                    *verdict == Verdict::Final || *verdict == Verdict::Yes && step.is_some()
                })
                .is_some_and(|(verdict, _)| verdict == Verdict::Yes);
            prop_assert_eq!(plan.match_more(context, dialled, target, &circumstances), more);
        }
    });
}

#[test]
fn extensions_are_in_the_order_of_comparison() {
    let names = proptest::collection::vec("_?[0-3XNZ.!a-]{1,3}|_\\[[0-3-]{1,3}\\][X.!]?", 1..20);
    proptest::proptest!(|(names in names)| {
        let lines: String = names.iter().map(|name| format!("exten => {name},1,NoOp()\n")).collect();
        let plan = load(&format!("[c]\n{lines}"));
        let names: Vec<_> = plan.contexts().flat_map(|c| c.extensions()).map(|e| e.name()).collect();
        for pair in names.windows(2) {
            assert!(crate::pattern::compare(pair[0], pair[1]).is_lt(), "{pair:?}");
        }
    });
}

#[test]
fn any_text_of_this_language_can_be_loaded() {
    let piece = proptest::sample::select(vec![
        "[a]\n",
        "[b]\n",
        "[globals]\n",
        "exten => ",
        "same => ",
        "include => ",
        "ignorepat => ",
        "switch => ",
        "\n",
        "\n",
        ",",
        ",",
        "1",
        "_",
        "X",
        ".",
        "!",
        "[",
        "]",
        "(",
        ")",
        "n",
        "s",
        "hint",
        "+",
        "-",
        "/",
        "\\",
        "${",
        "}",
        "$[",
        "a",
        "b",
        "=",
        ";",
        " ",
        "9:00-",
        "é",
        "|",
    ]);
    let text = proptest::collection::vec(piece, 0..80);
    proptest::proptest!(|(text in text)| {
        let conf = read(&text.concat());
        let (plan, diagnostics) = Plan::load(&conf, &LoadOptions::default());
        for diagnostic in diagnostics {
            let _ = diagnostic.render(conf.sources()).to_string();
        }
        for context in plan.contexts() {
            for dialled in ["", "1", "_X", "11a", "-"] {
                let circumstances = Circumstances::default();
                let _ = plan.find(context.id(), dialled.into(), Target::Priority(1), &circumstances);
                let target = Target::Label("a".into());
                let _ = plan.match_more(context.id(), dialled.into(), target, &circumstances);
            }
        }
    });
}

#[test]
fn globals_are_put_in_force_at_the_time_of_the_host_and_write_functions() {
    let text = "[globals]\nA=one\nWHEN=${EPOCH}\nDB(fam/key)=${A} two\nB=${DB(fam/key)}\nNOSUCH(x)=1\n[a]\nexten => s,1,NoOp\n";
    let (plan, diagnostics) = (load(text), diagnose(text));
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    let now = jiff::Timestamp::from_second(1_700_000_000).expect("in range");
    let mut host = crate::host::MemoryHost::new(now);
    plan.set_globals(&mut host);
    let value = |name: &str| host.world.globals.value(name.as_bytes()).map(ToString::to_string);
    assert_eq!(value("A").as_deref(), Some("one"));
    assert_eq!(value("WHEN").as_deref(), Some("1700000000"));
    assert_eq!(value("B").as_deref(), Some("one two"));
    assert!(host.world.database.value(b"fam", b"key").is_some());
}

#[test]
fn loopbacks_lead_elsewhere_and_rings_end() {
    let plan = load(
        "[a]\nexten => 100,1,NoOp(own)\nlswitch => Loopback/${EXTEN:1}@b/_9.\n[b]\nexten => _2XX,1,NoOp(b)\nexten => 300,hint,PJSIP/3\n\
         [c]\nswitch => Loopback/@d\n[d]\nswitch => Loopback/@c\n[e]\nlswitch => Loopback/7${EXTEN}@e\n",
    );
    let found = |context: &str, dialled: &str, target| {
        let context = plan.context(context).expect("it is there");
        let found = plan.find(context, dialled.into(), target, &Circumstances::default());
        found.map(|found| plan.step(found.step).arguments().to_string())
    };
    let first = Target::Priority(1);
    assert_eq!(found("a", "100", first).as_deref(), Ok("own"));
    assert_eq!(found("a", "9200", first).as_deref(), Ok("b"));
    assert_eq!(found("a", "8200", first), Err(NotFound::NoExtension));
    assert_eq!(found("a", "9300", Target::Hint).as_deref(), Ok(""));
    assert_eq!(found("c", "1", first), Err(NotFound::NoExtension));
    assert_eq!(found("e", "1", first), Err(NotFound::NoExtension));
    let a = plan.context("a").expect("it is there");
    let at = Circumstances::default();
    assert!(plan.match_more(a, "92".into(), first, &at));
    assert!(!plan.match_more(a, "82".into(), first, &at));
    assert_eq!(run(&plan, "a", "9200"), ["b"]);
}
