//! `diesis dialplan show`: a dialplan as it is loaded.

use std::io::{self, Write};
use std::ops::ControlFlow;

use bstr::{BStr, ByteSlice};
use diesis_dialplan::ast::SwitchKind;
use diesis_dialplan::plan::{Context, ContextId, Extension, Plan, Priority, Step, Switch};
use serde::Serialize;

use super::{Found, Trouble, context, load, visible};
use crate::cli::{Format, dialplan::Show};

pub(super) fn run(show: &Show, out: &mut impl Write) -> Result<Found, Trouble> {
    let plan = load(&show.path)?;
    let parts = select(&plan, show.place.as_deref())?;
    match show.format {
        Format::Text => print(&plan, &parts, out)?,
        Format::Json => {
            let contexts = parts.iter().map(ContextRow::new).collect();
            let globals = match show.place {
                None => {
                    plan.globals().iter().map(|(name, value)| [text(name), text(value)]).collect()
                }
                Some(_) => vec![],
            };
            serde_json::to_writer_pretty(&mut *out, &Rows { contexts, globals })
                .map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    Ok(if parts.is_empty() { Found::No } else { Found::Yes })
}

/// A context, and which of its extensions to show.
struct Part<'a> {
    context: Context<'a>,
    extensions: Vec<Extension<'a>>,
    is_whole: bool,
}

impl<'a> Part<'a> {
    fn whole(context: Context<'a>) -> Self {
        Self { context, extensions: context.extensions().collect(), is_whole: true }
    }
}

/// What `CONTEXT`, `CONTEXT@EXTEN` or `EXTEN@CONTEXT` means. The first context that exists counts.
fn select<'a>(plan: &'a Plan, place: Option<&str>) -> Result<Vec<Part<'a>>, Trouble> {
    let Some(place) = place else { return Ok(plan.contexts().map(Part::whole).collect()) };
    if let Some(id) = plan.context(place) {
        return Ok(vec![Part::whole(plan.view(id))]);
    }
    let Some((left, right)) = place.split_once('@') else {
        return context(plan, place.into()).map(|id| vec![Part::whole(plan.view(id))]);
    };
    let (name, number) = match (plan.context(left), plan.context(right)) {
        (None, Some(_)) => (right, left),
        _ => (left, right),
    };
    let start = if name.is_empty() { None } else { Some(context(plan, name.into())?) };
    let contexts = match start {
        Some(start) => with_included(plan, start),
        // `@100` searches everywhere.
        None => plan.contexts().map(|context| context.id()).collect(),
    };
    let parts: Vec<_> =
        contexts.into_iter().filter_map(|id| matching(plan, id, number.into())).collect();
    if parts.is_empty() {
        eprintln!("diesis: nothing matches `{number}` in `{name}` and what it includes");
    }
    Ok(parts)
}

/// A context and all that it includes at any time, in the order of lookup.
fn with_included(plan: &Plan, start: ContextId) -> Vec<ContextId> {
    let (mut seen, mut pending) = (vec![], vec![start]);
    while let Some(id) = pending.pop() {
        if !seen.contains(&id) {
            seen.push(id);
            pending.extend(plan.view(id).includes().rev().filter_map(|include| include.context()));
        }
    }
    seen
}

fn matching<'a>(plan: &'a Plan, id: ContextId, number: &BStr) -> Option<Part<'a>> {
    let context = plan.view(id);
    let mut found = vec![];
    let _: ControlFlow<()> = plan.visit_extensions(id, number, |extension| {
        found.push(extension.id());
        ControlFlow::Continue(())
    });
    let is_shown =
        |extension: &Extension<'_>| found.contains(&extension.id()) || extension.name() == number;
    let extensions: Vec<_> = context.extensions().filter(is_shown).collect();
    (!extensions.is_empty()).then_some(Part { context, extensions, is_whole: false })
}

fn print(plan: &Plan, parts: &[Part<'_>], out: &mut impl Write) -> io::Result<()> {
    for part in parts {
        print_part(plan, part, out)?;
        writeln!(out)?;
    }
    let extensions: usize = parts.iter().map(|part| part.extensions.len()).sum();
    let steps: usize =
        parts.iter().flat_map(|part| &part.extensions).map(|found| found.steps().len()).sum();
    let counts = [(parts.len(), "context"), (extensions, "extension"), (steps, "step")];
    let [contexts, extensions, steps] = counts.map(crate::check::counted);
    writeln!(out, "{contexts}, {extensions}, {steps}")
}

fn print_part(plan: &Plan, part: &Part<'_>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "[{}]", visible(part.context.name()))?;
    let rows: Vec<_> = part
        .extensions
        .iter()
        .flat_map(|extension| {
            let names =
                std::iter::once(full_name(extension)).chain(std::iter::repeat(String::new()));
            names.zip(extension.steps())
        })
        .map(|(name, step)| (name, number(&step), described(&step), step))
        .collect();
    let width = |most: usize, lengths: &mut dyn Iterator<Item = usize>| {
        lengths.filter(|length| *length <= most).max().unwrap_or(0)
    };
    let names = width(WIDEST_NAME, &mut rows.iter().map(|row| row.0.chars().count()));
    let numbers = rows.iter().map(|row| row.1.len()).max().unwrap_or(0);
    let steps = width(WIDEST_STEP, &mut rows.iter().map(|row| row.2.chars().count()));
    for (name, number, described, step) in rows {
        let place = format_args!("{}:{}", step.file(), step.line());
        writeln!(out, "  {name:names$}  {number:>numbers$}  {described:steps$}  {place}")?;
    }
    if !part.is_whole {
        return Ok(());
    }
    for include in part.context.includes() {
        write!(out, "  include => {}", visible(include.text()))?;
        match include.context() {
            Some(_) => writeln!(out)?,
            None => writeln!(out, "   (there is no such context)")?,
        }
    }
    for pattern in part.context.ignore_patterns() {
        writeln!(out, "  ignorepat => {}", visible(pattern))?;
    }
    for switch in part.context.switches() {
        let (kind, data) = (visible(&switch.kind), visible(&switch.data));
        writeln!(out, "  {} => {kind}/{data}", keyword(switch))?;
    }
    if part.context.has_auto_hints() {
        writeln!(out, "  autohints => yes")?;
    }
    let is_included = |other: &Context<'_>| {
        other.includes().any(|include| include.context() == Some(part.context.id()))
    };
    let included: Vec<_> =
        plan.contexts().filter(is_included).map(|other| visible(other.name())).collect();
    if !included.is_empty() {
        writeln!(out, "  included by {}", included.join(", "))?;
    }
    Ok(())
}

/// The name with the caller that it is bound to.
pub(super) fn full_name(extension: &Extension<'_>) -> String {
    let name = visible(extension.name());
    extension.caller().map_or_else(|| name.clone(), |caller| format!("{name}/{}", visible(caller)))
}

fn number(step: &Step<'_>) -> String {
    match step.priority() {
        Priority::Hint => "hint".to_owned(),
        Priority::Number(number) => format!("{number}."),
    }
}

/// Label, application and arguments.
pub(super) fn described(step: &Step<'_>) -> String {
    let label = step.label().map_or_else(String::new, |label| format!("({}) ", visible(label)));
    let (application, arguments) = (visible(step.application()), visible(step.arguments()));
    match step.priority() {
        Priority::Hint => application,
        Priority::Number(_) => format!("{label}{application}({arguments})"),
    }
}

fn keyword(switch: &Switch) -> &'static str {
    match switch.evaluation {
        SwitchKind::AtLoad => "switch",
        SwitchKind::Literal => "lswitch",
        SwitchKind::AtLookup => "eswitch",
    }
}

/// The whole answer for programs.
#[derive(Serialize)]
struct Rows {
    contexts: Vec<ContextRow>,
    /// Names and values in the order of the file; empty when only a part is shown.
    globals: Vec<[String; 2]>,
}

#[derive(Serialize)]
struct ContextRow {
    name: String,
    extensions: Vec<ExtensionRow>,
    includes: Vec<IncludeRow>,
    ignorepats: Vec<String>,
    switches: Vec<String>,
}

#[derive(Serialize)]
struct IncludeRow {
    text: String,
    exists: bool,
}

#[derive(Serialize)]
struct ExtensionRow {
    exten: String,
    callerid: Option<String>,
    steps: Vec<StepRow>,
}

/// A step for programs.
#[derive(Serialize)]
pub(super) struct StepRow {
    /// `None` for a hint.
    priority: Option<u32>,
    label: Option<String>,
    application: String,
    arguments: String,
    file: String,
    line: u32,
}

impl ContextRow {
    fn new(part: &Part<'_>) -> Self {
        let context = &part.context;
        let include = |include: diesis_dialplan::plan::Include<'_>| IncludeRow {
            text: text(include.text()),
            exists: include.context().is_some(),
        };
        let switch = |switch: &Switch| {
            format!("{} => {}/{}", keyword(switch), text(&switch.kind), text(&switch.data))
        };
        Self {
            name: text(context.name()),
            extensions: part.extensions.iter().map(ExtensionRow::new).collect(),
            includes: context.includes().map(include).collect(),
            ignorepats: context.ignore_patterns().map(|pattern| text(pattern)).collect(),
            switches: context.switches().iter().map(switch).collect(),
        }
    }
}

impl ExtensionRow {
    fn new(extension: &Extension<'_>) -> Self {
        Self {
            exten: text(extension.name()),
            callerid: extension.caller().map(|caller| text(caller)),
            steps: extension.steps().map(|step| StepRow::new(&step)).collect(),
        }
    }
}

impl StepRow {
    pub(super) fn new(step: &Step<'_>) -> Self {
        Self {
            priority: match step.priority() {
                Priority::Hint => None,
                Priority::Number(number) => Some(number),
            },
            label: step.label().map(|label| text(label)),
            application: text(step.application()),
            arguments: text(step.arguments()),
            file: step.file().to_owned(),
            line: step.line(),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.to_str_lossy().into_owned()
}

/// Longer names and steps push what follows them aside instead of widening the column.
const WIDEST_NAME: usize = 24;
const WIDEST_STEP: usize = 64;

#[cfg(test)]
mod tests {
    use diesis_dialplan::conf::{self, MemoryFiles};

    use super::*;

    const PLAN: &str = "[office]
include => night,18:00-8:00,*,*,*
include => gone
ignorepat => 9
exten => _1XX,1,Dial(PJSIP/${EXTEN},20)
exten => 100,hint,PJSIP/100
exten => 100,1(top),Answer()
 same => 3,Goto(top)
exten => 100/555,1,Busy()
[night]
exten => _X.,1,Playback(closed)
";

    fn plan() -> Plan {
        let files = MemoryFiles::new().with("extensions.conf", PLAN);
        let conf = conf::load("extensions.conf", &files, &conf::Options::default());
        Plan::load(&conf, &Default::default()).0
    }

    fn printed(place: Option<&str>) -> String {
        let plan = plan();
        let mut out = vec![];
        print(&plan, &select(&plan, place).unwrap(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_plan_is_shown_in_the_order_of_lookup() {
        let shown = "\
[office]
  100/555    1.  Busy()                   extensions.conf:9
  100      hint  PJSIP/100                extensions.conf:6
             1.  (top) Answer()           extensions.conf:7
             3.  Goto(top)                extensions.conf:8
  _1XX       1.  Dial(PJSIP/${EXTEN},20)  extensions.conf:5
  include => night,18:00-8:00,*,*,*
  include => gone   (there is no such context)
  ignorepat => 9

[night]
  _X.  1.  Playback(closed)  extensions.conf:11
  included by office

2 contexts, 4 extensions, 6 steps
";
        assert_eq!(printed(None), shown);
    }

    #[test]
    fn a_number_shows_what_matches_it_includes_too() {
        let matching = printed(Some("office@105"));
        assert!(matching.contains("_1XX") && matching.contains("_X."), "{matching}");
        assert!(!matching.contains("PJSIP/100"), "{matching}");
        assert_eq!(printed(Some("105@office")), matching);
        assert!(printed(Some("office@_1XX")).contains("_1XX"));
        assert!(select(&plan(), Some("office@nothing")).unwrap().is_empty());
    }

    #[test]
    fn a_mistyped_context_is_guessed() {
        let Err(trouble) = select(&plan(), Some("offcie@100")) else { panic!("it is not there") };
        assert_eq!(trouble.to_string(), "there is no context `offcie`; did you mean `office`?");
    }
}
