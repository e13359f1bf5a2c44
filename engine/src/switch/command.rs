//! What an embedder may ask of the switch: place calls, and the verbs of one call.
//!
//! Every command carries an id and completes with exactly one
//! [`SwitchEvent::CommandCompleted`](super::SwitchEvent) with that id.

use std::{fmt, time::Duration};

use bstr::BString;
use diesis_dialplan::operation::OriginateStatus;

use super::{Originate, RoomOrder};
use crate::{
    channel::{Cause, ChannelId, DigitSet, PlayPart, ReadDigits, ReadEnd},
    config::MessageFormat,
    media::{AudioFormat, Digit, TapSource},
    presence::MessageCounts,
    program::{ProgramId, SpeechUse},
    sip::auth::{OwnCredentials, OwnSecret},
};

/// Names a command in its completion; chosen by whoever gives the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommandId(u64);

impl CommandId {
    /// An id the giver of commands chose; unique among those not completed yet.
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number it was made of.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A command for [`Switch::handle_command`](super::Switch::handle_command).
#[derive(Debug)]
pub enum Command {
    /// Calls somebody; completes with [`Completion::Placed`] at once, and the call's progress comes
    /// as events of that call.
    PlaceCall {
        /// Names the command in its completion.
        id: CommandId,
        /// Whom to call, and as whom.
        call: Box<PlaceCall>,
    },
    /// Calls a phone or an extension, and hands whoever answers to the dialplan. Completes with
    /// [`Completion::Originated`] when somebody answered or nobody will.
    Originate {
        /// Names the command in its completion.
        id: CommandId,
        /// Whom to call, and what then.
        originate: Box<Originate>,
    },
    /// A verb on a call in progress.
    Call {
        /// Names the command in its completion.
        id: CommandId,
        /// Which call.
        call: ChannelId,
        /// What to do.
        verb: Verb,
    },
    /// Something to be done to a conference room.
    Room {
        /// Names the command in its completion.
        id: CommandId,
        /// The room's name.
        room: BString,
        /// What.
        order: RoomOrder,
    },
    /// Says how many messages wait in a mailbox; whose lamp that is, is told.
    SetMailbox {
        /// Names the command in its completion.
        id: CommandId,
        /// `1001`, which is in the context `default`, or `1001@office`.
        mailbox: BString,
        /// How many.
        counts: MessageCounts,
    },
}

/// An outgoing call.
#[derive(Debug, Clone)]
pub struct PlaceCall {
    /// Where the INVITE goes and whom it names: `sip:bob@192.0.2.7:5060`.
    pub target: String,
    /// The flow to send on; `None` finds where the target is (RFC 3263) and tries one address after
    /// the other.
    pub flow: Option<crate::sip::Flow>,
    /// The `From` address: `"Alice" <sip:alice@example.com>`.
    pub from: String,
    /// What to answer a challenge with; `None` gives up when challenged.
    pub credentials: Option<OutboundCredentials>,
    /// How long it may ring before we give up.
    pub ring_timeout: Duration,
}

/// A user's name and password for answering challenges.
#[derive(Clone)]
pub struct OutboundCredentials {
    /// The user name the far end knows.
    pub username: String,
    /// The password; never logged.
    pub password: String,
    /// Only challenges of this realm are answered. `None` answers the callee's, whatever it is.
    pub realm: Option<String>,
}

impl From<OutboundCredentials> for OwnCredentials {
    fn from(own: OutboundCredentials) -> Self {
        let OutboundCredentials { username, password, realm } = own;
        Self { username: username.into(), realm, secret: OwnSecret::Password(password.into()) }
    }
}

impl fmt::Debug for OutboundCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundCredentials")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// What can be done with one call. Verbs that take time (`Play`, `ReadDigits`, `SendDigits`, `Wait`)
/// run one at a time: a second one replaces the first, which completes with
/// [`Completion::Replaced`].
#[derive(Debug)]
pub enum Verb {
    /// Picks up; done when the answer is sent.
    Answer,
    /// Says that it rings (180).
    Ring,
    /// Opens the media before answering (183).
    Progress,
    /// Refuses an incoming call, with the SIP status that belongs to the cause.
    Reject(Cause),
    /// Plays these one after the other.
    Play {
        /// What to play.
        parts: Vec<PlayPart>,
        /// Which digits stop it, completing the verb with that digit; others stay to be read.
        stop: DigitSet,
    },
    /// Stops what plays; the stopped `Play` completes with [`Completion::Replaced`].
    StopPlay,
    /// Reads digits, those typed ahead first.
    ReadDigits(ReadDigits),
    /// Waits; digits pressed meanwhile stay to be read.
    Wait(Duration),
    /// Sends digits as telephone events.
    SendDigits {
        /// The digits, in order; at most 64.
        digits: Vec<Digit>,
    },
    /// Copies what the caller says to `sink` until `StopRecord` or the end of the call. Samples
    /// that find no room in the sink are lost, and counted by the media thread.
    Record {
        /// Takes 8 kHz mono samples.
        sink: rtrb::Producer<i16>,
    },
    /// Ends a recording.
    StopRecord,
    /// Lets a program hear beside everything else, and perhaps speak, until `StopForks` or the end
    /// of the call; completes with [`Completion::Forked`] at once, and
    /// [`SwitchEvent::ProgramEnded`](super::SwitchEvent) follows.
    ForkAudio(ForkAudio),
    /// Ends one fork, or all.
    StopForks(Option<ProgramId>),
    /// Enters a conference room; completes when inside.
    JoinRoom(JoinRoom),
    /// Leaves the conference room.
    LeaveRoom,
    /// Sends the caller's audio back.
    Echo,
    /// Hands the call to the dialplan.
    RunDialplan {
        /// The context to start in.
        context: BString,
        /// The extension to start at, priority 1.
        extension: BString,
    },
    /// Hangs up, or cancels, or refuses, as the state of the call has it.
    Hangup(Cause),
}

/// What a program is to hear of a call, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkAudio {
    /// `ws://` or `wss://`, host, port and path.
    pub uri: String,
    /// What it hears. Default: what the far end says.
    pub hears: TapSource,
    /// Whether the far end hears it. Default: no.
    pub speech: SpeechUse,
    /// How samples are octets, both ways. Default: `slin`, 8 kHz.
    pub format: AudioFormat,
    /// How everything else is written. Default: JSON.
    pub messages: MessageFormat,
}

impl ForkAudio {
    /// One-way, of what the far end says.
    pub fn to(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            hears: TapSource::Received,
            speech: SpeechUse::Ignored,
            format: AudioFormat::Linear(8000),
            messages: MessageFormat::Json,
        }
    }

    /// Copies another side, or both.
    #[must_use]
    pub fn hearing(mut self, hears: TapSource) -> Self {
        self.hears = hears;
        self
    }

    /// Lets the far end hear what the program says.
    #[must_use]
    pub fn two_way(mut self) -> Self {
        self.speech = SpeechUse::Heard;
        self
    }

    /// Sends and takes another format.
    #[must_use]
    pub fn format(mut self, format: AudioFormat) -> Self {
        self.format = format;
        self
    }

    /// Writes messages otherwise.
    #[must_use]
    pub fn messages(mut self, messages: MessageFormat) -> Self {
        self.messages = messages;
        self
    }
}

/// Which conference room to enter, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRoom {
    /// The room's name; the first to come opens it.
    pub room: BString,
    /// The bridge profile of `confbridge.conf`; `None` takes `default_bridge`.
    pub bridge_profile: Option<BString>,
    /// The user profile of `confbridge.conf`; `None` takes `default_user`.
    pub user_profile: Option<BString>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// It is done.
    Done,
    /// The outgoing call exists now.
    Placed(ChannelId),
    /// An originated call was answered, or failed so.
    Originated(OriginateStatus),
    /// A digit stopped the playback.
    Digit(Digit),
    /// The digits that were read, and how the reading ended.
    Digits {
        /// The digits, without the terminator.
        digits: Vec<Digit>,
        /// Why no more were read.
        ended_by: ReadEnd,
    },
    /// A program will hear.
    Forked(ProgramId),
    /// Another verb took its place.
    Replaced,
    /// It could not be done; the text says why.
    Failed(String),
    /// The call ended first.
    HungUp,
}
