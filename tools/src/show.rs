//! `diesis show`: tables of a running engine, aligned for people or as JSON.

use std::io::{self, Write};
use std::process::ExitCode;

use diesis_dialplan::csv::quoted;
use diesis_engine::net::control::protocol::{Reply, Table};
use serde_json::{Map, Value};

use crate::cli::{
    conference::Confbridge,
    operate::{Database, Show, TableFormat},
    videoshare::VideoShare,
};

/// Asks for a table and prints it.
pub(crate) fn run(show: &Show) -> ExitCode {
    crate::control::ask(&show.target, show.command(), |reply| match (reply, show.columns()) {
        (Reply::Table(table), Some(columns)) if show.format() == TableFormat::Table => {
            write_aligned(&narrowed(&table, columns), &mut io::stdout().lock())
        }
        (Reply::Table(table), _) => write(&table, show.format(), &mut io::stdout().lock()),
        (reply, _) => crate::control::print(reply),
    })
}

/// Shows or changes the dialplan's database.
pub(crate) fn database(database: &Database) -> ExitCode {
    crate::control::ask(&database.target, database.command(), |reply| match reply {
        Reply::Table(table) => write(&table, database.format, &mut io::stdout().lock()),
        reply => crate::control::print(reply),
    })
}

/// Shows conference rooms, or does something to one.
pub(crate) fn conference(conference: &Confbridge) -> ExitCode {
    crate::control::ask(&conference.target, conference.command(), |reply| match reply {
        Reply::Table(table) => write(&table, conference.format, &mut io::stdout().lock()),
        reply => crate::control::print(reply),
    })
}

/// Shows conferences with a master, or does something to one.
pub(crate) fn meeting(meeting: &VideoShare) -> ExitCode {
    crate::control::ask(&meeting.target, meeting.command(), |reply| match reply {
        Reply::Table(table) => write(&table, meeting.format(), &mut io::stdout().lock()),
        reply => crate::control::print(reply),
    })
}

/// A table with these columns alone.
fn narrowed(table: &Table, columns: &[&str]) -> Table {
    let places: Vec<usize> = columns
        .iter()
        .filter_map(|wanted| table.columns.iter().position(|column| column == wanted))
        .collect();
    let row = |row: &Vec<Value>| places.iter().filter_map(|&at| row.get(at).cloned()).collect();
    Table {
        columns: columns.iter().map(ToString::to_string).collect(),
        rows: table.rows.iter().map(row).collect(),
    }
}

/// Writes a table the way it was asked for.
pub(crate) fn write(table: &Table, format: TableFormat, out: &mut impl Write) -> io::Result<()> {
    match format {
        TableFormat::Table => write_aligned(table, out),
        TableFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &objects(table))?;
            writeln!(out)
        }
        TableFormat::Csv => write_csv(table, out),
    }
}

/// One object a row; where nothing is, null.
fn objects(table: &Table) -> Vec<Map<String, Value>> {
    let object =
        |row: &Vec<Value>| table.columns.iter().cloned().zip(row.iter().cloned()).collect();
    table.rows.iter().map(object).collect()
}

fn write_aligned(table: &Table, out: &mut impl Write) -> io::Result<()> {
    let heads = table.columns.iter().map(|name| name.replace('_', " ")).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heads)
        .chain(table.rows.iter().map(|row| row.iter().map(plain).collect()))
        .collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> =
        (0..table.columns.len()).map(|column| width(column).unwrap_or_default()).collect();
    let is_number: Vec<bool> = (0..table.columns.len())
        .map(|column| {
            let mut cells = table.rows.iter().filter_map(|row| row.get(column)).peekable();
            cells.peek().is_some() && cells.all(|cell| cell.is_number() || cell.is_null())
        })
        .collect();
    for row in &rows {
        let mut line = String::new();
        for ((cell, width), is_number) in row.iter().zip(&widths).zip(&is_number) {
            let gap = width - cell.chars().count();
            let (before, after) = if *is_number { (gap, 0) } else { (0, gap) };
            line.extend(std::iter::repeat_n(' ', before));
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', after + 2));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    if table.rows.is_empty() {
        writeln!(out, "(none)")?;
    }
    Ok(())
}

/// A cell as people read it.
fn plain(cell: &Value) -> String {
    match cell {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// As RFC 4180: quoted where there is need to.
fn write_csv(table: &Table, out: &mut impl Write) -> io::Result<()> {
    let heads = table.columns.iter().map(|name| Value::String(name.clone())).collect();
    for row in std::iter::once(&heads).chain(&table.rows) {
        let cells: Vec<String> = row.iter().map(csv).collect();
        write!(out, "{}\r\n", cells.join(","))?;
    }
    Ok(())
}

fn csv(cell: &Value) -> String {
    let text = if cell.is_null() { String::new() } else { plain(cell) };
    quoted(&text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["aor", "expires", "user_agent"]);
        table.push(vec![json!("1001"), json!(7), json!("A \"phone\", new")]);
        table.push(vec![json!("2"), json!(3600), Value::Null]);
        table
    }

    fn written(format: TableFormat) -> String {
        let mut out = vec![];
        write(&table(), format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned_and_numbers_to_the_right() {
        let expected = "aor   expires  user agent\n\
                        1001        7  A \"phone\", new\n\
                        2        3600  -\n";
        assert_eq!(written(TableFormat::Table), expected);
    }

    #[test]
    fn json_has_an_object_for_each_row() {
        let rows: Vec<Map<String, Value>> =
            serde_json::from_str(&written(TableFormat::Json)).unwrap();
        assert_eq!(rows[1]["expires"], json!(3600));
        assert_eq!(rows[1]["user_agent"], Value::Null);
    }

    #[test]
    fn csv_is_quoted_where_there_is_need_to() {
        let expected = "aor,expires,user_agent\r\n1001,7,\"A \"\"phone\"\", new\"\r\n2,3600,\r\n";
        assert_eq!(written(TableFormat::Csv), expected);
    }
}
