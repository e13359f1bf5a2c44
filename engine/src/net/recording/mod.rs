//! Writes recordings: one thread for all of them, none for a call.
//!
//! Media threads copy samples into rings and never wait. This thread empties the rings four times a
//! second and leaves every file whole on disk each time, so that a crash loses less than a second.
//! A file that can not be written on ends its recording and nothing else.

mod file;
mod target;

use std::{
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SendError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use diesis_sounds::{convert::target::Target as Stored, pcm::TELEPHONE_RATE};
use tokio::sync::{mpsc, oneshot};

use super::clock;
use crate::recording::{
    Existing, Fate, Input, NewFile, NewRecording, RecordingId, RecordingNews, RecordingRequest,
    Track, Volumes,
};
use target::Target;

/// Takes new recordings; the thread ends with the last of them once this is dropped.
#[derive(Debug)]
pub(crate) struct Recorder {
    orders: Sender<Order>,
}

enum Order {
    Request(RecordingRequest),
    /// A recording of an embedder's own.
    Write(Box<Job>),
    /// Completes every file, and ends.
    Stop(oneshot::Sender<()>),
}

/// A recording that is being written.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    finished: oneshot::Receiver<io::Result<Duration>>,
}

impl Recording {
    /// Where it is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until the recording has ended and the file is complete; how long it is.
    ///
    /// # Errors
    /// What the disk said: the file then ends where it failed.
    pub async fn finished(self) -> io::Result<Duration> {
        self.finished.await.map_err(|_| io::Error::other("the recorder has stopped"))?
    }
}

impl Recorder {
    /// Starts the thread; what it tells of the switch's recordings comes through the queue, a
    /// handful for each.
    pub(crate) fn start() -> io::Result<(Self, mpsc::UnboundedReceiver<RecordingNews>)> {
        let (orders, received) = channel();
        let (news, told) = mpsc::unbounded_channel();
        let thread = thread::Builder::new().name("diesis-recorder".into());
        thread.spawn(move || Jobs { jobs: Vec::new(), news }.run(&received))?;
        Ok((Self { orders }, told))
    }

    /// Does what the switch asks for; what there is to tell at once when the thread is gone.
    pub(crate) fn request(&self, request: RecordingRequest) -> Option<RecordingNews> {
        let Err(SendError(Order::Request(request))) = self.orders.send(Order::Request(request))
        else {
            return None;
        };
        Some(match request {
            RecordingRequest::Open(new) => {
                let reason = "the thread that writes recordings is gone".into();
                RecordingNews::Failed { id: new.id, reason }
            }
            RecordingRequest::Close { id, .. } => {
                RecordingNews::Closed { id, length: Duration::ZERO }
            }
        })
    }

    /// Completes every file. Later requests are not heard.
    pub(crate) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.orders.send(Order::Stop(done)).is_ok() {
            // A disk that hangs must not keep the engine from ending.
            let _ = tokio::time::timeout(LAST_SAMPLES, stopped).await;
        }
    }

    /// Creates a WAV file; what is pushed into the returned end is written to it until that end is
    /// dropped.
    pub(crate) fn open(&self, path: PathBuf) -> io::Result<(rtrb::Producer<i16>, Recording)> {
        let (format, existing) = (Stored::default(), Existing::Replaced);
        let new = NewRecording {
            id: RecordingId::new(0),
            rate: TELEPHONE_RATE,
            input: Input::Mono,
            volumes: Volumes::default(),
            files: vec![NewFile { path: path.clone(), format, track: Track::Mixed, existing }],
        };
        let (mut job, sink, _) = Job::open(&new)?;
        let (done, finished) = oneshot::channel();
        job.end = End::WithItsRing(done);
        let gone = |_| io::Error::other("the recorder has stopped");
        self.orders.send(Order::Write(Box::new(job))).map_err(gone)?;
        Ok((sink, Recording { path, finished }))
    }
}

struct Jobs {
    jobs: Vec<Job>,
    news: mpsc::UnboundedSender<RecordingNews>,
}

/// One recording.
#[derive(Debug)]
struct Job {
    id: RecordingId,
    samples: rtrb::Consumer<i16>,
    input: Input,
    volumes: Volumes,
    files: Vec<Target>,
    end: End,
}

/// How a recording ends.
#[derive(Debug)]
enum End {
    /// By a request to close it.
    Asked,
    /// It was asked for: what is in the ring is waited for, for so long at most.
    Closing { trim: Duration, fate: Fate, until: Instant },
    /// With the other end of its ring.
    WithItsRing(oneshot::Sender<io::Result<Duration>>),
    /// The disk failed; it waits to be closed.
    Broken,
}

impl Jobs {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut is_wanted = true;
        let mut looked = clock::now().instant;
        while is_wanted || !self.jobs.is_empty() {
            match orders.recv_timeout(self.patience(looked)) {
                Ok(Order::Stop(done)) => {
                    self.stop();
                    let _ = done.send(());
                    return;
                }
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    is_wanted = false;
                    thread::park_timeout(CLOSING);
                }
            }
            let now = clock::now().instant;
            let is_due = now.duration_since(looked) >= INTERVAL || !is_wanted;
            if is_due {
                looked = now;
            }
            self.work(is_due, now);
        }
    }

    /// How long to wait for orders.
    fn patience(&self, looked: Instant) -> Duration {
        if self.jobs.iter().any(|job| matches!(job.end, End::Closing { .. })) {
            return CLOSING;
        }
        if self.jobs.is_empty() {
            return Duration::MAX;
        }
        INTERVAL.saturating_sub(clock::now().instant.duration_since(looked))
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Request(RecordingRequest::Open(new)) => match Job::open(&new) {
                Ok((job, sink, number)) => {
                    let paths = job.files.iter().map(|it| it.file.path().to_owned()).collect();
                    self.jobs.push(job);
                    self.tell(RecordingNews::Opened { id: new.id, sink, number, paths });
                }
                Err(error) => {
                    let reason = error.to_string();
                    self.tell(RecordingNews::Failed { id: new.id, reason });
                }
            },
            Order::Request(RecordingRequest::Close { id, trim, fate }) => {
                let until = clock::now().instant + LAST_SAMPLES;
                let own = |job: &&mut Job| job.id == id && !matches!(job.end, End::WithItsRing(_));
                if let Some(job) = self.jobs.iter_mut().find(own) {
                    job.end = End::Closing { trim, fate, until };
                }
            }
            Order::Write(job) => self.jobs.push(*job),
            Order::Stop(_) => {}
        }
    }

    /// Looks after those that end, and after all when it is time.
    fn work(&mut self, all: bool, now: Instant) {
        let mut index = 0;
        while let Some(job) = self.jobs.get_mut(index) {
            let is_over = match &job.end {
                End::Closing { until, .. } => job.samples.is_abandoned() || now >= *until,
                End::WithItsRing(_) => all && job.samples.is_abandoned(),
                End::Asked | End::Broken => false,
            };
            if !all && !is_over {
                index += 1;
                continue;
            }
            // Asked for before reading: what was pushed before the other end went is in the ring.
            let written = job.write();
            let broken = written.as_ref().err().map(ToString::to_string);
            match (is_over, broken) {
                (true, _) => self.finish(index, written),
                (false, None) => index += 1,
                (false, Some(reason)) => {
                    let id = job.id;
                    if matches!(job.end, End::WithItsRing(_)) {
                        self.finish(index, written);
                    } else {
                        if matches!(job.end, End::Asked) {
                            job.end = End::Broken;
                        }
                        self.tell(RecordingNews::Broken { id, reason });
                        index += 1;
                    }
                }
            }
        }
    }

    fn finish(&mut self, index: usize, written: io::Result<()>) {
        let Job { id, files, end, .. } = self.jobs.swap_remove(index);
        let (trim, fate) = match end {
            End::Closing { trim, fate, .. } => (trim, fate),
            End::Asked | End::WithItsRing(_) | End::Broken => (Duration::ZERO, Fate::Kept),
        };
        let mut length = Ok(Duration::ZERO);
        for Target { file, .. } in files {
            let path = file.path().to_owned();
            let finished = file.finish(trim, fate);
            if let Err(error) = &finished {
                tracing::error!(path = %path.display(), %error, "a recording can not be completed");
            }
            length = length.and_then(|length| Ok(finished?.max(length)));
        }
        match end {
            End::WithItsRing(done) => {
                if let Err(error) = &written {
                    tracing::error!(%error, "recording stopped");
                }
                let _ = done.send(written.and(length));
            }
            End::Asked | End::Closing { .. } | End::Broken => {
                if let Err(error) = &written {
                    self.tell(RecordingNews::Broken { id, reason: error.to_string() });
                }
                self.tell(RecordingNews::Closed { id, length: length.unwrap_or_default() });
            }
        }
    }

    fn stop(&mut self) {
        while let Some(last) = self.jobs.len().checked_sub(1) {
            let written = self.jobs[last].write();
            self.finish(last, written);
        }
    }

    fn tell(&self, news: RecordingNews) {
        // Nobody listens while the engine stops.
        let _ = self.news.send(news);
    }
}

impl Job {
    fn open(new: &NewRecording) -> io::Result<(Self, rtrb::Producer<i16>, Option<u32>)> {
        let (mut files, mut number) = (Vec::new(), None);
        for file in &new.files {
            let (opened, numbered) = Target::open(file, new.rate)
                .map_err(|error| io::Error::new(error.kind(), named(&file.path, &error)))?;
            number = number.or(numbered);
            files.push(opened);
        }
        let room = new.rate as usize * new.input.channels() * RING_SECONDS;
        let (sink, samples) = rtrb::RingBuffer::new(room);
        let NewRecording { id, input, volumes, .. } = *new;
        Ok((Self { id, samples, input, volumes, files, end: End::Asked }, sink, number))
    }

    /// Moves what is in the ring to the files.
    fn write(&mut self) -> io::Result<()> {
        let waiting = self.samples.slots();
        let waiting = waiting - waiting % self.input.channels();
        let Ok(chunk) = self.samples.read_chunk(waiting) else { return Ok(()) };
        if matches!(self.end, End::Broken) || waiting == 0 {
            chunk.commit_all();
            return Ok(());
        }
        let samples: Vec<i16> = chunk.into_iter().collect();
        for target in &mut self.files {
            let written = match self.input {
                Input::Mono => target.write(&samples),
                Input::Apart => target.write(&mixed_down(&samples, target.track, self.volumes)),
            };
            let path = target.file.path();
            written.map_err(|error| io::Error::new(error.kind(), named(path, &error)))?;
        }
        Ok(())
    }
}

fn named(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// A track of two interleaved sides.
fn mixed_down(samples: &[i16], track: Track, volumes: Volumes) -> Vec<i16> {
    let pairs = samples
        .chunks_exact(2)
        .map(|pair| (amplified(pair[0], volumes.heard), amplified(pair[1], volumes.sent)));
    match track {
        Track::Mixed => pairs.map(|(heard, sent)| heard.saturating_add(sent)).collect(),
        Track::Heard => pairs.map(|(heard, _)| heard).collect(),
        Track::Sent => pairs.map(|(_, sent)| sent).collect(),
        Track::Stereo => pairs.flat_map(|(heard, sent)| [heard, sent]).collect(),
    }
}

fn amplified(sample: i16, step: i8) -> i16 {
    let sample = i32::from(sample);
    let changed = match step {
        0.. => sample << step.min(4),
        _ => sample / (1 << step.unsigned_abs().min(4)),
    };
    changed.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// Between two looks at the rings, and so between two states of a file on disk.
const INTERVAL: Duration = Duration::from_millis(250);
/// The same while a recording ends and somebody waits for it.
const CLOSING: Duration = Duration::from_millis(5);
/// How long the last samples of a media thread are waited for; it takes its orders every 5 ms.
const LAST_SAMPLES: Duration = Duration::from_secs(2);
/// A disk that stops for longer costs samples.
const RING_SECONDS: usize = 4;

#[cfg(test)]
mod tests;
