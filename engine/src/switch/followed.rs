//! Originated calls of which somebody wants to hear from the first ring to the last word.
//!
//! What a dialplan leaves in variables is read when the dialplan is over; keys are noted as they come.

use std::{collections::HashMap, time::Duration};

use bstr::BString;
use diesis_dialplan::operation::OriginateStatus;
use jiff::Timestamp;

use super::{CommandId, EndedBy, Switch, SwitchEvent, call::Call};
use crate::{
    channel::{Cause, ChannelId},
    media::Digit,
};

/// What becomes of an originated call, in this order; the last two exclude each other only in so far
/// as a call that nobody answers has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginateNews {
    /// Somebody is called.
    Calling {
        /// The channel's name.
        channel: BString,
    },
    /// Somebody answered.
    Answered {
        /// The channel's name; of several that were called, the one that was picked up.
        channel: BString,
    },
    /// It is over. Nothing follows.
    Ended(Box<CallReport>),
}

/// What came of an originated call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallReport {
    /// Whether somebody answered, and if not, why.
    pub status: OriginateStatus,
    /// Why it ended; of a call that nobody answered, what the status comes from.
    pub cause: Cause,
    /// Who ended an answered call.
    pub ended_by: Option<EndedBy>,
    /// When it was answered.
    pub answered: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
    /// From the answer to the end.
    pub talked: Duration,
    /// The keys that were pressed, in their order; at most [`MOST_KEYS`].
    pub keys: String,
    /// The variables of [`Originate::follow`](super::Originate::follow) that had a value at the end.
    pub variables: Vec<(BString, BString)>,
}

/// An answered call that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    command: CommandId,
    keep: Vec<BString>,
    answered: Timestamp,
    ended: Option<Timestamp>,
    keys: String,
    variables: Vec<(BString, BString)>,
}

/// All of them, by their call.
#[derive(Debug, Default)]
pub(super) struct FollowedCalls(HashMap<ChannelId, Followed>);

impl FollowedCalls {
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes a key.
    pub(super) fn press(&mut self, call: ChannelId, digit: Digit) {
        if let Some(followed) = self.0.get_mut(&call)
            && followed.keys.len() < MOST_KEYS
        {
            followed.keys.push(digit.as_char());
        }
    }

    /// The call is hung up; its dialplan may clean up.
    pub(super) fn hang_up(&mut self, call: ChannelId, at: Timestamp) {
        if let Some(followed) = self.0.get_mut(&call) {
            followed.ended.get_or_insert(at);
        }
    }

    /// Notes what the dialplan left in the variables that are asked for.
    pub(super) fn read_variables(&mut self, call: &Call) {
        let Some(followed) = self.0.get_mut(&call.id) else { return };
        let Some(pbx) = call.pbx() else { return };
        let value = |name: &BString| {
            let value = pbx.variable(name)?;
            let value = BString::from(&value[..value.len().min(LONGEST_VALUE)]);
            Some((name.clone(), value))
        };
        followed.variables = followed.keep.iter().filter_map(value).collect();
    }
}

impl Switch {
    /// Somebody answered a call that is followed.
    pub(super) fn follow(
        &mut self,
        command: CommandId,
        leg: ChannelId,
        keep: Vec<BString>,
        answered: Timestamp,
    ) {
        let Some(channel) = self.calls.get(&leg).map(|call| call.name.clone()) else { return };
        self.tell_news(command, OriginateNews::Answered { channel });
        let (keys, variables) = (String::new(), Vec::new());
        let followed = Followed { command, keep, answered, ended: None, keys, variables };
        self.followed.0.insert(leg, followed);
    }

    /// Nothing of the call is left.
    pub(super) fn end_followed(
        &mut self,
        call: &Call,
        cause: Cause,
        by: EndedBy,
        talked: Duration,
    ) {
        // A dialplan that was stopped has left what it has.
        self.followed.read_variables(call);
        let Some(followed) = self.followed.0.remove(&call.id) else { return };
        let Followed { command, answered, ended, keys, variables, .. } = followed;
        let report = CallReport {
            status: OriginateStatus::Success,
            cause,
            ended_by: Some(by),
            answered: Some(answered),
            ended: ended.unwrap_or(answered),
            talked,
            keys,
            variables,
        };
        self.tell_news(command, OriginateNews::Ended(Box::new(report)));
    }

    /// Nobody answered, or will.
    pub(super) fn tell_unanswered(
        &mut self,
        command: CommandId,
        (status, cause): (OriginateStatus, Cause),
        ended: Timestamp,
    ) {
        let report = CallReport {
            status,
            cause,
            ended_by: None,
            answered: None,
            ended,
            talked: Duration::ZERO,
            keys: String::new(),
            variables: Vec::new(),
        };
        self.tell_news(command, OriginateNews::Ended(Box::new(report)));
    }

    pub(super) fn tell_news(&mut self, command: CommandId, news: OriginateNews) {
        self.tell(SwitchEvent::OriginateNews { command, news });
    }
}

/// Keys of one call that are noted.
pub const MOST_KEYS: usize = 256;
/// Octets of a variable's value that are told.
const LONGEST_VALUE: usize = 1024;
