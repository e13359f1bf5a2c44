//! What of `robots.conf` does not fit the dialplan.

use std::collections::HashSet;

use bstr::{BString, ByteSlice};
use diesis_dialplan::application;
use diesis_dialplan::ast::StatementKind;
use diesis_dialplan::conf::Conf;
use diesis_dialplan::diagnostic::Diagnostic;
use diesis_dialplan::parser;
use diesis_dialplan::plan::{Circumstances, ContextId, Plan};

use super::super::codes;
use super::super::named::Named;
use super::super::notes::Notes;
use super::super::setting::Block;
use super::{Range, RobotRange};

/// Which pools a dialplan makes use of.
#[derive(Default)]
pub(super) struct Uses {
    /// Those that it calls as, in lower case; `None` when a variable says which.
    dialled: Option<HashSet<Vec<u8>>>,
    /// The applications that it runs, in lower case.
    applications: HashSet<Vec<u8>>,
}

impl Uses {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut uses = Self { dialled: Some(HashSet::new()), ..Self::default() };
        let extensions = plan.contexts().flat_map(|context| context.extensions());
        for step in extensions.flat_map(|extension| extension.steps()) {
            uses.applications.insert(step.application().to_ascii_lowercase());
            for place in pools_dialled(step.arguments()) {
                let pool = step.arguments()[place].to_ascii_lowercase();
                match uses.dialled.as_mut().filter(|_| !pool.contains(&b'$')) {
                    Some(dialled) => {
                        dialled.insert(pool);
                    }
                    None => uses.dialled = None,
                }
            }
        }
        uses
    }

    /// Warns of a range whose application has no use for it: the dialplan application of that name
    /// is run by no step, and no step calls as a robot of the pool.
    pub(super) fn judge(&self, section: &Block<'_>, range: &Range, notes: &mut Notes) {
        let pool = range.calls.pool.as_bstr();
        let is_dialled = self.dialled.as_ref().is_none_or(|it| it.contains(pool.as_bytes()));
        let application = application::find(pool);
        if is_dialled || self.applications.contains(pool.as_bytes()) || !section.has("application")
        {
            return;
        }
        let Some(application) = application else { return };
        let name = application.name();
        notes.warn(
            codes::ROBOT_SUSPICIOUS,
            section.place_of("application"),
            format!("no step of the dialplan runs {name}, and none calls as Robot/{pool}/.."),
            "run it in the context of the range, or name the application that the robots work for",
        );
    }
}

/// Warns of steps that call as robots of a pool that is none.
pub(in super::super) fn unresolved(conf: &Conf, ranges: &Named<RobotRange>) -> Vec<Diagnostic> {
    let mut diagnostics = vec![];
    for entry in conf.sections().flat_map(|section| section.entries()) {
        let statement = parser::parse(entry);
        let StatementKind::Step(step) = &statement.kind else { continue };
        let arguments = &entry.value()[step.arguments.clone()];
        for place in pools_dialled(arguments) {
            let pool = arguments[place.clone()].as_bstr();
            if pool.contains(&b'$')
                || ranges.iter().any(|range| range.pool.eq_ignore_ascii_case(pool))
            {
                continue;
            }
            let start = step.arguments.start;
            let span = entry.part_span(start + place.start..start + place.end);
            let message = format!("robots.conf has no range of the application `{pool}`");
            let warning = Diagnostic::warning(codes::NAME_UNRESOLVED, span, message);
            let help = format!("write `application = {pool}` into a range, or correct the name");
            diagnostics.push(warning.with_help(help));
        }
    }
    diagnostics
}

/// Where in the arguments of a step the pools of `Robot/pool/number` stand.
fn pools_dialled(arguments: &[u8]) -> Vec<std::ops::Range<usize>> {
    const TECHNOLOGY: &[u8] = b"robot/";
    let mut places = vec![];
    let mut at = 0;
    while let Some(window) = arguments.get(at..at + TECHNOLOGY.len()) {
        let is_word = at == 0 || b",&(=\"".contains(&arguments[at - 1]);
        at += 1;
        if !is_word || !window.eq_ignore_ascii_case(TECHNOLOGY) {
            continue;
        }
        let start = at - 1 + TECHNOLOGY.len();
        let rest = &arguments[start..];
        let end = rest.iter().position(|byte| b"/,&)\"".contains(byte)).unwrap_or(rest.len());
        if end > 0 {
            places.push(start..start + end);
        }
    }
    places
}

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
