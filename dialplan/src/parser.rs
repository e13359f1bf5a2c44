//! From an entry of a context to its parts (pbx/pbx_config.c: pbx_load_config).

use std::ops::Range;

use bstr::{BStr, ByteSlice};

use crate::{
    ast::{Ending, IncludeLine, Statement, StatementKind, StepLine, SwitchKind},
    conf::Entry,
};

/// Reads one line of a context. Every line is something, if only unknown.
pub fn parse(entry: Entry<'_>) -> Statement<'_> {
    let name = entry.name();
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
    let value = entry.value();
    let kind = if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"same")) {
        StatementKind::Step(parse_step(value, None, 0))
    } else if is("exten") {
        let (extension, rest) = split_extension(value);
        StatementKind::Step(parse_step(value, Some(extension), rest))
    } else if is("include") {
        StatementKind::Include(parse_include(value))
    } else if is("ignorepat") {
        StatementKind::IgnorePattern
    } else if is("switch") {
        StatementKind::Switch(SwitchKind::AtLoad)
    } else if is("lswitch") {
        StatementKind::Switch(SwitchKind::Literal)
    } else if is("eswitch") {
        StatementKind::Switch(SwitchKind::AtLookup)
    } else if is("autohints") {
        StatementKind::AutoHints
    } else {
        StatementKind::Unknown
    };
    Statement { entry, kind }
}

/// The parts of an `include`; also of one whose variables have been replaced.
pub(crate) fn parse_include(value: &BStr) -> IncludeLine {
    let Some(end) = memchr::memchr2(b',', b'|', value) else {
        return IncludeLine { context: 0..value.len(), schedule: None };
    };
    let schedule = (end + 1 < value.len()).then_some(end + 1..value.len());
    IncludeLine { context: 0..end, schedule }
}

/// The extension ends at the first comma that is neither in brackets nor after a backslash. Gives
/// its range and where the rest begins.
fn split_extension(value: &BStr) -> (Range<usize>, usize) {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b'\\' => at += 1,
            b',' if depth == 0 => return (0..at, at + 1),
            _ => {}
        }
        at += 1;
    }
    (0..value.len(), value.len())
}

fn parse_step(value: &BStr, extension: Option<Range<usize>>, from: usize) -> StepLine {
    let comma = find(value, from, b',');
    let priority_text = trim(value, from..comma.unwrap_or(value.len()));
    let (priority, offset, label, label_end, after_label) = parse_priority(value, priority_text);
    let start = comma.map_or(value.len(), |comma| comma + 1);
    let (application, arguments, arguments_end, after_arguments) = parse_application(value, start);
    StepLine {
        extension,
        priority,
        label,
        label_end,
        offset,
        after_label,
        application,
        arguments,
        arguments_end,
        after_arguments,
    }
}

type PriorityParts =
    (Range<usize>, Option<Range<usize>>, Option<Range<usize>>, Ending, Range<usize>);

fn parse_priority(value: &BStr, text: Range<usize>) -> PriorityParts {
    let open = find_in(value, text.clone(), b'(');
    let base = text.start..open.unwrap_or(text.end);
    let (label, label_end, after) = match open {
        None => (None, Ending::Absent, text.end..text.end),
        Some(open) => match find_in(value, open + 1..text.end, b')') {
            Some(close) => (Some(open + 1..close), Ending::Closed, close + 1..text.end),
            None => (Some(open + 1..text.end), Ending::Open, text.end..text.end),
        },
    };
    match find_in(value, base.clone(), b'+') {
        Some(plus) => (base.start..plus, Some(plus + 1..base.end), label, label_end, after),
        None => (base, None, label, label_end, after),
    }
}

fn parse_application(
    value: &BStr,
    start: usize,
) -> (Range<usize>, Range<usize>, Ending, Range<usize>) {
    let end = value.len();
    let skip = value[start..].iter().take_while(|&&byte| byte <= b' ').count();
    let whole = start + skip..end;
    let Some(open) = find(value, start, b'(') else {
        return (whole, end..end, Ending::Absent, end..end);
    };
    let name = &value[start..open];
    if name.contains_str("${") || name.contains_str("$[") {
        // A hint such as `PJSIP/${DB(a/b)}`: the parenthesis is part of an expression.
        return (whole, end..end, Ending::Absent, end..end);
    }
    let name = whole.start.min(open)..open;
    match memchr::memrchr(b')', &value[open + 1..]) {
        Some(close) => {
            let close = open + 1 + close;
            (name, open + 1..close, Ending::Closed, close + 1..end)
        }
        None => (name, open + 1..end, Ending::Open, end..end),
    }
}

fn find(value: &BStr, from: usize, byte: u8) -> Option<usize> {
    memchr::memchr(byte, &value[from..]).map(|at| from + at)
}

fn find_in(value: &BStr, range: Range<usize>, byte: u8) -> Option<usize> {
    memchr::memchr(byte, &value[range.clone()]).map(|at| range.start + at)
}

fn trim(value: &BStr, range: Range<usize>) -> Range<usize> {
    let text = &value[range.clone()];
    let Some(first) = text.iter().position(|&byte| byte > b' ') else {
        return range.start..range.start;
    };
    let last = text.iter().rposition(|&byte| byte > b' ').unwrap_or(first);
    range.start + first..range.start + last + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{self, MemoryFiles, Options};

    /// The parts of a step line: extension, priority, offset, label, application, arguments.
    fn parts(line: &str) -> [String; 6] {
        let files = MemoryFiles::new().with("f", format!("[a]\n{line}\n"));
        let conf = conf::load("f", &files, &Options::default());
        let entry = conf.section("a").and_then(|a| a.entries().next()).expect("one entry");
        let statement = parse(entry);
        let StatementKind::Step(step) = &statement.kind else { panic!("not a step: {line}") };
        let text = |range: Option<&Range<usize>>| match range {
            Some(range) => statement.text(range).to_string(),
            None => "-".to_owned(),
        };
        [
            text(step.extension.as_ref()),
            text(Some(&step.priority)),
            text(step.offset.as_ref()),
            text(step.label.as_ref()),
            text(Some(&step.application)),
            text(Some(&step.arguments)),
        ]
    }

    #[test]
    fn a_step_has_an_extension_a_priority_and_an_application() {
        assert_eq!(parts("exten => 1,2,A(b)"), ["1", "2", "-", "-", "A", "b"]);
        assert_eq!(parts("SAMEfoo=n,A"), ["-", "n", "-", "-", "A", ""]);
        assert_eq!(parts("exten => 1"), ["1", "", "-", "-", "", ""]);
    }

    #[test]
    fn commas_in_brackets_belong_to_the_extension() {
        assert_eq!(parts("exten => _[2,3]X,1,A()")[0], "_[2,3]X");
        assert_eq!(parts("exten => a\\,b,1,A()")[0], "a\\,b");
        assert_eq!(parts("exten => _[2,1,A()")[..2], ["_[2,1,A()", ""]);
    }

    #[test]
    fn an_offset_counts_before_the_label_only() {
        assert_eq!(parts("exten => 1, n+2(lab) ,A")[1..4], ["n", "2", "lab"]);
        assert_eq!(parts("exten => 1,n(lab)+2,A")[1..4], ["n", "-", "lab"]);
        assert_eq!(parts("exten => 1,n (lab),A")[1..4], ["n ", "-", "lab"]);
    }

    #[test]
    fn arguments_end_at_the_last_parenthesis() {
        assert_eq!(parts("exten => 1,1,A(b)(c) d")[4..], ["A", "b)(c"]);
        assert_eq!(parts("exten => 1,1,A( b")[4..], ["A", " b"]);
        assert_eq!(parts("exten => 1,1, A (b)")[4..], ["A ", "b"]);
        assert_eq!(parts("exten => 1,1,(b)")[4..], ["", "b"]);
        assert_eq!(parts("exten => 1,1, A,b")[4..], ["A,b", ""]);
    }

    #[test]
    fn a_variable_before_the_parenthesis_makes_it_all_the_name() {
        assert_eq!(parts("exten => 1,hint,X/${DB(a/b)}")[4..], ["X/${DB(a/b)}", ""]);
    }
}
