//! The frames of AudioSocket: an octet of type, two of length, the payload (the protocol's page in
//! Asterisk's documentation; there is no RFC).
//!
//! Without I/O: bytes go into a [`Decoder`] as they come, frames are taken out.

use crate::media::Digit;

/// One frame that a program sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// It hangs up.
    Hangup,
    /// The call's identity; only we send it.
    Identity(&'a [u8]),
    /// A key.
    Digit(Digit),
    /// Signed samples, the low octet first.
    Audio {
        /// Samples a second.
        rate: u32,
        /// Two octets a sample.
        octets: &'a [u8],
    },
    /// Something went wrong there.
    Error(&'a [u8]),
    /// A key that there is not.
    NoDigit,
    /// A type that the protocol does not have: what comes behind it makes no sense.
    Unknown(u8),
}

/// Cuts a stream of bytes into frames. Holds no more than one frame of the greatest length.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Of the buffer, what was taken already.
    taken: usize,
}

impl Decoder {
    /// How much more is taken at once; at least one while a frame is not whole.
    pub fn room(&self) -> usize {
        LONGEST_FRAME - (self.buffer.len() - self.taken).min(LONGEST_FRAME)
    }

    /// Takes bytes that came, as many as there is [room](Self::room) for; returns how many.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> usize {
        let length = bytes.len().min(self.room());
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes.get(..length).unwrap_or_default());
        length
    }

    /// The next whole frame.
    pub fn poll_frame(&mut self) -> Option<Frame<'_>> {
        let waiting = self.buffer.get(self.taken..)?;
        let (header, rest) = waiting.split_first_chunk::<HEADER>()?;
        let [kind, high, low] = *header;
        if !is_known(kind) {
            // Whoever sends it speaks something else: its length means nothing.
            self.taken = self.buffer.len();
            return Some(Frame::Unknown(kind));
        }
        let payload = rest.get(..usize::from(u16::from_be_bytes([high, low])))?;
        self.taken += HEADER + payload.len();
        Some(match kind {
            HANGUP => Frame::Hangup,
            IDENTITY => Frame::Identity(payload),
            DIGIT => match payload.first().and_then(|&key| Digit::from_char(key.into())) {
                Some(digit) => Frame::Digit(digit),
                None => Frame::NoDigit,
            },
            ERROR => Frame::Error(payload),
            kind => match RATES.iter().find(|(of, _)| *of == kind) {
                Some(&(_, rate)) => Frame::Audio { rate, octets: payload },
                None => Frame::Unknown(kind),
            },
        })
    }

    /// Whether a part of a frame came and the rest did not.
    pub fn is_within_frame(&self) -> bool {
        self.buffer.len() > self.taken
    }
}

fn is_known(kind: u8) -> bool {
    matches!(kind, HANGUP | IDENTITY | DIGIT | ERROR) || RATES.iter().any(|(of, _)| *of == kind)
}

/// The first frame of a connection.
pub fn identity(uuid: [u8; 16]) -> [u8; HEADER + 16] {
    let mut frame = [0; HEADER + 16];
    frame[..HEADER].copy_from_slice(&[IDENTITY, 0, 16]);
    frame[HEADER..].copy_from_slice(&uuid);
    frame
}

/// Says that the call is over.
pub const GOODBYE: [u8; HEADER] = [HANGUP, 0, 0];

/// A key that was pressed.
pub fn digit(digit: Digit) -> [u8; HEADER + 1] {
    [DIGIT, 0, 1, digit.as_char() as u8]
}

/// Adds a frame of samples to what is to be sent; `None` for a rate the protocol does not have, or
/// for more samples than a frame holds.
pub fn write_audio(samples: &[i16], rate: u32, out: &mut Vec<u8>) -> Option<()> {
    let &(kind, _) = RATES.iter().find(|(_, of)| *of == rate)?;
    let [high, low] = u16::try_from(samples.len() * 2).ok()?.to_be_bytes();
    out.extend_from_slice(&[kind, high, low]);
    out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    Some(())
}

const HEADER: usize = 3;

/// The longest payload and its header.
pub const LONGEST_FRAME: usize = HEADER + u16::MAX as usize;

const HANGUP: u8 = 0x00;
const IDENTITY: u8 = 0x01;
const DIGIT: u8 = 0x03;
const ERROR: u8 = 0xff;

/// Types of audio and their rates, as Asterisk has them since DTMF (0x03) was added and, for those
/// above 8 kHz, since 23 and the last 22.
const RATES: [(u8, u32); 9] = [
    (0x10, 8_000),
    (0x11, 12_000),
    (0x12, 16_000),
    (0x13, 24_000),
    (0x14, 32_000),
    (0x15, 44_100),
    (0x16, 48_000),
    (0x17, 96_000),
    (0x18, 192_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(decoder: &mut Decoder) -> Vec<String> {
        std::iter::from_fn(|| decoder.poll_frame().map(|frame| format!("{frame:?}"))).collect()
    }

    #[test]
    fn frames_are_found_wherever_the_bytes_are_cut() {
        let mut bytes = identity(*b"0123456789abcdef").to_vec();
        write_audio(&[1, -2], 16_000, &mut bytes).unwrap();
        bytes.extend(digit(Digit::from_char('#').unwrap()));
        bytes.extend([DIGIT, 0, 1, b'x', ERROR, 0, 1, 4]);
        bytes.extend(GOODBYE);
        bytes.extend([0x42, 0x54, 0x54]);
        let mut whole = Decoder::default();
        assert_eq!(whole.handle_bytes(&bytes), bytes.len());
        let expected = kinds(&mut whole);
        assert_eq!(expected.len(), 7);
        assert_eq!(expected[1], "Audio { rate: 16000, octets: [1, 0, 254, 255] }");
        assert_eq!(expected[3..], ["NoDigit", "Error([4])", "Hangup", "Unknown(66)"]);
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::default();
            let (first, rest) = bytes.split_at(cut);
            decoder.handle_bytes(first);
            let mut found = kinds(&mut decoder);
            decoder.handle_bytes(rest);
            found.extend(kinds(&mut decoder));
            assert_eq!(found, expected, "cut at {cut}");
            assert!(!decoder.is_within_frame());
        }
    }

    #[test]
    fn no_more_is_held_than_the_longest_frame() {
        let mut decoder = Decoder::default();
        let flood = [0x10, 0xff, 0xff].repeat(50_000);
        assert_eq!(decoder.handle_bytes(&flood), LONGEST_FRAME);
        assert_eq!(decoder.room(), 0);
        assert!(
            matches!(decoder.poll_frame(), Some(Frame::Audio { octets, .. }) if octets.len() == 65_535)
        );
        assert_eq!(decoder.room(), LONGEST_FRAME);
    }

    #[test]
    fn more_samples_than_a_frame_holds_are_refused() {
        let mut out = vec![];
        assert_eq!(write_audio(&[0; 40_000], 8000, &mut out), None);
        assert_eq!(write_audio(&[0; 10], 11_025, &mut out), None);
        assert!(out.is_empty());
    }
}
