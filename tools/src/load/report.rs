//! What a run came to: one table for people, JSON for programs.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use serde::Serialize;

use super::{
    histogram::Percentiles,
    listener::Heard,
    process::{Machine, Usage},
    tally::Tally,
    verdict::Circumstances,
};

/// All levels of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) target: String,
    pub(super) workload: String,
    pub(super) levels: Vec<LevelReport>,
}

/// One level.
#[derive(Debug, Serialize)]
pub(super) struct LevelReport {
    /// Held calls, or registrations on their way at all times.
    pub(super) calls: Option<usize>,
    /// Calls or registrations a second.
    pub(super) rate: Option<f64>,
    pub(super) window_s: f64,
    pub(super) tried: u64,
    pub(super) answered: u64,
    pub(super) good: u64,
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) faults: BTreeMap<&'static str, u64>,
    pub(super) set_up_ms: Percentiles,
    /// From the end of the last key to the BYE.
    pub(super) reaction_ms: Percentiles,
    pub(super) process: Option<ProcessReport>,
    pub(super) media: MediaReport,
    pub(super) generator: GeneratorReport,
    pub(super) machine: MachineReport,
    /// Why all this is worth nothing.
    pub(super) worthless: Vec<String>,
}

/// The process under load.
#[derive(Debug, Serialize)]
pub(super) struct ProcessReport {
    pub(super) pid: u32,
    pub(super) cpu_ms: f64,
    pub(super) user_ms: f64,
    pub(super) system_ms: f64,
    pub(super) cores: f64,
    /// Of held calls.
    pub(super) cpu_ms_per_channel_second: Option<f64>,
    /// Of calls and registrations that come and go.
    pub(super) cpu_ms_per_call: Option<f64>,
    pub(super) resident_kib: u64,
    /// Growth since before the first call.
    pub(super) resident_kib_per_call: Option<f64>,
    pub(super) threads: u64,
}

/// What came back.
#[derive(Debug, Serialize)]
pub(super) struct MediaReport {
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Received, of 50 a second and held call.
    pub(super) received_share: Option<f64>,
    pub(super) lost: u64,
    pub(super) duplicates: u64,
    pub(super) reordered: u64,
    pub(super) late: u64,
    pub(super) gaps: u64,
    pub(super) clock_breaks: u64,
    pub(super) restarts: u64,
    pub(super) foreign: u64,
    pub(super) loud: u64,
    /// Off the grid of the media clock.
    pub(super) deviation_ms: Percentiles,
    /// Behind the quickest packet of the call.
    pub(super) lateness_ms: Percentiles,
}

/// Ourselves.
#[derive(Debug, Serialize)]
pub(super) struct GeneratorReport {
    pub(super) cores: f64,
    pub(super) late_ms: Percentiles,
    pub(super) not_begun: u64,
    pub(super) not_sent: u64,
}

/// Everything else.
#[derive(Debug, Serialize)]
pub(super) struct MachineReport {
    pub(super) cores: usize,
    pub(super) other_cores: f64,
    pub(super) stolen_share: f64,
    pub(super) clock_step_ms: f64,
}

/// What was read at one end of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) process: Option<Usage>,
    pub(super) machine: Machine,
    pub(super) own: Duration,
}

/// A level's window.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) held: Option<usize>,
    pub(super) rate: Option<f64>,
    pub(super) window: Duration,
    pub(super) pid: Option<u32>,
    /// Calls that were up at its end.
    pub(super) up: usize,
    /// Before the first call.
    pub(super) idle: Option<Usage>,
    pub(super) from: Sample,
    pub(super) to: Sample,
    pub(super) late: Percentiles,
    pub(super) clock_step: Duration,
    pub(super) cores: usize,
    pub(super) blocked: u64,
    pub(super) is_cut_short: bool,
}

impl LevelReport {
    pub(super) fn new(measured: &Measured, tally: &Tally) -> Self {
        let Measured { from, to, window, .. } = measured;
        let seconds = window.as_secs_f64().max(1e-9);
        let (calls, is_flow) = (measured.up as f64, measured.rate.is_some() || measured.up == 0);
        // Of another process of that number nothing is told.
        let process = from.process.zip(to.process).filter(|(a, b)| a.started == b.started);
        let cpu = process.map(|(a, b)| b.cpu().saturating_sub(a.cpu()));
        let own = to.own.saturating_sub(from.own);
        let busy = to.machine.busy.saturating_sub(from.machine.busy);
        let other = busy.saturating_sub(own).saturating_sub(cpu.unwrap_or_default());
        let stolen = to.machine.stolen.saturating_sub(from.machine.stolen);
        let cores = measured.cores;
        let machine = MachineReport {
            cores,
            other_cores: if cpu.is_some() { other.as_secs_f64() / seconds } else { 0.0 },
            stolen_share: stolen.as_secs_f64() / seconds / cores.max(1) as f64,
            clock_step_ms: ms(measured.clock_step),
        };
        let circumstances = Circumstances {
            late: (duration(measured.late.p99), duration(measured.late.max)),
            own_cores: own.as_secs_f64() / seconds,
            other_cores: machine.other_cores,
            cores,
            stolen: machine.stolen_share,
            clock_step: measured.clock_step,
            cpu,
            tried: tally.tried,
            failed: tally.failed(),
            blocked: measured.blocked,
            not_sent: tally.not_sent,
            is_cut_short: measured.is_cut_short,
        };
        let channel_seconds = (!is_flow).then_some(calls * seconds);
        let process =
            process.zip(measured.pid).zip(cpu).map(|(((a, b), pid), cpu)| ProcessReport {
                pid,
                cpu_ms: ms(cpu),
                user_ms: ms(b.user.saturating_sub(a.user)),
                system_ms: ms(b.system.saturating_sub(a.system)),
                cores: cpu.as_secs_f64() / seconds,
                cpu_ms_per_channel_second: channel_seconds.map(|seconds| ms(cpu) / seconds),
                cpu_ms_per_call: (is_flow && tally.answered > 0)
                    .then(|| ms(cpu) / tally.answered as f64),
                resident_kib: b.resident_kib,
                resident_kib_per_call: measured
                    .idle
                    .filter(|_| !is_flow)
                    .map(|idle| (b.resident_kib as f64 - idle.resident_kib as f64) / calls),
                threads: b.threads,
            });
        let mut worthless = circumstances.faults();
        if measured.pid.is_some() && process.is_none() {
            worthless.push("the process is gone, or another one has its number".to_owned());
        }
        let heard: Heard = tally.heard;
        Self {
            calls: measured.held,
            rate: measured.rate,
            window_s: seconds,
            tried: tally.tried,
            answered: tally.answered,
            good: tally.good,
            refused: tally.refused.clone(),
            faults: tally.faults.iter().map(|(fault, &count)| (fault.as_str(), count)).collect(),
            set_up_ms: tally.set_up.percentiles(),
            reaction_ms: tally.reaction.percentiles(),
            process,
            media: MediaReport {
                sent: tally.sent,
                received: heard.received,
                received_share: channel_seconds.map(|it| heard.received as f64 / (it * 50.0)),
                lost: heard.lost,
                duplicates: heard.duplicates,
                reordered: heard.reordered,
                late: heard.late,
                gaps: heard.gaps,
                clock_breaks: heard.clock_breaks,
                restarts: heard.restarts,
                foreign: heard.foreign,
                loud: heard.loud,
                deviation_ms: tally.pacing.deviation.percentiles(),
                lateness_ms: tally.pacing.lateness.percentiles(),
            },
            generator: GeneratorReport {
                cores: circumstances.own_cores,
                late_ms: measured.late,
                not_begun: measured.blocked,
                not_sent: tally.not_sent,
            },
            machine,
            worthless,
        }
    }

    /// Whether a higher level would only break more.
    pub(super) fn is_beyond(&self) -> bool {
        self.good * 10 < self.tried * 9
            || self.media.received_share.is_some_and(|share| share < 0.7 && share > 0.0)
    }

    /// Whether all calls were what they should be.
    pub(super) fn is_good(&self) -> bool {
        self.refused.is_empty() && self.faults.is_empty() && self.good > 0
    }

    /// The rows of its column.
    fn rows(&self) -> Vec<(&'static str, String)> {
        let three =
            |times: &Percentiles| format!("{:.2} / {:.2} / {:.2}", times.p50, times.p99, times.max);
        let four = |times: &Percentiles| {
            format!("{:.2} / {:.2} / {:.2} / {:.2}", times.p50, times.p99, times.p99_9, times.max)
        };
        let mut rows = vec![(
            "tried / answered / good",
            format!("{} / {} / {}", self.tried, self.answered, self.good),
        )];
        let process = self.process.as_ref();
        let number = |number: Option<f64>, digits: usize| {
            number.map_or_else(String::new, |number| format!("{number:.digits$}"))
        };
        let of = |read: fn(&ProcessReport) -> Option<f64>, digits| {
            number(process.and_then(read), digits)
        };
        rows.push(("CPU, ms a channel-second", of(|it| it.cpu_ms_per_channel_second, 3)));
        rows.push(("CPU, ms a call", of(|it| it.cpu_ms_per_call, 3)));
        rows.push(("CPU, cores", of(|it| Some(it.cores), 3)));
        rows.push(("memory, MiB", of(|it| Some(it.resident_kib as f64 / 1024.0), 1)));
        rows.push(("memory, KiB a call", of(|it| it.resident_kib_per_call, 1)));
        if self.set_up_ms.count > 0 {
            rows.push(("set-up ms, p50 / p99 / max", three(&self.set_up_ms)));
        }
        if self.reaction_ms.count > 0 {
            rows.push(("keys to BYE ms, p50 / p99 / max", three(&self.reaction_ms)));
        }
        if self.media.received > 0 {
            let media = &self.media;
            rows.push((
                "off the 20 ms grid ms, p50 / p99 / p99.9 / max",
                four(&media.deviation_ms),
            ));
            rows.push(("packets received", media.received.to_string()));
            rows.push(("of those due, %", number(media.received_share.map(|it| it * 100.0), 2)));
            rows.push((
                "lost / late / twice / out of order",
                format!(
                    "{} / {} / {} / {}",
                    media.lost, media.late, media.duplicates, media.reordered
                ),
            ));
            rows.push((
                "gaps / clock breaks / restarts / foreign",
                format!(
                    "{} / {} / {} / {}",
                    media.gaps, media.clock_breaks, media.restarts, media.foreign
                ),
            ));
        }
        rows.push(("generator: cores", format!("{:.3}", self.generator.cores)));
        rows.push(("generator: late ms, p50 / p99 / max", three(&self.generator.late_ms)));
        let others = process.map(|_| self.machine.other_cores);
        rows.push(("others: cores", number(others, 2)));
        rows
    }
}

impl Report {
    /// The table, and below it what is wrong.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        let columns: Vec<_> = self.levels.iter().map(LevelReport::rows).collect();
        let heads: Vec<String> = self
            .levels
            .iter()
            .map(|level| match (level.calls, level.rate) {
                (Some(calls), _) => format!("{calls} calls"),
                (None, rate) => format!("{} a second", rate.unwrap_or_default()),
            })
            .collect();
        // The rows of all levels, in the order of the first that has them.
        let mut names: Vec<&str> = vec![];
        for (name, value) in columns.iter().flatten() {
            if !value.is_empty() && !names.contains(name) {
                names.push(name);
            }
        }
        let value = |column: &Vec<(&'static str, String)>, name: &str| {
            column.iter().find(|(of, _)| *of == name).map_or_else(String::new, |(_, it)| it.clone())
        };
        let first = names.iter().map(|name| name.len()).max().unwrap_or(0);
        let widths: Vec<usize> = columns
            .iter()
            .zip(&heads)
            .map(|(column, head)| {
                names
                    .iter()
                    .map(|name| value(column, name).len())
                    .max()
                    .unwrap_or(0)
                    .max(head.len())
            })
            .collect();
        // Writing to a string does not fail.
        let _ = write!(text, "{:first$}", format!("{} of {}", self.workload, self.target));
        for (head, width) in heads.iter().zip(&widths) {
            let _ = write!(text, "  {head:>width$}");
        }
        text.push('\n');
        for name in &names {
            let _ = write!(text, "{name:first$}");
            for (column, width) in columns.iter().zip(&widths) {
                let _ = write!(text, "  {:>width$}", value(column, name));
            }
            text.push('\n');
        }
        for (level, head) in self.levels.iter().zip(&heads) {
            for (cause, count) in &level.refused {
                let _ = writeln!(text, "{head}: {count} refused: {cause}");
            }
            for (fault, count) in &level.faults {
                let _ = writeln!(text, "{head}: {count} wrong: {fault}");
            }
            for reason in &level.worthless {
                let _ = writeln!(text, "{head}: THE FIGURES ARE WORTH NOTHING: {reason}");
            }
        }
        text
    }

    pub(super) fn is_good(&self) -> bool {
        !self.levels.is_empty() && self.levels.iter().all(LevelReport::is_good)
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn duration(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{histogram::Histogram, workload::Fault};

    fn usage(cpu_ms: u64, resident_kib: u64) -> Usage {
        let user = Duration::from_millis(cpu_ms);
        Usage { user, system: user, threads: 3, resident_kib, started: 1 }
    }

    fn measured() -> Measured {
        let sample = |cpu, resident, busy, own| Sample {
            process: Some(usage(cpu, resident)),
            machine: Machine { busy: Duration::from_millis(busy), stolen: Duration::ZERO },
            own: Duration::from_millis(own),
        };
        Measured {
            held: Some(100),
            rate: None,
            window: Duration::from_secs(10),
            pid: Some(77),
            up: 100,
            idle: Some(usage(0, 20_000)),
            from: sample(1000, 21_000, 10_000, 3000),
            to: sample(1150, 21_200, 14_000, 6000),
            late: Histogram::default().percentiles(),
            clock_step: Duration::ZERO,
            cores: 2,
            blocked: 0,
            is_cut_short: false,
        }
    }

    fn tally() -> Tally {
        let heard = Heard { received: 49_990, lost: 10, ..Heard::default() };
        Tally { tried: 100, answered: 100, good: 100, heard, ..Tally::default() }
    }

    #[test]
    fn held_calls_are_told_by_the_channel_second() {
        let report = LevelReport::new(&measured(), &tally());
        let process = report.process.as_ref().unwrap();
        // 300 ms in 10 s for 100 calls.
        assert!((process.cpu_ms_per_channel_second.unwrap() - 0.3).abs() < 1e-9);
        assert_eq!((process.cpu_ms_per_call, process.resident_kib_per_call), (None, Some(12.0)));
        assert!((report.media.received_share.unwrap() - 0.9998).abs() < 1e-9);
        // 4 s were worked, of which 3 by us and 0.3 by it.
        assert!((report.machine.other_cores - 0.07).abs() < 1e-9);
        assert!(report.worthless.is_empty() && report.is_good() && !report.is_beyond());
    }

    #[test]
    fn calls_that_come_and_go_are_told_by_the_call() {
        let flow = Measured { held: None, rate: Some(10.0), up: 0, ..measured() };
        let report = LevelReport::new(&flow, &tally());
        let process = report.process.as_ref().unwrap();
        assert_eq!((process.cpu_ms_per_call, process.cpu_ms_per_channel_second), (Some(3.0), None));
    }

    #[test]
    fn another_process_of_the_same_number_is_not_measured() {
        let mut measured = measured();
        measured.to.process.as_mut().unwrap().started = 2;
        let report = LevelReport::new(&measured, &tally());
        assert!(report.process.is_none());
        assert!(report.worthless.iter().any(|it| it.contains("the process is gone")));
    }

    #[test]
    fn the_table_has_a_column_for_each_level_and_says_what_is_wrong() {
        let mut bad = tally();
        bad.refuse("503 Service Unavailable");
        bad.fault(Fault::Silent);
        bad.good = 50;
        let levels = vec![
            LevelReport::new(&measured(), &tally()),
            LevelReport::new(&Measured { held: Some(200), ..measured() }, &bad),
        ];
        assert!(levels[1].is_beyond());
        let report = Report { target: "a".into(), workload: "echo".into(), levels };
        let table = report.table();
        let head = table.lines().next().unwrap();
        assert!(
            head.starts_with("echo of a ")
                && head.contains("100 calls")
                && head.ends_with("200 calls")
        );
        assert!(table.contains("200 calls: 1 refused: 503 Service Unavailable\n"), "{table}");
        assert!(table.contains("200 calls: 1 wrong: nothing was to be heard\n"), "{table}");
        assert!(table.contains("WORTH NOTHING: 2 of 100 calls failed"), "{table}");
        assert!(!table.contains("keys to BYE"), "{table}");
        assert!(!report.is_good());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["levels"][0]["process"]["cpu_ms"], 300.0);
        assert_eq!(json["levels"][1]["refused"]["503 Service Unavailable"], 1);
    }
}
