//! Registrations at other registrars: runs the machines of `sip::registration` on the stack.
//!
//! Many are started a little apart, and told of by the group: five hundred lines at every start, or
//! at every restart of a registrar, would be read by nobody.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bstr::BString;

use super::{Switch, SwitchEvent};
use crate::{
    clock::Now,
    sip::{
        Failure, RequestHandle, Response,
        registration::{
            Registration, RegistrationError, RegistrationEvent, RegistrationSettings,
            RegistrationState,
        },
    },
};

/// A registration that is wanted. Group and number together name it.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboundRegistration {
    /// What it belongs to: the section that it was made from.
    pub group: BString,
    /// The number that is registered.
    pub number: BString,
    /// Where and how. The path must be one of a transport of this switch.
    pub settings: RegistrationSettings,
}

/// One registration as an operator sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistrationView {
    /// What it belongs to.
    pub group: BString,
    /// The number.
    pub number: BString,
    /// The registrar, as its URI is written.
    pub registrar: String,
    /// Where requests go.
    pub remote: SocketAddr,
    /// How it stands: `registered`, `registering`, `waiting`, `rejected`, `unregistering`,
    /// `unregistered`. A binding that still holds counts as registered.
    pub state: &'static str,
    /// How long the binding still holds.
    pub expires: Option<Duration>,
    /// Why the last attempt failed, until one succeeds.
    pub last_error: Option<RegistrationError>,
    /// How long since it was bound, or since it no longer is.
    pub since: Duration,
}

/// All registrations of a switch.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    entries: BTreeMap<u64, Entry>,
    /// The entries that are wanted, by group and number.
    names: BTreeMap<(BString, BString), u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    requests: HashMap<RequestHandle, u64>,
    groups: HashMap<BString, Group>,
    begun: u64,
}

#[derive(Debug)]
struct Entry {
    wanted: OutboundRegistration,
    machine: Registration,
    since: Instant,
    /// What stands in `deadlines`.
    armed: Option<Instant>,
}

/// What was said of a group.
#[derive(Debug, Default)]
struct Group {
    wanted: usize,
    bound: usize,
    said: Option<RegistrationError>,
}

impl Registrations {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(due, _)| due)
    }
}

impl Switch {
    /// Makes these the registrations there are. Those that were there and are unchanged go on
    /// undisturbed, new ones begin a little apart, and those no longer wanted take
    /// their binding back.
    pub fn set_registrations(&mut self, wanted: Vec<OutboundRegistration>, now: Now) {
        self.worked_at = now.instant;
        let mut left = std::mem::take(&mut self.registrations.names);
        let mut first = now.instant;
        let mut news = vec![];
        for wanted in wanted {
            let name = (wanted.group.clone(), wanted.number.clone());
            if self.registrations.names.contains_key(&name) {
                tracing::warn!(group = %name.0, number = %name.1, "registration is there twice");
                continue;
            }
            if let Some(id) = left.remove(&name) {
                if self.registrations.entries.get(&id).is_some_and(|it| it.wanted == wanted) {
                    self.registrations.names.insert(name, id);
                    continue;
                }
                left.insert(name.clone(), id);
            }
            news.push((name, wanted));
        }
        // The old go first: at one registrar, one that only changed must not end the new binding.
        for id in left.into_values() {
            if let Some(entry) = self.registrations.entries.get_mut(&id) {
                entry.machine.unregister();
                self.drive_registration(id, now);
            }
        }
        for (name, wanted) in news {
            let registrations = &mut self.registrations;
            let id = registrations.begun;
            registrations.begun += 1;
            let mut entropy = self.entropy.fork();
            let due = first + START_SPACING.mul_f64(entropy.fraction());
            first += START_SPACING;
            let machine = Registration::new(wanted.settings.clone(), entropy, due);
            let entry = Entry { wanted, machine, since: now.instant, armed: None };
            registrations.names.insert(name, id);
            registrations.entries.insert(id, entry);
            self.drive_registration(id, now);
        }
        let Registrations { names, groups, .. } = &mut self.registrations;
        groups.values_mut().for_each(|group| group.wanted = 0);
        for (group, _) in names.keys() {
            groups.entry(group.clone()).or_default().wanted += 1;
        }
        groups.retain(|_, group| group.wanted + group.bound > 0);
        self.work(now);
    }

    /// How many registrations there are, those that are being taken back included: 0 some time
    /// after `set_registrations` of nothing.
    pub fn registration_count(&self) -> usize {
        self.registrations.entries.len()
    }

    /// All registrations that are wanted, by group and number.
    pub fn view_registrations(&self, now: Now) -> Vec<RegistrationView> {
        let entries = self.registrations.names.values();
        let entries = entries.filter_map(|id| self.registrations.entries.get(id));
        let view = |Entry { wanted, machine, since, .. }: &Entry| {
            let bound = machine.bound_until().filter(|end| *end > now.instant);
            RegistrationView {
                group: wanted.group.clone(),
                number: wanted.number.clone(),
                registrar: wanted.settings.registrar.as_str().to_owned(),
                remote: wanted.settings.flow.peer,
                state: match (machine.state(), bound) {
                    (RegistrationState::Rejected, _) => "rejected",
                    (RegistrationState::Unregistering, _) => "unregistering",
                    (RegistrationState::Unregistered, _) => "unregistered",
                    (_, Some(_)) | (RegistrationState::Registered { .. }, None) => "registered",
                    (RegistrationState::Registering, None) => "registering",
                    (RegistrationState::Waiting { .. }, None) => "waiting",
                },
                expires: bound.map(|end| end - now.instant),
                last_error: machine.last_error(),
                since: now.instant.saturating_duration_since(*since),
            }
        };
        entries.map(view).collect()
    }

    /// Takes a response to a request outside any dialog; gives back whether it was one of ours.
    pub(super) fn registration_answered(
        &mut self,
        request: RequestHandle,
        answer: Result<&Response, Failure>,
        now: Now,
    ) -> bool {
        let found = match answer {
            Ok(response) if response.status().is_provisional() => {
                return self.registrations.requests.contains_key(&request);
            }
            Ok(_) | Err(_) => self.registrations.requests.remove(&request),
        };
        let Some(id) = found else { return false };
        if let Some(entry) = self.registrations.entries.get_mut(&id) {
            match answer {
                Ok(response) => entry.machine.handle_response(response, now.instant),
                Err(failure) => entry.machine.handle_failure(failure, now.instant),
            }
            self.drive_registration(id, now);
        }
        true
    }

    /// Does what is due.
    pub(super) fn wake_registrations(&mut self, now: Now) {
        while let Some(&(due, id)) = self.registrations.deadlines.first()
            && due <= now.instant
        {
            self.registrations.deadlines.pop_first();
            if let Some(entry) = self.registrations.entries.get_mut(&id) {
                entry.armed = None;
                entry.machine.handle_timeout(now.instant);
                self.drive_registration(id, now);
            }
        }
    }

    /// Sends and tells what a machine wants sent and told.
    fn drive_registration(&mut self, id: u64, now: Now) {
        let mut told = vec![];
        let registrations = &mut self.registrations;
        let Some(entry) = registrations.entries.get_mut(&id) else { return };
        while let Some(request) = entry.machine.poll_request() {
            match self.endpoint.send_request(request, now.instant) {
                Ok(handle) => {
                    registrations.requests.insert(handle, id);
                }
                Err(error) => {
                    tracing::debug!(number = %entry.wanted.number, %error, "REGISTER was not sent");
                    entry.machine.handle_failure(Failure::Unreachable, now.instant);
                }
            }
        }
        while let Some(event) = entry.machine.poll_event() {
            told.push(event);
        }
        let due = entry.machine.poll_timeout();
        if let Some(armed) = std::mem::replace(&mut entry.armed, due) {
            registrations.deadlines.remove(&(armed, id));
        }
        registrations.deadlines.extend(due.map(|due| (due, id)));
        for event in told {
            self.tell_registration(id, event, now);
        }
    }

    fn tell_registration(&mut self, id: u64, event: RegistrationEvent, now: Now) {
        let registrations = &mut self.registrations;
        let Some(entry) = registrations.entries.get_mut(&id) else { return };
        let OutboundRegistration { group: name, number, .. } = entry.wanted.clone();
        let group = registrations.groups.entry(name.clone()).or_default();
        let wanted = group.wanted;
        match event {
            RegistrationEvent::Registered => {
                entry.since = now.instant;
                group.bound += 1;
                if group.bound == wanted {
                    group.said = None;
                    tracing::info!(group = %name, count = wanted, "all registered");
                }
            }
            RegistrationEvent::Expired => {
                entry.since = now.instant;
                group.bound = group.bound.saturating_sub(1);
            }
            RegistrationEvent::Failed(error) | RegistrationEvent::Rejected(error) => {
                if group.said.replace(error) != Some(error) {
                    tracing::warn!(
                        group = %name, %number, %error, registered = group.bound, of = wanted,
                        "registration failed; others that fail like this are not named"
                    );
                }
            }
            RegistrationEvent::Unregistered => {
                registrations.entries.remove(&id);
            }
        }
        self.tell(SwitchEvent::RegistrationChanged { group: name, number, event });
    }
}

/// How far apart registrations begin: 50 a second, so that 500 are there within 10 s.
const START_SPACING: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use diesis_dialplan::conf::MemoryFiles;

    use super::*;
    use crate::{
        clock::clocks,
        config::Configuration,
        sip::{Flow, NameAddr, Uri, registration::OwnCredentials},
        switch::{Seeds, SwitchConfig},
    };

    const ROBOTS: usize = 500;

    fn switch(pjsip: &str, seed: u64, now: Now) -> Switch {
        let loaded = Configuration::load(&MemoryFiles::new().with("pjsip.conf", pjsip));
        assert!(!loaded.is_refused(), "{:?}", loaded.findings().map(|it| it.to_string()).next());
        let sip = Arc::new(loaded.configuration.sip);
        let seeds = Seeds { entropy: seed, digest_key: [seed as u8; 32] };
        Switch::new(SwitchConfig { sip, ..SwitchConfig::default() }, &seeds, now)
    }

    fn registrar(seed: u64, now: Now) -> Switch {
        let mut text = "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.2:5060\n".to_owned();
        for number in 0..ROBOTS {
            text += &format!(
                "[{number:04}]\ntype=endpoint\ncontext=default\nauth={number:04}\naors={number:04}\n\
                 [{number:04}]\ntype=auth\nusername={number:04}\npassword=0000\n\
                 [{number:04}]\ntype=aor\nmax_contacts=1\n"
            );
        }
        switch(&text, seed, now)
    }

    fn robot(number: usize) -> OutboundRegistration {
        let number = format!("{number:04}");
        let address =
            |host: &str| NameAddr::new(Uri::parse(&format!("sip:{number}@{host}")).unwrap());
        let flow = Flow::udp("127.0.0.1:5060".parse().unwrap(), "127.0.0.2:5060".parse().unwrap());
        OutboundRegistration {
            group: "robots".into(),
            number: number[..].into(),
            settings: RegistrationSettings {
                expiration: Duration::from_secs(300),
                credentials: vec![OwnCredentials {
                    username: number[..].into(),
                    realm: "diesis".into(),
                    password: "0000".into(),
                }],
                ..RegistrationSettings::new(
                    Uri::parse("sip:127.0.0.2").unwrap(),
                    address("127.0.0.2"),
                    address("127.0.0.1:5060"),
                    flow,
                )
            },
        }
    }

    /// Two switches and the link between them, which counts.
    struct Link {
        robots: Switch,
        /// `None` while the registrar is down.
        registrar: Option<Switch>,
        now: Now,
        sent: usize,
    }

    impl Link {
        fn new() -> Self {
            let now = clocks();
            let own = "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:5060\n";
            let registrar = Some(registrar(2, now));
            Self { robots: switch(own, 1, now), registrar, now, sent: 0 }
        }

        fn settle(&mut self) {
            loop {
                let mut is_quiet = true;
                while let Some(transmit) = self.robots.poll_transmit() {
                    (is_quiet, self.sent) = (false, self.sent + 1);
                    if let Some(registrar) = &mut self.registrar {
                        let flow = Flow::udp(transmit.flow.peer, transmit.flow.local);
                        registrar.handle_packet(flow, transmit.bytes, self.now);
                    }
                }
                let registrar = self.registrar.as_mut();
                let sent: Option<Vec<_>> =
                    registrar.map(|it| std::iter::from_fn(|| it.poll_transmit()).collect());
                for transmit in sent.unwrap_or_default() {
                    is_quiet = false;
                    let flow = Flow::udp(transmit.flow.peer, transmit.flow.local);
                    self.robots.handle_packet(flow, transmit.bytes, self.now);
                }
                if is_quiet {
                    return;
                }
            }
        }

        /// Lets time pass until so many are registered; says how long it took.
        fn run_until(&mut self, registered: usize, most: Duration) -> Duration {
            let (start, end) = (self.now.instant, self.now.instant + most);
            loop {
                self.settle();
                if self.registered() == registered {
                    return self.now.instant - start;
                }
                let registrar = self.registrar.as_ref().and_then(Switch::poll_timeout);
                let due = self.robots.poll_timeout().into_iter().chain(registrar).min();
                let due = due.expect("something is due").max(self.now.instant);
                assert!(due <= end, "{} of {registered} after {most:?}", self.registered());
                self.now = self.now + (due - self.now.instant);
                self.robots.handle_timeout(self.now);
                if let Some(registrar) = &mut self.registrar {
                    registrar.handle_timeout(self.now);
                }
            }
        }

        fn registered(&self) -> usize {
            self.robots.registrations.groups.values().map(|group| group.bound).sum()
        }
    }

    #[test]
    fn five_hundred_register_with_digest_outlive_the_registrar_and_leave_in_order() {
        let mut link = Link::new();
        link.robots.set_registrations((0..ROBOTS).map(robot).collect(), link.now);
        let took = link.run_until(ROBOTS, Duration::from_secs(11));
        assert_eq!(link.sent, 2 * ROBOTS, "one challenge each");
        let at_registrar = |link: &Link| {
            link.registrar.as_ref().map_or(0, |registrar| registrar.view_contacts(link.now).len())
        };
        assert_eq!(at_registrar(&link), ROBOTS);
        let views = link.robots.view_registrations(link.now);
        assert_eq!(views.len(), ROBOTS);
        assert!(views.iter().all(|it| it.state == "registered" && it.last_error.is_none()));
        println!("{ROBOTS} registered in {took:?} with {} requests", link.sent);

        // It dies, and its bindings end before it is back with an empty memory.
        link.registrar = None;
        link.run_until(0, Duration::from_secs(301));
        let view = &link.robots.view_registrations(link.now)[0];
        assert_eq!((view.expires, view.last_error), (None, Some(RegistrationError::NoAnswer)));
        link.registrar = Some(registrar(3, link.now));
        link.sent = 0;
        let took = link.run_until(ROBOTS, Duration::from_secs(332));
        assert_eq!(at_registrar(&link), ROBOTS);
        println!("{ROBOTS} back in {took:?} with {} requests", link.sent);

        // A reload that takes ten away leaves the others alone.
        link.sent = 0;
        link.robots.set_registrations((10..ROBOTS).map(robot).collect(), link.now);
        link.settle();
        assert!((10..=20).contains(&link.sent), "{}", link.sent);
        assert_eq!((link.registered(), at_registrar(&link)), (ROBOTS - 10, ROBOTS - 10));
        link.robots.set_registrations(vec![], link.now);
        link.settle();
        assert_eq!((link.robots.registration_count(), at_registrar(&link)), (0, 0));
        assert!(link.robots.registrations.deadlines.is_empty());
        assert!(link.robots.registrations.requests.is_empty());
    }
}
