//! Hours that come back: every Monday, the first of May.

use bstr::{BStr, ByteSlice};
use jiff::ToSpan;
use jiff::civil::DateTime;

use crate::schedule::{Days, Flaw, FlawKind, scan_time};

/// Hours of certain days, as `hours,weekdays,days of the month,months`.
///
/// Each field is as in `GotoIfTime`, both ends of a range included to the minute; hours that end
/// before they begin reach into the next day, of which nothing else is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    hours: Vec<(usize, usize)>,
    days: Days,
}

impl Period {
    /// Reads a period and tells what in it is wrong. `None` when it is empty.
    pub fn parse(text: &BStr, flaws: &mut Vec<Flaw>) -> Option<Self> {
        if text.trim_ascii().is_empty() {
            return None;
        }
        let end = text.find_byteset(b",|").unwrap_or(text.len());
        let field = &text[..end];
        let mut hours = Vec::new();
        if matches!(field.trim_ascii(), b"" | b"*") {
            hours.push((0, LAST));
        } else {
            let mut at = 0;
            for element in field.split(|&byte| byte == b'&') {
                let range = at..at + element.len();
                at = range.end + 1;
                match range_of(element) {
                    Some(range) => hours.push(range),
                    None => flaws.push(Flaw::new(FlawKind::Time, text, range)),
                }
            }
        }
        Some(Self { hours, days: Days::parse(text, flaws) })
    }

    /// Whether it holds at a time of its own clock.
    #[must_use]
    pub fn holds(&self, at: DateTime) -> bool {
        let minute =
            usize::from(at.hour().unsigned_abs()) * 60 + usize::from(at.minute().unsigned_abs());
        let is_day = self.days.hold(at.date());
        // Whether it began the day before.
        let before = || at.date().checked_sub(1.day()).is_ok_and(|day| self.days.hold(day));
        self.hours.iter().any(|&(first, last)| {
            if first <= last {
                is_day && (first..=last).contains(&minute)
            } else {
                (is_day && minute >= first) || (minute <= last && before())
            }
        })
    }

    /// Minutes of a day at which it may begin or end to hold.
    pub(super) fn edges(&self) -> impl Iterator<Item = usize> {
        self.hours.iter().flat_map(|&(first, last)| [first, last + 1])
    }

    /// Whether it can hold at all: no field is left without anything.
    #[must_use]
    pub fn can_hold(&self) -> bool {
        !self.hours.is_empty() && self.days.can_hold()
    }
}

/// `9:00-17:30`; 24:00 is the end of the day.
fn range_of(text: &[u8]) -> Option<(usize, usize)> {
    let (first, last) = text.split_once_str("-")?;
    let first = scan_time(first)?;
    if matches!(last.trim_ascii(), b"24:00" | b"24:0") {
        return Some((first, LAST));
    }
    Some((first, scan_time(last)?))
}

/// The last minute of a day.
const LAST: usize = 24 * 60 - 1;
