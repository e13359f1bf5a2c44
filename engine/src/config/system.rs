//! `asterisk.conf`: where things are, and settings of the whole system.

use std::path::{Path, PathBuf};

use bstr::ByteSlice;

use super::codes;
use super::keys;
use super::notes::Notes;
use super::setting::{Block, Setting};
use super::settings::SystemSettings;

/// Reads all sections of the file. Relative paths count from `directory`, or from where the program
/// was started when the configuration is in none.
pub(super) fn read(
    sections: &[Block<'_>],
    directory: Option<&Path>,
    notes: &mut Notes,
) -> SystemSettings {
    let mut settings = SystemSettings::new(directory);
    let path = |setting: &Setting<'_>| {
        let path = setting.value().to_path().ok().filter(|path| !path.as_os_str().is_empty())?;
        // `join` of an absolute path is that path. Components drop a `.`.
        Some(
            directory.unwrap_or_else(|| Path::new("")).join(path).components().collect::<PathBuf>(),
        )
    };
    let mut database = None;
    for section in sections {
        match section.name().to_ascii_lowercase().as_slice() {
            b"directories" => section.each(&keys::DIRECTORIES, notes, |name, setting| match name {
                b"astdatadir" => match path(&setting) {
                    Some(path) => settings.sounds = Some(path.join("sounds")),
                    None => setting.invalid(DIRECTORY),
                },
                b"astrundir" | b"astdbdir" | b"astvarlibdir" | b"astlogdir" | b"astspooldir" => {
                    let Some(path) = path(&setting) else { return setting.invalid(DIRECTORY) };
                    match name {
                        b"astrundir" => settings.run_directory = Some(path),
                        b"astlogdir" => settings.log_directory = Some(path),
                        b"astspooldir" => settings.spool_directory = Some(path),
                        b"astdbdir" => database = Some(path),
                        // Where Asterisk's database is unless `astdbdir` says otherwise.
                        _ => settings.database_directory = Some(path),
                    }
                }
                b"recordingdirs" => {
                    let named = setting.value().split_str(",").map(|it| it.trim_ascii().to_path());
                    let named: Option<Vec<PathBuf>> =
                        named.map(|path| Some(path.ok()?.to_owned())).collect();
                    // A relative one would move with the place the program is started from.
                    match named.filter(|paths| paths.iter().all(|path| path.is_absolute())) {
                        Some(paths) => settings.recording_directories.extend(paths),
                        None => {
                            setting.invalid("absolute paths of directories, with commas between")
                        }
                    }
                }
                _ => setting.judge(),
            }),
            b"options" => section.each(&keys::OPTIONS, notes, |name, setting| match name {
                b"defaultlanguage" => setting.text(&mut settings.default_language),
                _ => setting.judge(),
            }),
            b"compat" => section.each(&keys::COMPAT, notes, |_, setting| setting.judge()),
            // Rights of Asterisk's control socket, which we don't have.
            b"files" => {}
            _ => notes.warn(
                codes::SECTION_UNKNOWN,
                section.header,
                format!("[{}] of asterisk.conf is not read", section.name()),
                "it has no effect",
            ),
        }
    }
    if database.is_some() {
        settings.database_directory = database;
    }
    settings
}

const DIRECTORY: &str = "the path of a directory";
