//! AES-128 on single blocks (FIPS 197), for AES_ENCRYPT() and AES_DECRYPT() only.
//!
//! Not hardened against timing; nothing but dialplan texts goes through it.

/// An expanded key.
pub(super) struct Schedule {
    round_keys: [[u8; 16]; 11],
    forward: [u8; 256],
    backward: [u8; 256],
}

impl Schedule {
    pub(super) fn new(key: [u8; 16]) -> Self {
        let (forward, backward) = boxes();
        let mut round_keys = [key; 11];
        let mut constant = 1u8;
        for round in 1..11 {
            let previous = round_keys[round - 1];
            let mut word = [previous[13], previous[14], previous[15], previous[12]];
            for byte in &mut word {
                *byte = forward[usize::from(*byte)];
            }
            word[0] ^= constant;
            constant = double(constant);
            for column in 0..4 {
                for row in 0..4 {
                    word[row] ^= previous[4 * column + row];
                    round_keys[round][4 * column + row] = word[row];
                }
            }
        }
        Self { round_keys, forward, backward }
    }

    pub(super) fn encrypt(&self, block: [u8; 16]) -> [u8; 16] {
        let mut state = add(block, self.round_keys[0]);
        for round in 1..11 {
            let mut next = [0u8; 16];
            for (index, byte) in next.iter_mut().enumerate() {
                // Row r moves left by r columns.
                *byte = self.forward[usize::from(state[(index + 4 * (index % 4)) % 16])];
            }
            if round < 10 {
                next = mix(next, [2, 3, 1, 1]);
            }
            state = add(next, self.round_keys[round]);
        }
        state
    }

    pub(super) fn decrypt(&self, block: [u8; 16]) -> [u8; 16] {
        let mut state = block;
        for round in (1..11).rev() {
            state = add(state, self.round_keys[round]);
            if round < 10 {
                state = mix(state, [14, 11, 13, 9]);
            }
            let mut next = [0u8; 16];
            for (index, byte) in state.into_iter().enumerate() {
                next[(index + 4 * (index % 4)) % 16] = self.backward[usize::from(byte)];
            }
            state = next;
        }
        add(state, self.round_keys[0])
    }
}

fn add(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
    std::array::from_fn(|index| a[index] ^ b[index])
}

/// Multiplies each column by a circulant matrix.
fn mix(state: [u8; 16], row: [u8; 4]) -> [u8; 16] {
    std::array::from_fn(|index| {
        let (column, r) = (index / 4 * 4, index % 4);
        (0..4).fold(0, |sum, k| sum ^ times(row[(k + 4 - r) % 4], state[column + k]))
    })
}

fn double(value: u8) -> u8 {
    value << 1 ^ if value & 0x80 != 0 { 0x1b } else { 0 }
}

fn times(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while a != 0 {
        if a & 1 != 0 {
            product ^= b;
        }
        b = double(b);
        a >>= 1;
    }
    product
}

/// The substitution box and its inverse, from their definition.
fn boxes() -> ([u8; 256], [u8; 256]) {
    let (mut forward, mut backward) = ([0u8; 256], [0u8; 256]);
    for value in 0..=255u8 {
        let inverse = (1..=255u8).find(|other| times(value, *other) == 1).unwrap_or(0);
        let image = (0..5).fold(0x63, |sum, turn| sum ^ inverse.rotate_left(turn));
        forward[usize::from(value)] = image;
        backward[usize::from(image)] = value;
    }
    (forward, backward)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_of_the_standard_is_encrypted_and_back() {
        let key = std::array::from_fn(|index| index as u8);
        let block = std::array::from_fn(|index| (index * 0x11) as u8);
        let schedule = Schedule::new(key);
        let encrypted = schedule.encrypt(block);
        assert_eq!(encrypted[..4], [0x69, 0xc4, 0xe0, 0xd8]);
        assert_eq!(schedule.decrypt(encrypted), block);
    }
}
