//! Jumps and subroutines.

use bstr::{BStr, BString};
use jiff::Timestamp;

use crate::arguments::{Protection, is_true, scan_integer, separate};
use crate::executor::{Flow, Run};
use crate::state::FrameKind;

/// `Goto([[context,]extension,]priority)`.
pub(super) fn goto(run: &mut Run<'_>, text: &[u8]) -> Flow {
    match run.parse_target(text) {
        Some(place) => {
            run.go_to(&place);
            Flow::Jumped
        }
        None => Flow::HangUp,
    }
}

/// GotoIf(condition?yes:no).
pub(super) fn goto_if(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if text.is_empty() {
        run.scope.warn(format_args!("ignoring, since there is no variable to check"));
        return Flow::Continue;
    }
    let (condition, branches) = cut(text, b'?');
    branch(run, is_true(condition), branches)
}

/// GotoIfTime(times?yes:no), by TESTTIME when it is set.
pub(super) fn goto_if_time(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if text.is_empty() {
        run.scope.warn(format_args!("GotoIfTime requires <times>?'labeliftrue':'labeliffalse'"));
        return Flow::HangUp;
    }
    let (times, branches) = cut(text, b'?');
    let test = run
        .scope
        .variable(b"TESTTIME")
        .and_then(|time| std::str::from_utf8(time).ok()?.trim().parse::<i64>().ok());
    let now = test
        .and_then(|time| Timestamp::from_second(time).ok())
        .unwrap_or_else(|| run.scope.host.now());
    let is_now = run.scope.holds(times, now);
    branch(run, is_now, branches)
}

fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(at, text) {
        Some(found) => (&text[..found], Some(&text[found + 1..])),
        None => (text, None),
    }
}

fn branch(run: &mut Run<'_>, is_first: bool, branches: Option<&[u8]>) -> Flow {
    let (yes, no) = match branches.map(|branches| cut(branches, b':')) {
        Some((yes, no)) => (Some(yes), no),
        None => (None, None),
    };
    match if is_first { yes } else { no } {
        Some(target) if !target.is_empty() => goto(run, target),
        _ => Flow::Continue,
    }
}

/// `Gosub([[context,]extension,]priority[(arguments)])`.
pub(super) fn gosub_application(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if text.is_empty() {
        run.scope.warn(format_args!(
            "Gosub requires an argument: Gosub([[context,]exten,]priority[(arg1[,...])])"
        ));
        return Flow::HangUp;
    }
    if gosub(run, text, FrameKind::Gosub) { Flow::Jumped } else { Flow::HangUp }
}

/// Calls a subroutine; `false` when the place does not exist.
pub(crate) fn gosub(run: &mut Run<'_>, text: &[u8], kind: FrameKind) -> bool {
    if run.scope.state.frames.len() >= crate::executor::MOST_FRAMES {
        run.scope.warn(format_args!("Gosub: too many subroutines inside each other"));
        return false;
    }
    let (label, arguments) = cut(text, b'(');
    let arguments = arguments.map(|arguments| match memchr::memrchr(b')', arguments) {
        Some(close) => &arguments[..close],
        None => arguments,
    });
    let Some(place) = run.parse_target(label) else { return false };
    let state = &run.scope.state;
    let context =
        place.context.as_ref().filter(|context| !context.is_empty()).unwrap_or(&state.context);
    let extension = place
        .extension
        .as_ref()
        .filter(|extension| !extension.is_empty())
        .unwrap_or(&state.extension);
    if !run.has(context, extension, place.priority) {
        let (context, extension, priority) = (context.clone(), extension.clone(), place.priority);
        run.scope.log(
            crate::host::Level::Error,
            format_args!("attempt to reach a non-existent destination for Gosub: {context},{extension},{priority}"),
        );
        return false;
    }
    let arguments = separate(arguments.unwrap_or_default(), b',', MOST_ARGUMENTS, Protection::Kept);
    let priority = run.scope.state.priority.saturating_add(1);
    run.scope.state.push_frame(&arguments, priority, kind);
    run.go_to(&place);
    true
}

/// GosubIf(condition?target:target).
pub(super) fn gosub_if(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = separate(text, b'?', 2, Protection::Kept);
    let [condition, targets] = parts.as_slice() else {
        run.scope.warn(format_args!(
            "GosubIf requires an argument: GosubIf(cond?label1(args):label2(args))"
        ));
        return Flow::Continue;
    };
    let targets = separate(targets, b':', 2, Protection::Kept);
    let chosen = targets.get(usize::from(!is_true(condition)));
    match chosen.filter(|target| !target.is_empty()) {
        Some(target) => gosub_application(run, target),
        None => Flow::Continue,
    }
}

/// `Return([value])`.
pub(super) fn return_(run: &mut Run<'_>, value: &[u8]) -> Flow {
    let Some(frame) = run.scope.state.pop_frame() else {
        run.scope
            .log(crate::host::Level::Error, format_args!("Return without Gosub: stack is empty"));
        return Flow::HangUp;
    };
    run.set_context(&frame.context);
    run.set_extension(&frame.extension);
    run.scope.state.priority = frame.priority;
    run.scope.assign(b"GOSUB_RETVAL", value);
    match frame.kind {
        FrameKind::Gosub => Flow::Jumped,
        FrameKind::Outermost => Flow::HangUp,
    }
}

/// StackPop().
pub(super) fn stack_pop(run: &mut Run<'_>, _: &[u8]) -> Flow {
    if run.scope.state.pop_frame().is_none() {
        run.scope
            .log(crate::host::Level::Error, format_args!("StackPop called with no active Gosub"));
    }
    Flow::Continue
}

/// RaiseException(reason).
pub(super) fn raise_exception(run: &mut Run<'_>, reason: &[u8]) -> Flow {
    run.raise(reason);
    Flow::Jumped
}

/// `Incomplete([n])`.
pub(super) fn incomplete(run: &mut Run<'_>, options: &[u8]) -> Flow {
    if !options.contains(&b'n') && run.scope.host.channel_state() != crate::host::ChannelState::Up {
        return super::media::answer_first("Incomplete", b"n");
    }
    Flow::Incomplete
}

/// Macro(name,arguments), as it was before Asterisk 21.
pub(super) fn macro_(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let mut parts = text.split(|byte| *byte == b',');
    let name = parts.next().unwrap_or_default();
    if name.is_empty() {
        run.scope.warn(format_args!("Macro() requires arguments"));
        return Flow::Continue;
    }
    let deepest = run.scope.variable(b"MACRO_RECURSION").and_then(|text| scan_integer(text));
    let deepest = deepest.map_or(7, |(deepest, _)| deepest.clamp(0, 100)) as usize;
    if run.control.macro_frames.len() >= deepest {
        run.scope.log(
            crate::host::Level::Error,
            format_args!("Macro(): possible infinite loop detected, returning early"),
        );
        return Flow::Continue;
    }
    let inside: BString = [b"macro-", name].concat().into();
    if !run.has(&inside, b"s", 1) {
        if run.scope.plan.context(&inside).is_none() {
            run.scope
                .warn(format_args!("no such context '{inside}' for macro '{}'", BStr::new(name)));
        } else {
            run.scope.warn(format_args!(
                "context '{inside}' for macro '{}' lacks 's' extension, priority 1",
                BStr::new(name)
            ));
        }
        return Flow::Continue;
    }
    let mut saved = Vec::new();
    let state = &mut run.scope.state;
    let mut set = |name: &[u8], value: &[u8]| {
        saved.push((name.into(), state.variables.value(name).map(BStr::to_owned)));
        state.variables.set(name, value);
    };
    for (index, argument) in parts.take(MOST_ARGUMENTS).enumerate() {
        set(format!("ARG{}", index + 1).as_bytes(), argument);
    }
    // Inside another macro they keep the place of the outermost caller's line.
    let (context, extension, priority) =
        (state.context.clone(), state.extension.clone(), state.priority);
    let mut keep = |name: &[u8], value: &[u8]| {
        saved.push((name.into(), state.variables.value(name).map(BStr::to_owned)));
        state.variables.set(name, value);
    };
    keep(b"MACRO_EXTEN", &extension);
    keep(b"MACRO_CONTEXT", &context);
    keep(b"MACRO_PRIORITY", priority.to_string().as_bytes());
    keep(b"MACRO_OFFSET", b"");
    run.control.macro_frames.push(crate::executor::MacroFrame {
        inside: inside.clone(),
        context,
        extension,
        priority,
        saved,
    });
    run.set_context(&inside);
    run.go_to_extension(b"s");
    Flow::Jumped
}

/// MacroExit().
pub(super) fn macro_exit(run: &mut Run<'_>, _: &[u8]) -> Flow {
    if run.return_from_macro() { Flow::Jumped } else { Flow::Continue }
}

/// MacroIf(condition?name,arguments:name,arguments).
pub(super) fn macro_if(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let (condition, branches) = cut(text, b'?');
    let Some(branches) = branches else {
        run.scope.warn(format_args!("invalid syntax: MacroIf(<expr>?<macro>[:<macro>])"));
        return Flow::Continue;
    };
    let (yes, no) = cut(branches, b':');
    match if is_true(condition) { Some(yes) } else { no } {
        Some(call) if !call.is_empty() => macro_(run, call),
        _ => Flow::Continue,
    }
}

/// Arguments of one call.
const MOST_ARGUMENTS: usize = 80;
