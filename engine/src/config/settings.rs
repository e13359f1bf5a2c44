//! What the readers of this module produce: typed settings, complete and consistent.
//!
//! Every setting that a file leaves out has the default that is stated here, which is Asterisk's
//! unless a comment says why not.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};

use super::acl::Access;
use super::menu::MenuProfile;
use super::named::{Name, Named};
use super::network::{IdentifyTable, IpNetwork};
use super::profile::{BridgeProfile, UserProfile};
use super::registration::Registration;
use super::robots::RobotRange;
use super::secret::Secret;
use super::socket_options::SocketOptions;
use super::stack::StackSettings;
pub use super::transport::{
    ClientCertificate, SIP_PORT, SIPS_PORT, TlsSettings, TlsVersions, TransportProtocol,
    TransportSettings,
};
use super::watching::{Mailbox, MessageWaiting, Watching};
use crate::media::{KEEPALIVE, RtcpMux};
use crate::recording::RecordingSettings;
use crate::sip::auth::{OwnCredentials, OwnSecret};
pub use crate::sip::registrar::WhenFull;
use crate::sip::{ReliableProvisional, SessionTimers, TimerPolicy};

/// Which numbers of a peer's calls the numbering plan reads: `numbering`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PeerNumbering {
    /// None.
    #[default]
    None,
    /// What it dials, by the outgoing rules.
    Dialled,
    /// The callers that it shows, by the incoming rules.
    Callers,
    /// Both.
    Both,
}

impl PeerNumbering {
    /// Whether what it dials is read.
    #[must_use]
    pub const fn reads_dialled(self) -> bool {
        matches!(self, Self::Dialled | Self::Both)
    }

    /// Whether the callers that it shows are read.
    #[must_use]
    pub const fn reads_callers(self) -> bool {
        matches!(self, Self::Callers | Self::Both)
    }
}

/// A configured counterpart (`type=endpoint`): a phone, a trunk, another exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The section's name. A request is matched against it by the user part of its From.
    pub name: BString,
    /// The dialplan context in which the peer's calls start.
    pub context: BString,
    /// The codecs offered and accepted, best first. When none is left that is here yet, every call
    /// is answered 488.
    pub codecs: Vec<CodecName>,
    /// Whose order counts in answers. Default: ours.
    pub codec_preference: CodecPreference,
    /// Whoever answers a challenge with one of these may use this peer. Empty: nobody is asked.
    pub auth: Vec<AuthCredentials>,
    /// The addresses of record that this peer may register, and is reached by.
    pub aors: Vec<BString>,
    /// How keys travel.
    pub dtmf: DtmfMode,
    /// By what a request is recognised as this peer's.
    pub identify_by: Vec<IdentifyBy>,
    /// Which numbers of its calls the numbering plan reads. Default: none.
    pub numbering: PeerNumbering,
    /// The caller that this peer's calls show, whatever the peer says.
    pub caller_id: Option<CallerId>,
    /// The language of the prompts, such as `fr`; the system's when absent.
    pub language: Option<BString>,
    /// The class of music that whoever it holds hears (`moh_suggest`). Default: `default`.
    pub suggested_music: Option<BString>,
    /// The user part of From in requests to this peer.
    pub from_user: Option<BString>,
    /// The host part of From in requests to this peer.
    pub from_domain: Option<BString>,
    /// Where its requests may come from (`permit`, `deny`, `acl`). From elsewhere it is nobody.
    pub access: Access,
    /// Where the contacts may be that it registers (`contact_permit`, `contact_deny`,
    /// `contact_acl`).
    pub contact_access: Access,
    /// What calls to this peer answer challenges with.
    pub outbound_auth: Vec<AuthCredentials>,
    /// The identity that the peer asserts (P-Asserted-Identity, Remote-Party-ID) is believed.
    pub trust_id_inbound: bool,
    /// The peer is told numbers that are not to be shown.
    pub trust_id_outbound: bool,
    /// The peer is told who calls in P-Asserted-Identity.
    pub send_pai: bool,
    /// The peer is told who calls in Remote-Party-ID.
    pub send_rpid: bool,
    /// The peer is told whom it is connected with, in the 200 and when that changes
    /// (`send_connected_line`). Default: yes, as in Asterisk.
    pub send_connected_line: bool,
    /// How it is told of a change (`connected_line_method`).
    pub connected_line_method: ConnectedLineMethod,
    /// What the peer says of itself within a call is passed on, if its identity is believed at all
    /// (`trust_connected_line`). Default: yes, as in Asterisk.
    pub trust_connected_line: bool,
    /// The peer is told who diverted a call. Default: yes, as in Asterisk.
    pub send_diversion: bool,
    /// The peer is told the same in History-Info (RFC 7044). Default: no, as in Asterisk.
    pub send_history_info: bool,
    /// CHANNEL(accountcode) of its calls (`accountcode`).
    pub account_code: BString,
    /// What its calls begin with, as `Set` takes it: variables and functions (`set_var`).
    pub variables: Vec<(BString, BString)>,
    /// The transport to use towards a fixed contact of this peer that names none itself. One that
    /// registers is reached over what it registered on, whatever this says.
    pub transport: Option<BString>,
    /// Responses go to where the request came from even when the peer did not ask for it (RFC 3581).
    /// Requests that nobody has proved yet are answered that way as well, unless it is `no` for any
    /// peer that is known by name: then all of them are answered where they ask to be, so that nobody
    /// can tell the names of such peers from others.
    pub force_rport: bool,
    /// Requests within a call and to a registered contact go to where the peer's messages come from,
    /// in place of the Contact's address. Without it the same is done where that address can not be
    /// reached: a private one of a peer that is seen at a public one.
    pub rewrite_contact: bool,
    /// Media goes back to where the peer's media comes from, within the limits of the source check.
    pub rtp_symmetric: bool,
    /// Whether RTCP may share the port of the media (`rtcp_mux`). Other than in Asterisk, which takes
    /// it with `yes` only, it is taken from whoever offers it, unless it is `no`.
    pub rtcp_mux: RtcpMux,
    /// The call ends when nothing of the peer was heard for so long. `None`: it does not.
    pub rtp_timeout: Option<Duration>,
    /// The same while the peer holds the call. `None`: it does not end.
    pub rtp_timeout_hold: Option<Duration>,
    /// After so long without sending, a frame of silence is sent. `None`: it is not.
    pub rtp_keepalive: Option<Duration>,
    /// Session timers: `timers`, `timers_min_se`, `timers_sess_expires`.
    pub session_timers: SessionTimers,
    /// Where its text messages run the dialplan (`message_context`); its context when absent.
    pub message_context: Option<BString>,
    /// What it may subscribe to: `allow_subscribe`, `subscribe_context` and others.
    pub watching: Watching,
    /// What it is told of waiting messages: `mailboxes` and others.
    pub message_waiting: MessageWaiting,
    /// Reliable provisional responses (`100rel`). Default: `yes`, as in Asterisk: to callers that
    /// require them, and wanted of callees.
    pub reliable_provisional: ReliableProvisional,
    /// In how many calls it counts as busy for those who watch it (`device_state_busy_at`); zero for
    /// never. It is called all the same.
    pub device_state_busy_at: u32,
    /// The groups that its ringing calls belong to (`call_group`, `named_call_group`).
    pub call_groups: Groups,
    /// The groups whose ringing calls it may answer (`pickup_group`, `named_pickup_group`).
    pub pickup_groups: Groups,
    /// The peer may send its calls elsewhere (REFER, Replaces). Default: yes, as in Asterisk.
    pub allow_transfer: bool,
    /// Who transfers without asking first hears how that fares; otherwise only that it was begun.
    /// Default: yes, as in Asterisk.
    pub refer_blind_progress: bool,
}

/// Groups of those who may answer each other's calls: 64 with numbers, and any with names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// One bit for each of the groups 0 to 63.
    pub numbers: u64,
    /// Groups with names.
    pub names: BTreeSet<BString>,
}

impl Groups {
    /// Whether a group is in both.
    pub fn meets(&self, other: &Self) -> bool {
        self.numbers & other.numbers != 0 || !self.names.is_disjoint(&other.names)
    }

    /// The groups of a list such as `1,3-5`; `None` when it is none.
    pub fn parse_numbers(text: &[u8]) -> Option<u64> {
        let number = |text: &str| text.trim().parse::<u32>().ok().filter(|group| *group < 64);
        let mut numbers = 0;
        for piece in
            std::str::from_utf8(text).ok()?.split(',').map(str::trim).filter(|it| !it.is_empty())
        {
            let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
            for group in number(first)?..=number(last)? {
                numbers |= 1_u64 << group;
            }
        }
        Some(numbers)
    }
}

impl Peer {
    /// A peer of this name with the defaults of `type=endpoint`: context `default`, `ulaw` and
    /// `alaw`, and nobody is asked for a password.
    pub fn new(name: impl Into<BString>) -> Self {
        Self {
            name: name.into(),
            context: "default".into(),
            codecs: CodecName::USUAL.to_vec(),
            codec_preference: CodecPreference::default(),
            auth: vec![],
            aors: vec![],
            dtmf: DtmfMode::TelephoneEvent,
            identify_by: vec![IdentifyBy::Username, IdentifyBy::Address],
            numbering: PeerNumbering::None,
            caller_id: None,
            language: None,
            suggested_music: None,
            from_user: None,
            from_domain: None,
            access: Access::default(),
            contact_access: Access::default(),
            outbound_auth: vec![],
            trust_id_inbound: false,
            trust_id_outbound: false,
            send_pai: false,
            send_rpid: false,
            send_connected_line: true,
            connected_line_method: ConnectedLineMethod::Reinvite,
            trust_connected_line: true,
            send_diversion: true,
            send_history_info: false,
            account_code: BString::default(),
            variables: vec![],
            transport: None,
            force_rport: true,
            rewrite_contact: false,
            rtp_symmetric: false,
            rtcp_mux: RtcpMux::IfOffered,
            rtp_timeout: None,
            rtp_timeout_hold: None,
            // Differs from Asterisk, which sends none: between prompts nothing is sent here, and a
            // translator forgets the mapping.
            rtp_keepalive: Some(KEEPALIVE),
            session_timers: SessionTimers {
                policy: TimerPolicy::IfSupported,
                ..SessionTimers::default()
            },
            message_context: None,
            watching: Watching::default(),
            message_waiting: MessageWaiting::default(),
            reliable_provisional: ReliableProvisional::IfRequired,
            device_state_busy_at: 0,
            call_groups: Groups::default(),
            pickup_groups: Groups::default(),
            allow_transfer: true,
            refer_blind_progress: true,
        }
    }
}

/// How a peer is told whom it is connected with now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectedLineMethod {
    /// By re-INVITE; Asterisk's default.
    #[default]
    Reinvite,
    /// By UPDATE, if the peer takes it.
    Update,
}

/// A codec that a peer may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodecName {
    /// G.711 mu-law: `ulaw`.
    Pcmu,
    /// G.711 A-law: `alaw`.
    Pcma,
    /// G.722: `g722`.
    G722,
    /// Plain samples of 8 kHz: `slin`.
    L16,
    /// Plain samples of 16 kHz: `slin16`.
    L16Wide,
    /// Plain samples of 48 kHz: `slin48`.
    L16Full,
    /// GSM 06.10 full rate: `gsm`.
    Gsm,
    /// Opus: `opus`. Only where the library is built with its feature.
    Opus,
}

/// Whose order of codecs counts when an offer is answered, and how many of them the answer names
/// (`incoming_call_offer_pref`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodecPreference {
    /// All in common, in the order of `allow`: `local`.
    #[default]
    Local,
    /// The first of those: `local_first`.
    LocalFirst,
    /// All in common, in the order of the offer: `remote`.
    Remote,
    /// The first of those: `remote_first`.
    RemoteFirst,
}

impl CodecName {
    /// Every codec, in the order that `allow=all` gives.
    pub const ALL: &[Self] = &[
        Self::Pcmu,
        Self::Pcma,
        Self::Gsm,
        Self::L16,
        Self::L16Wide,
        Self::L16Full,
        Self::G722,
        #[cfg(feature = "opus")]
        Self::Opus,
    ];

    /// What everybody has: the codecs of a peer that says nothing about them.
    pub const USUAL: [Self; 2] = [Self::Pcmu, Self::Pcma];

    /// The codec of a name in Asterisk's settings, in any case of letters.
    pub fn named(name: &[u8]) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_slice() {
            b"ulaw" | b"pcmu" | b"g711u" => Self::Pcmu,
            b"alaw" | b"pcma" | b"g711a" => Self::Pcma,
            b"g722" => Self::G722,
            b"gsm" => Self::Gsm,
            b"slin" => Self::L16,
            b"slin16" => Self::L16Wide,
            b"slin48" => Self::L16Full,
            #[cfg(feature = "opus")]
            b"opus" => Self::Opus,
            _ => return None,
        })
    }
}

/// How keys travel between us and a peer (`dtmf_mode`). Those that come as INFO requests are taken
/// in every mode; a key that comes in two ways is one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtmfMode {
    /// As telephone events in RTP (RFC 4733): `rfc4733`.
    #[default]
    TelephoneEvent,
    /// As INFO requests: `info`.
    Info,
    /// As tones in the sound: `inband`.
    Inband,
    /// As telephone events when the peer offers them, as tones otherwise: `auto`.
    TelephoneEventOrInband,
    /// As telephone events when the peer offers them, as INFO otherwise: `auto_info`.
    TelephoneEventOrInfo,
}

/// By what a request is recognised as a peer's (`identify_by`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifyBy {
    /// The user part of From is the peer's name.
    Username,
    /// The user name of the Authorization header is the peer's name.
    AuthUsername,
    /// The source address is in a network of the peer's `type=identify`.
    Address,
}

/// A caller's name and number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerId {
    /// The name, without quotes. May be empty.
    pub name: BString,
    /// The number. May be empty.
    pub number: BString,
}

/// What a peer must know to be let in (`type=auth`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthCredentials {
    /// The section's name.
    pub name: BString,
    /// The user name in the answer to a challenge.
    pub username: BString,
    /// The realm of the challenge; the system's when absent.
    pub realm: Option<BString>,
    /// The password, or what was made of it.
    pub secret: AuthSecret,
}

/// A hash function of digest authentication (RFC 8760).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigestAlgorithm {
    /// What every phone knows.
    Md5,
    /// Stronger; phones of some years ago do not know it.
    Sha256,
    /// The SHA-512 that is cut to 256 bits.
    Sha512_256,
}

/// The algorithms that challenges offer (`default_auth_algorithms_uas`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DigestOffer {
    /// MD5 and SHA-256, in this order; MD5 alone to clients that are known to give up at anything
    /// else.
    #[default]
    Suited,
    /// MD5 alone, since somebody's secret is stored as an MD5 hash: a client that chose SHA-256 would
    /// be kept out, and a challenge that depended on the user would tell who exists.
    OnlyMd5,
    /// What the file says, in its order. Never empty.
    Listed(Vec<DigestAlgorithm>),
}

impl AuthCredentials {
    /// The same, for answering challenges.
    pub fn own(&self) -> OwnCredentials {
        OwnCredentials {
            username: self.username.clone(),
            realm: self.realm.as_ref().map(|realm| realm.to_str_lossy().into_owned()),
            secret: match &self.secret {
                AuthSecret::Password(password) => OwnSecret::Password(password.reveal().into()),
                AuthSecret::Md5(hash) => OwnSecret::Md5Hash(hash.reveal().into()),
            },
        }
    }
}

/// The shared secret of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthSecret {
    /// The password itself. Works with every algorithm and realm.
    Password(Secret),
    /// MD5 of `username:realm:password`, 32 hexadecimal digits in lower case (`md5_cred`). Works
    /// with the MD5 algorithm and with that realm only.
    Md5(Secret),
}

/// An address of record and how it is registered (`type=aor`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aor {
    /// The section's name, which the To of a REGISTER names.
    pub name: BString,
    /// How many contacts may be registered at a time. 0: none, only `contacts` count.
    pub max_contacts: usize,
    /// When too many register: whether the oldest make room, or the new one is refused.
    pub when_full: WhenFull,
    /// The expiry bounds and default.
    pub expiration: Expiration,
    /// Contacts that are always there: SIP URIs as written.
    pub contacts: Vec<BString>,
    /// How its contacts are asked whether they are there.
    pub qualify: Qualify,
    /// Contacts that did not answer make room for new ones, before others and whatever `when_full`
    /// says (`remove_unavailable`). Default: no, as in Asterisk.
    pub remove_unavailable: bool,
    /// Requests to contacts that registered with a Path go by it (`support_path`). Default: no, as
    /// in Asterisk: they go to where the registration came from, or to the contact.
    pub support_path: bool,
    /// The mailboxes of which those are told that subscribe to it (`mailboxes` of the aor).
    pub mailboxes: Vec<Mailbox>,
    /// Where messages are heard (`voicemail_extension`).
    pub voicemail_extension: Option<BString>,
}

/// How contacts are asked whether they are there, with OPTIONS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Qualify {
    /// How often. Zero, the default: never.
    pub frequency: Duration,
    /// How long they have to answer. Default 3 s, as in Asterisk.
    pub timeout: Duration,
    /// Whether only a 2xx counts (`qualify_2xx_only`). Default: every answer does.
    pub only_success: bool,
}

impl Default for Qualify {
    fn default() -> Self {
        Self { frequency: Duration::ZERO, timeout: Duration::from_secs(3), only_success: false }
    }
}

/// How long a registration holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiration {
    /// Shorter wishes are refused with 423 (RFC 3261 §10.3). Differs from Asterisk, which grants more
    /// than was asked for.
    pub minimum: Duration,
    /// For contacts without a wish.
    pub default: Duration,
    /// Longer wishes are cut to this.
    pub maximum: Duration,
}

impl Expiration {
    /// What phones of two redundant servers need, so that they are found within minutes after one of
    /// them failed (`ha=yes` in `[global]`): 180 to 300 s, 240 s for who does not say.
    pub const HIGH_AVAILABILITY: Self = Self {
        minimum: Duration::from_secs(180),
        default: Duration::from_secs(240),
        maximum: Duration::from_secs(300),
    };
}

impl Default for Expiration {
    fn default() -> Self {
        Self {
            minimum: Duration::from_secs(60),
            default: Duration::from_secs(3600),
            maximum: Duration::from_secs(7200),
        }
    }
}

/// Who is not listened to after failing to prove who they are, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanSettings {
    /// Failures of a source within the window before nothing of it is answered. 0: never. Default
    /// 100: an office behind one address may have many phones with an old password.
    pub attempts: u32,
    /// Failures of a source with one account within the window before that account is closed to it.
    /// 0: never. Default 10.
    pub account_attempts: u32,
    /// How long failures are counted together. Default 60 s.
    pub window: Duration,
    /// How long a ban lasts. Default 300 s.
    pub time: Duration,
    /// Networks that are never banned.
    pub permit: Vec<IpNetwork>,
}

impl Default for BanSettings {
    fn default() -> Self {
        Self {
            attempts: 100,
            account_attempts: 10,
            window: Duration::from_secs(60),
            time: Duration::from_secs(300),
            permit: vec![],
        }
    }
}

/// What becomes of requests whose User-Agent is that of a known scanner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scanners {
    /// They are treated as anybody else's.
    #[default]
    Answered,
    /// They get no answer.
    Dropped,
}

/// Everything that `pjsip.conf` and `robots.conf` say.
#[derive(Clone, Debug)]
pub struct SipSettings {
    /// The listening addresses. Never empty.
    pub transports: Vec<TransportSettings>,
    /// The counterparts, in the order of the file.
    pub peers: Named<Peer>,
    /// The addresses of record, in the order of the file.
    pub aors: Named<Aor>,
    /// What is kept registered at other registrars, robots included.
    pub registrations: Vec<Registration>,
    /// What becomes of calls of robots, by range.
    pub robots: Named<RobotRange>,
    /// Which addresses belong to which peer (indexes into `peers`).
    pub identify: IdentifyTable,
    /// The realm of challenges whose `type=auth` names none.
    pub default_realm: BString,
    /// Which algorithms challenges offer.
    pub digest_algorithms: DigestOffer,
    /// When guessing is punished.
    pub bans: BanSettings,
    /// Where requests may come from (`type=acl`). Those from elsewhere get 403, whoever they name.
    pub access: Access,
    /// Where the contacts may be that anybody registers.
    pub contact_access: Access,
    /// What scanners get.
    pub scanners: Scanners,
    /// The User-Agent and Server header.
    pub user_agent: BString,
    /// How the stack sends.
    pub stack: StackSettings,
}

impl Default for SipSettings {
    /// UDP and TCP on all IPv4 addresses, port 5060; nobody is let in.
    fn default() -> Self {
        let transport = |name: &str, protocol| TransportSettings {
            name: name.into(),
            protocol,
            bind: SocketAddr::from((Ipv4Addr::UNSPECIFIED, SIP_PORT)),
            external_media_address: None,
            external_signaling_address: None,
            external_signaling_port: None,
            local_net: vec![],
            tls: TlsSettings::default(),
            options: SocketOptions::default(),
        };
        Self {
            transports: vec![
                transport("transport-udp", TransportProtocol::Udp),
                transport("transport-tcp", TransportProtocol::Tcp),
            ],
            peers: Named::default(),
            aors: Named::default(),
            registrations: vec![],
            robots: Named::default(),
            identify: IdentifyTable::default(),
            // Differs from Asterisk, whose default realm is "asterisk": we say who we are.
            default_realm: "diesis".into(),
            digest_algorithms: DigestOffer::Suited,
            bans: BanSettings::default(),
            access: Access::default(),
            contact_access: Access::default(),
            scanners: Scanners::default(),
            user_agent: concat!("Diesis/", env!("CARGO_PKG_VERSION")).into(),
            stack: StackSettings::default(),
        }
    }
}

/// Everything that `rtp.conf` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpSettings {
    /// The ports of media: a call has an even one of these and the odd one above it.
    pub ports: RangeInclusive<u16>,
}

impl Default for RtpSettings {
    /// Asterisk's range in the file it ships; what it falls back to without one (5000-31000) holds
    /// the SIP port.
    fn default() -> Self {
        Self { ports: 10_000..=20_000 }
    }
}

/// Everything that `confbridge.conf` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceSettings {
    /// The rooms' profiles. `default_bridge` is always there.
    pub bridges: Named<BridgeProfile>,
    /// The participants' profiles. `default_user` is always there.
    pub users: Named<UserProfile>,
    /// What keys do in a room.
    pub menus: Named<MenuProfile>,
}

impl Default for ConferenceSettings {
    fn default() -> Self {
        Self {
            bridges: std::iter::once(BridgeProfile::new(DEFAULT_BRIDGE)).collect(),
            users: std::iter::once(UserProfile::new(DEFAULT_USER)).collect(),
            menus: Named::default(),
        }
    }
}

/// The room profile that `ConfBridge` uses when it names none.
pub const DEFAULT_BRIDGE: &str = "default_bridge";
/// The participant profile that `ConfBridge` uses when it names none.
pub const DEFAULT_USER: &str = "default_user";

/// Everything that `asterisk.conf` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemSettings {
    /// The operator's prompts, by language: `sounds` below `astdatadir`. `None`: only those inside
    /// the binary, and names that start with `/`.
    pub sounds: Option<PathBuf>,
    /// Where the control socket is: `astrundir`. `None`: there is no such socket.
    pub run_directory: Option<PathBuf>,
    /// Where the database is: `astdbdir`, else `astvarlibdir`. `None`: nothing is kept.
    pub database_directory: Option<PathBuf>,
    /// Where call records are written: `astlogdir`. `None`: nowhere.
    pub log_directory: Option<PathBuf>,
    /// Where call files are put, `outgoing` below it, and recordings, `monitor` below it:
    /// `astspooldir`. `None`: none are looked for, and names of recordings that count from there are
    /// refused.
    pub spool_directory: Option<PathBuf>,
    /// Further directories in which the dialplan may record: `recordingdirs`.
    pub recording_directories: Vec<PathBuf>,
    /// The language of prompts for peers that name none.
    pub default_language: BString,
}

impl SystemSettings {
    /// The defaults for a configuration in `directory`; `None` when it is in no directory.
    pub fn new(directory: Option<&Path>) -> Self {
        Self {
            // Differs from Asterisk's /var/lib/asterisk: without an asterisk.conf, sounds beside
            // the configuration are more likely meant than those of another program.
            sounds: directory.map(|directory| directory.join("sounds")),
            run_directory: directory.map(|directory| directory.join("run")),
            database_directory: directory.map(|directory| directory.join("var")),
            log_directory: directory.map(|directory| directory.join("log")),
            spool_directory: directory.map(|directory| directory.join("spool")),
            recording_directories: Vec::new(),
            default_language: "en".into(),
        }
    }
}

impl SystemSettings {
    /// The control socket: `diesis.ctl` in the run directory.
    pub fn control_socket(&self) -> Option<PathBuf> {
        self.run_directory.as_ref().map(|directory| directory.join("diesis.ctl"))
    }

    /// Where the dialplan may record.
    pub fn recordings(&self) -> RecordingSettings {
        RecordingSettings {
            directory: self.spool_directory.as_ref().map(|spool| spool.join("monitor")),
            sounds: self.sounds.clone(),
            allowed: self.recording_directories.clone(),
        }
    }

    /// Where call files are put.
    pub fn call_files(&self) -> Option<PathBuf> {
        self.spool_directory.as_ref().map(|directory| directory.join("outgoing"))
    }
}

macro_rules! named {
    ($($type:ty),+) => {
        $(impl Name for $type {
            fn name(&self) -> &BStr {
                self.name.as_ref()
            }
        })+
    };
}

named!(TransportSettings, Peer, AuthCredentials, Aor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_outside_all_local_networks_is_told_the_external_address() {
        let mut transport = SipSettings::default().transports.remove(0);
        let inside = "192.168.1.20".parse().unwrap();
        let outside = "203.0.113.5".parse().unwrap();
        assert!(transport.is_external(inside), "without local_net everybody is outside");
        transport.local_net = vec!["192.168.0.0/16".parse().unwrap()];
        assert!(transport.is_external(outside));
        assert!(!transport.is_external(inside));
    }

    #[test]
    fn the_default_profiles_exist_without_a_file() {
        let settings = ConferenceSettings::default();
        assert!(settings.bridges.get(DEFAULT_BRIDGE.into()).is_some());
        assert!(settings.users.get(DEFAULT_USER.into()).unwrap().announce_only_user);
    }
}
