//! One line of input with the keys that people expect, and the lines before it.

use std::io;

use super::{complete::Completer, terminal::Screen};

/// Reads lines and remembers them.
#[derive(Debug, Default)]
pub(super) struct Editor {
    history: Vec<String>,
}

/// A line being written.
#[derive(Debug, Default)]
struct Line {
    text: Vec<char>,
    /// Before which character the cursor is.
    at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Text(char),
    Enter,
    Tab,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    Backspace,
    Delete,
    EraseWord,
    EraseToStart,
    EraseToEnd,
    Clear,
    Abandon,
    EndOfInput,
    Other,
}

impl Editor {
    /// The next line; `None` when the operator leaves.
    pub(super) fn read(
        &mut self,
        prompt: &str,
        screen: &mut impl Screen,
        completer: &Completer,
    ) -> io::Result<Option<String>> {
        let mut line = Line::default();
        // Which line of the past is shown; its length stands for the new one.
        let mut shown = self.history.len();
        let mut last = Key::Other;
        loop {
            draw(prompt, &line, screen)?;
            let Some(key) = key(screen)? else { return Ok(None) };
            match key {
                Key::Enter => break,
                Key::EndOfInput if line.text.is_empty() => return Ok(None),
                Key::Abandon => {
                    screen.write("^C\r\n")?;
                    line = Line::default();
                    shown = self.history.len();
                }
                Key::Clear => screen.write("\x1b[2J\x1b[H")?,
                Key::Tab => complete(&mut line, last == Key::Tab, screen, completer)?,
                Key::Up | Key::Down => {
                    let next = if key == Key::Up { shown.checked_sub(1) } else { Some(shown + 1) };
                    if let Some(next) = next.filter(|next| *next <= self.history.len()) {
                        shown = next;
                        line.set(self.history.get(next).map_or("", String::as_str));
                    }
                }
                key => line.edit(key),
            }
            last = key;
        }
        let text: String = line.text.iter().collect();
        if !text.trim().is_empty() && self.history.last() != Some(&text) {
            if self.history.len() >= MOST_LINES {
                self.history.remove(0);
            }
            self.history.push(text.clone());
        }
        Ok(Some(text))
    }
}

impl Line {
    fn set(&mut self, text: &str) {
        self.text = text.chars().collect();
        self.at = self.text.len();
    }

    fn edit(&mut self, key: Key) {
        match key {
            Key::Text(character) if self.text.len() < LONGEST => {
                self.text.insert(self.at, character);
                self.at += 1;
            }
            Key::Left => self.at = self.at.saturating_sub(1),
            Key::Right => self.at = (self.at + 1).min(self.text.len()),
            Key::Home => self.at = 0,
            Key::End => self.at = self.text.len(),
            Key::Backspace if self.at > 0 => {
                self.at -= 1;
                self.text.remove(self.at);
            }
            Key::Delete | Key::EndOfInput if self.at < self.text.len() => {
                self.text.remove(self.at);
            }
            Key::EraseWord => {
                let before = &self.text[..self.at];
                let word = before.iter().rposition(|it| *it != ' ').unwrap_or_default();
                let start = before[..word].iter().rposition(|it| *it == ' ').map_or(0, |at| at + 1);
                self.text.drain(start..self.at);
                self.at = start;
            }
            Key::EraseToStart => {
                self.text.drain(..self.at);
                self.at = 0;
            }
            Key::EraseToEnd => self.text.truncate(self.at),
            _ => {}
        }
    }
}

/// Adds what all candidates agree on; a second Tab shows them.
fn complete(
    line: &mut Line,
    again: bool,
    screen: &mut impl Screen,
    completer: &Completer,
) -> io::Result<()> {
    let before: String = line.text[..line.at].iter().collect();
    let found = completer.candidates(&before);
    let last = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let Some(first) = found.first() else { return Ok(()) };
    let agreed = found.iter().fold(first.as_str(), |agreed, it| {
        let same = agreed.char_indices().zip(it.chars()).find(|((_, a), b)| a != b);
        let end = same.map_or_else(|| agreed.len().min(it.len()), |((at, _), _)| at);
        &agreed[..end]
    });
    let mut added = agreed.get(last.len()..).unwrap_or_default().to_owned();
    if found.len() == 1 {
        added.push(' ');
    } else if added.is_empty() && again {
        let shown: Vec<&str> = found.iter().map(String::as_str).take(MOST_SHOWN).collect();
        let more = found.len().saturating_sub(MOST_SHOWN);
        let more = if more > 0 { format!("  and {more} more") } else { String::new() };
        screen.write(&format!("\r\n{}{more}\r\n", shown.join("  ")))?;
    }
    added.chars().for_each(|character| line.edit(Key::Text(character)));
    Ok(())
}

/// The prompt and as much of the line around the cursor as there is room for.
fn draw(prompt: &str, line: &Line, screen: &mut impl Screen) -> io::Result<()> {
    let room = screen.columns().saturating_sub(prompt.chars().count() + 1).max(1);
    let start = line.at.saturating_sub(room);
    let visible: String = line.text.iter().skip(start).take(room).collect();
    let back = visible.chars().count() - (line.at - start);
    let back = if back > 0 { format!("\x1b[{back}D") } else { String::new() };
    screen.write(&format!("\r\x1b[K{prompt}{visible}{back}"))
}

/// The next key; `None` at the end of the input.
fn key(screen: &mut impl Screen) -> io::Result<Option<Key>> {
    let Some(octet) = screen.read()? else { return Ok(None) };
    Ok(Some(match octet {
        b'\r' | b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        0x01 => Key::Home,
        0x02 => Key::Left,
        0x03 => Key::Abandon,
        0x04 => Key::EndOfInput,
        0x05 => Key::End,
        0x06 => Key::Right,
        0x08 | 0x7f => Key::Backspace,
        0x0b => Key::EraseToEnd,
        0x0c => Key::Clear,
        0x0e => Key::Down,
        0x10 => Key::Up,
        0x15 => Key::EraseToStart,
        0x17 => Key::EraseWord,
        0x1b => return escape(screen),
        0x20..=0x7e => Key::Text(char::from(octet)),
        0xc2..=0xf4 => return character(octet, screen),
        _ => Key::Other,
    }))
}

/// What a terminal sends for keys without a character: ECMA-48 §5.4.
fn escape(screen: &mut impl Screen) -> io::Result<Option<Key>> {
    let Some(b'[' | b'O') = screen.read()? else { return Ok(Some(Key::Other)) };
    let mut parameter = 0;
    loop {
        let Some(octet) = screen.read()? else { return Ok(None) };
        return Ok(Some(match (octet, parameter) {
            (b'0'..=b'9' | b';', _) => {
                parameter = octet;
                continue;
            }
            (b'A', _) => Key::Up,
            (b'B', _) => Key::Down,
            (b'C', _) => Key::Right,
            (b'D', _) => Key::Left,
            (b'H', _) | (b'~', b'1' | b'7') => Key::Home,
            (b'F', _) | (b'~', b'4' | b'8') => Key::End,
            (b'~', b'3') => Key::Delete,
            _ => Key::Other,
        }));
    }
}

/// The rest of a character that has several octets.
fn character(first: u8, screen: &mut impl Screen) -> io::Result<Option<Key>> {
    let mut octets = vec![first];
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    while octets.len() < length {
        let Some(octet) = screen.read()? else { return Ok(None) };
        octets.push(octet);
    }
    let text = std::str::from_utf8(&octets).ok().and_then(|text| text.chars().next());
    let is_plain = |it: &char| !it.is_control();
    Ok(Some(text.filter(is_plain).map_or(Key::Other, Key::Text)))
}

/// Lines that are remembered.
const MOST_LINES: usize = 500;
/// More than any command needs.
const LONGEST: usize = 4096;
/// Candidates that a second Tab shows.
const MOST_SHOWN: usize = 100;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use clap::CommandFactory;

    use super::*;

    #[derive(Default)]
    struct Paper {
        keys: VecDeque<u8>,
        drawn: String,
    }

    impl Screen for Paper {
        fn read(&mut self) -> io::Result<Option<u8>> {
            Ok(self.keys.pop_front())
        }

        fn write(&mut self, text: &str) -> io::Result<()> {
            self.drawn.push_str(text);
            Ok(())
        }

        fn columns(&self) -> usize {
            20
        }
    }

    fn typed(keys: &[&str]) -> (Vec<Option<String>>, String) {
        let completer = Completer::new(crate::cli::Arguments::command(), "/nowhere".into());
        let mut paper = Paper { keys: keys.concat().into_bytes().into(), ..Paper::default() };
        let mut editor = Editor::default();
        let mut lines = vec![];
        while lines.last().is_none_or(Option::is_some) {
            lines.push(editor.read("> ", &mut paper, &completer).unwrap());
        }
        lines.pop();
        (lines, paper.drawn)
    }

    fn line(keys: &[&str]) -> String {
        typed(keys).0.pop().flatten().expect("a line")
    }

    #[test]
    fn keys_do_what_they_say() {
        assert_eq!(line(&["abd", "\x1b[D", "c", "\r"]), "abcd");
        assert_eq!(line(&["bc", "\x01", "a", "\x05", "d", "\r"]), "abcd");
        assert_eq!(line(&["abcx", "\x7f", "d", "\x1b[1~", "\x1b[3~", "A", "\r"]), "Abcd");
        assert_eq!(line(&["show calls", "\x17", "peers", "\r"]), "show peers");
        assert_eq!(line(&["nonsense", "\x15", "ok", "\x1b[D", "\x0b", "\r"]), "o");
        assert_eq!(line(&["\u{e9}\u{20ac}\u{1d11e}", "\x7f", "\r"]), "\u{e9}\u{20ac}");
        assert_eq!(line(&["gone", "\x03", "new", "\r"]), "new");
    }

    #[test]
    fn lines_come_back_and_tab_completes() {
        assert_eq!(line(&["one\r", "two\r", "\x1b[A\x1b[A\r"]), "one");
        assert_eq!(line(&["one\r", "\x1b[A\x1b[B", "new\r"]), "new");
        assert_eq!(line(&["rel\t\r"]), "reload ");
        assert_eq!(line(&["sh\tca\t\r"]), "show calls ");
        let (lines, drawn) = typed(&["show con\t\t\r"]);
        assert_eq!(lines[0].as_deref(), Some("show con"));
        assert!(drawn.contains("conferences  connections  contacts"), "{drawn}");
    }

    #[test]
    fn whatever_keys_come_the_line_holds() {
        let mut state = 1_u64;
        for _ in 0..200 {
            let mut keys = vec![];
            for _ in 0..200 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                keys.push((state >> 56) as u8);
            }
            let completer = Completer::new(crate::cli::Arguments::command(), "/nowhere".into());
            let mut paper = Paper { keys: keys.into(), ..Paper::default() };
            let mut editor = Editor::default();
            while !paper.keys.is_empty() {
                let _ = editor.read("> ", &mut paper, &completer).unwrap();
            }
        }
    }
}
