//! What the dialplan asks of the outside world, and what comes back.
//!
//! Control flow, variables and digit matching happen inside the executor; whatever needs a call, a clock or
//! a file comes out as an [`Operation`] with typed arguments and goes back in as an [`Outcome`].

mod bridging;
mod conference;
mod controlled;
mod dial;
mod digit;
mod listening;
mod options;
mod program;
mod recording;

use std::time::Duration;

use bstr::BString;

use crate::{channel::OutgoingHeader, videoshare};

pub use bridging::{Bridge, BridgeResult, BridgeWait, Entertainment, HoldingRole, Page};
pub use conference::{ConferenceAction, ConferenceEnd, ConferenceMembers, ConferenceOrder};
pub use controlled::{ControlEnd, ControlPlay};
pub use dial::{
    Destination, Dial, DialEnd, DialPlace, DialResult, DialStatus, Originate, OriginateStatus,
    OriginateTarget,
};
pub use digit::{Digit, DigitSet};
pub use listening::{AwaitSound, DetectMachine, DetectTalk, Judged, Sound};
pub use options::Options;
pub use program::{
    AudioFork, AudioSocket, DialProgram, DialledProgram, ForkSide, PlaceOrigin, ProgramPlace,
    parse_uuid,
};
pub use recording::{MixMonitor, MonitorState, Record, Recorded};

/// One thing to do on the channel. The executor waits until its [`Outcome`] is handed back.
///
/// Operations that need an answered channel are preceded by [`Operation::Answer`]: the performer never
/// answers on its own. After the caller hung up no operation that needs the channel's audio comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Answer the call. `Done` once media flows (or at once with [`AnswerMedia::Immediate`]) and `delay` has
    /// passed after that. Never asked for on a channel that is up.
    Answer {
        /// Extra time to wait after the answer.
        delay: Duration,
        /// Whether to wait for the caller's first packet.
        media: AnswerMedia,
    },
    /// Tell the caller that it rings (180). `Done` at once.
    Ringing,
    /// Open early media (183). `Done` at once.
    Progress,
    /// Tell the caller that the call proceeds (100). `Done` at once.
    Proceeding,
    /// Signal busy (486 when not answered, the busy tone otherwise) and wait. `TimedOut` after `timeout`;
    /// `None` waits for the caller to hang up.
    Busy {
        /// How long to signal.
        timeout: Option<Duration>,
    },
    /// Signal congestion (503 when not answered, the reorder tone otherwise) and wait, as [`Self::Busy`].
    Congestion {
        /// How long to signal.
        timeout: Option<Duration>,
    },
    /// Play files one after another. `Done` at the end; `Digit` when a key of `interrupt` was pressed;
    /// `Failed` when a file was missing or unreadable (see `missing`). Keys outside `interrupt` are dropped.
    /// A key of `interrupt` that was already queued stops the playback before it begins.
    Play {
        /// Names as in the dialplan: no extension, resolved by language and directory by the performer.
        files: Vec<BString>,
        /// Keys that stop the playback.
        interrupt: DigitSet,
        /// What happens at a missing file.
        missing: MissingFile,
        /// Language that overrides the channel's.
        language: Option<BString>,
    },
    /// Wait for one key: `Digit`, or `TimedOut`. A queued key is taken first. `None` waits for ever.
    WaitDigit {
        /// How long to wait.
        timeout: Option<Duration>,
    },
    /// Let time pass: `Done`. Keys pressed meanwhile, and those queued before, are dropped.
    Wait {
        /// How long to wait.
        duration: Duration,
    },
    /// Speak something: `Done`, `Digit`, or `Failed` when a needed file is missing.
    Say {
        /// What to speak.
        what: Say,
        /// Keys that stop it.
        interrupt: DigitSet,
    },
    /// Send the caller's audio and keys back until `#` is pressed (`Done`) or the caller hangs up.
    Echo,
    /// Play the 1004 Hz test tone at 0 dBm0 until the caller hangs up.
    Milliwatt,
    /// Join a conference room until leaving it: [`Outcome::Conference`].
    Conference {
        /// The room's name.
        room: BString,
        /// Name of the bridge profile; `None` is `default_bridge`.
        bridge_profile: Option<BString>,
        /// Name of the user profile; `None` is `default_user`.
        user_profile: Option<BString>,
        /// Name of the menu; `None` is none.
        menu: Option<BString>,
    },
    /// Start a tone in the background: a name of the tone zone (`dial`, `busy`, ...) or a tone list
    /// (`440/200,0/200`). `Done` at once; `Failed` for an unknown name.
    PlayTones {
        /// Name or list.
        tones: BString,
    },
    /// Stop the background tone. `Done` at once.
    StopPlayTones,
    /// Play music on hold: `Done` after `duration`, or until the caller hangs up.
    MusicOnHold {
        /// Class; `None` is the channel's.
        class: Option<BString>,
        /// How long.
        duration: Option<Duration>,
    },
    /// Start music on hold in the background. `Done` at once.
    StartMusicOnHold {
        /// Class; `None` is the channel's.
        class: Option<BString>,
    },
    /// Stop the background music. `Done` at once.
    StopMusicOnHold,
    /// Send keys to the caller. `Done` when all are sent.
    SendDigits {
        /// Keys, with `w` for half a second and `W` for a second of pause.
        digits: BString,
        /// Pause between keys.
        gap: Duration,
        /// Length of each key.
        duration: Duration,
    },
    /// Record the caller to a file: [`Outcome::Recorded`].
    Record(Box<Record>),
    /// Play a file that the caller steers with keys: [`Outcome::Controlled`], or `Failed` when there is none.
    ControlPlay(Box<ControlPlay>),
    /// Listen until the caller was silent, or was not, for so long: `Done`, or `TimedOut`.
    AwaitSound(Box<AwaitSound>),
    /// Play until the caller has said something: [`Outcome::Talked`], `Digit`, `Done` at the end of what is
    /// played, `Failed` when there was nothing to play.
    DetectTalk(Box<DetectTalk>),
    /// Find out whether a machine has answered: [`Outcome::Judged`].
    DetectMachine(Box<DetectMachine>),
    /// Record both sides beside whatever follows: [`Outcome::Monitoring`] as soon as the files are
    /// there, or `Failed`.
    MixMonitor(Box<MixMonitor>),
    /// End one recording of `MixMonitor`, or all. `Done`.
    StopMixMonitor {
        /// Which; `None` is all.
        id: Option<BString>,
    },
    /// Pause the channel's monitors, or let them go on. `Done`.
    SetMonitors {
        /// The new state.
        state: MonitorState,
    },
    /// Let a program hear the caller and speak to it until one of them hangs up: `Done` when that was the
    /// program, `Failed` when it could not be reached or talked nonsense.
    AudioSocket(Box<AudioSocket>),
    /// Let a program hear beside whatever follows, and perhaps speak: [`Outcome::Forked`] at once, or
    /// `Failed`.
    AudioFork(Box<AudioFork>),
    /// End one fork, or all. `Done`.
    StopAudioFork {
        /// Which; `None` is all.
        id: Option<BString>,
    },
    /// Connect with a program: [`Outcome::Dialed`].
    DialProgram(Box<DialProgram>),
    /// Call other destinations and bridge with the first that answers: [`Outcome::Dialed`].
    Dial(Box<Dial>),
    /// Connect with another channel until one of them ends it: [`Outcome::Bridged`] when that can not be
    /// done, [`Outcome::Dialed`] or [`Outcome::Bridged`] at its end.
    Bridge(Box<Bridge>),
    /// Join those whom another channel is connected with: [`Outcome::Bridged`], at once when that can not be
    /// done and else when nobody of them is left.
    BridgeAdd {
        /// The other channel, as [`Bridge`] names it.
        channel: BString,
    },
    /// Do something to a conference: `Done`, or `Failed` when there is no such conference or member.
    OrderConference(Box<ConferenceOrder>),
    /// Bring the caller into a conference with a master, or tell it what he decided:
    /// [`Outcome::VideoShare`].
    VideoShare(Box<videoshare::Ask>),
    /// Stay in a holding bridge: `TimedOut`, or `Failed` at once.
    BridgeWait(Box<BridgeWait>),
    /// Call many and speak to them until the caller hangs up.
    Page(Box<Page>),
    /// Start a new call beside this one: [`Outcome::Originated`].
    Originate(Box<Originate>),
    /// Hang up another channel, or all channels of a device with `device`. `Done`, or `Failed` for no such.
    SoftHangup {
        /// The channel's name.
        channel: BString,
        /// Whether the name stands for one channel or for a device.
        scope: HangupScope,
    },
    /// Move another channel to a place of the dialplan. `Done`, or `Failed` for no such channel.
    Redirect {
        /// The channel's name.
        channel: BString,
        /// Context, `None` for that channel's.
        context: Option<BString>,
        /// Extension, `None` for that channel's.
        extension: Option<BString>,
        /// Priority or label as written.
        priority: BString,
    },
    /// Answer somebody else's call that rings: the first one that any of these names. The channel belongs to
    /// that call from then on and no outcome comes before its end; `Failed` when nobody rings there.
    Pickup {
        /// Which calls will do, in order.
        whose: Vec<Pickup>,
    },
    /// Have the caller, a telephone system, connect itself with a number of its own. `Done` when it
    /// did: nothing is left but to hang up; no outcome when that ended the call; `Failed` when it
    /// did not, or can not be asked.
    ForwardByCaller {
        /// The number.
        number: BString,
        /// How it is asked.
        by: ForwardBy,
    },
    /// Leave the call in a parking lot until somebody takes it, or its time is over and somebody else has it:
    /// no outcome comes then. `Failed` when there is no lot or no slot.
    Park(Box<Park>),
    /// Connect with a call that is parked. No outcome comes before its end; `Failed` when there is none.
    ParkedCall {
        /// The lot; `None` is the default one.
        lot: Option<BString>,
        /// The slot; `None` is the first that is taken.
        slot: Option<BString>,
    },
    /// Send a text message: [`Outcome::Message`] at once, whatever becomes of it on its way.
    SendMessage(Box<SendMessage>),
    /// An application that the host registered by name (see [`Host::has_application`](crate::host::Host)).
    /// `Done` continues, `Failed` and `HungUp` end the call, `Digit` starts digit matching.
    Application {
        /// Name as the host registered it, or as written in the dialplan.
        name: BString,
        /// Evaluated, unsplit arguments.
        arguments: BString,
    },
}

/// What came of an [`Operation`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Finished.
    Done,
    /// A key ended it.
    Digit(Digit),
    /// The time was up.
    TimedOut,
    /// It could not be done; the dialplan may go on.
    Failed,
    /// The caller hung up (or the call was hung up from outside) meanwhile.
    HungUp {
        /// Q.850 cause, 0 when not known.
        cause: u16,
    },
    /// This engine has no such thing: logged by name, the call ends as at an unknown application.
    Unsupported,
    /// Of [`Operation::Dial`].
    Dialed(Box<DialResult>),
    /// Of [`Operation::Bridge`] and [`Operation::BridgeAdd`].
    Bridged(BridgeResult),
    /// Of [`Operation::Conference`].
    Conference(ConferenceEnd),
    /// Of [`Operation::Record`].
    Recorded(Recorded),
    /// Of [`Operation::ControlPlay`].
    Controlled(ControlEnd),
    /// Of [`Operation::DetectTalk`]: for how long was talked.
    Talked(Duration),
    /// Of [`Operation::DetectMachine`].
    Judged(Judged),
    /// A monitor runs.
    Monitoring {
        /// Its name for StopMixMonitor.
        id: BString,
        /// Where it is written.
        file: BString,
    },
    /// A program will hear.
    Forked {
        /// The fork's name for StopAudioFork.
        id: BString,
    },
    /// Of [`Operation::Originate`].
    Originated(OriginateStatus),
    /// Of [`Operation::SendMessage`].
    Message(MessageSent),
    /// Of [`Operation::VideoShare`].
    VideoShare(videoshare::End),
}

/// A text message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendMessage {
    /// Where to: `pjsip:200`, `pjsip:200/sip:200@192.0.2.9`, `pjsip:sip:200@192.0.2.9`.
    pub destination: BString,
    /// Who sends it, as an address; may be empty.
    pub from: BString,
    /// Whom it names as its receiver.
    pub to: Option<BString>,
    /// The text.
    pub body: BString,
    /// Headers beside those that every message has.
    pub headers: Vec<OutgoingHeader>,
}

/// What came of a text message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageSent {
    /// It is on its way.
    Success,
    /// Nothing here speaks so.
    InvalidProtocol,
    /// There is nobody of that name, or it is no address.
    InvalidUri,
    /// It could not be sent.
    Failure,
}

impl MessageSent {
    /// As MESSAGE_SEND_STATUS has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::InvalidProtocol => "INVALID_PROTOCOL",
            Self::InvalidUri => "INVALID_URI",
            Self::Failure => "FAILURE",
        }
    }
}

/// How a caller is asked to connect itself elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardBy {
    /// REFER, within a call that is answered.
    Refer,
    /// 302, in the place of an answer.
    Redirect,
}

/// A call that is to be picked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pickup {
    /// One of the channel's pick-up groups.
    Group,
    /// One that was dialled so.
    Extension {
        /// The extension.
        extension: BString,
        /// The context; `None` is the channel's.
        context: Option<BString>,
    },
    /// One whose PICKUPMARK is this.
    Mark(BString),
    /// One whose channel has this name, or a name that begins with it and a dash.
    Channel(BString),
}

/// Arguments of Park.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Park {
    /// The lot; `None` is the channel's, or the default one.
    pub lot: Option<BString>,
    /// How long; `None` is as the lot has it.
    pub timeout: Option<Duration>,
    /// Where to go when nobody came.
    pub comeback: Option<DialPlace>,
    /// Ringing in place of music (option r).
    pub rings: bool,
    /// The slot is not told (option s).
    pub silent: bool,
    /// Any free slot in place of the next (option R).
    pub random: bool,
}

/// Whether an answer waits for the caller's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerMedia {
    /// Wait up to half a second for the first packet.
    Wait,
    /// Do not wait.
    Immediate,
}

/// What a playback does at a file that can not be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingFile {
    /// Go on with the next file, and report `Failed` at the end (Playback).
    Skip,
    /// End with `Failed` (Background).
    Stop,
}

/// What a hangup request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangupScope {
    /// One channel by its full name.
    Channel,
    /// Every channel of a device.
    Device,
}

/// Things that can be spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Say {
    /// Digit by digit, `-` as minus, `*` and `#` by name.
    Digits(BString),
    /// As a number in the channel's language.
    Number {
        /// The number.
        value: i64,
        /// Grammatical gender: `f`, `m`, `c`, `n`.
        gender: Option<BString>,
    },
    /// Letter by letter.
    Alpha(BString),
    /// Letter by letter, telling case.
    AlphaCase {
        /// Which letters' case is told.
        told: SaidCase,
        /// The text.
        text: BString,
    },
    /// With the spelling alphabet.
    Phonetic(BString),
    /// A point in time by a format.
    UnixTime {
        /// Seconds since 1970.
        time: i64,
        /// Zone name; `None` is the system's.
        zone: Option<BString>,
        /// Format as of SayUnixTime; `None` is `ABdY 'digits/at' IMp`.
        format: Option<BString>,
    },
}

/// Whose case SayAlphaCase tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaidCase {
    /// Every letter's.
    All,
    /// Lower-case letters'.
    Lower,
    /// Upper-case letters'.
    Upper,
}
