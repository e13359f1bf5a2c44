//! Rooms: who hears whom, how loud, and what bad lines and announcements do to it.

use super::*;

/// The way from a phone: one packet in twenty is lost, the others take up to 40 ms.
struct BadLine {
    phone: u64,
    random: Entropy,
    on_the_way: Vec<(u64, Vec<u8>)>,
}

impl BadLine {
    fn new(phone: u64, seed: u64) -> Self {
        Self { phone, random: Entropy::new(seed), on_the_way: vec![] }
    }

    fn take(&mut self, at_ms: u64, packet: Vec<u8>) {
        if self.random.fraction() >= 0.05 {
            self.on_the_way.push((at_ms + u64::from(self.random.below(41)), packet));
        }
    }

    fn deliver(&mut self, io: &mut Memory) {
        let now = io.now_ms;
        for (_, packet) in self.on_the_way.extract_if(.., |(at, _)| *at <= now) {
            io.arrive(SocketId(self.phone as u32), peer(self.phone), packet);
        }
    }
}

#[test]
fn everyone_in_a_room_hears_all_others_and_never_himself() {
    let tones = [400.0, 650.0, 900.0, 1150.0, 1400.0, 1650.0];
    let mut world = World::new();
    let mut phones = vec![];
    for n in 0..6 {
        let stream = world.open(n);
        let (mute, talk_detection) = (MuteState::Open, TalkDetection::On);
        world.command(Command::Join { stream, room: RoomId(1), mute, talk_detection });
        phones.push(Phone::new(n));
    }
    for frame in 0..200 {
        for (phone, &hertz) in phones.iter_mut().zip(&tones) {
            let payload = sine(hertz, 4000.0, frame);
            phone.send(&mut world.io, &payload);
        }
        world.run_ms(20);
    }
    for own in 0..6_usize {
        let sent = world.sent_by(own as u32);
        assert!(sent.len() >= 199);
        let steady = &sent[sent.len() - 100..];
        assert!(steady.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms == 20));
        for (other, &hertz) in tones.iter().enumerate() {
            let level = amplitude(steady, hertz);
            if other == own {
                assert!(level < 40.0, "{own} hears himself at {level}");
            } else {
                assert!((3600.0..4400.0).contains(&level), "{own} hears {other} at {level}");
            }
        }
        let talk = Event::Talking { stream: StreamId(own as u64), talk: Talk::Started };
        assert!(world.events.contains(&talk));
    }
}

#[test]
fn a_jittery_lossy_member_is_still_heard_by_the_others() {
    let mut world = World::new();
    for n in 0..3 {
        let stream = world.open(n);
        let (mute, talk_detection) = (MuteState::Open, TalkDetection::Off);
        world.command(Command::Join { stream, room: RoomId(1), mute, talk_detection });
    }
    let mut phone = Phone::new(1);
    let mut line = BadLine::new(1, 5);
    for step in 0..2000_u64 {
        if step % 4 == 0 {
            line.take(step * 5, phone.next(&sine(1000.0, 8000.0, step / 4)));
        }
        line.deliver(&mut world.io);
        world.run_ms(5);
    }
    let sent = world.sent_by(0);
    let steady = &sent[100..];
    // By frame, since the phase moves when the playout delay grows.
    let level =
        steady.chunks(1).map(|frame| amplitude(frame, 1000.0)).sum::<f64>() / steady.len() as f64;
    assert!(level > 8000.0 * 0.708, "{level}");
    let statistics = world.close(StreamId(1));
    assert!(statistics.late < 10, "{statistics:?}");
}

/// Signal to noise in dB of a tone in what was sent to a phone.
fn signal_to_noise(packets: &[Packet], hertz: f64) -> f64 {
    let tone = amplitude(packets, hertz);
    let mut samples = vec![0; packets.len() * FRAME];
    for (packet, samples) in packets.iter().zip(samples.chunks_mut(FRAME)) {
        Law::Mu.decode_into(packet.read().payload(), samples);
    }
    let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let signal = tone * tone / 2.0;
    10.0 * (signal / (power / samples.len() as f64 - signal).max(1e-9)).log10()
}

#[test]
fn what_one_leg_loses_and_delays_is_not_heard_in_what_another_says() {
    let mut world = World::new();
    for n in 0..3 {
        let stream = world.open(n);
        let (mute, talk_detection) = (MuteState::Open, TalkDetection::Off);
        world.command(Command::Join { stream, room: RoomId(1), mute, talk_detection });
    }
    // 1 says a tone without fault; 2 says nothing, over a bad line.
    let (mut clean, mut bad) = (Phone::new(1), Phone::new(2));
    let mut line = BadLine::new(2, 11);
    for step in 0..1200_u64 {
        if step % 4 == 0 {
            clean.send(&mut world.io, &sine(1000.0, 8000.0, step / 4));
            line.take(step * 5, bad.next(&[0xff; FRAME]));
        }
        line.deliver(&mut world.io);
        world.run_ms(5);
    }
    let heard = world.sent_by(0);
    let ratio = signal_to_noise(&heard[100..250], 1000.0);
    assert!(ratio > 35.0, "{ratio:.1} dB, which is what G.711 has");
}

#[test]
fn volumes_are_those_of_one_member_and_an_announcement_is_kept_from_another() {
    let mut world = World::new();
    let mut phones = vec![];
    for n in 0..3 {
        let stream = world.open(n);
        let (mute, talk_detection) = (MuteState::Open, TalkDetection::Off);
        world.command(Command::Join { stream, room: RoomId(1), mute, talk_detection });
        phones.push(Phone::new(n));
    }
    let (louder, quieter) = (Gain::UNITY.louder().louder(), Gain::UNITY.quieter().quieter());
    let stream = StreamId(0);
    world.command(Command::SetVolume { stream, listening: louder, talking: Gain::UNITY });
    let stream = StreamId(1);
    world.command(Command::SetVolume { stream, listening: Gain::UNITY, talking: quieter });
    let prompt: Vec<i16> = (0..16_000)
        .map(|n| (4000.0 * (std::f64::consts::TAU * 2000.0 * f64::from(n) / 8000.0).sin()) as i16)
        .collect();
    let items = vec![PlayItem::Prompt(Arc::new(Prompt::from_samples(&prompt)))];
    let (room, play, except) = (RoomId(1), PlayId(1), Some(StreamId(2)));
    world.command(Command::PlayToRoom { room, play, items, except });
    for frame in 0..90 {
        for (phone, hertz) in phones.iter_mut().zip([500.0, 1000.0, 1500.0]) {
            phone.send(&mut world.io, &sine(hertz, 4000.0, frame));
        }
        world.run_ms(20);
    }
    let heard: Vec<Vec<f64>> = (0..3)
        .map(|n| {
            let packets = &world.sent_by(n)[30..80];
            [500.0, 1000.0, 1500.0, 2000.0].map(|hertz| amplitude(packets, hertz)).to_vec()
        })
        .collect();
    let expected =
        [[0.0, 4000.0, 8000.0, 8000.0], [4000.0, 0.0, 4000.0, 4000.0], [4000.0, 2000.0, 0.0, 0.0]];
    for (heard, expected) in heard.iter().zip(expected) {
        for (heard, expected) in heard.iter().zip(expected) {
            assert!((heard - expected).abs() < 200.0, "{heard} {expected}");
        }
    }
}

#[test]
fn muted_members_are_not_heard_and_deaf_ones_sent_nothing() {
    let mut world = World::new();
    let states = [MuteState::Open, MuteState::Muted, MuteState::Deaf];
    for (n, mute) in (0..).zip(states) {
        let stream = world.open(n);
        let talk_detection = TalkDetection::Off;
        world.command(Command::Join { stream, room: RoomId(1), mute, talk_detection });
    }
    let mut phones: Vec<_> = (0..3).map(Phone::new).collect();
    for frame in 0..100 {
        for (phone, hertz) in phones.iter_mut().zip([500.0, 1000.0, 1500.0]) {
            phone.send(&mut world.io, &sine(hertz, 4000.0, frame));
        }
        world.run_ms(20);
    }
    let open = &world.sent_by(0)[50..];
    assert!(amplitude(open, 1000.0) < 40.0 && amplitude(open, 1500.0) > 3600.0);
    let muted = &world.sent_by(1)[50..];
    assert!(amplitude(muted, 500.0) > 3600.0 && amplitude(muted, 1500.0) > 3600.0);
    assert!(world.sent_by(2).is_empty());
}

#[test]
fn an_announcement_is_heard_by_all_and_a_private_play_by_one() {
    let mut world = World::new();
    for n in 0..3 {
        let stream = world.open(n);
        let (mute, talk_detection) = (MuteState::Open, TalkDetection::Off);
        world.command(Command::Join { stream, room: RoomId(9), mute, talk_detection });
    }
    let prompt = ramp(1600);
    let items = vec![PlayItem::Prompt(prompt.clone())];
    world.command(Command::PlayToRoom { room: RoomId(9), play: PlayId(5), items, except: None });
    world.run_ms(400);
    for n in 0..3 {
        let heard: Vec<u8> =
            world.sent_by(n).iter().flat_map(|packet| packet.read().payload().to_vec()).collect();
        let whole: Vec<u8> =
            (0..10).flat_map(|index| *prompt.frame(index, Law::Mu).unwrap()).collect();
        assert!(heard.windows(1600).any(|part| part == whole), "{n}");
    }
    let finished =
        Event::RoomPlayFinished { room: RoomId(9), play: PlayId(5), end: PlayEnd::Completed };
    assert!(world.events.contains(&finished));
    world.play(StreamId(1), 6, vec![PlayItem::Prompt(ramp(160))]);
    world.io.sent.clear();
    world.run_ms(20);
    let silent = |n| {
        let mut samples = [0_i16; FRAME];
        Law::Mu.decode_into(world.sent_by(n)[0].read().payload(), &mut samples);
        samples.iter().all(|sample| sample.abs() <= 24)
    };
    assert!(silent(0) && !silent(1) && silent(2));
}
