//! The ports of one shard: a stock of bound ones, the rest unbound, some in quarantine.
//!
//! Shards take turns in the range, so no two try the same port. The stock is filled up between
//! ticks, a few at a time; a port that does not bind (another program has it) goes to the end.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use super::{MediaConfig, SocketTable};
use crate::{
    entropy::Entropy,
    media::{Event, PortLease, ShardId},
};

/// All ports of one shard.
pub(super) struct PortPool {
    shard: ShardId,
    stocks: Vec<Stock>,
    quarantine: Duration,
    resting: VecDeque<(Instant, SocketAddr)>,
    /// After failures the system is left in peace for a while.
    retry_at: Option<Instant>,
    exhausted: Exhausted,
}

/// The ports of one local address.
struct Stock {
    address: IpAddr,
    unbound: VecDeque<u16>,
    /// Bound and announced, not yet used.
    ready: usize,
    target: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exhausted {
    No,
    Reported,
}

/// The even ports of a range whose neighbours above are in it too.
pub(super) fn even_ports(range: &RangeInclusive<u16>) -> impl Iterator<Item = u16> + use<> {
    let end = *range.end();
    range.clone().filter(move |&port| port > 0 && port.is_multiple_of(2) && port < end)
}

impl PortPool {
    pub(super) fn new(config: &MediaConfig, shard: ShardId, entropy: &mut Entropy) -> Self {
        let own = even_ports(&config.ports).enumerate();
        let own = own.filter(|(index, _)| index % config.shards == usize::from(shard.0));
        let own: Vec<u16> = own.map(|(_, port)| port).collect();
        let stocks = config.bind.iter().map(|&address| {
            let mut unbound = VecDeque::from(own.clone());
            // The port of the next call is not to be guessed.
            for index in (1..unbound.len()).rev() {
                unbound.swap(index, entropy.below(index as u32 + 1) as usize);
            }
            Stock { address, unbound, ready: 0, target: config.stock }
        });
        Self {
            shard,
            stocks: stocks.collect(),
            quarantine: config.quarantine,
            resting: VecDeque::new(),
            retry_at: None,
            exhausted: Exhausted::No,
        }
    }

    /// Binds the whole stock; fails if an address has not one port to give.
    pub(super) fn fill_at_start(
        &mut self,
        sockets: &mut SocketTable,
        events: &mut VecDeque<Event>,
    ) -> Result<(), (IpAddr, io::Error)> {
        for stock in &mut self.stocks {
            while stock.ready < stock.target {
                match stock.bind_next(self.shard, sockets) {
                    Ok(port) => events.push_back(Event::PortReady { port }),
                    Err(_) if stock.ready > 0 => break,
                    Err(error) => return Err((stock.address, error)),
                }
            }
        }
        Ok(())
    }

    /// A stream took a port of the stock, or gave it back unused.
    pub(super) fn handle_used(&mut self, address: SocketAddr) {
        if let Some(stock) = self.stocks.iter_mut().find(|stock| stock.address == address.ip()) {
            stock.ready = stock.ready.saturating_sub(1);
        }
    }

    /// A port was closed, be it one of another shard that came with a stream.
    pub(super) fn handle_released(&mut self, address: SocketAddr, now: Instant) {
        self.resting.push_back((now + self.quarantine, address));
    }

    /// Binds a few ports if the stock is short of them.
    pub(super) fn fill(
        &mut self,
        sockets: &mut SocketTable,
        events: &mut VecDeque<Event>,
        now: Instant,
    ) {
        while let Some(&(until, address)) = self.resting.front()
            && until <= now
        {
            self.resting.pop_front();
            if let Some(stock) = self.stocks.iter_mut().find(|s| s.address == address.ip()) {
                stock.unbound.push_back(address.port());
            }
        }
        if self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        self.retry_at = None;
        let mut left = AT_ONCE;
        for stock in &mut self.stocks {
            while stock.ready < stock.target && left > 0 {
                left -= 1;
                match stock.bind_some(self.shard, sockets) {
                    Ok(port) => {
                        events.push_back(Event::PortReady { port });
                        self.exhausted = Exhausted::No;
                    }
                    Err(error) => {
                        self.retry_at = Some(now + RETRY);
                        if stock.ready == 0 && self.exhausted == Exhausted::No {
                            self.exhausted = Exhausted::Reported;
                            let (shard, address) = (self.shard.0, stock.address);
                            tracing::warn!(shard, %address, %error, "no media port can be bound");
                            events.push_back(Event::PortsExhausted { shard: self.shard });
                        }
                        return;
                    }
                }
            }
        }
    }

    /// When `fill` has something to do while no stream is open.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let short = self.stocks.iter().any(|stock| stock.ready < stock.target);
        let rested = self.resting.front().map(|&(until, _)| until);
        let next = if self.stocks.iter().all(|stock| stock.unbound.is_empty()) {
            rested
        } else {
            self.retry_at.or(rested)
        };
        if short { next } else { None }
    }

    /// The stock is short and ports can be tried at once.
    pub(super) fn is_filling(&self, now: Instant) -> bool {
        self.retry_at.is_none_or(|at| at <= now)
            && self.stocks.iter().any(|s| s.ready < s.target && !s.unbound.is_empty())
    }
}

impl Stock {
    /// Tries every port once.
    fn bind_next(&mut self, shard: ShardId, sockets: &mut SocketTable) -> io::Result<PortLease> {
        self.try_ports(self.unbound.len(), shard, sockets)
    }

    /// Tries a few ports.
    fn bind_some(&mut self, shard: ShardId, sockets: &mut SocketTable) -> io::Result<PortLease> {
        self.try_ports(TRIES.min(self.unbound.len()), shard, sockets)
    }

    fn try_ports(
        &mut self,
        tries: usize,
        shard: ShardId,
        sockets: &mut SocketTable,
    ) -> io::Result<PortLease> {
        let mut last_error = io::Error::other("all ports of the range are in use by calls");
        for _ in 0..tries {
            let Some(port) = self.unbound.pop_front() else { break };
            let address = SocketAddr::new(self.address, port);
            match sockets.bind(address) {
                Ok(socket) => {
                    self.ready += 1;
                    return Ok(PortLease { shard, socket, address });
                }
                Err(error) => {
                    self.unbound.push_back(port);
                    last_error = error;
                    // Other ports fare no better.
                    if last_error.kind() != io::ErrorKind::AddrInUse {
                        break;
                    }
                }
            }
        }
        Err(last_error)
    }
}

/// Ports bound between two ticks: at most 0.4 ms of work; 6400 a second.
const AT_ONCE: usize = 32;

/// Ports tried for one of them.
const TRIES: usize = 8;

/// After that many failures: a pause.
const RETRY: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    fn pool(config: &MediaConfig, shard: u16) -> PortPool {
        PortPool::new(config, ShardId(shard), &mut Entropy::new(1))
    }

    #[test]
    fn shards_share_the_even_ports_of_the_range() {
        let config = MediaConfig::default().shards(3).ports(10_001..=10_022);
        let mut ports: Vec<u16> =
            (0..3).flat_map(|shard| pool(&config, shard).stocks.remove(0).unbound).collect();
        ports.sort_unstable();
        assert_eq!(ports, (10_002..=10_020).step_by(2).collect::<Vec<_>>());
        assert_eq!(even_ports(&(0..=1)).count(), 0);
    }

    #[test]
    fn a_port_rests_before_it_is_used_again() {
        let config = MediaConfig::default().shards(1).ports(10_002..=10_003);
        let mut pool = pool(&config, 0);
        let mut now = clock();
        let address: SocketAddr = "0.0.0.0:10002".parse().unwrap();
        pool.stocks[0].unbound.clear();
        pool.stocks[0].target = 1;
        let (mut sockets, mut events) = (SocketTable::new(46).unwrap(), VecDeque::new());
        pool.handle_released(address, now);
        assert_eq!(pool.poll_timeout(), Some(now + Duration::from_secs(3)));
        pool.fill(&mut sockets, &mut events, now);
        assert_eq!(events.pop_front(), Some(Event::PortsExhausted { shard: ShardId(0) }));
        // Only the book-keeping: nothing is bound by this test.
        pool.stocks[0].target = 0;
        now += Duration::from_secs(3);
        pool.fill(&mut sockets, &mut events, now);
        assert_eq!(pool.stocks[0].unbound, [10_002]);
        assert_eq!(events.pop_front(), None);
    }
}
