//! A stream that goes to another shard: its peer hears nothing of it.

use super::*;

/// Two shards of one engine, and a stream that may be on its way between them.
struct Two {
    old: World,
    new: World,
}

impl Two {
    fn new() -> Self {
        let epoch = clock();
        Self { old: World::of(ShardId(0), epoch), new: World::of(ShardId(1), epoch) }
    }

    /// Both work for so long.
    fn run_ms(&mut self, ms: u64) {
        self.old.run_ms(ms);
        self.new.run_ms(ms);
    }

    /// The stream leaves, and arrives so much later; what it is told meanwhile waits for it.
    fn move_stream(&mut self, stream: StreamId, delay_ms: u64, told: Vec<Command>) {
        self.new.shard.expect(stream);
        self.old.command(Command::Move { stream, to: ShardId(1) });
        for command in told {
            self.new.command(command);
        }
        let departure = self.old.shard.poll_departure();
        let Some(Departure::Stream { stream: boxed, socket, .. }) = departure else {
            panic!("the stream leaves");
        };
        // Its sockets go with it, and what waits in them.
        let waiting = self.old.io.waiting.remove(&socket);
        let connected = self.old.io.connected.remove(&socket);
        self.run_ms(delay_ms);
        self.new.io.waiting.extend(waiting.map(|waiting| (SocketId(77), waiting)));
        self.new.io.connected.extend(connected.map(|remote| (SocketId(77), remote)));
        let now = self.new.now();
        self.new.shard.adopt(boxed, SocketId(77), now);
    }

    /// Everything that went to the peer, in order.
    fn sent(&self) -> Vec<Packet> {
        let mut sent = self.old.sent_by(1);
        sent.extend(self.new.sent_by(77));
        sent
    }
}

#[test]
fn no_packet_is_lost_or_doubled_whenever_a_stream_moves() {
    let prompt = ramp(16_000);
    // Where in the frame it leaves, in which phases both are, and how long it is under way.
    for (leaves, others, delay) in (0..4)
        .flat_map(|leaves| (0..8).map(move |others| (leaves, others)))
        .flat_map(|(leaves, others)| [0, 5, 10, 35].map(|delay| (leaves, others, delay)))
    {
        let mut two = Two::new();
        // Streams beside it on both shards, so that the emptiest phase is now one, now another.
        for n in 0..others {
            two.old.open(10 + n);
            two.new.open(30 + n * 3 % 8);
        }
        let stream = two.old.open(1);
        two.old.play(stream, 3, vec![PlayItem::Prompt(prompt.clone())]);
        two.run_ms(400 + 5 * leaves);
        two.move_stream(stream, delay, vec![]);
        two.run_ms(2600);
        let sent = two.sent();
        let case = (leaves, others, delay);
        assert_eq!(sent.len(), 100, "{case:?}");
        for (index, packet) in sent.iter().enumerate() {
            assert_eq!(packet.read().payload(), prompt.frame(index, Law::Mu).unwrap(), "{case:?}");
            assert_eq!(packet.read().mark(), index == 0, "{case:?}");
        }
        for pair in sent.windows(2) {
            let (one, two) = (pair[0].read(), pair[1].read());
            assert_eq!(two.sequence_number() - one.sequence_number(), 1, "{case:?}");
            assert_eq!(two.timestamp().wrapping_sub(one.timestamp()), 160, "{case:?}");
            let gap = pair[1].at_ms - pair[0].at_ms;
            assert!(gap <= 40 + delay, "{case:?}: {gap} ms");
        }
        let statistics = two.new.close(stream);
        assert_eq!(statistics.sent_packets, 100, "{case:?}: its figures come along");
    }
}

#[test]
fn what_arrives_on_the_way_is_heard_on_the_other_side() {
    let mut two = Two::new();
    let stream = two.old.open(1);
    two.old.command(Command::Echo { stream, state: EchoState::On });
    let mut phone = Phone::new(1);
    let mut spoken = vec![];
    let mut speak = |io: &mut Memory, socket: u32| {
        phone.socket = SocketId(socket);
        let payload = [spoken.len() as u8; 160];
        spoken.push(payload.to_vec());
        phone.send(io, &payload);
    };
    for _ in 0..20 {
        speak(&mut two.old.io, 1);
        two.run_ms(20);
    }
    // One waits in the socket while it changes hands.
    speak(&mut two.old.io, 1);
    two.move_stream(stream, 15, vec![]);
    two.run_ms(20);
    for _ in 0..20 {
        speak(&mut two.new.io, 77);
        two.run_ms(20);
    }
    let heard: Vec<_> = two.sent().iter().map(|packet| packet.read().payload().to_vec()).collect();
    assert_eq!(heard, spoken);
    let statistics = two.new.close(stream);
    assert_eq!((statistics.received_packets, statistics.lost), (41, 0));
    assert_eq!((statistics.source_changes, statistics.foreign), (0, 0));
}

#[test]
fn commands_after_a_move_are_obeyed_in_order() {
    let mut two = Two::new();
    let stream = two.old.open(1);
    two.old.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(5))]);
    two.run_ms(120);
    let play = |play| Command::Play {
        stream,
        play: PlayId(play),
        items: vec![PlayItem::Silence(Duration::from_secs(1))],
        repeat: Repeat::Once,
    };
    // Told while it is on its way, so late that it has to make up for a frame, and after.
    two.move_stream(stream, 35, vec![play(2)]);
    two.new.command(play(3));
    two.run_ms(200);
    let plays = two.new.events.iter().filter_map(|event| match event {
        Event::PlayFinished { play, end, .. } => Some((*play, *end)),
        _ => None,
    });
    let replaced = PlayEnd::Replaced;
    assert_eq!(plays.collect::<Vec<_>>(), [(PlayId(1), replaced), (PlayId(2), replaced)]);
}
