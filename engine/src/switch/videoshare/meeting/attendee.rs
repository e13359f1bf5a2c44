//! Somebody who takes part in a meeting, or should: what he is to it, and how it stands with him.

use std::time::{Duration, Instant};

use bstr::BString;
use diesis_dialplan::videoshare::{Person, Role};

use crate::{channel::ChannelId, clock::Now};

/// Somebody who takes part, or should.
#[derive(Debug)]
pub(super) struct Attendee {
    pub(super) person: Person,
    pub(super) kind: PersonKind,
    pub(super) state: PersonState,
    /// Calls to him so far.
    pub(super) attempts: u32,
    /// Those of them since somebody asked for one.
    pub(super) tries: u32,
    /// The call that is being made to him.
    pub(super) origination: Option<ChannelId>,
    /// The call he talks by, or is asked by.
    pub(super) channel: Option<ChannelId>,
    /// Whether he is in, or on his way in.
    pub(super) is_seated: bool,
    /// When he is called, or called again.
    pub(super) retry_at: Option<Instant>,
    pub(super) first_joined: Option<jiff::Timestamp>,
    pub(super) since: Option<Instant>,
    pub(super) present: Duration,
}

impl Attendee {
    pub(super) fn new(person: Person, kind: PersonKind) -> Self {
        Self {
            person,
            kind,
            state: PersonState::Expected,
            attempts: 0,
            tries: 0,
            origination: None,
            channel: None,
            is_seated: false,
            retry_at: None,
            first_joined: None,
            since: None,
            present: Duration::ZERO,
        }
    }

    pub(super) fn count_presence(&mut self, now: Now) {
        if let Some(since) = self.since.take() {
            self.present += now.instant.saturating_duration_since(since);
        }
    }
}

/// What somebody is to a conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonKind {
    /// Its master.
    Master,
    /// On its list.
    Listed,
    /// Invited while it went on.
    Invited,
    /// Came by himself.
    Guest,
}

impl PersonKind {
    /// For tables and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Listed => "participant",
            Self::Invited => "invited",
            Self::Guest => "guest",
        }
    }
}

/// How it stands with somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonState {
    /// Nothing happened yet.
    Expected,
    /// Is being called.
    Calling,
    /// His telephone rings.
    Ringing,
    /// Answered, and is asked whether he comes.
    Answered,
    /// Waits for the master.
    Waiting,
    /// Is in the conference.
    Joined,
    /// Was in it.
    Left,
    /// Was sent away.
    Removed,
    /// Answered and declined.
    Refused,
    /// Answered and pressed no key: a machine, maybe.
    NotAccepted,
    /// Is busy.
    Busy,
    /// Does not answer.
    NoAnswer,
    /// Can not be called.
    Failed,
    /// The call was given up, for it was not needed any more.
    Cancelled,
}

impl PersonState {
    /// For tables and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Calling => "calling",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Waiting => "waiting",
            Self::Joined => "joined",
            Self::Left => "left",
            Self::Removed => "removed",
            Self::Refused => "refused",
            Self::NotAccepted => "not accepted",
            Self::Busy => "busy",
            Self::NoAnswer => "no answer",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether he is there.
    pub const fn is_present(self) -> bool {
        matches!(self, Self::Waiting | Self::Joined)
    }
}

/// How somebody leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::switch) enum Parting {
    /// Hung up, or left by a key.
    Gone,
    /// Was sent away.
    Removed,
    /// Declined.
    Refused,
    /// Pressed no key.
    Silent,
    /// The media server did not take him.
    Unserved,
}

/// The caller as a guest.
pub(in crate::switch::videoshare) fn guest(number: &BString, name: &BString, role: Role) -> Person {
    Person { name: name.clone(), role, ..Person::new(number.clone()) }
}
