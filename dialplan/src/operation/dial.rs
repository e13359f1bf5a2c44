//! Calls to others: Dial, and Originate beside the present call.

use std::time::Duration;

use bstr::BString;

use super::Options;

/// Arguments of Dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// All are called at once.
    pub destinations: Vec<Destination>,
    /// How long it may ring.
    pub timeout: Option<Duration>,
    /// Option letters with their arguments.
    pub options: Options,
}

/// A technology and what to call through it: `PJSIP/200`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// `PJSIP`, `SIP`, `Local`, ...; ignores case.
    pub technology: BString,
    /// Everything after the first slash.
    pub resource: BString,
}

/// How a Dial ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialResult {
    /// DIALSTATUS.
    pub status: DialStatus,
    /// HANGUPCAUSE of the last leg.
    pub cause: u16,
    /// Who ended an answered call.
    pub ended_by: DialEnd,
    /// DIALEDPEERNAME: the answering channel.
    pub peer_name: Option<BString>,
    /// DIALEDPEERNUMBER: what was dialled.
    pub peer_number: Option<BString>,
    /// DIALEDTIME: from the start to the end.
    pub dialed: Option<Duration>,
    /// ANSWEREDTIME: from the answer to the end.
    pub answered: Option<Duration>,
    /// RINGTIME.
    pub ringing: Option<Duration>,
    /// PROGRESSTIME.
    pub progress: Option<Duration>,
    /// Where the caller goes next, when an option or a screening subroutine decided it.
    pub place: Option<DialPlace>,
}

impl DialResult {
    /// A call that nobody answered.
    #[must_use]
    pub fn unanswered(status: DialStatus, cause: u16) -> Self {
        Self {
            status,
            cause,
            ended_by: DialEnd::Unanswered,
            peer_name: None,
            peer_number: None,
            dialed: None,
            answered: None,
            ringing: None,
            progress: None,
            place: None,
        }
    }
}

/// DIALSTATUS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialStatus {
    /// Answered.
    Answer,
    /// Busy.
    Busy,
    /// Not answered in time.
    NoAnswer,
    /// The caller gave up.
    Cancel,
    /// The network refused.
    Congestion,
    /// Nobody there.
    ChanUnavail,
    /// Privacy screening.
    DontCall,
    /// Privacy screening.
    Torture,
    /// Options that can not be read.
    InvalidArgs,
}

impl DialStatus {
    /// The text of DIALSTATUS.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "ANSWER",
            Self::Busy => "BUSY",
            Self::NoAnswer => "NOANSWER",
            Self::Cancel => "CANCEL",
            Self::Congestion => "CONGESTION",
            Self::ChanUnavail => "CHANUNAVAIL",
            Self::DontCall => "DONTCALL",
            Self::Torture => "TORTURE",
            Self::InvalidArgs => "INVALIDARGS",
        }
    }
}

/// Who ended a dialled call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialEnd {
    /// It was never answered.
    Unanswered,
    /// The caller hung up.
    Caller,
    /// The called side hung up (option `g` continues).
    Callee,
    /// A screening subroutine asked to go on with the dialplan.
    Continue,
}

/// A place that Dial sends the caller to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialPlace {
    /// `None` is the present one.
    pub context: Option<BString>,
    /// `None` is the present one.
    pub extension: Option<BString>,
    /// Priority or label as written.
    pub priority: BString,
}

/// Arguments of Originate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Originate {
    /// Whom to call.
    pub destination: Destination,
    /// What the answered call does.
    pub target: OriginateTarget,
    /// How long it may ring.
    pub timeout: Duration,
    /// Option letters with their arguments.
    pub options: Options,
}

/// What an originated call does when answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginateTarget {
    /// Run one application.
    Application {
        /// Its name.
        name: BString,
        /// Its arguments.
        arguments: BString,
    },
    /// Go to a place of the dialplan.
    Place {
        /// Context.
        context: BString,
        /// Extension.
        extension: BString,
        /// Priority.
        priority: u32,
    },
}

/// ORIGINATE_STATUS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginateStatus {
    /// Could not be tried, or was not answered.
    Failed,
    /// Answered.
    Success,
    /// Busy.
    Busy,
    /// The network refused.
    Congestion,
    /// Hung up before the answer.
    Hangup,
    /// Still ringing at the end of the time.
    Ringing,
    /// Anything else.
    Unknown,
}

impl OriginateStatus {
    /// The text of ORIGINATE_STATUS.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::Success => "SUCCESS",
            Self::Busy => "BUSY",
            Self::Congestion => "CONGESTION",
            Self::Hangup => "HANGUP",
            Self::Ringing => "RINGING",
            Self::Unknown => "UNKNOWN",
        }
    }
}
