//! Pauses of speech, both ways: the noise that a peer says its line has (RFC 3389), what we say of
//! ours to one that wants to know, and which missing frames were no loss.

use diesis_sounds::noise::{NoiseGenerator, NoiseShape};
use rtp_rs::RtpReader;

use super::{Carried, Moment, Origin, Relay, RelayEntry, Sending, Stream};
use crate::media::{
    FRAME, PayloadType,
    packet_io::PacketIo,
    rtp::{Header, Marker, RtpTime, Seq, Ssrc},
    sound::Samples,
};

/// What is known of a peer's pauses.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// Makes the noise that it told, once it did.
    pub(super) generator: Option<Box<NoiseGenerator>>,
    /// From when on there is nothing else.
    since: Option<RtpTime>,
    /// Of its newest packet: the number, and where its sound ends.
    last: Option<(Seq, RtpTime)>,
    /// Frames invented since, which are losses if the next packet shows it.
    invented: u64,
}

/// Whether a peer knows that there is nothing to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Told {
    #[default]
    No,
    Yes,
}

impl Silence {
    /// A frame was invented in place of one that did not come.
    pub(super) fn handle_invented(&mut self) {
        self.invented += 1;
    }

    /// Takes note of a packet; `sound` is from when to when it lasts. Gives the frames that were
    /// invented for lost ones: none, if the packets before it all came and it was the peer that said
    /// nothing.
    pub(super) fn handle_packet(&mut self, seq: Seq, sound: Option<(RtpTime, RtpTime)>) -> u64 {
        let invented = std::mem::take(&mut self.invented);
        let paused = self.last.is_some_and(|(last, end)| {
            seq == last.next() && sound.is_none_or(|(begin, _)| begin.since(end) > 0)
        });
        if self.last.is_none_or(|(last, _)| seq.since(last) > 0) {
            let end = sound.map(|(_, end)| end).or_else(|| self.last.map(|(_, end)| end));
            self.last = end.map(|end| (seq, end));
        }
        if sound.is_some() {
            self.since = None;
        }
        if paused { 0 } else { invented }
    }

    /// Another source begins.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// From when on there is only noise, if that is so.
    pub(super) fn since(&self) -> Option<RtpTime> {
        self.since
    }
}

impl Stream {
    /// Whether a payload type says how the peer's line sounds: agreed on, or what it always means.
    pub(super) fn is_noise(&self, number: u8) -> bool {
        let agreed = self.settings.comfort_noise.map(PayloadType::number);
        number == agreed.unwrap_or(PayloadType::COMFORT_NOISE.number())
    }

    /// Takes the description of the peer's noise.
    pub(super) fn handle_noise(&mut self, packet: &RtpReader<'_>, slot: usize, relay: &mut Relay) {
        self.follow_source(Ssrc(packet.ssrc()));
        if self.count(packet, None).is_none() {
            return;
        }
        let seq = Seq(packet.sequence_number().into());
        self.statistics.concealed_frames += self.silence.handle_packet(seq, None);
        self.statistics.noise_packets += 1;
        let Some(shape) = NoiseShape::parse(packet.payload()) else { return };
        if !self.settings.direction.is_receiving() {
            return;
        }
        match &mut self.silence.generator {
            Some(generator) => generator.set_shape(shape),
            None => {
                let generator = NoiseGenerator::new(shape, packet.ssrc());
                self.silence.generator = Some(Box::new(generator));
            }
        }
        let time = RtpTime(packet.timestamp());
        self.silence.since = Some(time);
        if let Some(playout) = &mut self.playout {
            playout.handle_noise(time);
        }
        let next = match self.partner() {
            Some(partner) => Some((partner, Origin::Partner(Ssrc(packet.ssrc())))),
            None => {
                let wants_it = self.settings.comfort_noise.is_some() && self.is_echoing();
                (wants_it && !self.echoes_decoded()).then_some((slot, Origin::Itself))
            }
        };
        if let Some((slot, origin)) = next {
            let start = relay.octets.len();
            relay.octets.extend_from_slice(packet.payload());
            relay.entries.push(RelayEntry {
                slot,
                origin,
                carried: Carried::Noise,
                marker: Marker::Clear,
                payload_type: self.settings.comfort_noise.unwrap_or(PayloadType::COMFORT_NOISE),
                seq,
                time,
                start,
                end: relay.octets.len(),
                duration: 0,
            });
        }
    }

    /// The noise of the peer's line, for a partner that is not told of it. `None` while it speaks.
    pub(crate) fn noise_for(&mut self, partner: &Self) -> Option<[i16; FRAME]> {
        let is_told = partner.settings.comfort_noise.is_some();
        self.silence.since.filter(|_| !is_told && self.settings.direction.is_receiving())?;
        let mut frame = [0; FRAME];
        self.silence.generator.as_mut()?.fill(&mut frame);
        Some(frame)
    }

    /// Sends the noise of the partner's line, unless the peer is to hear something else.
    pub(crate) fn send_noise_of_partner(
        &mut self,
        frame: &[i16; FRAME],
        moment: Moment,
        io: &mut impl PacketIo,
    ) {
        if self.player.is_some() || self.digits_out.is_some() {
            return;
        }
        if let Some(law) = self.settings.codec.law() {
            let mut payload = [0; FRAME];
            law.encode_into(frame, &mut payload);
            self.send_audio(&payload, moment, io);
        } else if let Some(mut encoder) = self.encoder.take() {
            self.send_audio(encoder.encode(Samples::Narrow(frame)), moment, io);
            self.encoder = Some(encoder);
        }
    }

    /// There is nothing to send: a peer that wants to know how that sounds is told, once and then as
    /// often as something has to be sent anyway. Whether it need not be kept awake otherwise.
    pub(super) fn tell_silence(&mut self, moment: Moment, io: &mut impl PacketIo) -> bool {
        let Some(payload_type) = self.settings.comfort_noise else { return false };
        let quiet_for = moment.frame.saturating_sub(self.sending.last_packet);
        let is_due = match self.sending.told_silence {
            Told::No => quiet_for >= TOLD_AFTER,
            Told::Yes => self.is_keepalive_due(moment.frame),
        };
        if !is_due || !self.settings.direction.is_sending() {
            return true;
        }
        let Some(destination) = self.latch.destination(moment.frame) else { return true };
        self.sending.told_silence = Told::Yes;
        self.end_passage();
        let header = Header {
            marker: Marker::Clear,
            payload_type,
            time: self.sending.time_after_last(moment.frame),
            seq: self.sending.take_seq(),
            ssrc: self.sending.ssrc,
        };
        self.transmit(header, &NoiseShape::white(NOISE), destination, moment, io);
        true
    }
}

impl Sending {
    /// Something is sent that is more than silence.
    pub(super) fn handle_sound(&mut self) {
        self.told_silence = Told::No;
    }
}

/// Frames without anything to send after which a peer is told: 200 ms, longer than the pauses
/// between the parts of an announcement.
const TOLD_AFTER: u64 = 10;

/// Decibels below overload: a line that is open, and no more.
const NOISE: u8 = 70;
