//! What the dialplan knows about its channel: names, parties, settings. The call itself is the host's.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use bstr::BString;

use crate::rare::{Absent, Rare};

/// The facts that CALLERID(), CHANNEL(), REDIRECTING() and their kin read and write. Owned by the executor;
/// the host fills it in before the first step and looks at it when it needs the language or the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// `PJSIP/200-00000001`.
    pub name: BString,
    /// UNIQUEID.
    pub unique_id: BString,
    /// CHANNEL(linkedid).
    pub linked_id: BString,
    /// Technology: `PJSIP`, `Local`.
    pub technology: BString,
    /// Who calls.
    pub caller: Party,
    /// ANI: who pays.
    pub ani: Party,
    /// ANI2: the kind of the calling line.
    pub ani2: i32,
    /// Who is talked to.
    pub connected: Party,
    /// What was dialled.
    pub dialed: Dialed,
    /// Diversion.
    pub redirecting: Rare<Redirecting>,
    /// The robot that the call came to, and for whom.
    pub robot: Rare<RobotCall>,
    /// CHANNEL(language): which prompts are played.
    pub language: BString,
    /// CHANNEL(musicclass).
    pub music_class: BString,
    /// CHANNEL(accountcode).
    pub account_code: BString,
    /// CHANNEL(peeraccount).
    pub peer_account: BString,
    /// CHANNEL(userfield).
    pub user_field: BString,
    /// CHANNEL(amaflags).
    pub ama_flags: i32,
    /// CHANNEL(tonezone); empty is the default zone.
    pub tone_zone: BString,
    /// CHANNEL(parkinglot).
    pub parking_lot: BString,
    /// CHANNEL(audionativeformat), CHANNEL(audioreadformat), ...
    pub format: BString,
    /// Time limits that TIMEOUT() writes.
    pub timeouts: Timeouts,
    /// HANGUPCAUSE: Q.850, 0 until known.
    pub hangup_cause: u16,
    /// Headers that PJSIP_HEADER() and SIPAddHeader add to the next request. A host that accepts them (its
    /// [`write_function`](crate::host::Host::write_function) says `Ok` to `PJSIP_HEADER`) sends them.
    pub outgoing_headers: Vec<OutgoingHeader>,
    /// The text message that the dialplan runs for, or that MESSAGE() makes.
    pub message: Option<Box<TextMessage>>,
    /// Other items of CHANNEL() that are only kept, and what [`Host::write_function`] accepted:
    /// `VOLUME(tx)`, `CONFBRIDGE(user,admin)`.
    ///
    /// [`Host::write_function`]: crate::host::Host::write_function
    pub settings: BTreeMap<BString, BString>,
}

/// A text message (RFC 3428).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextMessage {
    /// MESSAGE(to): `pjsip:200@192.0.2.1`.
    pub to: BString,
    /// MESSAGE(from): `"Anna" <sip:100@192.0.2.1>`.
    pub from: BString,
    /// MESSAGE(body).
    pub body: BString,
    /// MESSAGE_DATA(): its headers.
    pub data: Vec<Datum>,
}

/// A header of a text message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datum {
    /// Its name, a token.
    pub name: BString,
    /// Its value, without line ends.
    pub value: BString,
    /// Whether MessageSend sends it.
    pub passed: Passed,
}

/// What becomes of a header that came with a message, or was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// It is sent: it was set here, or marked.
    On,
    /// It is only known.
    Not,
}

/// A header to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingHeader {
    /// Its name, a token.
    pub name: BString,
    /// Its value, without line ends.
    pub value: BString,
}

/// One party's name and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Display name; `None` is not known.
    pub name: Option<BString>,
    /// Number; `None` is not known.
    pub number: Option<BString>,
    /// Q.931 presentation of the name.
    pub name_presentation: i32,
    /// Q.931 presentation of the number.
    pub number_presentation: i32,
    /// Q.931 type of number and numbering plan.
    pub number_plan: i32,
    /// Character set of the name.
    pub name_charset: i32,
    /// Subaddress; `None` is not known.
    pub subaddress: Option<Subaddress>,
    /// Free tag.
    pub tag: BString,
}

/// A Q.931 subaddress.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subaddress {
    /// The text.
    pub text: BString,
    /// 0 is NSAP, 2 user specified.
    pub kind: i32,
    /// Odd or even.
    pub odd: i32,
}

/// What the caller dialled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dialed {
    /// DNID.
    pub number: BString,
    /// Numbering plan.
    pub plan: i32,
    /// Subaddress; `None` is not known.
    pub subaddress: Option<Subaddress>,
    /// Transit network.
    pub transit_network: i32,
}

/// Who diverted the call, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redirecting {
    /// First diverting party.
    pub original: Party,
    /// Last diverting party.
    pub from: Party,
    /// Party it was diverted to.
    pub to: Party,
    /// How often.
    pub count: i32,
    /// Reason of the last diversion.
    pub reason: Reason,
    /// Reason of the first.
    pub original_reason: Reason,
}

impl Absent for Redirecting {
    fn absent() -> &'static Self {
        static ABSENT: LazyLock<Redirecting> = LazyLock::new(Redirecting::default);
        &ABSENT
    }
}

/// A call that came to a robot, for ROBOT().
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RobotCall {
    /// For whom it is: the number of a user, as the numbering plan reads it; empty when nothing says.
    pub user: BString,
    /// The same as it was told.
    pub told: BString,
    /// The user's name, when it was told.
    pub name: BString,
    /// What says so: `diversion`, `history-info`, `to`, `mapping`.
    pub by: BString,
    /// Why the call was diverted, as RFC 5806 has it: `user-busy`, `no-answer`, `unconditional`.
    pub reason: BString,
    /// Who diverted it first, when that is somebody else; as it was told.
    pub first: BString,
    /// Whether the user wants to be unknown to the caller.
    pub is_private: bool,
    /// The robot that the call occupies.
    pub number: BString,
    /// The robot that it asked for.
    pub dialled: BString,
    /// The application that the robot works for.
    pub pool: BString,
    /// The section of `robots.conf`.
    pub range: BString,
}

impl Absent for RobotCall {
    fn absent() -> &'static Self {
        static ABSENT: LazyLock<RobotCall> = LazyLock::new(RobotCall::default);
        &ABSENT
    }
}

/// How a pool of robots stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RobotPool {
    /// Robots.
    pub robots: u64,
    /// Calls that they can have at a time.
    pub lines: u64,
    /// Calls that they have.
    pub busy: u64,
    /// The part of the lines that is busy, in hundredths.
    pub load: u64,
}

/// A diversion reason: a code, or a text of the technology.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reason {
    /// Index into the known reasons.
    pub code: u8,
    /// Text other than the known ones.
    pub text: BString,
}

/// The channel's time limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Between keys.
    pub digit: Duration,
    /// Until the first key.
    pub response: Duration,
    /// When the call ends, in the host's monotonic time.
    pub absolute: Option<Duration>,
}

impl Channel {
    /// A channel with a name and defaults: language `en`, AMA flags 3, time limits 5 s and 10 s.
    #[must_use]
    pub fn new(name: impl Into<BString>) -> Self {
        let name = name.into();
        let technology = name.split(|&byte| byte == b'/').next().unwrap_or_default().into();
        Self {
            name,
            technology,
            unique_id: BString::default(),
            linked_id: BString::default(),
            caller: Party::default(),
            ani: Party::default(),
            ani2: 0,
            connected: Party::default(),
            dialed: Dialed::default(),
            redirecting: Rare::default(),
            robot: Rare::default(),
            language: "en".into(),
            music_class: BString::default(),
            account_code: BString::default(),
            peer_account: BString::default(),
            user_field: BString::default(),
            ama_flags: 3,
            tone_zone: BString::default(),
            parking_lot: BString::default(),
            format: "ulaw".into(),
            timeouts: Timeouts::default(),
            hangup_cause: 0,
            outgoing_headers: Vec::new(),
            message: None,
            settings: BTreeMap::new(),
        }
    }
}

impl OutgoingHeader {
    /// A header of this name and value.
    #[must_use]
    pub fn new(name: impl Into<BString>, value: impl Into<BString>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl Party {
    /// A party known by name and number; empty texts are known and empty.
    #[must_use]
    pub fn new(name: impl Into<BString>, number: impl Into<BString>) -> Self {
        Self { name: Some(name.into()), number: Some(number.into()), ..Self::default() }
    }

    /// The stricter of the name's and the number's presentation.
    #[must_use]
    pub fn presentation(&self) -> i32 {
        let rank = |is_known: bool, presentation: i32| match (is_known, presentation & 0x60) {
            (false, _) | (_, 0x40 | 0x60) => 1,
            (_, 0x20) => 3,
            _ => 2,
        };
        let name = rank(self.name.is_some(), self.name_presentation);
        let number = rank(self.number.is_some(), self.number_presentation);
        if name > number {
            return self.name_presentation;
        }
        if self.number.is_some() { self.number_presentation } else { UNAVAILABLE }
    }
}

impl Default for Party {
    fn default() -> Self {
        Self {
            name: None,
            number: None,
            name_presentation: 0,
            number_presentation: 0,
            number_plan: 0,
            // ISO 8859-1, as the reference has it.
            name_charset: 1,
            subaddress: None,
            tag: BString::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { digit: Duration::from_secs(5), response: Duration::from_secs(10), absolute: None }
    }
}

/// Q.931 presentation: number not available due to interworking.
pub(crate) const UNAVAILABLE: i32 = 0x43;
