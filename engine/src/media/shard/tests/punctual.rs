//! When packets go out: in steps of their own, at the same place of each frame, whoever comes or goes.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Runs as a thread does, from one deadline to the next, for so many frames; how often it woke up.
/// Times of packets are in microseconds here.
fn run_by_deadlines(world: &mut World, frames: u64) -> usize {
    let start = world.shard.poll_timeout().expect("there are streams");
    let mut wakes = 0;
    while let Some(due) = world.shard.poll_timeout()
        && due < start + Duration::from_millis(20) * frames as u32
    {
        world.io.now_ms = (due - world.epoch).as_micros() as u64;
        world.shard.tick(due, &mut world.io);
        assert!(world.shard.poll_timeout() > Some(due), "a tick worked on is over");
        wakes += 1;
    }
    world.drain();
    wakes
}

/// When each socket's packets went out, in microseconds.
fn times(world: &World) -> BTreeMap<u32, Vec<u64>> {
    let mut times = BTreeMap::<_, Vec<_>>::new();
    for packet in &world.io.sent {
        times.entry(packet.socket.0).or_default().push(packet.at_ms);
    }
    times
}

/// How many packets go out in each step of a frame.
fn steps(times: &BTreeMap<u32, Vec<u64>>) -> BTreeMap<u64, usize> {
    let mut steps = BTreeMap::new();
    for sent in times.values() {
        *steps.entry(sent[0] % 20_000 / 1250).or_default() += 1;
    }
    steps
}

fn playing(count: u64) -> World {
    let mut world = World::new();
    for n in 0..count {
        let stream = world.open(n);
        world.play(stream, n, vec![PlayItem::Silence(Duration::from_secs(9))]);
    }
    world
}

#[test]
fn few_streams_need_few_steps_and_one_wakes_up_once_in_a_frame() {
    for (streams, wakes) in [(1, 50), (3, 150), (4, 200), (100, 200)] {
        assert_eq!(run_by_deadlines(&mut playing(streams), 50), wakes, "{streams}");
    }
}

#[test]
fn many_streams_are_spread_over_all_steps_of_a_frame() {
    let mut world = playing(2100);
    assert_eq!(run_by_deadlines(&mut world, 50), 800);
    let times = times(&world);
    for sent in times.values() {
        assert!(sent.windows(2).all(|pair| pair[1] - pair[0] == 20_000));
        assert!((49..=51).contains(&sent.len()));
    }
    let steps = steps(&times);
    assert_eq!((times.len(), steps.len()), (2100, 16));
    assert!(steps.values().all(|count| (131..=132).contains(count)), "{steps:?}");
}

#[test]
fn who_leaves_moves_nobody_else() {
    let mut world = playing(40);
    let order = |world: &mut World| -> Vec<u32> {
        world.io.sent.clear();
        run_by_deadlines(world, 1);
        world.io.sent.iter().map(|packet| packet.socket.0).collect()
    };
    let before = order(&mut world);
    for n in [0, 5, 17, 22] {
        world.shard.handle_command(Command::Close { stream: StreamId(n) }, world.epoch);
    }
    let left: Vec<u32> =
        before.into_iter().filter(|socket| ![0, 5, 17, 22].contains(socket)).collect();
    assert_eq!(order(&mut world), left);
}

#[test]
fn one_who_comes_while_the_thread_sleeps_has_his_turn_when_it_is_due() {
    let mut world = playing(1);
    run_by_deadlines(&mut world, 10);
    let due = world.shard.poll_timeout().unwrap();
    world.io.now_ms = (due - world.epoch).as_millis() as u64;
    let stream = world.open(2);
    world.play(stream, 2, vec![PlayItem::Silence(Duration::from_secs(9))]);
    run_by_deadlines(&mut world, 10);
    let sent = &times(&world)[&2];
    assert!(sent.len() >= 9 && sent.windows(2).all(|pair| pair[1] - pair[0] == 20_000), "{sent:?}");
    assert_eq!(world.shard.counters().late_ticks, 0);
}

/// A room of 200, three of whom talk: one who came early, and two who came late.
#[test]
fn a_large_room_is_sent_in_many_steps_and_each_hears_what_he_should() {
    let mut world = World::new();
    let talkers = [(3_u64, 500.0), (150, 1000.0), (190, 1500.0)];
    for n in 0..200 {
        let stream = world.open(n);
        let (mute, talk_detection) = (MuteState::Open, TalkDetection::Off);
        world.command(Command::Join { stream, room: RoomId(1), mute, talk_detection });
    }
    let mut phones: Vec<_> = talkers.iter().map(|&(n, _)| Phone::new(n)).collect();
    for frame in 0..80 {
        for (phone, &(_, hertz)) in phones.iter_mut().zip(&talkers) {
            phone.send(&mut world.io, &sine(hertz, 4000.0, frame));
        }
        run_by_deadlines(&mut world, 1);
    }
    let times = times(&world);
    for (socket, sent) in &times {
        assert!(sent.windows(2).all(|pair| pair[1] - pair[0] == 20_000), "{socket}: {sent:?}");
        assert!((79..=80).contains(&sent.len()), "{socket}");
    }
    let steps = steps(&times);
    assert!(steps.len() >= 4 && steps.values().all(|&count| count <= 128), "{steps:?}");
    for n in [0, 3, 127, 128, 150, 190, 199] {
        let sent = world.sent_by(n as u32);
        let steady = &sent[sent.len() - 40..];
        for (talker, hertz) in talkers {
            let level = amplitude(steady, hertz);
            match talker == n {
                true => assert!(level < 40.0, "{n} hears himself at {level}"),
                false => assert!((3600.0..4400.0).contains(&level), "{n} {talker}: {level}"),
            }
        }
    }
    // The room goes on when its founder and most others left, and is gone with the last.
    for n in (0..150).chain(160..200) {
        world.shard.handle_command(Command::Leave { stream: StreamId(n) }, world.epoch);
    }
    world.io.sent.clear();
    run_by_deadlines(&mut world, 10);
    let sockets: BTreeSet<u32> = world.io.sent.iter().map(|packet| packet.socket.0).collect();
    assert_eq!(sockets, (150..160).collect());
}

/// Opus is encoded once for all, also for those who are sent it in another step.
#[cfg(feature = "opus")]
#[test]
fn a_large_room_shares_one_encoding_of_opus() {
    let mut world = World::new();
    for n in 0..150 {
        let settings = match n {
            0 => StreamSettings::new(peer(n), Codec::Pcmu),
            _ => StreamSettings::new(peer(n), Codec::Opus),
        };
        let stream = world.open_with(n, settings);
        let (mute, talk_detection) = (MuteState::Open, TalkDetection::Off);
        world.command(Command::Join { stream, room: RoomId(1), mute, talk_detection });
    }
    let mut talker = Phone::new(0);
    for frame in 0..50 {
        talker.send(&mut world.io, &sine(500.0, 4000.0, frame));
        run_by_deadlines(&mut world, 1);
    }
    let payloads = |n: u32| -> Vec<Vec<u8>> {
        let sent = world.sent_by(n);
        sent[sent.len() - 30..].iter().map(|packet| packet.read().payload().to_vec()).collect()
    };
    let first = payloads(1);
    assert!(first.iter().any(|payload| payload.len() > 20));
    for n in [127, 128, 140, 149] {
        // Who is sent it in an earlier step of the frame has one frame less.
        let other = payloads(n);
        assert!(other == first || other[1..] == first[..29] || other[..29] == first[1..], "{n}");
    }
}
