//! A queue of lines and the thread that brings them away.

use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// What brings lines away; it may wait, and what it can not bring away is lost.
pub(super) trait Drain: Send + 'static {
    /// What its thread is called.
    const THREAD: &'static str;

    /// Brings a line away, without its end.
    fn write(&mut self, level: Level, line: &str) -> io::Result<()>;

    /// Begins anew, as when a file was moved away.
    fn reopen(&mut self);
}

/// Lines on their way. Those for which there is no room are counted, and told of when there is.
pub(super) struct Outlet {
    queue: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

enum Entry {
    Line(Level, String),
    Reopen,
    Flush(SyncSender<()>),
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("lost", &self.lost).finish_non_exhaustive()
    }
}

impl Outlet {
    pub(super) fn start(drain: impl Drain) -> io::Result<Self> {
        let (queue, entries) = sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        thread::Builder::new()
            .name(name_of(&drain))
            .spawn(move || run(drain, &entries, &counted))?;
        Ok(Self { queue, lost })
    }

    fn send(&self, level: Level, line: &[u8]) {
        let line = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        if self.queue.try_send(Entry::Line(level, line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn reopen(&self) {
        // A full queue is full of lines: the next one to be written finds the file gone anyway.
        let _ = self.queue.try_send(Entry::Reopen);
    }

    /// Waits until everything so far is away, at most so long.
    pub(super) fn flush(&self, limit: Duration) {
        let (done, flushed) = sync_channel(1);
        if self.queue.try_send(Entry::Flush(done)).is_ok() {
            let _ = flushed.recv_timeout(limit);
        }
    }
}

fn name_of<D: Drain>(_: &D) -> String {
    D::THREAD.to_owned()
}

fn run(mut drain: impl Drain, entries: &Receiver<Entry>, lost: &AtomicU64) {
    let mut unsaid = 0;
    for entry in entries {
        match entry {
            Entry::Line(level, line) => {
                unsaid += lost.swap(0, Ordering::Relaxed);
                if unsaid > 0
                    && drain
                        .write(Level::WARN, &format!("{unsaid} lines of the log were lost"))
                        .is_ok()
                {
                    unsaid = 0;
                }
                if drain.write(level, &line).is_err() {
                    unsaid += 1;
                }
            }
            Entry::Reopen => drain.reopen(),
            Entry::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

/// Where an outlet may come and go.
pub(super) trait Switchable: Send + Sync + 'static {
    fn outlet(&self) -> Option<Arc<Outlet>>;
}

/// Writes lines to one outlet.
#[derive(Debug, Clone)]
pub(super) struct Fixed(pub(super) Arc<Outlet>);

/// Writes lines to the outlet that there is at the time.
#[derive(Debug, Clone)]
pub(super) struct Changing<S>(pub(super) Arc<S>);

/// One line on its way to an outlet.
#[derive(Debug)]
pub(super) struct Line(Option<Arc<Outlet>>, Level);

impl Write for Line {
    /// A line comes in one piece.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(outlet) = &self.0 {
            outlet.send(self.1, line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Fixed {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Some(Arc::clone(&self.0)), Level::INFO)
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line {
        Line(Some(Arc::clone(&self.0)), *meta.level())
    }
}

impl<'a, S: Switchable> MakeWriter<'a> for Changing<S> {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.0.outlet(), Level::INFO)
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line {
        Line(self.0.outlet(), *meta.level())
    }
}

/// Standard error as systemd's journal takes it: each line begins with its severity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Journal;

/// One line for the journal.
#[derive(Debug)]
pub(super) struct JournalLine(Level);

impl Write for JournalLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let prefix = format!("<{}>", severity(self.0));
        io::stderr().lock().write_all(&[prefix.as_bytes(), line].concat())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Journal {
    type Writer = JournalLine;

    fn make_writer(&'a self) -> JournalLine {
        JournalLine(Level::INFO)
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> JournalLine {
        JournalLine(*meta.level())
    }
}

/// The severity of RFC 5424 §6.2.1.
pub(super) fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// Lines that wait, some hundred octets each.
const QUEUE: usize = 4096;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Waits at its first line until it is let go.
    struct Stuck {
        gate: Receiver<()>,
        written: Sender<String>,
    }

    impl Drain for Stuck {
        const THREAD: &'static str = "stuck";

        fn write(&mut self, _: Level, line: &str) -> io::Result<()> {
            let _ = self.gate.recv();
            let _ = self.written.send(line.to_owned());
            Ok(())
        }

        fn reopen(&mut self) {}
    }

    #[test]
    fn who_logs_never_waits_and_what_is_lost_is_told() {
        let ((release, gate), (written, lines)) = (channel(), channel());
        let outlet = Outlet::start(Stuck { gate, written }).unwrap();
        for n in 0..QUEUE + 100 {
            outlet.send(Level::INFO, format!("{n}\n").as_bytes());
        }
        drop(release);
        outlet.send(Level::INFO, b"last\n");
        drop(outlet);
        let lines: Vec<_> = lines.into_iter().collect();
        let told = lines.iter().filter_map(|line| line.strip_suffix(" lines of the log were lost"));
        let told: usize = told.map(|count| count.parse::<usize>().unwrap()).sum();
        let kept = lines.iter().filter(|line| line.parse::<usize>().is_ok()).count();
        assert!(told >= 99, "{told}");
        assert_eq!(told + kept + usize::from(lines.iter().any(|it| it == "last")), QUEUE + 101);
    }
}
