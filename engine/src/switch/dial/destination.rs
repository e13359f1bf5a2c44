//! Whom a Dial calls: the endpoints, contacts and extensions that a destination stands for.

use std::{sync::Arc, time::Duration};

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::{
    channel::{Channel as PlanChannel, Dialed, Party},
    operation::{Destination, Options},
};

use super::super::{
    ContactStatus, Switch, SwitchEvent,
    call::{Call, Control},
    identity,
    place::{Launch, PlaceError},
    robots::Calling,
    session,
};
use super::{
    Leg, Placed,
    caller::{Caller, Kind},
};
use crate::{
    channel::Cause,
    clock::Now,
    config::{AuthCredentials, CodecName, Peer},
    media::Codec,
    pbx::Pbx,
    printable::Printable,
    sip::{self, NameAddr, Uri, auth::OwnCredentials},
};

/// Where one phone can be called.
struct Way {
    peer: Arc<Peer>,
    target: Uri,
    /// `None` when the contact is a name that has to be found first.
    flow: Option<sip::Flow>,
    routes: Vec<NameAddr>,
    contact: Uri,
}

/// As whom a phone is called, where that is not up to its settings.
struct CallingAs {
    from: NameAddr,
    credentials: Vec<OwnCredentials>,
}

impl Switch {
    /// Calls what one destination of a Dial stands for; the cause when that is nobody.
    pub(in super::super) fn call_destination(
        &mut self,
        caller: &Caller<'_>,
        destination: &Destination,
        options: &Options,
        timeout: Option<Duration>,
        now: Now,
    ) -> Result<Vec<Placed>, Cause> {
        let Destination { technology, resource } = destination;
        if caller.max_forwards <= 1 {
            tracing::warn!(call_id = %caller.parties.call_id, "Dial: the call has gone too many hops");
            return Err(Cause::EXCHANGE_ROUTING_ERROR);
        }
        // The Dial's own timeout comes first; this one bounds a Dial without.
        let timeout = timeout.map_or(LONGEST_RINGING, |timeout| timeout.min(LONGEST_RINGING));
        let is = |name: &str| technology.eq_ignore_ascii_case(name.as_bytes());
        let placed = if is("local") {
            let half = self.prepare_local(caller, resource.as_ref(), timeout, now)?;
            vec![self.place_leg(caller, half, resource, options, now)]
        } else if is("pjsip") || is("sip") {
            let ways = self.ways(resource.as_ref(), now);
            if let Err(cause) = &ways {
                tracing::info!(
                    call_id = %caller.parties.call_id, technology = %Printable(technology),
                    resource = %Printable(resource), %cause, "Dial: nobody to call"
                );
            }
            let mut placed = Vec::new();
            let mut failed = Cause::SUBSCRIBER_ABSENT;
            for way in ways? {
                match self.prepare_leg(caller, way, None, timeout, now) {
                    Ok(leg) => placed.push(self.place_leg(caller, leg, resource, options, now)),
                    Err(error) => {
                        tracing::warn!(call_id = %caller.parties.call_id, %error, "Dial");
                        failed = error.into();
                    }
                }
            }
            if placed.is_empty() {
                return Err(failed);
            }
            placed
        } else if is("robot") {
            vec![self.call_as_robot(caller, resource, options, timeout, now)?]
        } else {
            tracing::warn!(technology = %Printable(technology), "Dial: this technology is not available");
            return Err(Cause::UNKNOWN_TECHNOLOGY);
        };
        Ok(placed)
    }

    /// Calls a number as a robot of a pool: `rules/0142685300`.
    fn call_as_robot(
        &mut self,
        caller: &Caller<'_>,
        resource: &BString,
        options: &Options,
        timeout: Duration,
        now: Now,
    ) -> Result<Placed, Cause> {
        let user = match caller.channel {
            Some(channel) if !channel.robot.user.is_empty() => &channel.robot.user,
            _ => &caller.parties.caller_number,
        };
        let Calling { robot, target, flow, routes, from, credentials } =
            self.take_robot(resource.as_ref(), user.as_ref(), now)?;
        let Some(peer) = self.config.sip.peers.position(robot.range.as_ref()) else {
            self.robots.release(robot);
            return Err(Cause::NO_ROUTE);
        };
        let peer = self.gate.peer(peer);
        let way = Way { peer, contact: target.clone(), target, flow: Some(flow), routes };
        let calling_as = Some(CallingAs { from, credentials });
        match self.prepare_leg(caller, way, calling_as, timeout, now) {
            Ok(mut leg) => {
                self.occupy_for(&mut leg, robot, user.as_ref());
                Ok(self.place_leg(caller, leg, resource, options, now))
            }
            Err(error) => {
                self.robots.release(robot);
                tracing::warn!(call_id = %caller.parties.call_id, %error, "Dial");
                Err(error.into())
            }
        }
    }

    /// Makes a prepared call a leg of the caller, and lets it begin.
    pub(super) fn place_leg(
        &mut self,
        caller: &Caller<'_>,
        mut leg: Box<Call>,
        resource: &BString,
        options: &Options,
        now: Now,
    ) -> Placed {
        let id = leg.id;
        let mut channel = leg_channel(caller, &leg, options, now);
        let peer = self.peer_of(&leg);
        if let Some(peer) = peer.as_ref().filter(|peer| !peer.account_code.is_empty()) {
            channel.account_code = peer.account_code.clone();
        }
        let (context, extension, priority) = &caller.place;
        let place = (context.as_ref(), extension.as_ref(), *priority);
        let pbx = Pbx::idle(channel, caller.variables.clone(), place, self.started);
        leg.control = Control::Leg(Box::new(Leg::new(caller, pbx, options)));
        if caller.kind == Kind::Call {
            let channel = leg.name.clone();
            self.tell(SwitchEvent::DialBegan { call: caller.id, leg: id, channel });
        }
        self.put_back(leg, now);
        self.with_call(id, now, |switch, leg| {
            if let Some(peer) = peer {
                switch.assign(leg, &peer.variables, now);
            }
            switch.assign(leg, caller.assignments, now);
            switch.next_errand(leg, now);
        });
        Placed { leg: id, resource: resource.clone() }
    }

    fn prepare_leg(
        &mut self,
        caller: &Caller<'_>,
        way: Way,
        calling_as: Option<CallingAs>,
        ring_timeout: Duration,
        now: Now,
    ) -> Result<Box<Call>, PlaceError> {
        let Way { mut peer, target, flow, routes, contact } = way;
        let locate = flow.is_none().then_some(contact);
        let flow = flow.unwrap_or(caller.flow);
        let (party, redirecting) = match caller.channel {
            Some(channel) => (channel.caller.clone(), Some(channel.redirecting.clone())),
            None => {
                let parties = caller.parties;
                (Party::new(parties.caller_name.clone(), parties.caller_number.clone()), None)
            }
        };
        let said = identity::outward(&party, redirecting.as_deref(), &peer, &target, flow.local);
        let identity::Outward { from, headers } =
            said.ok_or_else(|| PlaceError::From(party.number.unwrap_or_default().to_string()))?;
        if let Some(codecs) = caller.codecs {
            Arc::make_mut(&mut peer).codecs = codecs.to_vec();
        }
        prefer(&caller.present_codecs, &mut peer);
        let (from, credentials) = match calling_as {
            Some(CallingAs { from: own, credentials }) => {
                (own.with_display_name(from.display_name().unwrap_or_default()), credentials)
            }
            None => (from, peer.outbound_auth.iter().map(AuthCredentials::own).collect()),
        };
        let control = Control::Nobody;
        let (peer, max_forwards) = (Some(peer), caller.max_forwards - 1);
        let launch = Launch {
            target,
            from,
            flow,
            credentials,
            ring_timeout,
            control,
            peer,
            headers,
            max_forwards,
        };
        let mut leg = self.prepare(launch, now)?;
        if let Some(departure) = &mut leg.departure {
            departure.locate = locate;
            departure.routes = routes;
        }
        Ok(leg)
    }

    /// Where a resource of PJSIP/ can be called now; the cause when nowhere.
    fn ways(&self, resource: &BStr, now: Now) -> Result<Vec<Way>, Cause> {
        // `number@peer` asks the peer for a number; `peer/sip:..` names the address outright.
        let (name, number, address) =
            match (resource.split_once_str("@"), resource.split_once_str("/")) {
                (_, Some((peer, uri))) => (peer.as_bstr(), None, Some(uri.as_bstr())),
                (Some((number, peer)), None) => (peer.as_bstr(), Some(number.as_bstr()), None),
                (None, None) => (resource, None, None),
            };
        let index = self.config.sip.peers.position(name).ok_or(Cause::NO_ROUTE)?;
        let peer = self.gate.peer(index);
        let found = match address {
            Some(uri) => self.way_to(&peer, uri, None, now).into_iter().collect(),
            None => self.contacts(&peer, number, now),
        };
        if found.is_empty() { Err(Cause::SUBSCRIBER_ABSENT) } else { Ok(found) }
    }

    fn contacts(&self, peer: &Arc<Peer>, number: Option<&BStr>, now: Now) -> Vec<Way> {
        let mut ways = Vec::new();
        for name in &peer.aors {
            for binding in self.registrar.bindings(name.as_ref(), now.instant) {
                let contact = binding.contact();
                // As in Asterisk: who did not answer when asked is not called.
                if self.qualifier.status(name.as_ref(), contact.as_str())
                    == ContactStatus::Unavailable
                {
                    continue;
                }
                let (flow, routes) = self.way_to_binding(binding, Some(peer));
                let target = target(contact, number);
                ways.extend(target.map(|target| Way {
                    peer: Arc::clone(peer),
                    target,
                    flow: Some(flow),
                    routes,
                    contact: contact.clone(),
                }));
            }
            let aor = self.config.sip.aors.get(name.as_ref());
            for contact in aor.iter().flat_map(|aor| &aor.contacts) {
                ways.extend(self.way_to(peer, contact.as_ref(), number, now));
            }
        }
        ways.truncate(MOST_LEGS);
        ways
    }

    fn way_to(
        &self,
        peer: &Arc<Peer>,
        contact: &BStr,
        number: Option<&BStr>,
        now: Now,
    ) -> Option<Way> {
        let contact = Uri::parse(contact.to_str().ok()?).ok()?;
        let target = target(&contact, number)?;
        // A contact that a phone registered is reached over what it registered on.
        let registered =
            peer.aors.iter().flat_map(|aor| self.registrar.bindings(aor.as_ref(), now.instant));
        let mut registered = registered.filter(|it| it.contact().as_str() == contact.as_str());
        if let Some(binding) = registered.next() {
            let (flow, routes) = self.way_to_binding(binding, Some(peer));
            return Some(Way { peer: Arc::clone(peer), target, flow: Some(flow), routes, contact });
        }
        if contact.socket_addr().is_none() {
            let (peer, routes) = (Arc::clone(peer), vec![]);
            return Some(Way { peer, target, flow: None, routes, contact });
        }
        match self.flow_to(&contact, peer.transport.as_ref().map(AsRef::as_ref)) {
            Ok(flow) => {
                let (peer, routes) = (Arc::clone(peer), vec![]);
                Some(Way { peer, target, flow: Some(flow), routes, contact })
            }
            Err(error) => {
                tracing::warn!(contact = contact.as_str(), %error, "Dial: contact can not be called");
                None
            }
        }
    }
}

/// The leg's channel as subroutines see it.
fn leg_channel(caller: &Caller<'_>, leg: &Call, options: &Options, now: Now) -> PlanChannel {
    let mut channel = PlanChannel::new(leg.name.clone());
    channel.unique_id = format!("{}.{}", now.wall.as_second(), leg.id.number()).into();
    channel.linked_id = channel.unique_id.clone();
    channel.language = leg.channel.language.clone();
    let dialled = &leg.parties.dialled;
    channel.dialed = Dialed { number: dialled.clone(), ..Dialed::default() };
    // Asterisk: the callee's channel is the dialled number, unless option o says otherwise.
    channel.caller = Party::new("", dialled.clone());
    let Some(caller) = caller.channel else { return channel };
    if !caller.linked_id.is_empty() {
        channel.linked_id = caller.linked_id.clone();
    }
    channel.account_code = caller.account_code.clone();
    channel.connected = caller.caller.clone();
    channel.redirecting = caller.redirecting.clone();
    // As the old driver's SIPAddHeader has it: what the caller adds goes out with its calls.
    channel.outgoing_headers = caller.outgoing_headers.clone();
    channel.music_class = caller.music_class.clone();
    if options.has(b'o') {
        channel.caller = match options.argument(b'o').filter(|text| !text.is_empty()) {
            Some(number) => Party::new("", number),
            None => caller.caller.clone(),
        };
    }
    if let Some(tag) = options.argument(b's') {
        channel.caller.tag = tag.into();
    }
    channel
}

/// What a call to a contact asks for: the contact itself, or a number there.
fn target(contact: &Uri, number: Option<&BStr>) -> Option<Uri> {
    match number {
        Some(number) => Uri::sip(number, contact.host_str(), contact.port()).ok(),
        None => Some(contact.clone()),
    }
}

/// A Dial without a timeout rings as long as an unanswered call may last.
const LONGEST_RINGING: Duration = Duration::from_secs(3600);

/// Contacts called at once for one destination.
const MOST_LEGS: usize = 16;

/// Puts those of a peer's codecs first that its caller has (`outgoing_call_offer_pref` is
/// `remote_merge`).
fn prefer(present: &[Codec], peer: &mut Arc<Peer>) {
    let place = |name: &CodecName| {
        let found = present.iter().position(|&codec| codec == session::codec(*name));
        found.unwrap_or(present.len())
    };
    if !peer.codecs.is_sorted_by_key(place) {
        Arc::make_mut(peer).codecs.sort_by_key(place);
    }
}
