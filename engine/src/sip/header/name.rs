//! Header names: the known ones as an enum, compact forms included.
//!
//! RFC 3261 §7.3.3 and the IANA registry. Unknown names are [`HeaderName::Other`]; their text stays
//! in the message.

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident = $text:literal $(/ $compact:literal)?),+ $(,)?) => {
        /// A header name.
        ///
        /// Names compare without regard to case, and a compact form is the same name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "each variant is the header of that name")]
        pub enum HeaderName { $($variant,)+
            /// A name not in this list.
            Other,
        }

        /// All known names with their canonical spelling.
        const KNOWN: &[(HeaderName, &str)] = &[$((HeaderName::$variant, $text),)+];

        /// Compact forms (RFC 3261 §7.3.3 and the RFCs that define the headers).
        const fn compact(letter: u8) -> Option<HeaderName> {
            match letter.to_ascii_lowercase() {
                $($($compact => Some(HeaderName::$variant),)?)+
                _ => None,
            }
        }
    };
}

names! {
    Accept = "Accept",
    AcceptContact = "Accept-Contact" / b'a',
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    AlertInfo = "Alert-Info",
    Allow = "Allow",
    AllowEvents = "Allow-Events" / b'u',
    AuthenticationInfo = "Authentication-Info",
    Authorization = "Authorization",
    CallId = "Call-ID" / b'i',
    CallInfo = "Call-Info",
    Contact = "Contact" / b'm',
    ContentDisposition = "Content-Disposition",
    ContentEncoding = "Content-Encoding" / b'e',
    ContentLanguage = "Content-Language",
    ContentLength = "Content-Length" / b'l',
    ContentType = "Content-Type" / b'c',
    CSeq = "CSeq",
    Date = "Date",
    Diversion = "Diversion",
    ErrorInfo = "Error-Info",
    Event = "Event" / b'o',
    Expires = "Expires",
    From = "From" / b'f',
    HistoryInfo = "History-Info",
    Identity = "Identity" / b'y',
    InReplyTo = "In-Reply-To",
    Join = "Join",
    MaxForwards = "Max-Forwards",
    MimeVersion = "MIME-Version",
    MinExpires = "Min-Expires",
    MinSe = "Min-SE",
    Organization = "Organization",
    PAccessNetworkInfo = "P-Access-Network-Info",
    PAssertedIdentity = "P-Asserted-Identity",
    PPreferredIdentity = "P-Preferred-Identity",
    Path = "Path",
    Priority = "Priority",
    Privacy = "Privacy",
    ProxyAuthenticate = "Proxy-Authenticate",
    ProxyAuthorization = "Proxy-Authorization",
    ProxyRequire = "Proxy-Require",
    RAck = "RAck",
    Reason = "Reason",
    RecordRoute = "Record-Route",
    ReferSub = "Refer-Sub",
    ReferTo = "Refer-To" / b'r',
    ReferredBy = "Referred-By" / b'b',
    RejectContact = "Reject-Contact" / b'j',
    RemotePartyId = "Remote-Party-ID",
    Replaces = "Replaces",
    ReplyTo = "Reply-To",
    RequestDisposition = "Request-Disposition" / b'd',
    Require = "Require",
    RetryAfter = "Retry-After",
    Route = "Route",
    RSeq = "RSeq",
    Server = "Server",
    ServiceRoute = "Service-Route",
    SessionExpires = "Session-Expires" / b'x',
    SipEtag = "SIP-ETag",
    SipIfMatch = "SIP-If-Match",
    Subject = "Subject" / b's',
    SubscriptionState = "Subscription-State",
    Supported = "Supported" / b'k',
    Timestamp = "Timestamp",
    To = "To" / b't',
    Unsupported = "Unsupported",
    UserAgent = "User-Agent",
    Via = "Via" / b'v',
    Warning = "Warning",
    WwwAuthenticate = "WWW-Authenticate",
}

impl HeaderName {
    /// The name as it is written; empty for [`HeaderName::Other`].
    pub fn as_str(self) -> &'static str {
        KNOWN.get(self as usize).map_or("", |&(_, text)| text)
    }

    /// Finds a name from its full or compact form.
    pub fn parse(name: &[u8]) -> Self {
        if let &[letter] = name {
            return compact(letter).unwrap_or(Self::Other);
        }
        let mut slot = hash(name);
        // The table is never full, so the probe meets an empty slot.
        while let Some(&(known, text)) = KNOWN.get(usize::from(SLOTS[slot])) {
            // Nearly everyone writes the canonical spelling, and comparing that is cheap.
            if text.as_bytes() == name || text.as_bytes().eq_ignore_ascii_case(name) {
                return known;
            }
            slot = (slot + 1) % SLOTS.len();
        }
        Self::Other
    }

    /// Whether a message may carry this header only once, with one value.
    ///
    /// Two of them make a message that two readers can read in two ways, which is how filters are
    /// walked around; such a message is refused whole.
    pub fn is_single(self) -> bool {
        matches!(
            self,
            Self::CallId
                | Self::ContentDisposition
                | Self::ContentLength
                | Self::ContentType
                | Self::CSeq
                | Self::Date
                | Self::Event
                | Self::Expires
                | Self::From
                | Self::MaxForwards
                | Self::MimeVersion
                | Self::MinExpires
                | Self::MinSe
                | Self::RAck
                | Self::ReferTo
                | Self::ReferredBy
                | Self::Replaces
                | Self::RetryAfter
                | Self::RSeq
                | Self::SessionExpires
                | Self::SipEtag
                | Self::SipIfMatch
                | Self::SubscriptionState
                | Self::To
        )
    }
}

/// Hash slots to [`KNOWN`] indices, 255 for none; built at compile time, collisions probe on.
static SLOTS: [u8; 256] = slots();

const fn hash(name: &[u8]) -> usize {
    if name.is_empty() {
        return 0;
    }
    let first = (name[0] | 0x20) as usize;
    let middle = (name[name.len() / 2] | 0x20) as usize;
    let last = (name[name.len() - 1] | 0x20) as usize;
    (first * 7 + middle * 31 + last * 3 + name.len() * 17) % 256
}

const fn slots() -> [u8; 256] {
    let mut slots = [u8::MAX; 256];
    let mut index = 0;
    while index < KNOWN.len() {
        let mut slot = hash(KNOWN[index].1.as_bytes());
        while slots[slot] != u8::MAX {
            slot = (slot + 1) % 256;
        }
        slots[slot] = index as u8;
        index += 1;
    }
    slots
}

// The duplicate check keeps one bit per name.
const _: () = assert!(KNOWN.len() < 128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for &(name, text) in KNOWN {
            assert_eq!(HeaderName::parse(text.as_bytes()), name);
            assert_eq!(HeaderName::parse(text.to_ascii_uppercase().as_bytes()), name);
            assert_eq!(name.as_str(), text);
        }
    }

    #[test]
    fn compact_forms_are_the_same_name() {
        assert_eq!(HeaderName::parse(b"v"), HeaderName::Via);
        assert_eq!(HeaderName::parse(b"I"), HeaderName::CallId);
        assert_eq!(HeaderName::parse(b"z"), HeaderName::Other);
        assert_eq!(HeaderName::parse(b"X-Anything"), HeaderName::Other);
        assert_eq!(HeaderName::parse(b""), HeaderName::Other);
    }
}
