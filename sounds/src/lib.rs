//! Samples, sound formats, resampling and prompts. Knows nothing of calls.

pub mod g711;
pub mod pcm;
