//! What all channels of one engine share: globals, the key-value database, named states and groups.

use std::collections::{BTreeMap, BTreeSet};

use bstr::{BStr, BString};

use crate::variables::Variables;

/// Shared state. One value per engine, handed to each executor by its host.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Global variables.
    pub globals: Variables,
    /// DB(), DB_EXISTS(), ...
    pub database: Database,
    /// Named sets of interfaces (DIALGROUP).
    pub dial_groups: BTreeMap<BString, Vec<BString>>,
    /// Variables shared by name (SHARED), by channel.
    pub shared: BTreeMap<BString, Variables>,
    /// What ENV() wrote.
    pub environment: BTreeMap<BString, BString>,
    /// (channel, category, group) of every channel in a group, in the order set.
    pub groups: Vec<(BString, BString, BString)>,
    /// Locks that channels hold (LOCK).
    pub locks: Vec<Lock>,
    /// Channels that wait for a signal (WaitForSignal).
    pub waiters: Vec<Waiter>,
}

impl World {
    /// The state of a custom device, as DEVICE_STATE(Custom:name) was set; kept in the database, as in
    /// Asterisk.
    #[must_use]
    pub fn custom_device_state(&self, name: &[u8]) -> Option<&BStr> {
        self.database.value(CUSTOM_DEVICE_STATES, name)
    }
}

/// The database's family of custom device states.
pub(crate) const CUSTOM_DEVICE_STATES: &[u8] = b"CustomDevstate";

/// Names of device states, by their numbers.
pub(crate) const DEVICE_STATES: [&str; 9] = [
    "UNKNOWN",
    "NOT_INUSE",
    "INUSE",
    "BUSY",
    "INVALID",
    "UNAVAILABLE",
    "RINGING",
    "RINGINUSE",
    "ONHOLD",
];

/// A lock that a channel holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Its name.
    pub name: BString,
    /// The channel that holds it; gone when the call ends.
    pub channel: BString,
    /// How often that channel took it.
    pub depth: u32,
}

/// A channel that waits for a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// The signal's name.
    pub signal: BString,
    /// The channel.
    pub channel: BString,
    /// What came with the signal, once it came.
    pub payload: Option<BString>,
}

/// The key-value database: keys are `family/key`, ordered by bytes.
///
/// It holds everything in memory; whoever wants it to survive a restart takes its changes by
/// [`take_change`](Self::take_change) and writes them down.
#[derive(Debug, Clone, Default)]
pub struct Database {
    entries: BTreeMap<BString, BString>,
    /// Keys whose entries differ from what was taken last.
    changed: BTreeSet<BString>,
    journal: Journal,
}

/// Whether changes are kept for somebody who writes them down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Journal {
    /// Changes are not kept.
    #[default]
    Off,
    /// What has changed is remembered until it is taken.
    On,
}

/// What an entry of the database is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseChange {
    /// `family/key`.
    pub key: BString,
    /// New value; `None` when deleted.
    pub value: Option<BString>,
}

impl Database {
    /// A database with the given entries (`family/key`), which keeps its changes when asked to.
    pub fn new(entries: impl IntoIterator<Item = (BString, BString)>, journal: Journal) -> Self {
        Self { entries: entries.into_iter().collect(), changed: BTreeSet::new(), journal }
    }

    /// Puts entries (`family/key`) where there were none, without a change, and begins to keep
    /// changes.
    pub fn restore(&mut self, entries: impl IntoIterator<Item = (BString, BString)>) {
        self.entries.extend(entries);
        self.journal = Journal::On;
    }

    /// The value of `family/key`.
    #[must_use]
    pub fn value(&self, family: &[u8], key: &[u8]) -> Option<&BStr> {
        self.entries.get(&joined(family, key)).map(|value| value.as_ref())
    }

    /// Sets the value of `family/key`.
    pub fn set(&mut self, family: &[u8], key: &[u8], value: &[u8]) {
        let key = joined(family, key);
        self.note(&key);
        self.entries.insert(key, value.into());
    }

    /// Deletes `family/key` and gives what it held.
    pub fn delete(&mut self, family: &[u8], key: &[u8]) -> Option<BString> {
        let key = joined(family, key);
        let old = self.entries.remove(&key)?;
        self.note(&key);
        Some(old)
    }

    /// Deletes everything below a family, or a family and the start of a key; gives how many entries went.
    pub fn delete_tree(&mut self, family: &[u8], key: &[u8]) -> usize {
        let doomed: Vec<BString> =
            self.below(family, key).map(|(name, _)| BString::from(name.to_vec())).collect();
        for name in &doomed {
            self.entries.remove(name);
            self.note(name);
        }
        doomed.len()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entries equal to, or below, `family` or `family/key`, ordered by bytes.
    pub fn below<'a>(
        &'a self,
        family: &[u8],
        key: &[u8],
    ) -> impl Iterator<Item = (&'a BStr, &'a BStr)> + 'a {
        let mut prefix: Vec<u8> = family.to_vec();
        if !key.is_empty() {
            prefix.push(b'/');
            prefix.extend_from_slice(key);
        }
        let start = BString::from(prefix.clone());
        self.entries
            .range(start..)
            .take_while({
                let prefix = prefix.clone();
                move |(name, _)| name.starts_with(&prefix)
            })
            .filter(move |(name, _)| {
                prefix.is_empty() || name.len() == prefix.len() || name[prefix.len()] == b'/'
            })
            .map(|(name, value)| (BStr::new(name), BStr::new(value)))
    }

    /// Whether another entry would be one too many: there are so many, or so many changes that
    /// nobody has written down.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= MOST_ENTRIES || self.changed.len() >= MOST_ENTRIES
    }

    /// An entry that has changed since it was taken last, as it is now; in no order of time. Always
    /// `None` with [`Journal::Off`].
    pub fn take_change(&mut self) -> Option<DatabaseChange> {
        let key = self.changed.pop_first()?;
        let value = self.entries.get(&key).cloned();
        Some(DatabaseChange { key, value })
    }

    fn note(&mut self, key: &BString) {
        if self.journal == Journal::On && !self.changed.contains(key) {
            self.changed.insert(key.clone());
        }
    }
}

/// The database must not fill the memory.
const MOST_ENTRIES: usize = 1_000_000;

fn joined(family: &[u8], key: &[u8]) -> BString {
    let mut name = Vec::with_capacity(family.len() + 1 + key.len());
    name.extend_from_slice(family);
    name.push(b'/');
    name.extend_from_slice(key);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tree_is_deleted_by_whole_path_elements() {
        let mut database = Database::new([], Journal::On);
        database.set(b"fam", b"a/1", b"x");
        database.set(b"fam", b"a/2", b"y");
        database.set(b"fam", b"ab", b"z");
        assert_eq!(database.delete_tree(b"fam", b"a"), 2);
        assert_eq!(database.value(b"fam", b"ab"), Some(BStr::new("z")));
        let changes: Vec<_> = std::iter::from_fn(|| database.take_change()).collect();
        let kept = |change: &DatabaseChange| change.value.is_some();
        assert_eq!((changes.len(), changes.iter().filter(|change| kept(change)).count()), (3, 1));
    }

    #[test]
    fn an_entry_that_changes_often_is_one_change() {
        let mut database = Database::default();
        database.set(b"fam", b"early", b"x");
        database.restore([("fam/kept".into(), "1".into())]);
        for value in [b"1", b"2", b"3"] {
            database.set(b"fam", b"key", value);
        }
        assert_eq!(
            database.take_change(),
            Some(DatabaseChange { key: "fam/key".into(), value: Some("3".into()) })
        );
        assert_eq!(database.take_change(), None);
        assert_eq!(database.value(b"fam", b"kept"), Some(BStr::new("1")));
    }
}
