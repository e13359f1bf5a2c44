//! The settings of `pjsip.conf`, by kind of section.

use crate::config::key::Harmless::{Always, Never, Off, On, Words, Zero};
use crate::config::key::Severity::{Refuse, Warn};
use crate::config::key::{KeyTable, Later};

pub(super) const GLOBAL: KeyTable = KeyTable {
    kind: "global",
    read: &["type", "user_agent", "default_realm", "default_auth_algorithms_uas", "ha"],
    later: &[
        Later {
            instead: "peers are recognised by address, then by user name",
            severity: Warn,
            keys: &[(
                "endpoint_identifier_order",
                Words(&["ip,username", "ip,username,anonymous"]),
            )],
        },
        Later {
            instead: "this limit has a built-in value",
            severity: Warn,
            keys: &[
                ("max_forwards", Words(&["70"])),
                ("keep_alive_interval", Zero),
                ("contact_expiration_check_interval", Always),
                ("unidentified_request_count", Words(&["5"])),
                ("unidentified_request_period", Words(&["5"])),
                ("unidentified_request_prune_interval", Words(&["30"])),
                ("max_initial_qualify_time", Zero),
                ("taskprocessor_overload_trigger", Always),
                ("threadpool_initial_size", Always),
                ("threadpool_auto_increment", Always),
                ("threadpool_idle_timeout", Always),
                ("threadpool_max_size", Always),
            ],
        },
        Later {
            instead: "messages waiting are not announced",
            severity: Warn,
            keys: &[
                ("default_voicemail_extension", Never),
                ("mwi_disable_initial_unsolicited", On),
                ("mwi_tps_queue_high", Always),
                ("mwi_tps_queue_low", Always),
            ],
        },
        Later {
            instead: "it has no effect",
            severity: Warn,
            keys: &[
                ("all_codecs_on_empty_reinvite", Off),
                ("allow_sending_180_after_183", Off),
                ("debug", Words(&["no"])),
                ("default_auth_algorithms_uac", Never),
                ("default_from_user", Words(&["asterisk"])),
                ("default_outbound_endpoint", Words(&["default_outbound_endpoint"])),
                ("disable_multi_domain", Off),
                ("ignore_uri_user_options", Off),
                ("norefersub", On),
                ("regcontext", Never),
                ("send_contact_status_on_update_registration", Off),
                ("use_callerid_contact", Off),
            ],
        },
    ],
};

pub(super) const TRANSPORT: KeyTable = KeyTable {
    kind: "transport",
    read: &[
        "type",
        "protocol",
        "bind",
        "external_media_address",
        "external_signaling_address",
        "external_signaling_port",
        "local_net",
        "ca_list_file",
        "ca_list_path",
        "cert_file",
        "cipher",
        "method",
        "password",
        "priv_key_file",
        "require_client_cert",
        "verify_client",
        "verify_server",
        "allow_wildcard_certs",
    ],
    later: &[
        Later {
            instead: "browsers can't call yet",
            severity: Warn,
            keys: &[("websocket_write_timeout", Always)],
        },
        Later {
            instead: "packets are not marked",
            severity: Warn,
            keys: &[("tos", Words(&["0", "cs0"])), ("cos", Zero)],
        },
        Later {
            instead: "idle connections are closed by the peer or by our own limit",
            severity: Warn,
            keys: &[
                ("tcp_keepalive_enable", Off),
                ("tcp_keepalive_idle_time", Always),
                ("tcp_keepalive_interval_time", Always),
                ("tcp_keepalive_probe_count", Always),
            ],
        },
        Later {
            instead: "it has no effect",
            severity: Warn,
            keys: &[
                ("allow_reload", Off),
                ("async_operations", Always),
                ("domain", Never),
                ("symmetric_transport", Off),
            ],
        },
    ],
};

pub(super) const ENDPOINT: KeyTable = KeyTable {
    kind: "endpoint",
    read: &[
        "type",
        "context",
        "allow",
        "disallow",
        "auth",
        "aors",
        "callerid",
        "dtmf_mode",
        "force_rport",
        "from_domain",
        "from_user",
        "identify_by",
        "language",
        "outbound_auth",
        "rewrite_contact",
        "rtp_keepalive",
        "rtp_symmetric",
        "rtp_timeout",
        "rtp_timeout_hold",
        "send_diversion",
        "send_pai",
        "send_rpid",
        "transport",
        "trust_id_inbound",
        "trust_id_outbound",
    ],
    later: &[
        Later {
            instead: "it would let in whom it keeps out",
            severity: Refuse,
            keys: &[
                ("acl", Never),
                ("contact_acl", Never),
                ("contact_deny", Never),
                ("contact_permit", Never),
                ("deny", Never),
                ("permit", Never),
                ("stir_shaken", Off),
                ("stir_shaken_profile", Never),
            ],
        },
        Later {
            instead: "media always goes through Diesis",
            severity: Warn,
            keys: &[
                ("direct_media", Off),
                ("direct_media_glare_mitigation", Always),
                ("direct_media_method", Always),
                ("disable_direct_media_on_nat", Always),
            ],
        },
        Later {
            instead: "media is not encrypted",
            severity: Warn,
            keys: &[
                ("media_encryption", Words(&["no"])),
                ("media_encryption_optimistic", Off),
                ("dtls_auto_generate_cert", Off),
                ("dtls_ca_file", Never),
                ("dtls_ca_path", Never),
                ("dtls_cert_file", Never),
                ("dtls_cipher", Never),
                ("dtls_fingerprint", Always),
                ("dtls_private_key", Never),
                ("dtls_rekey", Zero),
                ("dtls_setup", Always),
                ("dtls_verify", Off),
                ("srtp_tag_32", Off),
            ],
        },
        Later {
            instead: "browsers can't call yet",
            severity: Warn,
            keys: &[
                ("webrtc", Off),
                ("bundle", Off),
                ("force_avp", Off),
                ("ice_support", Off),
                ("media_use_received_transport", Off),
                ("rtcp_mux", Off),
                ("use_avpf", Off),
            ],
        },
        Later {
            instead: "calls have one audio stream",
            severity: Warn,
            keys: &[
                ("max_audio_streams", Words(&["1"])),
                ("max_video_streams", Words(&["0", "1"])),
            ],
        },
        Later {
            instead: "our own preference decides",
            severity: Warn,
            keys: &[
                ("codec_prefs_incoming_answer", Never),
                ("codec_prefs_incoming_offer", Never),
                ("codec_prefs_outgoing_answer", Never),
                ("codec_prefs_outgoing_offer", Never),
                ("incoming_call_offer_pref", Words(&["local"])),
                ("outgoing_call_offer_pref", Words(&["remote_merge"])),
                ("preferred_codec_only", Off),
                ("use_ptime", Off),
            ],
        },
        Later {
            instead: "fax is not here yet",
            severity: Warn,
            keys: &[
                ("fax_detect", Off),
                ("fax_detect_timeout", Zero),
                ("t38_bind_udptl_to_media_address", Off),
                ("t38_udptl", Off),
                ("t38_udptl_ec", Words(&["none"])),
                ("t38_udptl_ipv6", Off),
                ("t38_udptl_maxdatagram", Zero),
                ("t38_udptl_nat", Off),
            ],
        },
        Later {
            instead: "media is marked for expedited forwarding (EF), and frames are not marked",
            severity: Warn,
            keys: &[
                ("cos_audio", Zero),
                ("cos_video", Always),
                ("tos_audio", Words(&["ef", "184", "0xb8"])),
                ("tos_video", Always),
            ],
        },
        Later {
            instead: "media uses the address of the call's transport",
            severity: Warn,
            keys: &[
                ("bind_rtp_to_media_address", Off),
                ("media_address", Never),
                ("rtp_engine", Words(&["asterisk"])),
                ("rtp_ipv6", Off),
            ],
        },
        Later {
            instead: "presence and message waiting are not here yet",
            severity: Warn,
            keys: &[
                ("aggregate_mwi", Always),
                ("allow_subscribe", Off),
                ("device_state_busy_at", Zero),
                ("incoming_mwi_mailbox", Never),
                ("mailboxes", Never),
                ("mwi_from_user", Never),
                ("mwi_subscribe_replaces_unsolicited", Off),
                ("notify_early_inuse_ringing", Off),
                ("sub_min_expiry", Always),
                ("subscribe_context", Never),
                ("voicemail_extension", Never),
            ],
        },
        Later {
            instead: "calls can't be picked up by others yet",
            severity: Warn,
            keys: &[
                ("call_group", Never),
                ("named_call_group", Never),
                ("named_pickup_group", Never),
                ("pickup_group", Never),
            ],
        },
        Later {
            instead: "transfers by the peer are refused",
            severity: Warn,
            keys: &[("allow_transfer", Off), ("refer_blind_progress", Always)],
        },
        Later {
            instead: "the call goes on without it",
            severity: Warn,
            keys: &[
                ("callerid_privacy", Words(&["allowed", "allowed_not_screened"])),
                ("callerid_tag", Never),
                ("connected_line_method", Always),
                ("rpid_immediate", Off),
                ("send_aoc", Off),
                ("send_connected_line", Off),
                ("send_history_info", Off),
                ("trust_connected_line", Off),
                ("user_eq_phone", Off),
            ],
        },
        Later {
            instead: "calls to this peer go straight to its contact",
            severity: Warn,
            keys: &[("outbound_proxy", Never)],
        },
        Later {
            instead: "provisional responses are sent unreliably",
            severity: Warn,
            keys: &[("100rel", Words(&["no"]))],
        },
        Later {
            instead: "calls are not refreshed",
            severity: Warn,
            keys: &[
                ("timers", Words(&["no"])),
                ("timers_min_se", Always),
                ("timers_sess_expires", Always),
            ],
        },
        Later {
            instead: "an incomplete number is answered 404",
            severity: Warn,
            keys: &[("allow_overlap", Off), ("overlap_context", Never)],
        },
        Later {
            instead: "messages are refused",
            severity: Warn,
            keys: &[("message_context", Never)],
        },
        Later {
            instead: "the call starts without it",
            severity: Warn,
            keys: &[("accountcode", Never), ("set_var", Never), ("tenantid", Never)],
        },
        Later {
            instead: "it has no effect",
            severity: Warn,
            keys: &[
                ("accept_multiple_sdp_answers", Off),
                ("allow_unauthenticated_options", Off),
                ("asymmetric_rtp_codec", Off),
                ("follow_early_media_fork", Always),
                ("g726_non_standard", Always),
                ("geoloc_incoming_call_profile", Never),
                ("geoloc_outgoing_call_profile", Never),
                ("ignore_183_without_sdp", Off),
                ("inband_progress", Off),
                ("moh_passthrough", Off),
                ("moh_suggest", Words(&["default"])),
                ("one_touch_recording", Off),
                ("record_off_feature", Always),
                ("record_on_feature", Always),
                ("sdp_owner", Words(&["-"])),
                ("sdp_session", Words(&["Asterisk"])),
                ("security_mechanisms", Never),
                ("security_negotiation", Words(&["no"])),
                ("suppress_moh_on_sendonly", Off),
                ("suppress_q850_reason_headers", Off),
                ("tone_zone", Never),
            ],
        },
    ],
};

pub(super) const AUTH: KeyTable = KeyTable {
    kind: "auth",
    read: &["type", "auth_type", "username", "password", "md5_cred", "realm"],
    later: &[
        Later {
            instead: "it would let nobody in",
            severity: Refuse,
            keys: &[
                ("oauth_clientid", Never),
                ("oauth_secret", Never),
                ("password_digest", Never),
                ("refresh_token", Never),
            ],
        },
        Later {
            instead: "this limit has a built-in value",
            severity: Warn,
            keys: &[("nonce_lifetime", Words(&["32"]))],
        },
        Later {
            instead: "the built-in choice of algorithms is offered",
            severity: Warn,
            keys: &[("supported_algorithms_uac", Never), ("supported_algorithms_uas", Never)],
        },
    ],
};

pub(super) const AOR: KeyTable = KeyTable {
    kind: "aor",
    read: &[
        "type",
        "contact",
        "default_expiration",
        "max_contacts",
        "maximum_expiration",
        "minimum_expiration",
        "remove_existing",
    ],
    later: &[
        Later {
            instead: "contacts are not probed and count as reachable while they are registered",
            severity: Warn,
            keys: &[
                ("authenticate_qualify", Off),
                ("qualify_2xx_only", Off),
                ("qualify_frequency", Zero),
                ("qualify_timeout", Always),
                ("remove_unavailable", Off),
            ],
        },
        Later {
            instead: "messages waiting are not announced",
            severity: Warn,
            keys: &[("mailboxes", Never), ("voicemail_extension", Never)],
        },
        Later {
            instead: "requests go straight to the contact",
            severity: Warn,
            keys: &[("outbound_proxy", Never), ("support_path", Off)],
        },
    ],
};

pub(super) const IDENTIFY: KeyTable = KeyTable {
    kind: "identify",
    read: &["type", "endpoint", "match"],
    later: &[Later {
        instead: "only addresses are matched",
        severity: Warn,
        keys: &[
            ("match_header", Never),
            ("match_request_uri", Never),
            ("srv_lookups", Always),
            ("transport", Never),
        ],
    }],
};

/// Kinds of sections that Asterisk knows and that are not here yet, with what happens instead.
pub(super) const LATER_KINDS: &[(&str, &str)] = &[
    ("acl", "it would let in whom it keeps out"),
    ("asterisk-publication", "states are not published"),
    ("contact", "contacts are given by `contact=` of an aor or by registering"),
    ("domain_alias", "peers are recognised whatever the domain they name"),
    ("inbound-publication", "states are not published"),
    ("mwi", "messages waiting are not announced"),
    ("outbound-publish", "states are not published"),
    ("phoneprov", "phones are not provisioned"),
    ("registration", "we register nowhere, so the provider sends no calls"),
    ("resource_list", "presence is not here yet"),
    ("system", "timers and threads have built-in values"),
];
