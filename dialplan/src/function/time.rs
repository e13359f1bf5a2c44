//! Times as texts, and texts as times.

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::strings::skip_blanks;
use super::{Reading, Writing, wrong};
use crate::arguments::{scan_double, split};
use crate::expression::{Number, write_whole};
use crate::scope::Scope;
use crate::variables::Inheritance;

/// `STRFTIME([epoch][,[zone][,format]])`.
pub(super) fn format(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 3);
    let epoch = parts.first().and_then(|text| seconds_and_micros(text));
    let now = scope.host.now();
    let (seconds, micros) = match epoch {
        Some(epoch) => epoch,
        None => (now.as_second(), i64::from(now.subsec_microsecond())),
    };
    let zone = zone(scope, parts.get(1).map(|zone| &**zone));
    let format =
        parts.get(2).filter(|format| !format.is_empty()).map_or(&b"%c"[..], |format| format);
    let cycles = cycles_beyond(seconds);
    let Ok(time) = Timestamp::from_second(seconds - cycles * CYCLE) else {
        return wrong("time out of range");
    };
    let system = scope.host.time_zone();
    let system_name = time.to_zoned(system).strftime("%Z").to_string();
    let micros = micros.unsigned_abs();
    let time = Local { time: time.to_zoned(zone), cycles, micros, system_name };
    time.write(format, out);
    Ok(())
}

/// By how many cycles of the calendar a time lies beyond the years 0 to 9999: each has the same weekdays.
fn cycles_beyond(seconds: i64) -> i64 {
    if !(FIRST..LAST).contains(&seconds) && seconds.unsigned_abs() < MOST_SECONDS {
        seconds.div_euclid(CYCLE)
    } else {
        0
    }
}

/// An epoch with its fraction, cut to microseconds as the reference's long double leaves it.
fn seconds_and_micros(text: &[u8]) -> Option<(i64, i64)> {
    let text = skip_blanks(text);
    let is_plain = text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    if is_plain && text.first().is_some_and(u8::is_ascii_digit) {
        return Number::parse(text)?.seconds_and_micros();
    }
    let epoch = scan_double(text)?;
    let seconds = epoch.trunc();
    Some((seconds as i64, ((epoch - seconds) * 1e6) as i64))
}

/// The zone of a name; empty is the system's, an unknown one is UTC.
fn zone(scope: &Scope<'_>, name: Option<&[u8]>) -> TimeZone {
    match name {
        None | Some(b"") => scope.host.time_zone(),
        Some(name) => crate::schedule::time_zone(name).unwrap_or(TimeZone::UTC),
    }
}

struct Local {
    time: Zoned,
    /// Cycles of 400 years that the time was moved back by.
    cycles: i64,
    micros: u64,
    system_name: String,
}

/// Seconds of 400 years, after which the calendar repeats.
const CYCLE: i64 = 146_097 * 86_400;

/// The year 0, with room for any zone.
const FIRST: i64 = -62_167_132_800;

/// The year 10000, with room for any zone.
const LAST: i64 = 253_402_214_400;

/// C's years are 32 bits wide.
const MOST_SECONDS: u64 = 67_767_976_000_000_000;

const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Local {
    /// C's `strftime` in the C locale, and `%q` for fractions of a second.
    fn write(&self, format: &[u8], out: &mut Vec<u8>) {
        let mut at = 0;
        while let Some(&byte) = format.get(at) {
            at += 1;
            if byte != b'%' {
                out.push(byte);
                continue;
            }
            let start = at;
            let mut padding = None;
            let mut width = None;
            while let Some(&flag @ (b'_' | b'-' | b'0' | b'^' | b'#')) = format.get(at) {
                padding = Some(flag);
                at += 1;
            }
            while let Some(digit) = format.get(at).filter(|byte| byte.is_ascii_digit()) {
                width = Some((width.unwrap_or(0) * 10 + usize::from(digit - b'0')).min(255));
                at += 1;
            }
            if let Some(b'E' | b'O') = format.get(at)
                && format.get(at + 1).is_some()
            {
                at += 1;
            }
            let Some(&letter) = format.get(at) else {
                out.push(b'%');
                out.extend_from_slice(&format[start..]);
                break;
            };
            at += 1;
            let before = out.len();
            if letter == b'q' {
                self.fraction(width.unwrap_or(3), out);
            } else if !self.conversion(letter, padding, width, out) {
                out.truncate(before);
                out.push(b'%');
                out.extend_from_slice(&format[start..at]);
            }
            if padding == Some(b'^') {
                out[before..].make_ascii_uppercase();
            }
            if out.len() > crate::substitute::MOST_OUT {
                break;
            }
        }
    }

    fn fraction(&self, digits: usize, out: &mut Vec<u8>) {
        let text = format!("{:06}", self.micros);
        out.extend_from_slice(&text.as_bytes()[..digits.clamp(1, 6)]);
    }

    fn conversion(
        &self,
        letter: u8,
        padding: Option<u8>,
        width: Option<usize>,
        out: &mut Vec<u8>,
    ) -> bool {
        let time = &self.time;
        let number = |value: i64, default_width: usize, default_fill: char, out: &mut Vec<u8>| {
            let fill = match padding {
                Some(b'_') => ' ',
                Some(b'0') => '0',
                _ => default_fill,
            };
            let width = if padding == Some(b'-') { 0 } else { width.unwrap_or(default_width) };
            let text =
                if fill == ' ' { format!("{value:width$}") } else { format!("{value:0width$}") };
            out.extend_from_slice(text.as_bytes());
        };
        let weekday = i64::from(time.weekday().to_sunday_zero_offset());
        let day_of_year = i64::from(time.day_of_year());
        let hour = i64::from(time.hour());
        let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
        let years = self.cycles * 400;
        let year = i64::from(time.year()) + years;
        match letter {
            b'a' => out.extend_from_slice(&DAYS[weekday as usize].as_bytes()[..3]),
            b'A' => out.extend_from_slice(DAYS[weekday as usize].as_bytes()),
            b'b' | b'h' => {
                out.extend_from_slice(&MONTHS[time.month() as usize - 1].as_bytes()[..3])
            }
            b'B' => out.extend_from_slice(MONTHS[time.month() as usize - 1].as_bytes()),
            b'c' => self.write(b"%a %b %e %H:%M:%S %Y", out),
            b'C' => number(year.div_euclid(100), 2, '0', out),
            b'd' => number(i64::from(time.day()), 2, '0', out),
            b'D' | b'x' => self.write(b"%m/%d/%y", out),
            b'e' => number(i64::from(time.day()), 2, ' ', out),
            b'F' => self.write(b"%Y-%m-%d", out),
            b'g' => {
                number(i64::from(time.date().iso_week_date().year()).rem_euclid(100), 2, '0', out)
            }
            b'G' => number(i64::from(time.date().iso_week_date().year()) + years, 0, '0', out),
            b'H' => number(hour, 2, '0', out),
            b'I' => number(twelve, 2, '0', out),
            b'j' => number(day_of_year, 3, '0', out),
            b'k' => number(hour, 2, ' ', out),
            b'l' => number(twelve, 2, ' ', out),
            b'm' => number(i64::from(time.month()), 2, '0', out),
            b'M' => number(i64::from(time.minute()), 2, '0', out),
            b'n' => out.push(b'\n'),
            b'p' => out.extend_from_slice(if hour < 12 { b"AM" } else { b"PM" }),
            b'P' => out.extend_from_slice(if hour < 12 { b"am" } else { b"pm" }),
            b'r' => self.write(b"%I:%M:%S %p", out),
            b'R' => self.write(b"%H:%M", out),
            b's' => number(time.timestamp().as_second() + self.cycles * CYCLE, 1, '0', out),
            b'S' => number(i64::from(time.second()), 2, '0', out),
            b't' => out.push(b'\t'),
            b'T' | b'X' => self.write(b"%H:%M:%S", out),
            b'u' => number(if weekday == 0 { 7 } else { weekday }, 1, '0', out),
            b'U' => number((day_of_year - 1 + 7 - weekday) / 7, 2, '0', out),
            b'V' => number(i64::from(time.date().iso_week_date().week()), 2, '0', out),
            b'w' => number(weekday, 1, '0', out),
            b'W' => number((day_of_year - 1 + 7 - (weekday + 6) % 7) / 7, 2, '0', out),
            b'y' => number(year.rem_euclid(100), 2, '0', out),
            b'Y' => number(year, 0, '0', out),
            b'z' => {
                let minutes = time.offset().seconds() / 60;
                let sign = if minutes < 0 { '-' } else { '+' };
                let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
                out.extend_from_slice(format!("{sign}{hours:02}{minutes:02}").as_bytes());
            }
            // The system's zone name whatever zone was asked for (recorded).
            b'Z' => out.extend_from_slice(self.system_name.as_bytes()),
            b'%' => out.push(b'%'),
            b'+' => self.write(b"%a %b %e %H:%M:%S %Z %Y", out),
            _ => return false,
        }
        true
    }
}

/// STRPTIME(text,zone,format).
pub(super) fn parse(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    const USAGE: &str = "requires STRPTIME(<datetime>,<timezone>,<format>)";
    let parts = split(arguments, 3);
    let [text, zone_name, format] = parts.as_slice() else { return wrong(USAGE) };
    if text.is_empty() || format.is_empty() {
        return wrong(USAGE);
    }
    let mut fields = Fields::default();
    if fields.read(text, format, 0).is_none() {
        return wrong("found no time specified within the string");
    }
    let zone = zone(scope, Some(zone_name));
    // The reference prints 32 bits.
    write_whole(i64::from(fields.seconds(&zone) as i32), out);
    Ok(())
}

/// What C's `strptime` fills in.
#[derive(Debug, Default, Clone, Copy)]
struct Fields {
    year: Option<i64>,
    century: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    is_afternoon: Option<bool>,
    epoch: Option<i64>,
}

impl Fields {
    /// What is left of the text; `None` when it does not fit the format.
    fn read<'t>(&mut self, mut text: &'t [u8], format: &[u8], depth: usize) -> Option<&'t [u8]> {
        let mut at = 0;
        while let Some(&byte) = format.get(at) {
            at += 1;
            if crate::arguments::is_space(byte) {
                text = skip_blanks(text);
                continue;
            }
            if byte != b'%' {
                text = text.strip_prefix(&[byte])?;
                continue;
            }
            while matches!(format.get(at), Some(b'_' | b'-' | b'0' | b'^' | b'#')) {
                at += 1;
            }
            if let Some(b'E' | b'O') = format.get(at) {
                at += 1;
            }
            let letter = *format.get(at)?;
            at += 1;
            text = self.conversion(text, letter, depth)?;
        }
        Some(text)
    }

    fn conversion<'t>(&mut self, text: &'t [u8], letter: u8, depth: usize) -> Option<&'t [u8]> {
        let number = |low: i64, high: i64, digits: usize| -> Option<(i64, &'t [u8])> {
            let text = skip_blanks(text);
            let count = text.iter().take(digits).take_while(|byte| byte.is_ascii_digit()).count();
            if count == 0 {
                return None;
            }
            let value =
                text[..count].iter().fold(0i64, |value, byte| value * 10 + i64::from(byte - b'0'));
            (low..=high).contains(&value).then_some((value, &text[count..]))
        };
        let named = |names: &[&str]| -> Option<(i64, &'t [u8])> {
            let text = skip_blanks(text);
            names.iter().enumerate().find_map(|(index, name)| {
                [name.len(), name.len().min(3)].into_iter().find_map(|length| {
                    let head = text.get(..length)?;
                    head.eq_ignore_ascii_case(&name.as_bytes()[..length])
                        .then_some((index as i64, &text[length..]))
                })
            })
        };
        let whole = |fields: &mut Self, format: &[u8]| {
            if depth > 2 { None } else { fields.read(text, format, depth + 1) }
        };
        let mut rest = text;
        let mut take = |found: Option<(i64, &'t [u8])>| {
            let (value, left) = found?;
            rest = left;
            Some(value)
        };
        match letter {
            b'Y' => self.year = Some(take(number(0, 9999, 4))?),
            b'y' => {
                let value = take(number(0, 99, 2))?;
                self.year = Some(if value < 69 { 2000 + value } else { 1900 + value });
            }
            b'C' => self.century = Some(take(number(0, 99, 2))?),
            b'm' => self.month = Some(take(number(1, 12, 2))? - 1),
            b'b' | b'B' | b'h' => self.month = Some(take(named(&MONTHS))?),
            b'd' | b'e' => self.day = Some(take(number(1, 31, 2))?),
            b'j' => self.day_of_year = Some(take(number(1, 366, 3))? - 1),
            b'a' | b'A' => {
                take(named(&DAYS))?;
            }
            b'H' | b'k' => {
                self.hour = take(number(0, 23, 2))?;
                self.is_afternoon = None;
            }
            b'I' | b'l' => {
                self.hour = take(number(1, 12, 2))? % 12;
                self.is_afternoon.get_or_insert(false);
            }
            b'M' => self.minute = take(number(0, 59, 2))?,
            b'S' => self.second = take(number(0, 61, 2))?,
            b'p' | b'P' => {
                self.is_afternoon = Some(
                    take(named(&["AM ", "PM "].map(|name| &name[..2])).or_else(|| {
                        let text = skip_blanks(text);
                        let head = text.get(..2)?.to_ascii_lowercase();
                        match head.as_slice() {
                            b"am" => Some((0, &text[2..])),
                            b"pm" => Some((1, &text[2..])),
                            _ => None,
                        }
                    }))? == 1,
                )
            }
            b's' => self.epoch = Some(take(number(0, i64::MAX / 16, 18))?),
            b'u' => {
                take(number(1, 7, 1))?;
            }
            b'w' => {
                take(number(0, 6, 1))?;
            }
            b'U' | b'W' | b'V' => {
                take(number(0, 53, 2))?;
            }
            b'g' => {
                take(number(0, 99, 2))?;
            }
            b'G' => {
                take(number(0, 9999, 4))?;
            }
            b'n' | b't' => return Some(skip_blanks(text)),
            b'Z' => return Some(text),
            b'z' => {
                let text = skip_blanks(text);
                let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
                let digits =
                    text[sign..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
                return (sign == 1 && digits >= 2).then(|| &text[sign + digits..]);
            }
            b'%' => return text.strip_prefix(b"%"),
            b'D' | b'x' => return whole(self, b"%m/%d/%y"),
            b'F' => return whole(self, b"%Y-%m-%d"),
            b'T' | b'X' => return whole(self, b"%H:%M:%S"),
            b'R' => return whole(self, b"%H:%M"),
            b'r' => return whole(self, b"%I:%M:%S %p"),
            b'c' => return whole(self, b"%a %b %e %H:%M:%S %Y"),
            _ => return None,
        }
        Some(rest)
    }

    /// Seconds since 1970; a time that the clock skips is 0, one that it shows twice is the first.
    fn seconds(&self, zone: &TimeZone) -> i64 {
        if let Some(epoch) = self.epoch {
            return epoch;
        }
        let hour = self.hour + if self.is_afternoon == Some(true) { 12 } else { 0 };
        let mut year = self.year.unwrap_or(1900);
        if let Some(century) = self.century {
            year = century * 100 + if self.year.is_some() { year % 100 } else { 0 };
        }
        let first_of_year = Date::new(year as i16, 1, 1).unwrap_or(Date::MIN);
        let date = match (self.month, self.day, self.day_of_year) {
            (None, _, Some(days)) | (_, None, Some(days)) => {
                first_of_year.checked_add(jiff::Span::new().days(days)).ok()
            }
            (month, day, _) => {
                let first = Date::new(year as i16, month.unwrap_or(0) as i8 + 1, 1).ok();
                first.and_then(|first| {
                    first.checked_add(jiff::Span::new().days(day.unwrap_or(0) - 1)).ok()
                })
            }
        };
        let Some(date) = date else { return 0 };
        let leap = (self.second - 59).max(0);
        let time = date.at(hour as i8, self.minute as i8, self.second.min(59) as i8, 0);
        let ambiguous = zone.to_ambiguous_timestamp(time);
        if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
            return 0;
        }
        ambiguous.earlier().map_or(0, |time| time.as_second() + leap)
    }
}

/// `Set(TESTTIME()=date time [zone])`, also with commas: what GotoIfTime takes for now.
pub(super) fn set_test_time(scope: &mut Scope<'_>, _: &[u8], value: &[u8]) -> Writing {
    let text = String::from_utf8_lossy(value).replace(',', " ");
    let mut parts = text.split_whitespace();
    let (date, time, zone_name) = (parts.next(), parts.next(), parts.next());
    let mut fields = Fields::default();
    let is_date = date.is_some_and(|date| fields.read(date.as_bytes(), b"%Y-%m-%d", 0).is_some());
    let is_time = time.is_none_or(|time| {
        fields.read(time.as_bytes(), b"%H:%M:%S", 0).is_some()
            || fields.read(time.as_bytes(), b"%H:%M", 0).is_some()
    });
    if !is_date || !is_time {
        return wrong("usage: TESTTIME()=YYYY-MM-DD HH:MM:SS [zone]");
    }
    let zone = zone(scope, zone_name.map(str::as_bytes));
    let seconds = fields.seconds(&zone);
    let mut text = Vec::new();
    write_whole(seconds, &mut text);
    scope.state.variables.set_inherited(b"TESTTIME", &text, Inheritance::Always);
    Ok(())
}
