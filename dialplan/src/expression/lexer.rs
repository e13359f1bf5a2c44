//! Text to tokens. Bytes that start no token are dropped without a word, as the reference does.

/// One token with its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// Digits with an optional fraction.
    Number(&'a [u8]),
    /// A word or a quoted text, quotes included.
    Text(&'a [u8]),
    Open,
    Close,
    Comma,
    Operator(Operator),
    Else,
}

/// An operator between or before operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Conditional,
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Divide,
    Remainder,
    Not,
    MatchStart,
    Match,
    Join,
}

/// The next token and where the one after it starts; `None` at the end.
pub(super) fn next(text: &[u8], mut at: usize) -> Option<(Token<'_>, usize)> {
    loop {
        let rest = text.get(at..)?;
        let &first = rest.first()?;
        let second = rest.get(1).copied();
        let pair = |token, alone: Option<Token<'static>>, wanted: u8| {
            if second == Some(wanted) { Some((token, 2)) } else { alone.map(|t| (t, 1)) }
        };
        let operator = |op| Some(Token::Operator(op));
        let found = match first {
            b' ' | b'\t' | b'\r' | b'\n' => None,
            b'0'..=b'9' => Some(number_or_word(rest)),
            b'(' => Some((Token::Open, 1)),
            b')' => Some((Token::Close, 1)),
            b',' => Some((Token::Comma, 1)),
            b'?' => Some((Token::Operator(Operator::Conditional), 1)),
            b'|' => pair(Token::Operator(Operator::Or), operator(Operator::Or), b'|'),
            b'&' => pair(Token::Operator(Operator::And), operator(Operator::And), b'&'),
            b'=' if second == Some(b'~') => Some((Token::Operator(Operator::Match), 2)),
            b'=' => pair(Token::Operator(Operator::Equal), operator(Operator::Equal), b'='),
            b'!' => pair(Token::Operator(Operator::NotEqual), operator(Operator::Not), b'='),
            b'<' => pair(Token::Operator(Operator::LessOrEqual), operator(Operator::Less), b'='),
            b'>' => {
                pair(Token::Operator(Operator::GreaterOrEqual), operator(Operator::Greater), b'=')
            }
            b'+' => Some((Token::Operator(Operator::Plus), 1)),
            b'-' => Some((Token::Operator(Operator::Minus), 1)),
            b'*' => Some((Token::Operator(Operator::Times), 1)),
            b'/' => Some((Token::Operator(Operator::Divide), 1)),
            b'%' => Some((Token::Operator(Operator::Remainder), 1)),
            b':' => pair(Token::Else, operator(Operator::MatchStart), b':'),
            b'~' => pair(Token::Operator(Operator::Join), None, b'~'),
            b'"' => {
                memchr::memchr(b'"', &rest[1..]).map(|end| (Token::Text(&rest[..end + 2]), end + 2))
            }
            _ => match word_length(rest) {
                0 => None,
                length => Some((Token::Text(&rest[..length]), length)),
            },
        };
        match found {
            Some((token, length)) => return Some((token, at + length)),
            None => at += 1,
        }
    }
}

fn number_or_word(rest: &[u8]) -> (Token<'_>, usize) {
    let mut end = digits(rest);
    if rest.get(end) == Some(&b'.') {
        let fraction = digits(&rest[end + 1..]);
        if fraction > 0 {
            end += 1 + fraction;
        }
    }
    let word = word_length(rest);
    if word > end { (Token::Text(&rest[..word]), word) } else { (Token::Number(&rest[..end]), end) }
}

fn digits(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())
}

/// Length of the word at the start. A `$` belongs to it together with the byte that follows; `${...}` left
/// over from a value belongs to it as a whole.
fn word_length(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let is_word = byte.is_ascii_alphanumeric()
            || byte >= 0x80
            || matches!(byte, b'.' | b'\'' | b';' | b'\\' | b'_' | b'^' | b'#' | b'@');
        if is_word {
            at += 1;
        } else if byte == b'$' {
            match text.get(at + 1) {
                None => break,
                Some(b'{') => match reference_length(&text[at..]) {
                    Some(length) => at += length,
                    None => break,
                },
                Some(_) => at += 2,
            }
        } else {
            break;
        }
    }
    at
}

/// Length of a balanced `${...}`.
fn reference_length(text: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Token<'_>> {
        let mut tokens = vec![];
        let mut at = 0;
        while let Some((token, end)) = next(text.as_bytes(), at) {
            tokens.push(token);
            at = end;
        }
        tokens
    }

    #[test]
    fn number_with_letters_or_two_points_is_a_word() {
        assert_eq!(all("1.5"), [Token::Number(b"1.5")]);
        for word in ["1e3", "0x10", "1.2.3", ".5", "5.", "1#2"] {
            assert_eq!(all(word), [Token::Text(word.as_bytes())]);
        }
    }

    #[test]
    fn stray_bytes_are_dropped() {
        assert_eq!(all("{[1]}~ \" $"), [Token::Number(b"1")]);
    }
}
