//! A running `diesis run` with a directory of its own, and a phone that calls it.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

/// A running `diesis run` with a directory of its own; both are gone when dropped.
pub(crate) struct Engine {
    pub(crate) child: Child,
    pub(crate) directory: PathBuf,
    pub(crate) sip: std::net::SocketAddr,
    kept: Kept,
}

/// What becomes of the directory.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Stays,
    Removed,
}

impl Engine {
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, "")
    }

    pub(crate) fn start_with(name: &str, asterisk: &str) -> Self {
        Self::start_as(name, asterisk, |_, _| ())
    }

    /// The same with more arguments or another environment.
    pub(crate) fn start_as(
        name: &str,
        asterisk: &str,
        adjust: impl FnOnce(&mut Command, &Path),
    ) -> Self {
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("c-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("asterisk.conf"), asterisk).unwrap();
        fs::write(directory.join("pjsip.conf"), PJSIP).unwrap();
        fs::write(directory.join("extensions.conf"), EXTENSIONS).unwrap();
        fs::write(directory.join("cdr.conf"), "[general]\nenable=yes\n[csv]\nloguniqueid=yes\n")
            .unwrap();
        fs::write(directory.join("rtp.conf"), "[general]\nrtpstart=22000\nrtpend=22999\n").unwrap();
        Self::run(directory, Kept::Removed, adjust)
    }

    fn run(directory: PathBuf, kept: Kept, adjust: impl FnOnce(&mut Command, &Path)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
        command.args(["run", "--shards", "1", "-C"]).arg(&directory);
        adjust(command.stdout(Stdio::piped()).stderr(Stdio::piped()), &directory);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("Diesis ready: udp ");
        let address = address.and_then(|rest| rest.split([',', ' ']).next()?.parse().ok());
        let Some(sip) = address else {
            let _ = child.kill();
            let output = child.wait_with_output().unwrap();
            panic!("{line:?} {}", String::from_utf8_lossy(&output.stderr));
        };
        Self { child, directory, sip, kept }
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    }

    /// Another one on the directory of one that has ended.
    pub(crate) fn start_again(mut self) -> Self {
        self.kept = Kept::Stays;
        Self::run(self.directory.clone(), Kept::Removed, |_, _| ())
    }

    /// Another one on the same directory, but with a control socket of its own.
    pub(crate) fn copy(&self) -> Self {
        let directory = self.directory.with_extension("copy");
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        for name in ["pjsip.conf", "extensions.conf", "cdr.conf", "rtp.conf"] {
            fs::copy(self.directory.join(name), directory.join(name)).unwrap();
        }
        let asterisk = format!("[directories]\nastdbdir={}/var\n", self.directory.display());
        fs::write(directory.join("asterisk.conf"), asterisk).unwrap();
        Self::run(directory, Kept::Removed, |_, _| ())
    }

    pub(crate) fn diesis(&self, words: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_diesis"))
            .args(words.split_whitespace())
            .arg("-C")
            .arg(&self.directory)
            .output()
            .unwrap()
    }

    /// The rows of a table.
    pub(crate) fn rows(&self, words: &str) -> Vec<serde_json::Map<String, serde_json::Value>> {
        let output = self.diesis(&format!("{words} --format json"));
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("run/diesis.ctl")
    }

    /// Calls a number as the peer without a password; returns the status of the final response.
    /// Media is wanted at the port above the phone's.
    pub(crate) fn call(&self, phone: &UdpSocket, number: &str, call_id: &str) -> String {
        let media = phone.local_addr().unwrap().port() + 1;
        self.call_with(phone, number, call_id, media).0
    }

    /// The same with media at `media`, and the whole response.
    pub(crate) fn call_with(
        &self,
        phone: &UdpSocket,
        number: &str,
        call_id: &str,
        media: u16,
    ) -> (String, String) {
        self.call_offering(phone, number, call_id, &format!("{media} RTP/AVP 0"))
    }

    /// The same with what follows `m=audio` in the offer.
    pub(crate) fn call_offering(
        &self,
        phone: &UdpSocket,
        number: &str,
        call_id: &str,
        media: &str,
    ) -> (String, String) {
        let own = phone.local_addr().unwrap();
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {media}\r\n"
        );
        let invite = format!(
            "INVITE sip:{number}@{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{call_id};rport\r\n\
             From: <sip:anna@{own}>;tag={call_id}\r\nTo: <sip:{number}@{sip}>\r\nCall-ID: {call_id}\r\n\
             CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:anna@{own}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len(),
            sip = self.sip
        );
        phone.send_to(invite.as_bytes(), self.sip).unwrap();
        phone.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut buffer = [0; 4096];
        loop {
            let length = phone.recv(&mut buffer).expect("a response");
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
            if !status.starts_with('1') {
                return (status, text);
            }
        }
    }

    pub(crate) fn wait(&mut self) -> String {
        assert!(self.child.wait().unwrap().success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.kept == Kept::Removed {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

pub(crate) const PJSIP: &str = "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:0\n\
    [anna]\ntype=endpoint\ncontext=phones\naors=1001\nallow=ulaw\n\
    [1001]\ntype=aor\nmax_contacts=2\ncontact=sip:1001@127.0.0.1:5999\n\
    [2002]\ntype=endpoint\ncontext=phones\naors=2002\nallow=ulaw\n[2002]\ntype=aor\nmax_contacts=1\n";
pub(crate) const EXTENSIONS: &str = "[phones]\nexten => 1001,hint,PJSIP/anna\nexten => 100,1,Answer()\n same => n,Wait(60)\n\
    exten => 101,1,Answer()\n same => n,Milliwatt()\n";
