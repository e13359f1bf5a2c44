//! Which applications or functions exist, and what to say of one that does not.

use std::collections::HashMap;

use bstr::{BStr, ByteSlice};

use super::known::{FORMER_APPLICATIONS, FORMER_FUNCTIONS, Former};
use crate::spelling;

/// Names that exist: some of them here, others in Asterisk only.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By name in small letters.
    names: HashMap<Vec<u8>, (String, Standing)>,
}

/// Where a name exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Available,
    AsteriskOnly,
}

/// What there is to say of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It exists in Asterisk, but not here.
    AsteriskOnly,
    /// It differs in letter case only.
    Case(String),
    /// It existed once; something else does its work now.
    Former(&'static str),
    /// There is none; perhaps one of a similar name.
    Unknown(Option<String>),
}

/// Whether letter case counts: it does for functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Application,
    Function,
}

impl Names {
    /// All of these exist here.
    pub fn asterisk(names: &[&str]) -> Self {
        Self::available(names.iter().copied(), &[])
    }

    /// `available` exist here; what of `asterisk` is not among them does not, or not yet.
    pub fn available<'a>(available: impl IntoIterator<Item = &'a str>, asterisk: &[&str]) -> Self {
        let mut all = Self::default();
        for name in asterisk {
            all.insert(name, Standing::AsteriskOnly);
        }
        for name in available {
            all.insert(name, Standing::Available);
        }
        all
    }

    fn insert(&mut self, name: &str, standing: Standing) {
        self.names.insert(name.to_ascii_lowercase().into_bytes(), (name.to_owned(), standing));
    }

    /// What is wrong with a name; `None` if nothing.
    pub(super) fn finding(&self, name: &BStr, kind: Kind) -> Option<Finding> {
        let known = self.names.get(&name.to_ascii_lowercase());
        match known {
            Some((exact, _)) if kind == Kind::Function && name != exact.as_str() => {
                return Some(Finding::Case(exact.clone()));
            }
            Some((_, Standing::Available)) => return None,
            _ => {}
        }
        let former: &[Former] = match kind {
            Kind::Application => FORMER_APPLICATIONS,
            Kind::Function => FORMER_FUNCTIONS,
        };
        let former = former.iter().find(|former| name.eq_ignore_ascii_case(former.name.as_bytes()));
        if let Some(former) = former {
            return Some(Finding::Former(former.instead));
        }
        if known.is_some() {
            return Some(Finding::AsteriskOnly);
        }
        let mut candidates: Vec<&str> =
            self.names.values().map(|(name, _)| name.as_str()).collect();
        candidates.sort_unstable();
        let guess =
            spelling::closest(name, candidates.iter().map(|name| name.as_bytes().as_bstr()));
        Some(Finding::Unknown(guess.map(ToString::to_string)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_here_or_elsewhere_or_nowhere() {
        let names = Names::available(["Answer", "Dial"], &["Answer", "Queue"]);
        let ask = |name: &str| names.finding(name.into(), Kind::Application);
        assert_eq!(ask("answer"), None);
        assert_eq!(ask("QUEUE"), Some(Finding::AsteriskOnly));
        assert_eq!(ask("Anwser"), Some(Finding::Unknown(Some("Answer".into()))));
        assert_eq!(ask("SetVar"), Some(Finding::Former("Set")));
        assert_eq!(ask("Xyzzy"), Some(Finding::Unknown(None)));
    }

    #[test]
    fn letter_case_counts_for_functions() {
        let names = Names::asterisk(&["LEN"]);
        assert_eq!(names.finding("LEN".into(), Kind::Function), None);
        assert_eq!(names.finding("len".into(), Kind::Function), Some(Finding::Case("LEN".into())));
    }
}
