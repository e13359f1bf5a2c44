//! Reliable provisional responses (RFC 3262): what a call wants of them, and the words of PRACK.
//!
//! Knows headers alone. Sending, repeating and acknowledging is `invite`'s.

use super::session_timer::Refusal;
use super::{HeaderName, Headers, Method, Request, StatusCode};

/// Whether provisional responses other than 100 are acknowledged, so that ringing and early media
/// survive loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReliableProvisional {
    /// Never: a caller that requires it gets 420.
    #[default]
    Off,
    /// If the caller requires it; a callee may do it.
    IfRequired,
    /// If the caller supports it; a callee may do it.
    IfSupported,
    /// A caller that does not support it gets 421, and a callee that does not is not called.
    Required,
}

/// How the provisional responses to one INVITE go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sending {
    /// As they are.
    #[default]
    Unreliable,
    /// Acknowledged where that is possible: the caller only supports it.
    Supported,
    /// Acknowledged, each of them: the caller requires it.
    Required,
}

impl ReliableProvisional {
    /// Whether the first INVITE suits us, and how its provisional responses go out
    /// (RFC 3262 §3).
    pub(crate) fn check(self, request: &Request) -> Result<Sending, Refusal> {
        let mut headers = Headers::default();
        if request.requires(OPTION) {
            if self == Self::Off {
                headers.push(HeaderName::Unsupported, OPTION);
                return Err((StatusCode::BAD_EXTENSION, headers));
            }
            return Ok(Sending::Required);
        }
        let is_supported = request.supports(OPTION);
        match self {
            Self::IfSupported | Self::Required if is_supported => Ok(Sending::Supported),
            Self::Required => {
                headers.push(HeaderName::Require, OPTION);
                Err((StatusCode::EXTENSION_REQUIRED, headers))
            }
            Self::Off | Self::IfRequired | Self::IfSupported => Ok(Sending::Unreliable),
        }
    }

    /// Adds what the first INVITE says of it (RFC 3262 §4).
    pub(crate) fn write_invite(self, headers: &mut Headers) {
        match self {
            Self::Off => {}
            Self::IfRequired | Self::IfSupported => headers.push(HeaderName::Supported, OPTION),
            Self::Required => headers.push(HeaderName::Require, OPTION),
        }
    }
}

/// What a PRACK acknowledges (RFC 3262 §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RAck {
    pub(crate) rseq: u32,
    pub(crate) cseq: u32,
    pub(crate) method: Method,
}

impl RAck {
    /// What a PRACK says.
    pub(crate) fn read(message: &Headers) -> Option<Self> {
        let mut words = message.text(HeaderName::RAck)?.split_ascii_whitespace();
        let (rseq, cseq) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let method = Method::parse(words.next()?.as_bytes())?;
        words.next().is_none().then_some(Self { rseq, cseq, method })
    }

    /// The header's value.
    pub(crate) fn write(&self) -> String {
        format!("{} {} {}", self.rseq, self.cseq, self.method)
    }
}

/// The number of a reliable provisional response; `None` when it can not be read (RFC 3262 §7.1).
pub(crate) fn rseq(message: &Headers) -> Option<u32> {
    let number = message.number(HeaderName::RSeq)?;
    u32::try_from(number).ok().filter(|number| *number > 0)
}

/// The option tag.
pub(crate) const OPTION: &str = "100rel";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rack_round_trips_and_nonsense_is_none() {
        let read = |value: &str| {
            let mut headers = Headers::default();
            headers.push(HeaderName::RAck, value);
            RAck::read(&headers)
        };
        let known = read("776656  1 INVITE").expect("readable");
        assert_eq!((known.rseq, known.cseq, &known.method), (776_656, 1, &Method::Invite));
        assert_eq!(known.write(), "776656 1 INVITE");
        for nonsense in ["", "1", "1 2", "1 2 INVITE x", "-1 2 INVITE", "1 4294967296 INVITE"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
