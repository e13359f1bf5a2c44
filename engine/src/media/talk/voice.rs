//! Tells voices from other sounds, with WebRTC's detector.

use crate::media::FRAME;

/// Listens to one stream. Adapts to its noise.
pub(super) struct Voice(webrtc_vad::Vad);

// SAFETY: `Vad` owns one heap block that nothing else points to: libfvad has no globals that are
// written and no thread locals. It may be used from any thread, one at a time, which `&mut self` of
// its every use sees to. It is not `Sync` and need not be.
#[allow(unsafe_code, reason = "a raw pointer hides that the detector is one owned block")]
unsafe impl Send for Voice {}

impl Voice {
    pub(super) fn new() -> Self {
        // The one that misses the least; loudness is asked for besides.
        let mode = webrtc_vad::VadMode::Quality;
        Self(webrtc_vad::Vad::new_with_rate_and_mode(webrtc_vad::SampleRate::Rate8kHz, mode))
    }

    /// Whether the next 20 ms have a voice in them.
    pub(super) fn handle_frame(&mut self, frame: &[i16; FRAME]) -> bool {
        // Wrong lengths alone are refused.
        self.0.is_voice_segment(frame).unwrap_or(true)
    }
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Voice")
    }
}
