//! What a subscriber is told, at the moment it is sent.

use super::{Kind, Watched};
use crate::{
    presence::{DialogInfo, DialogOfExtension, ExtensionState, MessageSummary, Pidf},
    sip::{Body, SubscriptionHandle},
    switch::{Direction, Switch, device_state::Share},
};

impl Switch {
    /// The body of a subscription's next NOTIFY; `None` for one that is over.
    pub(super) fn body_for(&mut self, handle: SubscriptionHandle) -> Option<Body> {
        let watcher = self.subscriptions.watchers.get(&handle)?;
        let entity = watcher.entity.as_str();
        let (media_type, body) = match &watcher.watched {
            Watched::Messages { mailboxes, account } => {
                let counts = self.subscriptions.mailboxes.sum(mailboxes);
                let summary = MessageSummary { account: account.as_deref(), counts };
                (MessageSummary::MEDIA_TYPE, summary.write())
            }
            Watched::Extension { kind: Kind::Presence, extension, place, .. } => {
                let extension = &extension.to_string();
                let pidf = Pidf { entity, extension, state: self.state_at(place) };
                (Pidf::MEDIA_TYPE, pidf.write())
            }
            Watched::Extension { extension, place, version, ringing_while_in_use, .. } => {
                let (extension, version) = (&extension.to_string(), *version);
                let (state, ringing_while_in_use) = (self.state_at(place), *ringing_while_in_use);
                let dialogs = match state {
                    ExtensionState::Idle | ExtensionState::Unavailable => vec![],
                    _ => self.dialogs_at(place),
                };
                let info =
                    DialogInfo { entity, extension, version, state, ringing_while_in_use, dialogs };
                (DialogInfo::MEDIA_TYPE, info.write())
            }
        };
        if let Some(Watched::Extension { version, .. }) =
            self.subscriptions.watchers.get_mut(&handle).map(|watcher| &mut watcher.watched)
        {
            *version = version.wrapping_add(1);
        }
        Some(Body { content_type: media_type.into(), bytes: body.into() })
    }

    fn dialogs_at(&self, place: &super::Place) -> Vec<DialogOfExtension> {
        let calls = self.calls_at(place).into_iter().take(MOST_DIALOGS);
        let dialog = |(id, share)| {
            let call = self.calls.get(&id)?;
            Some(match (share, call.direction) {
                (Share::Rings, _) => DialogOfExtension::Ringing {
                    number: call.parties.caller_number.to_string(),
                    name: call.parties.caller_name.to_string(),
                },
                (_, Direction::Incoming) => DialogOfExtension::Calling,
                (_, Direction::Outgoing) => DialogOfExtension::Called,
            })
        };
        calls.filter_map(dialog).collect()
    }
}

/// Dialogs in one body, which is one datagram.
const MOST_DIALOGS: usize = 4;
