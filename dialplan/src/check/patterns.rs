//! What is wrong in the name of an extension: sets that hold nothing, text that is never looked at,
//! a pattern without its underscore.

use std::ops::Range;

use bstr::{BStr, ByteSlice};

use super::arguments::Flaw;
use crate::codes;

/// What is wrong in an extension's name (without the caller's part) at `start` of its line.
pub(super) fn flaws(name: &BStr, start: usize) -> Vec<Flaw> {
    match name.strip_prefix(b"_") {
        Some(pattern) => of_pattern(pattern, start + 1),
        None if is_pattern_without_mark(name) => {
            let message = format!("`{name}` is no pattern: only these very characters match it");
            let help = format!("write `_{name}`");
            let range = start..start + name.len();
            vec![Flaw::warning(codes::PATTERN_UNMARKED, range, message, help)]
        }
        None => vec![],
    }
}

fn of_pattern(pattern: &[u8], start: usize) -> Vec<Flaw> {
    let mut found = vec![];
    let mut at = 0;
    while let Some(&byte) = pattern.get(at) {
        at += 1;
        match byte {
            b'.' | b'!' if at < pattern.len() => {
                let range: Range<usize> = start + at..start + pattern.len();
                let message = format!(
                    "`{}` matches all that follows: the text after it is never looked at",
                    char::from(byte)
                );
                let help = format!("write `_{}`", pattern[..at].as_bstr());
                found.push(Flaw::warning(codes::PATTERN_TAIL, range, message, help));
                return found;
            }
            b'[' => {
                // A set that does not end is another matter.
                let Some(length) = pattern[at..].find_byte(b']') else { return found };
                found.extend(of_set(&pattern[at..at + length], start + at));
                at += length + 1;
            }
            _ => {}
        }
    }
    found
}

fn of_set(members: &[u8], start: usize) -> Option<Flaw> {
    let mut at = 0;
    while at < members.len() {
        let Some(&[first, b'-', last]) = members.get(at..at + 3) else {
            at += 1;
            continue;
        };
        if first > last {
            let shown = |byte: u8| char::from(byte).escape_default().to_string();
            let [first, last] = [first, last].map(shown);
            let message = format!("the range `{first}-{last}` holds nothing: it runs backwards");
            let help = format!("write `{last}-{first}`");
            let range = start + at..start + at + 3;
            return Some(Flaw::warning(codes::PATTERN_RANGE_REVERSED, range, message, help));
        }
        at += 3;
    }
    None
}

/// Whether a name without an underscore can only have been meant as a pattern.
fn is_pattern_without_mark(name: &[u8]) -> bool {
    let is_wide = |byte: &u8| b"NXZ".contains(byte);
    let is_of_patterns = |byte: &u8| byte.is_ascii_digit() || b"NXZ.!+*#[]-".contains(byte);
    name.iter().all(is_of_patterns)
        && name.windows(2).any(|pair| is_wide(&pair[0]) && (is_wide(&pair[1]) || pair[1] == b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str) -> Vec<String> {
        let found = flaws(name.into(), 0);
        found.iter().map(|flaw| format!("{} {}", flaw.code, &name[flaw.range.clone()])).collect()
    }

    #[test]
    fn what_never_matches_is_named() {
        assert_eq!(said("_NX[9-1]"), ["D324 9-1"]);
        assert_eq!(said("_X.Z"), ["D325 Z"]);
        assert_eq!(said("NXXNXXXXXX"), ["D330 NXXNXXXXXX"]);
        assert_eq!(said("9X."), ["D330 9X."]);
    }

    #[test]
    fn sound_names_are_not_named() {
        for name in
            ["_X.", "_!", "_[2-9a-z]XX", "_[-1]", "_[1-", "s", "*98", "FAX", "X", "N2", "_[+]X."]
        {
            assert_eq!(said(name), [""; 0], "{name}");
        }
    }
}
