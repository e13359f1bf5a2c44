//! How the values of settings are written: yes and no, numbers, addresses, callers.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use bstr::{BStr, BString, ByteSlice};

use diesis_dialplan::conf::{is_false, is_true};
use diesis_dialplan::spelling::closest;

use super::settings::CallerId;

/// Yes or no, in the words that Asterisk takes.
pub(super) fn yes_no(value: &BStr) -> Option<bool> {
    is_true(value).then_some(true).or_else(|| is_false(value).then_some(false))
}

/// A value in a type's own notation.
pub(super) fn parsed<T: FromStr>(value: &BStr) -> Option<T> {
    value.to_str().ok()?.parse().ok()
}

/// The parts of a list that is separated by commas, trimmed, without empty ones.
pub(super) fn list(value: &BStr) -> impl Iterator<Item = &BStr> {
    value.split_str(",").map(|part| part.trim_ascii().as_bstr()).filter(|part| !part.is_empty())
}

/// `address`, `address:port`, `[ipv6]`, `[ipv6]:port` or a bare IPv6 address.
pub(super) fn socket_address(value: &BStr, default_port: u16) -> Option<SocketAddr> {
    let text = value.to_str().ok()?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    Some(SocketAddr::new(ip_address(value)?, default_port))
}

/// An IP address, IPv6 in brackets or not.
pub(super) fn ip_address(value: &BStr) -> Option<IpAddr> {
    let text = value.to_str().ok()?;
    text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text).parse().ok()
}

/// `"Name" <number>`, `Name <number>`, `<number>`, or one word or text: a number when it has only
/// the bytes of one, else a name.
pub(super) fn caller_id(value: &BStr) -> CallerId {
    let unquoted = |text: &[u8]| -> BString {
        let text = text.trim_ascii();
        let bare = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        bare.unwrap_or(text).replace(b"\\\"", b"\"").into()
    };
    if let Some((name, rest)) = value.rsplit_once_str("<")
        && let Some((number, _)) = rest.split_once_str(">")
    {
        return CallerId { name: unquoted(name), number: number.trim_ascii().into() };
    }
    let text = unquoted(value);
    if !text.is_empty() && text.iter().all(|b| b.is_ascii_digit() || b"+*#-.() ".contains(b)) {
        CallerId { name: BString::default(), number: text }
    } else {
        CallerId { name: text, number: BString::default() }
    }
}

/// The known word that `word` was probably meant to be.
pub(super) fn nearest<'a>(
    word: &BStr,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // All known words are text.
    closest(word, known.into_iter().map(BStr::new))?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_and_no_have_many_words() {
        for word in ["yes", "TRUE", "1", "on", "t", "Y"] {
            assert_eq!(yes_no(word.into()), Some(true), "{word}");
        }
        for word in ["no", "False", "0", "OFF"] {
            assert_eq!(yes_no(word.into()), Some(false), "{word}");
        }
        assert_eq!(yes_no("maybe".into()), None);
        assert_eq!(yes_no("".into()), None);
    }

    #[test]
    fn a_bind_address_may_leave_the_port_out() {
        let read =
            |text: &str| socket_address(text.into(), 5060).map(|address| address.to_string());
        assert_eq!(read("0.0.0.0"), Some("0.0.0.0:5060".to_owned()));
        assert_eq!(read("127.0.0.1:5070"), Some("127.0.0.1:5070".to_owned()));
        assert_eq!(read("::"), Some("[::]:5060".to_owned()));
        assert_eq!(read("[::1]:5062"), Some("[::1]:5062".to_owned()));
        assert_eq!(read("localhost:5060"), None);
    }

    #[test]
    fn callers_are_written_in_many_ways() {
        let read = |text: &str| {
            let caller = caller_id(text.into());
            (caller.name.to_string(), caller.number.to_string())
        };
        let is = |name: &str, number: &str| (name.to_owned(), number.to_owned());
        assert_eq!(read("\"Front desk\" <1001>"), is("Front desk", "1001"));
        assert_eq!(read("Front desk <1001>"), is("Front desk", "1001"));
        assert_eq!(read("<1001>"), is("", "1001"));
        assert_eq!(read("1001"), is("", "1001"));
        assert_eq!(read("Reception"), is("Reception", ""));
        assert_eq!(read("\"A \\\"B\\\" C\" <+33 1>"), is("A \"B\" C", "+33 1"));
        assert_eq!(read("<"), is("<", ""));
        assert_eq!(read(""), is("", ""));
    }
}
