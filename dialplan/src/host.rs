//! What an executor needs to know of its surroundings while it runs, and a complete one in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use bstr::{BStr, BString};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::channel::{Channel, RobotPool};
use crate::machine::{Machine, MemoryMachine};
use crate::record::{CallRecord, Fork, RecordFields};
use crate::timetable::Standing;
use crate::variables::Variables;
use crate::world::World;

/// The executor's surroundings. Everything has an answer at once: what takes time is an
/// [`Operation`](crate::operation::Operation).
pub trait Host {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Time that never jumps, counted from any fixed point; only differences matter.
    fn monotonic(&self) -> Duration;

    /// What all channels share.
    fn world(&self) -> &World;

    /// What all channels share.
    fn world_mut(&mut self) -> &mut World;

    /// The call's state.
    fn channel_state(&self) -> ChannelState;

    /// Takes a line for the log.
    fn log(&mut self, line: LogLine<'_>);

    /// Sixty-four fresh random bits (RAND, UUID).
    fn random(&mut self) -> u64;

    /// Called before each step runs, with its evaluated arguments.
    fn trace(&mut self, step: &Step<'_>) {
        let _ = step;
    }

    /// Called when the dialplan's flow is over, before extension `h` and the hangup handlers, with the
    /// cause that the dialplan named, or 0.
    fn flow_ended(&mut self, cause: u16) {
        let _ = cause;
    }

    /// The zone of times without one.
    fn time_zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    /// Whether the host performs an application of this name as
    /// [`Operation::Application`](crate::operation::Operation). Any letter case.
    fn has_application(&self, name: &[u8]) -> bool {
        let _ = name;
        false
    }

    /// Whether a sound file exists in the channel's language.
    fn has_sound(&self, name: &[u8]) -> bool {
        let _ = name;
        true
    }

    /// A function that this crate does not know, or an item of CHANNEL() that only the call knows
    /// (`CHANNEL(rtp,...)`). Appends its value.
    ///
    /// # Errors
    /// [`FunctionError::Unknown`] when the host has no such function.
    fn read_function(
        &mut self,
        channel: &Channel,
        name: &[u8],
        arguments: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), FunctionError> {
        let _ = (channel, name, arguments, out);
        Err(FunctionError::Unknown)
    }

    /// As [`read_function`](Self::read_function), for `Set(NAME(arguments)=value)`.
    ///
    /// Settings that only a host can honour come here as well, checked: `VOLUME`, `CONFBRIDGE`, `FEATUREMAP`,
    /// `PJSIP_HEADER`, ... After `Ok` they are kept in the channel
    /// ([`settings`](Channel::settings), [`outgoing_headers`](Channel::outgoing_headers)) for the host to read.
    ///
    /// # Errors
    /// [`FunctionError::Unknown`] when the host has no such function.
    fn write_function(
        &mut self,
        channel: &mut Channel,
        name: &[u8],
        arguments: &[u8],
        value: &[u8],
    ) -> Result<(), FunctionError> {
        let _ = (channel, name, arguments, value);
        Err(FunctionError::Unknown)
    }

    /// An environment variable (ENV). Nothing by default: a dialplan does not see the process.
    fn environment(&self, name: &[u8]) -> Option<BString> {
        let _ = name;
        None
    }

    /// A variable of another channel (IMPORT, MASTER_CHANNEL).
    fn channel_variable(&self, channel: &[u8], variable: &[u8]) -> Option<BString> {
        let _ = (channel, variable);
        None
    }

    /// Sets a variable of another channel (EXPORT). `false` when there is no such channel.
    fn set_channel_variable(&mut self, channel: &[u8], variable: &[u8], value: &[u8]) -> bool {
        let _ = (channel, variable, value);
        false
    }

    /// The call's record (CDR); `None` when the host keeps none.
    fn record(&self) -> Option<&CallRecord> {
        None
    }

    /// The call's record, to write its fields.
    fn record_mut(&mut self) -> Option<&mut CallRecord> {
        None
    }

    /// The time as the record's times are counted: it goes on evenly where [`now`](Self::now) may jump.
    fn record_now(&self) -> Timestamp {
        self.now()
    }

    /// Begins all records of the call anew (ResetCDR). `false` when the host keeps none.
    fn reset_records(&mut self, fields: RecordFields) -> bool {
        let now = self.record_now();
        let Some(record) = self.record_mut() else { return false };
        record.restart(now);
        if fields == RecordFields::Forgotten {
            record.fields = Variables::new();
        }
        true
    }

    /// Begins another record beside those of the call (ForkCDR). `false` when there is none to begin it
    /// from, or there are too many.
    fn fork_record(&mut self, fork: Fork) -> bool {
        let _ = fork;
        false
    }

    /// Calls `visit` with name and value of each header of a SIP message of this call, in order. `false` when
    /// there is no such message.
    fn visit_headers(&self, message: SipMessage, visit: &mut dyn FnMut(&BStr, &BStr)) -> bool {
        let _ = (message, visit);
        false
    }

    /// A field of something that the SIP configuration or the registrar knows, by Asterisk's names: `aors` and
    /// `context` of an endpoint, `contact` of an address of record (joined by commas), `uri`, `status` and
    /// `rtt` of a contact. `None` when there is no such object or field.
    fn sip_field(&self, object: SipObject, name: &[u8], field: &[u8]) -> Option<BString> {
        let _ = (object, name, field);
        None
    }

    /// Who is in a conference; `None` when there is none of that name.
    fn conference(&self, name: &[u8]) -> Option<ConferenceFacts> {
        let _ = name;
        None
    }

    /// Files and programs, for FILE, STAT, SHELL and SYSINFO. `None`, the default, is what an operator who
    /// allows nothing wants. A host whose thread must not wait for a disk can not give it.
    fn machine(&mut self) -> Option<&mut dyn Machine> {
        None
    }

    /// Names of all channels (CHANNELS, CHANNEL_EXISTS).
    fn channels(&self) -> Vec<BString> {
        Vec::new()
    }

    /// How a pool of robots stands (ROBOT).
    fn robot_pool(&self, pool: &BStr) -> Option<RobotPool> {
        let _ = pool;
        None
    }

    /// The state of a device that has no custom state (DEVICE_STATE): `NOT_INUSE`, `INUSE`, ...
    fn device_state(&self, device: &[u8]) -> BString {
        let _ = device;
        "INVALID".into()
    }

    /// Called when the dialplan overrides a schedule, or takes that back with `None`.
    fn schedule_overridden(&mut self, name: &BStr, standing: Option<Standing>) {
        let _ = (name, standing);
    }

    /// The dialplan gave a custom device another state; `name` is what follows `Custom:`.
    fn custom_state_changed(&mut self, name: &BStr) {
        let _ = name;
    }
}

/// Which SIP message of a call is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SipMessage {
    /// The request that began the call.
    Request,
    /// The final answer to the request that was sent.
    Response,
}

/// A kind of thing that the SIP configuration or the registrar knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SipObject {
    /// `type=endpoint`.
    Endpoint,
    /// `type=aor`, with what is registered.
    Aor,
    /// A binding, by its URI or as `aor;@hash`.
    Contact,
    /// A domain of ours.
    Domain,
}

/// Who is in a conference, by channel names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConferenceFacts {
    /// All of them.
    pub parties: Vec<BString>,
    /// Those who may lock and remove.
    pub admins: Vec<BString>,
    /// Those without whom it does not begin.
    pub marked: Vec<BString>,
    /// Those who wait for it to begin.
    pub waiting: Vec<BString>,
    /// Nobody else may join.
    pub is_locked: bool,
    /// All are muted.
    pub is_muted: bool,
}

/// The state of a call, as CHANNEL(state) names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelState {
    /// Not answered, not ringing.
    Down,
    /// An incoming call that is not answered yet.
    Ring,
    /// A called device that rings.
    Ringing,
    /// Answered.
    Up,
    /// Busy was signalled.
    Busy,
}

/// A line for the log.
#[derive(Debug)]
pub struct LogLine<'a> {
    /// How grave.
    pub level: Level,
    /// The channel's name.
    pub channel: &'a BStr,
    /// Where the dialplan is.
    pub place: Place<'a>,
    /// The text.
    pub message: fmt::Arguments<'a>,
}

/// How grave a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For finding faults.
    Debug,
    /// Verbose(n): shown from that verbosity on.
    Verbose(u8),
    /// Worth knowing.
    Notice,
    /// Something is wrong; the call goes on.
    Warning,
    /// Something is wrong; a part did not happen.
    Error,
}

/// A place in the dialplan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The channel's context.
    pub context: &'a BStr,
    /// The channel's extension.
    pub extension: &'a BStr,
    /// The priority.
    pub priority: u32,
}

/// A step that is about to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// Where the channel is; an include may have supplied the step.
    pub place: Place<'a>,
    /// How many subroutines it is inside of.
    pub depth: usize,
    /// The application's canonical name, or as written when it is not known.
    pub application: &'a BStr,
    /// Its evaluated arguments.
    pub arguments: &'a BStr,
}

/// Why a function gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// No such function.
    #[error("no such function")]
    Unknown,
    /// It can not be read.
    #[error("can not be read")]
    WriteOnly,
    /// It can not be written.
    #[error("can not be written")]
    ReadOnly,
    /// It is known and off, or not available here.
    #[error("{0}")]
    Unavailable(&'static str),
    /// Wrong arguments; the text says what is wrong.
    #[error("{0}")]
    Arguments(String),
}

/// A complete host without a call: for tests, for `diesis dialplan eval` and for simulations.
#[derive(Debug, Clone)]
pub struct MemoryHost {
    /// The time of day at `monotonic` zero.
    pub epoch: Timestamp,
    /// How much virtual time has passed.
    pub elapsed: Duration,
    /// Shared state.
    pub world: World,
    /// The call's state.
    pub state: ChannelState,
    /// The system's zone.
    pub zone: TimeZone,
    /// Applications that come out as [`Operation::Application`](crate::operation::Operation), lower case.
    pub applications: BTreeSet<BString>,
    /// Sounds that exist; `None` is all.
    pub sounds: Option<BTreeMap<BString, Duration>>,
    /// ENV().
    pub environment: BTreeMap<BString, BString>,
    /// Names of all channels.
    pub channels: Vec<BString>,
    /// Variables of other channels, by channel and name.
    pub channel_variables: BTreeMap<(BString, BString), BString>,
    /// The call's record.
    pub record: CallRecord,
    /// Headers of the call's request; `None` when it has none.
    pub request: Option<Vec<(BString, BString)>>,
    /// Headers of the answer to the call's request.
    pub response: Option<Vec<(BString, BString)>>,
    /// Fields of SIP objects, by kind, name and field.
    pub sip_fields: BTreeMap<(SipObject, BString, BString), BString>,
    /// Conferences by name.
    pub conferences: BTreeMap<BString, ConferenceFacts>,
    /// Files and programs; `None` is switched off.
    pub machine: Option<MemoryMachine>,
    /// Whether settings such as `VOLUME(TX)` are accepted.
    pub accepts: Accepts,
    /// Steps that ran.
    pub steps: Vec<TracedStep>,
    /// Lines of the log from this level on.
    pub log: Vec<(Level, String)>,
    /// Steps are kept only when on.
    pub keep_steps: KeepSteps,
    seed: u64,
}

/// Whether a [`MemoryHost`] accepts settings that it has nothing to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// They are refused, as by an engine that does not have them.
    Nothing,
    /// They are accepted and kept in the channel.
    Settings,
}

/// Whether a [`MemoryHost`] keeps the steps that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepSteps {
    /// Not kept.
    No,
    /// Kept, up to a bound.
    Yes,
}

/// A step that ran, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedStep {
    /// The channel's context.
    pub context: BString,
    /// The channel's extension.
    pub extension: BString,
    /// The priority.
    pub priority: u32,
    /// The application.
    pub application: BString,
    /// Its evaluated arguments.
    pub arguments: BString,
}

impl MemoryHost {
    /// A host at a time, with an answered channel, an empty world and the UTC zone.
    #[must_use]
    pub fn new(epoch: Timestamp) -> Self {
        Self {
            epoch,
            elapsed: Duration::ZERO,
            world: World::default(),
            state: ChannelState::Up,
            zone: TimeZone::UTC,
            applications: BTreeSet::new(),
            sounds: None,
            environment: BTreeMap::new(),
            channels: Vec::new(),
            channel_variables: BTreeMap::new(),
            record: CallRecord::new(epoch),
            request: None,
            response: None,
            sip_fields: BTreeMap::new(),
            conferences: BTreeMap::new(),
            machine: None,
            accepts: Accepts::Settings,
            steps: Vec::new(),
            log: Vec::new(),
            keep_steps: KeepSteps::Yes,
            seed: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Whether a warning or an error was logged.
    #[must_use]
    pub fn has_warned(&self) -> bool {
        self.log.iter().any(|(level, _)| *level >= Level::Warning)
    }
}

impl Host for MemoryHost {
    fn now(&self) -> Timestamp {
        self.epoch.checked_add(self.elapsed).unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.elapsed
    }

    fn world(&self) -> &World {
        &self.world
    }

    fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    fn channel_state(&self) -> ChannelState {
        self.state
    }

    fn log(&mut self, line: LogLine<'_>) {
        if self.log.len() < KEPT {
            self.log.push((line.level, line.message.to_string()));
        }
    }

    fn random(&mut self) -> u64 {
        // splitmix64
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn trace(&mut self, step: &Step<'_>) {
        if self.keep_steps == KeepSteps::Yes && self.steps.len() < KEPT {
            self.steps.push(TracedStep {
                context: step.place.context.into(),
                extension: step.place.extension.into(),
                priority: step.place.priority,
                application: step.application.into(),
                arguments: step.arguments.into(),
            });
        }
    }

    fn time_zone(&self) -> TimeZone {
        self.zone.clone()
    }

    fn has_application(&self, name: &[u8]) -> bool {
        self.applications.contains(BStr::new(&name.to_ascii_lowercase()))
    }

    fn has_sound(&self, name: &[u8]) -> bool {
        self.sounds.as_ref().is_none_or(|sounds| sounds.contains_key(BStr::new(name)))
    }

    fn environment(&self, name: &[u8]) -> Option<BString> {
        self.environment.get(BStr::new(name)).cloned()
    }

    fn write_function(
        &mut self,
        _: &mut Channel,
        name: &[u8],
        _: &[u8],
        _: &[u8],
    ) -> Result<(), FunctionError> {
        let is_setting = SETTINGS.iter().any(|setting| setting.as_bytes() == name);
        match self.accepts {
            Accepts::Settings if is_setting => Ok(()),
            Accepts::Settings | Accepts::Nothing => Err(FunctionError::Unknown),
        }
    }

    fn channel_variable(&self, channel: &[u8], variable: &[u8]) -> Option<BString> {
        self.channel_variables.get(&(channel.into(), variable.into())).cloned()
    }

    fn set_channel_variable(&mut self, channel: &[u8], variable: &[u8], value: &[u8]) -> bool {
        let is_there = self.channels.iter().any(|name| *name == channel);
        if is_there {
            self.channel_variables.insert((channel.into(), variable.into()), value.into());
        }
        is_there
    }

    fn record(&self) -> Option<&CallRecord> {
        Some(&self.record)
    }

    fn record_mut(&mut self) -> Option<&mut CallRecord> {
        Some(&mut self.record)
    }

    fn visit_headers(&self, message: SipMessage, visit: &mut dyn FnMut(&BStr, &BStr)) -> bool {
        let headers = match message {
            SipMessage::Request => &self.request,
            SipMessage::Response => &self.response,
        };
        let Some(headers) = headers else { return false };
        headers.iter().for_each(|(name, value)| visit(name.as_ref(), value.as_ref()));
        true
    }

    fn sip_field(&self, object: SipObject, name: &[u8], field: &[u8]) -> Option<BString> {
        self.sip_fields.get(&(object, name.into(), field.into())).cloned()
    }

    fn conference(&self, name: &[u8]) -> Option<ConferenceFacts> {
        self.conferences.get(BStr::new(name)).cloned()
    }

    fn machine(&mut self) -> Option<&mut dyn Machine> {
        self.machine.as_mut().map(|machine| machine as &mut dyn Machine)
    }

    fn channels(&self) -> Vec<BString> {
        self.channels.clone()
    }
}

/// What a [`MemoryHost`] accepts.
const SETTINGS: [&str; 20] = [
    "AGC",
    "CONFBRIDGE",
    "DENOISE",
    "FEATURE",
    "FEATUREMAP",
    "FRAME_DROP",
    "HOLD_INTERCEPT",
    "JITTERBUFFER",
    "MUTEAUDIO",
    "PITCH_SHIFT",
    "PJSIP_DTMF_MODE",
    "PJSIP_HEADER",
    "PJSIP_MEDIA_OFFER",
    "PJSIP_MOH_PASSTHROUGH",
    "PJSIP_SEND_SESSION_REFRESH",
    "PJSIP_TRANSFER_HANDLING",
    "SCRAMBLE",
    "TALK_DETECT",
    "TONE_DETECT",
    "VOLUME",
];

/// Steps and log lines kept by a [`MemoryHost`]: an endless loop must not fill the memory.
const KEPT: usize = 100_000;
