//! Rooms driven by hand: who is in, and what follows.

use super::*;
use crate::config::EndMarked;

struct Hall {
    rooms: Rooms,
    bridge: BridgeProfile,
}

impl Hall {
    fn new() -> Self {
        Self { rooms: Rooms::default(), bridge: BridgeProfile::new("default_bridge") }
    }

    fn join(&mut self, channel: u64, user: &UserProfile) -> (Found, Vec<RoomEffect>) {
        let channel = ChannelId::new(channel);
        let found = self
            .rooms
            .enter("600".into(), &self.bridge, user, channel, ShardId(0))
            .expect("there is room");
        (found, self.rooms.step_inside(channel, None))
    }

    fn leave(&mut self, channel: u64) -> Departure {
        self.rooms.leave(ChannelId::new(channel)).expect("a member")
    }
}

fn user() -> UserProfile {
    UserProfile::new("default_user")
}

fn mixed(effects: &[RoomEffect]) -> Vec<u64> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            RoomEffect::Mix { channel, .. } => Some(channel.number()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_room_lives_from_its_first_member_to_its_last() {
    let mut hall = Hall::new();
    for channel in 1..=3 {
        let (found, effects) = hall.join(channel, &user());
        assert_eq!(found.others, channel as usize - 1);
        assert_eq!(mixed(&effects), [channel]);
    }
    assert_eq!(hall.rooms.count("600".into()), 3);
    for channel in 1..=3 {
        assert_eq!(hall.leave(channel).members, 3 - channel as usize);
    }
    assert!(hall.rooms.is_empty());
    assert_eq!(hall.rooms.leave(ChannelId::new(1)), None);
}

#[test]
fn a_room_is_recorded_while_somebody_is_in_the_mix() {
    let mut hall = Hall::new();
    hall.bridge.records = true;
    let begins = |effects: &[RoomEffect]| {
        effects.iter().any(|effect| matches!(effect, RoomEffect::Record { .. }))
    };
    let ends = |effects: &[RoomEffect]| {
        effects.iter().any(|effect| matches!(effect, RoomEffect::EndRecord { .. }))
    };
    let waiting = UserProfile { wait_marked: true, ..user() };
    let marked = UserProfile { marked: true, ..user() };
    assert!(!begins(&hall.join(1, &waiting).1));
    assert!(begins(&hall.join(2, &marked).1));
    assert!(!begins(&hall.join(3, &user()).1));
    assert!(!ends(&hall.leave(2).effects), "3 is there");
    assert!(ends(&hall.leave(3).effects));
    assert!(begins(&hall.join(4, &marked).1));
    assert!(ends(&hall.leave(4).effects));
    assert!(!ends(&hall.leave(1).effects));
}

#[test]
fn a_full_room_takes_only_an_administrator() {
    let mut hall = Hall::new();
    hall.bridge.max_members = Some(1);
    hall.join(1, &user());
    let refused =
        hall.rooms.enter("600".into(), &hall.bridge, &user(), ChannelId::new(2), ShardId(0));
    assert_eq!(refused, Err(RoomRefusal::Full));
    assert_eq!(hall.rooms.name_of(ChannelId::new(2)), None);
    hall.join(3, &UserProfile { admin: true, ..user() });
    assert_eq!(hall.rooms.count("600".into()), 2);
}

#[test]
fn those_inside_hear_one_come_and_go_unless_it_is_quiet() {
    let mut hall = Hall::new();
    hall.join(1, &user());
    let (_, effects) = hall.join(2, &user());
    assert!(matches!(&effects[1], RoomEffect::Say { what, .. }
        if what.parts == [Said::Prompt("confbridge-join".into())]));
    let (_, quiet) = hall.join(3, &UserProfile { quiet: true, ..user() });
    assert_eq!(quiet.len(), 1);
    assert_eq!(hall.leave(3).effects, []);
    assert!(matches!(&hall.leave(2).effects[..], [RoomEffect::Say { what, .. }]
        if what.parts == [Said::Prompt("confbridge-leave".into())]));
}

#[test]
fn waiting_members_are_mixed_when_a_marked_one_comes_and_wait_again_when_it_goes() {
    let mut hall = Hall::new();
    let waiting = UserProfile { wait_marked: true, ..user() };
    let ending = UserProfile { wait_marked: true, end_marked: EndMarked::WithLast, ..user() };
    let (found, effects) = hall.join(1, &waiting);
    assert!(found.waits);
    assert_eq!(effects, []);
    hall.join(2, &ending);
    let (_, effects) = hall.join(3, &UserProfile { marked: true, ..user() });
    assert_eq!(mixed(&effects), [3, 1, 2]);
    let effects = hall.leave(3).effects;
    assert_eq!(effects[0], RoomEffect::Unmix { channel: ChannelId::new(1) });
    assert!(matches!(&effects[1], RoomEffect::Tell { prompts, .. }
        if *prompts == ["conf-leaderhasleft"]));
    let reason = KickReason::LeaderLeft;
    assert_eq!(effects[2], RoomEffect::Kick { channel: ChannelId::new(2), reason });
}

#[test]
fn a_channel_is_in_one_room_at_most() {
    let mut hall = Hall::new();
    hall.join(1, &user());
    let again =
        hall.rooms.enter("601".into(), &hall.bridge, &user(), ChannelId::new(1), ShardId(0));
    assert_eq!(again, Err(RoomRefusal::AlreadyInside));
    assert_eq!(hall.rooms.count("601".into()), 0);
}
