//! Claims about `type=system`.

use std::time::Duration;

use super::{TRANSPORT, pjsip, said};
use crate::config::{SocketOptions, StackSettings, TcpKeepalive};
use crate::sip::LargeRequests;

#[test]
fn large_requests_stay_on_udp_as_in_asterisk_and_go_over_tcp_if_asked() {
    let stack = |text: &str| {
        let loaded = pjsip(&format!("{TRANSPORT}[system]\ntype=system\n{text}"));
        assert_eq!(said(&loaded), [""; 0], "{text}");
        loaded.configuration.sip.stack
    };
    assert_eq!(stack(""), StackSettings::default());
    assert_eq!(stack("disable_tcp_switch=yes\n").large_requests, LargeRequests::Datagrams);
    assert_eq!(stack("disable_tcp_switch=no\n").large_requests, LargeRequests::Connections);
    assert_eq!(stack("timer_t1=250\ntimer_b=32000\n").timer_t1, Duration::from_millis(250));
}

#[test]
fn what_the_stack_does_not_do_is_said() {
    let loaded =
        pjsip(&format!("{TRANSPORT}[system]\ntype=system\ncompact_headers=yes\ntimer_t1=7\n"));
    let said = said(&loaded);
    assert!(said[0].contains("headers have their full names"), "{said:?}");
    assert!(said[1].contains("from 100 to 10000"), "{said:?}");
}

#[test]
fn transports_say_how_packets_are_marked_and_connections_kept() {
    let options = |text: &str| {
        let transport = "[t]\ntype=transport\nprotocol=tcp\nbind=127.0.0.1:5060\n";
        let loaded = pjsip(&format!("{transport}{text}"));
        (loaded.configuration.sip.transports[0].options, said(&loaded))
    };
    assert_eq!(options(""), (SocketOptions::default(), vec![]));
    let keeps =
        "tcp_keepalive_enable=yes\ntcp_keepalive_idle_time=60\ntcp_keepalive_probe_count=3\n";
    let keepalive = TcpKeepalive { idle: Duration::from_secs(60), probes: 3, ..Default::default() };
    assert_eq!(
        options(&format!("tos=cs3\ncos=3\n{keeps}")),
        (SocketOptions { tos: Some(0x60), cos: Some(3), keepalive: Some(keepalive) }, vec![])
    );
    let (_, said) = options("tos=lowdelay\ncos=9\n");
    assert_eq!(said.len(), 2, "{said:?}");
}
