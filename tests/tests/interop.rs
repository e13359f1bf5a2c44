//! The engine against sipp and baresip, over real sockets on the loopback network.
//!
//!     cargo build --release -p diesis
//!     cargo test -p diesis-tests --features interop --test interop -- --test-threads=1
//!
//! Needs Debian's sip-tester, baresip, fail2ban and tshark (for dumpcap), and the right to capture on `lo`.
//! The tests share the ports of sipp's media: one at a time.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use diesis_sounds::format::wav;
use diesis_sounds::locate::{Located, Recording};
use diesis_sounds::prompts::Library;
use diesis_tests::baresip::Baresip;
use diesis_tests::capture::Capture;
use diesis_tests::engine::{self, Engine};
use diesis_tests::loopback::{self, CALLER, ENGINE};
use diesis_tests::rtp_report::{self, Stream};
use diesis_tests::scratch::Scratch;
use diesis_tests::sip_client::SipClient;
use diesis_tests::sipp::{self, CALLEE, Sipp, Transport};

const PASSWORD: &str = "correct-horse";

fn engine() -> Engine {
    Engine::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/etc"))
}

/// The meter itself, before anything is measured with it.
#[test]
fn the_capture_sees_every_packet_and_a_missing_one() {
    let sender = UdpSocket::bind((ENGINE, 0)).expect("a port is free");
    let receiver = UdpSocket::bind((CALLER, 0)).expect("a port is free");
    let (from, to) = (sender.local_addr().unwrap(), receiver.local_addr().unwrap());
    let capture = Capture::start(&format!("udp and src port {}", from.port()));
    for sequence in (0..1000_u16).filter(|&sequence| sequence != 700) {
        let mut packet = vec![0x80, 0];
        packet.extend(sequence.to_be_bytes());
        packet.extend((u32::from(sequence) * 160).to_be_bytes());
        packet.extend([0; 164]);
        sender.send_to(&packet, to).expect("loopback takes it");
    }
    let streams = rtp_report::streams(&capture.stop());
    let stream = streams.values().next().expect("there is one stream");
    assert_eq!((streams.len(), stream.len(), stream.breaks()), (1, 999, 1));
}

#[test]
fn a_phone_registers_and_calls() {
    let engine = engine();
    Sipp::new("register", "alice", PASSWORD).run(&engine);
    Sipp::new("call", "alice", PASSWORD).extension("8899").run(&engine);
    engine.stop();
}

#[test]
fn a_phone_registers_and_calls_over_tcp() {
    let engine = engine();
    Sipp::new("register", "alice", PASSWORD).transport(Transport::Tcp).run(&engine);
    let call = Sipp::new("call", "alice", PASSWORD).extension("8899");
    call.transport(Transport::Tcp).run(&engine);
    engine.stop();
}

/// The README's words: an authority, a server's certificate, two lines of `pjsip.conf`.
#[test]
fn a_phone_registers_and_calls_over_tls() {
    let (etc, scratch, address) = tls_directory();
    let keys = scratch.join("tls");
    let engine = Engine::start(etc.path());
    let authority = keys.join("diesis-root.pem");
    let mut phone = Baresip::start_tls(address, &authority, "alice", PASSWORD);
    phone.call("8899");
    // It is not the certificate of just anybody.
    let checked = Command::new(engine::binary())
        .args(["cert", "check", &address.to_string(), "--name", "other.example.test"])
        .output()
        .expect("the binary runs");
    assert!(!checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    engine.stop();
}

/// What a call over TLS looked like, in clear, with its addresses and without the password's proof.
#[test]
fn tshark_reads_what_was_traced_over_tls() {
    let (etc, scratch, address) = tls_directory();
    let keys = scratch.join("tls");
    let engine = Engine::start(etc.path());
    let capture = scratch.join("trace.pcap");
    let mut trace = Command::new(engine::binary())
        .args(["trace", "alice", "--for", "60s", "--pcap"])
        .arg(&capture)
        .arg("-C")
        .arg(engine.file(""))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut said = String::new();
    let mut stderr = BufReader::new(trace.stderr.take().expect("it is piped"));
    stderr.read_line(&mut said).expect("it says that it watches");
    let authority = keys.join("diesis-root.pem");
    let mut phone = Baresip::start_tls(address, &authority, "alice", PASSWORD);
    phone.call("8899");
    let pid = trace.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("it is there").success());
    assert!(trace.wait().expect("it is ours").success());
    engine.stop();
    let read = Command::new("tshark")
        .args(["-r"])
        .arg(&capture)
        .args(["-T", "fields", "-e", "ip.dst", "-e", "udp.dstport", "-e", "sip.Method"])
        .args(["-e", "sip.Status-Code", "-e", "sip.auth.digest.response"])
        .args(["-e", "_ws.malformed"])
        .output()
        .expect("tshark is installed");
    let text = String::from_utf8_lossy(&read.stdout);
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let port = address.port().to_string();
    let has =
        |method: &str, status: &str| rows.iter().any(|row| (row[2], row[3]) == (method, status));
    assert!(has("REGISTER", "") && has("INVITE", "") && has("ACK", ""), "{text}");
    assert!(has("", "401") && has("", "200"), "{text}");
    assert!(rows.iter().all(|row| row[0] == ENGINE.to_string() || row[0] == "127.0.0.1"));
    assert!(rows.iter().filter(|row| row[2] == "INVITE").all(|row| row[1] == port), "{text}");
    let proofs: Vec<_> = rows.iter().map(|row| row[4]).filter(|it| !it.is_empty()).collect();
    assert!(
        !proofs.is_empty() && proofs.iter().all(|it| it.trim_matches(['"', '*']).is_empty()),
        "{text}"
    );
    assert!(rows.iter().all(|row| row.get(5).is_none_or(|it| it.is_empty())), "{text}");
}

/// The configuration with a TLS transport, its keys in `tls` of another directory, and where it
/// listens.
fn tls_directory() -> (Scratch, Scratch, SocketAddr) {
    let etc = Scratch::new("tls");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/etc");
    for file in fs::read_dir(own).expect("the configuration is readable") {
        let path = file.expect("the entry is readable").path();
        fs::copy(&path, etc.join(path.file_name().and_then(|name| name.to_str()).expect("ASCII")))
            .expect("the scratch directory can be written");
    }
    let address = SocketAddr::new(ENGINE, loopback::free_port(ENGINE));
    let scratch = Scratch::new("keys");
    // A directory that is made on the way.
    let keys = scratch.join("tls");
    let made = Command::new(engine::binary())
        .args(["cert", "make", "sip.example.test", "--alias", &ENGINE.to_string(), "-d"])
        .arg(&keys)
        .output()
        .expect("the binary runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let pjsip = fs::read_to_string(etc.join("pjsip.conf")).expect("it was copied");
    let shown = keys.display();
    etc.write(
        "pjsip.conf",
        &format!(
            "{pjsip}\n[transport-tls]\ntype=transport\nprotocol=tls\nbind={address}\n\
             cert_file={shown}/sip.example.test.pem\npriv_key_file={shown}/sip.example.test.key\n"
        ),
    );
    (etc, scratch, address)
}

#[test]
fn a_wrong_password_opens_nothing() {
    let engine = engine();
    Sipp::new("register_refused", "alice", "wrong").run(&engine);
    Sipp::new("call_refused", "alice", "battery-staple").extension("8899").run(&engine);
    // The right one still does.
    Sipp::new("register", "bob", "battery-staple").run(&engine);
    engine.stop();
}

/// Wrong passwords and unknown names are lines that Debian's own filter takes for failures of the
/// address they came from.
#[test]
fn fail2ban_sees_who_fails_to_log_in() {
    let engine = engine();
    Sipp::new("register_refused", "alice", "wrong").run(&engine);
    Sipp::new("call_refused", "alice", "battery-staple").extension("8899").run(&engine);
    Sipp::new("register_refused", "nobody", "wrong").run(&engine);
    let client = SipClient::new(engine.address());
    for n in 0..8 {
        let status =
            client.request("REGISTER", &format!("user{n}"), "").send(Duration::from_secs(5));
        assert_eq!(status, Some(401));
    }
    let log = engine.file("log/messages");
    let kept = engine.file("messages");
    let deadline = Instant::now() + Duration::from_secs(5);
    let lines = loop {
        let text = fs::read_to_string(&log).unwrap_or_default();
        // Three with a wrong password, and at least one of those that asked for many names.
        if text.lines().count() >= 4 || Instant::now() > deadline {
            fs::write(&kept, &text).expect("the scratch directory can be written");
            break text.lines().count();
        }
        std::thread::yield_now();
    };
    let output = Command::new("fail2ban-regex")
        .arg(&kept)
        .arg("/etc/fail2ban/filter.d/asterisk.conf")
        .output()
        .expect("fail2ban is installed");
    let said = String::from_utf8_lossy(&output.stdout);
    let expected = format!("Lines: {lines} lines, 0 ignored, {lines} matched, 0 missed");
    assert!(lines >= 4 && said.contains(&expected), "{expected}\n{said}");
    engine.stop();
}

#[test]
fn no_request_outside_a_dialog_is_served_without_credentials() {
    let engine = engine();
    let client = SipClient::new(engine.address());
    let limit = Duration::from_secs(5);
    let events = "Event: presence\r\nExpires: 60\r\n";
    let requests = [
        ("MESSAGE", ""),
        ("SUBSCRIBE", events),
        ("PUBLISH", events),
        ("NOTIFY", "Event: presence\r\nSubscription-State: active\r\n"),
        ("REFER", "Refer-To: <sip:8899@127.0.0.1>\r\n"),
        ("INFO", ""),
        ("UPDATE", ""),
        ("PRACK", "RAck: 1 1 INVITE\r\n"),
        ("BYE", ""),
        ("SHELL", ""),
    ];
    for method in ["REGISTER", "INVITE", "OPTIONS"] {
        for user in ["alice", "nobody"] {
            let status = client.request(method, user, "").send(limit);
            assert_eq!(status, Some(401), "{method} from {user}");
        }
    }
    for (method, headers) in requests {
        let [known, unknown] =
            ["alice", "nobody"].map(|user| client.request(method, user, headers).send(limit));
        // What belongs to a dialog is told that there is none; everything else is challenged.
        let expected =
            if matches!(method, "INFO" | "UPDATE" | "PRACK" | "BYE") { 481 } else { 401 };
        assert_eq!(known, Some(expected), "{method}");
        assert_eq!(known, unknown, "{method} tells which users exist");
    }
    engine.stop();
}

#[test]
fn an_unknown_extension_is_not_found() {
    let engine = engine();
    Sipp::new("unknown_extension", "alice", PASSWORD).extension("9999").run(&engine);
    engine.stop();
}

#[test]
fn a_cancelled_call_ends_with_487() {
    let engine = engine();
    Sipp::new("cancel", "alice", PASSWORD).extension("700").run(&engine);
    engine.stop();
}

#[test]
fn a_session_too_short_gets_422_and_the_shortest_is_refreshed_by_update() {
    let engine = engine();
    Sipp::new("session_timer", "alice", PASSWORD).extension("8890").run(&engine);
    engine.stop();
}

#[test]
fn a_lamp_is_subscribed_to_and_told() {
    let engine = engine();
    Sipp::new("subscribe", "alice", PASSWORD).extension("bob").run(&engine);
    Sipp::new("subscribe", "alice", PASSWORD)
        .extension("bob")
        .transport(Transport::Tcp)
        .run(&engine);
    engine.stop();
}

#[test]
fn a_caller_that_requires_100rel_acknowledges_early_media_before_the_answer() {
    let engine = engine();
    Sipp::new("prack", "alice", PASSWORD).extension("710").run(&engine);
    engine.stop();
}

#[test]
fn a_callees_reliable_ringing_is_acknowledged_in_order_and_its_challenge_to_bye_answered() {
    let engine = engine();
    let callee = Sipp::callee("prack_callee", CALLEE).listen();
    Sipp::new("call", "alice", PASSWORD).extension("703").run(&engine);
    callee.finish();
    engine.stop();
}

#[test]
fn of_two_forks_with_early_media_one_takes_the_call_and_the_late_one_is_ended() {
    let engine = engine();
    let callee = Sipp::callee("fork_callee", CALLEE).listen();
    Sipp::new("call", "alice", PASSWORD).extension("703").run(&engine);
    callee.finish();
    engine.stop();
}

#[test]
fn a_cancel_after_early_media_of_two_forks_ends_both() {
    let engine = engine();
    let callee = Sipp::callee("cancelled_callee", CALLEE).listen();
    Sipp::new("cancel_early", "alice", PASSWORD).extension("703").run(&engine);
    callee.finish();
    engine.stop();
}

#[test]
fn a_held_call_hears_nothing_until_it_is_taken_back() {
    let engine = engine();
    let capture = Capture::start(FROM_ENGINE);
    Sipp::new("hold", "alice", PASSWORD).extension("8890").run(&engine);
    let streams = rtp_report::streams(&capture.stop());
    // A second of menu, a second on hold, a second of menu: the hold leaves a hole. Answer waits
    // half a second for the caller's sound, as in Asterisk, and this caller sends none.
    let packets: usize = streams.values().map(Stream::len).sum();
    assert!((65..=115).contains(&packets), "{packets} packets in two seconds off hold");
    let longest = streams.values().map(Stream::longest_pause).max().unwrap_or_default();
    assert!(longest >= Duration::from_millis(800), "held for {longest:?} only");
    engine.stop();
}

#[test]
fn two_hundred_callers_hear_the_menu_and_no_packet_is_missing() {
    const CALLS: u16 = 200;
    let engine = engine();
    let sinks = loopback::sinks(CALLER, sipp::media_ports(CALLS));
    let capture = Capture::start(FROM_ENGINE);
    let load = Sipp::new("load", "alice", PASSWORD).extension("8890");
    load.calls(u32::from(CALLS), 40).limit(Duration::from_secs(60)).run(&engine);
    let streams = rtp_report::streams(&capture.stop());
    drop(sinks);
    assert_eq!(streams.len(), usize::from(CALLS), "one stream a call");
    // The calls last twelve seconds, half a second of it before the prompt: a packet each 20 ms
    // from the first to the last.
    let is_whole = |stream: &Stream| {
        stream.breaks() == 0 && stream.len() >= 565 && stream.len() == stream.due()
    };
    let begin = streams.values().map(Stream::start).min().unwrap_or_default();
    let broken: Vec<String> = streams
        .iter()
        .filter(|(_, stream)| !is_whole(stream))
        .map(|((destination, ssrc), stream)| {
            let (len, breaks, lasted) = (stream.len(), stream.breaks(), stream.duration());
            let start = stream.start() - begin;
            format!(
                "{ssrc:#010x} to {destination}: {len} packets, {breaks} breaks, from {start:?} \
                 for {lasted:?}"
            )
        })
        .collect();
    assert!(broken.is_empty(), "streams with packets missing:\n{}", broken.join("\n"));
    let packets: usize = streams.values().map(Stream::len).sum();
    let pacing = rtp_report::pacing(streams.values());
    println!(
        "{CALLS} calls, {packets} packets, none missing; off the 20 ms grid: p50 {:.2} ms, \
         p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
        pacing.p50, pacing.p99, pacing.p999, pacing.max
    );
    engine.stop();
}

#[test]
fn baresip_hears_the_whole_menu_and_its_keys_are_understood() {
    let engine = engine();
    let mut listener = Listener::call(&engine, "8899");
    listener.hears_whole("diesis-welcome");
    listener.hears_start("ivr-example-choices");
    listener.press("7");
    listener.hears_whole("diesis-invalid");
    listener.hears_start("ivr-example-choices");
    listener.press("1");
    listener.hears_whole("diesis-submenu-one");
    listener.hears_start("ivr-example-choices");
    listener.press("2");
    listener.hears_whole("diesis-read-number");
    listener.press("0419");
    listener.hears_whole("diesis-you-entered");
    for digit in ["0", "4", "1", "9"] {
        listener.hears_whole(&format!("digits/{digit}"));
    }
    listener.hears_whole("diesis-goodbye");
    assert!(listener.phone.wait_closed(Duration::from_secs(5)), "the engine hangs up");
    println!("heard: {}", listener.story.join(", "));
    engine.stop();
}

/// The engine's media ports of `interop/etc/rtp.conf`.
const FROM_ENGINE: &str = "udp and src host 127.0.0.1 and src portrange 20000-21999";

/// A phone that follows a call by ear.
struct Listener {
    phone: Baresip,
    /// The sample up to which what was heard is accounted for.
    heard_to: usize,
    story: Vec<String>,
}

impl Listener {
    fn call(engine: &Engine, extension: &str) -> Self {
        let mut phone = Baresip::start(engine, "alice", PASSWORD);
        phone.call(extension);
        Self { phone, heard_to: 0, story: Vec::new() }
    }

    fn press(&mut self, keys: &str) {
        self.phone.press(keys);
        self.story.push(format!("[{keys}]"));
    }

    /// Waits until a prompt has been heard to its end.
    fn hears_whole(&mut self, name: &str) {
        let prompt = Library::new().load(name, "en").expect("it is embedded").samples;
        // Phones may drop or repeat a packet when their clock differs: 40 ms are forgiven.
        let needed = prompt.len() - 320;
        let limit = Duration::from_millis(prompt.len() as u64 / 8) + PATIENCE;
        let found = self.hears(name, &prompt, limit, |found| found.length >= needed);
        self.heard_to = found.start + needed;
    }

    /// Waits until a prompt has begun; it may be cut off.
    fn hears_start(&mut self, name: &str) {
        let prompt = Library::new().load(name, "en").expect("it is embedded").samples;
        let found = self.hears(name, &prompt, PATIENCE, |_| true);
        self.heard_to = found.start + found.length;
    }

    fn hears(
        &mut self,
        name: &str,
        prompt: &[i16],
        limit: Duration,
        enough: impl Fn(&Located) -> bool,
    ) -> Located {
        let deadline = Instant::now() + limit;
        let mut best = None;
        while Instant::now() < deadline {
            let heard = wav::parse(&self.phone.heard()).map_or(Vec::new(), |sound| sound.samples);
            let fresh = heard.get(self.heard_to..).unwrap_or_default();
            if let Some(mut found) = Recording::new(fresh, 8000).find(prompt, 0) {
                found.start += self.heard_to;
                best = Some(found);
                if enough(&found) {
                    let at = found.start as f64 / 8000.0;
                    self.story.push(format!("{name} at {at:.2} s (likeness {:.3})", found.score));
                    return found;
                }
            }
            self.phone.wait_a_moment(Duration::from_millis(200));
        }
        let kept = std::env::temp_dir().join("diesis-heard.wav");
        let _ = fs::write(&kept, self.phone.heard());
        panic!(
            "{name} was not heard ({best:?} of {} samples) after: {}\nheard: {}\n{}",
            prompt.len(),
            self.story.join(", "),
            kept.display(),
            self.phone.output()
        );
    }
}

/// How long a prompt may take to begin.
const PATIENCE: Duration = Duration::from_secs(8);
