//! Time conditions of `GotoIfTime`, `IFTIME` and timed includes, as pure functions of an instant.
//!
//! `times,weekdays,days of the month,months[,time zone]`, such as `9:00-17:00,mon-fri,*,*`; `|`
//! separates as well as `,` (main/pbx_timing.c). All four must hold at the same moment. Ranges
//! are cyclic and include both ends; `&` joins several; an empty or missing field means always.
//! What cannot be read matches nothing, so that a mistyped condition is false, not true.

use std::{fmt, ops::Range, sync::LazyLock};

use bstr::{BStr, ByteSlice};
use jiff::{
    Timestamp, Zoned,
    civil::{Date, DateTime},
    tz::{TimeZone, TimeZoneDatabase},
};

/// A compiled time condition.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// One bit for each minute of the day.
    minutes: [u64; MINUTES.div_ceil(64)],
    days: Days,
    zone: Zone,
}

/// Weekdays, days of the month and months.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Days {
    /// One bit for each day of the week, from Sunday.
    weekdays: u32,
    /// One bit for each day of the month.
    days: u32,
    /// One bit for each month.
    months: u32,
}

impl Days {
    /// The second to fourth field of a condition.
    pub(crate) fn parse(spec: &BStr, flaws: &mut Vec<Flaw>) -> Self {
        let mut fields = Fields { spec, at: Some(0) };
        fields.next();
        Self::of(spec, &mut fields, flaws)
    }

    fn of(spec: &BStr, fields: &mut Fields<'_>, flaws: &mut Vec<Flaw>) -> Self {
        let mut mask = |max, names, kind| match fields.next() {
            Some(field) => parse_mask(spec, field, max, names, kind, flaws),
            None => all(max),
        };
        let weekdays = mask(7, &WEEKDAYS[..], FlawKind::Weekday);
        let days = mask(31, &[], FlawKind::Day);
        let months = mask(12, &MONTHS[..], FlawKind::Month);
        Self { weekdays, days, months }
    }

    /// Whether a day is one of them.
    pub(crate) fn hold(&self, day: Date) -> bool {
        self.months >> (day.month() - 1) & 1 == 1
            && self.days >> (day.day() - 1) & 1 == 1
            && self.weekdays >> day.weekday().to_sunday_zero_offset() & 1 == 1
    }

    /// Whether there is such a day.
    pub(crate) fn can_hold(&self) -> bool {
        let months = LONGEST.iter().enumerate().filter(|(month, _)| self.months >> month & 1 == 1);
        let has_day = months.map(|(_, &days)| all(days)).any(|days| self.days & days != 0);
        self.weekdays != 0 && has_day
    }
}

#[derive(Clone, Debug)]
enum Zone {
    System,
    Named(TimeZone),
}

impl Schedule {
    /// Compiles a condition. `None` if it is empty, which Asterisk refuses as a whole; anything
    /// else is a condition, though perhaps one that never holds.
    pub fn parse(spec: &BStr) -> Option<Self> {
        Self::parse_with_flaws(spec, &mut vec![])
    }

    /// Compiles a condition and tells what in it is wrong.
    pub fn parse_with_flaws(spec: &BStr, flaws: &mut Vec<Flaw>) -> Option<Self> {
        if spec.is_empty() {
            return None;
        }
        let mut fields = Fields { spec, at: Some(0) };
        let minutes = match fields.next() {
            Some(field) => parse_times(spec, field, flaws),
            None => ALL_MINUTES,
        };
        let days = Days::of(spec, &mut fields, flaws);
        // Only commas count the fields for the zone: with `|` there is none.
        let commas = memchr::memchr_iter(b',', spec).count();
        let zone = match memchr::memrchr(b',', spec) {
            Some(comma) if commas == 4 && comma + 1 < spec.len() => {
                let range = comma + 1..spec.len();
                let zone = time_zone(&spec[range.clone()]);
                if zone.is_none() {
                    flaws.push(Flaw::new(FlawKind::Zone, spec, range));
                }
                Zone::Named(zone.unwrap_or(TimeZone::UTC))
            }
            _ => Zone::System,
        };
        Some(Self { minutes, days, zone })
    }

    /// Whether it holds at an instant. `system` is the zone where none is named.
    pub fn holds(&self, now: Timestamp, system: &TimeZone) -> bool {
        let zone = match &self.zone {
            Zone::System => system,
            Zone::Named(zone) => zone,
        };
        let local = zone.to_datetime(now);
        let minute = local.hour() as usize * 60 + local.minute() as usize;
        self.days.hold(local.date()) && self.minutes[minute / 64] >> (minute % 64) & 1 == 1
    }

    /// Whether it can hold at all: no field is left without anything.
    pub fn can_hold(&self) -> bool {
        self.days.can_hold() && self.minutes.iter().any(|&word| word != 0)
    }
}

/// Something in a time condition that is not as its author meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// What it is.
    pub kind: FlawKind,
    /// Where it is in the condition, in bytes.
    pub range: Range<usize>,
    text: String,
}

/// What is wrong in a time condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlawKind {
    /// Not a time; the element is skipped.
    Time,
    /// A range of times without its end; the element is skipped.
    OpenTimes,
    /// Not a day of the week; the element is skipped.
    Weekday,
    /// Not a day of the month; the element is skipped.
    Day,
    /// Not a month; the element is skipped.
    Month,
    /// A time alone, which never matches. Asterisk says nothing.
    LoneTime,
    /// Not a time zone; UTC is taken. Asterisk says nothing.
    Zone,
}

impl Flaw {
    pub(crate) fn new(kind: FlawKind, spec: &BStr, range: Range<usize>) -> Self {
        Self { kind, text: spec[range.clone()].to_str_lossy().into_owned(), range }
    }

    /// Whether Asterisk logs a warning for it.
    pub fn is_logged(&self) -> bool {
        !matches!(self.kind, FlawKind::LoneTime | FlawKind::Zone)
    }

    /// What to write instead.
    pub fn help(&self) -> String {
        match self.kind {
            FlawKind::Time if self.text.contains("24:") => {
                "hours go from 0 to 23: the last minute of the day is `23:59`".into()
            }
            FlawKind::Time | FlawKind::OpenTimes => "write times as `9:00-17:00`".into(),
            FlawKind::LoneTime => format!("write `{0}-{0}` for this one minute", self.text.trim()),
            FlawKind::Weekday => blank_help(&self.text)
                .unwrap_or_else(|| "write days as `mon` to `sun`, three letters each".into()),
            FlawKind::Month => blank_help(&self.text)
                .unwrap_or_else(|| "write months as `jan` to `dec`, three letters each".into()),
            FlawKind::Day => {
                blank_help(&self.text).unwrap_or_else(|| "days of the month go from 1 to 31".into())
            }
            FlawKind::Zone => "write it as `Europe/Paris`, letter case included".into(),
        }
    }
}

fn blank_help(text: &str) -> Option<String> {
    (text.trim() != text).then(|| "remove the blanks around it".into())
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        match self.kind {
            FlawKind::Time => write!(f, "`{text}` is not a time"),
            FlawKind::OpenTimes => write!(f, "`{text}` has no end"),
            FlawKind::Weekday => write!(f, "`{text}` is not a day of the week"),
            FlawKind::Day => write!(f, "`{text}` is not a day of the month"),
            FlawKind::Month => write!(f, "`{text}` is not a month"),
            FlawKind::LoneTime => write!(f, "the single time `{text}` never matches"),
            FlawKind::Zone => write!(f, "`{text}` is not a time zone: UTC is taken"),
        }
    }
}

/// Finds a time zone by its name, as Asterisk does: letter case counts, and a POSIX rule such as
/// `CET-1CEST,M3.5.0,M10.5.0/3` works as well.
pub fn time_zone(name: &[u8]) -> Option<TimeZone> {
    static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    let name = name.to_str().ok()?;
    match ZONES.get(name) {
        Ok(zone) if zone.iana_name() == Some(name) => Some(zone),
        // The rule of a zone's own name would have been found.
        _ => TimeZone::posix(name).ok().or_else(|| posix_with_any_name(name)),
    }
}

/// In a POSIX rule, Asterisk takes anything as the zone's name up to its offset.
fn posix_with_any_name(rule: &str) -> Option<TimeZone> {
    let offset =
        rule.find(|character: char| character.is_ascii_digit() || "+-,".contains(character))?;
    let rest = &rule[offset..];
    if offset < 3 || rest.starts_with(',') {
        return None;
    }
    TimeZone::posix(&format!("AAA{rest}")).ok()
}

/// The fields of a condition, one after another; none once the text is used up.
struct Fields<'a> {
    spec: &'a BStr,
    at: Option<usize>,
}

impl Iterator for Fields<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.at?;
        let end = memchr::memchr2(b',', b'|', &self.spec[start..]).map(|length| start + length);
        self.at = end.map(|end| end + 1);
        Some(start..end.unwrap_or(self.spec.len()))
    }
}

/// The parts between `&`, as ranges of the condition.
fn elements(spec: &BStr, field: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = field.start;
    spec[field].split(|&byte| byte == b'&').map(move |element| {
        let range = at..at + element.len();
        at += element.len() + 1;
        range
    })
}

fn parse_times(spec: &BStr, field: Range<usize>, flaws: &mut Vec<Flaw>) -> Minutes {
    if is_always(&spec[field.clone()]) {
        return ALL_MINUTES;
    }
    let mut minutes = [0; MINUTES.div_ceil(64)];
    for range in elements(spec, field) {
        let element = &spec[range.clone()];
        let mut flaw = |kind, range| flaws.push(Flaw::new(kind, spec, range));
        let Some(dash) = memchr::memchr(b'-', element) else {
            // Recorded on Asterisk 22.10.1: a time without a range never matches.
            let kind = scan_time(element).map_or(FlawKind::Time, |_| FlawKind::LoneTime);
            flaw(kind, range);
            continue;
        };
        let (start, end) = (&element[..dash], &element[dash + 1..]);
        let Some(digit) = end.iter().position(u8::is_ascii_digit) else {
            flaw(FlawKind::OpenTimes, range);
            continue;
        };
        match (scan_time(start), scan_time(&end[digit..])) {
            (Some(start), Some(end)) => set_cyclic(&mut minutes, start, end),
            (None, _) => flaw(FlawKind::Time, range.start..range.start + dash),
            (_, None) => flaw(FlawKind::Time, range.start + dash + 1 + digit..range.end),
        }
    }
    minutes
}

fn set_cyclic(minutes: &mut Minutes, start: usize, end: usize) {
    let mut minute = start;
    loop {
        minutes[minute / 64] |= 1 << (minute % 64);
        if minute == end {
            return;
        }
        minute = (minute + 1) % MINUTES;
    }
}

fn parse_mask(
    spec: &BStr,
    field: Range<usize>,
    max: u32,
    names: &[&str],
    kind: FlawKind,
    flaws: &mut Vec<Flaw>,
) -> u32 {
    if is_always(&spec[field.clone()]) {
        return all(max);
    }
    let mut mask = 0;
    for range in elements(spec, field) {
        let element = &spec[range.clone()];
        let dash = memchr::memchr(b'-', element);
        let (start, end) = match dash {
            Some(dash) => (&element[..dash], &element[dash + 1..]),
            None => (element, element),
        };
        let mut flaw = |range| flaws.push(Flaw::new(kind, spec, range));
        match (scan_name(start, names, max), scan_name(end, names, max)) {
            (Some(start), Some(end)) => {
                let mut at = start;
                while at != end {
                    mask |= 1 << at;
                    at = (at + 1) % max;
                }
                mask |= 1 << end;
            }
            (None, _) => flaw(range.start..range.start + start.len()),
            (_, None) if end.is_empty() => flaw(range),
            (_, None) => flaw(range.end - end.len()..range.end),
        }
    }
    mask
}

fn is_always(field: &[u8]) -> bool {
    matches!(field, b"" | b"*")
}

/// A name, or a number counted from 1; both give an index from 0.
fn scan_name(text: &[u8], names: &[&str], max: u32) -> Option<u32> {
    let name = names.iter().position(|name| text.eq_ignore_ascii_case(name.as_bytes()));
    if let Some(name) = name {
        return Some(name as u32);
    }
    let (number, _) = scan_number(text)?;
    u32::try_from(number).ok().filter(|number| (1..=max).contains(number)).map(|number| number - 1)
}

/// `HH:MM` as a minute of the day; what follows it does not count.
pub(crate) fn scan_time(text: &[u8]) -> Option<usize> {
    let (hour, rest) = scan_number(text)?;
    let (minute, _) = scan_number(rest.strip_prefix(b":")?)?;
    let in_range = (0..24).contains(&hour) && (0..60).contains(&minute);
    in_range.then_some((hour * 60 + minute) as usize)
}

/// An instant that a person wrote: `2026-12-24T18:30` by the zone's clock, with an offset or a zone in
/// brackets, or seconds since 1970.
#[must_use]
pub fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>()
        && let Ok(time) = Timestamp::from_second(seconds)
    {
        return Some(time);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(time) = text.parse::<Zoned>() {
        return Some(time.timestamp());
    }
    let local = text.parse::<DateTime>().ok().and_then(|time| time.to_zoned(zone.clone()).ok());
    local.map(|time| time.timestamp())
}

/// A number of at most two characters, sign included, as C's `%2d` reads it, and what follows.
fn scan_number(text: &[u8]) -> Option<(i32, &[u8])> {
    let text = text.trim_ascii_start();
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, &rest[..rest.len().min(1)]),
        [b'+', rest @ ..] => (1, &rest[..rest.len().min(1)]),
        _ => (1, &text[..text.len().min(2)]),
    };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let number =
        digits[..length].iter().fold(0, |number, digit| number * 10 + i32::from(digit - b'0'));
    let used = length + usize::from(matches!(text[0], b'-' | b'+'));
    Some((sign * number, &text[used..]))
}

fn all(max: u32) -> u32 {
    (1 << max) - 1
}

type Minutes = [u64; MINUTES.div_ceil(64)];

/// In a day.
const MINUTES: usize = 24 * 60;

const ALL_MINUTES: Minutes = [u64::MAX; MINUTES.div_ceil(64)];

const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Days of each month, February in a leap year.
const LONGEST: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        time.parse().expect("a timestamp")
    }

    fn holds(spec: &str, time: &str) -> bool {
        Schedule::parse(spec.into()).is_some_and(|spec| spec.holds(at(time), &TimeZone::UTC))
    }

    fn flaws(spec: &str) -> Vec<(FlawKind, String)> {
        let mut flaws = vec![];
        Schedule::parse_with_flaws(spec.into(), &mut flaws);
        flaws.iter().map(|flaw| (flaw.kind, spec[flaw.range.clone()].to_owned())).collect()
    }

    #[test]
    fn both_ends_of_a_range_count_to_the_minute() {
        let spec = "9:00-17:00,mon-fri,*,*";
        assert!(holds(spec, "2024-05-02T09:00:00Z") && holds(spec, "2024-05-02T17:00:59Z"));
        assert!(!holds(spec, "2024-05-02T08:59:59Z") && !holds(spec, "2024-05-02T17:01:00Z"));
    }

    #[test]
    fn ranges_are_cyclic_but_the_weekday_is_of_the_moment() {
        assert!(holds("22:00-06:00,fri,*,*", "2024-05-03T02:00:00Z"), "early Friday");
        assert!(!holds("22:00-06:00,fri,*,*", "2024-05-04T02:00:00Z"), "early Saturday");
        assert!(holds("*,fri-mon,28-3,dec-jan", "2024-12-28T12:00:00Z"));
    }

    #[test]
    fn numbers_count_from_one_and_sunday() {
        assert!(holds("*,1,*,*", "2024-05-05T00:00:00Z"));
        assert!(holds("*,*,5a,5", "2024-05-05T00:00:00Z"), "what follows a number does not count");
    }

    #[test]
    fn what_cannot_be_read_matches_nothing() {
        for spec in ["9-17", "0:00-24:00", "*,monday", "*, mon", "*,*,32", "*,*,*,march", "10:30"] {
            for hour in 0..24 {
                assert!(!holds(spec, &format!("2024-03-04T{hour:02}:30:00Z")), "{spec}");
            }
        }
    }

    #[test]
    fn the_empty_condition_is_refused_and_missing_fields_are_always() {
        assert!(Schedule::parse("".into()).is_none());
        assert!(holds(",,,", "2024-05-05T00:00:00Z") && holds("*", "2024-05-05T00:00:00Z"));
    }

    #[test]
    fn a_zone_is_the_fifth_field_by_commas() {
        assert!(holds("9:00-17:00,mon-fri,*,*,Asia/Tokyo", "2024-08-14T03:03:03Z"));
        assert!(!holds("9:00-17:00|mon-fri|*|*|Asia/Tokyo", "2024-08-14T03:03:03Z"));
        assert!(holds("12:00-12:00,*,*,*,asia/tokyo", "2024-08-14T12:00:00Z"), "unknown is UTC");
        assert!(holds("7:00-7:00,*,*,*,GMT+5", "2024-08-14T12:00:00Z"), "a POSIX rule");
    }

    #[test]
    fn flaws_name_the_element() {
        assert_eq!(
            flaws("9:00-24:00,mon&Tuesday-fri,*,*"),
            [(FlawKind::Time, "24:00".to_owned()), (FlawKind::Weekday, "Tuesday".to_owned()),]
        );
        assert_eq!(
            flaws("10:30,mon-,0,*,Mars"),
            [
                (FlawKind::LoneTime, "10:30".to_owned()),
                (FlawKind::Weekday, "mon-".to_owned()),
                (FlawKind::Day, "0".to_owned()),
                (FlawKind::Zone, "Mars".to_owned()),
            ]
        );
        assert_eq!(flaws("9:00-17:00,mon-fri,*,*,Europe/Paris"), []);
    }

    #[test]
    fn a_condition_without_any_moment_is_known() {
        let can = |spec: &str| Schedule::parse(spec.into()).is_some_and(|spec| spec.can_hold());
        assert!(can("*") && can("*,*,29,feb") && !can("*,*,30,feb") && !can("*,monday"));
    }

    #[test]
    fn any_text_is_a_condition() {
        proptest::proptest!(|(spec in "[0-9:a-z&,|* /+-]{0,40}", seconds in 0i64..4_000_000_000)| {
            let mut flaws = vec![];
            let schedule = Schedule::parse_with_flaws(spec.as_str().into(), &mut flaws);
            let now = Timestamp::from_second(seconds).expect("in range");
            if let Some(schedule) = schedule {
                let holds = schedule.holds(now, &TimeZone::UTC);
                assert!(!holds || schedule.can_hold());
            }
            for flaw in flaws {
                assert!(spec.get(flaw.range.clone()).is_some());
            }
        });
    }
}
