//! What a dialplan reads of its call's media: `CHANNEL(rtcp,..)`, and the variables RTPAUDIOQOS and its
//! kin, with Asterisk's names, units (seconds) and forms.
//!
//! Differs from Asterisk 22 in two things. Its `all` gives the jitter that it measured under `txjitter`
//! and the one that the peer reports under `rxjitter`; here it is as its documentation has it, and as
//! the counts have it there: `rx` is what came, `tx` what was sent. And its MES is a score of its own,
//! 0 to 100; here it is R of the E-model (see `media::quality`), on the same scale.

use std::fmt::Write;

use crate::media::{Rating, Spread, StreamStatistics};

/// One item of `CHANNEL(rtcp,ITEM)`; `None` if there is none of that name.
pub(crate) fn item(statistics: &StreamStatistics, name: &[u8]) -> Option<String> {
    let whole = |number: u64| Some(number.to_string());
    let seconds = |number: f32| Some(format!("{number:.6}"));
    let ssrc = |ssrc: Option<crate::media::rtp::Ssrc>| ssrc.map_or(0, |ssrc| ssrc.0);
    match name {
        b"all" => return Some(all(statistics)),
        b"all_jitter" => return Some(jitter(statistics)),
        b"all_loss" => return Some(loss(statistics)),
        b"all_rtt" => return Some(round_trip(statistics)),
        b"all_mes" => return Some(score(statistics)),
        b"local_ssrc" => return whole(ssrc(statistics.local_ssrc).into()),
        b"remote_ssrc" => return whole(ssrc(statistics.remote_ssrc).into()),
        b"txcount" => return whole(statistics.sent_packets),
        b"rxcount" => return whole(statistics.received_packets),
        b"txoctetcount" => return whole(statistics.sent_octets),
        b"rxoctetcount" => return whole(statistics.received_octets),
        b"txploss" => return whole(sent_loss(statistics)),
        b"rxploss" => return whole(statistics.lost),
        b"txjitter" => return seconds(sent_jitter(statistics)),
        b"rxjitter" => return seconds(statistics.interarrival_jitter.as_secs_f32()),
        b"rtt" => return seconds(last_round_trip(statistics)),
        b"txmes" => return seconds(value(statistics.sent_rating())),
        b"rxmes" => return seconds(value(statistics.received_rating())),
        _ => {}
    }
    // `maxrtt`, `local_maxrxploss`, `remote_normdevjitter`: how one figure was spread.
    let text = str::from_utf8(name).ok()?;
    let (side, rest) = match text.split_once('_') {
        Some((side, rest)) => (side, rest),
        None => ("", text),
    };
    let measures = ["max", "min", "normdev", "stdev"];
    let (measure, of) =
        measures.into_iter().find_map(|measure| Some((measure, rest.strip_prefix(measure)?)))?;
    let spread = match (side, of) {
        ("local", "jitter") => statistics.received_jitters,
        ("local", "rxploss") => statistics.received_losses,
        ("local", "mes") => statistics.received_ratings,
        ("remote", "jitter") => statistics.sent_jitters,
        ("remote", "rxploss") => statistics.sent_losses,
        ("remote", "mes") => statistics.sent_ratings,
        ("", "rtt") => statistics.round_trips,
        _ => return None,
    };
    seconds(match measure {
        "max" => spread.greatest(),
        "min" => spread.least(),
        "normdev" => spread.mean(),
        _ => spread.deviation(),
    })
}

/// The variables that a channel gets when it ends, or its partner leaves the bridge: name and value.
/// Those of the partner end in `BRIDGED`.
pub(crate) fn variables(statistics: &StreamStatistics) -> [(&'static str, String); 5] {
    [
        ("RTPAUDIOQOS", all(statistics)),
        ("RTPAUDIOQOSJITTER", jitter(statistics)),
        ("RTPAUDIOQOSLOSS", loss(statistics)),
        ("RTPAUDIOQOSRTT", round_trip(statistics)),
        ("RTPAUDIOQOSMES", score(statistics)),
    ]
}

fn all(statistics: &StreamStatistics) -> String {
    let ssrc = |ssrc: Option<crate::media::rtp::Ssrc>| ssrc.map_or(0, |ssrc| ssrc.0);
    format!(
        "ssrc={};themssrc={};lp={};rxjitter={:.6};rxcount={};txjitter={:.6};txcount={};rlp={};\
         rtt={:.6};rxmes={:.6};txmes={:.6}",
        ssrc(statistics.local_ssrc),
        ssrc(statistics.remote_ssrc),
        statistics.lost,
        statistics.interarrival_jitter.as_secs_f32(),
        statistics.received_packets,
        sent_jitter(statistics),
        statistics.sent_packets,
        sent_loss(statistics),
        last_round_trip(statistics),
        value(statistics.received_rating()),
        value(statistics.sent_rating()),
    )
}

fn jitter(statistics: &StreamStatistics) -> String {
    let mut text = String::new();
    spread(&mut text, "", "rxjitter", statistics.received_jitters);
    spread(&mut text, "", "txjitter", statistics.sent_jitters);
    text
}

fn loss(statistics: &StreamStatistics) -> String {
    let mut text = String::new();
    spread(&mut text, "  ", "rxlost", statistics.received_losses);
    spread(&mut text, "  ", "txlost", statistics.sent_losses);
    text
}

fn round_trip(statistics: &StreamStatistics) -> String {
    let mut text = String::new();
    spread(&mut text, "     ", "rtt", statistics.round_trips);
    text
}

fn score(statistics: &StreamStatistics) -> String {
    let mut text = String::new();
    spread(&mut text, "   ", "rxmes", statistics.received_ratings);
    spread(&mut text, "   ", "txmes", statistics.sent_ratings);
    text
}

/// Names are as wide as `rxjitter` in all of them.
fn spread(text: &mut String, indent: &str, name: &str, spread: Spread) {
    for (measure, value) in [
        ("min", spread.least()),
        ("max", spread.greatest()),
        ("avg", spread.mean()),
        ("stdev", spread.deviation()),
    ] {
        let _infallible = write!(text, "{indent}{measure}{name}={value:010.6};");
    }
}

fn sent_loss(statistics: &StreamStatistics) -> u64 {
    statistics.sent_lost.unwrap_or(0).max(0).unsigned_abs().into()
}

fn sent_jitter(statistics: &StreamStatistics) -> f32 {
    statistics.sent_jitter.unwrap_or_default().as_secs_f32()
}

fn last_round_trip(statistics: &StreamStatistics) -> f32 {
    statistics.round_trip.unwrap_or_default().as_secs_f32()
}

fn value(rating: Option<Rating>) -> f32 {
    rating.map_or(0.0, Rating::value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::media::rtp::Ssrc;

    fn statistics() -> StreamStatistics {
        let mut statistics = StreamStatistics {
            local_ssrc: Some(Ssrc(17_440_732)),
            remote_ssrc: Some(Ssrc(2_998_685_896)),
            sent_packets: 1000,
            received_packets: 990,
            lost: 10,
            interarrival_jitter: Duration::from_micros(7250),
            sent_lost: Some(-3),
            sent_jitter: Some(Duration::from_millis(2)),
            round_trip: Some(Duration::from_millis(25)),
            ..StreamStatistics::default()
        };
        for value in [0.02, 0.03] {
            statistics.round_trips.add(value);
        }
        statistics
    }

    #[test]
    fn texts_have_asterisks_form() {
        let statistics = statistics();
        let all = all(&statistics);
        let (counts, scores) = all.split_once(";rxmes=").unwrap();
        assert_eq!(
            counts,
            "ssrc=17440732;themssrc=2998685896;lp=10;rxjitter=0.007250;rxcount=990;\
             txjitter=0.002000;txcount=1000;rlp=0;rtt=0.025000"
        );
        // 93.2 less 1.128 for 47 ms and 3.640 for 1 %, and less 0.876 for 36.5 ms.
        let scores: Vec<f32> =
            scores.split(";txmes=").map(|score| score.parse().unwrap()).collect();
        assert!((scores[0] - 88.432).abs() < 0.001 && (scores[1] - 92.324).abs() < 0.001, "{all}");
        assert_eq!(
            round_trip(&statistics),
            "     minrtt=000.020000;     maxrtt=000.030000;     avgrtt=000.025000;     \
             stdevrtt=000.005000;"
        );
        assert!(loss(&statistics).starts_with("  minrxlost=000.000000;  maxrxlost="));
        assert!(jitter(&statistics).ends_with(";stdevtxjitter=000.000000;"));
        assert!(score(&statistics).starts_with("   minrxmes=000.000000;"));
    }

    #[test]
    fn every_documented_item_is_there() {
        let statistics = statistics();
        for (name, expected) in [
            ("txcount", "1000"),
            ("rxcount", "990"),
            ("rxploss", "10"),
            ("txploss", "0"),
            ("rxjitter", "0.007250"),
            ("txjitter", "0.002000"),
            ("rtt", "0.025000"),
            ("maxrtt", "0.030000"),
            ("minrtt", "0.020000"),
            ("normdevrtt", "0.025000"),
            ("stdevrtt", "0.005000"),
            ("local_ssrc", "17440732"),
            ("remote_ssrc", "2998685896"),
            ("local_maxjitter", "0.000000"),
            ("remote_stdevrxploss", "0.000000"),
            ("local_normdevmes", "0.000000"),
        ] {
            assert_eq!(item(&statistics, name.as_bytes()).as_deref(), Some(expected), "{name}");
        }
        for name in ["", "rtp", "local_max", "local_maxrtt", "maxjitter", "local_avgjitter"] {
            assert_eq!(item(&statistics, name.as_bytes()), None, "{name}");
        }
        assert_eq!(item(&StreamStatistics::default(), b"rtt").as_deref(), Some("0.000000"));
    }
}
