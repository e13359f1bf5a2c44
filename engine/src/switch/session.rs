//! The media session of a call: offer, answer, and what they mean for its stream.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::{
    config::{CodecName, DtmfMode, Peer},
    media::{Codec, Direction, Latching, StreamSettings},
    sdp::{
        Capabilities, Negotiated, NegotiationError, OfferAnswer, SdpError, SessionDescription,
        TelephoneEvents,
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
    offer: Option<SessionDescription>,
    /// Our answer to it, once made; sent in the 183 and again in the 200.
    description: Option<Bytes>,
    latching: Latching,
}

impl Session {
    /// No exchange yet. `session_id` is a random number.
    pub(super) fn new(peer: Option<&Peer>, session_id: u64) -> Self {
        let symmetric = peer.is_some_and(|peer| peer.rtp_symmetric);
        Self {
            exchange: OfferAnswer::new(capabilities(peer), session_id),
            offer: None,
            description: None,
            latching: if symmetric { Latching::Symmetric } else { Latching::SignalledOnly },
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
        self.offer = Some(offer);
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

    /// What was agreed, for the stream.
    pub(super) fn stream_settings(&self, flow: &sip::Flow) -> Option<StreamSettings> {
        let Negotiated {
            remote,
            codec,
            payload_type,
            receive,
            telephone_event,
            telephone_event_receive,
            direction,
            ..
        } = self.exchange.negotiated()?.clone();
        // The defaults for idle and keepalive are the media room's.
        let defaults = StreamSettings::new(flow.peer, codec);
        Some(StreamSettings {
            remote,
            signalling_ip: flow.peer.ip(),
            latching: self.latching,
            codec,
            payload_type,
            receive,
            telephone_event,
            telephone_event_receive,
            direction,
            ..defaults
        })
    }
}

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

fn capabilities(peer: Option<&Peer>) -> Capabilities {
    let Some(peer) = peer else { return Capabilities::default() };
    let codecs = peer.codecs.iter().map(|codec| match codec {
        CodecName::Pcmu => Codec::Pcmu,
        CodecName::Pcma => Codec::Pcma,
    });
    let telephone_events = match peer.dtmf {
        DtmfMode::Info => TelephoneEvents::Disabled,
        DtmfMode::TelephoneEvent | DtmfMode::TelephoneEventOrInfo => TelephoneEvents::Enabled,
    };
    Capabilities { codecs: codecs.collect(), telephone_events }
}
