//! Nonces that need no memory until they have been used, and the memory of those that have.
//!
//! A nonce is its number, the time it was made and a MAC over both and the address it was made
//! for. So a flood of challenges costs nothing that outlives the packet; only a request that
//! proved its secret takes a place in the bounded table of nonce counts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Makes nonces and judges those that come back.
#[derive(Debug)]
pub(super) struct Nonces {
    key: [u8; 32],
    epoch: Instant,
    lifetime: Duration,
    capacity: usize,
    next: u64,
    /// Nonce counts by nonce number, of nonces used successfully.
    used: BTreeMap<u64, Counts>,
    /// Nonces numbered below this have been forgotten; whether they were used is not known.
    forgotten: u64,
}

/// What a nonce is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// Ours, made for this address, young enough, and never used with this count.
    Fresh,
    /// Anything else: a new one is needed.
    Stale,
}

/// Which counts of one nonce have been seen: the highest, and the 64 below it by bit.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    highest: u32,
    seen: u64,
}

/// Number, seconds and MAC in hexadecimal.
const LENGTH: usize = 16 + 8 + 32;

impl Nonces {
    pub(super) fn new(key: [u8; 32], lifetime: Duration, capacity: usize, now: Instant) -> Self {
        let used = BTreeMap::new();
        Self { key, epoch: now, lifetime, capacity, next: 0, used, forgotten: 0 }
    }

    /// A new nonce for whoever asks from `source`. The port does not count: behind a translator
    /// it changes.
    pub(super) fn make(&mut self, source: IpAddr, now: Instant) -> String {
        let number = self.next;
        self.next += 1;
        let head = format!("{number:016x}{:08x}", self.seconds(now));
        let mac = self.mac(head.as_bytes(), source);
        head + &mac
    }

    /// Whether a nonce was made here for this address and is young enough.
    pub(super) fn has_made(&self, nonce: &[u8], source: IpAddr, now: Instant) -> bool {
        self.number_of(nonce, source, now).is_some()
    }

    /// Judges a nonce that came with a right response, and notes its count as used.
    pub(super) fn spend(
        &mut self,
        nonce: &[u8],
        count: u32,
        source: IpAddr,
        now: Instant,
    ) -> Worth {
        let Some(number) = self.number_of(nonce, source, now) else { return Worth::Stale };
        if !self.used.contains_key(&number) {
            if number < self.forgotten {
                return Worth::Stale;
            }
            self.make_room();
        }
        match self.used.entry(number).or_default().spend(count) {
            true => Worth::Fresh,
            false => Worth::Stale,
        }
    }

    /// The number of a nonce that is ours, for this address, and not too old.
    fn number_of(&self, nonce: &[u8], source: IpAddr, now: Instant) -> Option<u64> {
        let (head, mac) = nonce.split_at_checked(LENGTH - 32).filter(|_| nonce.len() == LENGTH)?;
        bool::from(self.mac(head, source).as_bytes().ct_eq(mac)).then_some(())?;
        let head = std::str::from_utf8(head).ok()?;
        let number = u64::from_str_radix(head.get(..16)?, 16).ok()?;
        let made = u32::from_str_radix(head.get(16..)?, 16).ok()?;
        let age = self.seconds(now).saturating_sub(made);
        (Duration::from_secs(u64::from(age)) <= self.lifetime).then_some(number)
    }

    /// Forgets the oldest nonces when the table is full: they, and all older ones, turn stale.
    fn make_room(&mut self) {
        while self.used.len() >= self.capacity.max(1) {
            let Some((number, _)) = self.used.pop_first() else { return };
            self.forgotten = number + 1;
        }
    }

    fn seconds(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.epoch).as_secs()).unwrap_or(u32::MAX)
    }

    /// HMAC-SHA-256 (RFC 2104), cut to 128 bits, in hexadecimal.
    fn mac(&self, head: &[u8], source: IpAddr) -> String {
        let pad = |with: u8| {
            let mut block = [with; 64];
            block.iter_mut().zip(&self.key).for_each(|(b, key)| *b ^= key);
            block
        };
        let source = match source.to_canonical() {
            IpAddr::V4(source) => source.to_ipv6_mapped().octets(),
            IpAddr::V6(source) => source.octets(),
        };
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(head).chain_update(source);
        let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner.finalize());
        outer.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Counts {
    /// Notes a count; false when it was used before or is too old to tell.
    fn spend(&mut self, count: u32) -> bool {
        if count == 0 {
            return false;
        }
        if count > self.highest {
            let shift = count - self.highest;
            // The bit for the old highest moves in with the shift.
            let with_highest = if self.highest > 0 { 1 } else { 0 };
            self.seen = match shift {
                1..=63 => (self.seen << shift) | (with_highest << (shift - 1)),
                64 => with_highest << 63,
                _ => 0,
            };
            self.highest = count;
            return true;
        }
        let below = self.highest - count;
        if below == 0 || below > 64 {
            return false;
        }
        let bit = 1u64 << (below - 1);
        let is_new = self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::entropy::Entropy;

    #[allow(clippy::disallowed_methods, reason = "the one clock of these tests")]
    fn clock() -> Instant {
        Instant::now()
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn nonces(capacity: usize, now: Instant) -> Nonces {
        Nonces::new([7; 32], Duration::from_secs(300), capacity, now)
    }

    #[test]
    fn nonce_is_good_once_per_count_for_its_address_until_it_is_old() {
        let now = clock();
        let mut nonces = nonces(10, now);
        let nonce = nonces.make(HERE, now);
        let mut spend = |count, source, after| {
            let now = now + Duration::from_secs(after);
            nonces.spend(nonce.as_bytes(), count, source, now) == Worth::Fresh
        };
        assert!(spend(1, HERE, 0));
        assert!(!spend(1, HERE, 0));
        assert!(spend(3, HERE, 1));
        assert!(spend(2, HERE, 1));
        assert!(!spend(2, HERE, 1));
        assert!(!spend(4, THERE, 1));
        assert!(!spend(0, HERE, 1));
        assert!(spend(5, HERE, 300));
        assert!(!spend(6, HERE, 301));
    }

    #[test]
    fn foreign_and_altered_nonces_are_stale() {
        let now = clock();
        let mut nonces = nonces(10, now);
        let nonce = nonces.make(HERE, now);
        let mut altered = nonce.clone().into_bytes();
        altered[20] ^= 1;
        for nonce in
            [&altered[..], b"", b"x", &nonce.as_bytes()[1..], &[b'0'; LENGTH], &[0xff; LENGTH]]
        {
            assert_eq!(nonces.spend(nonce, 1, HERE, now), Worth::Stale);
        }
    }

    #[test]
    fn replay_stays_impossible_when_the_table_overflows() {
        let now = clock();
        let mut nonces = nonces(4, now);
        let all: Vec<_> = (0..20).map(|_| nonces.make(HERE, now)).collect();
        for nonce in &all {
            assert_eq!(nonces.spend(nonce.as_bytes(), 1, HERE, now), Worth::Fresh);
        }
        assert_eq!(nonces.used.len(), 4);
        for nonce in &all {
            assert_eq!(nonces.spend(nonce.as_bytes(), 1, HERE, now), Worth::Stale);
        }
    }

    #[test]
    fn window_agrees_with_a_set_of_everything_seen() {
        let mut entropy = Entropy::new(3);
        for _ in 0..200 {
            let mut counts = Counts::default();
            let mut seen = HashSet::new();
            let mut highest = 0;
            for _ in 0..200 {
                let count = (highest + entropy.below(80)).saturating_sub(70);
                let expected = count > 0 && count + 64 >= highest && !seen.contains(&count);
                assert_eq!(counts.spend(count), expected, "{count} of {highest}");
                if expected {
                    seen.insert(count);
                    highest = highest.max(count);
                }
            }
        }
    }
}
