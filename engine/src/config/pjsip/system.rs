//! `type=system`: how the SIP stack sends.

use std::time::Duration;

use super::{Objects, keys};
use crate::config::notes::Notes;
use crate::config::stack::StackSettings;
use crate::sip::LargeRequests;

pub(super) fn read(objects: &Objects<'_>, notes: &mut Notes) -> StackSettings {
    let mut settings = StackSettings::default();
    for section in objects.of("system") {
        section.each(&keys::SYSTEM, notes, |name, setting| match name {
            b"type" => {}
            b"disable_tcp_switch" => {
                let mut disabled = true;
                setting.yes_no(&mut disabled);
                settings.large_requests = match disabled {
                    true => LargeRequests::Datagrams,
                    false => LargeRequests::Connections,
                };
            }
            b"timer_t1" => {
                let mut milliseconds = 500_u32;
                // Asterisk's least.
                setting.number(&mut milliseconds, 100..=10_000);
                settings.timer_t1 = Duration::from_millis(milliseconds.into());
            }
            _ => setting.judge(),
        });
    }
    settings
}
