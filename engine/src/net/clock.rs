//! The two clocks, read here and nowhere else.

use std::time::Instant;

use crate::clock::Now;

/// Both clocks, now.
#[expect(clippy::disallowed_methods, reason = "this room owns the clock")]
pub(crate) fn now() -> Now {
    Now::new(Instant::now(), jiff::Timestamp::now())
}
