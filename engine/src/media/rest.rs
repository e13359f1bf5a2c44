//! Who in a room need not be listened to: a member who has long said nothing, and whose packets say
//! that he still does not. They are taken, counted and let go undecoded, until one of them says that
//! somebody speaks; the decoder then hears those just before it first, so that no onset is lost.
//!
//! What packets say is not trusted for ever: once a second one of them is decoded all the same.

use super::talk::mean_magnitude;

/// Whether a member is quiet enough.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// Frames in a row in which there was nothing to hear, since the last one looked at.
    quiet: u16,
}

impl Rest {
    /// Whether what waits may pass if it says that nobody speaks.
    pub(crate) fn is_due(&self) -> bool {
        (AFTER..AFTER + LOOK).contains(&self.quiet)
    }

    /// Takes note of a frame: what was heard in it, if it was decoded, whether that was worth mixing,
    /// and whether what comes says that nobody speaks.
    pub(crate) fn handle_frame(&mut self, heard: Option<&[i16]>, is_mixed: bool, is_silent: bool) {
        let is_faint = |frame: &[i16]| is_silent && mean_magnitude(frame) < FAINT;
        self.quiet = match heard {
            Some(frame) if is_mixed && !is_faint(frame) => 0,
            _ if self.quiet >= AFTER + LOOK => AFTER,
            _ => self.quiet + 1,
        };
    }
}

/// Frames of quiet before it is relied on: 1 s.
const AFTER: u16 = 50;

/// Frames between two that are decoded to make sure: 1 s.
const LOOK: u16 = 50;

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
    fn one_who_says_nothing_is_looked_at_once_a_second() {
        let mut rest = Rest::default();
        let due = frames(&mut rest, 10, 1050, false);
        assert!(due[..50].iter().all(|due| !due));
        let looks = due[50..].iter().filter(|due| !**due).count();
        assert!((19..=20).contains(&looks), "{looks}");
        assert!(due[50..].chunks(51).all(|second| second.iter().filter(|due| !**due).count() <= 1));
    }

    #[test]
    fn the_noise_of_a_line_may_rest_only_if_its_packets_say_what_it_is() {
        assert!(frames(&mut Rest::default(), 70, 500, false).iter().all(|due| !due));
        assert!(frames(&mut Rest::default(), 70, 500, true)[60]);
        assert!(frames(&mut Rest::default(), 100, 500, true).iter().all(|due| !due), "too loud");
    }

    #[test]
    fn one_look_that_finds_something_ends_it_for_a_second() {
        let mut rest = Rest::default();
        frames(&mut rest, 0, 300, true);
        let due = frames(&mut rest, 1000, 200, true);
        let first = due.iter().position(|due| !due).unwrap();
        assert!(first < 51, "{first}");
        assert!(due[first..].iter().all(|due| !due));
    }
}
