//! What of a switch outlives a restart, as a store keeps it: the bindings of the registrar, and the
//! dialplan's database.
//!
//! Records carry the time of the wall clock, since the monotonic one begins anew with the machine.
//! A record says all there is about its subject, so that of several about one only the last counts:
//! a store may lose, repeat or batch the earlier ones. A switch keeps at most one that nobody took
//! for each subject.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::Arc,
};

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::{
    rules::{Desk, User},
    world::DatabaseChange,
};
use jiff::Timestamp;

use super::{Switch, SwitchEvent};
use crate::{
    clock::Now,
    printable::Printable,
    sip::{
        Flow, Transport, Uri,
        registrar::{Binding, BindingFacts, Registrar},
    },
};

/// A change to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// An address of record is bound to these contacts and no others.
    Bindings {
        /// The address of record.
        aor: BString,
        /// Its contacts; none: nothing is to be kept of it any more.
        bindings: Vec<BindingRecord>,
    },
    /// An entry of the dialplan's database is this.
    Database {
        /// `family/key`.
        key: BString,
        /// Its value; `None`: there is no such entry any more.
        value: Option<BString>,
    },
}

/// One contact of an address of record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "net", derive(serde::Serialize, serde::Deserialize))]
pub struct BindingRecord {
    /// The URI as registered.
    pub contact: String,
    /// The transport it registered over: `UDP`, `TCP` or `TLS`.
    pub transport: String,
    /// Our address that it registered at.
    pub local: SocketAddr,
    /// The address it registered from.
    pub source: SocketAddr,
    /// When it registered, in seconds since 1970.
    pub registered: i64,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// Its preference in thousandths.
    pub q: u16,
    /// The Call-ID of its REGISTER.
    pub call_id: String,
    /// The CSeq number of its REGISTER.
    pub cseq: u32,
    /// `+sip.instance`.
    pub instance: Option<String>,
    /// `reg-id`.
    pub registration_id: Option<u32>,
    /// The proxies on the way to it, nearest to us first.
    pub path: Vec<String>,
    /// What it calls itself.
    pub user_agent: String,
}

/// What has changed since the records were last taken.
#[derive(Debug, Default)]
pub(super) struct Records {
    changed: BTreeSet<BString>,
    /// The clocks when something changed last.
    at: Option<Now>,
}

impl Records {
    pub(super) fn note(&mut self, aor: &BStr, now: Now) {
        self.at = Some(now);
        if !self.changed.contains(aor) {
            self.changed.insert(aor.to_owned());
        }
    }
}

impl Switch {
    /// Something to be kept across restarts. Drain after each way in; without a store, leave it.
    pub fn poll_record(&mut self) -> Option<Record> {
        if let Some(DatabaseChange { key, value }) = self.world.database.take_change() {
            return Some(Record::Database { key, value });
        }
        let now = self.records.at?;
        let aor = self.records.changed.pop_first()?;
        let bindings = self.registrar.bindings(aor.as_bstr(), now.instant);
        let bindings = bindings.into_iter().map(|binding| record(binding, now)).collect();
        Some(Record::Bindings { aor, bindings })
    }

    /// Puts the entries of an earlier switch's database back, `family/key` and value, and tells its
    /// changes from now on. Call it before anything comes in.
    pub fn restore_database(&mut self, entries: impl IntoIterator<Item = (BString, BString)>) {
        self.world.database.restore(entries);
    }

    /// Writes an entry of the dialplan's database, as Set(DB(family/key)=value) does; `false` when
    /// the database is full.
    pub fn put_in_database(&mut self, family: &[u8], key: &[u8], value: &[u8]) -> bool {
        let has_room = !self.world.database.is_full();
        if has_room {
            self.world.database.set(family, key, value);
        }
        has_room
    }

    /// Deletes an entry of the dialplan's database; `false` when there is none.
    pub fn delete_from_database(&mut self, family: &[u8], key: &[u8]) -> bool {
        self.world.database.delete(family, key).is_some()
    }

    /// The languages that prompts are played in, beside what a dialplan sets.
    #[cfg(feature = "net")]
    pub(crate) fn prompt_languages(&self) -> Vec<String> {
        crate::config::languages(&self.config.sip, self.config.default_language.as_bstr())
    }

    /// Lets somebody look at forwarding rules, or change them.
    pub fn with_rules<T>(&mut self, now: Now, act: impl FnOnce(Desk<'_>) -> T) -> T {
        let plan = Arc::clone(&self.config.plan);
        let devices = plan.rules().users().filter_map(User::watched);
        let states: HashMap<&BStr, BString> = devices
            .map(|device| (device.as_bstr(), self.told_state(device.as_bstr(), now)))
            .collect();
        act(Desk {
            plan: &plan,
            database: &mut self.world.database,
            now: now.wall,
            zone: self.config.time_zone.clone(),
            device_state: &|device| states.get(device).cloned().unwrap_or_default(),
        })
    }

    /// Puts back the bindings that an earlier switch kept; call it before anything comes in. What has expired,
    /// what can not be read, and what the configuration no longer has room for is left out, and
    /// comes out of [`Switch::poll_record`] to be forgotten. Returns how many contacts are bound.
    pub fn restore(&mut self, records: impl IntoIterator<Item = Record>, now: Now) -> usize {
        let mut restored = 0;
        for record in records {
            let Record::Bindings { aor, bindings } = record else { continue };
            let room = self.config.sip.aors.get(aor.as_bstr()).map_or(0, |aor| aor.max_contacts);
            let kept = bindings.len();
            let live: Vec<_> = bindings.iter().filter_map(|it| facts(it, now)).take(room).collect();
            let bound = put_back(&mut self.registrar, aor.as_bstr(), live);
            if bound < kept {
                tracing::info!(
                    aor = %Printable(&aor), kept, bound, "not all contacts are bound again"
                );
                self.records.note(aor.as_bstr(), now);
            }
            restored += bound;
            if bound > 0 {
                self.devices.touch_aor(aor.as_bstr());
            }
            let bound = self.registrar.bindings(aor.as_bstr(), now.instant).into_iter();
            let bound: Vec<_> = bound
                .map(|it| (it.contact().as_str().to_owned(), it.remaining(now.instant)))
                .collect();
            for (contact, expires) in bound {
                self.watch_contact(aor.as_bstr(), &contact, now);
                self.events.push_back(SwitchEvent::Registered {
                    aor: aor.clone(),
                    contact,
                    expires,
                });
            }
        }
        self.work(now);
        restored
    }
}

fn put_back(registrar: &mut Registrar, aor: &BStr, live: Vec<BindingFacts>) -> usize {
    if live.is_empty() { 0 } else { registrar.restore(aor, live) }
}

fn record(binding: &Binding, now: Now) -> BindingRecord {
    let facts = binding.facts();
    BindingRecord {
        contact: facts.contact.as_str().to_owned(),
        transport: facts.flow.transport.as_str().to_owned(),
        local: facts.flow.local,
        source: facts.flow.peer,
        registered: now.wall_at(facts.registered).as_second(),
        expires: now.wall_at(facts.expires).as_second(),
        q: facts.q,
        call_id: facts.call_id,
        cseq: facts.cseq,
        instance: facts.instance,
        registration_id: facts.registration_id,
        path: facts.path.iter().map(|uri| uri.as_str().to_owned()).collect(),
        user_agent: facts.user_agent,
    }
}

/// `None` when the contact has expired, or is not one we wrote.
fn facts(record: &BindingRecord, now: Now) -> Option<BindingFacts> {
    let expires = Timestamp::from_second(record.expires).ok()?;
    let left = std::time::Duration::try_from(expires.duration_since(now.wall)).ok()?;
    // The clock may have been put back meanwhile: nothing is bound for longer than a day.
    let left = left.min(LONGEST);
    if left.is_zero() {
        return None;
    }
    let registered = Timestamp::from_second(record.registered).ok()?;
    let age = now.wall.duration_since(registered);
    let age = std::time::Duration::try_from(age).unwrap_or_default();
    let path: Option<Vec<_>> = record.path.iter().map(|uri| Uri::parse(uri).ok()).collect();
    Some(BindingFacts {
        contact: Uri::parse(&record.contact).ok()?,
        flow: Flow {
            transport: Transport::parse(record.transport.as_bytes())?,
            local: record.local,
            peer: record.source,
            connection: None,
        },
        expires: now.instant.checked_add(left)?,
        registered: now.instant.checked_sub(age).unwrap_or(now.instant),
        q: record.q.min(1000),
        call_id: record.call_id.clone(),
        cseq: record.cseq,
        instance: record.instance.clone(),
        registration_id: record.registration_id,
        path: path?,
        user_agent: record.user_agent.clone(),
    })
}

/// As the configuration bounds `maximum_expiration`.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(86_400);
