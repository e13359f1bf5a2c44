//! The socket options that a transport's settings ask for.

use std::io;
use std::net::SocketAddr;

use socket2::{SockRef, TcpKeepalive};

use crate::config::SocketOptions;

/// Marks what a socket sends, and says how its connection is kept. A listener hands all of this on to
/// what it accepts.
///
/// # Errors
/// With the name of the setting that the system does not grant.
pub(super) fn apply(
    socket: &SockRef<'_>,
    address: SocketAddr,
    options: &SocketOptions,
) -> io::Result<()> {
    let named = |name: &str, result: io::Result<()>| {
        result.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))
    };
    if let Some(tos) = options.tos {
        let result = match address.is_ipv4() {
            true => socket.set_tos_v4(tos.into()),
            false => socket.set_tclass_v6(tos.into()),
        };
        named("tos", result)?;
    }
    // Above 6 the system wants CAP_NET_ADMIN. After `tos`, which sets it by its own table.
    if let Some(cos) = options.cos {
        named("cos", set_priority(socket, cos))?;
    }
    if let Some(keepalive) = options.keepalive {
        let settings = TcpKeepalive::new()
            .with_time(keepalive.idle)
            .with_interval(keepalive.interval)
            .with_retries(keepalive.probes);
        named("tcp_keepalive_enable", socket.set_tcp_keepalive(&settings))?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn set_priority(socket: &SockRef<'_>, cos: u8) -> io::Result<()> {
    socket.set_priority(cos.into())
}

#[cfg(not(target_os = "linux"))]
fn set_priority(_: &SockRef<'_>, _: u8) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
