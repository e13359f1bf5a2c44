//! What is drawn on: pixels or an SVG.

use super::colour::Colour;

/// A rectangle; its corner is at the top left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Area {
    pub(super) fn right(&self) -> usize {
        self.x + self.width
    }

    pub(super) fn bottom(&self) -> usize {
        self.y + self.height
    }
}

/// A straight line a pixel wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// To the right from here.
    Across { x: usize, y: usize, len: usize },
    /// Downwards from here.
    Down { x: usize, y: usize, len: usize },
    /// To the right, with gaps.
    Dashed { x: usize, y: usize, len: usize },
}

/// Where a text lies relative to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Begin,
    Middle,
    End,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// 16 pixels high.
    Small,
    /// 20 pixels high and bold.
    Title,
}

/// A picture in the making.
pub(super) trait Surface {
    fn fill(&mut self, area: Area, colour: Colour);

    fn line(&mut self, line: Line, colour: Colour);

    /// A line of text; `y` is its upper edge.
    fn text(&mut self, x: usize, y: usize, text: &str, size: Size, anchor: Anchor, colour: Colour);

    /// Upright strokes side by side, a pixel wide each: from `x` on, each from its top to its bottom.
    fn strokes(&mut self, x: usize, strokes: &[Option<(f32, f32)>], colour: Colour);

    /// Pixels row by row, in an area of as many.
    fn image(&mut self, area: Area, pixels: &[Colour]);
}

/// The width of a character.
pub(super) const fn character(size: Size) -> usize {
    let (weight, height) = super::raster::font(size);
    noto_sans_mono_bitmap::get_raster_width(weight, height)
}
