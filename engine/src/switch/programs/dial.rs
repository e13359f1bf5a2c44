//! A Dial of a program: the caller is connected with it as with anybody who answers, without a
//! channel of its own.

use std::time::{Duration, Instant};

use bstr::BString;
use diesis_dialplan::operation::{
    DialEnd, DialProgram, DialResult, DialStatus, DialledProgram, Outcome,
};
use diesis_sounds::pcm::TELEPHONE_RATE;

use super::{format_named, no_client, web_socket};
use crate::{
    channel::Cause,
    clock::Now,
    media::{AudioFormat, Law, TapSource},
    program::{Origin, ProgramEnd, ProgramId, ProgramNews, SpeechUse, WantedProgram},
    switch::{
        EndedBy, Switch,
        call::{Call, Settle},
        plan::resume,
    },
};

/// A program that a call has dialled.
#[derive(Debug)]
pub(in super::super) struct ProgramCall {
    id: ProgramId,
    resource: BString,
    answering: Answering,
    began: Instant,
    answered: Option<Instant>,
    /// When it is given up, unless it has answered.
    until: Option<Instant>,
}

/// When a program has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answering {
    /// As soon as it is there.
    AtOnce,
    /// When it says so.
    WhenAsked,
}

impl ProgramCall {
    /// When it is given up.
    pub(in super::super) fn deadline(&self) -> Option<Instant> {
        self.until.filter(|_| self.answered.is_none())
    }
}

impl Switch {
    /// Begins a Dial of a program.
    pub(in super::super) fn dial_program(&mut self, call: &mut Call, dial: DialProgram, now: Now) {
        let DialProgram { resource, timeout, rings, .. } = &dial;
        let (resource, timeout, rings) = (resource.clone(), *timeout, *rings);
        let answering = match dial.program {
            DialledProgram::WebSocket { answers_itself: true, .. } => Answering::WhenAsked,
            _ => Answering::AtOnce,
        };
        let begun = self.dialled_program(call, dial).and_then(|wanted| {
            let id = call.channel.fork(wanted, &mut self.outbox);
            id.ok_or_else(|| super::TOO_MANY.into())
        });
        let id = match begun {
            Ok(id) => id,
            Err(why) => {
                let (call_id, channel) = (&call.parties.call_id, &call.name);
                tracing::error!(%call_id, %channel, "Dial: {why}");
                let result = DialResult::unanswered(DialStatus::ChanUnavail, 0);
                return resume(call, Outcome::Dialed(Box::new(result)));
            }
        };
        let until = timeout.and_then(|timeout: Duration| now.instant.checked_add(timeout));
        let (began, answered) = (now.instant, None);
        let program = ProgramCall { id, resource, answering, began, answered, until };
        call.program = Some(Box::new(program));
        if rings && !call.is_up() {
            // A caller with early media is told nothing new.
            let _ = self.ring(call, now);
        }
    }

    fn dialled_program(&self, call: &Call, dial: DialProgram) -> Result<WantedProgram, String> {
        let DialProgram { program, codec, .. } = dial;
        let codec = codec.map(|name| format_named(name.as_ref())).transpose()?;
        match program {
            DialledProgram::AudioSocket(socket) => match codec {
                None => Ok(self.audio_socket_of(socket, TELEPHONE_RATE)),
                Some(AudioFormat::Linear(rate)) => Ok(self.audio_socket_of(socket, rate)),
                Some(AudioFormat::Law(_)) => Err("AudioSocket has slin and its kin alone".into()),
            },
            DialledProgram::WebSocket { connection, messages, parameters, .. } => {
                let client = self.config.programs.clients.get(&connection);
                let client = client.ok_or_else(|| no_client(connection.as_ref()))?;
                let messages = self.messages_named(messages.as_ref())?;
                // As in Asterisk the caller's, where that is one of these.
                let law = call.session.codecs().first().and_then(|codec| codec.law());
                let format = codec.unwrap_or_else(|| AudioFormat::Law(law.unwrap_or(Law::Mu)));
                let client = client.clone();
                let protocol = web_socket(call, &connection, client, parameters, format, messages);
                let (hears, speech) = (TapSource::Received, SpeechUse::Heard);
                Ok(WantedProgram { protocol, origin: Origin::Operator, hears, speech })
            }
        }
    }

    /// Whether news were of a dialled program and are dealt with.
    pub(super) fn take_dialled_program_news(
        &mut self,
        call: &mut Call,
        news: &ProgramNews,
        now: Now,
    ) -> bool {
        let Some(program) = call.program.as_ref().filter(|program| program.id == news.id()) else {
            return false;
        };
        let answering = program.answering;
        match news {
            ProgramNews::Connected { .. } if answering == Answering::AtOnce => {
                self.answer_for_program(call, now);
                false
            }
            ProgramNews::Answer { .. } => {
                self.answer_for_program(call, now);
                true
            }
            ProgramNews::Ended { end, .. } => {
                let failed = matches!(end, ProgramEnd::Failed(_));
                call.channel.stop_forks(Some(news.id()), &mut self.outbox);
                self.finish_program(call, failed, DialEnd::Callee, now);
                true
            }
            ProgramNews::Connected { .. } | ProgramNews::Digit { .. } => false,
        }
    }

    /// The program takes the call.
    fn answer_for_program(&mut self, call: &mut Call, now: Now) {
        let Some(program) = &mut call.program else { return };
        if program.answered.is_some() {
            return;
        }
        program.answered = Some(now.instant);
        if call.is_up() {
            return;
        }
        let settle = Settle { wait_media: false, delay: Duration::ZERO };
        if let Err(error) = self.answer(call, settle, now) {
            tracing::warn!(call_id = %call.parties.call_id, %error, "a program has answered");
            self.end(call, Cause::CONGESTION, EndedBy::Failure, now);
        }
    }

    /// Gives a program up that does not answer in time.
    pub(in super::super) fn give_program_up_if_late(&mut self, call: &mut Call, now: Now) {
        let due = call.program.as_ref().and_then(|program| program.deadline());
        if due.is_some_and(|due| due <= now.instant) {
            let id = call.program.as_ref().map(|program| program.id);
            call.channel.stop_forks(id, &mut self.outbox);
            self.finish_program(call, false, DialEnd::Unanswered, now);
        }
    }

    /// The call is over while it is connected with a program, or waits for one.
    pub(in super::super) fn abandon_program(&mut self, call: &mut Call, now: Now) {
        self.finish_program(call, false, DialEnd::Caller, now);
    }

    fn finish_program(&mut self, call: &mut Call, failed: bool, by: DialEnd, now: Now) {
        let Some(program) = call.program.take() else { return };
        call.channel.stop(&mut self.outbox);
        let since = |at: Instant| now.instant.saturating_duration_since(at);
        let dialed = Some(since(program.began));
        let result = match program.answered {
            Some(answered) => DialResult {
                ended_by: by,
                dialed,
                answered: Some(since(answered)),
                peer_number: Some(program.resource),
                ..DialResult::unanswered(DialStatus::Answer, 0)
            },
            None => {
                let status = match by {
                    DialEnd::Caller => DialStatus::Cancel,
                    DialEnd::Callee if failed => DialStatus::ChanUnavail,
                    DialEnd::Callee => DialStatus::Busy,
                    DialEnd::Unanswered | DialEnd::Continue => DialStatus::NoAnswer,
                };
                let ended_by = if by == DialEnd::Caller { by } else { DialEnd::Unanswered };
                DialResult { ended_by, dialed, ..DialResult::unanswered(status, 0) }
            }
        };
        resume(call, Outcome::Dialed(Box::new(result)));
    }
}
