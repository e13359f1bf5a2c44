//! The non-INVITE server transaction (RFC 3261 §17.2.2, with the corrections of RFC 4320).
//!
//! Holds the response so that a repeated request gets the same one, and is not executed twice.

use std::time::Instant;

use bytes::Bytes;

use super::{ServerEvent, Timers};
use crate::sip::flow::Transport;

/// One received request other than INVITE and ACK, with its responses.
///
/// Drain `poll_transmit` and `poll_event` after each call: there is room for one output of each
/// kind, and a newer one replaces one that was not taken.
#[derive(Debug)]
pub struct ServerTransaction {
    state: State,
    reliable: bool,
    timers: Timers,
    transmit: Option<Bytes>,
    event: Option<ServerEvent>,
}

/// The states of RFC 3261 figure 8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Received, nothing answered.
    Trying {
        /// When the client has given up (its timer F), so that an answer would be of no use.
        abandoned: Instant,
    },
    /// A provisional response was sent.
    Proceeding {
        /// The last response.
        response: Bytes,
        /// As in `Trying`.
        abandoned: Instant,
    },
    /// The final response was sent; each repetition of the request gets it again.
    Completed {
        /// The final response.
        response: Bytes,
        /// When repetitions can no longer come.
        timer_j: Instant,
    },
    /// Nothing more will happen.
    Terminated,
}

impl ServerTransaction {
    /// Starts the transaction for a request that was received just now.
    pub fn new(transport: Transport, timers: Timers, now: Instant) -> Self {
        // RFC 4320 §4.2: nothing is sent after the client's timer F, so there is nothing to keep.
        let state = State::Trying { abandoned: now + timers.patience() };
        Self { state, reliable: transport.is_reliable(), timers, transmit: None, event: None }
    }

    /// The present state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// True when the transaction can be forgotten.
    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    /// True while a final response may still be given.
    pub fn is_answerable(&self) -> bool {
        matches!(self.state, State::Trying { .. } | State::Proceeding { .. })
    }

    /// The request was received again.
    pub fn handle_retransmission(&mut self) {
        match &self.state {
            State::Proceeding { response, .. } | State::Completed { response, .. } => {
                self.transmit = Some(response.clone());
            }
            // Discarded (RFC 3261 §17.2.2).
            State::Trying { .. } | State::Terminated => {}
        }
    }

    /// The transaction user answers. A response after the final one is discarded.
    pub fn handle_response(&mut self, status: u16, response: Bytes, now: Instant) {
        let (State::Trying { abandoned } | State::Proceeding { abandoned, .. }) = self.state else {
            return;
        };
        self.transmit = Some(response.clone());
        self.state = if status < 200 {
            State::Proceeding { response, abandoned }
        } else if self.reliable {
            State::Terminated
        } else {
            State::Completed { response, timer_j: now + self.timers.patience() }
        };
    }

    /// The transport could not send (RFC 3261 §17.2.4).
    pub fn handle_transport_error(&mut self) {
        if self.state != State::Terminated {
            self.state = State::Terminated;
            self.event = Some(ServerEvent::TransportFailed);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let (State::Trying { abandoned: end }
        | State::Proceeding { abandoned: end, .. }
        | State::Completed { timer_j: end, .. }) = self.state
        else {
            return;
        };
        if end <= now {
            if self.is_answerable() {
                self.event = Some(ServerEvent::TimedOut);
            }
            self.state = State::Terminated;
        }
    }

    /// The bytes to send now.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmit.take()
    }

    /// What the transaction user has to hear.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.event.take()
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Trying { abandoned } | State::Proceeding { abandoned, .. } => Some(abandoned),
            State::Completed { timer_j, .. } => Some(timer_j),
            State::Terminated => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::clock;

    const OK: Bytes = Bytes::from_static(b"200");

    fn transaction(transport: Transport, start: Instant) -> ServerTransaction {
        ServerTransaction::new(transport, Timers::default(), start)
    }

    #[test]
    fn repetition_before_any_response_is_discarded() {
        let start = clock();
        let mut tx = transaction(Transport::Udp, start);
        tx.handle_retransmission();
        assert_eq!(tx.poll_transmit(), None);
    }

    #[test]
    fn repetition_gets_the_final_response_again_until_timer_j() {
        let start = clock();
        let mut tx = transaction(Transport::Udp, start);
        tx.handle_response(200, OK, start);
        assert_eq!(tx.poll_transmit(), Some(OK));
        tx.handle_retransmission();
        assert_eq!(tx.poll_transmit(), Some(OK));
        tx.handle_response(500, Bytes::from_static(b"500"), start);
        assert_eq!(tx.poll_transmit(), None);
        assert_eq!(tx.poll_timeout(), Some(start + Duration::from_secs(32)));
        tx.handle_timeout(start + Duration::from_secs(32));
        assert!(tx.is_terminated() && tx.poll_event().is_none());
    }

    #[test]
    fn final_response_on_a_reliable_transport_ends_at_once() {
        let start = clock();
        let mut tx = transaction(Transport::Tcp, start);
        tx.handle_response(200, OK, start);
        assert_eq!(tx.poll_transmit(), Some(OK));
        assert!(tx.is_terminated());
    }

    #[test]
    fn request_nobody_answers_is_dropped_when_its_client_has_given_up() {
        let start = clock();
        let mut tx = transaction(Transport::Udp, start);
        tx.handle_response(183, Bytes::from_static(b"183"), start);
        tx.handle_timeout(start + Duration::from_millis(31_999));
        assert!(tx.is_answerable());
        tx.handle_timeout(start + Duration::from_secs(32));
        assert_eq!(tx.poll_event(), Some(ServerEvent::TimedOut));
        assert!(tx.is_terminated());
    }
}
