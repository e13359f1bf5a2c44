//! Comfort noise (RFC 3389): the sound of a line on which nobody speaks, from its level and shape.
//!
//! White noise through the all-pole filter that the reflection coefficients describe, at 8 kHz.
//! Level and shape of an update are reached within some frames, so that they are not heard to step.

/// How a noise sounds: what the payload of a comfort noise packet says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseShape {
    /// The root of the mean square of the samples.
    level: f32,
    /// Reflection coefficients; those beyond the order are 0.
    reflection: [f32; MOST_ORDER],
}

impl NoiseShape {
    /// Reads a payload; `None` of an empty one. Coefficients beyond the twelfth are left out: what
    /// they would shape is not heard in noise.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&level, coefficients) = payload.split_first()?;
        // RFC 3389 §3.1: the most significant bit is 0, and ignored.
        let level = FULL_SCALE * 10_f32.powf(-f32::from(level & 0x7f) / 20.0);
        let mut reflection = [0.0; MOST_ORDER];
        for (coefficient, &index) in reflection.iter_mut().zip(coefficients) {
            // RFC 3389 §3.2: 258 * (N - 127) in Q15; 255 stands for nothing.
            *coefficient =
                (258.0 * (f32::from(index.min(254)) - 127.0) / 32_768.0).clamp(-LIMIT, LIMIT);
        }
        Some(Self { level, reflection })
    }

    /// The payload that says so of white noise so many dB below overload.
    pub const fn white(decibels: u8) -> [u8; 1] {
        [decibels & 0x7f]
    }
}

/// Makes noise, 8000 samples a second.
#[derive(Debug, Clone)]
pub struct NoiseGenerator {
    /// What it is to sound like, and does by now.
    wanted: NoiseShape,
    present: NoiseShape,
    backward: [f32; MOST_ORDER],
    random: u32,
}

impl NoiseGenerator {
    /// Begins with a shape. Two of one seed sound alike.
    pub fn new(shape: NoiseShape, seed: u32) -> Self {
        Self { wanted: shape, present: shape, backward: [0.0; MOST_ORDER], random: seed | 1 }
    }

    /// From now on it is to sound like that.
    pub fn set_shape(&mut self, shape: NoiseShape) {
        self.wanted = shape;
    }

    /// The next samples.
    pub fn fill(&mut self, out: &mut [i16]) {
        for block in out.chunks_mut(BLOCK) {
            self.approach();
            // So that the filter's output, not what drives it, has the level.
            let gain = self.present.reflection.iter().fold(1.0_f32, |gain, k| gain * (1.0 - k * k));
            let drive = self.present.level * gain.sqrt();
            for sample in block {
                let excitation = drive * self.white();
                *sample = self.filter(excitation).clamp(-32_768.0, 32_767.0) as i16;
            }
        }
    }

    /// Goes an eighth of the way to what is wanted.
    fn approach(&mut self) {
        let (present, wanted) = (&mut self.present, &self.wanted);
        present.level += (wanted.level - present.level) / 8.0;
        for (present, wanted) in present.reflection.iter_mut().zip(&wanted.reflection) {
            *present += (wanted - *present) / 8.0;
        }
    }

    /// One sample through the lattice.
    fn filter(&mut self, excitation: f32) -> f32 {
        let mut forward = excitation;
        for order in (0..MOST_ORDER).rev() {
            let k = self.present.reflection[order];
            forward -= k * self.backward[order];
            let raised = self.backward[order] + k * forward;
            if let Some(next) = self.backward.get_mut(order + 1) {
                *next = raised;
            }
        }
        self.backward[0] = forward;
        forward
    }

    /// Evenly spread, with a mean square of 1.
    fn white(&mut self) -> f32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        (self.random as i32) as f32 * (1.732_050_8 / 2_147_483_648.0)
    }
}

/// What 0 dB below overload is.
const FULL_SCALE: f32 = 32_768.0;

/// Coefficients that are used.
const MOST_ORDER: usize = 12;

/// Nearer to 1 the filter would ring for seconds.
const LIMIT: f32 = 0.995;

/// Samples between steps towards another shape: 5 ms.
const BLOCK: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(payload: &[u8]) -> Vec<i16> {
        let mut generator = NoiseGenerator::new(NoiseShape::parse(payload).unwrap(), 7);
        let mut samples = vec![0; 16_000];
        generator.fill(&mut samples);
        samples
    }

    fn decibels(samples: &[i16]) -> f64 {
        let power: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        10.0 * (power / samples.len() as f64 / 32_768.0_f64.powi(2)).log10()
    }

    /// Correlation of neighbouring samples.
    fn slope(samples: &[i16]) -> f64 {
        let product = |lag: usize| -> f64 {
            samples.iter().zip(&samples[lag..]).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        product(1) / product(0)
    }

    #[test]
    fn noise_has_the_level_that_is_told_whatever_its_shape() {
        for level in [30_u8, 45, 60] {
            for shape in [&[][..], &[60], &[20, 200, 100, 140], &[200; 20], &[254], &[0]] {
                let payload = [&[level], shape].concat();
                let heard = decibels(&noise(&payload));
                let off = heard + f64::from(level);
                assert!(off.abs() < 2.5, "{level} {shape:?}: {heard:.1}");
            }
        }
        assert!(noise(&[127]).iter().all(|sample| sample.abs() <= 1));
    }

    #[test]
    fn coefficients_shape_it() {
        assert!(slope(&noise(&[40])).abs() < 0.05);
        // A first coefficient of -0.6 is a pole at 0.6.
        let index = (127.0 - 0.6 * 32_768.0 / 258.0) as u8;
        assert!((slope(&noise(&[40, index])) - 0.6).abs() < 0.05);
        assert!((slope(&noise(&[40, 254 - index])) + 0.6).abs() < 0.05);
    }

    #[test]
    fn an_update_is_reached_without_a_step() {
        let shape = |level| NoiseShape::parse(&[level]).unwrap();
        let mut generator = NoiseGenerator::new(shape(60), 1);
        let mut frame = [0; 160];
        generator.fill(&mut frame);
        generator.set_shape(shape(40));
        let levels: Vec<f64> = (0..10)
            .map(|_| {
                generator.fill(&mut frame);
                decibels(&frame)
            })
            .collect();
        assert!(levels[0] < -43.0 && (levels[9] + 40.0).abs() < 1.5, "{levels:?}");
        assert_eq!(NoiseShape::parse(&[]), None);
    }
}
