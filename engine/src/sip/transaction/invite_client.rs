//! The INVITE client transaction (RFC 3261 §17.1.1 with the Accepted state of RFC 6026 §8.4).
//!
//! Sends the INVITE, acknowledges failures hop by hop, and lets every 2xx through for as long as
//! forked ones may come. The ACK of a 2xx is the dialog's (RFC 3261 §13.2.2.4), not sent here.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{ClientEvent, Timers};
use crate::sip::flow::Transport;

/// One INVITE with its responses, on the caller's side.
///
/// Drain `poll_transmit` and `poll_event` after each call: there is room for one output of each
/// kind, and a newer one replaces one that was not taken.
#[derive(Debug)]
pub struct InviteClientTransaction {
    state: State,
    request: Bytes,
    reliable: bool,
    cancelled: bool,
    timers: Timers,
    transmit: Option<Bytes>,
    event: Option<ClientEvent>,
}

/// The states of RFC 6026 figure 5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Sent, nothing heard.
    Calling {
        /// Next repetition; `None` on reliable transports.
        timer_a: Option<Instant>,
        /// The wait that ends at `timer_a`.
        interval: Duration,
        /// When to give up.
        timer_b: Instant,
    },
    /// A provisional response was heard: ringing may last.
    Proceeding {
        /// When to stop waiting.
        ///
        /// Differs from RFC 3261 §17.1.1.2: a caller's transaction ends here as a proxy's does
        /// (timer C of §16.6), because a callee that vanished while ringing would stay for ever.
        /// After a CANCEL it is the 64*T1 of §9.1.
        timer_c: Instant,
    },
    /// A failure was heard and acknowledged; its repetitions are acknowledged again.
    Completed {
        /// What to send for each repetition.
        ack: Bytes,
        /// When repetitions can no longer come.
        timer_d: Instant,
    },
    /// A 2xx was heard; further ones, repeated or forked, are passed on.
    Accepted {
        /// When no further ones can come.
        timer_m: Instant,
    },
    /// Nothing more will happen.
    Terminated,
}

impl InviteClientTransaction {
    /// Starts the transaction: the first transmission is ready to be polled.
    pub fn new(request: Bytes, transport: Transport, timers: Timers, now: Instant) -> Self {
        let reliable = transport.is_reliable();
        let state = State::Calling {
            timer_a: (!reliable).then(|| now + timers.t1),
            interval: timers.t1,
            timer_b: now + timers.patience(),
        };
        Self {
            state,
            transmit: Some(request.clone()),
            request,
            reliable,
            cancelled: false,
            timers,
            event: None,
        }
    }

    /// The present state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// True when the transaction can be forgotten.
    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    /// A response with this transaction's branch arrived; `ack` writes the ACK it would need as a
    /// failure (RFC 3261 §17.1.1.3) and is called at most once in the transaction's life.
    pub fn handle_response(&mut self, status: u16, ack: impl FnOnce() -> Bytes, now: Instant) {
        match &self.state {
            State::Calling { .. } if status < 200 => {
                self.state = State::Proceeding { timer_c: now + self.timers.c };
            }
            State::Proceeding { timer_c } if status < 200 => {
                // A 100 proves only that the next hop lives, and no wait that is over is prolonged.
                let renewed = status > 100 && !self.cancelled;
                let timer_c = if renewed { now + self.timers.c } else { *timer_c };
                self.state = State::Proceeding { timer_c };
            }
            State::Calling { .. } | State::Proceeding { .. } if status < 300 => {
                self.state = State::Accepted { timer_m: now + self.timers.patience() };
            }
            State::Calling { .. } | State::Proceeding { .. } => {
                let ack = ack();
                self.transmit = Some(ack.clone());
                self.state = if self.reliable {
                    State::Terminated
                } else {
                    // RFC 3261 §17.1.1.2: at least 32 s, the time a server may repeat its response.
                    let timer_d = self.timers.patience().max(Duration::from_secs(32));
                    State::Completed { ack, timer_d: now + timer_d }
                };
            }
            State::Completed { ack, .. } => {
                if status >= 300 {
                    self.transmit = Some(ack.clone());
                }
                return;
            }
            State::Accepted { .. } if (200..300).contains(&status) => {}
            State::Accepted { .. } | State::Terminated => return,
        }
        self.event = Some(ClientEvent::Response(status));
    }

    /// The transport could not send (RFC 3261 §17.1.4; in Accepted nothing is to be sent).
    pub fn handle_transport_error(&mut self) {
        match self.state {
            State::Calling { .. } | State::Proceeding { .. } => {
                self.state = State::Terminated;
                self.event = Some(ClientEvent::TransportFailed);
            }
            // The failure was already told; without a path the ACK cannot be repeated.
            State::Completed { .. } => self.state = State::Terminated,
            State::Accepted { .. } | State::Terminated => {}
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            State::Calling { timer_b, .. } if timer_b <= now => {
                self.event = Some(ClientEvent::TimedOut);
                self.state = State::Terminated;
            }
            State::Proceeding { timer_c } if timer_c <= now => {
                self.event = Some(ClientEvent::TimedOut);
                if self.cancelled {
                    self.state = State::Terminated;
                } else {
                    // The user sends CANCEL now (RFC 3261 §16.8); the 487 finds us here.
                    self.handle_cancel(now);
                }
            }
            State::Calling { timer_a: Some(timer_a), interval, timer_b } if timer_a <= now => {
                self.transmit = Some(self.request.clone());
                // Unlike timer E this one doubles without a ceiling (RFC 3261 §17.1.1.2).
                let interval = interval * 2;
                self.state = State::Calling { timer_a: Some(now + interval), interval, timer_b };
            }
            State::Completed { timer_d: end, .. } | State::Accepted { timer_m: end }
                if end <= now =>
            {
                self.state = State::Terminated;
            }
            State::Calling { .. }
            | State::Proceeding { .. }
            | State::Completed { .. }
            | State::Accepted { .. }
            | State::Terminated => {}
        }
    }

    /// A CANCEL was sent, or the user has left: when no final response comes within 64*T1, the
    /// transaction is over all the same (RFC 3261 §9.1).
    pub fn handle_cancel(&mut self, now: Instant) {
        if let State::Proceeding { timer_c } = &mut self.state {
            *timer_c = now + self.timers.patience();
            self.cancelled = true;
        }
    }

    /// The bytes to send now.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmit.take()
    }

    /// What the transaction user has to hear.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.event.take()
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Calling { timer_a, timer_b, .. } => {
                Some(timer_a.map_or(timer_b, |timer_a| timer_a.min(timer_b)))
            }
            State::Proceeding { timer_c: end }
            | State::Completed { timer_d: end, .. }
            | State::Accepted { timer_m: end } => Some(end),
            State::Terminated => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    fn transaction(transport: Transport, start: Instant) -> InviteClientTransaction {
        InviteClientTransaction::new(
            Bytes::from_static(b"INVITE"),
            transport,
            Timers::default(),
            start,
        )
    }

    fn ack() -> Bytes {
        Bytes::from_static(b"ACK")
    }

    fn no_ack() -> Bytes {
        panic!("no ACK is due here")
    }

    #[test]
    fn unanswered_invite_doubles_its_wait_without_ceiling_until_timer_b() {
        let start = clock();
        let mut tx = transaction(Transport::Udp, start);
        let mut sent_at_ms = vec![];
        let mut now = start;
        loop {
            while tx.poll_transmit().is_some() {
                sent_at_ms.push((now - start).as_millis());
            }
            let Some(deadline) = tx.poll_timeout() else { break };
            now = deadline;
            tx.handle_timeout(now);
        }
        assert_eq!(sent_at_ms, [0, 500, 1500, 3500, 7500, 15500, 31500]);
        assert_eq!(now - start, Duration::from_secs(32));
        assert_eq!(tx.poll_event(), Some(ClientEvent::TimedOut));
    }

    #[test]
    fn provisional_response_stops_repetition_and_each_one_but_100_renews_timer_c() {
        let start = clock();
        let c = Timers::default().c;
        let mut tx = transaction(Transport::Udp, start);
        tx.handle_response(100, no_ack, start);
        assert_eq!(tx.poll_timeout(), Some(start + c));
        let later = start + Duration::from_secs(60);
        tx.handle_response(100, no_ack, later);
        assert_eq!(tx.poll_timeout(), Some(start + c));
        tx.handle_response(180, no_ack, later);
        assert_eq!(tx.poll_timeout(), Some(later + c));
        tx.poll_event();
        tx.handle_timeout(later + c);
        assert_eq!((tx.poll_event(), tx.is_terminated()), (Some(ClientEvent::TimedOut), false));
        tx.handle_timeout(later + c + Duration::from_secs(32));
        assert!(tx.is_terminated());
    }

    #[test]
    fn cancelled_invite_without_final_response_is_over_after_64_t1() {
        let start = clock();
        let mut tx = transaction(Transport::Udp, start);
        tx.handle_response(180, no_ack, start);
        tx.poll_event();
        tx.handle_cancel(start);
        tx.handle_response(180, no_ack, start + Duration::from_secs(31));
        assert_eq!(tx.poll_timeout(), Some(start + Duration::from_secs(32)));
        tx.poll_event();
        tx.handle_timeout(start + Duration::from_secs(32));
        assert_eq!((tx.poll_event(), tx.is_terminated()), (Some(ClientEvent::TimedOut), true));
    }

    #[test]
    fn failure_is_acknowledged_each_time_but_told_once() {
        let start = clock();
        let mut tx = transaction(Transport::Udp, start);
        tx.poll_transmit();
        tx.handle_response(486, ack, start);
        assert_eq!(
            (tx.poll_transmit(), tx.poll_event()),
            (Some(ack()), Some(ClientEvent::Response(486)))
        );
        tx.handle_response(486, no_ack, start);
        assert_eq!((tx.poll_transmit(), tx.poll_event()), (Some(ack()), None));
        assert_eq!(tx.poll_timeout(), Some(start + Duration::from_secs(32)));
        tx.handle_timeout(start + Duration::from_secs(32));
        assert!(tx.is_terminated());
    }

    #[test]
    fn every_2xx_is_told_until_timer_m_and_never_acknowledged_here() {
        let start = clock();
        let mut tx = transaction(Transport::Udp, start);
        tx.poll_transmit();
        for _ in 0..3 {
            tx.handle_response(200, no_ack, start);
            assert_eq!(
                (tx.poll_transmit(), tx.poll_event()),
                (None, Some(ClientEvent::Response(200)))
            );
        }
        tx.handle_response(486, no_ack, start);
        assert_eq!(tx.poll_event(), None);
        assert_eq!(tx.poll_timeout(), Some(start + Duration::from_secs(32)));
        tx.handle_timeout(start + Duration::from_secs(32));
        assert!(tx.is_terminated());
    }

    #[test]
    fn failure_on_a_reliable_transport_is_acknowledged_and_ends_at_once() {
        let start = clock();
        let mut tx = transaction(Transport::Tcp, start);
        assert!(tx.poll_transmit().is_some());
        assert_eq!(tx.poll_timeout(), Some(start + Duration::from_secs(32)));
        tx.handle_response(486, ack, start);
        assert_eq!(tx.poll_transmit(), Some(ack()));
        assert!(tx.is_terminated());
    }

    #[test]
    fn transport_error_ends_an_unanswered_invite_only() {
        let start = clock();
        let mut tx = transaction(Transport::Udp, start);
        tx.handle_response(200, no_ack, start);
        tx.poll_event();
        tx.handle_transport_error();
        assert_eq!(tx.poll_event(), None);
        let mut tx = transaction(Transport::Udp, start);
        tx.handle_transport_error();
        assert_eq!(tx.poll_event(), Some(ClientEvent::TransportFailed));
        assert!(tx.is_terminated());
    }
}
