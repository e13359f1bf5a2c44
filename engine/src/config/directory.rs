//! A configuration directory on disk.

use std::io;
use std::path::{Path, PathBuf};

use diesis_dialplan::conf::FileSource;

/// The files of a directory. Relative names count from it; absolute ones are taken as they are, as
/// `#include` of Asterisk does.
#[derive(Clone, Debug)]
pub struct DirectoryFiles {
    root: PathBuf,
}

impl DirectoryFiles {
    /// The files of `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl FileSource for DirectoryFiles {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let path = self.root.join(name);
        // A device or a pipe would never end.
        let metadata = std::fs::metadata(&path)?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "not a regular file"));
        }
        if metadata.len() > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "file is too large"));
        }
        std::fs::read(path)
    }

    fn list(&self, directory: &str) -> Vec<String> {
        // What can't be listed holds nothing that matches.
        let Ok(entries) = std::fs::read_dir(self.root.join(directory)) else { return vec![] };
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }
}

/// Far above any real configuration file; larger ones are a mistake in the name.
const MAX_FILE: u64 = 256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_no_file_and_a_missing_one_lists_nothing() {
        let files = DirectoryFiles::new(env!("CARGO_MANIFEST_DIR"));
        assert!(files.read("Cargo.toml").is_ok());
        assert_eq!(files.read("src").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(files.read("nowhere").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(files.list("").contains(&"Cargo.toml".to_owned()));
        assert!(files.list("src").contains(&"lib.rs".to_owned()));
        assert!(files.list("nowhere").is_empty());
    }
}
