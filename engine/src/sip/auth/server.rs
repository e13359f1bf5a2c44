//! The server's side: challenges, and judging what comes back.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::digest::{Algorithm, Fields, HexHash, Inputs, Quality, Secret};
use super::nonce::{Nonces, Worth};
use crate::sip::header::{HeaderName, quote};
use crate::sip::uri::{Uri, UriRef};
use crate::sip::{Request, Response, grammar};

/// How requests are authenticated.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// Offered in this order, and accepted. MD5, SHA-256: RFC 8760 §2.4 has the client take the
    /// first that it knows, but clients before it may look at the first challenge only (sipp 3.6.1
    /// does). Where some passwords are stored as MD5 hashes only, MD5 must be alone, or their owners'
    /// phones choose in vain.
    pub algorithms: Vec<Algorithm>,
    /// Whom to offer MD5 alone. Nobody.
    pub md5_alone: Md5Alone,
    /// How long a nonce is good. 5 minutes: a captured one soon is not.
    pub nonce_lifetime: Duration,
    /// How many nonces in use are remembered, at some 50 bytes each. 65 536.
    pub nonce_capacity: usize,
}

/// Which clients are offered MD5 alone, if it is offered at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Md5Alone {
    /// None: everybody sees every algorithm.
    #[default]
    Nobody,
    /// Those that are known, by their User-Agent, to give up at a 401 that mentions another algorithm.
    KnownClients,
}

/// How the User-Agent of clients begins that give up at any mention of SHA-256: baresip before 1.1.
const GIVE_UP_AT_SHA256: [&[u8]; 2] = [b"baresip v0.", b"baresip v1.0."];

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Md5, Algorithm::Sha256],
            md5_alone: Md5Alone::default(),
            nonce_lifetime: Duration::from_secs(300),
            nonce_capacity: 65_536,
        }
    }
}

/// Challenges requests and checks the answers.
#[derive(Debug)]
pub struct Authenticator {
    settings: AuthSettings,
    nonces: Nonces,
}

/// What a request's credentials are worth.
///
/// All but [`Verdict::Accepted`] are answered by the same 401 with the same headers; `stale` alone
/// tells a client with the right password to try again with the new nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The sender knows the secret of this user name.
    Accepted {
        /// As in the header, escapes resolved.
        username: Vec<u8>,
    },
    /// No credentials for this realm that could be read: challenge.
    Missing,
    /// A nonce that is old, or was not made for this address, whatever the secret; or the right secret
    /// with a used nonce: challenge with `stale` (RFC 7616 §3.3).
    Stale,
    /// A wrong secret, or a user name that does not exist, by somebody who received a challenge at this
    /// address: challenge, and count as a guess.
    Refused {
        /// As in the header, for the security log. Comes from the network: escape it.
        username: Vec<u8>,
    },
}

impl Authenticator {
    /// `key` must come from the operating system's randomness; who knows it can make nonces.
    pub fn new(settings: AuthSettings, key: [u8; 32], now: Instant) -> Self {
        let nonces = Nonces::new(key, settings.nonce_lifetime, settings.nonce_capacity, now);
        Self { settings, nonces }
    }

    /// Offers and takes other algorithms from now on. The nonces that were given out hold on.
    pub fn set_algorithms(&mut self, algorithms: Vec<Algorithm>, md5_alone: Md5Alone) {
        self.settings.algorithms = algorithms;
        self.settings.md5_alone = md5_alone;
    }

    /// Adds the challenges to the 401 for a request: one per algorithm, in the order of preference.
    ///
    /// They depend on the request's User-Agent, and on nothing that is known of its user.
    pub fn challenge(
        &mut self,
        response: &mut Response,
        request: &Request,
        realm: &str,
        source: IpAddr,
        verdict: &Verdict,
        now: Instant,
    ) {
        let nonce = self.nonces.make(source, now);
        let mut quoted = String::new();
        quote(realm, &mut quoted);
        let stale = if *verdict == Verdict::Stale { ",stale=true" } else { "" };
        let is_narrow = self.settings.md5_alone == Md5Alone::KnownClients
            && self.settings.algorithms.contains(&Algorithm::Md5)
            && request.user_agent().is_some_and(|agent| {
                GIVE_UP_AT_SHA256.iter().any(|known| agent.starts_with(known))
            });
        let offered = self.settings.algorithms.iter();
        for algorithm in offered.filter(|it| !is_narrow || **it == Algorithm::Md5) {
            let algorithm = algorithm.as_str();
            let challenge = format!(
                "Digest realm={quoted},nonce=\"{nonce}\",algorithm={algorithm},qop=\"auth\"{stale}"
            );
            response.push(HeaderName::WwwAuthenticate, challenge);
        }
    }

    /// Judges a request. `secret` is asked once, with the user name, for the secret that this user
    /// may authenticate with.
    ///
    /// An unknown user costs as much time as a known one with a wrong password.
    pub fn verify<'s>(
        &mut self,
        request: &Request,
        realm: &str,
        source: IpAddr,
        now: Instant,
        secret: impl FnOnce(&[u8]) -> Option<Secret<'s>>,
    ) -> Verdict {
        let Some(answer) = self.find_answer(request, realm) else { return Verdict::Missing };
        // Before anything is looked at that depends on the user: a guess must show that its sender
        // received our challenge, or others could have a phone banned by guessing in its name.
        if !self.nonces.has_made(&answer.nonce, source, now) {
            return Verdict::Stale;
        }
        let inputs = answer.inputs(request);
        let secret = secret(&answer.username);
        // The same two hashes are made whatever the secret is, or if there is none.
        let known = secret.unwrap_or(Secret::Password(b""));
        let by_password = match known {
            Secret::Password(_) => inputs.response(known),
            Secret::Md5Hash(_) => inputs.response(Secret::Password(b"")),
        };
        let by_hash = inputs.response(match known {
            Secret::Md5Hash(_) => known,
            Secret::Password(_) => Secret::Md5Hash(&[b'0'; 32]),
        });
        let expected: Option<HexHash> = match known {
            Secret::Password(_) => by_password,
            Secret::Md5Hash(_) => by_hash,
        };
        let matches = expected.is_some_and(|expected| expected.matches(&answer.response));
        let is_for_this = is_same_target(&answer.uri, request.uri());
        if !(matches & secret.is_some() & is_for_this) {
            return Verdict::Refused { username: answer.username };
        }
        match self.nonces.spend(&answer.nonce, answer.count, source, now) {
            Worth::Fresh => Verdict::Accepted { username: answer.username },
            Worth::Stale => Verdict::Stale,
        }
    }

    /// The first credentials for this realm in an algorithm on offer.
    fn find_answer(&self, request: &Request, realm: &str) -> Option<Answer> {
        let values = request.values(HeaderName::Authorization).take(MAX_CREDENTIALS);
        values.filter_map(Fields::parse).filter_map(|fields| Answer::read(&fields)).find(|answer| {
            answer.realm == realm.as_bytes() && self.settings.algorithms.contains(&answer.algorithm)
        })
    }
}

/// Authorization headers looked at.
const MAX_CREDENTIALS: usize = 8;

/// The answer to a challenge, as a client gives it.
struct Answer {
    algorithm: Algorithm,
    is_session: bool,
    username: Vec<u8>,
    realm: Vec<u8>,
    nonce: Vec<u8>,
    uri: Vec<u8>,
    response: Vec<u8>,
    cnonce: Vec<u8>,
    /// As written, since it is hashed so.
    nc: Vec<u8>,
    /// Without `nc`, a nonce is good for one request.
    count: u32,
    quality: AnswerQuality,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AnswerQuality {
    None,
    Auth,
    AuthInt,
}

impl Answer {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let (algorithm, is_session) = fields.algorithm()?;
        let owned = |name| fields.get(name).map(<[u8]>::to_vec);
        let quality = match fields.get("qop") {
            // RFC 3261 §22.4: clients older than qop are to be let in.
            None => AnswerQuality::None,
            Some(qop) if qop.eq_ignore_ascii_case(b"auth") => AnswerQuality::Auth,
            Some(qop) if qop.eq_ignore_ascii_case(b"auth-int") => AnswerQuality::AuthInt,
            Some(_) => return None,
        };
        let nc = owned("nc").unwrap_or_default();
        let count = match quality {
            AnswerQuality::None => 1,
            AnswerQuality::Auth | AnswerQuality::AuthInt => {
                // Eight hexadecimal digits (RFC 7616 §3.4); fewer have been seen.
                let is_number = (1..=8).contains(&nc.len()) && nc.iter().all(u8::is_ascii_hexdigit);
                let text = grammar::text(&nc).filter(|_| is_number)?;
                u32::from_str_radix(text, 16).ok()?
            }
        };
        let cnonce = match quality {
            AnswerQuality::None => owned("cnonce").unwrap_or_default(),
            AnswerQuality::Auth | AnswerQuality::AuthInt => owned("cnonce")?,
        };
        Some(Self {
            algorithm,
            is_session,
            username: owned("username")?,
            realm: owned("realm")?,
            nonce: owned("nonce")?,
            uri: owned("uri")?,
            response: owned("response")?,
            cnonce,
            nc,
            count,
            quality,
        })
    }

    fn inputs<'a>(&'a self, request: &'a Request) -> Inputs<'a> {
        let (nc, cnonce) = (&self.nc[..], &self.cnonce[..]);
        Inputs {
            algorithm: self.algorithm,
            is_session: self.is_session,
            username: &self.username,
            realm: &self.realm,
            nonce: &self.nonce,
            method: request.method().as_str(),
            uri: &self.uri,
            quality: match self.quality {
                AnswerQuality::None => Quality::None { cnonce },
                AnswerQuality::Auth => Quality::Auth { nc, cnonce },
                AnswerQuality::AuthInt => Quality::AuthInt { nc, cnonce, body: request.body() },
            },
        }
    }
}

/// Whether credentials made for `uri` are for this request.
///
/// The same user and host are enough: proxies add and strip parameters and ports on the way
/// (RFC 3261 §22.4 point 5 leaves it to the server).
fn is_same_target(uri: &[u8], target: UriRef<'_>) -> bool {
    let Some(uri) = grammar::text(uri).and_then(|text| Uri::parse(text).ok()) else {
        return false;
    };
    let uri = uri.as_ref();
    uri.as_str() == target.as_str()
        || (uri.user_decoded() == target.user_decoded()
            && uri.host().is_some()
            && uri.host() == target.host())
}

#[cfg(test)]
mod tests {
    use super::super::{Credentials, Responder};
    use super::*;
    use crate::entropy::Entropy;
    use crate::sip::{CSeq, Method, StatusCode};

    #[allow(clippy::disallowed_methods, reason = "the one clock of these tests")]
    fn clock() -> Instant {
        Instant::now()
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn register() -> Request {
        Request::new(Method::Register, &Uri::parse("sip:pbx.example").unwrap())
            .with(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
            .with(HeaderName::From, "<sip:100@pbx.example>;tag=1")
            .with(HeaderName::To, "<sip:100@pbx.example>")
            .with(HeaderName::CallId, "c")
            .with(HeaderName::CSeq, CSeq::new(1, Method::Register))
    }

    fn lookup(username: &[u8]) -> Option<Secret<'static>> {
        match username {
            b"100" => Some(Secret::Password(b"secret")),
            b"md5" => Some(Secret::Md5Hash(b"1f27b1a5be4e1b2a4c6c5dd0ab0c1d9e")),
            _ => None,
        }
    }

    struct Server {
        authenticator: Authenticator,
        now: Instant,
    }

    impl Server {
        fn new(algorithms: &[Algorithm]) -> Self {
            let settings =
                AuthSettings { algorithms: algorithms.to_vec(), ..AuthSettings::default() };
            let now = clock();
            Self { authenticator: Authenticator::new(settings, [1; 32], now), now }
        }

        fn verify(&mut self, request: &Request) -> Verdict {
            self.authenticator.verify(request, "pbx", HERE, self.now, lookup)
        }

        fn challenge(&mut self, request: &Request, verdict: &Verdict) -> Response {
            let mut response = Response::to(request, StatusCode::UNAUTHORIZED);
            self.authenticator.challenge(&mut response, request, "pbx", HERE, verdict, self.now);
            response
        }
    }

    fn answered(challenge: &Response, username: &str, password: &[u8]) -> Request {
        let mut request = register();
        let credentials = Credentials {
            username: username.as_bytes(),
            realm: Some("pbx"),
            secret: Secret::Password(password),
        };
        Responder::new()
            .answer(challenge, &mut request, &[credentials], &mut Entropy::new(9))
            .unwrap();
        request
    }

    #[test]
    fn right_password_is_accepted_once() {
        for algorithms in [&[Algorithm::Sha256, Algorithm::Md5][..], &[Algorithm::Md5]] {
            let mut server = Server::new(algorithms);
            let verdict = server.verify(&register());
            assert_eq!(verdict, Verdict::Missing);
            let challenge = server.challenge(&register(), &verdict);
            assert_eq!(challenge.values(HeaderName::WwwAuthenticate).count(), algorithms.len());
            let request = answered(&challenge, "100", b"secret");
            assert_eq!(server.verify(&request), Verdict::Accepted { username: b"100".to_vec() });
            assert_eq!(server.verify(&request), Verdict::Stale);
        }
    }

    #[test]
    fn unknown_user_and_wrong_password_look_the_same() {
        let mut server = Server::new(&[Algorithm::Sha256, Algorithm::Md5]);
        let challenge = server.challenge(&register(), &Verdict::Missing);
        let answers = [("100", &b"wrong"[..]), ("nobody", b"secret"), ("nobody", b"")];
        let mut lengths = vec![];
        for (username, password) in answers {
            let verdict = server.verify(&answered(&challenge, username, password));
            assert_eq!(verdict, Verdict::Refused { username: username.into() });
            lengths.push(server.challenge(&register(), &verdict).to_bytes().len());
        }
        assert!(lengths.iter().all(|&length| length == lengths[0]));
    }

    #[test]
    fn old_nonce_with_the_right_password_is_stale() {
        let mut server = Server::new(&[Algorithm::Sha256]);
        let challenge = server.challenge(&register(), &Verdict::Missing);
        server.now += Duration::from_secs(301);
        let verdict = server.verify(&answered(&challenge, "100", b"secret"));
        assert_eq!(verdict, Verdict::Stale);
        let again = server.challenge(&register(), &verdict);
        assert!(again.text(HeaderName::WwwAuthenticate).unwrap().ends_with(",stale=true"));
        let verdict = server.verify(&answered(&challenge, "100", b"wrong"));
        assert_eq!(verdict, Verdict::Stale, "nothing is told of the secret");
    }

    #[test]
    fn guesses_in_the_name_of_another_address_are_none() {
        let mut server = Server::new(&[Algorithm::Md5]);
        let challenge = server.challenge(&register(), &Verdict::Missing);
        let there = "192.0.2.2".parse().unwrap();
        for password in [&b"wrong"[..], b"secret"] {
            let request = answered(&challenge, "100", password);
            let verdict = server
                .authenticator
                .verify(&request, "pbx", there, server.now, |_| panic!("the secret is looked at"));
            assert_eq!(verdict, Verdict::Stale);
        }
    }

    #[test]
    fn algorithm_not_on_offer_is_no_answer() {
        let challenge = Server::new(&[Algorithm::Md5]).challenge(&register(), &Verdict::Missing);
        let request = answered(&challenge, "100", b"secret");
        assert_eq!(Server::new(&[Algorithm::Sha256]).verify(&request), Verdict::Missing);
    }

    #[test]
    fn credentials_for_another_target_method_or_realm_are_refused() {
        let mut server = Server::new(&[Algorithm::Sha256]);
        let challenge = server.challenge(&register(), &Verdict::Missing);
        let header = answered(&challenge, "100", b"secret");
        let header = header.value(HeaderName::Authorization).unwrap().to_vec();
        let call = Request::new(Method::Invite, &Uri::parse("sip:900@pbx.example").unwrap())
            .with(HeaderName::Authorization, header.clone());
        assert!(matches!(server.verify(&call), Verdict::Refused { .. }));
        let same = Request::new(Method::Invite, &Uri::parse("sip:pbx.example").unwrap())
            .with(HeaderName::Authorization, header);
        assert!(matches!(server.verify(&same), Verdict::Refused { .. }));
        let verdict = server.authenticator.verify(
            &answered(&challenge, "100", b"secret"),
            "other",
            HERE,
            server.now,
            lookup,
        );
        assert_eq!(verdict, Verdict::Missing);
    }

    #[test]
    fn stored_hash_is_enough_for_md5() {
        let hash = Algorithm::Md5.hash(&[b"100", b"pbx", b"secret"]);
        let mut server = Server::new(&[Algorithm::Md5]);
        let challenge = server.challenge(&register(), &Verdict::Missing);
        let request = answered(&challenge, "100", b"secret");
        let verdict = server
            .authenticator
            .verify(&request, "pbx", HERE, server.now, |_| Some(Secret::Md5Hash(hash.as_bytes())));
        assert_eq!(verdict, Verdict::Accepted { username: b"100".to_vec() });
    }

    #[test]
    fn unreadable_credentials_are_as_good_as_none() {
        let mut server = Server::new(&[Algorithm::Md5]);
        for value in [
            "NoOneKnowsThisScheme opaque-data=here",
            "Digest realm=\"pbx\"",
            "Digest username=\"100\",realm=\"pbx\",nonce=\"x\",uri=\"sip:h\",response=\"y\",qop=auth",
            "Digest username=\"100\",realm=\"pbx\",nonce=\"x\",uri=\"sip:h\",response=\"y\",qop=auth,nc=zz,cnonce=a",
            "Basic MTAwOnNlY3JldA==",
        ] {
            let request = register().with(HeaderName::Authorization, value);
            assert_eq!(server.verify(&request), Verdict::Missing, "{value}");
        }
    }

    #[test]
    fn answer_without_qop_is_accepted_and_its_nonce_used_up() {
        let mut server = Server::new(&[Algorithm::Md5]);
        let challenge = server.challenge(&register(), &Verdict::Missing);
        let value =
            challenge.text(HeaderName::WwwAuthenticate).unwrap().replace(",qop=\"auth\"", "");
        let old = Response::to(&register(), StatusCode::UNAUTHORIZED)
            .with(HeaderName::WwwAuthenticate, value);
        let request = answered(&old, "100", b"secret");
        assert!(!request.text(HeaderName::Authorization).unwrap().contains("nc="));
        assert_eq!(server.verify(&request), Verdict::Accepted { username: b"100".to_vec() });
        assert_eq!(server.verify(&request), Verdict::Stale);
    }
}
