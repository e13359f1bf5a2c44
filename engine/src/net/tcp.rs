//! SIP over TCP: one task a connection reads, another writes.
//!
//! `sip::Framing` says when a slow or silent peer is cut off; one that does not read what we send
//! loses messages once `WRITE_QUEUE` of them wait, and its connection after `WRITE_TIMEOUT`.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant as TokioInstant, timeout, timeout_at};

use super::clock;
use super::transport::Inbound;
use crate::sip::{ConnectionId, Flow, Frame, Framing, Limits, PONG, StreamTimeouts};

/// All TCP connections of one engine, accepted and made.
#[derive(Debug, Clone)]
pub(crate) struct TcpConnections {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    next_id: AtomicU64,
    table: Mutex<Table>,
    inbound: mpsc::Sender<Inbound>,
}

#[derive(Debug, Default)]
struct Table {
    writers: HashMap<ConnectionId, Writer>,
    by_peer: HashMap<SocketAddr, ConnectionId>,
    per_source: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Writer {
    queue: mpsc::Sender<Bytes>,
    peer: SocketAddr,
}

impl TcpConnections {
    pub(crate) fn new(inbound: mpsc::Sender<Inbound>) -> Self {
        let shared = Shared { next_id: AtomicU64::new(1), table: Mutex::default(), inbound };
        Self { shared: Arc::new(shared) }
    }

    /// Binds `address` and accepts; returns the address with the port that was chosen.
    pub(crate) fn listen(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            // As over UDP: IPv4 is for a transport of its own, which may have the same port.
            socket.set_only_v6(true)?;
        }
        // A restart must not wait for the old connections' TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        let listener = TcpListener::from_std(socket.into())?;
        let bound = listener.local_addr()?;
        tokio::spawn(accept(listener, self.clone()));
        Ok(bound)
    }

    /// Sends on the flow's connection, or on one to its peer, made now if there is none.
    pub(crate) fn send(&self, flow: Flow, bytes: Bytes) {
        let queue = {
            let mut table = self.table();
            let id = flow
                .connection
                .filter(|id| table.writers.contains_key(id))
                .or_else(|| table.by_peer.get(&flow.peer).copied());
            match id.and_then(|id| table.writers.get(&id)) {
                Some(writer) => writer.queue.clone(),
                None => {
                    let Some((id, queue, pending)) = self.register(&mut table, flow.peer) else {
                        tracing::warn!(peer = %flow.peer, "too many TCP connections");
                        return;
                    };
                    tokio::spawn(connect(self.clone(), flow, id, pending));
                    queue
                }
            }
        };
        if queue.try_send(bytes).is_err() {
            tracing::warn!(peer = %flow.peer, "TCP peer does not read: message dropped");
        }
    }

    /// How many connections there are.
    pub(crate) fn count(&self) -> usize {
        self.table().writers.len()
    }

    fn register(
        &self,
        table: &mut Table,
        peer: SocketAddr,
    ) -> Option<(ConnectionId, mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>)> {
        let of_source = table.per_source.entry(peer.ip()).or_default();
        if table.writers.len() >= MAX_CONNECTIONS || *of_source >= MAX_PER_SOURCE {
            return None;
        }
        *of_source += 1;
        let id = ConnectionId(self.shared.next_id.fetch_add(1, Ordering::Relaxed));
        let (queue, pending) = mpsc::channel(WRITE_QUEUE);
        table.writers.insert(id, Writer { queue: queue.clone(), peer });
        table.by_peer.insert(peer, id);
        Some((id, queue, pending))
    }

    async fn forget(&self, id: ConnectionId) {
        {
            let mut table = self.table();
            let Some(writer) = table.writers.remove(&id) else { return };
            if table.by_peer.get(&writer.peer) == Some(&id) {
                table.by_peer.remove(&writer.peer);
            }
            if let Some(count) = table.per_source.get_mut(&writer.peer.ip()) {
                *count -= 1;
                if *count == 0 {
                    table.per_source.remove(&writer.peer.ip());
                }
            }
        }
        let _ = self.shared.inbound.send(Inbound::Closed(id)).await;
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        // Nothing panics while the table is held, so a poisoned lock still guards a sound table.
        self.shared.table.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, connections: TcpConnections) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors: what is open goes on, and accepting is tried again.
                tracing::warn!(%error, "accepting SIP over TCP");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let registered = {
            let mut table = connections.table();
            connections.register(&mut table, peer)
        };
        // Over the limit the connection is dropped at once; the peer sees it closed.
        if let Some((id, _, pending)) = registered {
            match stream.local_addr() {
                Ok(local) => {
                    let flow = Flow::tcp(local, peer, id);
                    tokio::spawn(run(connections.clone(), stream, flow, id, pending));
                }
                // The peer was gone before we looked.
                Err(_) => connections.forget(id).await,
            }
        }
    }
}

async fn connect(
    connections: TcpConnections,
    flow: Flow,
    id: ConnectionId,
    pending: mpsc::Receiver<Bytes>,
) {
    let heard = match timeout(CONNECT_TIMEOUT, TcpStream::connect(flow.peer)).await {
        // What we open is named by the address we listen on: that is where the peer reaches us.
        Ok(Ok(stream)) => {
            let flow = Flow::tcp(flow.local, flow.peer, id);
            run(connections.clone(), stream, flow, id, pending).await
        }
        Ok(Err(_)) | Err(_) => {
            connections.forget(id).await;
            Heard::Nothing
        }
    };
    if heard == Heard::Nothing {
        let _ = connections.shared.inbound.send(Inbound::Failed(flow)).await;
    }
}

/// Whether a peer ever said anything on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Something,
}

async fn run(
    connections: TcpConnections,
    stream: TcpStream,
    flow: Flow,
    id: ConnectionId,
    pending: mpsc::Receiver<Bytes>,
) -> Heard {
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let writing = tokio::spawn(write(writer, pending));
    let mut heard = Heard::Nothing;
    if let Err(error) = read(&connections, reader, flow, &mut heard).await {
        tracing::debug!(peer = %flow.peer, %error, "SIP connection closed");
    }
    // Without the queue's other end the writer stops once everything in it is written.
    connections.forget(id).await;
    let _ = writing.await;
    heard
}

async fn read(
    connections: &TcpConnections,
    mut reader: OwnedReadHalf,
    flow: Flow,
    heard: &mut Heard,
) -> io::Result<()> {
    let (limits, timeouts) = (Limits::default(), StreamTimeouts::default());
    let mut framing = Framing::new(limits, timeouts, clock::now().instant);
    let mut buffer = vec![0; READ_BUFFER];
    loop {
        while let Some(frame) = framing.poll_frame() {
            match frame {
                Frame::Message(bytes) => {
                    let packet = Inbound::Packet { flow, bytes };
                    connections.shared.inbound.send(packet).await.map_err(io::Error::other)?;
                }
                Frame::Ping => connections.send(flow, Bytes::from_static(PONG)),
                Frame::Broken(error) => {
                    if let Some(response) = error.response() {
                        connections.send(flow, response.to_bytes());
                    }
                    return Err(io::Error::other(error.to_string()));
                }
                Frame::TimedOut => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        let deadline = framing.poll_timeout().map(TokioInstant::from_std);
        let Some(deadline) = deadline else { return Ok(()) };
        match timeout_at(deadline, reader.read(&mut buffer)).await {
            Ok(read) => match read? {
                0 => return Ok(()),
                length => {
                    *heard = Heard::Something;
                    framing.handle_bytes(&buffer[..length], clock::now().instant);
                }
            },
            Err(_) => framing.handle_timeout(clock::now().instant),
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut pending: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = pending.recv().await {
        match timeout(WRITE_TIMEOUT, writer.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// Connections at once, and from one source: an attacker must not use up our descriptors.
const MAX_CONNECTIONS: usize = 4096;
const MAX_PER_SOURCE: usize = 1024;
/// Messages that wait for a peer to read.
const WRITE_QUEUE: usize = 64;
const READ_BUFFER: usize = 16_384;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
