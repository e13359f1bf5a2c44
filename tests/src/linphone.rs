//! Linphone on a console, without a sound card: it speaks a file, and what it hears becomes a file.

use std::fs;
use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use diesis_sounds::format::wav;
use diesis_sounds::resample::resample;

use crate::engine::Engine;
use crate::loopback;
use crate::process::Process;
use crate::scratch::Scratch;

/// A running phone with one account, registered over UDP.
#[derive(Debug)]
pub struct Linphone {
    process: Process,
    scratch: Scratch,
    server: SocketAddr,
    recordings: u32,
    /// Samples a second of what it records.
    rate: u32,
}

impl Linphone {
    /// Starts it and waits until it is registered.
    ///
    /// # Panics
    /// When linphonec does not start or its registration is refused.
    #[must_use]
    pub fn start(engine: &Engine, user: &str, password: &str) -> Self {
        let server = engine.address();
        let scratch = Scratch::new("linphone");
        let (sip, media) = (loopback::free_port(PHONE), loopback::free_port(PHONE));
        let settings = scratch.write(
            "linphonerc",
            &format!(
                "[sip]\nsip_udp_port={sip}\nsip_tcp_port=0\nsip_tls_port=0\n\
                 bind_address={PHONE}\nguess_hostname=1\nuse_ipv6=0\ndefault_proxy=0\n\
                 [proxy_0]\nreg_proxy=sip:{server};transport=udp\nreg_identity=sip:{user}@{server}\n\
                 reg_expires=600\nreg_sendregister=1\n\
                 [auth_info_0]\nusername={user}\npasswd={password}\nrealm=asterisk\n\
                 [rtp]\naudio_rtp_port={media}\nbind_address={PHONE}\n[video]\nenabled=0\n"
            ),
        );
        // Its database and what else it keeps.
        fs::create_dir_all(scratch.join(".local/share/linphone"))
            .expect("the scratch directory can be written");
        let mut command = Command::new("linphonec");
        command.arg("-c").arg(settings).args(["-d", "1", "-l"]).arg(scratch.join("log"));
        command.env("HOME", scratch.path()).current_dir(scratch.path());
        let mut phone = Self {
            process: Process::spawn_console("linphonec", &mut command),
            scratch,
            server,
            recordings: 0,
            rate: 8000,
        };
        phone.process.type_line("soundcard use files");
        // It tells only those that ask.
        let registered = (0..50).any(|_| {
            phone.process.type_line("proxy list");
            let line = phone
                .process
                .wait_line(Duration::from_millis(200), |line| line.starts_with("registered: yes"));
            line.is_some()
        });
        assert!(registered, "Linphone did not register:\n{}", phone.process.output());
        phone
    }

    /// The same with one codec alone, by the name and the clock that it has there: `opus (48000)`. It
    /// records at `rate`.
    ///
    /// # Panics
    /// As [`Self::start`]; and when there is no such codec.
    #[must_use]
    pub fn start_in(
        codec: &str,
        rate: u32,
        engine: &Engine,
        (user, password): (&str, &str),
    ) -> Self {
        let mut phone = Self { rate, ..Self::start(engine, user, password) };
        phone.process.type_line("codec disable all");
        phone.process.type_line("codec list");
        let wanted = format!(": {codec} disabled");
        let line = phone.wait(&wanted).expect("it has the codec");
        let number = line.split(':').next().map(str::trim).expect("a number comes first");
        phone.process.type_line(&format!("codec enable {number}"));
        phone
    }

    /// Calls an extension and waits until it is answered and media runs.
    ///
    /// # Panics
    /// When it is not answered within ten seconds.
    pub fn call(&mut self, extension: &str) {
        let server = self.server;
        self.process.type_line(&format!("call sip:{extension}@{server}"));
        self.wait_media();
    }

    /// Waits for a call and picks up.
    ///
    /// # Panics
    /// When none comes within ten seconds.
    pub fn answer(&mut self) {
        assert!(self.wait("Receiving new incoming call").is_some(), "no call:\n{}", self.output());
        self.process.type_line("answer");
        self.wait_media();
    }

    /// Says this (8 kHz), and begins to write down what it hears.
    pub fn speak(&mut self, speech: &[i16]) {
        self.recordings += 1;
        let file = self.scratch.write_sound("speech.wav", speech);
        let heard = self.heard_file();
        self.process.type_line(&format!("record {}", heard.display()));
        self.process.type_line(&format!("play {}", file.display()));
    }

    /// Presses keys, as its settings say (telephone events).
    pub fn press(&mut self, keys: &str) {
        self.process.type_line(keys);
    }

    /// Puts the call on hold.
    ///
    /// # Panics
    /// When the other side does not agree within ten seconds.
    pub fn hold(&mut self) {
        self.process.type_line("pause");
        let paused = self.wait("is now paused");
        assert!(paused.is_some(), "the call is not held:\n{}", self.output());
    }

    /// Takes the call back.
    pub fn resume(&mut self) {
        self.process.type_line("resume");
        self.wait_media();
    }

    /// Sends whom it talks to to an extension.
    pub fn transfer(&mut self, extension: &str) {
        let server = self.server;
        self.process.type_line(&format!("transfer sip:{extension}@{server}"));
    }

    /// Connects those of its first and its second call with each other.
    pub fn connect_both(&mut self) {
        self.process.type_line("transfer 1 --to-call 2");
    }

    /// Hangs up.
    pub fn hang_up(&mut self) {
        self.process.type_line("terminate");
    }

    /// Whether the call ends within ten seconds.
    #[must_use]
    pub fn wait_ended(&self) -> bool {
        self.wait(" ended").is_some()
    }

    /// What was heard since [`Self::speak`], as a file.
    #[must_use]
    pub fn heard(&self) -> Vec<u8> {
        let file = fs::read(self.heard_file()).unwrap_or_default();
        // Until it stops to record, the header's place holds zeros.
        if file.len() <= 44 || (file.starts_with(b"RIFF") && self.rate == 8000) {
            return file;
        }
        let bytes = file[44..].chunks_exact(2);
        let samples: Vec<i16> = bytes.map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
        let samples = resample(&samples, self.rate, 8000).expect("both rates are known");
        let mut whole = Cursor::new(Vec::new());
        wav::write_to(&mut whole, 8000, &samples).expect("memory can be written");
        whole.into_inner()
    }

    /// Whether this is heard within so long.
    #[must_use]
    pub fn hears_within(&mut self, sound: &[i16], limit: Duration) -> bool {
        let deadline = Instant::now() + limit + Duration::from_millis(sound.len() as u64 / 8);
        while Instant::now() < deadline {
            if crate::hearing::holds(&self.heard(), sound) {
                return true;
            }
            let _ = self.process.wait_line(Duration::from_millis(500), |_| false);
        }
        false
    }

    /// All it wrote.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.output()
    }

    fn heard_file(&self) -> PathBuf {
        self.scratch.join(&format!("heard-{}.wav", self.recordings))
    }

    fn wait_media(&self) {
        let media = self.wait("Media streams established");
        assert!(media.is_some(), "the call has no media:\n{}", self.output());
    }

    fn wait(&self, text: &str) -> Option<String> {
        self.process.wait_line(Duration::from_secs(10), |line| line.contains(text))
    }
}

/// Where the phone lives.
const PHONE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
