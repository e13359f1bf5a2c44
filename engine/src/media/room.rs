//! A room: its members, how they hear each other, and what is played to all of them.

use std::collections::VecDeque;

use slab::Slab;

use super::{
    Event, FRAME, PlayEnd, PlayId, PlayItem, Repeat, RoomId, TapId, TapSource, TapState,
    mixer::Mixer,
    player::Player,
    stream::Stream,
    tap::{NewTap, Sent, Tapped, Taps},
};

/// One room. Its members' streams belong to the shard; here are their slots.
#[derive(Debug)]
pub(crate) struct Room {
    id: RoomId,
    phase: usize,
    members: Vec<usize>,
    plays: VecDeque<Player>,
    taps: Taps,
    kind: Kind,
}

/// How its members hear each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mix,
    /// There are two, and each is sent the other's packets.
    Pair,
}

impl Room {
    pub(crate) fn new(id: RoomId, phase: usize) -> Self {
        let taps = Taps::new(Tapped::Room(id));
        Self { id, phase, members: vec![], plays: VecDeque::new(), taps, kind: Kind::Mix }
    }

    /// In which tick of a frame its members send.
    pub(crate) fn phase(&self) -> usize {
        self.phase
    }

    pub(crate) fn members(&self) -> &[usize] {
        &self.members
    }

    pub(crate) fn add(&mut self, slot: usize) {
        self.members.push(slot);
    }

    pub(crate) fn remove(&mut self, slot: usize) {
        self.members.retain(|&member| member != slot);
    }

    /// Finds out whether a mix is needed: two that only talk are better served with each other's
    /// packets, which wait in no buffer and are neither decoded nor encoded.
    pub(crate) fn arrange(&mut self, streams: &mut Slab<Box<Stream>>) {
        let pair = match self.members[..] {
            [one, two] if self.plays.is_empty() && self.taps.is_empty() => {
                let both = streams.get(one).zip(streams.get(two));
                both.filter(|(one, two)| one.can_pass_to(two)).map(|_| (one, two))
            }
            _ => None,
        };
        if pair.is_none() && self.kind == Kind::Mix {
            return;
        }
        self.kind = if pair.is_some() { Kind::Pair } else { Kind::Mix };
        for &member in &self.members {
            let partner = pair.map(|(one, two)| if member == one { two } else { one });
            if let Some(stream) = streams.get_mut(member) {
                stream.set_partner(partner);
            }
        }
    }

    /// Whether its members' audio is to be added up.
    pub(crate) fn is_mixed(&self) -> bool {
        self.kind == Kind::Mix
    }

    /// Queues a play; one more than the queue holds is refused as stopped.
    pub(crate) fn play(
        &mut self,
        play: PlayId,
        items: Vec<PlayItem>,
        events: &mut VecDeque<Event>,
    ) {
        if self.plays.len() >= MOST_PLAYS {
            events.push_back(self.finished(play, PlayEnd::Stopped));
            return;
        }
        self.plays.push_back(Player::new(play, items, Repeat::Once));
    }

    pub(crate) fn stop_play(&mut self, play: Option<PlayId>, events: &mut VecDeque<Event>) {
        self.end_plays(play, PlayEnd::Stopped, events);
    }

    fn end_plays(&mut self, play: Option<PlayId>, end: PlayEnd, events: &mut VecDeque<Event>) {
        let concerned = |player: &Player| play.is_none_or(|play| play == player.play());
        for player in self.plays.iter().filter(|player| concerned(player)) {
            events.push_back(self.finished(player.play(), end));
        }
        self.plays.retain(|player| !concerned(player));
    }

    pub(crate) fn tap(
        &mut self,
        id: TapId,
        sink: rtrb::Producer<i16>,
        events: &mut VecDeque<Event>,
    ) {
        let (source, state) = (TapSource::Received, TapState::Open);
        self.taps.add(NewTap { id, source, state, silence: None, sink }, events);
    }

    pub(crate) fn untap(&mut self, tap: TapId, events: &mut VecDeque<Event>) {
        self.taps.remove(tap, events);
    }

    /// The last member left.
    pub(crate) fn close(&mut self, events: &mut VecDeque<Event>) {
        self.end_plays(None, PlayEnd::Closed, events);
        self.taps.end(events);
    }

    /// Adds what is played to the mix of the speakers, and records the whole.
    pub(crate) fn handle_frame(&mut self, mixer: &mut Mixer, events: &mut VecDeque<Event>) {
        while let Some(player) = self.plays.front_mut() {
            if let Some(frame) = player.next_frame() {
                mixer.add_announcement(frame.samples());
                break;
            }
            let play = player.play();
            self.plays.pop_front();
            events.push_back(self.finished(play, PlayEnd::Completed));
        }
        if self.taps.is_empty() {
            return;
        }
        let mix: [i16; FRAME] = mixer.samples();
        self.taps.handle_heard(&mix);
        self.taps.handle_sent(Sent::Nothing, events);
    }

    fn finished(&self, play: PlayId, end: PlayEnd) -> Event {
        Event::RoomPlayFinished { room: self.id, play, end }
    }
}

/// Announcements that may wait: a crowd that joins at once is announced no longer than that.
const MOST_PLAYS: usize = 64;
