//! Silence taken away at the beginning, at the end and in between.
//!
//! Whether it is silent is decided for each frame by the level of the last fiftieth of a second.
//! Sound counts when it lasts for a while, and silence when it does; what is not decided yet is
//! held back.

use super::stage::{Piece, Stage, len};
use super::time::Time;
use super::{Signal, refused};
use crate::error::SoundError;

/// What is taken away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Silence {
    /// What is waited for at the beginning; all before it is taken away.
    pub begin: Option<Wait>,
    /// The silence that ends it.
    pub end: Option<Wait>,
    /// Whether it begins anew after that silence.
    pub again: bool,
    /// Whether so much of the silence is left as is waited for.
    pub leave: bool,
}

/// Sound or silence that is waited for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wait {
    /// How many times.
    pub periods: u32,
    /// For how long.
    pub duration: Time,
    /// What is louder is sound.
    pub level: Level,
}

/// A level, as a share of full scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level(pub f32);

/// Of what is held back.
const MOST_SECONDS: u64 = 600;

/// What takes silence away from such a sound.
/// `precision` is how many bits its samples have: a level below the last of them is silence.
pub(super) fn stage(
    silence: &Silence,
    signal: Signal,
    precision: u32,
) -> Result<Box<dyn Stage>, SoundError> {
    let wait = |wait: Option<Wait>| match wait {
        None => Ok(None),
        Some(wait) => {
            let frames = wait.duration.at(signal.rate);
            if frames > MOST_SECONDS * u64::from(signal.rate) {
                let reason = format!("it can't wait for more than {MOST_SECONDS} s");
                return Err(refused("silence", reason));
            }
            let periods = wait.periods.max(1);
            Ok(Some(Waiting { periods, frames: frames as usize, level: wait.level.0.into() }))
        }
    };
    let channels = usize::from(signal.channels);
    let window = (signal.rate as usize / 50 * channels).max(channels);
    let (first, end) = (wait(silence.begin)?, wait(silence.end)?);
    // Beginning anew without anything to wait for is waiting for any sound.
    let any = || Waiting { periods: 1, frames: 0, level: 0.0 };
    let begin = first.or_else(|| silence.again.then(any));
    Ok(Box::new(Remover {
        begin,
        end,
        again: silence.again,
        leave: silence.leave,
        state: if first.is_some() { State::Before } else { State::Within },
        found: 0,
        level: Window {
            squares: vec![0.0; window],
            at: 0,
            sum: 0.0,
            steps: 2.0_f64.powi(precision.clamp(1, 32).cast_signed() - 1),
        },
        held: vec![Vec::new(); channels],
        frame: vec![0.0; channels],
    }))
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    periods: u32,
    frames: usize,
    level: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was loud for long enough yet.
    Before,
    /// All is kept until it is silent for long enough.
    Within,
    After,
}

struct Remover {
    begin: Option<Waiting>,
    end: Option<Waiting>,
    again: bool,
    leave: bool,
    state: State,
    /// Periods found in this state.
    found: u32,
    level: Window,
    /// What is not decided yet.
    held: Piece,
    frame: Vec<f32>,
}

impl Stage for Remover {
    fn process(&mut self, piece: &[Vec<f32>], out: &mut Piece) {
        for at in 0..len(piece) {
            for (sample, channel) in self.frame.iter_mut().zip(piece) {
                *sample = channel[at];
            }
            match (self.state, self.begin, self.end) {
                (State::Before, Some(begin), _) => self.before(begin, out),
                (State::Within, _, Some(end)) => self.within(end, out),
                (State::After, ..) => return,
                _ => keep(&self.frame, out),
            }
        }
    }

    fn finish(&mut self, out: &mut Piece) -> bool {
        // Silence that did not last is part of the sound.
        if self.state == State::Within && !self.leave {
            self.release(out);
        }
        false
    }

    fn is_done(&self) -> bool {
        self.state == State::After
    }
}

impl Remover {
    fn before(&mut self, begin: Waiting, out: &mut Piece) {
        let loud = self.frame.iter().any(|&sample| self.level.with(sample) > begin.level);
        self.level.take(&self.frame);
        if !loud {
            self.held.iter_mut().for_each(Vec::clear);
            return;
        }
        keep(&self.frame, &mut self.held);
        if len(&self.held) < begin.frames {
            return;
        }
        self.found += 1;
        if self.found < begin.periods {
            self.held.iter_mut().for_each(Vec::clear);
        } else {
            self.release(out);
            (self.state, self.found) = (State::Within, 0);
        }
    }

    fn within(&mut self, end: Waiting, out: &mut Piece) {
        let loud = self.frame.iter().all(|&sample| self.level.with(sample) > end.level);
        self.level.take(&self.frame);
        if loud {
            // As sox counts: what is left of one silence counts for the next.
            if !self.leave {
                self.release(out);
            }
            return keep(&self.frame, out);
        }
        keep(&self.frame, &mut self.held);
        if self.leave {
            keep(&self.frame, out);
        }
        if len(&self.held) < end.frames {
            return;
        }
        self.found += 1;
        if self.found < end.periods {
            if self.leave {
                self.held.iter_mut().for_each(Vec::clear);
            } else {
                self.release(out);
            }
            return;
        }
        self.held.iter_mut().for_each(Vec::clear);
        self.found = 0;
        self.state = if self.again { State::Before } else { State::After };
        self.level.clear();
    }

    /// What was held back is kept.
    fn release(&mut self, out: &mut Piece) {
        for (held, out) in self.held.iter_mut().zip(out) {
            out.append(held);
        }
    }
}

fn keep(frame: &[f32], out: &mut Piece) {
    for (sample, out) in frame.iter().zip(out) {
        out.push(*sample);
    }
}

/// The level of the last samples of all channels.
struct Window {
    squares: Vec<f64>,
    at: usize,
    sum: f64,
    /// Of full scale: what lies between two is the lower.
    steps: f64,
}

impl Window {
    /// What the level is with one more sample.
    fn with(&self, sample: f32) -> f64 {
        let sum = self.sum - self.squares[self.at] + f64::from(sample).powi(2);
        let level = (sum.max(0.0) / self.squares.len() as f64).sqrt();
        (level * self.steps).floor() / self.steps
    }

    fn take(&mut self, frame: &[f32]) {
        for &sample in frame {
            let square = f64::from(sample).powi(2);
            self.sum += square - self.squares[self.at];
            self.squares[self.at] = square;
            self.at += 1;
            if self.at == self.squares.len() {
                self.at = 0;
                // What rounding added up is forgotten.
                self.sum = self.squares.iter().sum();
            }
        }
    }

    fn clear(&mut self) {
        self.squares.fill(0.0);
        (self.at, self.sum) = (0, 0.0);
    }
}
