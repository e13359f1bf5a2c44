//! A channel driven by hand: the verbs, and what digits, prompts and time do to them.

use std::net::SocketAddr;

use super::*;
use crate::{
    clock::clock,
    media::{Codec, SocketId},
};

struct Phone {
    channel: Channel,
    out: Outbox,
    now: Instant,
}

impl Phone {
    fn new() -> Self {
        let mut phone = Self::without_audio();
        let address: SocketAddr = ([127, 0, 0, 1], 10_000).into();
        let port = PortLease { shard: ShardId(0), socket: SocketId(0), address };
        let settings = StreamSettings::new(address, Codec::Pcmu);
        phone.channel.open(port, StreamId(1), settings, phone.now, &mut phone.out);
        phone.commands();
        phone
    }

    fn without_audio() -> Self {
        let channel = Channel::new(ChannelId::new(1), "en".into());
        Self { channel, out: Outbox::default(), now: clock() }
    }

    fn press(&mut self, digits: &str) {
        for digit in digits.chars().filter_map(Digit::from_char) {
            self.channel.handle_digit(digit, DigitSource::TelephoneEvent, self.now, &mut self.out);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.channel.handle_timeout(self.now, &mut self.out);
    }

    fn play(&mut self, names: &[&str], stop: DigitSet, others: OtherDigits) {
        let request = PlayRequest { stop, others, ..PlayRequest::named(names.iter().copied()) };
        self.channel.play(request, None, self.now, &mut self.out);
        while let Some(request) = self.out.poll_prompt() {
            let prompt = Some(Arc::new(Prompt::from_samples(&[0; 160])));
            self.channel.handle_prompt(request.id, prompt, self.now, &mut self.out);
        }
    }

    fn commands(&mut self) -> Vec<Command> {
        std::iter::from_fn(|| self.out.poll_media()).map(|(_, command)| command).collect()
    }

    fn outcome(&mut self) -> Option<TaskOutcome> {
        self.channel.poll_outcome()
    }
}

fn digit(character: char) -> Digit {
    Digit::from_char(character).expect("a digit")
}

#[test]
fn a_digit_of_the_stop_set_stops_the_playback() {
    let mut phone = Phone::new();
    phone.play(&["menu"], DigitSet::NONE.with(digit('2')), OtherDigits::Drop);
    phone.press("1");
    assert_eq!(phone.outcome(), None);
    phone.press("2");
    assert_eq!(phone.outcome(), Some(TaskOutcome::Digit(digit('2'))));
    assert!(matches!(phone.commands()[..], [Command::Play { .. }, Command::StopPlay { .. }]));
    phone.channel.wait_digit(Some(Duration::from_secs(1)), phone.now, &mut phone.out);
    assert_eq!(phone.outcome(), None, "the 1 was dropped");
}

#[test]
fn a_digit_typed_ahead_stops_the_playback_before_it_begins() {
    let mut phone = Phone::new();
    phone.press("7");
    phone.play(&["menu"], DigitSet::ALL, OtherDigits::Drop);
    assert_eq!(phone.outcome(), Some(TaskOutcome::Digit(digit('7'))));
    assert!(phone.commands().is_empty());
}

#[test]
fn waiting_for_a_digit_ends_with_it_or_with_the_time() {
    let mut phone = Phone::new();
    phone.channel.wait_digit(Some(Duration::from_secs(5)), phone.now, &mut phone.out);
    phone.pass(Duration::from_millis(4999));
    assert_eq!(phone.outcome(), None);
    phone.pass(Duration::from_millis(1));
    assert_eq!(phone.outcome(), Some(TaskOutcome::TimedOut));
    phone.channel.wait_digit(None, phone.now, &mut phone.out);
    assert_eq!(phone.channel.deadline(), None);
    phone.press("9");
    assert_eq!(phone.outcome(), Some(TaskOutcome::Digit(digit('9'))));
    assert!(phone.channel.is_idle());
}

#[test]
fn reading_ends_full_at_the_terminator_or_by_time() {
    let read = ReadDigits { max: 3, ..ReadDigits::default() };
    for (typed, expected, ended_by) in [
        ("1234", "123", ReadEnd::Full),
        ("12#", "12", ReadEnd::Terminator),
        ("1", "1", ReadEnd::Timeout),
        ("", "", ReadEnd::Timeout),
    ] {
        let mut phone = Phone::new();
        phone.press(&typed.chars().take(1).collect::<String>());
        phone.channel.read(read.clone(), phone.now, &mut phone.out);
        phone.press(&typed.chars().skip(1).collect::<String>());
        phone.pass(Duration::from_secs(10));
        let digits = expected.chars().map(digit).collect();
        assert_eq!(phone.outcome(), Some(TaskOutcome::Digits { digits, ended_by }), "{typed}");
    }
}

#[test]
fn a_dialplan_wait_loses_digits_and_an_embedders_keeps_them() {
    for (others, expected) in
        [(OtherDigits::Drop, None), (OtherDigits::Keep, Some(TaskOutcome::Digit(digit('1'))))]
    {
        let mut phone = Phone::new();
        phone.press("1");
        phone.channel.wait(Duration::from_secs(1), others, phone.now, &mut phone.out);
        phone.press("2");
        phone.pass(Duration::from_secs(1));
        assert_eq!(phone.outcome(), Some(TaskOutcome::Done));
        phone.channel.wait_digit(None, phone.now, &mut phone.out);
        assert_eq!(phone.outcome(), expected);
    }
}

#[test]
fn an_answer_settles_with_the_first_packet_or_after_half_a_second() {
    let mut phone = Phone::new();
    phone.channel.settle(true, Duration::from_secs(1), phone.now, &mut phone.out);
    phone.now += Duration::from_millis(100);
    phone.channel.handle_latched(phone.now, &mut phone.out);
    phone.pass(Duration::from_secs(1));
    assert_eq!(phone.outcome(), Some(TaskOutcome::Done));
    let mut silent = Phone::new();
    silent.channel.settle(true, Duration::ZERO, silent.now, &mut silent.out);
    silent.pass(Duration::from_millis(499));
    assert_eq!(silent.outcome(), None);
    silent.pass(Duration::from_millis(1));
    assert_eq!(silent.outcome(), Some(TaskOutcome::Done));
}

#[test]
fn echo_sends_digits_back_and_ends_with_the_hash() {
    let mut phone = Phone::new();
    phone.channel.echo(&mut phone.out);
    phone.press("5#");
    assert_eq!(phone.outcome(), Some(TaskOutcome::Done));
    let commands = phone.commands();
    assert!(matches!(commands[0], Command::Echo { state: EchoState::On, .. }));
    assert!(matches!(commands[3], Command::Echo { state: EchoState::Off, .. }));
}

#[test]
fn joining_a_room_of_another_shard_moves_the_stream_first() {
    let mut phone = Phone::new();
    phone.channel.join(RoomId(1), ShardId(2), MuteState::Open, TalkDetection::Off, &mut phone.out);
    let out: Vec<_> = std::iter::from_fn(|| phone.out.poll_media()).collect();
    assert!(matches!(out[0], (ShardId(0), Command::Move { to: ShardId(2), .. })));
    assert!(matches!(out[1], (ShardId(2), Command::Join { .. })));
    assert_eq!(phone.channel.stream(), Some((ShardId(2), StreamId(1))));
}

#[test]
fn without_audio_nothing_plays_and_nothing_hangs() {
    let mut phone = Phone::without_audio();
    phone.play(&["menu"], DigitSet::ALL, OtherDigits::Drop);
    assert!(matches!(phone.outcome(), Some(TaskOutcome::Failed(_))));
    phone.channel.echo(&mut phone.out);
    assert!(matches!(phone.outcome(), Some(TaskOutcome::Failed(_))));
    assert_eq!(phone.out.open_requests(), 0);
}

#[test]
fn a_closed_channel_does_nothing_more() {
    let mut phone = Phone::new();
    phone.play(&["menu"], DigitSet::ALL, OtherDigits::Drop);
    phone.channel.close(&mut phone.out);
    phone.channel.close(&mut phone.out);
    assert_eq!(phone.commands().len(), 2, "one Play, one Close");
    phone.pass(Duration::from_secs(100));
    assert_eq!(phone.outcome(), None);
    assert_eq!(phone.channel.deadline(), None);
}
