//! Programs outside that hear calls and speak to them.

mod dial;

use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::operation::{AudioFork, AudioSocket, ForkSide, Outcome, PlaceOrigin};
use diesis_sounds::pcm::TELEPHONE_RATE;

use super::{Completion, ForkAudio, Switch, SwitchEvent, call::Call, plan::resume};
use crate::{
    clock::Now,
    config::{MessageFormat, WebSocketClient},
    media::{AudioFormat, TapSource},
    printable::Printable,
    program::{
        Origin, ProgramEnd, ProgramNews, ProgramRequest, Protocol, SpeechUse, WantedProgram,
        WebSocket,
    },
};
pub(super) use dial::ProgramCall;

impl Switch {
    /// A program to be connected with, to be told something, or to be left.
    pub fn poll_program(&mut self) -> Option<ProgramRequest> {
        self.outbox.poll_program()
    }

    /// Something is told of a program.
    pub fn handle_program(&mut self, news: ProgramNews, now: Now) {
        self.worked_at = now;
        if let Some(call) = self.outbox.speaker(&news) {
            self.with_call(call, now, |switch, call| switch.take_program_news(call, news, now));
        }
        self.work(now);
    }

    fn take_program_news(&mut self, call: &mut Call, news: ProgramNews, now: Now) {
        let id = news.id();
        let call_id = &call.parties.call_id;
        match &news {
            ProgramNews::Connected { .. } => tracing::debug!(%call_id, %id, "a program listens"),
            ProgramNews::Answer { .. } => tracing::debug!(%call_id, %id, "a program answers"),
            ProgramNews::Digit { digit, .. } => {
                tracing::debug!(%call_id, %id, %digit, "a program presses a key");
            }
            ProgramNews::Ended { end: ProgramEnd::Failed(why), .. } => {
                tracing::error!(%call_id, channel = %call.name, "a program: {why}");
            }
            ProgramNews::Ended { end, .. } => tracing::debug!(%call_id, %id, ?end, "a program"),
        }
        if let ProgramNews::Ended { end, .. } = &news {
            self.tell(SwitchEvent::ProgramEnded { call: call.id, program: id, end: end.clone() });
        }
        if self.take_dialled_program_news(call, &news, now) {
            return;
        }
        call.channel.handle_program(news, &mut self.outbox);
    }

    /// Begins an AudioSocket.
    pub(super) fn audio_socket(&mut self, call: &mut Call, socket: AudioSocket, now: Now) {
        self.open_early_media(call, now);
        let wanted = self.audio_socket_of(socket, TELEPHONE_RATE);
        call.channel.talk(wanted, &mut self.outbox);
    }

    fn audio_socket_of(&self, socket: AudioSocket, rate: u32) -> WantedProgram {
        let AudioSocket { uuid, place } = socket;
        let origin = self.program_origin(place.origin);
        let (host, port) = (place.host, place.port);
        let protocol = Protocol::AudioSocket { host, port, uuid, rate };
        WantedProgram { protocol, origin, hears: TapSource::Received, speech: SpeechUse::Heard }
    }

    /// Begins an AudioFork of the dialplan.
    pub(super) fn audio_fork(&mut self, call: &mut Call, fork: AudioFork) {
        let begun = self.fork_of(call, fork).and_then(|wanted| {
            let id = call.channel.fork(wanted, &mut self.outbox);
            id.ok_or_else(|| TOO_MANY.into())
        });
        let outcome = match begun {
            Ok(id) => Outcome::Forked { id: id.to_string().into() },
            Err(why) => {
                let (call_id, channel) = (&call.parties.call_id, &call.name);
                tracing::error!(%call_id, %channel, "AudioFork: {why}");
                Outcome::Failed
            }
        };
        resume(call, outcome);
    }

    fn fork_of(&self, call: &Call, fork: AudioFork) -> Result<WantedProgram, String> {
        let AudioFork { to, origin, hears, is_two_way, codec, messages, parameters } = fork;
        let format = match codec {
            Some(name) => format_named(name.as_ref())?,
            None => AudioFormat::Linear(TELEPHONE_RATE),
        };
        let hears = match hears {
            ForkSide::In => TapSource::Received,
            ForkSide::Out => TapSource::Sent,
            ForkSide::Both => TapSource::Both,
            ForkSide::Apart => TapSource::Apart,
        };
        let speech = if is_two_way { SpeechUse::Heard } else { SpeechUse::Ignored };
        let messages = self.messages_named(messages.as_ref())?;
        let (client, origin) = match self.config.programs.clients.get(&to) {
            // It is the operator's, whoever names it.
            Some(client) => (Arc::clone(client), Origin::Operator),
            None if to.contains_str("://") => {
                (Arc::new(WebSocketClient::new(to.clone())), self.program_origin(origin))
            }
            None => return Err(no_client(to.as_ref())),
        };
        let protocol = web_socket(call, &to, client, parameters, format, messages);
        Ok(WantedProgram { protocol, origin, hears, speech })
    }

    /// Begins a fork of an embedder's.
    pub(super) fn fork_by_command(
        &mut self,
        call: &mut Call,
        fork: ForkAudio,
    ) -> Result<Completion, String> {
        let ForkAudio { uri, hears, speech, format, messages } = fork;
        let uri = BString::from(uri);
        let client = Arc::new(WebSocketClient::new(uri.clone()));
        let protocol = web_socket(call, &uri, client, BString::default(), format, messages);
        let wanted = WantedProgram { protocol, origin: Origin::Operator, hears, speech };
        let id = call.channel.fork(wanted, &mut self.outbox).ok_or(TOO_MANY)?;
        Ok(Completion::Forked(id))
    }

    fn program_origin(&self, origin: PlaceOrigin) -> Origin {
        match origin {
            PlaceOrigin::Written => Origin::Operator,
            PlaceOrigin::Computed => Origin::Variable(Arc::clone(&self.config.programs.permitted)),
        }
    }

    fn messages_named(&self, name: Option<&BString>) -> Result<MessageFormat, String> {
        match name {
            None => Ok(self.config.programs.messages),
            Some(name) => MessageFormat::parse(name)
                .ok_or_else(|| format!("{} is not plain-text or json", Printable(name))),
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

fn web_socket(
    call: &Call,
    connection: &BString,
    client: Arc<WebSocketClient>,
    parameters: BString,
    format: AudioFormat,
    messages: MessageFormat,
) -> Protocol {
    let connection = connection.to_string();
    let variables = vec![
        ("MEDIA_WEBSOCKET_CONNECTION_ID".into(), connection.clone()),
        ("MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE".into(), format.frame().to_string()),
    ];
    let own = call.pbx().map(|pbx| pbx.channel().unique_id.to_string());
    Protocol::WebSocket(Box::new(WebSocket {
        client,
        parameters,
        format,
        messages,
        connection,
        channel: call.name.to_string(),
        channel_id: own.unwrap_or_else(|| call.id.to_string()),
        variables,
    }))
}

fn format_named(name: &BStr) -> Result<AudioFormat, String> {
    AudioFormat::parse(name).ok_or_else(|| {
        let name = Printable(name);
        format!(
            "programs are not spoken with in {name}: ulaw, alaw, slin, slin16 and its kin are here"
        )
    })
}

fn no_client(name: &BStr) -> String {
    let name = Printable(name);
    format!("there is no connection [{name}] in websocket_client.conf, and it is no URI")
}

const TOO_MANY: &str = "the channel has as many forks as it may";
