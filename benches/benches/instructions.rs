//! How many instructions does a frame cost? Counted by valgrind, and so the same on a busy machine;
//! each count has a bound, and the run fails above it.
//!
//!   cargo bench -p diesis-benches --features counts --bench instructions
//!
//! Needs valgrind and gungraun-runner of the version in Cargo.lock; `.ci/run counts` installs both.
//! Counts are those of AVX2; without it, G.711 and mixing take about twice as many.

#![allow(missing_docs, unused_qualifications, reason = "gungraun's macros write them")]

use std::hint::black_box;

use bytes::Bytes;
use diesis_engine::{
    media::{
        FRAME, Law, PayloadType,
        mixer::{Limiter, Mixer},
        rtp::{Header, Marker, RtpTime, Seq, Ssrc},
    },
    sdp::{Capabilities, OfferAnswer, SessionDescription},
    sip::{Limits, Message},
};
use diesis_sounds::rate::{Phase, RateConverter};
use diesis_sounds::{g711, g722, halfband, mix};
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use rtp_rs::RtpReader;

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

/// Samples and octets of a frame, on the heap so that handing them over costs nothing.
struct Frame {
    samples: [i16; FRAME],
    wide: [i16; 2 * FRAME],
    sum: [i32; FRAME],
    octets: [u8; FRAME],
}

/// A frame; the processor has been asked what it can do before.
fn frame() -> Box<Frame> {
    let sample = |n: usize| ((n * 373) % 9000) as i16 - 4500;
    let mut frame = Box::new(Frame {
        samples: std::array::from_fn(sample),
        wide: std::array::from_fn(sample),
        sum: [0; FRAME],
        octets: [0; FRAME],
    });
    let Frame { samples, octets, sum, .. } = &mut *frame;
    g711::encode_ulaw_into(samples, octets);
    mix::add(sum, samples);
    frame
}

#[library_benchmark(config = at_most(bound::ULAW_ENCODE))]
#[bench::frame(frame())]
fn ulaw_encode(mut frame: Box<Frame>) -> Box<Frame> {
    let Frame { samples, octets, .. } = &mut *frame;
    g711::encode_ulaw_into(black_box(samples), octets);
    frame
}

#[library_benchmark(config = at_most(bound::ULAW_DECODE))]
#[bench::frame(frame())]
fn ulaw_decode(mut frame: Box<Frame>) -> Box<Frame> {
    let Frame { samples, octets, .. } = &mut *frame;
    g711::decode_ulaw_into(black_box(octets), samples);
    frame
}

#[library_benchmark(config = at_most(bound::ALAW_ENCODE))]
#[bench::frame(frame())]
fn alaw_encode(mut frame: Box<Frame>) -> Box<Frame> {
    let Frame { samples, octets, .. } = &mut *frame;
    g711::encode_alaw_into(black_box(samples), octets);
    frame
}

#[library_benchmark(config = at_most(bound::ALAW_DECODE))]
#[bench::frame(frame())]
fn alaw_decode(mut frame: Box<Frame>) -> Box<Frame> {
    let Frame { samples, octets, .. } = &mut *frame;
    g711::decode_alaw_into(black_box(octets), samples);
    frame
}

// What a speaker costs a mix: added, and taken out again of what he hears.
#[library_benchmark(config = at_most(bound::MIX))]
#[bench::frame(frame())]
fn mix_of_a_speaker(mut frame: Box<Frame>) -> Box<Frame> {
    let Frame { samples, wide, sum, .. } = &mut *frame;
    mix::add(sum, black_box(samples));
    mix::without(sum, samples, &mut wide[..FRAME]);
    frame
}

// A mixer holds frames of all rates: in a box, so that handing it over is not counted.
fn room() -> (Box<Frame>, Box<Mixer>) {
    let mut mixer = Box::new(Mixer::new());
    mixer.reserve(3);
    (frame(), mixer)
}

// A whole frame of a room of a hundred, three of whom speak.
#[library_benchmark(config = at_most(bound::ROOM))]
#[bench::three_of_a_hundred(room())]
fn room_of_a_hundred((mut frame, mut mixer): (Box<Frame>, Box<Mixer>)) -> (Box<Frame>, Box<Mixer>) {
    mixer.clear();
    let speakers = [0; 3].map(|_| mixer.add_speaker(&frame.samples));
    for speaker in speakers {
        mixer.for_speaker(speaker, &mut Limiter::default(), Law::Mu, &mut frame.octets);
    }
    for _ in 0..97 {
        black_box(mixer.for_listener(Law::Mu));
    }
    (frame, mixer)
}

fn wide_coder() -> (Box<Frame>, Box<(g722::Encoder, g722::Decoder)>) {
    (frame(), Box::new((g722::Encoder::new(), g722::Decoder::new())))
}

type Wide = (Box<Frame>, Box<(g722::Encoder, g722::Decoder)>);

#[library_benchmark(config = at_most(bound::G722_ENCODE))]
#[bench::frame(wide_coder())]
fn g722_encode((mut frame, mut coder): Wide) -> Wide {
    let Frame { wide, octets, .. } = &mut *frame;
    coder.0.encode_into(black_box(wide), octets);
    (frame, coder)
}

#[library_benchmark(config = at_most(bound::G722_DECODE))]
#[bench::frame(wide_coder())]
fn g722_decode((mut frame, mut coder): Wide) -> Wide {
    let Frame { wide, octets, .. } = &mut *frame;
    coder.1.decode_into(black_box(octets), wide);
    (frame, coder)
}

type Rates = (Box<Frame>, Box<(halfband::Upsampler, halfband::Downsampler)>);

fn rates() -> Rates {
    (frame(), Box::new((halfband::Upsampler::new(), halfband::Downsampler::new())))
}

// To 16 kHz and back.
#[library_benchmark(config = at_most(bound::RATES))]
#[bench::frame(rates())]
fn two_rates((mut frame, mut filters): Rates) -> Rates {
    let Frame { samples, wide, .. } = &mut *frame;
    filters.0.process(black_box(samples), wide);
    filters.1.process(wide, samples);
    (frame, filters)
}

/// Converters from two rates to 8 kHz, a tenth of a second for each, and room for what it becomes.
/// What they do at first is behind them.
struct Conversion {
    converter: RateConverter,
    input: Vec<f32>,
    output: Vec<f32>,
}

fn conversion(rate: u32) -> Box<Conversion> {
    let Ok(converter) = RateConverter::new(rate, 8000, Phase::Linear) else {
        panic!("files have such rates")
    };
    let input = (0..rate / 10).map(|n| (n * 373 % 9000) as f32 / 9000.0 - 0.5).collect();
    let mut conversion =
        Box::new(Conversion { converter, input, output: Vec::with_capacity(4000) });
    for _ in 0..2 {
        let Conversion { converter, input, output } = &mut *conversion;
        converter.convert(input, output);
    }
    conversion.output.clear();
    conversion
}

// A tenth of a second of one channel: `diesis convert` spends most of its time here.
#[library_benchmark(config = at_most(bound::FROM_44100))]
#[bench::tenth(conversion(44_100))]
fn from_44100(mut conversion: Box<Conversion>) -> Box<Conversion> {
    let Conversion { converter, input, output } = &mut *conversion;
    converter.convert(black_box(input), output);
    conversion
}

#[library_benchmark(config = at_most(bound::FROM_48000))]
#[bench::tenth(conversion(48_000))]
fn from_48000(mut conversion: Box<Conversion>) -> Box<Conversion> {
    let Conversion { converter, input, output } = &mut *conversion;
    converter.convert(black_box(input), output);
    conversion
}

fn header() -> Header {
    Header {
        marker: Marker::Clear,
        payload_type: PayloadType::PCMU,
        seq: Seq(7),
        time: RtpTime(160),
        ssrc: Ssrc(9),
    }
}

#[library_benchmark(config = at_most(bound::RTP_WRITE))]
#[bench::header(header())]
fn rtp_write(header: Header) -> [u8; 12] {
    black_box(header).write()
}

#[library_benchmark(config = at_most(bound::RTP_READ))]
#[bench::packet(header().write())]
fn rtp_read(packet: [u8; 12]) -> (u32, u32, u16) {
    let packet = RtpReader::new(black_box(&packet)).expect("a header");
    (packet.ssrc(), packet.timestamp(), packet.sequence_number().into())
}

#[library_benchmark(config = at_most(bound::SIP_READ))]
#[bench::invite(Bytes::from_static(diesis_benches::INVITE.as_bytes()))]
fn sip_read(bytes: Bytes) -> Message {
    match Message::parse(black_box(bytes), &Limits::default()) {
        Ok(message) => message,
        Err(error) => panic!("{error}"),
    }
}

fn offer() -> (Bytes, OfferAnswer) {
    let Ok(message) =
        Message::parse(Bytes::from_static(diesis_benches::INVITE.as_bytes()), &Limits::default())
    else {
        panic!("the INVITE is well formed")
    };
    (message.body().clone(), OfferAnswer::new(Capabilities::default(), 1))
}

// Reading an offer and answering it.
#[library_benchmark(config = at_most(bound::SDP_ANSWER))]
#[bench::offer(offer())]
fn sdp_answer((offer, mut state): (Bytes, OfferAnswer)) -> (Bytes, OfferAnswer) {
    let offer = SessionDescription::parse(black_box(&offer)).expect("a description");
    let local = ([127, 0, 0, 1], 10_000).into();
    let answer = state.handle_offer(&offer, local, diesis_engine::media::Direction::SendReceive);
    (answer.expect("an answer").0, state)
}

/// The most instructions that each may take. Counted on 2026-11-21: mu-law 315 and 293, A-law 322 and
/// 335, mixing 297, G.722 166,464 and 150,136, two rates 19,805, a tenth of a second of 44.1 kHz to 8 kHz
/// 253,883 and of 48 kHz 140,082. The others are not counted yet.
mod bound {
    pub(super) const ULAW_ENCODE: u64 = 400;
    pub(super) const ULAW_DECODE: u64 = 400;
    pub(super) const ALAW_ENCODE: u64 = 400;
    pub(super) const ALAW_DECODE: u64 = 400;
    pub(super) const MIX: u64 = 400;
    pub(super) const ROOM: u64 = 8_000;
    pub(super) const G722_ENCODE: u64 = 184_000;
    pub(super) const G722_DECODE: u64 = 166_000;
    pub(super) const RATES: u64 = 22_000;
    pub(super) const FROM_44100: u64 = 280_000;
    pub(super) const FROM_48000: u64 = 155_000;
    pub(super) const RTP_WRITE: u64 = 180;
    pub(super) const RTP_READ: u64 = 80;
    pub(super) const SIP_READ: u64 = 21_500;
    pub(super) const SDP_ANSWER: u64 = 56_000;
}

library_benchmark_group!(
    name = frames,
    benchmarks = [
        ulaw_encode,
        ulaw_decode,
        alaw_encode,
        alaw_decode,
        mix_of_a_speaker,
        room_of_a_hundred,
        g722_encode,
        g722_decode,
        two_rates,
        from_44100,
        from_48000,
        rtp_write,
        rtp_read
    ]
);
library_benchmark_group!(name = messages, benchmarks = [sip_read, sdp_answer]);

main!(library_benchmark_groups = [frames, messages]);
