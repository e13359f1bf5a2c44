//! How calls get their turn: what is ready is worked off, one call at a time, each on its own.
//!
//! A call is taken out of the table while something happens to it, so that a bug in its handling
//! ends that call and nothing else. A dialplan that runs without pause yields after some steps and
//! goes on at the next timeout, behind everybody else.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use tracing::field::display;

use super::{
    Completion, Direction, EndedBy, Switch, SwitchEvent,
    call::{Call, Control, Ending, FinalMedia, Phase},
    local::LocalNews,
    plan::resume,
    videoshare::Parting,
};
use crate::{
    bridge::{Surroundings, VisitEnd, VisitProgress},
    channel::{Cause, ChannelId, Notice, TaskOutcome},
    clock::Now,
    pbx::{self, Advance},
    presence::Device,
    printable::Printable,
};

/// What became of a call's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It did something and may do more.
    Progressed,
    /// It waits for something to happen.
    Waits,
    /// It could go on without end.
    Yields,
}

impl Switch {
    /// Does what can be done now. Called at the end of each way in.
    pub(super) fn work(&mut self, now: Now) {
        loop {
            if let Some(event) = self.endpoint.poll_event() {
                self.handle_sip_event(event, now);
            } else if let Some((caller, news)) = self.dial_news.pop_front() {
                self.take_dial_news(caller, news, now);
            } else if let Some((call, news)) = self.bridge_news.pop_front() {
                self.take_bridge_news(call, news, now);
            } else if let Some((call, news)) = self.local_news.pop_front() {
                self.take_local_news(call, news, now);
            } else if let Some(effect) = self.room_effects.pop_front() {
                self.apply_room_effect(effect, now);
            } else if let Some(id) = self.ready.pop_front() {
                self.with_call(id, now, |_, call| call.queued = false);
            } else if let Some((call, notice)) = self.outbox.poll_notice() {
                self.take_notice(call, notice, now);
            } else if let Some((lookup, result)) = self.resolver.poll_finished() {
                self.take_located(lookup, result, now);
            } else if let Some((meeting, action)) = self.meetings.poll_action() {
                self.act_for_meeting(meeting, action, now);
            } else if let Some(device) = self.devices.poll_touched() {
                self.tell_device(&device, now);
            } else if let Some(call) = self.supervised.poll_touched() {
                self.tell_supervised(call);
            } else {
                break;
            }
        }
    }

    fn take_notice(&mut self, call: ChannelId, notice: Notice, now: Now) {
        match notice {
            Notice::PlayStarted { names } => self.tell(SwitchEvent::PlayStarted { call, names }),
            Notice::PromptMissing { name } => {
                let call = self.calls.get(&call);
                let channel = call.map(|call| display(Printable(&call.name)));
                let call_id = call.map(|call| display(Printable(&call.parties.call_id)));
                tracing::warn!(
                    call_id,
                    channel,
                    "prompt \"{}\" can not be played: it is passed over",
                    Printable(&name)
                );
            }
            Notice::DigitsByInfo { signals, tone, gap } => {
                self.with_call(call, now, |switch, call| {
                    switch.send_by_info(call, signals, tone, gap, now);
                });
            }
        }
    }

    /// Gives every call whose time has come its turn.
    pub(super) fn wake(&mut self, now: Now) {
        while let Some(&(due, id)) = self.deadlines.first() {
            if due > now.instant {
                break;
            }
            self.deadlines.pop_first();
            self.with_call(id, now, |switch, call| {
                call.armed = None;
                call.channel.handle_timeout(now.instant, &mut switch.outbox);
                switch.give_up_if_late(call, now);
                switch.end_dial_if_late(call, now);
                switch.end_page_ringing_if_late(call, now);
                switch.give_program_up_if_late(call, now);
                switch.release_keys(call, now);
                switch.go_on_by_info(call, now);
                switch.end_referring_if_late(call, now);
                switch.end_dialplan_if_late(call, now);
                switch.end_visit_if_late(call, now);
            });
        }
        for id in std::mem::take(&mut self.yielded) {
            self.with_call(id, now, |_, call| call.queued = false);
        }
    }

    /// Lets something happen to a call, and then lets the call act on it. Without effect when the
    /// call is gone. A leg of a Dial that is changed for its caller's sake acts once the caller is back
    /// in its place: a subroutine of the leg may ask for the caller's variables.
    pub(super) fn with_call(
        &mut self,
        id: ChannelId,
        now: Now,
        act: impl FnOnce(&mut Self, &mut Call),
    ) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        self.in_hand += 1;
        let mut acts_later = false;
        let turn = catch_unwind(AssertUnwindSafe(|| {
            act(self, &mut call);
            acts_later = self.in_hand > 1 && matches!(call.control, Control::Leg(_));
            if !acts_later {
                self.take_turn(&mut call, now);
            }
        }));
        self.in_hand -= 1;
        if turn.is_err() {
            tracing::error!(
                call_id = %call.parties.call_id, channel = %call.name,
                "a bug ended this call; please report it with the panic message above"
            );
            call.control = Control::Nobody;
            call.end_visit();
            self.end(&mut call, Cause::INTERWORKING, EndedBy::Failure, now);
        }
        self.put_back(call, now);
        if acts_later {
            self.make_ready(id);
        }
    }

    /// Keeps a call that goes on and forgets one that is finished.
    pub(super) fn put_back(&mut self, mut call: Box<Call>, now: Now) {
        self.count_call(&mut call);
        if call.is_finished(now.instant) {
            return self.bury(call, now);
        }
        let deadline = call.deadline();
        if deadline != call.armed {
            if let Some(armed) = call.armed {
                self.deadlines.remove(&(armed, call.id));
            }
            if let Some(deadline) = deadline {
                self.deadlines.insert((deadline, call.id));
            }
            call.armed = deadline;
        }
        self.calls.insert(call.id, call);
    }

    fn take_turn(&mut self, call: &mut Call, now: Now) {
        for _ in 0..TURNS {
            let turn = match call.channel.poll_outcome() {
                Some(outcome) => {
                    self.deliver(call, outcome, now);
                    Turn::Progressed
                }
                None => self.advance(call, now),
            };
            match turn {
                Turn::Progressed => {}
                Turn::Waits => return self.proceed(call, now),
                Turn::Yields => {
                    self.proceed(call, now);
                    break;
                }
            }
        }
        if !call.queued {
            call.queued = true;
            self.yielded.push_back(call.id);
        }
    }

    /// Hands the outcome of the channel's task to whoever waits for it.
    fn deliver(&mut self, call: &mut Call, outcome: TaskOutcome, now: Now) {
        if self.take_asking_outcome(call, &outcome, now)
            || self.take_parked_outcome(call, now)
            || self.take_holding_outcome(call, &outcome)
        {
            return;
        }
        if call.dialling.is_some() || call.paging.is_some() || call.program.is_some() {
            // The caller settles, or hears something, while others are called; nobody waits for it.
            return;
        }
        if let Some(mut visit) = call.visit.take_if(|visit| visit.takes_outcomes()) {
            let progress = visit.handle_outcome(
                outcome,
                &mut Surroundings {
                    channel: &mut call.channel,
                    rooms: &mut self.rooms,
                    out: &mut self.outbox,
                    now: now.instant,
                },
            );
            call.visit = Some(visit);
            return self.visited(call, progress, now);
        }
        if call.menu.as_ref().is_some_and(|menu| menu.is_saying()) {
            return self.go_on_in_menu(call, now);
        }
        match &mut call.control {
            Control::Dialplan(pbx) => pbx.handle_outcome(pbx::perform::outcome(outcome)),
            Control::Embedder { running } => {
                if let Some(command) = running.take() {
                    self.complete(command, completion(outcome));
                }
            }
            Control::Leg(leg) if leg.runs_subroutine() => {
                leg.pbx.handle_outcome(pbx::perform::outcome(outcome));
            }
            Control::Leg(leg) if leg.runs_task() => self.errand_over(call, now),
            Control::Leg(_) | Control::Nobody => {}
        }
    }

    /// A visit to a room went on.
    pub(super) fn visited(&mut self, call: &mut Call, progress: VisitProgress, now: Now) {
        match progress {
            VisitProgress::Ongoing => {}
            VisitProgress::SteppedInside(effects) => {
                let room = call.visit.as_ref().map(|visit| visit.room().clone());
                let room = room.unwrap_or_default();
                let members = self.rooms.count(room.as_ref());
                tracing::info!(call_id = %call.parties.call_id, room = %Printable(&room), members, "joined conference");
                self.devices.touch(Device::Conference(room.clone()));
                self.seated(call, now);
                self.tell(SwitchEvent::RoomJoined { call: call.id, room, members });
                for effect in effects {
                    self.apply_to_self_or_queue(call, effect, now);
                }
                // The embedder's command is done; the dialplan's application lasts until the end.
                if let Some(command) = call.take_running() {
                    self.complete(command, Completion::Done);
                }
            }
            VisitProgress::Ended(end) => {
                call.end_visit();
                self.leave_room(call);
                if let Some(outcome) = self.end_of_seat(call, end) {
                    return resume(call, outcome);
                }
                match &mut call.control {
                    Control::Dialplan(pbx) => pbx.handle_outcome(pbx::perform::left_room(end)),
                    Control::Embedder { running } => {
                        if let Some(command) = running.take() {
                            let completion = match end {
                                VisitEnd::Refused => {
                                    Completion::Failed("the room can not be entered".into())
                                }
                                VisitEnd::EndMarked
                                | VisitEnd::Left
                                | VisitEnd::LeftByKey
                                | VisitEnd::Kicked
                                | VisitEnd::TimedOut => Completion::Done,
                            };
                            self.complete(command, completion);
                        }
                    }
                    Control::Leg(leg) => leg.pbx.handle_outcome(pbx::perform::left_room(end)),
                    Control::Nobody => {}
                }
            }
        }
    }

    /// Lets the dialplan go on.
    fn advance(&mut self, call: &mut Call, now: Now) -> Turn {
        let runs = match &call.control {
            Control::Dialplan(_) => true,
            Control::Leg(leg) => leg.runs_subroutine(),
            Control::Embedder { .. } | Control::Nobody => false,
        };
        if !runs {
            return Turn::Waits;
        }
        let Some(advance) = self.advance_pbx(call, now) else { return Turn::Waits };
        match advance {
            Advance::Operation(operation) => {
                self.report_operation(call, &operation, now);
                self.perform(call, operation, now);
                Turn::Progressed
            }
            Advance::Waits => Turn::Waits,
            Advance::Yields => Turn::Yields,
            Advance::Returned | Advance::Finished { .. }
                if matches!(call.control, Control::Leg(_)) =>
            {
                self.errand_over(call, now);
                Turn::Progressed
            }
            Advance::Returned if self.step_back(call, now) => Turn::Progressed,
            // Only legs and members of rooms are started on a subroutine.
            Advance::Returned => Turn::Waits,
            Advance::Finished { cause } => {
                self.followed.read_variables(call);
                call.control = Control::Nobody;
                self.end(call, cause, EndedBy::Us, now);
                Turn::Waits
            }
        }
    }

    /// Ends a call that nobody answered in time.
    fn give_up_if_late(&mut self, call: &mut Call, now: Now) {
        let unanswered =
            matches!(call.phase, Phase::Proceeding | Phase::Ringing | Phase::EarlyMedia);
        if unanswered && now.instant >= call.unanswered_until {
            // As when the INVITE's own timer ends it (RFC 3261 §17.1.1.2): nothing rings there.
            let is_unheard = call.direction == Direction::Outgoing
                && call.handle.is_some_and(|handle| self.endpoint.is_unheard(handle));
            let cause = if is_unheard { Cause::NO_USER_RESPONSE } else { Cause::NO_ANSWER };
            tracing::info!(call_id = %call.parties.call_id, %cause, "not answered in time");
            self.end(call, cause, EndedBy::Us, now);
        }
    }

    /// Ends a call: tells the far end unless it was the one to end it, closes the media, leaves the
    /// room, and tells whoever controls the call. Without effect on a call that is over.
    pub(super) fn end(&mut self, call: &mut Call, cause: Cause, by: EndedBy, now: Now) {
        if call.is_down() {
            return;
        }
        if let Some(pbx) = call.pbx() {
            self.observe(call.id, pbx.channel());
        }
        // Before records are closed.
        self.tell_quality(call);
        if !call.is_message() {
            self.tell(SwitchEvent::CallHungUp { call: call.id, cause });
        }
        self.report_end(call, cause, now);
        self.followed.hang_up(call.id, now.wall);
        self.finish_asking(call, now);
        self.parking.forget(call.id);
        self.hang_up_signalling(call, cause, now);
        self.give_up_seat(call, Parting::Gone, now);
        call.end_visit();
        self.forget_info(call);
        self.forget_referring(call);
        self.leave_room(call);
        self.end_page(call, now);
        self.abandon_dial(call, cause, now);
        self.abandon_program(call, now);
        self.originations.forget(call.id);
        self.release_robot(call);
        self.tell_other_half(call, LocalNews::Ends(cause));
        call.other_half = None;
        Self::say_farewell(call, cause);
        if let Some(command) = call.take_running() {
            self.complete(command, Completion::HungUp);
        }
        let media = match call.channel.stream() {
            Some(_) => FinalMedia::Closing,
            None => FinalMedia::None,
        };
        call.channel.close(&mut self.outbox);
        self.give_port_back(call);
        call.after_ack = None;
        let (at, until) = (now.instant, now.instant + CLEANING_UP);
        call.phase = Phase::Down(Ending { cause, by, media, at, until });
        if let Control::Dialplan(pbx) = &mut call.control {
            pbx.handle_hangup(cause);
        }
    }

    /// Forgets a finished call and tells that it ended.
    fn bury(&mut self, call: Box<Call>, now: Now) {
        if let Some(armed) = call.armed {
            self.deadlines.remove(&(armed, call.id));
        }
        if let Some((shard, stream)) = call.opened {
            self.forget_stream(shard, stream);
        }
        if let Some(handle) = call.handle {
            self.handles.remove(&handle);
        }
        self.elsewhere.remove(&call.id);
        let Phase::Down(ending) = &call.phase else { return };
        if call.is_message() {
            return;
        }
        if matches!(call.control, Control::Dialplan(_)) {
            tracing::warn!(
                call_id = %call.parties.call_id, channel = %call.name,
                "the dialplan went on for {} s after the hang-up and was stopped",
                CLEANING_UP.as_secs()
            );
        }
        let statistics = call.statistics(now.instant);
        tracing::info!(
            call_id = %call.parties.call_id, channel = %call.name, cause = %ending.cause,
            ended_by = ?ending.by, answered_ms = statistics.answered.as_millis() as u64,
            "call ended"
        );
        let (cause, ended_by) = (ending.cause, ending.by);
        self.totals.end(&call, cause, &statistics);
        self.end_followed(&call, cause, ended_by, statistics.answered);
        self.tell(SwitchEvent::CallEnded { call: call.id, cause, ended_by, statistics });
    }

    /// The deadline of the earliest call, or now when one yielded.
    pub(super) fn next_call_deadline(&self) -> Option<Instant> {
        match self.yielded.is_empty() {
            true => self.deadlines.first().map(|&(at, _)| at),
            false => Some(self.worked_at.instant),
        }
    }
}

/// What came of a channel's task, in an embedder's words.
fn completion(outcome: TaskOutcome) -> Completion {
    match outcome {
        TaskOutcome::Done | TaskOutcome::TimedOut => Completion::Done,
        TaskOutcome::Digit(digit) => Completion::Digit(digit),
        TaskOutcome::Digits { digits, ended_by } => Completion::Digits { digits, ended_by },
        TaskOutcome::Missing(name) => Completion::Failed(format!("there is no prompt {name}")),
        TaskOutcome::Recorded { .. }
        | TaskOutcome::Monitoring { .. }
        | TaskOutcome::Controlled(_)
        | TaskOutcome::Noticed(_) => Completion::Done,
        TaskOutcome::Failed(why) => Completion::Failed(why.into()),
    }
}

/// Operations and outcomes of one call before the others get their turn.
const TURNS: usize = 64;

/// How long a dialplan may go on after the hang-up (the `h` extension), and how long a media shard
/// may take to close a stream.
const CLEANING_UP: Duration = Duration::from_secs(30);
