//! The frame path allocates nothing: counted by an allocator around a shard at work.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use diesis_engine::media::{
    Codec, Command, EchoState, Event, FRAME, MuteState, PayloadType, PlayId, PlayItem, PortLease,
    Prompt, Repeat, RoomId, ShardId, SocketId, StreamId, StreamSettings, TalkDetection, TapId,
    TapSource, TapState,
    packet_io::{ControlPort, Outgoing, PacketIo, Sent},
    shard::{Shard, ShardSettings},
};

/// Counts what the thread that asks allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[allow(unsafe_code, reason = "an allocator is counted, and passes everything on to the system's")]
mod allocator {
    use super::*;

    // SAFETY: every call is passed on unchanged to the system's allocator.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            ALLOCATIONS.set(ALLOCATIONS.get() + 1);
            // SAFETY: the caller's contract is that of `System`.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: the pointer came from `System` by `alloc` above.
            unsafe { System.dealloc(pointer, layout) }
        }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Every socket receives one packet a frame; what is sent is counted.
struct Loop {
    frame: u32,
    sent: u64,
    reports: u64,
    datagram: [u8; 172],
}

impl PacketIo for Loop {
    fn receive_batch(
        &mut self,
        sockets: &[SocketId],
        deliver: &mut dyn FnMut(usize, SocketAddr, &[u8]),
    ) {
        self.datagram[2..4].copy_from_slice(&(self.frame as u16).to_be_bytes());
        self.datagram[4..8].copy_from_slice(&(self.frame * FRAME as u32).to_be_bytes());
        for (index, socket) in sockets.iter().enumerate() {
            deliver(index, peer(u64::from(socket.0)), &self.datagram);
        }
    }

    fn send(&mut self, _: Outgoing<'_>) -> Sent {
        self.sent += 1;
        Sent::Accepted
    }

    fn receive_control(&mut self, deliver: &mut dyn FnMut(SocketId, SocketAddr, &[u8])) {
        // A receiver's report of nobody.
        if self.frame.is_multiple_of(50) {
            deliver(SocketId(0), ([192, 0, 2, 0], 4001).into(), &[0x80, 201, 0, 1, 0, 0, 0, 9]);
        }
    }

    fn send_control(&mut self, _: SocketId, _: ControlPort, _: SocketAddr, _: &[u8]) -> Sent {
        self.reports += 1;
        Sent::Accepted
    }

    fn flush(&mut self) {}

    fn connect(&mut self, _: SocketId, _: SocketAddr) -> bool {
        true
    }

    fn disconnect(&mut self, _: SocketId) {}

    fn release(&mut self, _: SocketId) {}
}

fn peer(n: u64) -> SocketAddr {
    ([192, 0, 2, n as u8], 4000).into()
}

#[test]
#[allow(clippy::disallowed_methods, reason = "an `Instant` can not be made from a number")]
fn playing_echoing_mixing_and_recording_allocate_nothing() {
    let epoch = Instant::now();
    let id = ShardId(0);
    let mut shard = Shard::new(ShardSettings::new(id, epoch, 1));
    let prompt = Arc::new(Prompt::from_samples(&[500; 16_000]));
    let (sink, mut recorded) = rtrb::RingBuffer::new(800_000);
    let mut sink = Some(sink);
    for n in 0..40 {
        let stream = StreamId(n);
        let address = ([127, 0, 0, 1], 10_000).into();
        let port = PortLease { shard: id, socket: SocketId(n as u32), address };
        let settings = StreamSettings::new(peer(n), Codec::Pcmu)
            .with_telephone_event(PayloadType::TELEPHONE_EVENT);
        shard.handle_command(Command::Open { stream, port, settings: Box::new(settings) }, epoch);
        let command = match n % 3 {
            0 => {
                let items = vec![PlayItem::Prompt(Arc::clone(&prompt))];
                Command::Play { stream, play: PlayId(n), items, repeat: Repeat::Forever }
            }
            1 => Command::Echo { stream, state: EchoState::On },
            _ => {
                let (mute, talk_detection) = (MuteState::Open, TalkDetection::On);
                Command::Join { stream, room: RoomId(n % 2), mute, talk_detection }
            }
        };
        shard.handle_command(command, epoch);
        if let Some(sink) = sink.take() {
            let (tap, source, state) = (TapId(1), TapSource::Apart, TapState::Open);
            let silence = Some(Duration::from_secs(1));
            shard.handle_command(
                Command::Tap {
                    stream,
                    tap,
                    source,
                    state,
                    silence,
                    rate: diesis_engine::media::Rate::Narrow,
                    sink,
                },
                epoch,
            );
        }
    }
    let mut io = Loop { frame: 0, sent: 0, reports: 0, datagram: [0x31; 172] };
    io.datagram[..2].copy_from_slice(&[0x80, 0]);
    let mut run = |frames: u32, io: &mut Loop| {
        for _ in 0..frames {
            io.frame += 1;
            for phase in 0..4 {
                let now = epoch + Duration::from_millis(u64::from(io.frame * 4 + phase) * 5);
                shard.tick(now, io);
                while let Some(event) = shard.poll_event() {
                    assert!(!matches!(event, Event::Closed { .. }));
                }
            }
        }
    };
    // Queues and arenas find their size.
    run(20, &mut io);
    let (before, sent) = (ALLOCATIONS.get(), io.sent);
    run(1000, &mut io);
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(io.sent - sent, 40_000);
    assert!(io.reports >= 40 * 3, "{}", io.reports);
    assert!(recorded.slots() > 160_000);
    let _all = recorded.pop();
}
