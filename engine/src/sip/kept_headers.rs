//! The headers of a message that is long gone, in as little room as they can be read from.
//!
//! A parsed message is an index over its datagram, body and all. What a call keeps for whoever may
//! ask later is the text of its headers alone.

use super::headers::{FieldRef, Headers};

/// Names and values, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeptHeaders {
    /// Of each header the length of its name in two octets, the name, and the same of its value.
    text: Box<[u8]>,
}

impl KeptHeaders {
    /// Keeps all that fits; no header of a message that came is too long.
    pub(crate) fn new(headers: &Headers) -> Self {
        let fields = || headers.fields().filter(|field| lengths(field).is_some());
        let length = fields().map(|field| 4 + field.name_text.len() + field.value.len()).sum();
        let mut text = Vec::with_capacity(length);
        for field in fields() {
            let Some((name, value)) = lengths(&field) else { continue };
            text.extend_from_slice(&name.to_le_bytes());
            text.extend_from_slice(field.name_text.as_bytes());
            text.extend_from_slice(&value.to_le_bytes());
            text.extend_from_slice(field.value);
        }
        Self { text: text.into() }
    }

    /// Name and value of each header, in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &*self.text;
        std::iter::from_fn(move || Some((piece(&mut rest)?, piece(&mut rest)?)))
    }
}

fn lengths(field: &FieldRef<'_>) -> Option<(u16, u16)> {
    Some((field.name_text.len().try_into().ok()?, field.value.len().try_into().ok()?))
}

fn piece<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (piece, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
    *rest = after;
    Some(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::HeaderName;

    #[test]
    fn what_is_kept_is_what_was_there_in_its_order() {
        let mut headers = Headers::default();
        headers.push(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1");
        headers.push_named("X-Account", "").unwrap();
        headers.push_named("x-account", b"\xff 7".as_slice()).unwrap();
        let kept = KeptHeaders::new(&headers);
        let fields: Vec<_> = kept.fields().collect();
        let expected: [(&[u8], &[u8]); 3] =
            [(b"Via", b"SIP/2.0/UDP 192.0.2.1"), (b"X-Account", b""), (b"x-account", b"\xff 7")];
        assert_eq!(fields, expected);
        assert_eq!(KeptHeaders::default().fields().count(), 0);
    }
}
