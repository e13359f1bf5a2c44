//! The non-INVITE client transaction (RFC 3261 §17.1.2).
//!
//! Sends a request until a final response, repeats it on datagrams, and absorbs what the network
//! doubles. Knows of a message only its bytes and a response's status.

use std::time::Instant;

use bytes::Bytes;

use super::{ClientEvent, Timers};
use crate::sip::flow::Transport;

/// One request other than INVITE and ACK, with its responses.
///
/// Drain `poll_transmit` and `poll_event` after each call: there is room for one output of each
/// kind, and a newer one replaces one that was not taken.
#[derive(Debug)]
pub struct ClientTransaction {
    state: State,
    request: Bytes,
    reliable: bool,
    timers: Timers,
    transmit: Option<Bytes>,
    event: Option<ClientEvent>,
}

/// The states of RFC 3261 figure 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Sent, nothing heard.
    Trying {
        /// Next repetition; `None` on reliable transports.
        timer_e: Option<Instant>,
        /// The wait that ends at `timer_e`, in the unit of [`Timers::t1`].
        interval: std::time::Duration,
        /// When to give up.
        timer_f: Instant,
    },
    /// A provisional response was heard.
    Proceeding {
        /// Next repetition; `None` on reliable transports.
        timer_e: Option<Instant>,
        /// When to give up.
        timer_f: Instant,
    },
    /// A final response was heard; its repetitions are absorbed.
    Completed {
        /// When repetitions can no longer come.
        timer_k: Instant,
    },
    /// Nothing more will happen.
    Terminated,
}

impl ClientTransaction {
    /// Starts the transaction: the first transmission is ready to be polled.
    pub fn new(request: Bytes, transport: Transport, timers: Timers, now: Instant) -> Self {
        let reliable = transport.is_reliable();
        let state = State::Trying {
            timer_e: (!reliable).then(|| now + timers.t1),
            interval: timers.t1,
            timer_f: now + timers.patience(),
        };
        Self { state, transmit: Some(request.clone()), request, reliable, timers, event: None }
    }

    /// The present state.
    pub fn state(&self) -> State {
        self.state
    }

    /// True when the transaction can be forgotten.
    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    /// A response with this transaction's branch and method arrived.
    pub fn handle_response(&mut self, status: u16, now: Instant) {
        self.state = match self.state {
            State::Trying { timer_e, timer_f, .. } | State::Proceeding { timer_e, timer_f }
                if status < 200 =>
            {
                // Timer E goes on with T2 (RFC 3261 §17.1.2.2): a server that answered need not be pressed.
                State::Proceeding { timer_e: timer_e.map(|_| now + self.timers.t2), timer_f }
            }
            State::Trying { .. } | State::Proceeding { .. } => {
                if self.reliable {
                    State::Terminated
                } else {
                    State::Completed { timer_k: now + self.timers.t4 }
                }
            }
            // A repeated final response is absorbed: that is what timer K is for.
            State::Completed { .. } | State::Terminated => return,
        };
        self.event = Some(ClientEvent::Response(status));
    }

    /// The transport could not send (RFC 3261 §17.1.4).
    pub fn handle_transport_error(&mut self) {
        if matches!(self.state, State::Trying { .. } | State::Proceeding { .. }) {
            self.state = State::Terminated;
            self.event = Some(ClientEvent::TransportFailed);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let t2 = self.timers.t2;
        self.state = match self.state {
            State::Trying { timer_f, .. } | State::Proceeding { timer_f, .. } if timer_f <= now => {
                self.event = Some(ClientEvent::TimedOut);
                State::Terminated
            }
            State::Trying { timer_e: Some(timer_e), interval, timer_f } if timer_e <= now => {
                self.transmit = Some(self.request.clone());
                let interval = (interval * 2).min(t2);
                State::Trying { timer_e: Some(now + interval), interval, timer_f }
            }
            State::Proceeding { timer_e: Some(timer_e), timer_f } if timer_e <= now => {
                self.transmit = Some(self.request.clone());
                State::Proceeding { timer_e: Some(now + t2), timer_f }
            }
            State::Completed { timer_k } if timer_k <= now => State::Terminated,
            State::Trying { .. }
            | State::Proceeding { .. }
            | State::Completed { .. }
            | State::Terminated => return,
        };
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
            State::Trying { timer_e, timer_f, .. } | State::Proceeding { timer_e, timer_f } => {
                Some(timer_e.map_or(timer_f, |timer_e| timer_e.min(timer_f)))
            }
            State::Completed { timer_k } => Some(timer_k),
            State::Terminated => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::clock;

    fn transaction(transport: Transport, start: Instant) -> ClientTransaction {
        ClientTransaction::new(Bytes::from_static(b"OPTIONS"), transport, Timers::default(), start)
    }

    #[test]
    fn unanswered_request_is_resent_with_backoff_until_timer_f() {
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
        assert_eq!(
            sent_at_ms,
            [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]
        );
        assert_eq!(now - start, Duration::from_secs(32));
        assert_eq!(tx.poll_event(), Some(ClientEvent::TimedOut));
    }

    #[test]
    fn reliable_transport_sends_once_and_still_gives_up_at_timer_f() {
        let start = clock();
        let mut tx = transaction(Transport::Tcp, start);
        assert!(tx.poll_transmit().is_some());
        assert_eq!(tx.poll_timeout(), Some(start + Duration::from_secs(32)));
        tx.handle_timeout(start + Duration::from_secs(32));
        assert_eq!((tx.poll_transmit(), tx.poll_event()), (None, Some(ClientEvent::TimedOut)));
    }

    #[test]
    fn provisional_response_slows_repetition_to_t2() {
        let start = clock();
        let mut tx = transaction(Transport::Udp, start);
        tx.handle_response(183, start + Duration::from_millis(100));
        assert_eq!(tx.poll_event(), Some(ClientEvent::Response(183)));
        assert_eq!(tx.poll_timeout(), Some(start + Duration::from_millis(4100)));
    }

    #[test]
    fn repeated_final_response_is_absorbed_until_timer_k() {
        let start = clock();
        let mut tx = transaction(Transport::Udp, start);
        tx.handle_response(200, start);
        assert_eq!(tx.poll_event(), Some(ClientEvent::Response(200)));
        tx.handle_response(200, start);
        assert_eq!(tx.poll_event(), None);
        assert_eq!(tx.poll_timeout(), Some(start + Duration::from_secs(5)));
        tx.handle_timeout(start + Duration::from_secs(5));
        assert!(tx.is_terminated());
    }

    #[test]
    fn final_response_on_a_reliable_transport_ends_at_once() {
        let start = clock();
        let mut tx = transaction(Transport::Tcp, start);
        tx.handle_response(404, start);
        assert_eq!(tx.poll_event(), Some(ClientEvent::Response(404)));
        assert!(tx.is_terminated() && tx.poll_timeout().is_none());
    }

    #[test]
    fn early_or_spurious_timeout_changes_nothing() {
        let start = clock();
        let mut tx = transaction(Transport::Udp, start);
        tx.poll_transmit();
        let before = tx.state();
        tx.handle_timeout(start + Duration::from_millis(499));
        assert_eq!((tx.state(), tx.poll_transmit()), (before, None));
    }

    #[test]
    fn transport_error_is_told_once_and_only_before_the_final_response() {
        let start = clock();
        let mut tx = transaction(Transport::Tcp, start);
        tx.handle_transport_error();
        assert_eq!(tx.poll_event(), Some(ClientEvent::TransportFailed));
        tx.handle_transport_error();
        assert_eq!(tx.poll_event(), None);
    }
}
