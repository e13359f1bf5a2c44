//! The signalling core: owns the SIP stack, the registrar, the calls and the rooms, and routes
//! between them.
//!
//! A plain value without I/O: everything that happens comes in through a `handle_` method with the
//! time, and after each one everything to be done is drained through the `poll_` methods until
//! `None`. `net` runs one; a test runs several, in virtual time.

mod budget;
mod call;
mod command;
mod event;
mod media_events;
mod ports;
mod settings;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Instant,
};

use bytes::Bytes;

pub use command::{
    Command, CommandId, Completion, JoinRoom, OutboundCredentials, PlaceCall, Verb,
};
pub use event::{CallStatistics, Direction, EndedBy, Parties, SwitchEvent};
pub use settings::{IncomingCalls, Limits, Seeds, StepTrace, SwitchConfig};

use crate::{
    bridge::Rooms,
    channel::{ChannelId, Outbox, PromptReply, PromptRequest},
    clock::Now,
    media::{self, ShardId, StreamId},
    sip,
};
use call::Call;
use ports::PortStock;

/// The signalling core. See the module's description for the order of its verbs.
#[derive(Debug)]
pub struct Switch {
    config: SwitchConfig,
    calls: HashMap<ChannelId, Call>,
    streams: HashMap<StreamId, ChannelId>,
    deadlines: BTreeSet<(Instant, ChannelId)>,
    /// Calls that have something to do now.
    ready: VecDeque<ChannelId>,
    rooms: Rooms,
    ports: PortStock,
    outbox: Outbox,
    transmits: VecDeque<sip::Transmit>,
    events: VecDeque<SwitchEvent>,
    /// Events nobody took in time.
    events_dropped: u64,
}
