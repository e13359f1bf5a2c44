//! Whom a campaign calls: the list without those that stand in it twice, and those not to be called.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use diesis_dialplan::numbering::{Direction, NumberingPlan, dialled};
use diesis_engine::campaign::{List, ListError, ListProblem, Row, read_numbers};

use super::Trouble;
use crate::cli::campaign::{Numbering, Run};
use crate::numbering;

/// Everybody to be called.
#[derive(Debug, Default)]
pub(super) struct Callees {
    /// In the order of the list.
    pub(super) all: Vec<Callee>,
    /// Where each is, by the number that is called.
    pub(super) by_number: HashMap<String, usize>,
    /// Rows that are not called since their number stands above.
    pub(super) doubled: usize,
    /// Rows that are not called since somebody does not want that.
    pub(super) excluded: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Callee {
    /// As the list has it.
    pub(super) number: String,
    /// As it is called.
    pub(super) called: String,
    /// The row's other columns.
    pub(super) variables: Vec<(String, String)>,
}

impl Callees {
    pub(super) fn read(options: &Run) -> Result<Self, Trouble> {
        let plan = match options.numbering {
            Some(Numbering::Out) => {
                Some(numbering::load(&options.target.directory).map_err(Trouble::Numbering)?)
            }
            None => None,
        };
        let text = read(&options.list)?;
        let List { columns, rows } =
            List::parse(&text).map_err(|errors| Trouble::List(options.list.clone(), errors))?;
        let mut unwanted = HashSet::new();
        for path in &options.exclude {
            let rows = read_numbers(&read(path)?);
            let rows = rows.map_err(|errors| Trouble::List(path.clone(), errors))?;
            for row in rows {
                // As it is written and as it is called: neither is to be called.
                let called = called(&row, plan.as_ref());
                unwanted.extend(dialled(&row.number).into_iter().chain(called));
            }
        }
        let mut callees = Self::default();
        let mut errors: Vec<ListError> = vec![];
        for row in rows {
            let Some(called) = called(&row, plan.as_ref()) else {
                let problem = ListProblem::Number(row.number);
                errors.push(ListError { line: row.line, problem });
                continue;
            };
            let is_unwanted = |number: &str| unwanted.contains(number);
            if is_unwanted(&called) || dialled(&row.number).is_some_and(|it| is_unwanted(&it)) {
                callees.excluded += 1;
                continue;
            }
            if callees.by_number.contains_key(&called) {
                callees.doubled += 1;
                continue;
            }
            callees.by_number.insert(called.clone(), callees.all.len());
            let variables = columns.iter().cloned().zip(row.values).collect();
            callees.all.push(Callee { number: row.number, called, variables });
        }
        match errors.is_empty() {
            true => Ok(callees),
            false => Err(Trouble::List(options.list.clone(), errors)),
        }
    }
}

/// What is called for a row.
fn called(row: &Row, plan: Option<&NumberingPlan>) -> Option<String> {
    match plan {
        // The rules see what was written: some read parentheses.
        Some(plan) => dialled(&plan.apply(Direction::Out, &row.number).number),
        None => dialled(&row.number),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    let mut text = Vec::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().lock().take(LONGEST_LIST + 1).read_to_end(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(LONGEST_LIST + 1).read_to_end(&mut text))
    };
    read.map_err(|error| Trouble::File(path.to_owned(), error))?;
    if text.len() as u64 > LONGEST_LIST {
        let error = io::Error::new(io::ErrorKind::FileTooLarge, "larger than 256 MiB; split it");
        return Err(Trouble::File(path.to_owned(), error));
    }
    Ok(text)
}

/// A million rows of 256 octets.
const LONGEST_LIST: u64 = 256 << 20;
