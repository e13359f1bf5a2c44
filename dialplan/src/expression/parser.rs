//! Operator precedence with explicit stacks: depth costs no machine stack, and a syntax error leaves the
//! same partial result as the reference's table-driven parser.

use smallvec::SmallVec;

use super::lexer::{self, Operator, Token};
use super::value::Value;
use super::{Surroundings, math};

pub(super) struct Parser<'t, 's> {
    text: &'t [u8],
    at: usize,
    /// Where the search for the last token began.
    before: usize,
    surroundings: &'s mut dyn Surroundings,
    values: SmallVec<[Value<'t>; 4]>,
    pending: SmallVec<[Pending<'t>; 4]>,
}

/// What waits for its right side.
#[derive(Debug, Clone, Copy)]
enum Pending<'t> {
    Binary(Operator),
    Negate,
    Complement,
    Open,
    /// A function call: its name and how many values were there before its arguments.
    Call(&'t [u8], usize),
    /// `condition ?`, waiting for `::`.
    Then,
    /// `condition ? value ::`.
    Otherwise,
}

/// Nothing could be made of the text from here on.
struct Broken;

impl<'t, 's> Parser<'t, 's> {
    pub(super) fn new(text: &'t [u8], surroundings: &'s mut dyn Surroundings) -> Self {
        Self {
            text,
            at: 0,
            before: 0,
            surroundings,
            values: SmallVec::new(),
            pending: SmallVec::new(),
        }
    }

    pub(super) fn run(mut self, out: &mut Vec<u8>) {
        if lexer::next(self.text, 0).is_none() {
            return;
        }
        let parsed = self.parse();
        if parsed.is_err() {
            self.surroundings.warn(format_args!("syntax error in expression"));
        }
        match self.values.pop() {
            Some(value) if self.pending.is_empty() => value.write(out),
            _ if self.pending.is_empty() => {}
            _ => out.push(b'0'),
        }
    }

    /// Where the syntax breaks, if it does.
    pub(super) fn flaw(mut self) -> Option<usize> {
        lexer::next(self.text, 0)?;
        self.parse().is_err().then_some(self.before)
    }

    fn parse(&mut self) -> Result<(), Broken> {
        loop {
            self.operand()?;
            if !self.after_operand()? {
                return Ok(());
            }
        }
    }

    fn take(&mut self) -> Option<Token<'t>> {
        self.before = self.at;
        let (token, end) = lexer::next(self.text, self.at)?;
        self.at = end;
        Some(token)
    }

    fn operand(&mut self) -> Result<(), Broken> {
        loop {
            let before = self.at;
            match self.take() {
                Some(Token::Number(text)) => return self.named(text, Value::Numeric(text.into())),
                Some(Token::Text(text)) => return self.named(text, Value::Text(text.into())),
                Some(Token::Open) => self.pending.push(Pending::Open),
                Some(Token::Operator(Operator::Minus)) => self.pending.push(Pending::Negate),
                Some(Token::Operator(Operator::Not)) => self.pending.push(Pending::Complement),
                _ => {
                    self.at = before;
                    return Err(Broken);
                }
            }
        }
    }

    /// A value, or the name of a call when `(` follows.
    fn named(&mut self, name: &'t [u8], value: Value<'t>) -> Result<(), Broken> {
        if let Some((Token::Open, end)) = lexer::next(self.text, self.at) {
            self.at = end;
            self.pending.push(Pending::Call(name, self.values.len()));
            return self.operand();
        }
        self.values.push(value);
        Ok(())
    }

    /// Takes operators and closing parentheses until another operand is due: then `true`.
    fn after_operand(&mut self) -> Result<bool, Broken> {
        loop {
            let Some(token) = self.take() else {
                self.reduce(Binding::Loosest);
                return if self.pending.is_empty() { Ok(false) } else { Err(Broken) };
            };
            match token {
                Token::Operator(Operator::Not)
                | Token::Number(_)
                | Token::Text(_)
                | Token::Open => {
                    self.reduce(Binding::Loosest);
                    return Err(Broken);
                }
                Token::Operator(operator) => {
                    self.reduce(Binding::of(operator));
                    self.pending.push(match operator {
                        Operator::Conditional => Pending::Then,
                        other => Pending::Binary(other),
                    });
                    return Ok(true);
                }
                Token::Else => {
                    self.reduce(Binding::Conditional);
                    let Some(Pending::Then) = self.pending.last() else { return Err(Broken) };
                    self.pending.pop();
                    self.pending.push(Pending::Otherwise);
                    return Ok(true);
                }
                Token::Comma => {
                    self.reduce(Binding::Loosest);
                    let Some(Pending::Call(..)) = self.pending.last() else { return Err(Broken) };
                    return Ok(true);
                }
                Token::Close => {
                    self.reduce(Binding::Loosest);
                    match self.pending.last() {
                        Some(Pending::Open) => {
                            self.pending.pop();
                        }
                        Some(&Pending::Call(name, first)) => {
                            self.pending.pop();
                            let arguments: Vec<_> = self.values.drain(first..).collect();
                            let value = math::call(name, arguments, self.surroundings);
                            self.values.push(value);
                        }
                        _ => return Err(Broken),
                    }
                }
            }
        }
    }

    /// Computes everything pending that binds at least as tightly.
    fn reduce(&mut self, binding: Binding) {
        while let Some(&pending) = self.pending.last() {
            let own = match pending {
                Pending::Binary(operator) => Binding::of(operator),
                Pending::Negate | Pending::Complement => Binding::Unary,
                Pending::Otherwise => Binding::Conditional,
                Pending::Open | Pending::Call(..) | Pending::Then => return,
            };
            if own < binding {
                return;
            }
            self.pending.pop();
            let Some(last) = self.values.pop() else { return };
            let value = match pending {
                Pending::Negate => last.negated(self.surroundings),
                Pending::Complement => last.complement(),
                Pending::Binary(operator) => match self.values.pop() {
                    Some(first) => first.combine(operator, last, self.surroundings),
                    None => last,
                },
                _ => match (self.values.pop(), self.values.pop()) {
                    (Some(this), Some(condition)) => Value::choose(&condition, this, last),
                    _ => last,
                },
            };
            self.values.push(value);
        }
    }
}

/// How tightly operators bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Loosest,
    Conditional,
    Or,
    And,
    Comparison,
    Sum,
    Product,
    Unary,
    Match,
}

impl Binding {
    fn of(operator: Operator) -> Self {
        match operator {
            Operator::Conditional => Self::Conditional,
            Operator::Or => Self::Or,
            Operator::And => Self::And,
            Operator::Equal
            | Operator::NotEqual
            | Operator::Less
            | Operator::Greater
            | Operator::LessOrEqual
            | Operator::GreaterOrEqual => Self::Comparison,
            Operator::Plus | Operator::Minus => Self::Sum,
            Operator::Times | Operator::Divide | Operator::Remainder => Self::Product,
            Operator::Not => Self::Unary,
            Operator::MatchStart | Operator::Match | Operator::Join => Self::Match,
        }
    }
}
