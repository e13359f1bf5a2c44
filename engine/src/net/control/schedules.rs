//! Opening hours: what holds, and what an operator says instead.

use diesis_dialplan::timetable::Standing;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{
    Wires,
    listener::Answer,
    protocol::{Reply, Table},
    serve::{Why, tell, tell_unkept},
    tables::text,
};
use crate::switch::ScheduleView;

/// All schedules, one, or one that is overridden first.
pub(super) async fn serve(
    name: Option<String>,
    set: Option<String>,
    wires: &Wires,
    answer: &mut Answer,
) -> Result<(), Why> {
    let found = match (name, set) {
        (Some(name), Some(words)) => {
            let done = wires.look(move |at| {
                let done = at.switch.override_schedule(name.as_bytes(), words.as_bytes(), at.now);
                (done.map_err(|error| error.to_string()), at.store.err().map(str::to_owned))
            });
            let (done, unkept) = done.await?;
            let view = done?;
            tell_unkept(answer, unkept).await;
            tell(answer, in_words(&view)).await;
            return Ok(());
        }
        (None, Some(_)) => return Err("which schedule?".to_owned()),
        (Some(name), None) => {
            let mut all = wires.look(|at| at.switch.view_schedules(at.now)).await?;
            all.retain(|view| view.name.eq_ignore_ascii_case(name.as_bytes()));
            if all.is_empty() {
                return Err(format!("there is no schedule {name:?} in schedules.conf"));
            }
            all
        }
        (None, None) => wires.look(|at| at.switch.view_schedules(at.now)).await?,
    };
    let table = Reply::Table(table(&found));
    answer.send(&table).await.map_err(|error| error.to_string())
}

fn table(views: &[ScheduleView]) -> Table {
    let mut table = Table::new(&[
        "schedule",
        "state",
        "reason",
        "event",
        "override",
        "until",
        "next_change",
        "incoming",
    ]);
    for view in views {
        let ScheduleView { name, is_open, reason, event, standing, next, zone, incoming } = view;
        let date = |at: Option<Timestamp>| at.map_or(Value::Null, |at| json!(clock(at, zone)));
        table.push(vec![
            text(name),
            json!(if *is_open { "open" } else { "closed" }),
            text(reason),
            event.as_ref().map_or(Value::Null, |event| text(event)),
            standing.map_or(Value::Null, |standing| json!(standing.said.name())),
            date(standing.and_then(|standing| standing.until)),
            date(*next),
            Value::Array(incoming.iter().map(|number| text(number)).collect()),
        ]);
    }
    table
}

/// `house is closed by command until 2026-12-24T18:00:00+01:00`.
fn in_words(view: &ScheduleView) -> String {
    let ScheduleView { name, is_open, reason, standing, next, zone, .. } = view;
    let state = if *is_open { "open" } else { "closed" };
    match (standing, next) {
        (Some(Standing { until: Some(until), .. }), _) => {
            format!("{name} is {state} until {}", clock(*until, zone))
        }
        (Some(Standing { until: None, .. }), _) => format!("{name} is {state} until taken back"),
        (None, Some(next)) => {
            format!("{name} goes by its hours: {state} ({reason}) until {}", clock(*next, zone))
        }
        (None, None) => format!("{name} goes by its hours: {state} ({reason})"),
    }
}

/// By the schedule's own clock.
fn clock(at: Timestamp, zone: &Option<String>) -> String {
    let zone = zone.as_deref().and_then(|zone| TimeZone::get(zone).ok());
    let local = at.to_zoned(zone.unwrap_or_else(TimeZone::system));
    local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
