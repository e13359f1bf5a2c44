//! A registration at another registrar: the UAC's side of REGISTER (RFC 3261 §10.2).
//!
//! One machine keeps one contact bound: it registers, answers challenges, refreshes before the
//! binding ends, waits longer from failure to failure, and takes the binding back at the end. It
//! sits on an endpoint: what `poll_request` gives goes to `Endpoint::send_request`, and what becomes
//! of it comes back. When many start at once, whoever owns them spreads the first requests out;
//! everything later is spread here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::auth::{ChallengeError, Responder, borrowed};
pub use super::auth::{OwnCredentials, OwnSecret};
use super::{
    CallId, Contacts, Failure, Flow, HeaderName, Method, NameAddr, OutgoingRequest, Request,
    Response, StatusCode, Uri,
};
use crate::entropy::Entropy;

/// What is registered where, and how patiently.
#[derive(Clone, Debug, PartialEq)]
pub struct RegistrationSettings {
    /// The Request-URI: the registrar's domain, without user (RFC 3261 §10.2).
    pub registrar: Uri,
    /// The address of record: To and From.
    pub address_of_record: NameAddr,
    /// The contact to bind, without `expires`.
    pub contact: NameAddr,
    /// The path to the registrar or the outbound proxy.
    pub flow: Flow,
    /// Proxies to pass by.
    pub routes: Vec<NameAddr>,
    /// Extensions that are named in Supported, as option tags.
    pub extensions: Vec<&'static str>,
    /// What is proved, and in which realms. None: a challenge is a failure.
    pub credentials: Vec<OwnCredentials>,
    /// The expiry asked for. One hour, as RFC 3261 §10.2 assumes where nobody says.
    pub expiration: Duration,
    /// The wait after the first failure, doubled with each further one. 60 s.
    pub retry_interval: Duration,
    /// No wait grows beyond. 5 minutes: with it a registrar that returns has all its contacts back
    /// within as much. Equal to `retry_interval`, waits do not grow.
    pub retry_ceiling: Duration,
    /// The wait after a 403. `None`: as after other permanent failures.
    pub forbidden_retry_interval: Option<Duration>,
    /// The wait after other permanent failures. `None`: they end the registration.
    pub fatal_retry_interval: Option<Duration>,
    /// How many failures in a row end the registration. `None`: it is never given up.
    pub max_retries: Option<u32>,
    /// What refused credentials mean. Permanent, so that no account is locked by guessing.
    pub auth_rejection: AuthRejection,
}

impl RegistrationSettings {
    /// With defaults for all that is not an address.
    pub fn new(registrar: Uri, address_of_record: NameAddr, contact: NameAddr, flow: Flow) -> Self {
        Self {
            registrar,
            address_of_record,
            contact,
            flow,
            routes: Vec::new(),
            extensions: Vec::new(),
            credentials: Vec::new(),
            expiration: Duration::from_hours(1),
            retry_interval: Duration::from_mins(1),
            retry_ceiling: Duration::from_mins(5),
            forbidden_retry_interval: None,
            fatal_retry_interval: None,
            max_retries: None,
            auth_rejection: AuthRejection::default(),
        }
    }
}

/// What it means that credentials were refused (`auth_rejection_permanent`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthRejection {
    /// They are wrong and stay wrong.
    #[default]
    Permanent,
    /// The registrar may yet learn them.
    Temporary,
}

/// Where a registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationState {
    /// The next REGISTER goes out at `due`.
    Waiting {
        /// When.
        due: Instant,
    },
    /// A REGISTER is under way.
    Registering,
    /// The registrar agreed; the refresh goes out at `refresh`.
    Registered {
        /// When.
        refresh: Instant,
    },
    /// Given up; only `register_now` begins again.
    Rejected,
    /// The binding is being taken back.
    Unregistering,
    /// Over.
    Unregistered,
}

/// Why a registration failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The registrar refused.
    #[error("refused with {0}")]
    Refused(StatusCode),
    /// No answer in time.
    #[error("no answer")]
    NoAnswer,
    /// The request could not be sent.
    #[error("unreachable")]
    Unreachable,
    /// The challenge could not be answered, or the answer was refused.
    #[error("{0}")]
    Challenge(ChallengeError),
    /// The registrar said 200 and bound nothing.
    #[error("accepted without a binding")]
    NotBound,
}

/// What a registration tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationEvent {
    /// The contact is bound, after it was not. Refreshes are silent.
    Registered,
    /// The contact is bound no longer: nobody refreshed it, or it was taken back.
    Expired,
    /// An attempt failed and another follows; told once for each reason in a row.
    Failed(RegistrationError),
    /// Given up.
    Rejected(RegistrationError),
    /// The binding was taken back, or the attempt to do so is over.
    Unregistered,
}

/// One registration.
#[derive(Debug)]
pub struct Registration {
    settings: RegistrationSettings,
    state: RegistrationState,
    /// Until when the registrar holds the contact, whatever else goes on.
    bound_until: Option<Instant>,
    call_id: CallId,
    cseq: u32,
    /// The expiry asked for: what is configured, or more where the registrar insisted (423).
    expiration: Duration,
    responder: Responder,
    /// The headers of the REGISTER under way, which an answered challenge repeats.
    attempt: Request,
    /// Second requests within this attempt: challenges answered and minima accepted.
    repeats: u32,
    failures: u32,
    last_error: Option<RegistrationError>,
    is_stopping: bool,
    entropy: Entropy,
    requests: VecDeque<OutgoingRequest>,
    events: VecDeque<RegistrationEvent>,
}

impl Registration {
    /// One whose first REGISTER goes out at `first`.
    pub fn new(settings: RegistrationSettings, mut entropy: Entropy, first: Instant) -> Self {
        Self {
            state: RegistrationState::Waiting { due: first },
            bound_until: None,
            call_id: CallId::random(&mut entropy),
            cseq: 0,
            expiration: settings.expiration.min(MAX_EXPIRATION),
            responder: Responder::new(),
            attempt: Request::new(Method::Register, &settings.registrar),
            repeats: 0,
            failures: 0,
            last_error: None,
            is_stopping: false,
            entropy,
            requests: VecDeque::new(),
            events: VecDeque::new(),
            settings,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> RegistrationState {
        self.state
    }

    /// Until when the registrar holds the contact; `None` when it does not.
    pub fn bound_until(&self) -> Option<Instant> {
        self.bound_until
    }

    /// Why the last attempt failed, until one succeeds.
    pub fn last_error(&self) -> Option<RegistrationError> {
        self.last_error
    }

    /// What it was made with.
    pub fn settings(&self) -> &RegistrationSettings {
        &self.settings
    }

    /// Registers without waiting any longer, also when given up. Nothing while a request is under
    /// way: a second must not overlap it (RFC 3261 §10.2).
    pub fn register_now(&mut self) {
        match self.state {
            RegistrationState::Registering | RegistrationState::Unregistering => {}
            RegistrationState::Waiting { .. }
            | RegistrationState::Registered { .. }
            | RegistrationState::Rejected
            | RegistrationState::Unregistered => {
                self.is_stopping = false;
                self.begin(RegistrationState::Registering);
            }
        }
    }

    /// Sends what follows by another path, with the contact that fits it.
    pub fn set_path(&mut self, flow: Flow, contact: NameAddr) {
        self.settings.flow = flow;
        self.settings.contact = contact;
    }

    /// The request under way failed on its path: it is made again on another one at once, and that
    /// is no failure (RFC 3263 §4.3). Nothing when none is under way.
    pub fn try_elsewhere(&mut self, flow: Flow, contact: NameAddr) {
        if self.is_under_way() {
            self.set_path(flow, contact);
            self.begin(self.state);
        }
    }

    /// Takes the binding back, after the request that is under way. How long that may take is for
    /// the caller to bound.
    pub fn unregister(&mut self) {
        self.is_stopping = true;
        match self.state {
            RegistrationState::Registering
            | RegistrationState::Unregistering
            | RegistrationState::Unregistered => {}
            RegistrationState::Waiting { .. }
            | RegistrationState::Registered { .. }
            | RegistrationState::Rejected => self.stop(),
        }
    }

    /// Takes a response to the last request.
    pub fn handle_response(&mut self, response: &Response, now: Instant) {
        if !response.status().is_final() || !self.is_under_way() {
            return;
        }
        match response.status() {
            status if status.is_success() => self.handle_success(response, now),
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                self.handle_challenge(response, now);
            }
            StatusCode::INTERVAL_TOO_BRIEF => self.handle_too_brief(response, now),
            status => {
                let wait = response.seconds(HeaderName::RetryAfter);
                self.fail(RegistrationError::Refused(status), wait, now);
            }
        }
    }

    /// The last request got no response, or could not be sent.
    pub fn handle_failure(&mut self, failure: Failure, now: Instant) {
        if !self.is_under_way() {
            return;
        }
        let error = match failure {
            Failure::TimedOut | Failure::DialogGone => RegistrationError::NoAnswer,
            Failure::Unreachable => RegistrationError::Unreachable,
        };
        self.fail(error, None, now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.bound_until.is_some_and(|end| end <= now) {
            self.bound_until = None;
            self.events.push_back(RegistrationEvent::Expired);
        }
        match self.state {
            RegistrationState::Waiting { due } | RegistrationState::Registered { refresh: due }
                if due <= now =>
            {
                self.begin(RegistrationState::Registering);
            }
            RegistrationState::Waiting { .. }
            | RegistrationState::Registered { .. }
            | RegistrationState::Registering
            | RegistrationState::Rejected
            | RegistrationState::Unregistering
            | RegistrationState::Unregistered => {}
        }
    }

    /// The next REGISTER to send.
    pub fn poll_request(&mut self) -> Option<OutgoingRequest> {
        self.requests.pop_front()
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<RegistrationEvent> {
        self.events.pop_front()
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = match self.state {
            RegistrationState::Waiting { due } | RegistrationState::Registered { refresh: due } => {
                Some(due)
            }
            RegistrationState::Registering
            | RegistrationState::Rejected
            | RegistrationState::Unregistering
            | RegistrationState::Unregistered => None,
        };
        [due, self.bound_until].into_iter().flatten().min()
    }

    fn is_under_way(&self) -> bool {
        matches!(self.state, RegistrationState::Registering | RegistrationState::Unregistering)
    }

    /// Begins an attempt, with the credentials that served last.
    fn begin(&mut self, state: RegistrationState) {
        self.state = state;
        self.repeats = 0;
        self.attempt = self.blank();
        let credentials = borrowed(&self.settings.credentials);
        self.responder.authorize(&mut self.attempt, &credentials, &mut self.entropy);
        self.send();
    }

    /// The REGISTER without credentials.
    fn blank(&self) -> Request {
        let seconds = match self.state {
            RegistrationState::Unregistering => 0,
            _ => self.expiration.as_secs(),
        };
        // In both places: some registrars read only one of them (RFC 3261 §10.2.1.1 allows either).
        let seconds = seconds.to_string();
        let contact = self.settings.contact.clone().with_parameter("expires", Some(&seconds));
        let request = Request::new(Method::Register, &self.settings.registrar)
            .with(HeaderName::Contact, &contact.to_string()[..])
            .with(HeaderName::Expires, &seconds[..]);
        match &self.settings.extensions[..] {
            [] => request,
            extensions => request.with(HeaderName::Supported, &extensions.join(", ")[..]),
        }
    }

    /// Sends the attempt under the next CSeq of the same Call-ID (RFC 3261 §10.2.4).
    fn send(&mut self) {
        // Past 2^31-1 a CSeq is none (RFC 3261 §8.1.1.5); a new Call-ID may count from the start.
        if self.cseq >= i32::MAX as u32 {
            self.cseq = 0;
            self.call_id = CallId::random(&mut self.entropy);
        }
        self.cseq += 1;
        self.requests.clear();
        self.requests.push_back(OutgoingRequest {
            to: self.settings.address_of_record.clone(),
            routes: self.settings.routes.clone(),
            call_id: Some(self.call_id.clone()),
            cseq: self.cseq,
            headers: self.attempt.headers().clone(),
            ..OutgoingRequest::new(
                Method::Register,
                self.settings.registrar.clone(),
                self.settings.flow,
                self.settings.address_of_record.clone(),
            )
        });
    }

    fn handle_success(&mut self, response: &Response, now: Instant) {
        if self.state == RegistrationState::Unregistering {
            return self.end();
        }
        let Some(granted) = self.granted(response) else {
            if self.bound_until.take().is_some() {
                self.events.push_back(RegistrationEvent::Expired);
            }
            return self.fail(RegistrationError::NotBound, None, now);
        };
        let was_bound = self.bound_until.is_some();
        self.bound_until = Some(now + granted);
        self.failures = 0;
        self.last_error = None;
        if !was_bound {
            self.events.push_back(RegistrationEvent::Registered);
        }
        if self.is_stopping {
            return self.stop();
        }
        let share = granted.mul_f64(REFRESH_EARLIEST + REFRESH_SPREAD * self.entropy.fraction());
        let refresh = now + share.max(MIN_REFRESH);
        self.state = RegistrationState::Registered { refresh };
    }

    /// How long our contact is bound (RFC 3261 §10.2.4); `None` if it is not.
    fn granted(&self, response: &Response) -> Option<Duration> {
        let Contacts::List(contacts) = response.headers().contacts() else { return None };
        let ours = self.settings.contact.uri().as_ref();
        let found = contacts.iter().find(|contact| contact.uri().is_equivalent(ours));
        // A registrar behind a translator may write the contact as it saw it: then all that can be
        // ours is a list of one.
        let ((Some(found), _) | (None, [found])) = (found, &contacts[..]) else { return None };
        let granted =
            found.expires().or_else(|| response.headers().expires()).unwrap_or(self.expiration);
        (!granted.is_zero()).then_some(granted.min(MAX_EXPIRATION))
    }

    fn handle_challenge(&mut self, response: &Response, now: Instant) {
        if self.repeats >= MAX_REPEATS {
            return self.fail(RegistrationError::Challenge(ChallengeError::Refused), None, now);
        }
        // Credentials made from a nonce of an earlier attempt prove nothing when refused: a registrar
        // that restarted has forgotten the nonce, and need not know that it was ever its own.
        if self.repeats == 0 {
            self.attempt = self.blank();
        }
        self.repeats += 1;
        let credentials = borrowed(&self.settings.credentials);
        let answer =
            self.responder.answer(response, &mut self.attempt, &credentials, &mut self.entropy);
        match answer {
            Ok(()) => self.send(),
            Err(error) => self.fail(RegistrationError::Challenge(error), None, now),
        }
    }

    /// 423: asks again for what the registrar insists on (RFC 3261 §10.2.8).
    fn handle_too_brief(&mut self, response: &Response, now: Instant) {
        let minimum = response.seconds(HeaderName::MinExpires).unwrap_or_default();
        let is_useful = minimum > self.expiration && minimum <= MAX_EXPIRATION;
        if self.state == RegistrationState::Unregistering
            || !is_useful
            || self.repeats >= MAX_REPEATS
        {
            let error = RegistrationError::Refused(StatusCode::INTERVAL_TOO_BRIEF);
            return self.fail(error, None, now);
        }
        self.expiration = minimum;
        let repeats = self.repeats + 1;
        self.begin(RegistrationState::Registering);
        self.repeats = repeats;
    }

    fn fail(&mut self, error: RegistrationError, retry_after: Option<Duration>, now: Instant) {
        if self.state == RegistrationState::Unregistering {
            self.last_error = Some(error);
            return self.end();
        }
        let is_new = self.last_error.replace(error) != Some(error);
        if self.is_stopping {
            return self.stop();
        }
        self.failures = self.failures.saturating_add(1);
        let is_spent = self.settings.max_retries.is_some_and(|most| self.failures >= most);
        let wait = match is_spent {
            true => None,
            false => self.wait_after(error),
        };
        let Some(wait) = wait else {
            self.state = RegistrationState::Rejected;
            self.events.push_back(RegistrationEvent::Rejected(error));
            return;
        };
        // RFC 5626 §4.5: a random wait between half and all of the bound, so that those who failed
        // together do not return together. What the registrar asks for is a least wait, and is
        // spread upwards.
        let mut wait = wait.mul_f64(0.5 + 0.5 * self.entropy.fraction());
        if let Some(least) = retry_after.map(|it| it.min(MAX_EXPIRATION)) {
            wait = wait.max(least + least.mul_f64(0.1 * self.entropy.fraction()));
        }
        self.state = RegistrationState::Waiting { due: now + wait };
        if is_new {
            self.events.push_back(RegistrationEvent::Failed(error));
        }
    }

    /// The bound of the wait after a failure; `None` if there is no point in another attempt.
    fn wait_after(&self, error: RegistrationError) -> Option<Duration> {
        let settings = &self.settings;
        let is_temporary = match error {
            RegistrationError::Refused(status) => is_temporary(status),
            RegistrationError::Challenge(_) => settings.auth_rejection == AuthRejection::Temporary,
            RegistrationError::NoAnswer
            | RegistrationError::Unreachable
            | RegistrationError::NotBound => true,
        };
        if is_temporary {
            let doubled = settings.retry_interval.saturating_mul(1 << (self.failures - 1).min(16));
            let ceiling = settings.retry_ceiling.max(settings.retry_interval);
            return Some(doubled.min(ceiling).clamp(MIN_RETRY, MAX_EXPIRATION));
        }
        let forbidden = settings
            .forbidden_retry_interval
            .filter(|_| error == RegistrationError::Refused(StatusCode::FORBIDDEN));
        forbidden
            .or(settings.fatal_retry_interval)
            .map(|wait| wait.clamp(MIN_RETRY, MAX_EXPIRATION))
    }

    /// Takes back what may be bound; with nothing bound there is nothing to say.
    fn stop(&mut self) {
        match self.bound_until {
            Some(_) => self.begin(RegistrationState::Unregistering),
            None => self.end(),
        }
    }

    fn end(&mut self) {
        self.state = RegistrationState::Unregistered;
        if self.bound_until.take().is_some() {
            self.events.push_back(RegistrationEvent::Expired);
        }
        self.events.push_back(RegistrationEvent::Unregistered);
    }
}

/// What may pass by itself: Asterisk's list, and 480, which says so in its name.
fn is_temporary(status: StatusCode) -> bool {
    matches!(status.code(), 408 | 480 | 500 | 502 | 503 | 504 | 600..=699)
}

/// Neither a grant nor a wait is believed beyond: a day.
const MAX_EXPIRATION: Duration = Duration::from_hours(24);
/// No refresh follows sooner, however brief the grant, so that a hostile one starts no storm.
const MIN_REFRESH: Duration = Duration::from_secs(5);
/// No attempt follows a failure sooner (before the spread).
const MIN_RETRY: Duration = Duration::from_secs(1);
/// A refresh goes out after 70 to 85 % of the grant: with one of 60 s, 9 s remain to repeat it.
const REFRESH_EARLIEST: f64 = 0.70;
const REFRESH_SPREAD: f64 = 0.15;
/// A proxy's challenge, the registrar's, one stale nonce and one 423: more is a loop.
const MAX_REPEATS: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    fn registration(seed: u64, first: Instant) -> Registration {
        let address = |text: &str| NameAddr::new(Uri::parse(text).unwrap());
        let flow = Flow::udp("127.0.0.1:5060".parse().unwrap(), "127.0.0.2:5060".parse().unwrap());
        let settings = RegistrationSettings {
            credentials: vec![OwnCredentials {
                username: "0098".into(),
                realm: Some("pbx".into()),
                secret: OwnSecret::Password("0000".into()),
            }],
            ..RegistrationSettings::new(
                Uri::parse("sip:pbx").unwrap(),
                address("sip:0098@pbx"),
                address("sip:0098@127.0.0.1:5060"),
                flow,
            )
        };
        Registration::new(settings, Entropy::new(seed), first)
    }

    fn bound(seconds: u32) -> Response {
        let contact = format!("<sip:0098@127.0.0.1:5060>;expires={seconds}");
        Response::new(StatusCode::OK).with(HeaderName::Contact, &contact[..])
    }

    fn challenge(realm: &str, nonce: &str, more: &str) -> Response {
        let value = format!(r#"Digest realm="{realm}", nonce="{nonce}", qop="auth"{more}"#);
        Response::new(StatusCode::UNAUTHORIZED).with(HeaderName::WwwAuthenticate, &value[..])
    }

    fn events(machine: &mut Registration) -> Vec<RegistrationEvent> {
        std::iter::from_fn(|| machine.poll_event()).collect()
    }

    fn code(code: u16) -> StatusCode {
        StatusCode::new(code).unwrap()
    }

    /// Lets the next deadline pass and takes the request that follows.
    fn next(machine: &mut Registration, now: &mut Instant) -> OutgoingRequest {
        *now = machine.poll_timeout().expect("something is due");
        machine.handle_timeout(*now);
        machine.poll_request().expect("a REGISTER is due")
    }

    #[test]
    fn binding_is_refreshed_before_the_granted_expiry_under_one_call_id() {
        let mut now = clock();
        let mut machine = registration(1, now);
        let first = next(&mut machine, &mut now);
        assert_eq!(first.headers.expires(), Some(Duration::from_hours(1)));
        machine.handle_response(&bound(100), now);
        assert_eq!(events(&mut machine), [RegistrationEvent::Registered]);
        let granted_at = now;
        let second = next(&mut machine, &mut now);
        let share = (now - granted_at).as_secs_f64();
        assert!((70.0..85.0).contains(&share), "{share}");
        assert_eq!((second.call_id, second.cseq), (first.call_id, first.cseq + 1));
        machine.handle_response(&bound(100), now);
        assert_eq!(events(&mut machine), []);
    }

    #[test]
    fn challenge_is_answered_and_later_requests_carry_credentials_from_the_start() {
        let mut now = clock();
        let mut machine = registration(2, now);
        assert!(next(&mut machine, &mut now).headers.value(HeaderName::Authorization).is_none());
        machine.handle_response(&challenge("pbx", "a", ""), now);
        let answer = machine.poll_request().unwrap();
        assert!(answer.headers.value(HeaderName::Authorization).is_some());
        assert_eq!(answer.cseq, 2);
        machine.handle_response(&bound(60), now);
        let refresh = next(&mut machine, &mut now);
        assert!(refresh.headers.text(HeaderName::Authorization).unwrap().contains("00000002"));
        // The registrar restarted: it knows nothing of the nonce, and does not call it stale.
        machine.handle_response(&challenge("pbx", "b", ""), now);
        let again = machine.poll_request().expect("the new nonce is answered");
        assert!(again.headers.text(HeaderName::Authorization).unwrap().contains("nonce=\"b\""));
        assert_eq!(again.headers.values(HeaderName::Authorization).count(), 1);
    }

    #[test]
    fn wrong_password_and_foreign_realm_end_it_and_endless_staleness_too() {
        let mut now = clock();
        let mut machine = registration(3, now);
        next(&mut machine, &mut now);
        machine.handle_response(&challenge("pbx", "a", ""), now);
        machine.poll_request().unwrap();
        machine.handle_response(&challenge("pbx", "b", ""), now);
        let refused = RegistrationError::Challenge(ChallengeError::Refused);
        assert_eq!(events(&mut machine), [RegistrationEvent::Rejected(refused)]);
        assert_eq!((machine.poll_request().is_none(), machine.poll_timeout()), (true, None));

        let mut machine = registration(3, now);
        next(&mut machine, &mut now);
        machine.handle_response(&challenge("elsewhere", "a", ""), now);
        assert!(machine.poll_request().is_none());
        assert_eq!(machine.state(), RegistrationState::Rejected);

        let mut machine = registration(3, now);
        next(&mut machine, &mut now);
        let mut sent = 0;
        for nonce in 0..100 {
            let response = challenge("pbx", &nonce.to_string(), ", stale=true");
            machine.handle_response(&response, now);
            sent += machine.poll_request().iter().count();
        }
        assert_eq!(sent, MAX_REPEATS as usize);
    }

    #[test]
    fn minimum_of_the_registrar_is_accepted_once() {
        let mut now = clock();
        let mut machine = registration(4, now);
        next(&mut machine, &mut now);
        let brief = |seconds: &str| {
            Response::new(StatusCode::INTERVAL_TOO_BRIEF).with(HeaderName::MinExpires, seconds)
        };
        machine.handle_response(&brief("7200"), now);
        let again = machine.poll_request().unwrap();
        assert_eq!(again.headers.expires(), Some(Duration::from_hours(2)));
        machine.handle_response(&brief("7200"), now);
        assert!(machine.poll_request().is_none());
        let error = RegistrationError::Refused(StatusCode::INTERVAL_TOO_BRIEF);
        assert_eq!(machine.last_error(), Some(error));
    }

    #[test]
    fn waits_grow_to_the_ceiling_and_a_reason_is_told_once() {
        let mut now = clock();
        let mut machine = registration(5, now);
        for bound in [60, 120, 240, 300, 300] {
            next(&mut machine, &mut now);
            machine.handle_failure(Failure::TimedOut, now);
            let wait = (machine.poll_timeout().unwrap() - now).as_secs_f64();
            let bound = f64::from(bound);
            assert!((bound / 2.0..=bound).contains(&wait), "{wait} of {bound}");
        }
        let failed = RegistrationEvent::Failed(RegistrationError::NoAnswer);
        assert_eq!(events(&mut machine), [failed]);
        next(&mut machine, &mut now);
        let busy = Response::new(code(503)).with(HeaderName::RetryAfter, "1000");
        machine.handle_response(&busy, now);
        let wait = (machine.poll_timeout().unwrap() - now).as_secs();
        assert!((1000..=1100).contains(&wait), "{wait}");
    }

    #[test]
    fn permanent_refusals_end_it_unless_an_interval_is_set() {
        for (status, forbidden, fatal, wait) in [
            (403, None, None, None),
            (403, Some(30), Some(90), Some(30)),
            (403, None, Some(90), Some(90)),
            (404, Some(30), None, None),
            (404, Some(30), Some(90), Some(90)),
            (500, None, None, Some(60)),
        ] {
            let mut now = clock();
            let mut machine = registration(6, now);
            machine.settings.forbidden_retry_interval = forbidden.map(Duration::from_secs);
            machine.settings.fatal_retry_interval = fatal.map(Duration::from_secs);
            next(&mut machine, &mut now);
            machine.handle_response(&Response::new(code(status)), now);
            let waits = machine.poll_timeout().map(|due| (due - now).as_secs_f64());
            let fits = match (waits, wait) {
                (Some(waits), Some(wait)) => (wait as f64 / 2.0..=wait as f64).contains(&waits),
                (waits, wait) => waits.is_none() && wait.is_none(),
            };
            assert!(fits, "{status} {forbidden:?} {fatal:?}: {waits:?}");
        }
    }

    #[test]
    fn failed_refresh_keeps_the_binding_until_it_ends() {
        let mut now = clock();
        let mut machine = registration(7, now);
        next(&mut machine, &mut now);
        machine.handle_response(&bound(100), now);
        let end = now + Duration::from_secs(100);
        next(&mut machine, &mut now);
        machine.handle_failure(Failure::TimedOut, now);
        assert_eq!(machine.bound_until(), Some(end));
        machine.handle_timeout(end);
        assert_eq!(machine.bound_until(), None);
        assert!(events(&mut machine).contains(&RegistrationEvent::Expired));
    }

    #[test]
    fn unregistering_waits_for_the_request_under_way_and_then_takes_the_contact_back() {
        let mut now = clock();
        let mut machine = registration(8, now);
        next(&mut machine, &mut now);
        machine.unregister();
        assert!(machine.poll_request().is_none(), "requests must not overlap");
        machine.handle_response(&bound(100), now);
        let last = machine.poll_request().unwrap();
        assert_eq!(last.headers.expires(), Some(Duration::ZERO));
        machine.handle_response(&Response::new(StatusCode::OK), now);
        assert_eq!(events(&mut machine).last(), Some(&RegistrationEvent::Unregistered));
        assert_eq!(machine.poll_timeout(), None);
        machine.handle_response(&bound(100), now);
        assert_eq!(machine.state(), RegistrationState::Unregistered, "late answers are harmless");
    }

    #[test]
    fn five_hundred_survive_ten_dead_minutes_on_a_lossy_link_without_a_storm() {
        let start = clock();
        let step = Duration::from_secs(1);
        let first = |n: u64| start + Duration::from_millis(20) * n as u32;
        let mut machines: Vec<_> = (0..500).map(|n| registration(n, first(n))).collect();
        // Requests on their way to a fate: when it is known, whose, and what.
        let mut fates: Vec<(Instant, usize, bool)> = vec![];
        let mut link = Entropy::new(9);
        let died = start + Duration::from_mins(30)..start + Duration::from_mins(40);
        let end = start + Duration::from_mins(90);
        let mut per_second = vec![0u32; 90 * 60 + 1];
        let (mut most_back, mut all_back) = (None, None);
        let mut now = start;
        while now < end {
            for (at, machine) in machines.iter_mut().enumerate() {
                if machine.poll_timeout().is_some_and(|due| due <= now) {
                    machine.handle_timeout(now);
                }
                while machine.poll_request().is_some() {
                    per_second[(now - start).as_secs() as usize] += 1;
                    let is_lost = died.contains(&now) || link.below(100) < 5;
                    let after = if is_lost { Duration::from_secs(32) } else { step };
                    fates.push((now + after, at, is_lost));
                }
            }
            fates.retain(|&(when, at, is_lost)| {
                let is_due = when <= now;
                match is_lost {
                    _ if !is_due => {}
                    true => machines[at].handle_failure(Failure::TimedOut, now),
                    false => machines[at].handle_response(&bound(300), now),
                }
                !is_due
            });
            let bound = machines.iter().filter(|it| it.bound_until().is_some()).count();
            if now == died.end {
                assert_eq!(bound, 0, "every binding ended while the registrar was dead");
            }
            let since = now.saturating_duration_since(died.end);
            if most_back.is_none() && now > died.end && bound * 10 >= machines.len() * 9 {
                most_back = Some(since);
            }
            if all_back.is_none() && now > died.end && bound == machines.len() {
                all_back = Some(since);
            }
            now += step;
        }
        // One wait at the ceiling brings back all but the 5 % whose request is lost, each of which
        // waits again; of 500 one or two lose two in a row.
        let once = Duration::from_secs(300 + 32);
        let (most_back, all_back) = (most_back.expect("most"), all_back.expect("all return"));
        assert!(most_back <= once && all_back <= 3 * once, "{most_back:?} {all_back:?}");
        let start_rate = per_second[..20].iter().max().unwrap();
        let later_rate = per_second[20..].iter().max().unwrap();
        assert!(*start_rate <= 51 && *later_rate <= 25, "{start_rate} {later_rate}");
        println!("most after {most_back:?}, all after {all_back:?}, {later_rate} a second");
    }
}
