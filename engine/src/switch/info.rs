//! Digits sent as INFO requests, for peers with `dtmf_mode=info`.
//!
//! One at a time: the next goes out when the last was answered and its tone and gap are over, so
//! that a lost request neither overtakes another nor makes it look out of order to the peer.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Switch, call::Call};
use crate::{
    clock::Now,
    media::{Digit, Signal},
    sip::{self, Method, RequestHandle, StatusCode},
};

/// The digits of one call that are on their way or wait.
#[derive(Debug, Default)]
pub(super) struct InfoDigits {
    waiting: VecDeque<Step>,
    /// The request that is not answered yet.
    sent: Option<RequestHandle>,
    /// The end of the last digit's tone and gap.
    quiet_from: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Digit { digit: Digit, tone: Duration, gap: Duration },
    Pause(Duration),
}

impl InfoDigits {
    /// When the next digit is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.quiet_from.filter(|_| self.sent.is_none())
    }
}

impl Switch {
    /// Sends digits after those that wait already. Beyond [`MOST_WAITING`] they are dropped.
    pub(super) fn send_by_info(
        &mut self,
        call: &mut Call,
        signals: Vec<Signal>,
        tone: Duration,
        gap: Duration,
        now: Now,
    ) {
        if call.is_down() {
            return;
        }
        let info = call.info.get_or_insert_default();
        let room = MOST_WAITING.saturating_sub(info.waiting.len());
        if signals.len() > room {
            let dropped = signals.len() - room;
            tracing::warn!(call_id = %call.parties.call_id, dropped, "too many digits wait to be sent");
        }
        info.waiting.extend(signals.into_iter().take(room).map(|signal| match signal {
            Signal::Digit(digit) => Step::Digit { digit, tone, gap },
            Signal::Pause(pause) => Step::Pause(pause),
        }));
        self.go_on_by_info(call, now);
    }

    /// Sends what is due.
    pub(super) fn go_on_by_info(&mut self, call: &mut Call, now: Now) {
        while let Some(info) = &mut call.info {
            if info.sent.is_some() || info.quiet_from.is_some_and(|at| at > now.instant) {
                return;
            }
            let Some(step) = info.waiting.pop_front() else {
                call.info = None;
                return call.channel.handle_digits_sent();
            };
            match step {
                Step::Pause(pause) => info.quiet_from = now.instant.checked_add(pause),
                Step::Digit { digit, tone, gap } => {
                    info.quiet_from = now.instant.checked_add(tone + gap);
                    let request = call.handle.and_then(|handle| {
                        let body = body(digit, tone);
                        let headers = sip::Headers::default();
                        let (method, body) = (Method::Info, Some(&body));
                        self.endpoint
                            .send_in_dialog(handle, method, &headers, body, now.instant)
                            .ok()
                    });
                    // Not answered yet, or just over: the digit is lost, as a tone would be.
                    info.sent = request;
                    self.infos.extend(request.map(|request| (request, call.id)));
                }
            }
        }
    }

    /// An INFO of ours was answered, or never will be.
    pub(super) fn info_answered(
        &mut self,
        request: RequestHandle,
        status: Option<StatusCode>,
        now: Now,
    ) {
        let Some(id) = self.infos.remove(&request) else { return };
        self.with_call(id, now, |switch, call| {
            if !status.is_some_and(StatusCode::is_success) {
                let status = status.map(StatusCode::code);
                tracing::info!(call_id = %call.parties.call_id, status, "a digit was not taken");
            }
            if let Some(info) = &mut call.info {
                info.sent = None;
            }
            switch.go_on_by_info(call, now);
        });
    }

    /// The call is over: nobody waits for what it had to send.
    pub(super) fn forget_info(&mut self, call: &mut Call) {
        if let Some(request) = call.info.take().and_then(|info| info.sent) {
            self.infos.remove(&request);
        }
    }
}

/// What most phones understand; the same that is taken from them.
fn body(digit: Digit, tone: Duration) -> sip::Body {
    let text = format!("Signal={}\r\nDuration={}\r\n", digit.as_char(), tone.as_millis());
    sip::Body { content_type: "application/dtmf-relay".into(), bytes: text.into() }
}

/// Digits of one call that wait to be sent.
const MOST_WAITING: usize = 256;
