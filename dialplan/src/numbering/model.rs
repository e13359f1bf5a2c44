//! Models and values of rules: text, placeholders, regular expressions.

use regex_automata::meta::{BuildError, Regex};
use regex_automata::util::{captures::Captures, syntax};

use super::{Prefixes, RuleError};

/// What a number must hold.
#[derive(Debug, Clone)]
pub(super) enum Model {
    /// At its beginning.
    Plain(String),
    /// Anywhere.
    Expression(Regex),
}

/// Where it does.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    groups: Option<Captures>,
}

impl Model {
    pub(super) fn parse(text: &str, prefixes: &Prefixes) -> Result<Self, RuleError> {
        if text.is_empty() {
            return Err(RuleError::EmptyModel);
        }
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let Some(inner) = inner.filter(|_| placeholder(text).is_none()) else {
            let plain = replaced(text, prefixes, false)?;
            return match plain.chars().find(|&symbol| !is_dialled(symbol)) {
                Some(symbol) => Err(RuleError::NotANumber(symbol)),
                None if plain.is_empty() => Err(RuleError::EmptyModel),
                None => Ok(Self::Plain(plain)),
            };
        };
        let wrong = |error: BuildError| {
            let told = error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
            RuleError::Expression(told.lines().last().unwrap_or_default().to_owned())
        };
        let config = Regex::config().nfa_size_limit(Some(LARGEST)).utf8_empty(false);
        let regex = Regex::builder()
            .configure(config)
            // Numbers are ASCII.
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build(&replaced(inner, prefixes, true)?)
            .map_err(wrong)?;
        if regex.is_match("") {
            return Err(RuleError::FitsNothing);
        }
        Ok(Self::Expression(regex))
    }

    /// Groups that a value can refer to.
    pub(super) fn groups(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Expression(regex) => regex.captures_len() - 1,
        }
    }

    /// Whether it is known to fit every number that begins so.
    pub(super) fn fits_all_that_begin_with(&self, beginning: &str) -> bool {
        match self {
            Self::Plain(plain) => beginning.starts_with(plain),
            // An end in the expression would fit the beginning alone.
            Self::Expression(_) => ["", "0", "123456789"].iter().all(|rest| {
                let number = format!("{beginning}{rest}");
                self.find(&number).is_some_and(|found| found.end <= beginning.len())
            }),
        }
    }

    pub(super) fn find(&self, number: &str) -> Option<Found> {
        match self {
            Self::Plain(plain) => number.starts_with(plain).then_some(Found {
                start: 0,
                end: plain.len(),
                groups: None,
            }),
            Self::Expression(regex) => {
                let mut groups = regex.create_captures();
                regex.captures(number, &mut groups);
                let whole = groups.get_match()?;
                Some(Found { start: whole.start(), end: whole.end(), groups: Some(groups) })
            }
        }
    }
}

/// What takes the place of what was found.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pieces: Vec<Piece>,
    goes_out: bool,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Value {
    pub(super) fn parse(text: &str, prefixes: &Prefixes, groups: usize) -> Result<Self, RuleError> {
        let goes_out =
            placeholder(text).is_some_and(|(name, _)| name.eq_ignore_ascii_case(EXTERNAL));
        let replaced = replaced(text, prefixes, false)?;
        let mut pieces = Vec::new();
        let mut rest = &*replaced;
        while let Some((before, after)) = rest.split_once('$') {
            pieces.push(Piece::Text(before.to_owned()));
            let digit = after.chars().next().and_then(|it| it.to_digit(10));
            let Some(number) = digit.map(|it| it as usize) else {
                return Err(RuleError::NotDialled('$'));
            };
            if number > groups {
                return Err(RuleError::NoGroup(number, groups));
            }
            pieces.push(Piece::Group(number));
            rest = &after[1..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        for piece in &pieces {
            if let Piece::Text(text) = piece
                && let Some(symbol) = text.chars().find(|&symbol| !is_dialled(symbol))
            {
                return Err(RuleError::NotDialled(symbol));
            }
        }
        Ok(Self { pieces, goes_out })
    }

    /// Whether it begins with the external prefix.
    pub(super) const fn goes_out(&self) -> bool {
        self.goes_out
    }

    pub(super) fn append(&self, number: &str, found: &Found, out: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Group(group) => {
                    let groups = found.groups.as_ref();
                    let span = groups.and_then(|groups| groups.get_group(*group));
                    out.push_str(span.map_or("", |span| &number[span.range()]));
                }
            }
        }
    }
}

/// The text with prefixes in place of their names.
fn replaced(text: &str, prefixes: &Prefixes, escaped: bool) -> Result<String, RuleError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("[-") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let Some((name, after)) = placeholder(from) else {
            // A set of an expression that begins with a hyphen.
            out.push_str("[-");
            rest = &from[2..];
            continue;
        };
        let prefix = [
            (INTERNATIONAL, &prefixes.international),
            (COUNTRY, &prefixes.country),
            (EXTERNAL, &prefixes.external),
        ];
        let Some((_, prefix)) = prefix.iter().find(|it| it.0.eq_ignore_ascii_case(name)) else {
            return Err(RuleError::UnknownPlaceholder(name.to_owned()));
        };
        if escaped {
            // Digits; but nobody promised.
            prefix.chars().for_each(|symbol| {
                if !symbol.is_ascii_alphanumeric() {
                    out.push('\\');
                }
                out.push(symbol);
            });
        } else {
            out.push_str(prefix);
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The name of the placeholder that a text begins with, and what is behind it.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix("[-")?.split_once("-]")?;
    (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic())).then_some((name, rest))
}

const fn is_dialled(symbol: char) -> bool {
    matches!(symbol, '0'..='9' | '+' | '*' | '#' | '(' | ')')
}

const INTERNATIONAL: &str = "InternationalPrefix";
const COUNTRY: &str = "CountryPrefix";
const EXTERNAL: &str = "ExternalPrefix";

/// Bytes of a compiled expression.
const LARGEST: usize = 1 << 20;
