//! What is known about the names of settings: which are read, which belong to something that is not
//! here yet, and which of their values make no difference.
//!
//! Each kind of section has one [`KeyTable`]. A name that is in none of its lists is a mistake, and
//! the nearest name of the table is proposed. A name in both lists is read into the settings, and
//! said to have no effect yet: once the engine heeds it, its row among the later ones goes.

use bstr::{BStr, ByteSlice};

use super::value::{nearest, yes_no};

/// The names that one kind of section may hold.
pub(super) struct KeyTable {
    /// The kind of section, for messages: "endpoint", "transport".
    pub(super) kind: &'static str,
    /// Names that end up in the settings.
    pub(super) read: &'static [&'static str],
    /// Names without effect, by what happens instead.
    pub(super) later: &'static [Later],
}

/// Names of settings that belong to one thing that is not here yet.
pub(super) struct Later {
    /// What happens instead, as the end of the sentence "... is not supported yet: ...".
    pub(super) instead: &'static str,
    /// Whether going on without them would let in what they keep out.
    pub(super) severity: Severity,
    /// The names, each with the values that ask for nothing that is missing.
    pub(super) keys: &'static [(&'static str, Harmless)],
}

/// How bad it is that a setting has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// The rest works without it.
    Warn,
    /// The setting protects something; without it the configuration must not run.
    Refuse,
}

/// The values of a setting that ask for nothing more than what happens anyway.
#[derive(Clone, Copy, Debug)]
pub(super) enum Harmless {
    /// There are none.
    Never,
    /// All: the setting has no meaning without another one that is named.
    Always,
    /// No, off, false, or nothing.
    Off,
    /// Yes, on, true.
    On,
    /// Zero.
    Zero,
    /// These words, in any letter case.
    Words(&'static [&'static str]),
}

/// What the table says about a name.
pub(super) enum Standing {
    /// It is read and takes effect.
    Read,
    /// It has no effect, and this value of it asks for none.
    Harmless,
    /// It has no effect, though this value asks for one.
    Later(&'static Later),
    /// No such name is known; this one is near.
    Unknown(Option<&'static str>),
}

impl KeyTable {
    /// What is known about `name` with `value`. Names are taken in any letter case.
    pub(super) fn standing(&self, name: &BStr, value: &BStr) -> Standing {
        let same = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        for later in self.later {
            if let Some((_, harmless)) = later.keys.iter().find(|(known, _)| same(known)) {
                return if harmless.holds(value) {
                    Standing::Harmless
                } else {
                    Standing::Later(later)
                };
            }
        }
        if self.reads(name) {
            return Standing::Read;
        }
        Standing::Unknown(nearest(name, self.names()))
    }

    /// Whether a setting of this name ends up in the settings.
    pub(super) fn reads(&self, name: &BStr) -> bool {
        self.read.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    }

    /// All known names.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let later = self.later.iter().flat_map(|later| later.keys).map(|(name, _)| *name);
        self.read.iter().copied().chain(later)
    }
}

impl Harmless {
    fn holds(self, value: &BStr) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Off => value.is_empty() || yes_no(value) == Some(false),
            Self::On => yes_no(value) == Some(true),
            Self::Zero => {
                value.to_str().is_ok_and(|text| text.parse::<f64>().is_ok_and(|n| n == 0.0))
            }
            Self::Words(words) => words.iter().any(|w| value.eq_ignore_ascii_case(w.as_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: KeyTable = KeyTable {
        kind: "endpoint",
        read: &["context", "allow", "timeout"],
        later: &[Later {
            instead: "media is not encrypted",
            severity: Severity::Warn,
            keys: &[
                ("media_encryption", Harmless::Words(&["no"])),
                ("webrtc", Harmless::Off),
                ("timeout", Harmless::Zero),
            ],
        }],
    };

    #[test]
    fn names_are_read_later_or_unknown() {
        let standing = |name: &str, value: &str| TABLE.standing(name.into(), value.into());
        assert!(matches!(standing("Context", "x"), Standing::Read));
        assert!(matches!(standing("webrtc", "no"), Standing::Harmless));
        assert!(matches!(standing("media_encryption", "No"), Standing::Harmless));
        assert!(matches!(standing("timeout", "0.0"), Standing::Harmless));
        assert!(matches!(standing("timeout", "30"), Standing::Later(_)));
        assert!(matches!(standing("webrtc", "yes"), Standing::Later(_)));
        assert!(TABLE.reads("timeout".into()), "it is read, for the day it takes effect");
        assert!(matches!(standing("contxt", "x"), Standing::Unknown(Some("context"))));
        assert!(matches!(standing("colour", "x"), Standing::Unknown(None)));
    }
}
