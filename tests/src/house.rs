//! An engine inside the test's own process, with a configuration of its own and real sockets.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesis_engine::config::Configuration;
use diesis_engine::switch::SwitchEvent;
use diesis_engine::{Engine, EngineBuilder, Events};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::scratch::Scratch;

/// A running engine that takes every call of loopback; stopped when dropped.
#[derive(Debug)]
pub struct House {
    runtime: Runtime,
    engine: Option<Engine>,
    events: Events,
    etc: Scratch,
}

impl House {
    /// Starts one whose callers all are the peer `all` with these settings, in context `office` of
    /// this dialplan.
    ///
    /// # Panics
    /// When something of it is not understood, or the engine does not start.
    #[must_use]
    pub fn start(settings: &str, plan: &str) -> Self {
        Self::start_with(settings, plan, &[])
    }

    /// The same with more files.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_with(settings: &str, plan: &str, more: &[(&str, &str)]) -> Self {
        let etc = Scratch::new("house");
        for (name, text) in more {
            etc.write(name, text);
        }
        let builder = builder(&etc, settings, &format!("[office]\n{plan}\n"));
        let builder = builder.rtp_ports(25_000..=27_999).trace_steps();
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let engine = runtime.block_on(builder.start()).expect("the engine starts");
        let events = engine.events();
        Self { runtime, engine: Some(engine), events, etc }
    }

    /// Where it listens for SIP.
    ///
    /// # Panics
    /// When it has been stopped.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.engine.as_ref().expect("it runs").sip_addresses()[0].1
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.etc.path()
    }

    /// Waits for an event.
    ///
    /// # Panics
    /// When none of this kind comes within half a minute.
    pub fn wait_for<T>(&mut self, mut wanted: impl FnMut(&SwitchEvent) -> Option<T>) -> T {
        let Self { runtime, events, .. } = self;
        let search = async {
            loop {
                let event: Arc<SwitchEvent> = events.next().await.expect("the engine runs");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        };
        let found = runtime.block_on(async { timeout(Duration::from_secs(30), search).await });
        found.expect("the event comes")
    }

    /// Waits until the dialplan runs `NoOp(NAME ...)`; gives the rest of its text.
    ///
    /// # Panics
    /// As [`Self::wait_for`].
    pub fn wait_for_note(&mut self, name: &str) -> String {
        self.wait_for(|event| note(event, name))
    }

    /// Whether the dialplan has run `NoOp(NAME)` since the last look at events; waits for none.
    pub fn has_noted(&mut self, name: &str) -> bool {
        let mut found = false;
        self.drain(|event| found |= note(event, name).is_some());
        found
    }

    /// Looks at the events that came since the last look; waits for none.
    pub fn drain(&mut self, mut look: impl FnMut(&SwitchEvent)) {
        let Self { runtime, events, .. } = self;
        let all = async {
            while let Some(event) = events.next().await {
                look(&event);
            }
        };
        let _ = runtime.block_on(async { timeout(Duration::ZERO, all).await });
    }

    /// Waits until all calls have ended and everything is on the disk.
    pub fn stop(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.runtime.block_on(engine.stop());
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An engine of one media thread, in whose directory `extensions.conf` says this, beside what is there
/// already. All of loopback is the peer `all` with these settings, in context `office`.
///
/// # Panics
/// When something of it is not understood.
pub fn builder(etc: &Scratch, settings: &str, extensions: &str) -> EngineBuilder {
    let pjsip = format!(
        "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:0\n\
         [all]\ntype=endpoint\ncontext=office\nidentify_by=ip\ndisallow=all\n{settings}\n\
         [all]\ntype=identify\nendpoint=all\nmatch=127.0.0.0/8\n"
    );
    etc.write("pjsip.conf", &pjsip);
    etc.write("extensions.conf", extensions);
    let loaded = Configuration::load_directory(etc.path());
    let findings: Vec<_> = loaded.findings().map(|finding| finding.to_string()).collect();
    assert!(findings.is_empty(), "nothing is ignored: {findings:?}");
    Engine::builder().configuration(loaded.configuration).shards(1)
}

/// What `NoOp(NAME ...)` says after the name.
fn note(event: &SwitchEvent, name: &str) -> Option<String> {
    let SwitchEvent::StepExecuted { application, arguments, .. } = event else { return None };
    let is_note = application.eq_ignore_ascii_case(b"noop");
    let text = arguments.to_string();
    text.strip_prefix(name).filter(|_| is_note).map(|rest| rest.trim().to_owned())
}
