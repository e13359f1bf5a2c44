//! Bridges: calls that hear each other, put together and taken apart by whoever has them.
//!
//! A bridge knows its members and nothing of why they are there: Dial makes one of a caller and who
//! answered, and a transfer moves members between bridges. Its audio is a room without a name on the
//! shard of the first member that has audio.

use bstr::BString;
use diesis_dialplan::operation::{BridgeResult, Outcome};

use super::{
    EndedBy, Switch, SwitchEvent,
    call::{Call, Hold},
    features::{Collected, Feature, KeyCollector},
    plan::resume,
};
use crate::{
    channel::{Cause, ChannelId, DigitSource},
    clock::Now,
    media::{Digit, MuteState, RoomId, ShardId, TalkDetection},
};

/// Names one bridge for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BridgeId(u64);

impl BridgeId {
    /// The number it was made of.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// One bridge.
#[derive(Debug)]
pub(super) struct Bridge {
    kind: BridgeKind,
    room: RoomId,
    /// Where it is mixed, once a member has audio.
    shard: Option<ShardId>,
    members: Vec<ChannelId>,
    /// Those of them that nobody's Dial connects: they stay as long as another one does.
    guests: Vec<ChannelId>,
}

/// What a bridge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BridgeKind {
    /// Those in it talk with each other.
    Conversation,
    /// One speaks and the others listen: nobody's keys and nobody's holding concern the others.
    Page,
}

/// What a member is to its bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberKind {
    /// One of those that a Dial connects.
    Party,
    /// One that joined them.
    Guest,
}

impl Bridge {
    /// Who is in it besides this one.
    pub(super) fn other_than(&self, call: ChannelId) -> Option<ChannelId> {
        self.members.iter().copied().find(|&member| member != call)
    }
}

/// A call's place in a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bridged {
    pub(super) bridge: BridgeId,
    audio: Audio,
    mute: MuteState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audio {
    /// The call has no stream yet.
    Missing,
    Joined,
}

/// What a member of a bridge tells the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BridgeNews {
    /// It pressed a key.
    Presses(Digit, DigitSource),
    /// It holds the call; the music that it suggests meanwhile.
    Holds(Option<BString>),
    /// It goes on with the call.
    Resumes,
    /// The one told has nobody left to talk to, and no dialplan to go on with.
    Ends(Cause),
    /// There are only guests left.
    Deserted,
    /// In the holding bridge somebody begins or ends to announce something.
    Announces,
}

impl Switch {
    /// A bridge without members.
    pub(super) fn open_bridge(&mut self) -> BridgeId {
        self.open_bridge_of(BridgeKind::Conversation)
    }

    /// A bridge of this kind without members.
    pub(super) fn open_bridge_of(&mut self, kind: BridgeKind) -> BridgeId {
        let room = self.rooms.private();
        let bridge = BridgeId(room.0);
        self.bridges.insert(
            bridge,
            Bridge { kind, room, shard: None, members: Vec::new(), guests: Vec::new() },
        );
        bridge
    }

    /// Puts a call into a bridge; its audio follows as soon as it has any.
    pub(super) fn enter_bridge(&mut self, call: &mut Call, bridge: BridgeId) {
        self.enter_bridge_as(call, bridge, MemberKind::Party, MuteState::Open);
    }

    /// The same, as somebody else than one of those who talk, or in silence.
    pub(super) fn enter_bridge_as(
        &mut self,
        call: &mut Call,
        bridge: BridgeId,
        kind: MemberKind,
        mute: MuteState,
    ) {
        if call.bridged.is_some_and(|bridged| bridged.bridge == bridge) {
            return self.join_audio(call);
        }
        self.leave_bridge(call);
        let Some(found) = self.bridges.get_mut(&bridge) else { return };
        found.members.push(call.id);
        if kind == MemberKind::Guest {
            found.guests.push(call.id);
        }
        call.bridged = Some(Bridged { bridge, audio: Audio::Missing, mute });
        self.tell(SwitchEvent::BridgeEntered { bridge, call: call.id });
        self.join_audio(call);
    }

    /// The call has a stream now, or had one already: brings it into the call's bridge.
    pub(super) fn join_audio(&mut self, call: &mut Call) {
        self.settle_in_holding(call);
        let (Some(bridged), Some((shard, _))) = (&mut call.bridged, call.channel.stream()) else {
            return;
        };
        if bridged.audio == Audio::Joined {
            return;
        }
        let Some(bridge) = self.bridges.get_mut(&bridged.bridge) else { return };
        bridged.audio = Audio::Joined;
        let (room, shard) = (bridge.room, *bridge.shard.get_or_insert(shard));
        let talk = TalkDetection::Off;
        call.channel.join(room, shard, bridged.mute, talk, &mut self.outbox);
        self.follow_stream(call);
    }

    /// Takes a call out of its bridge, if it is in one.
    pub(super) fn leave_bridge(&mut self, call: &mut Call) {
        self.leave_holding(call);
        let Some(Bridged { bridge, audio, .. }) = call.bridged.take() else { return };
        call.keys = KeyCollector::default();
        if audio == Audio::Joined {
            call.channel.leave(&mut self.outbox);
        }
        let mut partner = None;
        if let Some(found) = self.bridges.get_mut(&bridge) {
            found.members.retain(|member| *member != call.id);
            found.guests.retain(|guest| *guest != call.id);
            let is_deserted = found.members.len() == found.guests.len();
            // One who was held, and whose partner is gone, hears no music any more.
            let others = found.members.clone();
            partner = others.first().copied().filter(|_| others.len() == 1);
            if others.is_empty() {
                self.bridges.remove(&bridge);
            }
            if is_deserted {
                let news = |other: &ChannelId| (*other, BridgeNews::Deserted);
                self.bridge_news.extend(others.iter().map(news));
            }
            if call.hold == Hold::Held {
                let news = |other| (other, BridgeNews::Resumes);
                self.bridge_news.extend(others.into_iter().map(news));
            }
        }
        if let Some(partner) = partner {
            self.exchange_quality(call, partner);
        }
        call.channel.stop_music(&mut self.outbox);
        self.tell(SwitchEvent::BridgeLeft { bridge, call: call.id });
    }

    /// Tells all others in the call's bridge; how many there are.
    pub(super) fn tell_bridge(&mut self, call: &Call, news: &BridgeNews) -> usize {
        let bridge = call.bridged.and_then(|bridged| self.bridges.get(&bridged.bridge));
        let members = bridge.map(|bridge| bridge.members.clone()).unwrap_or_default();
        let others: Vec<_> = members.into_iter().filter(|member| *member != call.id).collect();
        let count = others.len();
        self.bridge_news.extend(others.into_iter().map(|other| (other, news.clone())));
        count
    }

    /// A member of the call's bridge tells something.
    pub(super) fn take_bridge_news(&mut self, to: ChannelId, news: BridgeNews, now: Now) {
        self.with_call(to, now, |switch, call| match news {
            BridgeNews::Presses(digit, source) => {
                call.channel.pass_digit(digit, source, &mut switch.outbox);
            }
            BridgeNews::Holds(music) if call.bridged.is_some() => {
                switch.start_suggested_music(call, music);
            }
            BridgeNews::Holds(_) => {}
            BridgeNews::Resumes => call.channel.stop_music(&mut switch.outbox),
            BridgeNews::Ends(cause) if call.bridged.is_none() && call.dialling.is_none() => {
                switch.end(call, cause, EndedBy::FarEnd, now);
            }
            BridgeNews::Ends(_) => {}
            BridgeNews::Deserted => switch.leave_if_deserted(call),
            BridgeNews::Announces => switch.settle_in_holding(call),
        });
    }

    /// A guest is alone, or among guests: its BridgeAdd is over, unless somebody came meanwhile.
    fn leave_if_deserted(&mut self, call: &mut Call) {
        let Some(bridge) = call.bridged.and_then(|it| self.bridges.get(&it.bridge)) else { return };
        if bridge.guests.contains(&call.id) && bridge.members.len() == bridge.guests.len() {
            self.leave_bridge(call);
            resume(call, Outcome::Bridged(BridgeResult::Success));
        }
    }

    /// A digit of a call that is in a bridge; whether it was for the bridge.
    pub(super) fn press_in_bridge(
        &mut self,
        call: &mut Call,
        digit: Digit,
        source: DigitSource,
        now: Now,
    ) -> bool {
        let Some(bridged) = call.bridged else { return false };
        let bridge = self.bridges.get(&bridged.bridge);
        if bridge.is_some_and(|bridge| bridge.kind == BridgeKind::Page) {
            return true;
        }
        if call.keys.is_idle() {
            return self.tell_bridge(call, &BridgeNews::Presses(digit, source)) > 0;
        }
        match call.keys.press(digit, source, now.instant) {
            Collected::Waits => {}
            Collected::Asked(feature) => self.take_feature(call, feature, now),
            Collected::Pass(keys) => self.pass_keys(call, keys),
        }
        true
    }

    /// Keys that were held back and are no code.
    pub(super) fn release_keys(&mut self, call: &mut Call, now: Now) {
        let keys = call.keys.handle_timeout(now.instant);
        self.pass_keys(call, keys);
        if let Some(menu) = &mut call.menu {
            let keys = menu.handle_timeout(now.instant);
            self.pass_keys_in_room(call, keys);
        }
    }

    fn pass_keys(&mut self, call: &Call, keys: Vec<(Digit, DigitSource)>) {
        for (digit, source) in keys {
            self.tell_bridge(call, &BridgeNews::Presses(digit, source));
        }
    }

    /// A member of a bridge asked for something by keys.
    fn take_feature(&mut self, call: &mut Call, feature: Feature, now: Now) {
        tracing::info!(call_id = %call.parties.call_id, ?feature, "asked for by keys");
        self.tell(SwitchEvent::FeaturePressed { call: call.id, feature });
        match feature {
            Feature::Disconnect => self.disconnect_by_keys(call, now),
            Feature::BlindTransfer | Feature::AttendedTransfer => {
                self.begin_asking(call, feature, now);
            }
            Feature::AbortTransfer | Feature::CompleteTransfer | Feature::SwapTransfer => {
                self.take_consult_feature(call, feature, now);
            }
            Feature::Park => self.park_by_keys(call, now),
            Feature::Monitor | Feature::MixMonitor => self.record_by_keys(call, now),
        }
    }

    /// The far end changed what it sends: tells the others when it begins or ends to hold.
    pub(super) fn follow_hold(&mut self, call: &mut Call) {
        let hold = if call.session.is_held_by_far_end() { Hold::Held } else { Hold::Active };
        if hold == call.hold {
            return;
        }
        call.hold = hold;
        let (event, news) = match hold {
            Hold::Held => (SwitchEvent::CallHeld { call: call.id }, self.holds(call)),
            Hold::Active => (SwitchEvent::CallResumed { call: call.id }, BridgeNews::Resumes),
        };
        self.tell(event);
        let bridge = call.bridged.and_then(|bridged| self.bridges.get(&bridged.bridge));
        // Where more than two talk, or one only listens, nobody waits for who holds.
        let concerns_another = |bridge: &Bridge| {
            bridge.kind == BridgeKind::Conversation
                && bridge.members.len() == 2
                && bridge.guests.is_empty()
        };
        if bridge.is_some_and(concerns_another) {
            self.tell_bridge(call, &news);
        }
    }

    /// Ends a call that is in a bridge because its own time in it is over.
    pub(super) fn end_bridged(&mut self, id: ChannelId, cause: Cause, now: Now) {
        self.with_call(id, now, |switch, call| switch.end(call, cause, EndedBy::Us, now));
    }
}
