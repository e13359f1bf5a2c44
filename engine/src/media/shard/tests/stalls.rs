//! A process that stood still: what its peers hear afterwards is of now.

use super::*;

/// For how long: as `SIGSTOP`, a live migration or a suspended laptop do it.
const STALL_MS: u64 = 3000;

#[test]
fn after_three_seconds_nobody_gets_a_burst_and_the_numbers_go_on() {
    let mut world = World::new();
    for n in 1..=20 {
        let stream = world.open(n);
        world.play(stream, n, vec![PlayItem::Silence(Duration::from_secs(9))]);
    }
    world.run_ms(400);
    world.io.now_ms += STALL_MS;
    let resumed = world.io.now_ms;
    world.run_ms(400);
    for n in 1..=20 {
        let sent = world.sent_by(n);
        let after = sent.iter().position(|packet| packet.at_ms >= resumed).expect("it goes on");
        assert!((20..=21).contains(&(sent.len() - after)), "{}", sent.len() - after);
        for (index, pair) in sent.windows(2).enumerate() {
            let (one, two) = (pair[0].read(), pair[1].read());
            assert_eq!(two.sequence_number() - one.sequence_number(), 1, "nothing seems lost");
            assert_eq!(two.mark(), index + 1 == after, "a talkspurt begins");
            let passed = pair[1].at_ms - pair[0].at_ms;
            let step = two.timestamp().wrapping_sub(one.timestamp());
            match index + 1 == after {
                true => assert!(u64::from(step).abs_diff(passed * 8) <= 160, "{step} {passed}"),
                false => assert_eq!((step, passed >= 10), (160, true)),
            }
        }
    }
    assert!(world.shard.counters().skipped_ticks > 500);
}

#[test]
fn what_waited_meanwhile_is_counted_and_not_sent_on() {
    let mut world = World::new();
    let stream = world.open(1);
    world.command(Command::Echo { stream, state: EchoState::On });
    for n in [2, 3] {
        let stream = world.open(n);
        let (room, mute) = (RoomId(1), MuteState::Open);
        let talk_detection = TalkDetection::Off;
        world.command(Command::Join { stream, room, mute, talk_detection });
    }
    let mut phones = [Phone::new(1), Phone::new(2), Phone::new(3)];
    let mut count = 0;
    let mut speak = |world: &mut World| {
        count += 1;
        for phone in &mut phones {
            phone.send(&mut world.io, &[count as u8; 160]);
        }
    };
    for _ in 0..20 {
        speak(&mut world);
        world.run_ms(20);
    }
    let before = world.io.sent.len();
    assert_eq!(before, 60);
    // The phones speak on; as much waits as a socket holds.
    for _ in 0..90 {
        speak(&mut world);
    }
    world.io.now_ms += STALL_MS;
    world.run_ms(20);
    assert!(world.io.sent.len() - before <= 3, "{}", world.io.sent.len() - before);
    for _ in 0..20 {
        speak(&mut world);
        world.run_ms(20);
    }
    for n in 1..=3 {
        let sent = world.sent_by(n);
        let payloads: Vec<u8> = sent.iter().map(|packet| packet.read().payload()[0]).collect();
        let expected: Vec<u8> = (1..=20).chain(111..=130).collect();
        assert_eq!(payloads, expected, "to {n}");
        // In a pair what the other lost is missing too: there it is the stall.
        let leap = sent[20].read().sequence_number() - sent[19].read().sequence_number();
        assert!(leap == 1 || n > 1 && leap == 91, "{leap}");
        let step = sent[20].read().timestamp().wrapping_sub(sent[19].read().timestamp());
        assert!(step.abs_diff(8 * STALL_MS as u32 + 160) <= 8 * 1300, "{step}");
    }
    let statistics = world.close(stream);
    assert_eq!((statistics.received_packets, statistics.lost), (130, 0));
    // As the network was before and after; not as the stall.
    assert!(statistics.greatest_jitter < Duration::from_millis(150), "{statistics:?}");
}

#[test]
fn a_key_pressed_during_a_stall_is_heard() {
    let mut world = World::new();
    let stream = world.open(1);
    world.run_ms(100);
    let mut phone = Phone::new(1);
    let time = phone.header.time;
    for (length, end) in [(160_u16, 0), (800, 0x80), (800, 0x80), (800, 0x80)] {
        let [high, low] = length.to_be_bytes();
        let octets = phone.event(time, [5, end | 10, high, low]);
        world.io.arrive(SocketId(1), peer(1), octets);
    }
    world.io.now_ms += STALL_MS;
    world.run_ms(100);
    let keys: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Digit { stream: of, digit, .. } if *of == stream => Some(digit.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(keys, ["5"]);
}
