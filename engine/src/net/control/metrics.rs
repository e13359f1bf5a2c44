//! The engine in figures, as Prometheus reads them (text exposition format 0.0.4).

use std::fmt::{Display, Write};

use crate::{
    clock::Now,
    net::media::{Lateness, ShardStatistics},
    printable::Printable,
    switch::{Histogram, PoolView, Totals},
};

/// What the figures are made of.
pub(super) struct Observed {
    pub(super) totals: Totals,
    pub(super) shards: Vec<ShardStatistics>,
    pub(super) calls: usize,
    pub(super) contacts: usize,
    pub(super) registrations: usize,
    pub(super) rooms: usize,
    pub(super) room_members: usize,
    pub(super) pools: Vec<PoolView>,
    pub(super) bans: usize,
    pub(super) draining: bool,
}

/// The whole page.
pub(super) fn page(observed: &Observed, started: Now) -> String {
    let mut page = Page::default();
    let Observed { totals, .. } = observed;
    let version = env!("CARGO_PKG_VERSION");
    page.gauge("diesis_info", "Which engine this is.", &[(&[("version", version)], 1)]);
    let since = started.wall.as_second();
    page.plain_gauge("diesis_start_time_seconds", "When the engine began, Unix time.", since);
    page.plain_gauge("diesis_calls", "Calls that go on.", observed.calls);
    page.plain_gauge("diesis_contacts", "Contacts that phones registered.", observed.contacts);
    let help = "Registrations of ours that hold.";
    page.plain_gauge("diesis_registrations", help, observed.registrations);
    page.plain_gauge("diesis_conferences", "Conferences with somebody inside.", observed.rooms);
    page.plain_gauge("diesis_conference_members", "Members of all of them.", observed.room_members);
    robots(&mut page, &observed.pools);
    page.plain_gauge("diesis_bans", "Sources that are not listened to.", observed.bans);
    let draining = u8::from(observed.draining);
    page.plain_gauge("diesis_draining", "1 while new calls are refused.", draining);

    page.counter("diesis_calls_begun_total", "Calls that began.", totals.begun);
    page.counter("diesis_calls_answered_total", "Ended calls that were answered.", totals.answered);
    page.head("diesis_calls_ended_total", "Calls that ended, by Q.850 cause.", "counter");
    for (cause, count) in &totals.ended {
        page.sample("diesis_calls_ended_total", &[("cause", &cause.to_string())], count);
    }
    let talked = totals.talked.as_secs_f64();
    page.counter("diesis_talk_seconds_total", "From answers to ends, all added up.", talked);
    let media = &totals.media;
    for (name, help, count) in [
        ("sent", "RTP packets sent.", media.sent),
        ("send_errors", "RTP packets that could not be sent.", media.send_errors),
        ("received", "RTP packets of the peers.", media.received),
        ("lost", "RTP packets that never came.", media.lost),
        ("duplicate", "RTP packets that came twice.", media.duplicates),
        ("reordered", "RTP packets that came behind a later one.", media.reordered),
        ("late", "RTP packets that came too late to be played.", media.late),
        ("foreign", "Packets at a media port from somebody else.", media.foreign),
        ("malformed", "Packets at a media port that are no RTP.", media.malformed),
    ] {
        page.counter(&format!("diesis_media_packets_{name}_total"), help, count);
    }
    let help = "Frames made up for missing ones.";
    page.counter("diesis_media_frames_concealed_total", help, media.concealed);
    page.counter("diesis_media_digits_total", "Keys that were heard.", media.digits);
    for (name, help, histogram) in [
        ("answer_seconds", "From the first message to the answer.", &totals.answer_times),
        ("received_score", "Opinion score of ended calls here, 1 to 4.5.", &totals.received_scores),
        ("sent_score", "The same at the far end, as it reports.", &totals.sent_scores),
        ("received_loss_ratio", "Share lost on the way to us.", &totals.received_losses),
        ("received_jitter_seconds", "Jitter on the way to us.", &totals.received_jitters),
        ("round_trip_seconds", "To the far end and back.", &totals.round_trips),
    ] {
        page.histogram(&format!("diesis_call_{name}"), help, histogram);
    }
    shards(&mut page, &observed.shards);
    process(&mut page);
    page.text.truncate(page.text.trim_end().len());
    page.text
}

fn shards(page: &mut Page, shards: &[ShardStatistics]) {
    type Reading = fn(&ShardStatistics) -> u64;
    let readings: [(&str, &str, &str, Reading); 6] = [
        ("streams", "Streams of a media thread.", "gauge", |shard| shard.streams),
        ("busy_permille", "Thousandths of the time at work.", "gauge", |it| it.load.busy.into()),
        ("ticks_late_total", "Ticks worked on late after a stall.", "counter", |it| it.late_ticks),
        ("ticks_skipped_total", "Ticks given up after a stall.", "counter", |it| it.skipped_ticks),
        ("panics_total", "Streams ended by a bug.", "counter", |shard| shard.panics),
        ("events_dropped_total", "News that found no room.", "counter", |it| it.dropped_events),
    ];
    for (name, help, kind, read) in readings {
        let name = format!("diesis_shard_{name}");
        page.head(&name, help, kind);
        for (number, shard) in shards.iter().enumerate() {
            page.sample(&name, &[("shard", &number.to_string())], read(shard));
        }
    }
    let name = "diesis_shard_lateness_seconds";
    page.head(name, "From when ticks of 5 ms were due to when they began.", "histogram");
    for (number, shard) in shards.iter().enumerate() {
        let number = number.to_string();
        let mut below = 0;
        let bounds = Lateness::BOUNDS.map(|microseconds| (microseconds as f64 / 1e6).to_string());
        let bounds = bounds.iter().map(String::as_str).chain(["+Inf"]);
        for (bound, ticks) in bounds.zip(shard.lateness.ticks) {
            below += ticks;
            let labels = [("shard", number.as_str()), ("le", bound)];
            page.sample(&format!("{name}_bucket"), &labels, below);
        }
        page.sample(&format!("{name}_count"), &[("shard", &number)], below);
    }
}

/// Name, help, type, and what it is of a pool.
type Figure = (&'static str, &'static str, &'static str, fn(&PoolView) -> u64);

/// The pools of robots; nothing where there is none.
fn robots(page: &mut Page, pools: &[PoolView]) {
    let figures: [Figure; 6] = [
        ("diesis_robots", "Robots of a pool.", "gauge", |it| it.robots as u64),
        ("diesis_robots_registered", "Robots that are registered.", "gauge", |it| {
            it.registered as u64
        }),
        ("diesis_robot_lines", "Calls that robots can have at a time.", "gauge", |it| it.lines),
        ("diesis_robot_calls", "Calls that robots have.", "gauge", |it| it.used),
        ("diesis_robot_calls_begun_total", "Calls that robots had.", "counter", |it| it.calls),
        (
            "diesis_robot_calls_refused_total",
            "Calls refused because all robots were busy, or none was registered.",
            "counter",
            |it| it.refused,
        ),
    ];
    for (name, help, kind, figure) in figures.into_iter().filter(|_| !pools.is_empty()) {
        page.head(name, help, kind);
        for pool in pools {
            let label = Printable(&pool.pool).to_string();
            page.sample(name, &[("pool", &label)], figure(pool));
        }
    }
}

/// The process, under the names that Prometheus' own libraries give such figures.
fn process(page: &mut Page) {
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = clock.tv_sec as f64 + clock.tv_nsec as f64 / 1e9;
    page.counter("process_cpu_seconds_total", "User and system CPU time.", seconds);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    if let Some(kilobytes) = resident {
        page.plain_gauge("process_resident_memory_bytes", "Memory in use.", kilobytes * 1024);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        page.plain_gauge("process_open_fds", "Open file descriptors.", files.count());
    }
}

type Labels<'a> = [(&'a str, &'a str)];

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        // Writing to a string does not fail, here and below.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &Labels<'_>, value: impl Display) {
        self.text.push_str(name);
        for (nth, (label, text)) in labels.iter().enumerate() {
            let open = if nth == 0 { '{' } else { ',' };
            let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = write!(self.text, "{open}{label}=\"{text}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, samples: &[(&Labels<'_>, u64)]) {
        self.head(name, help, "gauge");
        for (labels, value) in samples {
            self.sample(name, labels, value);
        }
    }

    fn plain_gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, help, "gauge");
        self.sample(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, help, "counter");
        self.sample(name, &[], value);
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, help, "histogram");
        let bucket = format!("{name}_bucket");
        for (bound, count) in histogram.cumulated() {
            self.sample(&bucket, &[("le", &bound.to_string())], count);
        }
        self.sample(&bucket, &[("le", "+Inf")], histogram.count());
        self.sample(&format!("{name}_sum"), &[], histogram.sum());
        self.sample(&format!("{name}_count"), &[], histogram.count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::clock;

    #[test]
    fn every_sample_stands_below_its_one_head_and_buckets_add_up() {
        let mut totals = Totals::default();
        totals.received_scores.add(4.4);
        totals.received_scores.add(1.0);
        totals.ended.insert(16, 2);
        let lateness = Lateness { ticks: [3, 0, 0, 0, 0, 0, 0, 0, 1], ..Lateness::default() };
        let shard = ShardStatistics { lateness, ..ShardStatistics::default() };
        let observed = Observed {
            totals,
            shards: vec![shard; 2],
            calls: 0,
            contacts: 0,
            registrations: 0,
            rooms: 0,
            room_members: 0,
            pools: vec![PoolView { pool: "a\"b".into(), ..PoolView::default() }],
            bans: 0,
            draining: false,
        };
        let page = page(&observed, clock::now());
        let mut family = "";
        let mut families = std::collections::BTreeSet::new();
        let mut samples = std::collections::BTreeSet::new();
        for line in page.lines() {
            if let Some(head) = line.strip_prefix("# HELP ") {
                family = head.split(' ').next().unwrap();
                assert!(families.insert(family), "{family} has two heads");
            } else if !line.starts_with('#') {
                assert!(line.starts_with(family), "{line} below {family}");
                let (sample, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok() && samples.insert(sample), "{line}");
            }
        }
        for line in [
            "diesis_calls_ended_total{cause=\"16\"} 2",
            "diesis_call_received_score_bucket{le=\"1.5\"} 1",
            "diesis_call_received_score_bucket{le=\"4.4\"} 2",
            "diesis_call_received_score_bucket{le=\"+Inf\"} 2",
            "diesis_shard_lateness_seconds_bucket{shard=\"1\",le=\"0.02\"} 3",
            "diesis_shard_lateness_seconds_bucket{shard=\"1\",le=\"+Inf\"} 4",
        ] {
            assert!(page.lines().any(|it| it == line), "{line}");
        }
        assert!(page.contains("\nprocess_resident_memory_bytes "));
    }
}
