//! Calls between two engines over real sockets on loopback, with nothing else installed.

use std::{
    env,
    error::Error,
    net::{Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use diesis_engine::{
    Call, CallError, Engine, OutgoingCall, channel::ReadDigits, config::Configuration, switch::Verb,
};
use diesis_sounds::{locate::Recording, prompts::Library, sound::Sound};
use diesis_tests::{
    loopback::{ENGINE, free_port},
    scratch::Scratch,
};
use tokio::{net::UdpSocket, time::timeout};

type Outcome = Result<(), Box<dyn Error>>;

/// A house that takes every call of loopback, and a caller's engine.
struct Houses {
    house: Engine,
    caller: Engine,
}

impl Houses {
    async fn new() -> Result<Self, Box<dyn Error>> {
        Self::at("127.0.0.1:0", "127.0.0.1:0").await
    }

    /// The two listen there.
    async fn at(house: &str, caller: &str) -> Result<Self, Box<dyn Error>> {
        let house = Engine::builder()
            .listen(house.parse()?)
            .shards(1)
            .accept_calls_from("127.0.0.0/8".parse()?)
            .accept_calls_from("::1".parse()?)
            .rtp_ports(21_000..=21_999)
            .start()
            .await?;
        let caller = Engine::builder().listen(caller.parse()?).shards(1);
        let caller = caller.rtp_ports(22_000..=22_999).start().await?;
        Ok(Self { house, caller })
    }

    /// Both ends of a new call; the house has not answered yet.
    async fn call(&self, parameters: &str) -> Result<(Call, Call), Box<dyn Error>> {
        let (_, mut address) = self.house.sip_addresses()[0];
        if address.ip() == Ipv6Addr::UNSPECIFIED {
            address.set_ip(Ipv6Addr::LOCALHOST.into());
        }
        let call = OutgoingCall::to(&format!("sip:100@{address}{parameters}"));
        let caller = self.caller.call(call).await?;
        let callee = self.house.next_call().await.ok_or("the house has stopped")?;
        Ok((caller, callee))
    }
}

#[tokio::test]
async fn what_is_played_is_heard_whole_and_in_order() -> Outcome {
    let houses = Houses::new().await?;
    let (caller, callee) = houses.call("").await?;
    assert_eq!(callee.parties().map(|parties| parties.dialled.as_slice()), Some(&b"100"[..]));
    callee.answer().await?;
    caller.answered().await?;
    let path = scratch("heard.wav");
    let recording = caller.record(&path).await?;
    let prompts = ["digits/7", "digits/3", "digits/20"];
    for prompt in prompts {
        callee.play(prompt).await?;
    }
    // What is on its way when a call ends is not heard: the caller's playout delay.
    callee.wait(Duration::from_millis(200)).await?;
    callee.hangup().await?;
    caller.ended().await?;
    recording.finished().await?;

    let heard = Sound::read(&path)?;
    std::fs::remove_file(&path)?;
    let recording = Recording::new(&heard.samples, heard.rate);
    let mut from = 0;
    for name in prompts {
        let prompt = Library::new().load(name, "en")?;
        let found = recording.find(&prompt.samples, from).ok_or(name)?;
        assert!(found.score > 0.98, "{name}: {found:?}");
        assert_eq!(found.length, prompt.samples.len(), "{name} was cut");
        from = found.start + found.length;
    }
    Ok(())
}

#[tokio::test]
async fn digits_pressed_are_read_once_each_in_order() -> Outcome {
    let houses = Houses::new().await?;
    let (caller, callee) = houses.call("").await?;
    callee.answer().await?;
    caller.answered().await?;
    caller.send_digits("1590*D#").await?;
    assert_eq!(callee.read_digits(ReadDigits::default()).await?, "1590*D");
    assert_eq!(callee.read_digit(Duration::ZERO).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_call_over_tcp_does_what_one_over_udp_does() -> Outcome {
    let houses = Houses::new().await?;
    let (caller, callee) = houses.call(";transport=tcp").await?;
    callee.ring().await?;
    callee.answer().await?;
    caller.answered().await?;
    caller.hangup().await?;
    let ended = callee.ended().await?;
    assert_eq!(ended.cause.number(), 16);
    assert_eq!(callee.play("digits/1").await, Err(CallError::HungUp));
    Ok(())
}

#[tokio::test]
async fn a_call_over_ipv6_does_what_one_over_ipv4_does() -> Outcome {
    for (house, caller) in [("[::]:0", "[::1]:0"), ("[::1]:0", "[::]:0")] {
        for parameters in ["", ";transport=tcp"] {
            let houses = Houses::at(house, caller).await?;
            let (caller, callee) = houses.call(parameters).await?;
            callee.answer().await?;
            caller.answered().await?;
            caller.send_digits("12#").await?;
            assert_eq!(callee.read_digits(ReadDigits::default()).await?, "12");
            callee.send_digits("34#").await?;
            assert_eq!(caller.read_digits(ReadDigits::default()).await?, "34");
            callee.hangup().await?;
            assert_eq!(caller.ended().await?.cause.number(), 16);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_call_ends_with_the_cause_it_was_refused_for() -> Outcome {
    let houses = Houses::new().await?;
    let (caller, callee) = houses.call("").await?;
    callee.reject(diesis_engine::channel::Cause::USER_BUSY).await?;
    assert_eq!(caller.answered().await, Err(CallError::HungUp));
    assert_eq!(caller.ended().await?.cause.number(), 17);
    Ok(())
}

#[tokio::test]
async fn a_dropped_handle_hangs_up() -> Outcome {
    let houses = Houses::new().await?;
    let (caller, callee) = houses.call("").await?;
    callee.answer().await?;
    drop(callee);
    assert_eq!(caller.ended().await?.cause.number(), 16);
    Ok(())
}

#[tokio::test]
async fn stopping_the_engine_ends_its_calls() -> Outcome {
    let Houses { house, caller } = Houses::new().await?;
    let (_, address) = house.sip_addresses()[0];
    let call = caller.call(OutgoingCall::to(&format!("sip:100@{address}"))).await?;
    let callee = house.next_call().await.ok_or("the house has stopped")?;
    callee.answer().await?;
    call.answered().await?;
    house.stop().await;
    call.ended().await?;
    assert_eq!(callee.answer().await, Err(CallError::EngineStopped));
    Ok(())
}

/// An engine with these files for its configuration.
async fn configured(pjsip: &str, extensions: &str) -> Result<Engine, Box<dyn Error>> {
    let etc = Scratch::new("etc");
    etc.write("pjsip.conf", pjsip);
    etc.write("extensions.conf", extensions);
    let loaded = Configuration::load_directory(etc.path());
    assert!(loaded.findings().next().is_none(), "nothing is ignored");
    let builder = Engine::builder().configuration(loaded.configuration).shards(1);
    Ok(builder.rtp_ports(23_000..=23_999).start().await?)
}

#[tokio::test]
async fn both_families_are_served_on_one_port() -> Outcome {
    let port = free_port(ENGINE);
    let transports: String =
        [("udp", "0.0.0.0"), ("tcp", "0.0.0.0"), ("udp", "[::]"), ("tcp", "[::]")]
            .iter()
            .enumerate()
            .map(|(n, (protocol, address))| {
                format!("[t{n}]\ntype=transport\nprotocol={protocol}\nbind={address}:{port}\n")
            })
            .collect();
    let pjsip = format!(
        "{transports}[all]\ntype=endpoint\nallow=ulaw\ncontext=office\nidentify_by=ip\n\
         [all]\ntype=identify\nendpoint=all\nmatch=127.0.0.0/8,::1\n"
    );
    let house =
        configured(&pjsip, "[office]\nexten => 100,1,Answer()\nsame => n,Hangup()\n").await?;
    for (listen, at) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]")] {
        let caller = Engine::builder().listen(listen.parse()?).shards(1);
        let caller = caller.rtp_ports(22_000..=22_999).start().await?;
        for parameters in ["", ";transport=tcp"] {
            let call = OutgoingCall::to(&format!("sip:100@{at}:{port}{parameters}"));
            let call = caller.call(call).await?;
            call.answered().await?;
            assert_eq!(call.ended().await?.cause.number(), 16, "{at}{parameters}");
        }
    }
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_trunk_is_called_from_an_engine_that_listens_everywhere() -> Outcome {
    let Houses { house: far, caller } = Houses::new().await?;
    let (_, trunk) = far.sip_addresses()[0];
    for protocol in ["udp", "tcp"] {
        let port = free_port(ENGINE);
        let pjsip = format!(
            "[t]\ntype=transport\nprotocol=udp\nbind=0.0.0.0:{port}\n\
             [u]\ntype=transport\nprotocol=tcp\nbind=0.0.0.0:{port}\n\
             [phone]\ntype=endpoint\nallow=ulaw\ncontext=office\nidentify_by=ip\n\
             [phone]\ntype=identify\nendpoint=phone\nmatch=127.0.0.1\n\
             [far]\ntype=endpoint\nallow=ulaw\ncontext=office\nidentify_by=ip\naors=far\n\
             [far]\ntype=aor\ncontact=sip:{trunk};transport={protocol}\n"
        );
        let plan = "[office]\nexten => 100,1,Dial(PJSIP/300@far,20)\n";
        let house = configured(&pjsip, plan).await?;
        let call = OutgoingCall::to(&format!("sip:100@127.0.0.1:{port}"));
        let call = caller.call(call).await?;
        let called = far.next_call().await.ok_or("the far end has stopped")?;
        let dialled = called.parties().map(|parties| parties.dialled.to_string());
        assert_eq!(dialled.as_deref(), Some("300"));
        called.answer().await?;
        call.answered().await?;
        call.hangup().await?;
        assert_eq!(called.ended().await?.cause.number(), 16);
        house.stop().await;
    }
    Ok(())
}

/// Whether a prompt is in what was recorded, whole.
fn hears(path: &Path, name: &str) -> Outcome {
    let heard = Sound::read(path)?;
    let recording = Recording::new(&heard.samples, heard.rate);
    let prompt = Library::new().load(name, "en")?;
    let found = recording.find(&prompt.samples, 0).ok_or("the prompt is not there")?;
    assert!(found.score > 0.9, "{name}: {found:?}");
    Ok(())
}

#[tokio::test]
async fn a_local_channel_carries_sound_and_the_end_of_the_call() -> Outcome {
    let port = free_port(ENGINE);
    let pjsip = format!(
        "[t]\ntype=transport\nprotocol=udp\nbind=0.0.0.0:{port}\n\
         [phone]\ntype=endpoint\nallow=ulaw\ncontext=office\nidentify_by=ip\n\
         [phone]\ntype=identify\nendpoint=phone\nmatch=127.0.0.1\n"
    );
    let plan = "[office]\nexten => 100,1,Dial(Local/200@inner/n,20)\n\
                [inner]\nexten => 200,1,Answer()\nsame => n,Wait(0.5)\n\
                same => n,Playback(digits/7)\nsame => n,Wait(0.5)\nsame => n,Hangup()\n";
    let house = configured(&pjsip, plan).await?;
    let caller = Engine::builder().listen("127.0.0.1:0".parse()?).shards(1);
    let caller = caller.rtp_ports(22_000..=22_999).start().await?;
    let call = caller.call(OutgoingCall::to(&format!("sip:100@127.0.0.1:{port}"))).await?;
    call.answered().await?;
    let path = scratch("local.wav");
    let recording = call.record(&path).await?;
    assert_eq!(call.ended().await?.cause.number(), 16);
    recording.finished().await?;
    hears(&path, "digits/7")?;
    std::fs::remove_file(&path)?;
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_caller_hears_the_callee_before_and_after_the_answer() -> Outcome {
    let Houses { house: far, caller } = Houses::new().await?;
    let (_, trunk) = far.sip_addresses()[0];
    let port = free_port(ENGINE);
    let pjsip = format!(
        "[t]\ntype=transport\nprotocol=udp\nbind=0.0.0.0:{port}\n\
         [phone]\ntype=endpoint\nallow=ulaw\ncontext=office\nidentify_by=ip\n\
         [phone]\ntype=identify\nendpoint=phone\nmatch=127.0.0.1\n\
         [far]\ntype=endpoint\nallow=ulaw\ncontext=office\nidentify_by=ip\naors=far\n\
         [far]\ntype=aor\ncontact=sip:{trunk}\n"
    );
    let plan = "[office]\nexten => 100,1,Dial(PJSIP/300@far,20)\n";
    let house = configured(&pjsip, plan).await?;
    let call = caller.call(OutgoingCall::to(&format!("sip:100@127.0.0.1:{port}"))).await?;
    let called = far.next_call().await.ok_or("the far end has stopped")?;
    called.complete(Verb::Progress).await?;
    called.wait(Duration::from_millis(300)).await?;
    let path = scratch("early.wav");
    let recording = call.record(&path).await?;
    called.play("digits/3").await?;
    called.answer().await?;
    call.answered().await?;
    called.play("digits/20").await?;
    call.send_digits("5#").await?;
    assert_eq!(called.read_digits(ReadDigits::default()).await?, "5");
    called.wait(Duration::from_millis(300)).await?;
    called.hangup().await?;
    assert_eq!(call.ended().await?.cause.number(), 16);
    recording.finished().await?;
    hears(&path, "digits/3")?;
    hears(&path, "digits/20")?;
    std::fs::remove_file(&path)?;
    house.stop().await;
    Ok(())
}

/// A phone behind a translator: it tells an address that nobody has, and asks for nothing.
struct TranslatedPhone {
    sip: UdpSocket,
    rtp: UdpSocket,
    engine: SocketAddr,
}

impl TranslatedPhone {
    fn request(&self, method: &str, uri: &str, to_tag: &str, body: &str) -> String {
        let cseq = if method == "ACK" { "INVITE" } else { method }.len();
        let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.9.9.9:5060;branch=z9hG4bK{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:phone@127.9.9.9>;tag=phone\r\n\
             To: <sip:100@{}>{to_tag}\r\nCall-ID: translated\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:phone@127.9.9.9:5060>\r\n{content}Content-Length: {}\r\n\r\n{body}",
            self.engine,
            body.len()
        )
    }

    async fn send(&self, text: &str) -> Outcome {
        self.sip.send_to(text.as_bytes(), self.engine).await?;
        Ok(())
    }

    /// The next message that begins like this.
    async fn receive(&self, start: &str) -> Result<String, Box<dyn Error>> {
        let mut buffer = [0; 4096];
        loop {
            let received = timeout(Duration::from_secs(10), self.sip.recv(&mut buffer));
            let length = received.await??;
            let text = String::from_utf8(buffer[..length].to_vec())?;
            if text.starts_with(start) {
                return Ok(text);
            }
        }
    }
}

#[tokio::test]
async fn a_phone_behind_a_translator_is_answered_heard_and_hung_up() -> Outcome {
    let pjsip = "[t]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:0\n\
         [phone]\ntype=endpoint\nallow=ulaw\ncontext=office\nidentify_by=ip\nforce_rport=yes\n\
         rewrite_contact=yes\nrtp_symmetric=yes\n\
         [phone]\ntype=identify\nendpoint=phone\nmatch=127.0.0.2\n";
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n,Playback(digits/1&digits/2&digits/3)\n\
         same => n,Hangup()\n";
    let house = configured(pjsip, plan).await?;
    let (_, engine) = house.sip_addresses()[0];
    let (sip, rtp) = (UdpSocket::bind("127.0.0.2:0").await?, UdpSocket::bind("127.0.0.2:0").await?);
    let phone = TranslatedPhone { sip, rtp, engine };
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.9.9.9\r\ns=-\r\nc=IN IP4 127.9.9.9\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP 0\r\n";
    let uri = format!("sip:100@{engine}");
    phone.send(&phone.request("INVITE", &uri, "", sdp)).await?;
    let answer = phone.receive("SIP/2.0 200").await?;
    let field = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name));
    let tag = field("To: ").and_then(|to| to.split_once(";tag=")).ok_or("a To tag")?.1;
    let tag = format!(";tag={}", tag.split(';').next().unwrap_or(tag));
    let media = field("m=audio ").and_then(|rest| rest.split(' ').next()).ok_or("a port")?;
    let media = SocketAddr::new(engine.ip(), media.parse()?);
    phone.send(&phone.request("ACK", &uri, &tag, "")).await?;

    // A third party speaks first, and faster; the phone after half a second.
    let third = UdpSocket::bind("127.0.0.3:0").await?;
    let mut frame = [0xff; 172];
    let mut heard = 0;
    for n in 0..75_u16 {
        frame[..12].fill(0);
        frame[0] = 0x80;
        frame[2..4].copy_from_slice(&n.to_be_bytes());
        frame[4..8].copy_from_slice(&(u32::from(n) * 160).to_be_bytes());
        third.send_to(&frame, media).await?;
        third.send_to(&frame, media).await?;
        if n >= 25 {
            phone.rtp.send_to(&frame, media).await?;
        }
        let mut buffer = [0; 2048];
        // A frame each 20 ms; the pace is the engine's once it sends.
        if let Ok(received) =
            timeout(Duration::from_millis(20), phone.rtp.recv_from(&mut buffer)).await
        {
            assert_eq!(received?.1, media);
            heard += 1;
        }
    }
    assert!(heard > 20, "{heard} frames of some 50");
    let mut buffer = [0; 2048];
    assert!(third.try_recv(&mut buffer).is_err(), "the third party hears nothing");

    let bye = phone.receive("BYE").await?;
    let copied = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "];
    let copied = bye.lines().filter(|line| copied.iter().any(|name| line.starts_with(name)));
    let headers: String = copied.map(|line| format!("{line}\r\n")).collect();
    phone.send(&format!("SIP/2.0 200 OK\r\n{headers}Content-Length: 0\r\n\r\n")).await?;
    house.stop().await;
    Ok(())
}

fn scratch(name: &str) -> PathBuf {
    env::temp_dir().join(format!("diesis-{}-{name}", std::process::id()))
}
