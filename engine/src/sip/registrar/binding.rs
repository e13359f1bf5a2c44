//! One contact of an address of record.

use std::time::{Duration, Instant};

use crate::sip::{Flow, Uri};

/// A contact bound to an address of record for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub(super) contact: Uri,
    pub(super) flow: Flow,
    pub(super) expires: Instant,
    pub(super) registered: Instant,
    pub(super) q: u16,
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) instance: Option<String>,
    pub(super) registration_id: Option<u32>,
    pub(super) path: Vec<Uri>,
    pub(super) user_agent: String,
}

impl Binding {
    /// Where requests go: the Contact URI as registered.
    pub fn contact(&self) -> &Uri {
        &self.contact
    }

    /// How the REGISTER came. Behind a translator this, not the contact, is what can be reached.
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// When the binding ends.
    pub fn expires(&self) -> Instant {
        self.expires
    }

    /// When it was last registered.
    pub fn registered(&self) -> Instant {
        self.registered
    }

    /// How long it still holds, in whole seconds, rounded up: a live binding never shows 0.
    pub fn remaining(&self, now: Instant) -> Duration {
        let left = self.expires.saturating_duration_since(now);
        let started = u64::from(left.subsec_nanos() > 0);
        Duration::from_secs(left.as_secs() + started)
    }

    /// The preference in thousandths; 1000 when the contact says nothing.
    pub fn q(&self) -> u16 {
        self.q
    }

    /// The instance identifier (`+sip.instance`), without angle brackets or quotes.
    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// The flow number within an instance (`reg-id`, RFC 5626 §4.2).
    pub fn registration_id(&self) -> Option<u32> {
        self.registration_id
    }

    /// The proxies to go through, nearest to us first (RFC 3327): the route set of requests.
    pub fn path(&self) -> &[Uri] {
        &self.path
    }

    /// What the phone calls itself; at most 128 characters of it.
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// The Call-ID it was last registered under.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// All there is to it, to be kept elsewhere.
    pub fn facts(&self) -> BindingFacts {
        let Self { contact, flow, expires, registered, q, .. } = self;
        BindingFacts {
            contact: contact.clone(),
            flow: *flow,
            expires: *expires,
            registered: *registered,
            q: *q,
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            instance: self.instance.clone(),
            registration_id: self.registration_id,
            path: self.path.clone(),
            user_agent: self.user_agent.clone(),
        }
    }
}

/// What a [`Binding`] is made of, for those who keep it across a restart. See the verbs of the same
/// names there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the verb of that name of `Binding`")]
pub struct BindingFacts {
    pub contact: Uri,
    pub flow: Flow,
    pub expires: Instant,
    pub registered: Instant,
    pub q: u16,
    pub call_id: String,
    pub cseq: u32,
    pub instance: Option<String>,
    pub registration_id: Option<u32>,
    pub path: Vec<Uri>,
    pub user_agent: String,
}

impl From<BindingFacts> for Binding {
    fn from(facts: BindingFacts) -> Self {
        Self {
            contact: facts.contact,
            flow: facts.flow,
            expires: facts.expires,
            registered: facts.registered,
            q: facts.q,
            call_id: facts.call_id,
            cseq: facts.cseq,
            instance: facts.instance,
            registration_id: facts.registration_id,
            path: facts.path,
            user_agent: facts.user_agent,
        }
    }
}
