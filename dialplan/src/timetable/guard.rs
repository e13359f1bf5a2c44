//! Which numbers ask for the hours before their calls go on.

use std::cmp::Ordering;
use std::collections::HashMap;

use bstr::{BStr, BString};

use crate::pattern::{Name, Question, Verdict};

/// Incoming numbers with the timetables that guard them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Guards {
    by_context: HashMap<BString, Vec<Guard>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Guard {
    number: BString,
    name: Name,
    timetable: BString,
}

impl Guards {
    /// Lets a timetable guard a number or pattern of a context.
    ///
    /// # Errors
    /// When a timetable, whose name is given, guards the same number already.
    pub fn insert(
        &mut self,
        context: impl Into<BString>,
        number: impl Into<BString>,
        timetable: impl Into<BString>,
    ) -> Result<(), BString> {
        let number = number.into();
        let name = Name::parse(BStr::new(&number));
        let guards = self.by_context.entry(context.into()).or_default();
        match guards.binary_search_by(|guard| guard.name.compare(&name)) {
            Ok(place) => Err(guards[place].timetable.clone()),
            Err(place) => {
                guards.insert(place, Guard { number, name, timetable: timetable.into() });
                Ok(())
            }
        }
    }

    /// The timetable that guards a number; of several patterns the one that a dialplan tries first.
    #[must_use]
    pub fn of(&self, context: &[u8], dialled: &[u8]) -> Option<&BStr> {
        let guards = self.by_context.get(BStr::new(context))?;
        let matches =
            |guard: &&Guard| guard.name.verdict(BStr::new(dialled), Question::Match) != Verdict::No;
        guards.iter().find(matches).map(|guard| BStr::new(&guard.timetable))
    }

    /// The numbers that a timetable guards, as contexts and numbers, in order.
    #[must_use]
    pub fn numbers_of(&self, timetable: &[u8]) -> Vec<(&BStr, &BStr)> {
        let all = self.by_context.iter().flat_map(|(context, guards)| {
            let own = guards.iter().filter(|guard| guard.timetable == timetable);
            own.map(move |guard| (BStr::new(context), guard))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by(|(left, one), (right, other)| match left.cmp(right) {
            Ordering::Equal => one.name.compare(&other.name),
            order => order,
        });
        all.into_iter().map(|(context, guard)| (context, BStr::new(&guard.number))).collect()
    }

    /// Whether no number is guarded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_context.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_several_guards_counts() {
        let mut guards = Guards::default();
        assert!(guards.is_empty());
        for (number, timetable) in [("_01X.", "house"), ("_012[3-5]", "shop"), ("0123", "desk")] {
            guards.insert("in", number, timetable).unwrap();
        }
        let of = |context: &str, number: &str| {
            guards.of(context.as_bytes(), number.as_bytes()).map(ToString::to_string)
        };
        assert_eq!(of("in", "0123").as_deref(), Some("desk"));
        assert_eq!(of("in", "0124").as_deref(), Some("shop"));
        assert_eq!(of("in", "0199").as_deref(), Some("house"));
        assert_eq!((of("in", "02"), of("out", "0123")), (None, None));
        // Written in another way, and the same number all the same.
        assert_eq!(guards.insert("in", "01-23", "other"), Err("desk".into()));
        assert_eq!(guards.insert("in", "_012[345]", "other"), Err("shop".into()));
        assert_eq!(guards.insert("out", "0123", "other"), Ok(()));
        assert_eq!(guards.numbers_of(b"shop"), [("in".into(), "_012[3-5]".into())]);
    }
}
