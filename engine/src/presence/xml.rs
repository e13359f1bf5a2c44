//! Text within XML.

use std::fmt::{self, Write};

/// Text as it may stand in an element or in an attribute: what XML 1.0 §2.2 has no character for
/// is left out.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&apos;")?,
                '\t' | '\n' | '\r' => f.write_char(' ')?,
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn nothing_ends_the_text_early() {
        assert_eq!(
            Escaped("<a b=\"c\">&'\0\n").to_string(),
            "&lt;a b=&quot;c&quot;&gt;&amp;&apos; "
        );
    }
}
