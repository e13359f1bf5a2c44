//! What is kept registered at other registrars: `type=registration` of `pjsip.conf` and the ranges
//! of `robots.conf`, in one form.

use std::time::Duration;

use bstr::BString;

use super::AuthCredentials;
use crate::sip::{NameAddr, Uri, registration::AuthRejection};

/// A number to be kept registered at another registrar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The section that it was made from. Together with the number it names this registration.
    pub section: BString,
    /// The number: the user part of the contact, which the registrar's calls ask for.
    pub number: BString,
    /// Of which file.
    pub origin: Origin,
    /// The Request-URI of REGISTER (`server_uri`).
    pub registrar: Uri,
    /// Where that is sent when it is not where the URI says.
    pub next_hop: Option<Uri>,
    /// To and From of REGISTER (`client_uri`).
    pub address_of_record: NameAddr,
    /// Header parameters of the contact, each with its leading semicolon.
    pub contact_parameters: String,
    /// Proxies to pass by (`outbound_proxy`).
    pub proxies: Vec<NameAddr>,
    /// The transport section to use; any that fits when absent.
    pub transport: Option<BString>,
    /// What answers challenges. Empty: a challenge is a failure.
    pub credentials: Vec<AuthCredentials>,
    /// The expiry asked for.
    pub expiration: Duration,
    /// The wait after a failure, doubled up to 5 minutes with each further one.
    pub retry_interval: Duration,
    /// The wait after a 403; `None` as after other permanent failures.
    pub forbidden_retry_interval: Option<Duration>,
    /// The wait after permanent failures; `None` ends the registration.
    pub fatal_retry_interval: Option<Duration>,
    /// Failures in a row that end the registration. `None`, the default: it is never given up.
    /// Differs from Asterisk, which gives up for good after ten attempts, some ten minutes.
    pub max_retries: Option<u32>,
    /// Whether refused credentials end the registration.
    pub auth_rejection: AuthRejection,
    /// Whose calls are those for this number that come from the registrar. `None`: they are calls of
    /// whoever the usual ways of recognition say.
    pub peer: Option<BString>,
    /// Whether calls for this number are recognised wherever they come from.
    pub line: Line,
    /// Extensions named in Supported, as option tags: `path` with `support_path`.
    pub extensions: Vec<&'static str>,
}

/// Which file a registration is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// `type=registration` of `pjsip.conf`.
    Section,
    /// One number of a range of `robots.conf`.
    Robot,
}

/// Whether the contact has a secret parameter that the registrar's calls bring back (`line`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Line {
    /// It has none: calls are recognised by the registrar's addresses and the number.
    #[default]
    Unmarked,
    /// It has one: who brings it back is the registrar, whatever address it calls from.
    Marked,
}

/// The wait after a first failure. Asterisk's.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_secs(60);
/// What `expiration` may be, in seconds: below it a registrar would do nothing else; a day.
pub(super) const EXPIRATIONS: std::ops::RangeInclusive<u32> = 10..=86_400;
/// What waits may be, in seconds.
pub(super) const INTERVALS: std::ops::RangeInclusive<u32> = 1..=86_400;
