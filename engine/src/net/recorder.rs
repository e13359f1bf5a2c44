//! Writes recordings to WAV files: one thread for all of them, none for a call.
//!
//! The media thread copies samples into a ring and never waits. This thread empties the rings,
//! and makes every file whole on disk once a second, so that a crash loses at most that second.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use hound::{SampleFormat, WavSpec, WavWriter};
use tokio::sync::oneshot;

/// Takes new recordings; the thread ends with the last of them once this is dropped.
#[derive(Debug)]
pub(crate) struct Recorder {
    opened: Sender<Job>,
}

struct Job {
    path: PathBuf,
    writer: WavWriter<BufWriter<File>>,
    samples: rtrb::Consumer<i16>,
    unflushed: u32,
    finished: oneshot::Sender<io::Result<Duration>>,
}

/// A recording that is being written.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    finished: oneshot::Receiver<io::Result<Duration>>,
}

impl Recording {
    /// Where it is written.
    pub fn path(&self) -> &std::path::Path {
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
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (opened, recordings) = channel();
        thread::Builder::new().name("diesis-recorder".into()).spawn(move || run(&recordings))?;
        Ok(Self { opened })
    }

    /// Creates the file; what is pushed into the returned end is written to it until that end is
    /// dropped.
    pub(crate) fn open(&self, path: PathBuf) -> io::Result<(rtrb::Producer<i16>, Recording)> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let writer = WavWriter::create(&path, spec).map_err(io::Error::other)?;
        let (producer, samples) = rtrb::RingBuffer::new(RING);
        let (done, finished) = oneshot::channel();
        let job = Job { path: path.clone(), writer, samples, unflushed: 0, finished: done };
        self.opened.send(job).map_err(|_| io::Error::other("the recorder has stopped"))?;
        Ok((producer, Recording { path, finished }))
    }
}

fn run(opened: &Receiver<Job>) {
    let mut jobs: Vec<Job> = vec![];
    let mut accepting = true;
    while accepting || !jobs.is_empty() {
        let wait = if jobs.is_empty() { Duration::MAX } else { INTERVAL };
        match opened.recv_timeout(wait) {
            Ok(job) => jobs.push(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                accepting = false;
                thread::park_timeout(INTERVAL);
            }
        }
        let mut index = 0;
        while index < jobs.len() {
            match jobs[index].write() {
                Ok(Progress::Goes) => index += 1,
                Ok(Progress::Ended) => jobs.swap_remove(index).finish(Ok(())),
                Err(error) => jobs.swap_remove(index).finish(Err(error)),
            }
        }
    }
}

enum Progress {
    Goes,
    Ended,
}

impl Job {
    fn write(&mut self) -> hound::Result<Progress> {
        // Asked before reading: what was pushed before the other end went is still in the ring.
        let ended = self.samples.is_abandoned();
        while let Ok(sample) = self.samples.pop() {
            self.writer.write_sample(sample)?;
            self.unflushed += 1;
        }
        if ended {
            return Ok(Progress::Ended);
        }
        if self.unflushed >= 8000 {
            self.writer.flush()?;
            self.unflushed = 0;
        }
        Ok(Progress::Goes)
    }

    fn finish(self, so_far: hound::Result<()>) {
        let length = Duration::from_secs_f64(f64::from(self.writer.duration()) / 8000.0);
        let result = so_far.and_then(|()| self.writer.finalize()).map(|()| length);
        if let Err(error) = &result {
            tracing::error!(path = %self.path.display(), %error, "recording stopped");
        }
        let _ = self.finished.send(result.map_err(io::Error::other));
    }
}

const INTERVAL: Duration = Duration::from_millis(100);
/// Four seconds: a disk that stops longer than that costs samples.
const RING: usize = 32_000;
