//! One call leg as its controller sees it: media that can be played to and read digits from.
//!
//! The dialplan's applications and an embedder's commands use these same verbs. A channel does one
//! task at a time; starting one replaces the one before. Signalling is the switch's: it opens the
//! audio when a call is answered or gets early media, and closes it at the end.

mod cause;
mod controlled;
mod digits;
mod listening;
mod monitor;
mod music;
pub(crate) mod outbox;
mod playback;
mod program;
mod recording;
mod task;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bstr::{BStr, BString};

pub use cause::Cause;
pub(crate) use controlled::{ControlRequest, ControlledEnd};
pub use digits::DigitSet;
pub(crate) use digits::{DigitRoute, DigitSource, Pressed, TypeAhead};
pub(crate) use listening::{FileEnd, ListenRequest, TalkTold};
pub(crate) use monitor::{Beeps, BegunBy, During, MonitorRequest};
pub(crate) use music::{MusicSource, PlayOrder};
pub(crate) use outbox::{AnnouncementPart, Asker, Notice, Outbox, Recorder};
pub use outbox::{PromptId, PromptReply, PromptRequest};
pub use playback::PlayPart;
pub(crate) use playback::{MissingPrompt, OtherDigits, PlayProgress, PlayRequest, Playback};
pub(crate) use recording::{Ending, RecordRequest};
pub(crate) use task::TaskOutcome;
pub use task::{ReadDigits, ReadEnd};

use crate::{
    media::{
        Command, Digit, EchoState, Gain, MuteState, PlayEnd, PlayId, PlayItem, PortLease, Prompt,
        Rate, Repeat, RoomId, ShardId, Signal, StreamId, StreamSettings, TalkDetection, TapId,
        TapSource, TapState,
    },
    recording::RecordingNews,
};
use listening::TalkWatch;
use monitor::Monitors;
use music::Music;
use program::Attached;
use recording::{Progress, Taking};
use task::Task;

/// Names one channel for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(u64);

impl ChannelId {
    /// The channel of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number it was made of.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// One call leg's media side.
#[derive(Debug)]
pub(crate) struct Channel {
    id: ChannelId,
    /// Prompts are looked for in this language.
    pub(crate) language: BString,
    audio: Audio,
    typed: TypeAhead,
    digit_route: DigitRoute,
    task: Task,
    outcome: Option<TaskOutcome>,
    /// What is heard beside the task.
    music: Option<Box<Music>>,
    /// An embedder's copy of what the caller says.
    copy: Option<TapId>,
    /// Whether it is told when the caller talks.
    talk: Option<TalkWatch>,
    /// Recordings beside the task.
    monitors: Monitors,
    /// The sound that tells of them, on its way.
    beep: Option<PromptId>,
    /// Programs that hear beside the task.
    forks: Vec<Attached>,
}

/// The channel's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audio {
    /// None yet, or none any more.
    Closed,
    /// On this shard.
    Open { shard: ShardId, stream: StreamId, heard: Heard },
}

/// Whether anything came from the caller yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Packets,
}

impl Channel {
    /// A channel without audio that does nothing.
    pub(crate) fn new(id: ChannelId, language: BString) -> Self {
        Self {
            id,
            language,
            audio: Audio::Closed,
            typed: TypeAhead::default(),
            digit_route: DigitRoute::default(),
            task: Task::Idle,
            outcome: None,
            music: None,
            copy: None,
            talk: None,
            monitors: Monitors::default(),
            beep: None,
            forks: Vec::new(),
        }
    }

    /// The channel's number.
    pub(crate) fn id(&self) -> ChannelId {
        self.id
    }

    /// The stream and its shard, when there is one.
    pub(crate) fn stream(&self) -> Option<(ShardId, StreamId)> {
        match self.audio {
            Audio::Open { shard, stream, .. } => Some((shard, stream)),
            Audio::Closed => None,
        }
    }

    /// Whether nothing is being done and no outcome waits.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.task, Task::Idle) && self.outcome.is_none()
    }

    /// When [`Channel::handle_timeout`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.task.deadline().into_iter().chain(self.monitors.deadline()).min()
    }

    /// How the last task ended, once.
    pub(crate) fn poll_outcome(&mut self) -> Option<TaskOutcome> {
        self.outcome.take()
    }

    // The stream.

    /// Opens the stream on a leased port.
    pub(crate) fn open(
        &mut self,
        port: PortLease,
        stream: StreamId,
        settings: StreamSettings,
        now: Instant,
        out: &mut Outbox,
    ) {
        let shard = port.shard;
        out.command(shard, Command::Open { stream, port, settings: Box::new(settings) });
        self.audio = Audio::Open { shard, stream, heard: Heard::Nothing };
        self.monitors.listen(Some((shard, stream)), now, out);
        self.watch_talk(out);
        self.attach_programs(out);
    }

    /// Puts the result of a new offer and answer in force.
    pub(crate) fn update(&self, settings: StreamSettings, out: &mut Outbox) {
        if let Some((shard, stream)) = self.stream() {
            out.command(shard, Command::Update { stream, settings: Box::new(settings) });
        }
    }

    /// Ends what is being done and closes the stream. Without effect on a closed channel.
    pub(crate) fn close(&mut self, out: &mut Outbox) {
        self.end_recordings(out);
        self.close_programs(out);
        self.task = Task::Idle;
        self.outcome = None;
        self.typed.clear();
        self.music = None;
        if let Some((shard, stream)) = self.stream() {
            out.command(shard, Command::Close { stream });
        }
        self.audio = Audio::Closed;
    }

    /// The stream is gone without our asking: its shard ended or it never opened.
    pub(crate) fn lose_stream(&mut self, out: &mut Outbox) {
        self.music = None;
        self.end_recordings(out);
        self.close_programs(out);
        self.audio = Audio::Closed;
        self.finish(TaskOutcome::Failed("the media is gone"));
    }

    /// Lets another shard carry the stream, with all that it is doing.
    pub(crate) fn move_to(&mut self, at: ShardId, out: &mut Outbox) {
        if let Audio::Open { shard, stream, .. } = &mut self.audio
            && *shard != at
        {
            out.command(*shard, Command::Move { stream: *stream, to: at });
            *shard = at;
        }
    }

    /// Whether it hears nobody else, who would have to come with it to another shard.
    pub(crate) fn can_move(&self) -> bool {
        self.stream().is_some() && !self.monitors.is_bridged()
    }

    /// Enters a room, on the room's shard.
    pub(crate) fn join(
        &mut self,
        room: RoomId,
        at: ShardId,
        mute: MuteState,
        talk_detection: TalkDetection,
        out: &mut Outbox,
    ) {
        self.move_to(at, out);
        let Some((_, stream)) = self.stream() else { return };
        out.command(at, Command::Join { stream, room, mute, talk_detection });
        self.monitors.set_bridged(true, self.stream(), out);
    }

    /// Changes what it contributes to its room.
    pub(crate) fn mute(&self, mute: MuteState, out: &mut Outbox) {
        if let Some((shard, stream)) = self.stream() {
            out.command(shard, Command::Mute { stream, mute });
        }
    }

    /// Changes how loud it hears its room, and how loud it is heard there.
    pub(crate) fn set_volume(&self, listening: Gain, talking: Gain, out: &mut Outbox) {
        if let Some((shard, stream)) = self.stream() {
            out.command(shard, Command::SetVolume { stream, listening, talking });
        }
    }

    /// Leaves the room.
    pub(crate) fn leave(&mut self, out: &mut Outbox) {
        if let Some((shard, stream)) = self.stream() {
            out.command(shard, Command::Leave { stream });
        }
        self.monitors.set_bridged(false, self.stream(), out);
    }

    // Tasks.

    /// Stops what is being done, without an outcome.
    pub(crate) fn stop(&mut self, out: &mut Outbox) {
        let stream = self.stream();
        match std::mem::take(&mut self.task) {
            Task::Playing { mut playback, .. } => {
                if let Some((shard, _)) = stream {
                    playback.stop(shard, out);
                }
            }
            Task::Echoing => self.echo_state(EchoState::Off, out),
            Task::Controlled(controlled) => {
                if let Some((shard, _)) = stream {
                    controlled.silence(shard, out);
                }
            }
            Task::Listening(listening) => listening.stop(stream, out),
            Task::Recording(mut taking) => taking.stop(stream, out),
            Task::Talking(mut attached) => attached.close(stream, out),
            Task::Idle
            | Task::Opening(_)
            | Task::Settling { .. }
            | Task::Waiting { .. }
            | Task::WaitingDigit { .. }
            | Task::Reading { .. }
            | Task::Sending => {}
        }
        self.outcome = None;
    }

    /// After an answer: done when the caller's media flows, or half a second passed without any,
    /// and then `delay`.
    pub(crate) fn settle(
        &mut self,
        wait_media: bool,
        delay: Duration,
        now: Instant,
        out: &mut Outbox,
    ) {
        self.stop(out);
        let silent = matches!(self.audio, Audio::Open { heard: Heard::Nothing, .. });
        if wait_media && silent {
            self.task = Task::Settling { media_until: now + FIRST_PACKET_WAIT, delay };
        } else {
            self.wait(delay, OtherDigits::Keep, now, out);
        }
    }

    /// Lets time pass; done at once when there is none to pass.
    pub(crate) fn wait(
        &mut self,
        duration: Duration,
        others: OtherDigits,
        now: Instant,
        out: &mut Outbox,
    ) {
        self.stop(out);
        if others == OtherDigits::Drop {
            self.typed.clear();
        }
        if duration.is_zero() {
            self.finish(TaskOutcome::Done);
        } else {
            self.task = Task::Waiting { until: later(now, duration), others };
        }
    }

    /// Plays. A digit of the request's stop set that was typed ahead stops it before it begins.
    pub(crate) fn play(
        &mut self,
        request: PlayRequest,
        limit: Option<Duration>,
        now: Instant,
        out: &mut Outbox,
    ) {
        self.stop(out);
        let Some(stream) = self.stream() else {
            return self.finish(TaskOutcome::Failed("there is no media to play to"));
        };
        let typed = match request.others {
            OtherDigits::Drop => self.typed.next_of(request.stop),
            OtherDigits::Keep => self.typed.pick(request.stop),
        };
        if let Some(digit) = typed {
            return self.finish(TaskOutcome::Digit(digit));
        }
        let playback = Playback::start(self.id, stream, request, self.language.as_ref(), out);
        let progress = playback.progress();
        self.task = Task::Playing { playback, until: limit.map(|limit| later(now, limit)) };
        self.finish_played(progress);
    }

    /// Waits for one digit, typed ahead or to come; `None` waits for ever.
    pub(crate) fn wait_digit(&mut self, timeout: Option<Duration>, now: Instant, out: &mut Outbox) {
        self.stop(out);
        match self.typed.next() {
            Some(digit) => self.finish(TaskOutcome::Digit(digit)),
            None => {
                self.task =
                    Task::WaitingDigit { until: timeout.map(|timeout| later(now, timeout)) };
            }
        }
    }

    /// Collects digits, those typed ahead first.
    pub(crate) fn read(&mut self, read: ReadDigits, now: Instant, out: &mut Outbox) {
        self.stop(out);
        let until = later(now, read.first);
        self.task = Task::Reading { read, digits: Vec::new(), until };
        while matches!(self.task, Task::Reading { .. }) {
            let Some(digit) = self.typed.next() else { break };
            self.read_digit(digit, now);
        }
    }

    /// Sends the caller's audio and digits back until `#`.
    pub(crate) fn echo(&mut self, out: &mut Outbox) {
        self.stop(out);
        if self.stream().is_none() {
            return self.finish(TaskOutcome::Failed("there is no media to send back"));
        }
        self.typed.clear();
        self.echo_state(EchoState::On, out);
        self.task = Task::Echoing;
    }

    /// Sends digits and pauses to the caller; done when all are out.
    pub(crate) fn send_digits(
        &mut self,
        signals: Vec<Signal>,
        tone: Duration,
        gap: Duration,
        out: &mut Outbox,
    ) {
        self.stop(out);
        if self.stream().is_none() {
            return self.finish(TaskOutcome::Failed("there is no media to send digits in"));
        }
        if signals.is_empty() {
            return self.finish(TaskOutcome::Done);
        }
        self.put_digits(signals, tone, gap, out);
        self.task = Task::Sending;
    }

    /// Sends on a digit that was heard elsewhere, beside whatever the channel does. One that was a
    /// tone is in the sound that goes the same way, and is not sent as a tone once more.
    pub(crate) fn pass_digit(&self, digit: Digit, source: DigitSource, out: &mut Outbox) {
        if source != DigitSource::Tone || self.digit_route != DigitRoute::Tones {
            self.put_digits(vec![Signal::Digit(digit)], PASSED_DIGIT, PASSED_DIGIT, out);
        }
    }

    /// Says how digits are sent from now on.
    pub(crate) fn set_digit_route(&mut self, route: DigitRoute) {
        self.digit_route = route;
    }

    fn put_digits(&self, signals: Vec<Signal>, tone: Duration, gap: Duration, out: &mut Outbox) {
        match (self.digit_route, self.stream()) {
            (DigitRoute::Info, _) => {
                out.tell(self.id, Notice::DigitsByInfo { signals, tone, gap });
            }
            (DigitRoute::TelephoneEvents | DigitRoute::Tones, Some((shard, stream))) => {
                out.command(shard, Command::SendDigits { stream, signals, tone, gap });
            }
            (DigitRoute::TelephoneEvents | DigitRoute::Tones, None) => {}
        }
    }

    /// Records the caller; done when the file is whole.
    pub(crate) fn record(&mut self, request: RecordRequest, out: &mut Outbox) {
        self.stop(out);
        if self.stream().is_none() {
            return self.finish(TaskOutcome::Failed("there is no media to record"));
        }
        self.typed.clear();
        self.task = Task::Recording(Box::new(Taking::begin(self.id, request, out)));
    }

    /// The name of the file that is being recorded to, without format.
    pub(crate) fn recorded_file(&self) -> Option<&BStr> {
        match &self.task {
            Task::Recording(taking) => taking.file(),
            _ => None,
        }
    }

    /// The call, or its media, is over while it is recorded.
    fn end_recordings(&mut self, out: &mut Outbox) {
        if let Task::Recording(taking) = &self.task {
            taking.hang_up(out);
        }
        self.monitors.stop(None, None, out);
        self.beep = None;
    }

    /// Copies what the caller says to a ring, in place of an earlier one; whether there is anything
    /// to copy.
    pub(crate) fn copy_to(&mut self, sink: rtrb::Producer<i16>, out: &mut Outbox) -> bool {
        self.end_copy(out);
        let Some((shard, stream)) = self.stream() else { return false };
        let (tap, source, state) = (out.next_tap(), TapSource::Received, TapState::Open);
        out.command(
            shard,
            Command::Tap { stream, tap, source, state, silence: None, rate: Rate::Narrow, sink },
        );
        self.copy = Some(tap);
        true
    }

    /// Ends [`Channel::copy_to`]; whether there is any media.
    pub(crate) fn end_copy(&self, out: &mut Outbox) -> bool {
        let Some((shard, stream)) = self.stream() else { return false };
        if let Some(tap) = self.copy {
            out.command(shard, Command::Untap { stream, tap });
        }
        true
    }

    /// A listener to the stream is gone; whether it was an embedder's.
    pub(crate) fn handle_tap_ended(&mut self, tap: TapId) -> bool {
        self.copy.take_if(|copy| *copy == tap).is_some()
    }

    /// Something is told of a recording of this channel.
    pub(crate) fn handle_recording(&mut self, news: RecordingNews, now: Instant, out: &mut Outbox) {
        if self.monitors.owns(news.id()) {
            return self.take_monitor_news(news, now, out);
        }
        let Some(stream) = self.stream() else { return };
        let language = self.language.clone();
        if let Task::Recording(taking) = &mut self.task
            && let Progress::Over { end, file } =
                taking.handle_news(news, stream, language.as_ref(), now, out)
        {
            self.finish(TaskOutcome::Recorded { end, file });
        }
    }

    /// The caller has said nothing for as long as a listener wanted to be told.
    pub(crate) fn handle_silence(&mut self, tap: TapId, out: &mut Outbox) {
        if let (Some(stream), Task::Recording(taking)) = (self.stream(), &mut self.task) {
            taking.handle_silence(tap, stream, out);
        }
    }

    /// Plays until something else does, or [`Channel::stop_background`]; tells nobody when it ends.
    pub(crate) fn play_in_background(&self, item: PlayItem, out: &mut Outbox) {
        if let Some((shard, stream)) = self.stream() {
            let play = out.next_play();
            let (items, repeat) = (vec![item], Repeat::Forever);
            out.command(shard, Command::Play { stream, play, items, repeat });
        }
    }

    /// Stops what [`Channel::play_in_background`] began.
    pub(crate) fn stop_background(&self, out: &mut Outbox) {
        if let Some((shard, stream)) = self.stream() {
            out.command(shard, Command::StopPlay { stream, play: None });
        }
    }

    /// Plays music beside whatever the channel does, in place of any that plays.
    pub(crate) fn start_music(&mut self, source: MusicSource, out: &mut Outbox) {
        self.stop_music(out);
        if let Some(stream) = self.stream() {
            self.music = Some(Box::new(Music::start(self.id, stream, source, out)));
        }
    }

    /// Whether there is music for it.
    pub(crate) fn hears_music(&self) -> bool {
        self.music.is_some()
    }

    /// Ends the music, if there is any.
    pub(crate) fn stop_music(&mut self, out: &mut Outbox) {
        if let (Some(mut music), Some(stream)) = (self.music.take(), self.stream()) {
            music.stop(stream, out);
        }
    }

    /// Sends digits beside whatever the channel does.
    pub(crate) fn slip_digits(&self, signals: Vec<Signal>, tone: Duration, out: &mut Outbox) {
        self.put_digits(signals, tone, tone, out);
    }

    /// Forgets the digits nobody read.
    pub(crate) fn forget_digits(&mut self) {
        self.typed.clear();
    }

    // What happens to the channel.

    /// A digit was pressed; tells whether it is a new press.
    pub(crate) fn handle_digit(
        &mut self,
        digit: Digit,
        source: DigitSource,
        now: Instant,
        out: &mut Outbox,
    ) -> Pressed {
        let pressed = self.typed.press(digit, source, now);
        if pressed != Pressed::Queued {
            return pressed;
        }
        self.press_for_programs(digit, out);
        match &self.task {
            Task::Idle | Task::Settling { .. } | Task::Sending | Task::Opening(_) => {}
            Task::Waiting { others: OtherDigits::Keep, .. } => {}
            Task::Waiting { others: OtherDigits::Drop, .. } => self.typed.clear(),
            Task::Playing { playback, .. } => match playback.others {
                OtherDigits::Drop => self.stop_at_digit(TypeAhead::next_of, out),
                OtherDigits::Keep => self.stop_at_digit(TypeAhead::pick, out),
            },
            Task::WaitingDigit { .. } => {
                if let Some(digit) = self.typed.next() {
                    self.finish(TaskOutcome::Digit(digit));
                }
            }
            Task::Reading { .. } => {
                if let Some(digit) = self.typed.next() {
                    self.read_digit(digit, now);
                }
            }
            Task::Echoing => self.echo_digit(source, out),
            Task::Listening(_) => self.stop_at_digit(TypeAhead::next_of, out),
            Task::Controlled(_) => {
                let (stream, digit) = (self.stream(), self.typed.next());
                if let (Some((shard, _)), Some(digit), Task::Controlled(controlled)) =
                    (stream, digit, &mut self.task)
                {
                    let end = controlled.handle_digit(digit, shard, out);
                    self.finish_controlled(end);
                }
            }
            Task::Talking(_) => self.typed.clear(),
            Task::Recording(_) => {
                if let (Some(stream), Some(digit)) = (self.stream(), self.typed.next())
                    && let Task::Recording(taking) = &mut self.task
                {
                    taking.handle_digit(digit, stream, out);
                }
            }
        }
        pressed
    }

    /// A prompt came, or is not there.
    pub(crate) fn handle_prompt(
        &mut self,
        id: PromptId,
        prompt: Option<Arc<Prompt>>,
        now: Instant,
        out: &mut Outbox,
    ) {
        let Some((shard, stream)) = self.stream() else { return };
        if self.beep.take_if(|beep| *beep == id).is_some() {
            return self.play_beep(prompt, out);
        }
        if let Some(music) = &mut self.music {
            music.handle_prompt(id, prompt.as_ref(), self.id, (shard, stream), out);
        }
        match &mut self.task {
            Task::Playing { playback, .. } => {
                let progress = playback.handle_prompt(id, prompt, shard, out);
                self.finish_played(progress);
            }
            Task::Controlled(controlled) => {
                let end = controlled.handle_prompt(id, prompt, self.id, shard, out);
                self.finish_controlled(end);
            }
            Task::Listening(listening) => {
                if let Some(outcome) = listening.handle_prompt(id, prompt, shard, out) {
                    self.heard(outcome, out);
                }
            }
            Task::Recording(taking) => {
                taking.handle_prompt(id, prompt, (shard, stream), now, out);
            }
            _ => {}
        }
    }

    /// A play on the stream ended, after so many samples.
    pub(crate) fn handle_play_finished(
        &mut self,
        play: PlayId,
        (end, played): (PlayEnd, u64),
        now: Instant,
        out: &mut Outbox,
    ) {
        let stream = self.stream();
        if let Some(music) = &mut self.music {
            music.handle_play_finished(play, end, self.id, stream, out);
        }
        match &mut self.task {
            Task::Playing { playback, .. } => {
                let progress = playback.handle_play_finished(play);
                self.finish_played(progress);
            }
            Task::Controlled(controlled) => {
                if let Some((shard, _)) = stream {
                    let end = controlled.handle_play_finished(play, end, played, shard, out);
                    self.finish_controlled(end);
                }
            }
            Task::Listening(listening) => {
                if let Some(outcome) = listening.handle_play_finished(play) {
                    self.heard(outcome, out);
                }
            }
            Task::Recording(taking) => {
                if let Some(stream) = stream {
                    taking.handle_play_finished(play, stream, now, out);
                }
            }
            _ => {}
        }
    }

    /// The digits given to [`Channel::send_digits`] are out.
    pub(crate) fn handle_digits_sent(&mut self) {
        if matches!(self.task, Task::Sending) {
            self.finish(TaskOutcome::Done);
        }
    }

    /// The caller's first packet came.
    pub(crate) fn handle_latched(&mut self, now: Instant, out: &mut Outbox) {
        if let Audio::Open { heard, .. } = &mut self.audio {
            *heard = Heard::Packets;
        }
        if let Task::Settling { delay, .. } = self.task {
            self.wait(delay, OtherDigits::Keep, now, out);
        }
    }

    /// Time passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        if self.monitors.is_beep_due(now) {
            self.ask_beep(out);
        }
        if self.task.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        match &mut self.task {
            Task::Settling { delay, .. } => {
                let delay = *delay;
                self.wait(delay, OtherDigits::Keep, now, out);
            }
            Task::Waiting { .. } => self.finish(TaskOutcome::Done),
            Task::WaitingDigit { .. } => self.finish(TaskOutcome::TimedOut),
            Task::Reading { digits, .. } => {
                let digits = std::mem::take(digits);
                self.finish(TaskOutcome::Digits { digits, ended_by: ReadEnd::Timeout });
            }
            Task::Playing { .. } | Task::Listening(_) => {
                self.stop(out);
                self.finish(TaskOutcome::TimedOut);
            }
            Task::Recording(_) => {
                if let (Some(stream), Task::Recording(taking)) = (self.stream(), &mut self.task) {
                    taking.handle_timeout(stream, out);
                }
            }
            Task::Idle
            | Task::Echoing
            | Task::Sending
            | Task::Opening(_)
            | Task::Controlled(_)
            | Task::Talking(_) => {}
        }
    }

    fn finish(&mut self, outcome: TaskOutcome) {
        self.task = Task::Idle;
        self.outcome = Some(outcome);
    }

    fn finish_played(&mut self, progress: PlayProgress) {
        match progress {
            PlayProgress::Ongoing => {}
            PlayProgress::Ended { absent: None } => self.finish(TaskOutcome::Done),
            PlayProgress::Ended { absent: Some(name) } => self.finish(TaskOutcome::Missing(name)),
        }
    }

    fn stop_at_digit(
        &mut self,
        take: impl FnOnce(&mut TypeAhead, DigitSet) -> Option<Digit>,
        out: &mut Outbox,
    ) {
        let stop = self.task.stop_digits();
        if let Some(digit) = take(&mut self.typed, stop) {
            self.stop(out);
            self.finish(TaskOutcome::Digit(digit));
        }
    }

    fn read_digit(&mut self, digit: Digit, now: Instant) {
        let Task::Reading { read, digits, until } = &mut self.task else { return };
        let ended_by = if read.terminator == Some(digit) {
            ReadEnd::Terminator
        } else {
            digits.push(digit);
            *until = later(now, read.between);
            if digits.len() < read.max {
                return;
            }
            ReadEnd::Full
        };
        let digits = std::mem::take(digits);
        self.finish(TaskOutcome::Digits { digits, ended_by });
    }

    fn echo_digit(&mut self, source: DigitSource, out: &mut Outbox) {
        let Some(digit) = self.typed.next() else { return };
        self.pass_digit(digit, source, out);
        if Some(digit) == Digit::from_char('#') {
            self.echo_state(EchoState::Off, out);
            self.finish(TaskOutcome::Done);
        }
    }

    fn echo_state(&self, state: EchoState, out: &mut Outbox) {
        if let Some((shard, stream)) = self.stream() {
            out.command(shard, Command::Echo { stream, state });
        }
    }
}

/// `now + duration`, without an overflow for a duration a dialplan made up.
fn later(now: Instant, duration: Duration) -> Instant {
    now + duration.min(LONGEST_WAIT)
}

/// How long an answered call waits for the caller's first packet, as Asterisk does.
const FIRST_PACKET_WAIT: Duration = Duration::from_millis(500);

/// The length of a digit that was heard and is sent on, and of the gap after it.
const PASSED_DIGIT: Duration = Duration::from_millis(100);

/// Nobody waits longer than a year; the clock could not count much longer.
const LONGEST_WAIT: Duration = Duration::from_secs(366 * 24 * 3600);

#[cfg(test)]
mod tests;
