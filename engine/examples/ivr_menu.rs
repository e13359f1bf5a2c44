//! An IVR without a dialplan: answers, plays, reads a digit, hangs up.
//!
//! `cargo run --release --example ivr_menu`, then call sip:anything@127.0.0.1:5070.

use std::{error::Error, time::Duration};

use diesis_engine::{Call, Engine};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder()
        .listen("127.0.0.1:5070".parse()?)
        .accept_calls_from("127.0.0.0/8".parse()?)
        .start()
        .await?;
    while let Some(call) = engine.next_call().await {
        tokio::spawn(async move {
            if let Err(error) = menu(&call).await {
                eprintln!("call ended early: {error}");
            }
        });
    }
    Ok(())
}

async fn menu(call: &Call) -> Result<(), Box<dyn Error>> {
    call.answer().await?;
    call.play("diesis-welcome").await?;
    match call.read_digit(Duration::from_secs(5)).await? {
        Some(digit) => call.play(&format!("digits/{digit}")).await?,
        None => call.play("diesis-goodbye").await?,
    }
    Ok(call.hangup().await?)
}
