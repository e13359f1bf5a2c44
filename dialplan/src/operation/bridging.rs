//! What is asked for and told when channels are put together: Bridge, BridgeAdd, BridgeWait, Page.

use std::time::Duration;

use bstr::BString;

use super::{Destination, Options};

/// Arguments of Bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// The other channel: its name, what its name begins with, or its unique id.
    pub channel: BString,
    /// Option letters with their arguments.
    pub options: Options,
}

/// BRIDGERESULT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BridgeResult {
    /// They were connected.
    Success,
    /// The other could not be had.
    Failure,
    /// The other is the channel itself.
    Loop,
    /// There is no such channel.
    Nonexistent,
}

impl BridgeResult {
    /// The text of BRIDGERESULT.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Loop => "LOOP",
            Self::Nonexistent => "NONEXISTENT",
        }
    }
}

/// Arguments of BridgeWait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeWait {
    /// The holding bridge.
    pub name: BString,
    /// What the channel does there.
    pub role: HoldingRole,
    /// What it hears while nobody announces anything.
    pub entertainment: Entertainment,
    /// The class of music; `None` is the channel's.
    pub class: Option<BString>,
    /// How long it stays; `None` is until something takes it away.
    pub timeout: Option<Duration>,
}

/// Who waits in a holding bridge, and who speaks there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldingRole {
    /// Is entertained, and hears the announcers.
    Participant,
    /// Is heard by the participants; while there is one nobody is entertained.
    Announcer,
}

/// What a participant of a holding bridge hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entertainment {
    /// Music on hold (`m`), also for who is to be put on hold (`h`).
    Music,
    /// That it rings (`r`).
    Ringing,
    /// Silence that is sent (`s`).
    Silence,
    /// Nothing (`n`).
    Nothing,
}

/// Arguments of Page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// All are called at once.
    pub destinations: Vec<Destination>,
    /// How long they may ring.
    pub timeout: Option<Duration>,
    /// Option letters with their arguments: `d` full duplex, `i` no forwards, `q` no beep, `A` an
    /// announcement, `n` not to the pager, `b` a subroutine for each.
    pub options: Options,
}
