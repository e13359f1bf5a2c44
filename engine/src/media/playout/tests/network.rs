//! What networks do to packets, and what of it is heard: minutes of virtual time.

use super::*;
use crate::entropy::Entropy;

type Delay = dyn FnMut(f64, &mut Entropy) -> Option<f64>;

/// A sender and the way from it.
struct Way {
    codec: Codec,
    seconds: usize,
    /// By how much the sender's clock is fast, in millionths.
    drift: f64,
    /// How long a packet is on its way, in milliseconds, at a time in seconds; `None`: it is lost.
    delay: Box<Delay>,
    /// The packet comes twice.
    doubled: f64,
    /// When the sender is silent and sends nothing: seconds.
    silence: fn(f64) -> bool,
}

/// What was heard.
#[derive(Debug, Default)]
struct Heard {
    audio: usize,
    concealed: usize,
    nothing: usize,
    late: usize,
    lost: usize,
    /// Of what is played, in milliseconds: how long ago it was said, frame by frame.
    delays: Vec<f64>,
    samples: Vec<i16>,
}

fn uniform(random: &mut Entropy) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

impl Way {
    fn new(codec: Codec, seconds: usize) -> Self {
        Self {
            codec,
            seconds,
            drift: 0.0,
            delay: Box::new(|_, _| Some(30.0)),
            doubled: 0.0,
            silence: |_| false,
        }
    }

    fn with_delay(mut self, delay: impl FnMut(f64, &mut Entropy) -> Option<f64> + 'static) -> Self {
        self.delay = Box::new(delay);
        self
    }

    /// Plays a tone, or what `sound` says, over it.
    fn run(mut self) -> Heard {
        let mut random = Entropy::new(7);
        let mut encoder = Encoder::new(self.codec, OpusSettings::default(), Rate::Wide);
        let frame_ms = 20.0 / (1.0 + self.drift * 1e-6);
        let frames = (self.seconds as f64 * 1000.0 / frame_ms) as usize;
        let mut heard = Heard::default();
        // Arrival in milliseconds, RTP time, payload.
        let mut arrivals: Vec<(f64, u32, Vec<u8>)> = vec![];
        for frame in 0..frames {
            // The last sample of a packet has to be said before it leaves.
            let leaves = (frame + 1) as f64 * frame_ms;
            let payload = encode(&mut encoder, &tone(self.codec, 400.0, frame));
            if (self.silence)(leaves / 1000.0) {
                continue;
            }
            let time = (frame as u32).wrapping_mul(self.codec.frame_time());
            match (self.delay)(leaves / 1000.0, &mut random) {
                Some(delay) => {
                    if uniform(&mut random) < self.doubled {
                        arrivals.push((leaves + delay + 3.0, time, payload.clone()));
                    }
                    arrivals.push((leaves + delay, time, payload));
                }
                None => heard.lost += 1,
            }
        }
        arrivals.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut playout = playout(self.codec);
        let mut arrivals = arrivals.into_iter().peekable();
        // The receiver's frames begin somewhere between the sender's.
        let mut now = 7.3;
        while now < self.seconds as f64 * 1000.0 {
            while let Some((_, time, payload)) = arrivals.next_if(|arrival| arrival.0 <= now) {
                let pushed = playout.push(RtpTime(time), self.codec, &payload);
                heard.late += usize::from(pushed == Pushed::Late);
            }
            let (next, _) = playout.position();
            let (played, samples) = pop(&mut playout);
            match played {
                Played::Audio => {
                    let said = f64::from(next.0) / f64::from(self.codec.clock()) * 1000.0;
                    heard.delays.push(now - said * frame_ms / 20.0);
                    heard.audio += 1;
                }
                Played::Concealed => heard.concealed += 1,
                Played::Noise | Played::Nothing => heard.nothing += 1,
            }
            heard.samples.extend(samples);
            now += 20.0;
        }
        heard
    }
}

impl Heard {
    /// The most by which three samples leave the course of the tone: a click is thousands.
    fn roughest(&self) -> f64 {
        let turn = 2.0 * (std::f64::consts::TAU * 400.0 / 8000.0).cos();
        let off = |w: &[i16]| (f64::from(w[2]) + f64::from(w[0]) - turn * f64::from(w[1])).abs();
        self.samples[1600..].windows(3).map(off).fold(0.0, f64::max)
    }

    /// The delay that one in `part` frames of the time after the first seconds exceeds.
    fn delay(&self, part: usize) -> f64 {
        let mut delays = self.delays[500.min(self.delays.len() / 2)..].to_vec();
        delays.sort_by(f64::total_cmp);
        delays[delays.len() - 1 - delays.len() / part]
    }
}

#[test]
fn a_clock_200_ppm_off_is_followed_for_ten_minutes_without_a_click_or_a_gap() {
    for (codec, drift, jitter) in [
        (Codec::Pcma, -200.0, 0.0),
        (Codec::Pcma, 200.0, 8.0),
        (Codec::L16Wide, -200.0, 8.0),
        (Codec::L16Wide, 200.0, 0.0),
    ] {
        let mut way =
            Way::new(codec, 600).with_delay(move |_, random| Some(30.0 + jitter * uniform(random)));
        way.drift = drift;
        let heard = way.run();
        let name = format!("{codec:?} {drift} {jitter}");
        // 120 ms of drift: six frames too many or too few.
        assert_eq!((heard.concealed, heard.late), (0, 0), "{name}");
        assert!(heard.nothing <= 4, "{name}: {}", heard.nothing);
        // 20 ms of the packet, 30 of the way, 20 of the receiver's frame, 20 of delay.
        let (least, most) = heard.delays[100..]
            .iter()
            .fold((f64::MAX, 0.0_f64), |(a, b), &delay| (a.min(delay), b.max(delay)));
        assert!(least > 50.0 && most < 135.0, "{name}: {least:.0} to {most:.0}");
        let rough = heard.roughest();
        assert!(rough < 700.0, "{name}: {rough:.0}");
    }
}

#[test]
fn the_delay_follows_the_jitter_both_ways() {
    for (jitter, bound) in [(5.0, 110.0), (20.0, 120.0), (40.0, 145.0), (80.0, 185.0)] {
        let way = Way::new(Codec::Pcmu, 120)
            .with_delay(move |_, random| Some(30.0 + jitter * uniform(random)));
        let heard = way.run();
        let bad = heard.concealed as f64 / heard.audio as f64;
        assert!(bad < 0.03, "{jitter}: {bad:.3}, {} late", heard.late);
        assert!(heard.delay(20) < bound, "{jitter}: {:.0} ms", heard.delay(20));
    }
    // It was bad for half a minute: after another the delay is as it was.
    let way = Way::new(Codec::Pcmu, 120).with_delay(|time, random| {
        let jitter = if (20.0..50.0).contains(&time) { 100.0 } else { 2.0 };
        Some(30.0 + jitter * uniform(random))
    });
    let heard = way.run();
    let calm = heard.delays[heard.delays.len() - 100..].iter().copied().fold(0.0, f64::max);
    assert!(calm < 115.0, "{calm:.0}");
}

#[test]
fn overtaking_and_doubled_packets_cost_nothing_but_delay() {
    let mut count = 0;
    let mut way = Way::new(Codec::G722, 60).with_delay(move |_, _| {
        count += 1;
        // Every seventh is overtaken by two.
        Some(if count % 7 == 0 { 75.0 } else { 30.0 })
    });
    way.doubled = 0.3;
    let heard = way.run();
    assert!(heard.concealed < 12, "{}", heard.concealed);
    // What came a second time is late, and no more.
    assert!(heard.delay(20) < 165.0, "{:.0}", heard.delay(20));
    assert!(heard.delays.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 80.0));
}

#[test]
fn rare_stragglers_do_not_hold_up_the_rest() {
    let way = Way::new(Codec::Pcma, 120).with_delay(|_, random| {
        Some(if uniform(random) < 0.005 { 130.0 } else { 30.0 + 5.0 * uniform(random) })
    });
    let heard = way.run();
    assert!(heard.concealed <= 60, "{}", heard.concealed);
    assert!(heard.delay(20) < 115.0, "{:.0}", heard.delay(20));
}

#[test]
fn what_comes_in_a_burst_after_a_stall_is_heard_and_the_delay_made_up_for() {
    let way = Way::new(Codec::Pcma, 60).with_delay(|time, _| {
        // From 20 s on nothing passes for 150 ms, then everything at once.
        let stall = 20.15 - time;
        Some(if (0.0..0.15).contains(&stall) { 30.0 + stall * 1000.0 } else { 30.0 })
    });
    let heard = way.run();
    assert_eq!(heard.late, 0);
    assert!(heard.concealed <= 9, "{}", heard.concealed);
    assert!(heard.delay(20) < 115.0, "{:.0}", heard.delay(20));
    assert!(heard.roughest() < 4500.0, "{}", heard.roughest());
}

#[test]
fn a_pause_ends_no_knowledge_of_the_network() {
    // 40 ms of jitter, and a pause of two seconds every ten.
    let mut way =
        Way::new(Codec::Pcmu, 120).with_delay(|_, random| Some(30.0 + 40.0 * uniform(random)));
    way.silence = |time| time % 10.0 > 8.0;
    let heard = way.run();
    let spurts = 12;
    // Each pause ends with some frames of fading.
    assert!(heard.concealed < spurts * 5 + 120, "{}", heard.concealed);
    assert!(heard.nothing > 12 * 90, "{}", heard.nothing);
    assert!(heard.delay(20) < 145.0, "{:.0}", heard.delay(20));
}
