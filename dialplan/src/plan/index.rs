//! What makes lookups cost what the dialled text is long: a hash table of the literal names, and
//! a tree of the patterns whose branches are in the order the patterns are tried.

use std::ops::ControlFlow;

use bstr::{BStr, ByteSlice};

use super::{ContextId, ExtensionId, HINT, Plan};
use crate::pattern::{Element, Gap, Pattern, Question, Verdict, at_end, short};

/// The index of one context.
#[derive(Debug, Default)]
pub(super) struct ContextIndex {
    /// Open addressing: the first extension of each literal name, or [`EMPTY`].
    table: Box<[u32]>,
    /// For each literal extension, how far it is to the next (itself included) that has a step 1.
    next_with_first_step: Box<[u32]>,
    tree: Tree,
    /// All contexts a lookup goes through, this one first, if no include depends on the time.
    pub(super) path: Option<Box<[ContextId]>>,
}

const EMPTY: u32 = u32::MAX;

/// The patterns of a context. A branch is taken by a byte of its set; what hangs at a node are
/// extensions whose pattern ends there.
#[derive(Debug, Default)]
struct Tree {
    nodes: Vec<Node>,
    branches: Vec<Branch>,
    tails: Vec<Tail>,
}

#[derive(Debug)]
struct Node {
    branches: (u32, u32),
    /// Index into [`Tree::tails`], or [`EMPTY`].
    tail: u32,
}

/// Extensions by number, in order of trying: those from `.` on, from `!` on, those that end, those
/// with a set that never closes.
#[derive(Clone, Copy, Debug, Default)]
struct Tail {
    dot: (u32, u32),
    bang: (u32, u32),
    end: (u32, u32),
    broken: (u32, u32),
}

#[derive(Debug)]
struct Branch {
    /// Index into [`Plan::elements`].
    element: u32,
    node: u32,
}

impl Plan {
    /// Makes the indexes, once all contexts and extensions are in place.
    /// `patterns` are the positions of each context's patterns.
    pub(super) fn index_contexts(&mut self, patterns: &[Vec<Vec<u32>>]) {
        for (context, patterns) in patterns.iter().enumerate() {
            let data = &self.contexts[context];
            let (start, _) = data.extensions;
            let index = ContextIndex {
                table: self.literal_table(start, data.patterns),
                next_with_first_step: self.next_with_first_step(start, data.patterns),
                tree: self.pattern_tree(patterns, data.patterns),
                path: None,
            };
            self.contexts[context].index = index;
        }
        let mut budget = PATHS;
        for context in 0..self.contexts.len() {
            let path = self.static_path(ContextId(context as u32), budget);
            budget -= path.as_ref().map_or(0, |path| path.len());
            self.contexts[context].index.path = path;
        }
    }

    fn literal_table(&self, start: u32, end: u32) -> Box<[u32]> {
        let count = (end - start) as usize;
        if count == 0 {
            return Box::default();
        }
        let mut table = vec![EMPTY; (count * 2).next_power_of_two()].into_boxed_slice();
        for id in start..end {
            let key = self.key(id);
            if id > start && self.key(id - 1) == key {
                continue;
            }
            let mut at = hash(key) & (table.len() - 1);
            while table[at] != EMPTY {
                at = (at + 1) & (table.len() - 1);
            }
            table[at] = id;
        }
        table
    }

    fn next_with_first_step(&self, start: u32, end: u32) -> Box<[u32]> {
        let mut next = vec![0; (end - start) as usize];
        let mut distance = end - start;
        for id in (start..end).rev() {
            let has_first = self.step_with_priority(ExtensionId(id), 1).is_some();
            distance = if has_first { 0 } else { distance.saturating_add(1) };
            next[(id - start) as usize] = distance;
        }
        next.into_boxed_slice()
    }

    fn pattern_tree(&self, patterns: &[Vec<u32>], first: u32) -> Tree {
        let mut tree = Tree::default();
        if !patterns.is_empty() {
            tree.nodes.push(Node { branches: (0, 0), tail: EMPTY });
            let growing = Growing { elements: &self.elements, patterns, first };
            tree.grow(0, &growing, 0, (first, first + patterns.len() as u32));
        }
        tree
    }

    /// The order in which contexts are searched, if it is always the same.
    fn static_path(&self, context: ContextId, budget: usize) -> Option<Box<[ContextId]>> {
        let mut path = vec![];
        let mut seen = std::collections::HashSet::new();
        let mut pending = vec![context];
        while let Some(context) = pending.pop() {
            let data = &self.contexts[context.0 as usize];
            if path.len() >= CONTEXTS_PER_LOOKUP || !seen.insert(data.folded) {
                continue;
            }
            if path.len() >= budget
                || data.includes.iter().any(|include| include.schedule.is_some())
            {
                return None;
            }
            path.push(context);
            pending.extend(data.includes.iter().rev().filter_map(|include| include.context));
        }
        Some(path.into_boxed_slice())
    }

    /// Calls `visit` for every extension of a context that answers the question, in the order they
    /// are tried, until it breaks. `dialled` is as dialled, `text` without its dashes.
    pub(super) fn visit_matches<T>(
        &self,
        context: ContextId,
        dialled: &BStr,
        text: &BStr,
        question: Question,
        mut visit: impl FnMut(ExtensionId, Verdict) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        let data = &self.contexts[context.0 as usize];
        if question == Question::Match {
            let (start, end) = self.literals_equal(context, text);
            for id in start..end {
                visit(ExtensionId(id), Verdict::Yes)?;
            }
        }
        let tree = &data.index.tree;
        if tree.nodes.is_empty() {
            return ControlFlow::Continue(());
        }
        let mut search =
            Search { plan: self, tree, text: text.as_bytes(), question, visit: &mut visit };
        let as_pattern = dialled.strip_prefix(b"_").filter(|_| question == Question::Match);
        let Some(pattern) = as_pattern else { return search.node(0, 0) };
        // A text that is a pattern also matches the same pattern, whatever that matches.
        let same = self.equal_patterns(tree, &Pattern::parse(pattern));
        let (start, end) = same.unwrap_or_default();
        let mut pending = Some(start..end);
        let visit = search.visit;
        let mut merged = |id: ExtensionId, verdict| {
            if pending.as_ref().is_some_and(|same| same.start <= id.0) {
                for same in pending.take().into_iter().flatten() {
                    visit(ExtensionId(same), Verdict::Yes)?;
                }
            }
            if (start..end).contains(&id.0) {
                ControlFlow::Continue(())
            } else {
                visit(id, verdict)
            }
        };
        let text = text.as_bytes();
        Search { plan: self, tree, text, question, visit: &mut merged }.node(0, 0)?;
        for same in pending.take().into_iter().flatten() {
            visit(ExtensionId(same), Verdict::Yes)?;
        }
        ControlFlow::Continue(())
    }

    /// The extensions of exactly this pattern.
    fn equal_patterns(&self, tree: &Tree, pattern: &Pattern) -> Option<(u32, u32)> {
        let mut node = &tree.nodes[0];
        for element in &pattern.elements {
            let tail = tree.tail(node);
            let (start, end) = match *element {
                Element::END => return Some(tail.end),
                Element::DOT => tail.dot,
                Element::BANG => tail.bang,
                Element::BROKEN => tail.broken,
                element => {
                    let mut branches = tree.branches(node).iter();
                    let is_same =
                        |branch: &&Branch| self.elements[branch.element as usize] == element;
                    node = &tree.nodes[branches.find(is_same)?.node as usize];
                    continue;
                }
            };
            // What follows these is in order, but not in the tree.
            let order = |id: u32| {
                let name = self.slice(self.extensions[id as usize].name);
                Pattern::parse(&name[1..]).cmp(pattern)
            };
            let mut same = (start..end).skip_while(|&id| order(id).is_lt());
            let first = same.next()?;
            let count = (first..end).take_while(|&id| order(id).is_eq()).count() as u32;
            return Some((first, first + count));
        }
        None
    }

    /// The literal extensions of a name, by caller.
    fn literals_equal(&self, context: ContextId, text: &BStr) -> (u32, u32) {
        let data = &self.contexts[context.0 as usize];
        let table = &data.index.table;
        if table.is_empty() {
            return (0, 0);
        }
        let mut at = hash(text) & (table.len() - 1);
        loop {
            let id = table[at];
            if id == EMPTY {
                return (0, 0);
            }
            if self.key(id) == text {
                let more = (id + 1..data.patterns).take_while(|&id| self.key(id) == text).count();
                return (id, id + 1 + more as u32);
            }
            at = (at + 1) & (table.len() - 1);
        }
    }

    /// Whether a literal extension begins with a text (and, for `MatchMore`, is longer), has the
    /// step, and passes `fits`.
    pub(super) fn literal_begins(
        &self,
        context: ContextId,
        text: &BStr,
        question: Question,
        priority: i32,
        mut fits: impl FnMut(ExtensionId) -> bool,
    ) -> bool {
        let data = &self.contexts[context.0 as usize];
        let (first, last) = (data.extensions.0, data.patterns);
        let mut id = first + self.partition(first, last, |key| key < text);
        while id < last {
            if priority == 1 {
                id += data.index.next_with_first_step[(id - first) as usize];
                if id >= last {
                    return false;
                }
            }
            let key = self.key(id);
            if !key.starts_with(text) {
                return false;
            }
            let is_long_enough = question != Question::MatchMore || key.len() > text.len();
            let has_step = || self.step_with_priority(ExtensionId(id), priority).is_some();
            if is_long_enough && has_step() && fits(ExtensionId(id)) {
                return true;
            }
            id += 1;
        }
        false
    }

    fn partition(&self, first: u32, last: u32, is_before: impl Fn(&BStr) -> bool) -> u32 {
        let (mut low, mut high) = (first, last);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(self.key(middle)) { low = middle + 1 } else { high = middle }
        }
        low - first
    }

    fn key(&self, extension: u32) -> &BStr {
        self.slice(self.extensions[extension as usize].key)
    }

    /// The step of a priority; [`HINT`] is one as well.
    pub(super) fn step_with_priority(&self, extension: ExtensionId, priority: i32) -> Option<u32> {
        let (start, end) = self.extensions[extension.0 as usize].steps;
        let steps = &self.steps[start as usize..end as usize];
        // Nearly always, steps are numbered from 1 without gaps, perhaps after a hint.
        let first = steps.first()?.priority;
        let guess = match first {
            HINT => i64::from(priority),
            first => i64::from(priority) - i64::from(first),
        };
        let guess = usize::try_from(guess).ok().filter(|_| priority != HINT || first == HINT);
        if let Some(guess) = guess.or(Some(0))
            && steps.get(guess).is_some_and(|step| step.priority == priority)
        {
            return Some(start + guess as u32);
        }
        let found = steps.binary_search_by_key(&priority, |step| step.priority);
        found.ok().map(|at| start + at as u32)
    }
}

/// What a tree grows from.
struct Growing<'a> {
    elements: &'a [Element],
    patterns: &'a [Vec<u32>],
    /// The number of the extension of the first pattern.
    first: u32,
}

impl Tree {
    /// Makes the node of the patterns in `range`, which are sorted and agree up to `depth`.
    fn grow(&mut self, node: u32, from: &Growing<'_>, depth: usize, range: (u32, u32)) {
        let id_of = |extension: u32| from.patterns[(extension - from.first) as usize][depth];
        let mut branches = vec![];
        let mut tail = Tail::default();
        let mut start = range.0;
        while start < range.1 {
            let id = id_of(start);
            let same = (start..range.1).take_while(|&extension| id_of(extension) == id).count();
            let end = start + same as u32;
            match from.elements[id as usize] {
                Element::DOT => tail.dot = (start, end),
                Element::BANG => tail.bang = (start, end),
                Element::END => tail.end = (start, end),
                Element::BROKEN => tail.broken = (start, end),
                _ => branches.push((id, (start, end))),
            }
            start = end;
        }
        let first = self.branches.len() as u32;
        for &(element, _) in &branches {
            let node = self.nodes.len() as u32;
            self.nodes.push(Node { branches: (0, 0), tail: EMPTY });
            self.branches.push(Branch { element, node });
        }
        let place = &mut self.nodes[node as usize];
        place.branches = (first, self.branches.len() as u32);
        if branches.last().is_none_or(|last| last.1.1 < range.1) {
            place.tail = self.tails.len() as u32;
            self.tails.push(tail);
        }
        for (at, (_, range)) in branches.into_iter().enumerate() {
            let node = self.branches[first as usize + at].node;
            self.grow(node, from, depth + 1, range);
        }
    }

    fn branches(&self, node: &Node) -> &[Branch] {
        &self.branches[node.branches.0 as usize..node.branches.1 as usize]
    }

    fn tail(&self, node: &Node) -> Tail {
        self.tails.get(node.tail as usize).copied().unwrap_or_default()
    }
}

/// A walk through the patterns that a text may match. A set takes exactly one byte, so that a node
/// is never visited twice, and the depth is at most that of the longest pattern.
struct Search<'a, F> {
    plan: &'a Plan,
    tree: &'a Tree,
    text: &'a [u8],
    question: Question,
    visit: &'a mut F,
}

impl<T, F: FnMut(ExtensionId, Verdict) -> ControlFlow<T>> Search<'_, F> {
    fn node(&mut self, node: u32, depth: usize) -> ControlFlow<T> {
        let tree = self.tree;
        let place = &tree.nodes[node as usize];
        let Some(&byte) = self.text.get(depth) else { return self.at_end(place) };
        for branch in tree.branches(place) {
            if self.plan.elements[branch.element as usize].contains(byte) {
                self.node(branch.node, depth + 1)?;
            }
        }
        let tail = tree.tail(place);
        self.all(tail.dot, Verdict::Yes)?;
        self.all(tail.bang, Verdict::Final)
    }

    /// The text ends at this node: all longer patterns could still match.
    fn at_end(&mut self, place: &Node) -> ControlFlow<T> {
        let tree = self.tree;
        if self.question != Question::Match {
            for branch in tree.branches(place) {
                self.below(branch.node)?;
            }
        }
        let tail = tree.tail(place);
        self.all(tail.dot, short(self.question))?;
        self.with_gap(tail.bang, Verdict::Final)?;
        self.with_gap(tail.end, at_end(self.question))?;
        self.all(tail.broken, short(self.question))
    }

    /// Everything below a node, in order.
    fn below(&mut self, node: u32) -> ControlFlow<T> {
        let tree = self.tree;
        let place = &tree.nodes[node as usize];
        for branch in tree.branches(place) {
            self.below(branch.node)?;
        }
        let tail = tree.tail(place);
        for range in [tail.dot, tail.bang, tail.end, tail.broken] {
            self.all(range, short(self.question))?;
        }
        ControlFlow::Continue(())
    }

    fn all(&mut self, (start, end): (u32, u32), verdict: Verdict) -> ControlFlow<T> {
        if verdict == Verdict::No {
            return ControlFlow::Continue(());
        }
        (start..end).try_for_each(|id| (self.visit)(ExtensionId(id), verdict))
    }

    /// As `all`, except for patterns with empty sets before their end: the text is too short.
    fn with_gap(&mut self, (start, end): (u32, u32), verdict: Verdict) -> ControlFlow<T> {
        for id in start..end {
            let name = self.plan.slice(self.plan.extensions[id as usize].name);
            let verdict = match Gap::of(&name[1..]) {
                Gap::None => verdict,
                Gap::EmptySet => short(self.question),
            };
            self.all((id, id + 1), verdict)?;
        }
        ControlFlow::Continue(())
    }
}

/// FNV-1a with a final mix. The table never changes after loading, so that callers cannot make it
/// degenerate; an operator who fills it with collisions harms only himself.
fn hash(text: &[u8]) -> usize {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in text {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash ^ (hash >> 29)) as usize
}

/// How many contexts a lookup goes through at most, as Asterisk (AST_PBX_MAX_STACK).
pub(super) const CONTEXTS_PER_LOOKUP: usize = 512;

/// How many entries all paths have together at most: 16 MB.
const PATHS: usize = 4 << 20;
