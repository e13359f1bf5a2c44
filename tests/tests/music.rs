//! Music that a program makes, heard over real sockets on loopback.

use std::{error::Error, fs, path::Path};

use diesis_engine::{Engine, OutgoingCall};
use diesis_sounds::sound::Sound;
use diesis_tests::{hearing, house, scratch::Scratch};
use futures_util::future::try_join_all;

type Outcome = Result<(), Box<dyn Error>>;

const PLAN: &str = "[office]
exten => 100,1,Answer()
same => n,MusicOnHold(radio,2)
same => n,Hangup()
";

#[tokio::test]
async fn all_on_hold_hear_one_program_and_it_is_gone_with_the_engine() -> Outcome {
    let etc = Scratch::new("music");
    let tone = hearing::tone(500.0, 80 * 160);
    fs::write(etc.join("tone"), tone.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<_>>())?;
    etc.write("play", "cd \"${0%/*}\"; echo $$ >> runs; while :; do cat tone; done\n");
    let play = etc.join("play");
    let music = format!("[radio]\nmode=custom\napplication=/bin/sh {}\n", play.display());
    etc.write("musiconhold.conf", &music);
    let house = house::builder(&etc, "allow=ulaw", PLAN);
    let house = house.rtp_ports(22_000..=22_499).start().await?;
    let caller = Engine::builder().listen("127.0.0.1:0".parse()?).shards(1);
    let caller = caller.rtp_ports(22_500..=22_999).start().await?;

    let (_, address) = house.sip_addresses()[0];
    let calls = (0..3).map(async |nth| -> Result<_, Box<dyn Error>> {
        let call = caller.call(OutgoingCall::to(&format!("sip:100@{address}"))).await?;
        call.answered().await?;
        let path = etc.join(&format!("heard{nth}.wav"));
        let recording = call.record(&path).await?;
        call.ended().await?;
        recording.finished().await?;
        Ok(Sound::read(&path)?.samples)
    });
    for heard in try_join_all(calls).await? {
        // Two seconds are a hundred; the first are spent on starting it.
        let blocks = hearing::blocks_of_tone(&heard, 500.0);
        assert!(blocks > 60, "{blocks} of {}", heard.len() / 160);
    }
    let runs = fs::read_to_string(etc.join("runs"))?;
    assert_eq!(runs.lines().count(), 1, "{runs}");
    let process = format!("/proc/{}", runs.trim());
    assert!(Path::new(&process).exists(), "it goes on for the next who waits");
    house.stop().await;
    assert!(!Path::new(&process).exists());
    caller.stop().await;
    Ok(())
}
