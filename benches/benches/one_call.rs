//! What does one call cost the signalling core, without sockets, threads and media: in time, in
//! allocations, in bytes while it is held?
//!
//!   cargo bench -p diesis-benches --bench one_call [-- CALLS]
//!
//! Each way into the switch is timed twice: with what it needs in the processor's caches, as under
//! load, and after everything has been driven out of them, as between the calls of a quiet machine.
//! Bytes and allocations are counted by the allocator, so they are the same on every machine.

use std::{
    cell::Cell,
    collections::BTreeMap,
    error::Error,
    hint::black_box,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use diesis_dialplan::conf::MemoryFiles;
use diesis_engine::{
    channel::PromptReply,
    clock::Now,
    config::Configuration,
    media::{
        Command, Digit, Event, PlayEnd, PlayId, PortLease, Prompt, ShardId, SharedStatistics,
        SocketId, StreamId,
    },
    sip::Flow,
    switch::{Seeds, Switch, SwitchConfig},
};
use rustix::time::{ClockId, clock_gettime};

fn main() -> Result<(), Box<dyn Error>> {
    let number = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let calls = number.unwrap_or(2000);
    println!("| call | way in | caches full, us | caches empty, us | allocations |");
    println!("|---|---|---|---|---|");
    for (name, number) in [("answer, 500 ms, BYE", "1004"), ("menu with one digit", "1002")] {
        let (mut warm, mut cold) = (Steps::default(), Steps::default());
        let mut bench = Bench::new()?;
        for _ in 0..50 {
            bench.whole_call(number, &mut Steps::default(), &mut || {});
        }
        for _ in 0..calls {
            bench.whole_call(number, &mut warm, &mut || {});
        }
        let mut waste = vec![0_u8; EVICTED];
        for _ in 0..calls / 20 {
            bench.whole_call(number, &mut cold, &mut || evict(&mut waste));
        }
        let (mut sum_warm, mut sum_cold, mut sum_allocations) = (0.0, 0.0, 0.0);
        for (step, spent) in &mut warm.0 {
            let cold = cold.0.get_mut(step).map_or(0.0, Spent::median);
            let allocations = spent.allocations as f64 / f64::from(calls);
            let warm = spent.median();
            println!("| {name} | {step} | {warm:.1} | {cold:.1} | {allocations:.0} |");
            (sum_warm, sum_cold) = (sum_warm + warm, sum_cold + cold);
            sum_allocations += allocations;
        }
        println!("| {name} | **all** | {sum_warm:.1} | {sum_cold:.1} | {sum_allocations:.0} |");
    }
    println!();
    let mut bench = Bench::new()?;
    bench.hold("1002", 1000);
    let before = LIVE.get();
    bench.hold("1002", calls as usize);
    let bytes = (LIVE.get() - before) as f64 / f64::from(calls);
    println!("a held menu call, 40 s after its INVITE: {bytes:.0} bytes of heap in the switch");
    Ok(())
}

/// What each way in took, in the order of a call.
#[derive(Default)]
struct Steps(BTreeMap<&'static str, Spent>);

#[derive(Default)]
struct Spent {
    times: Vec<Duration>,
    allocations: u64,
}

impl Spent {
    /// In microseconds.
    fn median(&mut self) -> f64 {
        self.times.sort_unstable();
        self.times.get(self.times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    }
}

/// What this thread has worked: other programs do not count.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // Neither is negative.
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A switch, one phone, and shards that do as they are told.
struct Bench {
    switch: Switch,
    now: Now,
    calls: u32,
    sockets: u32,
    prompt: Arc<Prompt>,
    said: Said,
}

/// What the switch gave out last.
#[derive(Default)]
struct Said {
    message: Bytes,
    opened: Option<StreamId>,
    closed: Option<StreamId>,
    playing: Option<(StreamId, PlayId)>,
    stopped: Option<(StreamId, PlayId)>,
}

impl Bench {
    #[allow(clippy::disallowed_methods, reason = "an `Instant` can not be made from a number")]
    fn new() -> Result<Self, Box<dyn Error>> {
        let pjsip = format!(
            "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:5060\n{}",
            diesis_benches::EVERYBODY
        );
        let files = MemoryFiles::new().with("extensions.conf", PLAN).with("pjsip.conf", pjsip);
        let loaded = Configuration::load(&files);
        let configuration = loaded.configuration;
        let config = SwitchConfig {
            sip: Arc::new(configuration.sip),
            plan: configuration.plan,
            ..SwitchConfig::default()
        };
        let now = Now::new(Instant::now(), jiff::Timestamp::new(1_773_136_800, 0)?);
        let seeds = Seeds { entropy: 42, digest_key: [7; 32] };
        let mut bench = Self {
            switch: Switch::new(config, &seeds, now),
            now,
            calls: 0,
            sockets: 0,
            prompt: Arc::new(Prompt::from_samples(&vec![0; 48_000])),
            said: Said::default(),
        };
        for _ in 0..64 {
            bench.bind();
        }
        Ok(bench)
    }

    /// One more port for the switch.
    fn bind(&mut self) {
        self.sockets += 1;
        let port = 10_000 + 2 * (self.sockets % 20_000) as u16;
        let address = ([127, 0, 0, 1], port).into();
        let port = PortLease { shard: ShardId(0), socket: SocketId(self.sockets), address };
        self.switch.handle_media(Event::PortReady { port }, self.now);
    }

    /// A call from its INVITE to the end of its stream.
    fn whole_call(&mut self, number: &str, steps: &mut Steps, before: &mut dyn FnMut()) {
        self.begin(number, steps, before);
        if number == "1002" {
            self.pass(Duration::from_secs(1));
            let (stream, _) = self.said.playing.expect("a menu");
            let digit = Digit::from_char('1').expect("a digit");
            let duration = Duration::from_millis(100);
            let event = Event::Digit { stream, digit, duration };
            self.step("5 key", steps, before, |it| it.media(event));
            let (stream, play) = self.said.stopped.expect("the menu is interrupted");
            let event = Event::PlayFinished { stream, play, end: PlayEnd::Stopped, played: 8000 };
            self.step("6 menu stopped", steps, before, |it| it.media(event));
            self.pass(Duration::from_millis(500));
            let (stream, play) = self.said.playing.expect("a prompt");
            let event = Event::PlayFinished { stream, play, end: PlayEnd::Completed, played: 4000 };
            self.step("7 prompt over: BYE", steps, before, |it| it.media(event));
        } else {
            // An answer waits that long for a first packet.
            self.now = self.now + Duration::from_millis(500);
            self.step("5 time is over: BYE", steps, before, Self::timeout);
        }
        let bye = self.said.message.clone();
        let ok = response_to(&bye);
        self.step("8 200 to the BYE", steps, before, |it| it.message(ok));
        if let Some(stream) = self.said.closed.take() {
            let event = Event::Closed { stream, statistics: Box::default() };
            self.step("9 stream closed", steps, before, |it| it.media(event));
        }
        // What is over is forgotten after 32 s.
        self.pass(Duration::from_secs(1));
    }

    /// INVITE, answer, ACK, stream opened.
    fn begin(&mut self, number: &str, steps: &mut Steps, before: &mut dyn FnMut()) {
        self.calls += 1;
        let invite = request("INVITE", number, self.calls, "i", "", BODY);
        self.step("1 INVITE", steps, before, |it| it.message(invite));
        let answer = self.said.message.clone();
        let to = header(&answer, "To").unwrap_or_default().to_owned();
        if let Some(stream) = self.said.opened.take() {
            self.step("2 port bound", steps, before, Self::bind);
            let event = Event::Opened { stream, statistics: SharedStatistics::default() };
            self.step("3 stream opened", steps, before, |it| it.media(event));
        }
        let ack = request("ACK", number, self.calls, "a", &to, "");
        self.step("4 ACK", steps, before, |it| it.message(ack));
    }

    /// Calls that stay, long enough for their transactions to end.
    fn hold(&mut self, number: &str, calls: usize) {
        for _ in 0..calls {
            self.begin(number, &mut Steps::default(), &mut || {});
        }
        for _ in 0..40 {
            self.pass(Duration::from_secs(1));
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        if self.switch.poll_timeout().is_some_and(|due| due <= self.now.instant) {
            self.timeout();
            self.drain();
        }
    }

    fn timeout(&mut self) {
        self.switch.handle_timeout(self.now);
    }

    /// One way in, and everything that comes out of it.
    fn step(
        &mut self,
        name: &'static str,
        steps: &mut Steps,
        before: &mut dyn FnMut(),
        act: impl FnOnce(&mut Self),
    ) {
        before();
        let (begun, allocations) = (cpu(), ALLOCATIONS.get());
        act(self);
        self.drain();
        let spent = steps.0.entry(name).or_default();
        spent.times.push(cpu() - begun);
        spent.allocations += ALLOCATIONS.get() - allocations;
    }

    fn message(&mut self, bytes: Bytes) {
        let local: SocketAddr = ([127, 0, 0, 1], 5060).into();
        let flow = Flow::udp(local, ([127, 0, 0, 1], 6000).into());
        self.switch.handle_packet(flow, bytes, self.now);
    }

    fn media(&mut self, event: Event) {
        self.switch.handle_media(event, self.now);
    }

    #[inline(never)]
    fn drain(&mut self) {
        let mut quiet = false;
        while !quiet {
            quiet = true;
            while let Some(transmit) = self.switch.poll_transmit() {
                self.said.message = transmit.bytes;
            }
            while let Some((_, command)) = self.switch.poll_media() {
                quiet = false;
                match command {
                    Command::Open { stream, .. } => self.said.opened = Some(stream),
                    Command::Close { stream } => self.said.closed = Some(stream),
                    Command::Play { stream, play, .. } => self.said.playing = Some((stream, play)),
                    Command::StopPlay { .. } => self.said.stopped = self.said.playing.take(),
                    _ => {}
                }
            }
            while let Some(request) = self.switch.poll_prompt() {
                quiet = false;
                let prompt = Some(Arc::clone(&self.prompt));
                self.switch.handle_prompt(PromptReply { id: request.id, prompt }, self.now);
            }
            while let Some(event) = self.switch.poll_event() {
                black_box(event);
            }
        }
    }
}

fn request(method: &str, number: &str, call: u32, branch: &str, to: &str, body: &str) -> Bytes {
    let own = format!("<sip:{number}@127.0.0.1:5060>");
    let to = if to.is_empty() { &own } else { to };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let allow = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO";
    format!(
        "{method} sip:{number}@127.0.0.1:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK{branch}{call};rport\r\nMax-Forwards: 70\r\n\
         From: \"Load\" <sip:load@127.0.0.1:6000>;tag=t{call}\r\nTo: {to}\r\n\
         Call-ID: {call}@127.0.0.1\r\nCSeq: 1 {method}\r\nContact: <sip:load@127.0.0.1:6000>\r\n\
         User-Agent: bench\r\nAllow: {allow}\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

/// A 200 to a request of the switch.
fn response_to(request: &Bytes) -> Bytes {
    let text = String::from_utf8_lossy(request);
    let mut response = String::from("SIP/2.0 200 OK\r\n");
    for line in text.lines() {
        let name = line.split(':').next().unwrap_or_default();
        if ["Via", "From", "To", "Call-ID", "CSeq"].contains(&name) {
            response.push_str(line);
            response.push_str("\r\n");
        }
    }
    response.push_str("Content-Length: 0\r\n\r\n");
    response.into()
}

fn header<'a>(message: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(message).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Drives everything else out of the caches.
fn evict(waste: &mut [u8]) {
    for line in waste.iter_mut().step_by(64) {
        *line = line.wrapping_add(1);
    }
    black_box(waste);
}

const PLAN: &str = "\
[bench]
exten => 1002,1,Goto(menu,s,1)
exten => 1004,1,Answer()
 same => n,Hangup()
[menu]
exten => s,1,Answer()
 same => n,Background(menu)
 same => n,WaitExten(10)
exten => 1,1,Playback(one)
 same => n,Hangup()
";

const BODY: &str = "v=0\r\no=load 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

/// Twice the largest caches of the machines this runs on, of a core's share.
const EVICTED: usize = 64 << 20;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

#[allow(unsafe_code, reason = "an allocator is counted, and passes everything on to the system's")]
mod allocator {
    use std::alloc::{GlobalAlloc, Layout, System};

    use super::{ALLOCATIONS, LIVE};

    /// Counts what the thread that asks allocates.
    pub(super) struct Counting;

    // SAFETY: every call is passed on unchanged to the system's allocator.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            ALLOCATIONS.set(ALLOCATIONS.get() + 1);
            LIVE.set(LIVE.get() + layout.size() as i64);
            // SAFETY: the caller's contract is that of `System`.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            LIVE.set(LIVE.get() - layout.size() as i64);
            // SAFETY: the pointer came from `System` by `alloc` above.
            unsafe { System.dealloc(pointer, layout) }
        }
    }
}
