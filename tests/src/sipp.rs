//! sipp with the scenarios of `tests/interop/sipp`.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

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
            calls: 1,
            per_second: 1,
            limit: Duration::from_secs(30),
        }
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
        self.start(Some(server)).finish();
    }

    /// Starts it as the callee at [`CALLEE`]: it waits for the scenario's calls.
    #[must_use]
    pub fn listen(&self) -> Running {
        self.start(None)
    }

    fn start(&self, server: Option<SocketAddr>) -> Running {
        let scratch = Scratch::new("sipp");
        let (errors, messages) = (scratch.join("errors"), scratch.join("messages"));
        let (own, media_port) = match server {
            Some(_) => (SocketAddr::new(CALLER, loopback::free_port(CALLER)), MEDIA_PORT),
            None => (CALLEE, CALLEE_MEDIA_PORT),
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
        let process = Process::spawn("sipp", &mut command);
        Running { scenario: self.scenario, limit: self.limit, scratch, process }
    }
}

/// A run of sipp that goes on.
#[derive(Debug)]
pub struct Running {
    scenario: &'static str,
    limit: Duration,
    scratch: Scratch,
    process: Process,
}

impl Running {
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

/// Where sipp is called; the configuration names it as a contact.
pub const CALLEE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 3)), 5060);

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
