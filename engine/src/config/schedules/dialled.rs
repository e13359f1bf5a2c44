//! Codes that phones dial to open a schedule, to close it, and to go back to its hours.
//!
//! Each is an extension in the contexts whose phones may dial it.

use std::collections::HashMap;

use bstr::{BStr, BString};
use diesis_dialplan::plan::Plan;
use diesis_dialplan::spelling::closest;

use super::{Kind, codes, kind};
use crate::config::setting::{Block, Setting};
use crate::config::value;

/// A code in a context.
#[derive(Debug, Clone)]
pub(in crate::config) struct Code {
    schedule: BString,
    /// Which setting: `code_open`, `code_closed`, `code_back`.
    setting: &'static str,
    context: BString,
    number: BString,
    /// What the schedule is set to, and what is heard then.
    word: String,
    sound: BString,
    /// Why it is not in the dialplan.
    problem: Option<String>,
}

/// All codes of the file; what is wrong with one keeps it out of the dialplan. `plan` is the one
/// without them.
pub(in crate::config) fn all(sections: &[Block<'_>], plan: &Plan) -> Vec<Code> {
    let mut found = Vec::new();
    let mut taken: HashMap<(BString, BString), BString> = HashMap::new();
    for section in sections.iter().filter(|section| kind(section) == Kind::Schedule) {
        let contexts: Vec<&BStr> = section
            .value_of("code_context")
            .map(|it| value::list(it).collect())
            .unwrap_or_default();
        let until = match section.value_of("code_until").map(|it| it.to_ascii_lowercase()) {
            Some(next) if next == b"next" => " until next",
            _ => "",
        };
        let closed = section.value_of("closed_sound").unwrap_or_else(|| CLOSED.into());
        for (setting, word, sound, usual) in [
            ("code_open", format!("open{until}"), "sound_open", DONE.into()),
            (
                "code_closed",
                format!("closed{until}"),
                "sound_closed",
                [DONE, b"&", closed].concat(),
            ),
            ("code_back", "back".to_owned(), "sound_back", DONE.into()),
        ] {
            let Some(number) = section.value_of(setting).filter(|it| !it.is_empty()) else {
                continue;
            };
            let sound = section.value_of(sound).map_or_else(|| usual.into(), ToOwned::to_owned);
            if contexts.is_empty() {
                let problem = "nobody may dial it: `code_context` is missing, such as internal";
                found.push(Code {
                    schedule: section.name().into(),
                    setting,
                    context: BString::default(),
                    number: number.into(),
                    word: word.clone(),
                    sound: sound.clone(),
                    problem: Some(problem.to_owned()),
                });
            }
            for context in &contexts {
                let by = format!("{setting} of [{}]", section.name());
                let place = (BString::from(*context), BString::from(number));
                let problem = problem(context, number, sound.as_ref(), plan).or_else(|| {
                    let other = taken.insert(place.clone(), by.into())?;
                    Some(format!("in [{context}] {number} is {other} already"))
                });
                found.push(Code {
                    schedule: section.name().into(),
                    setting,
                    context: place.0,
                    number: place.1,
                    word: word.clone(),
                    sound: sound.clone(),
                    problem,
                });
            }
        }
    }
    found
}

fn problem(context: &BStr, number: &BStr, sound: &BStr, plan: &Plan) -> Option<String> {
    let is_key = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#');
    if number.len() > LONGEST || !number.iter().all(is_key) {
        return Some("expected keys of a phone, such as *31".to_owned());
    }
    if sound.contains(&b';') {
        return Some(format!("the name of its sound holds a semicolon: {sound}"));
    }
    let Some(id) = plan.context(context) else {
        let names = plan.contexts().map(|context| context.name());
        return Some(match closest(context, names) {
            Some(name) => format!("there is no context [{context}]; did you mean `{name}`?"),
            None => format!("the dialplan has no context [{context}]"),
        });
    };
    let is_own = plan.view(id).extensions().any(|extension| extension.name() == number);
    is_own.then(|| format!("[{context}] has an extension {number} of its own"))
}

/// What the codes add to the dialplan.
pub(in crate::config) fn extensions(codes: &[Code]) -> Vec<u8> {
    let mut text = Vec::new();
    for code in codes.iter().filter(|code| code.problem.is_none()) {
        let Code { schedule, context, number, word, sound, .. } = code;
        let lines = format!(
            "\n[{context}]\nexten => {number},1,Set(SCHEDULE({schedule})={word})\n\
             same => n,Answer()\nsame => n,Wait(0.5)\nsame => n,Playback({sound})\n\
             same => n,Hangup()\n"
        );
        text.extend_from_slice(lines.as_bytes());
    }
    text
}

/// Says what is wrong with the codes of a setting.
pub(super) fn judge(setting: Setting<'_>, name: &[u8], schedule: &BStr, all: &[Code]) {
    let span = setting.span();
    let own = |code: &&Code| code.schedule == schedule && code.setting.as_bytes() == name;
    for code in all.iter().filter(own) {
        let Some(problem) = &code.problem else { continue };
        let message = format!("the code {} can not be dialled: {problem}", code.number);
        let help = "a code is an extension of its own in each context of `code_context`";
        setting.notes.error(codes::VALUE_INVALID, span, message, help);
    }
}

const DONE: &[u8] = b"auth-thankyou";
const CLOSED: &[u8] = b"ivr-example-closed";
/// Keys of a code.
const LONGEST: usize = 32;
