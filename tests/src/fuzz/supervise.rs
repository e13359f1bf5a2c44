//! Runs targets in processes of their own, so that one that ends its process is only a finding.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use super::worker::{CORPUS, CURRENT, Finding, HANG_CODE, SUMMARY, Summary, minimise, save};
use super::{Target, corpus_file, regressions};

/// What to run.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// In this order.
    pub targets: Vec<&'static Target>,
    /// How long each, at most.
    pub time: Duration,
    /// How many inputs each, at most.
    pub executions: u64,
    /// What mutation draws from.
    pub seed: u64,
    /// The longest input, where a target itself allows it.
    pub longest: usize,
    /// How many at a time.
    pub jobs: usize,
    /// Where the state is: `target/fuzz`.
    pub state: PathBuf,
}

struct Job {
    target: &'static Target,
    child: Child,
    started: Instant,
    /// What earlier processes of the same job did.
    before: Summary,
    restarts: u64,
}

/// Runs them all, and prints a row for each as it ends. Returns how many kinds of harm were found.
///
/// # Errors
/// When processes cannot be started or the state cannot be read.
pub fn run(campaign: &Campaign) -> io::Result<usize> {
    let mut waiting: VecDeque<_> = campaign.targets.iter().copied().collect();
    let mut running: Vec<Job> = Vec::new();
    let mut harms = 0;
    println!("{HEADING}");
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < campaign.jobs.max(1) {
            let Some(target) = waiting.pop_front() else { break };
            let _ = fs::remove_file(campaign.state.join(target.name).join(SUMMARY));
            running.push(start(campaign, target, Summary::default(), 0)?);
        }
        std::thread::sleep(Duration::from_millis(50));
        let mut still_running = Vec::new();
        for mut job in running {
            match job.child.try_wait()? {
                None => still_running.push(job),
                Some(status) => {
                    let summary = ended(campaign, &job, status)?;
                    let left = campaign.time.as_secs_f64() - summary.seconds;
                    let is_done = summary.executions >= campaign.executions || left < 1.0;
                    if status.success() || is_done || job.restarts >= MOST_RESTARTS {
                        harms += summary.findings.len();
                        println!("{}", row(job.target, &summary));
                    } else {
                        still_running.push(start(campaign, job.target, summary, job.restarts + 1)?);
                    }
                }
            }
        }
        running = still_running;
    }
    Ok(harms)
}

fn start(
    campaign: &Campaign,
    target: &'static Target,
    before: Summary,
    restarts: u64,
) -> io::Result<Job> {
    let left = (campaign.time.as_secs_f64() - before.seconds).max(1.0);
    let executions = campaign.executions.saturating_sub(before.executions);
    let state = campaign.state.join(target.name);
    let child = Command::new(std::env::current_exe()?)
        .arg("--worker")
        .arg(target.name)
        .args(["--minutes", &(left / 60.0).to_string()])
        .args(["--executions", &executions.to_string()])
        .args(["--seed", &(campaign.seed + restarts * 1_000_003).to_string()])
        .args(["--longest", &campaign.longest.to_string()])
        .arg("--state")
        .arg(&state)
        .spawn()?;
    Ok(Job { target, child, started: Instant::now(), before, restarts })
}

/// What a job did so far, with what ended its process.
fn ended(campaign: &Campaign, job: &Job, status: ExitStatus) -> io::Result<Summary> {
    let state = campaign.state.join(job.target.name);
    let mut summary = read_summary(&state).unwrap_or_default();
    let _ = fs::remove_file(state.join(SUMMARY));
    if !status.success() {
        summary.seconds = job.started.elapsed().as_secs_f64();
        let is_hang = status.code() == Some(HANG_CODE);
        let key = if is_hang { "hang" } else { "process-death" };
        let input = current_input(&state)?;
        let is_same = |input: &[u8]| dies_as(job.target, &state, input, status);
        let finding = match job.before.findings.get(key) {
            Some(before) => before.clone(),
            None => {
                let time = if is_hang { Duration::ZERO } else { Duration::from_secs(30) };
                let small = minimise(&input, is_same, time);
                let path = save(&regressions(job.target), key, &small)?;
                eprintln!("{}: {key} ({status}): {}", job.target.name, path.display());
                Finding { times: 0, path }
            }
        };
        summary.findings.insert(key.to_owned(), finding);
        if let Some(finding) = summary.findings.get_mut(key) {
            finding.times += 1;
        }
    }
    Ok(add(&job.before, summary))
}

fn add(before: &Summary, mut now: Summary) -> Summary {
    now.executions += before.executions;
    now.seconds += before.seconds;
    now.corpus = now.corpus.max(before.corpus);
    now.edges = now.edges.max(before.edges);
    now.shapes = now.shapes.max(before.shapes);
    now.slowest_ms = now.slowest_ms.max(before.slowest_ms);
    now.most_memory = now.most_memory.max(before.most_memory);
    now.kept_memory += before.kept_memory;
    for (key, finding) in &before.findings {
        now.findings.entry(key.clone()).or_insert_with(|| finding.clone());
    }
    now
}

/// Whether a process that runs this input alone ends in the same way.
fn dies_as(target: &Target, state: &Path, input: &[u8], status: ExitStatus) -> bool {
    let path = state.join("tried");
    let run = || -> io::Result<ExitStatus> {
        fs::write(&path, input)?;
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.arg(target.name).arg("--replay").arg(&path);
        command.stderr(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        command.status()
    };
    run().is_ok_and(|other| other == status)
}

fn current_input(state: &Path) -> io::Result<Vec<u8>> {
    let bytes = fs::read(state.join(CURRENT))?;
    let Some((length, input)) = bytes.split_first_chunk::<4>() else { return Ok(Vec::new()) };
    let length = u32::from_le_bytes(*length) as usize;
    Ok(input[..length.min(input.len())].to_vec())
}

fn read_summary(state: &Path) -> Option<Summary> {
    serde_json::from_slice(&fs::read(state.join(SUMMARY)).ok()?).ok()
}

/// Takes the inputs that found code from the state into the repository, as far as they are few.
///
/// # Errors
/// When a file cannot be written.
pub fn keep_corpora(campaign: &Campaign, most: usize) -> io::Result<()> {
    for target in &campaign.targets {
        let mut inputs = super::corpus::load(&campaign.state.join(target.name).join(CORPUS));
        inputs.sort_by_key(Vec::len);
        let mut text = String::new();
        for input in inputs {
            let line = bstr::ByteSlice::escape_bytes(&input[..]).to_string();
            if text.len() + line.len() < most {
                text.push_str(&line);
                text.push('\n');
            }
        }
        let path = corpus_file(target);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, text)?;
    }
    Ok(())
}

fn row(target: &Target, summary: &Summary) -> String {
    let findings: u64 = summary.findings.values().map(|finding| finding.times).sum();
    format!(
        "| {} | {} | {:.1} | {:.0} | {} | {} | {:.1} | {} | {} | {} ({} inputs) |",
        target.name,
        summary.executions,
        summary.seconds / 60.0,
        summary.executions as f64 / summary.seconds.max(0.001),
        summary.corpus,
        summary.edges,
        summary.slowest_ms,
        summary.most_memory >> 10,
        summary.kept_memory >> 10,
        summary.findings.len(),
        findings,
    )
}

const HEADING: &str = "\
| target | executions | minutes | per second | corpus | edges | slowest, ms | most memory, KiB | kept, KiB | findings |
|---|---|---|---|---|---|---|---|---|---|";

/// How often a target whose process ended is started again.
const MOST_RESTARTS: u64 = 5;
