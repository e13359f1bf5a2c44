//! What offer and answer agreed for one stream, as the media core needs it.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use smallvec::SmallVec;

use super::{Codec, OpusSettings};

/// How the times of telephone events are counted: as those of the sound beside them (RFC 4733 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventClock {
    /// Steps in a sample of 8 kHz.
    scale: u16,
}

impl EventClock {
    /// 8 kHz.
    pub const SLOW: Self = Self { scale: 1 };

    /// The clock of so many steps a second: 8 kHz, or a multiple up to 48 kHz.
    pub fn new(hertz: u32) -> Option<Self> {
        let scale = u16::try_from(hertz / 8000).ok()?;
        let is_known = hertz.is_multiple_of(8000) && (1..=FASTEST).contains(&scale);
        is_known.then_some(Self { scale })
    }

    /// That of a codec.
    pub const fn of(codec: Codec) -> Self {
        Self { scale: codec.scale() as u16 }
    }

    /// Steps a second.
    pub fn hertz(self) -> u32 {
        u32::from(self.scale) * 8000
    }

    /// Steps in a sample of 8 kHz.
    pub(crate) const fn scale(self) -> u16 {
        self.scale
    }
}

/// 48 kHz.
const FASTEST: u16 = 6;

/// An RTP payload type, 0 to 127.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadType(u8);

impl PayloadType {
    /// The static payload type of µ-law (RFC 3551 §6).
    pub const PCMU: Self = Self(0);
    /// The static payload type of GSM 06.10.
    pub const GSM: Self = Self(3);
    /// The static payload type of A-law (RFC 3551 §6).
    pub const PCMA: Self = Self(8);
    /// The static payload type of G.722.
    pub const G722: Self = Self(9);
    /// What is chosen here for a codec without a number of its own.
    pub(crate) const DYNAMIC: Self = Self(96);
    /// The static payload type of comfort noise at 8 kHz (RFC 3389 §4).
    pub(crate) const COMFORT_NOISE: Self = Self(13);
    /// What nearly everybody chooses for telephone events.
    pub const TELEPHONE_EVENT: Self = Self(101);

    /// `None` above 127.
    pub const fn new(number: u8) -> Option<Self> {
        if number < 128 { Some(Self(number)) } else { None }
    }

    /// The seven bits in the header.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// Which way media flows, seen from us (RFC 3264 §5.1): what our answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendReceive,
    /// The peer put us on hold towards it, or we hold the peer: received audio is dropped.
    SendOnly,
    /// The peer does not want audio: nothing is sent, the player's clock runs on.
    ReceiveOnly,
    /// Nothing flows.
    Inactive,
}

impl Direction {
    /// We may send.
    pub const fn is_sending(self) -> bool {
        matches!(self, Self::SendReceive | Self::SendOnly)
    }

    /// What arrives is used.
    pub const fn is_receiving(self) -> bool {
        matches!(self, Self::SendReceive | Self::ReceiveOnly)
    }
}

/// Whether keys are looked for in received sound, for peers without telephone events. It costs a
/// playout buffer and some 1 µs a frame, and speech is mistaken for a key now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InbandDigits {
    /// They are not.
    #[default]
    Ignore,
    /// They are, and are reported like telephone events.
    Detect,
}

/// Where the stream may learn its remote address from. Never from any other IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Latching {
    /// Media goes to the signalled address only; packets from its IP address are accepted.
    #[default]
    SignalledOnly,
    /// For peers behind NAT (`rtp_symmetric=yes`): the first source whose IP address is the
    /// signalled one or the signalling peer's becomes the remote. It moves to another port of
    /// that IP address after a second of silence, to another IP address only by an update.
    Symmetric,
}

/// Where reports of both ends on the stream travel (RTCP, RFC 3550 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RtcpPath {
    /// None are sent, and what comes is not listened to.
    Off,
    /// On the ports above those of the media.
    #[default]
    Separate,
    /// From the port above that of our media to an address that the peer named (RFC 3605).
    SeparateTo(SocketAddr),
    /// On the ports of the media (RFC 5761).
    Muxed,
}

/// Whether reports may share the ports of the media (RFC 5761).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RtcpMux {
    /// They may not.
    Never,
    /// When the peer offers it.
    #[default]
    IfOffered,
    /// It is offered to the peer too.
    Offer,
}

impl RtcpPath {
    /// The address to report to, by what was signalled.
    pub(crate) fn signalled(self, media: Option<SocketAddr>) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::SeparateTo(address) => Some(address),
            Self::Muxed => media,
            Self::Separate => media.and_then(next_port),
        }
    }
}

/// The address one port above.
pub(crate) fn next_port(address: SocketAddr) -> Option<SocketAddr> {
    Some(SocketAddr::new(address.ip(), address.port().checked_add(1)?))
}

/// Everything a stream needs to know of its peer. Built by the channel from offer and answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSettings {
    /// The address in the peer's SDP; `None` while unknown or on old-style hold (`c=0.0.0.0`).
    pub remote: Option<SocketAddr>,
    /// Where the peer's signalling comes from.
    pub signalling_ip: IpAddr,
    /// Default: [`Latching::SignalledOnly`].
    pub latching: Latching,
    /// What we send, with the payload type the peer gave it.
    pub codec: Codec,
    /// The payload type of what we send.
    pub payload_type: PayloadType,
    /// What we said we receive, by payload type.
    pub receive: SmallVec<[(PayloadType, Codec); 2]>,
    /// The payload type of telephone events we send; `None`: digits go as tones in the audio.
    pub telephone_event: Option<PayloadType>,
    /// The payload types of telephone events we receive. Their clock runs at 8 kHz
    /// unless said otherwise.
    pub telephone_event_receive: SmallVec<[PayloadType; 2]>,
    /// The clocks of those, sent or received, that do not run at 8 kHz.
    pub fast_events: SmallVec<[(PayloadType, EventClock); 2]>,
    /// The payload type of comfort noise (RFC 3389), if the peer takes it: then it is told what
    /// silence sounds like. Default `None`; what comes as 13 is understood nevertheless.
    pub comfort_noise: Option<PayloadType>,
    /// What the peer says of Opus, if that is what we send.
    pub opus: OpusSettings,
    /// Whether keys are looked for in the sound. Default: they are not.
    pub inband_digits: InbandDigits,
    /// Default: both ways.
    pub direction: Direction,
    /// After so long without an accepted packet, or an update, an [`Idle`](super::Event::Idle)
    /// event is given, once per silence and whichever way media flows. Default `None`: never.
    pub idle_timeout: Option<Duration>,
    /// After so long without sending, one frame of silence goes out to keep a NAT binding open
    /// (RFC 6263 §4). Default 15 s; between plays nothing else is sent.
    pub keepalive: Option<Duration>,
    /// Default: [`RtcpPath::Separate`].
    pub rtcp: RtcpPath,
}

impl StreamSettings {
    /// The clock of the telephone events under a number.
    pub(crate) fn event_clock(&self, number: u8) -> EventClock {
        let mut fast = self.fast_events.iter();
        let found = fast.find(|(payload_type, _)| payload_type.number() == number);
        found.map_or(EventClock::SLOW, |&(_, clock)| clock)
    }

    /// Settings for a peer at `remote` that both sends and receives `codec` under its static
    /// payload type, or 96, without telephone events.
    pub fn new(remote: SocketAddr, codec: Codec) -> Self {
        let payload_type = codec.static_payload_type().unwrap_or(PayloadType::DYNAMIC);
        Self {
            remote: Some(remote),
            signalling_ip: remote.ip(),
            latching: Latching::default(),
            codec,
            payload_type,
            receive: SmallVec::from_slice(&[(payload_type, codec)]),
            telephone_event: None,
            telephone_event_receive: SmallVec::new(),
            fast_events: SmallVec::new(),
            comfort_noise: None,
            opus: OpusSettings::default(),
            inband_digits: InbandDigits::default(),
            direction: Direction::default(),
            idle_timeout: None,
            keepalive: Some(KEEPALIVE),
            rtcp: RtcpPath::default(),
        }
    }

    /// Sends and receives telephone events under `payload_type`.
    #[must_use]
    pub fn with_telephone_event(mut self, payload_type: PayloadType) -> Self {
        self.telephone_event = Some(payload_type);
        self.telephone_event_receive = SmallVec::from_slice(&[payload_type]);
        self
    }

    /// Lets the stream learn its remote address as `latching` says.
    #[must_use]
    pub fn with_latching(mut self, latching: Latching, signalling_ip: IpAddr) -> Self {
        self.latching = latching;
        self.signalling_ip = signalling_ip;
        self
    }
}

/// How often at least something is sent to keep a translator's mapping (RFC 6263 §5).
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(15);
