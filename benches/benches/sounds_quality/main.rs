//! How does a converter to 8 kHz sound? Ripple, edge, aliases, noise, delay and ringing of any command
//! line, by test signals through it.
//!
//!   cargo bench -p diesis-benches --bench sounds_quality [-- --cmd 'NAME=COMMAND {in} {out}']..
//!       [--input HZ].. [--only filter,alias,noise,place,ring]
//!
//! Without `--cmd` these are sox, ffmpeg and diesis (DIESIS_BIN, or that of this tree). Signals are of
//! 24 bits; what comes out must be a WAV file of 8 kHz, mono. Levels in dB are relative to the tone
//! put in. Some two minutes for each command and rate.

mod converter;
mod filter;
mod fit;
mod noise;
mod place;

use std::env;
use std::error::Error;

use converter::Converter;

/// What comes out of a converter.
const RATE: f64 = 8000.0;

/// A name and what was measured; empty where it could not be.
type Figures = Vec<(&'static str, String)>;

/// A family of measures.
type Question = fn(&Converter) -> Result<Figures, Box<dyn Error>>;

const QUESTIONS: [(&str, Question); 5] = [
    ("filter", filter::passband),
    ("alias", filter::aliases),
    ("noise", noise::noise),
    ("place", place::place),
    ("ring", place::ring),
];

fn main() -> Result<(), Box<dyn Error>> {
    let (mut commands, mut rates, mut only) = (vec![], vec![], None);
    let mut words = env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} what?"));
        match &*word {
            "--cmd" => {
                let told = value()?;
                let (name, command) = told.split_once('=').ok_or("--cmd NAME=COMMAND")?;
                commands.push((name.to_owned(), command.to_owned()));
            }
            "--input" => rates.push(value()?.parse()?),
            "--only" => only = Some(value()?),
            other => return Err(format!("no option is called {other}").into()),
        }
    }
    if commands.is_empty() {
        commands = usual()?;
    }
    if rates.is_empty() {
        rates = vec![44_100, 48_000];
    }
    for rate in rates {
        let converters: Vec<_> = commands
            .iter()
            .map(|(_, command)| Converter::new(command, rate))
            .collect::<Result<_, _>>()?;
        println!("\n## {rate} Hz to 8 kHz\n");
        let names: Vec<&str> = commands.iter().map(|(name, _)| &**name).collect();
        println!("| measure | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
        for (name, question) in QUESTIONS {
            if only.as_ref().is_some_and(|only| !only.split(',').any(|it| it == name)) {
                continue;
            }
            let columns: Vec<Figures> = converters
                .iter()
                .zip(&names)
                .map(|(converter, name)| {
                    question(converter).unwrap_or_else(|error| {
                        eprintln!("{name}: {error}");
                        vec![]
                    })
                })
                .collect();
            let Some(longest) = columns.iter().max_by_key(|it| it.len()) else { continue };
            for (row, (measure, _)) in longest.iter().enumerate() {
                let cells = columns.iter().map(|it| it.get(row).map_or("-", |(_, cell)| cell));
                println!("| {measure} | {} |", cells.collect::<Vec<_>>().join(" | "));
            }
        }
    }
    Ok(())
}

/// The converters that are compared when none is named.
fn usual() -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let binary = match env::var_os("DIESIS_BIN") {
        Some(binary) => binary.into(),
        None => diesis_benches::binary()?,
    };
    let diesis = format!("{} convert -q {{in}} {{out}}", binary.display());
    let commands = [
        ("sox -I", "sox {in} -b 16 -c 1 -t wav {out} rate -I 8000".to_owned()),
        ("sox -h", "sox {in} -b 16 -c 1 -t wav {out} rate -h 8000".to_owned()),
        (
            "ffmpeg",
            "ffmpeg -nostdin -v error -y -i {in} -ac 1 -ar 8000 -c:a pcm_s16le {out}".to_owned(),
        ),
        ("diesis", diesis.clone()),
        ("diesis, intermediate", format!("{diesis} --phase intermediate")),
        ("diesis, no dither", format!("{diesis} --no-dither")),
    ];
    Ok(commands.into_iter().map(|(name, command)| (name.to_owned(), command)).collect())
}
