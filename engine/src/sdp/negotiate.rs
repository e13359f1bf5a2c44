//! Offer and answer (RFC 3264) for one audio stream and its telephone events.
//!
//! [`OfferAnswer`] lives as long as its dialog: it keeps the layout of media lines, which may grow
//! but never shrink or change order (§8), and raises the version in `o=` only for a real change.
//! Streams we do not take are answered with port 0, each in its place.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    capabilities::{Capabilities, Preference, TelephoneEvents},
    choice::Choice,
    description::{Connection, MediaDescription, MediaKind, Origin, SessionDescription},
    direction::{common, reverse, without_sending},
    format::{FIRST_CODEC, Format, formats_of, free_number, opus_settings, refused, stream},
    rtcp,
};
use crate::media::{Codec, Direction, EventClock, OpusSettings, PayloadType, RtcpMux, RtcpPath};

/// What offer and answer came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Where to send; `None` on old-style hold (`c=0.0.0.0`) or when only a name is known.
    pub remote: Option<SocketAddr>,
    /// What to send.
    pub codec: Codec,
    /// Under which payload type to send it: the peer's number.
    pub payload_type: PayloadType,
    /// What may arrive: our numbers.
    pub receive: SmallVec<[(PayloadType, Codec); 2]>,
    /// Under which payload type to send telephone events; `None`: the peer takes none.
    pub telephone_event: Option<PayloadType>,
    /// Under which payload types telephone events may arrive: our number, and the peer's where it
    /// stands for nothing else, since some peers send what they say they receive.
    pub telephone_event_receive: SmallVec<[PayloadType; 2]>,
    /// The clocks of those, sent or received, that do not run at 8 kHz.
    pub fast_events: SmallVec<[(PayloadType, EventClock); 2]>,
    /// Under which payload type comfort noise (RFC 3389) travels; `None`: the peer does not take it,
    /// or what to send has a clock other than its.
    pub comfort_noise: Option<PayloadType>,
    /// What the peer says of Opus, if that is what to send.
    pub opus: OpusSettings,
    /// Which way media flows, seen from us.
    pub direction: Direction,
    /// The packet time the peer asks for, 10 to 60 ms.
    pub packet_time: Duration,
    /// Where reports travel.
    pub rtcp: RtcpPath,
}

/// Why an offer or an answer leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// No stream has a codec, transport and address that we can use. SIP: 488.
    #[error("no usable audio stream")]
    NothingInCommon,
    /// An offer of ours is still open. SIP: 491.
    #[error("our own offer is still unanswered")]
    OfferPending,
    /// An answer came to no offer.
    #[error("answer without an offer")]
    NoOffer,
    /// The number or kind of media lines does not follow what went before.
    #[error("media lines do not correspond")]
    Layout,
}

/// The offer/answer state of one dialog.
#[derive(Clone, Debug)]
pub struct OfferAnswer {
    capabilities: Capabilities,
    session_id: u64,
    /// Of the last description we sent.
    version: u64,
    /// The last description we sent that took effect, or is on offer: as it was sent, since most
    /// calls never look at it again and its parts take five times the room.
    local: Option<Bytes>,
    /// The same in parts, while it is on offer.
    draft: Option<Box<SessionDescription>>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// No exchange has been completed.
    Initial,
    /// Our offer is out; what held before comes back if it is refused.
    Offered { direction: Direction, before: Option<Box<(Bytes, Negotiated)>> },
    /// An exchange has been completed.
    Agreed(Box<Negotiated>),
}

impl OfferAnswer {
    /// The state of a new dialog. `session_id` is a random number; 32 bits of it are used, since
    /// peers keep it in all kinds of integers.
    pub fn new(capabilities: Capabilities, session_id: u64) -> Self {
        Self {
            capabilities,
            session_id: session_id & 0xffff_ffff,
            version: session_id & 0xffff_ffff,
            local: None,
            draft: None,
            state: State::Initial,
        }
    }

    /// What holds now.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        match &self.state {
            State::Agreed(negotiated) => Some(negotiated),
            State::Offered { before, .. } => before.as_ref().map(|before| &before.1),
            State::Initial => None,
        }
    }

    /// The description of ours that holds or is on offer, to be sent again.
    pub fn local(&self) -> Option<Cow<'_, SessionDescription>> {
        match (&self.draft, &self.local) {
            (Some(draft), _) => Some(Cow::Borrowed(draft)),
            // What we write can be read.
            (None, Some(text)) => SessionDescription::parse(text).ok().map(Cow::Owned),
            (None, None) => None,
        }
    }

    /// Whether an offer of ours waits for its answer.
    pub fn is_offer_pending(&self) -> bool {
        matches!(self.state, State::Offered { .. })
    }

    /// Asks whether an offer could be answered, before anything is spent on it.
    ///
    /// # Errors
    /// The error that [`OfferAnswer::handle_offer`] would give.
    pub fn check_offer(
        &self,
        offer: &SessionDescription,
        local: SocketAddr,
    ) -> Result<(), NegotiationError> {
        self.choose(offer, local).map(|_| ())
    }

    /// The codecs that an answer to an offer would name, in its order.
    pub fn acceptable(&self, offer: &SessionDescription) -> Vec<Codec> {
        let mut streams = offer.media.iter().filter(|media| media.kind == MediaKind::Audio);
        let Some(media) = streams.find(|media| media.port != 0) else { return vec![] };
        let formats = formats_of(media, &self.capabilities);
        let mut codecs: Vec<Codec> = formats.filter_map(|(_, format)| format.codec()).collect();
        if let Preference::Ours(_) = self.capabilities.preference {
            let ours = &self.capabilities.codecs;
            codecs.sort_by_key(|codec| ours.iter().position(|known| known == codec));
        }
        codecs
    }

    /// Makes an offer: in an INVITE, in a 200 to an INVITE without one, or to change direction.
    ///
    /// `local` is where we receive, as the peer is to see it.
    ///
    /// # Errors
    /// When an offer is open already.
    pub fn offer(
        &mut self,
        local: SocketAddr,
        direction: Direction,
    ) -> Result<Bytes, NegotiationError> {
        // While what holds is still there to be asked.
        let ours = self.offered_stream(local, direction);
        let before = match std::mem::replace(&mut self.state, State::Initial) {
            State::Initial => None,
            State::Agreed(negotiated) => {
                self.local.clone().map(|text| Box::new((text, *negotiated)))
            }
            pending @ State::Offered { .. } => {
                self.state = pending;
                return Err(NegotiationError::OfferPending);
            }
        };
        let last = self.local();
        let index = last.as_deref().and_then(stream_index);
        let mut media = last.map_or_else(Vec::new, |last| last.into_owned().media);
        match index {
            Some(index) => media[index] = ours,
            None => media.push(ours),
        }
        self.state = State::Offered { direction, before };
        let (text, description) = self.describe(local, media);
        self.draft = Some(Box::new(description));
        Ok(text)
    }

    /// Takes the answer to our offer.
    ///
    /// # Errors
    /// When it refuses the stream or does not fit; the offer is then void, as after
    /// [`OfferAnswer::cancel_offer`].
    pub fn handle_answer(
        &mut self,
        answer: &SessionDescription,
    ) -> Result<Negotiated, NegotiationError> {
        let State::Offered { direction, .. } = self.state else {
            return Err(NegotiationError::NoOffer);
        };
        let result = self.read_answer(answer, direction);
        match &result {
            Ok(negotiated) => {
                self.state = State::Agreed(Box::new(negotiated.clone()));
                self.draft = None;
            }
            Err(_) => self.cancel_offer(),
        }
        result
    }

    /// Takes another answer to our first offer in place of the one that holds: that of another fork
    /// of the INVITE (RFC 3261 §13.2.1, RFC 6337 §3.1). `direction` is that of the offer.
    ///
    /// # Errors
    /// When no answer holds, or this one does not fit; what held before holds on.
    pub fn replace_answer(
        &mut self,
        answer: &SessionDescription,
        direction: Direction,
    ) -> Result<Negotiated, NegotiationError> {
        if !matches!(self.state, State::Agreed(_)) {
            return Err(NegotiationError::NoOffer);
        }
        let negotiated = self.read_answer(answer, direction)?;
        self.state = State::Agreed(Box::new(negotiated.clone()));
        Ok(negotiated)
    }

    /// Our offer was refused: what held before holds on (RFC 3261 §14.1).
    pub fn cancel_offer(&mut self) {
        if let State::Offered { before, .. } = &mut self.state {
            (self.local, self.state) = match before.take() {
                Some(before) => (Some(before.0), State::Agreed(Box::new(before.1))),
                None => (None, State::Initial),
            };
            self.draft = None;
        }
    }

    /// Answers an offer. `wanted` is the direction we want for ourselves; the answer never says
    /// more than the offer allows (RFC 3264 §6.1).
    ///
    /// # Errors
    /// When there is nothing to agree on; what held before holds on.
    pub fn handle_offer(
        &mut self,
        offer: &SessionDescription,
        local: SocketAddr,
        wanted: Direction,
    ) -> Result<(Bytes, Negotiated), NegotiationError> {
        if self.is_offer_pending() {
            return Err(NegotiationError::OfferPending);
        }
        let (index, mut choice) = self.choose(offer, local)?;
        choice.prefer(&self.capabilities);
        let chosen = &offer.media[index];
        let theirs = offer.direction(chosen);
        let remote = choice.remote;
        let mut direction = common(wanted, reverse(theirs));
        if remote.is_held {
            direction = without_sending(direction);
        }
        let shares_port = rtcp::shares_port(chosen) && rtcp::accepts(self.capabilities.rtcp_mux);
        let mut formats = choice.codecs.clone();
        formats.extend(choice.noise());
        formats
            .extend(choice.events().map(|(number, clock)| (number, Format::TelephoneEvent(clock))));
        let media = offer.media.iter().enumerate().map(|(at, media)| match at == index {
            true => {
                let ours = stream(local, &formats, direction);
                rtcp::complete(ours, &media.protocol, shares_port)
            }
            false => refused(media),
        });
        let media = media.collect();
        let (payload_type, codec) =
            choice.first_codec().ok_or(NegotiationError::NothingInCommon)?;
        let negotiated = Negotiated {
            remote: remote.address,
            codec,
            payload_type,
            // An answer repeats the numbers of the offer, so they mean the same both ways.
            receive: choice.audio().collect(),
            telephone_event: choice.event_beside(codec),
            telephone_event_receive: choice.events().map(|(number, _)| number).collect(),
            fast_events: choice.events().filter(is_fast).collect(),
            comfort_noise: choice.noise_beside(codec),
            opus: opus_settings(chosen, payload_type),
            direction,
            packet_time: chosen.packet_time(),
            rtcp: rtcp::path(chosen, remote.address, shares_port),
        };
        self.state = State::Agreed(Box::new(negotiated.clone()));
        Ok((self.describe(local, media).0, negotiated))
    }

    fn read_answer(
        &self,
        answer: &SessionDescription,
        offered: Direction,
    ) -> Result<Negotiated, NegotiationError> {
        let local = self.local().ok_or(NegotiationError::NoOffer)?;
        let index = stream_index(&local).ok_or(NegotiationError::NoOffer)?;
        if answer.media.len() != local.media.len() {
            return Err(NegotiationError::Layout);
        }
        let (ours, theirs) = (&local.media[index], &answer.media[index]);
        if theirs.kind != MediaKind::Audio {
            return Err(NegotiationError::Layout);
        }
        let family = local.connection.as_ref().is_some_and(|connection| connection.is_ipv6);
        let choice = Choice::of(answer, theirs, family, &self.capabilities)
            .ok_or(NegotiationError::NothingInCommon)?;
        let (payload_type, codec) =
            choice.first_codec().ok_or(NegotiationError::NothingInCommon)?;
        let mut direction = common(offered, reverse(answer.direction(theirs)));
        if choice.remote.is_held {
            direction = without_sending(direction);
        }
        let receive: SmallVec<[_; 2]> = formats_of(ours, &self.capabilities)
            .filter_map(|(number, format)| Some((number, format.codec()?)))
            .collect();
        let events = || {
            formats_of(ours, &self.capabilities)
                .filter_map(|(number, format)| Some((number, format.event()?)))
        };
        let mut telephone_event_receive: SmallVec<[_; 2]> =
            events().map(|(number, _)| number).collect();
        let mut fast_events: SmallVec<[_; 2]> = events().filter(is_fast).collect();
        // Peers that send telephone events under their own number rather than ours exist.
        for (number, clock) in choice.events() {
            let is_taken = receive.iter().any(|&(taken, _)| taken == number);
            if telephone_event_receive.contains(&number) || is_taken {
                continue;
            }
            telephone_event_receive.push(number);
            fast_events.extend(Some((number, clock)).filter(is_fast));
        }
        Ok(Negotiated {
            remote: choice.remote.address,
            codec,
            payload_type,
            receive,
            telephone_event: choice.event_beside(codec),
            telephone_event_receive,
            fast_events,
            comfort_noise: choice.noise_beside(codec),
            opus: opus_settings(theirs, payload_type),
            direction,
            packet_time: theirs.packet_time(),
            rtcp: rtcp::path(
                theirs,
                choice.remote.address,
                rtcp::shares_port(ours) && rtcp::shares_port(theirs),
            ),
        })
    }

    /// The stream of an offer that we take: the one we have already, else the first we can.
    fn choose(
        &self,
        offer: &SessionDescription,
        local: SocketAddr,
    ) -> Result<(usize, Choice), NegotiationError> {
        let last = self.local();
        let have = last.as_ref().map_or(0, |last| last.media.len());
        if offer.media.len() < have && matches!(self.state, State::Agreed(_)) {
            return Err(NegotiationError::Layout);
        }
        let current = last.as_deref().and_then(stream_index);
        let order = current.into_iter().chain(0..offer.media.len());
        order
            .filter_map(|at| Some((at, offer.media.get(at)?)))
            .find_map(|(at, media)| {
                Some((at, Choice::of(offer, media, local.is_ipv6(), &self.capabilities)?))
            })
            .ok_or(NegotiationError::NothingInCommon)
    }

    fn offered_stream(&self, local: SocketAddr, direction: Direction) -> MediaDescription {
        // An offer within a dialog keeps the numbers agreed on: a payload type, once mapped, is
        // never mapped otherwise (RFC 3264 §8.3.2).
        let in_use = self.negotiated();
        let mut formats: Vec<(PayloadType, Format)> = Vec::new();
        for &codec in &self.capabilities.codecs {
            let agreed = in_use.and_then(|negotiated| {
                negotiated
                    .receive
                    .iter()
                    .find(|&&(_, used)| used == codec)
                    .map(|&(number, _)| number)
            });
            let number = agreed
                .or_else(|| codec.static_payload_type())
                .unwrap_or_else(|| free_number(FIRST_CODEC, &formats));
            formats.push((number, Format::Audio(codec)));
        }
        // Never offered by us: nobody is asked to leave out what he would send. Once a peer wants it,
        // it stays.
        let noise = in_use.and_then(|negotiated| negotiated.comfort_noise);
        formats.extend(noise.map(|number| (number, Format::ComfortNoise)));
        if self.capabilities.telephone_events == TelephoneEvents::Enabled {
            // One for each clock of what may be said (RFC 4733 §2.1), and that which everybody knows.
            let clocks = self.capabilities.codecs.iter().map(|&codec| EventClock::of(codec));
            let mut clocks: SmallVec<[_; 4]> = clocks.chain([EventClock::SLOW]).collect();
            clocks.sort_unstable();
            clocks.dedup();
            for clock in clocks {
                let has_clock = |negotiated: &Negotiated, number: &PayloadType| {
                    let mut fast = negotiated.fast_events.iter();
                    let known = fast.find(|(fast, _)| fast == number);
                    known.map_or(EventClock::SLOW, |&(_, clock)| clock) == clock
                };
                let agreed = in_use
                    .and_then(|negotiated| {
                        let mut events = negotiated.telephone_event_receive.iter();
                        events.find(|number| has_clock(negotiated, number)).copied()
                    })
                    .filter(|number| !formats.iter().any(|(taken, _)| taken == number));
                let first = PayloadType::TELEPHONE_EVENT.number();
                let number = agreed.unwrap_or_else(|| free_number(first, &formats));
                formats.push((number, Format::TelephoneEvent(clock)));
            }
        }
        let ours = stream(local, &formats, direction);
        let last = self.local();
        let last = last.as_deref();
        let profile = last.and_then(|last| last.media.get(stream_index(last)?));
        let shares_port = self.capabilities.rtcp_mux == RtcpMux::Offer
            || in_use.is_some_and(|negotiated| negotiated.rtcp == RtcpPath::Muxed);
        rtcp::complete(ours, profile.map_or("", |media| media.protocol.as_str()), shares_port)
    }

    /// Makes the description, with a new version if it differs from the last.
    fn describe(
        &mut self,
        local: SocketAddr,
        media: Vec<MediaDescription>,
    ) -> (Bytes, SessionDescription) {
        let connection = Connection::new(local.ip());
        let is_same = self.local().is_some_and(|last| {
            last.media == media && last.connection.as_ref() == Some(&connection)
        });
        if self.local.is_some() && !is_same {
            self.version += 1;
        }
        let description = SessionDescription {
            origin: Origin {
                username: "-".to_owned(),
                session_id: self.session_id.to_string(),
                version: self.version.to_string(),
                address: connection.clone(),
            },
            name: "-".to_owned(),
            connection: Some(connection),
            attributes: vec![],
            media,
        };
        let text = description.to_bytes();
        self.local = Some(text.clone());
        (text, description)
    }
}

/// Which line of a description of ours is the stream in use.
fn stream_index(description: &SessionDescription) -> Option<usize> {
    let mut media = description.media.iter();
    media.position(|media| media.kind == MediaKind::Audio && media.port != 0)
}

/// Whether the clock of telephone events is another than 8 kHz.
fn is_fast(&(_, clock): &(PayloadType, EventClock)) -> bool {
    clock != EventClock::SLOW
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        media::{ForwardCorrection, OpusSilence},
        sdp::capabilities::Kept,
    };

    const LOCAL: &str = "198.51.100.1:10000";

    fn local() -> SocketAddr {
        LOCAL.parse().unwrap()
    }

    fn session() -> OfferAnswer {
        OfferAnswer::new(Capabilities::default(), 1000)
    }

    fn sdp(connection: &str, media: &str) -> SessionDescription {
        let text = format!("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN {connection}\nt=0 0\n{media}");
        SessionDescription::parse(text.as_bytes()).unwrap()
    }

    fn phone(media: &str) -> SessionDescription {
        sdp("IP4 192.0.2.1", media)
    }

    fn read(bytes: &Bytes) -> SessionDescription {
        SessionDescription::parse(bytes).unwrap()
    }

    fn number(number: u8) -> PayloadType {
        PayloadType::new(number).unwrap()
    }

    #[test]
    fn every_media_line_is_answered_in_its_place() {
        let offer = phone(
            "m=video 5000 RTP/AVP 96\na=rtpmap:96 H264/90000\n\
             m=audio 4000 RTP/SAVP 0\n\
             m=audio 4002 RTP/AVP 9 0 8 97\na=rtpmap:97 telephone-event/8000\n\
             m=audio 4004 RTP/AVP 0\n\
             m=image 4006 udptl t38\n",
        );
        let (answer, negotiated) =
            session().handle_offer(&offer, local(), Direction::SendReceive).unwrap();
        let answer = read(&answer);
        let ports: Vec<_> = answer.media.iter().map(|media| media.port).collect();
        assert_eq!(ports, [0, 0, 10000, 0, 0]);
        assert_eq!(answer.media[2].formats, ["0", "8", "97"]);
        assert_eq!(answer.media[0].protocol, "RTP/AVP");
        assert_eq!(answer.media[4].formats, ["t38"]);
        assert_eq!(answer.media[0].attributes, [super::super::Attribute::flag("inactive")]);
        assert!(answer.media[4].attributes.is_empty());
        assert_eq!(negotiated.codec, Codec::Pcmu);
        assert_eq!(negotiated.remote, Some("192.0.2.1:4002".parse().unwrap()));
        assert_eq!(negotiated.telephone_event, Some(number(97)));
    }

    #[test]
    fn peers_numbers_are_used_whatever_they_are() {
        let offer = phone(
            "m=audio 4000 RTP/AVP 100 0\na=rtpmap:100 pcma/8000/1\na=rtpmap:0 L16/44100\n\
             a=fmtp:100 x\n",
        );
        let (answer, negotiated) =
            session().handle_offer(&offer, local(), Direction::SendReceive).unwrap();
        assert_eq!((negotiated.codec, negotiated.payload_type), (Codec::Pcma, number(100)));
        assert_eq!(read(&answer).media[0].formats, ["100"]);
        assert_eq!(negotiated.telephone_event, None);
    }

    #[test]
    fn answer_may_number_telephone_events_otherwise_than_the_offer() {
        let mut session = session();
        let offer = read(&session.offer(local(), Direction::SendReceive).unwrap());
        assert_eq!(offer.media[0].formats, ["8", "0", "101"]);
        let answer = phone("m=audio 4000 RTP/AVP 8 96\na=rtpmap:96 telephone-event/8000\n");
        let negotiated = session.handle_answer(&answer).unwrap();
        assert_eq!(negotiated.telephone_event, Some(number(96)));
        assert_eq!(negotiated.telephone_event_receive[..], [number(101), number(96)]);
        assert_eq!(negotiated.receive[..], [(number(8), Codec::Pcma), (number(0), Codec::Pcmu)]);
        let again = read(&session.offer(local(), Direction::SendReceive).unwrap());
        assert_eq!(again.media[0].formats, ["8", "0", "101"]);
    }

    #[test]
    fn direction_is_what_both_sides_allow() {
        use Direction::{Inactive, ReceiveOnly, SendOnly, SendReceive};
        for (offered, wanted, expected) in [
            ("sendrecv", SendReceive, SendReceive),
            ("sendonly", SendReceive, ReceiveOnly),
            ("recvonly", SendReceive, SendOnly),
            ("inactive", SendReceive, Inactive),
            ("sendrecv", SendOnly, SendOnly),
            ("sendonly", SendOnly, Inactive),
        ] {
            let offer = phone(&format!("m=audio 4000 RTP/AVP 8\na={offered}\n"));
            let (answer, negotiated) = session().handle_offer(&offer, local(), wanted).unwrap();
            assert_eq!(negotiated.direction, expected, "{offered}");
            let answer = read(&answer);
            assert_eq!(answer.direction(&answer.media[0]), expected, "{offered}");
        }
    }

    #[test]
    fn old_style_hold_stops_our_sending() {
        let offer = sdp("IP4 0.0.0.0", "m=audio 4000 RTP/AVP 8\n");
        let (_, negotiated) =
            session().handle_offer(&offer, local(), Direction::SendReceive).unwrap();
        assert_eq!(negotiated.remote, None);
        assert_eq!(negotiated.direction, Direction::ReceiveOnly);
    }

    #[test]
    fn nothing_in_common_changes_nothing() {
        let mut session = session();
        let good = phone("m=audio 4000 RTP/AVP 8\n");
        session.handle_offer(&good, local(), Direction::SendReceive).unwrap();
        let before = session.negotiated().cloned();
        for media in [
            "m=audio 4000 RTP/AVP 9 18\n",
            "m=audio 0 RTP/AVP 8\n",
            "m=audio 4000 RTP/SAVP 8\n",
            "m=video 4000 RTP/AVP 8\n",
            "m=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n",
            "m=audio 4000 RTP/AVP 8\nc=IN IP4 224.2.0.1/127\n",
            "m=audio 4000 RTP/AVP 8\nc=IN IP4 255.255.255.255\n",
            "m=audio 4000 RTP/AVP 8\nc=IN IP6 2001:db8::1\n",
        ] {
            let result = session.handle_offer(&phone(media), local(), Direction::SendReceive);
            assert_eq!(result.unwrap_err(), NegotiationError::NothingInCommon, "{media}");
        }
        assert_eq!(session.negotiated().cloned(), before);
    }

    #[test]
    fn version_rises_only_with_a_change() {
        let mut session = session();
        let offer = phone("m=audio 4000 RTP/AVP 8\nm=video 4002 RTP/AVP 31\n");
        let answer = |session: &mut OfferAnswer, wanted| {
            read(&session.handle_offer(&offer, local(), wanted).unwrap().0).origin.version
        };
        assert_eq!(answer(&mut session, Direction::SendReceive), "1000");
        assert_eq!(answer(&mut session, Direction::SendReceive), "1000");
        assert_eq!(answer(&mut session, Direction::SendOnly), "1001");
        let hold = read(&session.offer(local(), Direction::SendOnly).unwrap());
        assert_eq!(hold.media.len(), 2);
        assert_eq!(hold.media[1].port, 0);
        assert_eq!(hold.origin.session_id, "1000");
    }

    #[test]
    fn glare_and_stray_answers_are_told_apart() {
        let mut session = session();
        let theirs = phone("m=audio 4000 RTP/AVP 8\n");
        assert_eq!(session.handle_answer(&theirs), Err(NegotiationError::NoOffer));
        session.offer(local(), Direction::SendReceive).unwrap();
        assert_eq!(
            session.handle_offer(&theirs, local(), Direction::SendReceive).unwrap_err(),
            NegotiationError::OfferPending
        );
        assert_eq!(
            session.offer(local(), Direction::SendReceive),
            Err(NegotiationError::OfferPending)
        );
        assert!(session.handle_answer(&theirs).is_ok());
    }

    #[test]
    fn refused_offer_leaves_what_held_before() {
        let mut session = session();
        let theirs = phone("m=audio 4000 RTP/AVP 8\n");
        session.handle_offer(&theirs, local(), Direction::SendReceive).unwrap();
        session.offer(local(), Direction::SendOnly).unwrap();
        assert_eq!(session.negotiated().unwrap().direction, Direction::SendReceive);
        session.cancel_offer();
        assert!(!session.is_offer_pending());
        assert_eq!(session.negotiated().unwrap().direction, Direction::SendReceive);
        assert!(session.handle_offer(&theirs, local(), Direction::SendReceive).is_ok());
    }

    #[test]
    fn answer_with_another_number_of_lines_is_refused() {
        let mut session = session();
        session.offer(local(), Direction::SendReceive).unwrap();
        let answer = phone("m=audio 4000 RTP/AVP 8\nm=audio 4002 RTP/AVP 8\n");
        assert_eq!(session.handle_answer(&answer), Err(NegotiationError::Layout));
        assert!(session.negotiated().is_none());
        assert!(!session.is_offer_pending());
    }

    fn wide() -> OfferAnswer {
        let codecs = vec![Codec::Opus, Codec::G722, Codec::Pcma];
        let preference = Preference::Ours(Kept::All);
        let telephone_events = TelephoneEvents::Enabled;
        OfferAnswer::new(
            Capabilities { codecs, preference, telephone_events, rtcp_mux: RtcpMux::default() },
            1000,
        )
    }

    #[test]
    fn an_answer_follows_the_order_that_is_preferred() {
        let offer = phone("m=audio 4000 RTP/AVP 8 0 9 96\na=rtpmap:96 opus/48000/2\n");
        for (preference, expected) in [
            (Preference::Ours(Kept::All), &["96", "9", "8"][..]),
            (Preference::Ours(Kept::First), &["96"]),
            (Preference::Theirs(Kept::All), &["8", "9", "96"]),
            (Preference::Theirs(Kept::First), &["8"]),
        ] {
            let mut session = wide();
            session.capabilities.preference = preference;
            let (answer, negotiated) =
                session.handle_offer(&offer, local(), Direction::SendReceive).unwrap();
            assert_eq!(read(&answer).media[0].formats, expected, "{preference:?}");
            assert_eq!(negotiated.receive.len(), expected.len());
            assert_eq!(negotiated.payload_type.number().to_string(), expected[0]);
        }
    }

    #[test]
    fn opus_is_offered_with_its_parameters_and_with_events_of_its_clock() {
        let mut session = wide();
        let offer = read(&session.offer(local(), Direction::SendReceive).unwrap());
        let media = &offer.media[0];
        assert_eq!(media.formats, ["107", "9", "8", "101", "102"]);
        assert_eq!(media.rtpmap("107"), Some(("opus", 48_000, 2)));
        assert_eq!(media.rtpmap("9"), Some(("G722", 8000, 1)));
        assert_eq!(media.rtpmap("102"), Some(("telephone-event", 48_000, 1)));
        assert!(media.parameters(107).any(|parameter| parameter == "useinbandfec=1"));
        let answer = phone(
            "m=audio 4000 RTP/AVP 111 110\na=rtpmap:111 opus/48000/2\n\
             a=fmtp:111 useinbandfec=1; usedtx=1;maxaveragebitrate=16000;maxplaybackrate=8000;\
             sprop-maxcapturerate=12000;stereo=1;sprop-stereo=1\n\
             a=rtpmap:110 telephone-event/48000\n",
        );
        let negotiated = session.handle_answer(&answer).unwrap();
        assert_eq!((negotiated.codec, negotiated.payload_type), (Codec::Opus, number(111)));
        assert_eq!(negotiated.receive[0], (number(107), Codec::Opus));
        let wanted = OpusSettings {
            forward_correction: ForwardCorrection::On,
            silence: OpusSilence::LeftOut,
            most_bits: Some(16_000),
            most_rate: Some(8000),
            most_said: Some(12_000),
        };
        assert_eq!(negotiated.opus, wanted);
        assert_eq!(negotiated.telephone_event, Some(number(110)));
        let fast = EventClock::of(Codec::Opus);
        assert_eq!(negotiated.fast_events[..], [(number(102), fast), (number(110), fast)]);
        let again = read(&session.offer(local(), Direction::SendReceive).unwrap());
        assert_eq!(again.media[0].formats, ["107", "9", "8", "101", "102"]);
    }

    #[test]
    fn events_have_the_clock_of_the_sound_beside_them() {
        let mut session = wide();
        session.capabilities.codecs =
            vec![Codec::L16Wide, Codec::G722, Codec::L16, Codec::Opus, Codec::L16Full];
        let offer = read(&session.offer(local(), Direction::SendReceive).unwrap());
        let events: Vec<_> = offer.media[0]
            .formats
            .iter()
            .filter_map(|format| offer.media[0].rtpmap(format))
            .filter_map(|(name, clock, _)| (name == "telephone-event").then_some(clock))
            .collect();
        assert_eq!(events, [8000, 16_000, 48_000]);
        session.cancel_offer();
        let rest = "a=rtpmap:96 L16/16000\na=rtpmap:97 opus/48000/2\na=rtpmap:98 L16/48000\n\
                    a=rtpmap:101 telephone-event/8000\na=rtpmap:102 telephone-event/16000\n\
                    a=rtpmap:103 telephone-event/48000\na=rtpmap:104 telephone-event/44100\n";
        // G.722's clock is 8 kHz, whatever it sounds like (RFC 3551 §4.5.2).
        for (first, expected) in [("96", 102), ("97", 103), ("98", 103), ("9", 101)] {
            let offer = format!("m=audio 4000 RTP/AVP {first} 101 102 103 104\n{rest}");
            let mut session = wide();
            session.capabilities.codecs =
                vec![Codec::L16Wide, Codec::G722, Codec::Opus, Codec::L16Full];
            let (answer, negotiated) =
                session.handle_offer(&phone(&offer), local(), Direction::SendReceive).unwrap();
            assert_eq!(negotiated.telephone_event, Some(number(expected)), "{first}");
            assert_eq!(read(&answer).media[0].formats, [first, "101", "102", "103"]);
            let clocks: Vec<_> = negotiated
                .fast_events
                .iter()
                .map(|(n, clock)| (n.number(), clock.hertz()))
                .collect();
            assert_eq!(clocks, [(102, 16_000), (103, 48_000)]);
        }
    }

    #[test]
    fn events_of_the_other_clock_do_where_there_are_no_others() {
        let offer = phone(
            "m=audio 4000 RTP/AVP 96 101\na=rtpmap:96 opus/48000/2\n\
             a=rtpmap:101 telephone-event/8000\n",
        );
        let (answer, negotiated) =
            wide().handle_offer(&offer, local(), Direction::SendReceive).unwrap();
        assert_eq!(read(&answer).media[0].formats, ["96", "101"]);
        assert_eq!(negotiated.telephone_event, Some(number(101)));
        assert!(negotiated.fast_events.is_empty());
    }

    #[test]
    fn comfort_noise_is_taken_when_offered_and_kept_and_never_asked_for() {
        let mut session = session();
        let ours = read(&session.offer(local(), Direction::SendReceive).unwrap());
        assert!(!ours.media[0].formats.contains(&"13".to_owned()));
        session.cancel_offer();
        for (formats, number) in [
            ("0 13 101\na=rtpmap:101 telephone-event/8000\n", 13),
            ("0 100\na=rtpmap:100 cn/8000\n", 100),
        ] {
            let mut session = self::session();
            let offer = phone(&format!("m=audio 4000 RTP/AVP {formats}"));
            let (answer, negotiated) =
                session.handle_offer(&offer, local(), Direction::SendReceive).unwrap();
            let answer = read(&answer);
            assert_eq!(negotiated.comfort_noise, Some(self::number(number)));
            assert_eq!(answer.media[0].formats[1], number.to_string());
            assert_eq!(answer.media[0].rtpmap(&number.to_string()), Some(("CN", 8000, 1)));
            assert_eq!(negotiated.receive.len(), 1);
            assert!(!negotiated.telephone_event_receive.contains(&self::number(number)));
            let again = read(&session.offer(local(), Direction::SendReceive).unwrap());
            assert!(again.media[0].formats.contains(&number.to_string()));
        }
        // Opus has its own, and another clock.
        let offer = phone("m=audio 4000 RTP/AVP 96 13\na=rtpmap:96 opus/48000/2\n");
        let (_, negotiated) = wide().handle_offer(&offer, local(), Direction::SendReceive).unwrap();
        assert_eq!(negotiated.comfort_noise, None);
        let noise = phone("m=audio 4000 RTP/AVP 13\n");
        let refused = self::session().handle_offer(&noise, local(), Direction::SendReceive);
        assert_eq!(refused.unwrap_err(), NegotiationError::NothingInCommon);
    }
}
