//! When a figure is worth nothing, and why.

use std::time::Duration;

/// What the circumstances of a measurement were.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// How late our own steps were: 99 % of them, and the latest.
    pub(super) late: (Duration, Duration),
    /// Our own CPU in cores. One thread does all.
    pub(super) own_cores: f64,
    /// What others than the two of us took, in cores; of how many.
    pub(super) other_cores: f64,
    pub(super) cores: usize,
    /// The share that a host took away.
    pub(super) stolen: f64,
    pub(super) clock_step: Duration,
    /// CPU time that the process under load took, if it is known.
    pub(super) cpu: Option<Duration>,
    pub(super) tried: u64,
    pub(super) failed: u64,
    /// Calls of a flow that found no seat.
    pub(super) blocked: u64,
    pub(super) not_sent: u64,
    /// Ended before its time.
    pub(super) is_cut_short: bool,
}

impl Circumstances {
    /// Why the figures are worth nothing; empty when they are.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = vec![];
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        if self.is_cut_short {
            faults.push("the window was cut short".to_owned());
        }
        if self.tried == 0 {
            faults.push("no call was tried".to_owned());
        }
        if self.failed * 1000 > self.tried {
            let (failed, tried) = (self.failed, self.tried);
            faults.push(format!("{failed} of {tried} calls failed"));
        }
        let (most, latest) = self.late;
        if most > MOST_LATE || latest > LATEST {
            faults.push(format!(
                "the generator itself was late: {:.1} ms at 99 %, {:.1} ms at most",
                ms(most),
                ms(latest)
            ));
        }
        if self.own_cores > MOST_OWN {
            let cores = self.own_cores;
            faults.push(format!("the generator is at its limit: {cores:.2} of one core"));
        }
        if self.other_cores > MOST_OTHER * self.cores as f64 {
            let (other, cores) = (self.other_cores, self.cores);
            faults.push(format!("other programs took {other:.2} of {cores} cores"));
        }
        if self.stolen > MOST_STOLEN {
            faults.push(format!("the host took {:.1} % of the machine", self.stolen * 100.0));
        }
        if self.clock_step > MOST_STEP {
            faults.push(format!("the clock was set by {:.1} ms", ms(self.clock_step)));
        }
        if let Some(cpu) = self.cpu.filter(|&cpu| cpu < LEAST_CPU) {
            faults.push(format!(
                "the process took {:.0} ms of CPU, which the system counts by 10 ms: take more calls \
                 or a longer window",
                ms(cpu)
            ));
        }
        if self.blocked > 0 {
            let blocked = self.blocked;
            faults.push(format!("{blocked} calls were not begun: more --calls are needed"));
        }
        if self.not_sent > 0 {
            faults.push(format!("{} packets could not be sent", self.not_sent));
        }
        faults
    }
}

const MOST_LATE: Duration = Duration::from_millis(2);
const LATEST: Duration = Duration::from_millis(100);
const MOST_OWN: f64 = 0.85;
/// Of the machine's cores.
const MOST_OTHER: f64 = 0.1;
const MOST_STOLEN: f64 = 0.02;
const MOST_STEP: Duration = Duration::from_millis(1);
/// Then a tick is 5 %.
const LEAST_CPU: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Circumstances = Circumstances {
        late: (Duration::from_micros(200), Duration::from_millis(5)),
        own_cores: 0.4,
        other_cores: 0.05,
        cores: 2,
        stolen: 0.0,
        clock_step: Duration::from_micros(20),
        cpu: Some(Duration::from_secs(2)),
        tried: 1000,
        failed: 0,
        blocked: 0,
        not_sent: 0,
        is_cut_short: false,
    };

    #[test]
    fn figures_of_a_quiet_machine_are_worth_something() {
        assert_eq!(QUIET.faults(), Vec::<String>::new());
        assert_eq!(Circumstances { cpu: None, failed: 1, ..QUIET }.faults(), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_named() {
        let late = (Duration::from_millis(3), Duration::from_millis(4));
        let stall = (Duration::ZERO, Duration::from_millis(101));
        let cases = [
            (Circumstances { late, ..QUIET }, "late: 3.0 ms at 99 %, 4.0 ms at most"),
            (Circumstances { late: stall, ..QUIET }, "101.0 ms at most"),
            (Circumstances { own_cores: 0.9, ..QUIET }, "at its limit: 0.90 of one core"),
            (Circumstances { other_cores: 0.5, ..QUIET }, "other programs took 0.50 of 2 cores"),
            (Circumstances { stolen: 0.1, ..QUIET }, "the host took 10.0 %"),
            (Circumstances { clock_step: Duration::from_millis(2), ..QUIET }, "set by 2.0 ms"),
            (Circumstances { cpu: Some(Duration::from_millis(90)), ..QUIET }, "took 90 ms of CPU"),
            (Circumstances { failed: 2, ..QUIET }, "2 of 1000 calls failed"),
            (Circumstances { tried: 0, ..QUIET }, "no call was tried"),
            (Circumstances { blocked: 3, ..QUIET }, "3 calls were not begun"),
            (Circumstances { not_sent: 3, ..QUIET }, "3 packets could not be sent"),
            (Circumstances { is_cut_short: true, ..QUIET }, "cut short"),
        ];
        for (case, expected) in cases {
            let faults = case.faults();
            assert!(faults.len() == 1 && faults[0].contains(expected), "{expected}: {faults:?}");
        }
    }
}
