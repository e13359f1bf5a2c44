//! CALLERID(), CONNECTEDLINE(), REDIRECTING().

use bstr::BString;

use super::{Reading, Writing, wrong};
use crate::arguments::{scan_integer, split, strip};
use crate::channel::{Party, Reason, Subaddress, UNAVAILABLE};
use crate::expression::write_whole;
use crate::host::FunctionError;
use crate::scope::Scope;

/// Q.931 presentations by their dialplan names.
const PRESENTATIONS: [(&str, i32); 9] = [
    ("allowed_not_screened", 0x00),
    ("allowed_passed_screen", 0x01),
    ("allowed_failed_screen", 0x02),
    ("allowed", 0x03),
    ("prohib_not_screened", 0x20),
    ("prohib_passed_screen", 0x21),
    ("prohib_failed_screen", 0x22),
    ("prohib", 0x23),
    ("unavailable", UNAVAILABLE),
];

/// The Q.931 presentation of a name such as `prohib_not_screened`, in any letter case.
#[must_use]
pub fn presentation_named(name: &[u8]) -> Option<i32> {
    let named = PRESENTATIONS.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
    named.map(|(_, code)| *code)
}

/// Character sets of names.
const CHARSETS: [&str; 11] = [
    "unknown",
    "iso8859-1",
    "withdrawn",
    "iso8859-2",
    "iso8859-3",
    "iso8859-4",
    "iso8859-5",
    "iso8859-7",
    "bmp",
    "utf8",
    "unknown",
];

/// The type of a subaddress that is not NSAP.
const USER_SPECIFIED: i32 = 2;

/// Reasons of a diversion.
const REASONS: [&str; 13] = [
    "unknown",
    "cfb",
    "cfnr",
    "unavailable",
    "time_of_day",
    "dnd",
    "deflection",
    "follow_me",
    "out_of_order",
    "away",
    "cf_dte",
    "cfu",
    "send_to_vm",
];

/// `CALLERID(item[,text])`: with a text, the item of that text.
pub(super) fn caller_id(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(item) = parts.first() else { return wrong("requires an item") };
    let item = item_name(item);
    if let Some(text) = parts.get(1) {
        let (name, number) = parse_party(text);
        match item.as_slice() {
            b"all" => write_all(Some(&name), Some(&number), out),
            b"name" => out.extend_from_slice(&name),
            b"num" => out.extend_from_slice(&number),
            _ => return unknown_item(&item),
        }
        return Ok(());
    }
    let channel = &scope.state.channel;
    match item.as_slice() {
        b"all" => {
            write_all(channel.caller.name.as_ref(), channel.caller.number.as_ref(), out);
        }
        b"ani" => write_text(channel.ani.number.as_ref(), out),
        b"ani-all" => write_all(channel.ani.name.as_ref(), channel.ani.number.as_ref(), out),
        b"ani2" => write_whole(i64::from(channel.ani2), out),
        b"rdnis" => write_text(channel.redirecting.from.number.as_ref(), out),
        b"dnid" | b"dnid-num" => out.extend_from_slice(&channel.dialed.number),
        b"dnid-num-plan" => write_whole(i64::from(channel.dialed.plan), out),
        b"pres" => write_presentation(channel.caller.presentation(), out),
        b"ton" => write_whole(i64::from(channel.caller.number_plan), out),
        b"tns" => write_whole(i64::from(channel.dialed.transit_network), out),
        _ => {
            if let Some(item) = item.strip_prefix(b"ani-") {
                return read_party(&channel.ani, item, out);
            }
            if let Some(item) = item.strip_prefix(b"dnid-subaddr") {
                return read_subaddress(channel.dialed.subaddress.as_ref(), item, out);
            }
            if item.starts_with(b"priv-") {
                return read_party(&Party::default(), &item[5..], out);
            }
            return read_party(&channel.caller, &item, out);
        }
    }
    Ok(())
}

pub(super) fn set_caller_id(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let parts = split(arguments, 2);
    let Some(item) = parts.first() else { return wrong("requires an item") };
    let item = item_name(item);
    let value = strip(value);
    let channel = &mut scope.state.channel;
    match item.as_slice() {
        b"all" => {
            let (name, number) = parse_party(value);
            channel.caller.name = Some(name);
            channel.caller.number = Some(number);
        }
        b"ani" => channel.ani.number = Some(value.into()),
        b"ani-all" => {
            let (name, number) = parse_party(value);
            channel.ani.name = Some(name);
            channel.ani.number = Some(number);
        }
        b"ani2" => channel.ani2 = integer(value)?,
        b"rdnis" => channel.redirecting.from.number = Some(value.into()),
        b"dnid" | b"dnid-num" => channel.dialed.number = value.into(),
        b"dnid-num-plan" => channel.dialed.plan = integer(value)?,
        b"pres" => {
            let presentation = presentation(value)?;
            channel.caller.name_presentation = presentation;
            channel.caller.number_presentation = presentation;
        }
        b"ton" => channel.caller.number_plan = integer(value)?,
        b"tns" => channel.dialed.transit_network = integer(value)?,
        _ => {
            if let Some(item) = item.strip_prefix(b"ani-") {
                return write_party(&mut channel.ani, item, value);
            }
            if let Some(item) = item.strip_prefix(b"dnid-subaddr") {
                return write_subaddress(&mut channel.dialed.subaddress, item, value);
            }
            return write_party(&mut channel.caller, &item, value);
        }
    }
    Ok(())
}

/// CALLERPRES(), of old: CALLERID(pres).
pub(super) fn presentation_of_old(scope: &mut Scope<'_>, _: &[u8], out: &mut Vec<u8>) -> Reading {
    caller_id(scope, b"pres", out)
}

pub(super) fn set_presentation_of_old(scope: &mut Scope<'_>, _: &[u8], value: &[u8]) -> Writing {
    set_caller_id(scope, b"pres", value)
}

/// CONNECTEDLINE(item).
pub(super) fn connected_line(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let parts = split(arguments, 2);
    let Some(item) = parts.first() else { return wrong("requires an item") };
    let item = item_name(item);
    let party = &scope.state.channel.connected;
    match item.as_slice() {
        b"all" => write_all(party.name.as_ref(), party.number.as_ref(), out),
        b"pres" => write_presentation(party.presentation(), out),
        b"source" => out.extend_from_slice(b"unknown"),
        _ => return read_party(party, &item, out),
    }
    Ok(())
}

pub(super) fn set_connected_line(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let parts = split(arguments, 2);
    let Some(item) = parts.first() else { return wrong("requires an item") };
    let item = item_name(item);
    let value = strip(value);
    let party = &mut scope.state.channel.connected;
    match item.as_slice() {
        b"all" => {
            let (name, number) = parse_party(value);
            party.name = Some(name);
            party.number = Some(number);
        }
        b"pres" => {
            let presentation = presentation(value)?;
            party.name_presentation = presentation;
            party.number_presentation = presentation;
        }
        _ => return write_party(party, &item, value),
    }
    Ok(())
}

/// REDIRECTING(item).
pub(super) fn redirecting(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(item) = parts.first() else { return wrong("requires an item") };
    let item = item_name(item);
    let redirecting = &scope.state.channel.redirecting;
    match item.as_slice() {
        b"count" => write_whole(i64::from(redirecting.count), out),
        b"reason" => write_reason(&redirecting.reason, out),
        b"orig-reason" => write_reason(&redirecting.original_reason, out),
        b"pres" | b"from-pres" => write_presentation(redirecting.from.presentation(), out),
        b"to-pres" => write_presentation(redirecting.to.presentation(), out),
        _ => {
            let (party, item) = if let Some(item) = item.strip_prefix(b"orig-") {
                (&redirecting.original, item)
            } else if let Some(item) = item.strip_prefix(b"from-") {
                (&redirecting.from, item)
            } else if let Some(item) = item.strip_prefix(b"to-") {
                (&redirecting.to, item)
            } else {
                return unknown_item(&item);
            };
            if item == b"all" {
                write_all(party.name.as_ref(), party.number.as_ref(), out);
                return Ok(());
            }
            return read_party(party, item, out);
        }
    }
    Ok(())
}

pub(super) fn set_redirecting(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let parts = split(arguments, 2);
    let Some(item) = parts.first() else { return wrong("requires an item") };
    let item = item_name(item);
    let value = strip(value);
    let redirecting = &mut *scope.state.channel.redirecting;
    match item.as_slice() {
        b"count" => redirecting.count = integer(value)?,
        b"reason" => redirecting.reason = reason(value),
        b"orig-reason" => redirecting.original_reason = reason(value),
        b"pres" => {
            let presentation = presentation(value)?;
            for party in [&mut redirecting.from, &mut redirecting.to] {
                party.name_presentation = presentation;
                party.number_presentation = presentation;
            }
        }
        _ => {
            let (party, item) = if let Some(item) = item.strip_prefix(b"orig-") {
                (&mut redirecting.original, item)
            } else if let Some(item) = item.strip_prefix(b"from-") {
                (&mut redirecting.from, item)
            } else if let Some(item) = item.strip_prefix(b"to-") {
                (&mut redirecting.to, item)
            } else {
                return unknown_item(&item);
            };
            match item {
                b"all" => {
                    let (name, number) = parse_party(value);
                    party.name = Some(name);
                    party.number = Some(number);
                }
                b"pres" => {
                    let presentation = presentation(value)?;
                    party.name_presentation = presentation;
                    party.number_presentation = presentation;
                }
                _ => return write_party(party, item, value),
            }
        }
    }
    Ok(())
}

/// The item in small letters; what may be written out is short: `number`, `subaddress`,
/// `presentation`.
fn item_name(text: &[u8]) -> Vec<u8> {
    let text = text.to_ascii_lowercase();
    let short = |word| {
        let known = [&b"num"[..], b"subaddr", b"pres"];
        known.into_iter().find(|short: &&[u8]| <[u8]>::starts_with(word, short)).unwrap_or(word)
    };
    let words: Vec<&[u8]> = text.split(|byte| *byte == b'-').map(short).collect();
    words.join(&b'-')
}

fn read_party(party: &Party, item: &[u8], out: &mut Vec<u8>) -> Reading {
    match item {
        b"name" => write_text(party.name.as_ref(), out),
        b"name-valid" => out.push(b'0' + u8::from(party.name.is_some())),
        b"name-charset" => {
            let charset =
                usize::try_from(party.name_charset).ok().and_then(|code| CHARSETS.get(code));
            out.extend_from_slice(charset.unwrap_or(&"unknown").as_bytes());
        }
        b"name-pres" => write_presentation(party.name_presentation, out),
        b"num" => write_text(party.number.as_ref(), out),
        b"num-valid" => out.push(b'0' + u8::from(party.number.is_some())),
        b"num-plan" => write_whole(i64::from(party.number_plan), out),
        b"num-pres" => write_presentation(party.number_presentation, out),
        b"tag" => out.extend_from_slice(&party.tag),
        _ => {
            let Some(item) = item.strip_prefix(b"subaddr") else { return unknown_item(item) };
            return read_subaddress(party.subaddress.as_ref(), item, out);
        }
    }
    Ok(())
}

fn write_party(party: &mut Party, item: &[u8], value: &[u8]) -> Writing {
    match item {
        b"name" => party.name = Some(value.into()),
        b"name-valid" => party.name = validity(party.name.take(), value),
        b"name-charset" => {
            let charset =
                CHARSETS.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(value));
            party.name_charset = charset.ok_or_else(|| bad_value(value))? as i32;
        }
        b"name-pres" => party.name_presentation = presentation(value)?,
        b"num" => party.number = Some(value.into()),
        b"num-valid" => party.number = validity(party.number.take(), value),
        b"num-plan" => party.number_plan = integer(value)?,
        b"num-pres" => party.number_presentation = presentation(value)?,
        b"tag" => party.tag = value.into(),
        _ => {
            let Some(item) = item.strip_prefix(b"subaddr") else { return unknown_item(item) };
            return write_subaddress(&mut party.subaddress, item, value);
        }
    }
    Ok(())
}

fn validity(known: Option<BString>, value: &[u8]) -> Option<BString> {
    is_set(value).then(|| known.unwrap_or_default())
}

/// Whether a text begins with a number other than 0.
fn is_set(value: &[u8]) -> bool {
    scan_integer(value).is_some_and(|(number, _)| number != 0)
}

fn read_subaddress(subaddress: Option<&Subaddress>, item: &[u8], out: &mut Vec<u8>) -> Reading {
    match item {
        b"" => write_text(subaddress.map(|subaddress| &subaddress.text), out),
        b"-valid" => out.push(b'0' + u8::from(subaddress.is_some())),
        b"-type" => write_whole(subaddress.map_or(0, |subaddress| i64::from(subaddress.kind)), out),
        b"-odd" => write_whole(subaddress.map_or(0, |subaddress| i64::from(subaddress.odd)), out),
        _ => return unknown_item(item),
    }
    Ok(())
}

fn write_subaddress(subaddress: &mut Option<Subaddress>, item: &[u8], value: &[u8]) -> Writing {
    match item {
        b"" => subaddress.get_or_insert_default().text = value.into(),
        // NSAP or user specified, even or odd: nothing else.
        b"-type" => {
            subaddress.get_or_insert_default().kind = if is_set(value) { USER_SPECIFIED } else { 0 }
        }
        b"-odd" => subaddress.get_or_insert_default().odd = i32::from(is_set(value)),
        b"-valid" => {
            if !is_set(value) {
                *subaddress = None;
            } else {
                subaddress.get_or_insert_default();
            }
        }
        _ => return unknown_item(item),
    }
    Ok(())
}

fn write_text(text: Option<&BString>, out: &mut Vec<u8>) {
    if let Some(text) = text {
        out.extend_from_slice(text);
    }
}

fn write_all(name: Option<&BString>, number: Option<&BString>, out: &mut Vec<u8>) {
    out.push(b'"');
    write_text(name, out);
    out.extend_from_slice(b"\" <");
    write_text(number, out);
    out.push(b'>');
}

fn write_presentation(presentation: i32, out: &mut Vec<u8>) {
    let name = PRESENTATIONS.iter().find(|(_, code)| *code == presentation);
    out.extend_from_slice(name.map_or("unknown", |(name, _)| name).as_bytes());
}

fn presentation(value: &[u8]) -> Result<i32, FunctionError> {
    if value.first().is_some_and(u8::is_ascii_digit) {
        return integer(value);
    }
    let named = PRESENTATIONS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(value));
    named.map(|(_, code)| *code).ok_or_else(|| bad_value(value))
}

fn write_reason(reason: &Reason, out: &mut Vec<u8>) {
    if reason.text.is_empty() {
        out.extend_from_slice(
            REASONS.get(usize::from(reason.code)).unwrap_or(&"unknown").as_bytes(),
        );
    } else {
        out.extend_from_slice(&reason.text);
    }
}

fn reason(value: &[u8]) -> Reason {
    match REASONS.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(value)) {
        Some(code) => Reason { code: code as u8, text: BString::default() },
        None => Reason { code: 0, text: value.into() },
    }
}

/// A number that begins with a digit.
fn integer(value: &[u8]) -> Result<i32, FunctionError> {
    let number = Some(value).filter(|value| value.first().is_some_and(u8::is_ascii_digit));
    number.and_then(scan_integer).map(|(value, _)| value).ok_or_else(|| bad_value(value))
}

fn bad_value(value: &[u8]) -> FunctionError {
    FunctionError::Arguments(format!("unknown value '{}'", bstr::BStr::new(value)))
}

fn unknown_item<T>(item: &[u8]) -> Result<T, FunctionError> {
    Err(FunctionError::Arguments(format!("unknown item '{}'", bstr::BStr::new(item))))
}

/// `"name" <number>`, a number alone, or a name alone.
pub(crate) fn parse_party(text: &[u8]) -> (BString, BString) {
    let quoted = |text: &[u8]| -> Option<BString> {
        let open = memchr::memchr(b'"', text)?;
        let close = memchr::memchr(b'"', &text[open + 1..])?;
        Some(text[open + 1..open + 1 + close].into())
    };
    if let Some(open) = memchr::memrchr(b'<', text)
        && let Some(close) = memchr::memrchr(b'>', &text[open..])
    {
        let number = shrink(&text[open + 1..open + close]);
        let before = &text[..open];
        let name = match (quoted(before), memchr::memchr(b'"', before)) {
            (Some(name), _) => name,
            (None, None) => strip(before).into(),
            // The quote is closed behind the number, or never.
            (None, Some(quote)) if text[open + close..].contains(&b'"') => {
                before[quote + 1..].trim_ascii_end().into()
            }
            (None, Some(_)) => BString::default(),
        };
        return (name, number.into());
    }
    let number = shrink(text);
    if !number.is_empty()
        && number.iter().all(|byte| byte.is_ascii_digit() || b"*#+".contains(byte))
    {
        return (BString::default(), number.into());
    }
    (quoted(text).unwrap_or_else(|| strip(text).into()), BString::default())
}

/// A number without what people write to make it readable.
fn shrink(text: &[u8]) -> Vec<u8> {
    let mut brackets = 0usize;
    let mut number = Vec::with_capacity(text.len());
    for (index, &byte) in text.iter().enumerate() {
        match byte {
            b'[' => brackets += 1,
            b']' => brackets = brackets.saturating_sub(1),
            b'-' if brackets == 0 => continue,
            b'.' if index + 1 < text.len() => continue,
            b'(' | b')' | b' ' => continue,
            _ => {}
        }
        number.push(byte);
    }
    number
}
