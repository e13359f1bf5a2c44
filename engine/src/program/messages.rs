//! What is said beside the audio to a program on a WebSocket: the commands and events of Asterisk's
//! WebSocket channel (the page of that name in its documentation), as text or as JSON.

use serde_json::{Map, Value, json};

use crate::{config::MessageFormat, media::Digit};

/// What a program wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The call is to be answered.
    Answer,
    /// The program hangs up.
    Hangup,
    /// Much audio follows.
    StartBuffering,
    /// It is there; told when it is heard.
    StopBuffering(Option<String>),
    /// What was not heard yet is thrown away.
    Flush,
    /// What was not heard yet waits.
    Pause,
    /// It goes on.
    Continue,
    /// Told when what came before is heard.
    Mark(Option<String>),
    /// How it stands.
    Status,
    /// Told once when nothing waits any more.
    ReportDrained,
    /// Who hears whom.
    Direction(Flows),
}

/// Which way audio flows, as the program sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flows {
    /// Both.
    #[default]
    Both,
    /// To the program alone.
    In,
    /// From the program alone.
    Out,
}

/// Why a message is no command. The text is for the program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It is neither words nor an object with a command.
    #[error("the message is no command")]
    Malformed,
    /// The word means nothing.
    #[error("there is no such command")]
    Unknown,
    /// A direction that is none.
    #[error("the direction is not both, in or out")]
    Direction,
    /// An identity that is too long.
    #[error("the correlation id is longer than {LONGEST_ID} octets")]
    Id,
}

impl Command {
    /// Reads a message in either format, whichever of the two we write.
    ///
    /// # Errors
    /// When it is no command.
    pub fn parse(text: &str) -> Result<Self, CommandError> {
        let text = text.trim();
        if !text.starts_with('{') {
            let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
            return Self::of(word, Some(rest.trim()).filter(|rest| !rest.is_empty()));
        }
        let Ok(Value::Object(object)) = serde_json::from_str(text) else {
            return Err(CommandError::Malformed);
        };
        let field = |name: &str| object.get(name).and_then(Value::as_str);
        let word = field("command").ok_or(CommandError::Malformed)?;
        Self::of(word, field("correlation_id").or_else(|| field("direction")))
    }

    fn of(word: &str, argument: Option<&str>) -> Result<Self, CommandError> {
        let id = || match argument {
            Some(id) if id.len() > LONGEST_ID => Err(CommandError::Id),
            id => Ok(id.map(ToOwned::to_owned)),
        };
        Ok(match word {
            "ANSWER" => Self::Answer,
            "HANGUP" => Self::Hangup,
            "START_MEDIA_BUFFERING" => Self::StartBuffering,
            "STOP_MEDIA_BUFFERING" => Self::StopBuffering(id()?),
            "FLUSH_MEDIA" => Self::Flush,
            "PAUSE_MEDIA" => Self::Pause,
            "CONTINUE_MEDIA" => Self::Continue,
            "MARK_MEDIA" => Self::Mark(id()?),
            "GET_STATUS" => Self::Status,
            "REPORT_QUEUE_DRAINED" => Self::ReportDrained,
            "SET_MEDIA_DIRECTION" => Self::Direction(match argument {
                Some("both") => Flows::Both,
                Some("in") => Flows::In,
                Some("out") => Flows::Out,
                _ => return Err(CommandError::Direction),
            }),
            _ => return Err(CommandError::Unknown),
        })
    }
}

/// What a program is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// Audio flows from now on.
    Start {
        /// The connection's name.
        connection: &'a str,
        /// The channel's name.
        channel: &'a str,
        /// The codec's name.
        format: &'a str,
        /// Octets in 20 ms.
        frame: usize,
        /// Of the channel; in JSON alone.
        variables: &'a [(String, String)],
    },
    /// A key was pressed.
    Digit(Digit),
    /// Too much waits to be heard.
    Xoff,
    /// There is room again.
    Xon,
    /// How it stands.
    Status {
        /// Frames that wait.
        length: usize,
        /// Whether more than that is dropped.
        is_full: bool,
        /// Between START_MEDIA_BUFFERING and STOP_MEDIA_BUFFERING.
        is_bulk: bool,
        /// After PAUSE_MEDIA.
        is_paused: bool,
    },
    /// All that was sent in bulk is heard.
    Completed(Option<&'a str>),
    /// A mark is reached.
    Marked(Option<&'a str>),
    /// Nothing waits any more.
    Drained,
    /// A command could not be obeyed.
    Error(&'a str),
}

impl Event<'_> {
    /// Writes it for the program on the channel of this unique id.
    pub fn write(&self, format: MessageFormat, channel_id: &str) -> String {
        match format {
            MessageFormat::PlainText => self.to_plain(channel_id),
            MessageFormat::Json => Value::Object(self.to_object(channel_id)).to_string(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "MEDIA_START",
            Self::Digit(_) => "DTMF_END",
            Self::Xoff => "MEDIA_XOFF",
            Self::Xon => "MEDIA_XON",
            Self::Status { .. } => "STATUS",
            Self::Completed(_) => "MEDIA_BUFFERING_COMPLETED",
            Self::Marked(_) => "MEDIA_MARK_PROCESSED",
            Self::Drained => "QUEUE_DRAINED",
            Self::Error(_) => "ERROR",
        }
    }

    fn to_plain(&self, channel_id: &str) -> String {
        let name = self.name();
        match self {
            Self::Start { connection, channel, format, frame, .. } => format!(
                "{name} connection_id:{connection} channel:{channel} channel_id:{channel_id} \
                 format:{format} optimal_frame_size:{frame} ptime:20"
            ),
            Self::Digit(digit) => format!("{name} digit:{digit} channel_id:{channel_id}"),
            Self::Status { length, is_full, is_bulk, is_paused } => format!(
                "{name} channel_id:{channel_id} queue_length:{length} xon_level:{XON_FRAMES} \
                 xoff_level:{XOFF_FRAMES} queue_full:{is_full} bulk_media:{is_bulk} \
                 media_paused:{is_paused}"
            ),
            Self::Completed(Some(id)) | Self::Marked(Some(id)) => format!("{name} {id}"),
            Self::Error(why) => format!("{name} channel_id:{channel_id} error_text:{why}"),
            Self::Xoff | Self::Xon | Self::Drained | Self::Completed(None) | Self::Marked(None) => {
                name.to_owned()
            }
        }
    }

    fn to_object(&self, channel_id: &str) -> Map<String, Value> {
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
        put("event", json!(self.name()));
        put("channel_id", json!(channel_id));
        match self {
            Self::Start { connection, channel, format, frame, variables } => {
                put("connection_id", json!(connection));
                put("channel", json!(channel));
                put("format", json!(format));
                put("optimal_frame_size", json!(frame));
                put("ptime", json!(20));
                let variables = variables.iter().map(|(name, value)| (name.clone(), json!(value)));
                put("channel_variables", Value::Object(variables.collect()));
            }
            Self::Digit(digit) => drop(put("digit", json!(digit.to_string()))),
            Self::Status { length, is_full, is_bulk, is_paused } => {
                put("queue_length", json!(length));
                put("xon_level", json!(XON_FRAMES));
                put("xoff_level", json!(XOFF_FRAMES));
                put("queue_full", json!(is_full));
                put("bulk_media", json!(is_bulk));
                put("media_paused", json!(is_paused));
            }
            Self::Completed(id) | Self::Marked(id) => {
                if let Some(id) = id {
                    put("correlation_id", json!(id));
                }
            }
            Self::Error(why) => drop(put("error_text", json!(why))),
            Self::Xoff | Self::Xon | Self::Drained => {}
        }
        object
    }
}

/// Frames that wait when a program is asked to pause, and when it may go on.
pub const XOFF_FRAMES: usize = 900;
/// See [`XOFF_FRAMES`].
pub const XON_FRAMES: usize = 800;

/// Octets of an id that comes back.
const LONGEST_ID: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_in_either_format() {
        let id = Some("a-1".to_owned());
        for (text, command) in [
            ("ANSWER", Ok(Command::Answer)),
            (" HANGUP\n", Ok(Command::Hangup)),
            ("STOP_MEDIA_BUFFERING", Ok(Command::StopBuffering(None))),
            ("STOP_MEDIA_BUFFERING a-1", Ok(Command::StopBuffering(id.clone()))),
            (r#"{"command":"MARK_MEDIA","correlation_id":"a-1"}"#, Ok(Command::Mark(id))),
            (r#"{"command" : "FLUSH_MEDIA", "more": 3}"#, Ok(Command::Flush)),
            ("SET_MEDIA_DIRECTION in", Ok(Command::Direction(Flows::In))),
            (
                r#"{"command":"SET_MEDIA_DIRECTION","direction":"out"}"#,
                Ok(Command::Direction(Flows::Out)),
            ),
            ("SET_MEDIA_DIRECTION up", Err(CommandError::Direction)),
            ("answer", Err(CommandError::Unknown)),
            ("", Err(CommandError::Unknown)),
            ("{\"command\":7}", Err(CommandError::Malformed)),
            ("{", Err(CommandError::Malformed)),
        ] {
            assert_eq!(Command::parse(text), command, "{text}");
        }
        assert_eq!(
            Command::parse(&format!("MARK_MEDIA {}", "x".repeat(300))),
            Err(CommandError::Id)
        );
    }

    #[test]
    fn events_are_written_as_asterisk_writes_them() {
        let variables = [("ROBOT".to_owned(), "one \"two\"".to_owned())];
        let start = Event::Start {
            connection: "robot",
            channel: "PJSIP/alice-00000001",
            format: "ulaw",
            frame: 160,
            variables: &variables,
        };
        assert_eq!(
            start.write(MessageFormat::PlainText, "1.2"),
            "MEDIA_START connection_id:robot channel:PJSIP/alice-00000001 channel_id:1.2 \
             format:ulaw optimal_frame_size:160 ptime:20"
        );
        let json: Value = serde_json::from_str(&start.write(MessageFormat::Json, "1.2")).unwrap();
        assert_eq!(json["event"], "MEDIA_START");
        assert_eq!(json["optimal_frame_size"], 160);
        assert_eq!(json["channel_variables"]["ROBOT"], "one \"two\"");
        let completed = Event::Completed(Some("x"));
        assert_eq!(completed.write(MessageFormat::PlainText, "1.2"), "MEDIA_BUFFERING_COMPLETED x");
        assert_eq!(
            completed.write(MessageFormat::Json, "1.2"),
            r#"{"channel_id":"1.2","correlation_id":"x","event":"MEDIA_BUFFERING_COMPLETED"}"#
        );
    }
}
