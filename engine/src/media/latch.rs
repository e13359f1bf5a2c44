//! Which source a stream listens to and where it sends: the guard against stolen and forged media.
//!
//! Media goes to the signalled address. With symmetric RTP it follows the peer's source, but only
//! at the signalled IP address or that of the peer's signalling, and never from one IP address to
//! another without new settings. A third party is counted and dropped, whatever it sends first.

use std::net::{IpAddr, SocketAddr};

use super::{Latching, StreamSettings};

/// The remote end of a stream. Counts time in frames of 20 ms.
#[derive(Debug)]
pub(crate) struct Latch {
    signalled: Option<SocketAddr>,
    signalling_ip: IpAddr,
    latching: Latching,
    /// How many frames a source is silent before another of its host may speak.
    patience: u64,
    source: Option<Source>,
}

#[derive(Debug, Clone, Copy)]
struct Source {
    address: SocketAddr,
    first_heard: u64,
    last_heard: u64,
}

/// What `Latch::accept` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The same source as before.
    Known,
    /// From now on packets are taken from there.
    New(SocketAddr),
}

impl Latch {
    /// That of the packets which go to `signalled`.
    pub(crate) fn new(signalled: Option<SocketAddr>, settings: &StreamSettings) -> Self {
        Self {
            signalled: signalled
                .filter(|remote| !remote.ip().is_unspecified() && remote.port() != 0),
            signalling_ip: settings.signalling_ip.to_canonical(),
            latching: settings.latching,
            patience: SILENCE,
            source: None,
        }
    }

    /// The same for reports, of which one comes in five seconds.
    pub(crate) fn for_reports(self) -> Self {
        Self { patience: REPORT_SILENCE, ..self }
    }

    /// The same peer under new settings: what was learnt stays, unless an address changed.
    pub(crate) fn update(&mut self, signalled: Option<SocketAddr>, settings: &StreamSettings) {
        let new = Self { patience: self.patience, ..Self::new(signalled, settings) };
        let same = new.signalled == self.signalled
            && new.signalling_ip == self.signalling_ip
            && new.latching == self.latching;
        if !same {
            *self = new;
        }
    }

    /// Whether a packet from there may belong to the peer. Changes nothing, so that only a packet
    /// found good is followed by `accept`.
    pub(crate) fn admits(&self, from: SocketAddr, frame: u64) -> bool {
        let allowed = from.ip() == self.signalling_ip
            || self.signalled.is_some_and(|signalled| signalled.ip() == from.ip());
        match self.source {
            None => allowed,
            Some(source) if source.address == from => true,
            // The address of the SDP wins over another port of its host at any time; where media
            // goes nowhere else, over another host too: nothing can be diverted by that.
            Some(source) if Some(from) == self.signalled => {
                source.address.ip() == from.ip() || self.latching == Latching::SignalledOnly
            }
            Some(source) => source.address.ip() == from.ip() && self.is_silent(source, frame),
        }
    }

    /// Takes the source of a good packet that `admits` let pass.
    pub(crate) fn accept(&mut self, from: SocketAddr, frame: u64) -> Heard {
        match &mut self.source {
            Some(source) if source.address == from => {
                source.last_heard = frame;
                Heard::Known
            }
            _ => {
                self.source = Some(Source { address: from, first_heard: frame, last_heard: frame });
                Heard::New(from)
            }
        }
    }

    /// Where packets came from, once some did.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        self.source.map(|source| source.address)
    }

    /// Where to send.
    pub(crate) fn destination(&self, frame: u64) -> Option<SocketAddr> {
        match (self.latching, self.source) {
            (Latching::Symmetric, Some(source)) if self.leads(source, frame) => {
                Some(source.address)
            }
            _ => self.signalled,
        }
    }

    /// Symmetric RTP follows another host at once. It follows another port of the signalled host
    /// only when the signalled port had a second to speak: there is no NAT to be seen, and
    /// somebody else may live on that host.
    fn leads(&self, source: Source, frame: u64) -> bool {
        let same_host = self.signalled.is_some_and(|s| s.ip() == source.address.ip());
        !same_host || frame.saturating_sub(source.first_heard) >= self.patience
    }

    /// The only address to talk to and hear from, if the system may drop all others.
    pub(crate) fn connectable(&self, frame: u64) -> Option<SocketAddr> {
        let source = self.source?;
        let one = self.destination(frame) == Some(source.address);
        let certain = self.signalled.is_none_or(|signalled| {
            signalled == source.address || signalled.ip() != source.address.ip()
        });
        (one && certain && !self.is_silent(source, frame)).then_some(source.address)
    }

    fn is_silent(&self, source: Source, frame: u64) -> bool {
        frame.saturating_sub(source.last_heard) >= self.patience
    }
}

/// One second of frames.
const SILENCE: u64 = 50;

/// Three intervals of reports.
const REPORT_SILENCE: u64 = 15 * 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Codec;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A phone behind NAT: private address in the SDP, public one in the signalling.
    fn latch(latching: Latching) -> Latch {
        let settings = StreamSettings::new(address("192.168.1.9:4000"), Codec::Pcmu)
            .with_latching(latching, "203.0.113.7".parse().unwrap());
        Latch::new(settings.remote, &settings)
    }

    #[test]
    fn a_third_party_is_never_heard_nor_sent_to() {
        for latching in [Latching::SignalledOnly, Latching::Symmetric] {
            let mut latch = latch(latching);
            for frame in 0..1000 {
                assert!(!latch.admits(address("198.51.100.66:4000"), frame));
            }
            assert_eq!(latch.destination(1000), Some(address("192.168.1.9:4000")));
            latch.accept(address("203.0.113.7:5555"), 1000);
            for frame in 1000..9000 {
                assert!(!latch.admits(address("198.51.100.66:4000"), frame));
                // Not even the signalled host, once media goes elsewhere: its address may be forged.
                let signalled = latch.admits(address("192.168.1.9:4000"), frame);
                assert_eq!(signalled, latching == Latching::SignalledOnly);
            }
        }
    }

    #[test]
    fn symmetric_media_follows_the_signalling_host_at_once() {
        let mut latch = latch(Latching::Symmetric);
        let nat = address("203.0.113.7:5555");
        assert!(latch.admits(nat, 0));
        assert_eq!(latch.accept(nat, 0), Heard::New(nat));
        assert_eq!(latch.destination(0), Some(nat));
        assert_eq!(latch.connectable(0), Some(nat));
    }

    #[test]
    fn without_symmetric_media_stays_at_the_signalled_address() {
        let mut latch = latch(Latching::SignalledOnly);
        latch.accept(address("203.0.113.7:5555"), 0);
        assert_eq!(latch.destination(500), Some(address("192.168.1.9:4000")));
        assert_eq!(latch.connectable(10), None);
    }

    #[test]
    fn another_port_of_the_same_host_needs_a_second_of_silence() {
        let mut latch = latch(Latching::Symmetric);
        latch.accept(address("203.0.113.7:5555"), 0);
        let moved = address("203.0.113.7:6666");
        assert!(!latch.admits(moved, 49));
        assert!(latch.admits(moved, 50));
        assert_eq!(latch.connectable(50), None, "the system must let the new port through");
        assert_eq!(latch.accept(moved, 50), Heard::New(moved));
        assert_eq!(latch.destination(50), Some(moved));
    }

    #[test]
    fn a_neighbour_on_the_signalled_host_gets_nothing_when_the_peer_speaks() {
        let mut latch = latch(Latching::Symmetric);
        let (peer, thief) = (address("192.168.1.9:4000"), address("192.168.1.9:4444"));
        assert!(latch.admits(thief, 0));
        latch.accept(thief, 0);
        assert_eq!(latch.destination(10), Some(peer));
        assert!(latch.admits(peer, 10));
        latch.accept(peer, 10);
        assert!(!latch.admits(thief, 11));
        assert_eq!(latch.connectable(11), Some(peer));
    }

    #[test]
    fn a_peer_that_sends_from_another_port_is_followed_after_a_second() {
        let mut latch = latch(Latching::Symmetric);
        let other = address("192.168.1.9:4444");
        for frame in 0..60 {
            assert!(latch.admits(other, frame));
            latch.accept(other, frame);
        }
        assert_eq!(latch.destination(60), Some(other));
    }

    #[test]
    fn new_settings_forget_the_source_only_if_an_address_changed() {
        let settings = StreamSettings::new(address("192.168.1.9:4000"), Codec::Pcmu)
            .with_latching(Latching::Symmetric, "203.0.113.7".parse().unwrap());
        let mut latch = Latch::new(settings.remote, &settings);
        let nat = address("203.0.113.7:5555");
        latch.accept(nat, 0);
        latch.update(settings.remote, &settings);
        assert_eq!(latch.destination(1), Some(nat));
        let elsewhere = StreamSettings { remote: Some(address("192.0.2.1:8000")), ..settings };
        latch.update(elsewhere.remote, &elsewhere);
        assert_eq!(latch.destination(1), Some(address("192.0.2.1:8000")));
        assert!(latch.admits(address("192.0.2.1:8000"), 1));
    }

    #[test]
    fn no_address_means_nowhere_to_send() {
        let settings = StreamSettings::new(address("0.0.0.0:4000"), Codec::Pcmu);
        assert_eq!(Latch::new(settings.remote, &settings).destination(0), None);
        let settings = StreamSettings::new(address("192.0.2.1:0"), Codec::Pcmu);
        assert_eq!(Latch::new(settings.remote, &settings).destination(0), None);
    }
}
