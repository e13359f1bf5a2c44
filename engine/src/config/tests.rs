//! Whole files through the readers, and what is said about them.

mod registrations;
mod stack;

use bstr::BStr;
use std::path::Path;

use diesis_dialplan::conf::MemoryFiles;

use super::*;
use crate::sip::{ReliableProvisional, SessionTimers, TimerPolicy};

fn load(files: &[(&str, &str)]) -> Loaded {
    let files = files.iter().fold(MemoryFiles::new(), |all, (name, text)| all.with(*name, text));
    Configuration::load(&files)
}

fn pjsip(text: &str) -> Loaded {
    load(&[("pjsip.conf", text)])
}

/// `line:column severity[code] message (help)` of everything said about files that exist.
fn said(loaded: &Loaded) -> Vec<String> {
    loaded
        .findings()
        .filter(|finding| finding.diagnostic.code != codes::FILE_MISSING)
        .map(|finding| {
            let at = finding.diagnostic.locate(finding.sources);
            let place = at.line.zip(at.column).map(|(line, column)| format!("{line}:{column} "));
            let place = place.unwrap_or_default();
            let help = at.help.unwrap_or_default();
            format!("{place}{}[{}] {} ({help})", at.severity, at.code, at.message)
        })
        .collect()
}

const TRANSPORT: &str = "[udp]\ntype=transport\nbind=0.0.0.0:5060\n";

/// What is said about a section below a valid transport (3 lines).
fn section(text: &str) -> Vec<String> {
    said(&pjsip(&format!("{TRANSPORT}{text}")))
}

const PHONE: &str = "\
[transport-udp]
type=transport
protocol=udp
bind=0.0.0.0
local_net=192.168.0.0/16,10.0.0.0/8
external_media_address=203.0.113.1
[phone](!)
type=endpoint
disallow=all
allow=alaw,ulaw
force_rport=no
[1001](phone)
context=internal
auth=1001
aors=1001
callerid=\"Front desk\" <1001>
transport=transport-udp
dtmf_mode=info
language=fr
[1001]
type=auth
auth_type=userpass
username=one
password=hunter2
[1001]
type=aor
max_contacts=2
remove_existing=yes
minimum_expiration=30
contact=sip:192.0.2.9
";

#[test]
fn a_phone_is_an_endpoint_an_auth_and_an_aor_of_one_name() {
    let loaded = pjsip(PHONE);
    assert!(said(&loaded).is_empty(), "{:?}", said(&loaded));
    let sip = &loaded.configuration.sip;
    let peer = sip.peers.get("1001".into()).unwrap();
    assert_eq!(peer.context, "internal");
    assert_eq!(peer.codecs, [CodecName::Pcma, CodecName::Pcmu]);
    assert_eq!(peer.dtmf, DtmfMode::Info);
    assert_eq!(peer.language, Some("fr".into()));
    assert_eq!(peer.transport, Some("transport-udp".into()));
    let caller = CallerId { name: "Front desk".into(), number: "1001".into() };
    assert_eq!(peer.caller_id, Some(caller));
    assert!(!peer.force_rport);
    assert_eq!(peer.auth[0].username, "one");
    assert_eq!(peer.auth[0].secret, AuthSecret::Password(Secret::new("hunter2")));
    let aor = sip.aors.get("1001".into()).unwrap();
    assert_eq!((aor.max_contacts, aor.when_full), (2, WhenFull::ReplaceOldest));
    assert_eq!(aor.expiration.minimum.as_secs(), 30);
    assert_eq!(aor.contacts, ["sip:192.0.2.9"]);
    assert_eq!(sip.transports.len(), 1);
    assert_eq!(sip.transports[0].bind.to_string(), "0.0.0.0:5060");
    assert_eq!(sip.transports[0].local_net.len(), 2);
}

#[test]
fn session_timers_are_asterisks_until_the_endpoint_says_otherwise() {
    let timers = |lines: &str| {
        let loaded = pjsip(&format!("[x]\ntype=endpoint\nallow=ulaw\nidentify_by=ip\n{lines}"));
        let timers = loaded.configuration.sip.peers.get("x".into()).map(|peer| peer.session_timers);
        (timers, said(&loaded))
    };
    let wanted = |policy, min_se, expires| {
        let seconds = std::time::Duration::from_secs;
        Some(SessionTimers { policy, min_se: seconds(min_se), session_expires: seconds(expires) })
    };
    assert_eq!(timers("").0, wanted(TimerPolicy::IfSupported, 90, 1800));
    for (word, policy) in [
        ("no", TimerPolicy::Off),
        ("yes", TimerPolicy::IfSupported),
        ("required", TimerPolicy::Required),
        ("always", TimerPolicy::Always),
    ] {
        let (timers, said) =
            timers(&format!("timers={word}\ntimers_min_se=120\ntimers_sess_expires=600\n"));
        assert_eq!((timers, said.len()), (wanted(policy, 120, 600), 0), "{said:?}");
    }
    let (below, said) = timers("timers_min_se=300\ntimers_sess_expires=200\n");
    assert_eq!((below, said.len()), (wanted(TimerPolicy::IfSupported, 300, 300), 1), "{said:?}");
    for wrong in ["timers=maybe", "timers_min_se=89", "timers_sess_expires=x"] {
        assert_eq!(timers(&format!("{wrong}\n")).1.len(), 1, "{wrong}");
    }
}

#[test]
fn reliable_provisional_responses_are_asterisks_words() {
    let read = |lines: &str| {
        let loaded = pjsip(&format!("[x]\ntype=endpoint\nallow=ulaw\nidentify_by=ip\n{lines}"));
        let peer = loaded.configuration.sip.peers.get("x".into());
        (peer.map(|peer| peer.reliable_provisional), said(&loaded).len())
    };
    for (line, reliable) in [
        ("", ReliableProvisional::IfRequired),
        ("100rel=yes\n", ReliableProvisional::IfRequired),
        ("100rel=no\n", ReliableProvisional::Off),
        ("100rel=required\n", ReliableProvisional::Required),
        ("100rel=peer_supported\n", ReliableProvisional::IfSupported),
    ] {
        assert_eq!(read(line), (Some(reliable), 0), "{line}");
    }
    assert_eq!(read("100rel=maybe\n").1, 1);
}

#[test]
fn how_keys_travel_and_how_long_media_may_be_silent_is_taken() {
    for (mode, dtmf) in [
        ("rfc4733", DtmfMode::TelephoneEvent),
        ("info", DtmfMode::Info),
        ("inband", DtmfMode::Inband),
        ("auto", DtmfMode::TelephoneEventOrInband),
        ("auto_info", DtmfMode::TelephoneEventOrInfo),
    ] {
        let loaded = pjsip(&format!(
            "[x]\ntype=endpoint\nallow=ulaw\nidentify_by=ip\ndtmf_mode={mode}\n\
             rtp_timeout=30\nrtp_timeout_hold=300\nrtp_keepalive=0\ndevice_state_busy_at=2\n"
        ));
        assert!(said(&loaded).is_empty(), "{:?}", said(&loaded));
        let peer = loaded.configuration.sip.peers.get("x".into()).unwrap();
        let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs());
        assert_eq!(peer.dtmf, dtmf);
        assert_eq!(seconds(peer.rtp_timeout), Some(30));
        assert_eq!(seconds(peer.rtp_timeout_hold), Some(300));
        assert_eq!(peer.device_state_busy_at, 2);
        assert_eq!(peer.rtp_keepalive, None);
    }
}

#[test]
fn a_port_without_its_external_address_is_named() {
    let loaded =
        pjsip("[u]\ntype=transport\nprotocol=udp\nbind=0.0.0.0\nexternal_signaling_port=6000\n");
    assert!(said(&loaded)[0].contains("has no effect by itself"), "{:?}", said(&loaded));
}

#[test]
fn a_context_that_the_dialplan_does_not_have_is_named_once() {
    let loaded = load(&[
        ("pjsip.conf", &format!("{PHONE}[1002](phone)\nidentify_by=ip\n[1003](1002)\n")),
        ("extensions.conf", "[office]\nexten => 1,1,Answer()\n"),
    ]);
    let mut said = said(&loaded);
    said.retain(|said| said.contains("[C007]"));
    assert_eq!(
        said,
        [
            "13:9 warning[C007] the dialplan has no context `internal` (write `[internal]` in \
             extensions.conf or a file it includes. Calls of this endpoint are answered 404 as it is)",
            "31:2 warning[C007] the dialplan has no context `default` (write `[default]` in \
             extensions.conf or a file it includes. Calls of this endpoint are answered 404 as it is \
             (the same in 1 more place))",
        ]
    );
    assert!(!loaded.is_refused());
}

#[test]
fn a_line_of_the_dialplan_may_be_wrong_but_not_its_frame() {
    let with = |text: &str| load(&[("extensions.conf", text)]);
    let loaded = with("[a]\nexten => 1,1,Answer()\nnonsense\n");
    assert!(!loaded.is_refused() && !said(&loaded).is_empty());
    assert!(loaded.configuration.plan.context("a").is_some());
    assert!(with("exten => 1,1,Answer()\n").is_refused());
    assert!(with("#include nowhere.conf\n[a]\n").is_refused());
}

#[test]
fn no_secret_is_printed_with_the_configuration() {
    let shown = format!("{:?}", pjsip(PHONE).configuration);
    assert!(shown.contains("1001"));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_peer_is_found_by_the_narrowest_network_of_its_identify() {
    let loaded = pjsip(&format!(
        "{TRANSPORT}[a]\ntype=endpoint\nallow=ulaw\nidentify_by=ip\n\
         [b]\ntype=endpoint\nallow=ulaw\nidentify_by=ip\n\
         [i]\ntype=identify\nendpoint=a\nmatch=192.0.2.0/24\nmatch=198.51.100.1, 198.51.100.2\n\
         [j]\ntype=identify\nendpoint=b\nmatch=192.0.2.7\n"
    ));
    assert_eq!(said(&loaded), [""; 0]);
    let sip = &loaded.configuration.sip;
    let find = |text: &str| {
        let peer = sip.identify.find(text.parse().unwrap())?;
        Some(sip.peers[peer].name.to_string())
    };
    assert_eq!(find("192.0.2.7").as_deref(), Some("b"));
    assert_eq!(find("192.0.2.8").as_deref(), Some("a"));
    assert_eq!(find("198.51.100.2").as_deref(), Some("a"));
    assert_eq!(find("203.0.113.1"), None);
}

#[test]
fn settings_that_are_unknown_later_or_wrong_are_named_with_their_place() {
    let cases: &[(&str, &[&str])] = &[
        (
            "[x]\ntype=endpoint\nallow=ulaw\nidentify_by=ip\ncontex=internal\n",
            &[
                "8:1 warning[C002] endpoint has no setting `contex` (did you mean `context`? It has \
               no effect as it is)",
            ],
        ),
        (
            "[x]\ntype=endpoint\nallow=ulaw\nidentify_by=ip\ndirect_media=yes\nwebrtc=no\n",
            &["8:1 warning[C003] `direct_media` of endpoint is not supported yet (media always \
               goes through Diesis)"],
        ),
        (
            "[x]\ntype=endpoint\nallow=ulaw\nidentify_by=ip\nacl=inside\n",
            &["8:5 error[C007] acl.conf has no section [inside] (add the section with its permit \
               and deny lines, or correct the name)"],
        ),
        (
            "[x]\ntype=endpoint\nallow=ulaw\nidentify_by=ip\nrtp_symmetric=perhaps\n",
            &[
                "8:15 error[C004] `perhaps` is no value for `rtp_symmetric` (expected `yes` or `no`)",
            ],
        ),
        (
            "[x]\ntype=endpoint\nidentify_by=ip\nallow=ulaw,g729,elaw\n",
            &[
                "7:7 warning[C005] `allow=g729` is not supported yet (G.729 is left out: there is no \
                 codec of it here, and a phone that has nothing else is refused with 488)",
                "7:7 error[C004] `ulaw,g729,elaw` is no value for `allow` (expected codecs \
                 separated by commas: ulaw, alaw, gsm, g722, opus, all)",
            ],
        ),
        (
            "[x]\ntype=endpoint\nidentify_by=ip\n",
            &["4:2 warning[C006] an endpoint without `allow` has no codec in Asterisk (here it \
               has ulaw and alaw; say so with allow=ulaw,alaw)"],
        ),
        (
            "[x]\ntype=endpoint\nallow=ulaw\nauth=nobody\naors=nowhere\ntransport=none\n",
            &[
                "7:6 error[C007] there is no section [nobody] with type=auth (add the section, or \
                 correct the name)",
                "8:6 error[C007] there is no section [nowhere] with type=aor (add the section, or \
                 correct the name)",
                "9:11 error[C007] there is no section [none] with type=transport (add the \
                 section, or correct the name)",
            ],
        ),
        (
            "[x]\ntype=endpoint\nallow=ulaw\n",
            &["4:2 warning[C011] anyone who calls as `x` is let in: it has no `auth` (add auth=, \
               or identify_by=ip with a type=identify section)"],
        ),
        (
            "[x]\ntype=aor\nmax_contacts=1\n[x]\ntype=aor\nmax_contacts=1\n",
            &["7:2 error[C008] there are two sections [x] of type=aor (give one another name, or \
               add to the first with [name](+))"],
        ),
        (
            "[x]\ntype=aor\n",
            &["4:2 warning[C012] nobody can register at aor [x]: max_contacts is 0 (add \
               max_contacts=1 for a phone, or a contact for a trunk)"],
        ),
        (
            "[x]\ntype=aor\nmax_contacts=1\nminimum_expiration=4000\n",
            &["4:2 error[C013] the expirations of aor [x] are out of order: minimum 4000 s, \
               default 3600 s, maximum 7200 s (minimum_expiration must not exceed \
               default_expiration, nor that maximum_expiration)"],
        ),
        (
            "[x]\ntype=aor\ncontact=192.0.2.1\n",
            &[
                "4:2 warning[C012] nobody can register at aor [x]: max_contacts is 0 (add \
                 max_contacts=1 for a phone, or a contact for a trunk)",
                "6:9 error[C004] `192.0.2.1` is no value for `contact` (expected a SIP URI, such \
                 as sip:192.0.2.7:5060)",
            ],
        ),
        (
            "[x]\ntype=registration\nserver_uri=sip:a\nclient_uri=a\nexpiration=5\nline=yes\n",
            &[
                "7:12 error[C004] `a` is no value for `client_uri` (expected a SIP URI, such as \
                 sip:1001@sip.example.com)",
                "8:12 error[C004] `5` is no value for `expiration` (expected a whole number from 10 \
                 to 86400)",
                "9:6 error[C006] registration [x] has `line` and no `endpoint` (add the endpoint \
                 that the registrar's calls are calls of)",
            ],
        ),
        (
            "[x]\ntype=registration\nclient_uri=sip:1@a\noutbound_auth=y\nsupport_outbound=yes\n",
            &[
                "4:2 error[C006] registration [x] has no `server_uri` (add the registrar, such as \
                 server_uri=sip:sip.example.com)",
                "7:15 error[C007] there is no section [y] with type=auth (add the section, or \
                 correct the name)",
                "8:1 warning[C003] `support_outbound` of registration is not supported yet (the \
                 contact is an address, and calls come to it)",
            ],
        ),
        (
            "[x]\ntype=endpiont\n[y]\nallow=ulaw\n",
            &[
                "5:6 warning[C009] there is no section type `endpiont` (did you mean \
                 type=endpoint? The section is ignored)",
                "6:2 warning[C006] [y] has no `type` (the section is ignored; add type=endpoint, \
                 auth, aor, identify or transport)",
            ],
        ),
        (
            "[x]\ntype=identify\nmatch=example.com,192.0.2.0/24,!\n",
            &[
                "4:2 error[C006] identify [x] has no `endpoint` (add the name of the endpoint it \
                 recognises)",
                "6:7 warning[C005] `match=example.com` is not supported yet (host names are not \
                 looked up; give its addresses)",
                "6:7 error[C004] `example.com,192.0.2.0/24,!` is no value for `match` (expected \
                 addresses and networks, such as 192.0.2.0/24)",
            ],
        ),
        (
            "[t]\ntype=transport\nprotocol=wss\nbind=0.0.0.0:5061\n\
             [x]\ntype=endpoint\nallow=ulaw\nidentify_by=ip\ntransport=t\n",
            &[
                "6:10 warning[C005] `protocol=wss` is not supported yet (nothing listens there; use \
               udp, tcp or tls)",
            ],
        ),
        (
            "[t]\ntype=transport\nbind=0.0.0.0\n[u]\ntype=transport\n",
            &[
                "4:2 error[C013] [t] listens where [udp] does (give one of them another address, \
                 port or protocol)",
                "7:2 error[C006] transport [u] has no `bind` (add the address to listen on, such as \
                 bind=0.0.0.0:5060)",
            ],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(section(text), *expected, "{text}");
    }
}

#[test]
fn credentials_are_complete_or_refused_without_showing_them() {
    let cases = [
        ("username=a\npassword=p\n", None),
        ("auth_type=digest\nusername=a\npassword=p\n", None),
        (
            "auth_type=md5\nusername=a\nrealm=r\nmd5_cred=0123456789ABCDEF0123456789abcdef\n\
             [global]\ntype=global\ndefault_auth_algorithms_uas=MD5\n",
            None,
        ),
        ("password=p\n", Some("auth [x] has no `username`")),
        ("username=a\n", Some("auth [x] has no `password`")),
        ("username=a\npassword=\n", Some("auth [x] has no `password`")),
        ("auth_type=md5\nusername=a\npassword=p\n", Some("auth [x] has no `md5_cred`")),
        ("auth_type=md5\nusername=a\nrealm=r\nmd5_cred=123\n", Some("an invalid `md5_cred`")),
        (
            "auth_type=md5\nusername=a\nmd5_cred=0123456789abcdef0123456789abcdef\n",
            Some("has `md5_cred` but no `realm`"),
        ),
        ("auth_type=google_oauth\nusername=a\npassword=p\n", Some("`google_oauth` is no value")),
    ];
    for (text, expected) in cases {
        let said = section(&format!("[x]\ntype=auth\n{text}"));
        match expected {
            None => assert_eq!(said, [""; 0], "{text}"),
            Some(expected) => {
                assert!(said[0].contains("error[") && said[0].contains(expected), "{said:?}");
            }
        }
    }
    let loaded = pjsip("[x]\ntype=auth\nusername=a\nauth_type=md5\nrealm=r\nmd5_cred=topsecret\n");
    let shown: String = loaded.findings().map(|finding| finding.to_string()).collect();
    assert!(!shown.contains("topsecret"), "{shown}");
}

#[test]
fn no_secret_is_printed_with_what_is_said() {
    let lines = "[x]\ntype=auth\nusername=a\npasword=hunter2\npassword hunter2\n";
    let loaded = pjsip(&format!("{TRANSPORT}{lines}"));
    let shown: Vec<String> = loaded.findings().map(|finding| finding.to_string()).collect();
    assert!(
        shown.iter().any(|said| said.starts_with("pjsip.conf:7:1: warning[C002]")),
        "{shown:?}"
    );
    assert!(shown.iter().any(|said| said.starts_with("pjsip.conf:8:1: ")), "{shown:?}");
    assert!(!shown.concat().contains("hunter2"), "{shown:?}");
}

#[test]
fn codecs_are_taken_in_order_and_taken_back() {
    let codecs = |lines: &str| {
        let text = format!("{TRANSPORT}[x]\ntype=endpoint\nidentify_by=ip\n{lines}");
        pjsip(&text).configuration.sip.peers[0].codecs.clone()
    };
    use CodecName::{G722, Gsm, L16, L16Full, L16Wide, Opus, Pcma, Pcmu};
    assert_eq!(codecs("disallow=all\nallow=alaw\nallow=ulaw\n"), [Pcma, Pcmu]);
    assert_eq!(codecs("allow=!all,alaw\n"), [Pcma]);
    assert_eq!(
        codecs("allow=all\ndisallow=ulaw\n"),
        [Pcma, Gsm, L16, L16Wide, L16Full, G722, Opus]
    );
    assert_eq!(codecs("allow=all\nallow=!alaw,!slin,!slin16,!slin48\n"), [Pcmu, Gsm, G722, Opus]);
    assert_eq!(codecs("allow=g722,ulaw\n"), [G722, Pcmu]);
    assert_eq!(codecs("allow=alaw:20,ulaw\nallow=alaw\n"), [Pcma, Pcmu]);
    assert_eq!(codecs(""), [Pcmu, Pcma]);
    assert_eq!(codecs("allow=g729\n"), []);
}

#[test]
fn every_name_of_a_table_is_handled_by_its_reader() {
    // `Setting::judge` panics, in tests, when a name is listed as read and the reader passes it on.
    let file = |section: &str, table: &key::KeyTable| {
        table.names().fold(format!("[{section}]\n"), |text, name| text + name + "=x\n")
    };
    for (kind, table) in pjsip::TABLES {
        pjsip(&format!("{}type={kind}\n", file("x", table)));
    }
    for (kind, table) in [("bridge", keys::BRIDGE), ("user", keys::USER)] {
        load(&[("confbridge.conf", &format!("{}type={kind}\n", file("x", &table)))]);
    }
    load(&[("rtp.conf", &file("general", &keys::RTP))]);
    load(&[("asterisk.conf", &file("directories", &keys::DIRECTORIES))]);
    load(&[("asterisk.conf", &file("options", &keys::OPTIONS))]);
    load(&[("asterisk.conf", &file("compat", &keys::COMPAT))]);
}

#[test]
fn no_name_is_listed_twice() {
    let others = [&keys::RTP, &keys::BRIDGE, &keys::USER, &keys::DIRECTORIES, &keys::OPTIONS];
    for table in pjsip::TABLES.iter().map(|(_, table)| *table).chain(others) {
        let later = table.later.iter().flat_map(|later| later.keys).map(|(name, _)| *name);
        for mut names in [table.read.to_vec(), later.collect()] {
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{}", table.kind);
        }
    }
}

#[test]
fn a_value_that_is_wrong_is_one_cause() {
    let with = |text: &str| load(&[("pjsip.conf", text), ("extensions.conf", "[a]\n")]);
    let loaded = with("[t]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:notaport\n");
    assert_eq!(said(&loaded).len(), 1, "{:?}", said(&loaded));
    assert!(said(&loaded)[0].starts_with("4:6 error[C004]"), "{:?}", said(&loaded));
    let fine = "[t]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:5060\n";
    let loaded = with(&format!("{fine}[1]\ntype=aor\nmax_contacts=-3\n"));
    assert_eq!(said(&loaded).len(), 1, "{:?}", said(&loaded));
    assert!(said(&loaded)[0].starts_with("7:14 error[C004]"), "{:?}", said(&loaded));
}

#[test]
fn the_ports_of_media_must_hold_a_call() {
    let rtp = |text: &str| load(&[("rtp.conf", &format!("[general]\n{text}"))]);
    let loaded = rtp("rtpstart=10000\nrtpend=10099\nstrictrtp=yes\n");
    assert_eq!(loaded.configuration.rtp.ports, 10_000..=10_099);
    assert_eq!(said(&loaded), [""; 0], "");
    assert!(said(&rtp("rtpstart=20000\nrtpend=10000\n"))[0].starts_with("2:10 error[C013]"));
    assert!(said(&rtp("rtpstart=10001\nrtpend=10002\n"))[0].contains("hold no call"));
    assert!(said(&rtp("rtpstart=80\n"))[0].starts_with("2:10 error[C004]"));
    assert!(said(&rtp("rtpend=65536\n"))[0].starts_with("2:8 error[C004]"));
    assert!(said(&rtp("strictrtp=no\n"))[0].starts_with("2:1 warning[C003]"));
    assert!(said(&rtp("rtpstrat=1\n"))[0].contains("did you mean `rtpstart`"));
    assert_eq!(load(&[]).configuration.rtp, RtpSettings::default());
}

#[test]
fn conference_profiles_are_read_and_defaults_stay() {
    let loaded = load(&[(
        "confbridge.conf",
        "[general]\n[default_user]\ntype=user\nquiet=yes\nannounce_only_user=no\n\
         music_on_hold_when_empty=no\ndsp_drop_silence=yes\n\
         [host]\ntype=user\nadmin=yes\nmarked=yes\npin=4711\n\
         [small]\ntype=bridge\nmax_members=3\nsound_join=beep\n",
    )]);
    assert_eq!(said(&loaded), [""; 0]);
    let rooms = &loaded.configuration.conferences;
    let user = rooms.users.get(DEFAULT_USER.into()).unwrap();
    assert!(user.quiet && !user.announce_only_user);
    let host = rooms.users.get("host".into()).unwrap();
    assert!(host.admin && host.marked && !host.wait_marked);
    assert_eq!(host.pin, Some(Secret::new("4711")));
    let small = rooms.bridges.get("small".into()).unwrap();
    let join = small.sounds.of(RoomSound::Join);
    assert_eq!((small.max_members, join.to_string()), (Some(3), "beep".to_owned()));
    assert!(rooms.bridges.get(DEFAULT_BRIDGE.into()).is_some(), "it exists without a section");
}

#[test]
fn conference_settings_that_are_not_here_yet_are_named() {
    let loaded = load(&[(
        "confbridge.conf",
        "[u]\ntype=user\npin=12a4\ndenoise=yes\n[m]\ntype=menu\n1=toggle_binaural\n[n]\n",
    )]);
    let said = said(&loaded);
    assert!(said[0].starts_with("1:2 error[C004] the `pin` of user profile [u]"), "{said:?}");
    assert!(said[1].starts_with("4:1 warning[C003] `denoise`"), "{said:?}");
    assert!(said[2].starts_with("7:3 warning[C005] `1=toggle_binaural`"), "{said:?}");
    assert!(said[3].starts_with("8:2 warning[C006] [n] has no `type`"), "{said:?}");
    assert_eq!(said.len(), 4);
}

#[test]
fn relative_paths_count_from_the_configuration_directory() {
    let system = |text: &str| {
        let files = MemoryFiles::new().with("asterisk.conf", text);
        Configuration::read(&files, Some(Path::new("/etc/diesis")), None).configuration.system
    };
    let sounds = |text: &str| system(text).sounds.unwrap().display().to_string();
    let read = system("[directories]\nastdatadir => .\n");
    assert_eq!(read.sounds.as_deref(), Some(Path::new("/etc/diesis/sounds")));
    let elsewhere = "astdatadir => /usr/share/asterisk\n";
    assert_eq!(sounds(&format!("[Directories]\n{elsewhere}")), "/usr/share/asterisk/sounds");
    assert_eq!(sounds(&format!("[directories](!)\n{elsewhere}")), "/etc/diesis/sounds");
    assert_eq!(system("[options]\ndefaultlanguage = fr\n").default_language, "fr");
    assert_eq!(load(&[]).configuration.system.sounds, None, "in no directory");
}

#[test]
fn files_that_nobody_reads_are_listed_once_unless_they_ask_for_nothing() {
    let loaded = load(&[
        ("extensions.conf", "[a]\n"),
        ("pjsip.conf", "#include phones.conf\n"),
        ("phones.conf", TRANSPORT),
        ("queues.conf", "[general]\n[support]\nmember=PJSIP/1\n"),
        ("voicemail.conf", "[default]\n100=1234\n"),
        ("manager.conf", "[general]\nenabled=no\n[admin]\nsecret=x\n"),
        ("http.conf", "[general]\nenabled=yes\n"),
        ("cel.conf", "[general]\n"),
        ("features.conf", "[general]\n"),
        ("logger.conf", "[logfiles]\nfull=*\n"),
        ("acl.conf", ""),
        ("README.md", "x"),
    ]);
    assert_eq!(
        said(&loaded),
        [
            "warning[C001] these files are not read yet: http.conf, queues.conf, voicemail.conf (what \
          they set up does not exist; the rest of the directory works without them)"
        ]
    );
}

#[test]
fn an_empty_directory_has_defaults() {
    let loaded = load(&[]);
    assert!(!loaded.is_refused());
    let Configuration { sip, rtp, conferences, system, .. } = loaded.configuration;
    assert_eq!(sip.transports.len(), 2);
    assert!(sip.peers.is_empty());
    assert_eq!(rtp, RtpSettings::default());
    assert_eq!(conferences, ConferenceSettings::default());
    assert_eq!(system, SystemSettings::new(None));
}

#[test]
fn the_shipped_examples_load_without_a_word() {
    for (example, peers) in [("wazo", 3), ("robots", 2)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(example);
        let loaded = Configuration::load_directory(&path);
        let said: Vec<String> = loaded.findings().map(|finding| finding.to_string()).collect();
        assert_eq!(said, [""; 0], "{example}");
        assert_eq!(loaded.configuration.sip.peers.len(), peers, "{example}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_brings_a_reader_down(
        lines in proptest::collection::vec((0..500_usize, "\\PC{0,12}"), 0..60),
        noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
    ) {
        let tables = pjsip::TABLES.iter().map(|(_, table)| *table);
        let others = [&keys::RTP, &keys::BRIDGE, &keys::USER, &keys::DIRECTORIES, &keys::OPTIONS];
        let names: Vec<&str> = tables.chain(others).flat_map(|table| table.names()).collect();
        let kinds = ["endpoint", "auth", "aor", "identify", "transport", "bridge", "user", "global"];
        let mut text = String::new();
        for (index, (name, value)) in lines.iter().enumerate() {
            if index % 7 == 0 {
                text += &format!("[s{}]\ntype={}\n", index % 3, kinds[name % kinds.len()]);
            }
            text += &format!("{}={value}\n", names[name % names.len()]);
        }
        let mut bytes = text.into_bytes();
        bytes.extend(noise);
        let files = ["pjsip.conf", "confbridge.conf", "rtp.conf", "asterisk.conf", "queues.conf"]
            .into_iter()
            .fold(MemoryFiles::new(), |files, name| files.with(name, &bytes));
        let loaded = Configuration::load(&files);
        for finding in loaded.findings() {
            let _ = finding.to_string();
        }
    }
}

#[test]
fn challenges_offer_what_suits_unless_the_file_says_otherwise() {
    let offered = |text: &str| {
        let loaded = pjsip(&format!("{TRANSPORT}[global]\ntype=global\n{text}"));
        loaded.configuration.sip.digest_algorithms
    };
    let algorithms = "default_auth_algorithms_uas=";
    assert_eq!(offered(""), DigestOffer::Suited);
    assert_eq!(
        offered(&format!("{algorithms}SHA-256, md5,sha-256")),
        DigestOffer::Listed(vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5])
    );
    // What is not understood changes nothing, and is said.
    assert_eq!(offered(&format!("{algorithms}SHA-1")), DigestOffer::Suited);
    let said = section(&format!("[global]\ntype=global\n{algorithms}SHA-1,MD5\n"));
    assert!(said[0].contains("SHA-512-256"), "{said:?}");
    let hash = "auth_type=md5\nusername=a\nrealm=r\nmd5_cred=0123456789abcdef0123456789abcdef\n";
    let said =
        section(&format!("[global]\ntype=global\n{algorithms}SHA-256\n[x]\ntype=auth\n{hash}"));
    assert!(said[0].starts_with("7:2 error[C013] nobody can log in with auth [x]"), "{said:?}");
    let said =
        section(&format!("[global]\ntype=global\n{algorithms}MD5,SHA-256\n[x]\ntype=auth\n{hash}"));
    assert!(said[0].starts_with("7:2 warning[C013] phones that choose SHA"), "{said:?}");
    let said = section(&format!("[x]\ntype=auth\n{hash}"));
    assert!(said[0].starts_with("4:2 warning[C013] SHA-256 is offered to nobody"), "{said:?}");
    assert_eq!(offered(&format!("[x]\ntype=auth\n{hash}")), DigestOffer::OnlyMd5);
    let said = section(&format!("[global]\ntype=global\n{algorithms}MD5\n[x]\ntype=auth\n{hash}"));
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn key_codes_and_music_are_read_and_what_is_not_here_is_named() {
    let features = "[general]\nfeaturedigittimeout=1500\npickupexten=*9
\
                    [featuremap]\ndisconnect=*0\natxfer=*2\nblindxfer=##x\nautomixmon=*3\n";
    let music = "[default]\nmode=files\ndirectory=/moh\n[stream]\nmode=custom\napplication=x\n";
    let files = MemoryFiles::new()
        .with("features.conf", features)
        .with("musiconhold.conf", music)
        .with("/moh/b.wav", "")
        .with("/moh/a.wav", "")
        .with("/moh/a.gsm", "")
        .with("/moh/readme.txt", "");
    let loaded = Configuration::load(&files);
    let said: Vec<String> = loaded.findings().map(|finding| finding.to_string()).collect();
    for part in ["##x", "`x` is not the full path of a program"] {
        assert!(said.iter().any(|text| text.contains(part)), "{part}: {said:?}");
    }
    let features = &loaded.configuration.features;
    assert_eq!(features.digit_timeout.as_millis(), 1500);
    assert_eq!(features.disconnect, "*0");
    assert_eq!(features.pickup, "*9");
    assert_eq!(features.attended_transfer, "*2");
    assert_eq!(features.mix_monitor, "*3");
    assert_eq!(features.blind_transfer, "#", "a code that is none leaves the default");
    let classes = &loaded.configuration.music.classes;
    let default: Vec<String> =
        classes.values().flat_map(|it| it.files.iter()).map(ToString::to_string).collect();
    assert_eq!(default, ["/moh/a", "/moh/b"]);
}

#[test]
fn the_order_and_the_announcement_of_music_are_read() {
    let music = "[lobby]\nmode=files\ndirectory=/moh\nsort=alpha\nannouncement=queue-thankyou\n\
                 [jazz]\nmode=playlist\nentry=/moh/b\nentry=/moh/a\nrandom=yes\n\
                 [bad]\nmode=playlist\nsort=loudest\nentry=http://127.0.0.1/x\n";
    let files = MemoryFiles::new().with("musiconhold.conf", music).with("/moh/a.wav", "");
    let loaded = Configuration::load(&files);
    let classes = &loaded.configuration.music.classes;
    let class = |name: &str| &classes[BStr::new(name)];
    assert_eq!(class("lobby").order, MusicOrder::Fixed);
    assert_eq!(class("lobby").announcement, Some("queue-thankyou".into()));
    assert_eq!(class("jazz").files[..], ["/moh/b", "/moh/a"]);
    assert_eq!(class("jazz").order, MusicOrder::Random);
    assert_eq!(class("bad").order, MusicOrder::AnyFirst);
    let said: Vec<String> = loaded.findings().map(|finding| finding.to_string()).collect();
    for part in ["loudest", "http://", "no `entry`"] {
        assert!(said.iter().any(|text| text.contains(part)), "{part}: {said:?}");
    }
}

#[test]
fn a_program_that_makes_music_is_read_and_doubts_are_named() {
    let music = "[stream]\nmode=custom\napplication=/bin/play -q  http://127.0.0.1/x\nformat=ulaw\n\
                 kill_escalation_delay=100\nkill_method=process\n\
                 [songs]\nmode=custom\ndirectory=/moh\napplication=/bin/play\n\
                 [empty]\nmode=custom\ndirectory=/none\napplication=/bin/play\n\
                 [shell]\nmode=custom\napplication=/bin/other 'a'|b\n\
                 [odd]\nmode=custom\napplication=/bin/play\nformat=gsm\n\
                 [none]\nmode=custom\n";
    let files = MemoryFiles::new()
        .with("musiconhold.conf", music)
        .with("/bin/play", "")
        .with("/moh/b.mp3", "")
        .with("/moh/a.sln", "")
        .with("/moh/c.wav", "");
    let loaded = Configuration::load(&files);
    let program = |name: &str| loaded.configuration.music.classes[BStr::new(name)].program.clone();
    let stream = program("stream").unwrap();
    assert_eq!(stream.words, ["/bin/play", "-q", "http://127.0.0.1/x"]);
    assert_eq!(stream.format.name(), "ulaw");
    assert_eq!((stream.kill_delay.as_millis(), stream.kill_method), (100, KillMethod::Process));
    let songs = program("songs").unwrap();
    assert_eq!(songs.words, ["/bin/play", "a.sln", "b.mp3"]);
    assert_eq!(songs.directory.as_deref(), Some(Path::new("/moh")));
    assert_eq!(songs.format.name(), "slin");
    assert_eq!(program("shell").unwrap().words.len(), 2);
    assert!(["empty", "odd", "none"].iter().all(|name| program(name).is_none()));
    let said: Vec<String> = loaded.findings().map(|finding| finding.to_string()).collect();
    let doubts = [
        "there is no .raw, .sln or .mp3 in /none",
        "there is no program /bin/other",
        "`'` has no meaning here",
        "`gsm` is no value for `format`",
        "[none] has no `application`",
    ];
    for part in doubts {
        assert!(said.iter().any(|text| text.contains(part)), "{part}: {said:?}");
    }
    assert!(!said.iter().any(|text| text.contains("no program /bin/play")), "{said:?}");
}

#[test]
fn groups_and_transfers_of_an_endpoint_are_read() {
    let loaded = pjsip(&format!(
        "{TRANSPORT}[x]
type=endpoint
allow=ulaw
call_group=1,3-4
pickup_group=0,63
\
         named_call_group=sales, desk
allow_transfer=no
refer_blind_progress=no
"
    ));
    let peer = loaded.configuration.sip.peers.get("x".into()).expect("the endpoint");
    assert_eq!(peer.call_groups.numbers, 0b11010);
    assert_eq!(peer.pickup_groups.numbers, 1 | 1 << 63);
    let names: Vec<_> = peer.call_groups.names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["desk", "sales"]);
    assert!(!peer.allow_transfer && !peer.refer_blind_progress);
    let said = section(
        "[x]
type=endpoint
allow=ulaw
call_group=1,64
",
    );
    assert!(said.iter().any(|it| it.contains("call_group")), "{said:?}");
}

#[test]
fn parking_lots_are_read_and_are_in_the_dialplan() {
    let parking = "[general]\n[default]\nparkext=700\nparkpos=701-703\nparkingtime=20\n\
                   findslot=next\n[sales]\nparkext=800\nparkpos=9-1\ncontext=sales\n";
    let files = MemoryFiles::new()
        .with("extensions.conf", "[office]\ninclude => parkedcalls\nexten => 1,1,Answer()\n")
        .with("res_parking.conf", parking);
    let loaded = Configuration::load(&files);
    let said: Vec<String> = loaded.findings().map(|finding| finding.to_string()).collect();
    assert!(said.iter().any(|text| text.contains("9-1")), "{said:?}");
    assert!(!said.iter().any(|text| text.contains("parkedcalls")), "{said:?}");
    let lots = &loaded.configuration.features.parking;
    assert_eq!((lots.len(), lots[0].slots.clone()), (2, 701..=703));
    assert!(lots[0].next_slot && lots[0].time.as_secs() == 20);
    assert_eq!(lots[1].slots, 701..=750, "what can not be read leaves the default");
    let plan = &loaded.configuration.plan;
    let office = plan.context(BStr::new("office")).expect("the context");
    let now = diesis_dialplan::plan::Circumstances {
        caller: None,
        now: jiff::Timestamp::UNIX_EPOCH,
        zone: jiff::tz::TimeZone::UTC,
    };
    for (extension, is_there) in [("700", true), ("703", true), ("704", false), ("800", false)] {
        assert_eq!(plan.exists(office, BStr::new(extension), 1, &now), is_there, "{extension}");
    }
}

#[test]
fn redundant_servers_have_short_registrations() {
    let bounds = |text: &str| {
        let aor = "[x]\ntype=aor\nmax_contacts=1\n";
        let loaded = pjsip(&format!("{TRANSPORT}{text}{aor}"));
        loaded.configuration.sip.aors.get("x".into()).expect("the aor").expiration
    };
    let redundant = "[global]\ntype=global\nha=yes\n";
    assert_eq!(bounds(""), Expiration::default());
    assert_eq!(bounds(redundant), Expiration::HIGH_AVAILABILITY);
    for (wish, is_late) in [("", true), ("expiration=300\n", true), ("expiration=299\n", false)] {
        let said = section(&format!("{redundant}[x]\ntype=registration\n{wish}"));
        assert_eq!(said.iter().any(|it| it.contains("refreshed too seldom")), is_late, "{said:?}");
    }
}

#[test]
fn access_lists_are_read_from_their_file_and_from_lines() {
    let files = MemoryFiles::new()
        .with("acl.conf", "[inside]\ndeny=0.0.0.0/0.0.0.0\npermit=10.0.0.0/8,!10.9.0.0/16\n")
        .with(
            "pjsip.conf",
            "[udp]\ntype=transport\nbind=127.0.0.1\n[all]\ntype=acl\ndeny=203.0.113.0/24\n\
             [x]\ntype=endpoint\nallow=ulaw\nidentify_by=ip\nacl=inside\ndeny=10.1.0.0/16\n\
             contact_deny=0.0.0.0/0\naccountcode=a1\nset_var=X=1=2\nset_var = Y = z\n",
        );
    let loaded = Configuration::load(&files);
    let sip = &loaded.configuration.sip;
    let x = sip.peers.get("x".into()).expect("the endpoint");
    let permits = |access: &Access, address: &str| access.permits(address.parse().unwrap());
    for (address, expected) in
        [("10.0.0.1", true), ("10.1.0.1", false), ("10.9.0.1", false), ("192.0.2.1", false)]
    {
        assert_eq!(permits(&x.access, address), expected, "{address}");
    }
    assert_eq!(x.variables, [("X".into(), "1=2".into()), ("Y".into(), "z".into())]);
    assert_eq!(x.account_code, "a1");
    assert!(!permits(&x.contact_access, "10.0.0.1"));
    assert!(!permits(&sip.access, "203.0.113.9") && permits(&sip.access, "10.0.0.1"));
}
