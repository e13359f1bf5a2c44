//! Files that are the old one or the new one, whatever happens in between.

use std::fs;
use std::io;
use std::path::Path;

/// Writes a file, in place of what stands there. When that fails, what stood there stays.
///
/// # Errors
/// What the system says.
pub(crate) fn replace(path: &Path, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.part", std::process::id()));
    let written = fs::write(&draft, contents).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_or_left_and_no_draft_stays() {
        let directory = std::env::temp_dir().join(format!("diesis-replace-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("a.conf");
        replace(&path, "one").unwrap();
        replace(&path, "two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        // A directory can't be replaced by a file.
        assert!(replace(&directory, "three").is_err());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(&directory).unwrap();
    }
}
