//! Calls with nobody calling: a phone or an extension is called, and whoever answers is given to the
//! dialplan. The application Originate, an operator and call files begin them.
//!
//! An origination has an id as a call has, and is to those it calls what the caller is to the legs of
//! a Dial; it is over as soon as somebody answers or nobody will.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use bstr::{BString, ByteSlice};
use diesis_dialplan::{
    channel::{Channel as PlanChannel, Party},
    operation::{self, Destination, Options, OriginateStatus, OriginateTarget, Outcome},
    variables::Variables,
};

use super::{
    CommandId, Completion, Direction, Numbers, OriginateNews, Parties, Switch, SwitchEvent,
    call::{Call, Control},
    dial::{Caller, CallerKind, DialNews, What},
    plan::{plan_channel, resume},
    videoshare::Ticket,
};
use crate::{
    channel::{Cause, ChannelId},
    clock::Now,
    config::CodecName,
    pbx::Pbx,
    printable::Printable,
    sip::{self, Transport},
};

/// Whom to call without anybody calling, and what they hear then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Originate {
    /// Whom: `PJSIP/200`, `Local/200@office`.
    pub destination: Destination,
    /// What an answered call does.
    pub target: OriginateTarget,
    /// How long it may ring.
    pub ring_timeout: Duration,
    /// The number that is shown as the caller's, and that the dialplan sees as such.
    pub caller_number: BString,
    /// The name beside it.
    pub caller_name: BString,
    /// The account of its call records.
    pub account: BString,
    /// Set on the channel before it is called, as Set does.
    pub variables: Vec<(BString, BString)>,
    /// The only codecs that are offered; empty: those of the peer.
    pub codecs: Vec<CodecName>,
    /// How the numbers in `destination` and `target` are written. Default: as the dialplan takes them.
    pub numbers: Numbers,
    /// Whoever gave the command wants to hear from the call until its end
    /// ([`OriginateNews`]), and then what these variables hold.
    pub follow: Option<Vec<BString>>,
}

impl Originate {
    /// Calls `technology/resource` for 30 seconds; who answers does this.
    pub fn new(destination: Destination, target: OriginateTarget) -> Self {
        Self {
            destination,
            target,
            ring_timeout: Duration::from_secs(30),
            caller_number: BString::default(),
            caller_name: BString::default(),
            account: BString::default(),
            variables: Vec::new(),
            codecs: Vec::new(),
            numbers: Numbers::default(),
            follow: None,
        }
    }

    /// `technology/resource` as a destination.
    pub fn destination(text: &[u8]) -> Option<Destination> {
        let (technology, resource) = text.split_once_str("/")?;
        let is_whole = !technology.is_empty() && !resource.is_empty();
        is_whole.then(|| Destination { technology: technology.into(), resource: resource.into() })
    }

    /// The codecs of a list by Asterisk's names, as `ulaw,alaw`.
    ///
    /// # Errors
    /// The first name that is none of those here.
    pub fn codecs(list: &[u8]) -> Result<Vec<CodecName>, BString> {
        let names = list.split(|byte| matches!(byte, b',' | b'&' | b'|')).map(<[u8]>::trim_ascii);
        let names = names.filter(|name| !name.is_empty());
        let codec = |name: &[u8]| CodecName::named(name).ok_or_else(|| BString::from(name));
        names.map(codec).collect()
    }
}

/// Those in progress.
#[derive(Debug, Default)]
pub(super) struct Originations {
    open: HashMap<ChannelId, Origination>,
}

/// One in progress.
#[derive(Debug)]
struct Origination {
    originate: Originate,
    asker: Asker,
    legs: Vec<ChannelId>,
    /// Why those that are over ended.
    causes: Vec<Cause>,
    forwards: usize,
    max_forwards: u8,
    /// What runs on the leg before it is called (option b).
    before: Options,
}

/// Who wants to hear what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// A call whose dialplan waits.
    Call(ChannelId),
    Command(CommandId),
    /// A conference with a master.
    Meeting(Ticket),
    Nobody,
}

impl Originations {
    /// Whether this is the id of one.
    pub(super) fn has(&self, id: ChannelId) -> bool {
        self.open.contains_key(&id)
    }

    /// A call waits no longer.
    pub(super) fn forget(&mut self, call: ChannelId) {
        let waiting = self.open.values_mut().filter(|it| it.asker == Asker::Call(call));
        waiting.for_each(|origination| origination.asker = Asker::Nobody);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

impl Switch {
    /// The application Originate.
    pub(super) fn originate_for(
        &mut self,
        call: &mut Call,
        wanted: operation::Originate,
        now: Now,
    ) {
        let operation::Originate { destination, target, timeout, options } = wanted;
        let failed = Outcome::Originated(OriginateStatus::Failed);
        let Some(channel) = call.pbx().map(Pbx::channel) else { return };
        let text = |letter: u8| options.argument(letter).map(BString::from);
        let codecs = match Originate::codecs(options.argument(b'C').unwrap_or_default()) {
            Ok(codecs) => codecs,
            Err(unknown) => {
                let codec = Printable(&unknown);
                tracing::warn!(call_id = %call.parties.call_id, %codec, "Originate: this codec is not available");
                return resume(call, failed);
            }
        };
        let originate = Originate {
            destination,
            target,
            ring_timeout: timeout,
            caller_number: text(b'c')
                .unwrap_or_else(|| channel.caller.number.clone().unwrap_or_default()),
            caller_name: text(b'n')
                .unwrap_or_else(|| channel.caller.name.clone().unwrap_or_default()),
            account: BString::default(),
            variables: options.argument(b'v').map(assignments).unwrap_or_default(),
            codecs,
            numbers: Numbers::default(),
            follow: None,
        };
        let is_awaited = !options.has(b'a');
        let asker = if is_awaited { Asker::Call(call.id) } else { Asker::Nobody };
        let hops = call.max_forwards.saturating_sub(1);
        let status = self.begin_origination(originate, asker, (hops, options), now);
        match (status, is_awaited) {
            // Told when it is known.
            (Ok(_), true) => {}
            (Ok(_), false) => resume(call, Outcome::Originated(OriginateStatus::Success)),
            (Err(status), _) => resume(call, Outcome::Originated(status)),
        }
    }

    /// An operator's, a program's or a call file's.
    pub(super) fn originate_by_command(&mut self, id: CommandId, originate: Originate, now: Now) {
        if self.is_draining() {
            return self.complete(id, Completion::Failed("new calls are refused".into()));
        }
        if self.refuses_for_load() {
            return self.complete(id, Completion::Failed("media is overloaded".into()));
        }
        let originate = match self.read_originate(originate) {
            Ok(originate) => originate,
            Err(why) => return self.complete(id, Completion::Failed(why.to_string())),
        };
        let hops = (sip::MAX_FORWARDS, Options::default());
        if let Err(status) = self.begin_origination(originate, Asker::Command(id), hops, now) {
            self.complete(id, Completion::Originated(status));
        }
    }

    /// Calls; the status when it is over at once.
    pub(super) fn begin_origination(
        &mut self,
        originate: Originate,
        asker: Asker,
        (max_forwards, before): (u8, Options),
        now: Now,
    ) -> Result<ChannelId, OriginateStatus> {
        let id = self.next_channel();
        let destination = originate.destination.clone();
        tracing::info!(
            origination = %id, technology = %Printable(&destination.technology),
            resource = %Printable(&destination.resource), "originating a call"
        );
        let mut origination = Origination {
            originate,
            asker,
            legs: Vec::new(),
            causes: Vec::new(),
            forwards: 0,
            max_forwards,
            before: before.only(b"b").with(b'o'),
        };
        match self.call_for(id, &origination, &destination, now) {
            Ok(legs) => origination.legs = legs,
            Err(cause) => {
                origination.causes.push(cause);
                let (status, cause) = origination.verdict();
                self.run_failed_extension(&origination, status, now);
                if let Some(command) = origination.follower() {
                    self.tell_unanswered(command, (status, cause), now.wall);
                }
                return Err(status);
            }
        }
        if let Some(command) = origination.follower()
            && let Some(call) = origination.legs.first().and_then(|leg| self.calls.get(leg))
        {
            let channel = call.name.clone();
            self.tell_news(command, OriginateNews::Calling { channel });
        }
        self.open_origination(id, origination);
        Ok(id)
    }

    /// Gives up one that nobody answered yet.
    pub(super) fn cancel_origination(&mut self, id: ChannelId, now: Now) {
        let Some(origination) = self.originations.open.remove(&id) else { return };
        for leg in origination.legs {
            self.end_bridged(leg, Cause::NORMAL_CLEARING, now);
        }
    }

    fn open_origination(&mut self, id: ChannelId, origination: Origination) {
        self.originations.open.insert(id, origination);
    }

    fn call_for(
        &mut self,
        id: ChannelId,
        origination: &Origination,
        destination: &Destination,
        now: Now,
    ) -> Result<Vec<ChannelId>, Cause> {
        let Originate { caller_number, caller_name, account, .. } = &origination.originate;
        let parties = Parties {
            caller_number: caller_number.clone(),
            caller_name: caller_name.clone(),
            dialled: BString::default(),
            peer: None,
            call_id: format!("originate-{id}").into(),
        };
        let mut channel = PlanChannel::new("");
        channel.caller = Party::new(caller_name.clone(), caller_number.clone());
        channel.account_code = account.clone();
        let (context, extension, priority) = match &origination.originate.target {
            OriginateTarget::Place { context, extension, priority } => {
                (context.clone(), extension.clone(), *priority)
            }
            OriginateTarget::Application { .. } => ("default".into(), "s".into(), 1),
        };
        let language = self.config.default_language.clone();
        let codecs = &origination.originate.codecs;
        let caller = Caller {
            id,
            kind: CallerKind::Origination,
            flow: self.own_flow(),
            max_forwards: origination.max_forwards,
            language: &language,
            parties: &parties,
            channel: Some(&channel),
            variables: Variables::new(),
            assignments: &origination.originate.variables,
            codecs: (!codecs.is_empty()).then_some(codecs),
            present_codecs: Vec::new(),
            place: (context, extension, priority),
        };
        let timeout = Some(origination.originate.ring_timeout);
        let placed =
            self.call_destination(&caller, destination, &origination.before, timeout, now)?;
        Ok(placed.into_iter().map(|placed| placed.leg).collect())
    }

    /// One of those called tells something.
    pub(super) fn take_origin_news(&mut self, id: ChannelId, news: DialNews, now: Now) {
        let DialNews { leg, what } = news;
        let Some(mut origination) = self.originations.open.remove(&id) else { return };
        if !origination.legs.contains(&leg) {
            return self.open_origination(id, origination);
        }
        match what {
            What::Rings | What::Progresses | What::Decides(_) => {
                if let (Asker::Meeting(ticket), What::Rings | What::Progresses) =
                    (origination.asker, what)
                {
                    self.invitation_rings(ticket);
                }
                self.open_origination(id, origination);
            }
            What::Answers => {
                for other in origination.legs.iter().filter(|other| **other != leg) {
                    self.end_bridged(*other, Cause::ANSWERED_ELSEWHERE, now);
                }
                let target = origination.originate.target.clone();
                // Before whatever the answered call does.
                self.tell_asker(origination.asker, OriginateStatus::Success, now);
                if let Some(command) = origination.follower() {
                    let keep = origination.originate.follow.take().unwrap_or_default();
                    self.follow(command, leg, keep, now.wall);
                }
                if let Asker::Meeting(ticket) = origination.asker {
                    return self.give_to_meeting(ticket, leg, target, now);
                }
                self.with_call(leg, now, |_, call| give_to_dialplan(call, target));
            }
            What::Forwards(to) => {
                origination.legs.retain(|other| *other != leg);
                origination.forwards += 1;
                let forwarded = self.forward_origination(id, &origination, &to, now);
                match forwarded {
                    Ok(legs) => origination.legs.extend(legs),
                    Err(cause) => origination.causes.push(cause),
                }
                self.go_on_or_fail(id, origination, now);
            }
            What::Ends(cause) => {
                origination.legs.retain(|other| *other != leg);
                origination.causes.push(cause);
                self.go_on_or_fail(id, origination, now);
            }
        }
    }

    /// One whom a meeting called answered.
    fn give_to_meeting(
        &mut self,
        ticket: Ticket,
        leg: ChannelId,
        target: OriginateTarget,
        now: Now,
    ) {
        match self.invitation_answered(ticket, leg) {
            Some(seat) => self.with_call(leg, now, |_, call| {
                call.seat = Some(seat);
                give_to_dialplan(call, target);
            }),
            None => self.end_bridged(leg, Cause::NORMAL_CLEARING, now),
        }
    }

    fn forward_origination(
        &mut self,
        id: ChannelId,
        origination: &Origination,
        to: &BString,
        now: Now,
    ) -> Result<Vec<ChannelId>, Cause> {
        if origination.forwards > MOST_FORWARDS {
            return Err(Cause::BUSY_FORWARD);
        }
        let destination = Originate::destination(to).unwrap_or_else(|| {
            let mut resource = to.clone();
            if let OriginateTarget::Place { context, .. } = &origination.originate.target {
                resource.push(b'@');
                resource.extend_from_slice(context);
            }
            Destination { technology: "Local".into(), resource }
        });
        self.call_for(id, origination, &destination, now)
    }

    fn go_on_or_fail(&mut self, id: ChannelId, origination: Origination, now: Now) {
        if !origination.legs.is_empty() {
            return self.open_origination(id, origination);
        }
        let (status, cause) = origination.verdict();
        tracing::info!(origination = %id, status = status.as_str(), "nobody answered");
        self.run_failed_extension(&origination, status, now);
        if let Some(command) = origination.follower() {
            self.tell_unanswered(command, (status, cause), now.wall);
        }
        if let Asker::Meeting(ticket) = origination.asker {
            self.invitation_failed(ticket, status, &origination.causes, now);
        }
        self.tell_asker(origination.asker, status, now);
    }

    fn tell_asker(&mut self, asker: Asker, status: OriginateStatus, now: Now) {
        match asker {
            // A meeting hears more than the status.
            Asker::Nobody | Asker::Meeting(_) => {}
            Asker::Command(id) => self.complete(id, Completion::Originated(status)),
            Asker::Call(call) => self.with_call(call, now, |_, call| {
                resume(call, Outcome::Originated(status));
            }),
        }
    }

    /// A context with an extension `failed` hears of calls that nobody answered and somebody waited
    /// for: as a channel without a phone, which ends with it.
    fn run_failed_extension(
        &mut self,
        origination: &Origination,
        status: OriginateStatus,
        now: Now,
    ) {
        let OriginateTarget::Place { context, .. } = &origination.originate.target else { return };
        let Originate { caller_number, caller_name, account, variables, .. } =
            &origination.originate;
        let parties = Parties {
            caller_number: caller_number.clone(),
            caller_name: caller_name.clone(),
            dialled: FAILED.into(),
            peer: None,
            call_id: "OutgoingSpoolFailed".into(),
        };
        let is_wanted = origination.asker != Asker::Nobody
            && self.calls.len() < self.config.limits.calls
            && self.has_extension(context.as_ref(), &parties, now);
        if !is_wanted {
            return;
        }
        let id = self.next_channel();
        let flow = self.own_flow();
        let until = now.instant + LONGEST_FAILING;
        let mut call =
            self.call_without_phone(id, parties, Direction::Outgoing, (flow, until), now);
        let language = call.channel.language.clone();
        let mut channel = plan_channel(call.name.clone(), &call.parties, &language, id, now);
        channel.account_code = account.clone();
        let pbx = Pbx::new(channel, context.as_ref(), FAILED.into(), self.started);
        call.control = Control::Dialplan(Box::new(pbx));
        self.tell(SwitchEvent::CallStarted {
            call: id,
            channel: call.name.clone(),
            parties: call.parties.clone(),
            direction: call.direction,
        });
        self.put_back(call, now);
        let mut assignments = variables.clone();
        assignments.push(("REASON".into(), reason(status).into()));
        self.with_call(id, now, |switch, call| switch.assign(call, &assignments, now));
    }

    /// Where calls of nobody come from: an address of ours.
    fn own_flow(&self) -> sip::Flow {
        let bind = self.config.sip.transports.first().map(|transport| transport.bind);
        let bind = bind.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 5060)));
        let own = match (bind.ip().is_unspecified(), bind.is_ipv4()) {
            (false, _) => bind,
            (true, true) => SocketAddr::from(([127, 0, 0, 1], bind.port())),
            (true, false) => SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), bind.port()),
        };
        sip::Flow { transport: Transport::Udp, local: own, peer: own, connection: None }
    }
}

impl Origination {
    /// ORIGINATE_STATUS of one that nobody answered, and the cause that it comes from.
    fn verdict(&self) -> (OriginateStatus, Cause) {
        let any = |wanted: &[Cause]| self.causes.iter().find(|cause| wanted.contains(cause));
        if let Some(cause) = any(&[Cause::USER_BUSY]) {
            (OriginateStatus::Busy, *cause)
        } else if let Some(cause) = any(&[Cause::CONGESTION, Cause::SWITCH_CONGESTION]) {
            (OriginateStatus::Congestion, *cause)
        } else if let Some(cause) = any(&[Cause::NO_ANSWER, Cause::NO_USER_RESPONSE]) {
            (OriginateStatus::Ringing, *cause)
        } else if let Some(cause) = any(&[Cause::NORMAL_CLEARING]) {
            (OriginateStatus::Hangup, *cause)
        } else {
            let cause = self.causes.last().copied();
            (OriginateStatus::Failed, cause.unwrap_or(Cause::NORMAL_UNSPECIFIED))
        }
    }

    /// The command whose giver follows the call.
    fn follower(&self) -> Option<CommandId> {
        match self.asker {
            Asker::Command(command) if self.originate.follow.is_some() => Some(command),
            _ => None,
        }
    }
}

/// Somebody answered: from here on the call is one with a dialplan of its own.
fn give_to_dialplan(call: &mut Call, target: OriginateTarget) {
    let control = std::mem::replace(&mut call.control, Control::Nobody);
    call.control = match control {
        Control::Leg(leg) => {
            let pbx = match target {
                OriginateTarget::Application { name, arguments } => {
                    leg.pbx.with_application(name.as_ref(), arguments.as_ref())
                }
                OriginateTarget::Place { context, extension, priority } => {
                    leg.pbx.moved_to(context.as_ref(), extension.as_ref(), priority)
                }
            };
            Control::Dialplan(Box::new(pbx))
        }
        other => other,
    };
}

/// `name=value^name=value` of option v.
fn assignments(text: &[u8]) -> Vec<(BString, BString)> {
    let pairs = text.split(|byte| *byte == b'^').filter(|pair| !pair.is_empty());
    let pair = |pair: &[u8]| match pair.split_once_str("=") {
        Some((name, value)) => (BString::from(name), BString::from(value)),
        None => (BString::from(pair), BString::default()),
    };
    pairs.map(pair).collect()
}

/// REASON, in the numbers of Asterisk's control frames.
fn reason(status: OriginateStatus) -> &'static str {
    match status {
        OriginateStatus::Hangup => "1",
        OriginateStatus::Ringing => "3",
        OriginateStatus::Success => "4",
        OriginateStatus::Busy => "5",
        OriginateStatus::Congestion => "8",
        OriginateStatus::Failed | OriginateStatus::Unknown => "0",
    }
}

/// The extension that hears of calls nobody answered.
const FAILED: &str = "failed";

/// How long that extension may take.
const LONGEST_FAILING: Duration = Duration::from_secs(3600);

/// Forwards of one origination before it is taken for a loop.
const MOST_FORWARDS: usize = 10;
