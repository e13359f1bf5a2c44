//! Dial: other phones are called at once, and the first to answer is connected with the caller.
//!
//! Each phone called is a call of its own, controlled by the call that dialled. The two that talk
//! meet in a room without a name, on the caller's shard; digits that one presses are sent on to the
//! other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::operation::{Destination, Dial, DialEnd, DialResult, DialStatus, Outcome};

use super::{
    EndedBy, Switch,
    call::{Call, Control, Settle},
    invite::{SignalError, path_policy},
    place::{Launch, PlaceError},
};
use crate::{
    channel::{Cause, ChannelId, DigitSource},
    clock::Now,
    config::Peer,
    media::{Digit, MuteState, PlayItem, RoomId, ShardId},
    printable::Printable,
    sip::{self, NameAddr, Uri},
};

/// A Dial in progress, kept with the call that dialled.
#[derive(Debug)]
pub(super) struct Dialling {
    /// The calls made that are not over.
    legs: Vec<ChannelId>,
    started: Instant,
    /// When ringing ends.
    until: Option<Instant>,
    ringing: Option<Instant>,
    connected: Option<Connected>,
    /// Why those that are over ended.
    causes: Vec<Cause>,
    /// What was dialled, for DIALEDPEERNUMBER.
    number: BString,
}

#[derive(Debug)]
struct Connected {
    leg: ChannelId,
    name: BString,
    at: Instant,
    room: RoomId,
}

/// What a call tells the one that dialled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DialNews {
    leg: ChannelId,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Rings,
    Answers,
    Presses(Digit, DigitSource),
    Ends(Cause),
}

impl Dialling {
    /// When an unanswered Dial ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.connected.is_some() { None } else { self.until }
    }
}

/// Where one phone can be called.
struct Way {
    peer: Arc<Peer>,
    target: Uri,
    flow: sip::Flow,
}

impl Switch {
    /// Calls everybody a Dial names. The outcome comes when the last has failed, or when an
    /// answered call ends.
    pub(super) fn dial(&mut self, call: &mut Call, dial: &Dial, now: Now) -> Option<Outcome> {
        for letter in dial.options.letters().filter(|letter| !HONOURED.contains(letter)) {
            let option = char::from(letter);
            tracing::warn!(call_id = %call.parties.call_id, %option, "Dial option is not available and ignored");
        }
        let mut legs = Vec::new();
        let mut cause = Cause::UNALLOCATED;
        for destination in &dial.destinations {
            let ways = self.ways(destination, now);
            if let Err(why) = &ways {
                cause = *why;
                tracing::info!(
                    call_id = %call.parties.call_id, technology = %Printable(&destination.technology),
                    resource = %Printable(&destination.resource), %cause, "Dial: nobody to call"
                );
            }
            for way in ways.unwrap_or_default() {
                match self.call_leg(call, way, dial.timeout, now) {
                    Ok(leg) => legs.push(leg),
                    Err(error) => {
                        tracing::warn!(call_id = %call.parties.call_id, %error, "Dial");
                        cause = error.into();
                    }
                }
            }
        }
        if legs.is_empty() {
            let result = DialResult::unanswered(DialStatus::ChanUnavail, cause.number().into());
            return Some(Outcome::Dialed(Box::new(result)));
        }
        let number = dial.destinations.first().map(|first| first.resource.clone());
        call.dialling = Some(Box::new(Dialling {
            legs,
            started: now.instant,
            until: dial.timeout.and_then(|timeout| now.instant.checked_add(timeout)),
            ringing: None,
            connected: None,
            causes: Vec::new(),
            number: number.unwrap_or_default(),
        }));
        if dial.options.has(b'r') {
            self.let_ring(call, now);
        }
        None
    }

    /// The calls of a Dial tell something.
    pub(super) fn take_dial_news(&mut self, caller: ChannelId, news: DialNews, now: Now) {
        let DialNews { leg, what } = news;
        if let What::Presses(digit, source) = what {
            return self.with_call(caller, now, |switch, call| {
                call.channel.pass_digit(digit, source, &mut switch.outbox);
            });
        }
        self.with_call(caller, now, |switch, call| {
            let Some(mut dialling) = call.dialling.take() else { return };
            match what {
                What::Rings => {
                    dialling.ringing.get_or_insert(now.instant);
                    call.dialling = Some(dialling);
                    switch.let_ring(call, now);
                }
                What::Answers if dialling.connected.is_none() => {
                    switch.connect(call, dialling, leg, now);
                }
                // Somebody else was faster; the leg was told to end already.
                What::Answers | What::Presses(..) => call.dialling = Some(dialling),
                What::Ends(cause) => switch.leg_ended(call, dialling, leg, cause, now),
            }
        });
    }

    /// Tells the call that dialled this one, if one did.
    pub(super) fn tell_caller_it_rings(&mut self, call: &Call) {
        self.tell_caller(call, What::Rings);
    }

    /// Tells the call that dialled this one, if one did.
    pub(super) fn tell_caller_it_answered(&mut self, call: &Call) {
        self.tell_caller(call, What::Answers);
    }

    fn tell_caller(&mut self, call: &Call, what: What) {
        if let Control::Caller(caller) = call.control {
            self.dial_news.push_back((caller, DialNews { leg: call.id, what }));
        }
    }

    /// Sends a digit on to whom the call is connected with; whether it is.
    pub(super) fn pass_digit_on(&mut self, call: &Call, digit: Digit, source: DigitSource) -> bool {
        let connected = call.dialling.as_ref().and_then(|dialling| dialling.connected.as_ref());
        let other = match (connected, &call.control) {
            (Some(connected), _) => connected.leg,
            (None, Control::Caller(caller)) => *caller,
            (None, _) => return false,
        };
        let news = DialNews { leg: call.id, what: What::Presses(digit, source) };
        self.dial_news.push_back((other, news));
        true
    }

    /// The call is over, and with it whatever it dialled; or it is one that was dialled.
    pub(super) fn abandon_dial(&mut self, call: &mut Call, cause: Cause, now: Now) {
        self.tell_caller(call, What::Ends(cause));
        if let Some(dialling) = call.dialling.take() {
            self.end_legs(&dialling.legs, Cause::NORMAL_CLEARING, now);
        }
    }

    /// Nobody answered a Dial in time.
    pub(super) fn end_dial_if_late(&mut self, call: &mut Call, now: Now) {
        let due = call.dialling.as_ref().and_then(|dialling| dialling.deadline());
        if due.is_some_and(|due| due <= now.instant)
            && let Some(dialling) = call.dialling.take()
        {
            self.end_legs(&dialling.legs, Cause::NORMAL_CLEARING, now);
            call.channel.stop_background(&mut self.outbox);
            finish(call, &dialling, DialStatus::NoAnswer, Cause::NO_ANSWER, now);
        }
    }

    /// Ends the calls of a Dial that is given up, without an outcome.
    pub(super) fn end_dial(&mut self, call: &Call, dialling: &Dialling, now: Now) {
        self.end_legs(&dialling.legs, Cause::NORMAL_CLEARING, now);
        call.channel.leave(&mut self.outbox);
    }

    fn call_leg(
        &mut self,
        call: &Call,
        way: Way,
        timeout: Option<Duration>,
        now: Now,
    ) -> Result<ChannelId, PlaceError> {
        let Way { peer, target, flow } = way;
        let user = peer.from_user.as_ref().unwrap_or(&call.parties.caller_number);
        let user = if user.is_empty() { b"anonymous".as_bstr() } else { user.as_bstr() };
        let uri = match &peer.from_domain {
            Some(domain) => Uri::sip(user, &domain.to_str_lossy(), None),
            None => Ok(Uri::sip_at(user, flow.local)),
        };
        let from = NameAddr::new(uri.map_err(|_| PlaceError::From(user.to_string()))?);
        let name = call.parties.caller_name.to_str_lossy();
        let from = if name.is_empty() { from } else { from.with_display_name(&name) };
        let control = Control::Caller(call.id);
        // The Dial's own timeout comes first; this one bounds a Dial without.
        let ring_timeout = timeout.map_or(LONGEST_RINGING, |timeout| timeout.min(LONGEST_RINGING));
        let peer = Some(peer);
        let credentials = None;
        self.launch(Launch { target, from, flow, credentials, ring_timeout, control, peer }, now)
    }

    /// Where a destination can be called now; the cause when nowhere.
    fn ways(&self, destination: &Destination, now: Now) -> Result<Vec<Way>, Cause> {
        let technology = &destination.technology;
        if !technology.eq_ignore_ascii_case(b"pjsip") && !technology.eq_ignore_ascii_case(b"sip") {
            tracing::warn!(technology = %Printable(technology), "Dial: this technology is not available");
            return Err(Cause::UNKNOWN_TECHNOLOGY);
        }
        let resource = destination.resource.as_bstr();
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
            Some(uri) => self.way_to(&peer, uri, None).into_iter().collect(),
            None => self.contacts(&peer, number, now),
        };
        if found.is_empty() { Err(Cause::SUBSCRIBER_ABSENT) } else { Ok(found) }
    }

    fn contacts(&self, peer: &Arc<Peer>, number: Option<&BStr>, now: Now) -> Vec<Way> {
        let mut ways = Vec::new();
        for name in &peer.aors {
            for binding in self.registrar.bindings(name.as_ref(), now.instant) {
                let contact = binding.contact();
                let flow = self.endpoint.path_to(contact, binding.flow(), path_policy(peer));
                let target = target(contact, number);
                ways.extend(target.map(|target| Way { peer: Arc::clone(peer), target, flow }));
            }
            let aor = self.config.sip.aors.get(name.as_ref());
            for contact in aor.iter().flat_map(|aor| &aor.contacts) {
                ways.extend(self.way_to(peer, contact.as_ref(), number));
            }
        }
        ways.truncate(MOST_LEGS);
        ways
    }

    fn way_to(&self, peer: &Arc<Peer>, contact: &BStr, number: Option<&BStr>) -> Option<Way> {
        let contact = Uri::parse(contact.to_str().ok()?).ok()?;
        let target = target(&contact, number)?;
        match self.flow_to(&contact, peer.transport.as_ref().map(AsRef::as_ref)) {
            Ok(flow) => Some(Way { peer: Arc::clone(peer), target, flow }),
            Err(error) => {
                tracing::warn!(contact = contact.as_str(), %error, "Dial: contact can not be called");
                None
            }
        }
    }

    /// Lets the caller hear that it rings somewhere.
    fn let_ring(&mut self, call: &mut Call, now: Now) {
        if !call.is_up() {
            // A caller with early media is told nothing new.
            let _ = self.ring(call, now);
        } else if let Some(tone) = self.tones.named("ring".into()) {
            call.channel.play_in_background(PlayItem::Tone(tone), &mut self.outbox);
        }
    }

    fn connect(&mut self, call: &mut Call, mut dialling: Box<Dialling>, leg: ChannelId, now: Now) {
        let others: Vec<_> = dialling.legs.iter().copied().filter(|other| *other != leg).collect();
        self.end_legs(&others, Cause::ANSWERED_ELSEWHERE, now);
        dialling.legs.retain(|other| *other == leg);
        let name = self.calls.get(&leg).map(|call| call.name.clone()).unwrap_or_default();
        let room = self.rooms.private();
        dialling.connected = Some(Connected { leg, name, at: now.instant, room });
        call.dialling = Some(dialling);
        call.channel.stop_background(&mut self.outbox);
        if !call.is_up() {
            let settle = Settle { wait_media: false, delay: Duration::ZERO };
            if let Err(error) = self.answer(call, settle, now) {
                return self.fail_to_signal(call, &error, now);
            }
        }
        self.join_connected(call, now);
    }

    /// Brings the caller and the one that answered together, once both have media.
    pub(super) fn join_connected(&mut self, call: &mut Call, now: Now) {
        let Some(dialling) = &call.dialling else { return };
        let (Some(connected), Some((shard, _))) = (&dialling.connected, call.channel.stream())
        else {
            return;
        };
        let (leg, room) = (connected.leg, connected.room);
        self.meet(call, room, shard);
        self.with_call(leg, now, |switch, leg| switch.meet(leg, room, shard));
    }

    fn meet(&mut self, call: &mut Call, room: RoomId, shard: ShardId) {
        call.channel.join(room, shard, MuteState::Open, &mut self.outbox);
        self.follow_stream(call);
    }

    fn leg_ended(
        &mut self,
        call: &mut Call,
        mut dialling: Box<Dialling>,
        leg: ChannelId,
        cause: Cause,
        now: Now,
    ) {
        let before = dialling.legs.len();
        dialling.legs.retain(|other| *other != leg);
        if dialling.legs.len() == before {
            // One of those that were told to end.
            call.dialling = Some(dialling);
            return;
        }
        if dialling.connected.is_some() {
            call.channel.leave(&mut self.outbox);
            return finish(call, &dialling, DialStatus::Answer, cause, now);
        }
        dialling.causes.push(cause);
        if dialling.legs.is_empty() {
            call.channel.stop_background(&mut self.outbox);
            let status = status(&dialling.causes);
            finish(call, &dialling, status, cause, now);
        } else {
            call.dialling = Some(dialling);
        }
    }

    fn end_legs(&mut self, legs: &[ChannelId], cause: Cause, now: Now) {
        for leg in legs {
            self.with_call(*leg, now, |switch, call| {
                switch.end(call, cause, EndedBy::Us, now);
            });
        }
    }
}

/// What a call to a contact asks for: the contact itself, or a number there.
fn target(contact: &Uri, number: Option<&BStr>) -> Option<Uri> {
    match number {
        Some(number) => Uri::sip(number, contact.host_str(), contact.port()).ok(),
        None => Some(contact.clone()),
    }
}

/// Hands the outcome of a Dial to the caller's dialplan.
fn finish(call: &mut Call, dialling: &Dialling, status: DialStatus, cause: Cause, now: Now) {
    let since = |at: Instant| now.instant.saturating_duration_since(at);
    let connected = dialling.connected.as_ref();
    let result = DialResult {
        ended_by: if connected.is_some() { DialEnd::Callee } else { DialEnd::Unanswered },
        peer_name: connected.map(|connected| connected.name.clone()),
        peer_number: Some(dialling.number.clone()),
        dialed: Some(since(dialling.started)),
        answered: connected.map(|connected| since(connected.at)),
        ringing: dialling.ringing.map(|at| at.saturating_duration_since(dialling.started)),
        ..DialResult::unanswered(status, cause.number().into())
    };
    if let Control::Dialplan(pbx) = &mut call.control {
        pbx.handle_outcome(Outcome::Dialed(Box::new(result)));
    }
}

/// DIALSTATUS when nobody answered: busy if anybody was, else congestion if anything was congested.
fn status(causes: &[Cause]) -> DialStatus {
    let any = |wanted: &[Cause]| causes.iter().any(|cause| wanted.contains(cause));
    if any(&[Cause::USER_BUSY]) {
        DialStatus::Busy
    } else if any(&[
        Cause::CONGESTION,
        Cause::TEMPORARY_FAILURE,
        Cause::SWITCH_CONGESTION,
        Cause::NETWORK_OUT_OF_ORDER,
    ]) {
        DialStatus::Congestion
    } else if any(&[Cause::NO_ANSWER, Cause::NO_USER_RESPONSE]) {
        DialStatus::NoAnswer
    } else {
        DialStatus::ChanUnavail
    }
}

/// Why a Dial could not go on.
impl From<PlaceError> for Cause {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Full | PlaceError::Signal(SignalError::NoPort) => Self::SWITCH_CONGESTION,
            _ => Self::NO_ROUTE,
        }
    }
}

/// Options that are done, or done by the executor.
const HONOURED: &[u8] = b"rg";

/// A Dial without a timeout rings as long as an unanswered call may last.
const LONGEST_RINGING: Duration = Duration::from_secs(3600);

/// Contacts called at once for one destination.
const MOST_LEGS: usize = 16;
