//! One process of a program that makes music: started without a shell and without what the engine
//! has open, ended together with all that it started, and always reaped.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, process::CommandExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use tokio::{net::unix::pipe, time::sleep};

use crate::{
    config::{KillMethod, MusicProgram},
    net::clock,
};

/// A process that runs, or is not reaped yet.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: Pid,
}

impl Process {
    /// Starts it, and gives the reading end of its output. It gets nothing of ours: all that this
    /// process opens is closed on exec.
    pub(super) fn start(program: &MusicProgram) -> io::Result<(Self, pipe::Receiver)> {
        let mut words = program.words.iter().map(|word| OsStr::from_bytes(word));
        let path = words.next().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(path);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.process_group(0);
        if let Some(directory) = &program.directory {
            command.current_dir(directory);
        }
        let mut child = command.spawn()?;
        let pid = Pid::from_child(&child);
        let output = child.stdout.take().map(OwnedFd::from);
        let process = Self { child, pid };
        let output = output.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok((process, pipe::Receiver::from_owned_fd(output)?))
    }

    /// Whether it is over. It is not reaped yet, so that its number names nobody else.
    pub(super) fn is_over(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Ends it, more firmly with each delay, and all that it started; and reaps it. Tells how it ended.
    pub(super) async fn end(mut self, program: &MusicProgram) -> Option<ExitStatus> {
        let group = program.kill_method == KillMethod::ProcessGroup;
        let tell = |signal| match group {
            true => kill_process_group(self.pid, signal),
            false => kill_process(self.pid, signal),
        };
        for signal in [Signal::HUP, Signal::TERM] {
            if self.is_over() {
                break;
            }
            // It may be over by now.
            let _ = tell(signal);
            self.wait_until_over(program.kill_delay).await;
        }
        // What it started may live on without it. Until it is reaped the group is nobody else's.
        if group || !self.is_over() {
            let _ = tell(Signal::KILL);
        }
        self.wait_until_over(LAST_DELAY).await;
        let status = self.child.try_wait().unwrap_or_default();
        if status.is_none() {
            tracing::error!(pid = %self.child.id(), "a program that makes music does not end");
        }
        status
    }

    async fn wait_until_over(&self, limit: Duration) {
        let until = clock::now().instant + limit;
        while !self.is_over() && clock::now().instant < until {
            sleep(LOOK).await;
        }
    }
}

/// Between two looks at a process that is to end.
const LOOK: Duration = Duration::from_millis(10);

/// What the kernel needs to end a process that can not refuse.
const LAST_DELAY: Duration = Duration::from_secs(5);
