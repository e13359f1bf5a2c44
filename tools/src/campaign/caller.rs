//! One call of a campaign over the engine's control socket.

use std::io;
use std::path::Path;

use diesis_engine::net::control::protocol::{Ask, CallNews, CallResult, Command, Reply};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// How a call ended.
#[derive(Debug)]
pub(super) enum CallEnd {
    /// It was made, and this came of it.
    Over(Box<CallResult>),
    /// The engine did not make it.
    Refused(String),
    /// It was not made, since there is no engine.
    Unreachable(io::Error),
    /// It was begun, and nobody knows what came of it.
    Lost(String),
}

/// Makes a call and follows it to its end; `called` is told the channels that are used.
pub(super) async fn call(socket: &Path, order: Command, mut called: impl FnMut(String)) -> CallEnd {
    let stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error) => return CallEnd::Unreachable(error),
    };
    let (reader, mut writer) = stream.into_split();
    let mut line = match serde_json::to_vec(&Ask::new(order)) {
        Ok(line) => line,
        Err(error) => return CallEnd::Refused(error.to_string()),
    };
    line.push(b'\n');
    if let Err(error) = writer.write_all(&line).await {
        return CallEnd::Unreachable(error);
    }
    let mut is_begun = false;
    let mut lines = BufReader::new(reader).lines();
    loop {
        let line = match lines.next_line().await {
            Ok(Some(line)) => line,
            Ok(None) => return CallEnd::Lost("the engine closed the connection".into()),
            Err(error) => return CallEnd::Lost(error.to_string()),
        };
        match serde_json::from_str(&line) {
            Ok(Reply::Call(CallNews::Calling { channel } | CallNews::Answered { channel })) => {
                is_begun = true;
                called(channel);
            }
            Ok(Reply::Call(CallNews::Ended(result))) => return CallEnd::Over(Box::new(result)),
            Ok(Reply::Error(why)) if is_begun => return CallEnd::Lost(why),
            Ok(Reply::Error(why)) => return CallEnd::Refused(why),
            Ok(Reply::Done) => return CallEnd::Lost("the engine told no result".into()),
            Ok(_) => {}
            Err(error) => return CallEnd::Lost(error.to_string()),
        }
    }
}

/// Asks the engine for one text, such as a value of its database.
pub(super) async fn ask(socket: &Path, command: Command) -> Option<String> {
    let (reader, mut writer) = UnixStream::connect(socket).await.ok()?.into_split();
    let mut line = serde_json::to_vec(&Ask::new(command)).ok()?;
    line.push(b'\n');
    writer.write_all(&line).await.ok()?;
    let mut lines = BufReader::new(reader).lines();
    let mut text = None;
    while let Some(line) = lines.next_line().await.ok()? {
        match serde_json::from_str(&line).ok()? {
            Reply::Text(told) => text = Some(told),
            Reply::Done | Reply::Error(_) => break,
            _ => {}
        }
    }
    text
}
