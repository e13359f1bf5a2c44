//! What SUBSCRIBE asks for and how a subscription ends (RFC 6665).
//!
//! Text and terms only: the notifier's machine is in `subscribe::notifier`, what is told of which
//! resource is the application's business.

mod notifier;

use std::fmt;
use std::time::Duration;

pub(crate) use notifier::Subscription;

use super::core::{PathPolicy, ResponsePort};
use super::flow::Flow;
use super::header::Params;
use super::{HeaderName, MediaType, Request, StatusCode, grammar};

/// What a SUBSCRIBE asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The event package: `dialog`, `message-summary`.
    pub package: Box<str>,
    /// What tells it from others of the package in the same dialog (`id`).
    pub id: Option<Box<str>>,
    /// How long it is to last; zero asks for the state once, or ends it.
    pub expires: Option<Duration>,
}

impl Subscribe {
    /// Reads a SUBSCRIBE.
    ///
    /// # Errors
    /// With the status to refuse it with: 489 without an Event (RFC 6665 §8.2.1), 400 when Event or
    /// Expires cannot be read.
    pub fn read(request: &Request) -> Result<Self, StatusCode> {
        let event = request.value(HeaderName::Event).ok_or(StatusCode::BAD_EVENT)?;
        let end = memchr::memchr(b';', event).unwrap_or(event.len());
        let (package, params) = event.split_at(end);
        let package = grammar::trim(package);
        let package = grammar::text(package).filter(|it| grammar::is_token(it.as_bytes()));
        let params = Params::parse(params).ok_or(StatusCode::BAD_REQUEST)?;
        let id = match params.get("id") {
            None => None,
            Some(id) if grammar::is_token(id.as_bytes()) => Some(id.into()),
            Some(_) => return Err(StatusCode::BAD_REQUEST),
        };
        let expires = request.expires();
        if expires.is_none() && request.value(HeaderName::Expires).is_some() {
            return Err(StatusCode::BAD_REQUEST);
        }
        Ok(Self { package: package.ok_or(StatusCode::BAD_REQUEST)?.into(), id, expires })
    }

    /// Whether both are about the same subscription of a dialog (RFC 6665 §4.5.1).
    pub fn is_same(&self, other: &Self) -> bool {
        self.package == other.package && self.id == other.id
    }

    /// Whether the sender takes bodies of this type; who does not say takes those of its package.
    pub fn accepts(request: &Request, media_type: &str) -> bool {
        let Some((kind, subtype)) = media_type.split_once('/') else { return false };
        let mut ranges = request.elements(HeaderName::Accept).peekable();
        if ranges.peek().is_none() {
            return true;
        }
        ranges
            .filter_map(MediaType::parse)
            .any(|range| range.is("*", "*") || range.is(kind, "*") || range.is(kind, subtype))
    }
}

/// The value of Event.
impl fmt::Display for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        self.id.iter().try_for_each(|id| write!(f, ";id={id}"))
    }
}

/// On what terms a subscription is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionTerms {
    /// Where the SUBSCRIBE came from.
    pub flow: Flow,
    /// How the path of NOTIFYs is found.
    pub path: PathPolicy,
    /// Which port responses to later SUBSCRIBEs go to.
    pub response_port: ResponsePort,
    /// How long it may last.
    pub expiration: Expiration,
}

/// How long a subscription may last, and lasts where its sender does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiration {
    /// Less is refused with 423, unless it is an hour or more (RFC 6665 §4.2.1.1).
    pub minimum: Duration,
    /// For who does not say.
    pub default: Duration,
    /// More is cut to this.
    pub maximum: Duration,
}

impl Default for Expiration {
    fn default() -> Self {
        Self {
            minimum: Duration::ZERO,
            default: Duration::from_secs(3600),
            maximum: Duration::from_secs(7200),
        }
    }
}

impl Expiration {
    /// How long a subscription lasts that asks for `wish`; the minimum when that is too brief.
    pub(crate) fn grant(&self, wish: Option<Duration>) -> Result<Duration, Duration> {
        match wish {
            None => Ok(self.default.min(self.maximum)),
            Some(wish) if wish.is_zero() => Ok(wish),
            Some(wish) if wish < self.minimum && wish < AN_HOUR => Err(self.minimum),
            Some(wish) => Ok(wish.min(self.maximum)),
        }
    }
}

const AN_HOUR: Duration = Duration::from_secs(3600);

/// Why the notifier ends a subscription (RFC 6665 §4.2.2), as its last NOTIFY says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termination {
    /// It can subscribe again at once: the notifier goes away.
    Deactivated,
    /// It is no longer allowed to know.
    Rejected,
    /// It was not refreshed, or asked for the end.
    Timeout,
    /// What it watches does not exist any more.
    NoResource,
}

impl Termination {
    /// The value of `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::NoResource => "noresource",
        }
    }
}

/// Why a subscription is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionEnd {
    /// Its last NOTIFY told the subscriber.
    Told(Termination),
    /// The subscriber did not take a NOTIFY: it answered this, or nothing (408).
    NotifyFailed(StatusCode),
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::{Limits, Message};

    fn subscribe(headers: &str) -> Request {
        let text = format!(
            "SUBSCRIBE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
             From: <sip:a@h>;tag=a\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 5 SUBSCRIBE\r\n\
             {headers}Content-Length: 0\r\n\r\n"
        );
        match Message::parse(Bytes::from(text), &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn event_is_a_package_and_an_id() {
        let read = |headers: &str| Subscribe::read(&subscribe(headers));
        let full = read("Event: dialog ;id=7;sla\r\nExpires: 60\r\n").expect("sound");
        assert_eq!((full.to_string(), full.expires), ("dialog;id=7".into(), Some(secs(60))));
        let short = read("o: presence\r\n").expect("sound");
        assert_eq!((short.to_string(), short.expires), ("presence".into(), None));
        assert!(!short.is_same(&full));
        assert_eq!(read(""), Err(StatusCode::BAD_EVENT));
        for bad in [
            "Event: \r\n",
            "Event: a b\r\n",
            "Event: dialog;id=\"a b\"\r\n",
            "Event: dialog\r\nExpires: soon\r\n",
        ] {
            assert_eq!(read(bad), Err(StatusCode::BAD_REQUEST), "{bad}");
        }
    }

    #[test]
    fn bodies_are_those_that_are_accepted() {
        let accepts =
            |headers: &str| Subscribe::accepts(&subscribe(headers), "application/pidf+xml");
        assert!(accepts(""));
        assert!(accepts("Accept: application/xpidf+xml, application/PIDF+xml;q=0.5\r\n"));
        assert!(accepts("Accept: application/*\r\n"));
        assert!(!accepts("Accept: application/xpidf+xml\r\n"));
    }

    #[test]
    fn too_brief_is_refused_and_too_long_is_cut() {
        let expiration = Expiration { minimum: secs(120), default: secs(600), maximum: secs(900) };
        assert_eq!(expiration.grant(None), Ok(secs(600)));
        assert_eq!(expiration.grant(Some(secs(0))), Ok(secs(0)));
        assert_eq!(expiration.grant(Some(secs(119))), Err(secs(120)));
        assert_eq!(expiration.grant(Some(secs(86_400))), Ok(secs(900)));
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }
}
