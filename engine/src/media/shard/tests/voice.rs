//! Programs that speak to a stream's peer.

use super::*;
use crate::media::VoiceId;

fn speak(world: &mut World, stream: StreamId, id: u64) -> rtrb::Producer<i16> {
    let (ring, samples) = rtrb::RingBuffer::new(50 * FRAME);
    world.command(Command::Voice { stream, voice: VoiceId(id), samples });
    ring
}

fn say(ring: &mut rtrb::Producer<i16>, hertz: f64, frames: u64) {
    for frame in 0..frames {
        let mut samples = [0; FRAME];
        Law::Mu.decode_into(&sine(hertz, 8000.0, frame), &mut samples);
        let chunk = ring.write_chunk_uninit(FRAME).unwrap();
        chunk.fill_from_iter(samples);
    }
}

#[test]
fn a_voice_sounds_in_every_frame_and_its_silence_is_sent() {
    let mut world = World::new();
    let stream = world.open(1);
    let mut ring = speak(&mut world, stream, 1);
    say(&mut ring, 1000.0, 25);
    world.run_ms(1000);
    let sent = world.sent_by(1);
    assert_eq!(sent.len(), 50);
    assert!(sent.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms == 20));
    assert!(sent[1..].iter().all(|packet| !packet.read().mark()));
    assert!((7800.0..8200.0).contains(&amplitude(&sent[..25], 1000.0)));
    let silence = crate::media::player::silence(Law::Mu);
    assert!(sent[25..].iter().all(|packet| packet.read().payload() == silence));
    world.command(Command::EndVoice { stream, voice: VoiceId(1) });
    assert!(ring.is_abandoned());
    world.run_ms(1000);
    assert_eq!(world.sent_by(1).len(), 50);
}

#[test]
fn a_voice_is_heard_over_a_play_that_ends_when_it_would() {
    let mut world = World::new();
    let stream = world.open(1);
    let mut ring = speak(&mut world, stream, 1);
    say(&mut ring, 1000.0, 50);
    let tone = crate::media::tone::one_second(440, 600);
    world.play(stream, 3, vec![PlayItem::Prompt(Arc::new(tone))]);
    world.run_ms(1100);
    let sent = world.sent_by(1);
    assert!(amplitude(&sent[..50], 1000.0) > 6000.0);
    assert!(amplitude(&sent[..50], 440.0) > 1000.0);
    let ended =
        |event: &Event| matches!(event, Event::PlayFinished { end: PlayEnd::Completed, .. });
    assert!(world.events.iter().any(ended));
}

#[test]
fn of_two_who_talk_one_hears_the_other_and_the_voice() {
    let mut world = World::new();
    let (first, second) = (world.open(1), world.open(2));
    for stream in [first, second] {
        let (mute, talk_detection) = (MuteState::Open, TalkDetection::Off);
        world.command(Command::Join { stream, room: RoomId(1), mute, talk_detection });
    }
    let mut ring = speak(&mut world, first, 1);
    say(&mut ring, 1000.0, 50);
    let mut talker = Phone::new(2);
    for frame in 0..50 {
        talker.send(&mut world.io, &sine(400.0, 8000.0, frame));
        world.run_ms(20);
    }
    let heard = world.sent_by(1);
    let heard = &heard[heard.len() - 25..];
    assert!(amplitude(heard, 1000.0) > 7000.0);
    assert!(amplitude(heard, 400.0) > 7000.0);
    // The voice is for one alone.
    assert!(amplitude(&world.sent_by(2), 1000.0) < 100.0);
}

#[test]
fn an_echo_goes_on_under_a_voice() {
    let mut world = World::new();
    let stream = world.open(1);
    world.command(Command::Echo { stream, state: EchoState::On });
    let mut ring = speak(&mut world, stream, 1);
    say(&mut ring, 1000.0, 50);
    let mut talker = Phone::new(1);
    for frame in 0..50 {
        talker.send(&mut world.io, &sine(400.0, 8000.0, frame));
        world.run_ms(20);
    }
    let heard = world.sent_by(1);
    assert_eq!(heard.len(), 50);
    assert!(amplitude(&heard[25..], 1000.0) > 7000.0);
    assert!(amplitude(&heard[25..], 400.0) > 7000.0);
}
