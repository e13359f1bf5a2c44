//! A switch in virtual time: scripted phones, prompts of known length, and media that only counts.
//!
//! [`Exchange`] is what tests hold. Whatever the switch sends is delivered at once; time moves only
//! by [`Exchange::run_for`]. After each step what always holds is checked: drained means `None`, a
//! due deadline does not stay due, and when the last call is gone nothing of it is left.

mod media;
mod phone;
mod programs;
mod recorder;

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use bstr::BString;
use bytes::Bytes;
use diesis_dialplan::plan::Plan;

pub(super) use media::FakeMedia;
pub(super) use phone::{Phone, Received, noise};
pub(super) use programs::FakePrograms;
pub(super) use recorder::FakeRecorder;

use super::{
    Command, CommandId, Completion, Originate, PlaceCall, Seeds, Switch, SwitchConfig, SwitchEvent,
    Verb,
};
use crate::{
    channel::{ChannelId, PromptReply},
    clock::{Now, clocks},
    media::{Event, PlayEnd, PlayId, Prompt},
    sip::Flow,
};

/// The switch under test and everything around it.
pub(super) struct Exchange {
    pub(super) switch: Switch,
    pub(super) now: Now,
    pub(super) media: FakeMedia,
    pub(super) events: Vec<SwitchEvent>,
    pub(super) recorder: FakeRecorder,
    pub(super) programs: FakePrograms,
    prompts: BTreeMap<String, Duration>,
    /// What was sent to each phone, by its address.
    letters: HashMap<SocketAddr, Vec<Bytes>>,
    /// Names asked for, in order, with the language.
    pub(super) asked: Vec<(String, String)>,
    commands: u64,
}

impl Exchange {
    /// A switch with a dialplan, with every prompt of `prompts` there, in milliseconds.
    pub(super) fn new(config: SwitchConfig, dialplan: &str, prompts: &[(&str, u64)]) -> Self {
        Self::with_plan(config, super::plan::testing::plan(dialplan), prompts)
    }

    /// The same with a dialplan that may draw complaints when it is loaded.
    pub(super) fn lenient(config: SwitchConfig, dialplan: &str, prompts: &[(&str, u64)]) -> Self {
        Self::with_plan(config, super::plan::testing::faulty(dialplan), prompts)
    }

    /// The same with a plan that was made elsewhere.
    pub(super) fn with_plan(config: SwitchConfig, plan: Plan, prompts: &[(&str, u64)]) -> Self {
        let now = clocks();
        let seeds = Seeds { entropy: 42, digest_key: [7; 32] };
        let config = SwitchConfig { plan: Arc::new(plan), ..config };
        let shards = config.shards;
        let mut exchange = Self {
            switch: Switch::new(config, &seeds, now),
            now,
            media: FakeMedia::new(shards),
            events: Vec::new(),
            recorder: FakeRecorder::default(),
            programs: FakePrograms::default(),
            prompts: prompts
                .iter()
                .map(|&(name, ms)| (name.to_owned(), Duration::from_millis(ms)))
                .collect(),
            letters: HashMap::new(),
            asked: Vec::new(),
            commands: 0,
        };
        exchange.settle();
        exchange
    }

    /// A message from a phone.
    pub(super) fn receive(&mut self, flow: Flow, packet: Bytes) {
        self.switch.handle_packet(flow, packet, self.now);
        self.settle();
    }

    /// What the switch sent to this address since last asked.
    pub(super) fn letters_to(&mut self, address: SocketAddr) -> Vec<Bytes> {
        self.letters.remove(&address).unwrap_or_default()
    }

    /// Lets time pass, with everything that falls due in it.
    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..100_000 {
            let deadlines = [self.switch.poll_timeout(), self.media.next_end()];
            let due = deadlines.into_iter().flatten().min().filter(|due| *due <= end.instant);
            let Some(due) = due else {
                self.now = end;
                return;
            };
            let passed = due.saturating_duration_since(self.now.instant);
            self.now = self.now + passed;
            for event in self.media.due(self.now.instant) {
                self.switch.handle_media(event, self.now);
            }
            if self.switch.poll_timeout().is_some_and(|at| at <= self.now.instant) {
                self.switch.handle_timeout(self.now);
            }
            self.settle();
        }
        panic!("the switch never comes to rest");
    }

    /// One timeout of the switch, without any time passing.
    pub(super) fn tick(&mut self) {
        for event in self.media.due(self.now.instant) {
            self.switch.handle_media(event, self.now);
        }
        self.switch.handle_timeout(self.now);
        self.settle();
    }

    /// A command, and how it ended if it ended at once.
    pub(super) fn command(&mut self, call: ChannelId, verb: Verb) -> CommandId {
        self.commands += 1;
        let id = CommandId::new(self.commands);
        self.switch.handle_command(Command::Call { id, call, verb }, self.now);
        self.settle();
        id
    }

    /// Places a call.
    pub(super) fn place(&mut self, call: PlaceCall) -> CommandId {
        self.commands += 1;
        let id = CommandId::new(self.commands);
        let command = Command::PlaceCall { id, call: Box::new(call) };
        self.switch.handle_command(command, self.now);
        self.settle();
        id
    }

    /// Originates a call.
    pub(super) fn originate(&mut self, originate: Box<Originate>) -> CommandId {
        self.commands += 1;
        let id = CommandId::new(self.commands);
        self.switch.handle_command(Command::Originate { id, originate }, self.now);
        self.settle();
        id
    }

    /// How a command ended; `None` while it goes on.
    pub(super) fn completion(&self, id: CommandId) -> Option<Completion> {
        self.events.iter().find_map(|event| match event {
            SwitchEvent::CommandCompleted { command, completion } if *command == id => {
                Some(completion.clone())
            }
            _ => None,
        })
    }

    /// The prompts that began to play on a call, in order.
    pub(super) fn played(&self, call: ChannelId) -> Vec<String> {
        let names = self.events.iter().filter_map(|event| match event {
            SwitchEvent::PlayStarted { call: on, names } if *on == call => Some(names),
            _ => None,
        });
        names.flatten().map(BString::to_string).collect()
    }

    /// Applications that ran, as `exten,priority App(args)`.
    pub(super) fn steps(&self) -> Vec<String> {
        let step = |event: &SwitchEvent| match event {
            SwitchEvent::StepExecuted { extension, priority, application, arguments, .. } => {
                Some(format!("{extension},{priority} {application}({arguments})"))
            }
            _ => None,
        };
        self.events.iter().filter_map(step).collect()
    }

    /// The end of a call.
    pub(super) fn ended(&self, call: ChannelId) -> Option<&SwitchEvent> {
        self.events.iter().find(
            |event| matches!(event, SwitchEvent::CallEnded { call: ended, .. } if *ended == call),
        )
    }

    /// The first call.
    pub(super) fn first_call(&self) -> ChannelId {
        ChannelId::new(1)
    }

    /// A digit in the media of a call.
    pub(super) fn press(&mut self, call: ChannelId, digits: &str) {
        for digit in digits.chars() {
            let Some(event) = self.media.digit(call_stream(&self.switch, call), digit) else {
                panic!("{digit} is no digit");
            };
            self.switch.handle_media(event, self.now);
            self.settle();
        }
    }

    /// What is heard of a call, told to all who watch it.
    pub(super) fn notice(&mut self, call: ChannelId, what: crate::media::Noticed) {
        self.media.notice(call_stream(&self.switch, call), what);
        self.settle();
    }

    /// Digits in the media of a call, if it is there and has any.
    pub(super) fn try_press(&mut self, call: ChannelId, digits: &str) {
        let has_media = |call: &super::call::Call| call.channel.stream().is_some();
        for _ in 0..digits.len() {
            if self.switch.calls.get(&call).is_some_and(|call| has_media(call)) {
                self.press(call, &digits[..1]);
            }
        }
    }

    /// Something a shard may tell about a call's stream at any time.
    pub(super) fn try_media_event(&mut self, call: ChannelId, kind: u32) {
        let found = self.switch.calls.get(&call).and_then(|call| call.channel.stream());
        let Some((_, stream)) = found else { return };
        let event = match kind {
            0 => Event::Latched { stream, remote: ([127, 0, 1, 1], 4000).into() },
            1 => Event::DigitsSent { stream },
            2 => Event::Idle { stream, silent_for: Duration::from_secs(30) },
            _ => Event::PlayFinished {
                stream,
                play: PlayId(u64::MAX),
                end: PlayEnd::Completed,
                played: 0,
            },
        };
        self.switch.handle_media(event, self.now);
        self.settle();
    }

    /// The Replaces by which somebody takes over the far end's side of a call.
    pub(super) fn replaces(&self, call: ChannelId) -> Option<String> {
        let handle = self.switch.calls.get(&call)?.handle?;
        let crate::sip::refer::Replaces { call_id, to_tag, from_tag, .. } =
            self.switch.endpoint.replaces_of(handle)?;
        let (to, from) = (from_tag.as_str(), to_tag.as_str());
        Some(format!("{};to-tag={to};from-tag={from}", call_id.as_str()))
    }

    /// One of the calls there are; one that is not there when there is none.
    pub(super) fn some_call(&self, nth: u32) -> ChannelId {
        let mut calls: Vec<_> = self.switch.calls.keys().copied().collect();
        calls.sort_unstable();
        let nth = nth as usize % calls.len().max(1);
        calls.get(nth).copied().unwrap_or(ChannelId::new(u64::MAX))
    }

    /// Nothing is left of any call.
    pub(super) fn assert_nothing_left(&mut self) {
        // The longest SIP transaction, and the dialplan's time for cleaning up.
        self.run_for(Duration::from_secs(70));
        let switch = &self.switch;
        assert!(switch.calls.is_empty(), "calls: {:?}", switch.calls.keys());
        assert!(switch.handles.is_empty() && switch.streams.is_empty());
        assert!(switch.deadlines.is_empty() && switch.ready.is_empty());
        assert!(switch.yielded.is_empty() && switch.room_effects.is_empty());
        assert!(switch.bridges.is_empty(), "bridges: {:?}", switch.bridges);
        assert!(switch.bridge_news.is_empty() && switch.local_news.is_empty());
        assert!(switch.originations.is_empty(), "originations");
        assert!(switch.followed.is_empty(), "followed calls");
        assert!(switch.parking.is_empty(), "parked: {:?}", switch.parking);
        assert!(switch.holdings.is_empty(), "holding: {:?}", switch.holdings);
        assert!(switch.transfers.is_empty(), "transfers: {:?}", switch.transfers);
        assert!(switch.infos.is_empty(), "INFO requests: {:?}", switch.infos);
        assert!(switch.meetings.is_empty(), "meetings: {:?}", switch.meetings);
        assert!(switch.rooms.is_empty(), "rooms: {:?}", switch.rooms);
        assert!(switch.endpoint.is_idle(), "the stack has something left");
        assert_eq!(switch.outbox.open_requests(), 0, "prompts nobody brought");
        assert!(switch.room_recordings.is_empty(), "recordings of rooms");
        assert_eq!(switch.outbox.open_recordings(), 0, "recordings nobody ended");
        assert_eq!(switch.outbox.open_programs(), 0, "programs nobody left");
        self.media.assert_nothing_left();
    }

    /// Delivers everything the switch wants delivered, until it wants nothing more.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut quiet = true;
            while let Some(transmit) = self.switch.poll_transmit() {
                quiet = false;
                self.letters.entry(transmit.flow.peer).or_default().push(transmit.bytes);
            }
            while let Some((shard, command)) = self.switch.poll_media() {
                quiet = false;
                match self.media.accepts(&command) {
                    true => self.media.take(shard, command, self.now.instant),
                    false => self.switch.handle_lost_media(shard, command, self.now),
                }
            }
            while let Some(request) = self.switch.poll_recording() {
                quiet = false;
                for news in self.recorder.take(request) {
                    self.switch.handle_recording(news, self.now);
                }
            }
            while let Some(request) = self.switch.poll_program() {
                quiet = false;
                if let Some(news) = self.programs.take(request) {
                    self.switch.handle_program(news, self.now);
                }
            }
            while let Some(request) = self.switch.poll_prompt() {
                quiet = false;
                self.asked.push((request.name.to_string(), request.language.to_string()));
                let length = self.prompts.get(&request.name.to_string());
                let prompt = length.map(|length| {
                    let samples = vec![0; length.as_millis() as usize * 8];
                    Arc::new(Prompt::from_samples(&samples))
                });
                self.switch.handle_prompt(PromptReply { id: request.id, prompt }, self.now);
            }
            while let Some(event) = self.switch.poll_event() {
                quiet = false;
                self.events.push(event);
            }
            for event in self.media.due(self.now.instant) {
                quiet = false;
                self.switch.handle_media(event, self.now);
            }
            if quiet {
                return;
            }
        }
        panic!("the switch never comes to rest");
    }
}

fn call_stream(switch: &Switch, call: ChannelId) -> crate::media::StreamId {
    let call = switch.calls.get(&call).expect("the call is there");
    call.channel.stream().expect("the call has media").1
}
