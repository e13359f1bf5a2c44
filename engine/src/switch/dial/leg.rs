//! One leg of a Dial: what it does before it is called and between its answer and the connection.

use std::{collections::VecDeque, time::Duration};

use bstr::{BString, ByteSlice};
use diesis_dialplan::operation::{DialPlace, Options};

use super::{
    super::{
        EndedBy, Switch,
        call::{Call, Control},
    },
    Caller, DialNews, What, options,
};
use crate::{
    channel::{Cause, ChannelId, OtherDigits, PlayRequest},
    clock::Now,
    pbx::{Pbx, perform::signals},
    printable::Printable,
    sip,
};

/// What a leg is to the call that dialled it.
#[derive(Debug)]
pub(in super::super) struct Leg {
    /// The call that dialled; `None` when a transfer took it away and nobody came in its place.
    pub(in super::super) dialler: Option<ChannelId>,
    /// The channel as subroutines see it.
    pub(in super::super) pbx: Pbx,
    stage: Stage,
    /// What is to be done in this stage, in order.
    errands: VecDeque<Errand>,
    /// What is to be done once it answers.
    after_answer: VecDeque<Errand>,
    running: Option<Running>,
    /// What becomes of its own dialplan.
    pub(super) own_plan: OwnPlan,
    /// Whether extension `h` is run for it at the end, and where (option e).
    farewell: Option<(BString, BString)>,
}

/// What becomes of the dialplan that a leg had before somebody took it for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnPlan {
    /// It has none.
    None,
    /// It goes on behind what it did, when it is let go.
    GoesOn,
    /// It ends with the call.
    Ends,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not called yet.
    Before,
    /// Called.
    Calling,
    /// Answered, and not connected yet.
    Screening,
    /// Whoever dialled it decides what is next.
    Done,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Errand {
    /// Run a subroutine; the variable that holds its verdict.
    Subroutine { target: BString, verdict: Option<&'static str> },
    /// Play files.
    Announce(Vec<BString>),
    /// Send keys.
    Digits(BString),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    Subroutine(Option<&'static str>),
    Task,
}

/// What the callee's subroutine wants (GOSUB_RESULT).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Verdict {
    Connect,
    /// Both hang up.
    Abort,
    Busy,
    Congestion,
    /// The caller goes on alone.
    Continue,
    /// The caller goes elsewhere.
    Goto(DialPlace),
}

impl Leg {
    /// A leg of a Dial with these options.
    pub(super) fn new(dialler: &Caller<'_>, pbx: Pbx, options: &Options) -> Self {
        let mut errands = VecDeque::new();
        if let Some(text) = options.argument(b'b') {
            errands
                .push_back(Errand::Subroutine { target: options::subroutine(text), verdict: None });
        }
        let mut after_answer = VecDeque::new();
        if let Some(text) = options.argument(b'A') {
            let files = text.split_str(":").next().unwrap_or_default();
            let files: Vec<BString> =
                files.split_str("&").filter(|file| !file.is_empty()).map(BString::from).collect();
            if !files.is_empty() {
                after_answer.push_back(Errand::Announce(files));
            }
        }
        if let Some(text) = options.argument(b'M') {
            let (target, verdict) = (options::callee_macro(text), Some("MACRO_RESULT"));
            after_answer.push_back(Errand::Subroutine { target, verdict });
        }
        if let Some(text) = options.argument(b'U') {
            let (target, verdict) = (options::callee_subroutine(text), Some("GOSUB_RESULT"));
            after_answer.push_back(Errand::Subroutine { target, verdict });
        }
        if let Some(digits) = options.argument(b'D').and_then(options::digits_for_callee) {
            after_answer.push_back(Errand::Digits(digits));
        }
        let farewell = options.has(b'e').then(|| {
            let (context, extension, _) = &dialler.place;
            (context.clone(), extension.clone())
        });
        Self {
            dialler: Some(dialler.id),
            pbx,
            stage: Stage::Before,
            errands,
            after_answer,
            running: None,
            own_plan: OwnPlan::None,
            farewell,
        }
    }

    /// A call that somebody's Dial did not make and takes for its leg all the same, or will be given.
    pub(super) fn standing_in(dialler: Option<ChannelId>, pbx: Pbx) -> Self {
        let none = VecDeque::new;
        Self {
            dialler,
            pbx,
            stage: Stage::Calling,
            errands: none(),
            after_answer: none(),
            running: None,
            own_plan: OwnPlan::None,
            farewell: None,
        }
    }

    /// Somebody else has it from now on: what it was to do for the one that dialled is dropped.
    pub(super) fn be_taken(&mut self, by: ChannelId) {
        self.dialler = Some(by);
        self.stage = Stage::Done;
        self.running = None;
        self.errands.clear();
        self.after_answer.clear();
    }

    /// Takes over what another leg was to do once answered.
    pub(super) fn relieve(&mut self, other: &mut Self) {
        self.after_answer = std::mem::take(&mut other.after_answer);
        self.farewell = other.farewell.take();
    }

    /// Whether a subroutine runs.
    pub(in super::super) fn runs_subroutine(&self) -> bool {
        matches!(self.running, Some(Running::Subroutine(_)))
    }

    /// Whether a task of the channel is an errand of this leg.
    pub(in super::super) fn runs_task(&self) -> bool {
        self.running == Some(Running::Task)
    }
}

impl Switch {
    /// The one that dialled lets the leg do what comes between its answer and the connection.
    pub(in super::super) fn begin_screening(&mut self, call: &mut Call, now: Now) {
        if let Control::Leg(leg) = &mut call.control {
            leg.stage = Stage::Screening;
            leg.errands = std::mem::take(&mut leg.after_answer);
        }
        self.next_errand(call, now);
    }

    /// An errand of the leg is over: looks at its verdict and goes on with the next.
    pub(in super::super) fn errand_over(&mut self, call: &mut Call, now: Now) {
        let Control::Leg(leg) = &mut call.control else { return };
        if let Some(Running::Subroutine(Some(variable))) = leg.running.take()
            && let Some(verdict) = verdict(&leg.pbx, variable)
        {
            leg.errands.clear();
            leg.stage = Stage::Done;
            let news = DialNews { leg: call.id, what: What::Decides(verdict) };
            if let Some(dialler) = leg.dialler {
                self.dial_news.push_back((dialler, news));
            }
            return;
        }
        self.next_errand(call, now);
    }

    /// Goes on with what the leg has to do.
    pub(super) fn next_errand(&mut self, call: &mut Call, now: Now) {
        loop {
            let Control::Leg(leg) = &mut call.control else { return };
            leg.running = None;
            let Some(errand) = leg.errands.pop_front() else { break };
            match errand {
                Errand::Subroutine { target, verdict } => {
                    if verdict == Some("MACRO_RESULT") {
                        let place = leg.pbx.place();
                        let (context, extension) =
                            (place.context.to_owned(), place.extension.to_owned());
                        let priority = place.priority.to_string();
                        leg.pbx.set_variable("MACRO_CONTEXT", &context);
                        leg.pbx.set_variable("MACRO_EXTEN", &extension);
                        leg.pbx.set_variable("MACRO_PRIORITY", priority.as_bytes());
                    }
                    let started = self.start_subroutine(call, target.as_ref(), now);
                    if let (true, Control::Leg(leg)) = (started, &mut call.control) {
                        leg.running = Some(Running::Subroutine(verdict));
                        return;
                    }
                    let target = Printable(&target);
                    tracing::warn!(call_id = %call.parties.call_id, %target, "Dial: there is no such subroutine");
                }
                Errand::Announce(files) => {
                    leg.running = Some(Running::Task);
                    let request =
                        PlayRequest { others: OtherDigits::Drop, ..PlayRequest::named(files) };
                    return call.channel.play(request, None, now.instant, &mut self.outbox);
                }
                Errand::Digits(digits) => {
                    leg.running = Some(Running::Task);
                    let signals = signals(digits.as_ref());
                    return call.channel.send_digits(signals, DIGIT, DIGIT, &mut self.outbox);
                }
            }
        }
        let Control::Leg(leg) = &mut call.control else { return };
        match leg.stage {
            Stage::Before => {
                leg.stage = Stage::Calling;
                self.depart_leg(call, now);
            }
            Stage::Screening => {
                leg.stage = Stage::Done;
                let news = DialNews { leg: call.id, what: What::Decides(Verdict::Connect) };
                if let Some(dialler) = leg.dialler {
                    self.dial_news.push_back((dialler, news));
                }
            }
            Stage::Calling | Stage::Done => {}
        }
    }

    /// Adds the headers that PJSIP_HEADER() and SIPAddHeader asked for.
    fn add_wanted_headers(call: &mut Call) {
        let (Control::Leg(leg), Some(departure)) = (&call.control, &mut call.departure) else {
            return;
        };
        for header in &leg.pbx.channel().outgoing_headers {
            let name = header.name.to_str().unwrap_or_default();
            let known = sip::HeaderName::parse(name.as_bytes());
            let is_ours = sip::is_reserved(known) || known == sip::HeaderName::Contact;
            // Control characters of a value become spaces: none can begin another header.
            if is_ours || departure.headers.push_named(name, header.value.as_slice()).is_err() {
                let name = Printable(&header.name);
                tracing::warn!(call_id = %call.parties.call_id, %name, "this header can not be set");
            }
        }
    }

    /// Calls the leg; it ends when that can not be done.
    fn depart_leg(&mut self, call: &mut Call, now: Now) {
        Self::add_wanted_headers(call);
        let placed = match call.other_half {
            Some(_) => {
                self.depart_local(call, now);
                Ok(())
            }
            None if call.departure.as_ref().is_some_and(|it| it.locate.is_some()) => {
                self.depart_named(call, now);
                Ok(())
            }
            None => self.depart(call, now),
        };
        if let Err(error) = placed {
            tracing::warn!(call_id = %call.parties.call_id, %error, "Dial");
            self.end(call, error.into(), EndedBy::Failure, now);
        }
    }

    /// Sends a leg to a place of the dialplan: it lives on by itself.
    pub(super) fn send_leg_to(&mut self, leg: ChannelId, place: DialPlace, now: Now) {
        self.with_call(leg, now, |switch, call| {
            let priority = place.priority.to_str().ok().and_then(|text| text.parse().ok());
            let (Some(context), Some(extension), Some(priority)) =
                (place.context, place.extension, priority)
            else {
                tracing::warn!(call_id = %call.parties.call_id, "Dial: the place for the callee needs a priority that is a number");
                switch.leave_bridge(call);
                return switch.end(call, Cause::NORMAL_CLEARING, EndedBy::Us, now);
            };
            switch.go_on_at(call, (&context, &extension, priority));
        });
    }

    /// What remains for a leg that is over: extension `h` where option e asks for it.
    pub(in super::super) fn say_farewell(call: &mut Call, cause: Cause) {
        let control = std::mem::replace(&mut call.control, Control::Nobody);
        let Control::Leg(leg) = control else {
            call.control = control;
            return;
        };
        let was_connected = leg.stage == Stage::Done;
        let Leg { pbx, farewell, own_plan, .. } = *leg;
        if own_plan != OwnPlan::None {
            // Its dialplan hears of the end as if nobody had taken it.
            call.control = Control::Dialplan(Box::new(pbx));
            return;
        }
        if let Some((context, extension)) = farewell.filter(|_| was_connected) {
            let mut pbx = pbx.moved_to(context.as_ref(), extension.as_ref(), 1);
            pbx.handle_hangup(cause);
            call.control = Control::Dialplan(Box::new(pbx));
        }
    }
}

/// The length of a key that option D sends, and of the pause after it.
pub(super) const DIGIT: Duration = Duration::from_millis(100);

/// What a subroutine left in its result variable.
fn verdict(pbx: &Pbx, variable: &str) -> Option<Verdict> {
    let text = pbx.variable(variable).filter(|text| !text.is_empty())?;
    let upper = text.to_ascii_uppercase();
    match upper.as_slice() {
        b"ABORT" => Some(Verdict::Abort),
        b"BUSY" => Some(Verdict::Busy),
        b"CONGESTION" => Some(Verdict::Congestion),
        b"CONTINUE" => Some(Verdict::Continue),
        _ if upper.starts_with(b"GOTO:") => Some(Verdict::Goto(options::place(&text[5..]))),
        _ => None,
    }
}
