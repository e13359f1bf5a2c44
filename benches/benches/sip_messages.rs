//! How many SIP messages can one core read and answer?

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use diesis_engine::sip::{Limits, Message, Response, StatusCode, Tag};

/// As a common softphone sends it: 13 headers and a description of 200 bytes.
const INVITE: &str = "INVITE sip:8899@192.0.2.10:5060;transport=udp SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.33:5062;branch=z9hG4bK-524287-1---6d3a1f2e8c0b4d77;rport\r\n\
    Max-Forwards: 70\r\n\
    Contact: <sip:1001@192.0.2.33:5062;transport=udp>\r\n\
    To: <sip:8899@192.0.2.10;transport=udp>\r\n\
    From: \"Alice Martin\" <sip:1001@192.0.2.10;transport=udp>;tag=7c1e9a33\r\n\
    Call-ID: b2U3ZTk0Y2FhNzQ0ZDk1NzE2YjYxMmI\r\n\
    CSeq: 1 INVITE\r\n\
    Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE\r\n\
    Content-Type: application/sdp\r\n\
    Supported: replaces, norefersub, extended-refer, timer, outbound, path\r\n\
    User-Agent: Phone 5.10.1 rv2.10.20.4_1-mod\r\n\
    Allow-Events: presence, kpml, talk\r\n\
    Content-Length: 200\r\n\r\n\
    v=0\r\no=Z 0 41285943 IN IP4 192.0.2.33\r\ns=Z\r\nc=IN IP4 192.0.2.33\r\nt=0 0\r\n\
    m=audio 8000 RTP/AVP 8 0 101 18 3\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-16\r\na=fmtp:18 annexb=no\r\na=sendrecv\r\na=rtcp-mux\r\na=ptime:20 \r\na=x:1\r\n";

fn messages(c: &mut Criterion) {
    let bytes = Bytes::from_static(INVITE.as_bytes());
    let limits = Limits::default();
    let Ok(Message::Request(request)) = Message::parse(bytes.clone(), &limits) else {
        panic!("the INVITE is well formed")
    };
    let tag = Tag::parse("7f3b").expect("a token");
    let mut group = c.benchmark_group("sip_messages");
    group.throughput(Throughput::Elements(1));
    group.bench_function("parse", |b| b.iter(|| Message::parse(black_box(bytes.clone()), &limits)));
    group.bench_function("answer", |b| {
        b.iter(|| Response::to(black_box(&request), StatusCode::OK).with_to_tag(&tag).to_bytes());
    });
    group.finish();
}

criterion_group!(benches, messages);
criterion_main!(benches);
