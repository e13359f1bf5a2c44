//! What an operator does to conference rooms.

use super::{
    Wires,
    listener::Answer,
    protocol::{ConferenceAction, Reply},
    serve::{Why, tell},
    tables,
};
use crate::switch::{RoomMembers, RoomOrder};

/// Carries out one order, and says what came of it.
pub(super) async fn order(
    room: String,
    action: ConferenceAction,
    channel: Option<String>,
    file: Option<String>,
    wires: &Wires,
    answer: &mut Answer,
) -> Result<(), Why> {
    if action == ConferenceAction::List {
        let rooms = wires.look(|at| at.switch.view_rooms()).await?;
        let found = rooms.into_iter().find(|it| it.name == room.as_bytes());
        let found = found.ok_or_else(|| format!("there is no conference {room:?}"))?;
        let table = Reply::Table(tables::room(&found));
        return answer.send(&table).await.map_err(|error| error.to_string());
    }
    let (of, name) = (room.clone(), channel.clone());
    let done = wires.look(move |at| {
        let who = match name.as_deref() {
            None => None,
            Some("all") => Some(RoomMembers::All),
            Some("participants") => Some(RoomMembers::Participants),
            Some("last") => Some(RoomMembers::Last),
            Some(name) => {
                let call = at.switch.find_call(name.as_bytes());
                let call = call.ok_or_else(|| format!("there is no channel {name:?}"))?;
                Some(RoomMembers::Channel(call))
            }
        };
        let order = order_of(action, who, file)?;
        let done = at.switch.order_room(of.as_bytes().into(), order, at.now);
        done.map_err(|error| error.to_string())
    });
    let count = done.await??;
    let said = match action {
        ConferenceAction::Lock => format!("conference {room} is locked"),
        ConferenceAction::Unlock => format!("conference {room} is open"),
        ConferenceAction::Record => format!("conference {room} is recorded"),
        ConferenceAction::Stop => format!("conference {room} is not recorded any more"),
        ConferenceAction::Kick => format!("{count} sent away"),
        ConferenceAction::Mute if channel.as_deref() == Some("participants") => {
            "participants are muted".to_owned()
        }
        ConferenceAction::Unmute if channel.as_deref() == Some("participants") => {
            "participants are heard".to_owned()
        }
        ConferenceAction::Mute => format!("{count} muted"),
        ConferenceAction::Unmute => format!("{count} heard again"),
        ConferenceAction::List => String::new(),
    };
    tell(answer, said).await;
    Ok(())
}

fn order_of(
    action: ConferenceAction,
    who: Option<RoomMembers>,
    file: Option<String>,
) -> Result<RoomOrder, Why> {
    let whom = || who.ok_or_else(|| "whom? A channel, `all`, `participants` or `last`".to_owned());
    Ok(match action {
        ConferenceAction::Kick => RoomOrder::Kick(whom()?),
        ConferenceAction::Mute => RoomOrder::Mute(whom()?),
        ConferenceAction::Unmute => RoomOrder::Unmute(whom()?),
        ConferenceAction::Lock => RoomOrder::Lock,
        ConferenceAction::Unlock => RoomOrder::Unlock,
        ConferenceAction::Record => RoomOrder::Record { file: file.map(Into::into) },
        ConferenceAction::Stop => RoomOrder::StopRecording,
        ConferenceAction::List => return Err("a list is no order".to_owned()),
    })
}
