//! From the channels of a file to those that are wanted.

use crate::coding::samples::sane;
use crate::vector::vectorized;

/// Which channels are made of those that a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Channels {
    /// One: the mean of all.
    #[default]
    Mean,
    /// One: that of this number, counted from 0.
    One(u16),
    /// Two: those that there are, or one twice. Of more than two, the mean of the odd ones and of
    /// the even ones, as `sox` does it.
    Stereo,
}

impl Channels {
    /// How many are made.
    #[must_use]
    pub const fn count(self) -> usize {
        match self {
            Self::Mean | Self::One(_) => 1,
            Self::Stereo => 2,
        }
    }

    /// Whether samples pass as they are.
    #[must_use]
    pub const fn keeps(self, channels: u16) -> bool {
        match self {
            Self::Mean => channels == 1,
            Self::One(_) => true,
            Self::Stereo => channels <= 2,
        }
    }

    /// Appends what is made of channels that lie apart, as many samples in each; there are as many
    /// slots in `out` as [`count`](Self::count) says.
    pub(super) fn mix_planes<S: Value>(self, planes: &[&[S]], out: &mut [Vec<f32>]) {
        match (self, out) {
            (Self::Mean, [mono]) => mean(planes, mono),
            (Self::One(number), [mono]) => {
                let number = usize::from(number).min(planes.len().saturating_sub(1));
                mean(planes.get(number..=number).unwrap_or_default(), mono);
            }
            (Self::Stereo, [left, right]) if planes.len() == 1 => {
                mean(planes, left);
                mean(planes, right);
            }
            (Self::Stereo, [left, right]) => {
                for (first, out) in [left, right].into_iter().enumerate() {
                    let every_other = planes.iter().copied().skip(first).step_by(2);
                    mean(&every_other.collect::<Vec<_>>(), out);
                }
            }
            _ => {}
        }
    }

    /// Appends what is made of frames of `channels` samples each; there are as many slots in `out`
    /// as [`count`](Self::count) says.
    pub fn mix(self, frames: &[f32], channels: u16, out: &mut [Vec<f32>]) {
        let width = usize::from(channels).max(1);
        match (self, width, out) {
            (Self::Mean | Self::One(0), 1, [mono]) => mono.extend_from_slice(frames),
            (Self::Mean, 2, [mono]) => {
                let begin = mono.len();
                mono.resize(begin + frames.len() / 2, 0.0);
                mean_of_two(frames, &mut mono[begin..]);
            }
            (Self::Mean, _, [mono]) => {
                let share = 1.0 / width as f32;
                let frames = frames.chunks_exact(width);
                mono.extend(frames.map(|frame| frame.iter().sum::<f32>() * share));
            }
            (Self::One(number), _, [mono]) => {
                let number = usize::from(number).min(width - 1);
                mono.extend(frames.chunks_exact(width).map(|frame| frame[number]));
            }
            (Self::Stereo, 1, [left, right]) => {
                left.extend_from_slice(frames);
                right.extend_from_slice(frames);
            }
            (Self::Stereo, _, [left, right]) => {
                for (first, out) in [left, right].into_iter().enumerate() {
                    let share = 1.0 / (width - first).div_ceil(2) as f32;
                    out.extend(
                        frames
                            .chunks_exact(width)
                            .map(|frame| frame.iter().skip(first).step_by(2).sum::<f32>() * share),
                    );
                }
            }
            _ => {}
        }
    }
}

/// A sample as a decoder gives it.
pub(super) trait Value: Copy {
    /// With full scale as 1, always a number.
    fn value(self) -> f32;
}

impl Value for f32 {
    #[inline(always)]
    fn value(self) -> f32 {
        sane(self)
    }
}

impl Value for i32 {
    /// Full scale is 2³¹. 24 bits come through; adding up two of them loses nothing either.
    #[inline(always)]
    fn value(self) -> f32 {
        self as f32 * (1.0 / 2_147_483_648.0)
    }
}

/// Appends the mean of channels.
fn mean<S: Value>(planes: &[&[S]], out: &mut Vec<f32>) {
    match planes {
        [] => {}
        [one] => out.extend(one.iter().map(|it| it.value())),
        [one, other] => {
            out.extend(
                one.iter().zip(*other).map(|(one, other)| (one.value() + other.value()) * 0.5),
            );
        }
        [first, more @ ..] => {
            let begin = out.len();
            out.extend(first.iter().map(|it| it.value()));
            for plane in more {
                out[begin..].iter_mut().zip(*plane).for_each(|(sum, it)| *sum += it.value());
            }
            let share = 1.0 / planes.len() as f32;
            out[begin..].iter_mut().for_each(|sum| *sum *= share);
        }
    }
}

vectorized! {
    fn mean_of_two(frames: &[f32], out: &mut [f32]) {
        let (pairs, _) = frames.as_chunks::<2>();
        for (out, [left, right]) in out.iter_mut().zip(pairs) {
            *out = (left + right) * 0.5;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(channels: Channels, frames: &[f32], width: u16) -> Vec<Vec<f32>> {
        let mut out = vec![vec![]; channels.count()];
        channels.mix(frames, width, &mut out);
        out
    }

    #[test]
    fn the_mean_and_single_channels() {
        assert_eq!(mixed(Channels::Mean, &[1.0, 2.0], 1), [[1.0, 2.0]]);
        assert_eq!(mixed(Channels::Mean, &[1.0, 2.0, 3.0, 5.0], 2), [[1.5, 4.0]]);
        assert_eq!(mixed(Channels::Mean, &[1.0, 2.0, 6.0], 3), [[3.0]]);
        assert_eq!(mixed(Channels::One(1), &[1.0, 2.0, 3.0, 5.0], 2), [[2.0, 5.0]]);
        assert_eq!(mixed(Channels::Stereo, &[1.0, 2.0], 1), [[1.0, 2.0], [1.0, 2.0]]);
        assert_eq!(mixed(Channels::Stereo, &[1.0, 2.0, 3.0, 5.0], 2), [[1.0, 3.0], [2.0, 5.0]]);
        assert_eq!(mixed(Channels::Stereo, &[1.0, 2.0, 3.0], 3), [[2.0], [2.0]]);
    }

    #[test]
    fn half_a_frame_is_none() {
        assert_eq!(mixed(Channels::Mean, &[1.0, 2.0, 3.0], 2), [[1.5]]);
        assert_eq!(mixed(Channels::Mean, &[], 7), [[]]);
    }
}
