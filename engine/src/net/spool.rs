//! Call files: a file put into the spool directory is a call to be made.
//!
//! As Asterisk's pbx_spool: a file is due when its time of modification has come, what is tried is
//! written down at its end, and a try that fails is repeated after `RetryTime` as often as
//! `MaxRetries` says. What can not be read is moved to the directory of failures, with a reason in
//! the log. Differs from Asterisk: a file is done with as soon as somebody answers, not when that
//! call ends, so that a crash during the call does not repeat it.

mod call_file;

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    fs, io,
    io::{Read, Write},
    path::{Path, PathBuf},
    process,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use diesis_dialplan::operation::{DialPlace, OriginateStatus, OriginateTarget};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};

use super::{
    clock,
    control::{Gone, Wires},
    signalling::Request,
};
use crate::{
    printable::Printable,
    switch::{Completion, Originate},
};
pub use call_file::CallFileError;
use call_file::{CallFile, FileEnd};

/// Reads the text of a call file, for those who write such files and want to know beforehand: whom it
/// calls, and what then.
///
/// # Errors
/// What is wrong with it, with the line.
pub fn check_call_file(text: &[u8]) -> Result<Originate, CallFileError> {
    CallFile::parse(text).map(|file| file.originate)
}

/// Watches the spool directory until `alive` has no sender any more.
///
/// # Errors
/// When the directory can not be made, or there is no thread.
pub(crate) fn start(directory: &Path, wires: Wires, alive: watch::Receiver<()>) -> io::Result<()> {
    let spool = Spool::open(directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("diesis-spool".into());
    thread.spawn(move || runtime.block_on(run(spool, wires, alive)))?;
    Ok(())
}

async fn run(mut spool: Spool, wires: Wires, mut alive: watch::Receiver<()>) {
    let mut tries = JoinSet::new();
    let mut look = tokio::time::interval(LOOK_AGAIN);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            gone = alive.changed() => if gone.is_err() { return },
            Some(tried) = tries.join_next() => match tried {
                Ok((_, Err(Gone))) => return,
                Ok((job, Ok(status))) => spool.conclude(job, status, SystemTime::from(clock::now().wall)),
                Err(error) => tracing::error!(%error, "a bug in the try of a call file"),
            },
            _ = look.tick() => {
                for job in spool.due(SystemTime::from(clock::now().wall)) {
                    let wires = wires.clone();
                    tries.spawn(async move {
                        let status = call(&job.file, &wires).await;
                        (job, status)
                    });
                }
            }
        }
    }
}

/// Makes the call of a file; returns when somebody answered, or nobody will.
async fn call(file: &CallFile, wires: &Wires) -> Result<OriginateStatus, Gone> {
    let mut originate = file.originate.clone();
    if let (Some(label), OriginateTarget::Place { context, extension, priority }) =
        (&file.label, &mut originate.target)
    {
        let place = DialPlace {
            context: Some(context.clone()),
            extension: Some(extension.clone()),
            priority: label.clone(),
        };
        let found = wires.look(move |at| at.switch.step_at(&place, at.now)).await?;
        let Some(found) = found else {
            tracing::warn!(label = %Printable(label), "a call file names a label that is not there");
            return Ok(OriginateStatus::Failed);
        };
        *priority = found;
    }
    let (done, answered) = oneshot::channel();
    let requests = wires.requests.upgrade().ok_or(Gone)?;
    let request = Request::Originate { originate: Box::new(originate), done, news: None };
    requests.send(request).await.map_err(|_| Gone)?;
    drop(requests);
    Ok(match answered.await.map_err(|_| Gone)? {
        Completion::Originated(status) => status,
        _ => OriginateStatus::Failed,
    })
}

/// The directories and what is known of their files.
#[derive(Debug)]
struct Spool {
    outgoing: PathBuf,
    done: PathBuf,
    failed: PathBuf,
    /// Files whose calls are being made.
    trying: HashSet<OsString>,
    /// Files that could not be moved out of the way, as they were then.
    stuck: HashMap<OsString, SystemTime>,
}

/// One try of a file.
#[derive(Debug)]
struct Job {
    name: OsString,
    file: CallFile,
    /// The file's time since the beginning of the try was written down.
    modified: SystemTime,
}

/// Why a file is not tried.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("it is not a plain file")]
    NotPlain,
    #[error("it is larger than {LONGEST_FILE} bytes")]
    TooLong,
    #[error("{0}")]
    System(#[from] io::Error),
    #[error("{0}")]
    Text(#[from] CallFileError),
}

impl Spool {
    fn open(outgoing: &Path) -> io::Result<Self> {
        fs::create_dir_all(outgoing)?;
        let beside = |suffix: &str| {
            let mut name = outgoing.file_name().map_or_else(|| "outgoing".into(), OsStr::to_owned);
            name.push(suffix);
            outgoing.with_file_name(name)
        };
        Ok(Self {
            outgoing: outgoing.to_owned(),
            done: beside("_done"),
            failed: beside("_failed"),
            trying: HashSet::new(),
            stuck: HashMap::new(),
        })
    }

    /// Files whose time has come; their tries begin.
    fn due(&mut self, now: SystemTime) -> Vec<Job> {
        let entries = match fs::read_dir(&self.outgoing) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(directory = %self.outgoing.display(), %error, "call files can not be read");
                return Vec::new();
            }
        };
        let mut waiting: Vec<(SystemTime, OsString)> = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || self.trying.contains(&name) {
                continue;
            }
            // Of a link itself, not of what it points at.
            let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
            let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
            let is_stuck = self.stuck.get(&name) == Some(&modified);
            if metadata.is_dir() || modified > now || is_stuck {
                continue;
            }
            waiting.push((modified, name));
        }
        self.stuck.retain(|name, _| self.outgoing.join(name).symlink_metadata().is_ok());
        waiting.sort();
        let room = MOST_AT_ONCE.saturating_sub(self.trying.len());
        let waiting = waiting.into_iter().take(room);
        waiting.filter_map(|(_, name)| self.begin(name, now)).collect()
    }

    /// Begins a try, unless the file is of no use or all its tries are over.
    fn begin(&mut self, name: OsString, now: SystemTime) -> Option<Job> {
        let path = self.outgoing.join(&name);
        let mut file = match read(&path) {
            Ok(file) => file,
            Err(error) => {
                self.reject(&name, &error);
                return None;
            }
        };
        let mut note = String::new();
        if file.tried_by.take().is_some() {
            // An engine died while it tried: none but this one serves the directory.
            file.tried = file.tried.saturating_add(1);
            note.push_str(&line("AbortRetry", file.tried, now));
        }
        if file.tried > file.most_retries {
            let job = Job { modified: modified(&path), name, file };
            self.expire(&job);
            return None;
        }
        note.push_str(&line("StartRetry", file.tried + 1, now));
        // Should this engine die now, the next one waits as after any failure.
        match write_down(&path, &note, now + file.retry_time) {
            Ok(()) => {
                let (called, attempt) = (called(&file.originate), file.tried + 1);
                tracing::info!(file = %path.display(), called, attempt, "call file");
                self.trying.insert(name.clone());
                Some(Job { modified: modified(&path), name, file })
            }
            Err(error) => {
                self.reject(&name, &Unfit::System(error));
                None
            }
        }
    }

    /// A try is over.
    fn conclude(&mut self, mut job: Job, status: OriginateStatus, now: SystemTime) {
        self.trying.remove(&job.name);
        let path = self.outgoing.join(&job.name);
        let called = called(&job.file.originate);
        if status == OriginateStatus::Success {
            tracing::info!(file = %path.display(), called, "the call of a call file was answered");
            return self.put_away(&job, "Completed");
        }
        job.file.tried = job.file.tried.saturating_add(1);
        tracing::info!(file = %path.display(), called, status = status.as_str(), "the call of a call file failed");
        if job.file.tried > job.file.most_retries {
            return self.expire(&job);
        }
        if self.was_changed(&job) {
            // Somebody says when it is to be tried again.
            return;
        }
        let note = line("EndRetry", job.file.tried, now);
        match write_down(&path, &note, now + job.file.retry_time) {
            Ok(()) => {}
            // Taken back.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.reject(&job.name, &Unfit::System(error)),
        }
    }

    fn expire(&mut self, job: &Job) {
        let (called, attempts) = (called(&job.file.originate), job.file.tried);
        tracing::warn!(called, attempts, "queued call expired without completion");
        self.put_away(job, "Expired");
    }

    /// Whether somebody else wrote to the file since the try began.
    fn was_changed(&self, job: &Job) -> bool {
        modified(&self.outgoing.join(&job.name)) != job.modified
    }

    /// The file is done with.
    fn put_away(&mut self, job: &Job, status: &str) {
        let path = self.outgoing.join(&job.name);
        if !job.file.always_delete && self.was_changed(job) {
            return;
        }
        let put = match job.file.end {
            FileEnd::Deleted => fs::remove_file(&path),
            FileEnd::Archived => fs::create_dir_all(&self.done).and_then(|()| {
                let to = self.done.join(&job.name);
                fs::rename(&path, &to)?;
                fs::OpenOptions::new()
                    .append(true)
                    .open(to)?
                    .write_all(format!("\nStatus: {status}\n").as_bytes())
            }),
        };
        if let Err(error) = put
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(file = %path.display(), %error, "a call file that is done with can not be put away: it is left alone from now on");
            self.stuck.insert(job.name.clone(), modified(&path));
        }
    }

    /// The file is of no use: it is moved to where somebody can look at it.
    fn reject(&mut self, name: &OsStr, error: &Unfit) {
        let path = self.outgoing.join(name);
        tracing::warn!(file = %path.display(), %error, "this is no call file, and is moved to {}", self.failed.display());
        let moved = fs::create_dir_all(&self.failed)
            .and_then(|()| fs::rename(&path, self.failed.join(name)));
        if let Err(error) = moved {
            tracing::error!(file = %path.display(), %error, "it can not be moved: it is left alone from now on");
            self.stuck.insert(name.to_owned(), modified(&path));
        }
    }
}

fn read(path: &Path) -> Result<CallFile, Unfit> {
    // Not opened first: to open a pipe waits for its writer.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(Unfit::NotPlain);
    }
    let mut text = Vec::new();
    fs::File::open(path)?.take(LONGEST_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(Unfit::TooLong);
    }
    Ok(CallFile::parse(&text)?)
}

/// Appends to a file, and sets when it is due again.
fn write_down(path: &Path, note: &str, due: SystemTime) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().append(true).open(path)?;
    file.write_all(format!("\n{note}").as_bytes())?;
    file.set_modified(due)
}

/// A line about a try, as Asterisk writes it.
fn line(what: &str, attempt: u32, now: SystemTime) -> String {
    let at = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("{what}: {} {attempt} ({at})\n", process::id())
}

fn modified(path: &Path) -> SystemTime {
    fs::symlink_metadata(path).and_then(|it| it.modified()).unwrap_or(UNIX_EPOCH)
}

fn called(originate: &Originate) -> String {
    let destination = &originate.destination;
    format!("{}/{}", Printable(&destination.technology), Printable(&destination.resource))
}

/// How often the directory is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Calls of files at a time; other files wait.
const MOST_AT_ONCE: usize = 100;
/// A call file has some ten lines.
const LONGEST_FILE: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A spool directory of its own, removed at the end.
    struct Scene {
        root: PathBuf,
        spool: Spool,
        now: SystemTime,
    }

    impl Scene {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("diesis-spool-{}-{name}", process::id()));
            let _ = fs::remove_dir_all(&root);
            let spool = Spool::open(&root.join("outgoing")).expect("a directory");
            Self { root, spool, now: SystemTime::from(clock::now().wall) + Duration::from_secs(60) }
        }

        fn put(&self, name: &str, text: &str) {
            fs::write(self.spool.outgoing.join(name), text).expect("written");
        }

        fn due(&mut self, later: u64) -> Vec<Job> {
            self.now += Duration::from_secs(later);
            self.spool.due(self.now)
        }

        fn conclude(&mut self, job: Job, status: OriginateStatus) {
            self.spool.conclude(job, status, self.now);
        }

        fn has(&self, path: &str) -> bool {
            self.root.join(path).symlink_metadata().is_ok()
        }
    }

    impl Drop for Scene {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.root);
        }
    }

    const CALL: &str = "Channel: PJSIP/200\nContext: office\nExtension: 300\n";

    #[test]
    fn a_file_whose_call_is_answered_is_gone() {
        let mut scene = Scene::new("answered");
        scene.put("a.call", CALL);
        let mut jobs = scene.due(0);
        assert_eq!(jobs.len(), 1);
        assert!(scene.due(600).is_empty(), "it is being tried");
        scene.conclude(jobs.remove(0), OriginateStatus::Success);
        assert!(!scene.has("outgoing/a.call") && !scene.has("outgoing_done"));
    }

    #[test]
    fn a_call_that_fails_is_tried_again_after_its_time_and_then_expires() {
        let mut scene = Scene::new("retried");
        scene.put("a.call", &format!("{CALL}MaxRetries: 1\nRetryTime: 60\nArchive: yes\n"));
        let job = scene.due(0).remove(0);
        scene.conclude(job, OriginateStatus::Busy);
        assert!(scene.due(59).is_empty());
        let job = scene.due(2).remove(0);
        assert_eq!(job.file.tried, 1);
        scene.conclude(job, OriginateStatus::Ringing);
        assert!(!scene.has("outgoing/a.call"));
        let text = fs::read_to_string(scene.root.join("outgoing_done/a.call")).expect("archived");
        assert_eq!(text.matches("StartRetry:").count(), 2, "{text}");
        assert!(text.ends_with("Status: Expired\n"), "{text}");
        // What was written down can be read again.
        assert!(CallFile::parse(text.replace("Status: Expired", "").as_bytes()).is_ok());
    }

    #[test]
    fn a_file_of_the_future_waits() {
        let mut scene = Scene::new("future");
        scene.put("a.call", CALL);
        let file = fs::File::options().append(true).open(scene.root.join("outgoing/a.call"));
        file.and_then(|file| file.set_modified(scene.now + Duration::from_secs(3600)))
            .expect("set");
        assert!(scene.due(3599).is_empty());
        assert_eq!(scene.due(1).len(), 1);
    }

    #[test]
    fn a_try_that_an_engine_died_in_counts() {
        let mut scene = Scene::new("died");
        scene.put("a.call", &format!("{CALL}StartRetry: 1 1 (1700000000)\n"));
        assert!(scene.due(0).is_empty());
        assert!(!scene.has("outgoing/a.call"), "its only try is over");
    }

    #[test]
    fn what_is_no_call_file_is_moved_away_and_the_rest_goes_on() {
        let mut scene = Scene::new("hostile");
        scene.put("text.call", "hello\0\u{7}\n");
        scene.put("long.call", &"#".repeat(100_000));
        scene.put(".hidden", "half written");
        fs::create_dir(scene.root.join("outgoing/directory")).expect("made");
        std::os::unix::fs::symlink("/dev/zero", scene.root.join("outgoing/link.call"))
            .expect("made");
        scene.put("good.call", CALL);
        let jobs = scene.due(0);
        assert_eq!(jobs.len(), 1);
        for name in ["text.call", "long.call", "link.call"] {
            assert!(scene.has(&format!("outgoing_failed/{name}")), "{name}");
            assert!(!scene.has(&format!("outgoing/{name}")), "{name}");
        }
        assert!(scene.has("outgoing/.hidden") && scene.has("outgoing/directory"));
    }

    #[test]
    fn a_file_that_was_changed_meanwhile_is_kept_where_it_says_so() {
        let mut scene = Scene::new("changed");
        scene.put("a.call", &format!("{CALL}AlwaysDelete: no\n"));
        let job = scene.due(0).remove(0);
        scene.put("a.call", CALL);
        scene.conclude(job, OriginateStatus::Success);
        assert!(scene.has("outgoing/a.call"));
    }
}
