//! The seeded generator behind tags, branches, Call-IDs and SSRCs.
//!
//! ChaCha with 12 rounds (RFC 8439 §2.3, fewer rounds): what we hand to peers must not tell them
//! what comes next, since who guesses a tag can end the call, and who guesses an SSRC can speak in
//! it. The same seed gives the same run, which is what replays a call in a test. Keys are as good
//! as the seed: `net` takes it from the operating system.

use std::fmt;

/// A seeded generator of numbers that cannot be told from those before.
#[derive(Clone)]
pub struct Entropy {
    key: [u32; 8],
    /// The next block.
    counter: u64,
    block: [u64; 8],
    /// Words of the block given out.
    used: usize,
}

impl Entropy {
    /// A generator for tests and replays: as predictable as its seed.
    pub fn new(seed: u64) -> Self {
        let mut x = seed;
        let key = std::array::from_fn(|_| {
            // splitmix64 (Vigna, public domain): neighbouring seeds give unlike keys.
            x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = x;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 32) as u32
        });
        Self { key, counter: 0, block: [0; 8], used: 8 }
    }

    /// A generator from 256 bits of the operating system's randomness.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let (words, _) = seed.as_chunks::<4>();
        let mut key = [0; 8];
        for (word, bytes) in key.iter_mut().zip(words) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self { key, counter: 0, block: [0; 8], used: 8 }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        if self.used >= self.block.len() {
            let words = chacha::<12>(&self.key, self.counter, [0; 2]);
            self.counter += 1;
            let (pairs, _) = words.as_chunks::<2>();
            for (out, &[low, high]) in self.block.iter_mut().zip(pairs) {
                *out = u64::from(low) | (u64::from(high) << 32);
            }
            self.used = 0;
        }
        let word = self.block[self.used];
        self.used += 1;
        word
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// The next 16 bits.
    pub fn next_u16(&mut self) -> u16 {
        (self.next_u64() >> 48) as u16
    }

    /// A number below `bound`, each equally likely up to a bias of 2^-32; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        let product = u64::from(self.next_u32()) * u64::from(bound);
        (product >> 32) as u32
    }

    /// A fraction from 0 up to but not including 1.
    pub fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `N` random lower-case hexadecimal digits.
    pub fn hex<const N: usize>(&mut self) -> Hex<N> {
        let mut digits = [b'0'; N];
        for chunk in digits.chunks_mut(16) {
            let mut bits = self.next_u64();
            for digit in chunk {
                *digit = HEX_DIGITS[(bits & 0xf) as usize];
                bits >>= 4;
            }
        }
        Hex(digits)
    }

    /// A generator for a part of the system that must not disturb the draws of this one.
    pub fn fork(&mut self) -> Self {
        let mut seed = [0; 32];
        let (words, _) = seed.as_chunks_mut::<8>();
        for word in words {
            *word = self.next_u64().to_le_bytes();
        }
        Self::from_seed(seed)
    }
}

impl fmt::Debug for Entropy {
    /// Shows nothing that would tell what comes next.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entropy").finish_non_exhaustive()
    }
}

/// One block of ChaCha (RFC 8439 §2.3.1) with a 64-bit counter.
fn chacha<const ROUNDS: usize>(key: &[u32; 8], counter: u64, nonce: [u32; 2]) -> [u32; 16] {
    let mut start = [0u32; 16];
    start[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
    start[4..12].copy_from_slice(key);
    start[12..].copy_from_slice(&[counter as u32, (counter >> 32) as u32, nonce[0], nonce[1]]);
    let mut state = start;
    for _ in 0..ROUNDS / 2 {
        for [a, b, c, d] in QUARTER_ROUNDS {
            quarter_round(&mut state, a, b, c, d);
        }
    }
    for (word, start) in state.iter_mut().zip(start) {
        *word = word.wrapping_add(start);
    }
    state
}

/// Four columns, then four diagonals (RFC 8439 §2.3).
const QUARTER_ROUNDS: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
];

fn quarter_round(state: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    for (left, right) in [(16, 12), (8, 7)] {
        state[a] = state[a].wrapping_add(state[b]);
        state[d] = (state[d] ^ state[a]).rotate_left(left);
        state[c] = state[c].wrapping_add(state[d]);
        state[b] = (state[b] ^ state[c]).rotate_left(right);
    }
}

/// Hexadecimal digits from [`Entropy::hex`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hex<const N: usize>([u8; N]);

impl<const N: usize> Hex<N> {
    /// The digits as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_gives_the_same_run() {
        let (mut a, mut b) = (Entropy::new(42), Entropy::new(42));
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
        assert_ne!(Entropy::new(43).next_u64(), Entropy::new(42).next_u64());
    }

    #[test]
    fn block_function_is_that_of_the_rfc() {
        // RFC 8439 §2.3.2; its 96-bit nonce 00:00:00:09:00:00:00:4a:00:00:00:00 begins in what is
        // the high half of our counter.
        let key = std::array::from_fn(|at| {
            let at = at as u8 * 4;
            u32::from_le_bytes([at, at + 1, at + 2, at + 3])
        });
        let counter = 1 | (0x0900_0000 << 32);
        let block = chacha::<20>(&key, counter, [0x4a00_0000, 0]);
        assert_eq!(block[..4], [0xe4e7_f110, 0x1559_3bd1, 0x1fdd_0f50, 0xc471_20a3]);
        assert_eq!(block[12..], [0xd19c_12b5, 0xb94e_16de, 0xe883_d0cb, 0x4e3c_50a2]);
    }

    #[test]
    fn zero_seed_still_moves_and_nothing_is_printed() {
        let mut entropy = Entropy::from_seed([0; 32]);
        assert_ne!(entropy.next_u64(), entropy.next_u64());
        assert_eq!(format!("{entropy:?}"), "Entropy { .. }");
        let mut fork = entropy.fork();
        assert_ne!(fork.next_u64(), entropy.next_u64());
    }

    #[test]
    fn below_stays_below_and_reaches_every_value() {
        let mut entropy = Entropy::new(1);
        let mut seen = [false; 10];
        for _ in 0..1000 {
            seen[entropy.below(10) as usize] = true;
        }
        assert_eq!(seen, [true; 10]);
        assert_eq!(entropy.below(0), 0);
    }

    #[test]
    fn hexadecimal_text_has_the_asked_length() {
        let hex = Entropy::new(5).hex::<24>();
        assert_eq!(hex.as_str().len(), 24);
        assert!(hex.as_str().bytes().all(|b| b.is_ascii_hexdigit()));
    }
}
