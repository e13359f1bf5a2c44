//! The settings of `pjsip.conf`, by kind of section.

use crate::config::key::Harmless::{Always, Never, Off, On, Words, Zero};
use crate::config::key::Severity::{Refuse, Warn};
use crate::config::key::{KeyTable, Later};

pub(super) const GLOBAL: KeyTable = KeyTable {
    kind: "global",
    read: &[
        "type",
        "user_agent",
        "default_realm",
        "default_auth_algorithms_uas",
        "ban_account_attempts",
        "ban_attempts",
        "ban_permit",
        "ban_time",
        "ban_window",
        "drop_scanners",
        "ha",
    ],
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
            instead: "messages waiting are announced when their number is known, with the \
                      voicemail_extension of the aor or the endpoint",
            severity: Warn,
            keys: &[
                ("default_voicemail_extension", Never),
                ("mwi_disable_initial_unsolicited", Always),
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

/// Sections of type=acl.
pub(super) const ACL: KeyTable = KeyTable {
    kind: "acl",
    read: &["type", "acl", "contact_acl", "contact_deny", "contact_permit", "deny", "permit"],
    later: &[],
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
        "tos",
        "cos",
        "tcp_keepalive_enable",
        "tcp_keepalive_idle_time",
        "tcp_keepalive_interval_time",
        "tcp_keepalive_probe_count",
    ],
    later: &[
        Later {
            instead: "browsers can't call yet",
            severity: Warn,
            keys: &[("websocket_write_timeout", Always)],
        },
        Later {
            instead: "its address and protocol are kept until the next start; all else is reloaded",
            severity: Warn,
            keys: &[("allow_reload", Off)],
        },
        Later {
            instead: "From and Contact name the address of the transport",
            severity: Warn,
            keys: &[("domain", Never)],
        },
        Later {
            instead: "messages are read one after another",
            severity: Warn,
            keys: &[("async_operations", Always)],
        },
        Later {
            instead: "who registers is reached over the transport it registered on in any case",
            severity: Warn,
            keys: &[("symmetric_transport", Off)],
        },
    ],
};

pub(super) const ENDPOINT: KeyTable = KeyTable {
    kind: "endpoint",
    read: &[
        "accountcode",
        "send_history_info",
        "set_var",
        "acl",
        "contact_acl",
        "contact_deny",
        "contact_permit",
        "deny",
        "permit",
        "100rel",
        "type",
        "context",
        "allow",
        "allow_transfer",
        "disallow",
        "auth",
        "aors",
        "call_group",
        "named_call_group",
        "named_pickup_group",
        "pickup_group",
        "callerid",
        "connected_line_method",
        "device_state_busy_at",
        "dtmf_mode",
        "force_rport",
        "from_domain",
        "from_user",
        "identify_by",
        "incoming_call_offer_pref",
        "language",
        "moh_suggest",
        "outbound_auth",
        "refer_blind_progress",
        "rewrite_contact",
        "rtp_keepalive",
        "rtcp_mux",
        "rtp_symmetric",
        "rtp_timeout",
        "rtp_timeout_hold",
        "send_connected_line",
        "send_diversion",
        "send_pai",
        "send_rpid",
        "timers",
        "timers_min_se",
        "timers_sess_expires",
        "transport",
        "trust_connected_line",
        "trust_id_inbound",
        "trust_id_outbound",
        "aggregate_mwi",
        "allow_subscribe",
        "mailboxes",
        "message_context",
        "mwi_from_user",
        "mwi_subscribe_replaces_unsolicited",
        "notify_early_inuse_ringing",
        "numbering",
        "sub_min_expiry",
        "subscribe_context",
        "voicemail_extension",
    ],
    later: &[
        Later {
            instead: "it would let in whom it keeps out",
            severity: Refuse,
            keys: &[("stir_shaken", Off), ("stir_shaken_profile", Never)],
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
            instead: "no other system is asked for its messages",
            severity: Warn,
            keys: &[("incoming_mwi_mailbox", Never)],
        },
        Later {
            instead: "the call goes on without it",
            severity: Warn,
            keys: &[
                ("callerid_privacy", Words(&["allowed", "allowed_not_screened"])),
                ("callerid_tag", Never),
                ("rpid_immediate", Off),
                ("send_aoc", Off),
                ("user_eq_phone", Off),
            ],
        },
        Later {
            instead: "calls to this peer go straight to its contact",
            severity: Warn,
            keys: &[("outbound_proxy", Never)],
        },
        Later {
            instead: "an incomplete number is answered 404",
            severity: Warn,
            keys: &[("allow_overlap", Off), ("overlap_context", Never)],
        },
        Later {
            instead: "the call starts without it",
            severity: Warn,
            keys: &[("tenantid", Never)],
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
        "qualify_2xx_only",
        "qualify_frequency",
        "qualify_timeout",
        "remove_existing",
        "remove_unavailable",
        "support_path",
        "mailboxes",
        "voicemail_extension",
    ],
    later: &[
        Later {
            instead: "contacts are asked without credentials: one that challenges has answered, \
                      unless qualify_2xx_only=yes",
            severity: Warn,
            keys: &[("authenticate_qualify", Off)],
        },
        Later {
            instead: "requests go straight to the contact, or by its Path with support_path=yes",
            severity: Warn,
            keys: &[("outbound_proxy", Never)],
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

pub(super) const REGISTRATION: KeyTable = KeyTable {
    kind: "registration",
    read: &[
        "type",
        "auth_rejection_permanent",
        "client_uri",
        "contact_header_params",
        "contact_user",
        "endpoint",
        "expiration",
        "fatal_retry_interval",
        "forbidden_retry_interval",
        "line",
        "max_retries",
        "outbound_auth",
        "outbound_proxy",
        "retry_interval",
        "server_uri",
        "support_path",
        "transport",
    ],
    later: &[
        Later {
            instead: "registrations begin some 20 ms apart",
            severity: Warn,
            keys: &[("max_random_initial_delay", Words(&["10"]))],
        },
        Later {
            instead: "the contact is an address, and calls come to it",
            severity: Warn,
            keys: &[("support_outbound", Off)],
        },
        Later {
            instead: "it has no effect",
            severity: Warn,
            keys: &[
                ("security_mechanisms", Never),
                ("security_negotiation", Words(&["no"])),
                ("user_agent", Never),
            ],
        },
    ],
};

pub(super) const SYSTEM: KeyTable = KeyTable {
    kind: "system",
    read: &["type", "disable_tcp_switch", "timer_t1"],
    later: &[
        Later {
            instead: "a transaction waits 64 times timer_t1",
            severity: Warn,
            keys: &[("timer_b", Words(&["32000"]))],
        },
        Later {
            instead: "headers have their full names; compact ones are understood",
            severity: Warn,
            keys: &[("compact_headers", Off)],
        },
        Later {
            instead: "requests ask for the answer to come back to where they came from (rport)",
            severity: Warn,
            keys: &[("disable_rport", Off)],
        },
        Later {
            instead: "a call has one answer, the first",
            severity: Warn,
            keys: &[("accept_multiple_sdp_answers", Off), ("follow_early_media_fork", Always)],
        },
        Later {
            instead: "one thread serves SIP",
            severity: Warn,
            keys: &[
                ("threadpool_auto_increment", Always),
                ("threadpool_idle_timeout", Always),
                ("threadpool_initial_size", Always),
                ("threadpool_max_size", Always),
            ],
        },
    ],
};

/// Kinds of sections that Asterisk knows and that are not here yet, with what happens instead.
pub(super) const LATER_KINDS: &[(&str, &str)] = &[
    ("asterisk-publication", "states are not published"),
    ("contact", "contacts are given by `contact=` of an aor or by registering"),
    ("domain_alias", "peers are recognised whatever the domain they name"),
    ("inbound-publication", "states are not published"),
    ("mwi", "no other system is asked for its messages"),
    ("outbound-publish", "states are not published"),
    ("phoneprov", "phones are not provisioned"),
    ("resource_list", "each extension is subscribed to by itself"),
];
