//! Session descriptions: reading, writing, offer and answer.

use std::net::SocketAddr;

use diesis_engine::media::Direction;
use diesis_engine::sdp::{Capabilities, Negotiated, OfferAnswer, SessionDescription};

use super::{SEPARATOR, SLOW, Shape, Target, owned, parts};

pub(super) const TARGETS: &[Target] = &[Target {
    name: "sdp",
    about: "SessionDescription::parse and writing; OfferAnswer as offerer and as answerer",
    run,
    seeds,
    tokens: TOKENS,
    longest: 4096,
    memory: 16 << 20,
    slow: SLOW,
}];

/// Two descriptions: offers to us, and answers to ours.
fn run(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let local: SocketAddr = ([192, 0, 2, 1], 4000).into();
    let mut answerer = OfferAnswer::new(Capabilities::default(), 1);
    let mut offerer = OfferAnswer::new(Capabilities::default(), u64::MAX);
    for part in parts(input).take(4) {
        let description = match SessionDescription::parse(part) {
            Ok(description) => description,
            Err(error) => {
                shape.kind(&error);
                continue;
            }
        };
        let written = SessionDescription::parse(&description.to_bytes());
        assert_eq!(written.as_ref(), Ok(&description));
        shape.count(description.media.len());
        for media in description.media.iter().take(20) {
            shape.add((media.kind == description.media[0].kind, media.port == 0));
            shape.count(media.formats.len());
            let _ = (description.direction(media), description.connection(media));
            assert!((10..=60).contains(&media.packet_time().as_millis()));
            for format in &media.formats {
                let _ = media.rtpmap(format);
            }
        }
        let can = answerer.check_offer(&description, local);
        match answerer.handle_offer(&description, local, Direction::SendReceive) {
            Ok((answer, negotiated)) => {
                assert_eq!(can, Ok(()));
                let answer = SessionDescription::parse(&answer).expect("our answer can be read");
                assert_eq!(answer.media.len(), description.media.len());
                let taken = answer.media.iter().filter(|media| media.port != 0).count();
                assert_eq!(taken, 1, "one stream is taken");
                judge(&negotiated, &mut shape);
                assert_eq!(answerer.negotiated(), Some(&negotiated));
            }
            Err(error) => {
                assert_eq!(can, Err(error));
                shape.kind(&error);
            }
        }
        let offer = offerer.offer(local, Direction::SendReceive).expect("none is open");
        let offer = SessionDescription::parse(&offer).expect("our offer can be read");
        let before = offerer.negotiated().cloned();
        match offerer.handle_answer(&description) {
            Ok(negotiated) => {
                assert_eq!(description.media.len(), offer.media.len());
                judge(&negotiated, &mut shape);
            }
            Err(error) => {
                assert_eq!(offerer.negotiated(), before.as_ref(), "what held before holds on");
                shape.kind(&error);
            }
        }
        assert!(!offerer.is_offer_pending());
    }
    shape
}

fn judge(negotiated: &Negotiated, shape: &mut Shape) {
    assert!((10..=60).contains(&negotiated.packet_time.as_millis()));
    assert!(
        negotiated.remote.is_none_or(|remote| !remote.ip().is_multicast() && remote.port() != 0)
    );
    assert!(!negotiated.receive.is_empty());
    shape.kind(&negotiated.codec);
    shape.kind(&negotiated.direction);
    shape.add((negotiated.telephone_event.is_some(), negotiated.remote.is_some()));
    shape.add(negotiated.packet_time);
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = owned(&[
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n",
        b"v=0\no=a 1 2 IN IP6 ::1\ns=x\nc=IN IP6 ::1\nt=0 0\na=sendonly\nm=video 0 RTP/AVP 31\nm=audio 4000/2 RTP/SAVP 96 97\na=rtpmap:96 opus/48000/2\na=maxptime:1e9\nm=audio 9 RTP/AVP 8 13 118\na=rtpmap:118 PCMA/8000/1\na=inactive\na=rtcp:1\n",
        b"v=0\r\no=- 0 0 IN IP4 h\r\ns= \r\nb=AS:64\r\nt=1 2\r\nr=7d\r\nz=0 0\r\nk=x\r\nm=audio 1 RTP/AVP 8\r\ni=x\r\nc=IN IP4 0.0.0.0\r\nm=audio 2 RTP/AVP 9 8\r\nc=IN IP4 224.0.0.1/127\r\n",
    ]);
    let pair = [&seeds[0][..], &[SEPARATOR], &seeds[2]].concat();
    seeds.push(pair);
    for message in super::sip::messages() {
        if let Some(at) = message.windows(7).position(|window| window == b"\r\n\r\nv=0") {
            seeds.push(message[at + 4..].to_vec());
        }
    }
    seeds
}

const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"v=0",
    b"o=",
    b"s=-",
    b"t=0 0",
    b"c=IN IP4 0.0.0.0",
    b"c=IN IP4 1.2.3.4",
    b"c=IN IP6 ::1",
    b"c=IN IP4 224.0.0.1",
    b"m=audio 4000 RTP/AVP 0 8 101",
    b"m=audio 0 RTP/AVP 8",
    b"m=video 1 RTP/AVP 31",
    b"RTP/SAVP",
    b"RTP/AVPF",
    b"UDP/TLS/RTP/SAVPF",
    b"a=rtpmap:",
    b"a=rtpmap:96 PCMU/8000",
    b"101 telephone-event/8000",
    b"PCMA/8000",
    b"/16000",
    b"a=fmtp:101 0-15",
    b"a=ptime:",
    b"a=ptime:1e9",
    b"a=maxptime:1",
    b"a=sendonly",
    b"a=recvonly",
    b"a=inactive",
    b"a=sendrecv",
    b" 0",
    b" 8",
    b" 127",
    b" 128",
    b"/2",
    b":",
    b" ",
    b"=",
    b"\x1e",
    b"\0",
    b"\xff",
];
