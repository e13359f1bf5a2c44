//! Recordings of calls over real sockets on loopback: what lies on the disk is what was said.

use std::{error::Error, path::Path, time::Duration};

use diesis_engine::{Engine, OutgoingCall};
use diesis_sounds::{
    locate::{Located, Recording},
    prompts::Library,
    sound::Sound,
};
use diesis_tests::{house, scratch::Scratch};

type Outcome = Result<(), Box<dyn Error>>;

const PLAN: &str = "[office]
exten => 100,1,Answer()
same => n,MixMonitor(call/${EXTEN}.wav,r(heard.wav)t(sent.ulaw))
same => n,MixMonitor(stereo.wav,D)
same => n,Playback(digits/7&digits/3)
same => n,Wait(1)
same => n,StopMixMonitor()
same => n,Hangup()
exten => 200,1,Answer()
same => n,Record(note%d.wav,,,q)
same => n,Playback(${RECORDED_FILE})
same => n,Wait(0.3)
same => n,Hangup()
";

/// Who calls draws breath: what is said with the answer itself comes before the recording begins.
const BREATH: Duration = Duration::from_millis(300);

/// A house with a directory of its own, and a caller.
struct Scene {
    etc: Scratch,
    house: Option<Engine>,
    caller: Engine,
}

impl Scene {
    async fn new() -> Result<Self, Box<dyn Error>> {
        let etc = Scratch::new("recordings");
        let house = house::builder(&etc, "allow=ulaw", PLAN);
        let house = house.rtp_ports(24_000..=24_499).start().await?;
        let caller = Engine::builder().listen("127.0.0.1:0".parse()?).shards(1);
        let caller = caller.rtp_ports(24_500..=24_999).start().await?;
        Ok(Self { etc, house: Some(house), caller })
    }

    async fn call(&self, number: &str) -> Result<diesis_engine::Call, Box<dyn Error>> {
        let house = self.house.as_ref().ok_or("the house has stopped")?;
        let (_, address) = house.sip_addresses()[0];
        let call = self.caller.call(OutgoingCall::to(&format!("sip:{number}@{address}"))).await?;
        call.answered().await?;
        Ok(call)
    }

    /// Every file is complete after it.
    async fn stop(&mut self) {
        if let Some(house) = self.house.take() {
            house.stop().await;
        }
    }

    fn monitor(&self, name: &str) -> std::path::PathBuf {
        self.etc.path().join("spool/monitor").join(name)
    }
}

fn prompt(name: &str) -> Vec<i16> {
    Library::new().load(name, "en").expect("a prompt").samples
}

/// Where a prompt lies in a file, whole.
fn find(samples: &[i16], name: &str) -> Located {
    let prompt = prompt(name);
    let found = Recording::new(samples, 8000).find(&prompt, 0);
    let found = found.unwrap_or_else(|| panic!("{name} is not there"));
    assert!(found.score > 0.97, "{name}: {found:?}");
    assert_eq!(found.length, prompt.len(), "{name} was cut");
    found
}

fn read(path: &Path) -> Vec<i16> {
    Sound::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).samples
}

#[tokio::test]
async fn both_sides_are_recorded_whole_and_aligned() -> Outcome {
    let mut scene = Scene::new().await?;
    let caller = scene.call("100").await?;
    caller.wait(BREATH).await?;
    caller.play("digits/20").await?;
    caller.ended().await?;
    scene.stop().await;

    let (mixed, heard) = (read(&scene.monitor("call/100.wav")), read(&scene.monitor("heard.wav")));
    let sent = read(&scene.monitor("sent.ulaw"));
    assert_eq!((mixed.len(), heard.len()), (sent.len(), sent.len()));
    find(&heard, "digits/20");
    let seven = find(&sent, "digits/7");
    let three = find(&sent, "digits/3");
    assert!(three.start >= seven.start + seven.length);
    // Both are in the mix, where they are on their own.
    for (n, mixed) in mixed.iter().enumerate() {
        assert_eq!(heard[n].saturating_add(sent[n]), *mixed, "sample {n}");
    }
    let mut stereo = hound::WavReader::open(scene.monitor("stereo.wav"))?;
    assert_eq!(stereo.spec().channels, 2);
    let both: Vec<i16> = stereo.samples().collect::<Result<_, _>>()?;
    let side = |side: usize| both.iter().skip(side).step_by(2).copied().collect::<Vec<_>>();
    find(&side(0), "digits/20");
    find(&side(1), "digits/7");
    Ok(())
}

#[tokio::test]
async fn what_a_caller_says_is_recorded_and_played_back() -> Outcome {
    let mut scene = Scene::new().await?;
    let caller = scene.call("200").await?;
    caller.wait(BREATH).await?;
    caller.play("digits/7").await?;
    caller.wait(Duration::from_millis(400)).await?;
    let heard = scene.etc.path().join("heard.wav");
    let recording = caller.record(&heard).await?;
    caller.send_digits("#").await?;
    caller.ended().await?;
    recording.finished().await?;
    find(&read(&scene.etc.path().join("sounds/note0.wav")), "digits/7");
    find(&read(&heard), "digits/7");
    scene.stop().await;
    Ok(())
}
