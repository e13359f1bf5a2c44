//! Rules on their way into `numbering.conf`.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use diesis_dialplan::numbering::{Direction, NumberingPlan, RuleText, Settings, table};

use super::Trouble;
use crate::cli::numbering::Import;
use crate::replace::replace;

/// Takes the rules of a table, all or none.
pub(super) fn import(import: &Import, out: &mut impl Write) -> Result<ExitCode, Trouble> {
    let access = |error| Trouble::Access(import.file.clone(), error);
    let text = if import.file.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).map_err(access)?;
        text
    } else {
        fs::read_to_string(&import.file).map_err(access)?
    };
    let row = |(line, error): (usize, table::RowError)| {
        Trouble::Row(import.file.clone(), line, error.to_string())
    };
    let rows = table::import(&text).map_err(row)?;
    let lines: Vec<usize> = rows.iter().map(|row| row.line).collect();
    let rules: Vec<_> = rows.into_iter().map(|row| (row.direction, row.rule)).collect();
    let settings = match &import.directory {
        Some(directory) => match super::load(directory) {
            Ok(plan) => plan.settings().clone(),
            Err(Trouble::Missing(_)) => Settings::default(),
            Err(trouble) => return Err(trouble),
        },
        None => Settings::default(),
    };
    let (plan, errors) = NumberingPlan::new(settings, rules.clone());
    if let Some((place, error)) = errors.first() {
        let RuleText { priority, name, .. } = &rules[*place].1;
        let told = format!("rule {priority} \"{name}\": {error}");
        return Err(Trouble::Row(import.file.clone(), lines[*place], told));
    }
    let written = configuration(plan.settings(), &rules);
    let Some(directory) = &import.directory else {
        out.write_all(written.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    let path = directory.join("numbering.conf");
    replace(&path, &written).map_err(|error| Trouble::Access(path.clone(), error))?;
    writeln!(out, "{}: {} rules", path.display(), rules.len())?;
    Ok(ExitCode::SUCCESS)
}

/// The file with these settings and rules.
fn configuration(settings: &Settings, rules: &[(Direction, RuleText)]) -> String {
    let Settings { prefixes, add, remove, internal_length, reverse_length } = settings;
    let mut text = format!(
        "[general]\ninternational_prefix = {}\ncountry_prefix = {}\nexternal_prefix = {}\n\
         add = {add}\nremove = {remove}\ninternal_length = {internal_length}\n\
         reverse_length = {reverse_length}\n",
        prefixes.international, prefixes.country, prefixes.external
    );
    for (direction, section) in [(Direction::Out, "outgoing"), (Direction::In, "incoming")] {
        let _ = write!(text, "\n[{section}]\n");
        for (_, rule) in rules.iter().filter(|it| it.0 == direction) {
            let row = table::export([(direction, rule)]);
            let row = row.lines().nth(1).and_then(|row| row.split_once(','));
            let row = row.map_or("", |(_, row)| row);
            let _ = writeln!(text, "rule => {}", row.replace(';', "\\;"));
        }
    }
    text
}
