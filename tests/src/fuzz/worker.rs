//! Runs one target on input after input, within one process.
//!
//! Panics are caught, made small and saved. What ends the process instead (no end, no memory, no
//! stack) is found by the supervisor, to which every input is left in a file before it is run.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::corpus::{self, Corpus};
use super::coverage::Counters;
use super::mutate::Mutator;
use super::{MEMORY_PER_BYTE, Target, allocation};

/// How long to go on, and with what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The end, in time.
    pub time: Duration,
    /// The end, in inputs run.
    pub executions: u64,
    /// What mutation draws from.
    pub seed: u64,
    /// The longest input, where the target itself allows it.
    pub longest: usize,
    /// Where the supervisor looks: the input in hand, and what came of it all.
    pub state: PathBuf,
    /// Where harmful inputs go.
    pub findings: PathBuf,
    /// Inputs found before.
    pub corpora: Vec<PathBuf>,
}

/// What came of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Inputs run.
    pub executions: u64,
    /// How long it took.
    pub seconds: f64,
    /// Inputs in the corpus.
    pub corpus: usize,
    /// Edges of control flow that ran; 0 without counters.
    pub edges: usize,
    /// Edges there are.
    pub all_edges: usize,
    /// Shapes seen.
    pub shapes: usize,
    /// The longest that one input took, in milliseconds of the processor, at the best of three.
    pub slowest_ms: f64,
    /// The most bytes that one input made it hold.
    pub most_memory: usize,
    /// Bytes that inputs left behind, together.
    pub kept_memory: i64,
    /// Harmful inputs: what happened, how often, and where the smallest is.
    pub findings: BTreeMap<String, Finding>,
}

/// One kind of harm.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Finding {
    /// How many inputs did it.
    pub times: u64,
    /// The smallest of them.
    pub path: PathBuf,
}

/// What one input did.
#[derive(Debug)]
pub struct Outcome {
    /// Its shape, or where it panicked and why.
    pub result: Result<u64, Panic>,
    /// How long it took, by the clock on the wall.
    pub time: Duration,
    /// What it took of the heap.
    pub memory: allocation::Use,
}

/// A panic as its hook saw it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Panic {
    /// File and line.
    pub place: String,
    /// What it said.
    pub message: String,
}

/// Runs a target on one input.
pub fn run_once(target: &Target, input: &[u8]) -> Outcome {
    quiet_panics();
    IS_QUIET.set(true);
    let start = Instant::now();
    allocation::begin();
    let result = catch_unwind(AssertUnwindSafe(|| (target.run)(input).value()));
    let memory = allocation::end();
    let time = start.elapsed();
    IS_QUIET.set(false);
    let result = result.map_err(|_| LAST_PANIC.with(|last| last.take().unwrap_or_default()));
    Outcome { result, time, memory }
}

/// The processor's time that an input takes, whatever else runs: the best of three.
fn time_of(target: &Target, input: &[u8]) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    let times = (0..3).map(|_| {
        let start = now();
        run_once(target, input);
        now().saturating_sub(start)
    });
    times.min().unwrap_or_default()
}

/// Runs a target until the plan is fulfilled; leaves a summary for the supervisor.
///
/// # Errors
/// When the state cannot be written.
pub fn run(target: &Target, plan: &Plan) -> io::Result<Summary> {
    fs::create_dir_all(&plan.state)?;
    let current = File::create(plan.state.join(CURRENT))?;
    let counters = Counters::all();
    let mut worker = Worker {
        target,
        plan,
        corpus: Corpus::new(&counters),
        summary: Summary { all_edges: counters.len(), ..Summary::default() },
        counters,
        current,
    };
    watch();
    let start = Instant::now();
    let mut seeds = (target.seeds)();
    seeds.extend(plan.corpora.iter().flat_map(|path| corpus::load(path)));
    let longest = target.longest.min(plan.longest);
    seeds.retain(|seed| seed.len() <= longest);
    for seed in &seeds {
        worker.execute(seed)?;
    }
    if worker.corpus.is_empty() {
        worker.corpus.keep(seeds.first().map_or(b"", Vec::as_slice));
    }
    let mut mutator = Mutator::new(plan.seed, target.tokens, longest);
    let (mut input, mut told) = (Vec::new(), Instant::now());
    while worker.summary.executions < plan.executions && start.elapsed() < plan.time {
        let base = worker.corpus.choose(&mut mutator).to_vec();
        let other = worker.corpus.choose(&mut mutator).to_vec();
        for _ in 0..ROUNDS {
            mutator.mutate(&base, &other, &mut input);
            worker.execute(&input)?;
        }
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            worker.tell(start.elapsed())?;
        }
    }
    worker.tell(start.elapsed())?;
    worker.corpus.save(&plan.state.join(CORPUS), usize::MAX)?;
    Ok(worker.summary)
}

struct Worker<'a> {
    target: &'a Target,
    plan: &'a Plan,
    corpus: Corpus,
    summary: Summary,
    counters: Counters,
    current: File,
}

impl Worker<'_> {
    fn execute(&mut self, input: &[u8]) -> io::Result<()> {
        self.summary.executions += 1;
        self.current.write_all_at(&(input.len() as u32).to_le_bytes(), 0)?;
        self.current.write_all_at(input, 4)?;
        self.counters.clear();
        RUNNING.store(self.summary.executions, Ordering::Relaxed);
        let outcome = run_once(self.target, input);
        RUNNING.store(0, Ordering::Relaxed);
        let Outcome { result, time, memory } = outcome;
        match result {
            // What is made of a slow input is slow as well, and there are others.
            Ok(shape) if time < TOO_SLOW_TO_KEEP => {
                self.corpus.note(input, shape, &self.counters);
            }
            Ok(_) => {}
            Err(panic) => {
                let kind = format!("panic at {}: {}", panic.place, panic.message);
                let is_same = |input: &[u8]| {
                    let result = run_once(self.target, input).result;
                    result.is_err_and(|other| other.place == panic.place)
                };
                self.found(&panic.place.clone(), &kind, input, is_same)?;
            }
        }
        if memory.most > self.summary.most_memory {
            self.summary.most_memory = memory.most;
        }
        self.summary.kept_memory += memory.kept as i64;
        let allowed = |input: &[u8]| self.target.memory + input.len() * MEMORY_PER_BYTE;
        if memory.most > allowed(input) {
            let is_same = |input: &[u8]| run_once(self.target, input).memory.most > allowed(input);
            let kind = format!("memory beyond {} MiB", self.target.memory >> 20);
            self.found("memory", &kind, input, is_same)?;
        }
        let slowest = Duration::from_secs_f64(self.summary.slowest_ms / 1000.0);
        if time > slowest.max(Duration::from_millis(1)) {
            let time = time_of(self.target, input);
            if time > slowest {
                self.summary.slowest_ms = time.as_secs_f64() * 1000.0;
                fs::write(self.plan.state.join(SLOWEST), input)?;
            }
            if time > self.target.slow {
                let is_same = |input: &[u8]| time_of(self.target, input) > self.target.slow;
                self.found("slow", &format!("more than {:?}", self.target.slow), input, is_same)?;
            }
        }
        Ok(())
    }

    /// Notes a harmful input; the first of its kind is made small and saved.
    fn found(
        &mut self,
        key: &str,
        kind: &str,
        input: &[u8],
        is_same: impl Fn(&[u8]) -> bool,
    ) -> io::Result<()> {
        if let Some(finding) = self.summary.findings.get_mut(key) {
            finding.times += 1;
            return Ok(());
        }
        RUNNING.store(0, Ordering::Relaxed);
        let small = minimise(input, is_same, Duration::from_secs(10));
        let path = save(&self.plan.findings, key, &small)?;
        eprintln!(
            "{}: {kind}\n  {}\n  in {}",
            self.target.name,
            small.escape_ascii(),
            path.display()
        );
        self.summary.findings.insert(key.to_owned(), Finding { times: 1, path });
        Ok(())
    }

    fn tell(&mut self, elapsed: Duration) -> io::Result<()> {
        self.summary.seconds = elapsed.as_secs_f64();
        self.summary.corpus = self.corpus.len();
        self.summary.edges = self.corpus.edges();
        self.summary.shapes = self.corpus.shapes();
        let text = serde_json::to_string_pretty(&self.summary)?;
        fs::write(self.plan.state.join(SUMMARY), text)
    }
}

/// Takes pieces away, ever smaller ones, as long as the input stays as harmful.
pub fn minimise(input: &[u8], is_same: impl Fn(&[u8]) -> bool, time: Duration) -> Vec<u8> {
    let start = Instant::now();
    let mut best = input.to_vec();
    let mut size = best.len().next_power_of_two() / 2;
    while size > 0 {
        let (mut at, mut has_changed) = (0, false);
        while at < best.len() {
            if start.elapsed() > time {
                return best;
            }
            let mut shorter = best.clone();
            shorter.drain(at..(at + size).min(best.len()));
            if is_same(&shorter) {
                best = shorter;
                has_changed = true;
            } else {
                at += size;
            }
        }
        if !has_changed || size > best.len() {
            size /= 2;
        }
    }
    best
}

/// Saves a harmful input under what it did.
///
/// # Errors
/// When it cannot be written.
pub fn save(directory: &Path, key: &str, input: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let letters = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let path = directory.join(letters.collect::<String>());
    fs::write(&path, input)?;
    Ok(path)
}

/// The number of the input that runs; 0 between inputs.
static RUNNING: AtomicU64 = AtomicU64::new(0);

/// Starts the thread that ends the process when an input has no end.
#[allow(clippy::exit, reason = "nothing else ends a loop")]
fn watch() {
    std::thread::spawn(|| {
        let (mut last, mut turns) = (0, 0);
        loop {
            std::thread::sleep(HANG / 10);
            let running = RUNNING.load(Ordering::Relaxed);
            turns = if running == last && running != 0 { turns + 1 } else { 0 };
            last = running;
            if turns >= 10 {
                std::process::exit(HANG_CODE);
            }
        }
    });
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST_PANIC: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Keeps panics for [`run_once`] instead of printing them, on threads that are within it.
fn quiet_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                return before(info);
            }
            let place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
            let message = info.payload_as_str().unwrap_or("").chars().take(300).collect();
            let panic = Panic { place: place.unwrap_or_default(), message };
            LAST_PANIC.with(|last| *last.borrow_mut() = Some(panic));
        }));
    });
}

/// The input in hand, behind its length in four bytes.
pub const CURRENT: &str = "current";
/// The [`Summary`] as JSON.
pub const SUMMARY: &str = "summary.json";
/// All inputs that led to something new.
pub const CORPUS: &str = "corpus.txt";
/// The input that took the longest.
pub const SLOWEST: &str = "slowest";
/// The process's status when an input had no end.
pub const HANG_CODE: i32 = 86;
/// How long an input may take before it is taken for endless.
const HANG: Duration = Duration::from_secs(10);
/// Inputs that take longer do not enter the corpus.
const TOO_SLOW_TO_KEEP: Duration = Duration::from_millis(10);
/// Changes tried of one input in a row.
const ROUNDS: usize = 64;
