//! Calls a phone of a configuration directory without anybody calling, and plays a prompt to it.
//!
//! `cargo run --example originate /etc/asterisk PJSIP/1001 hello-world`

use std::{env, error::Error, path::Path};

use diesis_dialplan::operation::{OriginateStatus, OriginateTarget};
use diesis_engine::{
    Engine,
    config::Configuration,
    switch::{Originate, SwitchEvent},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [directory, destination, prompt] = arguments.as_slice() else {
        return Err("DIRECTORY TECHNOLOGY/WHOM PROMPT".into());
    };
    let directory = Path::new(directory);
    let loaded = Configuration::load_directory(directory);
    let engine = Engine::builder().configuration(loaded.configuration).start().await?;
    let mut events = engine.events();
    let destination = Originate::destination(destination.as_bytes()).ok_or("whom to call?")?;
    let playback =
        OriginateTarget::Application { name: "Playback".into(), arguments: prompt.as_str().into() };
    let status = engine.originate(Originate::new(destination, playback)).await?;
    println!("{}", status.as_str());
    // Whoever answered hears the prompt to its end.
    while status == OriginateStatus::Success
        && let Some(event) = events.next().await
        && !matches!(*event, SwitchEvent::CallEnded { .. })
    {}
    engine.stop().await;
    Ok(())
}
