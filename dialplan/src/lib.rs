//! Asterisk's dialplan language: text to plan to steps. No I/O, no clock.

pub mod ast;
pub mod channel;
pub mod check;
pub mod codes;
pub mod conf;
pub mod diagnostic;
pub mod host;
pub mod operation;
pub mod parser;
pub mod pattern;
pub mod plan;
pub mod schedule;
pub mod spelling;
pub mod variables;
pub mod world;
