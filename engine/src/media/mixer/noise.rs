//! The noise of a room in which nobody talks: dead silence makes people ask whether the line is.

use std::sync::LazyLock;

use super::super::{FRAME, FULL_FRAME, Law, Rate, WIDE_FRAME, sound::Samples};
use crate::entropy::Entropy;

/// A second and more of noise that goes round, in all the forms in which it is sent.
#[derive(Debug)]
pub(super) struct Noise {
    narrow: Vec<[i16; FRAME]>,
    wide: Vec<[i16; WIDE_FRAME]>,
    full: Vec<[i16; FULL_FRAME]>,
    laws: [Vec<[u8; FRAME]>; 2],
}

/// Made when the first mixer is, never in a tick.
pub(super) static NOISE: LazyLock<Noise> = LazyLock::new(|| {
    let mut random = Entropy::new(0x5eed);
    let mut sample = move || random.below(2 * LOUDEST + 1) as i16 - LOUDEST as i16;
    let narrow: Vec<[i16; FRAME]> =
        (0..FRAMES).map(|_| std::array::from_fn(|_| sample())).collect();
    let wide = (0..FRAMES).map(|_| std::array::from_fn(|_| sample())).collect();
    let full = (0..FRAMES).map(|_| std::array::from_fn(|_| sample())).collect();
    let laws = [Law::Mu, Law::A].map(|law| {
        let encoded = |frame: &[i16; FRAME]| {
            let mut payload = [0; FRAME];
            law.encode_into(frame, &mut payload);
            payload
        };
        narrow.iter().map(encoded).collect()
    });
    Noise { narrow, wide, full, laws }
});

impl Noise {
    pub(super) fn samples(&self, nth: usize, rate: Rate) -> Samples<'_> {
        let nth = nth % FRAMES;
        match rate {
            Rate::Narrow => Samples::Narrow(&self.narrow[nth]),
            Rate::Wide => Samples::Wide(&self.wide[nth]),
            Rate::Full => Samples::Full(&self.full[nth]),
        }
    }

    pub(super) fn payload(&self, nth: usize, law: Law) -> &[u8; FRAME] {
        let payloads = &self.laws[match law {
            Law::Mu => 0,
            Law::A => 1,
        }];
        &payloads[nth % FRAMES]
    }
}

/// A peak of -63 dBov, some -67 dBov in all: below what counts as a contribution to a mix, so that
/// a line which reflects it keeps no room awake.
const LOUDEST: u32 = 24;

const FRAMES: usize = 64;
