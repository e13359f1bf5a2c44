//! Calls between two engines over real sockets on loopback, with nothing else installed.

use std::{env, error::Error, net::Ipv6Addr, path::PathBuf, time::Duration};

use diesis_engine::{Call, CallError, Engine, OutgoingCall, channel::ReadDigits};
use diesis_sounds::{locate::Recording, prompts::Library, sound::Sound};

type Outcome = Result<(), Box<dyn Error>>;

/// A house that takes every call of loopback, and a caller's engine.
struct Houses {
    house: Engine,
    caller: Engine,
}

impl Houses {
    async fn new() -> Result<Self, Box<dyn Error>> {
        Self::at("127.0.0.1:0", "127.0.0.1:0").await
    }

    /// The two listen there.
    async fn at(house: &str, caller: &str) -> Result<Self, Box<dyn Error>> {
        let house = Engine::builder()
            .listen(house.parse()?)
            .shards(1)
            .accept_calls_from("127.0.0.0/8".parse()?)
            .accept_calls_from("::1".parse()?)
            .rtp_ports(21_000..=21_999)
            .start()
            .await?;
        let caller = Engine::builder().listen(caller.parse()?).shards(1);
        let caller = caller.rtp_ports(22_000..=22_999).start().await?;
        Ok(Self { house, caller })
    }

    /// Both ends of a new call; the house has not answered yet.
    async fn call(&self, parameters: &str) -> Result<(Call, Call), Box<dyn Error>> {
        let (_, mut address) = self.house.sip_addresses()[0];
        if address.ip() == Ipv6Addr::UNSPECIFIED {
            address.set_ip(Ipv6Addr::LOCALHOST.into());
        }
        let call = OutgoingCall::to(&format!("sip:100@{address}{parameters}"));
        let caller = self.caller.call(call).await?;
        let callee = self.house.next_call().await.ok_or("the house has stopped")?;
        Ok((caller, callee))
    }
}

#[tokio::test]
async fn what_is_played_is_heard_whole_and_in_order() -> Outcome {
    let houses = Houses::new().await?;
    let (caller, callee) = houses.call("").await?;
    assert_eq!(callee.parties().map(|parties| parties.dialled.as_slice()), Some(&b"100"[..]));
    callee.answer().await?;
    caller.answered().await?;
    let path = scratch("heard.wav");
    let recording = caller.record(&path).await?;
    let prompts = ["digits/7", "digits/3", "digits/20"];
    for prompt in prompts {
        callee.play(prompt).await?;
    }
    // What is on its way when a call ends is not heard: the caller's playout delay.
    callee.wait(Duration::from_millis(200)).await?;
    callee.hangup().await?;
    caller.ended().await?;
    recording.finished().await?;

    let heard = Sound::read(&path)?;
    std::fs::remove_file(&path)?;
    let recording = Recording::new(&heard.samples, heard.rate);
    let mut from = 0;
    for name in prompts {
        let prompt = Library::new().load(name, "en")?;
        let found = recording.find(&prompt.samples, from).ok_or(name)?;
        assert!(found.score > 0.98, "{name}: {found:?}");
        assert_eq!(found.length, prompt.samples.len(), "{name} was cut");
        from = found.start + found.length;
    }
    Ok(())
}

#[tokio::test]
async fn digits_pressed_are_read_once_each_in_order() -> Outcome {
    let houses = Houses::new().await?;
    let (caller, callee) = houses.call("").await?;
    callee.answer().await?;
    caller.answered().await?;
    caller.send_digits("1590*D#").await?;
    assert_eq!(callee.read_digits(ReadDigits::default()).await?, "1590*D");
    assert_eq!(callee.read_digit(Duration::ZERO).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_call_over_tcp_does_what_one_over_udp_does() -> Outcome {
    let houses = Houses::new().await?;
    let (caller, callee) = houses.call(";transport=tcp").await?;
    callee.ring().await?;
    callee.answer().await?;
    caller.answered().await?;
    caller.hangup().await?;
    let ended = callee.ended().await?;
    assert_eq!(ended.cause.number(), 16);
    assert_eq!(callee.play("digits/1").await, Err(CallError::HungUp));
    Ok(())
}

#[tokio::test]
async fn a_call_over_ipv6_does_what_one_over_ipv4_does() -> Outcome {
    for (house, caller) in [("[::]:0", "[::1]:0"), ("[::1]:0", "[::]:0")] {
        for parameters in ["", ";transport=tcp"] {
            let houses = Houses::at(house, caller).await?;
            let (caller, callee) = houses.call(parameters).await?;
            callee.answer().await?;
            caller.answered().await?;
            caller.send_digits("12#").await?;
            assert_eq!(callee.read_digits(ReadDigits::default()).await?, "12");
            callee.send_digits("34#").await?;
            assert_eq!(caller.read_digits(ReadDigits::default()).await?, "34");
            callee.hangup().await?;
            assert_eq!(caller.ended().await?.cause.number(), 16);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_call_ends_with_the_cause_it_was_refused_for() -> Outcome {
    let houses = Houses::new().await?;
    let (caller, callee) = houses.call("").await?;
    callee.reject(diesis_engine::channel::Cause::USER_BUSY).await?;
    assert_eq!(caller.answered().await, Err(CallError::HungUp));
    assert_eq!(caller.ended().await?.cause.number(), 17);
    Ok(())
}

#[tokio::test]
async fn a_dropped_handle_hangs_up() -> Outcome {
    let houses = Houses::new().await?;
    let (caller, callee) = houses.call("").await?;
    callee.answer().await?;
    drop(callee);
    assert_eq!(caller.ended().await?.cause.number(), 16);
    Ok(())
}

#[tokio::test]
async fn stopping_the_engine_ends_its_calls() -> Outcome {
    let Houses { house, caller } = Houses::new().await?;
    let (_, address) = house.sip_addresses()[0];
    let call = caller.call(OutgoingCall::to(&format!("sip:100@{address}"))).await?;
    let callee = house.next_call().await.ok_or("the house has stopped")?;
    callee.answer().await?;
    call.answered().await?;
    house.stop().await;
    call.ended().await?;
    assert_eq!(callee.answer().await, Err(CallError::EngineStopped));
    Ok(())
}

fn scratch(name: &str) -> PathBuf {
    env::temp_dir().join(format!("diesis-{}-{name}", std::process::id()))
}
