//! What does a packet pair cost, one received and one sent, by each way to the kernel? CPU time of
//! the thread that does it, without anything that a call is besides.
//!
//!   cargo bench -p diesis-benches --features io-uring --bench packet_io [-- FLOWS [SECONDS [TIMES]]]
//!
//! The tick loop asks each socket in turn, as media threads do; the shared socket carries all flows
//! in batches of 64; io_uring has a socket for each flow, and one system call for a tick's packets.

#[cfg(feature = "io-uring")]
mod uring;

use std::{
    env,
    error::Error,
    hint::black_box,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use diesis_engine::{
    media::{
        SocketId,
        packet_io::{Outgoing, PacketIo, Sent},
    },
    net::media::{SharedSocket, SocketTable},
};
use rustix::time::{ClockId, clock_gettime};

/// Our end of all flows, and the far one.
struct Flows {
    ours: Vec<SocketId>,
    peers: Vec<UdpSocket>,
    /// Where each peer sends to.
    locals: Vec<SocketAddr>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let flows = numbers.next().unwrap_or(400) as usize;
    let seconds = numbers.next().unwrap_or(5);
    println!("way         flows  sent     received  far end   CPU a pair");
    for _ in 0..numbers.next().unwrap_or(2) {
        let mut table = SocketTable::new(46)?;
        let mut bound = Flows::new(flows)?;
        let mut ports = (40_000..60_000).step_by(2);
        for peer in &bound.peers {
            // Some are taken by others.
            let (id, local) = ports
                .by_ref()
                .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
                .find_map(|local| Some((table.bind(local).ok()?, local)))
                .ok_or("too few ports are free")?;
            table.connect(id, peer.local_addr()?);
            bound.ours.push(id);
            bound.locals.push(local);
        }
        measure("tick loop", &mut table, &bound, seconds);

        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        // As much as all the sockets of the others have.
        socket2::SockRef::from(&socket).set_recv_buffer_size(65_536 * flows)?;
        let mut bound = Flows::new(flows)?;
        bound.locals = vec![socket.local_addr()?; flows];
        let mut shared = SharedSocket::new(socket)?;
        let opened = bound.peers.iter().map(|peer| shared.open(peer.local_addr().ok()?));
        bound.ours = opened.collect::<Option<_>>().ok_or("each peer has an address of its own")?;
        measure("shared", &mut shared, &bound, seconds);

        #[cfg(feature = "io-uring")]
        {
            let mut ring = uring::UringSockets::new()?;
            let mut bound = Flows::new(flows)?;
            for peer in &bound.peers {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                bound.locals.push(socket.local_addr()?);
                bound.ours.push(ring.add(socket, peer.local_addr()?)?);
            }
            measure("io_uring", &mut ring, &bound, seconds);
        }
    }
    Ok(())
}

impl Flows {
    fn new(flows: usize) -> io::Result<Self> {
        let peers = (0..flows).map(|_| {
            let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            peer.set_nonblocking(true)?;
            Ok(peer)
        });
        Ok(Self { ours: vec![], peers: peers.collect::<io::Result<_>>()?, locals: vec![] })
    }
}

/// A quarter of the flows has its turn each 5 ms, as streams have.
fn measure(name: &str, io: &mut impl PacketIo, flows: &Flows, seconds: u64) {
    let (stop, returned) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| far_end(flows, &stop, &returned));
        let lane = |phase| flows.ours.iter().copied().skip(phase).step_by(4).collect::<Vec<_>>();
        let lanes: [Vec<SocketId>; 4] = std::array::from_fn(lane);
        let (start, mut sent, mut received) = (Instant::now(), 0_u64, 0_u64);
        let mut before = (Duration::ZERO, 0, 0, 0);
        for tick in 0..(seconds + 1) * 200 {
            if tick == 200 {
                before = (cpu_time(), sent, received, returned.load(Ordering::Relaxed));
            }
            let lane = &lanes[tick as usize % 4];
            io.receive_batch(lane, &mut |_, _, datagram| {
                received += 1;
                black_box(datagram);
            });
            for &socket in lane {
                let (header, payload) = (&[0x80; 12], &[0x55; 160]);
                let packet = Outgoing { socket, destination: None, header, payload };
                sent += u64::from(io.send(packet) == Sent::Accepted);
            }
            io.flush();
            let next = start + TICK * (tick as u32 + 1);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        let cpu = cpu_time() - before.0;
        let (sent, received) = (sent - before.1, received - before.2);
        let returned = returned.load(Ordering::Relaxed) - before.3;
        stop.store(true, Ordering::Relaxed);
        println!(
            "{name:10}  {:5}  {sent:7}  {received:8}  {returned:7}   {:.2} us",
            flows.ours.len(),
            cpu.as_secs_f64() * 1e6 / sent.min(received).max(1) as f64
        );
    });
}

fn far_end(flows: &Flows, stop: &AtomicBool, returned: &AtomicU64) {
    let (start, mut step, mut buffer) = (Instant::now(), 0_u32, [0; 2048]);
    while !stop.load(Ordering::Relaxed) {
        let part = flows.peers.iter().zip(&flows.locals).skip(step as usize % 4).step_by(4);
        for (peer, local) in part {
            let _lost = peer.send_to(&[0x80; 172], local);
            while peer.recv(&mut buffer).is_ok() {
                returned.fetch_add(1, Ordering::Relaxed);
            }
        }
        step += 1;
        let next = start + TICK * step;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

const TICK: Duration = Duration::from_millis(5);
