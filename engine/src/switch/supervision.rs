//! Calls for users of `rules.conf`, as their groups may see them, and who may take them.
//!
//! `AuthorizeShareRulesGroup` names the groups, `AuthorizeSupervisionInformation` says from when on
//! they see a call, `AuthorizeInterception` whether they may answer it. Of a caller who withholds the
//! number nothing is told.

use std::{
    collections::{BTreeSet, HashMap},
    time::Instant,
};

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::rules::{Refusal, Rulebook, Supervision, User};

use super::{Switch, SwitchEvent, call::Call, identity::Privacy};
use crate::channel::ChannelId;

/// A call for a user of `rules.conf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupervisedCall {
    /// For whom it is.
    pub user: BString,
    /// The caller's call.
    pub call: ChannelId,
    /// The name of its channel; empty where the caller withholds the number, since it is named after
    /// the caller's telephone.
    pub channel: BString,
    /// Who calls.
    pub caller: SupervisedCaller,
    /// How far it is.
    pub state: SupervisedState,
    /// Since when.
    pub since: Instant,
    /// The rule that forwards it, by number, and what is dialled for it.
    pub rule: Option<(u32, BString)>,
}

/// Who calls, as far as that may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SupervisedCaller {
    /// The caller withholds number and name.
    Withheld,
    /// Either may be empty.
    Shown {
        /// The number.
        number: BString,
        /// The name.
        name: BString,
    },
}

/// How far a call for a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SupervisedState {
    /// It rings somewhere, or is about to.
    Ringing,
    /// The caller talks with nobody, and hears an announcement for example.
    Announcement,
    /// Somebody answered, and talks with the caller.
    Answered,
    /// It is over.
    Over,
}

impl SupervisedState {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ringing => "ringing",
            Self::Announcement => "announcement",
            Self::Answered => "answered",
            Self::Over => "over",
        }
    }
}

/// Why somebody does not see the calls of a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisionError {
    /// No such user.
    #[error("rules.conf has no user {0:?}; see `diesis rules list`")]
    NoUser(BString),
    /// The right is missing.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// What was told of calls for users, and which are to be looked at.
#[derive(Debug, Default)]
pub(super) struct Supervised {
    touched: BTreeSet<ChannelId>,
    /// The calls that groups know of.
    told: HashMap<ChannelId, SupervisedCall>,
}

impl Supervised {
    /// A call to look at.
    pub(super) fn poll_touched(&mut self) -> Option<ChannelId> {
        self.touched.pop_first()
    }
}

impl Switch {
    /// The calls for a user, the oldest first, as another user may see them; all of them for an
    /// administrator.
    ///
    /// # Errors
    /// There is no such user, or the right is missing.
    pub fn view_supervised(
        &self,
        user: &[u8],
        by: Option<&[u8]>,
    ) -> Result<Vec<SupervisedCall>, SupervisionError> {
        let book = self.config.plan.rules();
        let find =
            |name: &[u8]| book.user(name).ok_or_else(|| SupervisionError::NoUser(name.into()));
        let user = find(user)?;
        let from = match by {
            Some(by) => book.supervision(user, find(by)?)?,
            None => Supervision::FromRinging,
        };
        let seen = |call: &SupervisedCall| call.user == user.name && is_seen(call, from);
        // The call of a Dial is its caller's.
        let callers = self.calls.values().filter(|call| call.dialler().is_none());
        let mut calls: Vec<_> =
            callers.filter_map(|call| self.supervised(call)).filter(seen).collect();
        calls.sort_unstable_by_key(|call| call.call);
        Ok(calls)
    }

    /// Something happened that those who see calls for users may want to know.
    pub(super) fn touch_supervised(&mut self, event: &SwitchEvent) {
        if self.config.plan.rules().is_empty() {
            return;
        }
        if let SwitchEvent::DialBegan { call, .. }
        | SwitchEvent::DialAnswered { call, .. }
        | SwitchEvent::DialEnded { call, .. }
        | SwitchEvent::CallRinging { call }
        | SwitchEvent::CallAnswered { call }
        | SwitchEvent::CallHungUp { call, .. } = event
        {
            self.supervised.touched.insert(*call);
        }
    }

    /// Tells what has changed about a call for a user, if its groups may know.
    pub(super) fn tell_supervised(&mut self, id: ChannelId) {
        let dialler = self.calls.get(&id).and_then(|call| call.dialler());
        let id = dialler.unwrap_or(id);
        let book = self.config.plan.rules();
        let found = self.calls.get(&id).and_then(|call| self.supervised(call));
        let visible = found.filter(|call| {
            let from = book.user(&call.user).and_then(|user| user.rights.supervision);
            // What a group saw it sees to the end.
            from.is_some_and(|from| is_seen(call, from)) || self.supervised.told.contains_key(&id)
        });
        let call = match (visible, self.supervised.told.get(&id)) {
            (Some(call), told) if told != Some(&call) => {
                self.supervised.told.insert(id, call.clone());
                call
            }
            (None, Some(_)) => {
                let Some(told) = self.supervised.told.remove(&id) else { return };
                let (state, since) = (SupervisedState::Over, self.worked_at.instant);
                SupervisedCall { state, since, ..told }
            }
            _ => return,
        };
        let groups = book.user(&call.user).map(|user| user.rights.shared_with.clone());
        self.tell(SwitchEvent::Supervised {
            call: Box::new(call),
            groups: groups.unwrap_or_default(),
        });
    }

    /// What a caller's call is to a user; `None` when it is for nobody or over.
    fn supervised(&self, call: &Call) -> Option<SupervisedCall> {
        if call.is_down() {
            return None;
        }
        let user = self.patron(call)?.name.clone();
        let variable = |name: &str| call.pbx().and_then(|pbx| pbx.variable(name));
        let rule = variable("RULESRULE").and_then(|rule| rule.to_str().ok()?.parse().ok());
        let rule = rule.map(|rule| (rule, variable("RULESTARGET").unwrap_or_default().to_owned()));
        let partner = self.partner(call).and_then(|id| self.calls.get(&id));
        let (state, since) = match (partner, call.answered) {
            (Some(partner), _) => (SupervisedState::Answered, partner.answered),
            (None, Some(at)) if call.dialling.is_none() => {
                (SupervisedState::Announcement, Some(at))
            }
            (None, _) => (SupervisedState::Ringing, None),
        };
        let caller = caller_of(call);
        let is_shown = caller != SupervisedCaller::Withheld;
        Some(SupervisedCall {
            user,
            call: call.id,
            channel: if is_shown { call.name.clone() } else { BString::default() },
            caller,
            state,
            since: since.unwrap_or(call.started.instant),
            rule,
        })
    }

    /// For whom a caller's call is: whose rules it asked, or whose telephone it rings or speaks with.
    fn patron(&self, call: &Call) -> Option<&User> {
        let book = self.config.plan.rules();
        let asked = call.pbx().and_then(|pbx| pbx.variable("RULESUSER"));
        if let Some(user) = asked.filter(|name| !name.is_empty()).and_then(|name| book.user(name)) {
            return Some(user);
        }
        let dialling = call.dialling.as_ref()?;
        let legs = dialling.legs().filter_map(|leg| self.calls.get(&leg));
        legs.filter_map(|leg| leg.parties.peer.as_ref())
            .find_map(|peer| book.user_of_device(&device_of(peer.as_bstr())))
    }

    /// Whether somebody may answer a call in the place of whom it rings for. A member of a group that
    /// a user shares rules with needs the user's `AuthorizeInterception`; of others rules say nothing.
    pub(super) fn may_intercept(&self, peer: &BStr, number: &BStr, ringing: &Call) -> bool {
        let book = self.config.plan.rules();
        if book.is_empty() {
            return true;
        }
        let dialler = ringing.dialler().and_then(|id| self.calls.get(&id));
        let by_device = || {
            let peer = ringing.parties.peer.as_ref()?;
            book.user_of_device(&device_of(peer.as_bstr()))
        };
        let Some(user) = dialler.and_then(|call| self.patron(call)).or_else(by_device) else {
            return true;
        };
        let Some(by) = picker(book, peer, number) else { return true };
        if by.name == user.name || !book.is_shared(user, by) || user.rights.interception {
            return true;
        }
        tracing::info!(
            user = %user.name, by = %by.name,
            "pick-up refused: no AuthorizeInterception"
        );
        false
    }
}

/// Who picks up.
fn picker<'a>(book: &'a Rulebook, peer: &BStr, number: &BStr) -> Option<&'a User> {
    let by_device = || book.user_of_device(&device_of(peer));
    by_device().or_else(|| book.user_of(number)).or_else(|| book.user_of(peer))
}

/// Whether somebody who sees calls from then on sees it.
fn is_seen(call: &SupervisedCall, from: Supervision) -> bool {
    match from {
        Supervision::FromRinging => true,
        Supervision::FromAnswer => call.state == SupervisedState::Answered,
    }
}

fn caller_of(call: &Call) -> SupervisedCaller {
    let (privacy, number, name) = match call.pbx().map(|pbx| &pbx.channel().caller) {
        Some(caller) => (Privacy::of(caller), caller.number.clone(), caller.name.clone()),
        None => {
            let parties = &call.parties;
            let named = (parties.caller_number.clone(), parties.caller_name.clone());
            (call.identity.privacy, Some(named.0), Some(named.1))
        }
    };
    match privacy {
        Privacy::Withheld => SupervisedCaller::Withheld,
        Privacy::Shown => SupervisedCaller::Shown {
            number: number.unwrap_or_default(),
            name: name.unwrap_or_default(),
        },
    }
}

/// A peer's telephone, as Dial takes it.
fn device_of(peer: &BStr) -> BString {
    format!("PJSIP/{peer}").into()
}
