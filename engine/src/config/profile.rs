//! Profiles of `confbridge.conf`: how rooms behave, and how their participants are treated.
//!
//! One place takes each option, whether it comes from the file or from `CONFBRIDGE()` while a call
//! runs.

use std::time::Duration;

use bstr::{BStr, BString};

use super::named::Name;
use super::secret::Secret;
use super::value::{parsed, yes_no};
use crate::media::{MixRate, Rate, TalkRules};

/// How a conference room behaves (`type=bridge`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeProfile {
    /// The section's name.
    pub name: BString,
    /// How many participants there may be; `None` is no limit of its own.
    pub max_members: Option<usize>,
    /// Whether the room is recorded (`record_conference`) from the start.
    pub records: bool,
    /// How it is recorded, if it is.
    pub recording: ConferenceRecording,
    /// In which language its prompts are (`language`); `None`: in the default one.
    pub language: Option<BString>,
    /// The rate of its mix (`internal_sample_rate`); `None` is as much as its members have use for.
    pub rate: Option<Rate>,
    /// The highest that it may be (`maximum_sample_rate`).
    pub maximum_rate: Rate,
    /// What it says.
    pub sounds: RoomSounds,
}

/// How a room is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceRecording {
    /// The file (`record_file`); empty is `confbridge-ROOM-TIME.wav`.
    pub file: BString,
    /// Whether the time of the beginning becomes part of its name (`record_file_timestamp`).
    pub has_time: bool,
    /// Whether a file that is there is gone on with (`record_file_append`).
    pub appends: bool,
}

impl Default for ConferenceRecording {
    /// As in Asterisk.
    fn default() -> Self {
        Self { file: BString::default(), has_time: true, appends: true }
    }
}

/// What a room says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomSound {
    /// To all: the first marked one came.
    Begin,
    /// To who pressed keys that are not for him.
    ErrorMenu,
    /// To who has to enter a PIN.
    GetPin,
    /// To all, after a name.
    HasJoined,
    /// To all, after a name.
    HasLeft,
    /// To who entered a wrong PIN.
    InvalidPin,
    /// To all: somebody joins.
    Join,
    /// To who is sent away.
    Kicked,
    /// To those who came for a marked one who left.
    LeaderHasLeft,
    /// To all: somebody leaves.
    Leave,
    /// To who finds the room locked or full.
    Locked,
    /// To who locked the room.
    LockedNow,
    /// To who muted himself.
    Muted,
    /// There is one other.
    OnlyOne,
    /// There is nobody else.
    OnlyPerson,
    /// After the number of the others.
    OtherInParty,
    /// To all: they are not heard any more.
    ParticipantsMuted,
    /// To all: they are heard again.
    ParticipantsUnmuted,
    /// To who waited for a marked one and waits no more.
    PlaceIntoConference,
    /// Before the number of the others.
    ThereAre,
    /// To who unlocked the room.
    UnlockedNow,
    /// To who is heard again.
    Unmuted,
    /// To who has to wait for a marked one.
    WaitForLeader,
}

/// The option of each sound, and what it is without one.
pub(super) const SOUNDS: [(&str, RoomSound, &str); 23] = [
    ("sound_begin", RoomSound::Begin, "confbridge-conf-begin"),
    ("sound_error_menu", RoomSound::ErrorMenu, "conf-errormenu"),
    ("sound_get_pin", RoomSound::GetPin, "conf-getpin"),
    ("sound_has_joined", RoomSound::HasJoined, "conf-hasjoin"),
    ("sound_has_left", RoomSound::HasLeft, "conf-hasleft"),
    ("sound_invalid_pin", RoomSound::InvalidPin, "conf-invalidpin"),
    ("sound_join", RoomSound::Join, "confbridge-join"),
    ("sound_kicked", RoomSound::Kicked, "conf-kicked"),
    ("sound_leader_has_left", RoomSound::LeaderHasLeft, "conf-leaderhasleft"),
    ("sound_leave", RoomSound::Leave, "confbridge-leave"),
    ("sound_locked", RoomSound::Locked, "conf-locked"),
    ("sound_locked_now", RoomSound::LockedNow, "conf-lockednow"),
    ("sound_muted", RoomSound::Muted, "conf-muted"),
    ("sound_only_one", RoomSound::OnlyOne, "conf-onlyone"),
    ("sound_only_person", RoomSound::OnlyPerson, "conf-onlyperson"),
    ("sound_other_in_party", RoomSound::OtherInParty, "conf-otherinparty"),
    ("sound_participants_muted", RoomSound::ParticipantsMuted, "conf-now-muted"),
    ("sound_participants_unmuted", RoomSound::ParticipantsUnmuted, "conf-now-unmuted"),
    ("sound_place_into_conference", RoomSound::PlaceIntoConference, "conf-placeintoconf"),
    ("sound_there_are", RoomSound::ThereAre, "conf-thereare"),
    ("sound_unlocked_now", RoomSound::UnlockedNow, "conf-unlockednow"),
    ("sound_unmuted", RoomSound::Unmuted, "conf-unmuted"),
    ("sound_wait_for_leader", RoomSound::WaitForLeader, "conf-waitforleader"),
];

/// The prompts of a room, as far as they are not the usual ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomSounds {
    chosen: Vec<(RoomSound, BString)>,
}

impl RoomSounds {
    /// The prompt; empty is none.
    pub fn of(&self, sound: RoomSound) -> BString {
        if let Some((_, chosen)) = self.chosen.iter().find(|(of, _)| *of == sound) {
            return chosen.clone();
        }
        let usual = SOUNDS.iter().find(|(_, of, _)| *of == sound);
        usual.map_or_else(BString::default, |(_, _, name)| (*name).into())
    }

    /// Chooses another prompt.
    pub fn set(&mut self, sound: RoomSound, prompt: impl Into<BString>) {
        self.chosen.retain(|(of, _)| *of != sound);
        self.chosen.push((sound, prompt.into()));
    }
}

/// Why an option is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OptionError {
    /// It is none that has an effect here.
    Unknown,
    /// The value is not this.
    Expected(&'static str),
}

type Taken = Result<(), OptionError>;

impl BridgeProfile {
    /// The profile of this name with all defaults.
    pub fn new(name: impl Into<BString>) -> Self {
        Self {
            name: name.into(),
            max_members: None,
            records: false,
            recording: ConferenceRecording::default(),
            language: None,
            rate: None,
            maximum_rate: Rate::Full,
            sounds: RoomSounds::default(),
        }
    }

    /// What its mix holds, all told.
    pub(crate) fn mixing_rate(&self) -> MixRate {
        match self.rate {
            Some(rate) => MixRate::At(rate.min(self.maximum_rate)),
            None => MixRate::UpTo(self.maximum_rate),
        }
    }

    /// Takes one option, by its name in lower case.
    pub(crate) fn set(&mut self, option: &[u8], value: &BStr) -> Taken {
        match option {
            b"max_members" => {
                let most = number(value, MAX_MEMBERS, "a whole number from 0 to 100000")?;
                self.max_members = Some(most as usize).filter(|most| *most > 0);
            }
            b"record_conference" => self.records = truth(value)?,
            b"record_file" => self.recording.file = value.into(),
            b"record_file_append" => self.recording.appends = truth(value)?,
            b"record_file_timestamp" => self.recording.has_time = truth(value)?,
            b"language" => self.language = text(value),
            b"internal_sample_rate" => {
                self.rate = if value.eq_ignore_ascii_case(b"auto") {
                    None
                } else {
                    Some(rate(value, "`auto` or a number such as 16000")?)
                };
            }
            b"maximum_sample_rate" => {
                self.maximum_rate = if value.eq_ignore_ascii_case(b"none") || value == "0" {
                    Rate::Full
                } else {
                    rate(value, "`none` or a number such as 16000")?
                };
            }
            _ => {
                let sound = SOUNDS.iter().find(|(name, ..)| name.as_bytes() == option);
                let Some((_, sound, _)) = sound else { return Err(OptionError::Unknown) };
                self.sounds.set(*sound, value);
            }
        }
        Ok(())
    }
}

/// How one participant of a conference is treated (`type=user`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserProfile {
    /// The section's name.
    pub name: BString,
    /// Whether joining and leaving make no sound and no announcement, to and about this one.
    pub quiet: bool,
    /// Whether a participant who is alone is told so.
    pub announce_only_user: bool,
    /// Whether the number of participants is said to this one when joining.
    pub announce_user_count: bool,
    /// Whether the number of participants is said to all when this one joins as more than the nth.
    pub announce_user_count_all: Option<usize>,
    /// Whether this one says a name that the others hear.
    pub name_announcement: NameAnnouncement,
    /// A prompt that this one hears when joining.
    pub announcement: Option<BString>,
    /// Whether this one hears the sound of joining.
    pub hear_own_join_sound: bool,
    /// Whether this one hears music while alone or waiting for a marked participant.
    pub music_when_empty: bool,
    /// Which; `None` is the channel's own class.
    pub music_class: Option<BString>,
    /// Whether this one joins without being heard.
    pub start_muted: bool,
    /// The digits to enter before joining.
    pub pin: Option<Secret>,
    /// Whether this one may use the administrator's controls.
    pub admin: bool,
    /// Whether others wait for this one.
    pub marked: bool,
    /// Whether this one waits until a marked participant is there.
    pub wait_marked: bool,
    /// Whether this one must leave when marked participants do.
    pub end_marked: EndMarked,
    /// Whether keys that ask for nothing go to the others.
    pub dtmf_passthrough: bool,
    /// How long this one may stay.
    pub timeout: Option<Duration>,
    /// How this one's talking is found (`talk_detection_events`, `dsp_drop_silence`,
    /// `dsp_talking_threshold`, `dsp_silence_threshold`).
    pub talk: TalkRules,
}

/// Whether the others are told who comes and goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameAnnouncement {
    /// They are not.
    #[default]
    No,
    /// This one says the name before joining (`announce_join_leave`).
    Recorded,
    /// And may listen to it and say it again (`announce_join_leave_review`).
    Reviewed,
}

/// Whether the leaving of marked participants sends one away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndMarked {
    /// It does not.
    #[default]
    Stays,
    /// That of the last one does (`end_marked`).
    WithLast,
    /// That of any does (`end_marked_any`).
    WithAny,
}

impl UserProfile {
    /// The profile of this name with all defaults.
    pub fn new(name: impl Into<BString>) -> Self {
        Self {
            name: name.into(),
            quiet: false,
            announce_only_user: true,
            announce_user_count: false,
            announce_user_count_all: None,
            name_announcement: NameAnnouncement::No,
            announcement: None,
            hear_own_join_sound: true,
            music_when_empty: false,
            music_class: None,
            start_muted: false,
            pin: None,
            admin: false,
            marked: false,
            wait_marked: false,
            end_marked: EndMarked::Stays,
            dtmf_passthrough: false,
            timeout: None,
            talk: TalkRules::default(),
        }
    }

    /// Takes one option, by its name in lower case.
    pub(crate) fn set(&mut self, option: &[u8], value: &BStr) -> Taken {
        let field = match option {
            b"admin" => &mut self.admin,
            b"announce_only_user" => &mut self.announce_only_user,
            b"announce_user_count" => &mut self.announce_user_count,
            b"dtmf_passthrough" => &mut self.dtmf_passthrough,
            b"hear_own_join_sound" => &mut self.hear_own_join_sound,
            b"marked" => &mut self.marked,
            b"music_on_hold_when_empty" => &mut self.music_when_empty,
            b"quiet" => &mut self.quiet,
            b"startmuted" => &mut self.start_muted,
            b"wait_marked" => &mut self.wait_marked,
            b"talk_detection_events" => &mut self.talk.events,
            b"dsp_drop_silence" => &mut self.talk.drops_silence,
            _ => return self.set_other(option, value),
        };
        *field = truth(value)?;
        Ok(())
    }

    fn set_other(&mut self, option: &[u8], value: &BStr) -> Taken {
        match option {
            b"announce_user_count_all" => {
                self.announce_user_count_all = match yes_no(value) {
                    Some(says) => says.then_some(0),
                    None => Some(number(value, MAX_MEMBERS, COUNT)? as usize),
                };
            }
            b"announce_join_leave" => {
                self.name_announcement = match (truth(value)?, self.name_announcement) {
                    (true, NameAnnouncement::No) => NameAnnouncement::Recorded,
                    (true, present) => present,
                    (false, _) => NameAnnouncement::No,
                };
            }
            b"announce_join_leave_review" => {
                self.name_announcement = match (truth(value)?, self.name_announcement) {
                    (true, _) => NameAnnouncement::Reviewed,
                    (false, NameAnnouncement::Reviewed) => NameAnnouncement::Recorded,
                    (false, present) => present,
                };
            }
            b"announcement" => self.announcement = text(value),
            b"music_on_hold_class" => self.music_class = text(value),
            b"end_marked" => {
                self.end_marked = match (truth(value)?, self.end_marked) {
                    (true, EndMarked::Stays) => EndMarked::WithLast,
                    (false, EndMarked::WithLast) => EndMarked::Stays,
                    (_, present) => present,
                };
            }
            b"end_marked_any" => {
                self.end_marked = match (truth(value)?, self.end_marked) {
                    (true, _) => EndMarked::WithAny,
                    (false, EndMarked::WithAny) => EndMarked::Stays,
                    (false, present) => present,
                };
            }
            b"pin" => {
                if !value.iter().all(u8::is_ascii_digit) {
                    return Err(OptionError::Expected("digits, which are all a caller can enter"));
                }
                self.pin = (!value.is_empty()).then(|| Secret::new(value));
            }
            b"timeout" => {
                let seconds = number(value, A_WEEK, "seconds, up to 604800; 0 is no limit")?;
                self.timeout = Some(Duration::from_secs(seconds.into())).filter(|it| !it.is_zero());
            }
            b"dsp_talking_threshold" => {
                let level = number(value, i16::MAX as u32, "a level from 0 to 32767")?;
                self.talk.talking_threshold = level as u16;
            }
            b"dsp_silence_threshold" => {
                let time = number(value, MOST_SILENCE, "milliseconds, up to 600000")?;
                self.talk.silence_threshold = Duration::from_millis(time.into());
            }
            _ => return Err(OptionError::Unknown),
        }
        Ok(())
    }
}

impl Name for BridgeProfile {
    fn name(&self) -> &BStr {
        self.name.as_ref()
    }
}

impl Name for UserProfile {
    fn name(&self) -> &BStr {
        self.name.as_ref()
    }
}

fn truth(value: &BStr) -> Result<bool, OptionError> {
    yes_no(value).ok_or(OptionError::Expected("`yes` or `no`"))
}

fn number(value: &BStr, most: u32, expected: &'static str) -> Result<u32, OptionError> {
    let number = parsed(value).filter(|number| *number <= most);
    number.ok_or(OptionError::Expected(expected))
}

fn text(value: &BStr) -> Option<BString> {
    (!value.is_empty()).then(|| value.into())
}

/// What Asterisk mixes at (8, 12, 16, 24, 32, 44.1, 48, 96 and 192 kHz), as the next that is mixed
/// here.
fn rate(value: &BStr, expected: &'static str) -> Result<Rate, OptionError> {
    match number(value, 192_000, expected)? {
        8000 => Ok(Rate::Narrow),
        8001..=16_000 => Ok(Rate::Wide),
        16_001.. => Ok(Rate::Full),
        _ => Err(OptionError::Expected(expected)),
    }
}

/// A room of more is refused by name rather than promised.
const MAX_MEMBERS: u32 = 100_000;

const A_WEEK: u32 = 7 * 24 * 3600;

const MOST_SILENCE: u32 = 600_000;

const COUNT: &str = "`yes`, `no` or after how many";

#[cfg(test)]
mod tests {
    use super::*;

    fn user(options: &[(&str, &str)]) -> UserProfile {
        let mut profile = UserProfile::new("u");
        for (option, value) in options {
            assert_eq!(profile.set(option.as_bytes(), (*value).into()), Ok(()), "{option}");
        }
        profile
    }

    #[test]
    fn options_that_belong_together_are_one_thing_in_any_order() {
        let name = |options: &[(&str, &str)]| user(options).name_announcement;
        let (plain, review) =
            (("announce_join_leave", "yes"), ("announce_join_leave_review", "yes"));
        assert_eq!(name(&[plain]), NameAnnouncement::Recorded);
        assert_eq!(name(&[plain, review]), NameAnnouncement::Reviewed);
        assert_eq!(name(&[review, plain]), NameAnnouncement::Reviewed);
        let end = |options: &[(&str, &str)]| user(options).end_marked;
        assert_eq!(end(&[("end_marked", "yes")]), EndMarked::WithLast);
        assert_eq!(end(&[("end_marked_any", "yes"), ("end_marked", "no")]), EndMarked::WithAny);
    }

    #[test]
    fn a_count_for_all_is_a_word_or_a_number() {
        let count = |value| user(&[("announce_user_count_all", value)]).announce_user_count_all;
        assert_eq!(
            [count("yes"), count("no"), count("10"), count("4")],
            [Some(0), None, Some(10), Some(4)]
        );
    }

    #[test]
    fn wrong_values_are_refused_and_change_nothing() {
        let mut profile = UserProfile::new("u");
        for (option, value) in
            [("admin", "maybe"), ("pin", "12a"), ("timeout", "-1"), ("dsp_talking_threshold", "x")]
        {
            let taken = profile.set(option.as_bytes(), value.into());
            assert!(matches!(taken, Err(OptionError::Expected(_))), "{option}");
        }
        assert_eq!(profile.set(b"colour", "red".into()), Err(OptionError::Unknown));
        assert_eq!(profile, UserProfile::new("u"));
    }

    #[test]
    fn a_room_has_the_usual_sounds_and_those_chosen() {
        let mut profile = BridgeProfile::new("b");
        profile.set(b"sound_kicked", "gone".into()).expect("a sound");
        profile.set(b"sound_join", "".into()).expect("none");
        assert_eq!(profile.sounds.of(RoomSound::Kicked), "gone");
        assert_eq!(profile.sounds.of(RoomSound::Join), "");
        assert_eq!(profile.sounds.of(RoomSound::GetPin), "conf-getpin");
    }
}
