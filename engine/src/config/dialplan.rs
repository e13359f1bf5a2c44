//! Which applications and functions of the dialplan work in this engine.
//!
//! The dialplan crate says what it runs; some of that asks for things that only an engine can do,
//! and this one can't do all of them yet.

use diesis_dialplan::check::{APPLICATIONS, CheckOptions, FUNCTIONS, Names};
use diesis_dialplan::{application, function};

/// Applications that the dialplan would run and the engine does not perform yet: a call that comes
/// to one ends, with a line in the log.
const NOT_PERFORMED: [&str; 6] =
    ["ChannelRedirect", "MusicOnHold", "Originate", "Record", "SoftHangup", "StartMusicOnHold"];

/// The applications that work, ordered by name.
pub fn applications() -> impl Iterator<Item = &'static str> {
    let here = application::all().iter().filter(|application| application.is_here());
    here.map(application::Application::name).filter(|name| !NOT_PERFORMED.contains(name))
}

/// The functions that work, ordered by name.
pub fn functions() -> impl Iterator<Item = &'static str> {
    let works = |function: &&function::Function| {
        function.availability() == function::Availability::Here
            && (function.can_read() || function.can_write())
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
        assert!(applications().any(|name| name == "Answer"));
        assert!(applications().all(|name| name != "Record"));
        assert!(functions().any(|name| name == "LEN"));
    }
}
