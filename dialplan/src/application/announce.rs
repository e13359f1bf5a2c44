//! An announcement to whoever was called: a person hears it, a machine hears it behind its beep, or
//! not at all.

use std::time::Duration;

use bstr::{BStr, BString};

use super::listening::{judge, wait_for_beep_of};
use super::media::{answer_first, is_up, play_whole, playback_done};
use crate::arguments::{split, strip};
use crate::executor::{Continuation, Flow, Run};
use crate::operation::{Operation, Outcome};

/// What is done when a machine has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    /// It is hung up on.
    HangUp,
    /// It is spoken to behind its beep.
    Beep,
    /// It is spoken to at once.
    Play,
}

/// `Announce(files[,hangup|beep|play])`: finds out who answered when the second argument says what
/// a machine hears. `ANNOUNCESTATUS` is PLAYED, FAILED, MACHINE when a machine heard nothing, or
/// HANGUP when the callee was gone before the end.
pub(super) fn announce(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let Some(files) = parts.first().map(|files| strip(files)).filter(|files| !files.is_empty())
    else {
        run.scope.warn(format_args!("Announce requires an argument (files)"));
        return Flow::HangUp;
    };
    let word = parts.get(1).map(|word| strip(word).to_ascii_lowercase()).unwrap_or_default();
    let machine = match word.as_slice() {
        b"" => None,
        b"hangup" => Some(Machine::HangUp),
        b"beep" => Some(Machine::Beep),
        b"play" => Some(Machine::Play),
        _ => {
            run.scope.warn(format_args!(
                "Announce: '{}' is nothing to do with a machine: hangup, beep or play",
                BStr::new(&word)
            ));
            return Flow::HangUp;
        }
    };
    if !is_up(run) {
        return answer_first("Announce", text);
    }
    run.scope.assign(b"ANNOUNCESTATUS", b"HANGUP");
    match machine {
        None => play(files),
        Some(machine) => Flow::Ask(
            Operation::DetectMachine(Box::default()),
            Continuation::Announce(Box::new(Announcing::Judging { files: files.into(), machine })),
        ),
    }
}

/// Where it stands.
#[derive(Debug)]
pub(crate) enum Announcing {
    /// It is found out who answered.
    Judging {
        files: BString,
        machine: Machine,
    },
    /// A machine speaks.
    Waiting {
        files: BString,
    },
    Playing,
}

/// After each step.
pub(super) fn announce_on(run: &mut Run<'_>, announcing: Announcing, outcome: Outcome) -> Flow {
    match announcing {
        Announcing::Judging { files, machine } => match (judge(run, outcome), machine) {
            (None, _) => Flow::HangUp,
            (Some(status), Machine::HangUp) if status == "MACHINE" => {
                run.scope.assign(b"ANNOUNCESTATUS", b"MACHINE");
                Flow::HangUp
            }
            (Some(status), Machine::Beep) if status == "MACHINE" => Flow::Ask(
                wait_for_beep_of(SILENCE, Some(LONGEST_GREETING)),
                Continuation::Announce(Box::new(Announcing::Waiting { files })),
            ),
            (Some(_), _) => play(&files),
        },
        // Behind the beep, and also when there was none for as long as a greeting can be.
        Announcing::Waiting { files } => match outcome {
            Outcome::HungUp { .. } => Flow::HangUp,
            _ => play(&files),
        },
        Announcing::Playing => {
            let flow = playback_done(run, &outcome);
            if !matches!(flow, Flow::HangUp) {
                let failed = matches!(outcome, Outcome::Failed);
                let status: &[u8] = if failed { b"FAILED" } else { b"PLAYED" };
                run.scope.assign(b"ANNOUNCESTATUS", status);
            }
            flow
        }
    }
}

fn play(files: &[u8]) -> Flow {
    Flow::Ask(play_whole(files), Continuation::Announce(Box::new(Announcing::Playing)))
}

/// A machine that has been silent for so long records.
const SILENCE: Duration = Duration::from_millis(2500);
/// No greeting is longer.
const LONGEST_GREETING: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Channel;
    use crate::conf::{self, MemoryFiles, Options};
    use crate::executor::{Advance, Executor};
    use crate::host::{ChannelState, MemoryHost};
    use crate::operation::{Judged, Sound};
    use crate::plan::{LoadOptions, Plan};

    /// What is done when AMD says this, and the status.
    fn met(arguments: &str, amd: &str) -> (Vec<&'static str>, String) {
        let text = format!("[a]\nexten => s,1,Announce({arguments})\n same => n,Wait(1)\n");
        let files = MemoryFiles::new().with("extensions.conf", &*text);
        let conf = conf::load("extensions.conf", &files, &Options::default());
        let (plan, _) = Plan::load(&conf, &LoadOptions::default());
        let mut host = MemoryHost::new("2026-11-22T10:00:00Z".parse().expect("a time"));
        host.state = ChannelState::Up;
        let mut executor = Executor::new(Channel::new("Test/1"), "a", "s", 1);
        let mut met = vec![];
        for _ in 0..20 {
            match executor.advance(&plan, &mut host) {
                Advance::Operation(operation) => {
                    let (told, outcome) = match &operation {
                        Operation::DetectMachine(_) => {
                            let judged = Judged { status: amd.into(), cause: "TOLD".into() };
                            ("amd", Outcome::Judged(judged))
                        }
                        Operation::AwaitSound(wait) if wait.sound == Sound::Beep => {
                            ("beep", Outcome::TimedOut)
                        }
                        Operation::Play { .. } => ("play", Outcome::Done),
                        Operation::Wait { .. } => ("wait", Outcome::Done),
                        _ => ("other", Outcome::Done),
                    };
                    met.push(told);
                    executor.handle_outcome(outcome);
                }
                Advance::Finished { .. } => break,
                _ => {}
            }
        }
        let status = executor.evaluate(&plan, &mut host, b"${ANNOUNCESTATUS} ${AMDSTATUS}");
        (met, status.to_string())
    }

    #[test]
    fn a_person_hears_it_and_the_call_goes_on() {
        assert_eq!(met("news", "MACHINE"), (vec!["play", "wait"], "PLAYED ".into()));
        for machine in ["hangup", "beep", "play"] {
            let expected = (vec!["amd", "play", "wait"], "PLAYED HUMAN".to_owned());
            assert_eq!(met(&format!("news,{machine}"), "HUMAN"), expected);
            let expected = (vec!["amd", "play", "wait"], "PLAYED NOTSURE".to_owned());
            assert_eq!(met(&format!("news,{machine}"), "NOTSURE"), expected);
        }
    }

    #[test]
    fn a_machine_hears_it_behind_its_beep_or_at_once_or_not_at_all() {
        assert_eq!(met("news,hangup", "MACHINE"), (vec!["amd"], "MACHINE MACHINE".into()));
        let (steps, status) = met("news,beep", "MACHINE");
        assert_eq!(
            (&steps[..], &*status),
            (&["amd", "beep", "play", "wait"][..], "PLAYED MACHINE")
        );
        assert_eq!(met("news,play", "MACHINE").0, ["amd", "play", "wait"]);
        assert_eq!(met("news,shout", "MACHINE").0, [] as [&str; 0]);
    }
}
