//! Where configuration text comes from: a trait, so that the crate itself reads no disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

/// Files by name. Names are as written in the configuration: relative ones count from the
/// configuration directory (never from the including file), `/` separates directories.
pub trait FileSource {
    /// Reads a whole file. An error of kind [`io::ErrorKind::NotFound`] means that it does not
    /// exist; directories and devices count as such.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// The names in a directory (`""` is the configuration directory), in any order, without the
    /// directory in front. Asked only when a name in an `#include` holds `*`, `?` or `[`.
    fn list(&self, directory: &str) -> Vec<String>;

    /// Runs the command of an `#exec` line and gives back its output. `None`, the default,
    /// refuses: configuration text should not run programs unless the operator said so.
    fn execute(&self, command: &str) -> Option<io::Result<Vec<u8>>> {
        let _ = command;
        None
    }
}

/// Files held in memory: for tests, embedded configuration, and text that comes from elsewhere.
///
/// ```
/// use diesis_dialplan::conf::{self, MemoryFiles, Options};
///
/// let files = MemoryFiles::new().with("pjsip.conf", "[alice]\ntype = endpoint\n");
/// let conf = conf::load("pjsip.conf", &files, &Options::default());
/// assert_eq!(conf.section("alice").and_then(|alice| alice.get("type")), Some("endpoint".into()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryFiles {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, or replaces it.
    pub fn with(mut self, name: impl Into<String>, text: impl AsRef<[u8]>) -> Self {
        self.files.insert(name.into(), text.as_ref().to_vec());
        self
    }
}

impl FileSource for MemoryFiles {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.files.get(&normal(name)).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let mut prefix = normal(directory);
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        let below = self.files.keys().filter_map(|name| name.strip_prefix(&prefix));
        let names = below.filter_map(|rest| rest.split('/').next()).map(str::to_owned);
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// A name without `.`, `..` and doubled slashes.
fn normal(name: &str) -> String {
    let mut parts: Vec<&str> = vec![];
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let root = if name.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

/// The files a name in an `#include` means: itself, or, if it has `*`, `?`, `[...]` or `{a,b}`,
/// all that match, sorted within each alternative, as the shell does.
pub(super) fn expand(name: &str, files: &dyn FileSource) -> Vec<String> {
    let mut found = vec![];
    for name in braces(name) {
        if has_wildcard(&name) { walk(&name, files, &mut found) } else { found.push(name) }
    }
    found
}

fn has_wildcard(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

fn walk(pattern: &str, files: &dyn FileSource, found: &mut Vec<String>) {
    let (root, relative) = match pattern.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", pattern),
    };
    let mut paths = vec![root.to_owned()];
    for part in relative.split('/').filter(|part| !part.is_empty()) {
        let mut next = vec![];
        for path in paths {
            let join = |name: &str| match path.as_str() {
                "" | "/" => format!("{path}{name}"),
                _ => format!("{path}/{name}"),
            };
            if has_wildcard(part) {
                let mut names = files.list(&path);
                names.retain(|name| glob_matches(part.as_bytes(), name.as_bytes()));
                names.sort_unstable();
                next.extend(names.iter().map(|name| join(name)));
            } else {
                next.push(join(part));
            }
            next.truncate(MATCHES);
        }
        paths = next;
    }
    found.extend(paths);
}

/// More matches than this are not looked at.
const MATCHES: usize = 10_000;

/// `a{b,c}d` becomes `abd`, `acd`. Only the first group of each alternative that closes; nested
/// groups are expanded from the outside in.
fn braces(name: &str) -> Vec<String> {
    let mut done = vec![];
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        let Some((before, choices, after)) = first_group(&name) else {
            done.push(name);
            continue;
        };
        if open.len() + choices.len() > 256 {
            done.push(name);
            continue;
        }
        open.extend(choices.iter().rev().map(|choice| format!("{before}{choice}{after}")));
    }
    done
}

fn first_group(name: &str) -> Option<(&str, Vec<&str>, &str)> {
    let start = name.find('{')?;
    let mut depth = 0;
    let mut choices = vec![];
    let mut choice = start + 1;
    for (at, character) in name[start..].char_indices() {
        let at = start + at;
        match character {
            '{' => depth += 1,
            ',' if depth == 1 => {
                choices.push(&name[choice..at]);
                choice = at + 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    choices.push(&name[choice..at]);
                    return Some((&name[..start], choices, &name[at + 1..]));
                }
            }
            _ => {}
        }
    }
    None
}

/// One path component against a shell pattern. A leading dot must be written. Linear in the
/// product of both lengths: the last `*` is the only one ever retried.
fn glob_matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => match bracket(&pattern[p..], name[n]) {
                Some((true, length)) => Some(length),
                Some((false, _)) => None,
                None => (name[n] == b'[').then_some(1),
            },
            Some(&byte) => (byte == name[n]).then_some(1),
            None => None,
        };
        match (step, retry) {
            (Some(length), _) => {
                p += length;
                n += 1;
            }
            (None, Some((star, from))) => {
                retry = Some((star, from + 1));
                p = star + 1;
                n = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Whether a byte is in the set a pattern begins with, and how long the set is written; `None` if
/// it never closes.
fn bracket(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = if negated { 2 } else { 1 };
    let close = first + 1 + pattern.get(first + 1..)?.iter().position(|&byte| byte == b']')?;
    let members = &pattern[first..close];
    let mut inside = false;
    let mut at = 0;
    while at < members.len() {
        if at + 2 < members.len() && members[at + 1] == b'-' {
            inside |= (members[at]..=members[at + 2]).contains(&byte);
            at += 3;
        } else {
            inside |= members[at] == byte;
            at += 1;
        }
    }
    Some((inside != negated, close + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> MemoryFiles {
        ["b.conf", "a.conf", ".hidden.conf", "d/x.conf", "d/y.conf", "e/x.conf", "a.txt"]
            .into_iter()
            .fold(MemoryFiles::new(), |files, name| files.with(name, ""))
    }

    #[test]
    fn a_plain_name_is_itself_whether_it_exists_or_not() {
        assert_eq!(expand("nosuch.conf", &files()), ["nosuch.conf"]);
    }

    #[test]
    fn wildcards_expand_sorted_and_leave_hidden_files_out() {
        assert_eq!(expand("*.conf", &files()), ["a.conf", "b.conf"]);
        assert_eq!(expand("[ab].???f", &files()), ["a.conf", "b.conf"]);
        assert_eq!(expand("[!a].conf", &files()), ["b.conf"]);
        assert_eq!(expand("nosuch*.conf", &files()), Vec::<String>::new());
    }

    #[test]
    fn wildcards_work_in_directories_too() {
        let found = expand("*/x.conf", &files());
        let found: Vec<_> = found.iter().filter(|name| files().read(name).is_ok()).collect();
        assert_eq!(found, ["d/x.conf", "e/x.conf"]);
    }

    #[test]
    fn names_may_go_through_directories() {
        assert!(files().read("./d/../d//x.conf").is_ok() && files().read("../a.conf").is_ok());
        assert_eq!(expand("./d/*.conf", &files()), ["./d/x.conf", "./d/y.conf"]);
    }

    #[test]
    fn braces_give_alternatives_in_order() {
        assert_eq!(expand("{b,a}.conf", &files()), ["b.conf", "a.conf"]);
        assert_eq!(expand("x{1,{2,3}}", &files()), ["x1", "x2", "x3"]);
        assert_eq!(expand("x{1", &files()), ["x{1"]);
    }

    #[test]
    fn many_stars_stay_cheap() {
        let pattern = "*a".repeat(60);
        assert!(!glob_matches(pattern.as_bytes(), "a".repeat(59).as_bytes()));
        assert!(glob_matches(pattern.as_bytes(), "a".repeat(61).as_bytes()));
    }
}
