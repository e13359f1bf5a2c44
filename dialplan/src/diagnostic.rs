//! What configuration text did wrong, where, and what to do about it.
//!
//! A [`Diagnostic`] names a place by a [`Span`] of byte offsets; the [`SourceMap`] that read the
//! files turns it into file, line and column. Printed, it looks like this:
//!
//! ```text
//! extensions.conf:31:18: error[D012]: a line without `=` is ignored
//!    31 | invalid-choice is now played)
//!       | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
//!    = help: join it to line 30
//! ```

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

use bstr::{BStr, ByteSlice};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something is not loaded, or will fail when a call comes to it.
    Error,
    /// It loads and runs, but probably not as meant.
    Warning,
    /// Worth knowing; nothing needs to change.
    Note,
}

impl Severity {
    /// The word printed before the code: `error`, `warning` or `note`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stable name for a kind of diagnostic, such as `D012`: it never changes its meaning, so that
/// scripts and suppressions may rely on it. [`crate::codes`] lists those of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

impl Code {
    /// Names a kind of diagnostic. Each room has its own letter; the dialplan's is `D`.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Which file of a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A stretch of one file, in byte offsets: `start` inclusive, `end` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// The smallest stretch that holds both; `self` if the other is in another file.
    pub fn to(self, other: Self) -> Self {
        if self.file != other.file {
            return self;
        }
        Self { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A place that helps to understand a diagnostic: the earlier definition, the other half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// The place.
    pub span: Span,
    /// What is there, such as `first defined here`.
    pub message: String,
}

/// One thing that is wrong, or suspicious, in configuration text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its kind.
    pub code: Code,
    /// Where, if it is a place (a missing file is not).
    pub span: Option<Span>,
    /// What is wrong: one sentence, lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Other places that matter.
    pub related: Vec<Related>,
}

impl Diagnostic {
    /// Makes a diagnostic without a place.
    pub fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Self { severity, code, span: None, message: message.into(), help: None, related: vec![] }
    }

    /// Makes an error at a place.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message).at(span)
    }

    /// Makes a warning at a place.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message).at(span)
    }

    /// Makes a note at a place.
    pub fn note(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message).at(span)
    }

    /// Puts it at a place.
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// Adds what to do about it.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place.
    pub fn with_related(mut self, span: Span, message: impl Into<String>) -> Self {
        self.related.push(Related { span, message: message.into() });
        self
    }

    /// Resolves the place to file, line and column, as plain values for a machine to read.
    pub fn locate<'a>(&'a self, sources: &'a SourceMap) -> Located<'a> {
        let place = self.span.map(|span| sources.place(span));
        Located {
            severity: self.severity.as_str(),
            code: self.code.as_str(),
            file: place.map(|place| place.file),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            message: &self.message,
            help: self.help.as_deref(),
        }
    }

    /// Prints it for people, with the line and a caret. Control bytes of the text are masked, and
    /// only a window of a long line is shown.
    pub fn render<'a>(&'a self, sources: &'a SourceMap) -> impl fmt::Display + 'a {
        Rendered { diagnostic: self, sources }
    }
}

/// A diagnostic with its place resolved, field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located<'a> {
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// Such as `D012`.
    pub code: &'static str,
    /// The file's name as it was asked for.
    pub file: Option<&'a str>,
    /// Line, counted from 1.
    pub line: Option<u32>,
    /// Column in characters, counted from 1.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: &'a str,
    /// What to do about it.
    pub help: Option<&'a str>,
}

/// Where a [`Span`] begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The file's name as it was asked for.
    pub file: &'a str,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The files that were read, kept to show lines of.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<Source>,
}

#[derive(Clone, Debug)]
struct Source {
    name: String,
    bytes: Arc<[u8]>,
    /// Offset of the first byte of every line.
    lines: Vec<u32>,
}

impl SourceMap {
    /// Makes an empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a file in. Bytes past 4 GiB cannot be named by a span: they are cut off.
    pub fn add(&mut self, name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> FileId {
        let mut bytes: Arc<[u8]> = bytes.into();
        if u32::try_from(bytes.len()).is_err() {
            bytes = Arc::from(&bytes[..u32::MAX as usize]);
        }
        let breaks = memchr::memchr_iter(b'\n', &bytes).map(|at| at as u32 + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        self.files.push(Source { name: name.into(), bytes, lines });
        FileId(self.files.len() as u32 - 1)
    }

    /// The file's name as it was asked for.
    pub fn name(&self, file: FileId) -> &str {
        self.source(file).map_or("", |source| &source.name)
    }

    /// The file's contents.
    pub fn bytes(&self, file: FileId) -> &BStr {
        self.source(file).map_or(&b""[..], |source| &source.bytes).as_bstr()
    }

    /// The contents of a file, to hold on to without copying.
    pub fn shared(&self, file: FileId) -> Option<Arc<[u8]>> {
        self.source(file).map(|source| Arc::clone(&source.bytes))
    }

    /// The text of a span; empty if it does not lie in the file.
    pub fn text(&self, span: Span) -> &BStr {
        self.bytes(span.file)
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
            .as_bstr()
    }

    /// The files read, in order.
    pub fn files(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..self.files.len() as u32).map(FileId)
    }

    /// The line a byte is in, counted from 1.
    pub fn line(&self, file: FileId, offset: u32) -> u32 {
        self.source(file)
            .map_or(1, |source| source.lines.partition_point(|&start| start <= offset) as u32)
    }

    /// File, line and column of the start of a span.
    pub fn place(&self, span: Span) -> Place<'_> {
        let line = self.line(span.file, span.start);
        let start = self.line_start(span.file, line);
        let before = Span { file: span.file, start, end: span.start.max(start) };
        let column = self.text(before).chars().count() as u32 + 1;
        Place { file: self.name(span.file), line, column }
    }

    /// The span of a whole line, without its line end.
    pub fn line_span(&self, file: FileId, line: u32) -> Span {
        let bytes = self.bytes(file);
        let start = self.line_start(file, line);
        let rest = &bytes[(start as usize).min(bytes.len())..];
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let text = &rest[..length];
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Span { file, start, end: start + text.len() as u32 }
    }

    fn line_start(&self, file: FileId, line: u32) -> u32 {
        let index = line.saturating_sub(1) as usize;
        self.source(file).and_then(|source| source.lines.get(index)).copied().unwrap_or(0)
    }

    fn source(&self, file: FileId) -> Option<&Source> {
        self.files.get(file.0 as usize)
    }
}

/// As much of a long line as is shown, in characters.
const WINDOW: usize = 110;

struct Rendered<'a> {
    diagnostic: &'a Diagnostic,
    sources: &'a SourceMap,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { diagnostic, sources } = self;
        if let Some(span) = diagnostic.span {
            write!(f, "{}: ", sources.place(span))?;
        }
        let message = Printable(&diagnostic.message);
        write!(f, "{}[{}]: {message}", diagnostic.severity, diagnostic.code)?;
        if let Some(span) = diagnostic.span {
            excerpt(f, sources, span)?;
        }
        for related in &diagnostic.related {
            let place = sources.place(related.span);
            let message = Printable(&related.message);
            write!(f, "\n   = {}:{}: {message}", place.file, place.line)?;
            excerpt(f, sources, related.span)?;
        }
        if let Some(help) = &diagnostic.help {
            write!(f, "\n   = help: {}", Printable(help))?;
        }
        Ok(())
    }
}

fn excerpt(f: &mut fmt::Formatter<'_>, sources: &SourceMap, span: Span) -> fmt::Result {
    let place = sources.place(span);
    let line = sources.line_span(span.file, place.line);
    let end = span.end.clamp(span.start, line.end.max(span.start));
    let marked = sources.text(Span { end, ..span }).chars().count().max(1);
    let from = place.column as usize - 1;
    let text: Vec<char> = sources.text(line).chars().map(printable).collect();

    let first = if from + marked <= WINDOW { 0 } else { from.saturating_sub(WINDOW / 4) };
    let shown = &text[first.min(text.len())..(first + WINDOW).min(text.len())];
    let left = if first > 0 { "..." } else { "" };
    let right = if first + WINDOW < text.len() { "..." } else { "" };
    let shown: String = shown.iter().collect();
    let shown = format!("{left}{shown}{right}");
    let indent = " ".repeat(left.len() + from - first);
    let carets = "^".repeat(marked.min(WINDOW));
    write!(f, "\n{:5} | {}\n      | {indent}{carets}", place.line, shown.trim_end())
}

/// Messages quote the file too.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().map(printable).try_for_each(|character| f.write_char(character))
    }
}

/// Text of a file must not reach a terminal as commands.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        character if character.is_control() => '\u{fffd}',
        character => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span_of(sources: &SourceMap, file: FileId, needle: &str) -> Span {
        let start = sources.bytes(file).find(needle).expect("needle is in the file") as u32;
        Span { file, start, end: start + needle.len() as u32 }
    }

    #[test]
    fn a_diagnostic_prints_place_line_and_caret() {
        let mut sources = SourceMap::new();
        let file = sources.add("extensions.conf", &b"[a]\nexten = 1,1,Answr()\n"[..]);
        let diagnostic = Diagnostic::error(
            Code::new("D900"),
            span_of(&sources, file, "Answr"),
            "there is no application `Answr`",
        )
        .with_help("did you mean `Answer`?");
        assert_eq!(
            diagnostic.render(&sources).to_string(),
            "extensions.conf:2:13: error[D900]: there is no application `Answr`\n    \
             2 | exten = 1,1,Answr()\n      |             ^^^^^\n   = help: did you mean `Answer`?"
        );
    }

    #[test]
    fn columns_count_characters() {
        let mut sources = SourceMap::new();
        let file = sources.add("f", "é=ü,x\n".as_bytes());
        assert_eq!(sources.place(span_of(&sources, file, "x")).column, 5);
    }

    #[test]
    fn control_bytes_of_a_file_do_not_reach_the_terminal() {
        let mut sources = SourceMap::new();
        let file = sources.add("f", &b"\x1b[31mred\x07\xff"[..]);
        let span = span_of(&sources, file, "red");
        let diagnostic = Diagnostic::warning(Code::new("D900"), span, "no `\x1b]0;red\x07`")
            .with_related(span, "\x1b[0m")
            .with_help("\x1b[1m");
        assert!(!diagnostic.render(&sources).to_string().contains(['\x1b', '\x07']));
    }

    #[test]
    fn only_a_window_of_a_long_line_is_shown() {
        let mut sources = SourceMap::new();
        let text = format!("{}needle{}", "a".repeat(4000), "b".repeat(4000));
        let file = sources.add("f", text.as_bytes());
        let diagnostic =
            Diagnostic::warning(Code::new("D900"), span_of(&sources, file, "needle"), "x");
        let shown = diagnostic.render(&sources).to_string();
        assert!(shown.len() < 400, "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines[1].find("needle").expect("the needle is shown");
        assert_eq!(lines[2].find('^'), Some(at));
    }

    #[test]
    fn a_span_outside_the_file_is_harmless() {
        let mut sources = SourceMap::new();
        let file = sources.add("f", &b"ab"[..]);
        let span = Span { file, start: 7, end: 3 };
        assert_eq!(sources.text(span), "");
        let _ = Diagnostic::note(Code::new("D900"), span, "x").render(&sources).to_string();
    }
}
