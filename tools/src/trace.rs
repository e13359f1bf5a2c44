//! `diesis trace`: SIP messages of a running engine as they come and go: as text, as a ladder, as a
//! pcap file.

mod ladder;
mod pcap;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    process::ExitCode,
};

use bstr::ByteSlice;
use diesis_engine::net::control::protocol::{Command, Direction, Reply, SipMessage};
use jiff::{Timestamp, tz::TimeZone};

use crate::{cli::operate::Trace, control};
use ladder::Ladder;
use pcap::Pcap;

/// Watches until the time is over, Ctrl-C, or the engine's end.
pub(crate) fn run(options: &Trace) -> ExitCode {
    let mut views = match Views::open(options) {
        Ok(views) => views,
        Err(error) => {
            let path = options.pcap.as_deref().unwrap_or_else(|| Path::new("-"));
            eprintln!("diesis: {}: {error}", path.display());
            return ExitCode::from(2);
        }
    };
    let order = Command::Trace { of: options.of.clone(), seconds: options.time };
    let code = control::watch(&options.target, order, |reply| match reply {
        Reply::Message(message) => views.take(*message),
        Reply::Text(_) => {
            let limit = options.time.map(|seconds| format!(", for {seconds} s"));
            eprintln!("watching {}{}; Ctrl-C ends it", options.of, limit.unwrap_or_default());
            Ok(())
        }
        _ => Ok(()),
    });
    match views.end() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("diesis: {error}");
            ExitCode::FAILURE
        }
        _ => code,
    }
}

/// What is made of the messages.
struct Views {
    out: Box<dyn Write>,
    is_text: bool,
    ladder: Option<Ladder>,
    pcap: Option<Pcap<Box<dyn Write>>>,
    seen: u64,
}

impl Views {
    fn open(options: &Trace) -> io::Result<Self> {
        let file: Option<Box<dyn Write>> = match options.pcap.as_deref() {
            // For `tshark -i -` and its kin.
            Some(path) if path == Path::new("-") => Some(Box::new(io::stdout())),
            Some(path) => Some(Box::new(BufWriter::new(File::create(path)?))),
            None => None,
        };
        let is_piped = options.pcap.as_deref() == Some(Path::new("-"));
        Ok(Self {
            // A capture on standard output must not be mixed with text.
            out: if is_piped { Box::new(io::stderr()) } else { Box::new(io::stdout()) },
            is_text: !options.ladder && options.pcap.is_none(),
            ladder: options.ladder.then(|| Ladder::new(TimeZone::system())),
            pcap: file.map(Pcap::begin).transpose()?,
            seen: 0,
        })
    }

    fn take(&mut self, message: SipMessage) -> io::Result<()> {
        self.seen += 1;
        if message.lost > 0 {
            eprintln!("diesis: {} messages were lost: they came too fast", message.lost);
        }
        if self.is_text {
            write_text(&message, &mut self.out)?;
        }
        if let Some(pcap) = &mut self.pcap {
            pcap.write(&message)?;
        }
        if let Some(ladder) = &mut self.ladder
            && let Some(drawn) = ladder.take(message)
        {
            writeln!(self.out, "{drawn}")?;
        }
        self.out.flush()
    }

    /// What is left to be said.
    fn end(&mut self) -> io::Result<()> {
        if let Some(drawn) = self.ladder.as_mut().and_then(Ladder::finish) {
            writeln!(self.out, "{drawn}")?;
        }
        self.out.flush()?;
        eprintln!("{} messages", self.seen);
        Ok(())
    }
}

fn write_text(message: &SipMessage, out: &mut impl Write) -> io::Result<()> {
    let SipMessage { at, direction, transport, local, peer, .. } = message;
    let arrow = match direction {
        Direction::In => '\u{2190}',
        Direction::Out => '\u{2192}',
    };
    writeln!(out, "{} {transport} {local} {arrow} {peer}", clock(*at, &TimeZone::system()))?;
    for line in message.content.as_bytes().lines() {
        writeln!(out, "    {}", printable(line))?;
    }
    writeln!(out)
}

/// The time of the day.
fn clock(at: i64, zone: &TimeZone) -> String {
    let at = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone()).strftime("%H:%M:%S.%6f").to_string()
}

/// Text of others for a terminal.
fn printable(text: &[u8]) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.to_str_lossy().chars() {
        match character {
            '\t' => shown.push(' '),
            // Marks that turn the direction of writing around are no control characters.
            '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(character.escape_unicode());
            }
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}
