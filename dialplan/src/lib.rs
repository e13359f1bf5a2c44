//! Asterisk's dialplan language: text to plan to steps. No I/O, no clock.

pub mod application;
mod arguments;
pub mod ast;
pub mod channel;
pub mod check;
pub mod codes;
pub mod conf;
pub mod csv;
pub mod diagnostic;
pub mod executor;
pub mod expression;
pub mod function;
pub mod host;
pub mod machine;
pub mod numbering;
pub mod operation;
pub mod parser;
pub mod pattern;
pub mod plan;
pub mod rare;
pub mod record;
pub mod regular;
pub mod rules;
pub mod schedule;
mod scope;
pub mod simulation;
pub mod spelling;
mod state;
pub mod substitute;
pub mod timetable;
pub mod variables;
#[cfg(feature = "vectors")]
pub mod vector;
pub mod videoshare;
pub mod world;
