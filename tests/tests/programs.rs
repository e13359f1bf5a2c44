//! Programs outside that hear calls and speak to them, over real sockets on loopback.

use std::{error::Error, net::SocketAddr, time::Duration};

use diesis_engine::{
    Call, Engine, OutgoingCall,
    config::Configuration,
    program::audiosocket::{self, Decoder, Frame},
};
use diesis_sounds::{
    locate::{Located, Recording},
    prompts::Library,
    sound::Sound,
};
use diesis_tests::{
    loopback::{ENGINE, free_port},
    scratch::Scratch,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

type Outcome = Result<(), Box<dyn Error>>;

const PLAN: &str = "[globals]
ROBOT=127.0.0.1:@PORT@
[office]
; The call goes on when the program hangs up.
exten => 100,1,Answer()
same => n,AudioSocket(40325ec2-5efd-4bd3-805f-53576e581d13,127.0.0.1:@PORT@)
same => n,Playback(digits/1)
same => n,Wait(0.3)
same => n,Hangup()
; A program that fails is a failed application.
exten => 200,1,Answer()
same => n,TryExec(AudioSocket(40325ec2-5efd-4bd3-805f-53576e581d13,127.0.0.1:@PORT@))
same => n,Playback(${IF($[\"${TRYSTATUS}\" = \"FAILED\"]?digits/2:digits/1)})
same => n,Wait(0.3)
same => n,Hangup()
; Where the program is comes from a variable.
exten => 300,1,Answer()
same => n,TryExec(AudioSocket(40325ec2-5efd-4bd3-805f-53576e581d13,${ROBOT}))
same => n,Playback(${IF($[\"${TRYSTATUS}\" = \"FAILED\"]?digits/2:digits/1)})
same => n,Wait(0.3)
same => n,Hangup()
";

/// A house with a directory of its own, a caller, and a place where a program can listen.
struct Scene {
    etc: Scratch,
    house: Engine,
    caller: Engine,
    listener: TcpListener,
}

impl Scene {
    async fn new() -> Result<Self, Box<dyn Error>> {
        Self::with("").await
    }

    async fn with(programs: &str) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let program = listener.local_addr()?.port().to_string();
        let port = free_port(ENGINE);
        let etc = Scratch::new("programs");
        let pjsip = format!(
            "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{port}\n\
             [all]\ntype=endpoint\nallow=ulaw\ncontext=office\nidentify_by=ip\n\
             [all]\ntype=identify\nendpoint=all\nmatch=127.0.0.0/8\n"
        );
        etc.write("pjsip.conf", &pjsip);
        etc.write("programs.conf", &programs.replace("@PORT@", &program));
        etc.write("extensions.conf", &PLAN.replace("@PORT@", &program));
        let loaded = Configuration::load_directory(etc.path());
        let findings: Vec<_> = loaded.findings().map(|finding| finding.to_string()).collect();
        assert!(findings.is_empty(), "{findings:?}");
        let house = Engine::builder().configuration(loaded.configuration).shards(1);
        let house = house.rtp_ports(25_000..=25_499).start().await?;
        let caller = Engine::builder().listen("127.0.0.1:0".parse()?).shards(1);
        let caller = caller.rtp_ports(25_500..=25_999).start().await?;
        Ok(Self { etc, house, caller, listener })
    }

    async fn call(&self, number: &str) -> Result<Call, Box<dyn Error>> {
        let (_, address) = self.house.sip_addresses()[0];
        let call = self.caller.call(OutgoingCall::to(&format!("sip:{number}@{address}"))).await?;
        call.answered().await?;
        Ok(call)
    }

    async fn program(&self) -> Result<Program, Box<dyn Error>> {
        let (stream, _) = self.listener.accept().await?;
        Ok(Program { stream, decoder: Decoder::default(), said: vec![] })
    }

    /// What a caller hears of a call until its end, while a program does something.
    async fn heard(&self, number: &str) -> Result<Vec<i16>, Box<dyn Error>> {
        let call = self.call(number).await?;
        self.heard_of(call).await
    }

    async fn heard_of(&self, call: Call) -> Result<Vec<i16>, Box<dyn Error>> {
        let path = self.etc.join("heard.wav");
        let recording = call.record(&path).await?;
        call.ended().await?;
        recording.finished().await?;
        Ok(Sound::read(&path)?.samples)
    }

    async fn stop(self) {
        self.caller.stop().await;
        self.house.stop().await;
    }
}

/// An AudioSocket program.
struct Program {
    stream: TcpStream,
    decoder: Decoder,
    /// What the caller said so far.
    said: Vec<i16>,
}

/// What a program is told beside audio.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Identity(Vec<u8>),
    Key(char),
    Hangup,
    Closed,
    Audio,
}

impl Program {
    async fn next(&mut self) -> Result<Told, Box<dyn Error>> {
        let mut buffer = [0; 1024];
        loop {
            match self.decoder.poll_frame() {
                Some(Frame::Identity(uuid)) => return Ok(Told::Identity(uuid.to_vec())),
                Some(Frame::Digit(digit)) => return Ok(Told::Key(digit.as_char())),
                Some(Frame::Hangup) => return Ok(Told::Hangup),
                Some(Frame::Audio { rate: 8000, octets }) => {
                    assert_eq!(octets.len(), 320, "a frame is 20 ms");
                    let pairs = octets.chunks_exact(2);
                    self.said.extend(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
                    return Ok(Told::Audio);
                }
                Some(frame) => panic!("{frame:?}"),
                None => {}
            }
            let length = self.stream.read(&mut buffer).await?;
            if length == 0 {
                return Ok(Told::Closed);
            }
            assert_eq!(self.decoder.handle_bytes(&buffer[..length]), length);
        }
    }

    /// Hears until something else is told.
    async fn listen(&mut self) -> Result<Told, Box<dyn Error>> {
        loop {
            let told = self.next().await?;
            if told != Told::Audio {
                return Ok(told);
            }
        }
    }

    async fn say(&mut self, samples: &[i16], rate: u32) -> Outcome {
        for frame in samples.chunks(rate as usize / 50) {
            let mut octets = vec![];
            audiosocket::write_audio(frame, rate, &mut octets).ok_or("a rate there is not")?;
            self.stream.write_all(&octets).await?;
        }
        Ok(())
    }
}

fn prompt(name: &str) -> Vec<i16> {
    Library::new().load(name, "en").expect("a prompt").samples
}

/// Where a sound lies in another, whole; at least 20 dB above everything else there.
fn find(samples: &[i16], sound: &[i16], name: &str) -> Located {
    let found = Recording::new(samples, 8000).find(sound, 0);
    let found = found.unwrap_or_else(|| panic!("{name} is not there"));
    assert!(found.score > 0.97, "{name}: {found:?}");
    assert_eq!(found.length, sound.len(), "{name} was cut");
    let heard = &samples[found.start..found.start + found.length];
    let energy = |of: &mut dyn Iterator<Item = f64>| of.map(|value| value * value).sum::<f64>();
    let noise = energy(&mut heard.iter().zip(sound).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    let signal = energy(&mut sound.iter().map(|value| f64::from(*value)));
    let ratio = 10.0 * (signal / noise).log10();
    assert!(ratio > 20.0, "{name}: {ratio} dB");
    found
}

fn tone(hertz: f64, rate: u32, seconds: f64) -> Vec<i16> {
    let step = std::f64::consts::TAU * hertz / f64::from(rate);
    (0..(seconds * f64::from(rate)) as u32)
        .map(|n| (8000.0 * (f64::from(n) * step).sin()).round() as i16)
        .collect()
}

#[tokio::test]
async fn a_program_hears_and_is_heard_and_the_call_goes_on_behind_it() -> Outcome {
    let scene = Scene::new().await?;
    let call = scene.call("100").await?;
    let path = scene.etc.join("heard.wav");
    let recording = call.record(&path).await?;
    let mut program = scene.program().await?;
    let uuid = b"\x40\x32\x5e\xc2\x5e\xfd\x4b\xd3\x80\x5f\x53\x57\x6e\x58\x1d\x13";
    assert_eq!(program.next().await?, Told::Identity(uuid.to_vec()));
    // Faster than it is heard, and once more at another rate.
    program.say(&prompt("digits/3"), 8000).await?;
    let both = async {
        call.play("digits/7").await?;
        call.send_digits("5").await?;
        Ok::<_, Box<dyn Error>>(())
    };
    let (done, told) = tokio::join!(both, program.listen());
    done?;
    assert_eq!(told?, Told::Key('5'));
    find(&program.said, &prompt("digits/7"), "what the caller said");
    program.say(&tone(1000.0, 24_000, 0.5), 24_000).await?;
    program.stream.write_all(&audiosocket::GOODBYE).await?;
    call.ended().await?;
    recording.finished().await?;
    let heard = Sound::read(&path)?.samples;
    let three = find(&heard, &prompt("digits/3"), "what the program said");
    let one = find(&heard, &prompt("digits/1"), "what came behind it");
    assert!(one.start > three.start + three.length + 3600);
    let between = &heard[three.start + three.length..one.start];
    let piece = &tone(1000.0, 8000, 0.5)[400..3600];
    assert!(Recording::new(between, 8000).find(piece, 0).is_some_and(|it| it.score > 0.99));
    scene.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_caller_who_hangs_up_is_told_of() -> Outcome {
    let scene = Scene::new().await?;
    let call = scene.call("100").await?;
    let mut program = scene.program().await?;
    assert!(matches!(program.next().await?, Told::Identity(_)));
    assert_eq!(program.next().await?, Told::Audio);
    call.hangup().await?;
    assert_eq!(program.listen().await?, Told::Hangup);
    assert_eq!(program.next().await?, Told::Closed);
    scene.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_program_that_closes_its_socket_has_hung_up() -> Outcome {
    let scene = Scene::new().await?;
    let call = scene.call("200").await?;
    let mut program = scene.program().await?;
    assert!(matches!(program.next().await?, Told::Identity(_)));
    program.stream.shutdown().await?;
    let heard = scene.heard_of(call).await?;
    find(&heard, &prompt("digits/1"), "the way of success");
    scene.stop().await;
    Ok(())
}

/// What the caller hears when a program does `act` with its connection.
async fn failed<F>(act: impl FnOnce(TcpStream) -> F + Send + 'static) -> Outcome
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let scene = Scene::new().await?;
    let call = scene.call("200").await?;
    let (stream, _) = scene.listener.accept().await?;
    let acting: JoinHandle<Result<(), String>> =
        tokio::spawn(async move { act(stream).await.map_err(|error| error.to_string()) });
    let heard = scene.heard_of(call).await?;
    find(&heard, &prompt("digits/2"), "the way of failure");
    acting.abort();
    scene.stop().await;
    Ok(())
}

#[tokio::test]
async fn garbage_fails_the_application_and_nothing_else() -> Outcome {
    failed(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await?;
        std::future::pending().await
    })
    .await
}

#[tokio::test]
async fn an_error_frame_fails_the_application() -> Outcome {
    failed(|mut stream| async move {
        stream.write_all(&[0xff, 0, 1, 4]).await?;
        std::future::pending().await
    })
    .await
}

#[tokio::test]
async fn one_that_dies_within_a_frame_fails_the_application() -> Outcome {
    failed(|mut stream| async move {
        stream.write_all(&[0x10, 1, 0x40, 0, 0]).await?;
        stream.shutdown().await?;
        std::future::pending().await
    })
    .await
}

#[tokio::test]
async fn where_nobody_listens_the_application_fails() -> Outcome {
    let Scene { etc, house, caller, listener } = Scene::new().await?;
    let gone: SocketAddr = listener.local_addr()?;
    drop(listener);
    // Another place, so that nobody takes it meanwhile.
    let elsewhere = TcpListener::bind("127.0.0.2:0").await?;
    assert_ne!(elsewhere.local_addr()?, gone);
    let scene = Scene { etc, house, caller, listener: elsewhere };
    let heard = scene.heard("200").await?;
    find(&heard, &prompt("digits/2"), "the way of failure");
    scene.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_place_from_a_variable_must_be_permitted() -> Outcome {
    let scene = Scene::new().await?;
    let heard = scene.heard("300").await?;
    find(&heard, &prompt("digits/2"), "the way of failure");
    scene.stop().await;

    let scene = Scene::with("[general]\npermit=127.0.0.0/8:@PORT@\n").await?;
    let call = scene.call("300").await?;
    let mut program = scene.program().await?;
    assert!(matches!(program.next().await?, Told::Identity(_)));
    program.stream.write_all(&audiosocket::GOODBYE).await?;
    let heard = scene.heard_of(call).await?;
    find(&heard, &prompt("digits/1"), "the way of success");
    scene.stop().await;
    Ok(())
}

#[tokio::test]
async fn one_that_floods_and_never_reads_is_held_back_and_harms_nobody() -> Outcome {
    let scene = Scene::new().await?;
    let call = scene.call("100").await?;
    let (mut stream, _) = scene.listener.accept().await?;
    let mut frame = vec![];
    audiosocket::write_audio(&tone(500.0, 8000, 0.02), 8000, &mut frame).ok_or("8 kHz")?;
    // An hour of it.
    let flood = tokio::spawn(async move {
        let mut written = 0;
        while written < 180_000 && stream.write_all(&frame).await.is_ok() {
            written += 1;
        }
        written
    });
    let path = scene.etc.join("heard.wav");
    let recording = call.record(&path).await?;
    call.wait(Duration::from_millis(1500)).await?;
    call.hangup().await?;
    recording.finished().await?;
    let written = flood.await?;
    assert!(written < 180_000, "somebody took an hour of audio");
    let heard = Sound::read(&path)?.samples;
    let piece = tone(500.0, 8000, 1.0);
    assert!(Recording::new(&heard, 8000).find(&piece, 0).is_some_and(|it| it.score > 0.97));
    scene.stop().await;
    Ok(())
}
