//! What of `robots.conf` does not fit the dialplan.

use std::collections::HashSet;

use bstr::{BString, ByteSlice};
use diesis_dialplan::diagnostic::Diagnostic;
use diesis_dialplan::plan::{Circumstances, ContextId, Plan};

use super::super::codes;
use super::super::notes::Notes;
use super::super::setting::Block;
use super::Range;

/// Warns of robots whose calls have nowhere to start.
pub(super) fn warn_of_missing_steps(
    section: &Block<'_>,
    range: &Range,
    plan: &Plan,
    notes: &mut Notes,
) {
    let context = range.peer.context.as_bstr();
    let span = section.place_of("context");
    let Some(id) = plan.context(context) else {
        let message = format!("the dialplan has no context `{context}`");
        let help =
            format!("write `[{context}]` in extensions.conf: calls are answered 404 as it is");
        let diagnostic = Diagnostic::warning(codes::NAME_UNRESOLVED, span, message);
        return notes.once(diagnostic.with_help(help));
    };
    if !is_unconditional(plan, id) {
        return;
    }
    let circumstances = Circumstances::default();
    let is_missing = |number: &&BString| !plan.exists(id, number.as_bstr(), 1, &circumstances);
    let mut missing = range.calls.numbers.iter().filter(is_missing);
    let Some(first) = missing.next() else { return };
    let message = match missing.count() {
        0 => format!("[{context}] has no extension for robot {first}"),
        more => format!("[{context}] has no extension for robot {first} and {more} more"),
    };
    let diagnostic = Diagnostic::warning(codes::NAME_UNRESOLVED, span, message);
    notes.once(diagnostic.with_help("their calls are answered 404; add one, such as a pattern"));
}

/// Whether a context has the same extensions at any time, for any caller.
fn is_unconditional(plan: &Plan, context: ContextId) -> bool {
    let (mut seen, mut pending) = (HashSet::from([context]), vec![context]);
    while let Some(id) = pending.pop() {
        let view = plan.view(id);
        if !view.switches().is_empty() || view.extensions().any(|it| it.caller().is_some()) {
            return false;
        }
        for include in view.includes() {
            if include.schedule().is_some() {
                return false;
            }
            pending.extend(include.context().filter(|id| seen.insert(*id)));
        }
    }
    true
}
