//! Speaks AudioSocket with one program.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    rates::{Narrowing, Widening},
    talk::{Order, PATIENCE, TICK, Talk},
};
use crate::{
    net::clock,
    program::{
        ProgramEnd,
        audiosocket::{self, Decoder, Frame},
    },
};

/// Runs until one of the two hangs up.
pub(super) async fn run(
    mut talk: Talk,
    mut stream: TcpStream,
    uuid: [u8; 16],
    rate: u32,
) -> ProgramEnd {
    let (mut reader, mut writer) = stream.split();
    let mut hearing = match Hearing::new(uuid, rate) {
        Ok(hearing) => hearing,
        Err(why) => return ProgramEnd::Failed(why),
    };
    let mut saying = Saying::default();
    let mut buffer = vec![0; 8 * 1024];
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    talk.begin();
    let end = loop {
        tokio::select! {
            biased;
            order = talk.next_order() => match order {
                Order::Digit(digit) => hearing.push(&audiosocket::digit(digit)),
                Order::Close => break ProgramEnd::Us,
            },
            _ = ticks.tick() => {
                let now = clock::now().instant;
                while let Some(frame) = talk.next_heard() {
                    hearing.push_audio(frame);
                }
                let rest = saying.narrowing.rest(now);
                talk.take_speech(&rest, now);
                talk.speak(now);
                if hearing.is_stuck(now) {
                    break ProgramEnd::Failed("it takes nothing for too long".into());
                }
                if saying.is_over && talk.is_silent() {
                    break ProgramEnd::Program;
                }
            }
            read = reader.read(&mut buffer), if saying.has_room(&talk) => {
                let now = clock::now().instant;
                let taken = match read {
                    Ok(0) => saying.end(),
                    Ok(length) => saying.take(&buffer[..length], &mut talk, now),
                    // As good as a hang-up.
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => saying.end(),
                    Err(error) => Err(error.to_string()),
                };
                if let Err(why) = taken {
                    break ProgramEnd::Failed(why);
                }
                talk.speak(now);
            }
            written = writer.write(hearing.unsent()), if hearing.has_unsent() => match written {
                Ok(length) => hearing.sent(length, clock::now().instant),
                // What it said before may still be there to be read, and why it went.
                Err(_) => hearing.give_up(),
            },
        }
    };
    if end == ProgramEnd::Us {
        hearing.push(&audiosocket::GOODBYE);
        let goodbye = async {
            writer.write_all(hearing.unsent()).await?;
            writer.shutdown().await
        };
        // Politeness has its limits.
        let _ = timeout(FAREWELL, goodbye).await;
    }
    end
}

/// What the program is to hear and was not sent yet.
struct Hearing {
    rate: u32,
    widening: Widening,
    unsent: Vec<u8>,
    sent: usize,
    /// When something could be written last, or there was nothing to write.
    moved: Option<Instant>,
    is_over: bool,
}

impl Hearing {
    fn new(uuid: [u8; 16], rate: u32) -> Result<Self, String> {
        let widening = Widening::new(rate, 1)?;
        let unsent = audiosocket::identity(uuid).to_vec();
        Ok(Self { rate, widening, unsent, sent: 0, moved: None, is_over: false })
    }

    /// Adds a frame as a whole, or not at all where too much waits.
    fn push(&mut self, frame: &[u8]) {
        if !self.is_over && self.unsent.len() - self.sent < MOST_UNSENT {
            self.unsent.extend_from_slice(frame);
        }
    }

    fn push_audio(&mut self, samples: Vec<i16>) {
        let samples = self.widening.convert(samples);
        let mut frame = Vec::new();
        if !samples.is_empty()
            && audiosocket::write_audio(&samples, self.rate, &mut frame).is_some()
        {
            self.push(&frame);
        }
    }

    fn unsent(&self) -> &[u8] {
        self.unsent.get(self.sent..).unwrap_or_default()
    }

    fn has_unsent(&self) -> bool {
        self.sent < self.unsent.len()
    }

    fn sent(&mut self, length: usize, now: Instant) {
        self.sent += length;
        self.moved = Some(now);
        if !self.has_unsent() {
            self.unsent.clear();
            self.sent = 0;
        } else if self.sent > MOST_UNSENT {
            self.unsent.drain(..self.sent);
            self.sent = 0;
        }
    }

    fn is_stuck(&mut self, now: Instant) -> bool {
        if !self.has_unsent() {
            self.moved = Some(now);
        }
        let moved = *self.moved.get_or_insert(now);
        now.saturating_duration_since(moved) > PATIENCE
    }

    fn give_up(&mut self) {
        self.unsent.clear();
        self.sent = 0;
        self.is_over = true;
    }
}

/// What the program says.
#[derive(Default)]
struct Saying {
    decoder: Decoder,
    narrowing: Narrowing,
    /// It hung up; what it said before is heard to its end.
    is_over: bool,
}

impl Saying {
    /// Whether the longest frame has room: where it has not, the program is not read.
    fn has_room(&self, talk: &Talk) -> bool {
        !self.is_over && talk.speech.room() > audiosocket::LONGEST_FRAME / 2
    }

    fn end(&mut self) -> Result<(), String> {
        self.is_over = true;
        match self.decoder.is_within_frame() {
            true => Err("it went away in the middle of a frame".into()),
            false => Ok(()),
        }
    }

    fn take(&mut self, mut bytes: &[u8], talk: &mut Talk, now: Instant) -> Result<(), String> {
        while !bytes.is_empty() && !self.is_over {
            let taken = self.decoder.handle_bytes(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            while let Some(frame) = self.decoder.poll_frame() {
                match frame {
                    Frame::Hangup => {
                        self.is_over = true;
                        return Ok(());
                    }
                    Frame::Audio { rate, octets } => {
                        let samples: Vec<i16> = octets
                            .chunks_exact(2)
                            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                            .collect();
                        let samples = self.narrowing.convert(samples, rate, now)?;
                        talk.take_speech(&samples, now);
                    }
                    Frame::Digit(digit) => talk.press(digit),
                    // It is told who calls; saying so itself means nothing.
                    Frame::Identity(_) | Frame::NoDigit => {}
                    Frame::Error(code) => {
                        return Err(match code {
                            [code] => format!("it reports error {code}"),
                            _ => "it reports an error".into(),
                        });
                    }
                    Frame::Unknown(kind) => {
                        return Err(format!("it sends a frame of type {kind:#04x}"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// What waits to be sent at most: a second at 8 kHz. The rest is not heard by the program.
const MOST_UNSENT: usize = 16_150;

/// How long it may take to say that the call is over.
const FAREWELL: Duration = Duration::from_millis(500);
