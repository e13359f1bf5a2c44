//! Whole runs in virtual time, against a callee of a few lines on the same stack.

use std::net::IpAddr;

use diesis_engine::media::PayloadType;
use rtp_rs::RtpReader;

use super::*;
use crate::load::schedule::{Level, Mark, Plan, Schedule};
use crate::load::workload::tests::task;

/// Answers everything; what it does with media is the test's.
struct Callee {
    endpoint: Endpoint,
    /// Refuses every so-manieth call with 503.
    refuses: Option<usize>,
    calls: Vec<CallHandle>,
    offered: usize,
}

struct World {
    crowd: Crowd,
    callee: Callee,
    schedule: Schedule,
    now: Instant,
    started: Instant,
    marks: Vec<Mark>,
}

const TARGET: ([u8; 4], u16) = ([127, 0, 0, 1], 5060);

fn target() -> SocketAddr {
    TARGET.into()
}

fn clock() -> Instant {
    Instant::now()
}

impl World {
    fn new(task: Task, level: Level, seats: usize) -> Self {
        let now = clock();
        let mut entropy = Entropy::new(7);
        let own: IpAddr = [127, 0, 0, 2].into();
        let flow = Flow::udp((own, 5062).into(), target());
        let media: Vec<_> =
            (0..seats).map(|n| ((own, 30_000 + 2 * n as u16).into(), flow)).collect();
        let plan = Plan {
            levels: vec![level],
            set_up_rate: 100.0,
            settle: Duration::from_secs(1),
            window: Duration::from_secs(2),
            drain: Duration::from_secs(10),
        };
        Self {
            crowd: Crowd::new(task, &media, &mut entropy),
            callee: Callee {
                endpoint: Endpoint::new(EndpointConfig::default(), entropy.fork()),
                refuses: None,
                calls: vec![],
                offered: 0,
            },
            schedule: Schedule::new(plan, seats),
            now,
            started: now,
            marks: vec![],
        }
    }

    /// Runs to the end; `media` says what comes back for a packet, or without one.
    fn run(&mut self, mut media: impl FnMut(usize, Option<&[u8]>) -> Option<Vec<u8>>) -> Tally {
        let mut tally = None;
        for tick in 0_u64..60_000 {
            self.now = self.started + Duration::from_millis(tick);
            self.exchange();
            let mut out = [0; MOST_PACKET];
            for seat in (0..self.crowd.seats.len()).filter(|seat| seat % 20 == (tick % 20) as usize)
            {
                let sent = self.crowd.turn(seat, &mut out, self.now);
                let back = media(seat, sent.map(|(length, _)| &out[..length]));
                if self.crowd.doing(seat) == Doing::Talking
                    && let Some(back) = back
                {
                    self.crowd.handle_media(seat, &back, (tick * 1_000_000) as i64);
                }
                if sent.is_some_and(|(length, _)| {
                    out[1] & 0x7f == 101 && out[13] & 0x80 != 0 && length == 16
                }) {
                    self.hang_up_after_keys(seat);
                }
            }
            match self.schedule.step(&mut self.crowd, self.now) {
                Some(Mark::Over) => break,
                Some(mark) => {
                    self.marks.push(mark);
                    if mark == Mark::LevelEnds {
                        tally = Some(self.crowd.take_tally());
                    }
                }
                None => {}
            }
        }
        tally.expect("a level ends")
    }

    /// The nth call is that of the nth seat: they are taken in turn.
    fn hang_up_after_keys(&mut self, seat: usize) {
        let call = self.callee.calls[seat];
        let _ended_before = self.callee.endpoint.bye(call, &Headers::default(), self.now);
    }

    fn exchange(&mut self) {
        let flow = |transmit: &Transmit| Flow::udp(transmit.flow.peer, transmit.flow.local);
        self.crowd.handle_timeout(self.now);
        self.callee.endpoint.handle_timeout(self.now);
        loop {
            let mut moved = false;
            while let Some(transmit) = self.crowd.poll_transmit() {
                self.callee.endpoint.handle_packet(flow(&transmit), transmit.bytes, self.now);
                moved = true;
            }
            self.callee.answer(self.now);
            while let Some(transmit) = self.callee.endpoint.poll_transmit() {
                self.crowd.handle_packet(flow(&transmit), transmit.bytes, self.now);
                moved = true;
            }
            if !moved {
                break;
            }
        }
    }
}

impl Callee {
    fn answer(&mut self, now: Instant) {
        let none = Headers::default();
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::IncomingCall { call, request, .. } => {
                    self.offered += 1;
                    if self.refuses.is_some_and(|nth| self.offered.is_multiple_of(nth)) {
                        let status = StatusCode::SERVICE_UNAVAILABLE;
                        self.endpoint.reject(call, status, &none, now).unwrap();
                        continue;
                    }
                    let offer = SessionDescription::parse(request.body()).unwrap();
                    let mut media = OfferAnswer::new(Capabilities::default(), 1);
                    let local = (target().ip(), 10_000).into();
                    let (answer, _) =
                        media.handle_offer(&offer, local, Direction::SendReceive).unwrap();
                    self.endpoint.answer(call, &none, Some(&Body::sdp(answer)), now).unwrap();
                    self.calls.push(call);
                }
                Event::Request { transaction, .. } => {
                    self.endpoint.respond(transaction, StatusCode::OK, &none, None, now).unwrap();
                }
                _ => {}
            }
        }
    }
}

#[test]
fn an_echo_is_good_when_all_comes_back() {
    let mut world = World::new(task(Workload::Echo), Level::Held(20), 20);
    let tally = world.run(|_, sent| sent.map(<[u8]>::to_vec));
    assert_eq!((tally.tried, tally.answered, tally.good, tally.failed()), (20, 20, 20, 0));
    assert_eq!((tally.heard.received, tally.heard.lost), (20 * 100, 0));
    assert_eq!(tally.pacing.deviation.quantile(1.0), Duration::ZERO);
    let course = [Mark::LevelBegins, Mark::WindowOpens, Mark::WindowCloses, Mark::LevelEnds];
    assert_eq!(world.marks, course);
    assert_eq!(world.crowd.count(Doing::Nothing), 20);
}

#[test]
fn crossed_echoes_are_told() {
    let mut world = World::new(task(Workload::Echo), Level::Held(2), 2);
    let mut last: [Option<Vec<u8>>; 2] = [None, None];
    let tally = world.run(|seat, sent| {
        last[seat] = sent.map(<[u8]>::to_vec);
        last[1 - seat].clone()
    });
    assert_eq!(tally.faults.get(&Fault::ForeignSound), Some(&2), "{tally:?}");
    assert_eq!(tally.good, 0);
}

#[test]
fn refusals_are_told_by_their_cause() {
    let mut world = World::new(task(Workload::Echo), Level::Held(20), 20);
    world.callee.refuses = Some(4);
    let tally = world.run(|_, sent| sent.map(<[u8]>::to_vec));
    assert_eq!((tally.tried, tally.answered, tally.good), (20, 15, 15));
    let causes: Vec<_> = tally.refused.iter().collect();
    assert_eq!(causes, [(&"503 Service Unavailable".to_owned(), &5)]);
}

#[test]
fn a_playback_of_nothing_is_silent() {
    let mut world = World::new(task(Workload::Playback), Level::Held(1), 1);
    let mut seq = 0_u16;
    let tally = world.run(|_, sent| {
        assert_eq!(sent, None, "only listens");
        seq += 1;
        let mut packet = vec![0x80, 0];
        packet.extend(seq.to_be_bytes());
        packet.extend((u32::from(seq) * 160).to_be_bytes());
        packet.extend([0, 0, 0, 1]);
        packet.extend([0xff; 160]);
        Some(packet)
    });
    assert_eq!(tally.faults.get(&Fault::Silent), Some(&1), "{tally:?}");
}

#[test]
fn a_menu_is_good_when_it_hangs_up_after_the_keys() {
    let mut world = World::new(task(Workload::Menu), Level::Flow(1.0), 10);
    let mut pressed = vec![];
    let tally = world.run(|_, sent| {
        let packet = RtpReader::new(sent?).unwrap();
        let events = PayloadType::new(packet.payload_type()) == PayloadType::new(101);
        pressed.extend(events.then(|| packet.payload()[0]));
        None
    });
    assert_eq!((tally.tried, tally.answered, tally.good), (2, 2, 2), "{tally:?}");
    assert!(pressed.iter().all(|&event| event == 1) && pressed.len() >= 16, "{pressed:?}");
    assert_eq!(tally.reaction.count(), 2);
}

#[test]
fn a_menu_that_does_not_react_is_told_and_left() {
    let mut world = World::new(task(Workload::Menu), Level::Flow(1.0), 10);
    let mut keys = task(Workload::Menu);
    keys.patience = Duration::from_millis(500);
    world.crowd.task = keys;
    // Keys get lost on the way: nobody hangs up.
    world.callee.calls.clear();
    let tally = {
        let world = &mut world;
        world.callee.refuses = None;
        world.run_deaf()
    };
    assert_eq!(tally.faults.get(&Fault::NoReaction), Some(&2), "{tally:?}");
    assert_eq!(world.crowd.count(Doing::Nothing), 10);
}

#[test]
fn registrations_count_from_their_first_request_to_their_200() {
    let mut world = World::new(task(Workload::Register), Level::Flow(50.0), 1);
    let tally = world.run(|_, _| None);
    assert_eq!((tally.tried, tally.answered, tally.good), (100, 100, 100), "{tally:?}");
}

#[test]
fn whoever_is_stopped_says_goodbye() {
    let mut world = World::new(task(Workload::Echo), Level::Held(5), 5);
    for tick in 0..8000 {
        world.now = world.started + Duration::from_millis(tick);
        world.exchange();
        world.schedule.step(&mut world.crowd, world.now);
        if tick == 500 {
            assert_eq!(world.crowd.count(Doing::Talking), 5);
            world.schedule.stop(world.now);
        }
    }
    assert_eq!(world.schedule.step(&mut world.crowd, world.now), Some(Mark::Over));
    assert_eq!(world.crowd.count(Doing::Nothing), 5);
    assert_eq!(
        world.crowd.endpoint.transaction_count().0,
        5,
        "the INVITEs linger, the BYEs do not"
    );
}

impl World {
    /// Runs with a callee that hears no keys.
    fn run_deaf(&mut self) -> Tally {
        let mut tally = None;
        for tick in 0_u64..60_000 {
            self.now = self.started + Duration::from_millis(tick);
            self.exchange();
            let mut out = [0; MOST_PACKET];
            for seat in 0..self.crowd.seats.len() {
                if seat as u64 % 20 == tick % 20 {
                    self.crowd.turn(seat, &mut out, self.now);
                }
            }
            match self.schedule.step(&mut self.crowd, self.now) {
                Some(Mark::Over) => break,
                Some(Mark::LevelEnds) => tally = Some(self.crowd.take_tally()),
                _ => {}
            }
        }
        tally.expect("a level ends")
    }
}
