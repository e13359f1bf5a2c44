//! The machine that a dialplan runs on: files, programs, load. Off unless the operator switches it on.
//!
//! This crate does no I/O: a host that allows it hands out a [`Machine`]. The one in memory is for tests.

use std::collections::BTreeMap;

use bstr::{BStr, BString};

/// What FILE(), STAT(), SHELL(), SYSINFO() and their kin may do.
pub trait Machine {
    /// Everything in a file; `None` when it can not be read.
    fn read(&self, path: &BStr) -> Option<Vec<u8>>;

    /// Writes a file anew. `false` when it can not be written.
    fn write(&mut self, path: &BStr, content: &[u8]) -> bool;

    /// Facts about a file; `None` when there is none.
    fn stat(&self, path: &BStr) -> Option<FileFacts>;

    /// What a command of the system's shell prints; `None` when it can not be run.
    fn shell(&mut self, command: &BStr) -> Option<Vec<u8>>;

    /// Facts about the system (SYSINFO); `None` when not known.
    fn system(&self, item: SystemItem) -> Option<u64>;
}

/// What STAT() tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFacts {
    /// Bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// A directory, not a file.
    pub is_directory: bool,
    /// Seconds since 1970: last access.
    pub accessed: i64,
    /// Seconds since 1970: last change of the content.
    pub modified: i64,
    /// Seconds since 1970: last change of anything.
    pub changed: i64,
}

/// What SYSINFO() tells of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SystemItem {
    /// Load of the last minute, in hundredths.
    Load,
    /// Calls there are.
    Calls,
    /// Hours the system is up.
    Uptime,
    /// KiB of memory.
    TotalMemory,
    /// KiB of memory not used.
    FreeMemory,
    /// KiB of buffers.
    Buffers,
    /// KiB of swap.
    TotalSwap,
    /// KiB of swap not used.
    FreeSwap,
    /// Processes there are.
    Processes,
}

/// A machine in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryMachine {
    /// Files by path. A path that others begin with, and a slash, is a directory.
    pub files: BTreeMap<BString, Vec<u8>>,
    /// What commands print.
    pub commands: BTreeMap<BString, Vec<u8>>,
    /// Facts about the system.
    pub system: BTreeMap<SystemItem, u64>,
}

impl Machine for MemoryMachine {
    fn read(&self, path: &BStr) -> Option<Vec<u8>> {
        self.files.get(path).cloned()
    }

    fn write(&mut self, path: &BStr, content: &[u8]) -> bool {
        self.files.insert(path.into(), content.into());
        true
    }

    fn stat(&self, path: &BStr) -> Option<FileFacts> {
        let below = [path.as_ref(), b"/".as_slice()].concat();
        let is_directory = self.files.keys().any(|file| file.starts_with(&below));
        let content = self.files.get(path);
        (is_directory || content.is_some()).then(|| FileFacts {
            size: content.map_or(0, |content| content.len() as u64),
            mode: if is_directory { 0o755 } else { 0o644 },
            is_directory,
            accessed: 0,
            modified: 0,
            changed: 0,
        })
    }

    fn shell(&mut self, command: &BStr) -> Option<Vec<u8>> {
        self.commands.get(command).cloned()
    }

    fn system(&self, item: SystemItem) -> Option<u64> {
        self.system.get(&item).copied()
    }
}
