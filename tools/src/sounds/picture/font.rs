//! The letters of pictures.

use super::surface::Size;

/// Letters of Latin-1 as rasters of one size: Noto Sans Mono.
#[derive(Debug, Clone, Copy)]
pub(super) struct Font {
    /// Pixels of each letter.
    pub(super) width: usize,
    rows: usize,
    /// How much of each pixel is covered, of 255: letter by letter, each row by row.
    covers: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/fonts.rs"));

impl Font {
    pub(super) const fn of(size: Size) -> Self {
        match size {
            Size::Small => SMALL,
            Size::Title => TITLE,
        }
    }

    /// The rows of a letter; those of a question mark where there is none.
    pub(super) fn letter(&self, letter: char) -> impl Iterator<Item = &'static [u8]> {
        let len = self.width * self.rows;
        let at = u8::try_from(letter).unwrap_or(b'?');
        self.covers[usize::from(at) * len..][..len].chunks(self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_drawn_and_blanks_are_not() {
        for size in [Size::Small, Size::Title] {
            let ink = |letter: char| -> u32 {
                Font::of(size).letter(letter).flatten().map(|&cover| u32::from(cover)).sum()
            };
            assert_eq!(ink(' '), 0);
            assert!(ink('W') > ink('.') && ink('.') > 0);
            assert!(ink('\u{e9}') > ink('e'), "e and its accent");
            assert_eq!(ink('\u{2248}'), ink('?'));
        }
    }
}
