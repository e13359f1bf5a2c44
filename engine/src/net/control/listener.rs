//! The socket itself: who may connect, how many, and for how long they may think.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt, net::UnixStream as StdStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

use super::{
    ControlError, Wires,
    protocol::{Ask, Command, LONGEST_REQUEST, MOST_FOLLOWERS, Reply, VERSION},
    serve,
};

/// The socket in the file system; gone when dropped.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl SocketFile {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Binds the socket, in the place of one that a crashed engine left behind.
pub(super) fn bind(
    path: PathBuf,
) -> Result<(std::os::unix::net::UnixListener, SocketFile), ControlError> {
    let system = |source| ControlError::System { path: path.clone(), source };
    if StdStream::connect(&path).is_ok() {
        return Err(ControlError::Taken { path });
    }
    if let Some(directory) = path.parent()
        && !directory.exists()
    {
        fs::create_dir_all(directory).map_err(system)?;
    }
    // Bound under another name and renamed, so that nobody finds it before its rights are set, and
    // the old one is there until the new one is.
    let mut new = path.clone().into_os_string();
    new.push(format!(".{}", std::process::id()));
    let new = SocketFile(new.into());
    let _ = fs::remove_file(new.path());
    let listener = std::os::unix::net::UnixListener::bind(new.path()).map_err(system)?;
    fs::set_permissions(new.path(), fs::Permissions::from_mode(MODE)).map_err(system)?;
    listener.set_nonblocking(true).map_err(system)?;
    fs::rename(new.path(), &path).map_err(system)?;
    Ok((listener, SocketFile(path)))
}

/// Serves connections until the engine is gone.
pub(super) async fn run(
    listener: std::os::unix::net::UnixListener,
    wires: Wires,
    mut alive: watch::Receiver<()>,
) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the control socket is not served"),
    };
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let followers = Arc::new(Semaphore::new(MOST_FOLLOWERS));
    loop {
        let accepted = tokio::select! {
            gone = alive.changed() => match gone {
                Ok(()) => continue,
                Err(_) => return,
            },
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                // Whoever finds no place is told by the closed connection.
                if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                    tokio::spawn(serve_one(stream, wires.clone(), place, Arc::clone(&followers)));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "control socket");
                // Descriptors have run out: they come back when something else is closed.
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn serve_one(
    stream: UnixStream,
    wires: Wires,
    mut place: OwnedSemaphorePermit,
    followers: Arc<Semaphore>,
) {
    let (reader, writer) = stream.into_split();
    let mut answer = Answer(writer);
    let mut line = vec![];
    let mut reader = BufReader::new(reader.take(LONGEST_REQUEST as u64));
    let read = timeout(REQUEST_TIME, reader.read_until(b'\n', &mut line)).await;
    let last = match read {
        Ok(Ok(_)) if line.ends_with(b"\n") => match parse(&line) {
            Ok(ask) => match place_of(&ask.command, place, followers) {
                Some(its) => {
                    place = its;
                    serve::serve(ask.command, &wires, &mut reader, &mut answer).await
                }
                None => {
                    let full = format!("{MOST_FOLLOWERS} calls are followed already");
                    return drop(answer.send(&Reply::Error(full)).await);
                }
            },
            Err(error) => Reply::Error(error),
        },
        Ok(Ok(_)) => {
            Reply::Error(format!("expected one line of JSON, at most {LONGEST_REQUEST} bytes"))
        }
        Ok(Err(_)) => return,
        Err(_) => Reply::Error("no request came".to_owned()),
    };
    let _ = answer.send(&last).await;
    drop(place);
}

/// Whoever follows a call does so for as long as it lasts, in a place that no operator waits for.
fn place_of(
    command: &Command,
    place: OwnedSemaphorePermit,
    followers: Arc<Semaphore>,
) -> Option<OwnedSemaphorePermit> {
    match command {
        Command::Originate { follow: Some(_), .. } => followers.try_acquire_owned().ok(),
        _ => Some(place),
    }
}

fn parse(line: &[u8]) -> Result<Ask, String> {
    // The version first: a newer program may ask for what is unknown here.
    let value: serde_json::Value =
        serde_json::from_slice(line).map_err(|error| format!("not a request: {error}"))?;
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {}
        Some(version) => {
            return Err(format!(
                "this engine speaks version {VERSION} of the protocol, not {version}"
            ));
        }
        None => return Err("not a request: it names no version".to_owned()),
    }
    serde_json::from_value(value).map_err(|error| format!("not a request: {error}"))
}

/// Where the lines of an answer go.
pub(super) struct Answer(tokio::net::unix::OwnedWriteHalf);

impl Answer {
    /// Sends one line. An operator's program that does not read is given up after a while.
    pub(super) async fn send(&mut self, reply: &Reply) -> io::Result<()> {
        let mut line = serde_json::to_vec(reply).map_err(io::Error::other)?;
        line.push(b'\n');
        match timeout(WRITE_TIME, self.0.write_all(&line)).await {
            Ok(written) => written,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// The owner and the group: who may read the configuration may steer the engine.
const MODE: u32 = 0o660;
/// Operators at a time; more find the connection closed.
const MOST_CONNECTIONS: usize = 32;
/// A request is written by a program, not typed.
const REQUEST_TIME: Duration = Duration::from_secs(5);
const WRITE_TIME: Duration = Duration::from_secs(10);
const AFTER_FAILURE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_refused_by_name() {
        let error = parse(br#"{"version":2,"command":"fly"}"#).unwrap_err();
        assert_eq!(error, "this engine speaks version 1 of the protocol, not 2");
        assert!(parse(br#"{"command":"show"}"#).unwrap_err().contains("names no version"));
        assert!(parse(b"GET / HTTP/1.1").unwrap_err().starts_with("not a request"));
        assert!(parse(br#"{"version":1,"command":"show","what":"uptime"}"#).is_ok());
    }
}
