//! What channels want done by others: commands to media shards, prompts to be loaded, things to tell.
//!
//! One outbox serves all channels; the switch empties it after each way in.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bstr::BString;

use super::ChannelId;
use crate::{
    media::{self, Digit, PlayId, Prompt, ShardId, Signal, TapId, WatchId},
    program::{NewProgram, ProgramId, ProgramNews, ProgramRequest, WantedProgram},
    recording::{
        Fate, Input, NewFile, NewRecording, RecordingId, RecordingNews, RecordingRequest, Volumes,
    },
};

/// Names one request for a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PromptId(u64);

impl PromptId {
    /// Requests of a test that has no channels.
    #[cfg(test)]
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// A prompt somebody needs. Exactly one [`PromptReply`] answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptRequest {
    /// Names the request in its reply.
    pub id: PromptId,
    /// The name as the dialplan has it, without format: `hello-world`, `digits/1`,
    /// `/var/sounds/menu`.
    pub name: BString,
    /// The language to look in first: `en`, `fr_CA`.
    pub language: BString,
}

/// The answer to a [`PromptRequest`].
#[derive(Debug)]
pub struct PromptReply {
    /// Which request.
    pub id: PromptId,
    /// The prompt, or `None` when no file of that name can be read.
    pub prompt: Option<Arc<Prompt>>,
}

/// Something a channel tells about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// It begins to play these.
    PlayStarted { names: Vec<BString> },
    /// A prompt was not there.
    PromptMissing { name: BString },
    /// It has digits to be sent as INFO requests, after those it had before.
    /// [`Channel::handle_digits_sent`](super::Channel::handle_digits_sent) is due when all are out.
    DigitsByInfo { signals: Vec<Signal>, tone: Duration, gap: Duration },
}

/// The requests of all channels that nobody took yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    media: VecDeque<(ShardId, media::Command)>,
    prompts: VecDeque<PromptRequest>,
    notices: VecDeque<(ChannelId, Notice)>,
    asked: HashMap<PromptId, Asker>,
    prompts_asked: u64,
    plays: u64,
    recordings: VecDeque<RecordingRequest>,
    /// Whose they are, from the request until the files are whole.
    recorders: HashMap<RecordingId, Recorder>,
    taps: u64,
    watches: u64,
    programs: VecDeque<ProgramRequest>,
    /// Whose they are, from the request until the last news.
    speakers: HashMap<ProgramId, ChannelId>,
}

/// Whose a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorder {
    Channel(ChannelId),
    Room { room: media::RoomId, shard: ShardId },
}

/// Who waits for a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// A channel, for its own playback.
    Channel(ChannelId),
    /// A room, for all to hear.
    Room(AnnouncementPart),
}

/// The place of a prompt in what is said to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnnouncementPart {
    pub(crate) room: media::RoomId,
    /// Of all announcements.
    pub(crate) number: u64,
    pub(crate) part: usize,
}

impl Outbox {
    /// Gives a command to a shard.
    pub(crate) fn command(&mut self, shard: ShardId, command: media::Command) {
        self.media.push_back((shard, command));
    }

    /// Asks for a prompt.
    pub(crate) fn ask(&mut self, asker: Asker, name: BString, language: BString) -> PromptId {
        self.prompts_asked += 1;
        let id = PromptId(self.prompts_asked);
        self.asked.insert(id, asker);
        self.prompts.push_back(PromptRequest { id, name, language });
        id
    }

    /// Who asked for a prompt, once.
    pub(crate) fn asker(&mut self, id: PromptId) -> Option<Asker> {
        self.asked.remove(&id)
    }

    /// Tells something.
    pub(crate) fn tell(&mut self, channel: ChannelId, notice: Notice) {
        self.notices.push_back((channel, notice));
    }

    /// A number for a play, never used before.
    pub(crate) fn next_play(&mut self) -> PlayId {
        self.plays += 1;
        PlayId(self.plays)
    }

    /// A number for a listener, never used before.
    pub(crate) fn next_tap(&mut self) -> TapId {
        self.taps += 1;
        TapId(self.taps)
    }

    /// A number for a watch, never used before.
    pub(crate) fn next_watch(&mut self) -> WatchId {
        self.watches += 1;
        WatchId(self.watches)
    }

    /// Asks for a recording's files. Its listener has the same number.
    pub(crate) fn open_recording(
        &mut self,
        recorder: Recorder,
        input: Input,
        volumes: Volumes,
        files: Vec<NewFile>,
    ) -> RecordingId {
        let id = RecordingId::new(self.next_tap().0);
        self.recorders.insert(id, recorder);
        let rate = files.iter().map(NewFile::ring_rate).max().unwrap_or_default().hertz();
        let new = NewRecording { id, rate, input, volumes, files };
        self.recordings.push_back(RecordingRequest::Open(Box::new(new)));
        id
    }

    /// Asks for the end of a recording.
    pub(crate) fn close_recording(&mut self, id: RecordingId, trim: Duration, fate: Fate) {
        self.recordings.push_back(RecordingRequest::Close { id, trim, fate });
    }

    /// Whose recording it is that something is told of; nobody's any more after the last news.
    pub(crate) fn recorder(&mut self, news: &RecordingNews) -> Option<Recorder> {
        match news {
            RecordingNews::Opened { id, .. } | RecordingNews::Broken { id, .. } => {
                self.recorders.get(id).copied()
            }
            RecordingNews::Failed { id, .. } | RecordingNews::Closed { id, .. } => {
                self.recorders.remove(id)
            }
        }
    }

    /// Asks for a program. Its listener and its voice have the same number.
    pub(crate) fn connect_program(
        &mut self,
        channel: ChannelId,
        wanted: WantedProgram,
    ) -> ProgramId {
        let id = ProgramId::new(self.next_tap().0);
        self.speakers.insert(id, channel);
        self.programs.push_back(ProgramRequest::Connect(Box::new(NewProgram { id, wanted })));
        id
    }

    /// Lets a program know of a key.
    pub(crate) fn press_for_program(&mut self, id: ProgramId, digit: Digit) {
        self.programs.push_back(ProgramRequest::Digit { id, digit });
    }

    /// Asks for the end of a program's connection.
    pub(crate) fn close_program(&mut self, id: ProgramId) {
        self.programs.push_back(ProgramRequest::Close { id });
    }

    /// Whose program it is that something is told of; nobody's any more after the last news.
    pub(crate) fn speaker(&mut self, news: &ProgramNews) -> Option<ChannelId> {
        match news {
            ProgramNews::Ended { id, .. } => self.speakers.remove(id),
            ProgramNews::Connected { id, .. }
            | ProgramNews::Answer { id }
            | ProgramNews::Digit { id, .. } => self.speakers.get(id).copied(),
        }
    }

    pub(crate) fn poll_program(&mut self) -> Option<ProgramRequest> {
        self.programs.pop_front()
    }

    pub(crate) fn poll_recording(&mut self) -> Option<RecordingRequest> {
        self.recordings.pop_front()
    }

    pub(crate) fn poll_media(&mut self) -> Option<(ShardId, media::Command)> {
        self.media.pop_front()
    }

    pub(crate) fn poll_prompt(&mut self) -> Option<PromptRequest> {
        self.prompts.pop_front()
    }

    pub(crate) fn poll_notice(&mut self) -> Option<(ChannelId, Notice)> {
        self.notices.pop_front()
    }

    /// Requests for prompts not answered yet.
    #[cfg(test)]
    pub(crate) fn open_requests(&self) -> usize {
        self.asked.len()
    }

    /// Programs that are connected or may yet be.
    #[cfg(test)]
    pub(crate) fn open_programs(&self) -> usize {
        self.speakers.len()
    }

    /// Recordings whose files are not whole yet.
    #[cfg(test)]
    pub(crate) fn open_recordings(&self) -> usize {
        self.recorders.len()
    }
}
