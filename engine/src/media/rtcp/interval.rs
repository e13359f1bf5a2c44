//! When the next report is due (RFC 3550 §6.2, §6.3.1 and appendix A.7).

use std::time::Duration;

/// What the interval depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Membership {
    /// Who takes part, ourselves included.
    pub members: u32,
    /// Those of them who sent lately.
    pub senders: u32,
    /// Whether we did.
    pub we_sent: bool,
    /// Whether we have not sent a report yet.
    pub initial: bool,
    /// Octets of an average compound packet, with the headers of UDP and IP.
    pub average_size: f32,
}

impl Membership {
    /// The calculated interval before it is randomised (RFC 3550 §6.3.1, steps 1 to 4).
    pub fn deterministic(self) -> Duration {
        let least = if self.initial { LEAST / 2 } else { LEAST };
        let few_senders = self.senders * 4 <= self.members;
        let (share, count) = match (few_senders, self.we_sent) {
            (true, true) => (BANDWIDTH * 0.25, self.senders),
            (true, false) => (BANDWIDTH * 0.75, self.members - self.senders.min(self.members)),
            (false, _) => (BANDWIDTH, self.members),
        };
        let seconds = self.average_size * count as f32 / share;
        least.max(Duration::try_from_secs_f32(seconds).unwrap_or(least))
    }

    /// The interval: between half and one and a half of the calculated one, so that ends that
    /// began together do not report together, and shortened for what timer reconsideration makes of
    /// that (steps 5 and 6). `random` is 32 random bits.
    pub fn interval(self, random: u32) -> Duration {
        let factor = 0.5 + f64::from(random) / f64::from(u32::MAX);
        self.deterministic().mul_f64(factor / COMPENSATION)
    }
}

/// Between two reports of one end (RFC 3550 §6.2).
pub const LEAST: Duration = Duration::from_secs(5);

/// Octets a second for RTCP: a twentieth of a call of G.711 with its headers, 80 kbit/s.
const BANDWIDTH: f32 = 500.0;

/// e - 3/2.
const COMPENSATION: f64 = std::f64::consts::E - 1.5;

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Membership =
        Membership { members: 2, senders: 2, we_sent: true, initial: false, average_size: 108.0 };

    #[test]
    fn two_ends_report_every_five_seconds_and_the_first_time_after_half_of_that() {
        assert_eq!(TWO.deterministic(), Duration::from_secs(5));
        let first = Membership { initial: true, ..TWO };
        assert_eq!(first.deterministic(), Duration::from_millis(2500));
        // 0.5 / 1.21828 and 1.5 / 1.21828 of five seconds.
        assert_eq!(TWO.interval(0).as_millis(), 2052);
        assert_eq!(TWO.interval(u32::MAX).as_millis(), 6156);
        assert_eq!(first.interval(u32::MAX / 2).as_millis(), 2052);
    }

    #[test]
    fn the_bandwidth_holds_when_there_are_many() {
        let crowd = Membership { members: 100, senders: 1, ..TWO };
        // 25 % for the one who sends, the rest for 99.
        assert_eq!(crowd.deterministic(), Duration::from_secs(5));
        let silent = Membership { we_sent: false, ..crowd };
        assert_eq!(silent.deterministic().as_secs(), 28);
        let all = Membership { senders: 100, ..crowd };
        assert_eq!(all.deterministic().as_secs_f32().round(), 22.0);
        let odd = Membership { members: 0, senders: 9, we_sent: false, ..TWO };
        assert_eq!(odd.deterministic(), Duration::from_secs(5));
    }
}
