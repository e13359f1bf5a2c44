//! What a stream sends while programs speak to its peer: everything else, and their voices.

use std::collections::VecDeque;

use super::{Echo, Moment, Stream};
use crate::media::{
    Event, FRAME, VoiceId,
    mixer::Mixer,
    packet_io::PacketIo,
    sound::{Samples, Sound},
    tap::Sent,
};

impl Stream {
    pub(crate) fn add_voice(&mut self, id: VoiceId, samples: rtrb::Consumer<i16>) {
        self.voices.get_or_insert_default().add(id, samples);
        self.update_playout();
    }

    pub(crate) fn end_voice(&mut self, id: VoiceId) {
        if let Some(voices) = &mut self.voices {
            voices.remove(id);
        }
        self.drop_voices();
    }

    /// Forgets the voices when none is left.
    fn drop_voices(&mut self) {
        if self.voices.take_if(|voices| voices.is_empty()).is_some() {
            self.update_playout();
        }
    }

    /// Sends what this frame brings, and the voices. Something is sent in every frame: a program
    /// that says nothing is a silence, not a gap.
    pub(super) fn handle_voiced_frame(
        &mut self,
        heard: &[i16; FRAME],
        mixer: &mut Mixer,
        moment: Moment,
        io: &mut impl PacketIo,
        events: &mut VecDeque<Event>,
    ) {
        let mut samples = match self.next_of_play(events) {
            Some(samples) => samples,
            None if self.hears_a_mix() => self.heard_in_room(mixer),
            None if matches!(self.echo, Echo::On { .. }) && self.seat.is_none() => *heard,
            None => [0; FRAME],
        };
        if let Some(voices) = &mut self.voices {
            voices.add_to(&mut samples);
        }
        self.drop_voices();
        match (self.settings.codec.law(), self.encoder.take()) {
            (Some(law), _) => {
                let mut payload = [0; FRAME];
                law.encode_into(&samples, &mut payload);
                self.send_audio(&payload, moment, io);
            }
            (None, Some(mut encoder)) => {
                self.send_audio(encoder.encode(Samples::Narrow(&samples)), moment, io);
                self.encoder = Some(encoder);
            }
            (None, None) => {}
        }
        self.record_sent(Sent::Sound(Sound::narrow(&samples)), events);
    }
}
