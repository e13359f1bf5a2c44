//! Every kind of diagnostic about settings, with its stable code. A number is never reused.

use diesis_dialplan::diagnostic::Code;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: Code = Code::new($code);)+

        /// All codes with what they mean, in order.
        pub const ALL: &[(Code, &str)] = &[$(($name, concat!($($doc),+))),+];
    };
}

codes! {
    /// Files of the directory are not read.
    FILES_NOT_READ = "C001";
    /// A setting that nobody knows has no effect.
    SETTING_UNKNOWN = "C002";
    /// A setting belongs to something that is not here yet.
    SETTING_LATER = "C003";
    /// A value is not of the form that its setting needs.
    VALUE_INVALID = "C004";
    /// A value belongs to something that is not here yet.
    VALUE_LATER = "C005";
    /// A setting is missing.
    SETTING_MISSING = "C006";
    /// A name refers to nothing.
    NAME_UNRESOLVED = "C007";
    /// Something is defined twice.
    DEFINED_TWICE = "C008";
    /// A section of a kind that nobody knows has no effect.
    SECTION_UNKNOWN = "C009";
    /// A section belongs to something that is not here yet.
    SECTION_LATER = "C010";
    /// Anyone may use this peer.
    PEER_OPEN = "C011";
    /// Nobody can register here.
    AOR_CLOSED = "C012";
    /// Two settings contradict each other.
    CONTRADICTION = "C013";
    /// The directory has no such file; defaults are used.
    FILE_MISSING = "C014";
    /// A prompt does not exist in a language that is in use, nor in English.
    PROMPT_MISSING = "C015";
    /// A certificate or its key can not be used.
    CERTIFICATE_WRONG = "C016";
    /// A certificate works, and some will not trust it.
    CERTIFICATE_DOUBTFUL = "C017";
    /// A rule of the numbering plan does more than was meant, or nothing.
    RULE_SUSPICIOUS = "C018";
    /// An event of a calendar can not be understood.
    CALENDAR_WRONG = "C019";
    /// A schedule never opens.
    SCHEDULE_CLOSED = "C020";
    /// Forwarding rules send calls in a circle.
    RULES_CIRCLE = "C021";
    /// A forwarding rule is never asked.
    RULE_UNREACHABLE = "C022";
    /// Robots that nothing can come of, or a mapping that never applies.
    ROBOT_SUSPICIOUS = "C023";
    /// A part of a schedule never counts.
    SCHEDULE_IDLE = "C026";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
