//! A picture as SVG: lines and texts as such, the spectrogram as a picture in it.

use std::fmt::Write as _;

use data_encoding::BASE64;

use super::colour::Colour;
use super::raster::png;
use super::surface::{Anchor, Area, Line, Size, Surface, character};

/// An SVG in the making.
#[derive(Debug)]
pub(super) struct Svg {
    text: String,
}

impl Svg {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"'Noto Sans Mono','DejaVu Sans \
             Mono',monospace\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        );
        Self { text }
    }

    pub(super) fn into_text(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    /// Texts never fail to be written to.
    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        let _always = self.text.write_fmt(element);
        self.text.push('\n');
    }
}

impl Surface for Svg {
    fn fill(&mut self, area: Area, colour: Colour) {
        let Area { x, y, width, height } = area;
        let fill = hex(colour);
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>"
        ));
    }

    fn line(&mut self, line: Line, colour: Colour) {
        let stroke = hex(colour);
        let (x, y, way, dashes) = match line {
            Line::Across { x, y, len } => (x, y, format!("h{len}"), ""),
            Line::Down { x, y, len } => (x, y, format!("v{len}"), ""),
            Line::Dashed { x, y, len } => (x, y, format!("h{len}"), " stroke-dasharray=\"6 4\""),
        };
        // Lines lie on the middle of pixels.
        let (across, down) = match line {
            Line::Down { .. } => (x as f32 + 0.5, y as f32),
            _ => (x as f32, y as f32 + 0.5),
        };
        self.add(format_args!("<path d=\"M{across} {down}{way}\" stroke=\"{stroke}\"{dashes}/>"));
    }

    fn text(&mut self, x: usize, y: usize, text: &str, size: Size, anchor: Anchor, colour: Colour) {
        let anchor = match anchor {
            Anchor::Begin => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (height, base, weight) = match size {
            Size::Small => (12, 13, ""),
            Size::Title => (15, 16, " font-weight=\"bold\""),
        };
        // As wide as the font of pixels, whatever font is there.
        let width = text.chars().count() * character(size);
        let (y, fill, text) = (y + base, hex(colour), escaped(text));
        self.add(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{height}\" textLength=\"{width}\" \
             fill=\"{fill}\"{weight}{anchor} xml:space=\"preserve\">{text}</text>"
        ));
    }

    fn strokes(&mut self, x: usize, strokes: &[Option<(f32, f32)>], colour: Colour) {
        let mut path = String::new();
        for (across, stroke) in strokes.iter().enumerate() {
            if let Some((top, bottom)) = stroke {
                let _always = write!(path, "M{}.5 {top:.1}V{bottom:.1}", x + across);
            }
        }
        if !path.is_empty() {
            self.add(format_args!("<path d=\"{path}\" stroke=\"{}\"/>", hex(colour)));
        }
    }

    fn image(&mut self, area: Area, pixels: &[Colour]) {
        let Area { x, y, width, height } = area;
        let data = BASE64.encode(&png(width, height, pixels));
        self.add(format_args!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             href=\"data:image/png;base64,{data}\"/>"
        ));
    }
}

fn hex([red, green, blue]: Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Text within XML; what may not stand there at all is a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => {
                out.push('?');
            }
            letter => out.push(letter),
        }
    }
    out
}
