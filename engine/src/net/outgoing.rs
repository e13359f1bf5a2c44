//! An outgoing call as an embedder describes it, and where it goes.

use std::{io, net::SocketAddr, time::Duration};

use tokio::net::lookup_host;

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

/// A call with its next hop known.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) call: PlaceCall,
    pub(crate) transport: Transport,
    pub(crate) peer: SocketAddr,
}

impl OutgoingCall {
    /// Calls a SIP address; over TCP with `;transport=tcp`, else over UDP.
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

    pub(crate) async fn resolve(self) -> Result<Resolved, PlaceError> {
        let Self { target, from, credentials, ring_timeout } = self;
        let bad = || PlaceError::Address(target.clone());
        let uri = Uri::parse(&target).map_err(|_| bad())?;
        if uri.scheme() != Scheme::Sip {
            return Err(bad());
        }
        let transport = match uri.parameter("transport") {
            Some(name) => Transport::parse(name.as_bytes()).ok_or_else(bad)?,
            None => Transport::Udp,
        };
        let port = uri.port().unwrap_or(crate::config::SIP_PORT);
        let peer = match uri.host().and_then(Host::address) {
            Some(address) => SocketAddr::new(address, port),
            None => {
                let lookup = |source| PlaceError::Resolve { target: target.clone(), source };
                let mut found = lookup_host((uri.host_str(), port)).await.map_err(lookup)?;
                found.next().ok_or_else(|| lookup(io::ErrorKind::NotFound.into()))?
            }
        };
        let from = from.unwrap_or_else(|| {
            let user = credentials.as_ref().map_or("anonymous", |own| own.username.as_str());
            Uri::sip_at(user.as_bytes(), peer).as_str().to_owned()
        });
        let call = PlaceCall { target, flow: None, from, credentials, ring_timeout };
        Ok(Resolved { call, transport, peer })
    }
}

/// As long as most people let a phone ring.
const DEFAULT_RING_TIMEOUT: Duration = Duration::from_secs(60);
