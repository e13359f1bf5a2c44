//! Samples dealt out in turn: every so manieth of them in a line of its own.

/// Lines that meet filters of every so manieth tap.
#[derive(Debug, Clone)]
pub(super) struct Places {
    lines: Vec<Vec<f32>>,
    /// The line of the next sample.
    next: usize,
}

impl Places {
    /// So many lines, after so many samples of silence.
    pub(super) fn new(count: usize, before: usize) -> Self {
        let line = |place| vec![0.0; (before + count - 1 - place) / count];
        Self { lines: (0..count).map(line).collect(), next: before % count }
    }

    /// Deals samples out.
    pub(super) fn take(&mut self, input: &[f32]) {
        let count = self.lines.len();
        // Until the first line is next.
        let single = (count - self.next) % count;
        let (first, others) = input.split_at(single.min(input.len()));
        self.take_each(first);
        let (groups, rest) = others.split_at(others.len() / count * count);
        match count {
            // The most common, which the compiler knows best when it knows how many they are.
            3 => deal::<3>(groups, &mut self.lines),
            4 => deal::<4>(groups, &mut self.lines),
            _ => {
                for (place, line) in self.lines.iter_mut().enumerate() {
                    line.extend(groups.iter().skip(place).step_by(count));
                }
            }
        }
        self.take_each(rest);
    }

    fn take_each(&mut self, samples: &[f32]) {
        for &sample in samples {
            self.lines[self.next].push(sample);
            self.next = (self.next + 1) % self.lines.len();
        }
    }

    /// Samples in the shortest line.
    pub(super) fn shortest(&self) -> usize {
        self.lines.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// The lines, as many as [`new`](Self::new) was told.
    pub(super) fn lines(&mut self) -> &mut [Vec<f32>] {
        &mut self.lines
    }
}

/// Whole groups of so many samples, each to its line.
fn deal<const COUNT: usize>(groups: &[f32], lines: &mut [Vec<f32>]) {
    let (groups, _) = groups.as_chunks::<COUNT>();
    for (place, line) in (0..COUNT).zip(lines) {
        line.extend(groups.iter().map(|group| group[place]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_comes_to_its_line_whatever_the_pieces() {
        let samples: Vec<f32> = (1..=100_u8).map(f32::from).collect();
        for count in 2..=5 {
            for before in 0..=6 {
                let mut places = Places::new(count, before);
                for piece in samples.chunks(7) {
                    places.take(piece);
                }
                let all = [vec![0.0; before], samples.clone()].concat();
                for (place, line) in places.lines().iter().enumerate() {
                    let wanted = all.iter().skip(place).step_by(count);
                    assert!(line.iter().eq(wanted), "{count} {before} {place}");
                }
                assert_eq!(places.shortest(), all.len() / count);
            }
        }
    }
}
