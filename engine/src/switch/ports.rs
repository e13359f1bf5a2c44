//! The stock of RTP ports that shards have bound and reported ready.

use std::{collections::VecDeque, net::IpAddr};

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

    /// A port that a far end reaches as it reaches `local`, an address of ours: one on that address
    /// or on all addresses, else on another of the same family. Of the shards that have one, the one
    /// that carries the fewest streams gives it; `None` when none is ready.
    pub(crate) fn take(&mut self, local: IpAddr) -> Option<PortLease> {
        let local = local.to_canonical();
        let ready = self.shards.iter_mut().filter_map(|shard| {
            let suits = |port: &PortLease| suitability(port.address.ip(), local);
            let ranked = shard.ready.iter().enumerate();
            let ranked = ranked.filter_map(|(at, port)| Some((suits(port)?, at)));
            let (rank, at) = ranked.min()?;
            Some((rank, shard.streams, shard, at))
        });
        let (.., shard, at) = ready.min_by_key(|(rank, streams, ..)| (*rank, *streams))?;
        shard.ready.remove(at)
    }

    /// Whether [`PortStock::take`] would find a port.
    pub(crate) fn has(&self, local: IpAddr) -> bool {
        let local = local.to_canonical();
        let mut ready = self.shards.iter().flat_map(|shard| &shard.ready);
        ready.any(|port| suitability(port.address.ip(), local).is_some())
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

/// How well a port on `bound` suits a far end that reaches us at `local`, best first.
fn suitability(bound: IpAddr, local: IpAddr) -> Option<u8> {
    match bound.is_ipv4() == local.is_ipv4() {
        true if bound == local => Some(0),
        true if bound.is_unspecified() => Some(1),
        true => Some(2),
        false => None,
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
        let local = ([127, 0, 0, 1]).into();
        assert_eq!(stock.take(local), None);
        stock.add(port(0, 10_000));
        stock.add(port(1, 12_000));
        stock.add(port(1, 12_002));
        stock.count_in(ShardId(0));
        assert_eq!(stock.take(local), Some(port(1, 12_000)));
        stock.count_in(ShardId(1));
        stock.count_in(ShardId(1));
        assert_eq!(stock.take(local), Some(port(0, 10_000)));
        assert_eq!(stock.take(local), Some(port(1, 12_002)));
        assert_eq!(stock.take(local), None);
    }

    #[test]
    fn a_port_is_of_the_far_ends_family_and_on_the_address_it_uses_if_there_is_one() {
        let mut stock = PortStock::default();
        let on = |address: &str, number| PortLease {
            shard: ShardId(0),
            socket: SocketId(number),
            address: address.parse().expect("an address"),
        };
        let v6 = || on("[::]:10000", 1);
        let v4 = || on("0.0.0.0:10000", 2);
        let other = || on("10.0.0.1:10002", 3);
        let own = || on("10.0.0.2:10002", 4);
        for port in [v6(), other(), v4(), own()] {
            stock.add(port);
        }
        let local = "10.0.0.2".parse().expect("an address");
        assert_eq!(stock.take(local), Some(own()));
        assert_eq!(stock.take(local), Some(v4()));
        assert_eq!(stock.take(local), Some(other()));
        assert_eq!(stock.take(local), None);
        assert!(!stock.has(local));
        let local = "2001:db8::7".parse().expect("an address");
        assert!(stock.has(local));
        assert_eq!(stock.take(local), Some(v6()));
    }
}
