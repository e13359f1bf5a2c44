//! Tells answering machines from humans by how they greet: a human says a word or two and waits,
//! a machine says nothing for long, or much.
//!
//! The rules, their order and their words are those of Asterisk's AMD.

use std::{fmt, time::Duration};

use super::{Frames, duration, frames};

/// By what a machine is known. The defaults are those of `amd.conf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineSettings {
    /// A longer silence before the greeting is a machine's.
    pub initial_silence: Duration,
    /// A longer greeting is a machine's.
    pub greeting: Duration,
    /// A silence after the greeting that is as long is a human's.
    pub after_greeting_silence: Duration,
    /// It has to be known after so long.
    pub total_analysis_time: Duration,
    /// What is shorter is no word.
    pub minimum_word_length: Duration,
    /// A shorter silence does not end a word.
    pub between_words_silence: Duration,
    /// More words are a machine's.
    pub maximum_number_of_words: u32,
    /// A frame of a lesser mean magnitude is silence.
    pub silence_threshold: u32,
    /// A longer word is a machine's.
    pub maximum_word_length: Duration,
}

impl Default for MachineSettings {
    fn default() -> Self {
        Self {
            initial_silence: Duration::from_millis(2500),
            greeting: Duration::from_millis(1500),
            after_greeting_silence: Duration::from_millis(800),
            total_analysis_time: Duration::from_millis(5000),
            minimum_word_length: Duration::from_millis(100),
            between_words_silence: Duration::from_millis(50),
            maximum_number_of_words: 2,
            silence_threshold: super::LOUD,
            maximum_word_length: Duration::from_millis(5000),
        }
    }
}

/// Who answered, and by what that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing else was known in time.
    TooLong {
        /// How long it was listened.
        total: Duration,
    },
    /// Silence before any greeting.
    InitialSilence {
        /// How long it was.
        silence: Duration,
        /// How long it may be.
        limit: Duration,
    },
    /// A greeting, and then silence.
    Greeted {
        /// How long the silence was.
        silence: Duration,
        /// How long it has to be.
        wanted: Duration,
    },
    /// A greeting that goes on and on.
    LongGreeting {
        /// How much was said.
        voice: Duration,
        /// How much may be.
        limit: Duration,
    },
    /// A word that does not end.
    LongWord {
        /// How long it is so far.
        voice: Duration,
    },
    /// Many words.
    ManyWords {
        /// How many.
        words: u32,
        /// How many may be.
        limit: u32,
    },
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answerer {
    /// A human.
    Human,
    /// A machine.
    Machine,
    /// One can not tell.
    NotSure,
}

impl Judgement {
    /// Who that is.
    pub const fn answerer(self) -> Answerer {
        match self {
            Self::Greeted { .. } => Answerer::Human,
            Self::TooLong { .. } => Answerer::NotSure,
            Self::InitialSilence { .. }
            | Self::LongGreeting { .. }
            | Self::LongWord { .. }
            | Self::ManyWords { .. } => Answerer::Machine,
        }
    }
}

impl Answerer {
    /// The text of AMDSTATUS.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "HUMAN",
            Self::Machine => "MACHINE",
            Self::NotSure => "NOTSURE",
        }
    }
}

/// The text of AMDCAUSE.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_millis();
        match *self {
            Self::TooLong { total } => write!(f, "TOOLONG-{}", ms(total)),
            Self::InitialSilence { silence, limit } => {
                write!(f, "INITIALSILENCE-{}-{}", ms(silence), ms(limit))
            }
            Self::Greeted { silence, wanted } => write!(f, "HUMAN-{}-{}", ms(silence), ms(wanted)),
            Self::LongGreeting { voice, limit } => {
                write!(f, "LONGGREETING-{}-{}", ms(voice), ms(limit))
            }
            Self::LongWord { voice } => write!(f, "MAXWORDLENGTH-{}", ms(voice)),
            Self::ManyWords { words, limit } => write!(f, "MAXWORDS-{words}-{limit}"),
        }
    }
}

/// One call that is being judged.
#[derive(Debug)]
pub(super) struct Machine {
    settings: MachineSettings,
    total: Frames,
    /// Without a break until now.
    silence: Frames,
    /// Without a silence that ends a word.
    word: Frames,
    /// All that was said.
    voice: Frames,
    words: u32,
    state: State,
    greeting: Greeting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Silence,
    /// Also at the beginning: what is said before any silence is not counted as a word.
    Word,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Greeting {
    Awaited,
    Begun,
}

impl Machine {
    pub(super) fn new(settings: MachineSettings) -> Self {
        Self {
            settings,
            total: 0,
            silence: 0,
            word: 0,
            voice: 0,
            words: 0,
            state: State::Word,
            greeting: Greeting::Awaited,
        }
    }

    pub(super) fn handle_frame(&mut self, is_talk: bool) -> Option<Judgement> {
        self.total += 1;
        if self.total >= frames(self.settings.total_analysis_time) {
            return Some(Judgement::TooLong { total: duration(self.total) });
        }
        if is_talk { self.handle_voice() } else { self.handle_silence() }
    }

    fn handle_silence(&mut self) -> Option<Judgement> {
        let settings = &self.settings;
        self.silence += 1;
        let silence = duration(self.silence);
        if silence >= settings.between_words_silence {
            self.state = State::Silence;
            self.word = 0;
        }
        match self.greeting {
            Greeting::Awaited if silence >= settings.initial_silence => {
                Some(Judgement::InitialSilence { silence, limit: settings.initial_silence })
            }
            Greeting::Begun if silence >= settings.after_greeting_silence => {
                Some(Judgement::Greeted { silence, wanted: settings.after_greeting_silence })
            }
            Greeting::Awaited | Greeting::Begun => None,
        }
    }

    fn handle_voice(&mut self) -> Option<Judgement> {
        let settings = &self.settings;
        self.silence = 0;
        self.word += 1;
        self.voice += 1;
        let (word, voice) = (duration(self.word), duration(self.voice));
        let is_word = word >= settings.minimum_word_length;
        if is_word && self.state == State::Silence {
            self.words += 1;
            self.state = State::Word;
        }
        if word >= settings.maximum_word_length {
            return Some(Judgement::LongWord { voice: word });
        }
        if self.words > settings.maximum_number_of_words {
            let limit = settings.maximum_number_of_words;
            return Some(Judgement::ManyWords { words: self.words, limit });
        }
        if self.greeting == Greeting::Begun && voice >= settings.greeting {
            return Some(Judgement::LongGreeting { voice, limit: settings.greeting });
        }
        if is_word {
            self.greeting = Greeting::Begun;
        }
        None
    }
}
