//! What Asterisk would say of a sound file: which of its players takes it, by its name, and what
//! that one makes of the contents.
//!
//! Players are chosen by the extension alone, letter case included. Those of headerless formats
//! look at nothing; those of WAV files read chunk by chunk. Described is what versions 13 to 22 do.

mod raw;
mod riff;

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Serialize;

use super::container::{Container, HEAD};
use super::shell;

/// What becomes of a file there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Opinion {
    pub(super) verdict: Verdict,
    /// In the words of its log, or what a caller hears.
    pub(super) says: Option<String>,
    /// A command line that makes a good file of it.
    pub(super) remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// It plays.
    Plays,
    /// It plays something else than what was meant.
    PlaysWrong,
    /// Nothing is heard.
    Refuses,
}

/// What a player found to say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Finding {
    Refusal(String),
    /// What is heard instead.
    Wrong(String),
    /// What is heard instead, and nothing can be done here.
    Hopeless(String),
    /// What is heard, and what it must be called before it can be converted.
    Misnamed(String, &'static str),
    /// It plays, with this remark.
    Remark(String),
}

/// Who plays an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Player {
    /// PCM of 16 bits in a WAV file, mono, of this rate.
    Wav(u32),
    /// GSM in a WAV file.
    WavGsm,
    Gsm,
    Ulaw,
    Alaw,
    Linear,
    /// A mu-law file of Sun's.
    Au,
    /// Headerless of another codec, which lies in packets of so many bytes.
    Packets(usize, Translator),
    /// Ogg with Vorbis in it.
    OggVorbis,
    OggOpus,
    /// An add-on.
    Mp3,
}

/// Where a channel of another codec gets it from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Translator {
    /// Asterisk has one.
    BuiltIn,
    /// It must be bought or added.
    Foreign,
}

const PLAYERS: &[(&str, Player)] = &[
    ("wav", Player::Wav(8000)),
    ("wav16", Player::Wav(16_000)),
    ("WAV", Player::WavGsm),
    ("wav49", Player::WavGsm),
    ("gsm", Player::Gsm),
    ("ulaw", Player::Ulaw),
    ("ul", Player::Ulaw),
    ("mu", Player::Ulaw),
    ("ulw", Player::Ulaw),
    ("pcm", Player::Ulaw),
    ("alaw", Player::Alaw),
    ("al", Player::Alaw),
    ("alw", Player::Alaw),
    ("sln", Player::Linear),
    ("raw", Player::Linear),
    ("sln12", Player::Linear),
    ("sln16", Player::Linear),
    ("sln24", Player::Linear),
    ("sln32", Player::Linear),
    ("sln44", Player::Linear),
    ("sln48", Player::Linear),
    ("sln96", Player::Linear),
    ("sln192", Player::Linear),
    ("au", Player::Au),
    ("g722", Player::Packets(1, Translator::BuiltIn)),
    ("g726-40", Player::Packets(1, Translator::BuiltIn)),
    ("g726-32", Player::Packets(1, Translator::BuiltIn)),
    ("g726-24", Player::Packets(1, Translator::BuiltIn)),
    ("g726-16", Player::Packets(1, Translator::BuiltIn)),
    ("vox", Player::Packets(1, Translator::BuiltIn)),
    ("ilbc", Player::Packets(50, Translator::BuiltIn)),
    ("g729", Player::Packets(10, Translator::Foreign)),
    ("g723", Player::Packets(1, Translator::Foreign)),
    ("g723sf", Player::Packets(1, Translator::Foreign)),
    ("siren7", Player::Packets(1, Translator::Foreign)),
    ("siren14", Player::Packets(1, Translator::Foreign)),
    ("ogg", Player::OggVorbis),
    ("opus", Player::OggOpus),
    ("mp3", Player::Mp3),
];

/// The extensions that have a player.
pub(super) fn extensions() -> impl Iterator<Item = &'static str> {
    PLAYERS.iter().map(|row| row.0)
}

/// What is said of the file at this path, as far as it can be opened.
pub(super) fn opinion(path: &Path) -> std::io::Result<Opinion> {
    let mut input = BufReader::new(File::open(path)?);
    let mut head = Vec::with_capacity(HEAD);
    input.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    let len = input.seek(SeekFrom::End(0))?;
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let player = PLAYERS.iter().find(|row| row.0 == extension).map(|row| row.1);
    let found = match player {
        None => Some(unknown(&extension)),
        Some(_) if len == 0 => Some(Finding::Refusal("the file is empty".to_owned())),
        Some(player) => listen(player, &mut input, &head, len)?,
    };
    let mut opinion = Opinion { verdict: Verdict::Plays, says: None, remedy: None };
    let Some(found) = found else { return Ok(opinion) };
    let (verdict, says) = match &found {
        Finding::Refusal(says) => (Verdict::Refuses, says),
        Finding::Wrong(says) | Finding::Hopeless(says) | Finding::Misnamed(says, _) => {
            (Verdict::PlaysWrong, says)
        }
        Finding::Remark(says) => (Verdict::Plays, says),
    };
    opinion.verdict = verdict;
    opinion.says = Some(says.clone());
    opinion.remedy = match found {
        Finding::Remark(_) | Finding::Hopeless(_) => None,
        _ if len == 0 => None,
        Finding::Misnamed(_, other) => {
            let renamed = path.with_extension(other);
            let (from, to) = (shell::word(path), shell::word(&renamed));
            Some(format!("mv {from} {to} && diesis convert {to} {from}"))
        }
        _ => Some(shell::convert(path, remedied(&extension))),
    };
    Ok(opinion)
}

/// The extension that a good file has in the place of one with this.
pub(super) fn remedied(extension: &str) -> &str {
    match extension {
        "wav16" | "ulaw" | "ul" | "mu" | "ulw" | "pcm" | "alaw" | "al" | "alw" | "sln" | "raw"
        | "sln12" | "sln16" | "sln24" | "sln32" | "sln44" | "sln48" | "sln96" | "sln192" => {
            extension
        }
        _ => "wav",
    }
}

fn unknown(extension: &str) -> Finding {
    let near = PLAYERS.iter().find(|row| row.0.eq_ignore_ascii_case(extension));
    Finding::Refusal(match near {
        Some((near, _)) => format!(
            "file does not exist in any format: no player for .{extension}, letter case counts \
             (.{near})"
        ),
        None if extension.is_empty() => {
            "file does not exist in any format: it has no extension".to_owned()
        }
        None => format!("file does not exist in any format: no player for .{extension}"),
    })
}

/// What a player makes of a file that begins so.
fn listen(
    player: Player,
    input: &mut (impl Read + Seek),
    head: &[u8],
    len: u64,
) -> std::io::Result<Option<Finding>> {
    let container = Container::of(head);
    Ok(match player {
        Player::Wav(rate) => riff::pcm(input, rate)?.err(),
        Player::WavGsm => riff::gsm(head),
        Player::Au => au(head),
        Player::OggVorbis => ogg(head, container),
        Player::OggOpus if container == Container::Known("Ogg") => None,
        Player::OggOpus => Some(Finding::Refusal("not an Ogg file".to_owned())),
        Player::Mp3 => Some(mp3(container)),
        _ => raw::thump(container).or_else(|| match player {
            Player::Gsm => raw::gsm(head, len),
            Player::Ulaw => raw::looks_like(input, raw::Kind::Ulaw),
            Player::Alaw => raw::looks_like(input, raw::Kind::Alaw),
            Player::Linear => raw::looks_like(input, raw::Kind::Linear),
            Player::Packets(_, Translator::Foreign) => Some(Finding::Remark(
                "on calls of this codec alone: Asterisk comes without a translator for it"
                    .to_owned(),
            )),
            Player::Packets(bytes, _) if len < bytes as u64 => {
                Some(Finding::Refusal("short read: less than a frame".to_owned()))
            }
            _ => None,
        }),
    })
}

/// `.au`: mu-law, mono, 8 kHz, and a header of at least 24 bytes.
fn au(head: &[u8]) -> Option<Finding> {
    let field = |number: usize| {
        let bytes = head.get(number * 4..number * 4 + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().expect("four bytes")))
    };
    let refused = |says: &str, value: Option<u32>| {
        let value = value.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
        Some(Finding::Refusal(format!("{says}: {value}")))
    };
    if !head.starts_with(b".snd") {
        return Some(Finding::Refusal("wrong magic: it does not begin with .snd".to_owned()));
    }
    match [1, 3, 4, 5].map(field) {
        [Some(size), ..] if size < 24 => refused("invalid header size", Some(size)),
        [_, coding, ..] if coding != Some(1) => refused("invalid audio format", coding),
        [_, _, rate, _] if rate != Some(8000) => refused("invalid sample rate", rate),
        [_, _, _, channels] if channels != Some(1) => {
            refused("invalid number of channels", channels)
        }
        _ => None,
    }
}

/// `.ogg`: Vorbis, mono, 8 kHz, and nothing else that Ogg may hold.
fn ogg(head: &[u8], container: Container) -> Option<Finding> {
    let refused = |says: &str| Some(Finding::Refusal(says.to_owned()));
    if container != Container::Known("Ogg") {
        return refused("input does not appear to be an Ogg bitstream");
    }
    // Of an Ogg page: 27 bytes, then the lengths of its parts. The first packet of Vorbis is 30.
    let begin = head.get(26).map_or(0, |&parts| 27 + usize::from(parts));
    let Some(packet) = head.get(begin..begin + 16).filter(|it| it.starts_with(b"\x01vorbis"))
    else {
        return refused("error reading the initial header packet: no Vorbis inside");
    };
    let rate = u32::from_le_bytes(packet[12..16].try_into().expect("four bytes"));
    match (packet[11], rate) {
        (1, 8000) => None,
        (1, _) => refused("only 8000 Hz Ogg/Vorbis files are supported"),
        _ => refused("only monophonic Ogg/Vorbis files are supported"),
    }
}

fn mp3(container: Container) -> Finding {
    if container != Container::Known("MP3") {
        return Finding::Refusal("not an MP3 file".to_owned());
    }
    Finding::Refusal(
        "no player unless the add-on format_mp3 is loaded, and that one plays 8 kHz alone right"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests;
