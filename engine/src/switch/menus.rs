//! Keys within a conference room, as the menus of `confbridge.conf` have it.

use std::collections::VecDeque;

use bstr::BString;

use super::{
    Switch,
    call::Call,
    features::{Collected, KeyCollector},
};
use crate::{
    bridge::{KickReason, RoomEffect, VisitEnd, VisitProgress, census},
    channel::{DigitSource, PlayRequest},
    clock::Now,
    config::{MenuAction, MenuProfile},
    media::Digit,
};

/// One caller's menu.
#[derive(Debug)]
pub(super) struct Menu {
    profile: MenuProfile,
    keys: KeyCollector<usize>,
    /// What the last keys asked for and is not done yet.
    todo: VecDeque<MenuAction>,
    hears: Hears,
}

/// What is said to the caller by the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hears {
    Nothing,
    /// Keys are not heard meanwhile.
    Reply,
    /// A key goes on from those that asked for it.
    Offer {
        typed: Vec<Digit>,
    },
}

impl Menu {
    pub(super) fn new(profile: MenuProfile, timeout: std::time::Duration) -> Self {
        let codes = profile.entries.iter().map(|entry| entry.keys.clone()).zip(0..).collect();
        let keys = KeyCollector::of(codes, timeout);
        Self { profile, keys, todo: VecDeque::new(), hears: Hears::Nothing }
    }

    /// When keys are no code any more.
    pub(super) fn deadline(&self) -> Option<std::time::Instant> {
        self.keys.deadline()
    }

    /// Forgets keys that became no code in time.
    pub(super) fn handle_timeout(&mut self, now: std::time::Instant) {
        self.keys.handle_timeout(now);
    }

    /// Whether the end of what the channel plays belongs to the menu.
    pub(super) fn is_saying(&self) -> bool {
        self.hears != Hears::Nothing
    }
}

impl Switch {
    /// A key of a caller in a room; whether the menu has it.
    pub(super) fn press_in_room(
        &mut self,
        call: &mut Call,
        digit: Digit,
        source: DigitSource,
        now: Now,
    ) -> bool {
        if !call.visit.as_ref().is_some_and(|visit| visit.is_inside()) {
            return false;
        }
        let Some(menu) = &mut call.menu else { return false };
        match std::mem::replace(&mut menu.hears, Hears::Nothing) {
            Hears::Nothing => {}
            Hears::Reply => {
                menu.hears = Hears::Reply;
                return true;
            }
            Hears::Offer { typed } => {
                menu.keys.begin_with(&typed, source);
                menu.todo.clear();
                call.channel.stop(&mut self.outbox);
            }
        }
        match menu.keys.press(digit, source, now.instant) {
            Collected::Waits | Collected::Pass(_) => {}
            Collected::Asked(entry) => {
                let Some(entry) = menu.profile.entries.get(entry) else { return true };
                menu.todo = entry.actions.iter().cloned().collect();
                let typed = entry.keys.clone();
                self.perform_menu(call, &typed, now);
            }
        }
        true
    }

    /// What the menu said is over.
    pub(super) fn go_on_in_menu(&mut self, call: &mut Call, now: Now) {
        let Some(menu) = &mut call.menu else { return };
        let typed = match std::mem::replace(&mut menu.hears, Hears::Nothing) {
            Hears::Offer { typed } => typed,
            Hears::Nothing | Hears::Reply => vec![],
        };
        self.perform_menu(call, &typed, now);
    }

    /// Does what the keys asked for, up to something that has to be said first.
    fn perform_menu(&mut self, call: &mut Call, typed: &[Digit], now: Now) {
        while let Some(action) = call.menu.as_mut().and_then(|menu| menu.todo.pop_front()) {
            let (said, hears) = match action {
                MenuAction::Offer(files) => (files, Hears::Offer { typed: typed.to_vec() }),
                action => (self.act(call, &action), Hears::Reply),
            };
            if said.is_empty() {
                continue;
            }
            let Some(menu) = &mut call.menu else { return };
            menu.hears = hears;
            call.channel.play(PlayRequest::named(said), None, now.instant, &mut self.outbox);
            return;
        }
    }

    /// Does one thing; what is said of it.
    fn act(&mut self, call: &mut Call, action: &MenuAction) -> Vec<BString> {
        let is_admin = call.visit.as_ref().is_some_and(|visit| visit.is_admin());
        match action {
            MenuAction::Nothing => vec![],
            MenuAction::Play(files) | MenuAction::Offer(files) => files.clone(),
            MenuAction::ToggleMute => {
                let Some(muted) = self.rooms.toggle_mute(call.id) else { return vec![] };
                self.follow_mute(call);
                vec![if muted { "conf-muted".into() } else { "conf-unmuted".into() }]
            }
            MenuAction::CountParticipants => {
                let visit = call.visit.as_ref();
                let count = visit.map_or(0, |visit| self.rooms.count(visit.room().as_ref()));
                census(count.saturating_sub(1), call.channel.language.as_ref())
            }
            MenuAction::Leave => {
                self.visited(call, VisitProgress::Ended(VisitEnd::LeftByKey));
                vec![]
            }
            MenuAction::KickLast => match self.rooms.last_to_come(call.id) {
                Some((channel, false)) if is_admin => {
                    let reason = KickReason::ByAdmin;
                    self.room_effects.push_back(RoomEffect::Kick { channel, reason });
                    vec![]
                }
                _ => vec!["conf-errormenu".into()],
            },
            MenuAction::ToggleLock if is_admin => match self.rooms.toggle_lock(call.id) {
                Some(true) => vec!["conf-lockednow".into()],
                Some(false) => vec!["conf-unlockednow".into()],
                None => vec![],
            },
            MenuAction::ToggleMuteParticipants if is_admin => {
                for effect in self.rooms.toggle_mute_participants(call.id) {
                    self.room_effects.push_back(effect);
                }
                vec![]
            }
            MenuAction::ToggleLock | MenuAction::ToggleMuteParticipants => {
                vec!["conf-errormenu".into()]
            }
        }
    }
}
