//! Views of the switch as tables.

use std::{fmt::Display, net::SocketAddr, time::Duration};

use bstr::{BStr, ByteSlice};
use serde_json::{Value, json};

use super::protocol::Table;
use crate::{
    clock::Now,
    config::Origin,
    media::LoadState,
    net::media::ShardStatistics,
    printable::Printable,
    sip::Transport,
    switch::{
        BanView, CallView, ContactStatus, ContactView, Direction, HintView, MeetingReport,
        PeerView, PoolView, RegistrationView, RoomView, SubscriptionView, VideoShareView,
    },
};

/// Text of others as a cell: control characters stay out of terminals.
pub(super) fn text(bytes: &[u8]) -> Value {
    match bytes.is_empty() {
        true => Value::Null,
        false => Value::String(Printable(bytes).to_string()),
    }
}

pub(super) fn shown(value: Option<impl Display>) -> Value {
    value.map_or(Value::Null, |value| Value::String(value.to_string()))
}

fn seconds(duration: Duration) -> Value {
    json!(duration.as_secs())
}

pub(super) fn calls(calls: &[CallView]) -> Table {
    let mut table = Table::new(&[
        "from",
        "to",
        "state",
        "seconds",
        "talks_with",
        "name",
        "codec",
        "remote",
        "application",
        "channel",
    ]);
    for call in calls {
        table.push(vec![
            text(&call.parties.caller_number),
            text(&call.parties.dialled),
            json!(if call.is_held { "held" } else { call.state }),
            seconds(call.answered.unwrap_or(call.duration)),
            text(call.partner.as_ref().or(call.room.as_ref()).map_or(&[], |name| name)),
            text(&call.parties.caller_name),
            shown(call.codec),
            json!(format!("{}:{}", scheme(call.transport), call.remote)),
            text(&call.application.0),
            text(&call.channel),
        ]);
    }
    table
}

pub(super) fn channels(calls: &[CallView]) -> Table {
    let mut table = Table::new(&[
        "channel",
        "context",
        "extension",
        "priority",
        "state",
        "application",
        "arguments",
        "direction",
        "seconds",
        "answered",
        "peer",
        "remote",
        "codec",
        "media",
        "remote_media",
        "held",
        "call_id",
    ]);
    for call in calls {
        let (context, extension, priority) = match &call.place {
            Some((context, extension, priority)) => {
                (text(context), text(extension), json!(priority))
            }
            None => (Value::Null, text(&call.parties.dialled), Value::Null),
        };
        table.push(vec![
            text(&call.channel),
            context,
            extension,
            priority,
            json!(call.state),
            text(&call.application.0),
            text(&call.application.1),
            json!(match call.direction {
                Direction::Incoming => "in",
                Direction::Outgoing => "out",
            }),
            seconds(call.duration),
            call.answered.map_or(Value::Null, seconds),
            text(call.parties.peer.as_ref().map_or(&[], |peer| peer)),
            json!(format!("{}:{}", scheme(call.transport), call.remote)),
            shown(call.codec),
            shown(call.media),
            shown(call.remote_media),
            json!(call.is_held),
            text(&call.parties.call_id),
        ]);
    }
    table
}

pub(super) fn contacts(contacts: &[ContactView]) -> Table {
    let mut table = Table::new(&["aor", "contact", "status", "source", "expires", "user_agent"]);
    for contact in contacts {
        table.push(vec![
            text(&contact.aor),
            text(contact.contact.as_bytes()),
            status(contact.status),
            shown(contact.source.map(|(over, from)| format!("{}:{from}", scheme(over)))),
            contact.expires.map_or(Value::Null, seconds),
            text(contact.user_agent.as_bytes()),
        ]);
    }
    table
}

/// What `type=registration` keeps registered.
pub(super) fn registrations(registrations: &[RegistrationView]) -> Table {
    let mut table = Table::new(&[
        "registration",
        "registrar",
        "client",
        "state",
        "remote",
        "expires",
        "seconds",
        "error",
    ]);
    for it in registrations.iter().filter(|it| it.origin == Origin::Section) {
        table.push(vec![
            text(&it.section),
            text(it.registrar.as_bytes()),
            text(it.address_of_record.as_bytes()),
            json!(it.state),
            shown(it.remote),
            it.expires.map_or(Value::Null, seconds),
            seconds(it.since),
            text(it.last_error.as_deref().unwrap_or_default().as_bytes()),
        ]);
    }
    table
}

/// The numbers of `robots.conf`.
pub(super) fn robots(registrations: &[RegistrationView], range: Option<Range>) -> Table {
    let mut table = Table::new(&[
        "robot",
        "pool",
        "state",
        "calls",
        "lines",
        "total",
        "refused",
        "last_user",
        "registrar",
        "remote",
        "expires",
        "seconds",
        "range",
        "context",
        "error",
    ]);
    let robots = registrations.iter().filter(|it| it.origin == Origin::Robot);
    let mut robots: Vec<_> =
        robots.filter_map(|it| Some((number(it.number.as_bstr())?, it))).collect();
    robots.sort_by_key(|&(number, _)| number);
    for (number, it) in robots {
        if range.is_some_and(|range| !range.contains(number)) {
            continue;
        }
        let robot = it.robot.clone().unwrap_or_default();
        table.push(vec![
            text(&it.number),
            text(&robot.pool),
            json!(it.state),
            json!(robot.used),
            json!(robot.lines),
            json!(robot.calls),
            json!(robot.refused),
            text(&robot.last_user),
            text(it.registrar.as_bytes()),
            shown(it.remote),
            it.expires.map_or(Value::Null, seconds),
            seconds(it.since),
            text(&it.section),
            text(it.context.as_ref().map_or(&[], |context| context)),
            text(it.last_error.as_deref().unwrap_or_default().as_bytes()),
        ]);
    }
    table
}

/// The pools of robots.
pub(super) fn pools(pools: &[PoolView]) -> Table {
    let mut table =
        Table::new(&["pool", "robots", "registered", "calls", "lines", "load", "total", "refused"]);
    for it in pools {
        table.push(vec![
            text(&it.pool),
            json!(it.robots),
            json!(it.registered),
            json!(it.used),
            json!(it.lines),
            json!(it.load()),
            json!(it.calls),
            json!(it.refused),
        ]);
    }
    table
}

/// `Avail 12.3`, with milliseconds, as Asterisk shows it.
fn status(status: ContactStatus) -> Value {
    match status {
        ContactStatus::Unknown => Value::Null,
        ContactStatus::Available { round_trip } => {
            json!(format!("Avail {:.1}", round_trip.as_secs_f64() * 1000.0))
        }
        ContactStatus::Unavailable => json!("Unavail"),
    }
}

pub(super) fn hints(hints: &[HintView]) -> Table {
    let mut table = Table::new(&["extension", "context", "devices", "state", "watchers"]);
    for hint in hints {
        table.push(vec![
            text(&hint.extension),
            text(&hint.context),
            json!(hint.devices.iter().map(|it| Printable(it).to_string()).collect::<Vec<_>>()),
            json!(hint.state.name()),
            json!(hint.watchers),
        ]);
    }
    table
}

pub(super) fn subscriptions(subscriptions: &[SubscriptionView]) -> Table {
    let mut table = Table::new(&["peer", "event", "of", "state", "expires", "source"]);
    for subscription in subscriptions {
        table.push(vec![
            text(&subscription.peer),
            json!(subscription.event),
            text(subscription.of.as_bytes()),
            json!(subscription.state),
            subscription.expires.map_or(Value::Null, seconds),
            shown(Some(subscription.source)),
        ]);
    }
    table
}

pub(super) fn bans(bans: &[BanView]) -> Table {
    let mut table = Table::new(&["source", "account", "seconds"]);
    for ban in bans {
        table.push(vec![
            json!(ban.source.to_string()),
            text(ban.account.as_ref().map_or(&[], |account| account)),
            seconds(ban.remaining),
        ]);
    }
    table
}

pub(super) fn peers(peers: &[PeerView]) -> Table {
    let mut table =
        Table::new(&["peer", "context", "aors", "state", "contacts", "calls", "remote"]);
    for peer in peers {
        table.push(vec![
            text(&peer.name),
            text(&peer.context),
            json!(peer.aors.iter().map(|aor| Printable(aor).to_string()).collect::<Vec<_>>()),
            json!(state(peer)),
            json!(peer.contacts),
            json!(peer.calls),
            shown(peer.remote),
        ]);
    }
    table
}

/// SIP-9: the links to other systems and phones.
pub(super) fn connections(peers: &[PeerView]) -> Table {
    let mut table =
        Table::new(&["connection", "host", "connected", "current", "total", "port", "domain"]);
    for peer in peers {
        table.push(vec![
            text(&peer.name),
            shown(peer.remote.map(|remote| remote.ip())),
            json!(peer.contacts > 0),
            json!(peer.contacts),
            json!(peer.capacity),
            peer.remote.map_or(Value::Null, |remote| json!(remote.port())),
            text(peer.domain.as_ref().map_or(&[], |domain| domain)),
        ]);
    }
    table
}

/// SIP-10: the state of phones by number.
pub(super) fn stations(peers: &[PeerView], range: Option<Range>) -> Table {
    let mut table =
        Table::new(&["number", "state", "type", "lines", "calls", "provider", "user_agent"]);
    let mut stations: Vec<(u128, &PeerView)> =
        peers.iter().filter_map(|peer| Some((number(peer.name.as_bstr())?, peer))).collect();
    stations.sort_unstable_by_key(|&(number, _)| number);
    for (number, peer) in stations {
        if range.is_some_and(|range| !range.contains(number)) {
            continue;
        }
        table.push(vec![
            text(&peer.name),
            json!(state(peer)),
            json!("VOIP"),
            json!(peer.capacity),
            json!(peer.calls),
            shown(peer.remote),
            text(peer.user_agent.as_bytes()),
        ]);
    }
    table
}

/// In the words of SIP-10.
fn state(peer: &PeerView) -> &'static str {
    match peer.contacts {
        0 => "Disconnected",
        _ => "Connected",
    }
}

fn number(name: &BStr) -> Option<u128> {
    let digits = name.iter().all(u8::is_ascii_digit);
    digits.then(|| name.to_str().ok()?.parse().ok()).flatten()
}

/// Stations from a number to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    first: u128,
    last: u128,
}

impl Range {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let parse = |text: &str| number(text.trim().into());
        match (parse(first), parse(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(format!("{text:?} is no range of numbers such as 1000-1999")),
        }
    }

    fn contains(self, number: u128) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

pub(super) fn rooms(rooms: &[RoomView]) -> Table {
    let mut table = Table::new(&["room", "members", "marked", "state", "channels"]);
    for room in rooms {
        let channels: Vec<_> =
            room.members.iter().map(|it| Printable(&it.channel).to_string()).collect();
        let marked = room.members.iter().filter(|it| it.is_marked).count();
        let state = flags([
            (room.is_locked, "locked"),
            (room.is_muted, "muted"),
            (room.is_recorded, "recorded"),
        ]);
        let name = text(&room.name);
        table.push(vec![name, json!(channels.len()), json!(marked), state, json!(channels)]);
    }
    table
}

pub(super) fn room(room: &RoomView) -> Table {
    let mut table = Table::new(&["call", "channel", "state"]);
    for it in &room.members {
        let state = flags([
            (it.is_admin, "admin"),
            (it.is_marked, "marked"),
            (it.is_waiting, "waiting"),
            (it.is_muted, "muted"),
        ]);
        table.push(vec![json!(it.call.to_string()), text(&it.channel), state]);
    }
    table
}

fn flags<const N: usize>(flags: [(bool, &str); N]) -> Value {
    let set: Vec<_> = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, word)| *word).collect();
    json!(set.join(" "))
}

pub(super) fn meetings(rooms: &[VideoShareView]) -> Table {
    let columns =
        ["room", "number", "state", "present", "listed", "since", "flags", "media_server"];
    let mut table = Table::new(&columns);
    for room in rooms {
        let flags = flags([
            (room.is_locked, "locked"),
            (room.is_muted, "muted"),
            (room.is_recorded, "recorded"),
        ]);
        table.push(vec![
            text(&room.room),
            text(room.number.as_ref().map_or(&[], |number| number)),
            json!(room.state.as_str()),
            json!(room.present),
            json!(room.listed),
            shown(room.since),
            flags,
            text(room.media_server.as_ref().map_or(&[], |server| server)),
        ]);
    }
    table
}

pub(super) fn meeting(report: &MeetingReport) -> Table {
    let columns =
        ["place", "number", "name", "kind", "role", "state", "attempts", "joined", "seconds"];
    let mut table = Table::new(&columns);
    for (place, it) in report.people.iter().enumerate() {
        table.push(vec![
            json!(place),
            text(&it.number),
            text(&it.name),
            json!(it.kind.as_str()),
            json!(it.role.as_str()),
            json!(it.state.as_str()),
            json!(it.attempts),
            shown(it.joined),
            seconds(it.present),
        ]);
    }
    table
}

pub(super) fn transports(bound: &[(Transport, SocketAddr, Option<usize>)]) -> Table {
    let mut table = Table::new(&["transport", "address", "port", "connections"]);
    for (transport, address, connections) in bound {
        table.push(vec![
            json!(scheme(*transport)),
            json!(address.ip().to_string()),
            json!(address.port()),
            connections.map_or(Value::Null, |count| json!(count)),
        ]);
    }
    table
}

/// The media threads.
pub(super) fn media(shards: &[ShardStatistics]) -> Table {
    let mut table = Table::new(&[
        "shard",
        "streams",
        "new_calls",
        "busy_percent",
        "late_percent",
        "late_us_99",
        "late_us_999",
        "late_us_max",
        "late_ticks",
        "skipped_ticks",
        "dropped_events",
        "panics",
    ]);
    for (shard, it) in shards.iter().enumerate() {
        let micros = |share| json!(it.lateness.quantile(share).as_micros() as u64);
        table.push(vec![
            json!(shard),
            json!(it.streams),
            json!(match it.load.state {
                LoadState::Calm => "welcome",
                LoadState::Overloaded => "refused",
            }),
            json!(f64::from(it.load.busy) / 10.0),
            json!(f64::from(it.load.late) / 10.0),
            micros(0.99),
            micros(0.999),
            micros(1.0),
            json!(it.late_ticks),
            json!(it.skipped_ticks),
            json!(it.dropped_events),
            json!(it.panics),
        ]);
    }
    table
}

pub(super) fn uptime(started: Now, now: Now, calls: usize, begun: u64, draining: bool) -> Table {
    let mut table = Table::new(&["started", "seconds", "calls", "calls_begun", "new_calls"]);
    table.push(vec![
        json!(started.wall.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        seconds(now.instant.saturating_duration_since(started.instant)),
        json!(calls),
        json!(begun),
        json!(if draining { "refused" } else { "welcome" }),
    ]);
    table
}

pub(super) fn version() -> Table {
    let mut table = Table::new(&["name", "version", "protocol", "pid"]);
    table.push(vec![
        json!("Diesis"),
        json!(env!("CARGO_PKG_VERSION")),
        json!(super::protocol::VERSION),
        json!(std::process::id()),
    ]);
    table
}

fn scheme(transport: Transport) -> String {
    transport.as_str().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: &str, contacts: usize) -> PeerView {
        PeerView {
            name: name.into(),
            context: "phones".into(),
            aors: vec![name.into()],
            contacts,
            capacity: 2,
            calls: 0,
            transport: None,
            remote: None,
            domain: None,
            user_agent: String::new(),
        }
    }

    #[test]
    fn stations_are_peers_with_numbers_in_numeric_order() {
        let peers = [peer("1010", 1), peer("trunk", 1), peer("999", 0), peer("2000", 0)];
        let numbers = |range: Option<&str>| -> Vec<Value> {
            let range = range.map(|range| Range::parse(range).unwrap());
            stations(&peers, range).rows.into_iter().map(|row| row[0].clone()).collect()
        };
        assert_eq!(numbers(None), [json!("999"), json!("1010"), json!("2000")]);
        assert_eq!(numbers(Some("1000-1999")), [json!("1010")]);
        assert_eq!(numbers(Some("2000")), [json!("2000")]);
        for wrong in ["", "a", "2-1", "1-", "-", "1-2-3"] {
            assert!(Range::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(stations(&peers, None).rows[0][1], json!("Disconnected"));
    }

    #[test]
    fn what_callers_say_can_not_steer_a_terminal() {
        assert_eq!(text(b"\x1b[2Jevil"), json!("\\u{1b}[2Jevil"));
    }
}
