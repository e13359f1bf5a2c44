//! What is done for each request.

use std::time::Duration;

use bstr::ByteSlice;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{
    Gone, Wires, calls, conference, kept,
    listener::Answer,
    metrics::{self, Observed},
    protocol::{Command, Direction, Reply, Setting, SipMessage, What},
    quality, rules, schedules, tables, videoshare,
};
use crate::{
    channel::Cause,
    net::{
        ReloadError, clock,
        trace::{Filter, Traced, Way, mask},
    },
    presence::MessageCounts,
    switch::{Command as SwitchCommand, CommandId, Numbers, Originate, Verb},
};

/// Carries a request out; sends what comes before the last line, and returns that.
/// `asker` tells when nobody listens any more.
pub(super) async fn serve(
    command: Command,
    wires: &Wires,
    asker: &mut (impl AsyncRead + Unpin),
    answer: &mut Answer,
) -> Reply {
    let done = match command {
        Command::Metrics => metrics(wires, answer).await,
        Command::Show { what, range } => show(what, range, wires, answer).await,
        Command::Records { last, from } => kept::records(last, from, wires, answer).await,
        Command::Database { action, key, value } => {
            kept::database(action, key, value, wires, answer).await
        }
        Command::Schedule { name, set } => schedules::serve(name, set, wires, answer).await,
        Command::Mailbox { name, new, old } => mailbox(name, new, old, wires).await,
        Command::Conference { room, action, channel, file } => {
            conference::order(room, action, channel, file, wires, answer).await
        }
        Command::VideoShare { action, room, who, name } => {
            videoshare::order(action, room, (who, name), wires, answer).await
        }
        Command::Rules { order } => rules::order(order, wires, answer).await,
        Command::Hangup { channel } => hang_up(channel, wires, answer).await,
        Command::Originate {
            destination,
            then,
            number,
            seconds,
            name,
            variables,
            written,
            follow,
        } => {
            let shown = calls::Shown { number, name };
            match calls::order(&destination, then, shown, seconds, (variables, follow)) {
                Ok(originate) => {
                    let numbers = if written { Numbers::Written } else { Numbers::Dialled };
                    let originate = Originate { numbers, ..originate };
                    calls::begin(&destination, originate, wires, answer).await
                }
                Err(why) => Err(why),
            }
        }
        Command::Redirect { channel, place } => {
            calls::redirect(&channel, &place, wires, answer).await
        }
        Command::Set { what, value } => set(what, &value, wires, answer).await,
        Command::Trace { of, seconds } => trace(&of, seconds, wires, asker, answer).await,
        Command::Reload => reload(wires, answer).await,
        Command::Stop { when_idle } => stop(when_idle, wires, answer).await,
    };
    match done {
        Ok(()) => Reply::Done,
        Err(why) => Reply::Error(why),
    }
}

/// Why a request failed, for the operator.
pub(super) type Why = String;

pub(super) async fn tell(answer: &mut Answer, text: impl Into<String>) {
    // An operator who is gone hears nothing; what was ordered is done all the same.
    let _ = answer.send(&Reply::Text(text.into())).await;
}

/// Says that a change was made which no store keeps, and why.
pub(super) async fn tell_unkept(answer: &mut Answer, why: Option<String>) {
    if let Some(why) = why {
        tell(answer, format!("it does not outlive the engine: {why}")).await;
    }
}

impl From<Gone> for String {
    fn from(gone: Gone) -> Self {
        gone.to_string()
    }
}

async fn show(
    what: What,
    range: Option<String>,
    wires: &Wires,
    answer: &mut Answer,
) -> Result<(), Why> {
    let table = match what {
        What::Calls => tables::calls(&wires.look(|at| at.switch.view_calls(at.now)).await?),
        What::Channels => tables::channels(&wires.look(|at| at.switch.view_calls(at.now)).await?),
        What::ChannelStats => {
            quality::channel_stats(&wires.look(|at| at.switch.view_calls(at.now)).await?)
        }
        What::Contacts => {
            tables::contacts(&wires.look(|at| at.switch.view_contacts(at.now)).await?)
        }
        What::Registrations => {
            tables::registrations(&wires.look(|at| at.switch.view_registrations(at.now)).await?)
        }
        What::Robots => {
            let range = range.as_deref().map(tables::Range::parse).transpose()?;
            tables::robots(&wires.look(|at| at.switch.view_registrations(at.now)).await?, range)
        }
        What::Pools => tables::pools(&wires.look(|at| at.switch.view_pools(at.now)).await?),
        What::Hints => tables::hints(&wires.look(|at| at.switch.view_hints()).await?),
        What::Subscriptions => {
            tables::subscriptions(&wires.look(|at| at.switch.view_subscriptions(at.now)).await?)
        }
        What::Bans => tables::bans(&wires.look(|at| at.switch.view_bans(at.now)).await?),
        What::Peers => tables::peers(&wires.look(|at| at.switch.view_peers(at.now)).await?),
        What::Connections => {
            tables::connections(&wires.look(|at| at.switch.view_peers(at.now)).await?)
        }
        What::Stations => {
            let range = range.as_deref().map(tables::Range::parse).transpose()?;
            tables::stations(&wires.look(|at| at.switch.view_peers(at.now)).await?, range)
        }
        What::Conferences => tables::rooms(&wires.look(|at| at.switch.view_rooms()).await?),
        What::Transports => tables::transports(&wires.look(|at| at.transports.view()).await?),
        What::Media => tables::media(&wires.look(|at| at.media.all_statistics()).await?),
        What::Uptime => {
            let (calls, begun, draining) = wires
                .look(|at| {
                    (at.switch.call_count(), at.switch.calls_begun(), at.switch.is_draining())
                })
                .await?;
            tables::uptime(wires.started, clock::now(), calls, begun, draining)
        }
        What::Version => tables::version(),
    };
    answer.send(&Reply::Table(table)).await.map_err(|error| error.to_string())
}

async fn metrics(wires: &Wires, answer: &mut Answer) -> Result<(), Why> {
    let look = wires.look(|at| {
        let rooms = at.switch.view_rooms();
        let contacts = at.switch.view_contacts(at.now);
        let registrations = at.switch.view_registrations(at.now);
        Observed {
            totals: at.switch.totals(),
            shards: at.media.all_statistics(),
            calls: at.switch.call_count(),
            contacts: contacts.iter().filter(|contact| contact.source.is_some()).count(),
            registrations: registrations.iter().filter(|it| it.state == "registered").count(),
            room_members: rooms.iter().map(|room| room.members.len()).sum(),
            rooms: rooms.len(),
            pools: at.switch.view_pools(at.now),
            bans: at.switch.view_bans(at.now).len(),
            draining: at.switch.is_draining(),
        }
    });
    let page = metrics::page(&look.await?, wires.started);
    answer.send(&Reply::Text(page)).await.map_err(|error| error.to_string())
}

async fn mailbox(name: String, new: u32, old: u32, wires: &Wires) -> Result<(), Why> {
    let counts = MessageCounts { new, old, ..MessageCounts::default() };
    let set = wires.look(move |at| at.switch.set_mailbox(name.as_bytes().into(), counts, at.now));
    set.await?.map_err(|error| error.to_string())
}

async fn hang_up(channel: String, wires: &Wires, answer: &mut Answer) -> Result<(), Why> {
    if channel == "all" {
        let count = wires
            .look(|at| {
                let count = at.switch.call_count();
                at.switch.hang_up_all(at.now);
                count
            })
            .await?;
        tell(answer, format!("{count} calls hung up")).await;
        return Ok(());
    }
    let name = channel.clone();
    let found = wires.look(move |at| {
        let call = at.switch.find_call(name.as_bytes())?;
        // Nobody waits for its completion.
        let (id, verb) = (CommandId::new(u64::MAX), Verb::Hangup(Cause::NORMAL_CLEARING));
        at.switch.handle_command(SwitchCommand::Call { id, call, verb }, at.now);
        Some(())
    });
    found.await?.ok_or_else(|| format!("there is no channel {channel:?}; see `show channels`"))?;
    tell(answer, format!("{channel} hung up")).await;
    Ok(())
}

async fn reload(wires: &Wires, answer: &mut Answer) -> Result<(), Why> {
    let reloaded = wires.reloader.reload(wires).await;
    let lines = match &reloaded {
        Ok(reloaded) => reloaded.lines(),
        Err(ReloadError::Refused { findings, .. }) => findings.clone(),
        Err(_) => vec![],
    };
    for line in lines {
        tell(answer, line).await;
    }
    reloaded.map(drop).map_err(|error| error.to_string())
}

async fn set(what: Setting, value: &str, wires: &Wires, answer: &mut Answer) -> Result<(), Why> {
    let log = wires.log.as_ref();
    let log = log.ok_or("the program that runs this engine keeps its log to itself")?;
    let said = match what {
        Setting::Log => log.set_level(value)?,
        Setting::Syslog => log.set_syslog(value)?,
    };
    tell(answer, said).await;
    Ok(())
}

async fn trace(
    of: &str,
    seconds: Option<u64>,
    wires: &Wires,
    asker: &mut (impl AsyncRead + Unpin),
    answer: &mut Answer,
) -> Result<(), Why> {
    let filter = Filter::parse(of);
    let watched = wires.look(move |at| at.traces.watch(filter)).await?;
    let mut watched = watched.ok_or("too many people watch already")?;
    let longest = seconds.map_or(LONGEST_TRACE, Duration::from_secs).min(LONGEST_TRACE);
    let end = tokio::time::Instant::now() + longest;
    // Whoever asked may rely on it from here on.
    answer.send(&Reply::Text(WATCHING.to_owned())).await.map_err(|error| error.to_string())?;
    let mut gone = [0; 1];
    loop {
        let traced = tokio::select! {
            traced = watched.recv() => traced,
            _ = asker.read(&mut gone) => return Ok(()),
            () = tokio::time::sleep_until(end) => return Ok(()),
        };
        // The engine stops.
        let Some(traced) = traced else { return Ok(()) };
        let message = Reply::Message(Box::new(SipMessage::from(traced)));
        answer.send(&message).await.map_err(|error| error.to_string())?;
    }
}

impl From<Traced> for SipMessage {
    fn from(traced: Traced) -> Self {
        Self {
            at: traced.at.as_microsecond(),
            direction: match traced.way {
                Way::In => Direction::In,
                Way::Out => Direction::Out,
            },
            transport: traced.transport.as_str().to_owned(),
            local: traced.local,
            peer: traced.peer,
            call_id: traced.call_id.to_str_lossy().into_owned(),
            content: mask(&traced.bytes).into(),
            lost: traced.lost,
        }
    }
}

async fn stop(when_idle: Option<u64>, wires: &Wires, answer: &mut Answer) -> Result<(), Why> {
    if let Some(seconds) = when_idle {
        let mut count = wires
            .look(|at| {
                at.switch.drain();
                at.switch.call_count()
            })
            .await?;
        tracing::info!(calls = count, seconds, "draining: new calls are refused");
        tell(answer, format!("new calls are refused; waiting for {count} to end")).await;
        let limit = tokio::time::Instant::now() + Duration::from_secs(seconds);
        while count > 0 && tokio::time::Instant::now() < limit {
            tokio::time::sleep(LOOK_AGAIN).await;
            count = wires.look(|at| at.switch.call_count()).await?;
        }
        if count > 0 {
            tell(answer, format!("{count} calls did not end in time and are hung up")).await;
        }
    }
    tell(answer, "the engine stops").await;
    wires.stop_wanted.notify_one();
    Ok(())
}

/// How often a draining engine is looked at: it ends calls by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// A forgotten trace ends some day.
const LONGEST_TRACE: Duration = Duration::from_secs(24 * 3600);
/// The first line of a trace.
const WATCHING: &str = "watching";
