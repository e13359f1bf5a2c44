//! Where the registrars are that we register at: each is looked up once for all that register there,
//! and looked up again once none of its targets answered.
//!
//! A target that gives a timeout, a transport error or 503 is followed by the next, for everybody
//! (RFC 3263 §4.3); each registration tries each target once before it waits.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
    time::{Duration, Instant},
};

use bstr::BString;

use super::{
    Switch,
    resolve::{Located, LookupId, Route},
};
use crate::{
    clock::Now,
    config,
    sip::{Flow, Uri, locate::LocateError},
};

/// What registrations share that go to the same place: the URI as written, and the transport.
pub(super) type Place = (String, Option<BString>);

/// The registrars there are.
#[derive(Debug, Default)]
pub(super) struct Registrars {
    places: BTreeMap<Place, Registrar>,
    lookups: HashMap<LookupId, Place>,
}

#[derive(Debug)]
struct Registrar {
    uri: Uri,
    /// The target in use.
    flow: Option<Flow>,
    /// Those that were not tried yet.
    route: Route,
    /// How many targets there were.
    targets: usize,
    /// Their addresses: calls that come from there are the registrar's.
    addresses: HashSet<IpAddr>,
    state: Lookup,
    error: Option<LocateError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lookup {
    /// It is to begin.
    Wanted,
    Pending,
    /// It led somewhere.
    Done,
    /// It led nowhere and is repeated then.
    Failed {
        again: Instant,
    },
}

/// What a failed attempt is followed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failover {
    /// Another attempt at once, there.
    To(Flow),
    /// A wait: all targets were tried.
    Exhausted,
}

impl Registrars {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let again = |registrar: &Registrar| match registrar.state {
            Lookup::Failed { again } => Some(again),
            Lookup::Wanted | Lookup::Pending | Lookup::Done => None,
        };
        self.places.values().filter_map(again).min()
    }

    /// The place of a registration; it is there from now on.
    pub(super) fn place(&mut self, wanted: &config::Registration) -> Place {
        let proxy = wanted.proxies.first().map(|proxy| proxy.uri());
        let uri = wanted.next_hop.as_ref().or(proxy).unwrap_or(&wanted.registrar);
        let place = (uri.as_str().to_owned(), wanted.transport.clone());
        self.places.entry(place.clone()).or_insert_with(|| Registrar {
            uri: uri.clone(),
            flow: None,
            route: Route::default(),
            targets: 0,
            addresses: HashSet::new(),
            state: Lookup::Wanted,
            error: None,
        });
        place
    }

    /// Forgets the places that nobody needs.
    pub(super) fn retain(&mut self, needed: &HashSet<Place>) {
        self.places.retain(|place, _| needed.contains(place));
    }

    pub(super) fn flow(&self, place: &Place) -> Option<Flow> {
        self.places.get(place)?.flow
    }

    /// Why it is not known where the registrar is.
    pub(super) fn error(&self, place: &Place) -> Option<&LocateError> {
        self.places.get(place)?.error.as_ref()
    }

    /// Whether one of the registrar's addresses is this.
    pub(super) fn is_at(&self, place: &Place, address: IpAddr) -> bool {
        self.places.get(place).is_some_and(|it| it.addresses.contains(&address))
    }

    /// Whether any registrar has this address.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.places.values().any(|it| it.addresses.contains(&address))
    }

    /// How many targets the registrar has.
    pub(super) fn targets(&self, place: &Place) -> usize {
        self.places.get(place).map_or(0, |it| it.targets)
    }
}

impl Switch {
    /// Begins all lookups that are wanted or due; gives the places that are known now.
    pub(super) fn locate_registrars(&mut self, now: Now) -> Vec<Place> {
        let is_due = |registrar: &Registrar| match registrar.state {
            Lookup::Wanted => true,
            Lookup::Failed { again } => again <= now.instant,
            Lookup::Pending | Lookup::Done => false,
        };
        let due = self.registrars.places.iter().filter(|(_, it)| is_due(it));
        let due: Vec<_> = due.map(|(place, it)| (place.clone(), it.uri.clone())).collect();
        let mut known = vec![];
        for (place, uri) in due {
            match self.locate(&uri, place.1.as_ref().map(AsRef::as_ref), now) {
                Located::Ready(found) => known.extend(self.registrar_at(place, found, now)),
                Located::Pending(lookup) => {
                    self.registrars.lookups.insert(lookup, place.clone());
                    if let Some(registrar) = self.registrars.places.get_mut(&place) {
                        registrar.state = Lookup::Pending;
                    }
                }
            }
        }
        known
    }

    /// Takes the end of a lookup, if it was for a registrar; gives its place when it is known now.
    pub(super) fn registrar_located(
        &mut self,
        lookup: LookupId,
        found: Result<Route, LocateError>,
        now: Now,
    ) -> Option<Place> {
        let place = self.registrars.lookups.remove(&lookup)?;
        self.registrar_at(place, found, now)
    }

    fn registrar_at(
        &mut self,
        place: Place,
        found: Result<Route, LocateError>,
        now: Now,
    ) -> Option<Place> {
        let mut route = found.as_ref().cloned().unwrap_or_default();
        let (targets, addresses) = (route.len(), route.addresses().collect::<HashSet<_>>());
        let flow = self.next_flow(&mut route);
        let wait = LOOK_AGAIN.mul_f64(1.0 + 0.5 * self.entropy.fraction());
        let registrar = self.registrars.places.get_mut(&place)?;
        if flow.is_none() {
            let error = found.err();
            let is_new = registrar.state == Lookup::Wanted || registrar.error != error;
            if is_new || registrar.state == Lookup::Pending && registrar.error.is_none() {
                let reason = error.as_ref().map(ToString::to_string);
                let reason = reason.unwrap_or_else(|| "no transport reaches it".to_owned());
                tracing::warn!(registrar = place.0, reason, "registrar not found");
            }
            registrar.error = error;
            registrar.state = Lookup::Failed { again: now.instant + wait };
            return None;
        }
        registrar.error = None;
        registrar.state = Lookup::Done;
        registrar.addresses = addresses;
        (registrar.flow, registrar.route, registrar.targets) = (flow, route, targets);
        Some(place)
    }

    /// An attempt on `flow` failed in a way that another target may not.
    pub(super) fn registrar_failed(&mut self, place: &Place, flow: Flow) -> Failover {
        let Some(registrar) = self.registrars.places.get_mut(place) else {
            return Failover::Exhausted;
        };
        match registrar.flow {
            // Somebody else found out first.
            Some(current) if current != flow => return Failover::To(current),
            _ => {}
        }
        let mut route = std::mem::take(&mut registrar.route);
        let next = self.next_flow(&mut route);
        let Some(registrar) = self.registrars.places.get_mut(place) else {
            return Failover::Exhausted;
        };
        registrar.route = route;
        match next {
            Some(next) => {
                tracing::warn!(registrar = place.0, from = %flow.peer, to = %next.peer, "failover");
                registrar.flow = Some(next);
                Failover::To(next)
            }
            None => {
                // Where it was is kept until it is known better.
                if registrar.state == Lookup::Done {
                    registrar.state = Lookup::Wanted;
                }
                Failover::Exhausted
            }
        }
    }
}

/// How long a registrar that was not found is not looked for again, plus up to half as much.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
