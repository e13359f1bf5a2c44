//! Programs outside that hear calls and speak to them.

use std::sync::Arc;

use diesis_dialplan::operation::{AudioSocket, PlaceOrigin};
use diesis_sounds::pcm::TELEPHONE_RATE;

use super::{Switch, call::Call};
use crate::{
    clock::Now,
    media::TapSource,
    program::{
        Origin, ProgramEnd, ProgramNews, ProgramRequest, Protocol, SpeechUse, WantedProgram,
    },
};

impl Switch {
    /// A program to be connected with, to be told something, or to be left.
    pub fn poll_program(&mut self) -> Option<ProgramRequest> {
        self.outbox.poll_program()
    }

    /// Something is told of a program.
    pub fn handle_program(&mut self, news: ProgramNews, now: Now) {
        self.worked_at = now;
        if let Some(call) = self.outbox.speaker(&news) {
            self.with_call(call, now, |switch, call| switch.take_program_news(call, news));
        }
        self.work(now);
    }

    fn take_program_news(&mut self, call: &mut Call, news: ProgramNews) {
        let id = news.id();
        let call_id = &call.parties.call_id;
        match &news {
            ProgramNews::Connected { .. } => tracing::debug!(%call_id, %id, "a program listens"),
            ProgramNews::Digit { digit, .. } => {
                tracing::debug!(%call_id, %id, %digit, "a program presses a key");
            }
            ProgramNews::Ended { end: ProgramEnd::Failed(why), .. } => {
                tracing::error!(%call_id, channel = %call.name, "a program: {why}");
            }
            ProgramNews::Ended { end, .. } => tracing::debug!(%call_id, %id, ?end, "a program"),
        }
        call.channel.handle_program(news, &mut self.outbox);
    }

    /// Begins an AudioSocket.
    pub(super) fn audio_socket(&mut self, call: &mut Call, socket: AudioSocket, now: Now) {
        self.open_early_media(call, now);
        let AudioSocket { uuid, place } = socket;
        let origin = self.program_origin(place.origin);
        let protocol = Protocol::AudioSocket {
            host: place.host,
            port: place.port,
            uuid,
            rate: TELEPHONE_RATE,
        };
        let (hears, speech) = (TapSource::Received, SpeechUse::Heard);
        let wanted = WantedProgram { protocol, origin, hears, speech };
        call.channel.talk(wanted, &mut self.outbox);
    }

    fn program_origin(&self, origin: PlaceOrigin) -> Origin {
        match origin {
            PlaceOrigin::Written => Origin::Operator,
            PlaceOrigin::Computed => Origin::Variable(Arc::clone(&self.config.programs.permitted)),
        }
    }

    /// Lets an unanswered caller be heard, if it can be.
    pub(super) fn open_early_media(&mut self, call: &mut Call, now: Now) {
        if call.channel.stream().is_none()
            && let Err(error) = self.progress(call, now)
        {
            tracing::debug!(call_id = %call.parties.call_id, ?error, "no early media");
        }
    }
}
