//! How many SIP messages can one core read and answer?

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use diesis_benches::INVITE;
use diesis_engine::sip::{Limits, Message, Response, StatusCode, Tag};

fn messages(c: &mut Criterion) {
    let bytes = Bytes::from_static(INVITE.as_bytes());
    let limits = Limits::default();
    let Ok(Message::Request(request)) = Message::parse(bytes.clone(), &limits) else {
        panic!("the INVITE is well formed")
    };
    let tag = Tag::parse("7f3b").expect("a token");
    let mut group = c.benchmark_group("sip_messages");
    group.throughput(Throughput::Elements(1));
    group.bench_function("parse", |b| b.iter(|| Message::parse(black_box(bytes.clone()), &limits)));
    group.bench_function("answer", |b| {
        b.iter(|| Response::to(black_box(&request), StatusCode::OK).with_to_tag(&tag).to_bytes());
    });
    group.finish();
}

criterion_group!(benches, messages);
criterion_main!(benches);
