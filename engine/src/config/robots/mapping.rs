//! `map = 6003 => 4711`, `map = _60XX => _47XX`: whose robot each of a range is.

use std::collections::HashMap;

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::diagnostic::Span;
use diesis_dialplan::pattern;

use super::super::codes;
use super::super::notes::Notes;
use super::super::setting::Setting;

/// The mappings of a range, in their order: the first that fits a robot says whose it is.
#[derive(Default)]
pub(super) struct Mappings(Vec<Mapping>);

struct Mapping {
    /// A number, or a pattern with `_`.
    robots: BString,
    /// A number, or a number with `_` in which each `X` is a digit of the robot's.
    user: BString,
    place: Span,
}

impl Mappings {
    /// Takes one setting.
    pub(super) fn read(&mut self, setting: Setting<'_>) {
        let parts = setting.value().split_once_str("=>");
        let parts = parts.map(|(robots, user)| (robots.trim_ascii(), user.trim_ascii()));
        let Some((robots, user)) =
            parts.filter(|(robots, user)| is_number(robots) && is_number(user))
        else {
            return setting
                .invalid("whose robots they are, such as 6003 => 4711 or _60XX => _47XX");
        };
        let is_pattern = robots.starts_with(b"_");
        if user.starts_with(b"_") && !is_pattern {
            return setting.invalid("a pattern on the left where the right is one: _60XX => _47XX");
        }
        if is_pattern
            && self.0.iter().filter(|it| it.robots.starts_with(b"_")).count() >= MOST_PATTERNS
        {
            return setting.invalid(&format!("at most {MOST_PATTERNS} patterns in a range"));
        }
        let place = setting.span();
        self.0.push(Mapping { robots: robots.into(), user: user.into(), place });
    }

    /// Whose robots these are; complains of mappings that are nobody's.
    pub(super) fn resolve(
        self,
        numbers: &[BString],
        notes: &mut Notes,
    ) -> HashMap<BString, BString> {
        let mut exact: HashMap<&BStr, usize> = HashMap::new();
        let mut patterns = vec![];
        for (at, mapping) in self.0.iter().enumerate() {
            match mapping.robots.starts_with(b"_") {
                true => patterns.push(at),
                false => {
                    exact.entry(mapping.robots.as_ref()).or_insert(at);
                }
            }
        }
        let mut is_used = vec![false; self.0.len()];
        let mut users = HashMap::new();
        for number in numbers {
            let fits =
                |at: &&usize| pattern::matches(self.0[**at].robots.as_ref(), number.as_ref());
            let by_pattern = patterns.iter().find(fits).copied();
            let by_number = exact.get(number.as_bstr()).copied();
            let Some(at) = by_number.into_iter().chain(by_pattern).min() else { continue };
            is_used[at] = true;
            users.insert(number.clone(), user_of(&self.0[at].user, number));
        }
        for (mapping, _) in self.0.iter().zip(is_used).filter(|(_, is_used)| !is_used) {
            notes.warn(
                codes::ROBOT_SUSPICIOUS,
                mapping.place,
                format!("`{}` is no robot of this range, or one above says whose", mapping.robots),
                "remove it, or correct the number; the first that fits a robot counts",
            );
        }
        users
    }
}

/// Something to be dialled; with `_` a pattern.
fn is_number(text: &[u8]) -> bool {
    let is_fit = |byte: &u8| byte.is_ascii_graphic() && !b",;()<>\"".contains(byte);
    (1..=MOST_BYTES).contains(&text.len()) && text != b"_" && text.iter().all(is_fit)
}

/// Each `X` of the user is a digit of the robot's number, counted from the end.
fn user_of(user: &BString, number: &BString) -> BString {
    let Some(user) = user.strip_prefix(b"_") else { return user.clone() };
    let mut digits = number.iter().rev();
    let mut written: Vec<u8> = user
        .iter()
        .rev()
        .map(|byte| match byte {
            b'X' | b'x' => digits.next().copied().unwrap_or(b'0'),
            other => *other,
        })
        .collect();
    written.reverse();
    written.into()
}

/// Patterns of a range: each is tried on each robot when the file is read.
const MOST_PATTERNS: usize = 100;
/// The longest number or pattern.
const MOST_BYTES: usize = 64;
