//! The operator's files as typed settings: `pjsip.conf`, `robots.conf`, `rtp.conf`,
//! `confbridge.conf`, `asterisk.conf` and the dialplan.
//!
//! A setting that is not understood, or not here yet, is named once with file and line and what
//! happens instead; none is silently taken as done. The syntax shared by all files is
//! `diesis_dialplan::conf`.

mod acl;
mod added;
mod cdr;
pub mod codes;
mod conference;
mod dialplan;
mod directory;
mod features;
mod key;
mod keys;
mod load;
mod machine;
mod menu;
mod music;
mod named;
mod network;
mod notes;
mod numbering;
mod parking;
mod pjsip;
mod profile;
mod programs;
mod prompts;
mod registration;
mod robots;
mod rtp;
mod rules;
mod schedules;
mod secret;
mod setting;
mod settings;
mod socket_options;
mod stack;
mod system;
mod transport;
mod unread;
mod value;
mod videoshare;
mod watching;

#[cfg(test)]
mod tests;

pub use acl::{Access, AccessList, Verdict};
pub(crate) use conference::ProfileError;
pub use dialplan::{applications, dialplan_checks, functions};
pub use directory::DirectoryFiles;
pub use features::FeatureSettings;
pub use load::{Configuration, Finding, Loaded};
pub use machine::MachineDetection;
pub use menu::{
    DEFAULT_MENU, MeetingKey, MenuAction, MenuEntry, MenuProfile, VolumeChange, VolumeOf,
};
pub use music::{KillMethod, MusicClass, MusicOrder, MusicProgram, MusicSettings};
pub use named::{Name, Named};
pub use network::{IdentifyTable, IpNetwork, NetworkError};
pub use parking::ParkingLot;
pub use profile::{
    BridgeProfile, ConferenceRecording, EndMarked, NameAnnouncement, RoomSound, RoomSounds,
    UserProfile,
};
pub use programs::{MessageFormat, Permitted, ProgramSettings, WebSocketClient};
#[cfg(feature = "net")]
pub(crate) use prompts::{Prompts, languages};
pub use registration::{Line, Origin, Registration};
pub use robots::{AttributedBy, Numbering, RobotRange, WhenBusy, WhichDiverter};
pub use secret::Secret;
pub use settings::{
    Aor, AuthCredentials, AuthSecret, BanSettings, CallerId, ClientCertificate, CodecName,
    CodecPreference, ConferenceSettings, ConnectedLineMethod, DEFAULT_BRIDGE, DEFAULT_USER,
    DigestAlgorithm, DigestOffer, DtmfMode, Expiration, Groups, IdentifyBy, Peer, PeerNumbering,
    Qualify, RtpSettings, SIP_PORT, SIPS_PORT, Scanners, SipSettings, SystemSettings, TlsSettings,
    TlsVersions, TransportProtocol, TransportSettings, WhenFull,
};
pub use socket_options::{SocketOptions, TcpKeepalive};
pub use stack::StackSettings;
pub use watching::{Lamps, Mailbox, MessageWaiting, Watching, WhenSubscribed};
