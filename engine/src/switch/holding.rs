//! Holding bridges (BridgeWait): who waits there is entertained, and hears who announces something.
//!
//! A holding bridge is there while somebody is in it. Its audio is a room without a name that only
//! announcers, and who listens to them, are in.

use std::{collections::HashMap, time::Duration};

use bstr::BString;
use diesis_dialplan::operation::{BridgeWait, Entertainment, HoldingRole};

use super::{Switch, bridges::BridgeNews, call::Call, plan::resume};
use crate::{
    channel::{ChannelId, OtherDigits, TaskOutcome},
    clock::Now,
    media::{MuteState, PlayItem, RoomId, ShardId, TalkDetection},
    pbx::perform,
    printable::Printable,
};

/// All holding bridges.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    bridges: HashMap<BString, Holding>,
    whereabouts: HashMap<ChannelId, BString>,
}

#[derive(Debug)]
struct Holding {
    room: RoomId,
    /// Where it is mixed, once somebody announced something.
    shard: Option<ShardId>,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    call: ChannelId,
    role: HoldingRole,
    entertainment: Entertainment,
    class: Option<BString>,
    hears: Hears,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hears {
    /// There is no audio yet.
    Nothing,
    Entertainment,
    Announcers,
}

impl Holdings {
    /// Whether nobody waits anywhere.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.bridges.is_empty() && self.whereabouts.is_empty()
    }

    fn of(&mut self, call: ChannelId) -> Option<&mut Holding> {
        self.bridges.get_mut(self.whereabouts.get(&call)?)
    }
}

impl Holding {
    fn has_announcer(&self) -> bool {
        self.members.iter().any(|member| member.role == HoldingRole::Announcer)
    }

    fn others(&self, than: ChannelId) -> impl Iterator<Item = ChannelId> + '_ {
        self.members.iter().map(|member| member.call).filter(move |call| *call != than)
    }
}

impl Switch {
    /// The application BridgeWait. What becomes of it is told when the call leaves.
    pub(super) fn wait_in_holding(&mut self, call: &mut Call, wait: BridgeWait, now: Now) {
        let BridgeWait { name, role, entertainment, class, timeout } = wait;
        self.leave_bridge(call);
        let room = match self.holdings.bridges.get(&name) {
            Some(holding) => holding.room,
            None => self.rooms.private(),
        };
        tracing::info!(call_id = %call.parties.call_id, bridge = %Printable(&name), ?role, "waits in a holding bridge");
        let (shard, members) = (None, Vec::new());
        let holding = self.holdings.bridges.entry(name.clone());
        let holding = holding.or_insert(Holding { room, shard, members });
        let hears = Hears::Nothing;
        holding.members.push(Member { call: call.id, role, entertainment, class, hears });
        let others: Vec<_> = holding.others(call.id).collect();
        self.holdings.whereabouts.insert(call.id, name);
        if role == HoldingRole::Announcer {
            self.tell_holding(others);
        }
        let time = timeout.unwrap_or(Duration::MAX);
        call.channel.wait(time, OtherDigits::Drop, now.instant, &mut self.outbox);
        self.settle_in_holding(call);
    }

    /// Lets a call in a holding bridge hear what it should: those who announce, or what it waits with.
    pub(super) fn settle_in_holding(&mut self, call: &mut Call) {
        let (Some(holding), Some((at, _))) = (self.holdings.of(call.id), call.channel.stream())
        else {
            return;
        };
        let is_announced = holding.has_announcer();
        let room = holding.room;
        let Some(member) = holding.members.iter_mut().find(|it| it.call == call.id) else { return };
        let hears = if is_announced { Hears::Announcers } else { Hears::Entertainment };
        let heard = std::mem::replace(&mut member.hears, hears);
        if heard == hears {
            return;
        }
        let (role, entertainment, class) =
            (member.role, member.entertainment, member.class.clone());
        if hears == Hears::Announcers {
            let shard = *holding.shard.get_or_insert(at);
            self.stop_entertaining(call);
            let mute = match role {
                HoldingRole::Announcer => MuteState::Open,
                HoldingRole::Participant => MuteState::Muted,
            };
            call.channel.join(room, shard, mute, TalkDetection::Off, &mut self.outbox);
            return self.follow_stream(call);
        }
        if heard == Hears::Announcers {
            call.channel.leave(&mut self.outbox);
        }
        match entertainment {
            Entertainment::Music => self.start_music(call, class),
            Entertainment::Ringing => {
                if let Some(tone) = self.tones.named("ring".into()) {
                    call.channel.play_in_background(PlayItem::Tone(tone), &mut self.outbox);
                }
            }
            Entertainment::Silence => {
                call.channel.play_in_background(PlayItem::Silence(SILENCE), &mut self.outbox);
            }
            Entertainment::Nothing => {}
        }
    }

    /// Takes a call out of the holding bridge it is in, if it is in one.
    pub(super) fn leave_holding(&mut self, call: &mut Call) {
        let Some(name) = self.holdings.whereabouts.remove(&call.id) else { return };
        let Some(holding) = self.holdings.bridges.get_mut(&name) else { return };
        let Some(at) = holding.members.iter().position(|member| member.call == call.id) else {
            return;
        };
        let gone = holding.members.remove(at);
        let others: Vec<_> = holding.others(call.id).collect();
        if others.is_empty() {
            self.holdings.bridges.remove(&name);
        } else if gone.role == HoldingRole::Announcer {
            self.tell_holding(others);
        }
        match gone.hears {
            Hears::Nothing => {}
            Hears::Entertainment => self.stop_entertaining(call),
            Hears::Announcers => call.channel.leave(&mut self.outbox),
        }
    }

    /// The wait of a call in a holding bridge is over. Whether it was in one.
    pub(super) fn take_holding_outcome(&mut self, call: &mut Call, outcome: &TaskOutcome) -> bool {
        if !self.holdings.whereabouts.contains_key(&call.id) {
            return false;
        }
        self.leave_holding(call);
        resume(call, perform::outcome(outcome.clone()));
        true
    }

    fn stop_entertaining(&mut self, call: &mut Call) {
        call.channel.stop_music(&mut self.outbox);
        call.channel.stop_background(&mut self.outbox);
    }

    /// Those who wait look anew at what they should hear.
    fn tell_holding(&mut self, others: Vec<ChannelId>) {
        self.bridge_news.extend(others.into_iter().map(|other| (other, BridgeNews::Announces)));
    }
}

/// A piece of the silence that is sent without end.
const SILENCE: Duration = Duration::from_secs(1);
