//! The formats of an audio stream: what a payload type stands for, and how ours are written.

use std::net::SocketAddr;

use super::{
    capabilities::{Capabilities, TelephoneEvents},
    description::{Attribute, MediaDescription, MediaKind},
    direction::direction_name,
};
use crate::media::{
    Codec, Direction, EventClock, ForwardCorrection, OpusSettings, OpusSilence, PayloadType,
};

/// What one payload type stands for, as far as we care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Audio(Codec),
    TelephoneEvent(EventClock),
    /// Of 8 kHz.
    ComfortNoise,
}

impl Format {
    pub(super) fn codec(self) -> Option<Codec> {
        match self {
            Self::Audio(codec) => Some(codec),
            Self::TelephoneEvent(_) | Self::ComfortNoise => None,
        }
    }

    /// How it is clocked, if it is telephone events.
    pub(super) fn event(self) -> Option<EventClock> {
        match self {
            Self::TelephoneEvent(clock) => Some(clock),
            Self::Audio(_) | Self::ComfortNoise => None,
        }
    }

    /// The value of its `rtpmap`.
    pub(super) fn rtpmap(self) -> String {
        match self {
            Self::Audio(codec) if codec.channels() > 1 => {
                format!("{}/{}/{}", codec.encoding(), codec.clock(), codec.channels())
            }
            Self::Audio(codec) => format!("{}/{}", codec.encoding(), codec.clock()),
            Self::ComfortNoise => "CN/8000".to_owned(),
            Self::TelephoneEvent(clock) => format!("telephone-event/{}", clock.hertz()),
        }
    }

    /// What a peer's `rtpmap` stands for.
    pub(super) fn of_rtpmap(name: &str, clock: u32, channels: u32) -> Option<Self> {
        if name.eq_ignore_ascii_case("telephone-event") && channels == 1 {
            return EventClock::new(clock).map(Self::TelephoneEvent);
        }
        if name.eq_ignore_ascii_case("CN") && (clock, channels) == (8000, 1) {
            return Some(Self::ComfortNoise);
        }
        let is_meant = |codec: &Codec| {
            name.eq_ignore_ascii_case(codec.encoding())
                && (clock, channels) == (codec.clock(), codec.channels())
        };
        Codec::ALL.into_iter().find(is_meant).map(Self::Audio)
    }

    /// What a number without an `rtpmap` stands for.
    pub(super) fn of_static(number: PayloadType) -> Option<Self> {
        if number == PayloadType::COMFORT_NOISE {
            return Some(Self::ComfortNoise);
        }
        let is_meant = |codec: &Codec| codec.static_payload_type() == Some(number);
        Codec::ALL.into_iter().find(is_meant).map(Self::Audio)
    }
}

/// The formats of a stream that we know and may use, in its order.
pub(super) fn formats_of<'a>(
    media: &'a MediaDescription,
    capabilities: &'a Capabilities,
) -> impl Iterator<Item = (PayloadType, Format)> + 'a {
    media.formats.iter().filter_map(|format| {
        let number = format.parse().ok().and_then(PayloadType::new)?;
        let known = match media.rtpmap(format) {
            Some((name, clock, channels)) => Format::of_rtpmap(name, clock, channels)?,
            None => Format::of_static(number)?,
        };
        let is_allowed = match known {
            Format::Audio(codec) => capabilities.codecs.contains(&codec),
            Format::ComfortNoise => true,
            Format::TelephoneEvent(_) => capabilities.telephone_events == TelephoneEvents::Enabled,
        };
        is_allowed.then_some((number, known))
    })
}

/// What a peer says of the Opus it wants under a number (RFC 7587 §6.1).
pub(super) fn opus_settings(media: &MediaDescription, number: PayloadType) -> OpusSettings {
    let mut settings = OpusSettings::default();
    for parameter in media.parameters(number.number()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "useinbandfec" if value == "1" => settings.forward_correction = ForwardCorrection::On,
            "usedtx" if value == "1" => settings.silence = OpusSilence::LeftOut,
            "maxaveragebitrate" => settings.most_bits = value.parse().ok(),
            "maxplaybackrate" => settings.most_rate = value.parse().ok(),
            "sprop-maxcapturerate" => settings.most_said = value.parse().ok(),
            _ => {}
        }
    }
    settings
}

/// A stream of ours.
pub(super) fn stream(
    local: SocketAddr,
    formats: &[(PayloadType, Format)],
    direction: Direction,
) -> MediaDescription {
    let mut attributes = Vec::new();
    for &(number, format) in formats {
        let number = number.number();
        attributes.push(Attribute::new("rtpmap", format!("{number} {}", format.rtpmap())));
        match format {
            // The sixteen keys and flash (RFC 4733 §3.2).
            Format::TelephoneEvent(_) => {
                attributes.push(Attribute::new("fmtp", format!("{number} 0-16")));
            }
            Format::Audio(Codec::Opus) => {
                attributes.push(Attribute::new("fmtp", format!("{number} {OPUS}")));
            }
            Format::Audio(_) | Format::ComfortNoise => {}
        }
    }
    attributes.push(Attribute::new("ptime", "20"));
    attributes.push(Attribute::flag(direction_name(direction)));
    MediaDescription {
        kind: MediaKind::Audio,
        port: local.port(),
        protocol: "RTP/AVP".to_owned(),
        formats: formats.iter().map(|(number, _)| number.number().to_string()).collect(),
        connection: None,
        attributes,
    }
}

/// What we say of it: all that people hear, in mono both ways; what comes in stereo is taken.
pub(super) const OPUS: &str =
    "maxplaybackrate=48000;sprop-maxcapturerate=48000;stereo=0;sprop-stereo=0;useinbandfec=1";

/// A stream of the peer's that we do not take: port 0, its formats repeated (RFC 3264 §6). A picture
/// is said to be inactive besides: some telephones look at that alone before they show a black one.
pub(super) fn refused(media: &MediaDescription) -> MediaDescription {
    let inactive = Attribute::flag(direction_name(Direction::Inactive));
    let attributes = if media.kind == MediaKind::Video { vec![inactive] } else { vec![] };
    MediaDescription { port: 0, connection: None, attributes, ..media.clone() }
}

/// The next dynamic number (RFC 3551 §6) from `first` on that means nothing else.
pub(super) fn free_number(first: u8, taken: &[(PayloadType, Format)]) -> PayloadType {
    let is_free = |number: &PayloadType| !taken.iter().any(|(used, _)| used == number);
    (first..128)
        .chain(96..first)
        .filter_map(PayloadType::new)
        .find(is_free)
        .unwrap_or(PayloadType::TELEPHONE_EVENT)
}

/// Where the numbers of codecs without one of their own begin: behind what nearly everybody means
/// by 101.
pub(super) const FIRST_CODEC: u8 = 107;
