//! `incoming`: the numbers that a schedule guards.

use std::collections::HashSet;

use bstr::{BStr, ByteSlice};
use diesis_dialplan::diagnostic::Diagnostic;
use diesis_dialplan::pattern;
use diesis_dialplan::plan::{ContextId, Plan, Priority};
use diesis_dialplan::spelling::closest;
use diesis_dialplan::timetable::Guards;

use super::codes;
use super::dialled::Code;
use crate::config::setting::{Block, Setting};
use crate::config::value;

/// Where calls come from and go to.
#[derive(Clone, Copy)]
pub(in crate::config) struct House<'a> {
    /// Without a dialplan nothing is said about its numbers.
    pub(in crate::config) plan: Option<&'a Plan>,
    /// The contexts in which calls of peers start.
    pub(in crate::config) entrances: &'a [&'a BStr],
    /// Codes that phones dial.
    pub(in crate::config) codes: &'a [Code],
}

/// Takes one `incoming`.
pub(super) fn take(
    mut setting: Setting<'_>,
    section: &Block<'_>,
    house: House<'_>,
    guards: &mut Guards,
) {
    let mut numbers = value::list(setting.value()).peekable();
    if numbers.peek().is_none() {
        return setting.invalid(EXPECTED);
    }
    for number in numbers {
        let Some((context, number)) = number.split_once_str("/") else {
            return setting.invalid(EXPECTED);
        };
        let (context, number) = (context.trim_ascii().as_bstr(), number.trim_ascii().as_bstr());
        if context.is_empty() || number.is_empty() || number == "_" {
            return setting.invalid(EXPECTED);
        }
        if let Some(plan) = house.plan {
            check(&mut setting, context, number, plan, house.entrances);
        }
        if let Err(other) = guards.insert(context, number, section.name()) {
            let by = match other == section.name() {
                true => "this schedule".to_owned(),
                false => format!("schedule [{other}]"),
            };
            let message = format!("{context}/{number} is guarded by {by} already");
            let help = "a number has one schedule: remove one of the two";
            let span = setting.span();
            setting.notes.error(codes::DEFINED_TWICE, span, message, help);
        }
    }
}

/// Says what keeps a call from ever being asked.
fn check(
    setting: &mut Setting<'_>,
    context: &BStr,
    number: &BStr,
    plan: &Plan,
    entrances: &[&BStr],
) {
    let span = setting.span();
    let Some(id) = plan.context(context) else {
        let message = format!("the dialplan has no context `{context}`");
        let help = match closest(context, plan.contexts().map(|context| context.name())) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "name the context in which calls from outside start".to_owned(),
        };
        return setting.notes.error(codes::NAME_UNRESOLVED, span, message, &help);
    };
    if !leads_somewhere(plan, id, number) {
        let message = format!("[{context}] has no extension for {number}");
        let help = "write one, or the number as the trunk sends it: the schedule guards nothing";
        return setting.notes.error(codes::NAME_UNRESOLVED, span, message, help);
    }
    let comes_in = |name: &&BStr| {
        plan.context(name).is_some_and(|entrance| within(plan, entrance).contains(&id))
    };
    if !entrances.is_empty() && !entrances.iter().any(comes_in) {
        let message = format!("no call starts in [{context}]: {number} is never asked for");
        let help = "name the `context` of the trunk's endpoint, or let that include this one";
        let warning = Diagnostic::warning(codes::NAME_UNRESOLVED, span, message);
        setting.notes.once(warning.with_help(help));
    }
}

/// Whether a number, or a number of a pattern, has a first step in a context.
fn leads_somewhere(plan: &Plan, context: ContextId, number: &BStr) -> bool {
    within(plan, context).into_iter().any(|id| {
        let view = plan.view(id);
        // What a switch knows, nobody can tell here.
        !view.switches().is_empty()
            || view.extensions().any(|extension| {
                pattern::overlap(extension.name(), number)
                    && extension.steps().any(|step| step.priority() == Priority::Number(1))
            })
    })
}

/// A context with all that it includes at some time.
fn within(plan: &Plan, context: ContextId) -> HashSet<ContextId> {
    let (mut seen, mut pending) = (HashSet::from([context]), vec![context]);
    while let Some(id) = pending.pop() {
        let included = plan.view(id).includes().filter_map(|include| include.context());
        pending.extend(included.filter(|id| seen.insert(*id)));
    }
    seen
}

const EXPECTED: &str = "CONTEXT/NUMBER or CONTEXT/PATTERN, such as from-trunk/0155171889 or \
                        from-trunk/_01551718XX, several with commas between them";
