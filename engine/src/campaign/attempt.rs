//! One call of a campaign as a row of comma-separated values, and what is read of it when a campaign
//! is taken up again.

use diesis_dialplan::{csv, numbering::Dialled};
use jiff::{Timestamp, tz::TimeZone};

use super::Outcome;

/// A call that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The number as the list has it.
    pub number: String,
    /// The number that was called.
    pub called: Dialled,
    /// Which call of this number it was, from 1.
    pub attempt: u32,
    /// When the call was begun.
    pub started: Timestamp,
    /// When it was answered.
    pub answered: Option<Timestamp>,
    /// When it was over.
    pub ended: Timestamp,
    /// Milliseconds from the answer to the end.
    pub talked: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it ended, in the numbers of Q.850; 0: nobody knows.
    pub cause: u8,
    /// The same in words.
    pub reason: String,
    /// `AMDSTATUS`.
    pub amd: String,
    /// `AMDCAUSE`.
    pub amd_cause: String,
    /// The keys that were pressed.
    pub keys: String,
    /// When the number is called again.
    pub again: Option<Timestamp>,
    /// The variables that are kept, as many as there are columns for them.
    pub kept: Vec<String>,
}

/// The names of an attempt's columns, those of kept variables last.
pub fn columns(kept: &[String]) -> String {
    let all = COLUMNS.iter().copied().chain(kept.iter().map(String::as_str));
    line(all)
}

impl Attempt {
    /// The row, with its end. Times are those of `zone`; control characters are escaped, so that a
    /// row is one line.
    pub fn write(&self, zone: &TimeZone) -> String {
        let date = |at: Timestamp| written(at, zone);
        let fields = [
            self.number.clone(),
            self.called.clone(),
            self.attempt.to_string(),
            date(self.started),
            self.answered.map(date).unwrap_or_default(),
            date(self.ended),
            format!("{}.{}", self.talked / 1000, self.talked % 1000 / 100),
            self.outcome.name().to_owned(),
            self.cause.to_string(),
            self.reason.clone(),
            self.amd.clone(),
            self.amd_cause.clone(),
            self.keys.clone(),
            self.again.map(date).unwrap_or_default(),
        ];
        line(fields.iter().chain(&self.kept).map(String::as_str))
    }
}

/// What a row of the results tells of a call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The number that was called.
    pub called: Dialled,
    /// Which call of this number.
    pub attempt: u32,
    /// When it was begun.
    pub started: Timestamp,
}

impl Begun {
    /// A line that is written before the call is made.
    pub fn write(&self, zone: &TimeZone) -> String {
        line([&*self.called, &*self.attempt.to_string(), &*written(self.started, zone)])
    }

    /// A line that is written behind that one when the call was not made after all.
    pub fn write_undone(&self) -> String {
        line([&*self.called, &*self.attempt.to_string(), UNDONE])
    }
}

/// A call that was made, as far as it decides whom to call yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Who was called, and when.
    pub begun: Begun,
    /// What came of it.
    pub outcome: Outcome,
    /// When it was over.
    pub ended: Timestamp,
}

/// The results as far as they decide whom to call yet: who was called when, what came of it, and
/// when it was over. A last line without its end was being written when its writer ended: it does
/// not count, and is where the next row begins.
///
/// # Errors
/// The first line that is no result.
pub fn read_attempts(text: &[u8], kept: &[String]) -> Result<(Vec<Made>, usize), AttemptError> {
    let whole = whole(text);
    let mut lines = numbered(whole);
    let heads = columns(kept);
    match lines.next() {
        None => return Ok((vec![], 0)),
        Some((_, first)) if first == heads.trim_end().as_bytes() => {}
        Some((line, _)) => return Err(AttemptError { line, problem: AttemptProblem::Columns }),
    }
    let row = |(line, text)| {
        let wrong = |problem| AttemptError { line, problem };
        let fields = fields(text).map_err(wrong)?;
        let [_, called, attempt, started, _, ended, _, outcome, ..] = fields.as_slice() else {
            return Err(wrong(AttemptProblem::Fields));
        };
        let begun = begun([called, attempt, started]).map_err(wrong)?;
        let outcome = outcome.parse().map_err(|_| wrong(AttemptProblem::Fields))?;
        let ended = ended.parse().map_err(|_| wrong(AttemptProblem::Fields))?;
        Ok(Made { begun, outcome, ended })
    };
    Ok((lines.map(row).collect::<Result<_, _>>()?, whole.len()))
}

/// The calls that were begun, as [`Begun::write`] and [`Begun::write_undone`] noted them.
///
/// # Errors
/// The first line that is none.
pub fn read_begun(text: &[u8]) -> Result<Vec<Begun>, AttemptError> {
    let mut all: Vec<Begun> = vec![];
    for (line, text) in numbered(whole(text)) {
        let wrong = |problem| AttemptError { line, problem };
        let fields = fields(text).map_err(wrong)?;
        match fields.as_slice() {
            // It was the last, or one of the last few, of those that were begun.
            [called, attempt, undone] if undone == UNDONE => {
                let is_it = |begun: &Begun| {
                    begun.called == *called && begun.attempt.to_string() == *attempt
                };
                if let Some(at) = all.iter().rposition(is_it) {
                    all.remove(at);
                }
            }
            [called, attempt, started] => {
                all.push(begun([called, attempt, started]).map_err(wrong)?);
            }
            _ => return Err(wrong(AttemptProblem::Fields)),
        }
    }
    Ok(all)
}

fn begun([called, attempt, started]: [&String; 3]) -> Result<Begun, AttemptProblem> {
    let attempt = attempt.parse().map_err(|_| AttemptProblem::Fields)?;
    let started = started.parse().map_err(|_| AttemptProblem::Fields)?;
    Ok(Begun { called: called.clone(), attempt, started })
}

fn fields(text: &[u8]) -> Result<Vec<String>, AttemptProblem> {
    let text = str::from_utf8(text).map_err(|_| AttemptProblem::Fields)?;
    csv::fields(text, ',').map_err(|_| AttemptProblem::Fields)
}

/// Up to the last end of a line.
fn whole(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    &text[..end]
}

fn numbered(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    (1..).zip(lines).filter(|(_, line)| !line.is_empty())
}

fn line<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let escaped = |field: &str| {
        let escape = |c: char| match c.is_control() {
            true => c.escape_default().to_string(),
            false => c.to_string(),
        };
        field.chars().map(escape).collect::<String>()
    };
    csv::line(fields.into_iter().map(escaped))
}

fn written(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime(DATE).to_string()
}

/// A line that is no result of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {problem}")]
pub struct AttemptError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: AttemptProblem,
}

/// What can be wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptProblem {
    /// The first line names other columns.
    #[error("these are not the results of a campaign that keeps these variables")]
    Columns,
    /// The fields are not those of a result.
    #[error("this is no result of a call")]
    Fields,
}

/// In the place of a time: the call was not made.
const UNDONE: &str = "undone";

const COLUMNS: [&str; 14] = [
    "number",
    "called",
    "attempt",
    "started",
    "answered",
    "ended",
    "seconds",
    "outcome",
    "cause",
    "reason",
    "amd",
    "amd_cause",
    "keys",
    "again",
];

/// RFC 3339 to the thousandth, so that it is read back.
const DATE: &str = "%Y-%m-%dT%H:%M:%S%.3f%:z";

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt() -> Attempt {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        Attempt {
            number: "+33 1".into(),
            called: "0331".into(),
            attempt: 2,
            started: at("2026-11-22T08:00:00Z"),
            answered: Some(at("2026-11-22T08:00:05.25Z")),
            ended: at("2026-11-22T08:00:17.5Z"),
            talked: 12_250,
            outcome: Outcome::Human,
            cause: 16,
            reason: "Normal call clearing".into(),
            amd: "HUMAN".into(),
            amd_cause: "HUMAN-800-800".into(),
            keys: "1#".into(),
            again: None,
            kept: vec!["a,\"b\"\nc".into()],
        }
    }

    #[test]
    fn a_row_is_one_line_and_is_read_back() {
        let kept = ["NOTE".to_owned()];
        let zone = TimeZone::get("Europe/Paris").expect("a zone");
        let row = attempt().write(&zone);
        assert_eq!(
            row,
            "+33 1,0331,2,2026-11-22T09:00:00.000+01:00,2026-11-22T09:00:05.250+01:00,\
             2026-11-22T09:00:17.500+01:00,12.2,human,16,Normal call clearing,HUMAN,HUMAN-800-800,\
             1#,,\"a,\"\"b\"\"\\nc\"\n"
        );
        let text = columns(&kept) + &row + &row[..20];
        let (read, whole) = read_attempts(text.as_bytes(), &kept).expect("results");
        let [Made { begun, outcome, ended }] = &read[..] else { panic!("{read:?}") };
        assert_eq!((&*begun.called, begun.attempt, *outcome), ("0331", 2, Outcome::Human));
        assert_eq!((begun.started, *ended), (attempt().started, attempt().ended));
        assert_eq!(whole, text.len() - 20, "what is not whole is written again");
        let noted = begun.write(&zone);
        assert_eq!(read_begun((noted.clone() + "0331,3").as_bytes()), Ok(vec![begun.clone()]));
        assert_eq!(read_begun((noted + &begun.write_undone()).as_bytes()), Ok(vec![]));
    }

    #[test]
    fn other_files_are_no_results() {
        let other = read_attempts(b"number,name\n1,a\n", &[]).expect_err("a list");
        assert_eq!((other.line, other.problem), (1, AttemptProblem::Columns));
        let heads = columns(&[]);
        let error = read_attempts((heads + "1,2,3\n").as_bytes(), &[]).expect_err("no row");
        assert_eq!((error.line, error.problem), (2, AttemptProblem::Fields));
        assert_eq!(read_attempts(b"", &[]), Ok((vec![], 0)));
    }
}
