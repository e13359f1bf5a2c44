//! Prompts that a dialplan or a setting names in so many words and that do not exist.
//!
//! Names with variables in them are known only when a call comes to them; they are passed over.
//! Looking for prompts blocks on the disk.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::ast::StatementKind;
use diesis_dialplan::conf::Conf;
use diesis_dialplan::diagnostic::Diagnostic;
use diesis_dialplan::parser;
use diesis_sounds::prompts::Library;

use super::codes;
use super::notes::Notes;
use super::settings::SipSettings;

/// What prompts of a configuration can be played: those of a library in the languages in use.
#[derive(Debug)]
pub(crate) struct Prompts {
    library: Library,
    languages: Vec<String>,
    /// What was looked for already.
    known: RefCell<HashMap<BString, Option<Missing>>>,
    /// What a setting named, so that the dialplan does not name it again.
    told: HashSet<BString>,
}

/// A prompt that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {looked}")]
pub(crate) struct Missing {
    /// Which, and in which language.
    message: String,
    /// Where it was looked for.
    looked: String,
}

impl Prompts {
    pub(crate) fn new(library: Library, languages: Vec<String>) -> Self {
        Self { library, languages, known: RefCell::default(), told: HashSet::new() }
    }

    /// The first prompt of a list as `Playback` takes it, `a&b`, that does not exist.
    #[cfg(feature = "net")]
    pub(crate) fn missing_of(&self, list: &[u8]) -> Option<Missing> {
        list.split(|byte| *byte == b'&').find_map(|name| self.missing(name.trim_ascii()))
    }

    /// Why a prompt can not be played; `None` when it can, in every language.
    fn missing(&self, name: &[u8]) -> Option<Missing> {
        if name.is_empty() {
            return None;
        }
        if let Some(known) = self.known.borrow().get(BStr::new(name)) {
            return known.clone();
        }
        let find = |language: &String| self.library.find(name, language).err();
        let error = self.languages.iter().find_map(find);
        let found =
            error.map(|error| Missing { message: error.to_string(), looked: self.looked(name) });
        self.known.borrow_mut().insert(name.into(), found.clone());
        found
    }

    /// Where a prompt is looked for.
    fn looked(&self, name: &[u8]) -> String {
        if name.starts_with(b"/") {
            return "its path is absolute, so it was looked for there alone".to_owned();
        }
        let described = self.library.roots().map(|root| match root.is_dir() {
            true => root.display().to_string(),
            false => format!("{} (which is no directory)", root.display()),
        });
        let places: Vec<String> = described.chain(["the built-in prompts".to_owned()]).collect();
        format!("looked in {}", places.join(" and in "))
    }

    /// Warns of every prompt that a setting of a file names and that does not exist.
    pub(super) fn check_settings(&mut self, file: &str, conf: &Conf, notes: &mut Notes) {
        for entry in conf.sections().flat_map(|section| section.entries()) {
            if !names_prompts(file, &entry.name().to_ascii_lowercase()) {
                continue;
            }
            let value = entry.value();
            for name in parts(value, 0..value.len(), b'&') {
                let text = BStr::new(&value[name.clone()]);
                let Some(missing) = self.missing(text) else { continue };
                self.told.insert(text.to_owned());
                let help = format!(
                    "{}; put a recording there, or correct the name: callers hear nothing in its \
                     place",
                    missing.looked
                );
                let span = entry.part_span(name);
                let warning = Diagnostic::warning(codes::PROMPT_MISSING, span, missing.message);
                notes.once(warning.with_help(help));
            }
        }
    }

    /// A warning for every prompt of the dialplan that does not exist, at the first place that
    /// names it.
    pub(super) fn check_dialplan(&self, conf: &Conf) -> Vec<Diagnostic> {
        let mut seen = HashSet::new();
        let mut diagnostics = vec![];
        for entry in conf.sections().flat_map(|section| section.entries()) {
            let statement = parser::parse(entry);
            let StatementKind::Step(step) = &statement.kind else { continue };
            let value = entry.value();
            let application = value[step.application.clone()].as_bstr();
            let mut look_for = |text: &BStr, part: Range<usize>| {
                if self.told.contains(text) || !seen.insert(text.to_owned()) {
                    return;
                }
                if let Some(missing) = self.missing(text) {
                    let span = entry.part_span(part);
                    let warning = Diagnostic::warning(codes::PROMPT_MISSING, span, missing.message);
                    let help = format!(
                        "{}; the call goes on without it, and PLAYBACKSTATUS is FAILED",
                        missing.looked
                    );
                    diagnostics.push(warning.with_help(help));
                }
            };
            for name in said_by(application) {
                look_for(BStr::new(name), step.application.clone());
            }
            let Some(list) = prompts(application, value, step.arguments.clone()) else { continue };
            for name in parts(value, list, b'&') {
                let text = BStr::new(&value[name.clone()]);
                // A URI is no prompt of ours.
                let is_literal = !text.contains(&b'$') && !text.contains_str("://");
                if is_literal {
                    look_for(text, name);
                }
            }
        }
        diagnostics
    }
}

/// The languages that prompts are played in, beside what a dialplan sets.
pub(crate) fn languages(sip: &SipSettings, default_language: &BStr) -> Vec<String> {
    let used = sip.peers.iter().filter_map(|peer| peer.language.as_ref());
    let mut languages: Vec<String> =
        used.map(ToString::to_string).chain([default_language.to_string()]).collect();
    languages.sort_unstable();
    languages.dedup();
    languages
}

/// Whether a setting of a file is the name of a prompt, or a list of such names.
fn names_prompts(file: &str, setting: &[u8]) -> bool {
    match file {
        "rules.conf" | "musiconhold.conf" => setting == b"announcement",
        "schedules.conf" => {
            matches!(
                setting,
                b"sound" | b"closed_sound" | b"sound_open" | b"sound_closed" | b"sound_back"
            )
        }
        "videoshare.conf" | "confbridge.conf" => setting.starts_with(b"sound_"),
        "features.conf" => {
            matches!(
                setting,
                b"courtesytone"
                    | b"recordingfailsound"
                    | b"transferannouncesound"
                    | b"transferretrysound"
                    | b"transferinvalidsound"
                    | b"xferfailsound"
            )
        }
        _ => false,
    }
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

/// The parts of a range of `text` between separators, without the spaces around them.
fn parts(text: &BStr, range: Range<usize>, separator: u8) -> impl Iterator<Item = Range<usize>> {
    let mut start = range.start;
    text[range].split(move |byte| *byte == separator).map(move |part| {
        let first = start + part.len() - part.trim_ascii_start().len();
        start += part.len() + 1;
        first..first + part.trim_ascii().len()
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
        Prompts::new(Library::new(), languages.into())
            .check_dialplan(&conf)
            .iter()
            .map(|diagnostic| {
                let at = diagnostic.locate(conf.sources());
                format!("{}:{} {}", at.line.unwrap(), at.column.unwrap(), at.message)
            })
            .collect()
    }

    /// All that is said of the prompts that a file's settings name.
    fn said_of(file: &str, text: &str, library: Library) -> Vec<String> {
        let conf = conf::load(file, &MemoryFiles::new().with(file, text), &Options::default());
        let mut notes = Notes::default();
        let languages = vec!["en".to_owned()];
        Prompts::new(library, languages).check_settings(file, &conf, &mut notes);
        notes.finish().iter().map(|it| it.render(conf.sources()).to_string()).collect()
    }

    #[test]
    fn rul_1_an_announcement_that_does_not_exist_is_named_with_its_place_and_where_it_was_sought() {
        let name = format!("diesis-prompts-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let (there, none) = (directory.join("sounds"), directory.join("none"));
        std::fs::create_dir_all(there.join("en")).expect("made");
        std::fs::write(there.join("en/ours.ulaw"), [0x7f; 160]).expect("written");
        let rules = "[a]\ntype=rule\nannouncement=ours&beep\n[b]\ntype=rule\n\
                     announcement = beep & awya\n[c]\ntype=rule\nannouncement=awya\n";
        let said = said_of("rules.conf", rules, Library::new().root(&there).root(&none));
        std::fs::remove_dir_all(&directory).expect("removed");
        assert_eq!(said.len(), 1, "{said:?}");
        for words in [
            "rules.conf:6:23: warning[C015]: prompt \"awya\" does not exist in language \"en\"",
            &format!("looked in {} and in {} (which", there.display(), none.display()),
            "is no directory) and in the built-in prompts; put a recording there, or correct",
            "the same in 1 more place",
        ] {
            assert!(said[0].contains(words), "{words}: {}", said[0]);
        }
    }

    #[test]
    fn sch_1_sounds_of_closed_hours_and_of_closures_that_do_not_exist_are_named() {
        let text = "[office]\ntype=schedule\nclosed_sound=shut\nsound_open=yes-open\n\
                    [feasts]\ntype=closure\nsound=feast\n[stock]\ntype=closure\nsound=\n";
        let said = said_of("schedules.conf", text, Library::new());
        let first: Vec<&str> = said.iter().map(|it| it.split(" does").next().unwrap()).collect();
        assert_eq!(
            first,
            [
                "schedules.conf:3:14: warning[C015]: prompt \"shut\"",
                "schedules.conf:4:12: warning[C015]: prompt \"yes-open\"",
                "schedules.conf:7:7: warning[C015]: prompt \"feast\"",
            ]
        );
    }

    #[test]
    fn sounds_of_rooms_transfers_and_music_are_looked_for() {
        for (file, text) in [
            ("videoshare.conf", "[board]\nsound_get_pin=nosuch\n"),
            ("confbridge.conf", "[a]\ntype=bridge\nsound_join=nosuch\n"),
            ("features.conf", "[general]\nxferfailsound=nosuch\n"),
            ("musiconhold.conf", "[default]\nannouncement=nosuch\n"),
        ] {
            assert_eq!(said_of(file, text, Library::new()).len(), 1, "{file}");
        }
        assert_eq!(said_of("pjsip.conf", "[a]\nsound_join=nosuch\n", Library::new()), [""; 0]);
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
