//! Carries audio between calls and programs: one thread for all of them, a task for each.
//!
//! Media threads copy what a program is to hear into a ring and take what it says from another, and
//! never wait. A task looks at its rings every 10 ms; a program that is slow, gone or mad costs its
//! own call its voice, and nobody else anything.

mod audiosocket;
mod connect;
mod handshake;
mod rates;
mod talk;
mod websocket;

use std::{collections::HashMap, io, thread};

use bstr::ByteSlice;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime,
    sync::mpsc,
    task::{self, JoinError, JoinSet},
    time::timeout,
};

use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

use crate::{
    media::TapSource,
    program::{
        CONNECT_TIMEOUT, NewProgram, Origin, ProgramEnd, ProgramId, ProgramNews, ProgramRequest,
        Protocol, SpeechUse, WantedProgram, WebSocket,
    },
};
use talk::{Order, Talk};

/// Takes requests for programs; the thread ends with the last connection once this is dropped.
#[derive(Debug)]
pub(crate) struct Programs {
    requests: mpsc::UnboundedSender<ProgramRequest>,
}

impl Programs {
    /// Starts the thread; what it tells comes through the queue: two news for each connection, and
    /// the keys that programs press, a hundred a second each at most.
    pub(crate) fn start() -> io::Result<(Self, mpsc::UnboundedReceiver<ProgramNews>)> {
        let (requests, asked) = mpsc::unbounded_channel();
        let (news, told) = mpsc::unbounded_channel();
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            // Looking names up.
            .max_blocking_threads(MOST_LOOKUPS)
            .build()?;
        let connections = Connections {
            news,
            running: HashMap::new(),
            ids: HashMap::new(),
            tasks: JoinSet::new(),
        };
        let thread = thread::Builder::new().name("diesis-programs".into());
        thread.spawn(move || runtime.block_on(connections.run(asked)))?;
        Ok((Self { requests }, told))
    }

    /// Does what the switch asks for; what there is to tell at once when the thread is gone.
    pub(crate) fn request(&self, request: ProgramRequest) -> Option<ProgramNews> {
        let request = self.requests.send(request).err()?.0;
        let ProgramRequest::Connect(new) = request else { return None };
        let end = ProgramEnd::Failed("the thread that speaks with programs is gone".into());
        Some(ProgramNews::Ended { id: new.id, end })
    }
}

struct Connections {
    news: mpsc::UnboundedSender<ProgramNews>,
    running: HashMap<ProgramId, mpsc::UnboundedSender<Order>>,
    ids: HashMap<task::Id, ProgramId>,
    tasks: JoinSet<ProgramEnd>,
}

impl Connections {
    async fn run(mut self, mut asked: mpsc::UnboundedReceiver<ProgramRequest>) {
        loop {
            tokio::select! {
                request = asked.recv() => match request {
                    Some(request) => self.obey(request),
                    None => break,
                },
                Some(ended) = self.tasks.join_next_with_id() => self.take_end(ended),
            }
        }
        // Nobody listens any more: those that run say goodbye.
        self.running.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    fn obey(&mut self, request: ProgramRequest) {
        match request {
            ProgramRequest::Connect(new) => self.connect(*new),
            ProgramRequest::Digit { id, digit } => self.order(id, Order::Digit(digit)),
            ProgramRequest::Close { id } => self.order(id, Order::Close),
        }
    }

    fn order(&self, id: ProgramId, order: Order) {
        if let Some(orders) = self.running.get(&id) {
            // One that has just ended needs no orders.
            let _ = orders.send(order);
        }
    }

    fn connect(&mut self, new: NewProgram) {
        let id = new.id;
        if self.tasks.len() >= MOST_PROGRAMS {
            let end = ProgramEnd::Failed(format!("there are {MOST_PROGRAMS} programs already"));
            return self.tell(ProgramNews::Ended { id, end });
        }
        let (orders, received) = mpsc::unbounded_channel();
        let talk = Talk::new(&new, self.news.clone(), received);
        let task = self.tasks.spawn(speak(new, talk));
        self.ids.insert(task.id(), id);
        self.running.insert(id, orders);
    }

    fn take_end(&mut self, ended: Result<(task::Id, ProgramEnd), JoinError>) {
        let (task, end) = match ended {
            Ok((task, end)) => (task, end),
            Err(error) => (error.id(), ProgramEnd::Failed("a bug ended it".into())),
        };
        let Some(id) = self.ids.remove(&task) else { return };
        self.running.remove(&id);
        self.tell(ProgramNews::Ended { id, end });
    }

    fn tell(&self, news: ProgramNews) {
        // Nobody listens while the engine stops.
        let _ = self.news.send(news);
    }
}

/// One connection, from its first packet to its end.
async fn speak(new: NewProgram, mut talk: Talk) -> ProgramEnd {
    let WantedProgram { protocol, origin, .. } = new.wanted;
    match protocol {
        Protocol::AudioSocket { host, port, uuid, rate } => {
            let reached = timeout(CONNECT_TIMEOUT, connect::tcp(host.as_bstr(), port, &origin));
            match until_closed(&mut talk, reached).await {
                None => ProgramEnd::Us,
                Some(Ok(Ok(stream))) => audiosocket::run(talk, stream, uuid, rate).await,
                Some(Ok(Err(error))) => ProgramEnd::Failed(error.to_string()),
                Some(Err(_)) => ProgramEnd::Failed("it does not answer".into()),
            }
        }
        Protocol::WebSocket(how) => handshake::speak(talk, *how, origin).await,
    }
}

/// Speaks with a program on a WebSocket whose handshake is done, without a call: whatever comes of
/// `stream`, until one of the two ends it. Gives how much of its voice would have been heard at once.
#[doc(hidden)]
pub async fn converse<S>(stream: S, how: WebSocket) -> (ProgramEnd, usize)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let wanted = WantedProgram {
        protocol: Protocol::WebSocket(Box::new(how.clone())),
        origin: Origin::Operator,
        hears: TapSource::Received,
        speech: SpeechUse::Heard,
    };
    let (news, mut told) = mpsc::unbounded_channel();
    let (_orders, received) = mpsc::unbounded_channel();
    let talk = Talk::new(&NewProgram { id: ProgramId::new(1), wanted }, news, received);
    let stream =
        WebSocketStream::from_raw_socket(stream, Role::Client, Some(websocket::limits())).await;
    let end = websocket::run(talk, stream, &how).await;
    let says = match told.try_recv() {
        Ok(ProgramNews::Connected { says, .. }) => says,
        _ => None,
    };
    (end, says.map_or(0, |says| says.slots()))
}

/// What comes of a connecting, unless it is given up.
async fn until_closed<T>(talk: &mut Talk, connecting: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = talk.closed() => None,
        connected = connecting => Some(connected),
    }
}

/// Connections at a time: more than one machine's calls. One more fails.
const MOST_PROGRAMS: usize = 8192;

/// Names looked up at a time; more wait, and may fail by the time they have.
const MOST_LOOKUPS: usize = 16;
