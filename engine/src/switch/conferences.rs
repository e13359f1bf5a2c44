//! What operators and embedders ask of conference rooms.

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::operation::{ConferenceAction, ConferenceMembers, ConferenceOrder, Outcome};

use super::{RoomChange, Switch, SwitchEvent, call::Call};
use crate::{
    bridge::{RecordWish, RoomEffect, RoomMembers},
    channel::ChannelId,
    clock::Now,
};

/// Something to be done to a conference room.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomOrder {
    /// Let nobody but administrators come in.
    Lock,
    /// Let all come in.
    Unlock,
    /// Let the others not hear these members.
    Mute(RoomMembers),
    /// Let the others hear these members.
    Unmute(RoomMembers),
    /// Send these members away.
    Kick(RoomMembers),
    /// Record what is heard.
    Record {
        /// Where; `None`: as the bridge profile has it.
        file: Option<BString>,
    },
    /// End the recording.
    StopRecording,
}

/// Why an order to a room was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomError {
    /// Nobody is in a room of that name.
    #[error("there is no conference {0:?}")]
    NoRoom(BString),
    /// The room has no such member.
    #[error("nobody of that kind is in the conference")]
    NoMember,
    /// It is recorded already.
    #[error("the conference is recorded already")]
    Recorded,
    /// There is no recording to be ended.
    #[error("the conference is not recorded")]
    NotRecorded,
    /// No recording can be written there.
    #[error("the conference can not be recorded: {0}")]
    NoFile(String),
}

impl Switch {
    /// Carries out an order to a conference room; how many members it was about.
    ///
    /// # Errors
    /// When there is no such room or member, or what is wanted is so already.
    pub fn order_room(
        &mut self,
        room: &BStr,
        order: RoomOrder,
        now: Now,
    ) -> Result<usize, RoomError> {
        self.worked_at = now;
        let done = self.carry_out_in_room(room, order);
        self.work(now);
        done
    }

    /// The same, within a turn.
    pub(super) fn carry_out_in_room(
        &mut self,
        room: &BStr,
        order: RoomOrder,
    ) -> Result<usize, RoomError> {
        let count = self.rooms.count(room);
        if count == 0 {
            return Err(RoomError::NoRoom(room.into()));
        }
        match order {
            RoomOrder::Lock => self.lock_room(room, true),
            RoomOrder::Unlock => self.lock_room(room, false),
            RoomOrder::Mute(who) => return self.mute_room(room, who, true),
            RoomOrder::Unmute(who) => return self.mute_room(room, who, false),
            RoomOrder::Kick(who) => {
                let effects = self.rooms.kick(room, who).unwrap_or_default();
                return self.queue_for_members(effects);
            }
            RoomOrder::Record { file } => self.record_or_not(room, RecordWish::Start { file })?,
            RoomOrder::StopRecording => self.record_or_not(room, RecordWish::Stop)?,
        }
        Ok(count)
    }

    /// What a dialplan asks of a room.
    pub(super) fn order_by_dialplan(&mut self, call: &Call, order: ConferenceOrder) -> Outcome {
        let ConferenceOrder { conference, action } = order;
        let named = match &action {
            ConferenceAction::Kick(ConferenceMembers::Named(name))
            | ConferenceAction::Mute(ConferenceMembers::Named(name))
            | ConferenceAction::Unmute(ConferenceMembers::Named(name)) => Some(name.clone()),
            _ => None,
        };
        let channel = named.as_ref().and_then(|name| {
            // The call that asks is not among the others meanwhile.
            if call.name == *name { Some(call.id) } else { self.find_call(name) }
        });
        let room = conference.or_else(|| Some(self.rooms.name_of(channel?)?.to_owned()));
        let Some(room) = room else { return Outcome::Failed };
        let nth = || -> Option<ChannelId> {
            let nth: usize = named.as_ref()?.to_str().ok()?.parse().ok()?;
            let member = self.rooms.members(room.as_ref()).nth(nth.checked_sub(1)?)?;
            Some(member.channel)
        };
        let members = |whom: &ConferenceMembers| match whom {
            ConferenceMembers::All => Some(RoomMembers::All),
            ConferenceMembers::Participants => Some(RoomMembers::Participants),
            ConferenceMembers::Last => Some(RoomMembers::Last),
            _ => channel.or_else(nth).map(RoomMembers::Channel),
        };
        let order = match &action {
            ConferenceAction::Lock => Some(RoomOrder::Lock),
            ConferenceAction::Unlock => Some(RoomOrder::Unlock),
            ConferenceAction::Kick(whom) => members(whom).map(RoomOrder::Kick),
            ConferenceAction::Mute(whom) => members(whom).map(RoomOrder::Mute),
            ConferenceAction::Unmute(whom) => members(whom).map(RoomOrder::Unmute),
            _ => None,
        };
        let Some(order) = order else { return Outcome::Failed };
        match self.carry_out_in_room(room.as_ref(), order) {
            Ok(_) => Outcome::Done,
            Err(error) => {
                tracing::info!(call_id = %call.parties.call_id, %error, "not done to a conference");
                Outcome::Failed
            }
        }
    }

    /// Locks a room or unlocks it.
    pub(super) fn lock_room(&mut self, room: &BStr, locked: bool) {
        if self.rooms.lock(room, locked) {
            self.tell_change(room, if locked { RoomChange::Locked } else { RoomChange::Unlocked });
        }
    }

    /// Mutes members or lets them be heard; how many.
    pub(super) fn mute_room(
        &mut self,
        room: &BStr,
        who: RoomMembers,
        muted: bool,
    ) -> Result<usize, RoomError> {
        let effects = self.rooms.mute(room, who, muted).unwrap_or_default();
        if who == RoomMembers::Participants {
            self.tell_change(room, if muted { RoomChange::Muted } else { RoomChange::Unmuted });
            // Also those who come later.
            let _nobody_yet = self.queue_for_members(effects);
            return Ok(self.rooms.count(room));
        }
        self.queue_for_members(effects)
    }

    fn record_or_not(&mut self, room: &BStr, wish: RecordWish) -> Result<(), RoomError> {
        let change = match (self.rooms.state(room).is_recorded, &wish) {
            (true, RecordWish::Start { .. }) => return Err(RoomError::Recorded),
            (false, RecordWish::Stop) => return Err(RoomError::NotRecorded),
            (false, RecordWish::Start { .. }) => RoomChange::RecordingStarted,
            (true, RecordWish::Stop) => RoomChange::RecordingStopped,
        };
        if let Some(how) = self.rooms.recording_of(room, &wish) {
            let file = self.room_recording_file(&room.into(), &how, self.worked_at);
            let _ = file.map_err(|(_, reason)| RoomError::NoFile(reason))?;
        }
        let effect = self.rooms.record(room, &wish);
        self.room_effects.extend(effect);
        self.tell_change(room, change);
        Ok(())
    }

    fn queue_for_members(&mut self, effects: Vec<RoomEffect>) -> Result<usize, RoomError> {
        let count = effects.iter().filter(|effect| effect.member().is_some()).count();
        self.room_effects.extend(effects);
        if count == 0 { Err(RoomError::NoMember) } else { Ok(count) }
    }

    pub(super) fn tell_change(&mut self, room: &BStr, change: RoomChange) {
        let room: BString = room.into();
        self.tell(SwitchEvent::RoomChanged { room, change });
    }
}
