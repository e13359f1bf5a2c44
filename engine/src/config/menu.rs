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
    /// `increase_listening_volume` and its like.
    Volume(VolumeOf, VolumeChange),
    /// Of a conference with a master (`videoshare.conf`).
    Meeting(MeetingKey),
    /// `dialplan_exec(context,extension,priority)`: run this outside of the room, and come back.
    Dialplan {
        /// Where to begin.
        context: BString,
        /// Where to begin.
        extension: BString,
        /// A number or a label.
        priority: BString,
    },
}

/// What the master of a conference does by keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeetingKey {
    /// Call those of the list whom nobody called yet.
    CallAll,
    /// Call somebody again, by place in the list.
    CallAgain,
    /// Send somebody away, by place in the list.
    Remove,
    /// Call a number.
    Dial,
    /// Record, or record no more.
    Record,
    /// End the conference.
    End,
}

impl MeetingKey {
    /// Whether digits follow, up to `#`.
    pub(crate) const fn needs_number(self) -> bool {
        matches!(self, Self::CallAgain | Self::Remove | Self::Dial)
    }
}

/// Which volume keys change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeOf {
    /// Of what one hears.
    Listening,
    /// Of what the others hear of one.
    Talking,
}

/// How keys change a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeChange {
    /// Louder by a step.
    Increase,
    /// Quieter by a step.
    Decrease,
    /// As it was.
    Reset,
}

/// The menu of those whose `ConfBridge` names none, when the file has it.
pub const DEFAULT_MENU: &str = "default_menu";

/// Actions that are not here: rooms have neither video nor directions of sound.
const ABSENT: [&str; 3] =
    ["release_as_single_video_src", "set_as_single_video_src", "toggle_binaural"];

/// Actions without an argument.
const SIMPLE: [(&str, MenuAction); 13] = [
    ("no_op", MenuAction::Nothing),
    ("toggle_mute", MenuAction::ToggleMute),
    ("participant_count", MenuAction::CountParticipants),
    ("leave_conference", MenuAction::Leave),
    ("admin_kick_last", MenuAction::KickLast),
    ("admin_toggle_conference_lock", MenuAction::ToggleLock),
    ("admin_toggle_mute_participants", MenuAction::ToggleMuteParticipants),
    ("increase_listening_volume", MenuAction::Volume(VolumeOf::Listening, VolumeChange::Increase)),
    ("decrease_listening_volume", MenuAction::Volume(VolumeOf::Listening, VolumeChange::Decrease)),
    ("reset_listening_volume", MenuAction::Volume(VolumeOf::Listening, VolumeChange::Reset)),
    ("increase_talking_volume", MenuAction::Volume(VolumeOf::Talking, VolumeChange::Increase)),
    ("decrease_talking_volume", MenuAction::Volume(VolumeOf::Talking, VolumeChange::Decrease)),
    ("reset_talking_volume", MenuAction::Volume(VolumeOf::Talking, VolumeChange::Reset)),
];

/// Actions with arguments, as they are written.
const WITH_ARGUMENTS: [&str; 3] =
    ["playback(file)", "playback_and_continue(file)", "dialplan_exec(context,extension,priority)"];

/// Reads a section of `type=menu`. What is no key or no action is an error, and what is not here a
/// warning.
pub(super) fn read(section: &Block<'_>, notes: &mut Notes) -> MenuProfile {
    let mut menu = MenuProfile::new(section.name().to_owned());
    section.each(&keys::MENU, notes, |name, setting| {
        if name == b"type" {
            return;
        }
        if name == b"template" {
            return setting.judge();
        }
        take(&mut menu, name, setting);
    });
    menu
}

fn take(menu: &mut MenuProfile, name: &[u8], mut setting: Setting<'_>) {
    match menu.set(name, setting.value()) {
        Ok(absent) => {
            for action in absent {
                setting.later(action.as_ref(), "the keys do nothing of that");
            }
        }
        Err(MenuError::NoKeys) => {
            let span = setting.span();
            let message = format!("`{}` are no keys", BStr::new(name));
            setting.notes.error(codes::VALUE_INVALID, span, message, MenuError::KEYS);
        }
        Err(MenuError::Expected(expected)) => setting.invalid(&expected),
    }
}

/// Why a line of a menu is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MenuError {
    /// What is left of the equals sign.
    NoKeys,
    /// An action is none, but this was expected.
    Expected(String),
}

impl MenuError {
    /// What keys are.
    pub(crate) const KEYS: &'static str =
        "expected 0 to 9, *, # and A to D, such as *1=toggle_mute";
}

impl MenuProfile {
    /// A menu without keys.
    pub fn new(name: impl Into<BString>) -> Self {
        Self { name: name.into(), entries: vec![] }
    }

    /// Takes one line. A later line for the same keys counts, as in Asterisk. Gives the actions
    /// that are not here.
    pub(crate) fn set(&mut self, name: &[u8], value: &BStr) -> Result<Vec<BString>, MenuError> {
        let digit = |byte: &u8| Digit::from_char(char::from(byte.to_ascii_uppercase()));
        let keys = name.iter().map(digit).collect::<Option<Vec<_>>>();
        let keys = keys.filter(|keys| !keys.is_empty()).ok_or(MenuError::NoKeys)?;
        let (mut actions, mut absent) = (vec![], vec![]);
        for text in pieces(value) {
            match action(text)? {
                Some(action) => actions.push(action),
                None => absent.push(text.to_owned()),
            }
        }
        self.entries.retain(|entry| entry.keys != keys);
        self.entries.push(MenuEntry { keys, actions });
        Ok(absent)
    }
}

/// One action; `None` when it is one that is not here.
fn action(text: &BStr) -> Result<Option<MenuAction>, MenuError> {
    let (name, argument) = match text.split_once_str("(") {
        Some((name, rest)) => (name, rest.strip_suffix(b")").unwrap_or(rest)),
        None => (text.as_bytes(), &b""[..]),
    };
    let name = BStr::new(name.trim_ascii());
    if let Some((_, action)) = SIMPLE.iter().find(|(known, _)| *known == *name) {
        return Ok(Some(action.clone()));
    }
    let list = |by: &str| -> Vec<BString> {
        argument.split_str(by).map(|part| part.trim_ascii().into()).collect()
    };
    let files = || list("&").into_iter().filter(|file| !file.is_empty()).collect::<Vec<_>>();
    match name.as_bytes() {
        b"playback" if !files().is_empty() => return Ok(Some(MenuAction::Play(files()))),
        b"playback_and_continue" if !files().is_empty() => {
            return Ok(Some(MenuAction::Offer(files())));
        }
        b"dialplan_exec" => {
            if let [context, extension, priority] = &list(",")[..]
                && ![context, extension, priority].iter().any(|part| part.is_empty())
            {
                let (context, extension) = (context.clone(), extension.clone());
                let priority = priority.clone();
                return Ok(Some(MenuAction::Dialplan { context, extension, priority }));
            }
        }
        _ if ABSENT.iter().any(|known| *known == *name) => return Ok(None),
        _ => {}
    }
    let known = SIMPLE.iter().map(|(name, _)| *name).chain(ABSENT).chain(WITH_ARGUMENTS);
    Err(MenuError::Expected(closest(name, known.map(BStr::new)).map_or_else(
        || "an action, such as toggle_mute".to_owned(),
        |near| format!("an action; did you mean `{near}`?"),
    )))
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
