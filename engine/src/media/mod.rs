//! Audio: RTP streams, prompts, tones, digits and conference rooms, driven by one tick.
//!
//! A shard owns its streams and rooms; it takes [`Command`]s and a tick every
//! 5 ms, sends and receives through [`PacketIo`](packet_io::PacketIo), and gives [`Event`]s back.
//! It reads no clock and opens no socket: `net::media` runs one shard on each core. Nothing here
//! knows SIP or SDP; what they negotiated arrives as [`StreamSettings`].

mod audio_format;
mod codec;
pub mod command;
pub mod dtmf;
pub mod event;
pub mod id;
mod latch;
pub mod live;
pub mod load;
mod member;
pub mod mixer;
pub mod packet_io;
mod player;
mod playout;
pub mod prompt;
pub mod quality;
mod rest;
mod room;
pub mod rtcp;
pub mod rtp;
pub mod settings;
pub mod shard;
mod sound;
pub mod statistics;
pub mod stream;
pub mod talk;
mod tap;
pub mod tone;
mod voice;

pub use audio_format::AudioFormat;
pub use codec::{Codec, ForwardCorrection, Law, OpusSettings, OpusSilence, Rate};
pub use command::{
    Command, EchoState, MuteState, PlayItem, Repeat, Signal, TalkDetection, TapSource, TapState,
};
pub use dtmf::Digit;
pub use event::{Event, OpenError, PlayEnd, Talk};
pub use id::{PlayId, PortLease, RoomId, ShardId, SocketId, StreamId, TapId, VoiceId, WatchId};
pub use live::{Live, LiveFrame, LiveListener};
pub use load::{LoadState, OverloadBounds, ShardLoad};
pub use member::{Gain, MixRate, TalkRules};
pub use prompt::Prompt;
pub use quality::Rating;
pub(crate) use settings::KEEPALIVE;
pub use settings::{
    Direction, EventClock, InbandDigits, Latching, PayloadType, RtcpMux, RtcpPath, StreamSettings,
};
pub use statistics::{SharedStatistics, Spread, StreamStatistics};
pub use talk::{Answerer, Judgement, MachineSettings, Noticed, Utterance, Watch};
pub use tone::{Indication, Tone, ToneSpec};

/// Samples in one frame: 20 ms at 8 kHz, the packet time of everything sent.
pub const FRAME: usize = 160;

/// Samples in one frame of 16 kHz.
pub const WIDE_FRAME: usize = 2 * FRAME;

/// Samples in one frame of 48 kHz.
pub const FULL_FRAME: usize = 6 * FRAME;
