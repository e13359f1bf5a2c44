//! POSIX extended regular expressions over bytes: leftmost match, and the longest of those.
//!
//! Why not an existing library: docs/decisions/0001-own-regular-expressions.md. Matching takes time
//! proportional to text times pattern, and finding the first group is cut off at [`BUDGET`]; nothing a
//! caller sends can make it hang or grow.

use std::collections::HashMap;

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
        let mut parser = Parser { pattern, at: 0, nodes: Vec::new(), groups: 0, depth: 0 };
        let root = parser.alternatives()?;
        let mut compiled =
            Self { nodes: parser.nodes, root, program: Vec::new(), groups: parser.groups };
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
        let first_group = if self.groups > 0 {
            let mut search =
                GroupSearch { regular: self, text, memo: HashMap::new(), spent: 0, group: None };
            search.assign(self.root, start, end);
            // What was cut short may have put the group elsewhere.
            search.group.filter(|_| search.spent <= BUDGET)
        } else {
            None
        };
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

/// Finds the first group inside a known match: every part, from left to right, takes as much as it can while
/// the rest still fits.
struct GroupSearch<'a> {
    regular: &'a Regular,
    text: &'a [u8],
    /// Ends that a node can reach from a start.
    memo: HashMap<(NodeId, usize), Vec<usize>>,
    spent: usize,
    group: Option<(usize, usize)>,
}

impl GroupSearch<'_> {
    /// Counts work; `false` once there was too much of it. All that loops asks here.
    fn spend(&mut self, work: usize) -> bool {
        self.spent = self.spent.saturating_add(work);
        self.spent <= BUDGET
    }

    /// Ends reachable from `start`, ascending. Nothing more once the budget is spent.
    fn ends(&mut self, id: NodeId, start: usize) -> Vec<usize> {
        if let Some(ends) = self.memo.get(&(id, start)) {
            let ends = ends.clone();
            self.spend(ends.len());
            return ends;
        }
        if !self.spend(1) {
            return Vec::new();
        }
        let ends = match &self.regular.nodes[id as usize] {
            Node::Empty => vec![start],
            Node::Byte(set) => {
                let fits = self.text.get(start).is_some_and(|&byte| set[usize::from(byte)]);
                if fits { vec![start + 1] } else { vec![] }
            }
            Node::Assert(assertion) => {
                if assertion.holds(self.text, start) {
                    vec![start]
                } else {
                    vec![]
                }
            }
            Node::Group(_, inner) => self.ends(*inner, start),
            Node::Sequence(parts) => {
                let mut ends = vec![start];
                for &part in parts {
                    ends = self.after_all(part, &ends);
                }
                ends
            }
            Node::Either(branches) => {
                let mut ends = Vec::new();
                for &branch in branches {
                    ends.extend(self.ends(branch, start));
                }
                ends.sort_unstable();
                ends.dedup();
                ends
            }
            &Node::Repeat { inner, least, most } => {
                let mut front = vec![start];
                for _ in 0..least {
                    if front.is_empty() || !self.spend(1) {
                        break;
                    }
                    front = self.after_all(inner, &front);
                }
                self.further(inner, front, most.map(|most| most - least))
            }
        };
        self.spend(ends.len());
        self.memo.insert((id, start), ends.clone());
        ends
    }

    /// Where any of `starts` leads in up to so many turns, `starts` themselves included.
    fn further(&mut self, inner: NodeId, starts: Vec<usize>, turns: Option<u32>) -> Vec<usize> {
        let mut is_seen = vec![false; self.text.len() + 1];
        self.spend(is_seen.len() / 16);
        starts.iter().for_each(|&start| is_seen[start] = true);
        let mut seen = starts;
        // What is seen for the first time in one turn is where the next one begins.
        let (mut begin, mut turn) = (0, 0);
        while begin < seen.len() && turns.is_none_or(|turns| turn < turns) {
            let end = seen.len();
            for index in begin..end {
                let ends = self.ends(inner, seen[index]);
                if !self.spend(1) {
                    return Vec::new();
                }
                for at in ends {
                    if !std::mem::replace(&mut is_seen[at], true) {
                        seen.push(at);
                    }
                }
            }
            begin = end;
            turn += 1;
        }
        seen.sort_unstable();
        seen
    }

    fn after_all(&mut self, id: NodeId, starts: &[usize]) -> Vec<usize> {
        let mut ends = Vec::new();
        for &start in starts {
            ends.extend(self.ends(id, start));
            if !self.spend(1) {
                return Vec::new();
            }
        }
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    fn reaches(&mut self, parts: &[NodeId], start: usize, end: usize) -> bool {
        let mut ends = vec![start];
        for &part in parts {
            ends = self.after_all(part, &ends);
        }
        ends.binary_search(&end).is_ok()
    }

    fn repeats(
        &mut self,
        inner: NodeId,
        least: u32,
        most: Option<u32>,
        start: usize,
        end: usize,
    ) -> bool {
        let mut front = vec![start];
        for _ in 0..least {
            if front.is_empty() || !self.spend(1) {
                return false;
            }
            front = self.after_all(inner, &front);
        }
        let turns = most.map(|most| most.saturating_sub(least));
        self.further(inner, front, turns).binary_search(&end).is_ok()
    }

    /// For each place from `start` to `end`, whether any number of turns leads from it to `end`.
    fn leading(&mut self, inner: NodeId, start: usize, end: usize) -> Vec<bool> {
        let mut leads = vec![false; end - start + 1];
        leads[end - start] = true;
        for at in (start..end).rev() {
            let ends = self.ends(inner, at);
            leads[at - start] =
                ends.iter().any(|&next| next > at && next <= end && leads[next - start]);
            if !self.spend(ends.len()) {
                break;
            }
        }
        leads
    }

    fn holds_first_group(&self, id: NodeId) -> bool {
        match &self.regular.nodes[id as usize] {
            Node::Group(number, inner) => *number == 1 || self.holds_first_group(*inner),
            Node::Sequence(parts) => parts.iter().any(|&part| self.holds_first_group(part)),
            Node::Either(branches) => branches.iter().any(|&it| self.holds_first_group(it)),
            Node::Repeat { inner, .. } => self.holds_first_group(*inner),
            Node::Empty | Node::Byte(_) | Node::Assert(_) => false,
        }
    }

    /// The node matches exactly `start..end`: notes where the first group lies.
    fn assign(&mut self, id: NodeId, start: usize, end: usize) {
        let regular = self.regular;
        match &regular.nodes[id as usize] {
            Node::Group(number, inner) => {
                if *number == 1 {
                    self.group = Some((start, end));
                } else {
                    self.assign(*inner, start, end);
                }
            }
            Node::Sequence(parts) => {
                // The parts behind the one with the group only need to fit.
                let last = parts.iter().position(|&part| self.holds_first_group(part));
                let Some(last) = last else { return };
                let mut at = start;
                for (index, &part) in parts[..=last].iter().enumerate() {
                    let rest = &parts[index + 1..];
                    let ends = self.ends(part, at);
                    let chosen =
                        ends.into_iter().rev().find(|&middle| self.reaches(rest, middle, end));
                    let Some(middle) = chosen else { return };
                    if index == last {
                        self.assign(part, at, middle);
                    }
                    at = middle;
                }
            }
            Node::Either(branches) => {
                for &branch in branches {
                    if self.ends(branch, start).binary_search(&end).is_ok() {
                        return self.assign(branch, start, end);
                    }
                }
            }
            &Node::Repeat { inner, mut least, mut most } => {
                if !self.holds_first_group(inner) {
                    return;
                }
                let leads = match most {
                    None => self.leading(inner, start, end),
                    Some(_) => Vec::new(),
                };
                let mut at = start;
                while at < end || least > 0 {
                    if most == Some(0) || !self.spend(1) {
                        return;
                    }
                    least = least.saturating_sub(1);
                    most = most.map(|most| most - 1);
                    let ends = self.ends(inner, at);
                    let chosen = ends.into_iter().rev().find(|&middle| match most {
                        None if least == 0 => {
                            middle <= end && leads.get(middle - start).is_some_and(|leads| *leads)
                        }
                        _ => middle <= end && self.repeats(inner, least, most, middle, end),
                    });
                    let Some(middle) = chosen else { return };
                    self.assign(inner, at, middle);
                    if middle == at && least == 0 {
                        return;
                    }
                    at = middle;
                }
            }
            Node::Empty | Node::Byte(_) | Node::Assert(_) => {}
        }
    }
}

struct Parser<'a> {
    pattern: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    groups: usize,
    depth: usize,
}

impl Parser<'_> {
    fn add(&mut self, node: Node) -> Result<NodeId, RegularError> {
        if self.nodes.len() >= MOST_INSTRUCTIONS {
            return Err(RegularError::TooLarge);
        }
        self.nodes.push(node);
        Ok((self.nodes.len() - 1) as NodeId)
    }

    fn peek(&self) -> Option<u8> {
        self.pattern.get(self.at).copied()
    }

    fn alternatives(&mut self) -> Result<NodeId, RegularError> {
        let mut branches = vec![self.sequence()?];
        while self.peek() == Some(b'|') {
            self.at += 1;
            branches.push(self.sequence()?);
        }
        if branches.len() == 1 { Ok(branches[0]) } else { self.add(Node::Either(branches)) }
    }

    fn sequence(&mut self) -> Result<NodeId, RegularError> {
        let mut parts = Vec::new();
        while let Some(byte) = self.peek() {
            // A closing parenthesis that closes nothing is an ordinary byte.
            if byte == b'|' || byte == b')' && self.depth > 0 {
                break;
            }
            parts.push(self.repeated()?);
        }
        match parts.len() {
            0 => self.add(Node::Empty),
            1 => Ok(parts[0]),
            _ => self.add(Node::Sequence(parts)),
        }
    }

    fn repeated(&mut self) -> Result<NodeId, RegularError> {
        let mut node = self.single()?;
        if matches!(self.nodes[node as usize], Node::Assert(_)) {
            return Ok(node);
        }
        loop {
            let (least, most) = match self.peek() {
                Some(b'*') => (0, None),
                Some(b'+') => (1, None),
                Some(b'?') => (0, Some(1)),
                Some(b'{') => {
                    let bounds = self.bounds()?;
                    node =
                        self.add(Node::Repeat { inner: node, least: bounds.0, most: bounds.1 })?;
                    continue;
                }
                _ => return Ok(node),
            };
            self.at += 1;
            node = self.add(Node::Repeat { inner: node, least, most })?;
        }
    }

    fn bounds(&mut self) -> Result<(u32, Option<u32>), RegularError> {
        self.at += 1;
        let least = self.number()?;
        let most = if self.peek() == Some(b',') {
            self.at += 1;
            self.number()?
        } else {
            Some(least.ok_or(RegularError::Repetition)?)
        };
        if self.peek() != Some(b'}') {
            return Err(RegularError::Repetition);
        }
        self.at += 1;
        let least = least.unwrap_or(0);
        if most.is_some_and(|most| most < least) {
            return Err(RegularError::Repetition);
        }
        Ok((least, most))
    }

    fn number(&mut self) -> Result<Option<u32>, RegularError> {
        let mut value = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            self.at += 1;
            let next = value.unwrap_or(0) * 10 + u32::from(digit - b'0');
            if next > MOST_REPEATS {
                return Err(RegularError::TooLarge);
            }
            value = Some(next);
        }
        Ok(value)
    }

    fn single(&mut self) -> Result<NodeId, RegularError> {
        let Some(byte) = self.peek() else { return self.add(Node::Empty) };
        self.at += 1;
        match byte {
            b'*' | b'+' | b'?' | b'{' => Err(RegularError::NothingToRepeat),
            b'^' => self.add(Node::Assert(Assertion::Start)),
            b'$' => self.add(Node::Assert(Assertion::End)),
            b'.' => self.add(Node::Byte(Box::new([true; 256]))),
            b'[' => self.set(),
            b'(' => {
                if self.depth >= MOST_NESTING {
                    return Err(RegularError::TooLarge);
                }
                self.groups += 1;
                let number = self.groups;
                self.depth += 1;
                let inner = self.alternatives()?;
                self.depth -= 1;
                if self.peek() != Some(b')') {
                    return Err(RegularError::Parenthesis);
                }
                self.at += 1;
                self.add(Node::Group(number, inner))
            }
            b'\\' => {
                let escaped = self.peek().ok_or(RegularError::Backslash)?;
                self.at += 1;
                self.escaped(escaped)
            }
            other => self.byte(other),
        }
    }

    fn byte(&mut self, byte: u8) -> Result<NodeId, RegularError> {
        let mut set = Box::new([false; 256]);
        set[usize::from(byte)] = true;
        self.add(Node::Byte(set))
    }

    fn escaped(&mut self, byte: u8) -> Result<NodeId, RegularError> {
        let class = |is_wanted: fn(u8) -> bool| {
            let mut set = Box::new([false; 256]);
            for byte in 0..=255 {
                set[usize::from(byte)] = is_wanted(byte);
            }
            Node::Byte(set)
        };
        let node = match byte {
            b'1'..=b'9' => return Err(RegularError::BackReference),
            b'w' => class(|b| b.is_ascii_alphanumeric() || b == b'_'),
            b'W' => class(|b| !(b.is_ascii_alphanumeric() || b == b'_')),
            b's' => class(|b| b.is_ascii_whitespace() || b == 0x0b),
            b'S' => class(|b| !(b.is_ascii_whitespace() || b == 0x0b)),
            b'<' => Node::Assert(Assertion::WordStart),
            b'>' => Node::Assert(Assertion::WordEnd),
            b'b' => Node::Assert(Assertion::WordBoundary),
            b'B' => Node::Assert(Assertion::NotWordBoundary),
            b'`' => Node::Assert(Assertion::Start),
            b'\'' => Node::Assert(Assertion::End),
            other => return self.byte(other),
        };
        self.add(node)
    }

    /// Behind the `[`.
    fn set(&mut self) -> Result<NodeId, RegularError> {
        let mut set = Box::new([false; 256]);
        let is_negated = self.peek() == Some(b'^');
        if is_negated {
            self.at += 1;
        }
        let mut is_first = true;
        loop {
            let byte = self.peek().ok_or(RegularError::Set)?;
            if byte == b']' && !is_first {
                self.at += 1;
                break;
            }
            is_first = false;
            if byte == b'[' && self.pattern.get(self.at + 1) == Some(&b':') {
                self.class(&mut set)?;
                continue;
            }
            let low = self.member()?;
            let is_range = self.peek() == Some(b'-')
                && !matches!(self.pattern.get(self.at + 1), None | Some(b']'));
            if is_range {
                self.at += 1;
                let high = self.member()?;
                if high < low {
                    return Err(RegularError::Set);
                }
                for member in low..=high {
                    set[usize::from(member)] = true;
                }
            } else {
                set[usize::from(low)] = true;
            }
        }
        if is_negated {
            for member in set.iter_mut() {
                *member = !*member;
            }
        }
        self.add(Node::Byte(set))
    }

    /// A byte of a set, also as `[.x.]` or `[=x=]`.
    fn member(&mut self) -> Result<u8, RegularError> {
        let byte = self.peek().ok_or(RegularError::Set)?;
        self.at += 1;
        if byte == b'['
            && let Some(mark @ (b'.' | b'=')) = self.peek()
        {
            let inner = self.pattern.get(self.at + 1).copied().ok_or(RegularError::Set)?;
            if self.pattern.get(self.at + 2..self.at + 4) != Some(&[mark, b']']) {
                return Err(RegularError::Set);
            }
            self.at += 4;
            return Ok(inner);
        }
        Ok(byte)
    }

    fn class(&mut self, set: &mut ByteSet) -> Result<(), RegularError> {
        let rest = &self.pattern[self.at + 2..];
        let end = memchr::memmem::find(rest, b":]").ok_or(RegularError::Set)?;
        let is_member: fn(&u8) -> bool = match &rest[..end] {
            b"alpha" => u8::is_ascii_alphabetic,
            b"digit" => u8::is_ascii_digit,
            b"alnum" => u8::is_ascii_alphanumeric,
            b"upper" => u8::is_ascii_uppercase,
            b"lower" => u8::is_ascii_lowercase,
            b"space" => |b| b.is_ascii_whitespace() || *b == 0x0b,
            b"blank" => |b| matches!(b, b' ' | b'\t'),
            b"punct" => u8::is_ascii_punctuation,
            b"print" => |b| b.is_ascii_graphic() || *b == b' ',
            b"graph" => u8::is_ascii_graphic,
            b"cntrl" => u8::is_ascii_control,
            b"xdigit" => u8::is_ascii_hexdigit,
            _ => return Err(RegularError::Set),
        };
        for byte in 0..=255u8 {
            set[usize::from(byte)] |= is_member(&byte);
        }
        self.at += 2 + end + 2;
        Ok(())
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
