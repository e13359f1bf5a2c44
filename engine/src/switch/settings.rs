//! What a switch is made of and how much of it there may be.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use bstr::BString;
use diesis_dialplan::plan::Plan;
use jiff::tz::TimeZone;

use crate::{
    cdr::CdrSettings,
    config::{
        ConferenceSettings, FeatureSettings, MachineDetection, MusicSettings, ProgramSettings,
        SipSettings,
    },
    recording::RecordingSettings,
};

/// Settings of a [`Switch`](super::Switch). Start from `Default` and change what differs.
#[derive(Debug, Clone)]
pub struct SwitchConfig {
    /// Transports, peers, addresses of record, identify, realm and user agent. Default: nobody is
    /// let in.
    pub sip: Arc<SipSettings>,
    /// Which of our addresses leads to a peer, for transports that listen on all of them; the
    /// unspecified address of a family stands for every other peer. Default: none is known before
    /// a message came to it.
    pub routes: HashMap<IpAddr, IpAddr>,
    /// Profiles of conference rooms and of those who enter them.
    pub conferences: Arc<ConferenceSettings>,
    /// Key codes of connected calls. Default: as without a `features.conf`.
    pub features: Arc<FeatureSettings>,
    /// Music on hold by class. Default: no class; a tone is played.
    pub music: Arc<MusicSettings>,
    /// How machines that answer are told from humans.
    pub machines: MachineDetection,
    /// Programs outside. Default: none that a variable may name.
    pub programs: Arc<ProgramSettings>,
    /// The dialplan. Default: empty.
    pub plan: Arc<Plan>,
    /// The language of prompts for peers that name none. Default: `en`, as in Asterisk.
    pub default_language: BString,
    /// The zone of the dialplan's time conditions that name none. Default: UTC.
    pub time_zone: TimeZone,
    /// Who takes incoming calls. Default: the dialplan alone.
    pub incoming: IncomingCalls,
    /// Whether every dialplan step comes out as an event. Default: no; a busy system runs some
    /// hundred thousand a second.
    pub trace_steps: StepTrace,
    /// How many media shards there are. Default 1.
    pub shards: u16,
    /// Which calls are recorded, and how; `None`: none, and CDR() is empty. Default: as without a
    /// `cdr.conf`.
    pub records: Option<CdrSettings>,
    /// Where recordings may be written. Default: nowhere.
    pub recordings: RecordingSettings,
    /// What bounds the switch.
    pub limits: Limits,
}

impl Default for SwitchConfig {
    fn default() -> Self {
        Self {
            sip: Arc::default(),
            routes: HashMap::new(),
            conferences: Arc::default(),
            features: Arc::default(),
            music: Arc::default(),
            machines: MachineDetection::default(),
            programs: Arc::default(),
            plan: Arc::default(),
            default_language: "en".into(),
            time_zone: TimeZone::UTC,
            incoming: IncomingCalls::Dialplan,
            trace_steps: StepTrace::Off,
            shards: 1,
            records: Some(CdrSettings::default()),
            recordings: RecordingSettings::default(),
            limits: Limits::default(),
        }
    }
}

/// Who takes an incoming call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncomingCalls {
    /// The dialplan; a number it does not know gets 404.
    #[default]
    Dialplan,
    /// The dialplan, and the embedder what the dialplan does not know.
    DialplanThenEmbedder,
    /// The embedder, all.
    Embedder,
}

/// Whether dialplan steps are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StepTrace {
    /// Not told.
    #[default]
    Off,
    /// Each comes out as [`SwitchEvent::StepExecuted`](super::SwitchEvent::StepExecuted).
    On,
}

/// Bounds of a switch. Each holds under attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Calls at a time; more get 503 with Retry-After. Default 10,000: what a large machine's media
    /// can carry, some 30 KB each.
    pub calls: usize,
    /// Subscriptions at a time; more get 503 with Retry-After. Default 20,000, of some 2 KB each.
    pub subscriptions: usize,
    /// Transactions at a time, in each direction; beyond, every request gets 503. New calls get it
    /// from seven eighths on, so that running ones keep room for what they still have to say. Default
    /// 65,536.
    pub transactions: usize,
    /// What Retry-After says when refusing for lack of room. Default 5 s.
    pub retry_after: Duration,
    /// Events nobody took yet; more are dropped and counted. Default 100,000.
    pub events: usize,
    /// How long an incoming call may go on without an answer; the RFC's own bound is timer C,
    /// three minutes (RFC 3261 §16.6). Default 3 min.
    pub unanswered: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 10_000,
            subscriptions: 20_000,
            transactions: 65_536,
            retry_after: Duration::from_secs(5),
            events: 100_000,
            unanswered: Duration::from_secs(180),
        }
    }
}

/// Randomness for a switch, from the operating system.
#[derive(Clone)]
pub struct Seeds {
    /// Seeds tags, branches, Call-IDs, SSRCs. The same seed replays the same run.
    pub entropy: u64,
    /// Keys the nonces of digest challenges; a secret.
    pub digest_key: [u8; 32],
}
