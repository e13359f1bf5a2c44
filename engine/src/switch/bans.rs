//! Who failed to prove themselves too often, and is not listened to for a while.
//!
//! Failures are counted by source, and by source and account: an office of many phones shares an
//! address, and one phone with an old password must not silence the others. Only failures that
//! somebody at that address can have caused count: the answer to a challenge that was sent there.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    time::{Duration, Instant},
};

use bstr::{BString, ByteSlice};

use crate::{config::BanSettings, ip_network::masked};

/// The ban table. Bounded: when it is full, what ends first makes room.
#[derive(Debug)]
pub(super) struct Bans {
    settings: BanSettings,
    sources: Record<IpAddr>,
    accounts: Record<(IpAddr, BString)>,
}

/// One entry of the ban table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BanView {
    /// The address; of IPv6 the first one of its /64.
    pub source: IpAddr,
    /// The only account that is closed to it, escaped; `None`: nothing that it sends is answered.
    pub account: Option<BString>,
    /// For how long still.
    pub remaining: Duration,
}

/// What a failure led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    None,
    AccountBanned,
    SourceBanned,
}

/// Failures and bans of one kind of offender.
#[derive(Debug)]
struct Record<K> {
    failures: HashMap<K, Failures>,
    until: HashMap<K, Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    /// When the first of them is no longer counted.
    ends: Instant,
}

/// What counts as one source: whoever has an IPv6 address usually has a /64 of them.
pub(super) fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        v6 @ IpAddr::V6(_) => masked(v6, 64).unwrap_or(v6),
    }
}

impl Bans {
    pub(super) fn new(settings: BanSettings) -> Self {
        Self { settings, sources: Record::default(), accounts: Record::default() }
    }

    /// Counts by other settings from now on. Bans in force last as long as they were meant to, except
    /// for sources that are never banned any more.
    pub(super) fn set_settings(&mut self, settings: BanSettings) {
        let is_banned = |source: &IpAddr| !settings.permit.iter().any(|it| it.contains(*source));
        self.sources.until.retain(|source, _| is_banned(source));
        self.accounts.until.retain(|(source, _), _| is_banned(source));
        self.settings = settings;
    }

    /// Whether nothing of this source is to be answered.
    pub(super) fn has_source(&self, source: IpAddr, now: Instant) -> bool {
        !self.sources.until.is_empty() && self.sources.has(&source_of(source), now)
    }

    /// Whether this account is closed to this source.
    pub(super) fn has_account(&self, source: IpAddr, account: &[u8], now: Instant) -> bool {
        !self.accounts.until.is_empty() && self.accounts.has(&key(source, account), now)
    }

    /// Counts a failure.
    pub(super) fn note_failure(
        &mut self,
        source: IpAddr,
        account: &[u8],
        now: Instant,
    ) -> Consequence {
        let settings = &self.settings;
        if settings.permit.iter().any(|network| network.contains(source)) {
            return Consequence::None;
        }
        if self.sources.note(source_of(source), settings.attempts, settings, now) {
            return Consequence::SourceBanned;
        }
        match self.accounts.note(key(source, account), settings.account_attempts, settings, now) {
            true => Consequence::AccountBanned,
            false => Consequence::None,
        }
    }

    /// Forgets the failures of who has proved to be this account.
    pub(super) fn forgive(&mut self, source: IpAddr, account: &[u8]) {
        if !self.accounts.failures.is_empty() {
            self.accounts.failures.remove(&key(source, account));
        }
    }

    /// The bans in force, those that end last first.
    pub(super) fn view(&self, now: Instant) -> Vec<BanView> {
        let sources = self.sources.until.iter().map(|(source, until)| (*source, None, *until));
        let accounts = self.accounts.until.iter();
        let accounts = accounts.map(|((source, account), until)| {
            (*source, Some(BString::from(account.escape_bytes().to_string())), *until)
        });
        let mut view: Vec<_> = sources
            .chain(accounts)
            .map(|(source, account, until)| BanView {
                source,
                account,
                remaining: until.saturating_duration_since(now),
            })
            .filter(|ban| !ban.remaining.is_zero())
            .collect();
        view.sort_by(|a, b| b.remaining.cmp(&a.remaining).then(a.source.cmp(&b.source)));
        view
    }
}

/// An account at a source; long names are told apart by their beginnings only.
fn key(source: IpAddr, account: &[u8]) -> (IpAddr, BString) {
    (source_of(source), account.get(..MAX_NAME).unwrap_or(account).into())
}

impl<K> Default for Record<K> {
    fn default() -> Self {
        Self { failures: HashMap::new(), until: HashMap::new() }
    }
}

impl<K: Eq + Hash + Clone> Record<K> {
    fn has(&self, key: &K, now: Instant) -> bool {
        self.until.get(key).is_some_and(|until| *until > now)
    }

    /// Counts one more; whether that is one too many. 0 attempts: never.
    fn note(&mut self, key: K, attempts: u32, settings: &BanSettings, now: Instant) -> bool {
        if attempts == 0 || settings.time.is_zero() || self.has(&key, now) {
            return false;
        }
        if !self.failures.contains_key(&key) {
            make_room(&mut self.failures, |it| it.ends, now);
        }
        let failures = self.failures.entry(key.clone()).or_insert(Failures { count: 0, ends: now });
        if failures.ends <= now {
            *failures = Failures { count: 0, ends: now + settings.window };
        }
        failures.count += 1;
        if failures.count < attempts {
            return false;
        }
        self.failures.remove(&key);
        make_room(&mut self.until, |until| *until, now);
        self.until.insert(key, now + settings.time);
        true
    }
}

/// Drops what is over when a table is full, and what ends first when nothing is.
fn make_room<K: Eq + Hash + Clone, V>(
    table: &mut HashMap<K, V>,
    ends: impl Fn(&V) -> Instant,
    now: Instant,
) {
    if table.len() < CAPACITY {
        return;
    }
    table.retain(|_, value| ends(value) > now);
    if table.len() >= CAPACITY {
        let first = table.iter().min_by_key(|(_, value)| ends(value)).map(|(key, _)| key.clone());
        first.map(|key| table.remove(&key));
    }
}

/// Entries of each table, some 100 bytes each.
const CAPACITY: usize = 10_000;
/// Bytes of an account's name that are kept.
const MAX_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    fn settings() -> BanSettings {
        BanSettings {
            attempts: 5,
            account_attempts: 3,
            window: Duration::from_secs(60),
            time: Duration::from_secs(300),
            permit: vec!["192.0.2.0/24".parse().unwrap()],
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_account_is_closed_to_the_source_that_guessed_and_opens_again() {
        let (mut bans, now) = (Bans::new(settings()), clock());
        let here = address("127.0.0.5");
        for expected in [Consequence::None, Consequence::None, Consequence::AccountBanned] {
            assert_eq!(bans.note_failure(here, b"100", now), expected);
        }
        assert!(bans.has_account(here, b"100", now));
        assert!(!bans.has_account(here, b"101", now) && !bans.has_source(here, now));
        assert!(!bans.has_account(address("127.0.0.6"), b"100", now));
        let view = bans.view(now);
        assert_eq!(view[0].account, Some("100".into()));
        assert_eq!((view.len(), view[0].remaining), (1, Duration::from_secs(300)));
        let later = now + Duration::from_secs(300);
        assert!(!bans.has_account(here, b"100", later) && bans.view(later).is_empty());
    }

    #[test]
    fn a_source_that_tries_many_accounts_is_closed_off() {
        let (mut bans, now) = (Bans::new(settings()), clock());
        let guess =
            |bans: &mut Bans, from: &str, n: u8| bans.note_failure(address(from), &[n], now);
        let last = (0..5).map(|n| guess(&mut bans, "2001:db8::1", n)).last();
        assert_eq!(last, Some(Consequence::SourceBanned));
        assert!(bans.has_source(address("2001:db8::ffff"), now), "the same /64");
        assert!(!bans.has_source(address("2001:db8:0:1::1"), now));
        let last = (0..50).map(|n| guess(&mut bans, "192.0.2.9", n)).last();
        assert_eq!(last, Some(Consequence::None), "permitted");
    }

    #[test]
    fn failures_far_apart_ban_nobody_and_success_forgives() {
        let (mut bans, mut now) = (Bans::new(settings()), clock());
        let here = address("203.0.113.1");
        for _ in 0..20 {
            assert_eq!(bans.note_failure(here, b"100", now), Consequence::None);
            now += Duration::from_secs(31);
            bans.forgive(here, b"100");
        }
    }

    #[test]
    fn the_tables_are_bounded() {
        let (mut bans, now) = (Bans::new(settings()), clock());
        for n in 0..u32::try_from(CAPACITY).unwrap() + 500 {
            let source = IpAddr::from(n.to_be_bytes());
            for _ in 0..3 {
                bans.note_failure(source, b"100", now);
            }
        }
        assert!(bans.accounts.until.len() <= CAPACITY && bans.accounts.failures.len() <= CAPACITY);
        assert!(bans.sources.failures.len() <= CAPACITY);
    }
}
