//! The lines of the control socket.
//!
//! A request is one line, `{"version":1,"command":"show","what":"calls"}`. The answer is any number of
//! lines, each a [`Reply`], the last of them [`Reply::Done`] or [`Reply::Error`].

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the protocol that is spoken here. A request of another one is refused by name.
pub const VERSION: u32 = 1;

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// [`VERSION`].
    pub version: u32,
    /// What is wanted.
    #[serde(flatten)]
    pub command: Command,
}

impl Ask {
    /// A request of this version.
    pub fn new(command: Command) -> Self {
        Self { version: VERSION, command }
    }
}

/// What can be wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Command {
    /// A table.
    Show {
        /// Which one.
        what: What,
        /// Numbers of the stations or robots to show, `FIRST-LAST` or one; all when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        range: Option<String>,
    },
    /// The engine in figures, as Prometheus reads them (text exposition format 0.0.4).
    Metrics,
    /// Call records, the oldest of them first.
    Records {
        /// At most so many, the newest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<usize>,
        /// Those of this caller alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// The dialplan's database, as DB() sees it.
    Database {
        /// What to do with it.
        action: DatabaseAction,
        /// `family/key`; to show: a family, `family/key`, or nothing for all.
        key: String,
        /// The value to put.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// Opening hours: what holds, or what is to hold instead.
    Schedule {
        /// Which schedule; all when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// `open`, `closed until 18:30`, `open until next`, or `back`; absent to be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        set: Option<String>,
    },
    /// How many messages wait in a mailbox: whose lamp that is, is told.
    Mailbox {
        /// `1001`, which is in the context `default`, or `1001@office`.
        name: String,
        /// Not heard yet.
        new: u32,
        /// Heard.
        old: u32,
    },
    /// Do something to a conference room.
    Conference {
        /// The room's name.
        room: String,
        /// What.
        action: ConferenceAction,
        /// To whom: a channel's name or number, `all`, `participants` or `last`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<String>,
        /// The file to record to; as the bridge profile has it when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<String>,
    },
    /// Look at conferences with a master, or do something to one.
    VideoShare {
        /// What.
        action: VideoShareAction,
        /// The room of `videoshare.conf`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// To whom: a number, or `#` and a place in the room's list.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        who: Option<String>,
        /// The name of whom is invited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Forwarding rules.
    Rules {
        /// What about them.
        order: super::rules::Order,
    },
    /// End a call, or all of them.
    Hangup {
        /// The channel's name or number, or `all`.
        channel: String,
    },
    /// Call a phone or an extension, and hand whoever answers to the dialplan.
    Originate {
        /// `PJSIP/200`, `Local/200@office`.
        destination: String,
        /// What an answered call does.
        then: Then,
        /// The caller's number that is shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<String>,
        /// How many seconds it may ring.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        /// The caller's name that is shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Set on the channel before it is called, as Set does.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        variables: Vec<(String, String)>,
        /// Whether numbers are written as people do, to be read by the numbering plan.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        written: bool,
        /// The answer goes on until the call is over ([`Reply::Call`]), and ends with what these
        /// variables hold then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        follow: Option<Vec<String>>,
    },
    /// Send a call to a place of the dialplan.
    Redirect {
        /// The channel's name or number.
        channel: String,
        /// `[[context,]extension,]priority`.
        place: String,
    },
    /// Read the configuration again and put it in force.
    Reload,
    /// Change something until the next start.
    Set {
        /// What.
        what: Setting,
        /// To what.
        value: String,
    },
    /// Tell SIP messages as they come and go, until the connection is closed.
    Trace {
        /// `*`, an address with or without a port, a number, `user@host`, or a Call-ID.
        of: String,
        /// At most so long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
    },
    /// Stop the engine.
    Stop {
        /// Refuse new calls and wait for the running ones to end, at most so many seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        when_idle: Option<u64>,
    },
}

/// What a call that was originated does when it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Then {
    /// Run one application.
    Application {
        /// Which one.
        name: String,
        /// Its arguments.
        #[serde(default)]
        arguments: String,
    },
    /// Go to priority 1 of an extension.
    Extension {
        /// Which one.
        extension: String,
        /// Where; `default` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        context: Option<String>,
    },
}

/// What is done with the dialplan's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DatabaseAction {
    /// The entries at a key and below it.
    Show,
    /// The value of one.
    Get,
    /// Another value for one, or a new one.
    Put,
    /// Delete one.
    Del,
}

/// What is done to a conference room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ConferenceAction {
    /// Who is inside, and how they are.
    List,
    /// Send somebody away.
    Kick,
    /// Let the others not hear somebody.
    Mute,
    /// Let the others hear somebody.
    Unmute,
    /// Let nobody but administrators come in.
    Lock,
    /// Let all come in.
    Unlock,
    /// Record what is heard.
    Record,
    /// End the recording.
    Stop,
}

/// What is done to a conference with a master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum VideoShareAction {
    /// The rooms, and how they stand.
    List,
    /// Who takes part, and how it stands with each.
    Show,
    /// Begin.
    Start,
    /// Call a number.
    Invite,
    /// Call all of the list whom nobody called yet.
    CallAll,
    /// Call somebody of the list again.
    CallAgain,
    /// Let the others not hear somebody, or anybody but the master.
    Mute,
    /// Let the others hear somebody, or all.
    Unmute,
    /// Send somebody away.
    Remove,
    /// Let nobody come who is not invited.
    Lock,
    /// Let all come again.
    Unlock,
    /// Record what is heard.
    Record,
    /// End the recording.
    Stop,
    /// End the conference.
    End,
    /// What became of the last one.
    Report,
}

/// What can be changed while the engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Setting {
    /// From which level on is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter.
    Log,
    /// Where the log is sent to as syslog: an address, `local`, or `off`.
    Syslog,
}

/// The tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum What {
    /// One row a call, for people who look for their call.
    Calls,
    /// One row a channel, with its place in the dialplan.
    Channels,
    /// One row a channel, with what its media loses and how late it comes.
    ChannelStats,
    /// Where phones are.
    Contacts,
    /// What is registered elsewhere.
    Registrations,
    /// The same for ranges of numbers.
    Robots,
    /// The pools that the ranges form.
    Pools,
    /// Who is not listened to after too many failures.
    Bans,
    /// Extensions with a hint, and what they do.
    Hints,
    /// Who watches extensions and mailboxes.
    Subscriptions,
    /// The configured peers.
    Peers,
    /// Conference rooms and who is inside.
    Conferences,
    /// Where SIP is listened for.
    Transports,
    /// The state of the links to other systems.
    Connections,
    /// The state of phones by number.
    Stations,
    /// What the media threads have to do, and how punctual they are.
    Media,
    /// Since when the engine runs, and what it has done.
    Uptime,
    /// Which engine this is.
    Version,
}

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Reply {
    /// A table.
    Table(Table),
    /// A SIP message that came or went.
    Message(Box<SipMessage>),
    /// Something became of a call that is followed.
    Call(CallNews),
    /// Something to tell, whatever the format.
    Text(String),
    /// It was refused or failed. The last line.
    Error(String),
    /// It is done. The last line.
    Done,
}

/// What becomes of a call that is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
#[non_exhaustive]
pub enum CallNews {
    /// Somebody is called.
    Calling {
        /// The channel's name.
        channel: String,
    },
    /// Somebody answered.
    Answered {
        /// The channel's name.
        channel: String,
    },
    /// It is over. Nothing follows but [`Reply::Done`].
    Ended(CallResult),
}

/// What came of a call that was followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallResult {
    /// As ORIGINATE_STATUS: `SUCCESS` when it was answered.
    pub status: String,
    /// Why it ended, in the numbers of Q.850.
    pub cause: u8,
    /// The cause in words.
    pub reason: String,
    /// When it was answered, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<i64>,
    /// When it ended.
    pub ended: i64,
    /// Milliseconds from the answer to the end.
    pub talked: u64,
    /// The keys that were pressed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub keys: String,
    /// The variables that were asked for and had a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<(String, String)>,
}

/// A SIP message that came or went, its credentials struck out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipMessage {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Which way.
    pub direction: Direction,
    /// `UDP`, `TCP` or `TLS`.
    pub transport: String,
    /// Our address.
    pub local: SocketAddr,
    /// The other's.
    pub peer: SocketAddr,
    /// What it belongs to; empty where it does not say.
    pub call_id: String,
    /// The message itself.
    pub content: Content,
    /// How many messages before this one were lost, since they came faster than they were read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(lost: &u64) -> bool {
    *lost == 0
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
}

/// A message as JSON can hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Text, as nearly all are.
    Text(String),
    /// Octets that are no UTF-8.
    Octets(Vec<u8>),
}

impl From<Vec<u8>> for Content {
    fn from(octets: Vec<u8>) -> Self {
        String::from_utf8(octets).map_or_else(|error| Self::Octets(error.into_bytes()), Self::Text)
    }
}

impl Content {
    /// The octets as they were on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Octets(octets) => octets,
        }
    }
}

/// A table: every row has a cell for each column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The columns' names, as keys of JSON: lower case, without spaces.
    pub columns: Vec<String>,
    /// The rows. A cell is a text, a number, a list of texts, or null where there is nothing.
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(ToString::to_string).collect(), rows: vec![] }
    }

    /// Appends a row.
    pub fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }
}

/// The longest line of a request.
pub const LONGEST_REQUEST: usize = 16 * 1024;

/// Calls that can be followed at a time; one more is refused.
pub const MOST_FOLLOWERS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_flat_object() {
        let ask = Ask::new(Command::Show { what: What::Contacts, range: None });
        let line = serde_json::to_string(&ask).unwrap();
        assert_eq!(line, r#"{"version":1,"command":"show","what":"contacts"}"#);
        assert_eq!(serde_json::from_str::<Ask>(&line).unwrap(), ask);
    }

    #[test]
    fn nonsense_is_no_request() {
        for line in ["", "{}", "[1]", r#"{"version":1,"command":"dance"}"#, "\u{0}"] {
            assert!(serde_json::from_str::<Ask>(line).is_err(), "{line}");
        }
    }
}
