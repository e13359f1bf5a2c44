//! What a stream sends in each frame, and the numbers it sends it under.

use std::{collections::VecDeque, net::SocketAddr, sync::LazyLock, time::Duration};

use super::{Carried, Echo, Heartbeat, Moment, Origin, Passage, RelayEntry, Sending, Stream, Told};
use crate::media::{
    Codec, Digit, Event, FRAME, Gain, Law, PlayEnd, Prompt,
    dtmf::telephone_event::{self, Form, Output},
    mixer::Mixer,
    packet_io::{Outgoing, PacketIo, Sent},
    player::silence,
    rtp::{Header, Marker, RtpTime, Seq, Ssrc},
    tap, tone,
};

impl Stream {
    /// Sends what this frame brings. `mixer` holds the mix of its room, if it is in one.
    pub(crate) fn handle_frame(
        &mut self,
        mixer: &mut Mixer,
        moment: Moment,
        io: &mut impl PacketIo,
        events: &mut VecDeque<Event>,
    ) {
        if self.sending.last_frame.is_some_and(|last| moment.frame <= last) {
            // The stream changed to a later phase of the frame it has already sent.
            return;
        }
        self.sending.last_frame = Some(moment.frame);
        let key = self.digits_in.handle_timeout(moment.now);
        self.report_keys([key, None], events);
        self.report_silence(moment, events);
        self.keep_connected(moment, io);
        self.look_after(moment, io);
        let is_mixed = self.seat.as_ref().is_some_and(|seat| seat.partner.is_none());
        let mut heard = [0; FRAME];
        if !is_mixed && self.playout.is_some() {
            self.listen(&mut heard, events);
        }
        let form = match self.settings.telephone_event {
            Some(_) => Form::Event,
            None => Form::Tone,
        };
        let time = self.sending.time(moment.frame);
        let output = match &mut self.digits_out {
            Some(sender) => sender.next_output(time, form),
            None => Output::Pause,
        };
        if output == Output::Finished {
            self.digits_out = None;
            events.push_back(Event::DigitsSent { stream: self.id });
        }
        if let Output::Event { time, marker, payload } = output {
            self.send_event(time, marker, payload, moment, io);
            self.record_sent(tap::Sent::Nothing, events);
            return;
        }
        if self.voices.is_some() && !matches!(output, Output::Tone { .. }) {
            return self.handle_voiced_frame(&heard, mixer, moment, io, events);
        }
        let Some(law) = self.settings.codec.law() else {
            self.handle_coded_frame(output, &heard, mixer, moment, io, events);
            return;
        };
        if self.player.is_some() && !matches!(output, Output::Tone { .. }) {
            self.advance_player(law, moment, io, events);
            if self.player.is_some() {
                return;
            }
        }
        let mut own = [0; FRAME];
        let mut limiter = self.seat.as_ref().map(|seat| seat.limiter).unwrap_or_default();
        let payload = match (output, &self.seat) {
            (Output::Tone { digit, frame }, _) => Some(digit_tone(digit, frame, law)),
            (_, Some(seat))
                if is_mixed && seat.mute.is_hearing() && seat.listening != Gain::UNITY =>
            {
                let mut samples = mixer.samples_for(seat.speaker, &mut limiter);
                seat.listening.apply(&mut samples);
                law.encode_into(&samples, &mut own);
                Some(&own)
            }
            (_, Some(seat)) if is_mixed && seat.mute.is_hearing() => Some(match seat.speaker {
                Some(speaker) => {
                    mixer.for_speaker(speaker, &mut limiter, law, &mut own);
                    &own
                }
                None => mixer.for_listener(law),
            }),
            _ if self.echoes_decoded() => {
                law.encode_into(&heard, &mut own);
                Some(&own)
            }
            _ => None,
        };
        let is_told = payload.is_none() && self.tell_silence(moment, io);
        let payload = match payload {
            None if !is_told && self.is_keepalive_due(moment.frame) => Some(silence(law)),
            payload => payload,
        };
        if let Some(seat) = &mut self.seat {
            seat.limiter = limiter;
        }
        if let Some(payload) = payload {
            self.send_audio(payload, moment, io);
        }
        self.record_sent(
            payload.map_or(tap::Sent::Nothing, |payload| tap::Sent::Law(law, payload)),
            events,
        );
    }

    /// Sends the next frame of the play, or reports its end.
    fn advance_player(
        &mut self,
        law: Law,
        moment: Moment,
        io: &mut impl PacketIo,
        events: &mut VecDeque<Event>,
    ) {
        let Some(mut player) = self.player.take() else { return };
        match player.next_frame() {
            Some(frame) => {
                let payload = frame.payload(law);
                self.send_audio(payload, moment, io);
                self.record_sent(tap::Sent::Law(law, payload), events);
                self.player = Some(player);
            }
            None => {
                self.player = Some(player);
                self.end_play(PlayEnd::Completed, events);
            }
        }
    }

    pub(super) fn send_audio(&mut self, payload: &[u8], moment: Moment, io: &mut impl PacketIo) {
        // Nothing comes of silence that the peer does not want.
        if !self.settings.direction.is_sending() || payload.is_empty() {
            return;
        }
        let Some(destination) = self.latch.destination(moment.frame) else { return };
        self.end_passage();
        let sending = &mut self.sending;
        let time = sending.time_after_last(moment.frame);
        let follows = sending.last_audio.is_some_and(|last| last + 1 == moment.frame);
        sending.last_audio = Some(moment.frame);
        sending.end = time.plus(sending.frame_time as i32);
        let begins = std::mem::replace(&mut sending.begins, Marker::Clear);
        sending.handle_sound();
        let header = Header {
            marker: if follows { begins } else { Marker::Set },
            payload_type: self.settings.payload_type,
            seq: sending.take_seq(),
            time,
            ssrc: sending.ssrc,
        };
        if self.settings.codec != Codec::L16Full {
            return self.transmit(header, payload, destination, moment, io);
        }
        // 1920 octets would be cut in two on the way.
        let (first, second) = payload.split_at(payload.len() / 2);
        self.transmit(header, first, destination, moment, io);
        let seq = self.sending.take_seq();
        let time = time.plus(self.sending.frame_time as i32 / 2);
        let header = Header { marker: Marker::Clear, seq, time, ..header };
        self.transmit(header, second, destination, moment, io);
    }

    fn send_event(
        &mut self,
        time: RtpTime,
        marker: Marker,
        payload: [u8; 4],
        moment: Moment,
        io: &mut impl PacketIo,
    ) {
        let Some(payload_type) = self.settings.telephone_event else { return };
        let clock = self.settings.event_clock(payload_type.number());
        let (time, payload) = telephone_event::at_clock(clock, time, payload);
        if !self.settings.direction.is_sending() {
            return;
        }
        let Some(destination) = self.latch.destination(moment.frame) else { return };
        self.end_passage();
        let seq = self.sending.take_seq();
        let header = Header { marker, payload_type, seq, time, ssrc: self.sending.ssrc };
        self.transmit(header, &payload, destination, moment, io);
    }

    /// Something else is sent, or nothing: what goes on as it came is numbered anew after it, and
    /// begins with a marker.
    pub(super) fn end_passage(&mut self) {
        if let Some(seat) = &mut self.seat {
            seat.passage = None;
        }
        if let Echo::On { offset } = &mut self.echo {
            *offset = None;
        }
    }

    /// Sends a packet that arrived in this tick, back or on.
    pub(crate) fn handle_relay(
        &mut self,
        entry: RelayEntry,
        octets: &[u8],
        moment: Moment,
        io: &mut impl PacketIo,
    ) {
        let Some(payload) = octets.get(entry.start..entry.end) else { return };
        match entry.origin {
            Origin::Itself => self.send_back(entry, payload, moment, io),
            Origin::Partner(source) => self.pass(entry, source, payload, moment, io),
        }
    }

    /// Sends what the partner said, unless the peer is to hear something else.
    fn pass(
        &mut self,
        entry: RelayEntry,
        source: Ssrc,
        payload: &[u8],
        moment: Moment,
        io: &mut impl PacketIo,
    ) {
        if self.player.is_some()
            || self.digits_out.is_some()
            || !self.settings.direction.is_sending()
        {
            return;
        }
        let payload_type = match entry.carried {
            // Who is not told of noise is sent it.
            Carried::Noise => match self.settings.comfort_noise {
                Some(payload_type) => payload_type,
                None => return,
            },
            Carried::Sound | Carried::Event => self.settings.payload_type,
        };
        let Some(destination) = self.latch.destination(moment.frame) else { return };
        let Some(seat) = &mut self.seat else { return };
        let sending = &mut self.sending;
        let here = sending.time(moment.frame);
        let leap = sending.steps(LEAP);
        let fits = |passage: &Passage| {
            let time = entry.time.plus(passage.time);
            let ahead = Seq(entry.seq.0.wrapping_add(passage.seq)).since(sending.seq);
            passage.source == source
                && here.since(time).unsigned_abs() < leap
                && ahead.unsigned_abs() < GAP
        };
        let kept = seat.passage.filter(fits);
        let passage = kept.unwrap_or_else(|| {
            // Not before the end of what was sent last.
            let overlap = sending.end.since(here);
            let within = 1..sending.steps(OVERLAP) as i32;
            let begin = if within.contains(&overlap) { sending.end } else { here };
            let seq = sending.seq.0.wrapping_sub(entry.seq.0);
            Passage { source, seq, time: begin.since(entry.time) }
        });
        seat.passage = Some(passage);
        let seq = Seq(entry.seq.0.wrapping_add(passage.seq));
        let time = entry.time.plus(passage.time);
        if seq.since(sending.seq) >= 0 {
            sending.seq = seq.next();
        }
        let end = time.plus(entry.duration as i32);
        if end.since(sending.end) > 0 {
            sending.end = end;
        }
        let marker = match entry.carried {
            Carried::Noise => {
                sending.told_silence = Told::Yes;
                Marker::Clear
            }
            Carried::Sound | Carried::Event => {
                sending.last_audio = Some(moment.frame);
                sending.begins = Marker::Clear;
                sending.handle_sound();
                if kept.is_some() { entry.marker } else { Marker::Set }
            }
        };
        let header = Header { marker, payload_type, seq, time, ssrc: sending.ssrc };
        self.transmit(header, payload, destination, moment, io);
    }

    /// Sends what the peer said back to it.
    fn send_back(
        &mut self,
        entry: RelayEntry,
        payload: &[u8],
        moment: Moment,
        io: &mut impl PacketIo,
    ) {
        let Echo::On { offset } = &mut self.echo else { return };
        let Some(destination) = self.latch.destination(moment.frame) else { return };
        let here = self.sending.time_after_last(moment.frame);
        let leap = self.sending.steps(LEAP);
        let kept =
            offset.filter(|&offset| here.since(entry.time.plus(offset)).unsigned_abs() < leap);
        let difference = kept.unwrap_or_else(|| here.since(entry.time));
        *offset = Some(difference);
        let time = entry.time.plus(difference);
        // What did not come is a silence in what goes back, where nothing is missing (RFC 3551 §4.1).
        let follows = kept.is_some() && time.since(self.sending.end) <= 0;
        let marker = match entry.carried {
            Carried::Noise => Marker::Clear,
            _ if follows => entry.marker,
            _ => Marker::Set,
        };
        let end = time.plus(entry.duration as i32);
        if end.since(self.sending.end) > 0 {
            self.sending.end = end;
        }
        if entry.duration > 0 {
            self.sending.last_audio = Some(moment.frame);
            self.sending.begins = Marker::Clear;
            self.sending.handle_sound();
        }
        let header = Header {
            marker,
            payload_type: entry.payload_type,
            seq: self.sending.take_seq(),
            time,
            ssrc: self.sending.ssrc,
        };
        self.transmit(header, payload, destination, moment, io);
    }

    pub(super) fn transmit(
        &mut self,
        header: Header,
        payload: &[u8],
        destination: SocketAddr,
        moment: Moment,
        io: &mut impl PacketIo,
    ) {
        self.sending.last_packet = moment.frame;
        let connected = self.sending.connected == Some(destination);
        let sent = io.send(Outgoing {
            socket: self.sending.socket,
            destination: (!connected).then_some(destination),
            header: &header.write(),
            payload,
        });
        match sent {
            Sent::Accepted => {
                self.statistics.sent_packets += 1;
                self.statistics.sent_octets += payload.len() as u64;
            }
            Sent::Refused => self.statistics.send_errors += 1,
        }
    }

    /// `Nothing` stands for the echo of what was said, if that goes back.
    pub(super) fn record_sent(&mut self, sent: tap::Sent<'_>, events: &mut VecDeque<Event>) {
        let is_echoing = self.is_echoing();
        let Some(taps) = &mut self.taps else { return };
        let sent = match sent {
            tap::Sent::Nothing if is_echoing => tap::Sent::Echo,
            sent if self.settings.direction.is_sending() => sent,
            _ => tap::Sent::Nothing,
        };
        taps.handle_sent(sent, events);
        self.drop_taps();
    }

    fn keep_connected(&mut self, moment: Moment, io: &mut impl PacketIo) {
        let wanted = self.latch.connectable(moment.frame);
        if wanted == self.sending.connected {
            return;
        }
        if self.sending.connected.take().is_some() {
            io.disconnect(self.sending.socket);
        }
        if let Some(remote) = wanted
            && io.connect(self.sending.socket, remote)
        {
            self.sending.connected = Some(remote);
        }
    }

    pub(super) fn is_keepalive_due(&self, frame: u64) -> bool {
        self.settings.keepalive.is_some_and(|keepalive| {
            frame.saturating_sub(self.sending.last_packet) >= frames(keepalive).max(1)
        })
    }

    fn report_silence(&mut self, moment: Moment, events: &mut VecDeque<Event>) {
        let (Some(timeout), Heartbeat::Alive { frame }) =
            (self.settings.idle_timeout, self.last_heard)
        else {
            return;
        };
        let silent = moment.frame.saturating_sub(frame);
        if silent >= frames(timeout).max(1) {
            self.last_heard = Heartbeat::Silent;
            let silent_for = Duration::from_millis(silent.saturating_mul(20));
            events.push_back(Event::Idle { stream: self.id, silent_for });
        }
    }
}

impl Sending {
    pub(super) fn time(&self, frame: u64) -> RtpTime {
        // Both wrap at the same place.
        RtpTime(self.origin.0.wrapping_add((frame as u32).wrapping_mul(self.frame_time)))
    }

    /// Another codec: its clock goes on where the one before is.
    pub(super) fn set_clock(&mut self, codec: Codec, frame: u64) {
        let here = self.time(frame);
        self.frame_time = codec.frame_time();
        self.origin = self.origin.plus(here.since(self.time(frame)));
    }

    /// What is so many samples of 8 kHz on the RTP clock.
    fn steps(&self, samples: u32) -> u32 {
        samples * self.frame_time / FRAME as u32
    }

    /// The time of a frame, moved on if what was sent last reaches beyond its beginning.
    pub(super) fn time_after_last(&mut self, frame: u64) -> RtpTime {
        let overlap = self.end.since(self.time(frame));
        if (1..self.steps(OVERLAP) as i32).contains(&overlap) {
            self.origin = self.origin.plus(overlap);
        }
        self.time(frame)
    }

    pub(super) fn take_seq(&mut self) -> Seq {
        let seq = self.seq;
        self.seq = seq.next();
        seq
    }
}

fn frames(duration: Duration) -> u64 {
    (duration.as_millis() / 20) as u64
}

/// A frame of a key's two tones; a second of each key goes round without a seam.
fn digit_tone(digit: Digit, frame: usize, law: Law) -> &'static [u8; FRAME] {
    let tone = DIGIT_TONES.get(usize::from(digit.event()));
    tone.and_then(|tone| tone.frame(frame % tone.frames().max(1), law))
        .unwrap_or_else(|| silence(law))
}

/// Rendered when the first shard is made, never in a tick.
pub(crate) static DIGIT_TONES: LazyLock<Vec<Prompt>> = LazyLock::new(|| {
    (0..16)
        .filter_map(Digit::from_event)
        .map(|digit| {
            let (low, high) = digit.frequencies();
            tone::one_second(low, high)
        })
        .collect()
});

/// What is sent on begins anew when its clock strays by a second from ours. This and the next in
/// 8 kHz samples.
const LEAP: u32 = 8000;

/// What a partner lost is missing here too, up to two seconds of it.
const GAP: u16 = 100;

/// An end further ahead than 10 s is the wrap of the clock after a long silence.
const OVERLAP: u32 = 80_000;
