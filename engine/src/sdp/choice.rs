//! What of a peer's stream we can use: its address, and what of its formats we know.

use std::net::SocketAddr;

use smallvec::SmallVec;

use super::{
    capabilities::{Capabilities, Kept, Preference},
    description::{MediaDescription, MediaKind, SessionDescription},
    format::{Format, formats_of},
    rtcp,
};
use crate::media::{Codec, EventClock, PayloadType};

/// What of a peer's stream we can use.
pub(super) struct Choice {
    pub(super) remote: Remote,
    /// In the peer's order and under its numbers; not empty.
    pub(super) codecs: Vec<(PayloadType, Format)>,
    /// The first of each clock, the slowest first.
    events: SmallVec<[(PayloadType, EventClock); 3]>,
    noise: Option<PayloadType>,
}

#[derive(Clone, Copy)]
pub(super) struct Remote {
    pub(super) address: Option<SocketAddr>,
    /// The address says "do not send" (RFC 3264 §8.4).
    pub(super) is_held: bool,
}

impl Choice {
    /// `None` when the stream cannot be used.
    pub(super) fn of(
        description: &SessionDescription,
        media: &MediaDescription,
        is_ipv6: bool,
        capabilities: &Capabilities,
    ) -> Option<Self> {
        let is_rtp = rtcp::is_spoken(&media.protocol);
        if media.kind != MediaKind::Audio || media.port == 0 || !is_rtp {
            return None;
        }
        let connection = description.connection(media)?;
        let remote = match connection.ip() {
            Some(ip) if ip.is_unspecified() => Remote { address: None, is_held: true },
            // Media is sent to one peer, in the address family we told it of, never to a group.
            Some(ip) if ip.is_multicast() || is_broadcast(ip) || ip.is_ipv6() != is_ipv6 => {
                return None;
            }
            ip => Remote { address: ip.map(|ip| SocketAddr::new(ip, media.port)), is_held: false },
        };
        let mut codecs: Vec<(PayloadType, Format)> = Vec::new();
        let (mut events, mut noise) = (SmallVec::<[(PayloadType, EventClock); 3]>::new(), None);
        for (number, format) in formats_of(media, capabilities) {
            match format {
                Format::Audio(_) if !codecs.iter().any(|&(_, known)| known == format) => {
                    codecs.push((number, format));
                }
                Format::Audio(_) => {}
                Format::ComfortNoise => noise = noise.or(Some(number)),
                Format::TelephoneEvent(clock) => {
                    if !events.iter().any(|&(_, known)| known == clock) {
                        events.push((number, clock));
                    }
                }
            }
        }
        events.sort_by_key(|&(_, clock)| clock);
        (!codecs.is_empty()).then_some(Self { remote, codecs, events, noise })
    }

    /// Puts the codecs into the order of an answer.
    pub(super) fn prefer(&mut self, capabilities: &Capabilities) {
        let kept = match capabilities.preference {
            Preference::Theirs(kept) => kept,
            Preference::Ours(kept) => {
                let ours = &capabilities.codecs;
                let place =
                    |format: Format| ours.iter().position(|&codec| format == Format::Audio(codec));
                self.codecs.sort_by_key(|&(_, format)| place(format));
                kept
            }
        };
        if kept == Kept::First {
            self.codecs.truncate(1);
        }
    }

    /// Under which number telephone events are sent beside a codec: with its clock, if they can be.
    pub(super) fn event_beside(&self, codec: Codec) -> Option<PayloadType> {
        let same = self.events.iter().find(|&&(_, clock)| clock == EventClock::of(codec));
        same.or_else(|| self.events.first()).map(|&(number, _)| number)
    }

    pub(super) fn events(&self) -> impl Iterator<Item = (PayloadType, EventClock)> {
        self.events.iter().copied()
    }

    pub(super) fn noise(&self) -> Option<(PayloadType, Format)> {
        self.noise.map(|number| (number, Format::ComfortNoise))
    }

    /// Under which number comfort noise is sent beside a codec: its clock runs at 8 kHz.
    pub(super) fn noise_beside(&self, codec: Codec) -> Option<PayloadType> {
        self.noise.filter(|_| codec.clock() == 8000)
    }

    pub(super) fn audio(&self) -> impl Iterator<Item = (PayloadType, Codec)> {
        self.codecs.iter().filter_map(|&(number, format)| Some((number, format.codec()?)))
    }

    pub(super) fn first_codec(&self) -> Option<(PayloadType, Codec)> {
        self.audio().next()
    }
}

pub(super) fn is_broadcast(ip: std::net::IpAddr) -> bool {
    matches!(ip, std::net::IpAddr::V4(ip) if ip.is_broadcast())
}
