//! What a call's SIP messages say, what the SIP configuration and the registrar know.
//!
//! The functions of the old SIP driver are mapped onto the same.

use bstr::{BStr, BString, ByteSlice};

use super::uri::{Uri, UriPart};
use super::{Reading, Writing, wrong};
use crate::arguments::{scan_integer, split};
use crate::channel::OutgoingHeader;
use crate::host::{FunctionError, SipMessage, SipObject};
use crate::scope::Scope;

/// `PJSIP_HEADER(read,name[,number])`; a name that ends with `*` is a prefix.
pub(super) fn header(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 3);
    let (Some(action), Some(name)) = (parts.first(), parts.get(1)) else {
        return wrong("usage: PJSIP_HEADER(read,name[,number])");
    };
    if !action.eq_ignore_ascii_case(b"read") {
        return wrong("only `read` gives a value; add, update and remove are written");
    }
    let number = number_of(parts.get(2).map(|number| &**number))?;
    read_header(scope, b"PJSIP_HEADER", arguments, SipMessage::Request, (name, number), out)
}

/// `Set(PJSIP_HEADER(add|update|remove,name[,number])=value)`: of the next request this channel sends.
pub(super) fn set_header(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let parts = split(arguments, 3);
    let (Some(action), Some(name)) = (parts.first(), parts.get(1)) else {
        return wrong("usage: Set(PJSIP_HEADER(add|update|remove,name[,number])=value)");
    };
    let action = action.to_ascii_lowercase();
    let number = number_of(parts.get(2).map(|number| &**number))?;
    change_header(scope, arguments, &action, (name, number), value)
}

/// A change of the headers to be sent, once the host has agreed to send them.
fn change_header(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    action: &[u8],
    (name, number): (&[u8], usize),
    value: &[u8],
) -> Writing {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte);
    if name.is_empty() || !name.iter().all(is_token) {
        return wrong("the name of a header has letters, digits and `-.!%*_+`'~` only");
    }
    // A line end in a value would begin a header that nobody asked for.
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return wrong("the value of a header is one line");
    }
    let headers = &scope.state.channel.outgoing_headers;
    if action == b"add" && headers.len() >= MOST_HEADERS {
        return wrong("too many headers are added");
    }
    if !matches!(action, b"add" | b"update" | b"remove") {
        return wrong("unknown action: read, add, update or remove");
    }
    let channel = &mut scope.state.channel;
    scope.host.write_function(channel, b"PJSIP_HEADER", arguments, value)?;
    let headers = &mut scope.state.channel.outgoing_headers;
    let is_one = |header: &OutgoingHeader| header.name.eq_ignore_ascii_case(name);
    match action {
        b"add" => headers.push(OutgoingHeader::new(name, value)),
        b"update" => match headers.iter_mut().filter(|header| is_one(header)).nth(number - 1) {
            Some(header) => header.value = value.into(),
            None => return wrong("there is no such header to update"),
        },
        _ => match name.strip_suffix(b"*") {
            Some(prefix) => headers.retain(|header| !begins_with(&header.name, prefix)),
            None => headers.retain(|header| !is_one(header)),
        },
    }
    Ok(())
}

/// `PJSIP_HEADERS([prefix])`: the names, each followed by a comma but the last.
pub(super) fn headers(scope: &mut Scope<'_>, prefix: &[u8], out: &mut Vec<u8>) -> Reading {
    list_headers(scope, b"PJSIP_HEADERS", SipMessage::Request, prefix, out)
}

/// `PJSIP_RESPONSE_HEADER(read,name[,number])`.
pub(super) fn response_header(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let parts = split(arguments, 3);
    let (Some(action), Some(name)) = (parts.first(), parts.get(1)) else {
        return wrong("usage: PJSIP_RESPONSE_HEADER(read,name[,number])");
    };
    if !action.eq_ignore_ascii_case(b"read") {
        return wrong("only `read` is known");
    }
    let number = number_of(parts.get(2).map(|number| &**number))?;
    let place = (&**name, number);
    read_header(scope, b"PJSIP_RESPONSE_HEADER", arguments, SipMessage::Response, place, out)
}

/// `PJSIP_RESPONSE_HEADERS([prefix])`.
pub(super) fn response_headers(scope: &mut Scope<'_>, prefix: &[u8], out: &mut Vec<u8>) -> Reading {
    list_headers(scope, b"PJSIP_RESPONSE_HEADERS", SipMessage::Response, prefix, out)
}

/// `PJSIP_HEADER_PARAM(header,header|uri,parameter)`, of From and To as the call has them.
pub(super) fn header_parameter(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let parts = split(arguments, 3);
    let [name, kind, parameter] = parts.as_slice() else {
        return wrong("usage: PJSIP_HEADER_PARAM(header,header|uri,parameter)");
    };
    let mut value = Vec::new();
    let place = (&**name, 1);
    let message = SipMessage::Request;
    read_header(scope, b"PJSIP_HEADER_PARAM", arguments, message, place, &mut value)?;
    // The header's own parameters stand behind the angle bracket.
    let close = value.find_byte(b'>');
    let open = value.find_byte(b'<');
    let text = match kind.to_ascii_lowercase().as_slice() {
        b"header" => match close {
            Some(close) => &value[close + 1..],
            None => &value[..],
        },
        b"uri" => match (open, close) {
            (Some(open), Some(close)) if open < close => {
                let uri = &value[open + 1..close];
                uri.split_once_str("?").map_or(uri, |(uri, _)| uri)
            }
            _ => &[],
        },
        _ => return wrong("the second argument is `header` or `uri`"),
    };
    for pair in text.split(|byte| *byte == b';').skip(1) {
        let (name, value) = pair.split_once_str("=").unwrap_or((pair, b""));
        if name.trim_ascii().eq_ignore_ascii_case(parameter) {
            out.extend_from_slice(value.trim_ascii());
            break;
        }
    }
    Ok(())
}

/// `SIP_HEADER(name[,number])`, of the old driver.
pub(super) fn old_header(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(name) = parts.first().filter(|name| !name.is_empty()) else {
        return wrong("requires the name of a header");
    };
    let number = number_of(parts.get(1).map(|number| &**number))?;
    let place = (&**name, number);
    read_header(scope, b"SIP_HEADER", arguments, SipMessage::Request, place, out)
}

/// `SIP_HEADERS([prefix])`, of the old driver.
pub(super) fn old_headers(scope: &mut Scope<'_>, prefix: &[u8], out: &mut Vec<u8>) -> Reading {
    list_headers(scope, b"SIP_HEADERS", SipMessage::Request, prefix, out)
}

/// SIPAddHeader(Name: value), of the old driver: a header of every call that this channel makes.
pub(crate) fn add_header_line(scope: &mut Scope<'_>, line: &[u8]) -> Writing {
    let Some((name, value)) = line.split_once_str(":") else {
        return wrong("a header is written as `Name: value`");
    };
    let (name, value) = (name.trim_ascii(), value.trim_ascii());
    let arguments = [b"add,".as_slice(), name].concat();
    change_header(scope, &arguments, b"add", (name, 1), value)
}

/// `SIPRemoveHeader([prefix])`, of the old driver.
pub(crate) fn remove_headers(scope: &mut Scope<'_>, prefix: &[u8]) {
    let prefix = prefix.strip_suffix(b":").unwrap_or(prefix);
    scope.state.channel.outgoing_headers.retain(|header| !begins_with(&header.name, prefix));
}

/// `SIPCHANINFO(item)`, of the old driver.
pub(super) fn old_channel_info(scope: &mut Scope<'_>, item: &[u8], out: &mut Vec<u8>) -> Reading {
    let asked: &[u8] = match item.to_ascii_lowercase().as_slice() {
        b"peerip" => b"CHANNEL(peerip)",
        b"recvip" => b"CHANNEL(recvip)",
        b"from" => b"CHANNEL(from)",
        b"uri" => b"CHANNEL(uri)",
        b"useragent" => b"CHANNEL(useragent)",
        b"peername" => b"CHANNEL(peername)",
        b"t38passthrough" => b"CHANNEL(t38passthrough)",
        _ => return wrong("unknown item: peerip, recvip, from, uri, useragent, peername"),
    };
    let value = scope.named(asked);
    out.extend_from_slice(&value);
    Ok(())
}

/// `CHECKSIPDOMAIN(domain)`, of the old driver.
pub(super) fn is_own_domain(scope: &mut Scope<'_>, domain: &[u8], out: &mut Vec<u8>) -> Reading {
    if domain.is_empty() {
        return wrong("requires a domain");
    }
    if scope.host.sip_field(SipObject::Domain, domain, b"name").is_some() {
        out.extend_from_slice(domain);
    }
    Ok(())
}

/// `PJSIP_ENDPOINT(name,field)`.
pub(super) fn endpoint(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    field(scope, SipObject::Endpoint, arguments, out)
}

/// `PJSIP_AOR(name,field)`.
pub(super) fn aor(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    field(scope, SipObject::Aor, arguments, out)
}

/// `PJSIP_CONTACT(name,field)`.
pub(super) fn contact(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    field(scope, SipObject::Contact, arguments, out)
}

fn field(scope: &Scope<'_>, object: SipObject, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let (Some(name), Some(item)) = (
        parts.first().filter(|name| !name.is_empty()),
        parts.get(1).filter(|item| !item.is_empty()),
    ) else {
        return wrong("requires a name and a field");
    };
    match scope.host.sip_field(object, name, item) {
        Some(value) => {
            out.extend_from_slice(&value);
            Ok(())
        }
        None => Err(FunctionError::Arguments(format!(
            "there is no field '{}' of '{}'",
            BStr::new(&**item),
            BStr::new(&**name)
        ))),
    }
}

/// `PJSIP_DIAL_CONTACTS(endpoint[,aor[,user]])`: all contacts as destinations of Dial, joined by `&`.
pub(super) fn dial_contacts(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 3);
    let Some(endpoint) = parts.first().filter(|endpoint| !endpoint.is_empty()) else {
        return wrong("requires an endpoint: PJSIP_DIAL_CONTACTS(endpoint[,aor[,user]])");
    };
    let aors = match parts.get(1).filter(|aor| !aor.is_empty()) {
        Some(aor) => BString::from(&**aor),
        None => match scope.host.sip_field(SipObject::Endpoint, endpoint, b"aors") {
            Some(aors) => aors,
            None => {
                return Err(FunctionError::Arguments(format!(
                    "there is no endpoint '{}'",
                    BStr::new(&**endpoint)
                )));
            }
        },
    };
    let user = parts.get(2).filter(|user| !user.is_empty());
    let mut separator: &[u8] = b"";
    for aor in list(&aors) {
        let contacts = scope.host.sip_field(SipObject::Aor, aor, b"contact").unwrap_or_default();
        for contact in list(&contacts) {
            let uri = scope.host.sip_field(SipObject::Contact, contact, b"uri");
            let uri = uri.unwrap_or_else(|| contact.into());
            out.extend_from_slice(separator);
            out.extend_from_slice(b"PJSIP/");
            out.extend_from_slice(endpoint);
            out.push(b'/');
            match user {
                Some(user) => out.extend_from_slice(&with_user(&uri, user)),
                None => out.extend_from_slice(&uri),
            }
            separator = b"&";
        }
    }
    Ok(())
}

/// `SIPPEER(name[,item])`, of the old driver, by what the new one knows.
pub(super) fn peer(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(name) = parts.first().filter(|name| !name.is_empty()) else {
        return wrong("requires a peer: SIPPEER(name[,item])");
    };
    let item = parts.get(1).map_or_else(|| b"ip".to_vec(), |item| item.to_ascii_lowercase());
    let host = &scope.host;
    let Some(aors) = host.sip_field(SipObject::Endpoint, name, b"aors") else { return Ok(()) };
    let contact = list(&aors).find_map(|aor| {
        let contacts = host.sip_field(SipObject::Aor, aor, b"contact")?;
        list(&contacts).next().map(BString::from)
    });
    let of_contact = |field: &[u8]| {
        contact.as_ref().and_then(|contact| host.sip_field(SipObject::Contact, contact, field))
    };
    let uri = of_contact(b"uri").or_else(|| contact.clone());
    let part = |part: UriPart| uri.as_ref().and_then(|uri| Some(Uri::parse(uri)?.part(part)));
    let value = match item.as_slice() {
        b"ip" => part(UriPart::Host),
        b"port" => {
            part(UriPart::Port).filter(|port| !port.is_empty()).or_else(|| Some("5060".into()))
        }
        b"status" => Some(match of_contact(b"status").as_ref().map(|status| status.as_slice()) {
            None => "UNKNOWN".into(),
            Some(b"Reachable" | b"Avail") => {
                let rtt = of_contact(b"rtt").unwrap_or_default();
                let milliseconds = scan_integer(&rtt).map_or(0, |(micros, _)| micros / 1000);
                format!("OK ({milliseconds} ms)").into()
            }
            Some(b"Unreachable" | b"Unavail") => "UNREACHABLE".into(),
            Some(_) => "UNKNOWN".into(),
        }),
        b"dynamic" => {
            Some(if of_contact(b"expiration_time").is_some() { "yes" } else { "no" }.into())
        }
        b"expire" => of_contact(b"expiration_time"),
        b"useragent" => of_contact(b"user_agent"),
        b"context" | b"language" | b"callgroup" | b"pickupgroup" | b"mailbox" | b"accountcode"
        | b"codecs" | b"callerid_name" | b"callerid_num" | b"namedcallgroup"
        | b"namedpickupgroup" | b"maxcalls" => {
            let field: &[u8] = match item.as_slice() {
                b"callgroup" => b"call_group",
                b"pickupgroup" => b"pickup_group",
                b"namedcallgroup" => b"named_call_group",
                b"namedpickupgroup" => b"named_pickup_group",
                b"mailbox" => b"mailboxes",
                b"codecs" => b"allow",
                b"callerid_name" | b"callerid_num" => b"callerid",
                b"maxcalls" => b"device_state_busy_at",
                other => other,
            };
            host.sip_field(SipObject::Endpoint, name, field)
        }
        _ => {
            return Err(FunctionError::Arguments(format!(
                "item '{}' has nothing to stand for it: use PJSIP_ENDPOINT or PJSIP_CONTACT",
                BStr::new(&item)
            )));
        }
    };
    out.extend_from_slice(&value.unwrap_or_default());
    Ok(())
}

/// `PJSIP_PARSE_URI(uri,part)`.
pub(super) fn parse_uri(_: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let (Some(uri), Some(part)) = (parts.first(), parts.get(1)) else {
        return wrong("usage: PJSIP_PARSE_URI(uri,display|scheme|user|passwd|host|port|...)");
    };
    write_part(uri, part, out)
}

/// `PJSIP_PARSE_URI_FROM(name,part)`: of the URI in a variable.
pub(super) fn parse_uri_from(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let parts = split(arguments, 2);
    let (Some(name), Some(part)) = (parts.first(), parts.get(1)) else {
        return wrong("usage: PJSIP_PARSE_URI_FROM(name,display|scheme|user|passwd|host|port|...)");
    };
    let uri = scope.named(name);
    write_part(&uri, part, out)
}

fn write_part(uri: &[u8], part: &[u8], out: &mut Vec<u8>) -> Reading {
    let Some(part) = UriPart::named(part) else {
        return Err(FunctionError::Arguments(format!("unknown part '{}'", BStr::new(part))));
    };
    let Some(parsed) = Uri::parse(uri) else {
        return Err(FunctionError::Arguments(format!("'{}' is no SIP URI", BStr::new(uri))));
    };
    out.extend_from_slice(&parsed.part(part));
    Ok(())
}

fn read_header(
    scope: &mut Scope<'_>,
    function: &[u8],
    arguments: &[u8],
    message: SipMessage,
    (name, number): (&[u8], usize),
    out: &mut Vec<u8>,
) -> Reading {
    let mut left = number;
    let mut found: Option<BString> = None;
    let prefix = name.strip_suffix(b"*");
    let is_sip = scope.host.visit_headers(message, &mut |header, value| {
        let fits = match prefix {
            Some(prefix) => begins_with(header, prefix),
            None => header.eq_ignore_ascii_case(name),
        };
        if fits && left > 0 {
            left -= 1;
            if left == 0 {
                found = Some(value.to_owned());
            }
        }
    });
    if !is_sip {
        return scope.host.read_function(&scope.state.channel, function, arguments, out);
    }
    if let Some(value) = found {
        out.extend_from_slice(&value);
    }
    Ok(())
}

fn list_headers(
    scope: &mut Scope<'_>,
    function: &[u8],
    message: SipMessage,
    prefix: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let prefix = prefix.strip_suffix(b"*").unwrap_or(prefix);
    let mut names: Vec<BString> = Vec::new();
    let is_sip = scope.host.visit_headers(message, &mut |header, _| {
        let is_new = !names.iter().any(|name| name.eq_ignore_ascii_case(header));
        if begins_with(header, prefix) && is_new {
            names.push(header.to_owned());
        }
    });
    if !is_sip {
        return scope.host.read_function(&scope.state.channel, function, prefix, out);
    }
    out.extend_from_slice(&bstr::join(",", names));
    Ok(())
}

/// A number of a header counts from 1.
fn number_of(text: Option<&[u8]>) -> Result<usize, FunctionError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(1) };
    match scan_integer(text) {
        Some((number, end)) if number > 0 && end == text.len() => Ok(number as usize),
        _ => wrong("the number of a header counts from 1"),
    }
}

fn begins_with(name: &[u8], prefix: &[u8]) -> bool {
    name.len() >= prefix.len() && name[..prefix.len()].eq_ignore_ascii_case(prefix)
}

/// Names joined by commas or blanks.
fn list(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b',' || *byte == b' ').filter(|name| !name.is_empty())
}

fn with_user(uri: &[u8], user: &[u8]) -> BString {
    let (scheme, rest) = uri.split_once_str(":").unwrap_or((b"sip", uri));
    let host = rest.split_once_str("@").map_or(rest, |(_, host)| host);
    [scheme, b":", user, b"@", host].concat().into()
}

/// Headers that a dialplan adds to one request.
const MOST_HEADERS: usize = 64;
