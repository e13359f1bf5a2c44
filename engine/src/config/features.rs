//! `features.conf`: the key codes of connected calls.

use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::codes;
use super::keys;
use super::notes::Notes;
use super::parking::ParkingLot;
use super::setting::{Block, Setting};

/// Key codes of two who are connected (`[featuremap]`). An empty code is switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureSettings {
    /// How long a key that may become a code is held back (`featuredigittimeout`). Default 1 s.
    pub digit_timeout: Duration,
    /// Ends the call. Default `*`, as in Asterisk.
    pub disconnect: BString,
    /// Sends the other one elsewhere. Default `#`, as in Asterisk.
    pub blind_transfer: BString,
    /// Asks a third one first. Default: off.
    pub attended_transfer: BString,
    /// Parks the other one. Default: off.
    pub park: BString,
    /// How long a transferrer may think between two digits (`transferdigittimeout`). Default 3 s.
    pub transfer_digit_timeout: Duration,
    /// Begins to record the call and ends it (`automon`). Default: off.
    pub monitor: BString,
    /// The same (`automixmon`). Default: off.
    pub mix_monitor: BString,
    /// Both hear it when a recording by keys begins or ends (`courtesytone`). Default: nothing.
    pub courtesy_tone: BString,
    /// Whoever asked hears it when there is no recording (`recordingfailsound`). Default: nothing.
    pub recording_fail_sound: BString,
    /// Numbers that a transferrer may try (`transferdialattempts`). Default 3.
    pub transfer_attempts: u32,
    /// Tells a transferrer to type a number (`transferannouncesound`).
    pub transfer_announcement: BString,
    /// Tells that the number is none, and that another may be tried (`transferretrysound`).
    pub transfer_retry_sound: BString,
    /// Tells that the last number tried is none (`transferinvalidsound`).
    pub transfer_invalid_sound: BString,
    /// Tells that a transfer came to nothing (`xferfailsound`).
    pub transfer_fail_sound: BString,
    /// How long it rings at whoever is asked first (`atxfernoanswertimeout`). Default 15 s.
    pub consult_timeout: Duration,
    /// Comes back from whoever is asked (`atxferabort`). Default: `*1`.
    pub consult_abort: BString,
    /// Completes a transfer without hanging up (`atxfercomplete`). Default: `*2`.
    pub consult_complete: BString,
    /// Changes between the two (`atxferswap`). Default: `*4`.
    pub consult_swap: BString,
    /// Parking lots (`res_parking.conf`); without that file the lot `default` alone.
    pub parking: Vec<ParkingLot>,
    /// Who dials it answers a call that rings for its pick-up groups (`pickupexten`). Default: `*8`.
    pub pickup: BString,
}

impl Default for FeatureSettings {
    fn default() -> Self {
        Self {
            digit_timeout: Duration::from_secs(1),
            disconnect: "*".into(),
            blind_transfer: "#".into(),
            attended_transfer: BString::default(),
            park: BString::default(),
            monitor: BString::default(),
            mix_monitor: BString::default(),
            courtesy_tone: BString::default(),
            recording_fail_sound: BString::default(),
            transfer_digit_timeout: Duration::from_secs(3),
            transfer_attempts: 3,
            transfer_announcement: "pbx-transfer".into(),
            transfer_retry_sound: "pbx-invalid".into(),
            transfer_invalid_sound: "privacy-incorrect".into(),
            transfer_fail_sound: "beeperr".into(),
            consult_timeout: Duration::from_secs(15),
            consult_abort: "*1".into(),
            consult_complete: "*2".into(),
            consult_swap: "*4".into(),
            parking: vec![ParkingLot::default()],
            pickup: "*8".into(),
        }
    }
}

/// Reads all sections of the file.
pub(super) fn read(sections: &[Block<'_>], notes: &mut Notes) -> FeatureSettings {
    let mut settings = FeatureSettings::default();
    for section in sections {
        if section.is("general") {
            section.each(&keys::FEATURES, notes, |name, setting| match name {
                b"featuredigittimeout" => {
                    let mut milliseconds = 1000_u32;
                    setting.number(&mut milliseconds, 1..=60_000);
                    settings.digit_timeout = Duration::from_millis(milliseconds.into());
                }
                b"transferdigittimeout" => {
                    setting.seconds(&mut settings.transfer_digit_timeout, 1..=60);
                }
                b"transferdialattempts" => setting.number(&mut settings.transfer_attempts, 1..=100),
                b"transferannouncesound" => setting.text(&mut settings.transfer_announcement),
                b"transferretrysound" => setting.text(&mut settings.transfer_retry_sound),
                b"transferinvalidsound" => setting.text(&mut settings.transfer_invalid_sound),
                b"xferfailsound" => setting.text(&mut settings.transfer_fail_sound),
                b"atxfernoanswertimeout" => setting.seconds(&mut settings.consult_timeout, 1..=600),
                b"atxferabort" => code(&mut settings.consult_abort, setting),
                b"atxfercomplete" => code(&mut settings.consult_complete, setting),
                b"atxferswap" => code(&mut settings.consult_swap, setting),
                b"pickupexten" => setting.text(&mut settings.pickup),
                b"courtesytone" => setting.text(&mut settings.courtesy_tone),
                b"recordingfailsound" => setting.text(&mut settings.recording_fail_sound),
                _ => setting.judge(),
            });
        } else if section.is("featuremap") {
            section.each(&keys::FEATURE_MAP, notes, |name, setting| match name {
                b"disconnect" => code(&mut settings.disconnect, setting),
                b"blindxfer" => code(&mut settings.blind_transfer, setting),
                b"atxfer" => code(&mut settings.attended_transfer, setting),
                b"parkcall" => code(&mut settings.park, setting),
                b"automon" => code(&mut settings.monitor, setting),
                b"automixmon" => code(&mut settings.mix_monitor, setting),
                _ => setting.judge(),
            });
        } else if !section.is_empty() {
            notes.warn(
                codes::SECTION_UNKNOWN,
                section.header,
                format!("[{}] of features.conf is not read", section.name()),
                "applications by keys (DYNAMIC_FEATURES) are not here yet",
            );
        }
    }
    settings
}

fn code(field: &mut BString, setting: Setting<'_>) {
    let value = setting.value();
    let is_key = |byte: &u8| byte.is_ascii_digit() || b"*#ABCDabcd".contains(byte);
    if value.len() <= MOST_KEYS && value.iter().all(is_key) {
        *field = value.to_ascii_uppercase().as_bstr().to_owned();
    } else {
        setting.invalid("up to 11 of the keys 0-9, A-D, * and #");
    }
}

/// Asterisk's own limit.
const MOST_KEYS: usize = 11;
