//! Who watches extensions and waits for messages: SUBSCRIBE taken or refused, and NOTIFYs filled.
//!
//! The stack has the subscriptions themselves and says when one is to be told; what it is told is
//! read at that moment from the hints and the mailboxes. Peers prove themselves with SUBSCRIBE as
//! with INVITE: see `admission`.

mod bodies;
mod mailboxes;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
};

use bstr::{BString, ByteSlice};

pub use mailboxes::MailboxError;

use super::{
    Switch, admission::response_port, device_state::Place, invite::path_policy,
    view::SubscriptionView,
};
use crate::{
    clock::Now,
    config::{Mailbox, Peer, SipSettings},
    presence::{DialogInfo, MessageSummary, Pidf, RingingWhileInUse},
    printable::Printable,
    sip::{
        self, HeaderName, Request, StatusCode, Subscribe, SubscriptionEnd, SubscriptionExpiration,
        SubscriptionHandle, SubscriptionTerms, Termination, TransactionHandle, VerbError,
    },
};

/// All subscriptions, and the mailboxes that some are about.
#[derive(Debug)]
pub(super) struct Subscriptions {
    watchers: HashMap<SubscriptionHandle, Watcher>,
    of_place: HashMap<Place, BTreeSet<SubscriptionHandle>>,
    of_mailbox: HashMap<Mailbox, BTreeSet<SubscriptionHandle>>,
    /// The oldest first.
    of_peer: HashMap<BString, VecDeque<SubscriptionHandle>>,
    mailboxes: mailboxes::Mailboxes,
}

/// Somebody who is told.
#[derive(Debug)]
struct Watcher {
    peer: BString,
    source: SocketAddr,
    /// What it watches as NOTIFYs name it: `sip:1001@192.0.2.1`.
    entity: String,
    watched: Watched,
}

/// What is watched.
#[derive(Debug)]
enum Watched {
    Extension {
        kind: Kind,
        /// As it was asked for.
        context: BString,
        extension: BString,
        /// Where its hint stands.
        place: Place,
        /// The number of the next body.
        version: u32,
        ringing_while_in_use: RingingWhileInUse,
    },
    Messages {
        mailboxes: Vec<Mailbox>,
        /// Where they are heard.
        account: Option<String>,
    },
}

/// How an extension is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dialog,
    Presence,
}

/// The event packages (RFC 6665 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Package {
    Extension(Kind),
    Messages,
}

impl Package {
    fn of(name: &str) -> Option<Self> {
        match name {
            "dialog" => Some(Self::Extension(Kind::Dialog)),
            "presence" => Some(Self::Extension(Kind::Presence)),
            "message-summary" => Some(Self::Messages),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Extension(Kind::Dialog) => "dialog",
            Self::Extension(Kind::Presence) => "presence",
            Self::Messages => "message-summary",
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Extension(Kind::Dialog) => DialogInfo::MEDIA_TYPE,
            Self::Extension(Kind::Presence) => Pidf::MEDIA_TYPE,
            Self::Messages => MessageSummary::MEDIA_TYPE,
        }
    }
}

/// How a SUBSCRIBE is refused.
type Refusal = (StatusCode, sip::Headers);

impl Subscriptions {
    pub(super) fn new(sip: &SipSettings) -> Self {
        Self {
            watchers: HashMap::new(),
            of_place: HashMap::new(),
            of_mailbox: HashMap::new(),
            of_peer: HashMap::new(),
            mailboxes: mailboxes::Mailboxes::new(sip),
        }
    }

    /// How many watch an extension.
    pub(super) fn watchers_of(&self, place: &Place) -> usize {
        self.of_place.get(place).map_or(0, BTreeSet::len)
    }

    fn insert(&mut self, handle: SubscriptionHandle, watcher: Watcher) {
        match &watcher.watched {
            Watched::Extension { place, .. } => {
                self.of_place.entry(place.clone()).or_default().insert(handle);
            }
            Watched::Messages { mailboxes, .. } => {
                for mailbox in mailboxes {
                    self.of_mailbox.entry(mailbox.clone()).or_default().insert(handle);
                }
            }
        }
        self.of_peer.entry(watcher.peer.clone()).or_default().push_back(handle);
        self.watchers.insert(handle, watcher);
    }

    fn remove(&mut self, handle: SubscriptionHandle) -> Option<Watcher> {
        let watcher = self.watchers.remove(&handle)?;
        match &watcher.watched {
            Watched::Extension { place, .. } => leave(&mut self.of_place, place, handle),
            Watched::Messages { mailboxes, .. } => {
                mailboxes.iter().for_each(|it| leave(&mut self.of_mailbox, it, handle));
            }
        }
        if let Some(of_peer) = self.of_peer.get_mut(&watcher.peer) {
            of_peer.retain(|&it| it != handle);
            if of_peer.is_empty() {
                self.of_peer.remove(&watcher.peer);
            }
        }
        Some(watcher)
    }
}

fn leave<K: std::hash::Hash + Eq>(
    watchers: &mut HashMap<K, BTreeSet<SubscriptionHandle>>,
    key: &K,
    handle: SubscriptionHandle,
) {
    if let Some(set) = watchers.get_mut(key) {
        set.remove(&handle);
        if set.is_empty() {
            watchers.remove(key);
        }
    }
}

impl Switch {
    /// Takes a SUBSCRIBE outside any dialog, of a peer that was let in.
    pub(super) fn take_subscribe(
        &mut self,
        peer: &Peer,
        transaction: TransactionHandle,
        request: &Request,
        flow: sip::Flow,
        now: Now,
    ) {
        let (status, headers) = match self.subscribe(peer, transaction, request, flow, now) {
            Ok(()) => return,
            Err(refusal) => refusal,
        };
        let event = request.text(HeaderName::Event).unwrap_or_default();
        tracing::info!(
            peer = %peer.name, event = %Printable(event.as_bytes()), status = status.code(),
            of = %Printable(request.uri().as_str().as_bytes()), "subscription refused"
        );
        // Gone means that the transaction ended before us.
        let _ = self.endpoint.respond(transaction, status, &headers, None, now.instant);
    }

    fn subscribe(
        &mut self,
        peer: &Peer,
        transaction: TransactionHandle,
        request: &Request,
        flow: sip::Flow,
        now: Now,
    ) -> Result<(), Refusal> {
        let subscribe = Subscribe::read(request).map_err(bad_event)?;
        let package = Package::of(&subscribe.package);
        let package = package.ok_or_else(|| bad_event(StatusCode::BAD_EVENT))?;
        if !peer.watching.is_allowed {
            return Err(refused(StatusCode::DECLINE));
        }
        if !Subscribe::accepts(request, package.media_type()) {
            let mut headers = sip::Headers::default();
            headers.push(HeaderName::Accept, package.media_type());
            return Err((StatusCode::NOT_ACCEPTABLE, headers));
        }
        let watched = match package {
            Package::Extension(kind) => self.watched_extension(kind, peer, request, now)?,
            Package::Messages => self.watched_messages(peer, request)?,
        };
        let (user, host) = (request.uri().user().unwrap_or_default(), request.uri().host());
        let host = host.map(|host| host.to_string()).unwrap_or_default();
        let watcher = Watcher {
            peer: peer.name.clone(),
            source: flow.peer,
            entity: if user.is_empty() {
                format!("sip:{host}")
            } else {
                format!("sip:{user}@{host}")
            },
            watched,
        };
        let expiration =
            SubscriptionExpiration { minimum: peer.watching.shortest, ..Default::default() };
        let terms = SubscriptionTerms {
            flow,
            path: path_policy(peer),
            response_port: response_port(peer),
            expiration,
        };
        match self.endpoint.accept_subscription(transaction, terms, now.instant) {
            Ok(Some(handle)) => {
                tracing::debug!(peer = %peer.name, package = package.name(), of = watcher.entity, "subscription");
                self.make_room_for(peer, now);
                self.subscriptions.insert(handle, watcher);
                Ok(())
            }
            // The stack has refused it, or its sender has given up.
            Ok(None) | Err(VerbError::Gone) => Ok(()),
            Err(_) => Err((StatusCode::SERVICE_UNAVAILABLE, self.retry_after())),
        }
    }

    fn watched_extension(
        &mut self,
        kind: Kind,
        peer: &Peer,
        request: &Request,
        now: Now,
    ) -> Result<Watched, Refusal> {
        let user = request.uri().user_decoded().filter(|user| !user.is_empty());
        let extension =
            BString::from(user.ok_or_else(|| refused(StatusCode::NOT_FOUND))?.into_owned());
        let context = peer.watching.context.as_ref().unwrap_or(&peer.context).clone();
        let watchable = self.watchable(context.as_bstr(), extension.as_bstr(), now);
        let watchable = watchable.ok_or_else(|| refused(StatusCode::NOT_FOUND))?;
        let place = watchable.place;
        let place = place.ok_or_else(|| (StatusCode::SERVICE_UNAVAILABLE, self.retry_after()))?;
        let ringing_while_in_use = peer.watching.ringing_while_in_use;
        Ok(Watched::Extension { kind, context, extension, place, version: 0, ringing_while_in_use })
    }

    /// The mailboxes of the address of record that the request names, which must be the peer's own;
    /// without a name, of all that it has.
    fn watched_messages(&self, peer: &Peer, request: &Request) -> Result<Watched, Refusal> {
        let user = request.uri().user_decoded().unwrap_or_default();
        let own = peer.aors.iter().filter(|aor| user.is_empty() || user.as_ref() == aor.as_slice());
        let aors: Vec<_> = own.filter_map(|aor| self.config.sip.aors.get(aor.as_bstr())).collect();
        let mut mailboxes: Vec<_> = aors.iter().flat_map(|aor| aor.mailboxes.clone()).collect();
        mailboxes.sort_unstable();
        mailboxes.dedup();
        if mailboxes.is_empty() {
            return Err(refused(StatusCode::NOT_FOUND));
        }
        let extension = aors.iter().find_map(|aor| aor.voicemail_extension.as_ref());
        let extension = extension.or(peer.message_waiting.voicemail_extension.as_ref());
        let host = request.uri().host().map(|host| host.to_string()).unwrap_or_default();
        let account = extension.map(|extension| format!("sip:{extension}@{host}"));
        Ok(Watched::Messages { mailboxes, account })
    }

    /// A peer with as many subscriptions as it may have loses its oldest: a phone that starts anew
    /// has forgotten what it subscribed to before.
    fn make_room_for(&mut self, peer: &Peer, now: Now) {
        let of_peer = self.subscriptions.of_peer.get(&peer.name);
        let over = of_peer.map_or(0, |it| (it.len() + 1).saturating_sub(MOST_OF_PEER));
        let oldest: Vec<_> = of_peer.into_iter().flatten().take(over).copied().collect();
        for handle in oldest {
            tracing::warn!(peer = %peer.name, "more than {MOST_OF_PEER} subscriptions: the oldest ends");
            self.end_subscription(handle, Termination::Rejected, now);
        }
    }

    /// A subscription ends: it is told of no more changes.
    fn end_subscription(&mut self, handle: SubscriptionHandle, reason: Termination, now: Now) {
        // Gone means that it has ended.
        let _ = self.endpoint.terminate_subscription(handle, reason, now.instant);
    }

    /// A subscriber is to be told what it watches.
    pub(super) fn tell_subscriber(&mut self, handle: SubscriptionHandle, now: Now) {
        let body = self.body_for(handle);
        // With no room for it the stack asks again; gone means that it has ended.
        let _ = self.endpoint.notify(handle, body.as_ref(), now.instant);
    }

    /// A subscription is over.
    pub(super) fn forget_subscriber(&mut self, handle: SubscriptionHandle, end: SubscriptionEnd) {
        let Some(watcher) = self.subscriptions.remove(handle) else { return };
        match end {
            SubscriptionEnd::Told(reason) => tracing::debug!(
                peer = %watcher.peer, of = watcher.entity, reason = reason.as_str(),
                "subscription ended"
            ),
            SubscriptionEnd::NotifyFailed(status) => tracing::info!(
                peer = %watcher.peer, of = watcher.entity, status = status.code(),
                "subscription ended: its NOTIFY was not taken"
            ),
        }
    }

    /// An extension is in another state.
    pub(super) fn note_extension(&mut self, place: &Place, now: Now) {
        for &handle in self.subscriptions.of_place.get(place).into_iter().flatten() {
            // Gone means that it has ended.
            let _ = self.endpoint.note_change(handle, now.instant);
        }
    }

    /// The plan or the settings changed: who may not watch any more is told so, and what is not
    /// there any more is not watched.
    pub(super) fn review_subscriptions(&mut self, now: Now) {
        let sip = Arc::clone(&self.config.sip);
        self.subscriptions.mailboxes.review(&sip);
        let mut handles: Vec<_> = self.subscriptions.watchers.keys().copied().collect();
        handles.sort_unstable();
        for handle in handles {
            let Some(watcher) = self.subscriptions.watchers.get(&handle) else { continue };
            let peer = sip.peers.get(watcher.peer.as_bstr());
            let Some(peer) = peer.filter(|peer| peer.watching.is_allowed) else {
                self.end_subscription(handle, Termination::Rejected, now);
                continue;
            };
            let (context, extension, place) = match &watcher.watched {
                Watched::Extension { context, extension, place, .. } => {
                    (context.clone(), extension.clone(), place.clone())
                }
                Watched::Messages { mailboxes, .. } => {
                    let owns = |mailbox: &Mailbox| {
                        let aors = peer.aors.iter().filter_map(|aor| sip.aors.get(aor.as_bstr()));
                        aors.flat_map(|aor| &aor.mailboxes).any(|own| own == mailbox)
                    };
                    if !mailboxes.iter().all(owns) {
                        self.end_subscription(handle, Termination::NoResource, now);
                    }
                    continue;
                }
            };
            let watched = peer.watching.context.as_ref().unwrap_or(&peer.context);
            let watchable = (*watched == context)
                .then(|| self.watchable(context.as_bstr(), extension.as_bstr(), now))
                .flatten();
            match watchable.and_then(|watchable| watchable.place) {
                Some(same) if same == place => {}
                Some(other) => self.move_watcher(handle, other, now),
                None => self.end_subscription(handle, Termination::NoResource, now),
            }
        }
    }

    /// The hint that a subscriber watches stands elsewhere now.
    fn move_watcher(&mut self, handle: SubscriptionHandle, to: Place, now: Now) {
        if let Some(Watcher { watched: Watched::Extension { place, .. }, .. }) =
            self.subscriptions.watchers.get_mut(&handle)
        {
            leave(&mut self.subscriptions.of_place, place, handle);
            *place = to.clone();
            self.subscriptions.of_place.entry(to).or_default().insert(handle);
            let _ = self.endpoint.note_change(handle, now.instant);
        }
    }

    /// Ends all subscriptions: those who hold them may subscribe again at once.
    pub fn end_subscriptions(&mut self, now: Now) {
        self.worked_at = now;
        let mut handles: Vec<_> = self.subscriptions.watchers.keys().copied().collect();
        handles.sort_unstable();
        for handle in handles {
            self.end_subscription(handle, Termination::Deactivated, now);
        }
        self.work(now);
    }

    /// All subscriptions, the oldest first.
    pub fn view_subscriptions(&self, now: Now) -> Vec<SubscriptionView> {
        let mut watchers: Vec<_> = self.subscriptions.watchers.iter().collect();
        watchers.sort_unstable_by_key(|&(handle, _)| handle);
        let view = |(&handle, watcher): (&SubscriptionHandle, &Watcher)| {
            let (event, state) = match &watcher.watched {
                Watched::Extension { kind, place, .. } => {
                    (Package::Extension(*kind).name(), self.state_at(place).name().to_owned())
                }
                Watched::Messages { mailboxes, .. } => {
                    let counts = self.subscriptions.mailboxes.sum(mailboxes);
                    (Package::Messages.name(), format!("{}/{}", counts.new, counts.old))
                }
            };
            SubscriptionView {
                peer: watcher.peer.clone(),
                event,
                of: watcher.entity.clone(),
                state,
                expires: self.endpoint.subscription_remaining(handle, now.instant),
                source: watcher.source,
            }
        };
        watchers.into_iter().map(view).collect()
    }

    /// How many subscriptions there are.
    pub fn subscription_count(&self) -> usize {
        self.subscriptions.watchers.len()
    }
}

fn refused(status: StatusCode) -> Refusal {
    (status, sip::Headers::default())
}

/// A refusal that tells what is served, if it is for the event (RFC 6665 §8.2.2).
fn bad_event(status: StatusCode) -> Refusal {
    let mut headers = sip::Headers::default();
    if status == StatusCode::BAD_EVENT {
        headers.push(HeaderName::AllowEvents, PACKAGES);
    }
    (status, headers)
}

/// The event packages that are served.
pub(super) const PACKAGES: &str = "dialog, presence, message-summary";

/// Subscriptions of one peer: an attendant's console with a key for everybody.
const MOST_OF_PEER: usize = 1000;
