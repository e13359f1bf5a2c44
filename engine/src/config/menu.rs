//! Menus of `confbridge.conf` (`type=menu`): what keys do in a conference room.

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::spelling::closest;

use super::codes;
use super::keys;
use super::named::Name;
use super::notes::Notes;
use super::setting::{Block, Setting};
use crate::media::Digit;

/// What the keys of a room do for those who have this menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuProfile {
    /// The section's name.
    pub name: BString,
    /// In the order of the file.
    pub entries: Vec<MenuEntry>,
}

impl Name for MenuProfile {
    fn name(&self) -> &BStr {
        self.name.as_ref()
    }
}

/// One line: keys, and what they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// One key or several, one after the other.
    pub keys: Vec<Digit>,
    /// Done in this order.
    pub actions: Vec<MenuAction>,
}

/// What keys do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MenuAction {
    /// `no_op`.
    Nothing,
    /// `playback(a&b)`: say these to whoever pressed the keys.
    Play(Vec<BString>),
    /// `playback_and_continue(a&b)`: the same, and a key meanwhile goes on from those pressed.
    Offer(Vec<BString>),
    /// `toggle_mute`.
    ToggleMute,
    /// `participant_count`: say how many there are.
    CountParticipants,
    /// `leave_conference`.
    Leave,
    /// `admin_kick_last`: send away who came last.
    KickLast,
    /// `admin_toggle_conference_lock`.
    ToggleLock,
    /// `admin_toggle_mute_participants`: all who are no administrators.
    ToggleMuteParticipants,
}

/// The menu of those whose `ConfBridge` names none, when the file has it.
pub const DEFAULT_MENU: &str = "default_menu";

/// Actions that are not here yet.
const LATER: [&str; 10] = [
    "decrease_listening_volume",
    "decrease_talking_volume",
    "dialplan_exec",
    "increase_listening_volume",
    "increase_talking_volume",
    "release_as_single_video_src",
    "reset_listening_volume",
    "reset_talking_volume",
    "set_as_single_video_src",
    "toggle_binaural",
];

/// Actions without an argument.
const SIMPLE: [(&str, MenuAction); 7] = [
    ("no_op", MenuAction::Nothing),
    ("toggle_mute", MenuAction::ToggleMute),
    ("participant_count", MenuAction::CountParticipants),
    ("leave_conference", MenuAction::Leave),
    ("admin_kick_last", MenuAction::KickLast),
    ("admin_toggle_conference_lock", MenuAction::ToggleLock),
    ("admin_toggle_mute_participants", MenuAction::ToggleMuteParticipants),
];

/// Reads a section of `type=menu`. What is no key or no action is an error, and what is not here yet
/// a warning.
pub(super) fn read(section: &Block<'_>, notes: &mut Notes) -> MenuProfile {
    let mut entries: Vec<MenuEntry> = vec![];
    section.each(&keys::MENU, notes, |name, setting| {
        if name == b"type" {
            return;
        }
        if name == b"template" {
            return setting.judge();
        }
        let digit = |byte: &u8| Digit::from_char(char::from(byte.to_ascii_uppercase()));
        let Some(keys) = name.iter().map(digit).collect::<Option<Vec<_>>>() else {
            let span = setting.span();
            let message = format!("`{}` are no keys", BStr::new(name));
            let help = "expected 0 to 9, *, # and A to D, such as *1=toggle_mute";
            return setting.notes.error(codes::VALUE_INVALID, span, message, help);
        };
        if let Some(actions) = actions(setting) {
            // A later line for the same keys counts, as in Asterisk.
            entries.retain(|entry| entry.keys != keys);
            entries.push(MenuEntry { keys, actions });
        }
    });
    MenuProfile { name: section.name().to_owned(), entries }
}

/// The actions of a line, separated by commas; `None` when they are wrong and that was said.
fn actions(mut setting: Setting<'_>) -> Option<Vec<MenuAction>> {
    let mut actions = vec![];
    for text in pieces(setting.value()) {
        let (name, argument) = match text.split_once_str("(") {
            Some((name, rest)) => (name, rest.strip_suffix(b")").unwrap_or(rest)),
            None => (text.as_bytes(), &b""[..]),
        };
        let name = BStr::new(name.trim_ascii());
        let files = || -> Vec<BString> {
            let files = argument.split_str("&").map(|file| file.trim_ascii());
            files.filter(|file| !file.is_empty()).map(Into::into).collect()
        };
        let simple = SIMPLE.iter().find(|(known, _)| *known == *name);
        match (name.as_bytes(), simple) {
            (_, Some((_, action))) => actions.push(action.clone()),
            (b"playback", None) if !files().is_empty() => actions.push(MenuAction::Play(files())),
            (b"playback_and_continue", None) if !files().is_empty() => {
                actions.push(MenuAction::Offer(files()));
            }
            _ if LATER.iter().any(|known| *known == *name) => {
                setting.later(name, "the keys do nothing of that");
            }
            _ => {
                let known = SIMPLE.iter().map(|(name, _)| *name).chain(LATER);
                let known = known.chain(["playback(file)", "playback_and_continue(file)"]);
                let near = closest(name, known.map(BStr::new));
                let expected = near.map_or_else(
                    || "an action, such as toggle_mute".to_owned(),
                    |near| format!("an action; did you mean `{near}`?"),
                );
                setting.invalid(&expected);
                return None;
            }
        }
    }
    Some(actions)
}

/// The parts between commas that are in no parentheses.
fn pieces(text: &BStr) -> Vec<&BStr> {
    let mut depth = 0_usize;
    let is_cut = |byte: &u8| {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *byte == b',' && depth == 0
    };
    let pieces = text.split(is_cut).map(|piece| piece.trim_ascii().as_bstr());
    pieces.filter(|piece| !piece.is_empty()).collect()
}
