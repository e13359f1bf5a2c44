//! Who is busy: states of devices, what a hint makes of them, and how watchers are told.
//!
//! Pure: the switch knows the calls and the bindings and asks here what they mean. A subscription's
//! dialog is `sip`'s; here are its bodies.

mod device_state;
mod dialog_info;
mod hint;
mod message_summary;
mod pidf;
mod xml;

pub use device_state::{CallsOfDevice, DeviceState, ExtensionState, combine};
pub use dialog_info::{DialogInfo, DialogOfExtension, RingingWhileInUse};
pub use hint::{Device, Hint};
pub use message_summary::{MessageCounts, MessageSummary};
pub use pidf::Pidf;
