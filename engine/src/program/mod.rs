//! Programs that hear a call and speak to it, as the switch and those who carry the audio speak of
//! them; neither socket nor clock here.
//!
//! Whoever wants a program asks with a [`ProgramRequest::Connect`] and is told by a
//! [`ProgramNews::Connected`] when it is there; the rings that come with it go to a media shard.
//! Every `Connect` is followed by exactly one [`ProgramNews::Ended`], whoever ends it.

pub mod audiosocket;
#[cfg(feature = "net")]
pub mod messages;
pub mod speech;

use std::{fmt, sync::Arc, time::Duration};

use bstr::{BString, ByteSlice};

use crate::{
    config::{MessageFormat, Permitted, WebSocketClient},
    media::{AudioFormat, Digit, TapSource},
};

/// Names one connection with a program for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgramId(u64);

impl ProgramId {
    /// The connection of this number.
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Reads the number that the dialplan was told.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        text.to_str().ok()?.parse().ok().map(Self)
    }

    /// The number it was made of.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ProgramId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What whoever carries the audio is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramRequest {
    /// Connects; `Connected` or `Ended` follows.
    Connect(Box<NewProgram>),
    /// The peer pressed a key.
    Digit {
        /// Which connection.
        id: ProgramId,
        /// The key.
        digit: Digit,
    },
    /// The call is over, or needs the program no more: it is told, and `Ended` follows.
    Close {
        /// Which connection.
        id: ProgramId,
    },
}

/// A program to connect with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProgram {
    /// Its name in requests and news.
    pub id: ProgramId,
    /// Which program, and what for.
    pub wanted: WantedProgram,
}

/// Which program, and what it hears and says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedProgram {
    /// How to speak with it.
    pub protocol: Protocol,
    /// Who said where it listens.
    pub origin: Origin,
    /// What it hears.
    pub hears: TapSource,
    /// Whether the peer hears it.
    pub speech: SpeechUse,
}

/// How bytes and audio are made of each other, and with whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// AudioSocket.
    AudioSocket {
        /// Where the program listens: a name or an address.
        host: BString,
        /// And its TCP port.
        port: u16,
        /// The call's identity, which the program is told first.
        uuid: [u8; 16],
        /// Samples a second of what it is sent.
        rate: u32,
    },
    /// A WebSocket, as Asterisk's channel of that name uses it.
    WebSocket(Box<WebSocket>),
}

/// How a program on a WebSocket is spoken with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocket {
    /// Where it is, and who we are there.
    pub client: Arc<WebSocketClient>,
    /// What is added to the query of its URI.
    pub parameters: BString,
    /// How samples are octets.
    pub format: AudioFormat,
    /// How everything else is written.
    pub messages: MessageFormat,
    /// Names of the connection, of the channel, and of that the unique one: the program is told.
    pub connection: String,
    /// See `connection`.
    pub channel: String,
    /// See `connection`.
    pub channel_id: String,
    /// Variables that the program is told.
    pub variables: Vec<(String, String)>,
}

/// Who said where a program listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The operator, in so many words; or an embedder.
    Operator,
    /// A variable of the dialplan: it must be a place that is permitted.
    Variable(Arc<Permitted>),
}

/// Whether what a program says is for the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechUse {
    /// It is.
    Heard,
    /// It is thrown away.
    Ignored,
}

/// What whoever carries the audio tells.
#[derive(Debug)]
pub enum ProgramNews {
    /// The program is there.
    Connected {
        /// Which connection.
        id: ProgramId,
        /// Takes what the program is to hear, 8 kHz, 20 ms at a time; dropped at the end.
        hears: rtrb::Producer<i16>,
        /// Brings what it says, in the same way; `None` when that is ignored.
        says: Option<rtrb::Consumer<i16>>,
    },
    /// The program wants the call to be answered.
    Answer {
        /// Which connection.
        id: ProgramId,
    },
    /// The program presses a key.
    Digit {
        /// Which connection.
        id: ProgramId,
        /// The key.
        digit: Digit,
    },
    /// There is no such connection any more.
    Ended {
        /// Which connection.
        id: ProgramId,
        /// Why.
        end: ProgramEnd,
    },
}

impl ProgramNews {
    /// Which connection it is about.
    pub fn id(&self) -> ProgramId {
        match self {
            Self::Connected { id, .. }
            | Self::Answer { id }
            | Self::Digit { id, .. }
            | Self::Ended { id, .. } => *id,
        }
    }
}

/// How a connection with a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramEnd {
    /// The program hung up.
    Program,
    /// We did.
    Us,
    /// It could not be reached, or said what makes no sense, or nothing for too long.
    Failed(String),
}

/// How long a program may take until it is connected, as in Asterisk.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
