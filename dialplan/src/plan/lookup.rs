//! Which step a dialled text leads to (main/pbx.c: pbx_find_extension).

use std::{cell::Cell, ops::ControlFlow};

use bstr::{BStr, ByteSlice};
use jiff::{Timestamp, tz::TimeZone};
use smallvec::SmallVec;

use super::{
    ContextId, Extension, ExtensionId, HINT, Landing, NO_CALLER, Plan, StepId,
    index::CONTEXTS_PER_LOOKUP, loopback::MOST_LOOPBACKS,
};
use crate::pattern::{Name, Question, Verdict};

/// Which step of an extension is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// The step of this number, counted from 1.
    Priority(u32),
    /// The hint.
    Hint,
    /// The step with this label. Letter case counts.
    Label(&'a BStr),
}

/// What a lookup depends on besides the dialled text.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// The caller's number; `None` and empty are the same.
    pub caller: Option<&'a BStr>,
    /// When it is, for timed includes.
    pub now: Timestamp,
    /// The system's time zone, for timed includes that name none.
    pub zone: TimeZone,
}

impl Default for Circumstances<'_> {
    fn default() -> Self {
        Self { caller: None, now: Timestamp::UNIX_EPOCH, zone: TimeZone::UTC }
    }
}

/// A step that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The step.
    pub step: StepId,
    /// The context it stands in, which may be one that is included.
    pub context: ContextId,
    certainty: Certainty,
}

/// Whether a step right after another in the same extension is what a lookup would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certainty {
    /// The extension is the first that matches, for any caller at any time.
    First,
    /// Another extension, for this caller or at another time, comes before it.
    Later,
}

/// Why a step was not found: how far the search came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotFound {
    /// There is no such context.
    NoContext,
    /// No extension matches.
    NoExtension,
    /// An extension matches, but none that does has the step.
    NoPriority,
    /// An extension matches, but none that does has the label.
    NoLabel,
}

impl Plan {
    /// Finds a step: the first extension that matches and has it, in the context itself, then in
    /// what it includes, depth first. An extension without the step is passed over, so that the
    /// steps of a call may come from several extensions.
    ///
    /// Costs one hash for the literal names and, for the patterns, what the text is long; each
    /// included context that is searched costs the same again.
    pub fn find(
        &self,
        context: ContextId,
        dialled: &BStr,
        target: Target<'_>,
        circumstances: &Circumstances<'_>,
    ) -> Result<Found, NotFound> {
        self.find_and_land(context, dialled, target, circumstances, &mut Way::default())
    }

    /// As [`find`](Self::find), and tells where a `Loopback` switch led.
    pub(crate) fn find_and_land(
        &self,
        context: ContextId,
        dialled: &BStr,
        target: Target<'_>,
        circumstances: &Circumstances<'_>,
        way: &mut Way,
    ) -> Result<Found, NotFound> {
        let text = WithoutDashes::of(dialled);
        let mut status = NotFound::NoExtension;
        let mut certainty = Certainty::First;
        let found = self.walk(context, circumstances, |context, timed| {
            if timed {
                certainty = Certainty::Later;
            }
            let visit = |id: ExtensionId, _| {
                let bound = self.extensions[id.0 as usize].caller != NO_CALLER;
                if bound {
                    certainty = Certainty::Later;
                    if !self.fits_caller(id, circumstances.caller) {
                        return ControlFlow::Continue(());
                    }
                }
                status = match target {
                    Target::Label(_) => NotFound::NoLabel,
                    _ => status.max(NotFound::NoPriority),
                };
                match self.step_of(id, target) {
                    Some(step) => ControlFlow::Break(Found { step, context, certainty }),
                    None => {
                        certainty = Certainty::Later;
                        ControlFlow::Continue(())
                    }
                }
            };
            self.visit_matches(context, dialled, text.as_bstr(), Question::Match, visit)?;
            if self.contexts[context.0 as usize].loopbacks.is_empty() {
                return ControlFlow::Continue(());
            }
            self.find_elsewhere(context, dialled, target, circumstances, way)
        });
        match found {
            ControlFlow::Break(found) => Ok(found),
            ControlFlow::Continue(()) => Err(status),
        }
    }

    /// Looks where the loopbacks of a context lead.
    fn find_elsewhere(
        &self,
        context: ContextId,
        dialled: &BStr,
        target: Target<'_>,
        circumstances: &Circumstances<'_>,
        way: &mut Way,
    ) -> ControlFlow<Found> {
        let Some(priority) = priority_of(target) else { return ControlFlow::Continue(()) };
        if way.loopbacks >= MOST_LOOPBACKS {
            return ControlFlow::Continue(());
        }
        way.loopbacks += 1;
        for landing in self.landings(context, dialled, priority) {
            let Some(target) = landing.target() else { continue };
            let extension = landing.extension.as_bstr();
            let found = self.find_and_land(landing.context, extension, target, circumstances, way);
            if let Ok(found) = found {
                way.landing.get_or_insert(landing);
                return ControlFlow::Break(Found { certainty: Certainty::Later, ..found });
            }
        }
        ControlFlow::Continue(())
    }

    /// As [`find`](Self::find), in the context of a name.
    pub fn find_in(
        &self,
        context: &BStr,
        dialled: &BStr,
        target: Target<'_>,
        circumstances: &Circumstances<'_>,
    ) -> Result<Found, NotFound> {
        let context = self.context(context).ok_or(NotFound::NoContext)?;
        self.find(context, dialled, target, circumstances)
    }

    /// The step after one that this plan found for the same context, text and caller. In the
    /// common case it is simply the next; otherwise it is looked up afresh, as every step is.
    pub fn next(
        &self,
        found: Found,
        context: ContextId,
        dialled: &BStr,
        circumstances: &Circumstances<'_>,
    ) -> Result<Found, NotFound> {
        let step = &self.steps[found.step.0 as usize];
        let wanted = step.priority.saturating_add(1);
        if found.certainty == Certainty::First
            && let Some(next) = self.steps.get(found.step.0 as usize + 1)
            && (next.extension, next.priority) == (step.extension, wanted)
        {
            return Ok(Found { step: StepId(found.step.0 + 1), ..found });
        }
        self.find(context, dialled, Target::Priority(wanted.max(0) as u32), circumstances)
    }

    /// A step of the extension that another was found in, when a lookup of the same context and
    /// text would surely find it; `None` when only [`find`](Self::find) can tell.
    pub(crate) fn near(&self, found: Found, priority: u32) -> Option<Found> {
        if found.certainty != Certainty::First {
            return None;
        }
        let extension = ExtensionId(self.steps[found.step.0 as usize].extension);
        let step = self.step_with_priority(extension, i32::try_from(priority).ok()?)?;
        Some(Found { step: StepId(step), ..found })
    }

    /// Whether a text leads to a step of this number.
    pub fn exists(
        &self,
        context: ContextId,
        dialled: &BStr,
        priority: u32,
        circumstances: &Circumstances<'_>,
    ) -> bool {
        self.find(context, dialled, Target::Priority(priority), circumstances).is_ok()
    }

    /// Whether a text leads to a step of this number, or could if more were dialled.
    pub fn can_match(
        &self,
        context: ContextId,
        dialled: &BStr,
        target: Target<'_>,
        circumstances: &Circumstances<'_>,
    ) -> bool {
        self.could_match(context, dialled, Question::CanMatch, target, circumstances, &Cell::new(0))
    }

    /// Whether a text could lead to a step of this number if more were dialled: whether to wait
    /// for another digit.
    pub fn match_more(
        &self,
        context: ContextId,
        dialled: &BStr,
        target: Target<'_>,
        circumstances: &Circumstances<'_>,
    ) -> bool {
        self.could_match(
            context,
            dialled,
            Question::MatchMore,
            target,
            circumstances,
            &Cell::new(0),
        )
    }

    /// Calls `visit` for every extension of a context alone that a text matches, in the order they
    /// are tried and whoever they are bound to, until it breaks.
    pub fn visit_extensions<T>(
        &self,
        context: ContextId,
        dialled: &BStr,
        mut visit: impl FnMut(Extension<'_>) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        let text = WithoutDashes::of(dialled);
        let visit = |id, _| visit(self.extension(id));
        self.visit_matches(context, dialled, text.as_bstr(), Question::Match, visit)
    }

    /// Whether the dial tone goes on after this text: an `ignorepat` of the context itself.
    pub fn is_ignored(&self, context: ContextId, dialled: &BStr) -> bool {
        let patterns = &self.contexts[context.0 as usize].ignore_patterns;
        patterns.iter().any(|(_, name)| name.verdict(dialled, Question::Match) != Verdict::No)
    }

    fn could_match(
        &self,
        context: ContextId,
        dialled: &BStr,
        question: Question,
        target: Target<'_>,
        circumstances: &Circumstances<'_>,
        loopbacks: &Cell<u32>,
    ) -> bool {
        let text = WithoutDashes::of(dialled);
        let priority = priority_of(target).unwrap_or(1);
        let found = self.walk(context, circumstances, |context, _| {
            let fits = |id: ExtensionId| {
                self.extensions[id.0 as usize].caller == NO_CALLER
                    || self.fits_caller(id, circumstances.caller)
            };
            if self.literal_begins(context, text.as_bstr(), question, priority, fits) {
                return ControlFlow::Break(Search::Yes);
            }
            let visit = |id: ExtensionId, verdict| {
                if !fits(id) {
                    return ControlFlow::Continue(());
                }
                if verdict == Verdict::Final && question == Question::MatchMore {
                    return ControlFlow::Break(Search::NotHere);
                }
                match self.step_with_priority(id, priority) {
                    Some(_) => ControlFlow::Break(Search::Yes),
                    None => ControlFlow::Continue(()),
                }
            };
            self.visit_matches(context, dialled, text.as_bstr(), question, visit)?;
            if self.contexts[context.0 as usize].loopbacks.is_empty()
                || loopbacks.get() >= MOST_LOOPBACKS
            {
                return ControlFlow::Continue(());
            }
            loopbacks.set(loopbacks.get() + 1);
            let could = self.landings(context, dialled, priority).any(|landing| {
                let Some(target) = landing.target() else { return false };
                let (place, extension) = (landing.context, landing.extension.as_bstr());
                self.could_match(place, extension, question, target, circumstances, loopbacks)
            });
            if could {
                return ControlFlow::Break(Search::Yes);
            }
            ControlFlow::Continue(())
        });
        found.is_break()
    }

    fn step_of(&self, extension: ExtensionId, target: Target<'_>) -> Option<StepId> {
        match target {
            Target::Priority(priority) => {
                let priority = i32::try_from(priority).ok()?;
                self.step_with_priority(extension, priority).map(StepId)
            }
            Target::Hint => self.step_with_priority(extension, HINT).map(StepId),
            Target::Label(label) => {
                let (start, end) = self.extensions[extension.0 as usize].labels;
                let labels = &self.labels[start as usize..end as usize];
                let label_of = |step: &StepId| self.slice(self.steps[step.0 as usize].label);
                let found = labels.binary_search_by(|step| label_of(step).cmp(label));
                found.ok().map(|at| labels[at])
            }
        }
    }

    fn fits_caller(&self, extension: ExtensionId, caller: Option<&BStr>) -> bool {
        let bound = self.extensions[extension.0 as usize].caller;
        self.callers.get(bound as usize).is_none_or(|bound| caller_fits(&bound.name, caller))
    }

    /// Goes through a context and what it includes now, depth first, none twice, until `search`
    /// finds. It is told whether an include that depends on the time came before.
    fn walk<T: Outcome>(
        &self,
        context: ContextId,
        circumstances: &Circumstances<'_>,
        mut search: impl FnMut(ContextId, bool) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        if let Some(path) =
            self.contexts[context.0 as usize].index.path.as_deref().filter(|_| !T::PRUNES)
        {
            return path.iter().try_for_each(|&context| search(context, false));
        }
        let mut seen: SmallVec<[u32; 16]> = SmallVec::new();
        let mut pending: SmallVec<[(ContextId, bool); 16]> = SmallVec::new();
        pending.push((context, false));
        let mut timed = false;
        while let Some((context, open)) = pending.pop() {
            let data = &self.contexts[context.0 as usize];
            timed |= open;
            if seen.len() >= CONTEXTS_PER_LOOKUP || seen.contains(&data.folded) {
                continue;
            }
            seen.push(data.folded);
            match search(context, timed) {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(outcome) if outcome.is_local() => continue,
                found => return found,
            }
            let holds = |schedule: &crate::schedule::Schedule| {
                schedule.holds(circumstances.now, &circumstances.zone)
            };
            for include in data.includes.iter().rev() {
                let Some(context) = include.context else { continue };
                let is_timed = include.schedule.is_some();
                if include.schedule.as_deref().is_none_or(holds) {
                    pending.push((context, is_timed));
                } else {
                    timed = true;
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// The number of the step that is looked for; none for a label.
fn priority_of(target: Target<'_>) -> Option<i32> {
    match target {
        Target::Priority(priority) => Some(i32::try_from(priority).unwrap_or(i32::MAX)),
        Target::Hint => Some(HINT),
        Target::Label(_) => None,
    }
}

/// How a lookup went through loopbacks.
#[derive(Debug, Default)]
pub(crate) struct Way {
    /// How many were followed.
    loopbacks: u32,
    /// Where the last one led that the step was found behind.
    pub(crate) landing: Option<Landing>,
}

/// What ends a search.
trait Outcome {
    /// Whether an outcome can end the search of one context and of what it includes only.
    const PRUNES: bool;

    fn is_local(&self) -> bool;
}

impl Outcome for Found {
    const PRUNES: bool = false;

    fn is_local(&self) -> bool {
        false
    }
}

/// What ends the search for a longer match.
enum Search {
    Yes,
    /// A `!` was reached: this context and what it includes say no.
    NotHere,
}

impl Outcome for Search {
    const PRUNES: bool = true;

    fn is_local(&self) -> bool {
        matches!(self, Self::NotHere)
    }
}

/// Whether a caller is the one an extension is bound to. The empty name is for callers without a
/// number, and only for them.
pub(super) fn caller_fits(bound: &Name, caller: Option<&BStr>) -> bool {
    match caller.filter(|caller| !caller.is_empty()) {
        Some(caller) => bound.verdict(caller, Question::Match) != Verdict::No,
        None => bound.is_empty(),
    }
}

/// A dialled text without its dashes, copied only if it has any.
enum WithoutDashes<'a> {
    Same(&'a BStr),
    Copied(SmallVec<[u8; 64]>),
}

impl<'a> WithoutDashes<'a> {
    fn of(text: &'a BStr) -> Self {
        if memchr::memchr(b'-', text).is_none() {
            return Self::Same(text);
        }
        Self::Copied(text.iter().copied().filter(|&byte| byte != b'-').collect())
    }

    fn as_bstr(&self) -> &BStr {
        match self {
            Self::Same(text) => text,
            Self::Copied(text) => text.as_bstr(),
        }
    }
}
