//! Talks to a running engine over its control socket.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::ExitCode,
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
    match converse(&path, command, &mut take) {
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

fn converse(
    path: &PathBuf,
    command: Command,
    take: &mut impl FnMut(Reply) -> io::Result<()>,
) -> io::Result<Ended> {
    let mut stream = UnixStream::connect(path)?;
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

fn socket(target: &Target) -> PathBuf {
    if let Some(socket) = &target.socket {
        return socket.clone();
    }
    let system = Configuration::system_of(&target.directory);
    system.control_socket().unwrap_or_else(|| PathBuf::from("diesis.ctl"))
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
