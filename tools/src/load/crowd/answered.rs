//! A call that was answered: its mouth, its ear, and how far its keys are.

use std::{net::SocketAddr, rc::Rc, time::Instant};

use diesis_engine::{
    entropy::Entropy,
    media::{Digit, Direction},
    sdp::{Negotiated, OfferAnswer, SessionDescription},
    sip::{Body, CallHandle},
};

use super::super::{
    listener::Listener,
    sound::Frames,
    speaker::{MOST_PACKET, Speaker, Turn},
    workload::{Fault, Task},
};

pub(super) struct Answered {
    pub(super) call: CallHandle,
    pub(super) level: u32,
    since: Instant,
    media: OfferAnswer,
    remote: Option<SocketAddr>,
    pub(super) speaker: Speaker,
    pub(super) listener: Listener,
    keys: Keys,
}

/// How far the keys of a menu are.
#[derive(Debug, Clone, Copy)]
enum Keys {
    Waiting,
    Pressed,
    Up { since: Instant },
}

impl Answered {
    pub(super) fn new(
        call: CallHandle,
        level: u32,
        (media, agreed): (OfferAnswer, &Negotiated),
        frames: Option<Rc<Frames>>,
        (hertz, amplitude): (u16, f64),
        entropy: &mut Entropy,
        now: Instant,
    ) -> Self {
        let seed = (entropy.next_u32(), entropy.next_u32(), entropy.next_u16());
        let step = if agreed.codec == diesis_engine::media::Codec::Opus { 960 } else { 160 };
        let speaker = Speaker::new(frames, agreed.payload_type, step, agreed.telephone_event, seed);
        let expected = agreed.receive.iter().map(|&(number, codec)| (number.number(), codec));
        Self {
            call,
            level,
            since: now,
            remote: agreed.remote,
            media,
            speaker,
            listener: Listener::new(expected.collect(), hertz, amplitude),
            keys: Keys::Waiting,
        }
    }

    /// When the last key was released.
    pub(super) fn keys_up_since(&self) -> Option<Instant> {
        match self.keys {
            Keys::Up { since } => Some(since),
            Keys::Waiting | Keys::Pressed => None,
        }
    }

    /// Another 20 ms: a packet and where to, or what is wrong by now.
    pub(super) fn turn(
        &mut self,
        keys: Option<&[Digit]>,
        task: &Task,
        out: &mut [u8; MOST_PACKET],
        now: Instant,
    ) -> Result<Option<(usize, SocketAddr)>, Fault> {
        if let Some(keys) = keys {
            match self.keys {
                Keys::Waiting if now >= self.since + task.keys_after => {
                    self.speaker.press(keys);
                    self.keys = Keys::Pressed;
                }
                Keys::Up { since } if now >= since + task.patience => {
                    return Err(Fault::NoReaction);
                }
                _ => {}
            }
        }
        let length = match self.speaker.turn(out) {
            Turn::Quiet => return Ok(None),
            Turn::Packet(length) => length,
            Turn::LastKeyUp(length) => {
                self.keys = Keys::Up { since: now };
                length
            }
        };
        Ok(self.remote.map(|remote| (length, remote)))
    }

    /// The answer to an offer within the call.
    pub(super) fn answer_offer(&mut self, offer: &[u8], media: SocketAddr) -> Option<Body> {
        let offer = SessionDescription::parse(offer).ok()?;
        let (answer, agreed) =
            self.media.handle_offer(&offer, media, Direction::SendReceive).ok()?;
        self.remote = agreed.remote;
        Some(Body::sdp(answer))
    }
}
