//! Prompts that a dialplan names in so many words and that do not exist.
//!
//! Names with variables in them are known only when a call comes to them; they are passed over.

use std::collections::HashSet;
use std::ops::Range;

use bstr::{BStr, ByteSlice};
use diesis_dialplan::ast::StatementKind;
use diesis_dialplan::conf::Conf;
use diesis_dialplan::diagnostic::Diagnostic;
use diesis_dialplan::parser;
use diesis_sounds::prompts::Library;

use super::codes;

/// A warning for every prompt of the dialplan that `library` does not have in one of `languages`,
/// at the first place that names it.
pub(super) fn missing(conf: &Conf, library: &Library, languages: &[String]) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    let mut diagnostics = vec![];
    for entry in conf.sections().flat_map(|section| section.entries()) {
        let statement = parser::parse(entry);
        let StatementKind::Step(step) = &statement.kind else { continue };
        let value = entry.value();
        let application = value[step.application.clone()].as_bstr();
        let mut look_for = |text, part: Range<usize>| {
            let error = languages.iter().find_map(|language| library.find(text, language).err());
            if let Some(error) = error.filter(|_| seen.insert(text)) {
                let span = entry.part_span(part);
                let warning = Diagnostic::warning(codes::PROMPT_MISSING, span, error.to_string());
                let help = "the call goes on without it; PLAYBACKSTATUS is FAILED";
                diagnostics.push(warning.with_help(help));
            }
        };
        for name in said_by(application) {
            look_for(BStr::new(name), step.application.clone());
        }
        let Some(list) = prompts(application, value, step.arguments.clone()) else { continue };
        for name in parts(value, list, b'&') {
            let text = value[name.clone()].trim_ascii().as_bstr();
            // An empty part is skipped by the application as well; a URI is no prompt of ours.
            let is_literal = !text.contains(&b'$') && !text.contains_str("://");
            if !text.is_empty() && is_literal {
                look_for(text, name);
            }
        }
    }
    diagnostics
}

/// Where the list of prompts is in the arguments of an application that plays some.
fn prompts(application: &BStr, value: &BStr, arguments: Range<usize>) -> Option<Range<usize>> {
    let is = |name: &str| application.eq_ignore_ascii_case(name.as_bytes());
    let mut parts = parts(value, arguments, b',');
    if is("Playback") || is("Background") || is("ControlPlayback") || is("BackgroundDetect") {
        let list = parts.next();
        // With `say` and `mix` the first argument is not a list of files.
        let is_else = |part: &BStr| part.contains_str("say") || part.contains_str("mix");
        return list.filter(|_| !parts.any(|part| is_else(value[part].as_bstr())));
    }
    if is("Read") || is("SayCountedAdj") {
        parts.nth(1)
    } else if is("AMD") {
        parts.nth(9)
    } else {
        None
    }
}

/// Prompts that an application of words needs whatever it says: one of each set that it has.
fn said_by(application: &BStr) -> &'static [&'static str] {
    let known = SAID.iter().find(|(name, _)| application.eq_ignore_ascii_case(name.as_bytes()));
    known.map_or(&[], |(_, prompts)| prompts)
}

const SAID: [(&str, &[&str]); 8] = [
    ("SayAlpha", &["letters/a", "digits/1"]),
    ("SayAlphaCase", &["letters/a", "uppercase", "lowercase"]),
    ("SayDigits", &["digits/1"]),
    ("SayMoney", &["dollars", "and", "cents", "cent"]),
    ("SayNumber", &["digits/1", "digits/hundred", "digits/thousand"]),
    ("SayOrdinal", &["digits/h-1", "digits/h-hundred", "digits/h-thousand"]),
    ("SayPhonetic", &["phonetic/a_p"]),
    ("SayUnixTime", &["digits/day-0", "digits/mon-0", "digits/1"]),
];

/// The parts of a range of `text` between separators.
fn parts(text: &BStr, range: Range<usize>, separator: u8) -> impl Iterator<Item = Range<usize>> {
    let mut start = range.start;
    text[range].split(move |byte| *byte == separator).map(move |part| {
        let part = start..start + part.len();
        start = part.end + 1;
        part
    })
}

#[cfg(test)]
mod tests {
    use diesis_dialplan::conf::{self, MemoryFiles, Options};

    use super::*;

    fn said(lines: &str) -> Vec<String> {
        let files = MemoryFiles::new().with("extensions.conf", format!("[a]\n{lines}"));
        let conf = conf::load("extensions.conf", &files, &Options::default());
        let languages = ["en".to_owned(), "fr".to_owned()];
        missing(&conf, &Library::new(), &languages)
            .iter()
            .map(|diagnostic| {
                let at = diagnostic.locate(conf.sources());
                format!("{}:{} {}", at.line.unwrap(), at.column.unwrap(), at.message)
            })
            .collect()
    }

    #[test]
    fn sets_of_words_that_are_not_there_are_named_once() {
        let there = "exten => 1,1,SayNumber(21,f)\nexten => 1,2,SayUnixTime()\n\
                     exten => 1,3,SayAlphaCase(a,bC)\nexten => 1,4,SayPhonetic(d)\n\
                     exten => 1,5,SayDigits(12)\nexten => 1,6,SayAlpha(x)\n";
        assert_eq!(said(there), Vec::<String>::new());
        let lines = "exten => 1,1,SayMoney(3.50)\nexten => 2,1,SayMoney(1)\n";
        let said = said(lines);
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said[0].starts_with("2:14 ") && said[0].contains("dollars"), "{said:?}");
    }

    #[test]
    fn a_prompt_that_does_not_exist_is_named_where_it_stands() {
        assert_eq!(
            said("exten => 1,1,Playback(beep&nosuch)\nexten => 1,2,background(other,m)\n"),
            [
                "2:28 prompt \"nosuch\" does not exist in language \"en\" in any format",
                "3:25 prompt \"other\" does not exist in language \"en\" in any format",
            ]
        );
        assert_eq!(
            said("exten => 1,1,Read(digits,nowhere,4)\n"),
            ["2:26 prompt \"nowhere\" does not exist in language \"en\" in any format"]
        );
    }

    #[test]
    fn each_is_named_once() {
        assert_eq!(said("exten => 1,1,Playback(x)\nexten => 2,1,Playback(x&x)\n").len(), 1);
    }

    #[test]
    fn what_exists_or_is_not_known_yet_is_passed_over() {
        let lines = "exten => 1,1,Playback(beep&digits/1)\nexten => 1,2,Playback(${FILE}&$[1])\n\
                     exten => 1,3,Playback(n:1234,say)\nexten => 1,4,Read(x,,4)\n\
                     exten => 1,5,Playback(http://a/b.wav)\nexten => 1,6,NoOp(nosuch)\n\
                     exten => 1,7,Playback()\ninclude => nosuch\n";
        assert_eq!(said(lines), [""; 0]);
    }
}
