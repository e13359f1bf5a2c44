//! Sounds for tests: something like speech, noise, tones.

use crate::{entropy::Entropy, media::FRAME};

/// Says vowels of random pitch and colour: a train of pulses through three formants, with hisses
/// between them.
pub(crate) struct Speaker {
    entropy: Entropy,
    /// Peak of what is said.
    level: f32,
}

impl Speaker {
    pub(crate) fn new(seed: u64) -> Self {
        Self { entropy: Entropy::new(seed), level: 8000.0 }
    }

    /// From `low` to `high`.
    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.entropy.next_u64() >> 40) as f32 / (1 << 24) as f32
    }

    /// One vowel; whole frames.
    pub(crate) fn vowel(&mut self, milliseconds: usize) -> Vec<i16> {
        let length = milliseconds * 8 / FRAME * FRAME;
        let pitch = self.between(80.0, 280.0);
        let glide = self.between(-0.2, 0.2);
        let mut formants = [
            Formant::new(self.between(250.0, 850.0), 60.0),
            Formant::new(self.between(850.0, 2300.0), 90.0),
            Formant::new(self.between(2300.0, 3300.0), 150.0),
        ];
        let mut phase = 0.0;
        let mut samples = Vec::with_capacity(length);
        for at in 0..length {
            let done = at as f32 / length as f32;
            phase += pitch * (1.0 + glide * done) / 8000.0;
            let mut sound = 0.0;
            if phase >= 1.0 {
                phase -= 1.0;
                sound = 1.0;
            }
            let breath = self.between(-0.02, 0.02);
            let sum: f32 = formants.iter_mut().map(|formant| formant.process(sound + breath)).sum();
            // It swells and fades.
            let envelope = (std::f32::consts::PI * done).sin().sqrt();
            samples.push(sum * envelope);
        }
        self.scaled(&samples)
    }

    /// A short hiss.
    pub(crate) fn hiss(&mut self, milliseconds: usize) -> Vec<i16> {
        let mut last = 0.0;
        let samples = (0..milliseconds * 8).map(|_| {
            let noise = self.between(-1.0, 1.0);
            let high = noise - last;
            last = noise;
            high
        });
        let samples: Vec<f32> = samples.collect();
        self.scaled(&samples).iter().map(|sample| sample / 4).collect()
    }

    /// Syllables without a pause, for about so long.
    pub(crate) fn words(&mut self, milliseconds: usize) -> Vec<i16> {
        let mut samples = Vec::new();
        while samples.len() < milliseconds * 8 {
            if self.entropy.next_u64().is_multiple_of(3) {
                samples.extend(self.hiss(40));
            }
            let length = 100 + (self.entropy.next_u64() % 200) as usize;
            samples.extend(self.vowel(length));
        }
        samples.truncate(milliseconds * 8);
        samples
    }

    fn scaled(&self, samples: &[f32]) -> Vec<i16> {
        let peak = samples.iter().fold(1e-6_f32, |peak, sample| peak.max(sample.abs()));
        samples.iter().map(|sample| (sample / peak * self.level) as i16).collect()
    }
}

/// One resonance of the mouth.
struct Formant {
    gain: f32,
    feedback: [f32; 2],
    before: [f32; 2],
}

impl Formant {
    fn new(hertz: f32, width: f32) -> Self {
        let radius = (-std::f32::consts::PI * width / 8000.0).exp();
        let turn = (std::f32::consts::TAU * hertz / 8000.0).cos();
        let feedback = [2.0 * radius * turn, -radius * radius];
        Self { gain: 1.0 - radius, feedback, before: [0.0; 2] }
    }

    fn process(&mut self, sample: f32) -> f32 {
        let [one, two] = self.before;
        let out = self.gain * sample + self.feedback[0] * one + self.feedback[1] * two;
        self.before = [out, one];
        out
    }
}

/// Silence.
pub(crate) fn pause(milliseconds: usize) -> Vec<i16> {
    vec![0; milliseconds * 8]
}

/// A tone of this peak.
pub(crate) fn tone(hertz: f32, milliseconds: usize, peak: f32) -> Vec<i16> {
    let step = std::f32::consts::TAU * hertz / 8000.0;
    (0..milliseconds * 8).map(|at| ((at as f32 * step).sin() * peak) as i16).collect()
}
