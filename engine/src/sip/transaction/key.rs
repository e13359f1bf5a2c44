//! What a message is matched to its transaction by.
//!
//! Responses: RFC 3261 §17.1.3. Requests: §17.2.3, with the older rules for elements of RFC 2543,
//! whose branch does not begin with the magic cookie. Merged requests: §8.2.2.2.
//!
//! A key is one string of bytes, made on the stack; only a key that stays in a table is copied.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::sip::Branch;

/// A key; two kinds of keys never compare equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(SmallVec<[u8; 120]>);

/// What the key of a request is made from.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// The method; ACK and CANCEL find the INVITE with [`Key::server`]'s second argument.
    pub method: &'a [u8],
    /// The Request-URI as written.
    pub uri: &'a [u8],
    /// The top Via's branch, if it has one.
    pub branch: Option<&'a [u8]>,
    /// The top Via's host.
    pub sent_by_host: &'a [u8],
    /// The top Via's port.
    pub sent_by_port: Option<u16>,
    /// The top Via's value as written.
    pub via: &'a [u8],
    /// The tag of From, empty when absent.
    pub from_tag: &'a [u8],
    /// The Call-ID.
    pub call_id: &'a [u8],
    /// The number of CSeq.
    pub cseq: u32,
}

impl Key {
    /// The key of a client transaction: the branch that we drew, and the method of CSeq, since a
    /// CANCEL has the branch of what it cancels.
    pub fn client(branch: &[u8], method: &[u8]) -> Self {
        Self::join(b'c', &[branch, method])
    }

    /// The key of the server transaction a request belongs to; `method` is the request's own, or
    /// INVITE to find what an ACK acknowledges or a CANCEL cancels.
    pub fn server(parts: &RequestParts<'_>, method: &[u8]) -> Self {
        match parts.branch {
            // Case does not matter in the cookie, as in any token (RFC 3261 §7.3.1).
            Some(branch)
                if branch
                    .get(..COOKIE.len())
                    .is_some_and(|head| head.eq_ignore_ascii_case(COOKIE)) =>
            {
                // The port's absence is not 5060: the comparison is of what was written.
                let port = parts.sent_by_port.map_or([0; 3], |port| {
                    let [high, low] = port.to_be_bytes();
                    [1, high, low]
                });
                let host = parts.sent_by_host.to_ascii_lowercase();
                Self::join(b's', &[branch, &host, &port, method])
            }
            // RFC 2543: Request-URI, From tag, Call-ID, CSeq and top Via. The To tag is left out: an
            // ACK has the response's, the INVITE none, and the rest tells transactions apart.
            Some(_) | None => Self::join(
                b'o',
                &[
                    parts.uri,
                    parts.from_tag,
                    parts.call_id,
                    &parts.cseq.to_be_bytes(),
                    parts.via,
                    method,
                ],
            ),
        }
    }

    /// What a request that came by two paths has in common with itself (RFC 3261 §8.2.2.2).
    pub fn merged(parts: &RequestParts<'_>) -> Self {
        Self::join(b'm', &[parts.from_tag, parts.call_id, &parts.cseq.to_be_bytes(), parts.method])
    }

    /// Each part preceded by its length, so that no two lists of parts give the same bytes.
    pub(crate) fn join(kind: u8, parts: &[&[u8]]) -> Self {
        let mut bytes = SmallVec::new();
        bytes.push(kind);
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Self(bytes)
    }
}

impl Key {
    /// The key as it is kept.
    pub(crate) fn keep(&self) -> KeptKey {
        KeptKey(Arc::from(self.0.as_slice()))
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// A key that stays, shared by a table and what is found there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeptKey(Arc<[u8]>);

impl Borrow<[u8]> for KeptKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// A table in which keys are looked up without being kept.
pub(crate) trait ByKey<V> {
    /// What is found under a key.
    fn find(&self, key: &Key) -> Option<&V>;
}

impl<V> ByKey<V> for HashMap<KeptKey, V> {
    fn find(&self, key: &Key) -> Option<&V> {
        self.get(key.0.as_slice())
    }
}

/// As bytes: a branch of the wire is looked at where it stands.
const COOKIE: &[u8] = Branch::MAGIC_COOKIE.as_bytes();

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>() -> RequestParts<'a> {
        RequestParts {
            method: b"INVITE",
            uri: b"sip:b@example.com",
            branch: Some(b"z9hG4bKabc"),
            sent_by_host: b"Alice.example.com",
            sent_by_port: None,
            via: b"SIP/2.0/UDP Alice.example.com;branch=z9hG4bKabc",
            from_tag: b"1",
            call_id: b"x@y",
            cseq: 7,
        }
    }

    fn server(parts: &RequestParts<'_>) -> Key {
        Key::server(parts, parts.method)
    }

    #[test]
    fn cookie_branch_decides_with_sent_by_and_method_alone() {
        let base = parts();
        assert_eq!(
            server(&base),
            server(&RequestParts { uri: b"sip:c@d", call_id: b"other", cseq: 8, ..base })
        );
        assert_eq!(
            server(&base),
            server(&RequestParts { sent_by_host: b"alice.EXAMPLE.com", ..base })
        );
        assert_ne!(server(&base), server(&RequestParts { sent_by_port: Some(5060), ..base }));
        assert_ne!(server(&base), server(&RequestParts { branch: Some(b"z9hG4bKabd"), ..base }));
        assert_ne!(server(&base), server(&RequestParts { method: b"CANCEL", ..base }));
    }

    #[test]
    fn ack_and_cancel_find_the_invite_by_naming_its_method() {
        let ack = RequestParts { method: b"ACK", ..parts() };
        assert_eq!(Key::server(&ack, b"INVITE"), server(&parts()));
    }

    #[test]
    fn branch_without_cookie_falls_back_to_the_rules_of_rfc_2543() {
        for branch in [None, Some(&b"1"[..])] {
            let base = RequestParts { branch, ..parts() };
            assert_eq!(server(&base), server(&base));
            assert_ne!(server(&base), server(&RequestParts { call_id: b"other", ..base }));
            assert_ne!(server(&base), server(&RequestParts { cseq: 8, ..base }));
            assert_ne!(server(&base), server(&RequestParts { uri: b"sip:c@d", ..base }));
            assert_ne!(server(&base), server(&RequestParts { via: b"SIP/2.0/UDP other", ..base }));
        }
    }

    #[test]
    fn parts_that_run_together_make_different_keys() {
        assert_ne!(Key::client(b"ab", b"c"), Key::client(b"a", b"bc"));
    }
}
