//! Page: many phones are called at once, and whoever answers hears the caller until that one hangs up.
//!
//! To those it calls a Page is what a Dial is; none of them takes the call from the others.

use std::time::Instant;

use bstr::{BString, ByteSlice};
use diesis_dialplan::operation::{self, Options, Outcome};

use super::{
    Switch, SwitchEvent,
    bridges::{BridgeId, BridgeKind, MemberKind},
    call::{Call, Control},
    dial::{DialNews, Verdict, What},
    plan::resume,
};
use crate::{
    channel::{Cause, ChannelId, OtherDigits, PlayRequest},
    clock::Now,
    media::MuteState,
};

/// A Page in progress, kept with the call that pages.
#[derive(Debug)]
pub(super) struct Paging {
    legs: Vec<ChannelId>,
    bridge: BridgeId,
    /// When ringing ends.
    until: Option<Instant>,
    options: Options,
    /// How often a call was sent elsewhere.
    forwards: usize,
}

impl Paging {
    /// When those who still ring are given up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until
    }
}

impl Switch {
    /// The application Page; it ends with the call.
    pub(super) fn page(&mut self, call: &mut Call, page: operation::Page, now: Now) {
        let is_free = matches!(call.control, Control::Dialplan(_)) && call.dialling.is_none();
        if !is_free {
            tracing::warn!(call_id = %call.parties.call_id, "Page inside the subroutine of a Dial is not available");
            return resume(call, Outcome::Failed);
        }
        let operation::Page { destinations, timeout, options } = page;
        let for_legs = options.clone().only(b"bA");
        let mut legs = Vec::new();
        for destination in &destinations {
            match self.call_destination(&call.as_caller(), destination, &for_legs, timeout, now) {
                Ok(placed) => legs.extend(placed.into_iter().map(|placed| placed.leg)),
                Err(cause) => {
                    tracing::info!(call_id = %call.parties.call_id, %cause, "Page: one can not be called");
                }
            }
        }
        if legs.is_empty() {
            tracing::warn!(call_id = %call.parties.call_id, "Page: nobody is called");
        }
        let bridge = self.open_bridge_of(BridgeKind::Page);
        let until = timeout.and_then(|timeout| now.instant.checked_add(timeout));
        let announcement = options.argument(b'A').filter(|_| !options.has(b'n'));
        let mut names: Vec<BString> = Vec::new();
        if !options.has(b'q') {
            names.push(BEEP.into());
        }
        names.extend(announcement.into_iter().flat_map(files));
        call.paging = Some(Box::new(Paging { legs, bridge, until, options, forwards: 0 }));
        self.enter_bridge(call, bridge);
        if !names.is_empty() {
            let request = PlayRequest { others: OtherDigits::Drop, ..PlayRequest::named(names) };
            call.channel.play(request, None, now.instant, &mut self.outbox);
        }
    }

    /// One that a Page called tells something. Whether the call pages.
    pub(super) fn take_page_news(&mut self, pager: ChannelId, news: &DialNews, now: Now) -> bool {
        if self.calls.get(&pager).is_none_or(|call| call.paging.is_none()) {
            return false;
        }
        self.with_call(pager, now, |switch, call| {
            let Some(mut paging) = call.paging.take() else { return };
            if paging.legs.contains(&news.leg) {
                switch.follow_paged(call, &mut paging, news, now);
            }
            call.paging = Some(paging);
        });
        true
    }

    fn follow_paged(&mut self, call: &Call, paging: &mut Paging, news: &DialNews, now: Now) {
        let leg = news.leg;
        match &news.what {
            What::Rings | What::Progresses => {}
            What::Answers => {
                self.tell(SwitchEvent::DialAnswered { call: call.id, leg });
                self.with_call(leg, now, |switch, leg| switch.begin_screening(leg, now));
            }
            What::Decides(Verdict::Connect) => {
                let mute = match paging.options.has(b'd') {
                    true => MuteState::Open,
                    false => MuteState::Muted,
                };
                let bridge = paging.bridge;
                self.with_call(leg, now, |switch, leg| {
                    switch.enter_bridge_as(leg, bridge, MemberKind::Party, mute);
                });
            }
            What::Decides(_) => {
                paging.legs.retain(|other| *other != leg);
                self.end_bridged(leg, Cause::NORMAL_CLEARING, now);
            }
            What::Forwards(to) => {
                paging.legs.retain(|other| *other != leg);
                paging.forwards += 1;
                if paging.options.has(b'i') || paging.forwards > MOST_FORWARDS {
                    tracing::info!(call_id = %call.parties.call_id, "Page: not forwarded");
                    return;
                }
                let timeout = paging.until.map(|it| it.saturating_duration_since(now.instant));
                let destination = super::dial::forwarded(to, call);
                let options = paging.options.clone().only(b"bA");
                let caller = call.as_caller();
                match self.call_destination(&caller, &destination, &options, timeout, now) {
                    Ok(placed) => paging.legs.extend(placed.into_iter().map(|placed| placed.leg)),
                    Err(cause) => {
                        tracing::info!(call_id = %call.parties.call_id, %cause, "Page: not forwarded");
                    }
                }
            }
            What::Ends(_) => paging.legs.retain(|other| *other != leg),
        }
    }

    /// The time for ringing is over: those who did not answer are not called any more.
    pub(super) fn end_page_ringing_if_late(&mut self, call: &mut Call, now: Now) {
        let Some(paging) = &mut call.paging else { return };
        if paging.until.is_none_or(|until| until > now.instant) {
            return;
        }
        paging.until = None;
        let rings = |leg: &ChannelId| self.calls.get(leg).is_some_and(|leg| !leg.is_up());
        let (ringing, answered) = paging.legs.iter().partition(|leg| rings(leg));
        paging.legs = answered;
        let ringing: Vec<ChannelId> = ringing;
        for leg in ringing {
            self.end_bridged(leg, Cause::NO_ANSWER, now);
        }
    }

    /// Ends a Page, if the call pages: everybody hangs up but the pager.
    pub(super) fn end_page(&mut self, call: &mut Call, now: Now) {
        let Some(paging) = call.paging.take() else { return };
        for leg in paging.legs {
            self.end_bridged(leg, Cause::NORMAL_CLEARING, now);
        }
        self.leave_bridge(call);
    }
}

/// The files of an announcement.
fn files(text: &[u8]) -> impl Iterator<Item = BString> + '_ {
    text.split_str("&").filter(|file| !file.is_empty()).map(BString::from)
}

/// What the pager hears before it speaks.
const BEEP: &str = "beep";

/// Forwards of one Page before it is taken for a loop.
const MOST_FORWARDS: usize = 10;
