//! The list of whom to call: comma-separated values, a row a number.

use std::{collections::HashSet, fmt};

use diesis_dialplan::csv::{self, Unclosed};
use diesis_dialplan::numbering::dialled;

/// Whom to call, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// The names of the columns beside the number: those of channel variables.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The number of its line, from 1.
    pub line: usize,
    /// The number as it is written.
    pub number: String,
    /// What stands in the other columns, as many as there are names.
    pub values: Vec<String>,
}

impl List {
    /// Reads a list. Its first line names the columns, one of them `number`, in any order; a list
    /// that begins with a number has that column alone. Between columns is a comma, or a semicolon
    /// where the first line has semicolons and no comma. Empty lines and those that begin with `#`
    /// are passed over.
    ///
    /// # Errors
    /// Everything that is wrong, up to twenty lines of it.
    pub fn parse(text: &[u8]) -> Result<Self, Vec<ListError>> {
        let mut lines = lines(text);
        let mut errors = vec![];
        let Some((at, first)) = lines.next() else {
            return Err(vec![ListError { line: 1, problem: ListProblem::Empty }]);
        };
        let Ok(first) = str::from_utf8(first) else {
            return Err(vec![ListError { line: at, problem: ListProblem::NoText }]);
        };
        let separator = if first.contains(';') && !first.contains(',') { ';' } else { ',' };
        let heads = match csv::fields(first, separator) {
            Ok(heads) => heads,
            Err(error) => return Err(vec![ListError { line: at, problem: error.into() }]),
        };
        let mut list = Self::default();
        let place = match heads.iter().position(|head| head.eq_ignore_ascii_case(NUMBER)) {
            Some(place) => {
                list.columns = heads;
                list.columns.remove(place);
                check_columns(&list.columns)
                    .map_err(|problem| vec![ListError { line: at, problem }])?;
                place
            }
            None if heads.len() == 1 && dialled(&heads[0]).is_some() => {
                list.rows.push(Row { line: at, number: heads[0].clone(), values: vec![] });
                0
            }
            None => return Err(vec![ListError { line: at, problem: ListProblem::NoNumbers }]),
        };
        for (line, text) in lines {
            if list.rows.len() >= MOST_ROWS {
                errors.push(ListError { line, problem: ListProblem::TooLong });
                break;
            }
            match row(line, text, separator, (place, list.columns.len())) {
                Ok(row) => list.rows.push(row),
                Err(problem) if errors.len() < MOST_ERRORS => {
                    errors.push(ListError { line, problem });
                }
                Err(_) => break,
            }
        }
        if list.rows.is_empty() && errors.is_empty() {
            errors.push(ListError { line: at, problem: ListProblem::Empty });
        }
        if errors.is_empty() { Ok(list) } else { Err(errors) }
    }
}

/// The numbers of a list that is read for them alone, such as those not to be called.
///
/// # Errors
/// As [`List::parse`]; a list without any number is none.
pub fn read_numbers(text: &[u8]) -> Result<Vec<Row>, Vec<ListError>> {
    match List::parse(text) {
        Ok(list) => Ok(list.rows),
        Err(errors) => match errors.as_slice() {
            [ListError { problem: ListProblem::Empty, .. }] => Ok(vec![]),
            _ => Err(errors),
        },
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    (1..).zip(lines).filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
}

fn row(
    line: usize,
    text: &[u8],
    separator: char,
    (place, columns): (usize, usize),
) -> Result<Row, ListProblem> {
    let text = str::from_utf8(text).map_err(|_| ListProblem::NoText)?;
    if text.len() > LONGEST_LINE {
        return Err(ListProblem::LongLine);
    }
    let mut values = csv::fields(text, separator)?;
    if values.len() != columns + 1 {
        return Err(ListProblem::Fields { found: values.len(), expected: columns + 1 });
    }
    let number = values.remove(place);
    if let Some(control) = values.iter().find(|value| value.contains(char::is_control)) {
        return Err(ListProblem::Control(control.escape_debug().to_string()));
    }
    if dialled(&number).is_none() {
        return Err(ListProblem::Number(number));
    }
    Ok(Row { line, number, values })
}

fn check_columns(columns: &[String]) -> Result<(), ListProblem> {
    if columns.len() > MOST_COLUMNS {
        return Err(ListProblem::ManyColumns);
    }
    let mut seen = HashSet::new();
    for name in columns {
        let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.is_empty() || !is_word || name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(ListProblem::Column(name.clone()));
        }
        if name.eq_ignore_ascii_case(NUMBER) || !seen.insert(name) {
            return Err(ListProblem::Twice(name.clone()));
        }
    }
    Ok(())
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: ListProblem,
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.problem)
    }
}

/// What can be wrong with a list, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListProblem {
    /// There is nothing in it.
    #[error("there is no number; write one a line, below a line that says `number`")]
    Empty,
    /// Octets that are no UTF-8.
    #[error("this is no UTF-8; save the list as UTF-8")]
    NoText,
    /// The first line names no column of numbers.
    #[error("no column is called `number`; name the columns in the first line: number,name,...")]
    NoNumbers,
    /// A column that can not be a variable.
    #[error("{0:?} can be no variable: letters, digits and _, and no digit first")]
    Column(String),
    /// Two columns of one name.
    #[error("column {0:?} is there twice; name it differently or take it out")]
    Twice(String),
    /// More columns than can be.
    #[error("more than {MOST_COLUMNS} columns; take out those that no call needs")]
    ManyColumns,
    /// More or fewer fields than columns.
    #[error("{found} fields where the first line names {expected}; quote what holds a separator")]
    Fields {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A quote without its end.
    #[error("{0}; a quote inside quotes is written twice")]
    Quote(#[from] Unclosed),
    /// What can not be dialled.
    #[error("{0:?} is no number: digits with + * #, or a name of letters and digits")]
    Number(String),
    /// A control character in a value.
    #[error("{0:?} holds a control character; take it out")]
    Control(String),
    /// A line that is longer than any.
    #[error("longer than {LONGEST_LINE} octets; is a quote not closed, or is this no list?")]
    LongLine,
    /// More rows than can be.
    #[error("more than {MOST_ROWS} numbers; split the list")]
    TooLong,
}

/// The column of numbers.
const NUMBER: &str = "number";
/// Rows of a list.
const MOST_ROWS: usize = 1_000_000;
/// Lines that are told of.
const MOST_ERRORS: usize = 20;
const MOST_COLUMNS: usize = 64;
/// Whatever is escaped of it, it fits into a request of the control socket.
const LONGEST_LINE: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(usize, String)> {
        let errors = List::parse(text.as_bytes()).expect_err(text);
        errors.into_iter().map(|error| (error.line, error.problem.to_string())).collect()
    }

    #[test]
    fn columns_stand_in_any_order_and_become_variables() {
        let text =
            "\u{feff}# customers\nNAME,number,_DUE\n\n\"Doe, Jane\",+33 1 23,3\r\n#x\nBob,200,\n";
        let list = List::parse(text.as_bytes()).expect("a list");
        assert_eq!(list.columns, ["NAME", "_DUE"]);
        assert_eq!(list.rows[0].values, ["Doe, Jane", "3"]);
        assert_eq!((list.rows[0].line, &*list.rows[0].number), (4, "+33 1 23"));
        assert_eq!((list.rows[1].line, &*list.rows[1].number), (6, "200"));
        assert_eq!(list.rows[1].values, ["Bob", ""]);
    }

    #[test]
    fn bare_numbers_and_semicolons_are_lists_too() {
        let list = List::parse(b"100\n# not 101\n102").expect("a list");
        assert_eq!(list.rows.iter().map(|row| &*row.number).collect::<Vec<_>>(), ["100", "102"]);
        let list = List::parse(b"number;NAME\n100;a,b\n").expect("a list");
        assert_eq!(list.rows[0].values, ["a,b"]);
        assert_eq!(read_numbers(b"# nobody yet\n"), Ok(vec![]));
    }

    #[test]
    fn everything_wrong_is_told_with_its_line_and_what_helps() {
        let found = problems("number,NAME\n100,a\nabc def,b\n101\n102,\"x\n");
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4, 5]);
        assert!(found[0].1.starts_with("\"abc def\" is no number: digits"), "{found:?}");
        assert!(found[1].1.starts_with("1 fields where the first line names 2"), "{found:?}");
        assert!(found[2].1.starts_with("a quote is not closed"), "{found:?}");
        assert!(problems("name,phone\na,1\n")[0].1.contains("no column is called `number`"));
        assert!(problems("number,my name\n1,a\n")[0].1.contains("can be no variable"));
        assert!(problems("number,A,A\n1,a,a\n")[0].1.contains("twice"));
        assert!(problems("number\n")[0].1.contains("there is no number"));
        assert!(problems("")[0].1.contains("there is no number"));
        assert_eq!(
            List::parse(b"number,N\n1,\xe9\n").expect_err("Latin-1")[0].problem,
            ListProblem::NoText
        );
        assert_eq!(problems(&("number\n".to_owned() + &"?\n".repeat(1000))).len(), MOST_ERRORS);
    }
}
