//! The engine's end of a conversation with a program: rings to and from a media thread, orders, and
//! what the program said so far.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::{
    media::{Digit, FRAME, TapSource},
    program::{
        NewProgram, ProgramId, ProgramNews, SpeechUse,
        speech::{LEAD, Speech},
    },
};

/// What the switch wants of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Digit(Digit),
    Close,
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Talk {
    id: ProgramId,
    source: TapSource,
    use_of_speech: SpeechUse,
    news: mpsc::UnboundedSender<ProgramNews>,
    orders: mpsc::UnboundedReceiver<Order>,
    hears: Option<rtrb::Consumer<i16>>,
    says: Option<rtrb::Producer<i16>>,
    pub(super) speech: Speech,
}

impl Talk {
    pub(super) fn new(
        new: &NewProgram,
        news: mpsc::UnboundedSender<ProgramNews>,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Self {
        Self {
            id: new.id,
            source: new.wanted.hears,
            use_of_speech: new.wanted.speech,
            news,
            orders,
            hears: None,
            says: None,
            speech: Speech::new(),
        }
    }

    /// The program is there: audio flows from now on.
    pub(super) fn begin(&mut self) {
        let (sink, hears) = rtrb::RingBuffer::new(HEARD_FRAMES * FRAME * self.source.channels());
        self.hears = Some(hears);
        let says = (self.use_of_speech == SpeechUse::Heard).then(|| {
            let (says, samples) = rtrb::RingBuffer::new(LEAD);
            self.says = Some(says);
            samples
        });
        self.tell(ProgramNews::Connected { id: self.id, hears: sink, says });
    }

    /// The next order; an end of the engine is an order to close.
    pub(super) async fn next_order(&mut self) -> Order {
        self.orders.recv().await.unwrap_or(Order::Close)
    }

    /// Waits until it is to be closed. Keys pressed before are lost: nobody hears them.
    pub(super) async fn closed(&mut self) {
        while self.next_order().await != Order::Close {}
    }

    /// The next frame that the program is to hear.
    pub(super) fn next_heard(&mut self) -> Option<Vec<i16>> {
        let length = FRAME * self.source.channels();
        let chunk = self.hears.as_mut()?.read_chunk(length).ok()?;
        Some(chunk.into_iter().collect())
    }

    /// Takes what the program said, unless nobody wants to hear it.
    pub(super) fn take_speech(&mut self, samples: &[i16], now: Instant) {
        if self.says.is_some() {
            self.speech.handle_samples(samples, now);
        }
    }

    /// Hands on what is due of what the program said.
    pub(super) fn speak(&mut self, now: Instant) {
        let Some(says) = &mut self.says else { return };
        while let Some(frame) = self.speech.poll_frame(LEAD - says.slots(), now) {
            // There is room for a lead, and no more is given.
            if let Ok(chunk) = says.write_chunk_uninit(FRAME) {
                chunk.fill_from_iter(frame);
            }
        }
    }

    /// Whether all that the program said was heard.
    pub(super) fn is_silent(&self) -> bool {
        let is_heard =
            self.says.as_ref().is_none_or(|says| says.slots() == LEAD || says.is_abandoned());
        self.speech.is_empty() && is_heard
    }

    /// Samples for each moment of what the program hears.
    pub(super) fn channels(&self) -> usize {
        self.source.channels()
    }

    /// The program wants the call to be answered.
    pub(super) fn answer(&self) {
        self.tell(ProgramNews::Answer { id: self.id });
    }

    /// The program presses a key.
    pub(super) fn press(&self, digit: Digit) {
        self.tell(ProgramNews::Digit { id: self.id, digit });
    }

    fn tell(&self, news: ProgramNews) {
        // Nobody listens while the engine stops.
        let _ = self.news.send(news);
    }
}

/// What a media thread may be ahead of the thread of programs by; more is dropped there.
const HEARD_FRAMES: usize = 50;

/// Between two looks at the rings.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// A program that takes nothing for so long is dead.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
