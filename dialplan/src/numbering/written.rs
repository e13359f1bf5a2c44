//! Numbers where people write them: what of a text is one, and what is dialled then.

/// What can be dialled: digits, `+`, `*` and `#`, or a name.
pub type Dialled = String;

/// A number as it is dialled, without what only helps the eye: blanks, dots, hyphens, slashes and
/// parentheses. A name of letters, digits, `.`, `_` and `-` stays as it is. `None`: it is neither.
#[must_use]
pub fn dialled(number: &str) -> Option<Dialled> {
    let number = number.trim();
    if number.len() > LONGEST {
        return None;
    }
    let bare: String = number.chars().filter(|c| !is_ornament(*c)).collect();
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    let is_number = digits.bytes().any(|byte| byte.is_ascii_digit() || b"*#".contains(&byte))
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b"*#".contains(&byte));
    let is_name = number.starts_with(|first: char| first.is_ascii_alphanumeric())
        && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    match (is_number, is_name) {
        (true, _) => Some(bare),
        (false, true) => Some(number.to_owned()),
        (false, false) => None,
    }
}

fn is_ornament(c: char) -> bool {
    c.is_whitespace() || matches!(c, '.' | '-' | '/' | '(' | ')')
}

/// Octets of a number, with all that people put into it.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_dialled_without_its_ornaments_and_nothing_else_gets_in() {
        for (written, expected) in [
            ("+33 1.23-45/67", Some("+331234567")),
            ("(030) 1234", Some("0301234")),
            ("*98#", Some("*98#")),
            ("anna.b-2", Some("anna.b-2")),
            ("6001@trunk", None),
            ("1&PJSIP/2", None),
            ("${SHELL(id)}", None),
            ("1,2", None),
            ("+", None),
            ("", None),
            ("-", None),
            ("..", None),
        ] {
            assert_eq!(dialled(written).as_deref(), expected, "{written}");
        }
    }
}
