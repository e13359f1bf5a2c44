//! Shared set-up of the benchmarks: the real binary under measurement, and what it costs.
//!
//! The engine runs as its own process, so that its CPU time is its own; callers run in the
//! benchmark's process, on our own engine.

pub mod caller;
pub mod corpus;
pub mod registrant;
pub mod spent;

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running `diesis run`, ended when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    directory: PathBuf,
    address: SocketAddr,
}

impl Server {
    /// Starts the release binary on a directory with this dialplan, on a free port of loopback.
    /// Everybody at 127.0.0.1 may call; calls start in context `bench`.
    pub fn start(dialplan: &str, shards: usize) -> io::Result<Self> {
        Self::start_with(dialplan, EVERYBODY, shards)
    }

    /// The same with these peers in `pjsip.conf`, beside the transport.
    pub fn start_with(dialplan: &str, peers: &str, shards: usize) -> io::Result<Self> {
        Self::start_in(dialplan, peers, &[], shards)
    }

    /// The same with more files, each with its name and text.
    pub fn start_in(
        dialplan: &str,
        peers: &str,
        files: &[(&str, &str)],
        shards: usize,
    ) -> io::Result<Self> {
        let address = free_address()?;
        let directory = env::temp_dir().join(format!("diesis-bench-{}", address.port()));
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("extensions.conf"), dialplan)?;
        fs::write(
            directory.join("pjsip.conf"),
            TRANSPORT.replace("ADDRESS", &address.to_string()) + peers,
        )?;
        fs::write(directory.join("rtp.conf"), "[general]\nrtpstart=10000\nrtpend=29999\n")?;
        for (name, text) in files {
            fs::write(directory.join(name), text)?;
        }
        let mut child = Command::new(binary()?)
            .args(["run", "-C"])
            .arg(&directory)
            .args(["--shards", &shards.to_string()])
            .env("DIESIS_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let mut lines = BufReader::new(output).lines();
        for line in &mut lines {
            if line?.contains("ready") {
                return Ok(Self { child, directory, address });
            }
        }
        Err(io::Error::other(format!("the engine ended: {}", child.wait()?)))
    }

    /// Where it speaks SIP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// User and system time that the process has used.
    pub fn cpu(&self) -> io::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let field = |index: usize| {
            after_name.split_whitespace().nth(index).and_then(|field| field.parse::<u64>().ok())
        };
        let (Some(user), Some(system)) = (field(11), field(12)) else {
            return Err(io::Error::other("an unreadable /proc/PID/stat"));
        };
        // The unit is the kernel's USER_HZ, 100 on every Linux platform.
        Ok(Duration::from_millis((user + system) * 10))
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| io::Error::other("an unreadable /proc/PID/status"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Starts the release binary and measures the time until its first answer to an OPTIONS request.
pub fn time_to_first_answer(dialplan: &str) -> io::Result<Duration> {
    let begun = Instant::now();
    let server = Server::start(dialplan, 1)?;
    let client = udp((Ipv4Addr::LOCALHOST, 0).into())?;
    client.connect(server.address())?;
    client.set_read_timeout(Some(Duration::from_secs(5)))?;
    let own = client.local_addr()?;
    let request = format!(
        "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK1;rport\r\n\
         From: <sip:bench@{own}>;tag=1\r\nTo: <sip:{address}>\r\nCall-ID: bench@{own}\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        address = server.address()
    );
    client.send(request.as_bytes())?;
    let mut answer = [0; 2048];
    let length = client.recv(&mut answer)?;
    if !answer[..length].starts_with(b"SIP/2.0 200") {
        let text = String::from_utf8_lossy(&answer[..length]);
        return Err(io::Error::other(format!("not answered 200: {text}")));
    }
    Ok(begun.elapsed())
}

/// The release binary beside this benchmark, built if it is not there.
pub fn binary() -> io::Result<PathBuf> {
    let own = env::current_exe()?;
    let target = own.ancestors().find(|path| path.ends_with("release")).map(Path::to_path_buf);
    let target = target.ok_or_else(|| io::Error::other("benchmarks run in release"))?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).args(["build", "--release", "-q", "-p", "diesis"]).status()?;
    if !built.success() {
        return Err(io::Error::other("the binary does not build"));
    }
    Ok(target.join("diesis"))
}

fn free_address() -> io::Result<SocketAddr> {
    udp((Ipv4Addr::LOCALHOST, 0).into())?.local_addr()
}

fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::bind(address)
}

const TRANSPORT: &str = "\
[transport-udp]
type = transport
protocol = udp
bind = ADDRESS
";

/// All that come from 127.0.0.1, without a password.
pub const EVERYBODY: &str = "\
[load]
type = endpoint
context = bench
disallow = all
allow = ulaw,alaw
identify_by = ip
[load-id]
type = identify
endpoint = load
match = 127.0.0.1
";

/// As a common softphone sends it: 13 headers and a description of 200 bytes.
pub const INVITE: &str = "INVITE sip:8899@192.0.2.10:5060;transport=udp SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.33:5062;branch=z9hG4bK-524287-1---6d3a1f2e8c0b4d77;rport\r\n\
    Max-Forwards: 70\r\n\
    Contact: <sip:1001@192.0.2.33:5062;transport=udp>\r\n\
    To: <sip:8899@192.0.2.10;transport=udp>\r\n\
    From: \"Alice Martin\" <sip:1001@192.0.2.10;transport=udp>;tag=7c1e9a33\r\n\
    Call-ID: b2U3ZTk0Y2FhNzQ0ZDk1NzE2YjYxMmI\r\n\
    CSeq: 1 INVITE\r\n\
    Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE\r\n\
    Content-Type: application/sdp\r\n\
    Supported: replaces, norefersub, extended-refer, timer, outbound, path\r\n\
    User-Agent: Phone 5.10.1 rv2.10.20.4_1-mod\r\n\
    Allow-Events: presence, kpml, talk\r\n\
    Content-Length: 200\r\n\r\n\
    v=0\r\no=Z 0 41285943 IN IP4 192.0.2.33\r\ns=Z\r\nc=IN IP4 192.0.2.33\r\nt=0 0\r\n\
    m=audio 8000 RTP/AVP 8 0 101 18 3\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-16\r\na=fmtp:18 annexb=no\r\na=sendrecv\r\na=rtcp-mux\r\na=ptime:20 \r\na=x:1\r\n";
