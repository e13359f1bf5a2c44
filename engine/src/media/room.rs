//! A room: its members, how they hear each other, and what is played to all of them.

use std::collections::VecDeque;

use slab::Slab;

use super::{
    Event, FRAME, MixRate, PlayEnd, PlayId, PlayItem, Rate, Repeat, RoomId, TapId, TapSource,
    TapState,
    mixer::{Limiter, Mixer, RoomMix},
    packet_io::PacketIo,
    player::Player,
    sound::{Space, Widener},
    stream::{Moment, Stream},
    tap::{NewTap, Sent, Tapped, Taps},
};

/// One room. Its members' streams belong to the shard; here are their slots.
#[derive(Debug)]
pub(crate) struct Room {
    id: RoomId,
    phase: usize,
    members: Vec<usize>,
    plays: VecDeque<RoomPlay>,
    taps: Taps,
    kind: Kind,
    /// Of its mix.
    rate: Rate,
    /// What that may be.
    shape: MixRate,
    /// For what is played to a room that does.
    widener: Widener,
    /// What its mixes share, where it is not in a mixer of its own.
    mix: RoomMix,
    /// Whether it is.
    is_in_mixer: bool,
}

/// Something that is said to a room.
#[derive(Debug)]
struct RoomPlay {
    player: Player,
    /// The slot of who does not hear it.
    except: Option<usize>,
}

/// How its members hear each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mix,
    /// There are two, and each is sent the other's packets.
    Pair,
}

/// Who hears a member of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    One,
    Many,
}

impl Room {
    pub(crate) fn new(id: RoomId, phase: usize) -> Self {
        Self {
            id,
            phase,
            members: vec![],
            plays: VecDeque::new(),
            taps: Taps::new(Tapped::Room(id)),
            kind: Kind::Mix,
            rate: Rate::Narrow,
            shape: MixRate::default(),
            widener: Widener::default(),
            mix: RoomMix::default(),
            is_in_mixer: false,
        }
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
        // Another stream may get the slot.
        for play in &mut self.plays {
            play.except.take_if(|except| *except == slot);
        }
    }

    /// Members came or went, or hear another codec from now on: finds out which rates its mix is to
    /// hold, and gives the highest. `own` is the mixer that is its own.
    pub(crate) fn settle(
        &mut self,
        mut own: Option<&mut Mixer>,
        streams: &mut Slab<Box<Stream>>,
    ) -> Rate {
        let rate = match self.shape {
            MixRate::At(rate) => rate,
            MixRate::UpTo(most) => self.useful_rate(streams).min(most),
        };
        let is_new = rate != self.rate;
        if let Some(mixer) = &mut own {
            mixer.end(&mut self.mix);
        }
        if is_new {
            self.rate = rate;
            self.mix.begin_anew();
        }
        for &member in &self.members {
            let Some(stream) = streams.get_mut(member) else { continue };
            self.mix.prepare_for(stream.codec(), stream.opus(), rate);
            stream.set_room_rate(rate);
        }
        match own {
            // What was mixed at the other rate is of no use to those who are still to be sent it.
            Some(mixer) if is_new => mixer.begin(rate, &mut self.mix),
            Some(mixer) => mixer.end(&mut self.mix),
            None => {}
        }
        rate
    }

    /// What is of use to one at least: 16 kHz to whoever hears them, since prompts may have as much;
    /// 48 kHz, which cost more than all else, only where another says as much. A recording hears what
    /// it is written at.
    fn useful_rate(&self, streams: &Slab<Box<Stream>>) -> Rate {
        let members = || self.members.iter().filter_map(|&slot| streams.get(slot));
        let recorded = self.taps.rate();
        let heard = members().map(|member| member.hears()).max().unwrap_or_default().max(recorded);
        if heard < Rate::Full {
            return heard;
        }
        let mut said = members().filter(|member| member.says() == Rate::Full);
        let has_use = match (said.next(), said.next()) {
            (None, _) => false,
            (Some(one), None) => {
                let mut others = members().filter(|member| member.id() != one.id());
                recorded == Rate::Full || others.any(|other| other.hears() == Rate::Full)
            }
            (Some(_), Some(_)) => true,
        };
        if has_use { Rate::Full } else { Rate::Wide }
    }

    /// Begins the mix of a frame; [`end_mix`](Self::end_mix) ends it.
    pub(crate) fn begin_mix(&mut self, mixer: &mut Mixer) {
        if self.is_in_mixer {
            mixer.end(&mut self.mix);
        }
        mixer.begin(self.rate, &mut self.mix);
    }

    /// Chooses what its mix holds; it is to be settled then.
    pub(crate) fn shape(&mut self, rate: MixRate) {
        self.shape = rate;
    }

    /// Everybody has been sent the mix, unless it is kept for some.
    pub(crate) fn end_mix(&mut self, mixer: &mut Mixer) {
        if !self.is_in_mixer {
            mixer.end(&mut self.mix);
        }
    }

    /// From now on the mixer is its own, and keeps what its mixes share.
    pub(crate) fn take_mixer(&mut self, mixer: &mut Mixer) {
        mixer.end(&mut self.mix);
        self.is_in_mixer = true;
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

    /// Who hears a member.
    pub(crate) fn company(&self) -> Company {
        if self.members.len() == 2 { Company::One } else { Company::Many }
    }

    /// Two that are sent each other's packets: who is sent none hears the noise of the other's line,
    /// if that is told.
    pub(crate) fn pass_noise(
        &self,
        streams: &mut Slab<Box<Stream>>,
        moment: Moment,
        io: &mut impl PacketIo,
    ) {
        let [one, two] = self.members[..] else { return };
        for (from, to) in [(one, two), (two, one)] {
            let Some((from, to)) = streams.get2_mut(from, to) else { continue };
            if let Some(noise) = from.noise_for(to) {
                to.send_noise_of_partner(&noise, moment, io);
            }
        }
    }

    /// Whether its members' audio is to be added up.
    pub(crate) fn is_mixed(&self) -> bool {
        self.kind == Kind::Mix
    }

    /// Queues a play that the member in the slot `except` does not hear; one more than the queue
    /// holds is refused as stopped.
    pub(crate) fn play(
        &mut self,
        play: PlayId,
        items: Vec<PlayItem>,
        except: Option<usize>,
        events: &mut VecDeque<Event>,
    ) {
        if self.plays.len() >= MOST_PLAYS {
            events.push_back(self.finished(play, PlayEnd::Stopped));
            return;
        }
        let player = Player::new(play, items, Repeat::Once);
        self.plays.push_back(RoomPlay { player, except });
    }

    pub(crate) fn stop_play(&mut self, play: Option<PlayId>, events: &mut VecDeque<Event>) {
        self.end_plays(play, PlayEnd::Stopped, events);
    }

    fn end_plays(&mut self, play: Option<PlayId>, end: PlayEnd, events: &mut VecDeque<Event>) {
        let concerned = |it: &RoomPlay| play.is_none_or(|play| play == it.player.play());
        for it in self.plays.iter().filter(|it| concerned(it)) {
            events.push_back(self.finished(it.player.play(), end));
        }
        self.plays.retain(|it| !concerned(it));
    }

    pub(crate) fn tap(
        &mut self,
        id: TapId,
        rate: Rate,
        sink: rtrb::Producer<i16>,
        events: &mut VecDeque<Event>,
    ) {
        let (source, state) = (TapSource::Received, TapState::Open);
        self.taps.add(NewTap { id, source, state, silence: None, rate, sink }, events);
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
    pub(crate) fn handle_frame(
        &mut self,
        mixer: &mut Mixer,
        streams: &mut Slab<Box<Stream>>,
        events: &mut VecDeque<Event>,
    ) {
        while let Some(RoomPlay { player, except }) = self.plays.front_mut() {
            if let Some(frame) = player.next_frame() {
                let Self { widener, rate, .. } = self;
                frame.with_sound(|sound| {
                    let mut space = Space::new();
                    let sound = sound.widened(*rate, widener, &mut space);
                    mixer.announce(sound);
                    // It is taken out of what that member hears as if he had said it himself.
                    if let Some(member) = except.and_then(|slot| streams.get_mut(slot)) {
                        member.say_also(sound, mixer);
                    }
                });
                break;
            }
            let play = player.play();
            self.plays.pop_front();
            events.push_back(self.finished(play, PlayEnd::Completed));
        }
        if self.taps.is_empty() {
            return;
        }
        let (mut narrow, mut space) = ([0; FRAME], Space::new());
        self.taps.handle_heard(mixer.heard_by(None, Limiter::default(), &mut narrow, &mut space));
        self.taps.handle_sent(Sent::Nothing, events);
    }

    fn finished(&self, play: PlayId, end: PlayEnd) -> Event {
        Event::RoomPlayFinished { room: self.id, play, end }
    }
}

/// Announcements that may wait: a crowd that joins at once is announced no longer than that.
const MOST_PLAYS: usize = 64;
