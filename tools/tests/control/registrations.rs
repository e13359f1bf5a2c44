//! What is registered elsewhere, as an operator sees it.

use std::{
    fs,
    net::UdpSocket,
    time::{Duration, Instant},
};

use crate::running::{EXTENSIONS, Engine, PJSIP};

/// Grants every REGISTER without asking for a password; one more message.
fn grant(registrar: &UdpSocket) -> String {
    let mut buffer = [0; 4096];
    let (length, from) = registrar.recv_from(&mut buffer).expect("a REGISTER");
    let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
    let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Contact:"];
    let lines = request.lines().filter(|line| kept.iter().any(|name| line.starts_with(name)));
    let lines: String = lines.map(|line| format!("{line}\r\n")).collect();
    let response = format!("SIP/2.0 200 OK\r\n{lines}Content-Length: 0\r\n\r\n");
    registrar.send_to(response.as_bytes(), from).expect("loopback takes it");
    request
}

/// The rows of a table once as many as wanted are registered.
fn registered(
    engine: &Engine,
    words: &str,
    wanted: usize,
) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let rows = engine.rows(words);
        if rows.iter().filter(|row| row["state"] == "registered").count() == wanted {
            return rows;
        }
        assert!(Instant::now() < deadline, "{rows:?}");
    }
}

#[test]
fn registrations_and_robots_are_shown_and_a_reload_takes_back_what_is_gone() {
    let engine = Engine::start("registrations");
    assert_eq!(engine.rows("show registrations").len(), 0);
    let registrar = UdpSocket::bind("127.0.0.1:0").unwrap();
    registrar.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let address = registrar.local_addr().unwrap();
    let write = |count: usize| {
        let robots =
            format!("[robots]\nfirst=6000\ncount={count}\nregistrar={address}\ncontext=robots\n");
        fs::write(engine.directory.join("robots.conf"), robots).unwrap();
    };
    let trunk = format!(
        "[provider]\ntype=registration\nserver_uri=sip:{address}\nclient_uri=sip:me@{address}\n"
    );
    fs::write(engine.directory.join("pjsip.conf"), format!("{PJSIP}{trunk}")).unwrap();
    let extensions = format!("{EXTENSIONS}[robots]\nexten => _6XXX,1,Answer()\n");
    fs::write(engine.directory.join("extensions.conf"), extensions).unwrap();
    write(3);
    let told = engine.diesis("reload");
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("registrations: 2 added (provider, robots)\n"), "{told}");
    for _ in 0..4 {
        assert!(grant(&registrar).starts_with("REGISTER "));
    }
    let robots = registered(&engine, "show robots", 3);
    assert_eq!(robots[2]["robot"], "6002");
    assert_eq!((&robots[2]["context"], &robots[2]["calls"]), (&"robots".into(), &0.into()));
    assert_eq!(robots[2]["remote"], address.to_string());
    assert_eq!(engine.rows("show robots 6001-6009").len(), 2);
    let trunks = registered(&engine, "show registrations", 1);
    assert_eq!((trunks.len(), &trunks[0]["registration"]), (1, &"provider".into()));
    let connections = engine.rows("show connections");
    let link = connections.iter().find(|row| row["connection"] == "robots").expect("the link");
    assert_eq!((&link["current"], &link["total"]), (&3.into(), &3.into()));

    write(2);
    assert!(engine.diesis("reload").status.success());
    let taken_back = grant(&registrar);
    assert!(taken_back.contains("6002@") && taken_back.contains("Expires: 0"), "{taken_back}");
    assert_eq!(engine.rows("show robots").len(), 2);
}
