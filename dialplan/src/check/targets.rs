//! Where `Goto` and its relatives lead, as far as the text tells.

use std::ops::Range;

use bstr::{BStr, ByteSlice};

use super::{is_literal, references::closing};

/// Something an application's arguments hold that can be checked by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `[[context,]extension,]priority`.
    Target(Range<usize>),
    /// `application(arguments)` to run.
    Application(Range<usize>),
    /// A time condition.
    Schedule(Range<usize>),
    /// A condition has neither `?` nor anything after it.
    NoBranch,
}

/// The parts of an application's arguments, by ranges of `text`.
pub(super) fn parts(application: &BStr, text: &BStr, arguments: Range<usize>) -> Vec<Part> {
    let is = |name: &str| application.eq_ignore_ascii_case(name.as_bytes());
    if is("Goto") {
        return vec![Part::Target(arguments)];
    }
    if is("Gosub") {
        return vec![Part::Target(without_arguments(text, arguments))];
    }
    if is("Exec") || is("TryExec") {
        return vec![Part::Application(arguments)];
    }
    let conditional = if is("GotoIf") || is("GotoIfTime") || is("GosubIf") {
        Part::Target
    } else if is("ExecIf") || is("ExecIfTime") {
        Part::Application
    } else {
        return vec![];
    };
    let Some(question) = find(text, arguments.clone(), b'?', Protection::Replaced) else {
        return vec![Part::NoBranch];
    };
    let mut parts = vec![];
    if is("GotoIfTime") || is("ExecIfTime") {
        parts.push(Part::Schedule(arguments.start..question));
    }
    let branches = question + 1..arguments.end;
    let protection = match conditional(0..0) {
        Part::Target(_) if !is("GosubIf") => Protection::Replaced,
        _ => Protection::Brackets,
    };
    let colon = find(text, branches.clone(), b':', protection);
    let first = branches.start..colon.unwrap_or(branches.end);
    let second = colon.map(|colon| colon + 1..branches.end);
    for branch in std::iter::once(first).chain(second).filter(|branch| !branch.is_empty()) {
        let branch = if is("GosubIf") { without_arguments(text, branch) } else { branch };
        parts.push(conditional(branch));
    }
    parts
}

/// A place in the dialplan as written: parts that are not literal are computed at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) context: Option<Range<usize>>,
    pub(super) extension: Option<Range<usize>>,
    pub(super) priority: Range<usize>,
}

impl Target {
    /// Splits at every comma, as Asterisk does; `None` if a computed part may bring commas.
    pub(super) fn parse(text: &BStr, range: Range<usize>) -> Option<Self> {
        let mut fields = vec![];
        let mut at = range.start;
        while let Some(comma) = find(text, at..range.end, b',', Protection::Replaced) {
            fields.push(at..comma);
            at = comma + 1;
        }
        fields.push(at..range.end);
        // A single computed text may well be a whole target.
        if fields.len() < 3 && fields.iter().any(|field| text[field.clone()].starts_with(b"${")) {
            return None;
        }
        let priority = fields.pop()?;
        let extension = fields.pop();
        let context = fields.pop();
        fields.is_empty().then_some(Self { context, extension, priority })
    }
}

/// What protects a separator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// `${...}` and `$[...]`, which are replaced before.
    Replaced,
    /// These, and all brackets and quotes.
    Brackets,
}

/// The first `wanted` that nothing protects.
pub(super) fn find(
    text: &BStr,
    range: Range<usize>,
    wanted: u8,
    protection: Protection,
) -> Option<usize> {
    let mut at = range.start;
    let mut depth = 0_usize;
    let mut quoted = false;
    while at < range.end {
        let byte = text[at];
        let next = text.get(at + 1).copied().filter(|_| at + 1 < range.end);
        match (byte, next) {
            (b'$', Some(open @ (b'{' | b'['))) => {
                let close = if open == b'{' { b'}' } else { b']' };
                let inside = at + 2;
                at = closing(&text[inside..range.end], open, close)
                    .map_or(range.end, |length| inside + length + 1);
                continue;
            }
            _ if byte == wanted && depth == 0 && !quoted => return Some(at),
            _ if protection == Protection::Replaced => {}
            (b'\\', Some(_)) => at += 1,
            (b'"', _) => quoted = !quoted,
            (b'(' | b'[', _) if !quoted => depth += 1,
            (b')' | b']', _) if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// A target without the arguments in parentheses after it.
fn without_arguments(text: &BStr, range: Range<usize>) -> Range<usize> {
    let open = find(text, range.clone(), b'(', Protection::Replaced);
    range.start..open.unwrap_or(range.end)
}

/// The application and the arguments of `application(arguments)`.
pub(super) fn split_application(text: &BStr, range: Range<usize>) -> (Range<usize>, Range<usize>) {
    let part = &text[range.clone()];
    let Some(open) = part.find_byte(b'(').map(|at| range.start + at) else {
        return (range.clone(), range.end..range.end);
    };
    let close = part.rfind_byte(b')').map(|at| range.start + at);
    let close = close.filter(|&close| close > open).unwrap_or(range.end);
    (range.start..open, open + 1..close)
}

/// Whether a priority is counted from the present one: `+1`, `-2`.
pub(super) fn is_relative(priority: &[u8]) -> bool {
    matches!(priority, [b'+' | b'-', digits @ ..] if digits.iter().all(u8::is_ascii_digit))
}

/// The number a priority is, if it is one; blanks before it do not matter.
pub(super) fn number(priority: &[u8]) -> Option<u32> {
    let digits = priority.trim_ascii_start();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| digits.to_str().ok()?.parse().ok()).flatten()
}

/// Whether a part of a target says where it leads.
pub(super) fn is_known(text: &BStr, range: &Range<usize>) -> bool {
    is_literal(&text[range.clone()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(application: &str, arguments: &str) -> Vec<String> {
        let text: &BStr = arguments.into();
        let text_of = |range: &Range<usize>| arguments[range.clone()].to_owned();
        parts(application.into(), text, 0..text.len())
            .iter()
            .map(|part| match part {
                Part::Target(range) => text_of(range),
                Part::Application(range) => format!("run {}", text_of(range)),
                Part::Schedule(range) => format!("when {}", text_of(range)),
                Part::NoBranch => "none".to_owned(),
            })
            .collect()
    }

    #[test]
    fn branches_are_found_behind_what_is_replaced() {
        assert_eq!(shown("GotoIf", "$[\"${a?b:c}\" = \"?\"]?x,1:y"), ["x,1", "y"]);
        assert_eq!(shown("gotoif", "1?:y"), ["y"]);
        assert_eq!(shown("GotoIf", "1"), ["none"]);
        assert_eq!(shown("GosubIf", "1?a,s,1(x:y):b,s,1"), ["a,s,1", "b,s,1"]);
        assert_eq!(shown("ExecIf", "1?Set(a=b:c):NoOp(d)"), ["run Set(a=b:c)", "run NoOp(d)"]);
        assert_eq!(
            shown("GotoIfTime", "9:00-17:00,*,*,*?a,1,1"),
            ["when 9:00-17:00,*,*,*", "a,1,1"]
        );
        assert_eq!(shown("Gosub", "a,s,1(${b})"), ["a,s,1"]);
    }

    #[test]
    fn a_computed_text_may_hold_a_whole_target() {
        let target = |text: &str| Target::parse(text.into(), 0..text.len());
        assert_eq!(target("${there}"), None);
        assert_eq!(target("${context},s,1").and_then(|target| target.context), Some(0..10));
        assert_eq!(target("a,b,c,d"), None);
        assert_eq!(target("s,start").and_then(|target| target.extension), Some(0..1));
    }
}
