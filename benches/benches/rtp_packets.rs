//! How many RTP packets can one core read and write, sockets aside?

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use diesis_engine::media::{
    FRAME, PayloadType,
    rtp::{Header, Marker, Reception, RtpTime, Seq, Ssrc},
};
use rtp_rs::RtpReader;

fn packets(c: &mut Criterion) {
    let header = Header {
        marker: Marker::Clear,
        payload_type: PayloadType::PCMU,
        seq: Seq(7),
        time: RtpTime(160),
        ssrc: Ssrc(9),
    };
    let mut packet = header.write().to_vec();
    packet.extend([0xff; FRAME]);
    let mut group = c.benchmark_group("rtp");
    group.throughput(Throughput::Elements(1));
    group.bench_function("write a header", |b| b.iter(|| black_box(header).write()));
    group.bench_function("read a packet", |b| {
        b.iter(|| {
            let packet = RtpReader::new(black_box(&packet)).expect("a packet");
            (packet.ssrc(), packet.timestamp(), packet.payload().len())
        });
    });
    let mut seq = Seq(0);
    let mut reception = Reception::new(Ssrc(9), seq, RtpTime(0), RtpTime(0));
    let mut time = RtpTime(0);
    group.bench_function("count a packet", |b| {
        b.iter(|| {
            (seq, time) = (seq.next(), time.plus(160));
            reception.handle_packet(black_box(seq), Some((time, time)))
        });
    });
    group.finish();
}

criterion_group!(benches, packets);
criterion_main!(benches);
