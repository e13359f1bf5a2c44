//! The switch with a configuration and a dialplan: packets in, everything else answered at once.
//!
//! Scripts as in `stack`: steps with separators between, `$T` and the others in packets. Media,
//! prompts and commands of an embedder are played by a stand-in that does what it is told.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use diesis_dialplan::conf::MemoryFiles;
use diesis_engine::channel::{Cause, ChannelId, PromptReply};
use diesis_engine::clock::Now;
use diesis_engine::config::Configuration;
use diesis_engine::media::{
    self, Digit, PlayEnd, PlayId, PortLease, Prompt, ShardId, SharedStatistics, SocketId, StreamId,
    StreamStatistics,
};
use diesis_engine::recording::{RecordingNews, RecordingRequest, RecordingSettings};
use diesis_engine::sip::ConnectionId;
use diesis_engine::switch::{
    Command, CommandId, PlaceCall, Seeds, Switch, SwitchConfig, SwitchEvent, Verb,
};
use jiff::Timestamp;

use super::sip::{SIP_TOKENS, clock, messages};
use super::stack::{Echoes, flow, within};
use super::{SEPARATOR, SLOW, Shape, Target, files, owned, parts};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "switch",
        about: "switch::Switch with peers and a dialplan: calls, registrations, keys, conferences",
        run,
        seeds,
        tokens: SIP_TOKENS,
        longest: 8192,
        memory: 64 << 20,
        slow: SLOW,
    },
    Target {
        name: "config",
        about: "Configuration::load: pjsip.conf, extensions.conf, confbridge.conf, rtp.conf, asterisk.conf, videoshare.conf, robots.conf",
        run: configuration,
        seeds: configuration_seeds,
        tokens: CONF_TOKENS,
        longest: 4096,
        memory: 64 << 20,
        slow: SLOW,
    },
];

/// Let in by address, so that packets need no credentials; another that needs them.
const PJSIP: &str = "[udp]\ntype=transport\nprotocol=udp\nbind=192.0.2.1:5060\n[open]\ntype=endpoint\ncontext=m\ndisallow=all\nallow=alaw,ulaw\naors=a\n[open]\ntype=identify\nendpoint=open\nmatch=192.0.2.77\n[a]\ntype=aor\nmax_contacts=2\n[shut]\ntype=endpoint\ncontext=m\nauth=shut\naors=shut\n[shut]\ntype=auth\nauth_type=userpass\nusername=shut\npassword=x\n[shut]\ntype=aor\nmax_contacts=1\n";

const PLAN: &str = "[m]\nexten => us,1,Answer()\nsame => n,Playback(a)\nsame => n,Background(menu)\nsame => n,WaitExten(2)\nexten => _1X,1,Answer()\nsame => n,ConfBridge(${EXTEN})\nexten => _2.,1,Progress()\nsame => n,Echo()\nexten => 3,1,Dial(PJSIP/a,10,g)\nsame => n,NoOp(${DIALSTATUS})\nexten => 4,1,Read(d,a,3)\nsame => n,SayNumber(${d})\nsame => n,Set(CALLERID(name)=${PJSIP_HEADER(read,X)})\nexten => 5,1,Ringing()\nsame => n,Wait(3)\nsame => n,Busy()\nexten => 6,1,Record(a%d.wav,2,9,ok)\nsame => n,Goto(6,1)\nexten => i,1,Hangup(1)\nexten => t,1,Goto(us,1)\nexten => h,1,NoOp(${CALLERID(all)}${CHANNEL(rtp,all)})\n";

fn configured() -> &'static SwitchConfig {
    static CONFIG: OnceLock<SwitchConfig> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let files = MemoryFiles::new().with("pjsip.conf", PJSIP).with("extensions.conf", PLAN);
        let loaded = Configuration::load(&files);
        assert!(!loaded.is_refused());
        let configuration = loaded.configuration;
        SwitchConfig {
            sip: Arc::new(configuration.sip),
            conferences: Arc::new(configuration.conferences),
            plan: configuration.plan,
            recordings: RecordingSettings {
                directory: Some("/spool".into()),
                ..RecordingSettings::default()
            },
            ..SwitchConfig::default()
        }
    })
}

struct Exchange {
    switch: Switch,
    now: Now,
    echoes: Echoes,
    media: VecDeque<media::Event>,
    streams: BTreeSet<StreamId>,
    plays: VecDeque<(StreamId, PlayId)>,
    sockets: u32,
    calls: BTreeSet<ChannelId>,
    commands: u64,
    shape: Shape,
}

fn run(input: &[u8]) -> Shape {
    let config = configured();
    // Two of the digest's secrets may be as predictable as they like here.
    let seeds = Seeds { entropy: 1, digest_key: [7; 32] };
    let wall = Timestamp::from_second(1_773_136_800).expect("a time of this century");
    let now = Now::new(clock(), wall);
    let mut exchange = Exchange {
        switch: Switch::new(config.clone(), &seeds, now),
        now,
        echoes: Echoes::default(),
        media: VecDeque::new(),
        streams: BTreeSet::new(),
        plays: VecDeque::new(),
        sockets: 0,
        calls: BTreeSet::new(),
        commands: 0,
        shape: Shape::new(),
    };
    for _ in 0..4 {
        exchange.bind();
    }
    exchange.settle();
    for part in parts(input).take(40) {
        let Some((&what, rest)) = part.split_first() else { continue };
        exchange.step(what, rest);
        exchange.settle();
    }
    exchange.finish();
    exchange.shape
}

impl Exchange {
    fn bind(&mut self) {
        self.sockets += 1;
        let address = ([192, 0, 2, 1], 10_000 + 2 * self.sockets as u16).into();
        let port = PortLease { shard: ShardId(0), socket: SocketId(self.sockets), address };
        self.media.push_back(media::Event::PortReady { port });
    }

    fn step(&mut self, what: u8, rest: &[u8]) {
        let call = self.calls.last().copied();
        match what {
            b't' => {
                let units = u32::from(rest.first().copied().unwrap_or(1));
                self.pass(Duration::from_millis(100) * units * units);
            }
            b'k' => {
                let Some(&stream) = self.streams.last() else { return };
                for &key in rest.iter().take(10) {
                    let Some(digit) = Digit::from_char(key.into()) else { continue };
                    let duration = Duration::from_millis(100);
                    let event = media::Event::Digit { stream, digit, duration };
                    self.switch.handle_media(event, self.now);
                    self.settle();
                }
            }
            b'f' => self.finish_play(),
            b'i' => {
                let Some(&stream) = self.streams.last() else { return };
                let silent_for = Duration::from_secs(30);
                self.switch.handle_media(media::Event::Idle { stream, silent_for }, self.now);
            }
            b'x' => self.switch.handle_connection_closed(ConnectionId(1), self.now),
            b'e' => self
                .switch
                .handle_transport_error(flow(rest.first().copied().unwrap_or(0)), self.now),
            b'C' => {
                let call = PlaceCall {
                    target: "sip:bob@192.0.2.77:5060".to_owned(),
                    flow: Some(flow(0)),
                    from: "<sip:us@192.0.2.1>".to_owned(),
                    credentials: None,
                    ring_timeout: Duration::from_secs(20),
                };
                self.commands += 1;
                let id = CommandId::new(self.commands);
                let command = Command::PlaceCall { id, call: Box::new(call) };
                self.switch.handle_command(command, self.now);
            }
            b'0'..=b'9' => {
                let Some(call) = call else { return };
                self.commands += 1;
                let verb = match what {
                    b'0' => Verb::Hangup(Cause::NETWORK_OUT_OF_ORDER),
                    b'1' => Verb::Answer,
                    b'2' => Verb::Ring,
                    b'3' => Verb::Progress,
                    b'4' => Verb::Echo,
                    b'5' => Verb::Wait(Duration::from_secs(1)),
                    b'6' => {
                        Verb::SendDigits { digits: Digit::from_char('1').into_iter().collect() }
                    }
                    b'7' => Verb::LeaveRoom,
                    b'8' => Verb::StopPlay,
                    _ => Verb::RunDialplan { context: "m".into(), extension: rest.into() },
                };
                let id = CommandId::new(self.commands);
                self.switch.handle_command(Command::Call { id, call, verb }, self.now);
            }
            which => {
                let packet = self.echoes.fill_in(rest);
                self.switch.handle_packet(flow(which), packet, self.now);
            }
        }
    }

    /// Everything that comes out, and what media and prompts say to it.
    fn settle(&mut self) {
        for _ in 0..2000 {
            while let Some(transmit) = self.switch.poll_transmit() {
                self.echoes.note(&transmit.bytes, &mut self.shape);
            }
            while let Some((shard, command)) = self.switch.poll_media() {
                assert_eq!(shard, ShardId(0));
                self.take(command);
            }
            while let Some(event) = self.switch.poll_event() {
                self.shape.kind(&event);
                match event {
                    SwitchEvent::CallEnded { call, .. } => drop(self.calls.remove(&call)),
                    SwitchEvent::PlayStarted { call, .. } => drop(self.calls.insert(call)),
                    SwitchEvent::IncomingCall { call, .. } => drop(self.calls.insert(call)),
                    _ => {}
                }
            }
            if let Some(request) = self.switch.poll_recording() {
                if let Some(news) = recorded(request) {
                    self.switch.handle_recording(news, self.now);
                }
                continue;
            }
            if let Some(request) = self.switch.poll_prompt() {
                let is_there = !request.name.starts_with(b"no");
                let prompt = is_there.then(|| Arc::new(Prompt::from_samples(&[0; 1600])));
                self.switch.handle_prompt(PromptReply { id: request.id, prompt }, self.now);
                continue;
            }
            let Some(event) = self.media.pop_front() else { return };
            self.switch.handle_media(event, self.now);
        }
        panic!("work without end");
    }

    fn take(&mut self, command: media::Command) {
        use media::Command as C;
        use media::Event as E;
        self.shape.kind(&command);
        match command {
            C::Open { stream, .. } => {
                assert!(self.streams.insert(stream), "opened twice");
                self.bind();
                self.media.push_back(E::Opened { stream, statistics: SharedStatistics::default() });
            }
            C::Close { stream } => {
                assert!(self.streams.remove(&stream), "closed, and was not open");
                self.plays.retain(|(playing, _)| *playing != stream);
                let statistics = Box::new(StreamStatistics::default());
                self.media.push_back(E::Closed { stream, statistics });
            }
            C::Play { stream, play, .. } => {
                let before = self.plays.iter().position(|(playing, _)| *playing == stream);
                if let Some((stream, play)) = before.and_then(|at| self.plays.remove(at)) {
                    let end = PlayEnd::Replaced;
                    self.media.push_back(E::PlayFinished { stream, play, end, played: 0 });
                }
                self.plays.push_back((stream, play));
            }
            C::StopPlay { stream, play } => {
                let found = self.plays.iter().position(|(playing, this)| {
                    *playing == stream && play.is_none_or(|play| play == *this)
                });
                if let Some((stream, play)) = found.and_then(|at| self.plays.remove(at)) {
                    let end = PlayEnd::Stopped;
                    self.media.push_back(E::PlayFinished { stream, play, end, played: 80 });
                }
            }
            C::SendDigits { stream, .. } => self.media.push_back(E::DigitsSent { stream }),
            C::Join { stream, room, .. } => self.media.push_back(E::Joined { stream, room }),
            C::PlayToRoom { room, play, .. } => {
                let end = PlayEnd::Completed;
                self.media.push_back(E::RoomPlayFinished { room, play, end });
            }
            C::Untap { stream, tap } => {
                self.media.push_back(E::TapEnded { stream, tap, dropped: 0 });
            }
            _ => {}
        }
    }

    fn finish_play(&mut self) {
        if let Some((stream, play)) = self.plays.pop_front() {
            let end = PlayEnd::Completed;
            let event = media::Event::PlayFinished { stream, play, end, played: 1600 };
            self.switch.handle_media(event, self.now);
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..5000 {
            let due = self.switch.poll_timeout().filter(|due| *due <= end.instant);
            let Some(due) = due else {
                self.now = end;
                return;
            };
            self.now = self.now + due.saturating_duration_since(self.now.instant);
            self.switch.handle_timeout(self.now);
            self.settle();
            self.finish_play();
            self.settle();
        }
        panic!("timers without end");
    }

    /// Everybody is sent away; nothing is left.
    fn finish(&mut self) {
        self.switch.hang_up_all(self.now);
        self.settle();
        self.pass(Duration::from_secs(200));
        assert_eq!(self.switch.call_count(), 0, "calls that do not end");
        assert!(self.streams.is_empty(), "streams that nobody closes");
    }
}

fn configuration(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let names = [
        "pjsip.conf",
        "extensions.conf",
        "confbridge.conf",
        "rtp.conf",
        "asterisk.conf",
        "a.conf",
        "videoshare.conf",
        "robots.conf",
    ];
    let mut files = MemoryFiles::new();
    for (part, name) in parts(input).zip(names) {
        files = files.with(name, part);
    }
    let loaded = Configuration::load(&files);
    shape.add(loaded.is_refused());
    for finding in loaded.findings().take(100) {
        shape.add(finding.diagnostic.code.to_string());
        let text = finding.to_string();
        assert!(!text.is_empty());
    }
    let configuration = loaded.configuration;
    shape.count(configuration.sip.transports.len());
    shape.count(configuration.plan.videoshare().iter().map(|room| room.people.len()).sum());
    let ports = configuration.rtp.ports;
    assert!(ports.start() <= ports.end());
    for transport in &configuration.sip.transports {
        let _ = transport.is_external([192, 0, 2, 7].into());
    }
    shape
}

fn invite(to: &str, number: u32, call_id: &str, body: &str) -> String {
    format!(
        "INVITE sip:{to}@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKa{number}{call_id};rport\r\nMax-Forwards: 70\r\nFrom: \"A\" <sip:open@h>;tag=1\r\nTo: <sip:{to}@192.0.2.1>\r\nCall-ID: {call_id}\r\nCSeq: {number} INVITE\r\nContact: <sip:a@192.0.2.77>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.77\r\ns=-\r\nc=IN IP4 192.0.2.77\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

fn seeds() -> Vec<Vec<u8>> {
    let ack = format!("D{}", within("ACK", 1, ""));
    let bye = format!("D{}", within("BYE", 9, ""));
    let call = |to: &str| format!("D{}", invite(to, 1, "c", SDP));
    let info = within("INFO", 3, "Content-Type: application/dtmf-relay\r\nContent-Length: 10\r\n");
    let register = "DREGISTER sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKr;rport\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\nContact: <sip:a@192.0.2.77>\r\nExpires: 60\r\nContent-Length: 0\r\n\r\n";
    let answer = format!(
        "DSIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=$B\r\nFrom: <sip:us@192.0.2.1>;tag=$F\r\nTo: <sip:bob@192.0.2.77:5060>;tag=2\r\nCall-ID: $I\r\nCSeq: 1 INVITE\r\nContact: <sip:bob@192.0.2.77>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    );
    let scripts: [&[&str]; 8] = [
        &[&call("us"), &ack, "f", "k12", "t\x0a", "f", &bye],
        &[&call("11"), &ack, "t\x0a", "k#", &format!("D{info}Signal=1\r\n"), &bye],
        &[
            &call("22"),
            "t\x05",
            &format!(
                "D{}",
                within("CANCEL", 1, "")
                    .replace("z9hG4bKCANCEL1", "z9hG4bKa1c")
                    .replace(";tag=$T", "")
            ),
            "t\x10",
        ],
        &[register, &call("3"), "t\x02", &answer, "t\x05", &ack, "i", "t\x30", &bye],
        &[&call("4"), &ack, "f", "k123", "f", "f", "0"],
        &[&call("5"), "t\x08", "x", "e\x01", "t\x28"],
        &["C", &answer, "1", "9us", "f", "k1", "4", "6", "t\x10", "0"],
        &[
            &format!("B{}", invite("us", 1, "d", SDP)),
            &format!("A{}", within("INVITE", 2, "")),
            "DOPTIONS sip:192.0.2.1 SIP/2.0\r\n\r\n",
        ],
    ];
    let mut seeds: Vec<Vec<u8>> =
        scripts.iter().map(|steps| steps.join("\x1e").into_bytes()).collect();
    for message in messages() {
        if message.len() < 2000 && !message.contains(&SEPARATOR) {
            seeds.push([b"D", &message[..]].concat());
        }
    }
    seeds
}

fn configuration_seeds() -> Vec<Vec<u8>> {
    let mut seeds = files("examples/wazo");
    seeds.retain(|seed| seed.len() < 4096);
    seeds.extend(owned(&[
        PJSIP.as_bytes(),
        b"\x1e[x]\nexten => 1,1,VideoShare(b,i(1))\n\x1e\x1e\x1e\x1e\x1e[b]\nnumber=8\nmaster=1, name=A, pin=12\nparticipant=2, role=listener, dial=in\nparticipant=3\ndial=Local/${NUMBER}@x\npin=99\ncall=start\nretry_on=busy,failed\naccept_key=none\ngrace=5\nmedia_server=sip:h:8201\nmedia_endpoint=e\nfallback=local\nreport=a.json\nsound_joined=b\n",
        b"\x1e[general]\n[m]\nexten => s,1,Dial(PJSIP/x)\n\x1e[general]\n[b]\ntype=bridge\nmax_members=5\n[u]\ntype=user\npin=1\nannounce_only_user=no\n\x1e[general]\nrtpstart=10000\nrtpend=20000\n\x1e[directories]\nastdatadir => /x\n[options]\ndefaultlanguage=fr\n",
        b"[t](!)\ntype=transport\nbind=[::]:5060\nlocal_net=10.0.0.0/8\nexternal_media_address=1.2.3.4\n[u](t)\nprotocol=tcp\n[e]\ntype=endpoint\nallow=!all,ulaw\nauth=e\naors=e,f\ncallerid=\"X\" <1>\ndtmf_mode=inband\n[e]\ntype=auth\nauth_type=md5\nmd5_cred=00000000000000000000000000000000\nusername=e\n[i]\ntype=identify\nendpoint=e\nmatch=1.2.3.0/24,::1\n",
        b"[udp]\ntype=transport\nbind=192.0.2.1:5060\n\x1e[robots]\nexten => _6X,1,Dial(Robot/a/1&Robot/b/2)\n\x1e\x1e\x1e\x1e\x1e\x1e[r]\nfirst=60\ncount=20\nregistrar=192.0.2.7\ncontext=robots\napplication=a\nlines=2\nwhen_busy=refuse\nattribution=to,mapping\ndiverter=first\nmap=60 => 1\nmap=_6[1-3] => _4X\n",
    ]));
    seeds
}

const CONF_TOKENS: &[&[u8]] = &[
    b"\n",
    b"\x1e",
    b"[a]",
    b"[a](!)",
    b"[b](a)",
    b"(+)",
    b"type=endpoint\n",
    b"type=auth\n",
    b"type=aor\n",
    b"type=transport\n",
    b"type=identify\n",
    b"type=global\n",
    b"type=bridge\n",
    b"type=user\n",
    b"bind=0.0.0.0:5060\n",
    b"bind=[::1]:1\n",
    b"match=10.0.0.0/8\n",
    b"auth=a\n",
    b"aors=a\n",
    b"contact=sip:a@h\n",
    b"max_contacts=",
    b"allow=",
    b"!all",
    b"ulaw",
    b"g722",
    b"callerid=",
    b"dtmf_mode=",
    b"local_net=",
    b"rtpstart=",
    b"rtpend=",
    b"65535",
    b"=",
    b",",
    b";",
    b"#include a.conf\n",
    b"[general]\n",
    b"yes",
    b"no",
    b"/33",
    b"::/0",
];

/// A disk on which some files can not be created.
fn recorded(request: RecordingRequest) -> Option<RecordingNews> {
    match request {
        RecordingRequest::Open(new) if new.id.number() % 3 == 0 => {
            Some(RecordingNews::Failed { id: new.id, reason: "no".into() })
        }
        RecordingRequest::Open(new) => {
            let (sink, _) = rtrb::RingBuffer::new(1);
            let paths = new.files.iter().map(|file| file.path.clone()).collect();
            Some(RecordingNews::Opened { id: new.id, sink, number: Some(1), paths })
        }
        RecordingRequest::Close { id, .. } if id.number() % 3 == 0 => None,
        RecordingRequest::Close { id, .. } => {
            Some(RecordingNews::Closed { id, length: Duration::ZERO })
        }
    }
}
