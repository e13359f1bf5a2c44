//! SIP's targets below the stack: messages, addresses, streams, digest, registrations.

use std::time::{Duration, Instant};

use bstr::ByteSlice;
use bytes::Bytes;
use diesis_engine::entropy::Entropy;
use diesis_engine::sip::auth::{
    AuthSettings, Authenticator, Credentials, Responder, Secret, Verdict,
};
use diesis_engine::sip::registrar::{AorSettings, Registrar, RegistrarSettings};
use diesis_engine::sip::{
    CSeq, Contacts, Flow, Frame, Framing, HeaderName, Limits, MediaType, Message, Method, NameAddr,
    NameAddrRef, Params, Request, Response, Scheme, StatusCode, StreamTimeouts, Uri, UriRef, Via,
};

use super::{SLOW, Shape, Target, files, owned, parts};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "message",
        about: "Message::parse, all typed headers, writing, Response::to, refusals",
        run: message,
        seeds: messages,
        tokens: SIP_TOKENS,
        longest: 8192,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "uri",
        about: "UriRef::parse, its parts, equivalence; NameAddr, Via, Params, CSeq, MediaType",
        run: uri,
        seeds: uris,
        tokens: URI_TOKENS,
        longest: 1024,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "framing",
        about: "Framing: a byte stream in pieces gives what it gives as a whole",
        run: framing,
        seeds: messages,
        tokens: SIP_TOKENS,
        longest: 8192,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "digest",
        about: "Authenticator::verify of any Authorization, Responder::answer of any challenge",
        run: digest,
        seeds: credentials,
        tokens: DIGEST_TOKENS,
        longest: 2048,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "registrar",
        about: "Registrar::handle_register: REGISTERs one after another, with time in between",
        run: registrar,
        seeds: registrations,
        tokens: REGISTER_TOKENS,
        longest: 2048,
        memory: 16 << 20,
        slow: SLOW,
    },
];

fn message(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let bytes = Bytes::copy_from_slice(input);
    match Message::parse(bytes, &Limits::default()) {
        Ok(message) => {
            look_at(&message, &mut shape);
            // Written, names are long and Content-Length is there, which may be the one too many.
            let Limits { headers, .. } = Limits::default();
            let limits = Limits { message: usize::MAX, headers: headers + 1, ..Limits::default() };
            let again = Message::parse(message.to_bytes(), &limits);
            assert_eq!(again.as_ref(), Ok(&message), "what is written reads otherwise");
            if let Message::Request(request) = message {
                of_request(request, &mut shape);
            }
        }
        Err(error) => {
            shape.kind(&error.kind());
            shape.add(error.status().map(|status| status.code()));
            assert!(!error.to_string().is_empty());
            if let Some(response) = error.response() {
                let text = response.to_bytes();
                assert!(!text.contains(&0) || input.contains(&0));
                // What is copied from the request (RFC 3261 §8.2.6.2) may be what was wrong with it.
                assert!(text.starts_with(b"SIP/2.0 ") && text.ends_with(b"\r\n\r\n"));
                assert_eq!(text.find(b"\r\n\r\n"), Some(text.len() - 4), "{}", text.escape_ascii());
            }
        }
    }
    shape
}

fn look_at(message: &Message, shape: &mut Shape) {
    shape.count(message.fields().count());
    for field in message.fields().take(40) {
        assert!(!field.value.contains(&b'\n') || field.value.contains_str("\n"));
        shape.add(field.name as u8);
    }
    shape.add((message.via().is_some(), message.from_tag().is_some(), message.to_tag().is_some()));
    shape.add((message.cseq().is_some(), message.max_forwards(), message.expires().is_some()));
    shape.count(message.routes().count() + message.record_routes().count());
    match message.contacts() {
        Contacts::Star => shape.add("*"),
        Contacts::List(list) => shape.count(list.len()),
    }
    shape.add(message.content_type().map(|kind| kind.is_sdp()));
    for via in message.vias().take(20) {
        let _ = (via.host(), via.port_or_default(), via.branch(), via.received(), via.rport());
        let _ = (via.response_address(), via.maddr());
    }
    let _ = (message.user_agent(), message.supports("100rel"), message.requires("x"));
    let _ = format!("{message:?}");
}

fn of_request(mut request: Request, shape: &mut Shape) {
    request.stamp_source("192.0.2.77:4321".parse().expect("an address"));
    let via = request.via().expect("a stamped via reads back");
    assert!(!via.has_rport() || via.rport() == Some(4321));
    let response = Response::to(&request, StatusCode::OK);
    let read = Message::parse(response.to_bytes(), &Limits::default());
    assert_eq!(read, Ok(Message::Response(response)));
    let mut vias = 0;
    while request.via().is_some() {
        request.pop_via();
        vias += 1;
        assert!(vias <= 10_000, "a Via that does not go away");
    }
    shape.count(vias);
}

fn uri(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let mut parts = parts(input);
    let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let read = |bytes| std::str::from_utf8(bytes).ok().map(UriRef::parse);
    match read(first) {
        Some(Ok(uri)) => {
            shape.add((uri.port(), uri.user().is_some(), uri.password().is_some()));
            shape.add((uri.transport(), uri.is_loose_router(), uri.maddr().is_some()));
            let _ = (uri.host(), uri.socket_addr(), uri.user_decoded());
            shape.count(uri.parameters().count());
            shape.count(uri.headers().count());
            assert!(uri.is_equivalent(uri), "{uri:?} is not equivalent to itself");
            assert_eq!(Uri::parse(uri.as_str()).expect("it was read").as_str(), uri.as_str());
            let is_sip = uri.scheme() == Scheme::Sip || uri.scheme() == Scheme::Sips;
            if let Ok(with) = uri.to_owned().with_parameter("x-y", Some("1"))
                && is_sip
            {
                assert_eq!(with.parameter("x-y"), Some("1"));
                Uri::parse(with.as_str()).expect("what is built can be read");
            }
            if let Some(Ok(other)) = read(second) {
                let forth = uri.is_equivalent(other);
                assert_eq!(forth, other.is_equivalent(uri), "{uri:?} {other:?}");
                shape.add(forth);
            }
        }
        Some(Err(error)) => shape.kind(&error),
        None => {}
    }
    if let Some(address) = NameAddrRef::parse(first) {
        shape.count(address.params().iter().count());
        let _ = (address.display_name(), address.expires(), address.q(), address.tag());
        let text = address.to_owned().to_string();
        let again = NameAddr::parse(text.as_bytes()).expect("what is written can be read");
        assert_eq!(again.to_string(), text);
        shape.add((address.tag().is_some(), address.display_name().is_some()));
    }
    if let Some(via) = Via::parse(first) {
        shape.add((via.has_rport(), via.port(), via.received().is_some()));
        assert!(via.has_same_sent_by(&via));
    }
    if let Some(params) = Params::parse(first) {
        for param in params.iter() {
            let _ = params.get_unescaped(param.name);
            assert!(params.has(param.name));
        }
    }
    if let Some(cseq) = CSeq::parse(first) {
        shape.kind(&cseq.method);
        assert_eq!(CSeq::parse(cseq.to_string().as_bytes()), Some(cseq));
    }
    if let Some(media) = MediaType::parse(first) {
        shape.add((media.is_sdp(), media.is(media.kind(), media.subtype())));
    }
    let _ = Method::parse(first);
    shape
}

fn framing(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let now = clock();
    let frames = |piece: usize| {
        let mut framing = Framing::new(Limits::default(), StreamTimeouts::default(), now);
        let mut frames = Vec::new();
        for bytes in input.chunks(piece) {
            framing.handle_bytes(bytes, now);
            frames.extend(std::iter::from_fn(|| framing.poll_frame()));
        }
        frames
    };
    let whole = frames(input.len().max(1));
    assert!(whole.len() <= input.len() + 1);
    let size = 1 + usize::from(input.last().copied().unwrap_or(0)) % 97;
    assert_eq!(frames(size), whole, "in pieces of {size}");
    for frame in whole.iter().take(20) {
        shape.kind(frame);
        if let Frame::Message(bytes) = frame {
            let parsed = Message::parse(bytes.clone(), &Limits::default());
            shape.add(parsed.is_ok());
        }
    }
    shape.count(whole.len());
    shape
}

/// The first part is an Authorization, in which `@N` is a nonce of ours and `@R` the right answer to
/// it; the second a WWW-Authenticate that we answer.
fn digest(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let now = clock();
    let source = "192.0.2.77".parse().expect("an address");
    let mut authenticator = Authenticator::new(AuthSettings::default(), [1; 32], now);
    let uri = Uri::parse("sip:pbx").expect("a URI");
    let mut request = Request::new(Method::Register, &uri);
    request.push_via(
        "UDP",
        "192.0.2.77",
        &diesis_engine::sip::Branch::parse("z9hG4bKx").expect("a branch"),
    );
    let request = request
        .with(HeaderName::From, "<sip:100@pbx>;tag=1")
        .with(HeaderName::To, "<sip:100@pbx>")
        .with(HeaderName::CallId, "x")
        .with(HeaderName::CSeq, CSeq::new(1, Method::Register));
    let mut challenge = Response::to(&request, StatusCode::UNAUTHORIZED);
    authenticator.challenge(&mut challenge, &request, "pbx", source, &Verdict::Missing, now);
    let mut right = request.clone();
    let credentials =
        [Credentials { username: b"100", realm: Some("pbx"), secret: Secret::Password(b"x") }];
    let mut entropy = Entropy::new(1);
    Responder::new()
        .answer(&challenge, &mut right, &credentials, &mut entropy)
        .expect("our own challenge can be answered");
    let answer = right.value(HeaderName::Authorization).expect("it was answered").to_vec();
    let nonce = challenge.value(HeaderName::WwwAuthenticate).expect("it was made");
    let nonce = nonce.split_str("nonce=\"").nth(1).and_then(|rest| rest.split_str("\"").next());
    let mut inputs = parts(input);
    let credentials_text = inputs.next().unwrap_or_default();
    let credentials_text =
        credentials_text.replace("@N", nonce.expect("a nonce")).replace("@R", &answer);
    let mut tried = request.clone();
    tried.push(HeaderName::Authorization, &credentials_text[..]);
    let mut asked = 0;
    let verdict = authenticator.verify(&tried, "pbx", source, now, |name| {
        asked += 1;
        (name == b"100").then_some(Secret::Password(b"x"))
    });
    shape.kind(&verdict);
    shape.count(asked);
    assert!(asked <= 1);
    if let Verdict::Accepted { username } = &verdict {
        assert_eq!(username, b"100");
        let again =
            authenticator.verify(&tried, "pbx", source, now, |_| Some(Secret::Password(b"x")));
        assert!(!matches!(again, Verdict::Accepted { .. }), "the same nonce count twice");
        let other =
            authenticator.verify(&right, "pbx", source, now, |_| Some(Secret::Password(b"y")));
        assert!(!matches!(other, Verdict::Accepted { .. }), "a wrong password");
    }
    let mut theirs = Response::to(&request, StatusCode::UNAUTHORIZED);
    for value in inputs.take(20) {
        theirs.push(HeaderName::WwwAuthenticate, value);
    }
    let mut answered = request;
    let mut responder = Responder::new();
    match responder.answer(&theirs, &mut answered, &credentials, &mut entropy) {
        Ok(()) => {
            shape.add("answered");
            let value = answered.value(HeaderName::Authorization).expect("it says so");
            assert!(!value.contains(&b'\n') && !value.contains(&b'\r'), "{}", value.escape_ascii());
            let read = Message::parse(answered.to_bytes(), &Limits::default());
            assert_eq!(read, Ok(Message::Request(answered.clone())));
            responder.authorize(&mut answered, &credentials, &mut entropy);
        }
        Err(error) => shape.kind(&error),
    }
    shape
}

/// Each part is the headers of a REGISTER: its first byte says how many seconds passed before.
fn registrar(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let mut now = clock();
    let mut registrar =
        Registrar::new(RegistrarSettings { max_aors: 3, ..RegistrarSettings::default() });
    let settings = AorSettings { max_contacts: 3, ..AorSettings::default() };
    for (number, part) in parts(input).take(20).enumerate() {
        let Some((&wait, headers)) = part.split_first() else { continue };
        now += Duration::from_secs(u64::from(wait) * 30);
        let text = [
            &b"REGISTER sip:pbx SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@pbx>;tag=1\r\nTo: <sip:a@pbx>\r\n"[..],
            headers,
            b"\r\n\r\n",
        ]
        .concat();
        let parsed = Message::parse(text.into(), &Limits::default());
        let request = match parsed {
            Ok(Message::Request(request)) => request,
            other => {
                shape.add(other.is_ok());
                continue;
            }
        };
        let source = ([192, 0, 2, wait], 5060).into();
        let flow = Flow::udp(([192, 0, 2, 1], 5060).into(), source);
        let aor = ["100", "200", "300", "400"][number % 4];
        let response = registrar.handle_register(aor.into(), &settings, &request, flow, now);
        shape.add(response.status().code());
        let read = Message::parse(response.to_bytes(), &Limits::default());
        assert_eq!(read, Ok(Message::Response(response)));
        let bound = registrar.bindings(aor.into(), now).len();
        assert!(bound <= 3, "{bound} bindings");
        shape.count(bound);
        while let Some(event) = registrar.poll_event() {
            shape.kind(&event.change);
        }
        assert!(registrar.iter().count() <= 3);
    }
    for _ in 0..100 {
        let Some(due) = registrar.poll_timeout() else { break };
        assert!(due >= now || registrar.iter().count() > 0);
        now = now.max(due);
        registrar.handle_timeout(now);
        assert!(
            registrar.poll_timeout().is_none_or(|next| next > now),
            "a deadline that stays due"
        );
    }
    assert_eq!(registrar.iter().map(|(_, bindings)| bindings.len()).sum::<usize>(), 0);
    shape
}

/// Instants cannot be made from numbers; only differences matter.
pub(super) fn clock() -> Instant {
    Instant::now()
}

/// The messages of RFC 4475 and RFC 5118 and our own, without the longest.
pub(super) fn messages() -> Vec<Vec<u8>> {
    files("engine/tests/data/torture")
}

fn uris() -> Vec<Vec<u8>> {
    owned(&[
        b"sip:alice:secret@example.com:5060;transport=tcp;lr?subject=a&to=b\x1eSIP:alice:secret@EXAMPLE.com;lr",
        b"sips:[2001:db8::1]:5061;maddr=1.2.3.4;ttl=5;user=phone",
        b"tel:+1-201-555-0123;phone-context=example.com",
        b"\"A \\\"B\\\" C\" <sip:a%40b@h>;tag=1;q=0.5;expires=60;+sip.instance=\"<urn:x>\"",
        b"sip:a@h;tag=x",
        b"SIP/2.0/UDP [::1]:5060;branch=z9hG4bKx;rport=1;received=192.0.2.1;maddr=h;ttl=1",
        b"SIP / 2.0 / TCP h : 1 ;rport",
        b"4711 INVITE", b"application/sdp;charset=\"utf-8\"", b"*",
    ])
}

fn credentials() -> Vec<Vec<u8>> {
    owned(&[
        b"@R\x1eDigest realm=\"pbx\",nonce=\"a\",algorithm=SHA-256,qop=\"auth,auth-int\",opaque=\"o\"\x1eDigest realm=\"pbx\",nonce=\"b\",stale=true",
        b"Digest username=\"100\", realm=\"pbx\", nonce=\"@N\", uri=\"sip:pbx\", response=\"00000000000000000000000000000000\", qop=auth, nc=00000001, cnonce=\"x\", algorithm=MD5\x1eDigest realm=\"other\",nonce=\"\"",
        b"Digest username*=UTF-8''100,userhash=false,realm=\"p\\bx\"\x1eBasic realm=\"pbx\"",
    ])
}

fn registrations() -> Vec<Vec<u8>> {
    owned(&[
        b"\x01Call-ID: a\r\nCSeq: 1 REGISTER\r\nContact: <sip:a@h>;expires=60;q=0.5, <sip:b@h>\r\nExpires: 3600\x1e\x02Call-ID: a\r\nCSeq: 2 REGISTER\r\nContact: *\r\nExpires: 0",
        b"\x01Call-ID: a\r\nCSeq: 5 REGISTER\r\nContact: <sip:a@h;transport=tcp>;+sip.instance=\"<urn:uuid:x>\";reg-id=1\x1e\x00Call-ID: a\r\nCSeq: 4 REGISTER\r\nContact: <sip:a@h>;expires=0\x1e\xffCall-ID: b\r\nCSeq: 4 REGISTER\r\nContact: sip:a@h;x=1",
        b"\x01Call-ID: a\r\nCSeq: 1 REGISTER\x1e\x01Call-ID: a\r\nCSeq: 2 REGISTER\r\nContact: <sip:a@1.2.3.4:99999>\r\nPath: <sip:p;lr>\r\nSupported: path, gruu",
    ])
}

pub(super) const SIP_TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r\n ",
    b"\r\n\r\n",
    b"\r\n\r\n\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"<",
    b">",
    b"\"",
    b"\\",
    b"=",
    b"@",
    b"%00",
    b"%",
    b"[::1]",
    b"*",
    b"SIP/2.0",
    b"SIP/2.0 200 OK\r\n",
    b"INVITE sip:a@h SIP/2.0\r\n",
    b"Via: SIP/2.0/UDP h;branch=z9hG4bKx;rport\r\n",
    b"v: SIP/2.0/TCP h\r\n",
    b"-1",
    b"4294967296",
    b"99999999999999999999",
    b";tag=x",
    b"?a=b",
    b"Content-Length: 5\r\n",
    b"l: 0\r\n",
    b"Max-Forwards: 70\r\n",
    b"Contact: <sip:a@h>;q=0.5;expires=60, <sip:b@h>\r\n",
    b"m: *\r\n",
    b"Route: <sip:p;lr>,<sip:q>\r\n",
    b"Record-Route: <sip:p;lr>\r\n",
    b"Require: 100rel\r\n",
    b"k: path\r\n",
    b"CSeq: 1 INVITE\r\n",
    b"From: \"x\" <sip:a@h>;tag=1\r\n",
    b"To: sip:b@h\r\n",
    b"i: x\r\n",
    b"c: application/sdp\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Expires: 0\r\n",
    b"Authorization: Digest username=\"a\"\r\n",
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"OPTIONS",
    b"REGISTER",
    b"UPDATE",
    b"PRACK",
    b"\x00",
    b"\xff",
    b"\xc3\xa9",
];

const URI_TOKENS: &[&[u8]] = &[
    b"sip:",
    b"sips:",
    b"tel:",
    b"SIP:",
    b"@",
    b":",
    b":5060",
    b":65536",
    b"[::1]",
    b"[",
    b"]",
    b"::",
    b"1.2.3.4",
    b"256.1.1.1",
    b";lr",
    b";transport=tcp",
    b";maddr=",
    b";user=phone",
    b";tag=",
    b"?",
    b"&",
    b"=",
    b"%40",
    b"%00",
    b"%",
    b"<",
    b">",
    b"\"",
    b"\\\"",
    b" ",
    b",",
    b"z9hG4bK",
    b"SIP/2.0/UDP ",
    b";rport",
    b";received=::1",
    b";q=1.001",
    b"expires=4294967296",
    b"\x1e",
    b"*",
    b"#",
    b"!",
    b"\xc3\xa9",
];

const DIGEST_TOKENS: &[&[u8]] = &[
    b"Digest ",
    b"digest",
    b"username=\"100\"",
    b"realm=\"pbx\"",
    b"nonce=\"@N\"",
    b"@N",
    b"@R",
    b"uri=\"sip:pbx\"",
    b"response=\"",
    b"qop=auth",
    b"qop=\"auth,auth-int\"",
    b"nc=00000001",
    b"nc=ffffffff",
    b"cnonce=\"x\"",
    b"algorithm=MD5",
    b"algorithm=SHA-256",
    b"algorithm=SHA-512-256",
    b"algorithm=MD5-sess",
    b"opaque=\"\"",
    b"stale=true",
    b"userhash=true",
    b"username*=UTF-8''100",
    b",",
    b"=",
    b"\"",
    b"\\",
    b"\\\"",
    b"\x1e",
    b"\r\n ",
    b"  ",
];

const REGISTER_TOKENS: &[&[u8]] = &[
    b"\r\nContact: ",
    b"<sip:a@h>",
    b"<sip:b@h>",
    b"<sips:a@h>",
    b"<tel:1>",
    b"*",
    b";expires=0",
    b";expires=60",
    b";expires=4294967296",
    b";q=0.1",
    b";q=2",
    b";+sip.instance=\"<x>\"",
    b";reg-id=1",
    b"\r\nExpires: 0",
    b"\r\nExpires: 1",
    b"\r\nCall-ID: a",
    b"\r\nCall-ID: b",
    b"\r\nCSeq: 1 REGISTER",
    b"\r\nCSeq: 4294967295 REGISTER",
    b"\r\nPath: <sip:p;lr>",
    b"\r\nRequire: x",
    b"\x1e\x00",
    b"\x1e\x02",
    b"\x1e\xff",
    b",",
    b";",
    b"%41",
    b"[::1]",
    b":5060",
    b";transport=tcp",
];
