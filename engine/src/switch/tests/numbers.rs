//! Numbers that the numbering plan reads before the dialplan sees them.

use diesis_dialplan::conf::MemoryFiles;
use diesis_dialplan::operation::{OriginateStatus, OriginateTarget};

use super::*;
use crate::{
    config::{Configuration, PeerNumbering},
    switch::{Completion, Numbers, Originate},
};

const DIALPLAN: &str = "[office]\nexten => _X.,1,NoOp(${CALLERID(num)})\nsame => n,Answer()\n\
                        same => n,Wait(1)\nexten => desk,1,Answer()\nsame => n,Wait(1)\n";

/// A switch whose peer `0155171889` has its numbers read so.
fn house(numbering: PeerNumbering) -> Exchange {
    house_of(numbering, DIALPLAN)
}

fn house_of(numbering: PeerNumbering, dialplan: &str) -> Exchange {
    let files = MemoryFiles::new()
        .with("extensions.conf", dialplan)
        .with("numbering.conf", "[general]\nexternal_prefix=0\n")
        .with("pjsip.conf", "");
    let loaded = Configuration::load(&files);
    assert!(!loaded.is_refused());
    let plan = Arc::into_inner(loaded.configuration.plan).expect("nobody else has it");
    let mut settings = SipSettings::default();
    let peer = Peer { numbering, ..peer("0155171889", "office") };
    settings.peers.insert(peer).expect("a new name");
    settings.aors.insert(aor("0155171889")).expect("a new name");
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    Exchange::with_plan(config, plan, &[])
}

fn dialled(numbering: PeerNumbering, number: &str) -> String {
    let mut exchange = house(numbering);
    let mut phone = Phone::new("0155171889", "0155171889-password", 1);
    phone.dial(&mut exchange, number);
    if phone.last_status() == Some(200) {
        phone.ack(&mut exchange);
    }
    exchange.run_for(secs(5));
    phone.pump(&mut exchange);
    let steps = exchange.steps();
    exchange.assert_nothing_left();
    steps.first().cloned().unwrap_or_default()
}

#[test]
fn num_a_peer_has_its_numbers_read_where_it_asks_for_it() {
    let first = |numbering| dialled(numbering, "+33155171889");
    assert_eq!(first(PeerNumbering::Dialled), "00155171889,1 NoOp(0155171889)");
    assert_eq!(first(PeerNumbering::Both), "00155171889,1 NoOp(155171889)");
    let of = |numbering| dialled(numbering, "4092");
    assert_eq!(of(PeerNumbering::None), "4092,1 NoOp(0155171889)");
    assert_eq!(of(PeerNumbering::Callers), "4092,1 NoOp(155171889)");
    // A name is no number.
    assert_eq!(dialled(PeerNumbering::Both, "desk"), "desk,1 Answer()");
}

#[test]
fn num_an_origination_takes_numbers_as_people_write_them() {
    let originated = |destination: &str, extension: &str, numbers| {
        let mut exchange = house(PeerNumbering::None);
        let target = OriginateTarget::Place {
            context: "office".into(),
            extension: extension.into(),
            priority: 1,
        };
        let destination = Originate::destination(destination.as_bytes()).expect("one");
        let originate = Originate { numbers, ..Originate::new(destination, target) };
        let id = exchange.originate(Box::new(originate));
        exchange.run_for(secs(5));
        let mut steps = exchange.steps();
        steps.retain(|step| step.contains("NoOp"));
        let numbers = steps.iter().map(|it| it.split(',').next().unwrap_or_default().to_owned());
        (exchange.completion(id), numbers.collect::<Vec<_>>())
    };
    let (done, numbers) =
        originated("Local/+39 12 33 44 77@office", "+33 (0)1 55.17.18.89", Numbers::Written);
    assert_eq!(done, Some(Completion::Originated(OriginateStatus::Success)));
    assert_eq!(numbers, ["0003912334477", "00155171889"]);
    let (_, numbers) = originated("Local/4092@office", "00155171889", Numbers::Dialled);
    assert_eq!(numbers, ["4092", "00155171889"]);
}

#[test]
fn num_what_nobody_could_dial_is_refused_by_name() {
    let mut exchange = house(PeerNumbering::None);
    let destination = Originate::destination(b"Local/+33 1 55 x@office").expect("one");
    let target = OriginateTarget::Application { name: "Wait".into(), arguments: "1".into() };
    let originate = Originate { numbers: Numbers::Written, ..Originate::new(destination, target) };
    let id = exchange.originate(Box::new(originate));
    let why = "\"+33 1 55 x\" can not be dialled: it is neither a number nor a name";
    assert_eq!(exchange.completion(id), Some(Completion::Failed(why.to_owned())));
}

/// Whom the application calls, and where that call goes when it is answered.
#[test]
fn num_the_application_originate_takes_numbers_as_people_write_them() {
    let dialplan = |first: &str| {
        format!("[office]\nexten => 1,1,{first}\nsame => n,NoOp(${{ORIGINATE_STATUS}})\n{DIALPLAN}")
    };
    for (first, expected) in [
        (
            "Originate(Local/+39 12 33 44 77@office,exten,office,+33 (0)1 55.17.18.89,1,20,N)",
            &["0003912334477,1", "00155171889,1", "SUCCESS"][..],
        ),
        (
            "Originate(Local/4092@office,exten,office,00155171889,1,20)",
            &["4092,1", "00155171889,1", "SUCCESS"],
        ),
        ("Originate(Local/+33 1 5x@office,app,Wait,1,,20,N)", &["FAILED"]),
        ("Originate(PJSIP/trunk/+33 1 55,app,Wait,1,,20,N)", &["FAILED"]),
    ] {
        let mut exchange = house_of(PeerNumbering::None, &dialplan(first));
        let mut phone = Phone::new("0155171889", "0155171889-password", 1);
        phone.dial(&mut exchange, "1");
        exchange.run_for(secs(5));
        let steps = exchange.steps();
        let told = steps.iter().filter(|step| step.contains("NoOp"));
        let told = told
            .map(|step| match step.strip_prefix("1,2 NoOp(") {
                Some(status) => status.trim_end_matches(')'),
                None => step.split(' ').next().unwrap_or_default(),
            })
            .collect();
        // Who is called goes on as soon as the caller does.
        let sorted = |mut told: Vec<&str>| {
            told.sort_unstable();
            told.join(" ")
        };
        assert_eq!(sorted(told), sorted(expected.to_vec()), "{first}: {steps:?}");
    }
}

#[test]
fn num_without_a_plan_a_written_number_is_refused() {
    let mut exchange = Exchange::new(config(), DIALPLAN, &[]);
    let destination = Originate::destination(b"Local/+33155171889@office").expect("one");
    let target = OriginateTarget::Application { name: "Wait".into(), arguments: "1".into() };
    let originate = Originate { numbers: Numbers::Written, ..Originate::new(destination, target) };
    let id = exchange.originate(Box::new(originate));
    let why = "there is no numbering.conf to read the number by".to_owned();
    assert_eq!(exchange.completion(id), Some(Completion::Failed(why)));
}
