//! What an operator does to conferences with a master.

use super::{
    Wires,
    listener::Answer,
    protocol::{Reply, VideoShareAction},
    serve::{Why, tell},
    tables,
};
use crate::switch::MeetingOrder;

/// Carries out one order, and says what came of it.
pub(super) async fn order(
    action: VideoShareAction,
    room: Option<String>,
    (who, name): (Option<String>, Option<String>),
    wires: &Wires,
    answer: &mut Answer,
) -> Result<(), Why> {
    use VideoShareAction as Do;
    let table = match (action, &room) {
        (Do::List, _) => tables::meetings(&wires.look(|at| at.switch.view_meetings(at.now)).await?),
        (_, None) => return Err("which room? `diesis videoshare list` names them".to_owned()),
        (Do::Show | Do::Report, Some(room)) => {
            let of = room.clone();
            let report = wires.look(move |at| match action {
                Do::Report => at.switch.last_meeting(of.as_bytes()).cloned(),
                _ => at.switch.view_meeting_of(of.as_bytes(), at.now),
            });
            let report = report.await?.ok_or_else(|| match action {
                Do::Report => format!("no conference of room {room:?} is over yet"),
                _ => format!("there is no room {room:?} in videoshare.conf"),
            })?;
            tables::meeting(&report)
        }
        (_, Some(room)) => {
            let (of, order) = (room.clone(), order_of(action, who.clone(), name)?);
            let done =
                wires.look(move |at| at.switch.order_meeting(of.as_bytes().into(), order, at.now));
            done.await?.map_err(|error| error.to_string())?;
            tell(answer, said(action, room, who.as_deref())).await;
            return Ok(());
        }
    };
    answer.send(&Reply::Table(table)).await.map_err(|error| error.to_string())
}

fn order_of(
    action: VideoShareAction,
    who: Option<String>,
    name: Option<String>,
) -> Result<MeetingOrder, Why> {
    use VideoShareAction as Do;
    let who = who.map(Into::into);
    let whom = || who.clone().ok_or_else(|| "whom? A number, or # and a place".to_owned());
    Ok(match action {
        Do::Start => MeetingOrder::Start,
        Do::Invite => {
            MeetingOrder::Invite { number: whom()?, name: name.unwrap_or_default().into() }
        }
        Do::CallAll => MeetingOrder::CallAll,
        Do::CallAgain => MeetingOrder::CallAgain(whom()?),
        Do::Mute => MeetingOrder::Mute(who),
        Do::Unmute => MeetingOrder::Unmute(who),
        Do::Remove => MeetingOrder::Remove(whom()?),
        Do::Lock => MeetingOrder::Lock,
        Do::Unlock => MeetingOrder::Unlock,
        Do::Record => MeetingOrder::Record(true),
        Do::Stop => MeetingOrder::Record(false),
        Do::End => MeetingOrder::End,
        Do::List | Do::Show | Do::Report => return Err("a list is no order".to_owned()),
    })
}

fn said(action: VideoShareAction, room: &str, who: Option<&str>) -> String {
    use VideoShareAction as Do;
    let who = who.unwrap_or("all participants");
    match action {
        Do::Start => format!("conference {room} begins"),
        Do::Invite | Do::CallAgain => format!("{who} is called"),
        Do::CallAll => "those whom nobody called yet are called".to_owned(),
        Do::Mute => format!("{who}: not heard any more"),
        Do::Unmute => format!("{who}: heard again"),
        Do::Remove => format!("{who} is sent away"),
        Do::Lock => format!("conference {room} is locked"),
        Do::Unlock => format!("conference {room} is open"),
        Do::Record => format!("conference {room} is recorded"),
        Do::Stop => format!("conference {room} is not recorded any more"),
        Do::End => format!("conference {room} ends"),
        Do::List | Do::Show | Do::Report => String::new(),
    }
}
