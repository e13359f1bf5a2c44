//! A sound as a picture: its outline above, which frequencies it holds below, time from left to
//! right. Gathered in one pass and in little memory, whatever its length.

mod axis;
mod colour;
mod raster;
mod spectrogram;
mod surface;
mod svg;
mod wave;

use std::io;
use std::path::Path;

use diesis_sounds::pcm::TELEPHONE_RATE;
use diesis_sounds::read::Spec;

use self::colour::{BODY, CLIPPED, FAINT_INK, FRAME, GRID, INK, ON_DARK, OUTLINE};
use self::raster::Raster;
use self::spectrogram::Spectrogram;
use self::surface::{Anchor, Area, Line, Size, Surface, character};
use self::svg::Svg;
use self::wave::Wave;
use super::detail;
use super::facts::{Facts, full_scale};
use crate::replace::replace;

/// What is gathered of a sound to draw it.
pub(super) struct Sketch {
    /// One of each channel, or one of the mean of more than two.
    waves: Vec<Wave>,
    spectrogram: Spectrogram,
    rate: u32,
    mean: Vec<f32>,
}

/// Pixels of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// How a picture is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Png,
    Svg,
}

impl Sketch {
    pub(super) fn new(spec: &Spec) -> Self {
        let lanes = if spec.channels == 2 { 2 } else { 1 };
        let wave = || Wave::new(full_scale(spec));
        Self {
            waves: (0..lanes).map(|_| wave()).collect(),
            spectrogram: Spectrogram::new(spec.rate, lanes),
            rate: spec.rate,
            mean: vec![],
        }
    }

    /// Takes frames; every channel has as many samples.
    pub(super) fn take(&mut self, channels: &[Vec<f32>]) {
        if let [left, right] = channels {
            self.waves[0].take(left);
            self.waves[1].take(right);
            self.spectrogram.take(&[left, right]);
            return;
        }
        let share = 1.0 / channels.len().max(1) as f32;
        self.mean.clear();
        self.mean.resize(channels.first().map_or(0, Vec::len), 0.0);
        for samples in channels {
            self.mean.iter_mut().zip(samples).for_each(|(mean, sample)| *mean += sample * share);
        }
        self.waves[0].take(&self.mean);
        self.spectrogram.take(&[&self.mean]);
    }

    /// No more frames come.
    pub(super) fn finish(&mut self) {
        self.spectrogram.finish();
    }

    /// Draws it into a file, which appears when it is whole.
    pub(super) fn save(
        &self,
        facts: &Facts,
        extent: Extent,
        kind: Kind,
        path: &Path,
    ) -> io::Result<()> {
        let bytes = match kind {
            Kind::Png => {
                let mut raster = Raster::new(extent.width, extent.height);
                self.draw(facts, extent, &mut raster);
                raster.into_png()
            }
            Kind::Svg => {
                let mut svg = Svg::new(extent.width, extent.height);
                self.draw(facts, extent, &mut svg);
                svg.into_text().into_bytes()
            }
        };
        replace(path, bytes)
    }

    fn draw(&self, facts: &Facts, extent: Extent, on: &mut impl Surface) {
        let Extent { width, height } = extent;
        let plot = width - LEFT - RIGHT;
        title(facts, plot, on);
        let room = height - TOP - BOTTOM - GAP * self.waves.len();
        let lane = if self.waves.len() == 1 { room * 2 / 5 } else { room / 4 };
        let top_level = top_of_axis(facts.peak_dbfs);
        let (times, unit) = axis::times(facts.seconds, plot / 110);
        let place = |at: f64| LEFT + (at / facts.seconds.max(1e-9) * (plot - 1) as f64) as usize;
        for (number, wave) in self.waves.iter().enumerate() {
            let y = TOP + number * (lane + GAP);
            let area = Area { x: LEFT, y, width: plot, height: lane };
            let channel = match (self.waves.len(), number) {
                (1, _) => "",
                (_, 0) => "left",
                _ => RIGHT_CHANNEL,
            };
            for (at, _) in &times {
                on.line(Line::Down { x: place(*at), y, len: lane }, GRID);
            }
            outline(wave, area, top_level, channel, on);
        }
        let y = TOP + self.waves.len() * (lane + GAP);
        let area = Area { x: LEFT, y, width: plot, height: height - BOTTOM - y };
        self.frequencies(area, facts.peak_dbfs, on);
        for (at, told) in &times {
            let x = place(*at);
            on.line(Line::Down { x, y: area.bottom(), len: 5 }, FRAME);
            on.text(x, area.bottom() + 7, told, Size::Small, Anchor::Middle, INK);
        }
        on.text(area.right() + 30, area.bottom() + 7, unit, Size::Small, Anchor::Begin, FAINT_INK);
    }

    /// The spectrogram with its axis and its scale.
    fn frequencies(&self, area: Area, peak: Option<f64>, on: &mut impl Surface) {
        let highest = f64::from(self.rate) / 2.0;
        let loudest = self.spectrogram.loudest();
        // Near 0 Hz a tone meets its mirror image, and together they are louder than it is.
        let loudest = loudest.min(peak.unwrap_or(f64::NEG_INFINITY));
        let upper = if loudest.is_finite() {
            ((loudest / 10.0).ceil() * 10.0).clamp(LEAST_UPPER, 20.0)
        } else {
            0.0
        };
        let colour = |level: f64| colour::scale((level - upper) / DEPTH + 1.0);
        let mut pixels = Vec::with_capacity(area.width * area.height);
        for y in 0..area.height {
            let [low, high] = [y + 1, y].map(|y| 1.0 - y as f64 / area.height as f64);
            pixels.extend((0..area.width).map(|x| {
                let time = x as f64 / area.width as f64;
                colour(self.spectrogram.level(time, low, high))
            }));
        }
        on.image(area, &pixels);
        let place = |frequency: f64| {
            area.bottom() - 1 - (frequency / highest * (area.height - 1) as f64) as usize
        };
        for (frequency, told) in axis::frequencies(highest, (area.height / 40).max(2)) {
            let y = place(frequency);
            on.line(Line::Across { x: LEFT - 5, y, len: 5 }, FRAME);
            on.text(LEFT - 9, y.saturating_sub(8), &told, Size::Small, Anchor::End, INK);
        }
        on.text(LEFT - 30, area.bottom() + 7, "kHz", Size::Small, Anchor::End, FAINT_INK);
        let telephone = f64::from(TELEPHONE_RATE) / 2.0;
        if highest > telephone {
            let y = place(telephone);
            on.line(Line::Dashed { x: LEFT, y, len: area.width }, ON_DARK);
            let beside = if y > area.y + 20 { y - 18 } else { y + 2 };
            on.text(area.right() - 6, beside, "telephone", Size::Small, Anchor::End, ON_DARK);
        }
        // The scale: as high as the spectrogram.
        let bar = Area { x: area.right() + 16, width: 14, ..area };
        let shades = (0..bar.height).flat_map(|y| {
            let share = 1.0 - y as f64 / (bar.height - 1).max(1) as f64;
            std::iter::repeat_n(colour::scale(share), bar.width)
        });
        on.image(bar, &shades.collect::<Vec<_>>());
        let steps = if bar.height >= 160 { 6 } else { 3 };
        for step in 0..=steps {
            let share = f64::from(step) / f64::from(steps);
            let y = bar.y + (share * (bar.height - 1) as f64) as usize;
            let told = format!("{:.0}", upper - share * DEPTH + 0.0);
            on.text(bar.right() + 6, y.saturating_sub(8), &told, Size::Small, Anchor::Begin, INK);
        }
        let caption = bar.y.saturating_sub(GAP + 12);
        on.text(bar.x, caption, "dBFS", Size::Small, Anchor::Begin, FAINT_INK);
    }
}

const LEFT: usize = 64;
const RIGHT: usize = 92;
const TOP: usize = 66;
const BOTTOM: usize = 34;
/// What stands beside the second of two.
const RIGHT_CHANNEL: &str = "right";
/// Between the parts.
const GAP: usize = 16;
/// The scale's upper end is no lower: what is quieter than that is dark, as it sounds.
const LEAST_UPPER: f64 = -20.0;
/// What the scale of colours spans, in dB.
const DEPTH: f64 = 90.0;

/// File name and what matters most.
fn title(facts: &Facts, room: usize, on: &mut impl Surface) {
    let name = Path::new(&facts.file).file_name().unwrap_or_default().to_string_lossy();
    let name = shortened(&name, (room + RIGHT - 12) / character(Size::Title));
    on.text(LEFT, 8, &name, Size::Title, Anchor::Begin, INK);
    let level = |level: Option<f64>, unit| level.map(|it| format!("{} {unit}", detail::tenths(it)));
    let mut told = vec![
        detail::coding(facts),
        format!("{} Hz {}", facts.rate, detail::channels(facts.channels)),
        detail::length(facts.seconds),
    ];
    told.extend(level(facts.true_peak_dbtp, "dBTP"));
    told.extend(level(facts.loudness_lufs, "LUFS"));
    if facts.clipped.samples > 0 {
        told.push(format!("{} clipped", facts.clipped.samples));
    }
    let told = shortened(&told.join(" \u{b7} "), (room + RIGHT - 12) / character(Size::Small));
    on.text(LEFT, 34, &told, Size::Small, Anchor::Begin, FAINT_INK);
}

/// The middle of what is too long is left out.
fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let half = most.saturating_sub(3) / 2;
    let begin: String = text.chars().take(half).collect();
    let end: String = text.chars().skip(count - half).collect();
    format!("{begin}...{end}")
}

/// The level at the edge of an outline: full scale, or less in steps of 6 dB for quiet sounds.
fn top_of_axis(peak: Option<f64>) -> f64 {
    peak.map_or(0.0, |peak| ((peak / 6.0).ceil() * 6.0).clamp(-60.0, 0.0))
}

/// One channel: from its least to its greatest sample, its power within, and where it was cut.
fn outline(wave: &Wave, area: Area, top: f64, name: &str, on: &mut impl Surface) {
    let middle = area.y as f32 + area.height as f32 / 2.0;
    let half = area.height as f32 / 2.0 - 1.0;
    let scale = half / 10.0_f64.powf(top / 20.0) as f32;
    let labels = if area.height >= 150 { 3 } else { 2 };
    for step in 0..labels {
        let level = top - 6.0 * f64::from(step);
        let away = 10.0_f64.powf((level - top) / 20.0) as f32 * half;
        for y in [middle - away, middle + away] {
            let y = y as usize;
            on.line(Line::Across { x: area.x, y, len: area.width }, GRID);
            let at = y.saturating_sub(8);
            on.text(LEFT - 9, at, &format!("{:.0}", level + 0.0), Size::Small, Anchor::End, INK);
        }
    }
    let columns = wave.columns(area.width);
    let limit = |value: f32| (middle - value * scale).clamp(area.y as f32, area.bottom() as f32);
    // A line at least where nothing is heard.
    let stroke = |least: f32, most: f32| {
        let (top, bottom) = (limit(most), limit(least));
        let thin = ((1.0 - (bottom - top)) / 2.0).max(0.0);
        Some((top - thin, bottom + thin))
    };
    let whole: Vec<_> = columns.iter().map(|it| stroke(it.least, it.most)).collect();
    on.strokes(area.x, &whole, OUTLINE);
    let body = columns.iter().map(|it| stroke(it.least.max(-it.rms()), it.most.min(it.rms())));
    on.strokes(area.x, &body.collect::<Vec<_>>(), BODY);
    let clipped = |it: &wave::Column| it.clipped.then(|| stroke(it.least, it.most)).flatten();
    let cut: Vec<_> = columns.iter().map(clipped).collect();
    on.strokes(area.x, &cut, CLIPPED);
    for edge in [area.y.saturating_sub(4), area.bottom()] {
        let mark = cut.iter().map(|it| it.map(|_| (edge as f32, edge as f32 + 4.0)));
        on.strokes(area.x, &mark.collect::<Vec<_>>(), CLIPPED);
    }
    on.line(Line::Down { x: area.x - 1, y: area.y, len: area.height }, FRAME);
    if !name.is_empty() {
        on.text(area.right() + 8, middle as usize - 8, name, Size::Small, Anchor::Begin, FAINT_INK);
    }
    if name != RIGHT_CHANNEL {
        let above = area.y.saturating_sub(26);
        on.text(LEFT - 9, above, "dBFS", Size::Small, Anchor::End, FAINT_INK);
    }
}

/// The samples that were drawn, for who wants to know whether there were any.
impl std::fmt::Debug for Sketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let frames = self.waves.first().map_or(0, Wave::frames);
        f.debug_struct("Sketch").field("frames", &frames).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_lose_their_middle_and_quiet_sounds_are_seen() {
        assert_eq!(shortened("abcdefghij", 10), "abcdefghij");
        assert_eq!(shortened("abcdefghijk", 9), "abc...ijk");
        let tops = [None, Some(0.5), Some(-1.0), Some(-13.0), Some(-90.0)].map(top_of_axis);
        assert_eq!(tops, [0.0, 0.0, 0.0, -12.0, -60.0]);
    }
}
