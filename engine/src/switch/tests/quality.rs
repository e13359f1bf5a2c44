//! What dialplans, records and operators are told of a call's media.

use super::*;
use crate::{
    cdr::Record,
    media::{StreamId, StreamStatistics, rtp::Ssrc},
};

const PLAN: &str = "
[office]
exten => 100,1,Answer()
same => n,NoOp(early ${CHANNEL(rtcp,rxcount)} ${CHANNEL(rtcp,rtt)})
same => n,Wait(5)
same => n,NoOp(late ${CHANNEL(rtcp,rxcount,audio)} ${CHANNEL(rtpqos,audio,rxploss)} ${CHANNEL(rtcp,rtt)})
same => n,NoOp(all ${CHANNEL(rtcp,all)})
same => n,NoOp(rtp ${CHANNEL(rtp,src)} ${CHANNEL(rtp,dest)} ${CHANNEL(rtp,hold)}${CHANNEL(rtp,secure)})
same => n,NoOp(video ${CHANNEL(rtcp,rxcount,video)}.)
exten => 201,1,Dial(PJSIP/bob,20,g)
same => n,NoOp(after ${RTPAUDIOQOSBRIDGED:0:12})
exten => h,1,NoOp(h ${RTPAUDIOQOS:0:11} ${RTPAUDIOQOSBRIDGED:0:12} ${RTPAUDIOQOSRTT:5:17})
";

/// What the stream of this number went through.
fn statistics(stream: StreamId) -> StreamStatistics {
    let mut statistics = StreamStatistics {
        local_ssrc: Some(Ssrc(111_110 + stream.0 as u32)),
        received_packets: 200 + stream.0,
        sent_packets: 250,
        lost: 4,
        sent_lost: Some(2),
        sent_jitter: Some(Duration::from_millis(3)),
        interarrival_jitter: Duration::from_millis(5),
        round_trip: Some(Duration::from_millis(40)),
        ..StreamStatistics::default()
    };
    statistics.round_trips.add(0.04);
    statistics
}

fn step(exchange: &Exchange, start: &str) -> String {
    let steps = exchange.steps();
    let found = steps.iter().find_map(|step| step.split_once(&format!("NoOp({start} ")));
    let (_, rest) = found.unwrap_or_else(|| panic!("{start}: {steps:?}"));
    rest.trim_end_matches(')').to_owned()
}

#[test]
fn a_dialplan_reads_how_its_media_is_while_it_goes_on() {
    let mut exchange = Exchange::new(config(), PLAN, &[]);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    alice.ack(&mut exchange);
    exchange.run_for(secs(1));
    exchange.media.measure(statistics);
    exchange.run_for(secs(5));
    assert_eq!(step(&exchange, "early"), "0 0.000000");
    assert_eq!(step(&exchange, "late"), "201 4 0.040000");
    assert!(
        step(&exchange, "all")
            .starts_with("ssrc=111111;themssrc=0;lp=4;rxjitter=0.005000;rxcount=201;"),
        "{}",
        step(&exchange, "all")
    );
    let rtp = step(&exchange, "rtp");
    let (addresses, flags) = rtp.rsplit_once(' ').expect("three words");
    assert!(addresses.split(' ').all(|it| it.parse::<std::net::SocketAddr>().is_ok()), "{rtp}");
    assert_eq!(flags, "00");
    assert_eq!(step(&exchange, "video"), ".", "there is none");
    alice.pump(&mut exchange);
    // The stream is still there: `h` of a call that the dialplan ends reads it itself.
    assert_eq!(step(&exchange, "h"), "  ");
    let ended = exchange.events.iter().find_map(|event| match event {
        SwitchEvent::CallEnded { statistics, .. } => statistics.media.clone(),
        _ => None,
    });
    assert_eq!(ended.map(|media| media.received_packets), Some(201));
}

#[test]
fn both_of_a_bridge_learn_how_the_other_was_heard() {
    let mut exchange = Exchange::new(config(), PLAN, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    let mut alice = alice();
    alice.dial(&mut exchange, "201");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 200);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    exchange.run_for(secs(1));
    exchange.media.measure(statistics);
    let views = exchange.switch.view_calls(exchange.now);
    let seen: Vec<_> = views.iter().filter_map(|view| view.statistics.as_deref()).collect();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|it| it.received_rating().is_some()));
    bob.hang_up_callee(&mut exchange, &invite);
    exchange.run_for(secs(1));
    alice.pump(&mut exchange);
    let own = |start: &str| {
        let words = step(&exchange, start);
        words.split(' ').find(|word| word.starts_with("ssrc=")).map(ToOwned::to_owned)
    };
    let (after, h) = (own("after").unwrap(), step(&exchange, "h"));
    assert!(h.contains(&after), "{after} {h}");
    assert_ne!(h.split(' ').next().unwrap(), after.trim_end_matches(';'));
    exchange.run_for(secs(1));
    let records: Vec<&Record> = exchange
        .events
        .iter()
        .filter_map(|event| match event {
            SwitchEvent::CallRecorded { record } => Some(&**record),
            _ => None,
        })
        .collect();
    // One of both, and one of the step after.
    assert_eq!(records.len(), 2);
    let (own, peer) = (records[0].media.unwrap(), records[0].peer_media.unwrap());
    let packets = [own.received_packets, peer.received_packets];
    assert!(packets == [201, 202] || packets == [202, 201], "{packets:?}");
    assert_eq!((own.received_lost, own.sent_lost), (4, Some(2)));
    assert_eq!(own.round_trip, Some(Duration::from_millis(40)));
    assert!(own.received_score.is_some_and(|score| (350..450).contains(&score)), "{own:?}");
}
