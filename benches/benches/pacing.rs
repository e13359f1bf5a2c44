//! How punctual are packets when one core has much to do? The deviation of each packet from the 20 ms
//! grid of its stream, by the kernel's own time stamps, while one media thread plays to so many
//! channels that a share of its core is used.
//!
//!   cargo bench -p diesis-benches --bench pacing [-- PERCENT [SECONDS [CHANNELS]]]
//!
//! How many channels that share takes is measured first, unless their number is given. The
//! machine's other work counts as well: its share of the cores is printed beside.

use std::{
    env,
    error::Error,
    fs,
    io::{self, IoSliceMut},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use diesis_engine::{
    media::{
        Codec, Command, Event, PlayId, PlayItem, PortLease, Prompt, Repeat, ShardId, StreamId,
        StreamSettings,
    },
    net::media::{Lateness, MediaConfig, MediaThreads},
};
use nix::sys::{
    socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt,
        sockopt::ReceiveTimestampns,
    },
    time::TimeSpec,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let percent = numbers.next().unwrap_or(70);
    let seconds = Duration::from_secs(numbers.next().unwrap_or(30));
    let channels = match numbers.next() {
        Some(channels) => channels,
        None => {
            let probe = run(PROBE, Duration::from_secs(3))?;
            let each = probe.cpu / PROBE as f64;
            println!("{PROBE} channels take {:.1} % of a core", probe.cpu * 100.0);
            (percent as f64 / 100.0 / each) as u64
        }
    };
    let taken = run(channels.min(MOST), seconds)?;
    let mut deviations = taken.deviations;
    deviations.sort_by(f64::total_cmp);
    let at = |share: f64| deviations[((deviations.len() - 1) as f64 * share) as usize];
    println!(
        "{} channels, {:.0} % of a core, others {:.0} % of the machine, {}",
        channels.min(MOST),
        taken.cpu * 100.0,
        taken.others * 100.0,
        taken.scheduling,
    );
    println!(
        "off the grid, {} packets of {TIMED} streams: p50 {:.3} p99 {:.3} p99.9 {:.3} max {:.3} ms",
        deviations.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
    );
    println!(
        "missing: {} of {}; ticks made up for {}, given up {}",
        taken.missing,
        deviations.len() as u64 + taken.missing,
        taken.late_ticks,
        taken.skipped_ticks,
    );
    // The part of it that the system causes: for so long it kept a thread waiting that was due.
    println!(
        "steps began late by less than {:?} (99 %), {:?} (99.9 %), {:?} (all)",
        taken.lateness.quantile(0.99),
        taken.lateness.quantile(0.999),
        taken.lateness.worst,
    );
    Ok(())
}

struct Taken {
    /// Of one core.
    cpu: f64,
    /// Of all cores, by other processes.
    others: f64,
    scheduling: String,
    /// Milliseconds.
    deviations: Vec<f64>,
    missing: u64,
    late_ticks: u64,
    skipped_ticks: u64,
    lateness: Lateness,
}

fn run(channels: u64, duration: Duration) -> Result<Taken, Box<dyn Error>> {
    let config =
        MediaConfig::default().bind(vec![Ipv4Addr::LOCALHOST.into()]).ports(10_000..=29_999);
    let threads = MediaThreads::start(config.shards(1), || {})?;
    let peers: Vec<UdpSocket> = (0..channels).map(|_| bind()).collect::<io::Result<_>>()?;
    let prompt = Arc::new(Prompt::from_samples(&[1000; 80_000]));
    for (n, peer) in (0..).zip(&peers) {
        let (stream, port) = (StreamId(n), next_port(&threads)?);
        let settings = Box::new(StreamSettings::new(peer.local_addr()?, Codec::Pcmu));
        let items = vec![PlayItem::Prompt(Arc::clone(&prompt))];
        let play = Command::Play { stream, play: PlayId(0), items, repeat: Repeat::Forever };
        for command in [Command::Open { stream, port, settings }, play] {
            threads.send(ShardId(0), command)?;
        }
        // As many a second as ports are bound in.
        if n % 16 == 15 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    std::thread::sleep(Duration::from_secs(1));
    let timed = TIMED.min(peers.len() - 1);
    let (timed, others) = peers.split_at(timed);
    for peer in timed {
        setsockopt(peer, ReceiveTimestampns, &true)?;
        drain(peer);
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                others.iter().for_each(drain);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let before = (media_cpu(), machine()?, own_cpu(), Instant::now());
        let mut arrivals = vec![vec![]; timed.len()];
        while before.3.elapsed() < duration {
            for (peer, arrivals) in timed.iter().zip(&mut arrivals) {
                while let Some(arrival) = receive(peer) {
                    arrivals.push(arrival);
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let elapsed = before.3.elapsed();
        stop.store(true, Ordering::Relaxed);
        let cpu = (media_cpu() - before.0).as_secs_f64() / elapsed.as_secs_f64();
        let (busy, all) = machine()?;
        let own = own_cpu() - before.2;
        let machine = (all - before.1.1).max(1) as f64;
        let others = ((busy - before.1.0) as f64 - own as f64).max(0.0) / machine;
        let mut missing = 0;
        let mut deviations = vec![];
        for arrivals in &arrivals {
            missing += off_the_grid(arrivals, &mut deviations);
        }
        let statistics = threads.statistics(ShardId(0)).ok_or("there is a shard")?;
        Ok(Taken {
            cpu,
            others,
            scheduling: scheduling(),
            deviations,
            missing,
            late_ticks: statistics.late_ticks,
            skipped_ticks: statistics.skipped_ticks,
            lateness: statistics.lateness,
        })
    })
}

/// How far each packet is from where the median of its stream would have it; how many are missing.
fn off_the_grid(arrivals: &[(u16, Duration)], deviations: &mut Vec<f64>) -> u64 {
    let Some(&(first, start)) = arrivals.first() else { return 0 };
    let mut number = 0_u64;
    let mut last = first;
    let offsets: Vec<f64> = arrivals
        .iter()
        .map(|&(seq, at)| {
            number += u64::from(seq.wrapping_sub(last));
            last = seq;
            (at.as_secs_f64() - start.as_secs_f64()) * 1e3 - 20.0 * number as f64
        })
        .collect();
    let mut sorted = offsets.clone();
    sorted.sort_by(f64::total_cmp);
    let grid = sorted[sorted.len() / 2];
    deviations.extend(offsets.iter().map(|offset| (offset - grid).abs()));
    number + 1 - arrivals.len() as u64
}

/// The next packet's sequence number and when the kernel had it. Reports of the neighbour, which go to
/// the port above his, are passed over.
fn receive(peer: &UdpSocket) -> Option<(u16, Duration)> {
    loop {
        let mut packet = [0; 256];
        let mut space = nix::cmsg_space!(TimeSpec);
        let mut slices = [IoSliceMut::new(&mut packet)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let received =
            recvmsg::<SockaddrStorage>(peer.as_raw_fd(), &mut slices, Some(&mut space), flags)
                .ok()?;
        let at = received.cmsgs().ok()?.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
            _ => None,
        })?;
        // Types of RTCP packets begin at 192 (RFC 5761 §4).
        if !(192..224).contains(&packet[1]) {
            return Some((u16::from_be_bytes([packet[2], packet[3]]), at));
        }
    }
}

fn drain(peer: &UdpSocket) {
    while peer.recv(&mut [0; 256]).is_ok() {}
}

fn next_port(threads: &MediaThreads) -> Result<PortLease, &'static str> {
    loop {
        match threads.next_event_timeout(Duration::from_secs(5)) {
            Some(Event::PortReady { port }) => return Ok(port),
            Some(_) => {}
            None => return Err("no port for five seconds"),
        }
    }
}

fn bind() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn media_tasks() -> impl Iterator<Item = std::path::PathBuf> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks.map(|task| task.path()).filter(|path| {
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("media-"))
    })
}

/// CPU time of the threads named `media-N`.
fn media_cpu() -> Duration {
    let texts = media_tasks().filter_map(|path| fs::read_to_string(path.join("schedstat")).ok());
    let nanoseconds = texts.filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    Duration::from_nanos(nanoseconds.sum())
}

/// How the system schedules them: field 41 of `stat` (proc(5)).
fn scheduling() -> String {
    let stat = media_tasks().next().and_then(|path| fs::read_to_string(path.join("stat")).ok());
    let stat = stat.unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    match after_name.split_whitespace().nth(38) {
        Some("1") => "SCHED_FIFO".into(),
        Some("0") => "SCHED_OTHER".into(),
        other => format!("policy {other:?}"),
    }
}

/// Busy and all ticks of all cores.
fn machine() -> io::Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<u64> =
        line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let all: u64 = fields.iter().sum();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    Ok((all - idle, all))
}

/// The same, of this process.
fn own_cpu() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum()
}

/// Streams whose packets are timed; all others are only drained.
const TIMED: usize = 200;

/// Channels by which the cost of one is measured.
const PROBE: u64 = 500;

/// Ports there are.
const MOST: u64 = 4800;
