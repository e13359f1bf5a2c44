//! What a stream sends in a codec that keeps state: sound goes through its encoder frame by frame.

use std::collections::VecDeque;

use super::{Echo, Moment, Stream, can_become, send::DIGIT_TONES};
use crate::media::{
    Event, FRAME, Gain, PlayEnd,
    codec::encoder::Encoder,
    dtmf::telephone_event::Output,
    mixer::Mixer,
    packet_io::PacketIo,
    sound::{Samples, Sound, Space},
    tap::Sent,
};

impl Stream {
    /// Sends what this frame brings. `heard` is what the peer said, if anybody listens.
    pub(super) fn handle_coded_frame(
        &mut self,
        output: Output,
        heard: &[i16; FRAME],
        mixer: &mut Mixer,
        moment: Moment,
        io: &mut impl PacketIo,
        events: &mut VecDeque<Event>,
    ) {
        let is_tone = matches!(output, Output::Tone { .. });
        if self.player.is_some() && !is_tone && self.send_play(moment, io, events) {
            return;
        }
        let Some(mut encoder) = self.encoder.take() else { return };
        if let Output::Tone { digit, frame } = output {
            let tone = DIGIT_TONES.get(usize::from(digit.event()));
            let samples =
                tone.map_or([0; FRAME], |tone| tone.filled_frame(frame % tone.frames().max(1)));
            self.send_sound(Sound::narrow(&samples), &mut encoder, moment, io, events);
        } else if self.hears_a_mix() {
            self.send_mix(mixer, &mut encoder, moment, io, events);
        } else if self.echoes_decoded() {
            self.send_sound(Sound::narrow(heard), &mut encoder, moment, io, events);
        } else {
            if !self.tell_silence(moment, io) && self.is_keepalive_due(moment.frame) {
                let payload = encoder.encode(Samples::Narrow(&[0; FRAME]));
                self.send_audio(payload, moment, io);
            }
            self.record_sent(Sent::Nothing, events);
        }
        self.encoder = Some(encoder);
    }

    /// Sends the next frame of the play, or reports its end. Whether there was one.
    fn send_play(
        &mut self,
        moment: Moment,
        io: &mut impl PacketIo,
        events: &mut VecDeque<Event>,
    ) -> bool {
        let (Some(mut player), Some(mut encoder)) = (self.player.take(), self.encoder.take())
        else {
            return false;
        };
        let is_there = player.next_frame().is_some_and(|frame| {
            frame.with_sound(|sound| self.send_sound(sound, &mut encoder, moment, io, events));
            true
        });
        (self.player, self.encoder) = (Some(player), Some(encoder));
        if !is_there {
            self.end_play(PlayEnd::Completed, events);
        }
        is_there
    }

    /// The next frame of the play; reports its end.
    pub(super) fn next_of_play(&mut self, events: &mut VecDeque<Event>) -> Option<[i16; FRAME]> {
        let player = self.player.as_mut()?;
        let samples = player.next_frame().map(|frame| frame.filled());
        if samples.is_none() {
            self.end_play(PlayEnd::Completed, events);
        }
        samples
    }

    pub(super) fn hears_a_mix(&self) -> bool {
        let seat = self.seat.as_ref();
        seat.is_some_and(|seat| seat.partner.is_none() && seat.mute.is_hearing())
    }

    /// Whether what the peer says goes back decoded and encoded again.
    pub(super) fn echoes_decoded(&self) -> bool {
        matches!(self.echo, Echo::On { .. })
            && !can_become(self.arriving, self.settings.codec)
            && self.playout.is_some()
            && self.is_echoing()
    }

    fn send_mix(
        &mut self,
        mixer: &mut Mixer,
        encoder: &mut Encoder,
        moment: Moment,
        io: &mut impl PacketIo,
        events: &mut VecDeque<Event>,
    ) {
        let Some(seat) = &self.seat else { return };
        let (speaker, gain, before) = (seat.speaker, seat.listening, seat.limiter);
        let mut limiter = before;
        let (codec, opus) = (self.settings.codec, self.settings.opus);
        let shared = match (speaker, gain) {
            (None, Gain::UNITY) => mixer.for_coded_listener(codec, opus),
            _ => None,
        };
        match shared {
            Some(payload) => self.send_audio(payload, moment, io),
            None => {
                mixer.encode_for(speaker, gain, &mut limiter, encoder);
                self.send_audio(encoder.payload(), moment, io);
            }
        }
        if let Some(seat) = &mut self.seat {
            seat.limiter = limiter;
        }
        if self.taps.is_some() {
            let (mut narrow, mut space) = ([0; FRAME], Space::new());
            let heard = mixer.heard_by(speaker, before, &mut narrow, &mut space);
            self.record_sent(Sent::Sound(heard), events);
        }
    }

    fn send_sound(
        &mut self,
        sound: Sound<'_>,
        encoder: &mut Encoder,
        moment: Moment,
        io: &mut impl PacketIo,
        events: &mut VecDeque<Event>,
    ) {
        self.send_audio(encoder.encode(sound.up_to(encoder.rate())), moment, io);
        self.record_sent(Sent::Sound(sound), events);
    }
}
