//! What has to be told of a sound that has no header.

use clap::Args;
use diesis_sounds::coding::Coding;
use diesis_sounds::format::raw::{CODING_NAMES, RawLayout, coding_named};

/// How to read an input that does not tell what it is.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Headerless {
    /// The input has no header; its samples are so: ulaw, alaw, gsm, g722, vox, sln16, s16le, f32be...
    #[arg(long, value_name = "CODING", value_parser = named)]
    input_format: Option<Named>,
    /// Samples a second of such an input [default: what the coding's name stands for]
    #[arg(long, value_name = "HZ", requires = "input_format", value_parser = clap::value_parser!(u32).range(1000..=768_000))]
    input_rate: Option<u32>,
    /// Channels of such an input [default: 1]
    #[arg(long, value_name = "COUNT", requires = "input_format", value_parser = clap::value_parser!(u16).range(1..))]
    input_channels: Option<u16>,
    /// Bytes of such an input that come before its sound [default: 0]
    #[arg(long, value_name = "BYTES", requires = "input_format")]
    input_skip: Option<u64>,
}

impl Headerless {
    /// Whether anything is.
    pub(crate) const fn is_told(&self) -> bool {
        self.input_format.is_some()
    }

    /// What is told; `None` when the input tells itself.
    pub(crate) fn layout(&self) -> Result<Option<RawLayout>, String> {
        let Some(Named { coding, rate }) = self.input_format else { return Ok(None) };
        let Some(rate) = self.input_rate.or(rate) else {
            return Err(format!(
                "nothing tells how many samples a second {} has: name it by --input-rate",
                coding.name()
            ));
        };
        let layout = RawLayout::new(coding, rate)
            .and_then(|layout| layout.channels(self.input_channels.unwrap_or(1)))
            .map_err(|error| error.to_string())?;
        Ok(Some(layout.skip(self.input_skip.unwrap_or(0))))
    }
}

/// A coding and the rate that its name tells.
#[derive(Debug, Clone, Copy)]
struct Named {
    coding: Coding,
    rate: Option<u32>,
}

fn named(name: &str) -> Result<Named, String> {
    let found = coding_named(name).map(|(coding, rate)| Named { coding, rate });
    found.ok_or_else(|| {
        format!(
            "what has no header is {CODING_NAMES}, or as the extensions sln, sln12 to sln192, \
             ulaw, alaw, gsm, g722 and vox say; other files tell themselves what they are"
        )
    })
}
