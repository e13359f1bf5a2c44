//! Where a recording of a name lies: below the directories for recordings, and nowhere else.

use std::path::{Component, Path, PathBuf};

use bstr::ByteSlice;

/// Where recordings may be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingSettings {
    /// Where MixMonitor's and conferences' relative names lie: `monitor` below `astspooldir`.
    /// `None`: such names are refused.
    pub directory: Option<PathBuf>,
    /// Where Record's relative names lie, so that Playback finds them: the operator's prompts.
    /// `None`: with the others.
    pub sounds: Option<PathBuf>,
    /// Further directories for absolute names (`recordingdirs`).
    pub allowed: Vec<PathBuf>,
}

/// From where a relative name counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The directory of recordings.
    Recordings,
    /// The operator's prompts.
    Sounds,
}

/// Why a recording can not have a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// It names no file.
    #[error("it names no file")]
    NoFile,
    /// It is longer than any file system takes.
    #[error("it is too long")]
    TooLong,
    /// There is nothing it could count from.
    #[error("there is no directory for recordings: asterisk.conf has no astspooldir")]
    NoDirectory,
    /// It leads elsewhere.
    #[error(
        "it lies outside of the directories for recordings; recordingdirs in asterisk.conf can \
         allow more"
    )]
    Outside,
}

impl RecordingSettings {
    /// The file of a name that has its extension already.
    ///
    /// # Errors
    /// When the name leads out of the directories, or is none.
    pub fn place(&self, name: &[u8], base: Base) -> Result<PathBuf, PlaceError> {
        if name.len() > LONGEST {
            return Err(PlaceError::TooLong);
        }
        if name.contains(&0) || name.ends_with(b"/") {
            return Err(PlaceError::NoFile);
        }
        let name = name.to_path().map_err(|_| PlaceError::NoFile)?;
        let own = match base {
            Base::Recordings => self.directory.as_ref(),
            Base::Sounds => self.sounds.as_ref().or(self.directory.as_ref()),
        };
        let path = match (name.is_absolute(), own) {
            (true, _) => name.to_owned(),
            (false, Some(own)) => own.join(name),
            (false, None) => return Err(PlaceError::NoDirectory),
        };
        let path = straightened(&path).ok_or(PlaceError::Outside)?;
        let roots = self.directory.iter().chain(&self.sounds).chain(&self.allowed);
        let is_below = |root: &PathBuf| {
            let root = straightened(root);
            root.is_some_and(|root| path.starts_with(&root) && path != root)
        };
        match roots.into_iter().any(is_below) {
            true => Ok(path),
            false => Err(PlaceError::Outside),
        }
    }
}

/// Without `.` and `..`; `None` when those lead above the beginning.
fn straightened(path: &Path) -> Option<PathBuf> {
    let mut straight = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match straight.components().next_back() {
                Some(Component::Normal(_)) => drop(straight.pop()),
                _ => return None,
            },
            other => straight.push(other),
        }
    }
    Some(straight)
}

/// Linux' own limit of a path.
const LONGEST: usize = 4095;

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> RecordingSettings {
        RecordingSettings {
            directory: Some("/var/spool/asterisk/monitor".into()),
            sounds: Some("/var/lib/asterisk/sounds".into()),
            allowed: vec!["/srv/calls/".into()],
        }
    }

    fn place(name: &str, base: Base) -> Result<String, PlaceError> {
        settings().place(name.as_bytes(), base).map(|path| path.to_str().unwrap().to_owned())
    }

    #[test]
    fn relative_names_lie_where_asterisk_puts_them() {
        let monitor = place("2026/call.wav", Base::Recordings);
        assert_eq!(monitor.unwrap(), "/var/spool/asterisk/monitor/2026/call.wav");
        let greeting = place("custom/./a/../greeting.ulaw", Base::Sounds);
        assert_eq!(greeting.unwrap(), "/var/lib/asterisk/sounds/custom/greeting.ulaw");
        let without = RecordingSettings { sounds: None, ..settings() };
        assert!(without.place(b"x.wav", Base::Sounds).unwrap().ends_with("monitor/x.wav"));
    }

    #[test]
    fn no_name_leads_out() {
        for name in [
            "../x.wav",
            "a/../../x.wav",
            "/etc/cron.d/x.wav",
            "/var/spool/asterisk/monitor/../../x.wav",
            "/var/spool/asterisk/monitors/x.wav",
            "/../../x.wav",
            "../../../../../../../../x.wav",
            "/var/spool/asterisk/monitor",
            ".",
        ] {
            assert_eq!(place(name, Base::Recordings), Err(PlaceError::Outside), "{name}");
        }
        assert_eq!(place("x\0.wav", Base::Recordings), Err(PlaceError::NoFile));
        assert_eq!(place("x/", Base::Recordings), Err(PlaceError::NoFile));
        assert_eq!(place(&"x".repeat(5000), Base::Sounds), Err(PlaceError::TooLong));
        let nowhere = RecordingSettings::default();
        assert_eq!(nowhere.place(b"x.wav", Base::Sounds), Err(PlaceError::NoDirectory));
        assert_eq!(nowhere.place(b"/tmp/x.wav", Base::Sounds), Err(PlaceError::Outside));
    }

    #[test]
    fn absolute_names_lie_in_a_directory_that_is_allowed() {
        for name in [
            "/srv/calls/x.wav",
            "/var/lib/asterisk/sounds/custom/x.wav",
            "/var/spool/asterisk/monitor/x.wav",
        ] {
            assert_eq!(place(name, Base::Recordings).unwrap(), name);
        }
    }
}
