//! Reaches a program: its name is looked up, its address must be one it may have, then TCP.

use std::{io, net::SocketAddr, time::Duration};

use bstr::{BStr, ByteSlice};
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use crate::program::Origin;

/// Connects; the caller sets the time limit.
pub(super) async fn tcp(host: &BStr, port: u16, origin: &Origin) -> io::Result<TcpStream> {
    let host = host.to_str().map_err(|_| io::Error::other("its host is no text"))?;
    let mut refusal = io::Error::other(format!("{host} has no address"));
    for address in tokio::net::lookup_host((host, port)).await? {
        if let Origin::Variable(permitted) = origin
            && !permitted.allows(host.as_bytes(), address)
        {
            refusal = io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "{host}:{port} ({address}) came from a variable, and programs.conf permits no such \
                 place: add `permit={host}:{port}` there, or write it into the dialplan"
                ),
            );
            continue;
        }
        match connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => refusal = io::Error::new(error.kind(), format!("{address}: {error}")),
        }
    }
    Err(refusal)
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_send_buffer_size(SOCKET_BUFFER)?;
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    socket.set_nodelay(true)?;
    // A machine that is gone sends no reset: what it does not confirm for so long ends the talk.
    SockRef::from(&socket).set_tcp_user_timeout(Some(UNCONFIRMED))?;
    socket.connect(address).await
}

/// Some seconds of audio: what the system keeps of what is not read yet, here or there.
const SOCKET_BUFFER: u32 = 64 * 1024;

/// How long a program's machine may leave what it is sent unconfirmed.
const UNCONFIRMED: Duration = Duration::from_secs(10);
