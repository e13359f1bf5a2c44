//! The outline of a sound of any length, in so many columns.

/// What is drawn of some frames in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Column {
    pub(super) least: f32,
    pub(super) most: f32,
    squares: f64,
    frames: u64,
    pub(super) clipped: bool,
}

impl Column {
    const EMPTY: Self = Self {
        least: f32::INFINITY,
        most: f32::NEG_INFINITY,
        squares: 0.0,
        frames: 0,
        clipped: false,
    };

    fn join(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            most: self.most.max(other.most),
            squares: self.squares + other.squares,
            frames: self.frames + other.frames,
            clipped: self.clipped || other.clipped,
        }
    }

    /// Root of the mean square.
    pub(super) fn rms(&self) -> f32 {
        (self.squares / self.frames.max(1) as f64).sqrt() as f32
    }
}

/// Columns of equal duration; when they are too many, each joins its neighbour.
#[derive(Debug)]
pub(super) struct Wave {
    columns: Vec<Column>,
    present: Column,
    /// Frames of a column.
    per: u64,
    frames: u64,
    full_scale: f32,
    /// Samples at full scale in a row.
    run: u32,
}

/// Far more than a picture is wide.
const MOST: usize = 16_384;

impl Wave {
    pub(super) fn new(full_scale: f32) -> Self {
        Self { columns: vec![], present: Column::EMPTY, per: 1, frames: 0, full_scale, run: 0 }
    }

    pub(super) fn take(&mut self, samples: &[f32]) {
        for &sample in samples {
            let present = &mut self.present;
            present.least = present.least.min(sample);
            present.most = present.most.max(sample);
            present.squares += f64::from(sample) * f64::from(sample);
            present.frames += 1;
            // As the meter of clipping has it: three in a row are no chance.
            self.run = if sample.abs() >= self.full_scale { self.run.saturating_add(1) } else { 0 };
            present.clipped |= self.run >= 3;
            if present.frames == self.per {
                let full = std::mem::replace(present, Column::EMPTY);
                self.columns.push(full);
                if self.columns.len() == MOST {
                    let pairs = self.columns.chunks(2).map(|pair| pair[0].join(pair[1]));
                    self.columns = pairs.collect();
                    self.per *= 2;
                }
            }
        }
        self.frames += samples.len() as u64;
    }

    /// Frames in all.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// The sound in `width` columns; each touches the next.
    pub(super) fn columns(&self, width: usize) -> Vec<Column> {
        let mut all = self.columns.clone();
        if self.present.frames > 0 {
            all.push(self.present);
        }
        if all.is_empty() {
            return vec![];
        }
        let scale = self.frames as f64 / self.per as f64 / width.max(1) as f64;
        let mut columns: Vec<Column> = Vec::with_capacity(width);
        for x in 0..width {
            let first = ((x as f64 * scale) as usize).min(all.len() - 1);
            let end = (((x + 1) as f64 * scale).ceil() as usize).clamp(first + 1, all.len());
            let mut column = all[first..end].iter().copied().fold(Column::EMPTY, Column::join);
            if let Some(before) = columns.last() {
                column.most = column.most.max(before.least);
                column.least = column.least.min(before.most);
            }
            columns.push(column);
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_stay_however_long_a_sound_is() {
        let mut wave = Wave::new(1.0);
        let mut samples = vec![0.1; 300_000];
        samples[123_456] = 0.9;
        samples[200_000..200_003].fill(-1.0);
        samples.chunks(999).for_each(|piece| wave.take(piece));
        assert!(wave.columns.len() < MOST && wave.frames() == 300_000);
        let columns = wave.columns(100);
        assert_eq!(columns.len(), 100);
        assert_eq!(columns[41].most, 0.9);
        let clipped: Vec<usize> = (0..100).filter(|&x| columns[x].clipped).collect();
        assert_eq!((clipped, columns[66].least), (vec![66], -1.0));
        assert!((columns[10].rms() - 0.1).abs() < 1e-4);
    }

    #[test]
    fn a_few_samples_are_as_wide_as_many() {
        let mut wave = Wave::new(1.0);
        wave.take(&[0.5, -0.5]);
        let columns = wave.columns(10);
        assert_eq!((columns[0].most, columns[9].least), (0.5, -0.5));
        // Where it jumps it is drawn through.
        assert_eq!((columns[5].least, columns[5].most), (-0.5, 0.5));
        assert!(Wave::new(1.0).columns(10).is_empty());
    }
}
