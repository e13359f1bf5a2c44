//! What bad networks and clocks do to a conference: nothing that the others hear.

use diesis_sounds::{locate::Recording, prompts::Library};
use diesis_tests::hearing::{self, blocks_of_tone, tone};
use diesis_tests::virtual_media::{VirtualRoom, Way};
use diesis_tests::voice::Encoding;

const BAD: Way = Way { lost: 50, doubled: 20, jitter: 40, drift: 0 };

/// A sentence, with half a second of silence after it.
fn sentence() -> Vec<i16> {
    let mut samples = Library::new().load("diesis-welcome", "en").expect("it is embedded").samples;
    samples.extend([0; 4000]);
    samples
}

/// One who speaks over a bad network does not spoil what the others say to each other.
#[test]
fn a_bad_leg_changes_nothing_of_what_others_say() {
    for encoding in [Encoding::Pcmu, Encoding::G722, Encoding::Opus] {
        let mut rooms = [Way::default(), BAD].map(|way| {
            let mut room = VirtualRoom::new(7);
            room.join(Encoding::Pcmu, &tone(440.0, 8000), Way::default());
            // It hears every step of a sample.
            room.join(Encoding::L16, &[0; 8000], Way::default());
            // Silent, in whatever it sends.
            room.join(encoding, &[0; 8000], way);
            room
        });
        let [clean, bad] = rooms.each_mut().map(|room| {
            room.run(8);
            room.heard(1)
        });
        // A decoder of G.722 that lost silence makes some noise of the next, 30 dB below the tone.
        let off = clean.iter().zip(&bad).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs());
        assert_eq!(clean.len(), bad.len());
        let off = off.max().unwrap_or(0);
        assert!(off <= 256, "{encoding:?}: it is heard, {off}");
        let blocks = clean.len() / 160;
        assert!(blocks_of_tone(&clean, 440.0) > blocks - 10, "{encoding:?}: the tone is heard");
    }
}

/// 5 % of loss and 40 ms of jitter: every sentence is heard as one.
#[test]
fn a_speaker_on_a_bad_leg_is_understood_by_all() {
    let sentence = sentence();
    for encoding in [Encoding::Pcmu, Encoding::G722, Encoding::Opus] {
        for seed in 0..2 {
            let mut room = VirtualRoom::new(seed);
            let speaker = room.join(encoding, &sentence, BAD);
            let listener = room.join(Encoding::Pcmu, &[], Way::default());
            room.join(Encoding::Opus, &[], Way::default());
            room.run(16);
            let heard = room.heard(listener);
            let (mut there, mut all) = (0, 0);
            // Each time it was said, from the moment on.
            for from in room.began(speaker).iter().map(|&at| 8 * at as usize) {
                let Some(near) = heard.get(from..from + sentence.len() + 2000) else { continue };
                let found = hearing::pieces_heard(near, &sentence);
                (there, all) = (there + found.0, all + found.1);
            }
            assert!(there * 100 >= all * 85, "{encoding:?} {seed}: {there} of {all} are heard");

            let (sent, lost, doubled) = room.fate(speaker);
            let counted = room.close(speaker);
            // What was on its way at the end has neither come nor been missed.
            let on_its_way = 4;
            let shown = format!("{encoding:?} {seed}: {sent} {lost} {doubled}: {counted:?}");
            assert!(counted.lost.abs_diff(lost) <= on_its_way, "{shown}");
            assert!(counted.duplicates.abs_diff(doubled) <= on_its_way, "{shown}");
            assert!(counted.received_packets.abs_diff(sent - lost) <= on_its_way, "{shown}");
            assert!(counted.reordered > 0, "{shown}");
            assert!(counted.late * 50 <= sent, "2 % come too late at most: {shown}");
            let jitter = counted.interarrival_jitter.as_millis();
            // Of two times between 0 and 40 ms the difference is a third of that.
            assert!((8..20).contains(&jitter), "{shown}");
        }
    }
}

/// Minutes with a clock that runs away: neither a growing delay nor holes.
#[test]
fn a_clock_that_is_fast_or_slow_is_followed() {
    let sentence = sentence();
    for encoding in [Encoding::Pcmu, Encoding::Opus] {
        for drift in [-200, 200] {
            let mut room = VirtualRoom::new(3);
            let speaker = room.join(encoding, &sentence, Way { drift, ..Way::default() });
            let listener = room.join(Encoding::Pcmu, &[], Way::default());
            room.join(Encoding::Pcma, &[], Way::default());
            room.run(150);
            let heard = room.heard(listener);
            let began = room.began(speaker);
            let mut delays = Vec::new();
            for &at in began[1..began.len() - 1].iter().step_by(6) {
                // From the moment on at which it was said.
                let from = 8 * at as usize;
                let near = &heard[from..(from + sentence.len() + 4000).min(heard.len())];
                let found = Recording::new(near, 8000).find(&sentence, 0);
                let found = found.unwrap_or_else(|| panic!("{encoding:?} {drift}: at {at} ms"));
                delays.push(found.start / 8);
            }
            let shown = format!("{encoding:?} {drift}: {delays:?}");
            assert!(delays.iter().all(|&delay| delay < 130), "{shown}");
            let counted = room.close(speaker);
            assert_eq!((counted.lost, counted.late), (0, 0), "{shown}");
            assert!(counted.concealed_frames < 60, "{shown}, {}", counted.concealed_frames);
        }
    }
}
