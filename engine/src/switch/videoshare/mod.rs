//! Conferences with a master: brings what a [`Meeting`] decides to the calls, and what happens to
//! them to the meeting.
//!
//! Those who are mixed here are in a conference room as `ConfBridge()` has them; this knows who they
//! are to the meeting.

mod meeting;
mod orders;
mod report;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use bstr::{BString, ByteSlice};
use diesis_dialplan::{
    operation::{Options, OriginateStatus, OriginateTarget, Outcome},
    videoshare::{Ask, End, Role, Room, Step, Unreached, Who},
};

use super::{
    EndedBy, Originate, Switch, SwitchEvent,
    call::{Call, Control},
    originate::Asker,
    plan::resume,
};
use crate::{
    bridge::{KickReason, RoomEffect, VisitEnd},
    channel::{Cause, ChannelId},
    clock::Now,
    config::{BridgeProfile, ProfileError, RoomSound, UserProfile},
    printable::Printable,
    sip,
};
use meeting::{Action, MASTER, Meeting, guest};

use meeting::MeetingId;
pub(super) use meeting::Parting;
pub use meeting::{PersonKind, PersonState};
pub(super) use orders::NUMBER_WAIT;
pub use orders::{MeetingError, MeetingOrder, MeetingState, VideoShareView};
pub use report::{MeetingEnd, MeetingReport, PersonReport};

/// Those in progress.
#[derive(Debug, Default)]
pub(super) struct Meetings {
    open: BTreeMap<MeetingId, Open>,
    begun: u64,
    /// What became of the last one of each room, while the room is in the file.
    last: HashMap<BString, MeetingReport>,
    /// Those that have something to be done.
    touched: VecDeque<MeetingId>,
}

#[derive(Debug)]
struct Open {
    meeting: Meeting,
    due: Option<Instant>,
}

/// What a call is to a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    meeting: MeetingId,
    person: usize,
    /// Why it is sent away.
    end: Option<End>,
}

/// A call that is made for a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    meeting: MeetingId,
    person: usize,
}

/// Something that happens to a conference with a master.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MeetingChange {
    /// The first came, or it was started.
    Began,
    /// The master came first.
    Opened,
    /// The master left, and may come back.
    MasterAway,
    /// It stands otherwise with somebody.
    Person {
        /// The place in the list; 0 is the master.
        place: usize,
        /// The number.
        number: BString,
        /// The name.
        name: BString,
        /// How it stands now.
        state: PersonState,
        /// How often he was called so far.
        attempts: u32,
    },
}

impl Meetings {
    /// The meeting of a room, if it has one.
    fn of(&self, room: &[u8]) -> Option<MeetingId> {
        let is_its = |open: &Open| open.meeting.room.name.eq_ignore_ascii_case(room);
        self.open.iter().find(|(_, open)| is_its(open)).map(|(id, _)| *id)
    }

    fn get(&self, id: MeetingId) -> Option<&Meeting> {
        self.open.get(&id).map(|open| &open.meeting)
    }

    /// Lets something happen to one; `None`: it is over.
    fn with<R>(&mut self, id: MeetingId, act: impl FnOnce(&mut Meeting) -> R) -> Option<R> {
        let open = self.open.get_mut(&id)?;
        let done = act(&mut open.meeting);
        open.due = open.meeting.poll_timeout();
        self.touched.push_back(id);
        Some(done)
    }

    fn begin(&mut self, room: Arc<Room>, now: Now) -> MeetingId {
        self.begun += 1;
        let id = MeetingId(self.begun);
        let meeting = Meeting::begin(room, now);
        let due = meeting.poll_timeout();
        self.open.insert(id, Open { meeting, due });
        id
    }

    /// What one of them wants done.
    pub(super) fn poll_action(&mut self) -> Option<(MeetingId, Action)> {
        while let Some(id) = self.touched.front().copied() {
            let action = self.open.get_mut(&id).and_then(|open| open.meeting.poll_action());
            match action {
                Some(action) => return Some((id, action)),
                None => self.touched.pop_front(),
            };
        }
        None
    }

    /// When one of them has something to do by itself.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.open.values().filter_map(|open| open.due).min()
    }

    /// Whether there is none.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.touched.is_empty()
    }
}

impl Switch {
    /// What the dialplan asks for a caller.
    pub(super) fn video_share(&mut self, call: &mut Call, ask: &Ask, now: Now) {
        let outcome = match ask.step {
            Step::Join | Step::JoinHere => match self.take_seat(call, ask, now) {
                Ok(None) => return,
                Ok(Some(end)) | Err(end) => end,
            },
            Step::Left => {
                self.give_up_seat(call, Parting::Gone, now);
                End::Noted
            }
            Step::Refuse => {
                self.give_up_seat(call, Parting::Refused, now);
                End::Noted
            }
            Step::Ignore => {
                self.give_up_seat(call, Parting::Silent, now);
                End::Noted
            }
            Step::Unserved => {
                self.give_up_seat(call, Parting::Unserved, now);
                End::NoServer
            }
        };
        resume(call, Outcome::VideoShare(outcome));
    }

    /// Lets a caller in; what it is told at once.
    fn take_seat(&mut self, call: &mut Call, ask: &Ask, now: Now) -> Result<Option<End>, End> {
        let seat = call.seat.take();
        let id = match seat {
            // A call that was made for a meeting belongs to no later one.
            Some(seat) if self.meetings.get(seat.meeting).is_none() => return Err(End::Ended),
            Some(seat) => seat.meeting,
            None => match self.meetings.of(&ask.room) {
                Some(id) => id,
                None => {
                    let room = self.config.plan.videoshare().named(&ask.room);
                    self.begin_meeting(Arc::clone(room.ok_or(End::Failed)?), now)
                }
            },
        };
        let channel = call.pbx().map(|pbx| pbx.channel().caller.clone()).unwrap_or_default();
        let caller = (channel.number.unwrap_or_default(), channel.name.unwrap_or_default());
        let who = seat.map_or(ask.who, |seat| Who::Known(seat.person));
        let admitted = self.meetings.with(id, |meeting| {
            let caller = guest(&caller.0, &caller.1, meeting.room.guest_role);
            meeting.admit(who, call.id, caller, now)
        });
        let person = match admitted {
            Some(Ok(person)) => person,
            Some(Err(end)) => {
                self.meetings.with(id, |meeting| match seat {
                    Some(seat) => meeting.left(seat.person, call.id, Parting::Gone, now),
                    None => meeting.turned_away(now),
                });
                return Err(end);
            }
            None => return Err(End::Ended),
        };
        call.seat = Some(Seat { meeting: id, person, end: None });
        let meeting = self.meetings.get(id).ok_or(End::Ended)?;
        let is_served = meeting.room.media_server.is_some() && ask.step == Step::Join;
        if is_served && !meeting.waits(person) {
            self.meetings.with(id, |meeting| meeting.joined(person, call.id, now));
            return Ok(Some(End::GoToServer));
        }
        let visited = self.visit_meeting(call, id, person, seat.is_some(), now);
        visited.map(|()| None).map_err(|error| {
            tracing::error!(call_id = %call.parties.call_id, %error, "VideoShare");
            self.give_up_seat(call, Parting::Gone, now);
            End::Failed
        })
    }

    /// Brings a call to the door of the conference room.
    fn visit_meeting(
        &mut self,
        call: &mut Call,
        id: MeetingId,
        person: usize,
        is_invited: bool,
        now: Now,
    ) -> Result<(), ProfileError> {
        let Some(meeting) = self.meetings.get(id) else { return Ok(()) };
        let room = Arc::clone(&meeting.room);
        let bridge = self.bridge_of(&room)?;
        let mut user = UserProfile::new("videoshare");
        user.admin = person == MASTER;
        user.marked = person == MASTER;
        user.wait_marked = meeting.ends_with_master() || !meeting.is_open();
        user.start_muted = person != MASTER && meeting.role_of(person) == Role::Listener;
        user.music_when_empty = true;
        user.music_class = room.music.clone();
        user.announce_only_user = false;
        user.announce_user_count = room.announces_count;
        let menu = orders::menu(person == MASTER, meeting.role_of(person));
        let name = conference(&room);
        // Who was invited comes in whether the door is locked or not.
        let is_locked = is_invited && self.rooms.state(name.as_ref()).is_locked;
        if is_locked {
            self.rooms.lock(name.as_ref(), false);
        }
        self.enter_room(call, name.clone(), (bridge, user, menu), now);
        if is_locked {
            self.rooms.lock(name.as_ref(), true);
        }
        Ok(())
    }

    fn bridge_of(&self, room: &Room) -> Result<BridgeProfile, ProfileError> {
        let profile = room.bridge_profile.as_ref().map(|name| name.as_bstr());
        let mut bridge = self.config.conferences.bridge(profile, std::iter::empty())?;
        for (sound, prompt) in &room.sounds.room {
            // Their names were looked at when the file was read.
            let _ = bridge.set(sound.as_bytes(), prompt.as_bstr());
        }
        bridge.records |= room.records;
        // The meeting counts, and knows who is the master.
        bridge.max_members = None;
        if bridge.sounds.of(RoomSound::LeaderHasLeft).is_empty() && !room.sounds.ended.is_empty() {
            bridge.sounds.set(RoomSound::LeaderHasLeft, room.sounds.ended.clone());
        }
        Ok(bridge)
    }

    fn begin_meeting(&mut self, room: Arc<Room>, now: Now) -> MeetingId {
        tracing::info!(room = %Printable(&room.name), "conference with a master begins");
        let name = room.name.clone();
        let id = self.meetings.begin(room, now);
        self.tell(SwitchEvent::VideoShare { room: name, change: MeetingChange::Began });
        id
    }

    /// A call is inside of its room.
    pub(super) fn seated(&mut self, call: &Call, now: Now) {
        let Some(Seat { meeting, person, .. }) = call.seat else { return };
        self.meetings.with(meeting, |meeting| meeting.joined(person, call.id, now));
    }

    /// A call is in its room no more.
    pub(super) fn unseated(&mut self, call: &Call, now: Now) {
        let Some(Seat { meeting, person, end }) = call.seat else { return };
        let how = match end {
            Some(End::GoToServer) => return,
            Some(End::Kicked) => Parting::Removed,
            _ => Parting::Gone,
        };
        self.meetings.with(meeting, |meeting| meeting.left(person, call.id, how, now));
    }

    /// A call has no part in its meeting any more.
    pub(super) fn give_up_seat(&mut self, call: &mut Call, how: Parting, now: Now) {
        let Some(Seat { meeting, person, .. }) = call.seat.take() else { return };
        self.meetings.with(meeting, |meeting| meeting.left(person, call.id, how, now));
    }

    /// How a visit to a meeting's room ended; `None`: the call is in no meeting.
    pub(super) fn end_of_seat(&self, call: &mut Call, visit: VisitEnd) -> Option<Outcome> {
        let seat = call.seat?;
        let end = seat.end.unwrap_or_else(|| match visit {
            VisitEnd::Refused => {
                let meeting = self.meetings.get(seat.meeting);
                let name = meeting.map(|meeting| conference(&meeting.room)).unwrap_or_default();
                match self.rooms.state(name.as_ref()).is_locked {
                    true => End::Locked,
                    false => End::Failed,
                }
            }
            VisitEnd::EndMarked => End::MasterLeft,
            VisitEnd::LeftByKey => End::Left,
            VisitEnd::Left | VisitEnd::Kicked => End::Kicked,
            VisitEnd::TimedOut => End::TimeIsUp,
        });
        match end {
            End::GoToServer => call.seat = Some(Seat { end: None, ..seat }),
            _ => call.seat = None,
        }
        Some(Outcome::VideoShare(end))
    }

    /// Lets meetings do what is due.
    pub(super) fn wake_meetings(&mut self, now: Now) {
        let is_due = |open: &Open| open.due.is_some_and(|due| due <= now.instant);
        let open = self.meetings.open.iter();
        let due: Vec<MeetingId> =
            open.filter(|(_, open)| is_due(open)).map(|(id, _)| *id).collect();
        for id in due {
            self.meetings.with(id, |meeting| meeting.handle_timeout(now));
        }
    }

    /// Ends all meetings, because the engine stops: each is reported.
    pub fn end_meetings(&mut self, now: Now) {
        self.worked_at = now;
        for id in self.meetings.open.keys().copied().collect::<Vec<_>>() {
            self.meetings.with(id, |meeting| meeting.end(MeetingEnd::Stopped, now));
        }
        self.work(now);
    }

    /// Does what a meeting wants done.
    pub(super) fn act_for_meeting(&mut self, id: MeetingId, action: Action, now: Now) {
        let Some(meeting) = self.meetings.get(id) else { return };
        let room = meeting.room.name.clone();
        let change = match action {
            Action::Call(person) => return self.call_person(id, person, now),
            Action::CancelCall(origination) => return self.cancel_origination(origination, now),
            Action::SendAway(channel, end) => return self.send_away(channel, end, now),
            Action::Release => return self.rooms.wait_no_more(conference(&meeting.room).as_ref()),
            Action::Over(report) => return self.end_meeting(id, report),
            Action::Opened => MeetingChange::Opened,
            Action::Orphaned => MeetingChange::MasterAway,
            Action::Changed(place) => {
                let person = meeting.person(place).zip(meeting.standing(place));
                let Some((person, (_, state, attempts))) = person else { return };
                let (number, name) = (person.number.clone(), person.name.clone());
                tracing::info!(
                    room = %Printable(&room), place, number = %Printable(&number),
                    state = state.as_str(), attempts, "conference with a master"
                );
                MeetingChange::Person { place, number, name, state, attempts }
            }
        };
        self.tell(SwitchEvent::VideoShare { room, change });
    }

    /// Calls somebody for a meeting.
    fn call_person(&mut self, id: MeetingId, person: usize, now: Now) {
        match self.originate_for_meeting(id, person, now) {
            Ok(origination) => {
                let wanted = self.meetings.with(id, |it| it.is_called(person, origination));
                if wanted != Some(true) {
                    self.cancel_origination(origination, now);
                }
            }
            Err(why) => {
                self.meetings.with(id, |meeting| meeting.unreached(person, why, now));
            }
        }
    }

    fn originate_for_meeting(
        &mut self,
        id: MeetingId,
        person: usize,
        now: Now,
    ) -> Result<ChannelId, Unreached> {
        let meeting = self.meetings.get(id).ok_or(Unreached::Failed)?;
        let (room, number) = (&meeting.room, meeting.person(person).map(|it| &it.number));
        let number = number.ok_or(Unreached::Failed)?;
        let failed = |why: &str| {
            tracing::warn!(room = %Printable(&room.name), number = %Printable(number), "not called: {why}");
            Unreached::Failed
        };
        if self.new_calls == super::NewCalls::Refused {
            return Err(failed("new calls are refused"));
        }
        let template = room.calling.dial.as_ref();
        let template = template.ok_or_else(|| failed("the room has no `dial`"))?;
        let to = template.replace(b"${NUMBER}", number);
        let destination = Originate::destination(&to);
        let destination = destination.ok_or_else(|| failed("`dial` is no destination"))?;
        let arguments = format!("{},i({person})", room.name);
        let target =
            OriginateTarget::Application { name: "VideoShare".into(), arguments: arguments.into() };
        let caller = room.calling.caller.as_ref().or(room.number.as_ref());
        let originate = Originate {
            ring_timeout: room.calling.ring,
            caller_number: caller.cloned().unwrap_or_default(),
            caller_name: room.name.clone(),
            ..Originate::new(destination, target)
        };
        let asker = Asker::Meeting(Ticket { meeting: id, person });
        let hops = (sip::MAX_FORWARDS, Options::default());
        self.begin_origination(originate, asker, hops, now).map_err(unreached)
    }

    /// The telephone of one who is called rings.
    pub(super) fn invitation_rings(&mut self, ticket: Ticket) {
        self.meetings.with(ticket.meeting, |meeting| meeting.rings(ticket.person));
    }

    /// One who is called answered; the seat that is kept for him.
    pub(super) fn invitation_answered(&mut self, ticket: Ticket, leg: ChannelId) -> Option<Seat> {
        let Ticket { meeting, person } = ticket;
        let wanted = self.meetings.with(meeting, |meeting| meeting.answered(person, leg));
        wanted.unwrap_or(false).then_some(Seat { meeting, person, end: None })
    }

    /// Nobody answered.
    pub(super) fn invitation_failed(
        &mut self,
        ticket: Ticket,
        status: OriginateStatus,
        causes: &[Cause],
        now: Now,
    ) {
        let is_refused = causes.contains(&Cause::CALL_REJECTED);
        self.meetings.with(ticket.meeting, |meeting| match is_refused {
            true => meeting.declined(ticket.person, now),
            false => meeting.unreached(ticket.person, unreached(status), now),
        });
    }

    /// Ends the part of a call in its meeting.
    fn send_away(&mut self, channel: ChannelId, end: End, now: Now) {
        self.with_call(channel, now, |switch, call| {
            if let Some(seat) = &mut call.seat {
                seat.end = Some(end);
            }
            if call.visit.is_none() {
                // Is asked whether he comes, or talks elsewhere.
                return match call.control {
                    Control::Nobody => {}
                    _ => switch.end(call, Cause::NORMAL_CLEARING, EndedBy::Us, now),
                };
            }
            let reason = match end {
                End::MasterLeft => KickReason::LeaderLeft,
                End::Kicked => KickReason::ByAdmin,
                // The dialplan says why.
                _ => KickReason::TimeIsUp,
            };
            switch.room_effects.push_back(RoomEffect::Kick { channel, reason });
        });
    }

    fn end_meeting(&mut self, id: MeetingId, report: Box<MeetingReport>) {
        let Some(open) = self.meetings.open.remove(&id) else { return };
        let file = open.meeting.room.report.clone();
        let rooms = self.config.plan.videoshare();
        self.meetings.last.retain(|room, _| rooms.named(room).is_some());
        if rooms.named(&report.room).is_some() {
            let room = report.room.to_ascii_lowercase().into();
            self.meetings.last.insert(room, MeetingReport::clone(&report));
        }
        tracing::info!(
            room = %Printable(&report.room), end = report.end.as_str(), came = report.came(),
            seconds = report.duration.as_secs(), "conference with a master is over"
        );
        for it in &report.people {
            tracing::info!(
                room = %Printable(&report.room), number = %Printable(&it.number),
                name = %Printable(&it.name), state = it.state.as_str(), attempts = it.attempts,
                seconds = it.present.as_secs(), "took part"
            );
        }
        self.tell(SwitchEvent::VideoShareEnded { report, file });
    }
}

/// The conference room of a room.
fn conference(room: &Room) -> BString {
    let mut name = BString::from("videoshare-");
    name.extend_from_slice(&room.name);
    name
}

fn unreached(status: OriginateStatus) -> Unreached {
    match status {
        OriginateStatus::Busy => Unreached::Busy,
        OriginateStatus::Ringing => Unreached::NoAnswer,
        OriginateStatus::Failed
        | OriginateStatus::Congestion
        | OriginateStatus::Hangup
        | OriginateStatus::Success
        | OriginateStatus::Unknown => Unreached::Failed,
    }
}
