//! What one call, or an operator, does to another: end it, or send it to a place of the dialplan.

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::{
    operation::{DialPlace, HangupScope, Outcome},
    plan::{Circumstances, Priority, Target},
};

use super::{
    EndedBy, Switch, SwitchEvent,
    call::{Call, Control},
    plan::resume,
};
use crate::{
    channel::{Cause, ChannelId},
    clock::Now,
};

/// Why a call can not be sent elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// There is none of that name.
    #[error("there is no channel {0:?}")]
    NoChannel(BString),
    /// The dialplan has no such step.
    #[error(
        "the dialplan has no step {priority} of the extension {extension:?} in the context {context:?}"
    )]
    NoPlace {
        /// The context.
        context: BString,
        /// The extension.
        extension: BString,
        /// The priority or label.
        priority: BString,
    },
    /// It was called and rings: until it answers it belongs to whoever calls it.
    #[error(
        "the channel {0:?} is being called and has not answered: it can not be sent elsewhere yet"
    )]
    Rings(BString),
    /// It is ending.
    #[error("the channel is over")]
    NotUp,
}

impl Switch {
    /// Sends a call to a place of the dialplan: whatever it does is abandoned, whom it talks with is
    /// left alone. What is missing of the place is taken from where the call is.
    ///
    /// # Errors
    /// When there is no such channel or place, or the call was dialled and rings.
    pub fn redirect(
        &mut self,
        channel: &[u8],
        place: &DialPlace,
        now: Now,
    ) -> Result<(), RedirectError> {
        self.worked_at = now;
        let done = self.redirect_other(channel, place, now);
        self.work(now);
        done
    }

    /// The same while another call has its turn.
    pub(super) fn redirect_other(
        &mut self,
        channel: &[u8],
        place: &DialPlace,
        now: Now,
    ) -> Result<(), RedirectError> {
        let unknown = || RedirectError::NoChannel(channel.into());
        let id = self.find_call(channel).ok_or_else(unknown)?;
        let call = self.calls.get(&id).ok_or_else(unknown)?;
        let rings = matches!(call.control, Control::Leg(_)) && !call.is_up();
        if rings && !call.is_down() {
            return Err(RedirectError::Rings(call.name.clone()));
        }
        if call.is_down() || matches!(call.control, Control::Nobody) {
            return Err(RedirectError::NotUp);
        }
        let here = call.pbx().map(|pbx| {
            let place = pbx.place();
            (place.context.to_owned(), place.extension.to_owned())
        });
        let (context, extension) =
            here.unwrap_or_else(|| ("default".into(), call.parties.dialled.clone()));
        let context = place.context.clone().filter(|it| !it.is_empty()).unwrap_or(context);
        let extension = place.extension.clone().filter(|it| !it.is_empty()).unwrap_or(extension);
        let caller = call.parties.caller_number.clone();
        let priority = self.priority_at(&context, &extension, &place.priority, &caller, now);
        let Some(priority) = priority else {
            let priority = place.priority.clone();
            return Err(RedirectError::NoPlace { context, extension, priority });
        };
        self.with_call(id, now, |switch, call| {
            switch.send_to(call, (&context, &extension, priority), now);
        });
        Ok(())
    }

    /// The number of a place's priority, which may be a label, if the dialplan has such a step.
    pub fn step_at(&self, place: &DialPlace, now: Now) -> Option<u32> {
        let DialPlace { context, extension, priority } = place;
        let nobody = BString::default();
        let (context, extension) = (context.as_ref()?, extension.as_ref()?);
        self.priority_at(context, extension, priority, &nobody, now)
    }

    /// The number of a priority that is a number or a label, if there is such a step.
    fn priority_at(
        &self,
        context: &BString,
        extension: &BString,
        priority: &BString,
        caller: &BString,
        now: Now,
    ) -> Option<u32> {
        let circumstances = Circumstances {
            caller: Some(caller.as_ref()),
            now: now.wall,
            zone: self.config.time_zone.clone(),
        };
        let text = priority.trim_ascii();
        let number = text.to_str().ok().and_then(|text| text.parse::<u32>().ok());
        let target = match number {
            Some(number) => Target::Priority(number),
            None => Target::Label(BStr::new(text)),
        };
        let plan = &self.config.plan;
        let found = plan.find_in(context.as_ref(), extension.as_ref(), target, &circumstances);
        match plan.step(found.ok()?.step).priority() {
            Priority::Number(number) => Some(number),
            Priority::Hint => None,
        }
    }

    /// Takes a call out of whatever it does, and lets its dialplan go on at a place.
    fn send_to(&mut self, call: &mut Call, place: (&[u8], &[u8], u32), now: Now) {
        if let Control::Embedder { .. } = call.control {
            if let Some(command) = call.take_running() {
                self.complete(command, super::Completion::Replaced);
            }
            call.channel.stop(&mut self.outbox);
            let (context, extension) = (BStr::new(place.0), BStr::new(place.1));
            if let Err(error) = self.start_dialplan(call, context, extension, now) {
                tracing::info!(call_id = %call.parties.call_id, %error, "redirect");
                return self.end(call, Cause::NORMAL_CLEARING, EndedBy::Us, now);
            }
        }
        self.release(call, now);
        self.go_on_at(call, place);
    }

    /// Takes a call out of what it does with others: its room, its Dial, the Dial that it is part of.
    pub(super) fn release(&mut self, call: &mut Call, now: Now) {
        call.end_visit();
        self.leave_room(call);
        self.end_page(call, now);
        if let Some(dialling) = call.dialling.take() {
            let status = diesis_dialplan::operation::DialStatus::Cancel;
            self.tell(SwitchEvent::DialEnded {
                call: call.id,
                status,
                cause: Cause::NORMAL_CLEARING,
            });
            self.end_dial(call, &dialling, now);
        }
        self.leave_dialler(call);
    }

    /// The application SoftHangup.
    pub(super) fn soft_hang_up(
        &mut self,
        call: &mut Call,
        name: &BString,
        scope: HangupScope,
        now: Now,
    ) {
        let is_meant = |channel: &BString| match scope {
            HangupScope::Channel => channel.eq_ignore_ascii_case(name),
            HangupScope::Device => {
                let end = channel.rfind_byte(b'-').unwrap_or(channel.len());
                channel[..end].eq_ignore_ascii_case(name)
            }
        };
        let mut others: Vec<ChannelId> = self
            .calls
            .values()
            .filter(|other| !other.is_down() && is_meant(&other.name))
            .map(|other| other.id)
            .collect();
        others.sort_unstable();
        for id in others {
            self.with_call(id, now, |switch, call| {
                switch.end(call, Cause::NORMAL_CLEARING, EndedBy::Us, now);
            });
        }
        resume(call, Outcome::Done);
        if !call.is_down() && is_meant(&call.name) {
            self.end(call, Cause::NORMAL_CLEARING, EndedBy::Us, now);
        }
    }
}
