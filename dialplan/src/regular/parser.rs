//! From the text of an expression to its tree.

use super::{
    Assertion, ByteSet, MOST_INSTRUCTIONS, MOST_NESTING, MOST_REPEATS, Node, NodeId, RegularError,
};

/// What an expression is made of.
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) root: NodeId,
    /// How many groups it has.
    pub(super) groups: usize,
}

pub(super) fn parse(pattern: &[u8]) -> Result<Tree, RegularError> {
    let mut parser = Parser { pattern, at: 0, nodes: Vec::new(), groups: 0, depth: 0 };
    let root = parser.alternatives()?;
    Ok(Tree { nodes: parser.nodes, root, groups: parser.groups })
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
