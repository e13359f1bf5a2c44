//! Why a call ended: Q.850 causes, and how they become SIP status codes and back.
//!
//! Both ways are those of Asterisk's chan_pjsip, since dialplans decide by the numbers it gives.
//! Differs from RFC 3398 §8.2.6.1 where that would make two failures look the same: 503 is 34 and
//! not 41, 480 is 19, 408 is 18, 500 is 38. What the tables do not list becomes 480 or 127.

use std::fmt;

/// A cause value of ITU-T Q.850, 1 to 127.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cause(u8);

impl Cause {
    /// The number is not in use.
    pub const UNALLOCATED: Self = Self(1);
    /// Nobody knows the way there.
    pub const NO_ROUTE: Self = Self(3);
    /// Nothing special: one side hung up.
    pub const NORMAL_CLEARING: Self = Self(16);
    /// The callee is busy.
    pub const USER_BUSY: Self = Self(17);
    /// The callee's device does not react.
    pub const NO_USER_RESPONSE: Self = Self(18);
    /// Nobody picked up in time.
    pub const NO_ANSWER: Self = Self(19);
    /// The callee is not registered.
    pub const SUBSCRIBER_ABSENT: Self = Self(20);
    /// The callee refuses.
    pub const CALL_REJECTED: Self = Self(21);
    /// The number moved.
    pub const NUMBER_CHANGED: Self = Self(22);
    /// The call went around, or too far.
    pub const EXCHANGE_ROUTING_ERROR: Self = Self(25);
    /// The callee forwards, and the caller does not want that.
    pub const BUSY_FORWARD: Self = Self(23);
    /// Somebody else was faster.
    pub const ANSWERED_ELSEWHERE: Self = Self(26);
    /// The number has too few digits.
    pub const INVALID_NUMBER_FORMAT: Self = Self(28);
    /// Cleared, for no reason that has a number of its own.
    pub const NORMAL_UNSPECIFIED: Self = Self(31);
    /// No channel, port or place left.
    pub const CONGESTION: Self = Self(34);
    /// A part of the network failed.
    pub const NETWORK_OUT_OF_ORDER: Self = Self(38);
    /// A passing failure.
    pub const TEMPORARY_FAILURE: Self = Self(41);
    /// Too much traffic.
    pub const SWITCH_CONGESTION: Self = Self(42);
    /// The channel can not be used.
    pub const CHANNEL_UNAVAILABLE: Self = Self(44);
    /// No codec in common.
    pub const BEARER_NOT_IMPLEMENTED: Self = Self(65);
    /// There is no such kind of channel.
    pub const UNKNOWN_TECHNOLOGY: Self = Self(66);
    /// A timer of the protocol ran out.
    pub const RECOVERY_ON_TIMER: Self = Self(102);
    /// Something that has no other cause.
    pub const INTERWORKING: Self = Self(127);

    /// The cause of this number, or `None` outside 1 to 127.
    pub const fn new(number: u8) -> Option<Self> {
        if matches!(number, 1..=127) { Some(Self(number)) } else { None }
    }

    /// The number in Q.850.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// What the cause means, as in a `Reason` header's text.
    pub const fn text(self) -> &'static str {
        match self.0 {
            1 => "Unallocated number",
            2 | 3 => "No route to destination",
            16 => "Normal call clearing",
            17 => "User busy",
            18 => "No user responding",
            19 => "No answer",
            20 => "Subscriber absent",
            21 => "Call rejected",
            22 => "Number changed",
            23 => "Redirected to new destination",
            25 => "Exchange routing error",
            26 => "Answered elsewhere",
            27 => "Destination out of order",
            28 => "Invalid number format",
            29 => "Facility rejected",
            31 => "Normal, unspecified",
            34 => "Circuit/channel congestion",
            38 => "Network out of order",
            41 => "Temporary failure",
            42 => "Switching equipment congestion",
            44 => "Requested channel not available",
            47 => "Resource unavailable",
            50 | 69 => "Facility not available",
            57 => "Bearer capability not authorized",
            58 => "Bearer capability not available",
            65 => "Bearer capability not implemented",
            66 => "Channel type not implemented",
            88 => "Incompatible destination",
            102 => "Recovery on timer expiry",
            111 => "Protocol error",
            127 => "Interworking",
            _ => "Unspecified",
        }
    }

    /// The final status that refuses a call for this cause before it is answered.
    pub const fn status(self) -> u16 {
        match self.0 {
            1..=3 | 26 => 404,
            17 => 486,
            18 => 408,
            19 | 20 | 31 => 480,
            21 => 603,
            22 | 23 => 410,
            27 => 502,
            28 => 484,
            25 => 483,
            29 | 69 | 79 => 501,
            34 | 41 | 42 | 47 | 66 | 88 => 503,
            55 | 57 | 87 => 403,
            58 | 65 | 70 => 488,
            102 => 504,
            38 | 111 | 127 => 500,
            // Normal clearing before an answer is a refusal without more to say.
            16 => 603,
            _ => 480,
        }
    }

    /// The cause behind a status that refused our call.
    pub const fn from_status(status: u16) -> Self {
        match status {
            401..=403 | 407 | 603 => Self::CALL_REJECTED,
            404 | 485 | 604 => Self::UNALLOCATED,
            408 => Self::NO_USER_RESPONSE,
            409 => Self::TEMPORARY_FAILURE,
            410 => Self::NUMBER_CHANGED,
            420 => Self::NO_ROUTE,
            480 | 483 => Self::NO_ANSWER,
            484 => Self::INVALID_NUMBER_FORMAT,
            486 | 600 => Self::USER_BUSY,
            487 => Self::NORMAL_CLEARING,
            488 | 606 => Self(58),
            500 => Self::NETWORK_OUT_OF_ORDER,
            501 => Self(29),
            502 => Self(27),
            504 => Self::RECOVERY_ON_TIMER,
            505 => Self::INTERWORKING,
            503 | 506..=599 => Self::CONGESTION,
            _ => Self::INTERWORKING,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_callee_is_486_both_ways() {
        assert_eq!(Cause::USER_BUSY.status(), 486);
        assert_eq!(Cause::from_status(486), Cause::USER_BUSY);
        assert_eq!(Cause::from_status(600), Cause::USER_BUSY);
    }

    #[test]
    fn every_cause_refuses_with_a_final_failure() {
        for cause in (1..=127).filter_map(Cause::new) {
            assert!((400..700).contains(&cause.status()), "{cause}");
        }
        assert_eq!(Cause::new(0), None);
        assert_eq!(Cause::new(128), None);
    }

    #[test]
    fn every_failure_has_a_cause() {
        for status in 300..700 {
            assert!((1..=127).contains(&Cause::from_status(status).number()));
        }
    }
}
