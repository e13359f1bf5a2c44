//! How the SIP stack itself sends: `type=system` of `pjsip.conf`.

use std::time::Duration;

use crate::sip::LargeRequests;
use crate::sip::transaction::Timers;

/// What `type=system` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackSettings {
    /// Whether requests that are large for UDP go over TCP: `disable_tcp_switch=no`. Default: they
    /// do not, as in Asterisk.
    pub large_requests: LargeRequests,
    /// The round-trip estimate that repetitions begin with: `timer_t1`. Default: 500 ms.
    pub timer_t1: Duration,
}

impl Default for StackSettings {
    fn default() -> Self {
        Self { large_requests: LargeRequests::Datagrams, timer_t1: Timers::default().t1 }
    }
}
