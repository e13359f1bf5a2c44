//! Received packets of codecs that keep state: they wait as they are and are decoded in order when
//! their time comes, since a packet decoded before its predecessor would spoil both.
//!
//!   packets   4   6           waiting, by RTP time
//!   decoded       |3.|        what is left of the packet begun, if packets are longer than frames
//!   played    1 2             5 is missing when its time comes, and concealed

use smallvec::SmallVec;

use super::source::{Ready, Source};
use crate::media::{Codec, FRAME, Rate, StreamSettings, codec::decoder::Decoder, rtp::RtpTime};

/// The packets of a stream in which other than G.711 may arrive.
#[derive(Debug)]
pub(super) struct Packets {
    decoders: SmallVec<[Decoder; 2]>,
    /// Which of them the packets that wait are for; their clock and rate are those of all here.
    present: usize,
    packets: Vec<Packet>,
    /// Those that passed unheard last, the newest at the end: what comes after them is decoded better
    /// by who has heard them.
    passed: [Packet; LOOK_BACK],
    /// Samples decoded and not yet played.
    decoded: Vec<i16>,
    /// How many of them the codec invented.
    invented: usize,
    /// The RTP time at which they end.
    end: RtpTime,
}

/// One packet that waits; its memory is kept when it is gone.
#[derive(Debug, Clone)]
struct Packet {
    time: RtpTime,
    /// In steps of the RTP clock; nothing waits here if it is 0.
    duration: i32,
    payload: Vec<u8>,
    /// It says itself that nobody speaks in it.
    is_silent: bool,
}

impl Packets {
    pub(super) fn new(settings: &StreamSettings, rate: Rate) -> Self {
        let codecs = settings.receive.iter().map(|&(_, codec)| codec);
        let octets = codecs.clone().map(Codec::frame_octets).max().unwrap_or(0);
        let packet = || Packet {
            time: RtpTime(0),
            duration: 0,
            payload: Vec::with_capacity(octets),
            is_silent: false,
        };
        let decoders: SmallVec<[Decoder; 2]> =
            codecs.map(|codec| Decoder::new(codec, rate)).collect();
        Self {
            present: 0,
            packets: std::iter::repeat_with(packet).take(MOST_PACKETS).collect(),
            passed: std::array::from_fn(|_| packet()),
            decoded: Vec::with_capacity(most_decoded(widest(&decoders))),
            decoders,
            invented: 0,
            end: RtpTime(0),
        }
    }

    /// Whether it has a decoder for everything that may arrive, and no other.
    pub(super) fn fits(&self, settings: &StreamSettings) -> bool {
        let wanted = settings.receive.iter().map(|&(_, codec)| codec);
        wanted.eq(self.decoders.iter().map(Decoder::codec))
    }

    /// The highest rate of what may come out.
    pub(super) fn widest(&self) -> Rate {
        widest(&self.decoders)
    }

    /// From now on as much of Opus is decoded as `rate` holds. Whether that is not as it was.
    pub(super) fn set_rate(&mut self, rate: Rate) -> bool {
        let mut changes = false;
        for decoder in &mut self.decoders {
            if Decoder::rate_of(decoder.codec(), rate) != decoder.rate() {
                *decoder = Decoder::new(decoder.codec(), rate);
                changes = true;
            }
        }
        if changes {
            self.decoded = Vec::with_capacity(most_decoded(self.widest()));
            self.invented = 0;
        }
        changes
    }

    /// Another source begins: decoders know nothing of it.
    pub(super) fn reset(&mut self) {
        self.clear();
        for decoder in &mut self.decoders {
            decoder.reset();
        }
    }

    /// The codec of what waits.
    pub(super) fn codec(&self) -> Codec {
        self.decoders[self.present].codec()
    }

    /// How long a payload sounds, in steps of the RTP clock; 0 if it is none.
    pub(super) fn duration(codec: Codec, payload: &[u8]) -> i32 {
        let longest = LONGEST_PACKET * codec.scale() as usize;
        codec.duration(payload).min(longest) as i32
    }

    /// From now on packets of that codec come; `false` if there is no decoder for it.
    pub(super) fn set_codec(&mut self, codec: Codec) -> bool {
        let decoder = self.decoders.iter().position(|known| known.codec() == codec);
        self.present = decoder.unwrap_or(self.present);
        decoder.is_some()
    }

    /// Takes a packet, unless there are too many.
    pub(super) fn store(&mut self, time: RtpTime, duration: i32, payload: &[u8]) -> bool {
        let codec = self.codec();
        let Some(free) = self.packets.iter_mut().find(|packet| packet.duration == 0) else {
            return false;
        };
        free.is_silent = codec.is_silent(payload);
        free.time = time;
        free.duration = duration;
        free.payload.clear();
        free.payload.extend_from_slice(payload);
        true
    }

    /// Playing is elsewhere: what was decoded is of no use, and what ends before is over.
    fn move_to(&mut self, at: RtpTime) {
        let decoded_from = self.end.plus(-self.steps(self.decoded.len()));
        if decoded_from != at {
            self.decoded.clear();
            self.invented = 0;
            self.end = at;
        }
        for packet in &mut self.packets {
            if packet.duration > 0 && packet.time.plus(packet.duration).since(self.end) <= 0 {
                packet.duration = 0;
            }
        }
    }

    /// The packet nearest to where what was decoded ends, and how many steps ahead it is.
    fn nearest(&self) -> Option<(i32, usize)> {
        let waiting = self.packets.iter().enumerate().filter(|(_, packet)| packet.duration > 0);
        waiting.map(|(index, packet)| (packet.time.since(self.end), index)).min()
    }

    /// Decodes one packet, without the samples for which it is too late.
    fn decode(&mut self, index: usize, late: usize) {
        let packet = &mut self.packets[index];
        let before = self.decoded.len();
        let most = most_decoded(self.decoders[self.present].rate());
        self.decoded.resize(most.max(before), 0);
        let decoder = &mut self.decoders[self.present];
        let count = decoder.decode(&packet.payload, &mut self.decoded[before..]);
        self.decoded.truncate(before + count);
        let end = packet.time.plus(packet.duration);
        packet.duration = 0;
        // What a damaged packet lacks is silence.
        let wanted = self.samples(end.since(self.end)) + late;
        self.decoded.resize((before + wanted).min(most), 0);
        self.decoded.drain(before..(before + late).min(self.decoded.len()));
        self.end = end;
    }

    /// The decoder hears what passed just before `at`, since it is to go on from there.
    fn catch_up(&mut self, at: RtpTime) {
        let reach = LOOK_BACK as i32 * 2 * self.codec().frame_time() as i32;
        for index in 0..LOOK_BACK {
            let packet = &mut self.passed[index];
            let is_near = packet.duration > 0 && at.since(packet.time) <= reach;
            packet.duration = 0;
            if is_near {
                let before = self.decoded.len();
                let most = most_decoded(self.decoders[self.present].rate());
                self.decoded.resize(most.max(before), 0);
                let decoder = &mut self.decoders[self.present];
                decoder.decode(&packet.payload, &mut self.decoded[before..]);
                self.decoded.truncate(before);
            }
        }
    }

    /// Samples in so many steps of the RTP clock.
    fn samples(&self, steps: i32) -> usize {
        let frame_time = self.codec().frame_time() as usize;
        steps.unsigned_abs() as usize * self.rate().frame() / frame_time
    }
}

impl Source for Packets {
    fn rate(&self) -> Rate {
        self.decoders[self.present].rate()
    }

    fn steps(&self, samples: usize) -> i32 {
        (samples * self.codec().frame_time() as usize / self.rate().frame()) as i32
    }

    fn clear(&mut self) {
        for packet in self.packets.iter_mut().chain(&mut self.passed) {
            packet.duration = 0;
        }
        self.decoded.clear();
        self.invented = 0;
    }

    fn ready(&mut self, at: RtpTime, most: usize) -> Ready {
        self.move_to(at);
        if self.passed.iter().any(|packet| packet.duration > 0) {
            self.catch_up(at);
        }
        while self.invented == 0 && self.decoded.len() < most {
            match self.nearest() {
                Some((ahead, index)) if ahead <= 0 => self.decode(index, self.samples(ahead)),
                _ => break,
            }
        }
        match (self.invented, self.decoded.len()) {
            (_, 0) => Ready::Nothing,
            (0, count) => Ready::Received(count.min(most)),
            (count, _) => Ready::Invented(count.min(most)),
        }
    }

    fn peek(&self, _at: RtpTime, out: &mut [i16]) {
        out.copy_from_slice(&self.decoded[..out.len()]);
    }

    fn skip(&mut self, _at: RtpTime, samples: usize) {
        self.decoded.drain(..samples);
        self.invented = self.invented.saturating_sub(samples);
    }

    fn gap(&self, _at: RtpTime, most: usize) -> usize {
        self.nearest().map_or(most, |(ahead, _)| self.samples(ahead).min(most))
    }

    /// A frame at the most; what the packet right after it repeats of it is used.
    fn invent(&mut self, _at: RtpTime) -> bool {
        let frame_time = self.codec().frame_time() as i32;
        let nearest = self.nearest();
        let gap = nearest.map_or(frame_time, |(ahead, _)| ahead.min(frame_time));
        let samples = self.samples(gap);
        let next = nearest.filter(|&(ahead, _)| ahead == gap);
        let next = next.map(|(_, index)| &self.packets[index].payload[..]);
        let before = self.decoded.len();
        self.decoded.resize(before + samples, 0);
        let invented =
            samples > 0 && self.decoders[self.present].conceal(next, &mut self.decoded[before..]);
        if invented {
            self.invented = samples;
            self.end = self.end.plus(gap);
        } else {
            self.decoded.truncate(before);
        }
        invented
    }

    fn is_silent(&self) -> bool {
        self.packets.iter().all(|packet| packet.duration == 0 || packet.is_silent)
    }

    fn pass(&mut self, at: RtpTime, steps: i32) -> bool {
        self.move_to(at);
        self.decoded.clear();
        self.invented = 0;
        self.end = at.plus(steps);
        let mut is_there = false;
        while let Some((ahead, index)) = self.nearest().filter(|&(ahead, _)| ahead < 0) {
            is_there = true;
            let packet = &mut self.packets[index];
            if ahead + packet.duration > 0 {
                break;
            }
            self.passed.rotate_left(1);
            if let Some(newest) = self.passed.last_mut() {
                std::mem::swap(newest, packet);
            }
            packet.duration = 0;
        }
        is_there
    }
}

/// Packets that may wait: 320 ms of the shortest in use.
const MOST_PACKETS: usize = 32;

/// Packets by which a decoder finds its way back: of speech some 40 ms matter.
const LOOK_BACK: usize = 3;

/// How far ahead of what is played they may be, in 8 kHz samples: 400 ms.
pub(super) const REACH: i32 = 3200;

/// What is taken of one packet, in 8 kHz samples: 120 ms.
const LONGEST_PACKET: usize = 960;

/// The longest packet and what is left of the ones before.
fn most_decoded(rate: Rate) -> usize {
    (LONGEST_PACKET + 3 * FRAME) * rate.scale()
}

fn widest(decoders: &[Decoder]) -> Rate {
    decoders.iter().map(Decoder::rate).max().unwrap_or_default()
}
