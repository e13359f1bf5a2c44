//! What the system says: CPU time and memory of a process, the machine's other work, clock steps. And
//! where the callers run: not on the cores that a process under load keeps its threads on.

use std::{
    fs, io,
    time::{Duration, Instant, SystemTime},
};

use rustix::{
    process::Pid,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

/// CPU time and memory of one process, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) user: Duration,
    pub(super) system: Duration,
    pub(super) threads: u64,
    pub(super) resident_kib: u64,
    /// Tells a process from another one of the same number.
    pub(super) started: u64,
}

impl Usage {
    pub(super) fn cpu(&self) -> Duration {
        self.user + self.system
    }

    pub(super) fn of(process: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        Self::parse(&stat).ok_or_else(|| io::Error::other("an unreadable /proc/PID/stat"))
    }

    fn parse(stat: &str) -> Option<Self> {
        // The name may hold blanks and brackets.
        let (_, rest) = stat.rsplit_once(')')?;
        // proc(5) counts from 1, and the state is the third.
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let ticks = |number| Some(Duration::from_millis(field(number)? * TICK_MS));
        Some(Self {
            user: ticks(14)?,
            system: ticks(15)?,
            threads: field(20)?,
            resident_kib: field(24)? * page_kib(),
            started: field(22)?,
        })
    }
}

/// CPU time of the whole machine, so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Machine {
    /// All that was worked.
    pub(super) busy: Duration,
    /// What a host took away.
    pub(super) stolen: Duration,
}

impl Machine {
    pub(super) fn now() -> io::Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        Self::parse(&stat).ok_or_else(|| io::Error::other("an unreadable /proc/stat"))
    }

    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let fields: Vec<u64> =
            line.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
        // user, nice, system, (idle, iowait,) irq, softirq, steal.
        let sum: u64 = [0, 1, 2, 5, 6].iter().filter_map(|&at| fields.get(at)).sum();
        let stolen = fields.get(7).copied().unwrap_or(0);
        let ticks = |count| Duration::from_millis(count * TICK_MS);
        Some(Self { busy: ticks(sum), stolen: ticks(stolen) })
    }
}

/// CPU time of this process, to the microsecond or so.
pub(super) fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    // Neither is negative.
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Keeps the calling thread off the cores to which threads of a process are bound, if any others are
/// left: who is measured is not to wait for who measures.
pub(super) fn keep_off(process: u32) {
    let Ok(allowed) = sched_getaffinity(None) else { return };
    if let Some(rest) = without(&allowed, &bound_cores(process)) {
        let _unpermitted = sched_setaffinity(None, &rest);
    }
}

/// The cores that are left, if any are and not all.
fn without(allowed: &CpuSet, bound: &[usize]) -> Option<CpuSet> {
    let mut rest = *allowed;
    bound.iter().for_each(|&core| rest.unset(core));
    (rest.count() > 0 && rest != *allowed).then_some(rest)
}

/// The cores of threads that may run on no other.
fn bound_cores(process: u32) -> Vec<usize> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let numbers = tasks.filter_map(|task| task.file_name().to_str()?.parse().ok());
    let sets = numbers.filter_map(|number| sched_getaffinity(Pid::from_raw(number)).ok());
    let bound = sets.filter(|set| set.count() == 1);
    bound.filter_map(|set| (0..CpuSet::MAX_CPU).find(|&core| set.is_set(core))).collect()
}

/// The two clocks read together: the system's may be set, the other may not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    instant: Instant,
    wall: SystemTime,
}

impl Clocks {
    pub(super) fn now() -> Self {
        Self { instant: Instant::now(), wall: SystemTime::now() }
    }

    /// By how much the system's clock was set since.
    pub(super) fn step_since(&self, earlier: &Self) -> Duration {
        let passed = self.instant - earlier.instant;
        match self.wall.duration_since(earlier.wall) {
            Ok(wall) => wall.abs_diff(passed),
            Err(error) => error.duration() + passed,
        }
    }
}

fn page_kib() -> u64 {
    rustix::param::page_size() as u64 / 1024
}

/// USER_HZ is 100 on every Linux platform.
const TICK_MS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_process_are_counted_behind_its_name() {
        let stat = "1234 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 7 18 190 20 25 26";
        let usage = Usage::parse(stat).unwrap();
        assert_eq!((usage.user.as_millis(), usage.system.as_millis()), (1500, 500));
        assert_eq!((usage.threads, usage.started), (7, 190));
        assert_eq!(usage.resident_kib, 25 * page_kib());
        assert!(Usage::parse("1234 (x) S 1 2").is_none());
    }

    #[test]
    fn idling_and_waiting_is_no_work() {
        let machine = Machine::parse("cpu  10 20 30 1000 2000 1 2 5 0 0\ncpu0 1\n").unwrap();
        assert_eq!((machine.busy.as_millis(), machine.stolen.as_millis()), (630, 50));
    }

    #[test]
    fn this_process_is_found() {
        assert!(Usage::of(std::process::id()).unwrap().resident_kib > 0);
        assert!(own_cpu() > Duration::ZERO && Machine::now().is_ok());
    }

    #[test]
    fn callers_keep_off_the_core_of_a_bound_thread() {
        let allowed = sched_getaffinity(None).unwrap();
        let core = (0..CpuSet::MAX_CPU).find(|&core| allowed.is_set(core)).unwrap();
        let (bound, is_bound) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let busy = std::thread::spawn(move || {
            let mut one = CpuSet::new();
            one.set(core);
            sched_setaffinity(None, &one).unwrap();
            bound.send(()).unwrap();
            let _gone = ended.recv();
        });
        is_bound.recv().unwrap();
        assert!(bound_cores(std::process::id()).contains(&core));
        let cores = |cores: &[usize]| {
            let mut set = CpuSet::new();
            cores.iter().for_each(|&core| set.set(core));
            set
        };
        let all = cores(&[0, 1, 5]);
        assert_eq!(without(&all, &[1, 1]), Some(cores(&[0, 5])));
        assert_eq!(without(&all, &[3]), None);
        assert_eq!(without(&all, &[5, 1, 0]), None, "somewhere they have to be");
        drop(end);
        busy.join().unwrap();
    }

    #[test]
    fn a_clock_that_was_set_is_noticed() {
        let one = Clocks::now();
        let second = Duration::from_secs(1);
        let kept = Clocks { instant: one.instant + second, wall: one.wall + second };
        assert_eq!(kept.step_since(&one), Duration::ZERO);
        let set_back = Clocks { instant: one.instant + second, wall: one.wall - second };
        assert_eq!(set_back.step_since(&one), Duration::from_secs(2));
    }
}
