//! Conversions to and from the types of the `rsip` crate, for programs that use it already.
//!
//! Nothing on the wire goes through `rsip`. Whatever it can hold converts without loss of meaning,
//! back and forth; what it cannot hold (extension methods, `tel:` URIs, embedded headers, text that is not
//! UTF-8) is an error, never a changed value.

use rsip::headers::UntypedHeader as _;

use super::grammar;
use super::headers::{FieldRef, Headers};
use super::{HeaderName, Message, Method, Request, Response, Scheme, StatusCode, Uri, UriRef};

/// The value has no counterpart on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConversionError {
    /// An extension method.
    #[error("method has no counterpart")]
    Method,
    /// A URI that would come out different.
    #[error("uri has no counterpart")]
    Uri,
    /// A status code outside 100 to 699.
    #[error("status code has no counterpart")]
    Status,
    /// A header, or reason phrase, that is not UTF-8, or whose name is no token.
    #[error("header has no counterpart")]
    Header,
}

/// Pairs both enums' names.
macro_rules! methods {
    ($($ours:ident = $theirs:ident),+ $(,)?) => {
        impl TryFrom<&Method> for rsip::Method {
            type Error = ConversionError;

            fn try_from(method: &Method) -> Result<Self, ConversionError> {
                match method {
                    $(Method::$ours => Ok(Self::$theirs),)+
                    Method::Extension(_) => Err(ConversionError::Method),
                }
            }
        }

        impl From<rsip::Method> for Method {
            fn from(method: rsip::Method) -> Self {
                match method { $(rsip::Method::$theirs => Self::$ours,)+ }
            }
        }
    };
}

methods! {
    Invite = Invite, Ack = Ack, Bye = Bye, Cancel = Cancel, Options = Options, Register = Register,
    Prack = PRack, Update = Update, Subscribe = Subscribe, Notify = Notify, Publish = Publish,
    Info = Info, Refer = Refer, Message = Message,
}

/// Pairs the headers that both sides know by name.
macro_rules! headers {
    ($($name:ident),+ $(,)?) => {
        fn to_rsip_header(field: FieldRef<'_>) -> Result<rsip::Header, ConversionError> {
            let value = grammar::text(field.value).ok_or(ConversionError::Header)?;
            Ok(match field.name {
                $(HeaderName::$name => rsip::headers::$name::new(value).into(),)+
                _ => rsip::Header::Other(field.name_text.to_owned(), value.to_owned()),
            })
        }

        fn push_rsip_header(
            headers: &mut Headers,
            header: &rsip::Header,
        ) -> Result<(), ConversionError> {
            match header {
                $(rsip::Header::$name(value) => headers.push(HeaderName::$name, value.value()),)+
                rsip::Header::Other(name, value) => headers
                    .push_named(name, value.as_str())
                    .map_err(|_| ConversionError::Header)?,
            }
            Ok(())
        }
    };
}

headers! {
    Accept, AcceptEncoding, AcceptLanguage, AlertInfo, Allow, AuthenticationInfo, Authorization,
    CSeq, CallId, CallInfo, Contact, ContentDisposition, ContentEncoding, ContentLanguage,
    ContentLength, ContentType, Date, ErrorInfo, Event, Expires, From, InReplyTo, MaxForwards,
    MimeVersion, MinExpires, Organization, Priority, ProxyAuthenticate, ProxyAuthorization,
    ProxyRequire, RecordRoute, ReplyTo, Require, RetryAfter, Route, Server, Subject,
    SubscriptionState, Supported, Timestamp, To, Unsupported, UserAgent, Via, Warning,
    WwwAuthenticate,
}

impl From<StatusCode> for rsip::StatusCode {
    fn from(status: StatusCode) -> Self {
        match Self::from(status.code()) {
            Self::Other(code, _) => Self::Other(code, status.reason().to_owned()),
            known => known,
        }
    }
}

impl TryFrom<&rsip::StatusCode> for StatusCode {
    type Error = ConversionError;

    fn try_from(status: &rsip::StatusCode) -> Result<Self, ConversionError> {
        Self::new(status.code()).ok_or(ConversionError::Status)
    }
}

impl TryFrom<UriRef<'_>> for rsip::Uri {
    type Error = ConversionError;

    fn try_from(uri: UriRef<'_>) -> Result<Self, ConversionError> {
        let scheme = match uri.scheme() {
            Scheme::Sip => rsip::Scheme::Sip,
            Scheme::Sips => rsip::Scheme::Sips,
            Scheme::Tel | Scheme::Other => return Err(ConversionError::Uri),
        };
        let auth = uri.user().map(|user| rsip::Auth {
            user: user.to_owned(),
            password: uri.password().map(str::to_owned),
        });
        // As a name, an IPv6 address keeps its brackets; `rsip` writes addresses without.
        let host = match uri.host_str() {
            text if text.starts_with('[') => rsip::Host::Domain(text.to_owned().into()),
            text => rsip::Host::from(text),
        };
        let params = uri.parameters().map(|(name, value)| to_rsip_param(name, value)).collect();
        let converted = Self {
            scheme: Some(scheme),
            auth,
            host_with_port: rsip::HostWithPort { host, port: uri.port().map(Into::into) },
            params,
            headers: vec![],
        };
        // What `rsip` would write as another URI, it cannot hold. It may write the name of a
        // transport in capitals, which means the same.
        match Uri::parse(&converted.to_string()) {
            Ok(back) if back.as_ref().is_equivalent(uri) => Ok(converted),
            _ => Err(ConversionError::Uri),
        }
    }
}

impl TryFrom<&rsip::Uri> for Uri {
    type Error = ConversionError;

    fn try_from(uri: &rsip::Uri) -> Result<Self, ConversionError> {
        let text = match &uri.host_with_port.host {
            // Written without brackets by `rsip`.
            rsip::Host::IpAddr(address @ std::net::IpAddr::V6(_)) => {
                let mut uri = uri.clone();
                uri.host_with_port.host = rsip::Host::Domain(format!("[{address}]").into());
                uri.to_string()
            }
            _ => uri.to_string(),
        };
        // No scheme means that `rsip` read none, where SIP is meant.
        let text = if uri.scheme.is_none() { format!("sip:{text}") } else { text };
        Self::parse(&text).map_err(|_| ConversionError::Uri)
    }
}

impl TryFrom<&Message> for rsip::SipMessage {
    type Error = ConversionError;

    fn try_from(message: &Message) -> Result<Self, ConversionError> {
        Ok(match message {
            Message::Request(request) => rsip::Request::try_from(request)?.into(),
            Message::Response(response) => rsip::Response::try_from(response)?.into(),
        })
    }
}

impl TryFrom<&rsip::SipMessage> for Message {
    type Error = ConversionError;

    fn try_from(message: &rsip::SipMessage) -> Result<Self, ConversionError> {
        Ok(match message {
            rsip::SipMessage::Request(request) => Request::try_from(request)?.into(),
            rsip::SipMessage::Response(response) => Response::try_from(response)?.into(),
        })
    }
}

impl TryFrom<&Request> for rsip::Request {
    type Error = ConversionError;

    fn try_from(request: &Request) -> Result<Self, ConversionError> {
        Ok(Self {
            method: request.method().try_into()?,
            uri: request.uri().try_into()?,
            version: rsip::Version::V2,
            headers: to_rsip_headers(request.headers(), request.body().len())?,
            body: request.body().to_vec(),
        })
    }
}

impl TryFrom<&rsip::Request> for Request {
    type Error = ConversionError;

    fn try_from(request: &rsip::Request) -> Result<Self, ConversionError> {
        let mut converted = Self::new(request.method.into(), &Uri::try_from(&request.uri)?);
        for header in request.headers.iter() {
            push_rsip_header(&mut converted, header)?;
        }
        converted.replace_body(request.body.clone());
        Ok(converted)
    }
}

impl TryFrom<&Response> for rsip::Response {
    type Error = ConversionError;

    fn try_from(response: &Response) -> Result<Self, ConversionError> {
        let reason = grammar::text(response.reason()).ok_or(ConversionError::Header)?;
        let status = response.status();
        // `rsip` knows no phrase of one's own for a code it knows, but lets the code be unknown.
        let status_code = match reason == status.reason() {
            true => status.into(),
            false => rsip::StatusCode::Other(status.code(), reason.to_owned()),
        };
        Ok(Self {
            status_code,
            version: rsip::Version::V2,
            headers: to_rsip_headers(response.headers(), response.body().len())?,
            body: response.body().to_vec(),
        })
    }
}

impl TryFrom<&rsip::Response> for Response {
    type Error = ConversionError;

    fn try_from(response: &rsip::Response) -> Result<Self, ConversionError> {
        let mut converted = Self::new((&response.status_code).try_into()?);
        if let rsip::StatusCode::Other(_, reason) = &response.status_code {
            converted = converted.with_reason(reason);
        }
        for header in response.headers.iter() {
            push_rsip_header(&mut converted, header)?;
        }
        converted.replace_body(response.body.clone());
        Ok(converted)
    }
}

/// All headers, and a Content-Length that is right even where ours goes without saying.
fn to_rsip_headers(
    headers: &Headers,
    body_length: usize,
) -> Result<rsip::Headers, ConversionError> {
    let fields = headers.fields().filter(|field| field.name != HeaderName::ContentLength);
    let mut converted = fields.map(to_rsip_header).collect::<Result<Vec<_>, _>>()?;
    converted.push(rsip::headers::ContentLength::new(body_length.to_string()).into());
    Ok(converted.into())
}

/// Typed where the typed form writes the same text but for case, untyped otherwise.
fn to_rsip_param(name: &str, value: Option<&str>) -> rsip::Param {
    let typed = rsip::Param::try_from((name, value)).ok();
    let text = match value {
        Some(value) => format!(";{name}={value}"),
        None => format!(";{name}"),
    };
    typed.filter(|typed| typed.to_string().eq_ignore_ascii_case(&text)).unwrap_or_else(|| {
        rsip::Param::Other(name.to_owned().into(), value.map(|value| value.to_owned().into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{CSeq, Limits};

    fn request() -> Request {
        Request::new(
            Method::Invite,
            &Uri::parse("sip:a%20b:pw@[2001:db8::1]:5080;transport=TCP;x=Y;lr").unwrap(),
        )
        .with(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1, SIP/2.0/TCP h")
        .with(HeaderName::From, "\"A, B\" <sip:a@h>;tag=1")
        .with(HeaderName::To, "sip:b@h")
        .with(HeaderName::CallId, "c@h")
        .with(HeaderName::CSeq, CSeq::new(7, Method::Invite))
        .with(HeaderName::Diversion, "<sip:c@h>;reason=no-answer")
        .with_body("application/x", vec![0, 255, 13, 10, 13, 10])
    }

    #[test]
    fn messages_go_there_and_back_unchanged() {
        let message = Message::from(request());
        let theirs = rsip::SipMessage::try_from(&message).unwrap();
        assert_eq!(Message::try_from(&theirs).unwrap(), message);
        let Message::Request(request) = message else { unreachable!() };
        for response in [
            Response::to(&request, StatusCode::OK),
            Response::to(&request, StatusCode::ACCEPTED),
            Response::to(&request, StatusCode::OK).with_reason("Très bien"),
            Response::to(&request, StatusCode::new(499).unwrap()),
        ] {
            let response = Message::from(response);
            let theirs = rsip::SipMessage::try_from(&response).unwrap();
            assert_eq!(Message::try_from(&theirs).unwrap(), response);
        }
    }

    #[test]
    fn uris_rsip_cannot_hold_are_refused() {
        for text in ["tel:+123", "sip:a@h?Subject=x", "mailto:a@h"] {
            let uri = Uri::parse(text).unwrap();
            assert_eq!(rsip::Uri::try_from(uri.as_ref()), Err(ConversionError::Uri), "{text}");
        }
        let uri = Uri::parse("SIPS:a@h:1;TRANSPORT=Tcp;user=phone").unwrap();
        let theirs = rsip::Uri::try_from(uri.as_ref()).unwrap();
        assert!(Uri::try_from(&theirs).unwrap().as_ref().is_equivalent(uri.as_ref()));
    }

    #[test]
    fn extension_methods_have_no_counterpart() {
        let method = Method::parse(b"FOO").unwrap();
        assert_eq!(rsip::Method::try_from(&method), Err(ConversionError::Method));
        for method in Method::KNOWN {
            assert_eq!(Method::from(rsip::Method::try_from(method).unwrap()), *method);
        }
    }

    #[test]
    fn every_status_code_goes_there_and_back() {
        for code in 100..700 {
            let status = StatusCode::new(code).unwrap();
            assert_eq!(StatusCode::try_from(&rsip::StatusCode::from(status)), Ok(status));
        }
        let beyond = rsip::StatusCode::Other(700, "x".into());
        assert_eq!(StatusCode::try_from(&beyond), Err(ConversionError::Status));
    }

    #[test]
    fn text_that_is_not_utf_8_is_refused() {
        let request = request().with(HeaderName::Subject, b"\xff".to_vec());
        assert_eq!(rsip::Request::try_from(&request), Err(ConversionError::Header));
    }

    #[test]
    fn both_parsers_see_the_same_in_well_formed_messages() {
        let bytes = Request::new(
            Method::Options,
            &Uri::parse("sip:b@192.0.2.2:5062;transport=UDP").unwrap(),
        )
        .with(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK77;rport")
        .with(HeaderName::MaxForwards, 70u8)
        .with(HeaderName::From, "\"Alice\" <sip:alice@example.com>;tag=88sja8x")
        .with(HeaderName::To, "<sip:b@192.0.2.2>")
        .with(HeaderName::CallId, "987asjd97y7atg")
        .with(HeaderName::CSeq, "986759 OPTIONS")
        .with(HeaderName::Contact, "<sip:alice@192.0.2.1:5060>")
        .with_body("text/plain", "hello")
        .to_bytes();
        let theirs = rsip::SipMessage::try_from(bytes.to_vec()).unwrap();
        let ours = Message::parse(bytes, &Limits::default()).unwrap();
        assert_eq!(Message::try_from(&theirs).unwrap(), ours);
        use rsip::prelude::*;
        let rsip::SipMessage::Request(theirs) = theirs else { panic!() };
        assert_eq!(
            theirs.via_header().unwrap().typed().unwrap().branch().unwrap().value(),
            ours.via().unwrap().branch().unwrap()
        );
        assert_eq!(
            theirs.from_header().unwrap().tag().unwrap().unwrap().value(),
            ours.from_tag().unwrap()
        );
        assert_eq!(theirs.cseq_header().unwrap().seq().unwrap(), ours.cseq().unwrap().number);
        assert_eq!(theirs.call_id_header().unwrap().value(), ours.call_id().unwrap());
        assert_eq!(
            theirs.contact_header().unwrap().typed().unwrap().uri.to_string(),
            ours.contact().unwrap().uri().as_str()
        );
    }
}
