//! Receives all that waits on a socket in one system call, with the kernel's times of arrival.
//!
//! The kernel stamps a datagram while its sender is in the system call that sends it: the time does
//! not depend on when this process runs, and so says how punctual the sender is.

use std::os::fd::AsFd;

/// Room for one round.
pub(super) struct Batch {
    datagrams: Box<[[u8; LONGEST]; AT_ONCE]>,
    /// Of words, since the kernel writes structures there.
    control: [[u64; CONTROL_WORDS]; AT_ONCE],
    lengths: [usize; AT_ONCE],
}

impl Batch {
    pub(super) fn new() -> Self {
        let datagrams = Box::new([[0; LONGEST]; AT_ONCE]);
        Self { datagrams, control: [[0; CONTROL_WORDS]; AT_ONCE], lengths: [0; AT_ONCE] }
    }

    /// Hands over each datagram with its time of arrival on the system's clock, in nanoseconds:
    /// that of `now` where the kernel told none.
    pub(super) fn receive(
        &mut self,
        socket: &impl AsFd,
        now: impl Fn() -> i64,
        mut deliver: impl FnMut(&[u8], i64),
    ) {
        loop {
            self.control = [[0; CONTROL_WORDS]; AT_ONCE];
            let count = system::receive(socket.as_fd(), self);
            for at in 0..count {
                let length = self.lengths[at].min(LONGEST);
                let arrival = stamp(&self.control[at]).unwrap_or_else(&now);
                deliver(&self.datagrams[at][..length], arrival);
            }
            if count < AT_ONCE {
                return;
            }
        }
    }
}

pub(super) use system::ask_for_stamps;

/// The time in a control message: a header of length, level and type, then a `timespec`.
fn stamp(control: &[u64; CONTROL_WORDS]) -> Option<i64> {
    let [length, kind, seconds, nanoseconds, ..] = *control;
    let level_and_type = {
        let [a, b, c, d, e, f, g, h] = kind.to_ne_bytes();
        (i32::from_ne_bytes([a, b, c, d]), i32::from_ne_bytes([e, f, g, h]))
    };
    let is_stamp = cfg!(target_pointer_width = "64")
        && length >= 32
        && level_and_type == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS);
    is_stamp
        .then_some((seconds as i64).wrapping_mul(1_000_000_000).wrapping_add(nanoseconds as i64))
}

/// Datagrams of one call.
const AT_ONCE: usize = 16;
/// RTP of audio is far shorter.
const LONGEST: usize = 2048;
/// One control message of 32 octets, and room.
const CONTROL_WORDS: usize = 8;

/// The two system calls for which there is no safe wrapper here.
#[allow(unsafe_code, reason = "rustix has neither recvmmsg nor SO_TIMESTAMPNS")]
mod system {
    use std::{
        io, mem,
        os::fd::{AsFd, AsRawFd, BorrowedFd},
        ptr,
    };

    use super::{AT_ONCE, Batch};

    /// From now on the kernel tells when each datagram of the socket arrived.
    pub(in super::super) fn ask_for_stamps(socket: &impl AsFd) -> io::Result<()> {
        let on: libc::c_int = 1;
        // SAFETY: the option is an `int`, which is valid for reading for as long as the call lasts.
        let result = unsafe {
            libc::setsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_TIMESTAMPNS,
                (&raw const on).cast(),
                size_of_val(&on) as libc::socklen_t,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Fills the batch; how many there were.
    pub(super) fn receive(socket: BorrowedFd<'_>, batch: &mut Batch) -> usize {
        let mut vectors = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; AT_ONCE];
        // SAFETY: an `mmsghdr` of noughts is a valid one that names no memory.
        let mut headers: [libc::mmsghdr; AT_ONCE] = unsafe { mem::zeroed() };
        let rooms = batch.datagrams.iter_mut().zip(&mut batch.control);
        for ((header, vector), (datagram, control)) in
            headers.iter_mut().zip(&mut vectors).zip(rooms)
        {
            vector.iov_base = datagram.as_mut_ptr().cast();
            vector.iov_len = datagram.len();
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = size_of_val(control) as _;
        }
        // SAFETY: each header names one vector and one control room that live until the function's
        // end and are not touched meanwhile; the lengths are theirs. No time limit is given.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                AT_ONCE as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0).min(AT_ONCE);
        for (length, header) in batch.lengths.iter_mut().zip(&headers).take(count) {
            *length = header.msg_len as usize;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, UdpSocket},
        time::{SystemTime, UNIX_EPOCH},
    };

    use super::*;

    #[test]
    fn what_waits_comes_whole_in_order_and_with_the_time_it_came() {
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        ask_for_stamps(&receiver).unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
        for n in 0..40_u8 {
            sender.send_to(&vec![n; usize::from(n) * 10], receiver.local_addr().unwrap()).unwrap();
        }
        let mut last = begun - 1_000_000_000;
        let mut seen = 0;
        Batch::new().receive(
            &receiver,
            || panic!("the kernel tells"),
            |datagram, arrival| {
                assert_eq!(datagram, vec![seen; usize::from(seen) * 10]);
                assert!(arrival >= last && arrival < begun + 60_000_000_000);
                (last, seen) = (arrival, seen + 1);
            },
        );
        assert_eq!(seen, 40);
        Batch::new().receive(&receiver, || 0, |_, _| panic!("nothing is left"));
    }
}
