//! What is told, gathered for a moment and committed together.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};

use bstr::BString;
use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use redb::Database;

use super::{
    CallQuery, StoreError, StoredCall, calls,
    file::{self, BINDINGS, DATABASE, Reason},
};
use crate::{
    cdr::Retention,
    net::clock,
    switch::{BindingRecord, Record},
};

/// What the thread is told.
pub(super) enum Order {
    Keep(Record),
    KeepCall(Box<StoredCall>),
    FindCalls(CallQuery, Found),
}

type Found = Box<dyn FnOnce(Result<Vec<StoredCall>, StoreError>) + Send>;

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(record) => f.debug_tuple("Keep").field(record).finish(),
            Self::KeepCall(call) => f.debug_tuple("KeepCall").field(call).finish(),
            Self::FindCalls(query, _) => f.debug_tuple("FindCalls").field(query).finish(),
        }
    }
}

type Reopen = Box<dyn Fn() -> Result<Database, StoreError> + Send>;

/// The owner of the file.
pub(super) struct Writer {
    /// `None` after the disk failed: the library wants the file opened again then.
    database: Option<Database>,
    reopen: Reopen,
    retention: Retention,
    pending: Pending,
    failing: bool,
}

/// What is not committed yet. Of several changes of one thing only the last counts.
#[derive(Debug, Default)]
struct Pending {
    bindings: BTreeMap<BString, Vec<BindingRecord>>,
    database: BTreeMap<BString, Option<BString>>,
    calls: VecDeque<Box<StoredCall>>,
}

impl Pending {
    fn len(&self) -> usize {
        self.bindings.len() + self.database.len() + self.calls.len()
    }

    /// Whether nothing waits that somebody relies on.
    fn is_calls_alone(&self) -> bool {
        self.bindings.is_empty() && self.database.is_empty()
    }

    fn keep(&mut self, record: Record) {
        match record {
            Record::Bindings { aor, bindings } => drop(self.bindings.insert(aor, bindings)),
            Record::Database { key, value } => drop(self.database.insert(key, value)),
        }
    }
}

impl Writer {
    pub(super) fn new(database: Database, reopen: Reopen, retention: Retention) -> Self {
        let pending = Pending::default();
        Self { database: Some(database), reopen, retention, pending, failing: false }
    }

    /// Works until nobody can tell anything any more, and writes down the rest.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let mut gone = self.gather(orders);
            if !self.commit() && !gone {
                // What is told meanwhile waits, and what waits is remembered by who told it.
                gone = self.wait_again(orders);
            }
            if gone {
                if !self.commit() {
                    tracing::error!(changes = self.pending.len(), "changes are not kept");
                }
                return;
            }
        }
    }

    /// Waits for something to do and takes what comes in the moment after it. Whether it was the
    /// last.
    ///
    /// What comes within that moment lies in the queue until it is looked for: to be woken for each
    /// call record costs who tells it, and this thread, more than all of the rest.
    fn gather(&mut self, orders: &Receiver<Order>) -> bool {
        let is_retry = self.pending.len() > 0;
        if !is_retry {
            match orders.recv_timeout(PRUNE_AGAIN) {
                Ok(order) => self.take(order),
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => return true,
            }
        }
        let begun = clock::now().instant;
        loop {
            while self.pending.len() < BATCH {
                match orders.try_recv() {
                    Ok(order) => self.take(order),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return true,
                }
            }
            let moment = match self.pending.is_calls_alone() {
                true => GATHER_CALLS,
                false => GATHER,
            };
            let gathered = clock::now().instant.saturating_duration_since(begun);
            if is_retry || gathered >= moment || self.pending.len() >= BATCH {
                return false;
            }
            std::thread::park_timeout(GATHER);
        }
    }

    /// After a failure: lets a second pass, and takes what there is room for.
    fn wait_again(&mut self, orders: &Receiver<Order>) -> bool {
        let until = clock::now().instant + AGAIN;
        loop {
            let left = until.saturating_duration_since(clock::now().instant);
            if left.is_zero() {
                return false;
            }
            if self.pending.len() >= MOST_PENDING {
                std::thread::park_timeout(left);
                continue;
            }
            match orders.recv_timeout(left) {
                Ok(order) => self.take(order),
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => return true,
            }
        }
    }

    pub(super) fn take(&mut self, order: Order) {
        match order {
            Order::Keep(record) => self.pending.keep(record),
            Order::KeepCall(call) => self.pending.calls.push_back(call),
            Order::FindCalls(query, found) => found(self.find_calls(&query)),
        }
    }

    /// Those on the disk, and behind them those that are not there yet.
    fn find_calls(&mut self, query: &CallQuery) -> Result<Vec<StoredCall>, StoreError> {
        self.commit();
        let database = match &self.database {
            Some(database) => database,
            None => self.database.insert((self.reopen)()?),
        };
        let found = file::guarded(|| calls::find(database, query));
        let mut found = found.map_err(|reason| StoreError::new(super::NAME.as_ref(), reason))?;
        let pending = self.pending.calls.iter().map(|call| &**call);
        let wanted = |call: &&StoredCall| query.wants(call);
        found.extend(pending.filter(wanted).cloned());
        found.drain(..found.len().saturating_sub(query.last));
        Ok(found)
    }

    /// Brings everything to the disk; `false` when it does not take it. That is told once.
    pub(super) fn commit(&mut self) -> bool {
        match self.try_commit() {
            Ok(()) => {
                if self.failing {
                    self.failing = false;
                    tracing::info!("what is to be kept is written again");
                }
                self.pending = Pending::default();
                true
            }
            Err(error) => {
                self.database = None;
                if !self.failing {
                    self.failing = true;
                    tracing::error!(%error, "nothing is kept until the disk takes it: registrations, the dialplan's database and call records; calls go on");
                }
                false
            }
        }
    }

    fn try_commit(&mut self) -> Result<(), StoreError> {
        let database = match &self.database {
            Some(database) => database,
            None => self.database.insert((self.reopen)()?),
        };
        let (pending, retention) = (&self.pending, self.retention);
        file::guarded(|| write(database, pending, retention))
            .map_err(|reason| StoreError::new(super::NAME.as_ref(), reason))
    }
}

fn write(database: &Database, pending: &Pending, retention: Retention) -> Result<(), Reason> {
    let mut write = database.begin_write()?;
    // Opening after a crash takes no longer than after a stop, however many call records there are.
    write.set_quick_repair(true);
    {
        let mut table = write.open_table(BINDINGS)?;
        for (aor, bindings) in &pending.bindings {
            if bindings.is_empty() {
                table.remove(aor.as_slice())?;
            } else {
                let row =
                    serde_json::to_vec(bindings).map_err(|error| Reason::System(error.into()))?;
                table.insert(aor.as_slice(), row.as_slice())?;
            }
        }
        let mut table = write.open_table(DATABASE)?;
        for (key, value) in &pending.database {
            match value {
                Some(value) => drop(table.insert(key.as_slice(), value.as_slice())?),
                None => drop(table.remove(key.as_slice())?),
            }
        }
    }
    calls::append(&write, pending.calls.iter().map(|call| &**call))?;
    calls::prune(&write, retention, clock::now().wall)?;
    write.commit()?;
    Ok(())
}

/// How long changes are gathered, and how often it is looked for more of them: what is told so
/// shortly before a crash is lost.
const GATHER: Duration = Duration::from_millis(100);
/// The same for call records alone: a commit costs as much as some ten of them.
const GATHER_CALLS: Duration = Duration::from_secs(1);
/// Changes that are not waited for more of.
const BATCH: usize = 8192;
/// Changes kept in memory while the disk takes none; more stay in the queue.
const MOST_PENDING: usize = 100_000;
const AGAIN: Duration = Duration::from_secs(1);
/// How often old call records are looked for when nothing happens.
const PRUNE_AGAIN: Duration = Duration::from_secs(3600);
