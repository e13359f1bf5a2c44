//! Speaks with one program over a WebSocket, as Asterisk's WebSocket channel does: audio in binary
//! messages, everything else in text.

use std::{
    collections::VecDeque,
    future::poll_fn,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    rates::{Narrowing, Widening},
    talk::{Order, PATIENCE, TICK, Talk},
};
use crate::{
    media::FRAME,
    net::clock,
    program::{
        ProgramEnd, WebSocket,
        messages::{Command, Event, Flows, XOFF_FRAMES, XON_FRAMES},
        speech::{Flow, Mark},
    },
};

/// How much is held of what a program sends in one piece, and of what it has not taken.
pub(super) fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE))
        .write_buffer_size(0)
        .max_write_buffer_size(MOST_UNWRITTEN)
}

/// Runs until one of the two hangs up.
pub(super) async fn run<S>(talk: Talk, stream: WebSocketStream<S>, how: &WebSocket) -> ProgramEnd
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sink, messages) = stream.split();
    match Conversation::new(talk, sink, how) {
        Ok(mut conversation) => conversation.run(messages).await,
        Err(why) => ProgramEnd::Failed(why),
    }
}

struct Conversation<'a, S> {
    talk: Talk,
    how: &'a WebSocket,
    sink: SplitSink<WebSocketStream<S>, Message>,
    /// What is to be sent: everything else before the audio that came after it.
    unsent: VecDeque<Message>,
    /// How many of those are audio.
    unsent_audio: usize,
    /// Whether something may lie with the library.
    is_unflushed: bool,
    /// When something could be sent last, or there was nothing to send.
    moved: Option<Instant>,
    widening: Widening,
    narrowing: Narrowing,
    flows: Flows,
    is_bulk: bool,
    is_full: bool,
}

impl<'a, S> Conversation<'a, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn new(
        talk: Talk,
        sink: SplitSink<WebSocketStream<S>, Message>,
        how: &'a WebSocket,
    ) -> Result<Self, String> {
        let widening = Widening::new(how.format.rate(), talk.channels())?;
        Ok(Self {
            talk,
            how,
            sink,
            unsent: VecDeque::new(),
            unsent_audio: 0,
            is_unflushed: false,
            moved: None,
            widening,
            narrowing: Narrowing::default(),
            flows: Flows::Both,
            is_bulk: false,
            is_full: false,
        })
    }

    async fn run(&mut self, mut messages: SplitStream<WebSocketStream<S>>) -> ProgramEnd {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        self.talk.begin();
        self.start();
        let end = loop {
            let has_unsent = !self.unsent.is_empty();
            tokio::select! {
                biased;
                order = self.talk.next_order() => match order {
                    Order::Digit(digit) => self.tell(&Event::Digit(digit)),
                    Order::Close => break ProgramEnd::Us,
                },
                _ = ticks.tick() => {
                    let now = clock::now().instant;
                    self.hear();
                    let rest = self.narrowing.rest(now);
                    self.talk.take_speech(&rest, now);
                    self.speak(now);
                    if self.is_stuck(now) {
                        break ProgramEnd::Failed("it takes nothing for too long".into());
                    }
                }
                // Before what comes: one that talks without end is told that it is too much.
                ready = poll_fn(|context| match has_unsent {
                    true => self.sink.poll_ready_unpin(context),
                    false => self.sink.poll_flush_unpin(context),
                }), if has_unsent || self.is_unflushed => {
                    self.is_unflushed = false;
                    if let Err(error) = ready.and_then(|()| self.send_next()) {
                        break ProgramEnd::Failed(error.to_string());
                    }
                }
                message = messages.next() => {
                    // An answer to a ping may wait.
                    self.is_unflushed = true;
                    let now = clock::now().instant;
                    match message {
                        None | Some(Ok(Message::Close(_))) => break ProgramEnd::Program,
                        Some(Ok(message)) => {
                            if self.take(message, now) == Then::HangUp {
                                break ProgramEnd::Program;
                            }
                        }
                        Some(Err(error)) => break ProgramEnd::Failed(error.to_string()),
                    }
                    self.speak(now);
                }
            }
        };
        let goodbye = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let goodbye = self.sink.send(Message::Close(Some(goodbye)));
        // Politeness has its limits.
        let _ = timeout(FAREWELL, goodbye).await;
        end
    }

    fn send_next(&mut self) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        let Some(message) = self.unsent.pop_front() else { return Ok(()) };
        self.unsent_audio -= usize::from(message.is_binary());
        self.is_unflushed = true;
        self.moved = Some(clock::now().instant);
        self.sink.start_send_unpin(message)
    }

    fn is_stuck(&mut self, now: Instant) -> bool {
        if self.unsent.is_empty() {
            self.moved = Some(now);
        }
        let moved = *self.moved.get_or_insert(now);
        now.saturating_duration_since(moved) > PATIENCE
    }

    fn start(&mut self) {
        let WebSocket { connection, channel, format, variables, .. } = self.how;
        self.tell(&Event::Start {
            connection,
            channel,
            format: format.name(),
            frame: format.frame() * self.talk.channels(),
            variables,
        });
    }

    fn tell(&mut self, event: &Event<'_>) {
        // One that asks without end and takes no answers goes without.
        if self.unsent.len() - self.unsent_audio < MOST_UNSENT {
            let text = event.write(self.how.messages, &self.how.channel_id);
            self.unsent.push_back(Message::text(text));
        }
    }

    /// What the program is to hear goes out as it comes; where it does not take it, it is lost.
    fn hear(&mut self) {
        while let Some(frame) = self.talk.next_heard() {
            let samples = self.widening.convert(frame);
            let is_wanted = self.flows != Flows::Out && self.unsent_audio < MOST_UNSENT;
            if is_wanted && !samples.is_empty() {
                let octets = self.how.format.encode(&samples);
                self.unsent.push_back(Message::Binary(Bytes::from(octets)));
                self.unsent_audio += 1;
            }
        }
    }

    fn take(&mut self, message: Message, now: Instant) -> Then {
        match message {
            Message::Binary(octets) => {
                if self.flows == Flows::In {
                    return Then::GoOn;
                }
                let samples = self.how.format.decode(&octets);
                let rate = self.how.format.rate();
                match self.narrowing.convert(samples, rate, now) {
                    Ok(samples) => self.talk.take_speech(&samples, now),
                    Err(why) => self.tell(&Event::Error(&why)),
                }
                if self.frames() >= XOFF_FRAMES && !self.is_full {
                    self.is_full = true;
                    self.tell(&Event::Xoff);
                }
                Then::GoOn
            }
            Message::Text(text) => match Command::parse(&text) {
                Ok(command) => self.obey(command, now),
                Err(error) => {
                    self.tell(&Event::Error(&error.to_string()));
                    Then::GoOn
                }
            },
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                Then::GoOn
            }
        }
    }

    fn obey(&mut self, command: Command, now: Instant) -> Then {
        let needs_audio = matches!(
            command,
            Command::StartBuffering
                | Command::StopBuffering(_)
                | Command::Mark(_)
                | Command::Pause
                | Command::Continue
        );
        if needs_audio && self.flows == Flows::In {
            self.tell(&Event::Error("no media is taken while the direction is in"));
            return Then::GoOn;
        }
        match command {
            Command::Answer => self.talk.answer(),
            Command::Hangup => return Then::HangUp,
            Command::StartBuffering => self.is_bulk = true,
            Command::StopBuffering(id) => {
                self.is_bulk = false;
                let rest = self.narrowing.finish();
                self.talk.take_speech(&rest, now);
                self.talk.speech.fill_frame(now);
                self.mark(Mark::Completed(id));
            }
            Command::Flush => {
                self.narrowing.finish();
                self.is_bulk = false;
                self.talk.speech.flush();
            }
            Command::Pause => self.talk.speech.set_flow(Flow::Paused),
            Command::Continue => self.talk.speech.set_flow(Flow::Running),
            Command::Mark(id) => self.mark(Mark::Marked(id)),
            Command::Status => self.tell(&Event::Status {
                length: self.frames(),
                is_full: self.is_full,
                is_bulk: self.is_bulk,
                is_paused: self.talk.speech.flow() == Flow::Paused,
            }),
            Command::ReportDrained => self.mark(Mark::Drained),
            Command::Direction(flows) => {
                self.flows = flows;
                if flows == Flows::In {
                    self.narrowing.finish();
                    self.talk.speech.flush();
                }
            }
        }
        Then::GoOn
    }

    fn mark(&mut self, mark: Mark) {
        if !self.talk.speech.mark(mark) {
            self.tell(&Event::Error("too many marks wait"));
        }
    }

    /// Hands on what is due of what the program said, and tells it what became of it.
    fn speak(&mut self, now: Instant) {
        self.talk.speak(now);
        while let Some(mark) = self.talk.speech.poll_mark() {
            match mark {
                Mark::Completed(id) => self.tell(&Event::Completed(id.as_deref())),
                Mark::Marked(id) => self.tell(&Event::Marked(id.as_deref())),
                Mark::Drained => self.tell(&Event::Drained),
            }
        }
        if self.is_full && self.frames() < XON_FRAMES {
            self.is_full = false;
            self.tell(&Event::Xon);
        }
    }

    fn frames(&self) -> usize {
        self.talk.speech.len().div_ceil(FRAME)
    }
}

/// What follows a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    HangUp,
}

/// A longer message ends the talk: eight seconds of the richest audio that is usual.
const LONGEST_MESSAGE: usize = 256 * 1024;

/// What lies with the library before the socket takes it.
const MOST_UNWRITTEN: usize = 64 * 1024;

/// Frames, and events, that wait to be sent: a second of audio. More is lost.
const MOST_UNSENT: usize = 50;

/// How long it may take to say that the call is over.
const FAREWELL: Duration = Duration::from_millis(500);
