//! Two that are alone in a room.

use super::*;

const ROOM: RoomId = RoomId(1);

/// Streams 0, 1, .. in one room, with their phones.
fn room(streams: u64) -> (World, Vec<Phone>) {
    let mut world = World::new();
    for n in 0..streams {
        world.open(n);
        join(&mut world, n);
    }
    (world, (0..streams).map(Phone::new).collect())
}

fn join(world: &mut World, n: u64) {
    let (mute, talk_detection) = (MuteState::Open, TalkDetection::Off);
    world.command(Command::Join { stream: StreamId(n), room: ROOM, mute, talk_detection });
}

/// Sequence number, RTP time and payload, less those of the first packet.
fn relative(packets: &[Packet]) -> Vec<(u16, u32, Vec<u8>)> {
    let first = packets[0].read();
    let (seq, time) = (u16::from(first.sequence_number()), first.timestamp());
    let relative = packets.iter().map(|packet| {
        let rtp = packet.read();
        let number = u16::from(rtp.sequence_number()).wrapping_sub(seq);
        (number, rtp.timestamp().wrapping_sub(time), rtp.payload().to_vec())
    });
    relative.collect()
}

#[test]
fn each_gets_the_others_packets_as_they_are_with_gaps_and_overtaking() {
    let (mut world, mut phones) = room(2);
    let mut expected = vec![];
    for index in 0..60_u16 {
        // Of any length, and in bytes that no encoder would give back.
        let payload = vec![index as u8 | 1; if index % 7 == 0 { 80 } else { 160 }];
        let octets = phones[0].next(&payload);
        if index % 10 != 4 {
            world.io.arrive(SocketId(0), peer(0), octets);
            expected.push((index, u32::from(index) * 160, payload));
        }
        if index % 2 == 1 {
            world.run_ms(40);
        }
    }
    let sent = world.sent_by(1);
    assert_eq!(relative(&sent), expected);
    let first = sent[0].read();
    assert!(first.mark() && sent[1..].iter().all(|packet| !packet.read().mark()));
    assert!(sent.iter().all(|packet| packet.read().ssrc() == first.ssrc()));
    assert_ne!(first.ssrc(), 1000);
    // Who says nothing is not spoken for.
    assert!(world.sent_by(0).is_empty());

    // One overtakes another: it does so here too.
    world.io.sent.clear();
    let packets: Vec<_> = (0..4).map(|n| phones[0].next(&[n; FRAME])).collect();
    for index in [0, 2, 1, 3] {
        world.io.arrive(SocketId(0), peer(0), packets[index].clone());
    }
    world.run_ms(20);
    let numbers: Vec<_> = relative(&world.sent_by(1)).into_iter().map(|(seq, ..)| seq).collect();
    assert_eq!(numbers, [0, 2, 1, 3]);
}

#[test]
fn each_is_sent_the_payload_type_that_it_asked_for() {
    let mut world = World::new();
    world.open(0);
    let number = PayloadType::new(96).expect("it is dynamic");
    let mut settings = StreamSettings::new(peer(1), Codec::Pcmu);
    settings.payload_type = number;
    world.open_with(1, settings);
    join(&mut world, 0);
    join(&mut world, 1);
    Phone::new(0).send(&mut world.io, &[1; FRAME]);
    world.run_ms(20);
    assert_eq!(world.sent_by(1)[0].read().payload_type(), 96);
}

#[test]
fn a_third_makes_it_a_mix_and_its_leaving_a_pair_again() {
    let (mut world, mut phones) = room(2);
    let mut third = Phone::new(2);
    world.open(2);
    let mut frame = 0;
    let mut talk = |world: &mut World, phones: &mut [Phone], frames: u64| {
        for _ in 0..frames {
            for (phone, hertz) in phones.iter_mut().zip([400.0, 900.0]) {
                phone.send(&mut world.io, &sine(hertz, 4000.0, frame));
            }
            third.send(&mut world.io, &sine(1400.0, 4000.0, frame));
            frame += 1;
            world.run_ms(20);
        }
    };
    talk(&mut world, &mut phones, 50);
    join(&mut world, 2);
    talk(&mut world, &mut phones, 100);
    world.command(Command::Leave { stream: StreamId(2) });
    talk(&mut world, &mut phones, 50);
    for (own, other) in [(0, 900.0), (1, 400.0)] {
        let sent = world.sent_by(own);
        let (pair, mix) = (&sent[5..45], &sent[80..140]);
        let again = &sent[sent.len() - 40..];
        assert!(amplitude(pair, 1400.0) < 40.0 && amplitude(again, 1400.0) < 40.0);
        assert!((3600.0..4400.0).contains(&amplitude(mix, 1400.0)));
        for part in [pair, mix, again] {
            let level = amplitude(part, other);
            assert!((3600.0..4400.0).contains(&level), "{level}");
        }
        assert_in_order(&sent);
    }
}

/// No number twice, no time that goes back.
fn assert_in_order(packets: &[Packet]) {
    for two in packets.windows(2) {
        let (one, next) = (two[0].read(), two[1].read());
        assert_eq!(next.sequence_number() - one.sequence_number(), 1);
        let step = next.timestamp().wrapping_sub(one.timestamp());
        assert!((160..8000).contains(&step), "{step}");
        assert_eq!(next.ssrc(), one.ssrc());
    }
}

#[test]
fn a_play_and_keys_take_precedence_and_the_numbers_go_on_behind_them() {
    let (mut world, mut phones) = room(2);
    let mut talk = |world: &mut World, frames: u64| {
        for _ in 0..frames {
            phones[0].send(&mut world.io, &[0x55; FRAME]);
            world.run_ms(20);
        }
    };
    talk(&mut world, 10);
    world.play(StreamId(1), 1, vec![PlayItem::Prompt(ramp(1600))]);
    talk(&mut world, 20);
    let digits = vec![Signal::Digit(Digit::from_char('5').expect("a key"))];
    let (tone, gap) = (Duration::from_millis(100), Duration::from_millis(60));
    let stream = StreamId(1);
    world.command(Command::SendDigits { stream, signals: digits, tone, gap });
    talk(&mut world, 20);
    let sent = world.sent_by(1);
    let is_audio = |packet: &&Packet| packet.read().payload_type() == 0;
    let audio: Vec<_> = sent.iter().filter(is_audio).cloned().collect();
    let passed = |packet: &&Packet| packet.read().payload() == [0x55; FRAME];
    let prompt = ramp(1600);
    let played: Vec<_> = audio.iter().filter(|packet| !passed(packet)).collect();
    assert_eq!(played.len(), 10);
    for (index, packet) in played.iter().enumerate() {
        assert_eq!(packet.read().payload(), prompt.frame(index, Law::Mu).expect("a frame"));
    }
    assert!(audio.iter().filter(passed).count() >= 25);
    assert!(sent.iter().filter(|packet| packet.read().payload_type() == 101).count() >= 5);
    for two in sent.windows(2) {
        assert_eq!(two[1].read().sequence_number() - two[0].read().sequence_number(), 1);
    }
    let mut times = audio
        .windows(2)
        .map(|two| two[1].read().timestamp().wrapping_sub(two[0].read().timestamp()));
    assert!(times.all(|step| (160..8000).contains(&step)));
}

#[test]
fn two_codecs_a_muted_member_or_a_listener_make_it_a_mix() {
    let pcma = || StreamSettings::new(peer(1), Codec::Pcma);
    /// What it gives back is kept until the end.
    type Change = fn(&mut World) -> Option<rtrb::Consumer<i16>>;
    let changes: [(StreamSettings, Change); 4] = [
        (pcma(), |_| None),
        (StreamSettings::new(peer(1), Codec::Pcmu), |world| {
            let (stream, mute) = (StreamId(1), MuteState::Muted);
            world.command(Command::Mute { stream, mute });
            None
        }),
        (StreamSettings::new(peer(1), Codec::Pcmu), |world| {
            let (sink, reader) = rtrb::RingBuffer::new(16_000);
            world.command(Command::TapRoom { room: ROOM, tap: TapId(1), rate: Rate::Narrow, sink });
            Some(reader)
        }),
        (StreamSettings::new(peer(1), Codec::Pcmu), |world| {
            let items = vec![PlayItem::Silence(Duration::from_secs(9))];
            world.command(Command::PlayToRoom { room: ROOM, play: PlayId(1), items, except: None });
            None
        }),
    ];
    for (settings, change) in changes {
        let mut world = World::new();
        world.open(0);
        world.open_with(1, settings);
        join(&mut world, 0);
        join(&mut world, 1);
        let _kept = change(&mut world);
        world.run_ms(100);
        // A mix is sent whether anybody talks or not.
        assert!(world.sent_by(1).len() >= 4);
    }
}

#[test]
fn a_recording_of_both_sides_holds_both() {
    let (mut world, mut phones) = room(2);
    let (sink, mut ring) = rtrb::RingBuffer::new(160_000);
    world.command(tap(StreamId(1), TapSource::Both, sink));
    for frame in 0..100 {
        phones[0].send(&mut world.io, &sine(400.0, 4000.0, frame));
        phones[1].send(&mut world.io, &sine(900.0, 4000.0, frame));
        world.run_ms(20);
    }
    let mut samples = vec![];
    while let Ok(sample) = ring.pop() {
        samples.push(sample);
    }
    let steady = &samples[8000..15_200];
    for hertz in [400.0, 900.0] {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (n, &sample) in steady.iter().enumerate() {
            let angle = std::f64::consts::TAU * hertz * n as f64 / 8000.0;
            real += f64::from(sample) * angle.cos();
            imaginary += f64::from(sample) * angle.sin();
        }
        let level = 2.0 * real.hypot(imaginary) / steady.len() as f64;
        assert!((3600.0..4400.0).contains(&level), "{hertz}: {level}");
    }
}

#[test]
fn another_source_or_a_long_gap_begins_anew_with_a_marker() {
    let (mut world, mut phones) = room(2);
    let send = |world: &mut World, phone: &mut Phone| {
        for _ in 0..5 {
            phone.send(&mut world.io, &[1; FRAME]);
            world.run_ms(20);
        }
    };
    send(&mut world, &mut phones[0]);
    phones[0].header.ssrc = Ssrc(77);
    phones[0].header.seq = Seq(9);
    phones[0].header.time = RtpTime(5);
    send(&mut world, &mut phones[0]);
    // Silent for a minute, and its clock stood still.
    world.run_ms(60_000);
    send(&mut world, &mut phones[0]);
    // A frame of silence every 15 s keeps the way open.
    let (sent, kept_alive): (Vec<_>, Vec<_>) =
        world.sent_by(1).into_iter().partition(|packet| packet.read().payload() == [1; FRAME]);
    assert_eq!((sent.len(), kept_alive.len()), (15, 4));
    let marks: Vec<_> = (0..15).filter(|&index| sent[index].read().mark()).collect();
    assert_eq!(marks, [0, 5, 10]);
    let numbers: Vec<_> = relative(&world.sent_by(1)).into_iter().map(|(seq, ..)| seq).collect();
    assert_eq!(numbers, (0..19).collect::<Vec<_>>());
    // Time ran on.
    let step = sent[10].read().timestamp().wrapping_sub(sent[9].read().timestamp());
    assert!((478_000..482_000).contains(&step), "{step}");
}
