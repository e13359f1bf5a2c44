//! Text from outside as it may stand in a log: on one line, without escape sequences.
//!
//! Callers choose their names, what they dial and so what a dialplan logs. A line end would let them
//! write log lines of their own, an escape character would let them write on the operator's screen.

use std::fmt;

/// Shows text with control characters and bytes that are no UTF-8 escaped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printable<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() || is_invisible(character) {
                    write!(f, "{}", character.escape_default())?;
                } else {
                    fmt::Write::write_char(f, character)?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Line separators that are no control characters, and what turns the direction of writing around.
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_writes_lines_or_escape_sequences_into_a_log() {
        let shown = |text: &[u8]| Printable(text).to_string();
        assert_eq!(shown(b"100\r\nWARN forged"), r"100\r\nWARN forged");
        assert_eq!(shown(b"\x1b[2Jx\0"), r"\u{1b}[2Jx\u{0}");
        assert_eq!(shown("caf\u{e9} \u{202e}txt".as_bytes()), "caf\u{e9} \\u{202e}txt");
        assert_eq!(shown(b"a\xffb"), r"a\xffb");
    }
}
