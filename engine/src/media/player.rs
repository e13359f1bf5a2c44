//! Walks through the items of a play, a frame of 20 ms at a time.

use super::{FRAME, Law, LiveFrame, PlayId, PlayItem, Prompt, Rate, Repeat, sound::Sound};

/// One play in progress.
#[derive(Debug)]
pub(crate) struct Player {
    play: PlayId,
    items: Vec<PlayItem>,
    repeat: Repeat,
    item: usize,
    /// Frame within the item; a tone's lead and cycle count on.
    frame: usize,
    played: u64,
}

/// What sounds for the next 20 ms.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Frame<'a> {
    /// A frame of a prompt or tone.
    Prompt(&'a Prompt, usize),
    /// What is being made elsewhere.
    Live(&'a LiveFrame),
    /// Nothing, but sent all the same.
    Silence,
}

impl<'a> Frame<'a> {
    /// The payload, shared by all who play it.
    pub(crate) fn payload(self, law: Law) -> &'a [u8; FRAME] {
        match self {
            Self::Prompt(prompt, index) => prompt.frame(index, law).unwrap_or_else(|| silence(law)),
            Self::Live(frame) => frame.payload(law),
            Self::Silence => silence(law),
        }
    }

    /// The samples, filled up with silence.
    pub(crate) fn filled(self) -> [i16; FRAME] {
        match self {
            Self::Prompt(prompt, index) => prompt.filled_frame(index),
            Self::Live(frame) => *frame.samples(),
            Self::Silence => [0; FRAME],
        }
    }

    /// All that there is of it, filled up with silence.
    pub(crate) fn with_sound<T>(self, then: impl FnOnce(Sound<'_>) -> T) -> T {
        let narrow = self.filled();
        let (wide, full) = match self {
            Self::Prompt(prompt, index) => (prompt.wide_frame(index), prompt.full_frame(index)),
            Self::Live(frame) => (frame.wide(), None),
            Self::Silence => (None, None),
        };
        let full = full.filter(|_| wide.is_some());
        then(Sound { narrow: &narrow, wide: wide.as_ref(), full: full.as_ref() })
    }
}

/// A frame of silence, shared by all.
pub(crate) fn silence(law: Law) -> &'static [u8; FRAME] {
    static PCMU: [u8; FRAME] = [Law::Mu.silence(); FRAME];
    static PCMA: [u8; FRAME] = [Law::A.silence(); FRAME];
    match law {
        Law::Mu => &PCMU,
        Law::A => &PCMA,
    }
}

impl Player {
    pub(crate) fn new(play: PlayId, items: Vec<PlayItem>, repeat: Repeat) -> Self {
        let frame = first_frame(items.first());
        Self { play, items, repeat, item: 0, frame, played: 0 }
    }

    pub(crate) fn play(&self) -> PlayId {
        self.play
    }

    /// The highest rate of what it plays.
    pub(crate) fn rate(&self) -> Rate {
        let of = |item: &PlayItem| match item {
            PlayItem::Prompt(prompt) | PlayItem::PromptFrom(prompt, _) => prompt.rate(),
            PlayItem::Live(_) => Rate::Wide,
            PlayItem::Silence(_) | PlayItem::Tone(_) => Rate::Narrow,
        };
        self.items.iter().map(of).max().unwrap_or_default()
    }

    /// Samples played so far, filling not counted.
    pub(crate) fn played(&self) -> u64 {
        self.played
    }

    /// The next frame; `None` when all is played.
    pub(crate) fn next_frame(&mut self) -> Option<Frame<'_>> {
        let mut returns = 0;
        // Two passes find the next frame, if there is one at all.
        while !self.has_frame() {
            self.item += 1;
            if self.item >= self.items.len() {
                returns += 1;
                if self.repeat == Repeat::Once || returns > 1 {
                    self.item = self.items.len();
                    return None;
                }
                self.item = 0;
            }
            self.frame = first_frame(self.items.get(self.item));
        }
        let index = self.frame;
        self.frame += 1;
        if let Some(PlayItem::Live(listener)) = self.items.get_mut(self.item) {
            listener.advance();
        }
        let frame = frame_of(self.items.get(self.item)?, index)?;
        self.played += match frame {
            Frame::Prompt(prompt, index) => prompt.frame_samples(index).len() as u64,
            Frame::Live(_) | Frame::Silence => FRAME as u64,
        };
        Some(frame)
    }

    fn has_frame(&self) -> bool {
        self.items.get(self.item).is_some_and(|item| frame_of(item, self.frame).is_some())
    }
}

fn first_frame(item: Option<&PlayItem>) -> usize {
    match item {
        Some(PlayItem::PromptFrom(_, sample)) => *sample as usize / FRAME,
        _ => 0,
    }
}

fn frame_of(item: &PlayItem, index: usize) -> Option<Frame<'_>> {
    match item {
        PlayItem::Prompt(prompt) | PlayItem::PromptFrom(prompt, _) => {
            (index < prompt.frames()).then_some(Frame::Prompt(prompt, index))
        }
        PlayItem::Silence(duration) => {
            let frames = duration.as_millis().div_ceil(20);
            ((index as u128) < frames).then_some(Frame::Silence)
        }
        PlayItem::Live(listener) => (!listener.is_over()).then(|| Frame::Live(listener.frame())),
        PlayItem::Tone(tone) => {
            let lead = tone.lead().map_or(0, |lead| lead.frames());
            match (tone.lead(), tone.cycle()) {
                (Some(prompt), _) if index < lead => Some(Frame::Prompt(prompt, index)),
                (_, Some(prompt)) => {
                    Some(Frame::Prompt(prompt, (index - lead) % prompt.frames().max(1)))
                }
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::media::{Tone, ToneSpec};

    fn prompt(samples: usize) -> Arc<Prompt> {
        Arc::new(Prompt::from_samples(&vec![100; samples]))
    }

    fn frames(player: &mut Player) -> Vec<usize> {
        let mut next = || {
            let before = player.played();
            player.next_frame()?;
            Some((player.played() - before) as usize)
        };
        std::iter::from_fn(&mut next).take(1000).collect()
    }

    #[test]
    fn items_follow_each_other_in_whole_frames() {
        let items = vec![
            PlayItem::Prompt(prompt(330)),
            PlayItem::Prompt(prompt(0)),
            PlayItem::Silence(Duration::from_millis(21)),
            PlayItem::PromptFrom(prompt(480), 200),
        ];
        let mut player = Player::new(PlayId(1), items, Repeat::Once);
        assert_eq!(frames(&mut player), [160, 160, 10, 160, 160, 160, 160]);
        assert_eq!(player.played(), 330 + 320 + 320);
        assert!(player.next_frame().is_none());
    }

    #[test]
    fn a_repeated_play_goes_on_and_an_empty_one_ends() {
        let items = vec![PlayItem::Prompt(prompt(160))];
        assert_eq!(frames(&mut Player::new(PlayId(1), items, Repeat::Forever)).len(), 1000);
        let items = vec![PlayItem::Prompt(prompt(0)), PlayItem::Silence(Duration::ZERO)];
        assert!(Player::new(PlayId(1), items, Repeat::Forever).next_frame().is_none());
        assert!(Player::new(PlayId(1), vec![], Repeat::Forever).next_frame().is_none());
    }

    #[test]
    fn an_offset_past_the_end_plays_nothing() {
        let items = vec![PlayItem::PromptFrom(prompt(480), u32::MAX)];
        assert!(Player::new(PlayId(1), items, Repeat::Once).next_frame().is_none());
    }

    #[test]
    fn a_tone_plays_its_lead_once_and_its_cycle_for_ever() {
        let spec = ToneSpec::parse("!950/40,440/20,0/20").unwrap();
        let items = vec![PlayItem::Tone(Arc::new(Tone::render(&spec)))];
        let mut player = Player::new(PlayId(1), items, Repeat::Once);
        let mut loud = vec![];
        for _ in 0..6 {
            let frame = player.next_frame().unwrap();
            loud.push(frame.filled().iter().any(|&sample| sample != 0));
        }
        assert_eq!(loud, [true, true, true, false, true, false]);
    }
}
