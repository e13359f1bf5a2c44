//! What an operator may change of the log of the program that runs an engine.

use std::fmt::Debug;

/// The log of a program, as `diesis set` changes it while an engine runs.
pub trait LogControl: Debug + Send + Sync {
    /// Logs from this level on; `default` is what the program was started with. Returns what holds
    /// now, in words.
    ///
    /// # Errors
    /// Why the level is not understood, in words.
    fn set_level(&self, level: &str) -> Result<String, String>;

    /// Sends the log to a syslog server too, or to the system's own (`local`), or to none any more
    /// (`off`). Returns what holds now, in words.
    ///
    /// # Errors
    /// Why the place is not understood or can not be had, in words.
    fn set_syslog(&self, to: &str) -> Result<String, String>;

    /// Opens files again that were moved away.
    fn reopen(&self);
}
