//! The store on files that can not be had, are damaged, or do not grow any more.

use std::{
    fs, io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use redb::{Builder, Database, StorageBackend};

use super::{file::Reason, *};
use crate::switch::BindingRecord;

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("diesis-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("var").join(NAME)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const MANY: Retention = Retention { records: 1000, days: 0 };

fn bindings(user: &str) -> Record {
    let address = "192.0.2.1:5060".parse().unwrap();
    let binding = BindingRecord {
        contact: format!("sip:{user}@192.0.2.1"),
        transport: "UDP".to_owned(),
        local: address,
        source: address,
        registered: 1,
        expires: 2,
        q: 1000,
        call_id: "x".to_owned(),
        cseq: 1,
        instance: None,
        registration_id: None,
        path: vec![],
        user_agent: String::new(),
    };
    Record::Bindings { aor: user.into(), bindings: vec![binding] }
}

fn entry(key: &str, value: Option<&str>) -> Record {
    Record::Database { key: key.into(), value: value.map(Into::into) }
}

fn call(source: &str, end: i64) -> StoredCall {
    StoredCall { source: source.to_owned(), end, ..StoredCall::default() }
}

fn found(store: &Store, last: usize, from: Option<&str>) -> Vec<String> {
    let (done, result) = mpsc::channel();
    let query = CallQuery { last, from: from.map(str::to_owned) };
    assert!(store.find_calls(query, move |found| done.send(found).unwrap()));
    let found = result.recv_timeout(Duration::from_secs(30)).unwrap().unwrap();
    found.into_iter().map(|call| format!("{}:{}", call.source, call.end)).collect()
}

fn restored(path: &Path) -> Restored {
    Store::open(path, MANY).unwrap().1
}

#[test]
fn what_was_kept_last_is_there_again() {
    let directory = Directory::new("kept");
    let (store, before) = Store::open(&directory.file(), MANY).unwrap();
    assert!(before.bindings.is_empty() && before.database.is_empty());
    store.keep(bindings("alice"));
    store.keep(bindings("bob"));
    store.keep(Record::Bindings { aor: "bob".into(), bindings: vec![] });
    store.keep(entry("fam/a", Some("1")));
    store.keep(entry("fam/a", Some("2\u{0}\n")));
    store.keep(entry("fam/b", Some("3")));
    store.keep(entry("fam/b", None));
    drop(store);
    let after = restored(&directory.file());
    assert_eq!(after.bindings, [bindings("alice")]);
    assert_eq!(after.database, [("fam/a".into(), "2\u{0}\n".into())]);
}

#[test]
fn call_records_are_found_by_caller_and_the_oldest_are_forgotten() {
    let directory = Directory::new("calls");
    let retention = Retention { records: 3, days: 0 };
    let (store, _) = Store::open(&directory.file(), retention).unwrap();
    for (number, source) in ["a", "b", "a", "c"].into_iter().enumerate() {
        assert!(store.order(Order::KeepCall(Box::new(call(source, number as i64)))));
    }
    assert_eq!(found(&store, 10, None), ["b:1", "a:2", "c:3"]);
    assert_eq!(found(&store, 2, None), ["a:2", "c:3"]);
    assert_eq!(found(&store, 10, Some("a")), ["a:2"]);
    drop(store);
    let (store, _) = Store::open(&directory.file(), retention).unwrap();
    assert!(store.order(Order::KeepCall(Box::new(call("d", 4)))));
    assert_eq!(found(&store, 10, None), ["a:2", "c:3", "d:4"]);
}

#[test]
fn call_records_that_are_too_old_are_forgotten() {
    let directory = Directory::new("old");
    let today = clock::now().wall.as_microsecond();
    let (store, _) = Store::open(&directory.file(), MANY).unwrap();
    for end in [today - 3 * 86_400_000_000, today - 86_400_000_000, today] {
        assert!(store.order(Order::KeepCall(Box::new(call("a", end)))));
    }
    assert_eq!(found(&store, 10, None).len(), 3);
    drop(store);
    let (store, _) = Store::open(&directory.file(), Retention { records: 9, days: 2 }).unwrap();
    assert_eq!(found(&store, 10, None).len(), 2);
}

#[test]
fn two_engines_do_not_write_one_file() {
    let directory = Directory::new("locked");
    let first = Store::open(&directory.file(), MANY).unwrap();
    let error = Store::open(&directory.file(), MANY).unwrap_err();
    assert!(matches!(error.reason(), Reason::Locked), "{error}");
    drop(first);
    restored(&directory.file());
}

#[test]
fn a_directory_that_can_not_be_had_is_named() {
    // Not even the superuser makes directories there.
    let path = Path::new("/proc/self/diesis").join(NAME);
    let error = Store::open(&path, MANY).unwrap_err().to_string();
    assert!(error.starts_with("/proc/self/diesis/diesis.redb: "), "{error}");
    let directory = Directory::new("in-the-way");
    fs::write(directory.0.join("var"), "a file").unwrap();
    let error = Store::open(&directory.file(), MANY).unwrap_err();
    assert!(matches!(error.reason(), Reason::System(_)), "{error}");
}

#[test]
fn a_damaged_file_is_moved_aside_and_begun_anew() {
    let directory = Directory::new("damaged");
    let path = directory.file();
    let (store, _) = Store::open(&path, MANY).unwrap();
    for number in 0..500 {
        store.keep(entry(&format!("fam/{number}"), Some(&"x".repeat(100))));
    }
    drop(store);
    let whole = fs::read(&path).unwrap();
    let mut aside = 0;
    let cuts = [1, 9, 100, 4096, 8192, whole.len() / 2, whole.len() - 4096, whole.len() - 1];
    let truncated = cuts.iter().map(|&length| whole[..length].to_vec());
    let zeroed = truncated.clone().map(|mut bytes| {
        bytes.resize(whole.len(), 0);
        bytes
    });
    for bytes in truncated.chain(zeroed).chain([b"not a database, but some text".to_vec()]) {
        fs::write(&path, &bytes).unwrap();
        let (store, restored) = Store::open(&path, MANY).unwrap();
        assert!(restored.database.len() <= 500);
        store.keep(entry("fam/new", Some("1")));
        drop(store);
        let (_, restored) = Store::open(&path, MANY).unwrap();
        assert!(restored.database.iter().any(|(key, _)| key == "fam/new"), "{}", bytes.len());
        let moved = fs::read_dir(path.parent().unwrap()).unwrap().count() - 1;
        aside = moved.max(aside);
    }
    assert!((1..=10).contains(&aside), "{aside}");
}

/// A disk with so many bytes.
#[derive(Debug)]
struct SmallDisk {
    file: fs::File,
    room: Arc<AtomicU64>,
}

impl SmallDisk {
    fn check(&self, end: u64) -> io::Result<()> {
        match end <= self.room.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }
}

impl StorageBackend for SmallDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check(len)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check(offset + data.len() as u64)?;
        self.file.write_all_at(data, offset)
    }
}

#[test]
fn what_a_full_disk_refuses_is_written_once_there_is_room() {
    let directory = Directory::new("full");
    fs::create_dir_all(directory.file().parent().unwrap()).unwrap();
    let room = Arc::new(AtomicU64::new(u64::MAX));
    let (path, its_room) = (directory.file(), Arc::clone(&room));
    let open = move || -> Result<Database, StoreError> {
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| StoreError::system(&path, error))?;
        let disk = SmallDisk { file, room: Arc::clone(&its_room) };
        file::guarded(|| {
            let database = Builder::new().create_with_backend(disk)?;
            file::prepare(&database)?;
            Ok(database)
        })
        .map_err(|reason| StoreError::new(&path, reason))
    };
    let mut writer = Writer::new(open().unwrap(), Box::new(open), MANY);
    writer.take(Order::Keep(entry("fam/before", Some("1"))));
    assert!(writer.commit());
    let full = fs::metadata(directory.file()).unwrap().len();
    room.store(full, Ordering::Relaxed);
    for number in 0..2000 {
        writer.take(Order::Keep(entry(&format!("fam/{number}"), Some(&"x".repeat(1000)))));
    }
    writer.take(Order::KeepCall(Box::new(call("a", 1))));
    for _ in 0..3 {
        assert!(!writer.commit());
    }
    room.store(u64::MAX, Ordering::Relaxed);
    assert!(writer.commit());
    drop(writer);
    let (store, restored) = Store::open(&directory.file(), MANY).unwrap();
    assert_eq!((restored.database.len(), found(&store, 9, None).len()), (2001, 1));
}
