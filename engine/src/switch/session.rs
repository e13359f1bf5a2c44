//! The media session of a call: offer, answer, and what they mean for its stream.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;

use crate::{
    channel::DigitRoute,
    config::{CodecName, CodecPreference, DtmfMode, Peer},
    media::{Codec, Direction, InbandDigits, KEEPALIVE, Latching, StreamSettings},
    sdp::{
        Capabilities, Kept, Negotiated, NegotiationError, OfferAnswer, Preference, SdpError,
        SessionDescription, TelephoneEvents,
    },
    sip::{self, StatusCode},
};

/// Why a session can not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SessionError {
    /// The body is not SDP.
    #[error("the body is not a session description")]
    NotSdp,
    /// The body can not be read.
    #[error("session description: {0}")]
    Malformed(#[from] SdpError),
    /// Nothing to agree on.
    #[error("{0}")]
    Negotiation(#[from] NegotiationError),
}

impl SessionError {
    /// How a request with such a body is refused.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotSdp => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Negotiation(NegotiationError::OfferPending) => StatusCode::REQUEST_PENDING,
            Self::Negotiation(_) => StatusCode::NOT_ACCEPTABLE_HERE,
        }
    }
}

/// Offer and answer of one call.
#[derive(Debug)]
pub(super) struct Session {
    exchange: OfferAnswer,
    /// An offer of the far end that is not answered yet.
    offer: Option<Box<SessionDescription>>,
    /// Our answer to it, once made; sent in the 183 and again in the 200.
    description: Option<Bytes>,
    /// What the forks of an outgoing call answered before one of them took it, by To tag; the latest
    /// holds.
    forks: Vec<(Option<Box<str>>, SessionDescription)>,
    latching: Latching,
    dtmf: DtmfMode,
    silences: Silences,
}

/// How long media may be silent.
#[derive(Debug, Clone, Copy)]
struct Silences {
    /// Until the call ends.
    timeout: Option<Duration>,
    /// Until the call ends, while the far end holds it.
    on_hold: Option<Duration>,
    /// Until we send something.
    keepalive: Option<Duration>,
}

impl Session {
    /// No exchange yet. `session_id` is a random number.
    pub(super) fn new(peer: Option<&Peer>, session_id: u64) -> Self {
        let symmetric = peer.is_some_and(|peer| peer.rtp_symmetric);
        Self {
            exchange: OfferAnswer::new(capabilities(peer), session_id),
            offer: None,
            description: None,
            forks: Vec::new(),
            latching: if symmetric { Latching::Symmetric } else { Latching::SignalledOnly },
            dtmf: peer.map_or_else(DtmfMode::default, |peer| peer.dtmf),
            silences: Silences {
                timeout: peer.and_then(|peer| peer.rtp_timeout),
                on_hold: peer.and_then(|peer| peer.rtp_timeout_hold),
                keepalive: peer.map_or(Some(KEEPALIVE), |peer| peer.rtp_keepalive),
            },
        }
    }

    /// Takes an offer that will be answered later. `local` is any address of ours of the right
    /// family.
    pub(super) fn receive_offer(
        &mut self,
        offer: SessionDescription,
        local: SocketAddr,
    ) -> Result<(), SessionError> {
        self.exchange.check_offer(&offer, local)?;
        self.offer = Some(Box::new(offer));
        Ok(())
    }

    /// Whether the far end's offer waits for our answer, or was answered already.
    pub(super) fn has_offer(&self) -> bool {
        self.offer.is_some() || self.description.is_some()
    }

    /// Our answer, made now or before.
    pub(super) fn answer(&mut self, local: SocketAddr) -> Result<Bytes, SessionError> {
        if let Some(description) = &self.description {
            return Ok(description.clone());
        }
        let offer = self.offer.take().ok_or(NegotiationError::NoOffer)?;
        let answered = self.exchange.handle_offer(&offer, local, Direction::SendReceive)?;
        self.description = Some(answered.0.clone());
        Ok(answered.0)
    }

    /// An offer of ours.
    pub(super) fn offer(&mut self, local: SocketAddr) -> Result<Bytes, SessionError> {
        Ok(self.exchange.offer(local, Direction::SendReceive)?)
    }

    /// Takes the answer to our offer.
    pub(super) fn receive_answer(
        &mut self,
        answer: &SessionDescription,
    ) -> Result<(), SessionError> {
        self.exchange.handle_answer(answer)?;
        Ok(())
    }

    /// Takes the answer of one fork to our first offer, before the call is answered. It holds until
    /// another fork speaks; what a fork says again changes nothing (RFC 3261 §13.2.1).
    pub(super) fn receive_answer_of(
        &mut self,
        fork: Option<&str>,
        answer: SessionDescription,
    ) -> Result<(), SessionError> {
        if self.forks.iter().any(|(known, _)| known.as_deref() == fork)
            || self.forks.len() >= MOST_FORKS
        {
            return Err(NegotiationError::NoOffer.into());
        }
        self.hold_answer(&answer)?;
        self.forks.push((fork.map(Into::into), answer));
        Ok(())
    }

    /// Settles on the fork that took the call: by what its 2xx says, or by what it said before. The
    /// 2xx comes first: who answers once without acknowledgement may say something else later.
    pub(super) fn settle_answer(
        &mut self,
        fork: Option<&str>,
        answer: Option<SessionDescription>,
    ) -> Result<(), SessionError> {
        let forks = std::mem::take(&mut self.forks);
        let latest = forks.last().map(|(latest, _)| latest.as_deref()) == Some(fork);
        let before = forks.iter().find(|(known, _)| known.as_deref() == fork);
        match (answer, before) {
            // Changed since by an offer in between, maybe: what holds, holds.
            (None, Some(_)) if latest => Ok(()),
            (Some(answer), Some((_, before))) if latest && answer == *before => Ok(()),
            (Some(answer), _) => self.hold_answer(&answer),
            (None, Some((_, before))) => self.hold_answer(before),
            (None, None) => Err(SessionError::NotSdp),
        }
    }

    fn hold_answer(&mut self, answer: &SessionDescription) -> Result<(), SessionError> {
        match self.exchange.is_offer_pending() {
            true => self.exchange.handle_answer(answer)?,
            false => self.exchange.replace_answer(answer, Direction::SendReceive)?,
        };
        Ok(())
    }

    /// Whether offer and answer led somewhere.
    pub(super) fn is_agreed(&self) -> bool {
        self.exchange.negotiated().is_some()
    }

    /// Whether our offer waits for its answer.
    pub(super) fn is_offer_pending(&self) -> bool {
        self.exchange.is_offer_pending()
    }

    /// Our offer was refused or never answered.
    pub(super) fn cancel_offer(&mut self) {
        self.exchange.cancel_offer();
    }

    /// Answers a new offer within the call at once.
    pub(super) fn answer_again(
        &mut self,
        offer: &SessionDescription,
        local: SocketAddr,
    ) -> Result<Bytes, SessionError> {
        let (answer, _) = self.exchange.handle_offer(offer, local, Direction::SendReceive)?;
        Ok(answer)
    }

    /// Whether the far end has put us on hold: it takes nothing of ours, or nothing at all flows.
    pub(super) fn is_held_by_far_end(&self) -> bool {
        self.exchange.negotiated().is_some_and(|agreed| {
            agreed.remote.is_none()
                || matches!(agreed.direction, Direction::ReceiveOnly | Direction::Inactive)
        })
    }

    /// What carries the sound, and where ours goes, as agreed.
    pub(super) fn media(&self) -> Option<(Codec, Option<SocketAddr>)> {
        self.exchange.negotiated().map(|agreed| (agreed.codec, agreed.remote))
    }

    /// What the far end has that we have too, best first: as agreed, or as its offer allows.
    pub(super) fn codecs(&self) -> Vec<Codec> {
        match (self.exchange.negotiated(), &self.offer) {
            (Some(agreed), _) => agreed.receive.iter().map(|&(_, codec)| codec).collect(),
            (None, Some(offer)) => self.exchange.acceptable(offer),
            (None, None) => Vec::new(),
        }
    }

    /// Whether keys are looked for in the sound.
    pub(super) fn listens_for_tones(&self) -> bool {
        let negotiated = self.exchange.negotiated();
        match self.dtmf {
            DtmfMode::Inband => true,
            DtmfMode::TelephoneEventOrInband => {
                negotiated.is_some_and(|agreed| agreed.telephone_event_receive.is_empty())
            }
            DtmfMode::TelephoneEvent | DtmfMode::Info | DtmfMode::TelephoneEventOrInfo => false,
        }
    }

    /// How keys are sent.
    pub(super) fn digit_route(&self) -> DigitRoute {
        let negotiated = self.exchange.negotiated();
        let has_events = negotiated.is_some_and(|agreed| agreed.telephone_event.is_some());
        match self.dtmf {
            DtmfMode::Info => DigitRoute::Info,
            _ if has_events => DigitRoute::TelephoneEvents,
            DtmfMode::TelephoneEventOrInfo => DigitRoute::Info,
            DtmfMode::TelephoneEvent | DtmfMode::Inband | DtmfMode::TelephoneEventOrInband => {
                DigitRoute::Tones
            }
        }
    }

    /// What was agreed, for the stream.
    pub(super) fn stream_settings(&self, flow: &sip::Flow) -> Option<StreamSettings> {
        let Negotiated {
            remote,
            codec,
            payload_type,
            receive,
            telephone_event,
            telephone_event_receive,
            fast_events,
            comfort_noise,
            opus,
            direction,
            rtcp,
            ..
        } = self.exchange.negotiated()?.clone();
        let is_held = remote.is_none();
        let idle_timeout = match direction {
            Direction::SendReceive if !is_held => self.silences.timeout,
            // The far end wants to hear us and has nothing to say.
            Direction::SendOnly => None,
            _ => self.silences.on_hold,
        };
        Some(StreamSettings {
            remote,
            signalling_ip: flow.peer.ip(),
            latching: self.latching,
            codec,
            payload_type,
            receive,
            telephone_event,
            telephone_event_receive,
            fast_events,
            comfort_noise,
            opus,
            direction,
            inband_digits: match self.listens_for_tones() {
                true => InbandDigits::Detect,
                false => InbandDigits::Ignore,
            },
            idle_timeout,
            keepalive: self.silences.keepalive,
            rtcp,
        })
    }
}

/// Forks whose early media is heard.
const MOST_FORKS: usize = 16;

/// The session description in a message; `None` when it has no body.
pub(super) fn description(
    message: &sip::Headers,
    body: &Bytes,
) -> Result<Option<SessionDescription>, SessionError> {
    if body.is_empty() {
        return Ok(None);
    }
    if !message.content_type().is_some_and(|content| content.is("application", "sdp")) {
        return Err(SessionError::NotSdp);
    }
    Ok(Some(SessionDescription::parse(body)?))
}

/// What media calls it.
pub(super) fn codec(name: CodecName) -> Codec {
    match name {
        CodecName::Pcmu => Codec::Pcmu,
        CodecName::Pcma => Codec::Pcma,
        CodecName::G722 => Codec::G722,
        CodecName::L16 => Codec::L16,
        CodecName::L16Wide => Codec::L16Wide,
        CodecName::L16Full => Codec::L16Full,
        CodecName::Gsm => Codec::Gsm,
        CodecName::Opus => Codec::Opus,
    }
}

fn capabilities(peer: Option<&Peer>) -> Capabilities {
    let Some(peer) = peer else { return Capabilities::default() };
    let codecs = peer.codecs.iter().copied().map(codec);
    let telephone_events = match peer.dtmf {
        DtmfMode::Info | DtmfMode::Inband => TelephoneEvents::Disabled,
        DtmfMode::TelephoneEvent
        | DtmfMode::TelephoneEventOrInband
        | DtmfMode::TelephoneEventOrInfo => TelephoneEvents::Enabled,
    };
    let preference = match peer.codec_preference {
        CodecPreference::Local => Preference::Ours(Kept::All),
        CodecPreference::LocalFirst => Preference::Ours(Kept::First),
        CodecPreference::Remote => Preference::Theirs(Kept::All),
        CodecPreference::RemoteFirst => Preference::Theirs(Kept::First),
    };
    Capabilities { codecs: codecs.collect(), preference, telephone_events, rtcp_mux: peer.rtcp_mux }
}
