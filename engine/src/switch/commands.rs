//! An embedder's commands: verbs on calls, and placing calls.

use std::time::Duration;

use bstr::BStr;

use super::{
    Command, CommandId, Completion, EndedBy, JoinRoom, Switch, SwitchEvent, Verb,
    call::{Call, Control, Phase, Settle},
};
use crate::{
    bridge::VisitEnd,
    channel::{ChannelId, OtherDigits, PlayRequest},
    clock::Now,
    media::Signal,
};

impl Switch {
    /// Carries out a command, or begins to.
    pub(super) fn take_command(&mut self, command: Command, now: Now) {
        match command {
            Command::PlaceCall { id, call } => self.begin_placing(id, call, now),
            Command::Originate { id, originate } => self.originate_by_command(id, *originate, now),
            Command::Call { id, call, verb } => self.command_call(id, call, verb, now),
            Command::Room { id, room, order } => {
                let done = self.carry_out_in_room(room.as_ref(), order);
                let failed = |error: super::RoomError| Completion::Failed(error.to_string());
                self.complete(id, done.map_or_else(failed, |_| Completion::Done));
            }
            Command::SetMailbox { id, mailbox, counts } => {
                let set = self.change_mailbox(mailbox.as_ref(), counts, now);
                let failed = |error: super::MailboxError| Completion::Failed(error.to_string());
                self.complete(id, set.map_or_else(failed, |()| Completion::Done));
            }
        }
    }

    /// Tells that a command ended.
    pub(super) fn complete(&mut self, command: CommandId, completion: Completion) {
        self.tell(SwitchEvent::CommandCompleted { command, completion });
    }

    fn command_call(&mut self, id: CommandId, call: ChannelId, verb: Verb, now: Now) {
        if !self.calls.contains_key(&call) {
            return self.complete(id, Completion::Failed("there is no such call".into()));
        }
        self.with_call(call, now, |switch, call| {
            if call.is_down() {
                return switch.complete(id, Completion::HungUp);
            }
            if let Err(why) = switch.carry_out(id, call, verb, now) {
                switch.complete(id, Completion::Failed(why));
            }
        });
    }

    /// Begins a verb. One that is done at once is completed here; one that takes its time when its
    /// outcome is there.
    fn carry_out(
        &mut self,
        id: CommandId,
        call: &mut Call,
        verb: Verb,
        now: Now,
    ) -> Result<(), String> {
        let is_taken = matches!(call.control, Control::Dialplan(_) | Control::Leg(_));
        if is_taken && !matches!(verb, Verb::Hangup(_)) {
            return Err("the dialplan has this call; it can only be hung up".into());
        }
        match verb {
            Verb::Answer => {
                self.take_over(call, id);
                let settle = Settle { wait_media: false, delay: Duration::ZERO };
                return self.answer(call, settle, now).map_err(|error| {
                    call.take_running();
                    error.to_string()
                });
            }
            Verb::Ring => self.ring(call, now).map_err(|error| error.to_string())?,
            Verb::Progress => self.progress(call, now).map_err(|error| error.to_string())?,
            Verb::Reject(cause) => {
                if call.is_up() {
                    return Err("the call is answered".into());
                }
                self.end(call, cause, EndedBy::Us, now);
            }
            Verb::Hangup(cause) => self.end(call, cause, EndedBy::Us, now),
            Verb::Play { parts, stop } => {
                self.take_over(call, id);
                let request =
                    PlayRequest { stop, others: OtherDigits::Keep, ..PlayRequest::new(parts) };
                call.channel.play(request, None, now.instant, &mut self.outbox);
                return Ok(());
            }
            Verb::ReadDigits(read) => {
                self.take_over(call, id);
                call.channel.read(read, now.instant, &mut self.outbox);
                return Ok(());
            }
            Verb::Wait(time) => {
                self.take_over(call, id);
                call.channel.wait(time, OtherDigits::Keep, now.instant, &mut self.outbox);
                return Ok(());
            }
            Verb::SendDigits { digits } => {
                if digits.len() > MOST_DIGITS {
                    return Err(format!("more than {MOST_DIGITS} digits at once"));
                }
                self.take_over(call, id);
                let signals = digits.into_iter().map(Signal::Digit).collect();
                call.channel.send_digits(signals, DIGIT, DIGIT, &mut self.outbox);
                return Ok(());
            }
            Verb::Echo => {
                self.take_over(call, id);
                call.channel.echo(&mut self.outbox);
                return Ok(());
            }
            Verb::StopPlay => self.stop_task(call),
            Verb::Record { sink } => {
                if !call.channel.copy_to(sink, &mut self.outbox) {
                    return Err(NO_MEDIA.into());
                }
            }
            Verb::StopRecord => {
                if !call.channel.end_copy(&mut self.outbox) {
                    return Err(NO_MEDIA.into());
                }
            }
            Verb::ForkAudio(fork) => {
                let forked = self.fork_by_command(call, fork)?;
                self.complete(id, forked);
                return Ok(());
            }
            Verb::StopForks(which) => {
                if !call.channel.stop_forks(which, &mut self.outbox) && which.is_some() {
                    return Err("there is no such fork".into());
                }
            }
            Verb::JoinRoom(JoinRoom { room, bridge_profile, user_profile }) => {
                if call.visit.is_some() {
                    return Err("the call is in a room already".into());
                }
                self.take_over(call, id);
                let (bridge, user) = (bridge_profile.as_ref(), user_profile.as_ref());
                let visited = self.visit_room(
                    call,
                    room,
                    bridge.map(AsRef::<BStr>::as_ref),
                    user.map(AsRef::<BStr>::as_ref),
                    None,
                    now,
                );
                return visited.map_err(|error| {
                    call.take_running();
                    error.to_string()
                });
            }
            Verb::LeaveRoom => {
                if call.visit.is_none() {
                    return Err("the call is in no room".into());
                }
                self.stop_task(call);
                self.visited(call, crate::bridge::VisitProgress::Ended(VisitEnd::Left), now);
            }
            Verb::RunDialplan { context, extension } => {
                self.stop_task(call);
                self.start_dialplan(call, context.as_ref(), extension.as_ref(), now)
                    .map_err(|error| error.to_string())?;
            }
        }
        self.complete(id, Completion::Done);
        Ok(())
    }

    /// Makes `id` the command whose outcome the channel's next task is; the one before is replaced.
    fn take_over(&mut self, call: &mut Call, id: CommandId) {
        self.stop_task(call);
        if let Control::Embedder { running } = &mut call.control {
            *running = Some(id);
        }
    }

    fn stop_task(&mut self, call: &mut Call) {
        call.channel.stop(&mut self.outbox);
        if let Some(command) = call.take_running() {
            self.complete(command, Completion::Replaced);
        }
    }

    /// Lets the far end's progress be known to the embedder.
    pub(super) fn tell_phase(&mut self, call: &Call) {
        match call.phase {
            Phase::Ringing => self.tell(SwitchEvent::CallRinging { call: call.id }),
            Phase::Up => self.tell(SwitchEvent::CallAnswered { call: call.id }),
            Phase::Proceeding | Phase::EarlyMedia | Phase::Down(_) => {}
        }
    }
}

const NO_MEDIA: &str = "the call has no media yet";

/// Digits in one command.
const MOST_DIGITS: usize = 64;

/// How long a digit that we send sounds, and the gap after it.
const DIGIT: Duration = Duration::from_millis(100);
