//! Asterisk's configuration file layer, shared by all `.conf` files.
//!
//! Reads a file with everything it includes into sections of named values, each with its place
//! (main/config.c: config_text_file_load, process_text_line). What a value means is left to the
//! reader of each file. The crate reads no disk: files come through a [`FileSource`].
//!
//! ```
//! use diesis_dialplan::conf::{self, MemoryFiles, Options};
//!
//! let files = MemoryFiles::new().with("rtp.conf", "[general]\nrtpstart = 10000 ; the first\n");
//! let conf = conf::load("rtp.conf", &files, &Options::default());
//! let general = conf.section("general").expect("it is there");
//! for entry in general.entries() {
//!     println!("{}: {} is {}", entry.line(), entry.name(), entry.value());
//! }
//! assert_eq!(general.get("RTPStart"), Some("10000".into()));
//! ```

mod filter;
mod line;
mod load;
mod source;

use std::ops::Range;

use bstr::{BStr, BString, ByteSlice};

pub use load::load;
pub use source::{FileSource, MemoryFiles};

use crate::diagnostic::{Diagnostic, Severity, SourceMap, Span};

/// How to read.
#[derive(Clone, Debug)]
pub struct Options {
    recovery: Recovery,
    include_depth: usize,
    total_bytes: usize,
    files: usize,
    entries: usize,
}

/// What to do after an error for which Asterisk refuses the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// As Asterisk does: the file is refused as a whole, and has no sections at all.
    Refuse,
    /// Go on as well as possible, so that all damage is found in one run. Lines before the first
    /// section go into one of this name. [`Conf::is_refused`] still tells the truth.
    Continue {
        /// The name of the section for lines before the first.
        implied_section: BString,
    },
}

impl Default for Options {
    fn default() -> Self {
        Self {
            recovery: Recovery::Refuse,
            include_depth: 10,
            total_bytes: 256 << 20,
            files: 10_000,
            entries: 8_000_000,
        }
    }
}

impl Options {
    /// What to do after an error for which Asterisk refuses the file. Default:
    /// [`Recovery::Refuse`], since calls must not run on half a configuration.
    pub fn with_recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// How many files deep includes may nest, the first file not counted. Default 10, as Asterisk.
    pub fn with_include_depth(mut self, depth: usize) -> Self {
        self.include_depth = depth;
        self
    }

    /// How many bytes may be read, files included several times counted each time. Default
    /// 256 MiB: ten times the largest generated dialplans known.
    pub fn with_total_bytes(mut self, bytes: usize) -> Self {
        self.total_bytes = bytes;
        self
    }

    /// How many times a file may be included. Default 10,000.
    pub fn with_files(mut self, files: usize) -> Self {
        self.files = files;
        self
    }

    /// How many entries there may be, those from templates counted each time: templates of
    /// templates can double at every step. Default 8 million.
    pub fn with_entries(mut self, entries: usize) -> Self {
        self.entries = entries;
        self
    }
}

/// A configuration file with all its includes, as sections of entries.
#[derive(Clone, Debug, Default)]
pub struct Conf {
    sources: SourceMap,
    sections: Vec<SectionData>,
    diagnostics: Vec<Diagnostic>,
    refused: bool,
}

#[derive(Clone, Debug)]
struct SectionData {
    name: BString,
    /// The header; `None` if there was none and the section was implied.
    header: Option<Span>,
    template: bool,
    /// Read behind an error for which Asterisk reads no further: it is not there for Asterisk.
    recovered: bool,
    entries: Vec<EntryData>,
}

#[derive(Clone, Debug)]
struct EntryData {
    name: Text,
    value: Text,
    marks: Marks,
}

/// What is known of an entry besides its text.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    arrow: bool,
    inherited: bool,
    broken: bool,
}

/// A stretch of a file, or text put together from several.
#[derive(Clone, Debug)]
struct Text {
    span: Span,
    spliced: Option<Box<Spliced>>,
}

#[derive(Clone, Debug)]
struct Spliced {
    bytes: BString,
    /// Where each byte was in the file of the span.
    origins: Vec<u32>,
}

impl Conf {
    /// The sections in order of their headers, templates left out. Two headers with the same name
    /// are two sections.
    pub fn sections(&self) -> impl DoubleEndedIterator<Item = Section<'_>> {
        self.all_sections().filter(|section| !section.is_template())
    }

    /// The sections and the templates in order of their headers.
    pub fn all_sections(&self) -> impl DoubleEndedIterator<Item = Section<'_>> {
        self.sections.iter().map(|data| Section { conf: self, data })
    }

    /// The first section of a name, in any letter case.
    pub fn section(&self, name: impl AsRef<[u8]>) -> Option<Section<'_>> {
        let name = name.as_ref();
        self.sections().find(|section| section.name().eq_ignore_ascii_case(name))
    }

    /// Whether Asterisk would refuse the file as a whole. Then there are no sections, except with
    /// [`Recovery::Continue`].
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    /// What is wrong, in order of reading.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Whether anything is wrong that is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The files, to print diagnostics with.
    pub fn sources(&self) -> &SourceMap {
        &self.sources
    }

    /// Takes it apart into the diagnostics and the files they speak of.
    pub fn into_diagnostics(self) -> (Vec<Diagnostic>, SourceMap) {
        (self.diagnostics, self.sources)
    }

    fn text<'a>(&'a self, text: &'a Text) -> &'a BStr {
        match &text.spliced {
            Some(spliced) => spliced.bytes.as_bstr(),
            None => self.sources.text(text.span),
        }
    }
}

/// A section: its name, and the entries below its header.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    conf: &'a Conf,
    data: &'a SectionData,
}

impl<'a> Section<'a> {
    /// The name between the brackets, blanks included.
    pub fn name(&self) -> &'a BStr {
        self.data.name.as_bstr()
    }

    /// Where the name is; `None` for a section that [`Recovery::Continue`] made up.
    pub fn header(&self) -> Option<Span> {
        self.data.header
    }

    /// Whether it is only a template for others: `[name](!)`.
    pub fn is_template(&self) -> bool {
        self.data.template
    }

    /// The entries in order, those of templates first.
    pub fn entries(
        &self,
    ) -> impl DoubleEndedIterator<Item = Entry<'a>> + ExactSizeIterator + use<'a> {
        let conf = self.conf;
        self.data.entries.iter().map(move |data| Entry { conf, data })
    }

    /// The value of the first entry of a name, in any letter case.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&'a BStr> {
        self.entry(name).map(|entry| entry.value())
    }

    /// The first entry of a name, in any letter case.
    pub fn entry(&self, name: impl AsRef<[u8]>) -> Option<Entry<'a>> {
        let name = name.as_ref();
        self.entries().find(|entry| entry.is(name))
    }

    /// The last entry of a name, in any letter case: settings where a later line overrides.
    pub fn last_entry(&self, name: impl AsRef<[u8]>) -> Option<Entry<'a>> {
        let name = name.as_ref();
        self.entries().rfind(|entry| entry.is(name))
    }
}

/// A line `name = value` or `name => value`.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    conf: &'a Conf,
    data: &'a EntryData,
}

impl<'a> Entry<'a> {
    /// The name, without surrounding blanks, never empty.
    pub fn name(&self) -> &'a BStr {
        self.conf.text(&self.data.name)
    }

    /// Whether this is its name, in any letter case.
    pub fn is(&self, name: impl AsRef<[u8]>) -> bool {
        self.name().eq_ignore_ascii_case(name.as_ref())
    }

    /// The value, without surrounding blanks and comments.
    pub fn value(&self) -> &'a BStr {
        self.conf.text(&self.data.value)
    }

    /// Where the name is.
    pub fn name_span(&self) -> Span {
        self.data.name.span
    }

    /// Where the value is.
    pub fn value_span(&self) -> Span {
        self.data.value.span
    }

    /// Where some bytes of the value are. For an empty range, a place of no length.
    pub fn part_span(&self, range: Range<usize>) -> Span {
        let Span { file, start, .. } = self.data.value.span;
        let Some(spliced) = &self.data.value.spliced else {
            return Span { file, start: start + range.start as u32, end: start + range.end as u32 };
        };
        let after = spliced.origins.last().map_or(start, |last| last + 1);
        let first = spliced.origins.get(range.start).copied().unwrap_or(after);
        let end = match range.end.checked_sub(1).and_then(|last| spliced.origins.get(last)) {
            Some(&last) if range.end > range.start => last + 1,
            _ => first,
        };
        Span { file, start: first, end: end.max(first) }
    }

    /// Where the whole entry is, from the name to the end of the value.
    pub fn span(&self) -> Span {
        self.data.name.span.to(self.data.value.span)
    }

    /// The line it is in, counted from 1.
    pub fn line(&self) -> u32 {
        let span = self.data.name.span;
        self.conf.sources.line(span.file, span.start)
    }

    /// Whether it was written with `=>`. Only a few files care.
    pub fn has_arrow(&self) -> bool {
        self.data.marks.arrow
    }

    /// Whether it came from a template.
    pub fn is_inherited(&self) -> bool {
        self.data.marks.inherited
    }

    /// Whether the next line seems to be its rest, by a line break in the middle of parentheses.
    /// That has been reported already.
    pub fn is_broken(&self) -> bool {
        self.data.marks.broken
    }
}

/// Whether a setting says yes, as Asterisk reads it: `yes`, `true`, `y`, `t`, `1` or `on`, in any
/// letter case. Everything else, also nonsense, does not.
pub fn is_true(value: impl AsRef<[u8]>) -> bool {
    let words: [&[u8]; 6] = [b"yes", b"true", b"y", b"t", b"1", b"on"];
    words.iter().any(|word| value.as_ref().eq_ignore_ascii_case(word))
}

/// Whether a setting says no: `no`, `false`, `n`, `f`, `0` or `off`, in any letter case.
pub fn is_false(value: impl AsRef<[u8]>) -> bool {
    let words: [&[u8]; 6] = [b"no", b"false", b"n", b"f", b"0", b"off"];
    words.iter().any(|word| value.as_ref().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
