//! The dialplan's applications: one table lists them all, a file per family does the work.

mod announce;
mod bridging;
mod call;
mod conference;
mod controlled;
mod flow;
mod legacy;
mod listening;
mod loops;
mod media;
mod program;
mod read;
mod record;
mod retry;
mod rules;
mod rules_menu;
mod schedule;
mod table;
mod timing;
mod transfer;
mod variables;
mod videoshare;

use crate::executor::{Continuation, Flow, Run};
use crate::operation::{Operation, Outcome};

pub(crate) use announce::Announcing;
pub(crate) use bridging::{BRIDGE_OPTIONS, PAGE_OPTIONS, WAIT_OPTIONS, page_on};
pub(crate) use call::{AVAILABLE_OPTIONS, dial_on, originate_on};
pub(crate) use flow::gosub;
pub(crate) use retry::Retry;
pub(crate) use rules::Forwarding;
pub(crate) use rules_menu::Menu as RulesMenu;
pub(crate) use timing::Condition;
pub(crate) use videoshare::Passage;

/// An application of the dialplan. Names ignore case.
#[derive(Debug, Clone, Copy)]
pub struct Application {
    name: &'static str,
    arguments: &'static str,
    summary: &'static str,
    support: Support,
}

/// What becomes of an application.
#[derive(Clone, Copy)]
pub(crate) enum Support {
    /// Runs here, perhaps asking for operations.
    Run(fn(&mut Run<'_>, &[u8]) -> Flow),
    /// As `Run`, only while names that Asterisk no longer has work.
    Legacy(fn(&mut Run<'_>, &[u8]) -> Flow),
    /// Known to Asterisk; only a host that registers it has it.
    Absent,
    /// Refused unless a host registers it; the text says why.
    Refused(&'static str),
}

impl Application {
    /// Its name as Asterisk registers it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its arguments, as a manual shows them.
    #[must_use]
    pub fn arguments(&self) -> &'static str {
        self.arguments
    }

    /// What it is for, in one line.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// Whether it runs in this crate; others need a host that registers them.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.run().is_some()
    }

    /// Whether Asterisk no longer has it.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        matches!(self.support, Support::Legacy(_))
    }

    pub(crate) fn run(&self) -> Option<fn(&mut Run<'_>, &[u8]) -> Flow> {
        match self.support {
            Support::Run(run) | Support::Legacy(run) => Some(run),
            Support::Absent | Support::Refused(_) => None,
        }
    }

    pub(crate) fn refusal(&self) -> &'static str {
        match self.support {
            Support::Refused(reason) => reason,
            Support::Legacy(_) => {
                "it is gone since Asterisk 21 or before, and old names are switched off"
            }
            Support::Run(_) | Support::Absent => "this engine does not have it",
        }
    }
}

impl std::fmt::Debug for Support {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Run(_) => "Run",
            Self::Legacy(_) => "Legacy",
            Self::Absent => "Absent",
            Self::Refused(_) => "Refused",
        })
    }
}

/// The application of a name, in any letter case.
#[must_use]
pub fn find(name: &[u8]) -> Option<&'static Application> {
    let compare = |other: &str| {
        let mut ours = other.bytes().map(|byte| byte.to_ascii_lowercase());
        let mut theirs = name.iter().map(u8::to_ascii_lowercase);
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return std::cmp::Ordering::Equal,
                (a, b) if a == b => {}
                (a, b) => return a.cmp(&b),
            }
        }
    };
    table::APPLICATIONS
        .binary_search_by(|application| compare(application.name))
        .ok()
        .map(|at| &table::APPLICATIONS[at])
}

/// All applications, ordered by name without regard to case.
#[must_use]
pub fn all() -> &'static [Application] {
    table::APPLICATIONS
}

/// Goes on with an application whose operation has ended.
pub(crate) fn resume(run: &mut Run<'_>, continuation: Continuation, outcome: Outcome) -> Flow {
    match continuation {
        Continuation::Simple | Continuation::Hosted => match outcome {
            Outcome::HungUp { .. } => Flow::HangUp,
            Outcome::Digit(digit) if matches!(continuation, Continuation::Hosted) => {
                Flow::Digit(digit)
            }
            Outcome::Failed if matches!(continuation, Continuation::Hosted) => Flow::HangUp,
            _ => Flow::Continue,
        },
        Continuation::Interruptible => match outcome {
            Outcome::HungUp { .. } => Flow::HangUp,
            Outcome::Digit(digit) => Flow::Digit(digit),
            _ => Flow::Continue,
        },
        Continuation::Never => Flow::HangUp,
        Continuation::Bridge => bridging::bridge_done(run, &outcome),
        Continuation::ConferenceOrder { variable, done, failed } => {
            conference::order_done(run, &outcome, [variable, done, failed])
        }
        Continuation::BridgeWait => bridging::bridge_wait_done(&outcome),
        Continuation::Page => bridging::page_done(&outcome),
        Continuation::Music => match outcome {
            Outcome::HungUp { .. } => Flow::HangUp,
            _ => Flow::Ask(Operation::StopMusicOnHold, Continuation::Simple),
        },
        Continuation::Answered { application, arguments } => match outcome {
            Outcome::HungUp { .. } | Outcome::Failed => Flow::HangUp,
            _ => match find(application.as_bytes()).and_then(Application::run) {
                Some(again) => again(run, &arguments),
                None => Flow::HangUp,
            },
        },
        Continuation::Tried(inner) => {
            let flow = resume(run, *inner, outcome);
            variables::tried(run, flow)
        }
        Continuation::Closed { action } => schedule::sound_played(run, action, &outcome),
        Continuation::Last(inner) => schedule::ended(resume(run, *inner, outcome)),
        Continuation::VideoShare(passage) => videoshare::passed_on(run, *passage, &outcome),
        Continuation::Playback => media::playback_done(run, &outcome),
        Continuation::Background { context } => media::background_done(run, &context, &outcome),
        Continuation::WaitExten => media::wait_exten_done(run, &outcome),
        Continuation::WaitExtenOver(wait) => media::wait_exten_on(run, wait, outcome),
        Continuation::WaitDigit { wanted } => media::wait_digit_done(run, &wanted, &outcome),
        Continuation::Read(read) => read::read_on(run, read, &outcome),
        Continuation::ReadExten(read) => read::read_extension_on(run, read, &outcome),
        Continuation::ControlPlay => controlled::control_ended(run, &outcome),
        Continuation::AwaitSound { sound } => listening::waited_for(run, sound, &outcome),
        Continuation::DetectTalk => listening::talk_detected(run, &outcome),
        Continuation::Announce(announcing) => announce::announce_on(run, *announcing, outcome),
        Continuation::DetectMachine => listening::machine_detected(run, outcome),
        Continuation::Record => record::record_done(run, &outcome),
        Continuation::MixMonitor { variable } => record::mix_monitor_done(run, variable, &outcome),
        Continuation::AudioFork { variable } => program::audio_fork_done(run, variable, &outcome),
        Continuation::Conference => media::conference_done(run, &outcome),
        Continuation::Dial { continues } => call::dial_done(run, continues, outcome),
        Continuation::RetryDial(retry) => retry::retry_on(run, retry, outcome),
        Continuation::RulesMenu(menu) => rules_menu::menu_on(run, menu, &outcome),
        Continuation::Rules(forwarding) => rules::rules_on(run, forwarding, outcome),
        Continuation::Originate => call::originate_done(run, &outcome),
        Continuation::Redirect => call::redirect_done(run, &outcome),
        Continuation::Park => transfer::parked(&outcome),
        Continuation::SendMessage => call::message_sent(run, &outcome),
        Continuation::WaitUntil => timing::wait_until_done(run, &outcome),
        Continuation::Condition(condition) => timing::condition_on(run, condition, &outcome),
        Continuation::Signal { variable, until } => {
            timing::signal_on(run, variable, until, &outcome)
        }
        Continuation::CollectDigit | Continuation::Beside | Continuation::Again => Flow::Continue,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::channel::Channel;
    use crate::executor::{Advance, Executor};
    use crate::host::MemoryHost;
    use crate::operation::Digit;
    use crate::plan::{LoadOptions, Plan};

    /// Runs a dialplan from `a,s,1`, giving each operation but the hidden ones its outcome in turn; says what
    /// was asked for.
    fn asked(text: &str, outcomes: &[Outcome]) -> (Vec<String>, Executor) {
        let files = crate::conf::MemoryFiles::new().with("extensions.conf", text);
        let conf = crate::conf::load("extensions.conf", &files, &crate::conf::Options::default());
        let plan = Plan::load(&conf, &LoadOptions::default()).0;
        let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
        let mut executor = Executor::new(Channel::new("Test/1"), "a", "s", 1);
        let mut said = Vec::new();
        let mut outcomes = outcomes.iter().cloned();
        while let Advance::Operation(operation) = executor.advance(&plan, &mut host) {
            let name = format!("{operation:?}");
            said.push(name.split([' ', '(']).next().unwrap_or_default().to_owned());
            let outcome = match operation {
                Operation::WaitDigit { .. } => outcomes.next().unwrap_or(Outcome::TimedOut),
                _ => Outcome::Done,
            };
            executor.handle_outcome(outcome);
        }
        (said, executor)
    }

    fn key(byte: u8) -> Outcome {
        Outcome::Digit(Digit::new(byte).expect("a key"))
    }

    #[test]
    fn a_tone_of_read_stops_at_the_first_key() {
        let (said, executor) =
            asked("[a]\nexten => s,1,Read(x,dial,2,i)\n", &[key(b'4'), key(b'2')]);
        assert_eq!(said, ["PlayTones", "WaitDigit", "StopPlayTones", "WaitDigit"]);
        assert_eq!(executor.variable(b"x"), Some("42".into()));
        assert_eq!(executor.variable(b"READSTATUS"), Some("OK".into()));
    }

    #[test]
    fn an_ending_key_alone_is_read_where_the_option_says_so() {
        for (option, expected) in [("e", "#"), ("", "")] {
            let text = format!("[a]\nexten => s,1,Read(x,,5,{option})\n");
            let (_, executor) = asked(&text, &[key(b'#')]);
            assert_eq!(executor.variable(b"x"), Some(expected.into()));
        }
    }

    #[test]
    fn waiting_for_an_extension_has_company_until_the_key() {
        let text = "[a]\nexten => s,1,WaitExten(5,d)\nexten => 4,1,Set(x=4)\n";
        let (said, executor) = asked(text, &[key(b'4')]);
        assert_eq!(said, ["PlayTones", "WaitDigit", "StopPlayTones"]);
        assert_eq!(executor.variable(b"x"), Some("4".into()));
        let (said, _) = asked("[a]\nexten => s,1,WaitExten(5,m(jazz))\n", &[]);
        assert_eq!(said, ["StartMusicOnHold", "WaitDigit", "StopMusicOnHold"]);
    }

    #[test]
    fn a_dial_is_retried_with_announcement_and_music_as_often_as_it_says() {
        let text = "[a]\nexten => s,1,RetryDial(sorry,5,2,PJSIP/x,20,d)\nexten => s,2,Set(x=on)\n\
                    exten => s,3,Hangup()\n\
                    exten => 4,1,Set(x=4)\nexten => 4,2,Hangup()\n";
        let (said, executor) = asked(text, &[]);
        let try_once = ["Dial", "Play", "StartMusicOnHold", "WaitDigit", "StopMusicOnHold"];
        assert_eq!(said, [try_once, try_once].concat());
        assert_eq!(executor.variable(b"x"), Some("on".into()));
        let (said, executor) = asked(text, &[key(b'4')]);
        assert_eq!(said, try_once);
        assert_eq!(executor.variable(b"x"), Some("4".into()));
        // Without option d keys mean nothing, and without retries it goes on for ever.
        let text = "[a]\nexten => s,1,RetryDial(,1,3,PJSIP/x,20)\nexten => 4,1,Set(x=4)\n";
        let (said, executor) = asked(text, &[key(b'4')]);
        assert_eq!(said.iter().filter(|name| *name == "Dial").count(), 3);
        assert_eq!(executor.variable(b"x"), None);
    }

    #[test]
    fn nouns_are_counted_as_the_language_does() {
        for (language, number, expected) in [
            ("en", 0, "calls"),
            ("en", 1, "call"),
            ("en", -1, "call"),
            ("en", 2, "calls"),
            ("fr", 0, "call"),
            ("fr_CA", 1, "call"),
            ("fr", 2, "calls"),
        ] {
            let text = format!(
                "[a]\nexten => s,1,Set(CHANNEL(language)={language})\n\
                 exten => s,2,SayCountedAdj({number},new,f)\n\
                 exten => s,3,SayCountedNoun({number},call)\n"
            );
            assert_eq!(played(&text), ["new", expected], "{language} {number}");
        }
        assert_eq!(played("[a]\nexten => s,1,SayCountedNoun(x,call)\n"), [""; 0]);
    }

    /// The files that a dialplan plays.
    fn played(text: &str) -> Vec<String> {
        let files = crate::conf::MemoryFiles::new().with("extensions.conf", text);
        let conf = crate::conf::load("extensions.conf", &files, &crate::conf::Options::default());
        let plan = Plan::load(&conf, &LoadOptions::default()).0;
        let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
        let mut executor = Executor::new(Channel::new("Test/1"), "a", "s", 1);
        let mut played = Vec::new();
        while let Advance::Operation(operation) = executor.advance(&plan, &mut host) {
            if let Operation::Play { files, .. } = operation {
                played.extend(files.iter().map(ToString::to_string));
            }
            executor.handle_outcome(Outcome::Done);
        }
        played
    }

    #[test]
    fn every_application_is_found_in_any_letter_case() {
        for application in all() {
            for name in
                [application.name.to_ascii_uppercase(), application.name.to_ascii_lowercase()]
            {
                assert_eq!(find(name.as_bytes()).map(Application::name), Some(application.name));
            }
        }
        assert!(find(b"Dial,SIP").is_none());
    }
}
