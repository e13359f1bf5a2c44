//! A thread that is waited for at the end, but not for ever.
//!
//! Threads that write to a disk hang when it does. An engine that is told to stop gives them a
//! moment to write down what they have, and then ends without them.

use std::{
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, Thread},
    time::Duration,
};

/// The thread.
#[derive(Debug)]
pub(crate) struct WaitedThread {
    /// Has no sender any more once the thread is over.
    over: Receiver<()>,
    thread: Thread,
}

impl WaitedThread {
    /// Starts it.
    pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (running, over) = channel::<()>();
        let run = move || {
            run();
            drop(running);
        };
        let thread = thread::Builder::new().name(name.into()).spawn(run)?.thread().clone();
        Ok(Self { over, thread })
    }

    /// Ends its pause, if it is parked.
    pub(crate) fn wake(&self) {
        self.thread.unpark();
    }

    /// Waits for its end; `false` when it does not come in time.
    pub(crate) fn wait(self) -> bool {
        self.over.recv_timeout(LIMIT) == Err(RecvTimeoutError::Disconnected)
    }
}

/// A disk that takes nothing for so long does not take the rest either.
const LIMIT: Duration = Duration::from_secs(5);
