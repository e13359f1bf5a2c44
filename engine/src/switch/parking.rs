//! Parking lots: calls that wait in a slot until somebody takes them (`res_parking.conf`).

use std::{collections::HashMap, time::Instant};

use bstr::{BString, ByteSlice};
use diesis_dialplan::operation::{Destination, Dial, DialPlace, Options, Outcome, Park};

use super::{
    EndedBy, Switch, SwitchEvent,
    call::{Call, Control},
};
use crate::{
    channel::{Cause, ChannelId, OtherDigits, PlayRequest},
    clock::Now,
    config::ParkingLot,
    media::PlayItem,
    printable::Printable,
    sip::StatusCode,
};

/// Who is parked.
#[derive(Debug, Default)]
pub(super) struct Parking {
    parked: HashMap<ChannelId, Parked>,
    /// The slot that each lot gave last.
    last: HashMap<BString, u32>,
}

#[derive(Debug)]
struct Parked {
    lot: BString,
    slot: u32,
    /// Who parked it, as Dial has it: `PJSIP/alice`. `None`: it did so itself.
    parker: Option<BString>,
    comeback: Option<DialPlace>,
    rings: bool,
    until: Instant,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It hears its slot.
    Telling,
    Waiting,
}

impl Parking {
    /// The call is not parked any more.
    pub(super) fn forget(&mut self, call: ChannelId) {
        self.parked.remove(&call);
    }

    /// The slot of a call.
    pub(super) fn slot_of(&self, call: ChannelId) -> Option<u32> {
        self.parked.get(&call).map(|parked| parked.slot)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    fn find(&self, lot: &BString, slot: u32) -> Option<ChannelId> {
        let mut parked = self.parked.iter();
        parked.find(|(_, it)| it.lot == *lot && it.slot == slot).map(|(call, _)| *call)
    }

    /// A free slot.
    fn free(&self, lot: &ParkingLot, random: Option<u64>) -> Option<u32> {
        let (first, last) = (*lot.slots.start(), *lot.slots.end());
        let count = u64::from(last - first) + 1;
        let from = match (random, self.last.get(&lot.name)) {
            (Some(random), _) => random % count,
            (None, Some(given)) if lot.next_slot && lot.slots.contains(given) => {
                u64::from(given - first) + 1
            }
            (None, _) => 0,
        };
        let slots = (0..count).map(|nth| first + ((from + nth) % count) as u32);
        let mut free = slots.filter(|slot| self.find(&lot.name, *slot).is_none());
        free.next()
    }
}

impl Switch {
    /// The application Park.
    pub(super) fn park(&mut self, call: &mut Call, park: &Park, now: Now) {
        let wanted = park.lot.clone().or_else(|| {
            let own = call.pbx().map(|pbx| pbx.channel().parking_lot.clone());
            own.filter(|name| !name.is_empty())
        });
        let wanted = wanted.unwrap_or_else(|| "default".into());
        let lot = self.config.features.parking.iter().find(|lot| lot.name == wanted).cloned();
        let random = park.random.then(|| self.entropy.next_u64());
        let slot = lot.as_ref().and_then(|lot| self.parking.free(lot, random));
        let (Some(lot), Some(slot)) = (lot, slot) else {
            tracing::warn!(call_id = %call.parties.call_id, lot = %Printable(&wanted), "Park: there is no such lot, or no free slot");
            return fail(call);
        };
        if !call.is_up() && !self.pick_up(call, now) {
            return;
        }
        let parker = call.pbx().and_then(|pbx| pbx.variable("BLINDTRANSFER")).map(device);
        let parker = parker.filter(|parker| !parker.is_empty());
        let tells = !park.silent && parker.is_none();
        let time = park.timeout.unwrap_or(lot.time);
        let parked = Parked {
            lot: lot.name.clone(),
            slot,
            parker,
            comeback: park.comeback.clone(),
            rings: park.rings,
            until: now.instant + time,
            stage: if tells { Stage::Telling } else { Stage::Waiting },
        };
        self.parking.last.insert(lot.name.clone(), slot);
        self.parking.parked.insert(call.id, parked);
        if let Some(pbx) = call.pbx_mut() {
            pbx.set_variable("PARKINGSLOT", slot.to_string().as_bytes());
            pbx.set_variable("PARKEDLOT", &lot.name);
        }
        tracing::info!(call_id = %call.parties.call_id, channel = %call.name, lot = %lot.name, slot, "parked");
        self.tell(SwitchEvent::CallParked { call: call.id, lot: lot.name, slot });
        self.report_transfer(call.id, StatusCode::OK, now);
        if tells {
            self.say_slot(call, slot, now);
        } else {
            self.wait_parked(call, now);
        }
    }

    /// Tells a slot, digit by digit.
    pub(super) fn say_slot(&mut self, call: &mut Call, slot: u32, now: Now) {
        let digits = slot.to_string();
        let names = digits.chars().map(|digit| format!("digits/{digit}"));
        let request = PlayRequest {
            others: OtherDigits::Drop,
            ..PlayRequest::named(names.collect::<Vec<_>>())
        };
        call.channel.play(request, None, now.instant, &mut self.outbox);
    }

    fn wait_parked(&mut self, call: &mut Call, now: Now) {
        let Some(parked) = self.parking.parked.get_mut(&call.id) else { return };
        parked.stage = Stage::Waiting;
        let (left, rings) = (parked.until.saturating_duration_since(now.instant), parked.rings);
        let lot = self.config.features.parking.iter().find(|lot| lot.name == parked.lot);
        let music = lot.and_then(|lot| lot.music.clone());
        call.channel.wait(left, OtherDigits::Drop, now.instant, &mut self.outbox);
        match self.tones.named("ring".into()).filter(|_| rings) {
            Some(tone) => call.channel.play_in_background(PlayItem::Tone(tone), &mut self.outbox),
            None => self.start_music(call, music),
        }
    }

    /// What a parked call heard, or its waiting, is over. Whether the call is parked.
    pub(super) fn take_parked_outcome(&mut self, call: &mut Call, now: Now) -> bool {
        let Some(parked) = self.parking.parked.get(&call.id) else { return false };
        match parked.stage {
            Stage::Telling => self.wait_parked(call, now),
            Stage::Waiting => self.come_back_from_lot(call, now),
        }
        true
    }

    /// Nobody took the call.
    fn come_back_from_lot(&mut self, call: &mut Call, now: Now) {
        let Some(parked) = self.parking.parked.remove(&call.id) else { return };
        let Parked { lot, slot, parker, comeback, .. } = parked;
        tracing::info!(call_id = %call.parties.call_id, channel = %call.name, %lot, slot, "nobody took a parked call");
        self.stop_waiting(call);
        let flat: BString = parker.clone().unwrap_or_default().replace("/", "_").into();
        if let Some(pbx) = call.pbx_mut() {
            pbx.set_variable("PARKER", parker.as_deref().map_or(&b""[..], |parker| parker));
            pbx.set_variable("PARKER_FLAT", &flat);
        }
        if let Some(place) = comeback {
            return self.come_back_at(call, &place, now);
        }
        let Some(parker) = parker else {
            // Who parked itself goes on behind the Park.
            if let Some(pbx) = call.pbx_mut() {
                pbx.handle_outcome(Outcome::TimedOut);
            }
            return;
        };
        let lots = &self.config.features.parking;
        let Some(lot) = lots.iter().find(|it| it.name == lot).cloned() else { return fail(call) };
        if lot.comes_back_to_origin {
            let (technology, resource) = parker.split_once_str("/").unwrap_or_default();
            let destination =
                Destination { technology: technology.into(), resource: resource.into() };
            let dial = Dial {
                destinations: vec![destination],
                timeout: Some(lot.comeback_time),
                options: Options::default(),
            };
            return self.dial_on(call, &dial, now);
        }
        let context = lot.comeback_context;
        let named = [flat, "s".into()];
        let there = named
            .into_iter()
            .find(|extension| self.has_place(call, context.as_ref(), extension.as_ref(), now));
        match there {
            Some(extension) => self.go_on_at(call, (&context, &extension, 1)),
            None => {
                let context = Printable(&context);
                tracing::warn!(call_id = %call.parties.call_id, %context, "a parked call has nowhere to come back to");
                self.end(call, Cause::NO_ANSWER, EndedBy::Us, now);
            }
        }
    }

    fn come_back_at(&mut self, call: &mut Call, place: &DialPlace, now: Now) {
        let here = call.pbx().map(|pbx| pbx.place());
        let here = here.map(|it| (it.context.to_owned(), it.extension.to_owned()));
        let (context, extension) = here.unwrap_or_default();
        let context = place.context.clone().unwrap_or(context);
        let extension = place.extension.clone().unwrap_or(extension);
        let priority = place.priority.to_str().ok().and_then(|text| text.trim().parse().ok());
        match priority {
            Some(priority) => self.go_on_at(call, (&context, &extension, priority)),
            None => {
                tracing::warn!(call_id = %call.parties.call_id, "Park: option c needs a priority that is a number");
                self.end(call, Cause::NORMAL_CLEARING, EndedBy::Us, now);
            }
        }
    }

    /// The application ParkedCall.
    pub(super) fn take_parked(
        &mut self,
        call: &mut Call,
        lot: Option<&BString>,
        slot: Option<&BString>,
        now: Now,
    ) {
        let default = BString::from("default");
        let lot = lot.unwrap_or(&default);
        let parked = match slot {
            Some(slot) => {
                let number = slot.to_str().ok().and_then(|slot| slot.trim().parse().ok());
                number.and_then(|slot| self.parking.find(lot, slot))
            }
            None => {
                let parked = self.parking.parked.iter().filter(|(_, it)| it.lot == *lot);
                parked.min_by_key(|(_, it)| it.slot).map(|(call, _)| *call)
            }
        };
        let parked = parked.filter(|id| self.calls.get(id).is_some_and(|call| call.is_up()));
        if !call.is_up() && !self.pick_up(call, now) {
            return;
        }
        let Some(parked) = parked else {
            tracing::info!(call_id = %call.parties.call_id, lot = %Printable(lot), "ParkedCall: nobody is parked there");
            let names = ["pbx-invalidpark"];
            let others = OtherDigits::Drop;
            let request = PlayRequest { others, ..PlayRequest::named(names) };
            return call.channel.play(request, None, now.instant, &mut self.outbox);
        };
        self.parking.forget(parked);
        self.with_call(parked, now, |switch, parked| {
            switch.stop_waiting(parked);
            switch.stand_in(parked, None);
        });
        self.link(call, parked, now);
    }

    fn stop_waiting(&mut self, call: &mut Call) {
        call.channel.stop(&mut self.outbox);
        call.channel.stop_background(&mut self.outbox);
        call.channel.stop_music(&mut self.outbox);
    }

    /// One of two who talk asked by keys to park the other.
    pub(super) fn park_by_keys(&mut self, call: &mut Call, now: Now) {
        let named = call.pbx().map(|pbx| pbx.channel().parking_lot.clone());
        let named = named.filter(|name| !name.is_empty()).unwrap_or_else(|| "default".into());
        let lot = self.config.features.parking.iter().find(|lot| lot.name == named).cloned();
        let (Some(lot), Some(partner)) = (lot, self.partner(call)) else {
            tracing::warn!(call_id = %call.parties.call_id, lot = %Printable(&named), "nobody can be parked there");
            return;
        };
        let place = (lot.context, lot.extension);
        let can_park = self.calls.get(&partner).is_some_and(|partner| {
            self.has_place(partner, place.0.as_ref(), place.1.as_ref(), now)
        });
        if !can_park {
            tracing::warn!(call_id = %call.parties.call_id, lot = %Printable(&named), "the parking lot has no extension (parkext): nobody is parked");
            return;
        }
        let name = call.name.clone();
        self.tell(SwitchEvent::CallTransferred { call: partner, by: call.id, to: place.1.clone() });
        self.part_to_leave(call);
        self.with_call(partner, now, |switch, partner| {
            switch.go_on_at(partner, (&place.0, &place.1, 1));
            if let Some(pbx) = partner.pbx_mut() {
                pbx.set_variable("BLINDTRANSFER", &name);
            }
        });
        self.leave_with_slot(call, partner, now);
    }
}

/// What can not be parked is hung up by its dialplan.
fn fail(call: &mut Call) {
    if let Control::Dialplan(pbx) = &mut call.control {
        pbx.handle_outcome(Outcome::Failed);
    }
}

/// `PJSIP/alice` of `PJSIP/alice-0000002a`.
fn device(channel: &bstr::BStr) -> BString {
    let end = channel.rfind_byte(b'-').unwrap_or(channel.len());
    channel[..end].into()
}
