//! Holds received G.711 until its playout time, where audio is consumed: mixed or recorded.
//!
//! Samples lie in a ring by their RTP time, so the packet time may be anything and order does not
//! matter; what is missing when its time comes is concealed.
//!
//!   ms       0   20  40  60  80  100 120 140
//!   arrive   1   2       4,3 5                    4 overtook 3; nothing lost
//!   play                 1   2   3   4   5        playout delay 40 ms

use super::{
    FRAME, Law,
    playout::{Played, PlayoutDelay, Pushed, is_quiet},
    rtp::RtpTime,
};

/// The playout buffer of one receiving stream.
pub(crate) struct PlayoutBuffer {
    ring: Box<[i16; RING]>,
    /// `None` while there is nothing to play: the next packet sets the clock.
    delay: Option<PlayoutDelay>,
    /// Samples of the frame played last, for concealment.
    last: [i16; FRAME],
    /// Frames concealed in a row.
    concealed: u32,
}

impl PlayoutBuffer {
    pub(crate) fn new() -> Self {
        Self { ring: Box::new([MISSING; RING]), delay: None, last: [0; FRAME], concealed: 0 }
    }

    /// Forgets everything: another source begins.
    pub(crate) fn reset(&mut self) {
        self.ring.fill(MISSING);
        self.delay = None;
        self.concealed = 0;
        self.last = [0; FRAME];
    }

    /// Takes the payload of one packet; beyond 120 ms of it the rest is left out.
    pub(crate) fn push(&mut self, time: RtpTime, law: Law, payload: &[u8]) -> Pushed {
        let payload = &payload[..payload.len().min(LONGEST_PACKET)];
        let end = time.plus(payload.len() as i32);
        let reach = RING as i32 - LONGEST_PACKET as i32;
        if self.delay.is_some_and(|delay| delay.is_elsewhere(time, reach)) {
            self.reset();
        }
        let delay = self.delay.get_or_insert_with(|| PlayoutDelay::new(time, end, 1));
        if delay.admit(time, end) == Pushed::Late {
            return Pushed::Late;
        }
        debug_assert!(time.since(delay.next()) >= 0, "the packet is not before the playout time");
        self.store(time, law, payload);
        Pushed::Stored
    }

    fn store(&mut self, time: RtpTime, law: Law, payload: &[u8]) {
        let start = time.0 as usize % RING;
        let first = payload.len().min(RING - start);
        law.decode_into(&payload[..first], &mut self.ring[start..start + first]);
        law.decode_into(&payload[first..], &mut self.ring[..payload.len() - first]);
    }

    /// Whether received audio still waits to be played.
    pub(crate) fn has_waiting(&self) -> bool {
        self.delay.is_some_and(|delay| delay.has_waiting())
    }

    /// Takes out the next 20 ms.
    pub(crate) fn pop(&mut self, out: &mut [i16; FRAME]) -> Played {
        let Some(delay) = self.delay.as_mut().filter(|delay| !delay.is_over()) else {
            if self.delay.is_some() {
                self.reset();
            }
            out.fill(0);
            return Played::Nothing;
        };
        let mut missing = take(&mut self.ring, delay.advance(), out);
        if delay.has_surplus() && missing == 0 && is_quiet(out) {
            missing = take(&mut self.ring, delay.leave_out(), out);
        }
        if missing == 0 {
            self.concealed = 0;
            self.last = *out;
            return Played::Audio;
        }
        self.conceal(missing, out)
    }

    /// Repeats the last frame, fading: 20 ms stay unnoticed, after 80 ms there is silence.
    fn conceal(&mut self, missing: usize, out: &mut [i16; FRAME]) -> Played {
        let quarters = 4_i32.saturating_sub_unsigned(self.concealed).max(0);
        for (sample, last) in out.iter_mut().zip(&self.last) {
            if *sample == MISSING {
                *sample = (i32::from(*last) * quarters / 4) as i16;
            }
        }
        if missing == FRAME {
            self.concealed = self.concealed.saturating_add(1);
            if quarters == 0 {
                return Played::Nothing;
            }
        } else {
            self.concealed = 0;
            self.last = *out;
        }
        Played::Concealed
    }

    /// How long the packet received last will wait before it is played, in samples.
    #[cfg(test)]
    fn waiting(&self) -> i32 {
        self.delay.map_or(0, |delay| delay.waiting())
    }
}

impl std::fmt::Debug for PlayoutBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlayoutBuffer").finish_non_exhaustive()
    }
}

/// Moves a frame out of the ring, leaving `MISSING` behind; gives the number of missing samples.
fn take(ring: &mut [i16; RING], time: RtpTime, out: &mut [i16; FRAME]) -> usize {
    let start = time.0 as usize % RING;
    let first = FRAME.min(RING - start);
    out[..first].copy_from_slice(&ring[start..start + first]);
    ring[start..start + first].fill(MISSING);
    out[first..].copy_from_slice(&ring[..FRAME - first]);
    ring[..FRAME - first].fill(MISSING);
    out.iter().filter(|&&sample| sample == MISSING).count()
}

/// No G.711 code decodes to it.
const MISSING: i16 = i16::MIN;

/// Half a second of samples.
const RING: usize = 4096;

/// Samples taken of one packet: 120 ms.
const LONGEST_PACKET: usize = 960;

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(value: i16) -> [u8; FRAME] {
        let mut payload = [0; FRAME];
        Law::Mu.encode_into(&[value; FRAME], &mut payload);
        payload
    }

    fn pop(buffer: &mut PlayoutBuffer) -> (Played, i16) {
        let mut out = [0; FRAME];
        let played = buffer.pop(&mut out);
        assert!(out.iter().all(|&sample| sample != MISSING));
        (played, out[80])
    }

    #[test]
    fn order_is_restored_and_a_gap_concealed() {
        let mut buffer = PlayoutBuffer::new();
        let levels = [988_i16, 1980, 3900, 7932];
        for index in [0_u32, 2, 1, 3] {
            let time = RtpTime(u32::MAX - 200).plus(index as i32 * 160);
            assert_eq!(
                buffer.push(time, Law::Mu, &payload(levels[index as usize])),
                Pushed::Stored
            );
        }
        assert_eq!(pop(&mut buffer).0, Played::Concealed, "20 ms of delay come first");
        for level in levels {
            let (played, sample) = pop(&mut buffer);
            assert_eq!(played, Played::Audio);
            assert!((sample - level).abs() <= level / 16, "{sample} for {level}");
        }
        let faded: Vec<_> = (0..5).map(|_| pop(&mut buffer)).collect();
        assert_eq!(faded[0].0, Played::Concealed);
        assert!(faded[0].1 > faded[1].1 && faded[1].1 > faded[2].1);
        assert_eq!(faded[4], (Played::Nothing, 0));
    }

    #[test]
    fn a_late_packet_makes_the_delay_grow_so_that_the_next_late_one_is_in_time() {
        let mut buffer = PlayoutBuffer::new();
        buffer.push(RtpTime(0), Law::Mu, &payload(1000));
        for _ in 0..4 {
            pop(&mut buffer);
        }
        // Due 40 ms ago.
        assert_eq!(buffer.push(RtpTime(160), Law::Mu, &payload(2000)), Pushed::Stored);
        assert_eq!(pop(&mut buffer).0, Played::Audio);
        buffer.push(RtpTime(320), Law::Mu, &payload(2000));
        assert_eq!(pop(&mut buffer).0, Played::Audio);
    }

    #[test]
    fn the_delay_is_bounded_and_shrinks_when_not_needed() {
        let mut buffer = PlayoutBuffer::new();
        let mut time = RtpTime(0);
        buffer.push(time, Law::Mu, &payload(0));
        // A stall of 160 ms, then everything at once.
        for _ in 0..9 {
            pop(&mut buffer);
        }
        for _ in 0..8 {
            time = time.plus(160);
            buffer.push(time, Law::Mu, &payload(0));
        }
        let stalled = buffer.waiting();
        assert!((1280..=1600).contains(&stalled), "{stalled}");
        for _ in 0..3000 {
            time = time.plus(160);
            buffer.push(time, Law::Mu, &payload(0));
            assert_ne!(pop(&mut buffer).0, Played::Concealed);
        }
        assert!(buffer.waiting() <= 320, "{}", buffer.waiting());
    }

    #[test]
    fn a_leap_of_the_clock_and_a_pause_begin_anew() {
        let mut buffer = PlayoutBuffer::new();
        buffer.push(RtpTime(0), Law::A, &payload(1000));
        buffer.push(RtpTime(3_000_000_000), Law::Mu, &payload(1000));
        pop(&mut buffer);
        assert_eq!(pop(&mut buffer).0, Played::Audio);
        for _ in 0..30 {
            pop(&mut buffer);
        }
        assert_eq!(pop(&mut buffer), (Played::Nothing, 0));
        buffer.push(RtpTime(3_000_008_000), Law::Mu, &payload(1000));
        pop(&mut buffer);
        assert_eq!(pop(&mut buffer).0, Played::Audio);
    }

    #[test]
    fn any_packet_time_will_do() {
        for size in [80_usize, 138, 240, 320, 480, 960] {
            let mut buffer = PlayoutBuffer::new();
            let bytes = vec![0x90; size];
            let (mut sent, mut audio) = (0_usize, 0);
            for frame in 0..500 {
                while sent <= frame * FRAME {
                    buffer.push(RtpTime(sent as u32), Law::Mu, &bytes);
                    sent += size;
                }
                audio += usize::from(pop(&mut buffer).0 == Played::Audio);
            }
            assert!(audio >= 490, "{size}: {audio}");
        }
    }

    #[test]
    fn no_packet_whatever_panics() {
        let mut buffer = PlayoutBuffer::new();
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let time = RtpTime((seed >> 32) as u32 >> (seed % 32));
            let size = (seed >> 8) as usize % 1500;
            buffer.push(time, Law::A, &vec![seed as u8; size]);
            if seed.is_multiple_of(3) {
                pop(&mut buffer);
            }
        }
    }
}
