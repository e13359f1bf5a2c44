//! The SIP stack as its peers see it: whole packets against a live `sip::Endpoint`.
//!
//! An input is a script, its steps separated: the first byte of each says what happens, the rest is
//! a packet. In packets `$T` stands for the tag that the stack gave last, `$B` for the branch, `$I`
//! for the Call-ID, and `$F` for the From tag of its own requests, so that scripts reach dialogs.

use std::time::{Duration, Instant};

use bstr::ByteSlice;
use bytes::Bytes;
use diesis_engine::entropy::Entropy;
use diesis_engine::sip::{
    Body, CallHandle, ConnectionId, Endpoint, EndpointConfig, Event, Flow, Headers, Limits,
    Message, Method, NameAddr, OutgoingCall, OutgoingRequest, StatusCode, Uri,
};

use super::sip::{SIP_TOKENS, clock, messages};
use super::{SEPARATOR, SLOW, Shape, Target, owned, parts};

pub(super) const TARGETS: &[Target] = &[Target {
    name: "endpoint",
    about: "sip::Endpoint: packets of requests and responses, calls both ways, timers to the end",
    run,
    seeds,
    tokens: TOKENS,
    longest: 8192,
    memory: 32 << 20,
    slow: SLOW,
}];

/// What the stack last said of itself, for packets that refer to it.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    tag: Vec<u8>,
    branch: Vec<u8>,
    call_id: Vec<u8>,
    from_tag: Vec<u8>,
}

impl Echoes {
    pub(super) fn fill_in(&self, packet: &[u8]) -> Bytes {
        if !packet.contains(&b'$') {
            return Bytes::copy_from_slice(packet);
        }
        let packet = packet.replace("$T", &self.tag).replace("$B", &self.branch);
        packet.replace("$I", &self.call_id).replace("$F", &self.from_tag).into()
    }

    /// Takes note of what the stack sends, which must be well formed.
    pub(super) fn note(&mut self, bytes: &Bytes, shape: &mut Shape) {
        let limits = Limits { message: usize::MAX, ..Limits::default() };
        let message = match Message::parse(bytes.clone(), &limits) {
            Ok(message) => message,
            // A refusal copies what may be wrong with the request (RFC 3261 §8.2.6.2).
            Err(_) if bytes.starts_with(b"SIP/2.0 4") || bytes.starts_with(b"SIP/2.0 5") => {
                assert_eq!(
                    bytes.find(b"\r\n\r\n"),
                    Some(bytes.len() - 4),
                    "{}",
                    bytes.escape_ascii()
                );
                return;
            }
            Err(error) => panic!("sent {error}: {}", bytes.escape_ascii()),
        };
        match &message {
            Message::Request(request) => {
                shape.add(request.method().as_str());
                self.branch = of(request.via().and_then(|via| via.branch()));
                self.call_id = of(request.call_id());
                self.from_tag = of(request.from_tag());
            }
            Message::Response(response) => {
                shape.add(response.status().code());
                self.tag = of(response.to_tag());
            }
        }
    }
}

fn of(text: Option<&str>) -> Vec<u8> {
    text.unwrap_or_default().as_bytes().to_vec()
}

/// The flows of a script.
pub(super) fn flow(which: u8) -> Flow {
    let local = ([192, 0, 2, 1], 5060).into();
    match which % 4 {
        0 | 1 => Flow::udp(local, ([192, 0, 2, 77], 5060).into()),
        2 => Flow::udp(local, ([198, 51, 100, 7], 9).into()),
        _ => Flow::tcp(local, ([192, 0, 2, 77], 40_000).into(), ConnectionId(1)),
    }
}

struct Stack {
    endpoint: Endpoint,
    now: Instant,
    echoes: Echoes,
    call: Option<CallHandle>,
    begun: usize,
    ended: usize,
    shape: Shape,
}

fn run(input: &[u8]) -> Shape {
    let config =
        EndpointConfig { max_calls: 20, max_transactions: 50, ..EndpointConfig::default() };
    let mut stack = Stack {
        endpoint: Endpoint::new(config, Entropy::new(1)),
        now: clock(),
        echoes: Echoes::default(),
        call: None,
        begun: 0,
        ended: 0,
        shape: Shape::new(),
    };
    for part in parts(input).take(40) {
        let Some((&what, rest)) = part.split_first() else { continue };
        stack.step(what, rest);
        stack.drain(what);
    }
    stack.finish();
    stack.shape
}

impl Stack {
    fn step(&mut self, what: u8, rest: &[u8]) {
        let Self { endpoint, now, .. } = self;
        let headers = Headers::default();
        let body = Body::sdp(rest.to_vec());
        match what {
            b't' => {
                let units = u32::from(rest.first().copied().unwrap_or(1));
                self.pass(Duration::from_millis(100) * units * units);
            }
            b'C' => {
                let target = Uri::parse("sip:bob@192.0.2.77:5060").expect("a URI");
                let from = NameAddr::parse(b"<sip:us@192.0.2.1>").expect("an address");
                let mut spec = OutgoingCall::new(target, flow(0), from);
                if !rest.is_empty() {
                    spec = spec.with_body(body);
                }
                if let Ok(call) = endpoint.call(spec, *now) {
                    self.begun += 1;
                    self.call = Some(call);
                }
            }
            b'R' => {
                let target = Uri::parse("sip:192.0.2.77").expect("a URI");
                let from = NameAddr::parse(b"<sip:us@192.0.2.1>").expect("an address");
                let request = OutgoingRequest::new(Method::Options, target, flow(3), from);
                let _ = endpoint.send_request(request, *now);
            }
            b'x' => endpoint.handle_connection_closed(ConnectionId(1), *now),
            b'e' => endpoint.handle_transport_error(flow(rest.first().copied().unwrap_or(0)), *now),
            b'0'..=b'9' => {
                let Some(call) = self.call else { return };
                let _ = match what {
                    b'0' => endpoint.hang_up(call, StatusCode::BUSY_HERE, &headers, *now),
                    b'1' => endpoint.ring(call, StatusCode::RINGING, &headers, None, *now),
                    b'2' => endpoint.answer(call, &headers, Some(&body), *now),
                    b'3' => endpoint.reinvite(call, &headers, Some(&body), *now),
                    b'4' => endpoint.accept_offer(call, &headers, Some(&body), *now),
                    b'5' => endpoint.refuse_offer(call, StatusCode::BUSY_HERE, &headers, *now),
                    b'6' => endpoint.cancel(call, &headers, *now),
                    b'7' => endpoint.bye(call, &headers, *now),
                    b'8' => endpoint.acknowledge(call, Some(&body), *now),
                    _ => endpoint
                        .send_in_dialog(call, Method::Message, &headers, Some(&body), *now)
                        .map(drop),
                };
            }
            which => {
                let packet = self.echoes.fill_in(rest);
                self.endpoint.handle_packet(flow(which), packet, *now);
            }
        }
    }

    /// Everything that comes out; the byte decides what becomes of calls.
    fn drain(&mut self, choice: u8) {
        for _ in 0..1000 {
            while let Some(transmit) = self.endpoint.poll_transmit() {
                self.echoes.note(&transmit.bytes, &mut self.shape);
            }
            let Some(event) = self.endpoint.poll_event() else { return };
            self.shape.kind(&event);
            self.take(event, choice);
        }
        panic!("events without end");
    }

    fn take(&mut self, event: Event, choice: u8) {
        let now = self.now;
        let headers = Headers::default();
        match event {
            Event::IncomingCall { call, .. } => {
                self.begun += 1;
                self.call = Some(call);
                let _ = match choice >> 2 & 3 {
                    0 => self.endpoint.proceed(call, now),
                    1 => self.endpoint.answer(call, &headers, None, now),
                    2 => self.endpoint.reject_stateless(call, StatusCode::NOT_FOUND, &headers, now),
                    _ => self.endpoint.ring(call, StatusCode::RINGING, &headers, None, now),
                };
            }
            Event::Request { transaction, .. } if choice & 1 == 1 => {
                let status = StatusCode::NOT_FOUND;
                let _ = self.endpoint.respond_stateless(transaction, status, &headers);
            }
            Event::Request { transaction, .. } | Event::InDialog { transaction, .. } => {
                let _ = self.endpoint.respond(transaction, StatusCode::OK, &headers, None, now);
            }
            Event::Ended { call, .. } => {
                self.ended += 1;
                self.call = self.call.filter(|mine| *mine != call);
            }
            _ => {}
        }
    }

    /// Lets time pass, every deadline on its own.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..5000 {
            let Some(due) = self.endpoint.poll_timeout().filter(|due| *due <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(due);
            self.endpoint.handle_timeout(self.now);
            self.drain(0);
            let next = self.endpoint.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "a deadline that stays due");
        }
        panic!("timers without end");
    }

    /// All calls are ended and all timers run out; nothing is left.
    fn finish(&mut self) {
        let counters = self.endpoint.counters();
        self.shape.kind(&counters);
        self.shape.add((counters.malformed > 0, counters.stray_acks > 0, counters.merged > 0));
        self.shape.add((counters.unknown_dialogs > 0, counters.overloaded > 0));
        self.pass(Duration::from_secs(400));
        if let Some(call) = self.call {
            let _ =
                self.endpoint.hang_up(call, StatusCode::BUSY_HERE, &Headers::default(), self.now);
            self.drain(0);
        }
        self.pass(Duration::from_secs(400));
        assert!(self.ended <= self.begun, "{} of {} ended", self.ended, self.begun);
        assert_eq!(self.endpoint.call_count(), self.begun - self.ended);
    }
}

const INVITE: &str = "INVITE sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKa;rport\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:us@192.0.2.1>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.77>\r\nContent-Length: 0\r\n\r\n";

/// A request in the dialog of [`INVITE`].
pub(super) fn within(method: &str, number: u32, extra: &str) -> String {
    format!(
        "{method} sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK{method}{number}\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:us@192.0.2.1>;tag=$T\r\nCall-ID: c\r\nCSeq: {number} {method}\r\nContact: <sip:a@192.0.2.77>\r\n{extra}\r\n"
    )
}

/// A response to the stack's own request.
fn response(status: &str, method: &str) -> String {
    format!(
        "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=$B\r\nFrom: <sip:us@192.0.2.1>;tag=$F\r\nTo: <sip:bob@192.0.2.77:5060>;tag=2\r\nCall-ID: $I\r\nCSeq: 1 {method}\r\nContact: <sip:bob@192.0.2.77>\r\n\r\n"
    )
}

fn script(steps: &[&str]) -> Vec<u8> {
    steps.join("\x1e").into_bytes()
}

fn seeds() -> Vec<Vec<u8>> {
    let with = |flow: &str, text: &str| format!("{flow}{text}");
    let mut seeds = vec![
        // Answered, changed, ended by the caller.
        script(&[
            &with("D", INVITE),
            &with("`", &within("ACK", 1, "")),
            &with("`", &within("INVITE", 2, "")),
            "4v=0",
            &with("`", &within("ACK", 2, "")),
            &with("`", &within("INFO", 3, "")),
            &with("`", &within("BYE", 4, "")),
        ]),
        // Ringing, cancelled; the timers run out.
        script(&[
            &with("L", INVITE),
            "1",
            &with(
                "`",
                &within("CANCEL", 1, "")
                    .replace("z9hG4bKCANCEL1", "z9hG4bKa")
                    .replace(";tag=$T", ""),
            ),
            "t\x28",
            "0",
        ]),
        // Answered late and never acknowledged.
        script(&[&with("@", INVITE), "t\x03", "2v=0", "t\x14", "7"]),
        // Our own call, answered, changed by us, ended by us.
        script(&[
            "Cv=0",
            &with("`", &response("180 Ringing", "INVITE")),
            &with("`", &response("200 OK", "INVITE")),
            "3v=0",
            &with("`", &response("491 Request Pending", "INVITE")),
            "t\x05",
            "9x",
            "7",
            &with("`", &response("200 OK", "BYE")),
        ]),
        // Our own call, challenged, redirected, cancelled.
        script(&[
            "C",
            &with("`", &response("401 Unauthorized", "INVITE")),
            "t\x10",
            "6",
            &with("`", &response("487 Request Terminated", "INVITE")),
        ]),
        script(&["Cv=0", &with("`", &response("302 Moved", "INVITE")), "R", "x", "e\x03", "t\x20"]),
    ];
    for message in messages() {
        if message.len() < 3000 && !message.contains(&SEPARATOR) {
            seeds.push([b"D", &message[..]].concat());
        }
    }
    seeds.extend(owned(&[b"C\x1et\x20", b"R\x1et\x20"]));
    seeds
}

const TOKENS: &[&[u8]] = &{
    let mut tokens: [&[u8]; SIP_TOKENS.len() + 24] = [b""; SIP_TOKENS.len() + 24];
    let own: [&[u8]; 24] = [
        b"\x1eD",
        b"\x1e@",
        b"\x1eH",
        b"\x1eL",
        b"\x1eC",
        b"\x1et\x05",
        b"\x1et\x28",
        b"\x1e0",
        b"\x1e1",
        b"\x1e2",
        b"\x1e3",
        b"\x1e4",
        b"\x1e5",
        b"\x1e6",
        b"\x1e7",
        b"\x1e8",
        b"\x1e9",
        b"\x1ex",
        b"$T",
        b"$B",
        b"$I",
        b"$F",
        b"\x1eR",
        b"\x1ee\x03",
    ];
    let mut at = 0;
    while at < SIP_TOKENS.len() {
        tokens[at] = SIP_TOKENS[at];
        at += 1;
    }
    let mut next = 0;
    while next < own.len() {
        tokens[at + next] = own[next];
        next += 1;
    }
    tokens
};
