//! The files of a configuration directory that nobody reads.
//!
//! They are named in one warning, so that an operator who brings a whole `/etc/asterisk` sees what
//! has no effect. Files that ask for nothing are passed over: empty ones, those that are switched
//! off, and those that only concern Asterisk itself.

use diesis_dialplan::conf::{self, FileSource, Options};
use diesis_dialplan::diagnostic::{Diagnostic, Severity};

use super::codes;
use super::value::yes_no;

/// Files that are read. `diesis.conf` files included by them are not in the list: they are known
/// from having been read.
pub(super) const READ: &[&str] = &[
    "acl.conf",
    "amd.conf",
    "asterisk.conf",
    "cdr.conf",
    "chan_websocket.conf",
    "confbridge.conf",
    "extensions.conf",
    "features.conf",
    "musiconhold.conf",
    "numbering.conf",
    "pjsip.conf",
    "programs.conf",
    "res_parking.conf",
    "robots.conf",
    "rtp.conf",
    "rules.conf",
    "schedules.conf",
    "videoshare.conf",
    "websocket_client.conf",
];

/// Files that say how Asterisk itself loads, logs and names things.
const HARMLESS: [&str; 4] = ["cli_aliases.conf", "codecs.conf", "logger.conf", "modules.conf"];

/// Files that are switched off as a whole by a setting of `[general]`, and whether they are on
/// without it.
const SWITCHED: [(&str, &str, bool); 5] = [
    ("ari.conf", "enabled", true),
    ("cel.conf", "enable", false),
    ("http.conf", "enabled", false),
    ("manager.conf", "enabled", false),
    ("prometheus.conf", "enabled", false),
];

/// Dialplans in other languages, which people put beside `extensions.conf`.
const OTHER: [&str; 2] = ["extensions.ael", "extensions.lua"];

/// The warning about the files of `files` that have no effect; `was_read` knows those that were
/// included by others.
pub(super) fn warn(files: &dyn FileSource, was_read: impl Fn(&str) -> bool) -> Option<Diagnostic> {
    let mut names: Vec<String> = files
        .list("")
        .into_iter()
        .filter(|name| name.ends_with(".conf") || OTHER.contains(&name.as_str()))
        .filter(|name| !READ.contains(&name.as_str()) && !was_read(name))
        .filter(|name| !asks_for_nothing(name, files))
        .collect();
    if names.is_empty() {
        return None;
    }
    names.sort_unstable();
    let (count, verb) = if names.len() == 1 { ("this file", "is") } else { ("these files", "are") };
    Some(
        Diagnostic::new(
            Severity::Warning,
            codes::FILES_NOT_READ,
            format!("{count} {verb} not read yet: {}", names.join(", ")),
        )
        .with_help("what they set up does not exist; the rest of the directory works without them"),
    )
}

fn asks_for_nothing(name: &str, files: &dyn FileSource) -> bool {
    if HARMLESS.contains(&name) {
        return true;
    }
    if OTHER.contains(&name) {
        return files.read(name).is_ok_and(|text| text.trim_ascii().is_empty());
    }
    let conf = conf::load(name, files, &Options::default());
    if let Some((_, switch, on_by_default)) = SWITCHED.iter().find(|(file, ..)| *file == name) {
        let on = conf
            .section("general")
            .and_then(|general| general.last_entry(switch))
            .map_or(*on_by_default, |entry| yes_no(entry.value()) != Some(false));
        return !on;
    }
    conf.sections().all(|section| section.entries().len() == 0)
}
