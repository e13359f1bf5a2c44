//! Applications that do something to a conference from outside: ConfKick, MeetMeAdmin.

use bstr::BString;

use crate::arguments::split;
use crate::executor::{Continuation, Flow, Run};
use crate::operation::{ConferenceAction, ConferenceMembers, ConferenceOrder, Operation, Outcome};

/// `ConfKick(conference[,channel|all|participants])`.
pub(super) fn kick(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let Some(conference) = parts.first().filter(|name| !name.is_empty()) else {
        run.scope.warn(format_args!("ConfKick requires an argument (conference[,channel])"));
        run.scope.assign(b"CONFKICKSTATUS", b"FAILURE");
        return Flow::Continue;
    };
    let whom = parts.get(1).map(|whom| whom.to_vec()).unwrap_or_default();
    let action = ConferenceAction::Kick(match whom.as_slice() {
        b"" | b"all" => ConferenceMembers::All,
        b"participants" => ConferenceMembers::Participants,
        _ => ConferenceMembers::Named(whom.into()),
    });
    let conference = Some(conference.to_vec().into());
    ask(ConferenceOrder { conference, action }, ["CONFKICKSTATUS", "SUCCESS", "FAILURE"])
}

/// `MeetMeAdmin(conference,command[,member])`, a member being a number or a channel.
pub(super) fn meet_me_admin(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let mut parts = text.split(|byte| matches!(byte, b',' | b'|'));
    let conference: BString = parts.next().unwrap_or_default().into();
    let command = parts.next().unwrap_or_default();
    let member = parts.next().filter(|member| !member.is_empty());
    let member = member.map(|member| ConferenceMembers::Named(member.into()));
    if conference.is_empty() {
        run.scope.warn(format_args!("MeetMeAdmin requires arguments (conference,command)"));
        run.scope.assign(b"MEETMEADMINSTATUS", b"NOPARSE");
        return Flow::Continue;
    }
    let Some(action) = action(run, "MeetMeAdmin", command, member) else {
        run.scope.assign(b"MEETMEADMINSTATUS", b"NOPARSE");
        return Flow::Continue;
    };
    let conference = Some(conference);
    ask(ConferenceOrder { conference, action }, ["MEETMEADMINSTATUS", "OK", "FAILED"])
}

/// `MeetMeChannelAdmin(channel,command)`: of the conference that the channel is in.
pub(super) fn meet_me_channel_admin(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let mut parts = text.split(|byte| matches!(byte, b',' | b'|'));
    let channel = parts.next().filter(|channel| !channel.is_empty());
    let member = channel.map(|channel| ConferenceMembers::Named(channel.into()));
    let command = parts.next().unwrap_or_default();
    let is_known = matches!(command, b"k" | b"m" | b"M");
    let action = is_known.then(|| action(run, "MeetMeChannelAdmin", command, member));
    let Some(action) = action.flatten() else {
        run.scope.warn(format_args!("MeetMeChannelAdmin requires arguments (channel,k|m|M)"));
        return Flow::Continue;
    };
    // Nobody is told what came of it.
    ask(ConferenceOrder { conference: None, action }, ["MEETMECHANNELADMINSTATUS", "OK", "FAILED"])
}

/// What a letter stands for; `None`: it was said that it stands for nothing here.
fn action(
    run: &mut Run<'_>,
    application: &str,
    command: &[u8],
    member: Option<ConferenceMembers>,
) -> Option<ConferenceAction> {
    let participants = ConferenceMembers::Participants;
    match (command, member) {
        (b"L", _) => Some(ConferenceAction::Lock),
        (b"l", _) => Some(ConferenceAction::Unlock),
        (b"K", _) => Some(ConferenceAction::Kick(ConferenceMembers::All)),
        (b"e", _) => Some(ConferenceAction::Kick(ConferenceMembers::Last)),
        (b"N", _) => Some(ConferenceAction::Mute(participants)),
        (b"n", _) => Some(ConferenceAction::Unmute(participants)),
        (b"k", Some(member)) => Some(ConferenceAction::Kick(member)),
        (b"M", Some(member)) => Some(ConferenceAction::Mute(member)),
        (b"m", Some(member)) => Some(ConferenceAction::Unmute(member)),
        (b"k" | b"M" | b"m", None) => {
            run.scope.warn(format_args!("{application}: whom?"));
            None
        }
        (command, _) => {
            let command = bstr::BStr::new(command);
            run.scope.warn(format_args!("{application}: command '{command}' has no counterpart"));
            None
        }
    }
}

fn ask(order: ConferenceOrder, [variable, done, failed]: [&'static str; 3]) -> Flow {
    let continuation = Continuation::ConferenceOrder { variable, done, failed };
    Flow::Ask(Operation::OrderConference(Box::new(order)), continuation)
}

pub(super) fn order_done(
    run: &mut Run<'_>,
    outcome: &Outcome,
    [variable, done, failed]: [&'static str; 3],
) -> Flow {
    let status = if *outcome == Outcome::Done { done } else { failed };
    run.scope.assign(variable.as_bytes(), status.as_bytes());
    match outcome {
        Outcome::HungUp { .. } => Flow::HangUp,
        _ => Flow::Continue,
    }
}
