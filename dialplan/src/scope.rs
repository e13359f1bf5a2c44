//! One evaluation: a channel's state, the plan and the host together.
//!
//! Templates become text here, and functions and variables are read and written here.

use std::fmt;

use bstr::BStr;
use jiff::Timestamp;

use crate::executor::Legacy;
use crate::expression;
use crate::function::{self, Availability, Function};
use crate::host::{FunctionError, Host, Level, LogLine, Place};
use crate::plan::{Circumstances, Plan};
use crate::schedule::Schedule;
use crate::state::State;
use crate::substitute::{Closed, MOST_INSIDE, MOST_OUT, Part, Reference, Slice, Template};
use crate::variables::Inheritance;

/// What an evaluation works on.
pub(crate) struct Scope<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) plan: &'a Plan,
    pub(crate) host: &'a mut dyn Host,
}

impl Scope<'_> {
    /// What a lookup in the plan depends on now.
    pub(crate) fn circumstances(&self) -> Circumstances<'_> {
        Circumstances {
            caller: self.state.channel.caller.number.as_ref().map(|number| number.as_ref()),
            now: self.host.now(),
            zone: self.host.time_zone(),
        }
    }

    /// Whether a time condition holds; what can not be read in it is logged.
    pub(crate) fn holds(&mut self, spec: &[u8], now: Timestamp) -> bool {
        let mut flaws = Vec::new();
        let schedule = Schedule::parse_with_flaws(BStr::new(spec), &mut flaws);
        for flaw in flaws.iter().filter(|flaw| flaw.is_logged()) {
            self.warn(format_args!("time condition: {flaw}"));
        }
        schedule.is_some_and(|schedule| schedule.holds(now, &self.host.time_zone()))
    }

    /// Appends a template's value: at most 8191 bytes.
    pub(crate) fn evaluate(&mut self, template: &Template, out: &mut Vec<u8>) {
        let most = out.len() + MOST_OUT;
        self.evaluate_up_to(template, out, most);
    }

    /// Evaluates a text that was not taken apart before.
    pub(crate) fn substitute(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if memchr::memchr(b'$', text).is_none() {
            out.extend_from_slice(&text[..text.len().min(MOST_OUT)]);
        } else if self.state.depth >= MOST_DEPTH {
            self.warn(format_args!("evaluations are nested too deeply"));
        } else {
            self.state.depth += 1;
            self.evaluate(&Template::parse(text), out);
            self.state.depth -= 1;
        }
    }

    /// The value of a name as it would stand in `${...}`: a variable or a function call.
    pub(crate) fn named(&mut self, name: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(name.len() + 3);
        text.extend_from_slice(b"${");
        text.extend_from_slice(name);
        text.push(b'}');
        let mut out = Vec::new();
        self.substitute(&text, &mut out);
        out
    }

    fn evaluate_up_to(&mut self, template: &Template, out: &mut Vec<u8>, most: usize) {
        for part in template.parts() {
            match part {
                Part::Text(text) => push(out, text, most),
                Part::Reference(Reference::Variable { name, slice }) => {
                    self.variable_into(name, *slice, out, most);
                }
                Part::Reference(Reference::Function { name, arguments, slice, closed }) => {
                    self.function_into(name, arguments, *slice, *closed, out, most);
                }
                Part::Computed(inner) => {
                    let mut text = self.take_spare();
                    self.evaluate_up_to(inner, &mut text, MOST_INSIDE);
                    match Reference::parse(&text) {
                        Reference::Variable { name, slice } => {
                            self.variable_into(name, slice, out, most)
                        }
                        Reference::Function { name, arguments, slice, closed } => {
                            self.function_into(name, arguments, slice, closed, out, most);
                        }
                    }
                    self.give_back(text);
                }
                Part::Expression(inner) => {
                    let mut text = self.take_spare();
                    self.evaluate_up_to(inner, &mut text, MOST_INSIDE);
                    expression::evaluate(&text, self, out);
                    out.truncate(most);
                    self.give_back(text);
                }
                Part::Unclosed(what) => {
                    self.warn(format_args!("error in extension logic ({what})"))
                }
            }
        }
    }

    fn variable_into(&mut self, name: &[u8], slice: Slice, out: &mut Vec<u8>, most: usize) {
        if let Some(value) = self.state.variables.value(name)
            && !is_built_in(name)
        {
            push(out, slice.of(value), most);
            return;
        }
        let mut value = self.take_spare();
        if self.built_in(name, &mut value) {
            push(out, slice.of(&value), most);
        } else if let Some(value) = self.host.world().globals.value(name) {
            push(out, slice.of(value), most);
        }
        self.give_back(value);
    }

    fn function_into(
        &mut self,
        name: &[u8],
        arguments: &[u8],
        slice: Slice,
        closed: Closed,
        out: &mut Vec<u8>,
        most: usize,
    ) {
        if closed == Closed::No {
            self.warn(format_args!(
                "can't find trailing parenthesis for function {}()",
                BStr::new(name)
            ));
        }
        let mut value = self.take_spare();
        if self.read_function(name, arguments, &mut value) {
            push(out, slice.of(&value), most);
        }
        self.give_back(value);
    }

    /// Reads a function; what goes wrong is logged, and `false` then.
    pub(crate) fn read_function(
        &mut self,
        name: &[u8],
        arguments: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        if self.state.depth >= MOST_DEPTH {
            self.warn(format_args!("evaluations are nested too deeply"));
            return false;
        }
        self.state.depth += 1;
        let result = match function::find(name) {
            Some(function) if self.is_unknown(function) => Err(FunctionError::Unknown),
            Some(function) => function.read(self, arguments, out),
            None => self.host.read_function(&self.state.channel, name, arguments, out),
        };
        self.state.depth -= 1;
        match result {
            Ok(()) => {
                out.truncate(start + MOST_INSIDE);
                // A value ends at its first zero byte, as texts of C do.
                if let Some(end) = memchr::memchr(0, &out[start..]) {
                    out.truncate(start + end);
                }
                true
            }
            Err(error) => {
                out.truncate(start);
                self.function_failed(name, &error);
                false
            }
        }
    }

    /// Writes `NAME(arguments)=value`; what goes wrong is logged.
    pub(crate) fn write_function(&mut self, name: &[u8], arguments: &[u8], value: &[u8]) {
        let result = match function::find(name) {
            Some(function) if self.is_unknown(function) => Err(FunctionError::Unknown),
            Some(function) => function.write(self, arguments, value),
            None => self.host.write_function(&mut self.state.channel, name, arguments, value),
        };
        if let Err(error) = result {
            self.function_failed(name, &error);
        }
    }

    fn is_unknown(&self, function: &Function) -> bool {
        function.availability() == Availability::Legacy && self.state.legacy == Legacy::Unknown
    }

    fn function_failed(&mut self, name: &[u8], error: &FunctionError) {
        let name = BStr::new(name);
        let level = if *error == FunctionError::Unknown { Level::Error } else { Level::Warning };
        self.log(level, format_args!("{name}(): {error}"));
    }

    /// Sets what a name stands for: `x`, `_x`, `__x`, or a function call when it ends with `)`.
    pub(crate) fn assign(&mut self, name: &[u8], value: &[u8]) {
        if name.last() == Some(&b')') {
            let open = memchr::memchr(b'(', name).unwrap_or(name.len() - 1);
            let arguments = name.get(open + 1..name.len() - 1).unwrap_or_default();
            self.write_function(&name[..open], arguments, value);
            return;
        }
        let (name, inheritance) = match name {
            [b'_', b'_', rest @ ..] => (rest, Inheritance::Always),
            [b'_', rest @ ..] => (rest, Inheritance::Once),
            _ => (name, Inheritance::None),
        };
        if self.state.variables.len() >= MOST_VARIABLES && !self.state.variables.contains(name) {
            self.warn(format_args!("too many variables: '{}' is not set", BStr::new(name)));
            return;
        }
        self.state.variables.set_inherited(name, value, inheritance);
    }

    /// A channel variable or a global, never a built-in name.
    pub(crate) fn variable(&self, name: &[u8]) -> Option<&BStr> {
        match self.state.variables.value(name) {
            Some(value) => Some(value),
            None => self.host.world().globals.value(name),
        }
    }

    fn built_in(&self, name: &[u8], out: &mut Vec<u8>) -> bool {
        let state = &self.state;
        match name {
            b"EXTEN" => out.extend_from_slice(&state.extension),
            b"CONTEXT" => out.extend_from_slice(&state.context),
            b"PRIORITY" => expression::write_whole(i64::from(state.priority), out),
            b"CHANNEL" => out.extend_from_slice(&state.channel.name),
            b"UNIQUEID" => out.extend_from_slice(&state.channel.unique_id),
            b"HANGUPCAUSE" => expression::write_whole(i64::from(state.channel.hangup_cause), out),
            b"CALLINGPRES" => {
                let caller = &state.channel.caller;
                expression::write_whole(i64::from(caller.presentation()), out);
            }
            b"CALLINGANI2" => expression::write_whole(i64::from(state.channel.ani2), out),
            b"CALLINGTON" => {
                expression::write_whole(i64::from(state.channel.caller.number_plan), out)
            }
            b"CALLINGTNS" => {
                expression::write_whole(i64::from(state.channel.dialed.transit_network), out)
            }
            b"HINT" | b"HINTNAME" => {
                let part = if name == b"HINT" { HintPart::Devices } else { HintPart::Name };
                function::hint(self, &state.context, &state.extension, part, out);
            }
            b"EPOCH" => expression::write_whole(self.host.now().as_second(), out),
            b"SYSTEMNAME" | b"ENTITYID" => {}
            b"ASTETCDIR" => out.extend_from_slice(b"/etc/asterisk"),
            b"ASTMODDIR" => out.extend_from_slice(b"/usr/lib/asterisk/modules"),
            b"ASTVARLIBDIR" | b"ASTDBDIR" | b"ASTKEYDIR" | b"ASTDATADIR" => {
                out.extend_from_slice(b"/var/lib/asterisk");
            }
            b"ASTCACHEDIR" => out.extend_from_slice(b"/var/cache/asterisk"),
            b"ASTAGIDIR" => out.extend_from_slice(b"/var/lib/asterisk/agi-bin"),
            b"ASTSPOOLDIR" => out.extend_from_slice(b"/var/spool/asterisk"),
            b"ASTRUNDIR" => out.extend_from_slice(b"/var/run/asterisk"),
            b"ASTLOGDIR" => out.extend_from_slice(b"/var/log/asterisk"),
            b"ASTSBINDIR" => out.extend_from_slice(b"/usr/sbin"),
            _ => return false,
        }
        true
    }

    pub(crate) fn warn(&mut self, message: fmt::Arguments<'_>) {
        self.log(Level::Warning, message);
    }

    pub(crate) fn log(&mut self, level: Level, message: fmt::Arguments<'_>) {
        let state = &self.state;
        self.host.log(LogLine {
            level,
            channel: state.channel.name.as_ref(),
            place: Place {
                context: state.context.as_ref(),
                extension: state.extension.as_ref(),
                priority: state.priority,
            },
            message,
        });
    }

    pub(crate) fn take_spare(&mut self) -> Vec<u8> {
        self.state.spare.pop().unwrap_or_default()
    }

    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if self.state.spare.len() < SPARE {
            buffer.clear();
            self.state.spare.push(buffer);
        }
    }
}

impl expression::Surroundings for Scope<'_> {
    fn call(&mut self, name: &[u8], arguments: &[u8], out: &mut Vec<u8>) -> bool {
        self.read_function(name, arguments, out)
    }

    fn warn(&mut self, message: fmt::Arguments<'_>) {
        self.log(Level::Warning, message);
    }
}

/// The two things a hint line holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HintPart {
    Devices,
    Name,
}

/// Names that a channel variable can not shadow.
fn is_built_in(name: &[u8]) -> bool {
    // Nearly all names of authors differ in the first byte already.
    if !matches!(name.first(), Some(b'E' | b'C' | b'P' | b'U' | b'H' | b'S' | b'A')) {
        return false;
    }
    matches!(
        name,
        b"EXTEN"
            | b"CONTEXT"
            | b"PRIORITY"
            | b"CHANNEL"
            | b"UNIQUEID"
            | b"HANGUPCAUSE"
            | b"CALLINGPRES"
            | b"CALLINGANI2"
            | b"CALLINGTON"
            | b"CALLINGTNS"
            | b"HINT"
            | b"HINTNAME"
            | b"EPOCH"
            | b"SYSTEMNAME"
            | b"ENTITYID"
    ) || name.starts_with(b"AST")
        && matches!(
            &name[3..],
            b"ETCDIR"
                | b"MODDIR"
                | b"VARLIBDIR"
                | b"DBDIR"
                | b"KEYDIR"
                | b"DATADIR"
                | b"CACHEDIR"
                | b"AGIDIR"
                | b"SPOOLDIR"
                | b"RUNDIR"
                | b"LOGDIR"
                | b"SBINDIR"
        )
}

fn push(out: &mut Vec<u8>, text: &[u8], most: usize) {
    let room = most.saturating_sub(out.len());
    out.extend_from_slice(&text[..text.len().min(room)]);
}

/// Evaluations inside evaluations: more is an endless one.
const MOST_DEPTH: u32 = 24;

/// Variables of one channel: a loop that makes up names must not fill the memory.
const MOST_VARIABLES: usize = 5_000;

/// Buffers kept for reuse.
const SPARE: usize = 8;
