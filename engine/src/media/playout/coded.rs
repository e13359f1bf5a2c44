//! Holds received packets until their playout time and decodes them in order: for codecs that
//! keep state, where a packet decoded before its predecessor would spoil both.
//!
//!   packets   4   6           waiting, by RTP time
//!   decoded       |3.|        what is left of the packet begun, if packets are longer than frames
//!   played    1 2             5 is missing when its time comes, and concealed

use smallvec::SmallVec;

use diesis_sounds::halfband::Downsampler;

use super::{Played, PlayoutDelay, Pushed, is_quiet};
use crate::media::{
    Codec, FRAME, Rate, StreamSettings, WIDE_FRAME, codec::decoder::Decoder, rtp::RtpTime,
};

/// The playout buffer of a stream in which other than G.711 may arrive.
#[derive(Debug)]
pub(crate) struct CodedPlayout {
    decoders: SmallVec<[Decoder; 2]>,
    /// Which of them the packets that wait are for; their clock and rate are those of all here.
    present: usize,
    packets: Vec<Packet>,
    /// `None` while there is nothing to play: the next packet sets the clock.
    delay: Option<PlayoutDelay>,
    /// Samples decoded and not yet played.
    decoded: Vec<i16>,
    /// The RTP time at which they end.
    end: RtpTime,
    /// The frame played last, for concealment.
    last: [i16; WIDE_FRAME],
    /// Frames concealed in a row.
    concealed: u32,
    downsampler: Downsampler,
}

/// One packet that waits; its memory is kept when it is gone.
#[derive(Debug, Clone)]
struct Packet {
    time: RtpTime,
    /// In steps of the RTP clock; nothing waits here if it is 0.
    duration: i32,
    payload: Vec<u8>,
}

impl CodedPlayout {
    pub(super) fn new(settings: &StreamSettings) -> Self {
        let codecs = settings.receive.iter().map(|&(_, codec)| codec);
        let octets = codecs.clone().map(Codec::frame_octets).max().unwrap_or(0);
        let packet =
            || Packet { time: RtpTime(0), duration: 0, payload: Vec::with_capacity(octets) };
        Self {
            decoders: codecs.map(Decoder::new).collect(),
            present: 0,
            packets: std::iter::repeat_with(packet).take(MOST_PACKETS).collect(),
            delay: None,
            decoded: Vec::with_capacity(MOST_DECODED),
            end: RtpTime(0),
            last: [0; WIDE_FRAME],
            concealed: 0,
            downsampler: Downsampler::new(),
        }
    }

    /// Whether it has a decoder for everything that may arrive, and no other.
    pub(super) fn fits(&self, settings: &StreamSettings) -> bool {
        let wanted = settings.receive.iter().map(|&(_, codec)| codec);
        wanted.eq(self.decoders.iter().map(Decoder::codec))
    }

    /// Forgets everything: another source begins.
    pub(super) fn reset(&mut self) {
        self.begin_anew();
        for decoder in &mut self.decoders {
            decoder.reset();
        }
        self.last.fill(0);
        self.downsampler = Downsampler::new();
    }

    fn begin_anew(&mut self) {
        for packet in &mut self.packets {
            packet.duration = 0;
        }
        self.delay = None;
        self.decoded.clear();
        self.concealed = 0;
    }

    /// Takes the payload of one packet.
    pub(super) fn push(&mut self, time: RtpTime, codec: Codec, payload: &[u8]) -> Pushed {
        let Some(decoder) = self.decoders.iter().position(|known| known.codec() == codec) else {
            return Pushed::Late;
        };
        let longest = LONGEST_PACKET * codec.scale() as usize;
        let duration = codec.duration(payload).min(longest) as i32;
        if duration == 0 {
            return Pushed::Stored;
        }
        if decoder != self.present {
            // Its clock, and what its decoder knows, have nothing to do with what was before.
            self.reset();
            self.present = decoder;
        }
        let end = time.plus(duration);
        if self.delay.is_some_and(|delay| delay.is_elsewhere(time, REACH)) {
            self.begin_anew();
        }
        if self.delay.is_none() {
            let delay = PlayoutDelay::new(time, end, codec.scale());
            self.end = delay.next();
            self.delay = Some(delay);
        }
        let Some(delay) = &mut self.delay else { return Pushed::Late };
        let playing = delay.next();
        if delay.admit(time, end) == Pushed::Late {
            return Pushed::Late;
        }
        if delay.next() != playing {
            // Playing went back to this packet.
            self.decoded.clear();
            self.end = delay.next();
        }
        if end.since(self.end) <= 0 {
            // Begun already: its beginning was missing, and the rest was concealed with it.
            return Pushed::Late;
        }
        let Some(free) = self.packets.iter_mut().find(|packet| packet.duration == 0) else {
            return Pushed::Late;
        };
        free.time = time;
        free.duration = duration;
        free.payload.clear();
        free.payload.extend_from_slice(payload);
        Pushed::Stored
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.delay.is_some_and(|delay| delay.has_waiting())
    }

    /// Takes out the next 20 ms: what there is of them below 4 kHz.
    pub(super) fn pop(&mut self, out: &mut [i16; FRAME]) -> Played {
        let Some(delay) = self.delay.as_mut().filter(|delay| !delay.is_over()) else {
            if self.delay.is_some() {
                self.begin_anew();
                self.last.fill(0);
            }
            out.fill(0);
            return Played::Nothing;
        };
        delay.advance();
        let has_surplus = delay.has_surplus();
        let mut played = self.fill();
        if has_surplus && played == Played::Audio && is_quiet(self.frame()) {
            if let Some(delay) = &mut self.delay {
                delay.leave_out();
            }
            played = self.fill();
        }
        match self.rate() {
            Rate::Narrow => out.copy_from_slice(&self.last[..FRAME]),
            Rate::Wide => self.downsampler.process(&self.last, out),
        }
        played
    }

    /// All of the frame taken out last, if it is more than that.
    pub(super) fn wide(&self) -> Option<&[i16; WIDE_FRAME]> {
        (self.rate() == Rate::Wide).then_some(&self.last)
    }

    fn rate(&self) -> Rate {
        self.decoders[self.present].codec().rate()
    }

    /// The frame played last.
    fn frame(&self) -> &[i16] {
        &self.last[..self.rate().frame()]
    }

    /// The next frame, decoded or invented.
    fn fill(&mut self) -> Played {
        let codec = self.decoders[self.present].codec();
        let frame = codec.rate().frame();
        let mut invented = 0;
        while self.decoded.len() < frame {
            invented += self.decode_next(codec);
        }
        self.last[..frame].copy_from_slice(&self.decoded[..frame]);
        self.decoded.drain(..frame);
        if invented == 0 {
            self.concealed = 0;
            return Played::Audio;
        }
        if invented < frame {
            self.concealed = 0;
        } else {
            self.concealed = self.concealed.saturating_add(1);
        }
        if self.concealed > FADED { Played::Nothing } else { Played::Concealed }
    }

    /// Decodes the packet whose time has come, or conceals that there is none, a frame at most.
    /// Gives the number of samples invented.
    fn decode_next(&mut self, codec: Codec) -> usize {
        let end = self.end;
        let mut nearest: Option<(i32, usize)> = None;
        for (index, packet) in self.packets.iter_mut().enumerate() {
            if packet.duration == 0 {
                continue;
            }
            let ahead = packet.time.since(end);
            if ahead + packet.duration <= 0 {
                packet.duration = 0;
            } else if nearest.is_none_or(|(least, _)| ahead < least) {
                nearest = Some((ahead, index));
            }
        }
        let frame = codec.rate().frame();
        let frame_time = codec.frame_time() as i32;
        match nearest {
            Some((ahead, index)) if ahead <= 0 => {
                self.decode(index, ahead.unsigned_abs() as usize * frame / frame_time as usize);
                0
            }
            nearest => {
                let gap = nearest.map_or(frame_time, |(ahead, _)| ahead.min(frame_time));
                let samples = gap as usize * frame / frame_time as usize;
                self.end = end.plus(gap);
                let next = nearest.filter(|&(ahead, _)| ahead == gap).map(|(_, index)| index);
                self.conceal(samples.max(1), next);
                samples.max(1)
            }
        }
    }

    /// Decodes one packet, without the samples for which it is too late.
    fn decode(&mut self, index: usize, late: usize) {
        let packet = &mut self.packets[index];
        let before = self.decoded.len();
        self.decoded.resize(MOST_DECODED, 0);
        let decoder = &mut self.decoders[self.present];
        let count = decoder.decode(&packet.payload, &mut self.decoded[before..]);
        self.decoded.truncate(before + count);
        if late > 0 {
            self.decoded.drain(before..before + late.min(count));
        }
        self.end = packet.time.plus(packet.duration);
        packet.duration = 0;
        // What a damaged packet lacks is silence.
        if self.decoded.len() == before {
            self.decoded.push(0);
        }
    }

    /// Fills a gap as the codec knows best, else with the last frame, fading: 20 ms stay unnoticed,
    /// after 80 ms there is silence. `next` is the packet right after the gap.
    fn conceal(&mut self, samples: usize, next: Option<usize>) {
        let before = self.decoded.len();
        if self.concealed < FADED {
            self.decoded.resize(before + samples, 0);
            let next = next.map(|index| &self.packets[index].payload[..]);
            if self.decoders[self.present].conceal(next, &mut self.decoded[before..]) {
                return;
            }
            self.decoded.truncate(before);
        }
        let quarters = FADED.saturating_sub(self.concealed) as i32;
        let last = &self.last[..self.rate().frame()];
        let begun = self.decoded.len() % last.len();
        let invented = last[begun..].iter().chain(last).take(samples);
        self.decoded.extend(invented.map(|&sample| (i32::from(sample) * quarters / 4) as i16));
    }
}

/// Frames after which what is invented has faded.
const FADED: u32 = 4;

/// Packets that may wait: 320 ms of the shortest in use.
const MOST_PACKETS: usize = 32;

/// How far ahead of what is played they may be, in 8 kHz samples: 400 ms.
const REACH: i32 = 3200;

/// What is taken of one packet, in 8 kHz samples: 120 ms.
const LONGEST_PACKET: usize = 960;

/// The longest packet and what is left of the one before.
const MOST_DECODED: usize = 120 * 16 + WIDE_FRAME;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{OpusSettings, Samples, codec::encoder::Encoder};

    fn buffer(codec: Codec) -> CodedPlayout {
        let address = ([127, 0, 0, 1], 4000).into();
        CodedPlayout::new(&StreamSettings::new(address, codec))
    }

    /// Packets of a sine wave, 20 ms each.
    fn packets(codec: Codec, hertz: f64, count: usize) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(codec, OpusSettings::default());
        (0..count)
            .map(|frame| {
                let sample = |n: usize, rate: f64, size: usize| {
                    let angle = std::f64::consts::TAU * hertz * (frame * size + n) as f64 / rate;
                    (8000.0 * angle.sin()) as i16
                };
                match codec.rate() {
                    Rate::Wide => {
                        let wide = std::array::from_fn(|n| sample(n, 16_000.0, 320));
                        encoder.encode(Samples::Wide(&wide)).to_vec()
                    }
                    Rate::Narrow => {
                        let narrow = std::array::from_fn(|n| sample(n, 8000.0, 160));
                        encoder.encode(Samples::Narrow(&narrow)).to_vec()
                    }
                }
            })
            .collect()
    }

    fn level(samples: &[i16]) -> f64 {
        let power: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        (power / samples.len() as f64).sqrt()
    }

    #[test]
    fn packets_out_of_order_are_decoded_in_order() {
        for codec in [Codec::G722, Codec::L16, Codec::L16Wide] {
            let packets = packets(codec, 1000.0, 50);
            let mut buffer = buffer(codec);
            let mut heard = [0; FRAME];
            let base = RtpTime(u32::MAX - 300);
            let mut next = 0;
            for pair in 0..25 {
                for index in [2 * pair + 1, 2 * pair] {
                    let time = base.plus((index * codec.frame_time() as usize) as i32);
                    assert_eq!(buffer.push(time, codec, &packets[index]), Pushed::Stored);
                }
                for _ in 0..2 {
                    let played = buffer.pop(&mut heard);
                    if next > 2 {
                        assert_eq!(played, Played::Audio, "{codec:?} frame {next}");
                        let level = level(buffer.frame());
                        assert!((5400.0..5900.0).contains(&level), "{codec:?}: {level}");
                    }
                    next += 1;
                }
            }
        }
    }

    #[test]
    fn a_lost_packet_is_concealed_and_a_long_gap_is_silent() {
        let packets = packets(Codec::G722, 500.0, 20);
        let mut buffer = buffer(Codec::G722);
        let mut heard = [0; FRAME];
        for (index, packet) in packets.iter().enumerate() {
            if index != 10 {
                buffer.push(RtpTime(index as u32 * 160), Codec::G722, packet);
            }
            let played = buffer.pop(&mut heard);
            if index > 2 && index != 11 {
                assert_eq!(played, Played::Audio, "{index}");
            }
        }
        // One frame of delay: 18 comes, and nothing after 19.
        let played: Vec<_> = (0..20).map(|_| buffer.pop(&mut heard)).collect();
        assert!(played[..4].contains(&Played::Concealed));
        assert_eq!(played[19], Played::Nothing);
        assert_eq!((level(&heard), level(buffer.frame())), (0.0, 0.0));
        assert!(!buffer.has_waiting());
    }

    #[test]
    fn packets_of_any_length_are_played_whole() {
        for (octets, per_packet) in [(80, 10), (240, 30), (480, 60), (37, 5), (960, 120)] {
            let stream = packets(Codec::G722, 700.0, 250).concat();
            let mut buffer = buffer(Codec::G722);
            let mut heard = [0; FRAME];
            let (mut sent, mut audio) = (0, 0);
            for frame in 0..240 {
                while sent <= frame * 160 {
                    let packet = &stream[sent..(sent + octets).min(stream.len())];
                    buffer.push(RtpTime(sent as u32), Codec::G722, packet);
                    sent += packet.len().max(1);
                }
                audio += usize::from(buffer.pop(&mut heard) == Played::Audio);
            }
            assert!(audio >= 230, "{per_packet} ms: {audio}");
        }
    }

    #[test]
    fn no_packet_whatever_panics() {
        for codec in Codec::ALL {
            let mut settings = StreamSettings::new(([127, 0, 0, 1], 4000).into(), codec);
            settings.receive.push((crate::media::PayloadType::PCMU, Codec::Pcmu));
            let mut buffer = CodedPlayout::new(&settings);
            let mut heard = [0; FRAME];
            let mut seed = 1_u64;
            for _ in 0..5000 {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let time = RtpTime((seed >> 32) as u32 >> (seed % 32));
                let payload: Vec<u8> = (0..(seed >> 8) % 1500)
                    .map(|n| (seed.rotate_left(n as u32 * 7) ^ n) as u8)
                    .collect();
                let codec = if seed.is_multiple_of(17) { Codec::Pcmu } else { codec };
                buffer.push(time, codec, &payload);
                if seed.is_multiple_of(3) {
                    buffer.pop(&mut heard);
                }
                assert!(buffer.decoded.len() <= MOST_DECODED);
            }
        }
    }

    /// Opus of a sound whose pitch changes from frame to frame, so that it can not be guessed.
    #[cfg(feature = "opus")]
    fn level_of_lost_frame(settings: OpusSettings) -> f64 {
        let mut encoder = Encoder::new(Codec::Opus, settings);
        let mut buffer = buffer(Codec::Opus);
        let mut heard = [0; FRAME];
        let pitch = |frame: usize| 300.0 + 170.0 * (frame * 7 % 11) as f64;
        let mut lost: f64 = 0.0;
        for frame in 0..60_usize {
            let mut phase = 0.0_f64;
            let wide = std::array::from_fn(|n| {
                phase += std::f64::consts::TAU * pitch(frame) / 16_000.0;
                let swell = (std::f64::consts::PI * n as f64 / WIDE_FRAME as f64).sin();
                (12_000.0 * swell * phase.sin()) as i16
            });
            let payload = encoder.encode(Samples::Wide(&wide)).to_vec();
            if frame != 40 {
                buffer.push(RtpTime(frame as u32 * 960), Codec::Opus, &payload);
            }
            let played = buffer.pop(&mut heard);
            // One frame of playout delay, and less than one of the codec's own.
            if frame == 41 || frame == 42 {
                assert_eq!(played == Played::Concealed, frame == 41, "{frame}");
                let project = |f: fn(f64) -> f64| {
                    let step = std::f64::consts::TAU * pitch(40) / 16_000.0;
                    let terms = buffer.frame().iter().enumerate();
                    terms.map(|(n, &s)| f64::from(s) * f(step * n as f64)).sum::<f64>() / 160.0
                };
                lost = lost.max(project(f64::sin).hypot(project(f64::cos)));
            }
        }
        lost
    }

    #[cfg(feature = "opus")]
    #[test]
    fn what_opus_repeats_of_a_lost_packet_is_played() {
        let forward_correction = crate::media::ForwardCorrection::On;
        let with = OpusSettings { forward_correction, ..OpusSettings::default() };
        let (repeated, guessed) =
            (level_of_lost_frame(with), level_of_lost_frame(OpusSettings::default()));
        assert!(repeated > 2.0 * guessed, "{repeated:.0} against {guessed:.0}");
    }
}
