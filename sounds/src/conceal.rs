//! Fills gaps in received speech with what it was just before, pitch period by pitch period: in
//! the manner of ITU-T G.711 Appendix I, at 8 kHz and 16 kHz.
//!
//! A gap repeats the last pitch period; after 10 ms the last two and after 20 ms the last three, so
//! that it does not begin to buzz. It fades from 10 ms on and is silent after 60 ms. What is received
//! again is blended in.
//!
//! Differs from the appendix: received sound is not held back by 3.75 ms for the sake of a smooth
//! beginning of the next gap; the step there is spread over a quarter of a pitch period instead.

/// Fills the gaps of one stream. All that is played goes through it in order.
#[derive(Debug)]
pub struct Concealer {
    /// Samples of 8 kHz: 1; of 16 kHz: 2.
    scale: usize,
    /// What was played last.
    history: Vec<i16>,
    /// What was played before the present gap.
    source: Vec<i16>,
    gap: Option<Gap>,
}

/// A gap that is being filled.
#[derive(Debug, Clone, Copy)]
struct Gap {
    /// Of the voice, in samples.
    pitch: usize,
    /// What is repeated: so many samples at the end of the source, and where in them we are.
    present: Repetition,
    /// What was repeated before, while it fades into that, and how far that is.
    former: Option<(Repetition, usize)>,
    /// By how much the sound would leap at the beginning.
    step: f32,
    /// Samples filled.
    elapsed: usize,
    /// Whether what comes is received again: it keeps its own level then.
    ending: Option<Ending>,
}

#[derive(Debug, Clone, Copy)]
struct Repetition {
    length: usize,
    offset: usize,
}

/// The blending of what is received with what would have gone on.
#[derive(Debug, Clone, Copy)]
struct Ending {
    length: usize,
    done: usize,
}

impl Concealer {
    /// For sound of so many times 8 kHz.
    pub fn of(scale: usize) -> Self {
        let silence = vec![0; HISTORY * scale];
        Self { scale, history: silence.clone(), source: silence, gap: None }
    }

    /// Another sound begins, after silence, so many times 8 kHz. Nothing is allocated if it was made
    /// for as many.
    pub fn restart(&mut self, scale: usize) {
        self.scale = scale;
        for memory in [&mut self.history, &mut self.source] {
            memory.clear();
            memory.resize(HISTORY * scale, 0);
        }
        self.gap = None;
    }

    /// What was played last, the most recent at the end: 48.75 ms.
    pub fn history(&self) -> &[i16] {
        &self.history
    }

    /// Takes what was received and is played next; after a gap its beginning is changed.
    pub fn receive(&mut self, samples: &mut [i16]) {
        if let Some(mut gap) = self.gap.take() {
            self.end(&mut gap, samples);
        }
        self.remember(samples);
    }

    /// Takes what is played next and was made by somebody else: no gap of ours goes on in it.
    pub fn follow(&mut self, samples: &[i16]) {
        self.gap = None;
        self.remember(samples);
    }

    /// Fills what is missing.
    pub fn conceal(&mut self, out: &mut [i16]) {
        let mut gap = match self.gap.take() {
            // Again before the last gap had ended altogether: what is being blended is the past.
            Some(gap) if gap.ending.is_none() => gap,
            _ => self.begin(),
        };
        for sample in out.iter_mut() {
            *sample = self.next(&mut gap).clamp(-32_768.0, 32_767.0) as i16;
        }
        self.gap = Some(gap);
        self.remember(out);
    }

    /// Whether a gap is being filled, or what came after it still blended in.
    pub fn is_filling(&self) -> bool {
        self.gap.is_some()
    }

    /// Whether the present gap has faded to silence.
    pub fn is_silent(&self) -> bool {
        self.gap.is_some_and(|gap| gap.elapsed >= SILENT * self.scale)
    }

    fn begin(&mut self) -> Gap {
        self.source.copy_from_slice(&self.history);
        let pitch = self.pitch();
        let last = self.source.len() - 1;
        let step = f32::from(self.source[last]) - f32::from(self.source[last - pitch]);
        let present = Repetition { length: pitch, offset: 0 };
        Gap { pitch, present, former: None, step, elapsed: 0, ending: None }
    }

    fn next(&self, gap: &mut Gap) -> f32 {
        let scale = self.scale;
        if gap.elapsed >= SILENT * scale {
            return 0.0;
        }
        if gap.elapsed == FADES * scale || gap.elapsed == 2 * FADES * scale {
            gap.grow();
        }
        let quarter = gap.pitch / 4;
        let mut value = self.advance(&mut gap.present, quarter);
        if let Some((former, done)) = &mut gap.former {
            let before = self.advance(former, quarter);
            *done += 1;
            value = before + (value - before) * *done as f32 / (quarter + 1) as f32;
            if *done >= quarter {
                gap.former = None;
            }
        }
        if gap.elapsed < quarter {
            value += gap.step * (1.0 - (gap.elapsed + 1) as f32 / (quarter + 1) as f32);
        }
        let faded = gap.elapsed.saturating_sub(FADES * scale) as f32;
        gap.elapsed += 1;
        value * (1.0 - faded / ((SILENT - FADES) * scale) as f32)
    }

    /// The next sample of what is repeated, whose last `quarter` leads to its beginning.
    fn advance(&self, repetition: &mut Repetition, quarter: usize) -> f32 {
        let Repetition { length, offset } = *repetition;
        repetition.offset = (offset + 1) % length;
        let at = self.source.len() - length + offset;
        let own = f32::from(self.source[at]);
        let Some(into) = (offset + quarter).checked_sub(length) else { return own };
        let before = f32::from(self.source[at - length]);
        own + (before - own) * (into + 1) as f32 / (quarter + 1) as f32
    }

    fn end(&mut self, gap: &mut Gap, samples: &mut [i16]) {
        let scale = self.scale;
        let mut ending = gap.ending.unwrap_or_else(|| {
            // A quarter of a pitch period, 4 ms more for each 10 ms, 10 ms at the most.
            let lost = gap.elapsed.saturating_sub(10 * MS * scale) / (10 * MS * scale);
            let length = gap.pitch / 4 + lost * 4 * MS * scale;
            Ending { length: length.min(10 * MS * scale), done: 0 }
        });
        for sample in samples {
            if ending.done >= ending.length {
                return;
            }
            ending.done += 1;
            let invented = self.next(gap);
            let share = ending.done as f32 / (ending.length + 1) as f32;
            *sample = (invented + (f32::from(*sample) - invented) * share) as i16;
        }
        if ending.done < ending.length {
            self.gap = Some(Gap { ending: Some(ending), ..*gap });
        }
    }

    fn remember(&mut self, samples: &[i16]) {
        let length = self.history.len();
        let samples = &samples[samples.len().saturating_sub(length)..];
        self.history.copy_within(samples.len().., 0);
        self.history[length - samples.len()..].copy_from_slice(samples);
    }

    /// The pitch of the last 20 ms, from 5 ms to 15 ms, in samples: the lag at which they resemble
    /// most what was before them.
    fn pitch(&self) -> usize {
        let scale = self.scale;
        let coarse_step = 2 * scale;
        let likeness = |lag: usize, step: usize| {
            let window = &self.source[self.source.len() - WINDOW * scale..];
            let before = &self.source[self.source.len() - WINDOW * scale - lag..];
            let (mut product, mut energy) = (0.0_f32, 0.0_f32);
            for (now, then) in window.iter().step_by(step).zip(before.iter().step_by(step)) {
                product += f32::from(*now) * f32::from(*then);
                energy += f32::from(*then) * f32::from(*then);
            }
            product / energy.max(LEAST_ENERGY).sqrt()
        };
        let best = |lags: &mut dyn Iterator<Item = usize>, step: usize| {
            let mut best = (LONGEST_PITCH * scale, f32::MIN);
            for lag in lags {
                let likeness = likeness(lag, step);
                if likeness > best.1 {
                    best = (lag, likeness);
                }
            }
            best.0
        };
        let (least, most) = (SHORTEST_PITCH * scale, LONGEST_PITCH * scale);
        let near = best(&mut (least..=most).rev().step_by(coarse_step), coarse_step);
        let around =
            near.saturating_sub(coarse_step - 1).max(least)..=(near + coarse_step - 1).min(most);
        best(&mut around.rev(), 1)
    }
}

impl Gap {
    /// Repeats one pitch period more.
    fn grow(&mut self) {
        self.former = Some((self.present, 0));
        self.present.offset %= self.pitch;
        self.present.length += self.pitch;
    }
}

/// Samples of a millisecond. This and the following at 8 kHz.
const MS: usize = 8;

/// What is remembered: three of the longest pitch periods and a quarter.
const HISTORY: usize = 390;

/// 200 Hz: the pitch of higher voices is found as a multiple.
const SHORTEST_PITCH: usize = 5 * MS;

/// 66 Hz.
const LONGEST_PITCH: usize = 15 * MS;

/// What is compared to find the pitch.
const WINDOW: usize = 20 * MS;

/// When it begins to fade.
const FADES: usize = 10 * MS;

/// When it is silent.
const SILENT: usize = 60 * MS;

/// Below this a window is too quiet to resemble anything.
const LEAST_ENERGY: f32 = 250.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// Something like a voice: a pitch that glides so many Hz up and down, and formants that move
    /// and swell.
    fn voice(rate: f64, glide: f64) -> Vec<i16> {
        let mut phase = 0.0;
        let turn = |hertz: f64, time: f64| (std::f64::consts::TAU * hertz * time).sin();
        let sample = |n: usize| {
            let time = n as f64 / rate;
            let pitch = 140.0 + glide * turn(0.7, time);
            phase += std::f64::consts::TAU * pitch / rate;
            let first = 500.0 + 200.0 * turn(1.3, time);
            let mut sum = 0.0;
            for k in 1..24_u32 {
                let hertz = f64::from(k) * pitch;
                let formant =
                    |at: f64, height: f64| height * (-((hertz - at) / 150.0).powi(2)).exp();
                let weight = formant(first, 1.0) + formant(1500.0, 0.5) + formant(2300.0, 0.3);
                sum += weight * (f64::from(k) * phase).sin();
            }
            (3500.0 * (0.6 + 0.4 * turn(3.0, time)) * sum) as i16
        };
        (0..6 * rate as usize).map(sample).collect()
    }

    fn tone(rate: f64, hertz: f64, seconds: usize) -> Vec<i16> {
        let sample = |n: usize| 8000.0 * (std::f64::consts::TAU * hertz * n as f64 / rate).sin();
        (0..rate as usize * seconds).map(|n| sample(n) as i16).collect()
    }

    /// How lost frames are made up for.
    #[derive(Clone, Copy, PartialEq)]
    enum Way {
        Concealed,
        Repeated,
        Silent,
    }

    /// Of every twenty frames one is lost, at places that do not follow the sound.
    fn is_lost(frame: usize) -> bool {
        frame > 4 && (frame.wrapping_mul(0x9e37_79b1) >> 7).is_multiple_of(20)
    }

    /// What is heard of a sound of which a frame in twenty is lost.
    fn play(sound: &[i16], scale: usize, way: Way) -> Vec<i16> {
        let size = 160 * scale;
        let mut concealer = Concealer::of(scale);
        let mut last = vec![0; size];
        let mut played = vec![];
        for (index, frame) in sound.chunks_exact(size).enumerate() {
            let mut frame = frame.to_vec();
            match (is_lost(index), way) {
                (true, Way::Concealed) => concealer.conceal(&mut frame),
                (true, Way::Repeated) => frame.copy_from_slice(&last),
                (true, Way::Silent) => frame.fill(0),
                (false, Way::Concealed) => concealer.receive(&mut frame),
                (false, _) => {}
            }
            last.copy_from_slice(&frame);
            played.extend(frame);
        }
        played
    }

    /// Signal to noise in dB.
    fn ratio(sound: &[i16], played: &[i16]) -> f64 {
        let (mut signal, mut noise) = (0.0, 0.0);
        for (one, other) in sound.iter().zip(played) {
            signal += f64::from(*one).powi(2);
            noise += (f64::from(*one) - f64::from(*other)).powi(2);
        }
        10.0 * (signal / noise.max(1.0)).log10()
    }

    /// How different it sounds, in dB: that of the levels in bands 250 Hz apart up to 3500 Hz, with
    /// the ear's window of 20 ms, about each lost frame. Phases do not matter to it, clicks do.
    fn difference(sound: &[i16], played: &[i16], scale: usize) -> f64 {
        let size = 160 * scale;
        let levels = |samples: &[i16]| -> Vec<f64> {
            let weighed: Vec<f64> = (samples.iter().enumerate())
                .map(|(n, &s)| {
                    f64::from(s) * (std::f64::consts::PI * n as f64 / size as f64).sin().powi(2)
                })
                .collect();
            (1..=28)
                .map(|band| {
                    let step =
                        std::f64::consts::TAU * 125.0 * f64::from(band) / (8000 * scale) as f64;
                    let project = |f: fn(f64) -> f64| -> f64 {
                        weighed.iter().enumerate().map(|(n, s)| s * f(step * n as f64)).sum()
                    };
                    // What is below 10 is not heard beside the rest.
                    20.0 * (project(f64::sin).hypot(project(f64::cos)) / size as f64)
                        .max(10.0)
                        .log10()
                })
                .collect()
        };
        let (mut sum, mut count) = (0.0, 0.0);
        for frame in (0..played.len() / size - 2).filter(|&frame| is_lost(frame)) {
            for quarter in 0..=6 {
                let at = frame * size - size * 3 / 4 + quarter * size / 4;
                let (one, other) = (levels(&sound[at..at + size]), levels(&played[at..at + size]));
                let square: f64 = one.iter().zip(&other).map(|(a, b)| (a - b).powi(2)).sum();
                sum += (square / 28.0).sqrt();
                count += 1.0;
            }
        }
        sum / count
    }

    #[test]
    fn what_is_concealed_is_far_nearer_to_what_was_said_than_repetition_or_silence() {
        for (scale, rate) in [(1, 8000.0), (2, 16_000.0), (6, 48_000.0)] {
            let ratios = |sound: &[i16]| {
                [Way::Concealed, Way::Repeated, Way::Silent]
                    .map(|way| ratio(sound, &play(sound, scale, way)))
            };
            // 1 kHz goes on as if nothing were missing but for its level.
            let [concealed, _, silent] = ratios(&tone(rate, 1000.0, 6));
            assert!(concealed > silent + 9.0, "{concealed:.1} {silent:.1}");
            let [concealed, repeated, silent] = ratios(&voice(rate, 3.0));
            assert!(
                concealed > repeated.max(silent) + 3.0,
                "{concealed:.1} {repeated:.1} {silent:.1}"
            );
            let voice = voice(rate, 30.0);
            let [concealed, repeated, silent] = [Way::Concealed, Way::Repeated, Way::Silent]
                .map(|way| difference(&voice, &play(&voice, scale, way), scale));
            assert!(
                concealed < 0.85 * repeated && concealed < 0.55 * silent,
                "{concealed:.1} {repeated:.1} {silent:.1}"
            );
        }
    }

    #[test]
    fn a_gap_fades_from_10_ms_on_and_is_silent_after_60() {
        let mut concealer = Concealer::of(1);
        for frame in tone(8000.0, 440.0, 1).chunks_exact(160) {
            concealer.receive(&mut frame.to_vec());
        }
        let peak = |samples: &[i16]| samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
        let mut gap = vec![0; 800];
        for piece in gap.chunks_mut(37) {
            concealer.conceal(piece);
        }
        assert!(peak(&gap[..80]) > 7800, "{}", peak(&gap[..80]));
        let (early, late) = (peak(&gap[160..240]), peak(&gap[320..400]));
        assert!(early < 7000 && late < early - 1500, "{early} {late}");
        assert!(concealer.is_silent() && gap[480..].iter().all(|&sample| sample == 0));
        // What comes again does not begin with a leap.
        let mut again = vec![8000; 160];
        concealer.receive(&mut again);
        assert!(again[0] < 800 && again[100] == 8000);
        assert!(!concealer.is_silent());
    }

    #[test]
    fn nothing_leaps_at_the_edges_of_a_gap() {
        for (scale, rate) in [(1, 8000.0), (2, 16_000.0), (6, 48_000.0)] {
            for hertz in [97.0, 210.0, 333.0, 487.0] {
                let sound = tone(rate, hertz, 1);
                let steepest = |samples: &[i16]| {
                    samples
                        .windows(2)
                        .map(|w| (i32::from(w[1]) - i32::from(w[0])).abs())
                        .max()
                        .unwrap()
                };
                let natural = steepest(&sound);
                let mut concealer = Concealer::of(scale);
                let mut played = vec![];
                for (index, frame) in sound.chunks_exact(160 * scale).enumerate() {
                    let mut frame = frame.to_vec();
                    match index % 7 {
                        4 | 5 => concealer.conceal(&mut frame),
                        _ => concealer.receive(&mut frame),
                    }
                    played.extend(frame);
                }
                let worst = steepest(&played);
                assert!(worst < natural * 2 + 200, "{rate} {hertz}: {worst} for {natural}");
            }
        }
    }

    #[test]
    fn any_pieces_whatever_do() {
        let mut concealer = Concealer::of(2);
        let mut seed = 1_u32;
        for _ in 0..3000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut piece = vec![(seed >> 16) as i16; (seed >> 8) as usize % 900];
            if seed >> 31 == 0 {
                concealer.conceal(&mut piece)
            } else {
                concealer.receive(&mut piece)
            }
        }
        concealer.restart(2);
        let mut frame = [1; 320];
        concealer.conceal(&mut frame);
        assert_eq!(frame, [0; 320]);
    }
}
