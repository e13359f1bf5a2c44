//! Who is let in: which peer a request is from, and whether it must prove it.
//!
//! A request belongs to the peer whose registration elsewhere it is sent for, else to the one that
//! its source address identifies, else to the one its From or its
//! credentials name. A peer with credentials proves itself with every request outside a dialog; a
//! request of nobody we know is challenged the same way and never accepted, so that a stranger can
//! not tell which users exist.

use std::{
    borrow::Cow,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use bstr::{BStr, ByteSlice};

use super::{
    AuthenticationFailure, BanView, Seeds, Switch, SwitchConfig, SwitchEvent,
    bans::{Bans, Consequence, source_of},
    budget::{Budgets, Rate},
};
use crate::{
    clock::Now,
    config::{
        AuthCredentials, AuthSecret, DigestAlgorithm, DigestOffer, IdentifyBy, Peer, Scanners,
        SipSettings,
    },
    sip::{
        self, HeaderName, Request, Response, StatusCode,
        auth::{Algorithm, AuthSettings, Authenticator, Md5Alone, Secret, Verdict},
    },
};

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Admission {
    /// It is from this peer.
    Peer(Arc<Peer>),
    /// It is answered with this, whoever it is from.
    Refused { status: StatusCode, headers: sip::Headers },
    /// It is not answered at all.
    Ignored,
}

/// What admission remembers.
#[derive(Debug)]
pub(super) struct Gate {
    authenticator: Authenticator,
    peers: Vec<Arc<Peer>>,
    /// Wrong passwords by source and account.
    guesses: Budgets<(IpAddr, u64)>,
    /// Who is not listened to.
    bans: Bans,
    /// Requests of nobody known, by source, before they are told.
    strangers: Budgets<IpAddr>,
    /// Events and lines in the security log by source.
    lines: Budgets<IpAddr>,
    /// Lines on the console by source.
    warnings: Budgets<IpAddr>,
    /// Where strangers are answered.
    strangers_port: sip::ResponsePort,
    /// Accounts are remembered by a hash: a long name must not cost memory.
    hasher: RandomState,
}

impl Gate {
    pub(super) fn new(config: &SwitchConfig, seeds: &Seeds, now: Now) -> Self {
        let settings = auth_settings(&config.sip.digest_algorithms);
        Self {
            strangers_port: strangers_port(&config.sip),
            authenticator: Authenticator::new(settings, seeds.digest_key, now.instant),
            peers: config.sip.peers.iter().cloned().map(Arc::new).collect(),
            guesses: Budgets::new(GUESSES_PER_ACCOUNT, REMEMBERED),
            bans: Bans::new(config.sip.bans.clone()),
            strangers: Budgets::new(STRANGERS_PER_SOURCE, REMEMBERED),
            lines: Budgets::new(LINES_PER_SOURCE, REMEMBERED),
            warnings: Budgets::new(WARNINGS_PER_SOURCE, REMEMBERED),
            hasher: RandomState::new(),
        }
    }

    /// Lets others in from now on. What is remembered of sources and accounts stays.
    pub(super) fn set_settings(&mut self, sip: &SipSettings) {
        let AuthSettings { algorithms, md5_alone, .. } = auth_settings(&sip.digest_algorithms);
        self.authenticator.set_algorithms(algorithms, md5_alone);
        self.strangers_port = strangers_port(sip);
        self.peers = sip.peers.iter().cloned().map(Arc::new).collect();
        self.bans.set_settings(sip.bans.clone());
    }

    /// The peer of this place in the configuration.
    pub(super) fn peer(&self, index: usize) -> Arc<Peer> {
        Arc::clone(&self.peers[index])
    }

    fn admitted(&self, peer: usize) -> Admission {
        Admission::Peer(self.peer(peer))
    }
}

impl Switch {
    /// Which port the responses to a request go to before its sender has proved who it is. That
    /// depends on where it is, and never on whom it names: a stranger could tell the names of peers
    /// by it. Where some peer that is known by name has `force_rport=no` it may not listen where it
    /// sends from, so all are answered where they ask to be.
    pub(super) fn response_port(&self, flow: &sip::Flow) -> sip::ResponsePort {
        let settings = &self.config.sip;
        match by_address(settings, flow.peer.ip().to_canonical()) {
            Some(peer) => response_port(&settings.peers[peer]),
            None => self.gate.strangers_port,
        }
    }

    /// Finds the peer a request is from, and has it proved.
    pub(super) fn admit(&mut self, request: &Request, flow: &sip::Flow, now: Now) -> Admission {
        let settings = Arc::clone(&self.config.sip);
        let source = flow.peer.ip().to_canonical();
        if settings.scanners == Scanners::Dropped && is_scanner(request) {
            return Admission::Ignored;
        }
        if self.gate.bans.has_source(source, now.instant)
            && by_address(&settings, source).is_none()
            && !self.is_registrar(source)
        {
            return Admission::Ignored;
        }
        if !settings.access.permits(source) {
            self.tell_barred(request, flow, now);
            let headers = sip::Headers::default();
            return Admission::Refused { status: StatusCode::FORBIDDEN, headers };
        }
        let registered = self.peer_registered(request, source);
        // A peer that may not come from there is nobody, so that its name can not be told either.
        let is_open = |peer: &usize| settings.peers[*peer].access.permits(source);
        let claims = [registered, by_address(&settings, source), by_from(&settings, request)];
        let named = claims.into_iter().flatten().find(is_open);
        let is_barred = named.is_none() && claims.iter().flatten().next().is_some();
        if let Some(peer) = named
            && settings.peers[peer].auth.is_empty()
        {
            return self.gate.admitted(peer);
        }
        let realm = named.and_then(|peer| settings.peers[peer].auth.first()?.realm.as_ref());
        let realm = realm.unwrap_or(&settings.default_realm).to_str_lossy().into_owned();
        let Gate { authenticator, guesses, bans, hasher, .. } = &mut self.gate;
        let mut claimed = None;
        let verdict = authenticator.verify(request, &realm, source, now.instant, |username| {
            let account = (source_of(source), hasher.hash_one(username));
            if !guesses.has(&account, now.instant)
                || bans.has_account(source, username, now.instant)
            {
                return None;
            }
            let by_credentials = || by_credentials(&settings, username).filter(is_open);
            let peer = named.or_else(by_credentials)?;
            claimed = Some(peer);
            secret_of(&settings.peers[peer], username, &realm)
        });
        match (&verdict, claimed) {
            (Verdict::Accepted { username }, Some(peer)) => {
                let account = (source_of(source), hasher.hash_one(&username[..]));
                guesses.forgive(&account);
                bans.forgive(source, username);
                return self.gate.admitted(peer);
            }
            (Verdict::Refused { username }, claimed) => {
                let failure = match claimed {
                    Some(_) => AuthenticationFailure::WrongPassword,
                    None if is_barred => AuthenticationFailure::AccessList,
                    None => AuthenticationFailure::UnknownPeer,
                };
                self.note_guess(request, flow, username, failure, now);
            }
            (Verdict::Missing, _) if is_barred => self.tell_barred(request, flow, now),
            (Verdict::Missing, _) if named.is_none() => {
                if !self.gate.strangers.spend(source_of(source), now.instant) {
                    let failure = AuthenticationFailure::UnknownPeer;
                    self.tell_failure(request, flow, &from_user(request), failure, now);
                }
            }
            (Verdict::Accepted { .. } | Verdict::Missing | Verdict::Stale, _) => {}
        }
        let mut challenge = Response::new(StatusCode::UNAUTHORIZED);
        self.gate.authenticator.challenge(
            &mut challenge,
            request,
            &realm,
            source,
            &verdict,
            now.instant,
        );
        let headers = challenge.headers().clone();
        Admission::Refused { status: StatusCode::UNAUTHORIZED, headers }
    }

    /// A request from where nobody is let in, or not the one that it names.
    fn tell_barred(&mut self, request: &Request, flow: &sip::Flow, now: Now) {
        let failure = AuthenticationFailure::AccessList;
        self.tell_failure(request, flow, &from_user(request), failure, now);
    }

    /// A wrong password, or a user nobody knows, by somebody who had a challenge of ours.
    fn note_guess(
        &mut self,
        request: &Request,
        flow: &sip::Flow,
        username: &[u8],
        failure: AuthenticationFailure,
        now: Now,
    ) {
        let source = flow.peer.ip().to_canonical();
        let gate = &mut self.gate;
        let account = (source_of(source), gate.hasher.hash_one(username));
        gate.guesses.spend(account, now.instant);
        let consequence = gate.bans.note_failure(source, username, now.instant);
        self.tell_failure(request, flow, username, failure, now);
        let account = match consequence {
            Consequence::None => return,
            Consequence::AccountBanned => Some(shown(username)),
            Consequence::SourceBanned => None,
        };
        let (source, time) = (source_of(source), self.config.sip.bans.time);
        tracing::warn!(
            target: "diesis::security", %source, account, seconds = time.as_secs(),
            "banned after too many failures"
        );
        self.tell(SwitchEvent::Banned { source, account, time });
    }

    /// Tells of somebody who is not let in, as often as a log can bear.
    fn tell_failure(
        &mut self,
        request: &Request,
        flow: &sip::Flow,
        username: &[u8],
        failure: AuthenticationFailure,
        now: Now,
    ) {
        let source = source_of(flow.peer.ip());
        if !self.gate.lines.spend(source, now.instant) {
            return;
        }
        let username = shown(username);
        let method = request.method().as_str().to_owned();
        if self.gate.warnings.spend(source, now.instant) {
            tracing::warn!(
                target: "diesis::security", source = %flow.peer, username, method,
                "authentication failed; more from there are not shown for a minute"
            );
        }
        let from = request.value(HeaderName::From).unwrap_or_default().into();
        let call_id = request.call_id().unwrap_or_default().into();
        let source = flow.peer;
        let event =
            SwitchEvent::AuthenticationFailed { username, source, method, from, call_id, failure };
        self.tell(event);
    }

    /// Who is not listened to at the moment.
    pub fn view_bans(&self, now: Now) -> Vec<BanView> {
        self.gate.bans.view(now.instant)
    }
}

/// A name from outside, for people to read.
fn shown(username: &[u8]) -> String {
    BStr::new(username).to_string().escape_debug().to_string()
}

/// Whether the User-Agent is one that only scanners have.
fn is_scanner(request: &Request) -> bool {
    let agent = request.user_agent().unwrap_or_default().to_ascii_lowercase();
    SCANNERS.iter().any(|scanner| agent.contains_str(scanner))
}

/// In lower case; anywhere in the User-Agent.
const SCANNERS: [&str; 12] = [
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sipcli",
    "sip-scan",
    "sipscan",
    "sipsak",
    "sundayddr",
    "iwar",
    "pplsip",
    "vaxsipuseragent",
    "cseq-scanner",
];

fn auth_settings(offer: &DigestOffer) -> AuthSettings {
    let everybody = AuthSettings::default();
    match offer {
        DigestOffer::Suited => AuthSettings { md5_alone: Md5Alone::KnownClients, ..everybody },
        DigestOffer::OnlyMd5 => AuthSettings { algorithms: vec![Algorithm::Md5], ..everybody },
        DigestOffer::Listed(listed) => {
            let algorithms = listed.iter().map(|algorithm| match algorithm {
                DigestAlgorithm::Md5 => Algorithm::Md5,
                DigestAlgorithm::Sha256 => Algorithm::Sha256,
                DigestAlgorithm::Sha512_256 => Algorithm::Sha512_256,
            });
            AuthSettings { algorithms: algorithms.collect(), ..everybody }
        }
    }
}

/// Which port the responses to requests go to whose sender nobody has proved yet.
fn strangers_port(sip: &SipSettings) -> sip::ResponsePort {
    let by_name = |peer: &&Peer| {
        let names = [IdentifyBy::Username, IdentifyBy::AuthUsername];
        names.iter().any(|name| peer.identify_by.contains(name))
    };
    match sip.peers.iter().filter(by_name).all(|peer| peer.force_rport) {
        true => sip::ResponsePort::Source,
        false => sip::ResponsePort::AsAsked,
    }
}

/// Which port the responses to a peer's requests go to.
pub(super) fn response_port(peer: &Peer) -> sip::ResponsePort {
    match peer.force_rport {
        true => sip::ResponsePort::Source,
        false => sip::ResponsePort::AsAsked,
    }
}

/// Whom the From of a request names.
fn from_user(request: &Request) -> Cow<'_, [u8]> {
    request.from_header().and_then(|it| it.uri().user_decoded()).unwrap_or_default()
}

fn by_address(settings: &SipSettings, source: IpAddr) -> Option<usize> {
    let peer = settings.identify.find(source)?;
    settings.peers[peer].identify_by.contains(&IdentifyBy::Address).then_some(peer)
}

fn by_from(settings: &SipSettings, request: &Request) -> Option<usize> {
    let from = request.from_header()?;
    let user: Cow<'_, [u8]> = from.uri().user_decoded()?;
    let peer = settings.peers.position(BStr::new(&user))?;
    settings.peers[peer].identify_by.contains(&IdentifyBy::Username).then_some(peer)
}

fn by_credentials(settings: &SipSettings, username: &[u8]) -> Option<usize> {
    let peer = settings.peers.position(BStr::new(username))?;
    settings.peers[peer].identify_by.contains(&IdentifyBy::AuthUsername).then_some(peer)
}

/// The secret by which `username` proves to be this peer.
fn secret_of<'p>(peer: &'p Peer, username: &[u8], realm: &str) -> Option<Secret<'p>> {
    let fits = |auth: &&AuthCredentials| {
        auth.username == username
            && auth.realm.as_ref().is_none_or(|own| own.as_slice() == realm.as_bytes())
    };
    let auth = peer.auth.iter().find(fits)?;
    Some(match &auth.secret {
        AuthSecret::Password(password) => Secret::Password(password.reveal()),
        AuthSecret::Md5(hash) => Secret::Md5Hash(hash.reveal()),
    })
}

/// At most ten in any minute.
const GUESSES_PER_ACCOUNT: Rate = Rate { burst: 5, refill: Duration::from_secs(12) };

/// A phone with the wrong name asks now and then, a scanner asks for many names at once. As Asterisk's
/// `unidentified_request_count` and `unidentified_request_period`.
const STRANGERS_PER_SOURCE: Rate = Rate { burst: 5, refill: Duration::from_secs(1) };

/// Enough for a ban by what reads the log; a flood does not fill the disk.
const LINES_PER_SOURCE: Rate = Rate { burst: 20, refill: Duration::from_secs(3) };

const WARNINGS_PER_SOURCE: Rate = Rate { burst: 1, refill: Duration::from_secs(60) };

/// Sources and accounts remembered at a time, some 50 bytes each.
const REMEMBERED: usize = 65_536;
