//! Whole calls in virtual time: phones that speak SIP, a switch, and media that only counts.

mod admission;
mod availability;
mod bridging;
mod calls_recorded;
mod codecs;
mod conference;
mod connected;
mod consult;
mod device_state;
mod dial;
mod dialplan;
mod digits;
mod embedder;
mod headers;
mod holding;
mod letters;
mod listening;
mod local;
mod messages;
mod music;
mod nat;
mod numbers;
mod originate;
mod page;
mod parking;
mod participants;
mod path;
mod pickup;
mod programs;
mod qualify;
mod quality;
mod recording;
mod records;
mod referring;
mod registrations;
mod reliable;
mod replace;
mod robots;
mod schedules;
mod silence;
mod subscriptions;
mod supervision;
mod timers;
mod transfer;
mod videoshare;
mod videoshare_robots;
mod walk;

use std::{sync::Arc, time::Duration};

use super::{
    IncomingCalls, StepTrace, SwitchConfig, SwitchEvent, Verb,
    testing::{Exchange, Phone, Received},
};
use crate::{
    channel::{Cause, ChannelId, DigitSet, PlayPart, ReadDigits},
    config::{
        Aor, AuthCredentials, AuthSecret, CodecName, DtmfMode, Expiration, IdentifyBy, Peer,
        Secret, SipSettings, WhenFull,
    },
};

/// A peer with a password and an address of record of its own name.
fn peer(name: &str, context: &str) -> Peer {
    Peer {
        context: context.into(),
        codecs: vec![CodecName::Pcmu, CodecName::Pcma],
        auth: vec![AuthCredentials {
            name: name.into(),
            username: name.into(),
            realm: None,
            secret: AuthSecret::Password(Secret::new(format!("{name}-password"))),
        }],
        aors: vec![name.into()],
        dtmf: DtmfMode::TelephoneEvent,
        identify_by: vec![IdentifyBy::Username, IdentifyBy::Address],
        ..Peer::new(name)
    }
}

fn aor(name: &str) -> Aor {
    Aor {
        name: name.into(),
        max_contacts: 1,
        when_full: WhenFull::ReplaceOldest,
        expiration: Expiration::default(),
        contacts: vec![],
        qualify: Default::default(),
        remove_unavailable: false,
        support_path: false,
        mailboxes: vec![],
        voicemail_extension: None,
    }
}

/// Alice, Bob and Carol, in the context `office`.
fn sip() -> SipSettings {
    let mut settings = SipSettings::default();
    for name in ["alice", "bob", "carol"] {
        settings.peers.insert(peer(name, "office")).expect("a new name");
        settings.aors.insert(aor(name)).expect("a new name");
    }
    settings
}

fn config() -> SwitchConfig {
    SwitchConfig { sip: Arc::new(sip()), trace_steps: StepTrace::On, ..SwitchConfig::default() }
}

/// An exchange of these two, the second of whom is Bob and has registered.
fn exchange_of(peers: [Peer; 2], plan: &str) -> (Exchange, Phone) {
    let mut settings = SipSettings::default();
    for peer in peers {
        settings.aors.insert(aor(&peer.name.to_string())).expect("a new name");
        settings.peers.insert(peer).expect("a new name");
    }
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::new(config, plan, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    (exchange, bob)
}

fn embedded() -> SwitchConfig {
    SwitchConfig { incoming: IncomingCalls::Embedder, ..config() }
}

fn alice() -> Phone {
    Phone::new("alice", "alice-password", 1)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
