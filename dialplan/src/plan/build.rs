//! Gathers contexts, extensions and steps in the order of the file, and lays them out in the order
//! of lookup (main/pbx.c: ast_add_extension2_lockopt, add_priority).

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet, hash_map},
};

use bstr::{BStr, BString, ByteSlice};

use super::{
    ApplicationId, Caller, ContextData, ContextId, ExtensionData, IncludeData, NO_CALLER, Plan,
    Settings, Slice, StepData, StepId, Switch, index::ContextIndex,
};
use crate::{
    pattern::{Element, Name, Pattern, Question, Verdict, without_dashes},
    plan::lookup::caller_fits,
    schedule::Schedule,
};

/// A plan in the making.
#[derive(Default)]
pub(super) struct Builder {
    text: BString,
    contexts: Vec<ContextBuild>,
    by_name: HashMap<BString, usize>,
    elements: Interned<Element>,
    applications: HashMap<BString, ApplicationId>,
    application_names: Vec<BString>,
    globals: Vec<(BString, BString)>,
    globals_by_name: HashMap<BString, usize>,
    global_lines: Vec<(BString, BString)>,
    pub(super) settings: Settings,
    pub(super) files: Vec<String>,
}

#[derive(Default)]
struct ContextBuild {
    name: BString,
    extensions: Vec<ExtensionBuild>,
    by_key: HashMap<BString, usize>,
    includes: Vec<IncludeBuild>,
    /// The texts of the includes, in small letters.
    included: HashSet<Vec<u8>>,
    ignore_patterns: Vec<BString>,
    ignored: HashSet<Vec<u8>>,
    switches: Vec<Switch>,
    auto_hints: bool,
}

struct ExtensionBuild {
    name: Slice,
    key: ExtensionKey,
    caller: Option<CallerBuild>,
    steps: Vec<StepBuild>,
}

/// What makes two names the same extension.
enum ExtensionKey {
    /// The name without its dashes.
    Literal(Slice),
    /// The positions, interned.
    Pattern(Vec<u32>),
}

struct CallerBuild {
    text: BString,
    name: Name,
}

struct StepBuild {
    priority: i32,
    label: Slice,
    application: ApplicationId,
    spelling: Slice,
    arguments: Slice,
    file: u32,
    line: u32,
    /// In the order of the file: the later of two steps with one label is found.
    order: u32,
}

struct IncludeBuild {
    text: BString,
    context: BString,
    schedule: Option<Box<Schedule>>,
}

/// A step to add.
pub(super) struct NewStep<'a> {
    pub(super) extension: &'a BStr,
    pub(super) caller: Option<&'a BStr>,
    pub(super) priority: i32,
    pub(super) label: Option<&'a BStr>,
    pub(super) application: &'a BStr,
    pub(super) arguments: &'a BStr,
    pub(super) file: u32,
    pub(super) line: u32,
}

/// What became of a step to add.
pub(super) enum Added {
    Whole,
    /// Without its label, which the step on that line has.
    WithoutLabel {
        line: u32,
        file: u32,
    },
    /// Not at all: the step on that line has its priority, perhaps under another name.
    Taken {
        line: u32,
        file: u32,
        name: BString,
    },
}

impl Builder {
    /// Sets a global, or changes it.
    /// Keeps a line of `[globals]` as it is written.
    pub(super) fn keep_global_line(&mut self, name: &BStr, text: &BStr) {
        self.global_lines.push((name.into(), text.into()));
    }

    pub(super) fn set_global(&mut self, name: &BStr, value: BString) {
        match self.globals_by_name.get(name) {
            Some(&index) => self.globals[index].1 = value,
            None => {
                self.globals_by_name.insert(name.into(), self.globals.len());
                self.globals.push((name.into(), value));
            }
        }
    }

    /// The name of a context.
    pub(super) fn name(&self, context: usize) -> BString {
        self.contexts[context].name.clone()
    }

    /// The context of a name, made if it is new.
    pub(super) fn context(&mut self, name: &BStr) -> usize {
        if let Some(&index) = self.by_name.get(name) {
            return index;
        }
        self.contexts.push(ContextBuild { name: name.into(), ..ContextBuild::default() });
        self.by_name.insert(name.into(), self.contexts.len() - 1);
        self.contexts.len() - 1
    }

    pub(super) fn has_context(&self, name: &BStr) -> bool {
        self.by_name.contains_key(name)
    }

    /// Adds a step unless its extension has one of that priority.
    pub(super) fn add_step(&mut self, context: usize, step: &NewStep<'_>) -> Added {
        let index = self.extension(context, step.extension, step.caller);
        let file_line = |step: &StepBuild| (step.line, step.file);
        let extension = &self.contexts[context].extensions[index];
        let place = extension.steps.binary_search_by_key(&step.priority, |step| step.priority);
        let at = match place {
            Ok(at) => {
                let (line, file) = file_line(&extension.steps[at]);
                let name = slice(&self.text, extension.name).into();
                return Added::Taken { line, file, name };
            }
            Err(at) => at,
        };
        let taken = step.label.and_then(|label| {
            // Asterisk looks for the label up to the step that comes next, no further.
            let before = &extension.steps[..extension.steps.len().min(at + 1)];
            before.iter().find(|step| slice(&self.text, step.label) == label).map(file_line)
        });
        let label = step.label.filter(|_| taken.is_none()).unwrap_or_default();
        let order = extension.steps.len() as u32;
        let built = StepBuild {
            priority: step.priority,
            label: self.keep(label),
            application: self.application(step.application),
            spelling: self.spelling(step.application),
            arguments: self.keep(step.arguments),
            file: step.file,
            line: step.line,
            order,
        };
        self.contexts[context].extensions[index].steps.insert(at, built);
        match taken {
            Some((line, file)) => Added::WithoutLabel { line, file },
            None => Added::Whole,
        }
    }

    /// The priority of a label, searched as a call would search it in this context alone.
    pub(super) fn find_label(
        &mut self,
        context: usize,
        extension: &BStr,
        caller: Option<&BStr>,
        label: &BStr,
    ) -> Option<i32> {
        let own = self.key(extension, caller);
        let callerless = self.key(extension, Some("".into()));
        let context = &self.contexts[context];
        let has_label = |extension: &ExtensionBuild| {
            let steps = extension.steps.iter();
            let found = steps.filter(|step| slice(&self.text, step.label) == label);
            found.max_by_key(|step| step.order).map(|step| step.priority)
        };
        let fits = |extension: &ExtensionBuild| {
            let bound = extension.caller.as_ref().map(|caller| &caller.name);
            bound.is_none_or(|bound| caller_fits(bound, caller))
        };
        // The extension of exactly this name comes first, unless callers without a number have one.
        let is_plain = extension.first() != Some(&b'_') && caller.is_none();
        if is_plain
            && !context.by_key.contains_key(&callerless)
            && let Some(&index) = context.by_key.get(&own)
            && let Some(priority) = has_label(&context.extensions[index])
        {
            return Some(priority);
        }
        let mut found: Option<(&ExtensionBuild, i32)> = None;
        for candidate in &context.extensions {
            let name = Name::parse(slice(&self.text, candidate.name));
            if name.verdict(extension, Question::Match) == Verdict::No || !fits(candidate) {
                continue;
            }
            let Some(priority) = has_label(candidate) else { continue };
            let is_first = found.is_none_or(|(first, _)| self.order(candidate, first).is_lt());
            if is_first {
                found = Some((candidate, priority));
            }
        }
        found.map(|(_, priority)| priority)
    }

    /// Adds an include unless the same text is there.
    pub(super) fn add_include(
        &mut self,
        context: usize,
        text: &BStr,
        name: &BStr,
        schedule: Option<Box<Schedule>>,
    ) -> bool {
        let context = &mut self.contexts[context];
        let is_new = context.included.insert(text.to_ascii_lowercase());
        if is_new {
            context.includes.push(IncludeBuild {
                text: text.into(),
                context: name.into(),
                schedule,
            });
        }
        is_new
    }

    pub(super) fn add_ignore_pattern(&mut self, context: usize, text: &BStr) -> bool {
        let context = &mut self.contexts[context];
        let is_new = context.ignored.insert(text.to_ascii_lowercase());
        if is_new {
            context.ignore_patterns.push(text.into());
        }
        is_new
    }

    pub(super) fn add_switch(&mut self, context: usize, switch: Switch) -> bool {
        let switches = &mut self.contexts[context].switches;
        let is_new = switches.iter().all(|other| {
            !other.kind.eq_ignore_ascii_case(&switch.kind)
                || !other.data.eq_ignore_ascii_case(&switch.data)
        });
        if is_new {
            switches.push(switch);
        }
        is_new
    }

    pub(super) fn set_auto_hints(&mut self, context: usize, auto_hints: bool) {
        self.contexts[context].auto_hints = auto_hints;
    }

    fn extension(&mut self, context: usize, name: &BStr, caller: Option<&BStr>) -> usize {
        let key = self.key(name, caller);
        let next = self.contexts[context].extensions.len();
        match self.contexts[context].by_key.entry(key) {
            hash_map::Entry::Occupied(entry) => return *entry.get(),
            hash_map::Entry::Vacant(entry) => entry.insert(next),
        };
        let kept = self.keep(name);
        let key = match name.strip_prefix(b"_") {
            Some(pattern) => ExtensionKey::Pattern(self.intern(pattern)),
            None if memchr::memchr(b'-', name).is_none() => ExtensionKey::Literal(kept),
            None => ExtensionKey::Literal(self.keep(without_dashes(name).as_bstr())),
        };
        let caller =
            caller.map(|caller| CallerBuild { text: caller.into(), name: Name::parse(caller) });
        let built = ExtensionBuild { name: kept, key, caller, steps: vec![] };
        self.contexts[context].extensions.push(built);
        next
    }

    /// Bytes that are equal for names that are the same extension.
    fn key(&mut self, name: &BStr, caller: Option<&BStr>) -> BString {
        let mut key = self.name_key(name);
        if let Some(caller) = caller {
            key.push(0);
            key.extend_from_slice(&self.name_key(caller));
        }
        key
    }

    fn name_key(&mut self, name: &BStr) -> BString {
        let Some(pattern) = name.strip_prefix(b"_") else { return without_dashes(name) };
        let mut key = BString::from("_");
        for id in self.intern(pattern) {
            key.extend_from_slice(&id.to_le_bytes());
        }
        key
    }

    fn intern(&mut self, pattern: &[u8]) -> Vec<u32> {
        let elements = Pattern::parse(pattern).elements;
        elements.into_iter().map(|element| self.elements.id(element)).collect()
    }

    fn application(&mut self, name: &BStr) -> ApplicationId {
        let folded: BString = name.to_ascii_lowercase().into();
        let next = ApplicationId(self.application_names.len() as u32);
        let id = *self.applications.entry(folded).or_insert(next);
        if id == next {
            self.application_names.push(name.into());
        }
        id
    }

    fn spelling(&mut self, name: &BStr) -> Slice {
        self.keep(name)
    }

    fn keep(&mut self, text: &BStr) -> Slice {
        let slice = Slice { start: self.text.len() as u32, length: text.len() as u32 };
        self.text.extend_from_slice(text);
        slice
    }

    /// The order of lookup.
    fn order(&self, left: &ExtensionBuild, right: &ExtensionBuild) -> Ordering {
        let names = match (&left.key, &right.key) {
            (ExtensionKey::Literal(left), ExtensionKey::Literal(right)) => {
                slice(&self.text, *left).cmp(slice(&self.text, *right))
            }
            (ExtensionKey::Literal(_), ExtensionKey::Pattern(_)) => Ordering::Less,
            (ExtensionKey::Pattern(_), ExtensionKey::Literal(_)) => Ordering::Greater,
            (ExtensionKey::Pattern(left), ExtensionKey::Pattern(right)) => {
                let left = left.iter().map(|&id| self.elements.get(id));
                left.cmp(right.iter().map(|&id| self.elements.get(id)))
            }
        };
        names.then_with(|| order_of_callers(left.caller.as_ref(), right.caller.as_ref()))
    }

    /// Lays everything out for lookup.
    pub(super) fn finish(mut self) -> Plan {
        let mut plan = Plan {
            globals: std::mem::take(&mut self.globals),
            global_lines: std::mem::take(&mut self.global_lines),
            settings: std::mem::take(&mut self.settings),
            files: std::mem::take(&mut self.files),
            applications: std::mem::take(&mut self.application_names),
            ..Plan::default()
        };
        let mut contexts = std::mem::take(&mut self.contexts);
        let mut folded = HashMap::new();
        let mut patterns_of = Vec::with_capacity(contexts.len());
        for (index, context) in contexts.iter_mut().enumerate() {
            let extensions = std::mem::take(&mut context.extensions);
            let (start, patterns, ids) = self.lay_out(&mut plan, index as u32, extensions);
            patterns_of.push(ids);
            let next = folded.len() as u32;
            let folded = *folded.entry(context.name.to_ascii_lowercase()).or_insert(next);
            plan.contexts.push(self.context_data(context, folded, start, patterns, &plan));
            plan.by_name.insert(context.name.clone(), ContextId(index as u32));
        }
        for (context, built) in contexts.iter().enumerate() {
            for (include, built) in built.includes.iter().enumerate() {
                let target = plan.context(&built.context);
                plan.contexts[context].includes[include].context = target;
            }
        }
        plan.text = self.text;
        plan.text.shrink_to_fit();
        plan.elements = self.elements.values;
        plan.index_contexts(&patterns_of);
        plan.compile();
        plan
    }

    /// Moves sorted extensions into the plan; gives the first, the first pattern, and the positions
    /// of each pattern.
    fn lay_out(
        &self,
        plan: &mut Plan,
        context: u32,
        mut extensions: Vec<ExtensionBuild>,
    ) -> (u32, u32, Vec<Vec<u32>>) {
        let start = plan.extensions.len() as u32;
        // Equal names do not occur, so the order does not depend on the file.
        extensions.sort_unstable_by(|left, right| self.order(left, right));
        let mut patterns = vec![];
        for mut extension in extensions {
            if let ExtensionKey::Pattern(ids) = &mut extension.key {
                patterns.push(std::mem::take(ids));
            }
            self.lay_out_extension(plan, context, extension);
        }
        (start, plan.extensions.len() as u32 - patterns.len() as u32, patterns)
    }

    fn lay_out_extension(&self, plan: &mut Plan, context: u32, built: ExtensionBuild) {
        let id = plan.extensions.len() as u32;
        let first_step = plan.steps.len() as u32;
        let first_label = plan.labels.len() as u32;
        let mut labels: Vec<(&BStr, u32, StepId)> = vec![];
        for step in &built.steps {
            let step_id = StepId(plan.steps.len() as u32);
            if step.label.length > 0 {
                labels.push((slice(&self.text, step.label), u32::MAX - step.order, step_id));
            }
            plan.steps.push(StepData {
                extension: id,
                priority: step.priority,
                label: step.label,
                application: step.application,
                spelling: step.spelling,
                arguments: step.arguments,
                file: step.file,
                line: step.line,
            });
        }
        labels.sort_unstable();
        labels.dedup_by_key(|label| label.0);
        plan.labels.extend(labels.iter().map(|&(_, _, step)| step));
        let caller = match built.caller {
            Some(caller) => {
                plan.callers.push(Caller { text: caller.text, name: caller.name });
                plan.callers.len() as u32 - 1
            }
            None => NO_CALLER,
        };
        let key = match built.key {
            ExtensionKey::Literal(key) => key,
            ExtensionKey::Pattern(_) => built.name,
        };
        plan.extensions.push(ExtensionData {
            context,
            name: built.name,
            key,
            caller,
            steps: (first_step, plan.steps.len() as u32),
            labels: (first_label, plan.labels.len() as u32),
        });
    }

    fn context_data(
        &self,
        built: &mut ContextBuild,
        folded: u32,
        start: u32,
        patterns: u32,
        plan: &Plan,
    ) -> ContextData {
        let includes = built.includes.iter_mut().map(|include| IncludeData {
            text: include.text.clone(),
            context: None,
            schedule: include.schedule.take(),
        });
        let ignore_patterns = std::mem::take(&mut built.ignore_patterns);
        ContextData {
            name: built.name.clone(),
            folded,
            extensions: (start, plan.extensions.len() as u32),
            patterns,
            index: ContextIndex::default(),
            includes: includes.collect(),
            ignore_patterns: ignore_patterns
                .into_iter()
                .map(|text| {
                    let name = Name::parse(text.as_bstr());
                    (text, name)
                })
                .collect(),
            loopbacks: super::loopback::templates(&built.switches),
            switches: std::mem::take(&mut built.switches),
            auto_hints: built.auto_hints,
        }
    }
}

/// Those bound to a caller come before the one that is for all.
fn order_of_callers(left: Option<&CallerBuild>, right: Option<&CallerBuild>) -> Ordering {
    match (left, right) {
        (None, None) => Ordering::Equal,
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some(left), Some(right)) => left.name.compare(&right.name),
    }
}

fn slice(text: &[u8], slice: Slice) -> &BStr {
    let start = slice.start as usize;
    text[start..start + slice.length as usize].as_bstr()
}

/// Values by number, each once.
struct Interned<T> {
    values: Vec<T>,
    ids: HashMap<T, u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { values: vec![], ids: HashMap::new() }
    }
}

impl<T: Copy + Eq + std::hash::Hash> Interned<T> {
    fn id(&mut self, value: T) -> u32 {
        let next = self.values.len() as u32;
        let id = *self.ids.entry(value).or_insert(next);
        if id == next {
            self.values.push(value);
        }
        id
    }

    fn get(&self, id: u32) -> T {
        self.values[id as usize]
    }
}
