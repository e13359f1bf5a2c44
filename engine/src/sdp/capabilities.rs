//! What we can do in an audio stream, and whose order counts.

use crate::media::{Codec, RtcpMux};

/// What we can do in an audio stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The codecs offered, best first, and accepted.
    pub codecs: Vec<Codec>,
    /// Whose order counts in our answers.
    pub preference: Preference,
    /// Whether telephone events (RFC 4733) are offered and accepted.
    pub telephone_events: TelephoneEvents,
    /// Whether RTCP may share the port of the media.
    pub rtcp_mux: RtcpMux,
}

/// Whose order of codecs an answer of ours follows. What comes first is what we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// That of our capabilities.
    Ours(Kept),
    /// That of the offer.
    Theirs(Kept),
}

/// How many of the codecs in common an answer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All.
    All,
    /// The first.
    First,
}

/// Whether keys travel as telephone events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TelephoneEvents {
    /// Offered, and taken when offered.
    #[default]
    Enabled,
    /// Neither offered nor taken: keys travel otherwise.
    Disabled,
}

impl Default for Capabilities {
    /// A-law and µ-law in the order of the offer, telephone events.
    fn default() -> Self {
        Self {
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            preference: Preference::Theirs(Kept::All),
            telephone_events: TelephoneEvents::Enabled,
            rtcp_mux: RtcpMux::default(),
        }
    }
}
