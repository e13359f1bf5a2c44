//! How a conference ends for a channel, and what is asked of conferences from outside: ConfKick and
//! what took the place of MeetMeAdmin.

use bstr::BString;

/// Something done to a conference by a channel that need not be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConferenceOrder {
    /// The conference; `None`: the one that the channel named is in.
    pub conference: Option<BString>,
    /// What is done.
    pub action: ConferenceAction,
}

/// What is done to a conference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConferenceAction {
    /// Let nobody but administrators come in.
    Lock,
    /// Let all come in.
    Unlock,
    /// Send members away.
    Kick(ConferenceMembers),
    /// Let the others not hear members.
    Mute(ConferenceMembers),
    /// Let the others hear members.
    Unmute(ConferenceMembers),
}

/// Members of a conference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConferenceMembers {
    /// Everybody.
    All,
    /// Everybody but administrators.
    Participants,
    /// Who came last.
    Last,
    /// The channel of this name, or the member of this number counted from 1.
    Named(BString),
}

/// CONFBRIDGE_RESULT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConferenceEnd {
    /// Could not join.
    Failed,
    /// The caller hung up.
    Hangup,
    /// An admin removed the caller.
    Kicked,
    /// The last marked user left.
    EndMarked,
    /// A key of the menu left the room.
    Dtmf,
    /// The profile's time limit.
    TimedOut,
}

impl ConferenceEnd {
    /// The text of CONFBRIDGE_RESULT.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::Hangup => "HANGUP",
            Self::Kicked => "KICKED",
            Self::EndMarked => "ENDMARKED",
            Self::Dtmf => "DTMF",
            Self::TimedOut => "TIMEOUT",
        }
    }
}
