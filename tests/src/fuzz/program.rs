//! What programs outside send: AudioSocket's frames, however they are cut, and their speech.

use std::time::Duration;

use diesis_engine::program::audiosocket::{Decoder, Frame, GOODBYE, LONGEST_FRAME, identity};
use diesis_engine::program::speech::{LEAD, MOST_SAMPLES, Mark, Speech};

use super::sip::clock;
use super::{SLOW, Shape, Target};

pub(super) const TARGETS: &[Target] = &[Target {
    name: "audiosocket",
    about: "program::audiosocket: frames cut anywhere, and program::speech fed by them",
    run,
    seeds,
    tokens: TOKENS,
    longest: 8192,
    memory: 4 << 20,
    slow: SLOW,
}];

/// The first octet says how the rest is cut; however that is, the same frames come out.
fn run(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let Some((&cut, bytes)) = input.split_first() else { return shape };
    let whole = frames(bytes, bytes.len().max(1), &mut shape);
    let pieces = frames(bytes, usize::from(cut).max(1), &mut Shape::new());
    assert_eq!(whole, pieces, "a cut changes what is read");
    shape
}

/// What is read of bytes that come in pieces, until nothing makes sense any more.
fn frames(bytes: &[u8], piece: usize, shape: &mut Shape) -> Vec<String> {
    let (mut decoder, mut speech, mut read) = (Decoder::default(), Speech::new(), vec![]);
    let mut now = clock();
    for piece in bytes.chunks(piece) {
        let mut rest = piece;
        while !rest.is_empty() {
            assert!(decoder.room() <= LONGEST_FRAME);
            let taken = decoder.handle_bytes(rest);
            assert!(taken > 0, "a decoder whose frames are all taken has room");
            rest = &rest[taken..];
            while let Some(frame) = decoder.poll_frame() {
                shape.kind(&frame);
                match frame {
                    Frame::Audio { rate, octets } => {
                        shape.add(rate);
                        read.push(format!("{rate} {octets:?}"));
                        let samples: Vec<i16> = octets.iter().map(|&octet| octet.into()).collect();
                        speech.handle_samples(&samples, now);
                        speech.mark(Mark::Marked(None));
                    }
                    Frame::Unknown(_) => return read,
                    other => read.push(format!("{other:?}")),
                }
            }
        }
        let waiting = speech.len();
        assert!(waiting <= MOST_SAMPLES);
        let mut ahead = 0;
        while let Some(frame) = speech.poll_frame(ahead, now) {
            ahead += frame.len();
        }
        assert!(ahead <= LEAD && speech.len() + ahead >= waiting);
        while speech.poll_mark().is_some() {}
        now += Duration::from_millis(20);
    }
    read
}

fn seeds() -> Vec<Vec<u8>> {
    let audio = |kind: u8, length: u16| {
        let [high, low] = length.to_be_bytes();
        [&[kind, high, low], vec![7; length.into()].as_slice()].concat()
    };
    let begin = [&[40], identity(*b"0123456789abcdef").as_slice()].concat();
    vec![
        [begin.as_slice(), &audio(0x10, 320), &audio(0x10, 320), &[3, 0, 1, b'5'], &GOODBYE]
            .concat(),
        [&[3], audio(0x18, 1000).as_slice(), &audio(0x12, 1), &[0xff, 0, 1, 4]].concat(),
        [&[255], audio(0x13, 0).as_slice(), b"HTTP/1.1 400\r\n\r\n"].concat(),
        vec![1, 0x10, 0xff, 0xff, 0, 0],
    ]
}

const TOKENS: &[&[u8]] = &[
    b"\x10\x01\x40",
    b"\x12\x02\x80",
    b"\x00\x00\x00",
    b"\x03\x00\x01#",
    b"\xff\x00\x00",
    b"\x10\xff\xff",
    b"\x10\x00\x00",
];
