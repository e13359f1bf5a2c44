//! SIP URIs as PJSIP_PARSE_URI() takes them apart (RFC 3261 §19.1, §25.1).

use bstr::{BString, ByteSlice};

/// A SIP URI, perhaps with a display name and angle brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Uri<'a> {
    display: BString,
    scheme: &'a [u8],
    user: &'a [u8],
    password: &'a [u8],
    host: &'a [u8],
    port: &'a [u8],
    /// Behind the host, with its leading `;`.
    parameters: &'a [u8],
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UriPart {
    Display,
    Scheme,
    User,
    Password,
    Host,
    Port,
    /// `user=phone` and the like.
    UserParameter,
    Method,
    Transport,
    Ttl,
    LooseRoute,
    Maddr,
}

impl UriPart {
    /// The part of a name, as Asterisk has them.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_slice() {
            b"display" => Self::Display,
            b"scheme" => Self::Scheme,
            b"user" => Self::User,
            b"passwd" => Self::Password,
            b"host" => Self::Host,
            b"port" => Self::Port,
            b"user_param" => Self::UserParameter,
            b"method_param" => Self::Method,
            b"transport_param" => Self::Transport,
            b"ttl_param" => Self::Ttl,
            b"lr_param" => Self::LooseRoute,
            b"maddr_param" => Self::Maddr,
            _ => return None,
        })
    }
}

impl<'a> Uri<'a> {
    /// Takes a URI apart; `None` when it is none of SIP.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let (display, uri) = match angle(text) {
            Some(open) => {
                let close = text[open..].find_byte(b'>')?;
                (display_name(text[..open].trim_ascii()), &text[open + 1..open + close])
            }
            None => (BString::default(), text),
        };
        let (scheme, rest) = uri.split_once_str(":")?;
        if !scheme.eq_ignore_ascii_case(b"sip") && !scheme.eq_ignore_ascii_case(b"sips") {
            return None;
        }
        let rest = rest.split_once_str("?").map_or(rest, |(rest, _)| rest);
        // A user part may hold `;`: the host begins behind the `@`.
        let (userinfo, rest) = match rest.find_byte(b'@') {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (&b""[..], rest),
        };
        let (user, password) = userinfo.split_once_str(":").unwrap_or((userinfo, b""));
        let end = rest.find_byte(b';').unwrap_or(rest.len());
        let (place, parameters) = rest.split_at(end);
        let (host, port) = match place.strip_prefix(b"[") {
            Some(inner) => {
                let close = inner.find_byte(b']')?;
                let port = inner[close + 1..].strip_prefix(b":").unwrap_or_default();
                (&inner[..close], port)
            }
            None => place.split_once_str(":").unwrap_or((place, b"")),
        };
        let is_port = port.len() <= 5 && port.iter().all(u8::is_ascii_digit);
        let is_host = !host.is_empty() && !host.iter().any(|byte| byte.is_ascii_whitespace());
        (is_host && is_port).then_some(Self {
            display,
            scheme,
            user,
            password,
            host,
            port,
            parameters,
        })
    }

    /// A part of it; empty when it has none.
    pub(super) fn part(&self, part: UriPart) -> BString {
        match part {
            UriPart::Display => self.display.clone(),
            UriPart::Scheme => self.scheme.into(),
            UriPart::User => self.user.into(),
            UriPart::Password => self.password.into(),
            UriPart::Host => self.host.into(),
            UriPart::Port => self.port.into(),
            UriPart::UserParameter => self.parameter("user").unwrap_or_default(),
            UriPart::Method => self.parameter("method").unwrap_or_default(),
            UriPart::Transport => self.parameter("transport").unwrap_or_default(),
            UriPart::Ttl => self.parameter("ttl").unwrap_or_default(),
            UriPart::LooseRoute => {
                if self.parameter("lr").is_some() {
                    "1".into()
                } else {
                    "0".into()
                }
            }
            UriPart::Maddr => self.parameter("maddr").unwrap_or_default(),
        }
    }

    fn parameter(&self, wanted: &str) -> Option<BString> {
        self.parameters.split(|byte| *byte == b';').find_map(|pair| {
            let (name, value) = pair.split_once_str("=").unwrap_or((pair, b""));
            name.trim_ascii()
                .eq_ignore_ascii_case(wanted.as_bytes())
                .then(|| value.trim_ascii().into())
        })
    }
}

/// Where `<` opens, quoted texts passed over.
fn angle(text: &[u8]) -> Option<usize> {
    let mut is_quoted = false;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' if is_quoted => at += 1,
            b'<' if !is_quoted => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// A display name without its quotes and escapes.
fn display_name(text: &[u8]) -> BString {
    let Some(inner) = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")) else {
        return text.into();
    };
    let mut name = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => name.extend(bytes.next()),
            other => name.push(*other),
        }
    }
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_uri_is_found() {
        let uri = Uri::parse(
            br#""Doe, \"J\"" <sips:bob;x=1:pw@[2001:db8::1]:5062;transport=tls;lr;user=phone?a=b>;tag=1"#,
        )
        .expect("a URI");
        let part =
            |name: &str| uri.part(UriPart::named(name.as_bytes()).expect("known")).to_string();
        assert_eq!(part("display"), r#"Doe, "J""#);
        assert_eq!(part("scheme"), "sips");
        assert_eq!(part("user"), "bob;x=1");
        assert_eq!(part("passwd"), "pw");
        assert_eq!(part("host"), "2001:db8::1");
        assert_eq!(part("port"), "5062");
        assert_eq!(part("transport_param"), "tls");
        assert_eq!(part("lr_param"), "1");
        assert_eq!(part("user_param"), "phone");
        assert_eq!(part("maddr_param"), "");
    }

    #[test]
    fn what_is_no_sip_uri_is_refused() {
        for text in ["", "tel:+1", "sip:", "<sip:a@b", "a@b", "sip:a@b:port", "sip:a b"] {
            assert_eq!(Uri::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Uri::parse(b"sip:h").expect("a URI").part(UriPart::Host), "h");
    }
}
