//! What an operator does to a conference, as those within it hear it.

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use diesis_sounds::{g711, prompts::Library, sound::Sound};

use crate::running::Engine;

const EXTENSIONS: &str = "[phones]\nexten => 600,1,Answer()\n \
    same => n,ConfBridge(600,,guest)\n same => n,Hangup()\n\
    exten => 601,1,Answer()\n same => n,ConfBridge(600,,chair)\n same => n,Hangup()\n";

const CONFBRIDGE: &str = "[general]\n[default_bridge]\ntype=bridge\n\
    [guest]\ntype=user\nquiet=yes\nannounce_only_user=no\n\
    [chair](guest)\nadmin=yes\n";

/// A phone within a room that hums one tone without end.
struct Hummer {
    call_id: String,
    sip: UdpSocket,
    heard: Receiver<Vec<f64>>,
    is_over: Arc<AtomicBool>,
    humming: Option<JoinHandle<()>>,
}

impl Hummer {
    fn new(engine: &Engine, number: &str, call_id: &str, hertz: f64) -> Self {
        let sip = UdpSocket::bind("127.0.0.1:0").unwrap();
        let media = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = media.local_addr().unwrap().port();
        let (status, answer) = engine.call_with(&sip, number, call_id, port);
        assert_eq!(status, "200", "{answer}");
        let header = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let ack = format!(
            "ACK sip:{number}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKack{call_id}\r\n\
             From:{from}\r\nTo:{tagged}\r\nCall-ID: {call_id}\r\nCSeq: 1 ACK\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            to = engine.sip,
            own = sip.local_addr().unwrap(),
            from = header("From:"),
            tagged = header("To:"),
        );
        sip.send_to(ack.as_bytes(), engine.sip).unwrap();
        let port = header("m=audio ").split(' ').next().unwrap().parse().unwrap();
        let (tell, heard) = channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let to = SocketAddr::new(engine.sip.ip(), port);
        let humming = Some(thread::spawn(move || hum(&media, to, hertz, &tell, &stop)));
        Self { call_id: call_id.to_owned(), sip, heard, is_over, humming }
    }

    /// The tones of [`TONES`] in the second that begins half a second from now.
    fn hears(&self) -> Vec<f64> {
        while self.heard.try_recv().is_ok() {}
        let _before = self.next(25);
        tones_in(&self.next(50))
    }

    /// What it hears in so many packets.
    fn next(&self, packets: usize) -> Vec<f64> {
        let next = |_| self.heard.recv_timeout(Duration::from_secs(10)).expect("sound");
        (0..packets).flat_map(next).collect()
    }

    /// Waits for the end of what the room is told.
    fn hears_out(&self, prompt: &str) {
        let prompt = Library::new().load(prompt, "en").expect("it is embedded").samples;
        let _all = self.next(prompt.len() / 160 + 25);
    }

    /// Waits until the engine ends the call.
    fn is_sent_away(&self) {
        self.sip.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut buffer = [0; 4096];
        loop {
            let (length, from) = self.sip.recv_from(&mut buffer).expect("the end of the call");
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if !text.starts_with("BYE") {
                continue;
            }
            let copied = |line: &&str| {
                ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|it| line.starts_with(it))
            };
            let copied: Vec<_> = text.lines().filter(copied).collect();
            let ok =
                format!("SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n", copied.join("\r\n"));
            self.sip.send_to(ok.as_bytes(), from).unwrap();
            return;
        }
    }
}

impl Drop for Hummer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let done = self.humming.take().map(JoinHandle::join);
        assert!(thread::panicking() || done.is_none_or(|it| it.is_ok()), "{}", self.call_id);
    }
}

/// Hums in the pace of what comes, and passes that on.
fn hum(media: &UdpSocket, to: SocketAddr, hertz: f64, tell: &Sender<Vec<f64>>, stop: &AtomicBool) {
    media.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let (mut buffer, mut packets) = ([0; 2048], 0_u32);
    while !stop.load(Ordering::Relaxed) {
        // Silent for long: the call is over, or is not yet there.
        let Ok(length) = media.recv(&mut buffer) else { continue };
        if length != 172 || buffer[1] & 0x7f != 0 {
            continue;
        }
        let samples = buffer[12..length].iter().map(|&it| f64::from(g711::decode_ulaw(it)));
        if tell.send(samples.collect()).is_err() {
            return;
        }
        let mut packet = vec![0x80, if packets == 0 { 0x80 } else { 0 }];
        packet.extend((packets as u16).to_be_bytes());
        packet.extend((160 * packets).to_be_bytes());
        packet.extend([0, 0, 0, 7]);
        let wave = |n: u32| {
            let at = f64::from(160 * packets + n) / 8000.0;
            (4000.0 * (std::f64::consts::TAU * hertz * at).sin()) as i16
        };
        packet.extend((0..160).map(|n| g711::encode_ulaw(wave(n))));
        media.send_to(&packet, to).unwrap();
        packets += 1;
    }
}

/// What the three hum.
const TONES: [f64; 3] = [450.0, 700.0, 1150.0];

/// The amplitudes of the three tones: in half of the frames at least, so that a packet that comes late
/// does not count. Each makes whole waves in a frame.
fn tones_in(samples: &[f64]) -> Vec<f64> {
    let amplitude = |frame: &[f64], hertz: f64| {
        let part = |phase: f64| -> f64 {
            let wave = |n: usize| (std::f64::consts::TAU * hertz * n as f64 / 8000.0 + phase).sin();
            frame.iter().enumerate().map(|(n, it)| it * wave(n)).sum()
        };
        2.0 * part(0.0).hypot(part(std::f64::consts::FRAC_PI_2)) / frame.len() as f64
    };
    let median = |&hertz: &f64| {
        let mut all: Vec<_> = samples.chunks(160).map(|frame| amplitude(frame, hertz)).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    TONES.iter().map(median).collect()
}

/// Which of the tones are there: as loud as they are hummed, or hardly at all.
fn which(tones: &[f64]) -> [bool; 3] {
    let is_there = |at: usize| {
        let loud = tones[at];
        assert!(!(150.0..=3000.0).contains(&loud), "neither there nor not: {tones:?}");
        loud > 3000.0
    };
    [is_there(0), is_there(1), is_there(2)]
}

/// What a successful order says.
fn told(engine: &Engine, words: &str) -> String {
    let output = engine.diesis(words);
    assert!(output.status.success(), "{words}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Why an order was refused.
fn refused(engine: &Engine, words: &str) -> String {
    let output = engine.diesis(words);
    assert_eq!(output.status.code(), Some(1), "{words}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A recording, once its writer is done with it.
fn whole(file: &Path) -> Sound {
    let begun = Instant::now();
    loop {
        match Sound::read(file) {
            Ok(sound) if sound.samples.len() > 8000 => return sound,
            read => assert!(begun.elapsed() < Duration::from_secs(30), "{read:?}"),
        }
        thread::yield_now();
    }
}

#[test]
fn an_operator_rules_a_conference_and_its_members_hear_it() {
    let engine = Engine::start_as("conference", "", |_, directory| {
        fs::write(directory.join("extensions.conf"), EXTENSIONS).unwrap();
        fs::write(directory.join("confbridge.conf"), CONFBRIDGE).unwrap();
    });
    assert_eq!(engine.rows("confbridge list").len(), 0);
    assert!(refused(&engine, "confbridge mute 600 all").contains("there is no conference \"600\""));
    let numbers = ["601", "600", "600"];
    let members: Vec<_> =
        (0..3).map(|n| Hummer::new(&engine, numbers[n], &format!("member{n}"), TONES[n])).collect();
    let all_hear = |expected: [[bool; 3]; 3], when: &str| {
        let heard = members.iter().map(Hummer::hears).collect::<Vec<_>>();
        let heard: Vec<_> = heard.iter().map(|tones| which(tones)).collect();
        assert_eq!(heard, expected, "{when}");
    };
    // Everyone the others, and nobody himself.
    let everyone = [[false, true, true], [true, false, true], [true, true, false]];
    all_hear(everyone, "at first");

    let rooms = engine.rows("confbridge list");
    assert_eq!((&rooms[0]["room"], &rooms[0]["members"]), (&"600".into(), &3.into()));
    let rows = engine.rows("confbridge list 600");
    let channels: Vec<_> = rows.iter().map(|row| row["channel"].as_str().unwrap()).collect();
    assert_eq!((channels.len(), &rows[0]["state"]), (3, &"admin".into()));
    let table = told(&engine, "confbridge list 600");
    assert!(table.starts_with("call") && table.contains(channels[2]), "{table}");
    assert!(refused(&engine, "confbridge list 601").contains("there is no conference \"601\""));

    // One.
    assert_eq!(told(&engine, &format!("confbridge mute 600 {}", channels[1])), "1 muted");
    assert_eq!(engine.rows("confbridge list 600")[1]["state"], "muted");
    let muted = [[false, false, true], [true, false, true], [true, false, false]];
    all_hear(muted, "one muted");
    assert_eq!(told(&engine, &format!("confbridge unmute 600 {}", channels[1])), "1 heard again");
    all_hear(everyone, "and heard again");
    // All but administrators.
    assert_eq!(told(&engine, "confbridge mute 600 participants"), "participants are muted");
    assert_eq!(engine.rows("confbridge list")[0]["state"], "muted");
    members.iter().for_each(|member| member.hears_out("conf-now-muted"));
    all_hear([[false; 3], [true, false, false], [true, false, false]], "participants muted");
    assert_eq!(told(&engine, "confbridge unmute 600 participants"), "participants are heard");
    members.iter().for_each(|member| member.hears_out("conf-now-unmuted"));
    all_hear(everyone, "participants heard");
    assert!(refused(&engine, "confbridge mute 600 nobody").contains("no channel \"nobody\""));

    // A locked door is one for guests alone.
    assert_eq!(told(&engine, "confbridge lock 600"), "conference 600 is locked");
    assert_eq!(engine.rows("confbridge list")[0]["state"], "locked");
    Hummer::new(&engine, "600", "late", 300.0).is_sent_away();
    assert_eq!(engine.rows("confbridge list 600").len(), 3);
    let second = Hummer::new(&engine, "601", "second", 300.0);
    drop(second.hears());
    assert_eq!(engine.rows("confbridge list 600").len(), 4);
    assert_eq!(told(&engine, "confbridge kick 600 last"), "1 sent away");
    second.is_sent_away();
    assert_eq!(told(&engine, "confbridge unlock 600"), "conference 600 is open");

    // What all say is recorded between two orders.
    assert!(refused(&engine, "confbridge record stop 600").contains("is not recorded"));
    let outside = refused(&engine, "confbridge record start 600 /etc/board.wav");
    assert!(outside.contains("outside of the directories for recordings"), "{outside}");
    let start = "confbridge record start 600 board.wav";
    assert_eq!(told(&engine, start), "conference 600 is recorded");
    assert!(refused(&engine, start).contains("is recorded already"));
    assert_eq!(engine.rows("confbridge list")[0]["state"], "recorded");
    all_hear(everyone, "recorded");
    let stopped = told(&engine, "confbridge record stop 600");
    assert_eq!(stopped, "conference 600 is not recorded any more");
    let recorded = whole(&engine.directory.join("spool/monitor/board.wav"));
    assert_eq!(recorded.rate, 8000);
    let samples: Vec<f64> = recorded.samples.iter().map(|&it| f64::from(it)).collect();
    assert_eq!(which(&tones_in(&samples[samples.len() - 8000..])), [true; 3], "the recording");

    // Two, then the rest.
    let kick = format!("confbridge kick 600 {}", channels[2]);
    assert_eq!(told(&engine, &kick), "1 sent away");
    members[2].is_sent_away();
    let heard = which(&members[0].hears());
    assert_eq!(heard, [false, true, false], "the third is gone");
    assert_eq!(told(&engine, "confbridge kick 600 all"), "2 sent away");
    members[0].is_sent_away();
    members[1].is_sent_away();
    assert_eq!(engine.rows("confbridge list").len(), 0);
    assert!(refused(&engine, "confbridge lock 600").contains("there is no conference"));
}
