//! The names that commands and events use for shards, streams, rooms, plays and sockets.
//!
//! The signalling side hands out stream, play and room numbers; shards never invent one.

use std::net::SocketAddr;

/// One media thread. Shards are numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// One RTP stream pair of one call leg. Never reused within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// One request to play something; its end is reported under the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlayId(pub u64);

/// One conference room. It exists while it has members, on one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub u64);

/// One listener to a stream or a room: a recording, for one. Never reused within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TapId(pub u64);

/// One program that speaks to a stream's peer. Never reused within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VoiceId(pub u64);

/// One who is told of a stream's sound. Never reused within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// A socket in the table of one shard's packet I/O. Means nothing to another shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u32);

/// A bound RTP port, ready for one stream of its shard.
///
/// Each lease ends in exactly one command to that shard, [`Open`](super::Command::Open) or
/// [`ReturnPort`](super::Command::ReturnPort), so it is not `Clone`.
#[derive(Debug, PartialEq, Eq)]
pub struct PortLease {
    /// The shard whose thread polls the socket.
    pub shard: ShardId,
    /// The socket in that shard's table.
    pub socket: SocketId,
    /// The local address; its IP may be the unspecified one, its port is even.
    pub address: SocketAddr,
}
