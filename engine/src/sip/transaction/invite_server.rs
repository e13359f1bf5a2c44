//! The INVITE server transaction (RFC 3261 §17.2.1 with the Accepted state of RFC 6026 §8.5).
//!
//! Repeats a failure until it is acknowledged, and absorbs what the network doubles. A 2xx is
//! repeated by the INVITE usage (RFC 3261 §13.3.1.4), which passes each copy through here.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{ServerEvent, Timers};
use crate::sip::flow::Transport;

/// One received INVITE with its responses.
///
/// Drain `poll_transmit` and `poll_event` after each call: there is room for one output of each
/// kind, and a newer one replaces one that was not taken.
#[derive(Debug)]
pub struct InviteServerTransaction {
    state: State,
    reliable: bool,
    timers: Timers,
    transmit: Option<Bytes>,
    event: Option<ServerEvent>,
}

/// The states of RFC 6026 figure 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Received; perhaps a provisional response was sent. No deadline: ringing may last.
    Proceeding {
        /// The last provisional response.
        provisional: Option<Bytes>,
    },
    /// A failure was sent and is not acknowledged yet.
    Completed {
        /// The failure.
        response: Bytes,
        /// Next repetition; `None` on reliable transports.
        timer_g: Option<Instant>,
        /// The wait that ends at `timer_g`.
        interval: Duration,
        /// When to stop waiting for the ACK.
        timer_h: Instant,
    },
    /// The failure was acknowledged; repeated ACKs are absorbed.
    Confirmed {
        /// When they can no longer come.
        timer_i: Instant,
    },
    /// A 2xx was sent; repeated INVITEs are absorbed.
    Accepted {
        /// When they can no longer come.
        timer_l: Instant,
    },
    /// Nothing more will happen.
    Terminated,
}

/// What an ACK that matched the transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// It ends here: the acknowledgement of a failure, or out of place.
    Absorbed,
    /// It acknowledges the 2xx and goes to the dialog. An element that keeps to the branch of its
    /// INVITE (RFC 2543, and some later ones) sends it so.
    OfAccepted,
}

impl InviteServerTransaction {
    /// Starts the transaction for an INVITE that was received just now.
    pub fn new(transport: Transport, timers: Timers) -> Self {
        Self {
            state: State::Proceeding { provisional: None },
            reliable: transport.is_reliable(),
            timers,
            transmit: None,
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

    /// True while no final response was given.
    pub fn is_answerable(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// The INVITE was received again.
    pub fn handle_retransmission(&mut self) {
        match &self.state {
            State::Proceeding { provisional } => {
                if provisional.is_some() {
                    self.transmit.clone_from(provisional);
                }
            }
            State::Completed { response, .. } => self.transmit = Some(response.clone()),
            // RFC 6026 §7.1: absorbed; the usage repeats the 2xx by its own timer.
            State::Confirmed { .. } | State::Accepted { .. } | State::Terminated => {}
        }
    }

    /// An ACK matched this transaction.
    pub fn handle_ack(&mut self, now: Instant) -> Ack {
        match self.state {
            State::Completed { .. } => {
                self.state = if self.reliable {
                    State::Terminated
                } else {
                    State::Confirmed { timer_i: now + self.timers.t4 }
                };
                Ack::Absorbed
            }
            State::Accepted { .. } => Ack::OfAccepted,
            State::Proceeding { .. } | State::Confirmed { .. } | State::Terminated => Ack::Absorbed,
        }
    }

    /// The transaction user answers. In Accepted each further 2xx is passed on; any other response
    /// after the final one is discarded.
    pub fn handle_response(&mut self, status: u16, response: Bytes, now: Instant) {
        match self.state {
            State::Proceeding { .. } => {
                self.transmit = Some(response.clone());
                self.state = if status < 200 {
                    State::Proceeding { provisional: Some(response) }
                } else if status < 300 {
                    State::Accepted { timer_l: now + self.timers.patience() }
                } else {
                    State::Completed {
                        response,
                        timer_g: (!self.reliable).then(|| now + self.timers.t1),
                        interval: self.timers.t1,
                        timer_h: now + self.timers.patience(),
                    }
                };
            }
            State::Accepted { .. } if (200..300).contains(&status) => {
                self.transmit = Some(response)
            }
            State::Completed { .. }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => {}
        }
    }

    /// The transport could not send (RFC 3261 §17.2.4). In Accepted the user is told and the state
    /// stays (RFC 6026 §7.1).
    pub fn handle_transport_error(&mut self) {
        match self.state {
            State::Proceeding { .. } | State::Completed { .. } => {
                self.state = State::Terminated;
                self.event = Some(ServerEvent::TransportFailed);
            }
            State::Accepted { .. } => self.event = Some(ServerEvent::TransportFailed),
            State::Confirmed { .. } | State::Terminated => {}
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Completed { timer_h, .. } if *timer_h <= now => {
                self.event = Some(ServerEvent::TimedOut);
                self.state = State::Terminated;
            }
            State::Completed { response, timer_g: Some(timer_g), interval, .. }
                if *timer_g <= now =>
            {
                self.transmit = Some(response.clone());
                *interval = (*interval * 2).min(self.timers.t2);
                *timer_g = now + *interval;
            }
            State::Confirmed { timer_i: end } | State::Accepted { timer_l: end } if *end <= now => {
                self.state = State::Terminated;
            }
            State::Proceeding { .. }
            | State::Completed { .. }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => {}
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
            State::Completed { timer_g, timer_h, .. } => {
                Some(timer_g.map_or(timer_h, |timer_g| timer_g.min(timer_h)))
            }
            State::Confirmed { timer_i: end } | State::Accepted { timer_l: end } => Some(end),
            State::Proceeding { .. } | State::Terminated => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    const RINGING: Bytes = Bytes::from_static(b"180");
    const OK: Bytes = Bytes::from_static(b"200");
    const BUSY: Bytes = Bytes::from_static(b"486");

    fn transaction(transport: Transport) -> InviteServerTransaction {
        InviteServerTransaction::new(transport, Timers::default())
    }

    #[test]
    fn repeated_invite_gets_the_last_provisional_response() {
        let start = clock();
        let mut tx = transaction(Transport::Udp);
        tx.handle_retransmission();
        assert_eq!(tx.poll_transmit(), None);
        tx.handle_response(180, RINGING, start);
        assert_eq!(tx.poll_transmit(), Some(RINGING));
        tx.handle_retransmission();
        assert_eq!(tx.poll_transmit(), Some(RINGING));
        assert_eq!(tx.poll_timeout(), None);
    }

    #[test]
    fn failure_is_repeated_up_to_t2_until_timer_h() {
        let start = clock();
        let mut tx = transaction(Transport::Udp);
        tx.handle_response(486, BUSY, start);
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
        assert_eq!(tx.poll_event(), Some(ServerEvent::TimedOut));
    }

    #[test]
    fn failure_on_a_reliable_transport_is_sent_once_and_waits_for_its_ack() {
        let start = clock();
        let mut tx = transaction(Transport::Tcp);
        tx.handle_response(486, BUSY, start);
        assert_eq!(tx.poll_transmit(), Some(BUSY));
        assert_eq!(tx.poll_timeout(), Some(start + Duration::from_secs(32)));
        assert_eq!(tx.handle_ack(start), Ack::Absorbed);
        assert!(tx.is_terminated());
    }

    #[test]
    fn acknowledged_failure_absorbs_repeated_acks_for_t4() {
        let start = clock();
        let mut tx = transaction(Transport::Udp);
        tx.handle_response(486, BUSY, start);
        tx.poll_transmit();
        assert_eq!(tx.handle_ack(start), Ack::Absorbed);
        assert_eq!(tx.handle_ack(start), Ack::Absorbed);
        tx.handle_retransmission();
        assert_eq!(tx.poll_transmit(), None);
        assert_eq!(tx.poll_timeout(), Some(start + Duration::from_secs(5)));
        tx.handle_timeout(start + Duration::from_secs(5));
        assert!(tx.is_terminated() && tx.poll_event().is_none());
    }

    #[test]
    fn accepted_invite_absorbs_repetitions_and_passes_each_2xx() {
        let start = clock();
        let mut tx = transaction(Transport::Udp);
        tx.handle_response(200, OK, start);
        assert_eq!(tx.poll_transmit(), Some(OK));
        tx.handle_retransmission();
        assert_eq!(tx.poll_transmit(), None);
        tx.handle_response(200, OK, start);
        assert_eq!(tx.poll_transmit(), Some(OK));
        tx.handle_response(486, BUSY, start);
        assert_eq!(tx.poll_transmit(), None);
        assert_eq!(tx.handle_ack(start), Ack::OfAccepted);
        assert_eq!(tx.poll_timeout(), Some(start + Duration::from_secs(32)));
        tx.handle_timeout(start + Duration::from_secs(32));
        assert!(tx.is_terminated());
    }

    #[test]
    fn ack_before_a_final_response_is_absorbed() {
        let mut tx = transaction(Transport::Udp);
        assert_eq!(tx.handle_ack(clock()), Ack::Absorbed);
        assert!(tx.is_answerable());
    }
}
