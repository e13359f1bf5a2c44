//! From the bytes of a file to lines with their comments taken out.
//!
//! Follows Asterisk to the byte, its traps included: a line of 8,191 bytes or more is skipped, a
//! NUL ends it early, quotes do not protect a semicolon, and a stray `--;` swallows what follows.

use std::borrow::Cow;

use crate::{
    codes,
    diagnostic::{Diagnostic, FileId, Span},
};

/// The text of one line without comments and surrounding blanks, never empty.
pub(super) struct Line<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    origin: Origin,
    file: FileId,
}

/// Where the bytes of a line were in the file.
enum Origin {
    /// Together, from this offset on.
    Together(u32),
    /// Each at its own offset: an escape or a block comment was taken out between them.
    Apart(Vec<u32>),
}

impl Line<'_> {
    /// The span of a range of the line; for an empty range, of the byte it stands before.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let (start, end) = match &self.origin {
            Origin::Together(origin) => (origin + start as u32, origin + end as u32),
            Origin::Apart(origins) => {
                let last = origins.last().map_or(0, |last| last + 1);
                let first = origins.get(start).copied().unwrap_or(last);
                let end = if end > start { origins[end - 1] + 1 } else { first };
                (first, end)
            }
        };
        Span { file: self.file, start, end }
    }

    /// The span of the whole line.
    pub(super) fn whole(&self) -> Span {
        self.span(0, self.bytes.len())
    }

    /// The offset of every byte of a range, if they are not all together.
    pub(super) fn origins(&self, start: usize, end: usize) -> Option<&[u32]> {
        let Origin::Apart(origins) = &self.origin else { return None };
        let origins = &origins[start..end];
        origins.windows(2).any(|pair| pair[1] != pair[0] + 1).then_some(origins)
    }
}

/// Reads lines one after another.
pub(super) struct Lines<'a> {
    file: FileId,
    bytes: &'a [u8],
    position: usize,
    /// How deep in block comments; -1 after a stray `--;`.
    depth: i32,
    /// Where each open block comment began.
    opened: Vec<Span>,
    /// The `--;` that closed nothing.
    stray: Option<Span>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(file: FileId, bytes: &'a [u8]) -> Self {
        let position = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Self { file, bytes, position, depth: 0, opened: vec![], stray: None }
    }

    /// The next line that holds anything; what is wrong on the way is reported.
    pub(super) fn next(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Option<Line<'a>> {
        loop {
            let start = self.position;
            let text = self.read_chunk(diagnostics)?;
            if text.len() == LINE_LIMIT {
                self.skip_long_line(start, diagnostics);
                continue;
            }
            if let Some(line) = self.uncomment(start, text, diagnostics) {
                return Some(line);
            }
        }
    }

    /// Reports block comments left open at the end of the file.
    pub(super) fn finish(self, diagnostics: &mut Vec<Diagnostic>) {
        if let (true, Some(&opened)) = (self.depth > 0, self.opened.last()) {
            diagnostics.push(
                Diagnostic::error(
                    codes::COMMENT_UNCLOSED,
                    opened,
                    "this block comment is never closed: all that follows it is ignored",
                )
                .with_help("close it with `--;`, or begin a plain comment with `;---` or `; --`"),
            );
        }
    }

    /// At most [`LINE_LIMIT`] bytes, up to and with the line feed, cut at a NUL.
    fn read_chunk(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.position..).filter(|rest| !rest.is_empty())?;
        let rest = &rest[..rest.len().min(LINE_LIMIT)];
        let chunk = &rest[..memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1)];
        let start = self.position;
        self.position += chunk.len();
        let Some(nul) = memchr::memchr(0, chunk) else { return Some(chunk) };
        diagnostics.push(
            Diagnostic::error(
                codes::NUL_BYTE,
                self.span(start + nul, start + nul + 1),
                "a NUL byte ends this line: what follows it is ignored",
            )
            .with_help("save the file as plain UTF-8 text"),
        );
        Some(&chunk[..nul])
    }

    fn skip_long_line(&mut self, start: usize, diagnostics: &mut Vec<Diagnostic>) {
        let end = self.position;
        // Asterisk reads on until a chunk is not full. When the long line happens to end with a
        // full chunk, that is the next line, which is lost as well.
        while self.read_chunk(&mut vec![]).is_some_and(|text| text.len() == LINE_LIMIT) {}
        diagnostics.push(
            Diagnostic::error(
                codes::LINE_TOO_LONG,
                self.span(start, end.min(start + 32)),
                format!("this line is skipped: it is longer than {} bytes", LINE_LIMIT - 1),
            )
            .with_help("split it into several lines"),
        );
    }

    fn uncomment(
        &mut self,
        start: usize,
        text: &'a [u8],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Line<'a>> {
        if memchr::memchr(b';', text).is_none() {
            if self.depth != 0 {
                return None;
            }
            return self.together(text, start);
        }
        let (bytes, origins) = self.without_comments(start, text, diagnostics)?;
        let first = bytes.iter().position(|&byte| byte > b' ')?;
        let last = bytes.iter().rposition(|&byte| byte > b' ')?;
        let origin = origins[first];
        if (origins[last] - origin) as usize == last - first {
            let from = origin as usize;
            return self.together(&self.bytes[from..from + last - first + 1], from);
        }
        Some(Line {
            bytes: Cow::Owned(bytes[first..=last].to_vec()),
            origin: Origin::Apart(origins[first..=last].to_vec()),
            file: self.file,
        })
    }

    fn together(&self, text: &'a [u8], start: usize) -> Option<Line<'a>> {
        let trimmed = trim_start(text);
        let origin = start + text.len() - trimmed.len();
        let bytes = trim_end(trimmed);
        let origin = Origin::Together(origin as u32);
        (!bytes.is_empty()).then_some(Line { bytes: Cow::Borrowed(bytes), origin, file: self.file })
    }

    /// What a line with semicolons keeps, with the offset of each byte. `None` if it begins inside
    /// a comment that does not end on it.
    fn without_comments(
        &mut self,
        start: usize,
        text: &[u8],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<(Vec<u8>, Vec<u32>)> {
        let mut kept = (self.depth == 0).then(Kept::default);
        // Whether bytes now go to `kept`: not after the opening of a comment.
        let mut keeping = kept.is_some();
        // Only what lies after here counts as the backslash or the dashes before a semicolon.
        let mut from = 0;
        while let Some(found) = memchr::memchr(b';', &text[from..]) {
            let at = from + found;
            let before = &text[from..at];
            let after = &text[at + 1..];
            if before.last() == Some(&b'\\') {
                kept.keep(keeping, start, text, from, at - 1);
                kept.keep(keeping, start, text, at, at + 1);
                from = at + 1;
            } else if after.starts_with(b"--") && after.get(2) != Some(&b'-') {
                kept.keep(keeping, start, text, from, at);
                if self.open(start + at, diagnostics) {
                    keeping = false;
                    from = at + 3;
                } else {
                    from = at + 1;
                }
            } else if before.ends_with(b"--") {
                self.close(start + at, diagnostics);
                if self.depth == 0 {
                    kept.get_or_insert_default();
                    keeping = true;
                } else {
                    kept.keep(keeping, start, text, from, at + 1);
                }
                from = at + 1;
            } else if self.depth == 0 {
                kept.keep(keeping, start, text, from, at);
                return kept.map(Kept::into_parts);
            } else {
                kept.keep(keeping, start, text, from, at + 1);
                from = at + 1;
            }
        }
        kept.keep(keeping, start, text, from, text.len());
        kept.map(Kept::into_parts)
    }

    fn open(&mut self, at: usize, diagnostics: &mut Vec<Diagnostic>) -> bool {
        let span = self.span(at, at + 3);
        if self.depth >= NESTING_LIMIT {
            diagnostics.push(Diagnostic::error(
                codes::COMMENT_TOO_DEEP,
                span,
                format!("block comments are nested more than {NESTING_LIMIT} deep"),
            ));
            return false;
        }
        self.depth += 1;
        self.opened.push(span);
        true
    }

    fn close(&mut self, at: usize, diagnostics: &mut Vec<Diagnostic>) {
        self.depth -= 1;
        self.opened.pop();
        if self.depth >= 0 || self.stray.is_some() {
            return;
        }
        let span = self.span(at - 2, at + 1);
        self.stray = Some(span);
        diagnostics.push(
            Diagnostic::error(
                codes::STRAY_COMMENT_END,
                span,
                "`--;` outside a block comment: all that follows is ignored until a `;--`",
            )
            .with_help("remove it"),
        );
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: start as u32, end: end as u32 }
    }
}

/// The bytes a line keeps, each with its offset in the file.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    origins: Vec<u32>,
}

impl Kept {
    fn into_parts(self) -> (Vec<u8>, Vec<u32>) {
        (self.bytes, self.origins)
    }
}

trait Keep {
    fn keep(&mut self, keeping: bool, start: usize, text: &[u8], from: usize, to: usize);
}

impl Keep for Option<Kept> {
    fn keep(&mut self, keeping: bool, start: usize, text: &[u8], from: usize, to: usize) {
        if let (true, Some(kept)) = (keeping, self) {
            kept.bytes.extend_from_slice(&text[from..to]);
            kept.origins.extend((start + from) as u32..(start + to) as u32);
        }
    }
}

pub(super) fn trim(text: &[u8]) -> &[u8] {
    trim_end(trim_start(text))
}

fn trim_start(text: &[u8]) -> &[u8] {
    let first = text.iter().position(|&byte| byte > b' ').unwrap_or(text.len());
    &text[first..]
}

fn trim_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| byte > b' ').map_or(0, |last| last + 1);
    &text[..end]
}

/// Asterisk's buffer for one line, with its line feed (main/config.c: config_text_file_load).
const LINE_LIMIT: usize = 8191;

/// How deep Asterisk nests block comments.
const NESTING_LIMIT: i32 = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceMap;

    fn read(text: &[u8]) -> (Vec<String>, Vec<Diagnostic>) {
        let mut sources = SourceMap::new();
        let file = sources.add("f", text);
        let mut diagnostics = vec![];
        let mut lines = Lines::new(file, text);
        let mut found = vec![];
        while let Some(line) = lines.next(&mut diagnostics) {
            found.push(String::from_utf8_lossy(&line.bytes).into_owned());
        }
        lines.finish(&mut diagnostics);
        (found, diagnostics)
    }

    fn lines(text: &str) -> Vec<String> {
        read(text.as_bytes()).0
    }

    #[test]
    fn a_semicolon_ends_the_line_even_in_quotes() {
        assert_eq!(lines("a=\"b;c\" ; d\n"), ["a=\"b"]);
    }

    #[test]
    fn an_escaped_semicolon_stays_and_loses_its_backslash() {
        assert_eq!(lines("a\\;b\\\\;c\\;;d"), ["a;b\\;c;"]);
    }

    #[test]
    fn block_comments_keep_what_is_around_them() {
        assert_eq!(lines("a ;-- x --; b\nc ;-- d\ne\nf --; g\n"), ["a  b", "c", "g"]);
        assert_eq!(lines("a ;-- b ;-- c --; d --; e"), ["a  e"]);
    }

    #[test]
    fn three_dashes_are_a_plain_comment() {
        assert_eq!(lines("a ;--- b\n;-------;\nc"), ["a", "c"]);
    }

    #[test]
    fn a_stray_end_of_comment_swallows_until_the_next_opening() {
        let (found, diagnostics) = read(b"a --; b\nc\nd ;-- e\nf\n");
        assert_eq!(found, ["a --; b", "f"]);
        assert_eq!(diagnostics[0].code, codes::STRAY_COMMENT_END);
    }

    #[test]
    fn an_unclosed_block_comment_is_reported_where_it_opened() {
        let (found, diagnostics) = read(b"a\n;-- b\nc\n");
        assert_eq!(found, ["a"]);
        assert_eq!(diagnostics[0].code, codes::COMMENT_UNCLOSED);
        assert_eq!(diagnostics[0].span.map(|span| span.start), Some(2));
    }

    #[test]
    fn a_long_line_is_skipped_whole() {
        for length in [8190, 8191, 9000, 20_000] {
            let text = format!("{}\nignored-if-full\nb\n", "a".repeat(length));
            let (found, diagnostics) = read(text.as_bytes());
            assert_eq!(found.last().map(String::as_str), Some("b"));
            assert_eq!(found.len(), if length == 8190 { 1 } else { 2 }, "{length}");
            assert_eq!(diagnostics.len(), 1);
        }
        assert_eq!(read(format!("{}\nb", "a".repeat(8189)).as_bytes()).0.len(), 2);
    }

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(lines("\u{feff}[a]\n"), ["[a]"]);
    }

    #[test]
    fn spans_point_into_the_file_through_escapes_and_comments() {
        let text = b"  ab\\;c ;-- x --; d";
        let file = SourceMap::new().add("f", &text[..]);
        let mut lines = Lines::new(file, text);
        let line = lines.next(&mut vec![]).expect("one line");
        assert_eq!(&line.bytes[..], b"ab;c  d");
        assert_eq!((line.span(2, 3).start, line.span(3, 4).start), (5, 6));
        assert_eq!(line.span(6, 7), Span { file, start: 18, end: 19 });
    }
}
