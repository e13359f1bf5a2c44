//! How long a sound is, and how loud at most.

/// Just below full scale: rounding and dither stay within it.
pub(crate) const LOUDEST: f32 = 0.9999;

/// What has been made so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Extent {
    /// Frames in it.
    pub(crate) frames: u64,
    /// Greatest magnitude of a sample.
    pub(crate) peak: f32,
}

impl Extent {
    /// Takes frames; every channel has as many samples.
    pub(crate) fn take(&mut self, channels: &[Vec<f32>]) {
        self.frames += channels.first().map_or(0, Vec::len) as u64;
        self.peak = channels.iter().flatten().fold(self.peak, |peak, it| peak.max(it.abs()));
    }
}
