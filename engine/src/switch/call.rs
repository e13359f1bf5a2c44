//! One call as the switch keeps it: the channel, who controls it, and how far along it is.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bstr::{BStr, BString};

use super::{
    CallStatistics, CommandId, Direction, EndedBy, Parties,
    bridges::Bridged,
    device_state::Share,
    dial::{Dialling, Leg},
    features::KeyCollector,
    identity::Identity,
    info::InfoDigits,
    menus::Menu,
    page::Paging,
    programs::ProgramCall,
    robots::Robot,
    session::Session,
    videoshare::Seat,
};
use crate::{
    bridge::Visit,
    channel::{Cause, Channel, ChannelId},
    clock::Now,
    media::{PortLease, ShardId, SharedStatistics, StreamId, StreamStatistics},
    pbx::Pbx,
    sip::{self, auth::OwnCredentials},
};

/// A call from its INVITE until nothing of it is left.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: ChannelId,
    pub(super) channel: Channel,
    /// `PJSIP/alice-0000002a`.
    pub(super) name: BString,
    pub(super) parties: Parties,
    pub(super) direction: Direction,
    pub(super) phase: Phase,
    pub(super) control: Control,
    /// A conference room being visited; it gets the channel's outcomes first.
    pub(super) visit: Option<Box<Visit>>,
    /// The other calls that a Dial of this one made, and how it stands.
    pub(super) dialling: Option<Box<Dialling>>,
    /// The stack's call; `None` once the stack ended it.
    pub(super) handle: Option<sip::CallHandle>,
    /// Where the far end's signalling comes from.
    pub(super) flow: sip::Flow,
    pub(super) session: Session,
    /// A port leased and not opened yet.
    pub(super) port: Option<PortLease>,
    /// The stream, from its opening until its shard reports it closed.
    pub(super) opened: Option<(ShardId, StreamId)>,
    /// Where the statistics of the stream are read, once it is open.
    pub(super) quality: Option<SharedStatistics>,
    /// The address of the stream's port, as the far end was told.
    pub(super) media_address: Option<SocketAddr>,
    pub(super) started: Now,
    pub(super) answered: Option<Instant>,
    /// Answered with our offer: what follows once the ACK brings the answer.
    pub(super) after_ack: Option<Settle>,
    /// What an outgoing call will ask for, until its INVITE is sent.
    pub(super) departure: Option<Box<Departure>>,
    /// Whether it is a call at all.
    pub(super) purpose: Purpose,
    /// The headers of an incoming call's INVITE, for PJSIP_HEADER().
    pub(super) received: Option<sip::KeptHeaders>,
    /// The robot that it occupies, until it is over.
    pub(super) robot: Option<Box<Robot>>,
    /// Who calls, as far as the caller is believed; on an outgoing call who answered.
    pub(super) identity: Identity,
    /// How many more hops the call may take.
    pub(super) max_forwards: u8,
    /// The other half of a Local channel; such a call has no signalling of its own.
    pub(super) other_half: Option<ChannelId>,
    /// Those it pages.
    pub(super) paging: Option<Box<Paging>>,
    /// The program it has dialled.
    pub(super) program: Option<Box<ProgramCall>>,
    /// The bridge it is in.
    pub(super) bridged: Option<Bridged>,
    /// The far end is to be told whom it is connected with, as soon as no offer is in the way.
    pub(super) connected_due: bool,
    /// Whether the far end holds the call.
    pub(super) hold: Hold,
    /// The keys it may press in a bridge to ask for something.
    pub(super) keys: KeyCollector,
    /// What it is to a conference with a master.
    pub(super) seat: Option<Seat>,
    /// What keys do in the room.
    pub(super) menu: Option<Box<Menu>>,
    /// The application that the dialplan ran last before the call ended, and its arguments.
    pub(super) last_step: (BString, BString),
    /// What an outgoing call answers a challenge with.
    pub(super) invitation: Option<Box<Invitation>>,
    /// Digits on their way as INFO requests.
    pub(super) info: Option<Box<InfoDigits>>,
    /// Until when news of a REFER of ours are waited for.
    pub(super) referring: Option<Instant>,
    /// When an unanswered call is given up.
    pub(super) unanswered_until: Instant,
    /// When the call is looked at next; the same as in the switch's set of deadlines.
    pub(super) armed: Option<Instant>,
    /// As what it counts for the state of its device.
    pub(super) share: Share,
    /// Whether the call waits in the switch's queue of ready calls.
    pub(super) queued: bool,
}

/// What a call that we placed needs for answering a challenge.
#[derive(Debug)]
pub(super) struct Invitation {
    /// The INVITE's headers so far: what was refused is not sent again.
    pub(super) request: sip::Request,
    pub(super) credentials: Vec<OwnCredentials>,
    pub(super) responder: sip::auth::Responder,
}

/// An INVITE that is not sent yet.
#[derive(Debug, Clone)]
pub(super) struct Departure {
    pub(super) target: sip::Uri,
    pub(super) from: sip::NameAddr,
    /// Headers of ours beside those that every INVITE has.
    pub(super) headers: sip::Headers,
    /// The proxies on the way, if the contact registered through some.
    pub(super) routes: Vec<sip::NameAddr>,
    /// The contact, when it is a name that has to be found first.
    pub(super) locate: Option<sip::Uri>,
    /// What rings out when nobody answers.
    pub(super) ring_timeout: Duration,
}

/// Whether the far end of a call holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Hold {
    #[default]
    Active,
    Held,
}

/// What a channel is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A call.
    Call,
    /// A text message that runs the dialplan.
    Message,
}

/// How a channel settles after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settle {
    pub(super) wait_media: bool,
    pub(super) delay: Duration,
}

/// How far along a call is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// Not answered; nothing said about it but 100.
    Proceeding,
    /// Not answered; 180 went out or came in.
    Ringing,
    /// Not answered; media flows.
    EarlyMedia,
    /// Answered.
    Up,
    /// Over: whoever controls it is told and may clean up (the `h` extension), then it goes.
    Down(Ending),
}

/// The end of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ending {
    pub(super) cause: Cause,
    pub(super) by: EndedBy,
    pub(super) media: FinalMedia,
    pub(super) at: Instant,
    /// Cleaning up may take until then.
    pub(super) until: Instant,
}

/// What is known of the stream of an ended call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FinalMedia {
    /// There was none.
    None,
    /// Its shard was told to close it.
    Closing,
    /// It is closed.
    Closed(Box<StreamStatistics>),
}

/// Who decides what the call does.
#[derive(Debug)]
pub(super) enum Control {
    /// An embedder, by commands; the one that takes its time.
    Embedder { running: Option<CommandId> },
    /// The dialplan.
    Dialplan(Box<Pbx>),
    /// The call whose Dial made this one, and what this one has to do for it.
    Leg(Box<Leg>),
    /// Nobody any more.
    Nobody,
}

/// What a call has from its first moment.
pub(super) struct Beginning {
    pub(super) id: ChannelId,
    pub(super) name: BString,
    pub(super) language: BString,
    pub(super) parties: Parties,
    pub(super) direction: Direction,
    pub(super) flow: sip::Flow,
    pub(super) session: Session,
    pub(super) unanswered_until: Instant,
}

impl Call {
    /// A call of which nothing happened yet, and that nobody controls.
    pub(super) fn new(beginning: Beginning, now: Now) -> Self {
        let Beginning { id, name, language, parties, direction, flow, session, .. } = beginning;
        Self {
            id,
            channel: Channel::new(id, language),
            name,
            parties,
            direction,
            phase: Phase::Proceeding,
            control: Control::Nobody,
            visit: None,
            dialling: None,
            handle: None,
            flow,
            session,
            port: None,
            opened: None,
            quality: None,
            media_address: None,
            started: now,
            answered: None,
            after_ack: None,
            departure: None,
            purpose: Purpose::Call,
            received: None,
            robot: None,
            identity: Identity::default(),
            max_forwards: sip::MAX_FORWARDS,
            other_half: None,
            paging: None,
            program: None,
            bridged: None,
            connected_due: false,
            hold: Hold::Active,
            keys: KeyCollector::default(),
            seat: None,
            menu: None,
            last_step: Default::default(),
            invitation: None,
            info: None,
            referring: None,
            unanswered_until: beginning.unanswered_until,
            armed: None,
            share: Share::Nothing,
            queued: false,
        }
    }

    /// The visit to a room is over, and keys do nothing of it any more.
    pub(super) fn end_visit(&mut self) {
        self.visit = None;
        self.menu = None;
    }

    /// Whether this is its channel's name or unique id.
    pub(super) fn is_named(&self, channel: &BStr) -> bool {
        self.name.eq_ignore_ascii_case(channel)
            || self.pbx().is_some_and(|pbx| pbx.channel().unique_id == channel)
    }

    /// Whether the call is answered and not over.
    pub(super) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Whether the call is over.
    pub(super) fn is_down(&self) -> bool {
        matches!(self.phase, Phase::Down(_))
    }

    /// Whether it is no call but the channel on which a text message runs the dialplan.
    pub(super) fn is_message(&self) -> bool {
        self.purpose == Purpose::Message
    }

    /// The call whose Dial made this one.
    pub(super) fn dialler(&self) -> Option<ChannelId> {
        match &self.control {
            Control::Leg(leg) => leg.dialler,
            Control::Embedder { .. } | Control::Dialplan(_) | Control::Nobody => None,
        }
    }

    /// Whether the call is over and nothing of it is left to do.
    pub(super) fn is_finished(&self, now: Instant) -> bool {
        let Phase::Down(ending) = &self.phase else { return false };
        let cleaned_up =
            !matches!(self.control, Control::Dialplan(_)) && ending.media != FinalMedia::Closing;
        cleaned_up || now >= ending.until
    }

    /// When the call has something to do by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Proceeding | Phase::Ringing | Phase::EarlyMedia => Some(self.unanswered_until),
            Phase::Up => None,
            Phase::Down(ending) => Some(ending.until),
        };
        let pbx = match &self.control {
            Control::Dialplan(pbx) => pbx.deadline(),
            Control::Embedder { .. } | Control::Leg(_) | Control::Nobody => None,
        };
        let dial = self.dialling.as_ref().and_then(|dialling| dialling.deadline());
        let page = self.paging.as_ref().and_then(|paging| paging.deadline());
        let program = self.program.as_ref().and_then(|program| program.deadline());
        let info = self.info.as_ref().and_then(|info| info.deadline());
        let keys = self.keys.deadline();
        let menu = self.menu.as_ref().and_then(|menu| menu.deadline());
        let channel = self.channel.deadline();
        let visit = self.visit.as_ref().and_then(|visit| visit.deadline());
        let referring = self.referring;
        let all = [phase, pbx, dial, page, program, info, referring, keys, menu, channel, visit];
        all.into_iter().flatten().min()
    }

    /// How its media stands, or stood when it ended.
    pub(super) fn media_statistics(&self) -> Option<StreamStatistics> {
        self.quality.as_ref().map(SharedStatistics::read)
    }

    /// How long it lasted and what its media did.
    pub(super) fn statistics(&self, now: Instant) -> CallStatistics {
        let (end, media) = match &self.phase {
            Phase::Down(Ending { at, media: FinalMedia::Closed(statistics), .. }) => {
                (*at, Some(statistics.clone()))
            }
            Phase::Down(ending) => (ending.at, None),
            _ => (now, None),
        };
        CallStatistics {
            duration: end.saturating_duration_since(self.started.instant),
            answered: self.answered.map_or(Duration::ZERO, |at| end.saturating_duration_since(at)),
            media,
        }
    }

    /// Takes the command that is being carried out, to complete it.
    pub(super) fn take_running(&mut self) -> Option<CommandId> {
        match &mut self.control {
            Control::Embedder { running } => running.take(),
            Control::Dialplan(_) | Control::Leg(_) | Control::Nobody => None,
        }
    }

    /// The channel as a dialplan sees it, when one does.
    pub(super) fn pbx(&self) -> Option<&Pbx> {
        match &self.control {
            Control::Dialplan(pbx) => Some(pbx),
            Control::Leg(leg) => Some(&leg.pbx),
            Control::Embedder { .. } | Control::Nobody => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn pbx_mut(&mut self) -> Option<&mut Pbx> {
        match &mut self.control {
            Control::Dialplan(pbx) => Some(pbx),
            Control::Leg(leg) => Some(&mut leg.pbx),
            Control::Embedder { .. } | Control::Nobody => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::*;
    use crate::media::stream::Stream;

    /// Each takes one of them. What few calls need is in a box of its own.
    #[test]
    fn a_call_stays_small() {
        assert!(size_of::<Call>() <= 1792, "{}", size_of::<Call>());
        assert!(size_of::<Pbx>() <= 1536, "{}", size_of::<Pbx>());
        assert!(size_of::<Stream>() <= 1280, "{}", size_of::<Stream>());
    }
}
