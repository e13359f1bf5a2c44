//! What kind of file holds a sound, by how it begins.

use std::path::Path;

/// Bytes that are enough to tell.
pub(super) const HEAD: usize = 4096;

/// What holds a sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// This kind of file, whatever it is called.
    Known(&'static str),
    /// Nothing: samples from the first byte on.
    Headerless,
}

impl Container {
    /// By the first bytes of a file.
    pub(super) fn of(head: &[u8]) -> Self {
        let at = |place: usize, magic: &[u8]| {
            head.get(place..place + magic.len()).is_some_and(|found| found == magic)
        };
        let wave = at(8, b"WAVE");
        let adts = head.len() >= 2 && head[0] == 0xff && head[1] & 0xf6 == 0xf0;
        let mpeg = head.len() >= 4 && head[0] == 0xff && is_mpeg(head[1], head[2]);
        Self::Known(match () {
            () if at(0, b"RIFF") && wave => "WAV",
            () if at(0, b"RIFX") && wave => "WAV (RIFX)",
            () if at(0, b"RF64") && wave => "WAV (RF64)",
            () if at(0, b"BW64") && wave => "WAV (BW64)",
            () if at(0, b"riff\x2e\x91\xcf\x11") => "W64",
            () if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) => "AIFF",
            () if at(0, b"caff") => "CAF",
            () if at(0, b".snd") => "AU",
            () if at(0, b"fLaC") => "FLAC",
            () if at(0, b"OggS") => "Ogg",
            () if at(0, b"\x1a\x45\xdf\xa3") => "Matroska",
            () if at(4, b"ftyp") => "MP4",
            () if at(0, b"#!AMR") => "AMR",
            () if at(0, b"\x30\x26\xb2\x75") => "ASF",
            () if adts => "AAC",
            () if at(0, b"ID3") || mpeg => "MP3",
            () => return Self::Headerless,
        })
    }

    /// What it is called; a file without a header is called by its extension.
    pub(super) fn name(self, path: &Path) -> String {
        match self {
            Self::Known(name) => name.to_owned(),
            Self::Headerless => {
                let extension = path.extension().unwrap_or_default().to_string_lossy();
                format!("headerless ({extension})")
            }
        }
    }
}

/// Whether a frame of MPEG layer I to III begins so: no reserved version, layer, bit rate or rate.
fn is_mpeg(second: u8, third: u8) -> bool {
    second & 0xe0 == 0xe0
        && second & 0x18 != 0x08
        && second & 0x06 != 0
        && third & 0xf0 != 0xf0
        && third & 0xf0 != 0
        && third & 0x0c != 0x0c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_first_bytes() {
        let known = |head: &[u8]| Container::of(head);
        assert_eq!(known(b"RIFF\0\0\0\0WAVEfmt "), Container::Known("WAV"));
        assert_eq!(known(b"ID3\x04\0\0"), Container::Known("MP3"));
        assert_eq!(known(&[0xff, 0xfb, 0x90, 0x64]), Container::Known("MP3"));
        assert_eq!(known(&[0xff, 0xf1, 0x50, 0x80]), Container::Known("AAC"));
        // Silence in mu-law.
        assert_eq!(known(&[0xff; 40]), Container::Headerless);
        assert_eq!(known(b""), Container::Headerless);
        assert_eq!(Container::Headerless.name(Path::new("a.ulaw")), "headerless (ulaw)");
    }
}
