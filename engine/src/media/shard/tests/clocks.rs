//! Numbers and clocks that differ from one direction to the other, or from sound to keys.

use super::*;
use crate::media::EventClock;

fn number(number: u8) -> PayloadType {
    PayloadType::new(number).unwrap()
}

/// A codec under 111 to the peer and under 107 to us; keys under 110 and 102, at its clock.
fn apart(codec: Codec) -> StreamSettings {
    let mut settings = StreamSettings::new(peer(1), codec);
    settings.payload_type = number(111);
    settings.receive = [(number(107), codec)].into_iter().collect();
    settings.telephone_event = Some(number(110));
    settings.telephone_event_receive = [number(102), number(110)].into_iter().collect();
    let clock = EventClock::of(codec);
    settings.fast_events = [(number(102), clock), (number(110), clock)].into_iter().collect();
    settings
}

#[test]
fn keys_are_timed_by_the_clock_of_the_sound_beside_them_both_ways() {
    for codec in [Codec::Opus, Codec::L16Wide, Codec::L16Full] {
        let mut world = World::new();
        let stream = world.open_with(1, apart(codec));
        let step = codec.frame_time() as u16;
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
        // The end comes three times.
        assert!(reports.iter().all(|&(_, duration)| duration % step == 0), "{reports:?}");
        let ends: Vec<_> = reports.iter().filter(|(is_end, _)| *is_end).collect();
        assert_eq!(ends, [&(true, 5 * step); 3], "{reports:?}");

        // And in, under our number and under the peer's own.
        for (index, payload_type) in [102, 110].into_iter().enumerate() {
            let mut header = Header {
                marker: Marker::Set,
                payload_type: number(payload_type),
                seq: Seq(100 + 10 * index as u16),
                time: RtpTime(50_000 * (1 + index as u32)),
                ssrc: Ssrc(9),
            };
            for (flags, frames) in [(10, 1), (10, 3), (0x8a, 6), (0x8a, 6)] {
                let [high, low] = (frames * step).to_be_bytes();
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
        let heard = world.events.iter().filter(|&event| *event == key).count();
        assert_eq!(heard, 2, "{codec:?}");
    }
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
