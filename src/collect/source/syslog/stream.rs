//! Messages on a connection: each either with its length in front, or up to the next newline
//! (RFC 6587, 3.4). Both may come on one connection.

use std::{
    io::{self, Read},
    net::{IpAddr, TcpStream},
    time::Duration,
};

/// Bytes that one turn reads from a connection.
const TURN_BYTES_MAX: usize = 64 * 1024;
/// Digits of a length; a longer number is none.
const LENGTH_DIGITS_MAX: usize = 9;

/// A connection and what arrived of its next message.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) sender: String,
    /// When something was last heard on it.
    pub(super) heard_at: Duration,
    frames: Frames,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, sender: IpAddr, now: Duration) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
        let sender = sender.to_canonical().to_string();
        Ok(Self { stream, sender, heard_at: now, frames: Frames::default() })
    }

    /// Reads a part of what arrived. False: the connection is over.
    pub(super) fn read(&mut self, bytes_max: usize, now: Duration, take: &mut dyn FnMut(&[u8])) -> bool {
        let mut chunk = [0; 8192];
        let mut left = TURN_BYTES_MAX;
        while left > 0 {
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    self.frames.end(take);
                    return false;
                }
                Ok(count) => {
                    self.heard_at = now;
                    left = left.saturating_sub(count);
                    if !self.frames.push(&chunk[..count], bytes_max, take) {
                        return false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.frames.end(take);
                    return false;
                }
            }
        }
        true
    }
}

/// Cuts a stream of bytes into messages.
#[derive(Default)]
struct Frames {
    /// What arrived of a message, cut at the limit.
    message: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Default)]
enum State {
    /// Before a message.
    #[default]
    Between,
    /// In the length, with its digits so far.
    Length(usize, usize),
    /// So many bytes are left.
    Counted(usize),
    /// Up to the newline.
    Line,
}

impl Frames {
    /// Takes bytes. False: what came is no length, and nobody can say where the next message begins.
    fn push(&mut self, bytes: &[u8], bytes_max: usize, take: &mut dyn FnMut(&[u8])) -> bool {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            match self.state {
                State::Between => match first {
                    b'\n' | b'\r' | 0 | b' ' => rest = &rest[1..],
                    b'1'..=b'9' => self.state = State::Length(0, 0),
                    _ => self.state = State::Line,
                },
                State::Length(length, digits) => {
                    rest = &rest[1..];
                    match first {
                        b'0'..=b'9' if digits < LENGTH_DIGITS_MAX => {
                            self.message.push(first);
                            self.state = State::Length(length * 10 + usize::from(first - b'0'), digits + 1);
                        }
                        b' ' => {
                            self.message.clear();
                            self.state = State::Counted(length);
                        }
                        _ if digits < LENGTH_DIGITS_MAX => {
                            // A line that begins with a number, such as a date.
                            self.message.push(first);
                            self.state = State::Line;
                            if first == b'\n' {
                                self.message.pop();
                                self.end(take);
                            }
                        }
                        _ => return false,
                    }
                }
                State::Counted(left) => {
                    let (part, behind) = rest.split_at(left.min(rest.len()));
                    self.append(part, bytes_max);
                    rest = behind;
                    self.state = State::Counted(left - part.len());
                    if left == part.len() {
                        self.end(take);
                    }
                }
                State::Line => {
                    let end = memchr::memchr2(b'\n', 0, rest);
                    self.append(&rest[..end.unwrap_or(rest.len())], bytes_max);
                    rest = end.map_or(&[][..], |end| &rest[end + 1..]);
                    if end.is_some() {
                        self.end(take);
                    }
                }
            }
        }
        true
    }

    fn append(&mut self, part: &[u8], bytes_max: usize) {
        // One byte more shows that it was cut.
        let room = (bytes_max + 1).saturating_sub(self.message.len());
        self.message.extend_from_slice(&part[..room.min(part.len())]);
    }

    /// What arrived is a message.
    fn end(&mut self, take: &mut dyn FnMut(&[u8])) {
        if !self.message.is_empty() {
            take(&self.message);
        }
        self.message.clear();
        self.state = State::Between;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cut at every byte the same messages come out.
    #[test]
    fn any_reads_give_the_same_messages() {
        let bytes = b"<34>one\n7 <34>two<34>three\r\n12 <34>fo\nur\n12\n2026-11-22 five\n\n<34>end";
        let expected = ["<34>one", "<34>two", "<34>three\r", "<34>fo\nur\n12", "2026-11-22 five", "<34>end"];
        for size in 1..=bytes.len() {
            let (mut frames, mut messages) = (Frames::default(), Vec::new());
            let mut take = |message: &[u8]| messages.push(String::from_utf8(message.to_vec()).unwrap());
            for part in bytes.chunks(size) {
                assert!(frames.push(part, 100, &mut take));
            }
            frames.end(&mut take);
            assert_eq!(messages, expected, "reads of {size} bytes");
        }
    }

    #[test]
    fn long_messages_are_cut_and_what_follows_is_found() {
        for (bytes, expected) in [
            ("<34>0123456789\n<34>next\n", ["<34>012", "<34>nex"]),
            ("14 <34>01234567898 <34>next", ["<34>012", "<34>nex"]),
        ] {
            let (mut frames, mut messages) = (Frames::default(), Vec::new());
            let mut take = |message: &[u8]| messages.push(String::from_utf8(message.to_vec()).unwrap());
            assert!(frames.push(bytes.as_bytes(), 6, &mut take));
            frames.end(&mut take);
            assert_eq!(messages, expected, "{bytes}");
        }
        let mut frames = Frames::default();
        assert!(!frames.push(b"99999999999999 <34>x", 6, &mut |_| {}));
    }
}
