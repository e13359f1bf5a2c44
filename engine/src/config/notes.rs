//! Collects what there is to say about settings, each thing once.
//!
//! A directory with a thousand phones that all ask for the same missing feature gives one warning:
//! the first place, and how many more there are.

use std::collections::HashMap;

use bstr::BStr;
use diesis_dialplan::diagnostic::{Code, Diagnostic, Severity, Span};

use super::codes;
use super::key::{self, KeyTable, Standing};

/// The diagnostics of one load.
#[derive(Default)]
pub(super) struct Notes {
    diagnostics: Vec<Diagnostic>,
    /// What was said already: index into `diagnostics` and how often it came up since.
    said: HashMap<(Code, String), (usize, usize)>,
}

impl Notes {
    /// Adds an error with what to do about it.
    pub(super) fn error(&mut self, code: Code, span: Span, message: String, help: &str) {
        self.diagnostics.push(Diagnostic::error(code, span, message).with_help(help));
    }

    /// Adds a warning with what happens instead.
    pub(super) fn warn(&mut self, code: Code, span: Span, message: String, help: &str) {
        self.diagnostics.push(Diagnostic::warning(code, span, message).with_help(help));
    }

    /// Adds a diagnostic as it is.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Adds a diagnostic unless one with the same code and message is there; then counts it.
    pub(super) fn once(&mut self, diagnostic: Diagnostic) {
        let key = (diagnostic.code, diagnostic.message.clone());
        if let Some((_, more)) = self.said.get_mut(&key) {
            *more += 1;
            return;
        }
        self.said.insert(key, (self.diagnostics.len(), 0));
        self.diagnostics.push(diagnostic);
    }

    /// Says at `span` what `table` knows about a setting that its reader did not take.
    pub(super) fn judge(&mut self, table: &KeyTable, name: &BStr, value: &BStr, span: Span) {
        let diagnostic = match table.standing(name, value) {
            Standing::Read | Standing::Harmless => return,
            Standing::Later(later) => {
                let severity = match later.severity {
                    key::Severity::Warn => Severity::Warning,
                    key::Severity::Refuse => Severity::Error,
                };
                let message = format!("`{name}` of {} is not supported yet", table.kind);
                Diagnostic::new(severity, codes::SETTING_LATER, message).with_help(later.instead)
            }
            Standing::Unknown(nearest) => {
                let message = format!("{} has no setting `{name}`", table.kind);
                let help = match nearest {
                    Some(nearest) => format!("did you mean `{nearest}`? It has no effect as it is"),
                    None => "it has no effect".to_owned(),
                };
                Diagnostic::new(Severity::Warning, codes::SETTING_UNKNOWN, message).with_help(help)
            }
        };
        self.once(diagnostic.at(span));
    }

    /// All that was collected, in the order it came up.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let mut diagnostics = self.diagnostics;
        for (index, more) in self.said.into_values().filter(|(_, more)| *more > 0) {
            let diagnostic = &mut diagnostics[index];
            let places = if more == 1 { "place" } else { "places" };
            let rest = format!("the same in {more} more {places}");
            diagnostic.help = Some(match diagnostic.help.take() {
                Some(help) => format!("{help} ({rest})"),
                None => rest,
            });
        }
        diagnostics
    }
}

#[cfg(test)]
mod tests {
    use diesis_dialplan::diagnostic::SourceMap;

    use super::super::key::{Harmless, Later};
    use super::*;

    const TABLE: KeyTable = KeyTable {
        kind: "endpoint",
        read: &["password"],
        later: &[Later {
            instead: "packets are not marked",
            severity: key::Severity::Warn,
            keys: &[("tos", Harmless::Zero)],
        }],
    };

    fn span(sources: &mut SourceMap, text: &str) -> Span {
        let file = sources.add("f.conf", text.as_bytes());
        Span { file, start: 0, end: 1 }
    }

    #[test]
    fn what_a_thousand_phones_ask_for_is_said_once() {
        let mut notes = Notes::default();
        let at = span(&mut SourceMap::new(), "x");
        for _ in 0..1000 {
            notes.judge(&TABLE, "tos".into(), "ef".into(), at);
        }
        let diagnostics = notes.finish();
        assert_eq!(diagnostics.len(), 1);
        let help = diagnostics[0].help.as_deref();
        assert_eq!(help, Some("packets are not marked (the same in 999 more places)"));
    }
}
