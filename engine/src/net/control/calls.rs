//! What an operator does to calls: begin one, send one elsewhere.

use std::time::Duration;

use bstr::{BString, ByteSlice};
use diesis_dialplan::operation::{DialPlace, OriginateStatus, OriginateTarget};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::{
    Gone, Wires,
    listener::Answer,
    protocol::{CallNews, CallResult, Reply, Then},
    serve::{Why, tell},
};
use crate::{
    net::signalling::Request,
    switch::{Completion, Originate, OriginateNews},
};

/// Who is shown as the caller.
pub(super) struct Shown {
    pub(super) number: Option<String>,
    pub(super) name: Option<String>,
}

/// What an operator orders, as the switch takes it.
pub(super) fn order(
    destination: &str,
    then: Then,
    Shown { number, name }: Shown,
    seconds: Option<u64>,
    (variables, follow): (Vec<(String, String)>, Option<Vec<String>>),
) -> Result<Originate, Why> {
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
    originate.caller_name = name.unwrap_or_default().into();
    originate.variables =
        variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    originate.follow = follow.map(|names| names.into_iter().map(BString::from).collect());
    if let Some(seconds) = seconds {
        originate.ring_timeout = Duration::from_secs(seconds.clamp(1, LONGEST_RINGING));
    }
    Ok(originate)
}

/// Calls, and tells whether somebody answered, or all until the call is over.
pub(super) async fn begin(
    destination: &str,
    order: Originate,
    wires: &Wires,
    answer: &mut Answer,
) -> Result<(), Why> {
    match order.follow {
        Some(_) => follow(order, wires, answer).await,
        None => originate(destination, order, wires, answer).await,
    }
}

/// Calls, and tells whether somebody answered.
async fn originate(
    destination: &str,
    originate: Originate,
    wires: &Wires,
    answer: &mut Answer,
) -> Result<(), Why> {
    match request(originate, None, wires).await?.await.map_err(|_| Gone)? {
        Completion::Originated(OriginateStatus::Success) => {
            tell(answer, format!("{destination} answered")).await;
            Ok(())
        }
        Completion::Originated(status) => Err(format!("{destination}: {}", why(status))),
        Completion::Failed(why) => Err(why),
        other => Err(format!("{other:?}")),
    }
}

/// Calls, and tells what becomes of it until the call is over. Whoever asked may leave: the call
/// goes on.
async fn follow(originate: Originate, wires: &Wires, answer: &mut Answer) -> Result<(), Why> {
    let (sender, mut news) = mpsc::unbounded_channel();
    let done = request(originate, Some(sender), wires).await?;
    let mut is_over = false;
    while let Some(news) = news.recv().await {
        is_over = matches!(news, OriginateNews::Ended(_));
        answer.send(&Reply::Call(news.into())).await.map_err(|error| error.to_string())?;
    }
    match done.await.map_err(|_| Gone)? {
        Completion::Originated(_) if is_over => Ok(()),
        Completion::Failed(why) => Err(why),
        _ => Err(Gone.into()),
    }
}

async fn request(
    originate: Originate,
    news: Option<mpsc::UnboundedSender<OriginateNews>>,
    wires: &Wires,
) -> Result<oneshot::Receiver<Completion>, Gone> {
    let (done, answered) = oneshot::channel();
    let requests = wires.requests.upgrade().ok_or(Gone)?;
    let request = Request::Originate { originate: Box::new(originate), done, news };
    requests.send(request).await.map_err(|_| Gone)?;
    Ok(answered)
}

impl From<OriginateNews> for CallNews {
    fn from(news: OriginateNews) -> Self {
        let text = |bytes: &BString| bytes.to_str_lossy().into_owned();
        match news {
            OriginateNews::Calling { channel } => Self::Calling { channel: text(&channel) },
            OriginateNews::Answered { channel } => Self::Answered { channel: text(&channel) },
            OriginateNews::Ended(report) => Self::Ended(CallResult {
                status: report.status.as_str().to_owned(),
                cause: report.cause.number(),
                reason: report.cause.text().to_owned(),
                answered: report.answered.map(Timestamp::as_microsecond),
                ended: report.ended.as_microsecond(),
                talked: u64::try_from(report.talked.as_millis()).unwrap_or(u64::MAX),
                keys: report.keys,
                variables: report.variables.iter().map(|(n, v)| (text(n), text(v))).collect(),
            }),
        }
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
