//! One task that listens to the caller: until there is silence or noise, until something is said,
//! until it is known who answered; perhaps while something is played.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bstr::{BStr, BString};

use super::{
    Channel, ChannelId, DigitSet, OtherDigits, PlayPart, PlayRequest, TaskOutcome, later,
    outbox::{Outbox, PromptId},
    playback::{PlayProgress, Playback},
    task::Task,
};
use crate::media::{Command, Noticed, PlayId, Prompt, ShardId, StreamId, Watch, WatchId};

/// What is to be heard, and how.
#[derive(Debug)]
pub(crate) struct ListenRequest {
    pub(crate) watch: Watch,
    /// For how long.
    pub(crate) timeout: Option<Duration>,
    /// Played meanwhile.
    pub(crate) files: Vec<BString>,
    pub(crate) file_end: FileEnd,
    /// Keys that end it; all others are dropped.
    pub(crate) stop: DigitSet,
}

/// What happens when all is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileEnd {
    /// It is listened on.
    GoesOn,
    /// It is over.
    Ends,
}

/// Which talk is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TalkTold {
    /// The silence that ends it.
    pub(crate) silence: Duration,
    /// A frame of a lesser mean magnitude is silence.
    pub(crate) threshold: u32,
}

/// Talk that is told beside whatever the channel does.
#[derive(Debug)]
pub(super) struct TalkWatch {
    how: TalkTold,
    watch: Option<WatchId>,
}

/// A task that listens.
#[derive(Debug)]
pub(super) struct Listening {
    watch: WatchId,
    pub(super) until: Option<Instant>,
    playback: Option<Playback>,
    file_end: FileEnd,
    pub(super) stop: DigitSet,
}

impl Listening {
    fn begin(
        channel: ChannelId,
        (shard, stream): (ShardId, StreamId),
        request: ListenRequest,
        language: &BStr,
        now: Instant,
        out: &mut Outbox,
    ) -> Self {
        let ListenRequest { watch: what, timeout, files, file_end, stop } = request;
        let watch = out.next_watch();
        out.command(shard, Command::Watch { stream, watch, what: Box::new(what) });
        let playback = (!files.is_empty()).then(|| {
            let parts = files.into_iter().map(PlayPart::Named).collect();
            let request = PlayRequest { others: OtherDigits::Drop, ..PlayRequest::new(parts) };
            Playback::start(channel, (shard, stream), request, language, out)
        });
        let until = timeout.map(|timeout| later(now, timeout));
        Self { watch, until, playback, file_end, stop }
    }

    pub(super) fn handle_prompt(
        &mut self,
        id: PromptId,
        prompt: Option<Arc<Prompt>>,
        shard: ShardId,
        out: &mut Outbox,
    ) -> Option<TaskOutcome> {
        let progress = self.playback.as_mut()?.handle_prompt(id, prompt, shard, out);
        self.played(progress)
    }

    pub(super) fn handle_play_finished(&mut self, play: PlayId) -> Option<TaskOutcome> {
        let progress = self.playback.as_mut()?.handle_play_finished(play);
        self.played(progress)
    }

    fn played(&mut self, progress: PlayProgress) -> Option<TaskOutcome> {
        let PlayProgress::Ended { absent } = progress else { return None };
        self.playback = None;
        match (self.file_end, absent) {
            (FileEnd::GoesOn, _) => None,
            (FileEnd::Ends, None) => Some(TaskOutcome::Done),
            (FileEnd::Ends, Some(name)) => Some(TaskOutcome::Missing(name)),
        }
    }

    pub(super) fn stop(mut self, stream: Option<(ShardId, StreamId)>, out: &mut Outbox) {
        let Some((shard, stream)) = stream else { return };
        out.command(shard, Command::Unwatch { stream, watch: self.watch });
        if let Some(playback) = &mut self.playback {
            playback.stop(shard, out);
        }
    }
}

impl Channel {
    /// Listens; done when there was what was asked for, when all is played, or at a key.
    pub(crate) fn listen(&mut self, request: ListenRequest, now: Instant, out: &mut Outbox) {
        self.stop(out);
        let Some(stream) = self.stream() else {
            return self.finish(TaskOutcome::Failed("there is no media to listen to"));
        };
        if let Some(digit) = self.typed.next_of(request.stop) {
            return self.finish(TaskOutcome::Digit(digit));
        }
        let language = self.language.clone();
        let listening = Listening::begin(self.id, stream, request, language.as_ref(), now, out);
        self.task = Task::Listening(Box::new(listening));
    }

    /// Ends listening.
    pub(super) fn heard(&mut self, outcome: TaskOutcome, out: &mut Outbox) {
        self.stop(out);
        self.finish(outcome);
    }

    /// Something was heard; gives it back when that is talk somebody wants to be told of.
    pub(crate) fn handle_noticed(
        &mut self,
        watch: WatchId,
        what: Noticed,
        out: &mut Outbox,
    ) -> Option<Noticed> {
        if matches!(&self.task, Task::Listening(listening) if listening.watch == watch) {
            self.heard(TaskOutcome::Noticed(what), out);
            return None;
        }
        let told = self.talk.as_ref().is_some_and(|talk| talk.watch == Some(watch));
        told.then_some(what)
    }

    /// Tells of talk from now on, for as long as the channel lives, or no more.
    pub(crate) fn tell_talk(&mut self, how: Option<TalkTold>, out: &mut Outbox) {
        let before = self.talk.take().and_then(|talk| talk.watch);
        if let (Some(watch), Some((shard, stream))) = (before, self.stream()) {
            out.command(shard, Command::Unwatch { stream, watch });
        }
        self.talk = how.map(|how| TalkWatch { how, watch: None });
        self.watch_talk(out);
    }

    /// Begins to watch, once there is a stream.
    pub(super) fn watch_talk(&mut self, out: &mut Outbox) {
        let stream = self.stream();
        if let (Some((shard, stream)), Some(talk)) = (stream, &mut self.talk) {
            let watch = out.next_watch();
            let what = Box::new(Watch::talk(talk.how.silence, talk.how.threshold));
            out.command(shard, Command::Watch { stream, watch, what });
            talk.watch = Some(watch);
        }
    }
}
