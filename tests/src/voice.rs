//! Speech as a phone sends and hears it: encoded and decoded apart from the engine's media core.

use audiopus::{
    Application, Channels, MutSignals, SampleRate,
    coder::{Decoder as OpusDecoder, Encoder as OpusEncoder},
    packet::Packet,
};
use diesis_sounds::{g711, g722, gsm, resample::resample};

use crate::rtp::{RtpPacket, TelephoneEvent};

/// How sound is written into packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722.
    G722,
    /// Samples of 8 kHz.
    L16,
    /// Samples of 16 kHz.
    L16Wide,
    /// Opus.
    Opus,
    /// GSM 06.10 full rate.
    Gsm,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Pcmu, Self::Pcma, Self::G722, Self::L16, Self::L16Wide, Self::Opus, Self::Gsm];

    /// What operators call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "ulaw",
            Self::Pcma => "alaw",
            Self::G722 => "g722",
            Self::L16 => "slin",
            Self::L16Wide => "slin16",
            Self::Opus => "opus",
            Self::Gsm => "gsm",
        }
    }

    /// Payload type and encoding as in an `rtpmap`; phones choose the dynamic ones.
    #[must_use]
    pub fn format(self) -> &'static str {
        match self {
            Self::Pcmu => "0 PCMU/8000",
            Self::Pcma => "8 PCMA/8000",
            Self::G722 => "9 G722/8000",
            Self::L16 => "118 L16/8000",
            Self::L16Wide => "119 L16/16000",
            Self::Opus => "107 opus/48000/2",
            Self::Gsm => "3 GSM/8000",
        }
    }

    /// The number in [`format`](Self::format).
    #[must_use]
    pub fn payload_type(self) -> u8 {
        let number = self.format().split(' ').next();
        number.and_then(|number| number.parse().ok()).expect("a number comes first")
    }

    /// Steps of the RTP clock in a millisecond.
    #[must_use]
    pub fn clock(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 | Self::L16 | Self::Gsm => 8,
            Self::L16Wide => 16,
            Self::Opus => 48,
        }
    }

    /// Octets of a millisecond; `None` where they are no whole number, or depend on what is said.
    #[must_use]
    pub fn octets(self) -> Option<usize> {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => Some(8),
            Self::L16 => Some(16),
            Self::L16Wide => Some(32),
            Self::Opus | Self::Gsm => None,
        }
    }

    /// Samples in a millisecond.
    fn rate(self) -> usize {
        match self {
            Self::Pcmu | Self::Pcma | Self::L16 | Self::Gsm => 8,
            Self::G722 | Self::L16Wide | Self::Opus => 16,
        }
    }

    /// What a phone hears of packets in this encoding, at 8 kHz; others are passed over.
    ///
    /// # Panics
    /// When one can not be decoded.
    #[must_use]
    pub fn decode<'a>(self, packets: impl IntoIterator<Item = &'a RtpPacket>) -> Vec<i16> {
        let mut g722 = g722::Decoder::default();
        let opus = OpusDecoder::new(SampleRate::Hz16000, Channels::Mono);
        let mut opus = opus.expect("there is memory for a decoder");
        let mut gsm = gsm::Decoder::new();
        let mut heard: Vec<i16> = Vec::new();
        let own = packets.into_iter().filter(|it| it.payload_type == self.payload_type());
        for payload in own.map(|packet| &packet.payload[..]) {
            match self {
                Self::Pcmu => heard.extend(payload.iter().map(|&it| g711::decode_ulaw(it))),
                Self::Pcma => heard.extend(payload.iter().map(|&it| g711::decode_alaw(it))),
                Self::L16 | Self::L16Wide => {
                    let pairs = payload.as_chunks().0.iter();
                    heard.extend(pairs.map(|&pair| i16::from_be_bytes(pair)));
                }
                Self::G722 => {
                    let mut samples = vec![0; payload.len() * 2];
                    g722.decode_into(payload, &mut samples);
                    heard.extend(samples);
                }
                Self::Gsm => {
                    for frame in payload.chunks_exact(gsm::OCTETS) {
                        let mut samples = [0; gsm::SAMPLES];
                        gsm.decode_into(frame, &mut samples);
                        heard.extend(samples);
                    }
                }
                Self::Opus => {
                    let mut samples = vec![0; 120 * 16];
                    let packet = Packet::try_from(payload).expect("a packet of Opus");
                    let out = MutSignals::try_from(&mut samples[..]).expect("room for samples");
                    let count = opus.decode(Some(packet), out, false).expect("it is decoded");
                    heard.extend(&samples[..count]);
                }
            }
        }
        match self.rate() {
            16 => resample(&heard, 16_000, 8000).expect("both rates are known"),
            _ => heard,
        }
    }
}

/// What a phone hears of packets of Opus in full band: samples of 48 kHz.
///
/// # Panics
/// When one can not be decoded.
#[must_use]
pub fn decode_full_band<'a>(packets: impl IntoIterator<Item = &'a RtpPacket>) -> Vec<i16> {
    let opus = OpusDecoder::new(SampleRate::Hz48000, Channels::Mono);
    let mut opus = opus.expect("there is memory for a decoder");
    let number = Encoding::Opus.payload_type();
    let mut heard: Vec<i16> = Vec::new();
    for packet in packets.into_iter().filter(|it| it.payload_type == number) {
        let mut samples = vec![0; 120 * 48];
        let packet = Packet::try_from(&packet.payload[..]).expect("a packet of Opus");
        let out = MutSignals::try_from(&mut samples[..]).expect("room for samples");
        let count = opus.decode(Some(packet), out, false).expect("it is decoded");
        heard.extend(&samples[..count]);
    }
    heard
}

/// What a phone does with the pauses of its sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pauses {
    /// They are sent like the rest.
    #[default]
    Sent,
    /// Nothing is sent in them; Opus says of each packet itself whether it need be (RFC 7587 §3.1.3).
    LeftOut,
    /// Their noise is told, so many decibels below overload, and told again now and then (RFC 3389).
    Told(u8),
}

/// Somebody who speaks: gives packet after packet of a sound, and silence after it.
#[derive(Debug)]
pub struct Voice {
    encoding: Encoding,
    pauses: Pauses,
    /// Packets without sound in a row.
    quiet: u32,
    /// Milliseconds of a packet.
    packet_time: usize,
    samples: Vec<i16>,
    /// Of those in a millisecond.
    rate: usize,
    position: usize,
    next: RtpPacket,
    g722: g722::Encoder,
    opus: OpusEncoder,
    gsm: gsm::Encoder,
}

impl Voice {
    /// Says samples of 8 kHz, in packets of 20 ms.
    ///
    /// # Panics
    /// When there is no memory for an encoder.
    #[must_use]
    pub fn new(encoding: Encoding, samples: &[i16], ssrc: u32) -> Self {
        let samples = match encoding.rate() {
            16 => resample(samples, 8000, 16_000).expect("both rates are known"),
            _ => samples.to_vec(),
        };
        let opus = OpusEncoder::new(SampleRate::Hz16000, Channels::Mono, Application::Voip);
        let mut opus = opus.expect("there is memory for an encoder");
        // As everybody does whose peer says `useinbandfec=1`.
        let repeating = opus.enable_inband_fec().and_then(|()| opus.set_packet_loss_perc(10));
        repeating.expect("every encoder can repeat");
        Self {
            encoding,
            pauses: Pauses::Sent,
            quiet: 0,
            packet_time: 20,
            samples,
            rate: encoding.rate(),
            position: 0,
            next: RtpPacket {
                marker: true,
                payload_type: encoding.payload_type(),
                // Both wrap soon.
                sequence: 0xfff0,
                time: 0xffff_f000,
                ssrc,
                payload: Vec::new(),
            },
            g722: g722::Encoder::default(),
            opus,
            gsm: gsm::Encoder::new(),
        }
    }

    /// Says samples of 48 kHz in Opus, all of them.
    ///
    /// # Panics
    /// When there is no memory for an encoder.
    #[must_use]
    pub fn in_full_band(samples: &[i16], ssrc: u32) -> Self {
        let opus = OpusEncoder::new(SampleRate::Hz48000, Channels::Mono, Application::Audio);
        let opus = opus.expect("there is memory for an encoder");
        let samples = samples.to_vec();
        Self { samples, rate: 48, opus, ..Self::new(Encoding::Opus, &[], ssrc) }
    }

    /// The same in packets of so many milliseconds.
    #[must_use]
    pub fn with_packet_time(mut self, milliseconds: usize) -> Self {
        self.packet_time = milliseconds;
        self
    }

    /// The same with other pauses.
    ///
    /// # Panics
    /// When the encoder does not know how to leave them out.
    #[must_use]
    pub fn with_pauses(mut self, pauses: Pauses) -> Self {
        self.opus.set_dtx(pauses != Pauses::Sent).expect("every encoder can do both");
        self.pauses = pauses;
        self
    }

    /// What it is encoded in.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Milliseconds of a packet.
    #[must_use]
    pub fn packet_time(&self) -> usize {
        self.packet_time
    }

    /// The same as one who goes on after another, in the same stream.
    #[must_use]
    pub fn after(mut self, other: &Self) -> Self {
        let payload_type = self.encoding.payload_type();
        self.next = RtpPacket { payload_type, ..other.next.clone() };
        self
    }

    /// Begins its sound again with the next packet.
    pub fn repeat(&mut self) {
        self.position = 0;
    }

    /// Whether all has been said.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.position >= self.samples.len()
    }

    /// The packets whose turn comes within the 20 ms after `frame` of them.
    pub fn due(&mut self, frame: usize) -> Vec<RtpPacket> {
        let begun = (20 * frame).div_ceil(self.packet_time);
        let ended = (20 * (frame + 1)).div_ceil(self.packet_time);
        (begun..ended).map(|_| self.packet()).collect()
    }

    /// The next packet.
    ///
    /// # Panics
    /// When the sound can not be encoded.
    pub fn packet(&mut self) -> RtpPacket {
        let length = self.packet_time * self.rate;
        let rest = &self.samples[self.position.min(self.samples.len())..];
        let mut frame = rest[..length.min(rest.len())].to_vec();
        frame.resize(length, 0);
        self.position += length;
        let mut packet = self.next.clone();
        packet.payload = match self.encoding {
            Encoding::Pcmu => frame.iter().map(|&it| g711::encode_ulaw(it)).collect(),
            Encoding::Pcma => frame.iter().map(|&it| g711::encode_alaw(it)).collect(),
            Encoding::L16 | Encoding::L16Wide => {
                frame.iter().flat_map(|it| it.to_be_bytes()).collect()
            }
            Encoding::G722 => {
                let mut octets = vec![0; length / 2];
                self.g722.encode_into(&frame, &mut octets);
                octets
            }
            Encoding::Gsm => {
                let encode = |frame| {
                    let mut octets = [0; gsm::OCTETS];
                    self.gsm.encode_into(frame, &mut octets);
                    octets
                };
                frame.chunks_exact(gsm::SAMPLES).flat_map(encode).collect()
            }
            Encoding::Opus => {
                let mut octets = vec![0; 1500];
                let count = self.opus.encode(&frame, &mut octets[..]).expect("it is encoded");
                octets.truncate(count);
                octets
            }
        };
        self.next.marker = false;
        self.next.sequence = packet.sequence.wrapping_add(1);
        let steps = self.packet_time as u32 * self.encoding.clock();
        self.next.time = packet.time.wrapping_add(steps);
        packet
    }

    /// What is sent when the next packet's turn has come: it, what is told of a pause, or nothing.
    pub fn sent(&mut self) -> Option<RtpPacket> {
        let length = self.packet_time * self.rate;
        let rest = self.samples.get(self.position..).unwrap_or_default();
        let is_quiet = rest.iter().take(length).all(|sample| sample.unsigned_abs() < QUIET);
        self.quiet = if is_quiet { self.quiet + 1 } else { 0 };
        let is_first = self.next.marker;
        let mut packet = self.packet();
        let is_left_out = match (self.pauses, self.encoding) {
            (Pauses::Sent, _) => false,
            (Pauses::LeftOut, Encoding::Opus) => packet.payload.len() <= 2,
            (Pauses::LeftOut | Pauses::Told(_), _) => self.quiet > LINGERING,
        };
        if !is_left_out {
            return Some(packet);
        }
        self.next.marker = true;
        let Pauses::Told(level) = self.pauses else {
            self.next.sequence = packet.sequence;
            return None;
        };
        if !(self.quiet - LINGERING - 1).is_multiple_of(TOLD_AGAIN) {
            self.next.sequence = packet.sequence;
            return None;
        }
        packet.marker = is_first;
        packet.payload_type = COMFORT_NOISE;
        packet.payload = vec![level];
        Some(packet)
    }

    /// The packets of a key held for so long, one each 20 ms, the last one three times (RFC 4733
    /// §2.5.1); sound goes on after them.
    ///
    /// # Panics
    /// When there is no such key.
    pub fn key(&mut self, key: char, milliseconds: usize) -> Vec<RtpPacket> {
        let event = TelephoneEvent::of_key(key).expect("a key");
        let clock = self.encoding.clock();
        let frames = milliseconds.div_ceil(20).max(1);
        let steps = |milliseconds: usize| (milliseconds as u32 * clock) as u16;
        let packets = (1..frames + 3).map(|frame| {
            let (end, duration) = (frame >= frames, steps(milliseconds.min(20 * frame)));
            RtpPacket {
                marker: frame == 1,
                payload_type: 101,
                sequence: self.next.sequence.wrapping_add(frame as u16 - 1),
                payload: TelephoneEvent { event, end, duration }.write(),
                ..self.next.clone()
            }
        });
        let packets: Vec<_> = packets.collect();
        self.next.marker = true;
        self.next.sequence = self.next.sequence.wrapping_add(packets.len() as u16);
        self.next.time = self.next.time.wrapping_add(packets.len() as u32 * 20 * clock);
        packets
    }

    /// The header of the packet that comes next, to be changed.
    pub fn header(&mut self) -> &mut RtpPacket {
        &mut self.next
    }
}

/// A packet whose samples are all smaller is a pause.
const QUIET: u16 = 16;

/// Packets of a pause that are sent all the same.
const LINGERING: u32 = 5;

/// Packets after which a pause is told again.
const TOLD_AGAIN: u32 = 25;

/// The payload type of comfort noise (RFC 3389 §4).
const COMFORT_NOISE: u8 = 13;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hearing::tone;

    #[test]
    fn pauses_are_sent_left_out_or_told() {
        let sound = [tone(400.0, 4000), vec![0; 8000], tone(400.0, 4000)].concat();
        for (encoding, pauses, sounds, told) in [
            (Encoding::Pcmu, Pauses::Sent, 100..=100, 0),
            (Encoding::Pcmu, Pauses::LeftOut, 55..=55, 0),
            (Encoding::Pcmu, Pauses::Told(60), 55..=55, 2),
            (Encoding::Opus, Pauses::LeftOut, 55..=85, 0),
        ] {
            let mut voice = Voice::new(encoding, &sound, 1).with_pauses(pauses);
            let mut times = vec![];
            let packets: Vec<_> = (0..100).filter_map(|_| voice.sent()).collect();
            let (noise, audio): (Vec<_>, Vec<_>) =
                packets.iter().partition(|packet| packet.payload_type == COMFORT_NOISE);
            let shown = format!("{encoding:?} {pauses:?}");
            assert!(sounds.contains(&audio.len()), "{shown}: {}", audio.len());
            assert_eq!(noise.len(), told, "{shown}");
            for pair in packets.windows(2) {
                assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "{shown}");
                times.push(pair[1].time.wrapping_sub(pair[0].time));
            }
            let gap = times.iter().max().copied().unwrap_or(0) > 20 * encoding.clock();
            assert_eq!(gap, pauses != Pauses::Sent, "{shown}: {times:?}");
        }
    }

    #[test]
    fn what_is_said_is_heard_in_every_encoding_and_packet_time() {
        let sound = tone(1000.0, 8000);
        for encoding in Encoding::ALL {
            for packet_time in [10, 20, 40, 60] {
                if encoding == Encoding::Gsm && packet_time == 10 {
                    // A frame is 20 ms.
                    continue;
                }
                let mut voice = Voice::new(encoding, &sound, 1).with_packet_time(packet_time);
                let packets: Vec<_> = (0..60).flat_map(|frame| voice.due(frame)).collect();
                assert_eq!(packets.len(), 1200 / packet_time);
                let heard = encoding.decode(&packets);
                let middle = &heard[1600..6400];
                let blocks = crate::hearing::blocks_of_tone(middle, 1000.0);
                assert!(blocks > 28, "{encoding:?} {packet_time}: {blocks}");
            }
        }
    }
}
