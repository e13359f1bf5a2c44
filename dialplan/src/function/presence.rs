//! PRESENCE_STATE(): whether a person can be reached, and what they say about it.

use bstr::BString;

use super::encoding::{decode_base64, encode_base64};
use super::{Reading, Writing, wrong};
use crate::arguments::split;
use crate::host::FunctionError;
use crate::scope::Scope;

const STATES: [&str; 7] = ["not_set", "unavailable", "available", "away", "xa", "chat", "dnd"];

/// `PRESENCE_STATE(provider,value|subtype|message[,e])`; option `e` gives it in base64.
pub(super) fn read(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 3);
    let (Some(provider), Some(field)) = (parts.first(), parts.get(1)) else {
        return wrong("usage: PRESENCE_STATE(provider,value|subtype|message[,e])");
    };
    let Some(name) = custom(provider) else {
        return scope.host.read_function(&scope.state.channel, b"PRESENCE_STATE", arguments, out);
    };
    let presence = scope.host.world().database.value(FAMILY, name);
    let presence = presence.and_then(|value| Presence::parse(value).ok());
    let text = match (field.to_ascii_lowercase().as_slice(), presence) {
        (b"value", Some(presence)) => BString::from(presence.state),
        (b"value", None) => "not_set".into(),
        (b"subtype", presence) => presence.map(|presence| presence.subtype).unwrap_or_default(),
        (b"message", presence) => presence.map(|presence| presence.message).unwrap_or_default(),
        _ => return wrong("unknown field: value, subtype or message"),
    };
    if parts.get(2).is_some_and(|options| options.contains(&b'e')) {
        encode_base64(&text, out);
    } else {
        out.extend_from_slice(&text);
    }
    Ok(())
}

/// `Set(PRESENCE_STATE(CustomPresence:name)=state[,subtype[,message[,e]]])`.
pub(super) fn write(scope: &mut Scope<'_>, provider: &[u8], value: &[u8]) -> Writing {
    let Some(name) = custom(provider).filter(|name| !name.is_empty()) else {
        return wrong("only CustomPresence: states can be set");
    };
    Presence::parse(value)?;
    let database = &mut scope.host.world_mut().database;
    if database.is_full() {
        return wrong("the database is full");
    }
    database.set(FAMILY, name, value);
    Ok(())
}

/// Whether a person can be reached.
struct Presence {
    state: &'static str,
    subtype: BString,
    message: BString,
}

impl Presence {
    /// Reads `state[,subtype[,message[,e]]]`, as it is set and kept.
    fn parse(value: &[u8]) -> Result<Self, FunctionError> {
        let parts = split(value, 4);
        let text = |index: usize| parts.get(index).map(|text| text.to_vec()).unwrap_or_default();
        let state = text(0);
        let Some(state) = STATES.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(&state))
        else {
            return wrong("unknown state: not_set, unavailable, available, away, xa, chat or dnd");
        };
        let (mut subtype, mut message) = (text(1), text(2));
        if text(3).contains(&b'e') {
            (subtype, message) = (decode_base64(&subtype), decode_base64(&message));
        }
        Ok(Self { state, subtype: subtype.into(), message: message.into() })
    }
}

fn custom(provider: &[u8]) -> Option<&[u8]> {
    const PREFIX: &[u8] = b"CustomPresence:";
    let is_custom =
        provider.len() >= PREFIX.len() && provider[..PREFIX.len()].eq_ignore_ascii_case(PREFIX);
    is_custom.then(|| &provider[PREFIX.len()..])
}

/// The database's family of presences, as in Asterisk.
const FAMILY: &[u8] = b"CustomPresence";
