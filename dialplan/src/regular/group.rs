//! Where the first group is inside a known match, as POSIX wants it: leftmost parts take most.

use std::collections::HashMap;

use super::{BUDGET, Node, NodeId, Regular};

/// Bounds of the first group of a match, when it took part. What the search could not settle within its
/// budget is no group: it may have been put elsewhere.
pub(super) fn first(
    regular: &Regular,
    text: &[u8],
    start: usize,
    end: usize,
) -> Option<(usize, usize)> {
    let mut search = GroupSearch { regular, text, memo: HashMap::new(), spent: 0, group: None };
    search.assign(regular.root, start, end);
    search.group.filter(|_| search.spent <= BUDGET)
}

/// Finds the first group inside a known match: every part, from left to right, takes as much as it can while
/// the rest still fits.
struct GroupSearch<'a> {
    regular: &'a Regular,
    text: &'a [u8],
    /// Ends that a node can reach from a start.
    memo: HashMap<(NodeId, usize), Vec<usize>>,
    spent: usize,
    group: Option<(usize, usize)>,
}

impl GroupSearch<'_> {
    /// Counts work; `false` once there was too much of it. All that loops asks here.
    fn spend(&mut self, work: usize) -> bool {
        self.spent = self.spent.saturating_add(work);
        self.spent <= BUDGET
    }

    /// Ends reachable from `start`, ascending. Nothing more once the budget is spent.
    fn ends(&mut self, id: NodeId, start: usize) -> Vec<usize> {
        if let Some(ends) = self.memo.get(&(id, start)) {
            let ends = ends.clone();
            self.spend(ends.len());
            return ends;
        }
        if !self.spend(1) {
            return Vec::new();
        }
        let ends = match &self.regular.nodes[id as usize] {
            Node::Empty => vec![start],
            Node::Byte(set) => {
                let fits = self.text.get(start).is_some_and(|&byte| set[usize::from(byte)]);
                if fits { vec![start + 1] } else { vec![] }
            }
            Node::Assert(assertion) => {
                if assertion.holds(self.text, start) {
                    vec![start]
                } else {
                    vec![]
                }
            }
            Node::Group(_, inner) => self.ends(*inner, start),
            Node::Sequence(parts) => {
                let mut ends = vec![start];
                for &part in parts {
                    ends = self.after_all(part, &ends);
                }
                ends
            }
            Node::Either(branches) => {
                let mut ends = Vec::new();
                for &branch in branches {
                    ends.extend(self.ends(branch, start));
                }
                ends.sort_unstable();
                ends.dedup();
                ends
            }
            &Node::Repeat { inner, least, most } => {
                let mut front = vec![start];
                for _ in 0..least {
                    if front.is_empty() || !self.spend(1) {
                        break;
                    }
                    front = self.after_all(inner, &front);
                }
                self.further(inner, front, most.map(|most| most - least))
            }
        };
        self.spend(ends.len());
        self.memo.insert((id, start), ends.clone());
        ends
    }

    /// Where any of `starts` leads in up to so many turns, `starts` themselves included.
    fn further(&mut self, inner: NodeId, starts: Vec<usize>, turns: Option<u32>) -> Vec<usize> {
        let mut is_seen = vec![false; self.text.len() + 1];
        self.spend(is_seen.len() / 16);
        starts.iter().for_each(|&start| is_seen[start] = true);
        let mut seen = starts;
        // What is seen for the first time in one turn is where the next one begins.
        let (mut begin, mut turn) = (0, 0);
        while begin < seen.len() && turns.is_none_or(|turns| turn < turns) {
            let end = seen.len();
            for index in begin..end {
                let ends = self.ends(inner, seen[index]);
                if !self.spend(1) {
                    return Vec::new();
                }
                for at in ends {
                    if !std::mem::replace(&mut is_seen[at], true) {
                        seen.push(at);
                    }
                }
            }
            begin = end;
            turn += 1;
        }
        seen.sort_unstable();
        seen
    }

    fn after_all(&mut self, id: NodeId, starts: &[usize]) -> Vec<usize> {
        let mut ends = Vec::new();
        for &start in starts {
            ends.extend(self.ends(id, start));
            if !self.spend(1) {
                return Vec::new();
            }
        }
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    fn reaches(&mut self, parts: &[NodeId], start: usize, end: usize) -> bool {
        let mut ends = vec![start];
        for &part in parts {
            ends = self.after_all(part, &ends);
        }
        ends.binary_search(&end).is_ok()
    }

    fn repeats(
        &mut self,
        inner: NodeId,
        least: u32,
        most: Option<u32>,
        start: usize,
        end: usize,
    ) -> bool {
        let mut front = vec![start];
        for _ in 0..least {
            if front.is_empty() || !self.spend(1) {
                return false;
            }
            front = self.after_all(inner, &front);
        }
        let turns = most.map(|most| most.saturating_sub(least));
        self.further(inner, front, turns).binary_search(&end).is_ok()
    }

    /// For each place from `start` to `end`, whether any number of turns leads from it to `end`.
    fn leading(&mut self, inner: NodeId, start: usize, end: usize) -> Vec<bool> {
        let mut leads = vec![false; end - start + 1];
        leads[end - start] = true;
        for at in (start..end).rev() {
            let ends = self.ends(inner, at);
            leads[at - start] =
                ends.iter().any(|&next| next > at && next <= end && leads[next - start]);
            if !self.spend(ends.len()) {
                break;
            }
        }
        leads
    }

    fn holds_first_group(&self, id: NodeId) -> bool {
        match &self.regular.nodes[id as usize] {
            Node::Group(number, inner) => *number == 1 || self.holds_first_group(*inner),
            Node::Sequence(parts) => parts.iter().any(|&part| self.holds_first_group(part)),
            Node::Either(branches) => branches.iter().any(|&it| self.holds_first_group(it)),
            Node::Repeat { inner, .. } => self.holds_first_group(*inner),
            Node::Empty | Node::Byte(_) | Node::Assert(_) => false,
        }
    }

    /// The node matches exactly `start..end`: notes where the first group lies.
    fn assign(&mut self, id: NodeId, start: usize, end: usize) {
        let regular = self.regular;
        match &regular.nodes[id as usize] {
            Node::Group(number, inner) => {
                if *number == 1 {
                    self.group = Some((start, end));
                } else {
                    self.assign(*inner, start, end);
                }
            }
            Node::Sequence(parts) => {
                // The parts behind the one with the group only need to fit.
                let last = parts.iter().position(|&part| self.holds_first_group(part));
                let Some(last) = last else { return };
                let mut at = start;
                for (index, &part) in parts[..=last].iter().enumerate() {
                    let rest = &parts[index + 1..];
                    let ends = self.ends(part, at);
                    let chosen =
                        ends.into_iter().rev().find(|&middle| self.reaches(rest, middle, end));
                    let Some(middle) = chosen else { return };
                    if index == last {
                        self.assign(part, at, middle);
                    }
                    at = middle;
                }
            }
            Node::Either(branches) => {
                for &branch in branches {
                    if self.ends(branch, start).binary_search(&end).is_ok() {
                        return self.assign(branch, start, end);
                    }
                }
            }
            &Node::Repeat { inner, mut least, mut most } => {
                if !self.holds_first_group(inner) {
                    return;
                }
                let leads = match most {
                    None => self.leading(inner, start, end),
                    Some(_) => Vec::new(),
                };
                let mut at = start;
                while at < end || least > 0 {
                    if most == Some(0) || !self.spend(1) {
                        return;
                    }
                    least = least.saturating_sub(1);
                    most = most.map(|most| most - 1);
                    let ends = self.ends(inner, at);
                    let chosen = ends.into_iter().rev().find(|&middle| match most {
                        None if least == 0 => {
                            middle <= end && leads.get(middle - start).is_some_and(|leads| *leads)
                        }
                        _ => middle <= end && self.repeats(inner, least, most, middle, end),
                    });
                    let Some(middle) = chosen else { return };
                    self.assign(inner, at, middle);
                    if middle == at && least == 0 {
                        return;
                    }
                    at = middle;
                }
            }
            Node::Empty | Node::Byte(_) | Node::Assert(_) => {}
        }
    }
}
