//! What a phone hears of a running engine, packet by packet.

use std::{net::UdpSocket, time::Duration};

use diesis_sounds::gsm;

use crate::running::{Engine, PJSIP};

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

#[test]
fn a_phone_of_gsm_alone_hears_the_engine_and_one_of_g729_alone_is_refused() {
    let pjsip = PJSIP.replacen("allow=ulaw", "allow=ulaw,gsm,g729", 1);
    let engine = Engine::start_as("gsm", "", |_, directory| {
        std::fs::write(directory.join("pjsip.conf"), pjsip).unwrap();
    });
    let (phone, media, port) = phone();
    let (status, answer) = engine.call_offering(&phone, "101", "one", &format!("{port} RTP/AVP 3"));
    assert_eq!(status, "200", "{answer}");
    assert!(answer.contains("RTP/AVP 3\r\n") && answer.contains("GSM/8000"), "{answer}");
    let mut decoder = gsm::Decoder::new();
    let mut heard = vec![];
    for _ in 0..25 {
        let (_, payload_type, payload) = receive(&media);
        assert_eq!((payload_type, payload.len()), (3, gsm::OCTETS));
        let mut samples = [0; gsm::SAMPLES];
        decoder.decode_into(&payload, &mut samples);
        heard.extend(samples.map(f64::from));
    }
    // Milliwatt is 1004 Hz.
    let of = |f: fn(f64) -> f64| -> f64 {
        let step = std::f64::consts::TAU * 1004.0 / 8000.0;
        heard[800..].iter().enumerate().map(|(n, sample)| sample * f(step * n as f64)).sum()
    };
    let power: f64 = heard[800..].iter().map(|sample| sample * sample).sum();
    let tone = 2.0 * (of(f64::sin).powi(2) + of(f64::cos).powi(2)) / (heard.len() - 800) as f64;
    assert!(tone > 0.9 * power && power > 1e9, "{tone:.0} of {power:.0}");

    let (phone, _, port) = self::phone();
    let offer = format!("{port} RTP/AVP 18");
    assert_eq!(engine.call_offering(&phone, "101", "two", &offer).0, "488");
}
