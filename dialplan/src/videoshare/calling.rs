//! How the people of a room are called, and what they are asked.

use std::time::Duration;

use bstr::BString;

use crate::operation::Digit;

/// How people are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calling {
    /// `${NUMBER}` stands for whom: `PJSIP/${NUMBER}@trunk`, `Local/${NUMBER}@office`.
    pub dial: Option<BString>,
    /// The pool of robots they are called from.
    pub pool: Option<BString>,
    /// The number that is shown to them; `None`: the room's.
    pub caller: Option<BString>,
    /// When those of the list are called.
    pub when: When,
    /// How long it may ring.
    pub ring: Duration,
    /// How often one who was not reached is called again.
    pub retries: u32,
    /// How long is waited before that.
    pub retry_delay: Duration,
    /// After what that happens.
    pub retry_on: Vec<Unreached>,
}

impl Default for Calling {
    /// Half a minute of ringing, two more tries a minute apart.
    fn default() -> Self {
        Self {
            dial: None,
            pool: None,
            caller: None,
            when: When::default(),
            ring: Duration::from_secs(30),
            retries: 2,
            retry_delay: Duration::from_secs(60),
            // All robots may be busy, too.
            retry_on: vec![Unreached::Busy, Unreached::NoAnswer, Unreached::Failed],
        }
    }
}

/// When those of the list are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// As soon as the master is there.
    #[default]
    Master,
    /// As soon as anybody is there, or the conference is started by a command.
    Start,
    /// When the master or an operator says so.
    Asked,
}

/// Why somebody was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreached {
    /// Busy.
    Busy,
    /// It rang in vain.
    NoAnswer,
    /// The call could not be made.
    Failed,
    /// Somebody, or a machine, answered and did not accept.
    NotAccepted,
}

impl Unreached {
    /// Its name in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::NoAnswer => "noanswer",
            Self::Failed => "failed",
            Self::NotAccepted => "notaccepted",
        }
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Busy, Self::NoAnswer, Self::Failed, Self::NotAccepted];
}

/// What an invited one is asked: a machine that answers does not press a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The key that accepts; `None`: whoever answers is in.
    pub accept: Option<Digit>,
    /// The key that declines.
    pub refuse: Option<Digit>,
    /// How often he is asked.
    pub times: u32,
    /// How long is waited behind each.
    pub wait: Duration,
}

impl Default for Invitation {
    /// 1 accepts, 2 declines; three times, five seconds behind each.
    fn default() -> Self {
        Self {
            accept: Digit::new(b'1'),
            refuse: Digit::new(b'2'),
            times: 3,
            wait: Duration::from_secs(5),
        }
    }
}
