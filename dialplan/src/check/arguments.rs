//! What is wrong in the arguments of single applications: Dial's destinations, time-out and options,
//! times that are no numbers, arguments that are missing, conditions that never change.

use std::ops::Range;

use bstr::{BStr, ByteSlice};

use super::{
    is_literal,
    references::closing,
    targets::{Protection, find},
};
use crate::{
    application::{AVAILABLE_OPTIONS, BRIDGE_OPTIONS, PAGE_OPTIONS, WAIT_OPTIONS},
    codes,
    diagnostic::{Code, Severity},
    spelling,
};

/// Something wrong with a part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) severity: Severity,
    pub(super) code: Code,
    /// Where it is in the line's value.
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
}

impl Flaw {
    pub(super) fn warning(code: Code, range: Range<usize>, message: String, help: String) -> Self {
        Self { severity: Severity::Warning, code, range, message, help }
    }
}

/// What is wrong in the arguments of an application, by ranges of `text`.
pub(super) fn flaws(application: &BStr, text: &BStr, arguments: Range<usize>) -> Vec<Flaw> {
    let is = |name: &str| application.eq_ignore_ascii_case(name.as_bytes());
    let fields = fields(text, arguments.clone());
    let first = fields.first().cloned().unwrap_or_else(|| arguments.clone());
    if let Some((name, wanted)) = NEEDED.iter().find(|(name, _)| is(name))
        && text[first.clone()].trim_ascii().is_empty()
    {
        let message = format!("`{name}` does nothing without its first argument");
        let help = format!("write `{name}({wanted})`");
        return vec![Flaw::warning(codes::ARGUMENT_MISSING, arguments, message, help)];
    }
    if is("Dial") {
        return dial(text, &fields);
    }
    if let Some(known) = OPTIONS.iter().find(|known| is(known.application)) {
        let range = fields.get(known.field).cloned();
        let mut found: Vec<_> =
            range.and_then(|range| options(text, range, known)).into_iter().collect();
        if is("MixMonitor") {
            found.extend(fields.get(2).and_then(|range| command(text, range.clone())));
        }
        return found;
    }
    if is("Wait") || is("WaitExten") {
        return time(text, first).into_iter().collect();
    }
    if CONDITIONAL.iter().any(|name| is(name)) {
        let question = find(text, arguments.clone(), b'?', Protection::Replaced);
        return question.and_then(|at| condition(text, arguments.start..at)).into_iter().collect();
    }
    if is("While") || is("If") || is("ElseIf") {
        return condition(text, arguments).into_iter().collect();
    }
    vec![]
}

fn fields(text: &BStr, arguments: Range<usize>) -> Vec<Range<usize>> {
    split(text, arguments, b',')
}

fn split(text: &BStr, range: Range<usize>, separator: u8) -> Vec<Range<usize>> {
    let mut fields = vec![];
    let mut at = range.start;
    while let Some(end) = find(text, at..range.end, separator, Protection::Brackets) {
        fields.push(at..end);
        at = end + 1;
    }
    fields.push(at..range.end);
    fields
}

/// A number of seconds.
fn time(text: &BStr, range: Range<usize>) -> Option<Flaw> {
    let value = text[range.clone()].trim_ascii();
    let &first = value.first().filter(|_| is_literal(value))?;
    if first.is_ascii_digit() || b".+-".contains(&first) {
        return None;
    }
    let message = format!("`{}` is not a number of seconds", value.as_bstr());
    let help = "write a number such as `1` or `0.5`".to_owned();
    Some(Flaw::warning(codes::ARGUMENT_INVALID, range, message, help))
}

fn dial(text: &BStr, fields: &[Range<usize>]) -> Vec<Flaw> {
    let mut found = vec![];
    if let Some(destinations) = fields.first() {
        for range in split(text, destinations.clone(), b'&') {
            found.extend(destination(text, range));
        }
    }
    if let Some(range) = fields.get(1) {
        found.extend(time_out(text, range.clone()));
    }
    if let Some(range) = fields.get(2) {
        found.extend(options(text, range.clone(), &DIAL));
    }
    found
}

fn destination(text: &BStr, range: Range<usize>) -> Option<Flaw> {
    let all = text[range.clone()].trim_ascii().as_bstr();
    let technology = all.split(|&byte| byte == b'/').next().unwrap_or_default().as_bstr();
    if all.is_empty() || technology.contains(&b'$') {
        return None;
    }
    if !all.contains(&b'/') {
        // Old separators are a cause of their own.
        let is_plain = !all.contains(&b'|') && is_literal(all);
        let message = format!("`{all}` names no technology: nobody is called by it");
        let help = format!("write `PJSIP/{all}`");
        return is_plain
            .then(|| Flaw::warning(codes::DIAL_TECHNOLOGY_UNKNOWN, range, message, help));
    }
    if TECHNOLOGIES.iter().any(|known| technology.eq_ignore_ascii_case(known.as_bytes())) {
        return None;
    }
    let known = TECHNOLOGIES.iter().map(|name| name.as_bytes().as_bstr());
    let guess = spelling::closest(technology, known)?;
    let message = format!("there is no technology `{technology}`: nobody is called by it");
    let help = format!("did you mean `{guess}`?");
    Some(Flaw::warning(codes::DIAL_TECHNOLOGY_UNKNOWN, range, message, help))
}

fn time_out(text: &BStr, range: Range<usize>) -> Option<Flaw> {
    let value = text[range.clone()].trim_ascii().as_bstr();
    let &first = value.first().filter(|_| is_literal(value))?;
    if first.is_ascii_digit() || b".+^|".contains(&first) {
        return None;
    }
    let message = format!("`{value}` is not a number of seconds: it rings without end");
    let help = if value.bytes().all(|byte| DIAL_OPTIONS.contains(&byte)) {
        format!("options come third: write `,,{value}`")
    } else {
        "write a number of seconds, or nothing".to_owned()
    };
    Some(Flaw::warning(codes::ARGUMENT_INVALID, range, message, help))
}

fn options(text: &BStr, range: Range<usize>, known: &KnownOptions) -> Option<Flaw> {
    let mut at = range.start;
    if !is_literal(&text[range.clone()]) {
        return None;
    }
    while at < range.end {
        let byte = text[at];
        if byte == b'(' {
            at = closing(&text[at + 1..range.end], b'(', b')')
                .map_or(range.end, |length| at + length + 2);
            continue;
        }
        let refused = known.refused.iter().find(|(letters, _)| letters.contains(&byte));
        let is_known = known.letters.contains(&byte) && refused.is_none();
        if byte.is_ascii_alphanumeric() && !is_known {
            let (name, option) = (known.application, char::from(byte));
            let message = format!("`{name}` has no option `{option}`");
            let help = refused.map_or("it has no effect", |(_, why)| why).to_owned();
            return Some(Flaw::warning(codes::OPTION_UNKNOWN, at..at + 1, message, help));
        }
        at += 1;
    }
    None
}

/// A program that MixMonitor is to run afterwards.
fn command(text: &BStr, range: Range<usize>) -> Option<Flaw> {
    if text[range.clone()].trim_ascii().is_empty() {
        return None;
    }
    let message = "no program is run after a recording".to_owned();
    let help = "leave it out, and let something else look for the file".to_owned();
    Some(Flaw::warning(codes::OPTION_UNKNOWN, range, message, help))
}

/// A condition is false when empty or zero, and true for any other text.
fn condition(text: &BStr, range: Range<usize>) -> Option<Flaw> {
    let value = text[range.clone()].trim_ascii().as_bstr();
    let outside = without_references(value)?;
    if outside.len() == value.len() {
        if value.is_empty() {
            let message = "an empty condition is always false".to_owned();
            let help = "write a condition before the `?`".to_owned();
            return Some(Flaw::warning(codes::CONDITION_CONSTANT, range, message, help));
        }
        // A number is a switch that someone set on purpose.
        let is_text = !value[0].is_ascii_digit();
        let message = format!("`{value}` is a text, and a text is always true");
        let help = format!("write `$[{value}]` to compare, `${{{value}}}` for a variable");
        return is_text.then(|| Flaw::warning(codes::CONDITION_CONSTANT, range, message, help));
    }
    let is_compared = outside.find_byteset("=<>&|").is_some();
    let message = "outside of `$[...]` nothing is compared: this is a text".to_owned();
    let help = if value.contains_str("$[") {
        "put all of the condition into one `$[...]`".to_owned()
    } else {
        format!("write `$[{value}]`")
    };
    is_compared.then(|| Flaw::warning(codes::CONDITION_CONSTANT, range, message, help))
}

/// A text without its `${...}` and `$[...]`; `None` if one of them does not end.
fn without_references(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![];
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match (byte, text.get(at + 1)) {
            (b'$', Some(&open @ (b'{' | b'['))) => {
                let close = if open == b'{' { b'}' } else { b']' };
                at += closing(&text[at + 2..], open, close)? + 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Some(out)
}

/// Applications that do nothing without a first argument, and what it is.
const NEEDED: [(&str, &str); 11] = [
    ("Bridge", "channel"),
    ("BridgeAdd", "channel"),
    ("Page", "technology/destination&.."),
    ("Read", "variable"),
    ("ConfBridge", "conference"),
    ("SayDigits", "digits"),
    ("SayNumber", "number"),
    ("SayAlpha", "text"),
    ("Playback", "file"),
    ("BackGround", "file"),
    ("Dial", "technology/destination"),
];

const CONDITIONAL: [&str; 3] = ["GotoIf", "GosubIf", "ExecIf"];

/// Technologies of ours, those that Asterisk has or had, and those of common modules of others.
const TECHNOLOGIES: [&str; 37] = [
    "PJSIP",
    "Robot",
    "SIP",
    "Local",
    "IAX2",
    "IAX",
    "DAHDI",
    "Zap",
    "Agent",
    "Console",
    "SCCP",
    "Skinny",
    "MGCP",
    "H323",
    "OOH323",
    "OH323",
    "Motif",
    "Gtalk",
    "Jingle",
    "mISDN",
    "CAPI",
    "Sirrix",
    "VPB",
    "Phone",
    "USTM",
    "UNISTIM",
    "MulticastRTP",
    "UnicastRTP",
    "WebSocket",
    "AudioSocket",
    "Dongle",
    "Datacard",
    "Mobile",
    "Khomp",
    "Quectel",
    "Alsa",
    "Oss",
];

/// The options that an application has.
struct KnownOptions {
    application: &'static str,
    /// The argument that they are, from 0.
    field: usize,
    letters: &'static [u8],
    /// Those that Asterisk has and are not here, and what that means.
    refused: &'static [(&'static [u8], &'static str)],
}

const DIAL: KnownOptions = KnownOptions {
    application: "Dial",
    field: 2,
    letters: DIAL_OPTIONS,
    refused: &[
        (b"pP", "screening of callers is not available: nobody is called"),
        (b"nN", "screening of callers is not available: it has no effect"),
        (b"E", "there are no MF or SF digits: it has no effect"),
        (b"jvZ", "it has no effect"),
    ],
};

const OPTIONS: [KnownOptions; 6] = [
    KnownOptions {
        application: "Bridge",
        field: 1,
        letters: BRIDGE_OPTIONS,
        refused: &[(b"wW", "recording by keys is not available: it has no effect")],
    },
    KnownOptions { application: "BridgeWait", field: 2, letters: WAIT_OPTIONS, refused: &[] },
    KnownOptions { application: "ChanIsAvail", field: 1, letters: AVAILABLE_OPTIONS, refused: &[] },
    KnownOptions {
        application: "MixMonitor",
        field: 1,
        letters: b"aBbDdiPprStVvW",
        refused: &[
            (b"cm", "there are no mailboxes to copy to: it has no effect"),
            (b"n", "silence is always kept, so that both sides stay aligned"),
        ],
    },
    KnownOptions { application: "Record", field: 3, letters: b"aknoqstuxy", refused: &[] },
    KnownOptions {
        application: "Page",
        field: 1,
        letters: PAGE_OPTIONS,
        refused: &[(b"r", "recording a page is not available: it has no effect")],
    },
];

/// All letters that have been options of Dial.
const DIAL_OPTIONS: &[u8] = b"AaBbCcDdEeFfGgHhIiJjKkLMmNnOoPpQRrSsTtUuvWwXxZz0123456789";

#[cfg(test)]
mod tests {
    use super::*;

    fn said(application: &str, arguments: &str) -> Vec<String> {
        let found = flaws(application.into(), arguments.into(), 0..arguments.len());
        found
            .iter()
            .map(|flaw| format!("{} {}", flaw.code, &arguments[flaw.range.clone()]))
            .collect()
    }

    #[test]
    fn what_dial_does_not_know_is_named() {
        for (arguments, wanted) in [
            ("1001", "D328 1001"),
            ("PJSPI/1", "D328 PJSPI/1"),
            ("PJSIP/1&Locla/2@a", "D328 Locla/2@a"),
            ("PJSIP/1,tT", "D326 tT"),
            ("PJSIP/1,20,qm(a,y)", "D329 q"),
            ("PJSIP/1,20,tp", "D329 p"),
            ("", "D327 "),
        ] {
            assert_eq!(said("Dial", arguments).join(" "), wanted, "{arguments}");
        }
    }

    #[test]
    fn options_that_other_applications_do_not_have_are_named() {
        for (application, arguments, wanted) in [
            ("Bridge", "PJSIP/1,hHkKL(1:2)S(9)F(a^b^1)tTpnx", ""),
            ("Bridge", "PJSIP/1,tw", "D329 w"),
            ("BridgeWait", "lobby,participant,m(jazz)e(r)S(9)n", ""),
            ("BridgeWait", ",,q", "D329 q"),
            ("Page", "PJSIP/1&PJSIP/2,dqnsiA(x)b(a^s^1)B(c^s^1),5", ""),
            ("Page", "PJSIP/1,dr", "D329 r"),
            ("ChanIsAvail", "PJSIP/1,sx", "D329 x"),
            ("MixMonitor", "a.wav,ai(x)v(2)W(-1)r(r.wav)t(t.wav)bdDpPSB(9)", ""),
            ("MixMonitor", "a.wav,bm(7)", "D329 m"),
            ("MixMonitor", "a.wav,b,/bin/mv a b", "D329 /bin/mv a b"),
            ("Record", "a.wav,3,60,qkz", "D329 z"),
            ("Page", "", "D327 "),
        ] {
            let found = said(application, arguments).join(" ");
            assert_eq!(found, wanted, "{application}({arguments})");
        }
    }

    #[test]
    fn what_dial_knows_is_not_named() {
        for arguments in [
            "PJSIP/1&SIP/2,20,tTkKL(1000:2)U(a^y)",
            "${X}",
            "${TECH}/${EXTEN},${TIME},${OPTIONS}q",
            "SIP/1,10^20",
            "SIP/1,,t",
            "SIP/1|20|t",
            "dahdi/g1/100",
            "Woomera/1",
            "iax2/a:b@c/100,60,rg",
            "PJSIP/1,,b(a^s^1(${X},y))",
        ] {
            assert_eq!(said("Dial", arguments), [""; 0], "{arguments}");
        }
    }

    #[test]
    fn missing_and_wrong_arguments_are_named() {
        assert_eq!(said("read", ""), ["D327 "]);
        assert_eq!(said("ConfBridge", " ,x"), ["D327  ,x"]);
        assert_eq!(said("Wait", "abc"), ["D326 abc"]);
        for (application, arguments) in
            [("Wait", "1.5"), ("Wait", "${x}"), ("Wait", ""), ("WaitExten", ",m"), ("Answer", "")]
        {
            assert_eq!(said(application, arguments), [""; 0], "{application}({arguments})");
        }
    }

    #[test]
    fn a_condition_that_no_call_changes_is_named() {
        for (arguments, wanted) in [
            ("?1", 1),
            ("x?1", 1),
            ("\"${x}\" = \"1\"?1", 1),
            ("$[1 = ${x}] & $[2 = ${y}]?1", 1),
            ("1?1", 0),
            ("0?1", 0),
            ("${x}?1", 0),
            ("$[${x} = 1]?1", 0),
            ("${ISNULL(${x})}?1", 0),
            ("${REGEX(\"a=b\" ${x})}?1", 0),
            ("${a}${b}?1", 0),
            ("$[${x} = 1", 0),
        ] {
            assert_eq!(said("GotoIf", arguments).len(), wanted, "{arguments}");
        }
    }
}
