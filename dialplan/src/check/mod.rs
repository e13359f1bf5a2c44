//! Finds what is wrong in a dialplan before a caller does.
//!
//! Reads on where Asterisk would refuse, and reports everything that is dropped, changed or bound to
//! fail when a call comes to it: one message a cause, each with its place and a stable code.
//!
//! ```
//! use diesis_dialplan::{check::{check, CheckOptions}, conf::MemoryFiles};
//!
//! let text = "exten => s,1,Goto(menu,s,1)\n[menu]\nexten => s,1,Anwser()\n";
//! let files = MemoryFiles::new().with("extensions.conf", text);
//! let report = check("extensions.conf", &files, &CheckOptions::default());
//! for diagnostic in &report.diagnostics {
//!     println!("{}", diagnostic.render(report.sources()));
//! }
//! assert_eq!(report.diagnostics.len(), 2);
//! ```

mod arguments;
mod expressions;
mod headers;
mod known;
mod lines;
mod names;
mod patterns;
mod reach;
mod references;
mod targets;

use bstr::{BString, ByteSlice};

pub use known::{APPLICATIONS, FUNCTIONS};
pub use names::Names;

use crate::{
    codes,
    conf::{self, Conf, FileSource, Options, Recovery},
    diagnostic::{Code, Diagnostic, FileId, Severity, SourceMap, Span},
    plan::{LoadOptions, Plan},
};
use headers::LostHeaders;

/// What to check against.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    applications: Names,
    functions: Names,
    implied_context: BString,
    load: LoadOptions,
    scope: Scope,
}

/// How much of a dialplan is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of it: a context that is not there does not exist.
    #[default]
    Whole,
    /// A part: contexts may well be in other files, and only a note tells of those.
    Part,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            applications: Names::asterisk(APPLICATIONS),
            functions: Names::asterisk(FUNCTIONS),
            implied_context: "default".into(),
            load: LoadOptions::default(),
            scope: Scope::default(),
        }
    }
}

impl CheckOptions {
    /// The applications that exist. Default: those of Asterisk 23, all taken as available.
    pub fn with_applications(mut self, names: Names) -> Self {
        self.applications = names;
        self
    }

    /// The functions that exist. Default: those of Asterisk 23, all taken as available.
    pub fn with_functions(mut self, names: Names) -> Self {
        self.functions = names;
        self
    }

    /// What to call the context of lines that stand before the first header. Default: `default`.
    pub fn with_implied_context(mut self, name: impl Into<BString>) -> Self {
        self.implied_context = name.into();
        self
    }

    /// How much of the dialplan this is. Default: [`Scope::Whole`].
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// How to load. Default: as Asterisk.
    pub fn with_load(mut self, load: LoadOptions) -> Self {
        self.load = load;
        self
    }
}

/// What a check found.
#[derive(Debug)]
pub struct Report {
    /// The configuration, read on after errors.
    pub conf: Conf,
    /// The plan, as far as it could be made.
    pub plan: Plan,
    /// What is wrong, by file and line.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// The files, to print diagnostics with.
    pub fn sources(&self) -> &SourceMap {
        self.conf.sources()
    }
}

/// Reads a dialplan with everything it includes, and reports all that is wrong in it.
pub fn check(name: &str, files: &dyn FileSource, options: &CheckOptions) -> Report {
    let implied_section = options.implied_context.clone();
    let recovery = Recovery::Continue { implied_section };
    let conf = conf::load(name, files, &Options::default().with_recovery(recovery));
    let (plan, loading) = Plan::load(&conf, &options.load);
    let diagnostics = diagnose(&conf, &plan, loading, options);
    Report { conf, plan, diagnostics }
}

/// Everything there is to say about a configuration and the plan made of it: what reading and
/// loading found, and what only shows in the whole.
pub fn diagnose(
    conf: &Conf,
    plan: &Plan,
    loading: Vec<Diagnostic>,
    options: &CheckOptions,
) -> Vec<Diagnostic> {
    let mut lost = LostHeaders::find(conf, plan);
    // What a dropped line would do does not matter.
    let dropped = loading.iter().filter(|found| DROPPED.contains(&found.code));
    let dropped = dropped.filter_map(|found| found.span.map(|span| line_of(conf, span))).collect();
    let mut found: Vec<Diagnostic> = conf.diagnostics().to_vec();
    found.extend(loading);
    // What follows from a lost header is not a cause of its own.
    found.retain(|diagnostic| !lost.explains(diagnostic));
    let (lines, leads) = lines::check(conf, plan, options, &lost, &dropped);
    found.extend(lines);
    found.extend(reach::check(conf, plan, &lost));
    lost.add_leads(leads);
    judge_missing_contexts(&mut found, options.scope);
    for diagnostic in &mut found {
        if diagnostic.code == codes::NO_SECTION {
            lost.complete_first(diagnostic);
        }
    }
    found.extend(lost.into_diagnostics());
    found.sort_by_key(|diagnostic| diagnostic.span.map(order));
    found.dedup();
    found
}

/// A context that is not here may be in a file that is missing, which is then the cause, or in a
/// file that was not asked for.
fn judge_missing_contexts(found: &mut Vec<Diagnostic>, scope: Scope) {
    let is_missing = |diagnostic: &Diagnostic| {
        [codes::CONTEXT_UNKNOWN, codes::INCLUDED_CONTEXT_MISSING].contains(&diagnostic.code)
    };
    if found.iter().any(|diagnostic| diagnostic.code == codes::INCLUDE_MISSING) {
        found.retain(|diagnostic| !is_missing(diagnostic));
    }
    if scope == Scope::Part {
        for diagnostic in found.iter_mut().filter(|diagnostic| is_missing(diagnostic)) {
            diagnostic.severity = Severity::Note;
            diagnostic.help = Some("it must be in another file of the dialplan".to_owned());
        }
    }
}

fn line_of(conf: &Conf, span: Span) -> (FileId, u32) {
    (span.file, conf.sources().line(span.file, span.start))
}

/// What the loader says of lines that are dropped for what is wrong in them alone.
const DROPPED: [Code; 7] = [
    codes::SAME_OF_NOTHING,
    codes::LABEL_UNCLOSED,
    codes::NEXT_OF_NOTHING,
    codes::PRIORITY_INVALID,
    codes::LOST_AFTER_HINT,
    codes::EXTENSION_EMPTY,
    codes::SET_UNCLOSED,
];

/// By file, place, and then whatever was found first.
fn order(span: Span) -> (FileId, u32) {
    (span.file, span.start)
}

/// Whether a text holds nothing that is replaced at run time.
fn is_literal(text: &[u8]) -> bool {
    !text.contains_str("${") && !text.contains_str("$[")
}

#[cfg(test)]
mod tests;
