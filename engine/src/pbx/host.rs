//! What a running dialplan sees of the engine: the time, the shared world, its call, the log.

use std::{fmt, net::SocketAddr, time::Duration};

use bstr::{BStr, BString};
use diesis_dialplan::{
    channel::{Channel as PlanChannel, RobotPool},
    host::{
        ChannelState, ConferenceFacts, FunctionError, Host, Level, LogLine, SipMessage, SipObject,
        Step,
    },
    record::{CallRecord, Fork, RecordFields},
    timetable::Standing,
    world::World,
};
use jiff::{Timestamp, tz::TimeZone};

use super::quality;
use crate::{
    cdr::Ledger,
    channel::{Cause, ChannelId, TalkTold},
    clock::Now,
    entropy::Entropy,
    media::SharedStatistics,
    presence::DeviceState,
    printable::Printable,
    sip,
};

/// What the dialplan may know of the call it runs for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallFacts {
    /// The state of the call.
    pub(crate) state: ChannelState,
    /// The SIP Call-ID, for the log and `CHANNEL(pjsip,call-id)`.
    pub(crate) call_id: BString,
    /// The configured peer, for `CHANNEL(endpoint)`.
    pub(crate) peer: Option<BString>,
    /// Where the peer's signalling comes from, for `CHANNEL(pjsip,remote_addr)`.
    pub(crate) remote: Option<BString>,
    /// Its media.
    pub(crate) media: MediaFacts,
}

/// What the dialplan may know of a call's media.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MediaFacts {
    /// Our address, as the far end was told.
    pub(crate) local: Option<SocketAddr>,
    /// The far end's, as it told us.
    pub(crate) remote: Option<SocketAddr>,
    /// The far end holds the call.
    pub(crate) is_held: bool,
    /// What went over it, once it is there.
    pub(crate) statistics: Option<SharedStatistics>,
}

impl MediaFacts {
    /// `CHANNEL(rtp,ITEM[,audio])`, `CHANNEL(rtcp,ITEM[,audio])`, and `CHANNEL(rtpqos,audio,ITEM)` as
    /// chan_sip had it; `None` if there is no such item.
    fn item(&self, item: &[u8]) -> Option<String> {
        let mut words = item.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let (kind, first, second) = (words.next()?, words.next()?, words.next());
        // There is one stream.
        let (name, medium) = match kind {
            b"rtpqos" => (second?, Some(first)),
            _ => (first, second),
        };
        if words.next().is_some() || medium.is_some_and(|medium| medium != b"audio") {
            return None;
        }
        let shown = |address: Option<SocketAddr>| address.map(|it| it.to_string());
        match (kind, name) {
            (b"rtp", b"src") => Some(shown(self.local).unwrap_or_default()),
            (b"rtp", b"dest") => Some(shown(self.remote).unwrap_or_default()),
            // Media always comes by way of us.
            (b"rtp", b"direct") => Some(String::new()),
            (b"rtp", b"secure") => Some("0".to_owned()),
            (b"rtp", b"hold") => Some(u8::from(self.is_held).to_string()),
            (b"rtcp" | b"rtpqos", name) => {
                let statistics = self.statistics.as_ref().map(SharedStatistics::read);
                quality::item(&statistics.unwrap_or_default(), name)
            }
            _ => None,
        }
    }
}

/// One step of a dialplan as it was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepTaken {
    pub(crate) context: BString,
    pub(crate) extension: BString,
    pub(crate) priority: u32,
    pub(crate) application: BString,
    pub(crate) arguments: BString,
}

/// The headers that PJSIP_HEADER() reads.
pub(crate) struct Headers<'a> {
    /// Those of the INVITE that came.
    pub(crate) received: Option<&'a sip::KeptHeaders>,
}

/// Whether a dialplan may set a header: not those that the stack writes itself.
fn may_send(arguments: &[u8]) -> Result<(), FunctionError> {
    let name = arguments.split(|byte| *byte == b',').nth(1).unwrap_or_default().trim_ascii();
    let known = sip::HeaderName::parse(name);
    if sip::is_reserved(known) || known == sip::HeaderName::Contact {
        return Err(FunctionError::Unavailable("this header is written by the engine alone"));
    }
    Ok(())
}

/// `TALK_DETECT(set)=[silence in ms][,threshold]`, `TALK_DETECT(remove)=`.
fn talk_told(arguments: &[u8], value: &[u8]) -> Result<Option<TalkTold>, FunctionError> {
    match arguments.trim_ascii().to_ascii_lowercase().as_slice() {
        b"remove" => return Ok(None),
        b"set" => {}
        _ => return Err(FunctionError::Arguments("`set` or `remove`".into())),
    }
    let mut parts = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let mut number = |usual: u32, most: u32| match parts.next() {
        None | Some(b"") => Ok(usual),
        Some(text) => {
            let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
            number.filter(|number| (1..=most).contains(number)).ok_or_else(|| {
                let expected = "a silence in milliseconds and a threshold from 1 to 32767";
                FunctionError::Arguments(expected.into())
            })
        }
    };
    let silence = Duration::from_millis(number(2500, 3_600_000)?.into());
    let threshold = number(crate::media::talk::LOUD, 32_767)?;
    Ok(Some(TalkTold { silence, threshold }))
}

/// What a dialplan logs, which holds what callers say of themselves; formatted only when shown.
struct Message<'a>(fmt::Arguments<'a>);

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(self.0.to_string().as_bytes()).fmt(f)
    }
}

/// A variable that a dialplan gives another channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Export {
    pub(crate) channel: BString,
    pub(crate) variable: BString,
    pub(crate) value: BString,
}

/// What a dialplan may ask of the switch beyond its own call.
pub(crate) trait Knowledge {
    /// Names of all channels.
    fn channels(&self) -> Vec<BString>;

    /// Whether another channel has this name or unique id.
    fn is_channel(&self, channel: &BStr) -> bool;

    /// A variable of another channel.
    fn variable_of(&self, channel: &BStr, variable: &[u8]) -> Option<BString>;

    /// See [`Host::sip_field`].
    fn sip_field(&self, object: SipObject, name: &BStr, field: &BStr) -> Option<BString>;

    /// See [`Host::conference`].
    fn conference(&self, name: &BStr) -> Option<ConferenceFacts>;

    /// Whether the next conference may have this option: `user,admin`.
    fn conference_option(&self, option: &BStr, value: &BStr) -> Result<(), FunctionError>;

    /// See [`Host::device_state`].
    fn device_state(&self, device: &BStr) -> DeviceState;

    /// See [`Host::robot_pool`].
    fn robot_pool(&self, pool: &BStr) -> Option<RobotPool>;
}

/// The host of one advance of one executor.
pub(crate) struct PbxHost<'a> {
    pub(crate) now: Now,
    /// The clock's zero for [`Host::monotonic`].
    pub(crate) started: std::time::Instant,
    pub(crate) world: &'a mut World,
    pub(crate) entropy: &'a mut Entropy,
    pub(crate) facts: &'a CallFacts,
    pub(crate) zone: &'a TimeZone,
    /// What the switch knows besides, asked for seldom.
    pub(crate) knowledge: &'a dyn Knowledge,
    pub(crate) headers: Headers<'a>,
    /// The records of all calls and which is this one; `None` when they are switched off.
    pub(crate) records: Option<(&'a mut Ledger, ChannelId)>,
    /// Takes the application and arguments of each step.
    pub(crate) last_step: Option<&'a mut (BString, BString)>,
    /// Takes what other channels are to be given.
    pub(crate) exports: &'a mut Vec<Export>,
    /// Takes which talk is to be told from now on, or that none is.
    pub(crate) talk: &'a mut Option<Option<TalkTold>>,
    /// Takes the names of custom devices whose state the dialplan changed.
    pub(crate) custom_states: &'a mut Vec<BString>,
    /// Takes the schedules that the dialplan overrides.
    pub(crate) overridden: &'a mut Vec<(BString, Option<Standing>)>,
    /// Takes the steps when somebody wants them.
    pub(crate) steps: Option<&'a mut Vec<StepTaken>>,
}

impl Host for PbxHost<'_> {
    fn now(&self) -> Timestamp {
        self.now.wall
    }

    fn monotonic(&self) -> Duration {
        self.now.instant.saturating_duration_since(self.started)
    }

    fn world(&self) -> &World {
        self.world
    }

    fn world_mut(&mut self) -> &mut World {
        self.world
    }

    fn channel_state(&self) -> ChannelState {
        self.facts.state
    }

    fn log(&mut self, line: LogLine<'_>) {
        let LogLine { level, channel, place, message } = line;
        let call_id = &self.facts.call_id;
        let (context, exten) = (Printable(place.context), Printable(place.extension));
        let priority = place.priority;
        let message = Message(message);
        macro_rules! write_at {
            ($level:ident) => {
                tracing::$level!(%call_id, %channel, %context, %exten, priority, "{message}")
            };
        }
        match level {
            Level::Debug => write_at!(trace),
            // Verbose() up to 3 is what Asterisk shows at its usual verbosity.
            Level::Verbose(0..=3) => write_at!(info),
            Level::Verbose(_) => write_at!(debug),
            Level::Notice => write_at!(info),
            Level::Warning => write_at!(warn),
            Level::Error => write_at!(error),
        }
    }

    fn random(&mut self) -> u64 {
        self.entropy.next_u64()
    }

    fn record(&self) -> Option<&CallRecord> {
        let (ledger, call) = self.records.as_ref()?;
        ledger.record(*call)
    }

    fn record_mut(&mut self) -> Option<&mut CallRecord> {
        let (ledger, call) = self.records.as_mut()?;
        ledger.record_mut(*call)
    }

    fn record_now(&self) -> Timestamp {
        self.records.as_ref().map_or(self.now.wall, |(ledger, call)| ledger.date(*call, self.now))
    }

    fn flow_ended(&mut self, cause: u16) {
        let Some((ledger, call)) = &mut self.records else { return };
        let named = u8::try_from(cause).ok().and_then(Cause::new);
        ledger.hung_up(*call, named.unwrap_or(Cause::NORMAL_CLEARING), self.now);
    }

    fn reset_records(&mut self, fields: RecordFields) -> bool {
        let Some((ledger, call)) = &mut self.records else { return false };
        ledger.reset(*call, fields, self.now)
    }

    fn fork_record(&mut self, fork: Fork) -> bool {
        let Some((ledger, call)) = &mut self.records else { return false };
        ledger.fork(*call, fork, self.now)
    }

    fn trace(&mut self, step: &Step<'_>) {
        if let Some((ledger, call)) = &mut self.records {
            ledger.step(*call, step, self.now);
        }
        let Step { place, application, arguments, .. } = step;
        tracing::debug!(
            call_id = %self.facts.call_id, context = %Printable(place.context),
            exten = %Printable(place.extension), priority = place.priority,
            "{}({})", Printable(application), Printable(arguments)
        );
        if let Some((last, data)) = self.last_step.as_deref_mut() {
            // The buffers stay: a step does not allocate.
            last.clear();
            last.extend_from_slice(application);
            data.clear();
            data.extend_from_slice(arguments);
        }
        if let Some(steps) = &mut self.steps {
            steps.push(StepTaken {
                context: place.context.into(),
                extension: place.extension.into(),
                priority: place.priority,
                application: (*application).into(),
                arguments: (*arguments).into(),
            });
        }
    }

    fn time_zone(&self) -> TimeZone {
        self.zone.clone()
    }

    fn read_function(
        &mut self,
        _channel: &PlanChannel,
        name: &[u8],
        arguments: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), FunctionError> {
        if name != b"CHANNEL" {
            return Err(FunctionError::Unknown);
        }
        let item = arguments.trim_ascii().to_ascii_lowercase();
        let value: Option<&BStr> = match item.as_slice() {
            b"endpoint" | b"peername" => self.facts.peer.as_ref().map(AsRef::as_ref),
            b"peerip" | b"recvip" | b"from" => self.facts.remote.as_ref().map(AsRef::as_ref),
            b"pjsip,call-id" => Some(self.facts.call_id.as_ref()),
            b"pjsip,remote_addr" => self.facts.remote.as_ref().map(AsRef::as_ref),
            item if item.starts_with(b"rt") => {
                let value = self.facts.media.item(item).ok_or(FunctionError::Unknown)?;
                out.extend_from_slice(value.as_bytes());
                return Ok(());
            }
            _ => return Err(FunctionError::Unknown),
        };
        out.extend_from_slice(value.unwrap_or_default());
        Ok(())
    }

    fn write_function(
        &mut self,
        _channel: &mut PlanChannel,
        name: &[u8],
        arguments: &[u8],
        value: &[u8],
    ) -> Result<(), FunctionError> {
        match name {
            b"PJSIP_HEADER" => may_send(arguments),
            b"TALK_DETECT" => {
                *self.talk = Some(talk_told(arguments, value)?);
                Ok(())
            }
            b"CONFBRIDGE" => self.knowledge.conference_option(arguments.into(), value.into()),
            _ => Err(FunctionError::Unknown),
        }
    }

    fn visit_headers(&self, message: SipMessage, visit: &mut dyn FnMut(&BStr, &BStr)) -> bool {
        let SipMessage::Request = message else { return false };
        let Some(headers) = self.headers.received else { return false };
        headers.fields().for_each(|(name, value)| visit(name.into(), value.into()));
        true
    }

    fn channels(&self) -> Vec<BString> {
        self.knowledge.channels()
    }

    fn robot_pool(&self, pool: &BStr) -> Option<RobotPool> {
        self.knowledge.robot_pool(pool)
    }

    fn channel_variable(&self, channel: &[u8], variable: &[u8]) -> Option<BString> {
        let is_it = |export: &&Export| export.channel == channel && export.variable == variable;
        match self.exports.iter().rev().find(is_it) {
            Some(export) => Some(export.value.clone()),
            None => self.knowledge.variable_of(channel.into(), variable),
        }
    }

    fn set_channel_variable(&mut self, channel: &[u8], variable: &[u8], value: &[u8]) -> bool {
        // A function that gives it to yet another channel would go round and round.
        let function = variable.split(|byte| *byte == b'(').next().unwrap_or_default();
        let goes_on = [&b"EXPORT"[..], b"MASTER_CHANNEL"]
            .iter()
            .any(|name| function.len() < variable.len() && function.eq_ignore_ascii_case(name));
        let is_full = self.exports.len() >= MOST_EXPORTS;
        if goes_on || is_full || !self.knowledge.is_channel(channel.into()) {
            return false;
        }
        let (channel, variable, value) = (channel.into(), variable.into(), value.into());
        self.exports.push(Export { channel, variable, value });
        true
    }

    fn device_state(&self, device: &[u8]) -> BString {
        self.knowledge.device_state(device.into()).name().into()
    }

    fn custom_state_changed(&mut self, name: &BStr) {
        self.custom_states.push(name.into());
    }

    fn schedule_overridden(&mut self, name: &BStr, standing: Option<Standing>) {
        self.overridden.push((name.into(), standing));
    }

    fn sip_field(&self, object: SipObject, name: &[u8], field: &[u8]) -> Option<BString> {
        self.knowledge.sip_field(object, name.into(), field.into())
    }

    fn conference(&self, name: &[u8]) -> Option<ConferenceFacts> {
        self.knowledge.conference(name.into())
    }
}

/// Variables that one advance of a dialplan gives to other channels.
const MOST_EXPORTS: usize = 1000;
