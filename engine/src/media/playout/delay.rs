//! Where playing is, and for how long packets wait: the playout delay.
//!
//! Each packet is measured against the earliest of the last seconds. The delay that all but one in
//! fifty of them would have needed is what is aimed at; it is reached by playing faster or slower
//! for some frames, at once in a silence. A packet that comes after its time, when nothing of what
//! follows it has been heard, is played all the same, and what comes then waits as long.
//!
//! Times are steps of the RTP clock, `scale` of them in an 8 kHz sample.

use diesis_sounds::stretch::Likeness;

use super::Pushed;
use crate::media::{FRAME, rtp::RtpTime};

/// The clock of one playout buffer.
#[derive(Debug, Clone)]
pub(super) struct PlayoutDelay {
    scale: i32,
    /// Ours: a frame further with every frame.
    clock: RtpTime,
    /// The RTP time of what is played next.
    next: RtpTime,
    /// Where what was received and played ends.
    heard: RtpTime,
    /// The end of what was received.
    newest: RtpTime,
    /// RTP time less clock of the earliest packet: now, and in the stretch of time before.
    earliest: [Option<i32>; 2],
    /// Frames of the present stretch.
    frames: u32,
    needs: Needs,
    /// Frames until the delay may change again.
    pause: u32,
    /// Frames for which it should have.
    overdue: u32,
}

/// A change of the delay that would be good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    /// Some of what waits is to be left out, where it is as alike as that.
    Shorter(Likeness),
    /// Some of it is to be played twice.
    Longer(Likeness),
}

impl PlayoutDelay {
    /// The packet from `time` to `end` sets the clock.
    pub(super) fn new(time: RtpTime, end: RtpTime, scale: u32) -> Self {
        let mut delay = Self {
            scale: scale as i32,
            clock: time,
            next: time,
            heard: time,
            newest: end,
            earliest: [None; 2],
            frames: 0,
            needs: Needs::new(),
            pause: 0,
            overdue: 0,
        };
        delay.begin(time, end);
        delay
    }

    /// The packet is the first after a silence, or after a leap of the sender's clock. What is
    /// known of the network still holds.
    pub(super) fn begin(&mut self, time: RtpTime, end: RtpTime) {
        let early = time.since(self.clock);
        let most = (RESYNC * self.scale).unsigned_abs();
        let leaps = |earliest: i32| earliest.abs_diff(early) > most;
        if self.earliest.iter().flatten().any(|&earliest| leaps(earliest)) {
            self.earliest = [None; 2];
        }
        self.measure(early);
        let next = self.clock.plus(self.earliest().saturating_sub(self.target()));
        self.next = if next.since(time) > 0 { time } else { next };
        self.heard = self.next;
        self.newest = end;
        self.overdue = 0;
    }

    /// The RTP time of what is played next.
    pub(super) fn next(&self) -> RtpTime {
        self.next
    }

    /// Whether a packet is so far from what is played, behind it or `reach` samples ahead, that
    /// the clock begins anew.
    pub(super) fn is_elsewhere(&self, time: RtpTime, reach: i32) -> bool {
        let early = time.since(self.next);
        !(-RESYNC * self.scale..reach * self.scale).contains(&early)
    }

    /// Takes note of a packet. Playing may go back to one that comes after its time.
    pub(super) fn admit(&mut self, time: RtpTime, end: RtpTime) -> Pushed {
        self.measure(time.since(self.clock));
        let begin = if time.since(self.heard) < 0 { self.heard } else { time };
        if end.since(begin) <= 0 {
            return Pushed::Late;
        }
        if begin.since(self.next) < 0 {
            if self.delay_at(begin) > MOST_DELAY * self.scale {
                return Pushed::Late;
            }
            self.next = begin;
        }
        if end.since(self.newest) > 0 {
            self.newest = end;
        }
        Pushed::Stored
    }

    /// Whether received audio still waits to be played.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting() > 0
    }

    /// How long what was received last will wait before it is played.
    pub(super) fn waiting(&self) -> i32 {
        self.newest.since(self.next)
    }

    /// Whether there is nothing to wait for any more.
    pub(super) fn is_over(&self) -> bool {
        self.waiting() < -GIVE_UP * self.scale
    }

    /// So many steps were played that had been received.
    pub(super) fn play(&mut self, steps: i32) {
        self.next = self.next.plus(steps);
        self.heard = self.next;
    }

    /// So many steps were missing.
    pub(super) fn miss(&mut self, steps: i32) {
        self.next = self.next.plus(steps);
    }

    /// A frame has passed.
    pub(super) fn tick(&mut self) {
        self.clock = self.clock.plus(FRAME as i32 * self.scale);
        self.pause = self.pause.saturating_sub(1);
        self.frames += 1;
        if self.frames >= STRETCH && self.earliest[0].is_some() {
            self.earliest = [None, self.earliest[0]];
            self.frames = 0;
        }
    }

    /// What should be done about the delay in the next frame.
    pub(super) fn wanted_change(&mut self) -> Option<Change> {
        if self.pause > 0 {
            return None;
        }
        let excess = self.delay_at(self.next).saturating_sub(self.target()) / self.scale;
        let is_needed = !(-SLACK..=FRAME as i32).contains(&excess);
        if !is_needed {
            self.overdue = 0;
            return None;
        }
        self.overdue = self.overdue.saturating_add(1);
        // The longer it waits for a place where it is not heard, the less it looks at that.
        let likeness = Likeness((PLAIN - PATIENCE * self.overdue as f32).max(-1.0));
        Some(if excess > 0 { Change::Shorter(likeness) } else { Change::Longer(likeness) })
    }

    /// The change was made.
    pub(super) fn handle_change(&mut self) {
        self.overdue = 0;
        let excess = self.delay_at(self.next).saturating_sub(self.target()) / self.scale;
        self.pause = if excess > FAR { 1 } else { PAUSE };
    }

    /// The delay of the earliest packets if what is at `time` is played now.
    fn delay_at(&self, time: RtpTime) -> i32 {
        self.clock.plus(self.earliest()).since(time)
    }

    fn earliest(&self) -> i32 {
        self.earliest.iter().flatten().copied().max().unwrap_or(0)
    }

    fn measure(&mut self, early: i32) {
        self.earliest[0] = Some(self.earliest[0].map_or(early, |earliest| earliest.max(early)));
        self.needs.add(self.earliest().saturating_sub(early) / self.scale);
    }

    /// The delay aimed at.
    fn target(&self) -> i32 {
        self.needs.delay().clamp(FRAME as i32, MOST_DELAY) * self.scale
    }

    /// The same in 8 kHz samples, and what it is.
    #[cfg(test)]
    pub(super) fn delays(&self) -> (i32, i32) {
        (self.target() / self.scale, self.delay_at(self.next) / self.scale)
    }
}

/// How much later than the earliest packets came, by tens of milliseconds; what is long past weighs
/// little.
#[derive(Debug, Clone)]
struct Needs {
    weights: [f32; BUCKETS],
    total: f32,
    /// Of the next packet: instead of all others becoming lighter, each is heavier than the last.
    weight: f32,
}

impl Needs {
    /// Begins as if a second of packets had come in time.
    fn new() -> Self {
        let mut weights = [0.0; BUCKETS];
        weights[0] = 50.0;
        Self { weights, total: 50.0, weight: 1.0 }
    }

    fn add(&mut self, late: i32) {
        let bucket = late.max(0).saturating_add(BUCKET - 1) / BUCKET;
        self.weights[(bucket as usize).min(BUCKETS - 1)] += self.weight;
        self.total += self.weight;
        self.weight *= GROWTH;
        if self.weight > HEAVIEST {
            for weight in &mut self.weights {
                *weight /= HEAVIEST;
            }
            self.total = self.weights.iter().sum();
            self.weight = 1.0;
        }
    }

    /// What all but few of them needed, in samples.
    fn delay(&self) -> i32 {
        let mut left = FEW * self.total;
        for (bucket, weight) in self.weights.iter().enumerate().rev() {
            left -= weight;
            if left < 0.0 {
                return bucket as i32 * BUCKET;
            }
        }
        0
    }
}

/// Whether a frame may be changed unnoticed.
pub(super) fn is_quiet(frame: &[i16]) -> bool {
    frame.iter().all(|sample| sample.unsigned_abs() < QUIET)
}

/// The greatest delay: 220 ms. Who is later than that is not heard. This and the following in 8 kHz
/// samples.
const MOST_DELAY: i32 = 1760;

/// A packet that far behind begins anew: 250 ms.
const RESYNC: i32 = 2000;

/// So long after the last sample received there is nothing to wait for: 250 ms.
const GIVE_UP: i32 = 2000;

/// By how much the delay may be too short: 1 ms. It is as good as a frame that comes just in time.
const SLACK: i32 = 8;

/// So much too long it becomes shorter as fast as it can: 100 ms.
const FAR: i32 = 800;

/// 10 ms of lateness.
const BUCKET: i32 = 80;

/// Up to 310 ms.
const BUCKETS: usize = 32;

/// Who may come too late: one in fifty.
const FEW: f32 = 0.02;

/// After 500 packets, ten seconds, one weighs 2.7 times less.
const GROWTH: f32 = 1.002;

/// Far within what a float holds.
const HEAVIEST: f32 = 1e6;

/// Frames in which the earliest packet is looked for: 2 s, and as much before.
const STRETCH: u32 = 100;

/// Frames between two changes.
const PAUSE: u32 = 5;

/// How alike pieces of sound must be for one to be left out, at first.
const PLAIN: f32 = 0.92;

/// How much less so with each frame: after 2 s anything will do.
const PATIENCE: f32 = 0.02;

/// -40 dBov.
const QUIET: u16 = 328;
