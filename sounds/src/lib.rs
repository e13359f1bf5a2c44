//! Samples, sound formats, resampling and prompts. Knows nothing of calls.

pub mod chain;
pub mod coding;
pub mod conceal;
pub mod convert;
pub mod error;
pub mod format;
pub mod g711;
pub mod g722;
pub mod gsm;
pub mod halfband;
pub mod locate;
pub mod mix;
pub mod noise;
pub mod pcm;
pub mod prompts;
pub mod rate;
pub mod read;
pub mod resample;
pub mod say;
pub mod signal;
pub mod sound;
pub mod stretch;
pub mod thirdband;
mod vector;
