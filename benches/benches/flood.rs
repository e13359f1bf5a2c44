//! What does a storm of INVITEs without credentials do to those who may call? Set-up times of
//! legitimate calls beside it, what of it is answered, and memory before and after.
//!
//!   cargo bench -p diesis-benches --bench flood [-- SECONDS [PER_SECOND]]

use std::{
    env,
    error::Error,
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use diesis_benches::{Server, caller::Caller};

const DIALPLAN: &str = "\
[bench]
exten => 1000,1,Answer()
 same => n,Playback(diesis-menu)
 same => n,Hangup()
";

/// The caller is known by its address; the storm comes from another and names one that is not.
const PEERS: &str = "\
[caller]
type=endpoint
context=bench
disallow=all
allow=ulaw
[caller]
type=identify
endpoint=caller
match=127.0.0.1
[alice]
type=endpoint
context=bench
disallow=all
allow=ulaw
auth=alice
[alice]
type=auth
username=alice
password=not-known-to-the-storm
";

const STORM_FROM: [u8; 4] = [127, 0, 0, 66];

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let time = Duration::from_secs(numbers.next().unwrap_or(30).max(1));
    let per_second = numbers.next().unwrap_or(20_000).max(1);

    let server = Server::start_with(DIALPLAN, PEERS, 1)?;
    let mut caller = Caller::new(server.address())?;
    // What the first call loads belongs to no other.
    caller.call("1000")?;
    thread::sleep(Duration::from_secs(1));
    let quiet = calls(&mut caller, Duration::from_secs(3))?;
    let (before, cpu) = (server.resident_kib()?, server.cpu()?);

    let storm = Storm::start(server.address(), per_second)?;
    let beside = calls(&mut caller, time)?;
    let (sent, answered) = storm.stop();
    let during = server.resident_kib()?;
    let cpu = server.cpu()?.saturating_sub(cpu);

    // The longest SIP transaction (RFC 3261 §17.1.1.2).
    thread::sleep(Duration::from_secs(34));
    let after = server.resident_kib()?;
    let rate = sent as f64 / time.as_secs_f64();
    println!("storm: {sent} INVITEs, {rate:.0} a second; {answered} answered with one 401 each");
    println!("CPU of the engine: {:.0} us an INVITE", cpu.as_secs_f64() * 1e6 / sent as f64);
    println!("calls in peace:         {quiet}");
    println!("calls beside the storm: {beside}");
    println!("resident: {before} KiB before, {during} KiB at its end, {after} KiB 34 s later");
    Ok(())
}

/// How calls went.
struct Calls {
    /// Of those that were answered.
    times: Vec<Duration>,
    failed: usize,
}

impl std::fmt::Display for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = |q: f64| {
            let index = (self.times.len().saturating_sub(1) as f64 * q) as usize;
            self.times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
        };
        write!(
            f,
            "{} answered, {} not; set-up p50 {:.2} p99 {:.2} max {:.2} ms",
            self.times.len(),
            self.failed,
            at(0.5),
            at(0.99),
            at(1.0)
        )
    }
}

/// Ten calls a second for a while.
fn calls(caller: &mut Caller, time: Duration) -> io::Result<Calls> {
    let (begun, mut times, mut failed) = (Instant::now(), Vec::new(), 0);
    while begun.elapsed() < time {
        match caller.call("1000") {
            Ok(took) => times.push(took),
            Err(error) => {
                eprintln!("a call failed: {error}");
                failed += 1;
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
    times.sort();
    Ok(Calls { times, failed })
}

/// A thread that sends INVITEs at an even rate, and one that counts the answers.
struct Storm {
    ends: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    sender: thread::JoinHandle<u64>,
    counter: thread::JoinHandle<()>,
}

impl Storm {
    fn start(server: SocketAddr, per_second: u64) -> io::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::from((STORM_FROM, 0)))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let own = socket.local_addr()?;
        let (ends, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (receiver, stopped, count) =
            (socket.try_clone()?, Arc::clone(&ends), Arc::clone(&answered));
        let counter = thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !stopped.load(Ordering::Relaxed) {
                if receiver.recv(&mut buffer).is_ok() && buffer.starts_with(b"SIP/2.0 401") {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let stopped = Arc::clone(&ends);
        let sender = thread::spawn(move || {
            let (begun, mut sent) = (Instant::now(), 0);
            while !stopped.load(Ordering::Relaxed) {
                // As many as are due by now; a sender that was held up does not make up for more
                // than a tenth of a second.
                let due = (begun.elapsed().as_secs_f64() * per_second as f64) as u64;
                let least = due.saturating_sub(per_second / 10);
                for number in sent.max(least)..due {
                    // The kernel's buffer is full: that one is lost.
                    let _ = socket.send_to(invite(number, own, server).as_bytes(), server);
                    sent = number + 1;
                }
                thread::sleep(Duration::from_millis(1));
            }
            sent
        });
        Ok(Self { ends, answered, sender, counter })
    }

    /// How many were sent, and how many of them answered.
    fn stop(self) -> (u64, u64) {
        self.ends.store(true, Ordering::Relaxed);
        let sent = self.sender.join().unwrap_or_default();
        let _ = self.counter.join();
        (sent, self.answered.load(Ordering::Relaxed))
    }
}

fn invite(number: u64, own: SocketAddr, server: SocketAddr) -> String {
    let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.66\r\ns=-\r\nc=IN IP4 127.0.0.66\r\nt=0 0\r\n\
                m=audio 9 RTP/AVP 0\r\n";
    format!(
        "INVITE sip:1000@{server} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {own};branch=z9hG4bKstorm{number};rport\r\n\
         From: <sip:alice@{server}>;tag={number}\r\nTo: <sip:1000@{server}>\r\n\
         Call-ID: storm{number}@{own}\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\
         Contact: <sip:alice@{own}>\r\nUser-Agent: storm\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
