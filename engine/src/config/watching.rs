//! What a peer may watch, and what it is told of waiting messages.

use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};

use crate::presence::RingingWhileInUse;

/// What a peer may subscribe to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watching {
    /// Whether it may at all (`allow_subscribe`). Default: yes.
    pub is_allowed: bool,
    /// Where the extensions are that it watches (`subscribe_context`); its context when absent.
    pub context: Option<BString>,
    /// The shortest subscription (`sub_min_expiry`). Default: none is too short.
    pub shortest: Duration,
    /// What it sees of an extension that rings while in a call (`notify_early_inuse_ringing`).
    pub ringing_while_in_use: RingingWhileInUse,
}

impl Default for Watching {
    fn default() -> Self {
        Self {
            is_allowed: true,
            context: None,
            shortest: Duration::ZERO,
            ringing_while_in_use: RingingWhileInUse::Confirmed,
        }
    }
}

/// What a peer is told of messages that wait, without asking (RFC 3842).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageWaiting {
    /// The mailboxes it is told of (`mailboxes` of the endpoint).
    pub mailboxes: Vec<Mailbox>,
    /// Whether all of them are one lamp, or each is told by itself (`aggregate_mwi`).
    pub lamps: Lamps,
    /// The user part of From in what it is told (`mwi_from_user`).
    pub from_user: Option<BString>,
    /// Whether one that subscribes to a mailbox is still told of it without asking
    /// (`mwi_subscribe_replaces_unsolicited`).
    pub when_subscribed: WhenSubscribed,
    /// Where messages are heard (`voicemail_extension`), if the address of record does not say.
    pub voicemail_extension: Option<BString>,
}

/// How several mailboxes are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lamps {
    /// As one, with the sums.
    #[default]
    One,
    /// One after the other.
    Each,
}

/// What becomes of unsolicited news when a peer subscribes to the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenSubscribed {
    /// It is told both ways.
    #[default]
    ToldTwice,
    /// It is told by its subscription alone.
    ToldOnce,
}

/// The name of a mailbox: `1001@default`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mailbox(BString);

impl Mailbox {
    /// The mailbox of this name; one without a context is in `default`.
    pub fn new(name: &[u8]) -> Self {
        let name = name.trim_ascii();
        match name.contains(&b'@') {
            true => Self(name.into()),
            false => Self([name, b"@default"].concat().into()),
        }
    }

    /// The name, with its context.
    pub fn name(&self) -> &BStr {
        self.0.as_bstr()
    }
}

#[cfg(test)]
mod tests {
    use super::Mailbox;

    #[test]
    fn mailbox_without_context_is_in_the_default_one() {
        assert_eq!(Mailbox::new(b" 1001 "), Mailbox::new(b"1001@default"));
        assert_ne!(Mailbox::new(b"1001"), Mailbox::new(b"1001@office"));
    }
}
