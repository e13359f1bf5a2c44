//! RTCP as the peer sees it: what is reported, when, to whom, and what is made of its own reports.

use std::net::SocketAddr;

use super::*;
use crate::media::{
    RtcpPath,
    rtcp::{
        Compound, Packet as Rtcp, ReportBlock, SenderReport,
        packet::{Out, Writer},
    },
};

fn control(n: u64) -> SocketAddr {
    ([192, 0, 2, n as u8], 4001).into()
}

impl World {
    fn hears_control(&mut self, n: u32, from: SocketAddr, written: &Writer) {
        self.io.control.push_back((SocketId(n), from, written.as_bytes().to_vec()));
    }

    /// The peer sends `count` packets, of which those are lost that `is_lost` says.
    fn hears(&mut self, phone: &mut Phone, count: u64, is_lost: impl Fn(u64) -> bool) {
        for n in 0..count {
            let octets = phone.next(&[0xff; FRAME]);
            if !is_lost(n) {
                self.io.arrive(phone.socket, phone.address, octets);
            }
            self.run_ms(20);
        }
    }

    /// The reports sent, with when.
    fn reported(&self) -> Vec<(u64, Option<SenderReport>, Option<ReportBlock>)> {
        let reports = self.io.reports.iter().map(|(packet, _)| {
            let compound = Compound::parse(&packet.octets).unwrap();
            match compound.packets().next() {
                Some(Rtcp::Sender(report, mut blocks)) => {
                    (packet.at_ms, Some(report), blocks.next())
                }
                Some(Rtcp::Receiver(_, mut blocks)) => (packet.at_ms, None, blocks.next()),
                other => panic!("{other:?}"),
            }
        });
        reports.collect()
    }
}

/// The peer's report, of which it says that it heard our last.
fn answer(phone: &Phone, ours: Ssrc, block: Option<ReportBlock>) -> Writer {
    let block = block.map(|block| ReportBlock { ssrc: ours, ..block });
    let report = SenderReport {
        ssrc: phone.header.ssrc,
        ntp: 0x1234_5678_9abc_def0,
        time: phone.header.time,
        packets: 100,
        octets: 16_000,
    };
    Writer::new().with(Out::Sender(report, block)).with(Out::Name(report.ssrc, b"phone"))
}

const BLOCK: ReportBlock = ReportBlock {
    ssrc: Ssrc(0),
    fraction_lost: 25,
    lost: 12,
    highest: 1000,
    jitter: 80,
    last_report: 0,
    delay: 0,
};

#[test]
fn reports_say_what_was_sent_and_received() {
    let mut world = World::new();
    let stream = world.open(1);
    world.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(60))]);
    let mut phone = Phone::new(1);
    // One in five is lost; the numbers wrap after six packets.
    world.hears(&mut phone, 1000, |n| n % 5 == 4);
    let reports = world.reported();
    assert!((3..=10).contains(&reports.len()), "{}", reports.len());
    for (index, (at, sender, block)) in reports.iter().enumerate() {
        let sender = sender.expect("who sends makes a sender's report");
        let sent = world.sent_by(1).into_iter().filter(|packet| packet.at_ms < *at).count() as u32;
        assert!(sent.abs_diff(sender.packets) <= 1, "{sent} {}", sender.packets);
        assert_eq!(sender.octets, sender.packets * 160);
        assert_eq!(sender.ssrc, Ssrc(world.sent_by(1)[0].read().ssrc()));
        // Its media clock and wall clock are those of the packet sent with it.
        let packet = world.sent_by(1).into_iter().find(|packet| packet.at_ms == *at).unwrap();
        assert_eq!(packet.read().timestamp(), sender.time.0);
        let seconds = (sender.ntp >> 32) - 2_208_988_800;
        assert_eq!(seconds, at / 1000);
        let block = block.unwrap();
        assert_eq!(block.ssrc, phone.header.ssrc);
        assert!((48..=54).contains(&block.fraction_lost), "{index} {block:?}");
        // 65530 was the first.
        let heard = at / 20;
        let highest = 65_530 + heard as u32;
        assert!(highest.abs_diff(block.highest) <= 2, "{highest} {block:?}");
        assert!((heard as i32 / 5).abs_diff(block.lost) <= 1, "{block:?}");
        assert_eq!((block.last_report, block.delay), (0, 0), "it sent no report");
    }
    let (packet, port) = &world.io.reports[0];
    assert_eq!((packet.to, *port), (control(1), ControlPort::Own));
    let name = |(packet, _): &(Packet, _)| packet.octets[62..78].to_vec();
    let names: Vec<_> = world.io.reports.iter().map(name).collect();
    assert!(names.windows(2).all(|two| two[0] == two[1]), "the name stays");
    let statistics = world.close(stream);
    assert_eq!(statistics.lost, 199);
    assert_eq!(statistics.reports_sent, reports.len() as u64);
}

#[test]
fn round_trip_and_the_peers_view_are_learnt_from_its_reports() {
    let mut world = World::new();
    let stream = world.open(1);
    world.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(60))]);
    let mut phone = Phone::new(1);
    while world.io.reports.is_empty() {
        world.hears(&mut phone, 1, |_| false);
    }
    let (at, sender, _) = world.reported()[0];
    let sender = sender.unwrap();
    // The answer is there 180 ms later, of which it was kept for 100.
    let elapsed = world.io.now_ms - at;
    world.run_ms(180 - elapsed);
    let last_report = (sender.ntp >> 16) as u32;
    let block = ReportBlock { last_report, delay: 65_536 / 10, ..BLOCK };
    let written = answer(&phone, sender.ssrc, Some(block));
    world.hears_control(1, control(1), &written);
    world.run_ms(20);
    // Our next report says when that came.
    let count = world.io.reports.len();
    while world.io.reports.len() == count {
        world.hears(&mut phone, 1, |_| false);
    }
    let (next_at, _, block) = *world.reported().last().unwrap();
    let block = block.unwrap();
    assert_eq!(block.last_report, 0x5678_9abc);
    let kept = (next_at - at - 180) * 65_536 / 1000;
    assert!(kept.abs_diff(u64::from(block.delay)) <= 1, "{kept} {}", block.delay);
    let statistics = world.close(stream);
    let round_trip = statistics.round_trip.unwrap();
    assert!((79..=81).contains(&round_trip.as_millis()), "{round_trip:?}");
    assert_eq!(statistics.sent_lost, Some(12));
    assert_eq!(statistics.sent_jitter, Some(Duration::from_millis(10)));
    assert_eq!((statistics.reports_received, statistics.malformed_reports), (1, 0));
}

#[test]
fn a_strangers_reports_change_nothing_and_are_not_answered() {
    let mut world = World::new();
    let settings =
        StreamSettings::new(peer(1), Codec::Pcmu).with_latching(Latching::Symmetric, peer(1).ip());
    let stream = world.open_with(1, settings);
    world.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(60))]);
    let (mut phone, stranger) = (Phone::new(1), "203.0.113.66:4001".parse().unwrap());
    for _ in 0..500 {
        let ours = Ssrc(world.io.sent.first().map_or(0, |packet| packet.read().ssrc()));
        let written = answer(&phone, ours, Some(BLOCK)).with(Out::Goodbye(phone.header.ssrc));
        world.hears_control(1, stranger, &written);
        world.hears(&mut phone, 1, |_| false);
    }
    assert!(world.io.reports.len() <= 5, "one answer each would be 500");
    assert!(world.io.reports.iter().all(|(packet, _)| packet.to == control(1)));
    assert!(world.reported().iter().all(|(_, _, block)| block.unwrap().last_report == 0));
    let statistics = world.close(stream);
    assert_eq!((statistics.foreign_reports, statistics.reports_received), (500, 0));
    assert_eq!((statistics.sent_lost, statistics.goodbyes), (None, 0));
}

/// Nothing here speaks STUN (RFC 5389): who sends it is neither heard nor answered, and gets no media.
#[test]
fn binding_requests_are_neither_media_nor_reports() {
    let mut world = World::new();
    let settings = StreamSettings::new("10.0.0.5:4000".parse().unwrap(), Codec::Pcmu)
        .with_latching(Latching::Symmetric, peer(1).ip());
    let stream = world.open_with(1, settings);
    world.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(60))]);
    let [request, response] = [0, 1].map(|class| {
        [&[class, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12], &[0x80, 0x28, 0, 4, 1, 2, 3, 4]]
            .concat()
    });
    for _ in 0..100 {
        for octets in [&request, &response] {
            world.io.arrive(SocketId(1), peer(1), octets.clone());
            world.io.control.push_back((SocketId(1), control(1), octets.clone()));
        }
        world.run_ms(20);
    }
    assert!(world.sent_by(1).iter().all(|packet| packet.to == "10.0.0.5:4000".parse().unwrap()));
    assert!(!world.events.iter().any(|event| matches!(event, Event::Latched { .. })));
    let statistics = world.close(stream);
    assert_eq!((statistics.received_packets, statistics.reports_received), (0, 0));
}

#[test]
fn reports_go_where_they_were_signalled_or_where_the_peers_come_from() {
    let report_to = |settings: StreamSettings, from: Option<SocketAddr>, media: SocketAddr| {
        let mut world = World::new();
        let stream = world.open_with(1, settings);
        world.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(60))]);
        let mut phone = Phone::new(1);
        phone.address = media;
        world.hears(&mut phone, 50, |_| false);
        if let Some(from) = from {
            world.hears_control(1, from, &answer(&phone, Ssrc(0), None));
        }
        world.hears(&mut phone, 200, |_| false);
        let (packet, port) = world.io.reports.first().unwrap().clone();
        assert!(world.io.reports.iter().all(|(other, _)| other.to == packet.to));
        (packet.to, port)
    };
    let own = |address: &str| (address.parse().unwrap(), ControlPort::Own);
    let plain = || StreamSettings::new(peer(1), Codec::Pcmu);
    let nat = "203.0.113.7:61000".parse::<SocketAddr>().unwrap();
    let behind = || plain().with_latching(Latching::Symmetric, nat.ip());
    assert_eq!(report_to(plain(), None, peer(1)), own("192.0.2.1:4001"));
    let named = RtcpPath::SeparateTo("192.0.2.99:5005".parse().unwrap());
    let settings = StreamSettings { rtcp: named, ..plain() };
    assert_eq!(report_to(settings, None, peer(1)), own("192.0.2.99:5005"));
    let muxed = StreamSettings { rtcp: RtcpPath::Muxed, ..plain() };
    assert_eq!(report_to(muxed, None, peer(1)), (peer(1), ControlPort::Media));
    // Behind NAT the port above is a guess until a report comes.
    assert_eq!(report_to(behind(), None, nat), own("203.0.113.7:61001"));
    let heard = "203.0.113.7:40404".parse().unwrap();
    assert_eq!(report_to(behind(), Some(heard), nat), own("203.0.113.7:40404"));
    let muxed = StreamSettings { rtcp: RtcpPath::Muxed, ..behind() };
    assert_eq!(report_to(muxed, None, nat), (nat, ControlPort::Media));
}

#[test]
fn reports_on_the_port_of_the_media_are_no_media() {
    let mut world = World::new();
    let settings =
        StreamSettings { rtcp: RtcpPath::Muxed, ..StreamSettings::new(peer(1), Codec::Pcmu) };
    let stream = world.open_with(1, settings);
    world.command(Command::Echo { stream, state: EchoState::On });
    let mut phone = Phone::new(1);
    world.hears(&mut phone, 10, |_| false);
    let ours = Ssrc(world.sent_by(1)[0].read().ssrc());
    let written = answer(&phone, ours, Some(BLOCK));
    world.io.arrive(SocketId(1), peer(1), written.as_bytes().to_vec());
    world.io.arrive(SocketId(1), peer(1), vec![0x80, 200, 0, 9]);
    // On the port above nobody speaks for it.
    world.hears_control(1, control(1), &written);
    world.run_ms(20);
    assert_eq!(world.sent_by(1).len(), 10);
    let statistics = world.close(stream);
    assert_eq!((statistics.reports_received, statistics.malformed_reports), (1, 1));
    assert_eq!((statistics.foreign_reports, statistics.malformed), (1, 0));
    assert_eq!((statistics.received_packets, statistics.sent_lost), (10, Some(12)));
}

#[test]
fn a_closed_stream_says_goodbye_before_its_socket_goes() {
    let mut world = World::new();
    let stream = world.open(1);
    let quiet = world.open(2);
    world.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(60))]);
    world.run_ms(200);
    let ours = Ssrc(world.sent_by(1)[0].read().ssrc());
    world.close(stream);
    world.close(quiet);
    assert_eq!(world.io.reports.len(), 1, "who never spoke leaves without a word");
    let (packet, _) = &world.io.reports[0];
    assert_eq!(packet.to, control(1));
    let compound = Compound::parse(&packet.octets).unwrap();
    let Some(Rtcp::Goodbye(mut gone)) = compound.packets().last() else { panic!("{compound:?}") };
    assert_eq!(gone.next(), Some(ours));
    assert_eq!(world.io.released, [SocketId(1), SocketId(2)]);
}

#[test]
fn an_ssrc_that_both_chose_is_left_once_and_then_it_is_an_echo() {
    let mut world = World::new();
    let stream = world.open(1);
    world.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(60))]);
    world.run_ms(200);
    let first = Ssrc(world.sent_by(1)[0].read().ssrc());
    let mut phone = Phone::new(1);
    phone.header.ssrc = first;
    world.hears(&mut phone, 1, |_| false);
    world.run_ms(40);
    let second = Ssrc(world.sent_by(1).last().unwrap().read().ssrc());
    assert_ne!(second, first);
    let (packet, _) = &world.io.reports[0];
    let compound = Compound::parse(&packet.octets).unwrap();
    let Some(Rtcp::Goodbye(mut gone)) = compound.packets().last() else { panic!("{compound:?}") };
    assert_eq!(gone.next(), Some(first));
    // The peer goes on with it, and is heard.
    world.hears(&mut phone, 10, |_| false);
    // Then something sends back what we send.
    for _ in 0..500 {
        let octets = world.sent_by(1).last().unwrap().octets.clone();
        world.io.arrive(SocketId(1), peer(1), octets);
        let report = world.io.reports.last().unwrap().0.octets.clone();
        world.io.control.push_back((SocketId(1), control(1), report));
        world.run_ms(20);
    }
    assert_eq!(world.sent_by(1).last().unwrap().read().ssrc(), second.0);
    let last = world.reported().last().unwrap().1.unwrap();
    assert_eq!(last.ssrc, second);
    assert!(last.packets < world.sent_by(1).len() as u32, "counted from the change");
    let statistics = world.close(stream);
    assert_eq!(statistics.collisions, 1);
    assert!(statistics.looped >= 500, "{}", statistics.looped);
    assert!(statistics.received_packets >= 500, "an echo is heard");
}

#[test]
fn a_peer_that_starts_anew_is_reported_as_another() {
    let mut world = World::new();
    let stream = world.open(1);
    let mut phone = Phone::new(1);
    world.hears(&mut phone, 300, |n| n % 2 == 1);
    phone.header.ssrc = Ssrc(5);
    phone.header.seq = Seq(100);
    let count = world.io.reports.len();
    while world.io.reports.len() == count {
        world.hears(&mut phone, 1, |_| false);
    }
    let (_, sender, block) = *world.reported().last().unwrap();
    assert_eq!(sender, None, "who hears only makes a receiver's report");
    let block = block.unwrap();
    assert_eq!((block.ssrc, block.lost, block.fraction_lost), (Ssrc(5), 0, 0));
    assert!((100..400).contains(&block.highest));
    let statistics = world.close(stream);
    assert_eq!((statistics.source_changes, statistics.lost), (1, 149));
}

#[test]
fn nothing_is_reported_where_reports_are_off() {
    let mut world = World::new();
    let settings =
        StreamSettings { rtcp: RtcpPath::Off, ..StreamSettings::new(peer(1), Codec::Pcmu) };
    let stream = world.open_with(1, settings);
    let mut phone = Phone::new(1);
    world.hears_control(1, control(1), &answer(&phone, Ssrc(0), None));
    world.hears(&mut phone, 500, |_| false);
    let statistics = world.close(stream);
    assert!(world.io.reports.is_empty());
    assert_eq!((statistics.foreign_reports, statistics.reports_sent), (1, 0));
}
