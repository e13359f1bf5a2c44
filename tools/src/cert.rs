//! `diesis cert`: makes an authority and server certificates, and says what is wrong with a chain.

mod inspect;
mod make;

use std::process::ExitCode;

use crate::cli::cert::Cert;

/// Runs the command. The exit code is 0 when it is done and nothing is wrong, 1 when something is,
/// 2 when there is nothing to work on.
pub(crate) fn run(command: &Cert) -> ExitCode {
    match command {
        Cert::Make(make) => make::run(make),
        Cert::Check(check) => crate::block_on(inspect::run(check)),
    }
}
