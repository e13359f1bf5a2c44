//! The grammars of single headers that calls depend on, and of call files.

use std::time::Duration;

use bytes::Bytes;
use diesis_engine::entropy::Entropy;
use diesis_engine::net::check_call_file;
use diesis_engine::sip::refer::{Refer, Replaces, Report};
use diesis_engine::sip::{
    Body, Endpoint, EndpointConfig, Event, Flow, HeaderName, Headers, Limits, Message, Method,
    Request, Response, SessionTimers, StatusCode, Subscribe, Terms, TimerPolicy, Uri,
};

use super::{SLOW, Shape, Target, owned, parts};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "referral",
        about: "Refer-To, Replaces, Event, Subscription-State and the body of a report",
        run: referral,
        seeds: referrals,
        tokens: REFERRAL_TOKENS,
        longest: 1024,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "session-timer",
        about: "Session-Expires, Min-SE and Supported of a call that is answered, for an hour",
        run: session_timer,
        seeds: session_timers,
        tokens: SESSION_TOKENS,
        longest: 256,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "call-file",
        about: "a call file, whole",
        run: call_file,
        seeds: call_files,
        tokens: CALL_FILE_TOKENS,
        longest: 2048,
        memory: 16 << 20,
        slow: SLOW,
    },
];

/// A request with these header lines, of which any may break the others; `None` when it is none.
fn request(method: &str, lines: &[&[u8]], body: &[u8]) -> Option<Request> {
    let mut text = format!(
        "{method} sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKx\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@192.0.2.77>;tag=f\r\nTo: <sip:us@192.0.2.1>\r\n\
         Call-ID: c\r\nCSeq: 1 {method}\r\nContact: <sip:a@192.0.2.77>\r\n"
    )
    .into_bytes();
    for line in lines {
        text.extend_from_slice(line);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(body);
    match Message::parse(Bytes::from(text), &Limits::default()) {
        Ok(Message::Request(request)) => Some(request),
        _ => None,
    }
}

/// The parts are a Refer-To, a Replaces, an Event, a Subscription-State and a body.
fn referral(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let mut parts = parts(input);
    let mut next = || parts.next().unwrap_or_default();
    let (refer_to, replaces, event, state, body) = (next(), next(), next(), next(), next());
    if let Some(replaces) = Replaces::parse(replaces) {
        shape.add("replaces");
        let written = replaces.to_string();
        assert_eq!(Replaces::parse(written.as_bytes()), Some(replaces), "{written}");
    }
    let line = |name: &str, value: &[u8]| [name.as_bytes(), b": ", value].concat();
    let refer_to = line("Refer-To", refer_to);
    if let Some(refer) = request("REFER", &[&refer_to], b"") {
        match Refer::read(&refer) {
            Ok(refer) => {
                shape.add(refer.replaces.is_some());
                shape.kind(&refer.method);
                let target = refer.target.as_str();
                assert!(!target.contains('?'), "headers in a target: {target}");
                assert!(refer.target.parameter("method").is_none(), "{target}");
                assert_eq!(Uri::parse(target).as_ref(), Ok(&refer.target), "{target}");
            }
            Err(status) => {
                shape.add(status.code());
                assert!(matches!(status.code(), 400 | 416), "{status:?}");
            }
        }
    }
    let (event, state) = (line("Event", event), line("Subscription-State", state));
    if let Some(subscribe) = request("SUBSCRIBE", &[&event], b"") {
        match Subscribe::read(&subscribe) {
            Ok(read) => {
                shape.add(read.id.is_some());
                let again = line("Event", read.to_string().as_bytes());
                let again = request("SUBSCRIBE", &[&again], b"").expect("what we write is read");
                let again = Subscribe::read(&again).expect("what we write is read");
                assert!(again.is_same(&read), "{read}");
            }
            Err(status) => shape.add(status.code()),
        }
    }
    let kind = b"Content-Type: message/sipfrag";
    if let Some(notify) = request("NOTIFY", &[&event, &state, kind], body)
        && let Some(report) = Report::read(&notify)
    {
        shape.add((report.status.code() / 100, report.is_last));
        assert!((100..=699).contains(&report.status.code()));
    }
    shape
}

/// The parts are Session-Expires, Min-SE, Supported, Require and Allow of an INVITE, then what refreshes
/// are answered with: a status and a Session-Expires.
fn session_timer(input: &[u8]) -> Shape {
    session(input).shape
}

/// What came of a call within an hour.
#[derive(Default)]
struct Session {
    shape: Shape,
    refreshes: usize,
    has_ended: bool,
}

fn session(input: &[u8]) -> Session {
    let mut session = Session { shape: Shape::new(), ..Session::default() };
    let names = ["Session-Expires", "Min-SE", "Supported", "Require", "Allow"];
    let lines: Vec<Vec<u8>> = names
        .iter()
        .zip(parts(input))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| [name.as_bytes(), b": ", value].concat())
        .collect();
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let mut answer = parts(input).skip(names.len());
    let status = answer.next().and_then(|it| str::from_utf8(it).ok()?.parse().ok());
    let status = status.and_then(StatusCode::new);
    let expires = answer.next().and_then(|it| str::from_utf8(it).ok());
    let Some(invite) = request("INVITE", &lines, b"") else { return session };
    let config = EndpointConfig { extensions: vec!["timer"], ..EndpointConfig::default() };
    let mut endpoint = Endpoint::new(config, Entropy::new(1));
    let mut now = super::sip::clock();
    let start = now;
    let flow = Flow::udp(([192, 0, 2, 1], 5060).into(), ([192, 0, 2, 77], 5060).into());
    endpoint.handle_packet(flow, invite.to_bytes(), now);
    let mut call = None;
    while let Some(event) = endpoint.poll_event() {
        if let Event::IncomingCall { call: new, .. } = event {
            call = Some(new);
        }
    }
    let Some(call) = call else { return session };
    let timers = SessionTimers { policy: TimerPolicy::IfSupported, ..SessionTimers::default() };
    let terms = Terms { timers, ..Terms::default() };
    match endpoint.set_terms(call, terms, now).expect("it is new") {
        Ok(()) => {}
        Err((status, _)) => {
            session.shape.add(status.code());
            assert!(matches!(status.code(), 420..=422), "{status:?}");
            return session;
        }
    }
    let _ = endpoint.answer(call, &Headers::default(), Some(&Body::sdp("v=0")), now);
    let mut acknowledged = false;
    // Whatever was agreed on, nobody is asked more often than each 45 s (half of RFC 4028's least).
    for _ in 0..2000 {
        while let Some(sent) = endpoint.poll_transmit() {
            match Message::parse(sent.bytes, &Limits::default()) {
                Ok(Message::Request(request)) => {
                    session.shape.add(request.method().as_str());
                    session.refreshes += usize::from(request.method() != &Method::Ack);
                    session.has_ended |= request.method() == &Method::Bye;
                    let status = status.filter(|_| request.method() != &Method::Ack);
                    let Some(status) = status else { continue };
                    let mut response = Response::to(&request, status);
                    response.push(HeaderName::Contact, "<sip:a@192.0.2.77>");
                    if let Some(expires) = expires.filter(|it| !it.contains(['\r', '\n'])) {
                        response.push(HeaderName::SessionExpires, expires);
                    }
                    endpoint.handle_packet(flow, response.to_bytes(), now);
                }
                Ok(Message::Response(response)) => {
                    let code = response.status().code();
                    session.shape.add((code, response.requires("timer")));
                    if let (200, false, Some(to)) =
                        (code, acknowledged, response.value(HeaderName::To))
                    {
                        let us = Uri::parse("sip:us@192.0.2.1").expect("a URI");
                        let mut ack = Request::new(Method::Ack, &us);
                        // A transaction of its own (RFC 3261 §13.2.2.4).
                        ack.push(HeaderName::Via, "SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKack");
                        ack.copy(HeaderName::From, &invite);
                        ack.push(HeaderName::To, to);
                        ack.copy(HeaderName::CallId, &invite);
                        ack.push(HeaderName::CSeq, "1 ACK");
                        ack.push(HeaderName::MaxForwards, 70_u8);
                        acknowledged = true;
                        endpoint.handle_packet(flow, ack.to_bytes(), now);
                    }
                }
                Err(error) => panic!("sent {error}"),
            }
        }
        let mut due = false;
        while let Some(event) = endpoint.poll_event() {
            due |= matches!(event, Event::RefreshDue { .. });
        }
        if due {
            let _ = endpoint.reinvite(call, &Headers::default(), Some(&Body::sdp("v=0")), now);
            continue;
        }
        match endpoint.poll_timeout() {
            Some(next) if next < start + Duration::from_secs(3600) => now = next.max(now),
            _ => break,
        }
        endpoint.handle_timeout(now);
    }
    // One that nobody answers is repeated ten times, and then the call ends; one that is refused is
    // tried again each 5 s until the session is over.
    assert!(session.refreshes < 1600, "{} requests within an hour", session.refreshes);
    session
}

fn call_file(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    match check_call_file(input) {
        Ok(originate) => {
            shape.add("calls");
            shape.count(originate.variables.len());
            assert!(!originate.destination.technology.is_empty());
            for (name, _) in &originate.variables {
                assert!(!name.contains(&b'\n'));
            }
        }
        Err(error) => {
            shape.kind(&error);
            assert!(!error.to_string().is_empty());
        }
    }
    shape
}

fn referrals() -> Vec<Vec<u8>> {
    owned(&[
        b"<sip:b@h;method=INVITE?Replaces=c%40h%3Bto-tag%3Dt%3Bfrom-tag%3Df>\x1ec@h;to-tag=t;from-tag=f;early-only\x1erefer;id=7\x1eterminated;reason=noresource\x1eSIP/2.0 200 OK\r\n",
        b"tel:+3312345\x1ec;from-tag=f;to-tag=0\x1edialog\x1eactive;expires=60\x1eSIP/2.0 100 Trying",
        b"\"B\" <sips:b@[2001:db8::1]:5061;transport=tls;lr>;x=y\x1e\x1emessage-summary;id=a\x1e\x1e",
    ])
}

const REFERRAL_TOKENS: &[&[u8]] = &[
    b"<",
    b">",
    b"?",
    b"%40",
    b"%3B",
    b"%00",
    b";method=",
    b";to-tag=",
    b";from-tag=",
    b";early-only",
    b"Replaces=",
    b"sip:",
    b"tel:",
    b"\x1e",
    b"refer",
    b";id=",
    b"terminated",
    b"SIP/2.0 ",
    b",",
    b"\r\n ",
    b"\"",
];

fn session_timers() -> Vec<Vec<u8>> {
    owned(&[
        b"1800;refresher=uac\x1e90\x1etimer\x1e",
        b"90;refresher=uas\x1e90\x1etimer\x1etimer",
        b"60\x1e\x1etimer\x1e",
        b"90;refresher=uas\x1e90\x1etimer\x1e\x1e\x1e200\x1e90;refresher=uac",
        b"90;refresher=uas\x1e90\x1etimer\x1e\x1eINVITE, UPDATE\x1e200\x1e90;refresher=uac",
        b"120;refresher=uas\x1e90\x1etimer\x1e\x1e\x1e422\x1e90",
        b"4294967295\x1e4294967296\x1etimer\x1e",
        b"\x1e\x1e\x1etimer",
    ])
}

const SESSION_TOKENS: &[&[u8]] = &[
    b"\x1e",
    b"timer",
    b";refresher=",
    b"uac",
    b"uas",
    b"90",
    b"0",
    b"4294967295",
    b"18446744073709551616",
    b"-1",
    b";",
    b",",
    b"100rel",
    b"200",
    b"408",
    b"481",
    b"491",
];

fn call_files() -> Vec<Vec<u8>> {
    owned(&[
        b"Channel: PJSIP/200\nCallerid: \"Front desk\" <100>\nMaxRetries: 2\nRetryTime: 60\nWaitTime: 30\nContext: office\nExtension: 300\nPriority: 2\nSetvar: COLOUR=red\\; dark\nArchive: yes\n",
        b"Channel: Local/1@a\nApplication: Playback\nData: hello ; a comment\nCodecs: alaw,ulaw\nStartRetry: 77 1 (1700000000)\nEndRetry: 77 1 (1700000045)\n",
    ])
}

const CALL_FILE_TOKENS: &[&[u8]] = &[
    b"Channel: ",
    b"Application: ",
    b"Data: ",
    b"Extension: ",
    b"Priority: ",
    b"MaxRetries: ",
    b"RetryTime: ",
    b"WaitTime: ",
    b"Setvar: ",
    b"Codecs: ",
    b"Callerid: ",
    b"StartRetry: ",
    b"\n",
    b";",
    b"\\;",
    b":",
    b"=",
    b"4294967296",
    b"\0",
    b"\r\n",
    b"<",
    b"\"",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_timer_is_reached_whoever_refreshes() {
        // The peer refreshes and does not: the call ends.
        let ours = session(b"90;refresher=uac\x1e90\x1etimer\x1e");
        assert!(ours.has_ended, "{} requests", ours.refreshes);
        // We refresh and are answered, each 45 s: by an INVITE, and by an UPDATE where it is allowed.
        for allowed in ["", "INVITE, ACK, BYE, UPDATE"] {
            let input = format!(
                "90;refresher=uas\x1e90\x1etimer\x1e\x1e{allowed}\x1e200\x1e90;refresher=uac"
            );
            let theirs = session(input.as_bytes());
            let shown = format!("{allowed}: {} requests", theirs.refreshes);
            assert!(!theirs.has_ended && theirs.refreshes >= 79, "{shown}");
        }
        // Nobody answers.
        let none = session(b"90;refresher=uas\x1e90\x1etimer\x1e");
        assert!(none.has_ended && none.refreshes > 1, "{} requests", none.refreshes);
        // Without a timer nothing happens.
        assert_eq!(session(b"\x1e\x1e\x1e").refreshes, 0);
    }
}
