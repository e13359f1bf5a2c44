//! `amd.conf`: how AMD tells machines from humans.

use std::ops::RangeInclusive;
use std::time::Duration;

use bstr::BString;

use super::keys;
use super::notes::Notes;
use super::setting::{Block, Setting};
use crate::media::MachineSettings;

/// What AMD goes by where its arguments say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineDetection {
    /// Lengths and numbers.
    pub settings: MachineSettings,
    /// Heard while it is found out (`playback_file`). Default: nothing.
    pub file: Option<BString>,
}

/// Reads all sections of the file.
pub(super) fn read(sections: &[Block<'_>], notes: &mut Notes) -> MachineDetection {
    let mut detection = MachineDetection::default();
    for section in sections.iter().filter(|section| section.is("general")) {
        let settings = &mut detection.settings;
        section.each(&keys::MACHINE, notes, |name, setting| match name {
            b"initial_silence" => time(setting, &mut settings.initial_silence),
            b"greeting" => time(setting, &mut settings.greeting),
            b"after_greeting_silence" => time(setting, &mut settings.after_greeting_silence),
            b"total_analysis_time" => time(setting, &mut settings.total_analysis_time),
            b"min_word_length" => time(setting, &mut settings.minimum_word_length),
            b"maximum_word_length" => time(setting, &mut settings.maximum_word_length),
            b"between_words_silence" => time(setting, &mut settings.between_words_silence),
            b"maximum_number_of_words" => {
                setting.number(&mut settings.maximum_number_of_words, 0..=1000);
            }
            b"silence_threshold" => setting.number(&mut settings.silence_threshold, 0..=32_767),
            b"playback_file" => setting.optional_text(&mut detection.file),
            _ => setting.judge(),
        });
    }
    detection
}

fn time(setting: Setting<'_>, field: &mut Duration) {
    let mut milliseconds: u32 = 0;
    let before = *field;
    setting.number(&mut milliseconds, TIMES);
    // A value that was refused leaves what was there.
    *field = match milliseconds {
        0 => before,
        given => Duration::from_millis(given.into()),
    };
}

/// In milliseconds.
const TIMES: RangeInclusive<u32> = 1..=3_600_000;
