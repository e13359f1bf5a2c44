//! What does it cost to convert sound files, beside sox and ffmpeg? CPU time and memory of each as a
//! process, by turns, in one run.
//!
//!   cargo bench -p diesis-benches --bench sounds [-- PART-OF-A-NAME..] [--runs N]
//!
//! Needs sox, ffmpeg, lame, flac and oggenc, which `benches/run sounds` installs. DIESIS_BIN names
//! another binary than that of this tree. Some five minutes.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use diesis_benches::corpus::{Corpus, PROMPTS};
use diesis_benches::spent::{self, Spent};

/// A kind of input, and how many times less than sox it may take at the most.
struct Row {
    name: &'static str,
    file: &'static str,
    aim: f64,
    stretch: f64,
}

const ROWS: &[Row] = &[
    Row { name: "WAV, 44.1 kHz stereo, 10 min", file: "stereo44.wav", aim: 4.0, stretch: 6.0 },
    Row { name: "WAV, 48 kHz mono, 10 min", file: "mono48.wav", aim: 2.5, stretch: 4.0 },
    Row { name: "MP3, 44.1 kHz stereo, 10 min", file: "stereo44.mp3", aim: 2.0, stretch: 2.3 },
    Row { name: "FLAC, 44.1 kHz stereo, 10 min", file: "stereo44.flac", aim: 2.0, stretch: 2.3 },
    Row {
        name: "Ogg Vorbis, 44.1 kHz stereo, 10 min",
        file: "stereo44.ogg",
        aim: 2.0,
        stretch: 3.0,
    },
];
const BATCH: Row =
    Row { name: "500 prompts of 3 s, 44.1 kHz mono", file: "prompts", aim: 8.0, stretch: 12.0 };
const BATCH_WALL: Row =
    Row { name: "the same, elapsed time, 2 threads", file: "prompts", aim: 14.0, stretch: 20.0 };
const PROCESS: Row = Row {
    name: "one prompt of 3 s, a process",
    file: "prompts/prompt-000.wav",
    aim: 2.0,
    stretch: 2.5,
};
/// The most that any length may take, in MB.
const MEMORY: f64 = 32.0;
/// Processes that the cost of one is the median of.
const PROCESSES: usize = 40;

fn main() -> ExitCode {
    if let Some(code) = spent::serve() {
        return code;
    }
    match compare() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Who converts, and how a file is converted by it.
struct Converter {
    name: &'static str,
    words: Vec<String>,
}

impl Converter {
    fn new(name: &'static str, words: &str) -> Self {
        Self { name, words: words.split(' ').map(str::to_owned).collect() }
    }

    fn command(&self, input: &Path, output: &Path) -> Vec<String> {
        let place = |word: &String| match &**word {
            "{in}" => input.display().to_string(),
            "{out}" => output.display().to_string(),
            _ => word.clone(),
        };
        self.words.iter().map(place).collect()
    }
}

fn compare() -> Result<ExitCode, Box<dyn Error>> {
    let mut words = env::args().skip(1).filter(|word| word != "--bench");
    let (mut runs, mut names) = (5_usize, vec![]);
    while let Some(word) = words.next() {
        match &*word {
            "--runs" => runs = words.next().ok_or("--runs N")?.parse::<usize>()?.max(1),
            _ => names.push(word),
        }
    }
    let wanted =
        |row: &Row| names.is_empty() || names.iter().any(|name| row.name.contains(&**name));
    let binary = match env::var_os("DIESIS_BIN") {
        Some(binary) => PathBuf::from(binary),
        None => diesis_benches::binary()?,
    };
    let place = env::var_os("DIESIS_CORPUS")
        .map_or_else(|| env::temp_dir().join("diesis-corpus"), PathBuf::from);
    let corpus = Corpus::make(&place)?;
    let out = place.join(format!("out-{}", std::process::id()));
    fs::create_dir_all(&out)?;
    let diesis = format!("{} convert -q {{in}} {{out}}", binary.display());
    let converters = [
        Converter::new("sox", "sox {in} -b 16 -c 1 -t wav {out} rate -I 8000"),
        Converter::new(
            "ffmpeg",
            "ffmpeg -nostdin -v error -y -i {in} -ac 1 -ar 8000 -c:a pcm_s16le {out}",
        ),
        Converter::new("diesis", &diesis),
    ];
    for converter in &converters {
        let version = Command::new(&converter.words[0])
            .arg(if converter.name == "ffmpeg" { "-version" } else { "--version" })
            .output()
            .map_err(|error| format!("{}: {error}", converter.words[0]))?;
        let told = String::from_utf8_lossy(&version.stdout);
        println!("{}: {}", converter.name, told.lines().next().unwrap_or_default());
    }
    println!(
        "\n| input | sox | ffmpeg | diesis | sox / diesis: median (least-most) | aim [stretch] | | memory: sox, ffmpeg, diesis |\n|---|---|---|---|---|---|---|---|"
    );
    let mut missed = 0;
    for row in ROWS.iter().filter(|row| wanted(row)) {
        let commands = converters
            .each_ref()
            .map(|it| vec![it.command(&corpus.file(row.file), &out.join("out.wav"))]);
        let rounds = by_turns(&commands, runs)?;
        missed += usize::from(!told(row, &rounds, Figure::Cpu));
    }
    if wanted(&BATCH) || wanted(&BATCH_WALL) {
        missed += batch(&converters, &binary, &corpus, &out, runs)?;
    }
    if wanted(&PROCESS) {
        let commands = converters
            .each_ref()
            .map(|it| vec![it.command(&corpus.file(PROCESS.file), &out.join("out.wav"))]);
        let rounds = by_turns(&commands, PROCESSES)?;
        missed += usize::from(!told(&PROCESS, &rounds, Figure::Cpu));
        println!("\nOne process, ms of CPU: least, quarter, median, three quarters, most");
        for (number, converter) in converters.iter().enumerate() {
            let mut times: Vec<f64> = rounds.iter().map(|round| round[number].cpu * 1e3).collect();
            times.sort_by(f64::total_cmp);
            let at = |share: usize| format!("{:.2}", times[(times.len() - 1) * share / 4]);
            println!("{}: {}", converter.name, [0, 1, 2, 3, 4].map(at).join(", "));
        }
    }
    fs::remove_dir_all(&out)?;
    println!("\n{missed} missed");
    Ok(ExitCode::SUCCESS)
}

/// One process for each file, against one for all.
fn batch(
    converters: &[Converter; 3],
    binary: &Path,
    corpus: &Corpus,
    out: &Path,
    runs: usize,
) -> Result<usize, Box<dyn Error>> {
    let each = |converter: &Converter| {
        let command = |number: u32| {
            let name = format!("prompt-{number:03}.wav");
            converter.command(&corpus.prompts().join(&name), &out.join(name))
        };
        (0..PROMPTS).map(command).collect::<Vec<_>>()
    };
    let whole = |threads: &str| {
        let words = [
            &*binary.display().to_string(),
            "convert",
            "-q",
            "--force",
            "--threads",
            threads,
            &*corpus.prompts().display().to_string(),
            "--into",
            &*out.join("all").display().to_string(),
        ];
        vec![words.map(str::to_owned).to_vec()]
    };
    let [sox, ffmpeg, _] = converters;
    // Half a minute of CPU each: one round of it is enough.
    let ffmpeg = Spent::by(&each(ffmpeg))?;
    let (sox, one, two) = (each(sox), whole("1"), whole("2"));
    let mut rounds = [vec![], vec![]];
    for _ in 0..runs {
        let sox = Spent::by(&sox)?;
        rounds[0].push([sox, ffmpeg, Spent::by(&one)?]);
        rounds[1].push([sox, ffmpeg, Spent::by(&two)?]);
    }
    let met = told(&BATCH, &rounds[0], Figure::Cpu);
    let met_wall = told(&BATCH_WALL, &rounds[1], Figure::Wall);
    Ok(usize::from(!met) + usize::from(!met_wall))
}

/// What each took in each round; one goes first and then the other.
fn by_turns(
    commands: &[Vec<Vec<String>>; 3],
    runs: usize,
) -> Result<Vec<[Spent; 3]>, Box<dyn Error>> {
    // What is read for the first time comes from the disk.
    for commands in commands {
        Spent::by(commands)?;
    }
    let mut rounds = vec![];
    for round in 0..runs {
        let mut spent = [None; 3];
        for turn in 0..3 {
            let number = if round % 2 == 0 { turn } else { 2 - turn };
            spent[number] = Some(Spent::by(&commands[number])?);
        }
        let [Some(sox), Some(ffmpeg), Some(diesis)] = spent else { continue };
        rounds.push([sox, ffmpeg, diesis]);
    }
    Ok(rounds)
}

#[derive(Clone, Copy)]
enum Figure {
    Cpu,
    Wall,
}

/// Prints a row. Returns whether its aims were met.
fn told(row: &Row, rounds: &[[Spent; 3]], figure: Figure) -> bool {
    let of = |spent: &Spent| match figure {
        Figure::Cpu => spent.cpu,
        Figure::Wall => spent.wall,
    };
    let ratios = sorted(rounds.iter().map(|[sox, _, diesis]| of(sox) / of(diesis).max(1e-9)));
    let ratio = median(&ratios);
    let seconds = |number: usize| {
        let median = median(&sorted(rounds.iter().map(|round| of(&round[number]))));
        if median < 0.1 { format!("{:.2} ms", median * 1e3) } else { format!("{median:.3} s") }
    };
    let memory =
        |number: usize| rounds.iter().map(|round| round[number].memory).fold(0.0, f64::max);
    let met = ratio >= row.aim && memory(2) <= MEMORY;
    println!(
        "| {} | {} | {} | {} | {ratio:.2} ({:.2}-{:.2}) | {} [{}] | {} | {:.0}, {:.0}, {:.0} MB |",
        row.name,
        seconds(0),
        seconds(1),
        seconds(2),
        ratios[0],
        ratios[ratios.len() - 1],
        row.aim,
        row.stretch,
        if met { "met" } else { "**missed**" },
        memory(0),
        memory(1),
        memory(2),
    );
    met
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}
