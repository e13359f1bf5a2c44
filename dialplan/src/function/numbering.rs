//! Numbers as the numbering plan wants them.

use bstr::ByteSlice;

use super::{Reading, wrong};
use crate::arguments::split;
use crate::host::FunctionError;
use crate::numbering::Direction;
use crate::scope::Scope;

/// `NUMBERING(out|in|reverse,number)`.
pub(super) fn numbering(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let [how, number] = &parts[..] else {
        return wrong("requires a direction and a number: NUMBERING(out|in|reverse,number)");
    };
    let Some(plan) = scope.plan.numbering() else {
        let message = "there is no numbering.conf: no number is changed";
        return Err(FunctionError::Arguments(message.to_owned()));
    };
    let (how, number) = (how.to_str_lossy(), number.to_str_lossy());
    if how.eq_ignore_ascii_case("reverse") {
        let caller = plan.apply(Direction::In, &number).number;
        out.extend_from_slice(plan.reverse_key(&caller).as_bytes());
        return Ok(());
    }
    let Some(direction) = Direction::from_name(&how) else {
        return wrong("the direction is out, in or reverse: NUMBERING(out|in|reverse,number)");
    };
    out.extend_from_slice(plan.apply(direction, &number).number.as_bytes());
    Ok(())
}
