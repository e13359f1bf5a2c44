//! The dialplan's functions: one table lists them all, a file per family does the work.

mod aes;
mod channel;
mod database;
mod encoding;
mod identity;
mod json;
mod lock;
mod logic;
mod machine;
mod math;
mod message;
mod numbering;
mod places;
mod presence;
mod record;
mod robot;
mod rules;
mod schedule;
mod settings;
mod sip;
mod strings;
mod system;
mod time;
mod uri;
mod variables;

use crate::host::FunctionError;
use crate::scope::Scope;

pub use identity::presentation_named;
pub(crate) use places::hint_of as hint;
pub(crate) use rules::with_conditions;
pub(crate) use sip::{add_header_line, remove_headers};
pub(crate) use variables::clear_hash;

type Reading = Result<(), FunctionError>;
type Writing = Result<(), FunctionError>;
type Read = fn(&mut Scope<'_>, &[u8], &mut Vec<u8>) -> Reading;
type Write = fn(&mut Scope<'_>, &[u8], &[u8]) -> Writing;

/// A function of the dialplan. Names are case-sensitive.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    name: &'static str,
    arguments: &'static str,
    summary: &'static str,
    read: Option<Read>,
    write: Option<Write>,
    availability: Availability,
}

/// Where a function's work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// In this crate.
    Here,
    /// In this crate, under a name that Asterisk no longer has.
    Legacy,
    /// In the host; without one that knows it, it is refused by name.
    Host,
    /// Known, and refused.
    Refused,
}

impl Function {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its arguments, as a manual shows them.
    #[must_use]
    pub fn arguments(&self) -> &'static str {
        self.arguments
    }

    /// What it is for, in one line.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// Whether `${NAME()}` works.
    #[must_use]
    pub fn can_read(&self) -> bool {
        self.read.is_some() || self.availability == Availability::Host
    }

    /// Whether `Set(NAME()=...)` works.
    #[must_use]
    pub fn can_write(&self) -> bool {
        self.write.is_some() || self.availability == Availability::Host
    }

    /// Where its work is done.
    #[must_use]
    pub fn availability(&self) -> Availability {
        self.availability
    }

    pub(crate) fn read(
        &self,
        scope: &mut Scope<'_>,
        arguments: &[u8],
        out: &mut Vec<u8>,
    ) -> Reading {
        match self.read {
            Some(read) => read(scope, arguments, out),
            None if self.availability == Availability::Host => {
                let name = self.name.as_bytes();
                scope.host.read_function(&scope.state.channel, name, arguments, out).map_err(absent)
            }
            None => Err(FunctionError::WriteOnly),
        }
    }

    pub(crate) fn write(&self, scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
        match self.write {
            Some(write) => write(scope, arguments, value),
            None if self.availability == Availability::Host => {
                let name = self.name.as_bytes();
                let channel = &mut scope.state.channel;
                scope.host.write_function(channel, name, arguments, value).map_err(absent)
            }
            None => Err(FunctionError::ReadOnly),
        }
    }
}

/// The function of a name.
#[must_use]
pub fn find(name: &[u8]) -> Option<&'static Function> {
    FUNCTIONS
        .binary_search_by(|function| function.name.as_bytes().cmp(name))
        .ok()
        .map(|at| &FUNCTIONS[at])
}

/// All functions, ordered by name.
#[must_use]
pub fn all() -> &'static [Function] {
    FUNCTIONS
}

/// A function that the table knows exists: this engine does not have it.
fn absent(error: FunctionError) -> FunctionError {
    match error {
        FunctionError::Unknown => FunctionError::Unavailable("this engine does not have it"),
        other => other,
    }
}

fn wrong<T>(usage: &str) -> Result<T, FunctionError> {
    Err(FunctionError::Arguments(usage.to_owned()))
}

macro_rules! functions {
    ($( $name:literal $arguments:literal $where:ident [$read:expr, $write:expr] $summary:literal; )*) => {
        &[$( Function {
            name: $name,
            arguments: $arguments,
            summary: $summary,
            read: $read,
            write: $write,
            availability: Availability::$where,
        } ),*]
    };
}

/// Ordered by name.
static FUNCTIONS: &[Function] = functions! {
    "ABS" "number" Here [Some(math::absolute), None] "absolute value";
    "AES_DECRYPT" "key,base64" Here [Some(encoding::aes_decrypt), None] "decrypt with AES-128";
    "AES_ENCRYPT" "key,text" Here [Some(encoding::aes_encrypt), None] "encrypt with AES-128";
    "AGC" "rx|tx" Here [Some(|s, a, o| settings::kept(s, "AGC", a, o)), Some(|s, a, v| settings::set_directed(s, "AGC", a, v))] "automatic gain";
    "AGENT" "" Host [None, None] "agent status fields";
    "AMI_CLIENT" "" Host [None, None] "sessions of an AMI user";
    "ARRAY" "name,..." Here [None, Some(variables::set_array)] "set several variables from a list";
    "AST_CONFIG" "" Host [None, None] "read a value from a config file";
    "AST_SORCERY" "" Host [None, None] "read a sorcery object field";
    "AUDIOHOOK_INHERIT" "source" Legacy [None, Some(system::without_effect)] "recordings stay with a call anyway: no effect";
    "BASE64_DECODE" "text" Here [Some(encoding::base64_decode), None] "decode base64";
    "BASE64_ENCODE" "text" Here [Some(encoding::base64_encode), None] "encode in base64";
    "BASENAME" "path" Here [Some(strings::base_name), None] "last element of a path";
    "BLACKLIST" "" Here [Some(database::blacklist), None] "whether the caller is in the blacklist of the database";
    "CALENDAR_BUSY" "" Host [None, None] "busy flag";
    "CALENDAR_EVENT" "" Host [None, None] "event field";
    "CALENDAR_QUERY" "" Host [None, None] "event query";
    "CALENDAR_QUERY_RESULT" "" Host [None, None] "event query result";
    "CALENDAR_WRITE" "" Host [None, None] "create an event";
    "CALLCOMPLETION" "" Host [None, None] "CC parameters";
    "CALLERID" "item[,text]" Here [Some(identity::caller_id), Some(identity::set_caller_id)] "the caller's name, number and presentation";
    "CALLERPRES" "" Legacy [Some(identity::presentation_of_old), Some(identity::set_presentation_of_old)] "the caller's presentation";
    "CDR" "field[,options]" Here [Some(record::read), Some(record::write)] "the call's record";
    "CDR_PROP" "disable|party_a" Here [None, Some(record::set_property)] "properties of the call's record";
    "CHANNEL" "item" Here [Some(channel::channel), Some(channel::set_channel)] "the channel's facts and settings";
    "CHANNELS" "[regex]" Here [Some(channel::channels), None] "names of all channels";
    "CHANNEL_EXISTS" "name" Here [Some(channel::channel_exists), None] "whether a channel exists";
    "CHECKSIPDOMAIN" "domain" Legacy [Some(sip::is_own_domain), None] "whether a domain is ours";
    "CONFBRIDGE" "bridge|user|menu,option" Here [Some(|s, a, o| settings::kept(s, "CONFBRIDGE", a, o)), Some(settings::set_conference)] "options of the next conference";
    "CONFBRIDGE_CHANNELS" "type,conference" Here [Some(settings::conference_channels), None] "who is in a conference";
    "CONFBRIDGE_INFO" "item,conference" Here [Some(settings::conference_info), None] "facts about a conference";
    "CONNECTEDLINE" "item[,i]" Here [Some(identity::connected_line), Some(identity::set_connected_line)] "the other party's name and number";
    "CSV_QUOTE" "text" Here [Some(strings::csv_quote), None] "quote for a CSV file";
    "CURL" "url[,data]" Refused [Some(system::no_network), None] "fetch a URL: not available";
    "CURLOPT" "" Host [None, None] "CURL options";
    "CUT" "name,delimiter,fields" Here [Some(strings::cut), None] "fields of a variable";
    "DAHDI_CHANNEL" "" Host [None, None] "DAHDI channel fields";
    "DB" "family/key" Here [Some(database::read), Some(database::write)] "an entry of the database";
    "DB_DELETE" "family/key" Here [Some(database::take), Some(database::delete)] "read and delete an entry of the database";
    "DB_EXISTS" "family/key" Here [Some(database::exists), None] "whether the database has an entry";
    "DB_KEYCOUNT" "prefix" Here [Some(database::key_count), None] "how many entries are below a prefix";
    "DB_KEYS" "prefix" Here [Some(database::keys), None] "which entries are below a prefix";
    "DEC" "name" Here [Some(math::decrement), None] "count a variable down";
    "DELETE" "name" Here [None, Some(variables::delete)] "delete a variable";
    "DENOISE" "rx|tx" Here [Some(|s, a, o| settings::kept(s, "DENOISE", a, o)), Some(|s, a, v| settings::set_directed(s, "DENOISE", a, v))] "noise reduction";
    "DEVICE_STATE" "device" Here [Some(places::device_state), Some(places::set_device_state)] "the state of a device";
    "DIALGROUP" "name[,action]" Here [Some(system::dial_group), Some(system::set_dial_group)] "a named list of interfaces";
    "DIALPLAN_EXISTS" "context[,extension[,priority]]" Here [Some(places::dialplan_exists), None] "whether the dialplan has a place";
    "DIGIT_SUM" "digits" Here [Some(math::digit_sum), None] "sum of digits";
    "DIRNAME" "path" Here [Some(strings::directory_name), None] "directory of a path";
    "DUNDILOOKUP" "" Host [None, None] "DUNDi lookup";
    "DUNDIQUERY" "" Host [None, None] "DUNDi query handle";
    "DUNDIRESULT" "" Host [None, None] "DUNDi result";
    "ENUMLOOKUP" "" Host [None, None] "ENUM (NAPTR) lookup";
    "ENUMQUERY" "" Host [None, None] "ENUM query handle";
    "ENUMRESULT" "" Host [None, None] "ENUM result by handle";
    "ENV" "name" Here [Some(system::environment), Some(system::set_environment)] "an environment variable";
    "EVAL" "text" Here [Some(strings::eval), None] "evaluate a second time";
    "EVAL_EXTEN" "[[context,]extension,]priority" Here [Some(places::eval_extension), None] "another step's arguments";
    "EVAL_SUB" "" Host [None, None] "run a subroutine and return its value";
    "EXCEPTION" "item" Here [Some(channel::exception), None] "why extension e runs";
    "EXISTS" "text" Here [Some(logic::exists), None] "1 unless empty";
    "EXPORT" "channel,name" Here [None, Some(variables::export)] "a variable of another channel";
    "EXTENSION_STATE" "extension[@context]" Here [Some(places::extension_state), None] "the state of a hint";
    "FAXOPT" "" Host [None, None] "fax session options and results";
    "FEATURE" "item" Here [Some(|s, a, o| settings::kept(s, "FEATURE", a, o)), Some(settings::set_feature)] "settings of features in a call";
    "FEATUREMAP" "feature" Here [Some(|s, a, o| settings::kept(s, "FEATUREMAP", a, o)), Some(settings::set_feature_map)] "keys of features in a call";
    "FIELDNUM" "name,delimiter,value" Here [Some(strings::field_number), None] "place of a field in a list";
    "FIELDQTY" "name,delimiter" Here [Some(strings::field_quantity), None] "how many fields";
    "FILE" "path[,offset[,length[,options[,line ends]]]]" Here [Some(machine::file), Some(machine::set_file)] "a part of a file, if the operator allows it";
    "FILE_COUNT_LINE" "path[,line ends]" Here [Some(machine::count_lines), None] "lines of a file, if the operator allows it";
    "FILE_FORMAT" "path" Here [Some(machine::file_format), None] "line ends of a file, if the operator allows it";
    "FILTER" "allowed,text" Here [Some(strings::filter), None] "only the allowed bytes";
    "FRAME_DROP" "direction" Here [None, Some(|s, a, v| settings::keep(s, "FRAME_DROP", a, v))] "drop kinds of frames";
    "FRAME_TRACE" "" Host [None, None] "debug frames";
    "GEOLOC_PROFILE" "" Host [None, None] "geolocation data";
    "GLOBAL" "name" Here [Some(variables::global), Some(variables::set_global)] "a global variable";
    "GLOBAL_DELETE" "name" Here [None, Some(variables::delete_global)] "delete a global variable";
    "GLOBAL_EXISTS" "name" Here [Some(variables::has_global), None] "whether a global variable exists";
    "GROUP" "[category]" Here [Some(channel::group), Some(channel::set_group)] "the channel's group";
    "GROUP_COUNT" "[group][@category]" Here [Some(channel::group_count), None] "how many channels are in a group";
    "GROUP_LIST" "" Here [Some(channel::group_list), None] "the channel's groups";
    "GROUP_MATCH_COUNT" "regex[@category]" Here [Some(channel::group_match_count), None] "how many channels are in matching groups";
    "HANGUPCAUSE" "channel,type" Here [Some(channel::hangup_cause), None] "causes of called channels";
    "HANGUPCAUSE_KEYS" "" Here [Some(channel::hangup_cause_keys), None] "called channels with causes";
    "HASH" "name[,key]" Here [Some(variables::hash), Some(variables::set_hash)] "values by key";
    "HASHKEYS" "name" Here [Some(variables::hash_keys), None] "keys of a hash";
    "HINT" "extension[@context][,n]" Here [Some(places::hint), None] "devices of a hint";
    "HOLD_INTERCEPT" "action" Here [None, Some(|s, a, v| settings::keep(s, "HOLD_INTERCEPT", a, v))] "hold as an event";
    "IAXPEER" "" Host [None, None] "IAX2 peer data";
    "IAXVAR" "" Host [None, None] "IAX2 remote variables";
    "ICONV" "from,to,text" Here [Some(encoding::iconv), None] "change the character set";
    "IF" "condition?yes:no" Here [Some(logic::choose), None] "one of two texts";
    "IFMODULE" "name" Here [Some(logic::has_module), None] "whether a module is loaded: never";
    "IFTIME" "times?yes:no" Here [Some(logic::choose_by_time), None] "one of two texts by the time";
    "IMPORT" "channel,name" Here [Some(variables::import), None] "a variable of another channel";
    "INC" "name" Here [Some(math::increment), None] "count a variable up";
    "ISNULL" "text" Here [Some(logic::is_null), None] "1 if empty";
    "JABBER_RECEIVE" "" Host [None, None] "read XMPP message";
    "JABBER_STATUS" "" Host [None, None] "XMPP status";
    "JITTERBUFFER" "fixed|adaptive|disabled" Here [None, Some(settings::set_jitter_buffer)] "the jitter buffer of the channel";
    "JSON_DECODE" "name,item[,separator[,options]]" Here [Some(json::decode), None] "an item of a JSON text";
    "KEYPADHASH" "text" Here [Some(strings::keypad_hash), None] "letters as telephone keys";
    "LANGUAGE" "" Legacy [Some(channel::old_language), Some(channel::set_old_language)] "the channel's language";
    "LEN" "text" Here [Some(strings::len), None] "length in bytes";
    "LISTFILTER" "name,delimiter,value" Here [Some(strings::list_filter), None] "a list without a value";
    "LOCAL" "name" Here [Some(variables::local), Some(variables::set_local)] "a variable of the subroutine";
    "LOCAL_PEEK" "n,name" Here [Some(variables::local_peek), None] "a hidden value";
    "LOCK" "name" Here [Some(lock::lock), None] "take a lock that channels share, waiting for it";
    "LOG_GROUP" "" Host [None, None] "logging group of the channel";
    "LTRIM" "text" Here [Some(strings::left_trim), None] "without blanks in front";
    "MAILBOX_EXISTS" "" Host [None, None] "old VM_INFO(mbox,exists)";
    "MASTER_CHANNEL" "name" Here [Some(variables::master_channel), Some(variables::set_master_channel)] "a variable of the first channel";
    "MATH" "a op b[,type]" Here [Some(math::math), None] "one operation on two numbers";
    "MAX" "a,b" Here [Some(math::maximum), None] "the larger number";
    "MD5" "text" Here [Some(encoding::md5), None] "MD5 digest";
    "MEETME_INFO" "" Host [None, None] "meetMe counts";
    "MESSAGE" "to|from|body" Here [Some(message::read), Some(message::write)] "the text message that the dialplan runs for or is to send";
    "MESSAGE_DATA" "name" Here [Some(message::read_datum), Some(message::write_datum)] "a header of the text message";
    "MIN" "a,b" Here [Some(math::minimum), None] "the smaller number";
    "MINIVMACCOUNT" "" Host [None, None] "minivm account field";
    "MINIVMCOUNTER" "" Host [None, None] "minivm counter";
    "MIXMONITOR" "" Host [None, None] "mixMonitor filename by id";
    "MUSICCLASS" "" Legacy [Some(channel::old_music_class), Some(channel::set_old_music_class)] "the channel's music class";
    "MUTEAUDIO" "in|out|all" Here [None, Some(|s, a, v| settings::set_directed(s, "MUTEAUDIO", a, v))] "silence of a direction";
    "NUMBERING" "out|in|reverse,number" Here [Some(numbering::numbering), None] "a number as the numbering plan wants it";
    "ODBC" "" Host [None, None] "transaction properties";
    "ODBC_FETCH" "" Host [None, None] "next row of a multi-row query";
    "PARK_GET_CHANNEL" "" Host [None, None] "channel parked in a slot";
    "PASSTHRU" "text" Here [Some(strings::passthru), None] "the text itself";
    "PERIODIC_HOOK" "" Host [None, None] "run a dialplan hook periodically";
    "PITCH_SHIFT" "direction" Here [None, Some(|s, a, v| settings::keep(s, "PITCH_SHIFT", a, v))] "change the pitch";
    "PJSIP_AOR" "name,field" Here [Some(sip::aor), None] "a field of an address of record";
    "PJSIP_CONTACT" "name,field" Here [Some(sip::contact), None] "a field of a contact";
    "PJSIP_DIAL_CONTACTS" "endpoint[,aor[,user]]" Here [Some(sip::dial_contacts), None] "all contacts of an endpoint, for Dial";
    "PJSIP_DTMF_MODE" "" Here [Some(|s, a, o| settings::kept(s, "PJSIP_DTMF_MODE", a, o)), Some(|s, a, v| settings::keep(s, "PJSIP_DTMF_MODE", a, v))] "how keys are sent";
    "PJSIP_ENDPOINT" "name,field" Here [Some(sip::endpoint), None] "a setting of an endpoint";
    "PJSIP_HEADER" "read|add|update|remove,name[,number]" Here [Some(sip::header), Some(sip::set_header)] "headers of the request that came and of the next one";
    "PJSIP_HEADERS" "[prefix]" Here [Some(sip::headers), None] "names of the headers of the request";
    "PJSIP_HEADER_PARAM" "header,header|uri,parameter" Here [Some(sip::header_parameter), None] "a parameter of a header of the request";
    "PJSIP_INHERITABLE_HEADER" "" Host [None, None] "header carried to the outgoing leg";
    "PJSIP_MEDIA_OFFER" "audio|video" Here [Some(|s, a, o| settings::kept(s, "PJSIP_MEDIA_OFFER", a, o)), Some(|s, a, v| settings::keep(s, "PJSIP_MEDIA_OFFER", a, v))] "codecs to offer";
    "PJSIP_MOH_PASSTHROUGH" "" Here [Some(|s, a, o| settings::kept(s, "PJSIP_MOH_PASSTHROUGH", a, o)), Some(|s, a, v| settings::keep(s, "PJSIP_MOH_PASSTHROUGH", a, v))] "whether holding is passed on";
    "PJSIP_PARSE_URI" "uri,part" Here [Some(sip::parse_uri), None] "a part of a SIP URI";
    "PJSIP_PARSE_URI_FROM" "name,part" Here [Some(sip::parse_uri_from), None] "a part of the SIP URI in a variable";
    "PJSIP_RESPONSE_HEADER" "read,name[,number]" Here [Some(sip::response_header), None] "headers of the answer";
    "PJSIP_RESPONSE_HEADERS" "[prefix]" Here [Some(sip::response_headers), None] "names of the headers of the answer";
    "PJSIP_SEND_SESSION_REFRESH" "[type]" Here [None, Some(|s, a, v| settings::keep(s, "PJSIP_SEND_SESSION_REFRESH", a, v))] "refresh the session";
    "PJSIP_TRANSFER_HANDLING" "" Here [Some(|s, a, o| settings::kept(s, "PJSIP_TRANSFER_HANDLING", a, o)), Some(|s, a, v| settings::keep(s, "PJSIP_TRANSFER_HANDLING", a, v))] "what becomes of transfers";
    "POLARITY" "" Host [None, None] "FXS polarity";
    "POP" "name[,delimiter]" Here [Some(strings::pop), None] "take the last field";
    "PP_EACH_EXTENSION" "" Host [None, None] "phone provisioning template loop";
    "PP_EACH_USER" "" Host [None, None] "phone provisioning template loop";
    "PRESENCE_STATE" "provider,value|subtype|message[,e]" Here [Some(presence::read), Some(presence::write)] "the presence of a person";
    "PUSH" "name[,delimiter]" Here [None, Some(strings::push)] "append a field";
    "QUEUE_EXISTS" "" Host [None, None] "1 when the queue exists";
    "QUEUE_GET_CHANNEL" "" Host [None, None] "channel at a position";
    "QUEUE_MEMBER" "" Host [None, None] "member counts and properties";
    "QUEUE_MEMBER_COUNT" "" Host [None, None] "old count";
    "QUEUE_MEMBER_LIST" "" Host [None, None] "member interfaces";
    "QUEUE_MEMBER_PENALTY" "" Host [None, None] "read/write penalty";
    "QUEUE_VARIABLES" "" Host [None, None] "set QUEUE* channel variables";
    "QUEUE_WAITING_COUNT" "" Host [None, None] "callers waiting";
    "QUOTE" "text" Here [Some(strings::quote), None] "quote and escape";
    "RAND" "[min][,max]" Here [Some(math::random), None] "a random number";
    "REALTIME" "" Host [None, None] "read a realtime row";
    "REALTIME_DESTROY" "" Host [None, None] "delete a realtime row";
    "REALTIME_FIELD" "" Host [None, None] "read/write one realtime field";
    "REALTIME_HASH" "" Host [None, None] "read a realtime row to a HASH";
    "REALTIME_STORE" "" Host [None, None] "insert a realtime row";
    "RECORDING_INFO" "" Host [None, None] "duration of a recording file";
    "REDIRECTING" "item[,i]" Here [Some(identity::redirecting), Some(identity::set_redirecting)] "who diverted the call";
    "REGEX" "\"regex\" text" Here [Some(strings::regex), None] "whether a text matches";
    "REPLACE" "name,bytes[,byte]" Here [Some(strings::replace), None] "exchange bytes";
    "ROBOT" "user|told|name|by|reason|first|private|number|dialled|pool|range, or robots|lines|busy|free|load,pool" Here [Some(robot::robot), Some(robot::set_robot)] "for whom a robot's call is, and how a pool stands";
    "RTRIM" "text" Here [Some(strings::right_trim), None] "without blanks behind";
    "RULES" "user,item[,more]" Here [Some(rules::rules), Some(rules::set_rules)] "forwarding rules of a user: presence, list, first, forward, a rule's fields; set: presence, a rule's fields";
    "SAYFILES" "value,type" Here [Some(system::say_files), None] "prompts that say a value";
    "SCHEDULE" "name[,status|reason|event|override|until|next]" Here [Some(schedule::schedule), Some(schedule::set_schedule)] "whether a schedule is open, and why; set: open, closed, either until a time, or back";
    "SCRAMBLE" "direction" Here [None, Some(|s, a, v| settings::keep(s, "SCRAMBLE", a, v))] "invert the voice";
    "SET" "name=value" Here [Some(logic::set), None] "assign and return";
    "SHA1" "text" Here [Some(encoding::sha1), None] "SHA-1 digest";
    "SHARED" "name[,channel]" Here [Some(variables::shared), Some(variables::set_shared)] "variables that channels share";
    "SHELL" "command" Here [Some(machine::shell), None] "what a command prints, if the operator allows it";
    "SHIFT" "name[,delimiter]" Here [Some(strings::shift), None] "take the first field";
    "SIPCHANINFO" "item" Legacy [Some(sip::old_channel_info), None] "facts about the SIP call";
    "SIPPEER" "name[,item]" Legacy [Some(sip::peer), None] "facts about a peer";
    "SIP_HEADER" "name[,number]" Legacy [Some(sip::old_header), None] "headers of the request";
    "SIP_HEADERS" "[prefix]" Legacy [Some(sip::old_headers), None] "names of the headers of the request";
    "SMDI_MSG" "" Host [None, None] "SMDI message fields";
    "SMDI_MSG_RETRIEVE" "" Host [None, None] "SMDI message lookup";
    "SORT" "key:value,..." Here [Some(strings::sort), None] "keys ordered by values";
    "SPEECH" "" Host [None, None] "recognition status and result count";
    "SPEECH_ENGINE" "" Host [None, None] "engine parameter on write";
    "SPEECH_GRAMMAR" "" Host [None, None] "matched grammar";
    "SPEECH_RESULTS_TYPE" "" Host [None, None] "result type";
    "SPEECH_SCORE" "" Host [None, None] "confidence";
    "SPEECH_TEXT" "" Host [None, None] "recognised text";
    "SPRINTF" "format,..." Here [Some(strings::sprintf), None] "print by a format";
    "SQL_ESC" "text" Here [Some(encoding::sql_escape), None] "single quotes doubled";
    "SQL_ESC_BACKSLASHES" "text" Here [Some(encoding::sql_escape_backslashes), None] "backslashes doubled";
    "SRVQUERY" "" Host [None, None] "SRV query handle";
    "SRVRESULT" "" Host [None, None] "SRV result";
    "STACK_PEEK" "n,which[,suppress]" Here [Some(variables::stack_peek), None] "where a subroutine returns to";
    "STAT" "flag,path" Here [Some(machine::stat), None] "facts about a file, if the operator allows it";
    "STIR_SHAKEN" "" Host [None, None] "STIR/SHAKEN verification results";
    "STIR_SHAKEN_ATTESTATION" "" Host [None, None] "set attestation";
    "STRBETWEEN" "name,text" Here [Some(strings::string_between), None] "a text between bytes";
    "STRFTIME" "[epoch][,[zone][,format]]" Here [Some(time::format), None] "a time as text";
    "STRPTIME" "text,zone,format" Here [Some(time::parse), None] "a text as time";
    "STRREPLACE" "name,find[,replacement[,most]]" Here [Some(strings::string_replace), None] "exchange texts";
    "SYSINFO" "item" Here [Some(machine::system), None] "facts about the system";
    "TALK_DETECT" "action" Here [None, Some(|s, a, v| settings::keep(s, "TALK_DETECT", a, v))] "events when the caller talks";
    "TESTTIME" "" Here [None, Some(time::set_test_time)] "what GotoIfTime takes for now";
    "TIMEOUT" "type" Here [Some(channel::timeout), Some(channel::set_timeout)] "time limits in seconds";
    "TOLOWER" "text" Here [Some(strings::to_lower), None] "small letters";
    "TONE_DETECT" "" Host [None, None] "detect tones";
    "TOUPPER" "text" Here [Some(strings::to_upper), None] "capital letters";
    "TRIM" "text" Here [Some(strings::trim), None] "without blanks around";
    "TRYLOCK" "name" Here [Some(lock::try_lock), None] "take a lock that channels share, if it is free";
    "TXTCIDNAME" "" Host [None, None] "caller name by TXT record";
    "UNLOCK" "name" Here [Some(lock::unlock), None] "give a lock back";
    "UNSHIFT" "name[,delimiter]" Here [None, Some(strings::unshift)] "prepend a field";
    "URIDECODE" "text" Here [Some(encoding::uri_decode), None] "undo percent encoding";
    "URIENCODE" "text" Here [Some(encoding::uri_encode), None] "percent encoding";
    "UUID" "" Here [Some(system::uuid), None] "a random UUID";
    "VALID_EXTEN" "[context],extension[,priority]" Here [Some(places::valid_extension), None] "whether the dialplan has a place";
    "VARIABLE_EXISTS" "name" Here [Some(variables::has_variable), None] "whether a variable exists";
    "VERSION" "[item]" Here [Some(system::version), None] "the engine's version";
    "VMCOUNT" "" Host [None, None] "message count";
    "VM_INFO" "" Host [None, None] "mailbox counts, existence, fields";
    "VOLUME" "TX|RX[,p]" Here [Some(|s, a, o| settings::kept(s, "VOLUME", a, o)), Some(settings::set_volume)] "how much louder the channel is";
};

#[cfg(test)]
mod tests;
