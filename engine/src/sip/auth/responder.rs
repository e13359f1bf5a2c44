//! The client's side: answering challenges to requests of ours.

use std::fmt::Write as _;

use super::digest::{Algorithm, Fields, Inputs, Quality, Secret};
use crate::entropy::Entropy;
use crate::sip::header::{HeaderName, quote};
use crate::sip::{Request, Response, StatusCode, grammar};

/// What we may prove, and to whom.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The user name.
    pub username: &'a [u8],
    /// The one realm this is for. A challenge in any other realm is not answered: whoever makes it
    /// would get something to guess the password from (CVE-2021-41158). `None` answers in every
    /// realm: only for a peer that the request went to straight.
    pub realm: Option<&'a str>,
    /// The password or its hash.
    pub secret: Secret<'a>,
}

impl Credentials<'_> {
    fn serves(&self, realm: &[u8]) -> bool {
        self.realm.is_none_or(|own| own.as_bytes() == realm)
    }
}

/// Why a challenge is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeError {
    /// The response is no 401 or 407, or carries no digest challenge.
    #[error("response carries no digest challenge")]
    NoChallenge,
    /// No challenge is in a realm for which there are credentials.
    #[error("no credentials for the realm")]
    UnknownRealm,
    /// No challenge has an algorithm and protection that the credentials allow.
    #[error("unsupported digest algorithm")]
    UnsupportedAlgorithm,
    /// The same challenge was answered before: the credentials are wrong.
    #[error("credentials were refused")]
    Refused,
}

/// Answers challenges on behalf of one registration or call.
///
/// It remembers the last challenge, so that later requests carry credentials from the start.
#[derive(Clone, Debug, Default)]
pub struct Responder {
    current: Option<Challenge>,
}

/// A challenge that was answered.
#[derive(Clone, Debug)]
struct Challenge {
    header: HeaderName,
    realm: Vec<u8>,
    nonce: Vec<u8>,
    opaque: Option<Vec<u8>>,
    algorithm: Algorithm,
    is_session: bool,
    /// Whether the server offered `qop=auth`; without, it is as old as RFC 2069.
    has_quality: bool,
    is_stale: bool,
    /// How often its nonce was used.
    count: u32,
}

impl Responder {
    /// One that has met no challenge yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds credentials to `request`, the one that `response` challenges. The request then needs a
    /// new branch and CSeq before it goes out (RFC 3261 §22.2).
    ///
    /// # Errors
    /// Says why the challenge is not answered; the request is unchanged.
    pub fn answer(
        &mut self,
        response: &Response,
        request: &mut Request,
        credentials: &[Credentials<'_>],
        entropy: &mut Entropy,
    ) -> Result<(), ChallengeError> {
        let header = match response.status() {
            StatusCode::UNAUTHORIZED => HeaderName::WwwAuthenticate,
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => HeaderName::ProxyAuthenticate,
            _ => return Err(ChallengeError::NoChallenge),
        };
        let challenges: Vec<_> = response
            .values(header)
            .take(MAX_CHALLENGES)
            .filter_map(|value| Challenge::read(header, &Fields::parse(value)?))
            .collect();
        if challenges.is_empty() {
            let has_any = response.values(header).any(|value| Fields::parse(value).is_some());
            return Err(match has_any {
                true => ChallengeError::UnsupportedAlgorithm,
                false => ChallengeError::NoChallenge,
            });
        }
        let for_us = challenges.iter().filter_map(|challenge| {
            let found = credentials.iter().find(|it| it.serves(&challenge.realm))?;
            Some((challenge, found))
        });
        let usable = for_us.clone().filter(|(challenge, credentials)| {
            matches!(credentials.secret, Secret::Password(_))
                || challenge.algorithm == Algorithm::Md5
        });
        let strength = |algorithm| Algorithm::ALL.iter().rev().position(|&it| it == algorithm);
        let Some((challenge, credentials)) =
            usable.max_by_key(|(challenge, _)| strength(challenge.algorithm))
        else {
            return Err(match for_us.clone().next() {
                Some(_) => ChallengeError::UnsupportedAlgorithm,
                None => ChallengeError::UnknownRealm,
            });
        };
        if !challenge.is_stale && has_answered(request, challenge) {
            self.current = None;
            return Err(ChallengeError::Refused);
        }
        let challenge = self.current.insert(challenge.clone());
        challenge.authorize(request, credentials, entropy);
        Ok(())
    }

    /// Adds credentials for the challenge last answered, if there was one, so that this request need
    /// not be challenged.
    pub fn authorize(
        &mut self,
        request: &mut Request,
        credentials: &[Credentials<'_>],
        entropy: &mut Entropy,
    ) {
        let Some(challenge) = &mut self.current else { return };
        let found = credentials.iter().find(|it| it.serves(&challenge.realm));
        if let Some(credentials) = found {
            challenge.authorize(request, credentials, entropy);
        }
    }
}

/// Challenges looked at in one response.
const MAX_CHALLENGES: usize = 8;

/// Whether the request carried credentials for the realm already.
fn has_answered(request: &Request, challenge: &Challenge) -> bool {
    request
        .values(challenge.answer_header())
        .filter_map(Fields::parse)
        .any(|fields| fields.get("realm") == Some(&challenge.realm))
}

impl Challenge {
    fn read(header: HeaderName, fields: &Fields<'_>) -> Option<Self> {
        let (algorithm, is_session) = fields.algorithm()?;
        let has_quality = match fields.get("qop") {
            None => false,
            Some(offered) => {
                let mut offered = offered.split(|&b| b == b',').map(grammar::trim);
                offered.any(|qop| qop.eq_ignore_ascii_case(b"auth")).then_some(true)?
            }
        };
        Some(Self {
            header,
            realm: fields.get("realm")?.to_vec(),
            nonce: fields.get("nonce")?.to_vec(),
            opaque: fields.get("opaque").map(<[u8]>::to_vec),
            algorithm,
            is_session,
            has_quality,
            is_stale: fields.get("stale").is_some_and(|it| it.eq_ignore_ascii_case(b"true")),
            count: 0,
        })
    }

    fn answer_header(&self) -> HeaderName {
        match self.header {
            HeaderName::ProxyAuthenticate => HeaderName::ProxyAuthorization,
            _ => HeaderName::Authorization,
        }
    }

    fn authorize(
        &mut self,
        request: &mut Request,
        credentials: &Credentials<'_>,
        entropy: &mut Entropy,
    ) {
        self.count = self.count.saturating_add(1);
        let nc = format!("{:08x}", self.count);
        let cnonce = entropy.hex::<16>();
        let cnonce = cnonce.as_str();
        let uri = request.uri().as_str().to_owned();
        let inputs = Inputs {
            algorithm: self.algorithm,
            is_session: self.is_session,
            username: credentials.username,
            realm: &self.realm,
            nonce: &self.nonce,
            method: request.method().as_str(),
            uri: uri.as_bytes(),
            quality: match self.has_quality {
                true => Quality::Auth { nc: nc.as_bytes(), cnonce: cnonce.as_bytes() },
                false => Quality::None { cnonce: cnonce.as_bytes() },
            },
        };
        let Some(response) = inputs.response(credentials.secret) else { return };
        let mut value = String::from("Digest username=");
        quote_bytes(credentials.username, &mut value);
        value.push_str(",realm=");
        quote_bytes(&self.realm, &mut value);
        value.push_str(",nonce=");
        quote_bytes(&self.nonce, &mut value);
        value.push_str(",uri=");
        quote(&uri, &mut value);
        let algorithm = self.algorithm.as_str();
        let session = if self.is_session { "-sess" } else { "" };
        // Writing to a String does not fail.
        let _ = write!(value, ",response=\"{}\",algorithm={algorithm}{session}", response.as_str());
        if self.has_quality {
            let _ = write!(value, ",cnonce=\"{cnonce}\",qop=auth,nc={nc}");
        } else if self.is_session {
            let _ = write!(value, ",cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(",opaque=");
            quote_bytes(opaque, &mut value);
        }
        let header = self.answer_header();
        // One answer per realm: that to an earlier challenge is replaced, others stay.
        let others: Vec<Vec<u8>> = request
            .values(header)
            .filter(|value| {
                Fields::parse(value).is_none_or(|it| it.get("realm") != Some(&self.realm))
            })
            .map(<[u8]>::to_vec)
            .collect();
        request.remove(header);
        for other in others {
            request.push(header, other);
        }
        request.push(header, value);
    }
}

/// Text that is not UTF-8 cannot be hashed the same on both sides anyway.
fn quote_bytes(bytes: &[u8], out: &mut String) {
    quote(&String::from_utf8_lossy(bytes), out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Method, Uri};

    fn request() -> Request {
        Request::new(Method::Invite, &Uri::parse("sip:200@far.example").unwrap())
    }

    fn challenged(status: StatusCode, header: HeaderName, values: &[&str]) -> Response {
        values.iter().fold(Response::new(status), |response, value| response.with(header, *value))
    }

    fn www(values: &[&str]) -> Response {
        challenged(StatusCode::UNAUTHORIZED, HeaderName::WwwAuthenticate, values)
    }

    const MINE: Credentials<'static> =
        Credentials { username: b"me", realm: Some("far"), secret: Secret::Password(b"pw") };

    fn answer(response: &Response, request: &mut Request) -> Result<(), ChallengeError> {
        Responder::new().answer(response, request, &[MINE], &mut Entropy::new(1))
    }

    #[test]
    fn strongest_algorithm_is_chosen_wherever_it_stands() {
        let response = www(&[
            "Digest realm=\"far\",nonce=\"n1\",algorithm=MD5,qop=\"auth,auth-int\"",
            "Digest realm=\"far\",nonce=\"n2\",algorithm=SHA-256,qop=\"auth\",opaque=\"o\"",
            "Digest realm=\"far\",nonce=\"n3\",algorithm=AKAv1-MD5",
        ]);
        let mut request = request();
        answer(&response, &mut request).unwrap();
        let value = request.text(HeaderName::Authorization).unwrap();
        assert!(value.contains("algorithm=SHA-256") && value.contains("opaque=\"o\""), "{value}");
        assert!(value.contains("nonce=\"n2\"") && value.contains("nc=00000001"), "{value}");
    }

    #[test]
    fn challenge_in_another_realm_is_not_answered() {
        let mut request = request();
        let response = www(&["Digest realm=\"evil\",nonce=\"n\""]);
        assert_eq!(answer(&response, &mut request), Err(ChallengeError::UnknownRealm));
        assert!(request.value(HeaderName::Authorization).is_none());
    }

    #[test]
    fn wrong_credentials_are_not_sent_twice() {
        let mut request = request();
        let first = www(&["Digest realm=\"far\",nonce=\"n1\",qop=\"auth\""]);
        answer(&first, &mut request).unwrap();
        let second = www(&["Digest realm=\"far\",nonce=\"n2\",qop=\"auth\""]);
        assert_eq!(answer(&second, &mut request), Err(ChallengeError::Refused));
        let stale = www(&["Digest realm=\"far\",nonce=\"n3\",qop=\"auth\",stale=TRUE"]);
        answer(&stale, &mut request).unwrap();
        assert_eq!(request.values(HeaderName::Authorization).count(), 1);
    }

    #[test]
    fn proxy_and_server_are_answered_in_their_own_headers() {
        let mut request = request();
        let proxy = challenged(
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            HeaderName::ProxyAuthenticate,
            &["Digest realm=\"far\",nonce=\"n1\",qop=\"auth\""],
        );
        answer(&proxy, &mut request).unwrap();
        assert!(request.value(HeaderName::ProxyAuthorization).is_some());
        answer(&www(&["Digest realm=\"far\",nonce=\"n2\""]), &mut request).unwrap();
        assert!(request.value(HeaderName::Authorization).is_some());
        assert!(request.value(HeaderName::ProxyAuthorization).is_some());
    }

    #[test]
    fn later_requests_count_on_the_same_nonce() {
        let mut responder = Responder::new();
        let mut entropy = Entropy::new(1);
        let mut first = request();
        responder.authorize(&mut first, &[MINE], &mut entropy);
        assert!(first.value(HeaderName::Authorization).is_none());
        let challenge = www(&["Digest realm=\"far\",nonce=\"n\",qop=\"auth\""]);
        responder.answer(&challenge, &mut first, &[MINE], &mut entropy).unwrap();
        let mut second = request();
        responder.authorize(&mut second, &[MINE], &mut entropy);
        assert!(second.text(HeaderName::Authorization).unwrap().contains("nc=00000002"));
    }

    #[test]
    fn responses_without_a_usable_challenge_say_so() {
        let mut request = request();
        assert_eq!(
            answer(&Response::new(StatusCode::UNAUTHORIZED), &mut request),
            Err(ChallengeError::NoChallenge)
        );
        assert_eq!(
            answer(&www(&["Digest realm=\"far\",nonce=\"n\",qop=\"auth-int\""]), &mut request),
            Err(ChallengeError::UnsupportedAlgorithm)
        );
        assert_eq!(
            answer(&Response::new(StatusCode::FORBIDDEN), &mut request),
            Err(ChallengeError::NoChallenge)
        );
    }
}
