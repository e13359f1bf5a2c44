//! The players of headerless files, which take anything: what is heard of what they are given.

use std::io::{self, Read, Seek, SeekFrom};

use diesis_sounds::g711;

use super::Finding;
use crate::sounds::container::Container;

/// A file with a header under the name of one without.
pub(super) fn thump(container: Container) -> Option<Finding> {
    match container {
        Container::Known(name @ ("WAV" | "AU" | "AIFF")) => Some(Finding::Wrong(format!(
            "a thump: the file begins with the header of a {name} file, which is played as sound; \
             its rate and coding are not looked at"
        ))),
        Container::Known(name) => {
            Some(Finding::Wrong(format!("noise: it is a file of {name}, played as samples")))
        }
        Container::Headerless => None,
    }
}

/// Frames of GSM, 33 bytes each, begin with four bits that are always the same.
pub(super) fn gsm(head: &[u8], len: u64) -> Option<Finding> {
    if len < 33 {
        return Some(Finding::Refusal("short read: less than a frame".to_owned()));
    }
    let frames = head.len() / 33;
    let good = head.chunks_exact(33).filter(|frame| frame[0] >> 4 == 0xd).count();
    (good * 2 < frames)
        .then(|| Finding::Wrong("noise: these are no frames of GSM 06.10".to_owned()))
}

/// How samples may lie in a file without a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ulaw,
    Alaw,
    Linear,
    /// The other byte first.
    Swapped,
}

impl Kind {
    fn samples(self, bytes: &[u8]) -> Vec<f64> {
        let pairs = || bytes.chunks_exact(2).map(|it| [it[0], it[1]]);
        let samples: Vec<i16> = match self {
            Self::Ulaw => bytes.iter().map(|&it| g711::decode_ulaw(it)).collect(),
            Self::Alaw => bytes.iter().map(|&it| g711::decode_alaw(it)).collect(),
            Self::Linear => pairs().map(i16::from_le_bytes).collect(),
            Self::Swapped => pairs().map(i16::from_be_bytes).collect(),
        };
        samples.into_iter().map(f64::from).collect()
    }

    fn told(self) -> &'static str {
        match self {
            Self::Ulaw => "\u{b5}-law",
            Self::Alaw => "A-law",
            Self::Linear => "linear samples of 16 bits",
            Self::Swapped => "linear samples with their bytes swapped",
        }
    }
}

/// Whether the bytes make far more sense as something else.
///
/// Sounds are smooth: neighbours are alike (0.8 for speech), and are not when they are read as what
/// they are not. Of linear samples every second byte is like chance; of others all bytes are alike.
pub(super) fn looks_like(input: &mut (impl Read + Seek), named: Kind) -> Option<Finding> {
    let bytes = middle(input).ok()?;
    if bytes.len() < SHORTEST {
        return None;
    }
    let likeness = |kind: Kind| likeness(&kind.samples(&bytes));
    let (own, uneven) = (likeness(named), unevenness(&bytes));
    let others: &[Kind] = match named {
        Kind::Linear | Kind::Swapped if uneven < 0.2 => &[Kind::Ulaw, Kind::Alaw],
        Kind::Linear | Kind::Swapped => &[Kind::Swapped],
        Kind::Ulaw | Kind::Alaw if uneven > 0.4 => &[Kind::Linear, Kind::Swapped],
        Kind::Ulaw => &[Kind::Alaw],
        Kind::Alaw => &[Kind::Ulaw],
    };
    let others = others.iter().map(|&kind| (kind, likeness(kind)));
    let (kind, other) = others.max_by(|one, other| one.1.total_cmp(&other.1))?;
    let told_by_bytes = (named == Kind::Linear) != (kind == Kind::Linear) && kind != Kind::Swapped;
    let margin = if told_by_bytes { 0.0 } else { 0.4 };
    if other < 0.7 || own > other - margin {
        return None;
    }
    let says = format!("loud noise: this looks like {}", kind.told());
    Some(match kind {
        Kind::Ulaw => Finding::Misnamed(says, "ulaw"),
        Kind::Alaw => Finding::Misnamed(says, "alaw"),
        Kind::Linear => Finding::Misnamed(says, "sln"),
        Kind::Swapped => Finding::Hopeless(says),
    })
}

/// Bytes from the middle of a file, where something is said.
fn middle(input: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
    let len = input.seek(SeekFrom::End(0))?;
    // An even place: halves of samples would be taken for whole ones.
    let begin = (len.saturating_sub(PIECE) / 2) & !1;
    input.seek(SeekFrom::Start(begin))?;
    let mut bytes = vec![];
    input.take(PIECE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const PIECE: u64 = 32_768;

/// Half a second, so that chance counts for little.
const SHORTEST: usize = 4000;

/// How much bytes at even places differ from those at odd ones: 0 when each value is as frequent
/// at both, 1 when none is found at both.
fn unevenness(bytes: &[u8]) -> f64 {
    let mut counts = [0_i64; 256];
    for pair in bytes.chunks_exact(2) {
        counts[usize::from(pair[0])] += 1;
        counts[usize::from(pair[1])] -= 1;
    }
    let differing: i64 = counts.iter().map(|count| count.abs()).sum();
    differing as f64 / bytes.len() as f64
}

/// How alike neighbours are: 1 for the smoothest sound, 0 for noise and for silence.
fn likeness(samples: &[f64]) -> f64 {
    let mean = samples.iter().sum::<f64>() / samples.len() as f64;
    let power: f64 = samples.iter().map(|it| (it - mean).powi(2)).sum();
    let both: f64 = samples.windows(2).map(|it| (it[0] - mean) * (it[1] - mean)).sum();
    if power / samples.len() as f64 > 100.0 { both / power } else { 0.0 }
}
