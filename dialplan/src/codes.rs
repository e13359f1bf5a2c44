//! Every kind of diagnostic of this crate, with its stable code.
//!
//! D0xx: the configuration layer, shared by all `.conf` files. D1xx: loading a dialplan.
//! D2xx: time conditions. D3xx: what `check` finds in a loaded plan. A number is never reused.

use crate::diagnostic::Code;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: Code = Code::new($code);)+

        /// All codes with what they mean, in order.
        pub const ALL: &[(Code, &str)] = &[$(($name, concat!($($doc),+))),+];
    };
}

codes! {
    /// The file itself cannot be read.
    FILE_UNREADABLE = "D001";
    /// A line stands before the first section header: Asterisk refuses the whole file.
    NO_SECTION = "D002";
    /// A section header has no closing `]`: Asterisk refuses the whole file.
    HEADER_UNCLOSED = "D003";
    /// A section header's options have no closing `)`: Asterisk refuses the whole file.
    OPTIONS_UNCLOSED = "D004";
    /// `[name](+)` adds to a section that does not exist: Asterisk refuses the whole file.
    ADDED_TO_NOTHING = "D005";
    /// A section inherits from one that does not exist (yet): Asterisk refuses the whole file.
    TEMPLATE_UNKNOWN = "D006";
    /// The file named by `#include` cannot be read: Asterisk refuses the whole including file.
    INCLUDE_MISSING = "D007";
    /// Files include each other too deeply.
    INCLUDE_TOO_DEEP = "D008";
    /// The files are larger together than allowed.
    TOO_MUCH_TEXT = "D009";
    /// A line is too long: it is skipped.
    LINE_TOO_LONG = "D010";
    /// A NUL byte ends the line early.
    NUL_BYTE = "D011";
    /// A line without `=` is ignored.
    NO_EQUALS = "D012";
    /// A line has nothing before its `=`: it is ignored.
    NO_NAME = "D013";
    /// A `#` directive that does not exist is ignored.
    DIRECTIVE_UNKNOWN = "D014";
    /// A `#` directive lacks its argument: it is ignored.
    DIRECTIVE_EMPTY = "D015";
    /// `#exec` is not allowed here: it is ignored.
    EXEC_REFUSED = "D016";
    /// A stray `--;` outside a block comment swallows all that follows.
    STRAY_COMMENT_END = "D017";
    /// A block comment is never closed: all that follows it is ignored.
    COMMENT_UNCLOSED = "D018";
    /// Block comments are nested too deeply.
    COMMENT_TOO_DEEP = "D019";
    /// A backslash at the start of a line escapes nothing: Asterisk refuses the whole file.
    ESCAPE_OF_NOTHING = "D020";
    /// An included file without a section header of its own goes on in a section that another
    /// included file began.
    INCLUDE_ELSEWHERE = "D021";
    /// Carriage returns without line feeds: all lines are read as one.
    CARRIAGE_RETURNS = "D022";
    /// A section's filter (`(+name=value)`) is not a valid expression.
    FILTER_INVALID = "D023";
    /// More files are included than allowed.
    TOO_MANY_FILES = "D024";
    /// A section's name is too long and is cut.
    SECTION_NAME_TOO_LONG = "D025";

    /// `same` is the first line of a section: it is dropped.
    SAME_OF_NOTHING = "D101";
    /// A label has no closing `)`: the line is dropped.
    LABEL_UNCLOSED = "D102";
    /// `n` or `s` is the first priority of a section: the line is dropped.
    NEXT_OF_NOTHING = "D103";
    /// A priority is neither a number nor `n`, `s`, `hint` or a label: the line is dropped.
    PRIORITY_INVALID = "D104";
    /// `n` follows a hint: the line is dropped.
    LOST_AFTER_HINT = "D105";
    /// An application has no closing `)`: all up to the end of the line is its argument.
    APPLICATION_UNCLOSED = "D106";
    /// What follows the last `)` is ignored.
    TEXT_AFTER_APPLICATION = "D107";
    /// An extension has this priority already: the line is dropped.
    PRIORITY_TAKEN = "D108";
    /// An extension has this label already: the line stays without it.
    LABEL_TAKEN = "D109";
    /// An extension has no name: the line is dropped.
    EXTENSION_EMPTY = "D110";
    /// `_.` or `_!` also matches `h`, `i`, `t` and so on.
    EXTENSION_CATCHES_ALL = "D111";
    /// A line that a context cannot have is ignored.
    LINE_UNKNOWN = "D112";
    /// An included context does not exist.
    INCLUDED_CONTEXT_MISSING = "D113";
    /// The same is included twice.
    INCLUDED_TWICE = "D114";
    /// The same `ignorepat` stands twice.
    IGNORED_TWICE = "D115";
    /// The same switch stands twice.
    SWITCHED_TWICE = "D116";
    /// What follows a label in a priority is ignored.
    OFFSET_LOST = "D117";
    /// A `[` in an extension swallows the commas that follow.
    SET_UNCLOSED = "D118";
    /// An extension's name is too long and is cut.
    EXTENSION_TOO_LONG = "D119";
    /// A setting of `[general]` has no effect here.
    SETTING_WITHOUT_EFFECT = "D120";
    /// An application is written without parentheses.
    APPLICATION_BARE = "D121";
    /// A blank stands between an application and its parenthesis: there is none of that name.
    BLANK_BEFORE_PARENTHESIS = "D122";
    /// A switch asks a place that does not exist here: it finds nothing.
    SWITCH_UNKNOWN = "D123";
    /// A section `[globals]` or `[general]` has a line that cannot be.
    GLOBAL_INVALID = "D124";

    /// A time condition has an element that never matches.
    SCHEDULE_FLAW = "D201";
    /// A time condition can never hold.
    SCHEDULE_NEVER = "D202";

    /// A target's context does not exist.
    CONTEXT_UNKNOWN = "D301";
    /// A target's extension does not exist.
    EXTENSION_UNKNOWN = "D302";
    /// A target's priority does not exist.
    PRIORITY_UNKNOWN = "D303";
    /// A target's label does not exist.
    LABEL_UNKNOWN = "D304";
    /// A section header seems to be lost in the middle of a section.
    HEADER_LOST = "D305";
    /// A blank is part of a variable's name.
    BLANK_IN_NAME = "D306";
    /// There is no such application.
    APPLICATION_UNKNOWN = "D307";
    /// Asterisk has this application, but it is not available here.
    APPLICATION_UNAVAILABLE = "D308";
    /// Asterisk had this application once.
    APPLICATION_FORMER = "D309";
    /// There is no such function.
    FUNCTION_UNKNOWN = "D310";
    /// Asterisk has this function, but it is not available here.
    FUNCTION_UNAVAILABLE = "D311";
    /// Asterisk had this function once.
    FUNCTION_FORMER = "D312";
    /// `${` or `$[` has no end.
    REFERENCE_UNCLOSED = "D313";
    /// No number leads to the first step of an extension.
    EXTENSION_UNREACHABLE = "D314";
    /// Steps stand behind a gap in the priorities that no call crosses.
    PRIORITY_GAP = "D315";
    /// A wide pattern hides an extension of an included context.
    INCLUDE_HIDDEN = "D316";
    /// `Set` has no `=`.
    SET_WITHOUT_VALUE = "D317";
    /// `Set` keeps quotes as part of the value.
    QUOTES_KEPT = "D318";
    /// `Set` sets one variable only.
    SET_SEVERAL = "D319";
    /// `|` does not separate arguments.
    OLD_SEPARATOR = "D320";
    /// A condition leads nowhere.
    NO_BRANCH = "D321";
    /// A target is empty.
    TARGET_EMPTY = "D322";
    /// What a caller dials becomes part of a dial string.
    DIAL_INJECTION = "D323";
    /// A range of a pattern's set runs backwards and holds nothing.
    PATTERN_RANGE_REVERSED = "D324";
    /// What follows `.` or `!` of a pattern is never looked at.
    PATTERN_TAIL = "D325";
    /// An argument is not of the form that its application needs.
    ARGUMENT_INVALID = "D326";
    /// An argument is missing.
    ARGUMENT_MISSING = "D327";
    /// A destination of Dial has no technology that there is.
    DIAL_TECHNOLOGY_UNKNOWN = "D328";
    /// An application has no such option.
    OPTION_UNKNOWN = "D329";
    /// A pattern has no underscore.
    PATTERN_UNMARKED = "D330";
    /// An expression has a syntax error.
    EXPRESSION_BROKEN = "D331";
    /// A comparison has the same result in every call.
    EXPRESSION_CONSTANT = "D332";
    /// A condition is the same in every call.
    CONDITION_CONSTANT = "D333";
    /// A blank between `=` and `>` makes the `>` part of the extension.
    STRAY_ARROW = "D334";
}

/// Whether Asterisk logs a warning or an error for this kind. The others it passes over in silence.
pub fn is_logged(code: Code) -> bool {
    let silent = [
        NUL_BYTE,
        STRAY_COMMENT_END,
        INCLUDE_ELSEWHERE,
        CARRIAGE_RETURNS,
        SECTION_NAME_TOO_LONG,
        LOST_AFTER_HINT,
        TEXT_AFTER_APPLICATION,
        OFFSET_LOST,
        EXTENSION_TOO_LONG,
        SCHEDULE_NEVER,
    ];
    let before = |other: Code| code.as_str() < other.as_str();
    (before(SETTING_WITHOUT_EFFECT) || code == SCHEDULE_FLAW) && !silent.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
