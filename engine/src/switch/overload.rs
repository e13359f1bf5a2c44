//! Media shards that have more to do than they can: new calls are turned away while all of them are
//! overloaded, and one that is gives calls to another that has room.

use std::time::Instant;

use super::{Switch, call::Call};
use crate::{
    channel::ChannelId,
    clock::Now,
    media::{LoadState, ShardId, ShardLoad},
};

/// Whether all shards are overloaded, and since when.
#[derive(Debug, Default)]
pub(super) struct Overload {
    since: Option<Instant>,
    refused: u64,
}

impl Switch {
    /// A shard measured how much it has to do.
    pub fn handle_media_load(&mut self, shard: ShardId, load: ShardLoad, now: Now) {
        self.worked_at = now;
        self.ports.set_load(shard, load);
        self.note_overload(now);
        if load.state == LoadState::Overloaded {
            self.lighten(shard, load, now);
        }
        self.work(now);
    }

    /// New calls are turned away because no media shard can take one.
    pub(super) fn refuses_for_load(&mut self) -> bool {
        let refuses = self.overload.since.is_some();
        self.overload.refused += u64::from(refuses);
        refuses
    }

    fn note_overload(&mut self, now: Now) {
        match (self.ports.are_overloaded(), self.overload.since) {
            (true, None) => {
                self.overload = Overload { since: Some(now.instant), refused: 0 };
                tracing::warn!(
                    calls = self.calls.len(),
                    "all media threads are overloaded: new calls get 503 until there is room"
                );
            }
            (false, Some(since)) => {
                let lasted = now.instant.saturating_duration_since(since);
                let refused = self.overload.refused;
                self.overload.since = None;
                tracing::warn!(?lasted, refused, "media has room again: new calls are taken");
            }
            _ => {}
        }
    }

    /// Moves calls that hear nobody else to the shard with the most room, until both should have the
    /// same to do; a few at a time, as the next figures tell what it brought.
    fn lighten(&mut self, shard: ShardId, load: ShardLoad, now: Now) {
        let Some((to, other)) = self.ports.roomiest().filter(|&(to, _)| to != shard) else {
            return;
        };
        let Some(excess) = load.busy.checked_sub(other.busy).filter(|&it| it > LEAST_EXCESS) else {
            return;
        };
        let share = f64::from(excess) / f64::from(load.busy.max(1)) / 2.0;
        let wanted = (self.ports.streams(shard) as f64 * share) as usize;
        let is_movable =
            |call: &Call| call.opened.is_some_and(|(on, _)| on == shard) && call.channel.can_move();
        let movable = self.calls.iter().filter(|(_, call)| is_movable(call)).map(|(&id, _)| id);
        let mut movable: Vec<ChannelId> = movable.collect();
        movable.sort_unstable();
        movable.truncate(wanted.min(MOST_AT_ONCE));
        if movable.is_empty() {
            return;
        }
        let (from, to_shard, calls) = (shard.0, to.0, movable.len());
        tracing::info!(from, to = to_shard, calls, "calls move to a media thread with more room");
        for id in movable {
            self.with_call(id, now, |switch, call| {
                call.channel.move_to(to, &mut switch.outbox);
                switch.follow_stream(call);
            });
        }
    }
}

/// Thousandths of the time by which two shards must differ before calls move.
const LEAST_EXCESS: u16 = 200;

/// Calls that move at a time: what a shard takes in one tick without being late.
const MOST_AT_ONCE: usize = 32;
