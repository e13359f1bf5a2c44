//! Recordings beside whatever a channel does: what its peer says and hears, until told to stop or
//! the end of the call.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bstr::BString;

use super::{
    Channel, ChannelId, TaskOutcome,
    outbox::{Asker, Outbox, Recorder},
    task::Task,
};
use crate::{
    media::{
        Command, PlayItem, Prompt, Rate, Repeat, ShardId, StreamId, TapId, TapSource, TapState,
    },
    recording::{Fate, Input, NewFile, RecordingId, RecordingNews, Volumes},
};

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MonitorRequest {
    pub(crate) files: Vec<NewFile>,
    pub(crate) volumes: Volumes,
    pub(crate) during: During,
    /// What becomes of the files at the end.
    pub(crate) fate: Fate,
    pub(crate) beeps: Beeps,
    pub(crate) begun_by: BegunBy,
}

/// When a monitor listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum During {
    #[default]
    Always,
    /// While the channel is connected with others.
    Bridges,
}

/// Who began a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum BegunBy {
    #[default]
    Dialplan,
    /// Somebody in the call, by a key code.
    Keys,
}

/// What the peer hears of being recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Beeps {
    pub(crate) at_start: bool,
    pub(crate) at_end: bool,
    pub(crate) every: Option<Duration>,
}

impl Channel {
    /// Records both sides beside whatever the channel does; `None` when too many do already.
    pub(crate) fn monitor(
        &mut self,
        request: MonitorRequest,
        out: &mut Outbox,
    ) -> Option<RecordingId> {
        self.monitors.begin(self.id, request, out)
    }

    /// The same; done when the files are there.
    pub(crate) fn begin_monitor(&mut self, request: MonitorRequest, out: &mut Outbox) {
        self.stop(out);
        match self.monitor(request, out) {
            Some(id) => self.task = Task::Opening(id),
            None => self.finish(TaskOutcome::Failed("the channel has too many monitors")),
        }
    }

    /// Ends one monitor, or all.
    pub(crate) fn stop_monitors(&mut self, which: Option<RecordingId>, out: &mut Outbox) {
        if self.monitors.stop(which, self.stream(), out) {
            self.ask_beep(out);
        }
    }

    /// Pauses all monitors, or lets them go on.
    pub(crate) fn pause_monitors(&mut self, is_paused: bool, out: &mut Outbox) {
        self.monitors.pause(is_paused, self.stream(), out);
    }

    /// The monitor that somebody in the call began by keys.
    pub(crate) fn monitor_by_keys(&self) -> Option<RecordingId> {
        self.monitors.begun_by_keys()
    }

    /// Something is told of a monitor.
    pub(super) fn take_monitor_news(
        &mut self,
        news: RecordingNews,
        now: Instant,
        out: &mut Outbox,
    ) {
        let id = news.id();
        let told = self.monitors.handle_news(news, self.stream(), now, out);
        if !matches!(self.task, Task::Opening(waiting) if waiting == id) {
            return;
        }
        match told {
            Told::Nothing => {}
            Told::Begun(file) => self.finish(TaskOutcome::Monitoring { id, file }),
            Told::Failed => self.finish(TaskOutcome::Failed("the monitor's file can not be")),
        }
    }

    /// Lets the peer hear that it is recorded.
    pub(super) fn ask_beep(&mut self, out: &mut Outbox) {
        self.slip_prompt("beep".into(), out);
    }

    /// Plays a prompt where the peer hears nothing but those that it is connected with.
    pub(crate) fn slip_prompt(&mut self, name: BString, out: &mut Outbox) {
        if self.stream().is_some() && self.beep.is_none() {
            self.beep = Some(out.ask(Asker::Channel(self.id), name, self.language.clone()));
        }
    }

    /// The beep is there. Where something else is played it would end it, and is left out.
    pub(super) fn play_beep(&self, prompt: Option<Arc<Prompt>>, out: &mut Outbox) {
        let is_playing = matches!(self.task, Task::Playing { .. } | Task::Recording(_));
        let (Some(prompt), Some((shard, stream))) = (prompt, self.stream()) else { return };
        if is_playing || self.music.is_some() {
            return;
        }
        let (play, items, repeat) = (out.next_play(), vec![PlayItem::Prompt(prompt)], Repeat::Once);
        out.command(shard, Command::Play { stream, play, items, repeat });
    }
}

/// All monitors of a channel.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    running: Vec<Monitor>,
    /// Whether the channel is connected with others.
    is_bridged: bool,
}

#[derive(Debug)]
struct Monitor {
    id: RecordingId,
    stage: Stage,
    /// Of what is recorded.
    rate: Rate,
    during: During,
    fate: Fate,
    beeps: Beeps,
    begun_by: BegunBy,
    is_paused: bool,
    next_beep: Option<Instant>,
}

#[derive(Debug)]
enum Stage {
    /// The files are being created.
    Opening,
    /// There is no stream to listen to yet.
    Waiting(rtrb::Producer<i16>),
    Listening,
}

/// What follows from something that happened to a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing.
    Nothing,
    /// It runs, or waits for the call's media.
    Begun(PathBuf),
    /// It does not, or not any more.
    Failed,
}

impl Monitors {
    /// Asks for the files; `None` when there are too many already.
    pub(super) fn begin(
        &mut self,
        channel: ChannelId,
        request: MonitorRequest,
        out: &mut Outbox,
    ) -> Option<RecordingId> {
        if self.running.len() >= MOST_MONITORS {
            return None;
        }
        let MonitorRequest { files, volumes, during, fate, beeps, begun_by } = request;
        let rate = files.iter().map(NewFile::ring_rate).max().unwrap_or_default();
        let id = out.open_recording(Recorder::Channel(channel), Input::Apart, volumes, files);
        self.running.push(Monitor {
            id,
            stage: Stage::Opening,
            rate,
            during,
            fate,
            beeps,
            begun_by,
            is_paused: false,
            next_beep: None,
        });
        Some(id)
    }

    /// Whether a recording is one of these.
    pub(super) fn owns(&self, id: RecordingId) -> bool {
        self.running.iter().any(|monitor| monitor.id == id)
    }

    /// The one that somebody in the call began.
    pub(super) fn begun_by_keys(&self) -> Option<RecordingId> {
        let monitor = self.running.iter().find(|monitor| monitor.begun_by == BegunBy::Keys);
        monitor.map(|monitor| monitor.id)
    }

    pub(super) fn handle_news(
        &mut self,
        news: RecordingNews,
        stream: Option<(ShardId, StreamId)>,
        now: Instant,
        out: &mut Outbox,
    ) -> Told {
        let Some(at) = self.running.iter().position(|monitor| monitor.id == news.id()) else {
            return Told::Nothing;
        };
        match news {
            RecordingNews::Opened { sink, paths, .. } => {
                self.running[at].stage = Stage::Waiting(sink);
                self.listen(stream, now, out);
                Told::Begun(paths.into_iter().next().unwrap_or_default())
            }
            RecordingNews::Failed { .. } => {
                self.running.remove(at);
                Told::Failed
            }
            RecordingNews::Broken { id, .. } => {
                self.stop(Some(id), stream, out);
                Told::Failed
            }
            RecordingNews::Closed { .. } => Told::Nothing,
        }
    }

    /// Begins to listen wherever it can.
    pub(super) fn listen(
        &mut self,
        stream: Option<(ShardId, StreamId)>,
        now: Instant,
        out: &mut Outbox,
    ) {
        let Some((shard, stream)) = stream else { return };
        for monitor in &mut self.running {
            let Stage::Waiting(_) = &monitor.stage else { continue };
            let Stage::Waiting(sink) = std::mem::replace(&mut monitor.stage, Stage::Listening)
            else {
                continue;
            };
            let (tap, source, rate) = (monitor.tap(), TapSource::Apart, monitor.rate);
            let state = monitor.state(self.is_bridged);
            out.command(
                shard,
                Command::Tap { stream, tap, source, state, silence: None, rate, sink },
            );
            let first = monitor.beeps.at_start.then_some(now);
            monitor.next_beep =
                first.or_else(|| monitor.beeps.every.map(|every| super::later(now, every)));
        }
    }

    /// Ends one, or all; whether a beep tells of it.
    pub(super) fn stop(
        &mut self,
        which: Option<RecordingId>,
        stream: Option<(ShardId, StreamId)>,
        out: &mut Outbox,
    ) -> bool {
        let is_meant = |monitor: &Monitor| which.is_none_or(|which| monitor.id == which);
        let mut beeps = false;
        for monitor in self.running.iter().filter(|monitor| is_meant(monitor)) {
            if let (Stage::Listening, Some((shard, stream))) = (&monitor.stage, stream) {
                out.command(shard, Command::Untap { stream, tap: monitor.tap() });
            }
            out.close_recording(monitor.id, Duration::ZERO, monitor.fate);
            beeps |= monitor.beeps.at_end;
        }
        self.running.retain(|monitor| !is_meant(monitor));
        beeps
    }

    /// Pauses all, or lets them go on.
    pub(super) fn pause(
        &mut self,
        is_paused: bool,
        stream: Option<(ShardId, StreamId)>,
        out: &mut Outbox,
    ) {
        self.change(stream, out, |monitor| monitor.is_paused = is_paused);
    }

    /// Whether the channel is connected with others.
    pub(super) fn is_bridged(&self) -> bool {
        self.is_bridged
    }

    /// The channel is connected with others, or not any more.
    pub(super) fn set_bridged(
        &mut self,
        is_bridged: bool,
        stream: Option<(ShardId, StreamId)>,
        out: &mut Outbox,
    ) {
        let was_bridged = std::mem::replace(&mut self.is_bridged, is_bridged);
        if was_bridged != is_bridged {
            self.tell(was_bridged, stream, out);
        }
    }

    fn change(
        &mut self,
        stream: Option<(ShardId, StreamId)>,
        out: &mut Outbox,
        change: impl Fn(&mut Monitor),
    ) {
        for monitor in &mut self.running {
            let before = monitor.state(self.is_bridged);
            change(monitor);
            monitor.tell(before, self.is_bridged, stream, out);
        }
    }

    fn tell(&self, was_bridged: bool, stream: Option<(ShardId, StreamId)>, out: &mut Outbox) {
        for monitor in &self.running {
            monitor.tell(monitor.state(was_bridged), self.is_bridged, stream, out);
        }
    }

    /// When a beep is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.running.iter().filter_map(|monitor| monitor.next_beep).min()
    }

    /// Whether a beep is due; the next is set.
    pub(super) fn is_beep_due(&mut self, now: Instant) -> bool {
        let mut is_due = false;
        for monitor in &mut self.running {
            if monitor.next_beep.take_if(|at| *at <= now).is_some() {
                is_due = true;
                monitor.next_beep = monitor.beeps.every.map(|every| super::later(now, every));
            }
        }
        is_due
    }
}

impl Monitor {
    fn tap(&self) -> TapId {
        TapId(self.id.number())
    }

    fn state(&self, is_bridged: bool) -> TapState {
        match self.is_paused || (self.during == During::Bridges && !is_bridged) {
            true => TapState::Paused,
            false => TapState::Open,
        }
    }

    /// Tells the shard of a change.
    fn tell(
        &self,
        before: TapState,
        is_bridged: bool,
        stream: Option<(ShardId, StreamId)>,
        out: &mut Outbox,
    ) {
        let state = self.state(is_bridged);
        if let (Stage::Listening, Some((shard, stream))) = (&self.stage, stream)
            && before != state
        {
            out.command(shard, Command::SetTap { stream, tap: self.tap(), state });
        }
    }
}

/// Monitors of a channel; a stream has room for one Record and one embedder beside them.
const MOST_MONITORS: usize = 6;
