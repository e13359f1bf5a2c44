//! Applications on variables, on other applications and on the log.

use bstr::{BStr, BString};

use crate::arguments::{Protection, is_true, scan_integer, separate, split};
use crate::executor::{Continuation, Flow, Run};
use crate::function;
use crate::host::Level;

pub(super) fn no_op(_: &mut Run<'_>, _: &[u8]) -> Flow {
    Flow::Continue
}

/// Set(name=value): everything behind the first `=` is the value.
pub(super) fn set(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if text.is_empty() {
        run.scope.warn(format_args!("Set requires one variable name/value pair"));
        return Flow::Continue;
    }
    let Some(equals) = memchr::memchr(b'=', text) else {
        run.scope.warn(format_args!("Set requires an '=' to be a valid assignment"));
        return Flow::Continue;
    };
    assign(run, &text[..equals], &text[equals + 1..]);
    Flow::Continue
}

fn assign(run: &mut Run<'_>, name: &[u8], value: &[u8]) {
    if name.contains(&b' ') {
        run.scope.warn(format_args!("the blank in '{}' is part of the name", BStr::new(name)));
    }
    run.scope.assign(name, value);
}

/// MSet(a=1,b=2).
pub(super) fn set_many(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if text.is_empty() {
        run.scope.warn(format_args!("MSet requires at least one variable name/value pair"));
    }
    for pair in split(text, 24) {
        match memchr::memchr(b'=', &pair) {
            Some(equals) => assign(run, &pair[..equals], &pair[equals + 1..]),
            None => {
                run.scope.warn(format_args!("MSet: ignoring '{}' without '='", BStr::new(&*pair)));
            }
        }
    }
    Flow::Continue
}

/// ClearHash(name).
pub(super) fn clear_hash(run: &mut Run<'_>, name: &[u8]) -> Flow {
    function::clear_hash(&mut run.scope, name);
    Flow::Continue
}

/// `DBdeltree(family[/keytree])`.
pub(super) fn delete_tree(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let (family, key) = match memchr::memchr(b'/', text) {
        Some(slash) => (&text[..slash], &text[slash + 1..]),
        None => (text, &b""[..]),
    };
    if family.is_empty() {
        run.scope.warn(format_args!("DBdeltree requires a family"));
        return Flow::Continue;
    }
    run.scope.host.world_mut().database.delete_tree(family, key);
    Flow::Continue
}

/// `Verbose([level,]text)`.
pub(super) fn verbose(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let (level, message) = match memchr::memchr(b',', text) {
        Some(comma) => match scan_integer(&text[..comma]) {
            Some((level, end)) if end == comma => (level.clamp(0, 10) as u8, &text[comma + 1..]),
            _ => (0, text),
        },
        None => (0, text),
    };
    let message = BStr::new(message).to_owned();
    run.scope.log(Level::Verbose(level), format_args!("{message}"));
    Flow::Continue
}

/// Log(level,text).
pub(super) fn log(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let message = BString::from(parts.get(1).map(|message| message.to_vec()).unwrap_or_default());
    let level = match parts.first().map(|level| level.to_ascii_uppercase()).as_deref() {
        Some(b"ERROR") => Level::Error,
        Some(b"WARNING") => Level::Warning,
        Some(b"NOTICE") => Level::Notice,
        Some(b"DEBUG") => Level::Debug,
        Some(b"VERBOSE") => Level::Verbose(0),
        Some(b"DTMF") => Level::Debug,
        _ => {
            run.scope
                .log(Level::Error, format_args!("unknown log level in Log({})", BStr::new(text)));
            return Flow::Continue;
        }
    };
    run.scope.log(level, format_args!("{message}"));
    Flow::Continue
}

/// DumpChan: the variables go to the log.
pub(super) fn dump(run: &mut Run<'_>, _: &[u8]) -> Flow {
    let lines: Vec<String> = run
        .scope
        .state
        .variables
        .newest_first()
        .into_iter()
        .take(200)
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    run.scope.log(Level::Verbose(1), format_args!("variables: {}", lines.join(", ")));
    Flow::Continue
}

/// `UserEvent(name[,header: value...])`: goes to the log when no host takes it.
pub(super) fn user_event(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if run.scope.host.has_application(b"UserEvent") {
        let operation = crate::operation::Operation::Application {
            name: "UserEvent".into(),
            arguments: text.into(),
        };
        return Flow::Ask(operation, Continuation::Simple);
    }
    run.scope.log(Level::Debug, format_args!("user event {}", BStr::new(text)));
    Flow::Continue
}

/// Exec(application(arguments)): the arguments are evaluated once more.
pub(super) fn exec(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if text.is_empty() {
        return Flow::Continue;
    }
    let (name, arguments) = name_and_arguments(text);
    let mut evaluated = run.scope.take_spare();
    run.scope.substitute(arguments, &mut evaluated);
    let flow = run.execute_named(name, &evaluated);
    run.scope.give_back(evaluated);
    flow
}

/// TryExec: as Exec, and never hangs up.
pub(super) fn try_exec(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if text.is_empty() {
        return Flow::Continue;
    }
    let (name, arguments) = name_and_arguments(text);
    let is_known = super::find(name)
        .is_some_and(|application| application.is_here() && run.is_enabled(application))
        || run.scope.host.has_application(name);
    if !is_known {
        run.scope.warn(format_args!("could not find application '{}'", BStr::new(name)));
        run.scope.assign(b"TRYSTATUS", b"NOAPP");
        return Flow::Continue;
    }
    let mut evaluated = run.scope.take_spare();
    run.scope.substitute(arguments, &mut evaluated);
    let flow = run.execute_named(name, &evaluated);
    run.scope.give_back(evaluated);
    match flow {
        Flow::Ask(operation, continuation) => {
            Flow::Ask(operation, Continuation::Tried(Box::new(continuation)))
        }
        other => tried(run, other),
    }
}

/// The status of a tried application.
pub(super) fn tried(run: &mut Run<'_>, flow: Flow) -> Flow {
    match flow {
        Flow::Ask(operation, continuation) => {
            Flow::Ask(operation, Continuation::Tried(Box::new(continuation)))
        }
        Flow::Continue | Flow::Jumped => {
            run.scope.assign(b"TRYSTATUS", b"SUCCESS");
            flow
        }
        _ => {
            run.scope.assign(b"TRYSTATUS", b"FAILED");
            Flow::Continue
        }
    }
}

/// `Name(arguments)`; what stands behind the last parenthesis is dropped.
fn name_and_arguments(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(open) = memchr::memchr(b'(', text) else { return (text, b"") };
    let rest = &text[open + 1..];
    let close = memchr::memrchr(b')', rest).unwrap_or(rest.len());
    (&text[..open], &rest[..close])
}

/// ExecIf(condition?App(arguments):App(arguments)).
pub(super) fn exec_if(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = separate(text, b'?', 2, Protection::Kept);
    let (condition, applications) = match parts.as_slice() {
        [condition, applications] => (condition.to_vec(), applications.to_vec()),
        // The form of old: ExecIf(condition,application,arguments).
        _ => {
            let old = separate(text, b',', 3, Protection::Kept);
            let Some(name) = old.get(1) else {
                run.scope.warn(format_args!(
                    "usage: ExecIf(<cond>?<appiftrue>(<args>):<appiffalse>(<args>))"
                ));
                return Flow::Continue;
            };
            run.scope.warn(format_args!(
                "deprecated syntax found, please upgrade to using 'ExecIf(<expr>?{}(<args>):...)'",
                BStr::new(&**name)
            ));
            if !is_true(&old[0]) {
                return Flow::Continue;
            }
            let arguments = old.get(2).map(|arguments| arguments.to_vec()).unwrap_or_default();
            return run.execute_named(name, &arguments);
        }
    };
    let applications = separate(&applications, b':', 2, Protection::Kept);
    let index = usize::from(!is_true(&condition));
    let Some(chosen) = applications.get(index).filter(|chosen| !chosen.is_empty()) else {
        return Flow::Continue;
    };
    let (name, arguments) = branch(chosen);
    run.execute_named(name, arguments)
}

/// The application of a branch: its last byte is taken for the closing parenthesis only when it is one.
fn branch(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(open) = memchr::memchr(b'(', text) else { return (text, b"") };
    let rest = &text[open + 1..];
    (&text[..open], rest.strip_suffix(b")").unwrap_or(rest))
}

/// ExecIfTime(times?App(arguments)).
pub(super) fn exec_if_time(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let Some(question) = memchr::memchr(b'?', text) else {
        run.scope.warn(format_args!("ExecIfTime requires <times>?<appname>[(<appargs>)]"));
        return Flow::Continue;
    };
    let now = run.scope.host.now();
    if !run.scope.holds(&text[..question], now) {
        return Flow::Continue;
    }
    let (name, arguments) = name_and_arguments(&text[question + 1..]);
    run.execute_named(name, arguments)
}
