//! What the signalling side asks of a shard.

use std::{sync::Arc, time::Duration};

use super::{
    Digit, Gain, LiveListener, MixRate, PlayId, PortLease, Prompt, Rate, RoomId, ShardId, StreamId,
    StreamSettings, TalkRules, TapId, Tone, VoiceId, Watch, WatchId,
};

/// A request to one shard. All but `Open` and `ReturnPort` concern a stream or room that it has;
/// a command for one it has not is counted and dropped: the call may just have ended.
#[derive(Debug)]
pub enum Command {
    /// Starts a stream on a leased port; `Opened` or `OpenFailed` follows.
    Open {
        /// A number never used before.
        stream: StreamId,
        /// A port of this shard.
        port: PortLease,
        /// What offer and answer agreed.
        settings: Box<StreamSettings>,
    },
    /// Puts new settings in force (re-INVITE, UPDATE). SSRC, sequence and RTP time go on; a
    /// changed remote or signalling address forgets the latched source.
    Update {
        /// Which stream.
        stream: StreamId,
        /// All settings, not only the changed ones.
        settings: Box<StreamSettings>,
    },
    /// Ends a stream, leaving its room and ending its play; `Closed` follows with the statistics.
    Close {
        /// Which stream.
        stream: StreamId,
    },
    /// Gives back a port that no stream was opened on.
    ReturnPort {
        /// A port of this shard.
        port: PortLease,
    },
    /// Plays items one after another, at once in place of what is playing. In a room the member
    /// hears them in place of the others. `PlayFinished` follows.
    Play {
        /// Which stream.
        stream: StreamId,
        /// The number under which the end is reported.
        play: PlayId,
        /// What to play, in order.
        items: Vec<PlayItem>,
        /// Once, or over and over until stopped.
        repeat: Repeat,
    },
    /// Stops a play; without effect if it is no longer the one playing.
    StopPlay {
        /// Which stream.
        stream: StreamId,
        /// Which play; `None` means whatever is playing.
        play: Option<PlayId>,
    },
    /// Sends back what arrives, in the tick in which it arrives; or stops doing so.
    Echo {
        /// Which stream.
        stream: StreamId,
        /// On or off.
        state: EchoState,
    },
    /// Sends digits as telephone events, or as tones if none were agreed; after those already
    /// queued. `DigitsSent` follows when all are out.
    SendDigits {
        /// Which stream.
        stream: StreamId,
        /// Digits and pauses, in order.
        signals: Vec<Signal>,
        /// How long each digit sounds, 40 ms to 8 s; 100 ms is usual.
        tone: Duration,
        /// The silence after each digit, 20 ms to 8 s; 100 ms is usual.
        gap: Duration,
    },
    /// Copies audio into a ring until `Untap`, the stream's end, or the reader drops its end of the
    /// ring; `TapEnded` follows. What finds no room is dropped and counted; the shard never waits.
    /// A stream has room for 8 of these.
    Tap {
        /// Which stream.
        stream: StreamId,
        /// A number never used before.
        tap: TapId,
        /// What is copied.
        source: TapSource,
        /// Whether it begins now.
        state: TapState,
        /// After how long a silence of the peer `TapSilent` is given.
        silence: Option<Duration>,
        /// Samples a second of what is copied; what there is not of it is brought there.
        rate: Rate,
        /// A frame of 20 ms at a time, or of pairs.
        sink: rtrb::Producer<i16>,
    },
    /// Pauses the copying, or goes on with it.
    SetTap {
        /// Which stream.
        stream: StreamId,
        /// Which listener.
        tap: TapId,
        /// The new state.
        state: TapState,
    },
    /// Ends the copying; `TapEnded` follows.
    Untap {
        /// Which stream.
        stream: StreamId,
        /// Which listener.
        tap: TapId,
    },
    /// Adds what a ring brings to whatever is sent, until `EndVoice`, the stream's end, or the other
    /// end of the ring is dropped and all is said. A frame that is not there in time is silence; the
    /// shard never waits. A stream has room for 4 of these.
    Voice {
        /// Which stream.
        stream: StreamId,
        /// A number never used before.
        voice: VoiceId,
        /// 8 kHz samples, a frame of 160 at a time.
        samples: rtrb::Consumer<i16>,
    },
    /// Ends a voice at once. Without effect if it has ended by itself.
    EndVoice {
        /// Which stream.
        stream: StreamId,
        /// Which voice.
        voice: VoiceId,
    },
    /// Tells by `Noticed` what is heard of the peer, until `Unwatch` or the stream's end. A stream
    /// has room for 4 of these; one more takes the place of the oldest.
    Watch {
        /// Which stream.
        stream: StreamId,
        /// A number never used before.
        watch: WatchId,
        /// What is to be told.
        what: Box<Watch>,
    },
    /// Nothing more is told under this number.
    Unwatch {
        /// Which stream.
        stream: StreamId,
        /// Which watch.
        watch: WatchId,
    },
    /// Makes the stream hear and be heard by the members of a room on its shard, leaving its
    /// present room. The first to join creates the room. `Joined` follows.
    Join {
        /// Which stream.
        stream: StreamId,
        /// Which room.
        room: RoomId,
        /// Whether the others hear it.
        mute: MuteState,
        /// Whether `Talking` events are given.
        talk_detection: TalkDetection,
    },
    /// Takes the stream out of its room. `Left` follows.
    Leave {
        /// Which stream.
        stream: StreamId,
    },
    /// Changes what a room member contributes and hears.
    Mute {
        /// Which stream.
        stream: StreamId,
        /// The new state.
        mute: MuteState,
    },
    /// Changes the volumes of a room member, which joins with neither raised nor lowered.
    SetVolume {
        /// Which stream.
        stream: StreamId,
        /// Of what it hears.
        listening: Gain,
        /// Of what the others hear of it.
        talking: Gain,
    },
    /// Chooses what a room's mix holds; `Auto` if nothing does.
    ShapeRoom {
        /// Which room.
        room: RoomId,
        /// What it holds.
        rate: MixRate,
    },
    /// Mixes items into a room for all to hear, after those already queued there.
    /// `RoomPlayFinished` follows.
    PlayToRoom {
        /// Which room.
        room: RoomId,
        /// The number under which the end is reported.
        play: PlayId,
        /// What to play, in order.
        items: Vec<PlayItem>,
        /// A member that does not hear it.
        except: Option<StreamId>,
    },
    /// Stops one play to a room, or all.
    StopRoomPlay {
        /// Which room.
        room: RoomId,
        /// Which play; `None` means all.
        play: Option<PlayId>,
    },
    /// Copies the mix of a room, as `Tap` does a stream; `RoomTapEnded` follows.
    TapRoom {
        /// Which room.
        room: RoomId,
        /// A number never used before.
        tap: TapId,
        /// Samples a second of what is copied; a room mixes as many if a member says as many.
        rate: Rate,
        /// A frame of 20 ms at a time.
        sink: rtrb::Producer<i16>,
    },
    /// Ends the copying of a room's mix; `RoomTapEnded` follows.
    UntapRoom {
        /// Which room.
        room: RoomId,
        /// Which listener.
        tap: TapId,
    },
    /// Sends the stream, with its socket and everything it is doing, to another shard; it leaves
    /// its room. From then on commands for it go to that shard, which keeps those that arrive
    /// before the stream does. `Moved` follows.
    Move {
        /// Which stream.
        stream: StreamId,
        /// The shard that takes it.
        to: ShardId,
    },
}

impl Command {
    /// The stream it concerns, if it concerns one that exists already.
    pub(crate) fn stream(&self) -> Option<StreamId> {
        match self {
            Self::Update { stream, .. }
            | Self::Close { stream }
            | Self::Play { stream, .. }
            | Self::StopPlay { stream, .. }
            | Self::Echo { stream, .. }
            | Self::SendDigits { stream, .. }
            | Self::Tap { stream, .. }
            | Self::SetTap { stream, .. }
            | Self::Untap { stream, .. }
            | Self::Voice { stream, .. }
            | Self::EndVoice { stream, .. }
            | Self::Watch { stream, .. }
            | Self::Unwatch { stream, .. }
            | Self::Join { stream, .. }
            | Self::Leave { stream }
            | Self::Mute { stream, .. }
            | Self::SetVolume { stream, .. }
            | Self::Move { stream, .. } => Some(*stream),
            Self::Open { .. }
            | Self::ReturnPort { .. }
            | Self::ShapeRoom { .. }
            | Self::PlayToRoom { .. }
            | Self::StopRoomPlay { .. }
            | Self::TapRoom { .. }
            | Self::UntapRoom { .. } => None,
        }
    }
}

/// Whether received audio goes back to the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EchoState {
    /// It goes back.
    On,
    /// It does not.
    Off,
}

/// One piece of a play.
#[derive(Debug, Clone)]
pub enum PlayItem {
    /// A prompt from its beginning; its last frame is filled up with silence.
    Prompt(Arc<Prompt>),
    /// A prompt from a place in it, counted in samples and rounded down to a frame.
    PromptFrom(Arc<Prompt>, u32),
    /// Frames of silence, rounded up to 20 ms.
    Silence(Duration),
    /// A tone. One with a repeating part never ends by itself.
    Tone(Arc<Tone>),
    /// What somebody else makes while it is heard. Ends when that does.
    Live(Box<LiveListener>),
}

/// How often the items of a play are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repeat {
    /// One time.
    #[default]
    Once,
    /// Until stopped. A play that holds no audio at all ends at once nevertheless.
    Forever,
}

/// One step of sending digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A key.
    Digit(Digit),
    /// Silence, up to 10 s.
    Pause(Duration),
}

/// What of a stream is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TapSource {
    /// What the peer says.
    #[default]
    Received,
    /// What the peer hears.
    Sent,
    /// What the peer says and what it hears, added up.
    Both,
    /// A sample of what the peer says and one of what it hears, in turn.
    Apart,
}

impl TapSource {
    /// Samples for each moment.
    pub const fn channels(self) -> usize {
        match self {
            Self::Received | Self::Sent | Self::Both => 1,
            Self::Apart => 2,
        }
    }
}

/// Whether a listener gets anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TapState {
    /// Every frame.
    #[default]
    Open,
    /// Nothing; the time is left out.
    Paused,
}

/// What a room member contributes and hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MuteState {
    /// Speaks and hears.
    #[default]
    Open,
    /// Hears only.
    Muted,
    /// Speaks only: it is sent nothing from the room.
    Deaf,
    /// Neither.
    MutedAndDeaf,
}

impl MuteState {
    /// The others hear this member.
    pub const fn is_heard(self) -> bool {
        matches!(self, Self::Open | Self::Deaf)
    }

    /// This member hears the others.
    pub const fn is_hearing(self) -> bool {
        matches!(self, Self::Open | Self::Muted)
    }
}

/// Whether the start and end of talking are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TalkDetection {
    /// They are not.
    #[default]
    Off,
    /// They are, as [`Talking`](super::Event::Talking), by the usual rules.
    On,
    /// As these have it.
    By(TalkRules),
}

impl TalkDetection {
    pub(crate) fn rules(self) -> TalkRules {
        match self {
            Self::Off => TalkRules::default(),
            Self::On => TalkRules { events: true, ..TalkRules::default() },
            Self::By(rules) => rules,
        }
    }
}
