//! The engine calls itself: a caller of its own walks the menu over real SIP and RTP on loopback.

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use diesis_engine::{Call, Engine, OutgoingCall};

use super::{
    account::{Account, Played},
    configuration::PhoneAccount,
};

/// What one phone should have heard, in order, and what it did hear.
pub(crate) struct Ear {
    /// Which phone.
    pub(crate) phone: &'static str,
    /// The prompts, whoever said them.
    pub(crate) said: Vec<Played>,
    /// The recording.
    pub(crate) heard: PathBuf,
}

/// Calls the menu at `house` with the three phones' accounts and records what each one hears; the
/// first one's recording is `heard`, those of the others stand beside it.
pub(crate) async fn show(
    account: &mut Account,
    house_address: SocketAddr,
    phones: &[PhoneAccount; 3],
    heard: &Path,
) -> Result<Vec<Ear>, Box<dyn Error>> {
    // A second engine plays the phones, so that every word passes through sockets.
    let outside = Engine::builder()
        .listen((Ipv4Addr::LOCALHOST, 0).into())
        .rtp_ports(PHONES_RTP)
        .shards(1)
        .start()
        .await?;
    account.tell("phone 1", "dials 8899, the menu");
    let phone = dial(&outside, house_address, &phones[0], "8899").await?;
    phone.answered().await?;
    let recording = phone.record(heard).await?;

    account.until_plays("diesis-menu").await?;
    press(account, &phone, "7", "a key that means nothing").await?;
    account.until_plays("diesis-invalid").await?;
    account.until_plays("diesis-menu").await?;
    press(account, &phone, "1", "the sub-menu").await?;
    account.until_plays("diesis-submenu").await?;
    press(account, &phone, "1", "and its first choice").await?;
    account.until_plays("diesis-submenu-one").await?;
    account.until_plays("diesis-submenu").await?;
    press(account, &phone, "9", "back to the menu").await?;
    account.until_plays("diesis-menu").await?;
    press(account, &phone, "2", "the conference").await?;
    account.until_members(1).await?;

    account.tell("phone 2", "dials 8800, the conference");
    let second = dial(&outside, house_address, &phones[1], "8800").await?;
    account.until_members(2).await?;
    let second_recording = second.record(beside(heard, 2)).await?;
    account.tell("phone 3", "dials 8800, the conference");
    let third = dial(&outside, house_address, &phones[2], "8800").await?;
    account.until_members(3).await?;
    let third_recording = third.record(beside(heard, 3)).await?;
    account.meanwhile(LISTENING).await;
    let told_by_engine = account.played().to_vec();
    let talk = [
        ("phone 1", &phone, "diesis-echo"),
        ("phone 2", &second, "hello-world"),
        ("phone 3", &third, "diesis-closed"),
    ];
    for (who, call, says) in talk {
        let text = super::text::of(says).unwrap_or(says);
        account.tell(who, &format!("says  \u{201c}{text}\u{201d}"));
        call.play(says).await?;
    }
    account.meanwhile(Duration::from_millis(500)).await;
    for (who, call, _) in talk {
        account.tell(who, "hangs up");
        call.hangup().await?;
    }
    account.until_ended(3).await?;

    let mut ears = vec![];
    for (who, recording) in
        [("phone 1", recording), ("phone 2", second_recording), ("phone 3", third_recording)]
    {
        let mut said = if who == "phone 1" { told_by_engine.clone() } else { vec![] };
        let others = talk.iter().filter(|(speaker, ..)| *speaker != who);
        said.extend(others.map(|(.., says)| Played { name: (*says).to_owned() }));
        let path = recording.path().to_path_buf();
        recording.finished().await?;
        ears.push(Ear { phone: who, said, heard: path });
    }
    outside.stop().await;
    Ok(ears)
}

/// `heard.wav` of the first phone is `heard-2.wav` of the second.
fn beside(heard: &Path, phone: usize) -> PathBuf {
    let stem = heard.file_stem().unwrap_or_default().to_string_lossy();
    heard.with_file_name(format!("{stem}-{phone}.wav"))
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
const PHONES_RTP: std::ops::RangeInclusive<u16> = 40_000..=49_999;
