//! Numbers and clocks that differ from one direction to the other, or from sound to keys.

use super::*;

fn number(number: u8) -> PayloadType {
    PayloadType::new(number).unwrap()
}

/// Opus under 111 to the peer and under 107 to us; keys under 110 and 102, at 48 kHz.
fn apart() -> StreamSettings {
    let mut settings = StreamSettings::new(peer(1), Codec::Opus);
    settings.payload_type = number(111);
    settings.receive = [(number(107), Codec::Opus)].into_iter().collect();
    settings.telephone_event = Some(number(110));
    settings.telephone_event_receive = [number(102), number(110)].into_iter().collect();
    settings.fast_events = settings.telephone_event_receive.clone();
    settings
}

#[test]
fn keys_beside_opus_are_timed_at_48_khz_both_ways() {
    let mut world = World::new();
    let stream = world.open_with(1, apart());
    world.command(Command::SendDigits {
        stream,
        signals: vec![Signal::Digit(Digit::from_char('7').unwrap())],
        tone: Duration::from_millis(100),
        gap: Duration::from_millis(60),
    });
    world.run_ms(400);
    let sent = world.sent_by(1);
    let begin = sent[0].read().timestamp();
    let reports: Vec<_> = sent
        .iter()
        .map(|packet| {
            let rtp = packet.read();
            assert_eq!((rtp.payload_type(), rtp.timestamp()), (110, begin));
            let payload = rtp.payload();
            (payload[1] & 0x80 != 0, u16::from_be_bytes([payload[2], payload[3]]))
        })
        .collect();
    assert!(sent[0].read().mark() && sent[1..].iter().all(|packet| !packet.read().mark()));
    // 20 ms are 960 steps, and the end comes three times.
    assert!(reports.iter().all(|&(_, duration)| duration % 960 == 0), "{reports:?}");
    let ends: Vec<_> = reports.iter().filter(|(is_end, _)| *is_end).collect();
    assert_eq!(ends, [&(true, 4800); 3], "{reports:?}");

    // And in, under our number and under the peer's own.
    for (index, payload_type) in [102, 110].into_iter().enumerate() {
        let mut header = Header {
            marker: Marker::Set,
            payload_type: number(payload_type),
            seq: Seq(100 + 10 * index as u16),
            time: RtpTime(50_000 * (1 + index as u32)),
            ssrc: Ssrc(9),
        };
        for (flags, duration) in [(10, 960_u16), (10, 2880), (0x8a, 5760), (0x8a, 5760)] {
            let [high, low] = duration.to_be_bytes();
            let octets = [&header.write()[..], &[5, flags, high, low]].concat();
            world.io.arrive(SocketId(1), peer(1), octets);
            header.seq = header.seq.next();
            world.run_ms(20);
        }
    }
    let key = Event::Digit {
        stream,
        digit: Digit::from_char('5').unwrap(),
        duration: Duration::from_millis(120),
    };
    assert_eq!(world.events.iter().filter(|&event| *event == key).count(), 2);
}

#[test]
fn each_direction_has_the_numbers_of_who_receives() {
    let mut world = World::new();
    let mut settings = StreamSettings::new(peer(1), Codec::L16);
    settings.payload_type = number(96);
    settings.receive = [(number(118), Codec::L16)].into_iter().collect();
    let stream = world.open_with(1, settings);
    let (sink, recorded) = rtrb::RingBuffer::new(100_000);
    world.command(tap(stream, TapSource::Received, sink));
    world.play(stream, 1, vec![PlayItem::Prompt(ramp(1600))]);
    let mut phone = Phone::new(1);
    for frame in 0..20 {
        // Its own number is not one of ours.
        let payload_type = number(if frame < 10 { 118 } else { 96 });
        phone.header.payload_type = payload_type;
        phone.send(&mut world.io, &[0x20; 2 * FRAME]);
        world.run_ms(20);
    }
    assert!(world.sent_by(1).iter().all(|packet| packet.read().payload_type() == 96));
    let heard = recorded.slots();
    assert!(heard > 0);
    let statistics = world.close(stream);
    assert_eq!((statistics.received_packets, statistics.unknown_payload), (10, 10));
}
