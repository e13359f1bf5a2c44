//! Where log lines go: standard error, filtered by verbosity or by `DIESIS_LOG`.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::EnvFilter;

use crate::cli::Verbosity;

/// The environment variable that replaces the default filter.
const VARIABLE: &str = "DIESIS_LOG";

/// Starts logging: `quiet` is the level without `--verbose`. A filter in `DIESIS_LOG` that can't be
/// understood is named and left out.
pub(crate) fn start(verbosity: &Verbosity, quiet: Level) {
    let default = default_filter(verbosity, quiet);
    let filter = match std::env::var(VARIABLE) {
        Ok(text) => EnvFilter::try_new(&text).unwrap_or_else(|error| {
            eprintln!("diesis: {VARIABLE} is not understood and has no effect: {error}");
            EnvFilter::new(default)
        }),
        Err(_) => EnvFilter::new(default),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

fn default_filter(verbosity: &Verbosity, quiet: Level) -> String {
    match verbosity.verbose {
        0 => quiet.to_string(),
        1 => "info,diesis_engine=debug,diesis_dialplan=debug".to_owned(),
        _ => "debug,diesis_engine=trace,diesis_dialplan=trace".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_filter_is_understood() {
        for verbose in 0..3 {
            assert!(
                EnvFilter::try_new(default_filter(&Verbosity { verbose }, Level::WARN)).is_ok()
            );
        }
    }
}
