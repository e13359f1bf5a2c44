//! Music that a channel hears while it waits: files one after the other for ever, or a tone.
//!
//! It plays below whatever the channel does: a prompt takes its place on the stream and the music
//! stays silent until it is started anew. A file that is missing is passed over; when all are, there
//! is silence.

use std::sync::Arc;

use bstr::BString;

use super::{
    ChannelId,
    outbox::{Asker, Outbox},
};
use crate::{
    channel::PromptId,
    media::{Command, PlayEnd, PlayId, PlayItem, Prompt, Repeat, ShardId, StreamId, Tone},
};

/// What is played.
#[derive(Debug, Clone)]
pub(crate) enum MusicSource {
    /// Prompts by name, from the nth on.
    Files { names: Arc<[BString]>, first: usize },
    /// A tone that repeats.
    Tone(Arc<Tone>),
}

/// Music that plays on one stream.
#[derive(Debug)]
pub(crate) struct Music {
    names: Arc<[BString]>,
    /// The file that comes after this one.
    next: usize,
    /// Files in a row that were not there.
    missing: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Loading(PromptId),
    Playing(PlayId),
    Silent,
}

impl Music {
    /// Begins to play.
    pub(crate) fn start(
        channel: ChannelId,
        (shard, stream): (ShardId, StreamId),
        source: MusicSource,
        out: &mut Outbox,
    ) -> Self {
        match source {
            MusicSource::Tone(tone) => {
                let play = out.next_play();
                let (items, repeat) = (vec![PlayItem::Tone(tone)], Repeat::Forever);
                out.command(shard, Command::Play { stream, play, items, repeat });
                Self { names: Arc::new([]), next: 0, missing: 0, state: State::Playing(play) }
            }
            MusicSource::Files { names, first } => {
                let mut music = Self { names, next: first, missing: 0, state: State::Silent };
                music.load(channel, out);
                music
            }
        }
    }

    /// A prompt came, or is not there.
    pub(crate) fn handle_prompt(
        &mut self,
        id: PromptId,
        prompt: Option<&Arc<Prompt>>,
        channel: ChannelId,
        (shard, stream): (ShardId, StreamId),
        out: &mut Outbox,
    ) {
        if self.state != State::Loading(id) {
            return;
        }
        self.state = State::Silent;
        // An empty file would be played for ever within one moment.
        let Some(prompt) = prompt.filter(|prompt| !prompt.samples().is_empty()) else {
            self.missing += 1;
            return self.load(channel, out);
        };
        self.missing = 0;
        let play = out.next_play();
        let (items, repeat) = (vec![PlayItem::Prompt(Arc::clone(prompt))], Repeat::Once);
        out.command(shard, Command::Play { stream, play, items, repeat });
        self.state = State::Playing(play);
    }

    /// A play on the stream ended.
    pub(crate) fn handle_play_finished(
        &mut self,
        play: PlayId,
        end: PlayEnd,
        channel: ChannelId,
        out: &mut Outbox,
    ) {
        if self.state == State::Playing(play) {
            self.state = State::Silent;
            if end == PlayEnd::Completed {
                self.load(channel, out);
            }
        }
    }

    /// Falls silent.
    pub(crate) fn stop(&mut self, (shard, stream): (ShardId, StreamId), out: &mut Outbox) {
        if let State::Playing(play) = self.state {
            out.command(shard, Command::StopPlay { stream, play: Some(play) });
        }
        self.state = State::Silent;
    }

    fn load(&mut self, channel: ChannelId, out: &mut Outbox) {
        if self.names.is_empty() || self.missing >= self.names.len() {
            return;
        }
        let name = self.names[self.next % self.names.len()].clone();
        self.next = self.next.wrapping_add(1);
        let id = out.ask(Asker::Channel(channel), name, "en".into());
        self.state = State::Loading(id);
    }
}
