//! The inputs that led to something new, and what is known already.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use bstr::{ByteSlice, ByteVec};

use super::coverage::Counters;
use super::mutate::Mutator;

/// What was seen, and by which inputs.
#[derive(Debug)]
pub struct Corpus {
    entries: Vec<Entry>,
    shapes: HashSet<u64>,
    /// The magnitudes seen of each counter.
    seen: Vec<u8>,
    edges: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    input: Vec<u8>,
    /// It ran code that no input before it had run.
    has_new_code: bool,
}

/// What was new in an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// Nothing.
    None,
    /// The shape, or how often something ran.
    Shape,
    /// Code that never ran before.
    Code,
}

impl Corpus {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(counters: &Counters) -> Self {
        Self {
            entries: Vec::new(),
            shapes: HashSet::new(),
            seen: vec![0; counters.len()],
            edges: 0,
        }
    }

    /// Takes note of a run that just ended; keeps the input if there is something new in it.
    pub fn note(&mut self, input: &[u8], shape: u64, counters: &Counters) -> News {
        let mut news = News::None;
        counters.visit(|at, magnitude| {
            let Some(seen) = self.seen.get_mut(at) else { return };
            if *seen & magnitude == 0 {
                news = news.max(News::Shape);
                if *seen == 0 {
                    self.edges += 1;
                    news = News::Code;
                }
                *seen |= magnitude;
            }
        });
        // With counters the shape is only a complement: what differs in data, not in code.
        let most_shapes = if counters.is_empty() { MOST_SHAPES } else { MOST_SHAPES / 8 };
        if self.shapes.len() < most_shapes && self.shapes.insert(shape) {
            news = news.max(News::Shape);
        }
        if news != News::None && self.entries.len() < MOST_ENTRIES {
            let has_new_code = news == News::Code;
            self.entries.push(Entry { input: input.to_vec(), has_new_code });
        }
        news
    }

    /// Keeps an input whatever it does.
    pub fn keep(&mut self, input: &[u8]) {
        self.entries.push(Entry { input: input.to_vec(), has_new_code: true });
    }

    /// An input to change: late ones more often, since they went where fewer did.
    #[must_use]
    pub fn choose(&self, mutator: &mut Mutator) -> &[u8] {
        let count = self.entries.len();
        let at = match mutator.below(3) {
            0 => mutator.below(count),
            1 => count - 1 - mutator.below(count.min(64)),
            // Of three one that found code, if there is any.
            _ => {
                let tries: [usize; 3] = std::array::from_fn(|_| mutator.below(count));
                let best = tries.iter().find(|&&at| self.entries[at].has_new_code);
                *best.unwrap_or(&tries[0])
            }
        };
        &self.entries[at].input
    }

    /// How many inputs are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many edges of the control flow ran.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.edges
    }

    /// How many shapes were seen.
    #[must_use]
    pub fn shapes(&self) -> usize {
        self.shapes.len()
    }

    /// Writes what found code, shortest first, up to so many bytes.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path, most: usize) -> io::Result<()> {
        let mut inputs: Vec<_> = self.entries.iter().filter(|entry| entry.has_new_code).collect();
        inputs.sort_by_key(|entry| entry.input.len());
        inputs.dedup_by(|a, b| a.input == b.input);
        let mut text = String::new();
        for entry in inputs {
            let line = entry.input.escape_bytes().to_string();
            if text.len() + line.len() < most {
                text.push_str(&line);
                text.push('\n');
            }
        }
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(path, text)
    }
}

/// Reads what [`Corpus::save`] wrote; nothing if it is not there.
#[must_use]
pub fn load(path: &Path) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(Vec::unescape_bytes).collect()
}

/// Some 100 MB of inputs of 4 KB.
const MOST_ENTRIES: usize = 25_000;
const MOST_SHAPES: usize = 16_000;
