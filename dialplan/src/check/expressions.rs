//! What is wrong in `$[...]` whatever the values in it are: syntax that no value mends, comparisons
//! that have one result only.

use std::ops::Range;

use bstr::{BStr, ByteSlice};

use super::{arguments::Flaw, references::closing};
use crate::{
    codes,
    expression::{self, Alone, Operator, Token},
};

/// What is wrong in the expression that is a range of `text`, without its brackets.
pub(super) fn flaw(text: &BStr, range: Range<usize>) -> Option<Flaw> {
    let pieces = Pieces::of(&text[range.clone()])?;
    broken(&pieces, &range).or_else(|| constant(&pieces, &range))
}

/// An expression with what is replaced taken out.
struct Pieces<'a> {
    source: &'a [u8],
    /// Everything replaced outside of quotes, with its `${` or `$[`.
    holes: Vec<Range<usize>>,
    /// The same inside of quotes.
    quoted: Vec<Range<usize>>,
}

impl<'a> Pieces<'a> {
    fn of(source: &'a [u8]) -> Option<Self> {
        let (mut holes, mut quoted) = (vec![], vec![]);
        let (mut at, mut is_quoted) = (0, false);
        while let Some(&byte) = source.get(at) {
            match (byte, source.get(at + 1)) {
                (b'$', Some(&open @ (b'{' | b'['))) => {
                    let close = if open == b'{' { b'}' } else { b']' };
                    let end = at + 2 + closing(&source[at + 2..], open, close)? + 1;
                    if is_quoted {
                        quoted.push(at..end)
                    } else {
                        holes.push(at..end)
                    }
                    at = end;
                    continue;
                }
                (b'"', _) => is_quoted = !is_quoted,
                _ => {}
            }
            at += 1;
        }
        Some(Self { source, holes, quoted })
    }

    /// The text with `filling(n)` in the n-th hole, and where each byte comes from.
    fn filled(&self, filling: impl Fn(usize) -> &'static [u8]) -> (Vec<u8>, Vec<usize>) {
        let (mut out, mut origins) = (vec![], vec![]);
        let mut at = 0;
        while let Some(&byte) = self.source.get(at) {
            let hole = self.holes.iter().position(|hole| hole.start == at);
            let inner = self.quoted.iter().find(|hole| hole.start == at);
            let (filling, next) = match (hole, inner) {
                (Some(index), _) => (filling(index), self.holes[index].end),
                (None, Some(inner)) => (&b"x"[..], inner.end),
                (None, None) => {
                    out.push(byte);
                    origins.push(at);
                    at += 1;
                    continue;
                }
            };
            out.extend_from_slice(filling);
            origins.extend(std::iter::repeat_n(at, filling.len()));
            at = next;
        }
        (out, origins)
    }

    fn is_computed(&self, range: &Range<usize>) -> bool {
        let all = self.holes.iter().chain(&self.quoted);
        all.into_iter().any(|hole| hole.start >= range.start && hole.start < range.end)
    }
}

/// What a variable may bring: a value, nothing, an operator, and parts of a comparison.
const FILLINGS: [&[u8]; 6] = [b"1", b"", b"=", b"1=", b"=1", b"-"];

fn broken(pieces: &Pieces<'_>, range: &Range<usize>) -> Option<Flaw> {
    let (text, origins) = pieces.filled(|_| FILLINGS[0]);
    let at = expression::flaw(&text)?;
    // With many holes anything may come; with few, all that may come is tried.
    let holes = pieces.holes.len();
    if holes > 3 {
        return None;
    }
    let mends = |choice: usize| {
        let filling =
            |hole: usize| FILLINGS[choice / FILLINGS.len().pow(hole as u32) % FILLINGS.len()];
        expression::flaw(&pieces.filled(filling).0).is_none()
    };
    if (1..FILLINGS.len().pow(holes as u32)).any(mends) {
        return None;
    }
    let blanks = text[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let start = origins.get(at + blanks).copied();
    let (place, message) = match start {
        Some(start) => (
            range.start + start..range.start + start + 1,
            "a syntax error: this is not expected here",
        ),
        None => (range.clone(), "a syntax error: the expression is not complete"),
    };
    let help = "the result is only what is complete before it".to_owned();
    Some(Flaw::warning(codes::EXPRESSION_BROKEN, place, message.to_owned(), help))
}

struct Operand<'a> {
    text: &'a [u8],
    range: Range<usize>,
    is_computed: bool,
}

impl Operand<'_> {
    fn is_quoted(&self) -> bool {
        self.text.first() == Some(&b'"')
    }

    /// A word in capitals, as variables are named.
    fn is_like_variable(&self) -> bool {
        !self.is_computed
            && self.text.len() > 1
            && self.text.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
    }
}

fn constant(pieces: &Pieces<'_>, range: &Range<usize>) -> Option<Flaw> {
    let (text, origins) = pieces.filled(|_| b"x");
    let tokens = expression::tokens(&text);
    (1..tokens.len().saturating_sub(1)).find_map(|index| {
        let operator = tokens[index].0;
        if !matches!(operator, Token::Operator(Operator::Equal | Operator::NotEqual)) {
            return None;
        }
        let before = index.checked_sub(2).map(|index| tokens[index].0);
        let after = tokens.get(index + 2).map(|token| token.0);
        if !before.is_none_or(is_border) || !after.is_none_or(is_border) {
            return None;
        }
        let operand = |index: usize| {
            let (token, end) = tokens[index];
            let (Token::Number(text) | Token::Text(text)) = token else { return None };
            let start = origins[end - text.len()];
            let end = origins.get(end).copied().unwrap_or(pieces.source.len());
            let is_computed = pieces.is_computed(&(start..end));
            Some(Operand { text, range: range.start + start..range.start + end, is_computed })
        };
        let (left, right) = (operand(index - 1)?, operand(index + 1)?);
        let result = if operator == Token::Operator(Operator::Equal) { "0" } else { "1" };
        let whole = left.range.start..right.range.end;
        if left.is_quoted() != right.is_quoted() {
            let plain = if left.is_quoted() { &right } else { &left };
            let differs = !plain.is_computed && !is_equal_quoted(plain.text);
            let text = plain.text.as_bstr();
            let message = format!("quotes on one side only: this is always {result}");
            let help = format!("the quotes are compared as well: write `\"{text}\"`");
            return differs
                .then(|| Flaw::warning(codes::EXPRESSION_CONSTANT, whole, message, help));
        }
        if left.is_computed || right.is_computed || left.text == right.text {
            return None;
        }
        let name = [&left, &right].into_iter().find(|operand| operand.is_like_variable())?;
        let name = name.text.as_bstr();
        let message = format!("`{name}` is a text here, so that this is always {result}");
        let help = format!("write `${{{name}}}` for the variable");
        Some(Flaw::warning(codes::EXPRESSION_CONSTANT, whole, message, help))
    })
}

/// Whether a text equals itself in quotes.
fn is_equal_quoted(text: &[u8]) -> bool {
    let comparison = [b"\"", text, b"\" = ", text].concat();
    let mut out = vec![];
    expression::evaluate(&comparison, &mut Alone::default(), &mut out);
    out != b"0"
}

/// Whether a comparison ends here.
fn is_border(token: Token<'_>) -> bool {
    use Operator::{And, Conditional, Or};
    let is_loose = matches!(token, Token::Operator(And | Or | Conditional));
    is_loose || matches!(token, Token::Open | Token::Close | Token::Else | Token::Comma)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<String> {
        let found = flaw(text.into(), 0..text.len())?;
        Some(format!("{} {}", found.code, &text[found.range]))
    }

    #[test]
    fn syntax_that_no_value_mends_is_named_where_it_breaks() {
        for (text, wanted) in [
            ("1 + * 2", "D331 *"),
            ("(${x} = 1", "D331 (${x} = 1"),
            ("${x} = 1)", "D331 )"),
            ("\"${x}\" = ", "D331 \"${x}\" = "),
            ("\"a\" \"b\"", "D331 \""),
        ] {
            assert_eq!(said(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn comparisons_with_one_result_are_named() {
        for (text, wanted) in [
            ("\"${x}\" = yes", "D332 \"${x}\" = yes"),
            ("yes != \"${x}\" & ${y}", "D332 yes != \"${x}\""),
            ("EXTEN = 100", "D332 EXTEN = 100"),
            ("\"${x}\"=\"a\" | (DIALSTATUS=\"BUSY\")", "D332 DIALSTATUS=\"BUSY\""),
        ] {
            assert_eq!(said(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_may_be_meant_is_not_named() {
        for text in [
            "",
            "${x}",
            "${x} = 1",
            "${x}=${y}",
            "${a} ${operator} ${b}",
            "${x} 5",
            "\"${x}\" = \"yes\"",
            "\"${x}\" = ${y}",
            "\"${x}\" : \"^[0-9]+$\"",
            "${x} > 1 & ${x} < 5",
            "1 = 1",
            "${a} ? ${b} :: ${c}",
            "!${a}",
            "x${a} = x",
            "-${a}",
            "${x} + $[${y} * 2]",
            "${LEN(${x})} = 0",
            "foo",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }
}
