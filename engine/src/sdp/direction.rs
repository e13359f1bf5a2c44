//! Which way media flows, as the two sides put it (RFC 3264 §6.1).

use crate::media::Direction;

pub(super) fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::SendReceive => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::ReceiveOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

/// What one side's direction is for the other.
pub(super) fn reverse(direction: Direction) -> Direction {
    match direction {
        Direction::SendOnly => Direction::ReceiveOnly,
        Direction::ReceiveOnly => Direction::SendOnly,
        both @ (Direction::SendReceive | Direction::Inactive) => both,
    }
}

/// What both allow.
pub(super) fn common(a: Direction, b: Direction) -> Direction {
    let sends = a.is_sending() && b.is_sending();
    let receives = a.is_receiving() && b.is_receiving();
    match (sends, receives) {
        (true, true) => Direction::SendReceive,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::ReceiveOnly,
        (false, false) => Direction::Inactive,
    }
}

pub(super) fn without_sending(direction: Direction) -> Direction {
    common(direction, Direction::ReceiveOnly)
}
