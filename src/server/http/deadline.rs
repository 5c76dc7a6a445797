//! Socket calls that end in time: each waits until a deadline, not until the other side is ready. The socket stays in blocking
//! mode; single calls are made non-blocking, and the waiting is done by `poll`, so that no call sets a timeout of the socket.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, connect_unspec, recv, send};

/// How long and how much is read from a client after our side of the connection was closed.
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// Receives into the spare capacity of `buffer`, which must not be empty; waits as long as the socket's own read timeout says.
/// `Ok(0)` is the end of the stream.
pub(super) fn receive_idle(stream: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        match recv(stream, spare_capacity(buffer), RecvFlags::empty()) {
            Ok((_, received)) => return Ok(received),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives into the spare capacity of `buffer`, which must not be empty; `TimedOut` at `deadline`.
pub(super) fn receive_spare(stream: &TcpStream, buffer: &mut Vec<u8>, deadline: Instant) -> io::Result<usize> {
    retry_until(stream, PollFlags::IN, deadline, || {
        recv(stream, spare_capacity(buffer), RecvFlags::DONTWAIT).map(|(_, received)| received)
    })
}

/// Receives into `target`; `TimedOut` at `deadline`.
pub(super) fn receive(stream: &TcpStream, target: &mut [u8], deadline: Instant) -> io::Result<usize> {
    retry_until(stream, PollFlags::IN, deadline, || {
        recv(stream, &mut *target, RecvFlags::DONTWAIT).map(|(received, _)| received)
    })
}

/// Sends all of `bytes`; `TimedOut` when the client has taken nothing for `timeout`.
pub(super) fn send_all(stream: &TcpStream, mut bytes: &[u8], timeout: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        // The clock is read only when the kernel's buffer is full: an ordinary answer is one call.
        let sent = match send(stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(sent) => sent,
            Err(Errno::AGAIN | Errno::INTR) => retry_until(stream, PollFlags::OUT, after(timeout), || {
                send(stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
            })?,
            Err(error) => return Err(error.into()),
        };
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// Whether the other side has closed or reset the connection. Unread data hides the end behind it.
pub(super) fn is_gone(stream: &TcpStream) -> bool {
    let mut byte = [0];
    match recv(stream, &mut byte[..], RecvFlags::DONTWAIT | RecvFlags::PEEK) {
        Ok((received, _)) => received == 0,
        Err(error) => error != Errno::AGAIN && error != Errno::INTR,
    }
}

/// Closes our side and reads on for a moment. A socket closed with data unread sends a reset, and that reset may overtake the
/// answer the client was about to read.
pub(super) fn linger(stream: &TcpStream) {
    if stream.shutdown(Shutdown::Write).is_err() {
        return;
    }
    let deadline = after(LINGER_TIME);
    let mut scrap = [0; 4096];
    let mut dropped = 0;
    while dropped < LINGER_BYTES_MAX {
        match receive(stream, &mut scrap, deadline) {
            Ok(received) if received > 0 => dropped += received,
            _ => return,
        }
    }
}

/// Resets the connection: the client sees an error, never an orderly end, whatever was sent before.
pub(super) fn cut(stream: &TcpStream) {
    // Dissolving the association sends the reset at once, whoever else holds the socket. The kernel may refuse it while
    // another thread waits in a call on that socket; such a thread is woken by the shutdown.
    if connect_unspec(stream).is_err() {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// The instant `timeout` from now; a timeout beyond the clock's range is a day.
pub(super) fn after(timeout: Duration) -> Instant {
    const DAY: Duration = Duration::from_hours(24);
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + DAY)
}

fn retry_until(
    stream: &TcpStream,
    ready: PollFlags,
    deadline: Instant,
    mut call: impl FnMut() -> rustix::io::Result<usize>,
) -> io::Result<usize> {
    loop {
        match call() {
            Ok(bytes) => return Ok(bytes),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let wait = deadline.saturating_duration_since(Instant::now());
                if wait.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                let wait = Timespec::try_from(wait).map_err(|_| io::ErrorKind::InvalidInput)?;
                match poll(&mut [PollFd::new(stream, ready)], Some(&wait)) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}
