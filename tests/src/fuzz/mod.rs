//! Fuzzing of everything that takes bytes or text from outside, on the production code itself.
//!
//! [`targets`] lists all targets. A target is an ordinary function of bytes: it panics when
//! something that must hold does not, and tells by its [`Shape`] what it came across, so that the
//! runner keeps inputs that lead to something new. `src/bin/fuzz.rs` runs targets for long,
//! `tests/fuzz.rs` for a moment; both replay `tests/fuzz/regressions`. See docs/fuzzing.md.

pub mod allocation;
mod campaign;
mod conversion;
pub mod corpus;
pub mod coverage;
mod dialplan;
mod hours;
mod keys;
mod media;
pub mod mutate;
mod program;
mod robots;
mod rules;
mod sdp;
pub mod shape;
mod sip;
mod sounds;
mod stack;
pub mod supervise;
mod switch;
mod telephone;
mod wire;
pub mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use shape::Shape;

/// A function that takes bytes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// How it is called on the command line; also the directory of its inputs.
    pub name: &'static str,
    /// What of the product it runs.
    pub about: &'static str,
    /// Runs it on one input.
    pub run: fn(&[u8]) -> Shape,
    /// What mutation begins with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Pieces that mean something to it.
    pub tokens: &'static [&'static [u8]],
    /// The longest input it is given.
    pub longest: usize,
    /// How many bytes it may hold at one time, beyond [`MEMORY_PER_BYTE`] for each of the input.
    pub memory: usize,
    /// An input that takes longer is a finding; [`SLOW`] unless the target says why not.
    pub slow: Duration,
}

/// All targets, in the order in which they are run.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    [
        dialplan::TARGETS,
        campaign::TARGETS,
        sip::TARGETS,
        sdp::TARGETS,
        stack::TARGETS,
        switch::TARGETS,
        wire::TARGETS,
        media::TARGETS,
        program::TARGETS,
        robots::TARGETS,
        rules::TARGETS,
        hours::TARGETS,
        keys::TARGETS,
        sounds::TARGETS,
        telephone::TARGETS,
        conversion::TARGETS,
    ]
    .into_iter()
    .flatten()
}

/// The target of a name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    targets().find(|target| target.name == name)
}

/// Where inputs that once did harm are kept, a directory for each target.
#[must_use]
pub fn regressions(target: &Target) -> PathBuf {
    room().join("regressions").join(target.name)
}

/// Where the inputs that reach most of a target's code are kept, one on each line, escaped.
#[must_use]
pub fn corpus_file(target: &Target) -> PathBuf {
    room().join("corpora").join(format!("{}.txt", target.name))
}

/// The inputs of a target that once did harm.
#[must_use]
pub fn regression_inputs(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(regressions(target)) else { return Vec::new() };
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("a regression can be read");
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

/// What nothing that the signalling thread does for one input may take.
pub const SLOW: Duration = Duration::from_millis(50 * SLOWED);

/// What a step may take that is done on another thread.
pub const SLOW_OFF_THREAD: Duration = Duration::from_millis(500 * SLOWED);

/// How much slower the code is with its assertions, and counted for coverage.
const SLOWED: u64 = if cfg!(debug_assertions) { 4 } else { 1 };

/// Bytes that a target may hold for each byte of its input.
pub const MEMORY_PER_BYTE: usize = 4096;

fn room() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// All files of a directory of the repository, or the one file.
fn files(path: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if path.is_file() {
        return vec![std::fs::read(&path).expect("a seed can be read")];
    }
    let entries = std::fs::read_dir(&path).expect("the directory of seeds is there");
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.iter().filter(|path| path.is_file()).filter_map(|path| std::fs::read(path).ok()).collect()
}

/// The values of a string field in a file of JSON lines of the repository.
fn json_field(path: &str, field: &str) -> Vec<Vec<u8>> {
    let text = files(path).concat();
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let value = |line| -> Option<Vec<u8>> {
        let value: serde_json::Value = serde_json::from_slice(line).ok()?;
        Some(value.get(field)?.as_str()?.as_bytes().to_vec())
    };
    lines.filter_map(value).collect()
}

fn owned(seeds: &[&[u8]]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.to_vec()).collect()
}

/// The parts of an input of several parts.
fn parts(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split(|&byte| byte == SEPARATOR)
}

/// Between the parts of an input: the record separator of ASCII, which no text of ours uses.
const SEPARATOR: u8 = 0x1e;
