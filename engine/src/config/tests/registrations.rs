//! What is registered elsewhere: `type=registration` and `robots.conf`.

use super::*;
use crate::{
    config::{AttributedBy, Line, Numbering, WhenBusy, WhichDiverter},
    sip::registration::AuthRejection,
};

#[test]
fn registrations_are_asterisks_and_are_never_given_up_unless_told() {
    let text = "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:5060\n\
        [trunk]\ntype=endpoint\nallow=ulaw\nauth=trunk\n\
        [trunk]\ntype=auth\nusername=me\npassword=secret\n\
        [plain]\ntype=registration\nserver_uri=sip:sip.example.com\n\
        client_uri=sip:me@sip.example.com\n\
        [all]\ntype=registration\nserver_uri=sips:pbx.example.com:5071\n\
        client_uri=\"Me\" <sip:me@example.com>\noutbound_auth=trunk\ncontact_user=4711\n\
        contact_header_params=a=b\\;c\nexpiration=120\nretry_interval=20\n\
        forbidden_retry_interval=600\nfatal_retry_interval=0\nmax_retries=10\n\
        auth_rejection_permanent=no\ntransport=udp\nline=yes\nendpoint=trunk\n\
        outbound_proxy=sip:192.0.2.1\nsupport_path=yes\n";
    let loaded = pjsip(text);
    assert_eq!(said(&loaded), Vec::<String>::new());
    let [plain, all] = &loaded.configuration.sip.registrations[..] else { panic!("two") };
    assert_eq!((plain.number.to_string(), plain.expiration.as_secs()), ("s".into(), 3600));
    assert_eq!((plain.retry_interval.as_secs(), plain.max_retries), (60, None));
    assert_eq!((plain.line, &plain.peer), (Line::Unmarked, &None));
    assert_eq!(all.registrar.as_str(), "sips:pbx.example.com:5071");
    assert_eq!(all.address_of_record.display_name(), Some("Me"));
    assert_eq!((all.number.to_string(), &all.contact_parameters[..]), ("4711".into(), ";a=b;c"));
    assert_eq!(all.credentials[0].username, "me");
    assert_eq!((all.expiration.as_secs(), all.retry_interval.as_secs()), (120, 20));
    assert_eq!(all.forbidden_retry_interval.map(|it| it.as_secs()), Some(600));
    assert_eq!((all.fatal_retry_interval, all.max_retries), (None, Some(11)));
    assert_eq!(all.auth_rejection, AuthRejection::Temporary);
    assert_eq!((all.line, all.peer.as_ref().unwrap().to_string()), (Line::Marked, "trunk".into()));
    assert_eq!(all.proxies[0].uri().as_str(), "sip:192.0.2.1;lr");
    assert_eq!(all.extensions, ["path"]);
}

const PHONES: &str = "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:5060\n\
    [pbx]\ntype=endpoint\ncontext=from-pbx\nallow=alaw\nlanguage=fr\nauth=pbx\n\
    [pbx]\ntype=auth\nusername=pbx\npassword=secret\n";

fn robots(text: &str) -> Loaded {
    let plan = "[from-pbx]\nexten => _X!,1,Answer()\n[some]\nexten => _6[123],1,Answer()\n\
        [sometimes]\ninclude => some,9:00-17:00\n[robots]\nexten => _X!,1,Answer()\n";
    load(&[("pjsip.conf", PHONES), ("robots.conf", text), ("extensions.conf", plan)])
}

#[test]
fn a_range_of_robots_is_a_registration_for_each_number_and_a_peer_for_all() {
    let loaded = robots(
        "[shared](!)\nregistrar=192.0.2.10:5070\nendpoint=pbx\n\
         [announcements](shared)\nfirst=0098\ncount=3\n\
         [rules](shared)\nfirst=6000\ncount=1\nregistrar=sips:[2001:db8::1]\ncontext=robots\n\
         password=1234\nusername=rule\nrealm=r\ndomain=example.com\nexpiration=300\nline=no\n",
    );
    assert_eq!(said(&loaded), Vec::<String>::new());
    let sip = &loaded.configuration.sip;
    let [first, _, last, rule] = &sip.registrations[..] else { panic!("four") };
    assert_eq!((first.number.to_string(), last.number.to_string()), ("0098".into(), "0100".into()));
    assert_eq!(first.registrar.as_str(), "sip:192.0.2.10:5070");
    assert_eq!(first.address_of_record.uri().as_str(), "sip:0098@192.0.2.10");
    let auth = &first.credentials[0];
    assert_eq!((auth.username.to_string(), &auth.realm), ("0098".into(), &None));
    assert_eq!(auth.secret, AuthSecret::Password(Secret::new("0000")));
    assert_eq!((first.expiration.as_secs(), first.line), (120, Line::Marked));
    assert_eq!(rule.registrar.as_str(), "sips:example.com");
    assert_eq!(rule.next_hop.as_ref().unwrap().as_str(), "sips:[2001:db8::1]");
    assert_eq!(rule.address_of_record.uri().as_str(), "sips:6000@example.com");
    assert_eq!(rule.credentials[0].username, "rule");
    assert_eq!((rule.expiration.as_secs(), rule.line), (300, Line::Unmarked));
    let peer = sip.peers.get("announcements".into()).unwrap();
    assert_eq!(
        (peer.context.to_string(), peer.language.clone()),
        ("from-pbx".into(), Some("fr".into()))
    );
    // The registration is the proof: whoever calls by that name is nobody.
    assert!(peer.auth.is_empty() && peer.identify_by.is_empty());
    assert_eq!(sip.peers.get("rules".into()).unwrap().context, "robots");
}

#[test]
fn what_is_wrong_with_a_range_is_named_at_its_place() {
    let cases: &[(&str, &[&str])] = &[
        (
            "[a]\nfirst=6000\n",
            &[
                "1:2 error[C006] [a] has no `count` (add how many there are, such as count=500)",
                "1:2 error[C006] [a] has no `registrar` (add the telephone system, such as \
                 registrar=192.0.2.10)",
                "1:2 error[C006] [a] has no `context` (add the context that calls enter with the \
                 number as extension)",
            ],
        ),
        (
            "[a]\nfirst=60x0\ncount=0\nregistrar=sip:a@b\ncontext=robots\npasword=1\n",
            &[
                "2:7 error[C004] `60x0` is no value for `first` (expected a number of digits \
                 alone, such as 6000)",
                "3:7 error[C004] `0` is no value for `count` (expected a whole number from 1 to \
                 10000)",
                "4:11 error[C004] `sip:a@b` is no value for `registrar` (expected a host with or \
                 without port, or a URI such as sip:pbx.example.com)",
                "6:1 warning[C002] robots.conf has no setting `pasword` (did you mean `password`? \
                 It has no effect as it is)",
            ],
        ),
        (
            "[a]\nfirst=9990\ncount=500\nregistrar=h\ncontext=robots\n",
            &[
                "3:7 error[C013] 500 numbers from 9990 on have not all 4 digits (begin lower, write \
                 leading zeros, or take fewer)",
            ],
        ),
        (
            "[a]\nfirst=60\ncount=9\nregistrar=h\ncontext=robts\n\
             [b]\nfirst=65\ncount=1\nregistrar=H\ncontext=robots\nendpoint=x\ntransport=y\n",
            &[
                "5:9 warning[C007] the dialplan has no context `robts` (write `[robts]` in \
                 extensions.conf: calls are answered 404 as it is)",
                "7:7 error[C008] robot 65 is in [a] already (ranges at one registrar must not \
                 overlap)",
                "11:10 error[C007] pjsip.conf has no endpoint [x] (add the section, or correct the \
                 name)",
                "12:11 error[C007] pjsip.conf has no transport [y] to use (add the section, or \
                 correct the name)",
            ],
        ),
        (
            "[a]\nfirst=60\ncount=9\nregistrar=h\ncontext=some\n",
            &[
                "5:9 warning[C007] [some] has no extension for robot 60 and 5 more (their calls are \
                 answered 404; add one, such as a pattern)",
            ],
        ),
        ("[a]\nfirst=60\ncount=9\nregistrar=h\ncontext=sometimes\n", &[]),
        (
            "[pbx]\nfirst=60\ncount=9\nregistrar=h\ncontext=robots\n[general]\ncount=1\n",
            &[
                "1:2 error[C008] [pbx] is the name of an endpoint or registration of pjsip.conf, \
                 too (give the range another name)",
                "6:2 warning[C009] [general] of robots.conf is no range and has no effect (write \
                 what ranges share into a template: [all](!), then [robots](all))",
            ],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(said(&robots(text)), *expected, "{text}");
    }
}

const RANGE: &str =
    "[r]\nfirst=6000\ncount=100\nregistrar=192.0.2.10\ncontext=robots\napplication=rules\n";

#[test]
fn rob_1_a_range_says_for_whom_its_calls_are_and_how_many_it_takes() {
    let text = format!(
        "{RANGE}lines=3\nwhen_busy=refuse\ndiverter=first\nnumbering=no\n\
         attribution=mapping, history-info\nmap=6007 => anna\nmap=_600X => _410X\n\
         map=_6[1-9]XX => _5XXX\nmap=_60XX => 100\n[plain]\nfirst=7000\ncount=1\n\
         registrar=192.0.2.10\ncontext=robots\n"
    )
    .replace("count=100", "count=200");
    let loaded = robots(&format!("{text}application=Rules\n"));
    let rules = "no step of the dialplan runs Rules, and none calls as Robot/";
    let said = said(&loaded);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|it| it.contains("warning[C023]") && it.contains(rules)), "{said:?}");
    let ranges = &loaded.configuration.sip.robots;
    let range = ranges.get("r".into()).expect("it is there");
    assert_eq!((range.lines, range.when_busy), (3, WhenBusy::Refuse));
    assert_eq!((range.diverter, range.numbering), (WhichDiverter::First, Numbering::Left));
    assert_eq!(range.attribution, [AttributedBy::Mapping, AttributedBy::HistoryInfo]);
    let user = |robot: &str| range.users.get(&bstr::BString::from(robot)).map(ToString::to_string);
    let users = ["6007", "6008", "6010", "6123", "7000"].map(user);
    let users = users.map(Option::unwrap_or_default);
    assert_eq!(users, ["anna", "4108", "100", "5123", ""]);
    let plain = ranges.get("plain".into()).expect("it is there");
    assert_eq!((plain.lines, plain.when_busy), (1, WhenBusy::Next));
    let alone = robots(&format!("{RANGE}when_busy=Range\n"));
    let alone = alone.configuration.sip.robots.get("r".into()).map(|it| it.when_busy);
    assert_eq!(alone, Some(WhenBusy::Range));
    assert_eq!(plain.attribution, AttributedBy::ALL);
}

#[test]
fn rob_1_what_is_wrong_with_pools_and_mappings_is_named_at_its_place() {
    let first = |text: &str| said(&robots(text)).into_iter().next().unwrap_or_default();
    for (setting, expected) in [
        ("lines=0", "7:7 error[C004] `0` is no value for `lines`"),
        ("when_busy=never", "7:11 error[C004] `never` is no value for `when_busy`"),
        ("attribution=to,to", "7:13 error[C004] `to,to` is no value for `attribution`"),
        ("attribution=", "7:"),
        ("diverter=both", "7:10 error[C004] `both` is no value for `diverter`"),
        ("map=6003", "7:5 error[C004] `6003` is no value for `map`"),
        ("map=6003 => _47XX", "7:5 error[C004] `6003 => _47XX` is no value for `map`"),
        ("map=_X => a b", "7:5 error[C004] `_X => a b` is no value for `map`"),
        ("map=7000 => 1", "7:5 warning[C023] `7000` is no robot of this range, or one above"),
        ("map=_6XXX => 1\nmap=6003 => 2", "8:5 warning[C023] `6003` is no robot of this range"),
    ] {
        let found = first(&format!("{}{setting}\n", RANGE.replace("rules", "mine")));
        assert!(found.starts_with(expected), "{setting}: {found}");
    }
    let plan = "[robots]\nexten => _X!,1,Dial(Robot/mine/1&Robot/yours/2,20)\n\
        same => n,Set(X=Robot/${Y}/3)\n";
    let files = [("pjsip.conf", PHONES), ("robots.conf", RANGE), ("extensions.conf", plan)];
    let found = said(&load(&files.map(|(name, text)| (name, text))));
    assert_eq!(found.iter().filter(|it| it.contains("no range of the application")).count(), 2);
    assert!(!found.iter().any(|it| it.contains("C023")), "a variable may say rules: {found:?}");
}
