//! Calls that are answered by somebody else than they ring for: Pickup, `pickupexten`, and INVITE
//! with Replaces (RFC 3891).

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::operation::{Outcome, Pickup};

use super::{
    EndedBy, Parties, Switch,
    call::{Call, Control},
};
use crate::{
    channel::{Cause, ChannelId},
    clock::Now,
    config::{Groups, Peer},
    sip::{Request, StatusCode, refer::Replaces},
};

/// What a new call does in place of its dialplan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takeover {
    /// It answers for a call that rings.
    Answer(ChannelId),
    /// It takes the place of a call that is up.
    Replace(ChannelId),
    /// It answers for whoever of its pick-up groups rings.
    Group,
}

impl Switch {
    /// Which call an INVITE is to take the place of, or the status that refuses it.
    pub(super) fn takeover_asked(
        &self,
        request: &Request,
        peer: &Peer,
    ) -> Result<Option<Takeover>, StatusCode> {
        let Some(replaces) = Replaces::read(request)? else { return Ok(None) };
        if !peer.allow_transfer {
            return Err(StatusCode::DECLINE);
        }
        let handle = self.endpoint.replaced_call(&replaces)?;
        let id = *self.handles.get(&handle).ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        if self.ringing_for(id).is_some() {
            let number = BStr::new("");
            let ringing = self.calls.get(&id).ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
            if !self.may_intercept(peer.name.as_bstr(), number, ringing) {
                return Err(StatusCode::FORBIDDEN);
            }
            Ok(Some(Takeover::Answer(id)))
        } else if self.can_be_taken_over(id) {
            Ok(Some(Takeover::Replace(id)))
        } else {
            Err(StatusCode::CALL_DOES_NOT_EXIST)
        }
    }

    /// Whether a call dials what picks up, in a context that knows nothing better.
    pub(super) fn pickup_dialled(&self, parties: &Parties, peer: &Peer, now: Now) -> bool {
        let code = &self.config.features.pickup;
        !code.is_empty()
            && parties.dialled == *code
            && !self.has_extension(peer.context.as_ref(), parties, now)
    }

    /// Lets a new call do what it does in place of its dialplan.
    pub(super) fn take_instead(&mut self, call: &mut Call, takeover: Takeover, now: Now) {
        let done = match takeover {
            Takeover::Answer(ringing) => self.answer_for(call, ringing, now),
            Takeover::Replace(replaced) => {
                self.replace_call(call, replaced, now);
                true
            }
            Takeover::Group => match self.rings_for(call, &Pickup::Group) {
                Some(ringing) => self.answer_for(call, ringing, now),
                None => false,
            },
        };
        if !done {
            call.control = Control::Nobody;
            self.end(call, Cause::CALL_REJECTED, EndedBy::Us, now);
        }
    }

    /// The application Pickup.
    pub(super) fn pick_up_other(&mut self, call: &mut Call, whose: &[Pickup], now: Now) {
        let ringing = whose.iter().find_map(|whose| self.rings_for(call, whose));
        if ringing.is_some_and(|ringing| self.answer_for(call, ringing, now)) {
            return;
        }
        tracing::info!(call_id = %call.parties.call_id, "Pickup: nobody rings there");
        if let Some(pbx) = call.pbx_mut() {
            pbx.handle_outcome(Outcome::Failed);
        }
    }

    /// The call that rings longest of those that somebody may answer.
    fn rings_for(&self, call: &Call, whose: &Pickup) -> Option<ChannelId> {
        let own = self.own_groups(call);
        let peer = call.parties.peer.as_ref().map(|peer| peer.as_bstr()).unwrap_or_default();
        let here = call.pbx().map(|pbx| pbx.place().context.to_owned()).unwrap_or_default();
        let suits = |ringing: &Call| match whose {
            Pickup::Group => own.meets(&self.groups_of(ringing)),
            Pickup::Extension { extension, context } => {
                let context = context.as_ref().unwrap_or(&here);
                ringing.pbx().is_some_and(|pbx| {
                    let place = pbx.place();
                    place.extension == extension && place.context == context
                })
            }
            Pickup::Mark(mark) => ringing
                .pbx()
                .and_then(|pbx| pbx.variable("PICKUPMARK"))
                .is_some_and(|own| own.eq_ignore_ascii_case(mark)),
            Pickup::Channel(name) => is_channel(ringing.name.as_ref(), name.as_ref()),
        };
        let ringing = self.calls.values().filter(|ringing| {
            self.ringing_for(ringing.id).is_some_and(|dialler| dialler != call.id)
                && suits(ringing)
                && self.may_intercept(peer, call.parties.caller_number.as_bstr(), ringing)
        });
        ringing.map(|ringing| ringing.id).min()
    }

    fn own_groups(&self, call: &Call) -> Groups {
        let peer = self.peer_of(call);
        let groups = peer.map(|peer| peer.pickup_groups.clone()).unwrap_or_default();
        overridden(groups, call, "pickupgroup", "namedpickupgroup")
    }

    fn groups_of(&self, call: &Call) -> Groups {
        let peer = self.peer_of(call);
        let groups = peer.map(|peer| peer.call_groups.clone()).unwrap_or_default();
        overridden(groups, call, "callgroup", "namedcallgroup")
    }
}

/// The groups that CHANNEL() set come before those of the endpoint.
fn overridden(mut groups: Groups, call: &Call, numbers: &str, names: &str) -> Groups {
    let setting = |name: &str| {
        let settings = &call.pbx()?.channel().settings;
        settings.get(BStr::new(name)).map(|value| value.to_owned())
    };
    if let Some(set) = setting(numbers).and_then(|text| Groups::parse_numbers(&text)) {
        groups.numbers = set;
    }
    if let Some(set) = setting(names) {
        let named = set.split_str(",").map(|name| BString::from(name.trim_ascii()));
        groups.names = named.filter(|name| !name.is_empty()).collect();
    }
    groups
}

/// Whether a channel has a name, or one that begins with it and a dash.
fn is_channel(channel: &BStr, name: &BStr) -> bool {
    channel.len() >= name.len()
        && channel[..name.len()].eq_ignore_ascii_case(name)
        && (channel.len() == name.len() || channel[name.len()] == b'-')
}
