//! Keys that ask for something while two are connected: `[featuremap]` of `features.conf`.
//!
//! Keys that may become a code are held back until they are one, can be none, or too much time
//! passed; what is no code goes on to the other side, nothing lost and nothing out of order.

use std::time::{Duration, Instant};

use crate::{channel::DigitSource, config::FeatureSettings, media::Digit};

/// What a key code asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// End the call.
    Disconnect,
    /// Send the other one elsewhere.
    BlindTransfer,
    /// Ask a third one, then connect the other two.
    AttendedTransfer,
    /// Leave the other one in the parking lot.
    Park,
    /// Begin to record the call, or end it, by the code of `automon`.
    Monitor,
    /// The same by that of `automixmon`.
    MixMonitor,
    /// Come back from whoever is asked.
    AbortTransfer,
    /// Connect the other one with whoever is asked.
    CompleteTransfer,
    /// Talk to the other one, while whoever is asked waits, and back.
    SwapTransfer,
}

/// The keys of one call in a bridge or a room, and what codes ask for.
#[derive(Debug)]
pub(super) struct KeyCollector<A = Feature> {
    codes: Vec<(Vec<Digit>, A)>,
    /// Keys that may become a code.
    typed: Vec<(Digit, DigitSource)>,
    until: Option<Instant>,
    timeout: Duration,
}

/// What a key led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Collected<A = Feature> {
    /// More keys may make a code.
    Waits,
    /// A code is complete.
    Asked(A),
    /// No code: these go on to the other side.
    Pass(Vec<(Digit, DigitSource)>),
}

impl KeyCollector {
    /// Listens for the codes of these features.
    pub(super) fn new(features: &[Feature], settings: &FeatureSettings) -> Self {
        let code = |feature: Feature| {
            let code = match feature {
                Feature::Disconnect => &settings.disconnect,
                Feature::BlindTransfer => &settings.blind_transfer,
                Feature::AttendedTransfer => &settings.attended_transfer,
                Feature::Park => &settings.park,
                Feature::Monitor => &settings.monitor,
                Feature::MixMonitor => &settings.mix_monitor,
                Feature::AbortTransfer => &settings.consult_abort,
                Feature::CompleteTransfer => &settings.consult_complete,
                Feature::SwapTransfer => &settings.consult_swap,
            };
            let digits = code.iter().filter_map(|byte| Digit::from_char(char::from(*byte)));
            let digits: Vec<_> = digits.collect();
            (!digits.is_empty()).then_some((digits, feature))
        };
        let codes = features.iter().copied().filter_map(code).collect();
        Self::of(codes, settings.digit_timeout)
    }
}

impl<A> Default for KeyCollector<A> {
    /// No key asks for anything.
    fn default() -> Self {
        Self { codes: Vec::new(), typed: Vec::new(), until: None, timeout: Duration::ZERO }
    }
}

impl<A: Copy> KeyCollector<A> {
    /// Listens for these codes; keys that may become one are held back for so long.
    pub(super) fn of(codes: Vec<(Vec<Digit>, A)>, timeout: Duration) -> Self {
        Self { codes, timeout, ..Self::default() }
    }

    /// Goes on as if these keys had just been pressed, and were no code by themselves.
    pub(super) fn begin_with(&mut self, typed: &[Digit], source: DigitSource) {
        self.typed = typed.iter().map(|digit| (*digit, source)).collect();
    }

    /// Whether any key asks for anything.
    pub(super) fn is_idle(&self) -> bool {
        self.codes.is_empty()
    }

    /// When keys held back are no code any more.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// A key was pressed.
    pub(super) fn press(
        &mut self,
        digit: Digit,
        source: DigitSource,
        now: Instant,
    ) -> Collected<A> {
        self.typed.push((digit, source));
        let typed = || self.typed.iter().map(|(digit, _)| *digit);
        if let Some((_, asked)) =
            self.codes.iter().find(|(code, _)| typed().eq(code.iter().copied()))
        {
            let asked = *asked;
            self.forget();
            return Collected::Asked(asked);
        }
        let begins = |code: &[Digit]| {
            code.len() > self.typed.len() && typed().eq(code[..self.typed.len()].iter().copied())
        };
        if self.codes.iter().any(|(code, _)| begins(code)) {
            self.until = Some(now + self.timeout);
            return Collected::Waits;
        }
        self.until = None;
        Collected::Pass(std::mem::take(&mut self.typed))
    }

    /// The keys held back, when their time is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<(Digit, DigitSource)> {
        if self.until.is_none_or(|until| until > now) {
            return Vec::new();
        }
        self.until = None;
        std::mem::take(&mut self.typed)
    }

    fn forget(&mut self) {
        self.typed.clear();
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    fn collector() -> KeyCollector {
        let settings = FeatureSettings {
            disconnect: "*0".into(),
            attended_transfer: "*2".into(),
            ..FeatureSettings::default()
        };
        let features = [Feature::Disconnect, Feature::BlindTransfer, Feature::AttendedTransfer];
        KeyCollector::new(&features, &settings)
    }

    fn type_in(keys: &mut KeyCollector, text: &str, now: Instant) -> Vec<Collected> {
        let digits = text.chars().filter_map(Digit::from_char);
        digits.map(|digit| keys.press(digit, DigitSource::Info, now)).collect()
    }

    fn passed(collected: &Collected) -> String {
        match collected {
            Collected::Pass(keys) => keys.iter().map(|(digit, _)| digit.as_char()).collect(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_complete_code_asks_and_is_not_passed_on() {
        let (mut keys, now) = (collector(), clock());
        assert_eq!(type_in(&mut keys, "#", now), [Collected::Asked(Feature::BlindTransfer)]);
        let asked = [Collected::Waits, Collected::Asked(Feature::AttendedTransfer)];
        assert_eq!(type_in(&mut keys, "*2", now), asked);
        assert_eq!(keys.deadline(), None);
    }

    #[test]
    fn what_becomes_no_code_goes_on_whole_and_in_order() {
        let (mut keys, now) = (collector(), clock());
        let collected = type_in(&mut keys, "5*7", now);
        assert_eq!(passed(&collected[0]), "5");
        assert_eq!(collected[1], Collected::Waits);
        assert_eq!(passed(&collected[2]), "*7");
    }

    #[test]
    fn a_code_that_is_not_finished_in_time_goes_on() {
        let (mut keys, now) = (collector(), clock());
        type_in(&mut keys, "*", now);
        let due = keys.deadline().expect("it waits");
        assert_eq!(keys.handle_timeout(now), []);
        assert_eq!(keys.handle_timeout(due).len(), 1);
        assert_eq!(keys.deadline(), None);
    }
}
