//! What a hint refers to: `PJSIP/100&Custom:night,CustomPresence:100`.

use bstr::{BStr, BString, ByteSlice};

/// The devices of a hint, and who tells the presence of its person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hint {
    /// Its devices, in order.
    pub devices: Vec<Device>,
    /// The presence provider after the first comma, when there is one.
    pub presence: Option<BString>,
}

/// One device of a hint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Device {
    /// A configured peer: `PJSIP/100`, and `SIP/100` of older files.
    Peer(BString),
    /// A state that the dialplan sets: `Custom:night`.
    Custom(BString),
    /// A conference room: `confbridge:600`.
    Conference(BString),
    /// A parking place: `park:701@parkedcalls`.
    Parking(BString),
    /// A dialplan extension: `Local/100@phones`.
    Local(BString),
    /// Of a kind that is not here: its state is invalid.
    Other(BString),
}

impl Hint {
    /// What the text of a hint, with its variables replaced, refers to. Empty parts are left out.
    pub fn parse(text: &[u8]) -> Self {
        let (devices, presence) = match text.split_once_str(",") {
            Some((devices, presence)) => (devices, Some(presence.trim_ascii())),
            None => (text, None),
        };
        Self {
            devices: devices
                .split_str("&")
                .map(<[u8]>::trim_ascii)
                .filter(|name| !name.is_empty())
                .map(Device::parse)
                .collect(),
            presence: presence.filter(|name| !name.is_empty()).map(BString::from),
        }
    }
}

impl Device {
    /// The device of this name, as `DEVICE_STATE` and hints write it.
    pub fn parse(name: &[u8]) -> Self {
        // Technologies are told from their devices by a slash, providers by a colon.
        let at = name.find_byteset("/:");
        let Some((kind, rest)) = at.map(|at| (&name[..at], &name[at + 1..])) else {
            return Self::Other(name.into());
        };
        let slash = at.is_some_and(|at| name[at] == b'/');
        let is = |word: &str| kind.eq_ignore_ascii_case(word.as_bytes());
        match slash {
            true if is("PJSIP") || is("SIP") => Self::Peer(rest.into()),
            true if is("Local") => Self::Local(rest.into()),
            false if is("Custom") => Self::Custom(rest.into()),
            false if is("confbridge") || is("Meetme") => Self::Conference(rest.into()),
            false if is("park") => Self::Parking(rest.into()),
            _ => Self::Other(name.into()),
        }
    }

    /// The device as hints write it.
    pub fn to_bytes(&self) -> BString {
        let prefix: &[u8] = match self {
            Self::Peer(_) => b"PJSIP/",
            Self::Custom(_) => b"Custom:",
            Self::Conference(_) => b"confbridge:",
            Self::Parking(_) => b"park:",
            Self::Local(_) => b"Local/",
            Self::Other(_) => b"",
        };
        [prefix, self.name()].concat().into()
    }

    /// The name by which a change of this device's state is found in hints: that of a peer without
    /// technology, so that `SIP/100` and `PJSIP/100` are one.
    pub fn name(&self) -> &BStr {
        match self {
            Self::Peer(name)
            | Self::Custom(name)
            | Self::Conference(name)
            | Self::Parking(name)
            | Self::Local(name)
            | Self::Other(name) => name.as_bstr(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Device, Hint};

    #[test]
    fn devices_stand_before_the_first_comma_and_presence_after_it() {
        let hint =
            Hint::parse(b"PJSIP/100&SIP/a-b&Custom:night & confbridge:600,CustomPresence:100,x");
        assert_eq!(
            hint.devices,
            [
                Device::Peer("100".into()),
                Device::Peer("a-b".into()),
                Device::Custom("night".into()),
                Device::Conference("600".into()),
            ]
        );
        assert_eq!(hint.presence.as_deref().map(Vec::as_slice), Some(&b"CustomPresence:100,x"[..]));
    }

    #[test]
    fn what_is_not_known_is_kept_by_name() {
        let hint = Hint::parse(b"DAHDI/1&&ccss:x&plain,");
        assert_eq!(
            hint.devices,
            [
                Device::Other("DAHDI/1".into()),
                Device::Other("ccss:x".into()),
                Device::Other("plain".into()),
            ]
        );
        assert_eq!(hint.presence, None);
    }
}
