//! Programs outside that hear calls and speak to them, over real sockets on loopback.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use diesis_engine::{
    Call, Engine, ForkAudio, OutgoingCall,
    program::audiosocket::{self, Decoder, Frame},
};
use diesis_sounds::{
    locate::{Located, Recording},
    prompts::Library,
    sound::Sound,
};
use diesis_tests::{hearing::signal_to_noise, house, scratch::Scratch};
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, SemaphorePermit},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream, accept_async, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
    },
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
; A program on a WebSocket answers with speech.
exten => 400,1,Dial(WebSocket/robot/c(slin16)f(json)v(from=${CALLERID(num)}),10,g)
same => n,Playback(${IF($[\"${DIALSTATUS}\" = \"ANSWER\"]?digits/1:digits/2)})
same => n,Wait(0.3)
same => n,Hangup()
; A server whose certificate is trusted, and one whose is not.
exten => 700,1,Dial(WebSocket/trusted,10,g)
same => n,Playback(${IF($[\"${DIALSTATUS}\" = \"ANSWER\"]?digits/1:digits/2)})
same => n,Wait(0.3)
same => n,Hangup()
exten => 800,1,Dial(WebSocket/stranger,10,g)
same => n,Playback(${IF($[\"${DIALSTATUS}\" = \"ANSWER\"]?digits/1:digits/2)})
same => n,Wait(0.3)
same => n,Hangup()
; It hears a call that goes on.
exten => 500,1,Answer()
same => n,AudioFork(ws://127.0.0.1:@PORT@/fork,D(both)i(FORK)c(ulaw))
same => n,Read(THERE,,1)
same => n,Playback(digits/7)
same => n,StopAudioFork(${FORK})
same => n,Playback(digits/3)
same => n,Wait(0.3)
same => n,Hangup()
; An AudioSocket that is dialled.
exten => 600,1,Dial(AudioSocket/127.0.0.1:@PORT@/40325ec2-5efd-4bd3-805f-53576e581d13/c(slin16),10,g)
same => n,Playback(${IF($[\"${DIALSTATUS}\" = \"ANSWER\"]?digits/1:digits/2)})
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
    tls: TlsAcceptor,
    /// Sound in real time wants a share of the machine.
    _place: SemaphorePermit<'static>,
}

/// How many calls with programs there are at a time.
static PLACES: Semaphore = Semaphore::const_new(4);

impl Scene {
    async fn new() -> Result<Self, Box<dyn Error>> {
        Self::with("").await
    }

    async fn with(programs: &str) -> Result<Self, Box<dyn Error>> {
        let place = PLACES.acquire().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let program = listener.local_addr()?.port().to_string();
        let etc = Scratch::new("programs");
        etc.write("programs.conf", &programs.replace("@PORT@", &program));
        let client = format!(
            "[robot]\ntype=websocket_client\nuri=ws://127.0.0.1:{program}/media\n\
             protocols=media\nusername=diesis\npassword=sesame\nreconnect_attempts=0\n\
             [trusted]\ntype=websocket_client\nuri=wss://localhost:{program}/\n\
             ca_list_file=ca.pem\nreconnect_attempts=0\nconnection_timeout=10000\n\
             [stranger]\ntype=websocket_client\nuri=wss://localhost:{program}/\n\
             ca_list_file=other.pem\nreconnect_attempts=0\nconnection_timeout=10000\n"
        );
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        etc.write("ca.pem", &own.cert.pem());
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        etc.write("other.pem", &other.cert.pem());
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)?;
        etc.write("websocket_client.conf", &client);
        let plan = PLAN.replace("@PORT@", &program);
        let house = house::builder(&etc, "allow=ulaw", &plan);
        let house = house.rtp_ports(25_000..=25_499).start().await?;
        let caller = Engine::builder().listen("127.0.0.1:0".parse()?).shards(1);
        let caller = caller.rtp_ports(25_500..=25_999).start().await?;
        Ok(Self {
            etc,
            house,
            caller,
            listener,
            tls: TlsAcceptor::from(Arc::new(server)),
            _place: place,
        })
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

/// What does not come within this does not come: a test that fails is better than one that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

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
            let length = timeout(PATIENCE, self.stream.read(&mut buffer)).await??;
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

/// A program on a WebSocket.
struct WebProgram {
    stream: WebSocketStream<TcpStream>,
    /// What it was asked for.
    target: String,
    authorization: String,
    /// What it heard so far.
    heard: Vec<u8>,
}

impl Scene {
    async fn web_program(&self) -> Result<WebProgram, Box<dyn Error>> {
        let (stream, _) = self.listener.accept().await?;
        let (mut target, mut authorization) = (String::new(), String::new());
        #[allow(clippy::result_large_err, reason = "it is the library's")]
        let callback = |request: &Request, mut response: Response| {
            target = request.uri().to_string();
            let header = |name: &str| request.headers().get(name).cloned();
            if let Some(value) = header("authorization") {
                authorization = value.to_str().unwrap_or_default().to_owned();
            }
            if let Some(protocol) = header("sec-websocket-protocol") {
                response.headers_mut().insert("sec-websocket-protocol", protocol);
            }
            Ok(response)
        };
        let stream = accept_hdr_async(stream, callback).await?;
        Ok(WebProgram { stream, target, authorization, heard: vec![] })
    }
}

impl WebProgram {
    /// The next event, or "CLOSED"; audio is kept.
    async fn event(&mut self) -> Result<String, Box<dyn Error>> {
        loop {
            match timeout(PATIENCE, self.stream.next()).await? {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Binary(octets))) => self.heard.extend_from_slice(&octets),
                Some(Ok(Message::Close(_))) | None => return Ok("CLOSED".into()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    async fn command(&mut self, text: &str) -> Outcome {
        Ok(self.stream.send(Message::text(text)).await?)
    }

    async fn say(&mut self, samples: &[i16]) -> Outcome {
        let octets: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        for piece in octets.chunks(50_000) {
            self.stream.send(Message::binary(piece.to_vec())).await?;
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
    let ratio = signal_to_noise(&samples[found.start..found.start + found.length], sound);
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
    let Scene { etc, house, caller, listener, tls, _place } = Scene::new().await?;
    let gone: SocketAddr = listener.local_addr()?;
    drop(listener);
    // Another place, so that nobody takes it meanwhile.
    let elsewhere = TcpListener::bind("127.0.0.2:0").await?;
    assert_ne!(elsewhere.local_addr()?, gone);
    let scene = Scene { etc, house, caller, listener: elsewhere, tls, _place };
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

#[tokio::test]
async fn a_program_on_a_websocket_is_dialled_speaks_and_hears() -> Outcome {
    let scene = Scene::new().await?;
    let (_, address) = scene.house.sip_addresses()[0];
    let call = scene.caller.call(OutgoingCall::to(&format!("sip:400@{address}"))).await?;
    let mut program = scene.web_program().await?;
    assert!(program.target.starts_with("/media?from="), "{}", program.target);
    assert_eq!(program.authorization, "Basic ZGllc2lzOnNlc2FtZQ==");
    let start: serde_json::Value = serde_json::from_str(&program.event().await?)?;
    assert_eq!(
        (start["event"].as_str(), start["format"].as_str()),
        (Some("MEDIA_START"), Some("slin16"))
    );
    assert_eq!(start["optimal_frame_size"], 640);
    call.answered().await?;
    let path = scene.etc.join("heard.wav");
    let recording = call.record(&path).await?;
    // A second faster than it is heard, then its end is told.
    program.command(r#"{"command":"START_MEDIA_BUFFERING"}"#).await?;
    program.say(&tone(1000.0, 16_000, 1.0)).await?;
    program.command(r#"{"command":"STOP_MEDIA_BUFFERING","correlation_id":"one"}"#).await?;
    let completed: serde_json::Value = serde_json::from_str(&program.event().await?)?;
    assert_eq!(completed["event"], "MEDIA_BUFFERING_COMPLETED");
    assert_eq!(completed["correlation_id"], "one");
    let saying = async {
        call.play("digits/7").await?;
        call.send_digits("9").await?;
        Ok::<_, Box<dyn Error>>(())
    };
    let (said, key) = tokio::join!(saying, program.event());
    said?;
    let key: serde_json::Value = serde_json::from_str(&key?)?;
    assert_eq!((key["event"].as_str(), key["digit"].as_str()), (Some("DTMF_END"), Some("9")));
    // Much is queued, and all of it thrown away. Nothing of it is heard meanwhile: however long it takes
    // to come, it is more than may wait.
    program.command("PAUSE_MEDIA").await?;
    program.say(&tone(500.0, 16_000, 19.0)).await?;
    let full: serde_json::Value = serde_json::from_str(&program.event().await?)?;
    assert_eq!(full["event"], "MEDIA_XOFF");
    program.command("GET_STATUS").await?;
    let status: serde_json::Value = serde_json::from_str(&program.event().await?)?;
    assert_eq!((status["event"].as_str(), &status["queue_full"]), (Some("STATUS"), &true.into()));
    program.command("REPORT_QUEUE_DRAINED").await?;
    program.command(r#"{"command":"FLUSH_MEDIA"}"#).await?;
    let mut events = vec![program.event().await?, program.event().await?];
    events.sort();
    assert!(events[0].contains("MEDIA_XON") && events[1].contains("QUEUE_DRAINED"), "{events:?}");
    program.command("NONSENSE").await?;
    assert!(program.event().await?.contains("\"ERROR\""));
    program.command("HANGUP").await?;
    assert_eq!(program.event().await?, "CLOSED");
    call.ended().await?;
    recording.finished().await?;
    let heard = Sound::read(&path)?.samples;
    let piece = &tone(1000.0, 8000, 1.0)[400..7600];
    assert!(Recording::new(&heard, 8000).find(piece, 0).is_some_and(|it| it.score > 0.99));
    find(&heard, &prompt("digits/1"), "the way of success");
    let seconds = heard.len() / 8000;
    assert!(seconds < 12, "what was thrown away was heard: {seconds} s");
    let wide: Vec<i16> =
        program.heard.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
    let narrow = diesis_sounds::resample::resample(&wide, 16_000, 8000)?;
    let seven = prompt("digits/7");
    assert!(Recording::new(&narrow, 8000).find(&seven, 0).is_some_and(|it| it.score > 0.95));
    scene.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_fork_hears_both_sides_of_a_call_that_goes_on() -> Outcome {
    let scene = Scene::new().await?;
    let call = scene.call("500").await?;
    let path = scene.etc.join("heard.wav");
    let recording = call.record(&path).await?;
    let mut program = scene.web_program().await?;
    assert_eq!(program.target, "/fork");
    let start = program.event().await?;
    assert!(start.starts_with("MEDIA_START connection_id:ws://127.0.0.1:"), "{start}");
    assert!(start.ends_with("format:ulaw optimal_frame_size:160 ptime:20"), "{start}");
    // A program hears what is said once it is there: only now the call goes on.
    call.send_digits("1").await?;
    let key = program.event().await?;
    assert!(key.starts_with("DTMF_END digit:1 "), "{key}");
    let (played, told) = tokio::join!(call.play("digits/20"), program.event());
    played?;
    assert_eq!(told?, "CLOSED");
    call.ended().await?;
    recording.finished().await?;
    let caller = Sound::read(&path)?.samples;
    find(&caller, &prompt("digits/7"), "the call's own way");
    find(&caller, &prompt("digits/3"), "what came behind the fork");
    let heard: Vec<i16> =
        program.heard.iter().map(|&octet| diesis_sounds::g711::decode_ulaw(octet)).collect();
    let seven = prompt("digits/7");
    let found = Recording::new(&heard, 8000).find(&seven, 0);
    assert!(found.is_some_and(|it| it.score > 0.5), "{found:?}");
    assert!(
        Recording::new(&heard, 8000).find(&prompt("digits/3"), 0).is_none_or(|it| it.score < 0.5)
    );
    scene.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_embedder_forks_a_call_both_ways() -> Outcome {
    let scene = Scene::new().await?;
    // The house answers, and hears a prompt of the program's through its caller's fork.
    let call = scene.call("100").await?;
    let mut other = scene.program().await?;
    assert!(matches!(other.next().await?, Told::Identity(_)));
    let uri = format!("ws://{}/embedded", scene.listener.local_addr()?);
    let fork = call.fork_audio(ForkAudio::to(uri).two_way()).await?;
    let mut program = scene.web_program().await?;
    assert!(program.event().await?.contains("MEDIA_START"));
    program.say(&prompt("digits/7")).await?;
    program.command("MARK_MEDIA end").await?;
    let heard = async {
        while other.said.len() < 16_000 {
            other.next().await?;
        }
        Ok::<_, Box<dyn Error>>(())
    };
    let (marked, heard) = tokio::join!(program.event(), heard);
    heard?;
    assert!(marked?.contains("MEDIA_MARK_PROCESSED"));
    find(&other.said, &prompt("digits/7"), "what the program said");
    call.stop_fork(fork).await?;
    assert_eq!(program.event().await?, "CLOSED");
    call.hangup().await?;
    scene.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_audio_socket_is_dialled_at_16_khz() -> Outcome {
    let scene = Scene::new().await?;
    let (_, address) = scene.house.sip_addresses()[0];
    let call = scene.caller.call(OutgoingCall::to(&format!("sip:600@{address}"))).await?;
    let (mut stream, _) = scene.listener.accept().await?;
    call.answered().await?;
    let mut begin = [0; 22];
    stream.read_exact(&mut begin).await?;
    assert_eq!(begin[..3], [1, 0, 16]);
    assert_eq!(begin[19..], [0x12, 2, 0x80], "20 ms at 16 kHz");
    stream.write_all(&audiosocket::GOODBYE).await?;
    let heard = scene.heard_of(call).await?;
    find(&heard, &prompt("digits/1"), "the way of success");
    scene.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_websocket_that_never_shakes_hands_is_given_up() -> Outcome {
    let scene = Scene::new().await?;
    let (_, address) = scene.house.sip_addresses()[0];
    let call = scene.caller.call(OutgoingCall::to(&format!("sip:400@{address}"))).await?;
    let (_silent, _) = scene.listener.accept().await?;
    call.answered().await?;
    let heard = scene.heard_of(call).await?;
    find(&heard, &prompt("digits/2"), "the way of failure");
    scene.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_server_whose_certificate_is_trusted_is_spoken_with() -> Outcome {
    let scene = Scene::new().await?;
    let (_, address) = scene.house.sip_addresses()[0];
    let call = scene.caller.call(OutgoingCall::to(&format!("sip:700@{address}"))).await?;
    let (stream, _) = scene.listener.accept().await?;
    let mut program = accept_async(scene.tls.accept(stream).await?).await?;
    let start = program.next().await.ok_or("closed")??;
    assert!(start.to_text()?.starts_with("MEDIA_START"));
    call.answered().await?;
    program.send(Message::text("HANGUP")).await?;
    let heard = scene.heard_of(call).await?;
    find(&heard, &prompt("digits/1"), "the way of success");
    scene.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_server_whose_certificate_is_not_trusted_is_not() -> Outcome {
    let scene = Scene::new().await?;
    let (_, address) = scene.house.sip_addresses()[0];
    let call = scene.caller.call(OutgoingCall::to(&format!("sip:800@{address}"))).await?;
    let (stream, _) = scene.listener.accept().await?;
    assert!(scene.tls.accept(stream).await.is_err());
    call.answered().await?;
    let heard = scene.heard_of(call).await?;
    find(&heard, &prompt("digits/2"), "the way of failure");
    scene.stop().await;
    Ok(())
}
