//! The file: how it is opened, what is in it, and what is done with one that can not be read.

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use bstr::BString;
use redb::{Builder, Database, ReadOnlyDatabase, ReadableDatabase, ReadableTable, TableDefinition};

use super::Restored;
use crate::{
    printable::Printable,
    switch::{BindingRecord, Record},
};

/// Address of record -> its bindings, as JSON.
pub(super) const BINDINGS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("bindings");
/// `family/key` -> value.
pub(super) const DATABASE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("database");
/// Number -> call record, as JSON; the oldest has the smallest number.
pub(super) const CALLS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("calls");
const VERSIONS: TableDefinition<'_, &str, u64> = TableDefinition::new("versions");

/// Why nothing is kept.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub(crate) struct StoreError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error("another engine uses it")]
    Locked,
    #[error("it is of version {0}, which a newer engine wrote")]
    TooNew(u64),
    #[error("it is damaged ({0})")]
    Damaged(String),
    #[error("{0}")]
    System(io::Error),
    #[error("{0}")]
    Other(redb::Error),
}

impl StoreError {
    pub(super) fn new(path: &Path, reason: Reason) -> Self {
        Self { path: path.to_owned(), reason }
    }

    pub(super) fn system(path: &Path, error: io::Error) -> Self {
        Self::new(path, Reason::System(error))
    }

    #[cfg(test)]
    pub(super) fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl<E: Into<redb::Error>> From<E> for Reason {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::DatabaseAlreadyOpen => Self::Locked,
            redb::Error::Corrupted(what) => Self::Damaged(what),
            // No file of ours, or one that ends too early.
            redb::Error::Io(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Self::Damaged(error.to_string())
            }
            redb::Error::Io(error) => Self::System(error),
            error => Self::Other(error),
        }
    }
}

/// Opens the file, makes it where there is none, and begins a new one where it is damaged.
pub(super) fn open_or_begin_anew(path: &Path) -> Result<Database, StoreError> {
    let error = match open(path) {
        Ok(database) => return Ok(database),
        Err(error) => error,
    };
    if !matches!(error.reason, Reason::Damaged(_)) {
        return Err(error);
    }
    let aside = free_name(path);
    fs::rename(path, &aside).map_err(|source| StoreError::system(path, source))?;
    tracing::error!(
        %error, moved_to = %aside.display(),
        "registrations, the dialplan's database and call records begin anew"
    );
    open(path)
}

/// Opens the file, or makes it where there is none.
pub(super) fn open(path: &Path) -> Result<Database, StoreError> {
    let reason = |reason| StoreError::new(path, reason);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(|source| StoreError::system(path, source))?;
    }
    guarded(|| {
        let database = Builder::new().set_cache_size(CACHE).create(path)?;
        prepare(&database)?;
        Ok(database)
    })
    .map_err(reason)
}

/// Makes the tables and checks the version.
pub(super) fn prepare(database: &Database) -> Result<(), Reason> {
    let write = database.begin_write()?;
    {
        let mut versions = write.open_table(VERSIONS)?;
        let found = versions.get("layout")?.map(|version| version.value());
        match found {
            Some(LAYOUT) => {}
            Some(other) => return Err(Reason::TooNew(other)),
            None => drop(versions.insert("layout", LAYOUT)?),
        }
        write.open_table(BINDINGS)?;
        write.open_table(DATABASE)?;
        write.open_table(CALLS)?;
    }
    write.commit()?;
    Ok(())
}

/// What an earlier engine left. A single row that can not be read is left out, and told.
pub(super) fn load(database: &Database) -> Result<Restored, Reason> {
    guarded(|| {
        let read = database.begin_read()?;
        let mut restored = Restored::default();
        for row in read.open_table(BINDINGS)?.iter()? {
            let (aor, bindings) = row?;
            let aor = aor.value();
            match serde_json::from_slice::<Vec<BindingRecord>>(bindings.value()) {
                Ok(bindings) => {
                    restored.bindings.push(Record::Bindings { aor: aor.into(), bindings });
                }
                Err(error) => {
                    tracing::error!(aor = %Printable(aor), %error, "its contacts can not be read");
                }
            }
        }
        for row in read.open_table(DATABASE)?.iter()? {
            let (key, value) = row?;
            restored.database.push((key.value().into(), value.value().into()));
        }
        Ok(restored)
    })
}

/// The dialplan's database of a file that no engine uses; nothing where there is no file.
pub(super) fn peek(path: &Path) -> Result<Vec<(BString, BString)>, Reason> {
    if !path.try_exists().map_err(Reason::System)? {
        return Ok(vec![]);
    }
    guarded(|| {
        let read = ReadOnlyDatabase::open(path)?.begin_read()?;
        let mut entries = vec![];
        for row in read.open_table(DATABASE)?.iter()? {
            let (key, value) = row?;
            entries.push((key.value().into(), value.value().into()));
        }
        Ok(entries)
    })
}

/// A damaged file may make the library panic instead of saying so.
pub(super) fn guarded<T>(act: impl FnOnce() -> Result<T, Reason>) -> Result<T, Reason> {
    catch_unwind(AssertUnwindSafe(act))
        .unwrap_or_else(|_| Err(Reason::Damaged("it makes no sense".to_owned())))
}

fn free_name(path: &Path) -> PathBuf {
    let named = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        PathBuf::from(name)
    };
    let free = (1..MOST_ASIDE).map(named).find(|path| !path.exists());
    // So many were never looked at: the last is replaced.
    free.unwrap_or_else(|| named(MOST_ASIDE))
}

/// The version of the tables.
const LAYOUT: u64 = 1;
/// Pages kept in memory; the library would take a gigabyte.
const CACHE: usize = 8 * 1024 * 1024;
const MOST_ASIDE: u32 = 10;
