//! Channels that hear each other: named conference rooms and the rules of who is in.
//!
//! A room knows its members and decides what follows when one comes or goes; it touches no media
//! itself. What is to be done comes out as [`RoomEffect`]s, in order, for the switch to carry out.
//! A room lives on one media shard, that of its first member, and ends with its last member.

mod visit;

use std::collections::HashMap;

use bstr::{BStr, BString};

use crate::{
    channel::ChannelId,
    config::{BridgeProfile, ConferenceRecording, UserProfile},
    media::{RoomId, ShardId},
};

pub(crate) use visit::{Surroundings, Visit, VisitEnd, VisitProgress, census};

/// All rooms that have members now.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: HashMap<BString, Room>,
    whereabouts: HashMap<ChannelId, BString>,
    rooms_opened: u64,
}

#[derive(Debug)]
struct Room {
    id: RoomId,
    shard: ShardId,
    profile: BridgeProfile,
    members: Vec<Member>,
    /// Nobody but an administrator comes in.
    locked: bool,
    /// Nobody but administrators is heard.
    participants_muted: bool,
    is_recorded: bool,
}

#[derive(Debug, Clone)]
struct Member {
    channel: ChannelId,
    profile: UserProfile,
    place: Place,
    /// By itself.
    muted: bool,
}

/// How far inside a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Counted, but still being told who else is here.
    AtTheDoor,
    /// Inside, in silence, until a marked member comes.
    Waiting,
    /// Hears and is heard.
    Mixed,
}

/// Why somebody may not enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RoomRefusal {
    /// The room has as many members as its profile allows.
    #[error("the room is full")]
    Full,
    /// An administrator locked it.
    #[error("the room is locked")]
    Locked,
    /// The channel is in a room already.
    #[error("the channel is in a room already")]
    AlreadyInside,
}

/// What is known of somebody in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemberFacts {
    pub(crate) channel: ChannelId,
    pub(crate) is_admin: bool,
    pub(crate) is_marked: bool,
    /// In silence until a marked member comes.
    pub(crate) is_waiting: bool,
    pub(crate) is_muted: bool,
}

/// What a newcomer finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// How many others are there.
    pub(crate) others: usize,
    /// Whether this one will wait for a marked member.
    pub(crate) waits: bool,
}

/// What follows from a coming or a going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RoomEffect {
    /// Put the member's audio into the room.
    Mix { channel: ChannelId, room: RoomId, shard: ShardId, muted: bool },
    /// Take the member's audio out of the room; the member stays and hears nothing.
    Unmix { channel: ChannelId },
    /// Let everybody in the mix hear this prompt.
    Sound { room: RoomId, shard: ShardId, name: BString },
    /// Let the others hear the member, or not.
    Mute { channel: ChannelId, muted: bool },
    /// Record what is heard in the room, which has somebody in the mix now.
    Record { room: RoomId, shard: ShardId, name: BString, how: ConferenceRecording },
    /// Nobody is in the mix any more: the recording ends.
    EndRecord { room: RoomId },
    /// The member has to leave; `leave` is not called yet.
    Kick { channel: ChannelId, reason: KickReason },
}

/// Why somebody has to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KickReason {
    /// The last marked member left.
    LeaderLeft,
    /// An administrator wants it so.
    ByAdmin,
}

/// What is left of a room after a member went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Departure {
    /// The room's name.
    pub(crate) room: BString,
    /// How many members remain.
    pub(crate) members: usize,
    /// What follows for those who remain. The one who left is not part of it.
    pub(crate) effects: Vec<RoomEffect>,
}

impl Rooms {
    /// Counts `channel` as a member of the room `name`, opening the room on `shard` if nobody is in
    /// it. Its audio joins with [`Rooms::step_inside`].
    pub(crate) fn enter(
        &mut self,
        name: &BStr,
        bridge: &BridgeProfile,
        user: &UserProfile,
        channel: ChannelId,
        shard: ShardId,
    ) -> Result<Found, RoomRefusal> {
        if self.whereabouts.contains_key(&channel) {
            return Err(RoomRefusal::AlreadyInside);
        }
        let others = self.rooms.get(name).map_or(0, |room| room.members.len());
        let limit = self.rooms.get(name).map_or(bridge, |room| &room.profile).max_members;
        // As in Asterisk an administrator always finds a place.
        if !user.admin && limit.is_some_and(|limit| others >= limit) {
            return Err(RoomRefusal::Full);
        }
        if !user.admin && self.rooms.get(name).is_some_and(|room| room.locked) {
            return Err(RoomRefusal::Locked);
        }
        let id = RoomId(self.rooms_opened + 1);
        let room = self.rooms.entry(name.into()).or_insert_with(|| {
            self.rooms_opened = id.0;
            Room {
                id,
                shard,
                profile: bridge.clone(),
                members: Vec::new(),
                locked: false,
                participants_muted: false,
                is_recorded: false,
            }
        });
        let waits = user.wait_marked && !user.marked && !room.has_marked();
        let (profile, muted) = (user.clone(), user.start_muted);
        room.members.push(Member { channel, profile, place: Place::AtTheDoor, muted });
        self.whereabouts.insert(channel, name.into());
        Ok(Found { others, waits })
    }

    /// The member heard what it had to hear at the door and takes its place.
    pub(crate) fn step_inside(&mut self, channel: ChannelId) -> Vec<RoomEffect> {
        let Some(name) = self.whereabouts.get(&channel).cloned() else { return Vec::new() };
        let Some(room) = self.rooms.get_mut(&name) else { return Vec::new() };
        let marked_present = room.has_marked();
        let Some(member) = room.members.iter_mut().find(|m| m.channel == channel) else {
            return Vec::new();
        };
        if member.place != Place::AtTheDoor {
            return Vec::new();
        }
        let profile = member.profile.clone();
        if profile.wait_marked && !profile.marked && !marked_present {
            member.place = Place::Waiting;
            return Vec::new();
        }
        let mut effects = Vec::new();
        member.place = Place::Mixed;
        let member = member.clone();
        effects.push(room.mix(&member));
        if profile.marked {
            for member in room.members.iter_mut().filter(|m| m.place == Place::Waiting) {
                member.place = Place::Mixed;
                effects.push(RoomEffect::Mix {
                    channel: member.channel,
                    room: room.id,
                    shard: room.shard,
                    muted: member.is_muted(room.participants_muted),
                });
            }
        }
        effects.extend(room.follow_recording(&name));
        if !profile.quiet {
            effects.extend(room.sound(room.profile.sound_join.clone()));
        }
        effects
    }

    /// The channel is gone from its room, for whatever reason; `None` when it was in none.
    pub(crate) fn leave(&mut self, channel: ChannelId) -> Option<Departure> {
        let name = self.whereabouts.remove(&channel)?;
        let room = self.rooms.get_mut(&name)?;
        let position = room.members.iter().position(|m| m.channel == channel)?;
        let gone = room.members.remove(position);
        if room.members.is_empty() {
            let effects = room.follow_recording(&name).into_iter().collect();
            self.rooms.remove(&name);
            return Some(Departure { room: name, members: 0, effects });
        }
        let mut effects = Vec::new();
        if gone.profile.marked && !room.has_marked() {
            effects.extend(room.lose_last_marked());
        }
        if gone.place == Place::Mixed && !gone.profile.quiet {
            effects.extend(room.sound(room.profile.sound_leave.clone()));
        }
        effects.extend(room.follow_recording(&name));
        Some(Departure { room: name, members: room.members.len(), effects })
    }

    /// Whether there is a room of this number.
    pub(crate) fn is_open(&self, room: RoomId) -> bool {
        self.rooms.values().any(|it| it.id == room)
    }

    /// The room the channel is in.
    pub(crate) fn name_of(&self, channel: ChannelId) -> Option<&BStr> {
        self.whereabouts.get(&channel).map(|name| name.as_ref())
    }

    /// A room without a name, for two who are connected.
    pub(crate) fn private(&mut self) -> RoomId {
        self.rooms_opened += 1;
        RoomId(self.rooms_opened)
    }

    /// How many members the room has.
    pub(crate) fn count(&self, name: &BStr) -> usize {
        self.rooms.get(name).map_or(0, |room| room.members.len())
    }

    /// Who is in a room, in the order they came.
    pub(crate) fn members(&self, name: &BStr) -> impl Iterator<Item = MemberFacts> + '_ {
        let members = self.rooms.get(name).map_or(&[][..], |room| &room.members);
        members.iter().map(|member| MemberFacts {
            channel: member.channel,
            is_admin: member.profile.admin,
            is_marked: member.profile.marked,
            is_waiting: member.place == Place::Waiting,
            is_muted: member.muted,
        })
    }

    /// Whether the room is locked, and whether its participants are muted.
    pub(crate) fn state(&self, name: &BStr) -> (bool, bool) {
        self.rooms.get(name).map_or((false, false), |room| (room.locked, room.participants_muted))
    }

    /// A member mutes itself or not any more; which of them.
    pub(crate) fn toggle_mute(&mut self, channel: ChannelId) -> Option<bool> {
        let room = self.room_of(channel)?;
        let member = room.members.iter_mut().find(|member| member.channel == channel)?;
        member.muted = !member.muted;
        Some(member.muted)
    }

    /// Whether the others do not hear a member; `None` when it is in no room.
    pub(crate) fn is_muted(&self, channel: ChannelId) -> Option<bool> {
        let room = self.rooms.get(self.whereabouts.get(&channel)?)?;
        let member = room.members.iter().find(|member| member.channel == channel)?;
        Some(member.is_muted(room.participants_muted))
    }

    /// Locks the room of a member or unlocks it; which of them.
    pub(crate) fn toggle_lock(&mut self, channel: ChannelId) -> Option<bool> {
        let room = self.room_of(channel)?;
        room.locked = !room.locked;
        Some(room.locked)
    }

    /// Mutes all but administrators in the room of a member, or lets them be heard as they were.
    pub(crate) fn toggle_mute_participants(&mut self, channel: ChannelId) -> Vec<RoomEffect> {
        let Some(room) = self.room_of(channel) else { return Vec::new() };
        room.participants_muted = !room.participants_muted;
        let all = room.participants_muted;
        let effect =
            |it: &Member| RoomEffect::Mute { channel: it.channel, muted: it.is_muted(all) };
        let members = room.members.iter().filter(|member| !member.profile.admin);
        let mut effects: Vec<_> = members.map(effect).collect();
        let said = if all { "conf-now-muted" } else { "conf-now-unmuted" };
        effects.extend(room.sound(said.into()));
        effects
    }

    /// Who came last into the room of a member, and whether it may not be sent away: the member
    /// itself, and administrators.
    pub(crate) fn last_to_come(&mut self, channel: ChannelId) -> Option<(ChannelId, bool)> {
        let last = self.room_of(channel)?.members.last()?;
        Some((last.channel, last.profile.admin || last.channel == channel))
    }

    /// Whether there is no room at all.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.whereabouts.is_empty()
    }

    fn room_of(&mut self, channel: ChannelId) -> Option<&mut Room> {
        self.rooms.get_mut(self.whereabouts.get(&channel)?)
    }
}

impl Member {
    /// Whether the others do not hear it.
    fn is_muted(&self, participants_muted: bool) -> bool {
        self.muted || participants_muted && !self.profile.admin
    }
}

impl Room {
    /// Whether a marked member is inside; one still at the door does not count yet.
    fn has_marked(&self) -> bool {
        self.members.iter().any(|m| m.profile.marked && m.place == Place::Mixed)
    }

    fn mix(&self, member: &Member) -> RoomEffect {
        let muted = member.is_muted(self.participants_muted);
        RoomEffect::Mix { channel: member.channel, room: self.id, shard: self.shard, muted }
    }

    /// Begins or ends the recording, as there is something to be recorded or not.
    fn follow_recording(&mut self, name: &BString) -> Option<RoomEffect> {
        let how = self.profile.recording.clone()?;
        let is_wanted = self.members.iter().any(|member| member.place == Place::Mixed);
        if std::mem::replace(&mut self.is_recorded, is_wanted) == is_wanted {
            return None;
        }
        let (room, shard) = (self.id, self.shard);
        Some(match is_wanted {
            true => RoomEffect::Record { room, shard, name: name.clone(), how },
            false => RoomEffect::EndRecord { room },
        })
    }

    fn sound(&self, name: BString) -> Option<RoomEffect> {
        let heard = self.members.iter().any(|m| m.place == Place::Mixed);
        (heard && !name.is_empty()).then_some(RoomEffect::Sound {
            room: self.id,
            shard: self.shard,
            name,
        })
    }

    fn lose_last_marked(&mut self) -> Vec<RoomEffect> {
        let mut effects = Vec::new();
        for member in &mut self.members {
            if member.profile.end_marked {
                effects.push(RoomEffect::Kick {
                    channel: member.channel,
                    reason: KickReason::LeaderLeft,
                });
            } else if member.profile.wait_marked && member.place == Place::Mixed {
                member.place = Place::Waiting;
                effects.push(RoomEffect::Unmix { channel: member.channel });
            }
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Hall {
        rooms: Rooms,
        bridge: BridgeProfile,
    }

    impl Hall {
        fn new() -> Self {
            Self { rooms: Rooms::default(), bridge: BridgeProfile::new("default_bridge") }
        }

        fn join(&mut self, channel: u64, user: &UserProfile) -> (Found, Vec<RoomEffect>) {
            let channel = ChannelId::new(channel);
            let found = self
                .rooms
                .enter("600".into(), &self.bridge, user, channel, ShardId(0))
                .expect("there is room");
            (found, self.rooms.step_inside(channel))
        }

        fn leave(&mut self, channel: u64) -> Departure {
            self.rooms.leave(ChannelId::new(channel)).expect("a member")
        }
    }

    fn user() -> UserProfile {
        UserProfile::new("default_user")
    }

    fn mixed(effects: &[RoomEffect]) -> Vec<u64> {
        effects
            .iter()
            .filter_map(|effect| match effect {
                RoomEffect::Mix { channel, .. } => Some(channel.number()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_room_lives_from_its_first_member_to_its_last() {
        let mut hall = Hall::new();
        for channel in 1..=3 {
            let (found, effects) = hall.join(channel, &user());
            assert_eq!(found.others, channel as usize - 1);
            assert_eq!(mixed(&effects), [channel]);
        }
        assert_eq!(hall.rooms.count("600".into()), 3);
        for channel in 1..=3 {
            assert_eq!(hall.leave(channel).members, 3 - channel as usize);
        }
        assert!(hall.rooms.is_empty());
        assert_eq!(hall.rooms.leave(ChannelId::new(1)), None);
    }

    #[test]
    fn a_room_is_recorded_while_somebody_is_in_the_mix() {
        let mut hall = Hall::new();
        hall.bridge.recording = Some(ConferenceRecording::default());
        let begins = |effects: &[RoomEffect]| {
            effects.iter().any(|effect| matches!(effect, RoomEffect::Record { .. }))
        };
        let ends = |effects: &[RoomEffect]| {
            effects.iter().any(|effect| matches!(effect, RoomEffect::EndRecord { .. }))
        };
        let waiting = UserProfile { wait_marked: true, ..user() };
        let marked = UserProfile { marked: true, ..user() };
        assert!(!begins(&hall.join(1, &waiting).1));
        assert!(begins(&hall.join(2, &marked).1));
        assert!(!begins(&hall.join(3, &user()).1));
        assert!(!ends(&hall.leave(2).effects), "3 is there");
        assert!(ends(&hall.leave(3).effects));
        assert!(begins(&hall.join(4, &marked).1));
        assert!(ends(&hall.leave(4).effects));
        assert!(!ends(&hall.leave(1).effects));
    }

    #[test]
    fn a_full_room_takes_only_an_administrator() {
        let mut hall = Hall::new();
        hall.bridge.max_members = Some(1);
        hall.join(1, &user());
        let refused =
            hall.rooms.enter("600".into(), &hall.bridge, &user(), ChannelId::new(2), ShardId(0));
        assert_eq!(refused, Err(RoomRefusal::Full));
        assert_eq!(hall.rooms.name_of(ChannelId::new(2)), None);
        hall.join(3, &UserProfile { admin: true, ..user() });
        assert_eq!(hall.rooms.count("600".into()), 2);
    }

    #[test]
    fn those_inside_hear_one_come_and_go_unless_it_is_quiet() {
        let mut hall = Hall::new();
        hall.join(1, &user());
        let (_, effects) = hall.join(2, &user());
        assert!(matches!(&effects[1], RoomEffect::Sound { name, .. }
            if name == "confbridge-join"));
        let (_, quiet) = hall.join(3, &UserProfile { quiet: true, ..user() });
        assert_eq!(quiet.len(), 1);
        assert_eq!(hall.leave(3).effects, []);
        assert!(matches!(&hall.leave(2).effects[..], [RoomEffect::Sound { name, .. }]
            if name == "confbridge-leave"));
    }

    #[test]
    fn waiting_members_are_mixed_when_a_marked_one_comes_and_wait_again_when_it_goes() {
        let mut hall = Hall::new();
        let waiting = UserProfile { wait_marked: true, ..user() };
        let ending = UserProfile { wait_marked: true, end_marked: true, ..user() };
        let (found, effects) = hall.join(1, &waiting);
        assert!(found.waits);
        assert_eq!(effects, []);
        hall.join(2, &ending);
        let (_, effects) = hall.join(3, &UserProfile { marked: true, ..user() });
        assert_eq!(mixed(&effects), [3, 1, 2]);
        let effects = hall.leave(3).effects;
        assert_eq!(effects[0], RoomEffect::Unmix { channel: ChannelId::new(1) });
        let reason = KickReason::LeaderLeft;
        assert_eq!(effects[1], RoomEffect::Kick { channel: ChannelId::new(2), reason });
    }

    #[test]
    fn a_channel_is_in_one_room_at_most() {
        let mut hall = Hall::new();
        hall.join(1, &user());
        let again =
            hall.rooms.enter("601".into(), &hall.bridge, &user(), ChannelId::new(1), ShardId(0));
        assert_eq!(again, Err(RoomRefusal::AlreadyInside));
        assert_eq!(hall.rooms.count("601".into()), 0);
    }
}
