//! What does a channel cost that plays a prompt, echoes, or sits in a room or a bridge of two? CPU of the media
//! threads per channel and second, over real sockets on the loopback, and the pacing one of the
//! listeners sees.
//!
//!   cargo bench --bench channels_per_core -- [SECONDS] [CHANNELS..]

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use diesis_engine::{
    media::{
        Codec, Command, EchoState, Event, MuteState, PlayId, PlayItem, PortLease, Prompt, Repeat,
        RoomId, ShardId, StreamId, StreamSettings, TalkDetection,
    },
    net::media::{MediaConfig, MediaThreads},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// A prompt, the callers silent.
    Play,
    /// A prompt, the callers sending.
    PlayBoth,
    Echo,
    /// One room, all speaking.
    Room,
    /// Rooms of two, as Dial makes them.
    Pair,
    /// Rooms of two that report who talks, and so are mixed.
    MixedPair,
}

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let seconds = numbers.first().copied().unwrap_or(4);
    let channels = if numbers.len() > 1 { &numbers[1..] } else { &[200, 1000] };
    println!(
        "work       channels  ms CPU/channel-s  KiB RSS/channel  packets/s  pacing ms p50/p99/p99.9/max"
    );
    for work in [Work::Play, Work::PlayBoth, Work::Echo, Work::Room, Work::Pair, Work::MixedPair] {
        for &channels in channels {
            measure(work, channels, Duration::from_secs(seconds));
        }
    }
}

fn measure(work: Work, channels: u64, duration: Duration) {
    let before = resident_kib();
    let config =
        MediaConfig::default().bind(vec![Ipv4Addr::LOCALHOST.into()]).ports(32_000..=39_999);
    let threads = MediaThreads::start(config.shards(1), || {}).expect("ports are free");
    let peers: Vec<UdpSocket> = (0..channels).map(|_| bind()).collect();
    let addresses: Vec<SocketAddr> = peers.iter().map(|p| p.local_addr().expect("bound")).collect();
    let prompt =
        Arc::new(Prompt::from_samples(&(0..80_000).map(|n| (n % 8000) as i16).collect::<Vec<_>>()));
    let mut ports = vec![];
    for (n, &address) in (0..).zip(&addresses) {
        let port = next_port(&threads);
        ports.push(port.address);
        open(&threads, work, StreamId(n), port, address, &prompt);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let received = Arc::new(AtomicU64::new(0));
    let far_end = {
        let (stop, received) = (Arc::clone(&stop), Arc::clone(&received));
        std::thread::spawn(move || far_end(&peers, &ports, work != Work::Play, &stop, &received))
    };
    // Settle: latch, connect, fill playout buffers.
    std::thread::sleep(Duration::from_millis(500));
    let (cpu, packets, started) = (media_cpu(), received.load(Ordering::Relaxed), Instant::now());
    std::thread::sleep(duration);
    let cpu = media_cpu() - cpu;
    let packets = received.load(Ordering::Relaxed) - packets;
    let elapsed = started.elapsed().as_secs_f64();
    let resident = resident_kib().saturating_sub(before);
    stop.store(true, Ordering::Relaxed);
    let mut gaps = far_end.join().expect("the far end does not panic");
    gaps.sort_by(f64::total_cmp);
    let quantile =
        |q: f64| gaps.get(((gaps.len() as f64 - 1.0) * q) as usize).copied().unwrap_or(0.0);
    println!(
        "{:10} {channels:8}  {:16.3}  {:15.1}  {:9.0}  {:.2} {:.2} {:.2} {:.2}",
        format!("{work:?}"),
        cpu.as_secs_f64() * 1e3 / elapsed / channels as f64,
        resident as f64 / channels as f64,
        packets as f64 / elapsed,
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        quantile(1.0),
    );
    let statistics = threads.statistics(ShardId(0)).expect("there is a shard");
    let late = statistics.lateness;
    println!(
        "           ticks began late by less than {:?} (99 %), {:?} (99.9 %), {:?} (all); {} made up for, {} given up",
        late.quantile(0.99),
        late.quantile(0.999),
        late.worst,
        statistics.late_ticks,
        statistics.skipped_ticks,
    );
    threads.stop();
}

fn next_port(threads: &MediaThreads) -> PortLease {
    loop {
        match threads.next_event_timeout(Duration::from_secs(5)) {
            Some(Event::PortReady { port }) => return port,
            Some(_) => {}
            None => panic!("no port for five seconds"),
        }
    }
}

fn open(
    threads: &MediaThreads,
    work: Work,
    stream: StreamId,
    port: PortLease,
    address: SocketAddr,
    prompt: &Arc<Prompt>,
) {
    let send = |command| threads.send(ShardId(0), command).expect("the queue has room");
    let settings = Box::new(StreamSettings::new(address, Codec::Pcmu));
    send(Command::Open { stream, port, settings });
    match work {
        Work::Play | Work::PlayBoth => {
            let items = vec![PlayItem::Prompt(Arc::clone(prompt))];
            send(Command::Play { stream, play: PlayId(0), items, repeat: Repeat::Forever });
        }
        Work::Echo => send(Command::Echo { stream, state: EchoState::On }),
        Work::Room | Work::Pair | Work::MixedPair => {
            let room = RoomId(if work == Work::Room { 0 } else { stream.0 / 2 });
            let mute = MuteState::Open;
            let talk_detection = match work {
                Work::MixedPair => TalkDetection::On,
                _ => TalkDetection::Off,
            };
            send(Command::Join { stream, room, mute, talk_detection });
        }
    }
}

/// All callers in one thread: they send each 20 ms, and take what came each 5 ms. The gaps of a few
/// are timed by a thread of their own that waits for each packet.
fn far_end(
    peers: &[UdpSocket],
    ports: &[SocketAddr],
    sends: bool,
    stop: &AtomicBool,
    received: &AtomicU64,
) -> Vec<f64> {
    let (timed, drained) = peers.split_at(1);
    std::thread::scope(|scope| {
        let timer = scope.spawn(|| time_gaps(&timed[0], stop));
        let mut packet = [0x3c_u8; 172];
        packet[..12].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
        let mut buffer = [0; 2048];
        let start = Instant::now();
        let mut step = 0_u32;
        while !stop.load(Ordering::Relaxed) {
            if sends {
                let frame = step / 4;
                packet[2..4].copy_from_slice(&(frame as u16).to_be_bytes());
                packet[4..8].copy_from_slice(&(frame * 160).to_be_bytes());
                let part = peers.iter().zip(ports).skip(step as usize % 4).step_by(4);
                for (peer, port) in part {
                    let _lost = peer.send_to(&packet, port);
                }
            }
            for peer in drained {
                while peer.recv(&mut buffer).is_ok() {
                    received.fetch_add(1, Ordering::Relaxed);
                }
            }
            step += 1;
            let next = start + Duration::from_millis(5) * step;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        timer.join().expect("the timer does not panic")
    })
}

/// Deviations of packet gaps from 20 ms, in milliseconds.
fn time_gaps(peer: &UdpSocket, stop: &AtomicBool) -> Vec<f64> {
    let mut buffer = [0; 2048];
    // What came while the others were being opened has no gaps to be seen.
    while peer.recv(&mut buffer).is_ok() {}
    peer.set_nonblocking(false).expect("a socket can block");
    peer.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout can be set");
    let mut gaps = vec![];
    let mut last: Option<Instant> = None;
    while !stop.load(Ordering::Relaxed) {
        if peer.recv(&mut buffer).is_ok() {
            let now = Instant::now();
            if let Some(last) = last.replace(now) {
                gaps.push(((now - last).as_secs_f64() * 1e3 - 20.0).abs());
            }
        }
    }
    gaps
}

fn bind() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    socket.set_nonblocking(true).expect("a socket can be non-blocking");
    socket
}

/// CPU time of the threads named `media-N`.
fn media_cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has /proc");
    let nanoseconds: u64 = tasks
        .flatten()
        .filter(|task| {
            let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            name.starts_with("media-")
        })
        .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(nanoseconds)
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
