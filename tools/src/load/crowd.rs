//! The callers as one value: SIP by our own stack, media by the packet, no socket and no clock.
//!
//! Seats are numbered; each has a media address. The ways in are `call`, `handle_packet`,
//! `handle_media`, `turn` (a seat's 20 ms have come) and `handle_timeout`; what is to be sent comes
//! out of `poll_transmit`.

mod answered;
mod registering;

use std::{
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use diesis_engine::{
    entropy::Entropy,
    media::Direction,
    sdp::{Capabilities, Kept, OfferAnswer, Preference, SessionDescription, TelephoneEvents},
    sip::{
        Body, CallHandle, End, Endpoint, EndpointConfig, Event, Flow, Headers, Method, NameAddr,
        OutgoingCall, Request, Response, StatusCode, Transmit,
        auth::{Credentials, Responder, Secret},
    },
};

use super::{
    listener::Pacing,
    sound::{self, Frames, Sound},
    speaker::MOST_PACKET,
    tally::Tally,
    workload::{Fault, Part, Task, Workload},
};
use answered::Answered;
use registering::Registering;

/// Everybody who calls.
pub(super) struct Crowd {
    task: Task,
    endpoint: Endpoint,
    entropy: Entropy,
    seats: Vec<Seat>,
    by_call: HashMap<CallHandle, usize>,
    sounds: HashMap<(Sound, &'static str, u16), Option<Rc<Frames>>>,
    registering: Registering,
    /// The calls of which level count.
    level: u32,
    window: Window,
    tally: Tally,
    /// Where what is not measured is measured to.
    unmeasured: Pacing,
}

/// Whether what is heard counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    Closed,
    Open,
}

/// One caller's place.
struct Seat {
    media: SocketAddr,
    flow: Flow,
    part: Part,
    state: State,
}

enum State {
    Idle,
    Calling(Box<Calling>),
    Up(Box<Answered>),
    /// We have said goodbye.
    Leaving,
}

struct Calling {
    call: CallHandle,
    since: Instant,
    level: u32,
    media: OfferAnswer,
    /// What the challenge is answered for, and by.
    request: Request,
    responder: Responder,
}

/// What a seat does just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Nothing,
    Calling,
    Talking,
    Leaving,
}

impl Crowd {
    /// Callers on these media addresses, who signal from their seat's flow.
    pub(super) fn new(task: Task, media: &[(SocketAddr, Flow)], entropy: &mut Entropy) -> Self {
        let config = EndpointConfig {
            product: concat!("Diesis-load/", env!("CARGO_PKG_VERSION")).to_owned(),
            // An ended call is in the table for as long as its transactions: 32 s.
            max_calls: MOST_CALLS,
            max_transactions: MOST_CALLS,
            ..EndpointConfig::default()
        };
        let count = media.len();
        let seats = media.iter().enumerate().map(|(seat, &(media, flow))| {
            let part = task.part(seat, count);
            Seat { media, flow, part, state: State::Idle }
        });
        Self {
            seats: seats.collect(),
            endpoint: Endpoint::new(config, entropy.fork()),
            entropy: entropy.fork(),
            task,
            by_call: HashMap::new(),
            sounds: HashMap::new(),
            registering: Registering::default(),
            level: 0,
            window: Window::Closed,
            tally: Tally::default(),
            unmeasured: Pacing::default(),
        }
    }

    pub(super) fn task(&self) -> &Task {
        &self.task
    }

    /// What this seat does.
    pub(super) fn doing(&self, seat: usize) -> Doing {
        match self.seats.get(seat).map(|seat| &seat.state) {
            None | Some(State::Idle) => Doing::Nothing,
            Some(State::Calling(_)) => Doing::Calling,
            Some(State::Up(_)) => Doing::Talking,
            Some(State::Leaving) => Doing::Leaving,
        }
    }

    /// How many seats do this.
    pub(super) fn count(&self, doing: Doing) -> usize {
        (0..self.seats.len()).filter(|&seat| self.doing(seat) == doing).count()
    }

    /// Calls count anew from here on: those that begin later.
    pub(super) fn begin_level(&mut self) {
        self.level += 1;
        self.tally = Tally::default();
    }

    /// What is heard counts from here on.
    pub(super) fn open_window(&mut self) {
        self.window = Window::Open;
        self.tally.pacing = Pacing::default();
        (self.tally.sent, self.tally.not_sent) = (0, 0);
        for seat in &mut self.seats {
            if let State::Up(answered) = &mut seat.state {
                answered.listener.take();
            }
        }
    }

    /// What is heard counts no longer. Held calls are judged by what they heard in `time`.
    pub(super) fn close_window(&mut self, time: Duration) {
        self.window = Window::Closed;
        if self.task.workload.is_a_flow() {
            return;
        }
        for seat in &mut self.seats {
            let State::Up(answered) = &mut seat.state else { continue };
            let heard = answered.listener.take();
            self.tally.hear(heard);
            match self.task.fault(seat.part, heard, time) {
                Some(fault) => self.tally.fault(fault),
                None => self.tally.good += 1,
            }
        }
    }

    /// What was counted in this level.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Lets an idle seat call.
    pub(super) fn call(&mut self, seat: usize, now: Instant) {
        let Some(place) = self.seats.get_mut(seat) else { return };
        if !matches!(place.state, State::Idle) {
            return;
        }
        self.tally.tried += 1;
        let capabilities = Capabilities {
            codecs: vec![place.part.codec],
            preference: Preference::Ours(Kept::All),
            telephone_events: TelephoneEvents::Enabled,
            ..Capabilities::default()
        };
        let mut media = OfferAnswer::new(capabilities, self.entropy.next_u64());
        let Ok(offer) = media.offer(place.media, Direction::SendReceive) else { return };
        let target = self.task.target.uri(&self.task.number(seat));
        let from = NameAddr::new(diesis_engine::sip::Uri::sip_at(
            self.task.user.as_bytes(),
            place.flow.local,
        ));
        let request = Request::new(Method::Invite, &target);
        let call = OutgoingCall::new(target, place.flow, from).with_body(Body::sdp(offer));
        match self.endpoint.call(call, now) {
            Ok(call) => {
                let (level, responder) = (self.level, Responder::new());
                let calling = Calling { call, since: now, level, media, request, responder };
                place.state = State::Calling(Box::new(calling));
                self.by_call.insert(call, seat);
            }
            Err(error) => self.tally.refuse(&format!("not sent: {error}")),
        }
        self.drain_events(now);
    }

    /// Ends what a seat does: with BYE, or CANCEL before the answer.
    pub(super) fn leave(&mut self, seat: usize, now: Instant) {
        let Some(place) = self.seats.get_mut(seat) else { return };
        let call = match &place.state {
            State::Idle | State::Leaving => return,
            State::Calling(calling) => calling.call,
            State::Up(answered) => answered.call,
        };
        let is_up = matches!(place.state, State::Up(_));
        place.state = State::Leaving;
        let headers = Headers::default();
        // What can not be ended has ended.
        let _gone = match is_up {
            true => self.endpoint.bye(call, &headers, now),
            false => self.endpoint.cancel(call, &headers, now),
        };
        self.drain_events(now);
    }

    /// A datagram came to a signalling socket.
    pub(super) fn handle_packet(&mut self, flow: Flow, bytes: Bytes, now: Instant) {
        self.endpoint.handle_packet(flow, bytes, now);
        self.drain_events(now);
    }

    /// A datagram came to a seat's media socket, at a time of the system's clock in nanoseconds.
    pub(super) fn handle_media(&mut self, seat: usize, datagram: &[u8], arrival: i64) {
        let Some(State::Up(answered)) = self.seats.get_mut(seat).map(|seat| &mut seat.state) else {
            return;
        };
        let pacing = match self.window {
            Window::Open => &mut self.tally.pacing,
            Window::Closed => &mut self.unmeasured,
        };
        answered.listener.handle_packet(datagram, arrival, pacing);
    }

    /// The seat's 20 ms have come: what it sends, and where to.
    pub(super) fn turn(
        &mut self,
        seat: usize,
        out: &mut [u8; MOST_PACKET],
        now: Instant,
    ) -> Option<(usize, SocketAddr)> {
        let State::Up(answered) = &mut self.seats.get_mut(seat)?.state else { return None };
        let keys = (self.task.workload == Workload::Menu).then_some(&*self.task.keys);
        match answered.turn(keys, &self.task, out, now) {
            Ok(packet) => packet,
            Err(fault) => {
                let level = answered.level;
                self.leave(seat, now);
                self.count_fault(fault, level);
                None
            }
        }
    }

    /// Whether a packet of `turn` went out.
    pub(super) fn count_sent(&mut self, went: bool) {
        match went {
            true => self.tally.sent += 1,
            false => self.tally.not_sent += 1,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.drain_events(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.endpoint.poll_transmit()
    }

    fn drain_events(&mut self, now: Instant) {
        while let Some(event) = self.endpoint.poll_event() {
            self.handle_event(event, now);
        }
    }

    fn handle_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Challenged { call, response } => self.answer_challenge(call, &response, now),
            Event::Answered { call, response } => self.handle_answer(call, &response, now),
            Event::Ended { call, end } => self.handle_end(call, &end, now),
            Event::Reoffer { call, request } => self.answer_offer(call, &request, now),
            Event::Response { request, response } => {
                self.handle_registration(request, Ok(response), now);
            }
            Event::RequestFailed { request, failure } => {
                self.handle_registration(request, Err(failure), now);
            }
            Event::Request { transaction, .. } | Event::InDialog { transaction, .. } => {
                let none = Headers::default();
                let _gone = self.endpoint.respond(transaction, StatusCode::OK, &none, None, now);
            }
            Event::Refer { transaction, .. } => {
                let (status, none) = (StatusCode::DECLINE, Headers::default());
                let _gone = self.endpoint.respond(transaction, status, &none, None, now);
            }
            Event::IncomingCall { call, .. } => {
                let (status, none) = (StatusCode::BUSY_HERE, Headers::default());
                let _gone = self.endpoint.reject_stateless(call, status, &none, now);
            }
            _ => {}
        }
    }

    fn answer_challenge(&mut self, call: CallHandle, response: &Response, now: Instant) {
        let Some(&seat) = self.by_call.get(&call) else { return };
        let State::Calling(calling) = &mut self.seats[seat].state else { return };
        let headers = self.task.password.as_deref().and_then(|password| {
            let known = credentials(&self.task.user, password);
            let Calling { request, responder, .. } = &mut **calling;
            responder.answer(response, request, &[known], &mut self.entropy).ok()?;
            Some(request.headers().clone())
        });
        let answered =
            headers.is_some_and(|headers| self.endpoint.authenticate(call, &headers, now).is_ok());
        if !answered {
            self.count_refusal(seat, &cause(response));
            self.leave(seat, now);
        }
    }

    fn handle_answer(&mut self, call: CallHandle, response: &Response, now: Instant) {
        let Some(&seat) = self.by_call.get(&call) else { return };
        let place = &mut self.seats[seat];
        let State::Calling(calling) = &mut place.state else { return };
        let (level, since) = (calling.level, calling.since);
        if level == self.level {
            self.tally.answered += 1;
            self.tally.set_up.add(now - since);
        }
        let agreed = SessionDescription::parse(response.body())
            .ok()
            .and_then(|answer| calling.media.handle_answer(&answer).ok());
        let Some(agreed) = agreed else {
            self.leave(seat, now);
            return self.count_fault(Fault::NoAgreement, level);
        };
        let hertz = sound::hertz(place.part.place);
        let sound = place.part.sound;
        let amplitude = self.task.amplitude();
        let frames = self
            .sounds
            .entry((sound, agreed.codec.name(), hertz))
            .or_insert_with(|| Frames::new(sound, agreed.codec, hertz, amplitude).map(Rc::new));
        let media =
            std::mem::replace(&mut calling.media, OfferAnswer::new(Capabilities::default(), 0));
        let answered = Answered::new(
            call,
            level,
            (media, &agreed),
            frames.clone(),
            (hertz, amplitude),
            &mut self.entropy,
            now,
        );
        let needs_keys = self.task.workload == Workload::Menu && !answered.speaker.has_keys();
        place.state = State::Up(Box::new(answered));
        if needs_keys {
            self.leave(seat, now);
            self.count_fault(Fault::NoKeys, level);
        }
    }

    /// The other side changes the session: taken, whatever it is.
    fn answer_offer(&mut self, call: CallHandle, request: &Request, now: Instant) {
        let Some(&seat) = self.by_call.get(&call) else { return };
        let place = &mut self.seats[seat];
        let State::Up(answered) = &mut place.state else { return };
        let body = answered.answer_offer(request.body(), place.media);
        let none = Headers::default();
        let _gone = match body {
            Some(body) => self.endpoint.accept_offer(call, &none, Some(&body), now),
            None => {
                let status = StatusCode::NOT_ACCEPTABLE_HERE;
                self.endpoint.refuse_offer(call, status, &none, now)
            }
        };
    }

    fn handle_end(&mut self, call: CallHandle, end: &End, now: Instant) {
        let Some(seat) = self.by_call.remove(&call) else { return };
        match std::mem::replace(&mut self.seats[seat].state, State::Idle) {
            State::Idle | State::Leaving => {}
            State::Calling(calling) => {
                if calling.level == self.level {
                    self.tally.refuse(&match end {
                        End::Refused { response } => cause(response),
                        End::Failed(failure) => format!("no answer ({})", failure.status().code()),
                        _ => "ended before the answer".to_owned(),
                    });
                }
            }
            State::Up(answered) => {
                let level = answered.level;
                if self.task.workload != Workload::Menu {
                    return self.count_fault(Fault::HungUpOn, level);
                }
                if level != self.level {
                    return;
                }
                self.tally.hear(answered.listener.now());
                match answered.keys_up_since() {
                    Some(since) => {
                        self.tally.reaction.add(now - since);
                        self.tally.good += 1;
                    }
                    None => self.tally.fault(Fault::TooEarly),
                }
            }
        }
    }

    fn count_refusal(&mut self, seat: usize, cause: &str) {
        let State::Calling(calling) = &self.seats[seat].state else { return };
        if calling.level == self.level {
            self.tally.refuse(cause);
        }
    }

    fn count_fault(&mut self, fault: Fault, level: u32) {
        if level == self.level {
            self.tally.fault(fault);
        }
    }
}

fn credentials<'a>(user: &'a str, password: &'a str) -> Credentials<'a> {
    let secret = Secret::Password(password.as_bytes());
    // Whoever is loaded is the one who was named.
    Credentials { username: user.as_bytes(), realm: None, secret }
}

fn cause(response: &Response) -> String {
    let reason = String::from_utf8_lossy(response.reason());
    format!("{} {reason}", response.status().code())
}

/// Calls and transactions at one time, those included that only linger.
const MOST_CALLS: usize = 1 << 18;

#[cfg(test)]
mod tests;
