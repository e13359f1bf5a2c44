//! How many messages wait, and who is told without asking (RFC 3842).
//!
//! The host says how many there are; until it does, nobody is told anything of a mailbox that it did
//! not ask for. One NOTIFY to a contact is on its way at a time, so that an older count never
//! overtakes a newer one.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
};

use bstr::{BStr, BString, ByteSlice};

use crate::{
    clock::Now,
    config::{Aor, Lamps, Mailbox, Peer, SipSettings, WhenSubscribed},
    presence::{MessageCounts, MessageSummary},
    sip::{Body, HeaderName, Method, NameAddr, OutgoingRequest, RequestHandle, StatusCode, Uri},
    switch::Switch,
};

/// The mailboxes, and what of them is on its way.
#[derive(Debug)]
pub(super) struct Mailboxes {
    counts: HashMap<Mailbox, MessageCounts>,
    /// The peers that are told without asking.
    peers_of: HashMap<Mailbox, Vec<BString>>,
    /// The NOTIFY on its way to each lamp, and whether there is news since it was sent.
    on_their_way: HashMap<Lamp, News>,
    lamps: HashMap<RequestHandle, Lamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    Waiting,
}

/// A lamp that shows waiting messages: at a contact of a peer, for one mailbox or all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Lamp {
    peer: BString,
    aor: BString,
    contact: String,
    mailbox: Option<Mailbox>,
}

/// Why a mailbox was not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailboxError {
    /// The name is empty or longer than 80 octets.
    Name,
    /// There are too many.
    TooMany,
}

impl fmt::Display for MailboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => write!(f, "a mailbox has a name of at most {LONGEST_NAME} octets"),
            Self::TooMany => write!(f, "more than {MOST_MAILBOXES} mailboxes"),
        }
    }
}

impl std::error::Error for MailboxError {}

impl Mailboxes {
    pub(super) fn new(sip: &SipSettings) -> Self {
        let mut mailboxes = Self {
            counts: HashMap::new(),
            peers_of: HashMap::new(),
            on_their_way: HashMap::new(),
            lamps: HashMap::new(),
        };
        mailboxes.review(sip);
        mailboxes
    }

    /// The settings changed.
    pub(super) fn review(&mut self, sip: &SipSettings) {
        self.peers_of.clear();
        for peer in &sip.peers {
            for mailbox in &peer.message_waiting.mailboxes {
                self.peers_of.entry(mailbox.clone()).or_default().push(peer.name.clone());
            }
        }
    }

    /// What waits in all of these.
    pub(super) fn sum<'m>(
        &self,
        mailboxes: impl IntoIterator<Item = &'m Mailbox>,
    ) -> MessageCounts {
        let counts = mailboxes.into_iter().filter_map(|mailbox| self.counts.get(mailbox));
        counts.fold(MessageCounts::default(), |sum, it| MessageCounts {
            new: sum.new.saturating_add(it.new),
            old: sum.old.saturating_add(it.old),
            urgent_new: sum.urgent_new.saturating_add(it.urgent_new),
            urgent_old: sum.urgent_old.saturating_add(it.urgent_old),
        })
    }
}

impl Switch {
    /// Says how many messages wait in a mailbox; whose lamp that is, is told. `1001` is the same as
    /// `1001@default`. Nothing is kept over a restart: who knows of the messages says it anew.
    ///
    /// # Errors
    /// For an empty or overlong name, and when there are too many.
    pub fn set_mailbox(
        &mut self,
        name: &BStr,
        counts: MessageCounts,
        now: Now,
    ) -> Result<(), MailboxError> {
        self.worked_at = now;
        let set = self.change_mailbox(name, counts, now);
        self.work(now);
        set
    }

    pub(in crate::switch) fn change_mailbox(
        &mut self,
        name: &BStr,
        counts: MessageCounts,
        now: Now,
    ) -> Result<(), MailboxError> {
        if name.trim_ascii().is_empty() || name.len() > LONGEST_NAME {
            return Err(MailboxError::Name);
        }
        let mailbox = Mailbox::new(name);
        let mailboxes = &mut self.subscriptions.mailboxes;
        let is_full = mailboxes.counts.len() >= MOST_MAILBOXES;
        match mailboxes.counts.entry(mailbox.clone()) {
            Entry::Occupied(entry) if *entry.get() == counts => return Ok(()),
            Entry::Vacant(_) if is_full => return Err(MailboxError::TooMany),
            Entry::Occupied(mut entry) => drop(entry.insert(counts)),
            Entry::Vacant(entry) => drop(entry.insert(counts)),
        }
        for &handle in self.subscriptions.of_mailbox.get(&mailbox).into_iter().flatten() {
            // Gone means that it has ended.
            let _ = self.endpoint.note_change(handle, now.instant);
        }
        let peers = self.subscriptions.mailboxes.peers_of.get(&mailbox).cloned();
        for peer in peers.unwrap_or_default() {
            let sip = self.config.sip.clone();
            let Some(peer) = sip.peers.get(peer.as_bstr()) else { continue };
            for aor in &peer.aors {
                for contact in self.contacts_of(aor.as_bstr(), now) {
                    self.light(peer, aor, contact, Some(&mailbox), now);
                }
            }
        }
        Ok(())
    }

    /// A contact registered: it is told what waits, as far as that is known.
    pub(in crate::switch) fn greet_contact(&mut self, aor: &BStr, contact: &str, now: Now) {
        let sip = self.config.sip.clone();
        let has_news = |peer: &&Peer| {
            let own = &peer.message_waiting.mailboxes;
            peer.aors.iter().any(|it| it == aor)
                && own.iter().any(|it| self.subscriptions.mailboxes.counts.contains_key(it))
        };
        // Without a peer that has a mailbox there is nobody to look for.
        if self.subscriptions.mailboxes.peers_of.is_empty() {
            return;
        }
        let peers: Vec<_> = sip.peers.iter().filter(has_news).collect();
        for peer in peers {
            match peer.message_waiting.lamps {
                Lamps::One => self.light(peer, aor, contact.to_owned(), None, now),
                Lamps::Each => {
                    for mailbox in &peer.message_waiting.mailboxes {
                        self.light(peer, aor, contact.to_owned(), Some(mailbox), now);
                    }
                }
            }
        }
    }

    /// A NOTIFY of ours was answered, or can not be; `false` when the request was another one.
    pub(in crate::switch) fn messages_announced(
        &mut self,
        request: RequestHandle,
        status: StatusCode,
        now: Now,
    ) -> bool {
        let mailboxes = &mut self.subscriptions.mailboxes;
        if !mailboxes.lamps.contains_key(&request) || status.is_provisional() {
            return mailboxes.lamps.contains_key(&request);
        }
        let Some(lamp) = mailboxes.lamps.remove(&request) else { return false };
        if mailboxes.on_their_way.remove(&lamp) == Some(News::Waiting) {
            self.announce_messages(lamp, now);
        }
        true
    }

    pub(in crate::switch) fn contacts_of(&self, aor: &BStr, now: Now) -> Vec<String> {
        let fixed = self.config.sip.aors.get(aor).into_iter().flat_map(|aor| &aor.contacts);
        let fixed = fixed.map(|contact| contact.to_str_lossy().into_owned());
        let bound = self.registrar.bindings(aor, now.instant);
        fixed.chain(bound.iter().map(|it| it.contact().as_str().to_owned())).collect()
    }

    /// A lamp shows something else, unless the peer asked for that by itself.
    fn light(
        &mut self,
        peer: &Peer,
        aor: &(impl AsRef<[u8]> + ?Sized),
        contact: String,
        mailbox: Option<&Mailbox>,
        now: Now,
    ) {
        let mailbox = mailbox.filter(|_| peer.message_waiting.lamps == Lamps::Each).cloned();
        let aor = BString::from(aor.as_ref());
        self.announce_messages(Lamp { peer: peer.name.clone(), aor, contact, mailbox }, now);
    }

    fn announce_messages(&mut self, lamp: Lamp, now: Now) {
        if let Some(news) = self.subscriptions.mailboxes.on_their_way.get_mut(&lamp) {
            *news = News::Waiting;
            return;
        }
        let sip = self.config.sip.clone();
        let peer = sip.peers.get(lamp.peer.as_bstr());
        let Some((peer, aor)) = peer.zip(sip.aors.get(lamp.aor.as_bstr())) else { return };
        if self.is_told_by_subscription(peer) {
            return;
        }
        let Some(request) = self.notify_contact(peer, aor, &lamp, now) else {
            tracing::info!(peer = %peer.name, contact = lamp.contact, "no way to tell of waiting messages");
            return;
        };
        self.subscriptions.mailboxes.lamps.insert(request, lamp.clone());
        self.subscriptions.mailboxes.on_their_way.insert(lamp, News::None);
    }

    fn is_told_by_subscription(&self, peer: &Peer) -> bool {
        let subscriptions = &self.subscriptions;
        let own = &peer.message_waiting.mailboxes;
        peer.message_waiting.when_subscribed == WhenSubscribed::ToldOnce
            && own.iter().filter_map(|it| subscriptions.of_mailbox.get(it)).flatten().any(|it| {
                subscriptions.watchers.get(it).is_some_and(|watcher| watcher.peer == peer.name)
            })
    }

    fn notify_contact(
        &mut self,
        peer: &Peer,
        aor: &Aor,
        lamp: &Lamp,
        now: Now,
    ) -> Option<RequestHandle> {
        let target = Uri::parse(&lamp.contact).ok()?;
        let (flow, routes) = self.way_to_contact(aor, Some(peer), &target, now)?;
        let settings = &peer.message_waiting;
        let user = settings.from_user.as_ref().or(peer.from_user.as_ref());
        let user = user.map_or(FROM, |user| user.as_slice());
        let mut from = Uri::sip_at(user, flow.local);
        if let Some(domain) = &peer.from_domain {
            let named = format!("sip:{}@{domain}", from.user().unwrap_or_default());
            from = Uri::parse(&named).unwrap_or(from);
        }
        let extension = aor.voicemail_extension.as_ref().or(settings.voicemail_extension.as_ref());
        let host = from.host().map(|host| host.to_string()).unwrap_or_default();
        let account = extension.map(|extension| format!("sip:{extension}@{host}"));
        let mailboxes = &self.subscriptions.mailboxes;
        let counts = match &lamp.mailbox {
            Some(mailbox) => mailboxes.sum([mailbox]),
            None => mailboxes.sum(&settings.mailboxes),
        };
        let summary = MessageSummary { account: account.as_deref(), counts };
        let contact = self.endpoint.contact_uri(user, &flow);
        let contact = NameAddr::new(contact).to_string();
        let mut notify = OutgoingRequest::new(Method::Notify, target, flow, NameAddr::new(from));
        notify.routes = routes;
        notify.headers.push(HeaderName::Contact, contact);
        notify.headers.push(HeaderName::Event, "message-summary");
        // There is no subscription that could go on (RFC 6665 §4.1.3), as in Asterisk.
        notify.headers.push(HeaderName::SubscriptionState, "terminated");
        let content_type = MessageSummary::MEDIA_TYPE.into();
        notify.body = Some(Body { content_type, bytes: summary.write().into() });
        self.endpoint.send_request(notify, now.instant).ok()
    }
}

/// Who tells.
const FROM: &[u8] = b"diesis";

/// Mailboxes that are known at a time, some 150 octets each.
const MOST_MAILBOXES: usize = 100_000;

/// As in Asterisk.
const LONGEST_NAME: usize = 80;
