//! One RTP stream pair of one call leg: what is sent each 20 ms, what is made of what arrives.
//!
//! Sent are, in this order of precedence: digits, a play, the room's mix, an echo. Sequence
//! numbers count packets, RTP time runs on through silence (RFC 3550 §5.1), the first packet after
//! a silence carries the marker. When nothing sounds nothing is sent, but for a frame of silence
//! every 15 s that keeps NAT bindings open.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::LazyLock,
    time::{Duration, Instant},
};

use rtp_rs::RtpReader;

use super::{
    Codec, Digit, EchoState, Event, FRAME, MuteState, PayloadType, PlayEnd, PlayId, PlayItem,
    Prompt, RecordSource, Repeat, RoomId, Signal, SocketId, StreamId, StreamSettings,
    StreamStatistics, TalkDetection,
    dtmf::telephone_event::{Form, Output, Receiver, Sender},
    event::Talk,
    jitter::{Played, PlayoutBuffer, Pushed},
    latch::{Heard, Latch},
    mixer::{Mixer, Speaker, TalkChange, TalkDetector},
    packet_io::{Outgoing, PacketIo, Sent},
    player::{Player, silence},
    recorder::Recorder,
    rtp::{Arrival, Header, Marker, Reception, RtpTime, Seq, Ssrc},
    tone,
};

/// The frame being worked on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Frames of 20 ms since an origin that all shards share.
    pub(crate) frame: u64,
    /// The clock.
    pub(crate) now: Instant,
    /// The clock in samples, for arrival times.
    pub(crate) arrival: RtpTime,
}

/// A stream. Boxed, so that it moves between shards without being copied.
#[derive(Debug)]
pub struct Stream {
    id: StreamId,
    settings: StreamSettings,
    latch: Latch,
    sending: Sending,
    player: Option<Player>,
    digits_out: Option<Box<Sender>>,
    echo: Echo,
    digits_in: Receiver,
    digits_source: Option<Ssrc>,
    reception: Option<Reception>,
    last_heard: Heartbeat,
    playout: Option<Box<PlayoutBuffer>>,
    recorder: Option<Box<Recorder>>,
    seat: Option<Seat>,
    statistics: StreamStatistics,
}

#[derive(Debug)]
struct Sending {
    socket: SocketId,
    connected: Option<SocketAddr>,
    ssrc: Ssrc,
    /// Of the next packet.
    seq: Seq,
    /// The RTP time of frame 0.
    origin: RtpTime,
    /// Where what was sent last ends: RTP time never goes back.
    end: RtpTime,
    /// The frame worked on last, and the last one in which audio, and anything, was sent.
    last_frame: Option<u64>,
    last_audio: Option<u64>,
    last_packet: u64,
}

/// When the peer was heard last.
#[derive(Debug, Clone, Copy)]
enum Heartbeat {
    Alive {
        frame: u64,
    },
    /// Its silence was reported.
    Silent,
}

#[derive(Debug, Clone, Copy)]
enum Echo {
    Off,
    /// Our RTP time less the peer's, once the first packet was sent back.
    On {
        offset: Option<i32>,
    },
}

/// A place in a room.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) room: RoomId,
    pub(crate) mute: MuteState,
    talk_detection: TalkDetection,
    detector: TalkDetector,
    speaker: Option<Speaker>,
}

/// Packets that go back to their senders within the tick. Memory is kept from tick to tick.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    pub(crate) entries: Vec<RelayEntry>,
    pub(crate) octets: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct RelayEntry {
    pub(crate) slot: usize,
    marker: Marker,
    payload_type: PayloadType,
    time: RtpTime,
    start: usize,
    end: usize,
    /// Samples of audio; none for a telephone event.
    samples: usize,
}

impl Relay {
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.octets.clear();
    }
}

impl Stream {
    /// `random` is 64 bits for SSRC, first sequence number and first RTP time.
    pub(crate) fn new(
        id: StreamId,
        socket: SocketId,
        settings: StreamSettings,
        random: u64,
        frame: u64,
    ) -> Self {
        let origin = RtpTime((random as u32).rotate_left(11) ^ (random >> 32) as u32);
        let mut sending = Sending {
            socket,
            connected: None,
            ssrc: Ssrc((random >> 32) as u32),
            // Starts in the lower half (RFC 3711 §3.3.1 recommends it for the rollover).
            seq: Seq(random as u16 & 0x7fff),
            origin,
            end: origin,
            last_frame: None,
            last_audio: None,
            last_packet: frame,
        };
        sending.end = sending.time(frame);
        Self {
            id,
            latch: Latch::new(&settings),
            settings,
            sending,
            player: None,
            digits_out: None,
            echo: Echo::Off,
            digits_in: Receiver::default(),
            digits_source: None,
            reception: None,
            last_heard: Heartbeat::Alive { frame },
            playout: None,
            recorder: None,
            seat: None,
            statistics: StreamStatistics::default(),
        }
    }

    pub(crate) fn id(&self) -> StreamId {
        self.id
    }

    pub(crate) fn socket(&self) -> SocketId {
        self.sending.socket
    }

    /// The stream arrived with its socket in another table.
    pub(crate) fn set_socket(&mut self, socket: SocketId) {
        self.sending.socket = socket;
    }

    pub(crate) fn seat(&self) -> Option<&Seat> {
        self.seat.as_ref()
    }

    pub(crate) fn update(&mut self, settings: StreamSettings, frame: u64) {
        self.latch.update(&settings);
        self.settings = settings;
        // Silence during hold is no reason to report the peer right after it.
        self.last_heard = Heartbeat::Alive { frame };
    }

    pub(crate) fn play(
        &mut self,
        play: PlayId,
        items: Vec<PlayItem>,
        repeat: Repeat,
        events: &mut VecDeque<Event>,
    ) {
        self.end_play(PlayEnd::Replaced, events);
        self.player = Some(Player::new(play, items, repeat));
    }

    pub(crate) fn stop_play(&mut self, play: Option<PlayId>, events: &mut VecDeque<Event>) {
        let playing = self.player.as_ref().map(Player::play);
        if play.is_none() || play == playing {
            self.end_play(PlayEnd::Stopped, events);
        }
    }

    fn end_play(&mut self, end: PlayEnd, events: &mut VecDeque<Event>) {
        if let Some(player) = self.player.take() {
            events.push_back(Event::PlayFinished {
                stream: self.id,
                play: player.play(),
                end,
                played: player.played(),
            });
        }
    }

    pub(crate) fn set_echo(&mut self, state: EchoState) {
        self.echo = match state {
            EchoState::On => Echo::On { offset: None },
            EchoState::Off => Echo::Off,
        };
    }

    pub(crate) fn send_digits(&mut self, signals: &[Signal], tone: Duration, gap: Duration) {
        self.digits_out.get_or_insert_default().push(signals, tone, gap);
    }

    pub(crate) fn record(
        &mut self,
        source: RecordSource,
        sink: rtrb::Producer<i16>,
        events: &mut VecDeque<Event>,
    ) {
        self.stop_record(events);
        self.recorder = Some(Box::new(Recorder::new(source, sink)));
        self.update_playout();
    }

    pub(crate) fn stop_record(&mut self, events: &mut VecDeque<Event>) {
        if let Some(recorder) = self.recorder.take() {
            let dropped = recorder.dropped();
            self.statistics.record_dropped += dropped;
            events.push_back(Event::RecordStopped { stream: self.id, dropped });
            self.update_playout();
        }
    }

    pub(crate) fn sit_down(
        &mut self,
        room: RoomId,
        mute: MuteState,
        talk_detection: TalkDetection,
        events: &mut VecDeque<Event>,
    ) {
        self.seat = Some(Seat {
            room,
            mute,
            talk_detection,
            detector: TalkDetector::default(),
            speaker: None,
        });
        self.update_playout();
        events.push_back(Event::Joined { stream: self.id, room });
    }

    pub(crate) fn stand_up(&mut self, events: &mut VecDeque<Event>) {
        if let Some(mut seat) = self.seat.take() {
            if seat.detector.reset() == TalkChange::Stopped {
                report_talk(self.id, &seat, Talk::Stopped, events);
            }
            events.push_back(Event::Left { stream: self.id, room: seat.room });
            self.update_playout();
        }
    }

    pub(crate) fn set_mute(&mut self, mute: MuteState, events: &mut VecDeque<Event>) {
        let Some(seat) = &mut self.seat else { return };
        seat.mute = mute;
        if !mute.is_heard() && seat.detector.reset() == TalkChange::Stopped {
            report_talk(self.id, seat, Talk::Stopped, events);
        }
    }

    /// Ends everything and gives the statistics.
    pub(crate) fn close(mut self, events: &mut VecDeque<Event>) {
        self.end_play(PlayEnd::Closed, events);
        self.stop_record(events);
        self.stand_up(events);
        self.collect_reception();
        events.push_back(Event::Closed { stream: self.id, statistics: Box::new(self.statistics) });
    }

    /// The playout buffer is there while somebody listens.
    fn update_playout(&mut self) {
        let wanted = self.recorder.is_some() || self.seat.is_some();
        match (wanted, &self.playout) {
            (true, None) => self.playout = Some(Box::new(PlayoutBuffer::new())),
            (false, Some(_)) => self.playout = None,
            _ => {}
        }
    }

    fn collect_reception(&mut self) {
        let Some(reception) = self.reception.take() else { return };
        let (jitter, greatest) = reception.interarrival_jitter();
        self.statistics.lost += reception.lost();
        self.statistics.reordered += reception.reordered();
        self.statistics.interarrival_jitter = jitter;
        self.statistics.greatest_jitter = self.statistics.greatest_jitter.max(greatest);
    }
}

/// Receiving.
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
        let Ok(packet) = RtpReader::new(datagram) else {
            self.statistics.malformed += 1;
            return;
        };
        let number = packet.payload_type();
        // RTCP on the RTP port, its packet types 192 to 223 (RFC 5761 §4): nobody's loss.
        if (64..96).contains(&number) {
            return;
        }
        let codec = self.settings.receive.iter().find(|(pt, _)| pt.number() == number);
        let codec = codec.map(|&(_, codec)| codec);
        let is_event = self.settings.telephone_event_receive.iter().any(|pt| pt.number() == number);
        if codec.is_none() && !is_event && number != COMFORT_NOISE {
            self.statistics.unknown_payload += 1;
            return;
        }
        if let Heard::New(remote) = self.latch.accept(from, moment.frame) {
            events.push_back(Event::Latched { stream: self.id, remote });
        }
        self.last_heard = Heartbeat::Alive { frame: moment.frame };
        self.statistics.received_octets += packet.payload().len() as u64;
        if is_event {
            self.handle_event(&packet, slot, moment, relay, events);
        } else if let Some(codec) = codec {
            self.handle_audio(&packet, codec, slot, moment, relay);
        } else {
            self.count(&packet, None);
        }
    }

    /// Counts a packet of the present source; `None` if it is not to be used.
    fn count(&mut self, packet: &RtpReader<'_>, time: Option<(RtpTime, RtpTime)>) -> Option<()> {
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
        if self.reception.as_ref().is_some_and(|reception| reception.ssrc() != ssrc) {
            self.collect_reception();
            self.statistics.source_changes += 1;
            if let Some(playout) = &mut self.playout {
                playout.reset();
            }
            if let Echo::On { offset } = &mut self.echo {
                *offset = None;
            }
        }
        if self.count(packet, Some((time, moment.arrival))).is_none() {
            return;
        }
        if !self.settings.direction.is_receiving() {
            return;
        }
        if let Some(playout) = &mut self.playout
            && playout.push(time, codec, packet.payload()) == Pushed::Late
        {
            self.statistics.late += 1;
        }
        if self.is_echoing() {
            let marker = if packet.mark() { Marker::Set } else { Marker::Clear };
            let start = relay.octets.len();
            relay.octets.extend_from_slice(packet.payload());
            if codec != self.settings.codec {
                transcode(codec, self.settings.codec, &mut relay.octets[start..]);
            }
            relay.entries.push(RelayEntry {
                slot,
                marker,
                payload_type: self.settings.payload_type,
                time,
                start,
                end: relay.octets.len(),
                samples: packet.payload().len(),
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
        let time = RtpTime(packet.timestamp());
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
        let keys = self.digits_in.handle_packet(packet.payload(), time, moment.now);
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
                marker,
                payload_type,
                time,
                start,
                end,
                samples: 0,
            });
        }
    }

    fn report_keys(&mut self, keys: [Option<(Digit, Duration)>; 2], events: &mut VecDeque<Event>) {
        for (digit, duration) in keys.into_iter().flatten() {
            self.statistics.digits += 1;
            events.push_back(Event::Digit { stream: self.id, digit, duration });
        }
    }

    /// Whether what arrives goes back: not while something else is being sent.
    fn is_echoing(&self) -> bool {
        matches!(self.echo, Echo::On { .. })
            && self.player.is_none()
            && self.digits_out.is_none()
            && self.seat.is_none()
            && self.settings.direction.is_sending()
            && self.settings.direction.is_receiving()
    }

    /// Takes the next 20 ms from the playout buffer, for the room and the recording. `None` while
    /// the peer sends nothing.
    fn listen(&mut self, frame: &mut [i16; FRAME]) -> Option<()> {
        let played = self.playout.as_mut().map_or(Played::Nothing, |playout| playout.pop(frame));
        if played == Played::Concealed {
            self.statistics.concealed_frames += 1;
        }
        if let Some(recorder) = &mut self.recorder {
            if played == Played::Nothing {
                frame.fill(0);
            }
            recorder.handle_heard(frame);
        }
        (played != Played::Nothing).then_some(())
    }

    /// Adds what the peer says to the mix of its room.
    pub(crate) fn contribute(&mut self, mixer: &mut Mixer, events: &mut VecDeque<Event>) {
        let mut frame = [0; FRAME];
        let heard = self.listen(&mut frame).map(|()| &frame);
        let Some(seat) = &mut self.seat else { return };
        seat.speaker = None;
        if !seat.mute.is_heard() {
            return;
        }
        let (worth_mixing, change) = seat.detector.handle_frame(heard);
        if worth_mixing && let Some(frame) = heard {
            seat.speaker = Some(mixer.add_speaker(frame));
        }
        match change {
            TalkChange::None => {}
            TalkChange::Started => report_talk(self.id, seat, Talk::Started, events),
            TalkChange::Stopped => report_talk(self.id, seat, Talk::Stopped, events),
        }
    }
}

fn report_talk(stream: StreamId, seat: &Seat, talk: Talk, events: &mut VecDeque<Event>) {
    if seat.talk_detection == TalkDetection::On {
        events.push_back(Event::Talking { stream, talk });
    }
}

/// Sending.
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
        if self.seat.is_none() && self.recorder.is_some() {
            self.listen(&mut [0; FRAME]);
        }
        let codec = self.settings.codec;
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
            self.record_sent(None, events);
            return;
        }
        if self.player.is_some() && !matches!(output, Output::Tone { .. }) {
            self.advance_player(moment, io, events);
            if self.player.is_some() {
                return;
            }
        }
        let mut own_mix = [0; FRAME];
        let payload = match (output, &self.seat) {
            (Output::Tone { digit, frame }, _) => Some(digit_tone(digit, frame, codec)),
            (_, Some(seat)) if seat.mute.is_hearing() => Some(match seat.speaker {
                Some(speaker) => {
                    mixer.for_speaker(speaker, codec, &mut own_mix);
                    &own_mix
                }
                None => mixer.for_listener(codec),
            }),
            _ if self.is_keepalive_due(moment.frame) => Some(silence(codec)),
            _ => None,
        };
        if let Some(payload) = payload {
            self.send_audio(payload, moment, io);
        }
        self.record_sent(payload, events);
    }

    /// Sends the next frame of the play, or reports its end.
    fn advance_player(
        &mut self,
        moment: Moment,
        io: &mut impl PacketIo,
        events: &mut VecDeque<Event>,
    ) {
        let Some(mut player) = self.player.take() else { return };
        match player.next_frame() {
            Some(frame) => {
                let payload = frame.payload(self.settings.codec);
                self.send_audio(payload, moment, io);
                self.record_sent(Some(payload), events);
                self.player = Some(player);
            }
            None => {
                self.player = Some(player);
                self.end_play(PlayEnd::Completed, events);
            }
        }
    }

    fn send_audio(&mut self, payload: &[u8; FRAME], moment: Moment, io: &mut impl PacketIo) {
        if !self.settings.direction.is_sending() {
            return;
        }
        let Some(destination) = self.latch.destination(moment.frame) else { return };
        let sending = &mut self.sending;
        let time = sending.time_after_last(moment.frame);
        let follows = sending.last_audio.is_some_and(|last| last + 1 == moment.frame);
        sending.last_audio = Some(moment.frame);
        sending.end = time.plus(FRAME as i32);
        let header = Header {
            marker: if follows { Marker::Clear } else { Marker::Set },
            payload_type: self.settings.payload_type,
            seq: sending.take_seq(),
            time,
            ssrc: sending.ssrc,
        };
        self.transmit(header, payload, destination, moment, io);
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
        if !self.settings.direction.is_sending() {
            return;
        }
        let Some(destination) = self.latch.destination(moment.frame) else { return };
        let seq = self.sending.take_seq();
        let header = Header { marker, payload_type, seq, time, ssrc: self.sending.ssrc };
        self.transmit(header, &payload, destination, moment, io);
    }

    /// Sends back a packet that arrived in this tick.
    pub(crate) fn handle_relay(
        &mut self,
        entry: RelayEntry,
        octets: &[u8],
        moment: Moment,
        io: &mut impl PacketIo,
    ) {
        let Echo::On { offset } = &mut self.echo else { return };
        let Some(payload) = octets.get(entry.start..entry.end) else { return };
        let Some(destination) = self.latch.destination(moment.frame) else { return };
        let here = self.sending.time_after_last(moment.frame);
        let kept =
            offset.filter(|&offset| here.since(entry.time.plus(offset)).unsigned_abs() < ECHO_LEAP);
        let marker = if kept.is_some() { entry.marker } else { Marker::Set };
        let difference = kept.unwrap_or_else(|| here.since(entry.time));
        *offset = Some(difference);
        let time = entry.time.plus(difference);
        let end = time.plus(entry.samples as i32);
        if end.since(self.sending.end) > 0 {
            self.sending.end = end;
        }
        if entry.samples > 0 {
            self.sending.last_audio = Some(moment.frame);
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

    fn transmit(
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

    fn record_sent(&mut self, payload: Option<&[u8; FRAME]>, events: &mut VecDeque<Event>) {
        let Some(recorder) = &mut self.recorder else { return };
        recorder.handle_sent(self.settings.codec, payload);
        if recorder.is_abandoned() {
            self.stop_record(events);
        }
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

    fn is_keepalive_due(&self, frame: u64) -> bool {
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
        if self.settings.direction.is_receiving() && silent >= frames(timeout).max(1) {
            self.last_heard = Heartbeat::Silent;
            let silent_for = Duration::from_millis(silent.saturating_mul(20));
            events.push_back(Event::Idle { stream: self.id, silent_for });
        }
    }
}

impl Sending {
    fn time(&self, frame: u64) -> RtpTime {
        // Both wrap at the same place.
        RtpTime(self.origin.0.wrapping_add((frame as u32).wrapping_mul(FRAME as u32)))
    }

    /// The time of a frame, moved on if what was sent last reaches beyond its beginning.
    fn time_after_last(&mut self, frame: u64) -> RtpTime {
        let overlap = self.end.since(self.time(frame));
        if (1..OVERLAP).contains(&overlap) {
            self.origin = self.origin.plus(overlap);
        }
        self.time(frame)
    }

    fn take_seq(&mut self) -> Seq {
        let seq = self.seq;
        self.seq = seq.next();
        seq
    }
}

fn frames(duration: Duration) -> u64 {
    (duration.as_millis() / 20) as u64
}

/// In place: both codecs have one octet a sample.
fn transcode(from: Codec, to: Codec, octets: &mut [u8]) {
    let mut samples = [0; FRAME];
    for chunk in octets.chunks_mut(FRAME) {
        let decoded = from.decode_into(chunk, &mut samples);
        to.encode_into(&samples[..decoded], chunk);
    }
}

/// A frame of a key's two tones; a second of each key goes round without a seam.
fn digit_tone(digit: Digit, frame: usize, codec: Codec) -> &'static [u8; FRAME] {
    let tone = DIGIT_TONES.get(usize::from(digit.event()));
    tone.and_then(|tone| tone.frame(frame % tone.frames().max(1), codec))
        .unwrap_or_else(|| silence(codec))
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

/// Comfort noise (RFC 3389): the peer is alive and says nothing.
const COMFORT_NOISE: u8 = 13;

/// An echo whose clock strays by a second from ours begins anew.
const ECHO_LEAP: u32 = 8000;

/// An end further ahead than 10 s is the wrap of the clock after a long silence.
const OVERLAP: i32 = 80_000;
