//! What a shard tells the signalling side.

use std::{net::SocketAddr, time::Duration};

use super::{
    Digit, Noticed, PlayId, PortLease, RoomId, ShardId, SharedStatistics, StreamId,
    StreamStatistics, TapId, WatchId,
};

/// Something that happened on a shard.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A port was bound and waits for a stream. Shards keep a small stock of these with whoever
    /// reads the events; taking one costs nothing, and opening it brings the next.
    PortReady {
        /// The port; it goes into `Open`, or back by `ReturnPort`.
        port: PortLease,
    },
    /// The stream runs.
    Opened {
        /// Which stream.
        stream: StreamId,
        /// Where its statistics can be read while it runs.
        statistics: SharedStatistics,
    },
    /// The stream could not start.
    OpenFailed {
        /// Which stream.
        stream: StreamId,
        /// Why.
        reason: OpenError,
    },
    /// The first packet of the peer was accepted, or its source moved to another port.
    Latched {
        /// Which stream.
        stream: StreamId,
        /// Where the peer's packets come from.
        remote: SocketAddr,
    },
    /// A play ended.
    PlayFinished {
        /// Which stream.
        stream: StreamId,
        /// Which play.
        play: PlayId,
        /// Why it ended.
        end: PlayEnd,
        /// How many samples were played, filling not counted; 8000 a second.
        played: u64,
    },
    /// A play to a room ended.
    RoomPlayFinished {
        /// Which room.
        room: RoomId,
        /// Which play.
        play: PlayId,
        /// Why it ended.
        end: PlayEnd,
    },
    /// The peer pressed a key and let it go: given once per key, at its end or when no more of
    /// it arrives.
    Digit {
        /// Which stream.
        stream: StreamId,
        /// The key.
        digit: Digit,
        /// How long it was held, as the peer says.
        duration: Duration,
    },
    /// All signals queued by `SendDigits` are out.
    DigitsSent {
        /// Which stream.
        stream: StreamId,
    },
    /// Nothing was received for the idle timeout.
    Idle {
        /// Which stream.
        stream: StreamId,
        /// Since the last accepted packet, or since the stream opened.
        silent_for: Duration,
    },
    /// A room member began or ceased to talk.
    Talking {
        /// Which stream.
        stream: StreamId,
        /// Which of the two.
        talk: Talk,
    },
    /// The stream is a member of the room.
    Joined {
        /// Which stream.
        stream: StreamId,
        /// Which room.
        room: RoomId,
    },
    /// The stream is a member of the room no longer, whether it asked or was closed or moved.
    Left {
        /// Which stream.
        stream: StreamId,
        /// Which room.
        room: RoomId,
    },
    /// The peer has said nothing for as long as a listener wanted to be told; once for each such
    /// silence.
    TapSilent {
        /// Which stream.
        stream: StreamId,
        /// Which listener.
        tap: TapId,
    },
    /// What a watch was set for was heard.
    Noticed {
        /// Which stream.
        stream: StreamId,
        /// Which watch.
        watch: WatchId,
        /// What it was.
        what: Noticed,
    },
    /// A listener to a stream gets nothing more.
    TapEnded {
        /// Which stream.
        stream: StreamId,
        /// Which listener.
        tap: TapId,
        /// Samples for which the ring had no room.
        dropped: u64,
    },
    /// A listener to a room gets nothing more.
    RoomTapEnded {
        /// Which room.
        room: RoomId,
        /// Which listener.
        tap: TapId,
        /// Samples for which the ring had no room.
        dropped: u64,
    },
    /// The stream runs on another shard now.
    Moved {
        /// Which stream.
        stream: StreamId,
        /// Its new shard.
        shard: ShardId,
    },
    /// The stream is gone, its port given back.
    Closed {
        /// Which stream.
        stream: StreamId,
        /// What went over it.
        statistics: Box<StreamStatistics>,
    },
    /// No port of the shard's part of the range can be bound; calls can not be answered here
    /// until one is given back.
    PortsExhausted {
        /// Which shard.
        shard: ShardId,
    },
    /// The shard's thread ended; its streams are gone.
    ShardStopped {
        /// Which shard.
        shard: ShardId,
    },
}

impl Event {
    /// Nothing is waiting for it that would be heard or seen: it may be told together with others.
    #[cfg(feature = "net")]
    pub(crate) fn is_patient(&self) -> bool {
        matches!(
            self,
            Self::PortReady { .. }
                | Self::Opened { .. }
                | Self::Joined { .. }
                | Self::Left { .. }
                | Self::Moved { .. }
                | Self::Closed { .. }
        )
    }

    /// Peers can bring it about as often as they like: what the queue between threads may drop.
    #[cfg(feature = "net")]
    pub(crate) fn is_caused_by_peer(&self) -> bool {
        matches!(
            self,
            Self::Digit { .. }
                | Self::Talking { .. }
                | Self::Noticed { what: Noticed::TalkStarted | Noticed::TalkStopped { .. }, .. }
                | Self::Latched { .. }
                | Self::Idle { .. }
        )
    }
}

/// Why a stream could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The number is in use: a mistake of the caller.
    #[error("a stream of this number is open already")]
    Duplicate,
    /// The lease names another shard or a socket that is not there.
    #[error("the port does not belong to this shard")]
    ForeignPort,
    /// The limit of streams per shard is reached.
    #[error("the shard has as many streams as it may")]
    TooManyStreams,
}

/// Why a play ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayEnd {
    /// Everything was played.
    Completed,
    /// It was stopped.
    Stopped,
    /// Another play took its place.
    Replaced,
    /// The stream was closed, or the room emptied.
    Closed,
}

/// The two talk events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// Talking began.
    Started,
    /// Talking ceased some time ago (see `mixer`).
    Stopped,
}
