//! What an operator sees when the engine can't start: one sentence, a way out, no stack trace.

use std::net::UdpSocket;
use std::process::{Command, Output};

fn diesis(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_diesis")).args(arguments).output().unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_busy_port_is_named_with_the_way_out() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = diesis(&["--bind", "127.0.0.1", "--port", &port, "--exit"]);
    assert_eq!(output.status.code(), Some(1));
    let said = error(&output);
    assert!(said.contains(&format!("127.0.0.1:{port}: another program uses that port")), "{said}");
    assert!(said.contains("--port"), "{said}");
}

#[test]
fn media_ports_that_are_not_to_be_had_are_named_with_the_way_out() {
    let output =
        diesis(&["--bind", "127.0.0.1", "--port", "0", "--rtp", "20001-20002", "--shards", "2"]);
    assert_eq!(output.status.code(), Some(1));
    let said = error(&output);
    assert!(said.contains("20001 to 20002") && said.contains("--rtp"), "{said}");
}
