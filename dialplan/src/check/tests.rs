use super::*;
use crate::conf::MemoryFiles;

fn check_text(text: &str, options: &CheckOptions) -> Report {
    check("f", &MemoryFiles::new().with("f", text), options)
}

fn codes_of(report: &Report) -> Vec<&str> {
    report.diagnostics.iter().map(|found| found.code.as_str()).collect()
}

/// The lines below a header `[a]`.
fn codes(lines: &str) -> Vec<String> {
    let report = check_text(&format!("[a]\n{lines}\n"), &CheckOptions::default());
    codes_of(&report).into_iter().map(str::to_owned).collect()
}

fn helps(lines: &str) -> Vec<String> {
    let report = check_text(&format!("[a]\n{lines}\n"), &CheckOptions::default());
    report.diagnostics.iter().filter_map(|found| found.help.clone()).collect()
}

#[test]
fn every_flaw_has_its_code() {
    for (lines, wanted) in [
        ("exten => 1,1,Goto(b,1,1)", "D301"),
        ("exten => 1,1,Macro(b,1)", "D309 D301"),
        ("exten => 1,1,Goto(2,1)", "D302"),
        ("exten => 1,1,GotoIf($[${x}]?3)", "D303"),
        ("exten => 1,1,GotoIf(${x}?:there)", "D304"),
        ("exten => 1,1,Gosub(2,here(a,b))\nexten => 2,1,Return()", "D304"),
        ("exten => 1,1,ExecIf(${x}?Goto(2,1):NoOp())", "D302"),
        ("exten => 1,1,NoOp(${A B})", "D306"),
        ("exten => 1,1,NoOp(${A })", "D306"),
        ("exten => 1,1,Set(A =1)", "D306"),
        ("exten => 1,1,Anwser()", "D307"),
        ("exten => 1,1,(x)", "D307"),
        ("exten => 1,1,ExecIf(1?Nothing())", "D307"),
        ("exten => 1,1,SetVar(a=b)", "D309"),
        ("exten => 1,1,NoOp(${len(a)})", "D310"),
        ("exten => 1,1,Set(CALERID(num)=1)", "D310"),
        ("exten => 1,1,NoOp(${LANGUAGE()})", "D312"),
        ("exten => 1,1,NoOp(${a)", "D313"),
        ("exten => 1,1,NoOp()\nexten => 2,n,NoOp()", "D314"),
        ("exten => 1,1,NoOp()\nexten => 1,3,NoOp()", "D315"),
        ("exten => 1,1,Set(a)", "D317"),
        ("exten => 1,1,Set(a=\"b\")", "D318"),
        ("exten => 1,1,Set(a=1,b=2)", "D319"),
        ("exten => 1,1,Dial(SIP/1|20)", "D320"),
        ("exten => 1,1,Goto(a|1|1)", "D320"),
        ("exten => 1,1,GotoIf(1)", "D321"),
        ("exten => 1,1,Goto()", "D322"),
        ("exten => _X.,1,Dial(PJSIP/${EXTEN})", "D323"),
        ("exten => _NX[9-1],1,NoOp()\nsame => n,NoOp()", "D324"),
        ("exten => _X.Z,1,NoOp()", "D325"),
        ("exten => 1,1,Dial(PJSIP/1,tT)", "D326"),
        ("exten => 1,1,Wait(abc)", "D326"),
        ("exten => 1,1,Read()", "D327"),
        ("exten => 1,1,ConfBridge()", "D327"),
        ("exten => 1,1,Dial(1001)", "D328"),
        ("exten => 1,1,Dial(PJSIP/1,20,qt)", "D329"),
        ("exten => NXXNXXXXXX,1,NoOp()", "D330"),
        ("exten => 1,1,Set(a=$[1 + * 2])", "D331"),
        ("exten => 1,1,NoOp(${IF($[${a} = ]?1:2)})", "D331"),
        ("exten => 1,1,GotoIf($[\"${x}\" = yes]?1)", "D332"),
        ("exten => 1,1,GotoIf(\"${x}\" = \"1\"?1)", "D333"),
        ("exten => 1,1,GotoIf($[${x} = 1)?1)", "D313"),
        ("exten = > 2,1,NoOp()", "D334"),
        ("exten => 1,1,GotoIfTime(9:00-24:00,*,*,*?1)", "D201"),
        ("exten => 1,1,NoOp(${IFTIME(*,monday,*,*?a:b)})", "D201"),
    ] {
        assert_eq!(codes(lines).join(" "), wanted, "{lines}");
    }
}

#[test]
fn sound_lines_have_no_flaws() {
    for lines in [
        "exten => 1,1,Goto(${x},1,1)",
        "exten => 1,1,Goto(${x})",
        "exten => 1,1,Goto(1,${x})",
        "exten => 1,1,GotoIf($[\"${x}\" = \"a|b\"]?1,1)",
        "exten => 1,1(l),Goto(l)",
        "exten => _1XX,1(l),NoOp()\nsame => n,Goto(l)",
        "exten => 1,1,Goto(155,1)\nexten => _1XX,1,NoOp()",
        "exten => 1,1,While($[${n} < 3])\nsame => n,EndWhile()",
        "exten => 1,1,Set(a=${CUT(b,|,1)},c)",
        "exten => 1,1,Set(CALLERID(all)=\"Bob\" <1>)",
        "exten => 1,1,Set(ARRAY(a,b)=1,2)",
        "exten => 1,1,Set(HASH(${a},b c)=1)",
        "exten => 1,hint,PJSIP/1&PJSIP/2\nexten => 1,1,NoOp()",
        "exten => 1,1,Gosub(a,1,1(${x}))",
        "exten => 1,1,noop(${EXTEN:1})",
        "exten => _12X,2,NoOp()\nexten => _1XX,1,NoOp()",
        "exten => 1,1,Goto(nine,9)\nexten => nine,9,NoOp()",
        "exten => 1,1,Dial(PJSIP/1)\nexten => 1,102,Busy()",
        "switch => Realtime/x@y\nexten => 1,1,Goto(2,1)",
    ] {
        let mut found = codes(lines);
        found.retain(|code| code != "D123");
        assert_eq!(found, Vec::<String>::new(), "{lines}");
    }
}

#[test]
fn help_names_what_was_probably_meant() {
    for (lines, wanted) in [
        ("exten => 1,1,Backgrond(x)", "did you mean `BackGround`?"),
        ("exten => 1,1,NoOp(${Len(a)})", "write `LEN`"),
        ("exten => 1,1,MeetMe(1)", ""),
        ("exten => 1,1,Goto(start)\nexten => 1,n(strat),NoOp()", "did you mean `strat`?"),
        (
            "exten => 1,1,Goto(menu)\n[menu]\nexten => s,1,NoOp()",
            "for a context, write all three: `Goto(menu,s,1)`",
        ),
        ("exten => 1,1,Dial(PJSIP/1,tT)", "options come third: write `,,tT`"),
        ("exten => 1,1,Goto(menue,s,1)\n[menu]\nexten => s,1,NoOp()", "did you mean `menu`?"),
        ("exten => 1,1,Goto(a,1,1))", "there is one `)` too many"),
        ("exten => 1,1,Goto(a, 1,1)", "blanks count: write `1` right after the comma"),
        ("exten => 1,1,SIPAddHeader(a: b)", "use `Set(PJSIP_HEADER(add,name)=value)`"),
    ] {
        assert_eq!(helps(lines).join(""), wanted, "{lines}");
    }
}

#[test]
fn what_is_only_in_asterisk_is_told_apart_from_what_is_nowhere() {
    let options = CheckOptions::default()
        .with_applications(Names::available(["NoOp"], APPLICATIONS))
        .with_functions(Names::available(["LEN"], FUNCTIONS));
    let text = "[a]\nexten => 1,1,NoOp(${LEN(x)}${CUT(x,y)})\nsame => n,Queue(x)\n";
    assert_eq!(codes_of(&check_text(text, &options)), ["D311", "D308"]);
}

#[test]
fn a_wide_pattern_that_hides_an_include_is_reported_once() {
    let text = "[a]\nexten => _X.,1,NoOp()\ninclude => b\n[b]\nexten => 100,1,NoOp()\nexten => 101,1,NoOp()\n";
    assert_eq!(codes_of(&check_text(text, &CheckOptions::default())), ["D316"]);
}

#[test]
fn a_missing_file_is_the_cause_of_missing_contexts() {
    let text = "[a]\nexten => 1,1,Goto(b,1,1)\n#include b.conf\n";
    assert_eq!(codes_of(&check_text(text, &CheckOptions::default())), ["D007"]);
}

#[test]
fn in_a_part_of_a_dialplan_contexts_may_be_elsewhere() {
    let text = "[a]\nexten => 1,1,Goto(b,1,1)\ninclude => c\n";
    let report = check_text(text, &CheckOptions::default().with_scope(Scope::Part));
    assert!(report.diagnostics.iter().all(|found| found.severity == Severity::Note));
    assert_eq!(report.diagnostics.len(), 2);
}

#[test]
fn a_line_written_twice_is_no_lost_header() {
    assert_eq!(codes("exten => s,1,NoOp()\nexten => s,1,NoOp()"), ["D108"]);
}

#[test]
fn templates_are_checked_where_they_stand() {
    let text = "[t](!)\nexten => 1,1,Anwser()\n[a](t)\n[b](t)\n";
    assert_eq!(codes_of(&check_text(text, &CheckOptions::default())), ["D307"]);
}

#[test]
fn messages_are_one_lower_case_sentence() {
    let report = check_text(
        "[a]\nexten => 1,1,Anwser()\nexten => 1,1,Goto(b,1,1)\nfoo => bar\n",
        &CheckOptions::default(),
    );
    for found in report.diagnostics {
        assert!(!found.message.ends_with('.'), "{}", found.message);
        assert!(!found.message.starts_with(char::is_uppercase), "{}", found.message);
    }
}

#[test]
fn any_text_of_this_language_can_be_checked() {
    let piece = proptest::sample::select(vec![
        "[a]\n",
        "[b]\n",
        "exten => ",
        "same => ",
        "s,1,",
        "n,",
        "Goto(",
        "GotoIf(",
        "ExecIf(",
        "Gosub(",
        "Set(",
        "Dial(",
        "Macro(",
        "GotoIfTime(",
        ")",
        "?",
        ":",
        ",",
        "|",
        "${",
        "}",
        "$[",
        "]",
        "(",
        "\"",
        "\\",
        "=",
        "a",
        "b",
        " ",
        "1",
        "_X.",
        "\n",
        "\n",
        "include => ",
        "é",
        ";",
    ]);
    let text = proptest::collection::vec(piece, 0..80);
    proptest::proptest!(|(text in text)| {
        let report = check_text(&text.concat(), &CheckOptions::default());
        for found in &report.diagnostics {
            let _ = found.render(report.sources()).to_string();
        }
    });
}
