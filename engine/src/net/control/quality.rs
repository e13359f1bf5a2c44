//! The quality of media as a table: what each channel lost, how unevenly it came, how long it takes.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    protocol::Table,
    tables::{shown, text},
};
use crate::{media::Rating, net::store::StoredQuality, switch::CallView};

/// One row a channel with media: received, then sent as the far end sees it.
pub(super) fn channel_stats(calls: &[CallView]) -> Table {
    let mut table = Table::new(&[
        "channel",
        "seconds",
        "codec",
        "rx_packets",
        "rx_lost",
        "rx_lost_percent",
        "rx_jitter_ms",
        "rx_mos",
        "tx_packets",
        "tx_lost",
        "tx_lost_percent",
        "tx_jitter_ms",
        "tx_mos",
        "round_trip_ms",
        "talks_with",
    ]);
    for call in calls {
        let Some(statistics) = &call.statistics else { continue };
        let received = statistics.received_packets;
        let lost = statistics.sent_lost.map(|lost| u64::from(lost.max(0).unsigned_abs()));
        let sent = statistics.sent_packets;
        table.push(vec![
            text(&call.channel),
            json!(call.answered.unwrap_or(call.duration).as_secs()),
            shown(call.codec),
            json!(received),
            json!(statistics.lost),
            percent(statistics.lost, received + statistics.lost),
            milliseconds(statistics.interarrival_jitter),
            opinion(statistics.received_rating()),
            json!(sent),
            lost.map_or(Value::Null, |lost| json!(lost)),
            lost.map_or(Value::Null, |lost| percent(lost, sent)),
            statistics.sent_jitter.map_or(Value::Null, milliseconds),
            opinion(statistics.sent_rating()),
            statistics.round_trip.map_or(Value::Null, milliseconds),
            text(call.partner.as_ref().or(call.room.as_ref()).map_or(&[], |name| name)),
        ]);
    }
    table
}

/// The cells of one channel of a call record: losses, jitter and score received and sent, round trip.
pub(super) fn stored(quality: Option<StoredQuality>) -> [Value; 7] {
    let Some(quality) = quality else { return [const { Value::Null }; 7] };
    let time = |microseconds: u64| milliseconds(Duration::from_micros(microseconds));
    let score = |hundredths: u16| rounded(f64::from(hundredths) / 100.0);
    let or_null = |value: Option<Value>| value.unwrap_or(Value::Null);
    [
        json!(quality.received_lost),
        time(quality.received_jitter),
        or_null(quality.received_score.map(score)),
        or_null(quality.sent_lost.map(|lost| json!(lost))),
        or_null(quality.sent_jitter.map(time)),
        or_null(quality.sent_score.map(score)),
        or_null(quality.round_trip.map(time)),
    ]
}

fn percent(part: u64, whole: u64) -> Value {
    match whole {
        0 => Value::Null,
        _ => rounded(part as f64 * 100.0 / whole as f64),
    }
}

/// To a hundredth.
fn milliseconds(duration: Duration) -> Value {
    rounded(duration.as_secs_f64() * 1000.0)
}

fn opinion(rating: Option<Rating>) -> Value {
    rating.map_or(Value::Null, |rating| rounded(rating.opinion_score().into()))
}

fn rounded(number: f64) -> Value {
    json!((number * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rounded_and_what_is_not_known_is_empty() {
        assert_eq!(milliseconds(Duration::from_nanos(7_254_900)), json!(7.25));
        assert_eq!(percent(1, 3), json!(33.33));
        assert_eq!(percent(0, 0), Value::Null);
        assert_eq!(opinion(None), Value::Null);
    }
}
