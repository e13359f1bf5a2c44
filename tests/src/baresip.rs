//! baresip without a sound card: it speaks a file, and what it hears becomes a file.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufReader, Cursor, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use diesis_sounds::format::wav;
use diesis_sounds::resample::resample;
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::loopback;
use crate::process::Process;
use crate::scratch::Scratch;

/// A running phone with one account.
#[derive(Debug)]
pub struct Baresip {
    process: Process,
    control: BufReader<TcpStream>,
    scratch: Scratch,
    /// Where it registered, with the transport.
    server: String,
    /// So many samples of what was heard do not count any more.
    forgotten: usize,
    /// The kinds of all events so far; a wait may begin after what it waits for has happened.
    events: Vec<String>,
}

impl Baresip {
    /// Starts it and waits until it is registered over UDP.
    ///
    /// # Panics
    /// When baresip does not start or its registration is refused.
    #[must_use]
    pub fn start(engine: &Engine, user: &str, password: &str) -> Self {
        Self::register(format!("{};transport=udp", engine.address()), "", user, password)
    }

    /// The same, and it says `speech` (8 kHz) over and over instead of nothing, and picks up.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_speaking(engine: &Engine, user: &str, password: &str, speech: &[i16]) -> Self {
        let server = format!("{};transport=udp", engine.address());
        Self::register_with(server, "", ";answermode=auto", user, password, speech)
    }

    /// The same, with one codec only, by baresip's name: `G722/16000/1`, `opus/48000/2`.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_speaking_in(
        codec: &str,
        engine: &Engine,
        (user, password): (&str, &str),
        speech: &[i16],
    ) -> Self {
        let server = format!("{};transport=udp", engine.address());
        let parameters = format!(";answermode=auto;audio_codecs={codec}");
        Self::register_with(server, CODECS, &parameters, user, password, speech)
    }

    /// As [`Self::start_speaking`], with a camera: it offers video beside its sound.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_with_video(
        engine: &Engine,
        (user, password): (&str, &str),
        speech: &[i16],
    ) -> Self {
        let server = format!("{};transport=udp", engine.address());
        Self::register_with(server, VIDEO, ";answermode=auto", user, password, speech)
    }

    /// Starts it and waits until it is registered over TLS at `address`, with a certificate of this
    /// authority (a PEM file).
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_tls(address: SocketAddr, authority: &Path, user: &str, password: &str) -> Self {
        let trust = format!("sip_cafile {}\nsip_verify_server yes\n", authority.display());
        Self::register(format!("{address};transport=tls"), &trust, user, password)
    }

    fn register(server: String, settings: &str, user: &str, password: &str) -> Self {
        Self::register_with(server, settings, "", user, password, &[0; 8000])
    }

    fn register_with(
        server: String,
        settings: &str,
        parameters: &str,
        user: &str,
        password: &str,
        speech: &[i16],
    ) -> Self {
        let scratch = Scratch::new("baresip");
        let sip = SocketAddr::new(PHONE, loopback::free_port(PHONE));
        let control = SocketAddr::new(PHONE, loopback::free_port(PHONE));
        scratch.write_sound("speech.wav", &speech.repeat(90 * 8000 / speech.len() + 1));
        scratch.write("contacts", "");
        let codec = match parameters.contains("audio_codecs=") {
            true => "",
            false => ";audio_codecs=PCMU/8000/1",
        };
        let account = format!(
            "<sip:{user}@{server}>;auth_user={user};auth_pass={password};regint=600;\
             ptime=20;dtmfmode=rtpevent{codec}{parameters}\n"
        );
        scratch.write("accounts", &account);
        scratch.write("config", &(configuration(&scratch, sip, control) + settings));
        let mut command = Command::new("baresip");
        command.arg("-4").arg("-f").arg(scratch.path()).current_dir(scratch.path());
        let process = Process::spawn("baresip", &mut command);
        // Its own words, with colours around them.
        let registered = process.wait_line(Duration::from_secs(15), |line| line.contains("200 OK"));
        assert!(registered.is_some(), "baresip did not register:\n{}", process.output());
        let control = TcpStream::connect(control).expect("baresip listens for commands");
        Self {
            process,
            control: BufReader::new(control),
            scratch,
            server,
            forgotten: 0,
            events: Vec::new(),
        }
    }

    /// Calls an extension and waits until it is answered.
    ///
    /// # Panics
    /// When it is not answered within ten seconds.
    pub fn call(&mut self, extension: &str) {
        self.dial(extension);
        self.wait_answered();
    }

    /// Calls an extension.
    pub fn dial(&mut self, extension: &str) {
        // It adds the account's transport itself.
        let host = self.server.split(';').next().unwrap_or_default();
        self.command("dial", &format!("sip:{extension}@{host}"));
    }

    /// Sends whom it talks to to an extension, and hangs up when that was taken.
    pub fn transfer(&mut self, extension: &str) {
        let host = self.server.split(';').next().unwrap_or_default();
        self.command("transfer", &format!("sip:{extension}@{host}"));
    }

    /// Hangs up.
    pub fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    /// Waits until the call is answered.
    ///
    /// # Panics
    /// When it is not answered within ten seconds.
    pub fn wait_answered(&mut self) {
        let answered = self.wait_event("CALL_ESTABLISHED", Duration::from_secs(10));
        assert!(answered, "the call is not answered:\n{}", self.process.output());
    }

    /// Presses keys one after the other, as telephone events.
    pub fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.command("sndcode", &key.to_string());
            // A finger's pace: baresip forgets a key when the next comes before it was sent.
            let next = Instant::now() + Duration::from_millis(250);
            while self.read_message(next).is_some() {}
        }
    }

    /// Waits until the other side has hung up.
    #[must_use]
    pub fn wait_closed(&mut self, limit: Duration) -> bool {
        self.wait_event("CALL_CLOSED", limit)
    }

    /// What was heard since the answer, or since [`Self::forget_heard`]: 8 kHz, a WAV file.
    #[must_use]
    pub fn heard(&self) -> Vec<u8> {
        let samples = self.heard_samples();
        let fresh = samples.get(self.forgotten..).unwrap_or_default();
        let mut file = Cursor::new(Vec::new());
        wav::write_to(&mut file, 8000, fresh).expect("memory can be written");
        file.into_inner()
    }

    /// What it has heard up to now does not count any more.
    pub fn forget_heard(&mut self) {
        self.forgotten = self.heard_samples().len();
    }

    /// Everything it decoded: a file for each time that media began anew. They grow with the call;
    /// their headers still say that they are empty.
    fn heard_samples(&self) -> Vec<i16> {
        let files = fs::read_dir(self.scratch.path()).expect("the scratch directory is readable");
        let is_dump = |path: &PathBuf| path.to_string_lossy().ends_with("-dec.wav");
        let dumps = files.filter_map(Result::ok).map(|file| file.path()).filter(is_dump);
        // Their names begin with the time.
        let sounds = dumps
            .collect::<BTreeSet<_>>()
            .into_iter()
            .filter_map(|path| wav::parse(&fs::read(path).ok()?).ok())
            .filter_map(|sound| resample(&sound.samples, sound.rate, 8000).ok());
        sounds.flatten().collect()
    }

    /// All it wrote.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Waits at most so long for anything to happen at the phone; for polls of [`Self::heard`].
    pub fn wait_a_moment(&mut self, limit: Duration) {
        let _ = self.read_message(Instant::now() + limit);
    }

    /// Lets the call go on for so long.
    pub fn talk_on(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while self.read_message(end).is_some() {}
    }

    fn command(&mut self, command: &str, parameters: &str) {
        let message = json!({ "command": command, "params": parameters, "token": "t" }).to_string();
        let netstring = format!("{}:{message},", message.len());
        let stream = self.control.get_mut();
        stream.write_all(netstring.as_bytes()).expect("baresip takes commands");
    }

    fn wait_event(&mut self, kind: &str, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(at) = self.events.iter().position(|event| event == kind) {
                self.events.drain(..=at);
                return true;
            }
            if self.read_message(deadline).is_none() {
                return false;
            }
        }
    }

    /// The next netstring, `None` at the deadline. Messages are small and come whole.
    fn read_message(&mut self, deadline: Instant) -> Option<Value> {
        let mut byte = [0];
        let mut length = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if length == 0 && left.is_zero() {
                return None;
            }
            // Once a message has begun, the rest is there.
            let left = left.max(Duration::from_millis(1));
            self.control.get_ref().set_read_timeout(Some(left)).ok()?;
            match self.control.read(&mut byte) {
                Ok(1) if byte[0].is_ascii_digit() => {
                    length = length * 10 + usize::from(byte[0] - b'0');
                }
                Ok(1) if byte[0] == b':' => break,
                Ok(1) => {}
                _ => return None,
            }
        }
        self.control.get_ref().set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let mut message = vec![0; length];
        self.control.read_exact(&mut message).ok()?;
        let message: Value = serde_json::from_slice(&message).ok()?;
        self.events.extend(message["type"].as_str().map(str::to_owned));
        Some(message)
    }
}

/// Where the phone lives. baresip takes its media address from the interface, and that is the
/// first one of `lo`.
const PHONE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What it needs for other codecs than G.711: its file holds one channel, Opus has two.
const CODECS: &str = "ausrc_channels 1\nauplay_channels 1\nmodule g722.so\nmodule opus.so\n";

/// What it needs for pictures that nobody took.
const VIDEO: &str = "module avcodec.so\nmodule fakevideo.so\nvideo_source fakevideo,nil\n\
    video_display fakevideo,nil\n";

fn configuration(scratch: &Scratch, sip: SocketAddr, control: SocketAddr) -> String {
    let directory = scratch.path().display();
    // A player must exist for decoding to run; a bridge to nowhere is the quietest.
    format!(
        "poll_method epoll\n\
         sip_listen {sip}\n\
         net_interface 127.0.0.1\n\
         call_max_calls 1\n\
         audio_player aubridge,nowhere\n\
         audio_source aufile,{directory}/speech.wav\n\
         audio_alert aubridge,nowhere\n\
         ausrc_srate 8000\n\
         auplay_srate 8000\n\
         ausrc_format s16\n\
         auplay_format s16\n\
         auenc_format s16\n\
         audec_format s16\n\
         audio_buffer 20-160\n\
         statmode_default off\n\
         ringback_disabled yes\n\
         rtcp_mux no\n\
         jitter_buffer_delay 2-20\n\
         module_path /usr/lib/baresip/modules\n\
         module g711.so\n\
         module aufile.so\n\
         module aubridge.so\n\
         module sndfile.so\n\
         module_tmp account.so\n\
         module_app ctrl_tcp.so\n\
         module_app menu.so\n\
         ctrl_tcp_listen {control}\n\
         snd_path {directory}\n"
    )
}
