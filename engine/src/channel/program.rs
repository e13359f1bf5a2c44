//! Programs a channel speaks with: one in place of a task, or some beside whatever it does.

use super::{Channel, ChannelId, Outbox, TaskOutcome, task::Task};
use crate::{
    media::{Command, Digit, Rate, ShardId, Signal, StreamId, TapId, TapSource, TapState, VoiceId},
    program::{ProgramEnd, ProgramId, ProgramNews, WantedProgram},
};

/// A connection with a program. Its listener and its voice have its number.
#[derive(Debug)]
pub(super) struct Attached {
    id: ProgramId,
    hears: TapSource,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Connecting,
    /// It is there, and the channel has no media yet.
    Waiting {
        hears: rtrb::Producer<i16>,
        says: Option<rtrb::Consumer<i16>>,
    },
    Talking {
        has_voice: bool,
    },
    /// It was told to end.
    Closing,
}

impl Attached {
    fn begin(channel: ChannelId, wanted: WantedProgram, out: &mut Outbox) -> Self {
        let hears = wanted.hears;
        Self { id: out.connect_program(channel, wanted), hears, stage: Stage::Connecting }
    }

    /// It is there.
    fn connect(
        &mut self,
        hears: rtrb::Producer<i16>,
        says: Option<rtrb::Consumer<i16>>,
        stream: Option<(ShardId, StreamId)>,
        out: &mut Outbox,
    ) {
        if matches!(self.stage, Stage::Connecting) {
            self.stage = Stage::Waiting { hears, says };
            self.attach(stream, out);
        }
    }

    /// Gives the rings to the stream, once both are there.
    fn attach(&mut self, stream: Option<(ShardId, StreamId)>, out: &mut Outbox) {
        let Some((shard, stream)) = stream else { return };
        match std::mem::replace(&mut self.stage, Stage::Closing) {
            Stage::Waiting { hears: sink, says } => {
                self.stage = Stage::Talking { has_voice: says.is_some() };
                let (tap, source, state) = (self.tap(), self.hears, TapState::Open);
                out.command(
                    shard,
                    Command::Tap {
                        stream,
                        tap,
                        source,
                        state,
                        silence: None,
                        rate: Rate::Narrow,
                        sink,
                    },
                );
                if let Some(samples) = says {
                    out.command(shard, Command::Voice { stream, voice: self.voice(), samples });
                }
            }
            other => self.stage = other,
        }
    }

    fn press(&self, digit: Digit, out: &mut Outbox) {
        if matches!(self.stage, Stage::Talking { .. } | Stage::Waiting { .. }) {
            out.press_for_program(self.id, digit);
        }
    }

    /// Takes its rings back.
    fn disconnect(&mut self, stream: Option<(ShardId, StreamId)>, out: &mut Outbox) {
        let stage = std::mem::replace(&mut self.stage, Stage::Closing);
        if let (Stage::Talking { has_voice }, Some((shard, stream))) = (stage, stream) {
            out.command(shard, Command::Untap { stream, tap: self.tap() });
            if has_voice {
                out.command(shard, Command::EndVoice { stream, voice: self.voice() });
            }
        }
    }

    /// Ends it.
    pub(super) fn close(&mut self, stream: Option<(ShardId, StreamId)>, out: &mut Outbox) {
        if !matches!(self.stage, Stage::Closing) {
            out.close_program(self.id);
        }
        self.disconnect(stream, out);
    }

    fn tap(&self) -> TapId {
        TapId(self.id.number())
    }

    fn voice(&self) -> VoiceId {
        VoiceId(self.id.number())
    }
}

impl Channel {
    /// Connects the caller with a program until one of them hangs up.
    pub(crate) fn talk(&mut self, wanted: WantedProgram, out: &mut Outbox) {
        self.stop(out);
        if self.stream().is_none() {
            return self.finish(TaskOutcome::Failed("there is no media for the program"));
        }
        self.typed.clear();
        self.task = Task::Talking(Attached::begin(self.id, wanted, out));
    }

    /// Lets a program hear, and perhaps speak, beside whatever the channel does; `None` when as many
    /// do as may.
    pub(crate) fn fork(&mut self, wanted: WantedProgram, out: &mut Outbox) -> Option<ProgramId> {
        if self.forks.len() >= MOST_FORKS {
            return None;
        }
        let fork = Attached::begin(self.id, wanted, out);
        let id = fork.id;
        self.forks.push(fork);
        Some(id)
    }

    /// There is media now.
    pub(super) fn attach_programs(&mut self, out: &mut Outbox) {
        let stream = self.stream();
        for fork in &mut self.forks {
            fork.attach(stream, out);
        }
    }

    /// Ends one fork, or all; whether there was one.
    pub(crate) fn stop_forks(&mut self, which: Option<ProgramId>, out: &mut Outbox) -> bool {
        let (stream, before) = (self.stream(), self.forks.len());
        self.forks.retain_mut(|fork| {
            let ends = which.is_none_or(|which| which == fork.id);
            if ends {
                fork.close(stream, out);
            }
            !ends
        });
        self.forks.len() < before
    }

    /// Something is told of a program of this channel.
    pub(crate) fn handle_program(&mut self, news: ProgramNews, out: &mut Outbox) {
        let (id, stream) = (news.id(), self.stream());
        let task = match &mut self.task {
            Task::Talking(attached) if attached.id == id => Some(attached),
            _ => None,
        };
        let is_task = task.is_some();
        let Some(attached) = task.or_else(|| self.forks.iter_mut().find(|fork| fork.id == id))
        else {
            return;
        };
        match news {
            ProgramNews::Connected { hears, says, .. } => {
                attached.connect(hears, says, stream, out);
            }
            ProgramNews::Answer { .. } => {}
            ProgramNews::Digit { digit, .. } => {
                self.slip_digits(vec![Signal::Digit(digit)], super::PASSED_DIGIT, out);
            }
            ProgramNews::Ended { end, .. } => {
                attached.disconnect(stream, out);
                if !is_task {
                    return self.forks.retain(|fork| fork.id != id);
                }
                self.finish(match end {
                    ProgramEnd::Program | ProgramEnd::Us => TaskOutcome::Done,
                    ProgramEnd::Failed(_) => TaskOutcome::Failed("the program failed"),
                });
            }
        }
    }

    /// A key was pressed: all programs hear of it.
    pub(super) fn press_for_programs(&self, digit: Digit, out: &mut Outbox) {
        let task = match &self.task {
            Task::Talking(attached) => Some(attached),
            _ => None,
        };
        for attached in task.into_iter().chain(&self.forks) {
            attached.press(digit, out);
        }
    }

    /// The media is gone: no program hears any more.
    pub(super) fn close_programs(&mut self, out: &mut Outbox) {
        if let Task::Talking(attached) = &mut self.task {
            attached.close(None, out);
        }
        self.stop_forks(None, out);
    }
}

/// Forks of a channel at a time; one more is refused. With a program in place of a task that is as
/// many voices as a stream has room for, and leaves room for recordings.
const MOST_FORKS: usize = 3;
