//! Files that grow by whole lines and are read while they grow: call records, reports of conferences.

use std::{
    fs::{self, File, OpenOptions},
    io,
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::Path,
};

/// Appends lines, below `head` where the file is new, and makes them stay. The directory is made when
/// it is not there.
///
/// # Errors
/// What the system says; the file is then as it was.
pub(super) fn append(path: &Path, head: &str, lines: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let before = file.metadata()?.len();
    let opening = match before {
        0 => head,
        _ if ends_a_line(&file, before)? => "",
        // Whoever wrote last did not come to the end of it: the machine lost its power, for one.
        _ => "\n",
    };
    let written = file.write_all(format!("{opening}{lines}").as_bytes());
    // Half a line would spoil the next one.
    written.and_then(|()| file.sync_data()).inspect_err(|_| drop(file.set_len(before)))
}

fn ends_a_line(file: &File, length: u64) -> io::Result<bool> {
    let mut last = [0];
    file.read_exact_at(&mut last, length - 1)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::{env, path::PathBuf, process};

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let directory = env::temp_dir().join(format!("diesis-lines-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&directory);
        directory
    }

    #[test]
    fn lines_follow_each_other_below_one_head() {
        let directory = scratch("head");
        let path = directory.join("sub/file.csv");
        append(&path, "head\n", "one\n").unwrap();
        append(&path, "head\n", "two\nthree\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "head\none\ntwo\nthree\n");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn half_a_line_of_before_spoils_no_other() {
        let directory = scratch("half");
        let path = directory.join("file.csv");
        append(&path, "head\n", "one\n").unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"two, and no").unwrap();
        append(&path, "head\n", "three\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "head\none\ntwo, and no\nthree\n");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let full = append(Path::new("/dev/full"), "", "one\n").unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }
}
