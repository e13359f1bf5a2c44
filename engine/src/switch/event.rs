//! What the switch tells: calls, their steps, keys and ends, registrations, completed commands.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bstr::BString;

use diesis_dialplan::{operation::DialStatus, timetable::Standing};

use super::{
    BridgeId, Completion, ContactStatus, Feature, MeetingChange, MeetingReport, OriginateNews,
    SupervisedCall, command::CommandId,
};
use crate::{
    cdr,
    channel::{Cause, ChannelId},
    media::{Digit, StreamStatistics, Talk},
    presence::{DeviceState, ExtensionState},
    program::{ProgramEnd, ProgramId},
    sip::registration::RegistrationEvent,
};

/// What happens to a conference room as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomChange {
    /// Nobody but administrators comes in.
    Locked,
    /// All come in.
    Unlocked,
    /// Nobody but administrators is heard.
    Muted,
    /// All are heard, but for those who do not want to be.
    Unmuted,
    /// A recording begins.
    RecordingStarted,
    /// A recording ends.
    RecordingStopped,
}

/// Something that happened, for an embedder, a monitor or a log.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SwitchEvent {
    /// A call came that the embedder has to take: it rings nowhere until a command says so.
    IncomingCall {
        /// The call.
        call: ChannelId,
        /// Who calls and what was dialled.
        parties: Parties,
    },
    /// A call began, whoever takes it.
    CallStarted {
        /// The call.
        call: ChannelId,
        /// The channel's name, as in `${CHANNEL}`.
        channel: BString,
        /// Who calls and what was dialled.
        parties: Parties,
        /// Which way the call was set up.
        direction: Direction,
    },
    /// The far end of an outgoing call rings.
    CallRinging {
        /// The call.
        call: ChannelId,
    },
    /// The call is up.
    CallAnswered {
        /// The call.
        call: ChannelId,
    },
    /// The dialplan is about to run a step; only when
    /// [`SwitchConfig::trace_steps`](super::SwitchConfig::trace_steps) asks for these.
    StepExecuted {
        /// The call.
        call: ChannelId,
        /// Where the step is.
        context: BString,
        /// Where the step is.
        extension: BString,
        /// Where the step is.
        priority: u32,
        /// The application, as it is registered.
        application: BString,
        /// Its arguments, substituted.
        arguments: BString,
    },
    /// A schedule was opened or closed by command or key, or goes by its hours again.
    ScheduleOverridden {
        /// Its name.
        name: BString,
        /// What stands from now on; `None` is its hours.
        standing: Option<Standing>,
        /// The call that did it; `None` is a command.
        call: Option<ChannelId>,
    },
    /// A digit was pressed.
    DigitHeard {
        /// The call.
        call: ChannelId,
        /// Which digit.
        digit: Digit,
    },
    /// The far end began to talk; told of calls with `TALK_DETECT(set)`.
    TalkStarted {
        /// The call.
        call: ChannelId,
    },
    /// The far end has ceased to talk, as long ago as `TALK_DETECT(set)` says.
    TalkStopped {
        /// The call.
        call: ChannelId,
        /// For how long it talked.
        talked: Duration,
    },
    /// A prompt begins to play.
    PlayStarted {
        /// The call.
        call: ChannelId,
        /// The prompts' names.
        names: Vec<BString>,
    },
    /// A call calls another by Dial.
    DialBegan {
        /// The call that dials.
        call: ChannelId,
        /// The call that is made.
        leg: ChannelId,
        /// The name of the channel that is made.
        channel: BString,
    },
    /// A Dial connected its call with one that answered.
    DialAnswered {
        /// The call that dialled.
        call: ChannelId,
        /// The call that answered.
        leg: ChannelId,
    },
    /// A Dial ended.
    DialEnded {
        /// The call that dialled.
        call: ChannelId,
        /// DIALSTATUS.
        status: DialStatus,
        /// Why the last of those called ended.
        cause: Cause,
    },
    /// A call entered a bridge.
    BridgeEntered {
        /// The bridge.
        bridge: BridgeId,
        /// The call.
        call: ChannelId,
    },
    /// A call left a bridge.
    BridgeLeft {
        /// The bridge.
        bridge: BridgeId,
        /// The call.
        call: ChannelId,
    },
    /// The far end holds the call.
    CallHeld {
        /// The call.
        call: ChannelId,
    },
    /// The far end goes on with a call that it held.
    CallResumed {
        /// The call.
        call: ChannelId,
    },
    /// One of two who talk asked for something by keys.
    FeaturePressed {
        /// Who pressed.
        call: ChannelId,
        /// For what.
        feature: Feature,
    },
    /// A call was sent elsewhere, or connected with somebody else, by its partner.
    CallTransferred {
        /// The call.
        call: ChannelId,
        /// Who did that.
        by: ChannelId,
        /// Where to: an extension, or the name of the channel it is connected with.
        to: BString,
    },
    /// A call waits in a parking lot.
    CallParked {
        /// The call.
        call: ChannelId,
        /// The lot.
        lot: BString,
        /// The slot.
        slot: u32,
    },
    /// A call joined a conference room.
    RoomJoined {
        /// The call.
        call: ChannelId,
        /// The room.
        room: BString,
        /// How many are in it now.
        members: usize,
    },
    /// A call left a conference room.
    RoomLeft {
        /// The call.
        call: ChannelId,
        /// The room.
        room: BString,
        /// How many remain.
        members: usize,
    },
    /// Somebody in a conference room begins to talk, or stops
    /// (`talk_detection_events` of the user profile).
    RoomTalking {
        /// The call.
        call: ChannelId,
        /// The room.
        room: BString,
        /// Which of them.
        talk: Talk,
    },
    /// A conference room was locked or unlocked, or its participants muted or let be heard.
    RoomChanged {
        /// The room.
        room: BString,
        /// What happened.
        change: RoomChange,
    },
    /// A member of a conference room is not heard any more, or is again.
    RoomMuted {
        /// The call.
        call: ChannelId,
        /// The room.
        room: BString,
        /// Which of them.
        is_muted: bool,
    },
    /// Something happened to a conference with a master.
    VideoShare {
        /// The room of `videoshare.conf`.
        room: BString,
        /// What.
        change: MeetingChange,
    },
    /// A conference with a master is over.
    VideoShareEnded {
        /// All about it.
        report: Box<MeetingReport>,
        /// The file that its room wants it written to (`report`).
        file: Option<BString>,
    },
    /// A recording ended.
    RecordingStopped {
        /// The call.
        call: ChannelId,
        /// Samples for which the reader had left no room.
        dropped: u64,
    },
    /// A call speaks with a program no more, or could not.
    ProgramEnded {
        /// The call.
        call: ChannelId,
        /// Which connection: a fork has the number it was begun with.
        program: ProgramId,
        /// Why.
        end: ProgramEnd,
    },
    /// A record of a call is complete; those of one call come once it has ended, in their order.
    CallRecorded {
        /// The record.
        record: Box<cdr::Record>,
    },
    /// A call is over; its dialplan may still clean up before it [ended](Self::CallEnded).
    CallHungUp {
        /// The call.
        call: ChannelId,
        /// Why.
        cause: Cause,
    },
    /// A call ended; nothing of it is left.
    CallEnded {
        /// The call.
        call: ChannelId,
        /// Why.
        cause: Cause,
        /// Who ended it.
        ended_by: EndedBy,
        /// Its length and its media.
        statistics: CallStatistics,
    },
    /// A phone registered, or refreshed its registration.
    Registered {
        /// The address of record.
        aor: BString,
        /// Where it can be reached.
        contact: String,
        /// For how long.
        expires: Duration,
    },
    /// A phone's registration ended.
    Unregistered {
        /// The address of record.
        aor: BString,
        /// The contact that went.
        contact: String,
    },
    /// A registration of ours at another registrar changed. Refreshes are silent.
    RegistrationChanged {
        /// What it belongs to.
        group: BString,
        /// The number that is registered.
        number: BString,
        /// What happened.
        event: RegistrationEvent,
    },
    /// A call occupies a robot of `robots.conf` from now on.
    RobotOccupied {
        /// The call.
        call: ChannelId,
        /// The robot.
        robot: BString,
        /// The application that it works for.
        pool: BString,
        /// For whom the call is; empty when nothing says.
        user: BString,
    },
    /// A call does not occupy its robot any more.
    RobotReleased {
        /// The call.
        call: ChannelId,
        /// The robot.
        robot: BString,
        /// The application that it works for.
        pool: BString,
    },
    /// A call was refused: all robots that it could have had are busy, or none is registered.
    RobotRefused {
        /// The robot that it asked for; `None` of a call to be made.
        robot: Option<BString>,
        /// The application.
        pool: BString,
    },
    /// A device does something else than before: a peer, or what a hint or the dialplan names.
    DeviceStateChanged {
        /// Its name, as hints write it: `PJSIP/100`, `Custom:night`.
        device: BString,
        /// What it does now.
        state: DeviceState,
    },
    /// An extension with a hint is in another state than before.
    ExtensionStateChanged {
        /// Where the hint is.
        context: BString,
        /// The extension; of a pattern, the one that was asked for.
        extension: BString,
        /// What it does now.
        state: ExtensionState,
    },
    /// A contact answers, or no longer does (`qualify_frequency`).
    ContactStatus {
        /// The address of record.
        aor: BString,
        /// Where it was asked.
        contact: String,
        /// What came of it.
        status: ContactStatus,
    },
    /// Somebody failed to prove who they are.
    AuthenticationFailed {
        /// The user name they gave, escaped.
        username: String,
        /// Where they are.
        source: SocketAddr,
        /// The request's method.
        method: String,
        /// The address in From, as it came.
        from: BString,
        /// The Call-ID, as it came.
        call_id: BString,
        /// What was wrong.
        failure: AuthenticationFailure,
    },
    /// Somebody failed too often and is not listened to for a while.
    Banned {
        /// Who: the address; of IPv6 the first one of its /64.
        source: IpAddr,
        /// The only account that is closed to it, escaped; `None`: nothing that it sends is answered.
        account: Option<String>,
        /// For how long.
        time: Duration,
    },
    /// A call for a user of `rules.conf` is in another state; told where the user lets groups see
    /// calls (`AuthorizeSupervisionInformation`).
    Supervised {
        /// The call.
        call: Box<SupervisedCall>,
        /// The groups that may see it.
        groups: Vec<BString>,
    },
    /// Something became of an originated call that is followed ([`Originate::follow`]).
    ///
    /// [`Originate::follow`]: super::Originate::follow
    OriginateNews {
        /// The command that originated it.
        command: CommandId,
        /// What.
        news: OriginateNews,
    },
    /// A command ended.
    CommandCompleted {
        /// Which one.
        command: CommandId,
        /// How.
        completion: Completion,
    },
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthenticationFailure {
    /// The password is wrong.
    WrongPassword,
    /// No peer has the name.
    UnknownPeer,
    /// Nothing from this address is let in, or not this peer.
    AccessList,
}

/// The two ends of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// The caller's number: the user part of `From`, or what the peer's settings say instead.
    pub caller_number: BString,
    /// The caller's name.
    pub caller_name: BString,
    /// What was dialled: the user part of the request's address.
    pub dialled: BString,
    /// The configured peer that calls or is called, when there is one.
    pub peer: Option<BString>,
    /// The SIP Call-ID.
    pub call_id: BString,
}

/// Which way a call was set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// They called us.
    Incoming,
    /// We called them.
    Outgoing,
}

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// The far end: BYE, CANCEL, or a refusal of our call.
    FarEnd,
    /// The dialplan or the embedder.
    Us,
    /// A failure: no media, a lost connection, a bug that ended this call only.
    Failure,
}

/// What is known of a call at its end.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CallStatistics {
    /// From the first message to the end.
    pub duration: Duration,
    /// From the answer to the end; zero when never answered.
    pub answered: Duration,
    /// What the media did, when there was any.
    pub media: Option<Box<StreamStatistics>>,
}
