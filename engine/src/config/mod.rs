//! The operator's files as typed settings: `pjsip.conf`, `rtp.conf`, `confbridge.conf`,
//! `asterisk.conf` and the dialplan.
//!
//! A setting that is not understood, or not here yet, is named once with file and line and what
//! happens instead; none is silently taken as done. The syntax shared by all files is
//! `diesis_dialplan::conf`.

mod named;
mod network;
mod secret;
mod settings;

pub use named::{Name, Named};
pub use network::{IdentifyTable, IpNetwork, NetworkError};
pub use secret::Secret;
pub use settings::{
    Aor, AuthCredentials, AuthSecret, BridgeProfile, CallerId, CodecName, ConferenceSettings,
    DEFAULT_BRIDGE, DEFAULT_USER, DtmfMode, Expiration, IdentifyBy, Peer, RtpSettings, SIP_PORT,
    SipSettings, SystemSettings, TransportProtocol, TransportSettings, UserProfile, WhenFull,
};
