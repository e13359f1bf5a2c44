//! Calls that an operator or a file begins.

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use crate::running::Engine;

/// A phone that is called: it takes one INVITE and answers it.
pub(crate) struct Called {
    pub(crate) socket: UdpSocket,
}

impl Called {
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self { socket }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Waits for a request of this method.
    fn wait_for(&self, method: &str) -> (String, SocketAddr) {
        let mut buffer = [0; 4096];
        loop {
            let (length, from) = self.socket.recv_from(&mut buffer).expect("a request");
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(method) {
                return (text, from);
            }
        }
    }

    /// Answers a request.
    pub(crate) fn answer(&self, request: &str, to: SocketAddr, status: &str) {
        let header = |name: &str| {
            let start = format!("{name}:");
            request.lines().find(|line| line.starts_with(&start)).unwrap_or_default()
        };
        let own = self.address();
        let sdp = match request.starts_with("INVITE") && status.starts_with('2') {
            true => format!(
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                 m=audio {} RTP/AVP 0\r\n",
                own.port() - own.port() % 2
            ),
            false => String::new(),
        };
        let tag = if header("To").contains(";tag=") { "" } else { ";tag=called" };
        let response = format!(
            "SIP/2.0 {status}\r\n{}\r\n{}\r\n{}{tag}\r\n{}\r\n{}\r\n\
             Contact: <sip:1001@{own}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{sdp}",
            header("Via"),
            header("From"),
            header("To"),
            header("Call-ID"),
            header("CSeq"),
            sdp.len()
        );
        self.socket.send_to(response.as_bytes(), to).unwrap();
    }
}

#[test]
fn an_operator_calls_a_phone_and_sends_the_call_elsewhere() {
    let engine = Engine::start("originate");
    let phone = Called::new();
    let address = phone.address();
    let answering = thread::spawn(move || {
        let (invite, from) = phone.wait_for("INVITE");
        assert!(invite.contains("From: <sip:555@"), "{invite}");
        phone.answer(&invite, from, "180 Ringing");
        phone.answer(&invite, from, "200 OK");
        phone.wait_for("ACK");
        let (bye, from) = phone.wait_for("BYE");
        phone.answer(&bye, from, "200 OK");
    });
    let words = format!(
        "originate PJSIP/anna/sip:1001@{address} application Wait 60 --number 555 --timeout 10"
    );
    let called = engine.diesis(&words);
    assert!(called.status.success(), "{called:?}");
    let channels = engine.rows("show channels");
    assert_eq!(channels.len(), 1);
    let channel = channels[0]["channel"].as_str().unwrap();
    assert!(!engine.diesis(&format!("redirect {channel} phones,100,nowhere")).status.success());
    let moved = engine.diesis(&format!("redirect {channel} phones,100,2"));
    assert!(moved.status.success(), "{moved:?}");
    let moved = &engine.rows("show channels")[0];
    assert_eq!((&moved["extension"], &moved["context"]), (&"100".into(), &"phones".into()));
    assert!(engine.diesis(&format!("hangup {channel}")).status.success());
    answering.join().unwrap();
    let nobody = engine.diesis("originate PJSIP/nobody extension 100@phones");
    assert!(!nobody.status.success());
}

#[test]
fn a_call_file_is_called_archived_or_put_aside() {
    let engine = Engine::start("callfile");
    let phone = Called::new();
    let address = phone.address();
    let spool = engine.directory.join("spool");
    let put = |name: &str, text: &str| {
        // As every writer should: whole when it appears.
        let beside = spool.join(name);
        fs::write(&beside, text).unwrap();
        fs::rename(beside, spool.join("outgoing").join(name)).unwrap();
    };
    put("nonsense.call", "hello\n");
    let channel = format!("Channel: PJSIP/anna/sip:1001@{address}\n");
    put(
        "one.call",
        &format!("{channel}Callerid: Desk <100>\nContext: phones\nExtension: 100\nArchive: yes\n"),
    );
    let (invite, from) = phone.wait_for("INVITE");
    assert!(invite.contains("Desk") && invite.contains("sip:100@"), "{invite}");
    phone.answer(&invite, from, "200 OK");
    phone.wait_for("ACK");
    let limit = Instant::now() + Duration::from_secs(10);
    let done = spool.join("outgoing_done/one.call");
    while !fs::read_to_string(&done).is_ok_and(|text| text.contains("Status: Completed")) {
        assert!(Instant::now() < limit, "it is not archived");
        thread::yield_now();
    }
    assert!(spool.join("outgoing_failed/nonsense.call").exists());
    assert_eq!(engine.rows("show channels")[0]["extension"], "100");
    assert!(engine.diesis("hangup all").status.success());
    let (bye, from) = phone.wait_for("BYE");
    phone.answer(&bye, from, "200 OK");
}
