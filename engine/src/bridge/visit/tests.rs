//! Visits driven by hand: what is said at the door, and who gets in.

use std::{net::SocketAddr, sync::Arc};

use super::*;
use crate::{
    channel::{DigitSource, PromptRequest},
    clock::clock,
    config::Secret,
    media::{Codec, Command, PlayEnd, PortLease, Prompt, SocketId, StreamId, StreamSettings},
};

struct Caller {
    id: ChannelId,
    channel: Channel,
    visit: Option<Visit>,
    heard: Vec<String>,
    ended: Option<VisitEnd>,
    mixed: bool,
}

struct Door {
    rooms: Rooms,
    out: Outbox,
    now: Instant,
    bridge: BridgeProfile,
    callers: Vec<Caller>,
}

impl Door {
    fn new() -> Self {
        let bridge = BridgeProfile::new("default_bridge");
        let (rooms, out) = (Rooms::default(), Outbox::default());
        Self { rooms, out, now: clock(), bridge, callers: Vec::new() }
    }

    fn comes(&mut self, user: &UserProfile) -> usize {
        let nth = self.callers.len();
        let id = ChannelId::new(nth as u64);
        let mut channel = Channel::new(id, "en".into());
        let address: SocketAddr = ([127, 0, 0, 1], 10_000).into();
        let port = PortLease { shard: ShardId(0), socket: SocketId(0), address };
        let settings = StreamSettings::new(address, Codec::Pcmu);
        channel.open(port, StreamId(nth as u64), settings, self.now, &mut self.out);
        let (heard, ended, mixed) = (Vec::new(), None, false);
        self.callers.push(Caller { id, channel, visit: None, heard, ended, mixed });
        let (visit, progress) = self.with(nth, |bridge, caller, around| {
            Visit::begin("600".into(), bridge, user.clone(), caller, around)
        });
        self.callers[nth].visit = Some(visit);
        self.took(nth, progress);
        self.run();
        nth
    }

    fn with<T>(
        &mut self,
        nth: usize,
        act: impl FnOnce(BridgeProfile, ChannelId, &mut Surroundings<'_>) -> T,
    ) -> T {
        let caller = &mut self.callers[nth];
        let mut around = Surroundings {
            channel: &mut caller.channel,
            rooms: &mut self.rooms,
            out: &mut self.out,
            now: self.now,
        };
        act(self.bridge.clone(), caller.id, &mut around)
    }

    fn took(&mut self, nth: usize, progress: VisitProgress) {
        match progress {
            VisitProgress::Ongoing => {}
            VisitProgress::SteppedInside(effects) => {
                self.callers[nth].mixed = effects.iter().any(|effect| {
                    matches!(effect, RoomEffect::Mix { channel, .. } if channel.number() == nth as u64)
                });
            }
            VisitProgress::Ended(end) => self.callers[nth].ended = Some(end),
        }
    }

    /// Loads every prompt, plays every play to its end, and hands on outcomes, until all wait.
    fn run(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(PromptRequest { id, name, .. }) = self.out.poll_prompt() {
                quiet = false;
                let Some(crate::channel::Asker::Channel(channel)) = self.out.asker(id) else {
                    continue;
                };
                let caller = &mut self.callers[channel.number() as usize];
                caller.heard.push(name.to_string());
                let prompt = Some(Arc::new(Prompt::from_samples(&[0; 160])));
                caller.channel.handle_prompt(id, prompt, self.now, &mut self.out);
            }
            while let Some((_, command)) = self.out.poll_media() {
                if let Command::Play { stream, play, .. } = command {
                    let channel = &mut self.callers[stream.0 as usize].channel;
                    channel.handle_play_finished(
                        play,
                        (PlayEnd::Completed, 0),
                        self.now,
                        &mut self.out,
                    );
                }
            }
            for nth in 0..self.callers.len() {
                let Some(outcome) = self.callers[nth].channel.poll_outcome() else { continue };
                quiet = false;
                let Some(mut visit) = self.callers[nth].visit.take() else { continue };
                let progress = self.with(nth, |_, _, around| visit.handle_outcome(outcome, around));
                self.callers[nth].visit = Some(visit);
                self.took(nth, progress);
            }
            if quiet {
                return;
            }
        }
    }

    fn types(&mut self, nth: usize, digits: &str) {
        for digit in digits.chars().filter_map(Digit::from_char) {
            let caller = &mut self.callers[nth];
            caller.channel.handle_digit(
                digit,
                DigitSource::TelephoneEvent,
                self.now,
                &mut self.out,
            );
            self.run();
        }
    }
}

fn user() -> UserProfile {
    UserProfile::new("default_user")
}

#[test]
fn the_first_hears_that_it_is_alone_and_the_third_how_many_there_are() {
    let mut door = Door::new();
    let first = door.comes(&user());
    let counting = UserProfile { announce_user_count: true, ..user() };
    let second = door.comes(&counting);
    let third = door.comes(&counting);
    assert_eq!(door.callers[first].heard, ["conf-onlyperson"]);
    assert_eq!(door.callers[second].heard, ["conf-onlyone"]);
    assert_eq!(door.callers[third].heard, ["conf-thereare", "digits/2", "conf-otherinparty"]);
    assert!(door.callers.iter().all(|caller| caller.mixed));
}

#[test]
fn a_quiet_one_and_one_that_need_not_be_told_hear_nothing() {
    for profile in
        [UserProfile { quiet: true, ..user() }, UserProfile { announce_only_user: false, ..user() }]
    {
        let mut door = Door::new();
        let caller = door.comes(&profile);
        assert!(door.callers[caller].heard.is_empty());
        assert!(door.callers[caller].mixed);
    }
}

#[test]
fn the_right_pin_opens_and_three_wrong_ones_do_not() {
    let locked = UserProfile { pin: Some(Secret::new("1234")), ..user() };
    let mut door = Door::new();
    let right = door.comes(&locked);
    door.types(right, "12");
    assert!(!door.callers[right].mixed);
    door.types(right, "34#");
    assert!(door.callers[right].mixed);
    let wrong = door.comes(&locked);
    for _ in 0..3 {
        assert_eq!(door.callers[wrong].ended, None);
        door.types(wrong, "99#");
    }
    assert_eq!(door.callers[wrong].ended, Some(VisitEnd::Refused));
    assert_eq!(door.rooms.count("600".into()), 1);
}

#[test]
fn a_longer_number_than_the_pin_is_wrong() {
    let locked = UserProfile { pin: Some(Secret::new("12")), ..user() };
    let mut door = Door::new();
    let caller = door.comes(&locked);
    door.types(caller, "123");
    assert!(!door.callers[caller].mixed);
}

#[test]
fn a_full_room_is_refused_with_a_word() {
    let mut door = Door::new();
    door.bridge.max_members = Some(1);
    door.comes(&user());
    let late = door.comes(&user());
    assert_eq!(door.callers[late].heard, ["conf-locked"]);
    assert_eq!(door.callers[late].ended, Some(VisitEnd::Refused));
}

#[test]
fn one_sent_away_hears_why() {
    let mut door = Door::new();
    let caller = door.comes(&UserProfile {
        end_marked: crate::config::EndMarked::WithLast,
        announce_only_user: false,
        ..user()
    });
    let id = door.callers[caller].id;
    door.rooms.leave(id);
    let mut visit = door.callers[caller].visit.take().expect("a visit");
    door.with(caller, |_, _, around| visit.handle_kick(KickReason::LeaderLeft, around));
    door.callers[caller].visit = Some(visit);
    door.run();
    assert_eq!(door.callers[caller].heard, ["conf-leaderhasleft"]);
    assert_eq!(door.callers[caller].ended, Some(VisitEnd::EndMarked));
}
