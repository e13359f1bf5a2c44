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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
