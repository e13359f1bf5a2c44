//! Pauses: what is marked, what noise is heard and told, and what is no loss.

use super::*;

const CN: PayloadType = PayloadType::COMFORT_NOISE;

impl Phone {
    /// Says that there is only noise, 50 dB below overload.
    fn say_noise(&mut self, io: &mut Memory) {
        let header = Header { payload_type: CN, ..self.header };
        self.header.seq = self.header.seq.next();
        io.arrive(self.socket, self.address, [&header.write()[..], &[50]].concat());
    }

    fn wait(&mut self, frames: i32) {
        self.header.time = self.header.time.plus(frames * FRAME as i32);
    }
}

fn with_noise(n: u64) -> StreamSettings {
    let mut settings = StreamSettings::new(peer(n), Codec::Pcmu);
    settings.comfort_noise = Some(CN);
    settings
}

fn join(world: &mut World, stream: StreamId) {
    let (mute, talk_detection) = (MuteState::Open, TalkDetection::On);
    world.command(Command::Join { stream, room: RoomId(1), mute, talk_detection });
}

fn level(packet: &Packet) -> f64 {
    let mut samples = [0; FRAME];
    Law::Mu.decode_into(packet.read().payload(), &mut samples);
    let power: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    (power / FRAME as f64).sqrt()
}

/// 50 dB below overload is 104.
fn is_noise(packet: &Packet) -> bool {
    (60.0..170.0).contains(&level(packet))
}

/// The peer speaks for so many frames; what it says is heard while it does.
fn speak(world: &mut World, phone: &mut Phone, frames: u64) {
    for frame in 0..frames {
        phone.send(&mut world.io, &sine(400.0, 8000.0, frame));
        world.run_ms(20);
    }
}

#[test]
fn each_play_begins_with_a_marker_and_nothing_else_is_marked() {
    let mut world = World::new();
    let stream = world.open(1);
    world.play(stream, 1, vec![PlayItem::Prompt(ramp(1600)), PlayItem::Prompt(ramp(1600))]);
    world.run_ms(205);
    // In place of the first, without a pause.
    world.play(stream, 2, vec![PlayItem::Prompt(ramp(1600))]);
    world.run_ms(1000);
    let marked: Vec<_> = world.sent_by(1).iter().map(|packet| packet.read().mark()).collect();
    let begins: Vec<_> = (0..marked.len()).filter(|&index| marked[index]).collect();
    assert_eq!(begins.len(), 2, "{marked:?}");
    assert_eq!((begins[0], marked.len() - begins[1]), (0, 10));
    assert!(world.sent_by(1).windows(2).all(|p| p[1].at_ms - p[0].at_ms == 20), "without a pause");
}

#[test]
fn what_follows_a_hold_is_marked() {
    let mut world = World::new();
    let stream = world.open(1);
    let settings = StreamSettings::new(peer(1), Codec::Pcmu);
    world.play(stream, 1, vec![PlayItem::Prompt(ramp(16_000))]);
    world.run_ms(200);
    for direction in [Direction::ReceiveOnly, Direction::SendReceive] {
        let settings = Box::new(StreamSettings { direction, ..settings.clone() });
        world.command(Command::Update { stream, settings });
        world.run_ms(200);
    }
    let sent = world.sent_by(1);
    let marked = sent.iter().filter(|packet| packet.read().mark()).count();
    assert_eq!((sent.len(), marked), (20, 2));
    assert!(sent[10].read().mark());
    let pause = sent[10].read().timestamp().wrapping_sub(sent[9].read().timestamp());
    assert_eq!(pause, 11 * 160);
}

#[test]
fn a_peer_that_wants_to_know_is_told_of_silence_once_and_as_often_as_it_must_hear_something() {
    for codec in [Codec::Pcma, Codec::G722] {
        let mut world = World::new();
        let settings = StreamSettings { codec, ..with_noise(1) };
        let stream = world.open_with(1, settings);
        world.play(stream, 1, vec![PlayItem::Prompt(ramp(1600))]);
        world.run_ms(16_000);
        world.play(stream, 2, vec![PlayItem::Prompt(ramp(160))]);
        world.run_ms(1000);
        let sent = world.sent_by(1);
        let noise: Vec<_> = (0..sent.len())
            .filter(|&index| sent[index].read().payload_type() == CN.number())
            .collect();
        assert_eq!(noise, [10, 11, 13], "{codec:?}");
        let (last, told) = (&sent[9], &sent[10]);
        assert_eq!(told.at_ms - last.at_ms, 200);
        let time = told.read().timestamp().wrapping_sub(last.read().timestamp());
        assert_eq!((time, told.read().payload()), (1600, &[70_u8][..]));
        assert_eq!(sent[11].at_ms - told.at_ms, 15_000);
        assert!(sent[12].read().mark() && !told.read().mark());
    }
}

#[test]
fn the_noise_of_a_pause_is_recorded_and_is_no_loss() {
    let mut world = World::new();
    let stream = world.open(1);
    let (sink, mut recorded) = rtrb::RingBuffer::new(100_000);
    world.command(tap(stream, TapSource::Received, sink));
    let mut phone = Phone::new(1);
    speak(&mut world, &mut phone, 50);
    phone.say_noise(&mut world.io);
    phone.wait(100);
    world.run_ms(2000);
    speak(&mut world, &mut phone, 50);
    let samples: Vec<i16> = std::iter::from_fn(|| recorded.pop().ok()).collect();
    let levels: Vec<f64> = samples
        .chunks(FRAME)
        .map(|frame| {
            let power: f64 = frame.iter().map(|&sample| f64::from(sample).powi(2)).sum();
            (power / frame.len() as f64).sqrt()
        })
        .collect();
    let noise = levels.iter().filter(|&&level| (60.0..170.0).contains(&level)).count();
    let silent = levels.iter().filter(|&&level| level < 20.0).count();
    assert!((98..=102).contains(&noise) && silent <= 4, "{noise} {silent}");
    let statistics = world.close(stream);
    assert_eq!((statistics.concealed_frames, statistics.lost, statistics.late), (0, 0, 0));
    assert_eq!((statistics.noise_packets, statistics.received_packets), (1, 101));
}

#[test]
fn a_pause_without_a_word_is_no_loss_and_a_lost_packet_is_one() {
    let mut world = World::new();
    let stream = world.open(1);
    let (sink, _recorded) = rtrb::RingBuffer::new(100_000);
    world.command(tap(stream, TapSource::Received, sink));
    let mut phone = Phone::new(1);
    speak(&mut world, &mut phone, 50);
    phone.wait(50);
    world.run_ms(1000);
    speak(&mut world, &mut phone, 50);
    let _lost = phone.next(&[0; FRAME]);
    world.run_ms(20);
    speak(&mut world, &mut phone, 50);
    let statistics = world.close(stream);
    assert_eq!((statistics.concealed_frames, statistics.lost), (1, 1));
}

#[test]
fn one_that_is_alone_with_a_silent_member_hears_its_noise() {
    // Of one codec, where packets pass as they are, and of two, where they do not.
    for codec in [Codec::Pcmu, Codec::G722] {
        let mut world = World::new();
        let speaker = world.open(1);
        let listener = world.open_with(2, StreamSettings::new(peer(2), Codec::Pcmu));
        if codec != Codec::Pcmu {
            let mut settings = StreamSettings::new(peer(1), codec);
            settings.receive.push((PayloadType::PCMU, Codec::Pcmu));
            world.command(Command::Update { stream: speaker, settings: Box::new(settings) });
        }
        join(&mut world, speaker);
        join(&mut world, listener);
        let mut phone = Phone::new(1);
        speak(&mut world, &mut phone, 50);
        phone.say_noise(&mut world.io);
        phone.wait(100);
        world.run_ms(2000);
        let noise = world.sent_by(2).iter().filter(|packet| is_noise(packet)).count();
        assert!(noise > 95, "{codec:?} {noise}");
        world.io.sent.clear();
        speak(&mut world, &mut phone, 50);
        let sent = world.sent_by(2);
        assert!(sent[5..].iter().all(|packet| level(packet) > 5000.0), "{codec:?}");
        let talk = |talk| Event::Talking { stream: speaker, talk };
        let talks = world.events.iter().filter(|&event| *event == talk(Talk::Stopped)).count();
        assert!(talks <= 1, "noise is no speech");
    }
}

#[test]
fn two_that_both_want_to_know_tell_each_other() {
    let mut world = World::new();
    let (speaker, listener) =
        (world.open_with(1, with_noise(1)), world.open_with(2, with_noise(2)));
    for stream in [speaker, listener] {
        let (mute, talk_detection) = (MuteState::Open, TalkDetection::Off);
        world.command(Command::Join { stream, room: RoomId(1), mute, talk_detection });
    }
    let mut phone = Phone::new(1);
    speak(&mut world, &mut phone, 20);
    phone.say_noise(&mut world.io);
    phone.wait(50);
    world.run_ms(1000);
    speak(&mut world, &mut phone, 20);
    let sent = world.sent_by(2);
    let noise: Vec<_> =
        sent.iter().filter(|packet| packet.read().payload_type() == CN.number()).collect();
    // What it said, and not what we would say where there is nothing.
    assert_eq!(noise[0].read().payload(), [50]);
    assert_eq!(sent.len(), 40 + noise.len());
    let numbers: Vec<_> =
        sent.iter().map(|packet| u16::from(packet.read().sequence_number())).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{numbers:?}");
}

#[test]
fn noise_of_members_of_a_conference_does_not_add_up() {
    let mut world = World::new();
    let streams: Vec<_> = (0..4).map(|n| world.open(n)).collect();
    for &stream in &streams {
        join(&mut world, stream);
    }
    for n in 0..4 {
        let mut phone = Phone::new(n);
        phone.send(&mut world.io, &sine(400.0, 8000.0, 0));
        phone.say_noise(&mut world.io);
    }
    world.run_ms(2000);
    world.io.sent.clear();
    world.run_ms(200);
    // The noise of the room is all there is.
    assert!(world.sent_by(0).iter().all(|packet| level(packet) < 20.0));
}
