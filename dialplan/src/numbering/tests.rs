use std::sync::LazyLock;

use proptest::prelude::*;

use super::table::{default_rules, export, import, parse_row};
use super::*;

static PLAN: LazyLock<NumberingPlan> = LazyLock::new(NumberingPlan::default);

fn out(number: &str) -> String {
    PLAN.apply(Direction::Out, number).number
}

fn plan_with(more: &[(u32, &str, &str)]) -> NumberingPlan {
    let text = |&(priority, model, value): &(u32, &str, &str)| RuleText {
        priority,
        name: String::new(),
        model: model.to_owned(),
        value: value.to_owned(),
    };
    let rules = default_rules().into_iter().chain(more.iter().map(text));
    let (plan, errors) =
        NumberingPlan::new(Settings::default(), rules.map(|it| (Direction::Out, it)));
    assert_eq!(errors, []);
    plan
}

#[test]
fn numbers_become_what_the_worked_examples_say() {
    let examples = [
        ("+33 (0) 123456789", "00123456789"),
        ("33155171889", "00155171889"),
        ("+33155171889", "00155171889"),
        ("0033155171889", "00155171889"),
        ("+3912334477", "0003912334477"),
        ("+42(0)141906666", "00042141906666"),
        ("42(0)141906666", "00042141906666"),
        ("03611", "003611"),
        ("#21", "#21"),
        ("*98", "*98"),
        ("4092", "4092"),
        // What the source's own rules do to an internal number.
        ("3312", "0012"),
    ];
    for (number, wanted) in examples {
        assert_eq!(out(number), wanted, "{number}");
    }
    // A rule, and no `+`: no external prefix.
    let plan = plan_with(&[(1, "03611", "03611")]);
    assert_eq!(plan.apply(Direction::Out, "03611").number, "03611");
}

#[test]
fn numbers_are_written_in_many_ways() {
    for number in
        ["01 55 17 18 89", "01.55.17.18.89", "01-55-17-18-89", "(01) 55 17 18 89", "01/55171889"]
    {
        assert_eq!(out(number), "00155171889", "{number}");
    }
    for number in ["+33 (0)1 55 17 18 89", "0033 (0) 155171889", "33(0)155171889", "+33 1 55171889"]
    {
        assert_eq!(out(number), "00155171889", "{number}");
    }
    // `+` counts in the first place only, and letters nowhere.
    assert_eq!(out("tel:+39 12+33"), "000391233");
    assert_eq!(out(""), "");
    assert_eq!(out("abc"), "");
    assert_eq!(out("0039123"), "00039123");
}

#[test]
fn the_external_prefix_goes_before_a_rule_with_plus_that_has_none() {
    let plan = plan_with(&[(1, "+44", "0044"), (2, "+45", "[-externalprefix-]45")]);
    let answer = plan.apply(Direction::Out, "+44 20");
    assert_eq!((&*answer.number, answer.goes_out), ("0004420", true));
    let answer = plan.apply(Direction::Out, "+4520");
    assert_eq!((&*answer.number, answer.goes_out), ("04520", false));
}

#[test]
fn rules_are_tried_by_priority_and_one_is_applied() {
    let plan = plan_with(&[(3, "0155", "77"), (2, "01", "66"), (2, "015", "55")]);
    let answer = plan.apply(Direction::Out, "015500");
    assert_eq!(answer.number, "665500");
    assert_eq!(answer.rule.map(|rule| rule.text().priority), Some(2));
    assert_eq!(answer.to_string(), "read as 015500; rule 2 \"\": 01 becomes 66");
    // A plain model fits at the beginning alone, an expression anywhere.
    let plan = plan_with(&[(1, "99", "11"), (2, "[98(7)?$]", "$1$1")]);
    assert_eq!(plan.apply(Direction::Out, "1991").number, "1991");
    assert_eq!(plan.apply(Direction::Out, "11987").number, "1177");
    assert_eq!(plan.apply(Direction::Out, "1198").number, "11");
}

#[test]
fn a_callers_number_loses_and_gains_its_prefixes() {
    let settings = Settings { add: "9".into(), ..Settings::default() };
    let rule = RuleText {
        priority: 1,
        name: "abroad".into(),
        model: "[-InternationalPrefix-]".into(),
        value: "+".into(),
    };
    let (plan, errors) = NumberingPlan::new(settings, [(Direction::In, rule)]);
    assert_eq!(errors, []);
    let number = |number| plan.apply(Direction::In, number).number;
    assert_eq!(number("00155171889"), "90155171889");
    assert_eq!(number("0003912334477"), "9+3912334477");
    // Inside nobody adds or removes anything.
    assert_eq!(number("0412"), "0412");
    assert_eq!(plan.reverse_key("0155171889"), "155171889");
    assert_eq!(plan.reverse_key("4092"), "4092");
    assert_eq!(plan.reverse_key(""), "");
}

#[test]
fn what_is_wrong_with_a_rule_is_named() {
    let wrong = |model: &str, value: &str| {
        let (model, value) = (model.to_owned(), value.to_owned());
        let text = RuleText { priority: 1, name: String::new(), model, value };
        Rule::new(text, &Settings::default().prefixes).expect_err("it is wrong").to_string()
    };
    assert!(wrong("", "1").contains("empty"));
    assert!(wrong("12a", "1").contains("'a'"));
    assert!(wrong("[-Nation-]1", "1").contains("[-Nation-]"));
    assert!(wrong("[(]", "1").contains("wrong"), "{}", wrong("[(]", "1"));
    assert!(wrong("[1*]", "1").contains("empty text"));
    assert!(wrong("[(1)2]", "$2").contains("$2"));
    assert!(wrong("1", "$1").contains("0 groups"));
    assert!(wrong("1", "x").contains("'x'"));
    assert!(wrong("1", "5$").contains("'$'"));
}

#[test]
fn tables_survive_being_written_and_read() {
    let mut rules: Vec<_> = default_rules().into_iter().map(|it| (Direction::Out, it)).collect();
    rules.push((
        Direction::In,
        RuleText {
            priority: 7,
            name: "a \"b\", c;".into(),
            model: "[0{1,2}]".into(),
            value: "".into(),
        },
    ));
    let text = export(rules.iter().map(|(direction, rule)| (*direction, rule)));
    let read = |text: &str| {
        let rows = import(text).unwrap().into_iter();
        rows.map(|row| (row.direction, row.rule)).collect::<Vec<_>>()
    };
    assert_eq!(read(&text), rules);
    assert_eq!(read(&format!("\u{feff}{}", text.replace('\n', "\r\n\r\n"))), rules);
    assert_eq!(import(&text).unwrap().last().map(|row| row.line), Some(rules.len() + 1));
    for (line, told) in [
        ("up,1,a,1,1", "direction"),
        ("out,x,a,1,1", "priority"),
        ("out,1,a,1", "3 fields"),
        ("out,1,\"a,1,1", "quote"),
        ("out,1,\"a\"b,1,1", "quote"),
    ] {
        let (number, error) = import(&format!("out,1,a,1,1\n{line}\n")).unwrap_err();
        assert_eq!(number, 2, "{line}");
        assert!(error.to_string().contains(told), "{error}");
    }
    assert_eq!(parse_row(" 5 , two words , +330 ,[-ExternalPrefix-]0").unwrap().name, "two words");
}

/// The default plan's algorithm once more, written from its description and in another manner:
/// with text alone, for the default rules and their prefixes.
fn independent(number: &str) -> String {
    let mut kept = String::new();
    for symbol in number.chars() {
        if symbol.is_ascii_digit()
            || symbol == '('
            || symbol == ')'
            || ("+#*".contains(symbol) && kept.is_empty())
        {
            kept.push(symbol);
        }
    }
    if kept.starts_with("0033") {
        kept = kept.replacen("0033", "+33", 1);
    }
    if kept.starts_with("+33(0)") {
        kept = kept.replacen("+33(0)", "+330", 1);
    }
    let bare = |text: &str| text.replace(['(', ')'], "");
    let after = |beginning: &str| kept.strip_prefix(beginning);
    if let Some(rest) = after("+330") {
        return bare(&format!("00{rest}"));
    }
    for beginning in ["+0033(0)", "+00330", "+0033", "+33", "33(0)", "33"] {
        if let Some(rest) = after(beginning) {
            return bare(&format!("00{rest}"));
        }
    }
    // Anything, then something in parentheses.
    let open = kept.char_indices().find(|&(at, symbol)| {
        let behind = &kept[at + symbol.len_utf8()..];
        let inner = behind.split(')').next().unwrap_or_default();
        symbol == '('
            && at > 0
            && !kept[..at].ends_with('(')
            && behind.contains(')')
            && !inner.is_empty()
    });
    if let Some((open, _)) = open {
        let close = open + kept[open..].find(')').expect("it was found");
        let begin = kept[..open].rfind('(').map_or(0, |at| at + 1);
        let (lead, country) = kept.split_at(begin);
        let country = &country[..open - begin];
        let country = match country.strip_prefix("+").or_else(|| country.strip_prefix("00")) {
            Some(rest) if !rest.is_empty() => rest,
            _ => country,
        };
        return bare(&format!("{lead}000{country}{}", &kept[close + 1..]));
    }
    if let Some(rest) = after("+") {
        return bare(&format!("000{rest}"));
    }
    let kept_bare = bare(&kept);
    if kept.starts_with(['#', '*']) || kept_bare.len() <= 4 {
        return kept_bare;
    }
    format!("0{kept_bare}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_independent_implementation_agrees(
        number in "(\\+|00|0033|\\+33|33|\\+33 \\(0\\)|33\\(0\\)|#|\\*|\\+00)?[0-9 .-]{0,6}(\\([0-9]{1,2}\\))?[0-9 .-]{0,9}",
    ) {
        prop_assert_eq!(out(&number), independent(&number), "{}", number);
    }

    #[test]
    fn no_text_is_too_much(number in "\\PC{0,40}", model in "\\PC{0,12}", value in "\\PC{0,8}") {
        let plan = &*PLAN;
        let answer = plan.apply(Direction::Out, &number).number;
        prop_assert!(answer.chars().all(|it| it.is_ascii_digit() || "+#*".contains(it)));
        let _ = plan.apply(Direction::In, &number);
        let text = RuleText { priority: 1, name: String::new(), model, value };
        if let Ok(rule) = Rule::new(text, &plan.settings().prefixes) {
            let _ = rule.apply(&number);
        }
    }
}
