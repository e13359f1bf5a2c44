//! The effects of a command, as `sox` writes them.

use diesis_sounds::chain::{
    Curve, Effect, Level, Mix, MixPart, Origin, Position, Share, Silence, Time, Wait,
};
use diesis_sounds::rate::Phase;

use super::command::{self, Asked};
use super::time::{Bare, position, time};
use super::words::{Refusal, Words};

/// All of sox 14.4.2, of `sox` before it, and what chains are made of: the first of them ends the
/// files of a command.
const NAMES: &[&str] = &[
    ":",
    "allpass",
    "band",
    "bandpass",
    "bandreject",
    "bass",
    "bend",
    "biquad",
    "channels",
    "chorus",
    "compand",
    "contrast",
    "dcshift",
    "deemph",
    "delay",
    "dither",
    "divide",
    "downsample",
    "earwax",
    "echo",
    "echos",
    "equalizer",
    "fade",
    "fir",
    "firfit",
    "flanger",
    "gain",
    "highpass",
    "hilbert",
    "ladspa",
    "loudness",
    "lowpass",
    "mcompand",
    "newfile",
    "noiseprof",
    "noisered",
    "norm",
    "oops",
    "overdrive",
    "pad",
    "phaser",
    "pitch",
    "polyphase",
    "rate",
    "remix",
    "repeat",
    "resample",
    "restart",
    "reverb",
    "reverse",
    "riaa",
    "silence",
    "sinc",
    "spectrogram",
    "speed",
    "splice",
    "stat",
    "stats",
    "stretch",
    "swap",
    "synth",
    "tempo",
    "treble",
    "tremolo",
    "trim",
    "upsample",
    "vad",
    "vol",
];

/// Those that are here, for messages.
pub(super) const HERE: &str =
    "channels, dither, fade, gain, norm, pad, rate, remix, silence, trim and vol";

/// Whether a word is the name of an effect.
pub(super) fn is_known(word: &str) -> bool {
    NAMES.contains(&word)
}

/// Reads all effects.
pub(super) fn parse(words: &mut Words<'_>) -> Result<Vec<Asked>, Refusal> {
    let mut asked = vec![];
    while let Some(name) = words.next() {
        let here = words.clone();
        let mut arguments = words.until(is_known);
        let effect = match name {
            "rate" => rate(&mut arguments)?,
            "channels" => Asked::Effect(channels(&mut arguments)?),
            "remix" => Asked::Effect(remix(&mut arguments)?),
            "gain" => {
                asked.extend(gain(&mut arguments)?.into_iter().map(Asked::Effect));
                continue;
            }
            "norm" => {
                let level = number(&mut arguments)?.unwrap_or(0.0);
                Asked::Effect(Effect::Normalize(factor(level)))
            }
            "vol" => Asked::Effect(vol(&mut arguments)?),
            "trim" => Asked::Effect(trim(&mut arguments)?),
            "pad" => Asked::Effect(pad(&mut arguments)?),
            "fade" => Asked::Effect(fade(&mut arguments)?),
            "silence" => Asked::Effect(silence(&mut arguments)?),
            "dither" => dither(&mut arguments)?,
            "resample" | "polyphase" => {
                return here.refuse(format!("`{name}` is gone from sox, too: use `rate`"));
            }
            "stat" | "stats" => {
                return here
                    .refuse(format!("`{name}` is not here: `diesis sounds show FILE` tells more"));
            }
            other => return here.refuse(format!("the effect `{other}` is not here: {HERE} are")),
        };
        if let Some(word) = arguments.next() {
            return arguments.refuse(format!("`{name}`: `{word}` is too much"));
        }
        asked.push(effect);
    }
    Ok(asked)
}

/// Letters of options before what else there is; numbers below zero are none.
fn flags<'a>(words: &mut Words<'a>) -> Option<&'a str> {
    let flags = words.peek()?.strip_prefix('-')?;
    if !flags.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    words.next();
    Some(flags)
}

fn number(words: &mut Words<'_>) -> Result<Option<f64>, Refusal> {
    let Some(word) = words.next() else { return Ok(None) };
    match word.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Some(number)),
        _ => words.refuse(format!("`{word}`: a number is expected")),
    }
}

fn factor(decibels: f64) -> f32 {
    10.0_f64.powf(decibels / 20.0) as f32
}

fn rate(words: &mut Words<'_>) -> Result<Asked, Refusal> {
    let mut phase = Phase::Linear;
    while let Some(letters) = flags(words) {
        let mut rest = letters.chars();
        while let Some(letter) = rest.next() {
            match letter {
                // One quality is here: above all of them. Aliases may be, and are not.
                'q' | 'l' | 'm' | 'h' | 'v' | 'u' | 'a' => {}
                'L' => phase = Phase::Linear,
                'I' => phase = Phase::Intermediate,
                'M' => phase = Phase::Minimum,
                'p' | 'b' => {
                    let value = match rest.as_str() {
                        "" => words.next().unwrap_or_default(),
                        attached => attached,
                    };
                    let value: Option<f64> = value.parse().ok();
                    phase = match (letter, value) {
                        ('p', Some(0.0)) => Phase::Minimum,
                        ('p', Some(25.0)) => Phase::Intermediate,
                        ('p', Some(50.0)) => Phase::Linear,
                        ('p', _) => {
                            return words.refuse("`rate -p`: 0 (minimum), 25 (intermediate) and 50 (linear phase) are here");
                        }
                        (_, Some(width)) if (90.0..=95.5).contains(&width) => phase,
                        _ => {
                            return words.refuse("`rate -b`: the band is 95 % wide here, as without it: leave it out");
                        }
                    };
                    break;
                }
                's' => {
                    return words.refuse(
                        "`rate -s`: the band is 95 % wide here, as without it: leave it out",
                    );
                }
                other => return words.refuse(format!("`rate -{other}` is not here")),
            }
        }
    }
    let Some(word) = words.next() else { return Ok(Asked::RateOfOutput(phase)) };
    match command::rate(word) {
        Some(rate) => Ok(Asked::Effect(Effect::Rate(rate, phase))),
        None => words.refuse(format!("`rate {word}`: a rate such as 8000 or 44.1k is expected")),
    }
}

fn channels(words: &mut Words<'_>) -> Result<Effect, Refusal> {
    match words.next().and_then(|word| word.parse().ok()) {
        Some(channels) if channels > 0 => Ok(Effect::Channels(channels)),
        _ => words.refuse("`channels`: how many is expected"),
    }
}

fn remix(words: &mut Words<'_>) -> Result<Effect, Refusal> {
    let (mut automatic, mut of_whole, mut of_volumes) = (Share::Mean, Share::Mean, Share::Whole);
    while words.peek() != Some("-")
        && let Some(letters) = flags(words)
    {
        match letters {
            "a" => of_volumes = automatic,
            "m" => (automatic, of_whole, of_volumes) = (Share::Whole, Share::Whole, Share::Whole),
            "p" => (automatic, of_whole) = (Share::Power, Share::Power),
            other => return words.refuse(format!("`remix -{other}` is not here")),
        }
    }
    let mut mixes = vec![];
    while let Some(word) = words.next() {
        let Some(parts) = mix(word) else {
            return words.refuse(format!(
                "`remix {word}`: channels such as 1,2 or 1-3 or 2v0.5 are expected"
            ));
        };
        let has_volumes = parts.iter().any(|part| part.volume.is_some());
        mixes.push(Mix { parts, share: if has_volumes { of_volumes } else { of_whole } });
    }
    if mixes.is_empty() {
        return words.refuse("`remix`: channels are expected");
    }
    Ok(Effect::Remix(mixes))
}

/// One channel that is made: `1,2`, `-`, `2-`, `1,2i`, `3v0.8`, `0`.
fn mix(text: &str) -> Option<Vec<MixPart>> {
    if text == "0" {
        return Some(vec![]);
    }
    let part = |text: &str| {
        let (channels, volume) = match text.find(['p', 'i', 'v']) {
            Some(at) => (&text[..at], Some(volume(&text[at..])?)),
            None => (text, None),
        };
        let channel = |text: &str| text.parse().ok().filter(|&it: &u16| it > 0);
        let (first, last) = match channels.split_once('-') {
            None => (channel(channels)?, Some(channel(channels)?)),
            Some((first, last)) => (
                if first.is_empty() { 1 } else { channel(first)? },
                if last.is_empty() { None } else { Some(channel(last)?) },
            ),
        };
        Some(MixPart { first, last, volume })
    };
    text.split(',').map(part).collect()
}

fn volume(text: &str) -> Option<f32> {
    let value = match &text[1..] {
        "" => None,
        number => Some(number.parse::<f64>().ok().filter(|it| it.is_finite())?),
    };
    Some(match text.as_bytes()[0] {
        b'v' => value.unwrap_or(1.0) as f32,
        b'p' => factor(value.unwrap_or(0.0)),
        _ => -factor(value.unwrap_or(0.0)),
    })
}

fn gain(words: &mut Words<'_>) -> Result<Vec<Effect>, Refusal> {
    let (mut normalize, mut guard) = (false, false);
    while let Some(letters) = flags(words) {
        for letter in letters.chars() {
            match letter {
                'n' => normalize = true,
                // Room for what follows is not needed: nothing is cut before the end.
                'h' => {}
                'r' => guard = true,
                'l' => {
                    return words.refuse("`gain -l`, a limiter, is not here: use `gain -n` or -G");
                }
                'e' | 'b' | 'B' => {
                    return words.refuse(format!(
                        "`gain -{letter}`, channels made equally loud, is not here"
                    ));
                }
                other => return words.refuse(format!("`gain -{other}` is not here")),
            }
        }
    }
    let level = number(words)?.unwrap_or(0.0);
    if let Some(word) = words.next() {
        return words.refuse(format!("`gain`: `{word}` is too much"));
    }
    Ok(match (normalize, guard) {
        (true, _) => vec![Effect::Normalize(factor(level))],
        (false, true) => vec![Effect::Gain(factor(level)), Effect::Guard],
        (false, false) => vec![Effect::Gain(factor(level))],
    })
}

fn vol(words: &mut Words<'_>) -> Result<Effect, Refusal> {
    let word = words.next().unwrap_or_default();
    let end = word.find(|c: char| c.is_ascii_alphabetic() && c != 'e').unwrap_or(word.len());
    let Some(value) = word[..end].parse::<f64>().ok().filter(|it| it.is_finite()) else {
        return words.refuse("`vol`: a factor, or a number with dB, is expected");
    };
    let kind = match &word[end..] {
        "" => words.next().unwrap_or("amplitude"),
        attached => attached,
    };
    let kind = kind.to_ascii_lowercase();
    let is = |name: &str| !kind.is_empty() && name.starts_with(&kind);
    let factor = if is("amplitude") {
        value as f32
    } else if is("power") {
        (value.abs().sqrt() * value.signum()) as f32
    } else if is("db") {
        factor(value)
    } else {
        return words.refuse(format!("`vol`: `{kind}` is none of amplitude, power and dB"));
    };
    if words.next().is_some() {
        return words.refuse("`vol` with a limiter is not here: use `gain -n` or -G");
    }
    Ok(Effect::Gain(factor))
}

fn trim(words: &mut Words<'_>) -> Result<Effect, Refusal> {
    let mut positions = vec![];
    while let Some(word) = words.next() {
        let Some(position) = position(word, Origin::Previous) else {
            return words
                .refuse(format!("`trim {word}`: a place such as 1:30, 8000s or -5 is expected"));
        };
        positions.push(position);
    }
    if positions.is_empty() {
        return words.refuse("`trim`: what is kept is expected");
    }
    Ok(Effect::Trim(positions))
}

fn pad(words: &mut Words<'_>) -> Result<Effect, Refusal> {
    let mut pads = vec![];
    let all = words.left();
    while let Some(word) = words.next() {
        let (length, place) = match word.split_once('@') {
            Some((length, place)) => (length, Some(place)),
            None => (word, None),
        };
        let end = Position { from: Origin::End, time: Time::default() };
        let begin = Position { from: Origin::Begin, time: Time::default() };
        let place = match place {
            Some(place) => position(place, Origin::Begin),
            None if pads.is_empty() => Some(begin),
            None if pads.len() + 1 == all => Some(end),
            None => None,
        };
        let (Some(length), Some(place)) = (time(length, Bare::Seconds), place) else {
            return words.refuse(format!(
                "`pad {word}`: a length such as 1.5, or 1.5@30 in between, is expected"
            ));
        };
        pads.push((length, place));
    }
    if pads.is_empty() {
        return words.refuse("`pad`: how much is expected");
    }
    Ok(Effect::Pad(pads))
}

fn fade(words: &mut Words<'_>) -> Result<Effect, Refusal> {
    let curve = match words.peek() {
        Some("q") => Some(Curve::Quarter),
        Some("h") => Some(Curve::Half),
        Some("t") => Some(Curve::Linear),
        Some("l") => Some(Curve::Logarithmic),
        Some("p") => Some(Curve::Parabola),
        _ => None,
    };
    if curve.is_some() {
        words.next();
    }
    let length = |words: &mut Words<'_>| match words.next() {
        None => Ok(None),
        Some(word) => match time(word, Bare::Seconds) {
            Some(time) => Ok(Some(time)),
            None => words.refuse(format!("`fade {word}`: a length is expected")),
        },
    };
    let Some(rise) = length(words)? else { return words.refuse("`fade`: a length is expected") };
    let fall = match words.next() {
        None => None,
        Some(word) => {
            let Some(stop) = position(word, Origin::Begin) else {
                return words.refuse(format!("`fade {word}`: where it ends is expected"));
            };
            // 0 has always been the end, too.
            let stop = match stop.time == Time::default() {
                true => Position { from: Origin::End, ..stop },
                false => stop,
            };
            Some((stop, length(words)?.unwrap_or(rise)))
        }
    };
    Ok(Effect::Fade { curve: curve.unwrap_or(Curve::Logarithmic), rise, fall })
}

fn silence(words: &mut Words<'_>) -> Result<Effect, Refusal> {
    let leave = words.peek() == Some("-l");
    if leave {
        words.next();
    }
    let periods = |words: &mut Words<'_>| match words.next() {
        None => Ok(None),
        Some(word) => match word.parse::<i32>() {
            Ok(periods) => Ok(Some(periods)),
            Err(_) => words.refuse(format!("`silence {word}`: how many periods is expected")),
        },
    };
    let Some(above) = periods(words)?.filter(|above| *above >= 0) else {
        return words.refuse("`silence`: how many periods of sound to wait for is expected");
    };
    let begin = match above {
        0 => None,
        above => Some(wait(words, above.unsigned_abs())?),
    };
    let below = periods(words)?.unwrap_or(0);
    let end = match below {
        0 => None,
        below => Some(wait(words, below.unsigned_abs())?),
    };
    if leave && below.unsigned_abs() > 1 {
        return words.refuse("`silence -l` with more than one period at the end is not here");
    }
    Ok(Effect::Silence(Silence { begin, end, again: below < 0, leave }))
}

fn wait(words: &mut Words<'_>, periods: u32) -> Result<Wait, Refusal> {
    let Some(duration) = words.next().and_then(|word| time(word, Bare::Frames)) else {
        return words.refuse("`silence`: a duration such as 0.5 is expected");
    };
    let level = words.next().and_then(|word| match word.strip_suffix('d') {
        Some(decibels) => Some(10.0_f64.powf(decibels.parse::<f64>().ok()? / 20.0)),
        None => Some(word.strip_suffix('%').unwrap_or(word).parse::<f64>().ok()? / 100.0),
    });
    match level {
        Some(level) if (0.0..=1.0).contains(&level) => {
            Ok(Wait { periods, duration, level: Level(level as f32) })
        }
        _ => words.refuse("`silence`: a level such as 1% or -40d is expected"),
    }
}

fn dither(words: &mut Words<'_>) -> Result<Asked, Refusal> {
    while let Some(letters) = flags(words) {
        if letters != "a" {
            return words.refuse(format!(
                "`dither -{letters}`, noise of a shape, is not here: without it the noise is white"
            ));
        }
    }
    Ok(Asked::Dither)
}
