//! The states of devices and extensions, and how several become one.

use std::fmt;

/// What a device does, by the names that `DEVICE_STATE` has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceState {
    /// Nothing is known of it.
    Unknown,
    /// It can be reached and does nothing.
    NotInUse,
    /// It is in a call.
    InUse,
    /// It is in as many calls as it takes.
    Busy,
    /// There is no such device.
    Invalid,
    /// It cannot be reached: not registered, or not answering.
    Unavailable,
    /// It rings.
    Ringing,
    /// It rings while in a call.
    RingInUse,
    /// It holds its call.
    OnHold,
}

impl DeviceState {
    /// The name the dialplan has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::NotInUse => "NOT_INUSE",
            Self::InUse => "INUSE",
            Self::Busy => "BUSY",
            Self::Invalid => "INVALID",
            Self::Unavailable => "UNAVAILABLE",
            Self::Ringing => "RINGING",
            Self::RingInUse => "RINGINUSE",
            Self::OnHold => "ONHOLD",
        }
    }

    /// The state of this name, in whatever case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|state| name.eq_ignore_ascii_case(state.name().as_bytes()))
    }

    /// Which state wins when several devices make one: the greater does.
    const fn rank(self) -> u8 {
        match self {
            Self::Invalid => 0,
            Self::Unknown => 1,
            Self::Unavailable => 2,
            Self::NotInUse => 3,
            Self::OnHold => 4,
            Self::Ringing => 5,
            Self::InUse => 6,
            Self::Busy => 7,
            Self::RingInUse => 8,
        }
    }

    /// Whether somebody talks there.
    const fn is_talking(self) -> bool {
        matches!(self, Self::InUse | Self::Busy | Self::RingInUse | Self::OnHold)
    }

    const ALL: [Self; 9] = [
        Self::Unknown,
        Self::NotInUse,
        Self::InUse,
        Self::Busy,
        Self::Invalid,
        Self::Unavailable,
        Self::Ringing,
        Self::RingInUse,
        Self::OnHold,
    ];
}

impl fmt::Display for DeviceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One state for several devices: one that talks and another that rings are ringing while in use,
/// else the state of the highest rank. No device at all is [`DeviceState::Invalid`].
pub fn combine(states: impl IntoIterator<Item = DeviceState>) -> DeviceState {
    let (mut best, mut talking, mut ringing) = (DeviceState::Invalid, false, false);
    for state in states {
        talking |= state.is_talking();
        ringing |= state == DeviceState::Ringing;
        if state.rank() > best.rank() {
            best = state;
        }
    }
    if talking && ringing { DeviceState::RingInUse } else { best }
}

/// The calls of one device, counted by the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallsOfDevice {
    /// Calls to it that it has not answered.
    pub ringing: u32,
    /// Calls it is in, and calls it makes.
    pub up: u32,
    /// How many of `up` are on hold.
    pub held: u32,
    /// At how many calls it counts as busy (`device_state_busy_at`); zero for never.
    pub busy_at: u32,
}

impl CallsOfDevice {
    /// The state of a device with these calls that can be reached.
    pub const fn state(self) -> DeviceState {
        if self.ringing > 0 && self.up > 0 {
            DeviceState::RingInUse
        } else if self.ringing > 0 {
            DeviceState::Ringing
        } else if self.busy_at > 0 && self.up >= self.busy_at {
            DeviceState::Busy
        } else if self.up > 0 && self.held == self.up {
            DeviceState::OnHold
        } else if self.up > 0 {
            DeviceState::InUse
        } else {
            DeviceState::NotInUse
        }
    }
}

/// What an extension with a hint does, as its watchers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExtensionState {
    /// No device of it does anything.
    Idle,
    /// A device of it is in a call.
    InUse,
    /// All that its devices take.
    Busy,
    /// None of its devices can be reached.
    Unavailable,
    /// A device of it rings.
    Ringing,
    /// One rings, one is in a call.
    InUseAndRinging,
    /// Its call is on hold.
    OnHold,
}

impl ExtensionState {
    /// The name `EXTENSION_STATE` has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "NOT_INUSE",
            Self::InUse => "INUSE",
            Self::Busy => "BUSY",
            Self::Unavailable => "UNAVAILABLE",
            Self::Ringing => "RINGING",
            Self::InUseAndRinging => "RINGINUSE",
            Self::OnHold => "ONHOLD",
        }
    }
}

impl From<DeviceState> for ExtensionState {
    fn from(state: DeviceState) -> Self {
        match state {
            // A device nobody knows of is shown as idle, so that its key can be pressed.
            DeviceState::Unknown | DeviceState::NotInUse => Self::Idle,
            DeviceState::InUse => Self::InUse,
            DeviceState::Busy => Self::Busy,
            DeviceState::Invalid | DeviceState::Unavailable => Self::Unavailable,
            DeviceState::Ringing => Self::Ringing,
            DeviceState::RingInUse => Self::InUseAndRinging,
            DeviceState::OnHold => Self::OnHold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CallsOfDevice, DeviceState, combine};

    #[test]
    fn one_that_talks_and_one_that_rings_are_ringing_in_use() {
        use DeviceState::*;
        assert_eq!(combine([Ringing, InUse]), RingInUse);
        assert_eq!(combine([OnHold, Ringing]), RingInUse);
        assert_eq!(combine([NotInUse, Ringing]), Ringing);
        assert_eq!(combine([InUse, Busy, NotInUse]), Busy);
        assert_eq!(combine([Unavailable, NotInUse]), NotInUse);
        assert_eq!(combine([Unavailable, Invalid]), Unavailable);
        assert_eq!(combine([]), Invalid);
    }

    #[test]
    fn the_order_of_devices_does_not_matter() {
        for a in DeviceState::ALL {
            for b in DeviceState::ALL {
                assert_eq!(combine([a, b]), combine([b, a]), "{a} {b}");
                assert_eq!(DeviceState::parse(a.name().to_lowercase().as_bytes()), Some(a));
            }
        }
    }

    #[test]
    fn calls_of_a_device_are_its_state() {
        let calls = |ringing, up, held, busy_at| {
            CallsOfDevice { ringing, up, held, busy_at }.state().name()
        };
        assert_eq!(calls(0, 0, 0, 0), "NOT_INUSE");
        assert_eq!(calls(1, 0, 0, 0), "RINGING");
        assert_eq!(calls(1, 1, 0, 0), "RINGINUSE");
        assert_eq!(calls(0, 1, 1, 0), "ONHOLD");
        assert_eq!(calls(0, 2, 1, 0), "INUSE");
        assert_eq!(calls(0, 2, 1, 2), "BUSY");
    }
}
