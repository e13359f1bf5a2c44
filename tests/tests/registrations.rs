//! Numbers that register at another Diesis, over real sockets on loopback.

use std::{error::Error, net::IpAddr, time::Duration};

use diesis_engine::{
    Engine, Events, OutgoingCall, config::Configuration, sip::registration::RegistrationEvent,
    switch::SwitchEvent,
};
use diesis_sounds::{locate::Recording, prompts::Library, sound::Sound};
use diesis_tests::{loopback::free_port, scratch::Scratch};
use tokio::time::timeout;

type Outcome = Result<(), Box<dyn Error>>;

/// Where the telephone system, the robots and the caller are: each is known by its address.
const PBX: &str = "127.0.0.41";
const ROBOTS: &str = "127.0.0.42";
const CALLER: &str = "127.0.0.43";

const COUNT: usize = 30;

async fn start(files: &[(&str, String)], ports: u16) -> Result<Engine, Box<dyn Error>> {
    let etc = Scratch::new("etc");
    for (name, text) in files {
        etc.write(name, text);
    }
    let loaded = Configuration::load_directory(etc.path());
    let said: Vec<_> = loaded.findings().map(|finding| finding.to_string()).collect();
    assert!(said.is_empty(), "{said:?}");
    let builder = Engine::builder().configuration(loaded.configuration).shards(1);
    Ok(builder.rtp_ports(ports..=ports + 499).start().await?)
}

fn transport(protocol: &str, address: &str, port: u16) -> String {
    format!("[{protocol}]\ntype=transport\nprotocol={protocol}\nbind={address}:{port}\n")
}

/// A telephone system with the numbers 6000 to 6029, and 7003 forwarded to 6003.
async fn pbx(protocol: &str, port: u16) -> Result<Engine, Box<dyn Error>> {
    let mut pjsip = transport(protocol, PBX, port);
    pjsip += &format!(
        "[caller]\ntype=endpoint\ncontext=office\nallow=alaw\nidentify_by=ip\n\
         [caller]\ntype=identify\nendpoint=caller\nmatch={CALLER}\n\
         [number](!)\ntype=endpoint\ncontext=office\nallow=alaw\n\
         [secret](!)\ntype=auth\npassword=0000\n[place](!)\ntype=aor\nmax_contacts=1\n\
         minimum_expiration=10\n"
    );
    for number in (6000..).take(COUNT) {
        pjsip += &format!(
            "[{number}](number)\nauth={number}\naors={number}\n\
             [{number}](secret)\nusername={number}\n[{number}](place)\n"
        );
    }
    let extensions = "[office]\nexten => _6XXX,1,Dial(PJSIP/${EXTEN},10)\n\
        exten => _7XXX,1,Set(REDIRECTING(from-num)=${EXTEN})\n\
        same => n,Dial(PJSIP/6${EXTEN:1},10)\n";
    start(&[("pjsip.conf", pjsip), ("extensions.conf", extensions.to_owned())], 25_000).await
}

async fn robots(protocol: &str, port: u16) -> Result<Engine, Box<dyn Error>> {
    let range = format!(
        "[robots]\nfirst=6000\ncount={COUNT}\nregistrar=sip:{PBX}:{port}\\;transport={protocol}\n\
         expiration=10\nretry_interval=2\ncontext=robots\n"
    );
    let extensions = "[robots]\nexten => _6XXX,1,Answer()\nsame => n,Wait(0.5)\n\
        same => n,GotoIf($[\"${REDIRECTING(from-num)}\" = \"7003\"]?diverted)\n\
        same => n,SayDigits(${EXTEN:3})\nsame => n,Wait(0.3)\nsame => n,Hangup()\n\
        same => n(diverted),Playback(diesis-goodbye)\nsame => n,Wait(0.3)\n\
        same => n,Hangup()\n";
    let pjsip = transport(protocol, ROBOTS, 0);
    let files =
        [("pjsip.conf", pjsip), ("robots.conf", range), ("extensions.conf", extensions.to_owned())];
    start(&files, 25_500).await
}

/// Waits until so many contacts are bound or gone. The events are listened to from before what causes
/// them.
async fn bound(events: &mut Events, wanted: RegistrationEvent, count: usize) -> Outcome {
    let mut seen = 0;
    while seen < count {
        let event = timeout(Duration::from_secs(40), events.next()).await?.ok_or("it stopped")?;
        if let SwitchEvent::RegistrationChanged { event, .. } = &*event {
            seen += usize::from(*event == wanted);
        }
    }
    Ok(())
}

/// What a caller of the telephone system hears.
async fn heard(caller: &Engine, uri: &str) -> Result<Sound, Box<dyn Error>> {
    let scratch = Scratch::new("heard");
    let path = scratch.join("heard.wav");
    let call = caller.call(OutgoingCall::to(uri).from("sip:1001@office.test")).await?;
    call.answered().await?;
    let recording = call.record(&path).await?;
    timeout(Duration::from_secs(20), call.ended()).await??;
    recording.finished().await?;
    Ok(Sound::read(&path)?)
}

fn holds(sound: &Sound, prompt: &str) -> bool {
    let prompt = Library::new().load(prompt, "en").expect("it is embedded");
    let found = Recording::new(&sound.samples, sound.rate).find(&prompt.samples, 0);
    found.is_some_and(|it| it.score > 0.95 && it.length == prompt.samples.len())
}

async fn robots_register_are_called_come_back_and_leave(protocol: &str) -> Outcome {
    let address: IpAddr = PBX.parse()?;
    let port = free_port(address);
    let robots = robots(protocol, port).await?;
    let mut events = robots.events();
    let first = pbx(protocol, port).await?;
    bound(&mut events, RegistrationEvent::Registered, COUNT).await?;
    let caller = Engine::builder().listen(format!("{CALLER}:0").parse()?).shards(1);
    let caller = caller.rtp_ports(26_000..=26_499).start().await?;
    let uri = |number: u32| format!("sip:{number}@{PBX}:{port};transport={protocol}");
    assert!(holds(&heard(&caller, &uri(6007)).await?, "digits/7"));
    assert!(holds(&heard(&caller, &uri(7003)).await?, "diesis-goodbye"));

    // It is gone for some time, and has forgotten everybody when it is back.
    first.stop().await;
    bound(&mut events, RegistrationEvent::Expired, COUNT).await?;
    let second = pbx(protocol, port).await?;
    bound(&mut events, RegistrationEvent::Registered, COUNT).await?;
    assert!(holds(&heard(&caller, &uri(6009)).await?, "digits/9"));

    let mut events = second.events();
    robots.stop().await;
    let mut left = 0;
    while left < COUNT {
        let event = timeout(Duration::from_secs(2), events.next()).await?.ok_or("it stopped")?;
        left += usize::from(matches!(*event, SwitchEvent::Unregistered { .. }));
    }
    second.stop().await;
    Ok(())
}

#[tokio::test]
async fn robots_register_are_called_come_back_and_leave_over_udp() -> Outcome {
    robots_register_are_called_come_back_and_leave("udp").await
}

#[tokio::test]
async fn robots_register_are_called_come_back_and_leave_over_tcp() -> Outcome {
    robots_register_are_called_come_back_and_leave("tcp").await
}
