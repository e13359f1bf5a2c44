//! What is asked for and told of the caller's sound: silence, noise, talk, answering machines.

use std::time::Duration;

use bstr::BString;

use super::DigitSet;

/// Arguments of WaitForSilence, WaitForNoise and WaitForBeep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitSound {
    /// What is waited for.
    pub sound: Sound,
    /// How long it has to last without a break.
    pub length: Duration,
    /// How often; each time counts anew.
    pub times: u32,
    /// How long to wait for all of it.
    pub timeout: Option<Duration>,
}

/// The kinds of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// Nothing that is loud.
    Silence,
    /// Anything that is loud.
    Noise,
    /// The end of a beep, or a silence of the length that is given.
    Beep,
}

/// Arguments of BackgroundDetect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectTalk {
    /// What is played meanwhile; it ends when that does.
    pub files: Vec<BString>,
    /// Keys that end it.
    pub interrupt: DigitSet,
    /// The silence that ends what is said.
    pub silence: Duration,
    /// What is said is longer than this.
    pub shortest: Duration,
    /// And shorter than this.
    pub longest: Option<Duration>,
    /// For how long it is listened.
    pub within: Option<Duration>,
}

/// Arguments of AMD; what is `None` is as the performer's settings have it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DetectMachine {
    /// A longer silence before the greeting is a machine's.
    pub initial_silence: Option<Duration>,
    /// A longer greeting is a machine's.
    pub greeting: Option<Duration>,
    /// So much silence after the greeting is a human's.
    pub after_greeting_silence: Option<Duration>,
    /// It is known after so long.
    pub total_analysis_time: Option<Duration>,
    /// What is shorter is no word.
    pub minimum_word_length: Option<Duration>,
    /// A shorter silence does not end a word.
    pub between_words_silence: Option<Duration>,
    /// More words are a machine's.
    pub maximum_number_of_words: Option<u32>,
    /// A frame of a lesser mean magnitude is silence.
    pub silence_threshold: Option<u32>,
    /// A longer word is a machine's.
    pub maximum_word_length: Option<Duration>,
    /// What is played meanwhile.
    pub file: Option<BString>,
}

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// AMDSTATUS: `HUMAN`, `MACHINE`, `NOTSURE`.
    pub status: BString,
    /// AMDCAUSE.
    pub cause: BString,
}
