//! Reads which code ran, where the product was compiled with counters (`tests/fuzz/run`).
//!
//! The compiler's counters are SanitizerCoverage's inline 8-bit ones: a byte for each edge of the
//! control flow, which the instrumented code itself increases. Without them there are none here,
//! and the runner goes by [`Shape`](super::Shape) alone.

#![allow(unsafe_code, reason = "the compiler hands its counters over as raw pointers")]

use std::sync::Mutex;

/// A module's counters.
#[derive(Debug, Clone, Copy)]
struct Region {
    start: usize,
    stop: usize,
}

static REGIONS: Mutex<Vec<Region>> = Mutex::new(Vec::new());

/// Called once for each instrumented module before `main` begins.
// SAFETY: no other function of this name is linked: only a sanitizer's run time has it.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    let region = Region { start: start as usize, stop: stop as usize };
    let Ok(mut regions) = REGIONS.lock() else { return };
    if region.start < region.stop && !regions.iter().any(|known| known.start == region.start) {
        regions.push(region);
    }
}

/// The counters of the whole program.
#[derive(Debug)]
pub struct Counters {
    regions: Vec<Region>,
}

impl Counters {
    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        Self { regions: REGIONS.lock().map(|regions| regions.clone()).unwrap_or_default() }
    }

    /// How many edges are counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.regions.iter().map(|region| region.stop - region.start).sum()
    }

    /// Whether the program was compiled without.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// Sets all to zero. Only the thread that runs targets may.
    pub fn clear(&mut self) {
        for region in &self.regions {
            // SAFETY: the compiler gave us the region, which lives as long as the program and is
            // written by instrumented code alone; the thread that runs it is the one that is here.
            unsafe {
                std::ptr::write_bytes(region.start as *mut u8, 0, region.stop - region.start)
            };
        }
    }

    /// Gives `visit` the number and the magnitude of each counter that is not zero. Only the thread
    /// that runs targets may; `visit` must not run one.
    pub fn visit(&self, mut visit: impl FnMut(usize, u8)) {
        let mut at = 0;
        for region in &self.regions {
            let length = region.stop - region.start;
            // SAFETY: as in `clear`; nobody writes while this borrow lasts.
            let counts = unsafe { std::slice::from_raw_parts(region.start as *const u8, length) };
            for block in counts.chunks(BLOCK) {
                // Without a branch inside, so that it is done sixteen bytes at a time.
                if block.iter().fold(0, |all, count| all | count) != 0 {
                    for (offset, &count) in block.iter().enumerate().filter(|(_, c)| **c != 0) {
                        visit(at + offset, magnitude(count));
                    }
                }
                at += block.len();
            }
        }
    }
}

const BLOCK: usize = 128;

/// One of eight bits: 1, 2, 3, 4.., 8.., 16.., 32.., 128.. times.
fn magnitude(count: u8) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..8 => 8,
        8..16 => 16,
        16..32 => 32,
        32..128 => 64,
        128.. => 128,
    }
}
