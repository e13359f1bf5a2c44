//! Makes new inputs of old ones: havoc, splices of two, and pieces that mean something.

use diesis_engine::entropy::Entropy;

/// Changes inputs by a seed.
#[derive(Debug)]
pub struct Mutator {
    entropy: Entropy,
    tokens: &'static [&'static [u8]],
    longest: usize,
}

impl Mutator {
    /// One that uses these tokens and makes nothing longer than `longest`.
    #[must_use]
    pub fn new(seed: u64, tokens: &'static [&'static [u8]], longest: usize) -> Self {
        Self { entropy: Entropy::new(seed), tokens, longest }
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.entropy.below(u32::try_from(bound).unwrap_or(u32::MAX)) as usize
    }

    /// A new input from `base`, with pieces of `other`.
    pub fn mutate(&mut self, base: &[u8], other: &[u8], out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(base);
        if self.below(8) == 0 && !other.is_empty() {
            out.truncate(self.below(base.len() + 1));
            out.extend_from_slice(&other[self.below(other.len())..]);
        }
        // Mostly few changes: what parses still parses, and goes deeper.
        let changes = 1 + match self.below(8) {
            0..4 => 0,
            4..6 => self.below(3),
            6 => self.below(8),
            _ => self.below(32),
        };
        for _ in 0..changes {
            self.change(out, other);
        }
        out.truncate(self.longest);
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(bytes.len() + 1);
        let length = 1 + self.below(4).pow(3).min(self.below(64));
        let end = (at + length).min(bytes.len());
        match self.below(16) {
            0..3 if !self.tokens.is_empty() => {
                let token = self.tokens[self.below(self.tokens.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            3 if !self.tokens.is_empty() => {
                let token = self.tokens[self.below(self.tokens.len())];
                bytes.splice(at..end, token.iter().copied());
            }
            4 | 5 => drop(bytes.drain(at..end)),
            6 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            7 if at < bytes.len() => bytes[at] = self.below(256) as u8,
            8 if at < bytes.len() => {
                let step = self.below(16) as u8 + 1;
                let up = self.below(2) == 0;
                let byte = bytes[at];
                bytes[at] = if up { byte.wrapping_add(step) } else { byte.wrapping_sub(step) };
            }
            9 => {
                let copy = bytes[at..end].to_vec();
                let to = self.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            10 => {
                let from = self.below(other.len() + 1);
                let piece = &other[from..(from + length * 2).min(other.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
            11 => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                let end = at + bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
                bytes.splice(at..end, number.bytes());
            }
            12 if self.below(8) == 0 => {
                let piece = bytes[at..end].to_vec();
                let times = [2, 4, 17, 64, 300][self.below(5)];
                if piece.len() * times <= self.longest {
                    bytes.splice(at..at, piece.repeat(times));
                }
            }
            13 => {
                let byte = INTERESTING[self.below(INTERESTING.len())];
                bytes.insert(at, byte);
            }
            14 if self.below(4) == 0 => bytes.truncate(at),
            _ => bytes.insert(at, self.below(96) as u8 + 32),
        }
    }
}

const INTERESTING: &[u8] =
    b"\0\t\r\n \"#$%&'()*+,-./09:;<=>?@AZ[\\]^_az{|}~\x7f\x80\xbf\xc3\xff\x1e";

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "9",
    "10",
    "59",
    "60",
    "99",
    "127",
    "128",
    "255",
    "256",
    "999",
    "1000",
    "32767",
    "32768",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "1e9",
    "1e400",
    "0x7f",
    "007",
    "0.5",
    ".",
    "nan",
    "inf",
];
