//! Extension names as patterns: what they match, and which of two comes first.
//!
//! A name that begins with `_` is a pattern; any other is literal. Dashes outside sets count for
//! nothing, on both sides (main/pbx.c: _extension_match_core, ext_cmp).
//!
//! | written | matches |
//! |---|---|
//! | `X` `Z` `N` | 0-9, 1-9, 2-9, in either letter case |
//! | `[a-c5]` | one of these; nothing in it is special, and there is no way to negate it |
//! | `.` | one byte or more; ends the pattern |
//! | `!` | anything or nothing; ends the pattern, and no key is waited for |
//! | others | themselves |

use std::{cmp::Ordering, fmt};

use bstr::{BStr, BString};

/// What a dialled text is to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It does not match, and neither can it.
    No,
    /// It answers the question that was asked.
    Yes,
    /// It reached a `!`: matches as it is, and nothing is to be waited for.
    Final,
}

/// What is asked of a dialled text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Does it match?
    Match,
    /// Does it match, or could it with more digits?
    CanMatch,
    /// Could it match with more digits?
    MatchMore,
}

/// A set of bytes. Ordered as patterns are: at the lowest byte that only one of them has, that
/// one comes first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ByteSet([u128; 2]);

impl ByteSet {
    const EMPTY: Self = Self([0; 2]);

    fn range(first: u8, last: u8) -> Self {
        (first..=last).fold(Self::EMPTY, |set, byte| set.with(byte))
    }

    fn with(self, byte: u8) -> Self {
        let mut words = self.0;
        words[usize::from(byte >> 7)] |= Self::bit(byte);
        Self(words)
    }

    fn union(self, other: Self) -> Self {
        Self([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 7)] & Self::bit(byte) != 0
    }

    fn len(&self) -> u32 {
        self.0[0].count_ones() + self.0[1].count_ones()
    }

    fn bit(byte: u8) -> u128 {
        1 << (127 - u32::from(byte & 127))
    }
}

impl Ord for ByteSet {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.cmp(&self.0)
    }
}

impl PartialOrd for ByteSet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members: BString =
            (0..=255).filter(|&byte| self.contains(byte)).collect::<Vec<_>>().into();
        write!(f, "{members:?}")
    }
}

/// One position of a pattern. The order is that of Asterisk: fewer members first, then the lower
/// first member, then the set with the lowest byte that the other lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Element {
    score: u32,
    set: ByteSet,
}

impl Element {
    /// `.`: after all sets.
    pub(crate) const DOT: Self = Self::special(0x1_8000);
    /// `!`: after `.`.
    pub(crate) const BANG: Self = Self::special(0x2_8000);
    /// The end: a pattern comes after those that it is a beginning of.
    pub(crate) const END: Self = Self::special(0x3_0000);
    /// A `[` without its `]`, which matches nothing.
    pub(crate) const BROKEN: Self = Self::special(0x4_0000);

    const fn special(score: u32) -> Self {
        Self { score, set: ByteSet::EMPTY }
    }

    fn set(set: ByteSet, lowest: u8) -> Self {
        Self { score: set.len() << 8 | u32::from(lowest), set }
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.set.contains(byte)
    }
}

/// A pattern, compiled: its positions, the last of which is [`Element::END`] or, for a set that
/// never closes, [`Element::BROKEN`]. Equal patterns are the same extension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pattern {
    pub(crate) elements: Vec<Element>,
}

impl Pattern {
    /// Compiles what follows the `_`. Every text is a pattern.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut elements = Vec::with_capacity(text.len() + 1);
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            at += 1;
            match byte {
                b'-' => {}
                b'n' | b'N' => elements.push(Element::set(ByteSet::range(b'2', b'9'), b'2')),
                b'x' | b'X' => elements.push(Element::set(ByteSet::range(b'0', b'9'), b'0')),
                b'z' | b'Z' => elements.push(Element::set(ByteSet::range(b'1', b'9'), b'1')),
                b'.' => elements.push(Element::DOT),
                b'!' => elements.push(Element::BANG),
                b'[' => {
                    let Some(length) = memchr::memchr(b']', &text[at..]) else {
                        elements.push(Element::BROKEN);
                        return Self { elements };
                    };
                    // An empty set counts for nothing, one that only matches nothing is kept.
                    if length > 0 {
                        elements.push(parse_set(&text[at..at + length]));
                    }
                    at += length + 1;
                }
                byte => elements.push(Element::set(ByteSet::EMPTY.with(byte), byte)),
            }
        }
        elements.push(Element::END);
        Self { elements }
    }

    fn verdict(&self, dialled: &[u8], question: Question, gap: Gap) -> Verdict {
        let mut elements = self.elements.iter();
        for &byte in dialled {
            match elements.next() {
                Some(&Element::DOT) => return Verdict::Yes,
                Some(&Element::BANG) => return Verdict::Final,
                Some(element) if element.contains(byte) => {}
                _ => return Verdict::No,
            }
        }
        match elements.next() {
            Some(&Element::END) if gap == Gap::None => at_end(question),
            Some(&Element::BANG) if gap == Gap::None => Verdict::Final,
            _ => short(question),
        }
    }
}

fn parse_set(members: &[u8]) -> Element {
    let mut set = ByteSet::EMPTY;
    let mut lowest = u8::MAX;
    let mut at = 0;
    while let Some(&first) = members.get(at) {
        let last = match members.get(at + 1..at + 3) {
            Some(&[b'-', last]) => {
                at += 3;
                last
            }
            _ => {
                at += 1;
                first
            }
        };
        lowest = lowest.min(first);
        // Asterisk compares signed bytes: a range from ASCII into the upper half holds nothing.
        if first.is_ascii() == last.is_ascii() && first <= last {
            set = set.union(ByteSet::range(first, last));
        }
    }
    Element::set(set, lowest)
}

/// The text was long enough for the whole pattern.
pub(crate) fn at_end(question: Question) -> Verdict {
    if question == Question::MatchMore { Verdict::No } else { Verdict::Yes }
}

/// The text ended before the pattern.
pub(crate) fn short(question: Question) -> Verdict {
    if question == Question::Match { Verdict::No } else { Verdict::Yes }
}

/// Whether empty sets stand before the end of a pattern, or before its `!`: a text that ends
/// there counts as too short for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// None stand there.
    None,
    /// At least one does.
    EmptySet,
}

impl Gap {
    pub(crate) fn of(pattern: &[u8]) -> Self {
        let mut gap = Self::None;
        let mut at = 0;
        while let Some(&byte) = pattern.get(at) {
            at += 1;
            match byte {
                b'-' => {}
                b'.' | b'!' => return gap,
                b'[' if pattern.get(at) == Some(&b']') => {
                    gap = Self::EmptySet;
                    at += 1;
                }
                b'[' => {
                    gap = Self::None;
                    at += memchr::memchr(b']', &pattern[at..]).map_or(pattern.len(), |end| end + 1);
                }
                _ => gap = Self::None,
            }
        }
        gap
    }
}

/// A name to match few texts against, without an index: caller numbers, `ignorepat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// Without its dashes.
    Literal(BString),
    Pattern(Pattern, Gap),
}

impl Name {
    pub(crate) fn parse(name: &BStr) -> Self {
        match name.strip_prefix(b"_") {
            Some(pattern) => Self::Pattern(Pattern::parse(pattern), Gap::of(pattern)),
            None => Self::Literal(without_dashes(name)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Literal(name) if name.is_empty())
    }

    /// The order in which names are tried.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Literal(left), Self::Literal(right)) => left.cmp(right),
            (Self::Literal(_), Self::Pattern(..)) => Ordering::Less,
            (Self::Pattern(..), Self::Literal(_)) => Ordering::Greater,
            (Self::Pattern(left, _), Self::Pattern(right, _)) => left.cmp(right),
        }
    }

    pub(crate) fn verdict(&self, dialled: &BStr, question: Question) -> Verdict {
        let text = without_dashes(dialled);
        match self {
            Self::Literal(name) => literal_verdict(name, &text, question),
            Self::Pattern(pattern, gap) => {
                let as_pattern = dialled.strip_prefix(b"_").filter(|_| question == Question::Match);
                if as_pattern.is_some_and(|text| Pattern::parse(text) == *pattern) {
                    return Verdict::Yes;
                }
                pattern.verdict(&text, question, *gap)
            }
        }
    }
}

/// Both without dashes.
fn literal_verdict(name: &[u8], text: &[u8], question: Question) -> Verdict {
    let yes = match question {
        Question::Match => name == text,
        Question::CanMatch => name.starts_with(text),
        Question::MatchMore => name.starts_with(text) && name.len() > text.len(),
    };
    if yes { Verdict::Yes } else { Verdict::No }
}

/// Whether a dialled text matches an extension name, pattern or not.
pub fn matches(name: &BStr, dialled: &BStr) -> bool {
    Name::parse(name).verdict(dialled, Question::Match) != Verdict::No
}

/// The order in which two extension names of a context are tried. Equal names are the same
/// extension, even if they are written differently.
pub fn compare(left: &BStr, right: &BStr) -> Ordering {
    Name::parse(left).compare(&Name::parse(right))
}

/// Whether there is a text that both names match.
pub fn overlap(left: &BStr, right: &BStr) -> bool {
    let elements = |name: &BStr| match name.strip_prefix(b"_") {
        Some(pattern) => Pattern::parse(pattern).elements,
        None => {
            let literal = without_dashes(name);
            let single = |&byte: &u8| Element::set(ByteSet::EMPTY.with(byte), byte);
            literal.iter().map(single).chain([Element::END]).collect()
        }
    };
    let (left, right) = (elements(left), elements(right));
    for (&left, &right) in left.iter().zip(&right) {
        let either = |element| left == element || right == element;
        if either(Element::BROKEN) {
            return false;
        }
        if either(Element::BANG) {
            return true;
        }
        if either(Element::END) {
            return left == right;
        }
        if either(Element::DOT) {
            return true;
        }
        if !(0..=255).any(|byte| left.contains(byte) && right.contains(byte)) {
            return false;
        }
    }
    false
}

/// A text that an extension name matches: the lowest byte of each set, something for a `.`.
pub(crate) fn sample(name: &BStr) -> BString {
    let Some(pattern) = name.strip_prefix(b"_") else { return name.into() };
    let mut sample = BString::default();
    for element in Pattern::parse(pattern).elements {
        match element {
            Element::DOT => sample.push(b'0'),
            Element::BANG | Element::END | Element::BROKEN => {}
            element => {
                sample.extend((0..=255).find(|&byte| element.contains(byte)));
                continue;
            }
        }
        break;
    }
    sample
}

pub(crate) fn without_dashes(text: &[u8]) -> BString {
    text.iter().copied().filter(|&byte| byte != b'-').collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_overlap_when_one_text_fits_both() {
        for (left, right, wanted) in [
            ("100", "1-00", true),
            ("100", "101", false),
            ("_1XX", "100", true),
            ("_1XX", "1000", false),
            ("_1X.", "10", false),
            ("_1X.", "_1ZZ", true),
            ("_1!", "1", true),
            ("_NXX", "_[01]XX", false),
            ("_0[2-4]", "_0[4-6]", true),
            ("_0[2-", "02", false),
        ] {
            assert_eq!(overlap(left.into(), right.into()), wanted, "{left} {right}");
            assert_eq!(overlap(right.into(), left.into()), wanted, "{right} {left}");
        }
    }

    fn is_match(name: &str, dialled: &str) -> bool {
        matches(name.into(), dialled.into())
    }

    fn ask(name: &str, dialled: &str, question: Question) -> Verdict {
        Name::parse(name.into()).verdict(dialled.into(), question)
    }

    #[test]
    fn names_sort_by_position_from_the_left() {
        let sorted = [
            "100",
            "99",
            "_#X",
            "_*X",
            "_+X.",
            "_12X",
            "_12",
            "_1XX",
            "_1X.",
            "_[5]XX",
            "_[1-3]XX",
            "_[4-6]XX",
            "_NXX",
            "_ZXX",
            "_XXX",
            "_X.",
            "_X!",
            "_[a-z]XX",
            "_[0-9a-z].",
            "_.",
            "_!",
        ];
        for (at, left) in sorted.iter().enumerate() {
            for (other, right) in sorted.iter().enumerate() {
                let wanted = at.cmp(&other);
                assert_eq!(compare((*left).into(), (*right).into()), wanted, "{left} {right}");
            }
        }
    }

    #[test]
    fn names_that_say_the_same_are_the_same_extension() {
        for (left, right) in [
            ("_[5]XX", "_5xx"),
            ("_NXX", "_[2-9]XX"),
            ("555-1234", "5551234"),
            ("_5[]X", "_5X"),
            ("_[1111]", "_1"),
            ("_55-XX", "_55XX"),
        ] {
            assert_eq!(compare(left.into(), right.into()), Ordering::Equal, "{left} {right}");
        }
    }

    #[test]
    fn n_x_and_z_are_digits_in_either_case() {
        assert!(is_match("_next", "2e5t") && !is_match("_next", "next"));
        assert!(is_match("_Z", "1") && !is_match("_Z", "0"));
    }

    #[test]
    fn nothing_is_special_in_a_set() {
        assert!(is_match("_[XNZ]", "Z") && !is_match("_[XNZ]", "1"));
        assert!(is_match("_[.!]", "!") && is_match("_[^5]", "5"));
        assert!(is_match("_[1-3-5]", "5") && !is_match("_[1-3-5]", "4"));
        assert!(is_match("_[5\\-7]", "5") && !is_match("_[5\\-7]", "7"), "a range from \\ to 7");
        assert!(!is_match("_[9-1]", "9") && !is_match("_[1-5", "1"));
    }

    #[test]
    fn dashes_count_for_nothing_on_either_side() {
        assert!(is_match("555-1234", "5-551234") && is_match("_NXX", "-200"));
        assert!(is_match("-", "") && is_match("-", "--") && is_match("_-", ""));
    }

    #[test]
    fn a_dot_wants_one_byte_and_a_bang_none() {
        assert!(!is_match("_9.", "9") && is_match("_9.", "91") && is_match("_9!", "9"));
        assert!(is_match("_X.X", "1a"), "what follows a dot is never reached");
    }

    #[test]
    fn a_pattern_matches_itself_as_text() {
        assert!(is_match("_1XX", "_1XX") && is_match("_[1]XX", "_1xx") && is_match("_", "_"));
        assert!(!is_match("_1XX", "_2XX"));
    }

    #[test]
    fn a_dot_always_waits_and_a_bang_never() {
        assert_eq!(ask("_X.", "123", Question::MatchMore), Verdict::Yes);
        assert_eq!(ask("_X!", "123", Question::MatchMore), Verdict::Final);
        assert_eq!(ask("_XX", "1", Question::MatchMore), Verdict::Yes);
        assert_eq!(ask("_XX", "12", Question::MatchMore), Verdict::No);
        assert_eq!(ask("_XX", "12", Question::CanMatch), Verdict::Yes);
    }

    #[test]
    fn a_sample_is_matched() {
        for name in ["100", "_NXX", "_[*#].", "_0!", "_X.5", "_-"] {
            assert!(matches(name.into(), sample(name.into()).as_ref()), "{name}");
        }
    }

    #[test]
    fn an_empty_set_at_the_end_makes_the_text_too_short() {
        assert!(!is_match("_5[]", "5") && is_match("_[]5", "5"));
        assert_eq!(ask("_5[]", "5", Question::CanMatch), Verdict::Yes);
        assert!(!is_match("_5[]!", "5") && is_match("_5[]!", "51"));
    }
}
