//! Where playing is, and for how long packets wait: the playout delay.
//!
//! It grows at once by as much as a packet is late and shrinks, in quiet moments, by what three
//! seconds did not need. Times are steps of the RTP clock, `scale` of them in an 8 kHz sample.

use super::Pushed;
use crate::media::{FRAME, rtp::RtpTime};

/// The clock of one playout buffer, from a packet that sets it to a long silence.
#[derive(Debug, Clone, Copy)]
pub(in crate::media) struct PlayoutDelay {
    /// The RTP time of what is played next.
    next: RtpTime,
    /// The end of what was received.
    newest: RtpTime,
    scale: i32,
    /// By how much the delay grew, less by how much it shrank again.
    grown: i32,
    window: Window,
    /// To leave out in a quiet moment.
    surplus: i32,
}

/// How early packets came, at the least, in a stretch of time.
#[derive(Debug, Clone, Copy)]
struct Window {
    frames: u32,
    least: i32,
}

impl Window {
    const NEW: Self = Self { frames: 0, least: i32::MAX };
}

impl PlayoutDelay {
    /// The packet from `time` to `end` sets the clock.
    pub(in crate::media) fn new(time: RtpTime, end: RtpTime, scale: u32) -> Self {
        let scale = scale as i32;
        let next = time.plus(-FIRST_DELAY * scale);
        Self { next, newest: end, scale, grown: 0, window: Window::NEW, surplus: 0 }
    }

    /// The RTP time of what is played next.
    pub(in crate::media) fn next(&self) -> RtpTime {
        self.next
    }

    /// Whether a packet is so far from what is played, behind it or `reach` samples ahead, that
    /// the clock begins anew.
    pub(in crate::media) fn is_elsewhere(&self, time: RtpTime, reach: i32) -> bool {
        let early = time.since(self.next);
        !(-RESYNC * self.scale..reach * self.scale).contains(&early)
    }

    /// Takes note of a packet. One after its time makes the delay grow: playing goes back to it.
    pub(in crate::media) fn admit(&mut self, time: RtpTime, end: RtpTime) -> Pushed {
        let early = time.since(self.next);
        if early < 0 {
            if self.grown - early > MOST_GROWN * self.scale {
                return Pushed::Late;
            }
            self.next = time;
            self.grown -= early;
            self.surplus = 0;
        }
        self.window.least = self.window.least.min(early.max(0));
        if end.since(self.newest) > 0 {
            self.newest = end;
        }
        Pushed::Stored
    }

    /// Whether received audio still waits to be played.
    pub(in crate::media) fn has_waiting(&self) -> bool {
        self.waiting() > 0
    }

    /// How long what was received last will wait before it is played.
    pub(in crate::media) fn waiting(&self) -> i32 {
        self.newest.since(self.next)
    }

    /// Whether there is nothing to wait for any more.
    pub(in crate::media) fn is_over(&self) -> bool {
        self.waiting() < -GIVE_UP * self.scale
    }

    /// Goes on by a frame; gives the time of its beginning.
    pub(in crate::media) fn advance(&mut self) -> RtpTime {
        self.window.frames += 1;
        if self.window.frames >= WINDOW {
            // One frame of reserve stays.
            if self.window.least != i32::MAX && self.window.least >= 2 * self.frame() {
                self.surplus = self.frame();
            }
            self.window = Window::NEW;
        }
        self.step()
    }

    /// Whether the frame just taken may be left out, if it is quiet.
    pub(in crate::media) fn has_surplus(&self) -> bool {
        self.surplus > 0
    }

    /// The frame just taken is left out; goes on to the next one as [`advance`](Self::advance).
    pub(in crate::media) fn leave_out(&mut self) -> RtpTime {
        self.surplus = 0;
        self.grown -= self.frame();
        self.step()
    }

    fn step(&mut self) -> RtpTime {
        let time = self.next;
        self.next = time.plus(self.frame());
        time
    }

    fn frame(&self) -> i32 {
        FRAME as i32 * self.scale
    }
}

/// Whether a frame may be left out unnoticed.
pub(in crate::media) fn is_quiet(frame: &[i16]) -> bool {
    frame.iter().all(|sample| sample.unsigned_abs() < QUIET)
}

/// The playout delay to begin with: 20 ms. This and the following in 8 kHz samples.
const FIRST_DELAY: i32 = 160;

/// By how much it may grow: 200 ms. Who is later than that is not heard.
const MOST_GROWN: i32 = 1600;

/// A packet that far behind begins anew: 250 ms.
const RESYNC: i32 = 2000;

/// So long after the last sample received there is nothing to wait for: 250 ms.
const GIVE_UP: i32 = 2000;

/// Frames over which the playout delay must have been needless before it shrinks: 3 s.
const WINDOW: u32 = 150;

/// -40 dBov.
const QUIET: u16 = 328;
