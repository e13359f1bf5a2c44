//! `diesis run -C DIR`: the engine on an operator's directory, until it is told to stop.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use diesis_engine::{Engine, config::Configuration, net::ReloadError, sip::Transport};

use crate::{cli::Run, log::Log, service, signals::Reloads};

/// Runs until Ctrl-C or SIGTERM.
pub(crate) async fn run(options: &Run, log: Arc<Log>) -> ExitCode {
    let begun = Instant::now();
    // From here on: a SIGHUP that nobody waits for would end the program.
    let mut reloads = Reloads::new();
    if let Err(error) = something_to_run(&options.directory) {
        eprintln!("diesis: {} can't be run: {error}", options.directory.display());
        return ExitCode::from(2);
    }
    let loaded = Configuration::load_directory(&options.directory);
    for finding in loaded.findings() {
        eprintln!("{finding}");
    }
    if loaded.is_refused() {
        eprintln!("diesis: {} is not run with these errors", options.directory.display());
        return ExitCode::FAILURE;
    }
    let mut builder = Engine::builder()
        .configuration(loaded.configuration)
        .directory(&options.directory)
        .log_control(log);
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
    let listening = listening.join(", ");
    service::ready(&listening);
    say(&format!("Diesis ready: {listening} ({} ms)", begun.elapsed().as_millis()));
    tokio::select! {
        () = crate::signals::wanted_to_stop() => {}
        () = engine.stop_wanted() => {}
        () = reload_when_wanted(&engine, &mut reloads, &listening) => {}
    }
    service::stopping();
    say("Diesis stopping: hanging up.");
    engine.stop().await;
    ExitCode::SUCCESS
}

/// A line on standard output. That nobody reads it any more must not end the calls.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Reads the directory again at each SIGHUP, as those who renew certificates send it. Never ends.
async fn reload_when_wanted(engine: &Engine, signals: &mut Reloads, listening: &str) {
    loop {
        signals.next().await;
        service::reloading();
        let reloaded = engine.reload().await;
        service::ready(listening);
        match reloaded {
            Ok(reloaded) => {
                for line in reloaded.lines() {
                    tracing::info!("reload: {line}");
                }
            }
            Err(ReloadError::Refused { directory, findings }) => {
                for finding in findings {
                    eprintln!("{finding}");
                }
                let directory = directory.display();
                tracing::error!("{directory} has errors; what was in force stays in force");
            }
            Err(error) => tracing::error!(%error, "reload"),
        }
    }
}

/// A mistyped path would start an engine that refuses every call and looks alive.
fn something_to_run(directory: &Path) -> io::Result<()> {
    // Tells in the system's words why it can't be listed, if so.
    std::fs::read_dir(directory)?;
    if ESSENTIAL.iter().any(|name| directory.join(name).exists()) {
        return Ok(());
    }
    Err(io::Error::other(format!("it has neither {} nor {}", ESSENTIAL[0], ESSENTIAL[1])))
}

fn describe((transport, address): &(Transport, SocketAddr)) -> String {
    format!("{} {address}", transport.as_str().to_lowercase())
}

const ESSENTIAL: [&str; 2] = ["pjsip.conf", "extensions.conf"];
