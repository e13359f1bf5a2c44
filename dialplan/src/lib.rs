//! Asterisk's dialplan language: text to plan to steps. No I/O, no clock.

pub mod channel;
pub mod codes;
pub mod conf;
pub mod diagnostic;
pub mod host;
pub mod operation;
pub mod pattern;
pub mod schedule;
pub mod variables;
pub mod world;
