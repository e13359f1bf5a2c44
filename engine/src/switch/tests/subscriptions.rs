//! Lamps: who watches extensions and waits for messages is told as soon as something changes.

use super::*;
use crate::{
    config::{Lamps, Mailbox, MessageWaiting, Watching, WhenSubscribed},
    presence::{MessageCounts, RingingWhileInUse},
    sip::{HeaderName, Request},
    switch::{Command, CommandId, Completion, MailboxError},
};

const PLAN: &str = "
[office]
exten => 200,1,Dial(PJSIP/bob,20)
exten => 220,1,Answer()
same => n,ConfBridge(600)
[lamps]
include => more
exten => all,hint,PJSIP/alice&PJSIP/bob
exten => _7.,hint,PJSIP/${EXTEN:1}
[more]
exten => bob,hint,PJSIP/bob
";

/// Carol watches `lamps`, and has the mailboxes `1` and `2@office`.
fn settings() -> SipSettings {
    let mut settings = sip();
    let mut carol = peer("carol", "office");
    carol.watching =
        Watching { context: Some("lamps".into()), shortest: secs(60), ..Watching::default() };
    replace(&mut settings, carol);
    let mailboxes = vec![Mailbox::new(b"1"), Mailbox::new(b"2@office")];
    settings.aors = settings
        .aors
        .iter()
        .map(|it| match it.name == "carol" {
            true => Aor {
                mailboxes: mailboxes.clone(),
                voicemail_extension: Some("*97".into()),
                ..it.clone()
            },
            false => it.clone(),
        })
        .collect();
    settings
}

fn replace(settings: &mut SipSettings, peer: Peer) {
    settings.peers = settings
        .peers
        .iter()
        .map(|it| if it.name == peer.name { peer.clone() } else { it.clone() })
        .collect();
}

fn with(settings: SipSettings) -> (Exchange, Phone) {
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    (Exchange::new(config, PLAN, &[]), Phone::new("carol", "carol-password", 3))
}

fn exchange() -> (Exchange, Phone) {
    with(settings())
}

/// Subscribes, and takes the To tag and the first NOTIFY.
fn watch(carol: &mut Phone, exchange: &mut Exchange, of: &str, headers: &str) -> (String, Request) {
    assert_eq!(carol.subscribe(exchange, of, None, headers), 200);
    let tag = carol.last_response().and_then(|it| it.to_tag()).expect("a tag").to_owned();
    let mut notifies = carol.take_notifies(exchange);
    assert_eq!(notifies.len(), 1, "the state at once");
    (tag, notifies.remove(0))
}

fn body(notify: &Request) -> String {
    String::from_utf8(notify.body().to_vec()).expect("text")
}

/// What stands between `<state>` and its end, of each dialog; with its direction.
fn dialogs(notify: &Request) -> Vec<String> {
    let body = body(notify);
    let dialogs = body.split("<dialog id=").skip(1).map(|dialog| {
        let state = dialog.split("<state>").nth(1).unwrap_or_default();
        let state = state.split("</state>").next().unwrap_or_default();
        let direction = dialog.split("direction=\"").nth(1).unwrap_or_default();
        format!("{state} {}", direction.split('"').next().unwrap_or_default())
    });
    dialogs.collect()
}

fn state_of(notify: &Request) -> &str {
    notify.text(HeaderName::SubscriptionState).unwrap_or_default()
}

const DIALOG: &str = "Event: dialog\nAccept: application/dialog-info+xml\nExpires: 600";

#[test]
fn lamp_goes_on_in_the_step_in_which_the_phone_rings() {
    let (mut exchange, mut carol) = exchange();
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    let (_, first) = watch(&mut carol, &mut exchange, "bob", DIALOG);
    assert_eq!(
        (dialogs(&first), state_of(&first)),
        (vec!["terminated ".into()], "active;expires=600")
    );
    assert!(body(&first).contains("version=\"0\" state=\"full\" entity=\"sip:bob@127.0.0.1\""));
    assert!(first.content_type().is_some_and(|it| it.is("application", "dialog-info+xml")));
    let mut alice = alice();
    alice.dial(&mut exchange, "200");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 180);
    let ringing = carol.take_notifies(&mut exchange);
    assert_eq!(dialogs(&ringing[0]), ["early recipient"]);
    assert!(body(&ringing[0]).contains("version=\"1\""));
    assert!(body(&ringing[0]).contains(">sip:alice@127.0.0.1</identity>"), "{}", body(&ringing[0]));
    bob.answer_call(&mut exchange, &invite, 200);
    assert_eq!(dialogs(&carol.take_notifies(&mut exchange)[0]), ["confirmed recipient"]);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    alice.bye(&mut exchange);
    bob.pump(&mut exchange);
    assert_eq!(dialogs(&carol.take_notifies(&mut exchange)[0]), ["terminated "]);
    let view = exchange.switch.view_subscriptions(exchange.now);
    assert_eq!((view[0].of.as_str(), view[0].state.as_str()), ("sip:bob@127.0.0.1", "NOT_INUSE"));
    let hints = exchange.switch.view_hints();
    let bob = hints.iter().find(|it| it.extension == "bob").expect("there");
    assert_eq!((bob.context.as_slice(), bob.watchers), (&b"more"[..], 1));
    exchange.run_for(secs(601));
    assert_eq!(state_of(&carol.take_notifies(&mut exchange)[0]), "terminated;reason=timeout");
    exchange.assert_nothing_left();
}

#[test]
fn presence_is_told_in_its_own_words_and_refreshed_in_its_dialog() {
    let (mut exchange, mut carol) = exchange();
    let presence = "Event: presence\nExpires: 120";
    let (tag, first) = watch(&mut carol, &mut exchange, "7alice", presence);
    assert!(body(&first).contains("<basic>closed</basic>"), "she is not registered");
    exchange.run_for(secs(100));
    assert_eq!(carol.subscribe(&mut exchange, "7alice", Some(&tag), presence), 200);
    assert_eq!(carol.take_notifies(&mut exchange).len(), 1, "a refresh is told the state again");
    assert_eq!(alice().register(&mut exchange, "alice"), 200);
    assert!(body(&carol.take_notifies(&mut exchange)[0]).contains("<basic>open</basic>"));
    exchange.run_for(secs(100));
    assert_eq!(exchange.switch.subscription_count(), 1);
    let over = "Event: presence\nExpires: 0";
    assert_eq!(carol.subscribe(&mut exchange, "7alice", Some(&tag), over), 200);
    let last = carol.take_notifies(&mut exchange);
    assert_eq!(state_of(&last[0]), "terminated;reason=timeout");
    assert!(body(&last[0]).contains("<basic>open</basic>"));
    assert_eq!(exchange.switch.subscription_count(), 0);
    exchange.assert_nothing_left();
}

#[test]
fn what_is_not_there_or_not_allowed_is_refused_by_what_it_is() {
    let (mut exchange, mut carol) = exchange();
    for (of, headers, status) in [
        ("bob", "Expires: 60", 489),
        ("bob", "Event: winfo", 489),
        ("bob", "Event: dialog\nAccept: application/xpidf+xml", 406),
        ("bob", "Event: presence\nAccept: application/xpidf+xml", 406),
        ("bob", "Event: dialog\nExpires: 5", 423),
        ("bob", "Event: dialog\nExpires: later", 400),
        ("bob", "Event: dialog\nRequire: eventlist", 420),
        ("nobody", "Event: dialog", 404),
        ("alice", "Event: message-summary", 404),
    ] {
        assert_eq!(carol.subscribe(&mut exchange, of, None, headers), status, "{of} {headers}");
        let response = carol.last_response().expect("an answer");
        match status {
            489 => assert_eq!(
                response.text(HeaderName::AllowEvents),
                Some("dialog, presence, message-summary")
            ),
            423 => assert_eq!(response.number(HeaderName::MinExpires), Some(60)),
            406 => assert!(response.value(HeaderName::Accept).is_some()),
            _ => {}
        }
    }
    assert_eq!(carol.take_notifies(&mut exchange).len(), 0);
    let mut stranger = Phone::new("mallory", "guess", 9);
    assert_eq!(stranger.subscribe(&mut exchange, "bob", None, DIALOG), 401, "as anybody");
    let mut settings = settings();
    let mut deaf = peer("carol", "lamps");
    deaf.watching.is_allowed = false;
    replace(&mut settings, deaf);
    let (mut exchange, mut carol) = with(settings);
    assert_eq!(carol.subscribe(&mut exchange, "bob", None, DIALOG), 603);
    exchange.assert_nothing_left();
}

#[test]
fn ringing_of_a_busy_one_is_seen_by_who_wants_to() {
    for (wants, expected) in [
        (RingingWhileInUse::Confirmed, "confirmed initiator"),
        (RingingWhileInUse::Early, "early recipient"),
    ] {
        let mut settings = settings();
        let mut carol = settings.peers.get("carol".into()).expect("there").clone();
        carol.watching.ringing_while_in_use = wants;
        replace(&mut settings, carol);
        let (mut exchange, mut carol) = with(settings);
        let mut bob = Phone::new("bob", "bob-password", 2);
        assert_eq!(bob.register(&mut exchange, "bob"), 200);
        watch(&mut carol, &mut exchange, "all", DIALOG);
        alice().dial(&mut exchange, "200");
        let invite = bob.take_invite(&mut exchange);
        bob.answer_call(&mut exchange, &invite, 180);
        let told = carol.take_notifies(&mut exchange);
        assert_eq!(dialogs(told.last().expect("told")), [expected]);
    }
}

#[test]
fn waiting_messages_are_told_to_who_asked() {
    let (mut exchange, mut carol) = exchange();
    let event = "Event: message-summary\nExpires: 3600";
    let (_, first) = watch(&mut carol, &mut exchange, "carol", event);
    assert!(
        body(&first).starts_with("Messages-Waiting: no\r\nMessage-Account: sip:*97@127.0.0.1\r\n")
    );
    set(&mut exchange, "1", 2, 3);
    set(&mut exchange, "2@office", 1, 0);
    let told = carol.take_notifies(&mut exchange);
    assert!(body(&told[0]).contains("Voice-Message: 2/3 (0/0)"), "one is on its way");
    let told = carol.take_notifies(&mut exchange);
    assert!(told.is_empty(), "{told:?}");
    set(&mut exchange, "1@default", 2, 3);
    assert!(carol.take_notifies(&mut exchange).is_empty(), "the same as before");
    let too_long =
        exchange.switch.set_mailbox("x".repeat(81).as_bytes().into(), NONE, exchange.now);
    assert_eq!(too_long, Err(MailboxError::Name));
    let id = CommandId::new(77);
    let command = Command::SetMailbox { id, mailbox: "2@office".into(), counts: NONE };
    exchange.switch.handle_command(command, exchange.now);
    exchange.tick();
    assert_eq!(exchange.completion(id), Some(Completion::Done));
    assert!(body(&carol.take_notifies(&mut exchange)[0]).contains("Voice-Message: 2/3"));
}

const NONE: MessageCounts = MessageCounts { new: 0, old: 0, urgent_new: 0, urgent_old: 0 };

fn set(exchange: &mut Exchange, mailbox: &str, new: u32, old: u32) {
    let counts = MessageCounts { new, old, ..NONE };
    exchange.switch.set_mailbox(mailbox.into(), counts, exchange.now).expect("room");
    exchange.tick();
}

#[test]
fn phones_with_a_mailbox_are_told_without_asking() {
    for lamps in [Lamps::One, Lamps::Each] {
        let mut settings = settings();
        let mut carol = settings.peers.get("carol".into()).expect("there").clone();
        carol.message_waiting = MessageWaiting {
            mailboxes: vec![Mailbox::new(b"1"), Mailbox::new(b"2@office")],
            lamps,
            from_user: Some("voicemail".into()),
            when_subscribed: WhenSubscribed::ToldOnce,
            ..MessageWaiting::default()
        };
        replace(&mut settings, carol);
        let (mut exchange, mut carol) = with(settings);
        assert_eq!(carol.register(&mut exchange, "carol"), 200);
        assert!(carol.take_notifies(&mut exchange).is_empty(), "nothing is known yet");
        set(&mut exchange, "1", 2, 0);
        let told = carol.take_notifies(&mut exchange);
        assert!(body(&told[0]).contains("Voice-Message: 2/0"));
        let from = told[0].from_header().expect("there");
        assert_eq!((from.uri().user(), state_of(&told[0])), (Some("voicemail"), "terminated"));
        assert!(told[0].contact().is_some());
        set(&mut exchange, "2@office", 3, 0);
        let told = carol.take_notifies(&mut exchange);
        let sum = if lamps == Lamps::One { "Voice-Message: 5/0" } else { "Voice-Message: 3/0" };
        assert!(body(&told[0]).contains(sum), "{}", body(&told[0]));
        for new in 10..20 {
            set(&mut exchange, "1", new, 0);
        }
        let told = carol.take_notifies(&mut exchange);
        assert_eq!(told.len(), 2, "the first and, when that was taken, the latest");
        assert!(body(&told[1]).contains(if lamps == Lamps::One { ": 22/0" } else { ": 19/0" }));
        // Another registration is told at once.
        carol.unregister(&mut exchange, "carol");
        assert_eq!(carol.register(&mut exchange, "carol"), 200);
        let count = carol.received.iter().filter(|it| matches!(it, Received::Request(_))).count();
        assert_eq!(count, if lamps == Lamps::One { 1 } else { 2 });
        carol.take_notifies(&mut exchange);
        watch(&mut carol, &mut exchange, "carol", "Event: message-summary\nExpires: 60");
        set(&mut exchange, "1", 0, 0);
        assert_eq!(carol.take_notifies(&mut exchange).len(), 1, "by the subscription alone");
    }
}

#[test]
fn another_configuration_ends_what_is_not_there_any_more() {
    let (mut exchange, mut carol) = exchange();
    watch(&mut carol, &mut exchange, "bob", DIALOG);
    watch(&mut carol, &mut exchange, "all", DIALOG);
    watch(&mut carol, &mut exchange, "carol", "Event: message-summary\nExpires: 600");
    let text = PLAN.replace("exten => bob,hint,PJSIP/bob", "exten => dora,hint,PJSIP/dora");
    let plan = Arc::new(super::super::plan::testing::plan(&text));
    exchange.switch.replace_plan(plan, exchange.now);
    exchange.tick();
    let told = carol.take_notifies(&mut exchange);
    assert_eq!(told.iter().map(state_of).collect::<Vec<_>>(), ["terminated;reason=noresource"]);
    assert_eq!(exchange.switch.subscription_count(), 2);
    // Carol loses her mailboxes, and then her right to watch.
    for (allowed, expected) in
        [(true, "terminated;reason=noresource"), (false, "terminated;reason=rejected")]
    {
        let mut settings = sip();
        let mut carol_now = peer("carol", "office");
        carol_now.watching.context = Some("lamps".into());
        carol_now.watching.is_allowed = allowed;
        replace(&mut settings, carol_now);
        let replacement = SwitchConfig {
            sip: Arc::new(settings),
            plan: Arc::new(super::super::plan::testing::plan(&text)),
            ..config()
        };
        exchange.switch.replace(replacement.into(), exchange.now);
        exchange.tick();
        let told = carol.take_notifies(&mut exchange);
        assert_eq!(told.iter().map(state_of).collect::<Vec<_>>(), [expected]);
    }
    exchange.assert_nothing_left();
}

#[test]
fn engine_that_stops_says_so() {
    let (mut exchange, mut carol) = exchange();
    watch(&mut carol, &mut exchange, "bob", DIALOG);
    exchange.switch.end_subscriptions(exchange.now);
    exchange.tick();
    assert_eq!(state_of(&carol.take_notifies(&mut exchange)[0]), "terminated;reason=deactivated");
    exchange.assert_nothing_left();
}

#[test]
fn phone_that_starts_anew_again_and_again_costs_no_more_than_it_may() {
    let (mut exchange, mut carol) = exchange();
    for _ in 0..1100 {
        assert_eq!(carol.subscribe(&mut exchange, "bob", None, DIALOG), 200);
    }
    carol.take_notifies(&mut exchange);
    assert_eq!(exchange.switch.subscription_count(), 1000);
    let config = SwitchConfig { sip: Arc::new(settings()), ..config() };
    let limits = crate::switch::Limits { subscriptions: 10, ..Default::default() };
    let mut exchange = Exchange::new(SwitchConfig { limits, ..config }, PLAN, &[]);
    for nth in 0..50 {
        let status = carol.subscribe(&mut exchange, "bob", None, DIALOG);
        assert_eq!(status, if nth < 10 { 200 } else { 503 });
    }
    let retry = carol.last_response().and_then(|it| it.seconds(HeaderName::RetryAfter));
    assert_eq!(retry, Some(secs(5)));
}

#[test]
fn flood_of_subscribes_without_credentials_leaves_nothing() {
    let (mut exchange, _) = exchange();
    for host in 10..200 {
        let mut stranger = Phone::new("carol", "wrong", host);
        assert_ne!(stranger.subscribe(&mut exchange, "bob", None, DIALOG), 200);
    }
    assert_eq!(exchange.switch.subscription_count(), 0);
    assert_eq!(exchange.switch.endpoint.subscription_count(), 0);
    exchange.assert_nothing_left();
}

#[test]
fn publish_is_not_served() {
    let (mut exchange, mut carol) = exchange();
    assert_eq!(carol.publish(&mut exchange, "carol"), 405);
    let allow = carol.last_response().and_then(|it| it.text(HeaderName::Allow)).unwrap_or_default();
    assert!(allow.contains("SUBSCRIBE") && !allow.contains("PUBLISH"));
}
