//! Section headers that were lost: lines before the first, and menus that run into each other.

use std::{collections::BTreeSet, ops::Range};

use bstr::{BStr, BString, ByteSlice};

use super::{lines, targets};
use crate::{
    ast::StatementKind,
    codes,
    conf::{Conf, Section},
    diagnostic::{Diagnostic, Span},
    parser,
    plan::{Plan, Priority},
};

/// The places where a header seems to be missing.
#[derive(Debug, Default)]
pub(super) struct LostHeaders {
    parts: Vec<Part>,
    /// Contexts that are led to but do not exist.
    missing: BTreeSet<BString>,
}

/// The lines from a place where a header seems to be missing up to the next header.
#[derive(Debug)]
struct Part {
    kind: Kind,
    /// Its first line.
    first: Span,
    /// From its first to its last line.
    whole: Span,
    /// What the context was probably called.
    name: Option<BString>,
    leads: Vec<Span>,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// The first lines of the file: reported by the configuration layer.
    First,
    /// A second `s,1`: the line it repeats.
    Second { earlier: Span },
}

/// A line that leads to a context whose header is lost.
pub(super) struct Lead {
    pub(super) context: BString,
    pub(super) span: Span,
}

impl LostHeaders {
    pub(super) fn find(conf: &Conf, plan: &Plan) -> Self {
        let mut lost = Self { parts: vec![], missing: missing_contexts(conf, plan) };
        for section in conf.sections() {
            lost.find_in(conf, section);
        }
        lost.guess_names(conf);
        lost
    }

    /// A second `s,1` in the same file and section: the start of another menu.
    fn find_in(&mut self, conf: &Conf, section: Section<'_>) {
        if section.header().is_none()
            && let (Some(first), Some(last)) =
                (section.entries().next(), section.entries().next_back())
        {
            let whole = first.span().to(last.span());
            let kind = Kind::First;
            let first = first.span();
            self.parts.push(Part { kind, first, whole, name: None, leads: vec![] });
        }
        let mut start: Option<Span> = None;
        for entry in section.entries().filter(|entry| !entry.is_inherited()) {
            let statement = parser::parse(entry);
            let StatementKind::Step(step) = &statement.kind else { continue };
            let is_start =
                step.extension.as_ref().is_some_and(|range| statement.text(range) == "s")
                    && statement.text(&step.priority) == "1";
            let span = entry.span();
            match start.filter(|start| is_start && start.file == span.file) {
                // Two lines one after the other are merely a line written twice.
                Some(earlier) if distance(conf, earlier, span) > 1 => {
                    let kind = Kind::Second { earlier };
                    self.parts.push(Part {
                        kind,
                        first: span,
                        whole: span,
                        name: None,
                        leads: vec![],
                    });
                    start = Some(span);
                }
                None if is_start => start = Some(span),
                _ => {}
            }
            if let Some(part) = self.parts.last_mut()
                && matches!(part.kind, Kind::Second { .. })
                && start == Some(part.first)
            {
                part.whole = part.whole.to(span);
            }
        }
    }

    /// A context that is led to but does not exist is likely the one whose header is lost, above
    /// all if the first lines name it.
    fn guess_names(&mut self, conf: &Conf) {
        let mut free = self.missing.clone();
        for part in &mut self.parts {
            let text = conf.sources().text(part.first);
            let named = free.iter().filter(|name| text.contains_str(name.as_bytes()));
            part.name = named.max_by_key(|name| name.len()).cloned();
            if let Some(name) = &part.name {
                free.remove(name);
            }
        }
        let mut unnamed = self.parts.iter_mut().filter(|part| part.name.is_none());
        if let (Some(part), None) = (unnamed.next(), unnamed.next())
            && free.len() == 1
        {
            part.name = free.pop_first();
        }
    }

    /// Whether a message only repeats that a header is lost.
    pub(super) fn explains(&self, diagnostic: &Diagnostic) -> bool {
        let Some(span) = diagnostic.span else { return false };
        let is_repeat = [codes::PRIORITY_TAKEN, codes::LABEL_TAKEN].contains(&diagnostic.code);
        is_repeat && self.holds(span)
    }

    /// Whether a place is in lines that belong under a lost header of their own.
    pub(super) fn holds(&self, span: Span) -> bool {
        self.parts.iter().any(|part| {
            matches!(part.kind, Kind::Second { .. })
                && part.whole.file == span.file
                && (part.whole.start..part.whole.end).contains(&span.start)
        })
    }

    /// Whether a context does not exist only because its header is lost.
    pub(super) fn has_name(&self, context: &BStr) -> bool {
        self.parts.iter().any(|part| part.name.as_ref().is_some_and(|name| name == context))
    }

    pub(super) fn add_leads(&mut self, leads: Vec<Lead>) {
        for lead in leads {
            let mut parts = self.parts.iter_mut();
            let part = parts.find(|part| part.name.as_ref() == Some(&lead.context));
            if let Some(part) = part {
                part.leads.push(lead.span);
            }
        }
    }

    /// Says more in the message about lines before the first header.
    pub(super) fn complete_first(&self, diagnostic: &mut Diagnostic) {
        let part = self.parts.iter().find(|part| part.kind == Kind::First);
        let Some(name) = part.and_then(|part| part.name.as_ref()) else { return };
        diagnostic.help =
            Some(format!("put `[{name}]` above it (Asterisk refuses the whole file for this)"));
        let leads = part.into_iter().flat_map(|part| &part.leads);
        for &span in leads {
            *diagnostic = diagnostic.clone().with_related(span, "this line leads there");
        }
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.parts.into_iter().filter_map(Part::into_diagnostic).collect()
    }
}

impl Part {
    fn into_diagnostic(self) -> Option<Diagnostic> {
        let Kind::Second { earlier } = self.kind else { return None };
        let message = "extension `s` begins a second time: a section header seems to be lost, and the lines from here on that repeat others are dropped";
        let name = self.name.map_or_else(|| "name".to_owned(), |name| name.to_string());
        let mut diagnostic = Diagnostic::error(codes::HEADER_LOST, self.first, message)
            .with_help(format!("put `[{name}]` above this line"))
            .with_related(earlier, "it begins here the first time");
        for span in self.leads {
            diagnostic = diagnostic.with_related(span, "this line leads there");
        }
        Some(diagnostic)
    }
}

/// How many lines apart two places of one file are.
fn distance(conf: &Conf, earlier: Span, later: Span) -> u32 {
    let line = |span: Span| conf.sources().line(span.file, span.start);
    line(later).abs_diff(line(earlier))
}

/// The contexts that lines lead to by name, but that do not exist.
fn missing_contexts(conf: &Conf, plan: &Plan) -> BTreeSet<BString> {
    let mut missing = BTreeSet::new();
    lines::each_target(conf, &mut |statement, _, range: Range<usize>| {
        let text = statement.entry.value();
        let target = targets::Target::parse(text, range);
        let context = target.and_then(|target| target.context);
        if let Some(context) = context.filter(|context| targets::is_known(text, context)) {
            let name = &text[context];
            if !name.is_empty() && plan.context(name).is_none() {
                missing.insert(name.into());
            }
        }
    });
    missing
}

/// Whether a step has a number.
pub(super) fn number_of(priority: Priority) -> Option<u32> {
    match priority {
        Priority::Number(number) => Some(number),
        Priority::Hint => None,
    }
}
