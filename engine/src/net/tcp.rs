//! SIP over TCP and TLS: one task a connection reads, another writes.
//!
//! `sip::Framing` says when a slow or silent peer is cut off; one that does not read what we send
//! loses messages once as many wait as [`Bounds`] allows, and its connection soon after.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustls::pki_types::ServerName;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant as TokioInstant, timeout, timeout_at};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::clock;
use super::marking;
use super::tls::{TlsPort, TlsSetupError};
use super::transport::Inbound;
use crate::config::SocketOptions;
use crate::sip::{ConnectionId, Flow, Frame, Framing, Limits, PONG, StreamTimeouts, Transport};

/// All stream connections of one engine, accepted and made, with and without TLS.
#[derive(Debug, Clone)]
pub(crate) struct TcpConnections {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    next_id: AtomicU64,
    table: Mutex<Table>,
    inbound: mpsc::Sender<Inbound>,
    bounds: Bounds,
}

/// What connections may take of us: an attacker must use up neither descriptors nor memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Connections at once. 4096.
    connections: usize,
    /// Connections at once from one address. 1024.
    per_source: usize,
    /// Messages that wait for a peer to read. 64.
    queue: usize,
    /// How long a TLS handshake may take: who opens a connection and says nothing holds it no
    /// longer. 10 s.
    handshake: Duration,
    /// How long a peer may take to read one message. 10 s.
    write: Duration,
    /// How long a message and silence may last.
    stream: StreamTimeouts,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 4096,
            per_source: 1024,
            queue: 64,
            handshake: Duration::from_secs(10),
            write: Duration::from_secs(10),
            stream: StreamTimeouts::default(),
        }
    }
}

#[derive(Debug, Default)]
struct Table {
    writers: HashMap<ConnectionId, Writer>,
    by_peer: HashMap<(Transport, SocketAddr), ConnectionId>,
    per_source: HashMap<IpAddr, usize>,
    tls: Vec<Arc<TlsPort>>,
    /// How the sockets of each listener are marked; what we open by its side is as well.
    options: Vec<(Transport, SocketAddr, SocketOptions)>,
    /// Whom the certificates of peers must name, the latest last.
    names: VecDeque<(SocketAddr, String)>,
}

#[derive(Debug)]
struct Writer {
    queue: mpsc::Sender<Bytes>,
    peer: SocketAddr,
    transport: Transport,
    /// Whom the peer's certificate was verified against, on connections we opened.
    name: Option<String>,
}

impl TcpConnections {
    pub(crate) fn new(inbound: mpsc::Sender<Inbound>) -> Self {
        Self::bounded(inbound, Bounds::default())
    }

    fn bounded(inbound: mpsc::Sender<Inbound>, bounds: Bounds) -> Self {
        let (next_id, table) = (AtomicU64::new(1), Mutex::default());
        Self { shared: Arc::new(Shared { next_id, table, inbound, bounds }) }
    }

    /// Binds `address` and accepts; returns the address with the port that was chosen.
    pub(crate) fn listen(
        &self,
        address: SocketAddr,
        options: &SocketOptions,
        tls: Option<TlsPort>,
    ) -> io::Result<SocketAddr> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            // As over UDP: IPv4 is for a transport of its own, which may have the same port.
            socket.set_only_v6(true)?;
        }
        // A restart must not wait for the old connections' TIME_WAIT.
        socket.set_reuse_address(true)?;
        marking::apply(&SockRef::from(&socket), address, options)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        let listener = TcpListener::from_std(socket.into())?;
        let bound = listener.local_addr()?;
        let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
        let tls = tls.map(|tls| Arc::new(tls.bound_to(bound)));
        self.table().tls.extend(tls.clone());
        self.table().options.push((transport, bound, *options));
        tokio::spawn(accept(listener, tls, self.clone()));
        Ok(bound)
    }

    /// Reads all certificates again; what is wrong with those that stay as they are.
    pub(crate) fn reload_certificates(&self) -> Vec<TlsSetupError> {
        let ports = self.table().tls.clone();
        ports.iter().filter_map(|port| port.reload().err()).collect()
    }

    /// Learns whom the certificate of a peer must name.
    pub(crate) fn expect_name(&self, peer: SocketAddr, name: String) {
        let mut table = self.table();
        table.names.retain(|(known, _)| *known != peer);
        if table.names.len() >= MOST_NAMES {
            table.names.pop_front();
        }
        table.names.push_back((peer, name));
    }

    /// Sends on the flow's connection, or on one to its peer, made now if there is none.
    pub(crate) fn send(&self, flow: Flow, bytes: Bytes) {
        let queue = {
            let mut table = self.table();
            let expected = table.expected_name(&flow);
            let id = flow
                .connection
                .filter(|id| table.writers.contains_key(id))
                .or_else(|| table.reusable(&flow, expected.as_deref()));
            match id.and_then(|id| table.writers.get(&id)) {
                Some(writer) => writer.queue.clone(),
                None => {
                    let opened = self.register(&mut table, flow, expected.clone());
                    let Some((id, queue, pending)) = opened else {
                        tracing::warn!(peer = %flow.peer, "too many connections");
                        return;
                    };
                    tokio::spawn(connect(self.clone(), flow, expected, id, pending));
                    queue
                }
            }
        };
        if queue.try_send(bytes).is_err() {
            tracing::warn!(peer = %flow.peer, "peer does not read: message dropped");
        }
    }

    /// How many connections of a kind there are.
    pub(crate) fn count(&self, transport: Transport) -> usize {
        self.table().writers.values().filter(|writer| writer.transport == transport).count()
    }

    fn register(
        &self,
        table: &mut Table,
        flow: Flow,
        name: Option<String>,
    ) -> Option<(ConnectionId, mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>)> {
        let Flow { peer, transport, .. } = flow;
        let Bounds { connections, per_source, queue, .. } = self.shared.bounds;
        let of_source = table.per_source.get(&peer.ip()).copied().unwrap_or_default();
        if table.writers.len() >= connections || of_source >= per_source {
            return None;
        }
        table.per_source.insert(peer.ip(), of_source + 1);
        let id = ConnectionId(self.shared.next_id.fetch_add(1, Ordering::Relaxed));
        let (queue, pending) = mpsc::channel(queue);
        table.writers.insert(id, Writer { queue: queue.clone(), peer, transport, name });
        table.by_peer.insert((transport, peer), id);
        Some((id, queue, pending))
    }

    async fn forget(&self, id: ConnectionId) {
        {
            let mut table = self.table();
            let Some(writer) = table.writers.remove(&id) else { return };
            let path = (writer.transport, writer.peer);
            if table.by_peer.get(&path) == Some(&id) {
                table.by_peer.remove(&path);
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

impl Table {
    /// Whom the certificate of a flow's peer must name, if it is asked for one.
    fn expected_name(&self, flow: &Flow) -> Option<String> {
        if flow.transport != Transport::Tls {
            return None;
        }
        let known = self.names.iter().rev().find(|(peer, _)| *peer == flow.peer);
        Some(known.map_or_else(|| flow.peer.ip().to_string(), |(_, name)| name.clone()))
    }

    /// A connection to the flow's peer that stands. One that was verified for another domain does
    /// not count (RFC 5922 §7.3).
    fn reusable(&self, flow: &Flow, expected: Option<&str>) -> Option<ConnectionId> {
        let id = *self.by_peer.get(&(flow.transport, flow.peer))?;
        let name = self.writers.get(&id)?.name.as_deref();
        (name.is_none() || name == expected).then_some(id)
    }

    /// How a connection from this address is marked: as the listener that it names, else as the first
    /// of its kind and family.
    fn options(&self, flow: &Flow) -> SocketOptions {
        let of_kind = || {
            self.options.iter().filter(|(transport, bound, _)| {
                *transport == flow.transport && bound.is_ipv4() == flow.peer.is_ipv4()
            })
        };
        let named = of_kind().find(|(_, bound, _)| bound.port() == flow.local.port());
        named.or_else(|| of_kind().next()).map_or_else(SocketOptions::default, |it| it.2)
    }

    /// The transport that a connection from this address belongs to.
    fn tls_port(&self, local: SocketAddr) -> Option<Arc<TlsPort>> {
        let same_port = self.tls.iter().find(|port| port.address.port() == local.port());
        same_port.or_else(|| self.tls.first()).cloned()
    }
}

async fn accept(listener: TcpListener, tls: Option<Arc<TlsPort>>, connections: TcpConnections) {
    let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors: what is open goes on, and accepting is tried again.
                tracing::warn!(%error, "accepting SIP connections");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // The peer was gone before we looked.
        let Ok(local) = stream.local_addr() else { continue };
        let flow = Flow { transport, local, peer, connection: None };
        let registered = {
            let mut table = connections.table();
            connections.register(&mut table, flow, None)
        };
        // Over the limit the connection is dropped at once; the peer sees it closed.
        if let Some((id, _, pending)) = registered {
            let flow = Flow { connection: Some(id), ..flow };
            let connection = Connection { flow, id, side: Side::Accepted };
            tokio::spawn(serve(connections.clone(), stream, tls.clone(), connection, pending));
        }
    }
}

/// A connection somebody opened to us: shakes hands, if it is TLS, and runs it.
async fn serve(
    connections: TcpConnections,
    stream: TcpStream,
    tls: Option<Arc<TlsPort>>,
    connection: Connection,
    pending: mpsc::Receiver<Bytes>,
) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        let (reader, writer) = stream.into_split();
        run(connections, reader, writer, connection, pending).await;
        return;
    };
    let Connection { flow, id, .. } = connection;
    let handshake = TlsAcceptor::from(tls.server()).accept(stream);
    let failure = match timeout(connections.shared.bounds.handshake, handshake).await {
        Ok(Ok(stream)) => {
            let (reader, writer) = tokio::io::split(stream);
            run(connections, reader, writer, connection, pending).await;
            return;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it takes too long".to_owned(),
    };
    tracing::debug!(peer = %flow.peer, failure, "TLS handshake");
    connections.forget(id).await;
}

/// A connection that we open: whoever waits for it is told when that fails.
async fn connect(
    connections: TcpConnections,
    flow: Flow,
    name: Option<String>,
    id: ConnectionId,
    pending: mpsc::Receiver<Bytes>,
) {
    // What we open is named by the address we listen on: that is where the peer reaches us.
    let opened = Flow { connection: Some(id), ..flow };
    let connection = Connection { flow: opened, id, side: Side::Opened };
    let options = connections.table().options(&flow);
    let heard = match timeout(CONNECT_TIMEOUT, open(flow, options)).await {
        Ok(Ok(stream)) => {
            let _ = stream.set_nodelay(true);
            match name {
                None => {
                    let (reader, writer) = stream.into_split();
                    run(connections.clone(), reader, writer, connection, pending).await
                }
                Some(name) => connect_tls(&connections, stream, &name, connection, pending).await,
            }
        }
        Ok(Err(error)) => {
            tracing::info!(peer = %flow.peer, %error, "no SIP connection");
            Heard::Nothing
        }
        Err(_) => Heard::Nothing,
    };
    connections.forget(id).await;
    if heard == Heard::Nothing {
        let _ = connections.shared.inbound.send(Inbound::Failed(flow)).await;
    }
}

/// A connection from the address that the flow names: who knows us by it must see it.
async fn open(flow: Flow, options: SocketOptions) -> io::Result<TcpStream> {
    let own = flow.local.ip();
    let socket = match flow.peer.is_ipv4() {
        true => TcpSocket::new_v4()?,
        false => TcpSocket::new_v6()?,
    };
    marking::apply(&SockRef::from(&socket), flow.peer, &options)?;
    if !own.is_unspecified() && own.is_ipv4() == flow.peer.is_ipv4() {
        socket.bind(SocketAddr::new(own, 0))?;
    }
    socket.connect(flow.peer).await
}

async fn connect_tls(
    connections: &TcpConnections,
    stream: TcpStream,
    name: &str,
    connection: Connection,
    pending: mpsc::Receiver<Bytes>,
) -> Heard {
    let Flow { local, peer, .. } = connection.flow;
    let port = connections.table().tls_port(local);
    let server_name = ServerName::try_from(name.to_owned());
    let (Some(port), Ok(server_name)) = (port, server_name) else {
        tracing::warn!(%peer, name, "no TLS transport, or no name to verify");
        return Heard::Nothing;
    };
    let handshake = TlsConnector::from(port.client()).connect(server_name, stream);
    let failure = match timeout(connections.shared.bounds.handshake, handshake).await {
        Ok(Ok(stream)) => {
            let (reader, writer) = tokio::io::split(stream);
            return run(connections.clone(), reader, writer, connection, pending).await;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it takes too long".to_owned(),
    };
    tracing::warn!(%peer, name, failure, "no TLS connection");
    Heard::Nothing
}

/// What a connection's tasks know of it.
#[derive(Debug, Clone, Copy)]
struct Connection {
    flow: Flow,
    id: ConnectionId,
    side: Side,
}

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Accepted,
    /// We keep it alive (RFC 5626 §4.4.1).
    Opened,
}

/// Whether a peer ever said anything on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Something,
}

async fn run(
    connections: TcpConnections,
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin + Send + 'static,
    connection: Connection,
    pending: mpsc::Receiver<Bytes>,
) -> Heard {
    let patience = connections.shared.bounds.write;
    let mut writing = tokio::spawn(write(writer, pending, patience));
    let mut heard = Heard::Nothing;
    let gave_up = tokio::select! {
        read = read(&connections, reader, connection, &mut heard) => {
            if let Err(error) = read {
                tracing::debug!(peer = %connection.flow.peer, %error, "SIP connection closed");
            }
            false
        }
        // A peer that does not read would hold its connection by now and then saying something.
        _ = &mut writing => {
            tracing::info!(peer = %connection.flow.peer, "peer does not read: connection closed");
            true
        }
    };
    // Without the queue's other end the writer stops once everything in it is written.
    connections.forget(connection.id).await;
    if !gave_up {
        let _ = writing.await;
    }
    heard
}

async fn read(
    connections: &TcpConnections,
    mut reader: impl AsyncRead + Unpin,
    connection: Connection,
    heard: &mut Heard,
) -> io::Result<()> {
    let Connection { flow, side, .. } = connection;
    let mut keepalive = (side == Side::Opened).then(|| Keepalive::new(clock::now().instant));
    let (limits, timeouts) = (Limits::default(), connections.shared.bounds.stream);
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
        let Some(deadline) = framing.poll_timeout() else { return Ok(()) };
        let deadline = keepalive.as_ref().map_or(deadline, |it| it.due.min(deadline));
        match timeout_at(TokioInstant::from_std(deadline), reader.read(&mut buffer)).await {
            Ok(read) => match read? {
                0 => return Ok(()),
                length => {
                    *heard = Heard::Something;
                    let now = clock::now().instant;
                    if let Some(keepalive) = &mut keepalive {
                        keepalive.handle_bytes(&buffer[..length], now);
                    }
                    framing.handle_bytes(&buffer[..length], now);
                }
            },
            Err(_) => {
                let now = clock::now().instant;
                framing.handle_timeout(now);
                match keepalive.as_mut().map_or(Beat::None, |it| it.handle_timeout(now)) {
                    Beat::None => {}
                    Beat::Ping => connections.send(flow, Bytes::from_static(PING)),
                    Beat::Dead => {
                        return Err(io::Error::other("the peer no longer answers keep-alives"));
                    }
                }
            }
        }
    }
}

/// When a connection that we opened is pinged, and given up (RFC 5626 §4.4.1).
#[derive(Debug, Clone, Copy)]
struct Keepalive {
    due: Instant,
    state: Beat,
    /// Whether the peer ever answered: one that never does is not taken for dead.
    answers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beat {
    None,
    Ping,
    Dead,
}

impl Keepalive {
    fn new(now: Instant) -> Self {
        Self { due: now + PING_AFTER, state: Beat::None, answers: false }
    }

    fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        self.answers |= self.state == Beat::Ping && bytes.starts_with(PONG);
        (self.state, self.due) = (Beat::None, now + PING_AFTER);
    }

    fn handle_timeout(&mut self, now: Instant) -> Beat {
        if now < self.due {
            return Beat::None;
        }
        if self.state == Beat::Ping && self.answers {
            return Beat::Dead;
        }
        self.state = Beat::Ping;
        self.due = now + if self.answers { PONG_WITHIN } else { PING_AFTER };
        Beat::Ping
    }
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut pending: mpsc::Receiver<Bytes>,
    patience: Duration,
) {
    while let Some(bytes) = pending.recv().await {
        let written = async {
            writer.write_all(&bytes).await?;
            // TLS keeps what is written until then.
            writer.flush().await
        };
        match timeout(patience, written).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
    // TLS says good-bye, so that the peer does not take it for an attack.
    let _ = timeout(patience, writer.shutdown()).await;
}

const READ_BUFFER: usize = 16_384;
/// Domains remembered for the addresses they were found at.
const MOST_NAMES: usize = 4096;
const PING: &[u8] = b"\r\n\r\n";
/// Below the two minutes that RFC 5626 §4.4.1 recommends.
const PING_AFTER: Duration = Duration::from_secs(95);
/// RFC 5626 §4.4.1.
const PONG_WITHIN: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
