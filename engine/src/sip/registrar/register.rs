//! What one REGISTER does to the bindings of its address of record.

use std::time::{Duration, Instant};

use super::binding::Binding;
use super::{
    AorSettings, BindingChange, ContactMatching, Paths, RegistrarSettings, WhenFull, WhenTooBrief,
};
use crate::sip::{
    Contacts, Flow, HeaderName, Host, NameAddrRef, Request, Response, Scheme, StatusCode, Uri,
};

/// A REGISTER and what it is judged by.
pub(super) struct Update<'a> {
    pub(super) settings: &'a AorSettings,
    pub(super) registrar: &'a RegistrarSettings,
    pub(super) request: &'a Request,
    pub(super) flow: Flow,
    pub(super) now: Instant,
}

/// Why a REGISTER is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// `*` without `Expires: 0`.
    Star,
    /// A contact that is no SIP URI, or more contacts than can be bound.
    Contact,
    /// The contact is this server, or its Path leads here.
    Ourselves,
    /// A Path of something else than SIP, or longer than any is.
    BadPath,
    /// Path is required and not supported.
    Path,
    /// No room.
    Full,
    /// Less than the minimum was asked for.
    TooBrief,
    /// An older request than one that has taken effect.
    OutOfOrder,
}

type Changes = Vec<(String, BindingChange)>;

impl Update<'_> {
    /// The bindings after this request, and what changed; the old ones are left alone.
    pub(super) fn apply(&self, current: &[Binding]) -> Result<(Vec<Binding>, Changes), Refusal> {
        if self.settings.paths == Paths::Ignored && self.request.requires("path") {
            return Err(Refusal::Path);
        }
        match self.request.contacts() {
            Contacts::Star => self.remove_all(current),
            Contacts::List(contacts) => self.update(current, &contacts),
        }
    }

    fn remove_all(&self, current: &[Binding]) -> Result<(Vec<Binding>, Changes), Refusal> {
        if self.request.expires() != Some(Duration::ZERO) {
            return Err(Refusal::Star);
        }
        current.iter().try_for_each(|binding| self.check_order(binding))?;
        let removed = |binding: &Binding| (name(binding), BindingChange::Removed);
        Ok((vec![], current.iter().map(removed).collect()))
    }

    fn update(
        &self,
        current: &[Binding],
        contacts: &[NameAddrRef<'_>],
    ) -> Result<(Vec<Binding>, Changes), Refusal> {
        if contacts.len() > self.registrar.max_contacts {
            return Err(Refusal::Contact);
        }
        let mut bindings = current.to_vec();
        let mut changes = Changes::new();
        for contact in contacts {
            let expiration = self.expiration(contact)?;
            let found = bindings.iter().position(|binding| self.is_same(binding, contact));
            if let Some(binding) = found.and_then(|at| bindings.get(at)) {
                self.check_order(binding)?;
            }
            let old = found.map(|at| bindings.remove(at));
            if expiration.is_zero() {
                changes.extend(old.map(|old| (name(&old), BindingChange::Removed)));
                continue;
            }
            let change = match old {
                Some(_) => BindingChange::Refreshed,
                None => BindingChange::Added,
            };
            let binding = self.bind(contact, expiration)?;
            changes.push((name(&binding), change));
            bindings.push(binding);
        }
        self.make_room(&mut bindings, &mut changes)?;
        Ok((bindings, changes))
    }

    /// Refuses, or removes the oldest of those this request did not touch.
    fn make_room(&self, bindings: &mut Vec<Binding>, changes: &mut Changes) -> Result<(), Refusal> {
        let is_mine = |change: &BindingChange| {
            matches!(change, BindingChange::Added | BindingChange::Refreshed)
        };
        let mine = changes.iter().filter(|(_, change)| is_mine(change)).count();
        let room = self.settings.max_contacts.min(self.registrar.max_contacts);
        if bindings.len() <= room || mine == 0 {
            return Ok(());
        }
        if mine > room {
            return Err(Refusal::Full);
        }
        let is_deserted = |binding: &Binding| {
            self.settings.deserted.iter().any(|contact| contact == binding.contact.as_str())
        };
        let may_go = |binding: &Binding| {
            self.settings.when_full == WhenFull::ReplaceOldest || is_deserted(binding)
        };
        while bindings.len() > room {
            // What this request bound was pushed last.
            let old = bindings.get(..bindings.len().saturating_sub(mine)).unwrap_or_default();
            let may_go = old.iter().enumerate().filter(|(_, binding)| may_go(binding));
            let oldest = may_go.min_by_key(|(_, binding)| (!is_deserted(binding), binding.expires));
            let Some((at, _)) = oldest else { return Err(Refusal::Full) };
            let replaced = bindings.remove(at);
            changes.push((name(&replaced), BindingChange::Replaced));
        }
        Ok(())
    }

    /// How long a contact is to be bound; zero takes it away.
    fn expiration(&self, contact: &NameAddrRef<'_>) -> Result<Duration, Refusal> {
        let settings = self.settings;
        let wish = contact.expires().or_else(|| self.request.expires());
        let wish = wish.unwrap_or(settings.default_expiration);
        if wish.is_zero() || wish >= settings.minimum_expiration {
            return Ok(wish.min(settings.maximum_expiration));
        }
        match settings.when_too_brief {
            WhenTooBrief::Raise => Ok(settings.minimum_expiration),
            WhenTooBrief::Refuse => Err(Refusal::TooBrief),
        }
    }

    /// A request changes a binding only if it is newer than the one that made it
    /// (RFC 3261 §10.3 step 7).
    fn check_order(&self, binding: &Binding) -> Result<(), Refusal> {
        let is_other = self.request.call_id() != Some(&binding.call_id);
        let is_newer = self.request.cseq().is_some_and(|cseq| cseq.number > binding.cseq);
        if is_other || is_newer { Ok(()) } else { Err(Refusal::OutOfOrder) }
    }

    fn is_same(&self, binding: &Binding, contact: &NameAddrRef<'_>) -> bool {
        // An instance with a flow number is one binding, however its address changes
        // (RFC 5626 §6).
        let (instance, id) = (instance(contact), registration_id(contact));
        if instance.is_some() && id.is_some() {
            return binding.instance == instance && binding.registration_id == id;
        }
        let source_agrees = match self.settings.matching {
            ContactMatching::Uri => true,
            ContactMatching::UriAndSource => binding.flow.peer.ip() == self.flow.peer.ip(),
        };
        source_agrees && binding.contact.as_ref().is_equivalent(contact.uri())
    }

    fn bind(&self, contact: &NameAddrRef<'_>, expiration: Duration) -> Result<Binding, Refusal> {
        let uri = contact.uri();
        if !matches!(uri.scheme(), Scheme::Sip | Scheme::Sips) {
            return Err(Refusal::Contact);
        }
        let maddr = uri.maddr().and_then(Host::parse).and_then(Host::address);
        let target = uri.socket_addr().map(|mut target| {
            target.set_ip(maddr.unwrap_or_else(|| target.ip()));
            target
        });
        let target = match self.settings.matching {
            ContactMatching::Uri => target,
            // Requests go to where the REGISTER came from. A private address far away may well be
            // the same as ours.
            ContactMatching::UriAndSource => Some(self.flow.peer),
        };
        if target.is_some_and(|target| self.registrar.local.contains(&target)) {
            return Err(Refusal::Ourselves);
        }
        let path = match self.settings.paths {
            Paths::Kept => self.path()?,
            Paths::Ignored => vec![],
        };
        let user_agent = self.request.user_agent().unwrap_or_default();
        Ok(Binding {
            contact: uri.to_owned(),
            flow: self.flow,
            expires: self.now + expiration,
            registered: self.now,
            q: contact.q().unwrap_or(1000),
            call_id: self.request.call_id().unwrap_or_default().to_owned(),
            cseq: self.request.cseq().map_or(0, |cseq| cseq.number),
            instance: instance(contact),
            registration_id: registration_id(contact),
            path,
            user_agent: String::from_utf8_lossy(user_agent).chars().take(128).collect(),
        })
    }
}

impl Update<'_> {
    /// The proxies to go through. One that is ourselves would have us call ourselves for ever.
    fn path(&self) -> Result<Vec<Uri>, Refusal> {
        let mut path = vec![];
        for address in self.request.addresses(HeaderName::Path) {
            let proxy = address.uri();
            if path.len() == MAX_PATH || !matches!(proxy.scheme(), Scheme::Sip | Scheme::Sips) {
                return Err(Refusal::BadPath);
            }
            if proxy.socket_addr().is_some_and(|at| self.registrar.local.contains(&at)) {
                return Err(Refusal::Ourselves);
            }
            path.push(proxy.to_owned());
        }
        Ok(path)
    }
}

impl Refusal {
    pub(super) fn response(self, request: &Request, settings: &AorSettings) -> Response {
        let (status, reason) = match self {
            Self::Star => (StatusCode::BAD_REQUEST, "Bad Request (* needs Expires: 0)"),
            Self::Contact => (StatusCode::BAD_REQUEST, "Bad Request (Contact)"),
            Self::Ourselves => (StatusCode::FORBIDDEN, "Forbidden (Contact is this server)"),
            Self::BadPath => (StatusCode::BAD_REQUEST, "Bad Request (Path)"),
            Self::Path => (StatusCode::BAD_EXTENSION, "Bad Extension"),
            Self::Full => (StatusCode::FORBIDDEN, "Forbidden (too many contacts)"),
            Self::TooBrief => (StatusCode::INTERVAL_TOO_BRIEF, "Interval Too Brief"),
            Self::OutOfOrder => {
                (StatusCode::SERVER_INTERNAL_ERROR, "Server Internal Error (CSeq out of order)")
            }
        };
        let response = Response::to(request, status).with_reason(reason);
        match self {
            Self::TooBrief => {
                response.with(HeaderName::MinExpires, settings.minimum_expiration.as_secs())
            }
            Self::Path => response.with(HeaderName::Unsupported, "path"),
            _ => response,
        }
    }
}

/// The 200 that lists all bindings (RFC 3261 §10.3 step 8).
pub(super) fn accept(
    request: &Request,
    bindings: &[Binding],
    settings: &AorSettings,
    now: Instant,
) -> Response {
    let mut response = Response::to(request, StatusCode::OK);
    for binding in bindings {
        let mut contact =
            format!("<{}>;expires={}", binding.contact, binding.remaining(now).as_secs());
        if binding.q != 1000 {
            contact.push_str(&format!(";q=0.{:03}", binding.q));
        }
        if let Some(instance) = &binding.instance {
            contact.push_str(&format!(";+sip.instance=\"<{instance}>\""));
        }
        if let Some(id) = binding.registration_id {
            contact.push_str(&format!(";reg-id={id}"));
        }
        response.push(HeaderName::Contact, contact);
    }
    if settings.paths == Paths::Kept && request.supports("path") {
        response.copy(HeaderName::Path, request.headers());
    }
    response
}

/// Proxies of one Path.
const MAX_PATH: usize = 8;

fn name(binding: &Binding) -> String {
    binding.contact.as_str().to_owned()
}

/// The instance identifier, without its angle brackets.
fn instance(contact: &NameAddrRef<'_>) -> Option<String> {
    let value = contact.params().get("+sip.instance")?;
    let value = value.strip_prefix('<').and_then(|it| it.strip_suffix('>')).unwrap_or(value);
    let is_plain = value.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\".contains(&b));
    (is_plain && (1..=128).contains(&value.len())).then(|| value.to_owned())
}

fn registration_id(contact: &NameAddrRef<'_>) -> Option<u32> {
    contact.params().get("reg-id")?.parse().ok().filter(|&id| id > 0)
}
