//! Samples, sound formats, resampling and prompts. Knows nothing of calls.
