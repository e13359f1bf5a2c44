//! Sockets, clock and threads: the only room that does I/O.

pub mod media;
