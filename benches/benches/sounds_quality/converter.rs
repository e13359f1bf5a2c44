//! A command line under measurement: a signal in, samples out.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use diesis_sounds::coding::{Coding, Order};
use diesis_sounds::format::wav_header::WavHeader;
use diesis_sounds::read::Reader;

use crate::RATE;

/// A command, and the rate of what is put into it.
#[derive(Debug)]
pub(crate) struct Converter {
    words: Vec<String>,
    pub(crate) rate: u32,
    place: PathBuf,
}

impl Converter {
    pub(crate) fn new(command: &str, rate: u32) -> Result<Self, Box<dyn Error>> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let place =
            std::env::temp_dir().join(format!("diesis-quality-{}-{number}", std::process::id()));
        fs::create_dir_all(&place)?;
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if !["{in}", "{out}"].iter().all(|it| words.iter().any(|word| word == it)) {
            return Err(format!("{command}: it has no {{in}} and {{out}}").into());
        }
        Ok(Self { words, rate, place })
    }

    /// Frames in so many seconds of input.
    pub(crate) fn frames(&self, seconds: f64) -> usize {
        (seconds * f64::from(self.rate)) as usize
    }

    /// What it makes of one channel of 24 bits.
    pub(crate) fn convert(&self, input: &[f64]) -> Result<Vec<f64>, Box<dyn Error>> {
        let (from, to) = (self.place.join("in.wav"), self.place.join("out.wav"));
        write(&from, self.rate, input)?;
        let _nothing_from_before = fs::remove_file(&to);
        let words = self.words.iter().map(|word| match &**word {
            "{in}" => from.as_os_str(),
            "{out}" => to.as_os_str(),
            word => word.as_ref(),
        });
        let words: Vec<_> = words.collect();
        let mut command = Command::new(words[0]);
        let output = command.args(&words[1..]).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let mut reader = Reader::open(&to)?;
        let spec = reader.spec();
        if (f64::from(spec.rate), spec.channels) != (RATE, 1) {
            return Err(format!("it made {} Hz and {} channels", spec.rate, spec.channels).into());
        }
        let mut out = vec![];
        loop {
            let frames = reader.frames()?;
            if frames.is_empty() {
                return Ok(out);
            }
            out.extend(frames.iter().map(|&it| f64::from(it)));
        }
    }
}

impl Drop for Converter {
    fn drop(&mut self) {
        // In the directory for what is not kept; nothing depends on it.
        let _ = fs::remove_dir_all(&self.place);
    }
}

fn write(path: &Path, rate: u32, samples: &[f64]) -> std::io::Result<()> {
    let header = WavHeader::new(Coding::Signed24(Order::Little), 1, rate);
    let header = header.ok_or_else(|| std::io::Error::other("no such WAV file"))?;
    let mut bytes = header.bytes(3 * samples.len() as u32, samples.len() as u32 % 2);
    for sample in samples {
        let whole = (sample * 8_388_608.0).round().clamp(-8_388_608.0, 8_388_607.0) as i32;
        bytes.extend(&whole.to_le_bytes()[..3]);
    }
    bytes.extend(&[0][..samples.len() % 2]);
    fs::write(path, bytes)
}
