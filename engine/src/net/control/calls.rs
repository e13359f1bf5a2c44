//! What an operator does to calls: begin one, send one elsewhere.

use std::time::Duration;

use diesis_dialplan::operation::{DialPlace, OriginateStatus, OriginateTarget};
use tokio::sync::oneshot;

use super::{
    Gone, Wires,
    listener::Answer,
    protocol::Then,
    serve::{Why, tell},
};
use crate::{
    net::signalling::Request,
    switch::{Completion, Originate},
};

pub(super) async fn originate(
    destination: &str,
    then: Then,
    number: Option<String>,
    seconds: Option<u64>,
    wires: &Wires,
    answer: &mut Answer,
) -> Result<(), Why> {
    let to = Originate::destination(destination.as_bytes());
    let to = to.ok_or_else(|| format!("{destination:?} is not TECHNOLOGY/WHOM, as PJSIP/200"))?;
    let target = match then {
        Then::Application { name, arguments } => {
            OriginateTarget::Application { name: name.into(), arguments: arguments.into() }
        }
        Then::Extension { extension, context } => OriginateTarget::Place {
            context: context.map_or_else(|| "default".into(), Into::into),
            extension: extension.into(),
            priority: 1,
        },
    };
    let mut originate = Originate::new(to, target);
    originate.caller_number = number.unwrap_or_default().into();
    if let Some(seconds) = seconds {
        originate.ring_timeout = Duration::from_secs(seconds.clamp(1, LONGEST_RINGING));
    }
    let (done, answered) = oneshot::channel();
    let requests = wires.requests.upgrade().ok_or(Gone)?;
    let request = Request::Originate { originate: Box::new(originate), done };
    requests.send(request).await.map_err(|_| Gone)?;
    drop(requests);
    match answered.await.map_err(|_| Gone)? {
        Completion::Originated(OriginateStatus::Success) => {
            tell(answer, format!("{destination} answered")).await;
            Ok(())
        }
        Completion::Originated(status) => Err(format!("{destination}: {}", why(status))),
        Completion::Failed(why) => Err(why),
        other => Err(format!("{other:?}")),
    }
}

/// Why nobody answered, for the operator.
fn why(status: OriginateStatus) -> &'static str {
    match status {
        OriginateStatus::Busy => "busy",
        OriginateStatus::Congestion => "the network refuses",
        OriginateStatus::Hangup => "hung up without an answer",
        OriginateStatus::Ringing => "no answer",
        _ => "can not be called; see `diesis show contacts` and the log",
    }
}

pub(super) async fn redirect(
    channel: &str,
    place: &str,
    wires: &Wires,
    answer: &mut Answer,
) -> Result<(), Why> {
    let mut pieces: Vec<&str> = place.split(',').map(str::trim).collect();
    if pieces.len() > 3 || pieces.iter().any(|piece| piece.is_empty()) {
        return Err(format!("{place:?} is not [[CONTEXT,]EXTENSION,]PRIORITY"));
    }
    let priority = pieces.pop().unwrap_or_default().into();
    let extension = pieces.pop().map(Into::into);
    let context = pieces.pop().map(Into::into);
    let to = DialPlace { context, extension, priority };
    let name = channel.to_owned();
    let done = wires.look(move |at| at.switch.redirect(name.as_bytes(), &to, at.now)).await?;
    done.map_err(|error| error.to_string())?;
    tell(answer, format!("{channel} goes on at {place}")).await;
    Ok(())
}

/// Seconds that an operator can let it ring.
const LONGEST_RINGING: u64 = 3600;
