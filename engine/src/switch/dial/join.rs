//! Bridge and BridgeAdd: a call talks with another one that is there already.
//!
//! Bridge gives the running call a Dial that is through with everything but the conversation, and
//! makes the other one its leg. That one leaves whatever it did, and goes on behind it afterwards if
//! it has a dialplan of its own. BridgeAdd is a guest among those who are connected.

use bstr::BStr;
use diesis_dialplan::operation::{self, BridgeResult, Options, Outcome};

use super::{
    super::{
        Switch,
        bridges::MemberKind,
        call::{Call, Control},
        plan::resume,
    },
    Limit, Stage,
    leg::OwnPlan,
    limit,
};
use crate::{
    channel::{Cause, ChannelId, OtherDigits, PlayRequest},
    clock::Now,
    media::MuteState,
    printable::Printable,
};

impl Switch {
    /// The application Bridge.
    pub(in super::super) fn bridge_with(
        &mut self,
        call: &mut Call,
        bridge: &operation::Bridge,
        now: Now,
    ) {
        let operation::Bridge { channel, options } = bridge;
        let other = match self.other_to_join(call, channel.as_ref()) {
            Ok(other) => other,
            Err(result) => return resume(call, Outcome::Bridged(result)),
        };
        if !options.has(b'n') && !call.is_up() && !self.pick_up(call, now) {
            return;
        }
        let after = if options.has(b'x') { OwnPlan::Ends } else { OwnPlan::GoesOn };
        if !self.take_away(other, call.id, after, now) {
            let channel = Printable(channel);
            tracing::warn!(call_id = %call.parties.call_id, %channel, "Bridge: the channel can not be had: it rings, or is over, or no dialplan has it");
            return resume(call, Outcome::Bridged(BridgeResult::Failure));
        }
        tracing::info!(call_id = %call.parties.call_id, other = %other, "bridged with another channel");
        self.link(call, other, now);
        let limit = Limit::begin(options, call, now.instant);
        if let Some(dialling) = &mut call.dialling {
            dialling.options = options.clone();
            if let Stage::Talking(_, of_call) = &mut dialling.stage {
                *of_call = limit;
            }
        }
        self.set_linked_keys(call, other, now);
        let (plays, name) = (options.has(b'p'), call.name.clone());
        self.with_call(other, now, |switch, other| {
            if let Some(pbx) = other.pbx_mut() {
                pbx.set_variable("BRIDGEPEER", &name);
            }
            if plays {
                let request =
                    PlayRequest { others: OtherDigits::Drop, ..PlayRequest::named([COURTESY]) };
                other.channel.play(request, None, now.instant, &mut switch.outbox);
            }
        });
        self.say_limit(call, other, options, now);
    }

    fn say_limit(&mut self, call: &mut Call, other: ChannelId, options: &Options, now: Now) {
        if !options.has(b'L') {
            return;
        }
        if let (Some(sound), hearers) = limit::connect_sound(call) {
            self.announce(call, other, &[sound], hearers, now);
        }
    }

    /// The application BridgeAdd.
    pub(in super::super) fn join_bridge_of(&mut self, call: &mut Call, channel: &BStr, now: Now) {
        let other = match self.other_to_join(call, channel) {
            Ok(other) => other,
            Err(result) => return resume(call, Outcome::Bridged(result)),
        };
        let bridged = self.calls.get(&other).and_then(|other| other.bridged);
        let Some(bridged) = bridged else {
            let channel = Printable(channel);
            tracing::info!(call_id = %call.parties.call_id, %channel, "BridgeAdd: the channel talks with nobody");
            return resume(call, Outcome::Bridged(BridgeResult::Failure));
        };
        if !call.is_up() && !self.pick_up(call, now) {
            return;
        }
        self.enter_bridge_as(call, bridged.bridge, MemberKind::Guest, MuteState::Open);
    }

    /// The call that one with a dialplan names in order to talk with it.
    fn other_to_join(&self, call: &Call, channel: &BStr) -> Result<ChannelId, BridgeResult> {
        let has_dialplan = matches!(call.control, Control::Dialplan(_)) && call.dialling.is_none();
        if !has_dialplan {
            tracing::warn!(call_id = %call.parties.call_id, "Bridge inside the subroutine of a Dial is not available");
            return Err(BridgeResult::Failure);
        }
        if let Some(other) = self.find_named(channel) {
            return Ok(other);
        }
        let channel_is_own = call.is_named(channel) || begins_with(call, channel);
        let channel = Printable(channel);
        if channel_is_own {
            tracing::warn!(call_id = %call.parties.call_id, %channel, "a channel can not be bridged with itself");
            return Err(BridgeResult::Loop);
        }
        tracing::info!(call_id = %call.parties.call_id, %channel, "there is no channel to be bridged with");
        Err(BridgeResult::Nonexistent)
    }

    /// Another call by its channel's name, its unique id, or what its name begins with.
    fn find_named(&self, channel: &BStr) -> Option<ChannelId> {
        let calls = || self.calls.values().filter(|call| !call.is_down() && !call.is_message());
        let exact = calls().filter(|call| call.is_named(channel)).map(|call| call.id).min();
        exact
            .or_else(|| calls().filter(|call| begins_with(call, channel)).map(|call| call.id).min())
    }

    /// Takes a call out of whatever it does and makes it a leg of somebody's Dial. Whether it could.
    fn take_away(&mut self, id: ChannelId, by: ChannelId, after: OwnPlan, now: Now) -> bool {
        let mut is_had = false;
        self.with_call(id, now, |switch, call| {
            let rings = !call.is_up() && !matches!(call.control, Control::Dialplan(_));
            let is_free = matches!(call.control, Control::Dialplan(_) | Control::Leg(_));
            if call.is_down() || rings || !is_free || !(call.is_up() || switch.pick_up(call, now)) {
                return;
            }
            switch.release(call, now);
            switch.originations.forget(call.id);
            switch.part_from_dial(call);
            match &mut call.control {
                Control::Leg(leg) => {
                    leg.be_taken(by);
                    is_had = true;
                }
                _ => {
                    is_had = switch.stand_in(call, Some(by));
                    if let Control::Leg(leg) = &mut call.control {
                        leg.own_plan = after;
                    }
                }
            }
        });
        is_had
    }

    /// Ends what a leg was taken for: one with a dialplan of its own goes on behind what it did before,
    /// any other one ends.
    pub(super) fn let_go(&mut self, leg: ChannelId, cause: Cause, now: Now) {
        let goes_on = self.calls.get(&leg).is_some_and(|leg| match &leg.control {
            Control::Leg(leg) => leg.own_plan == OwnPlan::GoesOn,
            _ => false,
        });
        if !goes_on {
            return self.end_bridged(leg, cause, now);
        }
        self.with_call(leg, now, |switch, call| {
            let Some(place) = call.pbx().map(|pbx| pbx.place()) else { return };
            let (context, extension) = (place.context.to_owned(), place.extension.to_owned());
            let priority = place.priority.saturating_add(1);
            switch.leave_dialler(call);
            switch.go_on_at(call, (&context, &extension, priority));
        });
    }
}

fn begins_with(call: &Call, channel: &BStr) -> bool {
    let start = call.name.get(..channel.len());
    !channel.is_empty() && start.is_some_and(|start| start.eq_ignore_ascii_case(channel))
}

/// What option p plays to the other one, as `xfersound` has it.
const COURTESY: &str = "beep";
