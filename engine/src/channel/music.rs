//! Music that a channel hears while it waits: files one after the other for ever, what a program
//! makes, or a tone.
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
    entropy::Entropy,
    media::{
        Command, LiveListener, PlayEnd, PlayId, PlayItem, Prompt, Repeat, ShardId, StreamId, Tone,
    },
};

/// What is played.
#[derive(Debug, Clone)]
pub(crate) enum MusicSource {
    /// Prompts by name, and what is heard before each.
    Files { names: Arc<[BString]>, order: PlayOrder, announcement: Option<BString> },
    /// What is made elsewhere; and the tone that is heard when that ends.
    Live(Box<LiveListener>, Arc<Tone>),
    /// A tone that repeats.
    Tone(Arc<Tone>),
}

/// Which file comes after which.
#[derive(Debug, Clone)]
pub(crate) enum PlayOrder {
    /// One after the other, this one first.
    From(usize),
    /// Any.
    Random(Entropy),
}

/// Music that plays on one stream.
#[derive(Debug)]
pub(crate) struct Music {
    names: Arc<[BString]>,
    order: PlayOrder,
    announcement: Announcement,
    /// Files in a row that were not there.
    missing: usize,
    /// What is heard once that ends which is made elsewhere.
    then: Option<Arc<Tone>>,
    state: State,
}

#[derive(Debug)]
enum Announcement {
    None,
    /// It comes next.
    Due(BString),
    /// It is what was asked for last.
    Made(BString),
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
        let stream = (shard, stream);
        match source {
            MusicSource::Tone(tone) => Self::without_files(PlayItem::Tone(tone), None, stream, out),
            MusicSource::Live(listener, then) => {
                Self::without_files(PlayItem::Live(listener), Some(then), stream, out)
            }
            MusicSource::Files { names, order, announcement } => {
                let announcement = announcement.map_or(Announcement::None, Announcement::Due);
                let state = State::Silent;
                let mut music = Self { names, order, announcement, missing: 0, then: None, state };
                music.load(channel, out);
                music
            }
        }
    }

    fn without_files(
        item: PlayItem,
        then: Option<Arc<Tone>>,
        (shard, stream): (ShardId, StreamId),
        out: &mut Outbox,
    ) -> Self {
        let play = out.next_play();
        out.command(
            shard,
            Command::Play { stream, play, items: vec![item], repeat: Repeat::Forever },
        );
        Self {
            names: Arc::new([]),
            order: PlayOrder::From(0),
            announcement: Announcement::None,
            missing: 0,
            then,
            state: State::Playing(play),
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
            match self.announcement {
                // Nothing is said any more before each file.
                Announcement::Made(_) => self.announcement = Announcement::None,
                Announcement::None | Announcement::Due(_) => self.missing += 1,
            }
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
        stream: Option<(ShardId, StreamId)>,
        out: &mut Outbox,
    ) {
        if self.state != State::Playing(play) {
            return;
        }
        self.state = State::Silent;
        if end != PlayEnd::Completed {
            return;
        }
        match (self.then.take(), stream) {
            (Some(tone), Some(stream)) => {
                *self = Self::without_files(PlayItem::Tone(tone), None, stream, out);
            }
            _ => self.load(channel, out),
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
        let name = match std::mem::replace(&mut self.announcement, Announcement::None) {
            Announcement::Due(name) => {
                self.announcement = Announcement::Made(name.clone());
                name
            }
            Announcement::Made(name) => {
                self.announcement = Announcement::Due(name);
                self.next_file()
            }
            Announcement::None => self.next_file(),
        };
        let id = out.ask(Asker::Channel(channel), name, "en".into());
        self.state = State::Loading(id);
    }

    fn next_file(&mut self) -> BString {
        let nth = match &mut self.order {
            PlayOrder::From(next) => {
                let nth = *next;
                *next = next.wrapping_add(1);
                nth
            }
            PlayOrder::Random(entropy) => entropy.next_u64() as usize,
        };
        self.names[nth % self.names.len()].clone()
    }
}
