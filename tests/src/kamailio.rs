//! Kamailio as the telephone system that robots register at: `examples/robots/kamailio.cfg`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::loopback;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::sip_client::SipClient;

/// A running Kamailio; ended when dropped.
#[derive(Debug)]
pub struct Kamailio {
    process: Process,
    address: SocketAddr,
    scratch: Scratch,
}

impl Kamailio {
    /// Starts it on a port of its own and waits until it answers.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        let address = SocketAddr::new(HOST, loopback::free_port(HOST));
        let scratch = Scratch::new("kamailio");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/robots/kamailio.cfg");
        let text = fs::read_to_string(example).expect("the example is there");
        scratch.write("kamailio.cfg", &text.replace("127.0.0.1:5060", &address.to_string()));
        let process = spawn(&scratch);
        let kamailio = Self { process, address, scratch };
        kamailio.wait_ready();
        kamailio
    }

    /// Ends it and starts it again; it has forgotten everybody.
    ///
    /// # Panics
    /// When it does not end or not start.
    pub fn restart(&mut self) {
        self.end();
        self.process = spawn(&self.scratch);
        self.wait_ready();
    }

    /// Where it listens, over UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether somebody is registered with this number.
    #[must_use]
    pub fn has(&self, client: &SipClient, number: u32) -> bool {
        let options = client.request("OPTIONS", &number.to_string(), "");
        options.send(Duration::from_secs(5)) == Some(200)
    }

    fn end(&mut self) {
        self.process.interrupt();
        let _ = self.process.wait_exit(Duration::from_secs(10));
    }

    fn wait_ready(&self) {
        let client = SipClient::new(self.address);
        let ready = (0..50).any(|_| {
            client.request("OPTIONS", "nobody", "").send(Duration::from_millis(200)).is_some()
        });
        assert!(ready, "kamailio does not answer:\n{}", self.process.output());
    }
}

impl Drop for Kamailio {
    /// Asks it to end: killed, its workers would outlive it.
    fn drop(&mut self) {
        if !self.process.has_exited() {
            self.process.interrupt();
            // Its output ends with the last of them.
            let _ = self.process.wait_line(Duration::from_secs(5), |_| false);
        }
    }
}

fn spawn(scratch: &Scratch) -> Process {
    let directory = scratch.path();
    let mut command = Command::new("kamailio");
    command.args(["-DD", "-E", "-m", "64", "-M", "8", "-f"]).arg(scratch.join("kamailio.cfg"));
    command.arg("-w").arg(directory).arg("-Y").arg(directory);
    Process::spawn("kamailio", &mut command)
}

/// An address of its own: calls from there are the telephone system's.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
