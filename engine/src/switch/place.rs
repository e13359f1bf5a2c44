//! Calls that go out, for the embedder or for a Dial.

use std::{sync::Arc, time::Duration};

use super::{
    Direction, EndedBy, OutboundCredentials, Parties, PlaceCall, Switch, SwitchEvent,
    admission::response_port,
    call::{Call, Control, Invitation, Phase},
    invite::{SignalError, channel_name, path_policy},
    session::Session,
};
use crate::{
    channel::{Cause, Channel, ChannelId},
    clock::Now,
    config::Peer,
    sip::{
        self, HeaderName, Method, NameAddr, Request, Response, Uri,
        auth::{ChallengeError, Credentials, Responder, Secret},
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
    pub(super) credentials: Option<OutboundCredentials>,
    pub(super) ring_timeout: Duration,
    pub(super) control: Control,
    pub(super) peer: Option<Arc<Peer>>,
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
            credentials: call.credentials,
            ring_timeout: call.ring_timeout,
            control: Control::Embedder { running: None },
            peer: None,
        };
        self.launch(launch, now)
    }

    /// Sends the INVITE of a new call.
    pub(super) fn launch(&mut self, launch: Launch, now: Now) -> Result<ChannelId, PlaceError> {
        if self.calls.len() >= self.config.limits.calls {
            return Err(PlaceError::Full);
        }
        let Launch { target, from, flow, credentials, ring_timeout, control, peer } = launch;
        let id = self.next_channel();
        let dialled = target.user().unwrap_or_default();
        let peer_name = peer.as_ref().map(|peer| peer.name.clone());
        let parties = Parties {
            caller_number: from.uri().user().unwrap_or_default().into(),
            caller_name: from.display_name().unwrap_or_default().into(),
            dialled: dialled.into(),
            peer: peer_name.clone(),
            call_id: sip::CallId::random(&mut self.entropy).as_str().into(),
        };
        let name = peer_name.as_ref().map_or_else(|| dialled.into(), AsRef::as_ref);
        let language = peer.as_ref().and_then(|peer| peer.language.clone());
        let language = language.unwrap_or_else(|| self.config.default_language.clone());
        let mut outgoing = Call {
            id,
            channel: Channel::new(id, language),
            name: channel_name(name, id),
            parties,
            direction: Direction::Outgoing,
            phase: Phase::Proceeding,
            control,
            visit: None,
            dialling: None,
            handle: None,
            flow,
            session: Session::new(peer.as_deref(), self.entropy.next_u64()),
            port: None,
            opened: None,
            media_address: None,
            started: now,
            answered: None,
            after_ack: None,
            invitation: credentials.map(|credentials| {
                let request = Request::new(Method::Invite, &target);
                Box::new(Invitation { request, credentials, responder: Responder::new() })
            }),
            info: None,
            unanswered_until: now.instant + ring_timeout,
            armed: None,
            queued: false,
        };
        match self.invite(&mut outgoing, target, from, now) {
            Ok(handle) => {
                outgoing.handle = Some(handle);
                if let Some(peer) = &peer {
                    let (path, port) = (path_policy(peer), response_port(peer));
                    // The call was made just now: it is there.
                    let _ = self.endpoint.set_path_policy(handle, path, now.instant);
                    let _ = self.endpoint.set_call_response_port(handle, port, now.instant);
                }
                self.handles.insert(handle, id);
                tracing::info!(
                    call_id = %outgoing.parties.call_id, channel = %outgoing.name, "placing a call"
                );
                self.tell(SwitchEvent::CallStarted {
                    call: id,
                    channel: outgoing.name.clone(),
                    parties: outgoing.parties.clone(),
                    direction: Direction::Outgoing,
                });
                self.put_back(Box::new(outgoing), now);
                Ok(id)
            }
            Err(error) => {
                self.give_port_back(&mut outgoing);
                Err(error.into())
            }
        }
    }

    pub(super) fn invite(
        &mut self,
        call: &mut Call,
        target: Uri,
        from: NameAddr,
        now: Now,
    ) -> Result<sip::CallHandle, SignalError> {
        let local = self.lease_port(call)?;
        let offer = call.session.offer(local)?;
        let invite = sip::OutgoingCall {
            to: NameAddr::new(target.clone()),
            target,
            flow: call.flow,
            from,
            routes: Vec::new(),
            call_id: sip::CallId::parse(&call.parties.call_id.to_string()),
            max_forwards: sip::MAX_FORWARDS,
            body: Some(sip::Body::sdp(offer)),
            headers: sip::Headers::default(),
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
        let realm = match &credentials.realm {
            Some(realm) => realm.clone(),
            None => realm_of(response)?,
        };
        let credentials = Credentials {
            username: credentials.username.as_bytes(),
            realm: &realm,
            secret: Secret::Password(credentials.password.as_bytes()),
        };
        let answered: Result<(), ChallengeError> =
            responder.answer(response, request, &[credentials], &mut self.entropy);
        answered.ok()?;
        Some(request.headers().clone())
    }
}

/// The realm of the first challenge in a response.
fn realm_of(response: &Response) -> Option<String> {
    let names = [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate];
    let challenge = names.into_iter().find_map(|name| response.text(name))?;
    let (_, value) = challenge.split_once("realm=")?;
    let mut realm = String::new();
    let mut characters = value.strip_prefix('"')?.chars();
    loop {
        match characters.next()? {
            '"' => return Some(realm),
            '\\' => realm.push(characters.next()?),
            character => realm.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::StatusCode;

    #[test]
    fn the_realm_of_a_challenge_is_found() {
        let challenged = |value: &str| {
            realm_of(
                &Response::new(StatusCode::UNAUTHORIZED).with(HeaderName::WwwAuthenticate, value),
            )
        };
        assert_eq!(challenged(r#"Digest realm="far",nonce="n""#).as_deref(), Some("far"));
        assert_eq!(challenged(r#"Digest nonce="n", realm="a \"b\"""#).as_deref(), Some(r#"a "b""#));
        assert_eq!(challenged("Digest nonce=\"n\""), None);
        assert_eq!(challenged("Digest realm=\"far"), None);
    }
}
