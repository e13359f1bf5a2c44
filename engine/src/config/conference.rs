//! `confbridge.conf`: profiles of conference rooms and of their participants.

use bstr::ByteSlice;

use super::codes;
use super::keys;
use super::named::{Name, Named};
use super::notes::Notes;
use super::secret::Secret;
use super::setting::Block;
use super::settings::{
    BridgeProfile, ConferenceRecording, ConferenceSettings, DEFAULT_BRIDGE, DEFAULT_USER,
    UserProfile,
};
use super::value::nearest;

/// A room of more is refused by name rather than promised.
const MAX_MEMBERS: u32 = 100_000;

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
    let mut max_members = 0_u32;
    let (mut records, mut recording) = (false, ConferenceRecording::default());
    section.each(&keys::BRIDGE, notes, |name, setting| match name {
        b"type" => {}
        b"max_members" => setting.number(&mut max_members, 0..=MAX_MEMBERS),
        b"record_conference" => setting.yes_no(&mut records),
        b"record_file" => setting.text(&mut recording.file),
        b"record_file_append" => setting.yes_no(&mut recording.appends),
        b"record_file_timestamp" => setting.yes_no(&mut recording.has_time),
        b"sound_join" => setting.text(&mut profile.sound_join),
        b"sound_leave" => setting.text(&mut profile.sound_leave),
        _ => setting.judge(),
    });
    profile.recording = records.then_some(recording);
    profile.max_members = usize::try_from(max_members).ok().filter(|max| *max > 0);
    insert(bridges, profile, section, "bridge", notes);
}

fn read_user(section: &Block<'_>, users: &mut Named<UserProfile>, notes: &mut Notes) {
    let mut profile = UserProfile::new(section.name().to_owned());
    let mut bad_pin = false;
    section.each(&keys::USER, notes, |name, setting| match name {
        b"type" => {}
        b"admin" => setting.yes_no(&mut profile.admin),
        b"announce_only_user" => setting.yes_no(&mut profile.announce_only_user),
        b"announce_user_count" => setting.yes_no(&mut profile.announce_user_count),
        b"end_marked" => setting.yes_no(&mut profile.end_marked),
        b"marked" => setting.yes_no(&mut profile.marked),
        b"pin" => {
            let pin = setting.value();
            bad_pin = !pin.iter().all(u8::is_ascii_digit);
            profile.pin = (!pin.is_empty()).then(|| Secret::new(pin));
        }
        b"quiet" => setting.yes_no(&mut profile.quiet),
        b"startmuted" => setting.yes_no(&mut profile.start_muted),
        b"wait_marked" => setting.yes_no(&mut profile.wait_marked),
        _ => setting.judge(),
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
