//! The `${...}` of a text, with their places.

use std::ops::Range;

use bstr::{BStr, ByteSlice};

/// A reference to a variable or a function, by the range of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// `${name}` or `${name:offset:length}`.
    Variable(Range<usize>),
    /// `${NAME(arguments)}`; the arguments are the text between the parentheses.
    Function { name: Range<usize>, arguments: Range<usize> },
    /// `$[...]`, by the text between its brackets.
    Expression(Range<usize>),
    /// `${` or `$[` without its end.
    Unclosed(Range<usize>),
}

/// All references of a text, those in others included, in order. Names that are themselves
/// computed are left out.
pub(super) fn references(text: &BStr) -> Vec<Reference> {
    let mut found = vec![];
    scan(text, 0..text.len(), 0, &mut found);
    found
}

fn scan(text: &BStr, range: Range<usize>, depth: usize, found: &mut Vec<Reference>) {
    if depth > DEPTH {
        return;
    }
    let mut at = range.start;
    while let Some(dollar) = memchr::memchr(b'$', &text[at..range.end]).map(|length| at + length) {
        let (open, close) = match text.get(dollar + 1) {
            Some(b'{') => (b'{', b'}'),
            Some(b'[') => (b'[', b']'),
            _ => {
                at = dollar + 1;
                continue;
            }
        };
        let inside = (dollar + 2).min(range.end);
        let end = closing(&text[inside..range.end], open, close).map(|length| inside + length);
        if end.is_none() {
            found.push(Reference::Unclosed(dollar..dollar + 2));
        }
        let inner = inside..end.unwrap_or(range.end);
        if open == b'{' {
            found.extend(reference(text, inner.clone()));
        } else if end.is_some() {
            found.push(Reference::Expression(inner.clone()));
        }
        scan(text, inner.clone(), depth + 1, found);
        at = end.map_or(range.end, |end| end + 1);
    }
}

/// How far it is to the bracket that closes. Only this kind of bracket counts.
pub(super) fn closing(text: &[u8], open: u8, close: u8) -> Option<usize> {
    let mut depth = 1;
    for (at, &byte) in text.iter().enumerate() {
        if byte == open {
            depth += 1;
        } else if byte == close {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// What a text between `${` and `}` names, if that does not depend on others.
fn reference(text: &BStr, inner: Range<usize>) -> Option<Reference> {
    let inside = &text[inner.clone()];
    let name_end = inside.find_byteset("(:$").unwrap_or(inside.len());
    let name = inner.start..inner.start + name_end;
    match inside.get(name_end) {
        Some(b'$') => None,
        Some(b'(') => {
            let open = name.end + 1;
            let close = inside.rfind_byte(b')').map(|at| inner.start + at);
            let close = close.filter(|&close| close >= open).unwrap_or(inner.end);
            Some(Reference::Function { name, arguments: open..close })
        }
        _ => Some(Reference::Variable(name)),
    }
}

/// Deeper nesting is not looked into.
const DEPTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let text_of = |range: &Range<usize>| text[range.clone()].to_owned();
        references(text.into())
            .iter()
            .filter(|reference| !matches!(reference, Reference::Expression(_)))
            .map(|reference| match reference {
                Reference::Variable(name) | Reference::Expression(name) => text_of(name),
                Reference::Function { name, arguments } => {
                    format!("{}({})", text_of(name), text_of(arguments))
                }
                Reference::Unclosed(range) => format!("unclosed {}", text_of(range)),
            })
            .collect()
    }

    #[test]
    fn references_are_found_inside_others() {
        assert_eq!(
            names("${a} $[${b:1:2} + ${LEN(${c d})}] ${e${f}}"),
            ["a", "b", "LEN(${c d})", "c d", "f"]
        );
    }

    #[test]
    fn a_missing_end_is_reported_and_the_rest_still_read() {
        assert_eq!(names("${a(${b}"), ["unclosed ${", "a(${b})", "b"]);
        assert_eq!(names("$[1 + "), ["unclosed $["]);
    }
}
