//! The SIP parser against messages meant to break parsers.
//!
//! RFC 4475 and RFC 5118 by the RFCs' names, files beginning with `x-` are our own. Then properties
//! that hold for whatever is built or received, and short runs of the fuzz function.

use std::time::Instant;

use bytes::Bytes;
use diesis_engine::entropy::Entropy;
use diesis_engine::media::Direction;
use diesis_engine::sdp::{Capabilities, OfferAnswer, SessionDescription};
use diesis_engine::sip::auth::{AuthSettings, Authenticator, Secret, Verdict};
use diesis_engine::sip::registrar::{AorSettings, Registrar, RegistrarSettings};
use diesis_engine::sip::{
    Branch, CSeq, Contacts, Flow, Frame, Framing, HeaderName, Limits, Message, Method, NameAddr,
    Request, Response, Scheme, StatusCode, StreamTimeouts, Uri,
};
use proptest::prelude::*;

/// What the parser makes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// A message.
    Valid,
    /// A request that is answered with this status.
    Refused(u16),
    /// Bytes that nobody answers.
    Dropped,
}

use Outcome::{Dropped, Refused, Valid};

const TORTURE: &[(&str, Outcome)] = &[
    // RFC 4475 §3.1.1: valid.
    ("wsinv", Valid),
    ("intmeth", Valid),
    ("esc01", Valid),
    ("escnull", Valid),
    ("esc02", Valid),
    ("lwsdisp", Valid),
    ("longreq", Valid),
    ("dblreq", Valid),
    ("semiuri", Valid),
    ("transports", Valid),
    ("mpart01", Valid),
    ("unreason", Valid),
    ("noreason", Valid),
    // RFC 4475 §3.1.2: invalid.
    ("badinv01", Refused(400)),
    ("clerr", Refused(400)),
    ("ncl", Refused(400)),
    ("scalar02", Refused(400)),
    ("scalarlg", Dropped),
    ("quotbal", Refused(400)),
    ("ltgtruri", Refused(400)),
    ("lwsruri", Refused(400)),
    ("lwsstart", Refused(400)),
    ("trws", Refused(400)),
    ("escruri", Refused(400)),
    // The Date is not needed, so a malformed one is ignored (§3.1.2.12 allows both).
    ("baddate", Valid),
    ("regbadct", Refused(400)),
    ("badaspec", Refused(400)),
    ("baddn", Refused(400)),
    ("badvers", Refused(505)),
    ("mismatch01", Refused(400)),
    // §3.1.2.18 allows 501 as well.
    ("mismatch02", Refused(400)),
    ("bigcode", Dropped),
    // RFC 4475 §3.2: for the transaction layer.
    ("badbranch", Valid),
    // RFC 4475 §3.3: well formed, for the application to judge.
    ("insuf", Refused(400)),
    ("unkscm", Valid),
    ("novelsc", Valid),
    ("unksm2", Valid),
    ("bext01", Valid),
    ("invut", Valid),
    ("regaut01", Valid),
    ("multi01", Refused(400)),
    ("mcl01", Refused(400)),
    // Dropped by who sees that its own Via is not the only one (§3.3.10).
    ("bcast", Valid),
    ("zeromf", Valid),
    ("cparam01", Valid),
    ("cparam02", Valid),
    ("regescrt", Valid),
    ("sdp01", Valid),
    // RFC 4475 §3.4.
    ("inv2543", Valid),
    // RFC 5118 §4.
    ("ipv6-good", Valid),
    ("ipv6-bad", Refused(400)),
    ("port-ambiguous", Valid),
    ("port-unambiguous", Valid),
    ("via-received-param-with-delim", Valid),
    ("via-received-param-no-delim", Valid),
    ("ipv6-in-sdp", Valid),
    ("mult-ip-in-sdp", Valid),
    ("ipv4-mapped-ipv6", Valid),
    ("ipv6-bug-abnf-3-colons", Valid),
    // Ours.
    ("x-ack-broken", Dropped),
    ("x-bad-cseq-order", Refused(400)),
    ("x-control-before-colon", Refused(400)),
    ("x-empty-call-id", Refused(400)),
    ("x-http", Dropped),
    ("x-keep-alive", Dropped),
    ("x-latin1", Valid),
    ("x-lf-only", Valid),
    ("x-nameless", Refused(400)),
    ("x-no-blank-line", Refused(400)),
    ("x-no-colon", Refused(400)),
    ("x-nul-in-value", Refused(400)),
    ("x-port-zero", Refused(400)),
    ("x-second-via-broken", Refused(400)),
    ("x-star-with-others", Refused(400)),
    ("x-stun", Dropped),
    ("x-tel", Valid),
    ("x-two-from-tags", Refused(400)),
    ("x-user-hash", Valid),
];

fn directory() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/torture")
}

fn file(name: &str) -> Bytes {
    let path = directory().join(format!("{name}.sip"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}

fn parse(bytes: Bytes) -> Message {
    match Message::parse(bytes, &Limits::default()) {
        Ok(message) => message,
        Err(error) => panic!("{error}"),
    }
}

fn request(name: &str) -> Request {
    match parse(file(name)) {
        Message::Request(request) => request,
        Message::Response(_) => panic!("{name} is a response"),
    }
}

fn outcome(bytes: Bytes) -> Outcome {
    match Message::parse(bytes, &Limits::default()) {
        Ok(_) => Valid,
        Err(error) => match error.response() {
            Some(response) => Refused(response.status().code()),
            None => Dropped,
        },
    }
}

#[test]
fn torture_messages_have_their_expected_outcome() {
    let mut files: Vec<_> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let mut rows: Vec<_> = TORTURE.iter().map(|(name, _)| name.to_string()).collect();
    rows.sort();
    assert_eq!(files, rows, "every file has a row and every row a file");
    let wrong: Vec<_> = TORTURE
        .iter()
        .filter_map(|&(name, expected)| {
            let found = outcome(file(name));
            (found != expected).then(|| {
                let error = Message::parse(file(name), &Limits::default()).err();
                format!("{name}: {found:?} ({error:?}), expected {expected:?}")
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn refusals_carry_what_the_request_had_and_read_back() {
    for &(name, expected) in TORTURE {
        let Refused(status) = expected else { continue };
        let error = Message::parse(file(name), &Limits::default()).unwrap_err();
        let response = error.response().unwrap();
        assert_eq!(response.status().code(), status, "{name}");
        assert!(response.value(HeaderName::Via).is_some(), "{name}");
        let bytes = response.to_bytes();
        assert!(bytes.len() <= 3 * file(name).len(), "{name} is amplified");
        // What was whole in the request is whole in the answer.
        if name == "scalar02" || name == "lwsruri" {
            assert!(response.call_id().is_some() && response.from_tag().is_some(), "{name}");
        }
    }
}

#[test]
fn valid_torture_messages_survive_writing() {
    for &(name, expected) in TORTURE {
        if expected == Valid {
            let message = parse(file(name));
            let written = message.to_bytes();
            assert_eq!(parse(written.clone()), message, "{name}");
            assert_eq!(parse(written.clone()).to_bytes(), written, "{name}");
        }
    }
}

#[test]
fn short_tortuous_invite_is_understood() {
    let request = request("wsinv");
    assert_eq!(request.uri().parameter("unknownparam"), Some(""));
    assert_eq!(request.to_tag(), Some("1918181833n"));
    let from = request.from_header().unwrap();
    assert_eq!(from.display_name().unwrap().as_ref(), br#"J Rosenberg \""#);
    assert_eq!(from.tag(), Some("98asjd8"));
    assert_eq!(request.max_forwards(), Some(68));
    assert_eq!(request.cseq(), Some(CSeq::new(9, Method::Invite)));
    let vias: Vec<_> = request.vias().map(|via| (via.transport(), via.host_str())).collect();
    assert_eq!(
        vias,
        [("UDP", "192.0.2.2"), ("TCP", "spindle.example.com"), ("UDP", "192.168.255.111")]
    );
    assert_eq!(request.vias().last().unwrap().branch(), Some("z9hG4bK30239"));
    assert_eq!(request.value(HeaderName::Subject), Some(&b""[..]));
    assert_eq!(
        request.values_named("newfangledheader").next(),
        Some(&b"newfangled value continued newfangled value"[..])
    );
    let contact = request.contact().unwrap();
    assert_eq!(contact.display_name().unwrap().as_ref(), br#"Quoted string """#);
    assert_eq!(contact.q(), Some(330));
    assert_eq!(contact.params().get("secondparam"), Some(""));
    let route = request.routes().next().unwrap();
    assert!(route.uri().is_loose_router());
    let sdp = SessionDescription::parse(request.body()).unwrap();
    assert_eq!(sdp.media.len(), 2);
}

#[test]
fn valid_torture_messages_mean_what_the_rfc_says() {
    let unusual = request("intmeth");
    assert_eq!(unusual.method().as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(unusual.uri().host_str(), "example.com");
    assert_eq!(unusual.from_tag(), Some("_token~1'+`*%!-."));
    assert_eq!(
        unusual.to_header().unwrap().display_name().unwrap().as_ref(),
        b"BEL:\x07 NUL:\0 DEL:\x7f"
    );
    let escaped = request("esc01");
    assert_eq!(escaped.uri().user_decoded().unwrap().as_ref(), b"sips:user@example.com");
    assert_eq!(escaped.uri().scheme(), Scheme::Sip);
    let nulls = request("escnull");
    let Contacts::List(contacts) = nulls.contacts() else { panic!("star") };
    assert_eq!(contacts[1].uri().user_decoded().unwrap().as_ref(), b"\0\0");
    let percent = request("esc02");
    assert_eq!(percent.method().as_str(), "RE%47IST%45R");
    let Contacts::List(contacts) = percent.contacts() else { panic!("star") };
    assert_eq!(contacts.len(), 2);
    assert_eq!(request("lwsdisp").from_tag(), Some("323"));
    assert_eq!(request("longreq").vias().count(), 35);
    assert_eq!(request("dblreq").method(), &Method::Register);
    assert!(request("dblreq").body().is_empty());
    assert_eq!(request("semiuri").uri().user(), Some("user;par=u%40example.net"));
    let transports = request("transports");
    let transports: Vec<_> = transports.vias().map(|via| via.transport()).collect();
    assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
    assert!(request("mpart01").body().contains(&0));
    let Message::Response(response) = parse(file("noreason")) else { panic!("request") };
    assert_eq!((response.status(), response.reason()), (StatusCode::TRYING, &b""[..]));
    assert_eq!(request("novelsc").uri().scheme(), Scheme::Other);
    assert_eq!(request("cparam01").contact().unwrap().params().get("unknownparam"), Some(""));
    assert_eq!(request("cparam02").contact().unwrap().uri().parameter("unknownparam"), Some(""));
    assert_eq!(request("inv2543").via().unwrap().branch(), None);
    assert_eq!(request("zeromf").max_forwards(), Some(0));
}

#[test]
fn ipv6_messages_mean_what_the_rfc_says() {
    assert_eq!(request("port-ambiguous").uri().port(), None);
    assert_eq!(request("port-unambiguous").uri().port(), Some(5070));
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        let request = request(name);
        let received = request.via().unwrap().received().unwrap();
        assert_eq!(received.to_string(), "2001:db8::9:255", "{name}");
    }
    let sdp = SessionDescription::parse(request("mult-ip-in-sdp").body()).unwrap();
    let families: Vec<_> =
        sdp.media.iter().map(|media| sdp.connection(media).unwrap().is_ipv6).collect();
    assert_eq!(families, [false, true]);
    assert!(SessionDescription::parse(request("ipv6-in-sdp").body()).is_ok());
    assert!(request("ipv6-bug-abnf-3-colons").uri().socket_addr().is_some());
}

/// The fuzz target: whatever the bytes, nothing panics, and what is understood survives writing.
fn fuzz_message(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    match Message::parse(bytes.clone(), &Limits::default()) {
        Ok(message) => {
            let _ = (message.contacts(), message.routes().count(), message.content_type());
            let _ = (message.cseq(), message.from_tag(), message.expires(), format!("{message:?}"));
            let again = Message::parse(
                message.to_bytes(),
                &Limits { message: usize::MAX, ..Limits::default() },
            );
            assert_eq!(again.as_ref(), Ok(&message));
            let _ = SessionDescription::parse(message.body());
            if let Message::Request(mut request) = message {
                request.stamp_source("192.0.2.77:4321".parse().unwrap());
                let via = request.via().expect("stamped via reads back");
                assert!(!via.has_rport() || via.rport() == Some(4321));
                let response = Response::to(&request, StatusCode::OK);
                parse(response.to_bytes());
                fuzz_services(&request);
                while request.via().is_some() {
                    request.pop_via();
                }
            }
        }
        Err(error) => {
            if let Some(response) = error.response() {
                let text = response.to_bytes();
                assert!(!text.contains(&0) || bytes.contains(&0));
            }
        }
    }
    let mut sdp_source = &bytes[..];
    if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        sdp_source = &bytes[at + 4..];
    }
    if let Ok(description) = SessionDescription::parse(sdp_source) {
        let mut negotiation = OfferAnswer::new(Capabilities::default(), 1);
        let local = "192.0.2.1:4000".parse().unwrap();
        let answer = negotiation.handle_offer(&description, local, Direction::SendReceive);
        if let Ok((answer, negotiated)) = answer {
            let answer = SessionDescription::parse(&answer).unwrap();
            assert_eq!(answer.media.len(), description.media.len());
            let packet_time = negotiated.packet_time.as_millis();
            assert!((10..=60).contains(&packet_time));
            assert!(negotiated.remote.is_none_or(|remote| !remote.ip().is_multicast()));
            negotiation.offer(local, Direction::SendOnly).unwrap();
            let _ = negotiation.handle_answer(&description);
        }
        assert_eq!(SessionDescription::parse(&description.to_bytes()), Ok(description));
    }
    let now = clock();
    let mut framing = Framing::new(Limits::default(), StreamTimeouts::default(), now);
    for piece in bytes.chunks(97) {
        framing.handle_bytes(piece, now);
    }
    while let Some(frame) = framing.poll_frame() {
        if let Frame::Message(message) = frame {
            let _ = Message::parse(message, &Limits::default());
        }
    }
}

/// Digest and registrar on whatever was understood.
fn fuzz_services(request: &Request) {
    let now = clock();
    let source = "192.0.2.77".parse().unwrap();
    let mut authenticator = Authenticator::new(AuthSettings::default(), [1; 32], now);
    let verdict =
        authenticator.verify(request, "pbx", source, now, |_| Some(Secret::Password(b"x")));
    assert!(!matches!(verdict, Verdict::Accepted { .. }));
    let mut registrar = Registrar::new(RegistrarSettings::default());
    let settings = AorSettings { max_contacts: 3, ..AorSettings::default() };
    let flow = Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.77:5060".parse().unwrap());
    let response = registrar.handle_register("100".into(), &settings, request, flow, now);
    parse(response.to_bytes());
    let bound = registrar.bindings("100".into(), now).len();
    assert!(bound <= 3 && registrar.poll_timeout().is_some() == (bound > 0));
}

#[allow(clippy::disallowed_methods, reason = "the one clock of these tests")]
fn clock() -> Instant {
    Instant::now()
}

/// A small mutation engine: what coverage-guided fuzzing starts from, run briefly.
fn mutate(bytes: &mut Vec<u8>, pool: &[Bytes], entropy: &mut Entropy) {
    for _ in 0..=entropy.below(4) {
        let at =
            |entropy: &mut Entropy, bytes: &[u8]| entropy.below(bytes.len() as u32 + 1) as usize;
        let (a, b) = (at(entropy, bytes), at(entropy, bytes));
        let (a, b) = (a.min(b), a.max(b));
        const TOKENS: &[&[u8]] = &[
            b"\r\n",
            b"\n",
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
            b"%",
            b"%00",
            b"[",
            b"]",
            b"::",
            b"\0",
            b"\xff",
            b"*",
            b"SIP/2.0",
            b"Via: SIP/2.0/UDP h\r\n",
            b"-1",
            b"4294967296",
            b"99999999999999999999",
            b"tag=",
            b"\r\n ",
            b"\r\n\r\n",
            b"?a=b",
            b"Authorization: Digest username=\"a\",realm=\"pbx\",nonce=\"n\",uri=\"sip:h\",response=\"0\"\r\n",
            b"Contact: <sip:a@h>;q=0.5;expires=60, <sip:b@h>;+sip.instance=\"<x>\";reg-id=1\r\n",
            b"m=audio 1 RTP/AVP 0\r\n",
            b"a=ptime:1e9\r\n",
            b"l: 5\r\n",
        ];
        match entropy.below(6) {
            0 => drop(bytes.drain(a..b.min(a + 20))),
            1 => {
                let token = TOKENS[entropy.below(TOKENS.len() as u32) as usize];
                bytes.splice(a..a, token.iter().copied());
            }
            2 if a < bytes.len() => bytes[a] ^= 1 << entropy.below(8),
            3 => {
                let copy = bytes[a..b.min(a + 200)].to_vec();
                bytes.splice(b..b, copy);
            }
            4 => bytes.truncate(b.max(1)),
            _ => {
                let other = &pool[entropy.below(pool.len() as u32) as usize];
                let from = entropy.below(other.len() as u32 + 1) as usize;
                bytes.splice(a..a, other[from..].iter().take(100).copied());
            }
        }
    }
}

#[test]
fn mutated_messages_never_break_the_parser() {
    let pool: Vec<Bytes> = TORTURE.iter().map(|&(name, _)| file(name)).collect();
    for bytes in &pool {
        fuzz_message(bytes);
    }
    let rounds: u64 = std::env::var("DIESIS_FUZZ_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10_000);
    let seed: u64 =
        std::env::var("DIESIS_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut entropy = Entropy::new(seed);
    for round in 0..rounds {
        let mut bytes = pool[entropy.below(pool.len() as u32) as usize].to_vec();
        mutate(&mut bytes, &pool, &mut entropy);
        let result = std::panic::catch_unwind(|| fuzz_message(&bytes));
        assert!(result.is_ok(), "seed {seed} round {round}:\n{}", bytes.escape_ascii());
    }
}

#[test]
fn long_inputs_take_no_more_than_linear_time() {
    // Quadratic behaviour on 64 KiB would take minutes in a debug build, not a second.
    let base = String::from_utf8(file("lwsdisp").to_vec()).unwrap();
    let long = |filler: &str, count: usize| filler.repeat(count.min(60_000 / filler.len()));
    for filler in [",", "<", "\"", "\\", ";a", "\r\n ", "a=b,", "(", "%", "[", " ", "\"\","] {
        for header in
            ["Contact: ", "Route: ", "X: ", "From: ", "Via: SIP/2.0/UDP h;x=", "Subject: "]
        {
            let text = base.replace("l: 0", &format!("{header}{}\r\nl: 0", long(filler, 60_000)));
            fuzz_message(text.as_bytes());
        }
        fuzz_message(
            base.replace("user@example.com SIP", &format!("{} SIP", long(filler, 60_000)))
                .as_bytes(),
        );
        fuzz_message(format!("{base}v=0\r\n{}", long(filler, 60_000)).as_bytes());
    }
}

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.!%*_+`'~-]{1,20}"
}

fn uri() -> impl Strategy<Value = String> {
    let user = "[a-zA-Z0-9_.!~*'()&=+$,;?/-]{1,12}";
    let host = prop_oneof![
        "[a-z]{1,8}(\\.[a-z]{1,5}){0,2}",
        Just("[2001:db8::1]".to_owned()),
        Just("192.0.2.7".to_owned())
    ];
    let params =
        proptest::collection::btree_map("[a-z]{1,6}", proptest::option::of("[a-z0-9]{1,6}"), 0..3);
    (proptest::option::of(user), host, proptest::option::of(1u16..), params).prop_map(
        |(user, host, port, params)| {
            let mut text = String::from("sip:");
            if let Some(user) = user {
                text.push_str(&format!("{user}@"));
            }
            text.push_str(&host);
            if let Some(port) = port {
                text.push_str(&format!(":{port}"));
            }
            for (name, value) in params {
                text.push_str(&format!(";{name}"));
                if let Some(value) = value {
                    text.push_str(&format!("={value}"));
                }
            }
            text
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn built_requests_read_back_the_same(
        method in token(),
        uri in uri(),
        display in "\\PC{0,12}",
        tag in token(),
        call_id in token(),
        number in 0u32..1 << 31,
        headers in proptest::collection::vec((token(), "\\PC{0,30}"), 0..6),
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let method = Method::parse(method.as_bytes()).unwrap();
        let uri = Uri::parse(&uri).unwrap();
        let from = NameAddr::new(uri.clone())
            .with_display_name(&display)
            .with_parameter("tag", Some(&tag));
        let mut request = Request::new(method.clone(), &uri)
            .with(HeaderName::From, &from)
            .with(HeaderName::To, NameAddr::new(uri))
            .with(HeaderName::CallId, &call_id[..])
            .with(HeaderName::CSeq, CSeq::new(number, method))
            .with_body("application/octet-stream", body);
        for (name, value) in headers {
            let is_known = HeaderName::parse(name.as_bytes()) != HeaderName::Other;
            if !is_known {
                request.push_named(&name, value.trim()).unwrap();
            }
        }
        request.push_via("UDP", "192.0.2.1:5060", &Branch::parse("z9hG4bKx").unwrap());
        let message = Message::from(request);
        let back = parse(message.to_bytes());
        prop_assert_eq!(&back, &message);
        let read = back.from_header().unwrap().to_owned();
        prop_assert_eq!(read.display_name().unwrap_or("").trim(), display.trim());
    }

    #[test]
    fn uris_are_equivalent_to_themselves_and_keep_their_text(text in uri()) {
        let uri = Uri::parse(&text).unwrap();
        prop_assert_eq!(uri.as_str(), &text[..]);
        prop_assert!(uri.as_ref().is_equivalent(uri.as_ref()));
    }

    #[test]
    fn rsip_reads_the_same_in_well_formed_requests(
        user in "[a-z0-9]{1,8}",
        host in "[a-z]{1,8}\\.example",
        port in proptest::option::of(1u16..),
        display in "[A-Za-z]{1,8}( [A-Za-z]{1,8})?",
        tag in "[a-z0-9]{1,12}",
        call_id in "[a-z0-9]{1,20}(@[a-z]{1,8})?",
        number in 1u32..1 << 31,
        extra in "[a-zA-Z0-9 ;=/.,]{0,20}",
        body in "[ -~]{1,60}",
    ) {
        use rsip::prelude::*;
        let uri = Uri::sip(user.as_bytes(), &host, port).unwrap();
        let bytes = Request::new(Method::Invite, &uri)
            .with(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport")
            .with(HeaderName::MaxForwards, 70u8)
            .with(HeaderName::From, format!("\"{display}\" <{uri}>;tag={tag}"))
            .with(HeaderName::To, NameAddr::new(uri.clone()))
            .with(HeaderName::CallId, call_id)
            .with(HeaderName::CSeq, CSeq::new(number, Method::Invite))
            .with(HeaderName::Contact, NameAddr::new(uri))
            .with(HeaderName::Subject, extra.trim())
            .with_body("text/plain", body)
            .to_bytes();
        let theirs = rsip::SipMessage::try_from(bytes.to_vec()).unwrap();
        let ours = parse(bytes);
        prop_assert_eq!(&Message::try_from(&theirs).unwrap(), &ours);
        let rsip::SipMessage::Request(theirs) = theirs else { panic!("response") };
        let from = theirs.from_header().unwrap().typed().unwrap();
        prop_assert_eq!(from.uri.to_string(), ours.from_header().unwrap().uri().as_str());
        let their_tag = theirs.from_header().unwrap().tag().unwrap().unwrap();
        prop_assert_eq!(their_tag.value(), ours.from_tag().unwrap());
        prop_assert_eq!(theirs.cseq_header().unwrap().seq().unwrap(), number);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        fuzz_message(&bytes);
    }

    #[test]
    fn any_text_as_a_header_is_survived(value in "\\PC{0,60}", index in 0usize..8) {
        let names = ["Via", "From", "To", "Contact", "Route", "CSeq", "Content-Type", "Authorization"];
        let base = String::from_utf8(file("lwsdisp").to_vec()).unwrap();
        let text = base.replace("l: 0", &format!("{}: {value}\r\nl: 0", names[index]));
        fuzz_message(text.as_bytes());
    }
}
