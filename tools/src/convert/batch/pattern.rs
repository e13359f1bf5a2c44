//! Patterns of file names: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`, and `**` for any directories.
//!
//! As in a shell, wildcards do not match a dot at the beginning of a name.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// A pattern of paths below a directory.
#[derive(Debug)]
pub(super) struct Pattern {
    /// What braces stand for, each as the names on the way.
    ways: Vec<Vec<Part>>,
}

/// How far a path has matched: way, and number of the part that comes next.
pub(super) type Places = BTreeSet<(usize, usize)>;

#[derive(Debug)]
enum Part {
    /// `**`
    Directories,
    Name(Vec<Token>),
}

#[derive(Debug, PartialEq)]
enum Token {
    /// `*`
    Any,
    /// `?`
    One,
    /// Whether it is one of these, or is not.
    Class(bool, Vec<(char, char)>),
    Literal(char),
}

/// Whether a name is a pattern at all.
pub(super) fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(SPECIAL)
}

const SPECIAL: [char; 4] = ['*', '?', '[', '{'];

/// More are no pattern that anybody reads.
const MOST_BRACES: usize = 64;
/// More than this many alternatives of braces are a slip of the finger.
const MOST_WAYS: usize = 1024;

/// The directory before the first name with a wildcard, and the pattern from there on.
pub(super) fn split(path: &Path) -> Result<(PathBuf, Pattern), String> {
    let mut base = PathBuf::new();
    let mut components = path.components();
    while let Some(next) = components.clone().next() {
        if matches!(next, Component::Normal(name) if is_pattern(Path::new(name))) {
            break;
        }
        base.push(next);
        components.next();
    }
    let pattern = Pattern::parse(&components.as_path().to_string_lossy())?;
    let base = if base.as_os_str().is_empty() { PathBuf::from(".") } else { base };
    Ok((base, pattern))
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        if text.matches('{').count() > MOST_BRACES {
            return Err(format!("the pattern has more than {MOST_BRACES} braces"));
        }
        let mut ways = vec![];
        expand(text, &mut ways)?;
        let parts = |way: &String| {
            let mut parts: Vec<Part> = way.split('/').map(Part::parse).collect();
            // At the end, `**` is all that is below.
            if matches!(parts.last(), Some(Part::Directories)) {
                parts.push(Part::Name(vec![Token::Any]));
            }
            parts
        };
        Ok(Self { ways: ways.iter().map(parts).collect() })
    }

    /// Before the first name.
    pub(super) fn start(&self) -> Places {
        self.settle((0..self.ways.len()).map(|way| (way, 0)))
    }

    /// After a name; empty when no path that begins so matches.
    pub(super) fn step(&self, places: &Places, name: &str) -> Places {
        self.settle(places.iter().filter_map(|&(way, at)| match self.ways[way].get(at)? {
            Part::Directories => (!name.starts_with('.')).then_some((way, at)),
            Part::Name(tokens) => matches(tokens, name).then_some((way, at + 1)),
        }))
    }

    /// Whether the whole pattern has matched.
    pub(super) fn is_end(&self, places: &Places) -> bool {
        places.iter().any(|&(way, at)| at == self.ways[way].len())
    }

    /// `**` is also no directory at all.
    fn settle(&self, places: impl Iterator<Item = (usize, usize)>) -> Places {
        let mut settled = Places::new();
        for (way, mut at) in places {
            settled.insert((way, at));
            while matches!(self.ways[way].get(at), Some(Part::Directories)) {
                at += 1;
                settled.insert((way, at));
            }
        }
        settled
    }
}

impl Part {
    fn parse(text: &str) -> Self {
        if text == "**" { Self::Directories } else { Self::Name(tokens(text)) }
    }
}

/// Appends what the braces of a text stand for.
fn expand(text: &str, ways: &mut Vec<String>) -> Result<(), String> {
    let mut depth = 0_usize;
    let (mut open, mut cuts) = (None, vec![]);
    for (at, c) in text.char_indices() {
        match c {
            '{' => {
                depth += 1;
                if depth == 1 {
                    open = Some(at);
                    cuts.clear();
                }
            }
            ',' if depth == 1 => cuts.push(at),
            '}' if depth > 0 => {
                depth -= 1;
                let Some(open) = open.filter(|_| depth == 0) else { continue };
                cuts.push(at);
                let mut from = open + 1;
                for &cut in &cuts {
                    let way = format!("{}{}{}", &text[..open], &text[from..cut], &text[at + 1..]);
                    expand(&way, ways)?;
                    from = cut + 1;
                }
                return Ok(());
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err("a `{` in the pattern has no `}`".to_owned());
    }
    if ways.len() == MOST_WAYS {
        return Err(format!("the pattern has more than {MOST_WAYS} alternatives"));
    }
    ways.push(text.to_owned());
    Ok(())
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = vec![];
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        tokens.push(match c {
            '*' if tokens.last() == Some(&Token::Any) => continue,
            '*' => Token::Any,
            '?' => Token::One,
            '[' => match class(rest.as_str()) {
                Some((class, after)) => {
                    rest = after.chars();
                    class
                }
                None => Token::Literal('['),
            },
            literal => Token::Literal(literal),
        });
    }
    tokens
}

/// A class after its `[`, and what follows; `None` when it has no end.
fn class(text: &str) -> Option<(Token, &str)> {
    let (wanted, text) = match text.strip_prefix(['!', '^']) {
        Some(rest) => (false, rest),
        None => (true, text),
    };
    // A `]` that comes first is one of the class.
    let first = text.chars().next()?.len_utf8();
    let end = first + text[first..].find(']')?;
    let (mut ranges, mut chars) = (vec![], text[..end].chars().peekable());
    while let Some(from) = chars.next() {
        let mut ahead = chars.clone();
        let to = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) => {
                chars = ahead;
                to
            }
            _ => from,
        };
        ranges.push((from, to));
    }
    Some((Token::Class(wanted, ranges), &text[end + 1..]))
}

/// Whether a name matches. Of several `*` only the last is ever tried anew: no more steps than
/// name times pattern.
fn matches(tokens: &[Token], name: &str) -> bool {
    if name.starts_with('.') && tokens.first() != Some(&Token::Literal('.')) {
        return false;
    }
    let name: Vec<char> = name.chars().collect();
    let (mut token, mut at) = (0, 0);
    let mut retry = None;
    while at < name.len() {
        let one = match tokens.get(token) {
            Some(Token::Any) => {
                retry = Some((token, at));
                token += 1;
                continue;
            }
            Some(Token::One) => true,
            Some(Token::Class(wanted, ranges)) => {
                let within = ranges.iter().any(|(from, to)| (from..=to).contains(&&name[at]));
                within == *wanted
            }
            Some(Token::Literal(literal)) => *literal == name[at],
            None => false,
        };
        if one {
            (token, at) = (token + 1, at + 1);
        } else {
            let Some((star, from)) = retry else { return false };
            retry = Some((star, from + 1));
            (token, at) = (star + 1, from + 1);
        }
    }
    tokens[token..].iter().all(|token| *token == Token::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str, path: &str) -> bool {
        let pattern = Pattern::parse(pattern).unwrap();
        let places =
            path.split('/').fold(pattern.start(), |places, name| pattern.step(&places, name));
        pattern.is_end(&places)
    }

    #[test]
    fn names_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.wav", "a.wav", true),
            ("*.wav", ".wav", false),
            (".*", ".wav", true),
            ("*.wav", "a.wave", false),
            ("a?c", "abc", true),
            ("a?c", "aéc", true),
            ("a?c", "ac", false),
            ("*a*b*c*", "xxaxxbxxc", true),
            ("*a*b*c*", "xxaxxcxxb", false),
            ("[a-c]1", "b1", true),
            ("[!a-c]1", "b1", false),
            ("[]x]", "]", true),
            ("[a", "[a", true),
            ("*.{wav,mp3}", "a.mp3", true),
            ("*.{wav,mp{2,3}}", "a.mp2", true),
            ("*.{wav,mp3}", "a.ogg", false),
        ] {
            assert_eq!(matched(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn two_stars_are_any_directories() {
        for (pattern, path, expected) in [
            ("**/*.wav", "a.wav", true),
            ("**/*.wav", "x/y/z/a.wav", true),
            ("**/*.wav", "x/.y/a.wav", false),
            ("en/**/a.wav", "en/a.wav", true),
            ("en/**/a.wav", "fr/a.wav", false),
            ("*/a.wav", "x/y/a.wav", false),
            ("en/**", "en/x/a.wav", true),
            ("en/**", "en", false),
        ] {
            assert_eq!(matched(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn the_tree_is_kept_from_the_first_wildcard_on() {
        let base = |path: &str| split(Path::new(path)).unwrap().0;
        assert_eq!(base("in/**/*.mp3"), Path::new("in"));
        assert_eq!(base("/x/y{a,b}/z.wav"), Path::new("/x"));
        assert_eq!(base("*.wav"), Path::new("."));
        assert!(split(Path::new("a{b")).is_err());
        assert!(split(Path::new(&"{a,b}".repeat(11))).is_err());
    }

    #[test]
    fn a_hopeless_pattern_takes_no_longer_than_its_length_says() {
        assert!(!matched(&"*a".repeat(500), &"a".repeat(499)));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_pattern_or_refused_and_matches_in_bounded_time(
            text in "[a-c*?/{},\\[\\]!.-]{0,40}",
            path in "[a-c./]{0,60}",
        ) {
            if let Ok(pattern) = Pattern::parse(&text) {
                path.split('/').fold(pattern.start(), |places, name| pattern.step(&places, name));
            }
        }

        #[test]
        fn what_has_no_wildcard_matches_itself_alone(
            text in "[a-c]{1,3}(/[a-c]{1,3}){0,3}",
            path in "[a-c]{1,3}(/[a-c]{1,3}){0,3}",
        ) {
            proptest::prop_assert!(matched(&text, &text));
            proptest::prop_assert_eq!(matched(&text, &path), text == path);
        }
    }
}
