//! The registrar: addresses of record and the contacts they are bound to (RFC 3261 §10.3).
//!
//! Also Path (RFC 3327) and instance identifiers (RFC 5626 §6). Who may register what has been
//! decided before; the response comes back without a To tag, which the endpoint adds.

mod binding;
mod register;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bstr::{BStr, BString};

use super::{Flow, Request, Response, StatusCode};

pub use binding::{Binding, BindingFacts};

/// How one address of record is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AorSettings {
    /// How many contacts may be bound at a time. 1, as most people have one phone; 0 refuses every
    /// registration.
    pub max_contacts: usize,
    /// What happens to a contact for which there is no room. Refused.
    pub when_full: WhenFull,
    /// No binding is shorter. 60 s: what keeps a translator's mapping open needs no REGISTER.
    pub minimum_expiration: Duration,
    /// For contacts that ask for nothing. One hour (RFC 3261 §10.2).
    pub default_expiration: Duration,
    /// No binding is longer. Two hours.
    pub maximum_expiration: Duration,
    /// What happens to a wish below the minimum. 423 (RFC 3261 §10.3 step 7).
    pub when_too_brief: WhenTooBrief,
    /// When two contacts are the same. The URI decides.
    pub matching: ContactMatching,
    /// What becomes of a Path. It is kept.
    pub paths: Paths,
    /// Contacts that make room before all others, whatever `when_full` says: nobody answers there.
    pub deserted: Vec<String>,
}

/// What happens to a registration for which there is no room (`remove_existing`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused with 403.
    #[default]
    Refuse,
    /// The bindings that would expire first make room.
    ReplaceOldest,
}

/// What happens to a registration that asks for less than the minimum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenTooBrief {
    /// It is refused with 423 and Min-Expires.
    #[default]
    Refuse,
    /// It is granted the minimum, as Asterisk does.
    Raise,
}

/// What becomes of the Path of a registration (RFC 3327, `support_path`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paths {
    /// Requests to its contacts go by it.
    #[default]
    Kept,
    /// It is passed over, and refused where it is required.
    Ignored,
}

/// When a contact is one that is bound already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContactMatching {
    /// When the URIs are equivalent (RFC 3261 §19.1.4).
    #[default]
    Uri,
    /// When the source address agrees as well: behind translators, phones in different places
    /// register the same private address.
    UriAndSource,
}

/// Bounds of the whole registrar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrarSettings {
    /// Addresses of record with bindings. 100 000; beyond, new ones get 503.
    pub max_aors: usize,
    /// Bindings of one address of record, whatever its own settings say, so that a response stays
    /// below the size of a datagram. 64.
    pub max_contacts: usize,
    /// Where we listen: a contact there would make us call ourselves for ever, and is refused.
    pub local: Vec<SocketAddr>,
}

/// What became of a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrarEvent {
    /// The address of record.
    pub aor: BString,
    /// The contact, as registered.
    pub contact: String,
    /// What happened.
    pub change: BindingChange,
}

/// The kinds of [`RegistrarEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingChange {
    /// A contact is new.
    Added,
    /// A contact was registered again.
    Refreshed,
    /// A contact was taken back by its owner.
    Removed,
    /// A contact made room for another.
    Replaced,
    /// A contact was not refreshed in time.
    Expired,
}

/// All bindings.
///
/// After each way in, drain [`Registrar::poll_event`].
#[derive(Debug)]
pub struct Registrar {
    settings: RegistrarSettings,
    aors: HashMap<BString, Vec<Binding>>,
    /// The earliest expiry of each address of record.
    deadlines: BTreeSet<(Instant, BString)>,
    events: VecDeque<RegistrarEvent>,
}

impl Default for AorSettings {
    fn default() -> Self {
        Self {
            max_contacts: 1,
            when_full: WhenFull::default(),
            minimum_expiration: Duration::from_secs(60),
            default_expiration: Duration::from_secs(3600),
            maximum_expiration: Duration::from_secs(7200),
            when_too_brief: WhenTooBrief::default(),
            matching: ContactMatching::default(),
            paths: Paths::default(),
            deserted: vec![],
        }
    }
}

impl Default for RegistrarSettings {
    fn default() -> Self {
        Self { max_aors: 100_000, max_contacts: 64, local: vec![] }
    }
}

impl Registrar {
    /// A registrar without bindings.
    pub fn new(settings: RegistrarSettings) -> Self {
        Self { settings, aors: HashMap::new(), deadlines: BTreeSet::new(), events: VecDeque::new() }
    }

    /// Takes a REGISTER for `aor` that came over `flow` and was let in; returns the response.
    ///
    /// All of its contacts take effect, or none.
    pub fn handle_register(
        &mut self,
        aor: &BStr,
        settings: &AorSettings,
        request: &Request,
        flow: Flow,
        now: Instant,
    ) -> Response {
        self.handle_timeout(now);
        let current = self.aors.get(aor).map_or(&[][..], Vec::as_slice);
        if current.is_empty() && self.aors.len() >= self.settings.max_aors {
            return Response::to(request, StatusCode::SERVICE_UNAVAILABLE);
        }
        let update = register::Update { settings, registrar: &self.settings, request, flow, now };
        match update.apply(current) {
            Ok((bindings, changes)) => {
                let response = register::accept(request, &bindings, settings, now);
                self.replace(aor, bindings);
                self.events.extend(changes.into_iter().map(|(contact, change)| RegistrarEvent {
                    aor: aor.to_owned(),
                    contact,
                    change,
                }));
                response
            }
            Err(refusal) => refusal.response(request, settings),
        }
    }

    /// The live bindings of an address of record, most preferred first: by `q`, then the one
    /// registered last.
    pub fn bindings(&self, aor: &BStr, now: Instant) -> Vec<&Binding> {
        let bindings = self.aors.get(aor).map_or(&[][..], Vec::as_slice);
        let mut live: Vec<_> = bindings.iter().filter(|it| it.expires() > now).collect();
        live.sort_by_key(|it| (std::cmp::Reverse(it.q()), std::cmp::Reverse(it.registered())));
        live
    }

    /// All addresses of record that have bindings, with these, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&BStr, &[Binding])> {
        self.aors.iter().map(|(aor, bindings)| (aor.as_ref(), bindings.as_slice()))
    }

    /// Takes all bindings of an address of record away, for instance when it leaves the
    /// configuration.
    pub fn remove(&mut self, aor: &BStr) {
        if let Some(bindings) = self.aors.get(aor) {
            let removed = bindings.iter().map(|binding| RegistrarEvent {
                aor: aor.to_owned(),
                contact: binding.contact().as_str().to_owned(),
                change: BindingChange::Removed,
            });
            self.events.extend(removed);
            self.replace(aor, vec![]);
        }
    }

    /// Binds contacts again that an earlier registrar had, in place of whatever is bound to this
    /// address of record. Nothing is told of it. Returns how many there is room for.
    pub fn restore(&mut self, aor: &BStr, bindings: Vec<BindingFacts>) -> usize {
        if !self.aors.contains_key(aor) && self.aors.len() >= self.settings.max_aors {
            return 0;
        }
        let room = self.settings.max_contacts;
        let bindings: Vec<_> = bindings.into_iter().take(room).map(Binding::from).collect();
        let count = bindings.len();
        self.replace(aor, bindings);
        count
    }

    /// Replaces the addresses at which a contact would be ourselves.
    pub fn set_local(&mut self, local: Vec<SocketAddr>) {
        self.settings.local = local;
    }

    /// Lets go of what has expired.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((deadline, aor)) = self.deadlines.first().cloned() {
            if deadline > now {
                return;
            }
            let bindings = self.aors.get(&aor).cloned().unwrap_or_default();
            let (live, expired): (Vec<_>, Vec<_>) =
                bindings.into_iter().partition(|binding| binding.expires() > now);
            self.deadlines.remove(&(deadline, aor.clone()));
            self.replace(aor.as_ref(), live);
            self.events.extend(expired.into_iter().map(|binding| RegistrarEvent {
                aor: aor.clone(),
                contact: binding.contact().as_str().to_owned(),
                change: BindingChange::Expired,
            }));
        }
    }

    /// When to call [`Registrar::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    /// The next thing that became of a binding.
    pub fn poll_event(&mut self) -> Option<RegistrarEvent> {
        self.events.pop_front()
    }

    /// Sets the bindings of an address of record and its deadline.
    fn replace(&mut self, aor: &BStr, bindings: Vec<Binding>) {
        let earliest = |bindings: &[Binding]| bindings.iter().map(Binding::expires).min();
        if let Some(deadline) = self.aors.get(aor).and_then(|old| earliest(old)) {
            self.deadlines.remove(&(deadline, aor.to_owned()));
        }
        match earliest(&bindings) {
            Some(deadline) => {
                self.deadlines.insert((deadline, aor.to_owned()));
                self.aors.insert(aor.to_owned(), bindings);
            }
            None => {
                self.aors.remove(aor);
            }
        }
    }
}

#[cfg(test)]
mod tests;
