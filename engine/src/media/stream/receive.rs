//! What a stream makes of the datagrams that arrive: latched, counted, then heard, sent on or
//! read as keys. Nothing that arrives is trusted before its source is.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use rtp_rs::RtpReader;

use super::{
    Carried, Delivery, Echo, Heartbeat, Moment, Origin, Relay, RelayEntry, Seat, Stream,
    can_become, report_talk,
};
use crate::media::{
    Codec, Digit, Event, FRAME, Gain, Law, Rate, RtcpPath,
    event::Talk,
    latch::Heard,
    mixer::{Mixer, Speaker, TalkChange},
    playout::{Played, Playout, Pushed, Unheard},
    room::Company,
    rtcp::packet::is_rtcp,
    rtp::{Arrival, Marker, Reception, RtpTime, Seq, Ssrc},
    sound::{Samples, Sound, Space},
};

impl Stream {
    /// Takes one datagram. Whatever it is, nothing but this stream is touched by it.
    pub(crate) fn handle_packet(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        slot: usize,
        moment: Moment,
        relay: &mut Relay,
        events: &mut VecDeque<Event>,
    ) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        if !self.latch.admits(from, moment.frame) {
            self.statistics.foreign += 1;
            return;
        }
        if is_rtcp(datagram) {
            // Some mix it in without having agreed on it: it is as good.
            if self.settings.rtcp != RtcpPath::Off {
                self.take_compound(from, datagram, moment);
            }
            return;
        }
        let Ok(packet) = RtpReader::new(datagram) else {
            self.statistics.malformed += 1;
            return;
        };
        let number = packet.payload_type();
        let codec = self.settings.receive.iter().find(|(pt, _)| pt.number() == number);
        let codec = codec.map(|&(_, codec)| codec);
        let is_event = self.settings.telephone_event_receive.iter().any(|pt| pt.number() == number);
        if codec.is_none() && !is_event && !self.is_noise(number) {
            self.statistics.unknown_payload += 1;
            return;
        }
        if let Heard::New(remote) = self.latch.accept(from, moment.frame) {
            events.push_back(Event::Latched { stream: self.id, remote });
        }
        self.last_heard = Heartbeat::Alive { frame: moment.frame };
        if packet.ssrc() == self.sending.ssrc.0 {
            self.handle_conflict(from.ip());
        }
        self.statistics.received_octets += packet.payload().len() as u64;
        if is_event {
            self.handle_event(&packet, slot, moment, relay, events);
        } else if let Some(codec) = codec {
            self.handle_audio(&packet, codec, slot, moment, relay);
        } else {
            self.handle_noise(&packet, slot, relay);
        }
    }

    /// Counts a packet of the present source; `None` if it is not to be used.
    pub(super) fn count(
        &mut self,
        packet: &RtpReader<'_>,
        time: Option<(RtpTime, RtpTime)>,
    ) -> Option<()> {
        let seq = Seq(packet.sequence_number().into());
        let arrival = match &mut self.reception {
            Some(reception) => reception.handle_packet(seq, time),
            None => {
                let (time, arrival) = time.unwrap_or((RtpTime(0), RtpTime(0)));
                self.reception = Some(Reception::new(Ssrc(packet.ssrc()), seq, time, arrival));
                Arrival::Fresh
            }
        };
        match arrival {
            Arrival::Fresh => {
                self.statistics.received_packets += 1;
                Some(())
            }
            Arrival::Duplicate => {
                self.statistics.duplicates += 1;
                None
            }
            Arrival::Leap => None,
        }
    }

    /// Another source than before begins anew.
    pub(super) fn follow_source(&mut self, ssrc: Ssrc) {
        if self.reception.as_ref().is_none_or(|reception| reception.ssrc() == ssrc) {
            return;
        }
        self.collect_reception();
        self.statistics.source_changes += 1;
        self.silence.reset();
        if let Some(playout) = &mut self.playout {
            playout.reset();
        }
        if let Echo::On { offset } = &mut self.echo {
            *offset = None;
        }
    }

    fn handle_audio(
        &mut self,
        packet: &RtpReader<'_>,
        codec: Codec,
        slot: usize,
        moment: Moment,
        relay: &mut Relay,
    ) {
        let time = RtpTime(packet.timestamp());
        let ssrc = Ssrc(packet.ssrc());
        self.follow_source(ssrc);
        // Jitter is measured at 8 kHz, whichever clock the codec has.
        let scaled = RtpTime(time.0 / codec.scale());
        let is_live = moment.delivery == Delivery::Live;
        // When the others came nobody knows.
        let arrived = is_live.then_some((scaled, moment.arrival));
        if self.count(packet, arrived).is_none() || !is_live {
            return;
        }
        self.arriving = codec;
        let duration = codec.duration(packet.payload());
        let seq = Seq(packet.sequence_number().into());
        let sound = Some((time, time.plus(duration as i32)));
        self.statistics.concealed_frames += self.silence.handle_packet(seq, sound);
        if !self.settings.direction.is_receiving() {
            return;
        }
        if let Some(playout) = &mut self.playout
            && playout.push(time, codec, packet.payload()) == Pushed::Late
        {
            self.statistics.late += 1;
        }
        // What can not go on as it is goes by way of the playout buffer, from the next frame on.
        let next = match self.partner() {
            _ if !can_become(codec, self.settings.codec) => None,
            Some(partner) => Some((partner, Origin::Partner(ssrc))),
            None => self.is_echoing().then_some((slot, Origin::Itself)),
        };
        if let Some((slot, origin)) = next {
            let marker = if packet.mark() { Marker::Set } else { Marker::Clear };
            let start = relay.octets.len();
            relay.octets.extend_from_slice(packet.payload());
            // Partners send in the same codec.
            if let (Some(from), Some(to)) = (codec.law(), self.settings.codec.law())
                && from != to
            {
                transcode(from, to, &mut relay.octets[start..]);
            }
            relay.entries.push(RelayEntry {
                slot,
                origin,
                carried: Carried::Sound,
                marker,
                payload_type: self.settings.payload_type,
                seq,
                time,
                start,
                end: relay.octets.len(),
                duration,
            });
        }
    }

    fn handle_event(
        &mut self,
        packet: &RtpReader<'_>,
        slot: usize,
        moment: Moment,
        relay: &mut Relay,
        events: &mut VecDeque<Event>,
    ) {
        let ssrc = Ssrc(packet.ssrc());
        // Some gateways give events an SSRC of their own: that does not end the audio's source.
        let own_source = self.reception.as_ref().is_some_and(|audio| audio.ssrc() != ssrc);
        if !own_source && self.count(packet, None).is_none() {
            return;
        }
        if self.digits_source != Some(ssrc) {
            let key = self.digits_in.handle_source_change(moment.now);
            self.digits_source = Some(ssrc);
            self.report_keys([key, None], events);
        }
        if !own_source {
            let seq = Seq(packet.sequence_number().into());
            self.statistics.concealed_frames += self.silence.handle_packet(seq, None);
        }
        let time = RtpTime(packet.timestamp());
        let scale = self.settings.event_clock(packet.payload_type()).scale();
        let keys = self.digits_in.handle_packet(packet.payload(), time, scale, moment.now);
        self.report_keys(keys, events);
        if self.is_echoing()
            && let Some(payload_type) = self.settings.telephone_event
        {
            let start = relay.octets.len();
            relay.octets.extend_from_slice(packet.payload());
            let marker = if packet.mark() { Marker::Set } else { Marker::Clear };
            let end = relay.octets.len();
            relay.entries.push(RelayEntry {
                slot,
                origin: Origin::Itself,
                carried: Carried::Event,
                marker,
                payload_type,
                seq: Seq(packet.sequence_number().into()),
                time,
                start,
                end,
                duration: 0,
            });
        }
    }

    pub(super) fn report_keys(
        &mut self,
        keys: [Option<(Digit, Duration)>; 2],
        events: &mut VecDeque<Event>,
    ) {
        for (digit, duration) in keys.into_iter().flatten() {
            self.statistics.digits += 1;
            events.push_back(Event::Digit { stream: self.id, digit, duration });
        }
    }

    /// Whether what arrives goes back: not while something else is being sent.
    pub(super) fn is_echoing(&self) -> bool {
        matches!(self.echo, Echo::On { .. })
            && self.player.is_none()
            && self.digits_out.is_none()
            && self.seat.is_none()
            && self.voices.is_none()
            && self.settings.direction.is_sending()
            && self.settings.direction.is_receiving()
    }

    /// Takes the next 20 ms from the playout buffer, for the room and the recording.
    pub(super) fn listen(
        &mut self,
        frame: &mut [i16; FRAME],
        events: &mut VecDeque<Event>,
    ) -> Played {
        let generator = self.silence.generator.as_deref_mut();
        let playout = self.playout.as_mut();
        let played = playout.map_or(Played::Nothing, |playout| playout.pop(generator, frame));
        match played {
            Played::Concealed => self.silence.handle_invented(),
            Played::Nothing => frame.fill(0),
            Played::Audio | Played::Noise => {}
        }
        if let Some(detector) = &mut self.detector {
            let (stream, digits) = (self.id, &mut self.statistics.digits);
            detector.handle_samples(frame, |digit, duration| {
                *digits += 1;
                events.push_back(Event::Digit { stream, digit, duration });
            });
        }
        if let Some(watches) = &mut self.watches {
            watches.handle_frame(self.id, frame, played, events);
        }
        if let Some(taps) = &mut self.taps {
            let playout = self.playout.as_ref();
            let sound =
                playout.map_or_else(|| Sound::narrow(frame), |playout| playout.sound(frame));
            taps.handle_heard(if played == Played::Nothing { Sound::narrow(frame) } else { sound });
        }
        played
    }

    /// Lets what the peer says in this frame pass undecoded, if nobody needs to hear it. Whether it did.
    fn pass_unheard(&mut self, company: Company) -> bool {
        let is_observed = self.taps.is_some() || self.watches.is_some() || self.detector.is_some();
        let Some(seat) = self.seat.as_mut().filter(|_| !is_observed) else { return false };
        let whom = match (seat.mute.is_heard(), company) {
            (false, _) => Unheard::Muted,
            (true, Company::Many) if seat.rest.is_due() => Unheard::Silence,
            _ => return false,
        };
        self.playout.as_mut().is_some_and(|playout| playout.pass(whom))
    }

    /// Adds what the peer says to the mix of its room. The noise of its line is no speech, and only
    /// one that is alone with it hears it: those of many would add up.
    pub(crate) fn contribute(
        &mut self,
        company: Company,
        mixer: &mut Mixer,
        events: &mut VecDeque<Event>,
    ) {
        let mut frame = [0; FRAME];
        let played = match self.pass_unheard(company) {
            true => Played::Nothing,
            false => self.listen(&mut frame, events),
        };
        let is_heard = matches!(played, Played::Audio | Played::Concealed);
        let Some(seat) = &mut self.seat else { return };
        seat.speaker = None;
        if !seat.mute.is_heard() {
            return;
        }
        let playout = self.playout.as_ref();
        let sound = playout.map_or_else(|| Sound::narrow(&frame), |playout| playout.sound(&frame));
        // All of it counts, also what is above 4 kHz.
        let all = sound.up_to(Rate::Full);
        let (worth_mixing, change) = match all {
            _ if !is_heard => seat.detector.handle_frame::<FRAME>(None),
            Samples::Narrow(samples) => seat.detector.handle_frame(Some(samples)),
            Samples::Wide(samples) => seat.detector.handle_frame(Some(samples)),
            Samples::Full(samples) => seat.detector.handle_frame(Some(samples)),
        };
        let says = self.playout.as_ref().is_some_and(Playout::is_silent);
        seat.rest.handle_frame(is_heard.then_some(all.as_slice()), worth_mixing, says);
        let is_noise = played == Played::Noise && company == Company::One;
        if is_heard && worth_mixing || is_noise {
            let sound = if is_noise { Sound::narrow(&frame) } else { sound };
            seat.speaker = Some(match seat.talking {
                Gain::UNITY => seat.speak(sound, mixer),
                gain => {
                    let (mut narrow, mut space) = ([0; FRAME], Space::new());
                    seat.speak(sound.amplified(gain, &mut narrow, &mut space), mixer)
                }
            });
        }
        match change {
            TalkChange::None => {}
            TalkChange::Started => report_talk(self.id, seat, Talk::Started, events),
            TalkChange::Stopped => report_talk(self.id, seat, Talk::Stopped, events),
        }
    }
}

impl Seat {
    /// Adds what its stream says, at all rates of the mix.
    fn speak(&mut self, sound: Sound<'_>, mixer: &mut Mixer) -> Speaker {
        if mixer.rate() <= sound.rate() {
            return mixer.add(sound);
        }
        let mut space = Space::new();
        let widener = self.widener.get_or_insert_default();
        mixer.add(sound.widened(mixer.rate(), widener, &mut space))
    }
}

/// In place: both have one octet a sample.
fn transcode(from: Law, to: Law, octets: &mut [u8]) {
    let mut samples = [0; FRAME];
    for chunk in octets.chunks_mut(FRAME) {
        let decoded = from.decode_into(chunk, &mut samples);
        to.encode_into(&samples[..decoded], chunk);
    }
}
