//! `features.conf`: the key codes of connected calls.

use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::codes;
use super::keys;
use super::notes::Notes;
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
                b"pickupexten" => setting.text(&mut settings.pickup),
                _ => setting.judge(),
            });
        } else if section.is("featuremap") {
            section.each(&keys::FEATURE_MAP, notes, |name, setting| match name {
                b"disconnect" => code(&mut settings.disconnect, setting),
                b"blindxfer" => code(&mut settings.blind_transfer, setting),
                b"atxfer" => code(&mut settings.attended_transfer, setting),
                b"parkcall" => code(&mut settings.park, setting),
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
