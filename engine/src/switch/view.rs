//! What an operator sees of a switch: its calls, contacts, peers and rooms at one moment.
//!
//! Copies, so that nothing of the switch is held while somebody looks.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use bstr::{BStr, BString, ByteSlice};

use super::{
    ContactStatus, Direction, Parties, Switch,
    call::{Call, Control, Hold, Phase},
};
use crate::{
    bridge::{MemberFacts, RoomFacts},
    channel::ChannelId,
    clock::Now,
    media::StreamStatistics,
    presence::ExtensionState,
    sip::Transport,
};

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallView {
    /// The call.
    pub id: ChannelId,
    /// The channel's name.
    pub channel: BString,
    /// Who calls whom.
    pub parties: Parties,
    /// Which way it was set up.
    pub direction: Direction,
    /// How far along it is: `proceeding`, `ringing`, `early`, `up`, `ending`.
    pub state: &'static str,
    /// Where its dialplan is: context, extension, priority.
    pub place: Option<(BString, BString, u32)>,
    /// The application that runs, and its arguments.
    pub application: (BString, BString),
    /// How long since it began.
    pub duration: Duration,
    /// How long since it was answered.
    pub answered: Option<Duration>,
    /// The conference room it visits.
    pub room: Option<BString>,
    /// The channel it talks with, or that called it.
    pub partner: Option<BString>,
    /// Where its signalling comes from.
    pub remote: SocketAddr,
    /// Over what.
    pub transport: Transport,
    /// Where we receive its media.
    pub media: Option<SocketAddr>,
    /// Where the far end wants our media; `None` before it said so, and while it wants none.
    pub remote_media: Option<SocketAddr>,
    /// What carries the sound, by Asterisk's name.
    pub codec: Option<&'static str>,
    /// The far end holds the call.
    pub is_held: bool,
    /// What went over its stream so far; `None` without one.
    pub statistics: Option<Box<StreamStatistics>>,
}

/// One contact of an address of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactView {
    /// The address of record.
    pub aor: BString,
    /// The address as registered or configured.
    pub contact: String,
    /// Where it registered from; `None` for a configured one.
    pub source: Option<(Transport, SocketAddr)>,
    /// How long it still holds; `None` for a configured one.
    pub expires: Option<Duration>,
    /// What the phone calls itself.
    pub user_agent: String,
    /// Whether it answers when it is asked (`qualify_frequency`).
    pub status: ContactStatus,
}

/// One configured peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// The section's name.
    pub name: BString,
    /// Where its calls start.
    pub context: BString,
    /// Its addresses of record.
    pub aors: Vec<BString>,
    /// How many contacts it has now.
    pub contacts: usize,
    /// How many contacts it could have: those that may register, and the configured ones.
    pub capacity: usize,
    /// How many calls it has now.
    pub calls: usize,
    /// The transport of its first contact.
    pub transport: Option<Transport>,
    /// The address of its first contact.
    pub remote: Option<SocketAddr>,
    /// The host of its first configured contact, or the domain it is told we are.
    pub domain: Option<BString>,
    /// What its first contact calls itself.
    pub user_agent: String,
}

/// An extension with a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintView {
    /// The context it stands in.
    pub context: BString,
    /// The extension.
    pub extension: BString,
    /// Its devices.
    pub devices: Vec<BString>,
    /// What they do together.
    pub state: ExtensionState,
    /// How many subscriptions there are to it.
    pub watchers: usize,
}

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionView {
    /// The peer that watches.
    pub peer: BString,
    /// The event package.
    pub event: &'static str,
    /// What it watches, as it asked for it.
    pub of: String,
    /// Its state now: of an extension as `EXTENSION_STATE` has it, of mailboxes new and old messages.
    pub state: String,
    /// How long it holds unless it is refreshed; `None` when it ends.
    pub expires: Option<Duration>,
    /// Where it was subscribed from.
    pub source: SocketAddr,
}

/// One conference room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomView {
    /// The room's name.
    pub name: BString,
    /// Who is in it, in the order they came.
    pub members: Vec<RoomMemberView>,
    /// Whether nobody but administrators comes in.
    pub is_locked: bool,
    /// Whether nobody but administrators is heard.
    pub is_muted: bool,
    /// Whether it is recorded.
    pub is_recorded: bool,
}

/// Somebody in a conference room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomMemberView {
    /// The call.
    pub call: ChannelId,
    /// The channel's name.
    pub channel: BString,
    /// Whether it has the administrator's keys.
    pub is_admin: bool,
    /// Whether others wait for it.
    pub is_marked: bool,
    /// Whether it waits for a marked one.
    pub is_waiting: bool,
    /// Whether the others do not hear it.
    pub is_muted: bool,
}

impl Switch {
    /// All calls, the oldest first.
    pub fn view_calls(&self, now: Now) -> Vec<CallView> {
        let mut calls: Vec<_> = self.calls.values().map(|call| self.view_call(call, now)).collect();
        calls.sort_unstable_by_key(|call| call.id);
        calls
    }

    /// All contacts, in the order of the configuration.
    pub fn view_contacts(&self, now: Now) -> Vec<ContactView> {
        let aors = self.config.sip.aors.iter();
        aors.flat_map(|aor| self.view_contacts_of(aor.name.as_ref(), now)).collect()
    }

    /// All peers, in the order of the configuration.
    pub fn view_peers(&self, now: Now) -> Vec<PeerView> {
        let mut calls: BTreeMap<&BString, usize> = BTreeMap::new();
        for peer in self.calls.values().filter_map(|call| call.parties.peer.as_ref()) {
            *calls.entry(peer).or_default() += 1;
        }
        let sip = &self.config.sip;
        // Where we register, the link is that registration.
        let tallies = self.tally_registrations(now.instant);
        let view = |peer: &crate::config::Peer| {
            let tally = tallies.get(&peer.name).copied().unwrap_or_default();
            let aors = peer.aors.iter().filter_map(|name| sip.aors.get(name.as_bstr()));
            let contacts: Vec<_> = peer
                .aors
                .iter()
                .flat_map(|aor| self.view_contacts_of(aor.as_bstr(), now))
                .collect();
            let first = contacts.first();
            let fixed = |contact: &ContactView| {
                let uri = crate::sip::Uri::parse(&contact.contact).ok()?;
                Some((uri.socket_addr()?, BString::from(uri.host()?.to_string())))
            };
            PeerView {
                name: peer.name.clone(),
                context: peer.context.clone(),
                aors: peer.aors.clone(),
                capacity: aors.map(|aor| aor.max_contacts + aor.contacts.len()).sum::<usize>()
                    + tally.wanted,
                calls: calls.get(&peer.name).copied().unwrap_or_default(),
                transport: first.and_then(|contact| Some(contact.source?.0)),
                remote: first
                    .and_then(|contact| match contact.source {
                        Some((_, source)) => Some(source),
                        None => Some(fixed(contact)?.0),
                    })
                    .or(tally.remote),
                domain: peer.from_domain.clone().or_else(|| Some(fixed(first?)?.1)),
                user_agent: first.map(|contact| contact.user_agent.clone()).unwrap_or_default(),
                contacts: contacts.len() + tally.bound,
            }
        };
        sip.peers.iter().map(view).collect()
    }

    /// All conference rooms with somebody inside, by name.
    pub fn view_rooms(&self) -> Vec<RoomView> {
        let mut rooms: Vec<RoomView> =
            self.rooms.names().map(|name| self.view_room(name.as_ref())).collect();
        rooms.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        rooms
    }

    fn view_room(&self, name: &BStr) -> RoomView {
        let member = |it: MemberFacts| {
            let channel = self.calls.get(&it.channel)?.name.clone();
            let is_muted = self.rooms.is_muted(it.channel).unwrap_or_default();
            let MemberFacts { channel: call, is_admin, is_marked, is_waiting, .. } = it;
            Some(RoomMemberView { call, channel, is_admin, is_marked, is_waiting, is_muted })
        };
        let RoomFacts { is_locked, is_muted, is_recorded } = self.rooms.state(name);
        let members = self.rooms.members(name).filter_map(member).collect();
        RoomView { name: name.into(), members, is_locked, is_muted, is_recorded }
    }

    /// Entries of the dialplan's database at `family`, or `family/key`, and below; all for an empty
    /// one. `family/key` and value.
    pub fn view_database(&self, key: &[u8]) -> Vec<(BString, BString)> {
        let entries = self.world.database.below(key, b"");
        entries.map(|(key, value)| (key.into(), value.into())).collect()
    }

    /// The call of this channel name, or of this number.
    pub fn find_call(&self, name: &[u8]) -> Option<ChannelId> {
        let named = |call: &Call| call.name == name || call.id.to_string().as_bytes() == name;
        self.calls.values().find(|call| named(call)).map(|call| call.id)
    }

    /// The Call-ID of the call that a call was placed for, or talks with.
    pub fn related_call(&self, call_id: &[u8]) -> Option<BString> {
        let call = self.calls.values().find(|call| call.parties.call_id == call_id)?;
        let partner = self.calls.get(&self.partner_of(call)?)?;
        Some(partner.parties.call_id.clone())
    }

    /// The call that another talks with, or that dials it.
    fn partner_of(&self, call: &Call) -> Option<ChannelId> {
        let bridge = call.bridged.and_then(|bridged| self.bridges.get(&bridged.bridge));
        match (bridge, &call.control) {
            (Some(bridge), _) => bridge.other_than(call.id),
            (None, Control::Leg(leg)) => leg.dialler,
            (None, _) => None,
        }
    }

    fn view_call(&self, call: &Call, now: Now) -> CallView {
        let place = match &call.control {
            Control::Dialplan(pbx) => {
                let place = pbx.place();
                Some((place.context.into(), place.extension.into(), place.priority))
            }
            Control::Embedder { .. } | Control::Leg(_) | Control::Nobody => None,
        };
        let partner = self.partner_of(call);
        let partner = partner.and_then(|id| self.calls.get(&id)).map(|call| call.name.clone());
        let statistics = call.statistics(now.instant);
        CallView {
            id: call.id,
            channel: call.name.clone(),
            parties: call.parties.clone(),
            direction: call.direction,
            state: match call.phase {
                Phase::Proceeding => "proceeding",
                Phase::Ringing => "ringing",
                Phase::EarlyMedia => "early",
                Phase::Up => "up",
                Phase::Down(_) => "ending",
            },
            place,
            application: call.last_step.clone(),
            duration: statistics.duration,
            answered: call.answered.map(|_| statistics.answered),
            room: self.rooms.name_of(call.id).map(Into::into),
            partner,
            remote: call.flow.peer,
            transport: call.flow.transport,
            media: call.media_address,
            remote_media: call.session.media().and_then(|(_, remote)| remote),
            codec: call.session.media().map(|(codec, _)| codec.name()),
            is_held: call.hold == Hold::Held,
            statistics: call.media_statistics().map(Box::new),
        }
    }

    fn view_contacts_of(&self, aor: &BStr, now: Now) -> Vec<ContactView> {
        let Some(settings) = self.config.sip.aors.get(aor) else { return vec![] };
        let fixed = settings.contacts.iter().map(|contact| ContactView {
            aor: aor.into(),
            contact: contact.to_str_lossy().into_owned(),
            source: None,
            expires: None,
            user_agent: String::new(),
            status: self.qualifier.status(aor, &contact.to_str_lossy()),
        });
        let bound = self.registrar.bindings(aor, now.instant).into_iter();
        let bound = bound.map(|binding| ContactView {
            aor: aor.into(),
            contact: binding.contact().as_str().to_owned(),
            source: Some((binding.flow().transport, binding.flow().peer)),
            expires: Some(binding.remaining(now.instant)),
            user_agent: binding.user_agent().to_owned(),
            status: self.qualifier.status(aor, binding.contact().as_str()),
        });
        fixed.chain(bound).collect()
    }
}
