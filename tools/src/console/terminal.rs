//! The terminal without its own line editing, until this is dropped.

use std::io::{self, Read, Write};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// A terminal in raw mode.
#[derive(Debug)]
pub(super) struct Terminal {
    before: Termios,
}

impl Terminal {
    pub(super) fn raw() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// What an editor reads keys from and draws on.
pub(super) trait Screen {
    /// The next octet; `None` at the end.
    fn read(&mut self) -> io::Result<Option<u8>>;
    fn write(&mut self, text: &str) -> io::Result<()>;
    fn columns(&self) -> usize;
}

impl Screen for Terminal {
    fn read(&mut self) -> io::Result<Option<u8>> {
        let mut octet = [0; 1];
        loop {
            match io::stdin().lock().read(&mut octet) {
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(Some(octet[0])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn columns(&self) -> usize {
        let columns = tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
        // Where nobody knows, as on a serial line.
        if columns == 0 { 80 } else { columns }
    }
}
