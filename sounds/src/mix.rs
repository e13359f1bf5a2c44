//! Adding voices up: the loops of a conference, on as many samples as all slices hold.

use crate::vector::vectorized;

vectorized! {
    /// Adds samples to a sum. Up to 65,536 voices can not overflow it.
    pub fn add(sum: &mut [i32], samples: &[i16]) {
        for (sum, &sample) in sum.iter_mut().zip(samples) {
            *sum = sum.wrapping_add(sample.into());
        }
    }
}

vectorized! {
    /// The sum without one voice, saturated.
    pub fn without(sum: &[i32], voice: &[i16], out: &mut [i16]) {
        for ((out, &sum), &voice) in out.iter_mut().zip(sum).zip(voice) {
            *out = saturated(sum.wrapping_sub(voice.into()));
        }
    }
}

vectorized! {
    /// The sum, saturated.
    pub fn saturate(sum: &[i32], out: &mut [i16]) {
        for (out, &sum) in out.iter_mut().zip(sum) {
            *out = saturated(sum);
        }
    }
}

#[inline(always)]
fn saturated(sum: i32) -> i16 {
    sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_hears_the_others_and_nothing_wraps() {
        let voices: Vec<[i16; 37]> =
            (0..5_i16).map(|n| std::array::from_fn(|at| n * 7000 - at as i16 * 300)).collect();
        let mut sum = [0; 37];
        for voice in &voices {
            add(&mut sum, voice);
        }
        for (n, voice) in voices.iter().enumerate() {
            let mut heard = [0; 37];
            without(&sum, voice, &mut heard);
            for at in 0..37 {
                let others = voices.iter().enumerate().filter(|&(other, _)| other != n);
                let exact: i32 = others.map(|(_, voice)| i32::from(voice[at])).sum();
                assert_eq!(i32::from(heard[at]), exact.clamp(-32_768, 32_767), "{n} {at}");
            }
        }
        let mut all = [0; 37];
        saturate(&sum, &mut all);
        assert_eq!((all[0], i32::from(all[36])), (i16::MAX, sum[36].clamp(-32_768, 32_767)));
    }

    #[test]
    fn the_shortest_slice_says_how_much() {
        let (mut sum, mut out) = ([1; 4], [9; 5]);
        add(&mut sum, &[1, 2, 3]);
        assert_eq!(sum, [2, 3, 4, 1]);
        without(&sum, &[1, 1], &mut out);
        saturate(&sum[2..3], &mut out[2..]);
        assert_eq!(out, [1, 2, 4, 9, 9]);
    }
}
