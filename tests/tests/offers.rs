//! Offers of telephones with video, as they were captured, and what is made of them: sound, and each
//! other line refused in its place (RFC 3264 §6).

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use diesis_engine::media::Direction;
use diesis_engine::sdp::{
    Attribute, Capabilities, MediaKind, NegotiationError, OfferAnswer, SessionDescription,
};

/// Of whom sound is taken.
const TALKING: [&str; 6] = [
    "baresip-1.0.0",
    "baresip-1.0.0-ice",
    "baresip-1.0.0-srtp",
    "linphone-5.1.65",
    "linphone-5.1.65-avpf",
    "linphone-5.1.65-bundle",
];

/// Who wants everything encrypted.
const ENCRYPTED: [&str; 2] = ["baresip-1.0.0-dtls", "linphone-5.1.65-srtp"];

fn captured(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/offers");
    fs::read_to_string(directory.join(format!("{name}.sdp"))).expect("the offer is there")
}

fn read(text: &str) -> SessionDescription {
    SessionDescription::parse(text.as_bytes()).expect("it can be read")
}

/// A captured offer cut into what is before the first media line, and its media lines with all that
/// belongs to each.
fn parts(text: &str) -> (&str, Vec<&str>) {
    let mut starts: Vec<usize> = text.match_indices("\nm=").map(|(at, _)| at + 1).collect();
    starts.push(text.len());
    let media = starts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
    (&text[..starts[0]], media)
}

fn local() -> SocketAddr {
    "192.0.2.1:20000".parse().expect("an address")
}

fn dialog() -> OfferAnswer {
    OfferAnswer::new(Capabilities::default(), 1)
}

/// Answers, and sees to what every answer has to be.
#[track_caller]
fn answer(dialog: &mut OfferAnswer, offer: &str) -> SessionDescription {
    let offer = read(offer);
    let (answer, negotiated) = dialog
        .handle_offer(&offer, local(), Direction::SendReceive)
        .expect("there is sound to be had");
    let text = String::from_utf8(answer.to_vec()).expect("it is text");
    let answer = read(&text);
    assert_eq!(answer.media.len(), offer.media.len(), "line for line:\n{text}");
    let mut sounds = 0;
    for (ours, theirs) in answer.media.iter().zip(&offer.media) {
        assert_eq!((&ours.kind, &ours.protocol), (&theirs.kind, &theirs.protocol), "{text}");
        if ours.port != 0 {
            sounds += 1;
            assert_eq!((&ours.kind, ours.port), (&MediaKind::Audio, local().port()), "{text}");
            assert!(ours.formats.iter().all(|format| theirs.formats.contains(format)), "{text}");
            continue;
        }
        assert_eq!(ours.formats, theirs.formats, "a refused line repeats what it refuses:\n{text}");
        let said: &[Attribute] = match ours.kind {
            MediaKind::Video => &[Attribute { name: "inactive".into(), value: None }],
            _ => &[],
        };
        assert_eq!(ours.attributes, said, "{text}");
    }
    assert_eq!(sounds, 1, "{text}");
    assert_eq!(negotiated.direction, Direction::SendReceive);
    assert_eq!(negotiated.remote.map(|it| it.ip().to_string()).as_deref(), Some("192.0.2.10"));
    // Nothing is agreed to that is not done.
    for promise in ["a=group", "a=mid", "a=crypto", "a=candidate", "a=ice-", "a=fingerprint"] {
        assert!(!text.contains(promise), "{promise}:\n{text}");
    }
    answer
}

fn kinds(description: &SessionDescription) -> Vec<(MediaKind, bool)> {
    description.media.iter().map(|media| (media.kind.clone(), media.port != 0)).collect()
}

#[test]
fn cnf_1_a_telephone_with_video_gets_sound_and_its_pictures_are_refused() {
    for name in TALKING {
        let answer = answer(&mut dialog(), &captured(name));
        let expected = [(MediaKind::Audio, true), (MediaKind::Video, false)];
        assert_eq!(kinds(&answer), expected, "{name}");
    }
}

#[test]
fn cnf_1_video_may_come_before_sound() {
    for name in TALKING {
        let text = captured(name);
        let (head, media) = parts(&text);
        let answer = answer(&mut dialog(), &[head, media[1], media[0]].concat());
        let expected = [(MediaKind::Video, false), (MediaKind::Audio, true)];
        assert_eq!(kinds(&answer), expected, "{name}");
    }
}

#[test]
fn cnf_1_video_that_is_added_later_is_refused_and_sound_goes_on() {
    for name in TALKING {
        let text = captured(name);
        let (head, media) = parts(&text);
        let mut dialog = dialog();
        let first = answer(&mut dialog, &[head, media[0]].concat());
        let with_video = answer(&mut dialog, &text);
        assert_eq!(with_video.media[0], first.media[0], "{name}: its sound is what it was");
        assert_ne!(with_video.origin.version, first.origin.version, "{name}");
        // What we offer then keeps the line (RFC 3264 §8).
        let offer = dialog.offer(local(), Direction::SendReceive).expect("none is open");
        let offer = SessionDescription::parse(&offer).expect("it can be read");
        let expected = [(MediaKind::Audio, true), (MediaKind::Video, false)];
        assert_eq!(kinds(&offer), expected, "{name}");
    }
}

/// Slides, floor control (RFC 8856), text while it is typed (RFC 4103), data, and a line that only a
/// bundle has (RFC 9143 §6): what is offered beside sound and pictures.
const MORE: &str = "m=video 5006 RTP/AVP 98\r\na=rtpmap:98 H264/90000\r\na=content:slides\r\n\
    m=application 5010 TCP/BFCP *\r\na=floorctrl:c-s\r\na=setup:active\r\na=connection:new\r\n\
    m=text 5012 RTP/AVP 99\r\na=rtpmap:99 t140/1000\r\n\
    m=application 5014 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\n\
    m=video 0 UDP/TLS/RTP/SAVPF 100\r\na=rtpmap:100 VP8/90000\r\na=mid:more\r\na=bundle-only\r\n";

#[test]
fn cnf_1_whatever_else_is_offered_is_refused_line_by_line() {
    for name in TALKING {
        let answer = answer(&mut dialog(), &(captured(name) + MORE));
        assert_eq!(answer.media.len(), 7, "{name}");
        assert_eq!(answer.media[0].port, local().port(), "{name}");
    }
}

#[test]
fn cnf_1_encrypted_video_beside_plain_sound_keeps_the_sound() {
    for encrypted in ENCRYPTED {
        let (plain, encrypted) = (captured(TALKING[0]), captured(encrypted));
        let ((head, plain), (_, encrypted)) = (parts(&plain), parts(&encrypted));
        let answer = answer(&mut dialog(), &[head, encrypted[1], plain[0]].concat());
        let expected = [(MediaKind::Video, false), (MediaKind::Audio, true)];
        assert_eq!(kinds(&answer), expected);
    }
}

#[test]
fn nothing_is_agreed_with_who_wants_all_encrypted() {
    for name in ENCRYPTED {
        let offer = read(&captured(name));
        let refused = dialog().handle_offer(&offer, local(), Direction::SendReceive);
        assert_eq!(refused.expect_err("no sound"), NegotiationError::NothingInCommon, "{name}");
    }
}

#[test]
fn cnf_1_pictures_alone_are_no_call() {
    for name in TALKING {
        let text = captured(name);
        let (head, media) = parts(&text);
        let offer = read(&[head, media[1]].concat());
        let refused = dialog().handle_offer(&offer, local(), Direction::SendReceive);
        assert_eq!(refused.expect_err("no sound"), NegotiationError::NothingInCommon, "{name}");
    }
}
