//! Session timers (RFC 4028): who refreshes a call, how often, and when it counts as dead.
//!
//! Knows headers and deadlines of one call, in either role. Sends nothing: see `invite`.

use std::time::{Duration, Instant};

use super::{HeaderName, Headers, Request, Response, StatusCode};

/// What a call wants of session timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimers {
    /// Whether there are any; [`TimerPolicy::Off`].
    pub policy: TimerPolicy,
    /// The shortest interval we take, 90 s; shorter ones count as that (RFC 4028 §5).
    pub min_se: Duration,
    /// The interval that we ask for, 30 min as RFC 4028 §4 recommends.
    pub session_expires: Duration,
}

/// Whether calls have session timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimerPolicy {
    /// Never: a peer that requires them gets 420.
    #[default]
    Off,
    /// If the peer supports them.
    IfSupported,
    /// A peer that does not support them gets 421, and is not called.
    Required,
    /// In every call: the refreshes are ours where the peer does not know of them.
    Always,
}

impl Default for SessionTimers {
    fn default() -> Self {
        Self {
            policy: TimerPolicy::Off,
            min_se: ABSOLUTE_MIN_SE,
            session_expires: Duration::from_secs(1800),
        }
    }
}

/// The timer of one call.
#[derive(Debug)]
pub(crate) struct SessionTimer {
    policy: TimerPolicy,
    /// The shortest interval that both sides, and the proxies between, take as far as we know.
    min_se: Duration,
    /// What we ask for.
    wanted: Duration,
    /// A 422 was obeyed since the last success; a second one is not.
    raised: bool,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    interval: Duration,
    refresher: Refresher,
    /// When we are to refresh.
    refresh: Option<Instant>,
    /// When the call counts as dead.
    expires: Instant,
}

/// Whose task the refreshes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refresher {
    Us,
    Peer,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Refresh,
    Expired,
}

/// A refusal: the status and what explains it.
pub(crate) type Refusal = (StatusCode, Headers);

impl SessionTimer {
    /// Not running yet.
    pub(crate) fn new(wishes: SessionTimers) -> Self {
        let min_se = wishes.min_se.clamp(ABSOLUTE_MIN_SE, LONGEST);
        Self {
            policy: wishes.policy,
            min_se,
            wanted: wishes.session_expires.clamp(min_se, LONGEST),
            raised: false,
            running: None,
        }
    }

    /// Adds what the first INVITE says of timers (RFC 4028 §7.1).
    pub(crate) fn write_invite(&self, headers: &mut Headers) {
        match self.policy {
            TimerPolicy::Off => return,
            TimerPolicy::Required => headers.push(HeaderName::Require, OPTION),
            TimerPolicy::IfSupported | TimerPolicy::Always => {}
        }
        headers.push(HeaderName::Supported, OPTION);
        headers.push(HeaderName::SessionExpires, self.wanted.as_secs());
        headers.push(HeaderName::MinSe, self.min_se.as_secs());
    }

    /// Adds what a later INVITE or UPDATE of ours says of timers: who refreshes stays
    /// (RFC 4028 §7.4).
    pub(crate) fn write_refresh(&self, headers: &mut Headers) {
        if self.policy == TimerPolicy::Off {
            return;
        }
        headers.push(HeaderName::Supported, OPTION);
        if let Some(running) = &self.running {
            let refresher = match running.refresher {
                Refresher::Us => "uac",
                Refresher::Peer => "uas",
            };
            headers.push(HeaderName::SessionExpires, written(running.interval, refresher));
            headers.push(HeaderName::MinSe, self.min_se.as_secs());
        }
    }

    /// Whether the first INVITE suits us.
    pub(crate) fn check_first(&self, request: &Request) -> Result<(), Refusal> {
        if self.policy == TimerPolicy::Required && !is_supported_by(request) {
            let mut headers = Headers::default();
            headers.push(HeaderName::Require, OPTION);
            return Err((StatusCode::EXTENSION_REQUIRED, headers));
        }
        self.check(request)
    }

    /// Whether any INVITE or UPDATE suits us: 420 when we have no timers, 422 when the interval is
    /// too short (RFC 4028 §9). Who does not know of timers did not write that interval, and could
    /// not mend it.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Refusal> {
        let mut headers = Headers::default();
        if self.policy == TimerPolicy::Off {
            if request.requires(OPTION) {
                headers.push(HeaderName::Unsupported, OPTION);
                return Err((StatusCode::BAD_EXTENSION, headers));
            }
            return Ok(());
        }
        let too_short = stated(request).is_some_and(|stated| stated.interval < self.min_se);
        if too_short && is_supported_by(request) {
            headers.push(HeaderName::MinSe, self.min_se.as_secs());
            return Err((StatusCode::SESSION_INTERVAL_TOO_SMALL, headers));
        }
        Ok(())
    }

    /// UAS: we answer an INVITE or UPDATE with 2xx. Starts the interval anew and adds what the
    /// response says of it (RFC 4028 §9).
    pub(crate) fn accept(&mut self, request: &Request, headers: &mut Headers, now: Instant) {
        if self.policy == TimerPolicy::Off {
            return;
        }
        let is_supported = is_supported_by(request);
        let least = request.seconds(HeaderName::MinSe).unwrap_or_default().max(self.min_se);
        let (interval, refresher) = match (stated(request), &self.running, self.policy) {
            (Some(stated), ..) => {
                let refresher = match stated.refresher {
                    _ if !is_supported => Refresher::Us,
                    Some(Side::Uas) => Refresher::Us,
                    Some(Side::Uac) | None => Refresher::Peer,
                };
                (stated.interval.min(self.wanted).max(least), refresher)
            }
            (None, Some(running), _) => {
                let refresher = if is_supported { running.refresher } else { Refresher::Us };
                (running.interval.max(least), refresher)
            }
            (None, None, TimerPolicy::Required | TimerPolicy::Always) => {
                (self.wanted.max(least), Refresher::Us)
            }
            (None, None, TimerPolicy::IfSupported | TimerPolicy::Off) => {
                headers.push(HeaderName::Supported, OPTION);
                return;
            }
        };
        let interval = interval.min(LONGEST);
        headers.push(HeaderName::Supported, OPTION);
        if is_supported {
            headers.push(HeaderName::Require, OPTION);
        }
        let side = match refresher {
            Refresher::Us => "uas",
            Refresher::Peer => "uac",
        };
        headers.push(HeaderName::SessionExpires, written(interval, side));
        self.start(interval, refresher, now);
    }

    /// UAC: our INVITE or UPDATE was answered with 2xx (RFC 4028 §7.2).
    pub(crate) fn learn(&mut self, response: &Response, now: Instant) {
        self.raised = false;
        match (stated(response), self.policy) {
            (_, TimerPolicy::Off) => {}
            (Some(stated), _) => {
                let refresher = match stated.refresher {
                    Some(Side::Uas) => Refresher::Peer,
                    Some(Side::Uac) | None => Refresher::Us,
                };
                // Whatever a proxy made of it, we do not refresh more often than the RFC allows.
                self.start(stated.interval.clamp(ABSOLUTE_MIN_SE, LONGEST), refresher, now);
            }
            (None, TimerPolicy::IfSupported) => self.running = None,
            (None, TimerPolicy::Required | TimerPolicy::Always) => {
                let interval = self.running.as_ref().map_or(self.wanted, |it| it.interval);
                self.start(interval, Refresher::Us, now);
            }
        }
    }

    /// UAC: 422. True if the request is to be sent again with the interval that it asks for
    /// (RFC 4028 §7.3); only once, and only where that changes something.
    pub(crate) fn raise(&mut self, response: &Response) -> bool {
        let Some(least) = response.seconds(HeaderName::MinSe) else { return false };
        let asked = self.running.as_ref().map_or(self.wanted, |running| running.interval);
        if self.policy == TimerPolicy::Off || self.raised || least <= asked || least > LONGEST {
            return false;
        }
        self.raised = true;
        self.min_se = self.min_se.max(least);
        self.wanted = self.wanted.max(least);
        if let Some(running) = &mut self.running {
            running.interval = least;
        }
        true
    }

    /// Tries the refresh again at `at`.
    pub(crate) fn refresh_at(&mut self, at: Instant) {
        if let Some(running) =
            self.running.as_mut().filter(|running| running.refresher == Refresher::Us)
        {
            running.refresh = Some(at);
        }
    }

    /// When something is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let running = self.running.as_ref()?;
        Some(running.refresh.map_or(running.expires, |refresh| refresh.min(running.expires)))
    }

    /// What is due now. Each is told once.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        let running = self.running.as_mut()?;
        if running.expires <= now {
            self.running = None;
            return Some(Due::Expired);
        }
        running.refresh.take_if(|at| *at <= now).map(|_| Due::Refresh)
    }

    /// Half-way the refresh is sent; both give up a little before the end, so that a proxy's state
    /// goes by the BYE (RFC 4028 §10).
    fn start(&mut self, interval: Duration, refresher: Refresher, now: Instant) {
        let margin = (interval / 3).min(Duration::from_secs(32));
        self.running = Some(Running {
            interval,
            refresher,
            refresh: (refresher == Refresher::Us).then(|| now + interval / 2),
            expires: now + interval - margin,
        });
    }
}

/// A Session-Expires value.
struct Stated {
    interval: Duration,
    refresher: Option<Side>,
}

/// The value of `refresher`, by the roles in the transaction that states it.
#[derive(Clone, Copy)]
enum Side {
    Uac,
    Uas,
}

/// What a message says in Session-Expires; one that can not be read says nothing.
fn stated(message: &Headers) -> Option<Stated> {
    let mut parts = message.text(HeaderName::SessionExpires)?.split(';').map(str::trim);
    let seconds: u32 = parts.next()?.parse().ok()?;
    let refresher = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        match value.trim() {
            _ if !name.trim().eq_ignore_ascii_case("refresher") => None,
            side if side.eq_ignore_ascii_case("uac") => Some(Side::Uac),
            side if side.eq_ignore_ascii_case("uas") => Some(Side::Uas),
            _ => None,
        }
    });
    Some(Stated { interval: Duration::from_secs(seconds.into()), refresher })
}

fn written(interval: Duration, refresher: &str) -> String {
    format!("{};refresher={refresher}", interval.as_secs())
}

fn is_supported_by(request: &Request) -> bool {
    request.supports(OPTION) || request.requires(OPTION)
}

/// The option tag.
pub(crate) const OPTION: &str = "timer";

/// No interval is shorter (RFC 4028 §5).
const ABSOLUTE_MIN_SE: Duration = Duration::from_secs(90);

/// A longer interval is as good as none, and keeps the arithmetic in range.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
