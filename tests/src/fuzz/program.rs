//! What programs outside send: AudioSocket's frames, however they are cut, and their speech.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bstr::BString;
use diesis_engine::config::{MessageFormat, WebSocketClient};
use diesis_engine::media::AudioFormat;
use diesis_engine::net::converse;
use diesis_engine::program::WebSocket;
use diesis_engine::program::audiosocket::{Decoder, Frame, GOODBYE, LONGEST_FRAME, identity};
use diesis_engine::program::speech::{LEAD, MOST_SAMPLES, Mark, Speech};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};
use tokio_tungstenite::tungstenite::{self, Message, protocol::Role};

use super::sip::clock;
use super::{SLOW, Shape, Target};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "audiosocket",
        about: "program::audiosocket: frames cut anywhere, and program::speech fed by them",
        run,
        seeds,
        tokens: TOKENS,
        longest: 8192,
        memory: 4 << 20,
        slow: SLOW,
    },
    Target {
        name: "websocket",
        about: "net::program: a program on a WebSocket, its frames, commands and audio",
        run: websocket,
        seeds: websocket_seeds,
        tokens: WEBSOCKET_TOKENS,
        longest: 8192,
        memory: 8 << 20,
        slow: SLOW,
    },
];

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

/// The first octet says how samples and events are written, the second how the rest is cut. Whatever
/// comes, what is answered makes sense, and no more is heard at once than there is room for.
fn websocket(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let Some((&[how, cut], bytes)) = input.split_first_chunk() else { return shape };
    let formats = ["ulaw", "alaw", "slin", "slin16"];
    let format = AudioFormat::parse(formats[usize::from(how & 3)].as_bytes());
    let messages = if how & 4 == 0 { MessageFormat::Json } else { MessageFormat::PlainText };
    let how = WebSocket {
        client: Arc::new(WebSocketClient::new("ws://192.0.2.1/")),
        parameters: BString::default(),
        format: format.expect("a format of ours"),
        messages,
        connection: "one".into(),
        channel: "PJSIP/a-1".into(),
        channel_id: "1.1".into(),
        variables: vec![("A".into(), "\"b\"".into())],
    };
    let mut wire = Wire { coming: bytes.to_vec(), at: 0, cut: cut.max(1).into(), gone: vec![] };
    let (end, heard) = RUNTIME.with(|runtime| runtime.block_on(converse(&mut wire, how)));
    assert!(heard <= LEAD, "{heard} samples");
    shape.kind(&end);
    shape.count(heard);
    let own = Cursor::new(wire.gone);
    let mut own = tungstenite::WebSocket::from_raw_socket(own, Role::Server, None);
    let mut told = 0;
    while let Ok(message) = own.read() {
        let Message::Text(text) = message else { continue };
        told += 1;
        let event = match messages {
            MessageFormat::Json => {
                let event: serde_json::Value = serde_json::from_str(&text).expect("an event");
                event["event"].as_str().expect("it has a name").to_owned()
            }
            MessageFormat::PlainText => {
                text.split(' ').next().expect("a word comes first").to_owned()
            }
        };
        shape.add(event);
    }
    assert!(told > 0, "it is told that it may begin, however much it says at once");
    shape.count(told);
    shape
}

thread_local! {
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_time().build().expect("a runtime");
}

/// A connection in memory: what comes in pieces of `cut`, without a pause, then its end; what goes is
/// kept.
struct Wire {
    coming: Vec<u8>,
    at: usize,
    cut: usize,
    gone: Vec<u8>,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.cut.min(buffer.remaining()).min(self.coming.len() - self.at);
        buffer.put_slice(&self.coming[self.at..self.at + length]);
        self.at += length;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.gone.extend_from_slice(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn websocket_seeds() -> Vec<Vec<u8>> {
    let frame = |kind: u8, octets: &[u8]| {
        let length = u8::try_from(octets.len()).ok().filter(|it| *it < 126).expect("a short one");
        [&[0x80 | kind, length], octets].concat()
    };
    let text = |text: &str| frame(1, text.as_bytes());
    let audio = [&[0x82, 126, 0x02, 0x80][..], &[0x10; 640]].concat();
    let all = |how: u8, frames: &[Vec<u8>]| [&[how, 200][..], &frames.concat()].concat();
    vec![
        all(
            3,
            &[
                text("ANSWER"),
                text("START_MEDIA_BUFFERING"),
                audio.clone(),
                audio.clone(),
                text("STOP_MEDIA_BUFFERING a-1"),
                text("MARK_MEDIA \"x"),
                text("GET_STATUS"),
            ],
        ),
        all(
            0,
            &[
                text(r#"{"command":"SET_MEDIA_DIRECTION","direction":"out"}"#),
                audio.clone(),
                text(r#"{"command":"MARK_MEDIA","correlation_id":"b"}"#),
                text("FLUSH_MEDIA"),
            ],
        ),
        all(
            6,
            &[
                audio.clone(),
                text("PAUSE_MEDIA"),
                audio,
                text("REPORT_QUEUE_DRAINED"),
                text("CONTINUE_MEDIA"),
                frame(9, b"ping"),
                text("NONSENSE"),
                text("HANGUP"),
            ],
        ),
        // A message in two frames, and a close.
        all(1, &[b"\x01\x03GET".to_vec(), frame(0, b"_STATUS"), frame(8, b"\x03\xe8bye")]),
    ]
}

const WEBSOCKET_TOKENS: &[&[u8]] = &[
    b"\x81",
    b"\x82",
    b"\x80",
    b"\x88",
    b"\x89\x00",
    b"\x01\x02",
    b"\x82\x7e\x10\x00",
    b"\x82\x7f\0\0\0\0\0\x04\0\x01",
    b"\x81\x7e",
    b"ANSWER",
    b"HANGUP",
    b"START_MEDIA_BUFFERING",
    b"STOP_MEDIA_BUFFERING ",
    b"FLUSH_MEDIA",
    b"PAUSE_MEDIA",
    b"CONTINUE_MEDIA",
    b"MARK_MEDIA ",
    b"GET_STATUS",
    b"REPORT_QUEUE_DRAINED",
    b"SET_MEDIA_DIRECTION in",
    b"{\"command\":\"",
    b"\",\"correlation_id\":\"",
    b"\"}",
    b"\xff",
];

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
