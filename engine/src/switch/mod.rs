//! The signalling core: owns the SIP stack, the registrar, the calls and the rooms, and routes
//! between them.

mod budget;
mod command;
mod event;

pub use command::{Command, CommandId, Completion, JoinRoom, OutboundCredentials, PlaceCall, Verb};
pub use event::{CallStatistics, Direction, EndedBy, Parties, SwitchEvent};
