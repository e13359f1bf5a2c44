//! A dialplan ready to run: contexts, extensions in the order they are tried, steps.
//!
//! A [`Plan`] never changes and can be shared between threads; a reload makes a new one. Lookups
//! cost what the dialled text is long, whatever the size of the plan; see [`Plan::find`].
//!
//! ```
//! use diesis_dialplan::{
//!     conf::{self, MemoryFiles, Options},
//!     plan::{Circumstances, Plan, Target},
//! };
//!
//! let text = "[office]\nexten => _1XX,1,Dial(PJSIP/${EXTEN})\nexten => 100,1,Answer()\n";
//! let files = MemoryFiles::new().with("extensions.conf", text);
//! let conf = conf::load("extensions.conf", &files, &Options::default());
//! let (plan, diagnostics) = Plan::load(&conf, &Default::default());
//! assert!(diagnostics.is_empty());
//!
//! let office = plan.context("office").expect("it is there");
//! let found = plan.find(office, "105".into(), Target::Priority(1), &Circumstances::default());
//! assert_eq!(plan.step(found.expect("it matches").step).application(), "Dial");
//! ```

mod build;
mod index;
mod load;
mod lookup;
mod loopback;

use std::collections::HashMap;

use bstr::{BStr, BString, ByteSlice};

pub use load::{BareArguments, LoadOptions};
pub(crate) use lookup::Way;
pub use lookup::{Circumstances, Found, NotFound, Target};
pub(crate) use loopback::Landing;

use crate::{
    application::Application,
    channel::Channel,
    host::Host,
    numbering::NumberingPlan,
    pattern::{Element, Name},
    rules::Rulebook,
    schedule::Schedule,
    scope::Scope,
    state::State,
    substitute::Template,
    timetable::Timetables,
    videoshare,
};
use index::ContextIndex;

/// A dialplan ready to run.
#[derive(Debug, Default)]
pub struct Plan {
    /// All names and arguments, one after another.
    text: BString,
    contexts: Vec<ContextData>,
    by_name: HashMap<BString, ContextId>,
    extensions: Vec<ExtensionData>,
    callers: Vec<Caller>,
    steps: Vec<StepData>,
    /// The arguments of each step, taken apart.
    templates: Vec<Template>,
    /// The steps with labels, sorted by label within each extension.
    labels: Vec<StepId>,
    /// The positions of all patterns, each once.
    elements: Vec<Element>,
    applications: Vec<BString>,
    /// What runs each of `applications`.
    programs: Vec<Option<&'static Application>>,
    globals: Vec<(BString, BString)>,
    /// What `[globals]` says, in order, nothing replaced.
    global_lines: Vec<(BString, BString)>,
    settings: Settings,
    files: Vec<String>,
    numbering: Option<NumberingPlan>,
    timetables: Timetables,
    rules: Rulebook,
    videoshare: videoshare::Rooms,
}

/// Which context of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContextId(u32);

/// Which extension of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtensionId(u32);

/// Which step of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(u32);

/// Which application name of a plan: equal names in any letter case have the same. A host may keep
/// a table by it, and find what to run without comparing text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplicationId(u32);

impl ApplicationId {
    /// Its place in a table: less than [`Plan::applications`] has.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl StepId {
    /// Its place in a table of all steps.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What `[general]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What happens where an extension ends without a hang-up.
    pub fall_through: FallThrough,
    /// What a reload does to the globals.
    pub globals_at_reload: GlobalsAtReload,
    /// Whether the command line may change the file. Diesis never does; kept for show.
    pub static_file: bool,
    /// The context of users from other files; `default` if not set.
    pub users_context: BString,
}

/// What happens where an extension ends without a hang-up: `autofallthrough`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FallThrough {
    /// The call ends, with a tone that follows the last `Dial`.
    End,
    /// The call waits for another extension to be dialled.
    WaitForExtension,
}

/// What a reload does to the globals: `clearglobalvars`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalsAtReload {
    /// Those of the file are set again, all others stay.
    Keep,
    /// All are removed first.
    Clear,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fall_through: FallThrough::End,
            globals_at_reload: GlobalsAtReload::Keep,
            static_file: false,
            users_context: "default".into(),
        }
    }
}

/// The number of a step within its extension, or that it is the extension's hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Not a step to run: which devices the extension stands for.
    Hint,
    /// Counted from 1.
    Number(u32),
}

/// A part of [`Plan::text`].
#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    start: u32,
    length: u32,
}

#[derive(Debug)]
struct ContextData {
    name: BString,
    /// Contexts whose names differ in letter case only have the same: an include of one from the
    /// other counts as a loop.
    folded: u32,
    extensions: (u32, u32),
    /// Where the patterns begin among the extensions.
    patterns: u32,
    index: ContextIndex,
    includes: Vec<IncludeData>,
    ignore_patterns: Vec<(BString, Name)>,
    switches: Vec<Switch>,
    /// The `Loopback` ones among them.
    loopbacks: Vec<Template>,
    auto_hints: bool,
}

#[derive(Debug)]
struct IncludeData {
    text: BString,
    context: Option<ContextId>,
    schedule: Option<Box<Schedule>>,
}

/// A place outside the plan where extensions may be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Such as `Realtime`.
    pub kind: BString,
    /// What follows the first slash.
    pub data: BString,
    /// What happens to variables in the data.
    pub evaluation: crate::ast::SwitchKind,
}

#[derive(Debug)]
struct ExtensionData {
    context: u32,
    name: Slice,
    /// For a literal name, the name without its dashes.
    key: Slice,
    /// Index into [`Plan::callers`], or [`NO_CALLER`].
    caller: u32,
    steps: (u32, u32),
    labels: (u32, u32),
}

const NO_CALLER: u32 = u32::MAX;

/// The caller an extension is bound to.
#[derive(Debug)]
struct Caller {
    text: BString,
    name: Name,
}

#[derive(Debug)]
struct StepData {
    extension: u32,
    /// [`HINT`] for a hint.
    priority: i32,
    label: Slice,
    application: ApplicationId,
    /// The name as written, where it differs from the first of that name.
    spelling: Slice,
    arguments: Slice,
    file: u32,
    line: u32,
}

/// Asterisk's number for a hint, which sorts before all steps.
const HINT: i32 = -1;

impl Plan {
    /// The context of a name; letter case counts.
    pub fn context(&self, name: impl AsRef<[u8]>) -> Option<ContextId> {
        self.by_name.get(name.as_ref().as_bstr()).copied()
    }

    /// All contexts, in the order they were first written.
    pub fn contexts(&self) -> impl ExactSizeIterator<Item = Context<'_>> {
        (0..self.contexts.len() as u32).map(|id| self.view(ContextId(id)))
    }

    /// A context.
    pub fn view(&self, id: ContextId) -> Context<'_> {
        Context { plan: self, id }
    }

    /// An extension.
    pub fn extension(&self, id: ExtensionId) -> Extension<'_> {
        Extension { plan: self, id }
    }

    /// A step.
    pub fn step(&self, id: StepId) -> Step<'_> {
        Step { plan: self, id }
    }

    /// How many steps there are.
    pub fn step_count(&self) -> usize {
        self.steps.len()
    }

    /// The names of all applications used, as first written, by [`ApplicationId::index`].
    pub fn applications(&self) -> &[BString] {
        &self.applications
    }

    /// The globals, with the values they have after loading.
    pub fn globals(&self) -> &[(BString, BString)] {
        &self.globals
    }

    /// Puts `[globals]` in force: evaluates its lines in order in the host's world and at its time, and writes
    /// the functions among them, such as `DB(family/key) = value`.
    pub fn set_globals(&self, host: &mut dyn Host) {
        let mut state = State::new(Channel::new(""));
        let mut scope = Scope { state: &mut state, plan: self, host };
        for (name, text) in &self.global_lines {
            let mut value = Vec::new();
            scope.substitute(text, &mut value);
            if name.ends_with(b")") {
                scope.assign(name, &value);
                continue;
            }
            let name = name.strip_prefix(b"__").or_else(|| name.strip_prefix(b"_")).unwrap_or(name);
            scope.host.world_mut().globals.set(name, &value);
        }
    }

    /// The devices of a hint for one extension, before and after its first comma: as they stand, or for a
    /// pattern with what its hint refers to replaced in the host's world.
    pub fn hint_devices(&self, hint: StepId, extension: &BStr, host: &mut dyn Host) -> BString {
        let step = self.step(hint);
        let text = step.application();
        if !step.extension().is_pattern() {
            return text.into();
        }
        let mut state = State::new(Channel::new(""));
        state.context = self.view(step.extension().context()).name().into();
        state.extension = extension.into();
        let mut devices = Vec::new();
        Scope { state: &mut state, plan: self, host }.substitute(text, &mut devices);
        devices.into()
    }

    /// What `[general]` says.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How numbers are read (NUMBERING), when there is a numbering plan.
    pub fn numbering(&self) -> Option<&NumberingPlan> {
        self.numbering.as_ref()
    }

    /// Gives NUMBERING() a numbering plan.
    pub fn set_numbering(&mut self, numbering: NumberingPlan) {
        self.numbering = Some(numbering);
    }

    /// Opening hours (Schedule, SCHEDULE), by name.
    pub fn timetables(&self) -> &Timetables {
        &self.timetables
    }

    /// Gives Schedule() and SCHEDULE() their opening hours.
    pub fn set_timetables(&mut self, timetables: Timetables) {
        self.timetables = timetables;
    }

    /// Forwarding rules (Rules, RULES).
    pub fn rules(&self) -> &Rulebook {
        &self.rules
    }

    /// Gives Rules() and RULES() the users and their rules.
    pub fn set_rules(&mut self, rules: Rulebook) {
        self.rules = rules;
    }

    /// Rooms of VideoShare().
    pub fn videoshare(&self) -> &videoshare::Rooms {
        &self.videoshare
    }

    /// Gives VideoShare() its rooms.
    pub fn set_videoshare(&mut self, rooms: videoshare::Rooms) {
        self.videoshare = rooms;
    }

    /// Takes the arguments of all steps apart and looks up what runs them.
    fn compile(&mut self) {
        let templates = self.steps.iter().map(|step| Template::parse(self.slice(step.arguments)));
        self.templates = templates.collect();
        self.programs =
            self.applications.iter().map(|name| crate::application::find(name)).collect();
    }

    fn slice(&self, slice: Slice) -> &BStr {
        let start = slice.start as usize;
        self.text[start..start + slice.length as usize].as_bstr()
    }
}

/// A context of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    plan: &'a Plan,
    id: ContextId,
}

impl<'a> Context<'a> {
    /// To find it again.
    pub fn id(&self) -> ContextId {
        self.id
    }

    /// Its name.
    pub fn name(&self) -> &'a BStr {
        self.data().name.as_bstr()
    }

    /// Its own extensions, in the order they are tried.
    pub fn extensions(&self) -> impl ExactSizeIterator<Item = Extension<'a>> + use<'a> {
        let (start, end) = self.data().extensions;
        let plan = self.plan;
        (start..end).map(move |id| Extension { plan, id: ExtensionId(id) })
    }

    /// What it includes, in the order written.
    pub fn includes(
        &self,
    ) -> impl ExactSizeIterator<Item = Include<'a>> + DoubleEndedIterator + use<'a> {
        self.data().includes.iter().map(|data| Include { data })
    }

    /// Its `ignorepat` lines.
    pub fn ignore_patterns(&self) -> impl ExactSizeIterator<Item = &'a BStr> + use<'a> {
        self.data().ignore_patterns.iter().map(|(text, _)| text.as_bstr())
    }

    /// Its switches, in the order written.
    pub fn switches(&self) -> &'a [Switch] {
        &self.data().switches
    }

    /// Whether hints are to be made for devices that register: `autohints`.
    pub fn has_auto_hints(&self) -> bool {
        self.data().auto_hints
    }

    fn data(&self) -> &'a ContextData {
        &self.plan.contexts[self.id.0 as usize]
    }
}

/// An `include` line of a context.
#[derive(Clone, Copy, Debug)]
pub struct Include<'a> {
    data: &'a IncludeData,
}

impl<'a> Include<'a> {
    /// The line's value, variables replaced, with its time condition.
    pub fn text(&self) -> &'a BStr {
        self.data.text.as_bstr()
    }

    /// The context; `None` if there is none of that name.
    pub fn context(&self) -> Option<ContextId> {
        self.data.context
    }

    /// When it counts; `None` is always.
    pub fn schedule(&self) -> Option<&'a Schedule> {
        self.data.schedule.as_deref()
    }
}

/// An extension of a plan: a name or pattern, perhaps for some callers only, with its steps.
#[derive(Clone, Copy, Debug)]
pub struct Extension<'a> {
    plan: &'a Plan,
    id: ExtensionId,
}

impl<'a> Extension<'a> {
    /// To find it again.
    pub fn id(&self) -> ExtensionId {
        self.id
    }

    /// The context it is defined in.
    pub fn context(&self) -> ContextId {
        ContextId(self.data().context)
    }

    /// Its name as written, blanks removed.
    pub fn name(&self) -> &'a BStr {
        self.plan.slice(self.data().name)
    }

    /// Whether the name is a pattern.
    pub fn is_pattern(&self) -> bool {
        self.name().first() == Some(&b'_')
    }

    /// The caller it is for; empty for callers without a number.
    pub fn caller(&self) -> Option<&'a BStr> {
        let caller = self.plan.callers.get(self.data().caller as usize)?;
        Some(caller.text.as_bstr())
    }

    /// Its hint: which devices it stands for.
    pub fn hint(&self) -> Option<Step<'a>> {
        self.steps().next().filter(|step| step.priority() == Priority::Hint)
    }

    /// Its steps by priority, the hint first.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = Step<'a>> + use<'a> {
        let (start, end) = self.data().steps;
        let plan = self.plan;
        (start..end).map(move |id| Step { plan, id: StepId(id) })
    }

    fn data(&self) -> &'a ExtensionData {
        &self.plan.extensions[self.id.0 as usize]
    }
}

/// A step of a plan: an application to run, or a hint.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    plan: &'a Plan,
    id: StepId,
}

impl<'a> Step<'a> {
    /// To find it again.
    pub fn id(&self) -> StepId {
        self.id
    }

    /// The extension it belongs to.
    pub fn extension(&self) -> Extension<'a> {
        Extension { plan: self.plan, id: ExtensionId(self.data().extension) }
    }

    /// Its number.
    pub fn priority(&self) -> Priority {
        match u32::try_from(self.data().priority) {
            Ok(number) => Priority::Number(number),
            Err(_) => Priority::Hint,
        }
    }

    /// Its label.
    pub fn label(&self) -> Option<&'a BStr> {
        let label = self.plan.slice(self.data().label);
        (!label.is_empty()).then_some(label)
    }

    /// The application's name as written; for a hint, its devices.
    pub fn application(&self) -> &'a BStr {
        self.plan.slice(self.data().spelling)
    }

    /// The application by number.
    pub fn application_id(&self) -> ApplicationId {
        self.data().application
    }

    /// The arguments as written, nothing replaced.
    pub fn arguments(&self) -> &'a BStr {
        self.plan.slice(self.data().arguments)
    }

    /// The arguments, taken apart once for all calls.
    pub fn template(&self) -> &'a Template {
        &self.plan.templates[self.id.0 as usize]
    }

    /// What runs it; `None` if this crate does not know the application.
    pub fn program(&self) -> Option<&'static Application> {
        self.plan.programs[self.data().application.index()]
    }

    /// The file it is written in.
    pub fn file(&self) -> &'a str {
        &self.plan.files[self.data().file as usize]
    }

    /// The line it is written in, counted from 1.
    pub fn line(&self) -> u32 {
        self.data().line
    }

    fn data(&self) -> &'a StepData {
        &self.plan.steps[self.id.0 as usize]
    }
}

#[cfg(test)]
mod tests;
