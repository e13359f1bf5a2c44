//! Calls that go out, for the embedder or for a Dial.

use std::{sync::Arc, time::Duration};

use bstr::BString;

use super::{
    Direction, EndedBy, Parties, PlaceCall, Switch, SwitchEvent,
    admission::response_port,
    call::{Beginning, Call, Control, Departure, Invitation},
    invite::{SignalError, channel_name, path_policy, terms},
    session::Session,
};
use crate::{
    channel::{Cause, ChannelId},
    clock::Now,
    config::Peer,
    sip::{
        self, Method, NameAddr, Request, Response, Uri,
        auth::{OwnCredentials, Responder, borrowed},
    },
};

/// Why a call can not be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PlaceError {
    /// As many calls as there may be.
    #[error("too many calls")]
    Full,
    /// The target is no URI.
    #[error("the target {0:?} is not a SIP URI")]
    Target(String),
    /// The From is no address.
    #[error("the From {0:?} is not a SIP address")]
    From(String),
    /// The target names a host, and no flow says where that is.
    #[error("the target has no IP address and no flow was given")]
    NoAddress,
    /// No transport of the right kind.
    #[error("it is not known from which address to call; give a flow")]
    NoTransport,
    /// The media or the stack refused.
    #[error("{0}")]
    Signal(#[from] SignalError),
}

/// Everything an outgoing call starts with.
pub(super) struct Launch {
    pub(super) target: Uri,
    pub(super) from: NameAddr,
    pub(super) flow: sip::Flow,
    pub(super) credentials: Vec<OwnCredentials>,
    pub(super) ring_timeout: Duration,
    pub(super) control: Control,
    pub(super) peer: Option<Arc<Peer>>,
    /// Headers beside those that every INVITE has.
    pub(super) headers: sip::Headers,
    pub(super) max_forwards: u8,
}

impl Switch {
    /// Places a call for the embedder.
    pub(super) fn place_call(
        &mut self,
        call: PlaceCall,
        now: Now,
    ) -> Result<ChannelId, PlaceError> {
        let target =
            Uri::parse(&call.target).map_err(|_| PlaceError::Target(call.target.clone()))?;
        let from = NameAddr::parse(call.from.as_bytes())
            .ok_or_else(|| PlaceError::From(call.from.clone()))?;
        let flow = match call.flow {
            Some(flow) => flow,
            None => self.flow_to(&target, None)?,
        };
        let launch = Launch {
            target,
            from,
            flow,
            credentials: call.credentials.into_iter().map(Into::into).collect(),
            ring_timeout: call.ring_timeout,
            control: Control::Embedder { running: None },
            peer: None,
            headers: sip::Headers::default(),
            max_forwards: sip::MAX_FORWARDS,
        };
        let mut outgoing = self.prepare(launch, now)?;
        self.depart(&mut outgoing, now)?;
        let id = outgoing.id;
        self.put_back(outgoing, now);
        Ok(id)
    }

    /// A new call whose INVITE is not sent yet.
    pub(super) fn prepare(&mut self, launch: Launch, now: Now) -> Result<Box<Call>, PlaceError> {
        if self.calls.len() >= self.config.limits.calls {
            return Err(PlaceError::Full);
        }
        let Launch {
            target,
            from,
            flow,
            credentials,
            ring_timeout,
            control,
            peer,
            headers,
            max_forwards,
        } = launch;
        let id = self.next_channel();
        let dialled = BString::from(target.user().unwrap_or_default());
        let peer_name = peer.as_ref().map(|peer| peer.name.clone());
        let parties = Parties {
            caller_number: from.uri().user().unwrap_or_default().into(),
            caller_name: from.display_name().unwrap_or_default().into(),
            dialled: dialled.clone(),
            peer: peer_name.clone(),
            call_id: sip::CallId::random(&mut self.entropy).as_str().into(),
        };
        let name = peer_name.as_ref().map_or_else(|| dialled.as_ref(), AsRef::as_ref);
        let language = peer.as_ref().and_then(|peer| peer.language.clone());
        let language = language.unwrap_or_else(|| self.config.default_language.clone());
        let invitation = (!credentials.is_empty()).then(|| {
            let request = Request::new(Method::Invite, &target);
            Box::new(Invitation { request, credentials, responder: Responder::new() })
        });
        let departure =
            Departure { target, from, headers, routes: vec![], ring_timeout, locate: None };
        Ok(Box::new(Call {
            control,
            departure: Some(Box::new(departure)),
            max_forwards,
            invitation,
            ..Call::new(
                Beginning {
                    id,
                    name: channel_name(name, id),
                    language,
                    parties,
                    direction: Direction::Outgoing,
                    flow,
                    session: Session::new(peer.as_deref(), self.entropy.next_u64()),
                    unanswered_until: now.instant + ring_timeout,
                },
                now,
            )
        }))
    }

    /// Sends the INVITE of a prepared call. When that fails the call is as it was, and to be thrown
    /// away.
    pub(super) fn depart(&mut self, call: &mut Call, now: Now) -> Result<(), PlaceError> {
        let Some(departure) = call.departure.take() else { return Ok(()) };
        call.unanswered_until = now.instant + departure.ring_timeout;
        let handle = match self.invite(call, *departure, now) {
            Ok(handle) => handle,
            Err(error) => {
                self.give_port_back(call);
                return Err(error.into());
            }
        };
        call.handle = Some(handle);
        if let Some(invitation) = &call.invitation {
            let credentials = invitation.credentials.clone();
            // The call was made just now: it is there, here and below.
            let _ = self.endpoint.set_credentials(handle, credentials, now.instant);
        }
        if let Some(peer) = self.peer_of(call) {
            let (path, port) = (path_policy(&peer), response_port(&peer));
            let _ = self.endpoint.set_path_policy(handle, path, now.instant);
            let _ = self.endpoint.set_call_response_port(handle, port, now.instant);
        }
        self.handles.insert(handle, call.id);
        tracing::info!(call_id = %call.parties.call_id, channel = %call.name, "placing a call");
        self.tell(SwitchEvent::CallStarted {
            call: call.id,
            channel: call.name.clone(),
            parties: call.parties.clone(),
            direction: Direction::Outgoing,
        });
        Ok(())
    }

    /// The peer at the far end of a call.
    pub(super) fn peer_of(&self, call: &Call) -> Option<Arc<Peer>> {
        let name = call.parties.peer.as_ref()?;
        Some(self.gate.peer(self.config.sip.peers.position(name.as_ref())?))
    }

    pub(super) fn invite(
        &mut self,
        call: &mut Call,
        departure: Departure,
        now: Now,
    ) -> Result<sip::CallHandle, SignalError> {
        let local = self.lease_port(call)?;
        let offer = call.session.offer(local)?;
        let Departure { target, from, headers, routes, .. } = departure;
        let invite = sip::OutgoingCall {
            to: NameAddr::new(target.clone()),
            target,
            flow: call.flow,
            from,
            routes,
            call_id: sip::CallId::parse(&call.parties.call_id.to_string()),
            max_forwards: call.max_forwards,
            body: Some(sip::Body::sdp(offer)),
            headers,
            terms: terms(self.peer_of(call).as_deref()),
        };
        Ok(self.endpoint.call(invite, now.instant)?)
    }

    /// 401 or 407 to our INVITE: answered once, for the realm the embedder gave the password for.
    pub(super) fn take_challenge(&mut self, call: &mut Call, response: &Response, now: Now) {
        let answered = self.answer_challenge(call, response);
        let (Some(headers), Some(handle)) = (answered, call.handle) else {
            tracing::info!(call_id = %call.parties.call_id, "challenged, and no password for that");
            return self.end(call, Cause::CALL_REJECTED, EndedBy::FarEnd, now);
        };
        if self.endpoint.authenticate(handle, &headers, now.instant).is_err() {
            self.end(call, Cause::CALL_REJECTED, EndedBy::FarEnd, now);
        }
    }

    /// The headers that answer a challenge; `None` without a password for its realm, or when the
    /// password was refused before.
    fn answer_challenge(&mut self, call: &mut Call, response: &Response) -> Option<sip::Headers> {
        let Invitation { request, credentials, responder } = call.invitation.as_deref_mut()?;
        let known = borrowed(credentials);
        responder.answer(response, request, &known, &mut self.entropy).ok()?;
        Some(request.headers().clone())
    }
}
