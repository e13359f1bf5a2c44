//! The signalling core: owns the SIP stack, the registrar, the calls and the rooms, and routes
//! between them.
//!
//! A plain value without I/O: everything that happens comes in through a `handle_` method with the
//! time, and after each one everything to be done is drained through the `poll_` methods until
//! `None`. `net` runs one; a test runs several, in virtual time.

mod budget;
mod command;
mod event;
mod ports;
mod settings;

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;

pub use command::{Command, CommandId, Completion, JoinRoom, OutboundCredentials, PlaceCall, Verb};
pub use event::{CallStatistics, Direction, EndedBy, Parties, SwitchEvent};
pub use settings::{IncomingCalls, Limits, Seeds, StepTrace, SwitchConfig};

use crate::{
    channel::{Outbox, PromptReply, PromptRequest},
    clock::Now,
    media::{self, ShardId},
    sip,
};
use ports::PortStock;

/// The signalling core. See the module's description for the order of its verbs.
#[derive(Debug)]
pub struct Switch {
    #[expect(dead_code, reason = "read by the call routing, which lands next")]
    config: SwitchConfig,
    ports: PortStock,
    outbox: Outbox,
    transmits: VecDeque<sip::Transmit>,
    events: VecDeque<SwitchEvent>,
}

impl Switch {
    /// A switch without calls.
    pub fn new(config: SwitchConfig, seeds: &Seeds, now: Now) -> Self {
        let _ = (seeds, now);
        Self {
            config,
            ports: PortStock::default(),
            outbox: Outbox::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// A SIP message arrived: one whole datagram, or one message cut from a stream.
    pub fn handle_packet(&mut self, flow: sip::Flow, packet: Bytes, now: Now) {
        let _ = (flow, packet, now);
    }

    /// A connection is gone.
    pub fn handle_connection_closed(&mut self, connection: sip::ConnectionId, now: Now) {
        let _ = (connection, now);
    }

    /// A message could not be sent on this flow.
    pub fn handle_transport_error(&mut self, flow: sip::Flow, now: Now) {
        let _ = (flow, now);
    }

    /// A media shard tells something.
    pub fn handle_media(&mut self, event: media::Event, now: Now) {
        let _ = now;
        if let media::Event::PortReady { port } = event {
            self.ports.add(port);
        }
    }

    /// A prompt that was asked for came, or is not there.
    pub fn handle_prompt(&mut self, reply: PromptReply, now: Now) {
        let _ = (reply, now);
    }

    /// An embedder wants something.
    pub fn handle_command(&mut self, command: Command, now: Now) {
        let _ = now;
        let (Command::PlaceCall { id: command, .. } | Command::Call { id: command, .. }) = command;
        let completion = Completion::Failed("there is no such call".into());
        self.events.push_back(SwitchEvent::CommandCompleted { command, completion });
    }

    /// Time passed; due when [`Switch::poll_timeout`] says so.
    pub fn handle_timeout(&mut self, now: Now) {
        let _ = now;
    }

    /// A message to be sent.
    pub fn poll_transmit(&mut self) -> Option<sip::Transmit> {
        self.transmits.pop_front()
    }

    /// A command for a media shard.
    pub fn poll_media(&mut self) -> Option<(ShardId, media::Command)> {
        self.outbox.poll_media()
    }

    /// A prompt to be loaded and given to [`Switch::handle_prompt`].
    pub fn poll_prompt(&mut self) -> Option<PromptRequest> {
        self.outbox.poll_prompt()
    }

    /// Something that happened.
    pub fn poll_event(&mut self) -> Option<SwitchEvent> {
        self.events.pop_front()
    }

    /// When [`Switch::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
