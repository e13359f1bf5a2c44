//! Verbs of a notifier, and how messages come to their subscriptions (RFC 6665).

use super::*;
use crate::sip::event::SubscriptionHandle;
use crate::sip::subscribe::{Subscribe, Subscription, SubscriptionTerms, Termination};

/// Subscriptions of others to what the application knows. Each that is accepted gets exactly one
/// [`Event::SubscriptionEnded`], as its last.
impl Endpoint {
    /// Takes a SUBSCRIBE of [`Event::Request`]: answers 200, and asks for the state by
    /// [`Event::NotifyDue`]. `None` when it was refused: with 423 because it is too brief, with 400
    /// because nothing in it says where NOTIFYs go, or with what [`Subscribe::read`] says.
    ///
    /// # Errors
    /// [`VerbError::Full`] when there are as many as may be; the SUBSCRIBE is still to be answered.
    pub fn accept_subscription(
        &mut self,
        transaction: TransactionHandle,
        terms: SubscriptionTerms,
        now: Instant,
    ) -> Result<Option<SubscriptionHandle>, VerbError> {
        let request = self.core.layer.answerable(transaction.0).ok_or(VerbError::Gone)?;
        if *request.method() != Method::Subscribe {
            return Err(VerbError::Method);
        }
        if self.subscriptions.is_full() {
            return Err(VerbError::Full);
        }
        let request = request.clone();
        let mut headers = Headers::default();
        let (subscription, lasts) = match self.new_subscription(&request, terms, now) {
            Ok(new) => new,
            Err((status, minimum)) => {
                if let Some(minimum) = minimum {
                    headers.push(HeaderName::MinExpires, minimum.as_secs());
                }
                let parts = Parts { headers: Some(&headers), ..Parts::default() };
                self.core.respond_plain(transaction.0, status, parts, now);
                return Ok(None);
            }
        };
        let inserted = self.subscriptions.insert(subscription);
        let handle = inserted.map_err(|_| VerbError::Full)?;
        self.with_subscription(handle, |subscription, core| {
            subscription.start(core, handle, transaction.0, lasts, now);
        });
        self.drain_outcomes(now);
        Ok(Some(SubscriptionHandle(handle)))
    }

    fn new_subscription(
        &mut self,
        request: &Request,
        terms: SubscriptionTerms,
        now: Instant,
    ) -> Result<(Subscription, Duration), (StatusCode, Option<Duration>)> {
        let about = Subscribe::read(request).map_err(|status| (status, None))?;
        let lasts = terms.expiration.grant(about.expires);
        let lasts = lasts.map_err(|minimum| (StatusCode::INTERVAL_TOO_BRIEF, Some(minimum)))?;
        let new = Subscription::new(&mut self.core, request, about, terms, now);
        Ok((new.ok_or((StatusCode::BAD_REQUEST, None))?, lasts))
    }

    /// Says that what a subscription watches is in another state. [`Event::NotifyDue`] asks for it
    /// as soon as it can be told: at once, unless a NOTIFY is on its way or many were sent.
    ///
    /// # Errors
    /// [`VerbError::Gone`] when it is over.
    pub fn note_change(
        &mut self,
        subscription: SubscriptionHandle,
        now: Instant,
    ) -> Result<(), VerbError> {
        self.with_subscription(subscription.0, |it, core| it.note_change(core, now))
            .ok_or(VerbError::Gone)
    }

    /// Answers [`Event::NotifyDue`] with the state as it is now.
    ///
    /// # Errors
    /// See [`VerbError`]; with [`VerbError::Full`] it is asked for again.
    pub fn notify(
        &mut self,
        subscription: SubscriptionHandle,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        let sent = self.with_subscription(subscription.0, |it, core| it.notify(core, body, now));
        self.drain_outcomes(now);
        sent.unwrap_or(Err(VerbError::Gone))
    }

    /// Ends a subscription: [`Event::NotifyDue`] asks for the last state, which is sent with why.
    /// Without effect when it ends already.
    ///
    /// # Errors
    /// [`VerbError::Gone`] when it is over.
    pub fn terminate_subscription(
        &mut self,
        subscription: SubscriptionHandle,
        reason: Termination,
        now: Instant,
    ) -> Result<(), VerbError> {
        self.with_subscription(subscription.0, |it, core| it.terminate(core, reason, now))
            .ok_or(VerbError::Gone)
    }

    /// How long a subscription lasts unless it is refreshed; `None` when it ends or is over.
    pub fn subscription_remaining(
        &self,
        subscription: SubscriptionHandle,
        now: Instant,
    ) -> Option<Duration> {
        self.subscriptions.get(subscription.0)?.remaining(now)
    }

    /// How many subscriptions there are, those that end included.
    pub fn subscription_count(&self) -> usize {
        self.subscriptions.len()
    }

    /// Gives those their turn whose time has come.
    pub(super) fn wake_subscriptions(&mut self, now: Instant) {
        while let Some(slot) = self.subscription_deadlines.pop_due(now) {
            if let Some(handle) = self.subscriptions.handle_of(slot) {
                self.with_subscription(handle, |it, core| it.handle_timeout(core, now));
            }
        }
    }

    /// Runs `step` on a subscription, then moves its deadline and forgets it when it is over.
    pub(super) fn with_subscription<T>(
        &mut self,
        handle: Handle,
        step: impl FnOnce(&mut Subscription, &mut Core) -> T,
    ) -> Option<T> {
        let subscription = self.subscriptions.get_mut(handle)?;
        let result = step(subscription, &mut self.core);
        if subscription.is_over() {
            subscription.unregister(&mut self.core);
            self.subscriptions.remove(handle);
            self.subscription_deadlines.set(handle.slot, None);
        } else {
            self.subscription_deadlines.set(handle.slot, subscription.poll_timeout());
        }
        Some(result)
    }
}

#[cfg(test)]
mod tests;
