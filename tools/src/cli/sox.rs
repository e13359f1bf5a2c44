//! `diesis sox`, as typed arguments: its words are read by rules of their own.

use clap::Args;

/// A command of `sox`.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, after_help = HELP)]
pub(crate) struct Sox {
    /// The words that would follow `sox`
    #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

/// What is taken.
pub(crate) const HELP: &str = "\
diesis sox [OPTIONS] [FILE OPTIONS] IN... [FILE OPTIONS] OUT [EFFECT...]

The command of sox, for scripts: what they say is done, or refused by name with exit code 2.

Options (anywhere before the effects)
  -q, -S             say nothing, or how much was read and written
  -V[N]              0 says nothing, 1 failures, 2 warnings (as without it), 3 what is done
  -D                 no dither
  -G                 make it as quiet as it takes, instead of cutting what is too loud
  --norm[=DB]        make the loudest sample that loud
  -R, --clobber, --no-clobber, --combine concatenate, --buffer N, --temp DIR, --version, --help
  SOX_OPTS of the environment is read as sox reads it.

File options (before the file that they are about; - is standard input or output)
  -t TYPE            wav, raw, s8 u8 s16 s24 s32 f32 f64, ul al gsm g722 sln sln16...
                     of an input with a header its contents decide
  -r HZ, -c N        rate (8000, 44.1k) and channels
  -b BITS, -e ENC    signed, unsigned, float, mu-law, a-law, gsm
  -L, -B, -x         which byte comes first
  -v FACTOR          an input louder or quieter
  Without them an output has the rate, channels and bits of the first input.

Effects (in their order)
  rate [-q|-l|-m|-h|-v] [-L|-I|-M|-p 0|25|50] [HZ]   one quality, better than sox's -v at 8 kHz
  channels N         remix [-m|-a|-p] 1,2 -  2v0.5 0 ...
  gain [-n] [-h|-r] [DB]      norm [DB]      vol FACTOR|DBdB
  trim PLACE...      pad LENGTH[@PLACE]...   fade [q|h|t|l|p] IN [STOP [OUT]]
  silence [-l] N LENGTH LEVEL [N LENGTH LEVEL]       dither
  Times are [[h:]m:]s, or samples as 8000s; places =from the beginning, +from the one before, -from the end.

Not here: -n, -d, -p, -m, -M, stat, equalizers, and every other effect. Written are WAV and headerless
types. Samples between effects are not cut; digital silence stays silence; two runs give the same file.

Examples:
  diesis sox in.wav -b 16 -c 1 -t wav out.wav rate -I 8000
  diesis sox a.wav b.mp3 c.wav -r 8000 -c 1 all.wav
  cat in.mp3 | diesis sox - -t ul -r 8000 -c 1 - | ...";
