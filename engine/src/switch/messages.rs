//! Text messages outside any call (RFC 3428): each runs the dialplan on a channel of its own, which has
//! neither media nor signalling, and MessageSend sends one on.

use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::{
    channel::{Datum, Passed, TextMessage},
    operation::{MessageSent, SendMessage},
};

use super::{
    Direction, Parties, Switch,
    call::{Beginning, Call, Control, Purpose},
    plan::plan_channel,
    session::Session,
};
use crate::{
    clock::Now,
    config::Peer,
    pbx::Pbx,
    printable::Printable,
    sip::{self, HeaderName, Method, NameAddr, OutgoingRequest, Request, StatusCode, Uri},
};

impl Switch {
    /// Takes a MESSAGE of a peer that was let in: its dialplan begins, and what comes of it is not the
    /// sender's to know.
    pub(super) fn take_message(
        &mut self,
        peer: &Peer,
        request: &Request,
        flow: sip::Flow,
        now: Now,
    ) -> (StatusCode, sip::Headers) {
        let is_text =
            request.content_type().is_none_or(|it| it.kind().eq_ignore_ascii_case("text"));
        if !is_text {
            let mut headers = sip::Headers::default();
            headers.push(HeaderName::Accept, "text/plain");
            return (StatusCode::UNSUPPORTED_MEDIA_TYPE, headers);
        }
        let hops = request.max_forwards().unwrap_or(sip::MAX_FORWARDS).min(sip::MAX_FORWARDS);
        let Some(max_forwards) = hops.checked_sub(1) else {
            return (StatusCode::TOO_MANY_HOPS, sip::Headers::default());
        };
        if self.is_draining() || self.calls.len() >= self.config.limits.calls {
            return (StatusCode::SERVICE_UNAVAILABLE, self.retry_after());
        }
        let context = peer.message_context.as_ref().unwrap_or(&peer.context).clone();
        let parties = parties(peer, request);
        if !self.has_extension(context.as_bstr(), &parties, now) {
            tracing::info!(
                peer = %peer.name, %context, exten = %Printable(&parties.dialled),
                "message refused: no such extension"
            );
            return (StatusCode::NOT_FOUND, sip::Headers::default());
        }
        let id = self.next_channel();
        let name = BString::from(format!("Message/ast_msg_queue-{:08x}", id.number()));
        let language = peer.language.as_ref().unwrap_or(&self.config.default_language).clone();
        let mut channel = plan_channel(name.clone(), &parties, &language, id, now);
        channel.message = Some(Box::new(text_message(request)));
        tracing::info!(
            call_id = %parties.call_id, channel = %name, %context, peer = %peer.name,
            exten = %Printable(&parties.dialled), "message"
        );
        let pbx = Pbx::new(channel, context.as_bstr(), parties.dialled.as_bstr(), self.started);
        let call = Box::new(Call {
            control: Control::Dialplan(Box::new(pbx)),
            purpose: Purpose::Message,
            received: Some(sip::KeptHeaders::new(request.headers())),
            max_forwards,
            ..Call::new(
                Beginning {
                    id,
                    name,
                    language,
                    parties,
                    direction: Direction::Incoming,
                    flow,
                    session: Session::new(None, self.entropy.next_u64()),
                    unanswered_until: now.instant + self.config.limits.unanswered,
                },
                now,
            )
        });
        self.put_back(call, now);
        self.make_ready(id);
        (StatusCode::ACCEPTED, sip::Headers::default())
    }

    /// Sends a message, at most as far as the one that it answers or passes on may go.
    pub(super) fn send_message(
        &mut self,
        call: &Call,
        send: &SendMessage,
        now: Now,
    ) -> MessageSent {
        let Some((technology, rest)) = send.destination.split_once_str(":") else {
            return MessageSent::InvalidProtocol;
        };
        if !technology.eq_ignore_ascii_case(b"pjsip") && !technology.eq_ignore_ascii_case(b"sip") {
            return MessageSent::InvalidProtocol;
        }
        let Some(max_forwards) = call.max_forwards.checked_sub(1) else {
            return MessageSent::Failure;
        };
        let Some(Receiver { target, flow, routes, peer }) = self.receiver(rest.as_bstr(), now)
        else {
            tracing::info!(
                call_id = %call.parties.call_id, to = %Printable(&send.destination),
                "message: nobody to send it to"
            );
            return MessageSent::InvalidUri;
        };
        let own = || NameAddr::new(Uri::sip_at(FROM, flow.local));
        let from = match send.from.is_empty() {
            true => own(),
            false => match address(&send.from) {
                Some(from) => from,
                None => return MessageSent::InvalidUri,
            },
        };
        let from = shown_to(peer.as_deref(), from);
        let mut message = OutgoingRequest::new(Method::Message, target, flow, from);
        message.routes = routes;
        if let Some(to) = &send.to {
            match address(to) {
                Some(to) => message.to = to,
                None => return MessageSent::InvalidUri,
            }
        }
        message.max_forwards = max_forwards;
        for header in &send.headers {
            let known = HeaderName::parse(&header.name);
            let name = header.name.to_str_lossy();
            if !sip::is_reserved(known) && !NOT_OURS.contains(&known) {
                // A name that is no token was refused when it was set.
                let _ = message.headers.push_named(&name, &*header.value);
            }
        }
        let bytes = send.body.to_vec().into();
        message.body = Some(sip::Body { content_type: "text/plain".into(), bytes });
        match self.endpoint.send_request(message, now.instant) {
            Ok(_) => MessageSent::Success,
            Err(error) => {
                tracing::warn!(call_id = %call.parties.call_id, %error, "message not sent");
                MessageSent::Failure
            }
        }
    }

    /// Whom `200`, `200/sip:200@192.0.2.9`, `200@host` or `sip:200@192.0.2.9` names: the request's
    /// target, the way to it, and the peer if it is one.
    fn receiver(&self, text: &BStr, now: Now) -> Option<Receiver> {
        let sip = Arc::clone(&self.config.sip);
        let is_uri = |text: &[u8]| {
            let scheme = text.split(|&b| b == b':').next().unwrap_or_default();
            scheme.eq_ignore_ascii_case(b"sip") || scheme.eq_ignore_ascii_case(b"sips")
        };
        let (name, uri) = match text.split_once_str("/") {
            Some((name, uri)) => (Some(name), Some(uri)),
            None if is_uri(text) => (None, Some(text.as_bytes())),
            None => (Some(text.split(|&b| b == b'@').next().unwrap_or_default()), None),
        };
        let peer = name.map(|name| sip.peers.get(name.as_bstr()).ok_or(())).transpose().ok()?;
        if let Some(uri) = uri {
            let uri = Uri::parse(uri.to_str().ok()?).ok()?;
            let transport = peer.and_then(|peer| peer.transport.as_ref());
            let flow = self.flow_to(&uri, transport.map(|name| name.as_bstr())).ok()?;
            let peer = peer.cloned().map(Arc::new);
            return Some(Receiver { target: uri, flow, routes: vec![], peer });
        }
        let peer = peer?;
        let contacts = peer.aors.iter().filter_map(|name| sip.aors.get(name.as_bstr()));
        let mut contacts = contacts.flat_map(|aor| {
            self.contacts_of(aor.name.as_bstr(), now).into_iter().filter_map(move |contact| {
                let target = Uri::parse(&contact).ok()?;
                Some((self.way_to_contact(aor, Some(peer), &target, now)?, target))
            })
        });
        let ((flow, routes), target) = contacts.next()?;
        Some(Receiver { target, flow, routes, peer: Some(Arc::new(peer.clone())) })
    }
}

/// Who gets a message.
struct Receiver {
    target: Uri,
    flow: sip::Flow,
    routes: Vec<NameAddr>,
    peer: Option<Arc<Peer>>,
}

/// The sender, as this peer is told it (`from_user`, `from_domain`).
fn shown_to(peer: Option<&Peer>, from: NameAddr) -> NameAddr {
    let Some(peer) = peer.filter(|it| it.from_user.is_some() || it.from_domain.is_some()) else {
        return from;
    };
    let user = peer.from_user.as_ref().map(|user| user.to_str_lossy().into_owned());
    let user = user.or_else(|| from.uri().user().map(str::to_owned)).unwrap_or_default();
    let domain = peer.from_domain.as_ref().map(|domain| domain.to_str_lossy().into_owned());
    let host = domain.or_else(|| from.uri().host().map(|host| host.to_string()));
    let uri = format!("sip:{user}@{}", host.unwrap_or_default());
    Uri::parse(&uri).map_or(from, NameAddr::new)
}

/// An address as MESSAGE() and MessageSend write it: `"Anna" <sip:100@h>`, `sip:100@h`,
/// `pjsip:100@h`.
fn address(text: &[u8]) -> Option<NameAddr> {
    let text = text.trim_ascii();
    let text = match text.get(..6) {
        Some(scheme) if scheme.eq_ignore_ascii_case(b"pjsip:") => {
            let rest = &text[6..];
            match rest.starts_with(b"sip:") || rest.starts_with(b"sips:") {
                true => rest.to_vec(),
                false => [b"sip:", rest].concat(),
            }
        }
        _ => text.to_vec(),
    };
    let parsed = sip::NameAddrRef::parse(&text)?;
    (parsed.uri().scheme() != sip::Scheme::Other).then(|| parsed.to_owned().without_tag())
}

fn parties(peer: &Peer, request: &Request) -> Parties {
    let from = request.from_header();
    let number = from.as_ref().and_then(|from| from.uri().user_decoded());
    let name = from.as_ref().and_then(|from| from.display_name());
    let text = |text: Option<std::borrow::Cow<'_, [u8]>>| {
        BString::from(text.unwrap_or_default().into_owned())
    };
    let (mut number, mut name) = (text(number), text(name));
    if let Some(shown) = &peer.caller_id {
        (number, name) = (shown.number.clone(), shown.name.clone());
    }
    let dialled = request.uri().user_decoded().unwrap_or_default().into_owned();
    Parties {
        caller_number: number,
        caller_name: name,
        dialled: if dialled.is_empty() { "s".into() } else { dialled.into() },
        // It is in no call: its lamps stay dark.
        peer: None,
        call_id: request.call_id().unwrap_or_default().into(),
    }
}

fn text_message(request: &Request) -> TextMessage {
    let to = request.uri().as_str();
    let to = to.split_once(':').map_or(to, |(_, rest)| rest);
    let from = request.from_header().map(|from| from.to_owned().without_tag().to_string());
    let known = request
        .headers()
        .fields()
        .filter(|field| !sip::is_reserved(field.name) && !NOT_OURS.contains(&field.name));
    let datum = |field: sip::FieldRef<'_>| Datum {
        name: field.name_text.into(),
        value: field.value.into(),
        passed: Passed::Not,
    };
    TextMessage {
        to: format!("pjsip:{to}").into(),
        from: from.unwrap_or_default().into(),
        body: request.body().to_vec().into(),
        data: known.take(MOST_HEADERS).map(datum).collect(),
    }
}

/// Headers that say something of one hop or prove who somebody is.
const NOT_OURS: &[HeaderName] = &[
    HeaderName::Authorization,
    HeaderName::ProxyAuthorization,
    HeaderName::Contact,
    HeaderName::ContentEncoding,
    HeaderName::Require,
    HeaderName::ProxyRequire,
    HeaderName::Supported,
    HeaderName::Allow,
    HeaderName::UserAgent,
    HeaderName::Server,
];

/// Headers of a message that the dialplan is told.
const MOST_HEADERS: usize = 32;

/// Who sends what names no sender.
const FROM: &[u8] = b"diesis";
