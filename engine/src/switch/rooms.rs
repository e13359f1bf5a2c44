//! Conference rooms and calls: entering, leaving, and what follows for the others.

use bstr::{BStr, BString};

use super::{
    Switch, SwitchEvent,
    call::{Call, Control},
    menus::Menu,
};
use crate::{
    bridge::{KickReason, MixedAs, RoomEffect, Surroundings, Visit},
    clock::Now,
    config::{BridgeProfile, MenuProfile, ProfileError, UserProfile},
    media::{Command as MediaCommand, MuteState, Talk, TalkDetection},
    presence::Device,
    printable::Printable,
};

impl Switch {
    /// Brings a call to the door of a room; what comes of it follows as the visit's progress.
    pub(super) fn visit_room(
        &mut self,
        call: &mut Call,
        room: BString,
        bridge_profile: Option<&BStr>,
        user_profile: Option<&BStr>,
        menu: Option<&BStr>,
        now: Now,
    ) -> Result<(), ProfileError> {
        let profiles = std::sync::Arc::clone(&self.config.conferences);
        let chosen = call.pbx().map(|pbx| &pbx.channel().settings);
        let chosen = |kind: &'static str| {
            chosen.into_iter().flatten().filter_map(move |(name, value)| {
                let option = name.strip_prefix(b"CONFBRIDGE(")?.strip_prefix(kind.as_bytes())?;
                let option = option.strip_prefix(b",")?.strip_suffix(b")")?;
                Some((BStr::new(option), value.as_ref()))
            })
        };
        let bridge = profiles.bridge(bridge_profile, chosen("bridge"))?;
        let user = profiles.user(user_profile, chosen("user"))?;
        let menu = profiles.menu(menu, chosen("menu"))?;
        call.seat = None;
        self.enter_room(call, room, (bridge, user, menu), now);
        Ok(())
    }

    /// The same with what it is treated by.
    pub(super) fn enter_room(
        &mut self,
        call: &mut Call,
        room: BString,
        (bridge, user, menu): (BridgeProfile, UserProfile, MenuProfile),
        now: Now,
    ) {
        call.menu = Some(Box::new(Menu::new(menu, self.config.features.digit_timeout)));
        let (visit, progress) = Visit::begin(
            room,
            bridge,
            user,
            call.id,
            &mut Surroundings {
                channel: &mut call.channel,
                rooms: &mut self.rooms,
                out: &mut self.outbox,
                now: now.instant,
            },
        );
        call.visit = Some(Box::new(visit));
        self.visited(call, progress, now);
    }

    /// Takes the call out of its room, if it is in one.
    pub(super) fn leave_room(&mut self, call: &mut Call) {
        self.unseated(call, self.worked_at);
        let Some(departure) = self.rooms.leave(call.id) else { return };
        call.channel.leave(&mut self.outbox);
        if departure.heard_music {
            call.channel.stop_music(&mut self.outbox);
        }
        let (room, members) = (departure.room, departure.members);
        tracing::info!(call_id = %call.parties.call_id, room = %Printable(&room), members, "left conference");
        self.devices.touch(Device::Conference(room.clone()));
        self.tell(SwitchEvent::RoomLeft { call: call.id, room, members });
        self.room_effects.extend(departure.effects);
    }

    /// Carries out an effect that concerns `call` at once, and keeps any other for later: another
    /// call can not be reached while this one has its turn.
    pub(super) fn apply_to_self_or_queue(&mut self, call: &mut Call, effect: RoomEffect, now: Now) {
        match effect.member() {
            Some(channel) if channel == call.id && !matches!(effect, RoomEffect::Kick { .. }) => {
                self.apply_to_member(call, effect, now);
            }
            _ => self.room_effects.push_back(effect),
        }
    }

    /// Carries out an effect.
    pub(super) fn apply_room_effect(&mut self, effect: RoomEffect, now: Now) {
        match effect {
            RoomEffect::Say { room, shard, what } => self.announce_to_room(room, shard, what),
            RoomEffect::Record { room, shard, name, how } => {
                self.record_room((room, shard), &name, &how, now);
            }
            RoomEffect::EndRecord { room } => self.end_room_recording(room),
            RoomEffect::Kick { channel, reason } => self.with_call(channel, now, |switch, call| {
                // It may have left by itself meanwhile.
                let Some(mut visit) = call.visit.take() else { return };
                if visit.leaves_later(reason) {
                    call.visit = Some(visit);
                    return;
                }
                switch.leave_room(call);
                call.menu = None;
                call.channel.stop(&mut switch.outbox);
                visit.handle_kick(
                    reason,
                    &mut Surroundings {
                        channel: &mut call.channel,
                        rooms: &mut switch.rooms,
                        out: &mut switch.outbox,
                        now: now.instant,
                    },
                );
                call.visit = Some(visit);
            }),
            effect => {
                let Some(channel) = effect.member() else { return };
                self.with_call(channel, now, |switch, call| {
                    switch.apply_to_member(call, effect, now);
                });
            }
        }
    }

    fn apply_to_member(&mut self, call: &mut Call, effect: RoomEffect, now: Now) {
        match effect {
            RoomEffect::Mix { room, shard, how, .. } => {
                let MixedAs { muted, talk, rate } = how;
                let mute = if muted { MuteState::Muted } else { MuteState::Open };
                let talk = match talk.events || talk.drops_silence {
                    true => TalkDetection::By(talk),
                    false => TalkDetection::Off,
                };
                call.channel.join(room, shard, mute, talk, &mut self.outbox);
                self.outbox.command(shard, MediaCommand::ShapeRoom { room, rate });
                self.follow_volume(call);
                self.follow_stream(call);
            }
            RoomEffect::Unmix { .. } => call.channel.leave(&mut self.outbox),
            RoomEffect::Mute { muted, .. } => {
                self.follow_mute(call);
                self.tell_muted(call, muted);
            }
            RoomEffect::Tell { prompts, .. } => self.tell_in_room(call, prompts, now),
            RoomEffect::Music { class, .. } => self.start_music(call, class),
            RoomEffect::EndMusic { .. } => call.channel.stop_music(&mut self.outbox),
            RoomEffect::PassKey { digit, source, .. } => {
                call.channel.pass_digit(digit, source, &mut self.outbox);
            }
            RoomEffect::Say { .. }
            | RoomEffect::Kick { .. }
            | RoomEffect::Record { .. }
            | RoomEffect::EndRecord { .. } => {}
        }
    }

    /// Takes a member out of the mix to run the dialplan elsewhere; whether there is such a place.
    pub(super) fn step_out(&mut self, call: &mut Call, place: &BStr, now: Now) -> bool {
        if !matches!(call.control, Control::Dialplan(_)) || call.visit.is_none() {
            return false;
        }
        if !self.start_subroutine(call, place, now) {
            let place = Printable(place);
            tracing::warn!(call_id = %call.parties.call_id, %place, "dialplan_exec: there is no such place");
            return false;
        }
        call.channel.stop(&mut self.outbox);
        for effect in self.rooms.step_out(call.id) {
            self.apply_to_self_or_queue(call, effect, now);
        }
        if let Some(visit) = &mut call.visit {
            visit.step_out();
        }
        true
    }

    /// What a member did elsewhere is over; whether there was any.
    pub(super) fn step_back(&mut self, call: &mut Call, now: Now) -> bool {
        let Some(visit) = call.visit.as_mut().filter(|visit| visit.is_away()) else { return false };
        let leaves = visit.step_back();
        call.channel.stop(&mut self.outbox);
        if let Some(reason) = leaves {
            self.room_effects.push_back(RoomEffect::Kick { channel: call.id, reason });
            return true;
        }
        for effect in self.rooms.step_back(call.id) {
            self.apply_to_self_or_queue(call, effect, now);
        }
        true
    }

    /// Lets the others hear a member as the room has it.
    pub(super) fn follow_mute(&mut self, call: &Call) {
        let Some(muted) = self.rooms.is_muted(call.id) else { return };
        let mute = if muted { MuteState::Muted } else { MuteState::Open };
        call.channel.mute(mute, &mut self.outbox);
    }

    /// Tells of a member that it is heard or not.
    pub(super) fn tell_muted(&mut self, call: &Call, is_muted: bool) {
        let Some(room) = self.rooms.name_of(call.id).map(ToOwned::to_owned) else { return };
        self.tell(SwitchEvent::RoomMuted { call: call.id, room, is_muted });
    }

    /// Somebody in a room begins to talk, or stops.
    pub(super) fn tell_talking(&mut self, call: &Call, talk: Talk) {
        let Some(room) = self.rooms.name_of(call.id).map(ToOwned::to_owned) else { return };
        self.tell(SwitchEvent::RoomTalking { call: call.id, room, talk });
    }

    /// Sends a member away whose time is up.
    pub(super) fn end_visit_if_late(&mut self, call: &mut Call, now: Now) {
        if call.visit.as_mut().is_some_and(|visit| visit.is_late(now.instant)) {
            let reason = KickReason::TimeIsUp;
            self.room_effects.push_back(RoomEffect::Kick { channel: call.id, reason });
        }
    }

    /// The stream may have moved to another shard: counts it there.
    pub(super) fn follow_stream(&mut self, call: &mut Call) {
        if let (Some(was), Some(is)) = (call.opened, call.channel.stream())
            && was.0 != is.0
        {
            self.ports.count_out(was.0);
            self.ports.count_in(is.0);
            call.opened = Some(is);
        }
    }
}
