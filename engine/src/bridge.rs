//! Channels that hear each other: named conference rooms and the rules of who is in.
//!
//! A room knows its members and decides what follows when one comes or goes; it touches no media
//! itself. What is to be done comes out as [`RoomEffect`]s, in order, for the switch to carry out.
//! A room lives on one media shard, that of its first member, and ends with its last member.

mod census;
mod control;
mod visit;

use std::{collections::HashMap, sync::Arc};

use bstr::{BStr, BString};

use crate::{
    channel::{ChannelId, DigitSource},
    config::{BridgeProfile, ConferenceRecording, EndMarked, RoomSound, UserProfile},
    media::{Digit, MixRate, Prompt, RoomId, ShardId, TalkRules},
};

pub(crate) use census::census;
pub use control::RoomMembers;
pub(crate) use control::{RecordWish, RoomFacts};
pub(crate) use visit::{Surroundings, Visit, VisitEnd, VisitProgress};

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
    /// How it is to be recorded while somebody is in the mix.
    recording: Option<ConferenceRecording>,
    is_recorded: bool,
}

#[derive(Debug, Clone)]
struct Member {
    channel: ChannelId,
    profile: UserProfile,
    place: Place,
    /// By itself, or by an operator.
    muted: bool,
    /// Hears music in place of nothing.
    hears_music: bool,
    /// Busy elsewhere for a while: it counts as where it is, and nothing of the room is heard there.
    is_away: bool,
    /// What it said it is called.
    name: Option<SpokenName>,
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
    Mix { channel: ChannelId, room: RoomId, shard: ShardId, how: MixedAs },
    /// Take the member's audio out of the room; the member stays and hears nothing.
    Unmix { channel: ChannelId },
    /// Let everybody in the mix hear this.
    Say { room: RoomId, shard: ShardId, what: Announcement },
    /// Let one member hear these prompts, and nothing else meanwhile.
    Tell { channel: ChannelId, prompts: Vec<BString> },
    /// Let a member who hears nobody hear music.
    Music { channel: ChannelId, class: Option<BString> },
    /// The member hears others, or somebody comes who it will hear.
    EndMusic { channel: ChannelId },
    /// Let the others hear the member, or not.
    Mute { channel: ChannelId, muted: bool },
    /// Record what is heard in the room, which has somebody in the mix now.
    Record { room: RoomId, shard: ShardId, name: BString, how: ConferenceRecording },
    /// Nobody is in the mix any more, or nobody wants it: the recording ends.
    EndRecord { room: RoomId },
    /// Let the member hear a key that another one pressed.
    PassKey { channel: ChannelId, digit: Digit, source: DigitSource },
    /// The member has to leave; `leave` is not called yet.
    Kick { channel: ChannelId, reason: KickReason },
}

impl RoomEffect {
    /// The member it happens to; `None`: it happens to the room.
    pub(crate) fn member(&self) -> Option<ChannelId> {
        match self {
            Self::Mix { channel, .. }
            | Self::Unmix { channel }
            | Self::Tell { channel, .. }
            | Self::Music { channel, .. }
            | Self::EndMusic { channel }
            | Self::Mute { channel, .. }
            | Self::PassKey { channel, .. }
            | Self::Kick { channel, .. } => Some(*channel),
            Self::Say { .. } | Self::Record { .. } | Self::EndRecord { .. } => None,
        }
    }
}

/// How a member is put into the mix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MixedAs {
    pub(crate) muted: bool,
    pub(crate) talk: TalkRules,
    pub(crate) rate: MixRate,
}

/// What all in the mix hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) parts: Vec<Said>,
    /// `None`: the default one.
    pub(crate) language: Option<BString>,
    /// Who does not hear it.
    pub(crate) except: Option<ChannelId>,
}

/// A part of what is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Prompt(BString),
    Name(SpokenName),
}

/// What somebody said when asked for a name.
#[derive(Debug, Clone)]
pub(crate) struct SpokenName(pub(crate) Arc<Prompt>);

impl PartialEq for SpokenName {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SpokenName {}

/// Why somebody has to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KickReason {
    /// The last marked member left.
    LeaderLeft,
    /// An administrator wants it so.
    ByAdmin,
    /// It stayed as long as it may.
    TimeIsUp,
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
    /// Whether the one who left heard music.
    pub(crate) heard_music: bool,
}

impl Rooms {
    /// Counts `channel` as a member of the room `name`, opening the room on `shard` if nobody is in
    /// it. Its audio joins with [`Rooms::step_inside`].
    pub(crate) fn enter(
        &mut self,
        room_name: &BStr,
        bridge: &BridgeProfile,
        user: &UserProfile,
        channel: ChannelId,
        shard: ShardId,
    ) -> Result<Found, RoomRefusal> {
        if self.whereabouts.contains_key(&channel) {
            return Err(RoomRefusal::AlreadyInside);
        }
        let others = self.rooms.get(room_name).map_or(0, |room| room.members.len());
        let limit = self.rooms.get(room_name).map_or(bridge, |room| &room.profile).max_members;
        // As in Asterisk an administrator always finds a place.
        if !user.admin && limit.is_some_and(|limit| others >= limit) {
            return Err(RoomRefusal::Full);
        }
        if !user.admin && self.rooms.get(room_name).is_some_and(|room| room.locked) {
            return Err(RoomRefusal::Locked);
        }
        let id = RoomId(self.rooms_opened + 1);
        let room = self.rooms.entry(room_name.into()).or_insert_with(|| {
            self.rooms_opened = id.0;
            Room {
                id,
                shard,
                profile: bridge.clone(),
                members: Vec::new(),
                locked: false,
                participants_muted: false,
                recording: bridge.records.then(|| bridge.recording.clone()),
                is_recorded: false,
            }
        });
        let waits = user.wait_marked && !user.marked && !room.has_marked();
        let (profile, muted) = (user.clone(), user.start_muted);
        room.members.push(Member {
            channel,
            profile,
            place: Place::AtTheDoor,
            muted,
            hears_music: false,
            is_away: false,
            name: None,
        });
        self.whereabouts.insert(channel, room_name.into());
        Ok(Found { others, waits })
    }

    /// The member heard what it had to hear at the door and takes its place. `name` is what it said
    /// it is called.
    pub(crate) fn step_inside(
        &mut self,
        channel: ChannelId,
        name: Option<SpokenName>,
    ) -> Vec<RoomEffect> {
        let Some(room_name) = self.whereabouts.get(&channel).cloned() else { return Vec::new() };
        let Some(room) = self.rooms.get_mut(&room_name) else { return Vec::new() };
        let marked_present = room.has_marked();
        let count = room.members.len();
        let Some(member) = room.members.iter_mut().find(|m| m.channel == channel) else {
            return Vec::new();
        };
        if member.place != Place::AtTheDoor {
            return Vec::new();
        }
        member.name = name;
        let profile = member.profile.clone();
        if profile.wait_marked && !profile.marked && !marked_present {
            member.place = Place::Waiting;
            return room.follow_music();
        }
        let mut effects = Vec::new();
        member.place = Place::Mixed;
        let member = member.clone();
        effects.push(room.mix(&member));
        if profile.marked {
            effects.extend(room.end_waiting());
        }
        effects.extend(room.follow_music());
        effects.extend(room.follow_recording(&room_name));
        if !profile.quiet {
            let except = (!profile.hear_own_join_sound).then_some(channel);
            effects.extend(room.say(RoomSound::Join, except));
            if profile.marked && !marked_present {
                effects.extend(room.say(RoomSound::Begin, None));
            }
        }
        effects.extend(room.announce(&member, RoomSound::HasJoined));
        if profile.announce_user_count_all.is_some_and(|after| count > after) {
            let language = room.profile.language.clone().unwrap_or_default();
            let prompts = census(count - 1, language.as_ref(), &room.profile.sounds);
            effects.extend(room.say_prompts(prompts, None));
        }
        effects
    }

    /// The channel is gone from its room, for whatever reason; `None` when it was in none.
    pub(crate) fn leave(&mut self, channel: ChannelId) -> Option<Departure> {
        let name = self.whereabouts.remove(&channel)?;
        let room = self.rooms.get_mut(&name)?;
        let position = room.members.iter().position(|m| m.channel == channel)?;
        let gone = room.members.remove(position);
        let heard_music = gone.hears_music;
        if room.members.is_empty() {
            let effects = room.follow_recording(&name).into_iter().collect();
            self.rooms.remove(&name);
            return Some(Departure { room: name, members: 0, effects, heard_music });
        }
        let mut effects = Vec::new();
        if gone.profile.marked && gone.place == Place::Mixed {
            effects.extend(room.lose_marked());
        }
        if gone.place == Place::Mixed && !gone.profile.quiet {
            effects.extend(room.say(RoomSound::Leave, None));
            effects.extend(room.announce(&gone, RoomSound::HasLeft));
        }
        effects.extend(room.follow_music());
        effects.extend(room.follow_recording(&name));
        Some(Departure { room: name, members: room.members.len(), effects, heard_music })
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
        })
    }

    /// A member mutes itself or not any more; which of them.
    pub(crate) fn toggle_mute(&mut self, channel: ChannelId) -> Option<bool> {
        let room = self.room_of(channel)?;
        let member = room.members.iter_mut().find(|member| member.channel == channel)?;
        member.muted = !member.muted;
        Some(member.muted)
    }

    /// The music that a member hears; `None`: it hears none. `Some(None)` is that of its channel.
    pub(crate) fn music_of(&self, channel: ChannelId) -> Option<Option<BString>> {
        let room = self.rooms.get(self.whereabouts.get(&channel)?)?;
        let member = room.members.iter().find(|member| member.channel == channel)?;
        member.hears_music.then(|| member.profile.music_class.clone())
    }

    /// Whether the others do not hear a member; `None` when it is in no room.
    pub(crate) fn is_muted(&self, channel: ChannelId) -> Option<bool> {
        let room = self.rooms.get(self.whereabouts.get(&channel)?)?;
        let member = room.members.iter().find(|member| member.channel == channel)?;
        Some(member.is_muted(room.participants_muted))
    }

    /// Who hears a member.
    pub(crate) fn others_in_mix(&self, channel: ChannelId) -> Vec<ChannelId> {
        let room = self.whereabouts.get(&channel).and_then(|name| self.rooms.get(name));
        let members = room.map_or(&[][..], |room| &room.members);
        let is_heard = |it: &&Member| it.place == Place::Mixed && !it.is_away;
        let others = members.iter().filter(is_heard).filter(|it| it.channel != channel);
        others.map(|it| it.channel).collect()
    }

    /// The member is busy elsewhere for a while. It stays counted, and one who is marked stays the
    /// one that others wait for: as in Asterisk, whose menus run within the conference.
    pub(crate) fn step_out(&mut self, channel: ChannelId) -> Vec<RoomEffect> {
        let Some(room) = self.room_of(channel) else { return Vec::new() };
        let Some(member) = room.members.iter_mut().find(|it| it.channel == channel) else {
            return Vec::new();
        };
        member.is_away = true;
        let mut effects = Vec::new();
        if member.place == Place::Mixed {
            effects.push(RoomEffect::Unmix { channel });
        }
        if std::mem::take(&mut member.hears_music) {
            effects.push(RoomEffect::EndMusic { channel });
        }
        effects
    }

    /// The member is back, and hears what it heard.
    pub(crate) fn step_back(&mut self, channel: ChannelId) -> Vec<RoomEffect> {
        let Some(room) = self.room_of(channel) else { return Vec::new() };
        let back = room.members.iter_mut().find(|it| it.channel == channel);
        let mixed = back.and_then(|it| {
            it.is_away = false;
            (it.place == Place::Mixed).then(|| it.clone())
        });
        let effects = mixed.map(|member| room.mix(&member));
        effects.into_iter().chain(room.follow_music()).collect()
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

    fn mute_participants(&mut self, all: bool) -> Vec<RoomEffect> {
        self.participants_muted = all;
        let effect =
            |it: &Member| RoomEffect::Mute { channel: it.channel, muted: it.is_muted(all) };
        let members = self.members.iter().filter(|member| !member.profile.admin);
        let mut effects: Vec<_> = members.map(effect).collect();
        effects.extend(self.say(
            match all {
                true => RoomSound::ParticipantsMuted,
                false => RoomSound::ParticipantsUnmuted,
            },
            None,
        ));
        effects
    }

    fn mix(&self, member: &Member) -> RoomEffect {
        let how = MixedAs {
            muted: member.is_muted(self.participants_muted),
            talk: member.profile.talk,
            rate: self.profile.mixing_rate(),
        };
        RoomEffect::Mix { channel: member.channel, room: self.id, shard: self.shard, how }
    }

    /// A marked member came: those who waited for one are put into the mix.
    fn end_waiting(&mut self) -> Vec<RoomEffect> {
        let mut effects = Vec::new();
        let prompt = self.profile.sounds.of(RoomSound::PlaceIntoConference);
        let waiting = |member: &&mut Member| member.place == Place::Waiting;
        let mut placed = Vec::new();
        for member in self.members.iter_mut().filter(waiting) {
            member.place = Place::Mixed;
            if !member.is_away {
                placed.push(member.clone());
            }
        }
        for member in placed {
            effects.push(self.mix(&member));
            if !member.profile.quiet && !prompt.is_empty() {
                let (channel, prompts) = (member.channel, vec![prompt.clone()]);
                effects.push(RoomEffect::Tell { channel, prompts });
            }
        }
        effects
    }

    /// Begins or ends the recording, as there is something to be recorded or not.
    fn follow_recording(&mut self, name: &BString) -> Option<RoomEffect> {
        let is_heard = self.members.iter().any(|member| member.place == Place::Mixed);
        let how = self.recording.clone().filter(|_| is_heard);
        if std::mem::replace(&mut self.is_recorded, how.is_some()) == how.is_some() {
            return None;
        }
        let (room, shard) = (self.id, self.shard);
        Some(match how {
            Some(how) => RoomEffect::Record { room, shard, name: name.clone(), how },
            None => RoomEffect::EndRecord { room },
        })
    }

    /// Begins or ends the music of those who hear nobody.
    fn follow_music(&mut self) -> Vec<RoomEffect> {
        let mixed = self.members.iter().filter(|m| m.place == Place::Mixed).count();
        let mut effects = Vec::new();
        for member in &mut self.members {
            let is_alone = match member.place {
                Place::AtTheDoor => false,
                Place::Waiting => true,
                Place::Mixed => mixed == 1,
            };
            let wanted = is_alone && !member.is_away && member.profile.music_when_empty;
            if std::mem::replace(&mut member.hears_music, wanted) == wanted {
                continue;
            }
            let channel = member.channel;
            effects.push(match wanted {
                true => RoomEffect::Music { channel, class: member.profile.music_class.clone() },
                false => RoomEffect::EndMusic { channel },
            });
        }
        effects
    }

    /// Lets all in the mix hear one of the room's prompts.
    fn say(&self, sound: RoomSound, except: Option<ChannelId>) -> Option<RoomEffect> {
        self.say_prompts(vec![self.profile.sounds.of(sound)], except)
    }

    fn say_prompts(&self, prompts: Vec<BString>, except: Option<ChannelId>) -> Option<RoomEffect> {
        self.say_parts(prompts.into_iter().map(Said::Prompt).collect(), except)
    }

    /// Lets all hear who it is that comes or goes.
    fn announce(&self, member: &Member, what: RoomSound) -> Option<RoomEffect> {
        let name = member.name.clone().filter(|_| !member.profile.quiet)?;
        let parts = vec![Said::Name(name), Said::Prompt(self.profile.sounds.of(what))];
        self.say_parts(parts, None)
    }

    fn say_parts(&self, mut parts: Vec<Said>, except: Option<ChannelId>) -> Option<RoomEffect> {
        parts.retain(|part| !matches!(part, Said::Prompt(name) if name.is_empty()));
        let is_heard = self
            .members
            .iter()
            .any(|member| member.place == Place::Mixed && Some(member.channel) != except);
        let language = self.profile.language.clone();
        (is_heard && !parts.is_empty()).then_some(RoomEffect::Say {
            room: self.id,
            shard: self.shard,
            what: Announcement { parts, language, except },
        })
    }

    /// A marked member left.
    fn lose_marked(&mut self) -> Vec<RoomEffect> {
        let is_last = !self.has_marked();
        let mut effects = Vec::new();
        let prompt = self.profile.sounds.of(RoomSound::LeaderHasLeft);
        for member in &mut self.members {
            let channel = member.channel;
            let has_to_go = match member.profile.end_marked {
                EndMarked::Stays => false,
                EndMarked::WithLast => is_last,
                EndMarked::WithAny => true,
            };
            if has_to_go {
                effects.push(RoomEffect::Kick { channel, reason: KickReason::LeaderLeft });
            } else if is_last && member.profile.wait_marked && member.place == Place::Mixed {
                member.place = Place::Waiting;
                if member.is_away {
                    continue;
                }
                effects.push(RoomEffect::Unmix { channel });
                if !member.profile.quiet && !prompt.is_empty() {
                    effects.push(RoomEffect::Tell { channel, prompts: vec![prompt.clone()] });
                }
            }
        }
        effects
    }
}

#[cfg(test)]
mod tests;
