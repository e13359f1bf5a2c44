//! The stock of RTP ports that shards have bound and reported ready, and which shard gives one.

use std::{collections::VecDeque, net::IpAddr};

use crate::media::{LoadState, PortLease, ShardId, ShardLoad};

/// Ready ports by shard, and how many streams each shard carries.
#[derive(Debug, Default)]
pub(crate) struct PortStock {
    shards: Vec<Shard>,
}

#[derive(Debug, Default)]
struct Shard {
    ready: VecDeque<PortLease>,
    streams: usize,
    load: ShardLoad,
    /// Streams that came since it measured itself.
    unmeasured: usize,
    thread: Thread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Thread {
    #[default]
    Runs,
    Ended,
}

impl Shard {
    /// Steps of 5 % of what it has to do, those included that it could not measure yet: less of a
    /// difference is chance.
    fn expected(&self) -> usize {
        let of_each = (usize::from(self.load.busy) / self.streams.max(1)).max(1);
        (usize::from(self.load.busy) + self.unmeasured * of_each) / 50
    }

    fn is_overloaded(&self) -> bool {
        self.load.state == LoadState::Overloaded
    }
}

impl PortStock {
    /// A shard bound a port.
    pub(crate) fn add(&mut self, port: PortLease) {
        self.shard(port.shard).ready.push_back(port);
    }

    /// A port that a far end reaches as it reaches `local`, an address of ours: one on that address
    /// or on all addresses, else on another of the same family. Of the shards that have one, the one
    /// that has the least to do gives it, of several the one with the fewest streams; `None` when none
    /// is ready.
    pub(crate) fn take(&mut self, local: IpAddr) -> Option<PortLease> {
        let local = local.to_canonical();
        let ready = self.shards.iter_mut().filter_map(|shard| {
            let suits = |port: &PortLease| suitability(port.address.ip(), local);
            let ranked = shard.ready.iter().enumerate();
            let ranked = ranked.filter_map(|(at, port)| Some((suits(port)?, at)));
            let (rank, at) = ranked.min()?;
            let order = (rank, shard.is_overloaded(), shard.expected(), shard.streams);
            Some((order, shard, at))
        });
        let (_, shard, at) = ready.min_by_key(|(order, ..)| *order)?;
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
        let shard = self.shard(shard);
        shard.streams += 1;
        shard.unmeasured += 1;
    }

    /// A stream left the shard.
    pub(crate) fn count_out(&mut self, shard: ShardId) {
        let shard = self.shard(shard);
        shard.streams = shard.streams.saturating_sub(1);
    }

    /// A shard measured itself.
    pub(crate) fn set_load(&mut self, shard: ShardId, load: ShardLoad) {
        let shard = self.shard(shard);
        shard.load = load;
        shard.unmeasured = 0;
    }

    /// How many streams run on a shard.
    pub(crate) fn streams(&self, shard: ShardId) -> usize {
        self.shards.get(usize::from(shard.0)).map_or(0, |shard| shard.streams)
    }

    /// Whether there is no shard that could carry more.
    pub(crate) fn are_overloaded(&self) -> bool {
        let mut running =
            self.shards.iter().filter(|shard| shard.thread == Thread::Runs).peekable();
        running.peek().is_some() && running.all(Shard::is_overloaded)
    }

    /// The shard with the most room, of those that have some.
    pub(crate) fn roomiest(&self) -> Option<(ShardId, ShardLoad)> {
        let shards = (0..).map(ShardId).zip(&self.shards);
        let calm = shards.filter(|(_, it)| it.thread == Thread::Runs && !it.is_overloaded());
        let roomiest = calm.min_by_key(|(_, shard)| shard.expected())?;
        Some((roomiest.0, roomiest.1.load))
    }

    /// The shard's thread ended: its ports are gone.
    pub(crate) fn lose(&mut self, shard: ShardId) {
        *self.shard(shard) = Shard { thread: Thread::Ended, ..Shard::default() };
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
    fn measured_work_counts_before_streams_and_an_overloaded_shard_comes_last() {
        let mut stock = PortStock::default();
        let local = ([127, 0, 0, 1]).into();
        for number in 0..40 {
            stock.add(port(0, 10_000 + 4 * number));
            stock.add(port(1, 10_002 + 4 * number));
        }
        let load = |busy, state| ShardLoad { busy, late: 0, state };
        let on = |stock: &mut PortStock| stock.take(local).expect("there is one").shard.0;
        // One stream of shard 0 is a conference, so to speak.
        stock.count_in(ShardId(0));
        for _ in 0..10 {
            stock.count_in(ShardId(1));
        }
        stock.set_load(ShardId(0), load(400, LoadState::Calm));
        stock.set_load(ShardId(1), load(100, LoadState::Calm));
        assert_eq!(on(&mut stock), 1);
        // What came meanwhile is not measured yet: 30 more of ten thousandths each.
        for _ in 0..31 {
            stock.count_in(ShardId(1));
        }
        assert_eq!(on(&mut stock), 1, "each of 41 is a forty-first of the measured work");
        stock.set_load(ShardId(1), load(410, LoadState::Calm));
        assert_eq!(on(&mut stock), 0, "no more than 5 % apart: fewer streams");
        stock.set_load(ShardId(0), load(300, LoadState::Overloaded));
        assert_eq!(on(&mut stock), 1);
        assert!(!stock.are_overloaded());
        assert_eq!(stock.roomiest().map(|(shard, _)| shard), Some(ShardId(1)));
        stock.set_load(ShardId(1), load(900, LoadState::Overloaded));
        assert!(stock.are_overloaded());
        assert_eq!(stock.roomiest(), None);
        stock.lose(ShardId(1));
        assert!(stock.are_overloaded(), "what has ended carries nothing");
        stock.set_load(ShardId(0), load(300, LoadState::Calm));
        assert!(!stock.are_overloaded());
        assert!(!PortStock::default().are_overloaded());
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
