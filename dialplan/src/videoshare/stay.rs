//! A stay in a room: what the dialplan asks of the engine for a caller, and how it ended.

use bstr::BString;

use super::Who;

/// What the dialplan asks of the engine for a caller in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The room's name.
    pub room: BString,
    /// Who he is.
    pub who: Who,
    /// What he wants.
    pub step: Step,
}

/// What a caller wants of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To come in: [`End`] at the end of the stay.
    Join,
    /// The media server did not answer him: as [`Step::Join`], here.
    JoinHere,
    /// The media server did not answer him, and that is all.
    Unserved,
    /// He left the media server.
    Left,
    /// He was called and declined.
    Refuse,
    /// He was called and nobody pressed a key.
    Ignore,
}

/// How a stay in a room ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// There is no such room, or no media.
    Failed,
    /// As many are there as may be.
    Full,
    /// The room is locked.
    Locked,
    /// The caller is not one whom the room expects.
    NotInvited,
    /// The caller hung up.
    Hangup,
    /// The caller left by a key.
    Left,
    /// The master or an operator sent him away.
    Kicked,
    /// The master left.
    MasterLeft,
    /// The master did not come.
    NoMaster,
    /// The conference lasted as long as it may.
    TimeIsUp,
    /// The master or an operator ended it.
    Ended,
    /// The media server does not answer.
    NoServer,
    /// He is to be sent to the media server now.
    GoToServer,
    /// There is nothing more to do: of [`Step::Left`], [`Step::Refuse`], [`Step::Ignore`].
    Noted,
}

impl End {
    /// VIDEOSHARESTATUS.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::Full => "FULL",
            Self::Locked => "LOCKED",
            Self::NotInvited => "NOTINVITED",
            Self::Hangup => "HANGUP",
            Self::Left | Self::Noted | Self::GoToServer => "LEFT",
            Self::Kicked => "KICKED",
            Self::MasterLeft => "MASTERLEFT",
            Self::NoMaster => "NOMASTER",
            Self::NoServer => "NOSERVER",
            Self::TimeIsUp => "TIMEOUT",
            Self::Ended => "ENDED",
        }
    }
}
