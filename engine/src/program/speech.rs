//! What a program said and its peer has not heard yet: takes it as it comes, gives a frame when one
//! is due.
//!
//! A program may send far faster than it is heard, up to a bound, or in real time over a network
//! that hurries and dawdles. Speech begins once a little of it is there, or has waited for more; a
//! program that runs dry within a sentence is held back longer the next time.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::media::FRAME;

/// The queue of one program's speech, 8 kHz.
#[derive(Debug)]
pub struct Speech {
    samples: VecDeque<i16>,
    /// Counted from the beginning: what came, and what was taken or thrown away.
    pushed: u64,
    taken: u64,
    /// What is told when all that came before it was taken.
    marks: VecDeque<(u64, Mark)>,
    reached: VecDeque<Mark>,
    state: State,
    flow: Flow,
    /// How much is waited for.
    hold: Duration,
    /// Samples for which there was no room.
    dropped: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is there. When the last of it was heard, if there was any.
    Silent { since: Option<Instant> },
    /// Something is there, and more is waited for.
    Holding { until: Instant },
    /// Since when there is nothing more of it, if there is not.
    Flowing { dry: Option<Instant> },
}

/// Whether speech goes on to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// It does.
    #[default]
    Running,
    /// It stays in the queue.
    Paused,
}

/// Something a program wants to be told at a place in its speech.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// All that was sent in bulk is heard.
    Completed(Option<String>),
    /// A mark was reached.
    Marked(Option<String>),
    /// Nothing waits any more.
    Drained,
}

impl Speech {
    /// An empty queue.
    pub fn new() -> Self {
        Self {
            samples: VecDeque::new(),
            pushed: 0,
            taken: 0,
            marks: VecDeque::new(),
            reached: VecDeque::new(),
            state: State::Silent { since: None },
            flow: Flow::Running,
            hold: SHORTEST_HOLD,
            dropped: 0,
        }
    }

    /// Samples that wait.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// How many samples more there is room for.
    pub fn room(&self) -> usize {
        MOST_SAMPLES - self.samples.len()
    }

    /// Samples for which there was no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether it runs or is paused.
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// Pauses it, or lets it go on.
    pub fn set_flow(&mut self, flow: Flow) {
        self.flow = flow;
    }

    /// Takes what the program said; what has no room is dropped and counted.
    pub fn handle_samples(&mut self, samples: &[i16], now: Instant) {
        if samples.is_empty() {
            return;
        }
        if let State::Silent { since } = self.state {
            self.hold = match since.map(|since| now.saturating_duration_since(since)) {
                // It was not the end of what it had to say.
                Some(gap) if gap < HICCUP => (self.hold * 2).min(LONGEST_HOLD),
                Some(gap) if gap < FORGOTTEN => self.hold,
                _ => SHORTEST_HOLD,
            };
            self.state = State::Holding { until: now + self.hold };
        }
        let kept = samples.len().min(self.room());
        self.samples.extend(samples.iter().take(kept));
        self.pushed += kept as u64;
        self.dropped += (samples.len() - kept) as u64;
    }

    /// Makes what waits whole frames, with silence.
    pub fn fill_frame(&mut self, now: Instant) {
        let over = self.samples.len() % FRAME;
        if over > 0 {
            self.handle_samples(&[0; FRAME][over..], now);
        }
    }

    /// Wants to be told when all that has come so far was taken; `false` when too many wait.
    pub fn mark(&mut self, mark: Mark) -> bool {
        if self.marks.len() >= MOST_MARKS {
            return false;
        }
        self.marks.push_back((self.pushed, mark));
        self.reach_marks();
        true
    }

    /// Throws away what was not taken, and whatever was to be told of it but that nothing waits.
    pub fn flush(&mut self) {
        self.taken = self.pushed;
        self.samples.clear();
        self.marks.retain(|(_, mark)| *mark == Mark::Drained);
        self.flow = Flow::Running;
        self.state = State::Silent { since: None };
        self.reach_marks();
    }

    /// The next mark that was reached.
    pub fn poll_mark(&mut self) -> Option<Mark> {
        self.reached.pop_front()
    }

    /// The next 20 ms when they are due; `ahead` samples were taken and are not heard yet.
    pub fn poll_frame(&mut self, ahead: usize, now: Instant) -> Option<[i16; FRAME]> {
        if self.flow == Flow::Paused {
            return None;
        }
        if let State::Holding { until } = self.state
            && (now >= until || self.samples.len() >= samples_in(self.hold))
        {
            self.state = State::Flowing { dry: None };
        }
        let State::Flowing { dry } = &mut self.state else { return None };
        if ahead + FRAME > LEAD {
            return None;
        }
        if self.samples.len() >= FRAME {
            *dry = None;
        } else if ahead >= FRAME {
            // The rest of a frame may still come, as long as there is something to hear.
            return None;
        } else {
            let since = *dry.get_or_insert(now);
            if self.samples.is_empty() {
                // Less than a frame's time later nobody may have noticed.
                if now.saturating_duration_since(since) >= FRAME_TIME {
                    self.state = State::Silent { since: Some(since) };
                }
                return None;
            }
        }
        let mut frame = [0; FRAME];
        let length = self.samples.len().min(FRAME);
        for (slot, sample) in frame.iter_mut().zip(self.samples.drain(..length)) {
            *slot = sample;
        }
        self.taken += length as u64;
        self.reach_marks();
        Some(frame)
    }

    fn reach_marks(&mut self) {
        while self.marks.front().is_some_and(|(at, _)| *at <= self.taken) {
            self.reached.extend(self.marks.pop_front().map(|(_, mark)| mark));
        }
    }
}

impl Default for Speech {
    fn default() -> Self {
        Self::new()
    }
}

fn samples_in(time: Duration) -> usize {
    time.as_millis() as usize * 8
}

/// What waits at most: 20 seconds, as in Asterisk's WebSocket channel.
pub const MOST_SAMPLES: usize = 20 * 8000;

/// What is taken ahead of its being heard: what the thread that takes it may be late by.
pub const LEAD: usize = 4 * FRAME;

const FRAME_TIME: Duration = Duration::from_millis(20);

/// Marks that wait at a time.
const MOST_MARKS: usize = 1000;

/// How long the beginning of speech waits for more, at first and at most.
const SHORTEST_HOLD: Duration = Duration::from_millis(40);
const LONGEST_HOLD: Duration = Duration::from_millis(200);

/// A shorter gap was the network's.
const HICCUP: Duration = Duration::from_millis(150);

/// After so long a silence the network is thought to be well again.
const FORGOTTEN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Runs a queue against a peer that hears a frame every 20 ms; whether each frame was there.
    fn hear(arrivals: &[(u64, usize)], frames: u64) -> Vec<bool> {
        let (start, mut speech, mut ahead) = (clock(), Speech::new(), 0);
        let mut heard = vec![];
        for time in 0..frames * 20 {
            let now = start + ms(time);
            for (_, samples) in arrivals.iter().filter(|(at, _)| *at == time) {
                speech.handle_samples(&vec![9; *samples], now);
            }
            while time % 10 == 0 && speech.poll_frame(ahead, now).is_some() {
                ahead += FRAME;
            }
            if time % 20 == 5 {
                heard.push(ahead >= FRAME);
                ahead -= ahead.min(FRAME);
            }
        }
        heard
    }

    #[test]
    fn a_second_at_once_is_heard_from_the_next_frame_on_without_a_gap() {
        let heard = hear(&[(3, 8000)], 60);
        assert_eq!(heard.iter().filter(|frame| **frame).count(), 50);
        assert_eq!(heard.iter().position(|frame| *frame), Some(1));
        assert_eq!(heard.iter().rposition(|frame| *frame), Some(50));
    }

    #[test]
    fn frames_that_come_30_ms_early_or_late_are_heard_without_a_gap() {
        let jitter = [0, 18, 3, 28, 30, 1, 9, 25, 0, 30];
        let arrivals: Vec<_> =
            (0..100).map(|n| (n * 20 + jitter[n as usize % 10], FRAME)).collect();
        let heard = hear(&arrivals, 110);
        let first = heard.iter().position(|frame| *frame).unwrap();
        assert!(first <= 3, "{first}");
        assert!(heard[first..first + 100].iter().all(|frame| *frame), "{heard:?}");
    }

    #[test]
    fn who_runs_dry_is_held_back_longer() {
        // Six frames come 100 ms late, and twenty frames later six again.
        let late = |n: u64| match n {
            20..26 => 500,
            40..46 => 900,
            n => n * 20,
        };
        let arrivals: Vec<_> = (0..60).map(|n| (late(n), FRAME)).collect();
        let heard = hear(&arrivals, 75);
        let first = heard.iter().position(|frame| *frame).unwrap();
        let last = heard.iter().rposition(|frame| *frame).unwrap();
        let gaps = heard[first..last].windows(2).filter(|pair| pair[0] && !pair[1]).count();
        assert_eq!(gaps, 1, "{heard:?}");
    }

    #[test]
    fn the_end_of_a_sentence_is_filled_up_with_silence() {
        let (now, mut speech) = (clock(), Speech::new());
        speech.handle_samples(&[7; FRAME + 40], now);
        assert_eq!(speech.poll_frame(0, now), None);
        let later = now + ms(40);
        assert_eq!(speech.poll_frame(0, later), Some([7; FRAME]));
        assert_eq!(speech.poll_frame(FRAME, later), None);
        let rest = speech.poll_frame(0, later + ms(20)).unwrap();
        assert_eq!((rest[39], rest[40]), (7, 0));
        assert_eq!(speech.poll_frame(0, later + ms(40)), None);
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted_and_no_more_is_taken_than_a_lead() {
        let (now, mut speech) = (clock(), Speech::new());
        speech.handle_samples(&vec![1; MOST_SAMPLES + 100], now);
        assert_eq!((speech.len(), speech.room(), speech.dropped()), (MOST_SAMPLES, 0, 100));
        assert!(speech.poll_frame(LEAD, now).is_none());
        assert!(speech.poll_frame(LEAD - FRAME, now).is_some());
    }

    #[test]
    fn marks_are_told_when_what_was_before_them_was_taken_and_a_flush_forgets_them() {
        let (now, mut speech) = (clock(), Speech::new());
        assert!(speech.mark(Mark::Drained));
        assert_eq!(speech.poll_mark(), Some(Mark::Drained));
        speech.handle_samples(&[1; 3 * FRAME], now);
        speech.mark(Mark::Marked(Some("a".into())));
        speech.handle_samples(&[1; FRAME], now);
        speech.mark(Mark::Completed(None));
        speech.set_flow(Flow::Paused);
        assert_eq!(speech.poll_frame(0, now), None);
        speech.set_flow(Flow::Running);
        for _ in 0..2 {
            speech.poll_frame(0, now).unwrap();
        }
        assert_eq!(speech.poll_mark(), None);
        speech.poll_frame(0, now).unwrap();
        assert_eq!(speech.poll_mark(), Some(Mark::Marked(Some("a".into()))));
        speech.mark(Mark::Drained);
        speech.flush();
        assert_eq!(speech.poll_mark(), Some(Mark::Drained));
        assert_eq!((speech.poll_mark(), speech.poll_frame(0, now)), (None, None));
    }
}
