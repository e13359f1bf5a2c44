//! The printed account of a call: who said, pressed and heard what, and when.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use diesis_engine::{
    Engine, Events,
    channel::ChannelId,
    switch::{Direction, SwitchEvent},
};

/// Prints what happens in an engine, and lets the story wait for it.
pub(crate) struct Account {
    events: Events,
    start: Instant,
    callers: HashMap<ChannelId, String>,
    played: Vec<Played>,
}

/// A prompt that the engine said, for comparing with what was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Played {
    pub(crate) name: String,
}

/// Something that should have happened did not.
#[derive(Debug)]
pub(crate) struct Missed(String);

impl std::fmt::Display for Missed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} did not happen within {} seconds", self.0, PATIENCE.as_secs())
    }
}

impl std::error::Error for Missed {}

impl Account {
    pub(crate) fn of(engine: &Engine) -> Self {
        Self {
            events: engine.events(),
            start: Instant::now(),
            callers: HashMap::new(),
            played: vec![],
        }
    }

    /// What the engine said to the first caller so far, in order.
    pub(crate) fn played(&self) -> &[Played] {
        &self.played
    }

    /// A line of the story.
    pub(crate) fn tell(&self, who: &str, what: &str) {
        println!("  {:6.2}  {who:<8}  {}", self.start.elapsed().as_secs_f64(), shortened(what));
    }

    /// Tells what happens until the engine begins to play `prompt`.
    pub(crate) async fn until_plays(&mut self, prompt: &str) -> Result<(), Missed> {
        self.until(&format!("playing {prompt}"), |event| match event {
            SwitchEvent::PlayStarted { names, .. } => names.iter().any(|name| name == prompt),
            _ => false,
        })
        .await
    }

    /// Tells what happens until `members` are in a conference room.
    pub(crate) async fn until_members(&mut self, members: usize) -> Result<(), Missed> {
        self.until(&format!("a conference of {members}"), |event| match event {
            SwitchEvent::RoomJoined { members: now, .. } => *now == members,
            _ => false,
        })
        .await
    }

    /// Tells what happens until `count` more calls have ended.
    pub(crate) async fn until_ended(&mut self, count: usize) -> Result<(), Missed> {
        let mut ended = 0;
        self.until("the end of all calls", |event| {
            ended += usize::from(matches!(event, SwitchEvent::CallEnded { .. }));
            ended == count
        })
        .await
    }

    /// Tells what happens for a while.
    pub(crate) async fn meanwhile(&mut self, time: Duration) {
        let deadline = tokio::time::Instant::now() + time;
        while let Ok(Some(event)) = tokio::time::timeout_at(deadline, self.events.next()).await {
            self.take(&event);
        }
    }

    /// Tells what happens until the engine stops.
    pub(crate) async fn go_on(&mut self) {
        while let Some(event) = self.events.next().await {
            self.take(&event);
        }
    }

    async fn until(
        &mut self,
        what: &str,
        mut is_it: impl FnMut(&SwitchEvent) -> bool,
    ) -> Result<(), Missed> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while let Ok(Some(event)) = tokio::time::timeout_at(deadline, self.events.next()).await {
            self.take(&event);
            if is_it(&event) {
                return Ok(());
            }
        }
        Err(Missed(what.to_owned()))
    }

    fn take(&mut self, event: &SwitchEvent) {
        match event {
            SwitchEvent::CallStarted { call, parties, direction: Direction::Incoming, .. } => {
                let caller = parties.caller_number.to_string();
                self.tell("engine", &format!("lets {caller} call {}", parties.dialled));
                self.callers.insert(*call, caller);
            }
            SwitchEvent::CallAnswered { .. } => self.tell("engine", "answers"),
            SwitchEvent::StepExecuted {
                context,
                extension,
                priority,
                application,
                arguments,
                ..
            } => {
                let step = format!("{context},{extension},{priority}");
                self.tell("dialplan", &format!("{step:<16} {application}({arguments})"));
            }
            SwitchEvent::DigitHeard { digit, .. } => {
                self.tell("engine", &format!("hears the key {digit}"));
            }
            SwitchEvent::PlayStarted { names, .. } => {
                for name in names {
                    let name = name.to_string();
                    self.tell("engine", &said(&name, self.played.iter().any(|it| it.name == name)));
                    self.played.push(Played { name });
                }
            }
            SwitchEvent::RoomJoined { room, members, .. } => {
                self.tell("engine", &format!("conference {room} has {members} in it"));
            }
            SwitchEvent::RoomLeft { room, members, .. } => {
                self.tell("engine", &format!("conference {room}: one left, {members} remain"));
            }
            SwitchEvent::CallEnded { call, statistics, cause, .. } => {
                let caller = self.callers.remove(call).unwrap_or_default();
                let seconds = statistics.answered.as_secs_f64();
                self.tell("engine", &format!("{caller}'s call ends after {seconds:.1} s: {cause}"));
            }
            _ => {}
        }
    }
}

/// What a prompt says; by its name alone when that was told before.
fn said(name: &str, again: bool) -> String {
    match super::text::of(name) {
        Some(_) if again => format!("says  {name} again"),
        Some(text) => format!("says  \u{201c}{text}\u{201d}"),
        None => format!("plays {name}"),
    }
}

/// What fits a line beside time and name.
fn shortened(text: &str) -> String {
    if text.chars().count() <= LINE {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LINE - 1).collect();
    format!("{}\u{2026}", kept.trim_end())
}

/// Columns of a story's line on a terminal of 100.
const LINE: usize = 80;
/// Longer than the longest prompt.
const PATIENCE: Duration = Duration::from_secs(25);
