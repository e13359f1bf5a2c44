//! The few words of a message that a watcher looks for, found also in messages that are no good SIP.

use bstr::{BStr, ByteSlice};

/// What a message says of whom it concerns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words<'a> {
    pub(super) call_id: &'a BStr,
    /// It is an INVITE request.
    pub(super) begins_call: bool,
    /// Users with their hosts, from the Request-URI and the headers that name parties.
    parties: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Words<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        let mut words = Self::default();
        for (number, line) in message.lines().take(MOST_LINES).enumerate() {
            if line.is_empty() {
                break;
            }
            if number == 0 {
                words.begins_call = line.starts_with(b"INVITE ");
                let uri = line.splitn_str(3, " ").nth(1).filter(|_| !line.starts_with(b"SIP/"));
                words.parties.extend(uri.and_then(party));
                continue;
            }
            let Some((name, value)) = line.split_once_str(":") else { continue };
            let name = name.trim_ascii();
            let is = |long: &str, compact: &str| {
                name.eq_ignore_ascii_case(long.as_bytes())
                    || name.eq_ignore_ascii_case(compact.as_bytes())
            };
            if is("Call-ID", "i") {
                words.call_id = value.trim_ascii().into();
            } else if is("From", "f") || is("To", "t") || is("P-Asserted-Identity", "Diversion") {
                words.parties.extend(party(value));
            }
        }
        words
    }

    /// Whether a party has this number or name, or is this `user@host`.
    pub(super) fn names(&self, word: &BStr) -> bool {
        match word.split_once_str("@") {
            Some((user, host)) => self
                .parties
                .iter()
                .any(|party| party.0 == user && party.1.eq_ignore_ascii_case(host)),
            None => self.parties.iter().any(|(user, _)| *user == word.as_bytes()),
        }
    }
}

/// The user and the host of the first SIP or telephone URI of a text.
fn party(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = SCHEMES.iter().filter_map(|it| Some(text.find(it)? + it.len())).min()?;
    let uri = &text[start..];
    let uri = &uri[..uri.find_byteset(b">;? \t").unwrap_or(uri.len())];
    let (user, host) = match uri.split_once_str("@") {
        Some((user, host)) => (user, host),
        // A telephone URI has no host, and a SIP URI may have no user.
        None if text.contains_str("tel:") => (uri, &uri[..0]),
        None => return None,
    };
    let user = user.split_str(":").next().unwrap_or(user);
    let host = host.strip_suffix(b":").unwrap_or(host);
    // The port of an IPv6 address in brackets comes behind them.
    let host = match host.rfind_byte(b':') {
        Some(colon) if !host[colon..].contains(&b']') => &host[..colon],
        _ => host,
    };
    Some((user, host))
}

const SCHEMES: [&str; 3] = ["sip:", "sips:", "tel:"];
/// More headers than any message has that is taken.
const MOST_LINES: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parties_are_found_in_whatever_form() {
        for (text, user, host) in [
            ("\"A <x>\" <sip:100@h:5060>;tag=1", "100", "h"),
            ("sips:100:secret@[::1]:5061;transport=tls", "100", "[::1]"),
            ("<tel:+33123;phone-context=x>", "+33123", ""),
        ] {
            assert_eq!(party(text.as_bytes()), Some((user.as_bytes(), host.as_bytes())), "{text}");
        }
        for none in ["", "<sip:h>", "100@h", "sip", "sip:"] {
            assert_eq!(party(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn noise_has_no_words() {
        for noise in [&b""[..], b"\0\xff\r\n:\r\n", b"INVITE", b"SIP/2.0", b"\n\nTo: <sip:1@a>"] {
            let words = Words::of(noise);
            assert!(words.parties.is_empty() && words.call_id.is_empty(), "{noise:?}");
        }
    }
}
