//! Incoming calls and the verbs of a call that signal: ring, progress, answer, hang up.

use std::{net::SocketAddr, sync::Arc};

use bstr::{BStr, BString};

use super::{
    Direction, EndedBy, IncomingCalls, Parties, Switch, SwitchEvent,
    admission::{Admission, response_port},
    call::{Beginning, Call, Control, Phase, Settle},
    identity::{Identity, Privacy},
    local::LocalNews,
    pickup::Takeover,
    robots::Robot,
    session::{self, Session, SessionError},
};
use crate::{
    channel::{Cause, ChannelId},
    clock::Now,
    config::{AuthCredentials, CallerId, Peer},
    media::{Command as MediaCommand, StreamId, StreamSettings},
    printable::Printable,
    sip::{self, EarlyOffer, HeaderName, Request, StatusCode, VerbError},
};

/// Why a verb that signals was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignalError {
    /// The call came in and is answered, or goes out: there is nothing to answer.
    #[error("the call is not waiting for an answer")]
    NotWaiting,
    /// All ports are in use.
    #[error("no RTP port is free")]
    NoPort,
    /// Offer and answer did not work out.
    #[error("{0}")]
    Session(#[from] SessionError),
    /// The stack refused.
    #[error("{0}")]
    Stack(#[from] VerbError),
}

impl Switch {
    /// An INVITE outside any dialog.
    pub(super) fn take_invite(
        &mut self,
        handle: sip::CallHandle,
        request: &Request,
        flow: sip::Flow,
        now: Now,
    ) {
        let port = self.response_port(&flow);
        // Gone means that the caller gave up first, here and below.
        let _ = self.endpoint.set_call_response_port(handle, port, now.instant);
        let peer = match self.admit(request, &flow, now) {
            Admission::Peer(peer) => peer,
            Admission::Ignored => {
                let _ = self.endpoint.ignore_call(handle, now.instant);
                return;
            }
            Admission::Refused { status, headers } => {
                // Neither a challenge nor a refusal leaves anything behind that a flood could fill.
                self.refuse_invite(handle, status, &headers, now);
                return;
            }
        };
        let _ = self.endpoint.set_call_response_port(handle, response_port(&peer), now.instant);
        let _ = self.endpoint.set_path_policy(handle, path_policy(&peer), now.instant);
        if !peer.outbound_auth.is_empty() {
            let own = peer.outbound_auth.iter().map(AuthCredentials::own).collect();
            let _ = self.endpoint.set_credentials(handle, own, now.instant);
        }
        let suits = self.endpoint.set_terms(handle, terms(Some(&peer)), now.instant);
        if let Ok(Err((status, headers))) = suits {
            tracing::info!(peer = %peer.name, status = status.code(), "call refused");
            return self.refuse_invite(handle, status, &headers, now);
        }
        if self.is_full(&flow) || self.refuses_for_load() {
            let headers = self.retry_after();
            return self.refuse_invite(handle, StatusCode::SERVICE_UNAVAILABLE, &headers, now);
        }
        let mut session = Session::new(Some(&peer), self.entropy.next_u64());
        let offered = session::description(request.headers(), request.body()).and_then(|offer| {
            offer.map_or(Ok(()), |offer| {
                if offer.has_video() {
                    tracing::info!(peer = %peer.name, "video is answered as inactive: only sound is mixed here");
                }
                session.receive_offer(offer, flow.local)
            })
        });
        if let Err(error) = offered {
            tracing::info!(peer = %peer.name, %error, "call refused");
            let headers = refusal_headers(&error);
            return self.refuse_invite(handle, error.status(), &headers, now);
        }
        let takeover = match self.takeover_asked(request, &peer) {
            Ok(takeover) => takeover,
            Err(status) => {
                tracing::info!(peer = %peer.name, status = status.code(), "Replaces refused");
                return self.refuse_invite(handle, status, &sip::Headers::default(), now);
            }
        };
        let id = self.next_channel();
        let identity = Identity::read(request.headers(), &peer);
        let parties = self.read_parties(parties(request, &peer, &identity), &peer);
        let takeover = takeover
            .or_else(|| self.pickup_dialled(&parties, &peer, now).then_some(Takeover::Group));
        let control = match &takeover {
            // The dialplan never runs: it is only what the call is known by.
            Some(_) => Some(self.dialplan_at(&parties, &peer, id, now)),
            None => self.taker(&parties, &peer, id, now),
        };
        let Some(mut control) = control else {
            tracing::info!(
                peer = %peer.name, context = %peer.context, exten = %Printable(&parties.dialled),
                "no such extension"
            );
            return self.refuse_invite(
                handle,
                StatusCode::NOT_FOUND,
                &sip::Headers::default(),
                now,
            );
        };
        let occupied = self.occupy_robot(request, (flow.peer.ip(), &peer), id, now);
        let (robot, robot_call) = match occupied {
            Ok(None) => (None, None),
            Ok(Some((robot, about))) => (Some(Box::new(robot)), Some(about)),
            Err(_) => {
                let headers = reason(Cause::USER_BUSY);
                return self.refuse_invite(handle, StatusCode::BUSY_HERE, &headers, now);
            }
        };
        if let Control::Dialplan(pbx) = &mut control {
            let channel = pbx.channel_mut();
            if let Some(about) = robot_call {
                channel.robot = about.into();
            }
            channel.account_code = peer.account_code.clone();
            let presentation = identity.privacy.presentation();
            let withheld = match &identity.party {
                Some(party) => Privacy::of(party).presentation(),
                None => presentation,
            };
            channel.caller.number_presentation = withheld;
            channel.caller.name_presentation = withheld;
            if let Some(redirecting) = &identity.redirecting {
                channel.redirecting = (**redirecting).clone().into();
            }
        }
        let hops = request.max_forwards().unwrap_or(sip::MAX_FORWARDS).min(sip::MAX_FORWARDS);
        let headers = sip::KeptHeaders::new(request.headers());
        let about = About { headers, identity, hops, robot };
        self.begin_call(id, handle, flow, peer, parties, session, control, about, now);
        if let Some(takeover) = takeover {
            self.with_call(id, now, |switch, call| switch.take_instead(call, takeover, now));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a call, each made by its own step")]
    fn begin_call(
        &mut self,
        id: ChannelId,
        handle: sip::CallHandle,
        flow: sip::Flow,
        peer: Arc<Peer>,
        parties: Parties,
        session: Session,
        control: Control,
        about: About,
        now: Now,
    ) {
        let name = channel_name(peer.name.as_ref(), id);
        let language = peer.language.clone();
        let language = language.unwrap_or_else(|| self.config.default_language.clone());
        tracing::info!(
            call_id = %parties.call_id, channel = %name, context = %peer.context,
            exten = %Printable(&parties.dialled), from = %Printable(&parties.caller_number), "call"
        );
        self.tell(SwitchEvent::CallStarted {
            call: id,
            channel: name.clone(),
            parties: parties.clone(),
            direction: Direction::Incoming,
        });
        if matches!(control, Control::Embedder { .. }) {
            self.tell(SwitchEvent::IncomingCall { call: id, parties: parties.clone() });
        }
        self.handles.insert(handle, id);
        let mut call = Box::new(Call {
            control,
            handle: Some(handle),
            received: Some(about.headers),
            identity: about.identity,
            robot: about.robot,
            max_forwards: about.hops,
            ..Call::new(
                Beginning {
                    id,
                    name,
                    language,
                    parties,
                    direction: Direction::Incoming,
                    flow,
                    session,
                    unanswered_until: now.instant + self.config.limits.unanswered,
                },
                now,
            )
        });
        self.assign(&mut call, &peer.variables, now);
        self.put_back(call, now);
        self.make_ready(id);
    }

    /// Sends 100 to a caller whose call did not get further in its first turn. One that is answered at
    /// once is not worth two messages (RFC 3261 §17.2.1).
    pub(super) fn proceed(&mut self, call: &Call, now: Now) {
        if call.phase == Phase::Proceeding
            && call.direction == Direction::Incoming
            && let Some(handle) = call.handle
        {
            // Gone means that the caller gave up first.
            let _ = self.endpoint.proceed(handle, now.instant);
        }
    }

    /// Who takes a call: the dialplan where it knows the number, the embedder where it wants it.
    fn taker(&self, parties: &Parties, peer: &Peer, id: ChannelId, now: Now) -> Option<Control> {
        let embedder = Control::Embedder { running: None };
        match self.config.incoming {
            IncomingCalls::Embedder => Some(embedder),
            IncomingCalls::Dialplan => self.dialplan_for(parties, peer, id, now),
            IncomingCalls::DialplanThenEmbedder => {
                Some(self.dialplan_for(parties, peer, id, now).unwrap_or(embedder))
            }
        }
    }

    /// What an INVITE to the same address would meet with (RFC 3261 §11.2). The address of the whole
    /// engine is asked whether it lives: it has no extension to be there.
    pub(super) fn would_take(&self, request: &Request, peer: &Peer, now: Now) -> StatusCode {
        let is_asked = request.uri().user_decoded().is_some_and(|user| !user.is_empty());
        if !is_asked || self.config.incoming != IncomingCalls::Dialplan {
            return StatusCode::OK;
        }
        let parties = parties(request, peer, &Identity::read(request.headers(), peer));
        let parties = self.read_parties(parties, peer);
        let found = self.has_extension(peer.context.as_ref(), &parties, now)
            || self.pickup_dialled(&parties, peer, now);
        if found { StatusCode::OK } else { StatusCode::NOT_FOUND }
    }

    fn refuse_invite(
        &mut self,
        handle: sip::CallHandle,
        status: StatusCode,
        headers: &sip::Headers,
        now: Now,
    ) {
        // Gone means that the caller gave up first.
        let _ = self.endpoint.reject_stateless(handle, status, headers, now.instant);
    }

    /// Sends 180.
    pub(super) fn ring(&mut self, call: &mut Call, now: Now) -> Result<(), SignalError> {
        if call.other_half.is_some() && call.phase == Phase::Proceeding {
            call.phase = Phase::Ringing;
            self.tell_other_half(call, LocalNews::Rings);
            return Ok(());
        }
        let handle = waiting(call)?;
        if call.phase == Phase::Proceeding {
            let body = match self.endpoint.early_offer(handle) {
                EarlyOffer::Needed => self.early_description(call, handle)?,
                EarlyOffer::Impossible | EarlyOffer::Possible => None,
            };
            let headers = sip::Headers::default();
            let status = StatusCode::RINGING;
            self.endpoint.ring(handle, status, &headers, body.as_ref(), now.instant)?;
            call.phase = Phase::Ringing;
        }
        Ok(())
    }

    /// Opens the media before the answer (183). A caller who left the offer to us gets it here only
    /// if it acknowledges the 183, since one that may be lost can not carry an offer
    /// (RFC 3261 §13.2.1); its PRACK opens the media.
    pub(super) fn progress(&mut self, call: &mut Call, now: Now) -> Result<(), SignalError> {
        if call.other_half.is_some() && matches!(call.phase, Phase::Proceeding | Phase::Ringing) {
            call.phase = Phase::EarlyMedia;
            self.tell_other_half(call, LocalNews::Progresses);
            return Ok(());
        }
        let handle = waiting(call)?;
        if call.phase == Phase::EarlyMedia {
            return Ok(());
        }
        let body = self.early_description(call, handle)?;
        self.endpoint.ring(
            handle,
            StatusCode::SESSION_PROGRESS,
            &sip::Headers::default(),
            body.as_ref(),
            now.instant,
        )?;
        call.phase = Phase::EarlyMedia;
        self.open_media(call);
        Ok(())
    }

    /// What a provisional response says of media: our answer, or our offer where that can be.
    fn early_description(
        &mut self,
        call: &mut Call,
        handle: sip::CallHandle,
    ) -> Result<Option<sip::Body>, SignalError> {
        if call.session.has_offer() {
            let local = self.lease_port(call)?;
            return Ok(Some(sip::Body::sdp(call.session.answer(local)?)));
        }
        let is_possible = self.endpoint.early_offer(handle) != EarlyOffer::Impossible;
        if !is_possible || call.session.is_offer_pending() {
            return Ok(None);
        }
        let local = self.lease_port(call)?;
        Ok(Some(sip::Body::sdp(call.session.offer(local)?)))
    }

    /// Sends 200. The channel's task is to settle from then on; with a late offer it begins when
    /// the ACK brings the answer.
    pub(super) fn answer(
        &mut self,
        call: &mut Call,
        settle: Settle,
        now: Now,
    ) -> Result<(), SignalError> {
        if call.is_up() {
            self.settle(call, settle, now);
            return Ok(());
        }
        if call.other_half.is_some() && !call.is_down() {
            call.phase = Phase::Up;
            call.answered = Some(now.instant);
            self.tell(SwitchEvent::CallAnswered { call: call.id });
            self.tell_other_half(call, LocalNews::Answers);
            self.settle(call, settle, now);
            return Ok(());
        }
        let handle = waiting(call)?;
        let local = self.lease_port(call)?;
        let has_offer = call.session.has_offer();
        // Our offer went out in a provisional response: its answer came with the PRACK, or will.
        let offered_early = call.session.is_offer_pending() || call.session.is_agreed();
        let body = match has_offer {
            true => Some(call.session.answer(local)?),
            false if offered_early => None,
            false => Some(call.session.offer(local)?),
        };
        let body = body.map(sip::Body::sdp);
        let headers = self.connected_line(call);
        self.endpoint.answer(handle, &headers, body.as_ref(), now.instant)?;
        call.phase = Phase::Up;
        call.answered = Some(now.instant);
        self.tell(SwitchEvent::CallAnswered { call: call.id });
        if !call.session.is_offer_pending() {
            self.open_media(call);
            self.settle(call, settle, now);
        } else {
            call.after_ack = Some(settle);
        }
        Ok(())
    }

    /// Lets the channel settle after an answer.
    pub(super) fn settle(&mut self, call: &mut Call, settle: Settle, now: Now) {
        let Settle { wait_media, delay } = settle;
        call.channel.settle(wait_media, delay, now.instant, &mut self.outbox);
    }

    /// Has a port for the call's stream, and tells the address the far end is to send to.
    pub(super) fn lease_port(&mut self, call: &mut Call) -> Result<SocketAddr, SignalError> {
        if let Some(address) = call.media_address {
            return Ok(address);
        }
        let port = self.ports.take(call.flow.local.ip()).ok_or(SignalError::NoPort)?;
        let address = self.media_address(&call.flow, &port);
        call.port = Some(port);
        call.media_address = Some(address);
        Ok(address)
    }

    /// Opens the stream, or brings it up to what was agreed.
    pub(super) fn open_media(&mut self, call: &mut Call) {
        let Some(settings) = call.session.stream_settings(&call.flow) else { return };
        call.channel.set_digit_route(call.session.digit_route());
        if let Some(pbx) = call.pbx_mut() {
            pbx.channel_mut().format = settings.codec.name().into();
        }
        if call.channel.stream().is_some() {
            return call.channel.update(settings, &mut self.outbox);
        }
        self.open_stream(call, settings);
    }

    /// Opens the stream on the port that was leased for it.
    pub(super) fn open_stream(&mut self, call: &mut Call, settings: StreamSettings) {
        let Some(port) = call.port.take() else { return };
        self.streams_opened += 1;
        let (shard, stream) = (port.shard, StreamId(self.streams_opened));
        self.streams.insert(stream, call.id);
        self.ports.count_in(shard);
        call.opened = Some((shard, stream));
        call.channel.open(port, stream, settings, self.worked_at.instant, &mut self.outbox);
    }

    /// Tells the far end that the call is over, in whatever way its state asks for.
    pub(super) fn hang_up_signalling(&mut self, call: &mut Call, cause: Cause, now: Now) {
        let Some(handle) = call.handle.take() else { return };
        self.handles.remove(&handle);
        let mut headers = reason(cause);
        let status = StatusCode::new(cause.status()).unwrap_or(StatusCode::DECLINE);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.push(HeaderName::RetryAfter, self.config.limits.retry_after.as_secs());
        }
        // Gone means that the far end ended it in the same moment.
        let _ = self.endpoint.hang_up(handle, status, &headers, now.instant);
    }

    /// The call's media could not be had: refuses it for lack of room.
    pub(super) fn fail_to_signal(&mut self, call: &mut Call, error: &SignalError, now: Now) {
        tracing::warn!(call_id = %call.parties.call_id, %error, "call can not go on");
        let cause = match error {
            SignalError::NoPort => Cause::CONGESTION,
            SignalError::Session(_) => Cause::BEARER_NOT_IMPLEMENTED,
            SignalError::NotWaiting | SignalError::Stack(_) => Cause::TEMPORARY_FAILURE,
        };
        self.end(call, cause, EndedBy::Failure, now);
    }

    /// Gives back a port that no stream was opened on.
    pub(super) fn give_port_back(&mut self, call: &mut Call) {
        if let Some(port) = call.port.take() {
            self.outbox.command(port.shard, MediaCommand::ReturnPort { port });
        }
    }

    fn is_full(&self, flow: &sip::Flow) -> bool {
        let (clients, servers) = self.endpoint.transaction_count();
        let kept_free = self.config.limits.transactions / 8;
        self.is_draining()
            || clients.max(servers) + kept_free > self.config.limits.transactions
            || self.calls.len() >= self.config.limits.calls
            || !self.ports.has(flow.local.ip())
    }

    pub(super) fn retry_after(&self) -> sip::Headers {
        let mut headers = sip::Headers::default();
        headers.push(HeaderName::RetryAfter, self.config.limits.retry_after.as_secs());
        headers
    }

    /// The number of the next call, and its channel's.
    pub(super) fn next_channel(&mut self) -> ChannelId {
        self.calls_begun += 1;
        ChannelId::new(self.calls_begun)
    }
}

/// What is kept of an INVITE.
struct About {
    headers: sip::KeptHeaders,
    identity: Identity,
    hops: u8,
    robot: Option<Box<Robot>>,
}

/// The stack's call, while an incoming call is not answered.
fn waiting(call: &Call) -> Result<sip::CallHandle, SignalError> {
    let unanswered = matches!(call.phase, Phase::Proceeding | Phase::Ringing | Phase::EarlyMedia);
    match (call.handle, call.direction) {
        (Some(handle), Direction::Incoming) if unanswered => Ok(handle),
        _ => Err(SignalError::NotWaiting),
    }
}

/// How requests to a peer within a call find their way: with `rewrite_contact` by where its
/// messages come from, whatever its Contact says.
pub(super) fn path_policy(peer: &Peer) -> sip::PathPolicy {
    match peer.rewrite_contact {
        true => sip::PathPolicy::Symmetric,
        false => sip::PathPolicy::Auto,
    }
}

/// `PJSIP/alice-0000002a`, as Asterisk names its channels.
pub(super) fn channel_name(peer: &BStr, id: ChannelId) -> BString {
    let mut name = BString::from("PJSIP/");
    name.extend_from_slice(peer);
    name.extend_from_slice(format!("-{id}").as_bytes());
    name
}

/// Who calls whom. What the peer's settings say of the caller comes before what the caller says.
fn parties(request: &Request, peer: &Peer, identity: &Identity) -> Parties {
    let from = request.from_header();
    let (number, name) = match &peer.caller_id {
        Some(CallerId { name, number }) => (number.clone(), name.clone()),
        None if identity.party.is_some() => {
            let party = identity.party.clone().unwrap_or_default();
            (party.number.unwrap_or_default(), party.name.unwrap_or_default())
        }
        None => {
            let number = from.as_ref().and_then(|from| from.uri().user_decoded());
            let name = from.as_ref().and_then(|from| from.display_name());
            let text = |text: Option<std::borrow::Cow<'_, [u8]>>| {
                BString::from(text.unwrap_or_default().into_owned())
            };
            (text(number), text(name))
        }
    };
    let dialled = request.uri().user_decoded().unwrap_or_default().into_owned();
    Parties {
        caller_number: number,
        caller_name: name,
        // An address without a user reaches the extension `s`, as in Asterisk.
        dialled: if dialled.is_empty() { "s".into() } else { dialled.into() },
        peer: Some(peer.name.clone()),
        call_id: request.call_id().unwrap_or_default().into(),
    }
}

/// What calls with a peer want of session timers and the like; without a peer, what is the default
/// of one.
pub(super) fn terms(peer: Option<&Peer>) -> sip::Terms {
    let usual = sip::SessionTimers {
        policy: sip::TimerPolicy::IfSupported,
        ..sip::SessionTimers::default()
    };
    sip::Terms {
        timers: peer.map_or(usual, |peer| peer.session_timers),
        reliable: peer
            .map_or(sip::ReliableProvisional::IfRequired, |peer| peer.reliable_provisional),
    }
}

/// A Reason header (RFC 3326) for a cause.
pub(super) fn reason(cause: Cause) -> sip::Headers {
    let mut headers = sip::Headers::default();
    if cause == Cause::ANSWERED_ELSEWHERE {
        // What phones look for before they show a missed call (RFC 3326 §3.1).
        headers.push(HeaderName::Reason, "SIP;cause=200;text=\"Call completed elsewhere\"");
    }
    let value = format!("Q.850;cause={};text=\"{}\"", cause.number(), cause.text());
    headers.push(HeaderName::Reason, value);
    headers
}

fn refusal_headers(error: &SessionError) -> sip::Headers {
    let mut headers = sip::Headers::default();
    if *error == SessionError::NotSdp {
        headers.push(HeaderName::Accept, "application/sdp");
    }
    headers
}
