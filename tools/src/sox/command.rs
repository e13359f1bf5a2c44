//! A `sox` command: its global options, its files with theirs, and its effects.

use diesis_sounds::chain::Effect;
use diesis_sounds::coding::Order;

use super::effects;
use super::words::{Refusal, Words};

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Command {
    pub(super) global: Global,
    pub(super) inputs: Vec<FileOptions>,
    pub(super) output: FileOptions,
    pub(super) effects: Vec<Asked>,
}

/// An effect of the command.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Asked {
    Effect(Effect),
    /// `rate` without a number: that of the output.
    RateOfOutput(diesis_sounds::rate::Phase),
    /// `dither`: also where nothing else asks for it.
    Dither,
}

/// Options for the command as a whole.
#[derive(Debug)]
pub(super) struct Global {
    /// 0 says nothing, 1 failures, 2 warnings, 3 what is done.
    pub(super) verbosity: u8,
    pub(super) progress: bool,
    pub(super) no_dither: bool,
    pub(super) guard: bool,
    /// In decibels.
    pub(super) norm: Option<f64>,
    pub(super) no_clobber: bool,
    /// `--version` or `--help`.
    pub(super) about: Option<About>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Version,
    Help,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            verbosity: 2,
            progress: false,
            no_dither: false,
            guard: false,
            norm: None,
            no_clobber: false,
            about: None,
        }
    }
}

/// A file and what is said of it.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct FileOptions {
    pub(super) name: String,
    pub(super) kind: Option<String>,
    pub(super) rate: Option<u32>,
    pub(super) channels: Option<u16>,
    pub(super) bits: Option<u16>,
    pub(super) encoding: Option<Encoding>,
    pub(super) order: Option<Order>,
    pub(super) volume: Option<f64>,
}

/// How samples are stored, by sox's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Signed,
    Unsigned,
    Float,
    Ulaw,
    Alaw,
    Gsm,
    /// Known, and neither read nor written here under its name.
    Other(&'static str),
}

const ENCODINGS: &[(&str, Encoding)] = &[
    ("signed-integer", Encoding::Signed),
    ("unsigned-integer", Encoding::Unsigned),
    ("floating-point", Encoding::Float),
    ("mu-law", Encoding::Ulaw),
    ("u-law", Encoding::Ulaw),
    ("a-law", Encoding::Alaw),
    ("gsm-full-rate", Encoding::Gsm),
    ("ima-adpcm", Encoding::Other("ima-adpcm")),
    ("ms-adpcm", Encoding::Other("ms-adpcm")),
    ("oki-adpcm", Encoding::Other("oki-adpcm")),
];

/// Long options as short ones.
const LONG: &[(&str, char)] = &[
    ("type", 't'),
    ("rate", 'r'),
    ("channels", 'c'),
    ("bits", 'b'),
    ("encoding", 'e'),
    ("volume", 'v'),
    ("no-dither", 'D'),
    ("guard", 'G'),
    ("no-show-progress", 'q'),
    ("show-progress", 'S'),
    ("help", 'h'),
];

/// What changes nothing of what is heard here, with a value or without one: buffers, threads,
/// where temporary files go, and comments, which no format that is written here has.
const IDLE_WITH_VALUE: [&str; 6] =
    ["buffer", "input-buffer", "temp", "comment", "add-comment", "comment-file"];
const IDLE: [&str; 6] =
    ["clobber", "multi-threaded", "single-threaded", "magic", "no-glob", "ignore-length"];

impl Command {
    /// Reads a command. Nothing that it says is passed over.
    pub(super) fn parse(words: &[String]) -> Result<Self, Refusal> {
        let mut words = Words::new(words);
        let mut command = Self::default();
        let mut file = FileOptions::default();
        while let Some(word) = words.peek().filter(|word| !effects::is_known(word)) {
            words.next();
            match word {
                "-n" | "--null" => {
                    return words.refuse("`-n`, no file, is not here: name a file, and see `diesis sounds show` for what `stat` tells");
                }
                "-d" | "--default-device" => {
                    return words.refuse("`-d`, a sound card, is not here");
                }
                "-p" | "--sox-pipe" => {
                    return words.refuse("`-p` is not here: pipe WAV, `-t wav -`");
                }
                "-" => command.inputs.push(file.named(word)),
                _ => match word.strip_prefix("--") {
                    Some(long) => option_by_name(long, &mut words, &mut command.global, &mut file)?,
                    None => match word.strip_prefix('-') {
                        Some(short) => {
                            options(short, &mut words, &mut command.global, &mut file)?;
                        }
                        None if word.starts_with('|') || word.contains("://") => {
                            return words.refuse(format!(
                                "`{word}`: only files are read: pipe it in with `-`"
                            ));
                        }
                        None => command.inputs.push(file.named(word)),
                    },
                },
            }
            if command.global.about.is_some() {
                return Ok(command);
            }
        }
        if file != FileOptions::default() {
            return words.refuse("options for a file stand before it: none follows here");
        }
        command.output = match command.inputs.pop() {
            Some(output) if !command.inputs.is_empty() => output,
            _ => return Err(Refusal::of_all("an input and an output are needed")),
        };
        if command.output.volume.is_some() {
            return Err(Refusal::of_all("-v is for inputs: use the effect `vol`"));
        }
        command.effects = effects::parse(&mut words)?;
        Ok(command)
    }
}

impl FileOptions {
    /// What was said so far, of this file; what follows is said of the next.
    fn named(&mut self, name: &str) -> Self {
        Self { name: name.to_owned(), ..std::mem::take(self) }
    }

    /// What it is said to be, or what its extension says.
    pub(super) fn kind(&self) -> String {
        let extension = || {
            let name = std::path::Path::new(&self.name);
            name.extension().unwrap_or_default().to_string_lossy().into_owned()
        };
        self.kind.clone().unwrap_or_else(extension)
    }
}

/// An option after `--`.
fn option_by_name(
    option: &str,
    words: &mut Words<'_>,
    global: &mut Global,
    file: &mut FileOptions,
) -> Result<(), Refusal> {
    let (name, value) = match option.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (option, None),
    };
    if let Some((_, short)) = LONG.iter().find(|(long, _)| *long == name) {
        return match value {
            Some(value) => options(&format!("{short}{value}"), words, global, file),
            None => options(&short.to_string(), words, global, file),
        };
    }
    let with_value = |words: &mut Words<'_>| match value {
        Some(value) => Ok(value.to_owned()),
        None => match words.next() {
            Some(value) => Ok(value.to_owned()),
            None => words.refuse(format!("`--{name}` needs a value")),
        },
    };
    match name {
        "norm" => {
            let level = value.map_or(Some(0.0), |value| value.parse().ok());
            let Some(level) = level.filter(|level: &f64| level.is_finite()) else {
                return words.refuse(format!("`--{option}`: a level in dB is expected"));
            };
            global.norm = Some(level);
        }
        "no-clobber" => global.no_clobber = true,
        "version" => global.about = Some(About::Version),
        "combine" => match with_value(words)?.as_str() {
            "concatenate" | "sequence" => {}
            other => {
                return words.refuse(format!(
                    "`--combine {other}`: sounds are only put one after the other here"
                ));
            }
        },
        "endian" => match with_value(words)?.as_str() {
            "little" => file.order = Some(Order::Little),
            "big" | "swap" => file.order = Some(Order::Big),
            other => return words.refuse(format!("`--endian {other}`: little, big or swap")),
        },
        "replay-gain" => {
            if with_value(words)? != "off" {
                return words
                    .refuse("`--replay-gain` is not here: level a sound with `gain` or `norm`");
            }
        }
        _ if IDLE_WITH_VALUE.contains(&name) => {
            with_value(words)?;
        }
        _ if IDLE.contains(&name) => {}
        "i" | "info" => {
            return words.refuse("`--info` is not here: `diesis sounds show FILE` tells more");
        }
        _ => return words.refuse(format!("the option `--{name}` is not here")),
    }
    Ok(())
}

/// Options after one `-`: several letters, and behind the last or as the next word its value.
fn options(
    letters: &str,
    words: &mut Words<'_>,
    global: &mut Global,
    file: &mut FileOptions,
) -> Result<(), Refusal> {
    let mut rest = letters.chars();
    while let Some(letter) = rest.next() {
        match letter {
            'D' => global.no_dither = true,
            'G' => global.guard = true,
            'q' => global.progress = false,
            'S' => global.progress = true,
            // Two runs are always alike.
            'R' => {}
            'h' => global.about = Some(About::Help),
            'L' => file.order = Some(Order::Little),
            'B' | 'x' => file.order = Some(Order::Big),
            'V' => {
                let level = rest.as_str();
                if level.is_empty() {
                    global.verbosity = global.verbosity.saturating_add(1);
                    return Ok(());
                }
                let Ok(level) = level.parse() else {
                    return words.refuse(format!("`-V{level}`: a number is expected"));
                };
                global.verbosity = level;
                return Ok(());
            }
            't' | 'r' | 'c' | 'b' | 'e' | 'v' => {
                let attached = rest.as_str();
                let value = match (attached.is_empty(), words.peek()) {
                    (false, _) => attached,
                    (true, Some(_)) => words.next().unwrap_or_default(),
                    (true, None) => return words.refuse(format!("`-{letter}` needs a value")),
                };
                return valued(letter, value, words, file);
            }
            'm' | 'M' | 'T' => {
                return words.refuse(format!(
                    "`-{letter}`, several sounds at once, is not here: they are put one after the other"
                ));
            }
            'C' => return words.refuse("`-C`: no compressed format is written here"),
            'N' | 'X' => {
                return words
                    .refuse(format!("`-{letter}`: bits in another order are not read here"));
            }
            other => return words.refuse(format!("the option `-{other}` is not here")),
        }
    }
    Ok(())
}

/// An option of a file that has a value.
fn valued(
    letter: char,
    value: &str,
    words: &Words<'_>,
    file: &mut FileOptions,
) -> Result<(), Refusal> {
    match letter {
        't' => file.kind = Some(value.trim_start_matches('.').to_owned()),
        'r' => match rate(value) {
            Some(rate) => file.rate = Some(rate),
            None => {
                return words
                    .refuse(format!("`-r {value}`: a rate such as 8000 or 44.1k is expected"));
            }
        },
        'c' => match value.parse() {
            Ok(channels) if channels > 0 => file.channels = Some(channels),
            _ => return words.refuse(format!("`-c {value}`: a number of channels is expected")),
        },
        'b' => match value.parse() {
            Ok(bits) if matches!(bits, 8 | 16 | 24 | 32 | 64) => file.bits = Some(bits),
            _ => return words.refuse(format!("`-b {value}`: 8, 16, 24, 32 or 64 is expected")),
        },
        'v' => match value.parse::<f64>() {
            Ok(volume) if volume.is_finite() => file.volume = Some(volume),
            _ => return words.refuse(format!("`-v {value}`: a number is expected")),
        },
        _ => {
            let mut fits: Vec<Encoding> = vec![];
            for (name, encoding) in ENCODINGS {
                if name.starts_with(value) && !fits.contains(encoding) {
                    fits.push(*encoding);
                }
            }
            match fits.as_slice() {
                [Encoding::Other(name)] => {
                    return words.refuse(format!(
                        "`-e {name}` is not here: files that say so themselves are read"
                    ));
                }
                [one] => file.encoding = Some(*one),
                [] => return words.refuse(format!("`-e {value}`: there is no such encoding")),
                _ => return words.refuse(format!("`-e {value}` may be several encodings")),
            }
        }
    }
    Ok(())
}

/// `8000`, `8k`, `44.1k`.
pub(super) fn rate(text: &str) -> Option<u32> {
    let (number, unit) = match text.strip_suffix('k') {
        Some(number) => (number, 1000.0),
        None => (text, 1.0),
    };
    let rate = number.parse::<f64>().ok()? * unit;
    // No format that is written here has a rate between two whole numbers.
    (rate.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&rate)).then_some(rate as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words that mean something, and others.
    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => proptest::sample::select(KNOWN).prop_map(str::to_owned),
            1 => "-[a-zA-Z0-9]{1,4}|[0-9:.+=-]{1,8}|\\PC{0,8}",
        ]
    }

    const KNOWN: &[&str] = &[
        "in.wav",
        "out.wav",
        "out.ulaw",
        "-",
        "-r",
        "8000",
        "8k",
        "-c",
        "1",
        "2",
        "-b",
        "16",
        "24",
        "-e",
        "signed-integer",
        "mu-law",
        "-t",
        "wav",
        "raw",
        "-v",
        "0.5",
        "-G",
        "-D",
        "-V3",
        "--rate=8k",
        "--encoding",
        "rate",
        "-I",
        "-vs",
        "channels",
        "norm",
        "-3",
        "gain",
        "-n",
        "trim",
        "0",
        "=5",
        "-0.5",
        "silence",
        "1%",
        "0.1",
        "remix",
        "1,2",
        "1-2v0.5",
        "fade",
        "q",
        "pad",
        "vol",
        "dcshift",
        "0.1d",
        "reverb",
        ":",
        "newfile",
        "10s",
        "1:30",
    ];

    proptest! {
        #[test]
        fn every_command_is_understood_or_refused_in_words(
            words in prop::collection::vec(word(), 0..16)
        ) {
            match Command::parse(&words) {
                Ok(command) => {
                    let is_whole = command.global.about.is_some() || !command.inputs.is_empty();
                    prop_assert!(is_whole, "{words:?}");
                }
                Err(refusal) => prop_assert!(!refusal.to_string().is_empty()),
            }
        }
    }
}
