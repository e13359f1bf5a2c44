//! `type=endpoint`: the peers.

use std::collections::HashSet;

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::diagnostic::Diagnostic;
use diesis_dialplan::plan::Plan;
use diesis_dialplan::spelling::closest;

use super::codec::{self, Verb};
use super::transport::{Reference, Transports};
use super::{AccessLines, Objects, insert, keys, resolved};
use crate::config::acl::NamedLists;
use crate::config::codes;
use crate::config::named::{Name, Named};
use crate::config::notes::Notes;
use crate::config::setting::Setting;
use crate::config::settings::{
    Aor, AuthCredentials, CodecName, CodecPreference, ConnectedLineMethod, DtmfMode, Groups,
    IdentifyBy, Peer, PeerNumbering, SipSettings,
};
use crate::config::value::{caller_id, list};
use crate::config::watching::{Lamps, Mailbox, WhenSubscribed};
use crate::media::RtcpMux;
use crate::presence::RingingWhileInUse;
use crate::sip::{ReliableProvisional, TimerPolicy};

pub(super) fn read(
    objects: &Objects<'_>,
    transports: &Transports,
    auths: &Named<AuthCredentials>,
    (aors, lists): (&Named<Aor>, Option<&NamedLists>),
    notes: &mut Notes,
) -> Named<Peer> {
    // A reference to a section that was left out for an error of its own is no second error.
    let auth_sections: HashSet<&BStr> = objects.of("auth").map(|s| s.name()).collect();
    let mut peers = Named::default();
    for section in objects.of("endpoint") {
        let mut peer = Peer::new(section.name());
        peer.codecs.clear();
        let mut codecs_given = false;
        let mut access = AccessLines::default();
        section.each(&keys::ENDPOINT, notes, |name, mut setting| match name {
            b"type" => {}
            name if AccessLines::owns(name) => access.add(name, lists, setting),
            b"context" => setting.text(&mut peer.context),
            b"allow" => {
                codecs_given = true;
                codec::apply(Verb::Allow, &mut peer.codecs, setting);
            }
            b"disallow" => codec::apply(Verb::Disallow, &mut peer.codecs, setting),
            b"auth" => {
                let value = setting.value();
                let known = |name: &BStr| auth_sections.contains(name);
                let names = resolved(value, "auth", &mut setting, known);
                peer.auth = names.iter().filter_map(|n| auths.get(n.as_ref()).cloned()).collect();
            }
            b"aors" => {
                let value = setting.value();
                let known = |name: &BStr| aors.get(name).is_some();
                peer.aors = resolved(value, "aor", &mut setting, known);
            }
            b"callerid" => {
                let unset = setting.value().is_empty()
                    || setting.value().eq_ignore_ascii_case(b"asreceived");
                peer.caller_id = (!unset).then(|| caller_id(setting.value()));
            }
            b"numbering" => match setting.value().to_ascii_lowercase().as_slice() {
                b"no" => peer.numbering = PeerNumbering::None,
                b"dialled" => peer.numbering = PeerNumbering::Dialled,
                b"callers" => peer.numbering = PeerNumbering::Callers,
                b"both" => peer.numbering = PeerNumbering::Both,
                _ => setting.invalid("`dialled`, `callers`, `both` or `no`"),
            },
            b"dtmf_mode" => dtmf_mode(&mut peer.dtmf, setting),
            b"force_rport" => setting.yes_no(&mut peer.force_rport),
            b"from_domain" => setting.optional_text(&mut peer.from_domain),
            b"from_user" => setting.optional_text(&mut peer.from_user),
            b"identify_by" => identify_by(&mut peer.identify_by, setting),
            b"incoming_call_offer_pref" => codec_preference(&mut peer.codec_preference, setting),
            b"language" => setting.optional_text(&mut peer.language),
            b"moh_suggest" => setting.optional_text(&mut peer.suggested_music),
            b"outbound_auth" => {
                let value = setting.value();
                let known = |name: &BStr| auth_sections.contains(name);
                let names = resolved(value, "auth", &mut setting, known);
                peer.outbound_auth =
                    names.iter().filter_map(|n| auths.get(n.as_ref()).cloned()).collect();
            }
            b"connected_line_method" => {
                connected_line_method(&mut peer.connected_line_method, setting);
            }
            b"send_connected_line" => setting.yes_no(&mut peer.send_connected_line),
            b"trust_connected_line" => setting.yes_no(&mut peer.trust_connected_line),
            b"send_diversion" => setting.yes_no(&mut peer.send_diversion),
            b"send_history_info" => setting.yes_no(&mut peer.send_history_info),
            b"accountcode" => setting.text(&mut peer.account_code),
            b"set_var" => set_var(&mut peer.variables, setting),
            b"send_pai" => setting.yes_no(&mut peer.send_pai),
            b"send_rpid" => setting.yes_no(&mut peer.send_rpid),
            b"trust_id_inbound" => setting.yes_no(&mut peer.trust_id_inbound),
            b"trust_id_outbound" => setting.yes_no(&mut peer.trust_id_outbound),
            b"device_state_busy_at" => {
                setting.number(&mut peer.device_state_busy_at, 0..=u32::MAX);
            }
            b"call_group" => groups(&mut peer.call_groups.numbers, setting),
            b"pickup_group" => groups(&mut peer.pickup_groups.numbers, setting),
            b"named_call_group" => {
                peer.call_groups.names = list(setting.value()).map(Into::into).collect();
            }
            b"named_pickup_group" => {
                peer.pickup_groups.names = list(setting.value()).map(Into::into).collect();
            }
            b"aggregate_mwi" => {
                let mut is_one = true;
                setting.yes_no(&mut is_one);
                peer.message_waiting.lamps = if is_one { Lamps::One } else { Lamps::Each };
            }
            b"allow_subscribe" => setting.yes_no(&mut peer.watching.is_allowed),
            b"mailboxes" => {
                let names = list(setting.value()).map(|name| Mailbox::new(name));
                peer.message_waiting.mailboxes = names.collect();
            }
            b"message_context" => setting.optional_text(&mut peer.message_context),
            b"mwi_from_user" => setting.optional_text(&mut peer.message_waiting.from_user),
            b"mwi_subscribe_replaces_unsolicited" => {
                let mut replaces = false;
                setting.yes_no(&mut replaces);
                peer.message_waiting.when_subscribed = match replaces {
                    true => WhenSubscribed::ToldOnce,
                    false => WhenSubscribed::ToldTwice,
                };
            }
            b"notify_early_inuse_ringing" => {
                let mut is_early = false;
                setting.yes_no(&mut is_early);
                peer.watching.ringing_while_in_use = match is_early {
                    true => RingingWhileInUse::Early,
                    false => RingingWhileInUse::Confirmed,
                };
            }
            b"sub_min_expiry" => setting.seconds(&mut peer.watching.shortest, 0..=3600),
            b"subscribe_context" => setting.optional_text(&mut peer.watching.context),
            b"voicemail_extension" => {
                setting.optional_text(&mut peer.message_waiting.voicemail_extension);
            }
            b"allow_transfer" => setting.yes_no(&mut peer.allow_transfer),
            b"refer_blind_progress" => setting.yes_no(&mut peer.refer_blind_progress),
            b"rewrite_contact" => setting.yes_no(&mut peer.rewrite_contact),
            b"rtp_keepalive" => setting.optional_seconds(&mut peer.rtp_keepalive, LONGEST_SILENCE),
            b"rtp_timeout" => setting.optional_seconds(&mut peer.rtp_timeout, LONGEST_SILENCE),
            b"rtp_timeout_hold" => {
                setting.optional_seconds(&mut peer.rtp_timeout_hold, LONGEST_SILENCE);
            }
            b"rtcp_mux" => {
                let mut offers = false;
                setting.yes_no(&mut offers);
                peer.rtcp_mux = if offers { RtcpMux::Offer } else { RtcpMux::Never };
            }
            b"rtp_symmetric" => setting.yes_no(&mut peer.rtp_symmetric),
            b"100rel" => reliable(&mut peer.reliable_provisional, setting),
            b"timers" => timers(&mut peer.session_timers.policy, setting),
            b"timers_min_se" => setting.seconds(&mut peer.session_timers.min_se, SESSION_INTERVALS),
            b"timers_sess_expires" => {
                setting.seconds(&mut peer.session_timers.session_expires, SESSION_INTERVALS);
            }
            b"transport" => match transports.find(setting.value()) {
                Reference::Listening => setting.optional_text(&mut peer.transport),
                // Said at the transport already.
                Reference::LeftOut => {}
                Reference::Nothing => {
                    let value = setting.value();
                    resolved(value, "transport", &mut setting, |_| false);
                }
            },
            _ => setting.judge(),
        });
        (peer.access, peer.contact_access) = access.finish();
        let timers = &mut peer.session_timers;
        if timers.session_expires < timers.min_se {
            notes.warn(
                codes::VALUE_INVALID,
                section.place_of("timers_sess_expires"),
                "`timers_sess_expires` is below `timers_min_se`".to_owned(),
                "the latter is used for both",
            );
            timers.session_expires = timers.min_se;
        }
        if !codecs_given {
            notes.once(
                Diagnostic::warning(
                    codes::SETTING_MISSING,
                    section.header,
                    "an endpoint without `allow` has no codec in Asterisk",
                )
                .with_help("here it has ulaw and alaw; say so with allow=ulaw,alaw"),
            );
            peer.codecs = CodecName::USUAL.to_vec();
        } else if peer.codecs.is_empty() {
            notes.warn(
                codes::VALUE_LATER,
                section.header,
                format!("endpoint [{}] allows no codec that is here", section.name()),
                "its calls are answered 488; allow ulaw or alaw",
            );
        }
        insert(&mut peers, peer, &section, "endpoint", notes);
    }
    peers
}

/// Warns of peers that anyone may claim to be.
pub(super) fn warn_of_open(objects: &Objects<'_>, settings: &SipSettings, notes: &mut Notes) {
    let asks: HashSet<&BStr> = objects
        .of("endpoint")
        .filter(|section| section.has("auth"))
        .map(|section| section.name())
        .collect();
    for section in objects.of("endpoint") {
        let Some(peer) = settings.peers.get(section.name()) else { continue };
        let by_name = peer.identify_by.iter().any(|by| *by != IdentifyBy::Address);
        if by_name && !asks.contains(peer.name()) {
            notes.warn(
                codes::PEER_OPEN,
                section.header,
                format!("anyone who calls as `{}` is let in: it has no `auth`", peer.name),
                "add auth=, or identify_by=ip with a type=identify section",
            );
        }
    }
}

/// Warns of peers whose calls have nowhere to start.
pub(super) fn warn_of_missing_contexts(
    objects: &Objects<'_>,
    settings: &SipSettings,
    plan: &Plan,
    notes: &mut Notes,
) {
    for section in objects.of("endpoint") {
        let Some(peer) = settings.peers.get(section.name()) else { continue };
        if plan.context(&peer.context).is_none() {
            let message = format!("the dialplan has no context `{}`", peer.context);
            let span = section.place_of("context");
            let names = plan.contexts().map(|context| context.name());
            let meant = match closest(peer.context.as_bstr(), names) {
                Some(name) => format!("did you mean `{name}`?"),
                None => {
                    format!("write `[{}]` in extensions.conf or a file it includes.", peer.context)
                }
            };
            let help = format!("{meant} Calls of this endpoint are answered 404 as it is");
            let diagnostic = Diagnostic::warning(codes::NAME_UNRESOLVED, span, message);
            notes.once(diagnostic.with_help(help));
        }
    }
}

/// The longest `rtp_timeout` and the like, in seconds: a day.
const LONGEST_SILENCE: u32 = 86_400;

/// What `timers_min_se` and `timers_sess_expires` may be: RFC 4028 §5 sets the least, a week is as
/// good as for ever.
const SESSION_INTERVALS: std::ops::RangeInclusive<u32> = 90..=604_800;

fn timers(policy: &mut TimerPolicy, setting: Setting<'_>) {
    match setting.value().to_ascii_lowercase().as_slice() {
        b"no" => *policy = TimerPolicy::Off,
        b"yes" => *policy = TimerPolicy::IfSupported,
        b"required" => *policy = TimerPolicy::Required,
        b"always" | b"forced" => *policy = TimerPolicy::Always,
        _ => setting.invalid("`no`, `yes`, `required` or `always`"),
    }
}

/// `name=value`; each line adds one.
fn set_var(variables: &mut Vec<(BString, BString)>, setting: Setting<'_>) {
    match setting.value().split_once_str("=") {
        Some((name, value)) if !name.trim_ascii().is_empty() => {
            variables.push((name.trim_ascii().into(), value.trim_ascii().into()));
        }
        _ => setting.invalid("a name and a value, such as set_var=LEVEL=7"),
    }
}

fn groups(groups: &mut u64, setting: Setting<'_>) {
    match Groups::parse_numbers(setting.value()) {
        Some(numbers) => *groups = numbers,
        None => setting.invalid("numbers from 0 to 63 and ranges of them, separated by commas"),
    }
}

fn connected_line_method(method: &mut ConnectedLineMethod, setting: Setting<'_>) {
    match setting.value().to_ascii_lowercase().as_slice() {
        b"invite" | b"reinvite" => *method = ConnectedLineMethod::Reinvite,
        b"update" => *method = ConnectedLineMethod::Update,
        _ => setting.invalid("`invite` or `update`"),
    }
}

fn reliable(wanted: &mut ReliableProvisional, setting: Setting<'_>) {
    match setting.value().to_ascii_lowercase().as_slice() {
        b"no" => *wanted = ReliableProvisional::Off,
        b"yes" => *wanted = ReliableProvisional::IfRequired,
        b"peer_supported" => *wanted = ReliableProvisional::IfSupported,
        b"required" => *wanted = ReliableProvisional::Required,
        _ => setting.invalid("`no`, `yes`, `required` or `peer_supported`"),
    }
}

fn dtmf_mode(mode: &mut DtmfMode, setting: Setting<'_>) {
    match setting.value().to_ascii_lowercase().as_slice() {
        b"rfc4733" | b"rfc2833" => *mode = DtmfMode::TelephoneEvent,
        b"info" => *mode = DtmfMode::Info,
        b"inband" => *mode = DtmfMode::Inband,
        b"auto" => *mode = DtmfMode::TelephoneEventOrInband,
        b"auto_info" => *mode = DtmfMode::TelephoneEventOrInfo,
        _ => setting.invalid("`rfc4733`, `info`, `inband`, `auto` or `auto_info`"),
    }
}

fn codec_preference(preference: &mut CodecPreference, setting: Setting<'_>) {
    match setting.value().to_ascii_lowercase().as_slice() {
        b"local" => *preference = CodecPreference::Local,
        b"local_first" => *preference = CodecPreference::LocalFirst,
        b"remote" => *preference = CodecPreference::Remote,
        b"remote_first" => *preference = CodecPreference::RemoteFirst,
        _ => setting.invalid("`local`, `local_first`, `remote` or `remote_first`"),
    }
}

fn identify_by(identify_by: &mut Vec<IdentifyBy>, mut setting: Setting<'_>) {
    let value = setting.value();
    identify_by.clear();
    for word in list(value) {
        match word.to_ascii_lowercase().as_slice() {
            b"username" => identify_by.push(IdentifyBy::Username),
            b"auth_username" => identify_by.push(IdentifyBy::AuthUsername),
            b"ip" => identify_by.push(IdentifyBy::Address),
            b"header" | b"request_uri" | b"transport" => {
                setting.later(word, "peers are recognised by name and address");
            }
            _ => {
                return setting.invalid("`username`, `auth_username` or `ip`, separated by commas");
            }
        }
    }
}
