//! What the engine hears of its callers over real sockets on loopback: machines, humans, silence,
//! talk. Prompts are the voices.

use std::{error::Error, time::Duration};

use diesis_engine::{Call, Engine, Events, OutgoingCall, switch::SwitchEvent};
use diesis_tests::{house, scratch::Scratch};

type Outcome = Result<(), Box<dyn Error>>;

const PLAN: &str = "[office]
exten => amd,1,Answer()
same => n,AMD()
same => n,NoOp(told ${AMDSTATUS} ${AMDCAUSE})
exten => quick,1,Answer()
same => n,AMD(300,,200,2000)
same => n,NoOp(told ${AMDSTATUS} ${AMDCAUSE})
exten => silence,1,Answer()
same => n,WaitForSilence(600,2,20)
same => n,NoOp(told ${WAITSTATUS})
exten => noise,1,Answer()
same => n,WaitForNoise(200,1,20)
same => n,NoOp(told ${WAITSTATUS})
exten => never,1,Answer()
same => n,WaitForNoise(200,1,1)
same => n,NoOp(told ${WAITSTATUS})
exten => detect,1,Answer()
same => n,BackgroundDetect(diesis-menu,500,200,3000)
same => n,NoOp(told nothing)
exten => talk,1,NoOp(told talk ${TALK_DETECTED})
exten => 7,1,NoOp(told seven)
exten => steer,1,Answer()
same => n,ControlPlayback(diesis-menu,2000,#,*,0,5,1,o(1000))
same => n,NoOp(told ${CPLAYBACKSTATUS} ${CPLAYBACKSTOPKEY} ${CPLAYBACKOFFSET})
exten => who,1,Answer()
same => n,Set(TALK_DETECT(set)=600)
same => n,Wait(30)
";

struct Scene {
    _etc: Scratch,
    house: Engine,
    caller: Engine,
}

impl Scene {
    async fn new() -> Result<Self, Box<dyn Error>> {
        let etc = Scratch::new("listening");
        let house = house::builder(&etc, "allow=ulaw", PLAN);
        let house = house.rtp_ports(25_000..=25_499).trace_steps().start().await?;
        let caller = Engine::builder().listen("127.0.0.1:0".parse()?).shards(1);
        let caller = caller.rtp_ports(25_500..=25_999).start().await?;
        Ok(Self { _etc: etc, house, caller })
    }

    /// A call that is up, and what the house tells.
    async fn call(&self, number: &str) -> Result<(Call, Events), Box<dyn Error>> {
        let events = self.house.events();
        let (_, address) = self.house.sip_addresses()[0];
        let call = self.caller.call(OutgoingCall::to(&format!("sip:{number}@{address}"))).await?;
        call.answered().await?;
        Ok((call, events))
    }

    /// What the dialplan tells of a caller who says this.
    async fn told(&self, number: &str, says: &[&str]) -> Result<String, Box<dyn Error>> {
        let (call, mut events) = self.call(number).await?;
        let speaking = async {
            call.wait(Duration::from_millis(200)).await?;
            for prompt in says {
                // The house may have heard enough.
                let _ = call.play(prompt).await;
            }
            std::future::pending::<Outcome>().await
        };
        tokio::select! {
            told = next_told(&mut events) => told,
            never = speaking => { never?; Err("the caller fell silent for ever".into()) }
        }
    }
}

/// The next thing that the dialplan tells.
async fn next_told(events: &mut Events) -> Result<String, Box<dyn Error>> {
    while let Some(event) = events.next().await {
        if let SwitchEvent::StepExecuted { arguments, .. } = &*event
            && let Some(told) = arguments.strip_prefix(b"told ")
        {
            return Ok(String::from_utf8_lossy(told).into_owned());
        }
    }
    Err("the house has stopped".into())
}

#[tokio::test]
async fn who_answers_is_told_by_how_it_greets() -> Outcome {
    let scene = Scene::new().await?;
    assert_eq!(scene.told("amd", &["goodbye"]).await?, "HUMAN HUMAN-800-800");
    assert!(scene.told("amd", &["diesis-menu"]).await?.starts_with("MACHINE "));
    assert_eq!(scene.told("amd", &[]).await?, "MACHINE INITIALSILENCE-2500-2500");
    assert_eq!(scene.told("quick", &["goodbye"]).await?, "HUMAN HUMAN-200-200");
    Ok(())
}

#[tokio::test]
async fn silence_and_noise_are_waited_for() -> Outcome {
    let scene = Scene::new().await?;
    assert_eq!(scene.told("silence", &["digits/7", "digits/8"]).await?, "SILENCE");
    assert_eq!(scene.told("noise", &["digits/7"]).await?, "NOISE");
    assert_eq!(scene.told("never", &[]).await?, "TIMEOUT");
    Ok(())
}

#[tokio::test]
async fn talk_ends_what_is_played_and_goes_to_its_extension() -> Outcome {
    let scene = Scene::new().await?;
    let told = scene.told("detect", &["goodbye"]).await?;
    let talked: u64 = told.strip_prefix("talk ").ok_or_else(|| told.clone())?.parse()?;
    assert!((200..800).contains(&talked), "{talked}");
    let (call, mut events) = scene.call("detect").await?;
    // The house hangs up behind it.
    let _ = call.send_digits("17").await;
    assert_eq!(next_told(&mut events).await?, "seven", "only keys that are extensions count");
    Ok(())
}

#[tokio::test]
async fn who_talks_is_told_with_how_long() -> Outcome {
    let scene = Scene::new().await?;
    let (call, mut events) = scene.call("who").await?;
    call.wait(Duration::from_millis(300)).await?;
    for prompt in ["goodbye", "diesis-welcome"] {
        call.play(prompt).await?;
        let mut began = 0;
        let talked = loop {
            match &*events.next().await.ok_or("the house has stopped")? {
                SwitchEvent::TalkStarted { .. } => began += 1,
                SwitchEvent::TalkStopped { talked, .. } => break *talked,
                _ => {}
            }
        };
        let length = diesis_sounds::prompts::Library::new().load(prompt, "en")?.samples.len() / 8;
        let length = Duration::from_millis(length as u64);
        assert_eq!(began, 1, "{prompt}");
        assert!(talked <= length && talked * 3 > length * 2, "{prompt}: {talked:?} of {length:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_playback_is_steered_by_keys() -> Outcome {
    let scene = Scene::new().await?;
    let (call, mut events) = scene.call("steer").await?;
    // To the third second, a pause that lasts as long as it likes, and on to the fifth.
    // The house hangs up behind both.
    let _ = call.send_digits("#55#0").await;
    let told = next_told(&mut events).await?;
    let offset: u64 = told.strip_prefix("USERSTOPPED 0 ").ok_or_else(|| told.clone())?.parse()?;
    assert!((5_000..8_000).contains(&offset), "{offset}");
    let (call, mut events) = scene.call("steer").await?;
    let _ = call.send_digits("########").await;
    assert_eq!(next_told(&mut events).await?, "SUCCESS  -1");
    Ok(())
}
