//! What outlives the engine: bindings, the dialplan's database and call records, in one redb file.
//!
//! One thread owns the file and may wait for the disk. Changes come to it over a bounded queue and
//! are committed together, so that a storm of registrations costs some ten commits a second; what
//! was told two tenths of a second before a crash is there after it, a call record after a second.
//! Which change comes when, and what
//! a full disk does, is in docs/decisions/0040-what-is-kept-on-the-disk.md.

mod calls;
mod file;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;

use bstr::BString;
use crossbeam_channel::{Sender, TrySendError, bounded};

use super::{clock, waited_thread::WaitedThread};
use crate::{
    cdr::{self, Retention},
    switch::{Record, Switch},
};
use writer::{Order, Writer};

pub(crate) use calls::{CallQuery, StoredCall, StoredQuality};
pub(crate) use file::StoreError;

/// What an earlier engine left.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// The registrar's bindings.
    pub(crate) bindings: Vec<Record>,
    /// The dialplan's database, `family/key` and value.
    pub(crate) database: Vec<(BString, BString)>,
}

/// The thread that writes. Dropping it waits, for a bounded time, until all is on the disk.
#[derive(Debug)]
pub(crate) struct Store {
    /// `None` only while this is being dropped.
    orders: Option<Sender<Order>>,
    thread: Option<WaitedThread>,
    lost_calls: u64,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.orders = None;
        let Some(thread) = self.thread.take() else { return };
        thread.wake();
        if !thread.wait() {
            tracing::error!("the disk does not take what is to be kept; it is given up");
        }
    }
}

/// The dialplan's database in a directory that no engine uses, `family/key` and value; nothing where
/// none was kept.
///
/// # Errors
/// Why it can not be read, in words.
pub fn kept_database(directory: &Path) -> Result<Vec<(BString, BString)>, String> {
    let path = directory.join(NAME);
    file::peek(&path).map_err(|reason| StoreError::new(&path, reason).to_string())
}

impl Store {
    /// Opens or makes the file, and reads what is in it. One that is damaged is moved aside.
    ///
    /// # Errors
    /// When the file can not be had; the engine runs without it then.
    pub(crate) fn open(path: &Path, retention: Retention) -> Result<(Self, Restored), StoreError> {
        let database = file::open_or_begin_anew(path)?;
        let restored = file::load(&database).map_err(|error| StoreError::new(path, error))?;
        let (orders, received) = bounded(QUEUE);
        let reopened = path.to_owned();
        let reopen = Box::new(move || file::open(&reopened));
        let writer = Writer::new(database, reopen, retention);
        let thread = WaitedThread::spawn("diesis-store", move || writer.run(&received))
            .map_err(|error| StoreError::system(path, error))?;
        Ok((Self { orders: Some(orders), thread: Some(thread), lost_calls: 0 }, restored))
    }

    /// Opens the store in a directory and gives the switch what is in it. Without one calls go on
    /// all the same.
    pub(crate) fn start(
        directory: &Path,
        retention: Retention,
        switch: &mut Switch,
    ) -> Result<Self, StoreError> {
        let path = directory.join(NAME);
        let opened = Self::open(&path, retention).inspect_err(|error| {
            tracing::error!(%error, "registrations, the dialplan's database and call records are not kept; calls go on");
        });
        let (store, restored) = opened?;
        let entries = restored.database.len();
        switch.restore_database(restored.database);
        let contacts = switch.restore(restored.bindings, clock::now());
        tracing::info!(path = %path.display(), contacts, entries, "kept from before");
        Ok(store)
    }

    /// Whether [`Store::keep`] has room. The switch remembers meanwhile what has changed.
    pub(crate) fn has_room(&self) -> bool {
        self.orders.as_ref().is_some_and(|orders| !orders.is_full())
    }

    /// Keeps a change. Only when there is room.
    pub(crate) fn keep(&self, record: Record) {
        self.order(Order::Keep(record));
    }

    /// Keeps a call record. When the disk has been too slow for thousands of calls it is lost, and
    /// counted.
    pub(crate) fn keep_call(&mut self, record: &cdr::Record) {
        if !self.order(Order::KeepCall(Box::new(StoredCall::from(record)))) {
            self.lost_calls += 1;
            if self.lost_calls.is_power_of_two() {
                tracing::error!(
                    lost = self.lost_calls,
                    "call records are not kept: the disk is too slow"
                );
            }
        }
    }

    /// Looks for call records on the store's thread, behind all that was told before. `false` when
    /// it is too busy.
    pub(crate) fn find_calls(
        &self,
        query: CallQuery,
        done: impl FnOnce(Result<Vec<StoredCall>, StoreError>) + Send + 'static,
    ) -> bool {
        let is_told = self.order(Order::FindCalls(query, Box::new(done)));
        self.wake();
        is_told
    }

    /// The thread looks by itself, but not for whoever waits for it.
    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.wake();
        }
    }

    fn order(&self, order: Order) -> bool {
        let Some(orders) = &self.orders else { return false };
        if orders.len() >= QUEUE / 2 {
            self.wake();
        }
        match orders.try_send(order) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => false,
            Err(TrySendError::Disconnected(_)) => {
                tracing::error!("the thread that keeps things is gone");
                false
            }
        }
    }
}

/// The file's name in the directory of the database.
pub(crate) const NAME: &str = "diesis.redb";
/// Changes between the threads: what a thousand phones that register at once cause.
const QUEUE: usize = 4096;
