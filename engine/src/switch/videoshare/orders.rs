//! What the master's keys, operators and embedders ask of a conference with a master.

use std::{sync::Arc, time::Duration};

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::videoshare::{End, Person, Role, Room, When, number};
use jiff::Timestamp;

use super::{
    MeetingEnd, MeetingId, MeetingReport, Seat, conference,
    meeting::{Action, CallError, MASTER, Meeting},
};
use crate::{
    bridge::{RoomFacts, RoomMembers},
    channel::{ChannelId, PlayRequest},
    clock::Now,
    config::{MeetingKey, MenuAction, MenuEntry, MenuProfile},
    media::Digit,
    switch::{RoomError, RoomOrder, Switch, call::Call},
};

/// Something to be done to a room with a master.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MeetingOrder {
    /// Begin: the master is called, if the room has it so.
    Start,
    /// Call a number; one of the list is called again.
    Invite {
        /// Whom.
        number: BString,
        /// Who that is, when he is not of the list.
        name: BString,
    },
    /// Call all of the list whom nobody called yet.
    CallAll,
    /// Call somebody again: a number of the list, or `#` and a place in it.
    CallAgain(BString),
    /// Let the others not hear somebody, or all but the master.
    Mute(Option<BString>),
    /// Let the others hear him, or all.
    Unmute(Option<BString>),
    /// Send somebody away.
    Remove(BString),
    /// Let nobody come who is not invited.
    Lock,
    /// Let all come again.
    Unlock,
    /// Record it, or record it no more.
    Record(bool),
    /// End it.
    End,
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MeetingError {
    /// `videoshare.conf` has none of that name.
    #[error("there is no room {0:?} in videoshare.conf")]
    NoRoom(BString),
    /// Nobody is there.
    #[error("room {0:?} has no conference now")]
    Idle(BString),
    /// It has begun already.
    #[error("room {0:?} has a conference already")]
    Busy(BString),
    /// No such person.
    #[error("nobody of that number or place is in the room's list")]
    NoPerson,
    /// Not there now.
    #[error("{0:?} is not in the conference")]
    NotThere(BString),
    /// There, or being called.
    #[error("{0:?} is in the conference already, or is being called")]
    Called(BString),
    /// It can not be put into a call.
    #[error("{0:?} is no number to be called")]
    NoNumber(BString),
    /// Nothing says how people are called.
    #[error("room {0:?} has no `dial`: nobody can be called")]
    NoDial(BString),
    /// A start would call nobody.
    #[error(
        "room {0:?} calls nobody at its start: its master has dial=in, and `call` is not `start`"
    )]
    NobodyCalled(BString),
    /// As many as may be.
    #[error("no more people can be invited")]
    Full,
    /// What the conference room said.
    #[error(transparent)]
    Room(#[from] RoomError),
}

/// How a room stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetingState {
    /// Nobody is there.
    Idle,
    /// The master is waited for.
    Waiting,
    /// The master is there.
    Open,
}

impl MeetingState {
    /// For tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Open => "open",
        }
    }
}

/// A room, and its conference when it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoShareView {
    /// The room's name.
    pub room: BString,
    /// What is dialled to come in.
    pub number: Option<BString>,
    /// Where it is mixed when that is not here.
    pub media_server: Option<BString>,
    /// How it stands.
    pub state: MeetingState,
    /// When it began.
    pub since: Option<Timestamp>,
    /// Nobody comes in who is not invited.
    pub is_locked: bool,
    /// Only the master is heard.
    pub is_muted: bool,
    /// It is recorded.
    pub is_recorded: bool,
    /// How many are there.
    pub present: usize,
    /// How many are listed, the master included.
    pub listed: usize,
    /// Its people as they would be reported now.
    pub report: Option<MeetingReport>,
}

impl Switch {
    /// All rooms with a master.
    pub fn view_meetings(&self, now: Now) -> Vec<VideoShareView> {
        let rooms = self.config.plan.videoshare();
        let configured = rooms.iter().map(|room| self.view_meeting(room, now));
        // One whose room was taken out of the file goes on.
        let gone = self.meetings.open.values().map(|open| &open.meeting.room);
        let gone = gone.filter(|room| rooms.named(&room.name).is_none());
        configured.chain(gone.map(|room| self.view_meeting(room, now))).collect()
    }

    fn view_meeting(&self, room: &Arc<Room>, now: Now) -> VideoShareView {
        let meeting = self.meetings.of(&room.name).and_then(|id| self.meetings.get(id));
        let report = meeting.map(|meeting| meeting.report(MeetingEnd::Ended, now));
        let people = report.iter().flat_map(|report| &report.people);
        let RoomFacts { is_locked, is_muted, is_recorded } =
            self.rooms.state(conference(room).as_ref());
        VideoShareView {
            room: room.name.clone(),
            number: room.number.clone(),
            media_server: room.media_server.as_ref().map(|server| server.address.clone()),
            state: match meeting {
                None => MeetingState::Idle,
                Some(meeting) if meeting.is_open() => MeetingState::Open,
                Some(_) => MeetingState::Waiting,
            },
            since: report.as_ref().map(|report| report.began),
            is_locked,
            is_muted,
            is_recorded,
            present: people.filter(|it| it.state.is_present()).count(),
            listed: room.people.len(),
            report,
        }
    }

    /// The people of a room: as they are in its conference, or as they will be expected in it.
    pub fn view_meeting_of(&self, room: &[u8], now: Now) -> Option<MeetingReport> {
        let meeting = self.meetings.of(room).and_then(|id| self.meetings.get(id));
        if let Some(meeting) = meeting {
            return Some(meeting.report(MeetingEnd::Ended, now));
        }
        let room = self.config.plan.videoshare().named(room)?;
        Some(Meeting::begin(Arc::clone(room), now).report(MeetingEnd::Ended, now))
    }

    /// What became of a room's last conference that is over.
    pub fn last_meeting(&self, room: &[u8]) -> Option<&MeetingReport> {
        self.meetings.last.get(&BString::from(room.to_ascii_lowercase()))
    }

    /// Carries out an order to a room with a master.
    ///
    /// # Errors
    /// When there is no such room or person, or it can not be done as things stand.
    pub fn order_meeting(
        &mut self,
        room: &BStr,
        order: MeetingOrder,
        now: Now,
    ) -> Result<(), MeetingError> {
        self.worked_at = now;
        let done = self.carry_out_for_meeting(room, order, now);
        self.work(now);
        done
    }

    pub(in crate::switch) fn carry_out_for_meeting(
        &mut self,
        room: &BStr,
        order: MeetingOrder,
        now: Now,
    ) -> Result<(), MeetingError> {
        let open = self.meetings.of(room);
        let idle = || MeetingError::Idle(room.into());
        let configured = || {
            let found = self.config.plan.videoshare().named(room).cloned();
            found.ok_or_else(|| MeetingError::NoRoom(room.into()))
        };
        let id = match (open, &order) {
            (Some(_), MeetingOrder::Start) => return Err(MeetingError::Busy(room.into())),
            (Some(id), _) => id,
            (None, MeetingOrder::Start) => {
                let room = configured()?;
                check_dial(&room)?;
                let listed = room.people.iter().skip(1).any(|it| it.way.is_called());
                let calls = room.people[MASTER].way.is_called()
                    || room.calling.when == When::Start && listed;
                if !calls {
                    return Err(MeetingError::NobodyCalled(room.name.clone()));
                }
                let id = self.begin_meeting(room, now);
                self.meetings.with(id, |meeting| meeting.start(now));
                return Ok(());
            }
            (None, MeetingOrder::Invite { number, .. }) => {
                let room = configured()?;
                check_dial(&room)?;
                check_number(number)?;
                self.begin_meeting(room, now)
            }
            (None, _) => {
                configured()?;
                return Err(idle());
            }
        };
        self.carry_out_in_meeting(id, order, now)
    }

    fn carry_out_in_meeting(
        &mut self,
        id: MeetingId,
        order: MeetingOrder,
        now: Now,
    ) -> Result<(), MeetingError> {
        let Some(meeting) = self.meetings.get(id) else { return Ok(()) };
        let room = Arc::clone(&meeting.room);
        let name = conference(&room);
        let find = |who: &BString| meeting.find(who).ok_or(MeetingError::NoPerson);
        let channel = |who: &BString| -> Result<ChannelId, MeetingError> {
            let index = find(who)?;
            let present = meeting.standing(index).is_some_and(|(_, state, _)| state.is_present());
            let channel = meeting.channel_of(index).filter(|_| present);
            channel.ok_or_else(|| MeetingError::NotThere(who.clone()))
        };
        let members = |who: &Option<BString>| match who {
            None => Ok(RoomMembers::Participants),
            Some(who) => channel(who).map(RoomMembers::Channel),
        };
        let order = match order {
            MeetingOrder::Start => return Err(MeetingError::Busy(room.name.clone())),
            MeetingOrder::Invite { number, name } => {
                check_dial(&room)?;
                check_number(&number)?;
                let person = Person { name, ..Person::new(number.clone()) };
                let called = self.meetings.with(id, |meeting| meeting.invite(person, now));
                return called
                    .map_or(Ok(()), |called| called.map(|_| ()))
                    .map_err(|error| refusal(error, number));
            }
            MeetingOrder::CallAll => {
                check_dial(&room)?;
                self.meetings.with(id, |meeting| meeting.call_listed(now));
                return Ok(());
            }
            MeetingOrder::CallAgain(who) => {
                check_dial(&room)?;
                let index = find(&who)?;
                let called = self.meetings.with(id, |meeting| meeting.call_again(index, now));
                return called.unwrap_or(Ok(())).map_err(|error| refusal(error, who));
            }
            MeetingOrder::Remove(who) => {
                let channel = channel(&who)?;
                self.act_for_meeting(id, Action::SendAway(channel, End::Kicked), now);
                return Ok(());
            }
            MeetingOrder::End => {
                self.meetings.with(id, |meeting| meeting.end(MeetingEnd::Ended, now));
                return Ok(());
            }
            MeetingOrder::Mute(who) => RoomOrder::Mute(members(&who)?),
            MeetingOrder::Unmute(who) => RoomOrder::Unmute(members(&who)?),
            MeetingOrder::Lock => RoomOrder::Lock,
            MeetingOrder::Unlock => RoomOrder::Unlock,
            MeetingOrder::Record(true) => RoomOrder::Record { file: None },
            MeetingOrder::Record(false) => RoomOrder::StopRecording,
        };
        self.carry_out_in_room(name.as_ref(), order)?;
        Ok(())
    }

    /// A key of the master's; what is said of it.
    pub(in crate::switch) fn press_for_meeting(
        &mut self,
        call: &Call,
        key: MeetingKey,
        typed: &[u8],
        now: Now,
    ) -> Vec<BString> {
        let Some(Seat { meeting: id, person: MASTER, .. }) = call.seat else { return vec![] };
        let Some(meeting) = self.meetings.get(id) else { return vec![] };
        let room = Arc::clone(&meeting.room);
        let is_recorded = self.rooms.state(conference(&room).as_ref()).is_recorded;
        let mut place = BString::from("#");
        place.extend_from_slice(typed);
        let order = match key {
            MeetingKey::CallAll => MeetingOrder::CallAll,
            MeetingKey::CallAgain => MeetingOrder::CallAgain(place),
            MeetingKey::Remove => MeetingOrder::Remove(place),
            MeetingKey::Dial => {
                MeetingOrder::Invite { number: typed.into(), name: BString::default() }
            }
            MeetingKey::Record => MeetingOrder::Record(!is_recorded),
            MeetingKey::End => MeetingOrder::End,
        };
        let said = match self.carry_out_in_meeting(id, order, now) {
            Ok(()) => match key {
                MeetingKey::CallAll | MeetingKey::CallAgain | MeetingKey::Dial => {
                    room.sounds.calling.clone()
                }
                MeetingKey::Remove | MeetingKey::Record | MeetingKey::End => BString::default(),
            },
            Err(error) => {
                tracing::info!(call_id = %call.parties.call_id, %error, "not done for the master");
                room.sounds.refused.clone()
            }
        };
        files(&said)
    }

    /// Asks the master for a number.
    pub(in crate::switch) fn ask_number(&mut self, call: &mut Call, now: Now) {
        let meeting = call.seat.and_then(|seat| self.meetings.get(seat.meeting));
        let said = meeting.map(|meeting| files(&meeting.room.sounds.get_number));
        if let Some(said) = said.filter(|said| !said.is_empty()) {
            call.channel.play(PlayRequest::named(said), None, now.instant, &mut self.outbox);
        }
    }
}

fn check_dial(room: &Room) -> Result<(), MeetingError> {
    match room.calling.dial {
        Some(_) => Ok(()),
        None => Err(MeetingError::NoDial(room.name.clone())),
    }
}

fn check_number(text: &BString) -> Result<(), MeetingError> {
    number(text).map(|_| ()).ok_or_else(|| MeetingError::NoNumber(text.clone()))
}

fn refusal(error: CallError, who: BString) -> MeetingError {
    match error {
        CallError::Nobody => MeetingError::NoPerson,
        CallError::Busy => MeetingError::Called(who),
        CallError::Full => MeetingError::Full,
    }
}

fn files(text: &BString) -> Vec<BString> {
    text.split_str("&").filter(|name| !name.is_empty()).map(BString::from).collect()
}

/// What keys do: all for the master, little for the others.
pub(super) fn menu(is_master: bool, role: Role) -> MenuProfile {
    let mut menu = MenuProfile::new("videoshare");
    let count = ("*1", MenuAction::CountParticipants);
    let mute = ("**", MenuAction::ToggleMute);
    let own = match (is_master, role) {
        (true, _) | (_, Role::Speaker) => vec![count, mute],
        (false, Role::Listener) => vec![count],
    };
    let ruling = [
        ("*0", MenuAction::Meeting(MeetingKey::CallAll)),
        ("*2", MenuAction::ToggleMuteParticipants),
        ("*3", MenuAction::ToggleLock),
        ("*4", MenuAction::KickLast),
        ("*5", MenuAction::Meeting(MeetingKey::Record)),
        ("*6", MenuAction::Meeting(MeetingKey::CallAgain)),
        ("*7", MenuAction::Meeting(MeetingKey::Remove)),
        ("*8", MenuAction::Meeting(MeetingKey::Dial)),
        ("*9", MenuAction::Meeting(MeetingKey::End)),
    ];
    let ruling = ruling.into_iter().filter(|_| is_master);
    let entry = |(keys, action): (&str, MenuAction)| MenuEntry {
        keys: keys.chars().filter_map(Digit::from_char).collect(),
        actions: vec![action],
    };
    menu.entries = own.into_iter().chain(ruling).map(entry).collect();
    menu
}

/// How long a number that the master enters may take, key by key.
pub(in crate::switch) const NUMBER_WAIT: Duration = Duration::from_secs(10);
