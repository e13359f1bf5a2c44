//! The lines of a dialplan as they are written, with the place of every part.
//!
//! What a line means depends on the lines before it (`n`, `same`, labels) and on the globals; the
//! plan finds that out. All ranges are bytes of the entry's value; [`Entry::part_span`] turns them
//! into places of the file.

use std::ops::Range;

use bstr::{BStr, ByteSlice};

use crate::{conf::Entry, diagnostic::Span};

/// One line of a context.
#[derive(Clone, Debug)]
pub struct Statement<'a> {
    /// Name and value as read.
    pub entry: Entry<'a>,
    /// What kind of line it is.
    pub kind: StatementKind,
}

/// What kind of line it is. Names of lines ignore letter case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// `exten => extension,priority,application(arguments)`, or `same => ..`.
    Step(StepLine),
    /// `include => context,time condition`.
    Include(IncludeLine),
    /// `ignorepat => pattern`.
    IgnorePattern,
    /// `switch => kind/data`, with what happens to variables in it.
    Switch(SwitchKind),
    /// `autohints => yes`.
    AutoHints,
    /// Anything else, which Asterisk ignores.
    Unknown,
}

/// A line that defines one step of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLine {
    /// The extension with its caller part, as written; `None` for `same`.
    pub extension: Option<Range<usize>>,
    /// The priority without label and offset.
    pub priority: Range<usize>,
    /// The text between the parentheses of the priority.
    pub label: Option<Range<usize>>,
    /// Whether the label's parenthesis closes.
    pub label_end: Ending,
    /// What follows the `+` of the priority.
    pub offset: Option<Range<usize>>,
    /// What follows the label's parenthesis, and is lost.
    pub after_label: Range<usize>,
    /// The application's name; for a hint, all of it up to a parenthesis.
    pub application: Range<usize>,
    /// The text between the application's parentheses; empty without any.
    pub arguments: Range<usize>,
    /// Whether the arguments' parenthesis closes.
    pub arguments_end: Ending,
    /// What follows the last parenthesis, and is lost.
    pub after_arguments: Range<usize>,
}

/// How a text in parentheses ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// There are no parentheses.
    Absent,
    /// With a closing parenthesis.
    Closed,
    /// With the end of the line.
    Open,
}

/// The parts of an `include` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncludeLine {
    /// The context's name.
    pub context: Range<usize>,
    /// The time condition, if there is one that is not empty.
    pub schedule: Option<Range<usize>>,
}

/// What happens to variables in a switch's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchKind {
    /// `switch`: replaced when the plan is loaded.
    AtLoad,
    /// `lswitch`: left as they are.
    Literal,
    /// `eswitch`: replaced at each lookup.
    AtLookup,
}

impl Statement<'_> {
    /// Where a part of the line is.
    pub fn span(&self, range: &Range<usize>) -> Span {
        self.entry.part_span(range.clone())
    }

    /// A part of the line.
    pub fn text(&self, range: &Range<usize>) -> &BStr {
        self.entry.value()[range.clone()].as_bstr()
    }
}
