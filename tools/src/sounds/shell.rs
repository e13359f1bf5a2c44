//! Words of a command line that can be pasted into a shell.

use std::path::{Path, PathBuf};

/// A path as one word that no shell takes apart and no program takes for an option.
pub(super) fn word(path: &Path) -> String {
    let safe = |text: &str| {
        let plain = |it: char| it.is_ascii_alphanumeric() || "_-./+=:,@%".contains(it);
        !text.is_empty() && text.chars().all(plain)
    };
    let bytes = path.as_os_str().as_encoded_bytes();
    let front = if bytes.starts_with(b"-") { "./" } else { "" };
    match path.to_str() {
        Some(text) if safe(text) => format!("{front}{text}"),
        Some(text) if !text.contains(char::is_control) => {
            format!("'{front}{}'", text.replace('\'', "'\\''"))
        }
        // Bash, zsh, ksh and the shells of the BSDs know this form.
        _ => {
            let escaped = bytes.iter().map(|byte| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
                b' '..=b'~' => char::from(*byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            });
            format!("$'{front}{}'", escaped.collect::<String>())
        }
    }
}

/// What makes a good file of a bad one, in the format of another extension; under the same name
/// when that is its own.
pub(super) fn convert(path: &Path, extension: &str) -> String {
    convert_with(path, extension, "")
}

/// The same with more options, with a space before them.
pub(super) fn convert_with(path: &Path, extension: &str, options: &str) -> String {
    let to = path.with_extension(extension);
    if to != path {
        return format!("diesis convert {} {}{options}", word(path), word(&to));
    }
    let draft: PathBuf = path.with_extension(format!("new.{extension}"));
    let (draft, path) = (word(&draft), word(path));
    format!("diesis convert {path} {draft}{options} && mv {draft} {path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        let word = |text: &str| word(Path::new(text));
        assert_eq!(word("/var/lib/a-b_1.wav"), "/var/lib/a-b_1.wav");
        assert_eq!(word("my menu.wav"), "'my menu.wav'");
        assert_eq!(word("-v.wav"), "./-v.wav");
        assert_eq!(word("- $(rm).wav"), "'./- $(rm).wav'");
        assert_eq!(word("it's.wav"), r"'it'\''s.wav'");
        assert_eq!(word("a\nb'.wav"), r"$'a\x0ab\'.wav'");
        assert_eq!(word("\u{e9}t\u{e9}.wav"), "'\u{e9}t\u{e9}.wav'");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_text_is_written_byte_by_byte() {
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"\xff a.wav"));
        assert_eq!(word(path), r"$'\xff a.wav'");
    }

    #[test]
    fn a_file_takes_its_own_place_by_way_of_another() {
        assert_eq!(convert(Path::new("d/a.mp3"), "wav"), "diesis convert d/a.mp3 d/a.wav");
        assert_eq!(
            convert(Path::new("a b.wav"), "wav"),
            "diesis convert 'a b.wav' 'a b.new.wav' && mv 'a b.new.wav' 'a b.wav'"
        );
    }
}
