//! Whoever forwards a call to a robot: headers that tell of diversions, in any form.
//!
//! An input is the lines between an INVITE's first headers and its body. Whatever they say, one
//! robot at most is occupied, for a user that could be dialled, and it is free again afterwards.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use diesis_dialplan::conf::MemoryFiles;
use diesis_engine::clock::Now;
use diesis_engine::config::Configuration;
use diesis_engine::media::{Event, PortLease, ShardId, SocketId};
use diesis_engine::switch::{Seeds, Switch, SwitchConfig, SwitchEvent};
use jiff::Timestamp;

use super::sip::clock;
use super::stack::flow;
use super::{SLOW, Shape, Target, owned};

pub(super) const TARGETS: &[Target] = &[Target {
    name: "robot",
    about: "for whom a call is that came to a robot: Diversion, History-Info, To and ROBOT()",
    run,
    seeds,
    tokens: TOKENS,
    longest: 4096,
    memory: 16 << 20,
    slow: SLOW,
}];

fn configured() -> &'static SwitchConfig {
    static CONFIG: OnceLock<SwitchConfig> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let files = MemoryFiles::new()
            .with("pjsip.conf", "[udp]\ntype=transport\nprotocol=udp\nbind=192.0.2.1:5060\n")
            .with(
                "robots.conf",
                "[robots]\nfirst=6000\ncount=3\nregistrar=192.0.2.77\ncontext=m\nmap=_600X => _47X\n",
            )
            .with("numbering.conf", "[incoming]\nrule => 5,own,+3315517,\n")
            .with(
                "extensions.conf",
                "[m]\nexten => _6XXX,1,NoOp(${ROBOT(user)}${ROBOT(told)}${ROBOT(name)}${ROBOT(first)}\
                 ${REDIRECTING(orig-all)}${REDIRECTING(reason)})\nsame => n,Ringing()\n\
                 same => n,Wait(60)\n",
            );
        let configuration = Configuration::load(&files).configuration;
        assert_eq!(configuration.sip.robots.len(), 1);
        let (sip, plan) = (Arc::new(configuration.sip), configuration.plan);
        SwitchConfig { sip, plan, ..SwitchConfig::default() }
    })
}

fn run(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let wall = Timestamp::from_second(1_773_136_800).expect("a time of this century");
    let now = Now::new(clock(), wall);
    let seeds = Seeds { entropy: 1, digest_key: [7; 32] };
    let mut switch = Switch::new(configured().clone(), &seeds, now);
    let address = ([192, 0, 2, 1], 10_000).into();
    let port = PortLease { shard: ShardId(0), socket: SocketId(1), address };
    switch.handle_media(Event::PortReady { port }, now);
    let mut packet = FIRST.to_vec();
    packet.extend_from_slice(input);
    packet.extend_from_slice(b"\r\nContent-Length: 0\r\n\r\n");
    switch.handle_packet(flow(0), Bytes::from(packet), now);
    while let Some(event) = switch.poll_event() {
        if let SwitchEvent::RobotOccupied { user, robot, .. } = event {
            assert!(user.len() <= 64 + 8, "{user:?}");
            assert!(!user.iter().any(u8::is_ascii_control), "{user:?}");
            assert_eq!(robot, "6001");
            shape.count(user.len());
            shape.add(user);
        }
    }
    let busy = |switch: &Switch| switch.view_pools(now).iter().map(|pool| pool.used).sum::<u64>();
    assert!(busy(&switch) <= 1);
    shape.add(busy(&switch));
    switch.hang_up_all(now + Duration::from_secs(1));
    assert_eq!(busy(&switch), 0, "a robot that stays busy");
    shape
}

const FIRST: &[u8] = b"INVITE sip:6001@192.0.2.1 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKa;rport\r\nMax-Forwards: 70\r\n\
    From: \"A\" <sip:1001@h>;tag=1\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.77>\r\n";

fn seeds() -> Vec<Vec<u8>> {
    owned(&[
        b"To: <sip:6001@h>\r\nDiversion: \"Anna, A\" <sip:4711@h>;reason=\"user-busy\";privacy=full",
        b"To: \"Bob\" <sip:4712@h>",
        b"To: <sip:6001@h>\r\nDiversion: <tel:+33-1-55-17-1889>;reason=no-answer,<sip:6002@h>",
        b"To: <sip:6001@h>\r\nHistory-Info: <sip:4711@h?Reason=SIP%3Bcause%3D486&Privacy=history>;index=1,<sip:6001@h;cause=302>;index=1.1;mp=1",
        b"To: <sip:6001@h>\r\nHistory-Info: <sip:4711@h>;index=1\r\nHistory-Info: <sip:4711@i>;index=1.1;rc=1,<sip:6001@h>;index=1.2;np=1.1",
    ])
}

const TOKENS: &[&[u8]] = &[
    b"Diversion: ",
    b"History-Info: ",
    b"\r\n",
    b"<sip:",
    b"<tel:+33",
    b"@h>",
    b";index=1.1",
    b";mp=1",
    b";rc=1",
    b";np=1",
    b";cause=302",
    b"?Reason=SIP%3Bcause%3D486",
    b"&Privacy=history",
    b";reason=no-answer",
    b";privacy=full",
    b",",
    b"%00",
    b";user=phone",
];
