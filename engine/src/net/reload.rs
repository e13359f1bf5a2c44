//! Reads the configuration directory again while the engine runs, and puts it in force.
//!
//! A directory with an error is refused whole, as at the start: what is in force stays. What can not
//! change in a running engine, sockets above all, is named, and named again until the next start.

mod changes;

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    sync::Arc,
};

use bstr::ByteSlice;
use tokio::sync::Mutex;

use super::{
    control::{Gone, Wires},
    local_address,
};
use crate::{
    config::{Configuration, IdentifyBy, IpNetwork, Peer, SipSettings, TransportSettings},
    sip::Uri,
    switch::Replacement,
};
use changes::{Changes, is_same_socket};

/// What a reload did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// What changed and is in force, a line each.
    pub changes: Vec<String>,
    /// What changed and waits for a restart.
    pub at_restart: Vec<String>,
    /// What is suspicious in the files, as `diesis check` says it.
    pub findings: Vec<String>,
    /// Why certificates stay as they were.
    pub certificates: Vec<String>,
}

impl Reloaded {
    /// All of it for an operator, line by line, what is suspicious first.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.findings.clone();
        if self.changes.is_empty() && self.at_restart.is_empty() {
            lines.push("nothing has changed".to_owned());
        }
        lines.extend(self.changes.iter().cloned());
        let later = self.at_restart.iter().map(|what| format!("{what}: waits for a restart"));
        lines.extend(later);
        let kept = self.certificates.iter();
        lines.extend(kept.map(|why| format!("{why}; the old certificate stays in force")));
        lines
    }
}

/// Why nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The engine was built without [`EngineBuilder::directory`](super::EngineBuilder::directory).
    #[error("this engine runs no configuration directory")]
    NoDirectory,
    /// There are errors in it.
    #[error("{} has errors; what was in force stays in force", directory.display())]
    Refused {
        /// Which directory.
        directory: PathBuf,
        /// All there is to say about it, as `diesis check` says it.
        findings: Vec<String>,
    },
    /// The engine stopped meanwhile.
    #[error("the engine has stopped")]
    Stopped,
}

impl From<Gone> for ReloadError {
    fn from(_: Gone) -> Self {
        Self::Stopped
    }
}

/// Reads a directory again; one reload at a time.
#[derive(Debug)]
pub(crate) struct Reloader {
    /// `None` for an engine that was built from no directory.
    source: Option<(PathBuf, Mutex<InForce>)>,
    accept_from: Vec<IpNetwork>,
}

#[derive(Debug)]
pub(crate) struct InForce {
    configuration: Configuration,
    /// The transports that run: as the files have them, and as they are bound.
    transports: Vec<(TransportSettings, TransportSettings)>,
}

impl InForce {
    /// What a configuration became: its transports run as `running`, in the same order.
    pub(crate) fn new(configuration: Configuration, running: Vec<TransportSettings>) -> Self {
        let transports = configuration.sip.transports.iter().cloned().zip(running).collect();
        Self { configuration, transports }
    }
}

impl Reloader {
    pub(crate) fn new(source: Option<(PathBuf, InForce)>, accept_from: Vec<IpNetwork>) -> Self {
        let source = source.map(|(directory, in_force)| (directory, Mutex::new(in_force)));
        Self { source, accept_from }
    }

    /// Reads the directory, and puts it in force if there is no error in it.
    pub(crate) async fn reload(&self, wires: &Wires) -> Result<Reloaded, ReloadError> {
        if let Some(log) = &wires.log {
            log.reopen();
        }
        let (directory, in_force) = self.source.as_ref().ok_or(ReloadError::NoDirectory)?;
        let mut in_force = in_force.lock().await;
        let directory = directory.clone();
        let (read, accept_from) = (directory.clone(), self.accept_from.clone());
        let loaded = tokio::task::spawn_blocking(move || {
            let loaded = Configuration::load_directory(&read);
            let findings: Vec<_> = loaded.findings().map(|finding| finding.to_string()).collect();
            if loaded.is_refused() {
                return Err(findings);
            }
            let mut sip = loaded.configuration.sip.clone();
            accept(&mut sip, &accept_from);
            let routes = routes(&sip);
            Ok((loaded.configuration, sip, routes, findings))
        });
        let (mut configuration, mut sip, routes, findings) = match loaded.await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(findings)) => return Err(ReloadError::Refused { directory, findings }),
            // The runtime shuts down.
            Err(_) => return Err(ReloadError::Stopped),
        };
        let Changes { in_force: changes, at_restart } =
            Changes::between(&in_force.configuration, &configuration);
        for (written, running) in &mut in_force.transports {
            let new = sip.transports.iter().find(|it| it.name == written.name);
            if let Some(new) = new.filter(|new| is_same_socket(written, new)) {
                let keep = |it: &TransportSettings| TransportSettings {
                    bind: it.bind,
                    tls: it.tls.clone(),
                    options: it.options,
                    ..new.clone()
                };
                (*written, *running) = (keep(written), keep(running));
            }
        }
        sip.transports = in_force.transports.iter().map(|(_, running)| running.clone()).collect();
        let replacement = Replacement {
            sip: Arc::new(sip),
            routes,
            conferences: Arc::new(configuration.conferences.clone()),
            features: Arc::new(configuration.features.clone()),
            music: Arc::new(configuration.music.clone()),
            machines: configuration.machines.clone(),
            programs: Arc::new(configuration.programs.clone()),
            plan: Arc::clone(&configuration.plan),
            default_language: configuration.system.default_language.clone(),
        };
        let replace = wires.look(move |at| {
            let unbound = at.switch.replace(replacement, at.now);
            (unbound, at.transports.reload_certificates())
        });
        let (unbound, certificates) = replace.await?;
        // What waits for a restart is compared with what runs the next time as well.
        let was = &in_force.configuration;
        configuration.sip.transports =
            in_force.transports.iter().map(|(written, _)| written.clone()).collect();
        configuration.rtp = was.rtp.clone();
        configuration.records = was.records;
        configuration.system = crate::config::SystemSettings {
            default_language: configuration.system.default_language,
            ..was.system.clone()
        };
        in_force.configuration = configuration;
        let mut reloaded = Reloaded { changes, at_restart, findings, certificates: vec![] };
        if unbound > 0 {
            reloaded
                .changes
                .push(format!("{unbound} contacts of removed aors: no longer registered"));
        }
        reloaded.certificates.extend(certificates.iter().map(ToString::to_string));
        Ok(reloaded)
    }
}

/// Lets calls from these addresses in without a password.
pub(super) fn accept(sip: &mut SipSettings, from: &[IpNetwork]) {
    for &network in from {
        let mut peer = Peer::new(format!("accepted from {network}"));
        peer.identify_by = vec![IdentifyBy::Address];
        if let Ok(index) = sip.peers.insert(peer) {
            sip.identify.insert(network, index);
        }
    }
}

/// Our addresses on the ways to the fixed contacts, and to the rest of the world.
pub(super) fn routes(sip: &SipSettings) -> HashMap<IpAddr, IpAddr> {
    let contacts = sip.aors.iter().flat_map(|aor| &aor.contacts);
    let contacts = contacts
        .filter_map(|contact| Some(Uri::parse(contact.to_str().ok()?).ok()?.socket_addr()?.ip()));
    let registrars = sip.registrations.iter().flat_map(|registration| {
        let proxies = registration.proxies.iter().map(|proxy| proxy.uri());
        [&registration.registrar].into_iter().chain(&registration.next_hop).chain(proxies)
    });
    let registrars: HashSet<_> =
        registrars.filter_map(|uri| Some(uri.socket_addr()?.ip())).collect();
    let mut routes: HashMap<_, _> = contacts
        .chain(registrars)
        .filter_map(|peer| Some((peer, local_address::towards(peer)?)))
        .collect();
    // Addresses for documentation (RFC 5737, RFC 3849): the way there is the way to anybody.
    let v4 = local_address::towards(Ipv4Addr::new(192, 0, 2, 1).into());
    let v6 = local_address::towards(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into());
    routes.extend(v4.map(|own| (Ipv4Addr::UNSPECIFIED.into(), own)));
    routes.extend(v6.map(|own| (Ipv6Addr::UNSPECIFIED.into(), own)));
    routes
}
