//! From lines to sections: headers, templates, directives, entries.

use std::{collections::HashMap, sync::Arc};

use bstr::{BStr, BString, ByteSlice};

use super::{
    Conf, EntryData, FileSource, Marks, Options, Recovery, SectionData, Spliced, Text,
    filter::Filter,
    line::{Line, Lines, trim},
    source,
};
use crate::{
    codes,
    diagnostic::{Diagnostic, FileId, Severity, Span},
};

/// Reads a file with everything it includes. Never fails: what is wrong is in
/// [`Conf::diagnostics`], and [`Conf::is_refused`] tells whether Asterisk would load it.
pub fn load(name: &str, files: &dyn FileSource, options: &Options) -> Conf {
    let mut loader = Loader {
        files,
        options,
        conf: Conf::default(),
        current: None,
        known: HashMap::new(),
        bytes_left: options.total_bytes,
        files_left: options.files,
        entries_left: options.entries,
        depth: 0,
        recovering: None,
        stopped: false,
    };
    match loader.include(name, 1, None) {
        Included::Whole => {}
        Included::CutShort => loader.conf.refused = true,
        Included::Missing | Included::TooDeep => {
            loader.conf.refused = true;
            let message = format!("cannot read `{name}`");
            let missing = Diagnostic::new(Severity::Error, codes::FILE_UNREADABLE, message);
            loader.conf.diagnostics.push(missing);
        }
    }
    if loader.conf.refused && options.recovery == Recovery::Refuse {
        loader.conf.sections.clear();
    }
    loader.conf
}

struct Loader<'a> {
    files: &'a dyn FileSource,
    options: &'a Options,
    conf: Conf,
    /// The section begun last in any file: an included file begins in it.
    current: Option<usize>,
    known: HashMap<String, FileId>,
    bytes_left: usize,
    files_left: usize,
    entries_left: usize,
    /// How many files are being read, and how many were cut short: Asterisk forgets to take those
    /// off again.
    depth: usize,
    /// Behind an error for which Asterisk reads no further: `depth` at that error.
    recovering: Option<usize>,
    /// A limit was reached: nothing more is read.
    stopped: bool,
}

enum Included {
    Whole,
    /// An error ended the file early.
    CutShort,
    Missing,
    TooDeep,
}

/// The file must not be read further.
struct Refused;

/// Where a line is read.
struct Place {
    /// How many files deep, from 1.
    level: usize,
    /// The section its entries go to.
    section: Option<usize>,
    /// The entry just before, if nothing but blank lines is between.
    previous: Option<(usize, usize)>,
    /// In an included file: the section of the including file, until a header comes.
    outer: Option<Option<usize>>,
}

impl Loader<'_> {
    fn include(&mut self, name: &str, level: usize, outer: Option<Option<usize>>) -> Included {
        if self.depth > self.options.include_depth {
            return Included::TooDeep;
        }
        self.depth += 1;
        let mut outcome = Included::Missing;
        for name in source::expand(name, self.files) {
            let Some((file, bytes)) = self.read(&name) else { continue };
            if !self.reserve(&name, bytes.len()) {
                return Included::CutShort;
            }
            let place = Place { level, section: self.current, previous: None, outer };
            if self.read_lines(file, &bytes, place).is_err() {
                return Included::CutShort;
            }
            outcome = Included::Whole;
        }
        self.depth -= 1;
        outcome
    }

    fn read(&mut self, name: &str) -> Option<(FileId, Arc<[u8]>)> {
        let file = match self.known.get(name) {
            Some(&file) => file,
            None => {
                let bytes = self.files.read(name).ok()?;
                let file = self.conf.sources.add(name, bytes);
                self.known.insert(name.to_owned(), file);
                file
            }
        };
        Some((file, self.conf.sources.shared(file)?))
    }

    /// Counts a file against the limits.
    fn reserve(&mut self, name: &str, bytes: usize) -> bool {
        if self.files_left == 0 {
            self.stop(codes::TOO_MANY_FILES, format!("`{name}` is one file too many to include"));
        } else if bytes > self.bytes_left {
            self.stop(codes::TOO_MUCH_TEXT, format!("`{name}` makes more text than allowed"));
        } else {
            self.files_left -= 1;
            self.bytes_left -= bytes;
        }
        !self.stopped
    }

    fn stop(&mut self, code: crate::diagnostic::Code, message: String) {
        if !self.stopped {
            self.conf.diagnostics.push(Diagnostic::new(Severity::Error, code, message));
        }
        self.stopped = true;
        self.conf.refused = true;
    }

    fn read_lines(&mut self, file: FileId, bytes: &[u8], mut place: Place) -> Result<(), Refused> {
        let outside = self.recovering;
        let outcome = self.read_each_line(file, bytes, &mut place);
        // What was read behind an error must not decide what becomes of other files.
        if outside.is_none()
            && let Some(depth) = self.recovering.take()
        {
            self.depth = depth;
        }
        outcome
    }

    fn read_each_line(
        &mut self,
        file: FileId,
        bytes: &[u8],
        place: &mut Place,
    ) -> Result<(), Refused> {
        let mut lines = Lines::new(file, bytes);
        let mut refused = Ok(());
        while let Some(line) = lines.next(&mut self.conf.diagnostics) {
            let outcome = match line.bytes[0] {
                b'[' => self.header(&line, place),
                b'#' => self.directive(&line, place),
                _ => self.entry(&line, place),
            };
            if outcome.is_err() {
                refused = Err(Refused);
                if self.stopped || self.options.recovery == Recovery::Refuse {
                    return refused;
                }
            }
        }
        lines.finish(&mut self.conf.diagnostics);
        refused
    }

    /// Reports an error for which Asterisk stops reading this file.
    fn refuse(&mut self, place: &Place, diagnostic: Diagnostic) -> Refused {
        let consequence = match place.level {
            1 => "Asterisk refuses the whole file for this",
            _ => "Asterisk skips the rest of this included file",
        };
        let help = match &diagnostic.help {
            Some(help) => format!("{help} ({consequence})"),
            None => consequence.to_owned(),
        };
        self.conf.diagnostics.push(diagnostic.with_help(help));
        self.recovering.get_or_insert(self.depth);
        Refused
    }

    /// `[name]`, `[name](!)`, `[name](+)`, `[name](a,b)`.
    fn header(&mut self, line: &Line<'_>, place: &mut Place) -> Result<(), Refused> {
        place.previous = None;
        place.outer = None;
        let text = &line.bytes;
        let close = memchr::memchr(b']', text);
        let name = &text[1..close.unwrap_or(text.len())];
        let section = SectionData {
            name: trim_if(close.is_none(), name).into(),
            header: Some(line.span(1, 1 + name.len())),
            template: false,
            recovered: false,
            entries: vec![],
        };
        let Some(close) = close else {
            let error = Diagnostic::error(
                codes::HEADER_UNCLOSED,
                line.whole(),
                "this section header has no closing `]`",
            );
            let refused = self.refuse(place, error.with_help("write `[name]`"));
            return Err(self.recover(section, refused, place));
        };
        let rest = &text[close + 1..];
        self.carriage_return(line, close + 1);
        let Some(options) = rest.strip_prefix(b"(") else {
            self.append(section, place);
            return Ok(());
        };
        let first = close + 2;
        let Some(end) = memchr::memchr(b')', options) else {
            let span = line.span(close + 1, text.len());
            let message = "the options of this section have no closing `)`";
            let error = Diagnostic::error(codes::OPTIONS_UNCLOSED, span, message);
            let refused = self.refuse(place, error);
            return Err(self.recover(section, refused, place));
        };
        self.header_options(section, &options[..end], line, first, place)
    }

    fn header_options(
        &mut self,
        section: SectionData,
        options: &[u8],
        line: &Line<'_>,
        first: usize,
        place: &mut Place,
    ) -> Result<(), Refused> {
        let mut outcome = Ok(());
        // Not in the list until all options are read: it cannot be its own template.
        let mut pending = Some(section);
        let mut added_to: Option<usize> = None;
        let mut at = first;
        for option in options.split(|&byte| byte == b',') {
            let span = line.span(at, at + option.len());
            at += option.len() + 1;
            if option == b"!" {
                match (&mut pending, added_to) {
                    (Some(section), _) => section.template = true,
                    (None, Some(index)) => self.conf.sections[index].template = true,
                    (None, None) => {}
                }
            } else if let Some(filter) = option.strip_prefix(b"+") {
                let Some(section) = &pending else { continue };
                let filter = Filter::parse(filter).map_err(BString::from);
                match self.find(section.name.as_bstr(), filter, span) {
                    Some(index) => {
                        outcome = outcome.and_then(|()| self.known_to_asterisk(index));
                        let existing = &mut self.conf.sections[index];
                        existing.template |= section.template;
                        let section = pending.take();
                        existing.entries.extend(section.into_iter().flat_map(|new| new.entries));
                        added_to = Some(index);
                    }
                    None => {
                        let message = format!("there is no section `{}` to add to", section.name);
                        let error = Diagnostic::error(codes::ADDED_TO_NOTHING, span, message)
                            .with_help("write `[name]` without `(+)`, or put it after the first");
                        outcome = Err(self.refuse(place, error));
                    }
                }
            } else if let Some(base) =
                self.find(option.as_bstr(), Ok(Filter::templates_too()), span)
            {
                outcome = outcome.and_then(|()| self.known_to_asterisk(base));
                let inherited = self.inherited(base)?;
                match (&mut pending, added_to) {
                    (Some(section), _) => section.entries.extend(inherited),
                    (None, Some(index)) => self.conf.sections[index].entries.extend(inherited),
                    (None, None) => {}
                }
            } else {
                let message =
                    format!("there is no section `{}` above to inherit from", option.as_bstr());
                let error = Diagnostic::error(codes::TEMPLATE_UNKNOWN, span, message)
                    .with_help("templates must stand before their use, and blanks count");
                outcome = Err(self.refuse(place, error));
            }
            if outcome.is_err() && self.options.recovery == Recovery::Refuse {
                return outcome;
            }
        }
        match (pending, added_to) {
            (Some(section), _) => self.append(section, place),
            (None, index) => {
                place.section = index;
                self.current = index;
            }
        }
        outcome
    }

    /// Keeps a section whose header Asterisk does not understand, when reading goes on.
    fn recover(&mut self, section: SectionData, refused: Refused, place: &mut Place) -> Refused {
        if self.options.recovery != Recovery::Refuse {
            self.append(section, place);
        }
        refused
    }

    fn append(&mut self, mut section: SectionData, place: &mut Place) {
        if let Some(header) = section.header.filter(|_| section.name.len() > NAME_LIMIT) {
            let message = format!("this name is cut to {NAME_LIMIT} bytes");
            self.report(Diagnostic::warning(codes::SECTION_NAME_TOO_LONG, header, message));
            section.name.truncate(NAME_LIMIT);
        }
        section.recovered = self.recovering.is_some();
        self.conf.sections.push(section);
        self.current = Some(self.conf.sections.len() - 1);
        place.section = self.current;
    }

    /// The first section of a name, in any letter case, that fits the filter. The empty name is
    /// any name. One that Asterisk would not have read is only found where there is no other.
    fn find(&mut self, name: &BStr, filter: Result<Filter, BString>, span: Span) -> Option<usize> {
        let filter = match filter {
            Ok(filter) => filter,
            Err(part) => {
                let message = format!("`{part}` is no regular expression");
                let error = Diagnostic::error(codes::FILTER_INVALID, span, message);
                self.conf.diagnostics.push(error);
                return None;
            }
        };
        let fits = |section: &SectionData| {
            (name.is_empty() || section.name.eq_ignore_ascii_case(name))
                && filter.fits(&self.conf, section)
        };
        let sections = &self.conf.sections;
        let read = sections.iter().position(|section| !section.recovered && fits(section));
        read.or_else(|| sections.iter().position(fits))
    }

    /// Refers to a section that Asterisk would not have: an error there, though named already.
    fn known_to_asterisk(&mut self, section: usize) -> Result<(), Refused> {
        if !self.conf.sections[section].recovered {
            return Ok(());
        }
        self.recovering.get_or_insert(self.depth);
        Err(Refused)
    }

    fn inherited(&mut self, base: usize) -> Result<Vec<EntryData>, Refused> {
        let mut entries = self.conf.sections[base].entries.clone();
        if !self.take_entries(entries.len()) {
            return Err(Refused);
        }
        entries.iter_mut().for_each(|entry| entry.marks.inherited = true);
        Ok(entries)
    }

    fn take_entries(&mut self, count: usize) -> bool {
        match self.entries_left.checked_sub(count) {
            Some(left) => self.entries_left = left,
            None => self.stop(codes::TOO_MUCH_TEXT, "more entries than allowed".to_owned()),
        }
        !self.stopped
    }

    /// `#include`, `#tryinclude`, `#exec`. The name ends at the first blank.
    fn directive(&mut self, line: &Line<'_>, place: &mut Place) -> Result<(), Refused> {
        place.previous = None;
        let text = &line.bytes;
        let word_end = text.iter().position(|&byte| byte <= b' ').unwrap_or(text.len());
        let word = text[1..word_end].to_ascii_lowercase();
        let word_span = line.span(0, word_end);
        if !matches!(&word[..], b"include" | b"tryinclude" | b"exec") {
            let message = format!("`#{}` is no directive: this line is ignored", word.as_bstr());
            let help = "comments begin with `;`";
            self.report(
                Diagnostic::error(codes::DIRECTIVE_UNKNOWN, word_span, message).with_help(help),
            );
            return Ok(());
        }
        let argument = trim(&text[word_end..]);
        let at = text.len() - argument.len();
        let argument_span = line.span(at, text.len());
        if word == b"exec" && !argument.is_empty() {
            return self.execute(argument, argument_span, place);
        }
        if argument.is_empty() {
            let message = format!("`#{}` needs a name: this line is ignored", word.as_bstr());
            self.report(Diagnostic::error(codes::DIRECTIVE_EMPTY, word_span, message));
            return Ok(());
        }
        let name = unquote(argument);
        let outcome = match name.to_str() {
            Ok(name) => self.include(name, place.level + 1, Some(place.section)),
            Err(_) => Included::Missing,
        };
        if self.stopped {
            return Err(Refused);
        }
        let error = match outcome {
            Included::Whole | Included::CutShort => return Ok(()),
            Included::TooDeep => {
                let limit = self.options.include_depth;
                let message = format!("files include each other more than {limit} deep");
                Diagnostic::error(codes::INCLUDE_TOO_DEEP, argument_span, message)
                    .with_help("does a file include itself?")
            }
            Included::Missing if word == b"tryinclude" => return Ok(()),
            Included::Missing => {
                let message = format!("there is no file `{}` to include", name.as_bstr());
                Diagnostic::error(codes::INCLUDE_MISSING, argument_span, message)
                    .with_help("write `#tryinclude` if it may be missing")
            }
        };
        if word == b"tryinclude" {
            self.report(error);
            return Ok(());
        }
        Err(self.refuse(place, error))
    }

    fn execute(&mut self, command: &[u8], span: Span, place: &Place) -> Result<(), Refused> {
        let output =
            command.to_str().ok().and_then(|command| self.files.execute(unquote_str(command)));
        match output {
            None => self.report(
                Diagnostic::error(
                    codes::EXEC_REFUSED,
                    span,
                    "`#exec` is off: this line is ignored",
                )
                .with_help("write the output to a file and `#include` it"),
            ),
            Some(Err(error)) => {
                let message = format!("this program did not run: {error}");
                self.report(Diagnostic::error(codes::EXEC_REFUSED, span, message));
            }
            Some(Ok(output)) => {
                let name = format!("#exec {}", command.as_bstr());
                if !self.reserve(&name, output.len()) {
                    return Err(Refused);
                }
                let file = self.conf.sources.add(name, output);
                let bytes = self.conf.sources.shared(file).unwrap_or_default();
                let inner = Place {
                    level: place.level + 1,
                    section: self.current,
                    previous: None,
                    outer: Some(place.section),
                };
                // What is wrong in it does not stop the file that asked for it.
                let _ = self.read_lines(file, &bytes, inner);
            }
        }
        if self.stopped { Err(Refused) } else { Ok(()) }
    }

    /// `name = value`, `name => value`, `name += value`.
    fn entry(&mut self, line: &Line<'_>, place: &mut Place) -> Result<(), Refused> {
        let previous = place.previous.take();
        let mut outcome = Ok(());
        if place.section.is_none() {
            outcome = Err(self.imply_section(line, place));
        }
        let Some(section) = place.section else { return outcome };
        self.goes_on_elsewhere(line, place, section);
        let text = &line.bytes;
        let escaped = usize::from(text[0] == b'\\');
        // Asterisk compares as a signed character: bytes from 0x80 on count as escaping nothing.
        if escaped == 1 && text.get(1).is_none_or(|&byte| byte <= b' ' || byte >= 0x80) {
            let message = "a backslash at the start of a line must come before a letter";
            let error = Diagnostic::error(codes::ESCAPE_OF_NOTHING, line.span(0, 1), message);
            return Err(self.refuse(place, error));
        }
        let from = (2 * escaped).min(text.len());
        let Some(equals) = memchr::memchr(b'=', &text[from..]).map(|at| from + at) else {
            self.no_equals(line, previous);
            return outcome;
        };
        let appends = equals > from && text[equals - 1] == b'+';
        let name_end = if appends { equals - 1 } else { equals };
        let arrow = !appends && text.get(equals + 1) == Some(&b'>');
        let value_start = equals + 1 + usize::from(arrow);
        let name = self.slice(line, escaped, name_end);
        let value = self.slice(line, value_start, text.len());
        if self.conf.text(&name).is_empty() {
            let message = "there is no name before the `=`: this line is ignored";
            self.report(Diagnostic::error(codes::NO_NAME, line.whole(), message));
            return outcome;
        }
        let base = if appends { self.last_of_name(section, &name) } else { None };
        if let Some(base) = base {
            self.append_value(section, base, line, equals + 1);
            return outcome;
        }
        if !self.take_entries(1) {
            return Err(Refused);
        }
        let entry = EntryData { name, value, marks: Marks { arrow, ..Marks::default() } };
        self.conf.sections[section].entries.push(entry);
        place.previous = Some((section, self.conf.sections[section].entries.len() - 1));
        outcome
    }

    fn imply_section(&mut self, line: &Line<'_>, place: &mut Place) -> Refused {
        let error = Diagnostic::error(
            codes::NO_SECTION,
            line.whole(),
            "this line stands before the first section header",
        );
        let mut help = "put a header such as `[default]` above it".to_owned();
        if let Recovery::Continue { implied_section } = &self.options.recovery {
            if !implied_section.is_empty() {
                help = format!("put a header such as `[{implied_section}]` above it");
            }
            let section = SectionData {
                name: implied_section.clone(),
                header: None,
                template: false,
                recovered: false,
                entries: vec![],
            };
            let refused = self.refuse(place, error.with_help(help));
            self.append(section, place);
            return refused;
        }
        self.refuse(place, error.with_help(help))
    }

    /// Warns once when an included file goes on in a section that its includer is not in.
    fn goes_on_elsewhere(&mut self, line: &Line<'_>, place: &mut Place, section: usize) {
        let Some(Some(outer)) = place.outer.take().filter(|outer| *outer != Some(section)) else {
            return;
        };
        let (inner, outer) = (&self.conf.sections[section], &self.conf.sections[outer]);
        let message = format!(
            "this line goes into section `{}`, not `{}` where its file is included",
            inner.name, outer.name
        );
        self.report(
            Diagnostic::warning(codes::INCLUDE_ELSEWHERE, line.whole(), message)
                .with_help("begin the included file with a section header of its own"),
        );
    }

    fn no_equals(&mut self, line: &Line<'_>, previous: Option<(usize, usize)>) {
        let broken = previous.filter(|&(section, entry)| {
            let entry = &self.conf.sections[section].entries[entry];
            leaves_parenthesis_open(self.conf.text(&entry.value))
        });
        let span = line.whole();
        let Some((section, entry)) = broken else {
            let message = "a line without `=` is ignored";
            self.report(
                Diagnostic::error(codes::NO_EQUALS, span, message)
                    .with_help("write `name = value`, or make it a comment with `;`"),
            );
            return;
        };
        let entry = &mut self.conf.sections[section].entries[entry];
        entry.marks.broken = true;
        let whole = entry.name.span.to(entry.value.span);
        let sources = &self.conf.sources;
        let above = sources.line(whole.file, whole.start);
        let here = sources.line(span.file, span.start);
        let message = format!("this is the rest of line {above}: one line was broken in two");
        let help = format!("join lines {above} and {here}; what stands here is ignored");
        self.report(
            Diagnostic::error(codes::NO_EQUALS, span, message)
                .with_help(help)
                .with_related(whole, "its parenthesis is left open here"),
        );
    }

    /// The last entry of exactly this name: `+=` adds to it.
    fn last_of_name(&self, section: usize, name: &Text) -> Option<usize> {
        let name = self.conf.text(name);
        let entries = &self.conf.sections[section].entries;
        entries.iter().rposition(|entry| self.conf.text(&entry.name) == name)
    }

    fn append_value(&mut self, section: usize, base: usize, line: &Line<'_>, from: usize) {
        let entries = &self.conf.sections[section].entries;
        let (name, old) =
            (self.conf.text(&entries[base].name), self.conf.text(&entries[base].value));
        // Asterisk changes the first entry with that name and value, which may be another one.
        let changed = entries.iter().position(|entry| {
            self.conf.text(&entry.name).eq_ignore_ascii_case(name)
                && (old.is_empty() || self.conf.text(&entry.value).eq_ignore_ascii_case(old))
        });
        let mut bytes: Vec<u8> = old.to_vec();
        let mut origins = self.origins(&entries[base].value);
        let file = entries[base].value.span.file;
        let added = &line.bytes[from..];
        bytes.extend_from_slice(added);
        // A value added from another file has no place of its own in this one.
        let last = origins.last().copied().unwrap_or_else(|| {
            // An empty value ends behind its `=`, where there may be nothing more.
            entries[base].value.span.end.saturating_sub(1)
        });
        let same_file = line.whole().file == file;
        origins.extend((from..line.bytes.len()).map(|at| match same_file {
            true => line.span(at, at + 1).start,
            false => last,
        }));
        let end = bytes.iter().rposition(|&byte| byte > b' ').map_or(0, |last| last + 1);
        let start = bytes.iter().position(|&byte| byte > b' ').unwrap_or(end);
        let span = entries[base].value.span;
        let spliced = Spliced {
            bytes: BString::from(&bytes[start..end]),
            origins: origins[start..end].to_vec(),
        };
        if let Some(changed) = changed {
            let text = Text { span, spliced: Some(Box::new(spliced)) };
            self.conf.sections[section].entries[changed].value = text;
        }
    }

    fn origins(&self, text: &Text) -> Vec<u32> {
        match &text.spliced {
            Some(spliced) => spliced.origins.clone(),
            None => (text.span.start..text.span.end).collect(),
        }
    }

    /// A range of a line without surrounding blanks.
    fn slice(&self, line: &Line<'_>, start: usize, end: usize) -> Text {
        let text = &line.bytes[start..end];
        let trimmed = trim(text);
        let first = start + text.iter().position(|&byte| byte > b' ').unwrap_or(0);
        let last = first + trimmed.len();
        let spliced = line
            .origins(first, last)
            .map(|origins| Box::new(Spliced { bytes: trimmed.into(), origins: origins.to_vec() }));
        Text { span: line.span(first, last), spliced }
    }

    fn carriage_return(&mut self, line: &Line<'_>, from: usize) {
        let Some(at) = memchr::memchr(b'\r', &line.bytes[from..]) else { return };
        let at = from + at;
        self.report(
            Diagnostic::error(
                codes::CARRIAGE_RETURNS,
                line.span(at, at + 1),
                "a carriage return does not end a line: all that follows here is ignored",
            )
            .with_help("save the file with Unix (LF) or Windows (CR LF) line ends"),
        );
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.conf.diagnostics.push(diagnostic);
    }
}

fn trim_if(condition: bool, text: &[u8]) -> &[u8] {
    if condition { trim(text) } else { text }
}

/// Whether more parentheses open than close.
fn leaves_parenthesis_open(text: &BStr) -> bool {
    let count = |wanted| text.iter().filter(|&&byte| byte == wanted).count();
    count(b'(') > count(b')')
}

/// Takes off `"..."` or `<...>`.
fn unquote(name: &[u8]) -> &[u8] {
    match name {
        [b'"', inner @ .., b'"'] | [b'<', inner @ .., b'>'] => inner,
        _ => name,
    }
}

fn unquote_str(name: &str) -> &str {
    unquote(name.as_bytes()).to_str().unwrap_or(name)
}

/// Asterisk's buffer for the name of a section.
const NAME_LIMIT: usize = 79;
