//! `diesis check`: says what is wrong with a configuration before a caller finds out.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use diesis_dialplan::check::{Scope, check};
use diesis_dialplan::diagnostic::{Diagnostic, Severity, SourceMap};
use diesis_dialplan::plan::Plan;
use diesis_engine::config::{Configuration, DirectoryFiles, Finding, dialplan_checks};
use serde::Serialize;

use crate::cli::{Check, Format};

/// Examines what the command line names and prints what was found. The exit code is 0 when nothing
/// is wrong, 1 when something is, 2 when there is nothing to examine.
pub(crate) fn run(arguments: &Check) -> ExitCode {
    let out = io::BufWriter::new(io::stdout().lock());
    let mut report = Report::new(arguments.format, out);
    let examined = examine(&arguments.path, &mut |finding| report.add(finding));
    match examined.and_then(|seen| report.finish(&arguments.path, &seen)) {
        Ok(count) if count.is_bad(arguments.strict) => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        // Whoever reads through `head` has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("diesis: {} can't be checked: {error}", arguments.path.display());
            ExitCode::from(2)
        }
    }
}

/// What takes what was found.
type Say<'a> = &'a mut dyn FnMut(Finding<'_>) -> io::Result<()>;

/// What was looked at, so that silence means something.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// `None` for a dialplan file alone.
    endpoints: Option<usize>,
    contexts: usize,
    steps: usize,
}

impl Seen {
    fn new(plan: &Plan, endpoints: Option<usize>) -> Self {
        Self { endpoints, contexts: plan.contexts().len(), steps: plan.step_count() }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(endpoints) = self.endpoints {
            write!(f, "{}, ", counted((endpoints, "endpoint")))?;
        }
        let [contexts, steps] = [(self.contexts, "context"), (self.steps, "step")].map(counted);
        write!(f, "{contexts}, {steps}")
    }
}

pub(crate) fn counted((count, noun): (usize, &str)) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Hands everything there is to say about a directory or a dialplan file to `say`.
fn examine(path: &Path, say: Say<'_>) -> io::Result<Seen> {
    if std::fs::metadata(path)?.is_dir() {
        // A directory that can't be listed would look like an empty one.
        std::fs::read_dir(path)?;
        examine_directory(path, say)
    } else {
        // Tells in the system's words why it can't be read, if so.
        std::fs::File::open(path)?;
        examine_file(path, say)
    }
}

fn examine_directory(path: &Path, say: Say<'_>) -> io::Result<Seen> {
    let loaded = Configuration::load_directory(path);
    loaded.findings().try_for_each(&mut *say)?;

    let Configuration { sip, plan, .. } = &loaded.configuration;
    Ok(Seen::new(plan, Some(sip.peers.len())))
}

/// A dialplan file without the directory it belongs to: whatever it refers to elsewhere is unknown.
fn examine_file(path: &Path, say: Say<'_>) -> io::Result<Seen> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| io::Error::other("its name is not UTF-8"))?;
    let files = DirectoryFiles::new(path.parent().unwrap_or_else(|| Path::new("")));
    // A file that was printed without its header is still read, as one context of its own name.
    let stem = name.strip_suffix(".conf").unwrap_or(name);
    let options = dialplan_checks().with_scope(Scope::Part).with_implied_context(stem);
    let report = check(name, &files, &options);
    say_all(&report.diagnostics, report.sources(), say)?;
    Ok(Seen::new(&report.plan, None))
}

fn say_all(diagnostics: &[Diagnostic], sources: &SourceMap, say: Say<'_>) -> io::Result<()> {
    diagnostics.iter().try_for_each(|diagnostic| say(Finding { diagnostic, sources }))
}

/// How many findings of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Count {
    errors: usize,
    warnings: usize,
    notes: usize,
}

impl Count {
    fn add(&mut self, severity: Severity) {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Note => self.notes += 1,
        }
    }

    fn is_bad(&self, strict: bool) -> bool {
        self.errors > 0 || (strict && self.warnings > 0)
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> =
            [(self.errors, "error"), (self.warnings, "warning"), (self.notes, "note")]
                .into_iter()
                .filter(|(count, _)| *count > 0)
                .map(counted)
                .collect();
        if parts.is_empty() { f.write_str("nothing wrong") } else { f.write_str(&parts.join(", ")) }
    }
}

/// What was found, printed as it comes: for people line by line, for programs as one JSON object
/// (`findings`, then the counts).
struct Report<W> {
    format: Format,
    count: Count,
    out: W,
}

/// One finding for programs. The place is absent when it has none, such as a missing file.
#[derive(Serialize)]
struct Row<'a> {
    severity: &'a str,
    code: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    message: &'a str,
    help: Option<&'a str>,
}

impl<W: Write> Report<W> {
    fn new(format: Format, out: W) -> Self {
        Self { format, count: Count::default(), out }
    }

    fn add(&mut self, finding: Finding<'_>) -> io::Result<()> {
        let is_first = self.count == Count::default();
        self.count.add(finding.diagnostic.severity);
        match self.format {
            Format::Text => writeln!(self.out, "{finding}\n"),
            Format::Json => {
                let at = finding.diagnostic.locate(finding.sources);
                let row = Row {
                    severity: at.severity,
                    code: at.code,
                    file: at.file,
                    line: at.line,
                    column: at.column,
                    message: at.message,
                    help: at.help,
                };
                self.out.write_all(if is_first { b"{\"findings\":[\n" } else { b",\n" })?;
                serde_json::to_writer(&mut self.out, &row)?;
                Ok(())
            }
        }
    }

    fn finish(mut self, path: &Path, seen: &Seen) -> io::Result<Count> {
        match self.format {
            Format::Text => writeln!(self.out, "{}: {} ({seen})", path.display(), self.count)?,
            Format::Json => {
                let is_empty = self.count == Count::default();
                self.out.write_all(if is_empty { b"{\"findings\":[" } else { b"\n]" })?;
                if is_empty {
                    self.out.write_all(b"]")?;
                }
                let Count { errors, warnings, notes } = self.count;
                writeln!(
                    self.out,
                    ",\"errors\":{errors},\"warnings\":{warnings},\"notes\":{notes}}}"
                )?;
            }
        }
        self.out.flush()?;
        Ok(self.count)
    }
}

#[cfg(test)]
mod tests {
    use diesis_dialplan::conf::MemoryFiles;

    use super::*;

    fn report(format: Format, pjsip: &str) -> (String, Count) {
        let files = MemoryFiles::new().with("pjsip.conf", pjsip).with("extensions.conf", "[a]\n");
        let loaded = Configuration::load(&files);
        let mut text = vec![];
        let mut report = Report::new(format, &mut text);
        loaded.findings().try_for_each(|finding| report.add(finding)).unwrap();
        let count = report
            .finish(Path::new("DIR"), &Seen::new(&loaded.configuration.plan, Some(0)))
            .unwrap();
        (String::from_utf8(text).unwrap(), count)
    }

    const WRONG: &str = "[udp]\ntype=transport\nbind=0.0.0.0:5060\n\
                         [1]\ntype=aor\nmax_contact=1\nmax_contacts=x\n";

    #[test]
    fn people_see_the_line_and_a_caret() {
        let (text, count) = report(Format::Text, WRONG);
        assert!(
            text.contains(
                "pjsip.conf:6:1: warning[C002]: aor has no setting `max_contact`\n    \
             6 | max_contact=1\n      | ^^^^^^^^^^^\n   = help: did you mean `max_contacts`?"
            ),
            "{text}"
        );
        assert!(
            text.ends_with("DIR: 1 error, 1 warning (0 endpoints, 1 context, 0 steps)\n"),
            "{text}"
        );
        assert!(count.is_bad(false));
    }

    #[test]
    fn programs_get_one_object() {
        let (text, _) = report(Format::Json, WRONG);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["errors"], &value["warnings"]), (&1.into(), &1.into()));
        let row = &value["findings"][1];
        assert_eq!(row["severity"], "error");
        assert_eq!(
            (&row["file"], &row["line"], &row["column"]),
            (&"pjsip.conf".into(), &7.into(), &14.into())
        );
    }

    #[test]
    fn nothing_wrong_is_said_too() {
        let fine = "[udp]\ntype=transport\nbind=0.0.0.0:5060\n";
        assert_eq!(
            report(Format::Text, fine),
            ("DIR: nothing wrong (0 endpoints, 1 context, 0 steps)\n".to_owned(), Count::default())
        );
        let (text, _) = report(Format::Json, fine);
        assert_eq!(text, "{\"findings\":[],\"errors\":0,\"warnings\":0,\"notes\":0}\n");
    }

    #[test]
    fn warnings_fail_only_when_asked() {
        let count = Count { warnings: 1, ..Count::default() };
        assert!(!count.is_bad(false));
        assert!(count.is_bad(true));
        assert!(!Count { notes: 5, ..Count::default() }.is_bad(true));
    }

    #[test]
    fn a_path_that_is_not_there_is_an_error() {
        let error = examine(Path::new("/nowhere/at/all"), &mut |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
