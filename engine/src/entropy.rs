//! The seeded generator behind tags, branches, Call-IDs and SSRCs.
//!
//! xoshiro256** seeded through splitmix64 (Blackman and Vigna, public domain algorithms). The same
//! seed gives the same run, which is what replays a call in a test. It is **not** a source of
//! secrets: keys and nonces take theirs from the operating system as an argument.

/// A seeded generator of unpredictable-enough numbers.
#[derive(Clone, Debug)]
pub struct Entropy {
    state: [u64; 4],
}

impl Entropy {
    /// A generator that repeats itself exactly for the same seed.
    pub fn new(seed: u64) -> Self {
        let mut x = seed;
        let state = std::array::from_fn(|_| {
            x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = x;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        Self { state }
    }

    /// A generator from 256 bits of the operating system's randomness.
    ///
    /// An all-zero seed, from which the algorithm could never move, is replaced by `new(0)`.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        if seed == [0; 32] {
            return Self::new(0);
        }
        let (words, _) = seed.as_chunks::<8>();
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(words) {
            *word = u64::from_le_bytes(*bytes);
        }
        Self { state }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
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
        Self::new(self.next_u64())
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
    fn zero_seed_still_moves() {
        let mut entropy = Entropy::from_seed([0; 32]);
        assert_ne!(entropy.next_u64(), entropy.next_u64());
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
