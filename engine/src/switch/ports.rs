//! The stock of RTP ports that shards have bound and reported ready.

use std::collections::VecDeque;

use crate::media::{PortLease, ShardId};

/// Ready ports by shard, and how many streams each shard carries.
#[derive(Debug, Default)]
pub(crate) struct PortStock {
    shards: Vec<Shard>,
}

#[derive(Debug, Default)]
struct Shard {
    ready: VecDeque<PortLease>,
    streams: usize,
}

impl PortStock {
    /// A shard bound a port.
    pub(crate) fn add(&mut self, port: PortLease) {
        self.shard(port.shard).ready.push_back(port);
    }

    /// A port of the shard that carries the fewest streams; `None` when no port is ready.
    pub(crate) fn take(&mut self) -> Option<PortLease> {
        let ready = self.shards.iter_mut().filter(|shard| !shard.ready.is_empty());
        ready.min_by_key(|shard| shard.streams)?.ready.pop_front()
    }

    /// Whether no port is ready.
    pub(crate) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.ready.is_empty())
    }

    /// A stream runs on the shard.
    pub(crate) fn count_in(&mut self, shard: ShardId) {
        self.shard(shard).streams += 1;
    }

    /// A stream left the shard.
    pub(crate) fn count_out(&mut self, shard: ShardId) {
        let shard = self.shard(shard);
        shard.streams = shard.streams.saturating_sub(1);
    }

    /// The shard's thread ended: its ports are gone.
    pub(crate) fn lose(&mut self, shard: ShardId) {
        *self.shard(shard) = Shard::default();
    }

    fn shard(&mut self, id: ShardId) -> &mut Shard {
        let index = usize::from(id.0);
        if self.shards.len() <= index {
            self.shards.resize_with(index + 1, Shard::default);
        }
        &mut self.shards[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::SocketId;

    fn port(shard: u16, number: u16) -> PortLease {
        let address = ([127, 0, 0, 1], number).into();
        PortLease { shard: ShardId(shard), socket: SocketId(number.into()), address }
    }

    #[test]
    fn the_least_busy_shard_with_a_port_gives_one() {
        let mut stock = PortStock::default();
        assert_eq!(stock.take(), None);
        stock.add(port(0, 10_000));
        stock.add(port(1, 12_000));
        stock.add(port(1, 12_002));
        stock.count_in(ShardId(0));
        assert_eq!(stock.take(), Some(port(1, 12_000)));
        stock.count_in(ShardId(1));
        stock.count_in(ShardId(1));
        assert_eq!(stock.take(), Some(port(0, 10_000)));
        assert_eq!(stock.take(), Some(port(1, 12_002)));
        assert_eq!(stock.take(), None);
    }
}
