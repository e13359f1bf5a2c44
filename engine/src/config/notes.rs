//! Collects what there is to say about settings, each thing once.
//!
//! A directory with a thousand phones that all ask for the same missing feature gives one warning:
//! the first place, and how many more there are.

use std::collections::HashMap;

use bstr::{BStr, ByteSlice};
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

    /// Says what `table` knows about a setting that its reader did not take. `name_span` is the
    /// setting's name, `section_span` the header of its section.
    pub(super) fn judge(
        &mut self,
        table: &KeyTable,
        (name, value): (&BStr, &BStr),
        name_span: Span,
        section_span: Span,
    ) {
        let diagnostic = match table.standing(name, value) {
            Standing::Read => {
                debug_assert!(false, "{} {name} is in the table but nobody reads it", table.kind);
                return;
            }
            Standing::Harmless => return,
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
        // Printing a diagnostic shows its line: not the one with a password.
        let span = if is_secret(name) { section_span } else { name_span };
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

/// Whether a setting of this name, or one meant to be, holds a secret.
fn is_secret(name: &BStr) -> bool {
    let name = name.to_ascii_lowercase();
    let secrets = ["password", "md5_cred", "pin", "secret", "password_digest", "refresh_token"];
    secrets.iter().any(|secret| name == secret.as_bytes())
        || ["pass", "pwd", "secret", "cred"].iter().any(|part| name.contains_str(part))
        || super::value::nearest(name.as_bstr(), secrets).is_some()
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
            notes.judge(&TABLE, ("tos".into(), "ef".into()), at, at);
        }
        let diagnostics = notes.finish();
        assert_eq!(diagnostics.len(), 1);
        let help = diagnostics[0].help.as_deref();
        assert_eq!(help, Some("packets are not marked (the same in 999 more places)"));
    }

    #[test]
    fn a_mistyped_password_is_not_printed() {
        let mut sources = SourceMap::new();
        let header = span(&mut sources, "[phone]\n");
        let line = span(&mut sources, "pasword=hunter2\n");
        let mut notes = Notes::default();
        notes.judge(&TABLE, ("pasword".into(), "hunter2".into()), line, header);
        let shown = notes.finish()[0].render(&sources).to_string();
        assert!(shown.contains("did you mean `password`"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
