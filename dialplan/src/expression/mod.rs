//! `$[...]`: the text between the brackets, after substitution, becomes a value.
//!
//! Follows Asterisk 22 to the letter: numbers are x87 long doubles, quotes are part of a text, and a syntax
//! error leaves whatever was complete to its left. See [`evaluate`].

mod lexer;
mod math;
mod number;
mod parser;
mod value;

pub(crate) use lexer::{Operator, Token};
pub use number::Number;
pub(crate) use number::write_whole;

use std::fmt;

/// What an expression may ask for while it is computed.
pub trait Surroundings {
    /// Calls a dialplan function as `NAME(arguments)`; `false` when it can not be read.
    fn call(&mut self, name: &[u8], arguments: &[u8], out: &mut Vec<u8>) -> bool;

    /// Takes a warning.
    fn warn(&mut self, message: fmt::Arguments<'_>);
}

/// Computes an expression and appends the result's text.
///
/// A syntax error is a warning; the result is then the complete expression at the left if the error comes
/// right after one, nothing if the first token can not start an expression, and `0` inside an unfinished one.
pub fn evaluate(text: &[u8], surroundings: &mut dyn Surroundings, out: &mut Vec<u8>) {
    if !of_two_whole_numbers(text, out) {
        parser::Parser::new(text, surroundings).run(out);
    }
}

/// Where the syntax of an expression breaks: at a token, or at the end.
pub(crate) fn flaw(text: &[u8]) -> Option<usize> {
    parser::Parser::new(text, &mut Alone::default()).flaw()
}

/// The tokens with their ends.
pub(crate) fn tokens(text: &[u8]) -> Vec<(Token<'_>, usize)> {
    let mut at = 0;
    std::iter::from_fn(|| {
        let found = lexer::next(text, at)?;
        at = found.1;
        Some(found)
    })
    .collect()
}

/// The short cut for `1 + 2`, `7 < 10` and their like: most of what counters and menus compute. Anything
/// that is not two whole numbers with a simple operator between is left to the parser.
fn of_two_whole_numbers(text: &[u8], out: &mut Vec<u8>) -> bool {
    let mut at = 0;
    let number = |at: &mut usize| -> Option<i64> {
        while text.get(*at) == Some(&b' ') {
            *at += 1;
        }
        let start = *at;
        let mut value = 0i64;
        while let Some(digit) = text.get(*at).filter(|byte| byte.is_ascii_digit()) {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            *at += 1;
        }
        let digits = *at - start;
        while text.get(*at) == Some(&b' ') {
            *at += 1;
        }
        (1..=17).contains(&digits).then_some(value)
    };
    let Some(a) = number(&mut at) else { return false };
    let (operator, next) = (text.get(at).copied(), text.get(at + 1).copied());
    let is_double = next == Some(b'=');
    at += 1 + usize::from(is_double);
    let Some(b) = number(&mut at) else { return false };
    if at != text.len() {
        return false;
    }
    let result = match (operator, is_double) {
        (Some(b'+'), false) => a + b,
        (Some(b'-'), false) => a - b,
        (Some(b'='), _) => i64::from(a == b),
        (Some(b'!'), true) => i64::from(a != b),
        (Some(b'<'), false) => i64::from(a < b),
        (Some(b'>'), false) => i64::from(a > b),
        (Some(b'<'), true) => i64::from(a <= b),
        (Some(b'>'), true) => i64::from(a >= b),
        _ => return false,
    };
    write_whole(result, out);
    true
}

/// Surroundings without functions, for tests and tools; warnings are counted.
#[derive(Debug, Default)]
pub struct Alone {
    /// How many warnings there were.
    pub warnings: usize,
}

impl Surroundings for Alone {
    fn call(&mut self, _: &[u8], _: &[u8], _: &mut Vec<u8>) -> bool {
        false
    }

    fn warn(&mut self, _: fmt::Arguments<'_>) {
        self.warnings += 1;
    }
}

#[cfg(test)]
mod tests {
    use bstr::BString;
    use proptest::prelude::*;

    use super::*;

    fn value(text: &str) -> BString {
        let mut out = Vec::new();
        evaluate(text.as_bytes(), &mut Alone::default(), &mut out);
        out.into()
    }

    #[test]
    fn division_is_real_and_prints_eighteen_digits() {
        assert_eq!(value("20/3"), "6.66666666666666667");
        assert_eq!(value("9223372036854775807+1"), "9.22337203685477581e+18");
        assert_eq!(value("0.1+0.2=0.3"), "1");
        assert_eq!(value("123456789012345*10"), "1234567890123450");
    }

    #[test]
    fn syntax_error_keeps_what_was_complete() {
        assert_eq!(value("hello world"), "hello");
        assert_eq!(value("1 + 2 3"), "3");
        assert_eq!(value("= 1"), "");
        assert_eq!(value("1 +"), "0");
        assert_eq!(value("(1 2"), "0");
        assert_eq!(value("1 ? 2 3"), "0");
        assert_eq!(value("1 :: 2"), "1");
    }

    #[test]
    fn short_cut_and_parser_agree() {
        let parsed = |text: &str| {
            let mut out = Vec::new();
            parser::Parser::new(text.as_bytes(), &mut Alone::default()).run(&mut out);
            BString::from(out)
        };
        for a in ["0", "007", "12", "99999999999999999", "1.5", "x", ""] {
            for operator in
                ["+", "-", "=", "==", "!=", "<", ">", "<=", ">=", "=~", "*", "=<", "+=", "! ="]
            {
                for b in ["0", "7", " 12 ", "99999999999999999", "123456789012345678", "y", ""] {
                    let text = format!("{a}{operator}{b}");
                    assert_eq!(value(&text), parsed(&text), "{text}");
                }
            }
        }
    }

    #[test]
    fn quotes_are_part_of_a_text() {
        assert_eq!(value(r#"1 = "1""#), "0");
        assert_eq!(value(r#""" | 5"#), r#""""#);
        assert_eq!(value(r#""" ? 1 :: 2"#), "2");
    }

    #[test]
    fn conditional_nests_in_its_middle_and_leans_left() {
        assert_eq!(value("1 ? 2 :: 3 ? 4 :: 5"), "4");
        assert_eq!(value("1 ? 2 ? 3 :: 4 :: 5"), "3");
    }

    #[test]
    fn negative_zero_survives() {
        assert_eq!(value("-(1:10)"), "-0");
        assert_eq!(value("-!1"), "-0");
        assert_eq!(value("0*-3+0"), "0");
    }

    #[test]
    fn deep_nesting_needs_no_stack() {
        let text = format!("{}1{}", "(".repeat(4000), ")".repeat(4000));
        assert_eq!(value(&text), "1");
        assert_eq!(value(&"!".repeat(8000)), "0");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn any_text_gives_a_bounded_answer(text in "[-0-9a-c.\"'()!=<>+*/%|&?:~, $\\[\\]{}_^]{0,60}") {
            prop_assert!(value(&text).len() <= 200);
        }

        #[test]
        fn small_integers_compute_as_integers(a in -1000i64..1000, b in 1i64..1000) {
            prop_assert_eq!(value(&format!("{a} + {b}")), (a + b).to_string());
            prop_assert_eq!(value(&format!("{a} * {b} - {b}")), (a * b - b).to_string());
        }
    }
}
