//! Claims about `type=system`.

use std::time::Duration;

use super::{TRANSPORT, pjsip, said};
use crate::config::StackSettings;
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
