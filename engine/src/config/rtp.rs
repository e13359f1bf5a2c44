//! `rtp.conf`: the ports of media.

use super::codes;
use super::keys;
use super::notes::Notes;
use super::setting::Block;
use super::settings::RtpSettings;

/// Reads all sections of the file.
pub(super) fn read(sections: &[Block<'_>], notes: &mut Notes) -> RtpSettings {
    let mut settings = RtpSettings::default();
    for section in sections {
        if section.is("general") {
            read_general(section, &mut settings, notes);
        } else if !section.is_empty() {
            notes.warn(
                codes::SECTION_UNKNOWN,
                section.header,
                format!("[{}] of rtp.conf is not read", section.name()),
                "media uses the address of the call's transport",
            );
        }
    }
    settings
}

fn read_general(section: &Block<'_>, settings: &mut RtpSettings, notes: &mut Notes) {
    let (mut start, mut end) = (*settings.ports.start(), *settings.ports.end());
    // Below 1024 are the ports of the system.
    section.each(&keys::RTP, notes, |name, setting| match name {
        b"rtpstart" => setting.number(&mut start, 1024..=65_535),
        b"rtpend" => setting.number(&mut end, 1024..=65_535),
        _ => setting.judge(),
    });
    // A call needs an even port and the odd one above it.
    if u32::from(start.next_multiple_of(2)) + 1 > u32::from(end) {
        notes.error(
            codes::CONTRADICTION,
            section.place_of(if section.has("rtpstart") { "rtpstart" } else { "rtpend" }),
            format!("the ports {start} to {end} hold no call"),
            "rtpend must be above rtpstart; a call takes an even port and the next",
        );
        return;
    }
    settings.ports = start..=end;
}
