//! What no call comes to: extensions without a first step, steps behind a gap, extensions that a
//! wide pattern hides.

use std::{
    cell::Cell,
    collections::{BTreeSet, HashMap, HashSet},
    ops::ControlFlow,
};

use bstr::{BStr, ByteSlice};

use super::{
    headers::{LostHeaders, number_of},
    lines,
    targets::{self, Target as WrittenTarget},
};
use crate::{
    codes,
    conf::Conf,
    diagnostic::{Diagnostic, FileId, Span},
    pattern,
    plan::{Context, ContextId, Extension, NotFound, Plan, Priority, Step, StepId, Target},
};

pub(super) fn check(conf: &Conf, plan: &Plan, lost: &LostHeaders) -> Vec<Diagnostic> {
    let files = conf.sources().files().map(|file| (conf.sources().name(file), file)).collect();
    let jumps = numbers_jumped_to(conf);
    let includers = includers(plan);
    let checker = Checker { conf, plan, lost, files, jumps, includers, looks: Cell::new(LOOKS) };
    let mut found = vec![];
    for context in plan.contexts() {
        for extension in context.extensions() {
            found.extend(checker.unreachable(&extension));
            found.extend(checker.gap(&extension));
        }
        found.extend(checker.hidden(&context));
    }
    found
}

/// Whether a text leads to a step, whoever calls at whatever time. Where a switch may know more, it
/// always does.
pub(super) fn leads_to(
    plan: &Plan,
    context: ContextId,
    extension: &BStr,
    target: Target<'_>,
) -> Result<(), NotFound> {
    // A line in a pattern's extension is reached by what the pattern matches.
    let sample = extension.strip_prefix(b"_").map(|_| pattern::sample(extension));
    let texts = [Some(extension), sample.as_ref().map(|sample| sample.as_bstr())];
    let mut worst = NotFound::NoExtension;
    for text in texts.into_iter().flatten() {
        match find_anyway(plan, context, text, target) {
            Ok(_) => return Ok(()),
            Err(reason) => worst = worst.max(reason),
        }
    }
    Err(worst)
}

/// The first step found, all includes open and all callers welcome; `None` if a switch may have it.
fn find_anyway(
    plan: &Plan,
    context: ContextId,
    text: &BStr,
    target: Target<'_>,
) -> Result<Option<StepId>, NotFound> {
    let mut status = NotFound::NoExtension;
    let mut has_switch = false;
    let mut seen = HashSet::new();
    let mut pending = vec![context];
    while let Some(context) = pending.pop() {
        if !seen.insert(context) {
            continue;
        }
        let view = plan.view(context);
        has_switch |= !view.switches().is_empty();
        let found = plan.visit_extensions(context, text, |extension| {
            status = match target {
                Target::Label(_) => NotFound::NoLabel,
                _ => status.max(NotFound::NoPriority),
            };
            match step_of(&extension, target) {
                Some(step) => ControlFlow::Break(step),
                None => ControlFlow::Continue(()),
            }
        });
        if let ControlFlow::Break(step) = found {
            return Ok(Some(step));
        }
        let includes: Vec<_> = view.includes().filter_map(|include| include.context()).collect();
        pending.extend(includes.into_iter().rev());
    }
    if has_switch { Ok(None) } else { Err(status) }
}

fn step_of(extension: &Extension<'_>, target: Target<'_>) -> Option<StepId> {
    let fits = |step: &Step<'_>| match target {
        Target::Priority(number) => step.priority() == Priority::Number(number),
        Target::Hint => step.priority() == Priority::Hint,
        Target::Label(label) => step.label() == Some(label),
    };
    extension.steps().find(fits).map(|step| step.id())
}

/// The numbers that some line jumps to: a step with one of these is not lost behind a gap.
fn numbers_jumped_to(conf: &Conf) -> BTreeSet<u32> {
    let mut numbers = BTreeSet::new();
    lines::each_target(conf, &mut |statement, _, range| {
        let target = WrittenTarget::parse(statement.entry.value(), range);
        let number = target.and_then(|target| targets::number(statement.text(&target.priority)));
        numbers.extend(number);
    });
    numbers
}

fn includers(plan: &Plan) -> HashMap<ContextId, Vec<ContextId>> {
    let mut includers: HashMap<_, Vec<_>> = HashMap::new();
    for context in plan.contexts() {
        for included in context.includes().filter_map(|include| include.context()) {
            includers.entry(included).or_default().push(context.id());
        }
    }
    includers
}

struct Checker<'a> {
    conf: &'a Conf,
    plan: &'a Plan,
    lost: &'a LostHeaders,
    files: HashMap<&'a str, FileId>,
    jumps: BTreeSet<u32>,
    /// The contexts that include each.
    includers: HashMap<ContextId, Vec<ContextId>>,
    /// How many more extensions are looked at for their relation to others.
    looks: Cell<u32>,
}

impl Checker<'_> {
    /// An extension without a first step, which no other lends it.
    fn unreachable(&self, extension: &Extension<'_>) -> Option<Diagnostic> {
        let first = extension.steps().find(|step| number_of(step.priority()).is_some())?;
        let number = number_of(first.priority())?;
        let is_used = first.label().is_some() || self.jumps.contains(&number);
        if number == 1 || is_used {
            return None;
        }
        if self.is_lent(extension, 1) {
            return None;
        }
        let span = self.span(&first)?;
        let name = extension.name();
        let message = format!(
            "extension `{name}` has no priority 1, so that nobody can call it: it begins with {number}"
        );
        Some(
            Diagnostic::warning(codes::EXTENSION_UNREACHABLE, span, message)
                .with_help("`n` counts on from the line above, also across extensions: write `1`"),
        )
    }

    /// A step whose predecessor is nowhere.
    fn gap(&self, extension: &Extension<'_>) -> Option<Diagnostic> {
        let steps: Vec<_> =
            extension.steps().filter(|step| number_of(step.priority()).is_some()).collect();
        for pair in steps.windows(2) {
            let (before, after) = (number_of(pair[0].priority())?, number_of(pair[1].priority())?);
            // A jump by 101 was the way of old dialplans, and labels or numbers lead past a gap.
            let is_meant = after == before + 1
                || after > 100
                || pair[1].label().is_some()
                || self.jumps.contains(&after);
            if is_meant || self.is_lent(extension, after - 1) {
                continue;
            }
            let span = self.span(&pair[1]).filter(|span| !self.lost.holds(*span))?;
            let missing = before + 1;
            let message = format!(
                "extension `{}` has no priority {missing}: a call ends after {before} and never comes here",
                extension.name()
            );
            return Some(
                Diagnostic::warning(codes::PRIORITY_GAP, span, message)
                    .with_help("write `n` instead of numbers"),
            );
        }
        None
    }

    /// Whether another extension may give a call the step that this one lacks: one in the same
    /// context, in what it includes, or in what includes it.
    fn is_lent(&self, extension: &Extension<'_>, number: u32) -> bool {
        let sample = pattern::sample(extension.name());
        let target = Target::Priority(number);
        let mut seen = HashSet::new();
        let mut pending = vec![extension.context()];
        while let Some(context) = pending.pop() {
            if !seen.insert(context) || seen.len() > INCLUDERS {
                continue;
            }
            if find_anyway(self.plan, context, sample.as_bstr(), target).is_ok() {
                return true;
            }
            // What two patterns have in common need not be the sample.
            let overlaps = |other: &Extension<'_>| {
                // When in doubt, nothing is reported.
                !self.may_look()
                    || step_of(other, target).is_some()
                        && (pattern::matches(
                            extension.name(),
                            pattern::sample(other.name()).as_bstr(),
                        ) || pattern::matches(other.name(), sample.as_bstr()))
            };
            if extension.is_pattern()
                && self.plan.view(context).extensions().any(|other| overlaps(&other))
            {
                return true;
            }
            pending.extend(self.includers.get(&context).into_iter().flatten());
        }
        false
    }

    fn may_look(&self) -> bool {
        let looks = self.looks.get();
        self.looks.set(looks.saturating_sub(1));
        looks > 0
    }

    /// A pattern that ends with `.` or `!` and hides extensions of what is included.
    fn hidden(&self, context: &Context<'_>) -> Vec<Diagnostic> {
        let is_wide = |extension: &Extension<'_>| {
            extension.is_pattern()
                && extension.name().find_byteset(".!").is_some()
                && extension.caller().is_none()
        };
        if !context.extensions().any(|extension| is_wide(&extension)) {
            return vec![];
        }
        let mut found = vec![];
        let mut reported = HashSet::new();
        for include in context.includes().filter_map(|include| include.context()) {
            let included = self.plan.view(include);
            for extension in included.extensions().filter(|extension| !extension.is_pattern()) {
                let name = extension.name();
                // Special extensions are often meant to be overridden.
                if name.len() < 2 || extension.caller().is_some() {
                    continue;
                }
                if !self.may_look() {
                    return found;
                }
                let target = Target::Priority(1);
                let hiding = self.plan.visit_extensions(context.id(), name, |own| {
                    match step_of(&own, target) {
                        Some(step) => ControlFlow::Break(step),
                        None => ControlFlow::Continue(()),
                    }
                });
                let ControlFlow::Break(step) = hiding else { continue };
                let step = self.plan.step(step);
                let hiding = step.extension();
                if !is_wide(&hiding) || !reported.insert((hiding.id(), include)) {
                    continue;
                }
                let Some(span) = self.span(&step) else { continue };
                let message = format!(
                    "`{}` hides `{name}` of the included context `{}`: own extensions come first, however wide",
                    hiding.name(),
                    included.name()
                );
                found.push(Diagnostic::warning(codes::INCLUDE_HIDDEN, span, message).with_help(
                    format!(
                        "put `{}` into a context of its own and include it last",
                        hiding.name()
                    ),
                ));
            }
        }
        found
    }

    /// The line of a step.
    fn span(&self, step: &Step<'_>) -> Option<Span> {
        let file = *self.files.get(step.file())?;
        let line = self.conf.sources().line_span(file, step.line());
        let text = self.conf.sources().text(line);
        let blanks = text.len() - text.trim_ascii_start().len();
        Some(Span { start: line.start + blanks as u32, ..line })
    }
}

/// How many contexts that include one are looked into.
const INCLUDERS: usize = 100;

/// How many extensions are looked at for their relation to others: beyond, a plan is too large for
/// these questions.
const LOOKS: u32 = 2_000_000;
