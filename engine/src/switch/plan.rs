//! Calls that the dialplan has: how they start, take their steps, and what its operations do here.

use std::{sync::Arc, time::Duration};

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::{
    channel::{Channel as PlanChannel, Dialed, Party},
    host::{Accepts, ChannelState, Level, MemoryHost},
    operation::{ConferenceEnd, Operation, Outcome},
    plan::{Circumstances, Plan},
    world::World,
};

use jiff::tz::TimeZone;

use super::{
    Direction, EndedBy, Parties, StepTrace, Switch, SwitchEvent,
    call::{Call, Control, Hold, Phase, Settle},
    invite::{SignalError, channel_name},
    knowledge::Known,
};
use crate::{
    channel::{Cause, ChannelId, OtherDigits, PlayPart, PlayRequest},
    clock::Now,
    config::Peer,
    pbx::{
        Advance, Pbx,
        host::{CallFacts, Export, Headers, MediaFacts, PbxHost, StepTaken},
        perform::{self, Elsewhere, Performed, Refusal, Wish},
    },
    presence::Device,
    printable::Printable,
};

/// Why a call can not be given to the dialplan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no extension {extension:?} in the context {context:?}")]
pub(super) struct NoSuchExtension {
    extension: BString,
    context: BString,
}

impl Switch {
    /// The dialplan's control of an incoming call, if it knows the number.
    pub(super) fn dialplan_for(
        &self,
        parties: &Parties,
        peer: &Peer,
        id: ChannelId,
        now: Now,
    ) -> Option<Control> {
        self.has_extension(peer.context.as_ref(), parties, now)
            .then(|| self.dialplan_at(parties, peer, id, now))
    }

    /// The same, whether it knows the number or not.
    pub(super) fn dialplan_at(
        &self,
        parties: &Parties,
        peer: &Peer,
        id: ChannelId,
        now: Now,
    ) -> Control {
        let name = channel_name(peer.name.as_ref(), id);
        let language = peer.language.as_ref().unwrap_or(&self.config.default_language);
        let channel = plan_channel(name, parties, language, id, now);
        Control::Dialplan(Box::new(Pbx::incoming(
            channel,
            peer.context.as_ref(),
            parties.dialled.as_ref(),
            self.started,
        )))
    }

    /// Gives an embedder's call to the dialplan.
    pub(super) fn start_dialplan(
        &self,
        call: &mut Call,
        context: &BStr,
        extension: &BStr,
        now: Now,
    ) -> Result<(), NoSuchExtension> {
        let parties = Parties { dialled: extension.into(), ..call.parties.clone() };
        if !self.has_extension(context, &parties, now) {
            return Err(NoSuchExtension { extension: extension.into(), context: context.into() });
        }
        let language = call.channel.language.clone();
        let channel = plan_channel(call.name.clone(), &parties, &language, call.id, now);
        call.control =
            Control::Dialplan(Box::new(Pbx::new(channel, context, extension, self.started)));
        Ok(())
    }

    pub(super) fn has_extension(&self, context: &BStr, parties: &Parties, now: Now) -> bool {
        let circumstances = Circumstances {
            caller: Some(parties.caller_number.as_ref()),
            now: now.wall,
            zone: self.config.time_zone.clone(),
        };
        let plan = &self.config.plan;
        plan.context(context).is_some_and(|context| {
            plan.exists(context, parties.dialled.as_ref(), 1, &circumstances)
        })
    }

    /// Lets a dialplan go on until it wants something done.
    pub(super) fn advance_pbx(&mut self, call: &mut Call, now: Now) -> Option<Advance> {
        let advance = self.with_host(call, now, |plan, host, pbx| pbx.advance(plan, host))?;
        if let Some(language) = call.pbx().map(|pbx| pbx.channel().language.clone()) {
            call.channel.language = language;
        }
        Some(advance)
    }

    /// Starts a subroutine on a call that a dialplan sees; whether there is such a place.
    pub(super) fn start_subroutine(&mut self, call: &mut Call, target: &BStr, now: Now) -> bool {
        let started = |plan: &Plan, host: &mut PbxHost<'_>, pbx: &mut Pbx| {
            pbx.start_subroutine(plan, host, target)
        };
        self.with_host(call, now, started).unwrap_or(false)
    }

    /// Sets variables, and functions, of a channel that a dialplan sees.
    pub(super) fn assign(&mut self, call: &mut Call, assignments: &[(BString, BString)], now: Now) {
        if assignments.is_empty() {
            return;
        }
        self.with_host(call, now, |plan, host, pbx| {
            for (name, value) in assignments {
                pbx.assign(plan, host, name, value);
            }
        });
    }

    /// Whether the dialplan has a place for this caller.
    pub(super) fn has_place(
        &self,
        call: &Call,
        context: &BStr,
        extension: &BStr,
        now: Now,
    ) -> bool {
        let parties = Parties { dialled: extension.into(), ..call.parties.clone() };
        self.has_extension(context, &parties, now)
    }

    /// Lets something happen to a call's dialplan, with all that it sees of the engine.
    fn with_host<R>(
        &mut self,
        call: &mut Call,
        now: Now,
        act: impl FnOnce(&Plan, &mut PbxHost<'_>, &mut Pbx) -> R,
    ) -> Option<R> {
        // The call that asks is in use already.
        self.count_call(call);
        let mut control = std::mem::replace(&mut call.control, Control::Nobody);
        let pbx = match &mut control {
            Control::Dialplan(pbx) => &mut **pbx,
            Control::Leg(leg) => &mut leg.pbx,
            Control::Embedder { .. } | Control::Nobody => {
                call.control = control;
                return None;
            }
        };
        let facts = facts(call);
        let plan = Arc::clone(&self.config.plan);
        let mut steps = Vec::new();
        let (mut custom_states, mut exports) = (Vec::new(), Vec::new());
        let mut overridden = Vec::new();
        let mut talk = None;
        let known = Known {
            calls: &self.calls,
            own: (call.id, call.name.as_ref()),
            registrar: &self.registrar,
            sip: &self.config.sip,
            rooms: &self.rooms,
            devices: &self.devices,
            conferences: &self.config.conferences,
            robots: &self.robots,
            now,
        };
        let mut host = PbxHost {
            now,
            started: self.started,
            world: &mut self.world,
            entropy: &mut self.entropy,
            facts: &facts,
            zone: &self.config.time_zone,
            knowledge: &known,
            headers: Headers { received: call.received.as_ref() },
            records: self.ledger.as_mut().map(|ledger| (ledger, call.id)),
            last_step: match call.is_down() {
                // What a call ran last is told of the call, not of its `h` extension.
                true => None,
                false => Some(&mut call.last_step),
            },
            exports: &mut exports,
            talk: &mut talk,
            custom_states: &mut custom_states,
            overridden: &mut overridden,
            steps: (self.config.trace_steps == StepTrace::On).then_some(&mut steps),
        };
        let done = act(&plan, &mut host, pbx);
        if let Some((ledger, id)) = host.records {
            ledger.observe(id, pbx.channel());
        }
        if let Some(talk) = talk {
            call.channel.tell_talk(talk, &mut self.outbox);
        }
        for name in custom_states {
            self.devices.touch(Device::Custom(name));
        }
        for (name, standing) in overridden {
            self.tell_override(name, standing, Some(call.id));
        }
        for step in steps {
            self.tell(step_event(call.id, step));
        }
        call.control = control;
        for export in exports {
            self.give_variable(&export, now);
        }
        Some(done)
    }

    /// Gives another channel a variable, or what a function sets.
    fn give_variable(&mut self, export: &Export, now: Now) {
        let named = self.calls.values().find(|call| call.is_named(export.channel.as_ref()));
        let Some(id) = named.map(|call| call.id) else { return };
        self.with_call(id, now, |switch, call| {
            switch.with_host(call, now, |plan, host, pbx| {
                pbx.assign(plan, host, &export.variable, &export.value);
            });
        });
    }

    /// The dialplan's own time limit is over: whatever it does is abandoned.
    pub(super) fn end_dialplan_if_late(&mut self, call: &mut Call, now: Now) {
        let Control::Dialplan(pbx) = &mut call.control else { return };
        if !pbx.handle_timeout(now.instant) {
            return;
        }
        self.originations.forget(call.id);
        call.channel.stop(&mut self.outbox);
        self.parking.forget(call.id);
        call.end_visit();
        self.leave_room(call);
        if let Some(dialling) = call.dialling.take() {
            self.end_dial(call, &dialling, now);
        }
        self.end_page(call, now);
        self.leave_bridge(call);
    }

    /// Carries out what the dialplan wants done, or begins to.
    pub(super) fn perform(&mut self, call: &mut Call, operation: Operation, now: Now) {
        let zone = &self.config.time_zone;
        let performed = perform::perform(
            operation,
            &mut call.channel,
            &mut self.tones,
            zone,
            now,
            &mut self.outbox,
        );
        match performed {
            Performed::Begun => {}
            Performed::Over(outcome) => resume(call, outcome),
            Performed::Wish(wish) => self.grant(call, wish, now),
        }
    }

    fn grant(&mut self, call: &mut Call, wish: Wish, now: Now) {
        let wish = match wish {
            // As good after a hang-up as before.
            Wish::Elsewhere(Elsewhere::Originate(originate)) => {
                return self.originate_for(call, *originate, now);
            }
            Wish::Elsewhere(Elsewhere::SoftHangup { channel, scope }) => {
                return self.soft_hang_up(call, &channel, scope, now);
            }
            Wish::Elsewhere(Elsewhere::Redirect { channel, place }) => {
                let outcome = match self.redirect_other(&channel, &place, now) {
                    Ok(()) => Outcome::Done,
                    Err(error) => {
                        tracing::info!(call_id = %call.parties.call_id, %error, "ChannelRedirect");
                        Outcome::Failed
                    }
                };
                return resume(call, outcome);
            }
            Wish::Elsewhere(Elsewhere::SendMessage(send)) => {
                let sent = self.send_message(call, &send, now);
                return resume(call, Outcome::Message(sent));
            }
            Wish::Elsewhere(Elsewhere::OrderConference(order)) => {
                let outcome = self.order_by_dialplan(call, *order);
                return resume(call, outcome);
            }
            wish => wish,
        };
        if call.is_down() {
            // The dialplan learned of the hang-up already; what it still wants of the call fails.
            return resume(call, Outcome::Failed);
        }
        let granted = match wish {
            Wish::Answer { wait_media, delay } => {
                // The channel's task is to settle; its outcome goes to the dialplan.
                return match self.answer(call, Settle { wait_media, delay }, now) {
                    Ok(()) => {}
                    Err(error) => self.fail_to_signal(call, &error, now),
                };
            }
            Wish::Ring if call.is_up() => {
                // An answered caller can only be let hear that it rings.
                if let Some(tone) = self.tones.named("ring".into()) {
                    call.channel
                        .play_in_background(crate::media::PlayItem::Tone(tone), &mut self.outbox);
                }
                Ok(())
            }
            Wish::Ring => self.ring(call, now),
            Wish::Progress if call.is_up() => Ok(()),
            Wish::Progress => self.progress(call, now),
            Wish::Proceed => Ok(()),
            Wish::Refuse { refusal, timeout } if call.is_up() => {
                let name = match refusal {
                    Refusal::Busy => "busy",
                    Refusal::Congestion => "congestion",
                };
                let Some(tone) = self.tones.named(name.into()) else {
                    return resume(call, Outcome::Failed);
                };
                let request = PlayRequest {
                    others: OtherDigits::Drop,
                    ..PlayRequest::new(vec![PlayPart::Tone(tone)])
                };
                return call.channel.play(request, timeout, now.instant, &mut self.outbox);
            }
            Wish::Refuse { refusal, .. } => {
                let cause = match refusal {
                    Refusal::Busy => Cause::USER_BUSY,
                    Refusal::Congestion => Cause::CONGESTION,
                };
                return self.end(call, cause, EndedBy::Us, now);
            }
            Wish::Music { class, duration } => {
                self.start_music(call, class);
                // Lasts as long as the wait does.
                let duration = duration.unwrap_or(Duration::MAX);
                return call.channel.wait(
                    duration,
                    OtherDigits::Drop,
                    now.instant,
                    &mut self.outbox,
                );
            }
            Wish::Monitor(monitor) => return self.begin_monitor(call, &monitor),
            Wish::DetectMachine(detect) => {
                let request = perform::detect_machine(*detect, &self.config.machines);
                return call.channel.listen(request, now.instant, &mut self.outbox);
            }
            Wish::Record(record) => return self.record(call, *record, now),
            Wish::AudioFork(fork) => return self.audio_fork(call, *fork),
            Wish::DialProgram(dial) => return self.dial_program(call, *dial, now),
            Wish::AudioSocket(socket) => return self.audio_socket(call, *socket, now),
            Wish::StartMusic { class } => {
                self.start_music(call, class);
                Ok(())
            }
            Wish::Dial(dial) => {
                if let Some(outcome) = self.dial(call, dial, now) {
                    resume(call, outcome);
                }
                return;
            }
            Wish::Bridge(bridge) => return self.bridge_with(call, &bridge, now),
            Wish::BridgeAdd(channel) => return self.join_bridge_of(call, channel.as_ref(), now),
            Wish::BridgeWait(wait) => return self.wait_in_holding(call, *wait, now),
            Wish::Page(page) => return self.page(call, *page, now),
            Wish::Elsewhere(_) => return,
            Wish::Park(park) => return self.park(call, &park, now),
            Wish::TakeParked { lot, slot } => {
                return self.take_parked(call, lot.as_ref(), slot.as_ref(), now);
            }
            Wish::ForwardByCaller { number, by } => {
                return self.forward_by_caller(call, number.as_bstr(), by, now);
            }
            Wish::Pickup(whose) => return self.pick_up_other(call, &whose, now),
            Wish::VideoShare(ask) => return self.video_share(call, &ask, now),
            Wish::Conference { room, bridge_profile, user_profile, menu } => {
                let (bridge, user) = (bridge_profile.as_ref(), user_profile.as_ref());
                let visited = self.visit_room(
                    call,
                    room,
                    bridge.map(|name| name.as_bstr()),
                    user.map(|name| name.as_bstr()),
                    menu.as_ref().map(|name| name.as_bstr()),
                    now,
                );
                if let Err(error) = visited {
                    tracing::error!(call_id = %call.parties.call_id, %error, "ConfBridge");
                    resume(call, Outcome::Conference(ConferenceEnd::Failed));
                }
                return;
            }
        };
        match granted {
            Ok(()) => resume(call, Outcome::Done),
            Err(SignalError::NotWaiting) => resume(call, Outcome::Failed),
            Err(error) => self.fail_to_signal(call, &error, now),
        }
    }
}

/// Hands an outcome to the call's dialplan.
pub(super) fn resume(call: &mut Call, outcome: Outcome) {
    if let Some(pbx) = call.pbx_mut() {
        pbx.handle_outcome(outcome);
    }
}

/// Puts the globals of a plan in force, as of now.
pub(super) fn set_globals(plan: &Plan, world: &mut World, now: Now, zone: &TimeZone) {
    let mut host = MemoryHost::new(now.wall);
    host.zone = zone.clone();
    host.accepts = Accepts::Nothing;
    std::mem::swap(&mut host.world, world);
    plan.set_globals(&mut host);
    std::mem::swap(&mut host.world, world);
    for (_, line) in host.log.iter().filter(|(level, _)| *level >= Level::Warning) {
        tracing::warn!(line = %Printable(line.as_bytes()), "[globals]");
    }
}

pub(super) fn plan_channel(
    name: BString,
    parties: &Parties,
    language: &BString,
    id: ChannelId,
    now: Now,
) -> PlanChannel {
    let mut channel = PlanChannel::new(name);
    let caller = Party::new(parties.caller_name.clone(), parties.caller_number.clone());
    channel.unique_id = format!("{}.{}", now.wall.as_second(), id.number()).into();
    channel.linked_id = channel.unique_id.clone();
    channel.ani = caller.clone();
    channel.caller = caller;
    channel.dialed = Dialed { number: parties.dialled.clone(), ..Dialed::default() };
    channel.language = language.clone();
    channel
}

fn facts(call: &Call) -> CallFacts {
    let state = match (&call.phase, call.direction) {
        (Phase::Up, _) => ChannelState::Up,
        (Phase::Down(_), _) => ChannelState::Down,
        (_, Direction::Incoming) => ChannelState::Ring,
        (Phase::Ringing, Direction::Outgoing) => ChannelState::Ringing,
        (Phase::Proceeding | Phase::EarlyMedia, Direction::Outgoing) => ChannelState::Down,
    };
    CallFacts {
        state,
        call_id: call.parties.call_id.clone(),
        peer: call.parties.peer.clone(),
        remote: Some(call.flow.peer.to_string().into()),
        media: MediaFacts {
            local: call.media_address,
            remote: call.session.media().and_then(|(_, remote)| remote),
            is_held: call.hold == Hold::Held,
            statistics: call.quality.clone(),
        },
    }
}

fn step_event(call: ChannelId, step: StepTaken) -> SwitchEvent {
    let StepTaken { context, extension, priority, application, arguments } = step;
    SwitchEvent::StepExecuted { call, context, extension, priority, application, arguments }
}

#[cfg(test)]
pub(super) mod testing {
    use diesis_dialplan::{
        conf::{self, MemoryFiles, Options},
        diagnostic::Diagnostic,
        plan::Plan,
    };

    /// The plan of a dialplan's text, which must be without fault.
    pub(in super::super) fn plan(text: &str) -> Plan {
        let (plan, diagnostics) = load(text);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        plan
    }

    /// The plan of a dialplan's text, whatever is wrong with it.
    pub(in super::super) fn faulty(text: &str) -> Plan {
        load(text).0
    }

    fn load(text: &str) -> (Plan, Vec<Diagnostic>) {
        let files = MemoryFiles::new().with("extensions.conf", text);
        let conf = conf::load("extensions.conf", &files, &Options::default());
        Plan::load(&conf, &Default::default())
    }
}
