//! Local channels: two halves of one call that needs no telephone. What is dialled rings at the
//! first half; the second runs the dialplan as if somebody had called.
//!
//! The halves hear each other through two ports of our own, so all that works on a call's audio
//! works on them. Asterisk takes such a pair out of the way once both are bridged, unless `/n` asks
//! it not to; here the pair stays.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bstr::{BStr, BString, ByteSlice};

use super::{
    Direction, EndedBy, Parties, Switch, SwitchEvent,
    call::{Beginning, Call, Control, Phase},
    dial::{Caller, CallerKind},
    plan::plan_channel,
    session::Session,
};
use crate::{
    channel::{Cause, Channel, ChannelId},
    clock::Now,
    media::{
        Codec, Direction as MediaDirection, InbandDigits, Latching, OpusSettings, PayloadType,
        RtcpPath, StreamSettings,
    },
    pbx::Pbx,
    printable::Printable,
    sip,
};

/// What one half tells the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LocalNews {
    Rings,
    Progresses,
    Answers,
    Ends(Cause),
}

impl Switch {
    /// The first half of a pair that will run `extension@context[/options]`; the second waits.
    pub(super) fn prepare_local(
        &mut self,
        caller: &Caller<'_>,
        resource: &BStr,
        ring_timeout: Duration,
        now: Now,
    ) -> Result<Box<Call>, Cause> {
        let place = resource.split_str("/").next().unwrap_or_default();
        let (extension, context) = place.split_once_str("@").unwrap_or((place, b"default"));
        let (extension, context) = (extension.as_bstr(), context.as_bstr());
        let parties = Parties { dialled: extension.to_owned(), ..caller.parties.clone() };
        if !self.has_extension(context, &parties, now) {
            let (extension, context) = (Printable(extension), Printable(context));
            tracing::info!(call_id = %caller.parties.call_id, %extension, %context, "Local: no such extension");
            return Err(Cause::NO_ROUTE);
        }
        let cost = match caller.kind {
            CallerKind::Call => LOCAL_HOPS,
            CallerKind::Origination => 1,
        };
        let hops = caller.max_forwards.checked_sub(cost).filter(|left| *left > 0);
        let Some(max_forwards) = hops else {
            tracing::warn!(call_id = %caller.parties.call_id, "Local: too many channels inside each other");
            return Err(Cause::EXCHANGE_ROUTING_ERROR);
        };
        if self.calls.len() + 2 > self.config.limits.calls {
            return Err(Cause::CONGESTION);
        }
        let party = caller.channel.map(|channel| channel.caller.clone()).unwrap_or_default();
        let (first, second) = (self.next_channel(), self.next_channel());
        let own = SocketAddr::new(caller.flow.local.ip(), caller.flow.local.port());
        let flow = sip::Flow { peer: own, connection: None, ..caller.flow };
        let half = |switch: &mut Self, id: ChannelId, other: ChannelId, nth: u8| {
            let mut name = BString::from("Local/");
            name.extend_from_slice(place);
            name.extend_from_slice(format!("-{first};{nth}").as_bytes());
            let parties = Parties {
                caller_number: party.number.clone().unwrap_or_default(),
                caller_name: party.name.clone().unwrap_or_default(),
                dialled: extension.to_owned(),
                peer: None,
                call_id: name.clone(),
            };
            let direction = if nth == 1 { Direction::Outgoing } else { Direction::Incoming };
            let until = now.instant + ring_timeout;
            let mut call = switch.call_without_phone(id, parties, direction, (flow, until), now);
            call.channel = Channel::new(id, caller.language.clone());
            call.max_forwards = max_forwards;
            call.other_half = Some(other);
            call
        };
        let waits = half(self, second, first, 2);
        self.put_back(waits, now);
        // Where the second half will start; kept as the first one's dialled number and context.
        let mut leg = half(self, first, second, 1);
        leg.parties.peer = Some(context.to_owned());
        Ok(leg)
    }

    /// A call that has no signalling of its own, named as its Call-ID. It ends when it is not answered
    /// in time.
    pub(super) fn call_without_phone(
        &mut self,
        id: ChannelId,
        parties: Parties,
        direction: Direction,
        (flow, until): (sip::Flow, Instant),
        now: Now,
    ) -> Box<Call> {
        Box::new(Call::new(
            Beginning {
                id,
                name: parties.call_id.clone(),
                language: self.config.default_language.clone(),
                parties,
                direction,
                flow,
                session: Session::new(None, self.entropy.next_u64()),
                unanswered_until: until,
            },
            now,
        ))
    }

    /// The first half is called: the second one starts its dialplan.
    pub(super) fn depart_local(&mut self, call: &mut Call, now: Now) {
        let Some(other) = call.other_half else { return };
        let context = call.parties.peer.take().unwrap_or_default();
        let ports = (self.lease_port(call).ok(), call.flow);
        let (Some(here), _) = ports else {
            return self.end(call, Cause::CONGESTION, EndedBy::Failure, now);
        };
        let (id, name) = (call.id, call.name.clone());
        self.tell(SwitchEvent::CallStarted {
            call: id,
            channel: name,
            parties: call.parties.clone(),
            direction: call.direction,
        });
        let variables = call.pbx().map(Pbx::variables).unwrap_or_default();
        let from = call.pbx().map(|pbx| pbx.channel().clone());
        let mut there = None;
        self.with_call(other, now, |switch, half| {
            there = switch.lease_port(half).ok();
            if there.is_none() {
                return;
            }
            switch.open_stream(half, loopback(here, &half.flow));
            let language = half.channel.language.clone();
            let mut channel =
                plan_channel(half.name.clone(), &half.parties, &language, half.id, now);
            if let Some(from) = from {
                channel.caller = from.connected;
                channel.linked_id = from.linked_id;
                channel.account_code = from.account_code;
                channel.redirecting = from.redirecting;
            }
            let dialled = half.parties.dialled.clone();
            let mut pbx = Pbx::new(channel, context.as_ref(), dialled.as_ref(), switch.started);
            pbx.set_variables(variables);
            half.control = Control::Dialplan(Box::new(pbx));
            switch.tell(SwitchEvent::CallStarted {
                call: half.id,
                channel: half.name.clone(),
                parties: half.parties.clone(),
                direction: half.direction,
            });
        });
        match there {
            Some(there) => {
                let settings = loopback(there, &call.flow);
                self.open_stream(call, settings);
            }
            None => self.end(call, Cause::CONGESTION, EndedBy::Failure, now),
        }
    }

    /// Tells the other half.
    pub(super) fn tell_other_half(&mut self, call: &Call, news: LocalNews) {
        if let Some(other) = call.other_half {
            self.local_news.push_back((other, news));
        }
    }

    /// The other half tells something.
    pub(super) fn take_local_news(&mut self, to: ChannelId, news: LocalNews, now: Now) {
        self.with_call(to, now, |switch, call| {
            if call.is_down() || (call.is_up() && !matches!(news, LocalNews::Ends(_))) {
                return;
            }
            match news {
                LocalNews::Rings => {
                    call.phase = Phase::Ringing;
                    switch.tell_phase(call);
                    switch.tell_caller_it_rings(call);
                }
                LocalNews::Progresses => {
                    call.phase = Phase::EarlyMedia;
                    switch.tell_caller_it_progresses(call);
                }
                LocalNews::Answers => {
                    call.phase = Phase::Up;
                    call.answered = Some(now.instant);
                    switch.tell_phase(call);
                    switch.tell_caller_it_answered(call);
                }
                LocalNews::Ends(cause) => switch.end(call, cause, EndedBy::FarEnd, now),
            }
        });
    }
}

/// The stream between the halves.
fn loopback(remote: SocketAddr, flow: &sip::Flow) -> StreamSettings {
    let (audio, events) = (PayloadType::PCMU, PayloadType::TELEPHONE_EVENT);
    StreamSettings {
        remote: Some(remote),
        signalling_ip: flow.local.ip(),
        latching: Latching::SignalledOnly,
        codec: Codec::Pcmu,
        payload_type: audio,
        receive: [(audio, Codec::Pcmu)].into_iter().collect(),
        telephone_event: Some(events),
        telephone_event_receive: [events].into_iter().collect(),
        fast_events: Default::default(),
        comfort_noise: None,
        opus: OpusSettings::default(),
        direction: MediaDirection::SendReceive,
        inband_digits: InbandDigits::Ignore,
        idle_timeout: None,
        keepalive: None,
        rtcp: RtcpPath::Off,
    }
}

/// What a Local channel costs of the 70 hops of a call: channels that dial themselves end soon.
const LOCAL_HOPS: u8 = 8;
