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
    /// The sum without one voice, saturated. Returns how loud it is before that.
    pub fn without(sum: &[i32], voice: &[i16], out: &mut [i16]) -> u32 {
        let mut peak = 0;
        for ((out, &sum), &voice) in out.iter_mut().zip(sum).zip(voice) {
            let others = sum.wrapping_sub(voice.into());
            peak = others.unsigned_abs().max(peak);
            *out = saturated(others);
        }
        peak
    }
}

vectorized! {
    /// The sum, saturated. Returns how loud it is before that.
    pub fn saturate(sum: &[i32], out: &mut [i16]) -> u32 {
        let mut peak = 0;
        for (out, &sum) in out.iter_mut().zip(sum) {
            peak = sum.unsigned_abs().max(peak);
            *out = saturated(sum);
        }
        peak
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
            let peak = without(&sum, voice, &mut heard);
            let loudest = |at: usize| (sum[at] - i32::from(voice[at])).unsigned_abs();
            assert_eq!(peak, (0..37).map(loudest).max().unwrap());
            for at in 0..37 {
                let others = voices.iter().enumerate().filter(|&(other, _)| other != n);
                let exact: i32 = others.map(|(_, voice)| i32::from(voice[at])).sum();
                assert_eq!(i32::from(heard[at]), exact.clamp(-32_768, 32_767), "{n} {at}");
            }
        }
        let mut all = [0; 37];
        let peak = saturate(&sum, &mut all);
        assert_eq!(peak, sum.iter().map(|it| it.unsigned_abs()).max().unwrap());
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
