//! `diesis run -C DIR`: the engine on an operator's directory, until it is told to stop.

use std::{net::SocketAddr, process::ExitCode, time::Instant};

use diesis_engine::{Engine, config::Configuration, sip::Transport};

use crate::cli::Run;

/// Runs until Ctrl-C or SIGTERM.
pub(crate) async fn run(options: &Run) -> ExitCode {
    let begun = Instant::now();
    let loaded = Configuration::load_directory(&options.directory);
    for finding in loaded.findings() {
        eprintln!("{finding}");
    }
    if loaded.is_refused() {
        eprintln!("diesis: {} is not run with these errors", options.directory.display());
        return ExitCode::FAILURE;
    }
    let mut builder = Engine::builder().configuration(loaded.configuration);
    if let Some(shards) = options.shards {
        builder = builder.shards(shards);
    }
    let engine = match builder.start().await {
        Ok(engine) => engine,
        Err(error) => {
            eprintln!("diesis: {error}");
            return ExitCode::FAILURE;
        }
    };
    let listening: Vec<String> = engine.sip_addresses().iter().map(describe).collect();
    println!("Diesis ready: {} ({} ms)", listening.join(", "), begun.elapsed().as_millis());
    crate::signals::wanted_to_stop().await;
    println!("Diesis stopping: hanging up.");
    engine.stop().await;
    ExitCode::SUCCESS
}

fn describe((transport, address): &(Transport, SocketAddr)) -> String {
    format!("{} {address}", transport.as_str().to_lowercase())
}
