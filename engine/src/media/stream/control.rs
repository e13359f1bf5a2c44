//! The reports of a stream: to whom they go, whose are believed, and what becomes of two ends that
//! chose one SSRC (RFC 3550 §6 and §8).
//!
//! Reports follow the rules of media (see `latch`): they go to the signalled address, or with
//! symmetric RTP to where the peer's come from, and what a third party sends changes nothing.
//! Nothing is sent because something came, so that nobody can be flooded by way of us.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{Moment, Stream};
use crate::media::{
    Latching, RtcpPath, SharedStatistics, SocketId, StreamSettings, StreamStatistics,
    latch::Latch,
    packet_io::{ControlPort, PacketIo, Sent},
    rtcp::{Compound, Reports, Sender, packet::Writer},
    rtp::{Received, Ssrc},
    settings::next_port,
};

/// What is looked at once in five seconds, and so kept apart from the rest.
#[derive(Debug)]
pub(super) struct Control {
    latch: Latch,
    reports: Reports,
    /// Packets and octets sent under earlier SSRCs.
    before: (u64, u64),
    /// An SSRC that we left because the peer had the same, until the peer is told.
    left: Option<Ssrc>,
    /// Whose packets came under our SSRC: what comes so again from there is a loop (RFC 3550 §8.2).
    conflict: Option<IpAddr>,
    shared: SharedStatistics,
}

/// The last words of a stream that is closed, to be sent before its socket goes.
#[derive(Debug)]
pub(crate) struct Goodbye {
    socket: SocketId,
    port: ControlPort,
    destination: SocketAddr,
    written: Writer,
}

impl Goodbye {
    pub(crate) fn send(&self, io: &mut impl PacketIo) {
        let _lost =
            io.send_control(self.socket, self.port, self.destination, self.written.as_bytes());
    }
}

impl Control {
    pub(super) fn new(settings: &StreamSettings, random: [u64; 3], moment: Moment) -> Self {
        let signalled = settings.rtcp.signalled(settings.remote);
        Self {
            latch: Latch::new(signalled, settings).for_reports(),
            reports: Reports::new(random, moment.now),
            before: (0, 0),
            left: None,
            conflict: None,
            shared: SharedStatistics::default(),
        }
    }

    pub(super) fn update(&mut self, settings: &StreamSettings) {
        self.latch.update(settings.rtcp.signalled(settings.remote), settings);
        self.conflict = None;
    }
}

impl Stream {
    /// Takes a datagram from the port above that of the media.
    pub(crate) fn handle_control(&mut self, from: SocketAddr, datagram: &[u8], moment: Moment) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let is_open = matches!(self.settings.rtcp, RtcpPath::Separate | RtcpPath::SeparateTo(_));
        let host_fits = self.settings.latching == Latching::SignalledOnly
            || self.latch.source().is_none_or(|media| media.ip() == from.ip());
        if !is_open || !host_fits || !self.control.latch.admits(from, moment.frame) {
            self.statistics.foreign_reports += 1;
            return;
        }
        if self.take_compound(from, datagram, moment) {
            self.control.latch.accept(from, moment.frame);
        }
    }

    /// Takes what came from the peer as RTCP, by whichever port. Whether it was worth its name.
    pub(super) fn take_compound(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        moment: Moment,
    ) -> bool {
        let Ok(compound) = Compound::parse(datagram) else {
            self.statistics.malformed_reports += 1;
            return false;
        };
        let ours = self.sending.ssrc;
        if compound.sender() == ours {
            self.handle_conflict(from.ip());
            return false;
        }
        self.statistics.reports_received += 1;
        let reports = &mut self.control.reports;
        let news = reports.handle_compound(compound, datagram.len(), ours, moment.ntp, moment.now);
        if let Some(mut report) = news.report {
            report.jitter /= self.settings.codec.scale();
            let jitter = u64::from(report.jitter) * 1_000_000 / u64::from(self.clock());
            self.statistics.hear(report, Duration::from_micros(jitter));
            self.publish();
        }
        if news.goodbye.is_some() && news.goodbye == self.reception.as_ref().map(|r| r.ssrc()) {
            self.statistics.goodbyes += 1;
        }
        true
    }

    /// Packets of the peer bear our SSRC. The first time both ends chose alike, and we choose
    /// again; from then on they are our own that come back. Their sound is heard: who asks an
    /// echo service, or a line that reflects, means to hear it. Differs from RFC 3550 §8.2, which
    /// would have them dropped.
    pub(super) fn handle_conflict(&mut self, from: IpAddr) {
        if self.control.conflict == Some(from) {
            self.statistics.looped += 1;
            return;
        }
        self.control.conflict = Some(from);
        self.statistics.collisions += 1;
        self.change_ssrc();
    }

    /// Goes on under another SSRC: two ends chose alike, or the RTP clock changes, which is one
    /// with its SSRC (RFC 7160 §4.1).
    pub(super) fn change_ssrc(&mut self) {
        let control = &mut *self.control;
        control.left = control.left.or(Some(self.sending.ssrc));
        control.before = (self.statistics.sent_packets, self.statistics.sent_octets);
        control.reports.handle_new_ssrc();
        let peer = self.reception.as_ref().map(|reception| reception.ssrc());
        while Some(self.sending.ssrc) == control.left || Some(self.sending.ssrc) == peer {
            self.sending.ssrc = Ssrc((control.reports.next_random() >> 32) as u32);
        }
        self.look_at = 0;
    }

    /// Looks after what is not a matter of each frame: reports, and the statistics to be read.
    pub(super) fn look_after(&mut self, moment: Moment, io: &mut impl PacketIo) {
        if moment.frame < self.look_at {
            return;
        }
        self.look_at = moment.frame + LOOKS;
        if let Some(left) = self.control.left.take()
            && let Some(goodbye) = self.goodbye_of(left, moment)
        {
            goodbye.send(io);
        }
        let sender = self.sender(moment);
        let hears = self.reception.is_some();
        if self.control.reports.is_due(sender.packets, hears, moment.now) {
            self.report(sender, moment, io);
        }
        let due = self.control.reports.poll_timeout().saturating_duration_since(moment.now);
        let frames = due.as_millis().div_ceil(20) as u64;
        self.look_at = self.look_at.min(moment.frame + frames.max(1));
        self.publish();
    }

    fn report(&mut self, sender: Sender, moment: Moment, io: &mut impl PacketIo) {
        let received = self.received();
        if let Some((_, received)) = received {
            self.statistics.tell(received);
        }
        // Measured at 8 kHz, told on the clock of the stream.
        let on_clock = |(ssrc, received): (Ssrc, Received)| {
            let jitter = received.jitter.saturating_mul(self.clock() / 8000);
            (ssrc, Received { jitter, ..received })
        };
        let received = received.map(on_clock);
        let reports = &mut self.control.reports;
        let written = reports.report(sender, received, moment.ntp, moment.now);
        if let Some((port, destination)) = self.report_destination(moment.frame) {
            let socket = self.sending.socket;
            match io.send_control(socket, port, destination, written.as_bytes()) {
                Sent::Accepted => self.statistics.reports_sent += 1,
                Sent::Refused => self.statistics.send_errors += 1,
            }
        }
    }

    /// Steps of the RTP clock in a second.
    fn clock(&self) -> u32 {
        self.settings.codec.clock()
    }

    /// Lets others read how it stands.
    fn publish(&self) {
        self.control.shared.publish(self.present_statistics());
    }

    /// The last figures, to those who read on, and for the end.
    pub(super) fn final_statistics(&self) -> StreamStatistics {
        self.publish();
        self.present_statistics()
    }

    /// Where others read how it stands.
    pub(crate) fn shared_statistics(&self) -> SharedStatistics {
        self.control.shared.clone()
    }

    /// The last report of all, for a stream that is closed.
    pub(super) fn goodbye(&mut self, moment: Moment) -> Option<Goodbye> {
        self.goodbye_of(self.sending.ssrc, moment)
    }

    fn goodbye_of(&mut self, ssrc: Ssrc, moment: Moment) -> Option<Goodbye> {
        let (port, destination) = self.report_destination(moment.frame)?;
        let is_present = ssrc == self.sending.ssrc;
        let received = if is_present { self.received() } else { None };
        let mut sender = self.sender(moment);
        sender.ssrc = ssrc;
        if !is_present {
            (sender.packets, sender.octets) = self.control.before;
        }
        let written = self.control.reports.goodbye(sender, received, moment.ntp, moment.now)?;
        Some(Goodbye { socket: self.sending.socket, port, destination, written })
    }

    fn sender(&self, moment: Moment) -> Sender {
        let (packets, octets) = self.control.before;
        Sender {
            ssrc: self.sending.ssrc,
            packets: self.statistics.sent_packets.saturating_sub(packets),
            octets: self.statistics.sent_octets.saturating_sub(octets),
            time: self.sending.time(moment.frame),
        }
    }

    /// What there is to report of the peer.
    fn received(&mut self) -> Option<(Ssrc, Received)> {
        let reception = self.reception.as_mut()?;
        let mut received = reception.report()?;
        // It is measured at 8 kHz.
        received.jitter = received.jitter.saturating_mul(self.arriving.scale());
        Some((reception.ssrc(), received))
    }

    fn report_destination(&self, frame: u64) -> Option<(ControlPort, SocketAddr)> {
        let media = self.latch.destination(frame);
        match self.settings.rtcp {
            RtcpPath::Off => None,
            RtcpPath::Muxed => Some((ControlPort::Media, media?)),
            RtcpPath::Separate | RtcpPath::SeparateTo(_) => {
                let latch = &self.control.latch;
                // Behind NAT, and not heard yet: the address that was signalled leads nowhere.
                let translated = media.filter(|media| {
                    latch.source().is_none()
                        && self.settings.remote.is_none_or(|remote| remote.ip() != media.ip())
                });
                let destination = match translated {
                    Some(media) => next_port(media),
                    None => latch.destination(frame),
                };
                Some((ControlPort::Own, destination?))
            }
        }
    }
}

/// Frames after which a stream is looked after: half a second.
const LOOKS: u64 = 25;
