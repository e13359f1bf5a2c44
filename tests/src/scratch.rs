//! A directory for one test, removed with it unless the test failed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use diesis_sounds::format::wav;

/// An empty directory below the system's temporary one.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Creates it; the name tells a human which test left it behind.
    #[must_use]
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = format!("diesis-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(directory);
        fs::create_dir_all(&path).expect("the temporary directory can be written");
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path within it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file within it.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().expect("it is below the scratch directory"))
            .and_then(|()| fs::write(&path, text))
            .expect("the scratch directory can be written");
        path
    }

    /// Writes a sound at 8 kHz within it.
    pub fn write_sound(&self, name: &str, samples: &[i16]) -> PathBuf {
        let path = self.path.join(name);
        wav::write(&path, 8000, samples).expect("the scratch directory can be written");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What a failed test leaves is what one wants to look at.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
