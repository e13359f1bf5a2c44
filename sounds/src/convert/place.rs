//! Where a file that is made goes when it is whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::SoundError;
use crate::read::input::unnamed;

/// What stands for standard output among the names of outputs.
pub const STANDARD_OUTPUT: &str = "-";

/// Where one output goes.
#[derive(Debug)]
pub(super) enum Place {
    /// A file. It lies beside its place under another name, its draft, until it is whole; then that is
    /// empty.
    File { asked: PathBuf, place: PathBuf, draft: PathBuf },
    /// Standard output, which a file without a name is copied to: its header tells its length.
    Standard,
}

impl Place {
    /// Begins a file.
    pub(super) fn create(asked: &Path) -> Result<(Self, File), SoundError> {
        let io = |error| SoundError::io(asked, error);
        if asked == Path::new(STANDARD_OUTPUT) {
            return Ok((Self::Standard, unnamed().map_err(io)?));
        }
        // Where a link leads is the place; the link stays. What is no file, such as a device, would
        // be gone.
        let before = fs::metadata(asked).ok();
        if before.as_ref().is_some_and(|it| !it.is_file()) {
            return Err(SoundError::NotAFile { path: asked.to_owned() });
        }
        let is_link = || fs::symlink_metadata(asked).is_ok_and(|it| it.is_symlink());
        let place = match before {
            Some(_) if is_link() => fs::canonicalize(asked).map_err(io)?,
            _ => asked.to_owned(),
        };
        let draft = beside(&place);
        let file = File::create(&draft).map_err(io)?;
        let this = Self::File { asked: asked.to_owned(), place, draft };
        if let Some(before) = before {
            file.set_permissions(before.permissions()).map_err(io)?;
        }
        Ok((this, file))
    }

    /// Puts the whole file into its place, over what was there.
    pub(super) fn commit(mut self, mut file: File) -> Result<(), SoundError> {
        let done = match &mut self {
            Self::File { place, draft, .. } => {
                drop(file);
                let renamed = fs::rename(&*draft, place);
                if renamed.is_ok() {
                    draft.clear();
                }
                renamed
            }
            Self::Standard => file
                .rewind()
                .and_then(|()| io::copy(&mut file, &mut io::stdout().lock()))
                .and_then(|_| io::Write::flush(&mut io::stdout())),
        };
        done.map_err(|error| self.error(error))
    }

    /// An error in writing it.
    pub(super) fn error(&self, error: io::Error) -> SoundError {
        match self {
            Self::File { asked, .. } => SoundError::io(asked, error),
            Self::Standard => SoundError::io("standard output", error),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::File { draft, .. } = self
            && !draft.as_os_str().is_empty()
        {
            // Where it was never made, there is nothing to remove.
            let _ = fs::remove_file(draft);
        }
    }
}

/// A name in the same directory that no other conversion takes.
fn beside(place: &Path) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut name = OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(format!(".{}-{number}.part", std::process::id()));
    place.with_file_name(name)
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("diesis-place-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn names(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_replaced_with_its_rights() {
        let directory = directory("link");
        let (file, link) = (directory.join("file.wav"), directory.join("link.wav"));
        fs::write(&file, b"before").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&file, &link).unwrap();
        let (place, mut out) = Place::create(&link).unwrap();
        out.write_all(b"after").unwrap();
        place.commit(out).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"after");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(&directory), 2);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let directory = directory("drop");
        let (place, out) = Place::create(&directory.join("x.wav")).unwrap();
        assert_eq!(names(&directory), 1);
        drop((place, out));
        assert_eq!(names(&directory), 0);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn devices_and_directories_are_not_replaced() {
        for path in ["/dev/null", "/dev/full", "/tmp"] {
            let error = Place::create(Path::new(path)).unwrap_err();
            assert!(matches!(error, SoundError::NotAFile { .. }), "{error}");
        }
    }
}
