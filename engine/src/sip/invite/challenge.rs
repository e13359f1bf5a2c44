//! Challenges to requests within a dialog: re-INVITE, UPDATE, BYE, INFO, REFER and PRACK go out
//! again with credentials (RFC 3261 §22.2, §22.3).
//!
//! The call keeps the credentials itself: a BYE is challenged when the application knows the call
//! no more. The first INVITE is the application's to authenticate.

use std::time::Instant;

use super::*;
use crate::sip::auth::{OwnCredentials, Responder, borrowed};

/// What a call answers challenges with.
#[derive(Debug)]
pub(super) struct Authority {
    credentials: Vec<OwnCredentials>,
    responder: Responder,
}

impl Call {
    /// Says what challenges to requests within the dialog are answered with.
    pub(crate) fn set_credentials(&mut self, credentials: Vec<OwnCredentials>) {
        self.authority = (!credentials.is_empty())
            .then(|| Box::new(Authority { credentials, responder: Responder::new() }));
    }

    /// Sends a challenged request again. False when it is not to be: it was the first INVITE, there
    /// are no credentials for it, or they were refused before.
    pub(super) fn answer_challenge(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        response: &Response,
        now: Instant,
    ) -> bool {
        let is_first =
            |sent: &SentInvite| sent.transaction == transaction && sent.kind == InviteKind::First;
        if self.invites.iter().any(|sent| is_first(sent)) {
            return false;
        }
        let Some(authority) = &mut self.authority else { return false };
        let Some((request, _)) = core.layer.client_request(transaction) else { return false };
        let mut request = request.clone();
        let known = borrowed(&authority.credentials);
        let answered =
            authority.responder.answer(response, &mut request, &known, &mut core.entropy);
        if answered.is_err() {
            return false;
        }
        let dialog = match &mut self.state {
            State::Outgoing(outgoing) => {
                let tag = request.to_tag().and_then(Tag::parse);
                let early = outgoing.early.iter_mut().find(|it| it.dialog.id().remote_tag == tag);
                early.map(|early| &mut early.dialog)
            }
            _ => self.dialog.as_mut(),
        };
        let Some(dialog) = dialog else { return false };
        let flow = core.dialog_flow(dialog, self.flow, self.path);
        let (cseq, user) = (dialog.next_cseq(), User::Call(self.handle));
        let Some(again) = core.send_again(request, cseq, flow, user, now) else { return false };
        if self.bye == Some(transaction) {
            self.bye = Some(again);
        } else if let Some(sent) = self.invites.iter_mut().find(|it| it.transaction == transaction)
        {
            sent.progress = Progress::Final;
            let (kind, has_body) = (sent.kind, sent.has_body);
            self.invites.push(Box::new(SentInvite::new(again, kind, has_body)));
        } else if let Some(other) = self.others.iter_mut().find(|it| it.transaction == transaction)
        {
            let purpose = std::mem::replace(&mut other.purpose, Purpose::Settled);
            self.others.push(Other { transaction: again, purpose });
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sip::auth::OwnSecret;
    use crate::sip::pair::{Link, Pair, Who};
    use crate::sip::{EndpointConfig, Message};

    static NONE: std::sync::LazyLock<Headers> = std::sync::LazyLock::new(Headers::default);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn secrets() -> Vec<OwnSecret> {
        // MD5 of me:far:pw.
        let hash = "2fdd5ad514eee3dff824e97419e69c9a";
        vec![OwnSecret::Password("pw".into()), OwnSecret::Md5Hash(hash.into())]
    }

    fn credentials(secret: OwnSecret) -> Vec<OwnCredentials> {
        vec![OwnCredentials { username: "me".into(), realm: Some("far".into()), secret }]
    }

    fn pair() -> Pair {
        let methods = vec![Method::Options, Method::Message, Method::Refer];
        let extensions = vec!["timer", "100rel"];
        let config = EndpointConfig { methods, extensions, ..EndpointConfig::default() };
        Pair::with_config(Link::good(), config)
    }

    /// Turns the response on its way into a challenge.
    fn challenge(pair: &mut Pair, status: &str) {
        pair.drain();
        pair.alter(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let (_, rest) = text.split_once("\r\n").expect("a start line");
            let (head, body) = rest.split_once("\r\n\r\n").expect("a head");
            let name =
                if status.starts_with("407") { "Proxy-Authenticate" } else { "WWW-Authenticate" };
            let challenge = "Digest realm=\"far\",nonce=\"n\",algorithm=MD5,qop=\"auth\"";
            format!("SIP/2.0 {status}\r\n{name}: {challenge}\r\n{head}\r\n\r\n{body}").into_bytes()
        });
    }

    fn number(message: &Message) -> u32 {
        message.headers().cseq().map_or(0, |cseq| cseq.number)
    }

    #[test]
    fn each_request_within_a_call_is_sent_again_with_credentials_once() {
        for (secret, proxy) in secrets().into_iter().zip([false, true]) {
            let mut pair = pair();
            let (alice, _) = pair.call();
            let own = credentials(secret);
            pair.alice.endpoint.set_credentials(alice, own, pair.now).expect("there");
            let (status, name) = match proxy {
                true => ("407 Proxy Authentication Required", HeaderName::ProxyAuthorization),
                false => ("401 Unauthorized", HeaderName::Authorization),
            };
            for method in [Method::Info, Method::Refer] {
                let sent = pair.alice.endpoint.send_in_dialog(
                    alice,
                    method.clone(),
                    &NONE,
                    None,
                    pair.now,
                );
                let handle = sent.expect("answered");
                pair.run_for(ms(15));
                for event in pair.events(Who::Bob) {
                    let transaction = match event {
                        Event::InDialog { transaction, .. } | Event::Refer { transaction, .. } => {
                            transaction
                        }
                        other => panic!("{other:?}"),
                    };
                    let (bob, now) = (&mut pair.bob.endpoint, pair.now);
                    bob.respond(transaction, StatusCode::FORBIDDEN, &NONE, None, now).expect("new");
                }
                challenge(&mut pair, status);
                pair.run_for(ms(25));
                let again = pair.last(Who::Alice, method.as_str());
                assert!(again.headers().value(name).is_some(), "{method}");
                // Whatever answers the second is the application's, by the handle it knows.
                for event in pair.events(Who::Bob) {
                    if let Event::InDialog { transaction, .. } | Event::Refer { transaction, .. } =
                        event
                    {
                        let (bob, now) = (&mut pair.bob.endpoint, pair.now);
                        let _ = bob.respond(transaction, StatusCode::FORBIDDEN, &NONE, None, now);
                    }
                }
                pair.run_for(ms(50));
                let told = pair.events(Who::Alice);
                assert!(
                    matches!(&told[..], [Event::Response { request, .. }] if *request == handle),
                    "{told:?}"
                );
            }
            pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
            pair.run_for(ms(15));
            challenge(&mut pair, status);
            pair.run_for(ms(100));
            let byes: Vec<&Message> = pair
                .log
                .iter()
                .filter(|sent| sent.from == Who::Alice && sent.summary() == "BYE")
                .map(|sent| &sent.message)
                .collect();
            let [first, second] = byes[..] else { panic!("{} BYEs", byes.len()) };
            assert_eq!(number(second), number(first) + 1);
            assert!(second.headers().value(name).is_some());
            pair.run_out();
        }
    }

    #[test]
    fn reinvite_and_update_go_on_after_a_challenge_and_the_ack_carries_the_credentials() {
        let mut pair = pair();
        let (alice, bob) = pair.call();
        let own = credentials(OwnSecret::Password("pw".into()));
        pair.alice.endpoint.set_credentials(alice, own, pair.now).expect("there");
        let body = Body::sdp("offer");
        pair.alice.endpoint.reinvite(alice, &NONE, Some(&body), pair.now).expect("idle");
        pair.run_for(ms(15));
        pair.events(Who::Bob);
        let refused = StatusCode::NOT_ACCEPTABLE_HERE;
        pair.bob.endpoint.refuse_offer(bob, refused, &NONE, pair.now).expect("offered");
        challenge(&mut pair, "401 Unauthorized");
        pair.run_for(ms(25));
        assert!(matches!(pair.events(Who::Bob)[..], [Event::Reoffer { .. }]));
        pair.bob.endpoint.accept_offer(bob, &NONE, Some(&body), pair.now).expect("offered");
        pair.run_for(ms(50));
        assert!(matches!(pair.events(Who::Alice)[..], [Event::ReofferAnswered { .. }]));
        assert!(pair.last(Who::Alice, "ACK").headers().value(HeaderName::Authorization).is_some());
        pair.events(Who::Bob);
        pair.alice.endpoint.update(alice, &NONE, Some(&body), pair.now).expect("idle");
        pair.run_for(ms(15));
        pair.bob.endpoint.refuse_offer(bob, refused, &NONE, pair.now).expect("offered");
        challenge(&mut pair, "401 Unauthorized");
        pair.run_for(ms(25));
        pair.bob.endpoint.accept_offer(bob, &NONE, Some(&body), pair.now).expect("offered");
        pair.run_for(ms(50));
        assert!(matches!(pair.events(Who::Alice)[..], [Event::ReofferAnswered { .. }]));
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_out();
    }

    #[test]
    fn refused_credentials_are_not_tried_again() {
        let mut pair = pair();
        let (alice, bob) = pair.call();
        let own = credentials(OwnSecret::Password("wrong".into()));
        pair.alice.endpoint.set_credentials(alice, own, pair.now).expect("there");
        let body = Body::sdp("offer");
        pair.alice.endpoint.update(alice, &NONE, Some(&body), pair.now).expect("idle");
        for _ in 0..2 {
            pair.run_for(ms(15));
            let refused = StatusCode::NOT_ACCEPTABLE_HERE;
            pair.bob.endpoint.refuse_offer(bob, refused, &NONE, pair.now).expect("offered");
            challenge(&mut pair, "401 Unauthorized");
            pair.run_for(ms(15));
        }
        assert_eq!(pair.count(Who::Alice, "UPDATE"), 2);
        assert!(matches!(pair.events(Who::Alice)[..], [Event::ReofferRefused { .. }]));
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_out();
    }
}
