//! The dialplan's functions: one table lists them all, a file per family does the work.

mod aes;
mod channel;
mod database;
mod encoding;
mod identity;
mod json;
mod logic;
mod math;
mod places;
mod strings;
mod system;
mod time;
mod variables;

use crate::host::FunctionError;
use crate::scope::Scope;

pub(crate) use places::hint_of as hint;
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
    /// In the host; without one that knows it, reading it is an error.
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
                scope.host.read_function(&scope.state.channel, self.name.as_bytes(), arguments, out)
            }
            None => Err(FunctionError::WriteOnly),
        }
    }

    pub(crate) fn write(&self, scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
        match self.write {
            Some(write) => write(scope, arguments, value),
            None if self.availability == Availability::Host => scope.host.write_function(
                &mut scope.state.channel,
                self.name.as_bytes(),
                arguments,
                value,
            ),
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
    "ARRAY" "name,..." Here [None, Some(variables::set_array)] "set several variables from a list";
    "BASE64_DECODE" "text" Here [Some(encoding::base64_decode), None] "decode base64";
    "BASE64_ENCODE" "text" Here [Some(encoding::base64_encode), None] "encode in base64";
    "BASENAME" "path" Here [Some(strings::base_name), None] "last element of a path";
    "CALLERID" "item[,text]" Here [Some(identity::caller_id), Some(identity::set_caller_id)] "the caller's name, number and presentation";
    "CDR" "item[,options]" Host [None, None] "the call's record";
    "CDR_PROP" "property" Host [None, None] "properties of the call's record";
    "CHANNEL" "item" Here [Some(channel::channel), Some(channel::set_channel)] "the channel's facts and settings";
    "CHANNELS" "[regex]" Here [Some(channel::channels), None] "names of all channels";
    "CHANNEL_EXISTS" "name" Here [Some(channel::channel_exists), None] "whether a channel exists";
    "CONFBRIDGE" "type,option" Host [None, None] "options of the next conference";
    "CONFBRIDGE_CHANNELS" "type,conference" Host [None, None] "who is in a conference";
    "CONFBRIDGE_INFO" "item,conference" Host [None, None] "facts about a conference";
    "CONNECTEDLINE" "item[,i]" Here [Some(identity::connected_line), Some(identity::set_connected_line)] "the other party's name and number";
    "CSV_QUOTE" "text" Here [Some(strings::csv_quote), None] "quote for a CSV file";
    "CURL" "url[,data]" Refused [Some(system::no_network), None] "fetch a URL: not available";
    "CUT" "name,delimiter,fields" Here [Some(strings::cut), None] "fields of a variable";
    "DB" "family/key" Here [Some(database::read), Some(database::write)] "an entry of the database";
    "DB_DELETE" "family/key" Here [Some(database::take), Some(database::delete)] "read and delete an entry of the database";
    "DB_EXISTS" "family/key" Here [Some(database::exists), None] "whether the database has an entry";
    "DB_KEYCOUNT" "prefix" Here [Some(database::key_count), None] "how many entries are below a prefix";
    "DB_KEYS" "prefix" Here [Some(database::keys), None] "which entries are below a prefix";
    "DEC" "name" Here [Some(math::decrement), None] "count a variable down";
    "DELETE" "name" Here [None, Some(variables::delete)] "delete a variable";
    "DEVICE_STATE" "device" Here [Some(places::device_state), Some(places::set_device_state)] "the state of a device";
    "DIALGROUP" "name[,action]" Here [Some(system::dial_group), Some(system::set_dial_group)] "a named list of interfaces";
    "DIALPLAN_EXISTS" "context[,extension[,priority]]" Here [Some(places::dialplan_exists), None] "whether the dialplan has a place";
    "DIGIT_SUM" "digits" Here [Some(math::digit_sum), None] "sum of digits";
    "DIRNAME" "path" Here [Some(strings::directory_name), None] "directory of a path";
    "ENV" "name" Here [Some(system::environment), Some(system::set_environment)] "an environment variable";
    "EVAL" "text" Here [Some(strings::eval), None] "evaluate a second time";
    "EVAL_EXTEN" "[[context,]extension,]priority" Here [Some(places::eval_extension), None] "another step's arguments";
    "EXCEPTION" "item" Here [Some(channel::exception), None] "why extension e runs";
    "EXISTS" "text" Here [Some(logic::exists), None] "1 unless empty";
    "EXTENSION_STATE" "extension[@context]" Here [Some(places::extension_state), None] "the state of a hint";
    "FIELDNUM" "name,delimiter,value" Here [Some(strings::field_number), None] "place of a field in a list";
    "FIELDQTY" "name,delimiter" Here [Some(strings::field_quantity), None] "how many fields";
    "FILE" "path,..." Refused [Some(system::no_file), Some(system::no_file_write)] "parts of a file: switched off";
    "FILE_COUNT_LINE" "path,..." Refused [Some(system::no_file), None] "lines of a file: switched off";
    "FILE_FORMAT" "path" Refused [Some(system::no_file), None] "line ends of a file: switched off";
    "FILTER" "allowed,text" Here [Some(strings::filter), None] "only the allowed bytes";
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
    "ICONV" "from,to,text" Here [Some(encoding::iconv), None] "change the character set";
    "IF" "condition?yes:no" Here [Some(logic::choose), None] "one of two texts";
    "IFMODULE" "name" Here [Some(logic::has_module), None] "whether a module is loaded: never";
    "IFTIME" "times?yes:no" Here [Some(logic::choose_by_time), None] "one of two texts by the time";
    "IMPORT" "channel,name" Here [Some(variables::import), None] "a variable of another channel";
    "INC" "name" Here [Some(math::increment), None] "count a variable up";
    "ISNULL" "text" Here [Some(logic::is_null), None] "1 if empty";
    "JSON_DECODE" "name,item[,separator[,options]]" Here [Some(json::decode), None] "an item of a JSON text";
    "KEYPADHASH" "text" Here [Some(strings::keypad_hash), None] "letters as telephone keys";
    "LEN" "text" Here [Some(strings::len), None] "length in bytes";
    "LISTFILTER" "name,delimiter,value" Here [Some(strings::list_filter), None] "a list without a value";
    "LOCAL" "name" Here [Some(variables::local), Some(variables::set_local)] "a variable of the subroutine";
    "LOCAL_PEEK" "n,name" Here [Some(variables::local_peek), None] "a hidden value";
    "LTRIM" "text" Here [Some(strings::left_trim), None] "without blanks in front";
    "MASTER_CHANNEL" "name" Here [Some(variables::master_channel), Some(variables::set_master_channel)] "a variable of the first channel";
    "MATH" "a op b[,type]" Here [Some(math::math), None] "one operation on two numbers";
    "MAX" "a,b" Here [Some(math::maximum), None] "the larger number";
    "MD5" "text" Here [Some(encoding::md5), None] "MD5 digest";
    "MIN" "a,b" Here [Some(math::minimum), None] "the smaller number";
    "PASSTHRU" "text" Here [Some(strings::passthru), None] "the text itself";
    "PJSIP_HEADER" "action,name[,number]" Host [None, None] "headers of the request";
    "POP" "name[,delimiter]" Here [Some(strings::pop), None] "take the last field";
    "PUSH" "name[,delimiter]" Here [None, Some(strings::push)] "append a field";
    "QUOTE" "text" Here [Some(strings::quote), None] "quote and escape";
    "RAND" "[min][,max]" Here [Some(math::random), None] "a random number";
    "REDIRECTING" "item[,i]" Here [Some(identity::redirecting), Some(identity::set_redirecting)] "who diverted the call";
    "REGEX" "\"regex\" text" Here [Some(strings::regex), None] "whether a text matches";
    "REPLACE" "name,bytes[,byte]" Here [Some(strings::replace), None] "exchange bytes";
    "RTRIM" "text" Here [Some(strings::right_trim), None] "without blanks behind";
    "SAYFILES" "value,type" Here [Some(system::say_files), None] "prompts that say a value";
    "SCRAMBLE" "direction" Refused [Some(system::no_effect), None] "invert the voice: not available";
    "SET" "name=value" Here [Some(logic::set), None] "assign and return";
    "SHA1" "text" Here [Some(encoding::sha1), None] "SHA-1 digest";
    "SHARED" "name[,channel]" Here [Some(variables::shared), Some(variables::set_shared)] "variables that channels share";
    "SHELL" "command" Refused [Some(system::no_shell), None] "run a program: switched off";
    "SHIFT" "name[,delimiter]" Here [Some(strings::shift), None] "take the first field";
    "SIP_HEADER" "name[,number]" Host [None, None] "headers of the INVITE";
    "SORT" "key:value,..." Here [Some(strings::sort), None] "keys ordered by values";
    "SPRINTF" "format,..." Here [Some(strings::sprintf), None] "print by a format";
    "STACK_PEEK" "n,which[,suppress]" Here [Some(variables::stack_peek), None] "where a subroutine returns to";
    "STAT" "flag,path" Refused [Some(system::no_file), None] "facts about a file: switched off";
    "STRBETWEEN" "name,text" Here [Some(strings::string_between), None] "a text between bytes";
    "STRFTIME" "[epoch][,[zone][,format]]" Here [Some(time::format), None] "a time as text";
    "STRPTIME" "text,zone,format" Here [Some(time::parse), None] "a text as time";
    "STRREPLACE" "name,find[,replacement[,most]]" Here [Some(strings::string_replace), None] "exchange texts";
    "TESTTIME" "" Here [None, Some(time::set_test_time)] "what GotoIfTime takes for now";
    "TIMEOUT" "type" Here [Some(channel::timeout), Some(channel::set_timeout)] "time limits in seconds";
    "TOLOWER" "text" Here [Some(strings::to_lower), None] "small letters";
    "TOUPPER" "text" Here [Some(strings::to_upper), None] "capital letters";
    "TRIM" "text" Here [Some(strings::trim), None] "without blanks around";
    "UNSHIFT" "name[,delimiter]" Here [None, Some(strings::unshift)] "prepend a field";
    "URIDECODE" "text" Here [Some(encoding::uri_decode), None] "undo percent encoding";
    "URIENCODE" "text" Here [Some(encoding::uri_encode), None] "percent encoding";
    "UUID" "" Here [Some(system::uuid), None] "a random UUID";
    "VALID_EXTEN" "[context],extension[,priority]" Here [Some(places::valid_extension), None] "whether the dialplan has a place";
    "VARIABLE_EXISTS" "name" Here [Some(variables::has_variable), None] "whether a variable exists";
    "VERSION" "[item]" Here [Some(system::version), None] "the engine's version";
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_ordered_so_that_every_function_is_found() {
        for pair in FUNCTIONS.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
        }
        for function in FUNCTIONS {
            assert_eq!(find(function.name.as_bytes()).map(Function::name), Some(function.name));
        }
    }
}
