//! How much does a codec cost, per frame of 20 ms?

use std::hint::black_box;

use audiopus::{Application, Bitrate, Channels, MutSignals, SampleRate, coder, packet::Packet};
use criterion::{Criterion, criterion_group, criterion_main};
use diesis_sounds::{
    g711, g722,
    halfband::{Downsampler, Upsampler},
};

fn codecs(criterion: &mut Criterion) {
    let narrow: [i16; 160] = std::array::from_fn(|n| ((n * 373) % 9000) as i16 - 4500);
    let wide: [i16; 320] = std::array::from_fn(|n| ((n * 373) % 9000) as i16 - 4500);
    let mut octets = [0; 160];
    let mut group = criterion.benchmark_group("codec");
    for (name, encode, decode) in G711 {
        let mut samples = [0; 160];
        group.bench_function(format!("{name} encode"), |bencher| {
            bencher.iter(|| encode(black_box(&narrow), black_box(&mut octets)));
        });
        group.bench_function(format!("{name} decode"), |bencher| {
            bencher.iter(|| decode(black_box(&octets), black_box(&mut samples)));
        });
    }
    let mut encoder = g722::Encoder::new();
    group.bench_function("G.722 encode", |bencher| {
        bencher.iter(|| encoder.encode_into(black_box(&wide), &mut octets));
    });
    let (mut decoder, mut samples) = (g722::Decoder::new(), [0; 320]);
    group.bench_function("G.722 decode", |bencher| {
        bencher.iter(|| decoder.decode_into(black_box(&octets), &mut samples));
    });
    let mut encoder = coder::Encoder::new(SampleRate::Hz16000, Channels::Mono, Application::Voip)
        .expect("memory for an encoder");
    encoder.set_complexity(5).expect("a complexity");
    encoder.set_bitrate(Bitrate::BitsPerSecond(24_000)).expect("a rate");
    let mut packet = [0; 400];
    group.bench_function("Opus encode", |bencher| {
        bencher.iter(|| encoder.encode(black_box(&wide), &mut packet));
    });
    let length = encoder.encode(&wide, &mut packet).expect("a packet");
    let mut decoder =
        coder::Decoder::new(SampleRate::Hz16000, Channels::Mono).expect("memory for a decoder");
    group.bench_function("Opus decode", |bencher| {
        bencher.iter(|| {
            let packet = Packet::try_from(black_box(&packet[..length])).expect("a packet");
            let signals = MutSignals::try_from(&mut samples[..]).expect("room");
            decoder.decode(Some(packet), signals, false)
        });
    });
    let (mut upsampler, mut out) = (Upsampler::new(), [0; 320]);
    group.bench_function("8 kHz to 16 kHz", |bencher| {
        bencher.iter(|| upsampler.process(black_box(&narrow), &mut out));
    });
    let (mut downsampler, mut out) = (Downsampler::new(), [0; 160]);
    group.bench_function("16 kHz to 8 kHz", |bencher| {
        bencher.iter(|| downsampler.process(black_box(&wide), &mut out));
    });
    group.finish();
}

type Law = (&'static str, fn(&[i16], &mut [u8]) -> usize, fn(&[u8], &mut [i16]) -> usize);

const G711: [Law; 2] = [
    ("G.711 mu-law", g711::encode_ulaw_into, g711::decode_ulaw_into),
    ("G.711 A-law", g711::encode_alaw_into, g711::decode_alaw_into),
];

criterion_group!(benches, codecs);
criterion_main!(benches);
