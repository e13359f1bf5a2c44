//! Counts what a thread holds of the heap, so that an input that makes it hold too much is found.

#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting. A program that measures makes it its global one.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// What the current thread did since [`begin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// The most bytes held at one time.
    pub most: usize,
    /// Bytes that were not given back.
    pub kept: isize,
}

/// Begins to measure on this thread.
pub fn begin() {
    HELD.set(0);
    MOST.set(0);
}

/// What was used since [`begin`]; nothing if [`Counting`] is not the allocator.
#[must_use]
pub fn end() -> Use {
    Use { most: usize::try_from(MOST.get()).unwrap_or(0), kept: HELD.get() }
}

/// `Err` from `try_with`: the thread is ending, and nobody measures it any more.
fn took(bytes: usize) -> bool {
    let held = HELD.try_with(|held| {
        let now = held.get() + bytes as isize;
        held.set(now);
        now
    });
    let Ok(held) = held else { return true };
    let _ = MOST.try_with(|most| most.set(most.get().max(held)));
    held <= LIMIT
}

fn gave(bytes: usize) {
    let _ = HELD.try_with(|held| held.set(held.get() - bytes as isize));
}

// SAFETY: everything is passed on to the system's allocator with the arguments it was called with;
// beside that only counters change, which do not allocate (`const` and without destructor).
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !took(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        gave(layout.size());
        // SAFETY: the caller keeps the contract of `dealloc`, and all pointers came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        gave(layout.size());
        if !took(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps the contract of `realloc`, and all pointers came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What a thread may hold at most: beyond it allocation fails and the process ends, which the
/// supervisor takes for a finding.
const LIMIT: isize = 2 << 30;
