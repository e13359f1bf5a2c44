//! What REFER asks for and what is told about it: Refer-To, Replaces, Referred-By, `sipfrag`.
//!
//! RFC 3515 (REFER), RFC 3891 (Replaces), RFC 3892 (Referred-By), RFC 4488 (Refer-Sub). Text only:
//! the implicit subscription is in `invite::referral`, finding the call that Replaces names is
//! [`Endpoint::replaced_call`](super::Endpoint::replaced_call).

use std::fmt;
use std::time::Duration;

use super::event::Body;
use super::header::Params;
use super::uri::decode;
use super::{
    CallId, HeaderName, Method, NameAddr, Request, Scheme, StatusCode, Tag, Uri, UriRef, grammar,
};

/// What a REFER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refer {
    /// Whom to send a request to: the Refer-To URI without its headers and `method`.
    pub target: Uri,
    /// Which request; INVITE unless the URI says otherwise.
    pub method: Method,
    /// The call that the new one is to replace: an attended transfer.
    pub replaces: Option<Replaces>,
    /// Who refers, as it says itself.
    pub referred_by: Option<NameAddr>,
    /// Whether the referrer wants to hear of the progress.
    pub reports: Reports,
}

/// Whether a REFER makes a subscription (RFC 4488 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reports {
    /// It does, as RFC 3515 has it.
    Wanted,
    /// `Refer-Sub: false`: the referrer does not want to hear more than the answer.
    Declined,
}

/// The dialog that an INVITE is to take the place of (RFC 3891 §6.1), as its receiver sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Its Call-ID.
    pub call_id: CallId,
    /// The tag of who receives the Replaces.
    pub to_tag: Tag,
    /// The tag of the other side.
    pub from_tag: Tag,
    /// Which states of the dialog will do.
    pub replaceable: Replaceable,
}

/// Which dialogs a Replaces is meant for (RFC 3891 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaceable {
    /// An early or a confirmed one.
    Any,
    /// `early-only`: one that is not answered yet.
    EarlyOnly,
}

/// What a NOTIFY tells about a REFER of ours (RFC 3515 §2.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How far the referred request has come.
    pub status: StatusCode,
    /// Whether more is to come.
    pub is_last: bool,
}

impl Refer {
    /// Reads a REFER.
    ///
    /// # Errors
    /// With the status to refuse it with: 400 unless there is exactly one Refer-To that can be read
    /// (RFC 3515 §2.4.2) and a readable Replaces in it, 416 for a URI that is neither `sip`, `sips`
    /// nor `tel`.
    pub fn read(request: &Request) -> Result<Self, StatusCode> {
        if request.elements(HeaderName::ReferTo).count() != 1 {
            return Err(StatusCode::BAD_REQUEST);
        }
        let refer_to = request.address(HeaderName::ReferTo).ok_or(StatusCode::BAD_REQUEST)?;
        let uri = refer_to.uri();
        if uri.scheme() == Scheme::Other {
            return Err(StatusCode::UNSUPPORTED_URI_SCHEME);
        }
        let replaces = uri.headers().find(|(name, _)| name.eq_ignore_ascii_case("Replaces"));
        let replaces = match replaces {
            None => None,
            Some((_, value)) => {
                let value = decode(value.as_bytes());
                Some(Replaces::parse(&value).ok_or(StatusCode::BAD_REQUEST)?)
            }
        };
        let method = match uri.parameter("method") {
            None => Method::Invite,
            Some(name) => Method::parse(name.as_bytes()).ok_or(StatusCode::BAD_REQUEST)?,
        };
        let declined = request
            .text(HeaderName::ReferSub)
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
        Ok(Self {
            target: bare(uri).ok_or(StatusCode::BAD_REQUEST)?,
            method,
            replaces,
            referred_by: request.address(HeaderName::ReferredBy).map(|by| by.to_owned()),
            reports: if declined { Reports::Declined } else { Reports::Wanted },
        })
    }
}

impl Replaces {
    /// Reads a Replaces value; one with a tag missing means nothing (RFC 3891 §6.1).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let value = grammar::trim(value);
        let end = memchr::memchr(b';', value)?;
        let (call_id, params) = value.split_at_checked(end)?;
        let params = Params::parse(params)?;
        Some(Self {
            call_id: CallId::parse(grammar::text(grammar::trim(call_id))?)?,
            to_tag: Tag::parse(params.get("to-tag")?)?,
            from_tag: Tag::parse(params.get("from-tag")?)?,
            replaceable: match params.has("early-only") {
                true => Replaceable::EarlyOnly,
                false => Replaceable::Any,
            },
        })
    }

    /// Reads the Replaces of an INVITE.
    ///
    /// # Errors
    /// 400 when there is more than one or it cannot be read (RFC 3891 §3).
    pub fn read(request: &Request) -> Result<Option<Self>, StatusCode> {
        let mut values = request.values(HeaderName::Replaces);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Self::parse(value).map(Some).ok_or(StatusCode::BAD_REQUEST),
            (Some(_), Some(_)) => Err(StatusCode::BAD_REQUEST),
        }
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call_id, to_tag, from_tag, replaceable } = self;
        let (call_id, to, from) = (call_id.as_str(), to_tag.as_str(), from_tag.as_str());
        write!(f, "{call_id};to-tag={to};from-tag={from}")?;
        match replaceable {
            Replaceable::Any => Ok(()),
            Replaceable::EarlyOnly => f.write_str(";early-only"),
        }
    }
}

impl Report {
    /// Reads a NOTIFY about a REFER; `None` when it is about something else or holds no status.
    pub fn read(notify: &Request) -> Option<Self> {
        let event = notify.text(HeaderName::Event)?.split(';').next()?.trim();
        let is_sipfrag = notify.content_type()?.is("message", "sipfrag");
        if !event.eq_ignore_ascii_case("refer") || !is_sipfrag {
            return None;
        }
        let line = notify.body().split(|&b| b == b'\r' || b == b'\n').next()?;
        let code = line.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
        let status = StatusCode::new(grammar::number(code)?.try_into().ok()?)?;
        let state = notify.text(HeaderName::SubscriptionState).unwrap_or_default();
        let is_last = state.split(';').next()?.trim().eq_ignore_ascii_case("terminated");
        Some(Self { status, is_last })
    }
}

/// A status line as the body of a NOTIFY (RFC 3515 §2.4.5).
pub(crate) fn sipfrag(status: StatusCode) -> Body {
    Body {
        content_type: SIPFRAG.into(),
        bytes: format!("SIP/2.0 {} {}\r\n", status.code(), status.reason()).into(),
    }
}

/// A Refer-To URI as a Request-URI: without headers and without `method` (RFC 3261 §19.1.5).
fn bare(uri: UriRef<'_>) -> Option<Uri> {
    let text = uri.as_str();
    let text = text.split_once('?').map_or(text, |(before, _)| before);
    let parameters = uri.parameters_str();
    if parameters.is_empty() {
        return Uri::parse(text).ok();
    }
    let mut bare = text.strip_suffix(parameters)?.strip_suffix(';')?.to_owned();
    for parameter in parameters.split(';') {
        let name = parameter.split('=').next().unwrap_or_default();
        if !name.is_empty() && !name.eq_ignore_ascii_case("method") {
            bare.push(';');
            bare.push_str(parameter);
        }
    }
    Uri::parse(&bare).ok()
}

/// The body type of reports.
const SIPFRAG: &str = "message/sipfrag;version=2.0";

/// How long a referrer hears of the progress, and a referred request may take.
pub(crate) const REPORTING: Duration = Duration::from_secs(180);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Limits, Message};

    fn request(method: &str, headers: &str) -> Request {
        let text = format!(
            "{method} sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n{headers}\r\n"
        );
        match Message::parse(text.into(), &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn blind_transfer_names_a_target_only() {
        let refer = Refer::read(&request(
            "REFER",
            "Refer-To: \"Carol\" <sip:carol;phone-context=x@h;transport=tcp;method=INVITE?Subject=hi>\r\nReferred-By: <sip:a@h>\r\n",
        ))
        .expect("whole");
        assert_eq!(refer.target.as_str(), "sip:carol;phone-context=x@h;transport=tcp");
        assert_eq!((refer.method, refer.replaces), (Method::Invite, None));
        assert_eq!(refer.referred_by.expect("named").uri().as_str(), "sip:a@h");
        assert_eq!(refer.reports, Reports::Wanted);
    }

    #[test]
    fn attended_transfer_holds_an_escaped_replaces() {
        let refer = Refer::read(&request(
            "REFER",
            "Refer-To: <sip:carol@h?Replaces=98@h%3Bto-tag%3D11%3Bfrom-tag%3D22%3Bearly-only>\r\nRefer-Sub: false\r\n",
        ))
        .expect("whole");
        let replaces = refer.replaces.expect("named");
        assert_eq!(replaces.to_string(), "98@h;to-tag=11;from-tag=22;early-only");
        assert_eq!(Replaces::parse(replaces.to_string().as_bytes()), Some(replaces));
        assert_eq!(refer.reports, Reports::Declined);
    }

    #[test]
    fn refer_that_cannot_be_carried_out_says_why() {
        for (headers, status) in [
            ("", 400),
            ("Refer-To: <sip:a@h>, <sip:b@h>\r\n", 400),
            ("Refer-To: <sip:a@h?Replaces=x%3Bto-tag%3D1>\r\n", 400),
            ("Refer-To: <sip:a@h?Replaces=x>\r\n", 400),
            ("Refer-To: <http://h/>\r\n", 416),
        ] {
            let refused = Refer::read(&request("REFER", headers)).expect_err(headers);
            assert_eq!(refused.code(), status, "{headers}");
        }
    }

    #[test]
    fn replaces_stands_once_with_both_tags() {
        let read = |headers: &str| Replaces::read(&request("INVITE", headers));
        assert_eq!(read(""), Ok(None));
        let one = "Replaces: 9@h;from-tag=2;to-tag=1\r\n";
        let replaces = read(one).expect("readable").expect("there");
        assert_eq!((replaces.to_tag.as_str(), replaces.from_tag.as_str()), ("1", "2"));
        assert_eq!(replaces.replaceable, Replaceable::Any);
        for bad in ["Replaces: 9@h\r\n", "Replaces: 9@h;to-tag=1\r\n"] {
            assert_eq!(read(bad), Err(StatusCode::BAD_REQUEST), "{bad}");
        }
    }

    #[test]
    fn report_is_read_back_as_it_was_written() {
        let notify = |state: &str, body: &Body| {
            let headers = format!("Event: refer;id=7\r\nSubscription-State: {state}\r\n");
            request("NOTIFY", &headers).with_body(&body.content_type, body.bytes.clone())
        };
        let ringing = notify("active;expires=60", &sipfrag(StatusCode::RINGING));
        let report = Report { status: StatusCode::RINGING, is_last: false };
        assert_eq!(Report::read(&ringing), Some(report));
        let busy = notify("terminated;reason=noresource", &sipfrag(StatusCode::BUSY_HERE));
        let report = Report { status: StatusCode::BUSY_HERE, is_last: true };
        assert_eq!(Report::read(&busy), Some(report));
        for nonsense in [&b""[..], b"SIP/2.0", b"SIP/2.0 9", b"SIP/2.0 099 x", b"SIP/2.0 abc"] {
            let body = Body {
                content_type: SIPFRAG.into(),
                bytes: bytes::Bytes::copy_from_slice(nonsense),
            };
            assert_eq!(Report::read(&notify("active", &body)), None);
        }
    }
}
