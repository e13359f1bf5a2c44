//! The settings of `rtp.conf`, `confbridge.conf` and `asterisk.conf`, by kind of section.

use super::key::Harmless::{Always, Never, Off, On, Words, Zero};
use super::key::Severity::Warn;
use super::key::{KeyTable, Later};

pub(super) const RTP: KeyTable = KeyTable {
    kind: "rtp.conf [general]",
    read: &["rtpstart", "rtpend"],
    later: &[
        Later {
            instead: "media is always taken from the signalled address only, or from one that \
                      passed the source check of rtp_symmetric",
            severity: Warn,
            keys: &[("strictrtp", On), ("probation", Always)],
        },
        Later {
            instead: "browsers can't call yet",
            severity: Warn,
            keys: &[
                ("dtls_mtu", Always),
                ("ice_acl", Never),
                ("ice_blacklist", Never),
                ("ice_deny", Never),
                ("ice_permit", Never),
                ("icesupport", Off),
                ("stun_acl", Never),
                ("stun_blacklist", Never),
                ("stun_deny", Never),
                ("stun_permit", Never),
                ("stunaddr", Never),
                ("turnaddr", Never),
                ("turnpassword", Never),
                ("turnusername", Never),
            ],
        },
        Later {
            instead: "it has no effect",
            severity: Warn,
            keys: &[
                ("dtmftimeout", Always),
                ("rtcpinterval", Always),
                ("rtpchecksums", On),
                ("srtpreplayprotection", Always),
            ],
        },
    ],
};

pub(super) const CONFBRIDGE_GENERAL: KeyTable =
    KeyTable { kind: "confbridge.conf [general]", read: &[], later: &[] };

/// Beside keys and what they do.
pub(super) const MENU: KeyTable = KeyTable {
    kind: "conference menu",
    read: &["type"],
    later: &[Later {
        instead: "the section is taken as it is; CONFBRIDGE(menu,template) takes one",
        severity: Warn,
        keys: &[("template", Never)],
    }],
};

pub(super) const BRIDGE: KeyTable = KeyTable {
    kind: "bridge profile",
    read: &[
        "type",
        "internal_sample_rate",
        "language",
        "max_members",
        "maximum_sample_rate",
        "record_conference",
        "record_file",
        "record_file_append",
        "record_file_timestamp",
        "sound_begin",
        "sound_error_menu",
        "sound_get_pin",
        "sound_has_joined",
        "sound_has_left",
        "sound_invalid_pin",
        "sound_join",
        "sound_kicked",
        "sound_leader_has_left",
        "sound_leave",
        "sound_locked",
        "sound_locked_now",
        "sound_muted",
        "sound_only_one",
        "sound_only_person",
        "sound_other_in_party",
        "sound_participants_muted",
        "sound_participants_unmuted",
        "sound_place_into_conference",
        "sound_there_are",
        "sound_unlocked_now",
        "sound_unmuted",
        "sound_wait_for_leader",
    ],
    later: &[
        Later {
            instead: "rooms mix 20 ms at 8, 16 or 48 kHz, whichever comes next",
            severity: Warn,
            keys: &[
                ("internal_sample_rate", Words(&["auto", "8000", "16000", "48000"])),
                ("maximum_sample_rate", Words(&["none", "0", "8000", "16000", "48000"])),
                ("mixing_interval", Words(&["20"])),
            ],
        },
        Later {
            instead: "everybody is heard in the middle",
            severity: Warn,
            keys: &[
                ("binaural_active", Off),
                ("sound_binaural_off", Always),
                ("sound_binaural_on", Always),
            ],
        },
        Later {
            instead: "the room is recorded as it is, and no program is run",
            severity: Warn,
            keys: &[("record_command", Never), ("record_options", Never)],
        },
        Later {
            instead: "rooms have no video",
            severity: Warn,
            keys: &[
                ("remb_behavior", Always),
                ("remb_estimated_bitrate", Always),
                ("remb_send_interval", Always),
                ("video_mode", Words(&["none"])),
                ("video_update_discard", Always),
            ],
        },
        Later {
            instead: "events go to the control socket and to embedders",
            severity: Warn,
            keys: &[("enable_events", Off)],
        },
        Later {
            instead: "no extension appears while there is a room",
            severity: Warn,
            keys: &[("regcontext", Never)],
        },
        Later {
            instead: "the section is taken as it is; CONFBRIDGE(bridge,template) takes one",
            severity: Warn,
            // What is received waits in a jitter buffer in any room.
            keys: &[("jitterbuffer", Always), ("template", Never)],
        },
    ],
};

pub(super) const USER: KeyTable = KeyTable {
    kind: "user profile",
    read: &[
        "type",
        "admin",
        "announce_join_leave",
        "announce_join_leave_review",
        "announce_only_user",
        "announce_user_count",
        "announce_user_count_all",
        "announcement",
        "dsp_drop_silence",
        "dsp_silence_threshold",
        "dsp_talking_threshold",
        "dtmf_passthrough",
        "end_marked",
        "end_marked_any",
        "hear_own_join_sound",
        "marked",
        "music_on_hold_class",
        "music_on_hold_when_empty",
        "pin",
        "quiet",
        "startmuted",
        "talk_detection_events",
        "timeout",
        "wait_marked",
    ],
    later: &[
        Later {
            instead: "everyone is mixed as received",
            severity: Warn,
            // What is received waits in a jitter buffer in any room.
            keys: &[("denoise", Off), ("jitterbuffer", Always)],
        },
        Later {
            instead: "ConfBridge answers the call",
            severity: Warn,
            keys: &[("answer_channel", On)],
        },
        Later {
            instead: "events go to the control socket and to embedders",
            severity: Warn,
            keys: &[("echo_events", Always), ("send_events", Off)],
        },
        Later {
            instead: "text messages are not passed on within a room",
            severity: Warn,
            keys: &[("text_messaging", Off)],
        },
        Later {
            instead: "the section is taken as it is; CONFBRIDGE(user,template) takes one",
            severity: Warn,
            keys: &[("template", Never)],
        },
    ],
};

pub(super) const DIRECTORIES: KeyTable = KeyTable {
    kind: "asterisk.conf [directories]",
    read: &[
        "astdatadir",
        "astdbdir",
        "astlogdir",
        "astrundir",
        "astspooldir",
        "astvarlibdir",
        "recordingdirs",
    ],
    later: &[Later {
        // Places that Asterisk needs for itself.
        instead: "it is not used",
        severity: Warn,
        keys: &[
            ("astagidir", Always),
            ("astcachedir", Always),
            ("astetcdir", Always),
            ("astkeydir", Always),
            ("astmoddir", Always),
            ("astsbindir", Always),
        ],
    }],
};

pub(super) const OPTIONS: KeyTable = KeyTable {
    kind: "asterisk.conf [options]",
    read: &["defaultlanguage"],
    later: &[
        Later {
            instead: "calls are limited by the media ports and by built-in limits",
            severity: Warn,
            keys: &[("maxcalls", Zero), ("maxload", Zero), ("minmemfree", Zero)],
        },
        Later {
            instead: "programs are never run while files are read",
            severity: Warn,
            keys: &[("execincludes", Off)],
        },
        Later {
            instead: "the process keeps the user it was started as",
            severity: Warn,
            keys: &[("rungroup", Never), ("runuser", Never)],
        },
        Later {
            instead: "prompts of a language are in a directory of its name",
            severity: Warn,
            keys: &[("languageprefix", Always), ("sounds_search_custom_dir", Off)],
        },
        Later {
            instead: "names of calls have no prefix",
            severity: Warn,
            keys: &[("autosystemname", Off), ("entityid", Always), ("systemname", Never)],
        },
        Later {
            // How Asterisk itself runs, logs and talks to its console; we have the command line.
            instead: "it has no effect",
            severity: Warn,
            keys: &[
                ("alwaysfork", Always),
                ("cache_media_frames", Always),
                ("cache_record_files", Always),
                ("channel_storage_backend", Always),
                ("console", Always),
                ("debug", Always),
                ("disable_remote_console_shell", Always),
                ("documentation_language", Always),
                ("dontwarn", Always),
                ("dumpcore", Always),
                ("forceblackbackground", Always),
                ("hideconnect", Always),
                ("highpriority", Always),
                ("initcrypto", Always),
                ("internal_timing", Always),
                ("lightbackground", Always),
                ("live_dangerously", Off),
                ("lockconfdir", Always),
                ("lockmode", Always),
                ("maxfiles", Always),
                ("mindtmfduration", Always),
                ("nocolor", Always),
                ("nofork", Always),
                ("phreaknic", Always),
                ("quiet", Always),
                ("record_cache_dir", Always),
                ("rtp_pt_dynamic", Always),
                ("rtp_use_dynamic", Always),
                ("stdexten", Words(&["gosub"])),
                ("timestamp", Always),
                ("transcode_via_sln", Always),
                ("transmit_silence", Off),
                ("transmit_silence_during_record", Off),
                ("verbose", Always),
            ],
        },
    ],
};

pub(super) const COMPAT: KeyTable = KeyTable {
    kind: "asterisk.conf [compat]",
    read: &[],
    later: &[Later {
        instead: "arguments are read as since Asterisk 1.6",
        severity: Warn,
        keys: &[
            ("app_set", Words(&["1.6", "1.8", "10"])),
            ("pbx_realtime", Words(&["1.6", "1.8", "10"])),
            ("res_agi", Words(&["1.6", "1.8", "10"])),
        ],
    }],
};

pub(super) const FEATURES: KeyTable = KeyTable {
    kind: "features.conf [general]",
    read: &[
        "atxferabort",
        "atxfercomplete",
        "atxfernoanswertimeout",
        "atxferswap",
        "courtesytone",
        "featuredigittimeout",
        "pickupexten",
        "recordingfailsound",
        "transferannouncesound",
        "transferdialattempts",
        "transferdigittimeout",
        "transferinvalidsound",
        "transferretrysound",
        "xferfailsound",
    ],
    later: &[
        Later {
            instead: "who hangs up while it rings sends the other one there unannounced",
            severity: Warn,
            keys: &[
                ("atxfercallbackretries", Always),
                ("atxferdropcall", Always),
                ("atxferloopdelay", Always),
            ],
        },
        Later {
            instead: "it has no effect",
            severity: Warn,
            keys: &[
                ("atxferthreeway", Always),
                ("pickupfailsound", Always),
                ("pickupsound", Always),
                ("xfersound", Always),
            ],
        },
    ],
};

pub(super) const FEATURE_MAP: KeyTable = KeyTable {
    kind: "features.conf [featuremap]",
    read: &["atxfer", "automixmon", "automon", "blindxfer", "disconnect", "parkcall"],
    later: &[],
};

pub(super) const MUSIC_GENERAL: KeyTable = KeyTable {
    kind: "musiconhold.conf [general]",
    read: &[],
    later: &[Later {
        instead: "it has no effect",
        severity: Warn,
        keys: &[("cachertclasses", Off), ("preferchannelclass", On)],
    }],
};

pub(super) const MUSIC: KeyTable = KeyTable {
    kind: "music class",
    read: &[
        "mode",
        "directory",
        "announcement",
        "application",
        "digit",
        "entry",
        "format",
        "kill_escalation_delay",
        "kill_method",
        "random",
        "sort",
    ],
    later: &[Later {
        instead: "it has no effect",
        severity: Warn,
        keys: &[("answeredonly", Off), ("loop_last", Off)],
    }],
};

pub(super) const PROGRAMS: KeyTable =
    KeyTable { kind: "programs.conf [general]", read: &["permit"], later: &[] };

/// Whom a program is believed from is always verified.
pub(super) const WEBSOCKET_CLIENT: KeyTable = KeyTable {
    kind: "websocket_client.conf",
    read: &[
        "type",
        "connection_type",
        "uri",
        "protocols",
        "username",
        "password",
        "connection_timeout",
        "reconnect_interval",
        "reconnect_attempts",
        "tls_enabled",
        "ca_list_file",
        "cert_file",
        "priv_key_file",
    ],
    later: &[
        Later {
            instead: "the server's certificate and name are always verified",
            severity: Warn,
            keys: &[("verify_server_cert", On), ("verify_server_hostname", On)],
        },
        Later {
            instead: "the connection is made without it",
            severity: Warn,
            keys: &[
                ("ca_list_path", Never),
                ("proxy_host", Never),
                ("proxy_username", Always),
                ("proxy_password", Always),
            ],
        },
    ],
};

pub(super) const CHAN_WEBSOCKET: KeyTable =
    KeyTable { kind: "chan_websocket.conf", read: &["control_message_format"], later: &[] };

/// Sections of `acl.conf`.
pub(super) const ACL: KeyTable =
    KeyTable { kind: "acl.conf", read: &["deny", "permit"], later: &[] };

pub(super) const CDR: KeyTable = KeyTable {
    kind: "cdr.conf [general]",
    read: &["enable", "unanswered", "congestion", "endbeforehexten", "initiatedseconds"],
    later: &[Later {
        instead: "a record ends with its call and is written at once",
        severity: Warn,
        keys: &[
            ("batch", Off),
            ("safeshutdown", On),
            ("scheduleronly", Off),
            ("size", Always),
            ("time", Always),
            ("channeldefaultenabled", On),
            ("ignorestatechanges", Off),
            ("ignoredialchanges", Off),
        ],
    }],
};

/// A section of ours.
pub(super) const CDR_STORE: KeyTable =
    KeyTable { kind: "cdr.conf [store]", read: &["records", "days"], later: &[] };

pub(super) const CDR_CSV: KeyTable = KeyTable {
    kind: "cdr.conf [csv]",
    read: &["usegmtime", "loguniqueid", "loguserfield", "newcdrcolumns", "accountlogs"],
    later: &[],
};

pub(super) const MACHINE: KeyTable = KeyTable {
    kind: "amd.conf [general]",
    read: &[
        "initial_silence",
        "greeting",
        "after_greeting_silence",
        "total_analysis_time",
        "min_word_length",
        "maximum_word_length",
        "between_words_silence",
        "maximum_number_of_words",
        "silence_threshold",
        "playback_file",
    ],
    later: &[Later {
        instead: "silence is measured every 20 ms, whether packets come or not",
        severity: Warn,
        keys: &[("maximum_wait_time_for_frame", Always)],
    }],
};

pub(super) const NUMBERING: KeyTable = KeyTable {
    kind: "numbering.conf [general]",
    read: &[
        "international_prefix",
        "country_prefix",
        "external_prefix",
        "add",
        "remove",
        "internal_length",
        "reverse_length",
    ],
    later: &[],
};

pub(super) const NUMBERING_RULES: KeyTable =
    KeyTable { kind: "a table of numbering.conf", read: &["rule"], later: &[] };

pub(super) const SCHEDULE: KeyTable = KeyTable {
    kind: "a schedule",
    read: &[
        "type",
        "timezone",
        "open",
        "closures",
        "calendar",
        "closed_sound",
        "closed_action",
        "incoming",
        "code_open",
        "code_closed",
        "code_back",
        "code_context",
        "code_until",
        "sound_open",
        "sound_closed",
        "sound_back",
    ],
    later: &[],
};

pub(super) const CLOSURE: KeyTable = KeyTable {
    kind: "a closure",
    read: &["type", "period", "date", "calendar", "sound", "action"],
    later: &[],
};

pub(super) const RULES: KeyTable = KeyTable {
    kind: "rules.conf [general]",
    read: &[
        "CIRCULARLEVEL",
        "TRANSFERVERIFICATION",
        "EMERGENCYNUMBER",
        "EMERGENCYNUMBERCALLTIMES",
        "WAITTIMENOREPLY",
        "WAITTIMENOREPLYPBX",
        "internal_length",
        "numbering",
        "blind_forward",
        "dial",
    ],
    later: &[],
};

pub(super) const RULES_USER: KeyTable = KeyTable {
    kind: "a user of rules.conf",
    read: &[
        "type",
        "number",
        "device",
        "watch",
        "group",
        "domain",
        "schedule",
        "calendar",
        "AuthorizedForward",
        "AuthorizeSimpleRules",
        "DisplaySimpleRules",
        "IsUserAuthorizedToCreateWithAdminRules",
        "AuthorizeShareRulesGroup",
        "AuthorizeSupervisionInformation",
        "AuthorizeInterception",
    ],
    later: &[],
};

pub(super) const RULES_GROUP: KeyTable = KeyTable {
    kind: "a group or domain of rules.conf",
    read: &[
        "type",
        "AuthorizedForward",
        "AuthorizeSimpleRules",
        "DisplaySimpleRules",
        "IsUserAuthorizedToCreateWithAdminRules",
        "AuthorizeShareRulesGroup",
        "AuthorizeSupervisionInformation",
        "AuthorizeInterception",
    ],
    later: &[],
};

pub(super) const RULES_RULE: KeyTable = KeyTable {
    kind: "a rule of rules.conf",
    read: &[
        "type",
        "user",
        "group",
        "priority",
        "active",
        "editable",
        "origin",
        "presence",
        "forward",
        "schedule",
        "caller",
        "announcement",
        "target",
    ],
    later: &[],
};

pub(super) const VIDEOSHARE: KeyTable = KeyTable {
    kind: "a room of videoshare.conf",
    read: &[
        "accept_key",
        "announce_count",
        "bridge_profile",
        "call",
        "caller_number",
        "dial",
        "end_with_master",
        "fallback",
        "grace",
        "guest_role",
        "guests",
        "invitation_times",
        "invitation_wait",
        "master",
        "max_duration",
        "max_people",
        "media_endpoint",
        "media_server",
        "music_class",
        "number",
        "participant",
        "pin",
        "pin_required",
        "pool",
        "record",
        "refuse_key",
        "report",
        "retries",
        "retry_delay",
        "retry_on",
        "ring_time",
        "sound_begin",
        "sound_calling",
        "sound_ended",
        "sound_full",
        "sound_get_number",
        "sound_get_pin",
        "sound_invitation",
        "sound_joined",
        "sound_kicked",
        "sound_left",
        "sound_locked",
        "sound_master_left",
        "sound_no_master",
        "sound_no_server",
        "sound_not_invited",
        "sound_refused",
        "sound_wait_for_master",
        "sound_wrong_pin",
        "wait_for_master",
    ],
    later: &[],
};

pub(super) const ROBOTS: KeyTable = KeyTable {
    kind: "robots.conf",
    read: &[
        "application",
        "attribution",
        "context",
        "count",
        "diverter",
        "domain",
        "endpoint",
        "expiration",
        "first",
        "line",
        "lines",
        "map",
        "numbering",
        "outbound_proxy",
        "password",
        "realm",
        "registrar",
        "retry_interval",
        "transport",
        "username",
        "when_busy",
    ],
    later: &[],
};

pub(super) const PARKING_GENERAL: KeyTable = KeyTable {
    kind: "res_parking.conf [general]",
    read: &[],
    later: &[Later {
        instead: "lots are those of the file",
        severity: Warn,
        keys: &[("parkeddynamic", Off)],
    }],
};

pub(super) const PARKING: KeyTable = KeyTable {
    kind: "parking lot",
    read: &[
        "comebackcontext",
        "comebackdialtime",
        "comebacktoorigin",
        "context",
        "findslot",
        "parkedmusicclass",
        "parkext",
        "parkingtime",
        "parkpos",
    ],
    later: &[
        Later {
            instead: "who took a parked call may not do that by keys",
            severity: Warn,
            keys: &[
                ("parkedcallhangup", Words(&["no"])),
                ("parkedcallrecording", Words(&["no"])),
                ("parkedcallreparking", Words(&["no"])),
                ("parkedcalltransfers", Words(&["no"])),
            ],
        },
        Later {
            instead: "it has no effect",
            severity: Warn,
            keys: &[
                ("courtesytone", Never),
                ("parkedplay", Always),
                ("parkext_exclusive", Off),
                ("parkinghints", Off),
            ],
        },
    ],
};
