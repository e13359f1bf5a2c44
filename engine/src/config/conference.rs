//! `confbridge.conf`: profiles of conference rooms and of their participants.

use bstr::{BStr, BString, ByteSlice};

use super::codes;
use super::key::{KeyTable, Standing};
use super::keys;
use super::menu::{DEFAULT_MENU, MenuError, MenuProfile};
use super::named::{Name, Named};
use super::notes::Notes;
use super::profile::{BridgeProfile, OptionError, UserProfile};
use super::setting::Block;
use super::settings::{ConferenceSettings, DEFAULT_BRIDGE, DEFAULT_USER};
use super::value::nearest;

/// Reads all sections of the file.
pub(super) fn read(sections: &[Block<'_>], notes: &mut Notes) -> ConferenceSettings {
    let mut settings = ConferenceSettings {
        bridges: Named::default(),
        users: Named::default(),
        menus: Named::default(),
    };
    for section in sections {
        if section.is("general") {
            section.each(&keys::CONFBRIDGE_GENERAL, notes, |_, setting| setting.judge());
            continue;
        }
        let kind = section.kind();
        let Some(kind) = kind else {
            notes.warn(
                codes::SETTING_MISSING,
                section.header,
                format!("[{}] has no `type`", section.name()),
                "the section is ignored; add type=bridge or type=user",
            );
            continue;
        };
        match kind.value().to_ascii_lowercase().as_slice() {
            b"bridge" => read_bridge(section, &mut settings.bridges, notes),
            b"user" => read_user(section, &mut settings.users, notes),
            b"menu" => {
                let menu = super::menu::read(section, notes);
                insert(&mut settings.menus, menu, section, "menu", notes);
            }
            _ => {
                let help = match nearest(kind.value().as_bstr(), ["bridge", "user", "menu"]) {
                    Some(nearest) => format!("did you mean type={nearest}? The section is ignored"),
                    None => {
                        "expected `bridge`, `user` or `menu`; the section is ignored".to_owned()
                    }
                };
                let message = format!("there is no section type `{}`", kind.value());
                notes.warn(codes::SECTION_UNKNOWN, kind.value_span(), message, &help);
            }
        }
    }
    // An error means that the profile is there already.
    let _ = settings.bridges.insert(BridgeProfile::new(DEFAULT_BRIDGE));
    let _ = settings.users.insert(UserProfile::new(DEFAULT_USER));
    settings
}

fn read_bridge(section: &Block<'_>, bridges: &mut Named<BridgeProfile>, notes: &mut Notes) {
    let mut profile = BridgeProfile::new(section.name().to_owned());
    section.each(&keys::BRIDGE, notes, |name, setting| match name {
        b"type" => {}
        _ => match profile.set(name, setting.value()) {
            Ok(()) => {}
            Err(OptionError::Unknown) => setting.judge(),
            Err(OptionError::Expected(expected)) => setting.invalid(expected),
        },
    });
    insert(bridges, profile, section, "bridge", notes);
}

fn read_user(section: &Block<'_>, users: &mut Named<UserProfile>, notes: &mut Notes) {
    let mut profile = UserProfile::new(section.name().to_owned());
    let mut bad_pin = false;
    section.each(&keys::USER, notes, |name, setting| match name {
        b"type" => {}
        // Not said again in a message.
        b"pin" => bad_pin = profile.set(name, setting.value()).is_err(),
        _ => match profile.set(name, setting.value()) {
            Ok(()) => {}
            Err(OptionError::Unknown) => setting.judge(),
            Err(OptionError::Expected(expected)) => setting.invalid(expected),
        },
    });
    if bad_pin {
        notes.error(
            codes::VALUE_INVALID,
            section.header,
            format!(
                "the `pin` of user profile [{}] has other characters than digits",
                section.name()
            ),
            "a caller can enter digits only",
        );
    }
    insert(users, profile, section, "user", notes);
}

/// A profile that can not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProfileError {
    /// No section of that kind and name.
    #[error("there is no {kind} {name:?}")]
    Missing {
        /// `bridge profile`, `user profile` or `menu`.
        kind: &'static str,
        /// What was asked for.
        name: BString,
    },
    /// An option that `CONFBRIDGE()` gave.
    #[error("CONFBRIDGE({kind},{option}): {why}")]
    Option {
        /// `bridge`, `user` or `menu`.
        kind: &'static str,
        /// Which.
        option: BString,
        /// What is wrong with it.
        why: String,
    },
}

impl ConferenceSettings {
    /// The profile of this name; without one, that of the template and options which the dialplan
    /// chose; without those, the default one.
    pub(crate) fn bridge<'a>(
        &self,
        named: Option<&BStr>,
        chosen: impl Iterator<Item = (&'a BStr, &'a BStr)> + Clone,
    ) -> Result<BridgeProfile, ProfileError> {
        let base = Base { kind: "bridge", called: "bridge profile", usual: DEFAULT_BRIDGE };
        let (profile, options) = base.of(&self.bridges, named, chosen)?;
        let mut profile = profile.ok_or_else(|| base.missing(DEFAULT_BRIDGE.into()))?.clone();
        for (option, value) in options {
            let taken = profile.set(option, value);
            base.judge(&keys::BRIDGE, taken, option, value)?;
        }
        Ok(profile)
    }

    /// The same for participants.
    pub(crate) fn user<'a>(
        &self,
        named: Option<&BStr>,
        chosen: impl Iterator<Item = (&'a BStr, &'a BStr)> + Clone,
    ) -> Result<UserProfile, ProfileError> {
        let base = Base { kind: "user", called: "user profile", usual: DEFAULT_USER };
        let (profile, options) = base.of(&self.users, named, chosen)?;
        let mut profile = profile.ok_or_else(|| base.missing(DEFAULT_USER.into()))?.clone();
        for (option, value) in options {
            let taken = profile.set(option, value);
            base.judge(&keys::USER, taken, option, value)?;
        }
        Ok(profile)
    }

    /// The same for keys; there need not be a default menu.
    pub(crate) fn menu<'a>(
        &self,
        named: Option<&BStr>,
        chosen: impl Iterator<Item = (&'a BStr, &'a BStr)> + Clone,
    ) -> Result<MenuProfile, ProfileError> {
        let base = Base { kind: "menu", called: "menu", usual: DEFAULT_MENU };
        // Keys that the dialplan chose are a menu of their own.
        let is_own = named.is_none_or(|name| name.is_empty()) && chosen.clone().next().is_some();
        let (profile, options) = base.of(&self.menus, named, chosen)?;
        let usual = profile.filter(|menu| !is_own || menu.name != DEFAULT_MENU);
        let mut profile = usual.cloned().unwrap_or_else(|| MenuProfile::new(""));
        for (option, value) in options {
            let refused = |why: String| base.refused(option, why);
            match profile.set(option, value) {
                Ok(absent) if absent.is_empty() => {}
                Ok(absent) => return Err(refused(format!("{} is not supported", absent[0]))),
                Err(MenuError::NoKeys) => return Err(refused(MenuError::KEYS.into())),
                Err(MenuError::Expected(expected)) => {
                    return Err(refused(format!("expected {expected}")));
                }
            }
        }
        Ok(profile)
    }

    /// Whether the dialplan may choose this for its next conference.
    pub(crate) fn check(
        &self,
        kind: &[u8],
        option: &BStr,
        value: &BStr,
    ) -> Result<(), ProfileError> {
        let chosen = std::iter::once((option, value));
        match kind {
            b"bridge" => self.bridge(None, chosen).map(|_| ()),
            b"user" => self.user(None, chosen).map(|_| ()),
            _ => self.menu(None, chosen).map(|_| ()),
        }
    }
}

/// Names and values.
type Options<'a> = Vec<(&'a BStr, &'a BStr)>;

/// A kind of profile.
#[derive(Clone, Copy)]
struct Base {
    kind: &'static str,
    called: &'static str,
    usual: &'static str,
}

impl Base {
    /// The profile to begin with, and the options that change it.
    fn of<'n, 'a, T: Name>(
        &self,
        profiles: &'n Named<T>,
        named: Option<&BStr>,
        chosen: impl Iterator<Item = (&'a BStr, &'a BStr)> + Clone,
    ) -> Result<(Option<&'n T>, Options<'a>), ProfileError> {
        if let Some(name) = named.filter(|name| !name.is_empty()) {
            let profile = profiles.get(name).ok_or_else(|| self.missing(name))?;
            return Ok((Some(profile), vec![]));
        }
        let (mut template, mut options) = (None, vec![]);
        for (option, value) in chosen {
            match option.as_bytes() {
                b"template" => template = Some(value),
                _ => options.push((option, value)),
            }
        }
        let profile = match template {
            Some(name) => Some(profiles.get(name).ok_or_else(|| self.missing(name))?),
            None => profiles.get(self.usual.into()),
        };
        Ok((profile, options))
    }

    fn judge(
        &self,
        table: &KeyTable,
        taken: Result<(), OptionError>,
        option: &BStr,
        value: &BStr,
    ) -> Result<(), ProfileError> {
        match (taken, table.standing(option, value)) {
            (Err(OptionError::Expected(expected)), _) => {
                Err(self.refused(option, format!("expected {expected}")))
            }
            (_, Standing::Read | Standing::Harmless) => Ok(()),
            (_, Standing::Later(later)) => {
                Err(self.refused(option, format!("not supported: {}", later.instead)))
            }
            (_, Standing::Unknown(near)) => {
                let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                Err(self.refused(option, format!("there is no such option{near}")))
            }
        }
    }

    fn refused(&self, option: &BStr, why: String) -> ProfileError {
        ProfileError::Option { kind: self.kind, option: option.to_owned(), why }
    }

    fn missing(&self, name: &BStr) -> ProfileError {
        ProfileError::Missing { kind: self.called, name: name.to_owned() }
    }
}

fn insert<T: Name>(
    named: &mut Named<T>,
    profile: T,
    section: &Block<'_>,
    kind: &str,
    notes: &mut Notes,
) {
    if named.insert(profile).is_err() {
        notes.error(
            codes::DEFINED_TWICE,
            section.header,
            format!("there are two sections [{}] of type={kind}", section.name()),
            "give one another name, or add to the first with [name](+)",
        );
    }
}
