//! A running engine over its control socket, as an operator does it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::UdpSocket,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

/// A running `diesis run` with a directory of its own; both are gone when dropped.
struct Engine {
    child: Child,
    directory: PathBuf,
    sip: std::net::SocketAddr,
}

impl Engine {
    fn start(name: &str) -> Self {
        Self::start_with(name, "")
    }

    fn start_with(name: &str, asterisk: &str) -> Self {
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
        let mut child = Command::new(env!("CARGO_BIN_EXE_diesis"))
            .args(["run", "--shards", "1", "-C"])
            .arg(&directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("Diesis ready: udp ");
        let address = address.and_then(|rest| rest.split([',', ' ']).next()?.parse().ok());
        let Some(sip) = address else {
            let _ = child.kill();
            let output = child.wait_with_output().unwrap();
            panic!("{line:?} {}", String::from_utf8_lossy(&output.stderr));
        };
        Self { child, directory, sip }
    }

    fn diesis(&self, words: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_diesis"))
            .args(words.split_whitespace())
            .arg("-C")
            .arg(&self.directory)
            .output()
            .unwrap()
    }

    /// The rows of a table.
    fn rows(&self, words: &str) -> Vec<serde_json::Map<String, serde_json::Value>> {
        let output = self.diesis(&format!("{words} --format json"));
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("run/diesis.ctl")
    }

    /// Calls a number as the peer without a password; returns the status of the final response.
    fn call(&self, phone: &UdpSocket, number: &str, call_id: &str) -> String {
        let own = phone.local_addr().unwrap();
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {} RTP/AVP 0\r\n",
            own.port() + 1
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
                return status;
            }
        }
    }

    fn wait(&mut self) -> String {
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
        let _ = fs::remove_dir_all(&self.directory);
    }
}

const PJSIP: &str = "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:0\n\
    [anna]\ntype=endpoint\ncontext=phones\naors=1001\nallow=ulaw\n\
    [1001]\ntype=aor\nmax_contacts=2\ncontact=sip:1001@127.0.0.1:5999\n\
    [2002]\ntype=endpoint\ncontext=phones\naors=2002\nallow=ulaw\n[2002]\ntype=aor\nmax_contacts=1\n";
const EXTENSIONS: &str = "[phones]\nexten => 100,1,Answer()\n same => n,Wait(60)\n";

#[test]
fn an_operator_sees_peers_stations_and_calls_and_ends_them() {
    let engine = Engine::start("show");
    let mode = fs::metadata(engine.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);

    let contacts = engine.rows("show contacts");
    assert_eq!(contacts[0]["contact"], "sip:1001@127.0.0.1:5999");
    let connections = engine.rows("show connections");
    assert_eq!(connections[0]["host"], "127.0.0.1");
    assert_eq!(connections[0]["port"], 5999);
    assert_eq!((&connections[0]["current"], &connections[0]["total"]), (&1.into(), &3.into()));
    assert_eq!(connections[1]["connected"], false);
    let stations = engine.rows("show stations 2000-2999");
    assert_eq!((stations.len(), &stations[0]["state"]), (1, &"Disconnected".into()));
    assert_eq!(engine.rows("show transports")[0]["port"], engine.sip.port());
    assert_eq!(engine.rows("show version")[0]["protocol"], 1);

    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&phone, "100", "one"), "200");
    let channels = engine.rows("show channels");
    assert_eq!(channels.len(), 1);
    assert_eq!(
        (&channels[0]["extension"], &channels[0]["context"]),
        (&"100".into(), &"phones".into())
    );
    assert_eq!(engine.rows("show peers")[0]["calls"], 1);
    let table = engine.diesis("show calls");
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.starts_with("from  to   state"), "{table}");

    let channel = channels[0]["channel"].as_str().unwrap();
    assert!(!engine.diesis("hangup nobody").status.success());
    assert!(engine.diesis(&format!("hangup {channel}")).status.success());
    assert_eq!(engine.rows("show uptime")[0]["calls_begun"], 1);
}

#[test]
fn a_draining_engine_refuses_new_calls_and_stops() {
    let mut engine = Engine::start("drain");
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&phone, "100", "one"), "200");
    let mut stop = Command::new(env!("CARGO_BIN_EXE_diesis"))
        .args(["stop", "--when-idle", "--within", "30", "-C"])
        .arg(&engine.directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(stop.stdout.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert_eq!(line, "new calls are refused; waiting for 1 to end\n");
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&other, "100", "two"), "503");
    assert_eq!(engine.rows("show uptime")[0]["new_calls"], "refused");
    assert!(engine.diesis("hangup all").status.success());
    assert!(stop.wait().unwrap().success());
    engine.wait();
    assert!(!engine.socket().exists(), "the socket goes with the engine");
    let records = fs::read_to_string(engine.directory.join("log/cdr-csv/Master.csv")).unwrap();
    assert_eq!(records.lines().count(), 1, "{records}");
    assert!(
        records.starts_with("\"\",\"anna\",\"100\",\"phones\",\"anna\",\"PJSIP/anna-"),
        "{records}"
    );
    assert!(records.contains(",\"ANSWERED\",\"DOCUMENTATION\",\""), "{records}");
}

#[test]
fn nonsense_on_the_socket_is_answered_and_harmless() {
    let engine = Engine::start("nonsense");
    for (line, answer) in [
        ("hello\n", "not a request"),
        ("{\"version\":7,\"command\":\"show\"}\n", "speaks version 1"),
        ("{\"version\":1,\"command\":\"dance\"}\n", "unknown variant `dance`"),
    ] {
        let mut stream = UnixStream::connect(engine.socket()).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("{\"error\":") && said.contains(answer), "{said}");
    }
    assert_eq!(engine.rows("show calls").len(), 0);
}

#[test]
fn without_an_engine_it_is_said_what_to_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_diesis"))
        .args(["show", "calls", "--socket", "/nowhere/diesis.ctl"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no engine runs there; name its directory with -C"), "{said}");
}
