//! `${...}` and `$[...]` in a text, taken apart once at load.
//!
//! A [`Template`] holds the plain parts and the references. Evaluating one appends to a buffer: a text
//! without references costs a copy, a plain variable one lookup. What a reference means is decided by its
//! text after inner references were replaced, so a computed name is read again at run time.

use bstr::{BStr, BString};

use crate::arguments::scan_integer;

/// A text with references to variables, functions and expressions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    source: BString,
    parts: Vec<Part>,
}

/// A piece of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Copied.
    Text(Box<[u8]>),
    /// `${...}` without anything to replace inside.
    Reference(Reference<Box<[u8]>>),
    /// `${...}` whose text has to be computed first.
    Computed(Template),
    /// `$[...]`; its text is computed, then evaluated.
    Expression(Template),
    /// A missing bracket; the rest of the text was taken. Says so each time, as the reference does.
    Unclosed(&'static str),
}

/// What stands between `${` and `}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference<T> {
    /// A plain name.
    Variable { name: T, slice: Slice },
    /// `NAME(arguments)`.
    Function { name: T, arguments: T, slice: Slice, closed: Closed },
}

/// Whether a function had its closing parenthesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    Yes,
    No,
}

/// `:offset:length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    offset: i32,
    length: i32,
}

impl Template {
    /// Takes a text apart. Any text will do; what is wrong with it is told when it is evaluated.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self::parse_at(text, 0)
    }

    /// The text as written.
    #[must_use]
    pub fn source(&self) -> &BStr {
        self.source.as_ref()
    }

    /// The whole text, when it has no reference: then it need not be evaluated.
    #[must_use]
    pub fn literal(&self) -> Option<&BStr> {
        self.is_literal().then_some(self.source.as_ref())
    }

    /// Whether a text stands in it as it is.
    pub(crate) fn writes(&self, text: &[u8]) -> bool {
        let holds = |part: &Part| matches!(part, Part::Text(own) if memchr::memmem::find(own, text).is_some());
        !text.is_empty() && self.parts.iter().any(holds)
    }

    pub(crate) fn is_literal(&self) -> bool {
        matches!(self.parts.as_slice(), [] | [Part::Text(_)])
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn parse_at(text: &[u8], depth: usize) -> Self {
        let mut parts = Vec::new();
        let mut plain = Vec::new();
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'$', &text[at..]) {
            plain.extend_from_slice(&text[at..at + found]);
            at += found;
            let (open, close) = match text.get(at + 1) {
                Some(b'{') => (b'{', b'}'),
                Some(b'[') => (b'[', b']'),
                _ => {
                    plain.push(b'$');
                    at += 1;
                    continue;
                }
            };
            let inside = &text[at + 2..];
            let end = matching(inside, open, close);
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain).into()));
            }
            if end.is_none() {
                parts.push(Part::Unclosed(if open == b'{' {
                    "missing '}'"
                } else {
                    "missing ']'"
                }));
            }
            let length = end.unwrap_or(inside.len());
            let inner = &inside[..length.min(MOST_INSIDE)];
            if depth < MOST_NESTING {
                let template = Self::parse_at(inner, depth + 1);
                parts.push(match open {
                    b'[' => Part::Expression(template),
                    _ if template.is_literal() => {
                        Part::Reference(Reference::parse(inner).into_owned())
                    }
                    _ => Part::Computed(template),
                });
            } else {
                parts.push(Part::Unclosed("nested too deeply"));
            }
            at += 2 + length + usize::from(end.is_some());
        }
        plain.extend_from_slice(&text[at.min(text.len())..]);
        if !plain.is_empty() {
            parts.push(Part::Text(plain.into()));
        }
        Self { source: text.into(), parts }
    }
}

impl<'a> Reference<&'a [u8]> {
    /// Reads a text between `${` and `}` in which nothing is left to replace.
    pub(crate) fn parse(text: &'a [u8]) -> Self {
        let mut depth = 0i32;
        let mut is_function = false;
        let mut end = text.len();
        let mut slice = Slice::WHOLE;
        for (at, byte) in text.iter().enumerate() {
            match byte {
                b'(' => {
                    is_function = true;
                    depth += 1;
                }
                b')' => depth -= 1,
                b':' if depth == 0 => {
                    end = at;
                    slice = Slice::parse(&text[at + 1..]);
                    break;
                }
                _ => {}
            }
        }
        let text = &text[..end];
        if !is_function {
            return Self::Variable { name: text, slice };
        }
        let open = memchr::memchr(b'(', text).unwrap_or(text.len());
        let rest = text.get(open + 1..).unwrap_or_default();
        let (arguments, closed) = match memchr::memrchr(b')', rest) {
            Some(close) => (&rest[..close], Closed::Yes),
            None => (rest, Closed::No),
        };
        Self::Function { name: &text[..open], arguments, slice, closed }
    }

    fn into_owned(self) -> Reference<Box<[u8]>> {
        match self {
            Self::Variable { name, slice } => Reference::Variable { name: name.into(), slice },
            Self::Function { name, arguments, slice, closed } => Reference::Function {
                name: name.into(),
                arguments: arguments.into(),
                slice,
                closed,
            },
        }
    }
}

impl Slice {
    pub(crate) const WHOLE: Self = Self { offset: 0, length: i32::MAX };

    /// Behind the first colon; junk ends the reading.
    fn parse(text: &[u8]) -> Self {
        let mut slice = Self::WHOLE;
        let Some((offset, end)) = scan_integer(text) else { return slice };
        slice.offset = offset;
        if text.get(end) == Some(&b':')
            && let Some((length, _)) = scan_integer(&text[end + 1..])
        {
            slice.length = length;
        }
        slice
    }

    pub(crate) fn of(self, value: &[u8]) -> &[u8] {
        let value = &value[..value.len().min(MOST_INSIDE)];
        let size = value.len() as i64;
        let (offset, length) = (i64::from(self.offset), i64::from(self.length));
        let start = if offset < 0 { (size + offset).max(0) } else { offset.min(size) };
        let end = if length < 0 { (size + length).max(start) } else { (start + length).min(size) };
        &value[start as usize..end as usize]
    }
}

/// Where the bracket that belongs to an open one stands; nothing protects brackets.
fn matching(text: &[u8], open: u8, close: u8) -> Option<usize> {
    let mut depth = 1usize;
    let mut at = 0;
    while let Some(found) = memchr::memchr2(open, close, &text[at..]) {
        at += found;
        if text[at] == open {
            depth += 1;
        } else {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
        at += 1;
    }
    None
}

/// Bytes inside one `${...}` or `$[...]`, and of one value.
pub(crate) const MOST_INSIDE: usize = 4095;

/// Bytes that one evaluation yields.
pub(crate) const MOST_OUT: usize = 8191;

/// References inside references.
const MOST_NESTING: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_references_stays_one_piece() {
        assert_eq!(Template::parse(b"cost $5 $(x) $").literal(), Some(BStr::new("cost $5 $(x) $")));
        assert!(Template::parse(b"${x}").literal().is_none());
    }

    #[test]
    fn colon_inside_parentheses_belongs_to_the_arguments() {
        let Reference::Function { name, arguments, slice, .. } =
            Reference::parse(b"CUT(x,:,2):1:-1")
        else {
            panic!("has parentheses");
        };
        assert_eq!((name, arguments), (&b"CUT"[..], &b"x,:,2"[..]));
        assert_eq!(slice, Slice { offset: 1, length: -1 });
    }

    #[test]
    fn slices_follow_the_recorded_corners() {
        let slice = |spec: &str| {
            String::from_utf8(Slice::parse(spec.as_bytes()).of(b"0123456789").to_vec())
                .expect("ASCII")
        };
        for (spec, expected) in [
            ("1:2", "12"),
            ("-3:2", "78"),
            ("-12:2", "01"),
            ("20", ""),
            ("3:-20", ""),
            ("-12:-5", "01234"),
            (":2", "0123456789"),
            ("-default", "0123456789"),
            (" 1: 2", "12"),
            ("1:a", "123456789"),
        ] {
            assert_eq!(slice(spec), expected, "{spec}");
        }
    }

    #[test]
    fn any_nesting_is_taken_apart_without_deep_recursion() {
        let _ = Template::parse("${".repeat(4000).as_bytes());
        let _ = Template::parse("$[".repeat(4000).as_bytes());
    }
}
