//! The engine calls itself: a caller of its own walks the menu over real SIP and RTP on loopback.

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use diesis_engine::{Call, Engine, OutgoingCall};

use super::{
    account::{Account, Played},
    configuration::PhoneAccount,
};

/// What came of the show.
pub(crate) struct Shown {
    /// The prompts that the engine said, in order.
    pub(crate) played: Vec<Played>,
    /// How long the recording of the caller's ear is.
    pub(crate) recorded: Duration,
}

/// Calls the menu at `house` with the three phones' accounts and writes what the first one heard.
pub(crate) async fn show(
    house: &Engine,
    house_address: SocketAddr,
    phones: &[PhoneAccount; 3],
    heard: &Path,
) -> Result<Shown, Box<dyn Error>> {
    // A second engine plays the phones, so that every word passes through sockets.
    let outside = Engine::builder()
        .listen((Ipv4Addr::LOCALHOST, 0).into())
        .rtp_ports(PHONES_RTP)
        .shards(1)
        .start()
        .await?;
    let mut account = Account::of(house);

    account.tell("phone 1", "dials 8899, the menu");
    let phone = dial(&outside, house_address, &phones[0], "8899").await?;
    phone.answered().await?;
    let recording = phone.record(heard).await?;

    account.until_plays("diesis-menu").await?;
    press(&mut account, &phone, "7", "a key that means nothing").await?;
    account.until_plays("diesis-invalid").await?;
    account.until_plays("diesis-menu").await?;
    press(&mut account, &phone, "1", "the sub-menu").await?;
    account.until_plays("diesis-submenu").await?;
    press(&mut account, &phone, "1", "and its first choice").await?;
    account.until_plays("diesis-submenu-one").await?;
    account.until_plays("diesis-submenu").await?;
    press(&mut account, &phone, "9", "back to the menu").await?;
    account.until_plays("diesis-menu").await?;
    press(&mut account, &phone, "2", "the conference").await?;
    account.until_members(1).await?;

    account.tell("phone 2", "dials 8800, the conference");
    let second = dial(&outside, house_address, &phones[1], "8800").await?;
    account.until_members(2).await?;
    account.tell("phone 3", "dials 8800, the conference");
    let third = dial(&outside, house_address, &phones[2], "8800").await?;
    account.until_members(3).await?;
    account.meanwhile(Duration::from_secs(2)).await;
    for (who, call, says) in
        [("phone 2", &second, "hello-world"), ("phone 3", &third, "diesis-closed")]
    {
        account
            .tell(who, &format!("says  \u{201c}{}\u{201d}", super::text::of(says).unwrap_or(says)));
        call.play(says).await?;
    }
    account.meanwhile(Duration::from_millis(500)).await;
    for (who, call) in [("phone 1", &phone), ("phone 2", &second), ("phone 3", &third)] {
        account.tell(who, "hangs up");
        call.hangup().await?;
    }
    account.until_ended(3).await?;
    let recorded = recording.finished().await?;
    outside.stop().await;

    let mut played = account.played().to_vec();
    played.push(Played { name: "hello-world".to_owned() });
    played.push(Played { name: "diesis-closed".to_owned() });
    Ok(Shown { played, recorded })
}

async fn dial(
    outside: &Engine,
    house: SocketAddr,
    phone: &PhoneAccount,
    number: &str,
) -> Result<Call, Box<dyn Error>> {
    let call = OutgoingCall::to(&format!("sip:{number}@{house}"))
        .from(&format!("sip:{}@{house}", phone.name))
        .credentials(&phone.name, &phone.password);
    Ok(outside.call(call).await?)
}

/// Listens for a while, as a person would, then presses.
async fn press(
    account: &mut Account,
    phone: &Call,
    keys: &str,
    why: &str,
) -> Result<(), Box<dyn Error>> {
    account.meanwhile(LISTENING).await;
    account.tell("phone 1", &format!("presses {keys}: {why}"));
    Ok(phone.send_digits(keys).await?)
}

const LISTENING: Duration = Duration::from_millis(2000);
/// Apart from the engine's own range, which the operator may have opened in a firewall.
const PHONES_RTP: std::ops::RangeInclusive<u16> = 40_000..=40_099;
