//! What an operator, or a key, asks of a room: who is in it, locking, muting, sending away, recording.

use bstr::{BStr, BString};

use super::{KickReason, Member, Room, RoomEffect, Rooms};
use crate::{channel::ChannelId, config::ConferenceRecording, media::RoomId};

/// Members of a room, as they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomMembers {
    /// This one.
    Channel(ChannelId),
    /// Everybody.
    All,
    /// Everybody but administrators.
    Participants,
    /// Who came last.
    Last,
}

/// How a room stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RoomFacts {
    pub(crate) is_locked: bool,
    /// Its participants are not heard.
    pub(crate) is_muted: bool,
    pub(crate) is_recorded: bool,
}

impl Rooms {
    /// The names of all rooms.
    pub(crate) fn names(&self) -> impl Iterator<Item = &BString> {
        self.rooms.keys()
    }

    /// How a room stands; a room without members stands as any does when it begins.
    pub(crate) fn state(&self, name: &BStr) -> RoomFacts {
        self.rooms.get(name).map_or_else(RoomFacts::default, |room| RoomFacts {
            is_locked: room.locked,
            is_muted: room.participants_muted,
            is_recorded: room.recording.is_some(),
        })
    }

    /// Locks a room or unlocks it; whether there is one.
    pub(crate) fn lock(&mut self, name: &BStr, locked: bool) -> bool {
        let Some(room) = self.rooms.get_mut(name) else { return false };
        room.locked = locked;
        true
    }

    /// Members of a room wait for nobody any more, and lose nobody either.
    pub(crate) fn wait_no_more(&mut self, name: &BStr) {
        let members = self.rooms.get_mut(name).into_iter().flat_map(|room| &mut room.members);
        members.for_each(|member| member.profile.wait_marked = false);
    }

    /// Sends members away; `None`: there is no such room.
    pub(crate) fn kick(&self, name: &BStr, who: RoomMembers) -> Option<Vec<RoomEffect>> {
        let reason = KickReason::ByAdmin;
        let kick = |member: &Member| RoomEffect::Kick { channel: member.channel, reason };
        let room = self.rooms.get(name)?;
        Some(room.asked_for(who).map(|index| kick(&room.members[index])).collect())
    }

    /// Mutes members, or lets them be heard; `None`: there is no such room.
    pub(crate) fn mute(
        &mut self,
        name: &BStr,
        who: RoomMembers,
        muted: bool,
    ) -> Option<Vec<RoomEffect>> {
        let room = self.rooms.get_mut(name)?;
        if who == RoomMembers::Participants {
            return Some(room.mute_participants(muted));
        }
        let asked: Vec<usize> = room.asked_for(who).collect();
        let all = room.participants_muted;
        let mute = |index: usize| {
            let member = &mut room.members[index];
            member.muted = muted;
            RoomEffect::Mute { channel: member.channel, muted: member.is_muted(all) }
        };
        Some(asked.into_iter().map(mute).collect())
    }

    /// How a room would be recorded; `None`: not at all.
    pub(crate) fn recording_of(
        &self,
        name: &BStr,
        wish: &RecordWish,
    ) -> Option<ConferenceRecording> {
        let how = self.rooms.get(name)?.profile.recording.clone();
        match wish {
            RecordWish::Start { file: Some(file) } => {
                Some(ConferenceRecording { file: file.clone(), has_time: false, ..how })
            }
            RecordWish::Start { file: None } => Some(how),
            RecordWish::Stop => None,
        }
    }

    /// Records a room from now on, or no more; what follows now.
    pub(crate) fn record(&mut self, name: &BStr, wish: &RecordWish) -> Option<RoomEffect> {
        let recording = self.recording_of(name, wish);
        let room = self.rooms.get_mut(name)?;
        room.recording = recording;
        room.follow_recording(&name.into())
    }

    /// The file of a room can not be written: it is not recorded any more. Gives the room's name.
    pub(crate) fn recording_failed(&mut self, room: RoomId) -> Option<BString> {
        let (name, room) = self.rooms.iter_mut().find(|(_, it)| it.id == room)?;
        room.is_recorded = false;
        room.recording.take().map(|_| name.clone())
    }

    /// Whether a room is to be recorded whenever somebody is heard in it.
    pub(crate) fn wants_recording(&self, room: RoomId) -> bool {
        self.rooms.values().any(|it| it.id == room && it.recording.is_some())
    }
}

/// What is wanted of a room's recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordWish {
    /// That there is one, in this file; `None`: as the profile has it.
    Start { file: Option<BString> },
    /// That there is none.
    Stop,
}

impl Room {
    fn asked_for(&self, who: RoomMembers) -> impl Iterator<Item = usize> + '_ {
        let last = self.members.len().checked_sub(1);
        let members = self.members.iter().enumerate();
        members.filter_map(move |(index, member)| {
            let is_asked = match who {
                RoomMembers::Channel(channel) => member.channel == channel,
                RoomMembers::All => true,
                RoomMembers::Participants => !member.profile.admin,
                RoomMembers::Last => Some(index) == last,
            };
            is_asked.then_some(index)
        })
    }
}
