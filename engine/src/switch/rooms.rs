//! Conference rooms and calls: entering, leaving, and what follows for the others.

use bstr::{BStr, BString};

use super::{Switch, SwitchEvent, call::Call, menus::Menu};
use crate::{
    bridge::{RoomEffect, Surroundings, Visit},
    channel::Asker,
    clock::Now,
    config::{DEFAULT_BRIDGE, DEFAULT_MENU, DEFAULT_USER},
    media::MuteState,
    presence::Device,
    printable::Printable,
};

/// A profile that `confbridge.conf` does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProfileError {
    /// No `type=bridge` section of that name.
    #[error("there is no bridge profile {0:?}")]
    Bridge(BString),
    /// No `type=user` section of that name.
    #[error("there is no user profile {0:?}")]
    User(BString),
    /// No `type=menu` section of that name.
    #[error("there is no menu {0:?}")]
    Menu(BString),
}

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
        let conferences = std::sync::Arc::clone(&self.config.conferences);
        let bridge = bridge_profile.unwrap_or_else(|| DEFAULT_BRIDGE.into());
        let user = user_profile.unwrap_or_else(|| DEFAULT_USER.into());
        let bridge =
            conferences.bridges.get(bridge).ok_or_else(|| ProfileError::Bridge(bridge.into()))?;
        let user = conferences.users.get(user).ok_or_else(|| ProfileError::User(user.into()))?;
        let menu = match menu.filter(|name| !name.is_empty()) {
            Some(name) => {
                let known = conferences.menus.get(name);
                Some(known.ok_or_else(|| ProfileError::Menu(name.into()))?)
            }
            None => conferences.menus.get(DEFAULT_MENU.into()),
        };
        let timeout = self.config.features.digit_timeout;
        call.menu = menu.map(|menu| Box::new(Menu::new(menu.clone(), timeout)));
        let (visit, progress) = Visit::begin(
            room,
            bridge.clone(),
            user.clone(),
            call.id,
            &mut Surroundings {
                channel: &mut call.channel,
                rooms: &mut self.rooms,
                out: &mut self.outbox,
                now: now.instant,
            },
        );
        call.visit = Some(Box::new(visit));
        self.visited(call, progress);
        Ok(())
    }

    /// Takes the call out of its room, if it is in one.
    pub(super) fn leave_room(&mut self, call: &mut Call) {
        let Some(departure) = self.rooms.leave(call.id) else { return };
        call.channel.leave(&mut self.outbox);
        let (room, members) = (departure.room, departure.members);
        tracing::info!(call_id = %call.parties.call_id, room = %Printable(&room), members, "left conference");
        self.devices.touch(Device::Conference(room.clone()));
        self.tell(SwitchEvent::RoomLeft { call: call.id, room, members });
        self.room_effects.extend(departure.effects);
    }

    /// Carries out an effect that concerns `call` at once, and keeps any other for later: another
    /// call can not be reached while this one has its turn.
    pub(super) fn apply_to_self_or_queue(&mut self, call: &mut Call, effect: RoomEffect) {
        match effect {
            RoomEffect::Mix { channel, .. } | RoomEffect::Unmix { channel }
                if channel == call.id =>
            {
                self.mix(call, &effect);
            }
            effect => self.room_effects.push_back(effect),
        }
    }

    /// Carries out an effect.
    pub(super) fn apply_room_effect(&mut self, effect: RoomEffect, now: Now) {
        match effect {
            RoomEffect::Sound { room, shard, name } => {
                let language = self.config.default_language.clone();
                self.outbox.ask(Asker::Room { room, shard }, name, language);
            }
            RoomEffect::Mix { channel, .. } | RoomEffect::Unmix { channel } => {
                self.with_call(channel, now, |switch, call| switch.mix(call, &effect));
            }
            RoomEffect::Mute { channel, .. } => {
                self.with_call(channel, now, |switch, call| switch.follow_mute(call));
            }
            RoomEffect::Record { room, shard, name, how } => {
                self.record_room((room, shard), &name, &how, now);
            }
            RoomEffect::EndRecord { room } => self.end_room_recording(room),
            RoomEffect::Kick { channel, reason } => self.with_call(channel, now, |switch, call| {
                // It may have left by itself meanwhile.
                let Some(mut visit) = call.visit.take() else { return };
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
        }
    }

    fn mix(&mut self, call: &mut Call, effect: &RoomEffect) {
        match effect {
            RoomEffect::Mix { room, shard, muted, .. } => {
                let mute = if *muted { MuteState::Muted } else { MuteState::Open };
                call.channel.join(*room, *shard, mute, &mut self.outbox);
                self.follow_stream(call);
            }
            RoomEffect::Unmix { .. } => call.channel.leave(&mut self.outbox),
            RoomEffect::Sound { .. }
            | RoomEffect::Kick { .. }
            | RoomEffect::Mute { .. }
            | RoomEffect::Record { .. }
            | RoomEffect::EndRecord { .. } => {}
        }
    }

    /// Lets the others hear a member as the room has it.
    pub(super) fn follow_mute(&mut self, call: &Call) {
        let Some(muted) = self.rooms.is_muted(call.id) else { return };
        let mute = if muted { MuteState::Muted } else { MuteState::Open };
        call.channel.mute(mute, &mut self.outbox);
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
