//! The name that somebody says at the door, for the others to hear.
//!
//! It is held in memory, by whoever is in the room, and gone with it: no file is written.

use std::{sync::Arc, time::Duration};

use super::{State, Surroundings, Visit, VisitProgress};
use crate::{
    bridge::SpokenName,
    channel::{DigitSet, OtherDigits, PlayPart, PlayRequest},
    config::NameAnnouncement,
    media::{Command, FRAME, Prompt, Rate, TapId, TapSource, TapState},
};

/// Hears what the caller says.
#[derive(Debug)]
pub(super) struct NameTap {
    tap: TapId,
    heard: rtrb::Consumer<i16>,
}

impl Visit {
    pub(super) fn ask_name(&mut self, around: &mut Surroundings<'_>) -> VisitProgress {
        self.name = None;
        self.state = State::AskingName;
        let request = PlayRequest { stop: DigitSet::ALL, ..PlayRequest::named(ASK) };
        around.channel.play(request, None, around.now, around.out);
        VisitProgress::Ongoing
    }

    /// Listens until a key, or for as long as a name may be.
    pub(super) fn hear_name(&mut self, around: &mut Surroundings<'_>) -> VisitProgress {
        let Some((shard, stream)) = around.channel.stream() else {
            return self.over(super::VisitEnd::Refused);
        };
        let samples = LONGEST.as_millis() as usize * SAMPLES_A_MILLISECOND;
        let (sink, heard) = rtrb::RingBuffer::new(samples);
        let tap = around.out.next_tap();
        let (source, state, silence) = (TapSource::Received, TapState::Open, None);
        around.out.command(
            shard,
            Command::Tap { stream, tap, source, state, silence, rate: Rate::Narrow, sink },
        );
        self.state = State::HearingName(NameTap { tap, heard });
        around.channel.wait_digit(Some(LONGEST), around.now, around.out);
        VisitProgress::Ongoing
    }

    /// It was said.
    pub(super) fn take_name(
        &mut self,
        heard: NameTap,
        around: &mut Surroundings<'_>,
    ) -> VisitProgress {
        let NameTap { tap, mut heard } = heard;
        // It may be on another shard by now.
        if let Some((shard, stream)) = around.channel.stream() {
            around.out.command(shard, Command::Untap { stream, tap });
        }
        let said: Vec<i16> = match heard.read_chunk(heard.slots()) {
            Ok(chunk) => chunk.into_iter().collect(),
            Err(_) => vec![],
        };
        let said = trimmed(&said);
        if said.is_empty() {
            // Who said nothing has no name.
            return self.enter(around);
        }
        self.name = Some(SpokenName(Arc::new(Prompt::from_samples(said))));
        match self.user.name_announcement {
            NameAnnouncement::Reviewed => self.offer_name(vec![], OFFERS - 1, around),
            NameAnnouncement::Recorded | NameAnnouncement::No => self.enter(around),
        }
    }

    /// Offers to hear the name (2), to say it again (3) or to go on (1).
    pub(super) fn offer_name(
        &mut self,
        mut parts: Vec<PlayPart>,
        offers_left: u8,
        around: &mut Surroundings<'_>,
    ) -> VisitProgress {
        self.state = State::OfferingName { offers_left };
        parts.push(PlayPart::Named(REVIEW.into()));
        let (stop, others) = (DigitSet::ALL, OtherDigits::Keep);
        let request = PlayRequest { stop, others, ..PlayRequest::new(parts) };
        around.channel.play(request, None, around.now, around.out);
        VisitProgress::Ongoing
    }

    pub(super) fn choose_name(
        &mut self,
        key: Option<char>,
        offers_left: u8,
        around: &mut Surroundings<'_>,
    ) -> VisitProgress {
        let name = self.name.iter().map(|name| PlayPart::Prompt(Arc::clone(&name.0)));
        match key {
            Some('2') => self.offer_name(name.collect(), OFFERS - 1, around),
            Some('3') => self.ask_name(around),
            Some('1') => self.enter(around),
            _ => self.offer_name(vec![], offers_left, around),
        }
    }
}

/// Without the silence before and after; nothing when there is nothing else.
fn trimmed(samples: &[i16]) -> &[i16] {
    let is_said = |frame: &[i16]| {
        let total: u64 = frame.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
        total >= QUIET * frame.len() as u64
    };
    let frames = || samples.chunks(FRAME);
    let (Some(first), Some(last)) = (frames().position(is_said), frames().rposition(is_said))
    else {
        return &[];
    };
    let end = samples.len().min((last + 1 + MARGIN) * FRAME);
    &samples[first.saturating_sub(MARGIN) * FRAME..end]
}

/// "Say your name after the tone, and press the pound key."
const ASK: [&str; 2] = ["vm-rec-name", "beep"];

/// "To accept press 1, to hear it press 2, to record it again press 3."
const REVIEW: &str = "vm-review";

/// As in Asterisk.
const LONGEST: Duration = Duration::from_secs(10);

const SAMPLES_A_MILLISECOND: usize = 8;

/// How often the choice is offered before the name is taken as it is.
const OFFERS: u8 = 3;

/// The mean magnitude of a frame below which nobody speaks.
const QUIET: u64 = 160;

/// Frames that are kept before and after: a consonant is quieter than a vowel.
const MARGIN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_before_and_after_a_name_is_cut_off() {
        let mut samples = vec![0; FRAME * 100];
        samples[FRAME * 40..FRAME * 60].fill(1000);
        assert_eq!(trimmed(&samples).len(), FRAME * 28);
        assert_eq!(trimmed(&samples[..FRAME * 45]).len(), FRAME * 9);
        assert_eq!(trimmed(&samples[..FRAME * 40]), [0; 0]);
        assert_eq!(trimmed(&[]), [0; 0]);
    }
}
