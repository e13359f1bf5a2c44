//! Keeping a call alive: refreshes by UPDATE or re-INVITE, and the end of a session that is not
//! refreshed (RFC 4028 §7 to §10).

use std::time::{Duration, Instant};

use super::*;
use crate::sip::session_timer::{Due, Refusal};

impl Call {
    /// Says what the call wants of the extensions that its two sides agree on. For a callee: with
    /// what its INVITE is to be refused, if that does not suit.
    pub(crate) fn set_terms(&mut self, core: &Core, terms: Terms) -> Result<(), Refusal> {
        self.timer = SessionTimer::new(terms.timers);
        self.reliable = terms.reliable;
        let State::Incoming(incoming) = &mut self.state else { return Ok(()) };
        let Some(request) = core.layer.answerable(incoming.transaction) else { return Ok(()) };
        incoming.provisionals.sending = terms.reliable.check(request)?;
        self.timer.check_first(request)
    }

    /// The headers of a 2xx to an INVITE or UPDATE, the timer's among them.
    pub(super) fn timed(
        &mut self,
        core: &Core,
        transaction: Handle,
        headers: &Headers,
        now: Instant,
    ) -> Headers {
        let mut headers = headers.clone();
        if let Some(request) = core.layer.answerable(transaction) {
            self.timer.accept(request, &mut headers, now);
        }
        headers
    }

    /// Takes note of which requests the peer says that it takes.
    pub(super) fn note_allowed(&mut self, message: &Headers) {
        if message.value(HeaderName::Allow).is_some() {
            self.peer_updates = message.has_token(HeaderName::Allow, Method::Update.as_str());
        }
    }

    /// The timer is due.
    pub(super) fn handle_session_timer(&mut self, core: &mut Core, now: Instant) {
        match self.timer.handle_timeout(now) {
            None => {}
            Some(Due::Expired) => {
                let mut headers = Headers::default();
                headers.push(HeaderName::Reason, "SIP;cause=408;text=\"Session expired\"");
                self.end_with_bye(core, &headers, End::SessionExpired, now);
            }
            Some(Due::Refresh) => self.refresh(core, now),
        }
    }

    fn refresh(&mut self, core: &mut Core, now: Instant) {
        // Until it succeeds it is tried again; the expiry bounds that.
        self.timer.refresh_at(now + REFRESH_RETRY);
        if self.is_inviting() || self.is_updating() {
            return;
        }
        if !self.peer_updates {
            core.events.push_back(Event::RefreshDue { call: CallHandle(self.handle) });
            return;
        }
        let Some(dialog) = &mut self.dialog else { return };
        let mut headers = Headers::default();
        self.timer.write_refresh(&mut headers);
        let flow = core.dialog_flow(dialog, self.flow, self.path);
        let parts = Parts { contact: Some(&self.contact), headers: Some(&headers), body: None };
        let user = User::Call(self.handle);
        // A full table delays the refresh; it is tried again.
        if let Some(sent) = core.send_in_dialog(dialog, Method::Update, parts, flow, user, now) {
            self.others.push(Other { transaction: sent, purpose: Purpose::Refresh });
        }
    }

    /// The response to a refresh by UPDATE; `None` when none came.
    pub(super) fn handle_refreshed(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        response: Option<&Response>,
        now: Instant,
    ) {
        if response.is_some_and(|response| response.status().is_provisional()) {
            return;
        }
        self.settle_other(transaction);
        if !matches!(self.state, State::Confirmed(_)) {
            return;
        }
        let Some(response) = response else {
            let end = End::Failed(Failure::TimedOut);
            return self.end_with_bye(core, &Headers::default(), end, now);
        };
        match response.status() {
            status if status.is_success() => {
                self.note_allowed(response);
                if let Some(dialog) = &mut self.dialog {
                    dialog.refresh_target(response);
                }
                self.timer.learn(response, now);
            }
            StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT => {
                self.end_with_bye(core, &Headers::default(), End::Failed(Failure::DialogGone), now);
            }
            StatusCode::SESSION_INTERVAL_TOO_SMALL => {
                if self.timer.raise(response) {
                    self.timer.refresh_at(now);
                }
            }
            StatusCode::REQUEST_PENDING => {
                let wait = self.glare_wait(core);
                self.timer.refresh_at(now + wait);
            }
            StatusCode::SERVER_INTERNAL_ERROR => {
                let wait = response.seconds(HeaderName::RetryAfter).unwrap_or(REFRESH_RETRY);
                self.timer.refresh_at(now + wait.min(LONGEST_EXPIRES));
            }
            // It does not take UPDATE, whatever it said: a re-INVITE it must take.
            _ => {
                self.peer_updates = false;
                self.timer.refresh_at(now);
            }
        }
    }

    /// How long to wait after a 491: who owns the Call-ID waits longer, so that the two part
    /// (RFC 3261 §14.1).
    pub(super) fn glare_wait(&self, core: &mut Core) -> Duration {
        let wait = match self.role {
            Role::Caller => 2100 + 10 * core.entropy.below(190),
            Role::Callee => 10 * core.entropy.below(200),
        };
        Duration::from_millis(wait.into())
    }
}

/// How long after a refresh that did not work out the next is tried.
const REFRESH_RETRY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sip::pair::{Link, Pair, Who};
    use crate::sip::{EndpointConfig, Message, SessionTimers, TimerPolicy};

    static NONE: std::sync::LazyLock<Headers> = std::sync::LazyLock::new(Headers::default);

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn wishes(policy: TimerPolicy, min_se: u64, session_expires: u64) -> Terms {
        let timers =
            SessionTimers { policy, min_se: secs(min_se), session_expires: secs(session_expires) };
        Terms { timers, ..Terms::default() }
    }

    fn usual() -> Terms {
        wishes(TimerPolicy::IfSupported, 90, 1800)
    }

    fn text(message: &Message, name: HeaderName) -> String {
        message.headers().text(name).unwrap_or_default().to_owned()
    }

    fn pair(link: Link) -> Pair {
        Pair::with_config(
            link,
            EndpointConfig { extensions: vec!["timer"], ..EndpointConfig::default() },
        )
    }

    fn call(pair: &mut Pair, alices: Terms, bobs: Terms) -> (CallHandle, CallHandle) {
        call_with(pair, alices, bobs, &NONE)
    }

    /// Alice calls; Bob applies his terms and answers, or refuses with what they say.
    fn call_with(
        pair: &mut Pair,
        alices: Terms,
        bobs: Terms,
        headers: &Headers,
    ) -> (CallHandle, CallHandle) {
        let spec = OutgoingCall { terms: alices, ..pair.outgoing(Some(Body::sdp("offer"))) };
        let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
        let mut bob = None;
        let until = pair.now + secs(5);
        while pair.step(until) {
            for event in pair.events(Who::Bob) {
                let Event::IncomingCall { call, .. } = event else { continue };
                bob = Some(call);
                let (endpoint, now) = (&mut pair.bob.endpoint, pair.now);
                match endpoint.set_terms(call, bobs, now).expect("new") {
                    Ok(()) => {
                        endpoint
                            .answer(call, headers, Some(&Body::sdp("answer")), now)
                            .expect("new");
                    }
                    Err((status, why)) => {
                        endpoint.reject_stateless(call, status, &why, now).expect("new");
                    }
                }
            }
        }
        (alice, bob.expect("called"))
    }

    fn ended(pair: &mut Pair, who: Who) -> bool {
        pair.events(who).iter().any(|event| matches!(event, Event::Ended { .. }))
    }

    fn hang_up(mut pair: Pair, alice: CallHandle) {
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_out();
    }

    #[test]
    fn caller_refreshes_by_update_at_half_time_for_as_long_as_the_call_lasts() {
        let mut pair = pair(Link::good());
        let (alice, _) = call(&mut pair, usual(), usual());
        let invite = pair.last(Who::Alice, "INVITE");
        assert_eq!(text(invite, HeaderName::SessionExpires), "1800");
        assert_eq!(text(invite, HeaderName::MinSe), "90");
        assert!(invite.headers().supports("timer"));
        let answer = pair.last(Who::Bob, "200 INVITE");
        assert_eq!(text(answer, HeaderName::SessionExpires), "1800;refresher=uac");
        assert!(answer.headers().requires("timer"));
        pair.run_for(secs(890));
        assert_eq!(pair.count(Who::Alice, "UPDATE"), 0);
        pair.run_for(secs(9 * 900));
        assert_eq!((pair.count(Who::Alice, "UPDATE"), pair.count(Who::Bob, "UPDATE")), (9, 0));
        let update = pair.last(Who::Alice, "UPDATE");
        assert_eq!(text(update, HeaderName::SessionExpires), "1800;refresher=uac");
        assert!(!ended(&mut pair, Who::Alice) && !ended(&mut pair, Who::Bob));
        hang_up(pair, alice);
    }

    #[test]
    fn silence_ends_both_sides_a_little_before_the_session_expires() {
        let mut pair = pair(Link::good());
        call(&mut pair, wishes(TimerPolicy::IfSupported, 90, 600), usual());
        pair.link.drop = 1000;
        // The refresh at 300 s times out after 32 s; Bob waits for 600 - 32 s.
        pair.run_for(secs(325));
        assert!(!ended(&mut pair, Who::Alice));
        pair.run_for(secs(10));
        assert!(ended(&mut pair, Who::Alice) && !ended(&mut pair, Who::Bob));
        pair.run_for(secs(225));
        assert_eq!(pair.count(Who::Bob, "BYE"), 0);
        pair.run_for(secs(10));
        assert!(matches!(
            pair.events(Who::Bob)[..],
            [Event::Ended { end: End::SessionExpired, .. }]
        ));
        let reason = text(pair.last(Who::Bob, "BYE"), HeaderName::Reason);
        assert_eq!(reason, "SIP;cause=408;text=\"Session expired\"");
        pair.run_out();
    }

    #[test]
    fn short_interval_gets_422_and_is_asked_for_once_more() {
        let mut pair = pair(Link::good());
        let (alice, _) = call(
            &mut pair,
            wishes(TimerPolicy::IfSupported, 90, 120),
            wishes(TimerPolicy::IfSupported, 300, 1800),
        );
        assert_eq!(text(pair.last(Who::Bob, "422 INVITE"), HeaderName::MinSe), "300");
        let invite = pair.last(Who::Alice, "INVITE");
        assert_eq!(text(invite, HeaderName::SessionExpires), "300");
        assert_eq!(text(invite, HeaderName::MinSe), "300");
        assert_eq!(pair.count(Who::Alice, "INVITE"), 2);
        let answer = pair.last(Who::Bob, "200 INVITE");
        assert_eq!(text(answer, HeaderName::SessionExpires), "300;refresher=uac");
        hang_up(pair, alice);
    }

    #[test]
    fn peer_without_timers_is_left_alone_unless_they_are_required() {
        for (policy, refused) in [
            (TimerPolicy::IfSupported, None),
            (TimerPolicy::Always, None),
            (TimerPolicy::Required, Some("421 INVITE")),
        ] {
            let mut pair = pair(Link::good());
            let (alice, _) = call(&mut pair, Terms::default(), wishes(policy, 90, 1800));
            match refused {
                Some(refused) => {
                    let response = pair.last(Who::Bob, refused);
                    assert_eq!(text(response, HeaderName::Require), "timer");
                    pair.run_out();
                }
                None => {
                    let answer = pair.last(Who::Bob, "200 INVITE");
                    let expires = text(answer, HeaderName::SessionExpires);
                    let always = policy == TimerPolicy::Always;
                    assert_eq!(expires, if always { "1800;refresher=uas" } else { "" });
                    assert!(!answer.headers().requires("timer"));
                    pair.run_for(secs(4000));
                    assert_eq!(pair.count(Who::Bob, "UPDATE"), if always { 4 } else { 0 });
                    hang_up(pair, alice);
                }
            }
        }
        // The other way about: a callee without timers.
        let mut pair = pair(Link::good());
        call(&mut pair, wishes(TimerPolicy::Required, 90, 1800), Terms::default());
        assert_eq!(text(pair.last(Who::Bob, "420 INVITE"), HeaderName::Unsupported), "timer");
        pair.run_out();
    }

    #[test]
    fn peer_that_takes_no_update_is_refreshed_by_reinvite() {
        let mut pair = pair(Link::good());
        let mut headers = Headers::default();
        headers.push(HeaderName::Allow, "INVITE, ACK, CANCEL, BYE");
        let (alice, bob) = call_with(&mut pair, usual(), usual(), &headers);
        pair.events(Who::Alice);
        pair.run_for(secs(899));
        assert!(matches!(pair.events(Who::Alice)[..], [Event::RefreshDue { .. }]));
        let body = Body::sdp("offer");
        pair.alice.endpoint.reinvite(alice, &NONE, Some(&body), pair.now).expect("idle");
        pair.run_for(secs(1));
        assert!(matches!(pair.events(Who::Bob).pop(), Some(Event::Reoffer { .. })));
        pair.bob.endpoint.accept_offer(bob, &NONE, Some(&body), pair.now).expect("offered");
        pair.run_for(secs(60));
        let answer = pair.last(Who::Bob, "200 INVITE");
        assert_eq!(text(answer, HeaderName::SessionExpires), "1800;refresher=uac");
        assert!(matches!(pair.events(Who::Alice)[..], [Event::ReofferAnswered { .. }]));
        // The interval began anew.
        pair.run_for(secs(1000));
        assert!(!ended(&mut pair, Who::Bob));
        hang_up(pair, alice);
    }

    #[test]
    fn no_lossy_network_ends_a_refreshed_call_or_leaves_one_half_open() {
        let mut refreshed = 0;
        for seed in 0..60 {
            let mut link = Link::bad(seed);
            let (drop, double) = (link.drop.min(150), link.double);
            (link.drop, link.double) = (0, 0);
            let mut pair = pair(link);
            let (alice, _) = call(
                &mut pair,
                wishes(TimerPolicy::IfSupported, 90, 600),
                wishes(TimerPolicy::Always, 90, 600),
            );
            (pair.link.drop, pair.link.double) = (drop, double);
            pair.run_for(secs(6000));
            refreshed += pair.count(Who::Bob, "200 UPDATE");
            assert!(!ended(&mut pair, Who::Alice) && !ended(&mut pair, Who::Bob), "seed {seed}");
            let _ = pair.alice.endpoint.bye(alice, &NONE, pair.now);
            pair.run_out();
        }
        assert!(refreshed > 1000, "{refreshed}");
    }
}
