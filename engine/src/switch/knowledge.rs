//! What the switch tells a dialplan that asks: other channels, endpoints and their contacts, conferences.

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::channel::RobotPool;
use diesis_dialplan::host::{ConferenceFacts, FunctionError, SipObject};

use std::collections::HashMap;

use super::{
    call::Call,
    device_state::{Devices, Sources},
    robots::{PoolView, Pools},
};
use crate::{
    bridge::Rooms,
    channel::ChannelId,
    clock::Now,
    config::{ConferenceSettings, Mailbox, SipSettings},
    pbx::host::Knowledge,
    presence::{Device, DeviceState},
    sip::registrar::Registrar,
};

/// The switch as one dialplan sees it during one advance.
pub(super) struct Known<'a> {
    pub(super) calls: &'a HashMap<ChannelId, Box<Call>>,
    /// The call that asks, which is not among the others meanwhile.
    pub(super) own: (ChannelId, &'a BStr),
    pub(super) registrar: &'a Registrar,
    pub(super) sip: &'a SipSettings,
    pub(super) rooms: &'a Rooms,
    pub(super) devices: &'a Devices,
    pub(super) conferences: &'a ConferenceSettings,
    pub(super) robots: &'a Pools,
    pub(super) now: Now,
}

impl Knowledge for Known<'_> {
    fn robot_pool(&self, pool: &BStr) -> Option<RobotPool> {
        let view = self.robots.view_pool(pool)?;
        let PoolView { robots, lines, used: busy, .. } = view;
        Some(RobotPool { robots: robots as u64, lines, busy, load: view.load() })
    }

    fn channels(&self) -> Vec<BString> {
        let others = self.calls.values().map(|call| call.name.clone());
        others.chain([self.own.1.into()]).collect()
    }

    fn is_channel(&self, channel: &BStr) -> bool {
        self.other(channel).is_some()
    }

    fn variable_of(&self, channel: &BStr, variable: &[u8]) -> Option<BString> {
        let value = self.other(channel)?.pbx()?.variable(variable)?;
        Some(value.into())
    }

    fn sip_field(&self, object: SipObject, name: &BStr, field: &BStr) -> Option<BString> {
        match object {
            SipObject::Endpoint => self.endpoint(name, field),
            SipObject::Aor => self.aor(name, field),
            SipObject::Contact => self.contact(name, field),
            _ => None,
        }
    }

    fn conference(&self, name: &BStr) -> Option<ConferenceFacts> {
        let mut facts = ConferenceFacts::default();
        for member in self.rooms.members(name) {
            let Some(channel) = self.name_of(member.channel) else { continue };
            if member.is_admin {
                facts.admins.push(channel.clone());
            }
            if member.is_marked {
                facts.marked.push(channel.clone());
            }
            if member.is_waiting {
                facts.waiting.push(channel.clone());
            }
            facts.parties.push(channel);
        }
        let state = self.rooms.state(name);
        (facts.is_locked, facts.is_muted) = (state.is_locked, state.is_muted);
        (!facts.parties.is_empty()).then_some(facts)
    }

    fn conference_option(&self, option: &BStr, value: &BStr) -> Result<(), FunctionError> {
        let Some((kind, option)) = option.split_once_str(",") else {
            return Err(FunctionError::Arguments("usage: CONFBRIDGE(kind,option)".into()));
        };
        let checked = self.conferences.check(kind, option.into(), value);
        checked.map_err(|error| FunctionError::Arguments(error.to_string()))
    }

    fn device_state(&self, device: &BStr) -> DeviceState {
        let sources = Sources {
            sip: self.sip,
            registrar: self.registrar,
            rooms: self.rooms,
            // Custom states and whether a Local place is there are asked of the world and the plan.
            custom: None,
            plan: None,
            now: self.now.instant,
        };
        self.devices.state_of(&Device::parse(device), &sources)
    }
}

impl Known<'_> {
    fn other(&self, channel: &BStr) -> Option<&Call> {
        self.calls.values().map(AsRef::as_ref).find(|call| call.is_named(channel))
    }

    fn name_of(&self, id: ChannelId) -> Option<BString> {
        if id == self.own.0 {
            return Some(self.own.1.into());
        }
        self.calls.get(&id).map(|call| call.name.clone())
    }

    fn endpoint(&self, name: &BStr, field: &BStr) -> Option<BString> {
        let peer = self.sip.peers.get(name)?;
        Some(match field.to_ascii_lowercase().as_slice() {
            b"id" | b"name" => peer.name.clone(),
            b"aors" => bstr::join(",", &peer.aors).into(),
            b"context" => peer.context.clone(),
            b"language" => peer.language.clone().unwrap_or_default(),
            b"from_user" => peer.from_user.clone().unwrap_or_default(),
            b"from_domain" => peer.from_domain.clone().unwrap_or_default(),
            b"mailboxes" => mailboxes(&peer.message_waiting.mailboxes),
            b"subscribe_context" => peer.watching.context.clone().unwrap_or_default(),
            b"transport" => peer.transport.clone().unwrap_or_default(),
            b"rtp_symmetric" => yes_no(peer.rtp_symmetric),
            b"force_rport" => yes_no(peer.force_rport),
            b"rewrite_contact" => yes_no(peer.rewrite_contact),
            _ => return None,
        })
    }

    fn aor(&self, name: &BStr, field: &BStr) -> Option<BString> {
        let aor = self.sip.aors.get(name)?;
        Some(match field.to_ascii_lowercase().as_slice() {
            b"id" | b"name" => aor.name.clone(),
            b"contact" => {
                let bound = self.registrar.bindings(name, self.now.instant);
                let bound = bound.iter().map(|binding| BString::from(binding.contact().as_str()));
                let all: Vec<BString> = bound.chain(aor.contacts.iter().cloned()).collect();
                bstr::join(",", all).into()
            }
            b"mailboxes" => mailboxes(&aor.mailboxes),
            b"max_contacts" => aor.max_contacts.to_string().into(),
            b"minimum_expiration" => aor.expiration.minimum.as_secs().to_string().into(),
            b"default_expiration" => aor.expiration.default.as_secs().to_string().into(),
            b"maximum_expiration" => aor.expiration.maximum.as_secs().to_string().into(),
            _ => return None,
        })
    }

    /// A contact goes by its URI: what the field `contact` of its address of record lists.
    fn contact(&self, uri: &BStr, field: &BStr) -> Option<BString> {
        let registered = self.registrar.iter().find_map(|(aor, bindings)| {
            let bound =
                bindings.iter().find(|bound| bound.contact().as_str().as_bytes() == *uri)?;
            (bound.expires() > self.now.instant).then_some((aor, bound))
        });
        let Some((aor, binding)) = registered else {
            let mut fixed = self.sip.aors.iter();
            let aor = fixed.find(|aor| aor.contacts.iter().any(|contact| contact == uri))?;
            return Some(match field.to_ascii_lowercase().as_slice() {
                b"uri" => uri.into(),
                b"aor" => aor.name.clone(),
                b"status" => "NonQualified".into(),
                _ => return None,
            });
        };
        Some(match field.to_ascii_lowercase().as_slice() {
            b"uri" => uri.into(),
            b"aor" => aor.into(),
            b"status" => "NonQualified".into(),
            b"via_addr" => binding.flow().peer.ip().to_string().into(),
            b"via_port" => binding.flow().peer.port().to_string().into(),
            b"expiration_time" => {
                let left = binding.remaining(self.now.instant).as_secs() as i64;
                self.now.wall.as_second().saturating_add(left).to_string().into()
            }
            _ => return None,
        })
    }
}

fn mailboxes(mailboxes: &[Mailbox]) -> BString {
    bstr::join(",", mailboxes.iter().map(Mailbox::name)).into()
}

fn yes_no(value: bool) -> BString {
    if value { "yes" } else { "no" }.into()
}
