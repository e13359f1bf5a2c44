//! What the engine keeps: call records and the dialplan's database.

use bstr::BString;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Wires,
    listener::Answer,
    protocol::{DatabaseAction, Reply, Table},
    quality,
    serve::{Why, tell, tell_unkept},
    tables::text,
};
use crate::net::store::{CallQuery, StoredCall};

/// The newest call records.
pub(super) async fn records(
    last: Option<usize>,
    from: Option<String>,
    wires: &Wires,
    answer: &mut Answer,
) -> Result<(), Why> {
    let query = CallQuery { last: last.unwrap_or(LAST).min(MOST), from };
    let (done, found) = oneshot::channel();
    let asked = wires.look(move |at| match at.store {
        // Nobody waits any more when the operator's program is gone.
        Ok(store) if store.find_calls(query, |found| drop(done.send(found))) => Ok(()),
        Ok(_) => Err("the disk is too slow; try again".to_owned()),
        Err(why) => Err(format!("no call records are kept: {why}")),
    });
    asked.await??;
    let found = found.await.map_err(|_| "the store has ended".to_owned())?;
    let found = found.map_err(|error| error.to_string())?;
    send(answer, table(&found, &TimeZone::system())).await
}

fn table(calls: &[StoredCall], zone: &TimeZone) -> Table {
    let mut table = Table::new(&[
        "start",
        "from",
        "to",
        "disposition",
        "seconds",
        "billable",
        "channel",
        "destination_channel",
        "answer",
        "end",
        "context",
        "caller_id",
        "application",
        "arguments",
        "account",
        "peer_account",
        "ama_flags",
        "user_field",
        "unique_id",
        "linked_id",
        "sequence",
        "fields",
        "rx_lost",
        "rx_jitter_ms",
        "rx_mos",
        "tx_lost",
        "tx_jitter_ms",
        "tx_mos",
        "round_trip_ms",
        "peer_rx_lost",
        "peer_rx_jitter_ms",
        "peer_rx_mos",
        "peer_tx_lost",
        "peer_tx_jitter_ms",
        "peer_tx_mos",
        "peer_round_trip_ms",
    ]);
    let date = |at: i64| {
        let at = Timestamp::from_microsecond(at).ok().map(|at| at.to_zoned(zone.clone()));
        at.map_or(Value::Null, |at| json!(at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()))
    };
    let text = |value: &String| text(value.as_bytes());
    for call in calls {
        let fields: Vec<_> =
            call.fields.iter().map(|(name, value)| text(&format!("{name}={value}"))).collect();
        let mut row = vec![
            date(call.start),
            text(&call.source),
            text(&call.destination),
            text(&call.disposition),
            json!(call.duration),
            json!(call.billable),
            text(&call.channel),
            text(&call.destination_channel),
            call.answer.map_or(Value::Null, date),
            date(call.end),
            text(&call.context),
            text(&call.caller_id),
            text(&call.application),
            text(&call.arguments),
            text(&call.account),
            text(&call.peer_account),
            text(&call.ama_flags),
            text(&call.user_field),
            text(&call.unique_id),
            text(&call.linked_id),
            json!(call.sequence),
            Value::Array(fields),
        ];
        row.extend(quality::stored(call.media));
        row.extend(quality::stored(call.peer_media));
        table.push(row);
    }
    table
}

/// Something about the dialplan's database.
pub(super) async fn database(
    action: DatabaseAction,
    key: String,
    value: Option<String>,
    wires: &Wires,
    answer: &mut Answer,
) -> Result<(), Why> {
    if action == DatabaseAction::Show {
        let entries = wires.look(move |at| at.switch.view_database(key.as_bytes())).await?;
        return send(answer, entry_table(&entries)).await;
    }
    let Some((family, name)) = key.split_once('/').filter(|(family, _)| !family.is_empty()) else {
        return Err(format!("{key:?} is no FAMILY/KEY"));
    };
    let (family, name) = (family.to_owned(), name.to_owned());
    let absent = format!("there is no {key} in the database");
    match action {
        DatabaseAction::Show => Ok(()),
        DatabaseAction::Get => {
            let entries = wires.look(move |at| at.switch.view_database(key.as_bytes())).await?;
            let exact = [family, name].join("/");
            let found = entries.iter().find(|(key, _)| *key == exact).ok_or(absent)?;
            tell(answer, found.1.to_string()).await;
            Ok(())
        }
        DatabaseAction::Put => {
            let value = value.ok_or_else(|| "a value is missing".to_owned())?;
            let put = wires.look(move |at| {
                let put =
                    at.switch.put_in_database(family.as_bytes(), name.as_bytes(), value.as_bytes());
                (put, at.store.err().map(str::to_owned))
            });
            let (put, unkept) = put.await?;
            if !put {
                return Err("the database is full".to_owned());
            }
            tell_unkept(answer, unkept).await;
            Ok(())
        }
        DatabaseAction::Del => {
            let deleted = wires.look(move |at| {
                let deleted = at.switch.delete_from_database(family.as_bytes(), name.as_bytes());
                (deleted, at.store.err().map(str::to_owned))
            });
            let (deleted, unkept) = deleted.await?;
            if !deleted {
                return Err(absent);
            }
            tell_unkept(answer, unkept).await;
            Ok(())
        }
    }
}

fn entry_table(entries: &[(BString, BString)]) -> Table {
    let mut table = Table::new(&["key", "value"]);
    for (key, value) in entries {
        table.push(vec![text(key), text(value)]);
    }
    table
}

async fn send(answer: &mut Answer, table: Table) -> Result<(), Why> {
    answer.send(&Reply::Table(table)).await.map_err(|error| error.to_string())
}

/// Call records when it is not said how many.
const LAST: usize = 20;
/// Call records in one answer.
const MOST: usize = 1_000_000;
