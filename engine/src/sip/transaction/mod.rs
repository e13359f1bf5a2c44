//! Transactions: a request with its responses (RFC 3261 §17, RFC 6026).
//!
//! The four machines know nothing of the syntax of messages; [`key`] says what matches them.

pub mod client;
pub mod invite_client;
pub mod invite_server;
pub mod key;
pub(crate) mod layer;
pub mod server;

use std::time::Duration;

/// What a client transaction tells its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// A response to be passed on, with its status: the one that was just handed in.
    Response(u16),
    /// No final response came in time; to the user that is a 408 (RFC 3261 §8.1.3.1).
    TimedOut,
    /// The request could not be sent; to the user that is a 503 (RFC 3261 §8.1.3.1).
    TransportFailed,
}

/// What a server transaction tells its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// INVITE: the failure was never acknowledged (timer H). Others: nobody answered in time.
    TimedOut,
    /// The response could not be sent.
    TransportFailed,
}

/// The base values all timers derive from (RFC 3261 §17.1.1.1, table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// The round-trip estimate; 500 ms.
    pub t1: Duration,
    /// The longest wait between repetitions; 4 s.
    pub t2: Duration,
    /// How long a message may stay in the network; 5 s.
    pub t4: Duration,
    /// Timer C: how long a caller waits after a provisional response; 5 min (RFC 3261 §16.6 asks
    /// for more than 3).
    pub c: Duration,
}

impl Timers {
    /// The same within bounds: none below 10 ms, which would be a busy loop, or above an hour; T2
    /// and T4 not below T1.
    #[must_use]
    pub fn bounded(self) -> Self {
        let bound = |timer: Duration, least| timer.clamp(least, Duration::from_secs(3600));
        let t1 = bound(self.t1, Duration::from_millis(10));
        Self { t1, t2: bound(self.t2, t1), t4: bound(self.t4, t1), c: bound(self.c, t1) }
    }

    /// 64*T1: how long timers B, F, H, J, L and M wait.
    pub fn patience(&self) -> Duration {
        self.t1 * 64
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            c: Duration::from_secs(300),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_of_nothing_are_raised_and_endless_ones_cut() {
        let zero = Duration::ZERO;
        let least = Timers { t1: zero, t2: zero, t4: zero, c: zero }.bounded();
        assert!(least.t1 > zero && least.t2 >= least.t1 && least.t4 >= least.t1);
        let longest = Timers { t1: Duration::MAX, ..Timers::default() }.bounded();
        assert_eq!(longest.t1, longest.t2);
        assert_eq!(Timers::default().bounded(), Timers::default());
    }
}
