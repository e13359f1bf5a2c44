//! A picture of pixels, and PNG files.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster};

use super::colour::{Colour, PAPER};
use super::surface::{Anchor, Area, Line, Size, Surface, character};

/// Pixels row by row.
#[derive(Debug)]
pub(super) struct Raster {
    width: usize,
    height: usize,
    pixels: Vec<Colour>,
}

impl Raster {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![PAPER; width * height] }
    }

    /// As a PNG file.
    pub(super) fn into_png(self) -> Vec<u8> {
        png(self.width, self.height, &self.pixels)
    }

    /// Lays a colour over a pixel, of which so much (0 to 1) is covered. Outside there is nothing.
    fn blend(&mut self, x: usize, y: usize, colour: Colour, cover: f32) {
        if x >= self.width || y >= self.height {
            return;
        }
        let pixel = &mut self.pixels[y * self.width + x];
        for (under, over) in pixel.iter_mut().zip(colour) {
            let (below, above) = (f32::from(*under), f32::from(over));
            *under = (below + (above - below) * cover.clamp(0.0, 1.0)).round() as u8;
        }
    }
}

impl Surface for Raster {
    fn fill(&mut self, area: Area, colour: Colour) {
        for y in area.y..area.bottom() {
            for x in area.x..area.right() {
                self.blend(x, y, colour, 1.0);
            }
        }
    }

    fn line(&mut self, line: Line, colour: Colour) {
        match line {
            Line::Across { x, y, len } => self.fill(Area { x, y, width: len, height: 1 }, colour),
            Line::Down { x, y, len } => self.fill(Area { x, y, width: 1, height: len }, colour),
            Line::Dashed { x, y, len } => {
                for begin in (x..x + len).step_by(10) {
                    let width = (x + len - begin).min(6);
                    self.fill(Area { x: begin, y, width, height: 1 }, colour);
                }
            }
        }
    }

    fn text(&mut self, x: usize, y: usize, text: &str, size: Size, anchor: Anchor, colour: Colour) {
        let width = text.chars().count() * character(size);
        let mut x = match anchor {
            Anchor::Begin => x,
            Anchor::Middle => x.saturating_sub(width / 2),
            Anchor::End => x.saturating_sub(width),
        };
        let (weight, height) = font(size);
        for letter in text.chars() {
            let glyph = get_raster(letter, weight, height)
                .or_else(|| get_raster('?', weight, height))
                .expect("the font has a question mark");
            for (down, row) in glyph.rows().enumerate() {
                for (across, &cover) in row.iter().enumerate() {
                    self.blend(x + across, y + down, colour, f32::from(cover) / 255.0);
                }
            }
            x += character(size);
        }
    }

    fn strokes(&mut self, x: usize, strokes: &[Option<(f32, f32)>], colour: Colour) {
        for (across, stroke) in strokes.iter().enumerate() {
            let Some((top, bottom)) = *stroke else { continue };
            for y in top.max(0.0) as usize..bottom.max(0.0).ceil() as usize {
                let cover = bottom.min(y as f32 + 1.0) - top.max(y as f32);
                self.blend(x + across, y, colour, cover);
            }
        }
    }

    fn image(&mut self, area: Area, pixels: &[Colour]) {
        for (y, row) in pixels.chunks(area.width.max(1)).enumerate() {
            for (x, &pixel) in row.iter().enumerate() {
                self.blend(area.x + x, area.y + y, pixel, 1.0);
            }
        }
    }
}

/// A PNG file of these pixels.
pub(super) fn png(width: usize, height: usize, pixels: &[Colour]) -> Vec<u8> {
    let mut file = Vec::new();
    let side = |len: usize| u32::try_from(len).expect("pictures are no wider than 8192 pixels");
    let mut encoder = png::Encoder::new(&mut file, side(width), side(height));
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(pixels.as_flattened()));
    written.expect("memory takes all, and there are as many pixels as were told");
    file
}

/// What the font calls a size.
pub(super) const fn font(size: Size) -> (FontWeight, RasterHeight) {
    match size {
        Size::Small => (FontWeight::Regular, RasterHeight::Size16),
        Size::Title => (FontWeight::Bold, RasterHeight::Size20),
    }
}
