//! What does each kind of call cost, beside what it may cost? The release binary under its own load
//! tool, `diesis load`: CPU, memory, punctuality and loss, and whether the machine was quiet enough
//! for any of it to count.
//!
//!   cargo bench -p diesis-benches --bench figures [-- PART-OF-A-NAME..] [--seconds N] [--runs N]
//!
//! Some six minutes for all. With `--runs 3` each figure is the median of three.

use std::{error::Error, f64::consts::TAU, fs, process::Command};

use diesis_benches::{Server, registrant};
use diesis_sounds::format::wav;
use serde_json::Value;

/// A question, how it is asked, and what the answer may be.
struct Figure {
    name: &'static str,
    number: &'static str,
    words: &'static str,
    /// Where the figure stands in a level of the report, and the most it may be.
    aims: &'static [(&'static str, &'static str, f64)],
}

const CHANNEL: &str = "/process/cpu_ms_per_channel_second";
const CALL: &str = "/process/cpu_ms_per_call";
const MEMORY: &str = "/process/resident_kib_per_call";
const GRID: &str = "/media/deviation_ms/p99_9";
const LOST: &str = "/media/lost";

const PLAYBACK: &[(&str, &str, f64)] = &[
    ("CPU, ms a channel-second", CHANNEL, 0.35),
    ("memory, KiB a call", MEMORY, 12.0),
    ("off the grid at 99.9 %, ms", GRID, 1.0),
    ("packets lost", LOST, 0.0),
];
const ECHO: &[(&str, &str, f64)] =
    &[("CPU, ms a leg-second", CHANNEL, 0.40), ("packets lost", LOST, 0.0)];
const ROOM: &[(&str, &str, f64)] = &[
    ("CPU, ms a participant-second", CHANNEL, 0.40),
    ("off the grid at 99.9 %, ms", GRID, 1.0),
    ("packets lost", LOST, 0.0),
];

const FIGURES: &[Figure] = &[
    Figure { name: "playback of 500", number: "1000", words: "--calls 500", aims: PLAYBACK },
    Figure { name: "playback of 1000", number: "1000", words: "--calls 1000", aims: PLAYBACK },
    Figure { name: "playback of 2000", number: "1000", words: "--calls 2000", aims: PLAYBACK },
    Figure {
        name: "playback of 1000, callers send silence",
        number: "1000",
        words: "--calls 1000 --send silence",
        aims: PLAYBACK,
    },
    Figure { name: "echo of 500", number: "1001", words: "-w echo --calls 500", aims: ECHO },
    Figure { name: "echo of 1000", number: "1001", words: "-w echo --calls 1000", aims: ECHO },
    Figure {
        name: "room of 100, three talk",
        number: "1003",
        words: "-w conference --calls 100 --talkers 3",
        aims: ROOM,
    },
    Figure {
        name: "room of 500, three talk",
        number: "1003",
        words: "-w conference --calls 500 --talkers 3",
        aims: ROOM,
    },
    Figure {
        name: "room of 1000, three talk",
        number: "1003",
        words: "-w conference --calls 1000 --talkers 3",
        aims: ROOM,
    },
    Figure {
        name: "300 rooms of three, one talks",
        number: "1003",
        words: "-w conference --calls 900 --rooms-of 3 --talkers 1",
        aims: &[("CPU, ms a participant-second", CHANNEL, 0.42), ("packets lost", LOST, 0.0)],
    },
    Figure {
        name: "room of 300, Opus listeners, three talk G.711",
        number: "1003",
        words: "-w conference --calls 300 --talkers 3 --codec opus --talker-codec ulaw --rest silence",
        aims: &[("CPU, ms a participant-second", CHANNEL, 0.45), ("packets lost", LOST, 0.0)],
    },
    Figure {
        name: "menu with one digit, 40 a second",
        number: "1002",
        words: "-w menu --rate 40",
        aims: &[("CPU, ms a call", CALL, 1.3)],
    },
    Figure {
        name: "registrations, 32 at a time",
        number: "",
        words: "-w register --calls 32 --user 2 --phones 1000 --password a-password --from 127.0.0.2",
        aims: &[("CPU, ms a registration", CALL, 0.06)],
    },
];

const PLAN: &str = "\
[bench]
exten => 1000,1,Answer()
 same => n,Playback(long)
exten => 1001,1,Answer()
 same => n,Echo()
exten => 1002,1,Goto(menu,s,1)
exten => 1003,1,Answer()
 same => n,ConfBridge(1)
exten => _1003XXXX,1,Answer()
 same => n,ConfBridge(${EXTEN})
[menu]
exten => s,1,Answer()
 same => n,Background(menu)
 same => n,WaitExten(10)
exten => 1,1,Playback(one)
 same => n,Hangup()
";

/// Opus is taken, too, from anywhere on this machine.
const PEERS: &str = "\
[load]
type = endpoint
context = bench
disallow = all
allow = ulaw,alaw,opus
identify_by = ip
[load-id]
type = identify
endpoint = load
match = 127.0.0.1
";

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (mut seconds, mut runs, mut names) = (10_u64, 1_usize, vec![]);
    while let Some(word) = words.next() {
        match &*word {
            "--seconds" => seconds = words.next().ok_or("--seconds N")?.parse()?,
            "--runs" => runs = words.next().ok_or("--runs N")?.parse::<usize>()?.max(1),
            _ => names.push(word),
        }
    }
    println!("| what | figure | measured | aim | |\n|---|---|---|---|---|");
    let mut doubts = vec![];
    let mut missed = 0;
    for figure in FIGURES {
        if !names.is_empty() && !names.iter().any(|name| figure.name.contains(&**name)) {
            continue;
        }
        let mut levels = vec![];
        for _ in 0..runs {
            levels.push(measure(figure, seconds)?);
        }
        for level in &levels {
            let faults = level["worthless"].as_array().into_iter().flatten();
            doubts.extend(faults.map(|fault| format!("{}: {fault}", figure.name)));
        }
        for &(what, place, aim) in figure.aims {
            let values = levels.iter().filter_map(|level| level.pointer(place)?.as_f64());
            let mut values: Vec<f64> = values.collect();
            values.sort_by(f64::total_cmp);
            let Some(&median) = values.get(values.len() / 2) else {
                println!("| {} | {what} | not measured | {aim} | |", figure.name);
                missed += 1;
                continue;
            };
            let range = match &*values {
                [least, .., most] => format!("{median:.3} ({least:.3}-{most:.3})"),
                _ => format!("{median:.3}"),
            };
            let verdict = if median <= aim { "met" } else { "**missed**" };
            missed += usize::from(median > aim);
            println!("| {} | {what} | {range} | {aim} | {verdict} |", figure.name);
        }
    }
    println!("\n{missed} missed");
    if doubts.is_empty() {
        println!("the machine was quiet, and all calls were good");
    }
    for doubt in doubts {
        println!("WORTH NOTHING: {doubt}");
    }
    Ok(())
}

/// One level on an engine of its own: what one workload leaves behind does not burden the next.
fn measure(figure: &Figure, seconds: u64) -> Result<Value, Box<dyn Error>> {
    let data = std::env::temp_dir().join(format!("diesis-figures-{}", std::process::id()));
    let sounds = data.join("sounds/en");
    fs::create_dir_all(&sounds)?;
    for (name, length) in [("long", 400), ("menu", 6)] {
        wav::write(&sounds.join(name).with_extension("wav"), 8000, &voice(length * 8000))?;
    }
    wav::write(&sounds.join("one.wav"), 8000, &voice(4000))?;
    let peers = PEERS.to_owned() + &registrant::phones(1000);
    let settings = format!("[directories]\nastdatadir = {}\n", data.display());
    let server = Server::start_in(PLAN, &peers, &[("asterisk.conf", &settings)], 1)?;
    let json = data.join("load.json");
    let diesis = diesis_benches::binary()?;
    if figure.number == "1000" {
        // The prompt is in memory before the first call counts.
        let target = format!("1000@{}", server.address());
        let words = ["load", &target, "--calls", "1", "--for", "500ms", "--settle", "1s"];
        Command::new(&diesis).args(words).output()?;
    }
    let target = match figure.number {
        "" => server.address().to_string(),
        number => format!("{number}@{}", server.address()),
    };
    let output = Command::new(diesis)
        .args(["load", &target, "--pid", &server.id().to_string()])
        .args(["--for", &format!("{seconds}s"), "--json"])
        .arg(&json)
        .args(figure.words.split_whitespace())
        .output()?;
    let report =
        fs::read(&json).map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let report: Value = serde_json::from_slice(&report)?;
    let _left_behind = fs::remove_dir_all(&data);
    Ok(report["levels"][0].clone())
}

/// A gliding voice with syllables, the same on every machine.
fn voice(samples: usize) -> Vec<i16> {
    let mut phase = 0.0_f64;
    (0..samples)
        .map(|n| {
            let time = n as f64 / 8000.0;
            phase += TAU * (220.0 + 160.0 * (TAU * 0.7 * time).sin()) / 8000.0;
            let syllable = (TAU * 2.0 * time).sin().max(0.0);
            (7000.0 * syllable * (phase.sin() + 0.5 * (3.0 * phase).sin()) / 1.5) as i16
        })
        .collect()
}
