//! `rtp.conf`: the ports of media.

use diesis_dialplan::conf::Section;

use super::codes;
use super::keys;
use super::notes::Notes;
use super::setting::each;
use super::settings::RtpSettings;

/// Reads all sections of the file.
pub(super) fn read(sections: &[Section], notes: &mut Notes) -> RtpSettings {
    let mut settings = RtpSettings::default();
    for section in sections {
        if section.name.eq_ignore_ascii_case(b"general") {
            read_general(section, &mut settings, notes);
        } else if !section.entries.is_empty() {
            notes.warn(
                codes::SECTION_UNKNOWN,
                section.name_span,
                format!("[{}] of rtp.conf is not read", section.name),
                "media uses the address of the call's transport",
            );
        }
    }
    settings
}

fn read_general(section: &Section, settings: &mut RtpSettings, notes: &mut Notes) {
    let (mut start, mut end) = (*settings.ports.start(), *settings.ports.end());
    // Below 1024 are the ports of the system.
    each(section, &keys::RTP, notes, |name, setting| match name {
        b"rtpstart" => setting.number(&mut start, 1024..=65_535),
        b"rtpend" => setting.number(&mut end, 1024..=65_535),
        _ => setting.judge(),
    });
    // A call needs an even port and the odd one above it.
    if u32::from(start.next_multiple_of(2)) + 1 > u32::from(end) {
        notes.error(
            codes::CONTRADICTION,
            section.name_span,
            format!("the ports {start} to {end} hold no call"),
            "rtpend must be above rtpstart; a call takes an even port and the next",
        );
        return;
    }
    settings.ports = start..=end;
}
