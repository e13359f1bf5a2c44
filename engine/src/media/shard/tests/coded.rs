//! Codecs that keep state, over whole shards: what is sent is decoded as a phone would.

use super::*;
use crate::media::{
    OpusSettings, Rate,
    codec::{decoder::Decoder, encoder::Encoder},
    sound::Samples,
};

/// A phone of any codec that says a tone and remembers what it hears.
struct Coded {
    codec: Codec,
    encoder: Encoder,
    header: Header,
    n: u64,
    frame: usize,
    hertz: f64,
}

impl Coded {
    fn new(n: u64, codec: Codec, hertz: f64) -> Self {
        let settings = settings(n, codec);
        let header = Header { payload_type: settings.payload_type, ..Phone::new(n).header };
        Self {
            codec,
            encoder: Encoder::new(codec, OpusSettings::default(), codec.rate()),
            header,
            n,
            frame: 0,
            hertz,
        }
    }

    /// Sends its next 20 ms.
    fn speak(&mut self, world: &mut World) {
        let start = self.frame;
        let size = self.codec.rate().frame();
        let sample = |n: usize| {
            let angle =
                std::f64::consts::TAU * self.hertz * (start * size + n) as f64 / (50 * size) as f64;
            (8000.0 * angle.sin()) as i16
        };
        let frame: Vec<i16> = (0..size).map(sample).collect();
        let payload = self.encoder.encode(Samples::of(&frame));
        let octets = [&self.header.write(), payload].concat();
        world.io.arrive(SocketId(self.n as u32), peer(self.n), octets);
        self.frame += 1;
        self.header.seq = self.header.seq.next();
        self.header.time = self.header.time.plus(self.codec.frame_time() as i32);
    }

    /// What it was sent, and at which rate.
    fn heard(&self, world: &World) -> (Vec<i16>, f64) {
        let mut decoder = Decoder::new(self.codec, self.codec.rate());
        let mut all = vec![];
        for packet in world.sent_by(self.n as u32) {
            let rtp = packet.read();
            if rtp.payload_type() == self.header.payload_type.number() {
                let mut samples = vec![0; 4000];
                let count = decoder.decode(rtp.payload(), &mut samples);
                all.extend(&samples[..count]);
            }
        }
        (all, self.codec.rate().frame() as f64 * 50.0)
    }
}

fn settings(n: u64, codec: Codec) -> StreamSettings {
    StreamSettings::new(peer(n), codec).with_telephone_event(PayloadType::TELEPHONE_EVENT)
}

/// Amplitude of a frequency in the last second, and of all else relative to it in dB.
fn level((samples, rate): &(Vec<i16>, f64), hertz: f64) -> (f64, f64) {
    let samples = &samples[samples.len() - *rate as usize..];
    let (mut a, mut b, mut power) = (0.0, 0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let angle = std::f64::consts::TAU * hertz * n as f64 / rate;
        a += f64::from(sample) * angle.sin();
        b += f64::from(sample) * angle.cos();
        power += f64::from(sample).powi(2);
    }
    let scale = 2.0 / samples.len() as f64;
    let tone = (a * scale).hypot(b * scale);
    let rest = power / samples.len() as f64 - tone * tone / 2.0;
    (tone, 10.0 * (rest.max(1e-9) / (tone * tone / 2.0)).log10())
}

/// How loud all else may be beside a tone, in dB, and by how much the tone may be off: GSM is made
/// for voices.
fn purity(codecs: &[Codec]) -> (f64, f64) {
    if codecs.contains(&Codec::Gsm) { (-15.0, 1000.0) } else { (-22.0, 600.0) }
}

fn join(world: &mut World, stream: StreamId) {
    let (mute, talk_detection) = (MuteState::Open, TalkDetection::Off);
    world.command(Command::Join { stream, room: RoomId(1), mute, talk_detection });
}

fn run(world: &mut World, phones: &mut [Coded], frames: usize) {
    for _ in 0..frames {
        for phone in phones.iter_mut() {
            phone.speak(world);
        }
        world.run_ms(20);
    }
}

#[test]
fn a_prompt_is_heard_in_every_codec_with_even_numbers() {
    for codec in Codec::ALL {
        let mut world = World::new();
        let stream = world.open_with(1, settings(1, codec));
        let samples: Vec<i16> = (0..16_000)
            .map(|n| (8000.0 * (std::f64::consts::TAU * 1000.0 * n as f64 / 8000.0).sin()) as i16)
            .collect();
        world.play(stream, 7, vec![PlayItem::Prompt(Arc::new(Prompt::from_samples(&samples)))]);
        world.run_ms(2100);
        let sent = world.sent_by(1);
        // What is too long for a packet goes in two.
        let packets = if codec == Codec::L16Full { 2 } else { 1 };
        assert_eq!(sent.len(), 100 * packets, "{codec:?}");
        for pair in sent.windows(2) {
            let (one, two) = (pair[0].read(), pair[1].read());
            let step = codec.frame_time() / packets as u32;
            assert_eq!(two.sequence_number() - one.sequence_number(), 1);
            assert_eq!(two.timestamp().wrapping_sub(one.timestamp()), step);
            assert!(two.payload().len() < 1200);
            assert_eq!(codec.duration(two.payload()), step as usize, "{codec:?}");
        }
        for pair in sent.windows(1 + packets) {
            assert_eq!(pair[packets].at_ms - pair[0].at_ms, 20);
        }
        let heard = Coded::new(1, codec, 0.0).heard(&world);
        let (tone, rest) = level(&heard, 1000.0);
        let (noise, off) = purity(&[codec]);
        assert!((tone - 8000.0).abs() < off && rest < noise, "{codec:?}: {tone} {rest}");
        assert!(world.events.iter().any(|event| matches!(event, Event::PlayFinished { .. })));
    }
}

/// A prompt of one tone for each rate at which it is there.
fn full_prompt() -> Arc<Prompt> {
    let tones = |rate: Rate, tones: &[f64]| -> Vec<i16> {
        let size = 75 * rate.frame();
        let sine = |hertz: f64, n: usize| {
            5000.0 * (std::f64::consts::TAU * hertz * n as f64 / f64::from(rate.hertz())).sin()
        };
        (0..size).map(|n| tones.iter().map(|&hertz| sine(hertz, n)).sum::<f64>() as i16).collect()
    };
    let prompt = Prompt::from_samples(&tones(Rate::Narrow, &[1000.0]));
    let wide = tones(Rate::Wide, &[1000.0, 5000.0]);
    Arc::new(prompt.with_full(wide, tones(Rate::Full, &[1000.0, 5000.0, 12_000.0])))
}

#[test]
fn a_prompt_of_48_khz_is_heard_as_far_up_as_the_codec_goes() {
    for codec in Codec::ALL {
        let mut world = World::new();
        let stream = world.open_with(1, settings(1, codec));
        world.play(stream, 1, vec![PlayItem::Prompt(full_prompt())]);
        world.run_ms(1400);
        let heard = Coded::new(1, codec, 0.0).heard(&world);
        for (hertz, rate) in [(1000.0, Rate::Narrow), (5000.0, Rate::Wide), (12_000.0, Rate::Full)]
        {
            let (tone, _) = level(&heard, hertz);
            if codec.rate() >= rate {
                assert!((4000.0..5600.0).contains(&tone), "{codec:?} {hertz}: {tone}");
            }
        }
    }
}

/// Announcements are heard above 8 kHz where members can talk to each other there.
#[test]
fn an_announcement_of_48_khz_is_heard_as_far_up_as_its_room_goes() {
    for codec in Codec::ALL {
        for alone in [true, false] {
            let mut world = World::new();
            for n in if alone { 1..2 } else { 1..3 } {
                let stream = world.open_with(n, settings(n, codec));
                join(&mut world, stream);
            }
            let items = vec![PlayItem::Prompt(full_prompt())];
            let (room, play) = (RoomId(1), PlayId(1));
            world.command(Command::PlayToRoom { room, play, items, except: None });
            world.run_ms(1400);
            let heard = Coded::new(1, codec, 0.0).heard(&world);
            let room = if alone { codec.rate().min(Rate::Wide) } else { codec.rate() };
            for (hertz, rate) in
                [(1000.0, Rate::Narrow), (5000.0, Rate::Wide), (12_000.0, Rate::Full)]
            {
                let (tone, _) = level(&heard, hertz);
                if room >= rate {
                    assert!((4000.0..5600.0).contains(&tone), "{codec:?} {hertz}: {tone}");
                }
            }
        }
    }
}

#[test]
fn any_two_codecs_hear_each_other() {
    for one in Codec::ALL {
        for two in Codec::ALL {
            let mut world = World::new();
            let mut phones = [Coded::new(1, one, 700.0), Coded::new(2, two, 1900.0)];
            for phone in &phones {
                let stream = world.open_with(phone.n, settings(phone.n, phone.codec));
                join(&mut world, stream);
            }
            run(&mut world, &mut phones, 120);
            for (phone, other) in [(&phones[0], &phones[1]), (&phones[1], &phones[0])] {
                let heard = phone.heard(&world);
                let (tone, rest) = level(&heard, other.hertz);
                let shown =
                    format!("{:?} hears {:?}: {tone:.0} {rest:.1}", phone.codec, other.codec);
                let (noise, off) = purity(&[phone.codec, other.codec]);
                assert!((tone - 8000.0).abs() < off && rest < noise, "{shown}");
            }
        }
    }
}

#[test]
fn two_of_one_codec_alone_get_each_others_packets() {
    for codec in [Codec::G722, Codec::L16Wide] {
        let mut world = World::new();
        let mut phones = [Coded::new(1, codec, 700.0), Coded::new(2, codec, 1900.0)];
        for phone in &phones {
            let stream = world.open_with(phone.n, settings(phone.n, codec));
            join(&mut world, stream);
        }
        let mut said = Encoder::new(codec, OpusSettings::default(), codec.rate());
        run(&mut world, &mut phones, 50);
        let first = std::array::from_fn(|n| {
            (8000.0 * (std::f64::consts::TAU * 1900.0 * n as f64 / 16_000.0).sin()) as i16
        });
        let sent = world.sent_by(1);
        assert_eq!(sent.len(), 50, "{codec:?}");
        assert_eq!(sent[0].read().payload(), said.encode(Samples::Wide(&first)));
        for pair in sent.windows(2) {
            let step = pair[1].read().timestamp().wrapping_sub(pair[0].read().timestamp());
            assert_eq!(step, codec.frame_time());
        }
    }
}

#[test]
fn wide_members_of_a_room_hear_each_other_above_4_khz_and_narrow_ones_are_spared() {
    let mut world = World::new();
    let codecs = [(Codec::G722, 5000.0), (Codec::L16Wide, 6200.0), (Codec::Pcmu, 900.0)];
    let mut phones: Vec<_> =
        (1..).zip(codecs).map(|(n, (codec, hertz))| Coded::new(n, codec, hertz)).collect();
    for phone in &phones {
        let stream = world.open_with(phone.n, settings(phone.n, phone.codec));
        join(&mut world, stream);
    }
    run(&mut world, &mut phones, 150);
    let heard: Vec<_> = phones.iter().map(|phone| phone.heard(&world)).collect();
    assert!(level(&heard[0], 6200.0).0 > 5000.0 && level(&heard[0], 900.0).0 > 7000.0);
    assert!(level(&heard[1], 5000.0).0 > 7000.0 && level(&heard[1], 900.0).0 > 7000.0);
    assert!(level(&heard[0], 5000.0).0 < 100.0, "nobody hears himself");
    // Nothing of the high tones is left, nor comes back as their mirror.
    for hertz in [5000.0, 6200.0, 3000.0, 1800.0, 900.0] {
        assert!(level(&heard[2], hertz).0 < 40.0, "{hertz}: {:?}", level(&heard[2], hertz));
    }
}

/// Opens a phone for each codec and tone, and lets them join a room.
fn conference(world: &mut World, members: &[(Codec, f64)]) -> Vec<Coded> {
    let phones = (1..).zip(members).map(|(n, &(codec, hertz))| Coded::new(n, codec, hertz));
    let phones: Vec<_> = phones.collect();
    for phone in &phones {
        let stream = world.open_with(phone.n, settings(phone.n, phone.codec));
        join(world, stream);
    }
    phones
}

#[test]
fn members_that_can_hear_each_other_up_to_20_khz_and_others_are_spared() {
    let mut world = World::new();
    let members = [
        (Codec::Opus, 12_000.0),
        (Codec::Opus, 10_500.0),
        (Codec::L16Full, 15_000.0),
        (Codec::G722, 5000.0),
        (Codec::Pcmu, 900.0),
        (Codec::Pcma, 0.0),
    ];
    let mut phones = conference(&mut world, &members);
    run(&mut world, &mut phones, 150);
    let heard: Vec<_> = phones.iter().map(|phone| phone.heard(&world)).collect();
    for (listener, phone) in heard.iter().zip(&phones) {
        for &(codec, hertz) in &members[..5] {
            let top = f64::from(phone.codec.rate().hertz()) / 2.0;
            // Opus is made to sound right, not to be the same.
            let off = if [codec, phone.codec].contains(&Codec::Opus) { 2500.0 } else { 800.0 };
            let (tone, _) = level(listener, hertz);
            let shown = format!("{:?} of {hertz} Hz hears {hertz}: {tone:.0}", phone.codec);
            if hertz == phone.hertz {
                assert!(tone < 100.0, "{shown} of himself");
            } else if hertz < top {
                assert!((tone - 8000.0).abs() < off, "{shown}");
            }
        }
    }
    // Nothing of the high tones comes back as their mirror: 50 dB below what was said.
    for (listener, mirrors) in [
        (&heard[3], &[4000.0, 5500.0, 1000.0, 7900.0][..]),
        (&heard[4], &[4000.0, 2500.0, 1000.0, 3000.0]),
        (&heard[5], &[4000.0, 2500.0, 1000.0, 3000.0]),
    ] {
        for &hertz in mirrors {
            let (tone, _) = level(listener, hertz);
            assert!(tone < 8000.0 / 316.0, "{hertz}: {tone}");
        }
    }
}

#[test]
fn a_room_holds_as_much_as_two_of_its_members_or_its_settings_can() {
    let opus = |n, said| {
        let mut settings = settings(n, Codec::Opus);
        settings.opus.most_said = said;
        settings
    };
    let loud = |members: [Option<u32>; 2], rate: MixRate| {
        let mut world = World::new();
        let mut phones = vec![];
        for (n, said) in (1..).zip(members) {
            phones.push(Coded::new(n, Codec::Opus, 12_000.0));
            let stream = world.open_with(n, opus(n, said));
            join(&mut world, stream);
        }
        // A third, so that nobody is sent another's packets as they are.
        let third = world.open_with(3, settings(3, Codec::Pcmu));
        join(&mut world, third);
        world.command(Command::ShapeRoom { room: RoomId(1), rate });
        run(&mut world, &mut phones[..1], 100);
        level(&phones[1].heard(&world), 12_000.0).0 > 4000.0
    };
    assert!(loud([None, None], MixRate::default()));
    assert!(!loud([Some(16_000), None], MixRate::default()), "it says that there is none");
    assert!(!loud([None, None], MixRate::UpTo(Rate::Wide)));
    assert!(!loud([None, None], MixRate::At(Rate::Narrow)));
    assert!(loud([None, Some(8000)], MixRate::default()), "it hears what it does not say");
}

#[test]
fn who_comes_and_goes_changes_what_a_room_holds_and_no_number() {
    let mut world = World::new();
    let members = [(Codec::Opus, 12_000.0), (Codec::Pcmu, 900.0), (Codec::Opus, 700.0)];
    let mut phones = conference(&mut world, &members);
    run(&mut world, &mut phones, 60);
    let leaves = StreamId(1);
    world.command(Command::Leave { stream: leaves });
    run(&mut world, &mut phones, 60);
    let (low, high) = (|heard| level(heard, 900.0).0, |heard| level(heard, 12_000.0).0);
    let heard = phones[2].heard(&world);
    assert!(low(&heard) > 6000.0 && high(&heard) < 100.0);
    join(&mut world, leaves);
    run(&mut world, &mut phones, 60);
    let heard = phones[2].heard(&world);
    assert!(low(&heard) > 6000.0 && high(&heard) > 5000.0, "{} {}", low(&heard), high(&heard));
    let sent = world.sent_by(3);
    for pair in sent.windows(2) {
        let (one, two) = (pair[0].read(), pair[1].read());
        assert_eq!(two.sequence_number() - one.sequence_number(), 1);
        assert_eq!(two.timestamp().wrapping_sub(one.timestamp()), 960);
    }
}

#[test]
fn listeners_of_a_room_share_one_encoding() {
    let mut world = World::new();
    for n in 1..=4 {
        let codec = if n == 1 { Codec::Pcmu } else { Codec::G722 };
        let stream = world.open_with(n, settings(n, codec));
        join(&mut world, stream);
    }
    let mut talker = [Coded::new(1, Codec::Pcmu, 1000.0)];
    run(&mut world, &mut talker, 100);
    let payloads = |n| -> Vec<Vec<u8>> {
        world.sent_by(n).iter().map(|packet| packet.read().payload().to_vec()).collect()
    };
    assert_eq!(payloads(2), payloads(3));
    assert_eq!(payloads(2), payloads(4));
    let heard = Coded::new(2, Codec::G722, 0.0).heard(&world);
    assert!(level(&heard, 1000.0).0 > 7400.0);
}

#[test]
fn an_echo_comes_back_in_the_codec_that_was_said() {
    for codec in Codec::ALL {
        let mut world = World::new();
        let stream = world.open_with(1, settings(1, codec));
        world.command(Command::Echo { stream, state: EchoState::On });
        let mut phones = [Coded::new(1, codec, 1000.0)];
        run(&mut world, &mut phones, 100);
        let (tone, rest) = level(&phones[0].heard(&world), 1000.0);
        let (noise, off) = purity(&[codec]);
        assert!((tone - 8000.0).abs() < off && rest < noise, "{codec:?}: {tone} {rest}");
    }
}

#[test]
fn an_echo_of_another_codec_is_encoded_anew() {
    for (sent, received) in [(Codec::Pcma, Codec::G722), (Codec::G722, Codec::Pcma)] {
        let mut world = World::new();
        let mut settings = settings(1, sent);
        let number = received.static_payload_type().unwrap();
        settings.receive.push((number, received));
        let stream = world.open_with(1, settings);
        world.command(Command::Echo { stream, state: EchoState::On });
        let mut phones = [Coded::new(1, received, 1000.0)];
        run(&mut world, &mut phones, 120);
        let heard = Coded::new(1, sent, 0.0).heard(&world);
        let (tone, rest) = level(&heard, 1000.0);
        assert!(tone > 7600.0 && rest < -25.0, "{received:?} as {sent:?}: {tone} {rest}");
    }
}

#[test]
fn keys_are_heard_as_events_and_sent_as_tones_where_there_are_none() {
    let mut world = World::new();
    let mut settings = settings(1, Codec::G722);
    settings.telephone_event = None;
    let stream = world.open_with(1, settings);
    world.command(Command::SendDigits {
        stream,
        signals: vec![Signal::Digit(Digit::from_char('5').unwrap())],
        tone: Duration::from_secs(1),
        gap: Duration::from_millis(100),
    });
    world.run_ms(1000);
    let heard = Coded::new(1, Codec::G722, 0.0).heard(&world);
    assert_eq!(heard.0.len(), 16_000);
    assert!(level(&heard, 770.0).0 > 1000.0 && level(&heard, 1336.0).0 > 1000.0);
    let mut phone = Phone::new(1);
    let time = phone.header.time;
    for payload in [[7, 10, 0, 160], [7, 10, 1, 64], [7, 0x8a, 1, 224]] {
        let octets = phone.event(time, payload);
        world.io.arrive(SocketId(1), peer(1), octets);
        world.run_ms(20);
    }
    let digit = world.events.iter().find_map(|event| match event {
        Event::Digit { digit, .. } => Some(digit.as_char()),
        _ => None,
    });
    assert_eq!(digit, Some('7'));
}

#[test]
fn a_new_codec_goes_on_where_the_old_one_was() {
    let mut world = World::new();
    let stream = world.open_with(1, settings(1, Codec::Pcmu));
    world.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(3))]);
    world.run_ms(1000);
    for codec in [Codec::L16Wide, Codec::G722, Codec::Pcma] {
        world.io.sent.clear();
        world.command(Command::Update { stream, settings: Box::new(settings(1, codec)) });
        world.run_ms(400);
        let sent = world.sent_by(1);
        assert_eq!(sent.len(), 20);
        assert!(
            sent.iter().all(
                |packet| codec.duration(packet.read().payload()) == codec.frame_time() as usize
            )
        );
    }
}

#[cfg(feature = "opus")]
#[test]
fn silence_that_the_peer_does_not_want_is_not_sent() {
    let mut world = World::new();
    let mut settings = settings(1, Codec::Opus);
    settings.opus.silence = crate::media::OpusSilence::LeftOut;
    let stream = world.open_with(1, settings);
    world.play(
        stream,
        1,
        vec![PlayItem::Silence(Duration::from_secs(10)), PlayItem::Prompt(ramp(1600))],
    );
    world.run_ms(10_400);
    let sent = world.sent_by(1);
    assert!((20..120).contains(&sent.len()), "{}", sent.len());
    // Time runs on, and what follows a silence is marked.
    let (first, last) = (sent[0].read(), sent[sent.len() - 1].read());
    let steps = last.timestamp().wrapping_sub(first.timestamp());
    assert_eq!(u64::from(steps), (sent[sent.len() - 1].at_ms - sent[0].at_ms) * 48);
    assert!(sent.iter().skip(1).any(|packet| packet.read().mark()));
}

/// A room of three: one listens in G.711, one is silent in Opus for seconds and then says a syllable.
/// What the first hears; `watched` keeps the other from ever resting.
#[cfg(feature = "opus")]
fn syllable_after_silence(watched: bool) -> Vec<i16> {
    let mut world = World::new();
    let listener = world.open(1);
    let speaker = world.open_with(2, settings(2, Codec::Opus));
    let third = world.open_with(3, settings(3, Codec::Opus));
    for stream in [listener, speaker, third] {
        join(&mut world, stream);
    }
    let (sink, _taken) = rtrb::RingBuffer::new(200_000);
    if watched {
        world.command(tap(speaker, TapSource::Received, sink));
    }
    let mut phone = Coded::new(2, Codec::Opus, 0.0);
    for frame in 0..240 {
        phone.hertz = if frame < 200 { 0.0 } else { 700.0 };
        phone.speak(&mut world);
        world.run_ms(20);
    }
    let mut heard = vec![];
    for packet in world.sent_by(1) {
        let mut samples = [0; FRAME];
        Law::Mu.decode_into(packet.read().payload(), &mut samples);
        heard.extend(samples);
    }
    heard
}

#[cfg(feature = "opus")]
#[test]
fn the_first_syllable_of_one_who_was_silent_in_opus_is_heard_whole() {
    let (always, rested) = (syllable_after_silence(true), syllable_after_silence(false));
    let loud = |heard: &[i16]| heard.iter().position(|it| it.unsigned_abs() > 500).unwrap();
    let (start, end) = (loud(&always), always.len());
    assert!(start.abs_diff(loud(&rested)) <= 4, "{start} {}", loud(&rested));
    let product = |a: &[i16], b: &[i16]| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    for part in [start..start + 4 * FRAME, start..end] {
        let (one, two) = (&always[part.clone()], &rested[part.clone()]);
        let alike = product(one, two) / (product(one, one) * product(two, two)).sqrt();
        assert!(alike > 0.97, "{part:?}: {alike}");
    }
}

/// A second and a half of a call's recording at a rate.
fn recorded(codec: Codec, hertz: f64, rate: Rate, source: TapSource) -> (Vec<i16>, f64) {
    let mut world = World::new();
    let mut phones = conference(&mut world, &[(codec, hertz), (Codec::Opus, 10_500.0)]);
    let (sink, mut reader) = rtrb::RingBuffer::new(200_000);
    world.command(tap_at(StreamId(1), source, rate, sink));
    run(&mut world, &mut phones, 75);
    let all = reader.read_chunk(reader.slots()).unwrap().into_iter().collect();
    (all, f64::from(rate.hertz()))
}

#[test]
fn a_recording_has_the_rate_of_its_file_and_all_that_there_is_up_to_it() {
    let said = |codec, hertz, rate| {
        let heard = recorded(codec, hertz, rate, TapSource::Received);
        let size = heard.0.len();
        assert!(
            size == 75 * rate.frame() || size == 76 * rate.frame(),
            "{codec:?} {rate:?}: {size}"
        );
        level(&heard, hertz).0
    };
    for rate in [Rate::Narrow, Rate::Wide, Rate::Full] {
        let tone = said(Codec::Pcmu, 1000.0, rate);
        assert!((tone - 8000.0).abs() < 200.0, "{rate:?}: {tone}");
    }
    assert!((said(Codec::G722, 6000.0, Rate::Full) - 8000.0).abs() < 1000.0);
    assert!(said(Codec::Opus, 12_000.0, Rate::Full) > 5500.0);
    assert!((said(Codec::L16Full, 15_000.0, Rate::Full) - 8000.0).abs() < 100.0);
    // What an Opus caller hears of the other, and what a narrow one does.
    let sent = recorded(Codec::Opus, 0.0, Rate::Full, TapSource::Sent);
    assert!(level(&sent, 10_500.0).0 > 5500.0, "{:?}", level(&sent, 10_500.0));
    let sent = recorded(Codec::Pcma, 0.0, Rate::Full, TapSource::Sent);
    assert!(level(&sent, 10_500.0).0 < 25.0);
}

#[test]
fn a_room_mixes_as_much_as_its_recording_holds() {
    for (rate, expected) in [(Rate::Full, 5500.0..9000.0), (Rate::Wide, 0.0..25.0)] {
        let mut world = World::new();
        let members = [(Codec::Opus, 12_000.0), (Codec::Pcmu, 900.0), (Codec::Pcma, 0.0)];
        let mut phones = conference(&mut world, &members);
        let (sink, mut reader) = rtrb::RingBuffer::new(200_000);
        world.command(Command::TapRoom { room: RoomId(1), tap: TapId(1), rate, sink });
        run(&mut world, &mut phones, 75);
        let all = reader.read_chunk(reader.slots()).unwrap().into_iter().collect();
        let heard = (all, f64::from(rate.hertz()));
        assert!((level(&heard, 900.0).0 - 8000.0).abs() < 300.0);
        assert!(
            expected.contains(&level(&heard, 12_000.0).0),
            "{rate:?}: {:?}",
            level(&heard, 12_000.0)
        );
    }
}
