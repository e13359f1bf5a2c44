//! How many session descriptions can one core read, and how many offers answer?

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use diesis_benches::INVITE;
use diesis_engine::{
    media::Direction,
    sdp::{Capabilities, OfferAnswer, SessionDescription},
};

fn descriptions(c: &mut Criterion) {
    let body = INVITE.split_once("\r\n\r\n").expect("a body").1.as_bytes();
    let offer = SessionDescription::parse(body).expect("a description");
    let local = ([127, 0, 0, 1], 10_000).into();
    let mut group = c.benchmark_group("sdp");
    group.throughput(Throughput::Elements(1));
    group.bench_function("read", |b| b.iter(|| SessionDescription::parse(black_box(body))));
    group.bench_function("write", |b| b.iter(|| black_box(&offer).to_bytes()));
    group.bench_function("answer an offer", |b| {
        b.iter(|| {
            let mut state = OfferAnswer::new(Capabilities::default(), 1);
            state.handle_offer(black_box(&offer), local, Direction::SendReceive)
        });
    });
    group.bench_function("make an offer", |b| {
        b.iter(|| {
            let mut state = OfferAnswer::new(Capabilities::default(), 1);
            state.offer(black_box(local), Direction::SendReceive)
        });
    });
    group.finish();
}

criterion_group!(benches, descriptions);
criterion_main!(benches);
