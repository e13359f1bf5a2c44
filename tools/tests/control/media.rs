//! What a phone hears of a running engine, packet by packet.

use std::{net::UdpSocket, time::Duration};

use crate::running::Engine;

/// The next RTP packet: whether it is marked, its payload type, and its payload.
fn receive(media: &UdpSocket) -> (bool, u8, Vec<u8>) {
    media.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut buffer = [0; 2048];
    loop {
        let length = media.recv(&mut buffer).expect("a packet");
        // RTCP comes to another port.
        if length > 12 {
            return (buffer[1] & 0x80 != 0, buffer[1] & 0x7f, buffer[12..length].to_vec());
        }
    }
}

fn phone() -> (UdpSocket, UdpSocket, u16) {
    let media = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = media.local_addr().unwrap().port();
    (UdpSocket::bind("127.0.0.1:0").unwrap(), media, port)
}

#[test]
fn a_phone_that_takes_comfort_noise_is_told_of_silence_and_others_are_not() {
    let engine = Engine::start("noise");
    let (phone, media, port) = phone();
    let offer = format!("{port} RTP/AVP 0 13");
    let (status, answer) = engine.call_offering(&phone, "100", "one", &offer);
    assert_eq!(status, "200", "{answer}");
    assert!(answer.contains("RTP/AVP 0 13\r\n"), "{answer}");
    assert!(answer.contains("a=rtpmap:13 CN/8000"), "{answer}");
    // It answers and waits: nothing is played.
    let (marked, payload_type, payload) = receive(&media);
    assert_eq!((marked, payload_type, payload.len()), (false, 13, 1));

    let (phone, media, port) = self::phone();
    let (_, answer) = engine.call_offering(&phone, "101", "two", &format!("{port} RTP/AVP 0"));
    assert!(!answer.contains("CN/8000"), "{answer}");
    let first = receive(&media);
    assert_eq!((first.0, first.1), (true, 0), "a talkspurt begins");
    let (marked, payload_type, _) = receive(&media);
    assert_eq!((marked, payload_type), (false, 0));
}
