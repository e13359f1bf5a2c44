//! One playback that the caller steers with keys: forward, back, pause, from the beginning, stop.
//!
//! The prompt is in memory: a jump is a stop, which tells how far it came, and a play from
//! elsewhere. Keys pressed until the stop is told wait for their turn.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bstr::{BStr, BString};

use super::{
    Channel, ChannelId, DigitSet, TaskOutcome,
    outbox::{Asker, Notice, Outbox, PromptId},
    task::Task,
};
use crate::media::{Command, Digit, PlayEnd, PlayId, PlayItem, Prompt, Repeat, ShardId, StreamId};

/// What is played, and what the keys do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ControlRequest {
    pub(crate) file: BString,
    /// Where it begins.
    pub(crate) offset: Duration,
    /// How far a jump goes.
    pub(crate) skip: Duration,
    pub(crate) forward: DigitSet,
    pub(crate) rewind: DigitSet,
    pub(crate) restart: DigitSet,
    pub(crate) pause: DigitSet,
    pub(crate) stop: DigitSet,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ControlledEnd {
    /// All of it was played.
    Completed,
    /// The caller stopped it there.
    Stopped { digit: Digit, at: Duration },
    /// There is no such prompt.
    Missing,
}

/// A playback that is steered.
#[derive(Debug)]
pub(super) struct Controlled {
    stream: StreamId,
    request: ControlRequest,
    prompt: Option<Arc<Prompt>>,
    state: State,
    /// Keys that came while something else was being done.
    waiting: VecDeque<Digit>,
}

/// Positions are samples from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Loading(PromptId),
    Playing {
        play: PlayId,
        from: u32,
    },
    /// Told to be silent, and why.
    Stopping {
        play: PlayId,
        from: u32,
        why: Why,
    },
    Paused {
        at: u32,
    },
}

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Forward,
    Rewind,
    Restart,
    Pause,
    Stop(Digit),
}

impl Controlled {
    pub(super) fn begin(
        channel: ChannelId,
        stream: StreamId,
        request: ControlRequest,
        language: &BStr,
        out: &mut Outbox,
    ) -> Self {
        let id = out.ask(Asker::Channel(channel), request.file.clone(), language.into());
        let (state, waiting) = (State::Loading(id), VecDeque::new());
        Self { stream, request, prompt: None, state, waiting }
    }

    pub(super) fn handle_prompt(
        &mut self,
        id: PromptId,
        prompt: Option<Arc<Prompt>>,
        channel: ChannelId,
        shard: ShardId,
        out: &mut Outbox,
    ) -> Option<ControlledEnd> {
        if self.state != State::Loading(id) {
            return None;
        }
        let Some(prompt) = prompt else {
            out.tell(channel, Notice::PromptMissing { name: self.request.file.clone() });
            return Some(ControlledEnd::Missing);
        };
        self.prompt = Some(prompt);
        out.tell(channel, Notice::PlayStarted { names: vec![self.request.file.clone()] });
        let offset = samples(self.request.offset);
        self.play_from(offset, shard, out).or_else(|| self.take_waiting(shard, out))
    }

    /// A play on the stream ended, so many samples after it began.
    pub(super) fn handle_play_finished(
        &mut self,
        finished: PlayId,
        end: PlayEnd,
        played: u64,
        shard: ShardId,
        out: &mut Outbox,
    ) -> Option<ControlledEnd> {
        let (from, why) = match self.state {
            State::Playing { play, from } if play == finished => (from, None),
            State::Stopping { play, from, why } if play == finished => (from, Some(why)),
            _ => return None,
        };
        let at = from.saturating_add(u32::try_from(played).unwrap_or(u32::MAX));
        let skip = samples(self.request.skip);
        let ended = match (end, why) {
            // It came to its end before it could be stopped.
            (PlayEnd::Completed, None | Some(Why::Forward | Why::Pause)) | (_, None) => {
                Some(ControlledEnd::Completed)
            }
            (_, Some(Why::Stop(digit))) => Some(self.stopped(digit, at)),
            (_, Some(Why::Pause)) => {
                self.state = State::Paused { at };
                None
            }
            (_, Some(Why::Forward)) => self.play_from(at.saturating_add(skip), shard, out),
            (_, Some(Why::Rewind)) => self.play_from(at.saturating_sub(skip), shard, out),
            (_, Some(Why::Restart)) => self.play_from(0, shard, out),
        };
        ended.or_else(|| self.take_waiting(shard, out))
    }

    pub(super) fn handle_digit(
        &mut self,
        digit: Digit,
        shard: ShardId,
        out: &mut Outbox,
    ) -> Option<ControlledEnd> {
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(digit);
        }
        self.take_waiting(shard, out)
    }

    fn take_waiting(&mut self, shard: ShardId, out: &mut Outbox) -> Option<ControlledEnd> {
        while !matches!(self.state, State::Loading(_) | State::Stopping { .. }) {
            let digit = self.waiting.pop_front()?;
            let Some(why) = self.meaning(digit) else { continue };
            match (self.state, why) {
                (State::Playing { play, from }, why) => {
                    let stream = self.stream;
                    out.command(shard, Command::StopPlay { stream, play: Some(play) });
                    self.state = State::Stopping { play, from, why };
                }
                (State::Paused { at }, Why::Stop(digit)) => return Some(self.stopped(digit, at)),
                (State::Paused { at }, Why::Pause) => {
                    if let Some(end) = self.play_from(at, shard, out) {
                        return Some(end);
                    }
                }
                // As in Asterisk, nothing else is heard in a pause.
                (State::Paused { .. } | State::Loading(_) | State::Stopping { .. }, _) => {}
            }
        }
        None
    }

    /// Of a key with several meanings the first counts, as in Asterisk.
    fn meaning(&self, digit: Digit) -> Option<Why> {
        let request = &self.request;
        let meanings = [
            (request.forward, Why::Forward),
            (request.rewind, Why::Rewind),
            (request.restart, Why::Restart),
            (request.pause, Why::Pause),
            (request.stop, Why::Stop(digit)),
        ];
        let mut meanings = meanings.into_iter();
        meanings.find(|(digits, _)| digits.contains(digit)).map(|(_, why)| why)
    }

    fn stopped(&self, digit: Digit, at: u32) -> ControlledEnd {
        ControlledEnd::Stopped { digit, at: Duration::from_micros(u64::from(at) * 125) }
    }

    /// Beyond the end it is over.
    fn play_from(&mut self, from: u32, shard: ShardId, out: &mut Outbox) -> Option<ControlledEnd> {
        let prompt = self.prompt.as_ref().filter(|it| (from as usize) < it.samples().len());
        let Some(prompt) = prompt else { return Some(ControlledEnd::Completed) };
        let (stream, play) = (self.stream, out.next_play());
        let items = vec![PlayItem::PromptFrom(Arc::clone(prompt), from)];
        out.command(shard, Command::Play { stream, play, items, repeat: Repeat::Once });
        self.state = State::Playing { play, from };
        None
    }

    pub(super) fn silence(&self, shard: ShardId, out: &mut Outbox) {
        if let State::Playing { play, .. } = self.state {
            out.command(shard, Command::StopPlay { stream: self.stream, play: Some(play) });
        }
    }
}

impl Channel {
    /// Plays, steered by keys.
    pub(crate) fn control_play(&mut self, request: ControlRequest, out: &mut Outbox) {
        self.stop(out);
        let Some((_, stream)) = self.stream() else {
            return self.finish(TaskOutcome::Failed("there is no media to play to"));
        };
        self.typed.clear();
        let controlled = Controlled::begin(self.id, stream, request, self.language.as_ref(), out);
        self.task = Task::Controlled(Box::new(controlled));
    }

    /// Takes the end of a steered playback, if it came to one.
    pub(super) fn finish_controlled(&mut self, end: Option<ControlledEnd>) {
        if let Some(end) = end {
            self.finish(TaskOutcome::Controlled(end));
        }
    }
}

fn samples(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().saturating_mul(8)).unwrap_or(u32::MAX)
}

/// Keys that wait for their turn; more are lost.
const MOST_WAITING: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD: ShardId = ShardId(0);

    fn set(keys: &str) -> DigitSet {
        keys.chars().filter_map(Digit::from_char).collect()
    }

    /// A prompt of ten seconds plays; `#` and `*` jump by three.
    fn playing(offset: u64) -> (Controlled, Outbox) {
        let mut out = Outbox::default();
        let request = ControlRequest {
            file: "long".into(),
            offset: Duration::from_millis(offset),
            skip: Duration::from_secs(3),
            forward: set("#"),
            rewind: set("*"),
            restart: set("1"),
            pause: set("2"),
            stop: set("03"),
        };
        let channel = ChannelId::new(1);
        let mut controlled =
            Controlled::begin(channel, StreamId(1), request, "en".into(), &mut out);
        let id = out.poll_prompt().expect("a request").id;
        let prompt = Some(Arc::new(Prompt::from_samples(&vec![0; 80_000])));
        assert_eq!(controlled.handle_prompt(id, prompt, channel, SHARD, &mut out), None);
        (controlled, out)
    }

    /// From which second it plays now, if it does.
    fn plays_from(out: &mut Outbox) -> Option<f32> {
        std::iter::from_fn(|| out.poll_media()).find_map(|(_, command)| match command {
            Command::Play { items, .. } => match &items[..] {
                [PlayItem::PromptFrom(_, from)] => Some(*from as f32 / 8000.0),
                _ => None,
            },
            _ => None,
        })
    }

    /// A key, pressed after so many seconds of what plays.
    fn press(
        controlled: &mut Controlled,
        out: &mut Outbox,
        key: char,
        seconds: u64,
    ) -> Option<ControlledEnd> {
        let digit = Digit::from_char(key).expect("a key");
        if let Some(end) = controlled.handle_digit(digit, SHARD, out) {
            return Some(end);
        }
        let State::Stopping { play, .. } = controlled.state else { return None };
        let (end, played) = (PlayEnd::Stopped, seconds * 8000);
        controlled.handle_play_finished(play, end, played, SHARD, out)
    }

    #[test]
    fn jumps_count_from_where_it_is_and_stay_within() {
        let (mut it, mut out) = playing(1000);
        assert_eq!(plays_from(&mut out), Some(1.0));
        assert_eq!(press(&mut it, &mut out, '#', 1), None);
        assert_eq!(plays_from(&mut out), Some(5.0));
        assert_eq!(press(&mut it, &mut out, '*', 0), None);
        assert_eq!(plays_from(&mut out), Some(2.0));
        assert_eq!(press(&mut it, &mut out, '*', 0), None);
        assert_eq!(plays_from(&mut out), Some(0.0));
        assert_eq!(press(&mut it, &mut out, '9', 0), None, "a key without meaning");
        assert_eq!(plays_from(&mut out), None);
        assert_eq!(press(&mut it, &mut out, '#', 5), None);
        assert_eq!(plays_from(&mut out), Some(8.0));
        assert_eq!(press(&mut it, &mut out, '1', 1), None);
        assert_eq!(plays_from(&mut out), Some(0.0));
        assert_eq!(press(&mut it, &mut out, '#', 8), Some(ControlledEnd::Completed));
    }

    #[test]
    fn a_pause_lasts_until_its_key_and_hears_nothing_but_a_stop() {
        let (mut it, mut out) = playing(0);
        plays_from(&mut out);
        assert_eq!(press(&mut it, &mut out, '2', 4), None);
        assert_eq!(press(&mut it, &mut out, '#', 0), None);
        assert_eq!(press(&mut it, &mut out, '1', 0), None);
        assert_eq!(plays_from(&mut out), None);
        assert_eq!(press(&mut it, &mut out, '2', 0), None);
        assert_eq!(plays_from(&mut out), Some(4.0));
        assert_eq!(press(&mut it, &mut out, '2', 1), None);
        let stopped = press(&mut it, &mut out, '3', 0);
        let Some(ControlledEnd::Stopped { digit, at }) = stopped else { panic!("{stopped:?}") };
        assert_eq!((digit.as_char(), at), ('3', Duration::from_secs(5)));
    }

    #[test]
    fn keys_wait_until_the_stop_is_told() {
        let (mut it, mut out) = playing(0);
        plays_from(&mut out);
        for key in ['#', '#', '0'] {
            let digit = Digit::from_char(key).expect("a key");
            assert_eq!(it.handle_digit(digit, SHARD, &mut out), None);
        }
        let mut end = None;
        for _ in 0..3 {
            let State::Stopping { play, .. } = it.state else { panic!("{:?}", it.state) };
            end = it.handle_play_finished(play, PlayEnd::Stopped, 0, SHARD, &mut out);
        }
        let Some(ControlledEnd::Stopped { at, .. }) = end else { panic!("{end:?}") };
        assert_eq!(at, Duration::from_secs(6));
    }

    #[test]
    fn the_end_and_a_prompt_that_is_not_there_are_told() {
        let (mut it, mut out) = playing(0);
        let State::Playing { play, .. } = it.state else { panic!("{:?}", it.state) };
        let end = it.handle_play_finished(play, PlayEnd::Completed, 80_000, SHARD, &mut out);
        assert_eq!(end, Some(ControlledEnd::Completed));
        let (mut it, mut out) = playing(0);
        it.state = State::Loading(PromptId::new(7));
        let end = it.handle_prompt(PromptId::new(7), None, ChannelId::new(1), SHARD, &mut out);
        assert_eq!(end, Some(ControlledEnd::Missing));
    }
}
