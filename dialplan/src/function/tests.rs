//! Functions that the recorded answers do not reach: those that need a call, a host or a database.

use bstr::BString;
use jiff::Timestamp;

use super::*;
use crate::channel::{Channel, Party};
use crate::executor::Executor;
use crate::host::{Accepts, ConferenceFacts, MemoryHost, SipObject};
use crate::plan::Plan;
use crate::record::Disposition;

struct Bench {
    plan: Plan,
    host: MemoryHost,
    executor: Executor,
}

impl Bench {
    fn new() -> Self {
        let mut channel = Channel::new("PJSIP/100-1");
        channel.caller = Party::new("Alice", "100");
        channel.unique_id = "1.1".into();
        Self {
            plan: Plan::default(),
            host: MemoryHost::new(Timestamp::UNIX_EPOCH),
            executor: Executor::idle(channel, "in", "200", 1),
        }
    }

    fn value(&mut self, text: &str) -> BString {
        self.executor.evaluate(&self.plan, &mut self.host, text.as_bytes())
    }

    fn run(&mut self, step: &str) {
        self.executor.run_application(&self.plan, &mut self.host, step.as_bytes());
    }
}

#[test]
fn table_is_ordered_so_that_every_function_is_found() {
    for pair in FUNCTIONS.windows(2) {
        assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
    }
    for function in FUNCTIONS {
        assert_eq!(find(function.name.as_bytes()).map(Function::name), Some(function.name));
    }
    assert!(find(b"len").is_none());
}

#[test]
fn what_the_host_knows_is_read() {
    let mut bench = Bench::new();
    bench.host.request = Some(
        [("X-A", "1"), ("From", "\"A\" <sip:a@h;user=phone>;tag=7"), ("x-a", "2"), ("X-B", "3")]
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec(),
    );
    assert_eq!(bench.value("${PJSIP_HEADER(read,X-A)}/${PJSIP_HEADER(read,x-a,2)}"), "1/2");
    assert_eq!(bench.value("${PJSIP_HEADER(read,X-*,3)}${PJSIP_HEADER(read,None)}"), "3");
    assert_eq!(bench.value("${PJSIP_HEADERS(X-)}|${SIP_HEADERS(f)}"), "X-A,X-B|From");
    assert_eq!(bench.value("${SIP_HEADER(X-B)}"), "3");
    assert_eq!(bench.value("${PJSIP_HEADER_PARAM(From,header,tag)}"), "7");
    assert_eq!(bench.value("${PJSIP_HEADER_PARAM(From,uri,user)}"), "phone");
    for (object, name, field, value) in [
        (SipObject::Endpoint, "bob", "aors", "home,car"),
        (SipObject::Endpoint, "bob", "context", "internal"),
        (SipObject::Aor, "home", "contact", "sip:b@10.0.0.1:5070"),
        (SipObject::Aor, "car", "contact", "sip:c@[2001:db8::1];transport=tcp"),
        (SipObject::Contact, "sip:b@10.0.0.1:5070", "status", "Reachable"),
        (SipObject::Contact, "sip:b@10.0.0.1:5070", "rtt", "12345"),
    ] {
        bench.host.sip_fields.insert((object, name.into(), field.into()), value.into());
    }
    assert_eq!(
        bench.value("${PJSIP_DIAL_CONTACTS(bob)}"),
        "PJSIP/bob/sip:b@10.0.0.1:5070&PJSIP/bob/sip:c@[2001:db8::1];transport=tcp"
    );
    assert_eq!(
        bench.value("${PJSIP_DIAL_CONTACTS(bob,home,77)}"),
        "PJSIP/bob/sip:77@10.0.0.1:5070"
    );
    assert_eq!(bench.value("${SIPPEER(bob)}:${SIPPEER(bob,port)}"), "10.0.0.1:5070");
    assert_eq!(
        bench.value("${SIPPEER(bob,status)} ${SIPPEER(bob,context)}"),
        "OK (12 ms) internal"
    );
    assert_eq!(
        bench.value("${PJSIP_ENDPOINT(bob,context)}${PJSIP_AOR(nobody,contact)}"),
        "internal"
    );
    let facts = ConferenceFacts {
        parties: vec!["PJSIP/1".into(), "PJSIP/2".into()],
        admins: vec!["PJSIP/1".into()],
        is_locked: true,
        ..ConferenceFacts::default()
    };
    bench.host.conferences.insert("room".into(), facts);
    assert_eq!(
        bench.value("${CONFBRIDGE_INFO(parties,room)}${CONFBRIDGE_INFO(admins,room)}${CONFBRIDGE_INFO(locked,room)}${CONFBRIDGE_INFO(parties,empty)}"),
        "2110"
    );
    assert_eq!(bench.value("${CONFBRIDGE_CHANNELS(parties,room)}"), "PJSIP/1,PJSIP/2");
}

#[test]
fn the_record_of_the_call_is_read_in_all_forms_and_written() {
    let mut bench = Bench::new();
    bench.host.elapsed = std::time::Duration::from_millis(90_500);
    bench.host.record.answer = Timestamp::from_second(30).ok();
    bench.host.record.disposition = Disposition::Answered;
    assert_eq!(
        bench.value("${CDR(clid)}|${CDR(src)}|${CDR(dst)}|${CDR(dcontext)}"),
        "\"Alice\" <100>|100|200|in"
    );
    assert_eq!(
        bench.value("${CDR(start)}|${CDR(answer,u)}|${CDR(end)}"),
        "1970-01-01 00:00:00|30.000000|"
    );
    assert_eq!(
        bench.value("${CDR(duration)}|${CDR(billsec,f)}|${CDR(billsec)}"),
        "90|60.500000|60"
    );
    assert_eq!(bench.value("${CDR(disposition)}|${CDR(disposition,u)}"), "ANSWERED|8");
    assert_eq!(bench.value("${CDR(amaflags)}|${CDR(amaflags,u)}"), "DOCUMENTATION|3");
    bench.run("Set(CDR(recordingfile)=a.wav)");
    bench.run("Set(CDR(userfield)=note)");
    bench.run("Set(CDR(accountcode)=7)");
    bench.run("Set(CDR(billsec)=9)");
    assert_eq!(
        bench.value(
            "${CDR(recordingfile)}|${CDR(userfield)}|${CHANNEL(accountcode)}|${CDR(billsec)}"
        ),
        "a.wav|note|7|60"
    );
    bench.run("Set(CDR_PROP(disable)=1)");
    assert!(bench.host.record.is_disabled);
    bench.run("ResetCDR()");
    assert_eq!(bench.value("${CDR(duration)}|${CDR(billsec)}|${CDR(recordingfile)}"), "0|0|");
}

#[test]
fn settings_that_the_host_accepts_are_kept() {
    let mut bench = Bench::new();
    bench.run("Set(VOLUME(TX)=3)");
    bench.run("Set(CONFBRIDGE(user,admin)=yes)");
    bench.run("Set(FEATUREMAP(blindxfer)=##)");
    bench.run("Set(FEATUREMAP(atxfer)=x)");
    bench.run("Set(JITTERBUFFER(adaptive)=default)");
    assert_eq!(
        bench.value("${VOLUME(TX)}${CONFBRIDGE(user,admin)}${FEATUREMAP(blindxfer)}"),
        "3yes##"
    );
    let kept = &bench.executor.channel().settings;
    assert_eq!(kept.len(), 4, "{kept:?}");
    bench.run("Set(CONFBRIDGE(clear)=)");
    assert_eq!(bench.executor.channel().settings.len(), 3);
    bench.host.accepts = Accepts::Nothing;
    bench.run("Set(VOLUME(RX)=3)");
    assert_eq!(bench.executor.channel().settings.len(), 3);
    assert!(bench.host.log.last().expect("a line").1.contains("VOLUME"), "{:?}", bench.host.log);
}

#[test]
fn small_functions_agree_with_the_manual() {
    let mut bench = Bench::new();
    assert_eq!(bench.value("${SQL_ESC(it's)}|${SQL_ESC_BACKSLASHES(a\\b)}"), "it''s|a\\\\b");
    assert_eq!(bench.value("${BLACKLIST()}"), "0");
    bench.run("Set(DB(blacklist/100)=1)");
    assert_eq!(bench.value("${BLACKLIST()}"), "1");
    bench.run("Set(LANGUAGE()=fr)");
    bench.run("Set(MUSICCLASS()=jazz)");
    bench.run("Set(CALLERPRES()=prohib)");
    bench.run("Set(AUDIOHOOK_INHERIT(MixMonitor)=yes)");
    assert_eq!(
        bench.value("${CHANNEL(language)}|${CHANNEL(musicclass)}|${CALLERID(pres)}"),
        "fr|jazz|prohib"
    );
    bench.run("Set(PRESENCE_STATE(CustomPresence:al)=away,lunch,back at two)");
    assert_eq!(
        bench.value("${PRESENCE_STATE(CustomPresence:al,value)}|${PRESENCE_STATE(CustomPresence:al,message)}|${PRESENCE_STATE(CustomPresence:bo,value)}"),
        "away|back at two|not_set"
    );
    bench.host.channels.push("PJSIP/9".into());
    bench.run("Set(EXPORT(PJSIP/9,x)=1)");
    bench.run("Set(EXPORT(PJSIP/8,x)=1)");
    assert_eq!(bench.value("${IMPORT(PJSIP/9,x)}|${IMPORT(PJSIP/8,x)}"), "1|");
    assert_eq!(bench.value("${PJSIP_PARSE_URI(sip:a@h:5070,port)}"), "5070");
    assert_eq!(bench.value("${SYSINFO(numcalls)}"), "1");
}

#[test]
fn a_function_that_only_other_engines_have_is_refused_by_name() {
    let mut bench = Bench::new();
    assert_eq!(bench.value("[${QUEUE_MEMBER(q,count)}]"), "[]");
    assert!(bench.host.log[0].1.contains("QUEUE_MEMBER(): this engine does not have it"));
}

#[test]
fn years_beyond_9999_are_written() {
    let mut bench = Bench::new();
    assert_eq!(bench.value("${STRFTIME(253402300800,UTC,%F %a)}"), "10000-01-01 Sat");
    assert_eq!(bench.value("${STRFTIME(9999999999999,UTC,%Y %j %s)}"), "318857 140 9999999999999");
    assert_eq!(bench.value("${STRFTIME(-99999999999,UTC,%Y-%m-%d)}"), "-1199-02-15");
    assert_eq!(bench.value("${STRFTIME(9223372036854775807,UTC,%Y)}"), "");
}

#[test]
fn numbers_are_read_by_the_plan() {
    let mut bench = Bench::new();
    assert_eq!(bench.value("<${NUMBERING(out,4092)}>"), "<>", "there is no plan");
    bench.plan.set_numbering(crate::numbering::NumberingPlan::default());
    assert_eq!(bench.value("${NUMBERING(out,+33 (0) 123456789)}"), "00123456789");
    assert_eq!(bench.value("${NUMBERING(In,00155171889)}"), "0155171889");
    assert_eq!(bench.value("${NUMBERING(reverse,00155171889)}"), "155171889");
    assert_eq!(bench.value("<${NUMBERING(up,1)}${NUMBERING(out)}>"), "<>");
}
