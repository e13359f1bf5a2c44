//! The command line of `diesis cert`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Certificates for SIP over TLS.
#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Make a server certificate, and the authority that signs it if there is none
    Make(Make),
    /// Say what is wrong with a certificate file, or with what a server presents
    Check(Check),
}

/// A certificate to be made.
#[derive(Debug, Args)]
pub(crate) struct Make {
    /// The server's full name: its common name, and the first of its names
    #[arg(value_name = "FQDN")]
    pub(crate) name: String,
    /// Another name or IP address that phones may know it by
    #[arg(long = "alias", value_name = "NAME|IP")]
    pub(crate) aliases: Vec<String>,
    /// The authority; made when there is none of this name in the directory
    #[arg(long, value_name = "NAME", default_value = "diesis")]
    pub(crate) ca: String,
    /// How many days the server's certificate holds
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(crate) days: u16,
    /// Where the files are, and go
    #[arg(short, long, default_value = ".")]
    pub(crate) directory: PathBuf,
    /// Overwrite the server's files; an authority's are never overwritten
    #[arg(long)]
    pub(crate) force: bool,
}

/// A chain under examination.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A PEM file with the chain, or a server to ask over TLS
    #[arg(value_name = "FILE|HOST:PORT")]
    pub(crate) target: String,
    /// Whom it must name [default: the host that was asked]
    #[arg(long, value_name = "FQDN")]
    pub(crate) name: Option<String>,
    /// The authorities that phones trust
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// The private key that must fit [default: the one in the same file, if any]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}
