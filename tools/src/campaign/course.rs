//! A campaign on its way: asks the pacing whom to call, makes the calls, and writes down their ends.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use diesis_engine::campaign::{
    Attempt, Begun, Entry, Next, Opening, Outcome, Pacing, Told, Verdict,
};
use diesis_engine::net::control::protocol::{CallResult, Command, Then};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::NUMBER;
use super::book::{Book, Unwritten};
use super::callees::Callees;
use super::caller::{self, CallEnd};
use super::hours::Hours;
use super::outage::{self, Outage};
use super::progress::Progress;
use crate::cli::campaign::{Caller, Machine, Run};
use crate::signals;

/// What all calls of the campaign share.
#[derive(Debug)]
struct Manner {
    dial: String,
    then: Then,
    caller: Option<Caller>,
    seconds: u64,
    keep: Vec<String>,
}

/// The campaign.
#[derive(Debug)]
pub(super) struct Course {
    manner: Manner,
    callees: Callees,
    pacing: Pacing,
    book: Book,
    hours: Option<Hours>,
    progress: Progress,
    socket: PathBuf,
    /// Calls that run, and the channel of each.
    running: HashMap<Entry, (Begun, Option<String>)>,
    state: State,
    /// The engine makes no calls at present: not before then, and how often it said so.
    refused: Option<(Timestamp, u32)>,
    /// The disk takes no results at present: it is tried again then.
    full: Option<Timestamp>,
    outage: Outage,
}

/// Whether calls are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Calling,
    /// Those that run end by themselves.
    Ending,
    /// They were hung up.
    HungUp,
}

/// Something about a call.
#[derive(Debug)]
enum News {
    Channel(Entry, String),
    End(Entry, CallEnd),
}

impl Course {
    pub(super) fn new(
        options: &Run,
        callees: Callees,
        pacing: Pacing,
        book: Book,
        hours: Option<Hours>,
        progress: Progress,
        socket: PathBuf,
    ) -> Self {
        let then = match &options.play {
            Some(sound) => {
                let arguments = format!("{sound},{}", options.machine.map_or("", Machine::word));
                Then::Application { name: "Announce".into(), arguments }
            }
            None => Then::Extension {
                extension: options.extension.clone().unwrap_or_else(|| "s".into()),
                context: options.context.clone(),
            },
        };
        let manner = Manner {
            dial: options.template(),
            then,
            caller: options.caller_id.clone(),
            seconds: options.timeout,
            keep: options.keep.clone(),
        };
        let (running, state) = (HashMap::new(), State::Calling);
        let (refused, full) = (None, None);
        let outage = Outage::new(options.concurrency);
        Self {
            manner,
            callees,
            pacing,
            book,
            hours,
            progress,
            socket,
            running,
            state,
            refused,
            full,
            outage,
        }
    }

    /// Runs to its end.
    pub(super) async fn run(mut self) -> ExitCode {
        let (sender, mut news) = mpsc::unbounded_channel();
        let mut stop = std::pin::pin!(signals::wanted_to_stop());
        let code = loop {
            let wait = match self.next(&sender).await {
                Step::Wait(wait) => wait,
                Step::Over => break ExitCode::SUCCESS,
                Step::GivenUp => break ExitCode::FAILURE,
            };
            tokio::select! {
                Some(news) = news.recv() => self.take(news),
                () = &mut stop => {
                    if self.stop_wanted() {
                        break ExitCode::FAILURE;
                    }
                    stop.set(signals::wanted_to_stop());
                }
                () = tokio::time::sleep(wait) => {}
            }
        };
        self.progress.finish(&self.pacing, self.callees.all.len());
        let unwritten = self.book.unwritten();
        if !unwritten.is_empty() {
            eprint!("diesis: these results are in no file, add them by hand:\n{unwritten}");
        }
        if code == ExitCode::SUCCESS
            && let Err(error) = self.book.finish()
        {
            eprintln!("diesis: the results are complete, but what is beside them stays: {error}");
        }
        code
    }

    /// The disk did not take something: no calls until it does.
    fn note_full(&mut self, refused: &Unwritten, now: Timestamp) {
        if self.full.is_none() {
            self.progress.say(&format!(
                "{refused}: no new calls until it can; make room, or end with Ctrl-C"
            ));
        }
        self.full = Some(now + TRY_DISK_AGAIN);
    }

    /// When the disk is to be tried again; `None` when all that is known is written.
    fn settle(&mut self, now: Timestamp) -> Option<Timestamp> {
        let again = self.full?;
        if now < again {
            return Some(again);
        }
        match self.book.settle() {
            Ok(()) => {
                self.progress.say("the results are written again");
                self.full = None;
            }
            Err(refused) => self.note_full(&refused, now),
        }
        self.full
    }

    /// Makes the calls whose time has come.
    async fn next(&mut self, sender: &mpsc::UnboundedSender<News>) -> Step {
        loop {
            let now = Timestamp::now();
            let again = self.settle(now);
            if self.state != State::Calling && self.running.is_empty() {
                // Who has said so twice waits for no disk.
                let waits = again.filter(|_| self.state == State::Ending);
                return waits.map_or(Step::GivenUp, |again| Step::Wait(until_then(now, again)));
            }
            if self.state != State::Calling {
                return Step::Wait(LONGEST_WAIT);
            }
            if let Some(again) = again {
                self.progress.draw(&self.pacing, Some("the disk takes nothing"));
                return Step::Wait(until_then(now, again));
            }
            if let Some((until, _)) = self.refused
                && now < until
            {
                self.progress.draw(&self.pacing, Some("the engine refuses"));
                return Step::Wait(until_then(now, until));
            }
            let is_over = self.pacing.over() == self.callees.all.len();
            if let Some(until) = self.outage.waits_until(now).filter(|_| !is_over) {
                self.progress.draw(&self.pacing, Some("the calls fail"));
                return Step::Wait(until_then(now, until));
            }
            // The engine's socket has few places for those that have not said what they want.
            let unheard = self.running.values().filter(|(_, channel)| channel.is_none()).count();
            if unheard >= MOST_UNHEARD {
                return Step::Wait(LONGEST_WAIT);
            }
            let opening = match &mut self.hours {
                Some(hours) => hours.opening(now, &self.socket).await,
                None => Opening::Open,
            };
            let waits = (opening != Opening::Open).then_some("closed");
            match self.pacing.next(now, opening) {
                Next::Call(entry, attempt) => self.call(entry, attempt, now, sender),
                Next::Wait(until) => {
                    self.progress.draw(&self.pacing, waits);
                    return Step::Wait(until_then(now, until));
                }
                Next::WaitForCalls => {
                    self.progress.draw(&self.pacing, waits);
                    return Step::Wait(LONGEST_WAIT);
                }
                Next::Done => return Step::Over,
            }
        }
    }

    fn call(
        &mut self,
        entry: Entry,
        attempt: u32,
        now: Timestamp,
        sender: &mpsc::UnboundedSender<News>,
    ) {
        let callee = &self.callees.all[entry.0];
        let begun = Begun { called: callee.called.clone(), attempt, started: now };
        if let Err(refused) = self.book.begin(&begun) {
            self.pacing.take_back(entry);
            return self.note_full(&refused, now);
        }
        let Manner { dial, then, caller, seconds, keep } = &self.manner;
        let mut variables = callee.variables.clone();
        variables.push(("CAMPAIGN_NUMBER".into(), callee.called.clone()));
        variables.push(("CAMPAIGN_ATTEMPT".into(), attempt.to_string()));
        let kept = AMD.into_iter().map(str::to_owned).chain(keep.iter().cloned()).collect();
        let order = Command::Originate {
            destination: dial.replace(NUMBER, &callee.called),
            then: then.clone(),
            number: caller.as_ref().map(|caller| caller.number.clone()),
            name: caller.as_ref().and_then(|caller| caller.name.clone()),
            seconds: Some(*seconds),
            variables,
            written: false,
            follow: Some(kept),
        };
        self.running.insert(entry, (begun, None));
        let (socket, sender) = (self.socket.clone(), sender.clone());
        tokio::spawn(async move {
            let called = |channel| drop(sender.send(News::Channel(entry, channel)));
            let end = caller::call(&socket, order, called).await;
            // Whoever ran the campaign is gone.
            let _ = sender.send(News::End(entry, end));
        });
    }

    fn take(&mut self, news: News) {
        let now = Timestamp::now();
        match news {
            News::Channel(entry, channel) => {
                if let Some((_, known)) = self.running.get_mut(&entry) {
                    *known = Some(channel);
                }
            }
            News::End(entry, end) => {
                let Some((begun, _)) = self.running.remove(&entry) else { return };
                let written = match end {
                    CallEnd::Over(result) => {
                        self.refused = None;
                        self.conclude(entry, begun, *result)
                    }
                    CallEnd::Refused(why) => {
                        self.pause(&why, now);
                        self.pacing.take_back(entry);
                        self.book.take_back(&begun)
                    }
                    CallEnd::Unreachable(error) => {
                        let socket = self.socket.display();
                        self.end_early(&format!("there is no engine at {socket}: {error}"));
                        self.pacing.take_back(entry);
                        self.book.take_back(&begun)
                    }
                    CallEnd::Lost(why) => {
                        self.end_early(&why);
                        self.conclude(entry, begun, lost(&why, now))
                    }
                };
                if let Err(refused) = written {
                    self.note_full(&refused, now);
                }
            }
        }
    }

    /// The engine makes no calls at present. Several that it refuses at once are one refusal.
    fn pause(&mut self, why: &str, now: Timestamp) {
        let times = match self.refused {
            Some((until, _)) if now < until => return,
            Some((_, times)) => times + 1,
            None => 1,
        };
        self.refused = Some((now + AFTER_REFUSAL, times));
        self.progress.say(&format!("the engine makes no call: {why}"));
        if times >= MOST_REFUSALS {
            self.end_early("it has refused for too long");
        }
    }

    /// No more calls, since the engine is gone.
    fn end_early(&mut self, why: &str) {
        if self.state == State::Calling {
            self.state = State::Ending;
            self.progress.say(why);
        }
    }

    /// Writes down what came of a call.
    fn conclude(
        &mut self,
        entry: Entry,
        begun: Begun,
        result: CallResult,
    ) -> Result<(), Unwritten> {
        let value = |name: &str| {
            let found = result.variables.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let [amd, amd_cause] = AMD.map(value);
        let outcome = match result.cause {
            0 => Outcome::Interrupted,
            cause => Outcome::of(Told { status: &result.status, cause, amd: &amd }),
        };
        let stamp = |at: i64| Timestamp::from_microsecond(at).unwrap_or(begun.started);
        let ended = stamp(result.ended);
        let again = match self.pacing.end(entry, outcome, ended) {
            Verdict::Again(at) => Some(at),
            Verdict::Final => None,
        };
        let kept = self.manner.keep.iter().map(|name| value(name)).collect();
        let attempt = Attempt {
            number: self.callees.all[entry.0].number.clone(),
            called: begun.called,
            attempt: begun.attempt,
            started: begun.started,
            answered: result.answered.map(stamp),
            ended,
            talked: result.talked,
            outcome,
            cause: result.cause,
            reason: result.reason,
            amd,
            amd_cause,
            keys: result.keys,
            again,
            kept,
        };
        let written = self.book.write(&attempt);
        self.progress.note(&attempt, &self.pacing);
        if let Some(failed) = self.outage.note(attempt.cause, Timestamp::now()) {
            self.progress.say(&format!(
                "the last {failed} calls failed ({}): no new calls for {} s; is the telephone system there?",
                attempt.reason,
                outage::PAUSE.as_secs()
            ));
        }
        written
    }

    /// Somebody has had enough; `true` when it is over at once.
    fn stop_wanted(&mut self) -> bool {
        match self.state {
            State::Calling => {
                self.state = State::Ending;
                let running = self.running.len();
                self.progress.say(&format!(
                    "no new calls; waiting for {running} to end, Ctrl-C again hangs them up"
                ));
                false
            }
            State::Ending => {
                self.state = State::HungUp;
                for (_, channel) in self.running.values() {
                    let Some(channel) = channel.clone() else { continue };
                    let socket = self.socket.clone();
                    tokio::spawn(async move {
                        caller::ask(&socket, Command::Hangup { channel }).await;
                    });
                }
                false
            }
            State::HungUp => true,
        }
    }
}

/// What the loop does next.
enum Step {
    Wait(Duration),
    Over,
    GivenUp,
}

/// What is known of a call whose engine is gone.
fn lost(why: &str, now: Timestamp) -> CallResult {
    CallResult {
        status: String::new(),
        cause: 0,
        reason: why.to_owned(),
        answered: None,
        ended: now.as_microsecond(),
        talked: 0,
        keys: String::new(),
        variables: vec![],
    }
}

fn until_then(now: Timestamp, then: Timestamp) -> Duration {
    let wait = Duration::try_from(then.duration_since(now)).unwrap_or_default();
    // A clock that is set, or a word that opens a schedule, is noticed soon.
    wait.min(LONGEST_WAIT)
}

/// Always asked for.
const AMD: [&str; 2] = ["AMDSTATUS", "AMDCAUSE"];
/// How long nothing is looked at.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Calls that are asked for at a time, before the engine says that they are made.
const MOST_UNHEARD: usize = 16;
/// Until the engine is asked again for calls that it does not make.
const AFTER_REFUSAL: Duration = Duration::from_secs(10);
/// Until a disk that took nothing is tried again.
const TRY_DISK_AGAIN: Duration = Duration::from_secs(5);
/// After so many refusals in a row the campaign ends.
const MOST_REFUSALS: u32 = 12;
