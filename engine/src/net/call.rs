//! One call in an embedder's hands.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bstr::BString;
use tokio::sync::{mpsc, oneshot, watch};

use super::recording::{Recorder, Recording};
use super::signalling::Request;
use crate::{
    channel::{Cause, ChannelId, DigitSet, PlayPart, ReadDigits},
    media::Digit,
    program::ProgramId,
    switch::{CallStatistics, Completion, EndedBy, ForkAudio, JoinRoom, Parties, Verb},
};

/// A call: answer it, play to it, read its keys, hang it up.
///
/// Dropping the handle hangs the call up, so that a handler that returns early leaves nobody in
/// silence. Every verb ends with [`CallError::HungUp`] once the far end has gone.
#[derive(Debug)]
pub struct Call {
    id: ChannelId,
    parties: Option<Parties>,
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<CallState>,
    recorder: Arc<Recorder>,
}

/// How far a call has come.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum CallState {
    /// Not answered yet.
    Setup,
    /// An outgoing call rings at the far end.
    Ringing,
    /// Both ends hear each other.
    Answered,
    /// It is over.
    Ended(Ended),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Why.
    pub cause: Cause,
    /// By whom.
    pub ended_by: EndedBy,
    /// Its length and what its media did.
    pub statistics: CallStatistics,
}

/// Why a verb of a call did not do what was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The call is over.
    #[error("the call has ended")]
    HungUp,
    /// Another verb of the same call took its place.
    #[error("another verb took its place")]
    Replaced,
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
    /// The engine is no longer running.
    #[error("the engine has stopped")]
    EngineStopped,
}

impl Call {
    pub(crate) fn new(
        id: ChannelId,
        parties: Option<Parties>,
        requests: mpsc::Sender<Request>,
        state: watch::Receiver<CallState>,
        recorder: Arc<Recorder>,
    ) -> Self {
        Self { id, parties, requests, state, recorder }
    }

    /// Which call this is in the engine's events.
    pub fn id(&self) -> ChannelId {
        self.id
    }

    /// Who calls and what was dialled, of an incoming call.
    pub fn parties(&self) -> Option<&Parties> {
        self.parties.as_ref()
    }

    /// How far it has come.
    pub fn state(&self) -> CallState {
        self.state.borrow().clone()
    }

    /// Waits until an outgoing call is answered.
    pub async fn answered(&self) -> Result<(), CallError> {
        let mut state = self.state.clone();
        let reached =
            state.wait_for(|state| matches!(state, CallState::Answered | CallState::Ended(_)));
        match *reached.await.map_err(|_| CallError::EngineStopped)? {
            CallState::Ended(_) => Err(CallError::HungUp),
            _ => Ok(()),
        }
    }

    /// Waits until the call is over, whoever ends it.
    pub async fn ended(&self) -> Result<Ended, CallError> {
        let mut state = self.state.clone();
        let reached = state.wait_for(|state| matches!(state, CallState::Ended(_)));
        match &*reached.await.map_err(|_| CallError::EngineStopped)? {
            CallState::Ended(ended) => Ok(ended.clone()),
            _ => Err(CallError::EngineStopped),
        }
    }

    /// Picks up.
    pub async fn answer(&self) -> Result<(), CallError> {
        self.done(Verb::Answer).await
    }

    /// Lets the caller hear that it rings.
    pub async fn ring(&self) -> Result<(), CallError> {
        self.done(Verb::Ring).await
    }

    /// Plays one prompt to its end, by name, in the call's language.
    pub async fn play(&self, prompt: &str) -> Result<(), CallError> {
        let parts = vec![PlayPart::Named(prompt.into())];
        self.done(Verb::Play { parts, stop: DigitSet::NONE }).await
    }

    /// Plays prompts one after the other until a digit of `stop` is pressed; `None`: none was.
    pub async fn play_until_digit(
        &self,
        parts: Vec<PlayPart>,
        stop: DigitSet,
    ) -> Result<Option<char>, CallError> {
        match self.complete(Verb::Play { parts, stop }).await? {
            Completion::Digit(digit) => Ok(Some(digit.as_char())),
            _ => Ok(None),
        }
    }

    /// The next key, typed ahead or pressed within `timeout`; `None`: no key came.
    pub async fn read_digit(&self, timeout: Duration) -> Result<Option<char>, CallError> {
        let one = ReadDigits { max: 1, terminator: None, first: timeout, between: timeout };
        Ok(self.read_digits(one).await?.chars().next())
    }

    /// Several keys, without the terminator; empty when none came.
    pub async fn read_digits(&self, how: ReadDigits) -> Result<String, CallError> {
        match self.complete(Verb::ReadDigits(how)).await? {
            Completion::Digits { digits, .. } => {
                Ok(digits.into_iter().map(Digit::as_char).collect())
            }
            _ => Ok(String::new()),
        }
    }

    /// Presses keys towards the far end, as telephone events (RFC 4733).
    pub async fn send_digits(&self, digits: &str) -> Result<(), CallError> {
        let digits = digits
            .chars()
            .map(|key| Digit::from_char(key).ok_or_else(|| CallError::Failed(not_a_key(key))))
            .collect::<Result<_, _>>()?;
        self.done(Verb::SendDigits { digits }).await
    }

    /// Waits; keys pressed meanwhile stay to be read.
    pub async fn wait(&self, duration: Duration) -> Result<(), CallError> {
        self.done(Verb::Wait(duration)).await
    }

    /// Writes what the far end says to an 8 kHz WAV file from now to [`Call::stop_recording`] or
    /// the call's end. The file is whole on disk up to the last second at any time.
    pub async fn record(&self, path: impl Into<PathBuf>) -> Result<Recording, CallError> {
        let (sink, recording) = self
            .recorder
            .open(path.into())
            .map_err(|error| CallError::Failed(error.to_string()))?;
        self.done(Verb::Record { sink }).await?;
        Ok(recording)
    }

    /// Ends the recording.
    pub async fn stop_recording(&self) -> Result<(), CallError> {
        self.done(Verb::StopRecord).await
    }

    /// Lets a program on a WebSocket hear beside everything else, and perhaps speak, until
    /// [`Call::stop_fork`] or the call's end. Returns at once: whether the program is reached, and
    /// when it is gone, comes as [`SwitchEvent::ProgramEnded`](crate::switch::SwitchEvent).
    pub async fn fork_audio(&self, fork: ForkAudio) -> Result<ProgramId, CallError> {
        match self.complete(Verb::ForkAudio(fork)).await? {
            Completion::Forked(id) => Ok(id),
            other => Err(CallError::Failed(format!("{other:?}"))),
        }
    }

    /// Ends a fork.
    pub async fn stop_fork(&self, fork: ProgramId) -> Result<(), CallError> {
        self.done(Verb::StopForks(Some(fork))).await
    }

    /// Enters a conference room, opened by the first to come.
    pub async fn join_room(&self, room: &str) -> Result<(), CallError> {
        let join = JoinRoom { room: room.into(), bridge_profile: None, user_profile: None };
        self.done(Verb::JoinRoom(join)).await
    }

    /// Leaves the conference room.
    pub async fn leave_room(&self) -> Result<(), CallError> {
        self.done(Verb::LeaveRoom).await
    }

    /// Hands the call to the dialplan; returns at once.
    pub async fn run_dialplan(&self, context: &str, extension: &str) -> Result<(), CallError> {
        let context = BString::from(context);
        self.done(Verb::RunDialplan { context, extension: extension.into() }).await
    }

    /// Refuses a call that was not answered, with the SIP status of the cause.
    pub async fn reject(&self, cause: Cause) -> Result<(), CallError> {
        self.done(Verb::Reject(cause)).await
    }

    /// Hangs up. A call that is over already is no error.
    pub async fn hangup(&self) -> Result<(), CallError> {
        match self.done(Verb::Hangup(Cause::NORMAL_CLEARING)).await {
            Ok(()) | Err(CallError::HungUp) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Any verb, with how it ended: what the methods above are made of.
    pub async fn complete(&self, verb: Verb) -> Result<Completion, CallError> {
        let (done, completion) = oneshot::channel();
        let request = Request::Call { call: self.id, verb, done: Some(done) };
        self.requests.send(request).await.map_err(|_| CallError::EngineStopped)?;
        match completion.await.map_err(|_| CallError::EngineStopped)? {
            Completion::HungUp => Err(CallError::HungUp),
            Completion::Replaced => Err(CallError::Replaced),
            // The switch has forgotten a call that ended; the handle has not.
            Completion::Failed(_) if self.has_ended() => Err(CallError::HungUp),
            Completion::Failed(reason) => Err(CallError::Failed(reason)),
            completion => Ok(completion),
        }
    }

    fn has_ended(&self) -> bool {
        matches!(*self.state.borrow(), CallState::Ended(_))
    }

    async fn done(&self, verb: Verb) -> Result<(), CallError> {
        self.complete(verb).await.map(drop)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        let verb = Verb::Hangup(Cause::NORMAL_CLEARING);
        let request = Request::Call { call: self.id, verb, done: None };
        // A full queue means an engine that is stopping or hopelessly late; it ends calls itself.
        let _ = self.requests.try_send(request);
    }
}

fn not_a_key(key: char) -> String {
    format!("{key:?} is not a key of a telephone: 0-9, A-D, * and # are")
}
