//! ITU-T G.722 at 64 kbit/s: sound up to 7 kHz in one octet for two samples of 16 kHz.
//!
//! A pair of quadrature mirror filters splits the sound at 4 kHz; each band is coded as the
//! difference from a prediction, six bits of the lower band and two of the upper. Blocks, signals
//! and tables carry the names of the Recommendation, whose arithmetic is kept bit by bit: products
//! are cut to 16 bits, sums saturate. Nothing here allocates.

/// Samples in one octet.
pub const SAMPLES_PER_OCTET: usize = 2;

/// Turns 16 kHz samples into octets.
#[derive(Debug, Clone)]
pub struct Encoder {
    lower: Band,
    upper: Band,
    delay: Delay,
}

/// Turns octets into 16 kHz samples.
#[derive(Debug, Clone)]
pub struct Decoder {
    lower: Band,
    upper: Band,
    delay: Delay,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// The state of clause 3.5: as after long silence.
    #[must_use]
    pub const fn new() -> Self {
        Self { lower: Band::LOWER, upper: Band::UPPER, delay: Delay::NEW }
    }

    /// Encodes pairs of samples, as many as both slices hold; returns the number of octets.
    pub fn encode_into(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        let mut octets = 0;
        for (octet, &[first, second]) in out.iter_mut().zip(samples.as_chunks::<2>().0) {
            self.delay.push(first.into(), second.into());
            let (even, odd) = self.delay.filter();
            // The sum of all coefficients is 2^13: one bit of the sixteen is left for the band.
            let low = limit((even + odd) >> 14);
            let high = limit((odd - even) >> 14);
            *octet = self.encode_upper(high) << 6 | self.encode_lower(low);
            octets += 1;
        }
        octets
    }

    fn encode_lower(&mut self, xl: i32) -> u8 {
        let band = &mut self.lower;
        let el = saturate(xl - band.s);
        let magnitude = if el < 0 { -(el + 1) } else { el };
        // The levels rise, so the first one above ends the search (QUANTL).
        let above = |&level: &i32| magnitude < ((level << 3) * band.det) >> 15;
        let interval = Q6.iter().position(above).unwrap_or(Q6.len()) as u8;
        let code = match (el < 0, interval) {
            // The two innermost intervals of negative values have codes of their own.
            (true, interval @ 0..2) => 63 - interval,
            (true, interval) => 33 - interval,
            (false, interval) => 61 - interval,
        };
        band.adapt_lower(code >> 2);
        code
    }

    fn encode_upper(&mut self, xh: i32) -> u8 {
        let band = &mut self.upper;
        let eh = saturate(xh - band.s);
        let magnitude = if eh < 0 { -(eh + 1) } else { eh };
        let is_outer = magnitude >= (Q2 * band.det) >> 12;
        let code = match (eh < 0, is_outer) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        band.adapt_upper(code);
        code
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// The state of clause 4.5: as after long silence.
    #[must_use]
    pub const fn new() -> Self {
        Self { lower: Band::LOWER, upper: Band::UPPER, delay: Delay::NEW }
    }

    /// Decodes octets into pairs of samples, as many as both slices hold; returns the number of
    /// samples.
    pub fn decode_into(&mut self, octets: &[u8], out: &mut [i16]) -> usize {
        let mut samples = 0;
        for (&octet, pair) in octets.iter().zip(out.as_chunks_mut::<2>().0) {
            let (low, high) = (octet & 0x3f, octet >> 6);
            let dl = (self.lower.det * QM6[usize::from(low)]) >> 15;
            let rl = limit(self.lower.s + dl);
            self.lower.adapt_lower(low >> 2);
            let dh = (self.upper.det * QM2[usize::from(high)]) >> 15;
            let rh = limit(self.upper.s + dh);
            self.upper.adapt_upper(high);
            self.delay.push(rl + rh, rl - rh);
            let (even, odd) = self.delay.filter();
            // Clause 4.4: twice the sum, and the bit given up by the encoder back.
            *pair = [clip(odd >> 11), clip(even >> 11)];
            samples += 2;
        }
        samples
    }
}

/// The delay line of the filters that split and join the bands, newest pair last.
#[derive(Debug, Clone)]
struct Delay {
    even: [i32; 12],
    odd: [i32; 12],
}

impl Delay {
    const NEW: Self = Self { even: [0; 12], odd: [0; 12] };

    fn push(&mut self, first: i32, second: i32) {
        self.even.copy_within(1.., 0);
        self.even[11] = first;
        self.odd.copy_within(1.., 0);
        self.odd[11] = second;
    }

    /// The two halves of the filter.
    fn filter(&self) -> (i32, i32) {
        let mut sums = (0, 0);
        for (index, &coefficient) in QMF.iter().enumerate() {
            sums.0 += coefficient * self.even[index];
            sums.1 += QMF[11 - index] * self.odd[index];
        }
        sums
    }
}

/// The adaptive quantiser and predictor of one band (blocks 3 and 4).
#[derive(Debug, Clone)]
struct Band {
    /// The prediction.
    s: i32,
    /// Its part that comes from the zeros.
    sz: i32,
    /// The scale factor's logarithm, and the factor.
    nb: i32,
    det: i32,
    /// The last reconstructed signals, newest first.
    r: [i32; 2],
    /// The last partially reconstructed signals.
    p: [i32; 2],
    /// Coefficients of the poles and zeros.
    a: [i32; 2],
    b: [i32; 6],
    /// The last quantised differences.
    d: [i32; 6],
}

impl Band {
    const LOWER: Self =
        Self { s: 0, sz: 0, nb: 0, det: 32, r: [0; 2], p: [0; 2], a: [0; 2], b: [0; 6], d: [0; 6] };
    const UPPER: Self = Self { det: 8, ..Self::LOWER };

    /// Takes the four bits of a lower code that steer the adaptation (INVQAL to PREDIC).
    fn adapt_lower(&mut self, code: u8) {
        let code = usize::from(code & 15);
        let d = (self.det * QM4[code]) >> 15;
        self.nb = (((self.nb * 127) >> 7) + WL[code]).clamp(0, 18432);
        self.det = scale(self.nb, 8);
        self.predict(d);
    }

    /// Takes the two bits of an upper code (INVQAH to PREDIC).
    fn adapt_upper(&mut self, code: u8) {
        let code = usize::from(code & 3);
        let d = (self.det * QM2[code]) >> 15;
        self.nb = (((self.nb * 127) >> 7) + WH[code]).clamp(0, 22528);
        self.det = scale(self.nb, 10);
        self.predict(d);
    }

    /// Block 4: adapts the predictor to the quantised difference `d` and predicts the next sample.
    fn predict(&mut self, d: i32) {
        let r = saturate(self.s + d);
        let p = saturate(d + self.sz);
        self.adapt_poles(p);
        self.adapt_zeros(d);
        self.p = [p, self.p[0]];
        self.r = [r, self.r[0]];
        self.d.copy_within(..5, 1);
        self.d[0] = d;
        // FILTEP, FILTEZ.
        let pole = |a: i32, r: i32| (a * saturate(r + r)) >> 15;
        let sp = saturate(pole(self.a[0], self.r[0]) + pole(self.a[1], self.r[1]));
        self.sz = self.b.iter().zip(&self.d).fold(0, |sum, (&b, &d)| saturate(sum + pole(b, d)));
        self.s = saturate(sp + self.sz);
    }

    /// UPPOL2 and UPPOL1: the second coefficient first, since it bounds the first.
    fn adapt_poles(&mut self, p: i32) {
        let differs = [(p < 0) != (self.p[0] < 0), (p < 0) != (self.p[1] < 0)];
        let quadruple = saturate(self.a[0] << 2);
        let mut change = if differs[0] { quadruple } else { -quadruple }.min(32767) >> 7;
        change += if differs[1] { -128 } else { 128 };
        let second = (change + ((self.a[1] * 32512) >> 15)).clamp(-12288, 12288);
        let change = if differs[0] { -192 } else { 192 };
        let bound = saturate(15360 - second);
        let first = saturate(change + ((self.a[0] * 32640) >> 15)).clamp(-bound, bound);
        self.a = [first, second];
    }

    /// UPZERO.
    fn adapt_zeros(&mut self, d: i32) {
        let step = if d == 0 { 0 } else { 128 };
        for (b, &past) in self.b.iter_mut().zip(&self.d) {
            let change = if (past < 0) == (d < 0) { step } else { -step };
            *b = saturate(change + ((*b * 32640) >> 15));
        }
    }
}

/// SCALEL and SCALEH: from the logarithm to the factor.
fn scale(nb: i32, shift: i32) -> i32 {
    let mantissa = ILB[(nb >> 6 & 31) as usize];
    match shift - (nb >> 11) {
        right @ 0.. => mantissa >> right << 2,
        left => mantissa << -left << 2,
    }
}

/// To 16 bits.
fn saturate(value: i32) -> i32 {
    value.clamp(i16::MIN.into(), i16::MAX.into())
}

fn clip(value: i32) -> i16 {
    saturate(value) as i16
}

/// To 15 bits, the width of a band.
fn limit(value: i32) -> i32 {
    value.clamp(-16384, 16383)
}

/// Table 11: one half of the symmetric filter, times 2^13.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Table 14: the decision levels of the lower band.
const Q6: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023,
    1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// Table 15: the decision level of the upper band.
const Q2: i32 = 564;

/// Tables 17 and 18: what the four bits that steer the adaptation stand for, and what they do to
/// the scale factor.
const QM4: [i32; 16] = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584,
    1200, 0,
];
const WL: [i32; 16] =
    [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];

/// The same for the upper band.
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];
const WH: [i32; 4] = [798, -214, 798, -214];

/// Table 16: the values of all six bits. The first four codes are never sent.
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232,
    -9360, -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776,
    -2400, -2032, -1688, -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280,
    11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776,
    2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];

/// Table 19: 2^(n/32) from 2048 on.
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, amplitude: f64, len: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * hertz / 16_000.0;
        (0..len).map(|n| (amplitude * (step * n as f64).sin()) as i16).collect()
    }

    fn there_and_back(samples: &[i16]) -> Vec<i16> {
        let mut octets = vec![0; samples.len() / 2];
        assert_eq!(Encoder::new().encode_into(samples, &mut octets), octets.len());
        let mut out = vec![0; samples.len()];
        assert_eq!(Decoder::new().decode_into(&octets, &mut out), out.len());
        out
    }

    /// Signal to noise in dB at the best delay, settled parts compared.
    fn snr(sent: &[i16], heard: &[i16]) -> f64 {
        (0..64)
            .map(|delay| {
                let pairs = sent[1600..sent.len() - 64].iter().zip(&heard[1600 + delay..]);
                let (mut signal, mut noise) = (0.0, 0.0);
                for (&sent, &heard) in pairs {
                    signal += f64::from(sent).powi(2);
                    noise += (f64::from(sent) - f64::from(heard)).powi(2);
                }
                10.0 * (signal / noise).log10()
            })
            .fold(f64::MIN, f64::max)
    }

    #[test]
    fn tones_of_both_bands_come_back() {
        for (hertz, wanted) in
            [(200.0, 35.0), (1000.0, 35.0), (2500.0, 25.0), (5000.0, 20.0), (6500.0, 15.0)]
        {
            for amplitude in [300.0, 3000.0, 16_000.0] {
                let sent = tone(hertz, amplitude, 16_000);
                let snr = snr(&sent, &there_and_back(&sent));
                assert!(snr > wanted, "{hertz} Hz at {amplitude}: {snr:.1} dB");
            }
        }
    }

    #[test]
    fn two_tones_of_two_bands_are_both_heard() {
        let sent: Vec<i16> = tone(700.0, 6000.0, 16_000)
            .iter()
            .zip(tone(5300.0, 3000.0, 16_000))
            .map(|(&low, high)| low + high)
            .collect();
        let snr = snr(&sent, &there_and_back(&sent));
        assert!(snr > 18.0, "{snr:.1} dB");
    }

    #[test]
    fn silence_stays_silent() {
        let heard = there_and_back(&[0; 3200]);
        assert!(heard.iter().all(|sample| sample.unsigned_abs() < 8), "{heard:?}");
    }

    #[test]
    fn nothing_that_arrives_overflows() {
        let mut decoder = Decoder::new();
        let mut seed = 1_u32;
        let mut out = [0; 320];
        for round in 0..2000_u32 {
            let mut octets = [0_u8; 160];
            for octet in &mut octets {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Also long runs of one octet, which drive the scale factors to their ends.
                *octet = if round % 3 == 0 { (round / 3) as u8 } else { (seed >> 24) as u8 };
            }
            assert_eq!(decoder.decode_into(&octets, &mut out), 320);
        }
        let mut encoder = Encoder::new();
        let mut octets = [0; 160];
        let square: Vec<i16> =
            (0..320).map(|n| if n / 3 % 2 == 0 { i16::MIN } else { i16::MAX }).collect();
        for _ in 0..200 {
            assert_eq!(encoder.encode_into(&square, &mut octets), 160);
        }
    }

    #[test]
    fn frames_and_one_run_give_the_same() {
        let sent = tone(900.0, 9000.0, 3200);
        let mut whole = vec![0; 1600];
        Encoder::new().encode_into(&sent, &mut whole);
        let mut encoder = Encoder::new();
        let mut framed = vec![0; 1600];
        for (samples, octets) in sent.chunks(320).zip(framed.chunks_mut(160)) {
            encoder.encode_into(samples, octets);
        }
        assert_eq!(whole, framed);
    }

    #[test]
    fn a_listener_who_comes_late_soon_hears_the_same() {
        // Both sides forget: what was different a tenth of a second ago makes no difference now.
        let sent = tone(600.0, 8000.0, 16_000);
        let mut octets = vec![0; 8000];
        Encoder::new().encode_into(&sent, &mut octets);
        let (mut early, mut late) = (vec![0; 16_000], vec![0; 8000]);
        Decoder::new().decode_into(&octets, &mut early);
        Decoder::new().decode_into(&octets[4000..], &mut late);
        let worst = early[12_000..].iter().zip(&late[4000..]).map(|(a, b)| (a - b).abs()).max();
        assert!(worst.unwrap() < 300, "{worst:?}");
    }
}
