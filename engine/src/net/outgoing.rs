//! An outgoing call as an embedder describes it, and where it goes.

use std::{net::SocketAddr, time::Duration};

use super::engine::PlaceError;
use crate::{
    sip::{Host, Scheme, Transport, Uri},
    switch::{OutboundCredentials, PlaceCall},
};

/// Whom to call, and as whom.
///
/// ```
/// use diesis_engine::OutgoingCall;
///
/// let call = OutgoingCall::to("sip:8899@pbx.example.com").credentials("1001", "its password");
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct OutgoingCall {
    target: String,
    from: Option<String>,
    credentials: Option<OutboundCredentials>,
    ring_timeout: Duration,
}

/// A call with what its address says.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) call: PlaceCall,
    /// Over what and where, when the address says so without a question to name servers.
    pub(crate) place: Option<(Transport, SocketAddr)>,
}

impl OutgoingCall {
    /// Calls a SIP address; over what `;transport=` says, or the domain (RFC 3263), else over UDP.
    pub fn to(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            from: None,
            credentials: None,
            ring_timeout: DEFAULT_RING_TIMEOUT,
        }
    }

    /// Who calls, as a SIP address with or without a name. Default: the user of the credentials,
    /// else nobody in particular, at our own address.
    pub fn from(mut self, from: &str) -> Self {
        self.from = Some(from.to_owned());
        self
    }

    /// What to answer a challenge of the far end with. Default: a challenge ends the call.
    pub fn credentials(mut self, username: &str, password: &str) -> Self {
        self.credentials = Some(OutboundCredentials {
            username: username.to_owned(),
            password: password.to_owned(),
            realm: None,
        });
        self
    }

    /// How long it may ring. Default: one minute.
    pub fn ring_timeout(mut self, timeout: Duration) -> Self {
        self.ring_timeout = timeout;
        self
    }

    /// Checks the address. Where a name is, the switch finds out.
    pub(crate) fn resolve(self) -> Result<Resolved, PlaceError> {
        let Self { target, from, credentials, ring_timeout } = self;
        let bad = || PlaceError::Address(target.clone());
        let uri = Uri::parse(&target).map_err(|_| bad())?;
        let transport = match (uri.scheme(), uri.parameter("transport")) {
            (Scheme::Sips, _) => Transport::Tls,
            (Scheme::Sip, Some(name)) => Transport::parse(name.as_bytes()).ok_or_else(bad)?,
            (Scheme::Sip, None) => Transport::Udp,
            _ => return Err(bad()),
        };
        let port = uri.port().unwrap_or_else(|| transport.default_port());
        let address = uri.host().and_then(Host::address);
        let place = address.map(|address| (transport, SocketAddr::new(address, port)));
        let from = match from {
            Some(from) => from,
            None => {
                let user = credentials.as_ref().map_or("anonymous", |own| own.username.as_str());
                Uri::sip(user.as_bytes(), uri.host_str(), None)
                    .map_err(|_| bad())?
                    .as_str()
                    .to_owned()
            }
        };
        let call = PlaceCall { target, flow: None, from, credentials, ring_timeout };
        Ok(Resolved { call, place })
    }
}

/// As long as most people let a phone ring.
const DEFAULT_RING_TIMEOUT: Duration = Duration::from_secs(60);
