//! How the values of settings are written: yes and no, numbers, addresses, callers.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use bstr::{BStr, BString, ByteSlice};

use diesis_dialplan::conf::{is_false, is_true};

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

/// The known word nearest to `word`, when it is near enough to be what was meant.
pub(super) fn nearest<'a>(
    word: &BStr,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // One slip in a short word, two in a longer one; more is another word.
    let limit = if word.len() < 6 { 1 } else { 2 };
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate.as_bytes(), limit), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters to change, add, drop or swap with their neighbour to make `a` of `b`, ignoring
/// letter case; anything above `limit` is `limit + 1`.
fn distance(a: &[u8], b: &[u8], limit: usize) -> usize {
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut before: Vec<usize> = vec![];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let same = x.eq_ignore_ascii_case(y);
            let mut best = (above[j] + usize::from(!same)).min(above[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0
                && j > 0
                && x.eq_ignore_ascii_case(&b[j - 1])
                && y.eq_ignore_ascii_case(&a[i - 1]);
            if swapped {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()].min(limit + 1)
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

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let known = ["disallow", "allow", "context", "dtmf_mode", "pin"];
        assert_eq!(nearest("contex".into(), known), Some("context"));
        assert_eq!(nearest("dtmfmode".into(), known), Some("dtmf_mode"));
        assert_eq!(nearest("conetxt".into(), known), Some("context"));
        assert_eq!(nearest("Disalow".into(), known), Some("disallow"));
        assert_eq!(nearest("pni".into(), known), Some("pin"));
        assert_eq!(nearest("host".into(), known), None);
        assert_eq!(nearest("".into(), known), None);
    }
}
