//! Between the packets that arrive and the ear that hears 20 ms at a time.
//!
//! G.711 is decoded where it lies and needs no order; codecs that keep state wait as packets and
//! are decoded when their time comes. How long they wait is one thing for both: see `delay`.

mod coded;
mod delay;

use self::coded::CodedPlayout;
pub(super) use self::delay::{PlayoutDelay, is_quiet};
use super::{Codec, FRAME, StreamSettings, WIDE_FRAME, jitter::PlayoutBuffer, rtp::RtpTime};

/// The playout buffer of one receiving stream.
#[derive(Debug)]
pub(crate) enum Playout {
    /// Nothing but G.711 may arrive.
    Law(Box<PlayoutBuffer>),
    /// Anything else may.
    Coded(Box<CodedPlayout>),
}

/// What became of an arriving packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    Stored,
    /// It came after its time, by more than the playout delay may grow.
    Late,
}

/// What a frame taken out consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Played {
    /// Received samples.
    Audio,
    /// Invented in part or in whole.
    Concealed,
    /// The peer is not speaking; the frame is silent.
    Nothing,
}

impl Playout {
    /// A buffer for what `settings` say may arrive.
    pub(crate) fn new(settings: &StreamSettings) -> Self {
        if is_coded(settings) {
            Self::Coded(Box::new(CodedPlayout::new(settings)))
        } else {
            Self::Law(Box::new(PlayoutBuffer::new()))
        }
    }

    /// Whether it takes what `settings` say may arrive.
    pub(crate) fn fits(&self, settings: &StreamSettings) -> bool {
        match self {
            Self::Law(_) => !is_coded(settings),
            Self::Coded(coded) => is_coded(settings) && coded.fits(settings),
        }
    }

    /// Forgets everything: another source begins.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::Law(buffer) => buffer.reset(),
            Self::Coded(buffer) => buffer.reset(),
        }
    }

    /// Takes the payload of one packet; beyond 120 ms of it the rest is left out.
    pub(crate) fn push(&mut self, time: RtpTime, codec: Codec, payload: &[u8]) -> Pushed {
        match self {
            Self::Law(buffer) => match codec.law() {
                Some(law) => buffer.push(time, law, payload),
                None => Pushed::Late,
            },
            Self::Coded(buffer) => buffer.push(time, codec, payload),
        }
    }

    /// Whether received audio still waits to be played.
    pub(crate) fn has_waiting(&self) -> bool {
        match self {
            Self::Law(buffer) => buffer.has_waiting(),
            Self::Coded(buffer) => buffer.has_waiting(),
        }
    }

    /// Takes out the next 20 ms: what there is of them below 4 kHz.
    pub(crate) fn pop(&mut self, out: &mut [i16; FRAME]) -> Played {
        match self {
            Self::Law(buffer) => buffer.pop(out),
            Self::Coded(buffer) => buffer.pop(out),
        }
    }

    /// All of the frame taken out last, if it may hold more than that.
    pub(crate) fn wide(&self) -> Option<&[i16; WIDE_FRAME]> {
        match self {
            Self::Law(_) => None,
            Self::Coded(buffer) => buffer.wide(),
        }
    }
}

fn is_coded(settings: &StreamSettings) -> bool {
    settings.receive.iter().any(|(_, codec)| codec.law().is_none())
}
