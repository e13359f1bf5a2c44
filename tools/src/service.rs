//! Tells systemd how the program is (sd_notify): a datagram to the socket that it names, if any.

use std::{env, io, os::unix::net::UnixDatagram};

#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;

/// It serves; the status is what `systemctl status` shows.
pub(crate) fn ready(status: &str) {
    notify(&format!("READY=1\nMAINPID={}\nSTATUS={}", std::process::id(), line(status)));
}

/// It reads its files again; [`ready`] follows.
pub(crate) fn reloading() {
    // The time is what `Type=notify-reload` asks for.
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let micros = clock.tv_sec * 1_000_000 + clock.tv_nsec / 1000;
    notify(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
}

/// It hangs up and ends.
pub(crate) fn stopping() {
    notify("STOPPING=1");
}

fn notify(state: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else { return };
    // A supervisor that is gone is none of a call's business.
    if let Err(error) = send(path.as_encoded_bytes(), state) {
        tracing::debug!(%error, "NOTIFY_SOCKET");
    }
}

fn send(path: &[u8], state: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    let sent = match path.strip_prefix(b"@") {
        #[cfg(target_os = "linux")]
        Some(name) => {
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            socket.send_to_addr(state.as_bytes(), &address)
        }
        _ => {
            use std::os::unix::ffi::OsStrExt;
            socket.send_to(state.as_bytes(), std::ffi::OsStr::from_bytes(path))
        }
    };
    sent.map(drop)
}

fn line(text: &str) -> String {
    text.replace('\n', " ")
}
