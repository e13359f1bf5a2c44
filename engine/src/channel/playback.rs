//! One playback: prompts asked for by name, then one play on the stream, until its end or a digit.

use std::{sync::Arc, time::Duration};

use bstr::{BStr, BString};

use super::{
    ChannelId, DigitSet,
    outbox::{Asker, Notice, Outbox, PromptId},
};
use crate::media::{Command, PlayId, PlayItem, Prompt, Repeat, ShardId, StreamId, Tone};

/// One part of what is played.
#[derive(Debug, Clone)]
pub enum PlayPart {
    /// A prompt by name, found in the call's language.
    Named(BString),
    /// A prompt the embedder holds.
    Prompt(Arc<Prompt>),
    /// Silence.
    Silence(Duration),
    /// A tone; one that repeats plays until stopped.
    Tone(Arc<Tone>),
}

/// What happens at a prompt that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingPrompt {
    /// The others play.
    Skip,
    /// What comes before it plays, nothing after it.
    Stop,
}

/// What happens to digits that do not stop the playback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherDigits {
    /// They are thrown away, as the dialplan's applications do.
    Drop,
    /// They stay to be read.
    Keep,
}

/// What is to be played, and how.
#[derive(Debug, Clone)]
pub(crate) struct PlayRequest {
    pub(crate) parts: Vec<PlayPart>,
    pub(crate) stop: DigitSet,
    pub(crate) others: OtherDigits,
    pub(crate) missing: MissingPrompt,
    pub(crate) repeat: Repeat,
    /// In place of the channel's.
    pub(crate) language: Option<BString>,
}

impl PlayRequest {
    /// Plays `parts` once, to the end, whatever is pressed.
    pub(crate) fn new(parts: Vec<PlayPart>) -> Self {
        Self {
            parts,
            stop: DigitSet::NONE,
            others: OtherDigits::Keep,
            missing: MissingPrompt::Skip,
            repeat: Repeat::Once,
            language: None,
        }
    }

    /// Plays prompts by name.
    pub(crate) fn named<N: Into<BString>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::new(names.into_iter().map(|name| PlayPart::Named(name.into())).collect())
    }
}

/// A playback in progress.
#[derive(Debug)]
pub(crate) struct Playback {
    channel: ChannelId,
    stream: StreamId,
    pub(super) stop: DigitSet,
    pub(super) others: OtherDigits,
    missing: MissingPrompt,
    repeat: Repeat,
    /// The first prompt that was not there.
    absent: Option<BString>,
    names: Vec<BString>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Some prompts are not here yet.
    Loading(Vec<Slot>),
    /// The stream plays.
    Playing(PlayId),
    /// Nothing to play, or over.
    Over,
}

#[derive(Debug)]
enum Slot {
    Ready(PlayItem),
    Asked { id: PromptId, name: BString },
    Absent,
}

/// How a playback stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlayProgress {
    /// It goes on.
    Ongoing,
    /// Everything there was has been played; names the first prompt that was not there.
    Ended { absent: Option<BString> },
}

impl Playback {
    /// Asks for the prompts and, when none is needed, begins at once.
    pub(crate) fn start(
        channel: ChannelId,
        (shard, stream): (ShardId, StreamId),
        request: PlayRequest,
        language: &BStr,
        out: &mut Outbox,
    ) -> Self {
        let language = request.language.unwrap_or_else(|| language.into());
        let mut names = Vec::new();
        let slots = request.parts.into_iter().map(|part| match part {
            PlayPart::Named(name) => {
                names.push(name.clone());
                let id = out.ask(Asker::Channel(channel), name.clone(), language.clone());
                Slot::Asked { id, name }
            }
            PlayPart::Prompt(prompt) => Slot::Ready(PlayItem::Prompt(prompt)),
            PlayPart::Silence(length) => Slot::Ready(PlayItem::Silence(length)),
            PlayPart::Tone(tone) => Slot::Ready(PlayItem::Tone(tone)),
        });
        let slots = slots.collect();
        let mut playback = Self {
            channel,
            stream,
            stop: request.stop,
            others: request.others,
            missing: request.missing,
            repeat: request.repeat,
            absent: None,
            names,
            state: State::Loading(slots),
        };
        playback.begin_when_loaded(shard, out);
        playback
    }

    /// A prompt came, or is not there.
    pub(crate) fn handle_prompt(
        &mut self,
        id: PromptId,
        prompt: Option<Arc<Prompt>>,
        shard: ShardId,
        out: &mut Outbox,
    ) -> PlayProgress {
        let State::Loading(slots) = &mut self.state else { return self.progress() };
        let wanted =
            |slot: &&mut Slot| matches!(slot, Slot::Asked { id: asked, .. } if *asked == id);
        if let Some(slot) = slots.iter_mut().find(wanted) {
            let reply = match prompt {
                Some(prompt) => Slot::Ready(PlayItem::Prompt(prompt)),
                None => Slot::Absent,
            };
            let asked = std::mem::replace(slot, reply);
            if let (Slot::Asked { name, .. }, Slot::Absent) = (asked, &*slot) {
                out.tell(self.channel, Notice::PromptMissing { name: name.clone() });
                self.absent.get_or_insert(name);
            }
        }
        self.begin_when_loaded(shard, out);
        self.progress()
    }

    /// A play on the stream ended.
    pub(crate) fn handle_play_finished(&mut self, play: PlayId) -> PlayProgress {
        if matches!(self.state, State::Playing(current) if current == play) {
            self.state = State::Over;
        }
        self.progress()
    }

    /// How it stands.
    pub(crate) fn progress(&self) -> PlayProgress {
        match &self.state {
            State::Loading(_) | State::Playing(_) => PlayProgress::Ongoing,
            State::Over => PlayProgress::Ended { absent: self.absent.clone() },
        }
    }

    /// Silences the stream, if it plays.
    pub(crate) fn stop(&mut self, shard: ShardId, out: &mut Outbox) {
        if let State::Playing(play) = self.state {
            out.command(shard, Command::StopPlay { stream: self.stream, play: Some(play) });
        }
        self.state = State::Over;
    }

    fn begin_when_loaded(&mut self, shard: ShardId, out: &mut Outbox) {
        let State::Loading(slots) = &mut self.state else { return };
        let mut items = Vec::with_capacity(slots.len());
        for slot in slots.iter_mut() {
            match slot {
                Slot::Asked { .. } => return,
                Slot::Ready(item) => items.push(item.clone()),
                Slot::Absent if self.missing == MissingPrompt::Stop => break,
                Slot::Absent => {}
            }
        }
        if items.is_empty() {
            self.state = State::Over;
            return;
        }
        let play = out.next_play();
        let names = std::mem::take(&mut self.names);
        if !names.is_empty() {
            out.tell(self.channel, Notice::PlayStarted { names });
        }
        let (stream, repeat) = (self.stream, self.repeat);
        out.command(shard, Command::Play { stream, play, items, repeat });
        self.state = State::Playing(play);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHERE: (ShardId, StreamId) = (ShardId(0), StreamId(1));

    fn start(
        names: &[&str],
        missing: MissingPrompt,
        out: &mut Outbox,
    ) -> (Playback, Vec<PromptId>) {
        let request = PlayRequest { missing, ..PlayRequest::named(names.iter().copied()) };
        let playback = Playback::start(ChannelId::new(7), WHERE, request, "en".into(), out);
        (playback, std::iter::from_fn(|| out.poll_prompt()).map(|request| request.id).collect())
    }

    fn prompt() -> Option<Arc<Prompt>> {
        Some(Arc::new(Prompt::from_samples(&[0; 160])))
    }

    fn played(out: &mut Outbox) -> Option<(PlayId, usize)> {
        std::iter::from_fn(|| out.poll_media()).find_map(|(_, command)| match command {
            Command::Play { play, items, .. } => Some((play, items.len())),
            _ => None,
        })
    }

    #[test]
    fn playing_begins_when_the_last_prompt_is_there_in_the_order_asked() {
        let mut out = Outbox::default();
        let (mut playback, ids) = start(&["a", "b"], MissingPrompt::Skip, &mut out);
        playback.handle_prompt(ids[1], prompt(), ShardId(0), &mut out);
        assert_eq!(played(&mut out), None);
        playback.handle_prompt(ids[0], prompt(), ShardId(0), &mut out);
        let (play, parts) = played(&mut out).expect("it plays");
        assert_eq!(parts, 2);
        assert_eq!(playback.handle_play_finished(PlayId(99)), PlayProgress::Ongoing);
        assert_eq!(playback.handle_play_finished(play), PlayProgress::Ended { absent: None });
    }

    #[test]
    fn a_missing_prompt_is_skipped_or_ends_the_list() {
        for (rule, parts) in [(MissingPrompt::Skip, 2), (MissingPrompt::Stop, 1)] {
            let mut out = Outbox::default();
            let (mut playback, ids) = start(&["a", "nope", "c"], rule, &mut out);
            for (id, reply) in ids.into_iter().zip([prompt(), None, prompt()]) {
                playback.handle_prompt(id, reply, ShardId(0), &mut out);
            }
            let (play, count) = played(&mut out).expect("it plays");
            assert_eq!(count, parts);
            let ended = PlayProgress::Ended { absent: Some("nope".into()) };
            assert_eq!(playback.handle_play_finished(play), ended);
        }
    }

    #[test]
    fn nothing_to_play_is_over_at_once() {
        let mut out = Outbox::default();
        let (mut playback, ids) = start(&["nope"], MissingPrompt::Skip, &mut out);
        let over = playback.handle_prompt(ids[0], None, ShardId(0), &mut out);
        assert_eq!(over, PlayProgress::Ended { absent: Some("nope".into()) });
        assert_eq!(played(&mut out), None);
        let (playback, _) = start(&[], MissingPrompt::Skip, &mut out);
        assert_eq!(playback.progress(), PlayProgress::Ended { absent: None });
    }
}
