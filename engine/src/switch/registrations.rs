//! Registrations at other registrars: runs the machines of `sip::registration` on the stack, and
//! knows the calls that come for what is registered.
//!
//! Many are started a little apart, and told of by the group: five hundred lines at every start, or
//! at every restart of a registrar, would be read by nobody.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bstr::{BStr, BString, ByteSlice};

use super::{
    RobotView, Switch, SwitchEvent,
    registrars::{Failover, Place},
    resolve::{LookupId, Route},
};
use crate::{
    clock::Now,
    config::{self, AuthCredentials, Origin},
    sip::{
        Failure, Flow, NameAddr, Request, RequestHandle, Response, StatusCode,
        locate::LocateError,
        registration::{
            Registration, RegistrationError, RegistrationEvent, RegistrationSettings,
            RegistrationState,
        },
    },
};

/// One registration as an operator sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistrationView {
    /// The section it was made from.
    pub section: BString,
    /// Of which file that is.
    pub origin: Origin,
    /// The number.
    pub number: BString,
    /// The registrar, as its URI is written.
    pub registrar: String,
    /// The user name that is registered, with the domain.
    pub address_of_record: String,
    /// Where requests go, once it is known.
    pub remote: Option<SocketAddr>,
    /// How it stands: `registered`, `registering`, `waiting`, `rejected`, `unregistering`,
    /// `unregistered`. A binding that still holds counts as registered.
    pub state: &'static str,
    /// How long the binding still holds.
    pub expires: Option<Duration>,
    /// Why the last attempt failed, until one succeeds.
    pub last_error: Option<String>,
    /// How long since it was bound, or since it no longer is.
    pub since: Duration,
    /// The context that its calls enter.
    pub context: Option<BString>,
    /// Calls with its number now.
    pub calls: usize,
    /// How it stands when it is a robot.
    pub robot: Option<RobotView>,
}

/// How many are registered of those of one peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) wanted: usize,
    pub(super) bound: usize,
    pub(super) remote: Option<SocketAddr>,
}

/// All registrations of a switch.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    entries: BTreeMap<u64, Entry>,
    /// The entries that are wanted, by section and number.
    names: BTreeMap<(BString, BString), u64>,
    /// Those whose calls have a peer, by number.
    numbers: HashMap<BString, Vec<u64>>,
    /// The same by the secret parameter of their contact.
    lines: HashMap<String, u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    requests: HashMap<RequestHandle, u64>,
    groups: HashMap<BString, Group>,
    /// Those that are to take their binding back, while many others do.
    leaving: VecDeque<u64>,
    begun: u64,
}

#[derive(Debug)]
struct Entry {
    wanted: config::Registration,
    place: Place,
    /// The secret parameter of the contact.
    line: Option<String>,
    /// When the first request may go out.
    first: Instant,
    /// `None` until it is known where the registrar is.
    machine: Option<Box<Registration>>,
    /// Targets that failed in a row without a wait between.
    hops: usize,
    since: Instant,
    /// What stands in `deadlines`.
    armed: Option<Instant>,
}

impl Entry {
    fn is_leaving(&self) -> bool {
        self.machine
            .as_ref()
            .is_some_and(|machine| machine.state() == RegistrationState::Unregistering)
    }
}

/// How a registered number calls.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) wanted: &'a config::Registration,
    pub(super) flow: Flow,
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

    /// Whether a number's binding holds.
    pub(super) fn is_bound(&self, section: &BStr, number: &BStr, now: Instant) -> bool {
        let entry = self.named(section, number);
        entry.is_some_and(|entry| standing(entry.machine.as_deref(), now).1.is_some())
    }

    /// The line on which a number calls, once it is known where its registrar is.
    pub(super) fn line(&self, section: &BStr, number: &BStr) -> Option<Line<'_>> {
        let entry = self.named(section, number)?;
        let flow = entry.machine.as_ref()?.settings().flow;
        Some(Line { wanted: &entry.wanted, flow })
    }

    fn named(&self, section: &BStr, number: &BStr) -> Option<&Entry> {
        self.entries.get(self.names.get(&(section.into(), number.into()))?)
    }

    /// The names by which incoming requests are recognised.
    fn index(&mut self) {
        self.numbers.clear();
        self.lines.clear();
        for &id in self.names.values() {
            let Some(entry) = self.entries.get(&id) else { continue };
            if entry.wanted.peer.is_none() {
                continue;
            }
            self.numbers.entry(entry.wanted.number.clone()).or_default().push(id);
            self.lines.extend(entry.line.clone().map(|line| (line, id)));
        }
    }
}

impl Switch {
    /// Begins, or goes on with, what the configuration in force wants registered.
    pub(super) fn register_everywhere(&mut self, now: Now) {
        let sip = Arc::clone(&self.config.sip);
        self.set_registrations(sip.registrations.clone(), now);
    }

    /// Makes these the registrations there are. Those that were there and are unchanged go on
    /// undisturbed, new ones begin a little apart, and those no longer wanted take
    /// their binding back.
    pub fn set_registrations(&mut self, wanted: Vec<config::Registration>, now: Now) {
        self.worked_at = now;
        let mut left = std::mem::take(&mut self.registrations.names);
        let mut first = now.instant;
        let mut news = vec![];
        for wanted in wanted {
            let name = (wanted.section.clone(), wanted.number.clone());
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
        if !left.is_empty() {
            first += LEAVING_TAKES;
        }
        self.registrations.leaving.extend(left.into_values());
        self.leave_registrars(now);
        for (name, wanted) in news {
            let place = self.registrars.place(&wanted);
            let line = matches!(wanted.line, config::Line::Marked)
                .then(|| self.entropy.hex::<16>().as_str().to_owned());
            let registrations = &mut self.registrations;
            let id = registrations.begun;
            registrations.begun += 1;
            let entry = Entry {
                wanted,
                place,
                line,
                first: first + START_SPACING.mul_f64(self.entropy.fraction()),
                machine: None,
                hops: 0,
                since: now.instant,
                armed: None,
            };
            first += START_SPACING;
            registrations.names.insert(name, id);
            registrations.entries.insert(id, entry);
        }
        let Registrations { names, groups, entries, .. } = &mut self.registrations;
        groups.values_mut().for_each(|group| group.wanted = 0);
        for (group, _) in names.keys() {
            groups.entry(group.clone()).or_default().wanted += 1;
        }
        groups.retain(|_, group| group.wanted + group.bound > 0);
        self.registrars.retain(&entries.values().map(|entry| entry.place.clone()).collect());
        self.registrations.index();
        self.locate_registrars(now);
        self.begin_located(now);
        self.work(now);
    }

    /// Takes all bindings back, as when the engine stops: [`Switch::registration_count`] is 0 when
    /// that is done. How long it may take is for the caller to bound.
    pub fn unregister_all(&mut self, now: Now) {
        self.set_registrations(vec![], now);
    }

    /// How many registrations there are, those that are being taken back included: 0 some time
    /// after [`Switch::unregister_all`].
    pub fn registration_count(&self) -> usize {
        self.registrations.entries.len()
    }

    /// Gives machines to those whose registrar is known by now.
    fn begin_located(&mut self, now: Now) {
        let mut begun = vec![];
        for (&id, entry) in &mut self.registrations.entries {
            if entry.machine.is_some() {
                continue;
            }
            let Some(flow) = self.registrars.flow(&entry.place) else { continue };
            let contact = contact(&self.endpoint, entry, flow);
            let settings = settings(&entry.wanted, flow, contact);
            let first = entry.first.max(now.instant);
            entry.machine = Some(Box::new(Registration::new(settings, self.entropy.fork(), first)));
            begun.push(id);
        }
        for id in begun {
            self.drive_registration(id, now);
        }
    }

    /// A lookup ended; gives it back when it was not for a registrar.
    pub(super) fn take_registrar(
        &mut self,
        lookup: LookupId,
        found: Result<Route, LocateError>,
        now: Now,
    ) {
        if self.registrar_located(lookup, found, now).is_some() {
            self.begin_located(now);
        }
    }

    /// Lets as many of those that are no longer wanted take their binding back as a registrar can
    /// bear at a time.
    fn leave_registrars(&mut self, now: Now) {
        if self.registrations.leaving.is_empty() {
            return;
        }
        let mut leaving = self.registrations.entries.values().filter(|it| it.is_leaving()).count();
        while leaving < MOST_LEAVING
            && let Some(id) = self.registrations.leaving.pop_front()
        {
            let Some(entry) = self.registrations.entries.get_mut(&id) else { continue };
            match &mut entry.machine {
                Some(machine) => machine.unregister(),
                None => {
                    self.registrations.entries.remove(&id);
                    continue;
                }
            }
            self.drive_registration(id, now);
            leaving += usize::from(self.registrations.entries.contains_key(&id));
        }
    }

    /// All registrations that are wanted, by section and number.
    pub fn view_registrations(&self, now: Now) -> Vec<RegistrationView> {
        let mut calls: HashMap<(&BString, &BString), usize> = HashMap::new();
        for call in self.calls.values() {
            if let Some(peer) = &call.parties.peer {
                *calls.entry((peer, &call.parties.dialled)).or_default() += 1;
            }
        }
        let entries = self.registrations.names.values();
        let entries = entries.filter_map(|id| self.registrations.entries.get(id));
        let view = |entry: &Entry| {
            let Entry { wanted, machine, since, place, .. } = entry;
            let (state, bound) = standing(machine.as_deref(), now.instant);
            let error = machine.as_ref().and_then(|it| it.last_error()).map(|it| it.to_string());
            let peer = wanted.peer.as_ref();
            RegistrationView {
                section: wanted.section.clone(),
                origin: wanted.origin,
                number: wanted.number.clone(),
                registrar: wanted.registrar.as_str().to_owned(),
                address_of_record: wanted.address_of_record.uri().as_str().to_owned(),
                remote: self.registrars.flow(place).map(|flow| flow.peer),
                state,
                expires: bound.map(|end| end - now.instant),
                last_error: error
                    .or_else(|| self.registrars.error(place).map(|error| error.to_string())),
                since: now.instant.saturating_duration_since(*since),
                context: peer
                    .and_then(|peer| self.config.sip.peers.get(peer.as_bstr()))
                    .map(|peer| peer.context.clone()),
                calls: peer
                    .and_then(|peer| calls.get(&(peer, &wanted.number)).copied())
                    .unwrap_or_default(),
                robot: self.robots.view(wanted.section.as_ref(), wanted.number.as_ref()),
            }
        };
        entries.map(view).collect()
    }

    /// How many are registered of those whose calls are a peer's, by peer.
    pub(super) fn tally_registrations(&self, now: Instant) -> HashMap<&BString, Tally> {
        let mut tallies: HashMap<&BString, Tally> = HashMap::new();
        for id in self.registrations.names.values() {
            let Some(entry) = self.registrations.entries.get(id) else { continue };
            let Some(peer) = &entry.wanted.peer else { continue };
            let tally = tallies.entry(peer).or_default();
            tally.wanted += 1;
            tally.bound += usize::from(standing(entry.machine.as_deref(), now).1.is_some());
            tally.remote = self.registrars.flow(&entry.place).map(|flow| flow.peer);
        }
        tallies
    }

    /// Whose request it is, if it is for what we registered: it brings back the line of a contact,
    /// or it comes from the registrar and asks for the number.
    pub(super) fn peer_registered(&self, request: &Request, source: IpAddr) -> Option<usize> {
        let entry = self.registration_asked(request, source)?;
        self.config.sip.peers.position(entry.peer.as_ref()?.as_bstr())
    }

    /// The robot that a request is for, if its registrar sent it.
    pub(super) fn robot_asked(
        &self,
        request: &Request,
        source: IpAddr,
    ) -> Option<&config::Registration> {
        let asked = self.registration_asked(request, source.to_canonical());
        asked.filter(|asked| asked.origin == Origin::Robot)
    }

    fn registration_asked(
        &self,
        request: &Request,
        source: IpAddr,
    ) -> Option<&config::Registration> {
        let registrations = &self.registrations;
        if registrations.numbers.is_empty() {
            return None;
        }
        let uri = request.uri();
        let by_line = uri.parameter(LINE).and_then(|line| registrations.lines.get(line));
        let by_number = || {
            let number = uri.user_decoded()?;
            let ids = registrations.numbers.get(number.as_bstr())?;
            ids.iter().find(|id| {
                let entry = registrations.entries.get(id);
                entry.is_some_and(|entry| self.registrars.is_at(&entry.place, source))
            })
        };
        Some(&registrations.entries.get(by_line.or_else(by_number)?)?.wanted)
    }

    /// Whether a registrar of ours is there. Others could else have it banned with forged addresses.
    pub(super) fn is_registrar(&self, source: IpAddr) -> bool {
        self.registrars.has(source)
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
        let may_differ_elsewhere = match answer {
            Ok(response) => response.status() == StatusCode::SERVICE_UNAVAILABLE,
            Err(_) => true,
        };
        if may_differ_elsewhere && self.register_elsewhere(id) {
            self.drive_registration(id, now);
            return true;
        }
        if let Some(entry) = self.registrations.entries.get_mut(&id)
            && let Some(machine) = &mut entry.machine
        {
            entry.hops = 0;
            match answer {
                Ok(response) => machine.handle_response(response, now.instant),
                Err(failure) => machine.handle_failure(failure, now.instant),
            }
        }
        self.drive_registration(id, now);
        if may_differ_elsewhere && !self.locate_registrars(now).is_empty() {
            self.begin_located(now);
        }
        self.leave_registrars(now);
        true
    }

    /// Repeats a failed attempt at the registrar's next target, if there is one.
    fn register_elsewhere(&mut self, id: u64) -> bool {
        let Some(entry) = self.registrations.entries.get(&id) else { return false };
        let Some(machine) = &entry.machine else { return false };
        let (place, flow, hops) = (entry.place.clone(), machine.settings().flow, entry.hops);
        let Failover::To(next) = self.registrar_failed(&place, flow) else { return false };
        if hops + 1 >= self.registrars.targets(&place) {
            return false;
        }
        let Some(entry) = self.registrations.entries.get_mut(&id) else { return false };
        let contact = contact(&self.endpoint, entry, next);
        entry.hops += 1;
        if let Some(machine) = &mut entry.machine {
            machine.try_elsewhere(next, contact);
        }
        true
    }

    /// Does what is due.
    pub(super) fn wake_registrations(&mut self, now: Now) {
        if self.registrars.poll_timeout().is_some_and(|due| due <= now.instant)
            && !self.locate_registrars(now).is_empty()
        {
            self.begin_located(now);
        }
        while let Some(&(due, id)) = self.registrations.deadlines.first()
            && due <= now.instant
        {
            self.registrations.deadlines.pop_first();
            let Some(entry) = self.registrations.entries.get_mut(&id) else { continue };
            entry.armed = None;
            // Where the registrar is by now.
            if let Some(flow) = self.registrars.flow(&entry.place)
                && entry.machine.as_ref().is_some_and(|it| it.settings().flow != flow)
            {
                let contact = contact(&self.endpoint, entry, flow);
                if let Some(machine) = &mut entry.machine {
                    machine.set_path(flow, contact);
                }
            }
            if let Some(machine) = &mut entry.machine {
                machine.handle_timeout(now.instant);
                self.drive_registration(id, now);
            }
        }
        self.leave_registrars(now);
    }

    /// Sends and tells what a machine wants sent and told.
    fn drive_registration(&mut self, id: u64, now: Now) {
        let mut told = vec![];
        let registrations = &mut self.registrations;
        let Some(entry) = registrations.entries.get_mut(&id) else { return };
        let Some(machine) = &mut entry.machine else { return };
        while let Some(request) = machine.poll_request() {
            match self.endpoint.send_request(request, now.instant) {
                Ok(handle) => {
                    registrations.requests.insert(handle, id);
                }
                Err(error) => {
                    tracing::debug!(number = %entry.wanted.number, %error, "REGISTER was not sent");
                    machine.handle_failure(Failure::Unreachable, now.instant);
                }
            }
        }
        while let Some(event) = machine.poll_event() {
            told.push(event);
        }
        let due = machine.poll_timeout();
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
        let (name, number) = (entry.wanted.section.clone(), entry.wanted.number.clone());
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
                if let Some(armed) = entry.armed {
                    registrations.deadlines.remove(&(armed, id));
                }
                registrations.entries.remove(&id);
            }
        }
        self.tell(SwitchEvent::RegistrationChanged { group: name, number, event });
    }
}

/// How a registration stands, and until when it is bound.
fn standing(machine: Option<&Registration>, now: Instant) -> (&'static str, Option<Instant>) {
    let Some(machine) = machine else { return ("waiting", None) };
    let bound = machine.bound_until().filter(|end| *end > now);
    let state = match (machine.state(), bound) {
        (RegistrationState::Rejected, _) => "rejected",
        (RegistrationState::Unregistering, _) => "unregistering",
        (RegistrationState::Unregistered, _) => "unregistered",
        (_, Some(_)) | (RegistrationState::Registered { .. }, None) => "registered",
        (RegistrationState::Registering, None) => "registering",
        (RegistrationState::Waiting { .. }, None) => "waiting",
    };
    (state, bound)
}

/// The contact that is registered over a flow.
fn contact(endpoint: &crate::sip::Endpoint, entry: &Entry, flow: Flow) -> NameAddr {
    let mut uri = endpoint.contact_uri(&entry.wanted.number, &flow);
    if let Some(line) = &entry.line {
        uri = uri.with_parameter(LINE, Some(line)).unwrap_or(uri);
    }
    let text = format!("<{}>{}", uri.as_str(), entry.wanted.contact_parameters);
    // Both parts were read before.
    NameAddr::parse(text.as_bytes()).unwrap_or_else(|| NameAddr::new(uri))
}

fn settings(wanted: &config::Registration, flow: Flow, contact: NameAddr) -> RegistrationSettings {
    let credentials = wanted.credentials.iter().map(AuthCredentials::own);
    RegistrationSettings {
        routes: wanted.proxies.clone(),
        extensions: wanted.extensions.clone(),
        credentials: credentials.collect(),
        expiration: wanted.expiration,
        retry_interval: wanted.retry_interval,
        forbidden_retry_interval: wanted.forbidden_retry_interval,
        fatal_retry_interval: wanted.fatal_retry_interval,
        max_retries: wanted.max_retries,
        auth_rejection: wanted.auth_rejection,
        ..RegistrationSettings::new(
            wanted.registrar.clone(),
            wanted.address_of_record.clone(),
            contact,
            flow,
        )
    }
}

/// The parameter of the contact's URI that Asterisk uses for the same.
const LINE: &str = "line";

/// How far apart registrations begin: 50 a second, so that 500 are there within 10 s.
const START_SPACING: Duration = Duration::from_millis(20);

/// How long new registrations wait for the old to go.
const LEAVING_TAKES: Duration = Duration::from_secs(1);

/// Bindings that are taken back at a time: what fits into the socket of the other side.
const MOST_LEAVING: usize = 50;
