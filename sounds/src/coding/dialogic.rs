//! Dialogic ADPCM (Dialogic ADPCM Algorithm, 1988), the `.vox` of voice boards: four bits a sample of
//! 12 bits, the upper ones of a byte first.

/// The state of both ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Channel {
    sample: i32,
    index: i32,
}

impl Channel {
    /// Two samples of each byte.
    pub(super) fn decode(&mut self, bytes: &[u8], out: &mut [i16]) {
        let codes = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        out.iter_mut().zip(codes).for_each(|(out, code)| *out = self.take(code));
    }

    /// A byte of each pair of samples.
    pub(super) fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        let pairs = samples.as_chunks::<2>().0.iter();
        out.extend(pairs.map(|&[first, second]| self.code(first) << 4 | self.code(second)));
    }

    fn code(&mut self, sample: i16) -> u8 {
        // The four bits less are rounded off, not cut off.
        let wanted = ((i32::from(sample) + 8) >> 4).min(MOST);
        let difference = wanted - self.sample;
        let sign = if difference < 0 { 8 } else { 0 };
        let code = sign | (difference.abs() * 4 / STEPS[self.index as usize]).min(7) as u8;
        self.take(code);
        code
    }

    /// Quarters of a step, and half of one; `sox` and `ffmpeg` cut their sum, not each of them.
    fn take(&mut self, code: u8) -> i16 {
        let magnitude = i32::from(code & 7);
        let difference = ((2 * magnitude + 1) * STEPS[self.index as usize]) >> 3;
        let signed = if code & 8 != 0 { -difference } else { difference };
        self.sample = (self.sample + signed).clamp(-MOST - 1, MOST);
        self.index = (self.index + INDEX_CHANGE[magnitude as usize]).clamp(0, LAST);
        (self.sample << 4) as i16
    }
}

/// Of 12 bits.
const MOST: i32 = 2047;

const LAST: i32 = STEPS.len() as i32 - 1;

const INDEX_CHANGE: [i32; 8] = [-1, -1, -1, -1, 2, 4, 6, 8];

#[rustfmt::skip]
const STEPS: [i32; 49] = [
    16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97, 107, 118, 130,
    143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796,
    876, 963, 1060, 1166, 1282, 1411, 1552,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_near_to_what_it_was() {
        let samples: Vec<i16> =
            (0..800).map(|n| (8000.0 * (f64::from(n) * 0.2).sin()) as i16).collect();
        let (mut bytes, mut back) = (vec![], vec![0; 800]);
        Channel::default().encode(&samples, &mut bytes);
        assert_eq!(bytes.len(), 400);
        Channel::default().decode(&bytes, &mut back);
        let noise: f64 = samples
            .iter()
            .zip(&back)
            .skip(50)
            .fold(0.0, |noise, (a, b)| noise + (f64::from(*a) - f64::from(*b)).powi(2));
        // 20 dB below the sound.
        assert!(noise < 750.0 * 8000.0 * 8000.0 / 2.0 / 100.0, "{noise}");
    }

    #[test]
    fn extremes_stay_within_twelve_bits() {
        let (mut bytes, mut back) = (vec![], vec![0; 400]);
        let square: Vec<i16> =
            (0..400).map(|n| if n % 100 < 50 { i16::MAX } else { i16::MIN }).collect();
        Channel::default().encode(&square, &mut bytes);
        Channel::default().decode(&bytes, &mut back);
        assert!(back[40] > 32_000 && back[90] < -32_000, "{} {}", back[40], back[90]);
    }
}
