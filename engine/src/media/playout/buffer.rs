//! Plays received sound at its time, fills what is missing, and keeps the delay as it should be.

use std::ops::Range;

use diesis_sounds::{conceal::Concealer, noise::NoiseGenerator, stretch};

use super::{
    Played, Pushed,
    delay::{Change, PlayoutDelay, is_quiet},
    source::{Ready, Source},
};
use crate::media::{FRAME, FULL_FRAME, Rate, rtp::RtpTime};

/// The playout of one stream, whatever its sound comes from.
#[derive(Debug)]
pub(crate) struct Buffer<S> {
    pub(super) source: S,
    /// `None` until the first packet sets the clock.
    delay: Option<PlayoutDelay>,
    spurt: Spurt,
    concealer: Concealer,
    /// From when on the peer says that there is only noise.
    noise: Option<RtpTime>,
    /// The frame played last, and room for the widest.
    frame: Box<[i16]>,
    /// The last sample of noise, for the one between it and the next.
    noise_before: i16,
    /// Samples that the codec invented in a row.
    invented: usize,
    /// The frame before passed unheard.
    passing: bool,
}

/// Whether somebody speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spurt {
    /// Nothing comes.
    Over,
    /// It came, and waits.
    Waiting,
    /// It is heard.
    Heard,
}

/// Of whom nothing needs to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unheard {
    /// One who says nothing.
    Silence,
    /// One whom nobody hears, whatever he says.
    Muted,
}

impl<S: Source> Buffer<S> {
    pub(super) fn new(source: S, widest: Rate) -> Self {
        Self {
            source,
            delay: None,
            spurt: Spurt::Over,
            concealer: Concealer::of(widest.scale()),
            noise: None,
            frame: frame(widest),
            noise_before: 0,
            invented: 0,
            passing: false,
        }
    }

    /// The source gives another rate from now on, and at most that one.
    pub(super) fn set_widest(&mut self, widest: Rate) {
        self.concealer = Concealer::of(widest.scale());
        self.concealer.restart(self.source.rate().scale());
        self.frame = frame(widest);
        self.noise_before = 0;
    }

    /// Forgets everything: another source begins.
    pub(super) fn reset(&mut self) {
        self.end_spurt();
        self.delay = None;
        self.noise = None;
        self.frame.fill(0);
    }

    fn end_spurt(&mut self) {
        self.source.clear();
        self.concealer.restart(self.source.rate().scale());
        self.spurt = Spurt::Over;
    }

    /// Whether the source is to keep a packet from `time` to `end`, of a clock of that scale. Behind
    /// [`Buffer::next`] nothing of it is needed.
    pub(super) fn admit(&mut self, time: RtpTime, end: RtpTime, scale: u32, reach: i32) -> Pushed {
        let Some(delay) = &mut self.delay else {
            self.delay = Some(PlayoutDelay::new(time, end, scale));
            self.spurt = Spurt::Waiting;
            return Pushed::Stored;
        };
        if self.spurt == Spurt::Over {
            delay.begin(time, end);
            self.spurt = Spurt::Waiting;
            return Pushed::Stored;
        }
        if delay.is_elsewhere(time, reach) {
            delay.begin(time, end);
            self.end_spurt();
            self.spurt = Spurt::Waiting;
            return Pushed::Stored;
        }
        delay.admit(time, end)
    }

    /// The RTP time of what is played next.
    pub(super) fn next(&self) -> RtpTime {
        self.delay.as_ref().map_or(RtpTime(0), PlayoutDelay::next)
    }

    /// From `time` on there is noise, until something else comes.
    pub(super) fn handle_noise(&mut self, time: RtpTime) {
        self.noise = Some(time);
    }

    /// Whether received audio still waits to be played.
    pub(super) fn has_waiting(&self) -> bool {
        self.spurt != Spurt::Over && self.delay.as_ref().is_some_and(PlayoutDelay::has_waiting)
    }

    /// The frame played last.
    pub(super) fn frame(&self) -> &[i16] {
        &self.frame[..self.source.rate().frame()]
    }

    /// Plays the next 20 ms; `generator` makes the noise that the peer told.
    pub(super) fn pop(&mut self, generator: Option<&mut NoiseGenerator>) -> Played {
        self.passing = false;
        let Some(delay) = &mut self.delay else { return self.play_nothing(generator) };
        if self.spurt != Spurt::Over && delay.is_over() {
            self.end_spurt();
        }
        let played = match self.spurt {
            Spurt::Over => self.play_nothing(generator),
            Spurt::Waiting | Spurt::Heard => match self.stretch() {
                true => Played::Audio,
                false => self.play(generator),
            },
        };
        if let Some(delay) = &mut self.delay {
            delay.tick();
        }
        played
    }

    /// Lets 20 ms pass as if they were played, but decodes nothing, if nobody speaks in what waits
    /// or it is not to be heard in any case. Whether they passed; else they are to be played.
    pub(super) fn pass(&mut self, whom: Unheard) -> bool {
        let Some(delay) = &mut self.delay else { return false };
        if self.spurt != Spurt::Heard || delay.is_over() || self.noise.is_some() {
            return false;
        }
        if whom == Unheard::Silence && !self.source.is_silent() {
            return false;
        }
        let size = self.source.rate().frame();
        // Nobody hears that some of it is left out, or waited for.
        let taken = match delay.wanted_change() {
            Some(Change::Shorter(_)) => size + size / 4,
            Some(Change::Longer(_)) => size - size / 4,
            None => size,
        };
        if taken != size {
            delay.handle_change();
        }
        let steps = self.source.steps(taken);
        match self.source.pass(delay.next(), steps) {
            true => delay.play(steps),
            false => delay.miss(steps),
        }
        delay.tick();
        if !std::mem::replace(&mut self.passing, true) {
            self.frame.fill(0);
            self.invented = 0;
            self.concealer.restart(size / FRAME);
        }
        true
    }

    fn play_nothing(&mut self, generator: Option<&mut NoiseGenerator>) -> Played {
        let size = self.source.rate().frame();
        self.frame.fill(0);
        match (self.noise, generator) {
            (Some(_), Some(generator)) => {
                self.make_noise(0..size, generator);
                Played::Noise
            }
            _ => Played::Nothing,
        }
    }

    /// Plays a frame that is longer or shorter than it sounds, if the delay wants one. Whether it did.
    fn stretch(&mut self) -> bool {
        let Some(delay) = self.delay.as_mut().filter(|_| self.spurt == Spurt::Heard) else {
            return false;
        };
        let Some(change) = delay.wanted_change().filter(|_| !self.concealer.is_filling()) else {
            return false;
        };
        let rate = self.source.rate();
        let (size, scale) = (rate.frame(), rate.scale());
        let wanted = match change {
            Change::Shorter(_) => size + stretch::longest(scale),
            Change::Longer(_) => size,
        };
        let next = delay.next();
        if self.source.ready(next, wanted) != Ready::Received(wanted) {
            return false;
        }
        let mut line = [0; FULL_FRAME + stretch::longest(Rate::Full.scale())];
        let line = &mut line[..wanted];
        self.source.peek(next, line);
        let whatever = stretch::Likeness(-1.0);
        let ease = |likeness| if is_quiet(line) { whatever } else { likeness };
        let out = &mut self.frame[..size];
        let taken = match change {
            Change::Shorter(likeness) => {
                stretch::shorten(line, scale, ease(likeness), out).map(|left_out| size + left_out)
            }
            Change::Longer(likeness) => {
                let past = self.concealer.history();
                stretch::lengthen(past, line, scale, ease(likeness), out).map(|again| size - again)
            }
        };
        let Some(taken) = taken else { return false };
        self.source.skip(next, taken);
        self.concealer.follow(&self.frame[..size]);
        delay.play(self.source.steps(taken));
        delay.handle_change();
        true
    }

    /// Plays what there is of the next frame, and fills the rest.
    fn play(&mut self, mut generator: Option<&mut NoiseGenerator>) -> Played {
        let Some(mut delay) = self.delay.take() else { return Played::Nothing };
        let size = self.source.rate().frame();
        let mut made = Made::default();
        let mut at = 0;
        while at < size {
            let next = delay.next();
            let ready = self.source.ready(next, size - at);
            at += match ready {
                Ready::Received(count) | Ready::Invented(count) => {
                    let part = &mut self.frame[at..at + count];
                    self.source.peek(next, part);
                    self.source.skip(next, count);
                    let steps = self.source.steps(count);
                    if ready == Ready::Received(count) {
                        self.concealer.receive(part);
                        delay.play(steps);
                        self.spurt = Spurt::Heard;
                        self.invented = 0;
                        self.noise.take_if(|noise| delay.next().since(*noise) > 0);
                        made.received += count;
                    } else {
                        self.concealer.follow(part);
                        delay.miss(steps);
                        self.invented += count;
                        match self.invented > FADED * size {
                            true => made.noise += count,
                            false => made.invented += count,
                        }
                    }
                    count
                }
                Ready::Nothing => {
                    let is_noise = self.noise.is_some_and(|noise| next.since(noise) >= 0);
                    let is_lost = !is_noise && self.spurt == Spurt::Heard;
                    if is_lost && self.source.invent(next) {
                        continue;
                    }
                    let count = self.source.gap(next, size - at).clamp(1, size - at);
                    delay.miss(self.source.steps(count).max(1));
                    let part = &mut self.frame[at..at + count];
                    match &mut generator {
                        _ if is_lost => {
                            self.concealer.conceal(part);
                            made.invented += if self.concealer.is_silent() { 0 } else { count };
                        }
                        Some(generator) if is_noise => {
                            self.make_noise(at..at + count, generator);
                            made.noise += count;
                        }
                        _ => part.fill(0),
                    }
                    count
                }
            };
        }
        self.delay = Some(delay);
        made.played()
    }

    /// Fills part of the frame with noise. It is made at 8 kHz; what frames of higher rates have between
    /// lies on a line from one to the next.
    fn make_noise(&mut self, part: Range<usize>, generator: &mut NoiseGenerator) {
        let out = &mut self.frame[part];
        match self.source.rate() {
            Rate::Narrow => generator.fill(out),
            rate @ (Rate::Wide | Rate::Full) => {
                let scale = rate.scale();
                let mut narrow = [0; FRAME];
                let narrow = &mut narrow[..out.len().div_ceil(scale)];
                generator.fill(narrow);
                for (piece, &sample) in out.chunks_mut(scale).zip(&*narrow) {
                    let from = i32::from(self.noise_before);
                    let step = i32::from(sample) - from;
                    self.noise_before = sample;
                    for (between, nth) in piece.iter_mut().zip(1..) {
                        *between = (from + step * nth / scale as i32) as i16;
                    }
                }
            }
        }
        self.concealer.follow(out);
    }

    /// The delay aimed at and what it is, in 8 kHz samples.
    #[cfg(test)]
    pub(super) fn delays(&self) -> (i32, i32) {
        self.delay.as_ref().map_or((0, 0), PlayoutDelay::delays)
    }
}

fn frame(widest: Rate) -> Box<[i16]> {
    vec![0; widest.frame()].into_boxed_slice()
}

/// What a frame consists of, in samples.
#[derive(Debug, Default)]
struct Made {
    received: usize,
    invented: usize,
    noise: usize,
}

impl Made {
    fn played(&self) -> Played {
        match self {
            Self { invented: 1.., .. } => Played::Concealed,
            Self { received: 1.., .. } => Played::Audio,
            Self { noise: 1.., .. } => Played::Noise,
            _ => Played::Nothing,
        }
    }
}

/// Frames after which what a codec invents is taken for the noise of its line.
const FADED: usize = 4;
