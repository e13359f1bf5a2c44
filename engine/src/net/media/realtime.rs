//! Precedence of the media threads, and the file limit: what the system is asked for at start.

use rustix::{
    process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

use super::Realtime;

/// Makes the calling thread punctual, as far as the system permits, and logs how far.
pub(super) fn apply(realtime: Realtime, core: usize) {
    if realtime == Realtime::Off {
        return;
    }
    let pinned = pin(core);
    let precedence = match fifo::request(FIFO_PRIORITY) {
        Ok(()) => "SCHED_FIFO",
        Err(_) if setpriority_process(None, NICE).is_ok() => "nice",
        Err(_) => "none",
    };
    if core == 0 {
        tracing::info!(precedence, ?pinned, "media threads run");
        if precedence != "SCHED_FIFO" {
            tracing::info!(
                "media pacing is finer with real-time scheduling: grant CAP_SYS_NICE or \
                 LimitRTPRIO=10"
            );
        }
    }
}

/// Pins the calling thread to one of the cores it may run on; gives that core.
fn pin(index: usize) -> Option<usize> {
    let allowed = sched_getaffinity(None).ok()?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect();
    let core = *cores.get(index % cores.len().max(1))?;
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).ok().map(|()| core)
}

/// Raises the limit of open files to what is permitted: each call has a socket.
pub(super) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum && setrlimit(Resource::Nofile, raised).is_err() {
        tracing::warn!(limit = ?limit.current, "the limit of open files can not be raised");
    }
}

/// Above ordinary threads, below those of the kernel.
const FIFO_PRIORITY: i32 = 10;

const NICE: i32 = -15;

/// The one system call for which there is no safe wrapper.
#[allow(unsafe_code, reason = "rustix has no sched_setscheduler")]
mod fifo {
    use std::io;

    /// Asks for real-time scheduling of the calling thread.
    pub(super) fn request(priority: i32) -> io::Result<()> {
        let parameters = libc::sched_param { sched_priority: priority };
        // Threads it starts, if it ever does, are to be ordinary ones.
        let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
        // SAFETY: 0 means the calling thread; the parameters are valid for reading during the
        // call, which keeps no pointer to them.
        match unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
