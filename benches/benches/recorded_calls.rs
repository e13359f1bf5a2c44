//! What does it cost to record a call? CPU of the media threads and of the one that writes, with
//! both sides of each call recorded and without, over real sockets on the loopback.
//!
//!   cargo bench -p diesis-benches --bench recorded_calls -- [SECONDS] [CALLS]

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use diesis_engine::{Call, Engine, OutgoingCall, config::Configuration};

const PLAN: &str = "[office]
exten => plain,1,Answer()
same => n,Goto(talk,1)
exten => mixed,1,Answer()
same => n,MixMonitor(${UNIQUEID}.wav)
same => n,Goto(talk,1)
exten => ulaw,1,Answer()
same => n,MixMonitor(${UNIQUEID}.ulaw)
same => n,Goto(talk,1)
exten => apart,1,Answer()
same => n,MixMonitor(,r(${UNIQUEID}-in.wav)t(${UNIQUEID}-out.wav))
same => n,Goto(talk,1)
exten => talk,1,Playback(digits/1&digits/2&digits/3&digits/4&digits/5)
same => n,Goto(talk,1)
";

#[tokio::main]
async fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let seconds = numbers.first().copied().unwrap_or(5);
    let calls = numbers.get(1).copied().unwrap_or(100);
    println!("recorded  calls  media ms/channel-s  recorder ms/channel-s  KiB/s a call on disk");
    for number in ["plain", "mixed", "ulaw", "apart", "plain"] {
        measure(number, calls, Duration::from_secs(seconds)).await;
    }
}

async fn measure(number: &str, calls: u64, duration: Duration) {
    let directory = std::env::temp_dir().join(format!("diesis-bench-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    let write = |name: &str, text: &str| fs::write(directory.join(name), text).expect("a file");
    write(
        "pjsip.conf",
        "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:0\n\
         [all]\ntype=endpoint\nallow=ulaw\ncontext=office\nidentify_by=ip\n\
         [all]\ntype=identify\nendpoint=all\nmatch=127.0.0.0/8\n",
    );
    write("extensions.conf", PLAN);
    let loaded = Configuration::load_directory(&directory).configuration;
    let house = Engine::builder().configuration(loaded).shards(1).rtp_ports(32_000..=35_999);
    let house = house.start().await.expect("the house starts");
    let caller = Engine::builder().listen(([127, 0, 0, 1], 0).into()).shards(1);
    let caller = caller.rtp_ports(36_000..=39_999).start().await.expect("the caller starts");
    let (_, address) = house.sip_addresses()[0];
    let mut held: Vec<Call> = Vec::new();
    for _ in 0..calls {
        let call = OutgoingCall::to(&format!("sip:{number}@{address}"));
        let call = caller.call(call).await.expect("a call");
        call.answered().await.expect("an answer");
        held.push(call);
    }
    // What the house hears.
    let talking: Vec<_> = held
        .into_iter()
        .map(|call| tokio::spawn(async move { while call.play("digits/7").await.is_ok() {} }))
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let spool = directory.join("spool/monitor");
    let (media, recorder, bytes) = (cpu("media-"), cpu("diesis-recorder"), size(&spool));
    let begun = Instant::now();
    tokio::time::sleep(duration).await;
    let channel_seconds = begun.elapsed().as_secs_f64() * calls as f64;
    let per = |used: Duration| used.as_secs_f64() * 1e3 / channel_seconds;
    println!(
        "{number:8} {calls:6}  {:18.3}  {:21.3}  {:20.1}",
        per(cpu("media-") - media),
        per(cpu("diesis-recorder") - recorder),
        (size(&spool) - bytes) as f64 / 1024.0 / channel_seconds,
    );
    house.stop().await;
    for talk in talking {
        let _ = talk.await;
    }
    caller.stop().await;
    let _ = fs::remove_dir_all(&directory);
}

/// CPU time of the threads whose names begin so; those of both engines.
fn cpu(name: &str) -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux has /proc");
    let nanoseconds: u64 = tasks
        .flatten()
        .filter(|task| {
            fs::read_to_string(task.path().join("comm")).unwrap_or_default().starts_with(name)
        })
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(nanoseconds)
}

fn size(directory: &PathBuf) -> u64 {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}
