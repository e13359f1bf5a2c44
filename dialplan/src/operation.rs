//! What the dialplan asks of the outside world, and what comes back.
//!
//! Control flow, variables and digit matching happen inside the executor; whatever needs a call, a clock or
//! a file comes out as an [`Operation`] with typed arguments and goes back in as an [`Outcome`].

mod bridging;
mod conference;
mod controlled;
mod listening;
mod program;

use std::time::Duration;

use bstr::BString;

use crate::{channel::OutgoingHeader, videoshare};

pub use bridging::{Bridge, BridgeResult, BridgeWait, Entertainment, HoldingRole, Page};
pub use conference::{ConferenceAction, ConferenceMembers, ConferenceOrder};
pub use controlled::{ControlEnd, ControlPlay};
pub use listening::{AwaitSound, DetectMachine, DetectTalk, Judged, Sound};
pub use program::{
    AudioFork, AudioSocket, DialProgram, DialledProgram, ForkSide, PlaceOrigin, ProgramPlace,
    parse_uuid,
};

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

/// One telephone key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(u8);

/// A set of telephone keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DigitSet(u16);

/// Arguments of Record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// File name without format; `%d` stands for the next free number.
    pub name: BString,
    /// Format (`wav`, `ulaw`, ...).
    pub format: BString,
    /// End after so much silence.
    pub silence: Option<Duration>,
    /// End after so much recording.
    pub limit: Option<Duration>,
    /// Keys that end the recording.
    pub stop: DigitSet,
    /// Option letters with their arguments (`q` no beep, `a` append, `n` do not answer, `k` keep on hangup, ...).
    pub options: Options,
}

/// Arguments of MixMonitor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MixMonitor {
    /// Takes both sides: name and format.
    pub file: Option<BString>,
    /// Takes what the caller says (option r).
    pub heard_file: Option<BString>,
    /// Takes what the caller hears (option t).
    pub sent_file: Option<BString>,
    /// By how many steps of 6 dB what the caller says is made louder, -4 to 4 (options v and W).
    pub heard_volume: i8,
    /// The same for what it hears (options V and W).
    pub sent_volume: i8,
    /// Files that are there are gone on with (option a).
    pub appends: bool,
    /// Only while the channel is connected with others (option b).
    pub only_bridged: bool,
    /// The files are deleted at the end (option d).
    pub is_deleted: bool,
    /// What the caller says on the left, what it hears on the right (option D).
    pub is_stereo: bool,
    /// A beep tells of the beginning (option p).
    pub beeps_at_start: bool,
    /// A beep tells of the end (option P).
    pub beeps_at_end: bool,
    /// A beep tells of it again and again (option B).
    pub beeps_every: Option<Duration>,
}

/// Whether monitors write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorState {
    /// They do.
    Running,
    /// What comes is left out.
    Paused,
}

/// How a recording ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// RECORD_STATUS: `DTMF`, `SILENCE`, `SKIP`, `TIMEOUT`, `HANGUP`, `ERROR`.
    pub status: BString,
    /// RECORDED_FILE, without format.
    pub file: BString,
}

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

/// Parsed option string: each letter once, the last one counts, with its argument in parentheses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    entries: Vec<(u8, Option<BString>)>,
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

/// CONFBRIDGE_RESULT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConferenceEnd {
    /// Could not join.
    Failed,
    /// The caller hung up.
    Hangup,
    /// An admin removed the caller.
    Kicked,
    /// The last marked user left.
    EndMarked,
    /// A key of the menu left the room.
    Dtmf,
    /// The profile's time limit.
    TimedOut,
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

impl Digit {
    /// The key for one of `0-9 A-D a-d * #`.
    #[must_use]
    pub fn new(byte: u8) -> Option<Self> {
        let upper = byte.to_ascii_uppercase();
        KEYS.contains(&upper).then_some(Self(upper))
    }

    /// The key as text.
    #[must_use]
    pub fn as_byte(self) -> u8 {
        self.0
    }
}

impl DigitSet {
    /// No key.
    pub const NONE: Self = Self(0);
    /// Every key.
    pub const ALL: Self = Self(u16::MAX);

    /// The keys named in a text; other bytes are ignored.
    #[must_use]
    pub fn from_bytes(text: &[u8]) -> Self {
        text.iter().filter_map(|&byte| Digit::new(byte)).fold(Self::NONE, Self::with)
    }

    /// The set and one key.
    #[must_use]
    pub fn with(self, digit: Digit) -> Self {
        Self(self.0 | Self::bit(digit))
    }

    /// Whether the key is in the set.
    #[must_use]
    pub fn contains(self, digit: Digit) -> bool {
        self.0 & Self::bit(digit) != 0
    }

    /// Whether no key is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn bit(digit: Digit) -> u16 {
        let index = KEYS.iter().position(|&key| key == digit.0).unwrap_or(0);
        1 << index
    }
}

impl Options {
    /// Whether the letter was given.
    #[must_use]
    pub fn has(&self, letter: u8) -> bool {
        self.entries.iter().any(|(l, _)| *l == letter)
    }

    /// The letter's argument, when it had parentheses.
    #[must_use]
    pub fn argument(&self, letter: u8) -> Option<&[u8]> {
        self.entries
            .iter()
            .find(|(l, _)| *l == letter)
            .and_then(|(_, a)| a.as_ref().map(|a| a.as_slice()))
    }

    /// All letters in the order written.
    pub fn letters(&self) -> impl Iterator<Item = u8> + '_ {
        self.entries.iter().map(|(letter, _)| *letter)
    }

    /// Those of these letters alone.
    #[must_use]
    pub fn only(mut self, letters: &[u8]) -> Self {
        self.entries.retain(|(letter, _)| letters.contains(letter));
        self
    }

    /// One letter more, without an argument.
    #[must_use]
    pub fn with(mut self, letter: u8) -> Self {
        self.insert(letter, None);
        self
    }

    /// Takes a letter out, with its argument; one without parentheses has an empty one.
    pub(crate) fn take(&mut self, letter: u8) -> Option<BString> {
        let at = self.entries.iter().position(|(other, _)| *other == letter)?;
        Some(self.entries.remove(at).1.unwrap_or_default())
    }

    pub(crate) fn insert(&mut self, letter: u8, argument: Option<BString>) {
        match self.entries.iter_mut().find(|(l, _)| *l == letter) {
            Some(entry) => entry.1 = argument,
            None => self.entries.push((letter, argument)),
        }
    }
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

impl ConferenceEnd {
    /// The text of CONFBRIDGE_RESULT.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::Hangup => "HANGUP",
            Self::Kicked => "KICKED",
            Self::EndMarked => "ENDMARKED",
            Self::Dtmf => "DTMF",
            Self::TimedOut => "TIMEOUT",
        }
    }
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

const KEYS: [u8; 16] = *b"0123456789*#ABCD";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digit_set_holds_exactly_the_keys_of_its_text() {
        let set = DigitSet::from_bytes(b"19#a?");
        let held: Vec<u8> = KEYS
            .iter()
            .copied()
            .filter(|&key| Digit::new(key).is_some_and(|d| set.contains(d)))
            .collect();
        assert_eq!(held, b"19#A");
        assert!(KEYS.iter().all(|&key| Digit::new(key).is_some_and(|d| DigitSet::ALL.contains(d))));
    }
}
