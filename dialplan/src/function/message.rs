//! MESSAGE() and MESSAGE_DATA(): the text message that a dialplan runs for, or is about to send.

use bstr::BString;

use super::{Reading, Writing, wrong};
use crate::channel::{Datum, Passed, TextMessage};
use crate::scope::Scope;

/// `MESSAGE(to|from|body)`.
pub(super) fn read(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let Some(message) = &scope.state.channel.message else {
        return wrong("this channel has no message");
    };
    out.extend_from_slice(match arguments.trim_ascii().to_ascii_lowercase().as_slice() {
        b"to" => &message.to,
        b"from" => &message.from,
        b"body" => &message.body,
        _ => return wrong("unknown item: to, from or body"),
    });
    Ok(())
}

/// `Set(MESSAGE(to|from|body)=text)`, `Set(MESSAGE(custom_data)=mark_all_outbound|clear_all_outbound)`.
pub(super) fn write(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let message = scope.state.channel.message.get_or_insert_default();
    match arguments.trim_ascii().to_ascii_lowercase().as_slice() {
        b"to" => message.to = value.into(),
        b"from" => message.from = value.into(),
        b"body" if value.len() > LONGEST_BODY => return wrong("the body is too long"),
        b"body" => message.body = value.into(),
        b"custom_data" => {
            let passed = match value.to_ascii_lowercase().as_slice() {
                b"mark_all_outbound" => Passed::On,
                b"clear_all_outbound" => Passed::Not,
                _ => return wrong("custom_data takes mark_all_outbound or clear_all_outbound"),
            };
            message.data.iter_mut().for_each(|datum| datum.passed = passed);
        }
        _ => return wrong("unknown item: to, from, body or custom_data"),
    }
    Ok(())
}

/// `MESSAGE_DATA(name)`: a header of the message.
pub(super) fn read_datum(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let name = arguments.trim_ascii();
    let Some(message) = &scope.state.channel.message else {
        return wrong("this channel has no message");
    };
    if let Some(datum) = find(&message.data, name) {
        out.extend_from_slice(&datum.value);
    }
    Ok(())
}

/// `Set(MESSAGE_DATA(name)=text)`: a header of what is sent; an empty text takes it away.
pub(super) fn write_datum(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let name = arguments.trim_ascii();
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte);
    if name.is_empty() || !name.iter().all(is_token) {
        return wrong("the name of a header has letters, digits and `-.!%*_+`'~` only");
    }
    // A line end in a value would begin a header that nobody asked for.
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return wrong("the value of a header is one line");
    }
    let TextMessage { data, .. } = &mut **scope.state.channel.message.get_or_insert_default();
    data.retain(|datum| !datum.name.eq_ignore_ascii_case(name));
    if value.is_empty() {
        return Ok(());
    }
    if data.len() >= MOST_DATA {
        return wrong("a message has too many headers");
    }
    data.push(Datum { name: BString::from(name), value: value.into(), passed: Passed::On });
    Ok(())
}

fn find<'m>(data: &'m [Datum], name: &[u8]) -> Option<&'m Datum> {
    data.iter().find(|datum| datum.name.eq_ignore_ascii_case(name))
}

/// Headers of one message.
const MOST_DATA: usize = 64;

/// What fits into a datagram.
const LONGEST_BODY: usize = 65_535;
