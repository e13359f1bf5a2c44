//! Rooms that are mixed on another server.

use bstr::BString;

use super::Room;

/// Where a room is mixed when that is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaServer {
    /// The address without the user part, which is the room's number or name: `sip:host:8201`.
    pub address: BString,
    /// The endpoint of `pjsip.conf` as which it is called.
    pub endpoint: BString,
    /// What is done when it does not answer.
    pub fallback: Fallback,
}

impl MediaServer {
    /// What is dialled there for a room, behind `PJSIP/`.
    #[must_use]
    pub fn resource(&self, room: &Room) -> BString {
        let user = room.number.as_ref().unwrap_or(&room.name);
        let (scheme, rest) = match self.address.iter().position(|byte| *byte == b':') {
            Some(at) => self.address.split_at(at + 1),
            None => (&b"sip:"[..], self.address.as_slice()),
        };
        let parts: [&[u8]; 6] = [&self.endpoint, b"/", scheme, user, b"@", rest];
        parts.concat().into()
    }
}

/// What is done when the media server does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fallback {
    /// It is said so.
    #[default]
    None,
    /// The room is mixed here.
    Local,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::videoshare::Person;

    #[test]
    fn the_media_server_is_asked_for_the_room() {
        let mut room = Room::new("board", Person::new("1001"));
        let server = |address: &str| MediaServer {
            address: address.into(),
            endpoint: "media".into(),
            fallback: Fallback::None,
        };
        assert_eq!(server("sip:mix:8201").resource(&room), "media/sip:board@mix:8201");
        room.number = Some("8200".into());
        assert_eq!(server("sips:mix").resource(&room), "media/sips:8200@mix");
    }
}
