//! Who is connected with whom by a Dial, and how a transfer or a pick-up changes that.
//!
//! Of two who are connected at least one has a Dial: the one that dialled. A transfer leaves the
//! Dials where they are and gives them other legs, so that options and what comes after the Dial
//! stay in force; of two who were both dialled one gets a Dial without options, and two who both
//! dialled keep both.

use bstr::BString;
use diesis_dialplan::channel::Party;
use diesis_dialplan::operation::{Dial, DialEnd, DialStatus, Options};

use super::{
    super::{
        BridgeId, EndedBy, Switch, SwitchEvent,
        call::{Call, Control, Hold},
        features::KeyCollector,
    },
    Answered, Dialling, Leg, Limit, Placed, Stage,
    leg::OwnPlan,
    options, result,
};
use crate::{
    channel::{Cause, ChannelId},
    clock::Now,
};

/// What one call knows of another that it is being connected with.
#[derive(Debug, Clone)]
struct Partner {
    id: ChannelId,
    name: BString,
    dialled: BString,
    dials: bool,
}

impl Partner {
    fn of(call: &Call) -> Self {
        let dialled = call.parties.dialled.clone();
        Self { id: call.id, name: call.name.clone(), dialled, dials: call.dialling.is_some() }
    }
}

impl Dialling {
    /// A Dial that is through with everything but the conversation.
    fn joined(now: Now) -> Self {
        Self {
            options: Options::default(),
            legs: Vec::new(),
            called: 1,
            started: now.instant,
            until: None,
            ringing: None,
            progress: None,
            stage: Stage::Ringing,
            bridge: None,
            causes: Vec::new(),
            forwards: 0,
        }
    }
}

impl Dialling {
    /// The calls that it made and that are not over.
    pub(in super::super) fn legs(&self) -> impl Iterator<Item = ChannelId> {
        self.legs.iter().map(|placed| placed.leg)
    }
}

impl Switch {
    /// Who is connected with a call, both answered.
    pub(in super::super) fn partner(&self, call: &Call) -> Option<ChannelId> {
        let partner = match (&call.dialling, &call.control) {
            (Some(dialling), _) => match &dialling.stage {
                Stage::Talking(answered, _) => Some(answered.leg),
                Stage::Ringing | Stage::Screening(_) => None,
            },
            (None, Control::Leg(leg)) => leg.dialler.filter(|it| self.dials(*it, call.id)),
            (None, _) => None,
        };
        let is_up = |id: &ChannelId| self.calls.get(id).is_some_and(|call| call.is_up());
        partner.filter(|id| call.is_up() && is_up(id))
    }

    /// Whether a call has a Dial that connects it with another.
    pub(super) fn dials(&self, call: ChannelId, other: ChannelId) -> bool {
        let dialling = self.calls.get(&call).and_then(|call| call.dialling.as_ref());
        dialling.is_some_and(|dialling| match &dialling.stage {
            Stage::Talking(answered, _) => answered.leg == other,
            Stage::Ringing | Stage::Screening(_) => false,
        })
    }

    /// Lets a call go whose partner is going elsewhere: its dialplan hears that the Dial is over and
    /// ends; one that was dialled ends.
    pub(in super::super) fn dismiss(&mut self, call: &mut Call, now: Now) {
        let cause = Cause::NORMAL_CLEARING;
        let is_leg = matches!(call.control, Control::Leg(_));
        if let Some(dialling) = call.dialling.take() {
            let result = result(&dialling, DialStatus::Answer, cause, now);
            let ended_by = DialEnd::Caller;
            self.finish(call, super::DialResult { ended_by, ..result }, cause, now);
        }
        if is_leg {
            Self::say_farewell(call, cause);
            call.forget_dialler();
            self.end(call, cause, EndedBy::Us, now);
        }
    }

    /// Whose Dial a call that rings belongs to.
    pub(in super::super) fn ringing_for(&self, ringing: ChannelId) -> Option<ChannelId> {
        let call = self.calls.get(&ringing).filter(|call| !call.is_up() && !call.is_down())?;
        let Control::Leg(leg) = &call.control else { return None };
        let dialler = leg.dialler?;
        let dialling = self.calls.get(&dialler)?.dialling.as_ref()?;
        let rings = matches!(dialling.stage, Stage::Ringing)
            && dialling.legs.iter().any(|placed| placed.leg == ringing);
        rings.then_some(dialler)
    }

    /// Lets a call answer in the place of one that rings: it becomes a leg of the same Dial, and
    /// answers. Whether the other one was still ringing.
    pub(in super::super) fn answer_for(
        &mut self,
        call: &mut Call,
        ringing: ChannelId,
        now: Now,
    ) -> bool {
        let Some(dialler) = self.ringing_for(ringing).filter(|it| *it != call.id) else {
            return false;
        };
        if !self.stand_in(call, Some(dialler)) {
            return false;
        }
        let (id, name) = (call.id, call.name.clone());
        let mut caller = None;
        self.with_call(dialler, now, |_, dialler| {
            caller = dialler.pbx().map(|pbx| pbx.channel().caller.clone());
            let Some(dialling) = &mut dialler.dialling else { return };
            let placed = dialling.legs.iter().find(|placed| placed.leg == ringing);
            let resource = placed.map(|placed| placed.resource.clone()).unwrap_or_default();
            dialling.legs.push(Placed { leg: id, resource });
        });
        self.with_call(ringing, now, |_, ringing| {
            if let (Control::Leg(own), Control::Leg(other)) =
                (&mut call.control, &mut ringing.control)
            {
                own.relieve(other);
            }
        });
        if let (Some(caller), Some(pbx)) = (caller, call.pbx_mut()) {
            pbx.channel_mut().connected = caller;
        }
        self.tell(SwitchEvent::DialBegan { call: dialler, leg: id, channel: name });
        if !call.is_up() && !self.pick_up(call, now) {
            return true;
        }
        let news = super::DialNews { leg: id, what: super::What::Answers };
        self.dial_news.push_back((dialler, news));
        true
    }

    /// Makes a call with a dialplan of its own one that a Dial has, or is to have. Whether it could.
    pub(in super::super) fn stand_in(
        &mut self,
        call: &mut Call,
        dialler: Option<ChannelId>,
    ) -> bool {
        match std::mem::replace(&mut call.control, Control::Nobody) {
            Control::Dialplan(pbx) if call.dialling.is_none() => {
                call.channel.stop(&mut self.outbox);
                let party = &call.parties;
                call.identity.party.get_or_insert_with(|| {
                    Party::new(party.caller_name.clone(), party.caller_number.clone())
                });
                call.control = Control::Leg(Box::new(Leg::standing_in(dialler, *pbx)));
                true
            }
            other => {
                call.control = other;
                false
            }
        }
    }

    /// Lets a call answer and take the place of one that is connected, or that a dialplan has.
    pub(in super::super) fn replace_call(
        &mut self,
        call: &mut Call,
        place_of: ChannelId,
        now: Now,
    ) {
        let Some(replaced) = self.calls.get(&place_of) else { return };
        match self.partner(replaced) {
            Some(partner) => {
                if !self.stand_in(call, None) || !(call.is_up() || self.pick_up(call, now)) {
                    return;
                }
                self.link(call, partner, now);
            }
            None => {
                let place = replaced.pbx().map(|pbx| {
                    let place = pbx.place();
                    (place.context.to_owned(), place.extension.to_owned(), place.priority)
                });
                let Some((context, extension, priority)) = place else { return };
                if !call.is_up() && !self.pick_up(call, now) {
                    return;
                }
                self.go_on_at(call, (&context, &extension, priority));
            }
        }
        self.with_call(place_of, now, |switch, replaced| {
            switch.dismiss(replaced, now);
            if replaced.dialling.is_none() && replaced.bridged.is_none() {
                switch.end(replaced, Cause::NORMAL_CLEARING, EndedBy::Us, now);
            }
        });
    }

    /// Whether a call can be taken over: it is connected, or a dialplan has it to itself.
    pub(in super::super) fn can_be_taken_over(&self, id: ChannelId) -> bool {
        self.calls.get(&id).is_some_and(|call| {
            let has_dialplan = matches!(call.control, Control::Dialplan(_));
            self.partner(call).is_some()
                || (call.is_up() && has_dialplan && call.dialling.is_none())
        })
    }

    /// Takes a call out of the Dial that connects it, and lets its dialplan go on at a place.
    pub(in super::super) fn go_on_at(
        &mut self,
        call: &mut Call,
        (context, extension, priority): (&[u8], &[u8], u32),
    ) {
        if call.is_down() {
            return;
        }
        self.part_from_dial(call);
        self.originations.forget(call.id);
        let control = std::mem::replace(&mut call.control, Control::Nobody);
        call.control = match control {
            Control::Leg(leg) => {
                let Leg { mut pbx, own_plan, .. } = *leg;
                let pbx = match own_plan {
                    OwnPlan::None => pbx.moved_to(context.into(), extension.into(), priority),
                    OwnPlan::GoesOn | OwnPlan::Ends => {
                        pbx.redirect(context, extension, priority);
                        pbx
                    }
                };
                Control::Dialplan(Box::new(pbx))
            }
            Control::Dialplan(mut pbx) => {
                pbx.redirect(context, extension, priority);
                Control::Dialplan(pbx)
            }
            other => other,
        };
    }

    /// A leg goes elsewhere: the one that dialled it hears that it is gone.
    pub(in super::super) fn leave_dialler(&mut self, call: &Call) {
        if let Control::Leg(leg) = &call.control
            && let Some(dialler) = leg.dialler
        {
            let what = super::What::Ends(Cause::NORMAL_CLEARING);
            self.dial_news.push_back((dialler, super::DialNews { leg: call.id, what }));
        }
    }

    /// Takes a call out of the Dial that connects it, and lets it call somebody else. A call with a
    /// dialplan of its own goes on behind the Dial that it was in.
    pub(in super::super) fn dial_on(&mut self, call: &mut Call, dial: &Dial, now: Now) {
        if call.is_down() {
            return;
        }
        self.part_from_dial(call);
        let until = dial.timeout.and_then(|timeout| now.instant.checked_add(timeout));
        let dialling = Dialling { until, ..Dialling::joined(now) };
        let Some(outcome) = self.call_all(call, dialling, dial, now) else { return };
        match &mut call.control {
            Control::Dialplan(pbx) => pbx.handle_outcome(outcome),
            _ => self.end(call, Cause::NO_ROUTE, EndedBy::Failure, now),
        }
    }

    /// Takes a call out of the Dial that connects it; what it does next somebody else says.
    pub(super) fn part_from_dial(&mut self, call: &mut Call) {
        self.leave_bridge(call);
        self.parking.forget(call.id);
        call.channel.stop_background(&mut self.outbox);
        call.channel.stop_music(&mut self.outbox);
        call.channel.stop(&mut self.outbox);
        call.keys = KeyCollector::default();
        if call.dialling.take().is_some() {
            self.tell_dial_over(call);
        }
        call.forget_dialler();
    }

    fn tell_dial_over(&mut self, call: &Call) {
        let (status, cause) = (DialStatus::Answer, Cause::NORMAL_CLEARING);
        self.tell(SwitchEvent::DialEnded { call: call.id, status, cause });
    }

    /// Connects a call with another one that is answered, whoever either was connected with. One of
    /// them at least is in a Dial, or was dialled.
    pub(in super::super) fn link(&mut self, call: &mut Call, other: ChannelId, now: Now) {
        let Some(theirs) = self.calls.get(&other).map(|other| Partner::of(other)) else { return };
        let mine = Partner::of(call);
        let bridge = match call.bridged {
            Some(bridged) => bridged.bridge,
            None => self.open_bridge(),
        };
        if mine.dials || !theirs.dials {
            call.forget_dialler();
            self.connect_dial(call, &theirs, bridge, now);
        } else {
            call.follow_dialler(other);
        }
        self.enter_linked(call, bridge);
        self.with_call(other, now, |switch, other| {
            if theirs.dials {
                other.forget_dialler();
                switch.connect_dial(other, &mine, bridge, now);
            } else {
                other.follow_dialler(mine.id);
            }
            switch.enter_linked(other, bridge);
            if other.hold == Hold::Held {
                switch.tell_bridge(other, &switch.holds(other));
            }
        });
        if call.hold == Hold::Held {
            self.tell_bridge(call, &self.holds(call));
        }
        self.set_linked_keys(call, other, now);
        self.exchange_parties(call, other, now);
    }

    /// Gives the Dial of a call, or a new one, this partner.
    fn connect_dial(&mut self, call: &mut Call, partner: &Partner, bridge: BridgeId, now: Now) {
        let mut dialling = match call.dialling.take() {
            Some(dialling) => {
                self.tell_dial_over(call);
                dialling
            }
            None => Box::new(Dialling::joined(now)),
        };
        let Partner { id: leg, name, dialled: resource, .. } = partner.clone();
        let limit = match std::mem::replace(&mut dialling.stage, Stage::Ringing) {
            Stage::Talking(_, limit) => limit,
            Stage::Ringing | Stage::Screening(_) => Limit::default(),
        };
        if let Some(pbx) = call.pbx_mut() {
            pbx.set_variable("BRIDGEPEER", &name);
        }
        dialling.legs = vec![Placed { leg, resource: resource.clone() }];
        self.tell(SwitchEvent::DialBegan { call: call.id, leg, channel: name.clone() });
        let answered = Answered { leg, name, resource, at: now.instant };
        dialling.stage = Stage::Talking(answered, limit);
        dialling.bridge = Some(bridge);
        call.dialling = Some(dialling);
        self.tell(SwitchEvent::DialAnswered { call: call.id, leg });
    }

    fn enter_linked(&mut self, call: &mut Call, bridge: BridgeId) {
        call.channel.stop_background(&mut self.outbox);
        call.channel.stop_music(&mut self.outbox);
        call.channel.stop(&mut self.outbox);
        self.enter_bridge(call, bridge);
    }

    /// The keys by which each may ask for something, as the Dial says that either has.
    pub(super) fn set_linked_keys(&mut self, call: &mut Call, other: ChannelId, now: Now) {
        let keys = |call: &Call| call.dialling.as_ref().map(|it| options::features(&it.options));
        let mine = keys(call);
        let theirs = self.calls.get(&other).and_then(|other| keys(other));
        let features = &self.config.features;
        let pick = |own: &Option<[Vec<_>; 2]>, partners: &Option<[Vec<_>; 2]>| match (own, partners)
        {
            (Some([caller, _]), _) => KeyCollector::new(caller, features),
            (None, Some([_, callee])) => KeyCollector::new(callee, features),
            (None, None) => KeyCollector::default(),
        };
        call.keys = pick(&mine, &theirs);
        let keys = pick(&theirs, &mine);
        self.with_call(other, now, |_, other| other.keys = keys);
    }
}

impl Call {
    /// Nobody's Dial has anything to do with the call any more.
    pub(super) fn forget_dialler(&mut self) {
        if let Control::Leg(leg) = &mut self.control {
            leg.dialler = None;
        }
    }

    fn follow_dialler(&mut self, dialler: ChannelId) {
        if let Control::Leg(leg) = &mut self.control {
            leg.dialler = Some(dialler);
        }
    }
}
