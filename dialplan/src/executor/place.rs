//! Where a call is in the dialplan, what is there, and where a jump leads.

use bstr::{BStr, BString};

use super::Run;
use crate::arguments::scan_integer;
use crate::plan::{ContextId, Found, Target, Way};
use crate::state::Exception;

impl Run<'_> {
    /// The step that comes next, if there is one.
    pub(super) fn find(&mut self) -> Option<Found> {
        let plan = self.scope.plan;
        let near = self.found.and_then(|found| plan.near(found, self.scope.state.priority));
        if near.is_some() {
            return near;
        }
        let context = self.context()?;
        let circumstances = self.scope.circumstances();
        let target = Target::Priority(self.scope.state.priority);
        let mut way = Way::default();
        let extension = self.scope.state.extension.as_ref();
        let found =
            plan.find_and_land(context, extension, target, &circumstances, &mut way).ok()?;
        if let Some(landing) = way.landing {
            // The call is there from now on.
            self.set_context(plan.view(landing.context).name());
            self.set_extension(&landing.extension);
            self.context = Some(landing.context);
        }
        Some(found)
    }

    pub(super) fn context(&mut self) -> Option<ContextId> {
        if let Some(context) = self.context {
            return Some(context);
        }
        self.context = self.scope.plan.context(&self.scope.state.context);
        self.context
    }

    /// Whether the present extension has a step of this priority.
    pub(super) fn exists_here(&mut self, priority: u32) -> bool {
        let extension = self.scope.state.extension.clone();
        let Some(context) = self.context() else { return false };
        let circumstances = self.scope.circumstances();
        self.scope.plan.exists(context, extension.as_ref(), priority, &circumstances)
    }

    /// Whether an extension of the present context has a first step.
    pub(crate) fn exists(&mut self, extension: &[u8]) -> bool {
        let Some(context) = self.context() else { return false };
        let circumstances = self.scope.circumstances();
        self.scope.plan.exists(context, BStr::new(extension), 1, &circumstances)
    }

    /// Whether a place exists.
    pub(crate) fn has(&self, context: &[u8], extension: &[u8], priority: u32) -> bool {
        let circumstances = self.scope.circumstances();
        let target = Target::Priority(priority);
        self.scope
            .plan
            .find_in(BStr::new(context), BStr::new(extension), target, &circumstances)
            .is_ok()
    }

    pub(crate) fn matches_more(&self, digits: &[u8]) -> bool {
        let context = self.scope.state.context.clone();
        self.matches_more_in(&context, digits)
    }

    pub(crate) fn matches_more_in(&self, context: &[u8], digits: &[u8]) -> bool {
        let circumstances = self.scope.circumstances();
        self.scope.plan.context(context).is_some_and(|context| {
            self.scope.plan.match_more(
                context,
                BStr::new(digits),
                Target::Priority(1),
                &circumstances,
            )
        })
    }

    pub(crate) fn can_match_in(&self, context: &[u8], digits: &[u8]) -> bool {
        let circumstances = self.scope.circumstances();
        self.scope.plan.context(context).is_some_and(|context| {
            self.scope.plan.can_match(
                context,
                BStr::new(digits),
                Target::Priority(1),
                &circumstances,
            )
        })
    }

    pub(crate) fn set_context(&mut self, context: &[u8]) {
        if *self.scope.state.context != context {
            self.scope.state.context = context.into();
            self.context = None;
            self.found = None;
        }
    }

    pub(crate) fn set_extension(&mut self, extension: &[u8]) {
        if *self.scope.state.extension != extension {
            self.scope.state.extension.clear();
            self.scope.state.extension.extend_from_slice(extension);
            self.found = None;
        }
    }

    pub(crate) fn go_to_extension(&mut self, extension: &[u8]) {
        self.set_extension(extension);
        self.scope.state.priority = 1;
    }

    /// Goes to extension `e` with a reason.
    pub(crate) fn raise(&mut self, reason: &[u8]) {
        let state = &mut self.scope.state;
        state.exception = Some(Exception {
            reason: reason.into(),
            context: state.context.clone(),
            extension: state.extension.clone(),
            priority: state.priority,
        });
        self.go_to_extension(b"e");
    }

    /// `[[context,]extension,]priority` with a number, `+n`, `-n` or a label. `None` when it can not be.
    pub(crate) fn parse_target(&mut self, text: &[u8]) -> Option<TargetPlace> {
        if text.is_empty() {
            self.scope
                .warn(format_args!("Goto requires an argument: [[context,]extension,]priority"));
            return None;
        }
        let mut parts = text.splitn(4, |byte| *byte == b',');
        let (first, second, third) = (parts.next(), parts.next(), parts.next());
        let (context, extension, priority) = match (first, second, third) {
            (Some(context), Some(extension), Some(priority)) => {
                (Some(context), Some(extension), priority)
            }
            (Some(extension), Some(priority), None) => (None, Some(extension), priority),
            (Some(priority), None, None) => (None, None, priority),
            _ => return None,
        };
        let (sign, number) = match priority {
            [b'+', rest @ ..] => (1i64, rest),
            [b'-', rest @ ..] => (-1, rest),
            other => (0, other),
        };
        let priority = match scan_integer(number) {
            Some((value, end)) if end == number.len() => {
                let present = i64::from(self.scope.state.priority);
                if sign == 0 { i64::from(value) } else { present + sign * i64::from(value) }
            }
            _ => match self.find_label(context, extension, number) {
                Some(priority) => i64::from(priority),
                None => {
                    let priority = BStr::new(priority);
                    self.scope.warn(format_args!(
                        "priority '{priority}' must be a number > 0, or valid label"
                    ));
                    return None;
                }
            },
        };
        Some(TargetPlace {
            context: context.map(BString::from),
            extension: extension.map(BString::from),
            priority: u32::try_from(priority).unwrap_or(0),
        })
    }

    fn find_label(
        &self,
        context: Option<&[u8]>,
        extension: Option<&[u8]>,
        label: &[u8],
    ) -> Option<u32> {
        let state = &self.scope.state;
        let context = context.filter(|context| !context.is_empty()).unwrap_or(&state.context);
        let extension =
            extension.filter(|extension| !extension.is_empty()).unwrap_or(&state.extension);
        let plan = self.scope.plan;
        let circumstances = self.scope.circumstances();
        let target = Target::Label(BStr::new(label));
        let found =
            plan.find_in(BStr::new(context), BStr::new(extension), target, &circumstances).ok()?;
        match plan.step(found.step).priority() {
            crate::plan::Priority::Number(number) => Some(number),
            crate::plan::Priority::Hint => None,
        }
    }

    /// Goes to a place; `None` keeps what is.
    pub(crate) fn go_to(&mut self, place: &TargetPlace) {
        if let Some(context) = place.context.as_ref().filter(|context| !context.is_empty()) {
            self.set_context(context);
        }
        if let Some(extension) = place.extension.as_ref().filter(|extension| !extension.is_empty())
        {
            self.set_extension(extension);
        }
        self.scope.state.priority = place.priority;
    }
}

/// A parsed target of a jump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetPlace {
    pub(crate) context: Option<BString>,
    pub(crate) extension: Option<BString>,
    pub(crate) priority: u32,
}
