//! [`SessionDescription`] to bytes, in the order RFC 8866 §5 lays down.

use std::fmt::{self, Write as _};

use bytes::Bytes;

use super::description::{Attribute, Connection, ConnectionAddress, SessionDescription};

impl SessionDescription {
    /// The description as it goes into a body.
    pub fn to_bytes(&self) -> Bytes {
        let mut text = String::with_capacity(512);
        // Writing to a String does not fail.
        let _ = write!(text, "{self}");
        // Kept for as long as the call: without room to spare.
        text.into_bytes().into_boxed_slice().into()
    }
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Lines(f);
        let origin = &self.origin;
        out.line(format_args!("v=0"))?;
        out.line(format_args!(
            "o={} {} {} {}",
            origin.username, origin.session_id, origin.version, origin.address
        ))?;
        out.line(format_args!("s={}", self.name))?;
        if let Some(connection) = &self.connection {
            out.line(format_args!("c={connection}"))?;
        }
        out.line(format_args!("t=0 0"))?;
        out.attributes(&self.attributes)?;
        for media in &self.media {
            let (kind, port) = (media.kind.as_str(), media.port);
            let formats = Words(&media.formats);
            out.line(format_args!("m={kind} {port} {}{formats}", media.protocol))?;
            if let Some(connection) = &media.connection {
                out.line(format_args!("c={connection}"))?;
            }
            out.attributes(&media.attributes)?;
        }
        Ok(())
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_ipv6 { "IN IP6 " } else { "IN IP4 " })?;
        match &self.address {
            ConnectionAddress::Ip(address) => address.fmt(f),
            ConnectionAddress::Name(name) => f.write_str(name),
        }
    }
}

/// Writes lines; a line end inside a value is written as a blank and cannot begin another line.
struct Lines<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Lines<'_, '_> {
    fn line(&mut self, line: fmt::Arguments<'_>) -> fmt::Result {
        write!(OneLine(self.0), "{line}")?;
        self.0.write_str("\r\n")
    }

    fn attributes(&mut self, attributes: &[Attribute]) -> fmt::Result {
        for Attribute { name, value } in attributes {
            match value {
                Some(value) => self.line(format_args!("a={name}:{value}"))?,
                None => self.line(format_args!("a={name}"))?,
            }
        }
        Ok(())
    }
}

/// Words, each with a blank before it.
struct Words<'a>(&'a [String]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| write!(f, " {word}"))
    }
}

struct OneLine<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return self.0.write_str(text);
        }
        text.chars()
            .try_for_each(|c| self.0.write_char(if c.is_control() && c != '\t' { ' ' } else { c }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_description_reads_back_the_same() {
        let text = b"v=0\r\no=- 1 2 IN IP6 2001:db8::1\r\ns=x y\r\nc=IN IP4 host.example\r\n\
            t=0 0\r\na=group:BUNDLE 0\r\na=flag\r\nm=audio 4000 RTP/AVP 0 8\r\n\
            c=IN IP4 192.0.2.1\r\na=rtpmap:0 PCMU/8000\r\nm=image 0 udptl t38\r\n";
        let description = SessionDescription::parse(text).unwrap();
        assert_eq!(description.to_bytes(), &text[..]);
        assert_eq!(SessionDescription::parse(&description.to_bytes()).unwrap(), description);
    }

    #[test]
    fn value_cannot_begin_another_line() {
        let mut description =
            SessionDescription::parse(b"v=0\r\no=- 1 2 IN IP4 h\r\ns=-\r\nt=0 0\r\n").unwrap();
        description.name = "a\r\nm=audio 1 RTP/AVP 0".into();
        assert!(SessionDescription::parse(&description.to_bytes()).unwrap().media.is_empty());
    }
}
