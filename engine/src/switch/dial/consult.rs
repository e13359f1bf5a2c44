//! Transfers by keys: where to is typed while the partner hears music; then the partner goes there,
//! or whoever is there is asked first.
//!
//! Whoever transfers keeps its Dial, or stays a leg, until the transfer is done: until then it may
//! come back. One who hangs up while it asks has transferred; while it still rings there, the
//! partner goes there without being announced.

use std::time::Duration;

use bstr::{BString, ByteSlice};
use diesis_dialplan::{
    operation::Options,
    plan::{Circumstances, Target},
};

use super::{
    super::{
        BridgeId, EndedBy, Switch, SwitchEvent,
        call::{Call, Control},
        features::{Feature, KeyCollector},
    },
    What,
};
use crate::{
    channel::{Cause, ChannelId, DigitSet, MissingPrompt, OtherDigits, PlayRequest, TaskOutcome},
    clock::Now,
    media::PlayItem,
};

/// Somebody who transfers by keys and is not through with it.
#[derive(Debug)]
pub(in super::super) struct Asking {
    partner: ChannelId,
    /// The bridge that the partner is in.
    home: Option<BridgeId>,
    /// What it may ask for by keys once it is back.
    keys: KeyCollector,
    kind: Feature,
    /// Where numbers are looked up.
    context: BString,
    typed: BString,
    attempts: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It hears that it may type.
    Announcing,
    Typing,
    /// It hears that it did not work, and goes back to its partner.
    Failing,
    /// It hears where its partner is parked, and is hung up.
    Leaving,
    /// It rings there.
    Calling(ChannelId),
    /// Whoever was asked talks to the one who asks.
    Talking(ChannelId, BridgeId),
}

/// What a number comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Whole,
    /// It may go on.
    Whether {
        exists: bool,
    },
    Nobody,
}

impl Asking {
    fn consulted(&self) -> Option<ChannelId> {
        match self.stage {
            Stage::Calling(leg) | Stage::Talking(leg, _) => Some(leg),
            Stage::Announcing | Stage::Typing | Stage::Failing | Stage::Leaving => None,
        }
    }
}

impl Switch {
    /// One of two who talk asked by keys to send the other elsewhere.
    pub(in super::super) fn begin_asking(&mut self, call: &mut Call, kind: Feature, now: Now) {
        let (Some(partner), Some(bridged)) = (self.partner(call), call.bridged) else {
            tracing::info!(call_id = %call.parties.call_id, "nobody is there to be transferred");
            return;
        };
        let asking = Asking {
            partner,
            home: Some(bridged.bridge),
            keys: std::mem::take(&mut call.keys),
            kind,
            context: self.key_context(call),
            typed: BString::default(),
            attempts: self.config.features.transfer_attempts,
            stage: Stage::Announcing,
        };
        self.leave_bridge(call);
        // The code is no part of the number.
        call.channel.forget_digits();
        let music = self.music_suggested_by(call);
        self.with_call(partner, now, |switch, partner| {
            switch.start_suggested_music(partner, music);
        });
        self.transfers.asking.insert(call.id, Box::new(asking));
        let announcement = self.config.features.transfer_announcement.clone();
        self.say(call, announcement, DigitSet::ALL, now);
    }

    /// The keys of one who has somebody else on the line while its partner waits.
    pub(in super::super) fn take_consult_feature(
        &mut self,
        call: &mut Call,
        feature: Feature,
        now: Now,
    ) {
        let Some(asking) = self.transfers.asking.get(&call.id) else { return };
        let (stage, partner, home) = (asking.stage, asking.partner, asking.home);
        match (feature, stage) {
            (Feature::AbortTransfer, Stage::Calling(leg) | Stage::Talking(leg, _)) => {
                self.come_back(call, now);
                self.end_bridged(leg, Cause::NORMAL_CLEARING, now);
            }
            (Feature::CompleteTransfer, Stage::Talking(..)) => {
                self.finish_asking(call, now);
                self.dismiss_transferrer(call, now);
            }
            (Feature::SwapTransfer, Stage::Talking(leg, bridge)) => {
                let (to, waits) = match call.bridged {
                    Some(bridged) if bridged.bridge == bridge => (home.unwrap_or(bridge), leg),
                    _ => (bridge, partner),
                };
                let keys = std::mem::take(&mut call.keys);
                self.enter_bridge(call, to);
                call.keys = keys;
                let talks = if waits == leg { partner } else { leg };
                let music = self.music_suggested_by(call);
                self.with_call(waits, now, |switch, waits| {
                    switch.start_suggested_music(waits, music);
                });
                self.with_call(talks, now, |switch, it| it.channel.stop_music(&mut switch.outbox));
            }
            _ => {}
        }
    }

    /// What came of what one who transfers hears or types. Whether it was one.
    pub(in super::super) fn take_asking_outcome(
        &mut self,
        call: &mut Call,
        outcome: &TaskOutcome,
        now: Now,
    ) -> bool {
        let Some(asking) = self.transfers.asking.get_mut(&call.id) else { return false };
        match asking.stage {
            Stage::Announcing => asking.stage = Stage::Typing,
            Stage::Typing => {}
            Stage::Failing => {
                self.come_back(call, now);
                return true;
            }
            Stage::Calling(_) | Stage::Talking(..) => return true,
            Stage::Leaving => {
                self.transfers.asking.remove(&call.id);
                self.detach(call, now);
                self.dismiss_transferrer(call, now);
                return true;
            }
        }
        let is_late = match outcome {
            TaskOutcome::Digit(digit) if digit.as_char() == '#' && !asking.typed.is_empty() => true,
            TaskOutcome::Digit(digit) => {
                asking.typed.push(digit.as_char() as u8);
                asking.typed.len() >= MOST_DIGITS
            }
            TaskOutcome::TimedOut => true,
            // The announcement is over, or is not there.
            _ => {
                self.await_digit(call, now);
                return true;
            }
        };
        let (context, typed) = (asking.context.clone(), asking.typed.clone());
        let partner = asking.partner;
        match self.number(partner, &context, &typed, now) {
            Number::Whole => self.go_there(call, now),
            Number::Whether { exists: true } if is_late => self.go_there(call, now),
            Number::Whether { .. } if !is_late => self.await_digit(call, now),
            Number::Whether { .. } | Number::Nobody => self.try_again(call, now),
        }
        true
    }

    fn await_digit(&mut self, call: &mut Call, now: Now) {
        let timeout = self.config.features.transfer_digit_timeout;
        call.channel.wait_digit(Some(timeout), now.instant, &mut self.outbox);
    }

    /// The number was none: another attempt, or back to the partner.
    fn try_again(&mut self, call: &mut Call, now: Now) {
        let features = &self.config.features;
        let sounds = [
            features.transfer_fail_sound.clone(),
            features.transfer_retry_sound.clone(),
            features.transfer_invalid_sound.clone(),
        ];
        let [nothing, retry, invalid] = sounds;
        let Some(asking) = self.transfers.asking.get_mut(&call.id) else { return };
        asking.attempts = asking.attempts.saturating_sub(1);
        if asking.typed.is_empty() {
            asking.stage = Stage::Failing;
            self.say(call, nothing, DigitSet::NONE, now);
        } else if asking.attempts == 0 {
            asking.stage = Stage::Failing;
            self.say(call, invalid, DigitSet::NONE, now);
        } else {
            asking.typed.clear();
            asking.stage = Stage::Announcing;
            self.say(call, retry, DigitSet::ALL, now);
        }
    }

    fn number(&self, partner: ChannelId, context: &BString, typed: &BString, now: Now) -> Number {
        let Some(partner) = self.calls.get(&partner) else { return Number::Nobody };
        let exists =
            !typed.is_empty() && self.has_place(partner, context.as_ref(), typed.as_ref(), now);
        let circumstances = Circumstances {
            caller: Some(partner.parties.caller_number.as_ref()),
            now: now.wall,
            zone: self.config.time_zone.clone(),
        };
        let plan = &self.config.plan;
        let more = plan.context(context).is_some_and(|context| {
            plan.match_more(context, typed.as_bstr(), Target::Priority(1), &circumstances)
        });
        match (exists, more) {
            (true, false) => Number::Whole,
            (exists, true) => Number::Whether { exists },
            (false, false) => Number::Nobody,
        }
    }

    /// The number is whole.
    fn go_there(&mut self, call: &mut Call, now: Now) {
        let Some(asking) = self.transfers.asking.get(&call.id) else { return };
        let (partner, kind) = (asking.partner, asking.kind);
        let (context, typed) = (asking.context.clone(), asking.typed.clone());
        if kind == Feature::AttendedTransfer {
            return self.consult(call, &context, &typed, now);
        }
        self.transfers.asking.remove(&call.id);
        let place = (context.as_ref(), typed.as_ref());
        self.send_partner_to(call, partner, place, None, now);
    }

    /// Calls whoever is to be asked.
    fn consult(&mut self, call: &mut Call, context: &BString, typed: &BString, now: Now) {
        let mut resource = typed.clone();
        resource.push(b'@');
        resource.extend_from_slice(context);
        let patience = self.config.features.consult_timeout;
        let half = self.prepare_local(&call.as_caller(), resource.as_ref(), patience, now);
        let Ok(half) = half else { return self.fail_consult(call, now) };
        let leg = half.id;
        if let Some(asking) = self.transfers.asking.get_mut(&call.id) {
            asking.stage = Stage::Calling(leg);
        }
        call.keys = KeyCollector::new(&CONSULT_KEYS, &self.config.features);
        if let Some(tone) = self.tones.named("ring".into()) {
            call.channel.play_in_background(PlayItem::Tone(tone), &mut self.outbox);
        }
        self.place_leg(&call.as_caller(), half, &resource, &Options::default(), now);
    }

    /// Whether a call belongs to one who asks it, so that its news are none of a Dial.
    pub(super) fn is_consulted(&self, by: ChannelId, leg: ChannelId) -> bool {
        let asking = self.transfers.asking.get(&by);
        asking.and_then(|asking| asking.consulted()) == Some(leg)
    }

    /// News of the one who is asked.
    pub(super) fn take_consult_news(
        &mut self,
        by: ChannelId,
        leg: ChannelId,
        what: What,
        now: Now,
    ) {
        self.with_call(by, now, |switch, call| {
            let Some(asking) = switch.transfers.asking.get(&call.id) else { return };
            match (what, asking.stage) {
                (What::Answers, Stage::Calling(_)) => {
                    let bridge = switch.open_bridge();
                    if let Some(asking) = switch.transfers.asking.get_mut(&call.id) {
                        asking.stage = Stage::Talking(leg, bridge);
                    }
                    call.channel.stop_background(&mut switch.outbox);
                    let keys = std::mem::take(&mut call.keys);
                    switch.enter_bridge(call, bridge);
                    call.keys = keys;
                    switch.with_call(leg, now, |switch, leg| switch.enter_bridge(leg, bridge));
                    switch.tell(SwitchEvent::DialAnswered { call: call.id, leg });
                }
                (What::Ends(_), Stage::Calling(_)) => switch.fail_consult(call, now),
                (What::Ends(_), _) => switch.come_back(call, now),
                _ => {}
            }
        });
    }

    fn fail_consult(&mut self, call: &mut Call, now: Now) {
        call.channel.stop_background(&mut self.outbox);
        call.keys = KeyCollector::default();
        if let Some(asking) = self.transfers.asking.get_mut(&call.id) {
            asking.stage = Stage::Failing;
        }
        let sound = self.config.features.transfer_fail_sound.clone();
        self.say(call, sound, DigitSet::NONE, now);
    }

    /// Back to the partner.
    fn come_back(&mut self, call: &mut Call, now: Now) {
        let Some(asking) = self.transfers.asking.remove(&call.id) else { return };
        call.channel.stop(&mut self.outbox);
        call.channel.stop_background(&mut self.outbox);
        self.with_call(asking.partner, now, |switch, partner| {
            partner.channel.stop_music(&mut switch.outbox);
        });
        if let Some(home) = asking.home {
            self.enter_bridge(call, home);
        }
        call.keys = asking.keys;
    }

    /// One who transfers leaves, or is told that the transfer is to be completed: the partner is
    /// connected with whoever was asked, or goes where it still rings.
    pub(in super::super) fn finish_asking(&mut self, call: &mut Call, now: Now) {
        let Some(asking) = self.transfers.asking.remove(&call.id) else { return };
        let Asking { partner, stage, context, typed, .. } = *asking;
        let is_there = self.calls.get(&partner).is_some_and(|partner| partner.is_up());
        let name = call.name.clone();
        match stage {
            Stage::Talking(leg, _) if is_there => {
                let to = self.calls.get(&leg).map(|leg| leg.name.clone()).unwrap_or_default();
                self.tell(SwitchEvent::CallTransferred { call: partner, by: call.id, to });
                self.with_call(partner, now, |switch, partner| {
                    if let Some(pbx) = partner.pbx_mut() {
                        pbx.set_variable("ATTENDEDTRANSFER", &name);
                    }
                    switch.link(partner, leg, now);
                });
                self.detach(call, now);
            }
            Stage::Calling(leg) if is_there => {
                let by = call.id;
                self.tell(SwitchEvent::CallTransferred { call: partner, by, to: typed.clone() });
                self.detach(call, now);
                self.end_bridged(leg, Cause::NORMAL_CLEARING, now);
                self.with_call(partner, now, |switch, partner| {
                    partner.max_forwards = partner.max_forwards.saturating_sub(1);
                    switch.go_on_at(partner, (&context, &typed, 1));
                    if let Some(pbx) = partner.pbx_mut() {
                        pbx.set_variable("BLINDTRANSFER", &name);
                    }
                });
            }
            Stage::Calling(leg) | Stage::Talking(leg, _) => {
                self.end_bridged(leg, Cause::NORMAL_CLEARING, now);
            }
            Stage::Leaving => {}
            Stage::Announcing | Stage::Typing | Stage::Failing => {
                self.with_call(partner, now, |switch, partner| {
                    partner.channel.stop_music(&mut switch.outbox);
                });
            }
        }
    }

    /// The partner of one who asks hung up: whoever is asked already talks to the one who asks.
    /// Whether there is somebody.
    pub(super) fn stay_with_consulted(&mut self, call: &mut Call, now: Now) -> bool {
        let Some(asking) = self.transfers.asking.get(&call.id) else { return false };
        let Stage::Talking(leg, bridge) = asking.stage else { return false };
        self.transfers.asking.remove(&call.id);
        if call.bridged.is_none_or(|bridged| bridged.bridge != bridge) {
            self.enter_bridge(call, bridge);
        }
        self.link(call, leg, now);
        true
    }

    /// One who asks ends with its own Dial.
    pub(super) fn stop_asking(&mut self, call: &mut Call, now: Now) {
        let Some(asking) = self.transfers.asking.remove(&call.id) else { return };
        if let Some(leg) = asking.consulted() {
            self.end_bridged(leg, Cause::NORMAL_CLEARING, now);
        }
        call.channel.stop(&mut self.outbox);
        call.channel.stop_background(&mut self.outbox);
    }

    /// Parts a call from its partner, who goes elsewhere, before it is told where.
    pub(in super::super) fn part_to_leave(&mut self, call: &mut Call) {
        if let Some(dialling) = &mut call.dialling {
            dialling.legs.clear();
        }
        call.forget_dialler();
        self.leave_bridge(call);
        call.channel.forget_digits();
    }

    /// Tells a call in which slot its partner is, and hangs it up.
    pub(in super::super) fn leave_with_slot(
        &mut self,
        call: &mut Call,
        partner: ChannelId,
        now: Now,
    ) {
        let asking = Asking {
            partner,
            home: None,
            keys: KeyCollector::default(),
            kind: Feature::Park,
            context: BString::default(),
            typed: BString::default(),
            attempts: 0,
            stage: Stage::Leaving,
        };
        self.transfers.asking.insert(call.id, Box::new(asking));
        match self.parking.slot_of(partner) {
            Some(slot) => self.say_slot(call, slot, now),
            None => {
                call.channel.wait(Duration::ZERO, OtherDigits::Drop, now.instant, &mut self.outbox)
            }
        }
    }

    /// Takes a call that is ending out of what connects it with its partner.
    fn detach(&mut self, call: &mut Call, now: Now) {
        if let Some(dialling) = call.dialling.take() {
            let (status, cause) = (super::DialStatus::Answer, Cause::NORMAL_CLEARING);
            let result = super::result(&dialling, status, cause, now);
            let ended_by = super::DialEnd::Caller;
            self.finish(call, super::DialResult { ended_by, ..result }, cause, now);
        }
        call.forget_dialler();
    }

    /// The transfer was completed by keys: who did that is not needed any more.
    fn dismiss_transferrer(&mut self, call: &mut Call, now: Now) {
        if matches!(call.control, Control::Leg(_)) {
            self.end(call, Cause::NORMAL_CLEARING, EndedBy::Us, now);
        }
    }

    /// Where one who transfers by keys means its numbers: TRANSFER_CONTEXT, its dialplan's context,
    /// or its endpoint's.
    fn key_context(&self, call: &Call) -> BString {
        let named = call.pbx().and_then(|pbx| pbx.variable("TRANSFER_CONTEXT"));
        if let Some(context) = named.filter(|context| !context.is_empty()) {
            return context.to_owned();
        }
        let peer = self.peer_of(call);
        match (&call.control, peer) {
            (Control::Leg(_), Some(peer)) => peer.context.clone(),
            _ => call.pbx().map(|pbx| pbx.place().context.to_owned()).unwrap_or_default(),
        }
    }

    fn say(&mut self, call: &mut Call, sound: BString, stop: DigitSet, now: Now) {
        let names = if sound.is_empty() { vec![] } else { vec![sound] };
        let (others, missing) = (OtherDigits::Drop, MissingPrompt::Skip);
        let request = PlayRequest { stop, others, missing, ..PlayRequest::named(names) };
        call.channel.play(request, None, now.instant, &mut self.outbox);
    }
}

/// What a number may have.
const MOST_DIGITS: usize = 80;

/// What may be asked for while somebody is asked.
const CONSULT_KEYS: [Feature; 3] =
    [Feature::AbortTransfer, Feature::CompleteTransfer, Feature::SwapTransfer];
