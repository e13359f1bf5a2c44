//! What other files add to the dialplan: extensions of parking lots, codes of schedules.

use std::io;

use diesis_dialplan::conf::FileSource;

/// The files, with text at the end of `extensions.conf`.
pub(super) struct WithAdded<'a> {
    files: &'a dyn FileSource,
    added: Vec<u8>,
}

impl<'a> WithAdded<'a> {
    pub(super) fn new(files: &'a dyn FileSource, added: Vec<u8>) -> Self {
        Self { files, added }
    }
}

impl FileSource for WithAdded<'_> {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut text = self.files.read(name)?;
        if name == "extensions.conf" {
            text.extend_from_slice(&self.added);
        }
        Ok(text)
    }

    fn list(&self, directory: &str) -> Vec<String> {
        self.files.list(directory)
    }

    fn execute(&self, command: &str) -> Option<io::Result<Vec<u8>>> {
        self.files.execute(command)
    }
}
