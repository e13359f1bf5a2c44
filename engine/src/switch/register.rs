//! REGISTER: which address of record a peer may bind, and what is told about it.

use std::{net::SocketAddr, sync::Arc};

use bstr::{BStr, ByteSlice};

use super::{ContactStatus, Switch, SwitchConfig, SwitchEvent, addresses::public_addresses};
use crate::{
    clock::Now,
    config::{Aor, Expiration, Peer, SipSettings},
    printable::Printable,
    sip::{
        self, HeaderName, Request, Response, StatusCode,
        registrar::{self, AorSettings, BindingChange, Registrar, RegistrarSettings, WhenTooBrief},
    },
};

/// A registrar without bindings.
pub(super) fn registrar(config: &SwitchConfig) -> Registrar {
    let local = own_addresses(&config.sip).collect();
    Registrar::new(RegistrarSettings { local, ..RegistrarSettings::default() })
}

/// Our addresses, as far as the configuration tells.
fn own_addresses(settings: &SipSettings) -> impl Iterator<Item = SocketAddr> {
    let public = public_addresses(settings).into_iter().map(|address| address.public);
    settings.transports.iter().map(|transport| transport.bind).chain(public)
}

impl Switch {
    /// Takes a REGISTER of a peer that was let in: it may bind its own addresses of record only.
    pub(super) fn register(
        &mut self,
        peer: &Peer,
        request: &Request,
        flow: &sip::Flow,
        now: Now,
    ) -> (StatusCode, sip::Headers) {
        let to = request.to_header().and_then(|to| to.uri().user_decoded());
        let Some(name) = to else { return refused(StatusCode::NOT_FOUND) };
        let name = BStr::new(&name);
        let sip = Arc::clone(&self.config.sip);
        let Some(aor) = sip.aors.get(name) else {
            tracing::info!(peer = %peer.name, aor = %Printable(name), "no such address of record");
            return refused(StatusCode::NOT_FOUND);
        };
        if !peer.aors.iter().any(|own| own == name) {
            tracing::warn!(peer = %peer.name, aor = %Printable(name), "may not register this address of record");
            return refused(StatusCode::FORBIDDEN);
        }
        if !contacts_are_open(&sip, peer, request, flow) {
            tracing::warn!(peer = %peer.name, aor = %Printable(name), "may not register contacts there");
            return refused(StatusCode::FORBIDDEN);
        }
        self.note_local(flow);
        let mut settings = settings(aor, peer);
        if aor.remove_unavailable {
            let bound = self.registrar.bindings(name, now.instant);
            let contacts = bound.iter().map(|binding| binding.contact().as_str());
            let silent =
                |contact: &&str| self.qualifier.status(name, contact) == ContactStatus::Unavailable;
            settings.deserted = contacts.filter(silent).map(str::to_owned).collect();
        }
        let response = self.registrar.handle_register(name, &settings, request, *flow, now.instant);
        self.tell_bindings(now);
        (response.status(), extra_headers(&response))
    }

    /// Lets go of the registrations that were not refreshed.
    pub(super) fn expire_bindings(&mut self, now: Now) {
        self.registrar.handle_timeout(now.instant);
        self.tell_bindings(now);
    }

    /// The settings changed: addresses of record that are gone lose their bindings. Those that stay
    /// keep them until they expire, also where there would be no more room for as many. Returns how
    /// many contacts were bound to those that went.
    pub(super) fn review_bindings(&mut self, now: Now) -> usize {
        let sip = Arc::clone(&self.config.sip);
        let gone = self.registrar.iter().filter(|(aor, _)| sip.aors.get(aor).is_none());
        let gone: Vec<_> = gone.map(|(aor, bound)| (aor.to_owned(), bound.len())).collect();
        for (aor, _) in &gone {
            self.registrar.remove(aor.as_bstr());
        }
        let own = own_addresses(&sip).chain(self.locals.iter().copied());
        self.registrar.set_local(own.collect());
        self.tell_bindings(now);
        gone.iter().map(|(_, bound)| bound).sum()
    }

    fn tell_bindings(&mut self, now: Now) {
        while let Some(change) = self.registrar.poll_event() {
            let registrar::RegistrarEvent { aor, contact, change } = change;
            self.records.note(aor.as_bstr(), now);
            if change != BindingChange::Refreshed {
                self.devices.touch_aor(aor.as_bstr());
            }
            match change {
                BindingChange::Added | BindingChange::Refreshed => {
                    let bindings = self.registrar.bindings(aor.as_bstr(), now.instant);
                    let bound = bindings.iter().find(|bound| bound.contact().as_str() == contact);
                    let expires = bound
                        .map_or(std::time::Duration::ZERO, |bound| bound.remaining(now.instant));
                    if change == BindingChange::Added {
                        tracing::info!(%aor, contact, expires = expires.as_secs(), "registered");
                    }
                    self.watch_contact(aor.as_bstr(), &contact, now);
                    if change == BindingChange::Added {
                        self.greet_contact(aor.as_bstr(), &contact, now);
                    }
                    self.tell(SwitchEvent::Registered { aor, contact, expires });
                }
                BindingChange::Removed | BindingChange::Replaced | BindingChange::Expired => {
                    tracing::info!(%aor, contact, ?change, "no longer registered");
                    self.unwatch_contact(aor.as_bstr(), &contact, now);
                    self.tell(SwitchEvent::Unregistered { aor, contact });
                }
            }
        }
    }

    /// Remembers an address of ours: a contact there would have us call ourselves.
    fn note_local(&mut self, flow: &sip::Flow) {
        if !self.locals.contains(&flow.local) {
            self.locals.push(flow.local);
            let own = own_addresses(&self.config.sip).chain(self.locals.iter().copied());
            self.registrar.set_local(own.collect());
        }
    }
}

/// Whether all contacts of a REGISTER are where they may be. A contact that is called where the
/// request came from is there; one with the name of a host could be anywhere.
fn contacts_are_open(sip: &SipSettings, peer: &Peer, request: &Request, flow: &sip::Flow) -> bool {
    let lists = [&sip.contact_access, &peer.contact_access];
    if !lists.iter().any(|list| list.is_limited()) {
        return true;
    }
    let source = flow.peer.ip();
    let sip::Contacts::List(contacts) = request.contacts() else { return true };
    let address = |uri: sip::UriRef<'_>| match peer.rewrite_contact {
        true => Some(source),
        false => uri.socket_addr().map(|at| at.ip()),
    };
    contacts.iter().all(|contact| {
        let address = address(contact.uri());
        address.is_some_and(|address| lists.iter().all(|list| list.permits(address)))
    })
}

fn refused(status: StatusCode) -> (StatusCode, sip::Headers) {
    (status, sip::Headers::default())
}

fn settings(aor: &Aor, peer: &Peer) -> AorSettings {
    let Expiration { minimum, default, maximum } = aor.expiration;
    AorSettings {
        max_contacts: aor.max_contacts,
        when_full: aor.when_full,
        minimum_expiration: minimum,
        default_expiration: default,
        maximum_expiration: maximum,
        when_too_brief: WhenTooBrief::Refuse,
        matching: match peer.rewrite_contact {
            true => registrar::ContactMatching::UriAndSource,
            false => registrar::ContactMatching::Uri,
        },
        paths: match aor.support_path {
            true => registrar::Paths::Kept,
            false => registrar::Paths::Ignored,
        },
        deserted: vec![],
    }
}

/// What the registrar's response has beside the headers that the stack writes itself.
fn extra_headers(response: &Response) -> sip::Headers {
    let mut headers = sip::Headers::default();
    for name in EXTRA {
        headers.copy(name, response.headers());
    }
    headers
}

const EXTRA: [HeaderName; 7] = [
    HeaderName::Contact,
    HeaderName::Path,
    HeaderName::MinExpires,
    HeaderName::Date,
    HeaderName::Require,
    HeaderName::Unsupported,
    HeaderName::RetryAfter,
];
