//! Keys within a conference room, as the menus of `confbridge.conf` have it.

use std::collections::VecDeque;

use bstr::{BString, ByteSlice};

use super::{
    Switch,
    call::Call,
    features::{Collected, KeyCollector},
    videoshare::NUMBER_WAIT,
};
use crate::{
    bridge::{KickReason, RoomEffect, RoomMembers, VisitEnd, VisitProgress},
    channel::{DigitSource, PlayRequest},
    clock::Now,
    config::{MeetingKey, MenuAction, MenuProfile, RoomSound, VolumeChange, VolumeOf},
    media::{Digit, Gain},
};

/// One caller's keys in a room, and what they changed for that caller alone.
#[derive(Debug)]
pub(super) struct Menu {
    profile: MenuProfile,
    keys: KeyCollector<usize>,
    /// What the last keys asked for and is not done yet.
    todo: VecDeque<MenuAction>,
    hears: Hears,
    /// The number that is being entered for something.
    number: Option<Typing>,
    /// Of what the caller hears.
    listening: Gain,
    /// Of what the others hear of the caller.
    talking: Gain,
}

/// A number on its way, up to `#`.
#[derive(Debug)]
struct Typing {
    key: MeetingKey,
    typed: Vec<u8>,
    /// Forgotten then.
    until: std::time::Instant,
}

/// What is said to the caller by the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hears {
    Nothing,
    /// Keys are not heard meanwhile.
    Reply,
    /// Something the room has to tell: no key asked for it.
    News,
    /// A key goes on from those that asked for it.
    Offer {
        typed: Vec<Digit>,
    },
}

impl Menu {
    pub(super) fn new(profile: MenuProfile, timeout: std::time::Duration) -> Self {
        let codes = profile.entries.iter().map(|entry| entry.keys.clone()).zip(0..).collect();
        let keys = KeyCollector::of(codes, timeout);
        let (listening, talking) = (Gain::UNITY, Gain::UNITY);
        let (todo, hears) = (VecDeque::new(), Hears::Nothing);
        Self { profile, keys, todo, hears, number: None, listening, talking }
    }

    /// When keys are no code any more.
    pub(super) fn deadline(&self) -> Option<std::time::Instant> {
        let number = self.number.as_ref().map(|number| number.until);
        self.keys.deadline().into_iter().chain(number).min()
    }

    /// Forgets keys that became no code in time.
    pub(super) fn handle_timeout(&mut self, now: std::time::Instant) -> Vec<(Digit, DigitSource)> {
        self.number.take_if(|number| number.until <= now);
        self.keys.handle_timeout(now)
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
        if menu.number.is_some() {
            self.type_number(call, digit, now);
            return true;
        }
        match std::mem::replace(&mut menu.hears, Hears::Nothing) {
            Hears::Nothing => {}
            // Keys count, and what the room has to tell goes on.
            Hears::News => menu.hears = Hears::News,
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
            Collected::Waits => {}
            Collected::Pass(keys) => self.pass_keys_in_room(call, keys),
            Collected::Asked(entry) => {
                let Some(entry) = menu.profile.entries.get(entry) else { return true };
                menu.todo = entry.actions.iter().cloned().collect();
                let typed = entry.keys.clone();
                self.perform_menu(call, &typed, now);
            }
        }
        true
    }

    /// A key of a number that the caller enters: `#` ends it, `*` gives it up.
    fn type_number(&mut self, call: &mut Call, digit: Digit, now: Now) {
        let Some(menu) = &mut call.menu else { return };
        let Some(number) = &mut menu.number else { return };
        let key = number.key;
        let typed = match digit.as_char() {
            '*' => None,
            '#' => Some(std::mem::take(&mut number.typed)),
            digit => {
                number.typed.push(digit as u8);
                number.until = now.instant + NUMBER_WAIT;
                if number.typed.len() <= LONGEST_NUMBER {
                    return;
                }
                None
            }
        };
        menu.number = None;
        menu.todo.clear();
        menu.hears = Hears::Nothing;
        call.channel.stop(&mut self.outbox);
        let Some(typed) = typed else { return };
        let said = self.press_for_meeting(call, key, &typed, now);
        if let Some(menu) = &mut call.menu
            && !said.is_empty()
        {
            menu.hears = Hears::Reply;
            call.channel.play(PlayRequest::named(said), None, now.instant, &mut self.outbox);
        }
    }

    /// What the menu said is over.
    pub(super) fn go_on_in_menu(&mut self, call: &mut Call, now: Now) {
        let Some(menu) = &mut call.menu else { return };
        let typed = match std::mem::replace(&mut menu.hears, Hears::Nothing) {
            Hears::Offer { typed } => typed,
            Hears::Nothing | Hears::Reply | Hears::News => vec![],
        };
        self.perform_menu(call, &typed, now);
        let is_silent = call.menu.as_ref().is_some_and(|menu| !menu.is_saying());
        if is_silent && let Some(class) = self.rooms.music_of(call.id) {
            // What was said took the place of the music.
            self.start_music(call, class);
        }
    }

    /// Lets a caller hear what the room has to tell, after what is said already.
    pub(super) fn tell_in_room(&mut self, call: &mut Call, prompts: Vec<BString>, now: Now) {
        let Some(menu) = &mut call.menu else { return };
        if menu.is_saying() {
            return menu.todo.push_back(MenuAction::Play(prompts));
        }
        menu.hears = Hears::News;
        call.channel.play(PlayRequest::named(prompts), None, now.instant, &mut self.outbox);
    }

    /// Keys that ask for nothing go to the others, if they may.
    pub(super) fn pass_keys_in_room(&mut self, call: &Call, keys: Vec<(Digit, DigitSource)>) {
        let passes = call.visit.as_ref().is_some_and(|visit| visit.user().dtmf_passthrough);
        for (digit, source) in keys.into_iter().filter(|_| passes) {
            for channel in self.rooms.others_in_mix(call.id) {
                self.room_effects.push_back(RoomEffect::PassKey { channel, digit, source });
            }
        }
    }

    /// Lets a caller hear and be heard as loud as the keys have it.
    pub(super) fn follow_volume(&mut self, call: &Call) {
        let volumes = call.menu.as_ref().map(|menu| (menu.listening, menu.talking));
        if let Some((listening, talking)) = volumes {
            call.channel.set_volume(listening, talking, &mut self.outbox);
        }
    }

    fn change_volume(&mut self, call: &mut Call, of: VolumeOf, change: VolumeChange) {
        let Some(menu) = &mut call.menu else { return };
        let gain = match of {
            VolumeOf::Listening => &mut menu.listening,
            VolumeOf::Talking => &mut menu.talking,
        };
        *gain = match change {
            VolumeChange::Increase => gain.louder(),
            VolumeChange::Decrease => gain.quieter(),
            VolumeChange::Reset => Gain::UNITY,
        };
        self.follow_volume(call);
    }

    /// Does what the keys asked for, up to something that has to be said first.
    fn perform_menu(&mut self, call: &mut Call, typed: &[Digit], now: Now) {
        while let Some(action) = call.menu.as_mut().and_then(|menu| menu.todo.pop_front()) {
            let (said, hears) = match action {
                MenuAction::Offer(files) => (files, Hears::Offer { typed: typed.to_vec() }),
                action => (self.act(call, &action, now), Hears::Reply),
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
    fn act(&mut self, call: &mut Call, action: &MenuAction, now: Now) -> Vec<BString> {
        let Some(visit) = &call.visit else { return vec![] };
        let is_admin = visit.is_admin();
        let refused = || visit.sound(RoomSound::ErrorMenu);
        match action {
            MenuAction::Nothing => vec![],
            MenuAction::Play(files) | MenuAction::Offer(files) => files.clone(),
            MenuAction::ToggleMute => {
                let Some(muted) = self.rooms.toggle_mute(call.id) else { return vec![] };
                let said = if muted { RoomSound::Muted } else { RoomSound::Unmuted };
                let said = visit.sound(said);
                self.follow_mute(call);
                self.tell_muted(call, muted);
                said
            }
            MenuAction::CountParticipants => {
                let count = self.rooms.count(visit.room().as_ref());
                visit.census(count.saturating_sub(1), call.channel.language.as_ref())
            }
            MenuAction::Leave => {
                self.visited(call, VisitProgress::Ended(VisitEnd::LeftByKey), now);
                vec![]
            }
            MenuAction::KickLast => match self.rooms.last_to_come(call.id) {
                Some((channel, false)) if is_admin => {
                    let reason = KickReason::ByAdmin;
                    self.room_effects.push_back(RoomEffect::Kick { channel, reason });
                    vec![]
                }
                _ => refused(),
            },
            MenuAction::ToggleLock if is_admin => {
                let room = visit.room().clone();
                let was_locked = self.rooms.state(room.as_ref()).is_locked;
                let said = match was_locked {
                    true => RoomSound::UnlockedNow,
                    false => RoomSound::LockedNow,
                };
                let said = visit.sound(said);
                self.lock_room(room.as_ref(), !was_locked);
                said
            }
            MenuAction::ToggleMuteParticipants if is_admin => {
                let (room, said) = (visit.room().clone(), refused());
                let was_muted = self.rooms.state(room.as_ref()).is_muted;
                let done = self.mute_room(room.as_ref(), RoomMembers::Participants, !was_muted);
                if done.is_err() { said } else { vec![] }
            }
            MenuAction::ToggleLock | MenuAction::ToggleMuteParticipants => refused(),
            MenuAction::Volume(of, change) => {
                self.change_volume(call, *of, *change);
                vec![]
            }
            MenuAction::Meeting(key) if key.needs_number() => {
                let (typed, until) = (vec![], now.instant + NUMBER_WAIT);
                if let Some(menu) = &mut call.menu {
                    menu.number = Some(Typing { key: *key, typed, until });
                    menu.hears = Hears::News;
                }
                self.ask_number(call, now);
                vec![]
            }
            MenuAction::Meeting(key) => self.press_for_meeting(call, *key, b"", now),
            MenuAction::Dialplan { context, extension, priority } => {
                let place = bstr::join(",", [context, extension, priority]);
                let said = refused();
                if self.step_out(call, place.as_bstr(), now) { vec![] } else { said }
            }
        }
    }
}

/// Digits of a number that is entered.
const LONGEST_NUMBER: usize = 32;
