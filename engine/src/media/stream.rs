//! One RTP stream pair of one call leg: what is sent each 20 ms, what is made of what arrives.
//!
//! Sent are, in this order of precedence: digits, a play, the room's mix, an echo; two that are
//! alone in a room are sent each other's packets in place of a mix. Voices of programs are added to
//! what is sent, and to silence. Sequence
//! numbers count packets, RTP time runs on through silence (RFC 3550 §5.1), the first packet after
//! a silence carries the marker. When nothing sounds nothing is sent, but for a frame of silence
//! every 15 s that keeps NAT bindings open.

mod coded;
mod control;
mod receive;
mod send;
mod silence;
mod voiced;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use self::{
    control::Control,
    silence::{Silence, Told},
};
pub(crate) use self::{control::Goodbye, send::DIGIT_TONES};
use super::{
    Codec, EchoState, Event, FRAME, Gain, InbandDigits, MuteState, OpusSettings, PayloadType,
    PlayEnd, PlayId, PlayItem, Rate, Repeat, RoomId, Signal, SocketId, StreamId, StreamSettings,
    StreamStatistics, TalkDetection, TapId, TapState, WatchId,
    codec::encoder::Encoder,
    dtmf::{
        inband::Detector,
        telephone_event::{Receiver, Sender},
    },
    event::Talk,
    latch::Latch,
    mixer::{Limiter, Mixer, Speaker, TalkChange, TalkDetector},
    player::Player,
    playout::Playout,
    rest::Rest,
    rtcp::NtpTime,
    rtp::{Marker, Reception, RtpTime, Seq, Ssrc},
    sound::{Sound, Widener},
    talk::{Watch, Watches},
    tap::{NewTap, Sent, Tapped, Taps},
    voice::Voices,
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
    /// The clock as it hangs on the wall, for reports.
    pub(crate) ntp: NtpTime,
    /// Whether what arrives is of now.
    pub(crate) delivery: Delivery,
}

/// Whether what is read in a tick has just arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// It has.
    Live,
    /// It waited while the whole shard stood still: it counts, and nobody is to hear it any more.
    Stale,
}

/// A stream. Boxed, so that it moves between shards without being copied.
#[derive(Debug)]
pub struct Stream {
    id: StreamId,
    settings: StreamSettings,
    latch: Latch,
    sending: Sending,
    /// For codecs other than G.711.
    encoder: Option<Box<Encoder>>,
    /// The highest rate of what it sends for the present.
    reach: Rate,
    /// What the packet received last was encoded in.
    arriving: Codec,
    player: Option<Player>,
    digits_out: Option<Box<Sender>>,
    echo: Echo,
    digits_in: Receiver,
    digits_source: Option<Ssrc>,
    reception: Option<Reception>,
    last_heard: Heartbeat,
    silence: Silence,
    playout: Option<Playout>,
    taps: Option<Box<Taps>>,
    voices: Option<Box<Voices>>,
    watches: Option<Box<Watches>>,
    detector: Option<Box<Detector>>,
    seat: Option<Box<Seat>>,
    /// The frame in which it is looked after next.
    look_at: u64,
    control: Box<Control>,
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
    /// Steps of the RTP clock in a frame.
    frame_time: u32,
    /// Where what was sent last ends: RTP time never goes back.
    end: RtpTime,
    /// The frame worked on last, and the last one in which audio, and anything, was sent.
    last_frame: Option<u64>,
    last_audio: Option<u64>,
    last_packet: u64,
    /// Something new begins: the next packet of sound says so.
    begins: Marker,
    told_silence: Told,
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

/// When a member is sent what a room hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// With the room's others, as soon as it is mixed.
    Together,
    /// In a step of its own.
    Apart,
}

/// A place in a room.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) room: RoomId,
    pub(crate) place: Place,
    pub(crate) mute: MuteState,
    talk_detection: TalkDetection,
    detector: TalkDetector,
    rest: Rest,
    /// Of what it hears.
    listening: Gain,
    /// Of what the others hear of it.
    talking: Gain,
    /// Of what it hears while it speaks.
    limiter: Limiter,
    speaker: Option<Speaker>,
    /// The slot of the only other member, if packets go there as they are.
    partner: Option<usize>,
    /// How the packets of that one are numbered here.
    passage: Option<Passage>,
    /// Of the mix of its room.
    rate: Rate,
    /// For rooms that hear more than it has to say.
    widener: Option<Box<Widener>>,
}

/// Our numbers less the partner's, from its first packet on that was passed: what it lost is
/// missing here too, and what overtook overtakes.
#[derive(Debug, Clone, Copy)]
struct Passage {
    source: Ssrc,
    seq: u16,
    time: i32,
}

/// Packets that go on within the tick, back to their senders or to their partners. Memory is kept
/// from tick to tick.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    pub(crate) entries: Vec<RelayEntry>,
    pub(crate) octets: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct RelayEntry {
    /// Whose stream sends it.
    pub(crate) slot: usize,
    origin: Origin,
    carried: Carried,
    marker: Marker,
    payload_type: PayloadType,
    seq: Seq,
    time: RtpTime,
    start: usize,
    end: usize,
    /// Of its audio, in steps of the RTP clock; none for a telephone event.
    duration: usize,
}

/// What a packet that goes on carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carried {
    Sound,
    Event,
    /// The description of a line on which nobody speaks.
    Noise,
}

/// Where a packet that goes on came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Whom it goes back to.
    Itself,
    /// The other one of two.
    Partner(Ssrc),
}

impl Relay {
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.octets.clear();
    }
}

impl Stream {
    /// `random` is for SSRC, first sequence number and first RTP time, and for reports.
    pub(crate) fn new(
        id: StreamId,
        socket: SocketId,
        settings: StreamSettings,
        [random, for_reports @ ..]: [u64; 4],
        moment: Moment,
    ) -> Self {
        let frame = moment.frame;
        let origin = RtpTime((random as u32).rotate_left(11) ^ (random >> 32) as u32);
        let mut sending = Sending {
            socket,
            connected: None,
            ssrc: Ssrc((random >> 32) as u32),
            // Starts in the lower half (RFC 3711 §3.3.1 recommends it for the rollover).
            seq: Seq(random as u16 & 0x7fff),
            origin,
            frame_time: settings.codec.frame_time(),
            end: origin,
            last_frame: None,
            last_audio: None,
            last_packet: frame,
            begins: Marker::Set,
            told_silence: Told::No,
        };
        sending.end = sending.time(frame);
        let control = Box::new(Control::new(&settings, for_reports, moment));
        let mut stream = Self {
            id,
            latch: Latch::new(settings.remote, &settings),
            encoder: None,
            reach: Rate::Narrow,
            arriving: settings.codec,
            settings,
            sending,
            player: None,
            digits_out: None,
            echo: Echo::Off,
            digits_in: Receiver::default(),
            digits_source: None,
            reception: None,
            last_heard: Heartbeat::Alive { frame },
            silence: Silence::default(),
            playout: None,
            taps: None,
            voices: None,
            watches: None,
            detector: None,
            seat: None,
            look_at: frame,
            control,
            statistics: StreamStatistics::default(),
        };
        stream.update_encoder();
        stream.update_playout();
        stream
    }

    pub(crate) fn id(&self) -> StreamId {
        self.id
    }

    /// The frame worked on last.
    pub(crate) fn last_frame(&self) -> Option<u64> {
        self.sending.last_frame
    }

    pub(crate) fn socket(&self) -> SocketId {
        self.sending.socket
    }

    /// The stream arrived with its socket in another table.
    pub(crate) fn set_socket(&mut self, socket: SocketId) {
        self.sending.socket = socket;
    }

    pub(crate) fn seat(&self) -> Option<&Seat> {
        self.seat.as_deref()
    }

    pub(crate) fn update(&mut self, settings: StreamSettings, frame: u64) {
        self.latch.update(settings.remote, &settings);
        self.control.update(&settings);
        if (settings.remote, settings.payload_type)
            != (self.settings.remote, self.settings.payload_type)
        {
            self.sending.begins = Marker::Set;
        }
        self.sending.set_clock(settings.codec, frame);
        if self.settings.codec != settings.codec {
            self.arriving = settings.codec;
        }
        if self.settings.codec.clock() != settings.codec.clock() {
            self.change_ssrc();
        }
        if !settings.direction.is_sending() || !settings.direction.is_receiving() {
            self.end_passage();
        }
        self.settings = settings;
        self.update_encoder();
        self.update_playout();
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
        let player = Player::new(play, items, repeat);
        self.reach = self.reach.max(player.rate());
        self.player = Some(player);
        self.update_encoder();
        self.sending.begins = Marker::Set;
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
        self.update_playout();
    }

    pub(crate) fn send_digits(&mut self, signals: &[Signal], tone: Duration, gap: Duration) {
        self.digits_out.get_or_insert_default().push(signals, tone, gap);
    }

    pub(crate) fn tap(&mut self, tap: NewTap, events: &mut VecDeque<Event>) {
        let of = Tapped::Stream(self.id);
        self.taps.get_or_insert_with(|| Box::new(Taps::new(of))).add(tap, events);
        self.update_playout();
    }

    pub(crate) fn set_tap(&mut self, tap: TapId, state: TapState) {
        if let Some(taps) = &mut self.taps {
            taps.set_state(tap, state);
        }
    }

    pub(crate) fn untap(&mut self, tap: TapId, events: &mut VecDeque<Event>) {
        if let Some(taps) = &mut self.taps {
            taps.remove(tap, events);
        }
        self.drop_taps();
    }

    pub(crate) fn watch(&mut self, id: WatchId, watch: Box<Watch>) {
        self.watches.get_or_insert_default().add(id, watch);
        self.update_playout();
    }

    pub(crate) fn unwatch(&mut self, id: WatchId) {
        if let Some(watches) = &mut self.watches {
            watches.remove(id);
        }
        if self.watches.take_if(|watches| watches.is_empty()).is_some() {
            self.update_playout();
        }
    }

    /// Forgets the taps when none is left.
    fn drop_taps(&mut self) {
        if let Some(taps) = self.taps.take_if(|taps| taps.is_empty()) {
            self.statistics.record_dropped += taps.dropped();
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
        self.seat = Some(Box::new(Seat {
            room,
            place: Place::Together,
            mute,
            talk_detection,
            detector: TalkDetector::new(talk_detection.rules()),
            rest: Rest::default(),
            listening: Gain::UNITY,
            talking: Gain::UNITY,
            limiter: Limiter::default(),
            speaker: None,
            partner: None,
            passage: None,
            rate: Rate::Narrow,
            widener: None,
        }));
        self.update_playout();
        events.push_back(Event::Joined { stream: self.id, room });
    }

    /// The room's step has enough to send.
    pub(crate) fn sit_apart(&mut self) {
        if let Some(seat) = &mut self.seat {
            seat.place = Place::Apart;
        }
    }

    pub(crate) fn place(&self) -> Option<Place> {
        self.seat.as_ref().map(|seat| seat.place)
    }

    pub(crate) fn stand_up(&mut self, events: &mut VecDeque<Event>) {
        if let Some(mut seat) = self.seat.take() {
            if seat.detector.reset() == TalkChange::Stopped {
                report_talk(self.id, &seat, Talk::Stopped, events);
            }
            events.push_back(Event::Left { stream: self.id, room: seat.room });
            self.set_reach(Rate::Narrow);
            self.update_playout();
        }
    }

    /// Its room's mix has that rate from now on.
    pub(crate) fn set_room_rate(&mut self, rate: Rate) {
        let Some(seat) = self.seat.as_mut().filter(|seat| seat.rate != rate) else { return };
        seat.rate = rate;
        seat.widener = (rate > Rate::Narrow).then(Box::default);
        self.set_reach(rate);
        self.update_playout();
    }

    /// What it is sent has that rate, or that of what is played to it.
    fn set_reach(&mut self, rate: Rate) {
        self.reach = self.player.as_ref().map_or(rate, |player| player.rate().max(rate));
        self.update_encoder();
    }

    /// The rate of what its peer can make heard.
    pub(crate) fn hears(&self) -> Rate {
        match self.settings.codec {
            Codec::Opus => self.settings.opus.heard(),
            codec => codec.rate(),
        }
    }

    /// The rate of what its peer says.
    pub(crate) fn says(&self) -> Rate {
        match self.settings.codec {
            Codec::Opus => self.settings.opus.said(),
            codec => codec.rate(),
        }
    }

    /// As much of what its peer says as somebody hears.
    fn heard_rate(&self) -> Rate {
        let room = self.seat.as_ref().map_or(Rate::Narrow, |seat| seat.rate);
        let recorded = self.taps.as_ref().map_or(Rate::Narrow, |taps| taps.rate());
        room.max(recorded).min(self.says())
    }

    /// Whether packets may go from one to the other as they are: both only talk and listen, in one
    /// codec, and nobody wants to know what they hear.
    pub(crate) fn can_pass_to(&self, other: &Self) -> bool {
        let is_plain = |stream: &Self| {
            let seat = stream.seat.as_ref();
            seat.is_some_and(|seat| {
                seat.mute == MuteState::Open
                    && seat.talk_detection == TalkDetection::Off
                    && seat.listening == Gain::UNITY
                    && seat.talking == Gain::UNITY
            }) && !stream.taps.as_deref().is_some_and(Taps::hears_both)
                && can_become(stream.arriving, stream.settings.codec)
                && stream.voices.is_none()
        };
        self.settings.codec == other.settings.codec && is_plain(self) && is_plain(other)
    }

    /// Whose packets are passed here and whose get ours, in place of a mix.
    pub(crate) fn set_partner(&mut self, partner: Option<usize>) {
        let Some(seat) = &mut self.seat else { return };
        if seat.partner == partner {
            return;
        }
        seat.partner = partner;
        seat.passage = None;
        seat.speaker = None;
        seat.detector.reset();
        self.update_playout();
    }

    fn partner(&self) -> Option<usize> {
        self.seat.as_ref()?.partner
    }

    pub(crate) fn set_mute(&mut self, mute: MuteState, events: &mut VecDeque<Event>) {
        let Some(seat) = &mut self.seat else { return };
        seat.mute = mute;
        if !mute.is_heard() && seat.detector.reset() == TalkChange::Stopped {
            report_talk(self.id, seat, Talk::Stopped, events);
        }
    }

    /// Changes how loud it hears and is heard.
    pub(crate) fn set_volume(&mut self, listening: Gain, talking: Gain) {
        if let Some(seat) = &mut self.seat {
            (seat.listening, seat.talking) = (listening, talking);
        }
    }

    /// The mix of its room, as loud as it wants it.
    fn heard_in_room(&mut self, mixer: &mut Mixer) -> [i16; FRAME] {
        let Some(seat) = &mut self.seat else { return [0; FRAME] };
        let mut samples = mixer.samples_for(seat.speaker, &mut seat.limiter);
        seat.listening.apply(&mut samples);
        samples
    }

    /// What all hear in this frame but this one.
    pub(crate) fn say_also(&mut self, sound: Sound<'_>, mixer: &mut Mixer) {
        if let Some(seat) = &mut self.seat {
            seat.speaker = Some(mixer.keep_from(seat.speaker, sound));
        }
    }

    /// Ends everything and gives the statistics, and what is still to be said to the peer.
    pub(crate) fn close(mut self, moment: Moment, events: &mut VecDeque<Event>) -> Option<Goodbye> {
        self.end_play(PlayEnd::Closed, events);
        self.record_rest(events);
        if let Some(taps) = &mut self.taps {
            taps.end(events);
        }
        self.drop_taps();
        self.stand_up(events);
        let goodbye = self.goodbye(moment);
        let statistics = Box::new(self.final_statistics());
        events.push_back(Event::Closed { stream: self.id, statistics });
        goodbye
    }

    /// What had arrived and waits for its playout time belongs to the recording of an ended call.
    fn record_rest(&mut self, events: &mut VecDeque<Event>) {
        let (Some(taps), Some(playout)) = (&mut self.taps, &mut self.playout) else { return };
        let mut frame = [0; FRAME];
        while playout.has_waiting() {
            playout.pop(None, &mut frame);
            taps.handle_heard(playout.sound(&frame));
            taps.handle_sent(Sent::Nothing, events);
        }
    }

    /// The playout buffer is there while somebody listens.
    fn update_playout(&mut self) {
        let detects = self.settings.inband_digits == InbandDigits::Detect;
        match (detects, &self.detector) {
            (true, None) => self.detector = Some(Box::new(Detector::new())),
            (false, Some(_)) => self.detector = None,
            _ => {}
        }
        let is_mixed = self.seat.as_ref().is_some_and(|seat| seat.partner.is_none());
        let is_observed = self.taps.is_some() || self.watches.is_some() || detects;
        let wanted = is_observed || is_mixed || self.transcodes_its_echo();
        let wanted = wanted || (self.voices.is_some() && matches!(self.echo, Echo::On { .. }));
        if !wanted || self.playout.as_ref().is_some_and(|playout| !playout.fits(&self.settings)) {
            self.playout = None;
        }
        let rate = self.heard_rate();
        if let Some(playout) = &mut self.playout {
            playout.set_rate(rate);
        } else if wanted {
            let playout = self.playout.insert(Playout::new(&self.settings, rate));
            if let Some(since) = self.silence.since() {
                playout.handle_noise(since);
            }
        }
    }

    fn update_encoder(&mut self) {
        let codec = self.settings.codec;
        if codec.law().is_some() {
            self.encoder = None;
            return;
        }
        let (opus, rate) = (self.opus(), self.reach);
        if self.encoder.as_ref().is_none_or(|encoder| !encoder.is_for(codec, opus, rate)) {
            self.encoder = Some(Box::new(Encoder::new(codec, opus, rate)));
        }
    }

    /// What it is sent in.
    pub(crate) fn codec(&self) -> Codec {
        self.settings.codec
    }

    /// What its peer wants, if that is Opus.
    pub(crate) fn opus(&self) -> OpusSettings {
        self.settings.opus
    }

    /// Whether packets may arrive that can not go back as they are.
    fn transcodes_its_echo(&self) -> bool {
        let mut codecs = self.settings.receive.iter().map(|&(_, codec)| codec);
        matches!(self.echo, Echo::On { .. })
            && codecs.any(|codec| !can_become(codec, self.settings.codec))
    }

    fn collect_reception(&mut self) {
        self.statistics = self.present_statistics();
        self.reception = None;
    }

    /// The statistics with what the present source adds to them.
    fn present_statistics(&self) -> StreamStatistics {
        let mut statistics = self.statistics.clone();
        statistics.local_ssrc = Some(self.sending.ssrc);
        let Some(reception) = &self.reception else { return statistics };
        let (jitter, greatest) = reception.interarrival_jitter();
        statistics.remote_ssrc = Some(reception.ssrc());
        statistics.lost += reception.lost();
        statistics.reordered += reception.reordered();
        statistics.interarrival_jitter = jitter;
        statistics.greatest_jitter = statistics.greatest_jitter.max(greatest);
        statistics
    }
}

fn is_law(codec: Codec) -> bool {
    codec.law().is_some()
}

/// Whether a packet of one codec can be made one of the other where it is.
fn can_become(codec: Codec, other: Codec) -> bool {
    codec == other || (is_law(codec) && is_law(other))
}

fn report_talk(stream: StreamId, seat: &Seat, talk: Talk, events: &mut VecDeque<Event>) {
    if seat.talk_detection.rules().events {
        events.push_back(Event::Talking { stream, talk });
    }
}
