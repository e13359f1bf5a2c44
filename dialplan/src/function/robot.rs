//! ROBOT(): for whom a call is that came to a robot, and how the pools of robots stand.

use bstr::ByteSlice;

use super::{Reading, Writing, wrong};
use crate::arguments::{split, strip};
use crate::channel::RobotCall;
use crate::host::FunctionError;
use crate::scope::Scope;

/// `ROBOT(item)`, `ROBOT(item,pool)`.
pub(super) fn robot(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(item) = parts.first() else { return wrong(USAGE) };
    let item = strip(item).to_ascii_lowercase();
    if let Some(pool) = parts.get(1) {
        let Some(view) = scope.host.robot_pool(strip(pool).into()) else {
            let message = format!("there is no pool of robots {:?}", strip(pool).as_bstr());
            return Err(FunctionError::Arguments(message));
        };
        let figure = match item.as_slice() {
            b"robots" => view.robots,
            b"lines" => view.lines,
            b"busy" => view.busy,
            b"free" => view.lines.saturating_sub(view.busy),
            b"load" => view.load,
            _ => return wrong("of a pool: robots, lines, busy, free or load"),
        };
        out.extend_from_slice(figure.to_string().as_bytes());
        return Ok(());
    }
    let robot = &*scope.state.channel.robot;
    if item == b"private" {
        out.push(b'0' + u8::from(robot.is_private));
        return Ok(());
    }
    let Some(text) = text(robot, &item) else { return wrong(USAGE) };
    out.extend_from_slice(text);
    Ok(())
}

/// `Set(ROBOT(user)=4711)`: what is known better.
pub(super) fn set_robot(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let robot = &mut *scope.state.channel.robot;
    let field = match strip(arguments).to_ascii_lowercase().as_slice() {
        b"user" => &mut robot.user,
        b"name" => &mut robot.name,
        b"reason" => &mut robot.reason,
        b"number" => &mut robot.number,
        b"pool" => &mut robot.pool,
        _ => return wrong("what can be set is user, name, reason, number or pool"),
    };
    *field = strip(value).into();
    Ok(())
}

fn text<'a>(robot: &'a RobotCall, item: &[u8]) -> Option<&'a [u8]> {
    Some(match item {
        b"user" => &robot.user,
        b"told" => &robot.told,
        b"name" => &robot.name,
        b"by" => &robot.by,
        b"reason" => &robot.reason,
        b"first" => &robot.first,
        b"number" => &robot.number,
        b"dialled" => &robot.dialled,
        b"pool" => &robot.pool,
        b"range" => &robot.range,
        _ => return None,
    })
}

const USAGE: &str = "requires one of user, told, name, by, reason, first, private, number, dialled, \
                     pool, range; or robots, lines, busy, free, load and a pool";
