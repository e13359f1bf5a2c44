//! What is asked of programs outside that hear a channel and speak to it.

use std::time::Duration;

use bstr::BString;

/// Arguments of AudioSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioSocket {
    /// What the program is told the call is.
    pub uuid: [u8; 16],
    /// Where the program listens.
    pub place: ProgramPlace,
}

/// Arguments of AudioFork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioFork {
    /// `ws://..`, `wss://..`, or the name of a connection.
    pub to: BString,
    /// Who said so.
    pub origin: PlaceOrigin,
    /// What the program hears.
    pub hears: ForkSide,
    /// Whether the channel hears the program (option t).
    pub is_two_way: bool,
    /// How it hears (option c); `None` is `slin`.
    pub codec: Option<BString>,
    /// How it is told what happens (option f); `None` is as it is configured.
    pub messages: Option<BString>,
    /// What is added to the query of its URI (option v).
    pub parameters: BString,
}

/// Which side of a channel a fork copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForkSide {
    /// What comes from the channel's peer.
    In,
    /// What goes there.
    Out,
    /// Both, added up.
    Both,
    /// Both, beside each other.
    Apart,
}

/// A Dial of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialProgram {
    /// What was dialled, behind the technology.
    pub resource: BString,
    /// Which program.
    pub program: DialledProgram,
    /// The codec (c); `None` is the channel's.
    pub codec: Option<BString>,
    /// How long it may take until it answers.
    pub timeout: Option<Duration>,
    /// Whether the caller is to hear ringing meanwhile.
    pub rings: bool,
}

/// Which program is dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialledProgram {
    /// `AudioSocket/host:port/uuid`.
    AudioSocket(AudioSocket),
    /// `WebSocket/connection`.
    WebSocket {
        /// The connection's name.
        connection: BString,
        /// How it is told what happens (f); `None` is as it is configured.
        messages: Option<BString>,
        /// What is added to the query of its URI (v).
        parameters: BString,
        /// Whether it answers by a command of its own (n).
        answers_itself: bool,
    },
}

/// Where a program listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramPlace {
    /// A name or an address.
    pub host: BString,
    /// The TCP port.
    pub port: u16,
    /// Whether an operator wrote it so.
    pub origin: PlaceOrigin,
}

/// Who said where a program listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceOrigin {
    /// It stands in the dialplan as it is.
    Written,
    /// It came, or may have come, from a variable: from outside, perhaps.
    Computed,
}

impl ProgramPlace {
    /// Reads `host:port`, an IPv6 address in brackets.
    #[must_use]
    pub fn parse(text: &[u8], origin: PlaceOrigin) -> Option<Self> {
        let colon = text.iter().rposition(|byte| *byte == b':')?;
        let (host, port) = (&text[..colon], &text[colon + 1..]);
        if !port.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let port: u16 = std::str::from_utf8(port).ok()?.parse().ok().filter(|port| *port != 0)?;
        let host = match host {
            [b'[', inside @ .., b']'] => inside,
            plain if plain.contains(&b':') => return None,
            plain => plain,
        };
        let is_plain = !host.is_empty() && host.iter().all(u8::is_ascii_graphic);
        is_plain.then(|| Self { host: host.into(), port, origin })
    }
}

/// Reads a UUID as it is written, with its dashes.
#[must_use]
pub fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != 36 || [8, 13, 18, 23].iter().any(|&at| text.get(at) != Some(&b'-')) {
        return None;
    }
    let mut digits = text.iter().filter(|byte| **byte != b'-');
    let mut digit = || char::from(*digits.next()?).to_digit(16);
    let mut uuid = [0; 16];
    for octet in &mut uuid {
        *octet = u8::try_from((digit()? << 4) | digit()?).ok()?;
    }
    Some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_dashes_where_they_belong() {
        let uuid = parse_uuid(b"40325ec2-5EFD-4bd3-805f-53576e581d13").unwrap();
        assert_eq!((uuid[0], uuid[5], uuid[15]), (0x40, 0xfd, 0x13));
        for text in [
            "",
            "40325ec25efd4bd3805f53576e581d13",
            "40325ec2-5efd-4bd3-805f-53576e581d1g",
            "40325ec2--efd-4bd3-805f-53576e581d13",
        ] {
            assert_eq!(parse_uuid(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_place_has_a_host_and_a_port() {
        let parse = |text: &str| {
            let place = ProgramPlace::parse(text.as_bytes(), PlaceOrigin::Written)?;
            Some((place.host, place.port))
        };
        assert_eq!(parse("[::1]:9019"), Some(("::1".into(), 9019)));
        assert_eq!(parse("robot.example:80"), Some(("robot.example".into(), 80)));
        for text in ["robot", ":80", "robot:0", "robot:65536", "::1:80", "a b:80", "robot:+80"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
