//! Connected line: who is talked to changes when a call is transferred, picked up or dialled on
//! from an answered one, and the far end is told in an UPDATE or a re-INVITE of ours.

use diesis_dialplan::channel::Party;

use super::{
    Direction, Switch,
    call::Call,
    identity::{self, Identity, Role},
};
use crate::{
    channel::ChannelId,
    clock::Now,
    config::ConnectedLineMethod,
    sip::{Headers, Request, VerbError},
};

/// Who a call is to those it is connected with.
fn party_of(call: &Call) -> Option<Party> {
    let own = call.identity.party.clone();
    let stated = || match call.direction {
        Direction::Incoming => call.pbx().map(|pbx| pbx.channel().caller.clone()),
        Direction::Outgoing => {
            let dialled = call.parties.dialled.clone();
            (!dialled.is_empty()).then(|| Party { number: Some(dialled), ..Party::default() })
        }
    };
    own.or_else(stated)
}

impl Switch {
    /// Who the far end is connected with, for a message to it.
    pub(super) fn connected_line(&self, call: &Call) -> Headers {
        let mut headers = Headers::default();
        if let (Some(pbx), Some(peer)) = (call.pbx(), self.peer_of(call))
            && peer.send_connected_line
        {
            let role = match call.direction {
                Direction::Incoming => Role::Called,
                Direction::Outgoing => Role::Calling,
            };
            let connected = &pbx.channel().connected;
            identity::write_identity(&mut headers, connected, &peer, call.flow.local, role);
        }
        headers
    }

    /// Two that were connected with others are connected with each other now: each is told.
    pub(super) fn exchange_parties(&mut self, call: &mut Call, other: ChannelId, now: Now) {
        let mine = party_of(call);
        let theirs = self.calls.get(&other).and_then(|other| party_of(other));
        if let Some(party) = theirs {
            self.set_connected(call, party, now);
        }
        if let Some(party) = mine {
            self.with_call(other, now, |switch, other| switch.set_connected(other, party, now));
        }
    }

    /// The far end of an answered call talks to somebody else from now on, and is told.
    pub(super) fn set_connected(&mut self, call: &mut Call, party: Party, now: Now) {
        let Some(pbx) = call.pbx_mut() else { return };
        let channel = pbx.channel_mut();
        if channel.connected == party {
            return;
        }
        channel.connected = party;
        self.tell_connected(call, now);
    }

    /// Tells the far end of an answered call whom it is connected with.
    pub(super) fn tell_connected(&mut self, call: &mut Call, now: Now) {
        call.connected_due = false;
        let Some(handle) = call.handle.filter(|_| call.is_up()) else { return };
        let headers = self.connected_line(call);
        if headers.fields().next().is_none() {
            return;
        }
        let method = self.peer_of(call).map(|peer| peer.connected_line_method);
        let told = match method {
            Some(ConnectedLineMethod::Update) => {
                self.endpoint.update(handle, &headers, None, now.instant)
            }
            Some(ConnectedLineMethod::Reinvite) | None => Err(VerbError::Method),
        };
        match told {
            // A re-INVITE everybody takes.
            Err(VerbError::Method) => self.refresh_session(call, now),
            // An offer is on its way in one direction or the other: after it.
            Err(VerbError::OfferPending | VerbError::WrongState) => call.connected_due = true,
            Ok(()) | Err(_) => {}
        }
    }

    /// Tells now what an offer stood in the way of.
    pub(super) fn tell_connected_if_due(&mut self, call: &mut Call, now: Now) {
        if call.connected_due {
            self.tell_connected(call, now);
        }
    }

    /// A message within the call may say who the far end is now; its partner is told, where the peer
    /// is believed.
    pub(super) fn learn_connected(&mut self, call: &mut Call, request: &Request, now: Now) {
        let Some(peer) = self.peer_of(call).filter(|peer| peer.trust_connected_line) else {
            return;
        };
        let Some(party) = Identity::read(request.headers(), &peer).party else { return };
        if call.identity.party.as_ref() == Some(&party) {
            return;
        }
        call.identity.party = Some(party.clone());
        if let Some(partner) = self.partner(call) {
            self.with_call(partner, now, |switch, other| switch.set_connected(other, party, now));
        }
    }
}
