//! Base64, percent encoding, digests, AES.

use md5::Digest;

use super::{Reading, aes, wrong};
use crate::arguments::split;
use crate::scope::Scope;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn base64_encode(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    if text.is_empty() {
        return wrong("syntax: BASE64_ENCODE(<data>) - missing argument");
    }
    encode_base64(text, out);
    Ok(())
}

pub(super) fn encode_base64(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.chunks(3) {
        let mut bits = [0u8; 3];
        bits[..chunk.len()].copy_from_slice(chunk);
        let word = u32::from_be_bytes([0, bits[0], bits[1], bits[2]]);
        for index in 0..4 {
            if index <= chunk.len() {
                out.push(ALPHABET[(word >> (18 - 6 * index) & 63) as usize]);
            } else {
                out.push(b'=');
            }
        }
    }
}

pub(super) fn base64_decode(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    if text.is_empty() {
        return wrong("syntax: BASE64_DECODE(<base_64 string>) - missing argument");
    }
    let mut decoded = decode_base64(text);
    // A text: nothing behind a zero byte is seen.
    if let Some(end) = memchr::memchr(0, &decoded) {
        decoded.truncate(end);
    }
    out.append(&mut decoded);
    Ok(())
}

/// Everything up to the first `=`; foreign bytes are passed over.
pub(super) fn decode_base64(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len() * 3 / 4);
    let (mut word, mut bits) = (0u32, 0);
    for byte in text.iter().take_while(|byte| **byte != b'=') {
        let Some(value) = ALPHABET.iter().position(|letter| letter == byte) else { continue };
        word = word << 6 | value as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            decoded.push((word >> bits) as u8);
        }
    }
    decoded
}

pub(super) fn uri_encode(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    Ok(())
}

pub(super) fn uri_decode(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    let digit = |at: usize| text.get(at).and_then(|byte| (*byte as char).to_digit(16));
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Ok(())
}

pub(super) fn md5(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    if text.is_empty() {
        return wrong("syntax: MD5(<data>) - missing argument");
    }
    write_hex(&md5::Md5::digest(text), out);
    Ok(())
}

pub(super) fn sha1(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    if text.is_empty() {
        return wrong("syntax: SHA1(<data>) - missing argument");
    }
    write_hex(&sha1_digest(text), out);
    Ok(())
}

fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
}

/// RFC 3174 §6.1. Dialplans use it for tokens, never for safety; a crate for one function is not worth it.
fn sha1_digest(text: &[u8]) -> [u8; 20] {
    let mut message = text.to_vec();
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend_from_slice(&(text.len() as u64 * 8).to_be_bytes());
    let mut h = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in message.chunks_exact(64) {
        let mut w = [0u32; 80];
        for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
            *word = u32::from_be_bytes(bytes.try_into().expect("chunks_exact gives four bytes"));
        }
        for t in 16..80 {
            w[t] = (w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = h;
        for (t, word) in w.iter().enumerate() {
            let (f, k) = match t {
                0..20 => (b & c | !b & d, 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => (b & c | b & d | c & d, 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6u32),
            };
            let next = a
                .rotate_left(5)
                .wrapping_add(f)
                .wrapping_add(e)
                .wrapping_add(*word)
                .wrapping_add(k);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, part) in h.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(part);
        }
    }
    let mut digest = [0u8; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(h) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

const AES_USAGE: &str = "the key must be 16 bytes long, and the data must not be empty";

/// SQL_ESC(text).
pub(super) fn sql_escape(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    doubled(text, b'\'', out);
    Ok(())
}

/// SQL_ESC_BACKSLASHES(text).
pub(super) fn sql_escape_backslashes(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    doubled(text, b'\\', out);
    Ok(())
}

fn doubled(text: &[u8], byte: u8, out: &mut Vec<u8>) {
    for &other in text {
        out.push(other);
        if other == byte {
            out.push(byte);
        }
    }
}

/// AES_ENCRYPT(key,text): AES-128 block by block, the last filled with zeros, in base64.
pub(super) fn aes_encrypt(_: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let [key, text] = parts.as_slice() else { return wrong(AES_USAGE) };
    let Ok(key) = <[u8; 16]>::try_from(&**key) else { return wrong(AES_USAGE) };
    if text.is_empty() {
        return wrong(AES_USAGE);
    }
    let schedule = aes::Schedule::new(key);
    let mut encrypted = Vec::with_capacity(text.len() + 16);
    for chunk in text.chunks(16) {
        let mut block = [0u8; 16];
        block[..chunk.len()].copy_from_slice(chunk);
        encrypted.extend_from_slice(&schedule.encrypt(block));
    }
    encode_base64(&encrypted, out);
    Ok(())
}

/// AES_DECRYPT(key,base64).
pub(super) fn aes_decrypt(_: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let [key, text] = parts.as_slice() else { return wrong(AES_USAGE) };
    let Ok(key) = <[u8; 16]>::try_from(&**key) else { return wrong(AES_USAGE) };
    if text.is_empty() {
        return wrong(AES_USAGE);
    }
    let schedule = aes::Schedule::new(key);
    let encrypted = decode_base64(text);
    let start = out.len();
    for chunk in encrypted.chunks_exact(16) {
        out.extend_from_slice(
            &schedule.decrypt(chunk.try_into().expect("chunks_exact gives sixteen bytes")),
        );
    }
    if let Some(end) = memchr::memchr(0, &out[start..]) {
        out.truncate(start + end);
    }
    Ok(())
}

/// ICONV(from,to,text), between the character sets that a dialplan meets.
pub(super) fn iconv(_: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 3);
    let [from, to, text] = parts.as_slice() else {
        return wrong("syntax: ICONV(<in-charset>,<out-charset>,<text>) - missing arguments!");
    };
    let (Some(from), Some(to)) = (Charset::named(from), Charset::named(to)) else {
        return wrong("character set not supported");
    };
    let Some(text) = from.decode(text) else { return wrong("illegal character in the text") };
    to.encode(&text, out)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Ascii,
    Latin1,
    Utf8,
    Utf16Little,
    Utf16Big,
}

impl Charset {
    /// `//TRANSLIT` and `//IGNORE` behind the name are accepted.
    fn named(name: &[u8]) -> Option<Self> {
        let end = memchr::memmem::find(name, b"//").unwrap_or(name.len());
        Some(match name[..end].to_ascii_lowercase().as_slice() {
            b"ascii" | b"us-ascii" | b"ansi_x3.4-1968" | b"646" => Self::Ascii,
            b"latin1" | b"iso-8859-1" | b"iso8859-1" | b"iso_8859-1" | b"l1" => Self::Latin1,
            b"utf-8" | b"utf8" => Self::Utf8,
            b"utf-16le" | b"ucs-2le" => Self::Utf16Little,
            b"utf-16be" | b"ucs-2be" => Self::Utf16Big,
            _ => return None,
        })
    }

    fn decode(self, text: &[u8]) -> Option<String> {
        match self {
            Self::Ascii if text.is_ascii() => Some(String::from_utf8_lossy(text).into_owned()),
            Self::Ascii => None,
            Self::Latin1 => Some(text.iter().map(|byte| *byte as char).collect()),
            Self::Utf8 => String::from_utf8(text.to_vec()).ok(),
            Self::Utf16Little | Self::Utf16Big => {
                let units = text.chunks_exact(2).map(|pair| {
                    let pair = [pair[0], pair[1]];
                    if self == Self::Utf16Little {
                        u16::from_le_bytes(pair)
                    } else {
                        u16::from_be_bytes(pair)
                    }
                });
                char::decode_utf16(units).collect::<Result<_, _>>().ok()
            }
        }
    }

    fn encode(self, text: &str, out: &mut Vec<u8>) -> Reading {
        for letter in text.chars() {
            match self {
                Self::Ascii if letter.is_ascii() => out.push(letter as u8),
                Self::Latin1 if (letter as u32) < 256 => out.push(letter as u32 as u8),
                Self::Ascii | Self::Latin1 => return wrong("illegal character in the text"),
                Self::Utf8 => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                Self::Utf16Little | Self::Utf16Big => {
                    for unit in letter.encode_utf16(&mut [0; 2]) {
                        let pair = if self == Self::Utf16Little {
                            unit.to_le_bytes()
                        } else {
                            unit.to_be_bytes()
                        };
                        out.extend_from_slice(&pair);
                    }
                }
            }
        }
        // A text: nothing behind a zero byte is seen.
        if let Some(end) = memchr::memchr(0, out) {
            out.truncate(end);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha1_gives_the_digests_of_its_standard() {
        let hex = |text: &[u8]| {
            let mut out = vec![];
            write_hex(&sha1_digest(text), &mut out);
            String::from_utf8(out).expect("hexadecimal")
        };
        assert_eq!(hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(&[b'a'; 119]), hex(&[b'a'; 119]));
        assert_eq!(hex(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    }
}
