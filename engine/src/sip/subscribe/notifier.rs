//! The notifier's side of one subscription (RFC 6665 §4.2).
//!
//! What is told is asked for when it can be sent ([`Event::NotifyDue`]), never kept: one NOTIFY is on
//! its way at a time, so that none overtakes another, and a subscriber that is slow or watches
//! something restless gets the latest state and not each. The subscription has its dialog for itself.

use std::time::{Duration, Instant};

use super::{Subscribe, SubscriptionEnd, SubscriptionTerms, Termination};
use crate::sip::core::{Core, Parts, Usage};
use crate::sip::dialog::{Dialog, Order};
use crate::sip::event::{Body, Event, SubscriptionHandle, VerbError};
use crate::sip::flow::Flow;
use crate::sip::table::Handle;
use crate::sip::transaction::key::KeptKey;
use crate::sip::transaction::layer::User;
use crate::sip::{HeaderName, Headers, Method, Request, Response, StatusCode, Tag};

/// One subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    handle: Handle,
    dialog: Dialog,
    key: KeptKey,
    contact: String,
    terms: SubscriptionTerms,
    about: Subscribe,
    state: State,
    /// The NOTIFY on its way.
    notify: Option<Handle>,
    news: News,
    pace: Pace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Active {
        until: Instant,
    },
    /// The next NOTIFY is the last.
    Ending {
        reason: Termination,
        give_up: Instant,
    },
    /// It is on its way.
    Ended {
        reason: Termination,
    },
    Over,
}

/// Whether there is something to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    /// There is, when the time has come.
    Waiting,
    /// The application was asked for it.
    Asked,
}

/// How often NOTIFYs may go out: [`BURST`] at once, and one each [`INTERVAL`] in the long run.
#[derive(Debug)]
struct Pace {
    /// When all that was sent would have been sent at the pace of one each interval.
    spent_until: Instant,
    /// The subscriber wants to be left alone until then.
    not_before: Instant,
}

impl Pace {
    fn next(&self) -> Instant {
        let burst = INTERVAL * (BURST - 1);
        self.spent_until.checked_sub(burst).map_or(self.not_before, |at| at.max(self.not_before))
    }

    fn spend(&mut self, now: Instant) {
        self.spent_until = self.spent_until.max(now) + INTERVAL;
    }
}

impl Subscription {
    /// A subscription for a SUBSCRIBE outside any dialog. `None` when it has no usable Contact.
    pub(crate) fn new(
        core: &mut Core,
        request: &Request,
        about: Subscribe,
        terms: SubscriptionTerms,
        now: Instant,
    ) -> Option<Self> {
        request.contact()?;
        let local_tag = Tag::random(&mut core.entropy);
        let cseq = core.entropy.below(FIRST_CSEQ_BELOW) + 1;
        let mut dialog = Dialog::accept(request, local_tag, cseq)?;
        dialog.confirm();
        Some(Self {
            handle: Handle { slot: 0, generation: 0 },
            key: dialog.key().keep(),
            contact: core.contact(request.uri().user(), &terms.flow),
            dialog,
            terms,
            about,
            state: State::Over,
            notify: None,
            news: News::None,
            pace: Pace { spent_until: now, not_before: now },
        })
    }

    /// It got its place in the table: the SUBSCRIBE is answered, and the state asked for.
    pub(crate) fn start(
        &mut self,
        core: &mut Core,
        handle: Handle,
        transaction: Handle,
        lasts: Duration,
        now: Instant,
    ) {
        self.handle = handle;
        core.dialogs.insert(self.key.clone(), Usage::Subscription(handle));
        self.accept(core, transaction, lasts, now);
    }

    /// When `handle_timeout` is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let waits = self.news == News::Waiting && self.notify.is_none();
        match self.state {
            State::Active { until } if waits => Some(until.min(self.pace.next())),
            State::Active { until } => Some(until),
            State::Ending { give_up, .. } => Some(give_up),
            State::Ended { .. } | State::Over => None,
        }
    }

    /// Nothing is left to be done or waited for.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Takes the dialog out of the index.
    pub(crate) fn unregister(&self, core: &mut Core) {
        core.dialogs.remove(&self.key);
    }

    /// Where its responses go.
    pub(crate) fn terms(&self) -> &SubscriptionTerms {
        &self.terms
    }

    /// How long it lasts unless it is refreshed; `None` when it ends.
    pub(crate) fn remaining(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Active { until } => Some(until.saturating_duration_since(now)),
            State::Ending { .. } | State::Ended { .. } | State::Over => None,
        }
    }

    // ---- the application's verbs ----

    /// What is watched is in another state: it is asked for when it can be told.
    pub(crate) fn note_change(&mut self, core: &mut Core, now: Instant) {
        if self.news == News::None {
            self.news = News::Waiting;
        }
        self.ask(core, now);
    }

    /// Sends what was asked for.
    pub(crate) fn notify(
        &mut self,
        core: &mut Core,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        if self.news != News::Asked || self.notify.is_some() {
            return Err(VerbError::WrongState);
        }
        let (state, after) = match self.state {
            State::Active { until } => {
                let left = until.saturating_duration_since(now).as_secs();
                (format!("active;expires={left}"), self.state)
            }
            State::Ending { reason, .. } => {
                (format!("terminated;reason={}", reason.as_str()), State::Ended { reason })
            }
            State::Ended { .. } | State::Over => return Err(VerbError::Gone),
        };
        let mut headers = Headers::default();
        headers.push(HeaderName::Event, self.about.to_string());
        headers.push(HeaderName::SubscriptionState, state);
        let contact = Some(self.contact.as_str());
        let parts = Parts { contact, headers: Some(&headers), body };
        let flow = core.dialog_flow(&self.dialog, self.terms.flow, self.terms.path);
        let user = User::Subscription(self.handle);
        self.notify = core.send_in_dialog(&mut self.dialog, Method::Notify, parts, flow, user, now);
        if self.notify.is_none() {
            // No room for it now. It is tried again; the end is not, since whoever did not get it
            // learns it from the answer to its next SUBSCRIBE.
            self.news = News::Waiting;
            self.pace.not_before = now + INTERVAL;
            return Err(VerbError::Full);
        }
        self.news = News::None;
        self.state = after;
        self.pace.spend(now);
        Ok(())
    }

    /// Ends it: one more NOTIFY says why.
    pub(crate) fn terminate(&mut self, core: &mut Core, reason: Termination, now: Instant) {
        if !matches!(self.state, State::Active { .. }) {
            return;
        }
        self.state = State::Ending { reason, give_up: now + GIVE_UP };
        self.note_change(core, now);
    }

    // ---- what comes in ----

    /// A request within the dialog.
    pub(crate) fn handle_request(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        request: &Request,
        flow: Flow,
        now: Instant,
    ) {
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let refused = if self.dialog.handle_request(number) == Order::OutOfOrder {
            Err(StatusCode::SERVER_INTERNAL_ERROR)
        } else if *request.method() == Method::Options {
            Err(StatusCode::OK)
        } else if *request.method() != Method::Subscribe {
            // RFC 5057 §5.1: a usage that is not there.
            Err(StatusCode::CALL_DOES_NOT_EXIST)
        } else {
            self.refresh(request)
        };
        let mut headers = Headers::default();
        let status = match refused {
            Ok(Ok(lasts)) => {
                self.terms.flow = flow;
                self.dialog.refresh_target(request);
                return self.accept(core, transaction, lasts, now);
            }
            Ok(Err(minimum)) => {
                headers.push(HeaderName::MinExpires, minimum.as_secs());
                StatusCode::INTERVAL_TOO_BRIEF
            }
            Err(status) => status,
        };
        let parts = Parts { headers: Some(&headers), ..Parts::default() };
        core.respond_plain(transaction, status, parts, now);
    }

    /// How long a SUBSCRIBE makes it last from now on; the inner error is the least that it may.
    fn refresh(&self, request: &Request) -> Result<Result<Duration, Duration>, StatusCode> {
        let subscribe = Subscribe::read(request)?;
        // Another one in the same dialog would be a second usage of it (RFC 6665 §4.5.2).
        if !subscribe.is_same(&self.about) || !matches!(self.state, State::Active { .. }) {
            return Err(StatusCode::CALL_DOES_NOT_EXIST);
        }
        Ok(self.terms.expiration.grant(subscribe.expires))
    }

    /// The response to a NOTIFY, or none (408).
    pub(crate) fn handle_notified(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        status: StatusCode,
        response: Option<&Response>,
        now: Instant,
    ) {
        if self.notify != Some(transaction) || status.is_provisional() {
            return;
        }
        self.notify = None;
        if let State::Ended { reason } = self.state {
            return self.finish(core, SubscriptionEnd::Told(reason));
        }
        let later = response.and_then(|response| response.seconds(HeaderName::RetryAfter));
        match later {
            _ if status.is_success() => self.ask(core, now),
            // RFC 6665 §4.2.2: a failure that says when to come again is none of the subscription.
            Some(later) => {
                self.pace.not_before = now + later.clamp(INTERVAL, LONGEST_RETRY);
                self.note_change(core, now);
            }
            None => self.finish(core, SubscriptionEnd::NotifyFailed(status)),
        }
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, core: &mut Core, now: Instant) {
        match self.state {
            State::Active { until } if until <= now => {
                self.terminate(core, Termination::Timeout, now);
            }
            State::Ending { reason, give_up } if give_up <= now => {
                self.finish(core, SubscriptionEnd::Told(reason));
            }
            State::Active { .. } | State::Ending { .. } => self.ask(core, now),
            State::Ended { .. } | State::Over => {}
        }
    }

    /// Answers a SUBSCRIBE that is taken, and asks for the state, which is due at once
    /// (RFC 6665 §4.2.1.2).
    fn accept(&mut self, core: &mut Core, transaction: Handle, lasts: Duration, now: Instant) {
        let mut headers = Headers::default();
        headers.push(HeaderName::Expires, lasts.as_secs());
        let parts = Parts { contact: Some(&self.contact), headers: Some(&headers), body: None };
        let tag = self.dialog.id().local_tag.clone();
        core.respond(transaction, StatusCode::OK, &tag, parts, now);
        self.state = match lasts.is_zero() {
            true => State::Ending { reason: Termination::Timeout, give_up: now + GIVE_UP },
            false => State::Active { until: now + lasts },
        };
        self.pace.not_before = now;
        self.pace.spent_until = self.pace.spent_until.min(now);
        self.note_change(core, now);
    }

    /// Asks the application for the state, if there is news and a NOTIFY may go out.
    fn ask(&mut self, core: &mut Core, now: Instant) {
        let may = match self.state {
            State::Active { .. } => self.pace.next() <= now,
            State::Ending { .. } => true,
            State::Ended { .. } | State::Over => false,
        };
        if may && self.news == News::Waiting && self.notify.is_none() {
            self.news = News::Asked;
            let subscription = SubscriptionHandle(self.handle);
            core.events.push_back(Event::NotifyDue { subscription });
        }
    }

    fn finish(&mut self, core: &mut Core, end: SubscriptionEnd) {
        self.state = State::Over;
        let subscription = SubscriptionHandle(self.handle);
        core.events.push_back(Event::SubscriptionEnded { subscription, end });
    }
}

/// NOTIFYs that may follow each other at once: a phone that rings, answers and hangs up is seen to.
const BURST: u32 = 5;

/// RFC 4235 §3.9: no more than one a second for long.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long the last NOTIFY waits for the one before it, or for what it is to tell: timer F.
const GIVE_UP: Duration = Duration::from_secs(32);

/// The longest Retry-After that is obeyed.
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// Our first CSeq is below this: room for all that follow (RFC 3261 §12.2.1.1).
const FIRST_CSEQ_BELOW: u32 = 1 << 16;
