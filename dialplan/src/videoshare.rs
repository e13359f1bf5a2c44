//! Conferences with a master: who the master is, who takes part, and what the house does for them.
//!
//! Here is what is fixed of a room. `VideoShare()` finds out who a caller is; who is called when,
//! and how a conference ends, is the engine's business.

mod calling;
mod media_server;
mod person;
mod pin;
mod room;
mod sounds;
mod stay;

use std::sync::Arc;

pub use calling::{Calling, Invitation, Unreached, When};
pub use media_server::{Fallback, MediaServer};
pub use person::{LONGEST_NUMBER, Person, Role, Way, number};
pub use pin::{Pin, PinRule};
pub use room::{Ending, Guests, Limits, Recognised, Room, Who};
pub use sounds::Sounds;
pub use stay::{Ask, End, Step};

/// All rooms, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Rooms {
    rooms: Vec<Arc<Room>>,
}

impl Rooms {
    /// Adds a room; one of the same name is replaced.
    pub fn insert(&mut self, room: Room) {
        self.rooms.retain(|other| !other.name.eq_ignore_ascii_case(&room.name));
        self.rooms.push(Arc::new(room));
    }

    /// The room of a name, in any letter case.
    #[must_use]
    pub fn named(&self, name: &[u8]) -> Option<&Arc<Room>> {
        self.rooms.iter().find(|room| room.name.eq_ignore_ascii_case(name))
    }

    /// The room that is dialled so.
    #[must_use]
    pub fn numbered(&self, number: &[u8]) -> Option<&Arc<Room>> {
        let is_its = |room: &&Arc<Room>| room.number.as_ref().is_some_and(|its| its == number);
        self.rooms.iter().find(is_its)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Room>> {
        self.rooms.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }
}
