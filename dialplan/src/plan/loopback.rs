//! `switch => Loopback/...`: extensions that are looked for elsewhere, under another name
//! (pbx/pbx_loopback.c).
//!
//! `[extension][@context][:priority][/pattern]`, with `${EXTEN}`, `${CONTEXT}` and `${PRIORITY}` for what is
//! looked for. What is left out stays; with a pattern only what matches it is looked for.

use bstr::{BString, ByteSlice};

use super::{ContextId, HINT, Plan, Switch, Target};
use crate::pattern::{Name, Question, Verdict};
use crate::substitute::{Part, Reference, Template};

/// Where a loopback leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Landing {
    pub(crate) context: ContextId,
    pub(crate) extension: BString,
    /// `-1` is the hint.
    pub(crate) priority: i32,
}

impl Landing {
    pub(super) fn target(&self) -> Option<Target<'static>> {
        match u32::try_from(self.priority) {
            Ok(priority) => Some(Target::Priority(priority)),
            Err(_) => (self.priority == HINT).then_some(Target::Hint),
        }
    }
}

/// The loopbacks among the switches of a context, in order.
pub(super) fn templates(switches: &[Switch]) -> Vec<Template> {
    let loopbacks = switches.iter().filter(|switch| switch.kind.eq_ignore_ascii_case(b"Loopback"));
    loopbacks.map(|switch| Template::parse(&switch.data)).collect()
}

impl Plan {
    /// Where the loopbacks of a context lead from a dialled text.
    pub(super) fn landings<'a>(
        &'a self,
        context: ContextId,
        dialled: &'a [u8],
        priority: i32,
    ) -> impl Iterator<Item = Landing> + 'a {
        let data = &self.contexts[context.0 as usize];
        data.loopbacks.iter().filter_map(move |template| {
            let text = filled(template, dialled, &data.name, priority);
            let (place, pattern) = text.split_once_str("/").unwrap_or((&text, b""));
            let (extension, rest) = place.split_once_str("@").unwrap_or((place, b""));
            let name = rest.split_once_str(":").map_or(rest, |(name, _)| name);
            let is_wanted = pattern.is_empty()
                || Name::parse(pattern.as_bstr()).verdict(dialled.as_bstr(), Question::Match)
                    != Verdict::No;
            if !is_wanted {
                return None;
            }
            let context = if name.is_empty() { context } else { self.context(name)? };
            let extension = if extension.is_empty() { dialled } else { extension };
            let extension = BString::from(extension);
            // A `:priority` may be written; Asterisk never takes it, since its scan begins at the colon.
            Some(Landing { context, extension, priority })
        })
    }
}

/// Whether a loopback asks for nothing but what is looked for.
pub(super) fn is_simple(data: &[u8]) -> bool {
    Template::parse(data).parts().iter().all(|part| match part {
        Part::Text(_) => true,
        Part::Reference(Reference::Variable { name, .. }) => {
            matches!(&**name, b"EXTEN" | b"CONTEXT" | b"PRIORITY")
        }
        _ => false,
    })
}

/// The text of a loopback for what is looked for.
fn filled(template: &Template, dialled: &[u8], context: &[u8], priority: i32) -> BString {
    let mut out = Vec::new();
    for part in template.parts() {
        match part {
            Part::Text(text) => out.extend_from_slice(text),
            Part::Reference(Reference::Variable { name, slice }) => match &**name {
                b"EXTEN" => out.extend_from_slice(slice.of(dialled)),
                b"CONTEXT" => out.extend_from_slice(slice.of(context)),
                b"PRIORITY" => {
                    out.extend_from_slice(slice.of(priority.to_string().as_bytes()));
                }
                _ => {}
            },
            // There is no channel to ask for anything else.
            Part::Reference(Reference::Function { .. })
            | Part::Computed(_)
            | Part::Expression(_)
            | Part::Unclosed(_) => {}
        }
    }
    out.into()
}

/// Loopbacks followed by one lookup: more is a ring.
pub(super) const MOST_LOOPBACKS: u32 = 16;
