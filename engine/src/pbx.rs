//! The dialplan on channels: its operations as channel verbs, and what it sees of the engine.

pub(crate) mod host;
pub(crate) mod perform;
pub(crate) mod say;
pub(crate) mod tones;
