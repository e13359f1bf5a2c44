//! One recording of what the caller says: the file is asked for, a beep played, then it is listened
//! until a key, a silence, the limit or the end of the call.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bstr::{BStr, BString, ByteSlice};

use super::{
    ChannelId, DigitSet, PlayPart, PlayRequest,
    outbox::{Outbox, PromptId, Recorder},
    playback::{OtherDigits, PlayProgress, Playback},
};
use crate::{
    media::{Command, Digit, PlayId, Prompt, ShardId, StreamId, TapId, TapSource, TapState},
    recording::{Fate, Input, NewFile, RecordingId, RecordingNews, Volumes},
};

/// What is to be recorded, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordRequest {
    pub(crate) file: NewFile,
    /// The name as it was given, without format; `%d` stands for a number.
    pub(crate) name: BString,
    /// What is played before.
    pub(crate) beep: Option<BString>,
    /// Ends after so long a silence, which is cut off but for a second.
    pub(crate) silence: Option<Duration>,
    /// Ends after so long.
    pub(crate) limit: Option<Duration>,
    /// Keys that end it.
    pub(crate) stop: DigitSet,
    /// The key that asks for an operator.
    pub(crate) operator: Option<Digit>,
    /// Whether silence and the beginning of a key stay at the end.
    pub(crate) ending: Ending,
    /// What becomes of the file when the caller hangs up.
    pub(crate) at_hangup: Fate,
}

/// What becomes of the end of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Trimmed,
    Whole,
}

/// Why a recording ended, as RECORD_STATUS tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordEnd {
    Digit,
    Operator,
    Silence,
    Limit,
    Error,
}

impl RecordEnd {
    /// The text of RECORD_STATUS.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Digit => "DTMF",
            Self::Operator => "OPERATOR",
            Self::Silence => "SILENCE",
            Self::Limit => "TIMEOUT",
            Self::Error => "ERROR",
        }
    }
}

/// A recording in progress.
#[derive(Debug)]
pub(super) struct Taking {
    channel: ChannelId,
    id: RecordingId,
    request: RecordRequest,
    /// The name with its number, once the file is there.
    file: Option<BString>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The file is being created.
    Opening,
    Beeping {
        playback: Playback,
        sink: rtrb::Producer<i16>,
    },
    Listening {
        until: Option<Instant>,
    },
    /// The file is being completed.
    Closing(RecordEnd),
}

/// How a recording stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    Ongoing,
    Over { end: RecordEnd, file: BString },
}

impl Taking {
    /// Asks for the file.
    pub(super) fn begin(channel: ChannelId, request: RecordRequest, out: &mut Outbox) -> Self {
        let files = vec![request.file.clone()];
        let id =
            out.open_recording(Recorder::Channel(channel), Input::Mono, Volumes::default(), files);
        Self { channel, id, request, file: None, stage: Stage::Opening }
    }

    /// Its name, once the file is there.
    pub(super) fn file(&self) -> Option<&BStr> {
        self.file.as_ref().map(|file| file.as_bstr())
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Listening { until } => *until,
            Stage::Opening | Stage::Beeping { .. } | Stage::Closing(_) => None,
        }
    }

    /// The file is there, or whole, or can not be had.
    pub(super) fn handle_news(
        &mut self,
        news: RecordingNews,
        stream: (ShardId, StreamId),
        language: &BStr,
        now: Instant,
        out: &mut Outbox,
    ) -> Progress {
        if news.id() != self.id {
            return Progress::Ongoing;
        }
        match (news, &self.stage) {
            (RecordingNews::Opened { sink, number, .. }, Stage::Opening) => {
                self.file = Some(match number {
                    Some(number) => {
                        self.request.name.replace("%d", number.to_string().as_bytes()).into()
                    }
                    None => self.request.name.clone(),
                });
                match self.request.beep.take() {
                    Some(beep) => {
                        let others = OtherDigits::Drop;
                        let beep =
                            PlayRequest { others, ..PlayRequest::new(vec![PlayPart::Named(beep)]) };
                        let playback = Playback::start(self.channel, stream, beep, language, out);
                        self.stage = Stage::Beeping { playback, sink };
                        self.listen_after_beep(stream, now, out);
                    }
                    None => self.listen(sink, stream, now, out),
                }
                Progress::Ongoing
            }
            (RecordingNews::Closed { .. }, Stage::Closing(end)) => self.over(*end),
            (RecordingNews::Failed { .. }, _) => self.over(RecordEnd::Error),
            (RecordingNews::Broken { .. }, Stage::Opening | Stage::Closing(_)) => {
                self.stage = Stage::Closing(RecordEnd::Error);
                Progress::Ongoing
            }
            (RecordingNews::Broken { .. }, Stage::Beeping { .. } | Stage::Listening { .. }) => {
                self.finish(RecordEnd::Error, stream, out);
                Progress::Ongoing
            }
            (RecordingNews::Opened { .. } | RecordingNews::Closed { .. }, _) => Progress::Ongoing,
        }
    }

    fn over(&self, end: RecordEnd) -> Progress {
        let file = self.file.clone().unwrap_or_else(|| self.request.name.clone());
        Progress::Over { end, file }
    }

    /// A prompt came, or is not there.
    pub(super) fn handle_prompt(
        &mut self,
        id: PromptId,
        prompt: Option<Arc<Prompt>>,
        stream: (ShardId, StreamId),
        now: Instant,
        out: &mut Outbox,
    ) {
        if let Stage::Beeping { playback, .. } = &mut self.stage {
            playback.handle_prompt(id, prompt, stream.0, out);
            self.listen_after_beep(stream, now, out);
        }
    }

    /// A play on the stream ended.
    pub(super) fn handle_play_finished(
        &mut self,
        play: PlayId,
        stream: (ShardId, StreamId),
        now: Instant,
        out: &mut Outbox,
    ) {
        if let Stage::Beeping { playback, .. } = &mut self.stage {
            playback.handle_play_finished(play);
            self.listen_after_beep(stream, now, out);
        }
    }

    fn listen_after_beep(&mut self, stream: (ShardId, StreamId), now: Instant, out: &mut Outbox) {
        let is_over = matches!(
            &self.stage,
            Stage::Beeping { playback, .. } if playback.progress() != PlayProgress::Ongoing
        );
        if !is_over {
            return;
        }
        if let Stage::Beeping { sink, .. } = std::mem::replace(&mut self.stage, Stage::Opening) {
            self.listen(sink, stream, now, out);
        }
    }

    fn listen(
        &mut self,
        sink: rtrb::Producer<i16>,
        (shard, stream): (ShardId, StreamId),
        now: Instant,
        out: &mut Outbox,
    ) {
        let (tap, source, state) = (self.tap(), TapSource::Received, TapState::Open);
        let (silence, rate) = (self.request.silence, self.request.file.ring_rate());
        out.command(shard, Command::Tap { stream, tap, source, state, silence, rate, sink });
        let until = self.request.limit.map(|limit| super::later(now, limit));
        self.stage = Stage::Listening { until };
    }

    /// A key was pressed.
    pub(super) fn handle_digit(
        &mut self,
        digit: Digit,
        stream: (ShardId, StreamId),
        out: &mut Outbox,
    ) {
        if !matches!(self.stage, Stage::Listening { .. }) {
            return;
        }
        if self.request.operator == Some(digit) {
            self.finish(RecordEnd::Operator, stream, out);
        } else if self.request.stop.contains(digit) {
            self.finish(RecordEnd::Digit, stream, out);
        }
    }

    /// The caller has been silent for long.
    pub(super) fn handle_silence(
        &mut self,
        tap: TapId,
        stream: (ShardId, StreamId),
        out: &mut Outbox,
    ) {
        if tap == self.tap() && matches!(self.stage, Stage::Listening { .. }) {
            self.finish(RecordEnd::Silence, stream, out);
        }
    }

    /// The limit is reached.
    pub(super) fn handle_timeout(&mut self, stream: (ShardId, StreamId), out: &mut Outbox) {
        self.finish(RecordEnd::Limit, stream, out);
    }

    fn finish(&mut self, end: RecordEnd, (shard, stream): (ShardId, StreamId), out: &mut Outbox) {
        match &mut self.stage {
            Stage::Listening { .. } => {
                out.command(shard, Command::Untap { stream, tap: self.tap() });
            }
            Stage::Beeping { playback, .. } => playback.stop(shard, out),
            Stage::Opening | Stage::Closing(_) => {}
        }
        let trim = match (self.request.ending, end) {
            (Ending::Whole, _) => Duration::ZERO,
            (_, RecordEnd::Silence) => {
                let silence = self.request.silence.unwrap_or_default();
                silence.saturating_sub(KEPT_SILENCE)
            }
            // What of the key can be heard before it is known.
            (_, RecordEnd::Digit | RecordEnd::Operator) => KEY,
            (_, RecordEnd::Limit | RecordEnd::Error) => Duration::ZERO,
        };
        out.close_recording(self.id, trim, Fate::Kept);
        self.stage = Stage::Closing(end);
    }

    /// Something else takes its place; what was recorded stays.
    pub(super) fn stop(&mut self, stream: Option<(ShardId, StreamId)>, out: &mut Outbox) {
        let is_closed = matches!(self.stage, Stage::Closing(_));
        match (&mut self.stage, stream) {
            (Stage::Listening { .. }, Some((shard, stream))) => {
                out.command(shard, Command::Untap { stream, tap: TapId(self.id.number()) });
            }
            (Stage::Beeping { playback, .. }, Some((shard, _))) => playback.stop(shard, out),
            _ => {}
        }
        if !is_closed {
            out.close_recording(self.id, Duration::ZERO, Fate::Kept);
        }
    }

    /// The call is over.
    pub(super) fn hang_up(&self, out: &mut Outbox) {
        if !matches!(self.stage, Stage::Closing(_)) {
            out.close_recording(self.id, Duration::ZERO, self.request.at_hangup);
        }
    }

    fn tap(&self) -> TapId {
        TapId(self.id.number())
    }
}

/// What stays of a silence that ended a recording, as in Asterisk.
const KEPT_SILENCE: Duration = Duration::from_secs(1);

/// What is cut off where a key ended a recording, as in Asterisk.
const KEY: Duration = Duration::from_millis(250);
