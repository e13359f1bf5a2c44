//! Bytes to [`SessionDescription`] (RFC 8866 §5, §9).
//!
//! Tolerant where phones are sloppy (line order within a section, bare line feeds, blanks at line
//! ends, unknown lines), strict where meaning depends on it. Every count is bounded.

use std::net::IpAddr;

use super::description::{
    Attribute, Connection, ConnectionAddress, MediaDescription, MediaKind, Origin,
    SessionDescription,
};

/// Why a body is no session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// It does not begin with `v=0`.
    #[error("session description does not begin with v=0")]
    Version,
    /// Not UTF-8, or a control character.
    #[error("session description is not text")]
    NotText,
    /// A line that is not `letter=value`.
    #[error("malformed line in session description")]
    Line,
    /// The `o=` line is missing or malformed.
    #[error("malformed origin in session description")]
    Origin,
    /// A malformed `c=` line.
    #[error("malformed connection in session description")]
    Connection,
    /// A malformed `m=` line.
    #[error("malformed media line in session description")]
    Media,
    /// More lines, streams or formats than allowed.
    #[error("session description exceeds a limit")]
    TooLarge,
}

/// Lines in all. Browsers offer some 200 with their candidates.
const MAX_LINES: usize = 1024;
/// Streams.
const MAX_MEDIA: usize = 16;
/// Formats of one stream.
const MAX_FORMATS: usize = 64;

impl SessionDescription {
    /// Reads a description that is all of `body`.
    ///
    /// # Errors
    /// Says what is malformed. What it does not know it skips.
    pub fn parse(body: &[u8]) -> Result<Self, SdpError> {
        let text = std::str::from_utf8(body).map_err(|_| SdpError::NotText)?;
        let mut lines = text.split('\n').map(str::trim_end).filter(|line| !line.is_empty());
        if lines.next() != Some("v=0") {
            return Err(SdpError::Version);
        }
        let mut reader = Reader::default();
        for (count, line) in lines.enumerate() {
            if count >= MAX_LINES {
                return Err(SdpError::TooLarge);
            }
            if line.chars().any(|c| c.is_control() && c != '\t') {
                return Err(SdpError::NotText);
            }
            reader.read(line)?;
        }
        reader.finish()
    }
}

#[derive(Default)]
struct Reader {
    origin: Option<Origin>,
    name: Option<String>,
    connection: Option<Connection>,
    attributes: Vec<Attribute>,
    media: Vec<MediaDescription>,
}

impl Reader {
    fn read(&mut self, line: &str) -> Result<(), SdpError> {
        let (kind, value) = match line.as_bytes() {
            [kind, b'=', ..] if kind.is_ascii_alphabetic() => {
                (*kind, line.get(2..).unwrap_or_default().trim_start())
            }
            _ => return Err(SdpError::Line),
        };
        match kind {
            b'o' if self.media.is_empty() => {
                self.origin = Some(origin(value).ok_or(SdpError::Origin)?);
            }
            b's' if self.media.is_empty() => self.name = Some(value.to_owned()),
            b'c' => {
                let connection = connection(value).ok_or(SdpError::Connection)?;
                // A stream with several lines is layered multicast: the first is the base layer.
                match self.media.last_mut() {
                    Some(media) => media.connection.get_or_insert(connection),
                    None => self.connection.get_or_insert(connection),
                };
            }
            b'a' => {
                let attribute = match value.split_once(':') {
                    Some((name, value)) => Attribute::new(name, value),
                    None => Attribute::flag(value),
                };
                match self.media.last_mut() {
                    Some(media) => media.attributes.push(attribute),
                    None => self.attributes.push(attribute),
                }
            }
            b'm' => {
                if self.media.len() >= MAX_MEDIA {
                    return Err(SdpError::TooLarge);
                }
                self.media.push(media(value)?);
            }
            // Times, bandwidth, keys, contact details: nothing here depends on them.
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<SessionDescription, SdpError> {
        let description = SessionDescription {
            origin: self.origin.ok_or(SdpError::Origin)?,
            name: self.name.filter(|name| !name.is_empty()).unwrap_or_else(|| "-".to_owned()),
            connection: self.connection,
            attributes: self.attributes,
            media: self.media,
        };
        // Each stream in use needs an address from somewhere (RFC 8866 §5.7).
        let has_address =
            |media: &MediaDescription| media.port == 0 || description.connection(media).is_some();
        if !description.media.iter().all(has_address) {
            return Err(SdpError::Connection);
        }
        Ok(description)
    }
}

fn origin(value: &str) -> Option<Origin> {
    // From the right: user names with blanks have been seen.
    let mut words = value.rsplitn(5, ' ').map(str::trim);
    let address = words.next()?;
    let kind = words.next()?;
    let network = words.next()?;
    let version = words.next()?;
    let (username, session_id) = words.next()?.trim_end().rsplit_once(' ')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(session_id) && is_number(version)).then_some(())?;
    Some(Origin {
        username: username.trim().to_owned(),
        session_id: session_id.to_owned(),
        version: version.to_owned(),
        address: connection_of(network, kind, address)?,
    })
}

fn connection(value: &str) -> Option<Connection> {
    let mut words = value.split_ascii_whitespace();
    let found = connection_of(words.next()?, words.next()?, words.next()?)?;
    words.next().is_none().then_some(found)
}

fn connection_of(network: &str, kind: &str, address: &str) -> Option<Connection> {
    let is_ipv6 = match kind {
        _ if !network.eq_ignore_ascii_case("IN") => return None,
        kind if kind.eq_ignore_ascii_case("IP4") => false,
        kind if kind.eq_ignore_ascii_case("IP6") => true,
        _ => return None,
    };
    // The rest is the time to live and the number of multicast groups.
    let address = address.split('/').next()?;
    let address = match address.parse::<IpAddr>() {
        Ok(ip) if ip.is_ipv6() == is_ipv6 => ConnectionAddress::Ip(ip),
        Ok(_) => return None,
        Err(_) if is_name(address) => ConnectionAddress::Name(address.to_owned()),
        Err(_) => return None,
    };
    Some(Connection { address, is_ipv6 })
}

fn is_name(text: &str) -> bool {
    // A name of digits and dots only is a broken address.
    text.bytes().any(|b| b.is_ascii_alphabetic())
        && text.len() <= 255
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

fn media(value: &str) -> Result<MediaDescription, SdpError> {
    let mut words = value.split_ascii_whitespace();
    let mut word = || words.next().ok_or(SdpError::Media);
    let kind = match word()? {
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        other => MediaKind::Other(other.to_owned()),
    };
    // `port/count` is for hierarchical encodings; only the first port counts here.
    let port = word()?.split('/').next().and_then(|text| text.parse().ok());
    let port = port.ok_or(SdpError::Media)?;
    let protocol = word()?.to_owned();
    let mut formats = Vec::new();
    for format in words {
        if formats.len() >= MAX_FORMATS {
            return Err(SdpError::TooLarge);
        }
        formats.push(format.to_owned());
    }
    if formats.is_empty() {
        return Err(SdpError::Media);
    }
    Ok(MediaDescription { kind, port, protocol, formats, connection: None, attributes: vec![] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Direction;

    const PHONE: &str = "v=0\r\n\
        o=jdoe 2890844526 2890842807 IN IP4 192.0.2.5\r\n\
        s=SDP Seminar\r\n\
        c=IN IP4 192.0.2.10/127\r\n\
        t=2873397496 2873404696\r\n\
        a=recvonly\r\n\
        m=audio 49170 RTP/AVP 0 8 101\r\n\
        a=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-15\r\n\
        a=ptime:20\r\n\
        m=video 51372/2 RTP/AVP 99\r\n\
        c=IN IP6 2001:db8::1\r\n\
        a=sendrecv\r\n";

    fn with(from: &str, to: &str) -> Result<SessionDescription, SdpError> {
        assert!(PHONE.contains(from));
        SessionDescription::parse(PHONE.replace(from, to).as_bytes())
    }

    #[test]
    fn sections_keep_what_belongs_to_them() {
        let description = SessionDescription::parse(PHONE.as_bytes()).unwrap();
        assert_eq!(description.origin.session_id, "2890844526");
        let [audio, video] = &description.media[..] else { panic!("two streams") };
        assert_eq!(audio.formats, ["0", "8", "101"]);
        assert_eq!(audio.attribute("fmtp"), Some("101 0-15"));
        assert_eq!(description.direction(audio), Direction::ReceiveOnly);
        assert_eq!(description.direction(video), Direction::SendReceive);
        let ip = |media| description.connection(media).unwrap().ip().unwrap().to_string();
        assert_eq!((ip(audio), ip(video)), ("192.0.2.10".into(), "2001:db8::1".into()));
        assert_eq!(video.port, 51372);
    }

    #[test]
    fn line_feeds_blanks_and_unknown_lines_are_tolerated() {
        let text = PHONE.replace("\r\n", " \n").replace("t=", "z=x\nt=");
        let description = SessionDescription::parse(text.as_bytes()).unwrap();
        assert_eq!(description, SessionDescription::parse(PHONE.as_bytes()).unwrap());
    }

    #[test]
    fn malformed_descriptions_are_refused_by_kind() {
        for (from, to, error) in [
            ("v=0", "v=1", SdpError::Version),
            ("o=jdoe 2890844526", "o=jdoe x", SdpError::Origin),
            ("o=jdoe 2890844526 2890842807 IN IP4 192.0.2.5\r\n", "", SdpError::Origin),
            ("c=IN IP4 192.0.2.10/127", "c=IN IP4 2001:db8::1", SdpError::Connection),
            ("c=IN IP4 192.0.2.10/127", "c=IN IP4 300.1.1.1", SdpError::Connection),
            ("c=IN IP4 192.0.2.10/127\r\n", "", SdpError::Connection),
            ("m=audio 49170 RTP/AVP 0 8 101", "m=audio 49170 RTP/AVP", SdpError::Media),
            ("m=audio 49170 ", "m=audio 70000 ", SdpError::Media),
            ("m=audio 49170 ", "m=audio -1 ", SdpError::Media),
            ("a=ptime:20", "ptime", SdpError::Line),
            ("a=ptime:20", "a=ptime\u{1}", SdpError::NotText),
        ] {
            assert_eq!(with(from, to), Err(error), "{to:?}");
        }
        assert_eq!(SessionDescription::parse(b""), Err(SdpError::Version));
        assert_eq!(SessionDescription::parse(b"v=0\r\n\xff"), Err(SdpError::NotText));
    }

    #[test]
    fn counts_are_bounded() {
        let formats = "1 ".repeat(65);
        assert_eq!(with("RTP/AVP 0 8 101", &format!("RTP/AVP {formats}")), Err(SdpError::TooLarge));
        let streams = "m=audio 0 RTP/AVP 0\r\n".repeat(17);
        assert_eq!(with("a=recvonly\r\n", &streams), Err(SdpError::TooLarge));
        let lines = "a=x\r\n".repeat(1100);
        assert_eq!(with("a=recvonly\r\n", &lines), Err(SdpError::TooLarge));
    }
}
