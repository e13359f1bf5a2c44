//! The control socket: an operator's questions and orders to a running engine.
//!
//! A Unix socket takes one request a connection, a line of JSON, and answers with lines of JSON until
//! one that says it was the last (`protocol`). A thread of its own serves it: the signalling thread
//! only makes copies of what is asked for.

mod calls;
mod conference;
mod kept;
mod listener;
mod metrics;
pub mod protocol;
mod quality;
pub mod rules;
mod schedules;
mod serve;
mod tables;
mod videoshare;

use std::{fmt, path::PathBuf, sync::Arc};

use diesis_sounds::prompts::Library;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::{
    log_control::LogControl, media::MediaThreads, reload::Reloader, signalling::Request,
    store::Store, trace::Traces, transport::Transports,
};
use crate::{clock::Now, switch::Switch};

pub(crate) use listener::SocketFile;

/// What a look at the running engine sees.
pub(crate) struct Inside<'a> {
    pub(crate) switch: &'a mut Switch,
    pub(crate) transports: &'a Transports,
    /// `Err`: why nothing is kept.
    pub(crate) store: Result<&'a Store, &'a str>,
    pub(crate) traces: &'a mut Traces,
    pub(crate) media: &'a MediaThreads,
    pub(crate) now: Now,
}

/// Something to be done on the signalling thread, quickly.
pub(crate) struct Look(Box<dyn FnOnce(Inside<'_>) + Send>);

impl Look {
    pub(crate) fn at(self, inside: Inside<'_>) {
        (self.0)(inside);
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Look(..)")
    }
}

/// The engine is no longer running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine has stopped")]
pub(crate) struct Gone;

/// What the server of the control socket holds of the engine.
#[derive(Debug, Clone)]
pub(crate) struct Wires {
    /// Weak: the socket does not keep an engine running that nobody holds.
    pub(crate) requests: mpsc::WeakSender<Request>,
    /// Told when somebody wants the engine to stop.
    pub(crate) stop_wanted: Arc<Notify>,
    /// When the engine was started.
    pub(crate) started: Now,
    /// Reads the configuration again.
    pub(crate) reloader: Arc<Reloader>,
    /// Where prompts are looked for.
    pub(crate) library: Library,
    /// The program's log, if it lets it be changed.
    pub(crate) log: Option<Arc<dyn LogControl>>,
}

impl Wires {
    /// Does something on the signalling thread and brings back what came of it.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(Inside<'_>) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (done, seen) = oneshot::channel();
        let look = Look(Box::new(move |inside| {
            // Nobody waits any more when the operator's program is gone.
            let _ = done.send(look(inside));
        }));
        let requests = self.requests.upgrade().ok_or(Gone)?;
        requests.send(Request::Look(look)).await.map_err(|_| Gone)?;
        drop(requests);
        seen.await.map_err(|_| Gone)
    }
}

/// Starts to serve the socket at `path`, until `alive` has no sender any more.
///
/// # Errors
/// When the socket can not be had, in words for the operator.
pub(crate) fn start(
    path: PathBuf,
    wires: Wires,
    alive: watch::Receiver<()>,
) -> Result<SocketFile, ControlError> {
    let (listener, file) = listener::bind(path)?;
    let thread = std::thread::Builder::new().name("diesis-control".into());
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(listener::run(listener, wires, alive)),
            Err(error) => tracing::error!(%error, "the control socket is not served"),
        }
    };
    thread
        .spawn(run)
        .map_err(|source| ControlError::System { path: file.path().into(), source })?;
    Ok(file)
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Somebody serves it.
    #[error("another engine serves {}", path.display())]
    Taken {
        /// Which socket.
        path: PathBuf,
    },
    /// The system refuses it.
    #[error("{}: {source}", path.display())]
    System {
        /// Which socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
