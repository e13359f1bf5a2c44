//! While and If blocks.

use crate::arguments::is_true;
use crate::executor::{Flow, Loop, LoopPlace, Run};
use crate::plan::{Priority, Target};

fn here(run: &Run<'_>) -> LoopPlace {
    let state = &run.scope.state;
    (state.context.clone(), state.extension.clone(), state.priority)
}

fn is_here(run: &Run<'_>, place: &LoopPlace) -> bool {
    let state = &run.scope.state;
    place.2 == state.priority && place.1 == state.extension && place.0 == state.context
}

fn go(run: &mut Run<'_>, place: &LoopPlace) -> Flow {
    run.set_context(&place.0);
    run.set_extension(&place.1);
    run.scope.state.priority = place.2;
    Flow::Jumped
}

/// While(condition).
pub(super) fn while_(run: &mut Run<'_>, condition: &[u8]) -> Flow {
    let found = run.control.loops.labels.iter().position(|(place, _)| is_here(run, place));
    let label = match found {
        Some(at) => run.control.loops.labels[at].1,
        None => {
            let label = run.control.loops.depth();
            if label >= MOST_OPEN || run.control.loops.labels.len() >= MOST_OPEN {
                run.scope.warn(format_args!("While: too many loops inside each other"));
                return Flow::HangUp;
            }
            let place = here(run);
            run.control.loops.labels.push((place, label));
            label
        }
    };
    if !is_true(condition) {
        return leave(run, label);
    }
    let loops = &mut run.control.loops;
    if loops.open.len() <= label {
        loops.open.resize(label + 1, None);
    }
    if run.control.loops.open[label].is_none() {
        let start = here(run);
        run.control.loops.open[label] = Some(Loop { start, end: None });
    }
    Flow::Continue
}

/// Leaves the loop of a label: behind its EndWhile.
fn leave(run: &mut Run<'_>, label: usize) -> Flow {
    if let Some(at) = run.control.loops.labels.iter().position(|(place, _)| is_here(run, place)) {
        run.control.loops.labels.swap_remove(at);
    }
    let closed = run.control.loops.open.get_mut(label).and_then(Option::take);
    if let Some(end) = closed.and_then(|closed| closed.end) {
        return go(run, &end);
    }
    match find_end(run, b"WHILE", b"ENDWHILE") {
        Some(priority) => {
            run.scope.state.priority = priority;
            Flow::Continue
        }
        None => {
            let priority = run.scope.state.priority;
            run.scope.warn(format_args!(
                "couldn't find the EndWhile of the While at priority {priority}"
            ));
            Flow::Continue
        }
    }
}

/// EndWhile().
pub(super) fn end_while(run: &mut Run<'_>, _: &[u8]) -> Flow {
    let Some(label) = run.control.loops.depth().checked_sub(1) else { return Flow::Continue };
    let needs_end = run.control.loops.open[label].as_ref().is_some_and(|open| {
        open.end.as_ref().is_none_or(|end| end.2 != run.scope.state.priority + 1)
    });
    if needs_end {
        let mut end = here(run);
        end.2 = end.2.saturating_add(1);
        if let Some(open) = &mut run.control.loops.open[label]
            && open.end.is_none()
        {
            open.end = Some(end);
        }
    }
    back(run, label)
}

/// Back to the While of a label, without copying its place when it is near.
fn back(run: &mut Run<'_>, label: usize) -> Flow {
    let Some(open) = &run.control.loops.open[label] else { return Flow::Continue };
    let start = &open.start;
    let state = &mut run.scope.state;
    if start.0 == state.context && start.1 == state.extension {
        state.priority = start.2;
        return Flow::Jumped;
    }
    let start = start.clone();
    go(run, &start)
}

/// ContinueWhile().
pub(super) fn continue_while(run: &mut Run<'_>, _: &[u8]) -> Flow {
    match run.control.loops.depth().checked_sub(1) {
        Some(label) => back(run, label),
        None => Flow::Continue,
    }
}

/// ExitWhile().
pub(super) fn exit_while(run: &mut Run<'_>, _: &[u8]) -> Flow {
    let label = run.control.loops.depth().checked_sub(1);
    leave(run, label.unwrap_or(0))
}

/// If(condition).
pub(super) fn if_(run: &mut Run<'_>, condition: &[u8]) -> Flow {
    if is_true(condition) {
        if run.control.loops.branches.len() < MOST_OPEN {
            let place = here(run);
            run.control.loops.branches.push(place);
        }
        return Flow::Continue;
    }
    next_branch(run)
}

/// Goes to the next branch of a block whose branch so far was not taken.
fn next_branch(run: &mut Run<'_>) -> Flow {
    match find_branch(run) {
        Some((priority, Branch::ElseIf)) => {
            run.scope.state.priority = priority;
            Flow::Jumped
        }
        Some((priority, Branch::Else)) => {
            // Else runs: the block counts as taken.
            if run.control.loops.branches.len() < MOST_OPEN {
                let place = here(run);
                run.control.loops.branches.push(place);
            }
            run.scope.state.priority = priority;
            Flow::Continue
        }
        Some((priority, Branch::End)) => {
            run.scope.state.priority = priority;
            Flow::Continue
        }
        None => {
            let priority = run.scope.state.priority;
            run.scope
                .warn(format_args!("couldn't find the EndIf of the If at priority {priority}"));
            Flow::Continue
        }
    }
}

/// ElseIf(condition): reached from a taken branch, the block is over.
pub(super) fn else_if(run: &mut Run<'_>, condition: &[u8]) -> Flow {
    if in_block(run) {
        return exit_if(run, b"");
    }
    if_(run, condition)
}

/// Else().
pub(super) fn else_(run: &mut Run<'_>, _: &[u8]) -> Flow {
    exit_if(run, b"")
}

/// EndIf().
pub(super) fn end_if(run: &mut Run<'_>, _: &[u8]) -> Flow {
    run.control.loops.branches.pop();
    Flow::Continue
}

/// ExitIf().
pub(super) fn exit_if(run: &mut Run<'_>, _: &[u8]) -> Flow {
    run.control.loops.branches.pop();
    match find_end(run, b"IF", b"ENDIF") {
        Some(priority) => {
            run.scope.state.priority = priority;
            Flow::Continue
        }
        None => Flow::Continue,
    }
}

/// Whether the newest taken branch belongs to the block this step is in: it begins before it.
fn in_block(run: &Run<'_>) -> bool {
    let state = &run.scope.state;
    run.control.loops.branches.last().is_some_and(|(context, extension, priority)| {
        *context == state.context && *extension == state.extension && *priority < state.priority
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Branch {
    ElseIf,
    Else,
    End,
}

/// The next ElseIf, Else or EndIf of the block around the present step.
fn find_branch(run: &Run<'_>) -> Option<(u32, Branch)> {
    let mut depth = 0usize;
    following(run).find_map(|(priority, name)| {
        if name.eq_ignore_ascii_case(b"IF") {
            depth += 1;
        } else if name.eq_ignore_ascii_case(b"ENDIF") {
            if depth == 0 {
                return Some((priority, Branch::End));
            }
            depth -= 1;
        } else if depth == 0 && name.eq_ignore_ascii_case(b"ELSEIF") {
            return Some((priority, Branch::ElseIf));
        } else if depth == 0 && name.eq_ignore_ascii_case(b"ELSE") {
            return Some((priority, Branch::Else));
        }
        None
    })
}

/// The step that ends the block around the present one.
fn find_end(run: &Run<'_>, opens: &[u8], closes: &[u8]) -> Option<u32> {
    let mut depth = 0usize;
    following(run).find_map(|(priority, name)| {
        if name.eq_ignore_ascii_case(opens) {
            depth += 1;
        } else if name.eq_ignore_ascii_case(closes) {
            if depth == 0 {
                return Some(priority);
            }
            depth -= 1;
        }
        None
    })
}

/// Steps behind the present one, in the extension that the present one comes from.
fn following<'a>(run: &Run<'a>) -> impl Iterator<Item = (u32, &'a bstr::BStr)> + use<'a> {
    let state = &run.scope.state;
    let circumstances = run.scope.circumstances();
    let target = Target::Priority(state.priority);
    let plan = run.scope.plan;
    let found =
        plan.find_in(state.context.as_ref(), state.extension.as_ref(), target, &circumstances).ok();
    let present = state.priority;
    found.into_iter().flat_map(move |found| plan.step(found.step).extension().steps()).filter_map(
        move |step| match step.priority() {
            Priority::Number(number) if number > present => Some((number, step.application())),
            _ => None,
        },
    )
}

/// Loops inside loops, and loops that were left by jumps.
const MOST_OPEN: usize = 200;
