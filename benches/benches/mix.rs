//! How much does a conference participant cost, per 20 ms frame, once packets are in and out?

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use diesis_engine::media::{
    FRAME, Law,
    mixer::{Limiter, Mixer},
};
use diesis_sounds::mix;

/// One frame of a room: speakers are added and get their own mix, listeners share one.
fn room(mixer: &mut Mixer, voices: &[[i16; FRAME]], listeners: usize) -> u64 {
    let mut octets = 0;
    let mut payload = [0; FRAME];
    let mut limiter = Limiter::default();
    mixer.clear();
    let mut speakers = [None; 1024];
    for (voice, place) in voices.iter().zip(&mut speakers) {
        *place = Some(mixer.add_speaker(voice));
    }
    for speaker in speakers.into_iter().flatten() {
        mixer.for_speaker(speaker, &mut limiter, Law::Mu, &mut payload);
        octets += u64::from(payload[0]);
    }
    for _ in 0..listeners {
        octets += u64::from(mixer.for_listener(Law::A)[0]);
    }
    octets
}

fn mixing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mix");
    for (participants, speaking) in [(3, 3), (10, 3), (100, 3), (1000, 3), (100, 100), (1000, 1000)]
    {
        let voices: Vec<[i16; FRAME]> = (0..speaking)
            .map(|voice| std::array::from_fn(|n| ((n * 37 + voice * 101) % 9000) as i16 - 4500))
            .collect();
        let mut mixer = Mixer::new();
        mixer.reserve(speaking);
        group.throughput(Throughput::Elements(participants as u64));
        let id = BenchmarkId::new(format!("{speaking} speak"), participants);
        group.bench_function(id, |bencher| {
            bencher.iter(|| room(&mut mixer, black_box(&voices), participants - speaking));
        });
    }
    group.finish();
}

/// What a speaker costs the sum: added once, and taken out of what he hears. No codec.
fn summing(criterion: &mut Criterion) {
    let voice: [i16; FRAME] = std::array::from_fn(|n| ((n * 37) % 9000) as i16 - 4500);
    let (mut sum, mut heard) = ([0; FRAME], [0; FRAME]);
    criterion.bench_function("mix/kernel, a participant", |bencher| {
        bencher.iter(|| {
            mix::add(black_box(&mut sum), black_box(&voice));
            mix::without(&sum, &voice, black_box(&mut heard));
        });
    });
}

criterion_group!(benches, mixing, summing);
criterion_main!(benches);
