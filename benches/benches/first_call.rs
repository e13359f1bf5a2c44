//! What does a call cost: start-up, CPU of a playing channel, memory of a call?
//!
//! `cargo bench -p diesis-benches --bench first_call [-- CALLS [SECONDS]]`

use std::{env, error::Error, io, net::Ipv4Addr, time::Duration};

use diesis_benches::{Server, time_to_first_answer};
use diesis_engine::{Call, Engine, OutgoingCall};

const DIALPLAN: &str = "\
[bench]
exten => 1000,1,Answer()
 same => n(again),Playback(diesis-menu)
 same => n,Goto(again)
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = env::args().filter_map(|argument| argument.parse::<u32>().ok());
    let calls = numbers.next().unwrap_or(200);
    let seconds = numbers.next().unwrap_or(10);

    let mut starts =
        (0..5).map(|_| time_to_first_answer(DIALPLAN)).collect::<io::Result<Vec<_>>>()?;
    starts.sort();
    println!("start to first answered OPTIONS  {:8.1} ms (median of 5)", millis(starts[2]));

    let server = Server::start(DIALPLAN, 1)?;
    let generator = Engine::builder()
        .listen((Ipv4Addr::new(127, 0, 0, 2), 0).into())
        .rtp_ports(30_000..=39_999)
        .shards(1)
        .start()
        .await?;
    // One call first: what it loads (the prompt, the pools) belongs to none of the others.
    let mut held = vec![dial(&generator, &server).await?];
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = server.resident_kib()?;
    for _ in 1..calls {
        held.push(dial(&generator, &server).await?);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let grown = server.resident_kib()?.saturating_sub(before);

    let (cpu, begun) = (server.cpu()?, std::time::Instant::now());
    tokio::time::sleep(Duration::from_secs(u64::from(seconds))).await;
    let (used, elapsed) = (server.cpu()? - cpu, begun.elapsed());
    let per_channel = millis(used) / (f64::from(calls) * elapsed.as_secs_f64());
    println!("calls held, playing              {calls:8}");
    println!("CPU a playing channel-second     {per_channel:8.3} ms");
    println!("resident memory a call           {:8.1} KiB", grown as f64 / f64::from(calls - 1));

    let (mut received, mut lost) = (0, 0);
    for call in held {
        call.hangup().await?;
        let media = call.ended().await?.statistics.media;
        received += media.as_ref().map_or(0, |media| media.received_packets);
        lost += media.as_ref().map_or(0, |media| media.lost);
    }
    println!("packets the callers received     {received:8}");
    println!("packets the callers missed       {lost:8}");
    generator.stop().await;
    Ok(())
}

async fn dial(generator: &Engine, server: &Server) -> Result<Call, Box<dyn Error>> {
    let target = format!("sip:1000@{}", server.address());
    let call = generator.call(OutgoingCall::to(&target)).await?;
    call.answered().await?;
    Ok(call)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
