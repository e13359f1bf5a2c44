//! A session description as a value: what `parse` makes and `write` writes.

use std::net::IpAddr;
use std::time::Duration;

use crate::media::Direction;

/// A whole session description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDescription {
    /// Who made it, and which version this is.
    pub origin: Origin,
    /// The subject; `-` when there is none.
    pub name: String,
    /// The address of all media that have none of their own.
    pub connection: Option<Connection>,
    /// Attributes of the whole session.
    pub attributes: Vec<Attribute>,
    /// The media lines, in order: offer and answer correspond by position.
    pub media: Vec<MediaDescription>,
}

/// The `o=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The user's name on the originating host, mostly `-`.
    pub username: String,
    /// Unique with the address; numbers, but kept as text since some are longer than 64 bits.
    pub session_id: String,
    /// Goes up with each change.
    pub version: String,
    /// The originating host.
    pub address: Connection,
}

/// A `c=` line, or the end of an `o=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The address or name.
    pub address: ConnectionAddress,
    /// `IP6` rather than `IP4`; follows from an address, but must be said for a name.
    pub is_ipv6: bool,
}

/// An address or a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionAddress {
    /// An address.
    Ip(IpAddr),
    /// A name nobody has looked up.
    Name(String),
}

/// One `a=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Before the colon.
    pub name: String,
    /// After the colon, if there is one.
    pub value: Option<String>,
}

/// One `m=` line and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaDescription {
    /// Audio, video, ..
    pub kind: MediaKind,
    /// Where media is received; 0 refuses the stream.
    pub port: u16,
    /// The transport, such as `RTP/AVP`.
    pub protocol: String,
    /// Payload types, or whatever the protocol calls its formats, best first. Never empty.
    pub formats: Vec<String>,
    /// The stream's own address.
    pub connection: Option<Connection>,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
}

/// The first word of an `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// `audio`
    Audio,
    /// `video`
    Video,
    /// Anything else: `image`, `application`, `message`, ..
    Other(String),
}

impl Connection {
    /// The line for an address.
    pub fn new(address: IpAddr) -> Self {
        Self { address: ConnectionAddress::Ip(address), is_ipv6: address.is_ipv6() }
    }

    /// The address, unless it is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.address {
            ConnectionAddress::Ip(address) => Some(address),
            ConnectionAddress::Name(_) => None,
        }
    }
}

impl Attribute {
    /// `a=name:value`
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: Some(value.into()) }
    }

    /// `a=name`
    pub fn flag(name: &str) -> Self {
        Self { name: name.to_owned(), value: None }
    }
}

impl MediaKind {
    /// As written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Other(name) => name,
        }
    }
}

impl MediaDescription {
    /// The value of the first attribute of that name; empty for a flag.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        find(&self.attributes, name)
    }

    /// What payload type `format` stands for by its `rtpmap`: encoding name, clock rate, channels.
    pub fn rtpmap(&self, format: &str) -> Option<(&str, u32, u32)> {
        let maps = self.attributes.iter().filter(|attribute| attribute.name == "rtpmap");
        let mut encodings = maps.filter_map(|attribute| {
            let (number, encoding) = attribute.value.as_deref()?.split_once(' ')?;
            (number == format).then(|| encoding.trim())
        });
        let mut parts = encodings.next()?.split('/');
        let name = parts.next()?;
        let rate = parts.next()?.parse().ok()?;
        let channels = parts.next().map_or(Some(1), |channels| channels.parse().ok())?;
        Some((name, rate, channels))
    }

    /// The parameters of payload type `number`, from its `fmtp`.
    pub fn parameters(&self, number: u8) -> impl Iterator<Item = &str> {
        let all = self.attributes.iter().filter(|attribute| attribute.name == "fmtp");
        let own = all.filter_map(move |attribute| {
            let (format, parameters) = attribute.value.as_deref()?.split_once(' ')?;
            (format.parse() == Ok(number)).then_some(parameters)
        });
        own.flat_map(|parameters| parameters.split(';'))
    }

    /// The packet time asked for, held within 10 to 60 ms whatever the peer writes; 20 ms by default.
    pub fn packet_time(&self) -> Duration {
        let asked = self.attribute("ptime").and_then(|text| text.trim().parse::<f64>().ok());
        let longest = self.attribute("maxptime").and_then(|text| text.trim().parse::<f64>().ok());
        // Written as a fraction by some. `as` saturates, so that nothing escapes the clamp.
        let milliseconds = asked.unwrap_or(20.0).min(longest.unwrap_or(60.0)) as u64;
        Duration::from_millis(milliseconds.clamp(10, 60))
    }
}

impl SessionDescription {
    /// Whether it asks for pictures.
    pub fn has_video(&self) -> bool {
        self.media.iter().any(|media| media.kind == MediaKind::Video && media.port != 0)
    }

    /// The direction of a stream, seen from who wrote this: its own attribute, or the session's.
    pub fn direction(&self, media: &MediaDescription) -> Direction {
        let of = |attributes: &[Attribute]| {
            attributes.iter().find_map(|attribute| match attribute.name.as_str() {
                "sendrecv" => Some(Direction::SendReceive),
                "sendonly" => Some(Direction::SendOnly),
                "recvonly" => Some(Direction::ReceiveOnly),
                "inactive" => Some(Direction::Inactive),
                _ => None,
            })
        };
        of(&media.attributes).or_else(|| of(&self.attributes)).unwrap_or_default()
    }

    /// Where a stream is to be sent: its own address, or the session's.
    pub fn connection<'a>(&'a self, media: &'a MediaDescription) -> Option<&'a Connection> {
        media.connection.as_ref().or(self.connection.as_ref())
    }

    /// The value of the first session attribute of that name; empty for a flag.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        find(&self.attributes, name)
    }
}

fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.name == name)?;
    Some(found.value.as_deref().unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audio(attributes: &[Attribute]) -> MediaDescription {
        MediaDescription {
            kind: MediaKind::Audio,
            port: 4000,
            protocol: "RTP/AVP".into(),
            formats: vec!["0".into()],
            connection: None,
            attributes: attributes.to_vec(),
        }
    }

    #[test]
    fn packet_time_never_leaves_its_bounds() {
        for (ptime, expected) in [
            ("20", 20),
            ("30.0", 30),
            ("0", 10),
            ("-5", 10),
            ("4294967296", 60),
            ("NaN", 60),
            ("x", 20),
            ("1e300", 60),
        ] {
            let media = audio(&[Attribute::new("ptime", ptime)]);
            assert_eq!(media.packet_time().as_millis(), expected, "{ptime}");
        }
        let media = audio(&[Attribute::new("ptime", "40"), Attribute::new("maxptime", "30")]);
        assert_eq!(media.packet_time().as_millis(), 30);
    }

    #[test]
    fn rtpmap_is_read_with_and_without_channels() {
        let media = audio(&[
            Attribute::new("rtpmap", "0 PCMU/8000"),
            Attribute::new("rtpmap", "111 opus/48000/2"),
            Attribute::new("rtpmap", "96 broken"),
        ]);
        assert_eq!(media.rtpmap("0"), Some(("PCMU", 8000, 1)));
        assert_eq!(media.rtpmap("111"), Some(("opus", 48000, 2)));
        assert_eq!(media.rtpmap("96"), None);
        assert_eq!(media.rtpmap("8"), None);
    }
}
