//! POSIX extended regular expressions over bytes: leftmost match, and the longest of those.
//!
//! Why not an existing library: docs/decisions/0001-own-regular-expressions.md. Matching takes time
//! proportional to text times pattern, and finding the first group is cut off at [`BUDGET`]; nothing a
//! caller sends can make it hang or grow.

mod group;
mod parser;

use parser::Tree;

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub struct Regular {
    nodes: Vec<Node>,
    root: NodeId,
    program: Vec<Instruction>,
    groups: usize,
}

/// Where it matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// Bounds of the first group, when it took part.
    pub first_group: Option<(usize, usize)>,
}

/// Why an expression can not be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegularError {
    /// Nothing before `*`, `+`, `?` or `{`.
    #[error("nothing to repeat")]
    NothingToRepeat,
    /// A `[` without its end, or a bad range or class in it.
    #[error("bad set in [...]")]
    Set,
    /// A `(` without its end.
    #[error("unmatched parenthesis")]
    Parenthesis,
    /// A bad `{n,m}`.
    #[error("bad repetition {{n,m}}")]
    Repetition,
    /// A backslash at the end.
    #[error("backslash at the end")]
    Backslash,
    /// A back-reference: not supported, since matching it takes unbounded time.
    #[error("back-references are not supported")]
    BackReference,
    /// It would take too much memory.
    #[error("too large")]
    TooLarge,
}

type NodeId = u32;

#[derive(Debug, Clone)]
enum Node {
    Empty,
    Byte(Box<ByteSet>),
    Assert(Assertion),
    Group(usize, NodeId),
    Sequence(Vec<NodeId>),
    Either(Vec<NodeId>),
    Repeat { inner: NodeId, least: u32, most: Option<u32> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assertion {
    Start,
    End,
    WordStart,
    WordEnd,
    WordBoundary,
    NotWordBoundary,
}

type ByteSet = [bool; 256];

#[derive(Debug, Clone)]
enum Instruction {
    Byte(Box<ByteSet>),
    Assert(Assertion),
    Split(usize, usize),
    Jump(usize),
    Match,
}

impl Regular {
    /// Compiles an expression.
    ///
    /// # Errors
    /// When its grammar is broken, or it is larger than [`MOST_INSTRUCTIONS`].
    pub fn parse(pattern: &[u8]) -> Result<Self, RegularError> {
        let Tree { nodes, root, groups } = parser::parse(pattern)?;
        let mut compiled = Self { nodes, root, program: Vec::new(), groups };
        compiled.emit(root)?;
        compiled.program.push(Instruction::Match);
        Ok(compiled)
    }

    /// Whether the expression has a group.
    #[must_use]
    pub fn has_groups(&self) -> bool {
        self.groups > 0
    }

    /// Whether it matches anywhere.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.span(text).is_some()
    }

    /// The leftmost, longest match.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<Found> {
        let (start, end) = self.span(text)?;
        let first_group = if self.groups > 0 { group::first(self, text, start, end) } else { None };
        Some(Found { start, end, first_group })
    }

    /// All threads advance together; of two threads at one instruction the one that started first stays.
    fn span(&self, text: &[u8]) -> Option<(usize, usize)> {
        let mut now = Threads::new(self.program.len());
        let mut next = Threads::new(self.program.len());
        let mut best: Option<(usize, usize)> = None;
        for at in 0..=text.len() {
            if best.is_none() {
                self.follow(&mut now, 0, at, text, at);
            }
            let mut index = 0;
            while index < now.list.len() {
                let (pc, start) = now.list[index];
                index += 1;
                if best.is_some_and(|(first, _)| start > first) {
                    continue;
                }
                match &self.program[pc] {
                    Instruction::Match => best = Some((start, at)),
                    Instruction::Byte(set)
                        if text.get(at).is_some_and(|&byte| set[usize::from(byte)]) =>
                    {
                        self.follow(&mut next, pc + 1, start, text, at + 1);
                    }
                    _ => {}
                }
            }
            std::mem::swap(&mut now, &mut next);
            next.clear();
            if now.list.is_empty() && best.is_some() {
                break;
            }
        }
        best
    }

    fn follow(&self, threads: &mut Threads, pc: usize, start: usize, text: &[u8], at: usize) {
        let mut waiting = vec![pc];
        while let Some(pc) = waiting.pop() {
            // Threads are added in the order of their start, so the first to come is the leftmost.
            if std::mem::replace(&mut threads.seen[pc], true) {
                continue;
            }
            match self.program[pc] {
                Instruction::Jump(to) => waiting.push(to),
                Instruction::Split(a, b) => {
                    waiting.push(b);
                    waiting.push(a);
                }
                Instruction::Assert(assertion) => {
                    if assertion.holds(text, at) {
                        waiting.push(pc + 1);
                    }
                }
                Instruction::Byte(_) | Instruction::Match => threads.list.push((pc, start)),
            }
        }
    }

    fn push(&mut self, instruction: Instruction) -> Result<usize, RegularError> {
        if self.program.len() >= MOST_INSTRUCTIONS {
            return Err(RegularError::TooLarge);
        }
        self.program.push(instruction);
        Ok(self.program.len() - 1)
    }

    fn emit(&mut self, id: NodeId) -> Result<(), RegularError> {
        match self.nodes[id as usize].clone() {
            Node::Empty => {}
            Node::Byte(set) => {
                self.push(Instruction::Byte(set))?;
            }
            Node::Assert(assertion) => {
                self.push(Instruction::Assert(assertion))?;
            }
            Node::Group(_, inner) => self.emit(inner)?,
            Node::Sequence(parts) => {
                for part in parts {
                    self.emit(part)?;
                }
            }
            Node::Either(branches) => {
                let mut jumps = Vec::new();
                let last = branches.len() - 1;
                for (index, branch) in branches.into_iter().enumerate() {
                    if index == last {
                        self.emit(branch)?;
                        break;
                    }
                    let split = self.push(Instruction::Split(0, 0))?;
                    self.emit(branch)?;
                    jumps.push(self.push(Instruction::Jump(0))?);
                    self.program[split] = Instruction::Split(split + 1, self.program.len());
                }
                let end = self.program.len();
                for jump in jumps {
                    self.program[jump] = Instruction::Jump(end);
                }
            }
            Node::Repeat { inner, least, most } => {
                for _ in 0..least {
                    self.emit(inner)?;
                }
                match most {
                    None => {
                        let split = self.push(Instruction::Split(0, 0))?;
                        self.emit(inner)?;
                        self.push(Instruction::Jump(split))?;
                        self.program[split] = Instruction::Split(split + 1, self.program.len());
                    }
                    Some(most) => {
                        let mut splits = Vec::new();
                        for _ in least..most {
                            splits.push(self.push(Instruction::Split(0, 0))?);
                            self.emit(inner)?;
                        }
                        let end = self.program.len();
                        for split in splits {
                            self.program[split] = Instruction::Split(split + 1, end);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

struct Threads {
    list: Vec<(usize, usize)>,
    seen: Vec<bool>,
}

impl Threads {
    fn new(length: usize) -> Self {
        Self { list: Vec::new(), seen: vec![false; length] }
    }

    fn clear(&mut self) {
        self.list.clear();
        self.seen.fill(false);
    }
}

impl Assertion {
    fn holds(self, text: &[u8], at: usize) -> bool {
        let is_word = |index: Option<usize>| {
            index
                .and_then(|index| text.get(index))
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        };
        let (before, after) = (is_word(at.checked_sub(1)), is_word(Some(at)));
        match self {
            Self::Start => at == 0,
            Self::End => at == text.len(),
            Self::WordStart => !before && after,
            Self::WordEnd => before && !after,
            Self::WordBoundary => before != after,
            Self::NotWordBoundary => before == after,
        }
    }
}

/// Compiled size; also bounds the work per byte of text.
pub const MOST_INSTRUCTIONS: usize = 10_000;

/// Work spent on finding the first group before it is given up.
pub const BUDGET: usize = 2_000_000;

/// Parentheses inside parentheses.
const MOST_NESTING: usize = 100;

/// As RE_DUP_MAX.
const MOST_REPEATS: u32 = 0x7fff;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Spans = (usize, usize, Option<(usize, usize)>);

    fn find(pattern: &str, text: &str) -> Option<Spans> {
        let found = Regular::parse(pattern.as_bytes()).expect("compiles").find(text.as_bytes())?;
        Some((found.start, found.end, found.first_group))
    }

    #[test]
    fn longest_of_the_leftmost_matches_wins() {
        assert_eq!(find("a|ab|abc", "xabcd"), Some((1, 4, None)));
        assert_eq!(find("(a|ab)(c|bcd)", "abcd"), Some((0, 4, Some((0, 1)))));
        assert_eq!(find("(a|ab)(c|bcd)(d*)", "abcd"), Some((0, 4, Some((0, 2)))));
        assert_eq!(find("(.*)=(.*)", "a=b=c"), Some((0, 5, Some((0, 3)))));
    }

    #[test]
    fn repeated_group_keeps_its_last_turn() {
        assert_eq!(find("(ab|c)+", "abcab"), Some((0, 5, Some((3, 5)))));
        assert_eq!(find("(x)*abc", "abc"), Some((0, 3, None)));
        assert_eq!(find("(a*)*", "b"), Some((0, 0, None)));
        assert_eq!(find("([0-9]{3})", "12345"), Some((0, 3, Some((0, 3)))));
    }

    #[test]
    fn repeats_of_repeats_end_on_long_texts() {
        let digits = "7".repeat(1000);
        // Took minutes.
        assert!(find("()[0-9]*{125}9", &digits).is_none());
        find("(a|7)+[0-9]*{1255}", &digits).expect("matches");
        let long = "c".repeat(8000);
        assert_eq!(find("(c).+c", &long), Some((0, 8000, Some((0, 1)))));
        assert_eq!(find("(c|cc)+", &long), Some((0, 8000, Some((7998, 8000)))));
        // The work for the group alone is bounded: it is given up here.
        assert_eq!(find("(.*)*.*c", &long), Some((0, 8000, None)));
    }

    #[test]
    fn errors_are_those_of_posix() {
        let error = |pattern: &str| Regular::parse(pattern.as_bytes()).expect_err("is refused");
        assert_eq!(error("["), RegularError::Set);
        assert_eq!(error("*"), RegularError::NothingToRepeat);
        assert_eq!(error("a("), RegularError::Parenthesis);
        assert_eq!(error("a{2,1}"), RegularError::Repetition);
        assert_eq!(error("(a{9999}){9999}"), RegularError::TooLarge);
        assert!(Regular::parse(b"a)").is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn agrees_with_another_engine_on_whether_and_where(
            pattern in "[ab.()|*+?^$]{0,12}",
            text in "[abc]{0,12}",
        ) {
            use regex_automata::dfa::{dense, Automaton};
            use regex_automata::{Input, MatchKind, nfa::thompson};
            // The other engine reads `+?` as a lazy `+`; in POSIX it is an optional one.
            prop_assume!(!pattern.contains("+?"));
            let (Ok(ours), false) = (Regular::parse(pattern.as_bytes()), pattern.contains(')') && !balanced(&pattern))
                else { return Ok(()) };
            let other = dense::Builder::new()
                .configure(dense::Config::new().match_kind(MatchKind::All))
                .thompson(thompson::Config::new())
                .build(&pattern);
            let Ok(other) = other else { return Ok(()) };
            let ours = ours.find(text.as_bytes()).map(|found| (found.start, found.end));
            let starts = 0..=text.len();
            let theirs = starts.into_iter().find_map(|start| {
                let input = Input::new(&text).range(start..).anchored(regex_automata::Anchored::Yes);
                let end = other.try_search_fwd(&input).ok()??;
                Some((start, end.offset()))
            });
            prop_assert_eq!(ours, theirs, "{} on {}", pattern, text);
        }

        #[test]
        fn any_pattern_ends(pattern in "[ab.()|*+?^$\\[\\]{},0-9\\\\:-]{0,24}", text in "[ab()1]{0,40}") {
            if let Ok(regular) = Regular::parse(pattern.as_bytes()) {
                let _ = regular.find(text.as_bytes());
            }
        }
    }

    fn balanced(pattern: &str) -> bool {
        let mut depth = 0i32;
        pattern.bytes().all(|byte| {
            depth += i32::from(byte == b'(') - i32::from(byte == b')');
            depth >= 0
        })
    }
}
