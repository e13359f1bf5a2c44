//! A child process whose output is read line by line, and which never outlives its owner.

use std::io::{Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A running child; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts it with its output captured and nothing to read.
    ///
    /// # Panics
    /// When the program cannot be started: the message says which.
    #[must_use]
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::null());
        Self::run(name, command)
    }

    /// Starts it with its output captured, and reads what [`Self::type_line`] gives it.
    ///
    /// # Panics
    /// As [`Self::spawn`].
    #[must_use]
    pub fn spawn_console(name: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::piped());
        Self::run(name, command)
    }

    fn run(name: &str, command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start {name} ({:?}): {error}", command.get_program())
        });
        let (sender, lines) = channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        read_lines(stdout, sender.clone(), Arc::clone(&log));
        read_lines(stderr, sender, Arc::clone(&log));
        let input = child.stdin.take();
        Self { name: name.to_owned(), child, input, lines, log }
    }

    /// Types a line at its console.
    ///
    /// # Panics
    /// When it has none, or has ended.
    pub fn type_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it was started with a console");
        let written = writeln!(input, "{line}").and_then(|()| input.flush());
        assert!(written.is_ok(), "{} takes no line any more:\n{}", self.name, self.output());
    }

    /// The child's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of output that satisfies a condition; lines before it are consumed.
    pub fn wait_line(&self, limit: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if wanted(&line) => return Some(line),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// Waits for the end: both outputs closed, then the exit status.
    ///
    /// # Panics
    /// When it is still running at the limit; the message holds its output.
    pub fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} still runs after {limit:?}:\n{}", self.name, self.output())
                }
            }
        }
        self.child.wait().expect("the child is ours")
    }

    /// Whether it has ended already.
    pub fn has_exited(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours").is_some()
    }

    /// Asks it to end, as Ctrl-C does.
    pub fn interrupt(&self) {
        let status = Command::new("kill").arg("-INT").arg(self.id().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot signal {}", self.name);
    }

    /// All it wrote so far, its last hundred lines at most.
    #[must_use]
    pub fn output(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log[log.len().saturating_sub(100)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- output of {} ---\n{}", self.name, self.output());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines end with a line feed or, as progress does, with a carriage return.
fn read_lines(
    mut output: impl Read + Send + 'static,
    lines: Sender<String>,
    log: Arc<Mutex<Vec<String>>>,
) {
    let report = move |line: &[u8]| {
        let line = String::from_utf8_lossy(line).into_owned();
        log.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
        // Nobody may be listening any more; the pipe is drained all the same.
        let _ = lines.send(line);
    };
    thread::spawn(move || {
        let mut pending = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = output.read(&mut buffer) {
            for &byte in &buffer[..len] {
                if !matches!(byte, b'\n' | b'\r') {
                    pending.push(byte);
                } else if !pending.is_empty() {
                    report(&pending);
                    pending.clear();
                }
            }
        }
        if !pending.is_empty() {
            report(&pending);
        }
    });
}
