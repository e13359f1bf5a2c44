//! Whether contacts can be reached: each is asked with OPTIONS from time to time
//! (`qualify_frequency`), and any final answer in time means that it is there, unless `qualify_2xx_only` asks for more.
//!
//! Each contact has its own rhythm, begun at a random moment, so that a thousand phones that come
//! back with a restart are not asked at once. What is asked is bounded by what may register.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use bstr::{BStr, BString, ByteSlice};

use super::{Switch, SwitchEvent, invite::path_policy};
use crate::{
    clock::Now,
    config::{Aor, Peer, Qualify},
    entropy::Entropy,
    sip::{
        Flow, Method, NameAddr, OutgoingRequest, PathPolicy, RequestHandle, StatusCode, Uri,
        registrar::Binding,
    },
};

/// Whether a contact can be reached, as far as it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContactStatus {
    /// It is not asked, or was not yet.
    #[default]
    Unknown,
    /// It answered, this long after it was asked.
    Available {
        /// From the request to its final response.
        round_trip: Duration,
    },
    /// It did not answer in time.
    Unavailable,
}

/// An address of record and a contact of it.
type Key = (BString, String);

/// All contacts that are asked.
#[derive(Debug, Default)]
pub(super) struct Qualifier {
    contacts: HashMap<Key, Probe>,
    /// When each contact is to be asked, or not waited for any longer.
    due: BTreeSet<(Instant, Key)>,
    asked: HashMap<RequestHandle, Key>,
}

#[derive(Debug)]
struct Probe {
    settings: Qualify,
    status: ContactStatus,
    due: Instant,
    /// The OPTIONS under way, and when it was sent.
    asked: Option<(RequestHandle, Instant)>,
}

impl Qualifier {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.first().map(|&(at, _)| at)
    }

    pub(super) fn status(&self, aor: &BStr, contact: &str) -> ContactStatus {
        if self.contacts.is_empty() {
            return ContactStatus::Unknown;
        }
        let key = (aor.to_owned(), contact.to_owned());
        self.contacts.get(&key).map(|probe| probe.status).unwrap_or_default()
    }

    /// A contact is there, for the first time or again.
    fn watch(&mut self, key: Key, settings: Qualify, entropy: &mut Entropy, now: Instant) {
        if settings.frequency.is_zero() || self.contacts.contains_key(&key) {
            return;
        }
        let spread = u32::try_from(settings.frequency.as_millis()).unwrap_or(u32::MAX).max(1);
        let due = now + Duration::from_millis(u64::from(entropy.below(spread)));
        self.due.insert((due, key.clone()));
        let probe = Probe { settings, status: ContactStatus::Unknown, due, asked: None };
        self.contacts.insert(key, probe);
    }

    fn forget(&mut self, key: &Key) {
        let Some(probe) = self.contacts.remove(key) else { return };
        self.due.remove(&(probe.due, key.clone()));
        if let Some((request, _)) = probe.asked {
            self.asked.remove(&request);
        }
    }

    fn set_due(&mut self, key: &Key, due: Instant) {
        if let Some(probe) = self.contacts.get_mut(key) {
            self.due.remove(&(probe.due, key.clone()));
            probe.due = due;
            self.due.insert((due, key.clone()));
        }
    }
}

impl Switch {
    /// Asks after the contacts that the configuration names.
    pub(super) fn watch_fixed_contacts(&mut self, now: Now) {
        let sip = Arc::clone(&self.config.sip);
        for aor in sip.aors.iter() {
            for contact in &aor.contacts {
                let contact = contact.to_str_lossy();
                let is_address = Uri::parse(&contact).is_ok_and(|uri| uri.socket_addr().is_some());
                if !is_address && !aor.qualify.frequency.is_zero() {
                    tracing::warn!(
                        aor = %aor.name, %contact,
                        "qualify_frequency: a contact with a host name is not asked"
                    );
                    continue;
                }
                self.watch_contact(aor.name.as_bstr(), &contact, now);
            }
        }
    }

    /// The settings changed: contacts that are gone, or are to be asked otherwise, are forgotten, and
    /// those that are there are asked after.
    pub(super) fn review_contacts(&mut self, now: Now) {
        let sip = Arc::clone(&self.config.sip);
        let bound = |aor: &BStr, contact: &str| {
            let bindings = self.registrar.bindings(aor, now.instant);
            bindings.iter().any(|binding| binding.contact().as_str() == contact)
        };
        let stays = |(name, contact): &Key, probe: &Probe| {
            sip.aors.get(name.as_bstr()).is_some_and(|aor| {
                aor.qualify == probe.settings
                    && (aor.contacts.iter().any(|it| it == contact)
                        || bound(name.as_bstr(), contact))
            })
        };
        let contacts = self.qualifier.contacts.iter();
        let gone = contacts.filter(|(key, probe)| !stays(key, probe));
        let gone: Vec<Key> = gone.map(|(key, _)| key.clone()).collect();
        gone.iter().for_each(|key| self.qualifier.forget(key));
        self.watch_fixed_contacts(now);
        let contact = |binding: &Binding| binding.contact().as_str().to_owned();
        let bound = self.registrar.iter().flat_map(|(aor, bindings)| {
            bindings.iter().map(move |binding| (aor.to_owned(), contact(binding)))
        });
        for (aor, contact) in bound.collect::<Vec<_>>() {
            self.watch_contact(aor.as_bstr(), &contact, now);
        }
    }

    /// A contact registered.
    pub(super) fn watch_contact(&mut self, aor: &BStr, contact: &str, now: Now) {
        let Some(settings) = self.config.sip.aors.get(aor).map(|aor| aor.qualify) else { return };
        let key = (aor.to_owned(), contact.to_owned());
        self.qualifier.watch(key, settings, &mut self.entropy, now.instant);
    }

    /// A contact is gone, unless another phone has the same.
    pub(super) fn unwatch_contact(&mut self, aor: &BStr, contact: &str, now: Now) {
        let key = (aor.to_owned(), contact.to_owned());
        let bound = self.registrar.bindings(aor, now.instant);
        if !bound.iter().any(|binding| binding.contact().as_str() == contact) {
            self.qualifier.forget(&key);
        }
    }

    /// Asks those whose time has come, and gives up waiting for those that did not answer.
    pub(super) fn qualify_due(&mut self, now: Now) {
        while let Some((at, key)) = self.qualifier.due.first().cloned() {
            if at > now.instant {
                return;
            }
            let Some(probe) = self.qualifier.contacts.get_mut(&key) else {
                self.qualifier.due.pop_first();
                continue;
            };
            let Qualify { frequency, timeout, .. } = probe.settings;
            match probe.asked.take() {
                Some((request, _)) => {
                    self.qualifier.asked.remove(&request);
                    let rest = frequency.saturating_sub(timeout).max(SHORTEST);
                    self.qualifier.set_due(&key, now.instant + rest);
                    self.set_contact_status(&key, ContactStatus::Unavailable);
                }
                None => {
                    let asked = self.ask(&key, now);
                    if let Some(probe) = self.qualifier.contacts.get_mut(&key) {
                        probe.asked = asked.map(|request| (request, now.instant));
                    }
                    if let Some(request) = asked {
                        self.qualifier.asked.insert(request, key.clone());
                    }
                    // With no way to ask, or no room for it, the next time is soon enough.
                    let wait = if asked.is_some() { timeout } else { frequency };
                    self.qualifier.set_due(&key, now.instant + wait.max(SHORTEST));
                }
            }
        }
    }

    /// An OPTIONS of ours was answered, or can not be; `false` when the request was another one.
    pub(super) fn qualified(
        &mut self,
        request: RequestHandle,
        answer: Option<StatusCode>,
        now: Now,
    ) -> bool {
        let Some(key) = self.qualifier.asked.remove(&request) else { return false };
        let Some(probe) = self.qualifier.contacts.get_mut(&key) else { return true };
        let Some((_, sent)) = probe.asked.take() else { return true };
        let only_success = probe.settings.only_success;
        let round_trip = now.instant.saturating_duration_since(sent);
        let rest = probe.settings.frequency.saturating_sub(round_trip).max(SHORTEST);
        self.qualifier.set_due(&key, now.instant + rest);
        let status = match answer.is_some_and(|status| status.is_success() || !only_success) {
            true => ContactStatus::Available { round_trip },
            false => ContactStatus::Unavailable,
        };
        self.set_contact_status(&key, status);
        true
    }

    fn set_contact_status(&mut self, key: &Key, status: ContactStatus) {
        let Some(probe) = self.qualifier.contacts.get_mut(key) else { return };
        let before = std::mem::replace(&mut probe.status, status);
        if std::mem::discriminant(&before) == std::mem::discriminant(&status) {
            return;
        }
        let (aor, contact) = key.clone();
        tracing::info!(%aor, contact, ?status, "contact");
        self.tell(SwitchEvent::ContactStatus { aor, contact, status });
    }

    /// Sends the OPTIONS to a contact; `None` when there is no way to it now.
    fn ask(&mut self, (aor, contact): &Key, now: Now) -> Option<RequestHandle> {
        let sip = Arc::clone(&self.config.sip);
        let target = Uri::parse(contact).ok()?;
        let peer = sip.peers.iter().find(|peer| peer.aors.contains(aor));
        let aor = sip.aors.get(aor.as_bstr())?;
        let (flow, routes) = self.way_to_contact(aor, peer, &target, now)?;
        let from = NameAddr::new(Uri::sip_at(FROM, flow.local));
        let mut options = OutgoingRequest::new(Method::Options, target, flow, from);
        options.routes = routes;
        self.endpoint.send_request(options, now.instant).ok()
    }

    /// The way to a contact of an address of record: the flow, and the proxies on it. `None` when
    /// there is none now.
    pub(super) fn way_to_contact(
        &self,
        aor: &Aor,
        peer: Option<&Peer>,
        contact: &Uri,
        now: Now,
    ) -> Option<(Flow, Vec<NameAddr>)> {
        let bound = self.registrar.bindings(aor.name.as_bstr(), now.instant);
        let bound = bound.into_iter().find(|it| it.contact().as_str() == contact.as_str());
        if let Some(binding) = bound {
            return Some(self.way_to_binding(binding, peer));
        }
        let transport = peer.and_then(|peer| peer.transport.as_ref());
        Some((self.flow_to(contact, transport.map(AsRef::as_ref)).ok()?, vec![]))
    }

    /// The way to a contact that registered: by its Path, if that was kept (RFC 3327 §5.3). Behind
    /// proxies the address that the registration came from is the last proxy's, not the phone's.
    pub(super) fn way_to_binding(
        &self,
        binding: &Binding,
        peer: Option<&Peer>,
    ) -> (Flow, Vec<NameAddr>) {
        let flow = match (binding.path().first(), peer) {
            (Some(proxy), _) => self.endpoint.path_to(proxy, binding.flow(), PathPolicy::Auto),
            (None, Some(peer)) => {
                self.endpoint.path_to(binding.contact(), binding.flow(), path_policy(peer))
            }
            (None, None) => binding.flow(),
        };
        (flow, binding.path().iter().cloned().map(NameAddr::new).collect())
    }
}

/// Who asks.
const FROM: &[u8] = b"diesis";

/// Nobody is asked more often, whatever the settings say.
const SHORTEST: Duration = Duration::from_millis(500);
