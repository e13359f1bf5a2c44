//! Between the packets that arrive and the ear that hears 20 ms at a time.
//!
//! G.711 is decoded where it lies and needs no order; codecs that keep state wait as packets and
//! are decoded when their time comes. How long they wait, and what is heard when something is
//! missing, is one thing for both: see `delay` and `buffer`.

mod buffer;
mod coded;
mod delay;
mod ring;
mod source;

#[cfg(test)]
mod tests;

use diesis_sounds::{halfband::Downsampler, noise::NoiseGenerator, thirdband};

pub(crate) use self::buffer::Unheard;
use self::{buffer::Buffer, coded::Packets, ring::Ring, source::Source};
use super::{Codec, FRAME, Rate, StreamSettings, WIDE_FRAME, rtp::RtpTime, sound::Sound};

/// The playout buffer of one receiving stream.
#[derive(Debug)]
pub(crate) enum Playout {
    /// Nothing but G.711 may arrive.
    Law(Box<Buffer<Ring>>),
    /// Anything else may.
    Coded(Box<CodedPlayout>),
}

/// Where other than G.711 may arrive.
#[derive(Debug)]
pub(crate) struct CodedPlayout {
    buffer: Buffer<Packets>,
    downsampler: Downsampler,
    /// Where 48 kHz may be played.
    thirds: Option<Box<Thirds>>,
}

/// What there is below 8 kHz of frames of 48 kHz.
#[derive(Debug)]
struct Thirds {
    downsampler: thirdband::Downsampler,
    wide: [i16; WIDE_FRAME],
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
    /// The noise of a line on which nobody speaks.
    Noise,
    /// The peer is not speaking; the frame is silent.
    Nothing,
}

impl Playout {
    /// A buffer for what `settings` say may arrive; of Opus as much is played as `rate` holds.
    pub(crate) fn new(settings: &StreamSettings, rate: Rate) -> Self {
        if !is_coded(settings) {
            return Self::Law(Box::new(Buffer::new(Ring::new(), Rate::Narrow)));
        }
        let packets = Packets::new(settings, rate);
        let widest = packets.widest();
        let buffer = Buffer::new(packets, widest);
        let downsampler = Downsampler::new();
        Self::Coded(Box::new(CodedPlayout { buffer, downsampler, thirds: thirds(widest) }))
    }

    /// From now on as much of Opus is played as `rate` holds.
    pub(crate) fn set_rate(&mut self, rate: Rate) {
        let Self::Coded(coded) = self else { return };
        if coded.buffer.source.set_rate(rate) {
            let widest = coded.buffer.source.widest();
            coded.buffer.set_widest(widest);
            coded.downsampler = Downsampler::new();
            coded.thirds = thirds(widest);
        }
    }

    /// Whether it takes what `settings` say may arrive.
    pub(crate) fn fits(&self, settings: &StreamSettings) -> bool {
        match self {
            Self::Law(_) => !is_coded(settings),
            Self::Coded(coded) => is_coded(settings) && coded.buffer.source.fits(settings),
        }
    }

    /// Forgets everything: another source begins.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::Law(buffer) => buffer.reset(),
            Self::Coded(coded) => coded.reset(),
        }
    }

    /// Takes the payload of one packet; beyond 120 ms of it the rest is left out.
    pub(crate) fn push(&mut self, time: RtpTime, codec: Codec, payload: &[u8]) -> Pushed {
        match self {
            Self::Law(buffer) => buffer.push(time, codec, payload),
            Self::Coded(coded) => coded.push(time, codec, payload),
        }
    }

    /// From `time` on, by the clock of the codec in use, there is only noise until something comes.
    pub(crate) fn handle_noise(&mut self, time: RtpTime) {
        match self {
            Self::Law(buffer) => buffer.handle_noise(time),
            Self::Coded(coded) => coded.buffer.handle_noise(time),
        }
    }

    /// Whether received audio still waits to be played.
    pub(crate) fn has_waiting(&self) -> bool {
        match self {
            Self::Law(buffer) => buffer.has_waiting(),
            Self::Coded(coded) => coded.buffer.has_waiting(),
        }
    }

    /// Takes out the next 20 ms: what there is of them below 4 kHz. `generator` makes the noise that
    /// the peer told.
    pub(crate) fn pop(
        &mut self,
        generator: Option<&mut NoiseGenerator>,
        out: &mut [i16; FRAME],
    ) -> Played {
        match self {
            Self::Law(buffer) => {
                let played = buffer.pop(generator);
                out.copy_from_slice(buffer.frame());
                played
            }
            Self::Coded(coded) => {
                let played = coded.buffer.pop(generator);
                let CodedPlayout { buffer, downsampler, thirds } = &mut **coded;
                let frame = buffer.frame();
                match (frame.try_into(), frame.try_into(), thirds) {
                    (Ok(wide), ..) => downsampler.process(wide, out),
                    (_, Ok(full), Some(thirds)) => {
                        thirds.downsampler.process(full, &mut thirds.wide);
                        downsampler.process(&thirds.wide, out);
                    }
                    _ => out.copy_from_slice(&frame[..FRAME]),
                }
                played
            }
        }
    }

    /// Lets the next 20 ms pass unheard, which costs next to nothing; `false` if they are to be taken
    /// out, since somebody may speak in them.
    pub(crate) fn pass(&mut self, whom: Unheard) -> bool {
        match self {
            Self::Law(buffer) => buffer.pass(whom),
            Self::Coded(coded) => coded.buffer.pass(whom),
        }
    }

    /// Whether what waits says of itself that nobody speaks in it.
    pub(crate) fn is_silent(&self) -> bool {
        match self {
            Self::Law(buffer) => buffer.source.is_silent(),
            Self::Coded(coded) => coded.buffer.source.is_silent(),
        }
    }

    /// All of the frame taken out last, of which `narrow` is what [`pop`](Self::pop) gave.
    pub(crate) fn sound<'a>(&'a self, narrow: &'a [i16; FRAME]) -> Sound<'a> {
        let Self::Coded(coded) = self else { return Sound::narrow(narrow) };
        let frame = coded.buffer.frame();
        match (frame.try_into(), &coded.thirds) {
            (Ok(full), Some(thirds)) => {
                Sound { narrow, wide: Some(&thirds.wide), full: Some(full) }
            }
            _ => Sound { narrow, wide: frame.try_into().ok(), full: None },
        }
    }

    /// The RTP time of what is played next, and the delay aimed at and what it is, in 8 kHz samples.
    #[cfg(test)]
    fn position(&self) -> (RtpTime, (i32, i32)) {
        match self {
            Self::Law(buffer) => (buffer.next(), buffer.delays()),
            Self::Coded(coded) => (coded.buffer.next(), coded.buffer.delays()),
        }
    }
}

impl Buffer<Ring> {
    fn push(&mut self, time: RtpTime, codec: Codec, payload: &[u8]) -> Pushed {
        let Some(law) = codec.law() else { return Pushed::Late };
        let payload = &payload[..payload.len().min(ring::LONGEST_PACKET)];
        let end = time.plus(payload.len() as i32);
        if self.admit(time, end, 1, ring::REACH) == Pushed::Late {
            return Pushed::Late;
        }
        // What is over already would be heard when the ring comes round.
        let over = self.next().since(time).max(0);
        if let Some(rest) = payload.get(over as usize..) {
            self.source.store(time.plus(over), law, rest);
        }
        Pushed::Stored
    }
}

impl CodedPlayout {
    fn reset(&mut self) {
        self.buffer.reset();
        self.buffer.source.reset();
        self.downsampler = Downsampler::new();
        if let Some(thirds) = &mut self.thirds {
            thirds.downsampler = thirdband::Downsampler::new();
        }
    }

    fn push(&mut self, time: RtpTime, codec: Codec, payload: &[u8]) -> Pushed {
        let duration = Packets::duration(codec, payload);
        if duration == 0 {
            return Pushed::Stored;
        }
        if codec != self.buffer.source.codec() {
            // Its clock, and what its decoder knows, have nothing to do with what was before.
            if !self.buffer.source.set_codec(codec) {
                return Pushed::Late;
            }
            self.reset();
        }
        let end = time.plus(duration);
        let admitted = self.buffer.admit(time, end, codec.scale(), coded::REACH);
        if admitted == Pushed::Stored && self.buffer.source.store(time, duration, payload) {
            Pushed::Stored
        } else {
            Pushed::Late
        }
    }
}

fn thirds(widest: Rate) -> Option<Box<Thirds>> {
    (widest == Rate::Full).then(|| {
        let downsampler = thirdband::Downsampler::new();
        Box::new(Thirds { downsampler, wide: [0; WIDE_FRAME] })
    })
}

fn is_coded(settings: &StreamSettings) -> bool {
    settings.receive.iter().any(|(_, codec)| codec.law().is_none())
}
