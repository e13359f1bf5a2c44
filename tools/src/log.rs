//! Where log lines go, and from which level on: standard error, a file, syslog.
//!
//! What may be slow or gone has a thread and a bounded queue of its own: whoever logs never waits.

mod file;
mod outlet;
mod syslog;
mod target;

use std::{
    env, fs,
    io::{self, IsTerminal},
    os::unix::fs::MetadataExt,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use diesis_engine::net::LogControl;
use tracing::Level;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::dynamic_filter_fn,
    fmt,
    layer::SubscriberExt,
    reload::{self, Handle},
    util::SubscriberInitExt,
};

use crate::cli::Verbosity;
use outlet::{Journal, Outlet, Switchable};
pub(crate) use target::{Facility, Target, facility, target};

/// The log of this program, for its whole life.
#[derive(Debug)]
pub(crate) struct Log {
    filter: Handle<EnvFilter, Registry>,
    /// The filter of the start.
    first: String,
    file: Option<Arc<Outlet>>,
    syslog: Arc<Syslog>,
    facility: Facility,
}

/// Whether the steps of the dialplan are in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steps {
    /// With `--verbose`.
    Logged,
    /// The program shows them in its own way.
    ToldElsewhere,
}

/// Where syslog goes at present.
#[derive(Debug, Default)]
struct Syslog {
    is_on: AtomicBool,
    outlet: RwLock<Option<Arc<Outlet>>>,
}

impl Switchable for Syslog {
    fn outlet(&self) -> Option<Arc<Outlet>> {
        // Nothing panics while it is held.
        self.outlet.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Syslog {
    fn set(&self, outlet: Option<Outlet>) {
        self.is_on.store(outlet.is_some(), Ordering::Relaxed);
        let mut held = self.outlet.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *held = outlet.map(Arc::new);
    }
}

/// Starts logging: `quiet` is the level without `--verbose`. A filter in `DIESIS_LOG` that can't be
/// understood is named and left out.
///
/// # Errors
/// When a target can not be had.
pub(crate) fn start(
    verbosity: &Verbosity,
    quiet: Level,
    targets: &[Target],
    facility: Facility,
    steps: Steps,
) -> io::Result<Arc<Log>> {
    let mut default = default_filter(verbosity.verbose, quiet);
    if steps == Steps::ToldElsewhere {
        default.push_str(",diesis_engine::pbx::host=info");
    }
    let first = match env::var(VARIABLE) {
        Ok(text) => match EnvFilter::try_new(&text) {
            Ok(_) => text,
            Err(error) => {
                eprintln!("diesis: {VARIABLE} is not understood and has no effect: {error}");
                default
            }
        },
        Err(_) => default,
    };
    let (filter, handle) = reload::Layer::new(EnvFilter::new(&first));
    let syslog = Arc::new(Syslog::default());
    let mut file = None;
    let mut layers: Vec<Box<dyn Layer<_> + Send + Sync>> = vec![];
    for target in targets {
        match target {
            Target::Stderr if is_journal() => {
                // The journal has the time and the level of each line.
                let layer = fmt::layer().with_writer(Journal).with_ansi(false);
                layers.push(layer.with_target(false).without_time().with_level(false).boxed());
            }
            Target::Stderr => {
                let layer = fmt::layer().with_writer(io::stderr);
                let is_terminal = io::stderr().is_terminal();
                layers.push(layer.with_ansi(is_terminal).with_target(false).boxed());
            }
            Target::File(path) => {
                let outlet = Arc::new(Outlet::start(file::LogFile::open(path)?)?);
                file = Some(Arc::clone(&outlet));
                let layer = fmt::layer().with_writer(outlet::Fixed(outlet)).with_ansi(false);
                layers.push(layer.with_target(false).boxed());
            }
            Target::Syslog(server) => {
                syslog.set(Some(Outlet::start(syslog::Sender::new(*server, facility)?)?));
            }
        }
    }
    let current = Arc::clone(&syslog);
    let is_on = dynamic_filter_fn(move |_, _| current.is_on.load(Ordering::Relaxed));
    let layer = fmt::layer().with_writer(outlet::Changing(Arc::clone(&syslog))).with_ansi(false);
    let layer = layer.with_target(false).without_time().with_level(false);
    layers.push(layer.with_filter(is_on).boxed());
    tracing_subscriber::registry().with(filter).with(layers).init();
    Ok(Arc::new(Log { filter: handle, first, file, syslog, facility }))
}

impl Log {
    /// Gives what is on its way a moment to arrive.
    pub(crate) fn finish(&self) {
        for outlet in self.file.iter().cloned().chain(self.syslog.outlet()) {
            outlet.flush(PATIENCE);
        }
    }
}

impl LogControl for Log {
    fn set_level(&self, level: &str) -> Result<String, String> {
        let text = match level.to_ascii_lowercase().as_str() {
            "default" => self.first.clone(),
            // What is beneath the engine has much to say to those who build it.
            "debug" => default_filter(1, Level::INFO),
            "trace" => default_filter(2, Level::INFO),
            level @ ("error" | "warn" | "info" | "off") => level.to_owned(),
            _ if level.contains(['=', ',']) => level.to_owned(),
            _ => {
                return Err(format!(
                    "{level:?} is no level; there are error, warn, info, debug, trace, off, default, \
                     and filters such as diesis_engine::sip=debug"
                ));
            }
        };
        let filter = EnvFilter::try_new(&text).map_err(|error| error.to_string())?;
        self.filter.reload(filter).map_err(|error| error.to_string())?;
        Ok(format!("logging {text}"))
    }

    fn set_syslog(&self, to: &str) -> Result<String, String> {
        if to.eq_ignore_ascii_case("off") {
            self.syslog.set(None);
            return Ok("no syslog".to_owned());
        }
        let server = target::server(to)?;
        let outlet = syslog::Sender::new(server, self.facility).and_then(Outlet::start);
        self.syslog.set(Some(outlet.map_err(|error| error.to_string())?));
        Ok(format!("syslog goes to {server}"))
    }

    fn reopen(&self) {
        if let Some(file) = &self.file {
            file.reopen();
        }
    }
}

/// Whether standard error is systemd's journal.
fn is_journal() -> bool {
    let Ok(stream) = env::var("JOURNAL_STREAM") else { return false };
    let own = fs::metadata("/proc/self/fd/2");
    own.is_ok_and(|own| stream == format!("{}:{}", own.dev(), own.ino()))
}

fn default_filter(verbose: u8, quiet: Level) -> String {
    match verbose {
        0 => quiet.to_string().to_ascii_lowercase(),
        1 => "info,diesis_engine=debug,diesis_dialplan=debug".to_owned(),
        _ => "debug,diesis_engine=trace,diesis_dialplan=trace".to_owned(),
    }
}

/// The environment variable that replaces the default filter.
const VARIABLE: &str = "DIESIS_LOG";
/// How long the end of the program waits for its last lines.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_filter_is_understood() {
        for verbose in 0..3 {
            assert!(EnvFilter::try_new(default_filter(verbose, Level::WARN)).is_ok());
        }
    }
}
