//! What is said to whole rooms: parts are loaded side by side and heard in their order, one
//! announcement of a room after the other.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::Switch;
use crate::{
    bridge::{Announcement, Said},
    channel::{AnnouncementPart, Asker},
    media::{Command as MediaCommand, PlayItem, Prompt, RoomId, ShardId, StreamId},
};

/// What is on its way to each room.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    rooms: HashMap<RoomId, VecDeque<Waiting>>,
    announcements: u64,
}

/// An announcement of which parts may still be loading.
#[derive(Debug)]
struct Waiting {
    number: u64,
    shard: ShardId,
    except: Option<StreamId>,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Asked,
    Here(PlayItem),
    /// There is no such prompt.
    Missing,
}

impl Switch {
    /// Lets all in the mix of a room hear something, after what is on its way already.
    pub(super) fn announce_to_room(&mut self, room: RoomId, shard: ShardId, what: Announcement) {
        let language = what.language.unwrap_or_else(|| self.config.default_language.clone());
        let except = what.except.and_then(|channel| self.calls.get(&channel)?.channel.stream());
        self.announcer.announcements += 1;
        let number = self.announcer.announcements;
        let mut parts = Vec::with_capacity(what.parts.len());
        for (part, said) in what.parts.into_iter().enumerate() {
            parts.push(match said {
                Said::Name(name) => Part::Here(PlayItem::Prompt(name.0)),
                Said::Prompt(name) => {
                    let asker = Asker::Room(AnnouncementPart { room, number, part });
                    self.outbox.ask(asker, name, language.clone());
                    Part::Asked
                }
            });
        }
        let except = except.map(|(_, stream)| stream);
        let waiting = Waiting { number, shard, except, parts };
        self.announcer.rooms.entry(room).or_default().push_back(waiting);
        self.say_what_is_here(room);
    }

    /// A part came, or is not there.
    pub(super) fn take_announcement_part(
        &mut self,
        at: AnnouncementPart,
        prompt: Option<Arc<Prompt>>,
    ) {
        let queue = self.announcer.rooms.get_mut(&at.room);
        let waiting = queue.and_then(|queue| queue.iter_mut().find(|it| it.number == at.number));
        if let Some(part) = waiting.and_then(|waiting| waiting.parts.get_mut(at.part)) {
            *part = prompt.map_or(Part::Missing, |prompt| Part::Here(PlayItem::Prompt(prompt)));
            self.say_what_is_here(at.room);
        }
    }

    fn say_what_is_here(&mut self, room: RoomId) {
        let Some(queue) = self.announcer.rooms.get_mut(&room) else { return };
        let is_here = |it: &Waiting| !it.parts.iter().any(|part| matches!(part, Part::Asked));
        while let Some(Waiting { shard, except, parts, .. }) =
            queue.pop_front_if(|front| is_here(front))
        {
            let items: Vec<PlayItem> = parts.into_iter().filter_map(Part::item).collect();
            if items.is_empty() {
                continue;
            }
            let play = self.outbox.next_play();
            self.outbox.command(shard, MediaCommand::PlayToRoom { room, play, items, except });
        }
        if queue.is_empty() {
            self.announcer.rooms.remove(&room);
        }
    }
}

impl Part {
    fn item(self) -> Option<PlayItem> {
        match self {
            Self::Here(item) => Some(item),
            Self::Asked | Self::Missing => None,
        }
    }
}
