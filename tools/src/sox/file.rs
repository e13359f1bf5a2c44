//! The files of a command: what is read as what, and what is written.

use std::io;
use std::path::Path;

use diesis_sounds::chain::{Part, Signal};
use diesis_sounds::coding::{Coding, Order};
use diesis_sounds::convert::target::{Container, Target};
use diesis_sounds::format::Format;
use diesis_sounds::format::raw::RawLayout;
use diesis_sounds::read::input::Input;

use super::command::{Encoding, FileOptions};
use super::words::Refusal;
use crate::convert::told::with_cause;

/// What a headerless type is by its name: coding and rate, as far as it tells.
fn headerless(kind: &str) -> Option<(Option<Coding>, Option<u32>)> {
    let little = Order::Little;
    let coding = match kind {
        "raw" => return Some((None, None)),
        "s8" | "sb" | "s1" => Coding::Signed8,
        "u8" | "ub" | "u1" => Coding::Unsigned8,
        "s16" | "sw" | "s2" => Coding::Signed16(little),
        "s24" | "s3" => Coding::Signed24(little),
        "s32" | "sl" | "s4" => Coding::Signed32(little),
        "f32" | "f4" => Coding::Float32(little),
        "f64" | "f8" => Coding::Float64(little),
        other => {
            return match Format::from_extension(other)? {
                Format::Raw { coding, rate } => Some((Some(coding), Some(rate))),
                _ => None,
            };
        }
    };
    Some((Some(coding), None))
}

/// The coding that encoding, bits and order stand for.
fn coding(
    encoding: Encoding,
    bits: Option<u16>,
    order: Order,
    default: u16,
) -> Result<Coding, String> {
    Ok(match (encoding, bits.unwrap_or(default)) {
        (Encoding::Signed, 8) => Coding::Signed8,
        (Encoding::Signed, 16) => Coding::Signed16(order),
        (Encoding::Signed, 24) => Coding::Signed24(order),
        (Encoding::Signed, 32) => Coding::Signed32(order),
        (Encoding::Unsigned, 8) => Coding::Unsigned8,
        (Encoding::Float, 64) => Coding::Float64(order),
        (Encoding::Float, _) if matches!(bits, None | Some(32)) => Coding::Float32(order),
        (Encoding::Ulaw, _) if matches!(bits, None | Some(8)) => Coding::Ulaw,
        (Encoding::Alaw, _) if matches!(bits, None | Some(8)) => Coding::Alaw,
        (Encoding::Gsm, _) if bits.is_none() => Coding::Gsm,
        (_, bits) => return Err(format!("{bits} bits of this encoding are not here")),
    })
}

/// An input, and what it is. `stdin` is what the first `-` reads.
pub(super) fn input(file: &FileOptions) -> Result<Part, Refusal> {
    let refused = |reason: String| Refusal::of_all(format!("{}: {reason}", file.name));
    let source = match file.name.as_str() {
        "-" => Input::spooled(io::stdin().lock(), "-").map_err(|it| refused(with_cause(&it)))?,
        name => Input::from(Path::new(name)),
    };
    let volume = file.volume.unwrap_or(1.0) as f32;
    let kind = file.kind();
    let Some((named, rate)) = headerless(&kind) else {
        // What a file is, it says itself; what is said of it must be true.
        let part = Part { input: source, rate: file.rate, volume };
        if file.channels.is_some() || file.bits.is_some() || file.encoding.is_some() {
            let (signal, _) = part.signal().map_err(|it| refused(with_cause(&it)))?;
            if file.channels.is_some_and(|channels| channels != signal.channels) {
                let reason = format!("it has {} channels, whatever -c says", signal.channels);
                return Err(refused(reason));
            }
        }
        return Ok(part);
    };
    let order = file.order.unwrap_or(Order::Little);
    let coding = match (file.encoding, named) {
        (Some(encoding), _) => {
            if file.bits.is_none()
                && matches!(encoding, Encoding::Signed | Encoding::Unsigned)
                && named.is_none()
            {
                return Err(refused("how many bits a sample has is missing: -b".to_owned()));
            }
            coding(encoding, file.bits, order, 16).map_err(refused)?
        }
        (None, Some(named)) => in_order(named, order),
        (None, None) => {
            return Err(refused("what its samples are is missing: -e and -b".to_owned()));
        }
    };
    let Some(rate) = file.rate.or(rate) else {
        return Err(refused("its rate is missing: -r".to_owned()));
    };
    let layout = RawLayout::new(coding, rate)
        .and_then(|layout| layout.channels(file.channels.unwrap_or(1)))
        .map_err(|error| refused(with_cause(&error)))?;
    Ok(Part { input: source.raw(layout), rate: None, volume })
}

fn in_order(coding: Coding, order: Order) -> Coding {
    match coding {
        Coding::Signed16(_) => Coding::Signed16(order),
        Coding::Signed24(_) => Coding::Signed24(order),
        Coding::Signed32(_) => Coding::Signed32(order),
        Coding::Float32(_) => Coding::Float32(order),
        Coding::Float64(_) => Coding::Float64(order),
        other => other,
    }
}

/// What is written: as what `first` is unless the options or the type say otherwise. Says what the
/// type can't be, as `sox` does.
pub(super) fn output(
    file: &FileOptions,
    first: &Part,
    signal: Signal,
) -> Result<(Target, Vec<String>), Refusal> {
    let refused = |reason: String| Refusal::of_all(format!("{}: {reason}", file.name));
    let kind = file.kind();
    let order = file.order.unwrap_or(Order::Little);
    let alike = || -> Result<Coding, Refusal> {
        let reader = first.input.open().map_err(|error| refused(with_cause(&error)))?;
        Ok(alike(reader.spec().coding, reader.spec().precision, order))
    };
    let asked = match file.encoding {
        Some(encoding) => Some(coding(encoding, file.bits, order, 16).map_err(refused)?),
        None => match file.bits {
            None => None,
            Some(bits) => {
                let whole = if matches!(kind.as_str(), "wav" | "wavpcm") && bits == 8 {
                    Encoding::Unsigned
                } else {
                    Encoding::Signed
                };
                Some(coding(whole, Some(bits), order, 16).map_err(refused)?)
            }
        },
    };
    let wav = matches!(kind.to_ascii_lowercase().as_str(), "wav" | "wavpcm");
    let (container, coding, fixed) = if wav {
        if order == Order::Big {
            return Err(refused(
                "a WAV file has its bytes in the other order: leave -B out".to_owned(),
            ));
        }
        let coding = match asked {
            Some(asked) => asked,
            None => alike()?,
        };
        (Container::Wav, if coding == Coding::Gsm { Coding::GsmPairs } else { coding }, None)
    } else if let Some((named, rate)) = headerless(&kind) {
        let coding = match (asked, named) {
            (Some(asked), None) => asked,
            (None, None) => alike()?,
            (asked, Some(named)) => {
                let named = in_order(named, order);
                if asked.is_some_and(|asked| asked != named) {
                    return Err(refused(format!("the type {kind} is always {}", named.name())));
                }
                named
            }
        };
        // A law is at any rate what it is; what names tell of linear samples holds.
        let fixed = match coding {
            Coding::Ulaw | Coding::Alaw => None,
            _ => rate,
        };
        (Container::Raw, coding, fixed)
    } else {
        return Err(refused(format!(
            "the type `{kind}` is not written here: wav and headerless ones are (raw, s16, ul, al, gsm, sln...)"
        )));
    };
    let mut warnings = vec![];
    let mut rate = file.rate.unwrap_or(signal.rate);
    if let Some(fixed) = fixed.or_else(|| coding.rate()).filter(|fixed| *fixed != rate) {
        warnings.push(format!("{kind} can't encode at {rate}Hz; using {fixed}Hz"));
        rate = fixed;
    }
    let mut channels = file.channels.unwrap_or(signal.channels);
    let mono = !coding.holds(channels) || (fixed.is_some() && container == Container::Raw);
    if mono && channels != 1 {
        warnings.push(format!("{kind} can't encode {channels} channels; setting channels to 1"));
        channels = 1;
    }
    Ok((Target { container, coding, rate, channels }, warnings))
}

/// What a coding is when it is written: samples as they are, and 16 bits of what is compressed.
fn alike(name: &str, precision: u32, order: Order) -> Coding {
    let same = [
        Coding::Unsigned8,
        Coding::Signed16(order),
        Coding::Signed24(order),
        Coding::Signed32(order),
        Coding::Float32(order),
        Coding::Float64(order),
        Coding::Ulaw,
        Coding::Alaw,
        Coding::Gsm,
    ];
    if let Some(same) = same.into_iter().find(|coding| coding.name() == name) {
        return same;
    }
    match (name, precision) {
        (name, _) if name == Coding::Signed8.name() => Coding::Unsigned8,
        ("FLAC" | "ALAC", 17..) => Coding::Signed24(order),
        _ => Coding::Signed16(order),
    }
}
