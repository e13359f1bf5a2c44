//! Dial: others are called at once, and the first to answer is connected with the caller.
//!
//! Each one called is a call of its own, controlled by the call that dialled. What its leg has to do
//! before it is called and after it answers (subroutines, announcements) is in `leg`; whom to call
//! is in `destination`; how long the two may talk is in `limit`.

mod caller;
mod consult;
mod destination;
mod join;
mod leg;
mod limit;
mod options;
mod partners;

use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};
use diesis_dialplan::{
    operation::{Dial, DialEnd, DialPlace, DialResult, DialStatus, Options, Outcome},
    record::RecordFields,
};

use super::{
    EndedBy, Switch, SwitchEvent,
    bridges::{BridgeId, BridgeNews},
    call::{Call, Control, Settle},
    features::{Feature, KeyCollector},
    invite::SignalError,
    place::PlaceError,
};
use crate::{
    channel::{Cause, ChannelId},
    clock::Now,
    media::{Digit, PlayItem},
    pbx::perform::signals,
    sip::StatusCode,
};
pub(super) use caller::{Caller, Kind as CallerKind};
pub(super) use consult::Asking;
pub(super) use leg::{Leg, Verdict};
use limit::Limit;
use options::Called;
pub(super) use options::forwarded;

/// A Dial in progress, kept with the call that dialled.
#[derive(Debug)]
pub(super) struct Dialling {
    options: Options,
    /// The calls made that are not over.
    legs: Vec<Placed>,
    /// How many were called at the start: the sound of one alone is heard before it answers.
    called: usize,
    started: Instant,
    /// When ringing ends.
    until: Option<Instant>,
    ringing: Option<Instant>,
    progress: Option<Instant>,
    stage: Stage,
    /// The bridge, from the first early media on.
    bridge: Option<BridgeId>,
    /// Why those that are over ended.
    causes: Vec<Cause>,
    /// How often the call was sent elsewhere.
    forwards: usize,
}

/// One call of a Dial.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) leg: ChannelId,
    /// What was dialled, for DIALEDPEERNUMBER.
    resource: BString,
}

#[derive(Debug)]
enum Stage {
    /// Nobody has answered.
    Ringing,
    /// One has answered and hears its announcement, or runs its subroutine.
    Screening(Answered),
    /// Caller and callee are connected.
    Talking(Answered, Limit),
}

/// Who answered.
#[derive(Debug, Clone)]
struct Answered {
    leg: ChannelId,
    name: BString,
    resource: BString,
    at: Instant,
}

/// What a call tells the one that dialled it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DialNews {
    pub(super) leg: ChannelId,
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    Rings,
    /// It has early media.
    Progresses,
    Answers,
    /// It has heard its announcement and run its subroutine.
    Decides(Verdict),
    /// It wants to be called elsewhere.
    Forwards(BString),
    Ends(Cause),
}

impl Dialling {
    /// When something is to be done without anybody's doing.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Screening(_) => None,
            Stage::Ringing => self.until,
            Stage::Talking(_, limit) => limit.deadline(),
        }
    }

    fn answered(&self) -> Option<&Answered> {
        match &self.stage {
            Stage::Screening(answered) | Stage::Talking(answered, _) => Some(answered),
            Stage::Ringing => None,
        }
    }

    /// Whether the caller hears something of our own instead of what the callee sends.
    fn entertains(&self) -> bool {
        self.options.has(b'm') || (self.options.has(b'r') && !self.options.has(b'R'))
    }
}

impl Switch {
    /// Calls everybody a Dial names. The outcome comes when the last has failed, or when an
    /// answered call ends.
    pub(super) fn dial(&mut self, call: &mut Call, dial: Box<Dial>, now: Now) -> Option<Outcome> {
        if call.dialling.is_some() {
            tracing::warn!(call_id = %call.parties.call_id, "Dial inside the subroutine of a Dial is not available");
            return Some(Outcome::Failed);
        }
        if !options::admit(&dial.options, call) {
            let result = DialResult::unanswered(DialStatus::InvalidArgs, 0);
            return Some(Outcome::Dialed(Box::new(result)));
        }
        if dial.options.has(b'C')
            && let Some(ledger) = &mut self.ledger
        {
            ledger.reset(call.id, RecordFields::Kept, now);
        }
        let dialling = Dialling {
            options: dial.options.clone(),
            legs: Vec::new(),
            called: 0,
            started: now.instant,
            until: dial.timeout.and_then(|timeout| now.instant.checked_add(timeout)),
            ringing: None,
            progress: None,
            stage: Stage::Ringing,
            bridge: None,
            causes: Vec::new(),
            forwards: 0,
        };
        self.call_all(call, dialling, &dial, now)
    }

    fn call_all(
        &mut self,
        call: &mut Call,
        mut dialling: Dialling,
        dial: &Dial,
        now: Now,
    ) -> Option<Outcome> {
        let forced = options::forced_caller(&dial.options, call, Called::Named);
        for destination in &dial.destinations {
            let mut caller = call.as_caller();
            caller.channel = forced.as_ref().or(caller.channel);
            match self.call_destination(&caller, destination, &dial.options, dial.timeout, now) {
                Ok(placed) => dialling.legs.extend(placed),
                Err(cause) => dialling.causes.push(cause),
            }
        }
        super::transfer::forget_replaces(call);
        dialling.called = dialling.legs.len();
        if dialling.legs.is_empty() {
            let cause = dialling.causes.last().copied().unwrap_or(Cause::UNALLOCATED);
            let status = status(&dialling.causes);
            self.tell(SwitchEvent::DialEnded { call: call.id, status, cause });
            let result = DialResult::unanswered(status, cause.number().into());
            return Some(Outcome::Dialed(Box::new(result)));
        }
        let rings = (dialling.options.has(b'r') || dialling.options.has(b'R'))
            && !dialling.options.has(b'm');
        let music = dialling.options.has(b'm');
        let class = dialling.options.argument(b'm').map(|class| class.as_bstr().to_owned());
        let has_keys = dialling.options.has(b'H');
        call.dialling = Some(Box::new(dialling));
        if has_keys {
            call.keys = KeyCollector::new(&[Feature::Disconnect], &self.config.features);
        }
        if rings {
            self.let_ring(call, now);
        } else if music {
            // Music can be heard only once there is media.
            if !call.is_up() {
                let _ = self.progress(call, now);
            }
            self.start_music(call, class);
        }
        None
    }

    /// The calls of a Dial tell something.
    pub(super) fn take_dial_news(&mut self, caller: ChannelId, news: DialNews, now: Now) {
        if self.originations.has(caller) {
            return self.take_origin_news(caller, news, now);
        }
        if self.take_page_news(caller, &news, now) {
            return;
        }
        let DialNews { leg, what } = news;
        if self.is_consulted(caller, leg) {
            return self.take_consult_news(caller, leg, what, now);
        }
        self.with_call(caller, now, |switch, call| {
            let Some(mut dialling) = call.dialling.take() else { return };
            if !dialling.legs.iter().any(|placed| placed.leg == leg) {
                // One of those that were told to end.
                call.dialling = Some(dialling);
                return;
            }
            let is_ringing = matches!(dialling.stage, Stage::Ringing);
            match what {
                What::Rings if is_ringing => {
                    dialling.ringing.get_or_insert(now.instant);
                    switch.report_transfer(call.id, StatusCode::RINGING, now);
                    let is_quiet = dialling.entertains() || dialling.bridge.is_some();
                    call.dialling = Some(dialling);
                    if !is_quiet {
                        switch.let_ring(call, now);
                    }
                }
                What::Progresses if is_ringing => {
                    dialling.progress.get_or_insert(now.instant);
                    switch.let_hear(call, dialling, leg, now);
                }
                What::Answers if is_ringing => switch.screen(call, dialling, leg, now),
                What::Decides(verdict) => switch.decide(call, dialling, leg, verdict, now),
                What::Forwards(to) if is_ringing => switch.forward(call, dialling, leg, &to, now),
                What::Ends(cause) => switch.leg_ended(call, dialling, leg, cause, now),
                What::Rings | What::Progresses | What::Answers | What::Forwards(_) => {
                    call.dialling = Some(dialling);
                }
            }
        });
    }

    /// Tells the call that dialled this one, if one did.
    pub(super) fn tell_caller_it_rings(&mut self, call: &Call) {
        self.tell_caller(call, What::Rings);
    }

    /// Tells the call that dialled this one that there is something to hear, if one did.
    pub(super) fn tell_caller_it_progresses(&mut self, call: &Call) {
        self.tell_caller(call, What::Progresses);
    }

    /// Tells the call that dialled this one, if one did.
    pub(super) fn tell_caller_it_answered(&mut self, call: &Call) {
        self.tell_caller(call, What::Answers);
    }

    /// Tells the call that dialled this one where to call instead; whether one did.
    pub(super) fn tell_caller_to_forward(&mut self, call: &Call, to: BString) -> bool {
        self.tell_caller(call, What::Forwards(to));
        matches!(call.control, Control::Leg(_))
    }

    fn tell_caller(&mut self, call: &Call, what: What) {
        if let Control::Leg(leg) = &call.control
            && let Some(dialler) = leg.dialler
        {
            self.dial_news.push_back((dialler, DialNews { leg: call.id, what }));
        }
    }

    /// The call is over, and with it whatever it dialled; or it is one that was dialled.
    pub(super) fn abandon_dial(&mut self, call: &mut Call, cause: Cause, now: Now) {
        self.tell_caller(call, What::Ends(cause));
        self.leave_bridge(call);
        let Some(dialling) = call.dialling.take() else { return };
        let status =
            if dialling.answered().is_some() { DialStatus::Answer } else { DialStatus::Cancel };
        if let (Stage::Talking(answered, _), Some(place)) = (
            &dialling.stage,
            dialling.options.has(b'F').then(|| options::place_after(&dialling.options, call)),
        ) {
            let leg = answered.leg;
            self.send_leg_to(leg, place, now);
        } else {
            self.end_legs(call.id, &dialling.legs, options::given_up(&dialling.options), now);
        }
        let result = DialResult {
            cause: 0,
            ended_by: DialEnd::Caller,
            ..result(&dialling, status, cause, now)
        };
        self.finish(call, result, cause, now);
    }

    /// The time of a Dial is over: nobody answered, or they talked long enough.
    pub(super) fn end_dial_if_late(&mut self, call: &mut Call, now: Now) {
        let due = call.dialling.as_ref().and_then(|dialling| dialling.deadline());
        if due.is_none_or(|due| due > now.instant) {
            return;
        }
        let Some(mut dialling) = call.dialling.take() else { return };
        if let Stage::Talking(answered, limit) = &mut dialling.stage {
            let leg = answered.leg;
            let step = limit.handle_timeout(now.instant);
            call.dialling = Some(dialling);
            return self.follow_limit(call, leg, step, now);
        }
        self.end_legs(call.id, &dialling.legs, options::given_up(&dialling.options), now);
        let result = result(&dialling, DialStatus::NoAnswer, Cause::NO_ANSWER, now);
        // As in Asterisk the cause of an earlier call stays when nobody answers in time.
        self.finish(call, DialResult { cause: 0, ..result }, Cause::NO_ANSWER, now);
    }

    /// Ends the calls of a Dial that is given up, without an outcome.
    pub(super) fn end_dial(&mut self, call: &mut Call, dialling: &Dialling, now: Now) {
        self.end_legs(call.id, &dialling.legs, options::given_up(&dialling.options), now);
        call.channel.stop_music(&mut self.outbox);
        self.leave_bridge(call);
    }

    /// A member of a bridge asked by keys to end it, or a caller who waits gave up so.
    pub(super) fn disconnect_by_keys(&mut self, call: &mut Call, now: Now) {
        let Some(dialling) = call.dialling.take() else {
            // The callee: its end is what the caller's Dial waits for.
            return self.end(call, Cause::NORMAL_CLEARING, EndedBy::Us, now);
        };
        self.end_legs(call.id, &dialling.legs, options::given_up(&dialling.options), now);
        let answered = matches!(dialling.stage, Stage::Talking(..));
        let status = if answered { DialStatus::Answer } else { DialStatus::Cancel };
        let cause = Cause::NORMAL_CLEARING;
        let result = result(&dialling, status, cause, now);
        self.finish(call, result, cause, now);
    }

    /// A digit of a caller for whom others are being called; whether it meant something.
    pub(super) fn press_while_dialling(&mut self, call: &mut Call, digit: Digit, now: Now) -> bool {
        let Some(dialling) = &call.dialling else { return false };
        if !matches!(dialling.stage, Stage::Ringing) {
            return false;
        }
        if dialling.options.has(b'H')
            && self.config.features.disconnect == digit.as_char().to_string()
        {
            self.disconnect_by_keys(call, now);
            return true;
        }
        if dialling.options.has(b'd') {
            let extension = BString::from(digit.as_char().to_string());
            let Some(pbx) = call.pbx() else { return false };
            let context = pbx.variable("EXITCONTEXT").filter(|context| !context.is_empty());
            let context = context.unwrap_or_else(|| pbx.place().context).to_owned();
            if self.has_place(call, context.as_ref(), extension.as_ref(), now) {
                let Some(dialling) = call.dialling.take() else { return false };
                self.end_legs(call.id, &dialling.legs, options::given_up(&dialling.options), now);
                let cause = Cause::NORMAL_CLEARING;
                let place = DialPlace {
                    context: Some(context),
                    extension: Some(extension),
                    priority: "1".into(),
                };
                let result = result(&dialling, DialStatus::Cancel, cause, now);
                self.finish(call, DialResult { place: Some(place), ..result }, cause, now);
                return true;
            }
        }
        false
    }

    /// Lets the caller hear that it rings somewhere.
    fn let_ring(&mut self, call: &mut Call, now: Now) {
        if !call.is_up() {
            // A caller with early media is told nothing new.
            let _ = self.ring(call, now);
        } else if let Some(tone) = self.tones.named("ring".into()) {
            call.channel.play_in_background(PlayItem::Tone(tone), &mut self.outbox);
        }
    }

    /// Lets the caller hear what the only one called sends before it answers.
    fn let_hear(&mut self, call: &mut Call, mut dialling: Box<Dialling>, leg: ChannelId, now: Now) {
        let is_alone = dialling.called == 1 && dialling.legs.len() == 1;
        if !is_alone || dialling.entertains() {
            let rings = !dialling.entertains() && dialling.ringing.is_none();
            call.dialling = Some(dialling);
            if rings {
                self.let_ring(call, now);
            }
            return;
        }
        if !call.is_up() && self.progress(call, now).is_err() {
            call.dialling = Some(dialling);
            return;
        }
        call.channel.stop_background(&mut self.outbox);
        let bridge = *dialling.bridge.get_or_insert_with(|| self.open_bridge());
        call.dialling = Some(dialling);
        self.enter_bridge(call, bridge);
        self.with_call(leg, now, |switch, leg| switch.enter_bridge(leg, bridge));
    }

    /// Somebody answered: the others stop ringing, and the one does what it has to do first.
    fn screen(&mut self, call: &mut Call, mut dialling: Box<Dialling>, leg: ChannelId, now: Now) {
        let (answered, others): (Vec<_>, Vec<_>) =
            dialling.legs.drain(..).partition(|placed| placed.leg == leg);
        let elsewhere = dialling.options.argument(b'Q').and_then(options::cause);
        self.end_legs(call.id, &others, elsewhere.unwrap_or(Cause::ANSWERED_ELSEWHERE), now);
        let name = self.calls.get(&leg).map(|call| call.name.clone()).unwrap_or_default();
        let resource = answered.first().map(|placed| placed.resource.clone());
        dialling.legs = answered;
        let answered =
            Answered { leg, name, resource: resource.unwrap_or_default(), at: now.instant };
        if let Some(pbx) = call.pbx_mut() {
            pbx.set_variable("DIALEDPEERNAME", &answered.name);
            pbx.set_variable("DIALEDPEERNUMBER", &answered.resource);
            pbx.set_variable("DIALSTATUS", DialStatus::Answer.as_str().as_bytes());
        }
        dialling.stage = Stage::Screening(answered);
        let at_once = dialling.options.has(b'a');
        call.dialling = Some(dialling);
        if at_once && !call.is_up() && !self.pick_up(call, now) {
            return;
        }
        self.with_call(leg, now, |switch, leg| switch.begin_screening(leg, now));
    }

    /// Answers the caller; whether that could be done. If not the call is over.
    pub(super) fn pick_up(&mut self, call: &mut Call, now: Now) -> bool {
        let settle = Settle { wait_media: false, delay: Duration::ZERO };
        match self.answer(call, settle, now) {
            Ok(()) => true,
            Err(error) => {
                self.fail_to_signal(call, &error, now);
                false
            }
        }
    }

    /// The one that answered is through with what it had to do first.
    fn decide(
        &mut self,
        call: &mut Call,
        dialling: Box<Dialling>,
        leg: ChannelId,
        verdict: Verdict,
        now: Now,
    ) {
        let Stage::Screening(answered) = &dialling.stage else {
            call.dialling = Some(dialling);
            return;
        };
        let answered = answered.clone();
        let cause = Cause::NORMAL_CLEARING;
        let (status, ended_by, place) = match verdict {
            Verdict::Connect => {
                if let Some(place) = options::place_on_answer(&dialling.options) {
                    return self.part(call, &dialling, &answered, place, now);
                }
                return self.connect(call, dialling, answered, now);
            }
            Verdict::Abort => (DialStatus::Answer, DialEnd::Caller, None),
            Verdict::Busy => (DialStatus::Busy, DialEnd::Continue, None),
            Verdict::Congestion => (DialStatus::Congestion, DialEnd::Continue, None),
            Verdict::Continue => (DialStatus::Answer, DialEnd::Continue, None),
            Verdict::Goto(place) => (DialStatus::Answer, DialEnd::Continue, Some(place)),
        };
        self.end_bridged(leg, cause, now);
        let result = DialResult { ended_by, place, ..result(&dialling, status, cause, now) };
        self.finish(call, result, cause, now);
    }

    /// Option G: the caller goes to a place of the dialplan, and the callee to the priority after.
    fn part(
        &mut self,
        call: &mut Call,
        dialling: &Dialling,
        answered: &Answered,
        place: DialPlace,
        now: Now,
    ) {
        if !call.is_up() && !self.pick_up(call, now) {
            return;
        }
        let next = options::next_priority(&place, call);
        self.send_leg_to(answered.leg, next, now);
        let cause = Cause::NORMAL_CLEARING;
        let result = result(dialling, DialStatus::Answer, cause, now);
        let result = DialResult { ended_by: DialEnd::Continue, place: Some(place), ..result };
        self.finish(call, result, cause, now);
    }

    fn connect(
        &mut self,
        call: &mut Call,
        mut dialling: Box<Dialling>,
        answered: Answered,
        now: Now,
    ) {
        let leg = answered.leg;
        let limit = Limit::begin(&dialling.options, call, now.instant);
        let options = dialling.options.clone();
        if let Some(pbx) = call.pbx_mut() {
            pbx.set_variable("BRIDGEPEER", &answered.name);
        }
        let connected = self.calls.get(&leg).and_then(|leg| leg.identity.party.clone());
        dialling.stage = Stage::Talking(answered, limit);
        call.dialling = Some(dialling);
        call.channel.stop_background(&mut self.outbox);
        call.channel.stop_music(&mut self.outbox);
        if !options.has(b'I')
            && let (Some(party), Some(pbx)) = (connected, call.pbx_mut())
        {
            pbx.channel_mut().connected = party;
            if call.is_up() {
                // Answered before it dialled: no 200 tells it.
                self.tell_connected(call, now);
            }
        }
        if !call.is_up() && !self.pick_up(call, now) {
            return;
        }
        // Only now: a call that could not be answered has no bridge to leave.
        let Some(dialling) = &mut call.dialling else { return };
        let bridge = match dialling.bridge {
            Some(bridge) => bridge,
            None => *dialling.bridge.insert(self.open_bridge()),
        };
        if let Some(digits) = options.argument(b'D').and_then(options::digits_for_caller) {
            call.channel.slip_digits(signals(digits.as_ref()), leg::DIGIT, &mut self.outbox);
        }
        self.enter_bridge(call, bridge);
        let [for_caller, for_callee] = options::features(&options);
        call.keys = KeyCollector::new(&for_caller, &self.config.features);
        let name = call.name.clone();
        self.with_call(leg, now, |switch, leg| {
            if let Some(pbx) = leg.pbx_mut() {
                pbx.set_variable("BRIDGEPEER", &name);
            }
            switch.enter_bridge(leg, bridge);
            leg.keys = KeyCollector::new(&for_callee, &switch.config.features);
            if leg.hold == super::call::Hold::Held {
                switch.tell_bridge(leg, &switch.holds(leg));
            }
        });
        self.tell(SwitchEvent::DialAnswered { call: call.id, leg });
        self.report_transfer(call.id, StatusCode::OK, now);
        if let Some((Some(warning), callee)) = options.has(b'L').then(|| limit::connect_sound(call))
        {
            self.announce(call, leg, &[warning], callee, now);
        }
    }

    fn leg_ended(
        &mut self,
        call: &mut Call,
        mut dialling: Box<Dialling>,
        leg: ChannelId,
        cause: Cause,
        now: Now,
    ) {
        dialling.legs.retain(|placed| placed.leg != leg);
        if dialling.answered().is_some_and(|answered| answered.leg == leg) {
            call.dialling = Some(dialling);
            if self.stay_with_consulted(call, now) {
                return;
            }
            let Some(dialling) = call.dialling.take() else { return };
            let result = result(&dialling, DialStatus::Answer, cause, now);
            return self.finish(call, result, cause, now);
        }
        dialling.causes.push(cause);
        if dialling.legs.is_empty() {
            let status = status(&dialling.causes);
            let result = result(&dialling, status, cause, now);
            self.finish(call, result, cause, now);
        } else {
            call.dialling = Some(dialling);
        }
    }

    /// One called wants to be called elsewhere (a 3xx, or Transfer).
    fn forward(
        &mut self,
        call: &mut Call,
        mut dialling: Box<Dialling>,
        leg: ChannelId,
        to: &BString,
        now: Now,
    ) {
        dialling.forwards += 1;
        let refused = dialling.options.has(b'i') || dialling.forwards > MOST_FORWARDS;
        if refused {
            tracing::info!(call_id = %call.parties.call_id, "not forwarded");
            return self.leg_ended(call, dialling, leg, Cause::BUSY_FORWARD, now);
        }
        if dialling.options.has(b'z') {
            dialling.until = None;
        }
        let timeout = dialling.until.map(|until| until.saturating_duration_since(now.instant));
        let destination = forwarded(to, call);
        let options = dialling.options.clone();
        let forced = options::forced_caller(&options, call, Called::Forwarded);
        let mut caller = call.as_caller();
        caller.channel = forced.as_ref().or(caller.channel);
        match self.call_destination(&caller, &destination, &options, timeout, now) {
            Ok(placed) => {
                dialling.legs.retain(|placed| placed.leg != leg);
                dialling.legs.extend(placed);
                call.dialling = Some(dialling);
            }
            Err(cause) => self.leg_ended(call, dialling, leg, cause, now),
        }
    }

    fn end_legs(&mut self, by: ChannelId, legs: &[Placed], cause: Cause, now: Now) {
        for placed in legs {
            if self.dials(placed.leg, by) {
                // After a transfer the other one may have a Dial of its own, which goes on.
                let news = DialNews { leg: by, what: What::Ends(cause) };
                self.dial_news.push_back((placed.leg, news));
                continue;
            }
            let mut stays = false;
            self.with_call(placed.leg, now, |switch, leg| {
                stays = switch.stay_with_consulted(leg, now);
            });
            if stays {
                continue;
            }
            // One that has answered is not told that somebody else did.
            let is_up = self.calls.get(&placed.leg).is_some_and(|leg| leg.is_up());
            let cause = if is_up { Cause::NORMAL_CLEARING } else { cause };
            self.let_go(placed.leg, cause, now);
        }
    }

    /// Ends a Dial: hands its outcome to the caller's dialplan.
    fn finish(&mut self, call: &mut Call, result: DialResult, cause: Cause, now: Now) {
        self.stop_asking(call, now);
        call.channel.stop_background(&mut self.outbox);
        call.channel.stop_music(&mut self.outbox);
        call.channel.stop(&mut self.outbox);
        call.keys = KeyCollector::default();
        self.leave_bridge(call);
        self.tell(SwitchEvent::DialEnded { call: call.id, status: result.status, cause });
        match &mut call.control {
            // A leg that a transfer gave a Dial: there is no dialplan to go on with.
            Control::Leg(_) => self.bridge_news.push_back((call.id, BridgeNews::Ends(cause))),
            _ => {
                if let Some(pbx) = call.pbx_mut() {
                    pbx.handle_outcome(Outcome::Dialed(Box::new(result)));
                }
            }
        }
    }
}

/// What a Dial came to.
fn result(dialling: &Dialling, status: DialStatus, cause: Cause, now: Now) -> DialResult {
    let since = |at: Instant| now.instant.saturating_duration_since(at);
    let answered = dialling.answered();
    let talked = matches!(dialling.stage, Stage::Talking(..) | Stage::Screening(_));
    let after = |at: Option<Instant>| at.map(|at| at.saturating_duration_since(dialling.started));
    DialResult {
        ended_by: if talked { DialEnd::Callee } else { DialEnd::Unanswered },
        peer_name: answered.map(|answered| answered.name.clone()),
        peer_number: answered.map(|answered| answered.resource.clone()),
        dialed: Some(since(dialling.started)),
        answered: answered.map(|answered| since(answered.at)),
        ringing: after(dialling.ringing),
        progress: after(dialling.progress),
        ..DialResult::unanswered(status, cause.number().into())
    }
}

/// DIALSTATUS when nobody answered: busy if anybody was, else congestion if anything was congested,
/// else nobody was there; and no answer if all ended without any of these.
fn status(causes: &[Cause]) -> DialStatus {
    let any = |wanted: &[Cause]| causes.iter().any(|cause| wanted.contains(cause));
    let nothing = [Cause::NO_ANSWER, Cause::NORMAL_CLEARING];
    if any(&[Cause::USER_BUSY]) {
        DialStatus::Busy
    } else if any(&[Cause::CONGESTION]) {
        DialStatus::Congestion
    } else if causes.iter().any(|cause| !nothing.contains(cause)) {
        DialStatus::ChanUnavail
    } else {
        DialStatus::NoAnswer
    }
}

/// Why a Dial could not go on.
impl From<PlaceError> for Cause {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Full | PlaceError::Signal(SignalError::NoPort) => Self::CONGESTION,
            _ => Self::NO_ROUTE,
        }
    }
}

/// Forwards of one Dial before it is taken for a loop.
const MOST_FORWARDS: usize = 10;
