//! sipp with the scenarios of `tests/interop/sipp`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::loopback::{self, CALLER};
use crate::process::Process;
use crate::scratch::Scratch;

/// How sipp sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// One socket for all calls.
    Udp,
    /// One connection for all calls.
    Tcp,
}

/// One run of sipp, to be adjusted and then started.
#[derive(Debug)]
pub struct Sipp {
    scenario: &'static str,
    user: &'static str,
    password: &'static str,
    extension: &'static str,
    transport: Transport,
    address: SocketAddr,
    keys: Vec<(&'static str, String)>,
    files: Vec<(&'static str, Vec<u8>)>,
    calls: u32,
    per_second: u32,
    limit: Duration,
}

impl Sipp {
    /// One call of the scenario `tests/interop/sipp/SCENARIO.xml` by `user`.
    #[must_use]
    pub fn new(scenario: &'static str, user: &'static str, password: &'static str) -> Self {
        Self {
            scenario,
            user,
            password,
            extension: "0",
            transport: Transport::Udp,
            address: SocketAddr::new(CALLER, 0),
            keys: Vec::new(),
            files: Vec::new(),
            calls: 1,
            // The first comes after a tenth of a second.
            per_second: 10,
            limit: Duration::from_secs(30),
        }
    }

    /// One call of the scenario by whoever is known by this address: [`TRUNK`], [`DESK`].
    #[must_use]
    pub fn trunk(scenario: &'static str, address: IpAddr) -> Self {
        Self { address: SocketAddr::new(address, 0), ..Self::new(scenario, "trunk", "") }
    }

    /// One call of the scenario that comes to [`CALLEE`] or [`THIRD`].
    #[must_use]
    pub fn callee(scenario: &'static str, address: SocketAddr) -> Self {
        Self { address, ..Self::new(scenario, "callee", "") }
    }

    /// What stands for `[name]` in the scenario.
    #[must_use]
    pub fn key(mut self, name: &'static str, value: &str) -> Self {
        self.keys.push((name, value.to_owned()));
        self
    }

    /// Names another call's dialog, as its own side sees it: `[other_call_id]`, `[other_local]`,
    /// `[other_remote]`.
    #[must_use]
    pub fn other(self, dialog: &Dialog) -> Self {
        let named = self.key("other_call_id", &dialog.call_id);
        let named = named.key("other_call_id_escaped", &dialog.call_id.replace('@', "%40"));
        named.key("other_local", &dialog.local_tag).key("other_remote", &dialog.remote_tag)
    }

    /// A file beside which it runs, such as sound that the scenario sends.
    #[must_use]
    pub fn file(mut self, name: &'static str, content: Vec<u8>) -> Self {
        self.files.push((name, content));
        self
    }

    /// What is dialled.
    #[must_use]
    pub fn extension(mut self, extension: &'static str) -> Self {
        self.extension = extension;
        self
    }

    /// UDP unless told otherwise.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Several calls, all up at once when they last long enough.
    #[must_use]
    pub fn calls(mut self, calls: u32, per_second: u32) -> Self {
        self.calls = calls;
        self.per_second = per_second;
        self
    }

    /// How long the whole run may take.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When a call did not go as the scenario says; the message holds what was exchanged.
    pub fn run(&self, engine: &Engine) {
        self.run_at(engine.address());
    }

    /// Runs it to its end against somebody else.
    ///
    /// # Panics
    /// As [`Self::run`].
    pub fn run_at(&self, server: SocketAddr) {
        self.launch(Some(server)).finish();
    }

    /// Starts it as a caller; the call goes on.
    #[must_use]
    pub fn start(&self, engine: &Engine) -> Running {
        self.launch(Some(engine.address()))
    }

    /// Starts it as the callee: it waits for the scenario's calls.
    #[must_use]
    pub fn listen(&self) -> Running {
        self.launch(None)
    }

    fn launch(&self, server: Option<SocketAddr>) -> Running {
        let scratch = Scratch::new("sipp");
        let (errors, messages) = (scratch.join("errors"), scratch.join("messages"));
        for (name, content) in &self.files {
            fs::write(scratch.join(name), content).expect("the scratch directory can be written");
        }
        let ip = self.address.ip();
        let (own, media_port) = match (server, self.address.port()) {
            (Some(_), 0) => (SocketAddr::new(ip, loopback::free_port(ip)), self.media_port()),
            _ => (self.address, CALLEE_MEDIA_PORT),
        };
        let mut command = Command::new("sipp");
        command
            .args(server.map(|server| server.to_string()))
            .args(["-sf".as_ref(), scenario_path(self.scenario).as_os_str()])
            .args(["-i", &own.ip().to_string(), "-mi", &own.ip().to_string()])
            .args(["-p", &own.port().to_string()])
            .args(["-mp", &media_port.to_string()])
            .args(["-t", if self.transport == Transport::Tcp { "t1" } else { "u1" }])
            .args(["-s", self.extension, "-au", self.user, "-ap", self.password])
            .args(["-key", "user", self.user])
            .args(["-m", &self.calls.to_string(), "-l", &self.calls.to_string()])
            .args(["-r", &self.per_second.to_string()])
            .args(["-timeout", &format!("{}s", self.limit.as_secs()), "-timeout_error"])
            .args(["-nostdin", "-trace_err", "-trace_msg"])
            .args(["-error_file".as_ref(), errors.as_os_str()])
            .args(["-message_file".as_ref(), messages.as_os_str()])
            .env("TERM", "dumb")
            .current_dir(scratch.path());
        if let Some(server) = server.filter(|_| self.extension != "0") {
            // sipp would name the server alone, which is not what the request names.
            command.args(["-auth_uri", &format!("{}@{}", self.extension, server)]);
        }
        for (name, value) in &self.keys {
            command.args(["-key", name, value]);
        }
        let process = Process::spawn("sipp", &mut command);
        Running {
            scenario: self.scenario,
            calls: server.is_some(),
            limit: self.limit,
            scratch,
            process,
        }
    }
}

impl Sipp {
    /// Several callers at one address each have ports of their own.
    fn media_port(&self) -> u16 {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        match self.address.ip() == CALLER {
            true => MEDIA_PORT,
            false => CALLEE_MEDIA_PORT + 100 * (NEXT.fetch_add(1, Ordering::Relaxed) % 100),
        }
    }
}

/// A run of sipp that goes on.
#[derive(Debug)]
pub struct Running {
    scenario: &'static str,
    /// Whether it calls, or is called.
    calls: bool,
    limit: Duration,
    scratch: Scratch,
    process: Process,
}

/// A dialog as one of its sides sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    call_id: String,
    local_tag: String,
    remote_tag: String,
}

impl Running {
    /// The dialog of its call, once it is answered.
    ///
    /// # Panics
    /// When it is not answered within ten seconds.
    #[must_use]
    pub fn dialog(&self) -> Dialog {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let text = fs::read_to_string(self.scratch.join("messages")).unwrap_or_default();
            if let Some(dialog) = answered_dialog(&text, self.calls) {
                return dialog;
            }
            assert!(Instant::now() < deadline, "nobody answered:\n{}", tail(&text, 4000));
            let _ = self.process.wait_line(Duration::from_millis(50), |_| false);
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When a call did not go as the scenario says; the message holds what was exchanged.
    pub fn finish(mut self) {
        let status = self.process.wait_exit(self.limit + Duration::from_secs(10));
        if !status.success() {
            let text = |name: &str| fs::read_to_string(self.scratch.join(name)).unwrap_or_default();
            panic!(
                "sipp {} ended with {status}\n--- errors ---\n{}\n--- messages ---\n{}",
                self.scenario,
                tail(&text("errors"), 4000),
                tail(&text("messages"), 12_000)
            );
        }
    }
}

/// The dialog of the first INVITE that was acknowledged, out of sipp's record of messages.
fn answered_dialog(messages: &str, calls: bool) -> Option<Dialog> {
    let is_ack = |message: &&str| message.lines().any(|line| line.starts_with("ACK sip:"));
    let ack = messages.split("-----------------------").find(is_ack)?;
    let field = |name: &str| ack.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let tag = |name: &str| Some(field(name)?.split_once(";tag=")?.1.to_owned());
    let (caller, callee) = (tag("From:")?, tag("To:")?);
    let (local_tag, remote_tag) = if calls { (caller, callee) } else { (callee, caller) };
    Some(Dialog { call_id: field("Call-ID:")?.to_owned(), local_tag, remote_tag })
}

/// Where sipp is called; the configuration names it as a contact.
pub const CALLEE: SocketAddr = at(3, 5060);

/// Where another sipp is called.
pub const THIRD: SocketAddr = at(5, 5060);

/// Who calls from here needs no password.
pub const TRUNK: IpAddr = at(4, 0).ip();

/// The same, and it is told in a re-INVITE whom it is connected with.
pub const DESK: IpAddr = at(6, 0).ip();

const fn at(last: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), port)
}

/// The first port of its answers.
const CALLEE_MEDIA_PORT: u16 = 44_000;

/// The first of the ports that sipp writes into its offers, four apart.
pub const MEDIA_PORT: u16 = 40_000;

/// The ports of so many calls at once, but the first, which sipp itself holds.
pub fn media_ports(calls: u16) -> impl Iterator<Item = u16> {
    (1..calls).map(|call| MEDIA_PORT + 4 * call)
}

fn scenario_path(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop/sipp");
    directory.join(name).with_extension("xml")
}

fn tail(text: &str, bytes: usize) -> &str {
    let start = text.len().saturating_sub(bytes);
    let start = (start..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[start..]
}
