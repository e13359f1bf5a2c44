//! Sound that one writer makes as time passes, and that any number of streams hear as it is made.
//!
//! A ring of frames without a lock: the writer never waits for a listener, and a listener never for
//! the writer. Each frame is encoded once, by the writer. A listener that finds no frame in time is
//! silent and goes on where it was; one that falls far behind goes on with what is new.

use std::{
    array,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
    },
};

use super::{FRAME, Law, WIDE_FRAME};

/// The sound. Whoever writes it, and all who listen, share it by `Arc`.
#[derive(Debug)]
pub struct Live {
    /// Frames written since the beginning.
    written: AtomicU64,
    listeners: AtomicUsize,
    is_over: AtomicBool,
    slots: Box<[Slot]>,
}

/// One frame. Words, because they are read and written at once, and octets would be eight times as
/// many.
#[derive(Debug)]
struct Slot {
    samples: [AtomicU64; FRAME / 4],
    pcmu: [AtomicU64; FRAME / 8],
    pcma: [AtomicU64; FRAME / 8],
    wide: [AtomicU64; WIDE_FRAME / 4],
    is_wide: AtomicBool,
}

/// 20 ms of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFrame {
    samples: [i16; FRAME],
    pcmu: [u8; FRAME],
    pcma: [u8; FRAME],
    wide: Option<[i16; WIDE_FRAME]>,
}

/// One who listens, for as long as it lives.
#[derive(Debug)]
pub struct LiveListener {
    live: Arc<Live>,
    /// The frame that comes next.
    next: u64,
    frame: LiveFrame,
}

impl Live {
    /// A silence, until somebody writes.
    pub fn new() -> Self {
        let slots = (0..SLOTS).map(|_| Slot::new()).collect();
        let (written, listeners) = (AtomicU64::new(0), AtomicUsize::new(0));
        Self { written, listeners, is_over: AtomicBool::new(false), slots }
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.listeners.load(Ordering::Relaxed)
    }

    /// Nothing more comes: who listens is told so.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Whether nothing more comes.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Adds the next frame. Meant for one writer, a frame each 20 ms: of two that write at once the
    /// sound is mixed up.
    pub fn write(&self, frame: &LiveFrame) {
        let written = self.written.load(Ordering::Relaxed);
        // What `written` says is seen no later than that this slot changes.
        fence(Ordering::Release);
        if let Some(slot) = self.slots.get(slot_of(written)) {
            slot.write(frame);
        }
        self.written.store(written + 1, Ordering::Release);
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl LiveFrame {
    /// Encodes a frame; `wide` is the same at 16 kHz, where there is more than 8 kHz hold.
    pub fn new(samples: [i16; FRAME], wide: Option<[i16; WIDE_FRAME]>) -> Self {
        let (mut pcmu, mut pcma) = ([0; FRAME], [0; FRAME]);
        Law::Mu.encode_into(&samples, &mut pcmu);
        Law::A.encode_into(&samples, &mut pcma);
        Self { samples, pcmu, pcma, wide }
    }

    /// Nothing to be heard.
    pub fn silence() -> Self {
        Self::new([0; FRAME], None)
    }

    pub(crate) fn samples(&self) -> &[i16; FRAME] {
        &self.samples
    }

    pub(crate) fn payload(&self, law: Law) -> &[u8; FRAME] {
        match law {
            Law::Mu => &self.pcmu,
            Law::A => &self.pcma,
        }
    }

    pub(crate) fn wide(&self) -> Option<[i16; WIDE_FRAME]> {
        self.wide
    }
}

impl LiveListener {
    /// Listens from now on.
    pub fn new(live: &Arc<Live>) -> Self {
        live.listeners.fetch_add(1, Ordering::Relaxed);
        let next = live.written.load(Ordering::Relaxed).saturating_sub(LEAD);
        Self { live: Arc::clone(live), next, frame: LiveFrame::silence() }
    }

    /// Whether nothing more comes.
    pub(crate) fn is_over(&self) -> bool {
        self.live.is_over()
    }

    /// The frame that was read last.
    pub(crate) fn frame(&self) -> &LiveFrame {
        &self.frame
    }

    /// Reads the next frame; it is silent where there is none yet.
    pub(crate) fn advance(&mut self) {
        let written = self.live.written.load(Ordering::Acquire);
        if written.saturating_sub(self.next) > MOST_BEHIND {
            self.next = written - LEAD;
        }
        let slot = self.live.slots.get(slot_of(self.next)).filter(|_| self.next < written);
        let is_whole = slot.is_some_and(|slot| {
            slot.read(&mut self.frame);
            fence(Ordering::Acquire);
            // Else the writer came round while it was read.
            self.live.written.load(Ordering::Relaxed) < self.next + SLOTS
        });
        if is_whole {
            self.next += 1;
        } else {
            self.frame.silence_all();
        }
    }
}

impl Clone for LiveListener {
    fn clone(&self) -> Self {
        self.live.listeners.fetch_add(1, Ordering::Relaxed);
        Self { live: Arc::clone(&self.live), next: self.next, frame: self.frame.clone() }
    }
}

impl Drop for LiveListener {
    fn drop(&mut self) {
        self.live.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

impl LiveFrame {
    fn silence_all(&mut self) {
        self.samples.fill(0);
        self.pcmu.fill(Law::Mu.silence());
        self.pcma.fill(Law::A.silence());
        self.wide = None;
    }
}

impl Slot {
    fn new() -> Self {
        fn zeros<const N: usize>() -> [AtomicU64; N] {
            array::from_fn(|_| AtomicU64::new(0))
        }
        let is_wide = AtomicBool::new(false);
        Self { samples: zeros(), pcmu: zeros(), pcma: zeros(), wide: zeros(), is_wide }
    }

    fn write(&self, frame: &LiveFrame) {
        write_samples(&self.samples, &frame.samples);
        write_octets(&self.pcmu, &frame.pcmu);
        write_octets(&self.pcma, &frame.pcma);
        if let Some(wide) = &frame.wide {
            write_samples(&self.wide, wide);
        }
        self.is_wide.store(frame.wide.is_some(), Ordering::Relaxed);
    }

    fn read(&self, frame: &mut LiveFrame) {
        read_samples(&self.samples, &mut frame.samples);
        read_octets(&self.pcmu, &mut frame.pcmu);
        read_octets(&self.pcma, &mut frame.pcma);
        frame.wide = self.is_wide.load(Ordering::Relaxed).then(|| {
            let mut wide = [0; WIDE_FRAME];
            read_samples(&self.wide, &mut wide);
            wide
        });
    }
}

fn write_samples(words: &[AtomicU64], samples: &[i16]) {
    for (word, [a, b, c, d]) in words.iter().zip(samples.as_chunks().0) {
        let value = [*d, *c, *b, *a]
            .into_iter()
            .fold(0, |word, sample| (word << 16) | u64::from(sample as u16));
        word.store(value, Ordering::Relaxed);
    }
}

fn read_samples(words: &[AtomicU64], samples: &mut [i16]) {
    for (word, four) in words.iter().zip(samples.as_chunks_mut::<4>().0) {
        let word = word.load(Ordering::Relaxed);
        *four = array::from_fn(|nth| (word >> (16 * nth)) as i16);
    }
}

fn write_octets(words: &[AtomicU64], octets: &[u8]) {
    for (word, eight) in words.iter().zip(octets.as_chunks().0) {
        word.store(u64::from_le_bytes(*eight), Ordering::Relaxed);
    }
}

fn read_octets(words: &[AtomicU64], octets: &mut [u8]) {
    for (word, eight) in words.iter().zip(octets.as_chunks_mut().0) {
        *eight = word.load(Ordering::Relaxed).to_le_bytes();
    }
}

fn slot_of(frame: u64) -> usize {
    (frame % SLOTS) as usize
}

/// Frames kept.
const SLOTS: u64 = 64;

/// A listener begins so many frames before the newest: the writer may be late by as much.
const LEAD: u64 = 2;

/// One that is further behind than half a second goes on with what is new.
const MOST_BEHIND: u64 = 25;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(level: i16) -> LiveFrame {
        LiveFrame::new([level; FRAME], None)
    }

    fn next(listener: &mut LiveListener) -> i16 {
        listener.advance();
        listener.frame().samples()[17]
    }

    #[test]
    fn all_hear_the_same_from_when_they_came() {
        let live = Arc::new(Live::new());
        let mut early = LiveListener::new(&live);
        assert_eq!(next(&mut early), 0);
        for level in 1..=10 {
            live.write(&frame(level));
        }
        let mut late = LiveListener::new(&live);
        assert_eq!(live.listeners(), 2);
        assert_eq!((1..=10).map(|_| next(&mut early)).collect::<Vec<_>>(), Vec::from_iter(1..=10));
        assert_eq!([next(&mut late), next(&mut late), next(&mut late)], [9, 10, 0]);
        // What is late is heard once it is there.
        live.write(&frame(11));
        assert_eq!([next(&mut early), next(&mut late)], [11, 11]);
        drop(early);
        assert_eq!(live.listeners(), 1);
    }

    #[test]
    fn who_sleeps_goes_on_with_what_is_new() {
        let live = Arc::new(Live::new());
        let mut listener = LiveListener::new(&live);
        for level in 1..=1000 {
            live.write(&frame(level));
        }
        assert_eq!([next(&mut listener), next(&mut listener), next(&mut listener)], [999, 1000, 0]);
    }

    #[test]
    fn every_form_of_a_frame_comes_through() {
        let live = Arc::new(Live::new());
        let mut listener = LiveListener::new(&live);
        let samples = array::from_fn(|nth| (nth as i32 * 400 - 32_000) as i16);
        let wide = array::from_fn(|nth| (nth as i32 * 200 - 32_000) as i16);
        let written = LiveFrame::new(samples, Some(wide));
        live.write(&written);
        live.write(&LiveFrame::new(samples, None));
        listener.advance();
        assert_eq!(*listener.frame(), written);
        let mut octets = [0; FRAME];
        Law::A.encode_into(&samples, &mut octets);
        assert_eq!(*listener.frame().payload(Law::A), octets);
        listener.advance();
        assert_eq!(listener.frame().wide(), None);
        listener.advance();
        assert_eq!(*listener.frame(), LiveFrame::silence());
    }

    #[test]
    fn an_end_is_told() {
        let live = Arc::new(Live::new());
        let listener = LiveListener::new(&live);
        assert!(!listener.is_over());
        live.end();
        assert!(listener.is_over());
    }
}
