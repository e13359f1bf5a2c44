//! The engine under test: the real `diesis run`, with a configuration of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use crate::loopback::{self, ENGINE};
use crate::process::Process;
use crate::scratch::Scratch;
use crate::sip_client::SipClient;

/// A running engine; ended when dropped.
#[derive(Debug)]
pub struct Engine {
    process: Process,
    address: SocketAddr,
    etc: Scratch,
}

impl Engine {
    /// Starts it with a copy of a configuration directory, in whose files `@ADDRESS@` stands for
    /// the engine's address and port, and waits until it answers SIP.
    ///
    /// # Panics
    /// When the binary is missing, or the engine does not answer within ten seconds.
    #[must_use]
    pub fn start(configuration: &Path) -> Self {
        Self::start_with(configuration, &[])
    }

    /// The same with more at the end of some of the files.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_with(configuration: &Path, more: &[(&str, &str)]) -> Self {
        let address = SocketAddr::new(ENGINE, loopback::free_port(ENGINE));
        let etc = Scratch::new("etc");
        let files = fs::read_dir(configuration).expect("the configuration is readable");
        for file in files {
            let path = file.expect("the entry is readable").path();
            let text = fs::read_to_string(&path).expect("the configuration is text");
            let mut text = text.replace("@ADDRESS@", &address.to_string());
            let name = path.file_name().and_then(|name| name.to_str()).expect("ASCII name");
            let more = more.iter().filter(|(file, _)| *file == name);
            text.extend(more.map(|(_, lines)| *lines));
            etc.write(name, &text);
        }
        let mut command = Command::new(binary());
        command.arg("run").arg("-C").arg(etc.path());
        let mut process = Process::spawn("diesis", &mut command);
        let client = SipClient::new(address);
        // Any answer will do: it is there.
        let ready = (0..200).any(|_| {
            assert!(!process.has_exited(), "diesis ended:\n{}", process.output());
            client.request("OPTIONS", "probe", "").send(Duration::from_millis(50)).is_some()
        });
        assert!(ready, "diesis does not answer on {address}:\n{}", process.output());
        Self { process, address, etc }
    }

    /// Where it listens for SIP, UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A file of its directory, such as a log.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.etc.join(name)
    }

    /// The end every test makes: it is still alive, nothing panicked, and it stops when asked.
    ///
    /// # Panics
    /// When one of that is not so.
    pub fn stop(self) {
        self.stop_and(|| ());
    }

    /// The same, and what it has left behind is looked at before its directory goes.
    ///
    /// # Panics
    /// As [`Self::stop`].
    pub fn stop_and<T>(mut self, look: impl FnOnce() -> T) -> T {
        assert!(!self.process.has_exited(), "diesis ended by itself:\n{}", self.process.output());
        self.process.interrupt();
        let status = self.process.wait_exit(Duration::from_secs(30));
        let output = self.process.output();
        assert!(status.success(), "diesis ended with {status}:\n{output}");
        assert!(!output.contains("panicked at"), "{output}");
        look()
    }
}

/// `DIESIS_BIN`, or what cargo built beside this test: the release binary when there is one.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("DIESIS_BIN") {
        return path.into();
    }
    // target/PROFILE/deps/interop-HASH
    let test = env::current_exe().expect("the test knows its path");
    let target = test.ancestors().nth(3).expect("the test lies in target/PROFILE/deps");
    let candidates = ["release", "debug"].map(|profile| target.join(profile).join("diesis"));
    let found = candidates.iter().find(|path| path.is_file()).cloned();
    found.unwrap_or_else(|| {
        panic!("no diesis binary in {}: cargo build --release -p diesis", target.display())
    })
}
