//! Talks to a running engine over its control socket.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use diesis_engine::{
    config::Configuration,
    net::control::protocol::{Ask, Command, Reply},
};

use crate::cli::operate::Target;

/// Sends a request and hands on each line of the answer but the last. The exit code is 0 when the
/// engine says that it is done.
pub(crate) fn ask(
    target: &Target,
    command: Command,
    mut take: impl FnMut(Reply) -> io::Result<()>,
) -> ExitCode {
    let path = socket(target);
    conclude(
        UnixStream::connect(&path).and_then(|stream| converse(stream, command, &mut take)),
        &path,
    )
}

/// The same for what goes on until the operator has enough: Ctrl-C ends it in good order.
pub(crate) fn watch(
    target: &Target,
    command: Command,
    mut take: impl FnMut(Reply) -> io::Result<()>,
) -> ExitCode {
    let path = socket(target);
    let watched = UnixStream::connect(&path).and_then(|stream| {
        let end = stream.try_clone()?;
        let is_enough = Arc::new(AtomicBool::new(false));
        let was_enough = Arc::clone(&is_enough);
        // Left behind when the trace ends first; the program ends with it.
        std::thread::Builder::new().name("ctrl-c".into()).spawn(move || {
            crate::block_on(async {
                crate::signals::wanted_to_stop().await;
                is_enough.store(true, Ordering::Relaxed);
                // Who is gone already needs no shutting down.
                let _ = end.shutdown(Shutdown::Both);
                ExitCode::SUCCESS
            })
        })?;
        match converse(stream, command, &mut take) {
            Err(_) if was_enough.load(Ordering::Relaxed) => Ok(Ended::Done),
            ended => ended,
        }
    });
    conclude(watched, &path)
}

/// The same where nobody wants to hear of failures.
pub(crate) fn ask_quietly(path: &Path, command: Command, mut take: impl FnMut(Reply)) {
    let mut take = |reply| {
        take(reply);
        Ok(())
    };
    // Whoever completes a line has nothing to say about an engine that is gone.
    let _ = UnixStream::connect(path).and_then(|stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        converse(stream, command, &mut take)
    });
}

/// Prints what an engine tells in words.
pub(crate) fn print(reply: Reply) -> io::Result<()> {
    match reply {
        Reply::Text(text) => writeln!(io::stdout(), "{text}"),
        _ => Ok(()),
    }
}

enum Ended {
    Done,
    Refused(String),
}

fn conclude(ended: io::Result<Ended>, path: &Path) -> ExitCode {
    match ended {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::Refused(why)) => {
            eprintln!("diesis: {why}");
            ExitCode::FAILURE
        }
        // `diesis show channels | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("diesis: {}: {}", path.display(), explain(&error));
            ExitCode::FAILURE
        }
    }
}

fn converse(
    mut stream: UnixStream,
    command: Command,
    take: &mut impl FnMut(Reply) -> io::Result<()>,
) -> io::Result<Ended> {
    let mut line = serde_json::to_vec(&Ask::new(command))?;
    line.push(b'\n');
    stream.write_all(&line)?;
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str(&line?)? {
            Reply::Done => return Ok(Ended::Done),
            Reply::Error(why) => return Ok(Ended::Refused(why)),
            reply => take(reply)?,
        }
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the engine closed the connection"))
}

/// Where an engine's control socket is.
pub(crate) fn socket(target: &Target) -> PathBuf {
    if let Some(socket) = &target.socket {
        return socket.clone();
    }
    let system = Configuration::system_of(&target.directory);
    system.control_socket().unwrap_or_else(|| PathBuf::from("diesis.ctl"))
}

/// Whether an engine listens there.
///
/// # Errors
/// What is wrong, and what helps.
pub(crate) fn reach(socket: &Path) -> Result<(), String> {
    match UnixStream::connect(socket) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{}: {}", socket.display(), explain(&error))),
    }
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "no engine runs there; name its directory with -C or its socket with --socket".into()
        }
        io::ErrorKind::ConnectionRefused => "no engine listens there any more".into(),
        io::ErrorKind::PermissionDenied => "only the engine's user and group may talk to it".into(),
        _ => error.to_string(),
    }
}

/// How long somebody waits who only pressed a key.
const PATIENCE: Duration = Duration::from_secs(1);
