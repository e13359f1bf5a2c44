//! REFER within a call: its answer and the reports that follow (RFC 3515 §2.4).
//!
//! The implicit subscription shares the call's dialog and may outlive the call (RFC 5057): a phone
//! that transfers hangs up at once and still wants to know. One NOTIFY is on its way at a time, so
//! that none overtakes another; what happened meanwhile is told by the next, the latest only.

use std::time::Instant;

use super::*;
use crate::sip::event::ReferHandle;
use crate::sip::refer::{REPORTING, Refer, Replaceable, Replaces, Reports, sipfrag};

/// The subscription that a REFER made.
#[derive(Debug)]
pub(super) struct Referral {
    /// The CSeq of the REFER, which tells two of them apart (RFC 3515 §2.4.6).
    id: u32,
    until: Instant,
    /// The NOTIFY on its way.
    notify: Option<Handle>,
    /// What the next one tells.
    next: Option<StatusCode>,
    /// The last one was sent.
    is_closed: bool,
}

impl Call {
    /// A REFER within the dialog.
    pub(super) fn handle_refer(
        &self,
        core: &mut Core,
        transaction: Handle,
        request: Request,
        now: Instant,
    ) {
        if !matches!(self.state, State::Confirmed(_)) {
            return refuse_for_now(core, transaction, now);
        }
        match Refer::read(&request) {
            Ok(refer) => core.events.push_back(Event::Refer {
                call: CallHandle(self.handle),
                transaction: TransactionHandle(transaction),
                refer,
                request,
            }),
            Err(status) => core.respond_plain(transaction, status, Parts::default(), now),
        }
    }

    /// Answers a REFER with 202 and tells of its progress from then on, `100 Trying` at first
    /// (RFC 3515 §2.4.4). `None` when the referrer does not want to hear.
    pub(crate) fn accept_refer(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        now: Instant,
    ) -> Result<Option<ReferHandle>, VerbError> {
        let request = core.layer.answerable(transaction).ok_or(VerbError::Gone)?;
        let refer = Refer::read(request).map_err(|_| VerbError::Method)?;
        if *request.method() != Method::Refer {
            return Err(VerbError::Method);
        }
        let id = request.cseq().map_or(0, |cseq| cseq.number);
        let mut headers = Headers::default();
        if refer.reports == Reports::Declined {
            headers.push(HeaderName::ReferSub, "false");
        } else if self.referrals.len() >= MAX_REFERRALS {
            return Err(VerbError::Full);
        }
        let parts = Parts { contact: Some(&self.contact), headers: Some(&headers), body: None };
        core.respond_plain(transaction, StatusCode::ACCEPTED, parts, now);
        if refer.reports == Reports::Declined {
            return Ok(None);
        }
        let until = now + REPORTING;
        let next = Some(StatusCode::TRYING);
        self.referrals.push(Referral { id, until, notify: None, next, is_closed: false });
        self.notify_referrers(core, now);
        Ok(Some(ReferHandle { call: self.handle, id }))
    }

    /// Tells the referrer how far its request has come; a final status is the last it hears.
    pub(crate) fn report_refer(
        &mut self,
        core: &mut Core,
        id: u32,
        status: StatusCode,
        now: Instant,
    ) -> Result<(), VerbError> {
        let mut open = self.referrals.iter_mut().filter(|referral| !referral.is_closed);
        let referral = open.find(|referral| referral.id == id).ok_or(VerbError::Gone)?;
        if referral.next.is_some_and(StatusCode::is_final) {
            return Err(VerbError::Gone);
        }
        referral.next = Some(status);
        self.notify_referrers(core, now);
        Ok(())
    }

    /// Whether an INVITE with Replaces may take this call's place (RFC 3891 §3).
    pub(crate) fn can_be_replaced(&self, replaceable: Replaceable) -> Result<(), StatusCode> {
        match (&self.state, replaceable) {
            (State::Confirmed(_), Replaceable::Any) | (State::Outgoing(_), _) => Ok(()),
            (State::Confirmed(_), Replaceable::EarlyOnly) => Err(StatusCode::BUSY_HERE),
            (State::Incoming(_), _) => Err(StatusCode::CALL_DOES_NOT_EXIST),
            (State::Leaving { .. } | State::Ended, _) => Err(StatusCode::DECLINE),
        }
    }

    /// The Replaces that names this call to its peer.
    pub(crate) fn replaces(&self) -> Option<Replaces> {
        let (State::Confirmed(_), Some(dialog)) = (&self.state, &self.dialog) else { return None };
        let id = dialog.id();
        Some(Replaces {
            call_id: id.call_id.clone(),
            to_tag: id.remote_tag.clone()?,
            from_tag: id.local_tag.clone(),
            replaceable: Replaceable::Any,
        })
    }

    /// When a subscription runs out.
    pub(super) fn referral_timeout(&self) -> Option<Instant> {
        let open = self.referrals.iter().filter(|referral| !referral.is_closed);
        open.map(|referral| referral.until).min()
    }

    /// Nobody said how it went: the referrer is told that nothing more comes.
    pub(super) fn end_late_referrals(&mut self, core: &mut Core, now: Instant) {
        for referral in &mut self.referrals {
            if !referral.is_closed && referral.until <= now {
                // A NOTIFY that is still on its way then has lost its reader.
                referral.notify = None;
                referral.next = Some(StatusCode::REQUEST_TIMEOUT);
            }
        }
        self.notify_referrers(core, now);
    }

    /// The answer to one of our NOTIFYs, or its failure. False when it was another request's.
    pub(super) fn handle_notified(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        status: Option<StatusCode>,
        now: Instant,
    ) -> bool {
        let mut referrals = self.referrals.iter_mut();
        let Some(referral) = referrals.find(|referral| referral.notify == Some(transaction)) else {
            return false;
        };
        match status {
            Some(status) if status.is_provisional() => return true,
            Some(status) if status.is_success() => referral.notify = None,
            // RFC 6665 §4.2.2: who does not take a NOTIFY has no subscription.
            Some(_) | None => {
                referral.notify = None;
                referral.is_closed = true;
            }
        }
        self.referrals.retain(|referral| !referral.is_closed || referral.notify.is_some());
        self.notify_referrers(core, now);
        true
    }

    /// Sends what waits to be told.
    pub(super) fn notify_referrers(&mut self, core: &mut Core, now: Instant) {
        // A newer request that overtakes the BYE would have it refused as out of order
        // (RFC 3261 §12.2.2), and the peer would keep the call.
        if self.bye.is_some() {
            return;
        }
        let Some(dialog) = &mut self.dialog else { return };
        let flow = core.dialog_flow(dialog, self.flow, self.path);
        for referral in self.referrals.iter_mut().filter(|referral| referral.notify.is_none()) {
            let Some(status) = referral.next.take() else { continue };
            let state = match status.is_final() {
                true => "terminated;reason=noresource".to_owned(),
                false => {
                    let left = referral.until.saturating_duration_since(now).as_secs();
                    format!("active;expires={left}")
                }
            };
            let mut headers = Headers::default();
            headers.push(HeaderName::Event, format!("refer;id={}", referral.id));
            headers.push(HeaderName::SubscriptionState, state);
            let body = sipfrag(status);
            let contact = Some(self.contact.as_str());
            let parts = Parts { contact, headers: Some(&headers), body: Some(&body) };
            let user = User::Call(self.handle);
            referral.notify = core.send_in_dialog(dialog, Method::Notify, parts, flow, user, now);
            // Without room for the NOTIFY nobody waits for its answer: the referrer goes without.
            referral.is_closed = status.is_final() || referral.notify.is_none();
        }
        self.referrals.retain(|referral| !referral.is_closed || referral.notify.is_some());
    }
}

/// REFERs of one call that are reported on at a time.
const MAX_REFERRALS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::pair::{Link, Pair, Who};
    use crate::sip::refer::Report;
    use crate::sip::{EndpointConfig, NameAddr, Uri};

    static NONE: std::sync::LazyLock<Headers> = std::sync::LazyLock::new(Headers::default);

    fn pair(link: Link) -> Pair {
        let config = EndpointConfig {
            methods: vec![Method::Refer, Method::Notify],
            extensions: vec!["replaces", "norefersub"],
            ..EndpointConfig::default()
        };
        Pair::with_config(link, config)
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn refer_to(target: &str) -> Headers {
        let mut headers = Headers::default();
        headers.push(HeaderName::ReferTo, format!("<{target}>"));
        headers
    }

    /// Bob refers Alice; what Alice heard.
    fn refer(
        pair: &mut Pair,
        bob: CallHandle,
        headers: &Headers,
    ) -> (CallHandle, TransactionHandle) {
        pair.bob
            .endpoint
            .send_in_dialog(bob, Method::Refer, headers, None, pair.now)
            .expect("answered");
        pair.run_for(ms(20));
        match &pair.events(Who::Alice)[..] {
            [Event::Refer { call, transaction, .. }] => (*call, *transaction),
            other => panic!("{other:?}"),
        }
    }

    /// Answers the NOTIFYs at Bob and gives what they told.
    fn reports(pair: &mut Pair) -> Vec<Report> {
        let mut reports = vec![];
        for event in pair.events(Who::Bob) {
            if let Event::InDialog { transaction, request, .. } = event {
                reports.extend(Report::read(&request));
                pair.bob
                    .endpoint
                    .respond(transaction, StatusCode::OK, &NONE, None, pair.now)
                    .expect("new");
            }
        }
        pair.run_for(ms(20));
        reports
    }

    #[test]
    fn referrer_hears_trying_progress_and_the_end() {
        let mut pair = pair(Link::good());
        let (alice, bob) = pair.call();
        let (call, transaction) = refer(&mut pair, bob, &refer_to("sip:carol@h"));
        assert_eq!(call, alice);
        let accepted = pair.alice.endpoint.accept_refer(call, transaction, pair.now);
        let handle = accepted.expect("new").expect("wanted");
        pair.run_for(ms(20));
        assert_eq!(pair.count(Who::Alice, "202 REFER"), 1);
        let trying = Report { status: StatusCode::TRYING, is_last: false };
        assert_eq!(reports(&mut pair), [trying]);
        for status in [StatusCode::RINGING, StatusCode::OK] {
            pair.alice.endpoint.report_refer(handle, status, pair.now).expect("listening");
            pair.run_for(ms(20));
            let is_last = status == StatusCode::OK;
            assert_eq!(reports(&mut pair), [Report { status, is_last }]);
        }
        let late = pair.alice.endpoint.report_refer(handle, StatusCode::OK, pair.now);
        assert_eq!(late, Err(VerbError::Gone));
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_out();
    }

    #[test]
    fn reports_go_on_after_the_referrer_hung_up_and_none_overtakes_another() {
        let mut pair = pair(Link::good());
        let (_, bob) = pair.call();
        let (call, transaction) = refer(&mut pair, bob, &refer_to("sip:carol@h"));
        let accepted = pair.alice.endpoint.accept_refer(call, transaction, pair.now);
        let handle = accepted.expect("new").expect("wanted");
        pair.run_for(ms(20));
        // Not answered yet: the next waits, and only the latest goes out.
        for status in [StatusCode::RINGING, StatusCode::BUSY_HERE] {
            pair.alice.endpoint.report_refer(handle, status, pair.now).expect("listening");
        }
        pair.run_for(ms(20));
        assert_eq!(pair.count(Who::Alice, "NOTIFY"), 1);
        let first = reports(&mut pair);
        assert_eq!(first.len(), 1);
        pair.run_for(ms(20));
        assert_eq!(reports(&mut pair), [Report { status: StatusCode::BUSY_HERE, is_last: true }]);
        pair.bob.endpoint.bye(bob, &NONE, pair.now).expect("answered");
        pair.run_out();
    }

    #[test]
    fn bye_of_the_referrer_leaves_the_subscription_until_it_says_no_or_time_is_up() {
        let mut pair = pair(Link::good());
        let (_, bob) = pair.call();
        let (call, transaction) = refer(&mut pair, bob, &refer_to("sip:carol@h"));
        let accepted = pair.alice.endpoint.accept_refer(call, transaction, pair.now);
        let handle = accepted.expect("new").expect("wanted");
        pair.run_for(ms(20));
        reports(&mut pair);
        pair.bob.endpoint.bye(bob, &NONE, pair.now).expect("answered");
        pair.run_for(ms(50));
        assert!(matches!(pair.events(Who::Alice)[..], [Event::Ended { .. }]));
        pair.alice.endpoint.report_refer(handle, StatusCode::OK, pair.now).expect("listening");
        pair.run_for(ms(50));
        // Bob's call is over, and its endpoint says so: that ends the subscription.
        assert_eq!(pair.count(Who::Alice, "NOTIFY"), 2);
        pair.run_out();
    }

    #[test]
    fn forgotten_reports_end_after_three_minutes() {
        let mut pair = pair(Link::good());
        let (alice, bob) = pair.call();
        let (call, transaction) = refer(&mut pair, bob, &refer_to("sip:carol@h"));
        pair.alice.endpoint.accept_refer(call, transaction, pair.now).expect("new");
        pair.run_for(ms(20));
        reports(&mut pair);
        pair.run_for(REPORTING);
        assert!(reports(&mut pair)[0].is_last);
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_out();
    }

    #[test]
    fn declined_reports_are_not_sent() {
        let mut pair = pair(Link::good());
        let (alice, bob) = pair.call();
        let mut headers = refer_to("sip:carol@h");
        headers.push(HeaderName::ReferSub, "false");
        headers.push(HeaderName::Require, "norefersub");
        let (call, transaction) = refer(&mut pair, bob, &headers);
        let accepted = pair.alice.endpoint.accept_refer(call, transaction, pair.now);
        assert_eq!(accepted, Ok(None));
        pair.run_for(ms(20));
        assert_eq!(pair.count(Who::Alice, "202 REFER"), 1);
        assert_eq!(pair.count(Who::Alice, "NOTIFY"), 0);
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_out();
    }

    #[test]
    fn refer_without_target_is_refused_by_the_stack() {
        let mut pair = pair(Link::good());
        let (alice, bob) = pair.call();
        pair.bob
            .endpoint
            .send_in_dialog(bob, Method::Refer, &NONE, None, pair.now)
            .expect("answered");
        pair.run_for(ms(20));
        assert!(pair.events(Who::Alice).is_empty());
        assert_eq!(pair.count(Who::Alice, "400 REFER"), 1);
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_out();
    }

    #[test]
    fn replaces_finds_the_call_in_the_states_it_is_meant_for() {
        let mut pair = pair(Link::good());
        let (alice, bob) = pair.ringing_call();
        assert_eq!(pair.alice.endpoint.replaces_of(alice), None);
        pair.bob.endpoint.answer(bob, &NONE, Some(&Body::sdp("a")), pair.now).expect("ringing");
        pair.run_for(ms(50));
        // What Bob would tell a third party about Alice's call, and the other way about.
        let to_alice = pair.bob.endpoint.replaces_of(bob).expect("answered");
        let to_bob = pair.alice.endpoint.replaces_of(alice).expect("answered");
        assert_eq!(pair.alice.endpoint.replaced_call(&to_alice), Ok(alice));
        assert_eq!(pair.bob.endpoint.replaced_call(&to_bob), Ok(bob));
        let early = Replaces { replaceable: Replaceable::EarlyOnly, ..to_alice.clone() };
        assert_eq!(pair.alice.endpoint.replaced_call(&early), Err(StatusCode::BUSY_HERE));
        assert_eq!(
            pair.bob.endpoint.replaced_call(&to_alice),
            Err(StatusCode::CALL_DOES_NOT_EXIST)
        );
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        assert_eq!(pair.alice.endpoint.replaced_call(&to_alice), Err(StatusCode::DECLINE));
        pair.run_out();
        assert_eq!(
            pair.alice.endpoint.replaced_call(&to_alice),
            Err(StatusCode::CALL_DOES_NOT_EXIST)
        );
    }

    #[test]
    fn required_extension_that_the_application_serves_is_taken() {
        let mut pair = pair(Link::good());
        let mut spec = pair.outgoing(None);
        spec.headers.push(HeaderName::Require, "replaces");
        spec.from = NameAddr::new(Uri::parse("sip:alice@192.0.2.1").expect("a uri"));
        let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
        pair.run_for(ms(20));
        assert!(matches!(pair.events(Who::Bob)[..], [Event::IncomingCall { .. }]));
        pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("calling");
        pair.run_out();
        let mut spec = pair.outgoing(None);
        spec.headers.push(HeaderName::Require, "replaces, telepathy");
        pair.alice.endpoint.call(spec, pair.now).expect("room");
        pair.run_for(ms(50));
        assert_eq!(pair.count(Who::Bob, "420 INVITE"), 1);
        pair.run_out();
    }

    #[test]
    fn no_network_however_bad_leaves_a_subscription() {
        for seed in 0..300 {
            let mut pair = pair(Link::bad(seed));
            let spec = pair.outgoing(Some(Body::sdp("offer")));
            let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
            let mut referral = None;
            for _ in 0..100 {
                let now = pair.now;
                for event in pair.events(Who::Bob) {
                    let endpoint = &mut pair.bob.endpoint;
                    // Whatever is no longer possible is no fault of the sweep's.
                    match event {
                        Event::IncomingCall { call, .. } => {
                            let _ = endpoint.answer(call, &NONE, Some(&Body::sdp("answer")), now);
                        }
                        Event::Acknowledged { call, .. } => {
                            let headers = refer_to("sip:carol@h");
                            let refer = Method::Refer;
                            let _ = endpoint.send_in_dialog(call, refer, &headers, None, now);
                            if seed % 3 == 0 {
                                let _ = endpoint.bye(call, &NONE, now);
                            }
                        }
                        Event::InDialog { transaction, .. } => {
                            let refused = seed % 5 == 0;
                            let status = match refused {
                                true => StatusCode::CALL_DOES_NOT_EXIST,
                                false => StatusCode::OK,
                            };
                            let _ = endpoint.respond(transaction, status, &NONE, None, now);
                        }
                        _ => {}
                    }
                }
                for event in pair.events(Who::Alice) {
                    if let Event::Refer { call, transaction, .. } = event {
                        let accepted = pair.alice.endpoint.accept_refer(call, transaction, now);
                        referral = accepted.ok().flatten().or(referral);
                    }
                }
                if let Some(referral) = referral {
                    let status =
                        if seed % 2 == 0 { StatusCode::RINGING } else { StatusCode::BUSY_HERE };
                    let _ = pair.alice.endpoint.report_refer(referral, status, now);
                }
                pair.run_for(ms(100));
            }
            // Alice alone hangs up: no NOTIFY of hers may make her BYE come out of order.
            let now = pair.now;
            let _ = pair.alice.endpoint.hang_up(alice, StatusCode::DECLINE, &NONE, now);
            pair.run_out();
        }
    }
}
