//! What both directions have in common: short-term filters from log area ratios, and the residue
//! decoded (§5.2.8 to §5.2.12, §5.2.16, §5.2.17).

use super::{
    Subframe,
    arithmetic::{abs, add, mult_r, shift_left, sub},
};

/// The log area ratios that were coded (§5.2.8).
pub(super) fn decode_ratios(coded: &[i16; 8]) -> [i16; 8] {
    std::array::from_fn(|i| {
        let value = add(coded[i], LEAST[i]) << 10;
        let value = mult_r(INVERSE_SLOPE[i], sub(value, OFFSET[i] << 1));
        add(value, value)
    })
}

/// The parts of a frame, and the reflection coefficients in each, on the way from the ratios of the
/// frame before to those of this one (§5.2.9).
pub(super) fn reflections(
    before: &[i16; 8],
    now: &[i16; 8],
) -> [(std::ops::Range<usize>, [i16; 8]); 4] {
    let ratios =
        |mix: fn(i16, i16) -> i16| std::array::from_fn(|i| reflection(mix(before[i], now[i])));
    [
        (0..13, ratios(|before, now| add(add(before >> 2, now >> 2), before >> 1))),
        (13..27, ratios(|before, now| add(before >> 1, now >> 1))),
        (27..40, ratios(|before, now| add(add(before >> 2, now >> 2), now >> 1))),
        (40..160, ratios(|_, now| now)),
    ]
}

/// A reflection coefficient from its log area ratio (§5.2.9.2).
fn reflection(ratio: i16) -> i16 {
    let size = match abs(ratio) {
        size @ 0..11_059 => size << 1,
        size @ 11_059..20_070 => size + 11_059,
        size => add(size >> 2, 26_112),
    };
    if ratio < 0 { -size } else { size }
}

/// Exponent and mantissa of a coded peak (§5.2.15).
pub(super) fn scale(peak: i16) -> (i16, usize) {
    let mut exponent = if peak > 15 { (peak >> 3) - 1 } else { 0 };
    let mut mantissa = peak - (exponent << 3);
    if mantissa == 0 {
        return (-4, 7);
    }
    while mantissa <= 7 {
        mantissa = mantissa << 1 | 1;
        exponent -= 1;
    }
    (exponent, (mantissa - 8) as usize)
}

/// The residue that a subframe tells (§5.2.16, §5.2.17).
pub(super) fn residue(subframe: &Subframe) -> [i16; 40] {
    let (exponent, mantissa) = scale(subframe.peak);
    let shift = 6 - exponent;
    let round = shift_left(1, shift - 1);
    let mut residue = [0; 40];
    for (i, &pulse) in subframe.pulses.iter().enumerate() {
        let value = ((pulse << 1) - 7) << 12;
        let value = add(mult_r(MANTISSA[mantissa], value), round);
        residue[subframe.grid as usize + 3 * i] = shift_left(value, -shift);
    }
    residue
}

/// The past of the residue, and the subframe being worked on behind it.
#[derive(Debug, Clone)]
pub(super) struct Past(pub(super) [i16; PAST + 40]);

impl Past {
    pub(super) fn new() -> Self {
        Self([0; PAST + 40])
    }

    /// What the subframe is expected to be, from `lag` before (§5.2.12).
    pub(super) fn predict(&self, lag: i16, gain: i16) -> [i16; 40] {
        let start = PAST - lag as usize;
        std::array::from_fn(|k| mult_r(GAIN[gain as usize], self.0[start + k]))
    }

    /// Sets the subframe: what was expected and what is added.
    pub(super) fn reconstruct(&mut self, residue: &[i16; 40], expected: &[i16; 40]) -> &[i16] {
        for (k, sample) in self.0[PAST..].iter_mut().enumerate() {
            *sample = add(residue[k], expected[k]);
        }
        &self.0[PAST..]
    }

    /// The subframe is past.
    pub(super) fn advance(&mut self) {
        self.0.copy_within(40.., 0);
    }
}

/// How far back lags go.
pub(super) const PAST: usize = 120;

/// Table 5.1: B, MIC and MAC; table 5.2: INVA.
pub(super) const OFFSET: [i16; 8] = [0, 0, 2048, -2560, 94, -1792, -341, -1144];
pub(super) const LEAST: [i16; 8] = [-32, -32, -16, -16, -8, -8, -4, -4];
const INVERSE_SLOPE: [i16; 8] = [13_107, 13_107, 13_107, 13_107, 19_223, 17_476, 31_454, 29_708];

/// Table 5.3: QLB.
const GAIN: [i16; 4] = [3277, 11_469, 21_299, 32_767];

/// Table 5.6: FAC.
const MANTISSA: [i16; 8] = [18_431, 20_479, 22_527, 24_575, 26_623, 28_671, 30_719, 32_767];
