//! Sound to convert: noise as of a room, tones, and something that comes and goes like speech.
//! Always the same, made here, so that nothing has to be fetched.

use std::f64::consts::TAU;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use diesis_sounds::coding::{Coding, Order};
use diesis_sounds::format::wav_header::WavHeader;

/// Files to convert, made once and kept.
#[derive(Debug)]
pub struct Corpus {
    directory: PathBuf,
}

/// How long the long ones are, in seconds.
pub const LONG: u32 = 600;
/// How many prompts there are, and how long each is.
pub const PROMPTS: u32 = 500;
const PROMPT: u32 = 3;

impl Corpus {
    /// Makes what is not there yet. Needs lame, flac and oggenc; 450 MB.
    pub fn make(directory: &Path) -> io::Result<Self> {
        let corpus = Self { directory: directory.to_owned() };
        fs::create_dir_all(corpus.prompts())?;
        let stereo = corpus.file("stereo44.wav");
        once(&stereo, |draft| wav(draft, 44_100, 2, LONG, 1))?;
        once(&corpus.file("mono48.wav"), |draft| wav(draft, 48_000, 1, LONG, 2))?;
        for number in 0..PROMPTS {
            let path = corpus.prompts().join(format!("prompt-{number:03}.wav"));
            once(&path, |draft| wav(draft, 44_100, 1, PROMPT, 3 + u64::from(number)))?;
        }
        let encoders: [(&str, &[&str], &str); 3] = [
            ("stereo44.mp3", &["lame", "--quiet", "-b", "192"], ""),
            ("stereo44.flac", &["flac", "--silent", "-f"], "-o"),
            ("stereo44.ogg", &["oggenc", "-Q", "-q", "5"], "-o"),
        ];
        for (name, words, option) in encoders {
            once(&corpus.file(name), |draft| {
                let mut command = Command::new(words[0]);
                command.args(&words[1..]);
                if option.is_empty() {
                    command.arg(&stereo).arg(draft);
                } else {
                    command.arg(option).arg(draft).arg(&stereo);
                }
                let status = command
                    .status()
                    .map_err(|error| io::Error::other(format!("{}: {error}", words[0])))?;
                if status.success() { Ok(()) } else { Err(io::Error::other(words[0])) }
            })?;
        }
        Ok(corpus)
    }

    /// A file of it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The directory of prompts.
    #[must_use]
    pub fn prompts(&self) -> PathBuf {
        self.directory.join("prompts")
    }
}

/// Makes a file under another name, so that half of one is never taken for it.
fn once(path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!("draft-{name}"));
    make(&draft)?;
    fs::rename(draft, path)
}

/// A WAV file of 16 bits.
fn wav(path: &Path, rate: u32, channels: u16, seconds: u32, seed: u64) -> io::Result<()> {
    let frames = rate * seconds;
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let header = WavHeader::new(Coding::Signed16(Order::Little), channels, rate);
    let header = header.ok_or_else(|| io::Error::other("no such WAV file"))?;
    file.write_all(&header.bytes(frames * u32::from(channels) * 2, 0))?;
    let mut voices: Vec<Voice> =
        (0..channels).map(|channel| Voice::new(rate, seed * 2 + u64::from(channel))).collect();
    for _ in 0..frames {
        for voice in &mut voices {
            file.write_all(&voice.sample().to_le_bytes())?;
        }
    }
    file.flush()
}

/// One channel.
struct Voice {
    rate: f64,
    random: u64,
    /// Noise of eight octaves: each is drawn anew half as often as the one above.
    octaves: [f64; 8],
    at: u64,
    pitch: f64,
    tones: [f64; 3],
}

impl Voice {
    fn new(rate: u32, seed: u64) -> Self {
        Self {
            rate: rate.into(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            octaves: [0.0; 8],
            at: 0,
            pitch: 0.0,
            tones: [0.0; 3],
        }
    }

    /// Between -1 and 1 (xorshift, Marsaglia 2003).
    fn random(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn sample(&mut self) -> i16 {
        self.at += 1;
        let octave = (self.at.trailing_zeros() as usize).min(self.octaves.len() - 1);
        self.octaves[octave] = self.random();
        let noise: f64 = self.octaves.iter().sum::<f64>() / 8.0;
        let time = self.at as f64 / self.rate;
        // Syllables of a quarter of a second, and a breath every three.
        let syllable = (TAU * 2.0 * time).sin().max(0.0) * f64::from(time % 3.0 < 2.6);
        self.pitch += (140.0 + 30.0 * (TAU * 0.6 * time).sin()) / self.rate;
        let voice: f64 =
            (1..=6).map(|n| (TAU * f64::from(n) * self.pitch).sin() / f64::from(n)).sum();
        let mut tones = 0.0;
        for (phase, frequency) in self.tones.iter_mut().zip([997.0, 5300.0, 11_000.0]) {
            *phase += frequency / self.rate;
            tones += (TAU * *phase).sin();
        }
        let hiss = noise * syllable * f64::from(time % 1.0 > 0.8);
        ((0.3 * syllable * voice + 0.03 * noise + 0.3 * hiss + 0.01 * tones) * 16_000.0) as i16
    }
}
