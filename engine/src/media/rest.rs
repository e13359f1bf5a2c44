//! Who in a room need not be listened to: a member who has long said nothing, and whose packets say
//! that he still does not. They are taken, counted and let go undecoded, until one of them says that
//! somebody speaks; the decoder then hears those just before it first, so that no onset is lost.
//!
//! What packets say is not trusted for ever: one in 4 s is decoded all the same, and who is found to
//! speak in what says that he does not is decoded from then on.

use super::talk::mean_magnitude;

/// Whether a member is quiet enough.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// Frames in a row in which there was nothing to hear, since the last one looked at.
    quiet: u16,
    trust: Trust,
}

/// Whether what packets say of themselves is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Trust {
    #[default]
    Given,
    /// It was not once.
    Lost,
}

impl Rest {
    /// Whether what waits may pass if it says that nobody speaks.
    pub(crate) fn is_due(&self) -> bool {
        self.trust == Trust::Given && (AFTER..AFTER + LOOK).contains(&self.quiet)
    }

    /// Takes note of a frame: what was heard in it, if it was decoded, whether that was worth mixing,
    /// and whether what comes says that nobody speaks.
    pub(crate) fn handle_frame(&mut self, heard: Option<&[i16]>, is_mixed: bool, is_silent: bool) {
        let is_look = self.quiet == AFTER + LOOK;
        let is_faint = |frame: &[i16]| is_silent && mean_magnitude(frame) < FAINT;
        self.quiet = match heard {
            Some(frame) if is_mixed && !is_faint(frame) => {
                if is_look && is_silent {
                    self.trust = Trust::Lost;
                }
                0
            }
            _ if self.quiet >= AFTER + LOOK => AFTER,
            _ => self.quiet + 1,
        };
    }
}

/// Frames of quiet before it is relied on: 1 s.
const AFTER: u16 = 50;

/// Frames between two that are decoded to make sure: 4 s. Four packets are decoded for it, which is
/// 0.014 ms of each second.
const LOOK: u16 = 200;

/// The mean magnitude of a line's own noise at the most, -52 dBov: half of what talk begins at.
const FAINT: u32 = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FRAME;

    fn frames(rest: &mut Rest, level: i16, count: usize, is_silent: bool) -> Vec<bool> {
        let handle = |_| {
            let due = rest.is_due();
            let heard = (!due).then_some([level; FRAME]);
            rest.handle_frame(heard.as_ref().map(|it| &it[..]), level > 32, is_silent);
            due
        };
        (0..count).map(handle).collect()
    }

    #[test]
    fn one_who_says_nothing_is_looked_at_every_four_seconds() {
        let mut rest = Rest::default();
        let due = frames(&mut rest, 10, 2060, false);
        assert!(due[..50].iter().all(|due| !due));
        let looks = due[50..].iter().filter(|due| !**due).count();
        assert_eq!(looks, 10);
        assert!(due[50..].chunks(201).all(|part| part.iter().filter(|due| !**due).count() <= 1));
    }

    #[test]
    fn the_noise_of_a_line_may_rest_only_if_its_packets_say_what_it_is() {
        assert!(frames(&mut Rest::default(), 70, 500, false).iter().all(|due| !due));
        assert!(frames(&mut Rest::default(), 70, 500, true)[60]);
        assert!(frames(&mut Rest::default(), 100, 500, true).iter().all(|due| !due), "too loud");
    }

    #[test]
    fn who_is_found_to_speak_in_silence_rests_no_more() {
        let mut rest = Rest::default();
        frames(&mut rest, 0, 300, true);
        let due = frames(&mut rest, 1000, 300, true);
        let first = due.iter().position(|due| !due).unwrap();
        assert!(first < 201, "{first}");
        assert!(due[first..].iter().all(|due| !due));
        assert!(frames(&mut rest, 0, 500, true).iter().all(|due| !due));
    }

    #[test]
    fn who_says_so_when_he_speaks_rests_again() {
        let mut rest = Rest::default();
        frames(&mut rest, 0, 100, true);
        for _ in 0..5 {
            rest.handle_frame(Some(&[3000; FRAME]), true, false);
        }
        assert!(!rest.is_due());
        assert!(frames(&mut rest, 0, 100, true)[60]);
    }
}
