//! Which applications and functions of the dialplan work in this engine.
//!
//! The dialplan crate says what it runs; some of that asks for things that only an engine can do,
//! and this one can't do all of them yet.

use diesis_dialplan::check::{APPLICATIONS, CheckOptions, FUNCTIONS, Names};
use diesis_dialplan::{application, function};

/// Applications that the dialplan would run and the engine does not perform yet: a call that comes
/// to one ends, with a line in the log.
const NOT_PERFORMED: [&str; 2] = ["ReadFile", "SIPDtmfMode"];

/// Functions that the dialplan would run and the engine's host does not answer yet: they are empty, and a
/// write changes nothing, with a line in the log.
const NOT_ANSWERED: [&str; 24] = [
    "AGC",
    "CHECKSIPDOMAIN",
    "DENOISE",
    "FEATURE",
    "FEATUREMAP",
    "FILE",
    "FILE_COUNT_LINE",
    "FILE_FORMAT",
    "FRAME_DROP",
    "HOLD_INTERCEPT",
    "JITTERBUFFER",
    "MUTEAUDIO",
    "PITCH_SHIFT",
    "PJSIP_DTMF_MODE",
    "PJSIP_MEDIA_OFFER",
    "PJSIP_MOH_PASSTHROUGH",
    "PJSIP_RESPONSE_HEADER",
    "PJSIP_RESPONSE_HEADERS",
    "PJSIP_SEND_SESSION_REFRESH",
    "PJSIP_TRANSFER_HANDLING",
    "SCRAMBLE",
    "SHELL",
    "STAT",
    "VOLUME",
];

/// The applications that work, ordered by name.
pub fn applications() -> impl Iterator<Item = &'static str> {
    let here = application::all().iter().filter(|application| application.is_here());
    here.map(application::Application::name).filter(|name| !NOT_PERFORMED.contains(name))
}

/// The functions that work, ordered by name.
pub fn functions() -> impl Iterator<Item = &'static str> {
    let works = |function: &&function::Function| {
        let availability = function.availability();
        matches!(availability, function::Availability::Here | function::Availability::Legacy)
            && (function.can_read() || function.can_write())
            && !NOT_ANSWERED.contains(&function.name())
    };
    function::all().iter().filter(works).map(function::Function::name)
}

/// What a dialplan is checked against: the applications and functions that work here.
pub fn dialplan_checks() -> CheckOptions {
    CheckOptions::default()
        .with_applications(Names::available(applications(), APPLICATIONS))
        .with_functions(Names::available(functions(), FUNCTIONS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_performed_is_known_to_the_dialplan() {
        // Otherwise the name is mistyped, or its row has been overtaken.
        for name in NOT_PERFORMED {
            assert!(application::find(name.as_bytes()).is_some_and(|it| it.is_here()), "{name}");
        }
        for name in NOT_ANSWERED {
            let found = function::find(name.as_bytes());
            assert!(found.is_some_and(|it| it.can_read() || it.can_write()), "{name}");
        }
        assert!(applications().any(|name| name == "Answer"));
        assert!(applications().all(|name| name != "ReadFile"));
        assert!(functions().any(|name| name == "LEN"));
    }
}
