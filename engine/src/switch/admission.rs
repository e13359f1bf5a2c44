//! Who is let in: which peer a request is from, and whether it must prove it.
//!
//! A request belongs to the peer that its source address identifies, else to the one its From or its
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
    Seeds, Switch, SwitchConfig, SwitchEvent,
    budget::{Budgets, Rate},
};
use crate::{
    clock::Now,
    config::{
        AuthCredentials, AuthSecret, DigestAlgorithm, DigestOffer, IdentifyBy, Peer, SipSettings,
    },
    sip::{
        self, Request, Response, StatusCode,
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
}

/// What admission remembers.
#[derive(Debug)]
pub(super) struct Gate {
    authenticator: Authenticator,
    peers: Vec<Arc<Peer>>,
    /// Wrong passwords by source and account.
    guesses: Budgets<(IpAddr, u64)>,
    /// Wrong passwords by source, whatever the account.
    sources: Budgets<IpAddr>,
    /// Lines in the log by source.
    lines: Budgets<IpAddr>,
    /// Accounts are remembered by a hash: a long name must not cost memory.
    hasher: RandomState,
}

impl Gate {
    pub(super) fn new(config: &SwitchConfig, seeds: &Seeds, now: Now) -> Self {
        let settings = auth_settings(&config.sip.digest_algorithms);
        Self {
            authenticator: Authenticator::new(settings, seeds.digest_key, now.instant),
            peers: config.sip.peers.iter().cloned().map(Arc::new).collect(),
            guesses: Budgets::new(GUESSES_PER_ACCOUNT, REMEMBERED),
            sources: Budgets::new(GUESSES_PER_SOURCE, REMEMBERED),
            lines: Budgets::new(LINES_PER_SOURCE, REMEMBERED),
            hasher: RandomState::new(),
        }
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
    /// Which port the responses to a request go to, as far as can be told before its sender has
    /// proved who it is. Where a peer has `force_rport=no` that goes for the challenge as well: such
    /// a peer may not listen where it sends from.
    pub(super) fn response_port(&self, request: &Request, flow: &sip::Flow) -> sip::ResponsePort {
        let named = named(&self.config.sip, request, flow.peer.ip().to_canonical());
        named.map_or(sip::ResponsePort::Source, |peer| response_port(&self.config.sip.peers[peer]))
    }

    /// Finds the peer a request is from, and has it proved.
    pub(super) fn admit(&mut self, request: &Request, flow: &sip::Flow, now: Now) -> Admission {
        let settings = Arc::clone(&self.config.sip);
        let source = flow.peer.ip().to_canonical();
        let named = named(&settings, request, source);
        if let Some(peer) = named
            && settings.peers[peer].auth.is_empty()
        {
            return self.gate.admitted(peer);
        }
        let realm = named.and_then(|peer| settings.peers[peer].auth.first()?.realm.as_ref());
        let realm = realm.unwrap_or(&settings.default_realm).to_str_lossy().into_owned();
        let Gate { authenticator, guesses, sources, hasher, .. } = &mut self.gate;
        let mut claimed = None;
        let verdict = authenticator.verify(request, &realm, source, now.instant, |username| {
            let account = (source, hasher.hash_one(username));
            if !guesses.has(&account, now.instant) || !sources.has(&source, now.instant) {
                return None;
            }
            let peer = named.or_else(|| by_credentials(&settings, username))?;
            claimed = Some(peer);
            secret_of(&settings.peers[peer], username, &realm)
        });
        match (&verdict, claimed) {
            (Verdict::Accepted { username }, Some(peer)) => {
                let account = (source, hasher.hash_one(&username[..]));
                guesses.forgive(&account);
                return self.gate.admitted(peer);
            }
            (Verdict::Refused { username }, _) => self.note_failure(request, flow, username, now),
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

    /// A wrong password, or a user nobody knows.
    fn note_failure(&mut self, request: &Request, flow: &sip::Flow, username: &[u8], now: Now) {
        let source = flow.peer.ip().to_canonical();
        let gate = &mut self.gate;
        let account = (source, gate.hasher.hash_one(username));
        gate.guesses.spend(account, now.instant);
        gate.sources.spend(source, now.instant);
        if !gate.lines.spend(source, now.instant) {
            return;
        }
        let username = BStr::new(username).to_string().escape_debug().to_string();
        let method = request.method().as_str().to_owned();
        tracing::warn!(
            target: "diesis::security", source = %flow.peer, username, method,
            "authentication failed"
        );
        let source = flow.peer;
        self.tell(SwitchEvent::AuthenticationFailed { username, source, method });
    }
}

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

/// Which port the responses to a peer's requests go to.
pub(super) fn response_port(peer: &Peer) -> sip::ResponsePort {
    match peer.force_rport {
        true => sip::ResponsePort::Source,
        false => sip::ResponsePort::AsAsked,
    }
}

/// The peer that a request names by its source or its From.
fn named(settings: &SipSettings, request: &Request, source: IpAddr) -> Option<usize> {
    by_address(settings, source).or_else(|| by_from(settings, request))
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

/// An office behind one address may have many phones with an old password.
const GUESSES_PER_SOURCE: Rate = Rate { burst: 100, refill: Duration::from_millis(600) };

/// Enough for a ban by what reads the log; a flood does not fill the disk.
const LINES_PER_SOURCE: Rate = Rate { burst: 20, refill: Duration::from_secs(3) };

/// Sources and accounts remembered at a time, some 50 bytes each.
const REMEMBERED: usize = 65_536;
